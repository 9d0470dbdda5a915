/* Merges the shortest paths to many objects into one tree of steps. */
#include "merge.h"

/* A step is folded into one of so many before it, if it is the same: x.next.next,
 * x.data.next.data.next ... */
#define FOLD    4
#define MAX_RUN (UINT64_C(1) << 29) /* that are counted */

struct merge {
	struct snap_graph *graph;
	const struct snap_graph_set *targets;
	struct marks on_way;
	struct numbers order; /* rows on the way, by distance */
	/* By rank: the reference to each, or of root objects the string of the entry; the entry;
	 * the step; and how many foldings are in a row, times FOLD, and steps since the last. */
	struct numbers labels, kinds, entries, step, run;
	struct merge_tree tree;
};

/* ---- rows on the way ---- */

static enum snap_status mark_ways(struct merge *merge, uint64_t *unreached,
				  struct snap_error *error)
{
	struct snap_graph *graph = merge->graph;
	uint64_t *bits = merge->on_way.bits;
	*unreached = 0;
	for (uint64_t target = snap_graph_set_next(merge->targets, 0); target != SNAP_GRAPH_NONE;
	     target = snap_graph_set_next(merge->targets, target + 1)) {
		if (snap_graph_distance(graph, target) == SNAP_GRAPH_NONE) {
			++*unreached;
			continue;
		}
		for (uint64_t row = target; row != SNAP_GRAPH_NONE && !libsnap_has_bit(bits, row);
		     row = libsnap_numbers_get(&graph->parent, row))
			libsnap_set_bit(bits, row);
	}
	libsnap_marks_count(&merge->on_way, graph);
	return libsnap_graph_check_pages(graph, error);
}

static enum snap_status open_numbers(struct merge *merge, struct snap_error *error)
{
	struct snap_graph *graph = merge->graph;
	uint64_t count = merge->on_way.count;
	struct numbers *const all[] = {&merge->order, &merge->kinds, &merge->entries, &merge->step,
				       &merge->run};
	enum snap_status status = libsnap_graph_prepare(graph, count * 28, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&merge->labels, graph, count, true, error);
	for (size_t i = 0; status == SNAP_OK && i < sizeof(all) / sizeof(all[0]); i++)
		status = libsnap_numbers_open(all[i], graph, count, false, error);
	return status;
}

/* After a failure it may be any, and 0 will do. */
static uint64_t distance_on_way(const struct merge *merge, uint64_t row)
{
	uint64_t distance = libsnap_numbers_get(&merge->graph->distance, row);
	return distance < merge->on_way.count ? distance : 0;
}

/* Rows by distance.  Every distance up to the largest occurs, so there are at most count; step is
 * used as room. */
static void sort_by_distance(struct merge *merge)
{
	const struct snap_graph *graph = merge->graph;
	struct numbers *ends = &merge->step;
	uint64_t sum = 0, row, distance, end;
	for (row = libsnap_marks_next(&merge->on_way, graph, 0); row != SNAP_GRAPH_NONE;
	     row = libsnap_marks_next(&merge->on_way, graph, row + 1)) {
		distance = distance_on_way(merge, row);
		end = libsnap_numbers_get(ends, distance);
		libsnap_numbers_set(ends, distance, end == SNAP_GRAPH_NONE ? 1 : end + 1);
	}
	for (uint64_t i = 0; i < merge->on_way.count; i++) {
		end = libsnap_numbers_get(ends, i);
		if (end == SNAP_GRAPH_NONE)
			break;
		libsnap_numbers_set(ends, i, sum);
		sum += end;
	}
	for (row = libsnap_marks_next(&merge->on_way, graph, 0); row != SNAP_GRAPH_NONE;
	     row = libsnap_marks_next(&merge->on_way, graph, row + 1)) {
		distance = distance_on_way(merge, row);
		end = libsnap_numbers_get(ends, distance);
		if (end >= merge->on_way.count) /* only after a failure */
			continue;
		libsnap_numbers_set(ends, distance, end + 1);
		libsnap_numbers_set(&merge->order, end, row);
	}
}

static enum snap_status label_roots(struct merge *merge, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_ROOT_OBJECT, SNAP_ROOT_KIND_COLUMN,
					   SNAP_ROOT_LABEL};
	struct snap_graph *graph = merge->graph;
	struct stream stream;
	const uint64_t *values[STREAM_COLUMNS];
	uint64_t first;
	size_t count;
	enum snap_status status =
		libsnap_graph_stream_open(&stream, graph, columns, 3, graph->roots, error);
	while (status == SNAP_OK) {
		status = libsnap_graph_stream_next(&stream, &first, &count, values, error);
		if (status != SNAP_OK || count == 0)
			break;
		for (size_t i = 0; i < count; i++) {
			uint64_t row = values[0][i] - 1;
			if (!libsnap_has_bit(merge->on_way.bits, row))
				continue;
			uint64_t rank = libsnap_marks_rank(&merge->on_way, row);
			if (libsnap_numbers_get(&merge->entries, rank) != SNAP_GRAPH_NONE)
				continue;
			libsnap_numbers_set(&merge->entries, rank, first + i);
			libsnap_numbers_set(&merge->kinds, rank,
					    values[1][i] < NONE ? values[1][i] : NONE);
			libsnap_numbers_set(&merge->labels, rank, values[2][i]);
		}
	}
	libsnap_graph_stream_close(&stream);
	return status;
}

/* ---- steps ---- */

/* The step before into which this one is folded; 0: it is not. */
static uint32_t find_fold(struct merge *merge, uint32_t before, const struct step_key *key)
{
	for (int i = 0; i < FOLD; i++) {
		const struct merged *step = libsnap_merged_at(&merge->tree, before);
		if (step->depth == 0)
			break;
		if (libsnap_is_same_step(&step->key, key))
			return before;
		before = step->parent;
	}
	return 0;
}

/* The step before, into which the row's own may be folded: then *index, else 0. */
static uint32_t find_before(struct merge *merge, uint64_t row, uint64_t rank,
			    const struct step_key *key, uint32_t *index)
{
	uint64_t parent = libsnap_numbers_get(&merge->graph->parent, row);
	uint64_t above = libsnap_marks_rank(&merge->on_way, parent);
	uint32_t before = (uint32_t)libsnap_numbers_get(&merge->step, above);
	uint64_t run = libsnap_numbers_get(&merge->run, above) / FOLD;
	uint64_t since = libsnap_numbers_get(&merge->run, above) % FOLD;
	if (before >= merge->tree.nodes.count) /* only after a failure */
		before = 0;
	*index = find_fold(merge, before, key);
	if (*index != 0) {
		run += run < MAX_RUN;
		since = 0;
		if (libsnap_merged_at(&merge->tree, *index)->repeats <= run)
			libsnap_merged_edit(&merge->tree, *index)->repeats = (uint32_t)run + 1;
	} else if (++since == FOLD) {
		run = since = 0;
	}
	libsnap_numbers_set(&merge->run, rank, run * FOLD + since);
	return before;
}

/* How the row was reached; *shown is the label as it is told, of a root object its entry. */
static struct step_key key_of(struct merge *merge, uint64_t row, uint64_t rank, bool is_root,
			      uint64_t *shown)
{
	struct step_key key = {.type = libsnap_graph_shape(merge->graph, row)->type,
			       .kind = (uint32_t)libsnap_numbers_get(&merge->kinds, rank),
			       .label = libsnap_numbers_get(&merge->labels, rank)};
	*shown = key.label;
	if (is_root) {
		*shown = libsnap_numbers_get(&merge->entries, rank);
		if (*shown == SNAP_GRAPH_NONE) { /* a partial reader lost the entry */
			*shown = NONE;
			key.kind = 0;
			key.label = 0;
		}
		return key;
	}
	if (key.kind == NONE) /* or the reference */
		*shown = SNAP_LABEL_NONE;
	key.label = libsnap_graph_fold_label(*shown);
	return key;
}

static enum snap_status merge_row(struct merge *merge, uint64_t row, struct snap_error *error)
{
	const struct snap_graph *graph = merge->graph;
	bool is_root = libsnap_numbers_get(&graph->distance, row) == 0;
	uint64_t rank = libsnap_marks_rank(&merge->on_way, row), shown;
	struct step_key key = key_of(merge, row, rank, is_root, &shown);
	uint32_t before = 0, index = 0;
	if (is_root)
		libsnap_numbers_set(&merge->run, rank, 0);
	else
		before = find_before(merge, row, rank, &key, &index);
	if (libsnap_graph_has_failed(graph))
		return libsnap_graph_check_pages(graph, error);
	if (index == 0) {
		enum snap_status status =
			libsnap_merge_tree_add(&merge->tree, before, &key, &index, error);
		if (status != SNAP_OK)
			return status;
	}
	struct merged *merged = libsnap_merged_edit(&merge->tree, index);
	if (merged->objects++ == 0) {
		merged->repeats = 1;
		merged->shown = shown;
		merged->example = row;
	} else if (!is_root && merged->shown != shown) {
		merged->shown = key.label;
	}
	merged->ends += snap_graph_set_has(merge->targets, row);
	libsnap_numbers_set(&merge->step, rank, index);
	return SNAP_OK;
}

static void free_merge(struct merge *merge)
{
	libsnap_marks_close(&merge->on_way, merge->graph);
	libsnap_numbers_close(&merge->order);
	libsnap_numbers_close(&merge->labels);
	libsnap_numbers_close(&merge->kinds);
	libsnap_numbers_close(&merge->entries);
	libsnap_numbers_close(&merge->step);
	libsnap_numbers_close(&merge->run);
	libsnap_merge_tree_close(&merge->tree);
}

static enum snap_status merge_rows(struct merge *merge, struct snap_error *error)
{
	struct snap_graph *graph = merge->graph;
	libsnap_graph_progress(graph, "merged paths", 0, merge->on_way.count);
	sort_by_distance(merge);
	enum snap_status status = libsnap_graph_tree_labels(graph, &merge->on_way, &merge->labels,
							    &merge->kinds, error);
	if (status == SNAP_OK)
		status = label_roots(merge, error);
	for (uint64_t i = 0; status == SNAP_OK && i < merge->on_way.count; i++) {
		uint64_t row = libsnap_numbers_get(&merge->order, i);
		status = libsnap_graph_check_pages(graph, error);
		if (status == SNAP_OK)
			status = merge_row(merge, row, error);
		if ((i & 0xfffff) == 0xfffff)
			libsnap_graph_progress(graph, "merged paths", i, merge->on_way.count);
	}
	return status == SNAP_OK ? libsnap_arrays_check(&merge->tree.paths->arrays, error) : status;
}

enum snap_status snap_graph_merge_paths(struct snap_graph *graph, const struct snap_graph_set *set,
					struct snap_graph_paths **out, struct snap_error *error)
{
	if (!libsnap_numbers_is_open(&graph->distance))
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "no search was made");
	struct merge merge = {.graph = graph, .targets = set};
	struct snap_graph_paths *paths = NULL;
	uint64_t unreached = 0;
	enum snap_status status = libsnap_marks_open(&merge.on_way, graph, error);
	if (status == SNAP_OK)
		status = mark_ways(&merge, &unreached, error);
	if (status == SNAP_OK)
		status = open_numbers(&merge, error);
	if (status == SNAP_OK)
		status = libsnap_paths_open(&paths, graph, error);
	if (status == SNAP_OK)
		status = libsnap_merge_tree_open(&merge.tree, paths, error);
	if (status == SNAP_OK)
		status = merge_rows(&merge, error);
	if (status == SNAP_OK)
		status = libsnap_graph_fold_names(&merge.tree, error);
	free_merge(&merge);
	if (status == SNAP_OK)
		status = libsnap_paths_link(paths, error);
	if (status != SNAP_OK) {
		snap_graph_paths_close(paths);
		return status;
	}
	paths->info.unreached = unreached;
	*out = paths;
	return SNAP_OK;
}
