/* For tests of the graph: a snapshot made in memory, and opened. */
#ifndef GRAPH_MAKE_H
#define GRAPH_MAKE_H

#include "tap.h"

#include "snap_index.h"

/* ---- a snapshot in memory ---- */

struct buffer {
	uint8_t *bytes;
	size_t size, capacity;
};

static inline int append(void *context, const void *bytes, size_t size)
{
	struct buffer *buffer = context;
	if (buffer->size + size > buffer->capacity) {
		buffer->capacity = 2 * (buffer->size + size);
		buffer->bytes = realloc(buffer->bytes, buffer->capacity);
		REQUIRE(buffer->bytes != NULL);
	}
	memcpy(buffer->bytes + buffer->size, bytes, size);
	buffer->size += size;
	return 0;
}

static inline struct snap_writer *begin(struct buffer *buffer)
{
	const struct snap_sink sink = {.context = buffer, .write = append};
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.level = 1;
	struct snap_writer *writer;
	buffer->size = 0;
	REQUIRE(snap_writer_open_sink(&writer, &sink, &options, NULL) == SNAP_OK);
	return writer;
}

static inline uint32_t string(struct snap_writer *writer, const char *text)
{
	uint32_t id;
	REQUIRE(snap_writer_string(writer, text, strlen(text), &id, NULL) == SNAP_OK);
	return id;
}

static inline uint32_t type(struct snap_writer *writer, const char *name, enum snap_type_kind kind)
{
	uint32_t id;
	REQUIRE(snap_writer_type(writer, string(writer, name), kind, &id, NULL) == SNAP_OK);
	return id;
}

static inline void object(struct snap_writer *writer, uint64_t id, uint64_t size, uint32_t type_id)
{
	const struct snap_object object = {.id = id, .size = size, .count = 1, .type = type_id};
	REQUIRE(snap_writer_object(writer, &object, NULL) == SNAP_OK);
}

static inline void refer(struct snap_writer *writer, uint64_t from, uint64_t to,
			 enum snap_reference_kind kind, uint64_t label)
{
	REQUIRE(snap_writer_reference(writer, from, to, kind, label, NULL) == SNAP_OK);
}

static inline void root(struct snap_writer *writer, uint64_t id, enum snap_root_kind kind,
			uint32_t label)
{
	const struct snap_root entry = {.object = id, .kind = kind, .label = label};
	REQUIRE(snap_writer_root(writer, &entry, NULL) == SNAP_OK);
}

static inline void finish(struct snap_writer *writer)
{
	struct snap_error error = {.message = ""};
	if (snap_writer_finish(writer, NULL, &error) != SNAP_OK) {
		printf("# %s\n", error.message);
		REQUIRE(false);
	}
}

/* The same with an index; false: there can be none. */
static inline bool add_index(const struct buffer *plain, struct buffer *indexed)
{
	struct snap_index_options options = SNAP_INDEX_OPTIONS_INIT;
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, plain->bytes, plain->size, NULL, NULL) == SNAP_OK);
	enum snap_status status = snap_index_write(begin(indexed), reader, &options, NULL, NULL);
	bool can = snap_reader_row_count(reader, SNAP_OBJECTS) > 0 &&
		   snap_reader_row_count(reader, SNAP_ROOTS) > 0;
	REQUIRE(status == (can ? SNAP_OK : SNAP_MISUSE));
	snap_reader_close(reader);
	return can;
}

struct opened {
	struct snap_reader *reader;
	struct snap_graph *graph;
};

static inline struct opened open_graph(const struct buffer *buffer, bool follow_weak)
{
	struct opened opened;
	struct snap_error error = {.message = ""};
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	options.follow_weak = follow_weak;
	options.branches = true;
	options.threads = 2;
	REQUIRE(snap_reader_open_memory(&opened.reader, buffer->bytes, buffer->size, NULL,
					&error) == SNAP_OK);
	if (snap_graph_open(&opened.graph, opened.reader, &options, &error) != SNAP_OK) {
		printf("# %s\n", error.message);
		REQUIRE(false);
	}
	return opened;
}

static inline struct snap_graph_set *set_of(struct snap_graph *graph, const uint64_t *rows,
					    size_t count)
{
	struct snap_graph_set *set;
	REQUIRE(snap_graph_set_open(&set, graph, NULL) == SNAP_OK);
	for (size_t i = 0; i < count; i++)
		snap_graph_set_add(set, rows[i]);
	return set;
}

/* All steps; free(steps). */
struct steps {
	struct snap_graph_step *steps;
	uint32_t count, first;
	uint64_t unreached;
};

/* Closes the paths. */
static inline enum snap_status take_steps(struct snap_graph_paths *paths, struct steps *out)
{
	struct snap_graph_paths_info info;
	enum snap_status status = SNAP_OK;
	snap_graph_paths_info(paths, &info);
	*out = (struct steps){calloc(info.count + 1ull, sizeof(*out->steps)), info.count,
			      info.first, info.unreached};
	REQUIRE(out->steps != NULL);
	for (uint32_t i = 0; status == SNAP_OK && i < info.count; i++)
		status = snap_graph_paths_step(paths, i, &out->steps[i], NULL);
	snap_graph_paths_close(paths);
	if (status != SNAP_OK)
		free(out->steps);
	return status;
}

static inline enum snap_status read_steps(struct snap_graph *graph,
					  const struct snap_graph_set *set, struct steps *out)
{
	struct snap_graph_paths *paths;
	enum snap_status status = snap_graph_merge_paths(graph, set, &paths, NULL);
	return status == SNAP_OK ? take_steps(paths, out) : status;
}

static inline enum snap_status merge_paths(struct snap_graph *graph, const uint64_t *rows,
					   size_t count, struct steps *out)
{
	struct snap_graph_set *set = set_of(graph, rows, count);
	enum snap_status status = read_steps(graph, set, out);
	snap_graph_set_close(set);
	return status;
}

static inline void close_graph(struct opened opened)
{
	snap_graph_close(opened.graph);
	snap_reader_close(opened.reader);
}

#endif
