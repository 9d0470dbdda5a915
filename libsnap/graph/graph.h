/* Inside the graph: its arrays, and what its files share (snap_graph.h). */
#ifndef LIBSNAP_GRAPH_H
#define LIBSNAP_GRAPH_H

#include "bits.h"
#include "core.h"
#include "numbers.h"
#include "scan.h"
#include "snap_graph.h"
#include "worker.h"

/* None of what is counted in 32 bits.  Rows and references are so where all of them can be. */
#define NONE UINT32_MAX

/* Successors of every node: those of v are to[start[v]] up to to[start[v + 1] - 1].  The last node
 * stands for all roots together: its successors are the root entries' objects, in table order. */
struct adjacency {
	uint32_t nodes, capacity; /* capacity: of to */
	uint32_t *start;          /* nodes + 1 */
	uint32_t *to;
};

struct shape {
	uint32_t type, slot_count, first_slot;
	uint8_t tail, tail_kind;
};

/* The rank of a marked row is the number of marked rows below it. */
struct marks {
	uint64_t *bits;
	uint64_t *below; /* by word, once they were counted */
	uint64_t count;
};

/* Where the rows of a run and their references lie (FORMAT.md, 7.3). */
struct run {
	uint64_t first_row;
	uint32_t shape;
	uint64_t first_tail;      /* row in the table of tails */
	uint64_t first_reference; /* row in the table of references */
	uint64_t first_label;     /* row in the table of tail labels */
};

/* Columns of objects with a row for each, of which stretches of so many rows are kept. */
#define KEPT_COLUMNS 6
#define KEPT_ROWS    65536u

/* A tail's place is found from every 256th. */
#define TAILS_PER_MARK 256u

struct snap_graph {
	struct snap_reader *reader;
	const struct snap_allocator *allocator;
	const struct snap_io *io;
	struct snap_graph_options options;
	uint64_t used, peak;
	bool damaged; /* when it was opened: a partial reader that had lost something */
	uint64_t lost_references;

	uint64_t objects, roots, tail_count;
	uint32_t types, shape_count, slot_count, run_count;
	bool wide; /* rows or references need more than 32 bits: then all is outside */
	uint64_t stored_references, stored_labels;
	uint8_t *type_kinds;
	struct shape *shapes;
	uint8_t *slot_kinds;
	uint64_t *slot_labels;
	struct run *runs; /* run_count, and a sentinel */
	size_t run_capacity;
	uint32_t *run_marks; /* the run of row i << mark_shift */
	unsigned mark_shift;
	struct numbers tail_marks; /* the sum of the tails before tail i * TAILS_PER_MARK */

	struct adjacency held;         /* objects + 1 nodes; start is NULL while they lie outside */
	uint64_t held_count, followed; /* references that are held: with those of roots, without */
	struct numbers owners_start, owners; /* reversed, without roots; on demand */

	struct numbers distance, parent; /* of snap_graph_search */
	struct numbers group;            /* of snap_graph_attribute_roots */
	struct group *groups;
	size_t group_count, group_capacity;
	/* of snap_graph_dominate: of a row, NONE where the roots are, or nothing */
	uint32_t *dominator;
	uint64_t *retained; /* of a row, 0 where no root leads */
	struct branches {   /* the tree of dominators, each before those that it dominates */
		uint32_t *row, *count; /* room for all objects, or NULL */
		uint32_t reached;
	} branches;
	struct outside {                                         /* what memory has no room for */
		struct pages *pages;                             /* NULL: all is in memory */
		struct paged start, to;                          /* as in held */
		struct paged number, order, dominator, retained; /* while they are found */
		struct paged dominator_of, retained_of;          /* of a row */
		bool dominated;
	} outside;
	bool may_move;                  /* all is in memory, and could go outside */
	struct indexed {                /* what the snapshot's index answers: indexed.c */
		bool is_there, is_lazy; /* is_lazy: references were not loaded */
		bool dominated, found_cycles;
		uint64_t cost[3]; /* of single values, by what asks for them */
		/* by column, stretches that are kept, and that which was read last: kept_values.c */
		uint64_t **kept[KEPT_COLUMNS], last[KEPT_COLUMNS + 1];
		/* of a row, where single values cost too much */
		struct numbers dominator, retained;
		struct snap_error failed; /* the first failure: then answers lead nowhere */
	} indexed;
	struct chain { /* of snap_graph_dominate_row: that row and its dominators */
		uint64_t row;
		uint64_t *stays;                    /* rows that are reached without it */
		struct marks rows;                  /* bits is NULL: of no row */
		struct numbers dominator, retained; /* by rank */
	} chain;
	struct component {         /* of snap_graph_find_cycle_of */
		uint64_t *members; /* NULL: of no row */
		bool is_cycle;
		struct snap_graph_cycle cycle;
	} component;
	struct numbers cycle; /* of snap_graph_find_cycles: by row */
	/* rows by component, each before those that it leads to; until cycle_retained is */
	struct numbers components;
	struct numbers cycle_order, cycle_bytes, cycle_objects, cycle_first;
	uint64_t cycle_count;
	struct numbers keepers;        /* of snap_graph_find_keepers */
	struct numbers cycle_retained; /* of snap_graph_retain_cycles */
	struct known {                 /* of snap_graph_read_objects */
		struct marks rows;
		struct numbers values;
	} known;
	struct numbers *numbers; /* all that are open */

	struct snap_column *columns[28]; /* opened on demand: values.c */
	char text[512];                  /* of the last label */
};

struct group {
	uint32_t kind, parent; /* parent: a group, or NONE */
	uint32_t depth;
	uint64_t name; /* of a root entry: string id; of a synthetic object: type id */
	char *label;
	size_t label_size;
};

/* ---- memory (budget.c) ---- */

/* SNAP_LIMIT if what would take more than the caller allows, even where all numbers go outside, and
 * the cache of pages makes room. */
enum snap_status libsnap_graph_reserve(struct snap_graph *, const char *what, uint64_t bytes,
				       struct snap_error *error);
void *libsnap_graph_take(struct snap_graph *, size_t count, size_t element_size);
void *libsnap_graph_take_zeroed(struct snap_graph *, size_t count, size_t element_size);
void libsnap_graph_give(struct snap_graph *, void *pointer, size_t count, size_t element_size);
/* NULL leaves all as it was. */
void *libsnap_graph_resize(struct snap_graph *, void *pointer, size_t old_size, size_t new_size);
/* Room for needed elements of *array; SNAP_LIMIT or SNAP_NO_MEMORY leave all as it was. */
enum snap_status libsnap_graph_grow(struct snap_graph *, const char *what, void **array,
				    size_t *capacity, size_t needed, size_t element_size,
				    struct snap_error *error);
static inline void libsnap_graph_progress(const struct snap_graph *graph, const char *what,
					  uint64_t done, uint64_t total)
{
	if (graph->options.progress != NULL)
		graph->options.progress(graph->options.progress_context, what, done, total);
}

/* ---- outside of memory (outside.c, dominators_outside.c ...) ---- */

/* What is left of the memory that is allowed. */
static inline uint64_t libsnap_graph_room(const struct snap_graph *graph)
{
	uint64_t limit = graph->options.max_memory_bytes;
	return graph->used < limit ? limit - graph->used : 0;
}
/* Whether so many bytes fit, and leave what moving outside needs. */
static inline bool libsnap_graph_fits(const struct snap_graph *graph, uint64_t bytes)
{
	uint64_t slack = graph->options.max_memory_bytes / 16;
	return bytes <= UINT64_MAX - slack && libsnap_graph_room(graph) >= bytes + slack;
}
/* Gives start and to a place outside, while there is none in memory. */
enum snap_status libsnap_graph_open_outside(struct snap_graph *, uint64_t references,
					    struct snap_error *error);
/* Before a question that takes so many bytes in memory: where there is no room for them, all that
 * is known goes outside, and so will what is found. */
enum snap_status libsnap_graph_prepare(struct snap_graph *, uint64_t bytes,
				       struct snap_error *error);
/* Opens order, dominator (the parents) and number, and finds how many nodes are reached. */
enum snap_status libsnap_graph_preorder_outside(struct snap_graph *, uint64_t *reached,
						struct snap_error *error);
/* The same; and dominator has the dominators.  SNAP_END as of libsnap_graph_dominate_by_levels. */
enum snap_status libsnap_graph_levels_outside(struct snap_graph *, uint64_t *reached,
					      struct snap_error *error);
enum snap_status libsnap_graph_dominate_outside(struct snap_graph *, struct snap_error *error);
/* Opens dominator_of and retained_of. */
enum snap_status libsnap_graph_open_answers(struct snap_graph *, struct snap_error *error);
/* SNAP_OK, or the first failure of the files or of the index. */
static inline enum snap_status libsnap_graph_check_pages(const struct snap_graph *graph,
							 struct snap_error *error)
{
	if (graph->indexed.failed.status != SNAP_OK && error != NULL)
		*error = graph->indexed.failed;
	if (graph->indexed.failed.status != SNAP_OK)
		return graph->indexed.failed.status;
	return graph->outside.pages != NULL ? libsnap_pages_check(graph->outside.pages, error)
					    : SNAP_OK;
}
static inline bool libsnap_graph_has_failed(const struct snap_graph *graph)
{
	return graph->indexed.failed.status != SNAP_OK ||
	       (graph->outside.pages != NULL && graph->outside.pages->failed != SNAP_OK);
}

/* ---- successors, in memory or outside ---- */

static inline uint64_t libsnap_graph_get_start(const struct snap_graph *graph, uint64_t node)
{
	return graph->held.start != NULL
		       ? graph->held.start[node]
		       : libsnap_paged_get((struct paged *)&graph->outside.start, node);
}
static inline void libsnap_graph_set_start(struct snap_graph *graph, uint64_t node, uint64_t start)
{
	if (graph->held.start != NULL)
		graph->held.start[node] = (uint32_t)start;
	else if (start != libsnap_paged_get(&graph->outside.start, node))
		libsnap_paged_set(&graph->outside.start, node, start); /* zeros stay new */
}
static inline uint64_t libsnap_graph_get_to(const struct snap_graph *graph, uint64_t at)
{
	return graph->held.start != NULL
		       ? graph->held.to[at]
		       : libsnap_paged_get((struct paged *)&graph->outside.to, at);
}
static inline void libsnap_graph_set_to(struct snap_graph *graph, uint64_t at, uint64_t to)
{
	if (graph->held.start != NULL)
		graph->held.to[at] = (uint32_t)to;
	else
		libsnap_paged_set(&graph->outside.to, at, to);
}

static inline bool libsnap_graph_refers_to_itself(const struct snap_graph *graph, uint64_t row)
{
	uint64_t end = libsnap_graph_get_start(graph, row + 1);
	for (uint64_t at = libsnap_graph_get_start(graph, row); at < end; at++)
		if (libsnap_graph_get_to(graph, at) == row)
			return true;
	return false;
}

/* ---- hashes ---- */

static inline uint64_t libsnap_mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

/* ---- from the index (indexed.c, stretches.c) ---- */

enum snap_status libsnap_indexed_open(struct snap_graph *, struct snap_error *error);
void libsnap_indexed_search(struct snap_graph *);
void libsnap_indexed_find_cycles(struct snap_graph *);
bool libsnap_indexed_is_reached(const struct snap_graph *, uint64_t row);
uint64_t libsnap_indexed_dominator(const struct snap_graph *, uint64_t row);
uint64_t libsnap_indexed_retained(const struct snap_graph *, uint64_t row);
void libsnap_indexed_cycle(const struct snap_graph *, uint64_t index, struct snap_graph_cycle *out);
bool libsnap_indexed_has_keepers(const struct snap_graph *);
void libsnap_indexed_keeper(const struct snap_graph *, uint64_t cycle,
			    struct snap_graph_keeper *out);
bool libsnap_indexed_has_spans(const struct snap_graph *);
enum snap_status libsnap_indexed_find_address(struct snap_graph *, uint64_t address, uint64_t *row,
					      struct snap_error *error);
/* Adds all that the rows of a set, which are reached, dominate; SNAP_END: to read all dominators
 * would be quicker. */
enum snap_status libsnap_indexed_below(struct snap_graph *, struct snap_graph_set *,
				       struct snap_error *error);
/* snap_graph_freed_by (freed.c).  SNAP_END, and nothing was told: a search would be quicker. */
enum snap_status libsnap_indexed_freed_by(struct snap_graph *, const struct snap_graph_set *,
					  snap_graph_tell_freed *tell, void *context,
					  struct snap_error *error);

/* ---- references (references.c) ---- */

/* All that objects of a set refer to: run by run, slot by slot, then the tails. */
enum snap_status libsnap_graph_owned_by(struct snap_graph *, const struct snap_graph_set *,
					snap_graph_visit *visit, void *context,
					struct snap_error *error);

/* ---- values that are kept (kept_values.c) ---- */

/* *is_new: more than a row of it was decoded. */
enum snap_status libsnap_graph_kept_value(struct snap_graph *, uint32_t column, uint64_t row,
					  uint64_t *value, bool *is_new, struct snap_error *error);
void libsnap_graph_drop_kept(struct snap_graph *);

/* ---- columns (values.c) ---- */

/* One value of any column, through a cursor that the graph keeps. */
enum snap_status libsnap_graph_value(struct snap_graph *, uint32_t column, uint64_t row,
				     uint64_t *value, struct snap_error *error);
void libsnap_graph_close_columns(struct snap_graph *);

/* Up to four columns of one table from the first row to the last, where rows may be lost. */
#define STREAM_COLUMNS 4
struct stream {
	struct snap_scan *scan;
	size_t columns;
	uint64_t position, rows; /* next row to give, rows that there should be */
	uint64_t batch_first;
	size_t batch_count;
	const uint64_t *const *batch;
	bool ended, absent; /* absent: the table has no column, so every value is 0 */
};
enum snap_status libsnap_graph_stream_open(struct stream *, struct snap_graph *,
					   const uint32_t *columns, size_t count, uint64_t rows,
					   struct snap_error *error);
/* Shows at least one and at most wanted rows: values[i] is column i's.  *lost: they could not be
 * read, and there are no values.  Call only while position < rows; then move position. */
enum snap_status libsnap_graph_stream_peek(struct stream *, uint64_t wanted, size_t *count,
					   const uint64_t *values[STREAM_COLUMNS], bool *lost,
					   struct snap_error *error);
/* As peek, but moves on, and fails where rows are lost. */
enum snap_status libsnap_graph_stream_take(struct stream *, uint64_t wanted, size_t *count,
					   const uint64_t *values[STREAM_COLUMNS],
					   struct snap_error *error);
void libsnap_graph_stream_close(struct stream *);

/* As libsnap_graph_value, of objects; what is known is not read again (known.c). */
enum snap_status libsnap_graph_object_value(struct snap_graph *, uint32_t column, uint64_t row,
					    uint64_t *value, struct snap_error *error);
void libsnap_graph_forget(struct snap_graph *);

/* Calls add(context, row, bytes) for all rows in order. */
enum snap_status libsnap_graph_each_size(struct snap_graph *,
					 void (*add)(void *context, uint64_t row, uint64_t bytes),
					 void *context, struct snap_error *error);

/* ---- references as they lie in the file (spans.c) ---- */

/* Either the same slot of many objects, or a stretch of one object's tail. */
struct span {
	bool is_tail;
	uint64_t row;   /* the first, or the one */
	uint32_t slot;  /* number of the slot in the shape, or of slots before the tail */
	uint64_t index; /* of the first element in the tail */
	size_t count;
	const uint64_t *targets;        /* ids */
	const uint64_t *kinds, *labels; /* of a labelled tail, else NULL */
	uint32_t kind;                  /* otherwise */
	uint64_t label;                 /* of a slot */
};
struct walk {
	struct snap_graph *graph;
	struct stream references, labels, tails;
	uint32_t run, slot;
	uint64_t row;           /* where the next reference is; row within the run */
	uint64_t index, length; /* within the tail, once its length is known */
	bool in_tail, has_length;
	uint64_t lost, told;
};
enum snap_status libsnap_graph_walk_open(struct walk *, struct snap_graph *,
					 struct snap_error *error);
/* SNAP_END after the last. */
enum snap_status libsnap_graph_walk_next(struct walk *, struct span *span,
					 struct snap_error *error);
void libsnap_graph_walk_close(struct walk *);

/* ---- references as successors (filler.c) ---- */

/* Successors are held run by run: when all of one are there, those that refer to nothing give way
 * to the next run's. */
struct filler {
	struct snap_graph *graph;
	uint32_t run;      /* that of the last span, or one before */
	uint64_t row, end; /* of the run */
	uint32_t written;  /* successors of the rows before it */
	uint32_t moved;    /* how much nearer to the beginning the run lies than start says */
	bool bad;          /* there was a reference to beyond the objects */
	/* A second thread does all of that with the spans of batches, */
	struct libsnap_worker worker;
	struct batch *batches; /* unless this is NULL */
	size_t at;
};
/* Spans come in the order of the file.  It must not move. */
void libsnap_graph_filler_begin(struct filler *, struct snap_graph *);
void libsnap_graph_filler_add(struct filler *, const struct span *);
/* False: there was a reference to beyond the objects. */
bool libsnap_graph_filler_end(struct filler *);

/* ---- dominators (dominators.c, chain.c) ---- */

static inline bool libsnap_graph_is_dominated(const struct snap_graph *graph)
{
	return graph->dominator != NULL || graph->outside.dominated || graph->indexed.dominated;
}
/* SNAP_MISUSE if there was no search. */
enum snap_status libsnap_graph_need_search(const struct snap_graph *, struct snap_error *error);
void libsnap_graph_free_chain(struct snap_graph *);
/* Of the row that was asked for, and its dominators. */
bool libsnap_chain_has(const struct snap_graph *, uint64_t row);
uint64_t libsnap_chain_dominator(const struct snap_graph *, uint64_t row);
uint64_t libsnap_chain_retained(const struct snap_graph *, uint64_t row);

/* ---- preorder (preorder.c) ---- */

/* Nodes are numbered as a walk depth first from the
 * roots' node, which is number 0, reaches them. */
struct preorder {
	uint32_t *number; /* of a node, NONE if it was not reached */
	uint32_t *order;  /* nodes by number */
	uint32_t *parent; /* by number, a number */
	uint32_t *higher; /* by number, how many predecessors have a higher one ... */
	uint32_t *lowest; /* ... and the lowest of all */
	/* Bits of rows: what roots refer to.  None but the roots dominates these, and what leads to
	 * them is left out. */
	uint64_t *tops;
	uint32_t reached;
};
/* What it takes for each node at most, without sets. */
#define BYTES_TO_WALK 32u
enum snap_status libsnap_graph_preorder(struct snap_graph *, struct libsnap_worker *,
					struct preorder *out, struct snap_error *error);
/* All but number. */
void libsnap_graph_free_preorder(struct snap_graph *, struct preorder *);

/* ---- the tree of dominators (levels.c, branches.c) ---- */

/* The roots' node, and then all that is reached, each after its dominator.  Meanwhile dominators
 * are nodes, among them that of the roots; those of what is not reached are NONE. */
struct tree {
	uint32_t *order;
	uint32_t reached;
};
/* Also takes room for retained bytes.  SNAP_END: many are so far from the roots that a walk is
 * better. */
enum snap_status libsnap_graph_dominate_by_levels(struct snap_graph *, struct libsnap_worker *,
						  struct tree *out, struct snap_error *error);
/* Puts objects in the order of the tree, if it is wanted and there is room; `room` has 8 bytes for
 * each node. */
void libsnap_graph_order_branches(struct snap_graph *, const struct tree *, void *room);
void libsnap_graph_free_branches(struct snap_graph *);

/* ---- the cycle of one row (component.c) ---- */

void libsnap_graph_free_component(struct snap_graph *);

/* ---- rows (rows.c) ---- */

uint32_t libsnap_graph_run(const struct snap_graph *, uint64_t row);
static inline const struct shape *libsnap_graph_shape(const struct snap_graph *graph, uint64_t row)
{
	return &graph->shapes[graph->runs[libsnap_graph_run(graph, row)].shape];
}

/* ---- searches (spread.c) ---- */

/* Breadth first from the roots, the rows of one distance in order. */
struct spread {
	const char *what;                  /* for progress */
	uint64_t *seen;                    /* rows set are not entered; those reached are set */
	struct numbers *distance, *parent; /* or NULL */
};
enum snap_status libsnap_graph_spread(struct snap_graph *, const struct spread *,
				      struct snap_error *error);

/* ---- some rows (marks.c) ---- */

enum snap_status libsnap_marks_open(struct marks *, struct snap_graph *, struct snap_error *error);
void libsnap_marks_close(struct marks *, struct snap_graph *);
void libsnap_marks_count(struct marks *, const struct snap_graph *);
uint64_t libsnap_marks_rank(const struct marks *, uint64_t row);
/* The lowest marked row from `row` on, or SNAP_GRAPH_NONE. */
uint64_t libsnap_marks_next(const struct marks *, const struct snap_graph *, uint64_t row);

/* Kind and label of the reference by which the search reached each marked row, by rank; of root
 * objects, NONE (search.c). */
enum snap_status libsnap_graph_tree_labels(struct snap_graph *, const struct marks *,
					   struct numbers *labels, struct numbers *kinds,
					   struct snap_error *error);

/* ---- loading (layout.c, load.c), freeing ---- */

/* wide: numbers take 64 bits even where 32 would do. */
enum snap_status libsnap_graph_open(struct snap_graph **out, struct snap_reader *,
				    const struct snap_graph_options *options, bool wide,
				    struct snap_error *error);
enum snap_status libsnap_graph_load_layout(struct snap_graph *, struct snap_error *error);
/* What a lazy graph left out: places and references. */
enum snap_status libsnap_graph_load_references(struct snap_graph *, struct snap_error *error);
enum snap_status libsnap_graph_place_references(struct snap_graph *, struct snap_error *error);
/* Sets of the public interface. */
struct snap_graph_set {
	struct snap_graph *graph;
	uint64_t *bits, count;
};
struct snap_graph_numbers {
	struct numbers numbers;
};

void libsnap_graph_free_groups(struct snap_graph *);
void libsnap_graph_free_dominators(struct snap_graph *);

#endif
