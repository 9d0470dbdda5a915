/* Strings of an HPROF file wait for each other, so that what
 * is in them is looked up for many at once (hprof.h). */
#include "hprof.h"

bool hprof_string_may_wait(const struct hprof_import *import, const struct hprof_class *class)
{
	return !import->context->options->contents && class->slot_count < HPROF_STRING_TARGETS;
}

enum snap_status hprof_string_wait(struct hprof_import *import, const struct hprof_class *class,
				   const struct snap_object *object, const uint8_t *instance)
{
	struct hprof_strings *strings = &import->strings;
	struct hprof_string *string = &strings->items[strings->count];
	bool known;
	enum snap_status status = hprof_text_hash(import, class, instance, &known,
						  &strings->lengths[strings->known_count],
						  &strings->hashes[strings->known_count]);
	if (status != SNAP_OK)
		return status;
	strings->known_count += known;
	string->object = *object;
	string->known = known;
	string->layout = class->layout;
	string->target_count = class->slot_count + 1;
	string->targets[0] = class->id;
	for (uint32_t i = 0; i < class->slot_count; i++)
		string->targets[i + 1] =
			hprof_id(instance + class->slots[i].offset, import->scan.id_size);
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
