/* From a block in the file to values that can be believed (FORMAT.md, sections 4, 6 and 7). */
#include <string.h>

#include "reader.h"

/* About what zstd takes for a decompressor, so that it counts too. */
#define DECOMPRESSOR_MEMORY ((uint64_t)160 << 10)

void libsnap_decoder_init(struct libsnap_decoder *decoder, struct snap_reader *reader)
{
	*decoder = (struct libsnap_decoder){.reader = reader};
}

void libsnap_decoder_end(struct libsnap_decoder *decoder)
{
	struct snap_reader *reader = decoder->reader;
	if (!reader)
		return;
	if (decoder->zstd)
		__atomic_sub_fetch(&reader->used_memory, DECOMPRESSOR_MEMORY, __ATOMIC_RELAXED);
	libsnap_decompressor_free(decoder->zstd);
	libsnap_reader_free(reader, decoder->stored, decoder->stored_capacity, 1);
	libsnap_reader_free(reader, decoder->raw, decoder->raw_capacity, 1);
	libsnap_reader_free(reader, decoder->sizes, decoder->size_capacity, sizeof *decoder->sizes);
	*decoder = (struct libsnap_decoder){0};
}

static enum snap_status need_zstd(struct libsnap_decoder *decoder, struct snap_error *error)
{
	if (decoder->zstd)
		return SNAP_OK;
	enum snap_status status =
		libsnap_decompressor_new(&decoder->zstd, decoder->reader->allocator, error);
	if (status == SNAP_OK)
		__atomic_add_fetch(&decoder->reader->used_memory, DECOMPRESSOR_MEMORY,
				   __ATOMIC_RELAXED);
	return status;
}

/* The stored bytes, header and all: where they lie in memory, else read. */
static enum snap_status need_stored(struct libsnap_decoder *decoder,
				    const struct libsnap_block *block, const uint8_t **stored,
				    struct snap_error *error)
{
	const struct libsnap_source *source = &decoder->reader->source;
	size_t size = libsnap_block_header_size(block) + (size_t)block->stored_size;
	if (source->memory && block->offset <= source->size &&
	    size <= source->size - block->offset) {
		*stored = source->memory + block->offset;
		return SNAP_OK;
	}
	void *buffer = decoder->stored;
	enum snap_status status = libsnap_reader_reserve(decoder->reader, &buffer,
							 &decoder->stored_capacity, size, 1, error);
	decoder->stored = buffer;
	if (status != SNAP_OK)
		return status;
	*stored = decoder->stored;
	return libsnap_source_read(source, block->offset, decoder->stored, size, error);
}

static enum snap_status check_header(const struct libsnap_block *block, const uint8_t *stored,
				     struct snap_error *error)
{
	const struct snapfmt_block wanted = libsnap_block_header(block);
	uint8_t header[SNAPFMT_BLOCK_HEADER_SIZE];
	const size_t size = libsnap_block_header_size(block);
	struct sink s = sink_over(header, sizeof header);
	snapfmt_write_block(&s, &wanted);
	if (memcmp(header, stored, size) != 0)
		return libsnap_fail(error, SNAP_CORRUPT, block->offset,
				    "the header of block %u is not what the directory says",
				    block->sequence);
	if (!libsnap_hash_agrees(snapfmt_block_hash(&wanted, stored + size), block->hash))
		return libsnap_fail(error, SNAP_CORRUPT, block->offset,
				    "the hash of block %u is wrong", block->sequence);
	return SNAP_OK;
}

enum snap_status libsnap_fetch(struct libsnap_decoder *decoder, const struct libsnap_block *block,
			       uint8_t *raw, struct snap_error *error)
{
	if (libsnap_is_lost(block))
		return libsnap_fail(error, SNAP_CORRUPT, block->offset,
				    "block %u is lost or damaged", block->sequence);
	if (block->batch) {
		memcpy(raw, decoder->reader->batches[block->batch - 1].raw + block->inside,
		       block->raw_size);
		return SNAP_OK;
	}
	const uint8_t *stored;
	enum snap_status status = need_zstd(decoder, error);
	if (status == SNAP_OK)
		status = need_stored(decoder, block, &stored, error);
	if (status == SNAP_OK)
		status = check_header(block, stored, error);
	if (status != SNAP_OK)
		return status;
	return libsnap_decompress(decoder->zstd, stored + libsnap_block_header_size(block),
				  block->stored_size, raw, block->raw_size, block->offset, error);
}

/* Into the decoder's own buffer. */
static enum snap_status fetch_raw(struct libsnap_decoder *decoder,
				  const struct libsnap_block *block, struct snap_error *error)
{
	void *buffer = decoder->raw;
	enum snap_status status = libsnap_reader_reserve(
		decoder->reader, &buffer, &decoder->raw_capacity, block->raw_size, 1, error);
	decoder->raw = buffer;
	return status == SNAP_OK ? libsnap_fetch(decoder, block, decoder->raw, error) : status;
}

static enum snap_status fail_encoding(const struct libsnap_block *block, struct snap_error *error)
{
	return libsnap_fail(error, SNAP_CORRUPT, block->offset,
			    "block %u breaks the rules of encoding %s", block->sequence,
			    snap_encoding_name(block->encoding));
}

static enum snap_status fetch_some(struct libsnap_decoder *decoder,
				   const struct libsnap_block *block, uint64_t *values,
				   size_t count, struct snap_error *error)
{
	enum snap_status status = fetch_raw(decoder, block, error);
	if (status == SNAP_OK &&
	    !snapfmt_decode(block->encoding, decoder->raw, block->raw_size, values, count))
		status = fail_encoding(block, error);
	return status;
}

/* The sizes of the objects whose addresses a block
 * has; NULL if it cannot have any by this encoding. */
static const struct libsnap_block *sizes_of(const struct snap_reader *reader,
					    const struct libsnap_block *block)
{
	const struct libsnap_column *column = libsnap_find_column(reader, SNAP_OBJECT_SIZE);
	if (block->column != SNAP_OBJECT_ADDRESS || !column)
		return NULL;
	size_t at = libsnap_block_at(reader, column, block->first_row);
	const struct libsnap_block *sizes =
		at < column->count ? libsnap_block_of(reader, column, at) : NULL;
	return sizes && sizes->first_row == block->first_row && sizes->row_count == block->row_count
		       ? sizes
		       : NULL;
}

static enum snap_status fetch_adjacent(struct libsnap_decoder *decoder,
				       const struct libsnap_block *block, uint64_t *values,
				       struct snap_error *error)
{
	const struct libsnap_block *of = sizes_of(decoder->reader, block);
	if (!of)
		return fail_encoding(block, error);
	void *sizes = decoder->sizes;
	enum snap_status status =
		libsnap_reader_reserve(decoder->reader, &sizes, &decoder->size_capacity,
				       of->row_count, sizeof *decoder->sizes, error);
	decoder->sizes = sizes;
	if (status == SNAP_OK)
		status = fetch_some(decoder, of, decoder->sizes, of->row_count, error);
	if (status == SNAP_OK)
		status = fetch_raw(decoder, block, error);
	if (status == SNAP_OK && !snapfmt_decode_adjacent(decoder->raw, block->raw_size,
							  decoder->sizes, values, block->row_count))
		status = fail_encoding(block, error);
	return status;
}

enum snap_status libsnap_fetch_values(struct libsnap_decoder *decoder,
				      const struct libsnap_block *block, uint64_t *values,
				      struct snap_error *error)
{
	if (block->encoding == SNAPFMT_ADJACENT)
		return fetch_adjacent(decoder, block, values, error);
	return fetch_some(decoder, block, values, block->row_count, error);
}

enum snap_status libsnap_fetch_constant(struct libsnap_decoder *decoder,
					const struct libsnap_block *block, uint64_t *value,
					struct snap_error *error)
{
	return fetch_some(decoder, block, value, 1, error);
}

/* ---- rules for single values ---- */

/* The first value that is wrong, or count.  The loop without a branch comes first: it is almost
 * always all that is needed. */
static size_t find_over(const uint64_t *values, size_t count, uint64_t minimum, uint64_t maximum)
{
	uint64_t range = maximum - minimum;
	bool wrong = false;
	for (size_t i = 0; i < count; i++)
		wrong |= values[i] - minimum > range;
	if (!wrong)
		return count;
	size_t at = 0;
	while (values[at] - minimum <= range)
		at++;
	return at;
}

static size_t find_bad_label(const uint64_t *values, size_t count, uint64_t strings,
			     uint64_t objects)
{
	/* The largest n for each tag, and the least. */
	const uint64_t least[4] = {1, 0, 1, 0};
	const uint64_t most[4] = {strings, UINT64_MAX, objects, 0};
	for (size_t i = 0; i < count; i++) {
		uint64_t n = values[i] >> 2, tag = values[i] & 3;
		if (n < least[tag] || n > most[tag])
			return i;
	}
	return count;
}

static size_t find_bad_parent(const uint64_t *values, size_t count, uint64_t first_row)
{
	for (size_t i = 0; i < count; i++) {
		if (values[i] > first_row + i)
			return i;
	}
	return count;
}

static size_t find_bad(const struct snap_reader *reader, const struct snapfmt_column *known,
		       uint64_t first_row, const uint64_t *values, size_t count)
{
	uint64_t rows = known->refers_to ? reader->rows[known->refers_to] : 0;
	switch (SNAP_COLUMN(known->table, known->column)) {
	case SNAP_STACK_PARENT: return find_bad_parent(values, count, first_row);
	case SNAP_SHAPE_TAIL: return find_over(values, count, SNAP_TAIL_NONE, SNAP_TAIL_LABELLED);
	case SNAP_RUN_ROWS: return find_over(values, count, 1, UINT64_MAX);
	default: break;
	}
	switch (known->unit) {
	case SNAPFMT_ID: return rows ? find_over(values, count, 1, rows) : 0;
	case SNAPFMT_OPTIONAL_ID: return find_over(values, count, 0, rows);
	case SNAPFMT_LABEL:
		return find_bad_label(values, count, reader->rows[SNAP_STRINGS],
				      reader->rows[SNAP_OBJECTS]);
	case SNAPFMT_NUMBER: break;
	}
	return count;
}

enum snap_status libsnap_check_values(const struct snap_reader *reader,
				      const struct snapfmt_column *known,
				      const struct libsnap_block *block, uint64_t first_row,
				      const uint64_t *values, size_t count,
				      struct snap_error *error)
{
	size_t bad = find_bad(reader, known, first_row, values, count);
	if (bad == count)
		return SNAP_OK;
	return libsnap_fail(error, SNAP_CORRUPT, block->offset,
			    "row %llu of %s.%s is %llu, which cannot be",
			    (unsigned long long)first_row + bad, known->table_name,
			    known->column_name, (unsigned long long)values[bad]);
}
