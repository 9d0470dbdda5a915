/* The writer when memory or files fail: each call in turn, in memory and spilled (snap.h, writing).
 */
#include "writer_model.h"

#include "faults.h"
#include "writer.h"

#include <unistd.h>

/* ---- one snapshot ---- */

struct run {
	const struct model *model;
	const char *path;
	uint64_t memory, shuffle;
	bool append, totals_only;
};

static enum snap_status write_once(const struct run *run, struct faults *f,
				   struct snap_error *error)
{
	const struct snap_allocator allocator = faulty_memory(f);
	const struct snap_io io = faulty_io(f);
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.allocator = &allocator;
	options.io = &io;
	options.append = run->append;
	options.totals_only = run->totals_only;
	options.level = 1;
	struct snap_writer *w;
	enum snap_status status = snap_writer_open(&w, run->path, &options, error);
	if (status != SNAP_OK)
		return status;
	if (run->memory)
		w->max_memory_bytes = run->memory;
	status = run->shuffle ? model_add_shuffled(w, run->model, run->shuffle, error)
			      : model_add(w, run->model, error);
	if (status != SNAP_OK) {
		/* It stays as it is. */
		struct snap_error again;
		REQUIRE(snap_writer_property(w, "a", "b", &again) == status &&
			again.status == status);
		REQUIRE(strcmp(again.message, error->message) == 0);
		REQUIRE(snap_writer_finish(w, NULL, &again) == status);
		return status;
	}
	return snap_writer_finish(w, NULL, error);
}

static uint8_t *read_whole(const char *path, size_t *size)
{
	FILE *file = fopen(path, "rb");
	*size = 0;
	if (!file)
		return NULL;
	uint8_t *bytes = model_alloc(1 << 20, 1);
	*size = fread(bytes, 1, 1 << 20, file);
	REQUIRE(*size < 1 << 20);
	fclose(file);
	return bytes;
}

static void put_old(const char *path, const uint8_t *old, size_t old_size)
{
	FILE *file = fopen(path, "wb");
	REQUIRE(file && fwrite(old, 1, old_size, file) == old_size && fclose(file) == 0);
}

/* Whether path holds what it held before. */
static void require_old(const char *path, const uint8_t *old, size_t old_size)
{
	size_t size;
	uint8_t *bytes = read_whole(path, &size);
	REQUIRE(bytes && size == old_size && memcmp(bytes, old, size) == 0);
	free(bytes);
}

static unsigned files_beside(const char *path)
{
	char command[300];
	unsigned count = 0;
	snprintf(command, sizeof command, "ls -A \"$(dirname '%s')\" | wc -l", path);
	FILE *pipe = popen(command, "r");
	REQUIRE(pipe && fscanf(pipe, "%u", &count) == 1);
	pclose(pipe);
	return count;
}

static uint64_t fail_memory(const struct run *run, const uint8_t *old, size_t old_size)
{
	for (uint64_t n = 0;; n++) {
		struct faults f = {
			.memory_fail_at = n, .io_fail_at = UINT64_MAX, .close_fails = true};
		struct snap_error error = {0};
		enum snap_status status = write_once(run, &f, &error);
		REQUIRE(f.live == 0 && f.open_files == 0);
		if (f.memory_calls <= n) {
			REQUIRE(status == SNAP_OK);
			return n;
		}
		REQUIRE(status == SNAP_NO_MEMORY && error.status == SNAP_NO_MEMORY &&
			error.message[0]);
		require_old(run->path, old, old_size);
	}
}

static uint64_t fail_io(const struct run *run, const uint8_t *old, size_t old_size)
{
	for (uint64_t n = 0;; n++) {
		struct faults f = {.memory_fail_at = UINT64_MAX,
				   .io_fail_at = n,
				   .io_errno = ENOSPC,
				   .close_fails = true};
		struct snap_error error = {0};
		enum snap_status status = write_once(run, &f, &error);
		REQUIRE(f.live == 0 && f.open_files == 0);
		if (f.io_calls <= n) {
			REQUIRE(status == SNAP_OK);
			return n;
		}
		/* That a temporary file did not close well does not matter. */
		if (status == SNAP_OK) {
			put_old(run->path, old, old_size);
			continue;
		}
		REQUIRE(status == SNAP_IO && error.os_errno == ENOSPC && error.message[0]);
		require_old(run->path, old, old_size);
	}
}

static void check(struct run run, const char *name)
{
	static const char text[] = "what was there before";
	uint8_t *old = memcpy(model_alloc(sizeof text, 1), text, sizeof text);
	size_t old_size = sizeof text;
	if (run.append) {
		free(old);
		struct faults none = {.memory_fail_at = UINT64_MAX, .io_fail_at = UINT64_MAX};
		REQUIRE(unlink(run.path) == 0 && write_once(&run, &none, NULL) == SNAP_OK);
		old = read_whole(run.path, &old_size);
	}
	put_old(run.path, old, old_size);
	uint64_t allocations = fail_memory(&run, old, old_size);
	put_old(run.path, old, old_size);
	uint64_t calls = fail_io(&run, old, old_size);
	free(old);
	REQUIRE(files_beside(run.path) == 1);
	printf("# %" PRIu64 " allocations, %" PRIu64 " calls of files\n", allocations, calls);
	CHECK_NAMED(allocations > 20 && calls > 5, name);
}

int main(void)
{
	char folder[] = "/tmp/snap-faults-XXXXXX", path[64];
	REQUIRE(mkdtemp(folder) != NULL);
	snprintf(path, sizeof path, "%s/a.snap", folder);
	struct model m, small;
	model_make(&m, 60, 3);
	model_make(&small, 16, 8);
	check((struct run){.model = &m, .path = path}, "in memory");
	check((struct run){.model = &m, .path = path, .shuffle = 2}, "in memory, in any order");
	check((struct run){.model = &m, .path = path, .memory = 2048}, "spilled");
	check((struct run){.model = &m, .path = path, .memory = 2048, .shuffle = 2},
	      "spilled, in any order");
	check((struct run){.model = &small, .path = path, .memory = 64, .shuffle = 2},
	      "spilled with every call");
	check((struct run){.model = &m, .path = path, .totals_only = true}, "totals only");
	check((struct run){.model = &m, .path = path, .append = true}, "appended");
	model_free(&m);
	model_free(&small);
	REQUIRE(unlink(path) == 0 && rmdir(folder) == 0);
	return DONE();
}
