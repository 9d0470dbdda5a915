/* Names: strings, modules, frames, stacks, types, threads, contents, each stored once. */
#include <string.h>

#include "writer.h"

void libsnap_set_init(struct libsnap_set *set, const struct snap_allocator *allocator,
		      size_t row_size)
{
	libsnap_pages_init(&set->rows, allocator, row_size);
	libsnap_intern_init(&set->ids, allocator);
}

void libsnap_set_free(struct libsnap_set *set)
{
	libsnap_pages_free(&set->rows);
	libsnap_intern_free(&set->ids);
}

struct set_row {
	const struct libsnap_set *set;
	const void *row;
};

static bool equal_rows(const void *context, uint32_t id)
{
	const struct set_row *wanted = context;
	return memcmp(libsnap_set_at(wanted->set, id), wanted->row,
		      wanted->set->rows.element_size) == 0;
}

static uint32_t hash_row(const struct libsnap_set *set, const void *row)
{
	return (uint32_t)snapfmt_hash(row, set->rows.element_size);
}

static uint32_t add_hashed(struct libsnap_set *set, const void *row, uint32_t hash)
{
	struct set_row wanted = {set, row};
	uint32_t id = libsnap_intern_find(&set->ids, hash, equal_rows, &wanted);
	if (id)
		return id;
	/* The row first: an id without a row must never be found. */
	void *new_row = libsnap_pages_add(&set->rows);
	if (!new_row)
		return 0;
	memcpy(new_row, row, set->rows.element_size);
	id = libsnap_intern_add(&set->ids, hash);
	if (!id)
		set->rows.count--;
	return id;
}

uint32_t libsnap_set_add(struct libsnap_set *set, const void *row)
{
	return add_hashed(set, row, hash_row(set, row));
}

void libsnap_names_init(struct libsnap_names *n, const struct snap_allocator *allocator)
{
	libsnap_tape_init(&n->text, allocator);
	libsnap_pages_init(&n->strings, allocator, sizeof(uint64_t));
	libsnap_intern_init(&n->string_ids, allocator);
	libsnap_set_init(&n->modules, allocator, sizeof(struct libsnap_module));
	libsnap_set_init(&n->frames, allocator, sizeof(struct libsnap_frame_row));
	libsnap_set_init(&n->stacks, allocator, sizeof(struct libsnap_stack));
	libsnap_set_init(&n->types, allocator, sizeof(struct libsnap_type));
	libsnap_set_init(&n->threads, allocator, sizeof(struct libsnap_thread));
	libsnap_set_init(&n->contents, allocator, sizeof(struct libsnap_content));
	libsnap_pages_init(&n->properties, allocator, sizeof(struct libsnap_property));
}

void libsnap_names_free(struct libsnap_names *n)
{
	libsnap_tape_free(&n->text);
	libsnap_pages_free(&n->strings);
	libsnap_intern_free(&n->string_ids);
	libsnap_set_free(&n->modules);
	libsnap_set_free(&n->frames);
	libsnap_set_free(&n->stacks);
	libsnap_set_free(&n->types);
	libsnap_set_free(&n->threads);
	libsnap_set_free(&n->contents);
	libsnap_pages_free(&n->properties);
}

const char *libsnap_names_text(const struct libsnap_names *n, uint32_t id, size_t *size)
{
	const uint64_t *position = libsnap_pages_at(&n->strings, id - 1);
	const uint8_t *at = libsnap_tape_at(&n->text, *position & ~LIBSNAP_STRING_USED);
	*size = (size_t)libsnap_get(&at);
	return (const char *)at;
}

struct wanted_string {
	const struct libsnap_names *names;
	const char *bytes;
	size_t size;
};

static bool equal_strings(const void *context, uint32_t id)
{
	const struct wanted_string *wanted = context;
	size_t size;
	const char *bytes = libsnap_names_text(wanted->names, id, &size);
	return size == wanted->size && memcmp(bytes, wanted->bytes, size) == 0;
}

/* 0: no memory. */
static uint32_t add_string(struct libsnap_names *n, const char *bytes, size_t size)
{
	if (size > SNAP_MAX_STRING_SIZE)
		size = SNAP_MAX_STRING_SIZE;
	uint32_t hash = (uint32_t)snapfmt_hash(bytes, size);
	struct wanted_string wanted = {n, bytes, size};
	uint32_t id = libsnap_intern_find(&n->string_ids, hash, equal_strings, &wanted);
	if (id)
		return id;
	uint8_t *room = libsnap_tape_room(&n->text, size + LIBSNAP_VARINT_MAX);
	uint64_t *position = room ? libsnap_pages_add(&n->strings) : NULL;
	if (!position)
		return 0;
	id = libsnap_intern_add(&n->string_ids, hash);
	if (!id) {
		n->strings.count--;
		return 0;
	}
	uint8_t *at = libsnap_put(room, size);
	memcpy(at, bytes, size);
	*position = libsnap_tape_commit(&n->text, (size_t)(at - room) + size);
	return id;
}

/* ---- the calls ---- */

static bool known(const struct libsnap_pages *rows, uint32_t id)
{
	return id <= rows->count;
}

/* Optional ids may be 0; required ones may not. */
static enum snap_status check_id(struct snap_writer *w, const char *what,
				 const struct libsnap_pages *rows, uint32_t id, bool required)
{
	if (required && id == 0)
		return libsnap_misuse(w, "there is no %s", what);
	if (!known(rows, id))
		return libsnap_misuse(w, "%s %u is not known", what, (unsigned)id);
	return SNAP_OK;
}

static enum snap_status add_row(struct snap_writer *w, struct libsnap_set *set, const void *row,
				uint32_t *id)
{
	uint32_t new_id = libsnap_set_add(set, row);
	if (!new_id)
		return libsnap_fail_memory(&w->problem);
	*id = new_id;
	return SNAP_OK;
}

enum snap_status snap_writer_string(struct snap_writer *w, const char *bytes, size_t size,
				    uint32_t *id, struct snap_error *error)
{
	if (libsnap_writer_failed(w))
		return libsnap_writer_end_call(w, w->failure.status, error);
	if (!bytes && size > 0)
		return libsnap_writer_end_call(w, libsnap_misuse(w, "a string without bytes"),
					       error);
	uint32_t new_id = add_string(&w->names, bytes ? bytes : "", size);
	if (!new_id)
		return libsnap_writer_end_call(w, libsnap_fail_memory(&w->problem), error);
	*id = new_id;
	return SNAP_OK;
}

static enum snap_status set_property(struct snap_writer *w, const char *key, const char *value)
{
	struct libsnap_property new = {0};
	new.key = add_string(&w->names, key, strlen(key));
	new.value = new.key ? add_string(&w->names, value, strlen(value)) : 0;
	if (!new.value)
		return libsnap_fail_memory(&w->problem);
	for (uint64_t i = 0; i < w->names.properties.count; i++) {
		struct libsnap_property *property = libsnap_pages_at(&w->names.properties, i);
		if (property->key == new.key) {
			property->value = new.value;
			return SNAP_OK;
		}
	}
	struct libsnap_property *property = libsnap_pages_add(&w->names.properties);
	if (!property)
		return libsnap_fail_memory(&w->problem);
	*property = new;
	return SNAP_OK;
}

enum snap_status snap_writer_property(struct snap_writer *w, const char *key, const char *value,
				      struct snap_error *error)
{
	if (libsnap_writer_failed(w))
		return libsnap_writer_end_call(w, w->failure.status, error);
	if (!key || !value)
		return libsnap_writer_end_call(
			w, libsnap_misuse(w, "a property without key or value"), error);
	return libsnap_writer_end_call(w, set_property(w, key, value), error);
}

enum snap_status snap_writer_module(struct snap_writer *w, const struct snap_module *m,
				    uint32_t *id, struct snap_error *error)
{
	enum snap_status status = w->failure.status;
	if (status == SNAP_OK)
		status = check_id(w, "string", &w->names.strings, m->path, true);
	if (status == SNAP_OK)
		status = check_id(w, "string", &w->names.strings, m->build_id, false);
	struct libsnap_module row = {m->path, m->build_id, m->base, m->size};
	if (status == SNAP_OK)
		status = add_row(w, &w->names.modules, &row, id);
	return libsnap_writer_end_call(w, status, error);
}

enum snap_status snap_writer_frame(struct snap_writer *w, const struct snap_frame *f, uint32_t *id,
				   struct snap_error *error)
{
	enum snap_status status = w->failure.status;
	if (status == SNAP_OK)
		status = check_id(w, "string", &w->names.strings, f->function, false);
	if (status == SNAP_OK)
		status = check_id(w, "string", &w->names.strings, f->file, false);
	if (status == SNAP_OK)
		status = check_id(w, "module", &w->names.modules.rows, f->module, false);
	if (status == SNAP_OK)
		status = check_id(w, "frame", &w->names.frames.rows, f->inlined_into, false);
	struct libsnap_frame_row row = {f->function, f->file,         f->line, f->module,
					f->offset,   f->inlined_into, 0};
	if (status == SNAP_OK)
		status = add_row(w, &w->names.frames, &row, id);
	return libsnap_writer_end_call(w, status, error);
}

enum snap_status snap_writer_stack(struct snap_writer *w, uint32_t parent, uint32_t frame,
				   uint32_t flags, uint32_t *id, struct snap_error *error)
{
	enum snap_status status = w->failure.status;
	if (status == SNAP_OK)
		status = check_id(w, "stack", &w->names.stacks.rows, parent, false);
	if (status == SNAP_OK)
		status = check_id(w, "frame", &w->names.frames.rows, frame, true);
	struct libsnap_stack row = {parent, frame, flags};
	if (status == SNAP_OK)
		status = add_row(w, &w->names.stacks, &row, id);
	return libsnap_writer_end_call(w, status, error);
}

enum snap_status snap_writer_type(struct snap_writer *w, uint32_t name, enum snap_type_kind kind,
				  uint32_t *id, struct snap_error *error)
{
	enum snap_status status = w->failure.status;
	if (status == SNAP_OK)
		status = check_id(w, "string", &w->names.strings, name, true);
	struct libsnap_type row = {name, (uint32_t)kind};
	if (status == SNAP_OK)
		status = add_row(w, &w->names.types, &row, id);
	return libsnap_writer_end_call(w, status, error);
}

enum snap_status snap_writer_thread(struct snap_writer *w, uint64_t number, uint32_t name,
				    uint32_t *id, struct snap_error *error)
{
	enum snap_status status = w->failure.status;
	if (status == SNAP_OK)
		status = check_id(w, "string", &w->names.strings, name, false);
	struct libsnap_thread row = {number, name, 0};
	if (status == SNAP_OK)
		status = add_row(w, &w->names.threads, &row, id);
	return libsnap_writer_end_call(w, status, error);
}

enum snap_status snap_writer_content(struct snap_writer *w, uint64_t length, uint64_t hash,
				     uint32_t text, uint32_t *id, struct snap_error *error)
{
	enum snap_status status = w->failure.status;
	if (status == SNAP_OK)
		status = check_id(w, "string", &w->names.strings, text, false);
	struct libsnap_content row = {length, text ? 0 : hash, text, 0};
	if (status == SNAP_OK)
		status = add_row(w, &w->names.contents, &row, id);
	if (status == SNAP_OK && text)
		w->flags |= SNAP_SNAPSHOT_CONTENTS;
	return libsnap_writer_end_call(w, status, error);
}

#define CONTENTS_AT_ONCE 64u

/* Memory is asked for before it is needed: the places of all hashes, then the rows found there. */
static enum snap_status add_contents(struct snap_writer *w, const uint64_t *lengths,
				     const uint64_t *hashes, size_t count, uint32_t *ids)
{
	struct libsnap_set *set = &w->names.contents;
	struct libsnap_content rows[CONTENTS_AT_ONCE];
	uint32_t hash[CONTENTS_AT_ONCE];
	for (size_t i = 0; i < count; i++) {
		rows[i] = (struct libsnap_content){.length = lengths[i], .hash = hashes[i]};
		hash[i] = hash_row(set, &rows[i]);
		libsnap_intern_prefetch(&set->ids, hash[i]);
	}
	for (size_t i = 0; i < count; i++) {
		uint32_t id = libsnap_intern_guess(&set->ids, hash[i]);
		if (id)
			__builtin_prefetch(libsnap_set_at(set, id));
	}
	for (size_t i = 0; i < count; i++) {
		ids[i] = add_hashed(set, &rows[i], hash[i]);
		if (!ids[i])
			return libsnap_fail_memory(&w->problem);
	}
	return SNAP_OK;
}

enum snap_status snap_writer_contents(struct snap_writer *w, const uint64_t *lengths,
				      const uint64_t *hashes, size_t count, uint32_t *ids,
				      struct snap_error *error)
{
	enum snap_status status = w->failure.status;
	for (size_t i = 0, more; i < count && status == SNAP_OK; i += more) {
		more = count - i < CONTENTS_AT_ONCE ? count - i : CONTENTS_AT_ONCE;
		status = add_contents(w, lengths + i, hashes + i, more, ids + i);
	}
	return libsnap_writer_end_call(w, status, error);
}
