/* Rows become columns, and columns blocks, each in the encoding that turns out smallest (FORMAT.md,
 * section 6). */
#include <string.h>

#include "writer.h"

/* A block of more rows is judged by stretches of it: all encodings
 * by short ones, those that come near the best by longer ones. */
#define SAMPLE_ROWS      LIBSNAP_SAMPLE_ROWS
#define FEW_ROWS         2048u
#define SAMPLE_STRETCHES 4u
#define RAW_SIZE         SNAPFMT_MAX_RAW

enum snap_status libsnap_write_block(struct snap_writer *w, struct snapfmt_block *block,
				     const uint8_t *raw, size_t raw_size)
{
	uint8_t *payload = w->stored + SNAPFMT_BLOCK_HEADER_SIZE;
	size_t stored_size, ends[SNAPFMT_MAX_PARTS];
	size_t parts = snapfmt_find_parts(block->encoding, raw, raw_size, block->row_count, ends);
	enum snap_status status = libsnap_batch_precede(w, block);
	if (status == SNAP_OK)
		status = libsnap_compress_parts(w->compressor, raw, ends, parts, payload,
						LIBSNAP_STORED_BOUND, &stored_size, &w->problem);
	if (status != SNAP_OK)
		return status;
	block->raw_size = (uint32_t)raw_size;
	block->stored_size = (uint32_t)stored_size;
	return libsnap_out_block(w, block, payload);
}

static enum snap_status too_large(struct snap_writer *w)
{
	return libsnap_fail(&w->problem, SNAP_LIMIT, SNAP_NO_OFFSET, "a block over %u bytes",
			    SNAPFMT_MAX_RAW);
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

/* Those of *left that come near the best remain there. */
static enum snap_status try_encodings(struct snap_writer *w, const struct libsnap_column_out *c,
				      const uint64_t *values, const uint64_t *sizes, size_t count,
				      uint32_t *left, uint8_t *best)
{
	static const uint8_t tried[] = {SNAPFMT_STEPS,      SNAPFMT_DELTA, SNAPFMT_PLANES,
					SNAPFMT_DICTIONARY, SNAPFMT_RUNS,  SNAPFMT_RANGES,
					SNAPFMT_ADJACENT};
	size_t stored_size[sizeof(tried)], best_size = SIZE_MAX;
	for (size_t i = 0; i < sizeof(tried); i++) {
		stored_size[i] = SIZE_MAX;
		if (!(*left & bit_of(tried[i])))
			continue;
		size_t raw_size = encode(c, tried[i], values, sizes, count, w->raw);
		if (raw_size == 0)
			continue;
		enum snap_status status =
			libsnap_compress(w->trial, w->raw, raw_size, w->stored,
					 LIBSNAP_STORED_BOUND, &stored_size[i], &w->problem);
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

static enum snap_status try_sample(struct snap_writer *w, const struct libsnap_column_out *c,
				   const uint64_t *values, size_t count, size_t sample_rows,
				   uint32_t *left, uint8_t *best)
{
	if (count <= sample_rows)
		return try_encodings(w, c, values, c->sizes, count, left, best);
	take_sample(w->sample, sample_rows, values, count);
	if (c->sizes)
		take_sample(w->size_sample, sample_rows, c->sizes, count);
	return try_encodings(w, c, w->sample, c->sizes ? w->size_sample : NULL, sample_rows, left,
			     best);
}

static enum snap_status choose_encoding(struct snap_writer *w, const struct libsnap_column_out *c,
					const uint64_t *values, size_t count, uint8_t *best)
{
	uint32_t left = UINT32_MAX;
	*best = SNAPFMT_CONSTANT;
	if (count == 1 || all_same(values, count))
		return SNAP_OK;
	*best = SNAPFMT_PLANES;
	enum snap_status status = try_sample(w, c, values, count, FEW_ROWS, &left, best);
	if (status != SNAP_OK || count <= FEW_ROWS || (left & (left - 1)) == 0)
		return status;
	return try_sample(w, c, values, count, SAMPLE_ROWS, &left, best);
}

/* Into w->raw. */
static enum snap_status encode_values(struct snap_writer *w, struct libsnap_column_out *c,
				      const uint64_t *values, size_t count, size_t *raw_size)
{
	enum snap_status status = SNAP_OK;
	if (!c->chosen)
		status = choose_encoding(w, c, values, count, &c->encoding);
	if (status != SNAP_OK)
		return status;
	*raw_size = encode(c, c->encoding, values, c->sizes, count, w->raw);
	if (*raw_size == 0) {
		/* The sample said nothing of what this encoding cannot do. */
		c->encoding = SNAPFMT_PLANES;
		*raw_size = snapfmt_encode_planes(values, count, w->raw, RAW_SIZE);
	}
	return *raw_size ? SNAP_OK : too_large(w);
}

static struct snapfmt_block block_of(const struct libsnap_column_out *c, uint8_t encoding,
				     size_t count)
{
	return (struct snapfmt_block){.table = c->info->table,
				      .column = c->info->column,
				      .encoding = encoding,
				      .flags = c->info->critical ? SNAPFMT_BLOCK_CRITICAL : 0,
				      .first_row = c->written,
				      .row_count = (uint32_t)count};
}

static enum snap_status write_values(struct snap_writer *w, struct libsnap_column_out *c,
				     const uint64_t *values, size_t count)
{
	size_t raw_size;
	enum snap_status status = encode_values(w, c, values, count, &raw_size);
	if (status != SNAP_OK)
		return status;
	struct snapfmt_block block = block_of(c, c->encoding, count);
	c->written += count;
	return libsnap_write_block(w, &block, w->raw, raw_size);
}

static enum snap_status write_same(struct snap_writer *w, struct libsnap_column_out *c,
				   uint64_t value, size_t count)
{
	struct snapfmt_block block = block_of(c, SNAPFMT_CONSTANT, count);
	size_t raw_size = snapfmt_encode_constant(&value, 1, w->raw, RAW_SIZE);
	c->written += count;
	return libsnap_write_block(w, &block, w->raw, raw_size);
}

/* Rows of default that turned out to be followed by others. */
static enum snap_status write_deferred(struct libsnap_table_out *t, struct libsnap_column_out *c)
{
	enum snap_status status = SNAP_OK;
	while (c->deferred > 0 && status == SNAP_OK) {
		size_t count = c->deferred < t->block_rows ? (size_t)c->deferred : t->block_rows;
		c->deferred -= count;
		status = write_same(t->writer, c, c->info->default_value, count);
	}
	return status;
}

/* Sizes that are all the same say nothing of addresses that their differences do not. */
static void know_sizes(struct libsnap_table_out *t)
{
	struct libsnap_column_out *c = t->columns;
	if (c[0].info->table == SNAP_OBJECTS)
		c[0].sizes = t->varied >> 1 & 1 ? t->values[1] : NULL;
}

static bool is_absent(const struct libsnap_column_out *c, bool varied)
{
	return !varied && c->same == c->info->default_value && c->written == 0 && !c->info->always;
}

/* Puts what is small of a table's only block into a batch. */
static enum snap_status batch_column(struct libsnap_table_out *t, size_t i)
{
	struct snap_writer *w = t->writer;
	struct libsnap_column_out *c = &t->columns[i];
	const bool varied = t->varied >> i & 1;
	size_t raw_size = 0;
	enum snap_status status = SNAP_OK;
	if (is_absent(c, varied))
		return SNAP_OK;
	if (varied)
		status = encode_values(w, c, t->values[i], t->rows, &raw_size);
	else
		raw_size = snapfmt_encode_constant(&c->same, 1, w->raw, RAW_SIZE);
	if (status != SNAP_OK)
		return status;
	c->chosen = true;
	struct snapfmt_block block = block_of(c, varied ? c->encoding : SNAPFMT_CONSTANT, t->rows);
	bool added;
	status = libsnap_batch_add(w, &block, w->raw, raw_size, &added);
	if (status == SNAP_OK && added)
		c->written = t->row_count;
	return status;
}

static enum snap_status flush_column(struct libsnap_table_out *t, size_t i)
{
	struct libsnap_column_out *c = &t->columns[i];
	const bool varied = t->varied >> i & 1;
	if (c->written == t->row_count)
		return SNAP_OK;
	if (is_absent(c, varied)) {
		c->deferred += t->rows;
		return SNAP_OK;
	}
	enum snap_status status = write_deferred(t, c);
	if (status != SNAP_OK)
		return status;
	return varied ? write_values(t->writer, c, t->values[i], t->rows)
		      : write_same(t->writer, c, c->same, t->rows);
}

enum snap_status libsnap_table_flush(struct libsnap_table_out *t)
{
	enum snap_status status = SNAP_OK;
	if (t->rows == 0)
		return SNAP_OK;
	know_sizes(t);
	for (size_t i = 0; i < t->column_count && status == SNAP_OK; i++) {
		status = flush_column(t, i);
		t->columns[i].same = t->columns[i].info->default_value;
	}
	t->rows = 0;
	t->live = t->varied = 0;
	return status;
}

void libsnap_table_begin(struct libsnap_table_out *t, struct snap_writer *w, uint16_t table,
			 uint64_t rows_expected)
{
	*t = (struct libsnap_table_out){.writer = w, .block_rows = LIBSNAP_BLOCK_ROWS};
	if (table == SNAP_REFERENCES)
		t->block_rows = LIBSNAP_BLOCK_TARGETS;
	if (rows_expected < t->block_rows)
		t->value_rows = (size_t)rows_expected;
	else
		t->value_rows = t->block_rows;
	for (uint16_t i = 0; i < LIBSNAP_COLUMNS_MAX; i++) {
		const struct snapfmt_column *info = snapfmt_find_column(table, i);
		if (info)
			t->columns[t->column_count++] = (struct libsnap_column_out){
				.info = info, .same = info->default_value};
	}
}

/* The first value of a block that differs from those before it. */
static enum snap_status column_varies(struct libsnap_table_out *t, size_t i)
{
	if (!t->values[i])
		t->values[i] =
			libsnap_alloc(t->writer->allocator, t->value_rows, sizeof(*t->values[i]));
	if (!t->values[i])
		return libsnap_fail_memory(&t->writer->problem);
	for (size_t row = 0; row < t->rows; row++)
		t->values[i][row] = t->columns[i].same;
	t->varied |= 1u << i;
	return SNAP_OK;
}

/* All columns that have had one value so far may have another now. */
static __attribute__((noinline)) enum snap_status look_at_same(struct libsnap_table_out *t,
							       const uint64_t *values)
{
	for (uint32_t same = t->live & ~t->varied; same; same &= same - 1) {
		size_t i = (size_t)__builtin_ctz(same);
		if (t->rows == 0)
			t->columns[i].same = values[i];
		if (t->columns[i].same == values[i])
			continue;
		enum snap_status status = column_varies(t, i);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

static inline enum snap_status put_row(struct libsnap_table_out *t, const uint64_t *values)
{
	for (uint32_t varied = t->varied; varied; varied &= varied - 1) {
		size_t i = (size_t)__builtin_ctz(varied);
		t->values[i][t->rows] = values[i];
	}
	t->row_count++;
	return ++t->rows == t->block_rows ? libsnap_table_flush(t) : SNAP_OK;
}

static __attribute__((noinline)) enum snap_status put_odd_row(struct libsnap_table_out *t,
							      const uint64_t *values)
{
	enum snap_status status = look_at_same(t, values);
	return status == SNAP_OK ? put_row(t, values) : status;
}

enum snap_status libsnap_table_row_of(struct libsnap_table_out *t, const uint64_t *values,
				      uint32_t given)
{
	bool odd = t->rows == 0;
	t->live |= given;
	for (uint32_t same = t->live & ~t->varied; same; same &= same - 1) {
		size_t i = (size_t)__builtin_ctz(same);
		odd |= t->columns[i].same != values[i];
	}
	return odd ? put_odd_row(t, values) : put_row(t, values);
}

enum snap_status libsnap_table_row(struct libsnap_table_out *t, const uint64_t *values)
{
	return libsnap_table_row_of(t, values, (1u << t->column_count) - 1);
}

/* How many there are before the first that is another. */
static size_t same_values(const uint64_t *values, size_t count, uint64_t value)
{
	size_t same = 0;
	while (same < count && values[same] == value)
		same++;
	return same;
}

enum snap_status libsnap_table_values(struct libsnap_table_out *t, const uint64_t *values,
				      size_t count)
{
	enum snap_status status = SNAP_OK;
	while (count > 0 && status == SNAP_OK) {
		size_t room = t->block_rows - t->rows, taken = count < room ? count : room;
		if (t->rows == 0)
			t->columns[0].same = values[0];
		if (!t->varied)
			taken = same_values(values, taken, t->columns[0].same);
		if (taken == 0) {
			status = column_varies(t, 0);
			continue;
		}
		if (t->varied)
			memcpy(t->values[0] + t->rows, values, taken * sizeof(*values));
		t->rows += taken;
		t->row_count += taken;
		values += taken;
		count -= taken;
		if (t->rows == t->block_rows)
			status = libsnap_table_flush(t);
	}
	return status;
}

static bool are_all(const uint64_t *values, size_t count, uint64_t value)
{
	uint64_t differ = 0;
	for (size_t i = 0; i < count; i++)
		differ |= values[i] ^ value;
	return differ == 0;
}

static enum snap_status put_column(struct libsnap_table_out *t, size_t i, const uint64_t *values,
				   size_t count)
{
	struct libsnap_column_out *c = &t->columns[i];
	if (!(t->varied >> i & 1)) {
		if (t->rows == 0)
			c->same = values[0];
		if (are_all(values, count, c->same))
			return SNAP_OK;
		enum snap_status status = column_varies(t, i);
		if (status != SNAP_OK)
			return status;
	}
	memcpy(t->values[i] + t->rows, values, count * sizeof(*values));
	return SNAP_OK;
}

enum snap_status libsnap_table_rows_of(struct libsnap_table_out *t, const uint64_t *const *values,
				       uint32_t given, size_t count)
{
	for (size_t done = 0; done < count;) {
		const size_t room = t->block_rows - t->rows,
			     taken = count - done < room ? count - done : room;
		enum snap_status status = SNAP_OK;
		t->live |= given;
		for (size_t i = 0; i < t->column_count && status == SNAP_OK; i++)
			if (given >> i & 1)
				status = put_column(t, i, values[i] + done, taken);
		if (status != SNAP_OK)
			return status;
		t->rows += taken;
		t->row_count += taken;
		done += taken;
		if (t->rows == t->block_rows)
			status = libsnap_table_flush(t);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

/* A table must have a column, or nothing says how many rows it has. */
static enum snap_status keep_row_count(struct libsnap_table_out *t)
{
	for (size_t i = 0; i < t->column_count; i++)
		if (t->columns[i].written > 0)
			return SNAP_OK;
	return t->row_count ? write_deferred(t, &t->columns[0]) : SNAP_OK;
}

void libsnap_table_free(struct libsnap_table_out *t)
{
	for (size_t i = 0; i < t->column_count; i++)
		libsnap_free(t->writer->allocator, t->values[i], t->value_rows,
			     sizeof(*t->values[i]));
	t->column_count = 0;
}

enum snap_status libsnap_table_end(struct libsnap_table_out *t, enum snap_status status)
{
	const bool only_block = t->rows == t->row_count;
	know_sizes(t);
	for (size_t i = 0; i < t->column_count && t->rows > 0 && only_block && status == SNAP_OK;
	     i++)
		status = batch_column(t, i);
	if (status == SNAP_OK)
		status = libsnap_table_flush(t);
	if (status == SNAP_OK)
		status = keep_row_count(t);
	libsnap_table_free(t);
	return status;
}

enum snap_status libsnap_block_text(struct snap_writer *w, const uint8_t *raw, size_t raw_size,
				    uint64_t first_row, uint32_t row_count, bool only_block)
{
	struct snapfmt_block block = {.table = SNAP_STRINGS,
				      .column = 0,
				      .encoding = SNAPFMT_TEXT,
				      .flags = SNAPFMT_BLOCK_CRITICAL,
				      .first_row = first_row,
				      .row_count = row_count};
	bool added = false;
	enum snap_status status = SNAP_OK;
	if (only_block)
		status = libsnap_batch_add(w, &block, raw, raw_size, &added);
	return status == SNAP_OK && !added ? libsnap_write_block(w, &block, raw, raw_size) : status;
}
