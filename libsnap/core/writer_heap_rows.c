/* Objects and references of a whole heap, from the first row to the
 * last (FORMAT.md, sections 7.2 and 7.3).  What a row needs lies where
 * its number says; columns are filled without a record in between. */
#include <inttypes.h>
#include <string.h>

#include "writer.h"

#define RUN_ROWS_MAX  131072u
#define RUN_SLOTS_MAX 524288u
#define RUN_TAIL_MAX  131072u
/* targets of a slot that get blocks of their own: they are like no others */
#define ROWS_ALONE 8192u
#define QUEUE      4096u
#define BATCH      1024u

/* Of the objects' table. */
enum column { ID, SIZE, STACK, GENERATION, FLAGS, NAME, CONTENT, REFCOUNT, COLUMNS };

struct heap_out {
	struct snap_writer *writer;
	const struct snap_heap *heap;
	struct libsnap_table_out objects, runs, tails, references, labels;
	uint64_t rows_explained;
	uint64_t targets[QUEUE];
	size_t target_count;
	uint64_t batch[COLUMNS][BATCH]; /* of objects, column by column */
	uint32_t *slots;                /* of a run, row by row */
	size_t slot_capacity;
};

/* Of a shape, the rows that make one run. */
struct run {
	const struct libsnap_shape *shape;
	const uint32_t *numbers;
	size_t rows;
};

/* ---- references ---- */

static enum snap_status flush_targets(struct heap_out *o)
{
	struct snap_writer *w = o->writer;
	for (size_t i = 0; i < o->target_count; i++) {
		const uint64_t number = o->targets[i];
		if (number == 0)
			continue;
		if (number > o->heap->count || w->heap.rows[number - 1] == 0)
			return libsnap_misuse(w, "number %" PRIu64 " is no object of the heap",
					      number);
		o->targets[i] = w->heap.rows[number - 1];
		w->written_references++;
	}
	enum snap_status status = libsnap_table_values(&o->references, o->targets, o->target_count);
	o->target_count = 0;
	return status;
}

static inline enum snap_status put_target(struct heap_out *o, uint32_t number)
{
	o->targets[o->target_count++] = number;
	return o->target_count == QUEUE ? flush_targets(o) : SNAP_OK;
}

/* Ends the block of targets. */
static enum snap_status end_targets(struct heap_out *o)
{
	enum snap_status status = flush_targets(o);
	return status == SNAP_OK ? libsnap_table_flush(&o->references) : status;
}

static const struct snap_heap_object *object_at(const struct heap_out *o, const struct run *run,
						size_t row)
{
	if (row + LIBSNAP_AHEAD < run->rows)
		libsnap_heap_expect(o->heap, run->numbers[row + LIBSNAP_AHEAD]);
	return &o->heap->objects[run->numbers[row] - 1];
}

/* Row by row, so that each object is looked at once. */
static bool gather_slots(struct heap_out *o, const struct run *run)
{
	const uint32_t count = run->shape->slot_count;
	const size_t wanted = run->rows * count;
	if (o->slot_capacity < wanted) {
		uint32_t *slots = libsnap_grow(o->writer->allocator, o->slots, &o->slot_capacity,
					       wanted, sizeof(*slots));
		if (!slots)
			return false;
		o->slots = slots;
	}
	for (size_t i = 0; i < run->rows && count > 0; i++) {
		if (i + LIBSNAP_AHEAD / 2 < run->rows) {
			const uint32_t soon = run->numbers[i + LIBSNAP_AHEAD / 2];
			__builtin_prefetch(o->heap->words + o->heap->objects[soon - 1].references);
		}
		memcpy(o->slots + i * count, o->heap->words + object_at(o, run, i)->references,
		       count * sizeof(*o->slots));
	}
	return true;
}

static enum snap_status write_slots(struct heap_out *o, const struct run *run)
{
	const bool alone = run->rows >= ROWS_ALONE;
	const uint32_t count = run->shape->slot_count;
	enum snap_status status =
		gather_slots(o, run) ? SNAP_OK : libsnap_fail_memory(&o->writer->problem);
	for (uint32_t slot = 0; slot < count && status == SNAP_OK; slot++) {
		if (alone)
			status = end_targets(o);
		for (size_t i = 0; i < run->rows && status == SNAP_OK; i++)
			status = put_target(o, o->slots[i * count + slot]);
	}
	return status == SNAP_OK && alone ? end_targets(o) : status;
}

static enum snap_status write_elements(struct heap_out *o, const struct run *run)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < run->rows; i++) {
		const struct snap_heap_object *object = object_at(o, run, i);
		const uint32_t *targets = o->heap->words + object->references;
		for (uint32_t at = run->shape->slot_count;
		     at < object->reference_count && status == SNAP_OK; at++)
			status = put_target(o, targets[at]);
	}
	return status;
}

static enum snap_status put_labelled(struct heap_out *o, uint32_t to, uint32_t kind, uint32_t tag,
				     uint64_t value)
{
	if (tag == LIBSNAP_TAG_STRING)
		value = libsnap_number(o->writer->numbers.strings, (uint32_t)value);
	else if (tag == LIBSNAP_TAG_OBJECT) {
		value = o->writer->heap.rows[value - 1];
		if (value == 0)
			return libsnap_misuse(o->writer, "a label is no object of the heap");
	}
	const uint64_t row[] = {kind, value << 2 | tag};
	enum snap_status status = put_target(o, to);
	return status == SNAP_OK ? libsnap_table_row(&o->labels, row) : status;
}

/* References of an object that has a layout, though its
 * shape has not: the layout's labels become theirs. */
static enum snap_status label_slots(struct heap_out *o, const struct snap_heap_object *object,
				    const struct libsnap_make *make)
{
	const uint32_t *targets = o->heap->words + object->references;
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; i < object->reference_count && status == SNAP_OK; i++) {
		struct libsnap_reference r = {.value = i - make->slot_count,
					      .kind = SNAP_REF_ELEMENT,
					      .tag = LIBSNAP_TAG_INDEX};
		if (i < make->slot_count)
			r = *(struct libsnap_reference *)libsnap_pages_at(&o->writer->layout_slots,
									  make->first_slot + i);
		status = put_labelled(o, targets[i], r.kind, r.tag, r.value);
	}
	return status;
}

static enum snap_status write_labelled(struct heap_out *o, const struct run *run)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < run->rows && status == SNAP_OK; i++) {
		const struct snap_heap_object *object = object_at(o, run, i);
		const struct libsnap_make *make =
			libsnap_pages_at(&o->writer->layouts, object->layout - 1);
		if (!make->labelled) {
			status = label_slots(o, object, make);
			continue;
		}
		const uint32_t *at = o->heap->words + object->references;
		for (uint32_t left = object->reference_count; left > 0 && status == SNAP_OK;
		     left--) {
			status = put_labelled(o, at[0], at[1] / 4, at[1] % 4, at[2]);
			at += LIBSNAP_LABELLED_WORDS;
		}
	}
	return status;
}

/* ---- objects ---- */

static void fill_batch(struct heap_out *o, const struct run *run, size_t first, size_t count)
{
	const struct snap_heap *h = o->heap;
	const uint32_t *strings = o->writer->numbers.strings;
	for (size_t i = 0; i < count; i++) {
		const struct snap_heap_object *object = object_at(o, run, first + i);
		o->batch[ID][i] = object->id;
		o->batch[SIZE][i] = object->size;
		o->batch[GENERATION][i] = object->generation;
		o->batch[FLAGS][i] = object->flags;
		o->batch[NAME][i] = libsnap_number(strings, object->name);
		o->batch[REFCOUNT][i] = object->refcount;
	}
	for (size_t i = 0; i < count && h->stacks; i++)
		o->batch[STACK][i] = h->stacks[run->numbers[first + i] - 1];
	for (size_t i = 0; i < count && h->contents; i++)
		o->batch[CONTENT][i] = h->contents[run->numbers[first + i] - 1];
}

static enum snap_status write_objects(struct heap_out *o, const struct run *run)
{
	const uint64_t *const columns[LIBSNAP_COLUMNS_MAX] = {
		[0] = o->batch[ID],         [1] = o->batch[SIZE],      [3] = o->batch[STACK],
		[7] = o->batch[GENERATION], [8] = o->batch[FLAGS],     [10] = o->batch[NAME],
		[11] = o->batch[CONTENT],   [12] = o->batch[REFCOUNT],
	};
	const uint32_t given = 1u << 0 | 1u << 1 | 1u << 7 | 1u << 8 | 1u << 10 | 1u << 12 |
			       (o->heap->stacks ? 1u << 3 : 0) | (o->heap->contents ? 1u << 11 : 0);
	enum snap_status status = SNAP_OK;
	for (size_t done = 0; done < run->rows && status == SNAP_OK;) {
		const size_t count = run->rows - done < BATCH ? run->rows - done : BATCH;
		fill_batch(o, run, done, count);
		status = libsnap_table_rows_of(&o->objects, columns, given, count);
		done += count;
	}
	return status;
}

static enum snap_status write_lengths(struct heap_out *o, const struct run *run)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < run->rows && status == SNAP_OK; i++) {
		const uint64_t length =
			object_at(o, run, i)->reference_count - run->shape->slot_count;
		status = libsnap_table_row(&o->tails, &length);
	}
	return status;
}

/* Objects are of no use without their runs and tails: these do not wait for
 * the end, so that a file cut short has them for nearly all its objects. */
static enum snap_status explain_rows(struct heap_out *o)
{
	if (o->objects.row_count - o->rows_explained < LIBSNAP_BLOCK_ROWS)
		return SNAP_OK;
	o->rows_explained = o->objects.row_count;
	enum snap_status status = libsnap_table_flush(&o->runs);
	return status == SNAP_OK ? libsnap_table_flush(&o->tails) : status;
}

static enum snap_status write_run(struct heap_out *o, const struct run *run)
{
	const uint64_t row[] = {run->shape->number, run->rows};
	enum snap_status status = write_objects(o, run);
	if (status == SNAP_OK && run->shape->tail != SNAP_TAIL_NONE)
		status = write_lengths(o, run);
	if (status == SNAP_OK)
		status = libsnap_table_row(&o->runs, row);
	if (status == SNAP_OK)
		status = explain_rows(o);
	if (status == SNAP_OK)
		status = write_slots(o, run);
	if (status != SNAP_OK || run->shape->tail == SNAP_TAIL_NONE)
		return status;
	return run->shape->tail == SNAP_TAIL_LABELLED ? write_labelled(o, run)
						      : write_elements(o, run);
}

/* So many rows as one run may have. */
static size_t rows_of_run(const struct heap_out *o, const struct run *run)
{
	const uint32_t slots = run->shape->slot_count;
	size_t most = run->rows < RUN_ROWS_MAX ? run->rows : RUN_ROWS_MAX;
	uint64_t tail = 0;
	if (slots > 0 && most > RUN_SLOTS_MAX / slots)
		most = RUN_SLOTS_MAX / slots;
	for (size_t i = 0; run->shape->tail != SNAP_TAIL_NONE && i < most; i++) {
		tail += object_at(o, run, i)->reference_count - slots;
		if (tail >= RUN_TAIL_MAX)
			return i + 1;
	}
	return most;
}

static enum snap_status write_all(struct heap_out *o)
{
	struct snap_writer *w = o->writer;
	const uint32_t *numbers = w->heap.numbers;
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; i < w->shapes.count; i++) {
		struct run run = {.shape = libsnap_shape_at(&w->shapes, w->shapes.in_order[i])};
		for (uint64_t left = run.shape->rows; left > 0 && status == SNAP_OK;
		     left -= run.rows) {
			run.numbers = numbers;
			run.rows = (size_t)left;
			run.rows = rows_of_run(o, &run);
			numbers += run.rows;
			status = write_run(o, &run);
		}
		if (status != SNAP_OK)
			return status;
	}
	return flush_targets(o);
}

enum snap_status libsnap_heap_write(struct snap_writer *w)
{
	struct heap_out *o = libsnap_alloc_zeroed(w->allocator, 1, sizeof(*o));
	if (!o)
		return libsnap_fail_memory(&w->problem);
	o->writer = w;
	o->heap = &w->heap.arrays;
	libsnap_table_begin(&o->objects, w, SNAP_OBJECTS, w->order.row_count);
	libsnap_table_begin(&o->runs, w, SNAP_RUNS, UINT64_MAX);
	libsnap_table_begin(&o->tails, w, SNAP_TAILS, w->order.row_count);
	libsnap_table_begin(&o->references, w, SNAP_REFERENCES, UINT64_MAX);
	libsnap_table_begin(&o->labels, w, SNAP_TAIL_LABELS, UINT64_MAX);
	o->references.columns[0].bounds = w->shapes.ranges;
	o->references.columns[0].bound_count = w->shapes.range_count;
	enum snap_status status = write_all(o);
	status = libsnap_table_end(&o->runs, status);
	status = libsnap_table_end(&o->objects, status);
	status = libsnap_table_end(&o->tails, status);
	status = libsnap_table_end(&o->references, status);
	status = libsnap_table_end(&o->labels, status);
	libsnap_free(w->allocator, o->slots, o->slot_capacity, sizeof(*o->slots));
	libsnap_free(w->allocator, o, 1, sizeof(*o));
	return status;
}
