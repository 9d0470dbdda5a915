/* Pulls JSON out of a stream (json_scan.h). */
#include "json_scan.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void json_scan_begin(struct json_scan *scan, struct import_reader *reader, size_t max_text)
{
	*scan = (struct json_scan){.reader = reader, .max_text = max_text};
}

void json_scan_end(struct json_scan *scan)
{
	free(scan->text);
	scan->text = NULL;
}

void json_scan_fail(struct json_scan *scan, uint64_t offset, const char *format, ...)
{
	if (scan->failed)
		return;
	scan->failed = true;
	char reason[200];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(reason, sizeof(reason), format, arguments);
	va_end(arguments);
	if (offset == SNAP_NO_OFFSET)
		offset = json_scan_offset(scan);
	import_fail_at(&scan->error, SNAP_CORRUPT, offset, "%s", reason);
}

/* The input has no more: says whether that is its fault. */
static void fail_at_end(struct json_scan *scan)
{
	if (scan->failed)
		return;
	scan->failed = true;
	import_reader_failure(scan->reader, &scan->error);
}

static bool is_space(int c)
{
	return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

/* The next byte that is not space, not taken; -1 after a failure or at the end. */
static int peek_byte(struct json_scan *scan)
{
	if (scan->failed)
		return -1;
	int c;
	while (is_space(c = import_reader_peek(scan->reader)))
		scan->reader->at++;
	return c;
}

static int peek_or_fail(struct json_scan *scan)
{
	int c = peek_byte(scan);
	if (c < 0)
		fail_at_end(scan);
	return c;
}

static void unexpected(struct json_scan *scan, int c, const char *wanted)
{
	if (c < 0)
		fail_at_end(scan);
	else if (c >= ' ' && c < 0x7f)
		json_scan_fail(scan, SNAP_NO_OFFSET, "%s expected, not '%c'", wanted, c);
	else
		json_scan_fail(scan, SNAP_NO_OFFSET, "%s expected, not byte 0x%02x", wanted,
			       (unsigned)c);
}

enum json_kind json_scan_peek(struct json_scan *scan)
{
	int c = peek_or_fail(scan);
	switch (c) {
	case '{': return JSON_OBJECT;
	case '[': return JSON_ARRAY;
	case '"': return JSON_STRING;
	case 't': return JSON_TRUE;
	case 'f': return JSON_FALSE;
	case 'n': return JSON_NULL;
	default:
		if (c == '-' || (c >= '0' && c <= '9'))
			return JSON_NUMBER;
		unexpected(scan, c, "a value");
		return JSON_NOTHING;
	}
}

void json_scan_enter(struct json_scan *scan, enum json_kind kind)
{
	int wanted = kind == JSON_OBJECT ? '{' : '[';
	int c = peek_or_fail(scan);
	if (c != wanted) {
		unexpected(scan, c, kind == JSON_OBJECT ? "an object" : "an array");
		return;
	}
	scan->reader->at++;
	scan->first = true;
}

/* Takes the comma before a value, or the closing bracket: then false. */
static bool next_value(struct json_scan *scan, int closing)
{
	int c = peek_or_fail(scan);
	if (c == closing) {
		scan->reader->at++;
		scan->first = false;
		return false;
	}
	if (scan->first) {
		scan->first = false;
		return !scan->failed;
	}
	if (c != ',') {
		unexpected(scan, c, closing == '}' ? "',' or '}'" : "',' or ']'");
		return false;
	}
	scan->reader->at++;
	return true;
}

bool json_scan_element(struct json_scan *scan)
{
	return next_value(scan, ']');
}

bool json_scan_member(struct json_scan *scan)
{
	if (!next_value(scan, '}'))
		return false;
	json_scan_string(scan);
	int c = peek_or_fail(scan);
	if (c != ':') {
		unexpected(scan, c, "':'");
		return false;
	}
	scan->reader->at++;
	return true;
}

/* ---- strings ---- */

static void append(struct json_scan *scan, const uint8_t *bytes, size_t size)
{
	scan->text_full_size += size;
	size_t room = scan->max_text - scan->text_size;
	if (size > room)
		size = room;
	if (size > scan->text_capacity - scan->text_size) {
		size_t capacity = scan->text_capacity < 256 ? 256 : scan->text_capacity;
		while (capacity - scan->text_size < size)
			capacity *= 2;
		uint8_t *text = realloc(scan->text, capacity);
		if (text == NULL) {
			scan->failed = true;
			import_fail_at(&scan->error, SNAP_NO_MEMORY, SNAP_NO_OFFSET,
				       "out of memory");
			return;
		}
		scan->text = text;
		scan->text_capacity = capacity;
	}
	if (size > 0)
		memcpy(scan->text + scan->text_size, bytes, size);
	scan->text_size += size;
}

static void append_code_point(struct json_scan *scan, uint32_t code)
{
	uint8_t bytes[4];
	size_t size;
	if (code < 0x80) {
		bytes[0] = (uint8_t)code;
		size = 1;
	} else if (code < 0x800) {
		bytes[0] = (uint8_t)(0xc0 | code >> 6);
		bytes[1] = (uint8_t)(0x80 | (code & 0x3f));
		size = 2;
	} else if (code < 0x10000) {
		bytes[0] = (uint8_t)(0xe0 | code >> 12);
		bytes[1] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
		bytes[2] = (uint8_t)(0x80 | (code & 0x3f));
		size = 3;
	} else {
		bytes[0] = (uint8_t)(0xf0 | code >> 18);
		bytes[1] = (uint8_t)(0x80 | (code >> 12 & 0x3f));
		bytes[2] = (uint8_t)(0x80 | (code >> 6 & 0x3f));
		bytes[3] = (uint8_t)(0x80 | (code & 0x3f));
		size = 4;
	}
	append(scan, bytes, size);
}

static uint32_t four_hex_digits(struct json_scan *scan)
{
	const uint8_t *digits = import_reader_take(scan->reader, 4);
	if (digits == NULL) {
		scan->reader->at = scan->reader->end;
		fail_at_end(scan);
		return 0;
	}
	uint32_t value = 0;
	for (int i = 0; i < 4; i++) {
		uint32_t c = digits[i], lower = c | 0x20;
		if (c >= '0' && c <= '9')
			value = value << 4 | (c - '0');
		else if (lower >= 'a' && lower <= 'f')
			value = value << 4 | (lower - 'a' + 10);
		else
			json_scan_fail(scan, json_scan_offset(scan) - 4,
				       "\\u without four hexadecimal digits");
	}
	return value;
}

/* After "\u".  A pair of surrogates is one code point; V8 writes lone ones too. */
static void unicode_escape(struct json_scan *scan)
{
	uint32_t code = four_hex_digits(scan);
	while (code >= 0xd800 && code < 0xdc00 && !scan->failed) {
		if (!import_reader_fill(scan->reader, 2) || scan->reader->at[0] != '\\' ||
		    scan->reader->at[1] != 'u')
			break;
		scan->reader->at += 2;
		uint32_t low = four_hex_digits(scan);
		if (low >= 0xdc00 && low < 0xe000) {
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
			break;
		}
		append_code_point(scan, code);
		code = low;
	}
	if (!scan->failed)
		append_code_point(scan, code);
}

/* At a backslash. */
static void escape(struct json_scan *scan)
{
	const uint8_t *pair = import_reader_take(scan->reader, 2);
	if (pair == NULL) {
		scan->reader->at = scan->reader->end;
		fail_at_end(scan);
		return;
	}
	static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
	uint8_t c = pair[1];
	const char *known = c == '\0' ? NULL : strchr(from, c);
	if (known != NULL)
		append(scan, (const uint8_t *)&to[known - from], 1);
	else if (c == 'u')
		unicode_escape(scan);
	else
		json_scan_fail(scan, json_scan_offset(scan) - 2, "unknown escape in a string");
}

/* The first byte from at that is no plain character of a string, or end. */
static const uint8_t *plain_run(const uint8_t *at, const uint8_t *end)
{
	const uint64_t ones = UINT64_C(0x0101010101010101), high = ones << 7;
	while (end - at >= 8) {
		uint64_t x;
		memcpy(&x, at, 8);
		uint64_t quote = x ^ ones * '"', slash = x ^ ones * '\\';
		uint64_t special = (quote - ones) & ~quote;
		special |= (slash - ones) & ~slash;
		special |= (x - ones * 0x20) & ~x;
		if (special & high)
			break;
		at += 8;
	}
	while (at < end && *at != '"' && *at != '\\' && *at >= 0x20)
		at++;
	return at;
}

void json_scan_string(struct json_scan *scan)
{
	scan->text_size = 0;
	scan->text_full_size = 0;
	int c = peek_or_fail(scan);
	if (c != '"') {
		unexpected(scan, c, "a string");
		return;
	}
	scan->reader->at++;
	while (!scan->failed) {
		if (import_reader_peek(scan->reader) < 0) {
			fail_at_end(scan);
			break;
		}
		const uint8_t *start = scan->reader->at;
		const uint8_t *stop = plain_run(start, scan->reader->end);
		append(scan, start, (size_t)(stop - start));
		scan->reader->at = stop;
		if (stop == scan->reader->end)
			continue;
		if (*stop == '\\') {
			escape(scan);
			continue;
		}
		if (*stop != '"') {
			json_scan_fail(scan, SNAP_NO_OFFSET, "control byte 0x%02x in a string",
				       (unsigned)*stop);
			break;
		}
		scan->reader->at++;
		break;
	}
	if (scan->failed)
		scan->text_size = 0;
	else if (scan->text_full_size > scan->text_size)
		scan->cut_count++;
}

bool json_scan_is(const struct json_scan *scan, const char *text)
{
	size_t size = strlen(text);
	return scan->text_size == size && memcmp(scan->text, text, size) == 0;
}

/* ---- numbers ---- */

uint64_t json_scan_unsigned(struct json_scan *scan)
{
	int c = peek_or_fail(scan);
	uint64_t start = json_scan_offset(scan);
	if (c < '0' || c > '9') {
		unexpected(scan, c, "a whole number from 0 up");
		return 0;
	}
	uint64_t value = 0;
	size_t digits = 0;
	bool leading_zero = c == '0';
	for (; c >= '0' && c <= '9'; c = import_reader_peek(scan->reader), digits++) {
		uint64_t digit = (uint64_t)(c - '0');
		if (value > (UINT64_MAX - digit) / 10) {
			json_scan_fail(scan, start, "a number over 2^64 - 1");
			return 0;
		}
		value = value * 10 + digit;
		scan->reader->at++;
	}
	if (leading_zero && digits > 1)
		json_scan_fail(scan, start, "a number with a leading zero");
	else if (c == '.' || c == 'e' || c == 'E')
		json_scan_fail(scan, start, "a whole number expected");
	return scan->failed ? 0 : value;
}

/* A number of at most eight digits, when that much input
 * is at hand; its length, or 0 for the slow way. */
static inline size_t fast_number(const uint8_t *at, uint64_t *value)
{
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	const uint64_t ones = UINT64_C(0x0101010101010101);
	uint64_t x;
	memcpy(&x, at, 8);
	x ^= ones * '0';
	uint64_t others = ((x + ones * 0x76) | x) & ones << 7;
	unsigned bits = others == 0 ? 64 : (unsigned)__builtin_ctzll(others) & ~7u;
	if (bits == 0 || (bits > 8 && (x & 0xff) == 0))
		return 0;
	x <<= 64 - bits;
	x = (x * 10 + (x >> 8)) & UINT64_C(0x00ff00ff00ff00ff);
	x = (x * 100 + (x >> 16)) & UINT64_C(0x0000ffff0000ffff);
	*value = (x * 10000 + (x >> 32)) & 0xffffffff;
	return bits / 8;
#else
	(void)at;
	(void)value;
	return 0;
#endif
}

/* Numbers followed by "," or "\n," (as V8 writes them), as long as they are plain to see. */
static size_t fast_integers(struct json_scan *scan, uint64_t *values, size_t max)
{
	const uint8_t *at = scan->reader->at, *end = scan->reader->end;
	size_t count = 0;
	while (count < max && end - at >= 16) {
		size_t length = fast_number(at, &values[count]);
		if (length == 0)
			break;
		const uint8_t *after = at + length;
		if (*after == ',')
			at = after + 1;
		else if (*after == '\n' && after[1] == ',')
			at = after + 2;
		else
			break;
		count++;
	}
	scan->reader->at = at;
	return count;
}

size_t json_scan_integers(struct json_scan *scan, uint64_t *values, size_t max, bool *ended)
{
	*ended = false;
	size_t count = 0;
	if (scan->first && peek_or_fail(scan) == ']') {
		scan->reader->at++;
		scan->first = false;
		*ended = true;
		return 0;
	}
	scan->first = false;
	while (!scan->failed && count < max) {
		count += fast_integers(scan, values + count, max - count);
		if (count == max)
			break;
		uint64_t value = json_scan_unsigned(scan);
		int c = peek_or_fail(scan);
		if (scan->failed)
			break;
		if (c != ',' && c != ']') {
			unexpected(scan, c, "',' or ']'");
			break;
		}
		scan->reader->at++;
		values[count++] = value;
		if (c == ']') {
			*ended = true;
			break;
		}
	}
	if (scan->failed)
		*ended = true;
	return scan->failed ? 0 : count;
}

/* ---- skipping ---- */

static void skip_word(struct json_scan *scan, const char *word)
{
	size_t size = strlen(word);
	const uint8_t *bytes = import_reader_take(scan->reader, size);
	if (bytes == NULL) {
		scan->reader->at = scan->reader->end;
		fail_at_end(scan);
	} else if (memcmp(bytes, word, size) != 0) {
		json_scan_fail(scan, json_scan_offset(scan) - size, "%s expected", word);
	}
}

static size_t skip_digits(struct json_scan *scan)
{
	size_t count = 0;
	for (int c; (c = import_reader_peek(scan->reader)) >= '0' && c <= '9'; count++)
		scan->reader->at++;
	if (count == 0)
		unexpected(scan, import_reader_peek(scan->reader), "a digit");
	return count;
}

static void skip_number(struct json_scan *scan)
{
	if (import_reader_peek(scan->reader) == '-')
		scan->reader->at++;
	bool zero = import_reader_peek(scan->reader) == '0';
	if (skip_digits(scan) > 1 && zero)
		json_scan_fail(scan, SNAP_NO_OFFSET, "a number with a leading zero");
	if (import_reader_peek(scan->reader) == '.') {
		scan->reader->at++;
		skip_digits(scan);
	}
	int c = import_reader_peek(scan->reader);
	if (c != 'e' && c != 'E')
		return;
	scan->reader->at++;
	c = import_reader_peek(scan->reader);
	if (c == '+' || c == '-')
		scan->reader->at++;
	skip_digits(scan);
}

static void skip_scalar(struct json_scan *scan, enum json_kind kind)
{
	switch (kind) {
	case JSON_STRING: json_scan_string(scan); break;
	case JSON_NUMBER: skip_number(scan); break;
	case JSON_TRUE: skip_word(scan, "true"); break;
	case JSON_FALSE: skip_word(scan, "false"); break;
	case JSON_NULL: skip_word(scan, "null"); break;
	default: break;
	}
}

void json_scan_skip(struct json_scan *scan)
{
	bool is_object[JSON_SCAN_MAX_DEPTH];
	size_t depth = 0;
	do {
		enum json_kind kind = json_scan_peek(scan);
		if (kind == JSON_OBJECT || kind == JSON_ARRAY) {
			if (depth == JSON_SCAN_MAX_DEPTH) {
				json_scan_fail(scan, SNAP_NO_OFFSET, "nested more than %d deep",
					       JSON_SCAN_MAX_DEPTH);
				return;
			}
			is_object[depth++] = kind == JSON_OBJECT;
			json_scan_enter(scan, kind);
		} else {
			skip_scalar(scan, kind);
		}
		while (depth > 0 && !scan->failed) {
			if (is_object[depth - 1] ? json_scan_member(scan) : json_scan_element(scan))
				break;
			depth--;
		}
	} while (depth > 0 && !scan->failed);
}

void json_scan_skip_flat(struct json_scan *scan)
{
	json_scan_enter(scan, JSON_ARRAY);
	scan->first = false;
	while (!scan->failed) {
		if (import_reader_peek(scan->reader) < 0) {
			fail_at_end(scan);
			return;
		}
		size_t left = (size_t)(scan->reader->end - scan->reader->at);
		const uint8_t *bracket = memchr(scan->reader->at, ']', left);
		if (bracket != NULL) {
			scan->reader->at = bracket + 1;
			return;
		}
		scan->reader->at = scan->reader->end;
	}
}

void json_scan_finish(struct json_scan *scan)
{
	int c = peek_byte(scan);
	if (c >= 0)
		json_scan_fail(scan, SNAP_NO_OFFSET, "something follows the end");
	else if (scan->reader->status != SNAP_OK)
		fail_at_end(scan);
}
