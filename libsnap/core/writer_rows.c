/* Objects and references, from the first row to the last (FORMAT.md, sections 7.2 and 7.3).
 *
 * A run ends with its shape, or when its targets fill the run's buffer: they come row by row and
 * are written slot by slot.  From there ids go through a second buffer, where many are looked up
 * together. */
#include <string.h>

#include "writer.h"

#define RUN_ROWS_MAX  131072u
#define RUN_SLOTS_MAX 524288u
#define RUN_TAIL_MAX  131072u
/* targets of a slot that get blocks of their own: they are like no others */
#define ROWS_ALONE 8192u
#define QUEUE      LIBSNAP_BATCH

/* Of the objects' table. */
enum { COUNT = 2, NAME = 10 };

/* Ids on their way to a column of references or labels. */
struct queue {
	uint64_t *values;
	size_t count;
};

struct rows_out {
	struct snap_writer *writer;
	struct libsnap_table_out objects, runs, tails, references, labels;
	uint64_t values[LIBSNAP_COLUMNS_MAX]; /* of an object: defaults before and after */
	/* of the run */
	uint64_t *slots; /* row by row */
	size_t slots_used, slots_capacity;
	struct libsnap_reference *tail;
	size_t tail_used, tail_capacity;
	uint64_t run_rows, rows_explained;
	/* of what is not looked up yet */
	struct queue targets, keys;
	uint8_t *label_kinds, *label_tags;
	bool any_keys;
};

/* ---- after the lookup ---- */

static enum snap_status look_up(struct rows_out *o)
{
	struct snap_writer *w = o->writer;
	enum snap_status status =
		libsnap_resolve(w, o->targets.values, o->targets.count, &w->unknown_references);
	for (size_t i = 0; i < o->targets.count && status == SNAP_OK; i++)
		w->written_references += o->targets.values[i] != 0;
	return status;
}

/* Where any thread can look ids up, that is left to the one that makes their block. */
static enum snap_status flush_targets(struct rows_out *o)
{
	enum snap_status status = o->references.columns[0].ids ? SNAP_OK : look_up(o);
	if (status == SNAP_OK)
		status = libsnap_table_values(&o->references, o->targets.values, o->targets.count);
	o->targets.count = 0;
	return status;
}

/* Ids that are keys are looked up; other labels have their place in the meantime. */
static enum snap_status resolve_keys(struct rows_out *o)
{
	struct snap_writer *w = o->writer;
	uint64_t *ids = libsnap_alloc_zeroed(w->allocator, o->keys.count, sizeof(*ids));
	if (!ids)
		return libsnap_fail_memory(&w->problem);
	for (size_t i = 0; i < o->keys.count; i++)
		ids[i] = o->label_tags[i] == LIBSNAP_TAG_OBJECT ? o->keys.values[i] : 0;
	enum snap_status status = libsnap_resolve(w, ids, o->keys.count, &w->unknown_references);
	for (size_t i = 0; i < o->keys.count && status == SNAP_OK; i++) {
		if (o->label_tags[i] != LIBSNAP_TAG_OBJECT)
			continue;
		o->keys.values[i] = ids[i];
		o->label_tags[i] = ids[i] ? LIBSNAP_TAG_OBJECT : LIBSNAP_TAG_NONE;
	}
	libsnap_free(w->allocator, ids, o->keys.count, sizeof(*ids));
	return status;
}

static enum snap_status flush_labels(struct rows_out *o)
{
	enum snap_status status = o->any_keys ? resolve_keys(o) : SNAP_OK;
	for (size_t i = 0; i < o->keys.count && status == SNAP_OK; i++) {
		uint64_t label = o->keys.values[i];
		if (o->label_tags[i] == LIBSNAP_TAG_STRING)
			label = libsnap_number(o->writer->numbers.strings, (uint32_t)label);
		const uint64_t row[] = {o->label_kinds[i], label << 2 | o->label_tags[i]};
		status = libsnap_table_row(&o->labels, row);
	}
	o->keys.count = 0;
	o->any_keys = false;
	return status;
}

static inline enum snap_status queue_target(struct rows_out *o, uint64_t id)
{
	o->targets.values[o->targets.count++] = id;
	return o->targets.count == QUEUE ? flush_targets(o) : SNAP_OK;
}

static enum snap_status queue_label(struct rows_out *o, const struct libsnap_reference *r)
{
	size_t i = o->keys.count++;
	o->keys.values[i] = r->value;
	o->label_kinds[i] = r->kind;
	o->label_tags[i] = r->tag;
	o->any_keys = o->any_keys || r->tag == LIBSNAP_TAG_OBJECT;
	return o->keys.count == QUEUE ? flush_labels(o) : SNAP_OK;
}

/* ---- a run ---- */

/* Objects are of no use without their runs and tails: these do not wait for
 * the end, so that a file cut short has them for nearly all its objects. */
static enum snap_status explain_rows(struct rows_out *o)
{
	if (o->objects.row_count - o->rows_explained < LIBSNAP_BLOCK_ROWS)
		return SNAP_OK;
	o->rows_explained = o->objects.row_count;
	enum snap_status status = libsnap_table_flush(&o->runs);
	return status == SNAP_OK ? libsnap_table_flush(&o->tails) : status;
}

/* Ends the block of targets. */
static enum snap_status end_targets(struct rows_out *o)
{
	enum snap_status status = flush_targets(o);
	return status == SNAP_OK ? libsnap_table_flush(&o->references) : status;
}

/* One slot of all rows. */
static enum snap_status queue_slot(struct rows_out *o, size_t slot, size_t slot_count)
{
	enum snap_status status = SNAP_OK;
	for (size_t at = slot; at < o->slots_used && status == SNAP_OK;) {
		size_t count = o->targets.count;
		for (; at < o->slots_used && count < QUEUE; at += slot_count)
			o->targets.values[count++] = o->slots[at];
		o->targets.count = count;
		if (count == QUEUE)
			status = flush_targets(o);
	}
	return status;
}

static enum snap_status end_run(struct rows_out *o, const struct libsnap_shape *shape)
{
	if (o->run_rows == 0)
		return SNAP_OK;
	const uint64_t run[] = {shape->number, o->run_rows};
	enum snap_status status = libsnap_table_row(&o->runs, run);
	if (status == SNAP_OK)
		status = explain_rows(o);
	const bool alone = o->run_rows >= ROWS_ALONE;
	for (size_t slot = 0; slot < shape->slot_count && status == SNAP_OK; slot++) {
		if (alone)
			status = end_targets(o);
		if (status == SNAP_OK)
			status = queue_slot(o, slot, shape->slot_count);
	}
	if (status == SNAP_OK && alone)
		status = end_targets(o);
	for (size_t i = 0; i < o->tail_used && status == SNAP_OK; i++) {
		status = queue_target(o, o->tail[i].to);
		if (status == SNAP_OK && shape->tail == SNAP_TAIL_LABELLED)
			status = queue_label(o, &o->tail[i]);
	}
	o->run_rows = 0;
	o->slots_used = 0;
	o->tail_used = 0;
	return status;
}

static enum snap_status write_object(struct rows_out *o, const struct libsnap_row *row)
{
	static const uint8_t columns[LIBSNAP_FIELDS] = {
		[LIBSNAP_SIZE] = 1,       [LIBSNAP_COUNT] = COUNT,    [LIBSNAP_STACK] = 3,
		[LIBSNAP_THREAD] = 4,     [LIBSNAP_BIRTH_SERIAL] = 5, [LIBSNAP_BIRTH_TIME] = 6,
		[LIBSNAP_GENERATION] = 7, [LIBSNAP_FLAGS] = 8,        [LIBSNAP_DOMAIN] = 9,
		[LIBSNAP_NAME] = NAME,    [LIBSNAP_CONTENT] = 11,     [LIBSNAP_REFCOUNT] = 12,
	};
	uint64_t *values = o->values;
	uint32_t given = 1;
	values[0] = row->id;
	for (uint32_t mask = row->mask; mask; mask &= mask - 1) {
		unsigned field = (unsigned)__builtin_ctz(mask);
		values[columns[field]] = row->fields[field];
		given |= 1u << columns[field];
	}
	values[NAME] = libsnap_number(o->writer->numbers.strings, (uint32_t)values[NAME]);
	enum snap_status status = libsnap_table_row_of(&o->objects, values, given);
	for (; given; given &= given - 1) {
		unsigned column = (unsigned)__builtin_ctz(given);
		values[column] = column == COUNT;
	}
	return status;
}

/* Room for so many more; NULL: no memory. */
static uint64_t *slot_room(struct rows_out *o, size_t count)
{
	if (o->slots_capacity - o->slots_used < count) {
		uint64_t *slots = libsnap_grow(o->writer->allocator, o->slots, &o->slots_capacity,
					       o->slots_used + count, sizeof(*slots));
		if (!slots)
			return NULL;
		o->slots = slots;
	}
	return o->slots + o->slots_used;
}

static struct libsnap_reference *tail_room(struct rows_out *o, size_t count)
{
	if (o->tail_capacity - o->tail_used < count) {
		struct libsnap_reference *tail =
			libsnap_grow(o->writer->allocator, o->tail, &o->tail_capacity,
				     o->tail_used + count, sizeof(*tail));
		if (!tail)
			return NULL;
		o->tail = tail;
	}
	return o->tail + o->tail_used;
}

/* A row whose shape was folded: all its references are a labelled tail. */
static bool add_folded(struct rows_out *o, const struct libsnap_row *row)
{
	struct libsnap_group *group = &o->writer->group;
	group->count = 0;
	if (!libsnap_group_add_row(o->writer, group, row))
		return false;
	struct libsnap_reference *tail = tail_room(o, group->count);
	if (!tail)
		return group->count == 0;
	memcpy(tail, group->references, group->count * sizeof(*tail));
	o->tail_used += group->count;
	return true;
}

static bool add_references(struct rows_out *o, const struct libsnap_row *row,
			   const struct libsnap_shape *shape)
{
	const uint8_t *at = row->references;
	if (shape->slot_count > 0) {
		uint64_t *slots = slot_room(o, shape->slot_count);
		if (!slots)
			return false;
		slots[0] = libsnap_get_first_target(&at, row->id, shape);
		for (uint32_t i = 1; i < shape->slot_count; i++)
			slots[i] = libsnap_get_target(&at, row->id);
		o->slots_used += shape->slot_count;
	}
	if (row->tail_count > 0) {
		struct libsnap_reference *tail = tail_room(o, (size_t)row->tail_count);
		if (!tail)
			return false;
		for (uint64_t i = 0; i < row->tail_count; i++) {
			if (shape->tail == SNAP_TAIL_LABELLED)
				tail[i] = libsnap_get_labelled(&at, row->id);
			else
				tail[i].to = libsnap_get_target(&at, row->id);
		}
		o->tail_used += (size_t)row->tail_count;
	}
	libsnap_order_read(o->writer, at);
	return true;
}

static enum snap_status write_row(struct rows_out *o, const struct libsnap_row *row,
				  const struct libsnap_shape *shape)
{
	enum snap_status status = write_object(o, row);
	if (status != SNAP_OK)
		return status;
	size_t tail_before = o->tail_used;
	bool added = row->shape == shape ? add_references(o, row, shape) : add_folded(o, row);
	if (!added)
		return libsnap_fail_memory(&o->writer->problem);
	o->run_rows++;
	const uint64_t length = o->tail_used - tail_before;
	if (shape->tail != SNAP_TAIL_NONE)
		status = libsnap_table_row(&o->tails, &length);
	bool full = o->run_rows == RUN_ROWS_MAX || o->slots_used >= RUN_SLOTS_MAX ||
		    o->tail_used >= RUN_TAIL_MAX;
	return status == SNAP_OK && full ? end_run(o, shape) : status;
}

static enum snap_status write_all(struct rows_out *o)
{
	struct snap_writer *w = o->writer;
	for (uint32_t i = 0; i < w->shapes.count; i++) {
		const struct libsnap_shape *shape =
			libsnap_shape_at(&w->shapes, w->shapes.in_order[i]);
		struct libsnap_row row;
		enum snap_status status = libsnap_order_shape(w, i + 1);
		for (uint64_t left = shape->rows; left > 0 && status == SNAP_OK; left--) {
			status = libsnap_order_next(w, &row);
			if (status == SNAP_OK)
				status = write_row(o, &row, shape);
		}
		if (status == SNAP_OK)
			status = end_run(o, shape);
		if (status != SNAP_OK)
			return status;
	}
	enum snap_status status = flush_targets(o);
	return status == SNAP_OK ? flush_labels(o) : status;
}

static void free_buffers(struct rows_out *o)
{
	const struct snap_allocator *allocator = o->writer->allocator;
	libsnap_free(allocator, o->slots, o->slots_capacity, sizeof(*o->slots));
	libsnap_free(allocator, o->tail, o->tail_capacity, sizeof(*o->tail));
	libsnap_free(allocator, o->targets.values, QUEUE, sizeof(*o->targets.values));
	libsnap_free(allocator, o->keys.values, QUEUE, sizeof(*o->keys.values));
	libsnap_free(allocator, o->label_kinds, QUEUE, 1);
	libsnap_free(allocator, o->label_tags, QUEUE, 1);
}

static enum snap_status make_buffers(struct rows_out *o)
{
	struct snap_writer *w = o->writer;
	o->targets.values = libsnap_alloc(w->allocator, QUEUE, sizeof(*o->targets.values));
	o->keys.values = libsnap_alloc(w->allocator, QUEUE, sizeof(*o->keys.values));
	o->label_kinds = libsnap_alloc(w->allocator, QUEUE, 1);
	o->label_tags = libsnap_alloc(w->allocator, QUEUE, 1);
	if (o->targets.values && o->keys.values && o->label_kinds && o->label_tags)
		return SNAP_OK;
	return libsnap_fail_memory(&w->problem);
}

enum snap_status libsnap_write_rows(struct snap_writer *w)
{
	struct rows_out o = {.writer = w, .values = {[COUNT] = 1}};
	libsnap_table_begin(&o.objects, w, SNAP_OBJECTS, w->order.row_count);
	libsnap_table_begin(&o.runs, w, SNAP_RUNS, UINT64_MAX);
	libsnap_table_begin(&o.tails, w, SNAP_TAILS, w->order.row_count);
	libsnap_table_begin(&o.references, w, SNAP_REFERENCES, UINT64_MAX);
	libsnap_table_begin(&o.labels, w, SNAP_TAIL_LABELS, UINT64_MAX);
	o.references.columns[0].bounds = w->shapes.ranges;
	o.references.columns[0].bound_count = w->shapes.range_count;
	o.references.columns[0].ids = w->map.words ? &w->map : NULL;
	enum snap_status status = make_buffers(&o);
	if (status == SNAP_OK)
		status = write_all(&o);
	status = libsnap_table_end(&o.runs, status);
	status = libsnap_table_end(&o.objects, status);
	status = libsnap_table_end(&o.tails, status);
	status = libsnap_table_end(&o.references, status);
	status = libsnap_table_end(&o.labels, status);
	free_buffers(&o);
	return status;
}
