/* Cursors and sinks (FORMAT.md, section 1). */
#include "bytes.h"

#include <string.h>

struct cursor cursor_over(const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	return (struct cursor){.at = at, .end = size ? at + size : at, .failed = false};
}

size_t cursor_left(const struct cursor *c)
{
	return c->failed ? 0 : (size_t)(c->end - c->at);
}

const uint8_t *cursor_take(struct cursor *c, uint64_t size)
{
	if (c->failed || size > (uint64_t)(c->end - c->at)) {
		c->failed = true;
		return NULL;
	}
	const uint8_t *bytes = c->at;
	c->at += size;
	return bytes;
}

static uint64_t take_number(struct cursor *c, unsigned size)
{
	const uint8_t *bytes = cursor_take(c, size);
	uint64_t value = 0;
	for (unsigned i = 0; bytes && i < size; i++)
		value |= (uint64_t)bytes[i] << (8 * i);
	return value;
}

uint8_t cursor_u8(struct cursor *c)
{
	return (uint8_t)take_number(c, 1);
}

uint16_t cursor_u16(struct cursor *c)
{
	return (uint16_t)take_number(c, 2);
}

uint32_t cursor_u32(struct cursor *c)
{
	return (uint32_t)take_number(c, 4);
}

uint64_t cursor_u64(struct cursor *c)
{
	return take_number(c, 8);
}

uint64_t cursor_varint(struct cursor *c)
{
	uint64_t value = 0;
	for (unsigned shift = 0; shift < 64; shift += 7) {
		const uint8_t *byte = cursor_take(c, 1);
		if (!byte)
			return 0;
		uint64_t bits = *byte & 0x7f;
		bool last = *byte < 0x80;
		if ((shift == 63 && bits > 1) || (last && bits == 0 && shift > 0))
			break;
		value |= bits << shift;
		if (last)
			return value;
	}
	c->failed = true;
	return 0;
}

struct sink sink_over(void *bytes, size_t size)
{
	uint8_t *at = bytes;
	return (struct sink){.at = at, .end = size ? at + size : at, .failed = false};
}

size_t sink_left(const struct sink *s)
{
	return s->failed ? 0 : (size_t)(s->end - s->at);
}

uint8_t *sink_take(struct sink *s, size_t size)
{
	if (s->failed || size > (size_t)(s->end - s->at)) {
		s->failed = true;
		return NULL;
	}
	uint8_t *bytes = s->at;
	s->at += size;
	return bytes;
}

static void put_number(struct sink *s, uint64_t value, unsigned size)
{
	uint8_t *bytes = sink_take(s, size);
	for (unsigned i = 0; bytes && i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

void sink_u8(struct sink *s, uint8_t value)
{
	put_number(s, value, 1);
}

void sink_u16(struct sink *s, uint16_t value)
{
	put_number(s, value, 2);
}

void sink_u32(struct sink *s, uint32_t value)
{
	put_number(s, value, 4);
}

void sink_u64(struct sink *s, uint64_t value)
{
	put_number(s, value, 8);
}

void sink_varint(struct sink *s, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		sink_u8(s, (uint8_t)(value | 0x80));
	sink_u8(s, (uint8_t)value);
}

void sink_bytes(struct sink *s, const void *bytes, size_t size)
{
	uint8_t *to = sink_take(s, size);
	if (to && size)
		memcpy(to, bytes, size);
}
