/* Memory and locks of the tracker: pages from the
 * system, which no allocator of the program knows of. */
#include <errno.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "track.h"

#define ALIGN     64u
#define PAGE      4096u
#define CHUNK_MIN ((size_t)1 << 18)
#define CHUNK_MAX ((size_t)1 << 23)

/* 0: free.  Grows with every fork, so that what was
 * held at a fork is known to be free in the child. */
static _Atomic uint32_t generation = 1;

void track_lock(struct track_lock *lock)
{
	uint32_t mine = atomic_load_explicit(&generation, memory_order_relaxed);
	for (unsigned tries = 1;; tries++) {
		uint32_t owner = atomic_load_explicit(&lock->owner, memory_order_relaxed);
		if (owner != mine &&
		    atomic_compare_exchange_weak_explicit(
			    &lock->owner, &owner, mine, memory_order_acquire, memory_order_relaxed))
			return;
		if (tries % 64 == 0)
			sched_yield();
	}
}

void track_unlock(struct track_lock *lock)
{
	atomic_store_explicit(&lock->owner, 0, memory_order_release);
}

void track_locks_forked(void)
{
	atomic_fetch_add_explicit(&generation, 1, memory_order_relaxed);
}

static struct track_range own[TRACK_OWN_MAX];
static _Atomic size_t own_count;

static void note_own(uintptr_t start, size_t size)
{
	size_t index = atomic_fetch_add_explicit(&own_count, 1, memory_order_relaxed);
	if (index < TRACK_OWN_MAX)
		own[index] = (struct track_range){
			start, start + ((size + PAGE - 1) & ~(size_t)(PAGE - 1))};
}

size_t track_own_count(void)
{
	size_t count = atomic_load_explicit(&own_count, memory_order_relaxed);
	return count < TRACK_OWN_MAX ? count : TRACK_OWN_MAX;
}

struct track_range track_own(size_t index)
{
	return own[index];
}

void *track_map(size_t size)
{
	int kept = errno;
	long result = syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
			      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, (off_t)0);
	errno = kept;
	if (result == -1)
		return NULL;
	note_own((uintptr_t)result, size);
	return (void *)result; /* NOLINT(performance-no-int-to-ptr) */
}

static struct track_lock lock;
static struct {
	uintptr_t at, end;
	size_t chunk;
} heap;

void *track_alloc(size_t size)
{
	size = (size + ALIGN - 1) & ~(size_t)(ALIGN - 1);
	if (size >= CHUNK_MIN)
		return track_map(size);
	void *result = NULL;
	track_lock(&lock);
	if (heap.end - heap.at < size) {
		size_t chunk = heap.chunk ? heap.chunk : CHUNK_MIN;
		uintptr_t more = (uintptr_t)track_map(chunk);
		if (more) {
			heap.at = more;
			heap.end = more + chunk;
			heap.chunk = chunk < CHUNK_MAX ? chunk * 2 : chunk;
		}
	}
	if (heap.end - heap.at >= size) {
		result = (void *)heap.at; /* NOLINT(performance-no-int-to-ptr) */
		heap.at += size;
	}
	track_unlock(&lock);
	return result;
}
