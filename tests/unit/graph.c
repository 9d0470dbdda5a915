/* Questions about references: random graphs against naive answers, lack of memory, damage. */
#include "graph_model.h"

static void test_random(uint32_t rounds)
{
	struct buffer buffer = {NULL, 0, 0};
	static struct model m;
	for (uint32_t round = 0; round < rounds; round++) {
		make_random(&m, &buffer, round);
		struct opened opened = open_graph(&buffer, m.follow_weak);
		find_names(&m, opened);
		find_rows(&m, opened.graph);
		check_all(&m, opened.graph, CHECKS);
		check_outside(&m, opened.reader, true, CHECKS);
		check_outside(&m, opened.reader, false, round % CHECKS);
		close_graph(opened);
	}
	free(buffer.bytes);
	CHECK_NAMED(true, "random graphs agree with naive answers, inside and outside of memory");
}

/* ---- lack of memory ---- */

struct failing {
	uint64_t calls, fail_at, live;
};

static void *resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct failing *failing = context;
	if (new_size == 0) {
		failing->live -= pointer != NULL ? old_size : 0;
		free(pointer);
		return NULL;
	}
	if (failing->calls++ == failing->fail_at)
		return NULL;
	void *moved = realloc(pointer, new_size);
	REQUIRE(moved != NULL);
	failing->live += new_size - (pointer != NULL ? old_size : 0);
	return moved;
}

static bool go_on(void *context, const struct snap_graph_reference *reference)
{
	(void)context;
	(void)reference;
	return true;
}

static enum snap_status ask_all(struct snap_graph *graph, uint64_t objects)
{
	uint64_t bytes, freed;
	struct steps paths;
	struct snap_graph_set *set = NULL;
	enum snap_status status = snap_graph_set_open(&set, graph, NULL);
	for (uint64_t i = 0; status == SNAP_OK && i < objects; i++)
		snap_graph_set_add(set, i);
	if (status == SNAP_OK)
		status = snap_graph_owners(graph, 0, go_on, NULL, NULL);
	if (status == SNAP_OK)
		status = snap_graph_attribute_roots(graph, NULL);
	for (uint64_t i = 0; status == SNAP_OK && i < objects; i++)
		status = snap_graph_dominate_row(graph, i, NULL);
	for (uint64_t i = 0; status == SNAP_OK && i < objects; i++)
		status = snap_graph_find_cycle_of(graph, i, NULL);
	if (status == SNAP_OK)
		status = snap_graph_dominate(graph, NULL);
	if (status == SNAP_OK)
		status = snap_graph_find_cycles(graph, NULL);
	if (status == SNAP_OK)
		status = snap_graph_retained_by(graph, set, &bytes, &freed, NULL);
	for (uint64_t i = 0; i < objects && status == SNAP_OK; i++) {
		status = snap_graph_path(graph, i, go_on, NULL, NULL);
		status = status == SNAP_END ? SNAP_OK : status;
	}
	if (status == SNAP_OK) {
		status = read_steps(graph, set, &paths);
		if (status == SNAP_OK)
			free(paths.steps);
	}
	snap_graph_set_close(set);
	return status;
}

static enum snap_status open_and_ask(const struct buffer *buffer, uint64_t objects,
				     const struct snap_allocator *memory, uint64_t limit)
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
		status = ask_all(graph, objects);
		snap_graph_close(graph);
	}
	snap_reader_close(reader);
	return status;
}

static void test_no_memory(void)
{
	struct buffer buffer = {NULL, 0, 0};
	static struct model m;
	do
		make_random(&m, &buffer, 0);
	while (m.nodes < 12 || m.root_count == 0 || m.edge_count < 20);
	uint64_t n = 0, limited = 0;
	for (;; n++) {
		struct failing failing = {.fail_at = n};
		const struct snap_allocator memory = {.context = &failing, .resize = resize};
		enum snap_status status = open_and_ask(&buffer, m.nodes, &memory, 0);
		REQUIRE(failing.live == 0);
		REQUIRE(status == (failing.calls <= n ? SNAP_OK : SNAP_NO_MEMORY) ||
			(status == SNAP_OK &&
			 failing.calls > n)); /* a failed shrinking is no failure */
		if (failing.calls <= n)
			break;
	}
	CHECK_NAMED(n > 20, "every allocation may fail");
	for (uint64_t limit = 1; limit < 4096; limit += 7) {
		enum snap_status status = open_and_ask(&buffer, m.nodes, NULL, limit);
		REQUIRE(status == SNAP_LIMIT || status == SNAP_OK);
		limited += status == SNAP_LIMIT;
	}
	CHECK_NAMED(limited > 0, "less memory than is needed is over the limit");
	free(buffer.bytes);
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

static void test_damage(void)
{
	struct buffer buffer = {NULL, 0, 0};
	static struct model m;
	uint64_t answers[2] = {0, 0};
	do
		make_random(&m, &buffer, 5);
	while (m.nodes < 8 || m.root_count < 2 || m.edge_count < 20);
	for (size_t i = 0; i < buffer.size; i += 3) {
		buffer.bytes[i] ^= 0x10;
		ask_damaged(&buffer, m.nodes, answers);
		buffer.bytes[i] ^= 0x10;
	}
	CHECK_NAMED(answers[1] > answers[0], "a partial reader answers more than a strict one");
	size_t whole = buffer.size;
	for (buffer.size = 1; buffer.size < whole; buffer.size += 7)
		ask_damaged(&buffer, m.nodes, answers);
	CHECK_NAMED(true, "damaged graphs harm nobody");
	free(buffer.bytes);
}

int main(void)
{
	test_random(3000);
	test_no_memory();
	test_damage();
	return DONE();
}
