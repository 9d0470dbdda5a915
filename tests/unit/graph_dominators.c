/* Dominators of graphs that are too large to look at: each way to find them tells the same
 * (snap_graph.h). */
#include "graph_make.h"

/* What is known of one row alone is what is known of all. */
static void compare(const struct opened *all, const struct opened *one, uint64_t row,
		    uint64_t *cycles)
{
	struct snap_graph *graph = one->graph;
	uint64_t bytes = 1, freed = 1;
	struct snap_graph_set *set = set_of(graph, &row, 1);
	REQUIRE(snap_graph_find_cycle_of(graph, row, NULL) == SNAP_OK);
	REQUIRE(snap_graph_dominate_row(graph, row, NULL) == SNAP_OK);
	REQUIRE(snap_graph_retained_by(graph, set, &bytes, NULL, NULL) == SNAP_OK);
	REQUIRE(bytes == snap_graph_retained(all->graph, row));
	REQUIRE(snap_graph_retained_by(graph, set, &bytes, &freed, NULL) == SNAP_OK);
	REQUIRE(bytes == snap_graph_retained(all->graph, row));
	snap_graph_set_close(set);
	struct snap_graph_cycle found, wanted;
	uint64_t in = snap_graph_cycle_of(all->graph, row);
	snap_graph_cycle(graph, snap_graph_cycle_of(graph, row), &found);
	snap_graph_cycle(all->graph, in, &wanted);
	*cycles += in != SNAP_GRAPH_NONE;
	REQUIRE(found.objects == wanted.objects && found.bytes == wanted.bytes &&
		found.first == wanted.first);
	for (; row != SNAP_GRAPH_NONE; row = snap_graph_dominator(graph, row)) {
		REQUIRE(snap_graph_retained(graph, row) == snap_graph_retained(all->graph, row));
		REQUIRE(snap_graph_dominator(graph, row) == snap_graph_dominator(all->graph, row));
	}
}

static void compare_all(const struct buffer *buffer, uint64_t rows, bool follow_weak,
			const char *what)
{
	struct opened all = open_graph(buffer, follow_weak), one = open_graph(buffer, follow_weak);
	uint64_t cycles = 0;
	REQUIRE(snap_graph_dominate(all.graph, NULL) == SNAP_OK &&
		snap_graph_find_cycles(all.graph, NULL) == SNAP_OK &&
		snap_graph_search(one.graph, NULL) == SNAP_OK);
	for (uint64_t row = 0; row < rows; row++)
		compare(&all, &one, row, &cycles);
	CHECK_NAMED(cycles > 0, what);
	close_graph(all);
	close_graph(one);
}

static uint64_t next_random(uint64_t *state, uint64_t limit)
{
	*state = *state * UINT64_C(6364136223846793005) + 1;
	return (*state >> 33) % limit;
}

/* Most references lead near; of these, most to what was made before, as in a heap. */
static void make_heap(struct buffer *buffer, uint64_t nodes, uint64_t edges, uint64_t seed)
{
	struct snap_writer *writer = begin(buffer);
	uint32_t types[] = {type(writer, "A", SNAP_TYPE_OBJECT),
			    type(writer, "B", SNAP_TYPE_OBJECT)};
	uint64_t state = seed;
	for (uint64_t i = 0; i < nodes; i++) {
		object(writer, i + 1, 1 + next_random(&state, 100), types[i % 7 == 3]);
		for (uint64_t j = next_random(&state, 2 * edges / nodes + 1); j > 0; j--) {
			uint64_t far = next_random(&state, nodes), near = next_random(&state, 9);
			bool is_near = next_random(&state, 100) < 97;
			uint64_t to =
				is_near && i > near && i - near + 2 < nodes ? i - near + 2 : far;
			refer(writer, i + 1, to + 1,
			      next_random(&state, 50) ? SNAP_REF_FIELD : SNAP_REF_WEAK,
			      SNAP_LABEL_INDEX(j));
		}
	}
	for (uint64_t i = 0; i < 1 + seed % 3; i++)
		root(writer, 1 + next_random(&state, nodes), SNAP_ROOT_GLOBAL, 0);
	finish(writer);
}

/* Lists side by side, whose nodes also lead to others that are at most one step further. */
static void make_lists(struct buffer *buffer, uint64_t nodes, uint64_t lists, uint64_t seed)
{
	struct snap_writer *writer = begin(buffer);
	uint32_t node = type(writer, "Node", SNAP_TYPE_OBJECT);
	uint64_t state = seed;
	for (uint64_t i = 0; i < nodes; i++) {
		uint64_t at = next_random(&state, 3) == 0 ? i : i % lists;
		object(writer, i + 1, 1 + next_random(&state, 100), node);
		if (i + lists < nodes && (at == i || i % 16 != 0))
			refer(writer, i + 1, i + lists + 1, SNAP_REF_FIELD, SNAP_LABEL_NONE);
		for (uint64_t j = next_random(&state, 3); j > 0; j--) {
			uint64_t depth = i / lists + 1 - next_random(&state, at == i ? 4 : 1);
			uint64_t to = depth % (nodes / lists) * lists + next_random(&state, lists);
			refer(writer, i + 1, (next_random(&state, 200) ? to : at) + 1,
			      SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(j));
		}
	}
	for (uint64_t i = 0; i < lists; i += 1 + next_random(&state, 3))
		root(writer, i + 1, SNAP_ROOT_GLOBAL, 0);
	finish(writer);
}

static void test_one_of_many(uint64_t nodes, uint64_t edges, uint64_t seed)
{
	struct buffer buffer = {NULL, 0, 0};
	make_heap(&buffer, nodes, edges, seed);
	compare_all(&buffer, nodes, seed % 2, "one row of many tells what all do");
	free(buffer.bytes);
}

/* Two lists hold the same items at their ends: nothing on the long ways to these dominates them. */
static void test_long_ways(uint64_t length, uint64_t items)
{
	struct buffer buffer = {NULL, 0, 0};
	struct snap_writer *writer = begin(&buffer);
	uint32_t node = type(writer, "Node", SNAP_TYPE_OBJECT);
	for (uint64_t i = 1; i <= 2 * length + items; i++)
		object(writer, i, 1, node);
	for (uint64_t i = 1; i <= 2 * length - 2; i++)
		refer(writer, i, i + 2, SNAP_REF_FIELD, SNAP_LABEL_NONE);
	for (uint64_t i = 0; i < 2 * items; i++)
		refer(writer, 2 * length - 1 + i % 2, 2 * length + 1 + i / 2, SNAP_REF_ELEMENT,
		      SNAP_LABEL_INDEX(i / 2));
	root(writer, 1, SNAP_ROOT_GLOBAL, 0);
	root(writer, 2, SNAP_ROOT_GLOBAL, 0);
	finish(writer);
	struct opened opened = open_graph(&buffer, false);
	REQUIRE(snap_graph_dominate(opened.graph, NULL) == SNAP_OK);
	uint64_t free_rows = 0, sum = 0;
	for (uint64_t row = 0; row < 2 * length + items; row++) {
		free_rows += snap_graph_dominator(opened.graph, row) == SNAP_GRAPH_NONE;
		sum += snap_graph_retained(opened.graph, row);
	}
	CHECK_NAMED(free_rows == items + 2 && sum == items + length * (length + 1),
		    "dominators of what long ways lead to");
	close_graph(opened);
	free(buffer.bytes);
}

static bool digest_branches(void *context, const struct snap_graph_branch *branches, size_t count)
{
	uint64_t *digest = context;
	for (size_t i = 0; i < count; i++)
		*digest = (*digest ^ branches[i].row ^ branches[i].count << 20 ^
			   branches[i].retained << 40) *
			  UINT64_C(0x9e3779b97f4a7c15);
	return true;
}

static struct snap_graph *dominated(struct snap_reader *reader, unsigned threads, uint64_t memory,
				    uint64_t *branches)
{
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct snap_graph *graph;
	options.threads = threads;
	options.max_memory_bytes = memory;
	options.branches = true;
	REQUIRE(snap_graph_open(&graph, reader, &options, NULL) == SNAP_OK);
	REQUIRE(snap_graph_dominate(graph, NULL) == SNAP_OK);
	enum snap_status status = snap_graph_branches(graph, digest_branches, branches, NULL);
	REQUIRE(status == (memory == 0 ? SNAP_OK : SNAP_END));
	return graph;
}

/* One thread, two, and what is found in temporary files, in another way, agree. */
static void test_ways(struct buffer *buffer, uint64_t nodes, const char *what)
{
	struct snap_reader *reader;
	uint64_t branches[3] = {0}, bad = 0;
	REQUIRE(snap_reader_open_memory(&reader, buffer->bytes, buffer->size, NULL, NULL) ==
		SNAP_OK);
	struct snap_graph *one = dominated(reader, 1, 0, &branches[0]);
	struct snap_graph *two = dominated(reader, 2, 0, &branches[1]);
	struct snap_graph *outside = dominated(reader, 1, nodes * 8, &branches[2]);
	for (uint64_t row = 0; row < nodes; row++) {
		uint64_t dominator = snap_graph_dominator(outside, row);
		uint64_t retained = snap_graph_retained(outside, row);
		bad += snap_graph_dominator(one, row) != dominator ||
		       snap_graph_dominator(two, row) != dominator ||
		       snap_graph_retained(one, row) != retained ||
		       snap_graph_retained(two, row) != retained;
	}
	CHECK_NAMED(bad == 0 && branches[0] == branches[1], what);
	snap_graph_close(one);
	snap_graph_close(two);
	snap_graph_close(outside);
	snap_reader_close(reader);
	free(buffer->bytes);
	*buffer = (struct buffer){NULL, 0, 0};
}

/* Distances from the roots are few; several times as many as a band has; too many for any. */
static void test_dominators(uint64_t nodes)
{
	struct buffer buffer = {NULL, 0, 0};
	for (uint64_t seed = 0; seed < 4; seed++) {
		make_heap(&buffer, nodes, nodes * 6 / 5 + nodes * 3 / 5 * seed, seed);
		test_ways(&buffer, nodes, "dominators of a heap, in three ways");
		make_lists(&buffer, nodes, nodes / 500, seed);
		test_ways(&buffer, nodes, "dominators along lists, in three ways");
		make_lists(&buffer, nodes, 10, seed);
		test_ways(&buffer, nodes, "dominators along long lists, in three ways");
	}
}

int main(void)
{
	for (uint64_t seed = 0; seed < 8; seed++)
		test_one_of_many(1000, 700 + 200 * seed, seed);
	test_long_ways(450, 100000);
	test_long_ways(40, 1000);
	test_dominators(100000);
	return DONE();
}
