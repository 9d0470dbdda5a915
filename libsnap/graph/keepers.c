/* What keeps cycles alive: the ways into each (snap_graph.h). */
#include "graph.h"

enum { NEAREST, ENTRIES, ENTRY, HOLDER, FIELDS };

static uint64_t get(const struct snap_graph *graph, uint64_t cycle, int field)
{
	return libsnap_numbers_get(&graph->keepers, cycle * FIELDS + (uint64_t)field);
}

static void set(struct snap_graph *graph, uint64_t cycle, int field, uint64_t value)
{
	libsnap_numbers_set(&graph->keepers, cycle * FIELDS + (uint64_t)field, value);
}

static bool is_reached(const struct snap_graph *graph, uint64_t row)
{
	return snap_graph_distance(graph, row) != SNAP_GRAPH_NONE;
}

static void note_member(struct snap_graph *graph, uint64_t cycle, uint64_t row)
{
	uint64_t nearest = get(graph, cycle, NEAREST), entries = get(graph, cycle, ENTRIES);
	if (nearest == SNAP_GRAPH_NONE ||
	    snap_graph_distance(graph, row) < snap_graph_distance(graph, nearest))
		set(graph, cycle, NEAREST, row);
	uint64_t dominator = snap_graph_dominator(graph, row);
	if (dominator != SNAP_GRAPH_NONE && snap_graph_cycle_of(graph, dominator) == cycle)
		return;
	set(graph, cycle, ENTRIES, entries == SNAP_GRAPH_NONE ? 1 : entries + 1);
	set(graph, cycle, ENTRY, row);
}

/* Only where no root reaches a cycle is it asked who refers to it. */
static bool note_holder(void *context, const struct snap_graph_reference *reference)
{
	struct snap_graph *graph = context;
	uint64_t cycle = snap_graph_cycle_of(graph, reference->target);
	if (cycle == SNAP_GRAPH_NONE || is_reached(graph, reference->target) ||
	    snap_graph_cycle_of(graph, reference->owner) == cycle ||
	    (reference->kind >= SNAP_REF_FIRST_WEAK && !graph->options.follow_weak))
		return true;
	if (reference->owner < get(graph, cycle, HOLDER))
		set(graph, cycle, HOLDER, reference->owner);
	return true;
}

enum snap_status snap_graph_find_keepers(struct snap_graph *graph, struct snap_error *error)
{
	uint64_t cycles = snap_graph_cycle_count(graph);
	bool any_garbage = false;
	if (libsnap_numbers_is_open(&graph->keepers) || libsnap_indexed_has_keepers(graph))
		return SNAP_OK;
	enum snap_status status = libsnap_graph_prepare(graph, cycles * FIELDS * 4, error);
	if (status == SNAP_OK)
		status =
			libsnap_numbers_open(&graph->keepers, graph, cycles * FIELDS, false, error);
	for (uint64_t row = 0; status == SNAP_OK && row < graph->objects; row++) {
		uint64_t cycle = snap_graph_cycle_of(graph, row);
		if (cycle == SNAP_GRAPH_NONE)
			continue;
		note_member(graph, cycle, row);
		any_garbage |= !is_reached(graph, row);
		if ((row & 0xfffff) == 0)
			status = libsnap_graph_check_pages(graph, error);
	}
	if (status == SNAP_OK && any_garbage)
		status = snap_graph_references(graph, note_holder, graph, error);
	if (status != SNAP_OK)
		libsnap_numbers_close(&graph->keepers);
	return status;
}

void snap_graph_keeper(const struct snap_graph *graph, uint64_t cycle,
		       struct snap_graph_keeper *out)
{
	if (libsnap_indexed_has_keepers(graph)) {
		libsnap_indexed_keeper(graph, cycle, out);
		return;
	}
	*out = (struct snap_graph_keeper){.nearest = get(graph, cycle, NEAREST),
					  .entries = get(graph, cycle, ENTRIES),
					  .entry = get(graph, cycle, ENTRY),
					  .holder = get(graph, cycle, HOLDER)};
	if (libsnap_numbers_is_open(&graph->cycle_retained)) /* none is 0 bytes */
		out->retained = libsnap_numbers_get(&graph->cycle_retained, cycle) + 1;
}
