/* snap_index_write and snap_index_verify when memory or files fail: each
 * call in turn, with all in memory and with too little (snap_index.h). */
#include "graph_make.h"

#include "faults.h"
#include "snap_index.h"

#include <dirent.h>
#include <inttypes.h>
#include <unistd.h>

/* ---- a snapshot, and its index ---- */

struct run {
	const char *folder, *from, *to;
	uint64_t memory; /* 0: enough */
	bool removes, verifies;
};

/* Cycles, arrays, garbage, weak references, stacks and contents. */
static void make(const char *path, uint64_t objects)
{
	struct buffer buffer = {NULL, 0, 0};
	struct snap_writer *writer = begin(&buffer);
	uint32_t types[2] = {type(writer, "A", SNAP_TYPE_OBJECT),
			     type(writer, "B", SNAP_TYPE_ARRAY)};
	uint64_t next = SNAP_LABEL_STRING(string(writer, "next"));
	uint32_t frame, stacks[2], contents[2];
	for (uint32_t i = 0; i < 2; i++)
		REQUIRE(snap_writer_content(writer, 8, 77 + i, 0, &contents[i], NULL) == SNAP_OK);
	REQUIRE(snap_writer_frame(writer,
				  &(struct snap_frame){.function = string(writer, "f"), .line = 7},
				  &frame, NULL) == SNAP_OK);
	REQUIRE(snap_writer_stack(writer, 0, frame, 0, &stacks[0], NULL) == SNAP_OK);
	REQUIRE(snap_writer_stack(writer, stacks[0], frame, 0, &stacks[1], NULL) == SNAP_OK);
	for (uint64_t i = 1; i <= objects; i++) {
		const struct snap_object row = {.id = i * 16,
						.size = 8 + i % 40,
						.count = 1,
						.type = types[i % 7 == 0],
						.content = i % 5 ? 0 : contents[i % 2],
						.stack = stacks[i % 2]};
		REQUIRE(snap_writer_object(writer, &row, NULL) == SNAP_OK);
		refer(writer, i * 16,
		      (i % 50 == 0        ? i - 20
		       : i + 1 <= objects ? i + 1
					  : 1) *
			      16,
		      SNAP_REF_FIELD, next);
		for (uint64_t j = 0; i % 7 == 0 && j < 3; j++)
			refer(writer, i * 16, (1 + (i * 31 + j * 17) % objects) * 16,
			      SNAP_REF_ELEMENT, SNAP_LABEL_INDEX(j));
		if (i % 50 == 1 && i % 100 != 51)
			root(writer, i * 16, SNAP_ROOT_GLOBAL, 0);
	}
	refer(writer, 16, 32, SNAP_REF_WEAK, next);
	finish(writer);
	FILE *file = fopen(path, "wb");
	REQUIRE(file && fwrite(buffer.bytes, 1, buffer.size, file) == buffer.size && !fclose(file));
	free(buffer.bytes);
}

static enum snap_status write_index(const struct run *run, struct snap_reader *reader,
				    const struct snap_allocator *allocator,
				    const struct snap_io *io, struct snap_error *error)
{
	struct snap_writer_options writing = SNAP_WRITER_OPTIONS_INIT;
	struct snap_index_options options = SNAP_INDEX_OPTIONS_INIT;
	struct snap_writer *writer;
	writing.allocator = options.allocator = allocator;
	writing.io = options.io = io;
	writing.level = 1;
	options.max_memory_bytes = run->memory;
	if (run->verifies)
		return snap_index_verify(reader, &options, error);
	enum snap_status status = snap_writer_open(&writer, run->to, &writing, error);
	if (status == SNAP_OK)
		status = snap_index_write(writer, reader, run->removes ? NULL : &options, NULL,
					  error);
	return status;
}

static enum snap_status write_once(const struct run *run, struct faults *f,
				   struct snap_error *error)
{
	const struct snap_allocator allocator = faulty_memory(f);
	const struct snap_io io = faulty_io(f);
	struct snap_reader_options reading = SNAP_READER_OPTIONS_INIT;
	struct snap_reader *reader;
	reading.allocator = &allocator;
	reading.io = &io;
	enum snap_status status = snap_reader_open(&reader, run->from, &reading, error);
	if (status != SNAP_OK)
		return status;
	status = write_index(run, reader, &allocator, &io, error);
	snap_reader_close(reader);
	return status;
}

/* ---- each call in turn ---- */

static bool is_index_good(const char *path)
{
	struct snap_reader *reader;
	struct snap_index_info info;
	REQUIRE(snap_reader_open(&reader, path, NULL, NULL) == SNAP_OK);
	REQUIRE(snap_reader_index(reader, &info, NULL) == SNAP_OK);
	REQUIRE(snap_reader_verify(reader, NULL, NULL, NULL) == SNAP_OK);
	REQUIRE(snap_index_verify(reader, NULL, NULL) == SNAP_OK);
	snap_reader_close(reader);
	return info.state == SNAP_INDEX_GOOD;
}

/* A snapshot appears under its name when it is whole, and nothing else is left in the folder. */
static void require_nothing(const struct run *run)
{
	DIR *folder = opendir(run->folder);
	unsigned count = 0;
	REQUIRE(folder != NULL);
	while (readdir(folder) != NULL)
		count++;
	closedir(folder);
	REQUIRE(count == 3); /* ".", ".." and the snapshot */
}

static struct buffer read_whole(const char *path)
{
	struct buffer whole = {NULL, 0, 0};
	char bytes[4096];
	FILE *file = fopen(path, "rb");
	REQUIRE(file != NULL);
	for (size_t got; (got = fread(bytes, 1, sizeof(bytes), file)) > 0;)
		REQUIRE(append(&whole, bytes, got) == 0);
	REQUIRE(!ferror(file) && fclose(file) == 0);
	return whole;
}

/* Whether nothing that failed on the way is in it. */
static bool is_same(const struct run *run, const struct buffer *wanted)
{
	struct buffer got = read_whole(run->to);
	bool same = got.size == wanted->size && memcmp(got.bytes, wanted->bytes, got.size) == 0;
	free(got.bytes);
	return same;
}

static struct buffer write_without_faults(const struct run *run)
{
	struct faults f = {.memory_fail_at = UINT64_MAX, .io_fail_at = UINT64_MAX};
	struct snap_error error;
	REQUIRE(write_once(run, &f, &error) == SNAP_OK);
	struct buffer whole = read_whole(run->to);
	REQUIRE(is_index_good(run->to) == !run->removes && unlink(run->to) == 0);
	return whole;
}

/* Returns how many calls there are. */
static uint64_t fail_each(const struct run *run, bool memory, const struct buffer *wanted)
{
	for (uint64_t n = 0;; n += 1 + n / 64) {
		struct faults f = {.close_fails = true,
				   .memory_fail_at = memory ? n : UINT64_MAX,
				   .io_fail_at = memory ? UINT64_MAX : n};
		struct snap_error error = {.status = SNAP_OK};
		enum snap_status status = write_once(run, &f, &error);
		REQUIRE(f.live == 0 && f.open_files == 0);
		bool failed = (memory ? f.memory_calls : f.io_calls) > n;
		REQUIRE(failed || status == SNAP_OK);
		if (status == SNAP_OK) {
			REQUIRE(run->verifies || (is_same(run, wanted) && unlink(run->to) == 0));
			if (!failed)
				return n;
			/* A cache of pages may stay smaller, the order of the tree of dominators
			 * may be left out, and a temporary file need not close well. */
			continue;
		}
		/* A cache of pages that cannot be made smaller leaves no room. */
		REQUIRE(status == (memory ? SNAP_NO_MEMORY : SNAP_IO) ||
			(memory && run->memory && status == SNAP_LIMIT));
		REQUIRE(error.status == status && error.message[0]);
		require_nothing(run);
	}
}

static void check(struct run run, const char *name)
{
	struct buffer wanted = {NULL, 0, 0};
	if (!run.verifies)
		wanted = write_without_faults(&run);
	uint64_t allocations = fail_each(&run, true, &wanted);
	uint64_t calls = fail_each(&run, false, &wanted);
	free(wanted.bytes);
	printf("# %" PRIu64 " allocations, %" PRIu64 " calls of files\n", allocations, calls);
	CHECK_NAMED(allocations > 20 && calls > (run.memory > 0 ? 100 : 5), name);
}

/* Into the snapshot itself. */
static void put_index(const struct run *run)
{
	struct faults f = {.memory_fail_at = UINT64_MAX, .io_fail_at = UINT64_MAX};
	struct snap_error error;
	REQUIRE(write_once(run, &f, &error) == SNAP_OK && rename(run->to, run->from) == 0);
}

int main(void)
{
	char folder[] = "/tmp/snap-index-XXXXXX", from[64], to[64];
	REQUIRE(mkdtemp(folder) != NULL);
	snprintf(from, sizeof(from), "%s/a.snap", folder);
	snprintf(to, sizeof(to), "%s/b.snap", folder);
	struct run run = {.folder = folder, .from = from, .to = to};
	make(from, 300);
	check(run, "in memory");
	run.removes = true;
	check(run, "without an index");
	run.removes = false;
	run.memory = 200000;
	make(from, 3000);
	check(run, "in temporary files");
	put_index(&run);
	run.verifies = true;
	check(run, "verified");
	REQUIRE(unlink(from) == 0 && rmdir(folder) == 0);
	return DONE();
}
