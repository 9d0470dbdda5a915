/* Arrays that need not fit into memory: pages in a common cache, the others in unlinked temporary
 * files, one an array. */
#ifndef LIBSNAP_GRAPH_PAGES_H
#define LIBSNAP_GRAPH_PAGES_H

#include "core.h"

struct snap_graph;
struct pages;

/* Places of pages that are not in the cache. */
#define PAGE_NEW    UINT32_MAX       /* zeros, which no file holds */
#define PAGE_STORED (UINT32_MAX - 1) /* in the file */

/* An array of 4-byte elements or, where wide, of 8-byte ones, that are zero at first. */
struct paged {
	struct pages *pages;
	bool wide;
	uint32_t *frames; /* where each page is in the cache */
	uint64_t page_count;
	unsigned shift; /* a page holds 1 << shift elements */
	void *file;     /* NULL: nothing was stored yet */
	struct paged *next;
};

enum { FRAME_USED = 1, FRAME_DIRTY = 2 };
struct frame {
	struct paged *array; /* NULL: free */
	uint64_t page;
	bool stored; /* the file holds the page, though perhaps not as it is now */
};

struct pages {
	struct snap_graph *graph;
	/* Of each frame, and of one that takes what cannot be had any more; all in one block. */
	uint8_t *memory, *state;
	struct frame *frames;
	uint32_t frame_count, hand, taken;
	unsigned page_shift;
	struct paged *arrays;
	enum snap_status failed; /* the first failure; from then on reads give zeros */
	struct snap_error error;
};

/* Makes a cache, without any memory as yet, that will have about so many bytes. */
enum snap_status libsnap_pages_open(struct pages **out, struct snap_graph *, uint64_t bytes,
				    struct snap_error *error);
void libsnap_pages_close(struct pages *); /* and all its arrays */
/* Puts what arrays hold into their files, and gives the cache that many bytes, or a few more where
 * these are too few.  One that could not be changed stays as large as it was. */
enum snap_status libsnap_pages_resize(struct pages *, uint64_t bytes, struct snap_error *error);
/* Gives back that many bytes and some more, if the cache has them. */
void libsnap_pages_shrink(struct pages *, uint64_t bytes);
uint64_t libsnap_pages_bytes(const struct pages *); /* of the cache */
/* SNAP_OK, or the first failure. */
enum snap_status libsnap_pages_check(const struct pages *, struct snap_error *error);

enum snap_status libsnap_paged_open(struct paged *, struct pages *, uint64_t count, bool wide,
				    struct snap_error *error);
void libsnap_paged_close(struct paged *);
/* Brings a page into the cache, and says to which frame. */
uint32_t libsnap_paged_fetch(struct paged *, uint64_t page);

static inline void *libsnap_paged_at(struct paged *array, uint64_t index, unsigned size_shift,
				     uint8_t state)
{
	struct pages *pages = array->pages;
	uint64_t page = index >> array->shift;
	/* After a failure numbers may be of nothing. */
	uint32_t frame = page < array->page_count ? array->frames[page] : PAGE_NEW;
	if (frame >= PAGE_STORED)
		frame = libsnap_paged_fetch(array, page);
	pages->state[frame] |= state;
	uint64_t within = index & ((UINT64_C(1) << array->shift) - 1);
	return pages->memory + ((uint64_t)frame << pages->page_shift) + (within << size_shift);
}

static inline uint64_t libsnap_paged_get(struct paged *array, uint64_t index)
{
	if (array->wide)
		return *(uint64_t *)libsnap_paged_at(array, index, 3, FRAME_USED);
	return *(uint32_t *)libsnap_paged_at(array, index, 2, FRAME_USED);
}

static inline void libsnap_paged_set(struct paged *array, uint64_t index, uint64_t value)
{
	if (array->wide)
		*(uint64_t *)libsnap_paged_at(array, index, 3, FRAME_USED | FRAME_DIRTY) = value;
	else
		*(uint32_t *)libsnap_paged_at(array, index, 2, FRAME_USED | FRAME_DIRTY) =
			(uint32_t)value;
}

/* Two elements side by side, those at 2 * index and after it. */
static inline void libsnap_paged_get_pair(struct paged *array, uint64_t index, uint64_t *first,
					  uint64_t *second)
{
	const void *at = libsnap_paged_at(array, 2 * index, array->wide ? 3 : 2, FRAME_USED);
	*first = array->wide ? ((const uint64_t *)at)[0] : ((const uint32_t *)at)[0];
	*second = array->wide ? ((const uint64_t *)at)[1] : ((const uint32_t *)at)[1];
}

static inline void libsnap_paged_set_pair(struct paged *array, uint64_t index, uint64_t first,
					  uint64_t second)
{
	void *at =
		libsnap_paged_at(array, 2 * index, array->wide ? 3 : 2, FRAME_USED | FRAME_DIRTY);
	if (array->wide) {
		((uint64_t *)at)[0] = first;
		((uint64_t *)at)[1] = second;
	} else {
		((uint32_t *)at)[0] = (uint32_t)first;
		((uint32_t *)at)[1] = (uint32_t)second;
	}
}

/* Numbers, of which NONE is stored as 0: what was not set yet is none. */
static inline uint64_t libsnap_paged_number(struct paged *array, uint64_t index)
{
	return libsnap_paged_get(array, index) - 1;
}

static inline void libsnap_paged_set_number(struct paged *array, uint64_t index, uint64_t number)
{
	libsnap_paged_set(array, index, number + 1);
}

#endif
