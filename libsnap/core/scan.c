/* A walk over columns of one table in batches of whole rows (FORMAT.md, sections 7 and 8). */
#include "reader.h"

/* Small enough that a batch of several columns stays in the processor's cache. */
#define BATCH_ROWS ((size_t)65536)

struct snap_scan {
	struct snap_reader *reader;
	struct libsnap_decoder decoder;
	size_t column_count;
	uint64_t row, rows, lost;
	struct snap_column *columns[SNAP_SCAN_MAX_COLUMNS];
	struct libsnap_view views[SNAP_SCAN_MAX_COLUMNS];
	const uint64_t *values[SNAP_SCAN_MAX_COLUMNS];
	uint64_t *repeated[SNAP_SCAN_MAX_COLUMNS]; /* values that are all alike; filled once */
};

static enum snap_status check_columns(const uint32_t *columns, size_t count,
				      struct snap_error *error)
{
	if (count == 0 || count > SNAP_SCAN_MAX_COLUMNS)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "a scan of %zu columns",
				    count);
	for (size_t i = 0; i < count; i++) {
		const struct snapfmt_column *known =
			snapfmt_find_column((uint16_t)(columns[i] >> 16), (uint16_t)columns[i]);
		if (!known || known->is_text || known->table != columns[0] >> 16)
			return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
					    "column %u.%u cannot be in this scan", columns[i] >> 16,
					    columns[i] & 0xffff);
	}
	return SNAP_OK;
}

enum snap_status snap_scan_open(struct snap_scan **out, struct snap_reader *reader,
				const uint32_t *columns, size_t column_count,
				struct snap_error *error)
{
	enum snap_status status = check_columns(columns, column_count, error);
	if (status != SNAP_OK)
		return status;
	void *memory = NULL;
	status = libsnap_reader_resize(reader, &memory, 0, 1, sizeof(struct snap_scan), error);
	if (status != SNAP_OK)
		return status;
	struct snap_scan *scan = memory;
	*scan = (struct snap_scan){.reader = reader, .rows = reader->rows[columns[0] >> 16]};
	libsnap_decoder_init(&scan->decoder, reader);
	for (; scan->column_count < column_count; scan->column_count++) {
		status = libsnap_column_open_shared(&scan->columns[scan->column_count], reader,
						    columns[scan->column_count], &scan->decoder,
						    error);
		if (status != SNAP_OK) {
			snap_scan_close(scan);
			return status;
		}
	}
	*out = scan;
	return SNAP_OK;
}

void snap_scan_close(struct snap_scan *scan)
{
	if (!scan)
		return;
	struct snap_reader *reader = scan->reader;
	for (size_t i = 0; i < scan->column_count; i++) {
		snap_column_close(scan->columns[i]);
		libsnap_reader_free(reader, scan->repeated[i], BATCH_ROWS,
				    sizeof *scan->repeated[i]);
	}
	libsnap_decoder_end(&scan->decoder);
	libsnap_reader_free(reader, scan, 1, sizeof *scan);
}

void libsnap_scan_skip(struct snap_scan *scan, uint64_t row)
{
	scan->row = row > scan->row ? row : scan->row;
}

uint64_t snap_scan_lost_rows(const struct snap_scan *scan)
{
	return scan->lost;
}

/* Looks at all columns from the current row on: to
 * which row they are alike, and whether one is lost. */
static enum snap_status look(struct snap_scan *scan, uint64_t *end, bool *lost,
			     struct snap_error *error)
{
	*end = scan->rows;
	*lost = false;
	for (size_t i = 0; i < scan->column_count; i++) {
		struct libsnap_view *view = &scan->views[i];
		enum snap_status status =
			libsnap_column_view(scan->columns[i], scan->row, view, error);
		if (status != SNAP_OK)
			return status;
		/* What is lost of one column is lost to its end, whatever the others have. */
		if (view->lost && !*lost) {
			*lost = true;
			*end = view->end;
		} else if (view->lost == *lost && (*lost ? view->end > *end : view->end < *end)) {
			*end = view->end;
		}
	}
	return SNAP_OK;
}

static enum snap_status repeat(struct snap_scan *scan, size_t column, uint64_t value,
			       struct snap_error *error)
{
	uint64_t *values = scan->repeated[column];
	if (!values) {
		void *memory = NULL;
		enum snap_status status = libsnap_reader_resize(scan->reader, &memory, 0,
								BATCH_ROWS, sizeof *values, error);
		if (status != SNAP_OK)
			return status;
		values = scan->repeated[column] = memory;
		values[0] = ~value;
	}
	if (values[0] != value) {
		for (size_t i = 0; i < BATCH_ROWS; i++)
			values[i] = value;
	}
	scan->values[column] = values;
	return SNAP_OK;
}

enum snap_status snap_scan_next(struct snap_scan *scan, uint64_t *first_row, size_t *count,
				const uint64_t *const **values, struct snap_error *error)
{
	uint64_t end = 0;
	bool lost = true;
	while (lost) {
		if (scan->row >= scan->rows)
			return SNAP_END;
		enum snap_status status = look(scan, &end, &lost, error);
		if (status != SNAP_OK)
			return status;
		if (lost && !scan->reader->partial)
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "rows from %llu are lost",
					    (unsigned long long)scan->row);
		if (lost) {
			scan->lost += end - scan->row;
			scan->row = end;
		}
	}
	size_t some = end - scan->row < BATCH_ROWS ? (size_t)(end - scan->row) : BATCH_ROWS;
	for (size_t i = 0; i < scan->column_count; i++) {
		scan->values[i] = scan->views[i].values;
		if (scan->values[i])
			continue;
		enum snap_status status = repeat(scan, i, scan->views[i].constant, error);
		if (status != SNAP_OK)
			return status;
	}
	*first_row = scan->row;
	*count = some;
	*values = scan->values;
	scan->row += some;
	return SNAP_OK;
}
