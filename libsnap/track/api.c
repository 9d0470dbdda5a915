/* The tracker's side of snap_track.h. */
#include "snap_track.h"

#include "track.h"

#define FRAME ((const uintptr_t *)__builtin_frame_address(0))

static inline bool recording(void)
{
	return atomic_load_explicit(&track_on, memory_order_relaxed);
}

void snap_tracker_alloc(uintptr_t block, size_t size, uint32_t domain)
{
	if (block && recording())
		track_allocated(block, size, domain, FRAME);
	__asm__ volatile("" ::: "memory"); /* the frame must outlive the call */
}

void snap_tracker_free(uintptr_t block)
{
	if (!block || !recording())
		return;
	track_freed(block);
	track_mapped_disown(block);
}

void snap_tracker_realloc(uintptr_t old_block, uintptr_t block, size_t size, uint32_t domain)
{
	if (!recording())
		return;
	if (old_block)
		track_freed(old_block);
	if (block)
		track_allocated(block, size, domain, FRAME);
	__asm__ volatile("" ::: "memory");
}

void snap_tracker_forget(uintptr_t start, size_t size)
{
	if (recording())
		track_freed_within(start, size);
}

int snap_tracker_take(void)
{
	return recording() && track_take(TRACK_ASKED) ? 0 : -1;
}
