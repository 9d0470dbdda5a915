/* Objects of one make, which come with all their references at once. */
#include <inttypes.h>

#include "writer.h"

#define SLOTS_PLAIN 64 /* with more, references are a labelled tail */
#define SMALL       64 /* references of an object, and objects of a shape */

static enum snap_status check_slot(struct snap_writer *w, const struct snap_slot *slot)
{
	uint64_t value = slot->label >> 2;
	if ((uint32_t)slot->kind > 31)
		return libsnap_misuse(w, "reference kind %u is over 31", (unsigned)slot->kind);
	if (slot->label == SNAP_LABEL_NONE)
		return SNAP_OK;
	if ((slot->label & 3) != LIBSNAP_TAG_STRING || value == 0 || value > w->names.strings.count)
		return libsnap_misuse(w, "layout: label %" PRIu64 " is no known string",
				      slot->label);
	return SNAP_OK;
}

enum snap_status libsnap_layout_add(struct snap_writer *w, uint32_t type,
				    const struct snap_slot *slots, size_t count, uint32_t *id)
{
	enum snap_status status = SNAP_OK;
	if (type > w->names.types.rows.count)
		return libsnap_misuse(w, "layout: type %u is not known", (unsigned)type);
	if (count >= UINT32_MAX || w->layouts.count >= UINT32_MAX)
		return libsnap_misuse(w, "a layout of %zu slots, after %" PRIu64 " others", count,
				      w->layouts.count);
	for (size_t i = 0; i < count && status == SNAP_OK; i++)
		status = check_slot(w, &slots[i]);
	if (status != SNAP_OK)
		return status;
	uint64_t first = w->layout_slots.count;
	for (size_t i = 0; i < count; i++) {
		struct libsnap_reference *r = libsnap_pages_add(&w->layout_slots);
		if (!r)
			return libsnap_fail_memory(&w->problem);
		r->value = slots[i].label >> 2;
		r->kind = (uint8_t)slots[i].kind;
		r->tag = slots[i].label & 3;
	}
	struct libsnap_make *make = libsnap_pages_add(&w->layouts);
	if (!make)
		return libsnap_fail_memory(&w->problem);
	*make = (struct libsnap_make){
		.type = type, .slot_count = (uint32_t)count, .first_slot = first};
	*id = (uint32_t)w->layouts.count;
	return SNAP_OK;
}

enum snap_status snap_writer_layout(struct snap_writer *w, uint32_t type,
				    const struct snap_slot *slots, size_t count, uint32_t *id,
				    struct snap_error *error)
{
	enum snap_status status = libsnap_writer_failed(w)
					  ? w->failure.status
					  : libsnap_layout_add(w, type, slots, count, id);
	return libsnap_writer_end_call(w, status, error);
}

static bool gather(struct snap_writer *w, const struct libsnap_make *make, const uint64_t *targets,
		   size_t count)
{
	w->group.count = 0;
	for (size_t i = 0; i < count; i++) {
		struct libsnap_reference r = {.value = i - make->slot_count,
					      .kind = SNAP_REF_ELEMENT,
					      .tag = LIBSNAP_TAG_INDEX};
		if (i < make->slot_count)
			r = *(struct libsnap_reference *)libsnap_pages_at(&w->layout_slots,
									  make->first_slot + i);
		r.to = targets[i];
		if (!libsnap_group_add(w, &w->group, &r))
			return false;
	}
	return true;
}

/* Whether all objects with slots alone, or all with
 * elements too, have one shape: then it is made->shape. */
static enum snap_status find_shape(struct snap_writer *w, const struct libsnap_make *make,
				   struct libsnap_made *made)
{
	struct libsnap_layout layout = libsnap_layout_of(w->group.references, w->group.count);
	uint32_t id = 0;
	if (make->slot_count > SLOTS_PLAIN)
		return SNAP_OK;
	enum snap_status status = libsnap_shape_intern(w, make->type, w->group.references,
						       w->group.count, &layout, &id);
	if (status != SNAP_OK || layout.all_in_tail)
		return status;
	struct libsnap_lane *lane = libsnap_lane_reach(w, &w->lanes, id);
	if (!lane)
		return libsnap_fail_memory(&w->problem);
	*made = (struct libsnap_made){
		.shape_id = id, .shape = libsnap_shape_at(&w->shapes, id), .lane = lane};
	return SNAP_OK;
}

/* Written where it belongs; a large one, for which that
 * would be much more room than it needs, elsewhere first. */
static enum snap_status log_plain(struct snap_writer *w, const struct libsnap_make *make,
				  const struct libsnap_made *made, const struct snap_object *o,
				  const uint64_t *targets, size_t count)
{
	struct libsnap_shape *shape = made->shape;
	if (count > SIZE_MAX / LIBSNAP_VARINT_MAX - LIBSNAP_RECORD_FIXED)
		return libsnap_fail_memory(&w->problem);
	size_t most = LIBSNAP_RECORD_FIXED + count * LIBSNAP_VARINT_MAX;
	if (shape->rows == 0 && make->slot_count > 0)
		shape->usual = targets[0];
	const bool placed = count <= SMALL && shape->rows >= SMALL;
	uint8_t *room = placed ? libsnap_lane_room(&w->lanes, made->lane, most)
			       : libsnap_buffer_room(w, &w->record, most);
	if (!room)
		return libsnap_fail_memory(&w->problem);
	uint8_t *at = placed ? libsnap_lane_put_id(made->lane, room, o->id) : room;
	at = libsnap_put_whole(at, o, shape->usual, make->slot_count, targets, count);
	if (placed) {
		libsnap_tape_commit(&made->lane->tape, (size_t)(at - room));
		return libsnap_log_id(w, o->id, made->shape_id, shape, o->size, o->count);
	}
	w->record.size = (size_t)(at - room);
	return libsnap_log_record(w, o->id, made->shape_id, o->size, o->count);
}

static enum snap_status log_grouped(struct snap_writer *w, const struct snap_object *o)
{
	w->group.open = true;
	w->group.id = o->id;
	w->group.type = o->type;
	libsnap_take_fields(o, w->group.fields);
	return libsnap_log_flush(w);
}

static enum snap_status add_object(struct snap_writer *w, uint32_t id, const struct snap_object *o,
				   const uint64_t *targets, size_t count)
{
	if (id == 0 || id > w->layouts.count || w->is_direct)
		return libsnap_misuse(w, "layout %u is not known", (unsigned)id);
	struct libsnap_make *make = libsnap_pages_at(&w->layouts, id - 1);
	if (make->labelled)
		return libsnap_misuse(w, "layout %u is for a heap", (unsigned)id);
	if (o->type != make->type || o->id == 0 || count < make->slot_count)
		return libsnap_misuse(w,
				      "object %" PRIu64
				      ", of type %u with %zu targets, is not what layout %u says",
				      o->id, (unsigned)o->type, count, (unsigned)id);
	enum snap_status status = libsnap_log_sums(w, o);
	if (status != SNAP_OK || w->totals_only)
		return status;
	struct libsnap_made *made = &make->made[count > make->slot_count];
	if (!made->shape_id) {
		status = gather(w, make, targets, count) ? find_shape(w, make, made)
							 : libsnap_fail_memory(&w->problem);
		if (status == SNAP_OK && !made->shape_id)
			status = log_grouped(w, o);
		w->group.count = 0;
	}
	return status == SNAP_OK && made->shape_id ? log_plain(w, make, made, o, targets, count)
						   : status;
}

enum snap_status snap_writer_object_of(struct snap_writer *w, uint32_t layout,
				       const struct snap_object *o, const uint64_t *targets,
				       size_t count, struct snap_error *error)
{
	enum snap_status status = libsnap_writer_failed(w)
					  ? w->failure.status
					  : add_object(w, layout, o, targets, count);
	return status == SNAP_OK ? SNAP_OK : libsnap_writer_end_call(w, status, error);
}
