/* What is known of one object, and words for labels and roots. */
#include "graph.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

uint32_t libsnap_graph_run(const struct snap_graph *graph, uint64_t row)
{
	uint64_t mark = row >> graph->mark_shift;
	uint32_t low = graph->run_marks[mark], high = graph->run_count - 1;
	if (mark < (graph->objects - 1) >> graph->mark_shift)
		high = graph->run_marks[mark + 1];
	while (low < high) {
		uint32_t middle = low + (high - low + 1) / 2;
		if (graph->runs[middle].first_row <= row)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static enum snap_status no_row(struct snap_error *error, uint64_t row)
{
	return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "there is no row %" PRIu64, row);
}

enum snap_status snap_graph_object(struct snap_graph *graph, uint64_t row,
				   struct snap_graph_object *out, struct snap_error *error)
{
	if (row >= graph->objects)
		return no_row(error, row);
	uint32_t shape = graph->runs[libsnap_graph_run(graph, row)].shape;
	uint32_t type = graph->shapes[shape].type;
	struct snap_graph_object object = {
		.row = row, .shape = shape < graph->shape_count ? shape + 1u : 0, .type = type};
	if (type != 0)
		object.kind = (enum snap_type_kind)graph->type_kinds[type - 1];
	enum snap_status status =
		libsnap_graph_object_value(graph, SNAP_OBJECT_ADDRESS, row, &object.address, error);
	if (status == SNAP_OK)
		status = libsnap_graph_object_value(graph, SNAP_OBJECT_SIZE, row, &object.size,
						    error);
	if (status == SNAP_OK)
		status = libsnap_graph_object_value(graph, SNAP_OBJECT_COUNT, row, &object.count,
						    error);
	if (status != SNAP_OK)
		return status;
	if (libsnap_multiply_overflows(object.size, object.count, &object.bytes))
		object.bytes = UINT64_MAX;
	*out = object;
	return SNAP_OK;
}

uint64_t snap_graph_type(const struct snap_graph *graph, uint64_t row)
{
	return row < graph->objects ? libsnap_graph_shape(graph, row)->type : 0;
}

uint64_t snap_graph_type_until(const struct snap_graph *graph, uint64_t row, uint64_t *end)
{
	*end = row + 1;
	if (row >= graph->objects)
		return 0;
	const struct run *run = &graph->runs[libsnap_graph_run(graph, row)];
	*end = run[1].first_row;
	return graph->shapes[run->shape].type;
}

enum snap_status snap_graph_type_name(struct snap_graph *graph, uint64_t type, const char **bytes,
				      size_t *size, struct snap_error *error)
{
	uint64_t name = 0;
	if (type > graph->types)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "there is no type %" PRIu64,
				    type);
	if (type != 0) {
		enum snap_status status =
			libsnap_graph_value(graph, SNAP_TYPE_NAME, type - 1, &name, error);
		if (status != SNAP_OK)
			return status;
	}
	return snap_reader_string(graph->reader, name, bytes, size, error);
}

enum snap_status snap_graph_object_name(struct snap_graph *graph, uint64_t row, const char **bytes,
					size_t *size, struct snap_error *error)
{
	uint64_t name;
	if (row >= graph->objects)
		return no_row(error, row);
	enum snap_status status =
		libsnap_graph_object_value(graph, SNAP_OBJECT_NAME, row, &name, error);
	if (status != SNAP_OK)
		return status;
	return snap_reader_string(graph->reader, name, bytes, size, error);
}

enum snap_status snap_graph_find_address(struct snap_graph *graph, uint64_t address, uint64_t *row,
					 struct snap_error *error)
{
	static const uint32_t column = SNAP_OBJECT_ADDRESS;
	if (libsnap_indexed_has_spans(graph))
		return libsnap_indexed_find_address(graph, address, row, error);
	struct scan object = scan_begin(graph->reader, &column, 1, error);
	bool found = false;
	while (!found && address != 0 && scan_next(&object))
		found = scan_value(&object, 0) == address;
	if (found)
		*row = object.row;
	enum snap_status status = scan_end(&object, NULL);
	return status == SNAP_OK && !found ? SNAP_END : status;
}

/* A key object in words: its name, its text, or its type and address. */
static enum snap_status key_text(struct snap_graph *graph, uint64_t row, const char **bytes,
				 size_t *size, struct snap_error *error)
{
	uint64_t name = 0, content = 0, address = 0;
	enum snap_status status =
		libsnap_graph_object_value(graph, SNAP_OBJECT_NAME, row, &name, error);
	if (status == SNAP_OK && name == 0)
		status = libsnap_graph_value(graph, SNAP_OBJECT_CONTENT, row, &content, error);
	if (status == SNAP_OK && content != 0)
		status = libsnap_graph_value(graph, SNAP_CONTENT_TEXT, content - 1, &name, error);
	if (status == SNAP_OK && name == 0)
		status = libsnap_graph_object_value(graph, SNAP_OBJECT_ADDRESS, row, &address,
						    error);
	if (status != SNAP_OK)
		return status;
	const char *text;
	size_t length;
	if (name != 0)
		status = snap_reader_string(graph->reader, name, &text, &length, error);
	else
		status = snap_graph_type_name(graph, snap_graph_type(graph, row), &text, &length,
					      error);
	if (status != SNAP_OK)
		return status;
	char tail[32] = "}";
	if (name == 0)
		snprintf(tail, sizeof(tail), " 0x%" PRIx64 "}", address);
	if (length > sizeof(graph->text) - sizeof(tail) - 1)
		length = sizeof(graph->text) - sizeof(tail) - 1;
	graph->text[0] = '{';
	memcpy(graph->text + 1, text, length);
	memcpy(graph->text + 1 + length, tail, strlen(tail) + 1);
	*bytes = graph->text;
	*size = 1 + length + strlen(tail);
	return SNAP_OK;
}

enum snap_status snap_graph_label_text(struct snap_graph *graph, uint64_t label, const char **bytes,
				       size_t *size, struct snap_error *error)
{
	uint64_t value = label / 4;
	graph->text[0] = '\0';
	switch (label % 4) {
	case 0:
		if (label != SNAP_GRAPH_ANY_NAME)
			return snap_reader_string(graph->reader, value, bytes, size, error);
		snprintf(graph->text, sizeof(graph->text), "*");
		break;
	case 1:
		if (label == SNAP_GRAPH_ANY_INDEX)
			snprintf(graph->text, sizeof(graph->text), "[]");
		else
			snprintf(graph->text, sizeof(graph->text), "[%" PRIu64 "]", value);
		break;
	case 2:
		if (label == SNAP_GRAPH_ANY_KEY)
			snprintf(graph->text, sizeof(graph->text), "{}");
		else if (value >= 1 && value <= graph->objects)
			return key_text(graph, value - 1, bytes, size, error);
		else
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "a label that names no object");
		break;
	default: break;
	}
	*bytes = graph->text;
	*size = strlen(graph->text);
	return SNAP_OK;
}

enum snap_status snap_graph_root_text(struct snap_graph *graph, uint64_t root, const char **bytes,
				      size_t *size, struct snap_error *error)
{
	uint64_t label, kind;
	if (root == NONE) {
		*bytes = "unknown";
		*size = strlen(*bytes);
		return SNAP_OK;
	}
	if (root >= graph->roots)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "there is no root %" PRIu64,
				    root);
	enum snap_status status = libsnap_graph_value(graph, SNAP_ROOT_LABEL, root, &label, error);
	if (status != SNAP_OK)
		return status;
	if (label != 0)
		return snap_reader_string(graph->reader, label, bytes, size, error);
	status = libsnap_graph_value(graph, SNAP_ROOT_KIND_COLUMN, root, &kind, error);
	if (status != SNAP_OK)
		return status;
	const char *name = kind < UINT32_MAX ? snap_root_kind_name((uint32_t)kind) : NULL;
	*bytes = name != NULL ? name : "unknown";
	*size = strlen(*bytes);
	return SNAP_OK;
}
