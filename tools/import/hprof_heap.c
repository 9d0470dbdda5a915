/* The second reading of an HPROF file: objects and references into the writer (hprof.h). */
#include "hprof.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

enum { LABEL_SUPER, LABEL_LOADER, LABEL_SIGNERS, LABEL_DOMAIN };

static enum snap_status add_reference(struct hprof_import *import, uint64_t from, uint64_t to,
				      enum snap_reference_kind kind, uint64_t label)
{
	return snap_writer_reference(import->context->writer, from, to, kind, label, import->error);
}

/* Place and stack of an object whose type and size are known. */
static enum snap_status place_object(struct hprof_import *import, const struct hprof_record *record,
				     struct snap_object *object)
{
	object->id = record->id;
	object->count = 1;
	object->domain = import->heap;
	if (record->stack != import->last_trace) {
		enum snap_status status =
			hprof_stack(import, record->stack, 0, &import->last_stack);
		if (status != SNAP_OK)
			return status;
		import->last_trace = record->stack;
	}
	object->stack = import->last_stack;
	return SNAP_OK;
}

static enum snap_status add_object(struct hprof_import *import, const struct hprof_record *record,
				   struct snap_object *object)
{
	enum snap_status status = place_object(import, record, object);
	return status == SNAP_OK
		       ? snap_writer_object(import->context->writer, object, import->error)
		       : status;
}

/* With the first count of import->targets. */
static enum snap_status add_whole(struct hprof_import *import, const struct hprof_record *record,
				  struct snap_object *object, uint32_t layout, size_t count)
{
	enum snap_status status = place_object(import, record, object);
	return status == SNAP_OK ? snap_writer_object_of(import->context->writer, layout, object,
							 import->targets, count, import->error)
				 : status;
}

static bool target_room(struct hprof_import *import, size_t count)
{
	if (count <= import->target_capacity)
		return true;
	size_t capacity = count + count / 2;
	uint64_t *targets = realloc(import->targets, capacity * sizeof(*targets));
	if (targets == NULL)
		return false;
	import->targets = targets;
	import->target_capacity = capacity;
	return true;
}

/* A type whose objects refer to their class, and perhaps have elements. */
static enum snap_status class_layout(struct hprof_import *import, uint32_t type, uint32_t *layout)
{
	const struct snap_slot slot = {SNAP_REF_CLASS, SNAP_LABEL_NONE};
	if (*layout != 0)
		return SNAP_OK;
	return snap_writer_layout(import->context->writer, type, &slot, 1, layout, import->error);
}

/* ---- instances ---- */

static enum snap_status instance_class(struct hprof_import *import,
				       const struct hprof_record *record,
				       struct hprof_class **class)
{
	*class = hprof_class_find(import, record->other);
	bool known = *class != NULL && (*class)->dumped && !(*class)->broken;
	if (!known && !import->cut)
		return hprof_scan_corrupt(&import->scan, record,
					  "an instance of the class 0x%" PRIx64
					  ", which is not there",
					  record->other);
	if (*class == NULL)
		return hprof_class_add(import, record->other, class);
	if (known && (*class)->file_bytes != record->body)
		return hprof_scan_corrupt(&import->scan, record,
					  "an instance of %" PRIu64
					  " bytes, but its class has fields of %u",
					  record->body, (*class)->file_bytes);
	return SNAP_OK;
}

static enum snap_status add_instance(struct hprof_import *import, const struct hprof_record *record,
				     const struct hprof_class *class, const uint8_t *bytes,
				     struct snap_object *object)
{
	const unsigned id_size = import->scan.id_size;
	if (!target_room(import, (size_t) class->slot_count + 1))
		return hprof_no_memory(import);
	import->targets[0] = class->id;
	for (uint32_t i = 0; i < class->slot_count; i++)
		import->targets[i + 1] = hprof_id(bytes + class->slots[i].offset, id_size);
	return add_whole(import, record, object, class->layout, (size_t) class->slot_count + 1);
}

/* The names of threads are wanted as text. */
static enum snap_status write_string(struct hprof_import *import, const struct hprof_record *record,
				     const struct hprof_class *class, const uint8_t *bytes,
				     struct snap_object *object)
{
	uint64_t known;
	uint32_t name = 0;
	bool wanted = import->wanted_texts.count > 0 &&
		      hprof_map_get(&import->wanted_texts, record->id, &known);
	enum snap_status status = place_object(import, record, object);
	if (status == SNAP_OK && !wanted && hprof_string_may_wait(import, class))
		return hprof_string_wait(import, class, object, bytes);
	if (status == SNAP_OK)
		status = hprof_strings_flush(import);
	if (status == SNAP_OK)
		status = hprof_text_content(import, class, bytes, &object->content,
					    wanted ? &name : NULL);
	if (status == SNAP_OK && wanted && !hprof_map_set(&import->wanted_texts, record->id, name))
		return hprof_no_memory(import);
	return status == SNAP_OK ? add_instance(import, record, class, bytes, object) : status;
}

/* An instance of a class that was cut off. */
static enum snap_status write_unknown(struct hprof_import *import,
				      const struct hprof_record *record, struct hprof_class *class)
{
	enum snap_status status = hprof_class_type(import, class);
	struct snap_object object = {.type = class->type,
				     .size = import->layout.header + record->body};
	return status == SNAP_OK ? add_object(import, record, &object) : status;
}

static enum snap_status write_fields(struct hprof_import *import, const struct hprof_record *record,
				     const struct hprof_class *class, const uint8_t *bytes,
				     uint32_t name)
{
	struct snap_object object = {.type = class->type, .size = class->size, .name = name};
	if (class->is_stack_chunk)
		object.size = hprof_stack_chunk_size(import, class,
						     hprof_u4(bytes + class->stack_words_at));
	return class->is_string ? write_string(import, record, class, bytes, &object)
				: add_instance(import, record, class, bytes, &object);
}

static enum snap_status wait_for_name(struct hprof_import *import,
				      const struct hprof_record *record)
{
	void *waiting = import->waiting;
	if (!hprof_room(&waiting, &import->waiting_capacity, import->waiting_count,
			sizeof(*import->waiting)))
		return hprof_no_memory(import);
	import->waiting = waiting;
	import->waiting[import->waiting_count++] =
		(struct hprof_waiting){.record = *record, .heap = import->heap};
	return SNAP_OK;
}

static enum snap_status write_waiting(struct hprof_import *import)
{
	const unsigned id = import->scan.id_size;
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < import->waiting_count && status == SNAP_OK; i++) {
		const struct hprof_record *record = &import->waiting[i].record;
		const struct hprof_class *class = hprof_class_find(import, record->other);
		const uint8_t *bytes;
		uint64_t string_object, text = 0;
		if (hprof_map_get(&import->thread_names, record->id, &string_object))
			(void)hprof_map_get(&import->wanted_texts, string_object, &text);
		import->heap = import->waiting[i].heap;
		status = hprof_piece(&import->pieces, record->offset + 1 + 2 * id + 8,
				     class->file_bytes, &bytes, import->error);
		if (status == SNAP_OK)
			status = write_fields(import, record, class, bytes, (uint32_t)text);
	}
	return status;
}

static enum snap_status write_instance(struct hprof_import *import,
				       const struct hprof_record *record)
{
	struct hprof_class *class;
	uint64_t name;
	enum snap_status status = instance_class(import, record, &class);
	if (status != SNAP_OK)
		return status;
	if (!class->dumped || class->broken)
		return write_unknown(import, record, class);
	if (!class->described)
		status = hprof_class_describe(import, class);
	if (status != SNAP_OK)
		return status;
	if (class->is_thread && hprof_map_get(&import->thread_names, record->id, &name))
		return wait_for_name(import, record);
	const uint8_t *bytes = hprof_take(&import->scan, class->file_bytes);
	if (bytes == NULL)
		return hprof_scan_failure(&import->scan);
	return write_fields(import, record, class, bytes, 0);
}

/* ---- arrays ---- */

#define ELEMENTS_AT_ONCE 4096u

static enum snap_status read_elements(struct hprof_import *import,
				      const struct hprof_record *record)
{
	const unsigned id_size = import->scan.id_size;
	for (uint32_t i = 0, more; i < record->count; i += more) {
		more = record->count - i < ELEMENTS_AT_ONCE ? record->count - i : ELEMENTS_AT_ONCE;
		const uint8_t *bytes = hprof_take(&import->scan, (size_t)more * id_size);
		if (bytes == NULL)
			return hprof_scan_failure(&import->scan);
		for (uint32_t k = 0; k < more; k++)
			import->targets[1 + i + k] = hprof_id(bytes + (size_t)k * id_size, id_size);
	}
	return SNAP_OK;
}

static enum snap_status write_object_array(struct hprof_import *import,
					   const struct hprof_record *record)
{
	struct hprof_class *class = hprof_class_find(import, record->other);
	enum snap_status status = SNAP_OK;
	if (class == NULL && !import->cut)
		return hprof_scan_corrupt(&import->scan, record,
					  "an array of the class 0x%" PRIx64 ", which is not there",
					  record->other);
	if (class == NULL)
		status = hprof_class_add(import, record->other, &class);
	if (status == SNAP_OK)
		status = hprof_class_type(import, class);
	if (status != SNAP_OK)
		return status;
	struct snap_object object = {
		.type = class->type,
		.size = hprof_array_size(&import->layout, record->count, import->layout.reference)};
	if (!target_room(import, (size_t)record->count + 1))
		return hprof_no_memory(import);
	import->targets[0] = record->other;
	status = class_layout(import, class->type, &class->array_layout);
	if (status == SNAP_OK)
		status = read_elements(import, record);
	return status == SNAP_OK ? add_whole(import, record, &object, class->array_layout,
					     (size_t)record->count + 1)
				 : status;
}

static enum snap_status primitive_type(struct hprof_import *import, uint8_t element, uint32_t *type)
{
	static const char *const names[HPROF_TYPES] = {
		NULL,      NULL,       NULL,     NULL,      "boolean[]", "char[]",
		"float[]", "double[]", "byte[]", "short[]", "int[]",     "long[]"};
	*type = import->classes.primitive_types[element];
	if (*type != 0)
		return SNAP_OK;
	uint32_t name;
	enum snap_status status = hprof_string(import, names[element], &name);
	if (status == SNAP_OK)
		status = snap_writer_type(import->context->writer, name, SNAP_TYPE_ARRAY, type,
					  import->error);
	import->classes.primitive_types[element] = *type;
	return status;
}

static enum snap_status write_primitive_array(struct hprof_import *import,
					      const struct hprof_record *record)
{
	struct snap_object object = {
		.size = hprof_array_size(&import->layout, record->count,
					 hprof_size_of(record->type, import->scan.id_size))};
	uint64_t class = import->classes.primitive_arrays[record->type];
	uint32_t *layout = &import->classes.primitive_layouts[record->type];
	enum snap_status status = primitive_type(import, record->type, &object.type);
	if (status != SNAP_OK || class == 0)
		return status == SNAP_OK ? add_object(import, record, &object) : status;
	status = class_layout(import, object.type, layout);
	if (!target_room(import, 1))
		return hprof_no_memory(import);
	import->targets[0] = class;
	return status == SNAP_OK ? add_whole(import, record, &object, *layout, 1) : status;
}

/* ---- classes ---- */

static enum snap_status add_internal(struct hprof_import *import, uint64_t from, uint64_t to,
				     unsigned which)
{
	static const char *const names[] = {"<super>", "<loader>", "<signers>",
					    "<protection domain>"};
	enum snap_status status = SNAP_OK;
	if (to == 0)
		return SNAP_OK;
	if (import->string_labels[which] == 0)
		status = hprof_string(import, names[which], &import->string_labels[which]);
	if (status == SNAP_OK)
		status = add_reference(import, from, to, SNAP_REF_INTERNAL,
				       SNAP_LABEL_STRING(import->string_labels[which]));
	return status;
}

/* A class has a shape of its own, so that empty statics are simply left out. */
static enum snap_status add_item(struct hprof_import *import, uint64_t from,
				 const struct hprof_class_item *item)
{
	uint32_t string;
	if (item->value == 0)
		return SNAP_OK;
	if (item->what == HPROF_CONSTANT)
		return add_reference(import, from, item->value, SNAP_REF_INTERNAL,
				     SNAP_LABEL_INDEX(item->name));
	enum snap_status status = hprof_label(import, item->name, &string);
	return status == SNAP_OK ? add_reference(import, from, item->value, SNAP_REF_STATIC,
						 SNAP_LABEL_STRING(string))
				 : status;
}

static enum snap_status add_class_object(struct hprof_import *import,
					 const struct hprof_record *record,
					 struct hprof_class *class)
{
	uint32_t *type = &import->classes.class_type;
	enum snap_status status = SNAP_OK;
	if (*type == 0) {
		uint32_t name;
		status = hprof_string(import, "java.lang.Class", &name);
		if (status == SNAP_OK)
			status = snap_writer_type(import->context->writer, name, SNAP_TYPE_CLASS,
						  type, import->error);
	}
	if (status == SNAP_OK)
		status = hprof_class_type(import, class);
	struct snap_object object = {.type = *type, .name = class->string};
	object.size = hprof_class_object_size(import, class);
	if (status == SNAP_OK)
		status = add_object(import, record, &object);
	if (status == SNAP_OK && import->classes.class_class != 0)
		status = add_reference(import, record->id, import->classes.class_class,
				       SNAP_REF_CLASS, SNAP_LABEL_NONE);
	return status;
}

static enum snap_status write_class(struct hprof_import *import, const struct hprof_record *record)
{
	struct hprof_class_walk walk;
	struct hprof_class_item item = {.what = HPROF_CONSTANT};
	struct hprof_class *class = hprof_class_find(import, record->id);
	enum snap_status status = hprof_class_begin(&import->scan, record, &walk);
	if (status == SNAP_OK && class == NULL)
		status = hprof_scan_corrupt(&import->scan, record,
					    "it was changed while it was read");
	if (status == SNAP_OK)
		status = add_class_object(import, record, class);
	const uint64_t held[] = {walk.super, walk.loader, walk.signers, walk.domain};
	for (unsigned i = 0; i < 4 && status == SNAP_OK; i++)
		status = add_internal(import, record->id, held[i], i);
	while (status == SNAP_OK && item.what != HPROF_CLASS_END) {
		status = hprof_class_next(&import->scan, record, &walk, &item);
		if (status == SNAP_OK)
			status = add_item(import, record->id, &item);
	}
	return status;
}

/* ---- all ---- */

static enum snap_status write_record(struct hprof_import *import, const struct hprof_record *record)
{
	switch (record->tag) {
	case HPROF_INSTANCE: return write_instance(import, record);
	case HPROF_CLASS: return write_class(import, record);
	case HPROF_OBJECT_ARRAY: return write_object_array(import, record);
	case HPROF_PRIMITIVE_ARRAY:
	case HPROF_ARRAY_NODATA: return write_primitive_array(import, record);
	case HPROF_HEAP_INFO: import->heap = (uint32_t)record->other; return SNAP_OK;
	default: return SNAP_OK;
	}
}

enum snap_status hprof_heap_write(struct hprof_import *import)
{
	struct hprof_scan *scan = &import->scan;
	hprof_scan_end(scan);
	enum snap_status status =
		hprof_scan_begin(scan, import->context->input, import->end, import->error);
	uint64_t count = 0;
	import->heap = 0;
	while (status == SNAP_OK) {
		struct hprof_record record;
		status = hprof_scan_next(scan, &record);
		if (status == SNAP_OK)
			status = write_record(import, &record);
		if (count++ % 65536 == 0)
			cli_progress("importing", scan->size + scan->next, 2 * scan->size);
	}
	bool at_cut = import->cut && scan->cut && scan->good_end == import->end;
	if (status != SNAP_END && !at_cut)
		return status;
	status = hprof_strings_flush(import);
	return status == SNAP_OK ? write_waiting(import) : status;
}
