/* A preorder walk from the roots (dominators.c) over references in temporary files. */
#include "graph.h"

#define PROGRESS_MASK 0xfffffu

struct walker {
	struct snap_graph *graph;
	struct outside *outside;
	uint64_t nodes, reached;
	struct paged stack; /* number of the one before it, node */
	uint64_t *visited;
	uint64_t *closed; /* all successors were visited, without looking at them */
};

static void number_node(struct walker *walker, uint64_t node, uint64_t parent)
{
	libsnap_set_bit(walker->visited, node);
	libsnap_paged_set_number(&walker->outside->order, walker->reached, node);
	libsnap_paged_set_number(&walker->outside->dominator, walker->reached++, parent);
}

static bool has_only(struct walker *walker, uint64_t node, uint64_t successor)
{
	struct outside *outside = walker->outside;
	uint64_t start = libsnap_paged_get(&outside->start, node);
	return libsnap_paged_get(&outside->start, node + 1) == start + 1 &&
	       libsnap_paged_get(&outside->to, start) == successor &&
	       !libsnap_graph_has_failed(walker->graph);
}

/* As in dominators.c. */
static void close_alike(struct walker *walker, uint64_t node, uint64_t only)
{
	for (uint64_t i = node + 1; i < walker->nodes - 1 && has_only(walker, i, only); i++)
		libsnap_set_bit(walker->closed, i);
	for (uint64_t i = node; i-- > 0 && has_only(walker, i, only);)
		libsnap_set_bit(walker->closed, i);
}

/* Last comes first from a stack. */
static void visit(struct walker *walker, uint64_t node, uint64_t number, uint64_t *depth)
{
	struct outside *outside = walker->outside;
	uint64_t start = libsnap_paged_get(&outside->start, node),
		 end = libsnap_paged_get(&outside->start, node + 1), to = 0;
	for (uint64_t e = end; e-- > start && !libsnap_graph_has_failed(walker->graph);) {
		to = libsnap_paged_get(&outside->to, e);
		if (libsnap_has_bit(walker->visited, to))
			continue;
		if (libsnap_has_bit(walker->closed, to))
			number_node(walker, to, number);
		else
			libsnap_paged_set_pair(&walker->stack, (*depth)++, number, to);
	}
	if (end - start == 1)
		close_alike(walker, node, to);
}

static void walk_preorder(struct walker *walker)
{
	uint64_t depth = 0, before, node;
	libsnap_paged_set_pair(&walker->stack, depth++, 0, walker->nodes - 1);
	while (depth > 0 && !libsnap_graph_has_failed(walker->graph)) {
		libsnap_paged_get_pair(&walker->stack, --depth, &before, &node);
		if (libsnap_has_bit(walker->visited, node))
			continue;
		number_node(walker, node, before);
		if (!libsnap_has_bit(walker->closed, node))
			visit(walker, node, walker->reached - 1, &depth);
		if ((walker->reached & PROGRESS_MASK) == 0)
			libsnap_graph_progress(walker->graph, "preorder, in temporary files",
					       walker->reached, walker->nodes);
	}
}

static enum snap_status open_walk(struct walker *walker, struct snap_error *error)
{
	struct snap_graph *graph = walker->graph;
	struct outside *outside = walker->outside;
	struct pages *pages = outside->pages;
	uint64_t nodes = walker->nodes, most = 2 * (graph->held_count + 1);
	enum snap_status status =
		libsnap_paged_open(&walker->stack, pages, most, graph->wide, error);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&outside->order, pages, nodes, graph->wide, error);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&outside->dominator, pages, nodes, graph->wide, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&walker->visited, graph, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&walker->closed, graph, error);
	return status;
}

static void close_walk(struct walker *walker)
{
	libsnap_bits_close(walker->visited, walker->graph);
	libsnap_bits_close(walker->closed, walker->graph);
	libsnap_paged_close(&walker->stack);
}

enum snap_status libsnap_graph_preorder_outside(struct snap_graph *graph, uint64_t *reached,
						struct snap_error *error)
{
	struct outside *outside = &graph->outside;
	struct walker walker = {.graph = graph, .outside = outside, .nodes = graph->objects + 1};
	enum snap_status status = open_walk(&walker, error);
	if (status == SNAP_OK)
		walk_preorder(&walker);
	close_walk(&walker);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&outside->number, outside->pages, walker.nodes,
					    graph->wide, error);
	for (uint64_t i = 0; status == SNAP_OK && i < walker.reached; i++) {
		uint64_t node = libsnap_paged_number(&outside->order, i);
		libsnap_paged_set_number(&outside->number, node, i);
		status = libsnap_pages_check(outside->pages, error);
	}
	*reached = walker.reached;
	return status;
}
