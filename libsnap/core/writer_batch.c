/* Small columns are gathered into batches (FORMAT.md, section 6.1). */
#include <string.h>

#include "writer.h"

/* Larger ones compress as well alone. */
#define SMALL_RAW 16384u
/* A batch is small, so it can be compressed well in no time. */
#define LEVEL_BATCH 19
/* What an entry takes at most, and what all may take so that an incompressible batch fits. */
#define ENTRY_MAX 16u
#define ROOM      (SNAPFMT_BATCH_MAX_SIZE - 255u)

static bool has_table(const struct libsnap_batch_out *b, uint16_t table)
{
	return b->count > 0 && b->columns[b->count - 1].table == table;
}

static enum snap_status make_room(struct snap_writer *w)
{
	struct libsnap_batch_out *b = &w->batch;
	if (!b->columns)
		b->columns =
			libsnap_alloc(w->allocator, SNAPFMT_BATCH_MAX_COLUMNS, sizeof(*b->columns));
	if (!b->bytes)
		b->bytes = libsnap_alloc(w->allocator, SNAPFMT_BATCH_MAX_SIZE, 1);
	if (!b->raw)
		b->raw = libsnap_alloc(w->allocator, SNAPFMT_BATCH_MAX_SIZE, 1);
	return b->columns && b->bytes && b->raw ? SNAP_OK : libsnap_fail_memory(&w->problem);
}

void libsnap_batch_free(struct snap_writer *w)
{
	struct libsnap_batch_out *b = &w->batch;
	libsnap_free(w->allocator, b->columns, SNAPFMT_BATCH_MAX_COLUMNS, sizeof(*b->columns));
	libsnap_free(w->allocator, b->bytes, SNAPFMT_BATCH_MAX_SIZE, 1);
	libsnap_free(w->allocator, b->raw, SNAPFMT_BATCH_MAX_SIZE, 1);
}

enum snap_status libsnap_batch_add(struct snap_writer *w, const struct snapfmt_block *block,
				   const uint8_t *raw, size_t raw_size, bool *added)
{
	struct libsnap_batch_out *b = &w->batch;
	enum snap_status status = make_room(w);
	*added = false;
	if (status != SNAP_OK || raw_size > SMALL_RAW || b->written == SNAPFMT_MAX_BATCHES)
		return status;
	bool full = b->count == SNAPFMT_BATCH_MAX_COLUMNS ||
		    b->size + raw_size + (b->count + 1) * ENTRY_MAX > ROOM;
	/* A table has all that it has in batches in one of them. */
	if (full && has_table(b, block->table))
		return SNAP_OK;
	if (full)
		status = libsnap_batch_flush(w);
	if (status != SNAP_OK || b->written == SNAPFMT_MAX_BATCHES)
		return status;
	b->columns[b->count++] = (struct snapfmt_batch_column){
		.table = block->table,
		.column = block->column,
		.encoding = block->encoding,
		.flags = block->flags,
		.row_count = block->row_count,
		.offset = (uint32_t)b->size,
		.size = (uint32_t)raw_size,
	};
	memcpy(b->bytes + b->size, raw, raw_size);
	b->size += raw_size;
	*added = true;
	return SNAP_OK;
}

/* Of a file cut short, no table may seem to lack the columns that it has in a
 * batch; and the small tables should be there before the long columns begin. */
enum snap_status libsnap_batch_precede(struct snap_writer *w, const struct snapfmt_block *block)
{
	if (has_table(&w->batch, block->table) || block->row_count >= LIBSNAP_BLOCK_ROWS)
		return libsnap_batch_flush(w);
	return SNAP_OK;
}

static size_t put_together(const struct libsnap_batch_out *b)
{
	struct sink s = sink_over(b->raw, SNAPFMT_BATCH_MAX_SIZE);
	snapfmt_write_batch_start(&s, b->columns, b->count, b->bytes);
	for (size_t i = 0; i < b->count; i++) {
		if (b->columns[i].encoding != SNAPFMT_CONSTANT)
			sink_bytes(&s, b->bytes + b->columns[i].offset, b->columns[i].size);
	}
	return (size_t)(s.at - b->raw);
}

/* Strings come last where nothing else follows: text is compressed
 * better apart.  Where it begins in the batch, or 0. */
static size_t put_text_last(struct libsnap_batch_out *b)
{
	for (size_t i = 0; i < b->count; i++) {
		const struct snapfmt_batch_column text = b->columns[i];
		if (text.encoding != SNAPFMT_TEXT)
			continue;
		memmove(&b->columns[i], &b->columns[i + 1], (b->count - 1 - i) * sizeof(text));
		b->columns[b->count - 1] = text;
		return put_together(b) - text.size;
	}
	return 0;
}

static enum snap_status compress(struct snap_writer *w, size_t raw_size, size_t split,
				 uint8_t *payload, size_t *stored_size)
{
	struct libsnap_compressor *compressor;
	enum snap_status status =
		libsnap_compressor_new(&compressor, w->allocator, LEVEL_BATCH, &w->problem);
	if (status != SNAP_OK)
		return status;
	if (split)
		status = libsnap_compress_parts(compressor, w->batch.raw,
						(size_t[]){split, raw_size}, 2, payload,
						LIBSNAP_STORED_BOUND, stored_size, &w->problem);
	else
		status = libsnap_compress(compressor, w->batch.raw, raw_size, payload,
					  LIBSNAP_STORED_BOUND, stored_size, &w->problem);
	libsnap_compressor_free(compressor);
	return status;
}

enum snap_status libsnap_batch_flush(struct snap_writer *w)
{
	struct libsnap_batch_out *b = &w->batch;
	if (b->count == 0)
		return SNAP_OK;
	enum snap_status status = libsnap_blocks_flush(w);
	if (status != SNAP_OK)
		return status;
	uint8_t *payload = w->stored + SNAPFMT_BLOCK_HEADER_SIZE;
	size_t split = w->out.small ? put_text_last(b) : 0, raw_size = put_together(b), stored_size;
	status = compress(w, raw_size, split, payload, &stored_size);
	if (status != SNAP_OK)
		return status;
	struct snapfmt_block block = {.flags = SNAPFMT_BLOCK_CRITICAL,
				      .raw_size = (uint32_t)raw_size,
				      .stored_size = (uint32_t)stored_size};
	for (size_t i = 0; i < b->count; i++)
		block.first_row |= snapfmt_table_bit(b->columns[i].table);
	b->count = b->size = 0;
	b->written++;
	return libsnap_out_block(w, &block, payload);
}
