/* What the index keeps of all objects of a type (kept_types.h). */
#include "kept_types.h"
#include "merge.h"

enum { TYPE, DOMINATOR, UNREACHED, PARTS, STEPS };

struct kept {
	uint64_t values[5];                /* of its row */
	uint64_t parts_first, steps_first; /* its first rows in the other tables */
};

static enum snap_status wrong(struct snap_error *error)
{
	return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
			    "what the index says of types is not of this snapshot");
}

static enum snap_status name_of(struct snap_graph *graph, uint64_t type, uint64_t *name,
				struct snap_error *error)
{
	*name = 0;
	return type != 0 ? libsnap_graph_value(graph, SNAP_TYPE_NAME, type - 1, name, error)
			 : SNAP_OK;
}

static bool has_all(const struct snap_graph_set *set, uint64_t first, uint64_t end)
{
	for (; first < end && first % 64 != 0; first++)
		if (!libsnap_has_bit(set->bits, first))
			return false;
	for (; end - first >= 64; first += 64)
		if (set->bits[first / 64] != UINT64_MAX)
			return false;
	for (; first < end; first++)
		if (!libsnap_has_bit(set->bits, first))
			return false;
	return true;
}

/* Whether the set is the objects of all types of that name. */
static enum snap_status is_named(struct snap_graph *graph, const struct snap_graph_set *set,
				 uint64_t name, bool *is, struct snap_error *error)
{
	uint64_t count = 0, of_run = 0, last = 0;
	enum snap_status status = SNAP_OK;
	*is = true;
	for (uint32_t i = 0; status == SNAP_OK && *is && i < graph->run_count; i++) {
		const struct run *run = &graph->runs[i];
		uint64_t type = graph->shapes[run->shape].type;
		if (type != last)
			status = name_of(graph, type, &of_run, error);
		last = type;
		if (status != SNAP_OK || type == 0 || of_run != name)
			continue;
		*is = has_all(set, run->first_row, run[1].first_row);
		count += run[1].first_row - run->first_row;
	}
	*is = *is && count == set->count;
	return status;
}

/* SNAP_END: nothing is kept of these objects. */
static enum snap_status find(struct snap_graph *graph, const struct snap_graph_set *set,
			     struct kept *kept, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_TYPE_ID, SNAP_INDEX_TYPE_DOMINATOR,
					   SNAP_INDEX_TYPE_UNREACHED, SNAP_INDEX_TYPE_PART_COUNT,
					   SNAP_INDEX_TYPE_STEP_COUNT};
	uint64_t rows[2] = {snap_reader_row_count(graph->reader, SNAP_INDEX_TYPE_PARTS),
			    snap_reader_row_count(graph->reader, SNAP_INDEX_TYPE_STEPS)};
	uint64_t name, other, parts = 0, steps = 0;
	bool found = false, is = false;
	uint64_t first = snap_graph_set_next(set, 0);
	if (!graph->indexed.is_there || set->count < 2)
		return SNAP_END;
	enum snap_status status = name_of(graph, snap_graph_type(graph, first), &name, error);
	if (status != SNAP_OK)
		return status;
	struct scan scan = scan_begin(graph->reader, columns, 5, error);
	while (scan_next(&scan)) {
		uint64_t of_parts = scan_value(&scan, PARTS), of_steps = scan_value(&scan, STEPS);
		if (of_parts > rows[0] - parts || of_steps > rows[1] - steps || of_steps >= NONE) {
			scan.status = wrong(error);
			break;
		}
		scan.status = name_of(graph, scan_value(&scan, TYPE), &other, error);
		if (!found && other == name) {
			found = true;
			*kept = (struct kept){.parts_first = parts, .steps_first = steps};
			for (size_t i = 0; i < 5; i++)
				kept->values[i] = scan_value(&scan, i);
		}
		parts += of_parts;
		steps += of_steps;
	}
	status = scan_end(&scan, NULL);
	if (status == SNAP_OK && found)
		status = is_named(graph, set, name, &is, error);
	return status == SNAP_OK && !is ? SNAP_END : status;
}

/* ---- parts ---- */

static enum snap_status tell_parts(struct snap_graph *graph, const struct kept *kept,
				   snap_graph_tell_kept *tell, void *context,
				   struct snap_error *error)
{
	static const uint32_t columns[] = {
		SNAP_INDEX_TYPE_PART_KIND,      SNAP_INDEX_TYPE_PART_TYPE,
		SNAP_INDEX_TYPE_PART_REFERENCE, SNAP_INDEX_TYPE_PART_LABEL,
		SNAP_INDEX_TYPE_PART_OBJECTS,   SNAP_INDEX_TYPE_PART_BYTES,
		SNAP_INDEX_TYPE_PART_FIRST};
	struct scan scan = scan_begin(graph->reader, columns, 7, error);
	while (scan_next(&scan)) {
		if (scan.row < kept->parts_first ||
		    scan.row - kept->parts_first >= kept->values[PARTS])
			continue;
		uint64_t kind = scan_value(&scan, 2);
		const struct snap_graph_kept_part part = {
			.part = (enum snap_type_part)(scan_value(&scan, 0) & 0xff),
			.type = scan_value(&scan, 1),
			.kind = kind < UINT8_MAX ? (uint32_t)kind : UINT8_MAX,
			.label = libsnap_unpack_label(scan_value(&scan, 3)),
			.count = scan_value(&scan, 4),
			.bytes = scan_value(&scan, 5),
			.first = scan_value(&scan, 6) - 1};
		tell(context, &part);
	}
	return scan_end(&scan, NULL);
}

enum snap_status snap_graph_kept(struct snap_graph *graph, const struct snap_graph_set *set,
				 uint64_t *dominator, snap_graph_tell_kept *tell, void *context,
				 struct snap_error *error)
{
	struct kept kept;
	enum snap_status status = find(graph, set, &kept, error);
	if (status == SNAP_OK && dominator != NULL)
		*dominator = kept.values[DOMINATOR] - 1;
	if (status == SNAP_OK && tell != NULL)
		status = tell_parts(graph, &kept, tell, context, error);
	return status;
}

/* ---- paths ---- */

static enum snap_status take_step(struct snap_graph_paths *paths, const struct kept *kept,
				  const struct scan *scan, struct snap_error *error)
{
	uint64_t parent = scan_value(scan, 0), count = paths->steps.count,
		 kind = scan_value(scan, 2);
	struct snap_graph_step step = {.parent = NONE,
				       .first_child = NONE,
				       .next = NONE,
				       .type = scan_value(scan, 1),
				       .label = scan_value(scan, 3),
				       .kind = kind < NONE ? (uint32_t)kind : NONE,
				       .repeats = (uint32_t)scan_value(scan, 4),
				       .example = scan_value(scan, 5) - 1,
				       .objects = scan_value(scan, 6),
				       .ends = scan_value(scan, 7),
				       .names = (uint32_t)scan_value(scan, 8)};
	/* The first of them have no parent, and siblings are together: so they are linked. */
	if (parent != 0) {
		const struct snap_graph_step *above;
		if (parent <= kept->steps_first || parent - kept->steps_first > count)
			return wrong(error);
		step.parent = (uint32_t)(parent - kept->steps_first - 1);
		above = libsnap_array_at(&paths->steps, step.parent);
		step.depth = above->depth + 1;
		step.label = libsnap_unpack_label(step.label);
	}
	if (count > 0) {
		const struct snap_graph_step *last = libsnap_array_at(&paths->steps, count - 1);
		if (last->parent != NONE && (step.parent == NONE || step.parent < last->parent))
			return wrong(error);
	}
	return libsnap_array_add(&paths->steps, &step) ? SNAP_OK : libsnap_paths_fail(paths, error);
}

static enum snap_status take_steps(struct snap_graph_paths *paths, const struct kept *kept,
				   struct snap_error *error)
{
	uint32_t columns[9];
	for (uint32_t i = 0; i < 9; i++)
		columns[i] = SNAP_INDEX_TYPE_STEP_PARENT + i;
	struct scan scan = scan_begin(paths->graph->reader, columns, 9, error);
	while (scan_next(&scan))
		if (scan.row >= kept->steps_first &&
		    scan.row - kept->steps_first < kept->values[STEPS])
			scan.status = take_step(paths, kept, &scan, error);
	return scan_end(&scan, NULL);
}

enum snap_status libsnap_graph_kept_paths(struct snap_graph *graph,
					  const struct snap_graph_set *set,
					  struct snap_graph_paths **out, struct snap_error *error)
{
	struct snap_graph_paths *paths;
	struct kept kept;
	enum snap_status status = find(graph, set, &kept, error);
	if (status == SNAP_OK && kept.values[STEPS] == 0)
		status = SNAP_END;
	if (status != SNAP_OK)
		return status;
	status = libsnap_paths_open(&paths, graph, error);
	if (status != SNAP_OK)
		return status;
	status = take_steps(paths, &kept, error);
	if (status == SNAP_OK)
		status = libsnap_paths_link(paths, error);
	paths->info.unreached = kept.values[UNREACHED];
	if (status == SNAP_OK)
		*out = paths;
	else
		snap_graph_paths_close(paths);
	return status;
}
