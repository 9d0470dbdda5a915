/* The allocation functions of the C library, in front of whichever the program would use. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "skim.h"

#define EXPORTED __attribute__((visibility("default")))
#define FRAME    ((const uintptr_t *)__builtin_frame_address(0))

static struct {
	void *(*malloc)(size_t);
	void (*free)(void *);
	void *(*calloc)(size_t, size_t);
	void *(*realloc)(void *, size_t);
	void *(*reallocarray)(void *, size_t, size_t);
	int (*posix_memalign)(void **, size_t, size_t);
	void *(*aligned_alloc)(size_t, size_t);
	void *(*memalign)(size_t, size_t);
	void *(*valloc)(size_t);
	void *(*pvalloc)(size_t);
	void (*free_sized)(void *, size_t);
	void (*free_aligned_sized)(void *, size_t, size_t);
	int (*dlclose)(void *);
} next;
/* glibc's, which merges a free block with the one behind it. */
extern void *__libc_malloc(size_t) __attribute__((weak));
static _Atomic int found; /* 0 no, 1 being looked for, 2 yes */

/* For allocations that looking for the next functions makes itself; never freed. */
static _Alignas(16) char early[16384];
static size_t early_used;

static void *early_alloc(size_t size)
{
	size = (size + 15) & ~(size_t)15;
	if (size > sizeof early - early_used)
		return NULL;
	void *result = early + early_used;
	early_used += size;
	return result;
}

static inline bool is_early(const void *pointer)
{
	return (uintptr_t)pointer - (uintptr_t)early < sizeof early;
}

static void look_up(void *function, const char *name)
{
	void *address = track_next(name);
	memcpy(function, &address, sizeof address);
}

/* The first allocation of a process comes before it has a second thread. */
static __attribute__((noinline)) bool find_next(void)
{
	if (atomic_load(&found) == 1)
		return false;
	atomic_store(&found, 1);
	int kept = errno;
	look_up(&next.malloc, "malloc");
	look_up(&next.free, "free");
	look_up(&next.calloc, "calloc");
	look_up(&next.realloc, "realloc");
	look_up(&next.reallocarray, "reallocarray");
	look_up(&next.posix_memalign, "posix_memalign");
	look_up(&next.aligned_alloc, "aligned_alloc");
	look_up(&next.memalign, "memalign");
	look_up(&next.valloc, "valloc");
	look_up(&next.pvalloc, "pvalloc");
	look_up(&next.free_sized, "free_sized");
	look_up(&next.free_aligned_sized, "free_aligned_sized");
	look_up(&next.dlclose, "dlclose");
	track_reads_behind = next.malloc && next.malloc == &__libc_malloc;
	errno = kept;
	atomic_store(&found, 2);
	track_skim();
	return true;
}

void track_skim(void)
{
	const struct track_settings *s = &track_settings;
	bool skims = s->sample_bytes && s->limit_percent == 0 && atomic_load(&found) == 2;
	uintptr_t at = (uintptr_t)early, end = at + sizeof early;
	for (; skims && at < end; at = (at | (((uintptr_t)1 << TRACK_GROUP_BITS) - 1)) + 1)
		atomic_store(track_group_of(at), (uint8_t)TRACK_GROUP_FULL);
	atomic_store(&track_skims, skims);
}

static inline bool ready(void)
{
	return TRACK_LIKELY(atomic_load_explicit(&found, memory_order_relaxed) == 2) || find_next();
}

void track_find_next(void)
{
	find_next();
}

static inline bool recording(void)
{
	return atomic_load_explicit(&track_on, memory_order_relaxed);
}

/* Inlined: a tail call would give up the frame. */
#define INLINED static inline __attribute__((always_inline))

INLINED void *allocated(void *pointer, size_t size, const uintptr_t *frame)
{
	if (TRACK_UNLIKELY(!recording()))
		return pointer;
	if (TRACK_UNLIKELY(!pointer)) {
		track_refused(size);
		return pointer;
	}
	uintptr_t hidden = track_hidden((uintptr_t)pointer);
	track_allocated((uintptr_t)pointer, size, 0, frame);
	return (void *)track_hidden(hidden); /* NOLINT(performance-no-int-to-ptr) */
}

/* What is told is told by functions that are jumped to, however this is compiled: so those in
 * front of them need no frame, and theirs is that of the function that was called. */
#define TOLD static __attribute__((noinline))
#ifdef __clang__
#define IN_FRONT EXPORTED
#define JUMP     __attribute__((musttail)) return
#else
#define IN_FRONT EXPORTED __attribute__((optimize("O2", "optimize-sibling-calls")))
#define JUMP     return
#endif

TOLD void *told_malloc(size_t size)
{
	if (!ready())
		return early_alloc(size);
	return allocated(next.malloc(size), size, FRAME);
}

IN_FRONT void *malloc(size_t size)
{
	if (track_skims_bytes(size))
		JUMP next.malloc(size);
	JUMP told_malloc(size);
}

TOLD void told_free(void *pointer)
{
	if (!pointer || is_early(pointer) || !ready())
		return;
	if (recording())
		track_freed((uintptr_t)pointer);
	next.free(pointer);
}

IN_FRONT void free(void *pointer)
{
	if (track_skims_free(pointer))
		JUMP next.free(pointer);
	JUMP told_free(pointer);
}

TOLD void *told_calloc(size_t count, size_t size)
{
	if (!ready())
		return early_alloc(count * size);
	return allocated(next.calloc(count, size), count * size, FRAME);
}

IN_FRONT void *calloc(size_t count, size_t size)
{
	size_t whole;
	if (!__builtin_mul_overflow(count, size, &whole) && track_skims_bytes(whole))
		JUMP next.calloc(count, size);
	JUMP told_calloc(count, size);
}

INLINED void *reallocated(void *old, size_t size, const uintptr_t *frame)
{
	struct track_block was = {0};
	if (is_early(old)) {
		void *new = malloc(size);
		size_t left = (size_t)(early + sizeof early - (char *)old);
		return new ? memcpy(new, old, size < left ? size : left) : NULL;
	}
	bool on = recording();
	if (on && old)
		track_moving((uintptr_t)old, &was);
	uintptr_t new = (uintptr_t)next.realloc(old, size), hidden = track_hidden(new);
	if (on && (new || (size == 0 && old)))
		track_moved(&was, new, size, frame);
	return (void *)track_hidden(hidden); /* NOLINT(performance-no-int-to-ptr) */
}

TOLD void *told_realloc(void *old, size_t size)
{
	if (!ready())
		return old ? NULL : early_alloc(size);
	return reallocated(old, size, FRAME);
}

IN_FRONT void *realloc(void *old, size_t size)
{
	if (track_skims_free(old) && track_skims_bytes(size))
		JUMP next.realloc(old, size);
	JUMP told_realloc(old, size);
}

EXPORTED void *reallocarray(void *old, size_t count, size_t size)
{
	size_t whole;
	if (!ready())
		return NULL;
	if (__builtin_mul_overflow(count, size, &whole)) {
		errno = ENOMEM;
		return NULL;
	}
	return reallocated(old, whole, FRAME);
}

EXPORTED int posix_memalign(void **out, size_t alignment, size_t size)
{
	if (!ready())
		return ENOMEM;
	int result = next.posix_memalign(out, alignment, size);
	if (result == 0)
		allocated(*out, size, FRAME);
	return result;
}

EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
	return ready() ? allocated(next.aligned_alloc(alignment, size), size, FRAME) : NULL;
}

EXPORTED void *memalign(size_t alignment, size_t size)
{
	return ready() ? allocated(next.memalign(alignment, size), size, FRAME) : NULL;
}

EXPORTED void *valloc(size_t size)
{
	return ready() ? allocated(next.valloc(size), size, FRAME) : NULL;
}

EXPORTED void *pvalloc(size_t size)
{
	return ready() ? allocated(next.pvalloc(size), size, FRAME) : NULL;
}

/* C23's, where the allocator has them. */
EXPORTED void free_sized(void *pointer, size_t size)
{
	if (pointer && ready() && next.free_sized && !is_early(pointer)) {
		if (recording())
			track_freed((uintptr_t)pointer);
		next.free_sized(pointer, size);
		return;
	}
	free(pointer);
}

EXPORTED void free_aligned_sized(void *pointer, size_t alignment, size_t size)
{
	if (pointer && ready() && next.free_aligned_sized && !is_early(pointer)) {
		if (recording())
			track_freed((uintptr_t)pointer);
		next.free_aligned_sized(pointer, alignment, size);
		return;
	}
	free(pointer);
}

/* What is unloaded takes its code with it. */
EXPORTED int dlclose(void *handle)
{
	ready();
	int result = next.dlclose(handle);
	if (recording() && track_modules_check())
		track_unwind_forget();
	return result;
}
