/* Merges the shortest paths to many objects into one tree of steps. */
#include "merge.h"

#include <inttypes.h>

/* A step is folded into one of so many before it, if it is the same: x.next.next,
 * x.data.next.data.next ... */
#define FOLD    4
#define MAX_RUN (UINT64_C(1) << 29) /* that are counted */

/* ---- rows on the way ---- */

/* After a failure it may be any, and 0 will do. */
static uint64_t distance_on_way(const struct snap_graph_ways *ways, uint64_t row)
{
	uint64_t distance = libsnap_numbers_get(&ways->graph->distance, row);
	return distance < ways->on_way.count ? distance : 0;
}

/* Rows by distance.  Every distance up to the largest occurs, so there are at most count; step is
 * used as room. */
static void sort_by_distance(struct merge *merge)
{
	const struct snap_graph *graph = merge->graph;
	const struct marks *on_way = &merge->ways->on_way;
	struct numbers *ends = &merge->ways->step;
	uint64_t sum = 0, row, distance, end;
	for (row = libsnap_marks_next(on_way, graph, 0); row != SNAP_GRAPH_NONE;
	     row = libsnap_marks_next(on_way, graph, row + 1)) {
		distance = distance_on_way(merge->ways, row);
		end = libsnap_numbers_get(ends, distance);
		libsnap_numbers_set(ends, distance, end == SNAP_GRAPH_NONE ? 1 : end + 1);
	}
	for (uint64_t i = 0; i < on_way->count; i++) {
		end = libsnap_numbers_get(ends, i);
		if (end == SNAP_GRAPH_NONE)
			break;
		libsnap_numbers_set(ends, i, sum);
		sum += end;
	}
	for (row = libsnap_marks_next(on_way, graph, 0); row != SNAP_GRAPH_NONE;
	     row = libsnap_marks_next(on_way, graph, row + 1)) {
		distance = distance_on_way(merge->ways, row);
		end = libsnap_numbers_get(ends, distance);
		if (end >= on_way->count) /* only after a failure */
			continue;
		libsnap_numbers_set(ends, distance, end + 1);
		libsnap_numbers_set(&merge->order, end, row);
	}
}

/* The path to one row. */
static void follow_parents(struct merge *merge, uint64_t row)
{
	const struct snap_graph *graph = merge->graph;
	for (uint64_t i = merge->count; i-- > 0; row = libsnap_numbers_get(&graph->parent, row)) {
		libsnap_numbers_set(&merge->order, i, row);
		if (libsnap_graph_has_failed(graph))
			return;
	}
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
	uint64_t above = libsnap_marks_rank(&merge->ways->on_way, parent);
	uint32_t before = (uint32_t)libsnap_numbers_get(&merge->ways->step, above);
	uint64_t run = libsnap_numbers_get(&merge->ways->run, above) / FOLD;
	uint64_t since = libsnap_numbers_get(&merge->ways->run, above) % FOLD;
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
	libsnap_numbers_set(&merge->ways->run, rank, run * FOLD + since);
	return before;
}

/* How the row was reached; *shown is the label as it is told, of a root object its entry. */
static struct step_key key_of(struct merge *merge, uint64_t row, uint64_t rank, bool is_root,
			      uint64_t *shown)
{
	struct step_key key = {.type = libsnap_graph_shape(merge->graph, row)->type,
			       .kind = (uint32_t)libsnap_numbers_get(&merge->ways->kinds, rank),
			       .label = libsnap_numbers_get(&merge->ways->labels, rank)};
	*shown = key.label;
	if (is_root) {
		*shown = libsnap_numbers_get(&merge->ways->entries, rank);
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

/* How often in a row it was folded by now, as repeats count. */
static uint32_t repeats_of(const struct merge *merge, uint64_t rank)
{
	uint64_t run = libsnap_numbers_get(&merge->ways->run, rank);
	return run % FOLD == 0 ? (uint32_t)(run / FOLD) + 1 : 1;
}

static enum snap_status merge_row(struct merge *merge, uint64_t place, bool is_target,
				  struct snap_error *error)
{
	const struct snap_graph *graph = merge->graph;
	uint64_t row = libsnap_numbers_get(&merge->order, place);
	bool is_root = libsnap_numbers_get(&graph->parent, row) == SNAP_GRAPH_NONE;
	uint64_t rank = libsnap_marks_rank(&merge->ways->on_way, row), shown;
	struct step_key key = key_of(merge, row, rank, is_root, &shown);
	uint32_t before = 0, index = 0;
	if (is_root)
		libsnap_numbers_set(&merge->ways->run, rank, 0);
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
	merged->ends += is_target;
	libsnap_numbers_set(&merge->ways->step, rank, index);
	if (merge->note == NULL)
		return SNAP_OK;
	const struct merge_note note = {row, place, shown, index, repeats_of(merge, rank), is_root};
	return merge->note(merge, &note, error);
}

enum snap_status libsnap_merge_rows(struct merge *merge, struct snap_error *error)
{
	struct snap_graph *graph = merge->graph;
	const struct snap_graph_set *set = merge->targets;
	enum snap_status status = SNAP_OK;
	for (uint64_t i = 0; status == SNAP_OK && i < merge->count; i++) {
		uint64_t row = libsnap_numbers_get(&merge->order, i);
		status = libsnap_graph_check_pages(graph, error);
		bool is_target = set != NULL ? snap_graph_set_has(set, row) : i + 1 == merge->count;
		if (status == SNAP_OK)
			status = merge_row(merge, i, is_target, error);
		if ((i & 0xfffff) == 0xfffff)
			libsnap_graph_progress(graph, "merged paths", i, merge->count);
	}
	return status == SNAP_OK ? libsnap_arrays_check(&merge->tree.paths->arrays, error) : status;
}

/* Once the order is known; ends what merge has. */
static enum snap_status merge_paths(struct merge *merge, struct snap_graph_paths **out,
				    struct snap_error *error)
{
	struct snap_graph_paths *paths = NULL;
	enum snap_status status = libsnap_paths_open(&paths, merge->graph, error);
	if (status == SNAP_OK)
		status = libsnap_merge_tree_open(&merge->tree, paths, error);
	if (status == SNAP_OK)
		status = libsnap_merge_rows(merge, error);
	if (status == SNAP_OK)
		status = libsnap_graph_fold_names(&merge->tree, error);
	libsnap_numbers_close(&merge->order);
	libsnap_merge_tree_close(&merge->tree);
	if (status == SNAP_OK)
		status = libsnap_paths_link(paths, error);
	if (status == SNAP_OK)
		*out = paths;
	else
		snap_graph_paths_close(paths);
	return status;
}

enum snap_status snap_graph_ways_path(struct snap_graph_ways *ways, uint64_t row,
				      struct snap_graph_paths **out, struct snap_error *error)
{
	struct snap_graph *graph = ways->graph;
	if (row >= graph->objects || !libsnap_has_bit(ways->on_way.bits, row))
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "row %" PRIu64 " is on none of the ways", row);
	struct merge merge = {
		.graph = graph, .ways = ways, .count = distance_on_way(ways, row) + 1};
	enum snap_status status =
		libsnap_numbers_open(&merge.order, graph, merge.count, false, error);
	if (status != SNAP_OK)
		return status;
	follow_parents(&merge, row);
	return merge_paths(&merge, out, error);
}

enum snap_status snap_graph_merge_paths(struct snap_graph *graph, const struct snap_graph_set *set,
					struct snap_graph_paths **out, struct snap_error *error)
{
	struct merge merge = {.graph = graph, .targets = set};
	enum snap_status status = libsnap_graph_kept_paths(graph, set, out, error);
	if (status != SNAP_END)
		return status;
	status = snap_graph_ways_open(&merge.ways, graph, set, error);
	if (status != SNAP_OK)
		return status;
	merge.count = merge.ways->on_way.count;
	status = libsnap_numbers_open(&merge.order, graph, merge.count, false, error);
	if (status == SNAP_OK) {
		libsnap_graph_progress(graph, "merged paths", 0, merge.count);
		sort_by_distance(&merge);
		status = merge_paths(&merge, out, error);
	}
	if (status == SNAP_OK)
		(*out)->info.unreached = merge.ways->unreached;
	snap_graph_ways_close(merge.ways);
	return status;
}
