/* "snapshot" of a V8 heap snapshot: what its numbers mean. */
#include "v8.h"

#include <string.h>

static const struct {
	const char *name;
	struct v8_node_type type;
} known_node_types[] = {
	/* Classes are those that DevTools shows, except
	 * that a set of roots is a class of its own. */
	{"hidden", {"(system)", NULL, SNAP_TYPE_HIDDEN, V8_NAME_KEPT, 0}},
	{"array", {NULL, NULL, SNAP_TYPE_ARRAY, V8_NAME_KEPT, 0}},
	{"string", {NULL, NULL, SNAP_TYPE_STRING, V8_NAME_CONTENT, 0}},
	{"object", {NULL, NULL, SNAP_TYPE_OBJECT, V8_NAME_CLASS, 0}},
	{"code", {"(compiled code)", NULL, SNAP_TYPE_CODE, V8_NAME_KEPT, 0}},
	{"closure", {"Function", NULL, SNAP_TYPE_CLOSURE, V8_NAME_KEPT, 0}},
	{"regexp", {"RegExp", NULL, SNAP_TYPE_REGEXP, V8_NAME_CONTENT, 0}},
	{"number", {NULL, "heap number", SNAP_TYPE_NUMBER, V8_NAME_CONTENT, 0}},
	{"native", {NULL, NULL, SNAP_TYPE_NATIVE, V8_NAME_CLASS, 0}},
	{"synthetic", {NULL, NULL, SNAP_TYPE_SYNTHETIC, V8_NAME_CLASS, 0}},
	{"concatenated string",
	 {NULL, "(concatenated string)", SNAP_TYPE_STRING, V8_NAME_CONTENT, 0}},
	{"sliced string", {NULL, "(sliced string)", SNAP_TYPE_STRING, V8_NAME_CONTENT, 0}},
	{"symbol", {NULL, "symbol", SNAP_TYPE_SYMBOL, V8_NAME_CONTENT, 0}},
	{"bigint", {NULL, "bigint", SNAP_TYPE_BIGINT, V8_NAME_CONTENT, 0}},
	{"object shape", {NULL, NULL, SNAP_TYPE_LAYOUT, V8_NAME_KEPT, 0}},
	{"wasm object", {NULL, NULL, SNAP_TYPE_OBJECT, V8_NAME_KEPT, 0}},
};

static const struct {
	const char *name;
	struct v8_edge_type type;
} known_edge_types[] = {
	{"context", {SNAP_REF_LOCAL, V8_LABEL_NAME, false}},
	{"element", {SNAP_REF_ELEMENT, V8_LABEL_INDEX, false}},
	{"property", {SNAP_REF_FIELD, V8_LABEL_NAME, false}},
	{"internal", {SNAP_REF_INTERNAL, V8_LABEL_NAME_OR_NUMBER, false}},
	{"hidden", {SNAP_REF_HIDDEN, V8_LABEL_INDEX, false}},
	{"shortcut", {SNAP_REF_SHORTCUT, V8_LABEL_NAME_OR_NUMBER, true}},
	{"weak", {SNAP_REF_WEAK, V8_LABEL_NAME_OR_NUMBER, false}},
};

/* Lists as they come, before it is known which field is which. */
struct raw_types {
	struct v8_names list; /* the one entry that is a list */
	size_t list_at;       /* V8_ABSENT: none */
};

static void read_names(struct json_scan *scan, struct v8_names *names)
{
	names->count = 0;
	json_scan_enter(scan, JSON_ARRAY);
	while (json_scan_element(scan)) {
		uint64_t offset = json_scan_offset(scan);
		json_scan_string(scan);
		if (scan->failed)
			return;
		if (names->count == V8_MAX_TYPES || scan->text_full_size >= V8_MAX_TYPE_NAME ||
		    memchr(scan->text, '\0', scan->text_size) != NULL) {
			json_scan_fail(scan, offset, "a list of names that no V8 has written");
			return;
		}
		memcpy(names->name[names->count], scan->text, scan->text_size);
		names->name[names->count++][scan->text_size] = '\0';
	}
}

/* [["hidden", ...], "string", "number", ...] */
static void read_types(struct json_scan *scan, struct raw_types *types)
{
	types->list_at = V8_ABSENT;
	json_scan_enter(scan, JSON_ARRAY);
	for (size_t i = 0; json_scan_element(scan); i++) {
		if (json_scan_peek(scan) != JSON_ARRAY) {
			json_scan_string(scan);
		} else if (types->list_at != V8_ABSENT) {
			json_scan_fail(scan, SNAP_NO_OFFSET, "two lists of types");
		} else {
			types->list_at = i;
			read_names(scan, &types->list);
		}
	}
}

static size_t find(const struct v8_names *names, const char *name)
{
	for (size_t i = 0; i < names->count; i++)
		if (strcmp(names->name[i], name) == 0)
			return i;
	return V8_ABSENT;
}

/* Finds a field that must be there. */
static size_t need(struct json_scan *scan, uint64_t offset, const struct v8_names *names,
		   const char *name)
{
	size_t at = find(names, name);
	if (at == V8_ABSENT)
		json_scan_fail(scan, offset, "meta has no field \"%s\"", name);
	return at;
}

struct raw_meta {
	struct v8_names node_fields, edge_fields, function_fields, trace_fields;
	struct raw_types node_types, edge_types;
};

static void read_meta(struct json_scan *scan, struct raw_meta *raw)
{
	json_scan_enter(scan, JSON_OBJECT);
	while (json_scan_member(scan)) {
		if (json_scan_is(scan, "node_fields"))
			read_names(scan, &raw->node_fields);
		else if (json_scan_is(scan, "node_types"))
			read_types(scan, &raw->node_types);
		else if (json_scan_is(scan, "edge_fields"))
			read_names(scan, &raw->edge_fields);
		else if (json_scan_is(scan, "edge_types"))
			read_types(scan, &raw->edge_types);
		else if (json_scan_is(scan, "trace_function_info_fields"))
			read_names(scan, &raw->function_fields);
		else if (json_scan_is(scan, "trace_node_fields"))
			read_names(scan, &raw->trace_fields);
		else
			json_scan_skip(scan);
	}
}

static void resolve_nodes(struct v8_meta *meta, const struct raw_meta *raw, struct json_scan *scan)
{
	const struct v8_names *fields = &raw->node_fields;
	meta->node.type = need(scan, meta->offset, fields, "type");
	meta->node.name = need(scan, meta->offset, fields, "name");
	meta->node.id = need(scan, meta->offset, fields, "id");
	meta->node.self_size = need(scan, meta->offset, fields, "self_size");
	meta->node.edge_count = need(scan, meta->offset, fields, "edge_count");
	meta->node.trace_node_id = find(fields, "trace_node_id");
	meta->node.detachedness = find(fields, "detachedness");
	meta->node.count = fields->count;
	if (fields->count > V8_MAX_FIELDS)
		json_scan_fail(scan, meta->offset, "more than %d fields of a node", V8_MAX_FIELDS);
	if (raw->node_types.list_at == V8_ABSENT || raw->node_types.list_at != meta->node.type)
		json_scan_fail(scan, meta->offset, "meta does not list the types of nodes");
	meta->node_type_names = raw->node_types.list;
	for (size_t i = 0; i < meta->node_type_names.count; i++) {
		meta->node_types[i] =
			(struct v8_node_type){NULL, NULL, SNAP_TYPE_OBJECT, V8_NAME_CONTENT, 0};
		for (size_t k = 0; k < sizeof(known_node_types) / sizeof(known_node_types[0]); k++)
			if (strcmp(meta->node_type_names.name[i], known_node_types[k].name) == 0)
				meta->node_types[i] = known_node_types[k].type;
	}
}

static void resolve_edges(struct v8_meta *meta, const struct raw_meta *raw, struct json_scan *scan)
{
	const struct v8_names *fields = &raw->edge_fields;
	meta->edge.type = need(scan, meta->offset, fields, "type");
	meta->edge.name = need(scan, meta->offset, fields, "name_or_index");
	meta->edge.to_node = need(scan, meta->offset, fields, "to_node");
	meta->edge.count = fields->count;
	if (fields->count > V8_MAX_FIELDS)
		json_scan_fail(scan, meta->offset, "more than %d fields of an edge", V8_MAX_FIELDS);
	if (raw->edge_types.list_at == V8_ABSENT || raw->edge_types.list_at != meta->edge.type)
		json_scan_fail(scan, meta->offset, "meta does not list the types of edges");
	meta->edge_type_names = raw->edge_types.list;
	for (size_t i = 0; i < meta->edge_type_names.count; i++) {
		size_t k = 0, known = sizeof(known_edge_types) / sizeof(known_edge_types[0]);
		while (k < known &&
		       strcmp(meta->edge_type_names.name[i], known_edge_types[k].name) != 0)
			k++;
		if (k < known)
			meta->edge_types[i] = known_edge_types[k].type;
		else /* whether it holds its target, nobody can tell */
			json_scan_fail(scan, meta->offset,
				       "unknown type of edges in meta, number %zu", i);
	}
}

/* Old snapshots have no traces, and no meta of them. */
static void resolve_traces(struct v8_meta *meta, const struct raw_meta *raw)
{
	meta->function.count = raw->function_fields.count;
	meta->function.name = find(&raw->function_fields, "name");
	meta->function.script = find(&raw->function_fields, "script_name");
	meta->function.line = find(&raw->function_fields, "line");
	meta->trace_count = raw->trace_fields.count;
	meta->trace_id = find(&raw->trace_fields, "id");
	meta->trace_function = find(&raw->trace_fields, "function_info_index");
	if (find(&raw->trace_fields, "children") + 1 != raw->trace_fields.count ||
	    meta->trace_count > V8_MAX_FIELDS)
		meta->trace_count = 0;
	if (meta->function.count > V8_MAX_FIELDS)
		meta->function.count = 0;
}

void v8_meta_read(struct v8_import *import, struct json_scan *scan)
{
	struct v8_meta *meta = &import->meta;
	struct raw_meta raw = {.node_types.list_at = V8_ABSENT, .edge_types.list_at = V8_ABSENT};
	if (meta->seen) {
		json_scan_fail(scan, SNAP_NO_OFFSET, "\"snapshot\" is there twice");
		return;
	}
	meta->seen = true;
	meta->offset = json_scan_offset(scan);
	bool has_meta = false;
	json_scan_enter(scan, JSON_OBJECT);
	while (json_scan_member(scan)) {
		if (json_scan_is(scan, "meta")) {
			read_meta(scan, &raw);
			has_meta = true;
		} else if (json_scan_is(scan, "node_count")) {
			meta->node_count = json_scan_unsigned(scan);
		} else if (json_scan_is(scan, "edge_count")) {
			meta->edge_count = json_scan_unsigned(scan);
		} else if (json_scan_is(scan, "root_index")) {
			meta->root_index = json_scan_unsigned(scan);
		} else if (json_scan_is(scan, "extra_native_bytes")) {
			meta->extra_native_bytes = json_scan_unsigned(scan);
		} else {
			json_scan_skip(scan);
		}
	}
	if (!scan->failed && !has_meta)
		json_scan_fail(scan, meta->offset, "\"snapshot\" has no member \"meta\"");
	if (scan->failed)
		return;
	resolve_nodes(meta, &raw, scan);
	resolve_edges(meta, &raw, scan);
	resolve_traces(meta, &raw);
}
