/* Arrays of numbers that begin in memory and may be moved into pages (numbers.h). */
#include "graph.h"

enum snap_status libsnap_numbers_open(struct numbers *numbers, struct snap_graph *graph,
				      uint64_t count, bool wide, struct snap_error *error)
{
	*numbers = (struct numbers){.wide = wide || graph->wide, .count = count};
	size_t size = numbers->wide ? 8 : 4;
	enum snap_status status = SNAP_OK;
	if (graph->outside.pages == NULL)
		status = libsnap_graph_reserve(graph, "numbers", count * size, error);
	/* All may have gone outside for it. */
	if (graph->outside.pages != NULL) {
		status = libsnap_paged_open(&numbers->paged, graph->outside.pages, count,
					    numbers->wide, error);
	} else if (status == SNAP_OK) {
		numbers->memory = libsnap_graph_take_zeroed(graph, count, size);
		if (numbers->memory == NULL)
			status = libsnap_fail_memory(error);
	}
	if (status != SNAP_OK)
		return status;
	numbers->graph = graph;
	numbers->next = graph->numbers;
	graph->numbers = numbers;
	return SNAP_OK;
}

static void give_memory(struct numbers *numbers)
{
	libsnap_graph_give(numbers->graph, numbers->memory, numbers->count, numbers->wide ? 8 : 4);
	numbers->memory = NULL;
}

void libsnap_numbers_close(struct numbers *numbers)
{
	if (numbers->graph == NULL)
		return;
	struct numbers **link = &numbers->graph->numbers;
	while (*link != numbers)
		link = &(*link)->next;
	*link = numbers->next;
	give_memory(numbers);
	libsnap_paged_close(&numbers->paged);
	*numbers = (struct numbers){.graph = NULL};
}

enum snap_status libsnap_numbers_move(struct numbers *numbers, struct snap_error *error)
{
	struct pages *pages = numbers->graph->outside.pages;
	if (numbers->memory == NULL)
		return SNAP_OK;
	enum snap_status status =
		libsnap_paged_open(&numbers->paged, pages, numbers->count, numbers->wide, error);
	if (status != SNAP_OK)
		return status;
	for (uint64_t i = 0; i < numbers->count; i++) {
		uint64_t number = libsnap_numbers_get(numbers, i);
		if (number != SNAP_GRAPH_NONE)
			libsnap_paged_set_number(&numbers->paged, i, number);
	}
	status = libsnap_pages_check(pages, error);
	if (status == SNAP_OK)
		give_memory(numbers);
	else
		libsnap_paged_close(&numbers->paged);
	return status;
}

static void merge(const struct numbers *from, struct numbers *to, uint64_t low, uint64_t middle,
		  uint64_t high, bool (*comes_after)(const void *, uint64_t, uint64_t),
		  const void *context)
{
	uint64_t left = low, right = middle;
	for (uint64_t at = low; at < high; at++) {
		bool takes_left =
			left < middle &&
			(right == high || !comes_after(context, libsnap_numbers_get(from, left),
						       libsnap_numbers_get(from, right)));
		libsnap_numbers_set(to, at,
				    libsnap_numbers_get(from, takes_left ? left++ : right++));
	}
}

void libsnap_numbers_sort(struct numbers *numbers, struct numbers *room, uint64_t count,
			  bool (*comes_after)(const void *context, uint64_t a, uint64_t b),
			  const void *context)
{
	struct numbers *from = numbers, *to = room;
	for (uint64_t width = 1; width < count; width *= 2) {
		for (uint64_t low = 0; low < count; low += 2 * width) {
			uint64_t middle = low + width < count ? low + width : count;
			uint64_t high = middle + width < count ? middle + width : count;
			merge(from, to, low, middle, high, comes_after, context);
		}
		struct numbers *swapped = from;
		from = to;
		to = swapped;
	}
	for (uint64_t i = 0; from != numbers && i < count; i++)
		libsnap_numbers_set(numbers, i, libsnap_numbers_get(from, i));
}
