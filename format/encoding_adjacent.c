/* Addresses of objects, most of which begin where the
 * one before them ends (FORMAT.md, section 6). */
#include "planes.h"
#include "snapfmt.h"

/* What is asked of few neighbours that touch, if any: less is chance. */
#define FEW   256u
#define SLACK 64u /* at least what an allocator adds to a size, and the least that it gives */

/* What an object takes of the address space. */
struct rule {
	uint64_t added, least;
	unsigned shift;
};

static inline uint64_t room(const struct rule *rule, uint64_t size)
{
	uint64_t mask = ((uint64_t)1 << rule->shift) - 1;
	uint64_t rounded = (size + rule->added + mask) & ~mask;
	return rounded < rule->least ? rule->least : rounded;
}

static unsigned first_over(const size_t *counts, unsigned count, size_t few)
{
	size_t sum = 0;
	for (unsigned i = 0; i < count; i++)
		if ((sum += counts[i]) > few)
			return i;
	return 0;
}

/* Blocks do not overlap, so what lies between two
 * that touch is at least what is added to a size. */
static struct rule guess_rule(const uint64_t *values, const uint64_t *sizes, size_t count)
{
	size_t zeros[64] = {0}, slacks[SLACK] = {0}, steps[SLACK] = {0};
	for (size_t i = 1; i < count; i++) {
		uint64_t step = values[i] - values[i - 1], slack = step - sizes[i - 1];
		zeros[step ? __builtin_ctzll(step) : 0]++;
		if (slack < SLACK)
			slacks[slack]++;
		if (step < SLACK)
			steps[step]++;
	}
	return (struct rule){.added = first_over(slacks, SLACK, count / FEW),
			     .least = first_over(steps, SLACK, count / FEW),
			     .shift = first_over(zeros, 64, count / FEW)};
}

static inline uint64_t gap(const struct rule *rule, const uint64_t *values, const uint64_t *sizes,
			   size_t i)
{
	return values[i] - values[i - 1] - room(rule, sizes[i - 1]);
}

size_t snapfmt_encode_adjacent(const uint64_t *values, const uint64_t *sizes, size_t count,
			       uint8_t *raw, size_t size)
{
	const struct rule rule = guess_rule(values, sizes, count);
	struct planes_survey seen = {0, 0};
	for (size_t i = 1; i < count; i++)
		planes_see(&seen, gap(&rule, values, sizes, i));
	unsigned shift = planes_shift(&seen), width = planes_width(seen.zigzags >> shift);
	struct sink s = sink_over(raw, size);
	sink_varint(&s, rule.added);
	sink_varint(&s, rule.least);
	sink_u8(&s, (uint8_t)rule.shift);
	sink_varint(&s, values[0]);
	sink_u8(&s, (uint8_t)shift);
	sink_u8(&s, (uint8_t)width);
	uint8_t *planes = sink_take(&s, width * (count - 1));
	if (!planes)
		return 0;
	for (size_t start = 0, some; start < count - 1; start += some) {
		uint64_t bits[PLANES_STEP];
		some = count - 1 - start < PLANES_STEP ? count - 1 - start : PLANES_STEP;
		for (size_t i = 0; i < some; i++)
			bits[i] = snapfmt_zigzag(gap(&rule, values, sizes, start + i + 1));
		planes_fill(planes, width, count - 1, start, bits, some, shift);
	}
	return (size_t)(s.at - raw);
}

bool snapfmt_decode_adjacent(const uint8_t *raw, size_t raw_size, const uint64_t *sizes,
			     uint64_t *values, size_t count)
{
	struct cursor c = cursor_over(raw, raw_size);
	struct rule rule;
	uint64_t rooms = 0;
	rule.added = cursor_varint(&c);
	rule.least = cursor_varint(&c);
	rule.shift = planes_read_shift(&c);
	if (count == 0 || !snapfmt_decode_delta(&c, values, count) || c.failed ||
	    cursor_left(&c) != 0)
		return false;
	for (size_t i = 1; i < count; i++)
		values[i] += rooms += room(&rule, sizes[i - 1]);
	return true;
}
