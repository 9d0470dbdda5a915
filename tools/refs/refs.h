/* Inside snap-refs: the question, its targets, and the lines of the answer. */
#ifndef REFS_H
#define REFS_H

#include "alloc_fn.h"
#include "buffer.h"
#include "cli.h"
#include "print.h"
#include "scan.h"
#include "snap_graph.h"

struct refs {
	const char *file;
	struct snap_reader *reader;
	struct snap_graph *graph;
	uint64_t objects;    /* rows in the graph */
	uint64_t limit;      /* lines of each list, 0: all */
	uint64_t path_limit; /* branches of the tree of paths, 0: all */
	struct snap_graph_set *targets;
	uint64_t count;            /* of targets */
	struct refs_groups *freed; /* with several targets, by type; NULL: not known yet */
	struct print_table *table; /* NULL: for people */
	const char *section;       /* the last one printed for people */
	bool follows_weak;
	bool was_damaged;         /* when the graph had been opened, which was said */
	struct cli_list alloc_fn; /* also passed over */
	struct refs_sites *sites; /* NULL: none was asked for */
	struct snap_column *columns[17];
	struct snap_error error;
};

/* Ends the process with status 2 unless status is good. */
void refs_must(struct refs *, enum snap_status status);

/* Zeroed memory for count elements, counted in --memory; ends the process if there is none. */
void *refs_zeroed(struct refs *, uint64_t count, size_t element_size);
void refs_free(struct refs *, void *pointer, uint64_t count, size_t element_size);
/* Numbers that may lie in temporary files (snap_graph.h). */
struct snap_graph_numbers *refs_numbers(struct refs *, uint64_t count, uint64_t largest);
#define REFS_ANY_NUMBER (UINT64_MAX - 1)

static inline uint64_t refs_next_target(const struct refs *refs, uint64_t row)
{
	return snap_graph_set_next(refs->targets, row);
}

/* A sum that stays below what stands for no number. */
static inline uint64_t refs_add(uint64_t a, uint64_t b)
{
	uint64_t sum;
	return __builtin_add_overflow(a, b, &sum) || sum > REFS_ANY_NUMBER ? REFS_ANY_NUMBER : sum;
}

static inline uint64_t refs_multiply(uint64_t a, uint64_t b)
{
	uint64_t product;
	return __builtin_mul_overflow(a, b, &product) || product > REFS_ANY_NUMBER ? REFS_ANY_NUMBER
										   : product;
}

/* ---- targets (targets.c, suggest.c) ---- */

#define REFS_TARGETS "an address, @ID, id:N, row:N, type:PATTERN, name:PATTERN or site:PATTERN"
bool refs_is_target(const char *words);
/* Adds what the words name to the targets, which they are; false: they name nothing. */
bool refs_add_target(struct refs *, const char *words);
/* Appends the target that may have been meant, where the words name nothing and are no pattern. */
void refs_suggest(struct refs *, const char *words, struct buffer *out);

/* ---- names (names.c) ---- */

/* One value of any column. */
uint64_t refs_value(struct refs *, uint32_t column, uint64_t row);
void refs_append_string(struct refs *, struct buffer *out, uint64_t id);
void refs_append_type(struct refs *, struct buffer *out, uint64_t type);
/* What the producer calls this one object: a class, a function, a variable. */
void refs_append_name(struct refs *, struct buffer *out, uint64_t row);
void refs_append_label(struct refs *, struct buffer *out, uint64_t label);
void refs_append_root(struct refs *, struct buffer *out, uint64_t label);
/* Function of a frame (id), and "file:line" or "module+0xoffset". */
void refs_append_function(struct refs *, struct buffer *out, uint64_t frame);
void refs_append_place(struct refs *, struct buffer *out, uint64_t frame);

/* ---- allocation sites (sites.c) ---- */

/* The first stack of the same place, which stands for it; 0 for 0. */
uint64_t refs_site(struct refs *, uint64_t stack);
/* The innermost frame of a stack (ids) that is not passed over. */
uint64_t refs_site_frame(struct refs *, uint64_t stack);
/* "file:line function" of a frame (id), and of that; nothing for 0. */
void refs_append_frame(struct refs *, struct buffer *out, uint64_t frame);
void refs_append_site(struct refs *, struct buffer *out, uint64_t stack);
void refs_sites_free(struct refs *);

/* ---- lines (output.c) ---- */

#define REFS_ABSENT UINT64_MAX

/* One line of any section; the columns of the machine forms. */
struct refs_line {
	const char *section; /* all target frame ...: see snap-refs.1 */
	uint64_t number, depth, count, targets, repeats, bytes, retained, row, address, names,
		thread;
	uint64_t share;   /* for people: of what bytes are a part */
	const char *kind; /* or NULL */
	struct buffer label, type, site, name, thread_name;
	/* is_frame: site is where a function is, and nothing was allocated there */
	bool weak, is_root, is_frame,
		is_single, /* how it looks for people; is_single: a step of one object */
		is_only;   /* a step of the one path to one object */
};

void refs_begin(struct refs *);
void refs_end(struct refs *);
/* An empty line of a section: every number absent. */
struct refs_line refs_line(const char *section);
/* Row, address, type and name of a row; of a place outside of
 * the heap also its thread, and of a frame where it is. */
void refs_describe(struct refs *, struct refs_line *, uint64_t row);
/* The thread and the function of a root entry, unless something better is known of its object. */
void refs_describe_root(struct refs *, struct refs_line *, uint64_t root);
/* Prints and frees. */
void refs_print(struct refs *, struct refs_line *);
/* For people: where more than a tenth of all objects is
 * not among so many that roots reach, this is said. */
void refs_print_unreached(struct refs *, uint64_t reached);
/* For people: so many lines were left out. */
void refs_print_rest(struct refs *, uint64_t lines, const char *what);
/* Whether line index of a list is printed; false also behind
 * the last of count, and for people the rest is told. */
bool refs_lists(struct refs *, uint64_t index, uint64_t count, const char *what);
static inline bool refs_over_limit(uint64_t limit, uint64_t printed)
{
	return limit != 0 && printed >= limit;
}

/* ---- groups (groups.c) ---- */

/* Counts by three numbers. */
struct refs_group {
	uint64_t type, kind, label;
	uint64_t count, bytes, row; /* row: the first */
	uint64_t exact;             /* the first one's label, where label stands for several */
	uint64_t names;             /* that were folded into this group; 0: none were */
	uint64_t index;             /* in the order they were found */
};
struct refs_groups {
	struct refs *refs;
	struct snap_graph_numbers *records, *table, *order;
	uint64_t count, capacity;
	struct refs_group last; /* that was added to: objects of a kind lie together */
};
/* Adds count and bytes to the group of type, kind and label;
 * exact and row are for a new one.  The group's row. */
uint64_t refs_groups_add(struct refs_groups *, const struct refs_group *);
/* Labels are stacks: those of one site become one. */
void refs_groups_by_site(struct refs_groups *);
struct refs_group refs_groups_at(const struct refs_groups *, uint64_t index);
/* Most bytes, or else most of them, first; then as they were found. */
void refs_groups_sort(struct refs_groups *);
/* By label, then most first. */
void refs_groups_sort_by_label(struct refs_groups *);
void refs_groups_free(struct refs_groups *);
/* Groups that differ in nothing but their names become one, SNAP_GRAPH_ANY_NAME, as those of merged
 * paths do; kinds from limit on stay apart.  Nothing can be found or added then. */
void refs_groups_fold_names(struct refs_groups *, uint64_t limit);

/* ---- sections (about.c holders.c paths.c dominators.c retainers.c cycles.c garbage.c freed.c
 * foreign.c unreachable.c suspects_show.c) ---- */

void refs_show_targets(struct refs *);
void refs_show_holders(struct refs *);
void refs_show_owned(struct refs *);
void refs_show_paths(struct refs *);
/* The merged paths to rows as lines of a section; returns how many rows no root reaches. */
uint64_t refs_show_ways(struct refs *, const struct snap_graph_set *rows, const char *section,
			uint64_t number);
/* The path to row alone, which is one of those of the ways. */
void refs_show_way(struct refs *, struct snap_graph_ways *, uint64_t row, const char *section,
		   uint64_t number);
void refs_show_dominators(struct refs *);
/* Those that targets are in, or all, with what keeps each alive. */
void refs_show_cycles(struct refs *, bool of_targets);
void refs_show_garbage_cycles(struct refs *);
/* Of members of one type in the cycle of that number; without their place. */
struct refs_line refs_member_line(struct refs *, const struct refs_group *members, uint64_t number);
/* Who holds a cycle that no root reaches, if anything does. */
void refs_show_holder(struct refs *, uint64_t cycle, uint64_t number);
void refs_show_freed(struct refs *);
/* How many bytes: of several targets, all objects are looked at once for this and that. */
uint64_t refs_freed_bytes(struct refs *);
void refs_show_unreachable(struct refs *);
void refs_show_retainers(struct refs *);
/* Whether the graph answers from an index. */
bool refs_has_index(struct refs *);
/* What the runtime counts more references to than were found. */
void refs_show_foreign(struct refs *);
/* percent: REFS_ANY_NUMBER for the default. */
void refs_show_suspects(struct refs *, uint64_t percent);

#endif
