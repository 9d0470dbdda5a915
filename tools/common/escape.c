/* Strangers' text made harmless: no control byte, no bidirectional override, no invalid UTF-8, no
 * "::" at a line's start. */
#include "escape.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

/* The code point at bytes and its length, or length 0 if this is not UTF-8: over-long, surrogate,
 * cut. */
static size_t decode(const uint8_t *bytes, size_t size, uint32_t *point)
{
	static const uint32_t smallest[5] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = bytes[0];
	size_t length = first < 0x80   ? 1
			: first < 0xc2 ? 0
			: first < 0xe0 ? 2
			: first < 0xf0 ? 3
			: first < 0xf5 ? 4
				       : 0;
	if (length == 0 || length > size)
		return 0;
	uint32_t value = length == 1 ? first : first & (0x7fu >> length);
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		value = value << 6 | (bytes[i] & 0x3fu);
	}
	if (value < smallest[length] || value > 0x10ffff || (value >= 0xd800 && value < 0xe000))
		return 0;
	*point = value;
	return length;
}

static bool is_unsafe(uint32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x61c ||
	       point == 0x200e || point == 0x200f || (point >= 0x2028 && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0xfeff;
}

/* One code point, or one byte that is none, as text. */
static void append_hex(struct buffer *out, const char *format, unsigned value)
{
	char text[16];
	snprintf(text, sizeof(text), format, value);
	buffer_text(out, text);
}

static bool append_short(struct buffer *out, uint32_t point)
{
	switch (point) {
	case '\n': buffer_text(out, "\\n"); return true;
	case '\t': buffer_text(out, "\\t"); return true;
	case '\r': buffer_text(out, "\\r"); return true;
	case '\\': buffer_text(out, "\\\\"); return true;
	default: return false;
	}
}

static void append_text(struct buffer *out, const uint8_t *bytes, size_t length, uint32_t point,
			bool valid)
{
	if (valid && append_short(out, point))
		return;
	if (valid && !is_unsafe(point)) {
		buffer_append(out, bytes, length);
		return;
	}
	for (size_t i = 0; i < length; i++)
		append_hex(out, "\\x%02x", bytes[i]);
}

static void append_message(struct buffer *out, const uint8_t *bytes, size_t length, uint32_t point,
			   bool valid)
{
	if (valid && point == '\\')
		buffer_byte(out, '\\');
	else
		append_text(out, bytes, length, point, valid);
}

static void append_markdown(struct buffer *out, const uint8_t *bytes, size_t length, uint32_t point,
			    bool valid)
{
	struct buffer text = {0};
	append_text(&text, bytes, length, point, valid);
	for (size_t i = 0; i < text.size; i++) {
		if (strchr("\\`*_[]<>|~&#!", text.bytes[i]))
			buffer_byte(out, '\\');
		buffer_byte(out, text.bytes[i]);
	}
	buffer_free(&text);
}

static void append_json(struct buffer *out, const uint8_t *bytes, size_t length, uint32_t point,
			bool valid)
{
	if (!valid)
		append_hex(out, "\\udc%02x", bytes[0]);
	else if (point == '"')
		buffer_text(out, "\\\"");
	else if (!append_short(out, point)) {
		if (is_unsafe(point))
			append_hex(out, "\\u%04x", point);
		else
			buffer_append(out, bytes, length);
	}
}

static void append_yaml(struct buffer *out, const uint8_t *bytes, size_t length, uint32_t point,
			bool valid)
{
	/* Text that uses the stand-ins itself is taken as bytes, so that one meaning is left to
	 * each. */
	if (!valid || (point >= 0xef80 && point <= 0xefff)) {
		for (size_t i = 0; i < length; i++)
			append_hex(out, "\\uef%02x", bytes[i]);
	} else if (point == 0xfffe || point == 0xffff)
		append_hex(out, "\\u%04x", point);
	else
		append_json(out, bytes, length, point, true);
}

/* A line that begins with "::", also after spaces, commands some continuous-integration systems. */
static size_t guard_colons(struct buffer *out, const char *bytes, size_t size)
{
	size_t spaces = 0;
	while (spaces < size && bytes[spaces] == ' ')
		spaces++;
	if (size - spaces < 2 || bytes[spaces] != ':' || bytes[spaces + 1] != ':')
		return 0;
	buffer_append(out, bytes, spaces);
	buffer_text(out, "\\x3a");
	return spaces + 1;
}

void escape_append(struct buffer *out, const char *text, size_t size, enum escape_form form)
{
	static void (*const append[])(struct buffer *, const uint8_t *, size_t, uint32_t, bool) = {
		[ESCAPE_TEXT] = append_text,         [ESCAPE_MESSAGE] = append_message,
		[ESCAPE_MARKDOWN] = append_markdown, [ESCAPE_JSON] = append_json,
		[ESCAPE_YAML] = append_yaml,
	};
	const uint8_t *bytes = (const uint8_t *)text;
	size_t at = form == ESCAPE_TEXT ? guard_colons(out, text, size) : 0;
	while (at < size) {
		uint32_t point = 0;
		size_t length = decode(bytes + at, size - at, &point);
		append[form](out, bytes + at, length ? length : 1, point, length != 0);
		at += length ? length : 1;
	}
}

size_t escape_width(const char *bytes, size_t size)
{
	size_t width = 0;
	for (size_t i = 0; i < size; i++)
		width += ((uint8_t)bytes[i] & 0xc0) != 0x80;
	return width;
}
