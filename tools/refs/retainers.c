/* The objects that retain most. */
#include "refs.h"
#include "snap_index.h"

/* Up to so many are found in the columns of an index, without the tree of dominators. */
#define FEW  4096u
#define SOME 2048u

/* Of equals the lower row is better; rows are offered in their order. */
struct heap {
	const struct snap_graph *graph;
	struct snap_graph_numbers *rows;     /* the worst of the best first */
	struct snap_graph_numbers *retained; /* of each; NULL: the graph has it */
	uint64_t count, capacity;
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
	return heap->count < heap->capacity || retained > retained_at(heap, 0);
}

static void offer(struct heap *heap, uint64_t row, uint64_t retained)
{
	if (heap->count == heap->capacity) {
		put(heap, 0, row, retained);
		sink(heap, 0, heap->count);
		return;
	}
	uint64_t at = heap->count++;
	put(heap, at, row, retained);
	for (; at > 0 && is_better(heap, (at - 1) / 2, at); at = (at - 1) / 2)
		swap(heap, at, (at - 1) / 2);
}

static void offer_all(const struct refs *refs, struct heap *heap)
{
	for (uint64_t row = 0; row < refs->objects; row++) {
		uint64_t retained = snap_graph_retained(refs->graph, row);
		if (is_wanted(heap, retained) &&
		    snap_graph_distance(refs->graph, row) != SNAP_GRAPH_NONE)
			offer(heap, row, retained);
	}
}

/* ---- from the index ---- */

enum { HELD, SIZE, COUNT, DOMINATOR, COLUMNS };

static void read_rows(struct refs *refs, struct snap_column *column, uint64_t first, size_t count,
		      uint64_t *values)
{
	refs_must(refs, snap_column_read(column, first, count, values, &refs->error));
}

/* An object that no root reaches has itself as dominator. */
static bool is_reached(struct refs *refs, struct snap_column *dominators, uint64_t row)
{
	uint64_t id;
	read_rows(refs, dominators, row, 1, &id);
	return id != row + 1;
}

static void offer_some(struct refs *refs, struct heap *heap, struct snap_column **columns,
		       uint64_t first)
{
	uint64_t values[DOMINATOR][SOME];
	size_t count = refs->objects - first < SOME ? (size_t)(refs->objects - first) : SOME;
	for (size_t i = 0; i < DOMINATOR; i++)
		read_rows(refs, columns[i], first, count, values[i]);
	for (size_t i = 0; i < count; i++) {
		uint64_t own = refs_multiply(values[SIZE][i], values[COUNT][i]);
		uint64_t retained = refs_add(own, values[HELD][i]);
		if (is_wanted(heap, retained) && is_reached(refs, columns[DOMINATOR], first + i))
			offer(heap, first + i, retained);
	}
}

static void offer_indexed(struct refs *refs, struct heap *heap)
{
	static const uint32_t ids[COLUMNS] = {SNAP_INDEX_HELD, SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT,
					      SNAP_INDEX_DOMINATOR};
	struct snap_column *columns[COLUMNS];
	for (size_t i = 0; i < COLUMNS; i++)
		refs_must(refs, snap_column_open(&columns[i], refs->reader, ids[i], &refs->error));
	for (uint64_t first = 0; first < refs->objects; first += SOME)
		offer_some(refs, heap, columns, first);
	for (size_t i = 0; i < COLUMNS; i++)
		snap_column_close(columns[i]);
}

static bool has_index(struct refs *refs)
{
	struct snap_index_info index;
	refs_must(refs, snap_reader_index(refs->reader, &index, &refs->error));
	return !refs->follows_weak && index.state == SNAP_INDEX_GOOD;
}

void refs_show_retainers(struct refs *refs)
{
	uint64_t capacity =
		refs->limit == 0 || refs->limit > refs->objects ? refs->objects : refs->limit;
	struct heap heap = {.graph = refs->graph,
			    .rows = refs_numbers(refs, capacity, refs->objects),
			    .capacity = capacity};
	if (capacity > 0 && capacity <= FEW && has_index(refs)) {
		heap.retained = refs_numbers(refs, capacity, REFS_ANY_NUMBER);
		offer_indexed(refs, &heap);
	} else if (capacity > 0) {
		offer_all(refs, &heap);
	}
	for (uint64_t end = heap.count; end-- > 1;) {
		swap(&heap, 0, end);
		sink(&heap, 0, end);
	}
	for (uint64_t i = 0; i < heap.count; i++) {
		struct refs_line line = refs_line("retainer");
		uint64_t row = row_at(&heap, i);
		line.number = i + 1;
		line.retained = retained_at(&heap, i);
		refs_describe(refs, &line, row);
		refs_print(refs, &line);
	}
	snap_graph_numbers_close(heap.retained);
	snap_graph_numbers_close(heap.rows);
}
