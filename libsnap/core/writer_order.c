/* Rows: all objects in the order in which they are written, by shape, then without id, then by id.
 */
#include <inttypes.h>
#include <string.h>

#include "writer.h"

/* ---- objects with an id, and what came apart from them ---- */

/* A walk over groups by id.  With loose references, a record is looked at before it is known
 * whether it belongs to the group before it. */
struct groups {
	struct libsnap_sort_walk walk;
	struct libsnap_record ahead;
	bool has_ahead, done;
	size_t entry, next_entry; /* of the group's first record */
	uint64_t last_id;
	bool has_last;
};

static enum snap_status duplicate(struct snap_writer *w, uint64_t id)
{
	return libsnap_misuse(w, "two objects have the id %" PRIu64 " (0x%" PRIx64 ")", id, id);
}

/* Adds a record to what is put together in w->merged. */
static enum snap_status merge_record(struct snap_writer *w, const struct libsnap_record *record,
				     bool *has_object)
{
	struct libsnap_row row;
	if (!libsnap_parse_object(w, record->key, record->bytes, &row)) {
		struct libsnap_reference r = libsnap_parse_loose(record->key, record->bytes);
		return libsnap_group_add(w, &w->merged, &r) ? SNAP_OK
							    : libsnap_fail_memory(&w->problem);
	}
	if (*has_object)
		return duplicate(w, record->key);
	*has_object = true;
	return libsnap_group_add_row(w, &w->merged, &row) ? SNAP_OK
							  : libsnap_fail_memory(&w->problem);
}

/* The group's references were added in the order of its records, which is that of the calls. */
static enum snap_status finish_merge(struct snap_writer *w, uint64_t id, struct libsnap_row *row)
{
	uint32_t shape;
	enum snap_status status = libsnap_group_encode(w, &w->merged, &w->merged_record, &shape);
	if (status == SNAP_OK)
		libsnap_parse_object(w, id, w->merged_record.bytes, row);
	return status;
}

static enum snap_status groups_advance(struct snap_writer *w, struct groups *g)
{
	enum snap_status status = libsnap_sort_walk_next(&g->walk, &g->ahead, &w->problem);
	g->has_ahead = status == SNAP_OK;
	g->done = status == SNAP_END;
	return g->done ? SNAP_OK : status;
}

/* The record ahead, in w->merged_record, and on to the next. */
static enum snap_status groups_take(struct snap_writer *w, struct groups *g,
				    struct libsnap_record *record)
{
	*record = g->ahead;
	uint8_t *copy = libsnap_buffer_room(w, &w->merged_record, record->size);
	if (!copy)
		return libsnap_fail_memory(&w->problem);
	memcpy(copy, record->bytes, record->size);
	record->bytes = copy;
	g->next_entry++;
	return groups_advance(w, g);
}

/* SNAP_END after the last.  *row lives until the next call; *has_object is false where references
 * come from an id that no object has, *shape_before is the shape that its own record had. */
static enum snap_status groups_next_merged(struct snap_writer *w, struct groups *g,
					   struct libsnap_row *row, bool *has_object,
					   uint32_t *shape_before)
{
	enum snap_status status = SNAP_OK;
	if (!g->has_ahead && !g->done)
		status = groups_advance(w, g);
	if (status == SNAP_OK && g->done)
		status = SNAP_END;
	uint64_t id = g->ahead.key;
	g->entry = g->next_entry;
	w->merged.count = 0;
	*has_object = false;
	bool more = true;
	for (bool first = true; status == SNAP_OK && more; first = false) {
		struct libsnap_record record;
		status = groups_take(w, g, &record);
		if (status != SNAP_OK)
			break;
		const uint8_t *at = record.bytes;
		uint32_t shape = (uint32_t)libsnap_get(&at);
		if (shape)
			*shape_before = shape;
		more = g->has_ahead && g->ahead.key == id;
		if (first && shape && !more) {
			*has_object = libsnap_parse_object(w, id, record.bytes, row);
			return SNAP_OK;
		}
		status = merge_record(w, &record, has_object);
	}
	row->id = id;
	return status == SNAP_OK && *has_object ? finish_merge(w, id, row) : status;
}

static enum snap_status groups_next(struct snap_writer *w, struct groups *g,
				    struct libsnap_row *row, bool *has_object,
				    uint32_t *shape_before)
{
	if (w->loose_count > 0)
		return groups_next_merged(w, g, row, has_object, shape_before);
	struct libsnap_record record;
	enum snap_status status = libsnap_sort_walk_next(&g->walk, &record, &w->problem);
	if (status != SNAP_OK)
		return status;
	if (g->has_last && g->last_id == record.key)
		return duplicate(w, record.key);
	g->has_last = true;
	g->last_id = record.key;
	g->entry = g->next_entry++;
	*has_object = libsnap_parse_object(w, record.key, record.bytes, row);
	*shape_before = row->shape;
	return SNAP_OK;
}

/* ---- rows without id ---- */

struct anonymous {
	struct libsnap_sort_walk walk;
	struct libsnap_record ahead;
	uint8_t last[LIBSNAP_RECORD_FIXED];
	bool has_ahead, done;
	size_t entry, next_entry;
};

/* The next one, with all that are equal added up; SNAP_END after the last. */
static enum snap_status anonymous_next(struct snap_writer *w, struct anonymous *a, uint32_t *type,
				       uint64_t *fields)
{
	uint64_t key = 0, count = 0;
	a->entry = a->next_entry;
	for (bool first = true;; first = false) {
		enum snap_status status = SNAP_OK;
		if (!a->has_ahead && !a->done)
			status = libsnap_sort_walk_next(&a->walk, &a->ahead, &w->problem);
		a->done = a->done || status == SNAP_END;
		if (status != SNAP_OK && status != SNAP_END)
			return status;
		a->has_ahead = !a->done;
		if (a->done || (!first && (a->ahead.key != key ||
					   libsnap_sort_ties_before(LIBSNAP_TIES_BY_SIZE, a->last,
							    a->ahead.bytes))))
			break;
		if (first)
			memcpy(a->last, a->ahead.bytes, a->ahead.size);
		key = a->ahead.key;
		libsnap_parse_anonymous(a->ahead.bytes, key, type, fields);
		count += fields[LIBSNAP_COUNT]; /* the totals have it without overflow */
		a->has_ahead = false;
		a->next_entry++;
	}
	fields[LIBSNAP_COUNT] = count;
	return count ? SNAP_OK : SNAP_END;
}

static enum snap_status anonymous_shape(struct snap_writer *w, uint32_t type, uint32_t *id)
{
	struct libsnap_layout layout = {.tail = SNAP_TAIL_NONE};
	return libsnap_shape_intern(w, type, NULL, 0, &layout, id);
}

static size_t walk_buffer(const struct snap_writer *w)
{
	return w->max_memory_bytes ? (size_t)(w->max_memory_bytes / 8) : 1u << 20;
}

static enum snap_status count_anonymous(struct snap_writer *w)
{
	struct anonymous a = {0};
	enum snap_status status =
		libsnap_sort_walk_begin(&a.walk, &w->anonymous, walk_buffer(w), &w->problem);
	uint64_t fields[LIBSNAP_FIELDS];
	uint32_t type, id;
	while (status == SNAP_OK && (status = anonymous_next(w, &a, &type, fields)) == SNAP_OK) {
		status = anonymous_shape(w, type, &id);
		if (status != SNAP_OK)
			break;
		struct libsnap_shape *shape = libsnap_shape_at(&w->shapes, id);
		shape->rows++;
		shape->anonymous_rows++;
		shape->bytes += fields[LIBSNAP_SIZE] * fields[LIBSNAP_COUNT];
		shape->blocks += fields[LIBSNAP_COUNT] - 1;
	}
	libsnap_sort_walk_end(&a.walk);
	return status == SNAP_END ? SNAP_OK : status;
}

/* References that came apart change the shapes of their objects. */
static enum snap_status count_merged(struct snap_writer *w)
{
	struct groups g = {0};
	struct libsnap_row row;
	bool has_object;
	uint32_t before;
	if (w->loose_count == 0)
		return SNAP_OK;
	enum snap_status status =
		libsnap_sort_walk_begin(&g.walk, &w->named, walk_buffer(w), &w->problem);
	while (status == SNAP_OK &&
	       (status = groups_next(w, &g, &row, &has_object, &before)) == SNAP_OK) {
		if (!has_object) {
			w->unknown_references += w->merged.count;
			continue;
		}
		if (row.shape == before)
			continue;
		struct libsnap_shape *from = libsnap_shape_at(&w->shapes, before);
		struct libsnap_shape *to = libsnap_shape_at(&w->shapes, row.shape);
		from->rows--;
		from->bytes -= row.fields[LIBSNAP_SIZE];
		to->rows++;
		to->bytes += row.fields[LIBSNAP_SIZE];
	}
	libsnap_sort_walk_end(&g.walk);
	return status == SNAP_END ? SNAP_OK : status;
}

/* ---- each its row ---- */

static uint64_t take_row(struct snap_writer *w, uint32_t shape_id)
{
	const struct libsnap_shape *shape = libsnap_shape_at(&w->shapes, shape_id);
	uint32_t number = libsnap_shape_at(&w->shapes, shape->instead)->number;
	return w->shapes.next_row[number - 1]++;
}

/* For the sorter by row: the id, and an object's record. */
static enum snap_status keep_row(struct snap_writer *w, uint64_t number,
				 const struct libsnap_row *row, const uint8_t *references,
				 size_t size)
{
	uint8_t *bytes = libsnap_buffer_room(w, &w->record, LIBSNAP_RECORD_FIXED + size);
	if (!bytes)
		return libsnap_fail_memory(&w->problem);
	uint8_t *at = libsnap_put(bytes, row->id);
	at = libsnap_put(at, row->shape);
	uint64_t fields[LIBSNAP_FIELDS];
	memcpy(fields, row->fields, sizeof(fields));
	if (fields[LIBSNAP_COUNT] == 1)
		fields[LIBSNAP_COUNT] = 0; /* takes no byte, and reads as 1 */
	at = libsnap_put_fields(at, fields);
	if (libsnap_shape_at(&w->shapes, row->shape)->tail != SNAP_TAIL_NONE)
		at = libsnap_put(at, row->tail_count);
	memcpy(at, references, size);
	size_t record_size = (size_t)(at - bytes) + size;
	struct libsnap_sorter *rows = &w->order.rows;
	enum snap_status status = libsnap_sorter_add(rows, number, bytes, record_size, &w->problem);
	if (status == SNAP_OK && libsnap_sorter_memory(rows) > w->max_memory_bytes / 2)
		status = libsnap_sorter_spill(rows, &w->problem);
	return status;
}

static enum snap_status place_anonymous(struct snap_writer *w)
{
	struct anonymous a = {0};
	struct libsnap_row row = {0};
	uint32_t type;
	enum snap_status status =
		libsnap_sort_walk_begin(&a.walk, &w->anonymous, walk_buffer(w), &w->problem);
	while (status == SNAP_OK &&
	       (status = anonymous_next(w, &a, &type, row.fields)) == SNAP_OK) {
		status = anonymous_shape(w, type, &row.shape);
		if (status != SNAP_OK)
			break;
		uint64_t number = take_row(w, row.shape);
		if (w->order.in_memory)
			w->order.entry_of_row[number] = (uint32_t)a.entry;
		else
			status = keep_row(w, number, &row, (const uint8_t *)"", 0);
	}
	libsnap_sort_walk_end(&a.walk);
	return status == SNAP_END ? SNAP_OK : status;
}

/* How far a row's references reach. */
static size_t references_size(const struct snap_writer *w, const struct libsnap_row *row)
{
	const struct libsnap_shape *shape = libsnap_shape_at(&w->shapes, row->shape);
	const uint8_t *at = row->references;
	for (uint32_t i = 0; i < shape->slot_count; i++)
		libsnap_get(&at);
	for (uint64_t i = 0; i < row->tail_count; i++) {
		if (shape->tail == SNAP_TAIL_LABELLED)
			libsnap_get_labelled(&at, row->id);
		else
			libsnap_get(&at);
	}
	return (size_t)(at - row->references);
}

static enum snap_status place_named(struct snap_writer *w)
{
	struct groups g = {0};
	struct libsnap_row row;
	bool has_object;
	uint32_t before;
	enum snap_status status =
		libsnap_sort_walk_begin(&g.walk, &w->named, walk_buffer(w), &w->problem);
	while (status == SNAP_OK &&
	       (status = groups_next(w, &g, &row, &has_object, &before)) == SNAP_OK) {
		if (!has_object)
			continue;
		uint64_t number = take_row(w, row.shape);
		if (w->order.in_memory) {
			w->order.entry_of_row[number] = (uint32_t)g.entry;
			w->order.row_of_entry[g.entry] = (uint32_t)number;
			continue;
		}
		status = libsnap_map_add(w, row.id, number);
		if (status == SNAP_OK)
			status =
				keep_row(w, number, &row, row.references, references_size(w, &row));
	}
	libsnap_sort_walk_end(&g.walk);
	return status == SNAP_END ? SNAP_OK : status;
}

static enum snap_status begin_in_memory(struct snap_writer *w)
{
	struct libsnap_order *o = &w->order;
	if (w->named.entry_count >= LIBSNAP_NO_ROW || w->anonymous.entry_count >= LIBSNAP_NO_ROW)
		return libsnap_fail(&w->problem, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "over 2^32 objects need the option max_memory_bytes");
	o->entry_of_row =
		libsnap_alloc(w->allocator, (size_t)o->row_count, sizeof(*o->entry_of_row));
	o->row_of_entry =
		libsnap_alloc(w->allocator, w->named.entry_count, sizeof(*o->row_of_entry));
	if (!o->entry_of_row || !o->row_of_entry)
		return libsnap_fail_memory(&w->problem);
	memset(o->row_of_entry, 0xff, w->named.entry_count * sizeof(*o->row_of_entry));
	return SNAP_OK;
}

/* The rows are all placed: what they were sorted from is no longer needed. */
static enum snap_status finish_in_file(struct snap_writer *w)
{
	libsnap_sorter_free(&w->named);
	libsnap_sorter_free(&w->anonymous);
	enum snap_status status = libsnap_map_finish(w);
	if (status == SNAP_OK)
		status = libsnap_sorter_finish(&w->order.rows, &w->problem);
	if (status == SNAP_OK)
		status = libsnap_sort_walk_begin(&w->order.walk, &w->order.rows, walk_buffer(w),
						 &w->problem);
	return status;
}

enum snap_status libsnap_order_begin(struct snap_writer *w)
{
	struct libsnap_order *o = &w->order;
	enum snap_status status = libsnap_sorter_finish(&w->named, &w->problem);
	if (status == SNAP_OK)
		status = libsnap_sorter_finish(&w->anonymous, &w->problem);
	if (status == SNAP_OK)
		status = count_anonymous(w);
	if (status == SNAP_OK)
		status = count_merged(w);
	if (status == SNAP_OK)
		status = libsnap_shapes_settle(w);
	if (status != SNAP_OK)
		return status;
	o->in_memory = !libsnap_sorter_spilled(&w->named) && !libsnap_sorter_spilled(&w->anonymous);
	status = o->in_memory ? begin_in_memory(w) : libsnap_map_begin(w);
	if (status == SNAP_OK)
		status = place_anonymous(w);
	if (status == SNAP_OK)
		status = place_named(w);
	if (status == SNAP_OK && !o->in_memory)
		status = finish_in_file(w);
	return status;
}

/* ---- and one after the other ---- */

static enum snap_status next_anonymous_entry(struct snap_writer *w, size_t entry, uint32_t shape,
					     struct libsnap_row *row)
{
	struct anonymous a = {.walk = {.sorter = &w->anonymous, .next_entry = entry},
			      .next_entry = entry};
	uint32_t type;
	row->id = 0;
	row->shape = shape;
	row->tail_count = 0;
	row->references = (const uint8_t *)"";
	return anonymous_next(w, &a, &type, row->fields);
}

#define AHEAD 16

/* Rows lie scattered: what comes soon is fetched while others are written.  gcc drops calls of a
 * function that only fetches, so it must be inlined. */
__attribute__((always_inline)) static inline void fetch_ahead(const struct snap_writer *w,
							      uint64_t number)
{
	const struct libsnap_order *o = &w->order;
	if (o->row_count - number <= 2 * AHEAD)
		return;
	/* The row may be one without id, whose entry is another sorter's. */
	size_t far = o->entry_of_row[number + 2 * AHEAD], near = o->entry_of_row[number + AHEAD];
	const struct libsnap_sort_entry *entries = w->named.entries;
	if (far < w->named.entry_count)
		__builtin_prefetch(&entries[far]);
	if (near < w->named.entry_count)
		__builtin_prefetch(libsnap_tape_at(&w->named.tape, entries[near].position));
}

static enum snap_status next_in_memory(struct snap_writer *w, uint64_t number,
				       uint32_t shape_number, struct libsnap_row *row)
{
	uint32_t shape_id = w->shapes.in_order[shape_number - 1];
	const struct libsnap_shape *shape = libsnap_shape_at(&w->shapes, shape_id);
	size_t entry = w->order.entry_of_row[number];
	/* next_row is now where the shape's rows end. */
	uint64_t begin = w->shapes.next_row[shape_number - 1] - shape->rows;
	if (number - begin < shape->anonymous_rows)
		return next_anonymous_entry(w, entry, shape_id, row);
	struct groups g = {.walk = {.sorter = &w->named, .next_entry = entry}, .next_entry = entry};
	bool has_object;
	uint32_t before;
	fetch_ahead(w, number);
	return groups_next(w, &g, row, &has_object, &before);
}

enum snap_status libsnap_order_next(struct snap_writer *w, uint64_t number, uint32_t shape_number,
				    struct libsnap_row *row)
{
	if (w->order.in_memory)
		return next_in_memory(w, number, shape_number, row);
	struct libsnap_record record;
	enum snap_status status = libsnap_sort_walk_next(&w->order.walk, &record, &w->problem);
	if (status != SNAP_OK)
		return status;
	const uint8_t *at = record.bytes;
	uint64_t id = libsnap_get(&at);
	libsnap_parse_object(w, id, at, row);
	return SNAP_OK;
}

void libsnap_order_free(struct snap_writer *w)
{
	struct libsnap_order *o = &w->order;
	libsnap_free(w->allocator, o->entry_of_row, (size_t)o->row_count, sizeof(*o->entry_of_row));
	libsnap_free(w->allocator, o->row_of_entry, w->named.entry_count, sizeof(*o->row_of_entry));
	o->entry_of_row = NULL;
	o->row_of_entry = NULL;
	libsnap_sort_walk_end(&o->walk);
	libsnap_sorter_free(&o->rows);
}
