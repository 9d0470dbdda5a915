/* Nodes and edges of a V8 heap snapshot, into objects and references. */
#include "v8.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* ---- first the nodes alone: ids, and every number checked ---- */

static enum snap_status check_node(struct v8_import *import, struct v8_rows *rows, size_t row,
				   uint64_t *edges)
{
	const struct v8_meta *meta = &import->meta;
	const uint64_t *node = rows->values + row * rows->fields;
	if (node[meta->node.type] >= meta->node_type_names.count)
		return v8_rows_fail(rows, row, meta->node.type, "there is no such type");
	uint64_t name = node[meta->node.name];
	if (name >= import->strings.count && !import->strings.cut_short)
		return v8_rows_fail(rows, row, meta->node.name, "there is no such string");
	uint64_t id = node[meta->node.id];
	if (id == 0 || id > UINT32_MAX)
		return v8_rows_fail(rows, row, meta->node.id, "an id is from 1 to 2^32 - 1");
	if (meta->node.detachedness != V8_ABSENT && node[meta->node.detachedness] > 2)
		return v8_rows_fail(rows, row, meta->node.detachedness,
				    "detachedness is from 0 to 2");
	if (rows->taken + row >= meta->node_count)
		return v8_rows_fail(rows, row, 0,
				    "there are more than the %" PRIu64 " nodes of \"node_count\"",
				    meta->node_count);
	if (node[meta->node.edge_count] > meta->edge_count - *edges)
		return v8_rows_fail(rows, row, meta->node.edge_count,
				    "there are more than the %" PRIu64 " edges of \"edge_count\"",
				    meta->edge_count);
	*edges += node[meta->node.edge_count];
	import->ids[rows->taken + row] = (uint32_t)id;
	return SNAP_OK;
}

static enum snap_status check_nodes(struct v8_import *import, struct v8_rows *rows)
{
	const struct v8_meta *meta = &import->meta;
	enum snap_status status;
	uint64_t edges = 0;
	while ((status = v8_rows_fill(rows)) == SNAP_OK) {
		for (size_t row = 0; row < rows->count; row++) {
			status = check_node(import, rows, row, &edges);
			if (status != SNAP_OK)
				return status;
		}
	}
	if (status != SNAP_END)
		return status;
	if (rows->taken != meta->node_count)
		return import_fail_at(import->error, SNAP_CORRUPT, import->sections[V8_NODES].end,
				      "%" PRIu64 " nodes, but \"node_count\" is %" PRIu64,
				      rows->taken, meta->node_count);
	if (edges != meta->edge_count)
		return import_fail_at(import->error, SNAP_CORRUPT, import->sections[V8_NODES].end,
				      "the nodes have %" PRIu64
				      " edges, but \"edge_count\" is %" PRIu64,
				      edges, meta->edge_count);
	if (meta->root_index % meta->node.count != 0 ||
	    meta->root_index / meta->node.count >= meta->node_count)
		return import_fail_at(import->error, SNAP_CORRUPT, meta->offset,
				      "\"root_index\" is no node");
	return SNAP_OK;
}

enum snap_status v8_nodes_check(struct v8_import *import)
{
	const struct v8_meta *meta = &import->meta;
	/* Each number takes a digit and a comma, so a count
	 * that the file cannot hold sizes nothing. */
	uint64_t bytes = import->sections[V8_NODES].end - import->sections[V8_NODES].offset;
	if (meta->node_count > bytes / 2 / meta->node.count ||
	    meta->node_count > SIZE_MAX / sizeof(*import->ids))
		return import_fail_at(import->error, SNAP_CORRUPT, meta->offset,
				      "\"node_count\" is more than the file has room for");
	import->ids =
		malloc(meta->node_count > 0 ? (size_t)meta->node_count * sizeof(*import->ids) : 1);
	if (import->ids == NULL)
		return import_fail_at(import->error, SNAP_NO_MEMORY, SNAP_NO_OFFSET,
				      "out of memory");
	struct v8_rows rows;
	enum snap_status status = v8_rows_begin(&rows, import, V8_NODES, meta->node.count);
	if (status != SNAP_OK)
		return status;
	status = check_nodes(import, &rows);
	v8_rows_end(&rows);
	return status;
}

/* ---- then nodes and edges side by side, into the writer ---- */

/* V8's root has the empty name. */
#define ROOT_NAME "(root)"

static enum snap_status make_type(struct v8_import *import, const char *name, size_t size,
				  enum snap_type_kind kind, uint32_t *id)
{
	uint32_t string;
	enum snap_status status =
		snap_writer_string(import->context->writer, name, size, &string, import->error);
	if (status == SNAP_OK)
		status = snap_writer_type(import->context->writer, string, kind, id, import->error);
	return status;
}

/* DOM nodes are called "<div id=...>" or "Detached <div id=...>": their
 * class is "<div>" (DevTools does the same).  The size of the class in
 * name, to which a '>' belongs if it is cut; size itself if it is not. */
static size_t class_size(const char *name, size_t size)
{
	static const char detached[] = "Detached <";
	size_t from = 0;
	if (size >= sizeof(detached) - 1 && memcmp(name, detached, sizeof(detached) - 1) == 0)
		from = sizeof(detached) - 1;
	else if (size == 0 || name[0] != '<')
		return size;
	const char *space = memchr(name + from, ' ', size - from);
	return space == NULL ? size : (size_t)(space - name);
}

/* The type of a node whose name is its class; *cut if the name has more than the class. */
static enum snap_status class_of_name(struct v8_import *import, const struct v8_node_type *type,
				      uint64_t name, uint32_t *id, bool *cut)
{
	const char *text;
	size_t size;
	enum snap_status status = v8_string_text(import, name, &text, &size);
	if (status != SNAP_OK)
		return status;
	if (size == 0 && type->kind == SNAP_TYPE_SYNTHETIC)
		return make_type(import, ROOT_NAME, strlen(ROOT_NAME), type->kind, id);
	char class_name[256];
	size_t kept = class_size(text, size);
	*cut = kept < size && kept < sizeof(class_name);
	if (!*cut)
		return make_type(import, text, size, type->kind, id);
	memcpy(class_name, text, kept);
	class_name[kept++] = '>';
	return make_type(import, class_name, kept, type->kind, id);
}

static enum snap_status type_by_name(struct v8_import *import, const struct v8_node_type *type,
				     uint64_t name, struct snap_object *object)
{
	uint32_t *known = NULL;
	if (name < import->strings.count && type->kind != SNAP_TYPE_SYNTHETIC) {
		struct v8_string *string = &import->strings.items[name];
		known = type->kind == SNAP_TYPE_NATIVE ? &string->native_type
						       : &string->object_type;
		object->type = *known;
	}
	if (object->type != 0)
		return SNAP_OK;
	bool cut = false;
	enum snap_status status = class_of_name(import, type, name, &object->type, &cut);
	if (status == SNAP_OK && cut) /* not remembered: each such node has its name too */
		status = v8_string_id(import, name, &object->name);
	else if (status == SNAP_OK && known != NULL)
		*known = object->type;
	return status;
}

static enum snap_status type_by_kind(struct v8_import *import, struct v8_node_type *type,
				     uint32_t *id)
{
	if (type->type_id != 0) {
		*id = type->type_id;
		return SNAP_OK;
	}
	char text[V8_MAX_TYPE_NAME + 2];
	size_t size;
	if (type->class_name != NULL) {
		size = strlen(type->class_name);
		memcpy(text, type->class_name, size);
	} else {
		const char *name =
			import->meta.node_type_names.name[type - import->meta.node_types];
		size = strlen(name);
		text[0] = '(';
		memcpy(text + 1, name, size);
		text[size + 1] = ')';
		size += 2;
	}
	enum snap_status status = make_type(import, text, size, type->kind, &type->type_id);
	*id = type->type_id;
	return status;
}

static enum snap_status name_node(struct v8_import *import, const struct v8_node_type *type,
				  uint64_t name, struct snap_object *object)
{
	if (name < import->strings.count && import->strings.items[name].size == 0 &&
	    type->use != V8_NAME_CONTENT)
		return SNAP_OK;
	if (type->use == V8_NAME_KEPT)
		return v8_string_id(import, name, &object->name);
	if (type->placeholder != NULL) {
		const char *text;
		size_t size;
		enum snap_status status = v8_string_text(import, name, &text, &size);
		if (status != SNAP_OK)
			return status;
		if (size == strlen(type->placeholder) && memcmp(text, type->placeholder, size) == 0)
			return SNAP_OK;
	}
	return v8_string_content(import, name, &object->content);
}

/* What was checked once is read again: another program may have written to the file in between. */
static enum snap_status changed(struct v8_import *import)
{
	return import_fail_at(import->error, SNAP_CORRUPT, SNAP_NO_OFFSET,
			      "it was changed while it was read");
}

static enum snap_status write_node(struct v8_import *import, struct v8_rows *nodes, size_t row)
{
	struct v8_meta *meta = &import->meta;
	const uint64_t *node = nodes->values + row * nodes->fields;
	if (nodes->taken + row >= meta->node_count ||
	    node[meta->node.type] >= meta->node_type_names.count)
		return changed(import);
	struct v8_node_type *type = &meta->node_types[node[meta->node.type]];
	struct snap_object object = {
		.id = node[meta->node.id],
		.size = node[meta->node.self_size],
		.count = 1,
	};
	enum snap_status status;
	if (type->use == V8_NAME_CLASS) {
		status = type_by_name(import, type, node[meta->node.name], &object);
	} else {
		status = type_by_kind(import, type, &object.type);
		if (status == SNAP_OK)
			status = name_node(import, type, node[meta->node.name], &object);
	}
	if (status != SNAP_OK)
		return status;
	if (meta->node.detachedness != V8_ABSENT) {
		static const uint32_t flags[] = {0, SNAP_OBJECT_ATTACHED, SNAP_OBJECT_DETACHED};
		object.flags = flags[node[meta->node.detachedness] % 3];
	}
	if (meta->node.trace_node_id != V8_ABSENT && node[meta->node.trace_node_id] != 0 &&
	    !v8_trace_stack(import, node[meta->node.trace_node_id], &object.stack))
		return v8_rows_fail(nodes, row, meta->node.trace_node_id,
				    "there is no such node in the trace tree");
	return snap_writer_object(import->context->writer, &object, import->error);
}

/* The edge at edges->next. */
static enum snap_status write_edge(struct v8_import *import, struct v8_rows *edges, uint32_t from,
				   bool from_root)
{
	const struct v8_meta *meta = &import->meta;
	const uint64_t *edge = edges->values + edges->next * edges->fields;
	if (edge[meta->edge.type] >= meta->edge_type_names.count)
		return v8_rows_fail(edges, edges->next, meta->edge.type, "there is no such type");
	uint64_t to = edge[meta->edge.to_node];
	uint64_t ordinal = to <= UINT32_MAX ? (uint32_t)to / (uint32_t)meta->node.count
					    : to / meta->node.count;
	if (ordinal >= meta->node_count || ordinal * meta->node.count != to)
		return v8_rows_fail(edges, edges->next, meta->edge.to_node,
				    "there is no such node");
	const struct v8_edge_type *type = &meta->edge_types[edge[meta->edge.type]];
	enum snap_reference_kind kind = type->kind;
	uint64_t name = edge[meta->edge.name], label;
	if (type->label == V8_LABEL_INDEX) {
		if (name > UINT64_MAX / 8)
			return v8_rows_fail(edges, edges->next, meta->edge.name,
					    "no element has that index");
		label = SNAP_LABEL_INDEX(name);
	} else {
		if (name >= import->strings.count && !import->strings.cut_short)
			return v8_rows_fail(edges, edges->next, meta->edge.name,
					    "there is no such string");
		enum snap_status status = v8_string_label(import, name, type->label, &label);
		if (status != SNAP_OK)
			return status;
		/* Both key and table of a WeakMap have an edge to
		 * the value: it is the key's that holds it. */
		if (kind == SNAP_REF_INTERNAL && name < import->strings.count &&
		    import->strings.items[name].weak_table == from)
			kind = SNAP_REF_EPHEMERON;
	}
	/* Shortcuts of the root mark the program's global objects, and hold them. */
	if (type->shortcut && from_root)
		kind = SNAP_REF_INTERNAL;
	return snap_writer_reference(import->context->writer, from, import->ids[ordinal], kind,
				     label, import->error);
}

static enum snap_status too_few_edges(struct v8_import *import, const struct v8_rows *edges)
{
	return import_fail_at(import->error, SNAP_CORRUPT, import->sections[V8_EDGES].end,
			      "%" PRIu64 " edges, but \"edge_count\" is %" PRIu64, edges->taken,
			      import->meta.edge_count);
}

static enum snap_status write_edges(struct v8_import *import, struct v8_rows *edges, uint64_t count,
				    uint32_t from, bool from_root)
{
	enum snap_status status = SNAP_OK;
	for (; count > 0 && status == SNAP_OK; count--, edges->next++) {
		if (edges->next == edges->count) {
			status = v8_rows_fill(edges);
			if (status != SNAP_OK)
				return status == SNAP_END ? too_few_edges(import, edges) : status;
		}
		status = write_edge(import, edges, from, from_root);
	}
	return status;
}

static enum snap_status write_graph(struct v8_import *import, struct v8_rows *nodes,
				    struct v8_rows *edges)
{
	const struct v8_meta *meta = &import->meta;
	uint64_t root = meta->root_index / meta->node.count;
	enum snap_status status;
	while ((status = v8_rows_fill(nodes)) == SNAP_OK) {
		for (size_t row = 0; row < nodes->count; row++) {
			uint64_t count = nodes->values[row * nodes->fields + meta->node.edge_count];
			uint64_t ordinal = nodes->taken + row;
			status = write_node(import, nodes, row);
			if (status == SNAP_OK)
				status = write_edges(import, edges, count, import->ids[ordinal],
						     ordinal == root);
			if (status != SNAP_OK)
				return status;
		}
		cli_progress("importing", nodes->taken, meta->node_count);
	}
	if (status != SNAP_END)
		return status;
	if (edges->next < edges->count || (status = v8_rows_fill(edges)) == SNAP_OK)
		return v8_rows_fail(edges, edges->next, 0, "no node has this edge");
	if (status != SNAP_END)
		return status;
	struct snap_root vm = {.object = import->ids[root], .kind = SNAP_ROOT_VM};
	status = snap_writer_string(import->context->writer, ROOT_NAME, strlen(ROOT_NAME),
				    &vm.label, import->error);
	return status != SNAP_OK ? status
				 : snap_writer_root(import->context->writer, &vm, import->error);
}

enum snap_status v8_graph_write(struct v8_import *import)
{
	struct v8_rows nodes = {.import = import}, edges = {.import = import};
	enum snap_status status = v8_rows_begin(&nodes, import, V8_NODES, import->meta.node.count);
	if (status == SNAP_OK)
		status = v8_rows_begin(&edges, import, V8_EDGES, import->meta.edge.count);
	if (status == SNAP_OK)
		status = write_graph(import, &nodes, &edges);
	v8_rows_end(&edges);
	v8_rows_end(&nodes);
	return status;
}
