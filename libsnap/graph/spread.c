/* Breadth first from the roots.  The rows of one distance, but the roots, are taken in order, so
 * that references are read in the order in which they lie in memory or in a file. */
#include "graph.h"

struct front {
	struct snap_graph *graph;
	const struct spread *spread;
	struct frontier sets[2], *current, *next;
	uint64_t done;
};

static void enter(struct front *front, uint64_t row, uint64_t from)
{
	uint64_t *seen = front->spread->seen;
	if (libsnap_has_bit(seen, row))
		return;
	libsnap_set_bit(seen, row);
	if (front->spread->parent != NULL && from != SNAP_GRAPH_NONE)
		libsnap_numbers_set(front->spread->parent, row, from);
	libsnap_frontier_add(front->next, row);
}

static void enter_all(struct front *front, uint64_t node, uint64_t from)
{
	const struct snap_graph *graph = front->graph;
	uint64_t end = libsnap_graph_get_start(graph, node + 1);
	for (uint64_t at = libsnap_graph_get_start(graph, node); at < end; at++)
		enter(front, libsnap_graph_get_to(graph, at), from);
}

/* What several roots refer to is of the one that was told first: a module before a function that
 * runs. */
static void enter_from_roots(struct front *front)
{
	const struct snap_graph *graph = front->graph;
	uint64_t end = libsnap_graph_get_start(graph, graph->objects + 1);
	for (uint64_t at = libsnap_graph_get_start(graph, graph->objects); at < end; at++) {
		uint64_t row = libsnap_graph_get_to(graph, at);
		enter_all(front, row, row);
	}
}

/* False: there was no row of this distance. */
static bool go_on(struct front *front, uint64_t distance)
{
	const struct snap_graph *graph = front->graph;
	uint64_t first, word, told = front->done;
	bool any = false;
	struct frontier *set = front->current;
	front->current = front->next;
	front->next = set;
	if (distance == 0 && front->spread->parent != NULL)
		enter_from_roots(front);
	while (libsnap_frontier_take(front->current, &first, &word) &&
	       !libsnap_graph_has_failed(graph)) {
		any = true;
		for (; word != 0; word &= word - 1) {
			uint64_t row = first + (uint64_t)__builtin_ctzll(word);
			if (front->spread->distance != NULL)
				libsnap_numbers_set(front->spread->distance, row, distance);
			enter_all(front, row, row);
			front->done++;
		}
		if (front->done >> 18 != told >> 18)
			libsnap_graph_progress(graph, front->spread->what, told = front->done,
					       graph->objects);
	}
	return any;
}

enum snap_status libsnap_graph_spread(struct snap_graph *graph, const struct spread *spread,
				      struct snap_error *error)
{
	struct front front = {.graph = graph, .spread = spread};
	enum snap_status loaded = libsnap_graph_load_references(graph, error);
	if (loaded != SNAP_OK)
		return loaded;
	front.current = &front.sets[0];
	front.next = &front.sets[1];
	enum snap_status status =
		libsnap_frontier_open(front.current, graph, graph->objects, error);
	if (status == SNAP_OK)
		status = libsnap_frontier_open(front.next, graph, graph->objects, error);
	if (status == SNAP_OK) {
		enter_all(&front, graph->objects, SNAP_GRAPH_NONE);
		for (uint64_t distance = 0; go_on(&front, distance); distance++)
			continue;
		status = libsnap_graph_check_pages(graph, error);
	}
	libsnap_frontier_close(&front.sets[0], graph);
	libsnap_frontier_close(&front.sets[1], graph);
	return status;
}
