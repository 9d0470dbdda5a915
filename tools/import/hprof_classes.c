/* Classes of an HPROF file, as its first reading finds them (hprof.h). */
#include "hprof.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct hprof_class *hprof_class_seek(struct hprof_import *import, uint64_t id, uint32_t *recent)
{
	struct hprof_classes *classes = &import->classes;
	uint64_t place;
	if (!hprof_map_get(&classes->by_id, id, &place))
		return NULL;
	*recent = (uint32_t)place + 1;
	return &classes->items[place];
}

enum snap_status hprof_class_add(struct hprof_import *import, uint64_t id,
				 struct hprof_class **class)
{
	struct hprof_classes *classes = &import->classes;
	*class = hprof_class_find(import, id);
	if (*class != NULL)
		return SNAP_OK;
	void *items = classes->items;
	if (!hprof_room(&items, &classes->capacity, classes->count, sizeof(*classes->items)))
		return hprof_no_memory(import);
	classes->items = items;
	if (!hprof_map_set(&classes->by_id, id, classes->count))
		return hprof_no_memory(import);
	*class = &classes->items[classes->count++];
	**class = (struct hprof_class){.id = id};
	return SNAP_OK;
}

static enum snap_status add_field(struct hprof_import *import, const struct hprof_class_item *item)
{
	struct hprof_classes *classes = &import->classes;
	void *fields = classes->fields;
	if (!hprof_room(&fields, &classes->field_capacity, classes->field_count,
			sizeof(*classes->fields)))
		return hprof_no_memory(import);
	classes->fields = fields;
	classes->fields[classes->field_count++] =
		(struct hprof_field){.name = item->name, .type = item->type};
	return SNAP_OK;
}

/* Statics whose names are in brackets are the JVM's, and lie elsewhere. */
static bool is_hidden_static(struct hprof_import *import, uint64_t name)
{
	const char *text;
	size_t size;
	return hprof_name(import, name, &text, &size) == SNAP_OK && size > 0 && text[0] == '<';
}

static enum snap_status read_items(struct hprof_import *import, const struct hprof_record *record,
				   struct hprof_class_walk *walk, struct hprof_statics *statics)
{
	for (;;) {
		struct hprof_class_item item;
		enum snap_status status = hprof_class_next(&import->scan, record, walk, &item);
		if (status == SNAP_OK && item.what == HPROF_FIELD)
			status = add_field(import, &item);
		if (status != SNAP_OK || item.what == HPROF_CLASS_END)
			return status;
		if (item.what != HPROF_STATIC)
			continue;
		uint32_t size = hprof_size_of(item.type, import->scan.id_size);
		if (item.type != HPROF_OBJECT)
			*(size == 8 ? &statics->of8 : &statics->less) += size;
		else if (!is_hidden_static(import, item.name))
			statics->references++;
	}
}

enum snap_status hprof_class_read(struct hprof_import *import, const struct hprof_record *record)
{
	struct hprof_class *class;
	struct hprof_class_walk walk;
	struct hprof_statics statics = {0};
	size_t first_field = import->classes.field_count;
	enum snap_status status = hprof_class_begin(&import->scan, record, &walk);
	if (status == SNAP_OK)
		status = read_items(import, record, &walk, &statics);
	if (status == SNAP_OK)
		status = hprof_class_add(import, record->id, &class);
	if (status != SNAP_OK)
		return status;
	if (class->dumped)
		return hprof_scan_corrupt(&import->scan, record,
					  "the class 0x%" PRIx64 " is there twice", record->id);
	class->dumped = true;
	import->classes.dumped_count++;
	class->super = walk.super;
	class->loader = walk.loader;
	class->offset = record->offset;
	class->instance_size = walk.instance_size;
	class->first_field = first_field;
	class->field_count = (uint32_t)(import->classes.field_count - first_field);
	class->statics = statics;
	return SNAP_OK;
}

/* ---- threads, which are recognized while they are read ---- */

static struct hprof_class *super_of(struct hprof_import *import, const struct hprof_class *class)
{
	return class->super == 0 ? NULL : hprof_class_find(import, class->super);
}

static uint32_t own_bytes(const struct hprof_import *import, const struct hprof_class *class)
{
	uint32_t bytes = 0;
	for (uint32_t i = 0; i < class->field_count; i++)
		bytes += hprof_size_of(import->classes.fields[class->first_field + i].type,
				       import->scan.id_size);
	return bytes;
}

/* The reference called "name" of class, at its offset. */
static bool find_thread_name(struct hprof_import *import, const struct hprof_class *class,
			     uint32_t *offset)
{
	for (uint32_t i = 0; i < class->field_count; i++) {
		const struct hprof_field *field = &import->classes.fields[class->first_field + i];
		if (field->type == HPROF_OBJECT && hprof_name_is(import, field->name, "name"))
			return true;
		*offset += hprof_size_of(field->type, import->scan.id_size);
	}
	return false;
}

enum snap_status hprof_class_look(struct hprof_import *import, struct hprof_class *class)
{
	class->looked_at = true;
	uint32_t offset = 0;
	const struct hprof_class *at = class;
	for (unsigned depth = 0; at != NULL && at->dumped && depth < HPROF_MAX_DEPTH; depth++) {
		if (hprof_name_is(import, at->name, "java.lang.Thread")) {
			class->is_thread = find_thread_name(import, at, &offset);
			class->thread_name_at = offset;
			return SNAP_OK;
		}
		offset += own_bytes(import, at);
		at = super_of(import, at);
	}
	return SNAP_OK;
}

/* ---- what needs the superclasses ---- */

static enum snap_status measure(struct hprof_import *import, struct hprof_class *class,
				const struct hprof_class *super)
{
	uint64_t bytes = (uint64_t)own_bytes(import, class) + (super ? super->file_bytes : 0);
	class->file_bytes = (uint32_t)bytes;
	class->broken = super != NULL ? super->broken : class->super != 0;
	hprof_layout_class(import, class, super);
	class->measured = true;
	return SNAP_OK;
}

/* Superclasses first. */
static enum snap_status measure_chain(struct hprof_import *import, struct hprof_class *class)
{
	struct hprof_class *chain[HPROF_MAX_DEPTH];
	size_t depth = 0;
	struct hprof_class *at = class;
	for (; at != NULL && at->dumped && !at->measured; at = super_of(import, at)) {
		if (depth == HPROF_MAX_DEPTH)
			return import_fail_at(import->error, SNAP_CORRUPT, class->offset,
					      "a class with more than %d superclasses",
					      HPROF_MAX_DEPTH);
		chain[depth++] = at;
		if (at->super != 0 && !import->cut &&
		    (super_of(import, at) == NULL || !super_of(import, at)->dumped))
			return import_fail_at(import->error, SNAP_CORRUPT, at->offset,
					      "the superclass 0x%" PRIx64 " is not there",
					      at->super);
	}
	if (at != NULL && !at->measured)
		at = NULL;
	enum snap_status status = SNAP_OK;
	for (; depth > 0 && status == SNAP_OK; depth--) {
		status = measure(import, chain[depth - 1], at);
		at = chain[depth - 1];
	}
	return status;
}

static const char *const descriptors[HPROF_TYPES] = {NULL, NULL, NULL, NULL, "[Z", "[C",
						     "[F", "[D", "[B", "[S", "[I", "[J"};
static const char *const array_names[HPROF_TYPES] = {NULL,        NULL,      NULL,      NULL,
						     "boolean[]", "char[]",  "float[]", "double[]",
						     "byte[]",    "short[]", "int[]",   "long[]"};

static void find_special(struct hprof_import *import, struct hprof_class *class)
{
	struct hprof_classes *classes = &import->classes;
	const char *text;
	size_t size;
	if (hprof_name(import, class->name, &text, &size) != SNAP_OK || size < 2)
		return;
	for (unsigned type = HPROF_BOOLEAN; type < HPROF_TYPES && size < 10; type++)
		if ((size == 2 && memcmp(text, descriptors[type], 2) == 0) ||
		    (size == strlen(array_names[type]) &&
		     memcmp(text, array_names[type], size) == 0))
			classes->primitive_arrays[type] = class->id;
	if (size < 14 || size > 17 || memcmp(text, "java", 4) != 0)
		return;
	if (hprof_name_is(import, class->name, "java.lang.Class"))
		classes->class_class = class->id;
	class->is_string = hprof_name_is(import, class->name, "java.lang.String");
	if (hprof_name_is(import, class->name, "java.lang.Record"))
		import->layout.fills_gaps = true;
}

/* Classes of one name are as many types as there are loaders that they come from. */
static bool number_twins(struct hprof_classes *classes)
{
	/* of a name: how many; of name and loader: which */
	struct hprof_map loaders = {0}, twins = {0};
	bool good = true;
	for (size_t i = 0; i < classes->count && good; i++) {
		struct hprof_class *class = &classes->items[i];
		uint64_t both = (class->name ^ class->name >> 29) * UINT64_C(0x9e3779b97f4a7c15) +
				class->loader;
		uint64_t count = 0, twin;
		if (!hprof_map_get(&twins, both, &twin)) {
			hprof_map_get(&loaders, class->name, &count);
			twin = count + 1;
			good = hprof_map_set(&loaders, class->name, twin) &&
			       hprof_map_set(&twins, both, twin);
		}
		class->twin = (uint32_t)twin;
	}
	hprof_map_free(&loaders);
	hprof_map_free(&twins);
	return good;
}

enum snap_status hprof_classes_measure(struct hprof_import *import)
{
	struct hprof_classes *classes = &import->classes;
	if (!number_twins(classes))
		return hprof_no_memory(import);
	for (size_t i = 0; i < classes->count; i++)
		find_special(import, &classes->items[i]);
	hprof_layout_choose(&import->layout, &import->scan, &import->votes);
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < classes->count && status == SNAP_OK; i++)
		status = measure_chain(import, &classes->items[i]);
	const struct hprof_class *its = hprof_class_find(import, classes->class_class);
	classes->class_bytes = its == NULL ? import->layout.header : its->size;
	return status;
}

void hprof_classes_free(struct hprof_classes *classes)
{
	for (size_t i = 0; i < classes->count; i++)
		free(classes->items[i].slots);
	free(classes->items);
	free(classes->fields);
	hprof_map_free(&classes->by_id);
	hprof_map_free(&classes->by_serial);
	*classes = (struct hprof_classes){.count = 0};
}
