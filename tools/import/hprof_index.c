/* The first reading of an HPROF file: every record is checked, and what has a name is kept. */
#include "hprof.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* Of more threads the names are not looked for. */
#define NAMES_MAX 65536

static enum snap_status too_short(struct hprof_import *import, const struct hprof_record *record)
{
	return hprof_scan_corrupt(&import->scan, record, "a record of %" PRIu64 " bytes: too short",
				  record->body);
}

static enum snap_status read_load_class(struct hprof_import *import,
					const struct hprof_record *record)
{
	const unsigned id = import->scan.id_size;
	if (record->body < 8 + 2 * id)
		return too_short(import, record);
	const uint8_t *bytes = hprof_take(&import->scan, 8 + 2 * id);
	if (bytes == NULL)
		return hprof_scan_failure(&import->scan);
	uint64_t class_id = hprof_id(bytes + 4, id), name = hprof_id(bytes + 8 + id, id);
	uint32_t serial = hprof_u4(bytes);
	struct hprof_class *class;
	enum snap_status status = hprof_class_add(import, class_id, &class);
	if (status != SNAP_OK)
		return status;
	class->name = name;
	uint64_t place = (uint64_t)(class - import->classes.items);
	if (!hprof_map_set(&import->classes.by_serial, serial, place))
		return hprof_no_memory(import);
	return SNAP_OK;
}

static enum snap_status read_thread(struct hprof_import *import, const struct hprof_record *record)
{
	const unsigned id = import->scan.id_size;
	if (record->body < 8 + 2 * id)
		return too_short(import, record);
	const uint8_t *bytes = hprof_take(&import->scan, 8 + 2 * id);
	if (bytes == NULL)
		return hprof_scan_failure(&import->scan);
	void *threads = import->threads;
	if (!hprof_room(&threads, &import->thread_capacity, import->thread_count,
			sizeof(*import->threads)))
		return hprof_no_memory(import);
	import->threads = threads;
	import->threads[import->thread_count] = (struct hprof_thread){
		.serial = hprof_u4(bytes),
		.object = hprof_id(bytes + 4, id),
		.trace = hprof_u4(bytes + 4 + id),
		.name = hprof_id(bytes + 8 + id, id),
		.has_name = true,
	};
	if (!hprof_map_set(&import->thread_by_serial, hprof_u4(bytes), import->thread_count++))
		return hprof_no_memory(import);
	return SNAP_OK;
}

/* Keeps where the body lies, by the number that it begins with. */
static enum snap_status keep(struct hprof_import *import, const struct hprof_record *record,
			     struct hprof_map *map, size_t key_size, size_t least)
{
	if (record->body < least)
		return too_short(import, record);
	const uint8_t *bytes = hprof_take(&import->scan, least);
	if (bytes == NULL)
		return hprof_scan_failure(&import->scan);
	const unsigned id = import->scan.id_size;
	if (map == &import->traces && hprof_u4(bytes + 8) > (record->body - 12) / id)
		return too_short(import, record);
	if (!hprof_map_set(map, hprof_id(bytes, (unsigned)key_size), record->offset + 9))
		return hprof_no_memory(import);
	return SNAP_OK;
}

/* The name of a thread is a string that may come before or after it. */
static enum snap_status look_at_instance(struct hprof_import *import,
					 const struct hprof_record *record)
{
	struct hprof_class *class = hprof_class_find(import, record->other);
	if (class == NULL || !class->dumped)
		return SNAP_OK;
	enum snap_status status = class->looked_at ? SNAP_OK : hprof_class_look(import, class);
	const unsigned id = import->scan.id_size;
	if (status != SNAP_OK || !class->is_thread || record->body < class->thread_name_at + id ||
	    import->thread_names.count >= NAMES_MAX)
		return status;
	const uint8_t *bytes = hprof_take(&import->scan, class->thread_name_at + id);
	if (bytes == NULL)
		return hprof_scan_failure(&import->scan);
	uint64_t name = hprof_id(bytes + class->thread_name_at, id);
	if (!hprof_map_set(&import->thread_names, record->id, name) ||
	    !hprof_map_set(&import->wanted_texts, name, 0))
		return hprof_no_memory(import);
	return SNAP_OK;
}

static enum snap_status read_record(struct hprof_import *import, const struct hprof_record *record)
{
	const unsigned id = import->scan.id_size;
	switch (record->tag) {
	case HPROF_UTF8: return keep(import, record, &import->names, id, id);
	case HPROF_LOAD_CLASS: return read_load_class(import, record);
	case HPROF_FRAME: return keep(import, record, &import->frames, id, 4 * id + 8);
	case HPROF_TRACE: return keep(import, record, &import->traces, 4, 12);
	case HPROF_START_THREAD: return read_thread(import, record);
	case HPROF_CLASS: return hprof_class_read(import, record);
	case HPROF_INSTANCE:
		hprof_vote(&import->votes, record);
		return look_at_instance(import, record);
	case HPROF_OBJECT_ARRAY:
	case HPROF_ARRAY_NODATA: hprof_vote(&import->votes, record); return SNAP_OK;
	case HPROF_PRIMITIVE_ARRAY:
		hprof_vote(&import->votes, record);
		return hprof_text_array(import, record);
	case HPROF_HEAP_INFO:
	case HPROF_UNREACHABLE: return SNAP_OK;
	default: return record->tag > HPROF_IN_HEAP ? hprof_root_keep(import, record) : SNAP_OK;
	}
}

static enum snap_status read_all(struct hprof_import *import)
{
	enum snap_status status = SNAP_OK;
	uint64_t count = 0;
	while (status == SNAP_OK) {
		struct hprof_record record;
		status = hprof_scan_next(&import->scan, &record);
		if (status == SNAP_OK)
			status = read_record(import, &record);
		if (count++ % 65536 == 0)
			cli_progress("reading", import->scan.next, 2 * import->scan.size);
	}
	return status == SNAP_END ? SNAP_OK : status;
}

enum snap_status hprof_index_read(struct hprof_import *import)
{
	struct hprof_scan *scan = &import->scan;
	enum snap_status status = hprof_scan_begin(scan, import->context->input,
						   import->context->input->size, import->error);
	if (status == SNAP_OK && scan->size >= HPROF_LITTLE)
		import_reader_ahead(&scan->in, import->context->writer_options.threads);
	if (status == SNAP_OK)
		status = read_all(import);
	bool some = import->votes.object_count > 0 || import->classes.dumped_count > 0;
	if (scan->cut && import->context->options->partial && some) {
		import->cut = true;
		status = SNAP_OK;
	}
	import->end = import->cut ? scan->good_end : scan->size;
	if (status == SNAP_OK && !scan->seen_heap)
		status = import_fail_at(import->error, SNAP_CORRUPT, scan->size,
					"there is no heap dump in it");
	return status;
}
