/* Arrays of numbers, in memory or, once a graph has gone outside, in pages (pages.h). */
#ifndef LIBSNAP_GRAPH_NUMBERS_H
#define LIBSNAP_GRAPH_NUMBERS_H

#include "pages.h"

/* Numbers of rows or references; SNAP_GRAPH_NONE at first.  They must not be moved while open. */
struct numbers {
	struct snap_graph *graph; /* NULL: not open */
	bool wide;                /* 8 bytes each, not 4 */
	void *memory;             /* NULL: paged */
	uint64_t count;
	struct paged paged;
	struct numbers *next; /* of those of the graph */
	/* Not NULL: they are read from the index, one by one, and are not open otherwise. */
	uint64_t (*read)(struct snap_graph *, uint64_t index);
};

/* wide: any number; else up to those of rows and references of the graph. */
enum snap_status libsnap_numbers_open(struct numbers *, struct snap_graph *, uint64_t count,
				      bool wide, struct snap_error *error);
void libsnap_numbers_close(struct numbers *);
/* From memory into pages. */
enum snap_status libsnap_numbers_move(struct numbers *, struct snap_error *error);
/* Sorts the first numbers, of equal ones those that were first; room is for as many others. */
void libsnap_numbers_sort(struct numbers *, struct numbers *room, uint64_t count,
			  bool (*comes_after)(const void *context, uint64_t a, uint64_t b),
			  const void *context);

static inline bool libsnap_numbers_is_open(const struct numbers *numbers)
{
	return numbers->graph != NULL;
}

/* Reading moves pages, though it does not change the numbers. */
static inline uint64_t libsnap_numbers_get(const struct numbers *numbers, uint64_t index)
{
	if (numbers->read != NULL)
		return numbers->read(numbers->graph, index);
	if (numbers->memory == NULL)
		return libsnap_paged_number((struct paged *)&numbers->paged, index);
	if (numbers->wide)
		return ((const uint64_t *)numbers->memory)[index] - 1;
	return (uint64_t)((const uint32_t *)numbers->memory)[index] - 1;
}

static inline void libsnap_numbers_set(struct numbers *numbers, uint64_t index, uint64_t number)
{
	if (numbers->memory == NULL)
		libsnap_paged_set_number(&numbers->paged, index, number);
	else if (numbers->wide)
		((uint64_t *)numbers->memory)[index] = number + 1;
	else
		((uint32_t *)numbers->memory)[index] = (uint32_t)(number + 1);
}

#endif
