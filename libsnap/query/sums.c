/* Sums of bytes and counts: exact, or weighed where a snapshot is sampled (FORMAT.md, section 7.4).
 */
#include "query.h"

/* 1 - e^-x without the mathematics library: a series for a small part of x, doubled back. */
static double one_minus_exp(double x)
{
	if (x > 45)
		return 1;
	int doublings = 0;
	for (; x > 0.25; doublings++)
		x /= 2;
	double term = x, sum = x;
	for (int n = 2; n < 16; n++) {
		term *= -x / n;
		sum += term;
	}
	for (; doublings > 0; doublings--)
		sum *= 2 - sum;
	return sum;
}

/* How often blocks of this size come, for each one seen: 1 / (1 - e^(-size / interval)). */
static double weight_of(double size, double interval)
{
	double seen = interval > 0 && size > 0 ? one_minus_exp(size / interval) : 1;
	return seen > 0 ? 1 / seen : 1;
}

static bool add_exact(union measure *sum, uint64_t bytes, uint64_t count)
{
	return !__builtin_add_overflow(sum->exact.bytes, bytes, &sum->exact.bytes) &&
	       sum->exact.bytes <= SUM_MAX &&
	       !__builtin_add_overflow(sum->exact.count, count, &sum->exact.count) &&
	       sum->exact.count <= SUM_MAX;
}

bool libsnap_measure_add(const struct weigher *weigher, union measure *sum, uint64_t bytes,
			 uint64_t count)
{
	if (!weigher->sampled)
		return add_exact(sum, bytes, count);
	if (count == 0)
		return true;
	double weight = weight_of((double)bytes / (double)count, weigher->interval);
	sum->estimate.bytes += weight * (double)bytes;
	sum->estimate.count += weight * (double)count;
	return true;
}

bool libsnap_measure_merge(const struct weigher *weigher, union measure *sum,
			   const union measure *other)
{
	if (!weigher->sampled)
		return add_exact(sum, other->exact.bytes, other->exact.count);
	sum->estimate.bytes += other->estimate.bytes;
	sum->estimate.count += other->estimate.count;
	return true;
}

bool libsnap_measure_finish(const struct weigher *weigher, union measure *sum)
{
	if (!weigher->sampled)
		return true;
	double bytes = sum->estimate.bytes + 0.5, count = sum->estimate.count + 0.5;
	if (bytes >= (double)SUM_MAX || count >= (double)SUM_MAX)
		return false;
	sum->exact.bytes = (uint64_t)bytes;
	sum->exact.count = (uint64_t)count;
	return true;
}

void libsnap_variance_add(const struct weigher *weigher, struct variance *v, uint64_t bytes,
			  uint64_t count)
{
	if (!weigher->sampled || count == 0)
		return;
	double size = (double)bytes / (double)count, weight = weight_of(size, weigher->interval);
	double excess = (weight * weight - weight) * (double)count;
	v->bytes += size * size * excess;
	v->count += excess;
}

/* By Newton's steps, from above, without the mathematics library. */
uint64_t libsnap_error_of(double variance)
{
	double root = variance > 1 ? variance : 1;
	for (double next; variance > 0; root = next) {
		next = (root + variance / root) / 2;
		if (next >= root)
			break;
	}
	return variance <= 0 ? 0 : root + 0.5 >= (double)SUM_MAX ? SUM_MAX : (uint64_t)(root + 0.5);
}
