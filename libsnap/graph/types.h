/* Between the files that find what is kept of types (kept_types.h). */
#ifndef LIBSNAP_GRAPH_TYPES_H
#define LIBSNAP_GRAPH_TYPES_H

#include "kept_types.h"
#include "merge.h"

/* So many types: a set of them is the bits of a number that is never SNAP_GRAPH_NONE. */
#define TYPES_KEPT 62

struct kept_type {
	uint32_t type; /* the first id with its name */
	uint64_t objects, unreached;
	uint64_t dominator; /* of all of them that are reached */
};

/* What is added up by up to three numbers, in the order in which it was met. */
struct tally {
	uint64_t key[3];
	uint64_t count, bytes, first, exact, place;
	uint32_t repeats;
};
struct tallies {
	struct tally *items;
	uint32_t *slots; /* index + 1; a power of two of them, more than twice the items */
	size_t count, capacity, slot_count;
};

struct types {
	struct snap_graph *graph;
	struct kept_type kept[TYPES_KEPT]; /* those of most objects first */
	uint32_t count;
	uint8_t *place_of_type, *place_of_row; /* + 1; 0: not kept */
	struct merge merge;
	struct snap_graph_paths *paths;
	struct numbers masks; /* by row, the types below or above it */
	struct tallies steps; /* by step and mask */
	struct tallies freed; /* by mask and type */
	struct tallies holders;
	bool too_many, too_many_steps; /* to be kept: then nothing is, or no steps are */
};

/* So many rows are kept in all, and so many of a kind are added up for them at most. */
static inline uint64_t libsnap_types_most(const struct types *types)
{
	return 4096 + types->graph->objects / 64;
}

static inline uint64_t libsnap_types_mask(const struct types *types, uint64_t row)
{
	uint64_t mask = libsnap_numbers_get(&types->masks, row);
	return mask != SNAP_GRAPH_NONE ? mask : 0;
}
static inline uint64_t libsnap_types_own(const struct types *types, uint64_t row)
{
	uint8_t place = types->place_of_row[row];
	return place != 0 ? UINT64_C(1) << (place - 1) : 0;
}

/* ---- tallies.c ---- */

/* The one with that key, made with a count of 0 if there is none; until the next call. */
enum snap_status libsnap_tally(struct snap_graph *, struct tallies *, const uint64_t key[3],
			       struct tally **out, struct snap_error *error);
void libsnap_tallies_free(struct snap_graph *, struct tallies *);
/* By place; they are not looked for after that. */
void libsnap_tallies_sort(struct tallies *);

/* ---- types_paths.c ---- */

/* Opens masks and merge.order, of all rows that are reached, by distance. */
enum snap_status libsnap_types_order(struct types *, struct snap_error *error);
/* Tallies the steps of paths to all types. */
enum snap_status libsnap_types_merge(struct types *, struct snap_error *error);
/* The steps to one type: the caller closes *out. */
enum snap_status libsnap_types_steps(struct types *, uint32_t place, struct snap_graph_paths **out,
				     struct snap_error *error);

/* ---- types_parts.c ---- */

enum snap_status libsnap_types_find_holders(struct types *, struct snap_error *error);
enum snap_status libsnap_types_find_freed(struct types *, struct snap_error *error);
enum snap_status libsnap_types_find_dominators(struct types *, struct snap_error *error);

#endif
