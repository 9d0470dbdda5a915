/* The chain of dominators of the targets, and the objects that retain most. */
#include "refs.h"

#include <stdlib.h>

/* Rows on the first target's chain have their place on it, from 1; other rows that were passed,
 * this. */
#define PASSED UINT32_MAX

/* Climbs from one target until a row that was passed before; SNAP_GRAPH_NONE: up to the roots. */
static uint64_t climb(const struct refs *refs, uint32_t *place, uint64_t target)
{
	uint64_t row = snap_graph_dominator(refs->graph, target);
	for (; row != SNAP_GRAPH_NONE && place[row] == 0;
	     row = snap_graph_dominator(refs->graph, row))
		place[row] = PASSED;
	return row;
}

/* The closest object that dominates all targets that are reached; SNAP_GRAPH_NONE: only the roots
 * together do. */
static uint64_t common_dominator(struct refs *refs)
{
	const struct snap_graph *graph = refs->graph;
	uint32_t *place = refs_zeroed(refs->objects, sizeof(*place)), highest = 0;
	uint64_t first = SNAP_GRAPH_NONE;
	for (size_t i = 0; i < refs->count; i++) {
		if (snap_graph_distance(graph, refs->rows[i]) == SNAP_GRAPH_NONE)
			continue;
		if (highest == 0) {
			first = snap_graph_dominator(graph, refs->rows[i]);
			uint32_t length = 0;
			for (uint64_t row = first; row != SNAP_GRAPH_NONE;
			     row = snap_graph_dominator(graph, row))
				place[row] = ++length;
			highest = 1;
		}
		uint64_t met = climb(refs, place, refs->rows[i]);
		if (met == SNAP_GRAPH_NONE) {
			first = SNAP_GRAPH_NONE;
			break;
		}
		if (place[met] != PASSED && place[met] > highest)
			highest = place[met];
	}
	for (uint32_t i = 1; i < highest && first != SNAP_GRAPH_NONE; i++)
		first = snap_graph_dominator(graph, first);
	free(place);
	return first;
}

/* Dominators of one type in a row are one line. */
void refs_show_dominators(struct refs *refs)
{
	uint64_t lines = 0, rest = 0;
	for (uint64_t row = common_dominator(refs); row != SNAP_GRAPH_NONE;) {
		uint64_t type = snap_graph_type(refs->graph, row), next = row, repeats = 0;
		for (; next != SNAP_GRAPH_NONE && snap_graph_type(refs->graph, next) == type;
		     repeats++)
			next = snap_graph_dominator(refs->graph, next);
		if (refs_over_limit(refs->limit, lines)) {
			rest += repeats;
		} else {
			struct refs_line line = refs_line("dominator");
			line.depth = lines++;
			line.repeats = repeats;
			line.retained = snap_graph_retained(refs->graph, row);
			refs_describe(refs, &line, row);
			refs_print(refs, &line);
		}
		row = next;
	}
	refs_print_rest(refs, rest, "dominators");
}

/* ---- the objects that retain most ---- */

struct heap {
	const struct snap_graph *graph;
	uint64_t *rows; /* the worst of the best first */
	size_t count, capacity;
};

static bool is_better(const struct heap *heap, uint64_t a, uint64_t b)
{
	uint64_t left = snap_graph_retained(heap->graph, a),
		 right = snap_graph_retained(heap->graph, b);
	return left != right ? left > right : a < b;
}

static void swap(struct heap *heap, size_t a, size_t b)
{
	uint64_t row = heap->rows[a];
	heap->rows[a] = heap->rows[b];
	heap->rows[b] = row;
}

static void sink(struct heap *heap, size_t at, size_t count)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && is_better(heap, heap->rows[child], heap->rows[child + 1]))
			child++;
		if (!is_better(heap, heap->rows[at], heap->rows[child]))
			return;
		swap(heap, at, child);
	}
}

static void offer(struct heap *heap, uint64_t row)
{
	if (heap->count == heap->capacity) {
		if (!is_better(heap, row, heap->rows[0]))
			return;
		heap->rows[0] = row;
		sink(heap, 0, heap->count);
		return;
	}
	size_t at = heap->count++;
	heap->rows[at] = row;
	for (; at > 0 && is_better(heap, heap->rows[(at - 1) / 2], heap->rows[at]);
	     at = (at - 1) / 2)
		swap(heap, at, (at - 1) / 2);
}

void refs_show_retainers(struct refs *refs)
{
	uint64_t capacity =
		refs->limit == 0 || refs->limit > refs->objects ? refs->objects : refs->limit;
	struct heap heap = {.graph = refs->graph,
			    .rows = refs_zeroed(capacity, sizeof(*heap.rows)),
			    .capacity = (size_t)capacity};
	for (uint64_t row = 0; row < refs->objects && capacity > 0; row++)
		if (snap_graph_distance(refs->graph, row) != SNAP_GRAPH_NONE)
			offer(&heap, row);
	for (size_t end = heap.count; end-- > 1;) {
		swap(&heap, 0, end);
		sink(&heap, 0, end);
	}
	for (size_t i = 0; i < heap.count; i++) {
		struct refs_line line = refs_line("retainer");
		line.number = i + 1;
		line.retained = snap_graph_retained(refs->graph, heap.rows[i]);
		refs_describe(refs, &line, heap.rows[i]);
		refs_print(refs, &line);
	}
	free(heap.rows);
}
