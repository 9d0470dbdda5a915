/* Which bytes are samples, as the producers draw them (spec/FORMAT.md,
 * section 7.4).  Needs no libm, and keeps nothing. */
#ifndef SAMPLE_H
#define SAMPLE_H

#include <stdint.h>

static inline uint64_t sample_random(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

/* -ln(u), 0 < u < 1: u = m × 2^-e with m in [1, 2), ln m by its series in (m - 1) / (m + 1). */
static inline double sample_minus_log(double u)
{
	int e = 0;
	for (; u < 1; u *= 2)
		e++;
	double x = (u - 1) / (u + 1), power = x, sum = 0;
	for (int k = 1; k < 30; k += 2, power *= x * x)
		sum += power / k;
	return e * 0.69314718055994530942 - 2 * sum;
}

/* Bytes until the next sample: exponentially distributed,
 * so that each byte is as likely as any other. */
static inline int64_t sample_gap(uint64_t *random, uint64_t interval)
{
	double u = ((double)(sample_random(random) >> 11) + 0.5) / 9007199254740992.0;
	double gap = sample_minus_log(u) * (double)interval;
	return gap < 4e18 ? (int64_t)gap : INT64_MAX / 4;
}

/* What a block that is a sample stands for: size / (1 - e^(-size / interval)), to within 6 %. */
static inline uint64_t sample_estimate(uint64_t size, uint64_t interval)
{
	if (size < interval)
		return interval + size / 2;
	return size + (uint64_t)((double)interval * (double)interval / (2.0 * (double)size));
}

#endif
