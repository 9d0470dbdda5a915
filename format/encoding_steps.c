/* Codes for what neighbours often do - nothing, the same, the same
 * step - and differences for the rest (FORMAT.md, section 6). */
#include "planes.h"
#include "snapfmt.h"

enum { ZERO = 0, SAME = 1, STEP = 2, DIFFERENT = 3 };

struct walk {
	uint64_t previous, step;
};

static uint8_t next_code(struct walk *walk, uint64_t value)
{
	if (value == 0)
		return ZERO;
	if (value == walk->previous)
		return SAME;
	uint64_t step = value - walk->previous;
	uint8_t code = step == walk->step ? STEP : DIFFERENT;
	*walk = (struct walk){value, step};
	return code;
}

size_t snapfmt_encode_steps(const uint64_t *values, size_t count, uint8_t *raw, size_t size)
{
	struct sink s = sink_over(raw, size);
	uint8_t *codes = sink_take(&s, count);
	if (!codes)
		return 0;
	uint64_t all_bits = 0;
	size_t different = 0;
	struct walk walk = {0, 0};
	for (size_t i = 0; i < count; i++) {
		codes[i] = next_code(&walk, values[i]);
		if (codes[i] == DIFFERENT) {
			all_bits |= snapfmt_zigzag(walk.step);
			different++;
		}
	}
	unsigned width = planes_width(all_bits);
	sink_varint(&s, different);
	sink_u8(&s, (uint8_t)width);
	uint8_t *planes = sink_take(&s, width * different);
	if (!planes)
		return 0;
	uint64_t previous = 0, bits[PLANES_STEP];
	size_t some = 0, start = 0;
	for (size_t i = 0; i < count; i++) {
		if (codes[i] < STEP)
			continue;
		bits[some] = snapfmt_zigzag(values[i] - previous);
		some += codes[i] == DIFFERENT;
		previous = values[i];
		if (some < PLANES_STEP)
			continue;
		planes_fill(planes, width, different, start, bits, some, 0);
		start += some;
		some = 0;
	}
	planes_fill(planes, width, different, start, bits, some, 0);
	return (size_t)(s.at - raw);
}

/* The differences are first decoded into the end of values,
 * from where each is read before it is overwritten. */
bool snapfmt_decode_steps(struct cursor *c, uint64_t *values, size_t count)
{
	const uint8_t *codes = cursor_take(c, count);
	uint64_t different = cursor_varint(c);
	unsigned width = planes_read_width(c);
	if (c->failed || different > count ||
	    !planes_read(c, width, values + (count - different), (size_t)different))
		return false;
	size_t at = count - (size_t)different;
	struct walk walk = {0, 0};
	for (size_t i = 0; i < count; i++) {
		if (codes[i] > DIFFERENT || (codes[i] == DIFFERENT && at == count))
			return false;
		if (codes[i] == DIFFERENT)
			walk.step = snapfmt_unzigzag(values[at++]);
		if (codes[i] >= STEP)
			walk.previous += walk.step;
		values[i] = codes[i] == ZERO ? 0 : walk.previous;
	}
	return at == count;
}
