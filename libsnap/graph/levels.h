/* What dominators by distances share, in memory (levels.c) and outside (levels_outside.c). */
#ifndef LIBSNAP_GRAPH_LEVELS_H
#define LIBSNAP_GRAPH_LEVELS_H

#include <stdint.h>

/* Distances of a band, by bit; the last bit stands for all that are further away. */
#define BAND    63u
#define FURTHER (UINT64_C(1) << BAND)

/* How often nodes may be visited on average, and what else may be done for each of them. */
#define MOST_VISITS 8u
#define MOST_STEPS  64u

static inline uint64_t highest_bit(uint64_t set)
{
	return FURTHER >> __builtin_clzll(set);
}

static inline uint64_t own_bit(uint64_t level, uint64_t base)
{
	return level - base < BAND ? UINT64_C(1) << (level - base) : FURTHER;
}

/* All that is possible. */
static inline uint64_t full_set(uint64_t limit, uint64_t base)
{
	if (limit < base)
		return 0;
	return limit - base < BAND ? (UINT64_C(2) << (limit - base)) - 1 : FURTHER - 1;
}

#endif
