/* Objects that come in their order and without references:
 * they are written as they come (FORMAT.md, section 7.2).
 *
 * Nothing is kept of them but a block of rows.  Shapes, which
 * are numbered when all are known, and so runs, come behind. */
#include <inttypes.h>

#include "writer.h"

#define PLACE(column) ((column)&0xffff) /* of its values in a row */

struct run {
	uint64_t rows;
	uint32_t shape;
};

void libsnap_direct_init(struct snap_writer *w)
{
	libsnap_table_begin(&w->direct.objects, w, SNAP_OBJECTS, UINT64_MAX);
	libsnap_pages_init(&w->direct.runs, w->allocator, sizeof(struct run));
}

void libsnap_direct_free(struct snap_writer *w)
{
	libsnap_table_free(&w->direct.objects);
	libsnap_pages_free(&w->direct.runs);
}

static enum snap_status begin_run(struct snap_writer *w, uint32_t type)
{
	struct libsnap_layout layout = {.tail = SNAP_TAIL_NONE};
	uint32_t shape;
	enum snap_status status = libsnap_shape_intern(w, type, NULL, 0, &layout, &shape);
	if (status != SNAP_OK)
		return status;
	struct run *run = libsnap_pages_add(&w->direct.runs);
	if (!run)
		return libsnap_fail_memory(&w->problem);
	run->shape = shape;
	w->direct.type = type;
	return SNAP_OK;
}

static inline enum snap_status add_to_run(struct snap_writer *w, const struct snap_object *o)
{
	struct libsnap_direct *s = &w->direct;
	if (s->runs.count == 0 || s->type != o->type) {
		enum snap_status status = begin_run(w, o->type);
		if (status != SNAP_OK)
			return status;
	}
	struct run *run = libsnap_pages_at(&s->runs, s->runs.count - 1);
	struct libsnap_shape *shape = libsnap_shape_at(&w->shapes, run->shape);
	run->rows++;
	shape->rows++;
	shape->blocks += o->count;
	shape->bytes += o->size * o->count;
	return SNAP_OK;
}

enum snap_status libsnap_direct_check(struct snap_writer *w, const struct snap_object *o)
{
	if (o->name || o->content)
		return libsnap_misuse(
			w, "object %" PRIu64 ", which is written directly, has a name or content",
			o->id);
	if (o->id && o->id <= w->direct.last_id)
		return libsnap_misuse(w,
				      "object %" PRIu64 " comes after %" PRIu64
				      ", though they are written directly",
				      o->id, w->direct.last_id);
	return SNAP_OK;
}

enum snap_status libsnap_direct_object(struct snap_writer *w, const struct snap_object *o)
{
	struct libsnap_direct *s = &w->direct;
	s->last_id = o->id ? o->id : s->last_id;
	enum snap_status status = add_to_run(w, o);
	if (status == SNAP_OK && s->objects.rows + 1 == s->objects.block_rows)
		status = libsnap_writer_begin_output(w);
	if (status != SNAP_OK)
		return status;
	const uint64_t values[LIBSNAP_COLUMNS_MAX] = {
		[PLACE(SNAP_OBJECT_ADDRESS)] = o->id,
		[PLACE(SNAP_OBJECT_SIZE)] = o->size,
		[PLACE(SNAP_OBJECT_COUNT)] = o->count,
		[PLACE(SNAP_OBJECT_STACK)] = o->stack,
		[PLACE(SNAP_OBJECT_THREAD)] = o->thread,
		[PLACE(SNAP_OBJECT_BIRTH_SERIAL)] = o->birth_serial,
		[PLACE(SNAP_OBJECT_BIRTH_TIME)] = o->birth_time_ns,
		[PLACE(SNAP_OBJECT_GENERATION)] = o->generation,
		[PLACE(SNAP_OBJECT_FLAGS)] = o->flags,
		[PLACE(SNAP_OBJECT_DOMAIN)] = o->domain,
		[PLACE(SNAP_OBJECT_REFCOUNT)] = o->refcount,
	};
	uint32_t given = (2u << PLACE(SNAP_OBJECT_THREAD)) - 1; /* others are rare */
	if (o->birth_serial | o->birth_time_ns | o->generation | o->flags | o->domain | o->refcount)
		given = (1u << LIBSNAP_COLUMNS_MAX) - 1;
	return libsnap_table_row_of(&s->objects, values, given);
}

enum snap_status libsnap_direct_end(struct snap_writer *w)
{
	struct libsnap_table_out runs;
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&runs, w, SNAP_RUNS, w->direct.runs.count);
	for (uint64_t i = 0; i < w->direct.runs.count && status == SNAP_OK; i++) {
		const struct run *run = libsnap_pages_at(&w->direct.runs, i);
		const uint64_t values[] = {libsnap_shape_at(&w->shapes, run->shape)->number,
					   run->rows};
		status = libsnap_table_row(&runs, values);
	}
	status = libsnap_table_end(&runs, status);
	return libsnap_table_end(&w->direct.objects, status);
}
