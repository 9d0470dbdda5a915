/* Frames and traces of an HPROF file (hprof.h). */
#include "hprof.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* "java.lang.Thread.run" */
static enum snap_status function_name(struct hprof_import *import, uint64_t method,
				      uint32_t class_serial, uint32_t *string)
{
	uint64_t place;
	char name[2048];
	size_t used = 0, size;
	const char *text;
	enum snap_status status = SNAP_OK;
	if (hprof_map_get(&import->classes.by_serial, class_serial, &place)) {
		status = hprof_name(import, import->classes.items[place].name, &text, &size);
		if (status != SNAP_OK)
			return status;
		if (size > sizeof(name) / 2)
			size = sizeof(name) / 2;
		used = hprof_dotted_name(text, size, name);
		name[used++] = '.';
	}
	status = hprof_name(import, method, &text, &size);
	if (status != SNAP_OK)
		return status;
	if (size > sizeof(name) - used)
		size = sizeof(name) - used;
	memcpy(name + used, text, size);
	return snap_writer_string(import->context->writer, name, used + size, string,
				  import->error);
}

static enum snap_status make_frame(struct hprof_import *import, uint64_t offset, uint32_t *frame)
{
	const unsigned id = import->scan.id_size;
	const uint8_t *bytes;
	enum snap_status status =
		hprof_piece(&import->name_pieces, offset, 4 * id + 8, &bytes, import->error);
	if (status != SNAP_OK)
		return status;
	uint64_t method = hprof_id(bytes + id, id), file = hprof_id(bytes + 3 * id, id);
	uint32_t class_serial = hprof_u4(bytes + 4 * id), line = hprof_u4(bytes + 4 * id + 4);
	struct snap_frame wanted = {.line = line <= INT32_MAX ? line : 0};
	status = function_name(import, method, class_serial, &wanted.function);
	if (status == SNAP_OK && file != 0)
		status = hprof_label(import, file, &wanted.file);
	if (status == SNAP_OK)
		status = snap_writer_frame(import->context->writer, &wanted, frame, import->error);
	return status;
}

static enum snap_status frame_of(struct hprof_import *import, uint64_t id, uint64_t trace_offset,
				 uint32_t *frame)
{
	uint64_t known, offset;
	if (hprof_map_get(&import->frame_ids, id, &known)) {
		*frame = (uint32_t)known;
		return SNAP_OK;
	}
	if (!hprof_map_get(&import->frames, id, &offset))
		return import_fail_at(import->error, SNAP_CORRUPT, trace_offset,
				      "a stack trace with a frame that is not there: 0x%" PRIx64,
				      id);
	enum snap_status status = make_frame(import, offset, frame);
	if (status == SNAP_OK && !hprof_map_set(&import->frame_ids, id, *frame))
		return hprof_no_memory(import);
	return status;
}

/* The innermost frame comes first. */
static enum snap_status make_stack(struct hprof_import *import, uint64_t offset, uint32_t first,
				   uint32_t *stack)
{
	const unsigned id_size = import->scan.id_size;
	const uint8_t *bytes;
	enum snap_status status =
		hprof_piece(&import->name_pieces, offset + 8, 4, &bytes, import->error);
	if (status != SNAP_OK)
		return status;
	*stack = 0;
	for (uint32_t left = hprof_u4(bytes); left > first && status == SNAP_OK; left--) {
		uint32_t frame;
		status = hprof_piece(&import->name_pieces,
				     offset + 12 + (uint64_t)(left - 1) * id_size, id_size, &bytes,
				     import->error);
		if (status == SNAP_OK)
			status = frame_of(import, hprof_id(bytes, id_size), offset, &frame);
		if (status == SNAP_OK)
			status = snap_writer_stack(import->context->writer, *stack, frame, 0, stack,
						   import->error);
	}
	return status;
}

enum snap_status hprof_stack(struct hprof_import *import, uint32_t trace, uint32_t first,
			     uint32_t *stack)
{
	uint64_t offset, known, key = (uint64_t)first << 32 | trace;
	*stack = 0;
	if (!hprof_map_get(&import->traces, trace, &offset))
		return SNAP_OK;
	if (hprof_map_get(&import->stacks, key, &known)) {
		*stack = (uint32_t)known;
		return SNAP_OK;
	}
	enum snap_status status = make_stack(import, offset, first, stack);
	if (status == SNAP_OK && !hprof_map_set(&import->stacks, key, *stack))
		return hprof_no_memory(import);
	return status;
}
