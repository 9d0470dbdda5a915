/* Strings of an HPROF file wait for each other, so that what
 * is in them is looked up for many at once (hprof.h). */
#include "hprof.h"

bool hprof_string_may_wait(const struct hprof_import *import, const struct hprof_class *class)
{
	return !import->context->options->contents && class->slot_count < HPROF_STRING_TARGETS;
}

enum snap_status hprof_string_wait(struct hprof_import *import, const struct hprof_class *class,
				   const struct snap_object *object,
				   const struct hprof_batch *batch, const struct hprof_item *item)
{
	struct hprof_strings *strings = &import->strings;
	struct hprof_string *string = &strings->items[strings->count];
	const struct hprof_item_text *text = &batch->texts[item->text - 1];
	strings->lengths[strings->known_count] = text->length;
	strings->hashes[strings->known_count] = text->hash;
	strings->known_count += text->known;
	string->object = *object;
	string->known = text->known;
	string->layout = class->layout;
	string->target_count = item->count;
	for (uint32_t i = 0; i < item->count; i++)
		string->targets[i] = batch->targets[item->first + i];
	return ++strings->count == HPROF_STRINGS ? hprof_strings_flush(import) : SNAP_OK;
}

enum snap_status hprof_strings_flush(struct hprof_import *import)
{
	struct hprof_strings *strings = &import->strings;
	struct snap_writer *writer = import->context->writer;
	uint32_t contents[HPROF_STRINGS];
	const uint32_t *content = contents;
	enum snap_status status =
		snap_writer_contents(writer, strings->lengths, strings->hashes,
				     strings->known_count, contents, import->error);
	for (size_t i = 0; i < strings->count && status == SNAP_OK; i++) {
		struct hprof_string *string = &strings->items[i];
		if (string->known)
			string->object.content = *content++;
		status =
			snap_writer_object_of(writer, string->layout, &string->object,
					      string->targets, string->target_count, import->error);
	}
	strings->count = strings->known_count = 0;
	return status;
}
