/* Memory of a graph, counted against the caller's limit. */
#include "graph.h"

#include <inttypes.h>

enum snap_status libsnap_graph_reserve(struct snap_graph *graph, const char *what, uint64_t bytes,
				       struct snap_error *error)
{
	uint64_t limit = graph->options.max_memory_bytes;
	uint64_t needed;
	if (bytes > libsnap_graph_room(graph))
		libsnap_graph_drop_kept(graph);
	if (libsnap_add_overflows(graph->used, bytes, &needed))
		needed = UINT64_MAX;
	/* Moving takes some memory, too. */
	if (graph->may_move && needed > limit - limit / 32) {
		graph->may_move = false;
		enum snap_status status = libsnap_graph_prepare(graph, UINT64_MAX, error);
		if (status != SNAP_OK)
			return status;
		needed = graph->used + bytes;
	}
	if (needed > limit && graph->outside.pages != NULL)
		libsnap_pages_shrink(graph->outside.pages, needed - limit);
	if (libsnap_graph_has_failed(graph))
		return libsnap_graph_check_pages(graph, error);
	if (libsnap_graph_room(graph) >= bytes)
		return SNAP_OK;
	return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
			    "%s: %" PRIu64 " bytes of memory are needed, %" PRIu64 " are allowed",
			    what, needed, limit);
}

static void count_bytes(struct snap_graph *graph, size_t count, size_t element_size)
{
	graph->used += (uint64_t)count * element_size;
	if (graph->used > graph->peak)
		graph->peak = graph->used;
}

void *libsnap_graph_take(struct snap_graph *graph, size_t count, size_t element_size)
{
	void *pointer = libsnap_alloc(graph->allocator, count, element_size);
	if (pointer != NULL)
		count_bytes(graph, count, element_size);
	return pointer;
}

void *libsnap_graph_take_zeroed(struct snap_graph *graph, size_t count, size_t element_size)
{
	void *pointer = libsnap_alloc_zeroed(graph->allocator, count, element_size);
	if (pointer != NULL)
		count_bytes(graph, count, element_size);
	return pointer;
}

void libsnap_graph_give(struct snap_graph *graph, void *pointer, size_t count, size_t element_size)
{
	if (pointer == NULL)
		return;
	libsnap_free(graph->allocator, pointer, count, element_size);
	graph->used -= (uint64_t)count * element_size;
}

void *libsnap_graph_resize(struct snap_graph *graph, void *pointer, size_t old_size,
			   size_t new_size)
{
	void *resized = libsnap_resize_array(graph->allocator, pointer, old_size, new_size, 1);
	if (resized == NULL)
		return NULL;
	graph->used -= pointer != NULL ? old_size : 0;
	count_bytes(graph, new_size, 1);
	return resized;
}

enum snap_status libsnap_graph_grow(struct snap_graph *graph, const char *what, void **array,
				    size_t *capacity, size_t needed, size_t element_size,
				    struct snap_error *error)
{
	if (needed <= *capacity)
		return SNAP_OK;
	size_t wanted = *capacity + *capacity / 2 + 16, size;
	if (wanted < needed)
		wanted = needed;
	if (__builtin_mul_overflow(wanted, element_size, &size))
		return libsnap_fail_memory(error);
	/* Old and new may exist together while they are moved. */
	enum snap_status status = libsnap_graph_reserve(graph, what, size, error);
	if (status != SNAP_OK)
		return status;
	void *grown = libsnap_graph_resize(graph, *array, *capacity * element_size, size);
	if (grown == NULL)
		return libsnap_fail_memory(error);
	*array = grown;
	*capacity = wanted;
	return SNAP_OK;
}
