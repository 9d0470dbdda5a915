/* What a batch holds: small columns of any tables, one after the other (FORMAT.md, section 6.1). */
#include "snapfmt.h"

#define ENCODING   63u
#define NEXT_TABLE 64u
#define CRITICAL   128u

/* One column's entry, column being the one before; its bytes
 * are not placed yet, unless they are a constant's. */
static void read_column(struct cursor *c, const uint8_t *raw, struct snapfmt_batch_column *column,
			const char **wrong)
{
	uint8_t how = cursor_u8(c);
	uint64_t table = column->table, rows = column->row_count, before = column->column;
	if (how & NEXT_TABLE) {
		table = cursor_varint(c);
		rows = cursor_varint(c);
		before = 0;
	}
	uint64_t step = cursor_varint(c);
	const uint8_t *value = c->at;
	uint64_t size = cursor_varint(c);
	column->encoding = how & ENCODING;
	if (column->encoding == SNAPFMT_CONSTANT)
		size = (uint64_t)(c->at - value);
	if (table == 0 || table > UINT16_MAX || step > UINT16_MAX - before ||
	    (step == 0 && !(how & NEXT_TABLE)))
		*wrong = "the number of a table or column is out of range";
	else if (rows == 0 || rows > SNAPFMT_MAX_ROWS)
		*wrong = "a number of rows is out of range";
	else if (size == 0 || size > SNAPFMT_BATCH_MAX_SIZE)
		*wrong = "a column's size is out of range";
	column->flags = how & CRITICAL ? SNAPFMT_BLOCK_CRITICAL : 0;
	column->table = (uint16_t)table;
	column->column = (uint16_t)(before + step);
	column->row_count = (uint32_t)rows;
	column->offset = (uint32_t)(value - raw);
	column->size = (uint32_t)size;
}

bool snapfmt_read_batch(const uint8_t *raw, size_t raw_size, struct snapfmt_batch_column *columns,
			size_t *count, const char **reason)
{
	struct cursor c = cursor_over(raw, raw_size);
	struct snapfmt_batch_column column = {0};
	uint64_t wanted = cursor_varint(&c);
	const char *wrong = NULL;
	if (wanted == 0 || wanted > SNAPFMT_BATCH_MAX_COLUMNS)
		wrong = "its number of columns is out of range";
	for (uint64_t i = 0; i < wanted && !wrong && !c.failed; i++) {
		read_column(&c, raw, &column, &wrong);
		columns[i] = column;
	}
	for (uint64_t i = 0; i < wanted && !wrong && !c.failed; i++) {
		if (columns[i].encoding == SNAPFMT_CONSTANT)
			continue;
		columns[i].offset = (uint32_t)(c.at - raw);
		cursor_take(&c, columns[i].size);
	}
	if (!wrong && (c.failed || cursor_left(&c) > 0))
		wrong = c.failed ? "it is cut short" : "bytes are left over";
	*reason = wrong;
	*count = (size_t)wanted;
	return !wrong;
}

void snapfmt_write_batch_start(struct sink *s, const struct snapfmt_batch_column *columns,
			       size_t count, const uint8_t *bytes)
{
	sink_varint(s, count);
	uint16_t table = 0, number = 0;
	for (size_t i = 0; i < count; i++) {
		const struct snapfmt_batch_column *column = &columns[i];
		unsigned critical = column->flags & SNAPFMT_BLOCK_CRITICAL ? CRITICAL : 0;
		unsigned next_table = column->table != table ? NEXT_TABLE : 0;
		sink_u8(s, (uint8_t)(column->encoding | next_table | critical));
		if (next_table) {
			sink_varint(s, column->table);
			sink_varint(s, column->row_count);
			number = 0;
		}
		sink_varint(s, (uint64_t)(column->column - number));
		table = column->table;
		number = column->column;
		if (column->encoding == SNAPFMT_CONSTANT)
			sink_bytes(s, bytes + column->offset, column->size);
		else
			sink_varint(s, column->size);
	}
}
