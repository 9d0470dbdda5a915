/* What the second reading of an HPROF file makes of a record, before the writer is told
 * (hprof.h).  A helper may be at it: nothing here calls the writer. */
#include "hprof.h"

#include <inttypes.h>
#include <stdlib.h>

#define ELEMENTS_AT_ONCE 4096u

static enum snap_status no_memory(struct hprof_import *import)
{
	return import_fail_at(import->scan.error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
}

/* Room for the targets of the item; NULL: no memory. */
static uint64_t *take_targets(struct hprof_batch *batch, struct hprof_item *item, size_t count)
{
	if (batch->target_capacity - batch->target_count < count) {
		size_t capacity = batch->target_capacity + batch->target_capacity / 2 + count;
		uint64_t *larger = realloc(batch->targets, capacity * sizeof(*larger));
		if (larger == NULL)
			return NULL;
		batch->targets = larger;
		batch->target_capacity = capacity;
	}
	item->first = (uint32_t)batch->target_count;
	batch->target_count += count;
	return batch->targets + item->first;
}

static uint32_t place_of(const struct hprof_import *import, const struct hprof_class *class)
{
	return (uint32_t)(class - import->classes.items) + 1;
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

/* The names of threads are wanted as text. */
static enum snap_status decode_string(struct hprof_import *import, const struct hprof_class *class,
				      const uint8_t *bytes, struct hprof_batch *batch,
				      struct hprof_item *item)
{
	uint64_t nothing;
	struct hprof_item_text *text = &batch->texts[batch->text_count++];
	item->text = (uint32_t)batch->text_count;
	*text = (struct hprof_item_text){.known = false};
	text->wanted = import->wanted_texts.count > 0 &&
		       hprof_map_get(&import->wanted_texts, item->id, &nothing);
	return hprof_text_find(import, class, bytes, batch, text);
}

static enum snap_status decode_instance(struct hprof_import *import,
					const struct hprof_record *record,
					struct hprof_batch *batch, struct hprof_item *item)
{
	struct hprof_class *class;
	enum snap_status status = instance_class(import, record, &class);
	if (status != SNAP_OK)
		return status;
	item->class = place_of(import, class);
	item->size = record->body;
	if (!class->dumped || class->broken)
		return SNAP_OK;
	if (!class->placed)
		status = hprof_class_place(import, class);
	if (status != SNAP_OK)
		return status;
	const uint8_t *bytes = hprof_take(&import->scan, class->file_bytes);
	if (bytes == NULL)
		return hprof_scan_failure(&import->scan);
	item->count = class->slot_count + 1;
	uint64_t *targets = take_targets(batch, item, item->count);
	if (targets == NULL)
		return no_memory(import);
	const unsigned id_size = import->scan.id_size;
	targets[0] = class->id;
	for (uint32_t i = 0; i < class->slot_count; i++)
		targets[i + 1] = hprof_id(bytes + class->slots[i].offset, id_size);
	item->size = class->size;
	if (class->is_stack_chunk)
		item->size = hprof_stack_chunk_size(import, class,
						    hprof_u4(bytes + class->stack_words_at));
	return class->is_string ? decode_string(import, class, bytes, batch, item) : SNAP_OK;
}

/* ---- arrays and classes ---- */

static enum snap_status decode_array(struct hprof_import *import, const struct hprof_record *record,
				     struct hprof_batch *batch, struct hprof_item *item)
{
	const unsigned id_size = import->scan.id_size;
	struct hprof_class *class = hprof_class_find(import, record->other);
	enum snap_status status = SNAP_OK;
	if (class == NULL && !import->cut)
		return hprof_scan_corrupt(&import->scan, record,
					  "an array of the class 0x%" PRIx64 ", which is not there",
					  record->other);
	if (class == NULL)
		status = hprof_class_add(import, record->other, &class);
	if (status != SNAP_OK)
		return status;
	item->class = place_of(import, class);
	uint64_t *targets = take_targets(batch, item, (size_t)record->count + 1);
	if (targets == NULL)
		return no_memory(import);
	*targets++ = record->other;
	for (uint32_t left = record->count, more; left > 0; left -= more) {
		more = left < ELEMENTS_AT_ONCE ? left : ELEMENTS_AT_ONCE;
		const uint8_t *bytes = hprof_take(&import->scan, (size_t)more * id_size);
		if (bytes == NULL)
			return hprof_scan_failure(&import->scan);
		for (uint32_t k = 0; k < more; k++)
			*targets++ = hprof_id(bytes + (size_t)k * id_size, id_size);
	}
	return SNAP_OK;
}

static enum snap_status add_part(struct hprof_import *import, struct hprof_batch *batch,
				 const struct hprof_class_item *part)
{
	void *parts = batch->class_items;
	if (!hprof_room(&parts, &batch->class_item_capacity, batch->class_item_count,
			sizeof(*part)))
		return no_memory(import);
	batch->class_items = parts;
	batch->class_items[batch->class_item_count++] = *part;
	return SNAP_OK;
}

static enum snap_status decode_class(struct hprof_import *import, const struct hprof_record *record,
				     struct hprof_batch *batch, struct hprof_item *item)
{
	struct hprof_class_walk walk;
	struct hprof_class_item part = {.what = HPROF_CONSTANT};
	const struct hprof_class *class = hprof_class_find(import, record->id);
	void *bodies = batch->bodies;
	enum snap_status status = hprof_class_begin(&import->scan, record, &walk);
	if (status != SNAP_OK)
		return status;
	if (class == NULL)
		return hprof_scan_corrupt(&import->scan, record,
					  "it was changed while it was read");
	if (!hprof_room(&bodies, &batch->body_capacity, batch->body_count, sizeof(*batch->bodies)))
		return no_memory(import);
	batch->bodies = bodies;
	item->class = place_of(import, class);
	item->first = (uint32_t)batch->body_count;
	struct hprof_class_body *body = &batch->bodies[batch->body_count++];
	*body = (struct hprof_class_body){.walk = walk, .first = batch->class_item_count};
	while (status == SNAP_OK && part.what != HPROF_CLASS_END) {
		status = hprof_class_next(&import->scan, record, &walk, &part);
		if (status == SNAP_OK && part.what != HPROF_CLASS_END)
			status = add_part(import, batch, &part);
	}
	body->count = batch->class_item_count - body->first;
	return status;
}

enum snap_status hprof_decode(struct hprof_import *import, const struct hprof_record *record,
			      struct hprof_batch *batch)
{
	struct hprof_item *item = &batch->items[batch->count];
	enum snap_status status = SNAP_OK;
	item->tag = (uint16_t)record->tag;
	item->type = record->type;
	item->id = record->id;
	item->stack = record->stack;
	item->count = record->count;
	switch (record->tag) {
	case HPROF_INSTANCE: status = decode_instance(import, record, batch, item); break;
	case HPROF_OBJECT_ARRAY: status = decode_array(import, record, batch, item); break;
	case HPROF_CLASS: status = decode_class(import, record, batch, item); break;
	case HPROF_PRIMITIVE_ARRAY:
	case HPROF_ARRAY_NODATA: break;
	case HPROF_HEAP_INFO: item->count = (uint32_t)record->other; break;
	default: return SNAP_OK;
	}
	batch->count += status == SNAP_OK;
	return status;
}
