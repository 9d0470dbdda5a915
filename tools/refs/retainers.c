/* The objects that retain most. */
#include "refs.h"
#include "tops.h"

#include <stdlib.h>

/* Of equals the lower row is better; rows are offered in their order. */
struct heap {
	const struct snap_graph *graph;
	struct snap_graph_numbers *rows;     /* the worst of the best first */
	struct snap_graph_numbers *retained; /* of each; NULL: the graph has it */
	uint64_t count, capacity;
	uint64_t worst; /* what that one retains, once the heap is full */
};

static uint64_t row_at(const struct heap *heap, uint64_t at)
{
	return snap_graph_numbers_get(heap->rows, at);
}

static uint64_t retained_at(const struct heap *heap, uint64_t at)
{
	return heap->retained != NULL ? snap_graph_numbers_get(heap->retained, at)
				      : snap_graph_retained(heap->graph, row_at(heap, at));
}

static bool is_better(const struct heap *heap, uint64_t a, uint64_t b)
{
	uint64_t left = retained_at(heap, a), right = retained_at(heap, b);
	return left != right ? left > right : row_at(heap, a) < row_at(heap, b);
}

static void put(struct heap *heap, uint64_t at, uint64_t row, uint64_t retained)
{
	snap_graph_numbers_set(heap->rows, at, row);
	if (heap->retained != NULL)
		snap_graph_numbers_set(heap->retained, at, retained);
}

static void swap(struct heap *heap, uint64_t a, uint64_t b)
{
	uint64_t row = row_at(heap, a), retained = retained_at(heap, a);
	put(heap, a, row_at(heap, b), retained_at(heap, b));
	put(heap, b, row, retained);
}

static void sink(struct heap *heap, uint64_t at, uint64_t count)
{
	for (uint64_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && is_better(heap, child, child + 1))
			child++;
		if (!is_better(heap, at, child))
			return;
		swap(heap, at, child);
	}
}

static bool is_wanted(const struct heap *heap, uint64_t retained)
{
	return heap->count < heap->capacity || retained > heap->worst;
}

static void offer(struct heap *heap, uint64_t row, uint64_t retained)
{
	if (heap->count == heap->capacity) {
		put(heap, 0, row, retained);
		sink(heap, 0, heap->count);
	} else {
		uint64_t at = heap->count++;
		put(heap, at, row, retained);
		for (; at > 0 && is_better(heap, (at - 1) / 2, at); at = (at - 1) / 2)
			swap(heap, at, (at - 1) / 2);
	}
	heap->worst = retained_at(heap, 0);
}

static void offer_all(const struct refs *refs, struct heap *heap)
{
	for (uint64_t row = 0; row < refs->objects; row++) {
		uint64_t retained = snap_graph_retained(refs->graph, row);
		if (is_wanted(heap, retained) &&
		    (retained > 0 || snap_graph_is_reached(refs->graph, row)))
			offer(heap, row, retained);
	}
}

/* As columns lie: the graph is only asked of those that would be among the best. */
static void offer_indexed(struct refs *refs, struct heap *heap)
{
	static const uint32_t held_column = SNAP_INDEX_HELD,
			      columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT};
	struct scan held = scan_begin(refs->reader, &held_column, 1, &refs->error);
	struct scan object = scan_begin(refs->reader, columns, 2, &refs->error);
	while (scan_next(&held) && scan_next(&object)) {
		uint64_t retained;
		if (__builtin_mul_overflow(scan_value(&object, 0), scan_value(&object, 1),
					   &retained) ||
		    __builtin_add_overflow(retained, scan_value(&held, 0), &retained))
			retained = UINT64_MAX;
		if (is_wanted(heap, retained) && snap_graph_is_reached(refs->graph, held.row))
			offer(heap, held.row, retained);
	}
	enum snap_status status = scan_end(&held, NULL);
	refs_must(refs, status == SNAP_OK ? scan_end(&object, NULL) : status);
}

/* ---- lines ---- */

/* So many are described at a time, in the order of rows: columns are then read once. */
#define SOME 4096u

struct line {
	uint64_t row, number;
	struct refs_line line;
};

static int compare_rows(const void *left, const void *right)
{
	const struct line *a = left, *b = right;
	return a->row < b->row ? -1 : a->row > b->row;
}

static int compare_numbers(const void *left, const void *right)
{
	const struct line *a = left, *b = right;
	return a->number < b->number ? -1 : a->number > b->number;
}

static void show_lines(struct refs *refs, struct line *lines, size_t count)
{
	qsort(lines, count, sizeof(*lines), compare_rows);
	for (size_t i = 0; i < count; i++)
		refs_describe(refs, &lines[i].line, lines[i].row);
	qsort(lines, count, sizeof(*lines), compare_numbers);
	for (size_t i = 0; i < count; i++)
		refs_print(refs, &lines[i].line);
}

static void show_heap(struct refs *refs, const struct heap *heap)
{
	size_t room = heap->count < SOME ? (size_t)heap->count : SOME;
	struct line *lines = cli_resize(NULL, (room + 1) * sizeof(*lines));
	for (uint64_t i = 0, count; i < heap->count; i += count) {
		count = heap->count - i < room ? heap->count - i : room;
		for (uint64_t j = 0; j < count; j++) {
			struct line *line = &lines[j];
			*line = (struct line){row_at(heap, i + j), i + j + 1,
					      refs_line("retainer")};
			line->line.number = line->number;
			line->line.retained = retained_at(heap, i + j);
		}
		show_lines(refs, lines, (size_t)count);
	}
	free(lines);
}

/* Among the tops of an index; false: they are not enough. */
static bool read_tops(struct refs *refs, struct heap *heap)
{
	struct tops tops;
	bool is_enough = tops_load(&tops, refs) && tops.count >= heap->capacity;
	for (; is_enough && heap->count < heap->capacity; heap->count++)
		put(heap, heap->count, tops.items[heap->count].row,
		    tops.items[heap->count].retained);
	tops_free(&tops);
	return is_enough;
}

void refs_show_retainers(struct refs *refs)
{
	uint64_t capacity =
		refs->limit == 0 || refs->limit > refs->objects ? refs->objects : refs->limit;
	struct heap heap = {.graph = refs->graph,
			    .rows = refs_numbers(refs, capacity, refs->objects),
			    .capacity = capacity};
	bool is_indexed = refs_has_index(refs);
	if (is_indexed)
		heap.retained = refs_numbers(refs, capacity, REFS_ANY_NUMBER);
	if (capacity > 0 && !(is_indexed && read_tops(refs, &heap))) {
		if (is_indexed)
			offer_indexed(refs, &heap);
		else
			offer_all(refs, &heap);
		for (uint64_t end = heap.count; end-- > 1;) {
			swap(&heap, 0, end);
			sink(&heap, 0, end);
		}
	}
	show_heap(refs, &heap);
	snap_graph_numbers_close(heap.retained);
	snap_graph_numbers_close(heap.rows);
}
