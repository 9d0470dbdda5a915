/* Numbers that look drawn, and are the same in every run (xorshift). */
#ifndef RANDOM_H
#define RANDOM_H

#include <stdint.h>

/* *state is not 0. */
static inline uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

#endif
