/* Fuzz target: questions about any bytes as a snapshot, with whatever its index says, are
 * answered or refused with a reason.  A byte of the header that readers ignore chooses them. */
#include <stdlib.h>

#include "snap_graph.h"
#include "snap_query.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { LIMIT = 8 << 20, CHOICE = 27 };

static void *resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	size_t *live = context;
	*live += new_size - old_size;
	if (new_size)
		return realloc(pointer, new_size);
	free(pointer);
	return NULL;
}

static bool is_good(enum snap_status status, const struct snap_error *error)
{
	bool says_why = error->status == status && error->message[0] != '\0';
	if (status != SNAP_OK && status != SNAP_END && !says_why)
		abort();
	return status == SNAP_OK;
}

static bool look(void *context, const struct snap_graph_reference *reference)
{
	uint64_t *looked = context;
	(void)reference;
	return ++*looked < 10000;
}

static void ask_objects(struct snap_graph *graph, struct snap_error *error)
{
	struct snap_graph_info info;
	struct snap_graph_set *targets;
	struct snap_graph_paths *paths;
	uint64_t looked = 0, freed, freed_objects;
	snap_graph_info(graph, &info);
	if (!is_good(snap_graph_set_open(&targets, graph, error), error))
		return;
	for (uint64_t row = 0; row < info.objects && row < 100; row++) {
		struct snap_graph_object object;
		(void)is_good(snap_graph_object(graph, row, &object, error), error);
		(void)is_good(snap_graph_path(graph, row, look, &looked, error), error);
		(void)is_good(snap_graph_owners(graph, row, look, &looked, error), error);
		snap_graph_set_add(targets, row);
	}
	if (is_good(snap_graph_merge_paths(graph, targets, &paths, error), error)) {
		struct snap_graph_paths_info steps;
		struct snap_graph_step step;
		snap_graph_paths_info(paths, &steps);
		for (uint32_t i = 0; i < steps.count && i < 100; i++)
			(void)is_good(snap_graph_paths_step(paths, i, &step, error), error);
		snap_graph_paths_close(paths);
	}
	(void)is_good(snap_graph_retained_by(graph, targets, &freed, &freed_objects, error), error);
	snap_graph_set_close(targets);
}

static void ask_graph(struct snap_reader *reader, const struct snap_allocator *allocator, bool weak)
{
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct snap_graph *graph;
	struct snap_error error;
	options.max_memory_bytes = LIMIT;
	options.allocator = allocator;
	options.follow_weak = weak;
	if (!is_good(snap_graph_open(&graph, reader, &options, &error), &error))
		return;
	if (is_good(snap_graph_search(graph, &error), &error) &&
	    is_good(snap_graph_dominate(graph, &error), &error) &&
	    is_good(snap_graph_find_cycles(graph, &error), &error))
		ask_objects(graph, &error);
	snap_graph_close(graph);
}

static void ask(struct snap_reader *reader, const struct snap_allocator *allocator,
		enum snap_key key, bool retained)
{
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	struct snap_answer *answer;
	struct snap_answer_info info;
	struct snap_error error;
	options.key = key;
	options.retained = retained;
	options.max_memory_bytes = LIMIT;
	options.allocator = allocator;
	if (!is_good(snap_query(&answer, reader, &options, &error), &error))
		return;
	snap_answer_info(answer, &info);
	for (uint64_t i = 0; i < info.row_count && i < 1000; i++) {
		struct snap_answer_row row;
		snap_answer_row(answer, i, &row);
	}
	(void)is_good(snap_answer_check(answer, &error), &error);
	snap_answer_free(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	size_t live = 0;
	struct snap_allocator allocator = {&live, resize};
	struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
	struct snap_reader *reader;
	struct snap_error error;
	uint8_t choice = size > CHOICE ? bytes[CHOICE] : 0;
	options.max_memory_bytes = LIMIT;
	options.partial = choice & 1;
	options.allocator = &allocator;
	if (is_good(snap_reader_open_memory(&reader, bytes, size, &options, &error), &error)) {
		for (int key = 0; key < SNAP_KEY_COUNT; key++)
			ask(reader, &allocator, (enum snap_key)key, choice & 2);
		ask_graph(reader, &allocator, choice & 4);
		snap_reader_close(reader);
	}
	if (live != 0)
		abort();
	return 0;
}
