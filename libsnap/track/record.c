/* What becomes of an allocation: exact, or as a sample. */
#include <string.h>

#include "sample.h"
#include "skim.h"

#define FLUSH_BYTES ((int64_t)1 << 16)
/* Sums are added up at least every so many blocks that
 * come or go, more often where time is looked at. */
#define FLUSH_BLOCKS 256u
#define TIMED_BLOCKS 16u

_Atomic bool track_on;
bool track_reads_behind;
struct track_lost track_lost;
struct track_sums track_sums;
_Atomic bool track_skims;
_Atomic uint8_t track_groups[TRACK_GROUPS];
__thread uint64_t track_until_sample __attribute__((tls_model("initial-exec")));

/* ---- sums ---- */

/* Samples are so rare that each is added up. */
uint32_t track_blocks_between(void)
{
	const struct track_settings *s = &track_settings;
	return s->sample_bytes                      ? 0
	       : s->interval_ns || s->limit_percent ? TIMED_BLOCKS
						    : FLUSH_BLOCKS;
}

static __attribute__((noinline)) void flush(struct track_thread *self)
{
	int64_t bytes =
		atomic_fetch_add_explicit(&track_sums.bytes, self->bytes, memory_order_relaxed) +
		self->bytes;
	self->bytes = 0;
	self->until_flush = track_blocks_between();
	int64_t peak = atomic_load_explicit(&track_sums.peak_bytes, memory_order_relaxed);
	while (bytes > peak &&
	       !atomic_compare_exchange_weak_explicit(&track_sums.peak_bytes, &peak, bytes,
						      memory_order_relaxed, memory_order_relaxed))
		continue;
	track_triggers(bytes);
}

void track_flush(struct track_thread *self)
{
	flush(self);
}

void track_count(int64_t bytes)
{
	atomic_fetch_add_explicit(&track_sums.bytes, bytes, memory_order_relaxed);
}

static inline void add_up(struct track_thread *self, int64_t bytes)
{
	self->bytes += bytes;
	if (TRACK_UNLIKELY(self->until_flush-- == 0 ||
			   (uint64_t)(self->bytes + FLUSH_BYTES) > 2 * FLUSH_BYTES))
		flush(self);
}

/* ---- samples ---- */

/* Whether one of the next size bytes is a sample. */
static __attribute__((noinline)) bool is_sample(struct track_thread *self, size_t size)
{
	uint64_t interval = track_settings.sample_bytes, left = track_until_sample;
	if (left == 0)
		left = 1 + (uint64_t)sample_gap(&self->random, interval);
	bool is = size >= left;
	track_until_sample = is ? 1 + (uint64_t)sample_gap(&self->random, interval) : left - size;
	return is;
}

static void enter_group(uintptr_t address)
{
	_Atomic uint8_t *group = track_group_of(address);
	uint8_t count = atomic_load_explicit(group, memory_order_relaxed);
	while (count != TRACK_GROUP_FULL &&
	       !atomic_compare_exchange_weak_explicit(group, &count, (uint8_t)(count + 1),
						      memory_order_relaxed, memory_order_relaxed))
		continue;
}

static void leave_group(uintptr_t address)
{
	_Atomic uint8_t *group = track_group_of(address);
	uint8_t count = atomic_load_explicit(group, memory_order_relaxed);
	while (count != TRACK_GROUP_FULL && count != 0 &&
	       !atomic_compare_exchange_weak_explicit(group, &count, (uint8_t)(count - 1),
						      memory_order_relaxed, memory_order_relaxed))
		continue;
}

/* What a recorded block counts for in the sums. */
static inline int64_t worth(size_t size)
{
	uint64_t interval = track_settings.sample_bytes;
	return (int64_t)(TRACK_UNLIKELY(interval) ? sample_estimate(size, interval) : size);
}

/* ---- one block ---- */

void track_allocated(uintptr_t address, size_t size, uint32_t domain, const uintptr_t *frame)
{
	struct track_thread *self = track_self();
	if (TRACK_UNLIKELY(!self || self->busy)) {
		atomic_fetch_add_explicit(&track_lost.blocks, 1, memory_order_relaxed);
		return;
	}
	bool samples = track_settings.sample_bytes != 0;
	if (samples && !is_sample(self, size))
		return;
	self->busy = true;
	if (samples)
		enter_group(address);
	track_block_expect(address);
	uintptr_t hidden = track_hidden(address);
	uint32_t site = track_interpreted(track_walk(self, frame, domain));
	if (!track_block_add(track_hidden(hidden), size, site))
		atomic_fetch_add_explicit(&track_lost.blocks, 1, memory_order_relaxed);
	add_up(self, worth(size));
	self->busy = false;
}

void track_freed(uintptr_t address)
{
	struct track_block was;
	bool samples = track_settings.sample_bytes != 0;
	if (samples && track_is_no_sample(address))
		return;
	if (!track_block_remove(address, &was)) {
		if (TRACK_UNLIKELY(track_attached) && !samples)
			atomic_fetch_add_explicit(&track_lost.older_frees, 1, memory_order_relaxed);
		return;
	}
	if (samples)
		leave_group(address);
	if (track_reads_behind)
		__builtin_prefetch((const char *)address + was.size + sizeof(size_t));
	struct track_thread *self = track_self();
	if (TRACK_UNLIKELY(!self || self->busy)) {
		track_count(-worth(was.size));
		return;
	}
	self->busy = true;
	add_up(self, -worth(was.size));
	self->busy = false;
}

void track_freed_within(uintptr_t start, size_t size)
{
	uintptr_t end = start + size;
	for (uintptr_t at = start; end > start && (at = track_block_next(at, end)) != 0; at += 8)
		track_freed(at);
}

bool track_moving(uintptr_t address, struct track_block *was)
{
	return track_block_find(address, was);
}

void track_moved(const struct track_block *was, uintptr_t address, size_t size,
		 const uintptr_t *frame)
{
	if (was->site != 0 && track_block_remove_exact(was)) {
		track_count(-worth(was->size));
		if (track_settings.sample_bytes)
			leave_group(was->address);
	}
	if (address)
		track_allocated(address, size, 0, frame);
}
