/* Objects, references, roots, timeline and totals, as snap-make(1) spells them. */
#include <string.h>

#include "make.h"

struct reference {
	uint64_t to, kind, label;
	bool has_kind, keyed; /* keyed: label is an object's id */
};

/* A name, an index, {object: ID}, or ~ for none. */
static bool read_label(struct make *m, struct reference *r)
{
	static const char *const keys[] = {"object", NULL};
	uint64_t seen = 0;
	enum document_node node = document_next(m->text);
	if (node == DOCUMENT_MAPPING) {
		r->keyed = true;
		return document_key(m->text, keys, &seen) == 0 &&
		       document_number(m->text, UINT64_MAX, &r->label) &&
		       document_key(m->text, keys, &seen) < 0 && !document_failed(m->text);
	}
	if (node != DOCUMENT_SCALAR)
		return document_fail(m->text, "a label is expected here");
	size_t size;
	const char *text = document_text(m->text, &size);
	if (document_is_number(m->text)) {
		if (!document_as_number(m->text, UINT64_MAX / 4, &r->label))
			return false;
		r->label = SNAP_LABEL_INDEX(r->label);
		return true;
	}
	if (document_plain(m->text) && (size == 0 || (size == 1 && text[0] == '~')))
		return true;
	uint32_t id;
	if (!make_intern(m, text, size, &id))
		return false;
	r->label = SNAP_LABEL_STRING(id);
	return true;
}

static bool read_reference_keys(struct make *m, struct reference *r)
{
	bool has_to = false;
	for (;;) {
		enum document_node node = document_next(m->text);
		if (node == DOCUMENT_END)
			return has_to || document_fail(m->text, "a reference needs a key to");
		if (node != DOCUMENT_SCALAR)
			return document_fail(m->text, "a key has to be a word");
		size_t size;
		const char *key = document_text(m->text, &size);
		bool is_to = size == 2 && memcmp(key, "to", 2) == 0;
		if (is_to ? has_to : r->has_kind)
			return document_fail(m->text, "a reference has one key to and one kind");
		if (is_to ? !document_number(m->text, UINT64_MAX, &r->to)
			  : !make_as_word(m, WORDS_REFERENCE_KIND, &r->kind) || !read_label(m, r))
			return false;
		has_to |= is_to;
		r->has_kind |= !is_to;
	}
}

static bool read_reference(struct make *m, uint64_t from)
{
	struct reference r = {.label = SNAP_LABEL_NONE};
	if (!read_reference_keys(m, &r))
		return false;
	struct snap_error error;
	enum snap_reference_kind kind = (enum snap_reference_kind)r.kind;
	enum snap_status status =
		r.keyed ? snap_writer_keyed_reference(m->writer, from, r.to, kind, r.label, &error)
			: snap_writer_reference(m->writer, from, r.to, kind, r.label, &error);
	return make_good(m, status, &error);
}

static bool read_references(struct make *m, uint64_t from)
{
	enum document_node node;
	if (!document_sequence(m->text))
		return false;
	while (document_item(m->text, &node)) {
		if (node != DOCUMENT_MAPPING)
			return document_fail(m->text, "a reference has to be a mapping");
		if (!read_reference(m, from))
			return false;
	}
	return !document_failed(m->text);
}

enum object_key {
	OBJECT_ID,
	OBJECT_TYPE,
	OBJECT_SIZE,
	OBJECT_COUNT,
	OBJECT_STACK,
	OBJECT_THREAD,
	OBJECT_NAME,
	OBJECT_CONTENT,
	OBJECT_GENERATION,
	OBJECT_REFCOUNT,
	OBJECT_FLAGS,
	OBJECT_DOMAIN,
	OBJECT_SERIAL,
	OBJECT_TIME,
	OBJECT_REFERENCES,
};
static const char *const object_keys[] = {
	"id",           "type",       "size",       "count",    "stack", "thread",
	"name",         "content",    "generation", "refcount", "flags", "domain",
	"birth_serial", "birth_time", "references", NULL,
};

static bool read_object_key(struct make *m, enum object_key key, struct snap_object *object)
{
	switch (key) {
	case OBJECT_ID: return document_number(m->text, UINT64_MAX, &object->id);
	case OBJECT_TYPE: return make_type(m, &object->type);
	case OBJECT_SIZE: return document_number(m->text, UINT64_MAX, &object->size);
	case OBJECT_COUNT: return document_number(m->text, UINT64_MAX, &object->count);
	case OBJECT_STACK: return make_stack(m, &object->stack);
	case OBJECT_THREAD: return make_thread(m, &object->thread);
	case OBJECT_NAME: return make_string(m, &object->name);
	case OBJECT_CONTENT: return make_content(m, &object->content);
	case OBJECT_GENERATION: return make_u32(m, &object->generation);
	case OBJECT_REFCOUNT: return document_number(m->text, UINT64_MAX, &object->refcount);
	case OBJECT_FLAGS: return make_flags(m, WORDS_OBJECT_FLAG, &object->flags);
	case OBJECT_DOMAIN: return make_u32(m, &object->domain);
	case OBJECT_SERIAL: return document_number(m->text, UINT64_MAX, &object->birth_serial);
	case OBJECT_TIME: return document_number(m->text, UINT64_MAX, &object->birth_time_ns);
	case OBJECT_REFERENCES: break;
	}
	return false;
}

/* References come last, so that none has to be kept. */
bool make_object(struct make *m)
{
	struct snap_object object = {.count = 1};
	struct snap_error error;
	uint64_t seen = 0;
	int key;
	while ((key = document_key(m->text, object_keys, &seen)) >= 0 && key != OBJECT_REFERENCES)
		if (!read_object_key(m, (enum object_key)key, &object))
			return false;
	if (document_failed(m->text) ||
	    !make_good(m, snap_writer_object(m->writer, &object, &error), &error))
		return false;
	if (key < 0)
		return true;
	if (!read_references(m, object.id))
		return false;
	return document_next(m->text) == DOCUMENT_END ||
	       document_fail(m->text, "references have to be the last key of an object");
}

bool make_root(struct make *m)
{
	static const char *const keys[] = {"object", "kind", "label", "thread", "stack", NULL};
	struct snap_root root = {0};
	struct snap_error error;
	uint64_t seen = 0, kind = 0;
	bool ok = true;
	for (int key; ok && (key = document_key(m->text, keys, &seen)) >= 0;) {
		switch (key) {
		case 0: ok = document_number(m->text, UINT64_MAX, &root.object); break;
		case 1: ok = make_word(m, WORDS_ROOT_KIND, &kind); break;
		case 2: ok = make_string(m, &root.label); break;
		case 3: ok = make_thread(m, &root.thread); break;
		default: ok = make_stack(m, &root.stack);
		}
	}
	root.kind = (enum snap_root_kind)kind;
	return ok && !document_failed(m->text) &&
	       make_good(m, snap_writer_root(m->writer, &root, &error), &error);
}

bool make_moment(struct make *m)
{
	static const char *const keys[] = {"time", "bytes", "count", "resident", NULL};
	uint64_t values[4] = {0}, seen = 0;
	struct snap_error error;
	for (int key; (key = document_key(m->text, keys, &seen)) >= 0;)
		if (!document_number(m->text, UINT64_MAX, &values[key]))
			return false;
	return !document_failed(m->text) &&
	       make_good(m,
			 snap_writer_timeline(m->writer, values[0], values[1], values[2], values[3],
					      &error),
			 &error);
}

bool make_mapping(struct make *m)
{
	static const char *const keys[] = {"address", "size",  "resident", "live",
					   "kind",    "flags", "name",     NULL};
	struct snap_mapping mapping = {0};
	struct snap_error error;
	uint64_t seen = 0, kind = 0;
	bool ok = true;
	for (int key; ok && (key = document_key(m->text, keys, &seen)) >= 0;) {
		switch (key) {
		case 0: ok = document_number(m->text, UINT64_MAX, &mapping.address); break;
		case 1: ok = document_number(m->text, UINT64_MAX, &mapping.size); break;
		case 2: ok = document_number(m->text, UINT64_MAX, &mapping.resident); break;
		case 3: ok = document_number(m->text, UINT64_MAX, &mapping.live); break;
		case 4: ok = make_word(m, WORDS_MAPPING_KIND, &kind); break;
		case 5: ok = make_flags(m, WORDS_MAPPING_FLAG, &mapping.flags); break;
		default: ok = make_string(m, &mapping.name);
		}
	}
	mapping.kind = (enum snap_mapping_kind)kind;
	return ok && !document_failed(m->text) &&
	       make_good(m, snap_writer_mapping(m->writer, &mapping, &error), &error);
}

/* The key of a dimension: an id, a number, or what names the row. */
static bool read_total_key(struct make *m, enum snap_dimension dimension, uint64_t *key)
{
	uint32_t id;
	bool ok;
	switch (dimension) {
	case SNAP_BY_TYPE: ok = make_type(m, &id); break;
	case SNAP_BY_STACK: ok = make_stack(m, &id); break;
	case SNAP_BY_THREAD: ok = make_thread(m, &id); break;
	default: return document_number(m->text, UINT64_MAX, key);
	}
	if (ok)
		*key = id;
	return ok;
}

bool make_total(struct make *m)
{
	static const char *const keys[] = {
		"all",   "type", "stack", "thread", "domain", "generation",
		"shape", "size", "bytes", "count",  NULL,
	};
	enum { BYTES = 8, COUNT = 9 };
	uint64_t bytes = 0, count = 0, number = 0, seen = 0;
	int dimension = -1;
	struct snap_error error;
	bool ok = true;
	for (int key; ok && (key = document_key(m->text, keys, &seen)) >= 0;) {
		if (key == BYTES || key == COUNT)
			ok = document_number(m->text, UINT64_MAX, key == BYTES ? &bytes : &count);
		else if (dimension >= 0)
			ok = document_fail(m->text, "a total has one key beside bytes and count");
		else
			ok = read_total_key(m, (enum snap_dimension)(dimension = key), &number);
	}
	if (!ok || document_failed(m->text))
		return false;
	if (dimension < 0)
		return document_fail(m->text, "a total of what?");
	return make_good(m,
			 snap_writer_total(m->writer, (enum snap_dimension)dimension, number, bytes,
					   count, &error),
			 &error);
}
