/* Byte planes, shared by the encodings (FORMAT.md, section 6). */
#ifndef SNAPFMT_PLANES_H
#define SNAPFMT_PLANES_H

#include "bytes.h"

/* Bytes needed for the largest of values that OR to all_bits. */
unsigned planes_width(uint64_t all_bits);
/* Planes(width, count) into values; the width byte was
 * read.  False if too short or the top plane is zero. */
bool planes_read(struct cursor *c, unsigned width, uint64_t *values, size_t count);
/* One byte, 0 to 8, else the cursor fails. */
unsigned planes_read_width(struct cursor *c);
unsigned planes_read_shift(struct cursor *c);

/* Differences share trailing zero bits (alignment), which are not stored: the
 * zigzag value of what is left of one is what is left of its own zigzag value. */
struct planes_survey {
	uint64_t differences, zigzags; /* bits that any of them has */
};
static inline void planes_see(struct planes_survey *survey, uint64_t difference)
{
	survey->differences |= difference;
	survey->zigzags |= snapfmt_zigzag(difference);
}
static inline unsigned planes_shift(const struct planes_survey *survey)
{
	return survey->differences ? (unsigned)__builtin_ctzll(survey->differences) : 0;
}

/* So many elements at once: loops over that many are compiled to what handles several together. */
#define PLANES_STEP 64

/* Puts bits, without their lowest shift ones, into planes that have count
 * elements each: some, which are at most PLANES_STEP, from start on. */
void planes_fill(uint8_t *planes, unsigned width, size_t count, size_t start, const uint64_t *bits,
		 size_t some, unsigned shift);

/* Puts bits of element i of count into planes that start at base. */
static inline void planes_put(uint8_t *base, unsigned width, size_t count, size_t i, uint64_t bits)
{
	for (unsigned plane = 0; plane < width; plane++)
		base[plane * count + i] = (uint8_t)(bits >> (8 * plane));
}

#endif
