/* References and answers in temporary files, where memory has no room for them. */
#include "graph.h"

#include <inttypes.h>

/* What is not for the cache is for lists, marks and places of pages. */
static uint64_t cache_bytes(const struct snap_graph *graph)
{
	uint64_t room = libsnap_graph_room(graph);
	return room - room / 4;
}

enum snap_status libsnap_graph_open_outside(struct snap_graph *graph, uint64_t references,
					    struct snap_error *error)
{
	struct outside *outside = &graph->outside;
	libsnap_graph_progress(graph, "references, in temporary files", 0, references);
	enum snap_status status =
		libsnap_pages_open(&outside->pages, graph, cache_bytes(graph), error);
	if (status == SNAP_OK)
		status = libsnap_pages_resize(outside->pages, cache_bytes(graph), error);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&outside->start, outside->pages, graph->objects + 2ull,
					    4, error);
	return status;
}

static void give_held(struct snap_graph *graph)
{
	libsnap_graph_give(graph, graph->held.start, graph->objects + 2u, 4);
	libsnap_graph_give(graph, graph->held.to, graph->held.capacity, 4);
	graph->held.start = graph->held.to = NULL;
	graph->held.capacity = 0;
}

enum snap_status libsnap_graph_move_outside(struct snap_graph *graph, struct snap_error *error)
{
	struct outside *outside = &graph->outside;
	uint64_t held = (graph->objects + 2ull) * 4 + graph->held.capacity * 4ull;
	uint64_t room = libsnap_graph_room(graph);
	if (graph->held.start == NULL)
		return SNAP_OK;
	enum snap_status status = SNAP_OK;
	if (outside->pages == NULL) {
		status = libsnap_pages_open(&outside->pages, graph, room / 2 + held / 2, error);
		if (status == SNAP_OK)
			status = libsnap_pages_resize(outside->pages, room / 2, error);
	}
	if (status == SNAP_OK)
		status = libsnap_paged_open(&outside->start, outside->pages, graph->objects + 2ull,
					    4, error);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&outside->to, outside->pages, graph->held_count, 4,
					    error);
	for (uint64_t i = 0; status == SNAP_OK && i < graph->objects + 2ull; i++)
		libsnap_paged_set32(&outside->start, i, graph->held.start[i]);
	for (uint64_t i = 0; status == SNAP_OK && i < graph->held_count; i++)
		libsnap_paged_set32(&outside->to, i, graph->held.to[i]);
	if (status == SNAP_OK)
		status = libsnap_pages_check(outside->pages, error);
	if (status != SNAP_OK) {
		libsnap_pages_close(outside->pages);
		outside->pages = NULL;
		return status;
	}
	give_held(graph);
	/* As if the cache were not there: its pages are given back first. */
	room = libsnap_graph_room(graph) + libsnap_pages_bytes(outside->pages);
	return libsnap_pages_resize(outside->pages, room - room / 4, error);
}

enum snap_status libsnap_graph_need_held(struct snap_graph *graph, const char *what,
					 struct snap_error *error)
{
	struct outside *outside = &graph->outside;
	uint64_t cache = outside->pages != NULL ? libsnap_pages_bytes(outside->pages) : 0;
	uint64_t needed = (graph->objects + 2ull + graph->held_count) * 4, room;
	if (graph->held.start != NULL)
		return SNAP_OK;
	room = libsnap_graph_room(graph) + cache;
	if (room < needed + needed / 8)
		return libsnap_fail(
			error, SNAP_LIMIT, SNAP_NO_OFFSET,
			"%s: %" PRIu64 " bytes of memory are needed, %" PRIu64 " are allowed", what,
			graph->used - cache + needed + needed / 8, graph->options.max_memory_bytes);
	enum snap_status status = libsnap_pages_resize(outside->pages, (room - needed) / 8, error);
	if (status != SNAP_OK)
		return status;
	graph->held.start = libsnap_graph_take(graph, graph->objects + 2u, 4);
	graph->held.to = libsnap_graph_take(graph, graph->held_count, 4);
	graph->held.capacity = (uint32_t)graph->held_count;
	if (graph->held.start == NULL || graph->held.to == NULL) {
		give_held(graph);
		return libsnap_fail_memory(error);
	}
	for (uint64_t i = 0; i < graph->objects + 2ull; i++)
		graph->held.start[i] = libsnap_paged_get32(&outside->start, i);
	for (uint64_t i = 0; i < graph->held_count; i++)
		graph->held.to[i] = libsnap_paged_get32(&outside->to, i);
	status = libsnap_pages_check(outside->pages, error);
	if (status != SNAP_OK) {
		give_held(graph);
		return status;
	}
	libsnap_paged_close(&outside->start);
	libsnap_paged_close(&outside->to);
	return SNAP_OK;
}

/* Reading moves pages, though it does not change the graph. */
static struct paged *array_of(const struct paged *array)
{
	return (struct paged *)array;
}

uint64_t libsnap_graph_dominator_outside(const struct snap_graph *graph, uint64_t row)
{
	uint32_t dominator = libsnap_paged_get32(array_of(&graph->outside.dominator_of), row);
	/* After a failure all answers are the ones that lead nowhere. */
	bool good = dominator != NONE && graph->outside.pages->failed == SNAP_OK;
	return good ? dominator : SNAP_GRAPH_NONE;
}

uint64_t libsnap_graph_retained_outside(const struct snap_graph *graph, uint64_t row)
{
	uint64_t retained = libsnap_paged_get64(array_of(&graph->outside.retained_of), row);
	return graph->outside.pages->failed == SNAP_OK ? retained : 0;
}

enum snap_status snap_graph_check(const struct snap_graph *graph, struct snap_error *error)
{
	return graph->outside.pages != NULL ? libsnap_pages_check(graph->outside.pages, error)
					    : SNAP_OK;
}
