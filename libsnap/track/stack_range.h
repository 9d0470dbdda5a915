/* What a walk may read: the part of its thread's stack that is known to be mapped. */
#ifndef STACK_RANGE_H
#define STACK_RANGE_H

#include "track.h"

#define TRACK_PAGE       4096u
#define TRACK_STACK_STEP ((uintptr_t)1 << 26) /* no frame is larger */

/* The one that sp is on. */
void track_stack_find(struct track_thread *, uintptr_t sp);
/* Further out, to a word that can be read; else false. */
bool track_stack_extend(struct track_thread *, uintptr_t address);

/* A walk through a signal handler may end on another stack than it began on. */
static inline void be_on_stack(struct track_thread *self, uintptr_t sp)
{
	if (TRACK_UNLIKELY(sp < self->stack_low || sp >= self->stack_high))
		track_stack_find(self, sp);
}

static inline bool readable(struct track_thread *self, uintptr_t address)
{
	if (TRACK_LIKELY(address >= self->stack_low && address < self->stack_high - sizeof address))
		return address % sizeof address == 0;
	return address % sizeof address == 0 && address >= self->stack_low &&
	       track_stack_extend(self, address);
}

static inline uintptr_t load(uintptr_t address)
{
	return *(const uintptr_t *)address; /* NOLINT(performance-no-int-to-ptr) */
}

#endif
