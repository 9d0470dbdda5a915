/* Questions about references: random graphs against naive answers, with an index and without. */
#include "graph_checks.h"

/* Answers from the index: read one by one, or, where these would be many, all at once. */
static void check_indexed(const struct model *m, const struct buffer *indexed, bool patient)
{
	struct opened opened = open_graph(indexed, false);
	if (!patient)
		for (int i = 0; i < 3; i++)
			opened.graph->indexed.cost[i] = UINT64_MAX / 2;
	check_all(m, opened.graph, CHECKS);
	REQUIRE(opened.graph->indexed.is_there);
	close_graph(opened);
}

static void test_random(uint32_t rounds)
{
	struct buffer buffer = {NULL, 0, 0}, indexed = {NULL, 0, 0};
	static struct model m;
	uint32_t with_index = 0;
	for (uint32_t round = 0; round < rounds; round++) {
		make_random(&m, &buffer, round);
		struct opened opened = open_graph(&buffer, m.follow_weak);
		find_names(&m, opened);
		find_rows(&m, opened.graph);
		check_all(&m, opened.graph, CHECKS);
		check_outside(&m, opened.reader, true, CHECKS);
		check_outside(&m, opened.reader, false, round % CHECKS);
		close_graph(opened);
		if (!m.follow_weak && add_index(&buffer, &indexed)) {
			check_indexed(&m, &indexed, with_index % 2);
			with_index++;
		}
	}
	free(buffer.bytes);
	free(indexed.bytes);
	CHECK_NAMED(true, "random graphs agree with naive answers, inside and outside of memory");
	CHECK_NAMED(with_index > rounds / 4, "and from an index");
}

int main(void)
{
	test_random(3000 / TAP_FEWER);
	return DONE();
}
