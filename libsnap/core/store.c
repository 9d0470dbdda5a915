/* Paged arrays, byte tapes and hash tables of ids, none of which moves what it holds. */
#include <string.h>

#include "store.h"

#define PAGE_BYTES 16384

void libsnap_pages_init(struct libsnap_pages *p, const struct snap_allocator *allocator,
			size_t element_size)
{
	*p = (struct libsnap_pages){.allocator = allocator, .element_size = element_size};
	while ((element_size << (p->shift + 1)) <= PAGE_BYTES)
		p->shift++;
}

void libsnap_pages_free(struct libsnap_pages *p)
{
	for (size_t i = 0; i < p->page_count; i++)
		libsnap_free(p->allocator, p->pages[i], (size_t)1 << p->shift, p->element_size);
	libsnap_free(p->allocator, p->pages, p->page_capacity, sizeof(*p->pages));
	libsnap_pages_init(p, p->allocator, p->element_size);
}

static bool add_page(struct libsnap_pages *p)
{
	uint8_t **pages = libsnap_grow(p->allocator, p->pages, &p->page_capacity, p->page_count + 1,
				       sizeof(*pages));
	if (!pages)
		return false;
	p->pages = pages;
	pages[p->page_count] =
		libsnap_alloc_zeroed(p->allocator, (size_t)1 << p->shift, p->element_size);
	if (!pages[p->page_count])
		return false;
	p->page_count++;
	return true;
}

void *libsnap_pages_add(struct libsnap_pages *p)
{
	if (p->count >> p->shift == p->page_count && !add_page(p))
		return NULL;
	return libsnap_pages_at(p, p->count++);
}

bool libsnap_pages_reach(struct libsnap_pages *p, uint64_t count)
{
	while (p->count < count)
		if (!libsnap_pages_add(p))
			return false;
	return true;
}

#define CHUNK_MIN 4096
#define CHUNK_MAX ((size_t)1 << LIBSNAP_TAPE_SHIFT)

void libsnap_tape_init(struct libsnap_tape *t, const struct snap_allocator *allocator)
{
	*t = (struct libsnap_tape){.allocator = allocator, .least = CHUNK_MIN};
}

void libsnap_tape_free(struct libsnap_tape *t)
{
	for (size_t i = 0; i < t->chunk_count; i++)
		libsnap_free(t->allocator, t->chunks[i].bytes, t->chunks[i].size, 1);
	libsnap_free(t->allocator, t->chunks, t->chunk_capacity, sizeof(*t->chunks));
	libsnap_tape_init(t, t->allocator);
}

/* Chunks grow with the tape, so that a small one stays small. */
static size_t next_chunk_size(const struct libsnap_tape *t, size_t needed)
{
	size_t size = t->least;
	while (size < CHUNK_MAX && size < t->memory_bytes / 8)
		size *= 2;
	while (size < CHUNK_MAX && size < needed)
		size *= 2;
	return size < needed ? needed : size;
}

uint8_t *libsnap_tape_add_chunk(struct libsnap_tape *t, size_t needed)
{
	struct libsnap_tape_chunk *chunks = libsnap_grow(
		t->allocator, t->chunks, &t->chunk_capacity, t->chunk_count + 1, sizeof(*chunks));
	if (!chunks)
		return NULL;
	t->chunks = chunks;
	size_t size = next_chunk_size(t, needed);
	uint8_t *bytes = libsnap_alloc(t->allocator, size, 1);
	if (!bytes)
		return NULL;
	/* A larger chunk than a position can reach into holds one piece only. */
	chunks[t->chunk_count++] = (struct libsnap_tape_chunk){.bytes = bytes, .size = size};
	t->memory_bytes += size;
	return bytes;
}

void libsnap_intern_init(struct libsnap_intern *t, const struct snap_allocator *allocator)
{
	*t = (struct libsnap_intern){.allocator = allocator};
}

void libsnap_intern_free(struct libsnap_intern *t)
{
	libsnap_free(t->allocator, t->slots, t->slot_count, sizeof(*t->slots));
	libsnap_intern_init(t, t->allocator);
}

uint32_t libsnap_intern_find(const struct libsnap_intern *t, uint32_t hash,
			     bool (*equal)(const void *context, uint32_t id), const void *context)
{
	if (t->slot_count == 0)
		return 0;
	for (size_t i = hash & (t->slot_count - 1);; i = (i + 1) & (t->slot_count - 1)) {
		struct libsnap_intern_slot slot = t->slots[i];
		if (slot.id == 0)
			return 0;
		if (slot.hash == hash && equal(context, slot.id))
			return slot.id;
	}
}

static void place(struct libsnap_intern_slot *slots, size_t slot_count,
		  struct libsnap_intern_slot slot)
{
	size_t i = slot.hash & (slot_count - 1);
	while (slots[i].id)
		i = (i + 1) & (slot_count - 1);
	slots[i] = slot;
}

static bool widen(struct libsnap_intern *t)
{
	size_t slot_count = t->slot_count ? t->slot_count * 2 : 64;
	struct libsnap_intern_slot *slots =
		libsnap_alloc_zeroed(t->allocator, slot_count, sizeof(*slots));
	if (!slots)
		return false;
	for (size_t i = 0; i < t->slot_count; i++)
		if (t->slots[i].id)
			place(slots, slot_count, t->slots[i]);
	libsnap_free(t->allocator, t->slots, t->slot_count, sizeof(*t->slots));
	t->slots = slots;
	t->slot_count = slot_count;
	return true;
}

uint32_t libsnap_intern_add(struct libsnap_intern *t, uint32_t hash)
{
	if (t->count >= UINT32_MAX - 1)
		return 0;
	if (((uint64_t)t->count + 1) * 4 > (uint64_t)t->slot_count * 3 && !widen(t))
		return 0;
	struct libsnap_intern_slot slot = {hash, ++t->count};
	place(t->slots, t->slot_count, slot);
	return slot.id;
}

static void merge(uint32_t *to, const uint32_t *a, size_t a_count, const uint32_t *b,
		  size_t b_count, bool (*before)(const void *context, uint32_t a, uint32_t b),
		  const void *context)
{
	while (a_count && b_count) {
		if (before(context, *b, *a)) {
			*to++ = *b++;
			b_count--;
		} else {
			*to++ = *a++;
			a_count--;
		}
	}
	memcpy(to, a, a_count * sizeof(*a));
	memcpy(to + a_count, b, b_count * sizeof(*b));
}

void libsnap_merge_sort(uint32_t *numbers, uint32_t *scratch, size_t count,
			bool (*before)(const void *context, uint32_t a, uint32_t b),
			const void *context)
{
	for (size_t width = 1; width < count; width *= 2) {
		for (size_t start = 0; start < count; start += 2 * width) {
			size_t left = count - start;
			size_t a = left < width ? left : width;
			size_t b = left - a < width ? left - a : width;
			merge(scratch + start, numbers + start, a, numbers + start + a, b, before,
			      context);
		}
		memcpy(numbers, scratch, count * sizeof(*numbers));
	}
}
