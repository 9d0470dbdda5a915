/* Heap snapshots of V8: what the parts of the importer share.
 *
 * The file is one JSON object.  Nodes come first and name strings that come last,
 * edges name nodes by place, so the file is read several times: v8_index finds
 * where everything lies and keeps the strings; v8_nodes_check keeps the ids of the
 * nodes; v8_graph_write reads nodes and edges side by side into the writer. */
#ifndef V8_H
#define V8_H

#include "import.h"
#include "json_scan.h"
#include "siphash.h"
#include "worker.h"

#define V8_MAX_FIELDS    32
#define V8_MAX_TYPES     64
#define V8_MAX_TYPE_NAME 40
#define V8_ABSENT        SIZE_MAX

/* Longer strings keep this much of their text for the hash and for --contents. */
#define V8_MAX_TEXT (1u << 20)

/* A list of short names, as meta has them. */
struct v8_names {
	char name[V8_MAX_TYPES][V8_MAX_TYPE_NAME];
	size_t count;
};

/* What becomes of a node's name. */
enum v8_name_use {
	V8_NAME_KEPT,    /* class of its own; the name goes to the object */
	V8_NAME_CLASS,   /* the name is the class */
	V8_NAME_CONTENT, /* the name is what the program keeps in the heap: a secret */
};

struct v8_node_type {
	const char *class_name; /* NULL: the node's name, or the type's name in brackets */
	/* a name that V8 gives to all of this type, and that tells nothing */
	const char *placeholder;
	enum snap_type_kind kind;
	enum v8_name_use use;
	uint32_t type_id; /* in the writer; 0: not yet */
};

enum v8_edge_label { V8_LABEL_NAME, V8_LABEL_NAME_OR_NUMBER, V8_LABEL_INDEX };

struct v8_edge_type {
	enum snap_reference_kind kind;
	enum v8_edge_label label;
	bool shortcut;
};

struct v8_meta {
	bool seen;
	/* Where each field lies in a row, or V8_ABSENT. */
	struct {
		size_t type, name, id, self_size, edge_count, trace_node_id, detachedness, count;
	} node;
	struct {
		size_t type, name, to_node, count;
	} edge;
	struct {
		size_t name, script, line, count;
	} function;
	size_t trace_id, trace_function, trace_count; /* children come last */
	struct v8_names node_type_names, edge_type_names;
	struct v8_node_type node_types[V8_MAX_TYPES];
	struct v8_edge_type edge_types[V8_MAX_TYPES];
	uint64_t node_count, edge_count, root_index, extra_native_bytes;
	uint64_t offset; /* of "snapshot" in the file */
};

enum v8_section { V8_NODES, V8_EDGES, V8_FUNCTIONS, V8_TREE, V8_STRINGS, V8_SECTIONS };

struct v8_string {
	/* offset in the arena; with V8_IN_FILE set, of its quote in the file */
	uint64_t text;
	uint64_t label; /* of an edge, as SNAP_LABEL_...; 0: not yet made */
	uint32_t size;  /* bytes of text at hand */
	uint32_t string_id, content_id, object_type, native_type; /* in the writer; 0: not yet */
	uint32_t weak_table; /* not 0: names a pair in the WeakMap whose table has this id */
};
#define V8_IN_FILE (UINT64_C(1) << 63)

struct v8_strings {
	struct v8_string *items;
	size_t count, capacity;
	uint8_t *arena;
	size_t arena_size, arena_capacity, arena_limit;
	struct import_reader reader; /* for texts left in the file */
	struct json_scan scan;
	bool reader_open, cut_short;
	struct siphash_key key;
	uint64_t cut_count; /* longer than a string may be, where it was stored */
};

struct v8_trace {
	uint32_t id, stack;
};

struct v8_import {
	struct import_context *context;
	struct snap_error *error;
	struct libsnap_worker worker;
	struct v8_meta meta;
	struct {
		bool found;
		uint64_t offset, end;
	} sections[V8_SECTIONS];
	struct v8_strings strings;
	uint32_t *ids;           /* of all nodes */
	struct v8_trace *traces; /* by id */
	size_t trace_count, trace_capacity;
	uint64_t lost_names;
};

/* Rows as they were read; status says how it goes on after them. */
struct v8_batch {
	struct libsnap_job job;
	struct v8_rows *rows;
	uint64_t *values;
	size_t count;
	uint64_t offset; /* of the first in the file */
	enum snap_status status;
	struct snap_error error;
};

#define V8_BATCHES 3u

/* Rows of a fixed number of fields out of a flat array, a batch at a time.  While one is at hand, a
 * helper, where there is one, reads the next: reader, scan and ended are its own. */
struct v8_rows {
	struct v8_import *import;
	struct import_reader reader;
	struct json_scan scan;
	bool ended;
	struct v8_batch batches[V8_BATCHES];
	size_t batch_count, at;
	const char *what;           /* "nodes" */
	size_t fields, count, next; /* count rows at hand, of which next is the one to be taken */
	uint64_t taken;             /* rows in batches before this */
	const uint64_t *values;     /* of the batch at hand */
};

enum snap_status v8_rows_begin(struct v8_rows *rows, struct v8_import *import,
			       enum v8_section section, size_t fields);
void v8_rows_end(struct v8_rows *rows);
/* The next batch: SNAP_END after the last. */
enum snap_status v8_rows_fill(struct v8_rows *rows);
/* Fails with the place of a field of a row at hand. */
enum snap_status v8_rows_fail(struct v8_rows *rows, size_t row, size_t field, const char *format,
			      ...) __attribute__((format(printf, 4, 5)));

/* "snapshot": meta and counts, at scan. */
void v8_meta_read(struct v8_import *import, struct json_scan *scan);

/* "strings", at scan. */
void v8_strings_read(struct v8_import *import, struct json_scan *scan);
void v8_strings_end(struct v8_strings *strings);
/* The text of a string, until the next call. */
enum snap_status v8_string_text(struct v8_import *import, uint64_t index, const char **text,
				size_t *size);
enum snap_status v8_string_id(struct v8_import *import, uint64_t index, uint32_t *id);
enum snap_status v8_string_label(struct v8_import *import, uint64_t index, enum v8_edge_label how,
				 uint64_t *label);
enum snap_status v8_string_content(struct v8_import *import, uint64_t index, uint32_t *id);

/* trace_function_infos and trace_tree, into frames and stacks. */
enum snap_status v8_trace_read(struct v8_import *import);
/* False if no stack has that id. */
bool v8_trace_stack(const struct v8_import *import, uint64_t id, uint32_t *stack);

enum snap_status v8_nodes_check(struct v8_import *import);
enum snap_status v8_graph_write(struct v8_import *import);

#endif
