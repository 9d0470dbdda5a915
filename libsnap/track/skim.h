/* What need not be told, as most of what a recording of samples sees: then the next allocator's
 * functions are jumped to, after a handful of instructions. */
#ifndef SKIM_H
#define SKIM_H

#include "track.h"

/* A recording of samples, while the next allocator is known, and is not to be seen to refuse. */
extern _Atomic bool track_skims __attribute__((visibility("hidden")));
/* Of this thread: bytes up to the sampled one, with it; 0: not drawn yet. */
extern __thread uint64_t track_until_sample
	__attribute__((tls_model("initial-exec"), visibility("hidden")));

/* How many samples there are, by some bits of their addresses: heaps of a few GiB have 16 KiB to
 * a group.  A sample is counted before it is added and until after it is removed, so that who has
 * its address sees a count; one that is full says no more than that there may be some. */
#define TRACK_GROUP_BITS 14
#define TRACK_GROUPS     ((uintptr_t)1 << 18)
#define TRACK_GROUP_FULL 255u
extern _Atomic uint8_t track_groups[TRACK_GROUPS] __attribute__((visibility("hidden")));

static inline _Atomic uint8_t *track_group_of(uintptr_t address)
{
	return &track_groups[address >> TRACK_GROUP_BITS & (TRACK_GROUPS - 1)];
}

/* Whether the block at this address, or NULL, is no sample. */
static inline bool track_is_no_sample(uintptr_t address)
{
	return atomic_load_explicit(track_group_of(address), memory_order_relaxed) == 0;
}

static inline bool track_skims_free(const void *block)
{
	return TRACK_LIKELY(atomic_load_explicit(&track_skims, memory_order_relaxed)) &&
	       TRACK_LIKELY(track_is_no_sample((uintptr_t)block));
}

/* Counts the bytes of a block that is no sample; else false. */
static inline bool track_skims_bytes(size_t size)
{
	if (!TRACK_LIKELY(atomic_load_explicit(&track_skims, memory_order_relaxed)) ||
	    TRACK_UNLIKELY(size >= track_until_sample))
		return false;
	track_until_sample -= size;
	return true;
}

#endif
