/* Strongly connected components (Tarjan, without recursion). */
#include "graph.h"

#include <string.h>

/* Nodes on the component stack keep their index in `low`; a finished node has DONE there. */
#define DONE NONE

struct tarjan {
	const struct adjacency *graph;
	uint32_t *index, *low,
		*next; /* of a node; index 0: not seen yet.  next becomes the node's component */
	uint32_t *calls, *stack;
	uint32_t depth, open, seen;
};

static void enter(struct tarjan *t, uint32_t node)
{
	t->index[node] = t->low[node] = ++t->seen;
	t->next[node] = t->graph->start[node];
	t->calls[t->depth++] = node;
	t->stack[t->open++] = node;
}

/* Goes on with the innermost node; true: it is finished, and *root says whether it closes a
 * component. */
static bool advance(struct tarjan *t, uint32_t *node, bool *root)
{
	uint32_t v = *node = t->calls[t->depth - 1], end = t->graph->start[v + 1], low = t->low[v];
	for (uint32_t e = t->next[v]; e < end; e++) {
		uint32_t to = t->graph->to[e];
		if (t->index[to] == 0) {
			t->low[v] = low;
			t->next[v] = e + 1;
			enter(t, to);
			return false;
		}
		if (t->low[to] != DONE && t->index[to] < low)
			low = t->index[to];
	}
	t->low[v] = low;
	*root = low == t->index[v];
	if (--t->depth > 0 && !*root && low < t->low[t->calls[t->depth - 1]])
		t->low[t->calls[t->depth - 1]] = low;
	return true;
}

static bool refers_to_itself(const struct adjacency *graph, uint32_t node)
{
	for (uint32_t e = graph->start[node]; e < graph->start[node + 1]; e++)
		if (graph->to[e] == node)
			return true;
	return false;
}

static enum snap_status close_component(struct snap_graph *graph, struct tarjan *t, uint32_t root,
					struct snap_error *error)
{
	bool is_cycle = t->stack[t->open - 1] != root || refers_to_itself(t->graph, root);
	uint32_t component = NONE;
	if (is_cycle) {
		enum snap_status status = libsnap_graph_grow(
			graph, "cycles", (void **)&graph->cycles, &graph->cycle_capacity,
			graph->cycle_count + 1, sizeof(*graph->cycles), error);
		if (status != SNAP_OK)
			return status;
		component = (uint32_t)graph->cycle_count++;
		graph->cycles[component] = (struct cycle){.first = NONE, .was = component};
	}
	uint32_t node;
	do {
		node = t->stack[--t->open];
		t->low[node] = DONE;
		t->next[node] = component;
		if (is_cycle) {
			struct cycle *cycle = &graph->cycles[component];
			cycle->objects++;
			if (node < cycle->first)
				cycle->first = node;
		}
	} while (node != root);
	return SNAP_OK;
}

static enum snap_status find_components(struct snap_graph *graph, struct tarjan *t,
					struct snap_error *error)
{
	uint32_t nodes = graph->objects;
	memset(t->index, 0, (size_t)nodes * sizeof(*t->index));
	for (uint32_t first = 0; first < nodes; first++) {
		if (t->index[first] != 0)
			continue;
		enter(t, first);
		while (t->depth > 0) {
			uint32_t node;
			bool root;
			if (!advance(t, &node, &root) || !root)
				continue;
			enum snap_status status = close_component(graph, t, node, error);
			if (status != SNAP_OK)
				return status;
		}
	}
	return SNAP_OK;
}

static void add_bytes(void *context, uint64_t row, uint64_t bytes)
{
	struct snap_graph *graph = context;
	if (graph->cycle[row] == NONE)
		return;
	uint64_t *sum = &graph->cycles[graph->cycle[row]].bytes;
	if (libsnap_add_overflows(*sum, bytes, sum))
		*sum = UINT64_MAX;
}

static bool comes_first(const struct cycle *a, const struct cycle *b)
{
	return a->bytes != b->bytes ? a->bytes > b->bytes : a->first < b->first;
}

static void sift(struct cycle *cycles, size_t at, size_t count)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && comes_first(&cycles[child], &cycles[child + 1]))
			child++;
		if (!comes_first(&cycles[at], &cycles[child]))
			return;
		struct cycle cycle = cycles[at];
		cycles[at] = cycles[child];
		cycles[child] = cycle;
	}
}

static void sort_cycles(struct cycle *cycles, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift(cycles, i, count);
	for (size_t end = count; end-- > 1;) {
		struct cycle cycle = cycles[0];
		cycles[0] = cycles[end];
		cycles[end] = cycle;
		sift(cycles, 0, end);
	}
}

/* Numbers the cycles by their order; place is room for one number each. */
static void renumber(struct snap_graph *graph, uint32_t *place)
{
	for (size_t i = 0; i < graph->cycle_count; i++)
		place[graph->cycles[i].was] = (uint32_t)i;
	for (uint32_t row = 0; row < graph->objects; row++)
		if (graph->cycle[row] != NONE)
			graph->cycle[row] = place[graph->cycle[row]];
}

enum snap_status snap_graph_find_cycles(struct snap_graph *graph, struct snap_error *error)
{
	uint32_t nodes = graph->objects;
	if (graph->cycle != NULL)
		return SNAP_OK;
	enum snap_status status = libsnap_graph_need_held(graph, "cycles", error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(graph, "cycles", nodes * 20ull, error);
	if (status != SNAP_OK)
		return status;
	struct tarjan t = {.graph = &graph->held};
	t.index = libsnap_graph_take(graph, nodes, 4);
	t.low = libsnap_graph_take(graph, nodes, 4);
	t.next = libsnap_graph_take(graph, nodes, 4);
	t.calls = libsnap_graph_take(graph, nodes, 4);
	t.stack = libsnap_graph_take(graph, nodes, 4);
	graph->cycle_count = 0;
	libsnap_graph_progress(graph, "cycles", 0, 1);
	if (t.index == NULL || t.low == NULL || t.next == NULL || t.calls == NULL ||
	    t.stack == NULL)
		status = libsnap_fail_memory(error);
	if (status == SNAP_OK)
		status = find_components(graph, &t, error);
	graph->cycle = t.next;
	if (status == SNAP_OK)
		status = libsnap_graph_each_size(graph, add_bytes, graph, error);
	if (status == SNAP_OK) {
		sort_cycles(graph->cycles, graph->cycle_count);
		renumber(graph, t.index);
	} else {
		libsnap_graph_give(graph, graph->cycle, nodes, 4);
		graph->cycle = NULL;
	}
	libsnap_graph_progress(graph, "cycles", 1, 1);
	libsnap_graph_give(graph, t.index, nodes, 4);
	libsnap_graph_give(graph, t.low, nodes, 4);
	libsnap_graph_give(graph, t.calls, nodes, 4);
	libsnap_graph_give(graph, t.stack, nodes, 4);
	return status;
}

uint64_t snap_graph_cycle_count(const struct snap_graph *graph)
{
	return graph->cycle != NULL ? graph->cycle_count : 0;
}

void snap_graph_cycle(const struct snap_graph *graph, uint64_t index, struct snap_graph_cycle *out)
{
	*out = (struct snap_graph_cycle){.first = SNAP_GRAPH_NONE};
	if (index >= snap_graph_cycle_count(graph))
		return;
	const struct cycle *cycle = &graph->cycles[index];
	*out = (struct snap_graph_cycle){
		.objects = cycle->objects, .bytes = cycle->bytes, .first = cycle->first};
}

uint64_t snap_graph_cycle_of(const struct snap_graph *graph, uint64_t row)
{
	if (graph->cycle == NULL || row >= graph->objects || graph->cycle[row] == NONE)
		return SNAP_GRAPH_NONE;
	return graph->cycle[row];
}
