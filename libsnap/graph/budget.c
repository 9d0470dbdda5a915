/* Memory of a graph, counted against the caller's limit. */
#include "graph.h"

#include <inttypes.h>

enum snap_status libsnap_graph_reserve(const struct snap_graph *graph, const char *what,
				       uint64_t bytes, struct snap_error *error)
{
	uint64_t limit = graph->options.max_memory_bytes;
	uint64_t needed;
	if (libsnap_add_overflows(graph->used, bytes, &needed))
		needed = UINT64_MAX;
	if (needed <= limit)
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
	size_t old = *capacity;
	/* Old and new may exist together while they are moved. */
	enum snap_status status =
		libsnap_graph_reserve(graph, what, 2 * (uint64_t)needed * element_size, error);
	if (status != SNAP_OK)
		return status;
	void *grown = libsnap_grow(graph->allocator, *array, capacity, needed, element_size);
	if (grown == NULL)
		return libsnap_fail_memory(error);
	*array = grown;
	count_bytes(graph, *capacity - old, element_size);
	return SNAP_OK;
}
