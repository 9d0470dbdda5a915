/* Objects that are written as they come: the reader finds them
 * in that order, and what has none is refused (snap.h). */
#include "writer_model.h"

#include "faults.h"
#include "writer.h"

#include <unistd.h>

#define TYPES 3u

/* Some have no id; flags come late. */
static struct snap_object object_at(uint64_t i)
{
	return (struct snap_object){.id = i % 100 == 7 ? 0 : 4096 + i * 48,
				    .size = i % 40,
				    .count = i % 50 == 20   ? 0
					     : i % 100 == 7 ? 3
							    : 1,
				    .type = (uint32_t)(i / 1000 % (TYPES + 1)),
				    .flags = i > 150000};
}

static enum snap_status add_objects(struct snap_writer *w, uint64_t count, struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0, id; i < TYPES && status == SNAP_OK; i++) {
		char name[] = {(char)('a' + i), '\0'};
		status = snap_writer_string(w, name, 1, &id, error);
		if (status == SNAP_OK)
			status = snap_writer_type(w, id, SNAP_TYPE_OBJECT, &id, error);
	}
	for (uint64_t i = 0; i < count && status == SNAP_OK; i++) {
		struct snap_object o = object_at(i);
		status = snap_writer_object(w, &o, error);
	}
	return status;
}

static struct snap_writer *open_direct(struct model_bytes *b)
{
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	const struct snap_sink sink = {b, model_take};
	struct snap_writer *w;
	options.direct = true;
	REQUIRE(snap_writer_open_sink(&w, &sink, &options, NULL) == SNAP_OK);
	return w;
}

static void require_column(struct snap_reader *reader, uint32_t id, const uint64_t *wanted,
			   uint64_t rows)
{
	struct snap_column *c;
	uint64_t *values = model_alloc(rows, sizeof(*values));
	REQUIRE(snap_reader_row_count(reader, SNAP_OBJECTS) == rows &&
		snap_column_open(&c, reader, id, NULL) == SNAP_OK);
	REQUIRE(snap_column_read(c, 0, rows, values, NULL) == SNAP_OK);
	REQUIRE(memcmp(values, wanted, rows * sizeof(*values)) == 0);
	snap_column_close(c);
	free(values);
}

static void check_rows(uint64_t count)
{
	struct model_bytes b = {0};
	struct snap_writer *w = open_direct(&b);
	struct snap_reader *reader;
	struct snap_error error;
	uint64_t *values[4];
	REQUIRE(add_objects(w, count, &error) == SNAP_OK &&
		snap_writer_finish(w, NULL, &error) == SNAP_OK);
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, &error) == SNAP_OK);
	CHECK(snap_reader_verify(reader, NULL, NULL, &error) == SNAP_OK);
	for (int i = 0; i < 4; i++)
		values[i] = model_alloc(count, sizeof(*values[i]));
	for (uint64_t i = 0; i < count; i++) {
		struct snap_object o = object_at(i);
		values[0][i] = o.id;
		values[1][i] = o.size;
		values[2][i] = o.count;
		values[3][i] = o.flags;
	}
	require_column(reader, SNAP_OBJECT_ADDRESS, values[0], count);
	require_column(reader, SNAP_OBJECT_SIZE, values[1], count);
	require_column(reader, SNAP_OBJECT_COUNT, values[2], count);
	require_column(reader, SNAP_OBJECT_FLAGS, values[3], count);
	CHECK(snap_reader_row_count(reader, SNAP_RUNS) == (count + 999) / 1000);
	CHECK(snap_reader_row_count(reader, SNAP_SHAPES) ==
	      (count > 3000 ? TYPES + 1 : (count + 999) / 1000));
	for (int i = 0; i < 4; i++)
		free(values[i]);
	snap_reader_close(reader);
	free(b.bytes);
}

static void test_misuse(void)
{
	struct model_bytes b = {0};
	struct snap_writer *w = open_direct(&b);
	struct snap_error e;
	struct snap_writer_summary summary;
	struct snap_object o = {.id = 100, .count = 1};
	struct snap_root root = {.object = 100};
	uint32_t name, layout;
	CHECK(snap_writer_object(w, &o, &e) == SNAP_OK);
	CHECK(snap_writer_object(w, &o, &e) == SNAP_MISUSE && e.message[0]);
	o.id = 99;
	CHECK(snap_writer_object(w, &o, &e) == SNAP_MISUSE);
	REQUIRE(snap_writer_string(w, "a", 1, &name, &e) == SNAP_OK);
	o = (struct snap_object){.id = 101, .count = 1, .name = name};
	CHECK(snap_writer_object(w, &o, &e) == SNAP_MISUSE);
	CHECK(snap_writer_reference(w, 100, 100, SNAP_REF_FIELD, SNAP_LABEL_NONE, &e) ==
	      SNAP_MISUSE);
	CHECK(snap_writer_keyed_reference(w, 100, 100, SNAP_REF_VALUE, 100, &e) == SNAP_MISUSE);
	CHECK(snap_writer_root(w, &root, &e) == SNAP_MISUSE);
	CHECK(snap_writer_layout(w, 0, NULL, 0, &layout, &e) == SNAP_OK);
	o.name = 0;
	CHECK(snap_writer_object_of(w, layout, &o, NULL, 0, &e) == SNAP_MISUSE);
	CHECK(snap_writer_finish(w, &summary, &e) == SNAP_OK && summary.object_rows == 1);
	free(b.bytes);
}

static enum snap_status write_once(const char *path, struct faults *f)
{
	const struct snap_allocator allocator = faulty_memory(f);
	const struct snap_io io = faulty_io(f);
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.allocator = &allocator;
	options.io = &io;
	options.append = options.direct = true;
	struct snap_writer *w;
	enum snap_status status = snap_writer_open(&w, path, &options, NULL);
	if (status != SNAP_OK)
		return status;
	w->direct.objects.block_rows = w->direct.objects.value_rows = 500;
	(void)add_objects(w, 2400, NULL);
	return snap_writer_finish(w, NULL, NULL);
}

static uint64_t size_of(const char *path)
{
	FILE *file = fopen(path, "rb");
	REQUIRE(file && fseek(file, 0, SEEK_END) == 0);
	long size = ftell(file);
	fclose(file);
	return (uint64_t)size;
}

/* A member that could not be written leaves those before it as they were. */
static void test_faults(void)
{
	char path[] = "/tmp/snap-direct-XXXXXX";
	int file = mkstemp(path);
	REQUIRE(file >= 0 && close(file) == 0);
	struct faults none = {.memory_fail_at = UINT64_MAX, .io_fail_at = UINT64_MAX};
	REQUIRE(write_once(path, &none) == SNAP_OK);
	const uint64_t before = size_of(path);
	for (int memory = 0; memory < 2; memory++) {
		for (uint64_t n = 0;; n++) {
			struct faults f = {.memory_fail_at = memory ? n : UINT64_MAX,
					   .io_fail_at = memory ? UINT64_MAX : n,
					   .io_errno = ENOSPC};
			enum snap_status status = write_once(path, &f);
			REQUIRE(f.live == 0 && f.open_files == 0);
			if (status == SNAP_OK)
				break;
			REQUIRE(status == (memory ? SNAP_NO_MEMORY : SNAP_IO) &&
				size_of(path) == before);
		}
		CHECK(size_of(path) > before && truncate(path, (off_t)before) == 0);
	}
	REQUIRE(unlink(path) == 0);
}

int main(void)
{
	check_rows(1);
	check_rows(2500);
	check_rows(LIBSNAP_BLOCK_ROWS);
	check_rows(200000);
	test_misuse();
	test_faults();
	return DONE();
}
