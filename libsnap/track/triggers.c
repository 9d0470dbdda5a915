/* When a snapshot is taken before the end: after an interval, after some
 * growth, near a limit, at the peak; and when asked by a signal.  All but the
 * last are looked at when a thread's sums are added up: no thread and no
 * timer of ours is needed, and while nothing is allocated nothing changes. */
#include <time.h>

#include "track.h"

#define LOOK_NS    100000000u
#define PEAK_SHARE 64 /* a fall by one part in so many shows that there was a peak */

static _Atomic int64_t last_bytes; /* when the last one was taken for growth */
static _Atomic int64_t peak_taken; /* bytes in the last one that was taken at a peak */
static _Atomic uint64_t next_time;
static _Atomic bool asked;
static _Atomic bool looking; /* at limits; what it saw, and when it is to look again: */
static _Atomic int64_t looked_bytes, look_step;
static _Atomic uint64_t next_look;

static uint64_t now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* While another one is being written it is not, and stays due until that is done. */
static bool is_put_off(enum track_reason reason)
{
	return !track_take(reason) && track_is_writing();
}

/* One that was put off is looked at again when the clock has gone on. */
static void at_interval(void)
{
	uint64_t now = now_ns(), due = atomic_load_explicit(&next_time, memory_order_relaxed);
	uint64_t next = now + track_settings.interval_ns;
	if (now < due || !atomic_compare_exchange_strong(&next_time, &due, next))
		return;
	if (due != 0 && is_put_off(TRACK_AT_INTERVAL))
		atomic_compare_exchange_strong(&next_time, &next, now + 1);
}

static void at_growth(int64_t bytes)
{
	int64_t last = atomic_load_explicit(&last_bytes, memory_order_relaxed);
	if (bytes - last < (int64_t)track_settings.growth_bytes ||
	    !atomic_compare_exchange_strong(&last_bytes, &last, bytes))
		return;
	if (is_put_off(TRACK_AT_GROWTH))
		atomic_compare_exchange_strong(&last_bytes, &bytes, last);
}

/* What is not live takes memory too, so that time counts beside growth. */
static void at_limit(int64_t bytes, uint64_t wanted)
{
	uint64_t now = now_ns();
	if (bytes < atomic_load_explicit(&looked_bytes, memory_order_relaxed))
		atomic_store_explicit(&looked_bytes, bytes, memory_order_relaxed);
	if (wanted == 0 && now < atomic_load_explicit(&next_look, memory_order_relaxed) &&
	    bytes - atomic_load_explicit(&looked_bytes, memory_order_relaxed) <
		    atomic_load_explicit(&look_step, memory_order_relaxed))
		return;
	if (atomic_exchange(&looking, true))
		return;
	int64_t step;
	atomic_store(&looked_bytes, bytes);
	atomic_store(&next_look, now + LOOK_NS);
	if (track_limits_near(wanted, &step))
		track_take(TRACK_AT_LIMIT);
	atomic_store(&look_step, step);
	atomic_store(&looking, false);
}

void track_refused(size_t size)
{
	struct track_thread *self = track_settings.limit_percent ? track_self() : NULL;
	if (!self || self->busy || size > PTRDIFF_MAX)
		return;
	self->busy = true;
	at_limit(atomic_load(&track_sums.bytes), size);
	self->busy = false;
}

/* Taken as soon as less is live than at the peak; only if there is more than in the one before. */
static void at_peak(int64_t bytes)
{
	int64_t peak = atomic_load_explicit(&track_sums.peak_bytes, memory_order_relaxed);
	int64_t taken = atomic_load_explicit(&peak_taken, memory_order_relaxed);
	if (bytes > peak - peak / PEAK_SHARE || bytes <= taken + taken / PEAK_SHARE)
		return;
	if (atomic_compare_exchange_strong(&peak_taken, &taken, bytes) &&
	    !track_take(TRACK_AT_PEAK))
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
	track_wait(false);
	if (TRACK_UNLIKELY(atomic_load_explicit(&asked, memory_order_relaxed)) &&
	    atomic_exchange(&asked, false))
		track_ask();
	if (track_settings.interval_ns)
		at_interval();
	if (track_settings.growth_bytes)
		at_growth(bytes);
	if (track_settings.limit_percent)
		at_limit(bytes, 0);
	if (track_settings.peak)
		at_peak(bytes);
}

void track_triggers_forked(void)
{
	atomic_store(&next_time, 0);
	atomic_store(&peak_taken, 0);
	atomic_store(&looking, false);
	atomic_store(&last_bytes, atomic_load(&track_sums.bytes));
}
