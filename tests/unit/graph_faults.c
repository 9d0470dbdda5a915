/* Questions about references when memory fails, and of damaged
 * snapshots, with an index and without: nobody is harmed. */
#include "graph_checks.h"

#include "faults.h"

/* ---- lack of memory ---- */

static bool go_on(void *context, const struct snap_graph_reference *reference)
{
	(void)context;
	(void)reference;
	return true;
}

static void tell_nobody(void *context, uint64_t row, uint64_t bytes)
{
	(void)context;
	(void)row;
	(void)bytes;
}

static void tell_no_member(void *context, uint64_t cycle, uint64_t type, uint64_t count,
			   uint64_t first)
{
	(void)cycle;
	(void)type;
	(void)count;
	tell_nobody(context, first, 0);
}

/* What is not there is an answer, too. */
#define TRY(call) \
	do { \
		enum snap_status try_status = (call); \
		if (try_status != SNAP_OK && try_status != SNAP_END) \
			return try_status; \
	} while (0)

static enum snap_status ask_of_each(struct snap_graph *graph, uint64_t row)
{
	TRY(snap_graph_path(graph, row, go_on, NULL, NULL));
	TRY(snap_graph_dominate_row(graph, row, NULL));
	TRY(snap_graph_find_cycle_of(graph, row, NULL));
	struct snap_graph_set *set;
	TRY(snap_graph_set_open(&set, graph, NULL));
	snap_graph_set_add(set, row);
	enum snap_status status = snap_graph_freed_by(graph, set, tell_nobody, NULL, NULL);
	snap_graph_set_close(set);
	return status;
}

/* What cannot fail here, but may be noted for snap_graph_check. */
static void look_at(struct snap_graph *graph, uint64_t objects)
{
	for (uint64_t row = 0; row < objects; row++) {
		(void)snap_graph_retained(graph, row);
		(void)snap_graph_dominator(graph, row);
		(void)snap_graph_cycle_of(graph, row);
	}
	for (uint64_t i = 0; i < snap_graph_cycle_count(graph); i++) {
		struct snap_graph_cycle cycle;
		struct snap_graph_keeper keeper;
		snap_graph_cycle(graph, i, &cycle);
		snap_graph_keeper(graph, i, &keeper);
	}
}

static enum snap_status ask_of_way(struct snap_graph *graph, const struct snap_graph_set *set)
{
	struct snap_graph_ways *ways;
	struct snap_graph_paths *paths;
	TRY(snap_graph_ways_open(&ways, graph, set, NULL));
	enum snap_status status = snap_graph_ways_path(ways, 0, &paths, NULL);
	if (status == SNAP_OK)
		snap_graph_paths_close(paths);
	snap_graph_ways_close(ways);
	return status == SNAP_MISUSE ? SNAP_OK : status;
}

static enum snap_status ask_of_set(struct snap_graph *graph, const struct snap_graph_set *set)
{
	uint64_t bytes, freed;
	struct steps paths = {NULL, 0, 0, 0};
	TRY(snap_graph_references_to(graph, set, go_on, NULL, NULL));
	TRY(snap_graph_freed_by(graph, set, tell_nobody, NULL, NULL));
	TRY(snap_graph_dominate(graph, NULL));
	TRY(snap_graph_find_cycles(graph, NULL));
	TRY(snap_graph_retain_cycles(graph, NULL));
	TRY(snap_graph_find_keepers(graph, NULL));
	if (snap_graph_cycle_count(graph) > 0)
		TRY(snap_graph_members(graph, 0, tell_no_member, NULL, NULL));
	TRY(snap_graph_retained_by(graph, set, &bytes, &freed, NULL));
	TRY(snap_graph_read_objects(graph, set, NULL));
	TRY(ask_of_way(graph, set));
	TRY(read_steps(graph, set, &paths));
	free(paths.steps);
	return SNAP_OK;
}

static enum snap_status ask_all(struct snap_graph *graph, uint64_t objects)
{
	struct snap_graph_set *set;
	uint64_t row;
	TRY(snap_graph_owners(graph, 0, go_on, NULL, NULL));
	TRY(snap_graph_find_address(graph, 0x1000, &row, NULL));
	TRY(snap_graph_attribute_roots(graph, NULL));
	TRY(snap_graph_search(graph, NULL));
	for (row = 0; row < objects; row++)
		TRY(ask_of_each(graph, row));
	TRY(snap_graph_set_open(&set, graph, NULL));
	for (row = 0; row < objects; row++)
		snap_graph_set_add(set, row);
	enum snap_status status = ask_of_set(graph, set);
	if (status == SNAP_OK)
		look_at(graph, objects);
	snap_graph_set_close(set);
	return status == SNAP_OK ? snap_graph_check(graph, NULL) : status;
}

/* An impatient graph reads all of an index at once. */
static enum snap_status open_and_ask(const struct buffer *buffer, uint64_t objects,
				     const struct snap_allocator *memory, uint64_t limit,
				     bool patient)
{
	struct snap_reader_options reading = SNAP_READER_OPTIONS_INIT;
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct snap_reader *reader;
	struct snap_graph *graph;
	reading.allocator = options.allocator = memory;
	options.branches = true;
	options.max_memory_bytes = limit;
	enum snap_status status =
		snap_reader_open_memory(&reader, buffer->bytes, buffer->size, &reading, NULL);
	if (status != SNAP_OK)
		return status;
	status = snap_graph_open(&graph, reader, &options, NULL);
	if (status == SNAP_OK) {
		if (!patient)
			for (int i = 0; i < 3; i++)
				graph->indexed.cost[i] = UINT64_MAX / 2;
		status = ask_all(graph, objects);
		snap_graph_close(graph);
	}
	snap_reader_close(reader);
	return status;
}

static void check_no_memory(const struct buffer *buffer, uint64_t objects, bool patient,
			    const char *name)
{
	uint64_t n = 0, failed = 0, limited = 0;
	for (;; n++) {
		struct faults f = {.memory_fail_at = n, .io_fail_at = UINT64_MAX};
		const struct snap_allocator memory = faulty_memory(&f);
		enum snap_status status = open_and_ask(buffer, objects, &memory, 0, patient);
		REQUIRE(f.live == 0);
		/* A failed shrinking is no failure. */
		REQUIRE(status == SNAP_OK || (f.memory_calls > n && status == SNAP_NO_MEMORY));
		failed += status != SNAP_OK;
		if (f.memory_calls <= n)
			break;
	}
	for (uint64_t limit = 1; limit < 4096; limit += 7) {
		enum snap_status status = open_and_ask(buffer, objects, NULL, limit, patient);
		REQUIRE(status == SNAP_LIMIT || status == SNAP_OK);
		limited += status == SNAP_LIMIT;
	}
	printf("# %" PRIu64 " allocations\n", n);
	CHECK_NAMED(failed > 20 && limited > 0, name);
}

static void test_no_memory(void)
{
	struct buffer buffer = {NULL, 0, 0}, indexed = {NULL, 0, 0};
	static struct model m;
	do
		make_random(&m, &buffer, 0);
	while (m.nodes < 12 || m.root_count == 0 || m.edge_count < 20);
	REQUIRE(add_index(&buffer, &indexed));
	check_no_memory(&buffer, m.nodes, true, "every allocation may fail");
	check_no_memory(&indexed, m.nodes, true, "also of those who read an index");
	check_no_memory(&indexed, m.nodes, false, "and all of it at once");
	free(buffer.bytes);
	free(indexed.bytes);
}

/* ---- damage ---- */

/* Any answer will do from a partial reader, and any failure, but no crash; and a good snapshot's
 * from one that is not. */
static void ask_damaged(const struct buffer *buffer, uint64_t objects, uint64_t answers[2])
{
	struct snap_reader_options reading = SNAP_READER_OPTIONS_INIT;
	struct snap_reader *reader;
	struct snap_graph *graph;
	for (int partial = 0; partial < 2; partial++) {
		reading.partial = partial == 1;
		if (snap_reader_open_memory(&reader, buffer->bytes, buffer->size, &reading, NULL) !=
		    SNAP_OK)
			continue;
		if (snap_graph_open(&graph, reader, NULL, NULL) == SNAP_OK) {
			struct snap_graph_info info;
			snap_graph_info(graph, &info);
			enum snap_status status = SNAP_OK;
			if (info.objects > 0)
				status = ask_all(graph,
						 info.objects < objects ? info.objects : objects);
			const char *text;
			size_t size;
			for (uint32_t i = 0; i < MAX_ROOTS; i++)
				(void)!snap_graph_root_text(graph, i, &text, &size, NULL);
			REQUIRE(status == SNAP_OK || status == SNAP_CORRUPT ||
				status == SNAP_UNSUPPORTED);
			answers[partial] += status == SNAP_OK;
			snap_graph_close(graph);
		}
		snap_reader_close(reader);
	}
}

static void check_damage(struct buffer *buffer, uint64_t objects, const char *name)
{
	uint64_t answers[2] = {0, 0};
	for (size_t i = 0; i < buffer->size; i += 3) {
		buffer->bytes[i] ^= 0x10;
		ask_damaged(buffer, objects, answers);
		buffer->bytes[i] ^= 0x10;
	}
	CHECK_NAMED(answers[1] > answers[0], name);
	size_t whole = buffer->size;
	for (buffer->size = 1; buffer->size < whole; buffer->size += 7)
		ask_damaged(buffer, objects, answers);
}

static void test_damage(void)
{
	struct buffer buffer = {NULL, 0, 0}, indexed = {NULL, 0, 0};
	static struct model m;
	do
		make_random(&m, &buffer, 5);
	while (m.nodes < 8 || m.root_count < 2 || m.edge_count < 20);
	REQUIRE(add_index(&buffer, &indexed));
	check_damage(&buffer, m.nodes, "a partial reader answers more than a strict one");
	check_damage(&indexed, m.nodes, "also where there is an index");
	free(buffer.bytes);
	free(indexed.bytes);
}

int main(void)
{
	test_no_memory();
	test_damage();
	return DONE();
}
