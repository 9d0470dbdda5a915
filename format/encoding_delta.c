/* Differences between neighbours, in byte planes (FORMAT.md, section 6). */
#include "planes.h"
#include "snapfmt.h"

size_t snapfmt_encode_delta(const uint64_t *values, size_t count, uint8_t *raw, size_t size)
{
	uint64_t any_difference = 0;
	for (size_t i = 1; i < count; i++)
		any_difference |= values[i] - values[i - 1];
	unsigned shift = any_difference ? (unsigned)__builtin_ctzll(any_difference) : 0;
	uint64_t all_bits = 0;
	for (size_t i = 1; i < count; i++)
		all_bits |= planes_zigzag(values[i] - values[i - 1], shift);
	unsigned width = planes_width(all_bits);
	struct sink s = sink_over(raw, size);
	sink_varint(&s, values[0]);
	sink_u8(&s, (uint8_t)shift);
	sink_u8(&s, (uint8_t)width);
	uint8_t *planes = sink_take(&s, width * (count - 1));
	if (!planes)
		return 0;
	for (size_t i = 1; i < count; i++)
		planes_put(planes, width, count - 1, i - 1, planes_zigzag(values[i] - values[i - 1], shift));
	return (size_t)(s.at - raw);
}

bool snapfmt_decode_delta(struct cursor *c, uint64_t *values, size_t count)
{
	uint64_t value = cursor_varint(c);
	unsigned shift = planes_read_shift(c);
	unsigned width = planes_read_width(c);
	if (c->failed || !planes_read(c, width, values + 1, count - 1))
		return false;
	values[0] = value;
	for (size_t i = 1; i < count; i++) {
		value += snapfmt_unzigzag(values[i]) << shift;
		values[i] = value;
	}
	return true;
}
