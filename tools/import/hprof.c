/* Imports an HPROF dump of a JVM or of Android (hprof.h has the outline). */
#include "hprof.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define LEAST_MEMORY (64u << 20)

/* Without a word from the user: what nearly all dumps need, and less
 * than they are; for heaps that are no match for the machine. */
static void choose_memory(struct hprof_import *import)
{
	uint64_t *memory = &import->context->writer_options.max_memory_bytes;
	if (*memory != 0)
		return;
	long pages = sysconf(_SC_PHYS_PAGES), page_size = sysconf(_SC_PAGESIZE);
	uint64_t most = LEAST_MEMORY;
	if (pages > 0 && page_size > 0)
		most = (uint64_t)pages / 4 * (uint64_t)page_size;
	uint64_t wanted = import->context->input->size / 8 * 5;
	*memory = wanted < most ? wanted : most;
	if (*memory < LEAST_MEMORY)
		*memory = LEAST_MEMORY;
}

static enum snap_status write_time(struct hprof_import *import)
{
	uint64_t ms = import->scan.time_ms;
	time_t seconds = (time_t)(ms / 1000);
	struct tm parts;
	char text[64];
	if (ms == 0 || ms > UINT64_C(253402300799999) || gmtime_r(&seconds, &parts) == NULL)
		return SNAP_OK; /* after the year 9999, or not given */
	size_t size = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + size, sizeof(text) - size, ".%03uZ", (unsigned)(ms % 1000));
	return snap_writer_property(import->context->writer, "time", text, import->error);
}

/* HotSpot's table of what its archive holds names mirrors that its dumps leave out. */
static const char *const unknown_of_jvm =
	", as HotSpot has them to classes of its archive that were not loaded";

static enum snap_status write_properties(struct hprof_import *import)
{
	struct snap_writer *writer = import->context->writer;
	const struct hprof_layout *layout = &import->layout;
	const struct import_options *options = import->context->options;
	char text[128];
	import->context->unknown_why = import->scan.android ? NULL : unknown_of_jvm;
	snprintf(text, sizeof(text), "header %u, array header %u, reference %u, alignment %u",
		 layout->header, layout->array_header, layout->reference, layout->alignment);
	enum snap_status status = snap_writer_property(
		writer, "runtime", import->scan.android ? "Android" : "JVM", import->error);
	if (status == SNAP_OK)
		status = snap_writer_property(writer, "object_layout", text, import->error);
	if (status == SNAP_OK)
		status = write_time(import);
	if (status == SNAP_OK)
		status = snap_writer_property(writer, "hash_key",
					      options->has_hash_key ? "given" : "derived",
					      import->error);
	return status;
}

static enum snap_status import_all(struct hprof_import *import)
{
	bool cut, was_gzip;
	enum snap_status status = import_input_make_seekable(import->context->input, import->error);
	if (status == SNAP_OK)
		status = import_gunzip(import->context->input, &cut, &was_gzip, import->error);
	if (status == SNAP_OK)
		status = hprof_pieces_begin(&import->pieces, import->context->input, import->error);
	if (status == SNAP_OK)
		status = hprof_pieces_begin(&import->name_pieces, import->context->input,
					    import->error);
	if (status != SNAP_OK)
		return status;
	choose_memory(import);
	hprof_text_begin(import);
	status = hprof_index_read(import);
	if (status == SNAP_OK && cut && !import->cut)
		status = import_fail_at(import->error, SNAP_CORRUPT, import->context->input->size,
					"the compressed file ends too early");
	if (status == SNAP_OK)
		status = hprof_text_finish(import);
	if (status == SNAP_OK)
		status = hprof_classes_measure(import);
	if (status != SNAP_OK)
		return status;
	status = import_begin(import->context, import->cut ? SNAP_SNAPSHOT_PARTIAL : 0,
			      import->error);
	if (status == SNAP_OK)
		status = write_properties(import);
	if (status == SNAP_OK)
		status = hprof_heap_write(import);
	if (status == SNAP_OK)
		status = hprof_roots_write(import);
	const struct snap_error *failed = import->pieces.failed.status != SNAP_OK
						  ? &import->pieces.failed
						  : &import->name_pieces.failed;
	if (status == SNAP_OK && failed->status != SNAP_OK) {
		*import->error = *failed;
		status = failed->status;
	}
	return status;
}

static void free_all(struct hprof_import *import)
{
	struct hprof_map *maps[] = {&import->names,        &import->frames,
				    &import->traces,       &import->labels,
				    &import->frame_ids,    &import->stacks,
				    &import->thread_names, &import->thread_by_serial,
				    &import->wanted_texts, &import->known_texts};
	for (size_t i = 0; i < sizeof(maps) / sizeof(maps[0]); i++)
		hprof_map_free(maps[i]);
	hprof_feed_end(import);
	hprof_pieces_end(&import->pieces);
	hprof_pieces_end(&import->name_pieces);
	hprof_classes_free(&import->classes);
	hprof_text_free(&import->text);
	free(import->threads);
	free(import->waiting);
	free(import->waiting_targets);
	free(import->roots);
	free(import);
}

enum snap_status import_hprof(struct import_context *context, struct snap_error *error)
{
	struct hprof_import *import = calloc(1, sizeof(*import));
	if (import == NULL)
		return import_fail_at(error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
	import->context = context;
	import->error = error;
	import->text.file.descriptor = -1;
	enum snap_status status = import_all(import);
	if (status == SNAP_OK && import->text.cut_count > 0)
		cli_warn("%s: %" PRIu64 " strings were cut at %u bytes", context->input->name,
			 import->text.cut_count, SNAP_MAX_STRING_SIZE);
	if (status == SNAP_OK && import->cut)
		context->lost = IMPORT_LOST_SOME;
	free_all(import);
	return status;
}
