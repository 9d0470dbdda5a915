/* Inside snap-refs: the objects that retain most, and what hangs on
 * them, from the index of a snapshot (FORMAT.md, section 7.5). */
#ifndef TOPS_H
#define TOPS_H

#include "refs.h"
#include "snap_index.h"

#define TOPS_NONE SIZE_MAX

struct top {
	uint64_t row, retained, dominator, largest; /* rows; or SNAP_GRAPH_NONE */
	size_t above;                               /* the top that dominates it, or TOPS_NONE */
};

/* All objects that retain `least` bytes or more, most first, then by row. */
struct tops {
	struct refs *refs;
	struct top *items;
	size_t *by_row;
	size_t count, capacity;
	uint64_t least;
	uint64_t reached_objects, reached_bytes;
};

/* False: there is no index that may be used.  To be freed in every case. */
bool tops_load(struct tops *, struct refs *);
void tops_free(struct tops *);
/* TOPS_NONE: it is none. */
size_t tops_find(const struct tops *, uint64_t row);

/* Groups that are added up in the order of their first rows, as if all rows had been looked at. */
struct top_groups {
	struct refs_group *items;
	size_t count, capacity;
};
void tops_add_group(struct top_groups *, struct refs_group);
/* Adds them to groups, and frees them. */
void tops_end_groups(struct top_groups *, struct refs_groups *);

struct top_part {
	size_t top; /* TOPS_NONE: what hangs on nothing but the roots together */
	enum snap_top_part kind;
	uint64_t type, stack, objects, count, bytes, first;
};
/* False: the index has no parts. */
bool tops_each_part(const struct tops *, void (*take)(void *context, const struct top_part *),
		    void *context);

#endif
