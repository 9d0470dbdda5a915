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
static enum snap_status place_object(struct hprof_import *import, const struct hprof_item *item,
				     struct snap_object *object)
{
	object->id = item->id;
	object->count = 1;
	object->domain = import->heap;
	if (item->stack != import->last_trace) {
		enum snap_status status = hprof_stack(import, item->stack, 0, &import->last_stack);
		if (status != SNAP_OK)
			return status;
		import->last_trace = item->stack;
	}
	object->stack = import->last_stack;
	return SNAP_OK;
}

static enum snap_status add_object(struct hprof_import *import, const struct hprof_item *item,
				   struct snap_object *object)
{
	enum snap_status status = place_object(import, item, object);
	return status == SNAP_OK
		       ? snap_writer_object(import->context->writer, object, import->error)
		       : status;
}

static enum snap_status add_whole(struct hprof_import *import, const struct hprof_item *item,
				  struct snap_object *object, uint32_t layout,
				  const uint64_t *targets, size_t count)
{
	enum snap_status status = place_object(import, item, object);
	return status == SNAP_OK ? snap_writer_object_of(import->context->writer, layout, object,
							 targets, count, import->error)
				 : status;
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

/* What is in strings, but for those whose text goes to the writer too. */
static enum snap_status add_contents(struct hprof_import *import, const struct hprof_batch *batch)
{
	if (import->context->options->contents)
		return SNAP_OK;
	return snap_writer_contents(import->context->writer, batch->lengths, batch->hashes,
				    batch->known_count, batch->contents, import->error);
}

static enum snap_status add_text(struct hprof_import *import, const struct hprof_batch *batch,
				 const struct hprof_item *item, uint32_t *content)
{
	struct snap_writer *writer = import->context->writer;
	const struct hprof_item_text *text = &batch->texts[item->text - 1];
	const char *bytes = text->size > 0 ? (const char *)batch->bytes + text->first : "";
	uint32_t string = 0;
	enum snap_status status = SNAP_OK;
	if (text->known)
		status = snap_writer_string(writer, bytes, text->size, &string, import->error);
	if (status == SNAP_OK && text->wanted &&
	    !hprof_map_set(&import->known_texts, item->id, string))
		return hprof_no_memory(import);
	if (status != SNAP_OK || !text->known || !import->context->options->contents)
		return status;
	const uint64_t length = batch->lengths[text->place];
	import->text.cut_count += length > SNAP_MAX_STRING_SIZE;
	return snap_writer_content(writer, length, 0, string, content, import->error);
}

static enum snap_status write_string(struct hprof_import *import, const struct hprof_batch *batch,
				     const struct hprof_item *item, const struct hprof_class *class,
				     struct snap_object *object)
{
	const struct hprof_item_text *text = &batch->texts[item->text - 1];
	const bool contents = import->context->options->contents;
	enum snap_status status = SNAP_OK;
	if (text->known && !contents)
		object->content = batch->contents[text->place];
	if (text->wanted || contents)
		status = add_text(import, batch, item, &object->content);
	return status == SNAP_OK ? add_whole(import, item, object, class->layout,
					     batch->targets + item->first, item->count)
				 : status;
}

/* An instance of a class that was cut off. */
static enum snap_status write_unknown(struct hprof_import *import, const struct hprof_item *item,
				      struct hprof_class *class)
{
	enum snap_status status = hprof_class_type(import, class);
	struct snap_object object = {.type = class->type,
				     .size = import->layout.header + item->size};
	return status == SNAP_OK ? add_object(import, item, &object) : status;
}

static enum snap_status wait_for_name(struct hprof_import *import, const struct hprof_batch *batch,
				      const struct hprof_item *item)
{
	void *waiting = import->waiting;
	if (!hprof_room(&waiting, &import->waiting_capacity, import->waiting_count,
			sizeof(*import->waiting)))
		return hprof_no_memory(import);
	import->waiting = waiting;
	struct hprof_waiting *new = &import->waiting[import->waiting_count++];
	*new = (struct hprof_waiting){.item = *item, .heap = import->heap};
	new->item.first = (uint32_t)import->waiting_target_count;
	for (uint32_t i = 0; i < item->count; i++) {
		void *targets = import->waiting_targets;
		if (!hprof_room(&targets, &import->waiting_target_capacity,
				import->waiting_target_count, sizeof(*import->waiting_targets)))
			return hprof_no_memory(import);
		import->waiting_targets = targets;
		import->waiting_targets[import->waiting_target_count++] =
			batch->targets[item->first + i];
	}
	return SNAP_OK;
}

static enum snap_status write_waiting(struct hprof_import *import)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < import->waiting_count && status == SNAP_OK; i++) {
		const struct hprof_item *item = &import->waiting[i].item;
		const struct hprof_class *class = &import->classes.items[item->class - 1];
		uint64_t string_object, text = 0;
		if (hprof_map_get(&import->thread_names, item->id, &string_object))
			(void)hprof_map_get(&import->known_texts, string_object, &text);
		struct snap_object object = {
			.type = class->type, .size = item->size, .name = (uint32_t)text};
		import->heap = import->waiting[i].heap;
		status = add_whole(import, item, &object, class->layout,
				   import->waiting_targets + item->first, item->count);
	}
	return status;
}

static enum snap_status write_instance(struct hprof_import *import, const struct hprof_batch *batch,
				       const struct hprof_item *item)
{
	struct hprof_class *class = &import->classes.items[item->class - 1];
	enum snap_status status = SNAP_OK;
	if (!class->dumped || class->broken)
		return write_unknown(import, item, class);
	if (!class->described)
		status = hprof_class_describe(import, class);
	if (status != SNAP_OK)
		return status;
	uint64_t name;
	if (class->is_thread && hprof_map_get(&import->thread_names, item->id, &name))
		return wait_for_name(import, batch, item);
	struct snap_object object = {.type = class->type, .size = item->size};
	return class->is_string ? write_string(import, batch, item, class, &object)
				: add_whole(import, item, &object, class->layout,
					    batch->targets + item->first, item->count);
}

/* ---- arrays ---- */

static enum snap_status write_object_array(struct hprof_import *import,
					   const struct hprof_batch *batch,
					   const struct hprof_item *item)
{
	struct hprof_class *class = &import->classes.items[item->class - 1];
	enum snap_status status = hprof_class_type(import, class);
	if (status != SNAP_OK)
		return status;
	struct snap_object object = {
		.type = class->type,
		.size = hprof_array_size(&import->layout, item->count, import->layout.reference)};
	status = class_layout(import, class->type, &class->array_layout);
	return status == SNAP_OK ? add_whole(import, item, &object, class->array_layout,
					     batch->targets + item->first, (size_t)item->count + 1)
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
					      const struct hprof_item *item)
{
	/* Its elements are no ids, so that their size is not asked for. */
	struct snap_object object = {.size = hprof_array_size(&import->layout, item->count,
							      hprof_size_of(item->type, 0))};
	uint64_t class = import->classes.primitive_arrays[item->type];
	uint32_t *layout = &import->classes.primitive_layouts[item->type];
	enum snap_status status = primitive_type(import, item->type, &object.type);
	if (status != SNAP_OK || class == 0)
		return status == SNAP_OK ? add_object(import, item, &object) : status;
	status = class_layout(import, object.type, layout);
	return status == SNAP_OK ? add_whole(import, item, &object, *layout, &class, 1) : status;
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
static enum snap_status add_part(struct hprof_import *import, uint64_t from,
				 const struct hprof_class *class,
				 const struct hprof_class_item *item)
{
	uint32_t string;
	if (item->value == 0)
		return SNAP_OK;
	if (item->what == HPROF_CONSTANT)
		return add_reference(import, from, item->value, SNAP_REF_INTERNAL,
				     SNAP_LABEL_INDEX(item->name));
	enum snap_status status = hprof_static_label(import, class, item->name, &string);
	return status == SNAP_OK ? add_reference(import, from, item->value, SNAP_REF_STATIC,
						 SNAP_LABEL_STRING(string))
				 : status;
}

static enum snap_status add_class_object(struct hprof_import *import, const struct hprof_item *item,
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
		status = add_object(import, item, &object);
	if (status == SNAP_OK && import->classes.class_class != 0)
		status = add_reference(import, item->id, import->classes.class_class,
				       SNAP_REF_CLASS, SNAP_LABEL_NONE);
	return status;
}

static enum snap_status write_class(struct hprof_import *import, const struct hprof_batch *batch,
				    const struct hprof_item *item)
{
	const struct hprof_class_body *body = &batch->bodies[item->first];
	const struct hprof_class_walk *walk = &body->walk;
	struct hprof_class *class = &import->classes.items[item->class - 1];
	enum snap_status status = add_class_object(import, item, class);
	const uint64_t held[] = {walk->super, walk->loader, walk->signers, walk->domain};
	for (unsigned i = 0; i < 4 && status == SNAP_OK; i++)
		status = add_internal(import, item->id, held[i], i);
	for (size_t i = 0; i < body->count && status == SNAP_OK; i++)
		status = add_part(import, item->id, class, &batch->class_items[body->first + i]);
	return status;
}

/* ---- all ---- */

static enum snap_status write_item(struct hprof_import *import, const struct hprof_batch *batch,
				   const struct hprof_item *item)
{
	switch (item->tag) {
	case HPROF_INSTANCE: return write_instance(import, batch, item);
	case HPROF_CLASS: return write_class(import, batch, item);
	case HPROF_OBJECT_ARRAY: return write_object_array(import, batch, item);
	case HPROF_HEAP_INFO: import->heap = item->count; return SNAP_OK;
	default: return write_primitive_array(import, item);
	}
}

enum snap_status hprof_heap_write(struct hprof_import *import)
{
	const struct hprof_scan *scan = &import->scan;
	const struct hprof_batch *batch;
	/* Where it was cut, classes are found to be missing on the way. */
	enum snap_status status =
		hprof_feed_begin(import, import->cut ? 1 : import->context->writer_options.threads);
	import->heap = 0;
	while (status == SNAP_OK) {
		status = hprof_feed_next(import, &batch);
		if (status == SNAP_OK)
			status = add_contents(import, batch);
		for (size_t i = 0; status == SNAP_OK && i < batch->count; i++)
			status = write_item(import, batch, &batch->items[i]);
		if (status == SNAP_OK)
			cli_progress("importing", import->end + batch->next, 2 * import->end);
	}
	hprof_feed_end(import);
	bool at_cut =
		import->cut && import->feed.ended && scan->cut && scan->good_end == import->end;
	if (status != SNAP_END && !at_cut)
		return status;
	return write_waiting(import);
}
