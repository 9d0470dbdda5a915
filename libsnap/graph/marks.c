/* Rows that matter for a question, numbered without holes. */
#include "graph.h"

/* In line: not every processor that is compiled for has an instruction for it. */
static uint64_t count_bits(uint64_t word)
{
	word -= word >> 1 & UINT64_C(0x5555555555555555);
	word = (word & UINT64_C(0x3333333333333333)) + (word >> 2 & UINT64_C(0x3333333333333333));
	word = (word + (word >> 4)) & UINT64_C(0x0f0f0f0f0f0f0f0f);
	return word * UINT64_C(0x0101010101010101) >> 56;
}

static uint64_t words(const struct snap_graph *graph)
{
	return graph->objects / 64 + 1;
}

enum snap_status libsnap_marks_open(struct marks *marks, struct snap_graph *graph,
				    struct snap_error *error)
{
	uint64_t ranks = words(graph);
	*marks = (struct marks){NULL, NULL, 0};
	enum snap_status status = libsnap_bits_open(&marks->bits, graph, error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(graph, "a set of objects", ranks * 8, error);
	if (status != SNAP_OK)
		return status;
	marks->below = libsnap_graph_take(graph, ranks, 8);
	return marks->below != NULL ? SNAP_OK : libsnap_fail_memory(error);
}

void libsnap_marks_close(struct marks *marks, struct snap_graph *graph)
{
	libsnap_bits_close(marks->bits, graph);
	libsnap_graph_give(graph, marks->below, words(graph), 8);
	*marks = (struct marks){NULL, NULL, 0};
}

void libsnap_marks_count(struct marks *marks, const struct snap_graph *graph)
{
	marks->count = 0;
	for (uint64_t i = 0; i < words(graph); i++) {
		marks->below[i] = marks->count;
		marks->count += count_bits(marks->bits[i]);
	}
}

uint64_t libsnap_marks_rank(const struct marks *marks, uint64_t row)
{
	if (row == SNAP_GRAPH_NONE) /* only after a failure */
		return 0;
	uint64_t before = marks->bits[row / 64] & ((UINT64_C(1) << row % 64) - 1);
	return marks->below[row / 64] + count_bits(before);
}

uint64_t libsnap_marks_next(const struct marks *marks, const struct snap_graph *graph, uint64_t row)
{
	if (row >= graph->objects)
		return SNAP_GRAPH_NONE;
	uint64_t word = marks->bits[row / 64] >> row % 64 << row % 64, at = row / 64;
	while (word == 0) {
		if (++at == words(graph))
			return SNAP_GRAPH_NONE;
		word = marks->bits[at];
	}
	return at * 64 + (uint64_t)__builtin_ctzll(word);
}
