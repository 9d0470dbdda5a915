/* Imports a heap snapshot of V8 (v8.h has the outline). */
#include "v8.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

/* So small a file is read before a thread has begun. */
#define LITTLE (1u << 20)

static const char *const section_names[V8_SECTIONS] = {
	"nodes", "edges", "trace_function_infos", "trace_tree", "strings",
};

static enum v8_section find_section(const struct json_scan *scan)
{
	enum v8_section section = V8_NODES;
	while (section < V8_SECTIONS && !json_scan_is(scan, section_names[section]))
		section++;
	return section;
}

/* A member of the whole: its place is kept; only what is small, or needed now, is looked into. */
static void read_member(struct v8_import *import, struct json_scan *scan)
{
	if (json_scan_is(scan, "snapshot")) {
		v8_meta_read(import, scan);
		return;
	}
	enum v8_section section = find_section(scan);
	if (section == V8_SECTIONS) {
		json_scan_skip(scan);
		return;
	}
	if (json_scan_peek(scan) != JSON_ARRAY) {
		json_scan_fail(scan, SNAP_NO_OFFSET, "\"%s\" is no array", section_names[section]);
		return;
	}
	if (import->sections[section].found) {
		json_scan_fail(scan, SNAP_NO_OFFSET, "\"%s\" is there twice",
			       section_names[section]);
		return;
	}
	import->sections[section].found = true;
	import->sections[section].offset = json_scan_offset(scan);
	if (section == V8_STRINGS)
		v8_strings_read(import, scan);
	else if (section == V8_TREE)
		json_scan_skip(scan);
	else
		json_scan_skip_flat(scan);
	import->sections[section].end = json_scan_offset(scan);
}

/* Input that stops within or after the strings has all
 * objects and references: only some names are lost. */
static bool accept_cut(struct v8_import *import, struct json_scan *scan)
{
	bool at_end = scan->error.status == SNAP_CORRUPT &&
		      scan->error.offset >= import->context->input->size;
	if (!at_end || !import->context->options->partial)
		return false;
	if (!import->meta.seen || !import->sections[V8_NODES].found ||
	    !import->sections[V8_EDGES].found || !import->sections[V8_STRINGS].found) {
		snprintf(scan->error.message, sizeof(scan->error.message),
			 "ends too early: before the names, without which nothing has a meaning");
		return false;
	}
	import->strings.cut_short = true;
	return true;
}

static enum snap_status check_sections(struct v8_import *import)
{
	if (!import->meta.seen)
		return import_fail_at(import->error, SNAP_CORRUPT, import->context->input->size,
				      "no heap snapshot of V8: there is no member \"snapshot\"");
	static const enum v8_section needed[] = {V8_NODES, V8_EDGES, V8_STRINGS};
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++)
		if (!import->sections[needed[i]].found)
			return import_fail_at(
				import->error, SNAP_CORRUPT, import->context->input->size,
				"there is no member \"%s\"", section_names[needed[i]]);
	return SNAP_OK;
}

/* Finds the sections and reads what lies outside nodes and edges. */
static enum snap_status read_index(struct v8_import *import)
{
	struct import_reader reader;
	enum snap_status status =
		import_reader_begin(&reader, import->context->input, 0, import->error);
	if (status != SNAP_OK)
		return status;
	struct json_scan scan;
	json_scan_begin(&scan, &reader, V8_MAX_TEXT);
	json_scan_enter(&scan, JSON_OBJECT);
	while (json_scan_member(&scan))
		read_member(import, &scan);
	if (!scan.failed)
		json_scan_finish(&scan);
	if (scan.failed && !accept_cut(import, &scan)) {
		status = scan.error.status;
		*import->error = scan.error;
	}
	json_scan_end(&scan);
	import_reader_end(&reader);
	return status == SNAP_OK ? check_sections(import) : status;
}

static enum snap_status choose_key(struct v8_import *import)
{
	const struct import_options *options = import->context->options;
	if (options->has_hash_key)
		import->strings.key = siphash_key_from_bytes(options->hash_key);
	const char *how = options->has_hash_key ? "given" : "derived";
	return snap_writer_property(import->context->writer, "hash_key", how, import->error);
}

static enum snap_status write_properties(struct v8_import *import)
{
	struct snap_writer *writer = import->context->writer;
	enum snap_status status = snap_writer_property(writer, "runtime", "V8", import->error);
	if (status == SNAP_OK)
		status = choose_key(import);
	if (status == SNAP_OK && import->meta.extra_native_bytes > 0) {
		char number[24];
		snprintf(number, sizeof(number), "%" PRIu64, import->meta.extra_native_bytes);
		status = snap_writer_property(writer, "extra_native_bytes", number, import->error);
	}
	return status;
}

static enum snap_status import_all(struct v8_import *import)
{
	enum snap_status status = read_index(import);
	if (status == SNAP_OK)
		status = v8_nodes_check(import);
	if (status == SNAP_OK)
		status = import_begin(import->context,
				      import->strings.cut_short ? SNAP_SNAPSHOT_PARTIAL : 0,
				      import->error);
	if (status == SNAP_OK)
		status = write_properties(import);
	if (status == SNAP_OK)
		status = v8_trace_read(import);
	if (status == SNAP_OK)
		status = v8_graph_write(import);
	return status;
}

static uint64_t default_memory(uint64_t input_size)
{
	const uint64_t least = 24u << 20;
	return input_size / 8 > least ? input_size / 8 : least;
}

enum snap_status import_v8(struct import_context *context, struct snap_error *error)
{
	enum snap_status status = import_input_make_seekable(context->input, error);
	if (status != SNAP_OK)
		return status;
	struct v8_import *import = calloc(1, sizeof(*import));
	if (import == NULL)
		return import_fail_at(error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
	import->context = context;
	import->error = error;
	/* Without a word from the user, an import takes
	 * much less memory than the file has bytes. */
	if (context->writer_options.max_memory_bytes == 0)
		context->writer_options.max_memory_bytes = default_memory(context->input->size);
	const bool little = context->input->size < LITTLE;
	libsnap_worker_begin(&import->worker, little ? 1 : context->writer_options.threads);
	status = import_all(import);
	libsnap_worker_end(&import->worker);
	if (status == SNAP_OK && import->strings.cut_count > 0)
		cli_warn("%s: %" PRIu64 " strings were cut at %u bytes", context->input->name,
			 import->strings.cut_count, SNAP_MAX_STRING_SIZE);
	if (import->strings.cut_short)
		context->lost = import->lost_names > 0 ? import->lost_names : IMPORT_LOST_SOME;
	v8_strings_end(&import->strings);
	free(import->traces);
	free(import->ids);
	free(import);
	return status;
}
