/* References that did not come with their objects: all objects are taken out of their
 * lanes, get what is theirs, and are put back, now in the order of their ids. */
#include <string.h>

#include "writer.h"

struct merge {
	struct snap_writer *writer;
	struct libsnap_sorter objects;
	struct libsnap_sort_walk object_walk, loose_walk;
	struct libsnap_record object, loose;
	bool has_object, has_loose;
	/* loose references of one id, in the order in which they came */
	struct libsnap_group apart;
	size_t place; /* of the object's own ones among them */
};

static enum snap_status next(struct merge *m, struct libsnap_sort_walk *walk,
			     struct libsnap_record *record, bool *has)
{
	enum snap_status status = libsnap_sort_walk_next(walk, record, &m->writer->problem);
	*has = status == SNAP_OK;
	return status == SNAP_END ? SNAP_OK : status;
}

/* Where memory is bounded, it belongs to the lanes now. */
static enum snap_status finish_sorter(struct snap_writer *w, struct libsnap_sorter *sorter)
{
	enum snap_status status = SNAP_OK;
	if (w->max_memory_bytes > 0)
		status = libsnap_sorter_spill(sorter, &w->problem);
	return status == SNAP_OK ? libsnap_sorter_finish(sorter, &w->problem) : status;
}

static enum snap_status take_objects(struct merge *m)
{
	struct snap_writer *w = m->writer;
	enum snap_status status = SNAP_OK;
	for (uint32_t shape = 1; shape <= w->lanes.lanes.count && status == SNAP_OK; shape++)
		status = libsnap_order_copy(w, &m->objects, shape);
	libsnap_lanes_free(w, &w->lanes);
	libsnap_sorter_free(&w->named);
	for (uint32_t shape = 1; shape <= w->shapes.shapes.count; shape++) {
		struct libsnap_shape *emptied = libsnap_shape_at(&w->shapes, shape);
		emptied->rows = emptied->bytes = emptied->blocks = 0;
	}
	return status == SNAP_OK ? finish_sorter(w, &m->objects) : status;
}

/* All loose references of an id. */
static enum snap_status gather_apart(struct merge *m, uint64_t id)
{
	struct snap_writer *w = m->writer;
	enum snap_status status = SNAP_OK;
	m->apart.count = m->place = 0;
	while (status == SNAP_OK && m->has_loose && m->loose.key == id) {
		if (m->loose.bytes[0] == LIBSNAP_CAME_HERE) {
			m->place = m->apart.count;
		} else {
			struct libsnap_reference r = libsnap_parse_loose(id, m->loose.bytes);
			if (!libsnap_group_add(w, &m->apart, &r))
				return libsnap_fail_memory(&w->problem);
		}
		status = next(m, &m->loose_walk, &m->loose, &m->has_loose);
	}
	return status;
}

static bool add_apart(struct merge *m, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++)
		if (!libsnap_group_add(m->writer, &m->writer->group, &m->apart.references[i]))
			return false;
	return true;
}

static enum snap_status log_merged(struct merge *m, uint32_t shape, const uint8_t *at)
{
	struct snap_writer *w = m->writer;
	struct libsnap_row row;
	libsnap_parse_object(libsnap_shape_at(&w->shapes, shape), m->object.key, &at, &row);
	w->group.count = 0;
	if (!add_apart(m, 0, m->place) || !libsnap_group_add_row(w, &w->group, &row) ||
	    !add_apart(m, m->place, m->apart.count))
		return libsnap_fail_memory(&w->problem);
	m->apart.count = 0; /* they are not another's, should there be one with that id */
	w->group.open = true;
	return libsnap_log_flush(w);
}

static enum snap_status log_as_it_was(struct merge *m, uint32_t shape, const uint8_t *at)
{
	struct snap_writer *w = m->writer;
	struct libsnap_row row;
	const uint8_t *fields = at;
	size_t size = m->object.size - (size_t)(at - m->object.bytes);
	uint8_t *bytes = libsnap_buffer_room(w, &w->record, size);
	if (!bytes)
		return libsnap_fail_memory(&w->problem);
	memcpy(bytes, at, size);
	w->record.size = size;
	libsnap_parse_object(libsnap_shape_at(&w->shapes, shape), m->object.key, &fields, &row);
	return libsnap_log_record(w, m->object.key, shape, libsnap_row_field(&row, LIBSNAP_SIZE),
				  libsnap_row_field(&row, LIBSNAP_COUNT));
}

static enum snap_status merge_next(struct merge *m)
{
	uint64_t id = m->has_object ? m->object.key : m->loose.key;
	if (m->has_loose && m->loose.key < id)
		id = m->loose.key;
	enum snap_status status = gather_apart(m, id);
	if (status == SNAP_OK && (!m->has_object || m->object.key != id))
		m->writer->unknown_references += m->apart.count;
	while (status == SNAP_OK && m->has_object && m->object.key == id) {
		const uint8_t *at = m->object.bytes;
		uint32_t shape = (uint32_t)libsnap_get(&at);
		status =
			m->apart.count > 0 ? log_merged(m, shape, at) : log_as_it_was(m, shape, at);
		if (status == SNAP_OK)
			status = next(m, &m->object_walk, &m->object, &m->has_object);
	}
	return status;
}

static enum snap_status merge_all(struct merge *m)
{
	struct snap_writer *w = m->writer;
	size_t buffer = w->max_memory_bytes ? (size_t)(w->max_memory_bytes / 16) : 1u << 20;
	enum snap_status status = take_objects(m);
	w->loose_count = 0;
	if (status == SNAP_OK)
		status = finish_sorter(w, &w->loose);
	if (status == SNAP_OK)
		status = libsnap_sort_walk_begin(&m->object_walk, &m->objects, buffer, &w->problem);
	if (status == SNAP_OK)
		status = libsnap_sort_walk_begin(&m->loose_walk, &w->loose, buffer, &w->problem);
	if (status == SNAP_OK)
		status = next(m, &m->object_walk, &m->object, &m->has_object);
	if (status == SNAP_OK)
		status = next(m, &m->loose_walk, &m->loose, &m->has_loose);
	while (status == SNAP_OK && (m->has_object || m->has_loose))
		status = merge_next(m);
	return status;
}

enum snap_status libsnap_log_merge(struct snap_writer *w)
{
	struct merge m = {.writer = w};
	if (w->loose_count == 0)
		return SNAP_OK;
	libsnap_sorter_init(&m.objects, w->allocator, w->io, w->folder, LIBSNAP_TIES_IN_ORDER);
	enum snap_status status = merge_all(&m);
	libsnap_sort_walk_end(&m.object_walk);
	libsnap_sort_walk_end(&m.loose_walk);
	libsnap_sorter_free(&m.objects);
	libsnap_sorter_free(&w->loose);
	libsnap_free(w->allocator, m.apart.references, m.apart.capacity,
		     sizeof(*m.apart.references));
	return status;
}
