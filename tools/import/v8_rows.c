/* Rows of numbers out of the flat arrays of a V8 heap snapshot. */
#include "v8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

/* A batch should stay where a processor has it at hand, and be worth the way to another. */
#define ROWS_ALONE 512u
#define ROWS       4096u

static size_t rows_at_once(const struct v8_import *import)
{
	return import->worker.threaded ? ROWS : ROWS_ALONE;
}

static enum snap_status read_batch(struct v8_rows *rows, struct v8_batch *batch)
{
	batch->count = 0;
	if (rows->ended)
		return SNAP_END;
	batch->offset = json_scan_offset(&rows->scan);
	size_t most = rows_at_once(rows->import) * rows->fields;
	size_t got = json_scan_integers(&rows->scan, batch->values, most, &rows->ended);
	if (rows->scan.failed) {
		batch->error = rows->scan.error;
		return batch->error.status;
	}
	if (got % rows->fields != 0) {
		rows->ended = true;
		return import_fail_at(
			&batch->error, SNAP_CORRUPT, json_scan_offset(&rows->scan) - 1,
			"\"%s\" ends within a row of %zu numbers", rows->what, rows->fields);
	}
	batch->count = got / rows->fields;
	return batch->count > 0 ? SNAP_OK : SNAP_END;
}

static void read_job(struct libsnap_job *job)
{
	struct v8_batch *batch = (struct v8_batch *)job;
	batch->status = read_batch(batch->rows, batch);
}

enum snap_status v8_rows_begin(struct v8_rows *rows, struct v8_import *import,
			       enum v8_section section, size_t fields)
{
	static const char *const names[V8_SECTIONS] = {"nodes", "edges", "trace_function_infos"};
	*rows = (struct v8_rows){.import = import, .what = names[section], .fields = fields};
	enum snap_status status =
		import_reader_begin(&rows->reader, import->context->input,
				    import->sections[section].offset, import->error);
	if (status != SNAP_OK)
		return status;
	json_scan_begin(&rows->scan, &rows->reader, 0);
	rows->batch_count = import->worker.threaded ? V8_BATCHES : 1;
	for (size_t i = 0; i < rows->batch_count; i++) {
		struct v8_batch *batch = &rows->batches[i];
		batch->job.run = read_job;
		batch->rows = rows;
		batch->values = malloc(rows_at_once(import) * fields * sizeof(*batch->values));
		if (batch->values == NULL) {
			v8_rows_end(rows);
			return import_fail_at(import->error, SNAP_NO_MEMORY, SNAP_NO_OFFSET,
					      "out of memory");
		}
	}
	json_scan_enter(&rows->scan, JSON_ARRAY);
	/* The last is that which is asked for before the first. */
	rows->at = rows->batch_count - 1;
	for (size_t i = 0; i < rows->at; i++)
		libsnap_worker_post(&import->worker, &rows->batches[i].job);
	return SNAP_OK;
}

void v8_rows_end(struct v8_rows *rows)
{
	for (size_t i = 0; i < rows->batch_count; i++) {
		libsnap_worker_wait(&rows->import->worker, &rows->batches[i].job);
		free(rows->batches[i].values);
		rows->batches[i].values = NULL;
	}
	json_scan_end(&rows->scan);
	import_reader_end(&rows->reader);
}

enum snap_status v8_rows_fill(struct v8_rows *rows)
{
	struct v8_batch *batch = &rows->batches[rows->at];
	rows->taken += rows->count;
	rows->count = rows->next = 0;
	if (batch->status == SNAP_OK) {
		libsnap_worker_post(&rows->import->worker, &batch->job);
		rows->at = (rows->at + 1) % rows->batch_count;
		batch = &rows->batches[rows->at];
		libsnap_worker_wait(&rows->import->worker, &batch->job);
	}
	rows->values = batch->values;
	rows->count = batch->count;
	if (batch->status != SNAP_OK && batch->status != SNAP_END)
		*rows->import->error = batch->error;
	return batch->status;
}

/* Reads the batch again, number by number, up to the one that is wrong. */
static uint64_t locate(struct v8_rows *rows, size_t number)
{
	struct import_reader reader;
	if (import_reader_begin(&reader, rows->import->context->input,
				rows->batches[rows->at].offset, NULL) != SNAP_OK)
		return rows->batches[rows->at].offset;
	bool inside = false;
	for (int c; (c = import_reader_peek(&reader)) >= 0; reader.at++) {
		bool digit = c >= '0' && c <= '9';
		if (digit && !inside && number-- == 0)
			break;
		inside = digit;
	}
	uint64_t offset = import_reader_offset(&reader);
	import_reader_end(&reader);
	return offset;
}

enum snap_status v8_rows_fail(struct v8_rows *rows, size_t row, size_t field, const char *format,
			      ...)
{
	char reason[160];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	return import_fail_at(rows->import->error, SNAP_CORRUPT,
			      locate(rows, row * rows->fields + field),
			      "\"%s\", row %" PRIu64 ": %s", rows->what, rows->taken + row, reason);
}
