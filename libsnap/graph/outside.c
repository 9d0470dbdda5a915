/* What goes into temporary files, where memory has no room for it. */
#include "graph.h"

/* What is not for the cache is for sets, lists and places of pages. */
static uint64_t cache_bytes(const struct snap_graph *graph)
{
	uint64_t room = libsnap_graph_room(graph);
	if (graph->outside.pages != NULL)
		room += libsnap_pages_bytes(graph->outside.pages);
	return room - room / 4;
}

static enum snap_status open_pages(struct snap_graph *graph, uint64_t bytes, uint64_t later,
				   struct snap_error *error)
{
	struct pages **pages = &graph->outside.pages;
	enum snap_status status = libsnap_pages_open(pages, graph, later, error);
	if (status == SNAP_OK)
		status = libsnap_pages_resize(*pages, bytes, error);
	if (status != SNAP_OK) {
		libsnap_pages_close(*pages);
		*pages = NULL;
	}
	return status;
}

enum snap_status libsnap_graph_open_outside(struct snap_graph *graph, uint64_t references,
					    struct snap_error *error)
{
	libsnap_graph_progress(graph, "references, in temporary files", 0, references);
	enum snap_status status = open_pages(graph, cache_bytes(graph), cache_bytes(graph), error);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&graph->outside.start, graph->outside.pages,
					    graph->objects + 2, graph->wide, error);
	return status;
}

static enum snap_status move_array(struct snap_graph *graph, struct paged *to, const uint32_t *from,
				   uint64_t count, struct snap_error *error)
{
	struct pages *pages = graph->outside.pages;
	enum snap_status status = libsnap_paged_open(to, pages, count, false, error);
	for (uint64_t i = 0; status == SNAP_OK && i < count; i++)
		libsnap_paged_set(to, i, from[i]);
	return status == SNAP_OK ? libsnap_pages_check(pages, error) : status;
}

static enum snap_status move_held(struct snap_graph *graph, struct snap_error *error)
{
	struct outside *outside = &graph->outside;
	struct adjacency *held = &graph->held;
	if (held->start == NULL)
		return SNAP_OK;
	enum snap_status status =
		move_array(graph, &outside->start, held->start, graph->objects + 2, error);
	if (status == SNAP_OK)
		status = move_array(graph, &outside->to, held->to, graph->held_count, error);
	if (status != SNAP_OK) {
		libsnap_paged_close(&outside->start);
		libsnap_paged_close(&outside->to);
		return status;
	}
	libsnap_graph_give(graph, held->start, graph->objects + 2, 4);
	libsnap_graph_give(graph, held->to, held->capacity, 4);
	*held = (struct adjacency){.nodes = held->nodes};
	return SNAP_OK;
}

static enum snap_status move_dominators(struct snap_graph *graph, struct snap_error *error)
{
	struct outside *outside = &graph->outside;
	if (graph->dominator == NULL)
		return SNAP_OK;
	enum snap_status status = libsnap_graph_open_answers(graph, error);
	for (uint64_t row = 0; status == SNAP_OK && row < graph->objects; row++) {
		libsnap_paged_set_number(&outside->dominator_of, row,
					 snap_graph_dominator(graph, row));
		libsnap_paged_set(&outside->retained_of, row, snap_graph_retained(graph, row));
	}
	if (status == SNAP_OK)
		status = libsnap_pages_check(outside->pages, error);
	if (status == SNAP_OK) {
		libsnap_graph_free_dominators(graph);
		outside->dominated = true;
	} else {
		libsnap_paged_close(&outside->dominator_of);
		libsnap_paged_close(&outside->retained_of);
	}
	return status;
}

static enum snap_status move_all(struct snap_graph *graph, struct snap_error *error)
{
	enum snap_status status = move_held(graph, error);
	if (status == SNAP_OK)
		status = move_dominators(graph, error);
	for (struct numbers *at = graph->numbers; status == SNAP_OK && at != NULL; at = at->next)
		status = libsnap_numbers_move(at, error);
	return status;
}

enum snap_status libsnap_graph_prepare(struct snap_graph *graph, uint64_t bytes,
				       struct snap_error *error)
{
	struct outside *outside = &graph->outside;
	enum snap_status status = SNAP_OK;
	if (!libsnap_graph_fits(graph, bytes))
		libsnap_graph_drop_kept(graph);
	graph->may_move &= libsnap_graph_fits(graph, bytes);
	if (outside->pages == NULL) {
		if (libsnap_graph_fits(graph, bytes))
			return SNAP_OK;
		uint64_t room = libsnap_graph_room(graph);
		libsnap_graph_progress(graph, "to temporary files", 0, 1);
		status = open_pages(graph, room / 2, room / 2 + graph->used / 2, error);
	}
	if (status == SNAP_OK)
		status = move_all(graph, error);
	if (status != SNAP_OK)
		return status;
	/* Questions before this one may have left the cache too small, or taken much beside it. */
	uint64_t wanted = cache_bytes(graph), now = libsnap_pages_bytes(outside->pages);
	if (now < wanted - wanted / 4 || now > wanted + wanted / 4)
		status = libsnap_pages_resize(outside->pages, wanted, error);
	return status;
}

enum snap_status snap_graph_check(const struct snap_graph *graph, struct snap_error *error)
{
	return libsnap_graph_check_pages(graph, error);
}
