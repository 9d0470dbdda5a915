/* When a snapshot is taken before the end: after an interval, after some growth, at the peak; and when asked by a
 * signal.  The first three are looked at when a thread's sums are added up: no thread and no timer of ours is needed,
 * and while nothing is allocated nothing changes. */
#include <time.h>

#include "track.h"

#define PEAK_SHARE 64 /* a fall by one part in so many shows that there was a peak */

static _Atomic int64_t last_bytes;  /* when the last one was taken for growth */
static _Atomic int64_t peak_taken;  /* bytes in the last one that was taken at a peak */
static _Atomic uint64_t next_time;
static _Atomic bool asked;

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static void at_interval(void)
{
	uint64_t now = now_ns(), due = atomic_load_explicit(&next_time, memory_order_relaxed);
	if (now < due || !atomic_compare_exchange_strong(&next_time, &due, now + track_settings.interval_ns))
		return;
	if (due != 0)
		track_take(TRACK_AT_INTERVAL);
}

static void at_growth(int64_t bytes)
{
	int64_t last = atomic_load_explicit(&last_bytes, memory_order_relaxed);
	if (bytes - last < (int64_t)track_settings.growth_bytes || !atomic_compare_exchange_strong(&last_bytes, &last, bytes))
		return;
	track_take(TRACK_AT_GROWTH);
}

/* Taken as soon as less is live than at the peak; only if there is more than in the one before. */
static void at_peak(int64_t bytes)
{
	int64_t peak = atomic_load_explicit(&track_sums.peak_bytes, memory_order_relaxed);
	int64_t taken = atomic_load_explicit(&peak_taken, memory_order_relaxed);
	if (bytes > peak - peak / PEAK_SHARE || bytes <= taken + taken / PEAK_SHARE)
		return;
	if (atomic_compare_exchange_strong(&peak_taken, &taken, bytes) && !track_take(TRACK_AT_PEAK))
		atomic_store(&peak_taken, taken);
}

bool track_peak_was_taken(int64_t bytes)
{
	int64_t taken = atomic_load(&peak_taken);
	return taken > 0 && bytes <= taken;
}

void track_ask(void)
{
	atomic_store(&asked, !track_take(TRACK_ASKED));
}

void track_triggers(int64_t bytes)
{
	if (TRACK_UNLIKELY(atomic_load_explicit(&asked, memory_order_relaxed)) && atomic_exchange(&asked, false))
		track_ask();
	if (track_settings.interval_ns)
		at_interval();
	if (track_settings.growth_bytes)
		at_growth(bytes);
	if (track_settings.peak)
		at_peak(bytes);
}

void track_triggers_forked(void)
{
	atomic_store(&next_time, 0);
	atomic_store(&peak_taken, 0);
	atomic_store(&last_bytes, atomic_load(&track_sums.bytes));
}
