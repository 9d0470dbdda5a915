/* The n-th allocation and the n-th call of the file table
 * fail, for every n: a plain status, and nothing leaks. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include "build_snapshot.h"

struct faults {
	uint64_t calls, fail_at, live; /* of memory: bytes */
	uint64_t io_calls, io_fail_at, files;
	const struct snap_io *io;
};

static void *resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct faults *f = context;
	if (new_size == 0) {
		f->live -= old_size;
		free(pointer);
		return NULL;
	}
	if (f->calls++ == f->fail_at)
		return NULL;
	/* A size that is not what was asked for shows as an imbalance. */
	f->live += new_size - (pointer ? old_size : 0);
	return realloc(pointer, new_size);
}

static bool io_fails(struct faults *f)
{
	return f->io_calls++ == f->io_fail_at;
}

static int fail_open(void *context, const char *path, enum snap_io_mode mode, void **file)
{
	struct faults *f = context;
	if (io_fails(f))
		return EACCES;
	int failure = f->io->open(f->io->context, path, mode, file);
	f->files += failure == 0;
	return failure;
}

static int fail_read(void *context, void *file, uint64_t offset, void *buffer, size_t size,
		     size_t *got)
{
	struct faults *f = context;
	return io_fails(f) ? EIO : f->io->read_at(f->io->context, file, offset, buffer, size, got);
}

static int fail_write(void *context, void *file, uint64_t offset, const void *buffer, size_t size)
{
	struct faults *f = context;
	return io_fails(f) ? ENOSPC : f->io->write_at(f->io->context, file, offset, buffer, size);
}

static int fail_size(void *context, void *file, uint64_t *size)
{
	struct faults *f = context;
	return io_fails(f) ? EIO : f->io->size(f->io->context, file, size);
}

static int fail_close(void *context, void *file)
{
	struct faults *f = context;
	f->files--;
	return f->io->close(f->io->context, file);
}

/* Everything a program does with a snapshot. */
static enum snap_status use(struct snap_reader *reader, struct snap_error *error)
{
	const char *bytes;
	size_t size, count;
	enum snap_status status = snap_reader_property(reader, "runtime", &bytes, &size, error);
	if (status != SNAP_OK)
		return status;
	const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT, SNAP_OBJECT_DOMAIN};
	struct snap_scan *scan;
	status = snap_scan_open(&scan, reader, columns, 3, error);
	if (status != SNAP_OK)
		return status;
	uint64_t first;
	const uint64_t *const *values;
	while ((status = snap_scan_next(scan, &first, &count, &values, error)) == SNAP_OK)
		;
	snap_scan_close(scan);
	return status == SNAP_END ? SNAP_OK : status;
}

static enum snap_status open_and_use(struct faults *f, const char *path, bool partial,
				     struct snap_error *error)
{
	f->calls = f->io_calls = 0;
	struct snap_allocator allocator = {f, resize};
	struct snap_io io = *f->io;
	io.context = f;
	io.open = fail_open;
	io.read_at = fail_read;
	io.write_at = fail_write;
	io.size = fail_size;
	io.close = fail_close;
	struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
	options.allocator = &allocator;
	options.io = &io;
	options.partial = partial;
	struct snap_reader *reader;
	enum snap_status status = snap_reader_open(&reader, path, &options, error);
	if (status != SNAP_OK)
		return status;
	status = use(reader, error);
	if (status == SNAP_OK && !partial)
		status = snap_reader_verify(reader, NULL, NULL, error);
	snap_reader_close(reader);
	return status;
}

/* Fails each call in turn until none fails. */
static void run(const char *path, bool partial, bool memory, const char *name)
{
	uint64_t n = 0;
	bool good = true;
	for (; good; n++) {
		struct faults f = {.fail_at = memory ? n : UINT64_MAX,
				   .io_fail_at = memory ? UINT64_MAX : n,
				   .io = libsnap_system_io()};
		struct snap_error error = {.status = SNAP_OK};
		enum snap_status status = open_and_use(&f, path, partial, &error);
		good = f.live == 0 && f.files == 0;
		bool failed = memory ? f.calls > n : f.io_calls > n;
		if (!failed) {
			good &= status == SNAP_OK;
			break;
		}
		good &= status == (memory ? SNAP_NO_MEMORY : SNAP_IO) && error.status == status &&
			error.message[0];
		if (!good)
			printf("# call %d: %s: %s, %d bytes and %d files left\n", (int)n,
			       snap_status_name(status), error.message, (int)f.live, (int)f.files);
	}
	printf("# %d calls\n", (int)n);
	CHECK_NAMED(good && n > 3, name);
}

/* A named pipe that is filled anew for every open. */
struct feeder {
	const char *path;
	const struct build *b;
	int times;
};

static void *feed(void *context)
{
	struct feeder *feeder = context;
	for (int i = 0; i < feeder->times; i++) {
		FILE *pipe = fopen(feeder->path, "wb");
		if (!pipe)
			break;
		fwrite(feeder->b->bytes, 1, feeder->b->size, pipe);
		fclose(pipe);
	}
	return NULL;
}

static void test_spool(const struct build *b)
{
	char folder[] = "/tmp/reader-faults-XXXXXX", path[64];
	REQUIRE(mkdtemp(folder));
	snprintf(path, sizeof path, "%s/pipe", folder);
	REQUIRE(mkfifo(path, 0600) == 0);
	bool good = true;
	/* 0 open, 1 size, 2 open the copy, 3 read, 4 write, 5 and on: read the copy. */
	for (uint64_t n = 1; n < 6; n++) {
		struct feeder feeder = {path, b, 1};
		pthread_t thread;
		struct faults f = {.fail_at = UINT64_MAX,
				   .io_fail_at = n == 1 ? UINT64_MAX : n,
				   .io = libsnap_system_io()};
		struct snap_error error;
		REQUIRE(pthread_create(&thread, NULL, feed, &feeder) == 0);
		enum snap_status status = open_and_use(&f, path, false, &error);
		pthread_join(thread, NULL);
		good &= status == (n == 1 ? SNAP_OK : SNAP_IO) && f.live == 0 && f.files == 0;
	}
	CHECK_NAMED(good, "a pipe is copied to a temporary file, or the failure told");
	unlink(path);
	rmdir(folder);
}

/* Several threads, each with its own column, on one reader. */
struct job {
	struct snap_reader *reader;
	uint64_t sum;
	uint32_t column;
	bool good;
};

static void *sum_column(void *context)
{
	struct job *job = context;
	struct snap_column *column = NULL;
	job->good = snap_column_open(&column, job->reader, job->column, NULL) == SNAP_OK;
	uint64_t values[100];
	for (uint64_t row = 0; job->good && row < 20000; row += 100) {
		job->good = snap_column_read(column, row, 100, values, NULL) == SNAP_OK;
		for (size_t i = 0; i < 100; i++)
			job->sum += values[i];
	}
	snap_column_close(column);
	return NULL;
}

static void test_threads(void)
{
	enum { ROWS = 20000, THREADS = 4 };
	static uint64_t values[ROWS];
	struct build b = {0};
	uint64_t wanted = 0;
	build_begin(&b);
	for (size_t i = 0; i < ROWS; i++)
		wanted += values[i] = i * i;
	for (size_t at = 0; at < ROWS; at += ROWS / 4)
		build_column(&b, SNAP_OBJECT_ADDRESS, values + at, ROWS / 4);
	for (size_t at = 0; at < ROWS; at += ROWS / 8)
		build_encoded(&b, SNAP_OBJECT_SIZE, SNAPFMT_DELTA, values + at, ROWS / 8);
	build_end(&b, NULL);
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, NULL) == SNAP_OK);
	pthread_t threads[THREADS];
	struct job jobs[THREADS];
	for (size_t i = 0; i < THREADS; i++) {
		jobs[i] = (struct job){reader, 0, i % 2 ? SNAP_OBJECT_SIZE : SNAP_OBJECT_ADDRESS,
				       false};
		REQUIRE(pthread_create(&threads[i], NULL, sum_column, &jobs[i]) == 0);
	}
	bool good = true;
	for (size_t i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		good &= jobs[i].good && jobs[i].sum == wanted;
	}
	CHECK_NAMED(good, "columns on several threads");
	snap_reader_close(reader);
	build_free(&b);
}

static void write_file(const char *path, const uint8_t *bytes, size_t size)
{
	FILE *file = fopen(path, "wb");
	REQUIRE(file && fwrite(bytes, 1, size, file) == size && fclose(file) == 0);
}

int main(void)
{
	signal(SIGPIPE, SIG_IGN); /* a reader that fails may close the pipe before it is full */
	struct build b = {0};
	build_sample(&b, &sample_good);
	char path[] = "/tmp/reader-faults-XXXXXX";
	int file = mkstemp(path);
	REQUIRE(file >= 0);
	close(file);
	write_file(path, b.bytes, b.size);
	run(path, false, true, "every allocation");
	run(path, false, false, "every call of the file table");
	write_file(path, b.bytes, b.size - 10);
	run(path, true, true, "every allocation of a salvage");
	run(path, true, false, "every call of the file table of a salvage");
	write_file(path, b.bytes, b.offsets[b.block_count - 1] + 3);
	run(path, true, true, "every allocation of a salvage without directory");
	run(path, true, false, "every call of the file table of a salvage without directory");
	unlink(path);
	test_spool(&b);
	test_threads();
	build_free(&b);
	return DONE();
}
