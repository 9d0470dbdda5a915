/* The writer with a helper: the same bytes, the same failures, and memory only from the caller's
 * thread (snap.h). */
#include "writer_model.h"

#include "faults.h"
#include "writer.h"

#include <sched.h>

#define OBJECTS 150000u
#define NAMES   3000u

/* ---- a heap of some blocks ---- */

struct source {
	uint32_t types[2], layouts[2], names[NAMES];
};

static enum snap_status add_names(struct snap_writer *w, struct source *s, struct snap_error *error)
{
	static const struct snap_slot slots[] = {{SNAP_REF_CLASS, SNAP_LABEL_NONE},
						 {SNAP_REF_FIELD, SNAP_LABEL_NONE}};
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; i < NAMES && status == SNAP_OK; i++) {
		char text[64];
		int size = snprintf(text, sizeof(text), "a name that is long enough, number %u",
				    i * 7919u);
		status = snap_writer_string(w, text, (size_t)size, &s->names[i], error);
	}
	for (uint32_t i = 0; i < 2 && status == SNAP_OK; i++) {
		status = snap_writer_type(w, s->names[i], SNAP_TYPE_OBJECT, &s->types[i], error);
		if (status == SNAP_OK)
			status = snap_writer_layout(w, s->types[i], slots, 2 - i, &s->layouts[i],
						    error);
	}
	return status;
}

static enum snap_status add_objects(struct snap_writer *w, const struct source *s,
				    struct snap_error *error)
{
	uint64_t random = 88172645463325252u, targets[8];
	enum snap_status status = SNAP_OK;
	for (uint64_t i = 1; i <= OBJECTS && status == SNAP_OK; i++) {
		const uint32_t make = (uint32_t)model_random(&random, 2);
		const size_t count = make ? 1 + model_random(&random, 4) : 2;
		struct snap_object o = {.id = i * 16,
					.size = 16 + 8 * model_random(&random, 9),
					.count = 1,
					.type = s->types[make],
					.refcount = model_random(&random, 5)};
		if (i > OBJECTS / 2)
			o.name = s->names[model_random(&random, NAMES)];
		for (size_t k = 0; k < count; k++)
			targets[k] = 16 * (1 + model_random(&random, k ? i : OBJECTS));
		status = snap_writer_object_of(w, s->layouts[make], &o, targets, count, error);
	}
	return status;
}

struct run {
	unsigned threads;
	uint64_t memory;
	int level;
};

static enum snap_status write_once(const struct run *run, const struct snap_sink *sink,
				   const struct snap_allocator *allocator, const struct snap_io *io,
				   struct snap_error *error)
{
	static struct source source;
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	struct snap_writer *w;
	options.threads = run->threads;
	options.level = run->level;
	options.max_memory_bytes = run->memory;
	options.allocator = allocator;
	options.io = io;
	enum snap_status status = snap_writer_open_sink(&w, sink, &options, error);
	if (status != SNAP_OK)
		return status;
	status = add_names(w, &source, error);
	if (status == SNAP_OK)
		status = add_objects(w, &source, error);
	if (status == SNAP_OK)
		return snap_writer_finish(w, NULL, error);
	snap_writer_abort(w);
	return status;
}

/* ---- bytes ---- */

static void check_bytes(struct run run, const char *name)
{
	struct model_bytes alone = {0}, helped = {0};
	const struct snap_sink sinks[] = {{&alone, model_take}, {&helped, model_take}};
	run.threads = 1;
	REQUIRE(write_once(&run, &sinks[0], NULL, NULL, NULL) == SNAP_OK);
	run.threads = 2;
	REQUIRE(write_once(&run, &sinks[1], NULL, NULL, NULL) == SNAP_OK);
	CHECK_NAMED(same_bytes(&alone, &helped), name);
	free(alone.bytes);
	free(helped.bytes);
}

/* ---- failures ---- */

static int forget(void *context, const void *bytes, size_t size)
{
	uint64_t *left = context;
	(void)bytes;
	(void)size;
	return *left > 0 && --*left == 0 ? ENOSPC : 0;
}

/* An allocator that knows its thread. */
struct owned {
	struct faults faults;
	pthread_t owner;
	bool elsewhere;
};

static void *owned_resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct owned *o = context;
	o->elsewhere = o->elsewhere || !pthread_equal(o->owner, pthread_self());
	return faulty_resize(&o->faults, pointer, old_size, new_size);
}

static enum snap_status fail_memory(unsigned threads, uint64_t fail_at, uint64_t *calls)
{
	const struct run run = {.threads = threads, .level = 1};
	uint64_t never = 0;
	struct owned o = {.faults = {.memory_fail_at = fail_at, .io_fail_at = UINT64_MAX},
			  .owner = pthread_self()};
	const struct snap_allocator allocator = {&o, owned_resize};
	const struct snap_sink sink = {&never, forget};
	enum snap_status status = write_once(&run, &sink, &allocator, NULL, NULL);
	REQUIRE(!o.elsewhere && o.faults.live == 0);
	*calls = o.faults.memory_calls;
	return status;
}

/* The last ones are those of the blocks. */
static void check_memory(void)
{
	uint64_t calls, again, alone;
	cpu_set_t allowed;
	REQUIRE(fail_memory(2, UINT64_MAX, &calls) == SNAP_OK &&
		fail_memory(2, UINT64_MAX, &again) == SNAP_OK);
	REQUIRE(fail_memory(1, UINT64_MAX, &alone) == SNAP_OK);
	const bool may_help =
		sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_COUNT(&allowed) > 1;
	CHECK_NAMED((calls > alone) == may_help,
		    "there is a helper if there is a processor for it");
	CHECK_NAMED(calls == again, "chance does not show in what memory is asked for");
	for (uint64_t n = calls - 1; n > calls - 40; n--)
		REQUIRE(fail_memory(2, n, &again) == SNAP_NO_MEMORY);
	CHECK_NAMED(fail_memory(2, calls, &again) == SNAP_OK,
		    "memory ends, at each of the last calls");
}

static void check_sink(void)
{
	const struct run run = {.threads = 2, .level = 1};
	for (uint64_t n = 1;; n += 7) {
		uint64_t left = n;
		struct faults f = {.memory_fail_at = UINT64_MAX, .io_fail_at = UINT64_MAX};
		const struct snap_allocator allocator = faulty_memory(&f);
		const struct snap_sink sink = {&left, forget};
		struct snap_error error = {0};
		enum snap_status status = write_once(&run, &sink, &allocator, NULL, &error);
		REQUIRE(f.live == 0);
		if (left > 0) {
			CHECK_NAMED(status == SNAP_OK && n > 20,
				    "the output fails, at one call after the other");
			return;
		}
		REQUIRE(status == SNAP_IO && error.os_errno == ENOSPC);
	}
}

/* What the helper compresses takes no memory but that which was made ready, whatever its size. */
static void check_reserve(void)
{
	static const size_t sizes[] = {1,      700,    16384,  16385,  131072,         131073,
				       200000, 262144, 262145, 700000, SNAPFMT_MAX_RAW};
	uint8_t *raw = model_alloc(SNAPFMT_MAX_RAW, 1),
		*stored = model_alloc(LIBSNAP_STORED_BOUND, 1);
	uint64_t random = 88172645463325252u;
	for (size_t i = 0; i < SNAPFMT_MAX_RAW; i++)
		raw[i] = (uint8_t)model_random(&random, 1 + i / 5000);
	for (int level = 1; level <= 19; level++) {
		struct faults f = {.memory_fail_at = UINT64_MAX, .io_fail_at = UINT64_MAX};
		const struct snap_allocator allocator = faulty_memory(&f);
		struct libsnap_compressor *c;
		size_t size;
		REQUIRE(libsnap_compressor_new(&c, &allocator, level, NULL) == SNAP_OK);
		memset(raw, 0, 1000);
		REQUIRE(libsnap_compressor_reserve(c, raw, SNAPFMT_MAX_RAW, stored,
						   LIBSNAP_STORED_BOUND, true, NULL) == SNAP_OK);
		const uint64_t calls = f.memory_calls;
		for (int round = 0; round < (level < 4 ? 300 : 1); round++)
			for (size_t i = 0;
			     i < sizeof(sizes) / sizeof(sizes[0]) - (round > 0 ? 6 : 0); i++) {
				const size_t ends[] = {sizes[i] / 3 + 1, sizes[i]};
				REQUIRE(libsnap_compress(c, raw, sizes[i], stored,
							 LIBSNAP_STORED_BOUND, &size,
							 NULL) == SNAP_OK);
				REQUIRE(sizes[i] < 2000 ||
					libsnap_compress_parts(c, raw, ends, 2, stored,
							       LIBSNAP_STORED_BOUND, &size,
							       NULL) == SNAP_OK);
			}
		REQUIRE(f.memory_calls == calls);
		libsnap_compressor_free(c);
		REQUIRE(f.live == 0);
	}
	CHECK_NAMED(true, "no level needs more memory than was made ready");
	free(raw);
	free(stored);
}

int main(void)
{
	check_reserve();
	check_bytes((struct run){.level = 3}, "the same bytes, from one thread and from two");
	check_bytes((struct run){.level = 12}, "the same bytes, much compressed");
	check_bytes((struct run){.memory = 16 << 20}, "the same bytes, in little memory");
	check_bytes((struct run){.memory = 64 << 20}, "the same bytes, in more memory");
	check_memory();
	check_sink();
	return DONE();
}
