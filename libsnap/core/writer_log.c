/* Objects, references and roots as they are added. */
#include <inttypes.h>
#include <string.h>

#include "writer.h"

/* Of the memory that the caller allows, the part for what else is needed while objects are added.
 */
#define RESERVE   16
#define LITTLE    8  /* of it, where freeing no more than that is no use */
#define UNCHECKED 64 /* small records, which need little */
/* So many ids in order are a run: sorting them with one
 * that is not would take more memory than they need. */
#define PRESORTED 65536

/* Whether ids, as they are now, lie so close together that there will be
 * a map of bits of them in memory, for which they need not be sorted. */
static bool stay_unsorted(const struct snap_writer *w, uint64_t *map_bytes)
{
	return !w->named.ascending && !libsnap_sorter_spilled(&w->named) &&
	       libsnap_map_is_close(w, map_bytes) && *map_bytes <= w->max_memory_bytes / 2;
}

/* Ids that stay unsorted are in the way only where there is little else. */
static enum snap_status spill_largest(struct snap_writer *w, uint64_t allowed)
{
	uint64_t map_bytes, named = libsnap_sorter_memory(&w->named), lanes = w->lanes.memory_bytes,
			    anonymous = libsnap_sorter_memory(&w->anonymous),
			    loose = libsnap_sorter_memory(&w->loose);
	const bool unsorted = stay_unsorted(w, &map_bytes);
	if (unsorted)
		named = w->named.tape.memory_bytes + map_bytes;
	if (lanes + named + anonymous + loose <= allowed)
		return SNAP_OK;
	if (unsorted && lanes + anonymous + loose > allowed / LITTLE)
		named = 0;
	if (lanes >= named && lanes >= anonymous && lanes >= loose)
		return libsnap_lanes_spill(w, &w->lanes);
	struct libsnap_sorter *largest = anonymous >= loose ? &w->anonymous : &w->loose;
	if (named >= anonymous && named >= loose)
		largest = &w->named;
	return libsnap_sorter_spill(largest, &w->problem);
}

static enum snap_status spill_if_large(struct snap_writer *w)
{
	if (w->max_memory_bytes == 0)
		return SNAP_OK;
	uint64_t most = w->lanes.memory_bytes + libsnap_sorter_memory(&w->named) +
			libsnap_sorter_memory(&w->anonymous) + libsnap_sorter_memory(&w->loose);
	uint64_t group = w->group.capacity * sizeof(*w->group.references) + w->record.capacity;
	uint64_t allowed = w->max_memory_bytes - w->max_memory_bytes / RESERVE;
	allowed = allowed > group + allowed / 4 ? allowed - group : allowed / 4;
	return most <= allowed ? SNAP_OK : spill_largest(w, allowed);
}

/* Whether the tape of ids, of which the last one is before those
 * on it, would be better off as a run that is in order. */
static bool ends_ascent(const struct snap_writer *w, uint64_t id)
{
	uint64_t bytes;
	return w->max_memory_bytes > 0 && id < w->named.last_key && w->named.ascending &&
	       w->named.tape_records > PRESORTED && !libsnap_map_is_close(w, &bytes);
}

static void use_label_strings(struct snap_writer *w, uint32_t shape_id)
{
	if (libsnap_shape_at(&w->shapes, shape_id)->tail != SNAP_TAIL_LABELLED)
		return;
	for (size_t i = 0; i < w->group.count; i++)
		if (w->group.references[i].tag == LIBSNAP_TAG_STRING)
			libsnap_string_use(&w->names, (uint32_t)w->group.references[i].value);
}

static void note_id(struct snap_writer *w, uint64_t id)
{
	if (id > w->highest_id)
		w->highest_id = id;
	if (id < w->lowest_id) {
		w->id_bits |= w->named.record_count ? id ^ w->lowest_id : 0;
		w->lowest_id = id;
	}
	w->id_bits |= id ^ w->lowest_id;
}

enum snap_status libsnap_log_record(struct snap_writer *w, uint64_t id, uint32_t shape_id,
				    uint64_t size, uint64_t count)
{
	enum snap_status status =
		libsnap_lane_add(w, &w->lanes, shape_id, id, w->record.bytes, w->record.size);
	if (status == SNAP_OK)
		status = libsnap_log_id(w, id, shape_id, libsnap_shape_at(&w->shapes, shape_id),
					size, count);
	return status == SNAP_OK ? spill_if_large(w) : status;
}

enum snap_status libsnap_log_id(struct snap_writer *w, uint64_t id, uint32_t shape_id,
				struct libsnap_shape *shape, uint64_t size, uint64_t count)
{
	const uint8_t came_here = LIBSNAP_CAME_HERE;
	enum snap_status status = SNAP_OK;
	note_id(w, id);
	if (!libsnap_place_note(w, id))
		return libsnap_fail_memory(&w->problem);
	if (w->loose_count > 0)
		status = libsnap_sorter_add(&w->loose, id, &came_here, 1, &w->problem);
	if (status == SNAP_OK && ends_ascent(w, id))
		status = libsnap_sorter_spill(&w->named, &w->problem);
	if (status != SNAP_OK)
		return status;
	if (!libsnap_sorter_add_number(&w->named, id, shape_id))
		return libsnap_fail_memory(&w->problem);
	shape->rows++;
	shape->bytes += size * count;
	shape->blocks += count;
	return w->named.record_count % UNCHECKED == 0 ? spill_if_large(w) : SNAP_OK;
}

/* The object whose references were being added is complete, as far as is known. */
enum snap_status libsnap_log_flush(struct snap_writer *w)
{
	struct libsnap_group *group = &w->group;
	if (!group->open)
		return SNAP_OK;
	uint32_t shape_id = 0;
	enum snap_status status = libsnap_group_encode(w, group, &w->record, &shape_id);
	if (status != SNAP_OK)
		return status;
	use_label_strings(w, shape_id);
	status = libsnap_log_record(w, group->id, shape_id, group->fields[LIBSNAP_SIZE],
				    group->fields[LIBSNAP_COUNT]);
	group->open = false;
	group->count = 0;
	return status;
}

static inline bool is_sound(const struct libsnap_names *n, const struct snap_object *o)
{
	return (o->count == 1 || (o->count == 0) == (o->id != 0)) &&
	       o->type <= n->types.rows.count && o->stack <= n->stacks.rows.count &&
	       o->thread <= n->threads.rows.count && o->name <= n->strings.count &&
	       o->content <= n->contents.rows.count;
}

static enum snap_status refuse_object(struct snap_writer *w, const struct snap_object *o)
{
	const struct libsnap_names *n = &w->names;
	if (o->count == 0 && o->id == 0)
		return libsnap_misuse(w, "an object with a count of 0 and no id");
	if (o->id != 0 && o->count > 1)
		return libsnap_misuse(w, "object %" PRIu64 " has an id and a count of %" PRIu64,
				      o->id, o->count);
	const struct {
		const char *what;
		uint32_t id;
		const struct libsnap_pages *rows;
	} ids[] = {
		{"type", o->type, &n->types.rows},          {"stack", o->stack, &n->stacks.rows},
		{"thread", o->thread, &n->threads.rows},    {"string", o->name, &n->strings},
		{"content", o->content, &n->contents.rows},
	};
	for (size_t i = 0; i < sizeof(ids) / sizeof(*ids); i++)
		if (ids[i].id > ids[i].rows->count)
			return libsnap_misuse(w, "object %" PRIu64 ": %s %u is not known", o->id,
					      ids[i].what, (unsigned)ids[i].id);
	return SNAP_OK;
}

void libsnap_take_fields(const struct snap_object *o, uint64_t *fields)
{
	fields[LIBSNAP_SIZE] = o->size;
	fields[LIBSNAP_STACK] = o->stack;
	fields[LIBSNAP_NAME] = o->name;
	fields[LIBSNAP_CONTENT] = o->content;
	fields[LIBSNAP_REFCOUNT] = o->refcount;
	fields[LIBSNAP_THREAD] = o->thread;
	fields[LIBSNAP_GENERATION] = o->generation;
	fields[LIBSNAP_FLAGS] = o->flags;
	fields[LIBSNAP_DOMAIN] = o->domain;
	fields[LIBSNAP_BIRTH_SERIAL] = o->birth_serial;
	fields[LIBSNAP_BIRTH_TIME] = o->birth_time_ns;
	fields[LIBSNAP_COUNT] = o->count;
}

/* All of struct snap_object is its members, so that two may be compared as bytes. */
_Static_assert(sizeof(struct snap_object) == 6 * sizeof(uint64_t) + 8 * sizeof(uint32_t),
	       "no padding");

static enum snap_status log_anonymous(struct snap_writer *w, const struct snap_object *o)
{
	uint8_t bytes[LIBSNAP_RECORD_FIXED];
	uint64_t fields[LIBSNAP_FIELDS];
	libsnap_take_fields(o, fields);
	size_t size = libsnap_put_anonymous(bytes, fields);
	enum snap_status status = libsnap_sorter_add(
		&w->anonymous, (uint64_t)o->type << 32 | o->stack, bytes, size, &w->problem);
	return status == SNAP_OK ? spill_if_large(w) : status;
}

/* Blocks that are alike often come close together: those are added up before they are logged. */
static enum snap_status add_anonymous(struct snap_writer *w, const struct snap_object *o)
{
	if (!w->recent)
		w->recent = libsnap_alloc_zeroed(w->allocator, LIBSNAP_RECENT, sizeof(*w->recent));
	if (!w->recent)
		return libsnap_fail_memory(&w->problem);
	struct snap_object alike = *o;
	alike.count = 0;
	struct snap_object *recent =
		&w->recent[snapfmt_hash(&alike, sizeof(alike)) % LIBSNAP_RECENT];
	enum snap_status status = SNAP_OK;
	alike.count = recent->count;
	if (recent->count > 0 && memcmp(&alike, recent, sizeof(alike)) == 0) {
		recent->count += o->count; /* no more than the sum of all, which is checked */
		return SNAP_OK;
	}
	if (recent->count > 0)
		status = log_anonymous(w, recent);
	*recent = *o;
	return status;
}

enum snap_status libsnap_log_recent(struct snap_writer *w)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; w->recent && i < LIBSNAP_RECENT && status == SNAP_OK; i++)
		if (w->recent[i].count > 0)
			status = log_anonymous(w, &w->recent[i]);
	libsnap_free(w->allocator, w->recent, LIBSNAP_RECENT, sizeof(*w->recent));
	w->recent = NULL;
	return status;
}

enum snap_status libsnap_log_sums(struct snap_writer *w, const struct snap_object *o)
{
	enum snap_status status =
		is_sound(&w->names, o) ? libsnap_totals_object(w, o) : refuse_object(w, o);
	if (status != SNAP_OK || w->totals_only)
		return status;
	libsnap_string_use(&w->names, o->name);
	return o->id && w->group.open ? libsnap_log_flush(w) : SNAP_OK;
}

/* Begins an object, which has none of its references yet. */
static enum snap_status log_object(struct snap_writer *w, const struct snap_object *o)
{
	enum snap_status status = w->is_direct ? libsnap_direct_check(w, o) : SNAP_OK;
	if (status == SNAP_OK)
		status = libsnap_log_sums(w, o);
	if (status != SNAP_OK || w->totals_only)
		return status;
	if (w->is_direct)
		return libsnap_direct_object(w, o);
	if (o->id == 0)
		return add_anonymous(w, o);
	w->group.open = true;
	w->group.id = o->id;
	w->group.type = o->type;
	libsnap_take_fields(o, w->group.fields);
	return SNAP_OK;
}

enum snap_status snap_writer_object(struct snap_writer *w, const struct snap_object *o,
				    struct snap_error *error)
{
	enum snap_status status = libsnap_writer_failed(w) ? w->failure.status : log_object(w, o);
	return status == SNAP_OK ? SNAP_OK : libsnap_writer_end_call(w, status, error);
}

static enum snap_status add_loose(struct snap_writer *w, uint64_t from,
				  const struct libsnap_reference *r)
{
	uint8_t bytes[LIBSNAP_RECORD_FIXED];
	size_t size = libsnap_put_loose(bytes, from, r);
	enum snap_status status = libsnap_sorter_add(&w->loose, from, bytes, size, &w->problem);
	if (status != SNAP_OK)
		return status;
	w->loose_count++;
	if (r->tag == LIBSNAP_TAG_STRING)
		libsnap_string_use(&w->names, (uint32_t)r->value);
	return spill_if_large(w);
}

static inline enum snap_status add_reference(struct snap_writer *w, uint64_t from,
					     const struct libsnap_reference *r)
{
	if (w->group.open && w->group.id == from)
		return libsnap_group_add(w, &w->group, r) ? SNAP_OK
							  : libsnap_fail_memory(&w->problem);
	return add_loose(w, from, r);
}

static enum snap_status check_reference(struct snap_writer *w, uint64_t from, uint32_t kind)
{
	if (w->is_direct)
		return libsnap_misuse(w, "a reference, though objects are written directly");
	if (from == 0)
		return libsnap_misuse(w, "a reference from id 0, which no object has");
	if (kind > 31)
		return libsnap_misuse(w, "reference kind %u is over 31", (unsigned)kind);
	return SNAP_OK;
}

static enum snap_status check_label(struct snap_writer *w, uint64_t from, uint64_t label)
{
	uint64_t value = label >> 2;
	switch (label & 3) {
	case LIBSNAP_TAG_STRING:
		if (value > 0 && value <= w->names.strings.count)
			return SNAP_OK;
		return libsnap_misuse(
			w, "reference from %" PRIu64 ": label string %" PRIu64 " is not known",
			from, value);
	case LIBSNAP_TAG_INDEX: return SNAP_OK;
	case LIBSNAP_TAG_NONE:
		if (value == 0)
			return SNAP_OK;
	}
	return libsnap_misuse(w, "reference from %" PRIu64 ": %" PRIu64 " is no label", from,
			      label);
}

enum snap_status snap_writer_reference(struct snap_writer *w, uint64_t from, uint64_t to,
				       enum snap_reference_kind kind, uint64_t label,
				       struct snap_error *error)
{
	if (libsnap_writer_failed(w))
		return libsnap_writer_end_call(w, w->failure.status, error);
	enum snap_status status = check_reference(w, from, (uint32_t)kind);
	if (status == SNAP_OK)
		status = check_label(w, from, label);
	struct libsnap_reference r = {
		.to = to, .value = label >> 2, .kind = (uint8_t)kind, .tag = label & 3};
	if (status == SNAP_OK && !w->totals_only)
		status = add_reference(w, from, &r);
	return status == SNAP_OK ? SNAP_OK : libsnap_writer_end_call(w, status, error);
}

enum snap_status snap_writer_keyed_reference(struct snap_writer *w, uint64_t from, uint64_t to,
					     enum snap_reference_kind kind, uint64_t key,
					     struct snap_error *error)
{
	if (libsnap_writer_failed(w))
		return libsnap_writer_end_call(w, w->failure.status, error);
	enum snap_status status = check_reference(w, from, (uint32_t)kind);
	if (status == SNAP_OK && key == 0)
		status = libsnap_misuse(
			w, "reference from %" PRIu64 ": a key of id 0, which no object has", from);
	struct libsnap_reference r = {
		.to = to, .value = key, .kind = (uint8_t)kind, .tag = LIBSNAP_TAG_OBJECT};
	if (status == SNAP_OK && !w->totals_only)
		status = add_reference(w, from, &r);
	return status == SNAP_OK ? SNAP_OK : libsnap_writer_end_call(w, status, error);
}

static enum snap_status add_root(struct snap_writer *w, const struct snap_root *root)
{
	if (w->is_direct)
		return libsnap_misuse(w, "a root, though objects are written directly");
	if (root->object == 0)
		return libsnap_misuse(w, "a root of id 0, which no object has");
	if (root->label > w->names.strings.count)
		return libsnap_misuse(w, "root: label string %u is not known",
				      (unsigned)root->label);
	if (root->thread > w->names.threads.rows.count)
		return libsnap_misuse(w, "root: thread %u is not known", (unsigned)root->thread);
	if (root->stack > w->names.stacks.rows.count)
		return libsnap_misuse(w, "root: stack %u is not known", (unsigned)root->stack);
	if (w->totals_only)
		return SNAP_OK;
	struct libsnap_root *new = libsnap_pages_add(&w->roots);
	if (!new)
		return libsnap_fail_memory(&w->problem);
	*new = (struct libsnap_root){root->object, (uint32_t)root->kind, root->label, root->thread,
				     root->stack};
	return SNAP_OK;
}

enum snap_status snap_writer_root(struct snap_writer *w, const struct snap_root *root,
				  struct snap_error *error)
{
	enum snap_status status = libsnap_writer_failed(w) ? w->failure.status : add_root(w, root);
	return libsnap_writer_end_call(w, status, error);
}

enum snap_status snap_writer_timeline(struct snap_writer *w, uint64_t time_ns, uint64_t bytes,
				      uint64_t count, uint64_t resident_bytes,
				      struct snap_error *error)
{
	if (libsnap_writer_failed(w))
		return libsnap_writer_end_call(w, w->failure.status, error);
	struct libsnap_moment *moment = libsnap_pages_add(&w->timeline);
	if (!moment)
		return libsnap_writer_end_call(w, libsnap_fail_memory(&w->problem), error);
	*moment = (struct libsnap_moment){time_ns, bytes, count, resident_bytes};
	return SNAP_OK;
}

enum snap_status snap_writer_mapping(struct snap_writer *w, const struct snap_mapping *mapping,
				     struct snap_error *error)
{
	if (libsnap_writer_failed(w))
		return libsnap_writer_end_call(w, w->failure.status, error);
	enum snap_status status = SNAP_OK;
	if (mapping->name > w->names.strings.count)
		status = libsnap_misuse(w, "a mapping's name is no string");
	struct snap_mapping *new = status == SNAP_OK ? libsnap_pages_add(&w->mappings) : NULL;
	if (new)
		*new = *mapping;
	else if (status == SNAP_OK)
		status = libsnap_fail_memory(&w->problem);
	return libsnap_writer_end_call(w, status, error);
}
