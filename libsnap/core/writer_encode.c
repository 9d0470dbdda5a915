/* A column's values become a block's bytes, in the encoding that turns out smallest (FORMAT.md,
 * section 6).  All that this needs is the encoder's, so that two of them may be at it. */
#include <string.h>

#include "writer.h"

/* A block of more rows is judged by stretches of it: all encodings by short ones, those that come
 * near the best by longer ones. */
#define SAMPLE_ROWS      4096u
#define FEW_ROWS         2048u
#define SAMPLE_STRETCHES 4u
#define RAW_SIZE         SNAPFMT_MAX_RAW
#define LEVEL_TRIAL      1
/* What a sample takes at most, in any encoding. */
#define SAMPLE_RAW 65536u

enum snap_status libsnap_encoder_new(struct libsnap_encoder *e,
				     const struct snap_allocator *allocator, int level,
				     struct snap_error *error)
{
	e->raw = libsnap_alloc(allocator, SNAPFMT_MAX_RAW, 1);
	e->sample = libsnap_alloc(allocator, SAMPLE_ROWS, sizeof(*e->sample));
	e->size_sample = libsnap_alloc(allocator, SAMPLE_ROWS, sizeof(*e->size_sample));
	if (!e->raw || !e->sample || !e->size_sample)
		return libsnap_fail_memory(error);
	enum snap_status status = libsnap_compressor_new(&e->compressor, allocator, level, error);
	if (status == SNAP_OK)
		status = libsnap_compressor_new(&e->trial, allocator, LEVEL_TRIAL, error);
	return status;
}

enum snap_status libsnap_encoder_reserve(struct libsnap_encoder *e, uint8_t *scratch, bool no_more,
					 struct snap_error *error)
{
	memset(e->raw, 0, RAW_SIZE);
	enum snap_status status = libsnap_compressor_reserve(
		e->compressor, e->raw, RAW_SIZE, scratch, LIBSNAP_STORED_BOUND, no_more, error);
	if (status == SNAP_OK)
		status = libsnap_compressor_reserve(e->trial, e->raw, SAMPLE_RAW, scratch,
						    LIBSNAP_STORED_BOUND, no_more, error);
	return status;
}

void libsnap_encoder_free(struct libsnap_encoder *e, const struct snap_allocator *allocator)
{
	libsnap_compressor_free(e->compressor);
	libsnap_compressor_free(e->trial);
	libsnap_free(allocator, e->raw, SNAPFMT_MAX_RAW, 1);
	libsnap_free(allocator, e->sample, SAMPLE_ROWS, sizeof(*e->sample));
	libsnap_free(allocator, e->size_sample, SAMPLE_ROWS, sizeof(*e->size_sample));
	*e = (struct libsnap_encoder){.raw = NULL};
}

/* Some of a block's values, which begin with those of its first row. */
static void take_sample(uint64_t *sample, size_t sample_rows, const uint64_t *values, size_t count)
{
	const size_t stretch = sample_rows / SAMPLE_STRETCHES;
	for (size_t i = 0; i < SAMPLE_STRETCHES; i++)
		memcpy(sample + i * stretch,
		       values + i * (count - stretch) / (SAMPLE_STRETCHES - 1),
		       stretch * sizeof(*sample));
}

static bool all_same(const uint64_t *values, size_t count)
{
	return memcmp(values, values + 1, (count - 1) * sizeof(*values)) == 0;
}

static size_t encode(const struct libsnap_column_out *c, uint8_t encoding, const uint64_t *values,
		     const uint64_t *sizes, size_t count, uint8_t *raw)
{
	if (encoding == SNAPFMT_RANGES)
		return c->bound_count ? snapfmt_encode_ranges(values, count, c->bounds,
							      c->bound_count, raw, RAW_SIZE)
				      : 0;
	if (encoding == SNAPFMT_ADJACENT)
		return sizes ? snapfmt_encode_adjacent(values, sizes, count, raw, RAW_SIZE) : 0;
	return snapfmt_codecs[encoding].encode(values, count, raw, RAW_SIZE);
}

/* A set of encodings, by bit. */
static inline uint32_t bit_of(uint8_t encoding)
{
	return (uint32_t)1 << encoding;
}

static bool comes_near(size_t size, size_t best_size)
{
	return size <= best_size + best_size / 4 + 32;
}

/* What is being encoded, and where failures go. */
struct encoding {
	struct libsnap_encoder *encoder;
	const struct libsnap_column_out *column;
	uint8_t *scratch; /* LIBSNAP_STORED_BOUND */
	struct snap_error *error;
};

/* Those of *left that come near the best remain there. */
static enum snap_status try_encodings(const struct encoding *e, const uint64_t *values,
				      const uint64_t *sizes, size_t count, uint32_t *left,
				      uint8_t *best)
{
	static const uint8_t tried[] = {SNAPFMT_STEPS,      SNAPFMT_DELTA, SNAPFMT_PLANES,
					SNAPFMT_DICTIONARY, SNAPFMT_RUNS,  SNAPFMT_RANGES,
					SNAPFMT_ADJACENT};
	size_t stored_size[sizeof(tried)], best_size = SIZE_MAX;
	uint8_t *raw = e->encoder->raw;
	for (size_t i = 0; i < sizeof(tried); i++) {
		stored_size[i] = SIZE_MAX;
		if (!(*left & bit_of(tried[i])))
			continue;
		size_t raw_size = encode(e->column, tried[i], values, sizes, count, raw);
		if (raw_size == 0)
			continue;
		enum snap_status status =
			libsnap_compress(e->encoder->trial, raw, raw_size, e->scratch,
					 LIBSNAP_STORED_BOUND, &stored_size[i], e->error);
		if (status != SNAP_OK)
			return status;
		if (stored_size[i] < best_size) {
			best_size = stored_size[i];
			*best = tried[i];
		}
	}
	for (size_t i = 0; i < sizeof(tried); i++)
		if (stored_size[i] == SIZE_MAX || !comes_near(stored_size[i], best_size))
			*left &= ~bit_of(tried[i]);
	return SNAP_OK;
}

static enum snap_status try_sample(const struct encoding *e, const uint64_t *values, size_t count,
				   size_t sample_rows, uint32_t *left, uint8_t *best)
{
	const uint64_t *sizes = e->column->sizes;
	if (count <= sample_rows)
		return try_encodings(e, values, sizes, count, left, best);
	take_sample(e->encoder->sample, sample_rows, values, count);
	if (sizes)
		take_sample(e->encoder->size_sample, sample_rows, sizes, count);
	return try_encodings(e, e->encoder->sample, sizes ? e->encoder->size_sample : NULL,
			     sample_rows, left, best);
}

static enum snap_status choose_encoding(const struct encoding *e, const uint64_t *values,
					size_t count, uint8_t *best)
{
	uint32_t left = UINT32_MAX;
	*best = SNAPFMT_CONSTANT;
	if (count == 1 || all_same(values, count))
		return SNAP_OK;
	*best = SNAPFMT_PLANES;
	enum snap_status status = try_sample(e, values, count, FEW_ROWS, &left, best);
	if (status != SNAP_OK || count <= FEW_ROWS || (left & (left - 1)) == 0)
		return status;
	return try_sample(e, values, count, SAMPLE_ROWS, &left, best);
}

enum snap_status libsnap_encode(struct libsnap_encoder *encoder, struct libsnap_column_out *c,
				const uint64_t *values, size_t count, uint8_t *scratch,
				size_t *raw_size, struct snap_error *error)
{
	struct encoding e = {.encoder = encoder, .column = c, .error = error};
	e.scratch = scratch;
	enum snap_status status = SNAP_OK;
	if (!c->chosen)
		status = choose_encoding(&e, values, count, &c->encoding);
	if (status != SNAP_OK)
		return status;
	*raw_size = encode(c, c->encoding, values, c->sizes, count, encoder->raw);
	if (*raw_size == 0) {
		/* The sample said nothing of what this encoding cannot do. */
		c->encoding = SNAPFMT_PLANES;
		*raw_size = snapfmt_encode_planes(values, count, encoder->raw, RAW_SIZE);
	}
	if (*raw_size == 0)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET, "a block over %u bytes",
				    SNAPFMT_MAX_RAW);
	return SNAP_OK;
}

enum snap_status libsnap_encoder_compress(struct libsnap_encoder *encoder,
					  struct snapfmt_block *block, const uint8_t *raw,
					  size_t raw_size, uint8_t *payload,
					  struct snap_error *error)
{
	size_t stored_size, ends[SNAPFMT_MAX_PARTS];
	size_t parts = snapfmt_find_parts(block->encoding, raw, raw_size, block->row_count, ends);
	enum snap_status status =
		libsnap_compress_parts(encoder->compressor, raw, ends, parts, payload,
				       LIBSNAP_STORED_BOUND, &stored_size, error);
	if (status != SNAP_OK)
		return status;
	block->raw_size = (uint32_t)raw_size;
	block->stored_size = (uint32_t)stored_size;
	return SNAP_OK;
}
