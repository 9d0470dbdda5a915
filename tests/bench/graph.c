/* How long the questions of snap_graph.h take on a snapshot, in processor time of all threads and
 * elapsed, and how much memory.
 *
 *	graph FILE [MEMORY [THREADS]]        measure, in so many MiB of memory, by so many threads
 *	graph --make OBJECTS REFERENCES FILE write a snapshot to measure: many types, lists, trees,
 *hubs and caches */
#include "random.h"
#include "snap_graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must(enum snap_status status, const struct snap_error *error)
{
	if (status == SNAP_OK)
		return;
	fprintf(stderr, "graph: %s\n", error->message);
	exit(2);
}

static double now(clockid_t clock)
{
	struct timespec time;
	clock_gettime(clock, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

struct start {
	double used, at;
};

static struct start start_now(void)
{
	return (struct start){now(CLOCK_PROCESS_CPUTIME_ID), now(CLOCK_MONOTONIC)};
}

static void lap(const char *what, struct start *start, const struct snap_graph *graph)
{
	struct snap_graph_info info;
	struct start end = start_now();
	double elapsed = end.at - start->at;
	snap_graph_info(graph, &info);
	double objects = info.objects > 0 ? (double)info.objects : 1;
	printf("%-24s %8.3f s  %8.3f s elapsed  %6.1f M objects/s  %6.1f M references/s"
	       "  held %5.1f, peak %5.1f bytes/object\n",
	       what, end.used - start->used, elapsed, objects / elapsed / 1e6,
	       (double)info.references / elapsed / 1e6, (double)info.memory_bytes / objects,
	       (double)info.peak_memory_bytes / objects);
	fflush(stdout);
	*start = start_now();
}

static bool skip(void *context, const struct snap_graph_reference *reference)
{
	(void)reference;
	++*(uint64_t *)context;
	return true;
}

static int measure(const char *path, uint64_t memory_bytes, unsigned threads)
{
	struct snap_error error = {.message = ""};
	struct snap_reader *reader;
	struct snap_graph *graph;
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct snap_graph_info info;
	struct snap_graph_paths *paths;
	struct snap_graph_paths_info merged;
	uint64_t bytes, objects, references = 0;
	options.max_memory_bytes = memory_bytes;
	options.threads = threads;
	struct start start = start_now();
	must(snap_reader_open(&reader, path, NULL, &error), &error);
	must(snap_graph_open(&graph, reader, &options, &error), &error);
	snap_graph_info(graph, &info);
	printf("%s: %" PRIu64 " objects, %" PRIu64 " references, %" PRIu64 " roots\n", path,
	       info.objects, info.references, info.roots);
	lap("open and load", &start, graph);
	must(snap_graph_dominate(graph, &error), &error);
	lap("dominators, retained", &start, graph);
	must(snap_graph_search(graph, &error), &error);
	lap("shortest paths", &start, graph);
	must(snap_graph_find_cycles(graph, &error), &error);
	lap("cycles", &start, graph);
	must(snap_graph_attribute_roots(graph, &error), &error);
	lap("root of each object", &start, graph);
	must(snap_graph_references(graph, skip, &references, &error), &error);
	lap("a walk over references", &start, graph);
	uint64_t count = info.objects / 16;
	struct snap_graph_set *set;
	must(snap_graph_set_open(&set, graph, &error), &error);
	for (uint64_t i = 0; i < count; i++)
		snap_graph_set_add(set, i * 16);
	must(snap_graph_retained_by(graph, set, &bytes, &objects, &error), &error);
	lap("retained by 1/16 of all", &start, graph);
	must(snap_graph_merge_paths(graph, set, &paths, &error), &error);
	lap("merged paths to these", &start, graph);
	snap_graph_paths_info(paths, &merged);
	printf("%" PRIu32 " steps, %" PRIu64 " cycles, %" PRIu64 " groups of roots\n", merged.count,
	       snap_graph_cycle_count(graph), (uint64_t)snap_graph_group_count(graph));
	snap_graph_paths_close(paths);
	snap_graph_set_close(set);
	snap_graph_close(graph);
	snap_reader_close(reader);
	return 0;
}

static uint64_t state = 88172645463325252u;

static uint64_t pick(uint64_t below)
{
	return (random_next(&state) >> 16) % below;
}

#define TYPES 200

/* Most references go a short way back or forth, some anywhere, some to a few hubs, as in real
 * heaps. */
static uint64_t pick_target(uint64_t from, uint64_t objects)
{
	uint64_t kind = pick(100);
	if (kind < 70)
		return from + 1 + pick(16) < objects ? from + 1 + pick(16) : from / 2;
	if (kind < 85)
		return from - pick(from < 1000 ? from + 1 : 1000);
	return kind < 95 ? pick(1000 < objects ? 1000 : objects) : pick(objects);
}

static int make(uint64_t objects, uint64_t references, const char *path)
{
	struct snap_error error = {.message = ""};
	struct snap_writer *writer;
	uint32_t types[TYPES], fields[32];
	char name[32];
	must(snap_writer_open(&writer, path, NULL, &error), &error);
	for (uint32_t i = 0; i < TYPES + 32; i++) {
		uint32_t id;
		snprintf(name, sizeof(name), i < TYPES ? "Type%" PRIu32 : "field%" PRIu32,
			 i < TYPES ? i : i - TYPES);
		must(snap_writer_string(writer, name, strlen(name), &id, &error), &error);
		if (i < TYPES)
			must(snap_writer_type(writer, id, SNAP_TYPE_OBJECT, &types[i], &error),
			     &error);
		else
			fields[i - TYPES] = id;
	}
	uint64_t each = objects > 0 ? references / objects : 0;
	for (uint64_t i = 0; i < objects; i++) {
		uint64_t kind = pick(TYPES),
			 count = kind % 7 == 0 ? pick(3 * each + 1) : 1 + kind % (2 * each + 1);
		const struct snap_object object = {.id = 0x10000 + i * 16,
						   .size = 16 + kind % 11 * 8,
						   .count = 1,
						   .type = types[kind]};
		must(snap_writer_object(writer, &object, &error), &error);
		for (uint64_t j = 0; j < count && objects > 1; j++) {
			bool array = kind % 7 == 0;
			uint64_t to = j == 0 && i + 1 < objects ? i + 1 : pick_target(i, objects);
			must(snap_writer_reference(writer, object.id, 0x10000 + to * 16,
						   array ? SNAP_REF_ELEMENT : SNAP_REF_FIELD,
						   array ? SNAP_LABEL_INDEX(j)
							 : SNAP_LABEL_STRING(fields[j % 32]),
						   &error),
			     &error);
		}
	}
	for (uint64_t i = 0; i < 1000 && i < objects; i++) {
		const struct snap_root root = {.object =
						       0x10000 + (i == 0 ? 0 : pick(objects)) * 16,
					       .kind = (enum snap_root_kind)(1 + i % 10)};
		must(snap_writer_root(writer, &root, &error), &error);
	}
	must(snap_writer_finish(writer, NULL, &error), &error);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc >= 2 && argc <= 4 && argv[1][0] != '-')
		return measure(argv[1], (argc > 2 ? strtoull(argv[2], NULL, 10) : 16384) << 20,
			       argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : 2);
	if (argc == 5 && strcmp(argv[1], "--make") == 0)
		return make(strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10), argv[4]);
	fprintf(stderr,
		"usage: graph FILE [MEMORY [THREADS]] | graph --make OBJECTS REFERENCES FILE\n");
	return 2;
}
