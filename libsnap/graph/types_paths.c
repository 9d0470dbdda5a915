/* Merged paths to all objects of each of some types at once: what is on a path to an object of a
 * type is known from its children, so all rows are merged once, and each step is told apart by the
 * types that lie behind it (types.h). */
#include <stddef.h>

#include "types.h"

static struct types *types_of(struct merge *merge)
{
	return (struct types *)((char *)merge - offsetof(struct types, merge));
}

static enum snap_status note_step(struct merge *merge, const struct merge_note *note,
				  struct snap_error *error)
{
	struct types *types = types_of(merge);
	uint64_t mask = libsnap_types_mask(types, note->row);
	if (mask == 0)
		return SNAP_OK;
	struct tally *tally;
	enum snap_status status = libsnap_tally(types->graph, &types->steps,
						(uint64_t[]){note->step, mask, 0}, &tally, error);
	if (status != SNAP_OK)
		return status;
	if (tally->count++ == 0) {
		tally->first = note->row;
		tally->place = note->place;
		tally->exact = note->shown;
	} else if (!note->is_root && tally->exact != note->shown) {
		tally->exact = libsnap_graph_fold_label(note->shown);
	}
	if (note->repeats > tally->repeats)
		tally->repeats = note->repeats;
	/* Wide trees are not kept, nor found. */
	uint64_t most = libsnap_types_most(types);
	types->too_many_steps = types->steps.count > most || merge->tree.nodes.count > most;
	return types->too_many_steps ? SNAP_END : SNAP_OK;
}

/* From the last of the order to the first: children before their parents. */
static enum snap_status mask_parents(struct types *types, struct snap_error *error)
{
	const struct snap_graph *graph = types->graph;
	for (uint64_t i = 0; i < types->merge.count; i++)
		libsnap_numbers_set(&types->masks, libsnap_numbers_get(&types->merge.order, i),
				    SNAP_GRAPH_NONE);
	for (uint64_t i = types->merge.count; i-- > 0 && !libsnap_graph_has_failed(graph);) {
		uint64_t row = libsnap_numbers_get(&types->merge.order, i);
		uint64_t mask = libsnap_types_mask(types, row) | libsnap_types_own(types, row);
		if (mask == 0)
			continue;
		libsnap_numbers_set(&types->masks, row, mask);
		uint64_t parent = libsnap_numbers_get(&graph->parent, row);
		if (parent != SNAP_GRAPH_NONE)
			libsnap_numbers_set(&types->masks, parent,
					    mask | libsnap_types_mask(types, parent));
	}
	return libsnap_graph_check_pages(graph, error);
}

static enum snap_status open_ways(struct types *types, struct snap_error *error)
{
	struct snap_graph *graph = types->graph;
	struct snap_graph_set *all;
	enum snap_status status = snap_graph_set_open(&all, graph, error);
	if (status != SNAP_OK)
		return status;
	for (uint64_t row = 0; row < graph->objects; row++)
		if (snap_graph_is_reached(graph, row))
			snap_graph_set_add(all, row);
	status = snap_graph_ways_open(&types->merge.ways, graph, all, error);
	snap_graph_set_close(all);
	return status == SNAP_OK ? libsnap_graph_check_pages(graph, error) : status;
}

/* Every distance up to the largest occurs: there are at most as many as rows. */
enum snap_status libsnap_types_order(struct types *types, struct snap_error *error)
{
	struct snap_graph *graph = types->graph;
	struct numbers *ends = &types->masks;
	uint64_t reached = 0, sum = 0, distance, end;
	enum snap_status status = libsnap_graph_prepare(graph, graph->objects * 12, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(ends, graph, graph->objects, true, error);
	for (uint64_t row = 0; status == SNAP_OK && row < graph->objects; row++) {
		distance = libsnap_numbers_get(&graph->distance, row);
		if (distance >= graph->objects)
			continue;
		end = libsnap_numbers_get(ends, distance);
		libsnap_numbers_set(ends, distance, end == SNAP_GRAPH_NONE ? 1 : end + 1);
		reached++;
	}
	for (uint64_t i = 0; status == SNAP_OK && i < graph->objects; i++) {
		end = libsnap_numbers_get(ends, i);
		if (end == SNAP_GRAPH_NONE)
			break;
		libsnap_numbers_set(ends, i, sum);
		sum += end;
	}
	types->merge.count = reached;
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&types->merge.order, graph, reached, false, error);
	for (uint64_t row = 0; status == SNAP_OK && row < graph->objects; row++) {
		distance = libsnap_numbers_get(&graph->distance, row);
		if (distance >= graph->objects)
			continue;
		end = libsnap_numbers_get(ends, distance);
		libsnap_numbers_set(ends, distance, end + 1);
		libsnap_numbers_set(&types->merge.order, end, row);
	}
	for (uint64_t i = 0; status == SNAP_OK && i < graph->objects; i++) {
		if (libsnap_numbers_get(ends, i) == SNAP_GRAPH_NONE)
			break;
		libsnap_numbers_set(ends, i, SNAP_GRAPH_NONE);
	}
	return status == SNAP_OK ? libsnap_graph_check_pages(graph, error) : status;
}

enum snap_status libsnap_types_merge(struct types *types, struct snap_error *error)
{
	struct snap_graph *graph = types->graph;
	struct merge *merge = &types->merge;
	merge->graph = graph;
	merge->note = note_step;
	enum snap_status status = open_ways(types, error);
	if (status != SNAP_OK)
		return status;
	status = mask_parents(types, error);
	if (status == SNAP_OK)
		status = libsnap_paths_open(&types->paths, graph, error);
	if (status == SNAP_OK)
		status = libsnap_merge_tree_open(&merge->tree, types->paths, error);
	if (status == SNAP_OK)
		status = libsnap_merge_rows(merge, error);
	snap_graph_ways_close(merge->ways);
	merge->ways = NULL;
	libsnap_tallies_sort(&types->steps);
	return types->too_many_steps ? SNAP_OK : status;
}

/* ---- one type ---- */

/* step_of: by step of the tree to all types, that of the type's own. */
static enum snap_status add_own(struct types *types, struct merge_tree *tree, uint32_t *step_of,
				uint32_t place, const struct tally *tally, struct snap_error *error)
{
	const struct merged *all = libsnap_merged_at(&types->merge.tree, (uint32_t)tally->key[0]);
	const struct step_key key = all->key;
	uint32_t parent = all->parent != 0 ? step_of[all->parent] : 0, index;
	enum snap_status status = libsnap_merge_tree_add(tree, parent, &key, &index, error);
	if (status != SNAP_OK)
		return status;
	step_of[tally->key[0]] = index;
	struct merged *own = libsnap_merged_edit(tree, index);
	if (own->objects == 0) {
		own->example = tally->first;
		own->shown = tally->exact;
	} else if (own->depth > 0 && own->shown != tally->exact) {
		own->shown = key.label;
	}
	own->objects += tally->count;
	if (tally->repeats > own->repeats)
		own->repeats = tally->repeats;
	if (types->place_of_type[key.type] == place + 1)
		own->ends += tally->count;
	return SNAP_OK;
}

enum snap_status libsnap_types_steps(struct types *types, uint32_t place,
				     struct snap_graph_paths **out, struct snap_error *error)
{
	struct snap_graph *graph = types->graph;
	size_t steps = (size_t)types->merge.tree.nodes.count;
	struct merge_tree tree;
	enum snap_status status = libsnap_graph_reserve(graph, "merged paths", steps * 4ull, error);
	if (status != SNAP_OK)
		return status;
	uint32_t *step_of = libsnap_graph_take_zeroed(graph, steps, sizeof(*step_of));
	if (step_of == NULL)
		return libsnap_fail_memory(error);
	status = libsnap_paths_open(out, graph, error);
	if (status == SNAP_OK) {
		status = libsnap_merge_tree_open(&tree, *out, error);
		for (size_t i = 0; status == SNAP_OK && i < types->steps.count; i++)
			if (types->steps.items[i].key[1] >> place & 1)
				status = add_own(types, &tree, step_of, place,
						 &types->steps.items[i], error);
		if (status == SNAP_OK)
			status = libsnap_graph_fold_names(&tree, error);
		libsnap_merge_tree_close(&tree);
	}
	libsnap_graph_give(graph, step_of, steps, sizeof(*step_of));
	return status;
}
