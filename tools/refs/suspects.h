/* Inside snap-refs: what --suspects finds, and what it says of it. */
#ifndef SUSPECTS_H
#define SUSPECTS_H

#include "refs.h"

struct suspect {
	uint64_t row, type; /* the object, or the first of many */
	/* that nothing but the roots together hold: of one type, or without one of one site */
	bool is_many;
	/* Many that hold less than half of all are told after the others:
	 * modules and classes, which a program needs, are such. */
	bool is_later;
	uint64_t site; /* of many, else 0 */
	uint64_t count, retained;
	uint64_t bytes; /* retained, but not by other suspects */
};

struct suspects {
	struct suspect *items; /* those for later last, then most bytes first */
	size_t count;
	uint64_t percent;
	uint64_t objects, bytes; /* reached */
	/* by row: the number, from 1, of the suspect that holds it; 0: none */
	struct snap_graph_numbers *owner;
};

struct tops;

/* Among the tops of an index, unless that is NULL: false if they are not enough, or one that is
 * shown is many. */
bool refs_find_suspects(struct refs *, uint64_t percent, const struct tops *, struct suspects *out);

/* Where a row without a type was allocated, as of suspects
 * that are many; 0: it has a type, or nowhere. */
uint64_t refs_suspect_site(struct refs *, uint64_t row);

/* What is told of them.  kind: the suspect's number. */
struct suspect_parts {
	struct refs_groups children, held;
};
/* Of the first so many suspects. */
void refs_read_suspect_parts(const struct tops *, const struct suspects *, size_t shown,
			     struct suspect_parts *out);
size_t refs_suspects_shown(const struct refs *, const struct suspects *);

#endif
