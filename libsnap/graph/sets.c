/* Sets of rows, numbers of rows, and memory for callers, all counted with the graph's. */
#include "graph.h"

enum snap_status snap_graph_set_open(struct snap_graph_set **out, struct snap_graph *graph,
				     struct snap_error *error)
{
	enum snap_status status = libsnap_graph_reserve(graph, "a set of objects",
							sizeof(struct snap_graph_set), error);
	if (status != SNAP_OK)
		return status;
	struct snap_graph_set *set = libsnap_graph_take_zeroed(graph, 1, sizeof(*set));
	if (set == NULL)
		return libsnap_fail_memory(error);
	set->graph = graph;
	status = libsnap_bits_open(&set->bits, graph, error);
	if (status != SNAP_OK) {
		snap_graph_set_close(set);
		return status;
	}
	*out = set;
	return SNAP_OK;
}

void snap_graph_set_close(struct snap_graph_set *set)
{
	if (set == NULL)
		return;
	struct snap_graph *graph = set->graph;
	libsnap_bits_close(set->bits, graph);
	libsnap_graph_give(graph, set, 1, sizeof(*set));
}

bool snap_graph_set_add(struct snap_graph_set *set, uint64_t row)
{
	if (row >= set->graph->objects)
		return false;
	set->count += !libsnap_has_bit(set->bits, row);
	libsnap_set_bit(set->bits, row);
	return true;
}

bool snap_graph_set_add_type(struct snap_graph_set *set, uint64_t type)
{
	const struct snap_graph *graph = set->graph;
	bool any = false;
	for (uint32_t i = 0; i < graph->run_count; i++) {
		const struct run *run = &graph->runs[i];
		if (graph->shapes[run->shape].type != type)
			continue;
		any |= run->first_row < run[1].first_row;
		for (uint64_t row = run->first_row; row < run[1].first_row;) {
			bool is_whole = row % 64 == 0 && run[1].first_row - row >= 64;
			if (is_whole && set->bits[row / 64] == 0) {
				set->bits[row / 64] = UINT64_MAX;
				set->count += 64;
				row += 64;
			} else {
				snap_graph_set_add(set, row++);
			}
		}
	}
	return any;
}

bool snap_graph_set_has(const struct snap_graph_set *set, uint64_t row)
{
	return row < set->graph->objects && libsnap_has_bit(set->bits, row);
}

uint64_t snap_graph_set_count(const struct snap_graph_set *set)
{
	return set->count;
}

uint64_t snap_graph_set_next(const struct snap_graph_set *set, uint64_t row)
{
	const struct marks marks = {.bits = set->bits};
	return libsnap_marks_next(&marks, set->graph, row);
}

enum snap_status snap_graph_numbers_open(struct snap_graph_numbers **out, struct snap_graph *graph,
					 uint64_t count, uint64_t largest, struct snap_error *error)
{
	bool wide = largest > NONE - 2;
	enum snap_status status = libsnap_graph_prepare(graph, count * (wide ? 8 : 4), error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(graph, "numbers", sizeof(**out), error);
	if (status != SNAP_OK)
		return status;
	struct snap_graph_numbers *numbers = libsnap_graph_take_zeroed(graph, 1, sizeof(*numbers));
	if (numbers == NULL)
		return libsnap_fail_memory(error);
	status = libsnap_numbers_open(&numbers->numbers, graph, count, wide, error);
	if (status == SNAP_OK)
		*out = numbers;
	else
		libsnap_graph_give(graph, numbers, 1, sizeof(*numbers));
	return status;
}

void snap_graph_numbers_close(struct snap_graph_numbers *numbers)
{
	if (numbers == NULL)
		return;
	struct snap_graph *graph = numbers->numbers.graph;
	libsnap_numbers_close(&numbers->numbers);
	libsnap_graph_give(graph, numbers, 1, sizeof(*numbers));
}

uint64_t snap_graph_numbers_get(const struct snap_graph_numbers *numbers, uint64_t index)
{
	if (index >= numbers->numbers.count)
		return SNAP_GRAPH_NONE;
	return libsnap_numbers_get(&numbers->numbers, index);
}

void snap_graph_numbers_set(struct snap_graph_numbers *numbers, uint64_t index, uint64_t number)
{
	if (index < numbers->numbers.count)
		libsnap_numbers_set(&numbers->numbers, index, number);
}

enum snap_status snap_graph_numbers_sort(struct snap_graph_numbers *numbers, uint64_t count,
					 bool (*comes_after)(const void *context, uint64_t a,
							     uint64_t b),
					 const void *context, struct snap_error *error)
{
	struct snap_graph *graph = numbers->numbers.graph;
	struct numbers room = {.graph = NULL};
	bool wide = numbers->numbers.wide;
	if (count > numbers->numbers.count)
		count = numbers->numbers.count;
	enum snap_status status = libsnap_graph_prepare(graph, count * (wide ? 8 : 4), error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&room, graph, count, wide, error);
	if (status == SNAP_OK) {
		libsnap_numbers_sort(&numbers->numbers, &room, count, comes_after, context);
		status = libsnap_graph_check_pages(graph, error);
	}
	libsnap_numbers_close(&room);
	return status;
}

static void *resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct snap_graph *graph = context;
	if (new_size == 0) {
		libsnap_graph_give(graph, pointer, old_size, 1);
		return NULL;
	}
	/* Old and new may exist together while they are moved. */
	if (libsnap_graph_reserve(graph, "tables", new_size, NULL) != SNAP_OK)
		return NULL;
	return libsnap_graph_resize(graph, pointer, pointer != NULL ? old_size : 0, new_size);
}

struct snap_allocator snap_graph_allocator(struct snap_graph *graph)
{
	return (struct snap_allocator){.context = graph, .resize = resize};
}
