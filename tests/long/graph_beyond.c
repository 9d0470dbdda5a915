/* More objects, and more references, than 32 bits can number: blocks of constant columns make them
 * cheap to store, and what is none takes no room in files (snap_graph.h). */
#define BUILD_MAX_BLOCKS 20000
#include "../unit/build_snapshot.h"

#include "graph/graph.h"

#define BLOCK  UINT64_C(1048576) /* rows, at most */
#define NODES  UINT64_C(4200)    /* that refer to others, as a binary tree does */
#define MEMORY (UINT64_C(3) << 30)

static void constant(struct build *b, uint32_t column, uint64_t value, uint64_t rows)
{
	uint8_t raw[10];
	struct sink s = sink_over(raw, sizeof(raw));
	sink_varint(&s, value);
	for (uint64_t count; rows > 0; rows -= count) {
		count = rows < BLOCK ? rows : BLOCK;
		build_raw(b, build_like(b, column, SNAPFMT_CONSTANT, (size_t)count), raw,
			  (size_t)(s.at - raw));
	}
}

/* Runs of objects without references and of nodes, of which each has a tail: its two children, the
 * first and the last element.  Ids follow those of the others. */
static void make(struct build *b, uint64_t others, uint64_t length)
{
	static const char *const strings[] = {"Node"};
	const uint64_t shapes[] = {1, 1}, slots[] = {0, 0}, tails[] = {0, 1};
	const uint64_t run_shapes[] = {1, 2}, run_rows[] = {others, NODES};
	build_begin(b);
	build_strings(b, strings, 1);
	constant(b, SNAP_TYPE_NAME, 1, 1);
	build_column(b, SNAP_SHAPE_TYPE, shapes, 2);
	build_column(b, SNAP_SHAPE_SLOT_COUNT, slots, 2);
	build_column(b, SNAP_SHAPE_TAIL, tails, 2);
	build_column(b, SNAP_RUN_SHAPE, run_shapes, 2);
	build_column(b, SNAP_RUN_ROWS, run_rows, 2);
	constant(b, SNAP_OBJECT_SIZE, 16, others + NODES);
	constant(b, SNAP_TAIL_LENGTH, length, NODES);
	for (uint64_t i = 1; i <= NODES; i++) {
		uint64_t child = 2 * i <= NODES ? others + 2 * i : 0;
		constant(b, SNAP_REFERENCE_TARGET, child, 1);
		constant(b, SNAP_REFERENCE_TARGET, 0, length - 2);
		constant(b, SNAP_REFERENCE_TARGET,
			 child < others + NODES && child != 0 ? child + 1 : 1, 1);
	}
	constant(b, SNAP_ROOT_OBJECT, others + 1, 1);
	build_end(b, NULL);
}

static uint64_t depth_of(uint64_t node)
{
	return (uint64_t)(63 - __builtin_clzll(node));
}

struct walk_to {
	uint64_t steps, last;
	bool good;
};

static bool step(void *context, const struct snap_graph_reference *reference)
{
	struct walk_to *walk = context;
	walk->good &= walk->steps++ == 0 || reference->owner == walk->last;
	walk->last = reference->target;
	return true;
}

static uint64_t nodes_below(uint64_t node)
{
	uint64_t count = 0;
	for (uint64_t low = node, high = node; low <= NODES; low = 2 * low, high = 2 * high + 1)
		count += (high <= NODES ? high : NODES) - low + 1;
	return count;
}

static void ask(struct snap_graph *graph, uint64_t others)
{
	bool near = true, dominated = true, kept = true, path = true;
	REQUIRE(snap_graph_search(graph, NULL) == SNAP_OK);
	REQUIRE(snap_graph_dominate(graph, NULL) == SNAP_OK);
	for (uint64_t i = 1; i <= NODES; i++) {
		uint64_t row = others + i - 1;
		struct walk_to walk = {.good = true};
		near &= snap_graph_distance(graph, row) == depth_of(i);
		dominated &= snap_graph_dominator(graph, row) ==
			     (i == 1 ? SNAP_GRAPH_NONE : others + i / 2 - 1);
		/* Nodes without a right child hold the first of the others. */
		kept &= snap_graph_retained(graph, row) == 16 * (nodes_below(i) + (i == 1));
		if (i % 512 == 0) {
			path &= snap_graph_path(graph, row, step, &walk, NULL) == SNAP_OK;
			path &= walk.good && walk.last == row && walk.steps == depth_of(i) + 1;
		}
	}
	CHECK_NAMED(near, "distances");
	CHECK_NAMED(dominated, "dominators");
	CHECK_NAMED(kept, "retained bytes");
	CHECK_NAMED(path, "paths");
	CHECK_NAMED(snap_graph_distance(graph, others - 1) == SNAP_GRAPH_NONE || others == 1,
		    "what is not reached");
	struct snap_graph_set *set;
	uint64_t bytes, objects;
	REQUIRE(snap_graph_set_open(&set, graph, NULL) == SNAP_OK);
	snap_graph_set_add(set, others + 2 - 1);
	snap_graph_set_add(set, others + 3 - 1);
	REQUIRE(snap_graph_retained_by(graph, set, &bytes, &objects, NULL) == SNAP_OK);
	CHECK_NAMED(objects == NODES && bytes == 16 * NODES, "what would be freed");
	snap_graph_set_close(set);
	REQUIRE(snap_graph_check(graph, NULL) == SNAP_OK);
}

static void test(uint64_t others, uint64_t length)
{
	static struct build b;
	struct snap_error error = {.message = ""};
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct snap_reader *reader;
	struct snap_graph *graph;
	struct snap_graph_info info;
	options.max_memory_bytes = MEMORY;
	make(&b, others, length);
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, NULL) == SNAP_OK);
	if (snap_graph_open(&graph, reader, &options, &error) != SNAP_OK) {
		printf("# %s\n", error.message);
		REQUIRE(false);
	}
	snap_graph_info(graph, &info);
	CHECK_NAMED(info.objects == others + NODES && info.references > NODES, "all is loaded");
	CHECK_NAMED(graph->wide, "numbers are wide");
	ask(graph, others);
	snap_graph_info(graph, &info);
	CHECK_NAMED(info.peak_memory_bytes <= MEMORY, "within the memory");
	snap_graph_close(graph);
	snap_reader_close(reader);
	build_free(&b);
}

int main(void)
{
	test(1, BLOCK);                       /* references */
	test((UINT64_C(1) << 32) + 7, 2 + 1); /* objects */
	return DONE();
}
