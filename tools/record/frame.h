/* The state of a stopped thread, and a frame on its stack from which the kernel can restore it. */
#ifndef FRAME_H
#define FRAME_H

#include <sys/user.h>

#include "process.h"

struct frame {
	pid_t tid;
	struct user_regs_struct registers; /* as they are to be in the end */
	uint64_t signals;                  /* blocked */
	void *extended;                    /* all other registers, once kept */
	size_t extended_size;
	uintptr_t at; /* of the frame in the thread's memory */
};

/* Reads what tells where a thread is. */
bool frame_read(struct frame *, pid_t tid);
bool frame_is_in_call(const struct frame *);
/* Whether it was in a system call that had not ended when it was stopped. */
bool frame_is_interrupted(const struct frame *);
/* Whether the thread is in a system call in which threads
 * wait, and which neither allocators nor the loader make. */
bool frame_waits(const struct frame *);
/* A system call that ended as interrupted is to be made
 * again when the thread goes on; false: there was none. */
bool frame_repeat(struct frame *);

/* Keeps the rest of the thread's state, and puts all of it below top,
 * on the thread's stack; restorer: code that makes the kernel read such
 * a frame, as at the end of a signal handler.  False with errno. */
bool frame_keep(struct frame *, const struct process *, uintptr_t top, uintptr_t restorer);
/* Sets the thread to begin a function, which returns to the restorer. */
bool frame_call(const struct frame *, uintptr_t function, const uintptr_t arguments[2]);
/* Whether the function has returned, and the restorer is about to make its system call. */
bool frame_returned(const struct frame *);
/* Whether the function has returned just now, and with what result. */
bool frame_result(const struct frame *, uintptr_t restorer, uintptr_t *result);
/* The thread goes on as if nothing had been, but for system calls that
 * only the kernel can restart; the restorer's own is not made. */
void frame_leave(const struct frame *);
/* The thread's state becomes what was kept: where the kernel
 * looks at signals next, it restarts system calls. */
void frame_restore(const struct frame *);

/* Where the frame of a signal handler has the address of the code that
 * was interrupted, from the word with the restorer's address on. */
#define FRAME_INTERRUPTED 176u
/* 0 if the C library is not in the process, or not known. */
uintptr_t frame_restorer(const struct process *);

#endif
