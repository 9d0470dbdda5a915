/* Sets of rows as bits, always in memory: an eighth of a byte for each row. */
#ifndef LIBSNAP_GRAPH_BITS_H
#define LIBSNAP_GRAPH_BITS_H

#include "core.h"

struct snap_graph;

static inline bool libsnap_has_bit(const uint64_t *bits, uint64_t row)
{
	return bits[row / 64] >> row % 64 & 1;
}

static inline void libsnap_set_bit(uint64_t *bits, uint64_t row)
{
	bits[row / 64] |= UINT64_C(1) << row % 64;
}

static inline void libsnap_clear_bit(uint64_t *bits, uint64_t row)
{
	bits[row / 64] &= ~(UINT64_C(1) << row % 64);
}

/* Zeros for all rows and the roots' node.  Free with the second. */
enum snap_status libsnap_bits_open(uint64_t **out, struct snap_graph *, struct snap_error *error);
void libsnap_bits_close(uint64_t *bits, struct snap_graph *);

/* A set from which the lowest are taken: above each word a bit says that it is not 0, and so on. */
#define FRONTIER_LEVELS 8
struct frontier {
	uint64_t *levels[FRONTIER_LEVELS]; /* of rows, of words of the level before ... */
	unsigned depth;
	uint64_t *memory;
	uint64_t words;
};
enum snap_status libsnap_frontier_open(struct frontier *, struct snap_graph *, uint64_t rows,
				       struct snap_error *error);
void libsnap_frontier_close(struct frontier *, struct snap_graph *);

static inline void libsnap_frontier_add(struct frontier *frontier, uint64_t row)
{
	for (unsigned i = 0; i < frontier->depth; i++, row /= 64) {
		uint64_t *word = &frontier->levels[i][row / 64], old = *word;
		*word |= UINT64_C(1) << row % 64;
		if (old != 0)
			return;
	}
}

/* Takes the lowest rows: those of the bits in *word, from *first on.  False: the set is empty. */
static inline bool libsnap_frontier_take(struct frontier *frontier, uint64_t *first, uint64_t *word)
{
	uint64_t at = 0;
	unsigned i = frontier->depth;
	if (frontier->levels[i - 1][0] == 0)
		return false;
	while (i-- > 1)
		at = at * 64 + (uint64_t)__builtin_ctzll(frontier->levels[i][at]);
	*first = at * 64;
	*word = frontier->levels[0][at];
	frontier->levels[0][at] = 0;
	for (i = 1; i < frontier->depth; i++, at /= 64) {
		frontier->levels[i][at / 64] &= ~(UINT64_C(1) << at % 64);
		if (frontier->levels[i][at / 64] != 0)
			break;
	}
	return true;
}

/* A set from which rows are taken in sweeps from the lowest to the highest, so that what is known
 * of neighbours is read together. */
struct sweeps {
	struct frontier above, below; /* of where the sweep is: for this one, and for the next */
	uint64_t at;                  /* the first row of the word taken last */
};
enum snap_status libsnap_sweeps_open(struct sweeps *, struct snap_graph *,
				     struct snap_error *error);
void libsnap_sweeps_close(struct sweeps *, struct snap_graph *);

static inline void libsnap_sweeps_add(struct sweeps *sweeps, uint64_t row)
{
	libsnap_frontier_add(row >= sweeps->at ? &sweeps->above : &sweeps->below, row);
}

/* As libsnap_frontier_take. */
static inline bool libsnap_sweeps_take(struct sweeps *sweeps, uint64_t *first, uint64_t *word)
{
	if (!libsnap_frontier_take(&sweeps->above, first, word)) {
		struct frontier empty = sweeps->above;
		sweeps->above = sweeps->below;
		sweeps->below = empty;
		if (!libsnap_frontier_take(&sweeps->above, first, word))
			return false;
	}
	sweeps->at = *first;
	return true;
}

#endif
