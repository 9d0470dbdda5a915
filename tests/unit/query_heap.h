/* A heap at random, as a test of questions knows it, and the same as a snapshot. */
#ifndef QUERY_HEAP_H
#define QUERY_HEAP_H

#include "build_snapshot.h"
#include "random.h"
#include "snap_query.h"
#include "writer.h"

/* ---- a heap as the test knows it ---- */

enum { FILES = 5, FRAMES = 24, STACKS = 40, TYPES = 6, THREADS = 3, OBJECTS = 300 };

struct place {
	int file, line;
}; /* file -1: none */
struct stack {
	int parent, frame;
};
struct object {
	uint64_t size, count;
	int type, stack, thread, domain, generation, refcount;
};

struct heap {
	struct place frames[FRAMES];
	struct stack stacks[STACKS];
	struct object objects[OBJECTS];
	int object_count;
	bool sampled, totals_only;
};

static const char *const file_names[FILES] = {"a.py", "lib/b.pyc", "lib/b.py", "C.py",
					      "\xc3\xa9.py"};
static const char *const type_names[TYPES] = {"int", "str", "list", "dict", "int", "<odd>"};
static uint64_t state = 0x9e3779b97f4a7c15u;

static inline int below(int limit)
{
	return (int)((random_next(&state) >> 33) % (uint64_t)limit);
}

static inline void make_heap(struct heap *heap)
{
	*heap = (struct heap){.object_count = OBJECTS};
	for (int i = 0; i < FRAMES; i++)
		heap->frames[i] = (struct place){below(FILES + 1) - 1, below(4) + 1};
	for (int i = 0; i < STACKS; i++)
		heap->stacks[i] = (struct stack){below(3) ? below(i + 1) - 1 : -1, below(FRAMES)};
	for (int i = 0; i < OBJECTS; i++)
		heap->objects[i] = (struct object){
			.size = (uint64_t)below(200) * (uint64_t)below(50),
			.count = 1 + (uint64_t)(below(4) ? 0 : below(9)),
			.type = below(TYPES + 1) - 1,
			.stack = below(STACKS + 2) - 1,
			.thread = below(THREADS + 1) - 1,
			.domain = below(3),
			.generation = below(3),
			.refcount = below(20),
		};
	for (int i = 0; i < OBJECTS; i++)
		if (heap->objects[i].stack >= STACKS)
			heap->objects[i].stack = -1;
}

/* ---- the same as a snapshot ---- */

struct bytes {
	uint8_t *at;
	size_t size, capacity;
};

static inline int take_bytes(void *context, const void *bytes, size_t size)
{
	struct bytes *out = context;
	if (out->capacity - out->size < size) {
		out->capacity = (out->size + size) * 2;
		out->at = realloc(out->at, out->capacity);
		REQUIRE(out->at);
	}
	memcpy(out->at + out->size, bytes, size);
	out->size += size;
	return 0;
}

static inline uint32_t string_id(struct snap_writer *w, const char *text)
{
	uint32_t id;
	REQUIRE(snap_writer_string(w, text, strlen(text), &id, NULL) == SNAP_OK);
	return id;
}

static inline void write_stacks(struct snap_writer *w, const struct heap *heap, uint32_t *stacks)
{
	for (int i = 0; i < STACKS; i++) {
		const struct place *place = &heap->frames[heap->stacks[i].frame];
		/* Frames of one place differ in offset: places are what is grouped. */
		struct snap_frame frame = {.offset = (uint64_t)heap->stacks[i].frame *
						     (place->file >= 0),
					   .line = (uint32_t)place->line};
		if (place->file >= 0)
			frame.file = string_id(w, file_names[place->file]);
		else
			frame.line = 0;
		uint32_t id;
		REQUIRE(snap_writer_frame(w, &frame, &id, NULL) == SNAP_OK);
		uint32_t parent = heap->stacks[i].parent < 0 ? 0 : stacks[heap->stacks[i].parent];
		REQUIRE(snap_writer_stack(w, parent, id, 0, &stacks[i], NULL) == SNAP_OK);
	}
}

static inline struct bytes write_heap(const struct heap *heap)
{
	struct bytes out = {0};
	struct snap_sink sink = {&out, take_bytes};
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.flags = heap->sampled ? SNAP_SNAPSHOT_SAMPLED : 0;
	options.sampling_interval_bytes = heap->sampled ? 4096 : 0;
	options.totals_only = heap->totals_only;
	struct snap_writer *w;
	uint32_t stacks[STACKS], types[TYPES], threads[THREADS];
	REQUIRE(snap_writer_open_sink(&w, &sink, &options, NULL) == SNAP_OK);
	if (below(2))
		w->few_objects = 0; /* then there are totals */
	write_stacks(w, heap, stacks);
	for (int i = 0; i < TYPES; i++)
		REQUIRE(snap_writer_type(w, string_id(w, type_names[i]),
					 i == 4 ? SNAP_TYPE_NUMBER : SNAP_TYPE_OBJECT, &types[i],
					 NULL) == SNAP_OK);
	for (int i = 0; i < THREADS; i++)
		REQUIRE(snap_writer_thread(w, (uint64_t)i, 0, &threads[i], NULL) == SNAP_OK);
	for (int i = 0; i < heap->object_count; i++) {
		const struct object *o = &heap->objects[i];
		struct snap_object object = {.size = o->size,
					     .count = o->count,
					     .domain = (uint32_t)o->domain,
					     .generation = (uint32_t)o->generation,
					     .refcount = (uint64_t)o->refcount};
		object.type = o->type < 0 ? 0 : types[o->type];
		object.stack = o->stack < 0 ? 0 : stacks[o->stack];
		object.thread = o->thread < 0 ? 0 : threads[o->thread];
		REQUIRE(snap_writer_object(w, &object, NULL) == SNAP_OK);
	}
	REQUIRE(snap_writer_finish(w, NULL, NULL) == SNAP_OK);
	return out;
}

static inline struct snap_reader *open_bytes(const struct bytes *bytes)
{
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, bytes->at, bytes->size, NULL, NULL) == SNAP_OK);
	return reader;
}

static const enum snap_key keys[] = {
	SNAP_KEY_TYPE,   SNAP_KEY_SHAPE,  SNAP_KEY_LINENO, SNAP_KEY_FILENAME,   SNAP_KEY_TRACEBACK,
	SNAP_KEY_THREAD, SNAP_KEY_DOMAIN, SNAP_KEY_SIZE,   SNAP_KEY_GENERATION, SNAP_KEY_REFCOUNT,
};
enum { KEYS = sizeof(keys) / sizeof(keys[0]) };

#endif
