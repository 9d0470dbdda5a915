/* The objects that retain most. */
#include "refs.h"
#include "tops.h"

#include <stdlib.h>

struct item {
	uint64_t row, retained;
};

/* Of equals the lower row is better; rows are offered in their order. */
struct heap {
	const struct snap_graph *graph;
	struct snap_graph_numbers *rows;     /* the worst of the best first */
	struct snap_graph_numbers *retained; /* of each; NULL: the graph has it */
	uint64_t first; /* before it are those that an index has, the best of all */
	uint64_t least; /* what these retain: all of as much are among them */
	uint64_t count, capacity;
	uint64_t worst; /* what that one retains, once the heap is full */
};

static struct item item_at(const struct heap *heap, uint64_t at)
{
	uint64_t row = snap_graph_numbers_get(heap->rows, heap->first + at);
	return (struct item){row, heap->retained != NULL
					  ? snap_graph_numbers_get(heap->retained, heap->first + at)
					  : snap_graph_retained(heap->graph, row)};
}

static bool is_better(struct item a, struct item b)
{
	return a.retained != b.retained ? a.retained > b.retained : a.row < b.row;
}

static void put(struct heap *heap, uint64_t at, struct item item)
{
	snap_graph_numbers_set(heap->rows, heap->first + at, item.row);
	if (heap->retained != NULL)
		snap_graph_numbers_set(heap->retained, heap->first + at, item.retained);
}

/* From the top, which is free, to where it belongs. */
static void sink(struct heap *heap, struct item item, uint64_t count)
{
	uint64_t at = 0, child;
	for (; (child = 2 * at + 1) < count; at = child) {
		struct item next = item_at(heap, child), other = next;
		if (child + 1 < count)
			other = item_at(heap, child + 1);
		if (is_better(next, other)) {
			next = other;
			child++;
		}
		if (!is_better(item, next))
			break;
		put(heap, at, next);
	}
	put(heap, at, item);
}

static void rise(struct heap *heap, struct item item, uint64_t at)
{
	for (; at > 0; at = (at - 1) / 2) {
		struct item above = item_at(heap, (at - 1) / 2);
		if (!is_better(above, item))
			break;
		put(heap, at, above);
	}
	put(heap, at, item);
}

static bool is_wanted(const struct heap *heap, uint64_t retained)
{
	return (heap->count < heap->capacity || retained > heap->worst) &&
	       (heap->first == 0 || retained < heap->least);
}

static void offer(struct heap *heap, struct item item)
{
	if (heap->count == heap->capacity)
		sink(heap, item, heap->count);
	else
		rise(heap, item, heap->count++);
	heap->worst = item_at(heap, 0).retained;
}

static void offer_all(const struct refs *refs, struct heap *heap)
{
	for (uint64_t row = 0; row < refs->objects; row++) {
		uint64_t retained = snap_graph_retained(refs->graph, row);
		if (is_wanted(heap, retained) &&
		    (retained > 0 || snap_graph_is_reached(refs->graph, row)))
			offer(heap, (struct item){row, retained});
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
			offer(heap, (struct item){held.row, retained});
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
			struct item item = item_at(heap, i + j);
			struct line *line = &lines[j];
			*line = (struct line){item.row, i + j + 1, refs_line("retainer")};
			line->line.number = line->number;
			line->line.retained = item.retained;
		}
		show_lines(refs, lines, (size_t)count);
	}
	free(lines);
}

/* Those that the index has, as far as they are wanted; the heap is for the others. */
static void read_tops(struct refs *refs, struct heap *heap)
{
	struct tops tops;
	uint64_t count = 0;
	if (tops_load(&tops, refs))
		count = tops.count < heap->capacity ? tops.count : heap->capacity;
	for (uint64_t i = 0; i < count; i++)
		put(heap, i, (struct item){tops.items[i].row, tops.items[i].retained});
	heap->least = tops.least;
	heap->first = count;
	heap->capacity -= count;
	tops_free(&tops);
}

static void sort_heap(struct heap *heap)
{
	for (uint64_t end = heap->count; end-- > 1;) {
		struct item last = item_at(heap, end);
		put(heap, end, item_at(heap, 0));
		sink(heap, last, end);
	}
	heap->count += heap->first;
	heap->first = 0;
}

void refs_show_retainers(struct refs *refs)
{
	uint64_t capacity =
		refs->limit == 0 || refs->limit > refs->objects ? refs->objects : refs->limit;
	struct heap heap = {.graph = refs->graph,
			    .rows = refs_numbers(refs, capacity, refs->objects),
			    .capacity = capacity};
	bool is_indexed = refs_has_index(refs);
	if (is_indexed) {
		heap.retained = refs_numbers(refs, capacity, REFS_ANY_NUMBER);
		read_tops(refs, &heap);
	}
	if (heap.capacity > 0 && is_indexed)
		offer_indexed(refs, &heap);
	else if (heap.capacity > 0)
		offer_all(refs, &heap);
	sort_heap(&heap);
	show_heap(refs, &heap);
	snap_graph_numbers_close(heap.retained);
	snap_graph_numbers_close(heap.rows);
}
