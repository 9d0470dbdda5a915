/* Sets of rows as bits (bits.h). */
#include "graph.h"

enum snap_status libsnap_bits_open(uint64_t **out, struct snap_graph *graph,
				   struct snap_error *error)
{
	uint64_t words = graph->objects / 64 + 1;
	enum snap_status status =
		libsnap_graph_reserve(graph, "a set of objects", words * 8, error);
	if (status != SNAP_OK)
		return status;
	uint64_t *bits = libsnap_graph_take_zeroed(graph, words, 8);
	if (bits == NULL)
		return libsnap_fail_memory(error);
	*out = bits;
	return SNAP_OK;
}

void libsnap_bits_close(uint64_t *bits, struct snap_graph *graph)
{
	libsnap_graph_give(graph, bits, graph->objects / 64 + 1, 8);
}

enum snap_status libsnap_frontier_open(struct frontier *frontier, struct snap_graph *graph,
				       uint64_t rows, struct snap_error *error)
{
	uint64_t sizes[FRONTIER_LEVELS], count = rows;
	*frontier = (struct frontier){.depth = 0};
	do {
		count = count / 64 + 1;
		sizes[frontier->depth++] = count;
		frontier->words += count;
	} while (count > 1 && frontier->depth < FRONTIER_LEVELS);
	enum snap_status status =
		libsnap_graph_reserve(graph, "a set of objects", frontier->words * 8, error);
	if (status != SNAP_OK)
		return status;
	frontier->memory = libsnap_graph_take_zeroed(graph, frontier->words, 8);
	if (frontier->memory == NULL)
		return libsnap_fail_memory(error);
	uint64_t *next = frontier->memory;
	for (unsigned i = 0; i < frontier->depth; next += sizes[i++])
		frontier->levels[i] = next;
	return SNAP_OK;
}

void libsnap_frontier_close(struct frontier *frontier, struct snap_graph *graph)
{
	libsnap_graph_give(graph, frontier->memory, frontier->words, 8);
	*frontier = (struct frontier){.depth = 0};
}

enum snap_status libsnap_sweeps_open(struct sweeps *sweeps, struct snap_graph *graph,
				     struct snap_error *error)
{
	*sweeps = (struct sweeps){.at = 0};
	enum snap_status status =
		libsnap_frontier_open(&sweeps->above, graph, graph->objects, error);
	if (status == SNAP_OK)
		status = libsnap_frontier_open(&sweeps->below, graph, graph->objects, error);
	return status;
}

void libsnap_sweeps_close(struct sweeps *sweeps, struct snap_graph *graph)
{
	libsnap_frontier_close(&sweeps->above, graph);
	libsnap_frontier_close(&sweeps->below, graph);
}
