/* What the program maps itself, on request: mmap, munmap,
 * mremap, sbrk and brk, in front of the C library's.
 *
 * Each is done, and noted, under a lock, so that the notes are what the system
 * has.  A note is a slot that is free or whole at any moment, also when the
 * process is copied: only one is being changed at a time, its start last. */
#include <dlfcn.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "track.h"

#define EXPORTED  __attribute__((visibility("default")))
#define FRAME     ((const uintptr_t *)__builtin_frame_address(0))
#define CALLER    ((uintptr_t)__builtin_return_address(0))
#define PAGE      4096u
#define SLOTS_MIN 1024u
/* The frame must outlive the call. */
#define KEEP_FRAME() __asm__ volatile("" ::: "memory")

struct slot {
	_Atomic uintptr_t start; /* 0: free */
	uintptr_t end;
	uint32_t site;
	bool is_file;
};
struct slots {
	size_t capacity;
	_Atomic size_t used; /* slots before this may be in use */
	struct slot all[];
};
static struct slots *_Atomic current;
static struct track_lock lock;

static struct {
	void *(*sbrk)(intptr_t);
	int (*brk)(void *);
} next;
static struct track_range allocator; /* the module that has malloc */

/* ---- notes; all under the lock ---- */

static struct slots *larger(const struct slots *old)
{
	size_t capacity = old ? 2 * old->capacity : SLOTS_MIN;
	struct slots *new = track_map(sizeof *new + capacity * sizeof *new->all);
	if (!new)
		return NULL;
	new->capacity = capacity;
	new->used = old ? old->used : 0;
	if (old)
		memcpy(new->all, old->all, old->used * sizeof *new->all);
	atomic_store_explicit(&current, new, memory_order_release);
	return new;
}

static void note(uintptr_t start, uintptr_t end, uint32_t site, bool is_file)
{
	struct slots *s = atomic_load_explicit(&current, memory_order_relaxed);
	size_t i = 0, used = s ? s->used : 0;
	while (i < used && s->all[i].start != 0)
		i++;
	if (!s || i == s->capacity)
		s = larger(s);
	if (!s) {
		atomic_fetch_add_explicit(&track_lost.blocks, 1, memory_order_relaxed);
		return;
	}
	s->all[i].end = end;
	s->all[i].site = site;
	s->all[i].is_file = is_file;
	atomic_store_explicit(&s->all[i].start, start, memory_order_release);
	if (i == used)
		atomic_store_explicit(&s->used, i + 1, memory_order_release);
	track_count((int64_t)(end - start));
}

/* What is left of a mapping beyond end is a mapping of its own. */
static void cut(struct slot *slot, uintptr_t start, uintptr_t end)
{
	uintptr_t from = slot->start, to = slot->end;
	uintptr_t first = from > start ? from : start, last = to < end ? to : end;
	track_count(-(int64_t)(last - first));
	if (from < start) {
		slot->end = start;
		if (to > end) {
			track_count(-(int64_t)(to - end));
			note(end, to, slot->site, slot->is_file);
		}
	} else {
		atomic_store_explicit(&slot->start, to > end ? end : 0, memory_order_release);
	}
}

static inline bool overlaps(const struct slot *slot, uintptr_t start, uintptr_t end)
{
	return slot->start != 0 && slot->start < end && slot->end > start;
}

static const struct slot *find(uintptr_t start, uintptr_t end)
{
	const struct slots *s = atomic_load_explicit(&current, memory_order_relaxed);
	for (size_t i = 0; s && i < s->used; i++)
		if (overlaps(&s->all[i], start, end))
			return &s->all[i];
	return NULL;
}

static void forget(uintptr_t start, uintptr_t end)
{
	struct slots *s = atomic_load_explicit(&current, memory_order_relaxed);
	for (size_t i = 0; s && i < s->used; i++)
		if (overlaps(&s->all[i], start, end)) {
			cut(&s->all[i], start, end);
			s = atomic_load_explicit(&current, memory_order_relaxed);
		}
}

/* ---- one call ---- */

static inline bool wanted(void)
{
	return track_settings.mapped && atomic_load_explicit(&track_on, memory_order_relaxed);
}

static inline bool is_allocators(uintptr_t caller)
{
	return caller >= allocator.start && caller < allocator.end;
}

/* NULL: what is done now cannot be noted, as in a signal handler that interrupted the tracker. */
static struct track_thread *begin(void)
{
	struct track_thread *self = track_self();
	if (!self || self->busy) {
		atomic_fetch_add_explicit(&track_lost.blocks, 1, memory_order_relaxed);
		return NULL;
	}
	self->busy = true;
	track_lock(&lock);
	return self;
}

static void end(struct track_thread *self)
{
	track_unlock(&lock);
	track_flush(self);
	self->busy = false;
}

static inline uintptr_t rounded(uintptr_t size)
{
	return (size + PAGE - 1) & ~(uintptr_t)(PAGE - 1);
}

static void *map(void *hint, size_t size, int protection, int flags, int file, off_t offset,
		 uintptr_t caller, const uintptr_t *frame)
{
	struct track_thread *self = wanted() ? begin() : NULL;
	uint32_t site =
		self && !is_allocators(caller) ? track_walk(self, frame, TRACK_DOMAIN_MAPPED) : 0;
	long result = syscall(SYS_mmap, hint, size, protection, flags, file, offset);
	if (!self)
		return (void *)result; /* NOLINT(performance-no-int-to-ptr) */
	uintptr_t start = (uintptr_t)result;
	if (result != -1) {
		forget(start, start + rounded(size));
		if (site != 0)
			note(start, start + rounded(size), site, !(flags & MAP_ANONYMOUS));
	}
	end(self);
	return (void *)result; /* NOLINT(performance-no-int-to-ptr) */
}

EXPORTED void *mmap64(void *hint, size_t size, int protection, int flags, int file, off64_t offset)
{
	void *result = map(hint, size, protection, flags, file, offset, CALLER, FRAME);
	KEEP_FRAME();
	return result;
}

/* Under its own name, which headers give to mmap64(). */
extern EXPORTED void *map_plain(void *, size_t, int, int, int, off64_t) __asm__("mmap") __THROW
	__attribute__((alias("mmap64")));

EXPORTED int munmap(void *start, size_t size)
{
	struct track_thread *self = wanted() ? begin() : NULL;
	long result = syscall(SYS_munmap, start, size);
	if (self && result == 0)
		forget((uintptr_t)start, (uintptr_t)start + rounded(size));
	if (self)
		end(self);
	return (int)result;
}

static void *remap(void *old, size_t old_size, size_t size, int flags, void *to,
		   const uintptr_t *frame)
{
	struct track_thread *self = wanted() ? begin() : NULL;
	uint32_t site = self ? track_walk(self, frame, TRACK_DOMAIN_MAPPED) : 0;
	long result = syscall(SYS_mremap, old, old_size, size, flags, to);
	if (!self)
		return (void *)result; /* NOLINT(performance-no-int-to-ptr) */
	uintptr_t from = (uintptr_t)old, start = (uintptr_t)result;
	const struct slot *was =
		result != -1 ? find(from, from + (old_size ? rounded(old_size) : 1)) : NULL;
	bool known = was != NULL, is_file = known && was->is_file;
	if (result != -1 && !(flags & MREMAP_DONTUNMAP))
		forget(from, from + rounded(old_size));
	if (result != -1)
		forget(start, start + rounded(size));
	if (known)
		note(start, start + rounded(size), site, is_file);
	end(self);
	return (void *)result; /* NOLINT(performance-no-int-to-ptr) */
}

EXPORTED void *mremap(void *old, size_t old_size, size_t size, int flags, ...)
{
	va_list rest;
	va_start(rest, flags);
	void *to = flags & MREMAP_FIXED ? va_arg(rest, void *) : NULL;
	va_end(rest);
	void *result = remap(old, old_size, size, flags, to, FRAME);
	KEEP_FRAME();
	return result;
}

/* ---- the program break: where it was, and is ---- */

static bool find_next(void)
{
	void *grow = track_next("sbrk"), *set = track_next("brk");
	memcpy(&next.sbrk, &grow, sizeof grow);
	memcpy(&next.brk, &set, sizeof set);
	return grow && set;
}

static void moved(uintptr_t from, uintptr_t to, uint32_t site)
{
	if (to < from)
		forget(to, from);
	else if (to > from && site != 0)
		note(from, to, site, false);
}

EXPORTED void *sbrk(intptr_t size)
{
	if (!next.sbrk && !find_next()) {
		errno = ENOMEM;
		return (void *)-1; /* NOLINT(performance-no-int-to-ptr) */
	}
	struct track_thread *self =
		size != 0 && wanted() && !is_allocators(CALLER) ? begin() : NULL;
	uint32_t site = self ? track_walk(self, FRAME, TRACK_DOMAIN_MAPPED) : 0;
	void *result = next.sbrk(size);
	if (self && result != (void *)-1) /* NOLINT(performance-no-int-to-ptr) */
		moved((uintptr_t)result, (uintptr_t)result + (uintptr_t)size, site);
	if (self)
		end(self);
	return result;
}

EXPORTED int brk(void *to)
{
	if (!next.brk && !find_next()) {
		errno = ENOMEM;
		return -1;
	}
	struct track_thread *self = wanted() && !is_allocators(CALLER) ? begin() : NULL;
	uint32_t site = self ? track_walk(self, FRAME, TRACK_DOMAIN_MAPPED) : 0;
	uintptr_t from = self ? (uintptr_t)next.sbrk(0) : 0;
	int result = next.brk(to);
	if (self && result == 0)
		moved(from, (uintptr_t)to, site);
	if (self)
		end(self);
	return result;
}

/* ---- for others ---- */

void track_mapped_init(void)
{
	void *function = track_next("malloc");
	uint32_t module = track_settings.mapped && function ? track_module_of((uintptr_t)function)
							    : TRACK_NO_MODULE;
	if (module != TRACK_NO_MODULE)
		allocator = (struct track_range){track_module_at(module)->start,
						 track_module_at(module)->end};
}

void track_mapped_disown(uintptr_t address)
{
	struct track_thread *self = address % PAGE == 0 && wanted() ? begin() : NULL;
	if (!self)
		return;
	const struct slot *slot = find(address, address + 1);
	if (slot && slot->start == address)
		forget(address, slot->end);
	end(self);
}

size_t track_mapped_read(struct track_mapped *out, size_t capacity)
{
	const struct slots *s = atomic_load_explicit(&current, memory_order_acquire);
	size_t count = 0;
	for (size_t i = 0; s && i < s->used; i++) {
		const struct slot *slot = &s->all[i];
		if (slot->start == 0 || slot->start >= slot->end)
			continue;
		if (count < capacity)
			out[count] = (struct track_mapped){
				{slot->start, slot->end - slot->start, slot->site}, slot->is_file};
		count++;
	}
	return count;
}
