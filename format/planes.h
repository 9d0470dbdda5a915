/* Byte planes, shared by the encodings (FORMAT.md, section 6). */
#ifndef SNAPFMT_PLANES_H
#define SNAPFMT_PLANES_H

#include "bytes.h"

/* Bytes needed for the largest of values that OR to all_bits. */
unsigned planes_width(uint64_t all_bits);
/* Planes(width, count) into values; the width byte was read.  False if too short or the top plane is zero. */
bool planes_read(struct cursor *c, unsigned width, uint64_t *values, size_t count);
/* One byte, 0 to 8, else the cursor fails. */
unsigned planes_read_width(struct cursor *c);
unsigned planes_read_shift(struct cursor *c);

/* Differences share trailing zero bits (alignment), which are not stored.  The shift is of the two's complement
 * difference, so it is taken before zigzag. */
static inline uint64_t planes_zigzag(uint64_t difference, unsigned shift)
{
	return snapfmt_zigzag((uint64_t)((int64_t)difference >> shift));
}

/* Puts bits of element i of count into planes that start at base. */
static inline void planes_put(uint8_t *base, unsigned width, size_t count, size_t i, uint64_t bits)
{
	for (unsigned plane = 0; plane < width; plane++)
		base[plane * count + i] = (uint8_t)(bits >> (8 * plane));
}

#endif
