/* Immediate dominators and retained bytes: semidominators with path compression, then the nearest
 * common ancestor of parent and semidominator (Georgiadis: semi-NCA), all without recursion.
 * Numbers are those of a preorder walk from the roots' node, which is number 0. */
#include "graph.h"

#include <string.h>

/* ---- preorder ---- */

struct preorder {
	uint32_t *number; /* of a node, NONE if it was not reached */
	uint32_t *order;  /* nodes by number */
	uint32_t *parent; /* by number, a number */
	uint32_t reached;
};

static void walk_preorder(const struct adjacency *graph, struct preorder *pre, uint32_t *next,
			  uint32_t *stack)
{
	uint32_t root = graph->nodes - 1, depth = 0, count = 0;
	memset(pre->number, 0xff, (size_t)graph->nodes * sizeof(*pre->number));
	pre->number[root] = count;
	pre->order[count] = root;
	pre->parent[count++] = 0;
	next[root] = graph->start[root];
	stack[depth++] = root;
	while (depth > 0) {
		uint32_t node = stack[depth - 1], e = next[node], end = graph->start[node + 1];
		while (e < end && pre->number[graph->to[e]] != NONE)
			e++;
		if (e == end) {
			depth--;
			continue;
		}
		uint32_t to = graph->to[e];
		next[node] = e + 1;
		pre->number[to] = count;
		pre->order[count] = to;
		pre->parent[count++] = pre->number[node];
		next[to] = graph->start[to];
		stack[depth++] = to;
	}
	pre->reached = count;
}

/* Predecessors by number: those of i are from[start[i]] up to from[start[i + 1] - 1]. */
static void find_predecessors(const struct adjacency *graph, const struct preorder *pre,
			      uint32_t *start, uint32_t *from)
{
	memset(start, 0, ((size_t)pre->reached + 1) * sizeof(*start));
	for (uint32_t i = 0; i < pre->reached; i++)
		for (uint32_t e = graph->start[pre->order[i]],
			      end = graph->start[pre->order[i] + 1];
		     e < end; e++)
			start[pre->number[graph->to[e]]]++;
	uint32_t sum = 0;
	for (uint32_t i = 0; i <= pre->reached; i++)
		start[i] = sum += start[i];
	for (uint32_t i = pre->reached; i-- > 0;)
		for (uint32_t e = graph->start[pre->order[i]],
			      end = graph->start[pre->order[i] + 1];
		     e < end; e++)
			from[--start[pre->number[graph->to[e]]]] = i;
}

static uint32_t count_edges(const struct adjacency *graph, const struct preorder *pre)
{
	uint32_t edges = 0;
	for (uint32_t i = 0; i < pre->reached; i++)
		edges += graph->start[pre->order[i] + 1] - graph->start[pre->order[i]];
	return edges;
}

/* ---- semidominators ---- */

struct forest {
	uint32_t *ancestor, *best,
		*path; /* best: the number with the smallest semidominator up to ancestor */
	const uint32_t *semi;
};

/* The smallest semidominator on the way from v up to, and without, the first number below linked.
 */
static inline uint32_t smallest_above(const struct forest *forest, uint32_t v, uint32_t linked)
{
	uint32_t *ancestor = forest->ancestor, *best = forest->best;
	if (ancestor[v] < linked)
		return forest->semi[best[v]];
	size_t depth = 0;
	uint32_t top = v;
	for (; ancestor[top] >= linked; top = ancestor[top])
		forest->path[depth++] = top;
	uint32_t root = ancestor[top], smallest = best[top];
	while (depth > 0) {
		uint32_t u = forest->path[--depth];
		if (forest->semi[smallest] < forest->semi[best[u]])
			best[u] = smallest;
		else
			smallest = best[u];
		ancestor[u] = root;
	}
	return forest->semi[best[v]];
}

/* semi[i] takes the place of start[i + 1], which is not needed any more once i is done. */
static void find_semidominators(uint32_t count, const uint32_t *parent, uint32_t *start,
				const uint32_t *from, struct forest *forest)
{
	uint32_t *semi = start + 1;
	forest->semi = semi;
	memcpy(forest->ancestor, parent, (size_t)count * sizeof(*parent));
	for (uint32_t i = 0; i < count; i++)
		forest->best[i] = i;
	for (uint32_t i = count; i-- > 1;) {
		uint32_t smallest = parent[i];
		for (uint32_t e = start[i], end = start[i + 1]; e < end; e++) {
			uint32_t p = from[e];
			if (p > i)
				p = smallest_above(forest, p, i + 1);
			if (p < smallest)
				smallest = p;
		}
		semi[i] = smallest;
	}
}

/* ---- from semidominators to dominators ---- */

/* Where climbing step by step would take too long, long jumps (as of a skew-binary list) make it
 * logarithmic. */
struct climb {
	uint32_t *dominator, *jump, *depth;
	bool jumps;
	uint64_t steps_left;
};

static void add_jump(struct climb *climb, uint32_t i)
{
	uint32_t d = climb->dominator[i], j = climb->jump[d];
	climb->depth[i] = climb->depth[d] + 1;
	bool equal =
		climb->depth[d] - climb->depth[j] == climb->depth[j] - climb->depth[climb->jump[j]];
	climb->jump[i] = equal ? climb->jump[j] : d;
}

static uint32_t climb_to(struct climb *climb, uint32_t d, uint32_t limit)
{
	for (; d > limit && !climb->jumps && climb->steps_left > 0; climb->steps_left--)
		d = climb->dominator[d];
	while (d > limit && climb->jumps)
		d = climb->jump[d] > limit ? climb->jump[d] : climb->dominator[d];
	return d;
}

/* dominator holds the parents, and becomes the dominators; jump and depth are room for count
 * numbers each. */
static void find_dominators(uint32_t count, uint32_t *dominator, const uint32_t *semi,
			    uint32_t *jump, uint32_t *depth)
{
	struct climb climb = {.dominator = dominator,
			      .jump = jump,
			      .depth = depth,
			      .steps_left = 8 * (uint64_t)count};
	for (uint32_t i = 1; i < count; i++) {
		uint32_t d = climb_to(&climb, dominator[i], semi[i]);
		if (d > semi[i]) {
			climb.jumps = true;
			jump[0] = depth[0] = 0;
			for (uint32_t done = 1; done < i; done++)
				add_jump(&climb, done);
			d = climb_to(&climb, d, semi[i]);
		}
		dominator[i] = d;
		if (climb.jumps)
			add_jump(&climb, i);
	}
}

/* ---- the question ---- */

static enum snap_status walk_from_roots(struct snap_graph *graph, struct preorder *pre,
					struct snap_error *error)
{
	uint32_t nodes = graph->held.nodes;
	uint32_t *next = libsnap_graph_take(graph, nodes, 4),
		 *stack = libsnap_graph_take(graph, nodes, 4);
	bool good = next != NULL && stack != NULL;
	if (good)
		walk_preorder(&graph->held, pre, next, stack);
	libsnap_graph_give(graph, next, nodes, 4);
	libsnap_graph_give(graph, stack, nodes, 4);
	return good ? SNAP_OK : libsnap_fail_memory(error);
}

static enum snap_status find_all(struct snap_graph *graph, struct preorder *pre,
				 struct snap_error *error)
{
	uint32_t count = pre->reached, edges = count_edges(&graph->held, pre);
	enum snap_status status = SNAP_OK;
	struct forest forest = {.path = NULL};
	uint32_t *from = NULL;
	uint32_t *start = libsnap_graph_take(graph, count + 1u, 4);
	from = libsnap_graph_take(graph, edges, 4);
	if (start == NULL || from == NULL) {
		status = libsnap_fail_memory(error);
		goto done;
	}
	find_predecessors(&graph->held, pre, start, from);
	/* It can be found again from order, and room is short here. */
	libsnap_graph_give(graph, pre->number, graph->held.nodes, 4);
	pre->number = NULL;
	forest.ancestor = libsnap_graph_take(graph, count, 4);
	forest.best = libsnap_graph_take(graph, count, 4);
	forest.path = libsnap_graph_take(graph, count, 4);
	if (forest.ancestor == NULL || forest.best == NULL || forest.path == NULL) {
		status = libsnap_fail_memory(error);
		goto done;
	}
	libsnap_graph_progress(graph, "dominators", 1, 4);
	find_semidominators(count, pre->parent, start, from, &forest);
	libsnap_graph_progress(graph, "dominators", 2, 4);
	find_dominators(count, pre->parent, start + 1, forest.ancestor, forest.best);
	libsnap_graph_progress(graph, "dominators", 3, 4);
done:
	libsnap_graph_give(graph, start, count + 1u, 4);
	libsnap_graph_give(graph, from, edges, 4);
	libsnap_graph_give(graph, forest.ancestor, count, 4);
	libsnap_graph_give(graph, forest.best, count, 4);
	libsnap_graph_give(graph, forest.path, count, 4);
	return status;
}

static void add_own(void *context, uint64_t row, uint64_t bytes)
{
	const struct snap_graph *graph = context;
	if (graph->number[row] != NONE)
		graph->retained[graph->number[row]] = bytes;
}

static enum snap_status add_retained(struct snap_graph *graph, struct snap_error *error)
{
	enum snap_status status = libsnap_graph_each_size(graph, add_own, graph, error);
	if (status != SNAP_OK)
		return status;
	for (uint32_t i = graph->reached; i-- > 1;) {
		uint64_t *sum = &graph->retained[graph->dominator[i]];
		if (libsnap_add_overflows(*sum, graph->retained[i], sum))
			*sum = UINT64_MAX;
	}
	return SNAP_OK;
}

/* Bytes at the worst moment: predecessors and forest beside order, parent and numbers. */
static uint64_t worst_case(const struct snap_graph *graph)
{
	return graph->held.nodes * 28ull + graph->held.start[graph->held.nodes] * 4ull;
}

enum snap_status snap_graph_dominate(struct snap_graph *graph, struct snap_error *error)
{
	uint32_t nodes = graph->held.nodes;
	if (graph->dominator != NULL)
		return SNAP_OK;
	enum snap_status status =
		libsnap_graph_reserve(graph, "dominators", worst_case(graph), error);
	if (status != SNAP_OK)
		return status;
	struct preorder pre = {.number = libsnap_graph_take(graph, nodes, 4)};
	pre.order = libsnap_graph_take(graph, nodes, 4);
	pre.parent = libsnap_graph_take(graph, nodes, 4);
	libsnap_graph_progress(graph, "dominators", 0, 4);
	if (pre.number == NULL || pre.order == NULL || pre.parent == NULL)
		status = libsnap_fail_memory(error);
	if (status == SNAP_OK)
		status = walk_from_roots(graph, &pre, error);
	if (status == SNAP_OK)
		status = find_all(graph, &pre, error);
	if (status == SNAP_OK && pre.number == NULL)
		pre.number = libsnap_graph_take(graph, nodes, 4);
	graph->number = pre.number;
	graph->order = pre.order;
	graph->dominator = pre.parent;
	graph->reached = pre.reached;
	if (status == SNAP_OK)
		graph->retained = libsnap_graph_take_zeroed(graph, pre.reached, 8);
	if (status == SNAP_OK && (graph->number == NULL || graph->retained == NULL))
		status = libsnap_fail_memory(error);
	if (status == SNAP_OK) {
		memset(graph->number, 0xff, (size_t)nodes * sizeof(*graph->number));
		for (uint32_t i = 0; i < graph->reached; i++)
			graph->number[graph->order[i]] = i;
		status = add_retained(graph, error);
	}
	if (status != SNAP_OK)
		libsnap_graph_free_dominators(graph);
	return status;
}

void libsnap_graph_free_dominators(struct snap_graph *graph)
{
	uint32_t nodes = graph->held.nodes;
	libsnap_graph_give(graph, graph->number, nodes, 4);
	libsnap_graph_give(graph, graph->order, nodes, 4);
	libsnap_graph_give(graph, graph->dominator, nodes, 4);
	libsnap_graph_give(graph, graph->retained, graph->reached, 8);
	graph->number = graph->order = graph->dominator = NULL;
	graph->retained = NULL;
}

uint64_t snap_graph_dominator(const struct snap_graph *graph, uint64_t row)
{
	if (graph->dominator == NULL || row >= graph->objects || graph->number[row] == NONE)
		return SNAP_GRAPH_NONE;
	uint32_t dominator = graph->dominator[graph->number[row]];
	return dominator == 0 ? SNAP_GRAPH_NONE : graph->order[dominator];
}

uint64_t snap_graph_retained(const struct snap_graph *graph, uint64_t row)
{
	if (graph->dominator == NULL || row >= graph->objects || graph->number[row] == NONE)
		return 0;
	return graph->retained[graph->number[row]];
}
