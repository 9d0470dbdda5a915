/* Words for types, labels and frames. */
#include "demangle.h"
#include "refs.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void refs_must(struct refs *refs, enum snap_status status)
{
	if (status == SNAP_OK)
		return;
	cli_progress_end();
	exit(cli_report(refs->file, &refs->error));
}

void *refs_zeroed(struct refs *refs, uint64_t count, size_t element_size)
{
	struct snap_allocator memory = snap_graph_allocator(refs->graph);
	size_t size = count < SIZE_MAX / element_size ? (size_t)count * element_size : SIZE_MAX;
	void *pointer = size < SIZE_MAX ? memory.resize(memory.context, NULL, 0, size + 1) : NULL;
	if (pointer == NULL)
		exit(cli_fail("%s: over the limit: tables of %" PRIu64 " entries need more memory",
			      refs->file != NULL ? refs->file : "-", count));
	memset(pointer, 0, size);
	return pointer;
}

void refs_free(struct refs *refs, void *pointer, uint64_t count, size_t element_size)
{
	struct snap_allocator memory = snap_graph_allocator(refs->graph);
	if (pointer != NULL)
		memory.resize(memory.context, pointer, (size_t)count * element_size + 1, 0);
}

struct snap_graph_numbers *refs_numbers(struct refs *refs, uint64_t count, uint64_t largest)
{
	struct snap_graph_numbers *numbers;
	refs_must(refs,
		  snap_graph_numbers_open(&numbers, refs->graph, count, largest, &refs->error));
	return numbers;
}

uint64_t refs_value(struct refs *refs, uint32_t column, uint64_t row)
{
	static const uint32_t known[] = {
		SNAP_OBJECT_STACK,   SNAP_STACK_PARENT,       SNAP_STACK_FRAME,
		SNAP_FRAME_FUNCTION, SNAP_FRAME_FILE,         SNAP_FRAME_LINE,
		SNAP_FRAME_MODULE,   SNAP_FRAME_OFFSET,       SNAP_MODULE_PATH,
		SNAP_TYPE_NAME,      SNAP_FRAME_INLINED_INTO, SNAP_OBJECT_REFCOUNT,
		SNAP_OBJECT_THREAD,  SNAP_THREAD_ID,          SNAP_THREAD_NAME,
		SNAP_ROOT_THREAD,    SNAP_ROOT_STACK,
	};
	size_t i = 0;
	while (known[i] != column)
		i++;
	uint64_t value;
	if (refs->columns[i] == NULL)
		refs_must(refs,
			  snap_column_open(&refs->columns[i], refs->reader, column, &refs->error));
	refs_must(refs, snap_column_read(refs->columns[i], row, 1, &value, &refs->error));
	return value;
}

void refs_append_string(struct refs *refs, struct buffer *out, uint64_t id)
{
	const char *text;
	size_t size;
	refs_must(refs, snap_reader_string(refs->reader, id, &text, &size, &refs->error));
	buffer_append(out, text, size);
}

void refs_append_type(struct refs *refs, struct buffer *out, uint64_t type)
{
	const char *text;
	size_t size;
	refs_must(refs, snap_graph_type_name(refs->graph, type, &text, &size, &refs->error));
	bool is_class = size > 4 && memcmp(text, "_ZTV", 4) == 0;
	char name[4096];
	size_t demangled = is_class ? demangle(NULL, text, size, name, sizeof(name)) : 0;
	buffer_append(out, demangled ? name : text, demangled ? demangled : size);
}

void refs_append_name(struct refs *refs, struct buffer *out, uint64_t row)
{
	const char *text;
	size_t size;
	refs_must(refs, snap_graph_object_name(refs->graph, row, &text, &size, &refs->error));
	demangle_variable(out, text, size);
}

void refs_append_label(struct refs *refs, struct buffer *out, uint64_t label)
{
	const char *text;
	size_t size;
	refs_must(refs, snap_graph_label_text(refs->graph, label, &text, &size, &refs->error));
	buffer_append(out, text, size);
}

void refs_append_root(struct refs *refs, struct buffer *out, uint64_t label)
{
	const char *text;
	size_t size;
	refs_must(refs, snap_graph_root_text(refs->graph, label, &text, &size, &refs->error));
	demangle_variable(out, text, size);
}

void refs_append_function(struct refs *refs, struct buffer *out, uint64_t frame)
{
	char name[4096];
	const char *text;
	size_t size;
	uint64_t id = refs_value(refs, SNAP_FRAME_FUNCTION, frame - 1);
	refs_must(refs, snap_reader_string(refs->reader, id, &text, &size, &refs->error));
	size_t demangled = demangle(NULL, text, size, name, sizeof(name));
	buffer_append(out, demangled ? name : text, demangled ? demangled : size);
}

void refs_append_place(struct refs *refs, struct buffer *out, uint64_t frame)
{
	char text[48];
	uint64_t file = refs_value(refs, SNAP_FRAME_FILE, frame - 1);
	if (file != 0) {
		uint64_t line = refs_value(refs, SNAP_FRAME_LINE, frame - 1);
		refs_append_string(refs, out, file);
		snprintf(text, sizeof(text), ":%" PRIu64, line);
		buffer_text(out, line != 0 ? text : "");
		return;
	}
	uint64_t module = refs_value(refs, SNAP_FRAME_MODULE, frame - 1);
	if (module == 0)
		return;
	refs_append_string(refs, out, refs_value(refs, SNAP_MODULE_PATH, module - 1));
	snprintf(text, sizeof(text), "+0x%" PRIx64, refs_value(refs, SNAP_FRAME_OFFSET, frame - 1));
	buffer_text(out, text);
}
