/* Labels of references and roots, numbered; indexes and keys count as the same, and so do numbers
 * of objects. */
#include <string.h>

#include "query.h"

void libsnap_labels_begin(struct labels *labels, struct names *names)
{
	*labels = (struct labels){.names = names, .last_number = NOT_FOUND};
	libsnap_interner_begin(&labels->raw, names->space->budget, sizeof(struct tuple),
			       sizeof(struct tuple));
}

void libsnap_labels_end(struct labels *labels)
{
	if (!labels->names)
		return;
	libsnap_interner_end(&labels->raw);
	if (labels->has_resolver)
		libsnap_resolver_end(&labels->resolver);
	labels->names = NULL;
}

static enum snap_status find(struct labels *labels, const struct tuple *key, uint32_t *number,
			     struct snap_error *error)
{
	/* Neighbours are mostly alike. */
	if (labels->last_number != NOT_FOUND && !memcmp(&labels->last, key, sizeof(*key))) {
		*number = labels->last_number;
		return SNAP_OK;
	}
	if (key->part[3] > snap_reader_row_count(labels->names->reader, SNAP_STRINGS))
		return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
				    "a label is string %llu, beyond its table",
				    (unsigned long long)key->part[3]);
	enum snap_status status =
		libsnap_space_intern(labels->names->space, &labels->raw, key, number, error);
	if (status == SNAP_OK) {
		labels->last = *key;
		labels->last_number = *number;
	}
	return status;
}

enum snap_status libsnap_labels_find(struct labels *labels, uint64_t type,
				     const struct snap_graph_reference *reference, uint32_t *number,
				     struct snap_error *error)
{
	static const enum label_class classes[] = {LABEL_TEXT, LABEL_INDEX, LABEL_KEY, LABEL_NONE};
	struct tuple key = {{type, reference->kind, classes[reference->label % 4]}};
	if (key.part[2] == LABEL_TEXT)
		key.part[3] = reference->label / 4;
	return find(labels, &key, number, error);
}

enum snap_status libsnap_labels_find_root(struct labels *labels, uint64_t type, uint64_t kind,
					  uint64_t string, uint32_t *number,
					  struct snap_error *error)
{
	struct tuple key = {{type, kind, string ? LABEL_TEXT : LABEL_NONE, string, 1}};
	return find(labels, &key, number, error);
}

static bool is_hex_digit(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

size_t libsnap_size_of_variable(const char *bytes, size_t size)
{
	size_t end = size;
	while (end > 0 && is_hex_digit(bytes[end - 1]))
		end--;
	bool is_offset = end < size && end > 3 && !memcmp(bytes + end - 3, "+0x", 3);
	return is_offset ? end - 3 : size;
}

/* The size without an offset into a variable, and without digits that follow an @:
 * there V8 names objects, and no two snapshots' are the same.  to may be NULL. */
static size_t drop_numbers(const char *bytes, size_t size, char *to)
{
	size_t kept = 0;
	bool in_number = false;
	size = libsnap_size_of_variable(bytes, size);
	for (size_t i = 0; i < size; i++) {
		bool is_digit = bytes[i] >= '0' && bytes[i] <= '9';
		in_number = is_digit && (in_number || (i > 0 && bytes[i - 1] == '@'));
		if (in_number)
			continue;
		if (to)
			to[kept] = bytes[i];
		kept++;
	}
	return kept;
}

static enum snap_status drop_numbers_of(struct space *space, uint32_t *id, struct snap_error *error)
{
	struct text_item text;
	enum snap_status status = libsnap_space_text_at(space, *id, &text, error);
	if (status != SNAP_OK)
		return status;
	size_t size = text.size, kept = drop_numbers(text.bytes, size, NULL);
	if (kept == size)
		return SNAP_OK;
	char *bytes = libsnap_alloc(&space->budget->allocator, kept, 1);
	if (!bytes)
		return libsnap_budget_fail(space->budget, error);
	status = libsnap_space_text_at(space, *id, &text, error); /* it may have moved for that */
	if (status == SNAP_OK) {
		drop_numbers(text.bytes, text.size, bytes);
		status = libsnap_space_text(space, bytes, kept, id, error);
	}
	libsnap_free(&space->budget->allocator, bytes, kept, 1);
	return status;
}

static enum snap_status drop_all_numbers(struct labels *labels, struct snap_error *error)
{
	struct libsnap_array *texts = &labels->resolver.texts;
	enum snap_status status = SNAP_OK;
	for (uint64_t i = 0; status == SNAP_OK && i < texts->count; i++) {
		uint32_t id = libsnap_array_get32(texts, i);
		status = drop_numbers_of(labels->names->space, &id, error);
		libsnap_array_set32(texts, i, id);
	}
	return status;
}

enum snap_status libsnap_labels_load(struct labels *labels, struct snap_error *error)
{
	enum snap_status status = libsnap_resolver_begin(&labels->resolver, labels->names, error);
	if (status != SNAP_OK)
		return status;
	labels->has_resolver = true;
	for (uint32_t i = 0; i < labels->raw.count; i++)
		libsnap_resolver_mark(&labels->resolver, libsnap_tuple_at(&labels->raw, i).part[3]);
	status = libsnap_resolver_load(&labels->resolver, error);
	return status == SNAP_OK ? drop_all_numbers(labels, error) : status;
}

struct tuple libsnap_labels_step(struct labels *labels, uint32_t number)
{
	struct tuple raw = libsnap_tuple_at(&labels->raw, number);
	struct type_name name = libsnap_type_at(labels->names, raw.part[0]);
	return (struct tuple){{name.name, name.kind, raw.part[1] | (raw.part[4] ? STEP_ROOT : 0),
			       raw.part[2], libsnap_resolver_text(&labels->resolver, raw.part[3])}};
}
