/* Differences between neighbours, in byte planes (FORMAT.md, section 6). */
#include "planes.h"
#include "snapfmt.h"

static inline struct planes_survey survey(const uint64_t *values, size_t count)
{
	struct planes_survey seen = {0, 0};
	size_t i = 0;
	for (; i + PLANES_STEP < count; i += PLANES_STEP)
		for (size_t k = 0; k < PLANES_STEP; k++)
			planes_see(&seen, values[i + k + 1] - values[i + k]);
	for (; i + 1 < count; i++)
		planes_see(&seen, values[i + 1] - values[i]);
	return seen;
}

static inline void differ(uint64_t *restrict to, const uint64_t *restrict values)
{
	for (size_t i = 0; i < PLANES_STEP; i++)
		to[i] = snapfmt_zigzag(values[i + 1] - values[i]);
}

size_t snapfmt_encode_delta(const uint64_t *values, size_t count, uint8_t *raw, size_t size)
{
	const struct planes_survey seen = survey(values, count);
	unsigned shift = planes_shift(&seen), width = planes_width(seen.zigzags >> shift);
	struct sink s = sink_over(raw, size);
	sink_varint(&s, values[0]);
	sink_u8(&s, (uint8_t)shift);
	sink_u8(&s, (uint8_t)width);
	uint8_t *planes = sink_take(&s, width * (count - 1));
	if (!planes)
		return 0;
	for (size_t start = 0, some; start < count - 1; start += some) {
		uint64_t bits[PLANES_STEP];
		some = count - 1 - start < PLANES_STEP ? count - 1 - start : PLANES_STEP;
		if (some == PLANES_STEP)
			differ(bits, values + start);
		else
			for (size_t i = 0; i < some; i++)
				bits[i] = snapfmt_zigzag(values[start + i + 1] - values[start + i]);
		planes_fill(planes, width, count - 1, start, bits, some, shift);
	}
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
