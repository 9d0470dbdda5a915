/* The writer's objects: gathered with their references, given a shape, and kept as
 * records in the lane of that shape (writer_log, writer_record, writer_shapes,
 * writer_lanes, writer_layout). */
#ifndef LIBSNAP_WRITER_OBJECTS_H
#define LIBSNAP_WRITER_OBJECTS_H

#include "snapfmt.h"
#include "sort.h"
#include "store.h"

/* ---- objects and references (writer_log.c) ---- */

/* What an object has beside id, type and references, most frequent first. */
enum libsnap_field {
	LIBSNAP_SIZE,
	LIBSNAP_STACK,
	LIBSNAP_NAME,
	LIBSNAP_CONTENT,
	LIBSNAP_REFCOUNT,
	LIBSNAP_THREAD,
	LIBSNAP_GENERATION,
	LIBSNAP_FLAGS,
	LIBSNAP_DOMAIN,
	LIBSNAP_BIRTH_SERIAL,
	LIBSNAP_BIRTH_TIME,
	LIBSNAP_COUNT,
	LIBSNAP_FIELDS,
};

#define LIBSNAP_TAG_STRING 0u
#define LIBSNAP_TAG_INDEX  1u
#define LIBSNAP_TAG_OBJECT 2u
#define LIBSNAP_TAG_NONE   3u

struct libsnap_reference {
	uint64_t to;    /* 0: none */
	uint64_t value; /* string id, index or the key's id */
	uint8_t kind, tag;
};

/* An object with all its references, as it is gathered. */
struct libsnap_group {
	uint64_t id;
	uint32_t type;
	uint64_t fields[LIBSNAP_FIELDS];
	struct libsnap_reference *references;
	size_t count, capacity;
	bool open;
};

struct libsnap_buffer {
	uint8_t *bytes;
	size_t size, capacity;
};

/* An object as read from its record. */
struct libsnap_shape;
struct libsnap_row {
	uint64_t id;
	const struct libsnap_shape *shape;
	uint32_t mask;
	/* those in mask; the others are defaults, and unknown here */
	uint64_t fields[LIBSNAP_FIELDS];
	uint64_t tail_count;
	const uint8_t *references; /* slots, then tail */
};
static inline uint64_t libsnap_row_field(const struct libsnap_row *row, enum libsnap_field field)
{
	return row->mask >> field & 1 ? row->fields[field] : field == LIBSNAP_COUNT;
}

/* ---- shapes (writer_shapes.c) ---- */

struct libsnap_shape {
	uint32_t type, slot_count;
	uint64_t first_slot; /* in slots: label << 5 | kind */
	uint8_t tail, tail_kind;
	uint64_t usual; /* the first slot's target in its first object of a layout */
	uint64_t rows, anonymous_rows, bytes;
	uint64_t blocks;  /* sum of counts */
	uint32_t instead; /* the shape that its rows are written with */
	uint32_t folded;  /* a shape whose rows are written with this one, or beside it */
	uint32_t number;  /* in the file, from 1; 0: has no rows */
};

struct libsnap_shapes {
	struct libsnap_pages shapes, slots;
	struct libsnap_intern ids;
	uint32_t *in_order; /* ids by number - 1 */
	uint64_t *next_row; /* by number - 1; at first where its rows with an id begin */
	size_t count;
	/* Ids of rows where ranges of objects begin that are
	 * alike: large shapes and groups of small ones */
	uint64_t ranges[SNAPFMT_MAX_RANGES];
	size_t range_count;
};

/* ---- objects by shape (writer_lanes.c) ---- */

/* Records in the order in which they came: the id's
 * zigzag difference to the one before, and the record. */
struct libsnap_lane {
	struct libsnap_tape tape;
	uint64_t last_id;
	bool unordered;                /* ids do not ascend */
	struct libsnap_sort_run *runs; /* what went to the file before */
	size_t run_count, run_capacity;
};

struct libsnap_lanes {
	struct libsnap_pages lanes; /* by shape id - 1 */
	uint64_t memory_bytes;
	void *file;
	uint64_t file_size;
};

struct libsnap_lane_walk {
	struct libsnap_lanes *lanes;
	const struct libsnap_lane *lane;
	size_t piece; /* of the runs, then of the tape */
	struct libsnap_buffer buffer;
	uint64_t id;
	const uint8_t *at, *end;
};

void libsnap_lanes_init(struct libsnap_lanes *, const struct snap_allocator *);
void libsnap_lanes_free(struct snap_writer *, struct libsnap_lanes *);
enum snap_status libsnap_lane_add(struct snap_writer *, struct libsnap_lanes *, uint32_t shape,
				  uint64_t id, const uint8_t *bytes, size_t size);
/* The lane of a shape, which does not move; NULL: no memory. */
struct libsnap_lane *libsnap_lane_reach(struct snap_writer *, struct libsnap_lanes *,
					uint32_t shape);
/* Where a record of at most so many bytes is to be written, its
 * id first; committed to the lane's tape.  NULL: no memory. */
static inline uint8_t *libsnap_lane_room(struct libsnap_lanes *lanes, struct libsnap_lane *lane,
					 size_t most)
{
	const uint64_t before = lane->tape.memory_bytes;
	uint8_t *room = libsnap_tape_room(&lane->tape, LIBSNAP_VARINT_MAX + most);
	lanes->memory_bytes += lane->tape.memory_bytes - before;
	return room;
}
static inline uint8_t *libsnap_lane_put_id(struct libsnap_lane *lane, uint8_t *room, uint64_t id)
{
	lane->unordered = lane->unordered || id < lane->last_id;
	room = libsnap_put(room, snapfmt_zigzag(id - lane->last_id));
	lane->last_id = id;
	return room;
}
/* All that is in memory goes to the file. */
enum snap_status libsnap_lanes_spill(struct snap_writer *, struct libsnap_lanes *);
/* NULL: the shape has none. */
struct libsnap_lane *libsnap_lane_at(const struct libsnap_lanes *, uint32_t shape);
void libsnap_lane_free(struct libsnap_lanes *, struct libsnap_lane *);
void libsnap_lane_walk_begin(struct libsnap_lane_walk *, struct libsnap_lanes *, uint32_t shape);
enum snap_status libsnap_lane_walk_more(struct snap_writer *, struct libsnap_lane_walk *);
void libsnap_lane_walk_end(struct snap_writer *, struct libsnap_lane_walk *);
/* The next id; the record is at walk->at, which the
 * caller moves to its end.  SNAP_END after the last. */
static inline enum snap_status libsnap_lane_walk_next(struct snap_writer *w,
						      struct libsnap_lane_walk *walk)
{
	if (walk->at == walk->end) {
		enum snap_status status = libsnap_lane_walk_more(w, walk);
		if (status != SNAP_OK)
			return status;
	}
	walk->id += snapfmt_unzigzag(libsnap_get(&walk->at));
	return SNAP_OK;
}

/* ---- objects of one make (writer_layout.c) ---- */

/* What objects become that have slots alone, or elements too. */
struct libsnap_made {
	uint32_t shape_id; /* 0: not yet, or not all the same */
	struct libsnap_shape *shape;
	struct libsnap_lane *lane; /* not of a heap */
};

struct libsnap_make {
	uint32_t type, slot_count;
	uint64_t first_slot;         /* in layout_slots: struct libsnap_reference without target */
	struct libsnap_made made[2]; /* without elements, with */
	bool labelled;               /* references say their labels themselves */
};

/* ---- what is done with them ---- */

/* writer_record.c */
#define LIBSNAP_USUAL 1 /* a target: the shape's usual one */
/* bytes that a record needs at most, beside an object's references */
#define LIBSNAP_RECORD_FIXED 160
size_t libsnap_put_loose(uint8_t *bytes, uint64_t from, const struct libsnap_reference *);
size_t libsnap_put_anonymous(uint8_t *bytes, const uint64_t *fields);
uint8_t *libsnap_buffer_room(struct snap_writer *, struct libsnap_buffer *, size_t size);
uint8_t *libsnap_put_fields(uint8_t *at, const uint64_t *fields);
/* The record of an object with an id, slot_count slots and the rest in the tail. */
uint8_t *libsnap_put_whole(uint8_t *at, const struct snap_object *, uint64_t usual,
			   uint32_t slot_count, const uint64_t *targets, size_t count);
/* Reads an object's record but for its references, which begin where *at then is. */
void libsnap_parse_object(const struct libsnap_shape *, uint64_t id, const uint8_t **at,
			  struct libsnap_row *);
/* Where the record ends. */
const uint8_t *libsnap_skip_references(const struct libsnap_row *);
void libsnap_parse_anonymous(const uint8_t *bytes, uint64_t key, uint32_t *type, uint64_t *fields);
struct libsnap_reference libsnap_parse_loose(uint64_t id, const uint8_t *bytes);
/* Walks a row's references; at starts at row->references. */
static inline uint64_t libsnap_get_target(const uint8_t **at, uint64_t id)
{
	uint64_t value = libsnap_get(at);
	if (value == 0)
		return 0;
	uint64_t to = id + snapfmt_unzigzag(value);
	return to ? to : id;
}
/* The same for the first slot of a shape. */
static inline uint64_t libsnap_get_first_target(const uint8_t **at, uint64_t id,
						const struct libsnap_shape *shape)
{
	if (**at != LIBSNAP_USUAL)
		return libsnap_get_target(at, id);
	(*at)++;
	return shape->usual;
}
struct libsnap_reference libsnap_get_labelled(const uint8_t **at, uint64_t id);
bool libsnap_group_add(struct snap_writer *, struct libsnap_group *,
		       const struct libsnap_reference *);
/* Adds all references of a row to a group. */
bool libsnap_group_add_row(struct snap_writer *, struct libsnap_group *,
			   const struct libsnap_row *);
/* A record of a group, in buffer. */
enum snap_status libsnap_group_encode(struct snap_writer *, struct libsnap_group *,
				      struct libsnap_buffer *, uint32_t *shape);

/* writer_shapes.c */
struct libsnap_layout {
	uint8_t tail, tail_kind;
	bool all_in_tail;
	uint64_t tail_count, slot_count;
};
struct libsnap_layout libsnap_layout_of(const struct libsnap_reference *references, size_t count);
static inline bool libsnap_in_tail(const struct libsnap_layout *l,
				   const struct libsnap_reference *r)
{
	if (l->tail == SNAP_TAIL_NONE)
		return false;
	if (l->tail == SNAP_TAIL_INDEXED)
		return r->tag == LIBSNAP_TAG_INDEX && r->kind == l->tail_kind;
	return l->all_in_tail || r->tag == LIBSNAP_TAG_INDEX || r->tag == LIBSNAP_TAG_OBJECT;
}
void libsnap_shapes_init(struct libsnap_shapes *, const struct snap_allocator *);
void libsnap_shapes_free(struct libsnap_shapes *, const struct snap_allocator *);
static inline struct libsnap_shape *libsnap_shape_at(const struct libsnap_shapes *shapes,
						     uint32_t id)
{
	return libsnap_pages_at(&shapes->shapes, id - 1);
}
/* The shape of a group; the layout becomes all_in_tail when there are too many shapes already. */
enum snap_status libsnap_shape_intern(struct snap_writer *, uint32_t type,
				      const struct libsnap_reference *, size_t count,
				      struct libsnap_layout *, uint32_t *id);
/* Decides which shapes are written, and where the rows of each begin. */
enum snap_status libsnap_shapes_settle(struct snap_writer *);
static inline uint64_t libsnap_slot_label(uint64_t slot)
{
	return slot >> 5;
}
static inline uint8_t libsnap_slot_kind(uint64_t slot)
{
	return slot & 31;
}

#endif
