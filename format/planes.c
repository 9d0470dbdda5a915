/* Byte planes, and the encoding of that name (FORMAT.md, section 6). */
#include "planes.h"

#include "snapfmt.h"

#include <string.h>

/* Rows handled together, so that they stay in the nearest cache while the planes are added up. */
#define STRETCH 1024

unsigned planes_width(uint64_t all_bits)
{
	unsigned width = 0;
	for (; all_bits; all_bits >>= 8)
		width++;
	return width;
}

unsigned planes_read_width(struct cursor *c)
{
	uint8_t width = cursor_u8(c);
	if (width > 8)
		c->failed = true;
	return c->failed ? 0 : width;
}

unsigned planes_read_shift(struct cursor *c)
{
	uint8_t shift = cursor_u8(c);
	if (shift > 63)
		c->failed = true;
	return c->failed ? 0 : shift;
}

static bool all_zero(const uint8_t *bytes, size_t size)
{
	return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

bool planes_read(struct cursor *c, unsigned width, uint64_t *values, size_t count)
{
	const uint8_t *planes = cursor_take(c, (uint64_t)width * count);
	if (!planes)
		return false;
	if (width > 0 && all_zero(planes + (width - 1) * count, count)) {
		c->failed = true;
		return false;
	}
	for (size_t start = 0; start < count; start += STRETCH) {
		size_t rows = count - start < STRETCH ? count - start : STRETCH;
		uint64_t *to = values + start;
		memset(to, 0, rows * sizeof(*to));
		for (unsigned plane = 0; plane < width; plane++) {
			const uint8_t *from = planes + plane * count + start;
			for (size_t i = 0; i < rows; i++)
				to[i] |= (uint64_t)from[i] << (8 * plane);
		}
	}
	return true;
}

static inline void fill_step(uint8_t *restrict to, const uint64_t *restrict bits, unsigned shift)
{
	for (size_t i = 0; i < PLANES_STEP; i++)
		to[i] = (uint8_t)(bits[i] >> shift);
}

void planes_fill(uint8_t *planes, unsigned width, size_t count, size_t start, const uint64_t *bits,
		 size_t some, unsigned shift)
{
	for (unsigned plane = 0; plane < width; plane++) {
		uint8_t *to = planes + plane * count + start;
		if (some == PLANES_STEP)
			fill_step(to, bits, shift + 8 * plane);
		else
			for (size_t i = 0; i < some; i++)
				to[i] = (uint8_t)(bits[i] >> (shift + 8 * plane));
	}
}

size_t snapfmt_encode_planes(const uint64_t *values, size_t count, uint8_t *raw, size_t size)
{
	uint64_t all_bits = 0;
	for (size_t i = 0; i < count; i++)
		all_bits |= values[i];
	unsigned shift = all_bits ? (unsigned)__builtin_ctzll(all_bits) : 0;
	unsigned width = planes_width(all_bits >> shift);
	struct sink s = sink_over(raw, size);
	sink_u8(&s, (uint8_t)shift);
	sink_u8(&s, (uint8_t)width);
	uint8_t *planes = sink_take(&s, width * count);
	if (!planes)
		return 0;
	for (size_t start = 0, some; start < count; start += some) {
		some = count - start < PLANES_STEP ? count - start : PLANES_STEP;
		planes_fill(planes, width, count, start, values + start, some, shift);
	}
	return (size_t)(s.at - raw);
}

bool snapfmt_decode_planes(struct cursor *c, uint64_t *values, size_t count)
{
	unsigned shift = planes_read_shift(c);
	unsigned width = planes_read_width(c);
	if (c->failed || !planes_read(c, width, values, count))
		return false;
	if (shift == 0)
		return true;
	uint64_t lost = 0;
	for (size_t i = 0; i < count; i++) {
		lost |= values[i] >> (64 - shift);
		values[i] <<= shift;
	}
	return lost == 0;
}
