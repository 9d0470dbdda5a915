/* Arrays that are in memory while there is room, and then in pages of unlinked temporary files,
 * with a cache of those used last.  All arrays of one owner move together, once. */
#ifndef LIBSNAP_ARRAY_H
#define LIBSNAP_ARRAY_H

#include "core.h"

#define LIBSNAP_ARRAY_PAGE 4096

struct libsnap_array_frame {
	struct libsnap_array *array; /* NULL: free */
	uint64_t page;
	/* stored: the file has the page, though perhaps not as it is now */
	bool stored, used, dirty;
};

struct libsnap_arrays {
	const struct snap_allocator *allocator;
	const struct snap_io *io;
	const char *folder;
	size_t cache_bytes; /* to be used when they move out, as the owner says by then */
	bool outside;
	/* While an array grows in memory, the allocator
	 * says by these that the limit is in the way. */
	bool growing, refused;
	struct libsnap_array *first;
	struct libsnap_array_frame *frames;
	uint8_t *memory; /* of the frames */
	size_t frame_count, taken, hand;
	/* The first failure: from then on, what is outside reads as zeros, and keeps nothing. */
	enum snap_status failed;
	struct snap_error error;
	union {
		uint8_t bytes[LIBSNAP_ARRAY_PAGE];
		uint64_t aligned;
	} lost;
};

struct libsnap_array {
	struct libsnap_arrays *owner; /* NULL: there is none */
	struct libsnap_array *next;
	uint8_t *memory;  /* of all elements, or NULL: they are outside */
	uint32_t *places; /* of pages that are outside */
	void *file;
	size_t element_size, per_page;
	uint64_t count, capacity; /* elements; outside, capacity counts places */
};

void libsnap_arrays_init(struct libsnap_arrays *, const struct snap_allocator *allocator,
			 const struct snap_io *io, const char *folder);
/* Frees the cache; the arrays have ended. */
void libsnap_arrays_end(struct libsnap_arrays *);
/* Makes room.  What fails is kept, and told by _check. */
void libsnap_arrays_move_out(struct libsnap_arrays *);
enum snap_status libsnap_arrays_check(const struct libsnap_arrays *, struct snap_error *error);

/* Without elements and without memory. */
void libsnap_array_begin(struct libsnap_array *, struct libsnap_arrays *, size_t element_size);
/* Does nothing if it was not begun, or has ended. */
void libsnap_array_end(struct libsnap_array *);
/* Ends array, and makes it what from was. */
void libsnap_array_replace(struct libsnap_array *array, struct libsnap_array *from);
/* Elements of zeros until there are count.  False: out of memory, or over the allocator's limit. */
bool libsnap_array_reach(struct libsnap_array *, uint64_t count);
uint8_t *libsnap_array_fetch(struct libsnap_array *, uint64_t index, bool changes);
bool libsnap_array_add_slowly(struct libsnap_array *, const void *element);
/* In pieces, as bytes may lie in several pages. */
void libsnap_array_read(struct libsnap_array *, uint64_t first, size_t count, void *to);
void libsnap_array_write(struct libsnap_array *, uint64_t first, size_t count, const void *from);
bool libsnap_array_equals(struct libsnap_array *, uint64_t first, size_t count, const void *other);

/* One element, to look at or to change, until the next call for any array of the owner, or the next
 * allocation. */
static inline const void *libsnap_array_at(struct libsnap_array *array, uint64_t index)
{
	if (__builtin_expect(array->memory != NULL, 1))
		return array->memory + index * array->element_size;
	return libsnap_array_fetch(array, index, false);
}

static inline void *libsnap_array_edit(struct libsnap_array *array, uint64_t index)
{
	if (__builtin_expect(array->memory != NULL, 1))
		return array->memory + index * array->element_size;
	return libsnap_array_fetch(array, index, true);
}

/* That element will be asked for. */
static inline void libsnap_array_expect(const struct libsnap_array *array, uint64_t index)
{
	if (array->memory)
		__builtin_prefetch(array->memory + index * array->element_size);
}

/* One more at the end.  False: as _reach. */
static inline bool libsnap_array_add(struct libsnap_array *array, const void *element)
{
	if (!array->memory || array->count >= array->capacity)
		return libsnap_array_add_slowly(array, element);
	__builtin_memcpy(array->memory + array->count++ * array->element_size, element,
			 array->element_size);
	return true;
}

static inline uint32_t libsnap_array_get32(struct libsnap_array *array, uint64_t index)
{
	return *(const uint32_t *)libsnap_array_at(array, index);
}

static inline void libsnap_array_set32(struct libsnap_array *array, uint64_t index, uint32_t value)
{
	*(uint32_t *)libsnap_array_edit(array, index) = value;
}

static inline uint64_t libsnap_array_get64(struct libsnap_array *array, uint64_t index)
{
	return *(const uint64_t *)libsnap_array_at(array, index);
}

static inline void libsnap_array_set64(struct libsnap_array *array, uint64_t index, uint64_t value)
{
	*(uint64_t *)libsnap_array_edit(array, index) = value;
}

/* Sets of rows: 64 bits in each element. */
static inline bool libsnap_array_has_bit(struct libsnap_array *array, uint64_t row)
{
	return libsnap_array_get64(array, row / 64) >> row % 64 & 1;
}

static inline void libsnap_array_set_bit(struct libsnap_array *array, uint64_t row)
{
	*(uint64_t *)libsnap_array_edit(array, row / 64) |= UINT64_C(1) << row % 64;
}

static inline void libsnap_array_clear_bit(struct libsnap_array *array, uint64_t row)
{
	*(uint64_t *)libsnap_array_edit(array, row / 64) &= ~(UINT64_C(1) << row % 64);
}

#endif
