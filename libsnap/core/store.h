/* What the writer keeps its names and its log in: paged arrays, byte tapes and hash tables of ids,
 * none of which moves what it holds. */
#ifndef LIBSNAP_STORE_H
#define LIBSNAP_STORE_H

#include "core.h"

/* ---- an array in pages ---- */

struct libsnap_pages {
	const struct snap_allocator *allocator;
	uint8_t **pages;
	size_t page_count, page_capacity;
	uint64_t count;
	size_t element_size;
	unsigned shift; /* of elements per page */
};

void libsnap_pages_init(struct libsnap_pages *, const struct snap_allocator *allocator,
			size_t element_size);
void libsnap_pages_free(struct libsnap_pages *);
/* A new element of zeros at the end, or NULL. */
void *libsnap_pages_add(struct libsnap_pages *);
/* Elements of zeros until there are count. */
bool libsnap_pages_reach(struct libsnap_pages *, uint64_t count);

static inline void *libsnap_pages_at(const struct libsnap_pages *p, uint64_t index)
{
	uint64_t in_page = index & (((uint64_t)1 << p->shift) - 1);
	return p->pages[index >> p->shift] + in_page * p->element_size;
}

/* ---- a tape of bytes ---- */

#define LIBSNAP_TAPE_SHIFT 20 /* a position is a chunk's number and a place in it */
#define LIBSNAP_TAPE_LAST  (((size_t)1 << LIBSNAP_TAPE_SHIFT) - 32) /* no piece begins after it */

struct libsnap_tape_chunk {
	uint8_t *bytes;
	size_t size, used;
};

struct libsnap_tape {
	const struct snap_allocator *allocator;
	struct libsnap_tape_chunk *chunks;
	size_t chunk_count, chunk_capacity, least; /* least: bytes of the first chunk */
	uint64_t memory_bytes;
};

void libsnap_tape_init(struct libsnap_tape *, const struct snap_allocator *allocator);
void libsnap_tape_free(struct libsnap_tape *);
uint8_t *libsnap_tape_add_chunk(struct libsnap_tape *, size_t size);

/* Room for size bytes in one piece, or NULL; taken with libsnap_tape_commit() of as many or fewer.
 */
static inline uint8_t *libsnap_tape_room(struct libsnap_tape *t, size_t size)
{
	if (t->chunk_count > 0) {
		struct libsnap_tape_chunk *last = &t->chunks[t->chunk_count - 1];
		if (last->size - last->used >= size && last->used < LIBSNAP_TAPE_LAST)
			return last->bytes + last->used;
	}
	return libsnap_tape_add_chunk(t, size);
}

static inline uint64_t libsnap_tape_commit(struct libsnap_tape *t, size_t size)
{
	struct libsnap_tape_chunk *last = &t->chunks[t->chunk_count - 1];
	uint64_t position = (uint64_t)(t->chunk_count - 1) << LIBSNAP_TAPE_SHIFT | last->used;
	last->used += size;
	return position;
}

static inline uint8_t *libsnap_tape_at(const struct libsnap_tape *t, uint64_t position)
{
	size_t place = (size_t)(position & ((1u << LIBSNAP_TAPE_SHIFT) - 1));
	return t->chunks[position >> LIBSNAP_TAPE_SHIFT].bytes + place;
}

/* ---- ids by hash ---- */

struct libsnap_intern_slot {
	uint32_t hash, id; /* id: 0 where free */
};

struct libsnap_intern {
	const struct snap_allocator *allocator;
	struct libsnap_intern_slot *slots;
	size_t slot_count; /* a power of two, or 0 */
	uint32_t count;
};

void libsnap_intern_init(struct libsnap_intern *, const struct snap_allocator *allocator);
void libsnap_intern_free(struct libsnap_intern *);
static inline void libsnap_intern_prefetch(const struct libsnap_intern *t, uint32_t hash)
{
	if (t->slot_count > 0)
		__builtin_prefetch(&t->slots[hash & (t->slot_count - 1)]);
}
/* An id with that hash, if one lies where it is looked for first; or 0. */
static inline uint32_t libsnap_intern_guess(const struct libsnap_intern *t, uint32_t hash)
{
	if (t->slot_count == 0)
		return 0;
	struct libsnap_intern_slot slot = t->slots[hash & (t->slot_count - 1)];
	return slot.hash == hash ? slot.id : 0;
}
/* The id of which equal(context, id) is true, among those added with that hash; or 0. */
uint32_t libsnap_intern_find(const struct libsnap_intern *, uint32_t hash,
			     bool (*equal)(const void *context, uint32_t id), const void *context);
/* The next id, 1, 2, 3 ..., or 0 when out of memory. */
uint32_t libsnap_intern_add(struct libsnap_intern *, uint32_t hash);

/* ---- varints in memory that is known to be sound ---- */

#define LIBSNAP_VARINT_MAX 10

static inline uint8_t *libsnap_put(uint8_t *at, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		*at++ = (uint8_t)(value | 0x80);
	*at++ = (uint8_t)value;
	return at;
}

static inline uint64_t libsnap_get(const uint8_t **at)
{
	uint64_t value = *(*at)++;
	if (value < 0x80)
		return value;
	value &= 0x7f;
	for (unsigned shift = 7;; shift += 7) {
		uint64_t byte = *(*at)++;
		value |= (byte & 0x7f) << shift;
		if (byte < 0x80)
			return value;
	}
}

/* Sorts count numbers so that before(context, a, b) holds or the order was so; scratch has count.
 */
void libsnap_merge_sort(uint32_t *numbers, uint32_t *scratch, size_t count,
			bool (*before)(const void *context, uint32_t a, uint32_t b),
			const void *context);

#endif
