/* Modules, frames, stacks, types, threads, contents and properties, as snap-make(1) spells them. */
#include <stdlib.h>
#include <string.h>

#include "make.h"

bool make_module_row(struct make *m, uint32_t *id)
{
	static const char *const keys[] = {"path", "build_id", "base", "size", NULL};
	struct snap_module module = {0};
	struct snap_error error;
	uint64_t seen = 0;
	bool ok = document_mapping(m->text);
	for (int key; ok && (key = document_key(m->text, keys, &seen)) >= 0;) {
		switch (key) {
		case 0: ok = make_string(m, &module.path); break;
		case 1: ok = make_string(m, &module.build_id); break;
		case 2: ok = document_number(m->text, UINT64_MAX, &module.base); break;
		default: ok = document_number(m->text, UINT64_MAX, &module.size);
		}
	}
	return ok && !document_failed(m->text) &&
	       make_good(m, snap_writer_module(m->writer, &module, id, &error), &error) &&
	       make_gave(m, SNAP_MODULES, *id);
}

bool make_frame_row(struct make *m, uint32_t *id)
{
	static const char *const keys[] = {"function", "file",         "line", "module",
					   "offset",   "inlined_into", NULL};
	struct snap_frame frame = {0};
	struct snap_error error;
	uint64_t seen = 0;
	bool ok = document_mapping(m->text);
	for (int key; ok && (key = document_key(m->text, keys, &seen)) >= 0;) {
		switch (key) {
		case 0: ok = make_string(m, &frame.function); break;
		case 1: ok = make_string(m, &frame.file); break;
		case 2: ok = make_u32(m, &frame.line); break;
		case 3: ok = make_id(m, SNAP_MODULES, &frame.module); break;
		case 4: ok = document_number(m->text, UINT64_MAX, &frame.offset); break;
		default: ok = make_id(m, SNAP_FRAMES, &frame.inlined_into);
		}
	}
	return ok && !document_failed(m->text) &&
	       make_good(m, snap_writer_frame(m->writer, &frame, id, &error), &error) &&
	       make_gave(m, SNAP_FRAMES, *id);
}

/* "main.c:12 main", "main.c:12" or "main". */
static bool parse_frame(struct make *m, uint32_t *id)
{
	size_t size;
	const char *text = document_text(m->text, &size);
	struct snap_frame frame = {0};
	struct snap_error error;
	const char *space = memchr(text, ' ', size);
	size_t place = space ? (size_t)(space - text) : size;
	size_t digits = 0;
	while (digits < place && text[place - 1 - digits] >= '0' && text[place - 1 - digits] <= '9')
		digits++;
	bool has_place =
		digits > 0 && digits < 10 && digits + 1 < place && text[place - 1 - digits] == ':';
	size_t function = !has_place ? 0 : place + (place < size);
	if (has_place) {
		frame.line = (uint32_t)strtoul(text + place - digits, NULL, 10);
		if (!make_intern(m, text, place - 1 - digits, &frame.file))
			return false;
	}
	if (function < size && !make_intern(m, text + function, size - function, &frame.function))
		return false;
	return make_good(m, snap_writer_frame(m->writer, &frame, id, &error), &error) &&
	       make_gave(m, SNAP_FRAMES, *id);
}

/* The current scalar: an id, or a frame as text. */
static bool as_frame(struct make *m, uint32_t *id)
{
	return document_is_number(m->text) ? make_as_id(m, SNAP_FRAMES, id) : parse_frame(m, id);
}

static bool add_stack(struct make *m, uint32_t parent, uint32_t frame, uint32_t flags, uint32_t *id)
{
	struct snap_error error;
	return make_good(m, snap_writer_stack(m->writer, parent, frame, flags, id, &error),
			 &error) &&
	       make_gave(m, SNAP_STACKS, *id);
}

bool make_stack_row(struct make *m, uint32_t *id)
{
	static const char *const keys[] = {"frame", "parent", "flags", NULL};
	uint32_t frame = 0, parent = 0, flags = 0;
	uint64_t seen = 0;
	bool ok = document_mapping(m->text);
	for (int key; ok && (key = document_key(m->text, keys, &seen)) >= 0;) {
		switch (key) {
		case 0: ok = document_scalar(m->text) && as_frame(m, &frame); break;
		case 1: ok = make_id(m, SNAP_STACKS, &parent); break;
		default: ok = make_flags(m, WORDS_STACK_FLAG, &flags);
		}
	}
	return ok && !document_failed(m->text) && add_stack(m, parent, frame, flags, id);
}

static bool is_ellipsis(const struct make *m)
{
	size_t size;
	const char *text = document_text(m->text, &size);
	return size == 3 && memcmp(text, "...", 3) == 0;
}

/* A stack by its id, or as a list of frames, the innermost
 * first; "..." at the end: callers were not recorded. */
bool make_stack(struct make *m, uint32_t *id)
{
	enum document_node node = document_next(m->text);
	if (node == DOCUMENT_SCALAR)
		return make_as_id(m, SNAP_STACKS, id);
	if (node != DOCUMENT_SEQUENCE)
		return document_fail(m->text, "a stack's id or a list of frames is expected here");
	size_t count = 0;
	uint32_t flags = 0;
	while (document_item(m->text, &node)) {
		if (node != DOCUMENT_SCALAR || flags)
			return document_fail(m->text, "a frame is expected here");
		if (is_ellipsis(m)) {
			flags = SNAP_STACK_TRUNCATED;
			continue;
		}
		m->frames = make_grow(m->frames, &m->frame_capacity, count, sizeof(*m->frames));
		if (!as_frame(m, &m->frames[count++]))
			return false;
	}
	*id = 0;
	while (!document_failed(m->text) && count > 0) {
		if (!add_stack(m, *id, m->frames[--count], flags, id))
			return false;
		flags = 0;
	}
	return !document_failed(m->text);
}

/* Remembers that a row has this name. */
static void name_row(uint32_t **by_name, size_t *capacity, uint32_t name, uint32_t id)
{
	*by_name = make_grow(*by_name, capacity, name, sizeof(**by_name));
	uint32_t *known = &(*by_name)[name];
	*known = *known == 0 || *known == id ? id : MAKE_MANY;
}

static bool add_type(struct make *m, uint32_t name, uint64_t kind, uint32_t *id)
{
	struct snap_error error;
	if (!make_good(m, snap_writer_type(m->writer, name, (enum snap_type_kind)kind, id, &error),
		       &error))
		return false;
	name_row(&m->types, &m->type_capacity, name, *id);
	return make_gave(m, SNAP_TYPES, *id);
}

bool make_type_row(struct make *m, uint32_t *id)
{
	static const char *const keys[] = {"name", "kind", NULL};
	uint32_t name = 0;
	uint64_t kind = 0, seen = 0;
	bool ok = document_mapping(m->text);
	for (int key; ok && (key = document_key(m->text, keys, &seen)) >= 0;)
		ok = key == 0 ? make_string(m, &name) : make_word(m, WORDS_TYPE_KIND, &kind);
	return ok && !document_failed(m->text) && add_type(m, name, kind, id);
}

/* A row by its id or its name. */
static bool read_named(struct make *m, enum snap_table table, const uint32_t *by_name,
		       const size_t *capacity, uint32_t *name, uint32_t *id)
{
	*name = 0;
	if (!document_scalar(m->text))
		return false;
	if (document_is_number(m->text))
		return make_as_id(m, table, id);
	size_t size;
	const char *text = document_text(m->text, &size);
	if (!make_intern(m, text, size, name))
		return false;
	*id = *name < *capacity ? by_name[*name] : 0;
	return *id != MAKE_MANY ||
	       document_fail(m->text, "several rows have this name: give an id");
}

bool make_type(struct make *m, uint32_t *id)
{
	uint32_t name;
	return read_named(m, SNAP_TYPES, m->types, &m->type_capacity, &name, id) &&
	       (*id != 0 || name == 0 || add_type(m, name, SNAP_TYPE_OBJECT, id));
}

bool make_thread_row(struct make *m, uint32_t *id)
{
	static const char *const keys[] = {"id", "name", NULL};
	uint64_t number = 0, seen = 0;
	uint32_t name = 0;
	struct snap_error error;
	bool ok = document_mapping(m->text);
	for (int key; ok && (key = document_key(m->text, keys, &seen)) >= 0;)
		ok = key == 0 ? document_number(m->text, UINT64_MAX, &number)
			      : make_string(m, &name);
	if (!ok || document_failed(m->text) ||
	    !make_good(m, snap_writer_thread(m->writer, number, name, id, &error), &error))
		return false;
	if (name)
		name_row(&m->threads, &m->thread_capacity, name, *id);
	return make_gave(m, SNAP_THREADS, *id);
}

bool make_thread(struct make *m, uint32_t *id)
{
	uint32_t name;
	return read_named(m, SNAP_THREADS, m->threads, &m->thread_capacity, &name, id) &&
	       (*id != 0 || name == 0 || document_fail(m->text, "no thread has this name"));
}

static bool add_content(struct make *m, uint64_t length, uint64_t hash, uint32_t text, uint32_t *id)
{
	struct snap_error error;
	return make_good(m, snap_writer_content(m->writer, length, hash, text, id, &error),
			 &error) &&
	       make_gave(m, SNAP_CONTENTS, *id);
}

bool make_content_row(struct make *m, uint32_t *id)
{
	static const char *const keys[] = {"length", "hash", "text", NULL};
	uint64_t length = 0, hash = 0, seen = 0;
	uint32_t text = 0;
	bool ok = document_mapping(m->text);
	for (int key; ok && (key = document_key(m->text, keys, &seen)) >= 0;) {
		switch (key) {
		case 0: ok = document_number(m->text, UINT64_MAX, &length); break;
		case 1: ok = document_number(m->text, UINT64_MAX, &hash); break;
		default: ok = make_string(m, &text);
		}
	}
	return ok && !document_failed(m->text) && add_content(m, length, hash, text, id);
}

/* By its id, or the text itself. */
bool make_content(struct make *m, uint32_t *id)
{
	uint32_t text;
	if (!document_scalar(m->text))
		return false;
	if (document_is_number(m->text))
		return make_as_id(m, SNAP_CONTENTS, id);
	size_t size;
	const char *bytes = document_text(m->text, &size);
	return make_intern(m, bytes, size, &text) && add_content(m, size, 0, text, id);
}

static bool add_property(struct make *m, const char *key, size_t key_size)
{
	uint32_t id;
	size_t size;
	struct snap_error error;
	if (!make_intern(m, key, key_size, &id))
		return false;
	m->is_property = make_grow(m->is_property, &m->property_capacity, id, 1);
	if (m->is_property[id])
		return document_fail(m->text, "the property %.100s is there twice", key);
	m->is_property[id] = 1;
	if (!document_scalar(m->text))
		return false;
	const char *value = document_text(m->text, &size);
	if (strlen(key) != key_size || strlen(value) != size)
		return document_fail(m->text, "a property cannot hold a NUL");
	return make_good(m, snap_writer_property(m->writer, key, value, &error), &error);
}

bool make_properties(struct make *m)
{
	bool ok = document_mapping(m->text);
	while (ok) {
		enum document_node node = document_next(m->text);
		if (node == DOCUMENT_END)
			return true;
		if (node != DOCUMENT_SCALAR)
			return document_fail(m->text, "the name of a property is expected here");
		size_t size;
		const char *text = document_text(m->text, &size);
		char *key = memcpy(cli_resize(NULL, size + 1), text, size + 1);
		ok = add_property(m, key, size);
		free(key);
	}
	return false;
}
