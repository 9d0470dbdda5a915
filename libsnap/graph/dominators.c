/* Immediate dominators and retained bytes: semidominators with path compression, then the nearest
 * common ancestor of parent and semidominator (Georgiadis: semi-NCA), all without recursion.
 * Numbers are those of a preorder walk from the roots' node, which is number 0.  Only the values of
 * semidominators are compressed along with paths, and of predecessors only those with a higher
 * number are listed. */
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

/* ---- predecessors ---- */

/* What is known of the predecessors of a number while semidominators are found.  Those with a lower
 * number count by the lowest of them alone; the others are listed, for a stretch of numbers at a
 * time, so that no second copy of all references is held. */
struct predecessors {
	const struct adjacency *graph; /* whose successors are numbers by now */
	const uint32_t *number;
	uint32_t
		*start; /* by number: where its list ends, and once it is filled, where it begins */
	uint32_t *from; /* the lists from `first` on */
	uint32_t capacity; /* of from */
	uint32_t first, base;
};

/* Successors become numbers; lists are measured, and lowest is made the lowest predecessor. */
static void number_successors(const struct adjacency *graph, const struct preorder *pre,
			      uint32_t *start, uint32_t *lowest)
{
	memset(start, 0, ((size_t)pre->reached + 1) * sizeof(*start));
	memcpy(lowest, pre->parent, (size_t)pre->reached * sizeof(*lowest));
	for (uint32_t node = 0; node < graph->nodes; node++) {
		uint32_t v = pre->number[node];
		if (v == NONE)
			continue;
		for (uint32_t e = graph->start[node], end = graph->start[node + 1]; e < end; e++) {
			uint32_t w = graph->to[e] = pre->number[graph->to[e]];
			if (w < v)
				start[w]++;
			else if (v < lowest[w])
				lowest[w] = v;
		}
	}
	uint32_t sum = 0;
	for (uint32_t i = 0; i <= pre->reached; i++)
		start[i] = sum += start[i];
}

/* Successors become nodes again. */
static void name_successors(const struct adjacency *graph, const uint32_t *number,
			    const uint32_t *order)
{
	for (uint32_t node = 0; node < graph->nodes; node++)
		for (uint32_t e = graph->start[node], end = graph->start[node + 1];
		     e < end && number[node] != NONE; e++)
			graph->to[e] = order[graph->to[e]];
}

/* Lists as many numbers before end as there is room for; none if not even the last one's fit. */
static void list_predecessors(struct predecessors *lists, uint32_t end)
{
	const struct adjacency *graph = lists->graph;
	uint32_t *start = lists->start, first = end, top = start[end];
	while (first > 1 && top - start[first - 2] <= lists->capacity)
		first--;
	lists->first = first;
	lists->base = start[first - 1];
	if (top == lists->base)
		return;
	for (uint32_t node = 0; node + 1 < graph->nodes; node++) {
		uint32_t v = lists->number[node], limit = v < end ? v : end;
		if (v == NONE || limit <= first)
			continue;
		for (uint32_t e = graph->start[node], stop = graph->start[node + 1]; e < stop;
		     e++) {
			uint32_t w = graph->to[e];
			if (w - first < limit - first)
				lists->from[--start[w] - lists->base] = v;
		}
	}
}

/* ---- semidominators ---- */

struct forest {
	uint32_t *ancestor, *best, *path; /* best: the smallest semidominator up to ancestor */
};

/* The smallest semidominator on the way from v up to, and without, the first number below linked.
 */
static inline uint32_t smallest_above(const struct forest *forest, uint32_t v, uint32_t linked)
{
	uint32_t *ancestor = forest->ancestor, *best = forest->best;
	if (ancestor[v] < linked)
		return best[v];
	size_t depth = 0;
	uint32_t top = v;
	for (; ancestor[top] >= linked; top = ancestor[top])
		forest->path[depth++] = top;
	uint32_t root = ancestor[top], smallest = best[top];
	while (depth > 0) {
		uint32_t u = forest->path[--depth];
		if (smallest < best[u])
			best[u] = smallest;
		else
			smallest = best[u];
		ancestor[u] = root;
	}
	return smallest;
}

/* The semidominator of a number whose predecessors are too many for a list. */
static uint32_t smallest_of_many(const struct predecessors *lists, const struct forest *forest,
				 uint32_t i)
{
	const struct adjacency *graph = lists->graph;
	uint32_t smallest = forest->best[i];
	for (uint32_t node = 0; node + 1 < graph->nodes; node++) {
		uint32_t v = lists->number[node];
		if (v == NONE || v <= i)
			continue;
		for (uint32_t e = graph->start[node], stop = graph->start[node + 1]; e < stop;
		     e++) {
			if (graph->to[e] != i)
				continue;
			uint32_t p = smallest_above(forest, v, i + 1);
			if (p < smallest)
				smallest = p;
			break;
		}
	}
	return smallest;
}

/* best holds the lowest predecessors at first.  semi[i] takes the place of start[i + 1], which is
 * not needed any more once i is done. */
static void find_semidominators(uint32_t count, struct predecessors *lists,
				const struct forest *forest)
{
	uint32_t *start = lists->start, *semi = start + 1;
	lists->first = count;
	for (uint32_t i = count; i-- > 1;) {
		if (i < lists->first)
			list_predecessors(lists, i + 1);
		uint32_t smallest = forest->best[i];
		if (i < lists->first) {
			smallest = smallest_of_many(lists, forest, i);
			start[i] = start[i - 1];
			lists->first = i;
		} else {
			for (uint32_t e = start[i], end = start[i + 1]; e < end; e++) {
				uint32_t p =
					smallest_above(forest, lists->from[e - lists->base], i + 1);
				if (p < smallest)
					smallest = p;
			}
		}
		semi[i] = forest->best[i] = smallest;
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

/* What dominators and retained bytes may take: so much for each node, and the references once. */
#define BYTES_PER_NODE 40u

/* Room for lists of predecessors: as much as all of them need, if that is not too much. */
static uint32_t choose_capacity(const struct snap_graph *graph, uint32_t listed)
{
	uint64_t nodes = graph->held.nodes;
	uint64_t wanted = nodes * BYTES_PER_NODE + graph->held.capacity * 4ull;
	uint64_t used = graph->used, room = nodes;
	if (wanted > graph->options.max_memory_bytes)
		wanted = graph->options.max_memory_bytes;
	if (wanted > used && (wanted - used) / 4 > room)
		room = (wanted - used) / 4;
	return room < listed ? (uint32_t)room : listed;
}

/* From numbers of parents to those of dominators.  The forest's path takes the place of order,
 * which is found again from the numbers. */
static enum snap_status find_by_number(struct snap_graph *graph, struct preorder *pre,
				       struct predecessors *lists, struct forest *forest,
				       struct snap_error *error)
{
	uint32_t count = pre->reached, nodes = graph->held.nodes;
	number_successors(&graph->held, pre, lists->start, forest->best);
	lists->capacity = choose_capacity(graph, lists->start[count]);
	lists->from = libsnap_graph_take(graph, lists->capacity, 4);
	if (lists->from != NULL) {
		forest->path = pre->order;
		memcpy(forest->ancestor, pre->parent, (size_t)count * sizeof(*pre->parent));
		libsnap_graph_progress(graph, "dominators", 1, 4);
		find_semidominators(count, lists, forest);
		libsnap_graph_progress(graph, "dominators", 2, 4);
		find_dominators(count, pre->parent, lists->start + 1, forest->ancestor,
				forest->best);
		libsnap_graph_progress(graph, "dominators", 3, 4);
	}
	for (uint32_t node = 0; node < nodes; node++)
		if (pre->number[node] != NONE)
			pre->order[pre->number[node]] = node;
	name_successors(&graph->held, pre->number, pre->order);
	bool good = lists->from != NULL;
	libsnap_graph_give(graph, lists->from, lists->capacity, 4);
	return good ? SNAP_OK : libsnap_fail_memory(error);
}

static enum snap_status find_all(struct snap_graph *graph, struct preorder *pre,
				 struct snap_error *error)
{
	uint32_t count = pre->reached;
	struct predecessors lists = {.graph = &graph->held, .number = pre->number};
	struct forest forest = {.best = libsnap_graph_take(graph, count, 4)};
	lists.start = libsnap_graph_take(graph, count + 1u, 4);
	forest.ancestor = libsnap_graph_take(graph, count, 4);
	enum snap_status status;
	if (lists.start != NULL && forest.best != NULL && forest.ancestor != NULL)
		status = find_by_number(graph, pre, &lists, &forest, error);
	else
		status = libsnap_fail_memory(error);
	libsnap_graph_give(graph, lists.start, count + 1u, 4);
	libsnap_graph_give(graph, forest.ancestor, count, 4);
	libsnap_graph_give(graph, forest.best, count, 4);
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

/* Bytes at the worst moment: forest and lists beside numbers, parents and the lists' places. */
static uint64_t worst_case(const struct snap_graph *graph)
{
	uint64_t nodes = graph->held.nodes, listed = graph->held.start[nodes];
	return nodes * 24 + 4 + (listed < nodes ? listed : nodes) * 4;
}

enum snap_status snap_graph_dominate(struct snap_graph *graph, struct snap_error *error)
{
	if (graph->dominator != NULL || graph->outside.dominated)
		return SNAP_OK;
	graph->indexed.dominated = graph->indexed.is_there;
	if (graph->indexed.is_there)
		return SNAP_OK;
	if (graph->held.start == NULL || !libsnap_graph_fits(graph, worst_case(graph)))
		return libsnap_graph_dominate_outside(graph, error);
	uint32_t nodes = graph->held.nodes;
	enum snap_status status = SNAP_OK;
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
	graph->number = pre.number;
	graph->order = pre.order;
	graph->dominator = pre.parent;
	graph->reached = pre.reached;
	if (status == SNAP_OK)
		graph->retained = libsnap_graph_take_zeroed(graph, pre.reached, 8);
	if (status == SNAP_OK && graph->retained == NULL)
		status = libsnap_fail_memory(error);
	if (status == SNAP_OK)
		status = add_retained(graph, error);
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
	if (row >= graph->objects)
		return SNAP_GRAPH_NONE;
	if (graph->outside.dominated)
		return libsnap_paged_number((struct paged *)&graph->outside.dominator_of, row);
	if (graph->indexed.dominated)
		return libsnap_indexed_dominator(graph, row);
	if (graph->dominator == NULL || graph->number[row] == NONE)
		return SNAP_GRAPH_NONE;
	uint32_t dominator = graph->dominator[graph->number[row]];
	return dominator == 0 ? SNAP_GRAPH_NONE : graph->order[dominator];
}

uint64_t snap_graph_retained(const struct snap_graph *graph, uint64_t row)
{
	if (row >= graph->objects)
		return 0;
	if (graph->outside.dominated)
		return libsnap_paged_get((struct paged *)&graph->outside.retained_of, row);
	if (graph->indexed.dominated)
		return libsnap_indexed_retained(graph, row);
	if (graph->dominator == NULL || graph->number[row] == NONE)
		return 0;
	return graph->retained[graph->number[row]];
}
