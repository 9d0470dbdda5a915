/* Inside the making of an index: what its files share (snap_index.h). */
#ifndef LIBSNAP_INDEX_H
#define LIBSNAP_INDEX_H

#include "kept_types.h"
#include "query.h"
#include "reader.h"
#include "snap_index.h"
#include "writer.h"

/* Stretches of rows and of references, and how many parts of all objects a map tells apart. */
#define STRETCH   65536u
#define MAP_WORDS 64u
#define MAP_PARTS (MAP_WORDS * 64u)
/* So many of the objects that retain most are kept, and one for 4,096 objects; and so many of the
 * largest owners. */
#define TOPS_KEPT   4096u
#define OWNERS_KEPT 4096u
/* The types of the first cycles, and of those of more objects, are
 * kept, as long as so many numbers are enough to count them. */
#define MEMBERS_OF  64u
#define MEMBERS_FEW 65536u
#define MEMBERS_MAX (UINT64_C(1) << 21)

struct top {
	uint32_t row;
	uint64_t retained;
	uint64_t largest, largest_bytes; /* of those right below it, + 1; 0: there is none */
};

struct making {
	const struct snap_index_options *options; /* NULL: no index */
	struct snap_reader *reader;
	struct snap_graph *graph;
	uint64_t left; /* of the memory, by the graph: for each question */
	uint64_t objects;
	struct snap_index_info old;
	uint8_t header[SNAPFMT_HEADER_MAX_SIZE];
	uint64_t facts[SNAP_FACT_COUNT];
	struct top *tops; /* those that retain most first */
	size_t top_count, top_capacity;
	struct libsnap_table_out classes, nodes, steps, roots, fields, owners, duplicates;
};

/* More classes, paths, fields or duplicates than this, and they are not
 * kept: answers would not come at once, and take room. */
static inline uint64_t libsnap_index_most(const struct making *making)
{
	return 4096 + making->objects / 64;
}

/* index_tree.c: classes of objects in the tree of dominators.  An object below
 * another one of its class adds nothing to any group: it has no node of its own. */
struct node {
	uint32_t parent, class; /* parent: + 1 */
};
#define AT_NODE ((uint32_t)1 << 31)

struct growing {
	struct making *making;
	struct side *side; /* group_of_row: classes, + 1; when it is grown nodes, + 1 and AT_NODE */
	struct interner nodes;
	struct libsnap_array open;          /* by class: objects of it on the way from the roots */
	struct libsnap_array retained;      /* by node */
	struct libsnap_array order, number; /* of nodes; by node its place in that order, + 1 */
	uint32_t at;                        /* the node of that way, + 1 */
	bool too_many;
	/* Instead, in the tree as one array: open is where the branch ends. */
	uint32_t place;
	struct libsnap_array ends; /* of the branches of the nodes on the way */
	uint64_t depth;
	enum snap_status status;
	struct snap_error *error;
};
/* SNAP_OK also where there are too many nodes. */
enum snap_status libsnap_index_grow(struct growing *, struct snap_error *);
/* The node of the class below the one that it is at; SNAP_END: there are too many. */
enum snap_status libsnap_index_enter(struct growing *, uint32_t class, uint64_t retained,
				     struct snap_error *);
/* Level by level, those below one in the order of their classes: however the tree was walked. */
enum snap_status libsnap_index_order(struct growing *, struct snap_error *);
/* In that order; the parent is a place in it, + 1. */
struct node libsnap_index_node(struct growing *, uint32_t place, uint32_t *number);
/* Of a number, a number + 1. */
uint32_t libsnap_index_parent(struct growing *, uint32_t number);
void libsnap_index_grown(struct growing *);

/* index_tops.c */
enum snap_status libsnap_index_write_tops(struct making *, struct snap_writer *);
/* index_classes.c */
enum snap_status libsnap_index_ask(struct making *, enum snap_key, struct classing *,
				   libsnap_harvest *, struct snap_error *);
enum snap_status libsnap_index_write_classes(struct making *, struct snap_writer *);
/* By group, the first row of it, + 1. */
enum snap_status libsnap_index_find_first(struct side *, struct libsnap_array *first,
					  struct snap_error *);
uint64_t libsnap_index_label(const struct tuple *step);
/* index_fields.c */
enum snap_status libsnap_index_write_fields(struct making *, struct snap_writer *);
/* index_duplicates.c */
enum snap_status libsnap_index_write_duplicates(struct making *, struct snap_writer *);
/* index_members.c */
enum snap_status libsnap_index_write_members(struct making *, struct snap_writer *);
/* index_maps.c */
enum snap_status libsnap_index_write_spans(struct making *, struct snap_writer *);
enum snap_status libsnap_index_write_maps(struct making *, struct snap_writer *);

#endif
