/* Allocation traces of a V8 heap snapshot: functions become frames, the tree becomes stacks. */
#include "v8.h"

#include <stdlib.h>
#include <string.h>

struct trace_functions {
	uint32_t *frames; /* ids in the writer */
	size_t count, capacity;
	uint64_t root; /* the one that stands for no function */
};

static enum snap_status no_memory(struct v8_import *import)
{
	return import_fail_at(import->error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
}

/* A name that may be empty: then 0. */
static enum snap_status read_name(struct v8_import *import, struct v8_rows *rows, size_t row,
				  size_t field, uint32_t *id)
{
	*id = 0;
	if (field == V8_ABSENT)
		return SNAP_OK;
	uint64_t index = rows->values[row * rows->fields + field];
	if (index >= import->strings.count && !import->strings.cut_short)
		return v8_rows_fail(rows, row, field, "there is no such string");
	const char *text;
	size_t size;
	enum snap_status status = v8_string_text(import, index, &text, &size);
	if (status == SNAP_OK && size > 0)
		status = v8_string_id(import, index, id);
	return status;
}

static enum snap_status add_function(struct v8_import *import, struct v8_rows *rows, size_t row,
				     struct trace_functions *functions)
{
	const struct v8_meta *meta = &import->meta;
	struct snap_frame frame = {.function = 0};
	enum snap_status status =
		read_name(import, rows, row, meta->function.name, &frame.function);
	if (status == SNAP_OK)
		status = read_name(import, rows, row, meta->function.script, &frame.file);
	if (status != SNAP_OK)
		return status;
	if (meta->function.line != V8_ABSENT) {
		uint64_t line = rows->values[row * rows->fields + meta->function.line];
		if (line > UINT32_MAX)
			return v8_rows_fail(rows, row, meta->function.line,
					    "no line has that number");
		frame.line = (uint32_t)line;
	}
	if (functions->count == functions->capacity) {
		size_t capacity = functions->capacity == 0 ? 256 : functions->capacity * 2;
		uint32_t *frames = realloc(functions->frames, capacity * sizeof(*frames));
		if (frames == NULL)
			return no_memory(import);
		functions->frames = frames;
		functions->capacity = capacity;
	}
	uint32_t *id = &functions->frames[functions->count++];
	return snap_writer_frame(import->context->writer, &frame, id, import->error);
}

static enum snap_status read_functions(struct v8_import *import, struct trace_functions *functions)
{
	struct v8_rows rows;
	enum snap_status status =
		v8_rows_begin(&rows, import, V8_FUNCTIONS, import->meta.function.count);
	if (status != SNAP_OK)
		return status;
	while ((status = v8_rows_fill(&rows)) == SNAP_OK) {
		for (size_t row = 0; row < rows.count && status == SNAP_OK; row++)
			status = add_function(import, &rows, row, functions);
		if (status != SNAP_OK)
			break;
	}
	v8_rows_end(&rows);
	return status == SNAP_END ? SNAP_OK : status;
}

static enum snap_status add_trace(struct v8_import *import, uint32_t id, uint32_t stack)
{
	if (import->trace_count == import->trace_capacity) {
		size_t capacity = import->trace_capacity == 0 ? 1024 : import->trace_capacity * 2;
		struct v8_trace *traces = realloc(import->traces, capacity * sizeof(*traces));
		if (traces == NULL)
			return no_memory(import);
		import->traces = traces;
		import->trace_capacity = capacity;
	}
	import->traces[import->trace_count++] = (struct v8_trace){id, stack};
	return SNAP_OK;
}

/* The fields of a node of the tree before its children.  False if the scan failed. */
static bool read_node(struct v8_import *import, struct json_scan *scan,
		      const struct trace_functions *functions, uint64_t *id, uint64_t *function)
{
	const struct v8_meta *meta = &import->meta;
	uint64_t values[V8_MAX_FIELDS] = {0};
	uint64_t offset = json_scan_offset(scan);
	for (size_t i = 0; i + 1 < meta->trace_count; i++) {
		values[i] = json_scan_unsigned(scan);
		if (!scan->failed && !json_scan_element(scan))
			json_scan_fail(scan, SNAP_NO_OFFSET,
				       "a node of the trace tree is incomplete");
	}
	*id = values[meta->trace_id];
	*function = values[meta->trace_function];
	if (*id > UINT32_MAX || *function >= functions->count)
		json_scan_fail(scan, offset,
			       "a node of the trace tree has an id or function out of range");
	return !scan->failed;
}

/* Walks the tree with a stack of its own: how deep it is, is the file's choice. */
static enum snap_status read_tree(struct v8_import *import, struct json_scan *scan,
				  const struct trace_functions *functions)
{
	uint32_t parents[JSON_SCAN_MAX_DEPTH] = {0}; /* v8.c has gone over it with that limit */
	size_t depth = 0;
	json_scan_enter(scan, JSON_ARRAY);
	while (!scan->failed) {
		if (!json_scan_element(scan)) {
			if (depth == 0)
				break;
			depth--;
			continue;
		}
		uint64_t id, function;
		if (!read_node(import, scan, functions, &id, &function))
			break;
		uint32_t stack = 0; /* the outermost node is "(root)", which is no caller */
		enum snap_status status = SNAP_OK;
		if (depth > 0)
			status = snap_writer_stack(import->context->writer, parents[depth],
						   functions->frames[function], 0, &stack,
						   import->error);
		if (status == SNAP_OK)
			status = add_trace(import, (uint32_t)id, stack);
		if (status != SNAP_OK)
			return status;
		json_scan_enter(scan, JSON_ARRAY);
		if (depth + 1 == JSON_SCAN_MAX_DEPTH)
			json_scan_fail(scan, SNAP_NO_OFFSET, "the trace tree is too deep");
		else
			parents[++depth] = stack;
	}
	if (scan->failed) {
		*import->error = scan->error;
		return import->error->status;
	}
	return SNAP_OK;
}

static int compare_traces(const void *a, const void *b)
{
	const struct v8_trace *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

enum snap_status v8_trace_read(struct v8_import *import)
{
	const struct v8_meta *meta = &import->meta;
	if (!import->sections[V8_FUNCTIONS].found || !import->sections[V8_TREE].found ||
	    meta->function.count == 0 || meta->trace_count < 2 || meta->trace_id == V8_ABSENT ||
	    meta->trace_function == V8_ABSENT)
		return SNAP_OK;
	struct trace_functions functions = {.count = 0};
	struct import_reader reader = {.ended = true};
	struct json_scan scan = {.failed = false};
	enum snap_status status = read_functions(import, &functions);
	if (status == SNAP_OK)
		status = import_reader_begin(&reader, import->context->input,
					     import->sections[V8_TREE].offset, import->error);
	if (status == SNAP_OK) {
		json_scan_begin(&scan, &reader, 0);
		status = read_tree(import, &scan, &functions);
	}
	if (status == SNAP_OK && import->trace_count > 0)
		qsort(import->traces, import->trace_count, sizeof(*import->traces), compare_traces);
	json_scan_end(&scan);
	import_reader_end(&reader);
	free(functions.frames);
	return status;
}

bool v8_trace_stack(const struct v8_import *import, uint64_t id, uint32_t *stack)
{
	size_t low = 0, high = import->trace_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (import->traces[middle].id < id)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == import->trace_count || import->traces[low].id != id)
		return false;
	*stack = import->traces[low].stack;
	return true;
}
