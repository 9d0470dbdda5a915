/* snap_track: tells the tracker what it cannot see:
 * blocks of a program's own allocators, and when to look.
 *
 * The functions are in libsnap-track.so, which snap-record loads into a program, and into which
 * nothing needs to be linked: without the tracker they do nothing, at the cost of a test.
 *
 * Memory:  nothing is owned; addresses are remembered and never read.
 *          Two blocks that live at once must be 8 bytes apart or more.
 * Threads: all may be called from any thread at once, but not from a signal handler.
 * Errors:  none; what cannot be recorded marks the snapshot as partial. */
#ifndef SNAP_TRACK_H
#define SNAP_TRACK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define SNAP_TRACKER __attribute__((weak, visibility("default")))
#else
#error "weak symbols are needed"
#endif

/* The tracker's side; NULL where there is none.  Call the functions below. */
SNAP_TRACKER void snap_tracker_alloc(uintptr_t block, size_t size, uint32_t domain);
SNAP_TRACKER void snap_tracker_free(uintptr_t block);
SNAP_TRACKER void snap_tracker_realloc(uintptr_t old_block, uintptr_t block, size_t size,
				       uint32_t domain);
SNAP_TRACKER void snap_tracker_forget(uintptr_t start, size_t size);
SNAP_TRACKER int snap_tracker_take(void);
SNAP_TRACKER uint32_t snap_tracker_line(uint32_t caller, const char *function, const char *file,
					uint32_t line);
SNAP_TRACKER void snap_tracker_interpreter(const void *code, uint32_t (*stack)(void));

/* A block was handed out, size bytes large; its stack is that of the
 * caller.  domain: any number for the allocator, by which snapshots
 * tell its blocks from malloc's, which have 0; at most 2^32 - 1. */
static inline void snap_track_alloc(const void *block, size_t size, uint32_t domain)
{
	if (snap_tracker_alloc)
		snap_tracker_alloc((uintptr_t)block, size, domain);
}

/* A block is about to be taken back; call it before another thread can be given the
 * same address.  What is not known is ignored, NULL too.  A block of malloc may be
 * given, or where a mapping begins, and is then counted no more: so an allocator
 * says that a block is only its raw material, whose parts it will tell of. */
static inline void snap_track_free(const void *block)
{
	if (snap_tracker_free)
		snap_tracker_free((uintptr_t)block);
}

/* A block was resized, or moved from old_block, which may be NULL. */
static inline void snap_track_realloc(const void *old_block, const void *block, size_t size,
				      uint32_t domain)
{
	if (snap_tracker_realloc)
		snap_tracker_realloc((uintptr_t)old_block, (uintptr_t)block, size, domain);
}

/* All blocks that begin within these size bytes are taken back at once: an arena is reset. */
static inline void snap_track_forget(const void *start, size_t size)
{
	if (snap_tracker_forget)
		snap_tracker_forget((uintptr_t)start, size);
}

/* Takes a snapshot now; the program goes on while it is written.  0: under
 * way; -1: there is no tracker, or another snapshot is still being written. */
static inline int snap_take(void)
{
	return snap_tracker_take ? snap_tracker_take() : -1;
}

/* ---- for interpreters ---- */

#define SNAP_TRACK_CUT 1u /* the number of a caller that is not told */

/* A line of a program, called from caller: what this returned for that, or 0 if it is
 * the outermost.  Texts are copied.  Each call makes a new line: keep its number.  0:
 * there is no tracker, or no memory.  The only one that stack(), below, may call. */
static inline uint32_t snap_track_line(uint32_t caller, const char *function, const char *file,
				       uint32_t line)
{
	return snap_tracker_line ? snap_tracker_line(caller, function, file, line) : 0;
}

/* From now on stack() is asked which line the calling thread runs, 0 if none,
 * whenever a block is recorded, in the midst of malloc: it must not allocate, and may
 * be called by any thread at once.  The lines stand in the place of the frames of the
 * module that code (any address in it) belongs to, and of their callers.  For the
 * rest of the process; the last one to say so counts.  0; -1: there is no tracker. */
static inline int snap_track_interpreter(const void *code, uint32_t (*stack)(void))
{
	if (!snap_tracker_interpreter)
		return -1;
	snap_tracker_interpreter(code, stack);
	return 0;
}

#ifdef __cplusplus
}
#endif
#endif
