/* Immediate dominators and retained bytes.  Where distances from the roots are too many for
 * levels.c: semidominators with path compression, then the nearest common ancestor of parent and
 * semidominator (Georgiadis: semi-NCA), all without recursion.
 * Numbers are those of a preorder walk from the roots' node, which is number 0.  Only the values of
 * semidominators are compressed along with paths, and of predecessors only those with a higher
 * number are listed. */
#include "graph.h"

#include <string.h>

/* Memory that is read in no order is asked for so many references before it is needed: first what
 * the target's number is, then what is known of that number. */
#define FAR  64u
#define NEAR 32u

/* Where there are no more nodes, a thread would not be worth its start. */
#define FEW 30000u

/* ---- predecessors ---- */

/* What is known of the predecessors of a number while semidominators are found.  Those with a lower
 * number count by the lowest of them alone; the others are listed, for a stretch of numbers at a
 * time, so that no second copy of all references is held. */
struct predecessors {
	const struct adjacency *graph;
	const uint32_t *number;
	const uint64_t *tops;
	/* by number: where its list ends, and once it is filled, where it begins */
	uint32_t *start;
	uint32_t *from;    /* the lists from `first` on */
	uint32_t capacity; /* of from */
	uint32_t first, base;
};

/* Of a number, side by side since both are needed at once. */
struct link {
	uint32_t ancestor;
	uint32_t best; /* the smallest semidominator up to ancestor */
};

struct forest {
	struct link *links;
	uint32_t *path;
};

/* The number of a target that will soon be needed, 0 for none. */
static inline uint32_t look_ahead(const struct adjacency *graph, const uint32_t *number, uint32_t e)
{
	if (graph->start[graph->nodes] - e <= FAR)
		return 0;
	__builtin_prefetch(&number[graph->to[e + FAR]]);
	uint32_t near = number[graph->to[e + NEAR]];
	return near != NONE ? near : 0;
}

/* Where lists end; and best is the lowest predecessor at first. */
static void plan_lists(const struct preorder *pre, uint32_t *start, struct link *links)
{
	uint32_t sum = 0;
	for (uint32_t i = 0; i < pre->reached; i++) {
		start[i] = sum += pre->higher[i];
		links[i] = (struct link){.ancestor = pre->parent[i], .best = pre->lowest[i]};
	}
	start[pre->reached] = sum;
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
			__builtin_prefetch(&start[look_ahead(graph, lists->number, e)]);
			if (libsnap_has_bit(lists->tops, graph->to[e]))
				continue;
			uint32_t w = lists->number[graph->to[e]];
			if (w - first < limit - first)
				lists->from[--start[w] - lists->base] = v;
		}
	}
}

/* ---- semidominators ---- */

/* The smallest semidominator on the way from v up to, and without, the first number below linked.
 */
static inline uint32_t smallest_above(const struct forest *forest, uint32_t v, uint32_t linked)
{
	struct link *links = forest->links;
	if (links[v].ancestor < linked)
		return links[v].best;
	size_t depth = 0;
	uint32_t top = v;
	for (; links[top].ancestor >= linked; top = links[top].ancestor)
		forest->path[depth++] = top;
	uint32_t root = links[top].ancestor, smallest = links[top].best;
	while (depth > 0) {
		struct link *link = &links[forest->path[--depth]];
		if (smallest < link->best)
			link->best = smallest;
		else
			smallest = link->best;
		link->ancestor = root;
	}
	return smallest;
}

/* The semidominator of a number whose predecessors are too many for a list. */
static uint32_t smallest_of_many(const struct predecessors *lists, const struct forest *forest,
				 uint32_t i)
{
	const struct adjacency *graph = lists->graph;
	uint32_t smallest = forest->links[i].best;
	for (uint32_t node = 0; node + 1 < graph->nodes; node++) {
		uint32_t v = lists->number[node];
		if (v == NONE || v <= i)
			continue;
		for (uint32_t e = graph->start[node], stop = graph->start[node + 1]; e < stop;
		     e++) {
			if (lists->number[graph->to[e]] != i)
				continue;
			uint32_t p = smallest_above(forest, v, i + 1);
			if (p < smallest)
				smallest = p;
			break;
		}
	}
	return smallest;
}

/* The lists are one after the other, so that of what comes next it is known what it needs. */
static inline uint32_t smallest_of_list(const struct predecessors *lists,
					const struct forest *forest, uint32_t i)
{
	const uint32_t *from = lists->from;
	uint32_t begin = lists->start[i] - lists->base;
	uint32_t smallest = forest->links[i].best;
	for (uint32_t e = lists->start[i + 1] - lists->base; e-- > begin;) {
		if (e >= NEAR)
			__builtin_prefetch(&forest->links[from[e - NEAR]]);
		uint32_t p = smallest_above(forest, from[e], i + 1);
		if (p < smallest)
			smallest = p;
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
		uint32_t smallest;
		if (i < lists->first) {
			smallest = smallest_of_many(lists, forest, i);
			start[i] = start[i - 1];
			lists->first = i;
		} else {
			smallest = smallest_of_list(lists, forest, i);
		}
		semi[i] = forest->links[i].best = smallest;
	}
}

/* ---- from semidominators to dominators ---- */

/* Where climbing step by step would take too long, long jumps (as of a skew-binary list) make it
 * logarithmic. */
struct jump {
	uint32_t to, depth;
};

struct climb {
	uint32_t *dominator;
	struct jump *jump;
	bool jumps;
	uint64_t steps_left;
};

static void add_jump(struct climb *climb, uint32_t i)
{
	struct jump *jump = climb->jump;
	uint32_t d = climb->dominator[i], j = jump[d].to, k = jump[j].to;
	bool equal = jump[d].depth - jump[j].depth == jump[j].depth - jump[k].depth;
	jump[i] = (struct jump){.to = equal ? k : d, .depth = jump[d].depth + 1};
}

static uint32_t climb_to(struct climb *climb, uint32_t d, uint32_t limit)
{
	for (; d > limit && !climb->jumps && climb->steps_left > 0; climb->steps_left--)
		d = climb->dominator[d];
	while (d > limit && climb->jumps)
		d = climb->jump[d].to > limit ? climb->jump[d].to : climb->dominator[d];
	return d;
}

/* dominator holds the parents, and becomes the dominators; jump is room for count of them. */
static void find_dominators(uint32_t count, uint32_t *dominator, const uint32_t *semi,
			    struct jump *jump)
{
	struct climb climb = {
		.dominator = dominator, .jump = jump, .steps_left = 8 * (uint64_t)count};
	for (uint32_t i = 1; i < count; i++) {
		uint32_t d = climb_to(&climb, dominator[i], semi[i]);
		if (d > semi[i]) {
			climb.jumps = true;
			jump[0] = (struct jump){0, 0};
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

/* What dominators and retained bytes may take: so much for each node, and the references once. */
#define BYTES_PER_NODE 40u

/* Room for lists of predecessors, in the place of the lowest of them: as much as all need, if that
 * is not too much. */
static uint32_t choose_capacity(const struct snap_graph *graph, uint32_t listed)
{
	uint64_t nodes = graph->held.nodes;
	uint64_t wanted = nodes * BYTES_PER_NODE + graph->held.capacity * 4ull;
	uint64_t used = graph->used - nodes * 4, room = nodes;
	if (wanted > graph->options.max_memory_bytes)
		wanted = graph->options.max_memory_bytes;
	if (wanted > used && (wanted - used) / 4 > room)
		room = (wanted - used) / 4;
	return room < listed ? (uint32_t)room : listed;
}

/* From numbers of parents to those of dominators.  The forest's path takes the place of order,
 * which is found again from the numbers; room is for as many links. */
static enum snap_status find_by_number(struct snap_graph *graph, struct preorder *pre, void *room,
				       struct snap_error *error)
{
	uint32_t count = pre->reached;
	struct predecessors lists = {.graph = &graph->held,
				     .number = pre->number,
				     .tops = pre->tops,
				     .start = pre->higher};
	struct forest forest = {.links = room, .path = pre->order};
	plan_lists(pre, lists.start, forest.links);
	lists.capacity = choose_capacity(graph, lists.start[count]);
	lists.from = libsnap_graph_resize(graph, pre->lowest, graph->held.nodes * 4ull,
					  lists.capacity * 4ull);
	if (lists.from == NULL)
		return libsnap_fail_memory(error);
	pre->lowest = NULL;
	libsnap_graph_progress(graph, "dominators", 1, 4);
	find_semidominators(count, &lists, &forest);
	libsnap_graph_progress(graph, "dominators", 2, 4);
	libsnap_graph_give(graph, lists.from, lists.capacity, 4);
	find_dominators(count, pre->parent, lists.start + 1, room);
	libsnap_graph_give(graph, pre->higher, graph->held.nodes + 1u, 4);
	pre->higher = NULL;
	libsnap_graph_progress(graph, "dominators", 3, 4);
	for (uint32_t node = 0; node < graph->held.nodes; node++)
		if (pre->number[node] != NONE)
			pre->order[pre->number[node]] = node;
	return SNAP_OK;
}

/* From numbers to rows. */
static void name_dominators(const struct preorder *pre, uint32_t *dominator)
{
	for (uint32_t i = 1; i < pre->reached; i++)
		dominator[pre->order[i]] = pre->order[pre->parent[i]];
}

static enum snap_status dominate_by_walk(struct snap_graph *graph, struct libsnap_worker *worker,
					 struct tree *tree, struct snap_error *error)
{
	uint32_t nodes = graph->held.nodes;
	struct preorder pre = {.reached = 0};
	enum snap_status status = libsnap_graph_preorder(graph, worker, &pre, error);
	graph->dominator = pre.number;
	if (status == SNAP_OK)
		graph->retained = libsnap_graph_take(graph, nodes, 8);
	if (status == SNAP_OK && graph->retained == NULL)
		status = libsnap_fail_memory(error);
	if (status == SNAP_OK)
		status = find_by_number(graph, &pre, graph->retained, error);
	if (status == SNAP_OK) {
		name_dominators(&pre, graph->dominator);
		*tree = (struct tree){.order = pre.order, .reached = pre.reached};
		pre.order = NULL;
	}
	libsnap_graph_free_preorder(graph, &pre);
	return status;
}

/* ---- retained bytes ---- */

static void add_own(void *context, uint64_t row, uint64_t bytes)
{
	const struct snap_graph *graph = context;
	if (graph->dominator[row] != NONE)
		graph->retained[row] = bytes;
}

/* The roots' node gets the sum of all, and is no dominator of rows any more. */
static enum snap_status add_retained(struct snap_graph *graph, const struct tree *tree,
				     struct snap_error *error)
{
	uint64_t *retained = graph->retained;
	uint32_t *dominator = graph->dominator, root = graph->held.nodes - 1;
	memset(retained, 0, (size_t)graph->held.nodes * sizeof(*retained));
	enum snap_status status = libsnap_graph_each_size(graph, add_own, graph, error);
	if (status != SNAP_OK)
		return status;
	for (uint32_t i = tree->reached; i-- > 1;) {
		if (i > FAR) {
			__builtin_prefetch(&dominator[tree->order[i - FAR]]);
			__builtin_prefetch(&retained[tree->order[i - FAR]]);
			__builtin_prefetch(&retained[dominator[tree->order[i - NEAR]]]);
		}
		uint32_t row = tree->order[i];
		uint64_t *sum = &retained[dominator[row]];
		if (libsnap_add_overflows(*sum, retained[row], sum))
			*sum = UINT64_MAX;
		if (dominator[row] == root)
			dominator[row] = NONE;
	}
	return SNAP_OK;
}

/* Bytes at the worst moment, which is the walk, or that where all nodes are joins; with less than a
 * byte of sets and distances. */
static uint64_t worst_case(const struct snap_graph *graph)
{
	return graph->held.nodes * (BYTES_TO_WALK + UINT64_C(1)) + 16384;
}

enum snap_status snap_graph_dominate(struct snap_graph *graph, struct snap_error *error)
{
	if (graph->dominator != NULL || graph->outside.dominated)
		return SNAP_OK;
	libsnap_graph_free_chain(graph);
	graph->indexed.dominated = graph->indexed.is_there;
	if (graph->indexed.is_there)
		return SNAP_OK;
	if (graph->held.start == NULL || !libsnap_graph_fits(graph, worst_case(graph)))
		return libsnap_graph_dominate_outside(graph, error);
	struct tree tree = {.order = NULL};
	struct libsnap_worker worker;
	libsnap_worker_begin(&worker, graph->held.nodes > FEW ? graph->options.threads : 1);
	libsnap_graph_progress(graph, "dominators", 0, 4);
	enum snap_status status = libsnap_graph_dominate_by_levels(graph, &worker, &tree, error);
	if (status == SNAP_END)
		status = dominate_by_walk(graph, &worker, &tree, error);
	libsnap_worker_end(&worker);
	if (status == SNAP_OK)
		libsnap_graph_order_branches(graph, &tree, graph->retained);
	if (status == SNAP_OK)
		status = add_retained(graph, &tree, error);
	libsnap_graph_give(graph, tree.order, graph->held.nodes, 4);
	if (status != SNAP_OK)
		libsnap_graph_free_dominators(graph);
	return status;
}

void libsnap_graph_free_dominators(struct snap_graph *graph)
{
	uint32_t nodes = graph->held.nodes;
	libsnap_graph_give(graph, graph->dominator, nodes, 4);
	libsnap_graph_give(graph, graph->retained, nodes, 8);
	libsnap_graph_free_branches(graph);
	graph->dominator = NULL;
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
	if (graph->dominator == NULL)
		return libsnap_chain_dominator(graph, row);
	return graph->dominator[row] == NONE ? SNAP_GRAPH_NONE : graph->dominator[row];
}

uint64_t snap_graph_retained(const struct snap_graph *graph, uint64_t row)
{
	if (row >= graph->objects)
		return 0;
	if (graph->outside.dominated)
		return libsnap_paged_get((struct paged *)&graph->outside.retained_of, row);
	if (graph->indexed.dominated)
		return libsnap_indexed_retained(graph, row);
	if (graph->dominator == NULL)
		return libsnap_chain_retained(graph, row);
	return graph->retained[row];
}
