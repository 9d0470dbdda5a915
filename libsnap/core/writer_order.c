/* Rows: all objects in the order in which they are
 * written, by shape, then without id, then by id. */
#include <inttypes.h>
#include <string.h>

#include "writer.h"

static size_t walk_buffer(const struct snap_writer *w)
{
	return w->max_memory_bytes ? (size_t)(w->max_memory_bytes / 8) : 1u << 20;
}

/* ---- rows without id ---- */

struct anonymous {
	struct libsnap_sort_walk walk;
	struct libsnap_record ahead;
	uint8_t last[LIBSNAP_RECORD_FIXED];
	bool has_ahead, done;
};

/* The next one, with all that are equal added up; SNAP_END after the last. */
static enum snap_status anonymous_next(struct snap_writer *w, struct anonymous *a, uint32_t *type,
				       uint64_t *fields)
{
	uint64_t key = 0, count = 0;
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
	}
	fields[LIBSNAP_COUNT] = count;
	return count ? SNAP_OK : SNAP_END;
}

static enum snap_status keep_nameless(struct snap_writer *w, uint32_t type, const uint64_t *fields)
{
	struct libsnap_layout layout = {.tail = SNAP_TAIL_NONE};
	uint8_t bytes[LIBSNAP_RECORD_FIXED];
	uint32_t id;
	enum snap_status status = libsnap_shape_intern(w, type, NULL, 0, &layout, &id);
	if (status != SNAP_OK)
		return status;
	struct libsnap_shape *shape = libsnap_shape_at(&w->shapes, id);
	shape->rows++;
	shape->anonymous_rows++;
	shape->bytes += fields[LIBSNAP_SIZE] * fields[LIBSNAP_COUNT];
	shape->blocks += fields[LIBSNAP_COUNT];
	size_t size = (size_t)(libsnap_put_fields(bytes, fields) - bytes);
	status = libsnap_lane_add(w, &w->nameless, id, 0, bytes, size);
	if (status == SNAP_OK && w->max_memory_bytes &&
	    w->nameless.memory_bytes > w->max_memory_bytes / 4)
		status = libsnap_lanes_spill(w, &w->nameless);
	return status;
}

/* All of them, those that are equal added up, into lanes of their own. */
static enum snap_status add_nameless(struct snap_writer *w)
{
	struct anonymous a = {0};
	uint64_t fields[LIBSNAP_FIELDS];
	uint32_t type;
	enum snap_status status = libsnap_sorter_finish(&w->anonymous, &w->problem);
	if (status == SNAP_OK)
		status = libsnap_sort_walk_begin(&a.walk, &w->anonymous, walk_buffer(w),
						 &w->problem);
	while (status == SNAP_OK && (status = anonymous_next(w, &a, &type, fields)) == SNAP_OK)
		status = keep_nameless(w, type, fields);
	libsnap_sort_walk_end(&a.walk);
	libsnap_sorter_free(&w->anonymous);
	return status == SNAP_END ? SNAP_OK : status;
}

/* ---- each its row ---- */

static uint32_t written_number(const struct snap_writer *w, uint32_t shape_id)
{
	const struct libsnap_shape *shape = libsnap_shape_at(&w->shapes, shape_id);
	return libsnap_shape_at(&w->shapes, shape->instead)->number;
}

static uint64_t take_row(struct snap_writer *w, uint32_t shape_id)
{
	return w->shapes.next_row[written_number(w, shape_id) - 1]++;
}

static enum snap_status refuse_twins(struct snap_writer *w, uint64_t id)
{
	return libsnap_misuse(w, "two objects have the id %" PRIu64 " (0x%" PRIx64 ")", id, id);
}

/* Each has its shape there. */
static enum snap_status take_rows(struct snap_writer *w, uint32_t *rows, uint64_t count)
{
	const size_t shape_count = (size_t)w->shapes.shapes.count;
	uint32_t *numbers = libsnap_alloc(w->allocator, shape_count, sizeof(*numbers));
	if (!numbers)
		return libsnap_fail_memory(&w->problem);
	for (uint32_t id = 1; id <= shape_count; id++)
		numbers[id - 1] = written_number(w, id);
	for (uint64_t i = 0; i < count; i++)
		rows[i] = (uint32_t)w->shapes.next_row[numbers[rows[i] - 1] - 1]++;
	libsnap_free(w->allocator, numbers, shape_count, sizeof(*numbers));
	return SNAP_OK;
}

/* As they were added: where each is a bit, nothing needs to be sorted. */
static enum snap_status place_as_added(struct snap_writer *w)
{
	const unsigned threads = w->map.capacity < w->helped_rows ? 1 : w->threads;
	const uint64_t twin = libsnap_map_fill(&w->map, &w->named, threads);
	return twin ? refuse_twins(w, twin) : take_rows(w, w->map.rows, w->map.count);
}

static enum snap_status place_sorted(struct snap_writer *w)
{
	struct libsnap_sort_walk walk = {0};
	struct libsnap_record record;
	uint64_t last = 0;
	enum snap_status status = libsnap_sorter_finish(&w->named, &w->problem);
	if (status == SNAP_OK)
		status = libsnap_sort_walk_begin(&walk, &w->named, walk_buffer(w), &w->problem);
	while (status == SNAP_OK &&
	       (status = libsnap_sort_walk_next(&walk, &record, &w->problem)) == SNAP_OK) {
		if (record.key == last) {
			status = refuse_twins(w, last);
			break;
		}
		last = record.key;
		const uint8_t *at = record.bytes;
		status = libsnap_map_add(w, last, take_row(w, (uint32_t)libsnap_get(&at)));
	}
	libsnap_sort_walk_end(&walk);
	if (status == SNAP_END)
		status = libsnap_map_finish(w);
	return status;
}

enum snap_status libsnap_order_begin(struct snap_writer *w)
{
	enum snap_status status = libsnap_log_merge(w);
	if (status == SNAP_OK)
		status = add_nameless(w);
	if (status == SNAP_OK)
		status = libsnap_shapes_settle(w);
	if (status == SNAP_OK)
		status = libsnap_map_begin(w);
	if (status == SNAP_OK)
		status = w->map.words && !libsnap_sorter_spilled(&w->named) ? place_as_added(w)
									    : place_sorted(w);
	libsnap_sorter_free(&w->named);
	return status;
}

/* ---- and one after the other ---- */

enum snap_status libsnap_order_copy(struct snap_writer *w, struct libsnap_sorter *sorter,
				    uint32_t shape)
{
	struct libsnap_lane_walk walk = {.lane = NULL};
	enum snap_status status;
	libsnap_lane_walk_begin(&walk, &w->lanes, shape);
	while ((status = libsnap_lane_walk_next(w, &walk)) == SNAP_OK) {
		struct libsnap_row row;
		const uint8_t *start = walk.at;
		libsnap_parse_object(libsnap_shape_at(&w->shapes, shape), walk.id, &walk.at, &row);
		walk.at = libsnap_skip_references(&row);
		size_t size = (size_t)(walk.at - start);
		uint8_t *bytes = libsnap_buffer_room(w, &w->record, LIBSNAP_VARINT_MAX + size);
		if (!bytes) {
			status = libsnap_fail_memory(&w->problem);
			break;
		}
		uint8_t *at = libsnap_put(bytes, shape);
		memcpy(at, start, size);
		status = libsnap_sorter_add(sorter, walk.id, bytes, (size_t)(at - bytes) + size,
					    &w->problem);
		if (status == SNAP_OK && w->max_memory_bytes &&
		    libsnap_sorter_memory(sorter) > w->max_memory_bytes / 2)
			status = libsnap_sorter_spill(sorter, &w->problem);
		if (status != SNAP_OK)
			break;
	}
	libsnap_lane_walk_end(w, &walk);
	libsnap_lane_free(&w->lanes, libsnap_lane_at(&w->lanes, shape));
	return status == SNAP_END ? SNAP_OK : status;
}

/* A shape's own lane will do if it is in order, and no other's rows are written with it. */
static enum snap_status begin_named(struct snap_writer *w, uint32_t shape_id)
{
	struct libsnap_order *o = &w->order;
	const struct libsnap_shape *shape = libsnap_shape_at(&w->shapes, shape_id);
	const struct libsnap_lane *lane = libsnap_lane_at(&w->lanes, shape_id);
	libsnap_lane_walk_begin(&o->lane, &w->lanes, shape_id);
	o->sorted = shape->folded || (lane && lane->unordered);
	if (!o->sorted)
		return SNAP_OK;
	enum snap_status status = SNAP_OK;
	for (uint32_t id = shape_id; id && status == SNAP_OK;
	     id = libsnap_shape_at(&w->shapes, id)->folded)
		status = libsnap_order_copy(w, &o->sorter, id);
	if (status == SNAP_OK)
		status = libsnap_sorter_finish(&o->sorter, &w->problem);
	if (status == SNAP_OK)
		status = libsnap_sort_walk_begin(&o->walk, &o->sorter, walk_buffer(w), &w->problem);
	return status;
}

static void end_shape(struct snap_writer *w)
{
	struct libsnap_order *o = &w->order;
	libsnap_sort_walk_end(&o->walk);
	libsnap_sorter_free(&o->sorter);
	if (o->shape_id) {
		libsnap_lane_free(&w->lanes, libsnap_lane_at(&w->lanes, o->shape_id));
		libsnap_lane_free(&w->nameless, libsnap_lane_at(&w->nameless, o->shape_id));
	}
	o->shape_id = 0;
}

enum snap_status libsnap_order_shape(struct snap_writer *w, uint32_t shape_number)
{
	struct libsnap_order *o = &w->order;
	end_shape(w);
	o->shape_id = w->shapes.in_order[shape_number - 1];
	o->shape = libsnap_shape_at(&w->shapes, o->shape_id);
	o->sorted = false;
	o->nameless = o->shape->anonymous_rows;
	if (o->nameless == 0)
		return begin_named(w, o->shape_id);
	libsnap_lane_walk_begin(&o->lane, &w->nameless, o->shape_id);
	return SNAP_OK;
}

static enum snap_status next_sorted(struct snap_writer *w, struct libsnap_row *row)
{
	struct libsnap_record record;
	enum snap_status status = libsnap_sort_walk_next(&w->order.walk, &record, &w->problem);
	if (status != SNAP_OK)
		return status;
	const uint8_t *at = record.bytes;
	uint32_t shape = (uint32_t)libsnap_get(&at);
	libsnap_parse_object(libsnap_shape_at(&w->shapes, shape), record.key, &at, row);
	return SNAP_OK;
}

enum snap_status libsnap_order_next(struct snap_writer *w, struct libsnap_row *row)
{
	struct libsnap_order *o = &w->order;
	enum snap_status status = SNAP_OK;
	if (o->lane.lanes == &w->nameless && o->nameless-- == 0)
		status = begin_named(w, o->shape_id);
	if (status == SNAP_OK && o->sorted)
		return next_sorted(w, row);
	if (status == SNAP_OK)
		status = libsnap_lane_walk_next(w, &o->lane);
	if (status == SNAP_OK)
		libsnap_parse_object(o->shape, o->lane.id, &o->lane.at, row);
	return status;
}

void libsnap_order_free(struct snap_writer *w)
{
	end_shape(w);
	libsnap_lane_walk_end(w, &w->order.lane);
}
