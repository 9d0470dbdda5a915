/* Dominators with less memory than they need: the same answers from temporary files, and files that
 * fail (snap_graph.h). */
#include "graph_make.h"

#include "core.h"

#include <errno.h>

/* ---- files and memory that are counted, and fail ---- */

struct faults {
	uint64_t memory_calls, memory_fail_at, live;
	uint64_t io_calls, io_fail_at, written;
	uint32_t open_files;
};

static void *resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct faults *f = context;
	if (new_size > 0 && f->memory_calls++ == f->memory_fail_at)
		return NULL;
	f->live += new_size - (pointer != NULL ? old_size : 0);
	if (new_size == 0) {
		free(pointer);
		return NULL;
	}
	return realloc(pointer, new_size);
}

static int faulty_open(void *context, const char *path, enum snap_io_mode mode, void **file)
{
	struct faults *f = context;
	if (f->io_calls++ == f->io_fail_at)
		return EMFILE;
	REQUIRE(mode == SNAP_IO_TEMPORARY);
	int failed = libsnap_system_io()->open(NULL, path, mode, file);
	f->open_files += failed == 0;
	return failed;
}

static int faulty_read_at(void *context, void *file, uint64_t offset, void *buffer, size_t size,
			  size_t *got)
{
	struct faults *f = context;
	if (f->io_calls++ == f->io_fail_at)
		return EIO;
	return libsnap_system_io()->read_at(NULL, file, offset, buffer, size, got);
}

static int faulty_write_at(void *context, void *file, uint64_t offset, const void *buffer,
			   size_t size)
{
	struct faults *f = context;
	if (f->io_calls++ == f->io_fail_at)
		return ENOSPC;
	f->written += size;
	return libsnap_system_io()->write_at(NULL, file, offset, buffer, size);
}

static int faulty_close(void *context, void *file)
{
	struct faults *f = context;
	f->open_files--;
	return libsnap_system_io()->close(NULL, file);
}

/* ---- graphs ---- */

static uint64_t random_state = 88172645463325252u;

static uint64_t pick(uint64_t below)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 16) % below;
}

static uint64_t pick_near(uint64_t from, uint64_t objects)
{
	return from > 20 && pick(8) != 0 ? from - pick(20) : pick(objects);
}

/* Each form is hard for a part of the work: 0 references to any place, 1 a hub that much refers to,
 * with more references than are listed at a time, 2 climbs that are as long as the graph, 3 arrays
 * with long tails, and objects that no root reaches. */
static void make(struct buffer *buffer, uint64_t objects, int form)
{
	struct snap_writer *writer = begin(buffer);
	uint32_t types[3] = {type(writer, "A", SNAP_TYPE_OBJECT),
			     type(writer, "B", SNAP_TYPE_OBJECT),
			     type(writer, "C", SNAP_TYPE_ARRAY)};
	uint64_t next = SNAP_LABEL_STRING(string(writer, "next"));
	uint64_t other = SNAP_LABEL_STRING(string(writer, "other"));
	for (uint64_t i = 1; i <= objects; i++) {
		uint64_t kind = pick(3);
		object(writer, i, 1 + pick(100), types[kind]);
		if (i < objects && (form != 3 || pick(50) != 0))
			refer(writer, i, i + 1, SNAP_REF_FIELD, next);
		for (uint64_t j = 0; form == 0 && j < kind; j++)
			refer(writer, i, 1 + pick(objects), SNAP_REF_FIELD, other);
		for (uint64_t j = 0; form == 1 && j < 3; j++)
			refer(writer, i, 1 + objects / 2, SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(j));
		for (uint64_t j = 0; form == 3 && kind == 2 && j < 9; j++)
			refer(writer, i, 1 + pick_near(i, objects), SNAP_REF_ELEMENT,
			      SNAP_LABEL_INDEX(j));
		if (form != 2)
			continue;
		object(writer, objects + i, 1, types[1]);
		refer(writer, i, objects + i, SNAP_REF_FIELD, other);
		if (i % 3 == 0)
			refer(writer, objects / 2, objects + i, SNAP_REF_ELEMENT,
			      SNAP_LABEL_INDEX(i));
		else
			root(writer, objects + i, SNAP_ROOT_INTERNED, 0);
	}
	root(writer, 1, SNAP_ROOT_GLOBAL, 0);
	finish(writer);
}

/* ---- answers ---- */

struct answers {
	uint64_t rows, *retained, *dominator;
};

static void read_answers(const struct snap_graph *graph, struct answers *out)
{
	struct snap_graph_info info;
	snap_graph_info(graph, &info);
	*out = (struct answers){.rows = info.objects,
				.retained = calloc(info.objects, 8),
				.dominator = calloc(info.objects, 8)};
	REQUIRE(out->retained != NULL && out->dominator != NULL);
	for (uint64_t row = 0; row < info.objects; row++) {
		out->retained[row] = snap_graph_retained(graph, row);
		out->dominator[row] = snap_graph_dominator(graph, row);
	}
}

static void free_answers(struct answers *answers)
{
	free(answers->retained);
	free(answers->dominator);
}

static bool are_equal(const struct answers *a, const struct answers *b)
{
	return a->rows == b->rows && memcmp(a->retained, b->retained, a->rows * 8) == 0 &&
	       memcmp(a->dominator, b->dominator, a->rows * 8) == 0;
}

/* Whatever fails: no other answer, nothing left over. */
static enum snap_status ask(const struct buffer *buffer, uint64_t limit, struct faults *f,
			    const struct answers *wanted)
{
	const struct snap_allocator memory = {.context = f, .resize = resize};
	const struct snap_io io = {.context = f,
				   .open = faulty_open,
				   .read_at = faulty_read_at,
				   .write_at = faulty_write_at,
				   .close = faulty_close};
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct snap_reader *reader;
	struct snap_graph *graph;
	struct snap_graph_info info;
	options.max_memory_bytes = limit;
	options.allocator = &memory;
	options.io = &io;
	REQUIRE(snap_reader_open_memory(&reader, buffer->bytes, buffer->size, NULL, NULL) ==
		SNAP_OK);
	enum snap_status status = snap_graph_open(&graph, reader, &options, NULL);
	if (status == SNAP_OK) {
		status = snap_graph_dominate(graph, NULL);
		struct answers answers;
		read_answers(graph, &answers);
		if (status == SNAP_OK)
			status = snap_graph_check(graph, NULL);
		if (status == SNAP_OK)
			REQUIRE(are_equal(&answers, wanted));
		free_answers(&answers);
		snap_graph_info(graph, &info);
		REQUIRE(info.peak_memory_bytes <= limit);
		snap_graph_close(graph);
	}
	snap_reader_close(reader);
	REQUIRE(f->open_files == 0 && f->live == 0);
	return status;
}

static void test_limits(uint64_t objects, int form)
{
	struct buffer buffer = {NULL, 0, 0};
	make(&buffer, objects, form);
	struct opened opened = open_graph(&buffer, false);
	struct answers wanted;
	REQUIRE(snap_graph_dominate(opened.graph, NULL) == SNAP_OK);
	read_answers(opened.graph, &wanted);
	uint64_t answered = 0, spilled = 0;
	for (uint64_t limit = 1024; limit < 100 * objects; limit += limit / 8) {
		struct faults f = {.memory_fail_at = UINT64_MAX, .io_fail_at = UINT64_MAX};
		enum snap_status status = ask(&buffer, limit, &f, &wanted);
		/* Places of pages take much where pages are as small as here. */
		REQUIRE(status == SNAP_OK || (status == SNAP_LIMIT && limit < 32 * objects));
		answered += status == SNAP_OK;
		spilled += status == SNAP_OK && f.written > 0;
	}
	CHECK_NAMED(spilled > 8 && answered > spilled, "the same answers with any memory");
	free_answers(&wanted);
	close_graph(opened);
	free(buffer.bytes);
}

static void test_faults(uint64_t objects, uint64_t limit)
{
	struct buffer buffer = {NULL, 0, 0};
	make(&buffer, objects, 0);
	struct opened opened = open_graph(&buffer, false);
	struct answers wanted;
	uint64_t failures = 0, n;
	REQUIRE(snap_graph_dominate(opened.graph, NULL) == SNAP_OK);
	read_answers(opened.graph, &wanted);
	for (n = 0;; n += 1 + n / 8) {
		struct faults f = {.memory_fail_at = UINT64_MAX, .io_fail_at = n};
		enum snap_status status = ask(&buffer, limit, &f, &wanted);
		REQUIRE(status == (f.io_calls > n ? SNAP_IO : SNAP_OK));
		failures += status == SNAP_IO;
		if (status == SNAP_OK)
			break;
	}
	CHECK_NAMED(failures > 20, "files that fail are said, and no answer is wrong");
	for (n = 0;; n++) {
		struct faults f = {.memory_fail_at = n, .io_fail_at = UINT64_MAX};
		enum snap_status status = ask(&buffer, limit, &f, &wanted);
		REQUIRE(status == SNAP_NO_MEMORY || status == SNAP_OK);
		if (f.memory_calls <= n)
			break;
	}
	CHECK_NAMED(n > 20, "every allocation may fail outside, too");
	free_answers(&wanted);
	close_graph(opened);
	free(buffer.bytes);
}

/* Questions that need the references in memory get them back where there is room. */
static void test_return(uint64_t objects)
{
	struct buffer buffer = {NULL, 0, 0};
	make(&buffer, objects, 3);
	struct opened whole = open_graph(&buffer, false);
	REQUIRE(snap_graph_dominate(whole.graph, NULL) == SNAP_OK);
	REQUIRE(snap_graph_search(whole.graph, NULL) == SNAP_OK);
	REQUIRE(snap_graph_find_cycles(whole.graph, NULL) == SNAP_OK);
	struct answers wanted, answers;
	read_answers(whole.graph, &wanted);
	struct snap_graph_info info;
	snap_graph_info(whole.graph, &info);
	uint64_t searched = 0, limited = 0;
	for (uint64_t limit = 16 * objects; limit < info.peak_memory_bytes; limit += objects) {
		struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
		struct snap_graph *graph;
		options.max_memory_bytes = limit;
		REQUIRE(snap_graph_open(&graph, whole.reader, &options, NULL) == SNAP_OK);
		REQUIRE(snap_graph_dominate(graph, NULL) == SNAP_OK);
		enum snap_status status = snap_graph_search(graph, NULL);
		REQUIRE(status == SNAP_OK || status == SNAP_LIMIT);
		searched += status == SNAP_OK;
		limited += status == SNAP_LIMIT;
		for (uint64_t row = 0; status == SNAP_OK && row < objects; row++)
			REQUIRE(snap_graph_distance(graph, row) ==
				snap_graph_distance(whole.graph, row));
		status = snap_graph_find_cycles(graph, NULL);
		REQUIRE(status == SNAP_LIMIT ||
			(status == SNAP_OK &&
			 snap_graph_cycle_count(graph) == snap_graph_cycle_count(whole.graph)));
		read_answers(graph, &answers);
		REQUIRE(snap_graph_check(graph, NULL) == SNAP_OK && are_equal(&answers, &wanted));
		free_answers(&answers);
		snap_graph_close(graph);
	}
	CHECK_NAMED(searched > 0 && limited > 0, "references come back where there is room");
	free_answers(&wanted);
	close_graph(whole);
	free(buffer.bytes);
}

int main(void)
{
	for (int form = 0; form < 4; form++)
		test_limits(4000, form);
	test_faults(1000, 20000);
	test_return(3000);
	return DONE();
}
