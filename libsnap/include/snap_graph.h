/* libsnap: who holds what.  Questions asked of the references
 * of a snapshot (FORMAT.md, sections 7.2 and 7.3).
 *
 * Objects are named by their row; SNAP_GRAPH_NONE is no row.  A graph is opened from a reader,
 * which must stay open as long; then each question is prepared by one call (which does the
 * work, and may fail), and answered row by row.  What has no room in max_memory_bytes lies in
 * temporary files, and the answers are the same: then ask in order of rows where you can, and
 * snap_graph_check whether all answers could be read.  SNAP_LIMIT: not even the least fits,
 * which is about a byte for each object, and what describes shapes and types.
 *
 * Only references that hold are followed (kinds below SNAP_REF_FIRST_WEAK), unless the
 * options say otherwise.  Contract for memory, threads, safety and errors: snap.h. */
#ifndef SNAP_GRAPH_H
#define SNAP_GRAPH_H

#include "snap.h"

#ifdef __cplusplus
extern "C" {
#endif

#define SNAP_GRAPH_NONE UINT64_MAX
#define SNAP_GRAPH_NO_GROUP UINT32_MAX

#define SNAP_GRAPH_DEFAULT_MEMORY ((uint64_t)2 << 30)

struct snap_graph;

/* Append members only at the end. */
struct snap_graph_options {
	size_t struct_size;        /* set by SNAP_GRAPH_OPTIONS_INIT */
	uint64_t max_memory_bytes; /* of the graph and one question at a time; 0: the default */
	bool follow_weak;          /* references that do not hold are followed too */
	const struct snap_allocator *allocator; /* NULL: malloc */
	/* Told now and then how far a long step is; may be NULL. */
	void (*progress)(void *context, const char *what, uint64_t done, uint64_t total);
	void *progress_context;
	/* Where unlinked files are kept that hold what has
	 * no room in memory; NULL: $TMPDIR, else /tmp. */
	const char *temporary_folder;
	const struct snap_io *io; /* NULL: the system's */
	bool ignore_index; /* find everything anew, even if the snapshot has an index */
	/* for snap_graph_branches: dominators keep 8 bytes more for each object */
	bool branches;
	/* That may run, the caller's among them; 0: 1.  With 2, a thread of the library's
	 * helps some calls, if the process may use two processors.  It blocks all signals,
	 * calls neither allocator nor io, and is gone when the call returns.  The answers are
	 * the same.  More than 2 are as 2. */
	unsigned threads;
};
#define SNAP_GRAPH_OPTIONS_INIT { .struct_size = sizeof(struct snap_graph_options) }

/* Loads the references: about 4 bytes for each, and 4 for each object.
 * A snapshot without references gives a graph without edges. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_open(struct snap_graph **out, struct snap_reader *,
		const struct snap_graph_options *options,
		struct snap_error *error);
SNAP_API void snap_graph_close(struct snap_graph *);

struct snap_graph_info {
	uint64_t objects;         /* rows */
	uint64_t references;      /* that are followed */
	uint64_t roots;           /* entries of the table of roots */
	uint64_t lost_references; /* could not be read: only with a partial reader */
	uint64_t memory_bytes, peak_memory_bytes;
};
SNAP_API void snap_graph_info(const struct snap_graph *, struct snap_graph_info *out);

/* What questions would take, from the numbers of rows alone. */
struct snap_graph_estimate {
	uint64_t memory_bytes; /* with so many, nothing goes into files */
	uint64_t least_bytes;  /* with fewer than about so many, answers are SNAP_LIMIT */
	/* of temporary files, at most, where there is less than memory_bytes */
	uint64_t file_bytes;
};
SNAP_API void snap_graph_estimate(struct snap_reader *, struct snap_graph_estimate *out);

/* SNAP_OK, or why answers could not be read from temporary files since the graph was opened. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_check(const struct snap_graph *, struct snap_error *error);

/* ---- sets, numbers and memory for callers, counted with the graph's: close them before it ---- */

struct snap_graph_set; /* of rows */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_set_open(struct snap_graph_set **out, struct snap_graph *, struct snap_error *error);
SNAP_API void snap_graph_set_close(struct snap_graph_set *);
/* false: there is no such row */
SNAP_API bool snap_graph_set_add(struct snap_graph_set *, uint64_t row);
/* All objects of a type id; false: there are none. */
SNAP_API bool snap_graph_set_add_type(struct snap_graph_set *, uint64_t type);
SNAP_API bool snap_graph_set_has(const struct snap_graph_set *, uint64_t row);
SNAP_API uint64_t snap_graph_set_count(const struct snap_graph_set *);
/* The lowest from row on; SNAP_GRAPH_NONE: there is none. */
SNAP_API uint64_t snap_graph_set_next(const struct snap_graph_set *, uint64_t row);

/* So many numbers up to `largest`; SNAP_GRAPH_NONE at first,
 * and beyond the last.  They may lie in temporary files. */
struct snap_graph_numbers;
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_numbers_open(struct snap_graph_numbers **out, struct snap_graph *, uint64_t count,
			uint64_t largest,
			struct snap_error *error);
SNAP_API void snap_graph_numbers_close(struct snap_graph_numbers *);
SNAP_API uint64_t snap_graph_numbers_get(const struct snap_graph_numbers *, uint64_t index);
SNAP_API void snap_graph_numbers_set(struct snap_graph_numbers *, uint64_t index, uint64_t number);
/* Sorts the first of them, of equal ones those that were first. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_numbers_sort(struct snap_graph_numbers *, uint64_t count,
			bool (*comes_after)(const void *context, uint64_t a, uint64_t b),
			const void *context,
			struct snap_error *error);

/* Gives memory while max_memory_bytes has room for it. */
SNAP_API struct snap_allocator snap_graph_allocator(struct snap_graph *);

/* ---- objects ---- */

struct snap_graph_object {
	/* ids; type may be 0; shape too, where a partial reader lost it */
	uint64_t row, shape, type;
	enum snap_type_kind kind;
	uint64_t address, size, count;
	uint64_t bytes; /* size * count, UINT64_MAX if that is beyond 64 bits */
};
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_object(struct snap_graph *, uint64_t row, struct snap_graph_object *out,
		  struct snap_error *error);

/* Reads what is told of the objects of a set and what they are called, in the order of the file:
 * quicker, where it is asked for in another order.  Forgets those of the call before. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_read_objects(struct snap_graph *, const struct snap_graph_set *,
			struct snap_error *error);

/* What the producer calls this one object ("" if nothing): a class, a function, a module.
 * Valid until the next call of this, of snap_graph_type_name or of snap_reader_string. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_object_name(struct snap_graph *, uint64_t row, const char **bytes, size_t *size,
		       struct snap_error *error);

/* The name of a type id; 0 gives "".  Valid until
 * the next call of this or of snap_reader_string. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_type_name(struct snap_graph *, uint64_t type, const char **bytes, size_t *size,
		     struct snap_error *error);

/* The type id of a row (0: none), from memory. */
SNAP_API uint64_t snap_graph_type(const struct snap_graph *, uint64_t row);
/* The same, and up to which row, this one not, others certainly have it, too. */
SNAP_API uint64_t snap_graph_type_until(const struct snap_graph *, uint64_t row, uint64_t *end);

/* The row with that address: reads the whole column.  SNAP_END: there is none. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_find_address(struct snap_graph *, uint64_t address, uint64_t *row,
			struct snap_error *error);

/* ---- references ---- */

struct snap_graph_reference {
	/* SNAP_GRAPH_NONE: the reference is the root entry with that number in `label` */
	uint64_t owner;
	uint64_t target;
	uint64_t label;  /* SNAP_LABEL_... */
	uint32_t kind;   /* enum snap_reference_kind, or a newer one */
};

/* Returns true to go on.  May call nothing that changes the graph. */
typedef bool snap_graph_visit(void *context, const struct snap_graph_reference *);

/* What row refers to: all kinds, in the order of the file. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_owned(struct snap_graph *, uint64_t row, snap_graph_visit *visit, void *context,
		 struct snap_error *error);

/* Who refers to row, by references that are followed; owners ascend.  Root entries
 * are not told: see snap_graph_roots.  The first call builds the reversed graph. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_owners(struct snap_graph *, uint64_t row, snap_graph_visit *visit, void *context,
		  struct snap_error *error);

/* All references of all kinds, run by run as they lie
 * in the file: for questions about many objects. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_references(struct snap_graph *, snap_graph_visit *visit, void *context,
		      struct snap_error *error);

/* The references of all kinds to rows of a set, in the same order.  The index of the snapshot,
 * if it has one, says where to look.  SNAP_CORRUPT where a partial reader lost references. */
struct snap_graph_set;
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_references_to(struct snap_graph *, const struct snap_graph_set *,
			 snap_graph_visit *visit, void *context,
			 struct snap_error *error);

/* All root entries, in table order; owner is SNAP_GRAPH_NONE,
 * label the entry's number from 0, kind its root kind. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_roots(struct snap_graph *, snap_graph_visit *visit, void *context,
		 struct snap_error *error);

/* A label for people: name, [index], {type address} of a key, or
 * nothing.  Raw bytes.  Valid until the next call of this. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_label_text(struct snap_graph *, uint64_t label, const char **bytes, size_t *size,
		      struct snap_error *error);

/* A root entry for people: its label, or else the name of its kind; UINT32_MAX, an
 * entry that a partial reader lost, is unknown.  Valid until the next call of this. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_root_text(struct snap_graph *, uint64_t root, const char **bytes, size_t *size,
		     struct snap_error *error);

/* The registry's word for a kind ("field", "weak"; "static",
 * "global"); NULL for one that is not known.  Static. */
SNAP_API const char *snap_reference_kind_name(uint32_t kind);
SNAP_API const char *snap_root_kind_name(uint32_t kind);

/* ---- shortest paths ---- */

/* Searches breadth first from all roots.  Once is enough; later calls do nothing. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_search(struct snap_graph *, struct snap_error *error);

/* References between a root object and row: 0 for a root
 * object itself, SNAP_GRAPH_NONE if no root reaches it. */
SNAP_API uint64_t snap_graph_distance(const struct snap_graph *, uint64_t row);
/* Whether it has one: with an index that is less to read. */
SNAP_API bool snap_graph_is_reached(const struct snap_graph *, uint64_t row);
/* The row before it on the path found: of those at the distance before,
 * the root object of the first entry if they are root objects, else the
 * lowest; SNAP_GRAPH_NONE for root objects and what is not reached. */
SNAP_API uint64_t snap_graph_parent(const struct snap_graph *, uint64_t row);

/* The steps of one shortest path, from the root entry
 * to row, labelled.  SNAP_END: no root reaches it. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_path(struct snap_graph *, uint64_t row, snap_graph_visit *visit, void *context,
		struct snap_error *error);

/* A tree of merged paths: steps with the same type and label below the same step
 * are one.  Index and key labels count as the same.  A step that repeats one of the
 * four before it is folded into that one.  Then the steps to one type below the
 * same step become one where they differ in their names only, these are more than
 * SNAP_GRAPH_FEW_NAMES, and a name stands for fewer than two objects on average: so
 * the keys of a dictionary are one step, and the fields of a class stay apart. */
#define SNAP_GRAPH_FEW_NAMES 8
struct snap_graph_step {
	uint32_t parent, first_child, next; /* indexes of steps; UINT32_MAX: none */
	uint32_t depth;      /* 0: a root entry's object */
	uint64_t type;       /* of the object stepped on */
	/* of the reference; at depth 0 the number of the first such root entry */
	uint64_t label;
	uint32_t kind;       /* of the reference; at depth 0 the root kind */
	uint32_t repeats;    /* the longest row of foldings; 1: not folded */
	uint64_t example;    /* the first row that was merged into it */
	uint64_t objects;    /* rows merged into it */
	uint64_t ends;       /* targets among them */
	uint64_t through;    /* targets here or below */
	uint32_t names;      /* merged into it, where label is SNAP_GRAPH_ANY_NAME; else 1 */
};
/* Label of a step into which several indexes, keys or names may have been merged. */
#define SNAP_GRAPH_ANY_INDEX SNAP_LABEL_INDEX(UINT64_MAX / 4)
#define SNAP_GRAPH_ANY_KEY SNAP_LABEL_OBJECT(UINT64_MAX / 4)
#define SNAP_GRAPH_ANY_NAME SNAP_LABEL_STRING(UINT64_MAX / 4)

/* The tree: in memory or, where the graph's has no room for it, in temporary files. */
struct snap_graph_paths;
struct snap_graph_paths_info {
	uint32_t count;     /* steps: parents first */
	/* of depth 0; UINT32_MAX: none.  Siblings come by targets, most first */
	uint32_t first;
	uint64_t unreached; /* targets that no root reaches */
};
/* Needs snap_graph_search.  Close paths and ways before the graph. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_merge_paths(struct snap_graph *, const struct snap_graph_set *targets,
		       struct snap_graph_paths **out,
		       struct snap_error *error);
/* The same for one object after the other, without looking for all references each time. */
struct snap_graph_ways;
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_ways_open(struct snap_graph_ways **out, struct snap_graph *,
		     const struct snap_graph_set *targets,
		     struct snap_error *error);
/* As snap_graph_merge_paths of row alone: of a target, or an object on a path to one. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_ways_path(struct snap_graph_ways *, uint64_t row, struct snap_graph_paths **out,
		     struct snap_error *error);
SNAP_API void snap_graph_ways_close(struct snap_graph_ways *);
SNAP_API void snap_graph_paths_close(struct snap_graph_paths *);
SNAP_API void snap_graph_paths_info(const struct snap_graph_paths *,
				    struct snap_graph_paths_info *out);
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_paths_step(struct snap_graph_paths *, uint32_t index, struct snap_graph_step *out,
		      struct snap_error *error);

/* ---- which root it belongs to ---- */

/* An object belongs to the root entry at which its shortest path begins (snap_graph_parent),
 * the first in table order of those of one object; entries of the same kind and label are one
 * group.  An object of a synthetic type starts a group of its own below the one that reached
 * it: "(GC roots)" -> "(GC roots)/(Strong roots)".  Searches, if that was not done. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_attribute_roots(struct snap_graph *, struct snap_error *error);

struct snap_graph_group {
	uint32_t kind;      /* enum snap_root_kind of the root entry */
	const char *label;  /* raw bytes, as long as the graph lives */
	size_t label_size;
	/* What the label is made of: that of the group above and
	 * the name of a type, or the string of the root entry. */
	uint32_t above;     /* an earlier group, or SNAP_GRAPH_NO_GROUP */
	uint64_t type, string; /* ids; string may be 0 */
};
SNAP_API uint32_t snap_graph_group_count(const struct snap_graph *);
SNAP_API void snap_graph_group(const struct snap_graph *, uint32_t index,
			       struct snap_graph_group *out);
/* The group of a row; SNAP_GRAPH_NO_GROUP: no root reaches it. */
SNAP_API uint32_t snap_graph_group_of(const struct snap_graph *, uint64_t row);

/* ---- dominators ---- */

/* Finds for every object the one through which all paths from the roots
 * to it pass: in 40 bytes for each and 4 for each reference, or less. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_dominate(struct snap_graph *, struct snap_error *error);

/* The same for one row and its dominators alone, by a search in 5 bytes for each
 * object: of others, snap_graph_dominator and snap_graph_retained know nothing
 * then, and this row's are forgotten with the next one.  Does nothing where
 * dominators were found or an index has them.  Needs snap_graph_search. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_dominate_row(struct snap_graph *, uint64_t row, struct snap_error *error);

/* The immediate dominator; SNAP_GRAPH_NONE: there is none
 * but the roots together, or no root reaches row. */
SNAP_API uint64_t snap_graph_dominator(const struct snap_graph *, uint64_t row);
/* Bytes that would be free if row were; 0 if no root reaches it.  Saturates at UINT64_MAX. */
SNAP_API uint64_t snap_graph_retained(const struct snap_graph *, uint64_t row);

/* The tree of dominators: each object that a root reaches comes before those that it
 * dominates, and these come directly after it.  Calls tell with some of them at a time.
 * SNAP_END, and nothing was told: the order is not known, as it is after snap_graph_dominate
 * with `branches` in the options, if memory has room and there is no index. */
struct snap_graph_branch {
	uint64_t row;
	uint64_t count; /* of objects: itself and what it dominates */
	uint64_t retained;
};
typedef bool snap_graph_tell_branches(void *context, const struct snap_graph_branch *,
				      size_t count);
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_branches(const struct snap_graph *, snap_graph_tell_branches *tell, void *context,
		    struct snap_error *error);

/* Bytes and objects (NULL: not asked for) that would be free if all these were, each counted
 * once; needs snap_graph_search.  Targets that no root reaches count for nothing. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_retained_by(struct snap_graph *, const struct snap_graph_set *, uint64_t *bytes,
		       uint64_t *objects,
		       struct snap_error *error);

typedef void snap_graph_tell_freed(void *context, uint64_t row, uint64_t bytes);
/* The same objects one by one, rows ascending; tell may call nothing that changes the graph. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_freed_by(struct snap_graph *, const struct snap_graph_set *, snap_graph_tell_freed *tell,
		    void *context,
		    struct snap_error *error);

/* ---- what the index keeps ---- */

/* Who refers to the objects of a set, by type of the owner, kind and label; or what would be free
 * if all of them were, by type: in the order of the file. */
struct snap_graph_kept_part {
	enum snap_type_part part;
	uint64_t type;
	uint32_t kind;  /* of the references ... */
	uint64_t label; /* ... of one as it is, of more SNAP_GRAPH_ANY_INDEX, SNAP_GRAPH_ANY_KEY */
	uint64_t count; /* of references, or of rows */
	uint64_t bytes; /* of what would be free */
	uint64_t first; /* the row of the first owner, or object */
};
typedef void snap_graph_tell_kept(void *context, const struct snap_graph_kept_part *);
/* Where the set is all objects of the types of one name, what the index of the snapshot has of
 * them: their closest common dominator of those that are reached (SNAP_GRAPH_NONE: only the roots
 * together), and parts; out-parameters and tell may be NULL.  Merged paths are taken from there
 * without a call of this.  SNAP_END: it has nothing, and nothing was told. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_kept(struct snap_graph *, const struct snap_graph_set *, uint64_t *dominator,
		snap_graph_tell_kept *tell, void *context,
		struct snap_error *error);

/* ---- cycles ---- */

/* Finds the strongly connected components of more than
 * one object, and objects that refer to themselves. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_find_cycles(struct snap_graph *, struct snap_error *error);
/* The same for the cycle of one row alone, if it is in one, which is quicker after
 * snap_graph_search: then there is no other, and this one is forgotten with the
 * next row.  Where all were found or an index has them, they are all there. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_find_cycle_of(struct snap_graph *, uint64_t row, struct snap_error *error);

struct snap_graph_cycle {
	uint64_t objects, bytes;
	uint64_t first; /* its lowest row */
};
/* Most bytes first, then by first row. */
SNAP_API uint64_t snap_graph_cycle_count(const struct snap_graph *);
SNAP_API void snap_graph_cycle(const struct snap_graph *, uint64_t index,
			       struct snap_graph_cycle *out);
/* What keeps each of the cycles alive: needs snap_graph_search and
 * snap_graph_find_cycles; without snap_graph_dominate nothing is known of entries. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_find_keepers(struct snap_graph *, struct snap_error *error);
/* What would be free without each of the cycles: needs snap_graph_find_cycles. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_retain_cycles(struct snap_graph *, struct snap_error *error);
struct snap_graph_keeper {
	/* of its objects the one that fewest references lead to from a root, the lowest of these */
	uint64_t nearest;
	uint64_t entries; /* how many of them no other one dominates ... */
	uint64_t entry;   /* ... and the last of those */
	/* where no root reaches it: the lowest object that refers to one, or SNAP_GRAPH_NONE */
	uint64_t holder;
	/* bytes, after snap_graph_retain_cycles; 0 where no root reaches it, or an index lacks it
	 */
	uint64_t retained;
};
SNAP_API void snap_graph_keeper(const struct snap_graph *, uint64_t cycle,
				struct snap_graph_keeper *out);
/* The objects of a cycle by type, in the order of the first of each: from the index
 * of the snapshot.  SNAP_END: it does not have them, and nothing was told. */
typedef void snap_graph_tell_members(void *context, uint64_t cycle, uint64_t type, uint64_t count,
				     uint64_t first);
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_members(struct snap_graph *, uint64_t cycle, snap_graph_tell_members *tell,
		   void *context,
		   struct snap_error *error);
/* The cycle that row is in, or SNAP_GRAPH_NONE. */
SNAP_API uint64_t snap_graph_cycle_of(const struct snap_graph *, uint64_t row);
/* The cycles that objects of a set are in, each once or several times. */
typedef void snap_graph_tell_cycle(void *context, uint64_t cycle);
SNAP_API SNAP_MUST_USE enum snap_status
snap_graph_cycles_of(struct snap_graph *, const struct snap_graph_set *,
		     snap_graph_tell_cycle *tell, void *context, struct snap_error *error);

#ifdef __cplusplus
}
#endif
#endif
