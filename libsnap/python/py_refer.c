/* Objects get ids, and the references of the object at
 * hand are gathered, as libsnap takes a whole heap. */
#include "py_walk.h"

#define TAG_INDEX   1u
#define SLOTS_MAX   64 /* of a layout */
#define LAYOUTS_MAX 65536u
#define ROOM        4096u
#define FIRST_ROOM  65536u
/* Of a process, for each object, as is guessed: room costs nothing until it is used. */
#define BYTES_EACH 128u
#define WORDS_EACH 2u
#define LABELLED   3u /* words of a reference that says its label */

/* Pages that are mapped for an area, or moved with it, are zero beyond what was written. */
static bool reach(struct py_area *area, size_t size)
{
	if (area->capacity < size && !py_area_reserve(area, size - area->size))
		return false;
	area->size = size;
	return true;
}

static bool reach_room(struct py_walk *w, size_t room)
{
	const struct {
		struct py_area *area;
		size_t size;
	} columns[] = {
		{&w->objects, sizeof(struct snap_heap_object)},
		{&w->marks, 1},
		{&w->traces, w->options->traces ? sizeof(uint32_t) : 0},
		{&w->contents, w->options->hashes ? sizeof(uint32_t) : 0},
	};
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
		if (!reach(columns[i].area, room * columns[i].size))
			return false;
	w->object_room = room < UINT32_MAX ? (uint32_t)room : UINT32_MAX - 1;
	return true;
}

bool py_room_reserve(struct py_walk *w, size_t room)
{
	return w->object_room >= room || reach_room(w, room);
}

static bool make_room(struct py_walk *w)
{
	const size_t guessed = (size_t)(w->large_bytes / BYTES_EACH);
	if (w->object_room)
		return reach_room(w, (size_t)w->object_room * 2);
	(void)py_area_reserve(&w->words, guessed * WORDS_EACH * sizeof(uint32_t));
	return (guessed > FIRST_ROOM && reach_room(w, guessed)) || reach_room(w, FIRST_ROOM);
}

/* What is to be done before one more object is noted. */
static bool pass_stop(struct py_walk *w)
{
	if (w->object_count >= w->leaves.due)
		py_leaves_post(w);
	if (w->object_count == w->object_room) {
		py_leaves_wait(w);
		if (w->object_room == UINT32_MAX - 1 || !make_room(w))
			return false;
	}
	w->object_stop = w->leaves.due < w->object_room ? w->leaves.due : w->object_room;
	return true;
}

/* Of two walks: 0 if it needs what only one may have. */
static uint32_t note_in_pair(struct py_walk *w, const PyObject *object)
{
	uint32_t *slot = py_index_slot(w->index, object);
	if (!slot || (w->ids.next == w->ids.end && !py_pair_take_ids(w)))
		return 0;
	const uint32_t id = w->ids.next;
	py_row_of(w, id)->id = (uintptr_t)object;
	const uint32_t given = py_index_put(w->index, object, slot, id);
	w->ids.next += given == id;
	return given;
}

uint32_t py_note_new(struct py_walk *w, const PyObject *object)
{
	if (!py_going(w))
		return 0;
	if (w->pair) {
		const uint32_t id = note_in_pair(w, object);
		if (id || w->main) {
			if (!id)
				py_pair_give_up(w);
			return id;
		}
		py_pair_end(w);
	}
	uint32_t *slot = py_index_slot(w->index, object);
	if (!slot || (w->object_count >= w->object_stop && !pass_stop(w))) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory for a table of objects");
		return 0;
	}
	py_row_of(w, w->object_count + 1)->id = (uintptr_t)object;
	w->object_count++;
	return py_index_put(w->index, object, slot, w->object_count);
}

/* ---- gathered ---- */

/* Of two walks, each has its part of one area. */
bool py_words_reserve(struct py_walk *w, size_t size)
{
	if (w->pair && w->words.capacity - w->words.size < size) {
		if (w->main) {
			py_pair_give_up(w);
			return false;
		}
		py_pair_end(w);
	}
	return py_area_reserve(&w->words, size);
}

bool py_refer_room(struct py_walk *w)
{
	if (py_words_reserve(w, ROOM * sizeof(uint32_t)) &&
	    py_area_reserve(&w->slots, ROOM * sizeof(uint64_t)))
		return true;
	py_fail(w, SNAP_NO_MEMORY, "out of memory for references");
	return false;
}

void py_refer_begin(struct py_walk *w)
{
	w->slots.size = 0;
	w->first_word = w->words.size / sizeof(uint32_t);
}

static uint32_t *first_word(const struct py_walk *w)
{
	return (uint32_t *)(void *)w->words.bytes + w->first_word;
}

static size_t word_count(const struct py_walk *w)
{
	return w->words.size / sizeof(uint32_t) - w->first_word;
}

void py_refer_items(struct py_walk *w, PyObject *const *items, size_t count)
{
	if (!py_going(w) || !py_words_reserve(w, count * sizeof(uint32_t))) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory for references");
		return;
	}
	w->words.size += count * sizeof(uint32_t);
	for (size_t i = 0; i < count; i++) {
		const uint32_t id = items[i] ? py_note(w, items[i]) : 0;
		first_word(w)[i] = id; /* they may have moved */
	}
}

/* ---- and laid out ---- */

static unsigned tag_of(uint64_t slot)
{
	return slot >> PY_KIND_BITS & 3;
}

static unsigned kind_of(uint64_t slot)
{
	return slot & ((1u << PY_KIND_BITS) - 1);
}

/* How many references come before the first that has an
 * index or a key; the others must be elements in order. */
static bool divide(const uint64_t *slots, size_t count, size_t *named)
{
	size_t i = 0;
	while (i < count && tag_of(slots[i]) != TAG_INDEX && tag_of(slots[i]) != PY_TAG_KEY)
		i++;
	*named = i;
	while (i < count &&
	       slots[i] == (SNAP_LABEL_INDEX(i - *named) << PY_KIND_BITS | SNAP_REF_ELEMENT))
		i++;
	return i == count && *named <= SLOTS_MAX;
}

static uint64_t hash_of(uint32_t type, const uint64_t *slots, size_t count)
{
	uint64_t hash = type + 1;
	for (size_t i = 0; i < count; i++) {
		hash = (hash ^ slots[i]) * 0x9e3779b97f4a7c15u;
		hash ^= hash >> 29;
	}
	return hash;
}

/* What the walk itself has to know of a layout that the writer has just numbered. */
static void keep_layout(struct py_walk *w, uint32_t layout, uint32_t type, const uint64_t *slots,
			size_t count, bool labelled)
{
	struct py_layout_info info = {.first = w->layout_slots.size / sizeof(*slots),
				      .count = (uint32_t)count,
				      .type = type,
				      .labelled = labelled};
	uint64_t *kept = count > 0 ? py_area_add(&w->layout_slots, count * sizeof(*slots)) : NULL;
	if ((count > 0 && !kept) || !reach(&w->layout_infos, layout * sizeof(info))) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory for layouts");
		return;
	}
	for (size_t i = 0; i < count; i++) {
		kept[i] = slots[i];
		info.strong |= (uint64_t)py_holds(kind_of(slots[i])) << i;
	}
	((struct py_layout_info *)(void *)w->layout_infos.bytes)[layout - 1] = info;
}

void py_layouts_join(struct py_walk *w, const struct py_walk *from)
{
	const size_t count = from->layout_infos.size / sizeof(struct py_layout_info);
	for (size_t i = 0; i < count && py_going(w); i++) {
		const struct py_layout_info *info = py_layout_at(from, (uint32_t)i + 1);
		const uint64_t *slots =
			(const uint64_t *)(const void *)from->layout_slots.bytes + info->first;
		if (info->type)
			keep_layout(w, (uint32_t)i + 1, info->type, slots, info->count,
				    info->labelled);
	}
}

static uint32_t add_layout(struct py_walk *w, uint32_t type, const uint64_t *slots, size_t count)
{
	struct snap_slot wanted[SLOTS_MAX];
	uint32_t layout = 0;
	for (size_t i = 0; i < count; i++)
		wanted[i] = (struct snap_slot){(enum snap_reference_kind)kind_of(slots[i]),
					       slots[i] >> PY_KIND_BITS};
	py_lock(w);
	if (py_going(w))
		w->status = snap_writer_layout(w->writer, type, wanted, count, &layout, &w->error);
	py_unlock(w);
	if (py_going(w))
		keep_layout(w, layout, type, slots, count, false);
	return py_going(w) ? layout : 0;
}

static uint32_t labelled_layout(struct py_walk *w, struct py_type *type)
{
	if (!type->labelled && py_going(w)) {
		py_lock(w);
		w->status = snap_writer_labelled_layout(w->writer, type->id, &type->labelled,
							&w->error);
		py_unlock(w);
		if (py_going(w))
			keep_layout(w, type->labelled, type->id, NULL, 0, true);
	}
	return type->labelled;
}

uint32_t py_plain_layout(struct py_walk *w, struct py_type *type)
{
	if (!type->plain)
		type->plain = add_layout(w, type->id, NULL, 0);
	return type->plain;
}

static bool is_layout(const struct py_walk *w, uint32_t layout, uint32_t type,
		      const uint64_t *slots, size_t count)
{
	const struct py_layout_info *info = py_layout_at(w, layout);
	const uint64_t *known = (const uint64_t *)(void *)w->layout_slots.bytes + info->first;
	return info->type == type && info->count == count && !info->labelled &&
	       memcmp(known, slots, count * sizeof(*slots)) == 0;
}

/* 0: there are too many. */
static uint32_t find_layout(struct py_walk *w, struct py_type *type, const uint64_t *slots,
			    size_t count, uint32_t expected)
{
	if (count == 0)
		return py_plain_layout(w, type);
	if (expected && is_layout(w, expected, type->id, slots, count))
		return expected;
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	const void *hash = (const void *)(uintptr_t)hash_of(type->id, slots, count);
	uint32_t layout = py_map_get(&w->layout_numbers, hash);
	if (layout)
		return is_layout(w, layout, type->id, slots, count) ? layout : 0;
	if (w->layout_infos.size / sizeof(struct py_layout_info) >= LAYOUTS_MAX)
		return 0;
	layout = add_layout(w, type->id, slots, count);
	if (layout && !py_map_put(&w->layout_numbers, hash, layout))
		py_fail(w, SNAP_NO_MEMORY, "out of memory for layouts");
	return layout;
}

/* Each target becomes three words, from the last on. */
static void label_words(struct py_walk *w, const uint64_t *slots, size_t count)
{
	if (!py_words_reserve(w, count * (LABELLED - 1) * sizeof(uint32_t))) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory for references");
		return;
	}
	uint32_t *words = first_word(w);
	for (size_t i = count; i-- > 0;) {
		const uint32_t said[LABELLED] = {words[i],
						 kind_of(slots[i]) << 2 | tag_of(slots[i]),
						 (uint32_t)(slots[i] >> PY_KIND_BITS >> 2)};
		memcpy(words + i * LABELLED, said, sizeof(said));
	}
	w->words.size += count * (LABELLED - 1) * sizeof(uint32_t);
}

uint32_t py_refer_end(struct py_walk *w, uint32_t id, struct py_type *type, uint32_t expected)
{
	const uint64_t *slots = (const uint64_t *)(void *)w->slots.bytes;
	const size_t count = word_count(w), labels = w->slots.size / sizeof(*slots);
	size_t named = 0;
	uint32_t layout = 0;
	if (labels == 0 || divide(slots, labels, &named))
		layout = find_layout(w, type, slots, named, expected);
	if (!layout && py_going(w)) {
		layout = labelled_layout(w, type);
		label_words(w, slots, count);
	}
	if (!py_going(w))
		return 0;
	struct snap_heap_object *row = py_row_of(w, id);
	row->layout = layout;
	row->references = w->first_word;
	row->reference_count = (uint32_t)count;
	if (count == 0)
		py_mark_as(w, id, PY_LEAF);
	return layout;
}
