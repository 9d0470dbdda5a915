/* Rows become columns, and columns blocks, each in the encoding that turns out smallest (FORMAT.md,
 * section 6). */
#include <string.h>

#include "writer.h"

#define RAW_SIZE SNAPFMT_MAX_RAW

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

void libsnap_column_find(struct snap_writer *w, const struct libsnap_column_out *c,
			 uint64_t *values, size_t count, uint64_t each)
{
	struct libsnap_found found = {0};
	if (!c->ids)
		return;
	libsnap_map_find(c->ids, values, count, &found);
	w->written_references += found.known * each;
	w->unknown_references += found.unknown * each;
}

static enum snap_status write_values(struct libsnap_table_out *t, size_t i)
{
	struct libsnap_column_out *c = &t->columns[i];
	struct snapfmt_block block = block_of(c, 0, t->rows);
	c->written += t->rows;
	return libsnap_write_values(t->writer, &block, c, &t->values[i], t->value_rows);
}

static enum snap_status write_same(struct snap_writer *w, struct libsnap_column_out *c,
				   uint64_t value, size_t count)
{
	struct snapfmt_block block = block_of(c, SNAPFMT_CONSTANT, count);
	size_t raw_size = snapfmt_encode_constant(&value, 1, w->encoder.raw, RAW_SIZE);
	c->written += count;
	return libsnap_write_block(w, &block, w->encoder.raw, raw_size);
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

/* Of the block at hand. */
static void find_rows(struct libsnap_table_out *t, size_t i)
{
	if (t->varied >> i & 1)
		libsnap_column_find(t->writer, &t->columns[i], t->values[i], t->rows, 1);
	else
		libsnap_column_find(t->writer, &t->columns[i], &t->columns[i].same, 1, t->rows);
}

/* Puts what is small of a table's only block into a batch. */
static enum snap_status batch_column(struct libsnap_table_out *t, size_t i)
{
	struct snap_writer *w = t->writer;
	struct libsnap_column_out *c = &t->columns[i];
	const bool varied = t->varied >> i & 1;
	size_t raw_size = 0;
	enum snap_status status = SNAP_OK;
	find_rows(t, i);
	c->ids = NULL;
	if (is_absent(c, varied))
		return SNAP_OK;
	if (varied)
		status = libsnap_encode(&w->encoder, c, t->values[i], t->rows, w->stored, &raw_size,
					&w->problem);
	else
		raw_size = snapfmt_encode_constant(&c->same, 1, w->encoder.raw, RAW_SIZE);
	if (status != SNAP_OK)
		return status;
	c->chosen = true;
	struct snapfmt_block block = block_of(c, varied ? c->encoding : SNAPFMT_CONSTANT, t->rows);
	bool added;
	status = libsnap_batch_add(w, &block, w->encoder.raw, raw_size, &added);
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
	if (!varied)
		find_rows(t, i);
	if (is_absent(c, varied)) {
		c->deferred += t->rows;
		return SNAP_OK;
	}
	enum snap_status status = write_deferred(t, c);
	if (status != SNAP_OK)
		return status;
	return varied ? write_values(t, i) : write_same(t->writer, c, c->same, t->rows);
}

enum snap_status libsnap_table_flush(struct libsnap_table_out *t)
{
	enum snap_status status = SNAP_OK;
	if (t->rows == 0)
		return SNAP_OK;
	know_sizes(t);
	if (t->writer->compared)
		status = libsnap_table_compare(t);
	for (size_t i = 0; i < t->column_count && status == SNAP_OK; i++) {
		if (!t->writer->compared)
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
		t->value_rows = libsnap_blocks_value_rows(w, t->block_rows);
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
	libsnap_blocks_wait(t->writer);
	for (size_t i = 0; i < t->column_count; i++)
		libsnap_free(t->writer->allocator, t->values[i], t->value_rows,
			     sizeof(*t->values[i]));
	t->column_count = 0;
}

enum snap_status libsnap_table_end(struct libsnap_table_out *t, enum snap_status status)
{
	const bool only_block = t->rows == t->row_count && !t->writer->compared;
	know_sizes(t);
	for (size_t i = 0; i < t->column_count && t->rows > 0 && only_block && status == SNAP_OK;
	     i++)
		status = batch_column(t, i);
	if (status == SNAP_OK)
		status = libsnap_table_flush(t);
	if (status == SNAP_OK)
		status = t->writer->compared ? libsnap_table_compare_end(t) : keep_row_count(t);
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
