/* The words of snap-dump's text: numbers, strings, flags, and rows made of them. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dump.h"

void dump_put(struct dump *d, const char *text)
{
	buffer_text(&d->out, text);
}

void dump_number(struct dump *d, uint64_t number)
{
	char digits[20];
	size_t at = sizeof(digits);
	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	buffer_append(&d->out, digits + at, sizeof(digits) - at);
}

void dump_hexadecimal(struct dump *d, uint64_t number)
{
	char digits[18];
	size_t at = sizeof(digits);
	do {
		digits[--at] = "0123456789abcdef"[number & 15];
		number >>= 4;
	} while (number > 0);
	digits[--at] = 'x';
	digits[--at] = '0';
	buffer_append(&d->out, digits + at, sizeof(digits) - at);
}

void dump_quoted(struct dump *d, const char *bytes, size_t size)
{
	buffer_byte(&d->out, '"');
	escape_append(&d->out, bytes, size, ESCAPE_YAML);
	buffer_byte(&d->out, '"');
}

void dump_key(struct dump *d, const char *key)
{
	if (!d->first)
		dump_put(d, ", ");
	d->first = false;
	dump_put(d, key);
	dump_put(d, ": ");
}

void dump_flush(struct dump *d, size_t at_least)
{
	if (d->out.size == 0 || d->out.size < at_least)
		return;
	fwrite(d->out.bytes, 1, d->out.size, stdout); /* cli_finish looks for errors */
	d->out.size = 0;
}

bool dump_may_lose(struct dump *d, enum snap_status status, uint64_t rows)
{
	if (status != SNAP_CORRUPT || !cli_common.partial)
		return false;
	d->lost += rows;
	return true;
}

bool dump_string(struct dump *d, uint64_t id)
{
	if (d->offsets && id > 0) {
		dump_quoted(d, d->text.bytes + d->offsets[id - 1],
			    (size_t)(d->offsets[id] - d->offsets[id - 1]));
		return true;
	}
	const char *bytes;
	size_t size;
	enum snap_status status = snap_reader_string(d->reader, id, &bytes, &size, &d->error);
	if (status == SNAP_OK)
		dump_quoted(d, bytes, size);
	else if (dump_may_lose(d, status, 1))
		dump_put(d, "~");
	else
		return false;
	return true;
}

bool dump_object_id(struct dump *d, uint64_t row)
{
	uint64_t address;
	enum snap_status status = SNAP_OK;
	if (d->addresses)
		address = d->addresses[row];
	else
		status = snap_column_read(d->address_column, row, 1, &address, &d->error);
	if (dump_may_lose(d, status, 1)) {
		dump_put(d, "~");
		return true;
	}
	if (status != SNAP_OK)
		return false;
	if (address != 0) {
		dump_hexadecimal(d, address);
		return true;
	}
	d->error = (struct snap_error){.status = SNAP_UNSUPPORTED, .offset = SNAP_NO_OFFSET};
	snprintf(d->error.message, sizeof(d->error.message),
		 "the object of row %" PRIu64
		 " is referred to but has no address; --columns can show this",
		 row);
	return false;
}

void dump_word(struct dump *d, enum word_list list, uint64_t number)
{
	const char *word = word_of(list, number);
	if (word)
		dump_put(d, word);
	else
		dump_number(d, number);
}

void dump_flags(struct dump *d, enum word_list list, uint64_t flags)
{
	const char *before = "[";
	for (uint64_t bit = 0; bit < 64; bit++) {
		if (!(flags >> bit & 1))
			continue;
		dump_put(d, before);
		dump_word(d, list, bit);
		before = ", ";
	}
	dump_put(d, "]");
}

static bool put_value(struct dump *d, const struct dump_field *field, uint64_t value)
{
	switch (field->form) {
	case DUMP_NUMBER: dump_number(d, value); return true;
	case DUMP_HEXADECIMAL: dump_hexadecimal(d, value); return true;
	case DUMP_STRING: return dump_string(d, value);
	case DUMP_WORD: dump_word(d, field->words, value); return true;
	case DUMP_FLAGS: dump_flags(d, field->words, value); return true;
	case DUMP_OBJECT: return dump_object_id(d, value - 1);
	}
	return false;
}

bool dump_row(struct dump *d, const struct dump_field *fields, size_t count,
	      const uint64_t *const *values, size_t at)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t value = values[i][at];
		if (value == fields[i].usual && !fields[i].always)
			continue;
		dump_key(d, fields[i].key);
		if (!put_value(d, &fields[i], value))
			return false;
	}
	return true;
}

bool dump_scan(struct dump *d, const char *section, const uint32_t *columns, size_t column_count,
	       dump_row_function *put, const void *context)
{
	if (snap_reader_row_count(d->reader, (enum snap_table)(columns[0] >> 16)) == 0)
		return true;
	dump_put(d, section);
	dump_put(d, ":\n");
	struct scan scan = scan_begin(d->reader, columns, column_count, &d->error);
	while (scan_next(&scan)) {
		if (!put(d, context, scan.row, scan.values, scan.at))
			scan.status = d->error.status;
		dump_flush(d, 1 << 16);
	}
	return scan_end(&scan, &d->lost) == SNAP_OK;
}
