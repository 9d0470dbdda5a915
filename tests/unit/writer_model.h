/* A random heap as a list of calls, which may be made in many orders, and the same heap as a reader
 * finds it. */
#ifndef WRITER_MODEL_H
#define WRITER_MODEL_H

#include "random.h"
#include "tap.h"

#include "snap.h"
#include "writer.h"

#define MODEL_STRINGS  40u
#define MODEL_TYPES    6u
#define MODEL_FRAMES   9u
#define MODEL_STACKS   12u
#define MODEL_THREADS  3u
#define MODEL_CONTENTS 5u

struct model_reference {
	uint64_t from, to, label, key;
	uint32_t kind;
};

struct model {
	struct snap_object *objects;
	size_t object_count;
	struct model_reference *references; /* those of one object in their order */
	size_t reference_count;
	struct snap_root *roots;
	size_t root_count;
	uint64_t random;
};

static inline uint64_t model_random(uint64_t *state, uint64_t below)
{
	return random_next(state) % below;
}

static inline void *model_alloc(size_t count, size_t size)
{
	void *memory = calloc(count + 1, size);
	REQUIRE(memory != NULL);
	return memory;
}

/* Ids are far apart, near 0 and near 2^64, and every seventh object has none. */
static inline uint64_t model_id(size_t i)
{
	if (i % 7 == 3)
		return 0;
	if (i == 0)
		return UINT64_MAX;
	if (i == 1)
		return UINT64_C(1) << 63;
	return i % 2 ? i : UINT64_C(0x7fff00000000) + i * 16;
}

static inline struct snap_object model_object(struct model *m, size_t i)
{
	uint64_t *r = &m->random;
	struct snap_object o = {.id = model_id(i),
				.size = model_random(r, 5) * 24,
				.count = i % 11 != 5, /* some only hold others */
				.type = (uint32_t)model_random(r, MODEL_TYPES + 1)};
	if (o.id == 0) {
		o.count = 1 + model_random(r, 1000);
		o.stack = (uint32_t)model_random(r, 3);
		o.size = model_random(r, 2) ? 16 : UINT64_C(1) << model_random(r, 40);
		return o;
	}
	if (model_random(r, 3) == 0)
		o.name = 1 + (uint32_t)model_random(r, MODEL_STRINGS);
	if (model_random(r, 4) == 0)
		o.stack = 1 + (uint32_t)model_random(r, MODEL_STACKS);
	if (model_random(r, 10) == 0) {
		o.thread = 1 + (uint32_t)model_random(r, MODEL_THREADS);
		o.content = 1 + (uint32_t)model_random(r, MODEL_CONTENTS);
		o.generation = (uint32_t)model_random(r, 4);
		o.refcount = model_random(r, 3) ? model_random(r, 100) : UINT64_MAX - i;
		o.flags = (uint32_t)model_random(r, 16);
		o.domain = (uint32_t)model_random(r, 3) * 1000;
		o.birth_serial = i + 1;
		o.birth_time_ns = UINT64_C(1700000000000000000) + i;
	}
	return o;
}

static inline void model_refer(struct model *m, uint64_t from, uint32_t kind, uint64_t label)
{
	uint64_t *r = &m->random;
	uint64_t to = model_id(model_random(r, m->object_count));
	if (model_random(r, 20) == 0)
		to = 0; /* a field that is null */
	else if (model_random(r, 20) == 0)
		to = 0xdead0000 + model_random(r, 5); /* nobody */
	else if (model_random(r, 10) == 0)
		to = from;
	m->references[m->reference_count++] = (struct model_reference){from, to, label, 0, kind};
}

#define MODEL_MOST_REFERENCES 100

/* Fields; dense, sparse and mixed indexes; a mapping; far too many fields; none. */
static inline void model_references_of(struct model *m, uint64_t from)
{
	uint64_t *r = &m->random;
	size_t first = m->reference_count;
	unsigned form = (unsigned)model_random(r, 12);
	unsigned count = (unsigned)model_random(r, 5);
	if (form == 9)
		count = 65 + (unsigned)model_random(r, 10);
	for (unsigned i = 0; form != 0 && i < count; i++)
		model_refer(m, from, SNAP_REF_FIELD,
			    SNAP_LABEL_STRING(1 + (i * 7 + model_random(r, 2)) % MODEL_STRINGS));
	for (unsigned i = 0; (form == 1 || form == 2 || form == 8) && i < 3 * count; i++)
		model_refer(m, from, SNAP_REF_ELEMENT,
			    SNAP_LABEL_INDEX(form == 2 ? i * 40 : i + i / 4));
	for (unsigned i = 0; (form == 3 || form == 8) && i < 5; i++)
		model_refer(m, from, SNAP_REF_HIDDEN, SNAP_LABEL_INDEX(form == 8 ? 4 - i : i));
	for (unsigned i = 0; (form == 4 || form == 8) && i < count; i++) {
		model_refer(m, from, SNAP_REF_VALUE, 0);
		m->references[m->reference_count - 1].key =
			model_id(2 + model_random(r, m->object_count - 2)) | 1;
	}
	for (unsigned i = 0; form == 5 && i < count; i++)
		model_refer(m, from, SNAP_REF_WEAK, SNAP_LABEL_NONE);
	if (form == 6)
		model_refer(m, from, SNAP_REF_ELEMENT, SNAP_LABEL_INDEX((UINT64_C(1) << 62) - 1));
	REQUIRE(m->reference_count - first <= MODEL_MOST_REFERENCES);
}

static inline void model_make(struct model *m, size_t objects, uint64_t seed)
{
	*m = (struct model){.object_count = objects,
			    .random = seed * 2654435761u + 88172645463325252u};
	m->objects = model_alloc(objects, sizeof(*m->objects));
	m->references = model_alloc(objects * MODEL_MOST_REFERENCES, sizeof(*m->references));
	m->roots = model_alloc(objects, sizeof(*m->roots));
	for (size_t i = 0; i < objects; i++) {
		m->objects[i] = model_object(m, i);
		if (m->objects[i].id)
			model_references_of(m, m->objects[i].id);
		uint64_t id = model_random(&m->random, 50) ? m->objects[i].id : 0xdead;
		if (i % 5 == 0 && id)
			m->roots[m->root_count++] = (struct snap_root){
				.object = id,
				.kind = (enum snap_root_kind)(i % 12),
				.label = (uint32_t)model_random(&m->random, MODEL_STRINGS),
				.thread = (uint32_t)model_random(&m->random, MODEL_THREADS),
				.stack = (uint32_t)model_random(&m->random, MODEL_STACKS)};
	}
	/* References from nobody. */
	m->references[m->reference_count++] =
		(struct model_reference){0xbeef, m->objects[0].id, SNAP_LABEL_NONE, 0, 0};
}

static inline void model_free(struct model *m)
{
	free(m->objects);
	free(m->references);
	free(m->roots);
}

/* ---- the calls; each answers what the writer does ---- */

#define MODEL_TRY(call) \
	do { \
		enum snap_status try_status = (call); \
		if (try_status != SNAP_OK) \
			return try_status; \
	} while (0)

static inline enum snap_status model_names(struct snap_writer *w, struct snap_error *e)
{
	char text[32];
	uint32_t id, strings[MODEL_STRINGS], module, frames[MODEL_FRAMES], stack = 0;
	for (uint32_t i = 0; i < MODEL_STRINGS; i++) {
		int size = snprintf(text, sizeof text, "string %u", i);
		MODEL_TRY(snap_writer_string(w, text, (size_t)size, &strings[i], e));
	}
	MODEL_TRY(snap_writer_property(w, "program", "first", e));
	MODEL_TRY(snap_writer_property(w, "pid", "7", e));
	MODEL_TRY(snap_writer_property(w, "program", "model", e));
	struct snap_module m = {strings[0], strings[1], 0x400000, 4096};
	MODEL_TRY(snap_writer_module(w, &m, &module, e));
	for (uint32_t i = 0; i < MODEL_FRAMES; i++) {
		struct snap_frame f = {strings[i], strings[i + 1],
				       i * 10,     i % 2 ? module : 0,
				       i * 16,     i > 5 ? frames[i - 1] : 0};
		MODEL_TRY(snap_writer_frame(w, &f, &frames[i], e));
	}
	for (uint32_t i = 0; i < MODEL_STACKS; i++)
		MODEL_TRY(snap_writer_stack(w, i % 4 ? stack : 0, frames[i % MODEL_FRAMES], i == 8,
					    &stack, e));
	for (uint32_t i = 0; i < MODEL_TYPES; i++)
		MODEL_TRY(snap_writer_type(w, strings[20 + i], (enum snap_type_kind)i, &id, e));
	for (uint32_t i = 0; i < MODEL_THREADS; i++)
		MODEL_TRY(snap_writer_thread(w, 1000 + i, i ? strings[30 + i] : 0, &id, e));
	for (uint32_t i = 0; i < MODEL_CONTENTS; i++)
		MODEL_TRY(snap_writer_content(w, i * 3, i * 99, i == 4 ? strings[35] : 0, &id, e));
	return SNAP_OK;
}

static inline enum snap_status
model_add_reference(struct snap_writer *w, const struct model_reference *r, struct snap_error *e)
{
	if (r->key)
		return snap_writer_keyed_reference(w, r->from, r->to,
						   (enum snap_reference_kind)r->kind, r->key, e);
	return snap_writer_reference(w, r->from, r->to, (enum snap_reference_kind)r->kind, r->label,
				     e);
}

static inline enum snap_status model_rest(struct snap_writer *w, const struct model *m,
					  struct snap_error *e)
{
	for (size_t i = 0; i < m->root_count; i++)
		MODEL_TRY(snap_writer_root(w, &m->roots[i], e));
	MODEL_TRY(snap_writer_timeline(w, 1, 2, 3, 4, e));
	MODEL_TRY(snap_writer_timeline(w, 5, 6, 7, 8, e));
	return snap_writer_mapping(
		w, &(struct snap_mapping){.address = 4096, .size = 4096, .name = 1}, e);
}

/* Objects, each with its references after it. */
static inline enum snap_status model_add(struct snap_writer *w, const struct model *m,
					 struct snap_error *e)
{
	size_t next = 0;
	MODEL_TRY(model_names(w, e));
	for (size_t i = 0; i < m->object_count; i++) {
		MODEL_TRY(snap_writer_object(w, &m->objects[i], e));
		while (m->objects[i].id && next < m->reference_count &&
		       m->references[next].from == m->objects[i].id)
			MODEL_TRY(model_add_reference(w, &m->references[next++], e));
	}
	while (next < m->reference_count)
		MODEL_TRY(model_add_reference(w, &m->references[next++], e));
	return model_rest(w, m, e);
}

/* Everything in a random order, but for the references of one object among themselves. */
static inline enum snap_status model_add_shuffled(struct snap_writer *w, const struct model *m,
						  uint64_t seed, struct snap_error *e)
{
	uint64_t random = seed * 40503 + 88172645463325252u;
	size_t count = m->object_count + m->reference_count;
	uint32_t *calls = model_alloc(count, sizeof(*calls)),
		 *next = model_alloc(m->object_count + 1, sizeof(*next));
	enum snap_status status = model_names(w, e);
	/* A call is an object, or the next reference of the object that owns one. */
	size_t owner = 0;
	for (size_t i = 0; i < m->object_count; i++)
		calls[i] = (uint32_t)i;
	for (size_t i = 0; i < m->reference_count; i++) {
		while (owner < m->object_count && m->objects[owner].id != m->references[i].from)
			owner++;
		if (i == 0 || m->references[i].from != m->references[i - 1].from)
			next[owner] = (uint32_t)i;
		calls[m->object_count + i] = (uint32_t)(m->object_count + owner);
	}
	for (size_t i = count; i > 1; i--) {
		size_t other = model_random(&random, i);
		uint32_t swap = calls[i - 1];
		calls[i - 1] = calls[other];
		calls[other] = swap;
	}
	for (size_t i = 0; i < count && status == SNAP_OK; i++)
		status =
			calls[i] < m->object_count
				? snap_writer_object(w, &m->objects[calls[i]], e)
				: model_add_reference(
					  w, &m->references[next[calls[i] - m->object_count]++], e);
	free(calls);
	free(next);
	return status == SNAP_OK ? model_rest(w, m, e) : status;
}

/* ---- bytes in memory ---- */

struct model_bytes {
	uint8_t *bytes;
	size_t size, capacity;
};

static inline int model_take(void *context, const void *bytes, size_t size)
{
	struct model_bytes *b = context;
	if (b->size + size > b->capacity) {
		b->capacity = 2 * (b->size + size);
		b->bytes = realloc(b->bytes, b->capacity);
		REQUIRE(b->bytes != NULL);
	}
	memcpy(b->bytes + b->size, bytes, size);
	b->size += size;
	return 0;
}

/* ---- writers and readers of them ---- */

/* forced_memory is less than a caller may give, so that little data spills too. */
static inline struct snap_writer *
open_bytes(struct model_bytes *b, const struct snap_writer_options *options, uint64_t forced_memory)
{
	const struct snap_sink sink = {b, model_take};
	struct snap_writer *w;
	b->size = 0;
	REQUIRE(snap_writer_open_sink(&w, &sink, options, NULL) == SNAP_OK);
	if (forced_memory)
		w->max_memory_bytes = forced_memory;
	return w;
}

static inline void put_object(struct snap_writer *w, uint64_t id, uint32_t type)
{
	const struct snap_object o = {.id = id, .size = 8, .count = 1, .type = type};
	REQUIRE(snap_writer_object(w, &o, NULL) == SNAP_OK);
}

static inline bool same_bytes(const struct model_bytes *a, const struct model_bytes *b)
{
	return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

static inline uint64_t *load(struct snap_reader *reader, uint32_t column)
{
	uint64_t rows = snap_reader_row_count(reader, (enum snap_table)(column >> 16));
	uint64_t *values = model_alloc(rows, sizeof(*values));
	struct snap_column *c;
	REQUIRE(snap_column_open(&c, reader, column, NULL) == SNAP_OK);
	REQUIRE(snap_column_read(c, 0, rows, values, NULL) == SNAP_OK);
	snap_column_close(c);
	return values;
}

#endif
