/* Rows of numbers out of the flat arrays of a V8 heap snapshot. */
#include "v8.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"

#define ROWS_AT_ONCE 512

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
	rows->values = malloc(ROWS_AT_ONCE * fields * sizeof(*rows->values));
	if (rows->values == NULL) {
		v8_rows_end(rows);
		return import_fail_at(import->error, SNAP_NO_MEMORY, SNAP_NO_OFFSET,
				      "out of memory");
	}
	json_scan_enter(&rows->scan, JSON_ARRAY);
	return SNAP_OK;
}

void v8_rows_end(struct v8_rows *rows)
{
	free(rows->values);
	json_scan_end(&rows->scan);
	import_reader_end(&rows->reader);
	rows->values = NULL;
}

enum snap_status v8_rows_fill(struct v8_rows *rows)
{
	struct snap_error *error = rows->import->error;
	rows->taken += rows->count;
	rows->count = rows->next = 0;
	if (rows->ended)
		return SNAP_END;
	rows->batch_offset = json_scan_offset(&rows->scan);
	size_t got = json_scan_integers(&rows->scan, rows->values, ROWS_AT_ONCE * rows->fields,
					&rows->ended);
	if (rows->scan.failed) {
		*error = rows->scan.error;
		return error->status;
	}
	if (got % rows->fields != 0)
		return import_fail_at(error, SNAP_CORRUPT, json_scan_offset(&rows->scan) - 1,
				      "\"%s\" ends within a row of %zu numbers", rows->what,
				      rows->fields);
	rows->count = got / rows->fields;
	return rows->count > 0 ? SNAP_OK : SNAP_END;
}

/* Reads the batch again, number by number, up to the one that is wrong. */
static uint64_t locate(struct v8_rows *rows, size_t number)
{
	struct import_reader reader;
	if (import_reader_begin(&reader, rows->import->context->input, rows->batch_offset, NULL) !=
	    SNAP_OK)
		return rows->batch_offset;
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
