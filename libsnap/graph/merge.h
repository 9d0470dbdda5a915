/* Between the files that merge paths. */
#ifndef LIBSNAP_GRAPH_MERGE_H
#define LIBSNAP_GRAPH_MERGE_H

#include "array.h"
#include "graph.h"

struct snap_graph_ways {
	struct snap_graph *graph;
	struct marks on_way;
	/* By rank: the reference to each, or of root objects the string of the entry; the entry;
	 * while paths are merged the step, and how many foldings are in a row, times FOLD, and
	 * steps since the last. */
	struct numbers labels, kinds, entries, step, run;
	uint64_t unreached; /* of those wanted */
};

/* What tells the children of a step apart. */
struct step_key {
	uint64_t type, label; /* indexes are one label, keys another; of a root entry, a string */
	uint32_t kind;
};

/* A step while it is merged; 0 is above those of depth 0, and none. */
struct merged {
	uint32_t parent, first_child, last_child, next, child_count;
	uint32_t depth, repeats;
	uint32_t names, dictionary; /* merge_names.c */
	uint32_t number;            /* of the step after that of which it is part */
	struct step_key key;
	uint64_t shown; /* the label, as it is told */
	uint64_t example, objects, ends;
};

/* Children are listed in the order in which they were added; of many, those after the first few are
 * found by a table of all such, so that what belongs together mostly lies together. */
struct merge_tree {
	struct snap_graph_paths *paths;
	struct libsnap_array nodes, slots;
	unsigned bits; /* 1 << bits slots; 0: none */
	uint64_t slots_used;
	uint32_t depth; /* the largest */
};

struct snap_graph_paths {
	struct snap_graph *graph;
	/* The arrays have so much of the graph's memory, and move into files of their own beyond.
	 */
	uint64_t used, share;
	struct snap_allocator allocator;
	struct libsnap_arrays arrays;
	enum snap_status failed; /* why there was no memory */
	struct snap_error error;
	struct libsnap_array steps; /* of struct snap_graph_step */
	struct snap_graph_paths_info info;
};

/* ---- merge.c ---- */

struct merge_note;
struct merge {
	struct snap_graph *graph;
	struct snap_graph_ways *ways;
	const struct snap_graph_set *targets; /* NULL: the last one of order */
	struct numbers order;                 /* rows on the way, by distance */
	uint64_t count;                       /* of these */
	struct merge_tree tree;
	/* Not NULL: is called for all of them, in order. */
	enum snap_status (*note)(struct merge *, const struct merge_note *,
				 struct snap_error *error);
};
/* The step that a row became part of, the label as it is told, and its place in order. */
struct merge_note {
	uint64_t row, place, shown;
	uint32_t step, repeats;
	bool is_root;
};
/* Adds all rows to the tree. */
enum snap_status libsnap_merge_rows(struct merge *, struct snap_error *error);

/* ---- merge_tree.c ---- */

enum snap_status libsnap_merge_tree_open(struct merge_tree *, struct snap_graph_paths *,
					 struct snap_error *error);
void libsnap_merge_tree_close(struct merge_tree *);
/* The child of that key, which is added if there is none: then it has no objects. */
enum snap_status libsnap_merge_tree_add(struct merge_tree *, uint32_t parent,
					const struct step_key *key, uint32_t *child,
					struct snap_error *error);

static inline const struct merged *libsnap_merged_at(struct merge_tree *tree, uint32_t index)
{
	return libsnap_array_at(&tree->nodes, index);
}

static inline struct merged *libsnap_merged_edit(struct merge_tree *tree, uint32_t index)
{
	return libsnap_array_edit(&tree->nodes, index);
}

static inline bool libsnap_is_same_step(const struct step_key *a, const struct step_key *b)
{
	return a->type == b->type && a->label == b->label && a->kind == b->kind;
}

/* ---- merge_names.c ---- */

/* From a tree of steps to paths->steps, where the many names of a dictionary are one step: parents
 * first, the children of each one after the other as they were found.  Targets are not summed up.
 */
enum snap_status libsnap_graph_fold_names(struct merge_tree *, struct snap_error *error);

/* ---- merged.c ---- */

enum snap_status libsnap_paths_open(struct snap_graph_paths **out, struct snap_graph *,
				    struct snap_error *error);
/* Why an array could not grow. */
enum snap_status libsnap_paths_fail(const struct snap_graph_paths *, struct snap_error *error);
/* Sums up targets, and links children, those that lead to most targets first. */
enum snap_status libsnap_paths_link(struct snap_graph_paths *, struct snap_error *error);

/* ---- kept_types.c ---- */

/* SNAP_END: the index does not have them. */
enum snap_status libsnap_graph_kept_paths(struct snap_graph *, const struct snap_graph_set *,
					  struct snap_graph_paths **out, struct snap_error *error);

/* Indexes are one label, and keys are another. */
static inline uint64_t libsnap_graph_fold_label(uint64_t label)
{
	if (label % 4 == 1)
		return SNAP_GRAPH_ANY_INDEX;
	return label % 4 == 2 ? SNAP_GRAPH_ANY_KEY : label;
}

#endif
