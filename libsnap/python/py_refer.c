/* References of the object at hand, which are gathered and then written with it. */
#include "py_walk.h"

#define KIND_BITS   5
#define TAG_INDEX   1u
#define TAG_KEY     2u
#define SLOTS_MAX   64 /* of a layout */
#define LAYOUTS_MAX 65536u

/* Labels and kinds of references, as more than one object may have them. */
struct py_seen_layout {
	uint64_t first; /* in layout_slots */
	uint32_t count, type;
	uint32_t layout; /* of the writer; 0: seen once */
};

uint32_t py_note_new(struct py_walk *w, const PyObject *object)
{
	if (!py_going(w))
		return 0;
	uint32_t *slot = py_index_slot(&w->index, object);
	PyObject **added = slot ? py_area_add(&w->objects, sizeof(*added)) : NULL;
	if (!added || !py_area_add(&w->flags, 1) || w->object_count == UINT32_MAX) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory for a table of objects");
		return 0;
	}
	*added = (PyObject *)(uintptr_t)object;
	py_index_put(&w->index, object, slot, ++w->object_count);
	return w->object_count;
}

/* ---- gathered ---- */

static inline void add(struct py_walk *w, const PyObject *to, uint64_t slot)
{
	uint64_t *target = py_area_add(&w->targets, sizeof(*target));
	uint64_t *labelled = py_area_add(&w->slots, sizeof(*labelled));
	if (!target || !labelled) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory for references");
		return;
	}
	*target = (uintptr_t)to;
	*labelled = slot;
}

/* What is held is counted; false: there is nothing to refer to, or no going on. */
static inline bool hold(struct py_walk *w, const PyObject *to, enum snap_reference_kind kind)
{
	uint32_t id = to ? py_note(w, to) : 0;
	if (!id || kind >= SNAP_REF_FIRST_WEAK)
		return id != 0;
	uint32_t *edge = py_area_add(&w->edges, sizeof(*edge));
	if (!edge) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory for references");
		return false;
	}
	*edge = id;
	return true;
}

void py_refer(struct py_walk *w, PyObject *to, enum snap_reference_kind kind, uint64_t label)
{
	if (hold(w, to, kind))
		add(w, to, label << KIND_BITS | kind);
}

void py_repeat(struct py_walk *w, PyObject *to, uint64_t label)
{
	if (py_note(w, to))
		add(w, to, label << KIND_BITS | SNAP_REF_ALIAS);
}

void py_refer_key(struct py_walk *w, PyObject *to, PyObject *key)
{
	if (hold(w, to, SNAP_REF_VALUE))
		add(w, to, ((uint64_t)(uintptr_t)key << 2 | TAG_KEY) << KIND_BITS | SNAP_REF_VALUE);
}

/* ---- and written ---- */

static unsigned tag_of(uint64_t slot)
{
	return slot >> KIND_BITS & 3;
}

static struct snap_slot slot_of(uint64_t slot)
{
	return (struct snap_slot){(enum snap_reference_kind)(slot & ((1u << KIND_BITS) - 1)), slot >> KIND_BITS};
}

/* How many references come before the first that has an index or a key; the others must be elements in order. */
static bool divide(const uint64_t *slots, size_t count, size_t *named)
{
	size_t i = 0;
	while (i < count && tag_of(slots[i]) != TAG_INDEX && tag_of(slots[i]) != TAG_KEY)
		i++;
	*named = i;
	while (i < count && slots[i] == (SNAP_LABEL_INDEX(i - *named) << KIND_BITS | SNAP_REF_ELEMENT))
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

static void see(struct py_walk *w, const void *hash, uint32_t type, const uint64_t *slots, size_t count)
{
	uint64_t first = w->layout_slots.size / sizeof(*slots);
	uint32_t number = (uint32_t)(w->seen_layouts.size / sizeof(struct py_seen_layout)) + 1;
	if (number > LAYOUTS_MAX)
		return;
	struct py_seen_layout *seen = py_area_add(&w->seen_layouts, sizeof(*seen));
	uint64_t *kept = py_area_add(&w->layout_slots, count * sizeof(*slots));
	if (!seen || !kept || !py_map_put(&w->layout_numbers, hash, number)) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory for layouts");
		return;
	}
	memcpy(kept, slots, count * sizeof(*slots));
	*seen = (struct py_seen_layout){.first = first, .count = (uint32_t)count, .type = type};
}

/* The writer's layout, if it is not the first object of that one; 0: none. */
static uint32_t find_layout(struct py_walk *w, uint32_t type, const uint64_t *slots, size_t count)
{
	const void *hash = (const void *)(uintptr_t)hash_of(type, slots, count); /* NOLINT(performance-no-int-to-ptr) */
	uint32_t number = py_map_get(&w->layout_numbers, hash);
	if (!number) {
		see(w, hash, type, slots, count);
		return 0;
	}
	struct py_seen_layout *seen = (struct py_seen_layout *)(void *)w->seen_layouts.bytes + (number - 1);
	const uint64_t *known = (const uint64_t *)(void *)w->layout_slots.bytes + seen->first;
	if (seen->type != type || seen->count != count || memcmp(known, slots, count * sizeof(*slots)) != 0)
		return 0;
	if (!seen->layout) {
		struct snap_slot wanted[SLOTS_MAX];
		for (size_t i = 0; i < count; i++)
			wanted[i] = slot_of(slots[i]);
		w->status = snap_writer_layout(w->writer, type, wanted, count, &seen->layout, &w->error);
	}
	return py_going(w) ? seen->layout : 0;
}

static void put_apart(struct py_walk *w, const struct snap_object *row, const uint64_t *targets,
		      const uint64_t *slots, size_t count)
{
	w->status = snap_writer_object(w->writer, row, &w->error);
	for (size_t i = 0; i < count && py_going(w); i++) {
		const struct snap_slot slot = slot_of(slots[i]);
		w->status = tag_of(slots[i]) == TAG_KEY ?
			snap_writer_keyed_reference(w->writer, row->id, targets[i], slot.kind, slot.label >> 2,
						    &w->error) :
			snap_writer_reference(w->writer, row->id, targets[i], slot.kind, slot.label, &w->error);
	}
}

void py_put_object(struct py_walk *w, const struct snap_object *row)
{
	const uint64_t *targets = (const uint64_t *)(void *)w->targets.bytes;
	const uint64_t *slots = (const uint64_t *)(void *)w->slots.bytes;
	size_t count = w->targets.size / sizeof(*targets), named;
	uint32_t layout = divide(slots, count, &named) ? find_layout(w, row->type, slots, named) : 0;
	if (py_going(w) && layout)
		w->status = snap_writer_object_of(w->writer, layout, row, targets, count, &w->error);
	else if (py_going(w))
		put_apart(w, row, targets, slots, count);
	w->targets.size = w->slots.size = 0;
}
