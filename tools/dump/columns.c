/* --columns: every value of every column, as it is stored. */
#include "dump.h"

#define PIECE 4096u

static bool put_texts(struct dump *d, struct snap_column *column, uint64_t rows)
{
	for (uint64_t row = 0; row < rows; row++) {
		const char *bytes;
		size_t size;
		enum snap_status status = snap_column_text(column, row, &bytes, &size, &d->error);
		if (dump_may_lose(d, status, 1)) {
			dump_put(d, "- ~\n");
			continue;
		}
		if (status != SNAP_OK)
			return false;
		dump_put(d, "- ");
		dump_quoted(d, bytes, size);
		dump_put(d, "\n");
		dump_flush(d, 1 << 16);
	}
	return true;
}

static bool put_piece(struct dump *d, struct snap_column *column, uint64_t row, size_t count)
{
	uint64_t values[PIECE];
	enum snap_status status = snap_column_read(column, row, count, values, &d->error);
	if (status == SNAP_CORRUPT && cli_common.partial && count > 1) {
		size_t half = count / 2; /* at most 12 deep */
		return put_piece(d, column, row, half) &&
		       put_piece(d, column, row + half, count - half);
	}
	if (dump_may_lose(d, status, 1)) {
		dump_put(d, "- ~\n");
		return true;
	}
	if (status != SNAP_OK)
		return false;
	for (size_t i = 0; i < count; i++) {
		dump_put(d, "- ");
		dump_number(d, values[i]);
		dump_put(d, "\n");
	}
	dump_flush(d, 1 << 16);
	return true;
}

static bool put_column(struct dump *d, const struct snap_column_info *info)
{
	uint64_t rows = snap_reader_row_count(d->reader, (enum snap_table)(info->column >> 16));
	struct snap_column *column;
	if (snap_column_open(&column, d->reader, info->column, &d->error) != SNAP_OK)
		return false;
	dump_put(d, info->table_name);
	dump_put(d, ".");
	dump_put(d, info->column_name);
	dump_put(d, ":\n");
	bool ok = !info->is_text || put_texts(d, column, rows);
	for (uint64_t row = 0; ok && !info->is_text && row < rows; row += PIECE)
		ok = put_piece(d, column, row, rows - row < PIECE ? (size_t)(rows - row) : PIECE);
	snap_column_close(column);
	return ok;
}

bool dump_columns(struct dump *d)
{
	struct snap_column_info info;
	for (size_t i = 0; snap_column_at(i, &info); i++)
		if (snap_reader_has_column(d->reader, info.column) && !put_column(d, &info))
			return false;
	return true;
}
