/* Strongly connected components, without recursion (Tarjan, as Pearce needs it: one number for each
 * object, and stacks that are used at their top only). */
#include "graph.h"

/* Objects get the numbers of their visit from 0 on, lowered to the lowest that they lead to.  Once
 * its component is complete, an object has CLOSED, or, in the n-th cycle, CLOSED - 1 - n.  Numbers
 * of visits are given again, so the two never meet. */
struct search {
	struct snap_graph *graph;
	struct numbers *low;
	uint64_t closed;                     /* CLOSED: the largest number */
	struct numbers calls, visits, edges; /* of the objects being visited, the innermost last */
	/* From the front visited rows of components that are not complete; from the back those of
	 * complete ones, so that in the end components come before those that they lead to. */
	struct numbers *open;
	uint64_t depth, open_count, first_closed, next_visit, cycles;
};

static void enter(struct search *s, uint64_t row)
{
	libsnap_numbers_set(s->low, row, s->next_visit);
	libsnap_numbers_set(&s->calls, s->depth, row);
	libsnap_numbers_set(&s->visits, s->depth, s->next_visit++);
	libsnap_numbers_set(&s->edges, s->depth++, libsnap_graph_get_start(s->graph, row));
}

/* A component is what is open from the visit on. */
static void close_component(struct search *s, uint64_t row, uint64_t visit)
{
	bool is_cycle = false;
	uint64_t number = s->closed - 1 - s->cycles;
	while (s->open_count > 0 && !libsnap_graph_has_failed(s->graph)) {
		uint64_t other = libsnap_numbers_get(s->open, s->open_count - 1);
		if (libsnap_numbers_get(s->low, other) < visit)
			break;
		is_cycle = true;
		libsnap_numbers_set(s->low, other, number);
		s->open_count--;
		libsnap_numbers_set(s->open, --s->first_closed, other);
		s->next_visit--;
	}
	libsnap_numbers_set(s->open, --s->first_closed, row);
	is_cycle = is_cycle || libsnap_graph_refers_to_itself(s->graph, row);
	s->cycles += is_cycle;
	s->next_visit--;
	libsnap_numbers_set(s->low, row, is_cycle ? number : s->closed);
}

/* Goes on with the innermost object. */
static void advance(struct search *s)
{
	uint64_t top = s->depth - 1, row = libsnap_numbers_get(&s->calls, top);
	uint64_t low = libsnap_numbers_get(s->low, row);
	uint64_t at = libsnap_numbers_get(&s->edges, top);
	uint64_t end = libsnap_graph_get_start(s->graph, row + 1);
	for (; at < end; at++) {
		uint64_t to = libsnap_graph_get_to(s->graph, at);
		uint64_t other = libsnap_numbers_get(s->low, to);
		if (other == SNAP_GRAPH_NONE) {
			/* It is looked at once more, when it is complete. */
			libsnap_numbers_set(s->low, row, low);
			libsnap_numbers_set(&s->edges, top, at);
			enter(s, to);
			return;
		}
		if (other < low)
			low = other;
	}
	libsnap_numbers_set(s->low, row, low);
	s->depth--;
	uint64_t visit = libsnap_numbers_get(&s->visits, top);
	if (low == visit)
		close_component(s, row, visit);
	else
		libsnap_numbers_set(s->open, s->open_count++, row);
}

/* ---- the same where all is in memory, and narrow ---- */

/* Successors' numbers and places are asked for so many at a time before they are needed. */
#define AHEAD 16u

/* As in struct search; numbers are one more than they are, 0 for none. */
struct narrow {
	const uint32_t *start, *to;
	uint32_t *low, *calls, *visits, *edges, *open;
	uint32_t depth, open_count, first_closed, next_visit, cycles;
};

static inline void enter_narrow(struct narrow *n, uint32_t row)
{
	uint32_t start = n->start[row], end = n->start[row + 1];
	for (uint32_t i = start; i < end && i - start < AHEAD; i++) {
		__builtin_prefetch(&n->low[n->to[i]]);
		__builtin_prefetch(&n->start[n->to[i]]);
	}
	n->low[row] = n->visits[n->depth] = ++n->next_visit;
	n->calls[n->depth] = row;
	n->edges[n->depth++] = start;
}

static inline bool has_itself(const struct narrow *n, uint32_t row)
{
	for (uint32_t at = n->start[row]; at < n->start[row + 1]; at++)
		if (n->to[at] == row)
			return true;
	return false;
}

static void close_narrow(struct narrow *n, uint32_t row, uint32_t visit)
{
	uint32_t number = NONE - 1 - n->cycles, before = n->open_count;
	while (n->open_count > 0 && n->low[n->open[n->open_count - 1] - 1] >= visit) {
		uint32_t other = n->open[--n->open_count];
		n->low[other - 1] = number;
		n->open[--n->first_closed] = other;
	}
	n->open[--n->first_closed] = row + 1;
	n->next_visit -= before - n->open_count + 1;
	bool is_cycle = before > n->open_count || has_itself(n, row);
	n->cycles += is_cycle;
	n->low[row] = is_cycle ? number : NONE;
}

static void advance_narrow(struct narrow *n)
{
	uint32_t top = n->depth - 1, row = n->calls[top], low = n->low[row];
	uint32_t at = n->edges[top], end = n->start[row + 1];
	for (; at < end; at++) {
		uint32_t other = n->low[n->to[at]];
		if (other == 0) {
			n->low[row] = low;
			n->edges[top] = at;
			if (at + 1 < end)
				__builtin_prefetch(&n->to[n->start[n->to[at + 1]]]);
			enter_narrow(n, n->to[at]);
			return;
		}
		low = other < low ? other : low;
	}
	n->low[row] = low;
	n->depth--;
	if (low == n->visits[top])
		close_narrow(n, row, low);
	else
		n->open[n->open_count++] = row + 1;
}

static void find_narrow(struct search *s)
{
	struct snap_graph *graph = s->graph;
	struct narrow n = {.start = graph->held.start,
			   .to = graph->held.to,
			   .low = s->low->memory,
			   .calls = s->calls.memory,
			   .visits = s->visits.memory,
			   .edges = s->edges.memory,
			   .open = s->open->memory,
			   .first_closed = (uint32_t)graph->objects};
	for (uint32_t row = 0; row < graph->objects; row++) {
		if ((row & 0xfffff) == 0)
			libsnap_graph_progress(graph, "cycles", row, graph->objects);
		if (n.low[row] == 0)
			enter_narrow(&n, row);
		while (n.depth > 0)
			advance_narrow(&n);
	}
	s->cycles = n.cycles;
}

static enum snap_status find_components(struct search *s, struct snap_error *error)
{
	struct snap_graph *graph = s->graph;
	for (uint64_t row = 0; row < graph->objects && !libsnap_graph_has_failed(graph); row++) {
		if ((row & 0xfffff) == 0)
			libsnap_graph_progress(graph, "cycles", row, graph->objects);
		if (libsnap_numbers_get(s->low, row) != SNAP_GRAPH_NONE)
			continue;
		enter(s, row);
		while (s->depth > 0 && !libsnap_graph_has_failed(graph))
			advance(s);
	}
	return libsnap_graph_check_pages(graph, error);
}

static enum snap_status open_search(struct search *s, struct snap_error *error)
{
	struct snap_graph *graph = s->graph;
	uint64_t objects = graph->objects;
	s->low = &graph->cycle;
	s->open = &graph->components;
	s->first_closed = objects;
	s->closed = graph->wide ? SNAP_GRAPH_NONE - 1 : NONE - 1;
	enum snap_status status = libsnap_numbers_open(s->low, graph, objects, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&s->calls, graph, objects, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&s->visits, graph, objects, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&s->edges, graph, objects, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(s->open, graph, objects, false, error);
	return status;
}

static void close_search(struct search *s)
{
	libsnap_numbers_close(&s->calls);
	libsnap_numbers_close(&s->visits);
	libsnap_numbers_close(&s->edges);
}

/* ---- what they are ---- */

static void add_object(void *context, uint64_t row, uint64_t bytes)
{
	struct snap_graph *graph = context;
	uint64_t cycle = libsnap_numbers_get(&graph->cycle, row);
	if (cycle == SNAP_GRAPH_NONE)
		return;
	uint64_t sum = libsnap_numbers_get(&graph->cycle_bytes, cycle);
	if (libsnap_add_overflows(sum, bytes, &sum))
		sum = UINT64_MAX;
	libsnap_numbers_set(&graph->cycle_bytes, cycle, sum);
}

/* Cycles by the order in which they were found, and how many objects each has. */
static void count_objects(struct snap_graph *graph, uint64_t closed)
{
	for (uint64_t i = 0; i < graph->cycle_count; i++) {
		libsnap_numbers_set(&graph->cycle_bytes, i, 0);
		libsnap_numbers_set(&graph->cycle_objects, i, 0);
		libsnap_numbers_set(&graph->cycle_order, i, i);
	}
	for (uint64_t row = 0; row < graph->objects && !libsnap_graph_has_failed(graph); row++) {
		uint64_t number = libsnap_numbers_get(&graph->cycle, row);
		if (number == closed) {
			libsnap_numbers_set(&graph->cycle, row, SNAP_GRAPH_NONE);
			continue;
		}
		uint64_t cycle = closed - 1 - number;
		if (cycle >= graph->cycle_count) /* only after a failure */
			return;
		uint64_t objects = libsnap_numbers_get(&graph->cycle_objects, cycle);
		if (objects == 0)
			libsnap_numbers_set(&graph->cycle_first, cycle, row);
		libsnap_numbers_set(&graph->cycle_objects, cycle, objects + 1);
		libsnap_numbers_set(&graph->cycle, row, cycle);
	}
}

static bool comes_after(const void *context, uint64_t a, uint64_t b)
{
	const struct snap_graph *graph = context;
	uint64_t left = libsnap_numbers_get(&graph->cycle_bytes, a);
	uint64_t right = libsnap_numbers_get(&graph->cycle_bytes, b);
	if (left != right)
		return left < right;
	return libsnap_numbers_get(&graph->cycle_first, a) >
	       libsnap_numbers_get(&graph->cycle_first, b);
}

/* Cycles are numbered by their order. */
static void renumber(struct snap_graph *graph, struct numbers *place)
{
	for (uint64_t i = 0; i < graph->cycle_count; i++)
		libsnap_numbers_set(place, libsnap_numbers_get(&graph->cycle_order, i), i);
	for (uint64_t row = 0; row < graph->objects && !libsnap_graph_has_failed(graph); row++) {
		uint64_t cycle = libsnap_numbers_get(&graph->cycle, row);
		if (cycle != SNAP_GRAPH_NONE)
			libsnap_numbers_set(&graph->cycle, row, libsnap_numbers_get(place, cycle));
	}
}

static enum snap_status describe(struct snap_graph *graph, uint64_t closed,
				 struct snap_error *error)
{
	struct numbers room = {.graph = NULL};
	uint64_t count = graph->cycle_count;
	enum snap_status status = libsnap_graph_prepare(graph, count * 24, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&graph->cycle_bytes, graph, count, true, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&graph->cycle_objects, graph, count, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&graph->cycle_first, graph, count, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&graph->cycle_order, graph, count, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&room, graph, count, false, error);
	if (status == SNAP_OK) {
		count_objects(graph, closed);
		status = libsnap_graph_check_pages(graph, error);
	}
	if (status == SNAP_OK)
		status = libsnap_graph_each_size(graph, add_object, graph, error);
	if (status == SNAP_OK) {
		libsnap_numbers_sort(&graph->cycle_order, &room, count, comes_after, graph);
		renumber(graph, &room);
		status = libsnap_graph_check_pages(graph, error);
	}
	libsnap_numbers_close(&room);
	return status;
}

static void free_cycles(struct snap_graph *graph)
{
	libsnap_numbers_close(&graph->cycle);
	libsnap_numbers_close(&graph->components);
	libsnap_numbers_close(&graph->cycle_order);
	libsnap_numbers_close(&graph->cycle_bytes);
	libsnap_numbers_close(&graph->cycle_objects);
	libsnap_numbers_close(&graph->cycle_first);
	graph->cycle_count = 0;
}

enum snap_status snap_graph_find_cycles(struct snap_graph *graph, struct snap_error *error)
{
	if (libsnap_numbers_is_open(&graph->cycle))
		return SNAP_OK;
	if (graph->indexed.is_there) {
		libsnap_indexed_find_cycles(graph);
		return SNAP_OK;
	}
	libsnap_graph_free_component(graph);
	struct search search = {.graph = graph};
	enum snap_status status = libsnap_graph_prepare(graph, graph->objects * 20, error);
	if (status == SNAP_OK)
		status = open_search(&search, error);
	bool is_narrow = graph->outside.pages == NULL && !graph->wide;
	if (status == SNAP_OK && is_narrow)
		find_narrow(&search);
	else if (status == SNAP_OK)
		status = find_components(&search, error);
	close_search(&search);
	graph->cycle_count = search.cycles;
	if (status == SNAP_OK)
		status = describe(graph, search.closed, error);
	if (status != SNAP_OK)
		free_cycles(graph);
	return status;
}

uint64_t snap_graph_cycle_count(const struct snap_graph *graph)
{
	return graph->component.members != NULL ? graph->component.is_cycle : graph->cycle_count;
}

void snap_graph_cycle(const struct snap_graph *graph, uint64_t index, struct snap_graph_cycle *out)
{
	*out = (struct snap_graph_cycle){.first = SNAP_GRAPH_NONE};
	if (index >= snap_graph_cycle_count(graph))
		return;
	if (graph->component.members != NULL) {
		*out = graph->component.cycle;
		return;
	}
	if (graph->indexed.found_cycles) {
		libsnap_indexed_cycle(graph, index, out);
		return;
	}
	uint64_t cycle = libsnap_numbers_get(&graph->cycle_order, index);
	/* After a failure it may be any. */
	if (cycle >= graph->cycle_count)
		return;
	*out = (struct snap_graph_cycle){.objects =
						 libsnap_numbers_get(&graph->cycle_objects, cycle),
					 .bytes = libsnap_numbers_get(&graph->cycle_bytes, cycle),
					 .first = libsnap_numbers_get(&graph->cycle_first, cycle)};
}

uint64_t snap_graph_cycle_of(const struct snap_graph *graph, uint64_t row)
{
	const struct component *component = &graph->component;
	if (row >= graph->objects)
		return SNAP_GRAPH_NONE;
	if (component->members != NULL)
		return component->is_cycle && libsnap_has_bit(component->members, row)
			       ? 0
			       : SNAP_GRAPH_NONE;
	if (!libsnap_numbers_is_open(&graph->cycle))
		return SNAP_GRAPH_NONE;
	return libsnap_numbers_get(&graph->cycle, row);
}
