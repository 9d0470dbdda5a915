/* The writer: a heap that is given at once becomes the file
 * that its objects, written one by one, become (snap.h). */
#include "faults.h"
#include "writer_model.h"

#define OBJECTS 3000u
#define SPREAD  16u
#define LAYOUTS 9u /* the last one is labelled */
#define STRINGS 90u

struct heap {
	uint32_t strings[STRINGS], types[2], stacks[2], contents[2], layouts[LAYOUTS];
	struct snap_slot slots[LAYOUTS][80];
	size_t slot_count[LAYOUTS];
	struct snap_heap_object objects[OBJECTS];
	uint32_t order[OBJECTS], object_stacks[OBJECTS], object_contents[OBJECTS],
		words[OBJECTS * 80];
	size_t word_count;
};

/* None, some, as many as need a labelled tail; and layouts that one object has alone. */
static const size_t slot_counts[LAYOUTS - 1] = {0, 3, 70, 64, 2, 2, 2, 5};

static uint32_t type_of(const struct heap *h, uint32_t layout)
{
	return h->types[layout % 2];
}

static enum snap_status name_things(struct snap_writer *w, struct heap *h, struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; i < STRINGS && status == SNAP_OK; i++) {
		char name[16];
		int size = snprintf(name, sizeof(name), "name %u", i);
		status = snap_writer_string(w, name, (size_t)size, &h->strings[i], error);
	}
	for (uint32_t i = 0; i < 2 && status == SNAP_OK; i++) {
		const struct snap_frame frame = {.function = h->strings[i], .line = 7};
		uint32_t id;
		status = snap_writer_type(w, h->strings[i], SNAP_TYPE_OBJECT, &h->types[i], error);
		if (status == SNAP_OK)
			status = snap_writer_frame(w, &frame, &id, error);
		if (status == SNAP_OK)
			status = snap_writer_stack(w, 0, id, 0, &h->stacks[i], error);
		if (status == SNAP_OK)
			status = snap_writer_content(w, 5, i + 1, 0, &h->contents[i], error);
	}
	return status;
}

static enum snap_status lay_out(struct snap_writer *w, struct heap *h, struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; i < LAYOUTS - 1 && status == SNAP_OK; i++) {
		h->slot_count[i] = slot_counts[i];
		for (size_t slot = 0; slot < slot_counts[i]; slot++)
			h->slots[i][slot] = (struct snap_slot){
				slot ? SNAP_REF_FIELD : SNAP_REF_CLASS,
				slot ? SNAP_LABEL_STRING(h->strings[slot + i]) : SNAP_LABEL_NONE};
		status = snap_writer_layout(w, type_of(h, i), h->slots[i], slot_counts[i],
					    &h->layouts[i], error);
	}
	return status == SNAP_OK ? snap_writer_labelled_layout(w, type_of(h, LAYOUTS - 1),
							       &h->layouts[LAYOUTS - 1], error)
				 : status;
}

static uint32_t layout_for(uint32_t number, uint64_t *random)
{
	if (number >= 10 && number < 14)
		return 4 + number % 4; /* alone */
	return number % 97 == 5 ? LAYOUTS - 1 : (uint32_t)model_random(random, 4);
}

/* Numbers come in an order of their own; ids are where they lie. */
static void make_objects(struct heap *h)
{
	uint64_t random = 88172645463325252u;
	h->word_count = 0;
	for (uint32_t number = 1; number <= OBJECTS; number++) {
		const uint32_t place = number * 7 % OBJECTS,
			       layout = number == OBJECTS ? 0 : layout_for(number, &random);
		struct snap_heap_object *o = &h->objects[number - 1];
		const bool labelled = layout == LAYOUTS - 1;
		*o = (struct snap_heap_object){.id = (place + 1) * (uint64_t)SPREAD,
					       .size = 8 * model_random(&random, 9),
					       .refcount = model_random(&random, 3),
					       .references = h->word_count,
					       .layout = h->layouts[layout],
					       .generation = (uint16_t)(number % 3),
					       .flags = number % 50 == 0};
		o->name = number % 5 ? 0 : h->strings[number % STRINGS];
		o->reference_count =
			(uint32_t)(h->slot_count[layout] +
				   model_random(&random, 3) * model_random(&random, 4));
		if (layout >= 4 && !labelled)
			o->reference_count = (uint32_t)h->slot_count[layout];
		for (uint32_t i = 0; i < o->reference_count; i++) {
			h->words[h->word_count++] = (uint32_t)model_random(&random, OBJECTS + 1);
			if (!labelled)
				continue;
			h->words[h->word_count++] = SNAP_REF_VALUE * 4 + 2;
			h->words[h->word_count++] = 1 + (uint32_t)model_random(&random, OBJECTS);
		}
		h->order[place] = number;
		h->object_stacks[number - 1] = h->stacks[number % 2];
		h->object_contents[number - 1] = number % 3 ? 0 : h->contents[number % 2];
	}
}

static enum snap_status add_root(struct snap_writer *w, const struct heap *h,
				 struct snap_error *error)
{
	const struct snap_root root = {.object = 5 * (uint64_t)SPREAD, .label = h->strings[3]},
			       unknown = {.object = 5};
	enum snap_status status = snap_writer_root(w, &root, error);
	return status == SNAP_OK ? snap_writer_root(w, &unknown, error) : status;
}

static uint64_t id_of(const struct heap *h, uint32_t number)
{
	return number ? h->objects[number - 1].id : 0;
}

static void put_apart(struct snap_writer *w, const struct heap *h, uint32_t number)
{
	const struct snap_heap_object *from = &h->objects[number - 1];
	uint32_t layout = 0;
	while (h->layouts[layout] != from->layout)
		layout++;
	const struct snap_object o = {.id = from->id,
				      .size = from->size,
				      .count = 1,
				      .type = type_of(h, layout),
				      .stack = h->object_stacks[number - 1],
				      .name = from->name,
				      .content = h->object_contents[number - 1],
				      .generation = from->generation,
				      .flags = from->flags,
				      .refcount = from->refcount};
	const uint32_t *at = h->words + from->references;
	REQUIRE(snap_writer_object(w, &o, NULL) == SNAP_OK);
	for (size_t i = 0; i < from->reference_count; i++) {
		struct snap_slot slot = {SNAP_REF_ELEMENT,
					 SNAP_LABEL_INDEX(i - h->slot_count[layout])};
		if (layout == LAYOUTS - 1) {
			REQUIRE(snap_writer_keyed_reference(w, o.id, id_of(h, at[0]),
							    SNAP_REF_VALUE, id_of(h, at[2]),
							    NULL) == SNAP_OK);
			at += 3;
			continue;
		}
		if (i < h->slot_count[layout])
			slot = h->slots[layout][i];
		REQUIRE(snap_writer_reference(w, o.id, id_of(h, *at++), slot.kind, slot.label,
					      NULL) == SNAP_OK);
	}
}

static struct snap_heap arrays_of(const struct heap *h)
{
	struct snap_heap arrays = SNAP_HEAP_INIT;
	arrays.count = OBJECTS;
	arrays.order = h->order;
	arrays.objects = h->objects;
	arrays.words = h->words;
	arrays.word_count = h->word_count;
	arrays.stacks = h->object_stacks;
	arrays.contents = h->object_contents;
	return arrays;
}

static enum snap_status begin(struct snap_writer *w, struct heap *h, struct snap_error *error)
{
	enum snap_status status = name_things(w, h, error);
	if (status == SNAP_OK)
		status = lay_out(w, h, error);
	if (status == SNAP_OK)
		make_objects(h);
	return status == SNAP_OK ? add_root(w, h, error) : status;
}

/* A number that is no object's: nothing refers to it, and it stands in no order. */
static void leave_out(struct heap *h, struct snap_heap *arrays, uint32_t number)
{
	uint32_t count = 0;
	for (size_t i = 0; i < h->word_count; i++)
		if (h->words[i] == number)
			h->words[i] = number - 1;
	for (uint32_t i = 0; i < OBJECTS; i++)
		if (h->order[i] != number)
			h->order[count++] = h->order[i];
	arrays->order_count = count;
}

static void test_same(struct heap *h, uint32_t left_out)
{
	struct snap_heap arrays = arrays_of(h);
	struct model_bytes apart = {0}, whole = {0};
	struct snap_writer_summary one, other;
	struct snap_writer *w = open_bytes(&apart, NULL, 0);
	REQUIRE(begin(w, h, NULL) == SNAP_OK);
	if (left_out)
		leave_out(h, &arrays, left_out);
	for (uint32_t i = 0; i < OBJECTS - (left_out > 0); i++)
		put_apart(w, h, h->order[i]);
	REQUIRE(snap_writer_finish(w, &one, NULL) == SNAP_OK);
	w = open_bytes(&whole, NULL, 0);
	REQUIRE(begin(w, h, NULL) == SNAP_OK);
	arrays = arrays_of(h);
	if (left_out)
		leave_out(h, &arrays, left_out);
	REQUIRE(snap_writer_heap(w, &arrays, NULL) == SNAP_OK);
	REQUIRE(snap_writer_finish(w, &other, NULL) == SNAP_OK);
	CHECK(same_bytes(&apart, &whole));
	CHECK(one.object_rows == other.object_rows && one.references == other.references &&
	      one.unknown_roots == 1 && other.unknown_roots == 1);
	free(apart.bytes);
	free(whole.bytes);
}

/* What is wrong is found when the writer ends. */
static enum snap_status finish_with(struct heap *h, const struct snap_heap *arrays,
				    bool other_object)
{
	struct model_bytes b = {0};
	struct snap_writer *w = open_bytes(&b, NULL, 0);
	struct heap *fresh = model_alloc(1, sizeof(*fresh));
	REQUIRE(name_things(w, fresh, NULL) == SNAP_OK && lay_out(w, fresh, NULL) == SNAP_OK);
	if (other_object)
		put_object(w, 1, h->types[0]);
	enum snap_status status = snap_writer_heap(w, arrays, NULL);
	if (status == SNAP_OK)
		status = snap_writer_finish(w, NULL, NULL);
	else
		snap_writer_abort(w);
	free(fresh);
	free(b.bytes);
	return status;
}

#define WRONG(place, value) \
	do { \
		(place) = (value); \
		CHECK(finish_with(h, &arrays, false) == SNAP_MISUSE); \
		*h = *sound; \
	} while (0)

static void test_wrong(struct heap *h)
{
	struct snap_heap arrays = arrays_of(h);
	struct heap *sound = model_alloc(1, sizeof(*sound));
	*sound = *h;
	uint32_t labelled = 1;
	while (h->objects[labelled - 1].layout != h->layouts[LAYOUTS - 1] ||
	       h->objects[labelled - 1].reference_count == 0)
		labelled++;
	uint32_t *words = h->words + h->objects[labelled - 1].references;
	CHECK(finish_with(h, &arrays, false) == SNAP_OK);
	CHECK(finish_with(h, &arrays, true) == SNAP_MISUSE);
	WRONG(h->order[0], 0);
	WRONG(h->order[0], OBJECTS + 1);
	WRONG(h->order[1], h->order[0]);
	WRONG(h->objects[h->order[0] - 1].id, 0);
	WRONG(h->objects[7].layout, 0);
	WRONG(h->objects[7].layout, LAYOUTS + 1);
	WRONG(h->objects[7].name, 999);
	WRONG(h->objects[7].reference_count, UINT32_MAX);
	WRONG(h->objects[labelled - 1].references, UINT64_MAX);
	WRONG(h->object_stacks[7], 3);
	WRONG(h->object_contents[7], 3);
	WRONG(words[0], OBJECTS + 1);
	WRONG(words[1], 32 * 4 + 2);
	WRONG(words[1], SNAP_REF_VALUE * 4 + 3);
	WRONG(words[2], 0);
	WRONG(words[2], OBJECTS + 1);
	arrays.word_count--;
	CHECK(finish_with(h, &arrays, false) == SNAP_MISUSE);
	arrays = arrays_of(h);
	arrays.count = UINT32_MAX;
	CHECK(finish_with(h, &arrays, false) == SNAP_MISUSE);
	arrays = arrays_of(h);
	arrays.objects = NULL;
	CHECK(finish_with(h, &arrays, false) == SNAP_MISUSE);
	arrays = (struct snap_heap)SNAP_HEAP_INIT;
	CHECK(finish_with(h, &arrays, false) == SNAP_OK);
	arrays = arrays_of(h);
	arrays.order_count = OBJECTS + 1;
	CHECK(finish_with(h, &arrays, false) == SNAP_MISUSE);
	leave_out(h, &arrays, OBJECTS / 2);
	*sound = *h;
	CHECK(finish_with(h, &arrays, false) == SNAP_OK);
	WRONG(words[0], OBJECTS / 2);
	WRONG(words[2], OBJECTS / 2);
	free(sound);
}

static enum snap_status write_faulty(struct heap *h, struct faults *f)
{
	const struct snap_allocator allocator = faulty_memory(f);
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	struct model_bytes b = {0};
	const struct snap_sink sink = {&b, model_take};
	struct snap_writer *w;
	options.allocator = &allocator;
	enum snap_status status = snap_writer_open_sink(&w, &sink, &options, NULL);
	if (status != SNAP_OK)
		return status;
	status = begin(w, h, NULL);
	const struct snap_heap arrays = arrays_of(h);
	if (status == SNAP_OK)
		status = snap_writer_heap(w, &arrays, NULL);
	if (status == SNAP_OK)
		status = snap_writer_finish(w, NULL, NULL);
	else
		snap_writer_abort(w);
	free(b.bytes);
	return status;
}

static void test_out_of_memory(struct heap *h)
{
	for (uint64_t n = 0;; n++) {
		struct faults f = {.memory_fail_at = n, .io_fail_at = UINT64_MAX};
		const enum snap_status status = write_faulty(h, &f);
		REQUIRE(f.live == 0);
		if (f.memory_calls <= n) {
			CHECK(status == SNAP_OK && n > 20);
			return;
		}
		REQUIRE(status == SNAP_NO_MEMORY);
	}
}

int main(void)
{
	struct heap *h = model_alloc(1, sizeof(*h));
	test_same(h, OBJECTS / 2);
	test_same(h, 0);
	test_wrong(h);
	test_out_of_memory(h);
	free(h);
	return DONE();
}
