/* Records of the log: objects, references that came apart from them, and rows without id.
 *
 * Object: fields; with a tail, varint length; target of each slot, then of
 * the tail.  Loose reference: a 0; kind and tag; value; target, or a 1 where
 * the object itself came.  Row without id: see libsnap_put_anonymous().  / */
#include <string.h>

#include "writer.h"

uint8_t *libsnap_buffer_room(struct snap_writer *w, struct libsnap_buffer *buffer, size_t size)
{
	if (buffer->capacity < size) {
		uint8_t *larger =
			libsnap_grow(w->allocator, buffer->bytes, &buffer->capacity, size, 1);
		if (!larger)
			return NULL;
		buffer->bytes = larger;
	}
	return buffer->bytes;
}

/* A count of 1 is that of most, and takes no byte as what 0 is
 * for other fields: the lowest bit is the other way round. */
static uint64_t turned(const uint64_t *fields, unsigned field)
{
	return fields[field] ^ (field == LIBSNAP_COUNT);
}

/* A mask of the fields that are not 0, then those. */
uint8_t *libsnap_put_fields(uint8_t *at, const uint64_t *fields)
{
	uint32_t mask = 0;
	for (unsigned i = 0; i < LIBSNAP_FIELDS; i++)
		mask |= (uint32_t)(turned(fields, i) != 0) << i;
	at = libsnap_put(at, mask);
	for (; mask; mask &= mask - 1)
		at = libsnap_put(at, turned(fields, (unsigned)__builtin_ctz(mask)));
	return at;
}

static inline uint8_t *put_field(uint8_t *at, uint8_t *mask, unsigned field, uint64_t value)
{
	if (value == 0)
		return at;
	*mask |= (uint8_t)(1u << field);
	return libsnap_put(at, value);
}

static inline uint8_t *put_object(uint8_t *at, const struct snap_object *o)
{
	const uint32_t rare = o->thread | o->generation | o->flags | o->domain;
	if (rare != 0 || o->count != 1 || (o->birth_serial | o->birth_time_ns) != 0) {
		uint64_t fields[LIBSNAP_FIELDS];
		libsnap_take_fields(o, fields);
		return libsnap_put_fields(at, fields);
	}
	uint8_t *to = at++, mask = 0;
	at = put_field(at, &mask, LIBSNAP_SIZE, o->size);
	at = put_field(at, &mask, LIBSNAP_STACK, o->stack);
	at = put_field(at, &mask, LIBSNAP_NAME, o->name);
	at = put_field(at, &mask, LIBSNAP_CONTENT, o->content);
	at = put_field(at, &mask, LIBSNAP_REFCOUNT, o->refcount);
	*to = mask;
	return at;
}

static inline const uint8_t *get_fields(const uint8_t *at, uint64_t *fields, uint32_t *which)
{
	uint32_t mask = (uint32_t)libsnap_get(&at);
	*which = mask;
	for (; mask; mask &= mask - 1)
		fields[__builtin_ctz(mask)] = libsnap_get(&at);
	if (*which >> LIBSNAP_COUNT & 1)
		fields[LIBSNAP_COUNT] = turned(fields, LIBSNAP_COUNT);
	return at;
}

/* Targets are near their object: 0 is none, else the zigzag difference.  A difference of 0 would
 * look like none, so it is written as the one that would lead to id 0, which nothing has.  A
 * none that was given takes two bytes, one that only fills an index between others takes one;
 * and so does a target that is the usual one, for which what it looks like takes two. */
static inline uint8_t *put_target(uint8_t *at, uint64_t id, uint64_t to)
{
	if (to == 0) {
		*at++ = 0x80;
		*at++ = 0;
		return at;
	}
	uint64_t value = snapfmt_zigzag(to == id ? 0 - id : to - id);
	if (value == LIBSNAP_USUAL) {
		*at++ = 0x80 | LIBSNAP_USUAL;
		*at++ = 0;
		return at;
	}
	return libsnap_put(at, value);
}

static inline uint8_t *put_targets(uint8_t *at, uint64_t id, uint64_t usual,
				   const uint64_t *targets, size_t count)
{
	size_t i = 0;
	if (count > 0 && targets[0] == usual && usual != 0) {
		*at++ = LIBSNAP_USUAL;
		i = 1;
	}
	for (; i < count; i++)
		at = put_target(at, id, targets[i]);
	return at;
}

uint8_t *libsnap_put_whole(uint8_t *at, const struct snap_object *o, uint64_t usual,
			   uint32_t slot_count, const uint64_t *targets, size_t count)
{
	at = put_object(at, o);
	if (count > slot_count)
		at = libsnap_put(at, count - slot_count);
	return put_targets(at, o->id, slot_count ? usual : 0, targets, count);
}

static uint8_t *put_labelled(uint8_t *at, uint64_t id, const struct libsnap_reference *r)
{
	*at++ = (uint8_t)(r->kind << 2 | r->tag);
	if (r->tag == LIBSNAP_TAG_OBJECT)
		at = put_target(at, id, r->value);
	else if (r->tag != LIBSNAP_TAG_NONE)
		at = libsnap_put(at, r->value);
	return put_target(at, id, r->to);
}

struct libsnap_reference libsnap_get_labelled(const uint8_t **at, uint64_t id)
{
	struct libsnap_reference r = {.kind = (uint8_t)(**at >> 2), .tag = **at & 3};
	(*at)++;
	if (r.tag == LIBSNAP_TAG_OBJECT)
		r.value = libsnap_get_target(at, id);
	else if (r.tag != LIBSNAP_TAG_NONE)
		r.value = libsnap_get(at);
	r.to = libsnap_get_target(at, id);
	return r;
}

size_t libsnap_put_loose(uint8_t *bytes, uint64_t from, const struct libsnap_reference *r)
{
	bytes[0] = 0;
	return (size_t)(put_labelled(bytes + 1, from, r) - bytes);
}

struct libsnap_reference libsnap_parse_loose(uint64_t id, const uint8_t *bytes)
{
	bytes++;
	return libsnap_get_labelled(&bytes, id);
}

void libsnap_parse_object(const struct libsnap_shape *shape, uint64_t id, const uint8_t **at,
			  struct libsnap_row *row)
{
	row->id = id;
	row->shape = shape;
	*at = get_fields(*at, row->fields, &row->mask);
	row->tail_count = 0;
	if (shape->tail != SNAP_TAIL_NONE)
		row->tail_count = libsnap_get(at);
	row->references = *at;
}

const uint8_t *libsnap_skip_references(const struct libsnap_row *row)
{
	const struct libsnap_shape *shape = row->shape;
	const uint8_t *at = row->references;
	for (uint32_t i = 0; i < shape->slot_count; i++)
		libsnap_get(&at);
	for (uint64_t i = 0; i < row->tail_count; i++) {
		if (shape->tail == SNAP_TAIL_LABELLED)
			libsnap_get_labelled(&at, row->id);
		else
			libsnap_get(&at);
	}
	return at;
}

/* Numbers in an order that comparing bytes keeps: how many bytes, then those, the highest first. */
static uint8_t *put_ordered(uint8_t *at, uint64_t value)
{
	unsigned size = value ? (71 - (unsigned)__builtin_clzll(value)) / 8 : 0;
	*at++ = (uint8_t)size;
	while (size-- > 0)
		*at++ = (uint8_t)(value >> (8 * size));
	return at;
}

static uint64_t get_ordered(const uint8_t **at)
{
	uint64_t value = 0;
	for (unsigned size = *(*at)++; size > 0; size--)
		value = value << 8 | *(*at)++;
	return value;
}

/* The key is type and stack.  The bytes: how many are compared; mask and fields but for stack and
 * count; and the count, which is not compared. */
size_t libsnap_put_anonymous(uint8_t *bytes, const uint64_t *fields)
{
	unsigned mask = 0;
	for (unsigned i = 0; i < LIBSNAP_COUNT; i++)
		mask |= (unsigned)(fields[i] != 0 && i != LIBSNAP_STACK) << i;
	uint8_t *at = bytes + 1;
	*at++ = (uint8_t)(mask >> 8);
	*at++ = (uint8_t)mask;
	for (; mask; mask &= mask - 1)
		at = put_ordered(at, fields[__builtin_ctz(mask)]);
	bytes[0] = (uint8_t)(at - bytes - 1);
	at = libsnap_put(at, fields[LIBSNAP_COUNT]);
	return (size_t)(at - bytes);
}

void libsnap_parse_anonymous(const uint8_t *bytes, uint64_t key, uint32_t *type, uint64_t *fields)
{
	*type = (uint32_t)(key >> 32);
	memset(fields, 0, LIBSNAP_FIELDS * sizeof(*fields));
	fields[LIBSNAP_STACK] = (uint32_t)key;
	const uint8_t *at = bytes + 3;
	for (unsigned mask = (unsigned)bytes[1] << 8 | bytes[2]; mask; mask &= mask - 1)
		fields[__builtin_ctz(mask)] = get_ordered(&at);
	fields[LIBSNAP_COUNT] = libsnap_get(&at);
}

/* ---- groups ---- */

bool libsnap_group_add(struct snap_writer *w, struct libsnap_group *group,
		       const struct libsnap_reference *r)
{
	if (group->count == group->capacity) {
		struct libsnap_reference *larger =
			libsnap_grow(w->allocator, group->references, &group->capacity,
				     group->count + 1, sizeof(*larger));
		if (!larger)
			return false;
		group->references = larger;
	}
	group->references[group->count++] = *r;
	return true;
}

static struct libsnap_reference slot_reference(uint64_t slot, uint64_t to)
{
	uint64_t label = libsnap_slot_label(slot);
	return (struct libsnap_reference){
		.to = to, .value = label >> 2, .kind = libsnap_slot_kind(slot), .tag = label & 3};
}

bool libsnap_group_add_row(struct snap_writer *w, struct libsnap_group *group,
			   const struct libsnap_row *row)
{
	const struct libsnap_shape *shape = row->shape;
	const uint8_t *at = row->references;
	group->id = row->id;
	group->type = shape->type;
	for (unsigned i = 0; i < LIBSNAP_FIELDS; i++)
		group->fields[i] = libsnap_row_field(row, i);
	for (uint32_t i = 0; i < shape->slot_count; i++) {
		const uint64_t *slot = libsnap_pages_at(&w->shapes.slots, shape->first_slot + i);
		uint64_t to = i == 0 ? libsnap_get_first_target(&at, row->id, shape)
				     : libsnap_get_target(&at, row->id);
		struct libsnap_reference r = slot_reference(*slot, to);
		if (!libsnap_group_add(w, group, &r))
			return false;
	}
	for (uint64_t i = 0; i < row->tail_count; i++) {
		struct libsnap_reference r = {
			.value = i, .kind = shape->tail_kind, .tag = LIBSNAP_TAG_INDEX};
		if (shape->tail == SNAP_TAIL_LABELLED)
			r = libsnap_get_labelled(&at, row->id);
		else if (*at == 0) {
			at++;
			continue;
		} else
			r.to = libsnap_get_target(&at, row->id);
		if (!libsnap_group_add(w, group, &r))
			return false;
	}
	return true;
}

/* In an indexed tail, an index that was not given has no target. */
static uint8_t *put_indexed_tail(uint8_t *at, const struct libsnap_group *group,
				 const struct libsnap_layout *layout)
{
	uint64_t next = 0;
	for (size_t i = 0; i < group->count; i++) {
		const struct libsnap_reference *r = &group->references[i];
		if (!libsnap_in_tail(layout, r))
			continue;
		for (; next < r->value; next++)
			*at++ = 0;
		at = put_target(at, group->id, r->to);
		next++;
	}
	return at;
}

static uint8_t *put_references(uint8_t *at, const struct libsnap_group *group,
			       const struct libsnap_layout *layout)
{
	if (layout->tail != SNAP_TAIL_NONE)
		at = libsnap_put(at, layout->tail_count);
	for (size_t i = 0; i < group->count; i++)
		if (!libsnap_in_tail(layout, &group->references[i]))
			at = put_target(at, group->id, group->references[i].to);
	if (layout->tail == SNAP_TAIL_INDEXED)
		return put_indexed_tail(at, group, layout);
	for (size_t i = 0; layout->tail == SNAP_TAIL_LABELLED && i < group->count; i++)
		if (libsnap_in_tail(layout, &group->references[i]))
			at = put_labelled(at, group->id, &group->references[i]);
	return at;
}

/* Names before indexes, those by kind, before keys: then it does not matter what came apart. */
static unsigned class_of(const struct libsnap_reference *r)
{
	if (r->tag == LIBSNAP_TAG_OBJECT)
		return 33;
	return r->tag == LIBSNAP_TAG_INDEX ? 1u + r->kind : 0;
}

static enum snap_status order_classes(struct snap_writer *w, struct libsnap_group *group)
{
	uint64_t present = 0;
	bool ordered = true;
	for (size_t i = 0; i < group->count; i++) {
		unsigned class = class_of(&group->references[i]);
		ordered = ordered && present >> class <= 1;
		present |= (uint64_t)1 << class;
	}
	if (ordered)
		return SNAP_OK;
	struct libsnap_reference *copy = libsnap_alloc(w->allocator, group->count, sizeof(*copy));
	if (!copy)
		return libsnap_fail_memory(&w->problem);
	size_t count = 0;
	for (; present; present &= present - 1)
		for (size_t i = 0; i < group->count; i++)
			if (class_of(&group->references[i]) == (unsigned)__builtin_ctzll(present))
				copy[count++] = group->references[i];
	memcpy(group->references, copy, count * sizeof(*copy));
	libsnap_free(w->allocator, copy, group->count, sizeof(*copy));
	return SNAP_OK;
}

enum snap_status libsnap_group_encode(struct snap_writer *w, struct libsnap_group *group,
				      struct libsnap_buffer *buffer, uint32_t *shape)
{
	enum snap_status status = order_classes(w, group);
	if (status != SNAP_OK)
		return status;
	struct libsnap_layout layout = libsnap_layout_of(group->references, group->count);
	status = libsnap_shape_intern(w, group->type, group->references, group->count, &layout,
				      shape);
	if (status != SNAP_OK)
		return status;
	size_t each =
		layout.tail == SNAP_TAIL_LABELLED ? 1 + 2 * LIBSNAP_VARINT_MAX : LIBSNAP_VARINT_MAX;
	size_t most = (size_t)(layout.tail_count + layout.slot_count);
	if (most > SIZE_MAX / each - LIBSNAP_RECORD_FIXED)
		return libsnap_fail_memory(&w->problem);
	uint8_t *bytes = libsnap_buffer_room(w, buffer, LIBSNAP_RECORD_FIXED + most * each);
	if (!bytes)
		return libsnap_fail_memory(&w->problem);
	uint8_t *at = libsnap_put_fields(bytes, group->fields);
	at = put_references(at, group, &layout);
	buffer->size = (size_t)(at - bytes);
	return SNAP_OK;
}
