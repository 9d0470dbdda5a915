/* What a walk may read: the part of its thread's stack that is known to be mapped. */
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "stack_range.h"

extern void *__libc_stack_end __attribute__((weak));

static bool mapped(uintptr_t from, uintptr_t to)
{
	unsigned char state[64];
	for (from &= ~(uintptr_t)(TRACK_PAGE - 1); from < to; from += sizeof state * TRACK_PAGE) {
		uintptr_t size = to - from < sizeof state * TRACK_PAGE ? to - from
								       : sizeof state * TRACK_PAGE;
		if (syscall(SYS_mincore, from, size, state) != 0)
			return false;
	}
	return true;
}

/* Where the thread's stack ends, if it is on that. */
static uintptr_t usual_end(const struct track_thread *self)
{
	if (self->number != 0)
		return (uintptr_t)__builtin_thread_pointer();
	uintptr_t end = &__libc_stack_end ? (uintptr_t)__libc_stack_end : 0;
	return (end + TRACK_PAGE - 1) & ~(uintptr_t)(TRACK_PAGE - 1);
}

void track_stack_find(struct track_thread *self, uintptr_t sp)
{
	uintptr_t end = usual_end(self);
	self->stack_low = sp & ~(uintptr_t)(TRACK_PAGE - 1);
	self->stack_high = self->stack_low + TRACK_PAGE;
	if (sp < end && end - sp < TRACK_STACK_STEP && mapped(sp, end))
		self->stack_high = end;
}

bool track_stack_extend(struct track_thread *self, uintptr_t address)
{
	uintptr_t to =
		(address + 2 * sizeof address + TRACK_PAGE - 1) & ~(uintptr_t)(TRACK_PAGE - 1);
	if (address < self->stack_high || to - self->stack_high > TRACK_STACK_STEP ||
	    !mapped(self->stack_high, to))
		return false;
	self->stack_high = to;
	return true;
}
