/* Shapes: which references of an object are slots, which are its tail, and which shapes are written
 * (FORMAT.md, section 7.2). */
#include <string.h>

#include "writer.h"

#define SLOTS_MAX         64
#define LOOSE_INDEXES_MAX 8                   /* so many index labels may be slots */
#define INDEX_MAX         ((uint64_t)1 << 56) /* of a slot's label */
#define TAIL_MIN          4                   /* of kinds whose index need not mean an element */
/* Beyond these, objects of new shapes get a labelled tail. */
#define SHAPES_MAX    (1u << 17)
#define ALL_SLOTS_MAX (1u << 19)

struct indexes {
	uint64_t count, end; /* end: one more than the last */
	bool broken;         /* not ascending */
};

/* An index that is missing costs little, unless most are. */
static bool dense(const struct indexes *x, unsigned kind)
{
	return !x->broken && x->count >= (kind == SNAP_REF_ELEMENT ? 1 : TAIL_MIN) &&
	       x->end <= x->count + x->count / 2 + 4;
}

static int tail_kind(const struct indexes *by_kind)
{
	int best = -1;
	for (int kind = 0; kind < 32; kind++)
		if (dense(&by_kind[kind], (unsigned)kind) &&
		    (best < 0 || by_kind[kind].count > by_kind[best].count))
			best = kind;
	return best;
}

static struct libsnap_layout labelled(size_t count, uint64_t named)
{
	bool all = named > SLOTS_MAX;
	return (struct libsnap_layout){.tail = SNAP_TAIL_LABELLED,
				       .all_in_tail = all,
				       .tail_count = all ? count : count - named,
				       .slot_count = all ? 0 : named};
}

static struct libsnap_layout layout_with_indexes(const struct libsnap_reference *references,
						 size_t count)
{
	struct indexes by_kind[32];
	memset(by_kind, 0, sizeof(by_kind));
	uint64_t named = 0, indexed = 0;
	bool large = false;
	for (size_t i = 0; i < count; i++) {
		const struct libsnap_reference *r = &references[i];
		if (r->tag != LIBSNAP_TAG_INDEX) {
			named++;
			continue;
		}
		indexed++;
		struct indexes *x = &by_kind[r->kind];
		large = large || r->value >= INDEX_MAX;
		x->broken = x->broken || r->value < x->end || r->value >= INDEX_MAX;
		x->end = r->value + 1;
		x->count++;
	}
	int kind = tail_kind(by_kind);
	uint64_t rest = kind < 0 ? count : count - by_kind[kind].count;
	bool few = rest <= SLOTS_MAX && rest - named <= LOOSE_INDEXES_MAX && !large;
	if (!few)
		return labelled(count, named);
	if (kind < 0)
		return (struct libsnap_layout){.tail = SNAP_TAIL_NONE, .slot_count = count};
	return (struct libsnap_layout){.tail = SNAP_TAIL_INDEXED,
				       .tail_kind = (uint8_t)kind,
				       .tail_count = by_kind[kind].end,
				       .slot_count = rest};
}

struct libsnap_layout libsnap_layout_of(const struct libsnap_reference *references, size_t count)
{
	size_t indexed = 0, keyed = 0;
	for (size_t i = 0; i < count; i++) {
		indexed += references[i].tag == LIBSNAP_TAG_INDEX;
		keyed += references[i].tag == LIBSNAP_TAG_OBJECT;
	}
	if (keyed > 0)
		return labelled(count, count - indexed - keyed);
	if (indexed > 0)
		return layout_with_indexes(references, count);
	if (count > SLOTS_MAX)
		return labelled(count, count);
	return (struct libsnap_layout){.tail = SNAP_TAIL_NONE, .slot_count = count};
}

void libsnap_shapes_init(struct libsnap_shapes *s, const struct snap_allocator *allocator)
{
	libsnap_pages_init(&s->shapes, allocator, sizeof(struct libsnap_shape));
	libsnap_pages_init(&s->slots, allocator, sizeof(uint64_t));
	libsnap_intern_init(&s->ids, allocator);
}

void libsnap_shapes_free(struct libsnap_shapes *s, const struct snap_allocator *allocator)
{
	libsnap_pages_free(&s->shapes);
	libsnap_pages_free(&s->slots);
	libsnap_intern_free(&s->ids);
	libsnap_free(allocator, s->in_order, s->count, sizeof(*s->in_order));
	libsnap_free(allocator, s->next_row, s->count, sizeof(*s->next_row));
	s->in_order = NULL;
	s->next_row = NULL;
}

static inline uint64_t slot_of(const struct libsnap_reference *r)
{
	return (r->value << 2 | r->tag) << 5 | r->kind;
}

struct wanted_shape {
	const struct libsnap_shapes *shapes;
	const struct libsnap_layout *layout;
	const struct libsnap_reference *references;
	size_t count;
	uint32_t type;
};

static bool equal_shapes(const void *context, uint32_t id)
{
	const struct wanted_shape *wanted = context;
	const struct libsnap_shape *shape = libsnap_shape_at(wanted->shapes, id);
	const struct libsnap_layout *layout = wanted->layout;
	if (shape->type != wanted->type || shape->tail != layout->tail ||
	    shape->tail_kind != layout->tail_kind || shape->slot_count != layout->slot_count)
		return false;
	uint64_t at = shape->first_slot;
	for (size_t i = 0; i < wanted->count && layout->slot_count > 0; i++) {
		if (libsnap_in_tail(layout, &wanted->references[i]))
			continue;
		const uint64_t *slot = libsnap_pages_at(&wanted->shapes->slots, at++);
		if (*slot != slot_of(&wanted->references[i]))
			return false;
	}
	return true;
}

static uint32_t hash_of(const struct wanted_shape *wanted)
{
	const uint64_t prime = 0x9e3779b185ebca87u;
	const struct libsnap_layout *layout = wanted->layout;
	uint64_t hash =
		((uint64_t)wanted->type << 16 | (uint64_t)layout->tail_kind << 8 | layout->tail) *
		prime;
	for (size_t i = 0; i < wanted->count && layout->slot_count > 0; i++)
		if (!libsnap_in_tail(layout, &wanted->references[i])) {
			hash = (hash ^ hash >> 29 ^ slot_of(&wanted->references[i])) * prime;
		}
	return (uint32_t)(hash >> 32);
}

static bool add_slots(struct snap_writer *w, const struct wanted_shape *wanted)
{
	for (size_t i = 0; i < wanted->count && wanted->layout->slot_count > 0; i++) {
		const struct libsnap_reference *r = &wanted->references[i];
		if (libsnap_in_tail(wanted->layout, r))
			continue;
		uint64_t *slot = libsnap_pages_add(&w->shapes.slots);
		if (!slot)
			return false;
		*slot = slot_of(r);
		if (r->tag == LIBSNAP_TAG_STRING)
			libsnap_string_use(&w->names, (uint32_t)r->value);
	}
	return true;
}

static enum snap_status add_shape(struct snap_writer *w, const struct wanted_shape *wanted,
				  uint32_t hash, uint32_t *id)
{
	struct libsnap_shapes *s = &w->shapes;
	uint64_t first_slot = s->slots.count;
	struct libsnap_shape *shape = libsnap_pages_add(&s->shapes);
	if (!shape || !add_slots(w, wanted))
		return libsnap_fail_memory(&w->problem);
	*shape = (struct libsnap_shape){.type = wanted->type,
					.slot_count = (uint32_t)wanted->layout->slot_count,
					.first_slot = first_slot,
					.tail = wanted->layout->tail,
					.tail_kind = wanted->layout->tail_kind};
	*id = libsnap_intern_add(&s->ids, hash);
	return *id ? SNAP_OK : libsnap_fail_memory(&w->problem);
}

enum snap_status libsnap_shape_intern(struct snap_writer *w, uint32_t type,
				      const struct libsnap_reference *references, size_t count,
				      struct libsnap_layout *layout, uint32_t *id)
{
	struct libsnap_shapes *s = &w->shapes;
	struct wanted_shape wanted = {s, layout, references, count, type};
	uint32_t hash = hash_of(&wanted);
	*id = libsnap_intern_find(&s->ids, hash, equal_shapes, &wanted);
	if (*id)
		return SNAP_OK;
	bool full = s->shapes.count >= SHAPES_MAX ||
		    s->slots.count + layout->slot_count > ALL_SLOTS_MAX;
	if (!full || layout->slot_count == 0)
		return add_shape(w, &wanted, hash, id);
	*layout = (struct libsnap_layout){
		.tail = SNAP_TAIL_LABELLED, .all_in_tail = true, .tail_count = count};
	hash = hash_of(&wanted);
	*id = libsnap_intern_find(&s->ids, hash, equal_shapes, &wanted);
	return *id ? SNAP_OK : add_shape(w, &wanted, hash, id);
}

/* ---- which shapes are written ---- */

/* Whether a shape that only one object has would be better off as a labelled tail. */
static bool is_single(const struct libsnap_shape *shape)
{
	return shape->rows == 1 && shape->anonymous_rows == 0 && shape->slot_count > 0;
}

static enum snap_status fold_into_tail(struct snap_writer *w, uint32_t id)
{
	uint32_t type = libsnap_shape_at(&w->shapes, id)->type;
	struct libsnap_layout layout = {.tail = SNAP_TAIL_LABELLED, .all_in_tail = true};
	uint32_t other;
	enum snap_status status = libsnap_shape_intern(w, type, NULL, 0, &layout, &other);
	if (status != SNAP_OK)
		return status;
	struct libsnap_shape *from = libsnap_shape_at(&w->shapes, id);
	struct libsnap_shape *to = libsnap_shape_at(&w->shapes, other);
	to->rows += from->rows;
	to->bytes += from->bytes;
	to->blocks += from->blocks;
	from->rows = 0;
	from->folded = to->folded;
	to->folded = id;
	from->instead = other;
	to->instead = other;
	return SNAP_OK;
}

/* Two and more of one type share a shape then. */
static enum snap_status fold_singles(struct snap_writer *w, uint32_t *singles_of_type)
{
	struct libsnap_shapes *s = &w->shapes;
	uint64_t count = s->shapes.count;
	for (uint32_t id = 1; id <= count; id++) {
		struct libsnap_shape *shape = libsnap_shape_at(s, id);
		shape->instead = id;
		singles_of_type[shape->type] += is_single(shape);
	}
	for (uint32_t id = 1; id <= count; id++) {
		const struct libsnap_shape *shape = libsnap_shape_at(s, id);
		if (!is_single(shape) || singles_of_type[shape->type] < 2)
			continue;
		enum snap_status status = fold_into_tail(w, id);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

struct ranking {
	const struct libsnap_shapes *shapes;
	const uint64_t *rows_of_type;
};

static int compare_slots(const struct libsnap_shapes *shapes, const struct libsnap_shape *a,
			 const struct libsnap_shape *b)
{
	for (uint32_t i = 0; i < a->slot_count && i < b->slot_count; i++) {
		const uint64_t *x = libsnap_pages_at(&shapes->slots, a->first_slot + i);
		const uint64_t *y = libsnap_pages_at(&shapes->slots, b->first_slot + i);
		if (*x != *y)
			return *x < *y ? -1 : 1;
	}
	return a->slot_count < b->slot_count ? -1 : a->slot_count > b->slot_count;
}

/* Types with many objects first, in them shapes with many; then by content, so that it does not
 * matter in which order objects were added. */
static bool shape_before(const void *context, uint32_t a_id, uint32_t b_id)
{
	const struct ranking *r = context;
	const struct libsnap_shape *a = libsnap_shape_at(r->shapes, a_id),
				   *b = libsnap_shape_at(r->shapes, b_id);
	if (a->type != b->type) {
		uint64_t a_rows = r->rows_of_type[a->type], b_rows = r->rows_of_type[b->type];
		return a_rows != b_rows ? a_rows > b_rows : a->type < b->type;
	}
	if (a->rows != b->rows)
		return a->rows > b->rows;
	if (a->tail != b->tail)
		return a->tail < b->tail;
	if (a->tail_kind != b->tail_kind)
		return a->tail_kind < b->tail_kind;
	return compare_slots(r->shapes, a, b) < 0;
}

static void number_shapes(struct snap_writer *w)
{
	struct libsnap_shapes *s = &w->shapes;
	uint64_t row = 0;
	for (size_t i = 0; i < s->count; i++) {
		struct libsnap_shape *shape = libsnap_shape_at(s, s->in_order[i]);
		shape->number = (uint32_t)i + 1;
		s->next_row[i] = row + shape->anonymous_rows;
		row += shape->rows;
	}
	w->order.row_count = row;
}

/* Ranges of at least so many rows; false if they are too many. */
static bool find_ranges(struct libsnap_shapes *s, uint64_t least)
{
	uint64_t rows = least, id = 1;
	s->range_count = 0;
	for (size_t i = 0; i < s->count; i++) {
		const struct libsnap_shape *shape = libsnap_shape_at(s, s->in_order[i]);
		if (rows >= least || shape->rows >= least) {
			if (s->range_count == SNAPFMT_MAX_RANGES)
				return false;
			s->ranges[s->range_count++] = id;
			rows = 0;
		}
		rows += shape->rows;
		id += shape->rows;
	}
	return true;
}

static enum snap_status rank_shapes(struct snap_writer *w, uint64_t *rows_of_type)
{
	struct libsnap_shapes *s = &w->shapes;
	for (uint32_t id = 1; id <= s->shapes.count; id++) {
		const struct libsnap_shape *shape = libsnap_shape_at(s, id);
		rows_of_type[shape->type] += shape->rows;
		s->count += shape->rows > 0;
	}
	s->in_order = libsnap_alloc(w->allocator, s->count, sizeof(*s->in_order));
	s->next_row = libsnap_alloc(w->allocator, s->count, sizeof(*s->next_row));
	uint32_t *scratch = libsnap_alloc(w->allocator, s->count, sizeof(*scratch));
	if (!s->in_order || !s->next_row || !scratch) {
		libsnap_free(w->allocator, scratch, s->count, sizeof(*scratch));
		return libsnap_fail_memory(&w->problem);
	}
	size_t count = 0;
	for (uint32_t id = 1; id <= s->shapes.count; id++)
		if (libsnap_shape_at(s, id)->rows > 0)
			s->in_order[count++] = id;
	struct ranking ranking = {s, rows_of_type};
	libsnap_merge_sort(s->in_order, scratch, count, shape_before, &ranking);
	libsnap_free(w->allocator, scratch, s->count, sizeof(*scratch));
	number_shapes(w);
	uint64_t least = w->order.row_count / 1024 + 1;
	while (!find_ranges(s, least))
		least *= 2;
	return SNAP_OK;
}

enum snap_status libsnap_shapes_settle(struct snap_writer *w)
{
	size_t type_count = (size_t)w->names.types.rows.count + 1;
	uint32_t *singles_of_type =
		libsnap_alloc_zeroed(w->allocator, type_count, sizeof(*singles_of_type));
	uint64_t *rows_of_type =
		libsnap_alloc_zeroed(w->allocator, type_count, sizeof(*rows_of_type));
	enum snap_status status = singles_of_type && rows_of_type
					  ? fold_singles(w, singles_of_type)
					  : libsnap_fail_memory(&w->problem);
	if (status == SNAP_OK)
		status = rank_shapes(w, rows_of_type);
	libsnap_free(w->allocator, singles_of_type, type_count, sizeof(*singles_of_type));
	libsnap_free(w->allocator, rows_of_type, type_count, sizeof(*rows_of_type));
	return status;
}
