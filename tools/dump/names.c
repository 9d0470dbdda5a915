/* Strings, properties and the tables of names; roots, timeline and totals. */
#include <stdlib.h>
#include <string.h>

#include "dump.h"

#define COUNT(array) (sizeof(array) / sizeof(*(array)))
#define FIELDS_MAX   8

/* Whether all strings so far, kept in memory, are still few enough. */
static bool keep_string(struct dump *d, uint64_t row, const char *bytes, size_t size)
{
	if (d->text.size + size > d->memory / 4)
		return false;
	buffer_append(&d->text, bytes, size);
	d->offsets[row + 1] = d->text.size;
	return true;
}

static void forget_strings(struct dump *d)
{
	free(d->offsets);
	d->offsets = NULL;
	buffer_free(&d->text);
	d->text = (struct buffer){0};
}

bool dump_strings(struct dump *d)
{
	uint64_t rows = snap_reader_row_count(d->reader, SNAP_STRINGS);
	struct snap_column *column = NULL;
	enum snap_status status = snap_column_open(&column, d->reader, SNAP_STRING_TEXT, &d->error);
	if (status != SNAP_OK)
		return false;
	/* A damaged table is read string by string, so that each loss is seen where it counts. */
	if (rows < d->memory / 32 && !cli_common.partial) {
		d->offsets = cli_resize(NULL, ((size_t)rows + 1) * sizeof(*d->offsets));
		d->offsets[0] = 0;
	}
	if (rows > 0)
		dump_put(d, "strings:\n");
	for (uint64_t row = 0; row < rows; row++) {
		const char *bytes;
		size_t size;
		status = snap_column_text(column, row, &bytes, &size, &d->error);
		if (dump_may_lose(d, status, 1)) {
			status = SNAP_OK;
			continue;
		}
		if (status != SNAP_OK)
			break;
		dump_put(d, "  ");
		dump_number(d, row + 1);
		dump_put(d, ": ");
		dump_quoted(d, bytes, size);
		dump_put(d, "\n");
		dump_flush(d, 1 << 16);
		if (d->offsets && !keep_string(d, row, bytes, size))
			forget_strings(d);
	}
	snap_column_close(column);
	return status == SNAP_OK;
}

/* ---- tables of fields ---- */

struct table {
	const char *section;
	const struct dump_field *fields;
	size_t count;
	bool numbered; /* rows are named 1, 2, 3 ...; else they are items of a list */
	bool (*after)(struct dump *, const uint64_t *const *values, size_t at);
};

static bool put_table_row(struct dump *d, const void *context, uint64_t row,
			  const uint64_t *const *values, size_t at)
{
	const struct table *table = context;
	if (table->numbered) {
		dump_put(d, "  ");
		dump_number(d, row + 1);
		dump_put(d, ": {");
	} else {
		dump_put(d, "- {");
	}
	d->first = true;
	if (!dump_row(d, table->fields, table->count, values, at))
		return false;
	dump_put(d, "}");
	if (table->after && !table->after(d, values, at))
		return false;
	dump_put(d, "\n");
	return true;
}

static bool put_table(struct dump *d, const struct table *table)
{
	uint32_t columns[FIELDS_MAX];
	for (size_t i = 0; i < table->count; i++)
		columns[i] = table->fields[i].column;
	return dump_scan(d, table->section, columns, table->count, put_table_row, table);
}

static bool put_property(struct dump *d, const void *context, uint64_t row,
			 const uint64_t *const *values, size_t at)
{
	(void)context;
	(void)row;
	dump_put(d, "  ");
	if (!dump_string(d, values[0][at]))
		return false;
	dump_put(d, ": ");
	if (!dump_string(d, values[1][at]))
		return false;
	dump_put(d, "\n");
	return true;
}

bool dump_properties(struct dump *d)
{
	const uint32_t columns[] = {SNAP_PROPERTY_KEY, SNAP_PROPERTY_VALUE};
	return dump_scan(d, "properties", columns, COUNT(columns), put_property, NULL);
}

/* ---- names ---- */

static const struct dump_field module_fields[] = {
	{SNAP_MODULE_PATH, "path", DUMP_STRING, 0, 0, true},
	{SNAP_MODULE_BUILD_ID, "build_id", DUMP_STRING, 0, 0, false},
	{SNAP_MODULE_BASE, "base", DUMP_HEXADECIMAL, 0, 0, false},
	{SNAP_MODULE_SIZE, "size", DUMP_NUMBER, 0, 0, false},
};
static const struct dump_field frame_fields[] = {
	{SNAP_FRAME_FUNCTION, "function", DUMP_STRING, 0, 0, false},
	{SNAP_FRAME_FILE, "file", DUMP_STRING, 0, 0, false},
	{SNAP_FRAME_LINE, "line", DUMP_NUMBER, 0, 0, false},
	{SNAP_FRAME_MODULE, "module", DUMP_NUMBER, 0, 0, false},
	{SNAP_FRAME_OFFSET, "offset", DUMP_HEXADECIMAL, 0, 0, false},
	{SNAP_FRAME_INLINED_INTO, "inlined_into", DUMP_NUMBER, 0, 0, false},
};
static const struct dump_field stack_fields[] = {
	{SNAP_STACK_FRAME, "frame", DUMP_NUMBER, 0, 0, true},
	{SNAP_STACK_PARENT, "parent", DUMP_NUMBER, 0, 0, false},
	{SNAP_STACK_FLAGS, "flags", DUMP_FLAGS, WORDS_STACK_FLAG, 0, false},
};
static const struct dump_field type_fields[] = {
	{SNAP_TYPE_NAME, "name", DUMP_STRING, 0, 0, true},
	{SNAP_TYPE_KIND_COLUMN, "kind", DUMP_WORD, WORDS_TYPE_KIND, 0, false},
};
static const struct dump_field thread_fields[] = {
	{SNAP_THREAD_ID, "id", DUMP_NUMBER, 0, 0, true},
	{SNAP_THREAD_NAME, "name", DUMP_STRING, 0, 0, false},
};
static const struct dump_field content_fields[] = {
	{SNAP_CONTENT_LENGTH, "length", DUMP_NUMBER, 0, 0, true},
	{SNAP_CONTENT_HASH, "hash", DUMP_HEXADECIMAL, 0, 0, false},
	{SNAP_CONTENT_TEXT, "text", DUMP_STRING, 0, 0, false},
};

/* A comment that names the frame, for people. */
static bool name_frame(struct dump *d, const uint64_t *const *values, size_t at)
{
	uint64_t frame[3];
	for (size_t i = 0; i < COUNT(frame); i++) {
		enum snap_status status = snap_column_read(d->frame_columns[i], values[0][at] - 1,
							   1, &frame[i], &d->error);
		if (status != SNAP_OK)
			return status == SNAP_CORRUPT && cli_common.partial;
	}
	if (frame[0] == 0 && frame[1] == 0)
		return true;
	dump_put(d, " # ");
	if (frame[1] != 0) {
		if (!dump_string(d, frame[1]))
			return false;
		dump_put(d, ":");
		dump_number(d, frame[2]);
	}
	dump_put(d, frame[0] != 0 && frame[1] != 0 ? " " : "");
	return frame[0] == 0 || dump_string(d, frame[0]);
}

static int compare_pairs(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;
	return x[0] != y[0] ? (x[0] > y[0]) - (x[0] < y[0]) : (x[1] > y[1]) - (x[1] < y[1]);
}

/* Types go by their names, but those that share one with others by their ids. */
static bool load_type_names(struct dump *d)
{
	uint64_t rows = snap_reader_row_count(d->reader, SNAP_TYPES);
	struct snap_column *column = NULL;
	if (rows > d->memory / 64) {
		d->error = (struct snap_error){SNAP_LIMIT, 0, SNAP_NO_OFFSET,
					       "the types need more memory than allowed"};
		return false;
	}
	uint64_t *pairs = cli_resize(NULL, ((size_t)rows + 1) * 2 * sizeof(*pairs));
	d->type_names = cli_resize(NULL, ((size_t)rows + 1) * sizeof(*d->type_names));
	enum snap_status status = snap_column_open(&column, d->reader, SNAP_TYPE_NAME, &d->error);
	for (size_t row = 0; status == SNAP_OK && row < rows; row++) {
		d->type_names[row] = 0;
		status = snap_column_read(column, row, 1, &d->type_names[row], &d->error);
		if (status == SNAP_CORRUPT && cli_common.partial)
			status = SNAP_OK;
		pairs[2 * row] = d->type_names[row];
		pairs[2 * row + 1] = row;
	}
	snap_column_close(column);
	qsort(pairs, (size_t)rows, 2 * sizeof(*pairs), compare_pairs);
	for (size_t i = 1; status == SNAP_OK && i < rows; i++)
		if (pairs[2 * i] == pairs[2 * i - 2])
			d->type_names[pairs[2 * i + 1]] = d->type_names[pairs[2 * i - 1]] = 0;
	free(pairs);
	return status == SNAP_OK;
}

bool dump_names(struct dump *d)
{
	static const struct table tables[] = {
		{"modules", module_fields, COUNT(module_fields), true, NULL},
		{"frames", frame_fields, COUNT(frame_fields), true, NULL},
		{"stacks", stack_fields, COUNT(stack_fields), true, name_frame},
		{"types", type_fields, COUNT(type_fields), true, NULL},
		{"threads", thread_fields, COUNT(thread_fields), true, NULL},
		{"contents", content_fields, COUNT(content_fields), true, NULL},
	};
	const uint32_t frame_columns[] = {SNAP_FRAME_FUNCTION, SNAP_FRAME_FILE, SNAP_FRAME_LINE};
	bool ok = load_type_names(d);
	for (size_t i = 0; ok && i < COUNT(frame_columns); i++)
		ok = snap_column_open(&d->frame_columns[i], d->reader, frame_columns[i],
				      &d->error) == SNAP_OK;
	for (size_t i = 0; ok && i < COUNT(tables); i++)
		ok = put_table(d, &tables[i]);
	return ok;
}

/* ---- what is not a name ---- */

bool dump_roots(struct dump *d)
{
	static const struct dump_field fields[] = {
		{SNAP_ROOT_OBJECT, "object", DUMP_OBJECT, 0, 0, true},
		{SNAP_ROOT_KIND_COLUMN, "kind", DUMP_WORD, WORDS_ROOT_KIND, 0, false},
		{SNAP_ROOT_LABEL, "label", DUMP_STRING, 0, 0, false},
		{SNAP_ROOT_THREAD, "thread", DUMP_NUMBER, 0, 0, false},
		{SNAP_ROOT_STACK, "stack", DUMP_NUMBER, 0, 0, false},
	};
	return put_table(d, &(struct table){"roots", fields, COUNT(fields), false, NULL});
}

bool dump_timeline(struct dump *d)
{
	static const struct dump_field fields[] = {
		{SNAP_TIMELINE_TIME, "time", DUMP_NUMBER, 0, 0, true},
		{SNAP_TIMELINE_BYTES, "bytes", DUMP_NUMBER, 0, 0, true},
		{SNAP_TIMELINE_COUNT, "count", DUMP_NUMBER, 0, 0, true},
		{SNAP_TIMELINE_RESIDENT, "resident", DUMP_NUMBER, 0, 0, false},
	};
	return put_table(d, &(struct table){"timeline", fields, COUNT(fields), false, NULL});
}

bool dump_mappings(struct dump *d)
{
	static const struct dump_field fields[] = {
		{SNAP_MAPPING_ADDRESS, "address", DUMP_HEXADECIMAL, 0, 0, true},
		{SNAP_MAPPING_SIZE, "size", DUMP_NUMBER, 0, 0, false},
		{SNAP_MAPPING_RESIDENT, "resident", DUMP_NUMBER, 0, 0, false},
		{SNAP_MAPPING_LIVE, "live", DUMP_NUMBER, 0, 0, false},
		{SNAP_MAPPING_KIND_COLUMN, "kind", DUMP_WORD, WORDS_MAPPING_KIND, 0, false},
		{SNAP_MAPPING_FLAGS, "flags", DUMP_FLAGS, WORDS_MAPPING_FLAG, 0, false},
		{SNAP_MAPPING_NAME, "name", DUMP_STRING, 0, 0, false},
	};
	return put_table(d, &(struct table){"mappings", fields, COUNT(fields), false, NULL});
}

static bool put_total(struct dump *d, const void *context, uint64_t row,
		      const uint64_t *const *values, size_t at)
{
	(void)context;
	(void)row;
	uint64_t dimension = values[0][at], key = values[1][at];
	dump_put(d, "- {");
	dump_word(d, WORDS_DIMENSION, dimension);
	dump_put(d, ": ");
	bool is_type = dimension == SNAP_BY_TYPE && key > 0 &&
		       key <= snap_reader_row_count(d->reader, SNAP_TYPES);
	if (!is_type || d->type_names[key - 1] == 0)
		dump_number(d, key);
	else if (!dump_string(d, d->type_names[key - 1]))
		return false;
	dump_put(d, ", bytes: ");
	dump_number(d, values[2][at]);
	dump_put(d, ", count: ");
	dump_number(d, values[3][at]);
	dump_put(d, "}\n");
	return true;
}

/* Totals say nothing new where there are objects. */
bool dump_totals(struct dump *d)
{
	const uint32_t columns[] = {SNAP_TOTAL_DIMENSION, SNAP_TOTAL_KEY, SNAP_TOTAL_BYTES,
				    SNAP_TOTAL_COUNT};
	return !(d->info.flags & SNAP_SNAPSHOT_TOTALS_ONLY) ||
	       dump_scan(d, "totals", columns, COUNT(columns), put_total, NULL);
}
