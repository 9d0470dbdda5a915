/* How fast the writer is and what memory it takes: writer OBJECTS REFERENCES-EACH [MEMORY-MiB
 * [OUT]]. Prints tab-separated: objects, references, CPU seconds until all is added and in all,
 * peak bytes of its allocator per object, peak RSS in KiB above what the program had before, bytes
 * written per object, identity. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

#include "random.h"
#include "snap.h"

#define TYPES  200u
#define LABELS 400u

struct meter {
	uint64_t live, peak;
};

static void *metered(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct meter *m = context;
	m->live += new_size - old_size;
	if (m->live > m->peak)
		m->peak = m->live;
	if (new_size == 0) {
		free(pointer);
		return NULL;
	}
	return realloc(pointer, new_size);
}

static int swallow(void *context, const void *bytes, size_t size)
{
	FILE *out = context;
	return out && fwrite(bytes, 1, size, out) != size;
}

static void must(enum snap_status status, const struct snap_error *error)
{
	if (status == SNAP_OK)
		return;
	fprintf(stderr, "writer: %s\n", error->message);
	exit(2);
}

static double cpu_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static long peak_rss(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_maxrss;
}

struct names {
	uint32_t types[TYPES], labels[LABELS];
};

static void add_names(struct snap_writer *w, struct names *names)
{
	struct snap_error error;
	char text[32];
	for (uint32_t i = 0; i < TYPES || i < LABELS; i++) {
		uint32_t id;
		int size = snprintf(text, sizeof text, "name%u", i);
		must(snap_writer_string(w, text, (size_t)size, &id, &error), &error);
		if (i < LABELS)
			names->labels[i] = id;
		if (i < TYPES)
			must(snap_writer_type(w, id, SNAP_TYPE_OBJECT, &names->types[i], &error),
			     &error);
	}
}

static uint64_t address(uint64_t i)
{
	return UINT64_C(0x7f2210000000) + i * 48;
}

/* Of the targets a third are neighbours, a third few and often used, a third anywhere. */
static uint64_t target(uint64_t i, uint64_t k, uint64_t objects, uint64_t *random)
{
	uint64_t r = random_next(random);
	if (k % 3 == 0)
		return address(i + 1 < objects ? i + 1 : 0);
	return address(k % 3 == 1 ? r % 100 % objects : r % objects);
}

static void add_heap(struct snap_writer *w, uint64_t objects, uint64_t each)
{
	struct names names;
	struct snap_error error;
	uint64_t random = 88172645463325252u;
	add_names(w, &names);
	for (uint64_t i = 0; i < objects; i++) {
		uint64_t type = random_next(&random) % TYPES;
		type = type * type / TYPES; /* some are more frequent */
		struct snap_object object = {.id = address(i),
					     .size = 16 + type * 8,
					     .count = 1,
					     .type = names.types[type]};
		must(snap_writer_object(w, &object, &error), &error);
		for (uint64_t k = 0; k < each; k++)
			must(snap_writer_reference(
				     w, object.id, target(i, k, objects, &random), SNAP_REF_FIELD,
				     SNAP_LABEL_STRING(names.labels[(type + k) % LABELS]), &error),
			     &error);
	}
	struct snap_root root = {.object = address(0), .kind = SNAP_ROOT_GLOBAL};
	must(snap_writer_root(w, &root, &error), &error);
}

int main(int argc, char **argv)
{
	if (argc < 3) {
		fprintf(stderr, "usage: writer OBJECTS REFERENCES-EACH [MEMORY-MiB [OUT]]\n");
		return 2;
	}
	uint64_t objects = strtoull(argv[1], NULL, 10), each = strtoull(argv[2], NULL, 10);
	uint64_t memory = argc > 3 ? strtoull(argv[3], NULL, 10) << 20 : 0;
	FILE *out = argc > 4 ? fopen(argv[4], "wb") : NULL;
	struct meter meter = {0, 0};
	const struct snap_allocator allocator = {&meter, metered};
	const struct snap_sink sink = {out, swallow};
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.allocator = &allocator;
	options.max_memory_bytes = memory;
	struct snap_writer *w;
	struct snap_error error;
	struct snap_writer_summary summary;
	long rss = peak_rss();
	double start = cpu_seconds();
	must(snap_writer_open_sink(&w, &sink, &options, &error), &error);
	add_heap(w, objects, each);
	double added = cpu_seconds();
	must(snap_writer_finish(w, &summary, &error), &error);
	double end = cpu_seconds();
	printf("%" PRIu64 "\t%" PRIu64 "\t%.3f\t%.3f\t%.1f\t%ld\t%.2f\t%016" PRIx64 "\n",
	       summary.object_rows, summary.references, added - start, end - start,
	       (double)meter.peak / (double)objects, peak_rss() - rss,
	       (double)summary.bytes_written / (double)objects, summary.identity);
	return out && fclose(out) != 0 ? 2 : meter.live != 0;
}
