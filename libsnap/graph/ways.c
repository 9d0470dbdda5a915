/* The rows on shortest paths to some objects, and how each was reached. */
#include "merge.h"

static enum snap_status mark_ways(struct snap_graph_ways *ways, const struct snap_graph_set *set,
				  struct snap_error *error)
{
	struct snap_graph *graph = ways->graph;
	uint64_t *bits = ways->on_way.bits;
	for (uint64_t target = snap_graph_set_next(set, 0); target != SNAP_GRAPH_NONE;
	     target = snap_graph_set_next(set, target + 1)) {
		if (!snap_graph_is_reached(graph, target)) {
			ways->unreached++;
			continue;
		}
		for (uint64_t row = target; row != SNAP_GRAPH_NONE && !libsnap_has_bit(bits, row);
		     row = libsnap_numbers_get(&graph->parent, row))
			libsnap_set_bit(bits, row);
	}
	libsnap_marks_count(&ways->on_way, graph);
	return libsnap_graph_check_pages(graph, error);
}

static enum snap_status open_numbers(struct snap_graph_ways *ways, struct snap_error *error)
{
	struct snap_graph *graph = ways->graph;
	uint64_t count = ways->on_way.count;
	struct numbers *const all[] = {&ways->kinds, &ways->entries, &ways->step, &ways->run};
	enum snap_status status = libsnap_graph_prepare(graph, count * 28, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&ways->labels, graph, count, true, error);
	for (size_t i = 0; status == SNAP_OK && i < sizeof(all) / sizeof(all[0]); i++)
		status = libsnap_numbers_open(all[i], graph, count, false, error);
	return status;
}

static enum snap_status label_roots(struct snap_graph_ways *ways, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_ROOT_OBJECT, SNAP_ROOT_KIND_COLUMN,
					   SNAP_ROOT_LABEL};
	struct scan root = scan_begin(ways->graph->reader, columns, 3, error);
	while (scan_next(&root)) {
		uint64_t row = scan_value(&root, 0) - 1, kind = scan_value(&root, 1);
		if (!libsnap_has_bit(ways->on_way.bits, row))
			continue;
		uint64_t rank = libsnap_marks_rank(&ways->on_way, row);
		if (libsnap_numbers_get(&ways->entries, rank) != SNAP_GRAPH_NONE)
			continue;
		libsnap_numbers_set(&ways->entries, rank, root.row);
		libsnap_numbers_set(&ways->kinds, rank, kind < NONE ? kind : NONE);
		libsnap_numbers_set(&ways->labels, rank, scan_value(&root, 2));
	}
	return scan_end(&root, NULL);
}

enum snap_status snap_graph_ways_open(struct snap_graph_ways **out, struct snap_graph *graph,
				      const struct snap_graph_set *set, struct snap_error *error)
{
	enum snap_status status = libsnap_graph_need_search(graph, error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(graph, "paths", sizeof(struct snap_graph_ways),
					       error);
	if (status != SNAP_OK)
		return status;
	struct snap_graph_ways *ways = libsnap_graph_take_zeroed(graph, 1, sizeof(*ways));
	if (ways == NULL)
		return libsnap_fail_memory(error);
	ways->graph = graph;
	status = libsnap_marks_open(&ways->on_way, graph, error);
	if (status == SNAP_OK)
		status = mark_ways(ways, set, error);
	if (status == SNAP_OK)
		status = open_numbers(ways, error);
	if (status == SNAP_OK)
		status = libsnap_graph_tree_labels(graph, &ways->on_way, &ways->labels,
						   &ways->kinds, error);
	if (status == SNAP_OK)
		status = label_roots(ways, error);
	if (status == SNAP_OK)
		*out = ways;
	else
		snap_graph_ways_close(ways);
	return status;
}

void snap_graph_ways_close(struct snap_graph_ways *ways)
{
	if (ways == NULL)
		return;
	libsnap_marks_close(&ways->on_way, ways->graph);
	libsnap_numbers_close(&ways->labels);
	libsnap_numbers_close(&ways->kinds);
	libsnap_numbers_close(&ways->entries);
	libsnap_numbers_close(&ways->step);
	libsnap_numbers_close(&ways->run);
	libsnap_graph_give(ways->graph, ways, 1, sizeof(*ways));
}
