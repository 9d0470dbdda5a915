/* A whole heap at once, out of the caller's arrays: which shape each object has, and which row. */
#include <inttypes.h>
#include <string.h>

#include "writer.h"

enum snap_status snap_writer_labelled_layout(struct snap_writer *w, uint32_t type, uint32_t *id,
					     struct snap_error *error)
{
	enum snap_status status = libsnap_writer_failed(w)
					  ? w->failure.status
					  : libsnap_layout_add(w, type, NULL, 0, id);
	if (status == SNAP_OK)
		((struct libsnap_make *)libsnap_pages_at(&w->layouts, *id - 1))->labelled = true;
	return libsnap_writer_end_call(w, status, error);
}

void libsnap_heap_free(struct snap_writer *w)
{
	libsnap_free(w->allocator, w->heap.rows, w->heap.arrays.count, sizeof(*w->heap.rows));
	libsnap_free(w->allocator, w->heap.numbers, w->heap.arrays.count, sizeof(*w->heap.numbers));
	w->heap.rows = w->heap.numbers = NULL;
}

/* ---- shapes ---- */

/* Whether an object has the references that its layout says, and where it says. */
static bool has_references(const struct snap_heap *h, const struct snap_heap_object *o,
			   const struct libsnap_make *make)
{
	const uint64_t words =
		o->reference_count * (uint64_t)(make->labelled ? LIBSNAP_LABELLED_WORDS : 1);
	return o->reference_count >= make->slot_count &&
	       (words == 0 ||
		(o->references <= h->word_count && words <= h->word_count - o->references));
}

/* What a labelled layout's object says of its references;
 * targets are looked at when they are written. */
static enum snap_status use_labels(struct snap_writer *w, const struct snap_heap_object *o)
{
	const uint32_t *words = w->heap.arrays.words + o->references;
	for (uint32_t i = 0; i < o->reference_count; i++, words += LIBSNAP_LABELLED_WORDS) {
		const uint32_t kind = words[1] / 4, tag = words[1] % 4, value = words[2];
		if (kind > 31 ||
		    (tag == LIBSNAP_TAG_STRING && (value == 0 || value > w->names.strings.count)) ||
		    (tag == LIBSNAP_TAG_OBJECT && (value == 0 || value > w->heap.arrays.count)) ||
		    (tag == LIBSNAP_TAG_NONE && value != 0))
			return libsnap_misuse(w,
					      "object %" PRIu64 ": kind %" PRIu32
					      " with label %" PRIu32 " is none",
					      o->id, kind, value);
		if (tag == LIBSNAP_TAG_STRING)
			libsnap_string_use(&w->names, value);
	}
	return SNAP_OK;
}

static enum snap_status find_labelled(struct snap_writer *w, const struct libsnap_make *make,
				      uint32_t *shape)
{
	struct libsnap_layout layout = {.tail = SNAP_TAIL_LABELLED, .all_in_tail = true};
	return libsnap_shape_intern(w, make->type, NULL, 0, &layout, shape);
}

static enum snap_status find_shape(struct snap_writer *w, const struct libsnap_make *make,
				   bool elements, uint32_t *shape)
{
	if (make->labelled && elements)
		return find_labelled(w, make, shape);
	w->group.count = 0;
	for (size_t i = 0; i < make->slot_count + (size_t)elements; i++) {
		struct libsnap_reference r = {.kind = SNAP_REF_ELEMENT, .tag = LIBSNAP_TAG_INDEX};
		if (i < make->slot_count)
			r = *(struct libsnap_reference *)libsnap_pages_at(&w->layout_slots,
									  make->first_slot + i);
		if (r.tag == LIBSNAP_TAG_STRING)
			libsnap_string_use(&w->names, (uint32_t)r.value);
		if (!libsnap_group_add(w, &w->group, &r))
			return libsnap_fail_memory(&w->problem);
	}
	struct libsnap_layout layout = libsnap_layout_of(w->group.references, w->group.count);
	return libsnap_shape_intern(w, make->type, w->group.references, w->group.count, &layout,
				    shape);
}

static enum snap_status make_shape(struct snap_writer *w, struct libsnap_make *make, bool elements)
{
	uint32_t id;
	enum snap_status status = find_shape(w, make, elements, &id);
	if (status == SNAP_OK)
		make->made[elements] = (struct libsnap_made){
			.shape_id = id, .shape = libsnap_shape_at(&w->shapes, id)};
	return status;
}

/* ---- sums ---- */

#define GENERATIONS 8u

struct sums {
	uint64_t bytes; /* of all */
	struct libsnap_sum by_size[65], by_generation[GENERATIONS];
};

static void add(struct libsnap_sum *sum, uint64_t bytes)
{
	sum->bytes += bytes;
	sum->count++;
}

static enum snap_status add_object(struct snap_writer *w, struct sums *sums,
				   const struct snap_heap_object *o, uint32_t stack)
{
	const struct libsnap_sum one = {o->size, 1};
	if (libsnap_add_overflows(sums->bytes, o->size, &sums->bytes))
		return libsnap_fail(&w->problem, SNAP_LIMIT, SNAP_NO_OFFSET, "a sum is over 2^64");
	add(&sums->by_size[libsnap_size_bucket(o->size)], o->size);
	if (o->generation < GENERATIONS)
		add(&sums->by_generation[o->generation], o->size);
	enum snap_status status = SNAP_OK;
	if (o->generation >= GENERATIONS)
		status = libsnap_totals_sum(w, SNAP_BY_GENERATION, o->generation, &one);
	return status == SNAP_OK && w->heap.arrays.stacks
		       ? libsnap_totals_sum(w, SNAP_BY_STACK, stack, &one)
		       : status;
}

static enum snap_status add_up(struct snap_writer *w, const struct sums *sums)
{
	enum snap_status status = SNAP_OK;
	for (uint64_t key = 0; key < 65 && status == SNAP_OK; key++)
		status = libsnap_totals_sum(w, SNAP_BY_SIZE, key, &sums->by_size[key]);
	for (uint64_t key = 0; key < GENERATIONS && status == SNAP_OK; key++)
		status = libsnap_totals_sum(w, SNAP_BY_GENERATION, key, &sums->by_generation[key]);
	const struct libsnap_sum all = {sums->bytes, w->heap.arrays.order_count};
	if (status == SNAP_OK)
		status = libsnap_totals_sum(w, SNAP_BY_ALL, 0, &all);
	return status;
}

/* ---- objects ---- */

/* What it is made of, if that is there. */
static enum snap_status check_object(struct snap_writer *w, uint32_t number, uint64_t *id_before)
{
	const struct snap_heap *h = &w->heap.arrays;
	if (number == 0 || number > h->count || h->objects[number - 1].id <= *id_before)
		return libsnap_misuse(w, "the order of the heap is not that of its ids");
	const struct snap_heap_object *o = &h->objects[number - 1];
	*id_before = o->id;
	if (o->layout == 0 || o->layout > w->layouts.count)
		return libsnap_misuse(w, "object %" PRIu64 ": layout %" PRIu32 " is not known",
				      o->id, o->layout);
	if (!has_references(h, o, libsnap_pages_at(&w->layouts, o->layout - 1)))
		return libsnap_misuse(
			w, "object %" PRIu64 " has not the references that its layout says", o->id);
	if (o->name > w->names.strings.count ||
	    (h->stacks && h->stacks[number - 1] > w->names.stacks.rows.count) ||
	    (h->contents && h->contents[number - 1] > w->names.contents.rows.count))
		return libsnap_misuse(
			w, "object %" PRIu64 ": its name, stack or content is not known", o->id);
	return SNAP_OK;
}

static enum snap_status settle_object(struct snap_writer *w, struct sums *sums, uint32_t number)
{
	const struct snap_heap *h = &w->heap.arrays;
	const struct snap_heap_object *o = &h->objects[number - 1];
	struct libsnap_make *make = libsnap_pages_at(&w->layouts, o->layout - 1);
	const bool elements = o->reference_count > make->slot_count;
	enum snap_status status = add_object(w, sums, o, h->stacks ? h->stacks[number - 1] : 0);
	if (status == SNAP_OK && make->labelled)
		status = use_labels(w, o);
	if (status == SNAP_OK && make->made[elements].shape_id == 0)
		status = make_shape(w, make, elements);
	if (status != SNAP_OK)
		return status;
	libsnap_string_use(&w->names, o->name);
	struct libsnap_shape *shape = make->made[elements].shape;
	shape->rows++;
	shape->blocks++;
	shape->bytes += o->size;
	w->heap.rows[number - 1] = make->made[elements].shape_id;
	return SNAP_OK;
}

static enum snap_status settle_objects(struct snap_writer *w)
{
	const struct snap_heap *h = &w->heap.arrays;
	struct sums sums = {0};
	uint64_t id_before = 0;
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; i < h->order_count && status == SNAP_OK; i++) {
		if (i + LIBSNAP_AHEAD < h->order_count)
			libsnap_heap_expect(h, h->order[i + LIBSNAP_AHEAD]);
		status = check_object(w, h->order[i], &id_before);
		if (status == SNAP_OK)
			status = settle_object(w, &sums, h->order[i]);
	}
	return status == SNAP_OK ? add_up(w, &sums) : status;
}

static enum snap_status take_objects(struct snap_writer *w)
{
	const struct snap_heap *h = &w->heap.arrays;
	w->heap.rows = libsnap_alloc(w->allocator, h->count, sizeof(*w->heap.rows));
	w->heap.numbers = libsnap_alloc(w->allocator, h->count, sizeof(*w->heap.numbers));
	if (!w->heap.rows || !w->heap.numbers)
		return libsnap_fail_memory(&w->problem);
	if (h->order_count < h->count) /* of those that are no objects it is 0 */
		memset(w->heap.rows, 0, h->count * sizeof(*w->heap.rows));
	enum snap_status status = settle_objects(w);
	w->group.count = 0;
	return status;
}

enum snap_status snap_writer_heap(struct snap_writer *w, const struct snap_heap *heap,
				  struct snap_error *error)
{
	struct snap_heap whole = SNAP_HEAP_INIT;
	if (libsnap_writer_failed(w))
		return libsnap_writer_end_call(w, w->failure.status, error);
	enum snap_status status = libsnap_copy_options(&whole, sizeof(whole), heap, &w->problem);
	if (status == SNAP_OK && (w->heap.given || w->is_direct || w->totals_only))
		status = libsnap_misuse(w, "a heap, after another or where rows are not kept");
	if (status == SNAP_OK && ((whole.count > 0 && (!whole.order || !whole.objects)) ||
				  (whole.word_count > 0 && !whole.words)))
		status = libsnap_misuse(w, "a heap that lacks an array");
	if (status == SNAP_OK && whole.count == UINT32_MAX)
		status = libsnap_misuse(w, "a heap of 2^32 - 1 objects");
	if (status == SNAP_OK && whole.order_count > whole.count)
		status = libsnap_misuse(w, "an order of more objects than there are");
	if (status == SNAP_OK) {
		if (whole.order_count == 0)
			whole.order_count = whole.count;
		w->heap.arrays = whole;
		w->heap.given = true;
		status = take_objects(w);
	}
	return libsnap_writer_end_call(w, status, error);
}

static void number_rows(struct snap_writer *w)
{
	const struct snap_heap *h = &w->heap.arrays;
	for (uint32_t i = 0; i < h->order_count; i++) {
		const uint32_t number = h->order[i];
		const struct libsnap_shape *shape =
			libsnap_shape_at(&w->shapes, w->heap.rows[number - 1]);
		shape = libsnap_shape_at(&w->shapes, shape->instead);
		const uint64_t row = w->shapes.next_row[shape->number - 1]++;
		w->heap.numbers[row] = number;
		w->heap.rows[number - 1] = (uint32_t)row + 1;
	}
}

enum snap_status libsnap_heap_settle(struct snap_writer *w)
{
	if (w->named.record_count > 0 || w->anonymous.record_count > 0 || w->loose_count > 0)
		return libsnap_misuse(w, "a heap, and objects or references beside it");
	enum snap_status status = libsnap_shapes_settle(w);
	if (status == SNAP_OK)
		number_rows(w);
	return status;
}

void libsnap_heap_resolve(struct snap_writer *w, uint64_t *ids, size_t count, uint64_t *unknown)
{
	const struct snap_heap *h = &w->heap.arrays;
	for (size_t i = 0; i < count; i++) {
		uint32_t low = 0, high = h->order_count;
		while (low < high) {
			uint32_t middle = low + (high - low) / 2;
			if (h->objects[h->order[middle] - 1].id < ids[i])
				low = middle + 1;
			else
				high = middle;
		}
		const bool found =
			low < h->order_count && h->objects[h->order[low] - 1].id == ids[i];
		*unknown += !found;
		ids[i] = found ? w->heap.rows[h->order[low] - 1] : 0;
	}
}
