/* What would be free without each cycle: dominators where a component is one node.
 *
 * Components come before those that they lead to, so that all ways to one are known when it is
 * reached: its dominator is the nearest common one of those that lead to it (Cooper, Harvey and
 * Kennedy), which is found in few steps by jumps to dominators far above (Myers). */
#include "graph.h"

/* By row; then of the roots' node, which is above all; then by cycle. */
enum { ABOVE, DEPTH, JUMP, FIELDS };

struct condensed {
	struct snap_graph *graph;
	struct numbers links;    /* ABOVE is none of what no root reaches */
	struct numbers retained; /* by node, too */
};

static inline uint64_t get(const struct condensed *c, uint64_t node, int field)
{
	return libsnap_numbers_get(&c->links, node * FIELDS + (uint64_t)field);
}

static inline void set(struct condensed *c, uint64_t node, int field, uint64_t value)
{
	libsnap_numbers_set(&c->links, node * FIELDS + (uint64_t)field, value);
}

static inline uint64_t node_of(const struct condensed *c, uint64_t row)
{
	uint64_t cycle = libsnap_numbers_get(&c->graph->cycle, row);
	return cycle == SNAP_GRAPH_NONE ? row : c->graph->objects + 1 + cycle;
}

/* ---- dominators ---- */

static uint64_t nearest_common(const struct condensed *c, uint64_t a, uint64_t b)
{
	uint64_t depth_of_a = get(c, a, DEPTH), depth_of_b = get(c, b, DEPTH);
	while (depth_of_a != depth_of_b && !libsnap_graph_has_failed(c->graph)) {
		uint64_t *lower = depth_of_a > depth_of_b ? &a : &b;
		uint64_t depth = depth_of_a > depth_of_b ? depth_of_b : depth_of_a;
		uint64_t far = get(c, *lower, JUMP);
		*lower = get(c, far, DEPTH) >= depth ? far : get(c, *lower, ABOVE);
		*(lower == &a ? &depth_of_a : &depth_of_b) = get(c, *lower, DEPTH);
	}
	/* At the same depth jumps are as far. */
	while (a != b && !libsnap_graph_has_failed(c->graph)) {
		uint64_t far_of_a = get(c, a, JUMP), far_of_b = get(c, b, JUMP);
		bool is_far = far_of_a != far_of_b;
		a = is_far ? far_of_a : get(c, a, ABOVE);
		b = is_far ? far_of_b : get(c, b, ABOVE);
	}
	return a;
}

/* Once all that lead to it are known. */
static void settle(struct condensed *c, uint64_t node)
{
	uint64_t above = get(c, node, ABOVE), depth = get(c, above, DEPTH);
	uint64_t far = get(c, above, JUMP), depth_of_far = get(c, far, DEPTH);
	uint64_t farther = get(c, far, JUMP);
	bool is_even = depth - depth_of_far == depth_of_far - get(c, farther, DEPTH);
	set(c, node, DEPTH, depth + 1);
	set(c, node, JUMP, is_even ? farther : above);
}

static void lead_on(struct condensed *c, uint64_t row, uint64_t node)
{
	const struct snap_graph *graph = c->graph;
	uint64_t end = libsnap_graph_get_start(graph, row + 1);
	for (uint64_t at = libsnap_graph_get_start(graph, row); at < end; at++) {
		uint64_t to = node_of(c, libsnap_graph_get_to(graph, at));
		if (to == node)
			continue;
		uint64_t above = get(c, to, ABOVE);
		if (above != node)
			set(c, to, ABOVE,
			    above == SNAP_GRAPH_NONE ? node : nearest_common(c, above, node));
	}
}

static enum snap_status find_dominators(struct condensed *c, struct snap_error *error)
{
	struct snap_graph *graph = c->graph;
	uint64_t last = SNAP_GRAPH_NONE, roots = graph->objects;
	set(c, roots, ABOVE, roots);
	set(c, roots, DEPTH, 0);
	set(c, roots, JUMP, roots);
	lead_on(c, roots, roots);
	for (uint64_t i = 0; i < graph->objects && !libsnap_graph_has_failed(graph); i++) {
		uint64_t row = libsnap_numbers_get(&graph->components, i), node = node_of(c, row);
		if ((i & 0xfffff) == 0)
			libsnap_graph_progress(graph, "cycles' dominators", i, graph->objects);
		if (get(c, node, ABOVE) == SNAP_GRAPH_NONE)
			continue;
		if (node != last)
			settle(c, node);
		last = node;
		lead_on(c, row, node);
	}
	return libsnap_graph_check_pages(graph, error);
}

/* ---- what they retain ---- */

static void add(struct condensed *c, uint64_t node, uint64_t bytes)
{
	uint64_t sum = libsnap_numbers_get(&c->retained, node) + 1; /* none is 0 bytes */
	if (libsnap_add_overflows(sum, bytes, &sum))
		sum = UINT64_MAX;
	libsnap_numbers_set(&c->retained, node, sum - 1);
}

static void add_own(void *context, uint64_t row, uint64_t bytes)
{
	add(context, node_of(context, row), bytes);
}

/* From the last component to the first. */
static void add_up(struct condensed *c)
{
	struct snap_graph *graph = c->graph;
	uint64_t last = SNAP_GRAPH_NONE;
	for (uint64_t i = graph->objects; i-- > 0 && !libsnap_graph_has_failed(graph);) {
		uint64_t node = node_of(c, libsnap_numbers_get(&graph->components, i));
		uint64_t above = get(c, node, ABOVE);
		if (node != last && above != graph->objects && above != SNAP_GRAPH_NONE)
			add(c, above, libsnap_numbers_get(&c->retained, node) + 1);
		last = node;
	}
}

static enum snap_status take_cycles(struct condensed *c, struct snap_error *error)
{
	struct snap_graph *graph = c->graph;
	struct numbers *retained = &graph->cycle_retained;
	uint64_t cycles = graph->cycle_count, first = graph->objects + 1;
	enum snap_status status = libsnap_numbers_open(retained, graph, cycles, true, error);
	for (uint64_t i = 0; status == SNAP_OK && i < cycles; i++)
		if (get(c, first + i, ABOVE) != SNAP_GRAPH_NONE)
			libsnap_numbers_set(retained, i,
					    libsnap_numbers_get(&c->retained, first + i));
	return status;
}

enum snap_status snap_graph_retain_cycles(struct snap_graph *graph, struct snap_error *error)
{
	if (!libsnap_numbers_is_open(&graph->components))
		return SNAP_OK;
	struct condensed c = {.graph = graph};
	uint64_t nodes = graph->objects + 1 + graph->cycle_count;
	bool is_wide = nodes >= NONE;
	enum snap_status status = libsnap_graph_prepare(graph, nodes * 20, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&c.links, graph, nodes * FIELDS, is_wide, error);
	if (status == SNAP_OK)
		status = find_dominators(&c, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&c.retained, graph, nodes, true, error);
	if (status == SNAP_OK)
		status = libsnap_graph_each_size(graph, add_own, &c, error);
	if (status == SNAP_OK) {
		add_up(&c);
		status = take_cycles(&c, error);
	}
	if (status == SNAP_OK)
		status = libsnap_graph_check_pages(graph, error);
	libsnap_numbers_close(&c.links);
	libsnap_numbers_close(&c.retained);
	if (status == SNAP_OK)
		libsnap_numbers_close(&graph->components);
	else
		libsnap_numbers_close(&graph->cycle_retained);
	return status;
}
