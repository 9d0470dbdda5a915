/* Every rule of the format, on every byte of one snapshot (FORMAT.md, sections 4 to 7). */
#include "reader.h"

/* ---- what the parts share ---- */

enum snap_status libsnap_stream_open(struct libsnap_stream *stream, struct snap_reader *reader,
				     uint32_t column, struct snap_error *error)
{
	*stream = (struct libsnap_stream){.reader = reader, .column = column};
	return snap_scan_open(&stream->scan, reader, &column, 1, error);
}

void libsnap_stream_close(struct libsnap_stream *stream)
{
	snap_scan_close(stream->scan);
	stream->scan = NULL;
}

enum snap_status libsnap_stream_next(struct libsnap_stream *stream, uint64_t *value,
				     struct snap_error *error)
{
	if (stream->left == 0) {
		uint64_t first_row;
		const uint64_t *const *values;
		enum snap_status status =
			snap_scan_next(stream->scan, &first_row, &stream->left, &values, error);
		if (status == SNAP_END)
			return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					    "column %u.%u has too few rows", stream->column >> 16,
					    stream->column & 0xffff);
		if (status != SNAP_OK)
			return status;
		stream->values = values[0];
	}
	*value = *stream->values++;
	stream->left--;
	return SNAP_OK;
}

enum snap_status libsnap_load_column(struct snap_reader *reader, uint32_t column, uint64_t **values,
				     struct snap_error *error)
{
	uint64_t rows = reader->rows[column >> 16];
	if (rows > SIZE_MAX)
		return libsnap_fail_memory(error);
	void *memory = NULL;
	enum snap_status status =
		libsnap_reader_resize(reader, &memory, 0, (size_t)rows, sizeof(uint64_t), error);
	if (status != SNAP_OK)
		return status;
	struct snap_column *open = NULL;
	status = snap_column_open(&open, reader, column, error);
	if (status == SNAP_OK)
		status = snap_column_read(open, 0, (size_t)rows, memory, error);
	snap_column_close(open);
	if (status == SNAP_OK)
		*values = memory;
	else
		libsnap_reader_free(reader, memory, (size_t)rows, sizeof(uint64_t));
	return status;
}

/* ---- blocks ---- */

struct buffers {
	struct libsnap_decoder decoder;
	void *raw, *values, *offsets;
	size_t raw_capacity, value_capacity, offset_capacity;
};

static enum snap_status verify_text(struct buffers *b, const struct libsnap_block *block,
				    struct snap_error *error)
{
	struct snap_reader *reader = b->decoder.reader;
	enum snap_status status =
		libsnap_reader_reserve(reader, &b->offsets, &b->offset_capacity,
				       (size_t)block->row_count + 1, sizeof(uint32_t), error);
	const char *bytes;
	if (status == SNAP_OK &&
	    !snapfmt_decode_text(b->raw, block->raw_size, block->row_count, b->offsets, &bytes))
		status =
			libsnap_fail(error, SNAP_CORRUPT, block->offset,
				     "block %u breaks the rules of encoding text", block->sequence);
	return status;
}

static enum snap_status verify_values(struct buffers *b, const struct snapfmt_column *known,
				      const struct libsnap_block *block, struct snap_error *error)
{
	struct snap_reader *reader = b->decoder.reader;
	enum snap_status status = libsnap_reader_reserve(reader, &b->values, &b->value_capacity,
							 block->row_count, sizeof(uint64_t), error);
	if (status == SNAP_OK)
		status = libsnap_fetch_values(&b->decoder, block, b->values, error);
	if (status == SNAP_OK)
		status = libsnap_check_values(reader, known, block, block->first_row, b->values,
					      block->row_count, error);
	return status;
}

/* Blocks that are not known are read too, but nothing is asked of their values. */
static enum snap_status verify_block(struct buffers *b, const struct libsnap_block *block,
				     struct snap_error *error)
{
	struct snap_reader *reader = b->decoder.reader;
	const struct libsnap_column *column = libsnap_find_column(reader, block->column);
	const struct snapfmt_column *known = column ? column->known : NULL;
	if (known && !known->is_text)
		return verify_values(b, known, block, error);
	enum snap_status status = libsnap_reader_reserve(reader, &b->raw, &b->raw_capacity,
							 block->raw_size, 1, error);
	if (status == SNAP_OK)
		status = libsnap_fetch(&b->decoder, block, b->raw, error);
	if (status == SNAP_OK && known)
		status = verify_text(b, block, error);
	return status;
}

static enum snap_status verify_blocks(struct snap_reader *reader,
				      void (*progress)(void *, uint64_t, uint64_t), void *context,
				      struct snap_error *error)
{
	struct buffers b = {.raw = NULL};
	libsnap_decoder_init(&b.decoder, reader);
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; i < reader->block_count && status == SNAP_OK; i++) {
		const struct libsnap_block *block = &reader->blocks[i];
		status = verify_block(&b, block, error);
		if (progress && status == SNAP_OK)
			progress(context, block->offset + block->stored_size - reader->info.offset,
				 reader->info.size);
	}
	libsnap_reader_free(reader, b.raw, b.raw_capacity, 1);
	libsnap_reader_free(reader, b.values, b.value_capacity, sizeof(uint64_t));
	libsnap_reader_free(reader, b.offsets, b.offset_capacity, sizeof(uint32_t));
	libsnap_decoder_end(&b.decoder);
	return status;
}

static enum snap_status verify_base(struct snap_reader *reader, struct snap_error *error)
{
	struct snap_index_info info;
	enum snap_status status = libsnap_find_index(reader, &info, error);
	return status == SNAP_OK && info.state == SNAP_INDEX_FOREIGN
		       ? libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
				      "the index: it was made of another snapshot, or is not whole")
		       : status;
}

enum snap_status snap_reader_verify(struct snap_reader *reader,
				    void (*progress)(void *context, uint64_t done_bytes,
						     uint64_t total_bytes),
				    void *context, struct snap_error *error)
{
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	if (info.damaged) {
		if (error)
			*error = info.damage;
		return info.damage.status;
	}
	enum snap_status status = verify_blocks(reader, progress, context, error);
	if (status == SNAP_OK)
		status = libsnap_verify_layout(reader, error);
	if (status == SNAP_OK)
		status = libsnap_verify_totals(reader, error);
	if (status == SNAP_OK)
		status = libsnap_verify_unique(reader, error);
	if (status == SNAP_OK)
		status = verify_base(reader, error);
	if (status == SNAP_OK && progress)
		progress(context, info.size, info.size);
	return status;
}
