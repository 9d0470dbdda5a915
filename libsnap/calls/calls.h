/* What the tracker knows of calls that are led through
 * libsnap-calls.so, in which threads may wait. */
#ifndef CALLS_H
#define CALLS_H

#include <stddef.h>
#include <stdint.h>

/* On the stack of such a call, from its place on. */
enum {
	CALLS_R15 = 8,
	CALLS_R14 = 16,
	CALLS_R13 = 24,
	CALLS_R12 = 32,
	CALLS_RBP = 40,
	CALLS_RBX = 48,
	CALLS_CALLER = 56, /* where it returns to */
	CALLS_END = 64,
	CALLS_BACK = 8,      /* so far below the function's return address is, */
	CALLS_BACK_MORE = 24 /* or there, if it has arguments on the stack */
};

struct snap_calls {
	/* from a thread's pointer: a word with the place of the innermost such call, or 0 */
	ptrdiff_t frame;
	uintptr_t back, back_more; /* where each returns to */
};
/* Of libsnap-track.so. */
void snap_tracker_calls(const struct snap_calls *);
/* This thread will wait. */
void snap_tracker_thread(void);

#endif
