/* Values that come from a few ranges of numbers: which
 * range, and the place in it (FORMAT.md, section 6). */
#include "planes.h"
#include "snapfmt.h"

#include <string.h>

#define MOST  SNAPFMT_MAX_RANGES
#define CELLS 1024u

enum { OFFSETS = 0, DIFFERENCES = 1 };

/* ---- encoding ---- */

struct use {
	/* bits: those that any of them has */
	uint64_t base, previous, offset_bits, difference_bits;
	uint64_t offset_cost, difference_cost;
	uint8_t *planes;
	uint32_t count, written;
	uint8_t code, how, width;
};

/* Finds ranges: the values are cut into cells, of
 * which it is known where their first value lies. */
struct finder {
	const uint64_t *bounds;
	size_t count;
	unsigned shift;
	uint16_t first[CELLS + 1];
};

static size_t below(const uint64_t *bounds, size_t low, size_t high, uint64_t value)
{
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (bounds[middle] <= value)
			low = middle;
		else
			high = middle;
	}
	return low;
}

static void finder_begin(struct finder *f, const uint64_t *bounds, size_t count)
{
	f->bounds = bounds;
	f->count = count;
	uint64_t span = bounds[count - 1] - bounds[0];
	f->shift = 0;
	while (span >> f->shift >= CELLS)
		f->shift++;
	for (size_t cell = 0, at = 0; cell <= CELLS; cell++) {
		while (at + 1 < count && bounds[at + 1] - bounds[0] <= (uint64_t)cell << f->shift)
			at++;
		f->first[cell] = (uint16_t)at;
	}
}

static inline size_t find(const struct finder *f, uint64_t value)
{
	uint64_t cell = (value - f->bounds[0]) >> f->shift;
	if (cell >= CELLS)
		return f->count - 1;
	return below(f->bounds, f->first[cell], f->first[cell + 1] + 1u, value);
}

static unsigned bits_of(uint64_t value)
{
	return 64 - (unsigned)__builtin_clzll(value | 1);
}

/* Codes are at first those of all ranges.  False: a value comes before the first range. */
static bool survey(const struct finder *f, const uint64_t *values, size_t count, struct use *uses,
		   uint8_t *codes)
{
	for (size_t i = 0; i < f->count; i++)
		uses[i] = (struct use){.base = f->bounds[i], .previous = f->bounds[i]};
	size_t range = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t value = values[i];
		codes[i] = 0;
		if (value == 0)
			continue;
		if (value < f->bounds[0])
			return false;
		if (value < f->bounds[range] ||
		    (range + 1 < f->count && value >= f->bounds[range + 1]))
			range = find(f, value);
		struct use *use = &uses[range];
		codes[i] = (uint8_t)(range + 1);
		uint64_t offset = value - use->base,
			 difference = snapfmt_zigzag(value - use->previous);
		use->previous = value;
		use->offset_bits |= offset;
		use->difference_bits |= difference;
		use->offset_cost += bits_of(offset);
		use->difference_cost += bits_of(difference);
		use->count++;
	}
	return true;
}

static bool write_ranges(struct sink *s, struct use *uses, size_t count)
{
	size_t used = 0;
	for (size_t i = 0; i < count; i++)
		used += uses[i].count > 0;
	sink_varint(s, used);
	uint64_t before = 0;
	uint8_t code = 0;
	for (size_t i = 0; i < count; i++) {
		struct use *use = &uses[i];
		if (use->count == 0)
			continue;
		use->code = ++code;
		use->how = use->offset_cost < use->difference_cost ? OFFSETS : DIFFERENCES;
		use->width = (uint8_t)planes_width(use->how == OFFSETS ? use->offset_bits
								       : use->difference_bits);
		use->previous = use->base;
		sink_varint(s, use->base - before);
		sink_u8(s, use->how);
		sink_u8(s, use->width);
		before = use->base;
	}
	return used > 0;
}

size_t snapfmt_encode_ranges(const uint64_t *values, size_t count, const uint64_t *bounds,
			     size_t bound_count, uint8_t *raw, size_t size)
{
	struct use uses[MOST];
	struct finder finder;
	if (count > size)
		return 0;
	uint8_t *codes = raw + (size - count); /* out of the way until it is known where they go */
	finder_begin(&finder, bounds, bound_count);
	if (!survey(&finder, values, count, uses, codes))
		return 0;
	struct sink s = sink_over(raw, size - count);
	if (!write_ranges(&s, uses, bound_count) || s.failed)
		return 0;
	s.end += count;
	uint8_t *to = sink_take(&s, count);
	memmove(to, codes, count);
	for (size_t i = 0; i < bound_count; i++)
		uses[i].planes = sink_take(&s, (size_t)uses[i].width * uses[i].count);
	if (s.failed)
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (to[i] == 0)
			continue;
		struct use *use = &uses[to[i] - 1];
		to[i] = use->code;
		uint64_t x = use->how == OFFSETS ? values[i] - use->base
						 : snapfmt_zigzag(values[i] - use->previous);
		use->previous = values[i];
		planes_put(use->planes, use->width, use->count, use->written++, x);
	}
	return (size_t)(s.at - raw);
}

/* ---- decoding ---- */

struct range {
	uint64_t previous; /* or, for offsets, the base */
	const uint8_t *planes;
	uint32_t count, taken;
	uint8_t how, width;
};

static bool read_ranges(struct cursor *c, struct range *ranges, size_t count)
{
	uint64_t base = 0;
	for (size_t i = 0; i < count; i++) {
		uint64_t more = cursor_varint(c);
		base += more;
		ranges[i] = (struct range){
			.previous = base, .how = cursor_u8(c), .width = cursor_u8(c)};
		if (c->failed || more == 0 || base < more || ranges[i].how > DIFFERENCES ||
		    ranges[i].width > 8)
			return false;
	}
	return true;
}

static bool has_bits(const uint8_t *plane, size_t count)
{
	return plane[0] != 0 || memcmp(plane, plane + 1, count - 1) != 0;
}

static bool find_planes(struct cursor *c, struct range *ranges, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct range *r = &ranges[i];
		if (r->count == 0)
			return false;
		r->planes = cursor_take(c, (uint64_t)r->width * r->count);
		if (!r->planes ||
		    (r->width > 0 &&
		     !has_bits(r->planes + (size_t)(r->width - 1) * r->count, r->count)))
			return false;
	}
	return true;
}

static inline uint64_t next_value(struct range *r)
{
	uint64_t x = 0;
	const uint8_t *at = r->planes + r->taken++;
	for (unsigned plane = 0; plane < r->width; plane++, at += r->count)
		x |= (uint64_t)*at << (8 * plane);
	if (r->how == OFFSETS)
		return r->previous + x;
	return r->previous += snapfmt_unzigzag(x);
}

bool snapfmt_decode_ranges(struct cursor *c, uint64_t *values, size_t count)
{
	struct range ranges[MOST];
	uint64_t range_count = cursor_varint(c);
	if (c->failed || range_count == 0 || range_count > MOST ||
	    !read_ranges(c, ranges, (size_t)range_count))
		return false;
	const uint8_t *codes = cursor_take(c, count);
	if (!codes)
		return false;
	for (size_t i = 0; i < count; i++) {
		if (codes[i] > range_count)
			return false;
		if (codes[i] > 0)
			ranges[codes[i] - 1].count++;
	}
	if (!find_planes(c, ranges, (size_t)range_count))
		return false;
	for (size_t i = 0; i < count; i++)
		values[i] = codes[i] == 0 ? 0 : next_value(&ranges[codes[i] - 1]);
	return true;
}
