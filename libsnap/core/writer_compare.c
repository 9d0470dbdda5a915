/* Rows that are compared with those of a snapshot, instead of written: whether
 * its index is the one that would be made of it (FORMAT.md, section 7.5). */
#include "reader.h"
#include "writer.h"

#define BATCH 1024u

/* What an index need not have. */
static bool is_left_out(const struct libsnap_table_out *t)
{
	const uint16_t table = t->columns[0].info->table;
	return t->writer->compared->rows[table] == 0 &&
	       (table == SNAP_INDEX_SPANS || table == SNAP_INDEX_MAPS ||
		table == SNAP_INDEX_MEMBERS || table == SNAP_INDEX_FIELDS ||
		table == SNAP_INDEX_TOP_PARTS || table == SNAP_INDEX_DUPLICATES ||
		table == SNAP_INDEX_OWNERS ||
		(table >= SNAP_INDEX_TYPES && table <= SNAP_INDEX_TYPE_STEPS));
}

static enum snap_status compare_values(struct libsnap_table_out *t, size_t i,
				       struct snap_column *column)
{
	const struct libsnap_column_out *c = &t->columns[i];
	const uint64_t *made = t->varied >> i & 1 ? t->values[i] : NULL;
	const bool may_be_zero =
		SNAP_COLUMN(c->info->table, c->info->column) == SNAP_INDEX_CYCLE_RETAINED;
	uint64_t values[BATCH];
	for (size_t done = 0, count; done < t->rows; done += count) {
		const uint64_t first = t->row_count - t->rows + done;
		count = t->rows - done < BATCH ? t->rows - done : BATCH;
		enum snap_status status =
			snap_column_read(column, first, count, values, &t->writer->problem);
		if (status != SNAP_OK)
			return status;
		for (size_t k = 0; k < count; k++) {
			const uint64_t wanted = made ? made[done + k] : c->same;
			if (values[k] != wanted && !(may_be_zero && values[k] == 0))
				return libsnap_fail(
					&t->writer->problem, SNAP_CORRUPT, SNAP_NO_OFFSET,
					"the index: %s.%s of row %llu is %llu, made anew %llu",
					c->info->table_name, c->info->column_name,
					(unsigned long long)(first + k),
					(unsigned long long)values[k], (unsigned long long)wanted);
		}
	}
	return SNAP_OK;
}

static enum snap_status compare_rows(struct libsnap_table_out *t)
{
	const struct snapfmt_column *info = t->columns[0].info;
	const uint64_t rows = t->writer->compared->rows[info->table];
	return t->row_count <= rows
		       ? SNAP_OK
		       : libsnap_fail(&t->writer->problem, SNAP_CORRUPT, SNAP_NO_OFFSET,
				      "the index: %s has %llu rows, made anew more",
				      info->table_name, (unsigned long long)rows);
}

enum snap_status libsnap_table_compare(struct libsnap_table_out *t)
{
	if (is_left_out(t))
		return SNAP_OK;
	enum snap_status status = compare_rows(t);
	for (size_t i = 0; status == SNAP_OK && i < t->column_count; i++) {
		const struct snapfmt_column *info = t->columns[i].info;
		struct snap_column *column = NULL;
		status = snap_column_open(&column, t->writer->compared,
					  SNAP_COLUMN(info->table, info->column),
					  &t->writer->problem);
		if (status == SNAP_OK)
			status = compare_values(t, i, column);
		snap_column_close(column);
	}
	return status;
}

enum snap_status libsnap_table_compare_end(struct libsnap_table_out *t)
{
	const struct snapfmt_column *info = t->columns[0].info;
	const uint64_t rows = t->writer->compared->rows[info->table];
	return is_left_out(t) || t->row_count == rows
		       ? SNAP_OK
		       : libsnap_fail(&t->writer->problem, SNAP_CORRUPT, SNAP_NO_OFFSET,
				      "the index: %s has %llu rows, made anew %llu",
				      info->table_name, (unsigned long long)rows,
				      (unsigned long long)t->row_count);
}
