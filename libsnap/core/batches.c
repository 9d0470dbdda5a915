/* Batches: many small columns in one block (FORMAT.md, section 6.1). */
#include <stdio.h>

#include "reader.h"

/* Tells which tables have lost columns with a batch. */
static enum snap_status fail_batch(const struct libsnap_block *batch, const struct snap_error *why,
				   struct snap_error *error)
{
	char tables[160] = "";
	size_t used = 0;
	const char *last = "";
	for (size_t i = 0; i < snapfmt_column_count && used < sizeof tables; i++) {
		const struct snapfmt_column *known = &snapfmt_columns[i];
		if (known->table_name == last ||
		    !(batch->first_row & snapfmt_table_bit(known->table)))
			continue;
		last = known->table_name;
		used += (size_t)snprintf(tables + used, sizeof tables - used, "%s%s",
					 used ? ", " : "", last);
	}
	return libsnap_fail(error, SNAP_CORRUPT, batch->offset,
			    "%s: with it columns of %s are lost", why->message,
			    used ? tables : "any table");
}

/* Decompressed, into the next of reader->batches. */
static enum snap_status load(struct libsnap_decoder *decoder, const struct libsnap_block *block,
			     struct snap_error *error)
{
	struct snap_reader *reader = decoder->reader;
	void *raw = NULL;
	enum snap_status status = libsnap_reader_resize(reader, &raw, 0, block->raw_size, 1, error);
	if (status != SNAP_OK)
		return status;
	status = libsnap_fetch(decoder, block, raw, error);
	if (status != SNAP_OK) {
		libsnap_reader_free(reader, raw, block->raw_size, 1);
		return status;
	}
	reader->batches[reader->batch_count++] =
		(struct libsnap_batch){.raw = raw, .raw_size = block->raw_size};
	return SNAP_OK;
}

struct opening {
	struct snap_reader *reader;
	struct libsnap_decoder decoder;
	struct snapfmt_batch_column *columns; /* SNAPFMT_BATCH_MAX_COLUMNS */
	struct libsnap_block *blocks;
	size_t block_count, block_capacity;
};

static enum snap_status add(struct opening *o, const struct libsnap_block *block,
			    struct snap_error *error)
{
	if (o->block_count == o->block_capacity) {
		size_t wanted = o->block_capacity + o->block_capacity / 2 + 64;
		void *blocks = o->blocks;
		enum snap_status status = libsnap_reader_resize(
			o->reader, &blocks, o->block_capacity, wanted, sizeof *o->blocks, error);
		if (status != SNAP_OK)
			return status;
		o->blocks = blocks;
		o->block_capacity = wanted;
	}
	o->blocks[o->block_count++] = *block;
	return SNAP_OK;
}

/* A column's part of the batch's stored bytes is as its
 * part of the raw ones; all parts add up to all bytes. */
static enum snap_status add_columns(struct opening *o, const struct libsnap_block *batch,
				    size_t count, struct snap_error *error)
{
	uint64_t raw_size = 0, before = 0;
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < count; i++)
		raw_size += o->columns[i].size;
	for (size_t i = 0; i < count && status == SNAP_OK; i++) {
		const struct snapfmt_batch_column *column = &o->columns[i];
		uint64_t after = before + column->size;
		struct libsnap_block block = {
			.offset = batch->offset,
			.hash = batch->hash,
			.column = SNAP_COLUMN(column->table, column->column),
			.batch = (uint32_t)o->reader->batch_count,
			.inside = column->offset,
			.row_count = column->row_count,
			.raw_size = column->size,
			.stored_size = (uint32_t)(batch->stored_size * after / raw_size -
						  batch->stored_size * before / raw_size),
			.sequence = batch->sequence,
			.encoding = column->encoding,
			.flags = column->flags,
		};
		status = add(o, &block, error);
		before = after;
	}
	return status;
}

static enum snap_status open_batch(struct opening *o, const struct libsnap_block *batch,
				   struct snap_error *error)
{
	struct snap_reader *reader = o->reader;
	if (reader->batch_count == SNAPFMT_MAX_BATCHES)
		return libsnap_fail(error, SNAP_CORRUPT, batch->offset, "more than %u batches",
				    SNAPFMT_MAX_BATCHES);
	enum snap_status status = load(&o->decoder, batch, error);
	if (status != SNAP_OK)
		return status;
	const struct libsnap_batch *loaded = &reader->batches[reader->batch_count - 1];
	const char *reason;
	size_t count;
	uint64_t tables = 0;
	if (!snapfmt_read_batch(loaded->raw, loaded->raw_size, o->columns, &count, &reason))
		return libsnap_fail(error, SNAP_CORRUPT, batch->offset, "batch %u: %s",
				    batch->sequence, reason);
	for (size_t i = 0; i < count; i++)
		tables |= snapfmt_table_bit(o->columns[i].table);
	if (batch->first_row && batch->first_row != tables)
		return libsnap_fail(error, SNAP_CORRUPT, batch->offset,
				    "batch %u has columns of other tables than the directory says",
				    batch->sequence);
	return add_columns(o, batch, count, error);
}

static enum snap_status open_all(struct opening *o, bool salvaged, uint64_t *lost_tables,
				 struct snap_error *error)
{
	struct snap_reader *reader = o->reader;
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < reader->block_count && status == SNAP_OK; i++) {
		struct libsnap_block *block = &reader->blocks[i];
		if (block->column) {
			status = add(o, block, error);
			continue;
		}
		struct snap_error own, named;
		status = open_batch(o, block, &own);
		if (status == SNAP_CORRUPT)
			fail_batch(block, &own, &named);
		else
			named = own;
		if (status == SNAP_CORRUPT && salvaged) {
			libsnap_note_lost(reader, block, &named);
			*lost_tables |= block->first_row ? block->first_row : UINT64_MAX;
			status = SNAP_OK;
		} else if (status != SNAP_OK && error) {
			*error = named;
		}
	}
	return status;
}

enum snap_status libsnap_open_batches(struct snap_reader *reader, bool salvaged,
				      uint64_t *lost_tables, struct snap_error *error)
{
	size_t batches = 0;
	*lost_tables = 0;
	for (size_t i = 0; i < reader->block_count; i++)
		batches += reader->blocks[i].column == 0;
	if (batches == 0)
		return SNAP_OK;
	if (batches > SNAPFMT_MAX_BATCHES)
		batches = SNAPFMT_MAX_BATCHES;
	struct opening o = {.reader = reader};
	void *columns = NULL, *loaded = NULL;
	enum snap_status status =
		libsnap_reader_resize(reader, &loaded, 0, batches, sizeof *reader->batches, error);
	if (status != SNAP_OK)
		return status;
	reader->batches = loaded;
	reader->batch_capacity = batches;
	libsnap_decoder_init(&o.decoder, reader);
	status = libsnap_reader_resize(reader, &columns, 0, SNAPFMT_BATCH_MAX_COLUMNS,
				       sizeof *o.columns, error);
	o.columns = columns;
	if (status == SNAP_OK)
		status = open_all(&o, salvaged, lost_tables, error);
	libsnap_decoder_end(&o.decoder);
	libsnap_reader_free(reader, o.columns, SNAPFMT_BATCH_MAX_COLUMNS, sizeof *o.columns);
	if (status != SNAP_OK) {
		libsnap_reader_free(reader, o.blocks, o.block_capacity, sizeof *o.blocks);
		return status;
	}
	libsnap_reader_free(reader, reader->blocks, reader->block_capacity, sizeof *reader->blocks);
	reader->blocks = o.blocks;
	reader->block_count = o.block_count;
	reader->block_capacity = o.block_capacity;
	return SNAP_OK;
}
