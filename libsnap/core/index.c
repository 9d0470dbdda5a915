/* From a list of blocks to columns and tables, and what
 * must be true of them (FORMAT.md, sections 4 and 7). */
#include "reader.h"

/* A heap sort: it needs no memory and no luck. */
static void sift(uint64_t *values, size_t at, size_t count)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && values[child + 1] > values[child])
			child++;
		if (values[at] >= values[child])
			return;
		uint64_t value = values[at];
		values[at] = values[child];
		values[child] = value;
	}
}

void libsnap_sort_u64(uint64_t *values, size_t count)
{
	size_t sorted = 1;
	while (sorted < count && values[sorted - 1] <= values[sorted])
		sorted++;
	if (sorted >= count)
		return;
	for (size_t i = count / 2; i-- > 0;)
		sift(values, i, count);
	for (size_t end = count - 1; end > 0; end--) {
		uint64_t largest = values[0];
		values[0] = values[end];
		values[end] = largest;
		sift(values, 0, end);
	}
}

void libsnap_forget_blocks(struct snap_reader *reader)
{
	libsnap_reader_free(reader, reader->blocks, reader->block_capacity, sizeof *reader->blocks);
	libsnap_reader_free(reader, reader->order, reader->order_capacity, sizeof *reader->order);
	libsnap_reader_free(reader, reader->columns, reader->column_capacity,
			    sizeof *reader->columns);
	for (size_t i = 0; i < reader->batch_count; i++)
		libsnap_reader_free(reader, reader->batches[i].raw, reader->batches[i].raw_size, 1);
	libsnap_reader_free(reader, reader->batches, reader->batch_capacity,
			    sizeof *reader->batches);
	reader->batches = NULL;
	reader->batch_count = reader->batch_capacity = 0;
	reader->blocks = NULL;
	reader->order = NULL;
	reader->columns = NULL;
	reader->block_count = reader->block_capacity = reader->order_capacity = 0;
	reader->column_count = reader->column_capacity = 0;
	for (size_t table = 0; table <= SNAPFMT_TABLE_COUNT; table++)
		reader->rows[table] = 0;
}

/* order[]: indexes of blocks by column, and within one as they came. */
static enum snap_status sort_blocks(struct snap_reader *reader, struct snap_error *error)
{
	size_t count = reader->block_count;
	void *keys_memory = NULL, *order = NULL;
	enum snap_status status =
		libsnap_reader_resize(reader, &keys_memory, 0, count, sizeof(uint64_t), error);
	if (status != SNAP_OK)
		return status;
	uint64_t *keys = keys_memory;
	status = libsnap_reader_resize(reader, &order, 0, count, sizeof *reader->order, error);
	if (status == SNAP_OK) {
		reader->order = order;
		reader->order_capacity = count;
		for (size_t i = 0; i < count; i++)
			keys[i] = (uint64_t)reader->blocks[i].column << 32 | i;
		libsnap_sort_u64(keys, count);
		for (size_t i = 0; i < count; i++)
			reader->order[i] = (uint32_t)keys[i];
	}
	libsnap_reader_free(reader, keys, count, sizeof *keys);
	return status;
}

static enum snap_status add_column(struct snap_reader *reader, uint32_t id, uint32_t first,
				   struct snap_error *error)
{
	if (reader->column_count == reader->column_capacity) {
		size_t wanted = reader->column_capacity * 2 + 64;
		void *columns = reader->columns;
		enum snap_status status =
			libsnap_reader_resize(reader, &columns, reader->column_capacity, wanted,
					      sizeof *reader->columns, error);
		if (status != SNAP_OK)
			return status;
		reader->columns = columns;
		reader->column_capacity = wanted;
	}
	reader->columns[reader->column_count++] = (struct libsnap_column){
		.column = id,
		.first = first,
		.known = snapfmt_find_column((uint16_t)(id >> 16), (uint16_t)id),
	};
	return SNAP_OK;
}

/* What is wrong with one block of a known column, or NULL. */
static const char *wrong_with_block(const struct snapfmt_column *known,
				    const struct libsnap_block *block)
{
	bool critical = block->flags & SNAPFMT_BLOCK_CRITICAL;
	if (critical != known->critical)
		return critical ? "is marked critical" : "is not marked critical";
	if (block->encoding < SNAPFMT_ENCODING_COUNT &&
	    (block->encoding == SNAPFMT_TEXT) != known->is_text)
		return known->is_text ? "is no text" : "is text";
	return NULL;
}

/* A newer column may be ignored if it says so; a newer
 * encoding of a known one would give wrong answers. */
static enum snap_status check_known(struct libsnap_column *column,
				    const struct libsnap_block *block, struct snap_error *error)
{
	bool newer = column->known ? block->encoding >= SNAPFMT_ENCODING_COUNT
				   : (block->flags & SNAPFMT_BLOCK_CRITICAL) != 0;
	if (newer)
		return libsnap_fail(error, SNAP_UNSUPPORTED, block->offset,
				    "column %u.%u with encoding %u is not known and must be",
				    column->column >> 16, column->column & 0xffff, block->encoding);
	return SNAP_OK;
}

/* Adds a block to its column.  Salvaged blocks may leave
 * gaps, and those that contradict are left out. */
static enum snap_status add_block(struct snap_reader *reader, struct libsnap_column *column,
				  struct libsnap_block *block, bool salvaged, bool *keep,
				  struct snap_error *error)
{
	*keep = true;
	struct snap_error own;
	const struct snapfmt_column *registered =
		snapfmt_find_column((uint16_t)(column->column >> 16), (uint16_t)column->column);
	const char *wrong = registered ? wrong_with_block(registered, block) : NULL;
	enum snap_status status = SNAP_OK;
	if (wrong)
		status = libsnap_fail(&own, SNAP_CORRUPT, block->offset, "block %u of %s.%s %s",
				      block->sequence, registered->table_name,
				      registered->column_name, wrong);
	/* The first row of a block is at most what all blocks before it could hold. */
	else if (salvaged ? block->first_row < column->row_count ||
				    block->first_row > (uint64_t)block->sequence * SNAPFMT_MAX_ROWS
			  : block->first_row != column->row_count)
		status = libsnap_fail(&own, SNAP_CORRUPT, block->offset,
				      "block %u begins at row %llu, not at %llu", block->sequence,
				      (unsigned long long)block->first_row,
				      (unsigned long long)column->row_count);
	if (status == SNAP_OK) {
		status = check_known(column, block, &own);
		if (status == SNAP_OK)
			column->row_count = block->first_row + block->row_count;
	} else if (salvaged) {
		libsnap_note_lost(reader, block, &own);
		*keep = false;
		return SNAP_OK;
	}
	if (status != SNAP_OK && error)
		*error = own;
	return status;
}

static enum snap_status group_blocks(struct snap_reader *reader, bool salvaged,
				     struct snap_error *error)
{
	uint32_t kept = 0;
	for (size_t i = 0; i < reader->block_count; i++) {
		struct libsnap_block *block = &reader->blocks[reader->order[i]];
		enum snap_status status = SNAP_OK;
		if (reader->column_count == 0 ||
		    reader->columns[reader->column_count - 1].column != block->column)
			status = add_column(reader, block->column, kept, error);
		if (status != SNAP_OK)
			return status;
		struct libsnap_column *column = &reader->columns[reader->column_count - 1];
		bool keep = false;
		status = add_block(reader, column, block, salvaged, &keep, error);
		if (status != SNAP_OK)
			return status;
		if (keep) {
			reader->order[kept++] = reader->order[i];
			column->count++;
		}
	}
	return SNAP_OK;
}

static enum snap_status count_rows(struct snap_reader *reader, bool salvaged,
				   struct snap_error *error)
{
	for (size_t i = 0; i < reader->column_count; i++) {
		const struct libsnap_column *column = &reader->columns[i];
		const struct libsnap_column *before = i ? column - 1 : NULL;
		uint32_t table = column->column >> 16;
		if (!salvaged && before && before->column >> 16 == table &&
		    before->row_count != column->row_count)
			return libsnap_fail(
				error, SNAP_CORRUPT, libsnap_block_of(reader, column, 0)->offset,
				"column %u of table %u has %llu rows, column %u has %llu",
				column->column & 0xffff, table,
				(unsigned long long)column->row_count, before->column & 0xffff,
				(unsigned long long)before->row_count);
		if (table >= 1 && table <= SNAPFMT_TABLE_COUNT &&
		    reader->rows[table] < column->row_count)
			reader->rows[table] = column->row_count;
	}
	return SNAP_OK;
}

/* A table whose necessary column cannot be read but may be ignored is ignored with it. */
static enum snap_status check_tables(struct snap_reader *reader, bool salvaged,
				     struct snap_error *error)
{
	for (size_t i = 0; i < snapfmt_column_count; i++) {
		const struct snapfmt_column *known = &snapfmt_columns[i];
		if (!known->always || reader->rows[known->table] == 0)
			continue;
		const struct libsnap_column *column =
			libsnap_find_column(reader, SNAP_COLUMN(known->table, known->column));
		if (column && !column->known)
			reader->rows[known->table] = 0;
		else if (!column && !salvaged)
			return libsnap_fail(error, SNAP_CORRUPT, reader->info.offset,
					    "table %s has rows but no column %s", known->table_name,
					    known->column_name);
	}
	static const uint8_t not_in_totals[] = {7, 8, 10, 11, 12, 13, 14, 15, 16};
	for (size_t i = 0; i < sizeof not_in_totals && !salvaged; i++) {
		if ((reader->info.flags & SNAP_SNAPSHOT_TOTALS_ONLY) &&
		    reader->rows[not_in_totals[i]])
			return libsnap_fail(error, SNAP_CORRUPT, reader->info.offset,
					    "the snapshot has totals only, but table %u has rows",
					    not_in_totals[i]);
	}
	return SNAP_OK;
}

enum snap_status libsnap_index_blocks(struct snap_reader *reader, bool salvaged,
				      struct snap_error *error)
{
	for (size_t table = 0; table <= SNAPFMT_TABLE_COUNT; table++)
		reader->doubtful_from[table] = UINT64_MAX;
	enum snap_status status = sort_blocks(reader, error);
	if (status == SNAP_OK)
		status = group_blocks(reader, salvaged, error);
	if (status == SNAP_OK)
		status = count_rows(reader, salvaged, error);
	if (status == SNAP_OK)
		status = check_tables(reader, salvaged, error);
	return status;
}
