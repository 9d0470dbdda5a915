/* Columns: a few decoded blocks at a time (FORMAT.md, sections 6 and 7). */
#include <string.h>

#include "reader.h"

#define TEXT_SLOTS  4
#define VALUE_SLOTS 2

/* A decoded block. */
struct slot {
	struct libsnap_block *block; /* NULL: empty */
	uint64_t last_use;
	bool constant;
	uint64_t value; /* if constant */
	uint64_t *values;
	size_t value_capacity;
	uint8_t *raw; /* of text */
	size_t raw_capacity;
	uint32_t *offsets;
	size_t offset_capacity;
	const char *bytes;
};

struct snap_column {
	struct snap_reader *reader;
	const struct snapfmt_column *known;
	const struct libsnap_column *blocks; /* NULL: absent */
	bool missing;                        /* absent, but must have been there */
	uint64_t doubtful_from;              /* if absent: rows from here on may have been lost */
	struct libsnap_decoder own;
	struct libsnap_decoder *decoder; /* own, or shared */
	size_t slot_count, hint;
	uint64_t clock;
	struct slot slots[TEXT_SLOTS];
};

static enum snap_status open_column(struct snap_column **out, struct snap_reader *reader,
				    uint32_t id, struct libsnap_decoder *shared,
				    struct snap_error *error)
{
	const struct snapfmt_column *known =
		snapfmt_find_column((uint16_t)(id >> 16), (uint16_t)id);
	if (!known)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "there is no column %u.%u",
				    id >> 16, id & 0xffff);
	void *memory = NULL;
	enum snap_status status =
		libsnap_reader_resize(reader, &memory, 0, 1, sizeof(struct snap_column), error);
	if (status != SNAP_OK)
		return status;
	struct snap_column *column = memory;
	*column = (struct snap_column){.reader = reader, .known = known};
	column->blocks = libsnap_find_column(reader, id);
	column->missing = !column->blocks && known->always;
	column->doubtful_from = reader->doubtful_from[known->table];
	column->slot_count = known->is_text ? TEXT_SLOTS : shared ? 1 : VALUE_SLOTS;
	libsnap_decoder_init(&column->own, reader);
	column->decoder = shared ? shared : &column->own;
	*out = column;
	return SNAP_OK;
}

enum snap_status snap_column_open(struct snap_column **out, struct snap_reader *reader, uint32_t id,
				  struct snap_error *error)
{
	return open_column(out, reader, id, NULL, error);
}

enum snap_status libsnap_column_open_shared(struct snap_column **out, struct snap_reader *reader,
					    uint32_t id, struct libsnap_decoder *decoder,
					    struct snap_error *error)
{
	return open_column(out, reader, id, decoder, error);
}

static void empty_slot(struct snap_reader *reader, struct slot *slot)
{
	libsnap_reader_free(reader, slot->values, slot->value_capacity, sizeof *slot->values);
	libsnap_reader_free(reader, slot->raw, slot->raw_capacity, 1);
	libsnap_reader_free(reader, slot->offsets, slot->offset_capacity, sizeof *slot->offsets);
	*slot = (struct slot){0};
}

void snap_column_close(struct snap_column *column)
{
	if (!column)
		return;
	for (size_t i = 0; i < column->slot_count; i++)
		empty_slot(column->reader, &column->slots[i]);
	libsnap_decoder_end(&column->own);
	libsnap_reader_free(column->reader, column, 1, sizeof *column);
}

/* ---- which block ---- */

/* The block with a row, or NULL where it is lost; *end is the row after the block or the gap. */
static struct libsnap_block *find_block(struct snap_column *column, uint64_t row, uint64_t *end)
{
	const struct libsnap_column *blocks = column->blocks;
	uint64_t rows = column->reader->rows[column->known->table];
	*end = rows;
	for (size_t i = column->hint; i < column->hint + 2 && i < blocks->count; i++) {
		struct libsnap_block *block = libsnap_block_of(column->reader, blocks, i);
		if (row >= block->first_row && row - block->first_row < block->row_count) {
			column->hint = i;
			*end = block->first_row + block->row_count;
			return block;
		}
	}
	size_t at = libsnap_block_at(column->reader, blocks, row);
	if (at == blocks->count)
		return NULL;
	struct libsnap_block *block = libsnap_block_of(column->reader, blocks, at);
	if (block->first_row > row) {
		*end = block->first_row;
		return NULL;
	}
	column->hint = at;
	*end = block->first_row + block->row_count;
	return block;
}

static enum snap_status fail_lost(const struct snap_column *column, uint64_t row, uint64_t end,
				  struct snap_error *error)
{
	return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
			    "rows %llu to %llu of %s.%s are lost", (unsigned long long)row,
			    (unsigned long long)end - 1, column->known->table_name,
			    column->known->column_name);
}

static enum snap_status check_range(const struct snap_column *column, uint64_t first,
				    uint64_t count, bool text, struct snap_error *error)
{
	uint64_t rows = column->reader->rows[column->known->table];
	if (column->known->is_text != text)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "%s.%s is %s text",
				    column->known->table_name, column->known->column_name,
				    text ? "not" : "a");
	if (first > rows || count > rows - first)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "row %llu of %s is asked for, but there are %llu",
				    (unsigned long long)first + count - 1,
				    column->known->table_name, (unsigned long long)rows);
	return SNAP_OK;
}

/* ---- decoding ---- */

/* In a partial reader, a block that breaks the rules is lost from now on. */
static enum snap_status judge(struct snap_column *column, struct libsnap_block *block,
			      enum snap_status status, const struct snap_error *own,
			      struct snap_error *error)
{
	if (status == SNAP_CORRUPT && column->reader->partial)
		libsnap_note_lost(column->reader, block, own);
	if (status != SNAP_OK && error)
		*error = *own;
	return status;
}

static enum snap_status decode_values(struct snap_column *column, struct libsnap_block *block,
				      uint64_t *values, struct snap_error *error)
{
	struct snap_error own;
	enum snap_status status = libsnap_fetch_values(column->decoder, block, values, &own);
	if (status == SNAP_OK)
		status = libsnap_check_values(column->reader, column->known, block,
					      block->first_row, values, block->row_count, &own);
	return judge(column, block, status, &own, error);
}

static enum snap_status fill_constant(struct snap_column *column, struct slot *slot,
				      struct libsnap_block *block, struct snap_error *error)
{
	struct snap_error own;
	enum snap_status status =
		libsnap_fetch_constant(column->decoder, block, &slot->value, &own);
	/* The first row is the strictest, for parents too. */
	if (status == SNAP_OK)
		status = libsnap_check_values(column->reader, column->known, block,
					      block->first_row, &slot->value, 1, &own);
	slot->constant = true;
	return judge(column, block, status, &own, error);
}

static enum snap_status fill_values(struct snap_column *column, struct slot *slot,
				    struct libsnap_block *block, struct snap_error *error)
{
	void *values = slot->values;
	enum snap_status status =
		libsnap_reader_reserve(column->reader, &values, &slot->value_capacity,
				       block->row_count, sizeof *slot->values, error);
	slot->values = values;
	slot->constant = false;
	return status == SNAP_OK ? decode_values(column, block, slot->values, error) : status;
}

static enum snap_status fill_text(struct snap_column *column, struct slot *slot,
				  struct libsnap_block *block, struct snap_error *error)
{
	void *raw = slot->raw, *offsets = slot->offsets;
	enum snap_status status = libsnap_reader_reserve(column->reader, &raw, &slot->raw_capacity,
							 block->raw_size, 1, error);
	slot->raw = raw;
	if (status == SNAP_OK)
		status = libsnap_reader_reserve(column->reader, &offsets, &slot->offset_capacity,
						(size_t)block->row_count + 1, sizeof *slot->offsets,
						error);
	slot->offsets = offsets;
	if (status != SNAP_OK)
		return status;
	struct snap_error own;
	status = libsnap_fetch(column->decoder, block, slot->raw, &own);
	if (status == SNAP_OK && !snapfmt_decode_text(slot->raw, block->raw_size, block->row_count,
						      slot->offsets, &slot->bytes))
		status =
			libsnap_fail(&own, SNAP_CORRUPT, block->offset,
				     "block %u breaks the rules of encoding text", block->sequence);
	return judge(column, block, status, &own, error);
}

static enum snap_status fill(struct snap_column *column, struct slot *slot,
			     struct libsnap_block *block, struct snap_error *error)
{
	slot->block = NULL;
	enum snap_status status;
	if (column->known->is_text)
		status = fill_text(column, slot, block, error);
	else if (block->encoding == SNAPFMT_CONSTANT)
		status = fill_constant(column, slot, block, error);
	else
		status = fill_values(column, slot, block, error);
	if (status == SNAP_OK)
		slot->block = block;
	return status;
}

/* The slot that holds a block, after decoding it if needed. */
static enum snap_status need_block(struct snap_column *column, struct libsnap_block *block,
				   struct slot **out, struct snap_error *error)
{
	struct slot *oldest = &column->slots[0];
	for (size_t i = 0; i < column->slot_count; i++) {
		struct slot *slot = &column->slots[i];
		if (slot->block == block) {
			slot->last_use = ++column->clock;
			*out = slot;
			return SNAP_OK;
		}
		if (slot->last_use < oldest->last_use)
			oldest = slot;
	}
	enum snap_status status = fill(column, oldest, block, error);
	if (status == SNAP_LIMIT) {
		/* A larger cache is a luxury: without it, it may go. */
		for (size_t i = 0; i < column->slot_count; i++)
			empty_slot(column->reader, &column->slots[i]);
		status = fill(column, oldest, block, error);
	}
	if (status != SNAP_OK)
		return status;
	oldest->last_use = ++column->clock;
	*out = oldest;
	return SNAP_OK;
}

/* ---- reading ---- */

static void repeat(uint64_t *values, uint64_t value, size_t count)
{
	for (size_t i = 0; i < count; i++)
		values[i] = value;
}

static const struct slot *cached(const struct snap_column *column,
				 const struct libsnap_block *block)
{
	for (size_t i = 0; i < column->slot_count; i++) {
		if (column->slots[i].block == block)
			return &column->slots[i];
	}
	return NULL;
}

/* As many of count values from row on as one block has. */
static enum snap_status read_some(struct snap_column *column, uint64_t row, size_t count,
				  uint64_t *values, size_t *done, struct snap_error *error)
{
	uint64_t end;
	struct libsnap_block *block = find_block(column, row, &end);
	if (!block)
		return fail_lost(column, row, end, error);
	uint64_t skipped = row - block->first_row;
	size_t some = (size_t)(block->row_count - skipped);
	if (some > count)
		some = count;
	*done = some;
	if (some == block->row_count && block->encoding != SNAPFMT_CONSTANT &&
	    !cached(column, block))
		return decode_values(column, block, values, error);
	struct slot *slot;
	enum snap_status status = need_block(column, block, &slot, error);
	if (status != SNAP_OK)
		return status;
	if (slot->constant)
		repeat(values, slot->value, some);
	else
		memcpy(values, slot->values + skipped, some * sizeof *values);
	return SNAP_OK;
}

enum snap_status snap_column_read(struct snap_column *column, uint64_t first_row, size_t count,
				  uint64_t *values, struct snap_error *error)
{
	enum snap_status status = check_range(column, first_row, count, false, error);
	if (status != SNAP_OK || count == 0)
		return status;
	if (column->missing || (!column->blocks && first_row + count > column->doubtful_from))
		return fail_lost(column, first_row, first_row + count, error);
	if (!column->blocks) {
		repeat(values, column->known->default_value, count);
		return SNAP_OK;
	}
	for (size_t done = 0; count > 0; count -= done) {
		status = read_some(column, first_row, count, values, &done, error);
		if (status != SNAP_OK)
			return status;
		first_row += done;
		values += done;
	}
	return SNAP_OK;
}

enum snap_status libsnap_column_view(struct snap_column *column, uint64_t row,
				     struct libsnap_view *view, struct snap_error *error)
{
	*view = (struct libsnap_view){.end = column->reader->rows[column->known->table]};
	if (!column->blocks) {
		view->constant = column->known->default_value;
		view->lost = column->missing || row >= column->doubtful_from;
		if (!view->lost && view->end > column->doubtful_from)
			view->end = column->doubtful_from;
		return SNAP_OK;
	}
	struct libsnap_block *block = find_block(column, row, &view->end);
	if (!block) {
		view->lost = true;
		return SNAP_OK;
	}
	struct slot *slot;
	enum snap_status status = need_block(column, block, &slot, error);
	if (status == SNAP_CORRUPT && column->reader->partial) {
		view->lost = true;
		return SNAP_OK;
	}
	if (status != SNAP_OK)
		return status;
	view->values = slot->constant ? NULL : slot->values + (row - block->first_row);
	view->constant = slot->value;
	return SNAP_OK;
}

enum snap_status snap_column_text(struct snap_column *column, uint64_t row, const char **bytes,
				  size_t *size, struct snap_error *error)
{
	enum snap_status status = check_range(column, row, 1, true, error);
	if (status != SNAP_OK)
		return status;
	uint64_t end = row + 1;
	struct libsnap_block *block = column->blocks ? find_block(column, row, &end) : NULL;
	if (!block)
		return fail_lost(column, row, end, error);
	struct slot *slot;
	status = need_block(column, block, &slot, error);
	if (status != SNAP_OK)
		return status;
	size_t at = (size_t)(row - block->first_row);
	*bytes = slot->bytes + slot->offsets[at];
	*size = slot->offsets[at + 1] - slot->offsets[at];
	return SNAP_OK;
}
