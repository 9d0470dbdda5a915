/* What the files of the query engine know of each other (snap_query.h). */
#ifndef LIBSNAP_QUERY_H
#define LIBSNAP_QUERY_H

#include "scan.h"
#include "snap_graph.h"
#include "sort.h"
#include "space.h"

/* ---- what one snapshot calls things (names.c, shapes.c) ---- */

struct type_name {
	uint32_t name, kind;
};
struct frame_name {
	uint32_t file, function, module; /* texts */
	uint32_t inlined_into;           /* frame id or 0 */
	uint64_t line, offset;
};
struct stack_node {
	/* ids; parent 0 where callers are not needed, frame 0 only where it was lost */
	uint32_t parent, frame;
};
struct thread_name {
	uint64_t number;
	uint32_t name;
};
struct shape_name {
	uint32_t type, slots; /* id; chain of places (kind, tag and number of the label, name) */
	uint32_t tail, tail_kind;
};

#define NEED_TYPES       1u
#define NEED_STACKS      2u
#define NEED_FILES       4u
#define NEED_FUNCTIONS   8u
#define NEED_MODULES     16u
#define NEED_THREADS     32u
#define NEED_SHAPE_TYPES 64u
#define NEED_SLOTS       128u
#define NEED_CALLERS     256u /* of stacks */

/* All arrays are indexed by id; row 0 is none. */
struct names {
	struct space *space;
	struct snap_reader *reader;
	/* for its function_name; only while names are loaded */
	const struct snap_query_options *rename;
	struct libsnap_array types, frames, stacks, threads, shapes; /* counts are rows + 1, or 0 */
	/* by stack: its frame that is not passed over, or 0; empty: the innermost */
	struct libsnap_array sites;
	bool has_callers; /* else stacks are frame ids alone */
	uint64_t lost_rows;
	bool damaged; /* the reader is partial, and something is missing */
};

static inline struct type_name libsnap_type_at(struct names *names, uint64_t id)
{
	return *(const struct type_name *)libsnap_array_at(&names->types, id);
}
static inline struct frame_name libsnap_frame_at(struct names *names, uint64_t id)
{
	return *(const struct frame_name *)libsnap_array_at(&names->frames, id);
}
static inline struct stack_node libsnap_stack_at(struct names *names, uint64_t id)
{
	if (names->has_callers)
		return *(const struct stack_node *)libsnap_array_at(&names->stacks, id);
	return (struct stack_node){0, libsnap_array_get32(&names->stacks, id)};
}
static inline struct thread_name libsnap_thread_at(struct names *names, uint64_t id)
{
	return *(const struct thread_name *)libsnap_array_at(&names->threads, id);
}
static inline struct shape_name libsnap_shape_name_at(struct names *names, uint64_t id)
{
	return *(const struct shape_name *)libsnap_array_at(&names->shapes, id);
}

/* The frame that stands for a stack. */
static inline uint32_t libsnap_site_at(struct names *names, uint64_t stack)
{
	uint32_t site = names->sites.count ? libsnap_array_get32(&names->sites, stack) : 0;
	return site ? site : libsnap_stack_at(names, stack).frame;
}

enum snap_status libsnap_query_names_load(struct names *, struct space *, struct snap_reader *,
					  unsigned needed, const struct snap_query_options *,
					  struct snap_error *);
void libsnap_query_names_free(struct names *);
enum snap_status libsnap_shapes_load(struct names *, unsigned needed, struct snap_error *);

/* Turns string ids into texts, reading each string
 * once, in the order of the file: mark, load, ask. */
struct resolver {
	struct names *names;
	/* a bit for each id; marked ids before each word; by rank */
	struct libsnap_array marked, rank, texts;
};
enum snap_status libsnap_resolver_begin(struct resolver *, struct names *, struct snap_error *);
static inline void libsnap_resolver_mark(struct resolver *r, uint64_t id)
{
	libsnap_array_set_bit(&r->marked, id);
}
enum snap_status libsnap_resolver_load(struct resolver *, struct snap_error *);
static inline uint32_t libsnap_resolver_text(struct resolver *r, uint64_t id)
{
	if (id == 0)
		return 0;
	uint64_t below = libsnap_array_get64(&r->marked, id / 64) & (((uint64_t)1 << id % 64) - 1);
	uint32_t rank = libsnap_array_get32(&r->rank, id / 64);
	return libsnap_array_get32(&r->texts, rank + (uint32_t)__builtin_popcountll(below));
}
void libsnap_resolver_end(struct resolver *);

/* The reader is partial, and has met damage by now. */
bool libsnap_query_is_damaged(const struct names *);

/* Rows of some columns of a table, in batches. */
typedef enum snap_status libsnap_take_rows(void *context, uint64_t first_row, size_t count,
					   const uint64_t *const *values, struct snap_error *error);
enum snap_status libsnap_query_each_batch(struct names *, const uint32_t *columns,
					  size_t column_count, libsnap_take_rows *take,
					  void *context, struct snap_error *error);

/* The frames of a stack's own entry: the frame and those
 * that it was inlined into.  SNAP_CORRUPT for circles. */
#define MAX_INLINED 256
enum snap_status libsnap_frame_chain(struct names *, uint32_t frame, uint32_t ids[MAX_INLINED],
				     size_t *count, struct snap_error *);

/* ---- patterns (filter.c) ---- */

struct filter {
	const struct snap_pattern *patterns;
	size_t count;
	uint64_t includes, excludes, any, with_domain; /* a bit for each pattern */
	/* by id: the patterns that match; empty: none of the kind */
	struct libsnap_array stack_bits, type_bits;
	struct budget *budget;
	bool needs_stacks, needs_types, needs_domains;
};

enum snap_status libsnap_filter_begin(struct filter *, struct budget *,
				      const struct snap_pattern *patterns, size_t count,
				      struct snap_error *);
enum snap_status libsnap_filter_load(struct filter *, struct names *, struct snap_error *);
void libsnap_filter_end(struct filter *);
bool libsnap_filter_keeps(struct filter *, uint64_t stack, uint64_t type, uint64_t domain);
/* By frame: the patterns that match. */
enum snap_status libsnap_filter_frames(const struct filter *, struct names *,
				       struct libsnap_array *frame_bits, struct snap_error *);

/* ---- what stands for a stack (sites.c) ---- */

/* Whether anything may be passed over here. */
bool libsnap_has_sites(struct snap_reader *, const struct snap_query_options *);
enum snap_status libsnap_sites_load(struct names *, const struct snap_query_options *,
				    struct snap_error *);

/* ---- sums (sums.c) ---- */

/* Exact sums, or estimates until they are rounded. */
union measure {
	struct {
		uint64_t bytes, count;
	} exact;
	struct {
		double bytes, count;
	} estimate;
};
#define SUM_MAX ((uint64_t)INT64_MAX)

struct weigher {
	bool sampled;
	double interval;
};

/* bytes = count blocks in all; false if the sum is beyond SUM_MAX. */
bool libsnap_measure_add(const struct weigher *, union measure *, uint64_t bytes, uint64_t count);
bool libsnap_measure_merge(const struct weigher *, union measure *, const union measure *);
bool libsnap_measure_finish(const struct weigher *, union measure *);

/* Of estimates, without bias: each block was seen or not by itself, with the chance 1 / weight. */
struct variance {
	double bytes, count;
};
void libsnap_variance_add(const struct weigher *, struct variance *, uint64_t bytes,
			  uint64_t count);
/* The standard error, rounded; at most SUM_MAX. */
uint64_t libsnap_error_of(double variance);

/* ---- one snapshot's rows (gather.c) ---- */

/* One object row, or one row of the totals: then only the part of its dimension is set. */
struct query_row {
	uint64_t row, type, shape, stack, thread, domain, generation, size_bucket;
	uint64_t address, name, content, refcount;
	uint64_t bytes, count;
	uint64_t more; /* rows after it that are told with it */
};
typedef enum snap_status libsnap_take_row(void *context, const struct query_row *,
					  struct snap_error *);

#define DIMENSION(d)  (1u << (unsigned)(d))
#define NEED_ROWS     DIMENSION(31) /* objects themselves, whatever the totals say */
#define NEED_REFCOUNT (NEED_ROWS | DIMENSION(27))
#define NEED_ADDRESS  (NEED_ROWS | DIMENSION(28))
#define NEED_NAME     (NEED_ROWS | DIMENSION(29))
#define NEED_CONTENT  (NEED_ROWS | DIMENSION(30))

struct row_source {
	struct names *names;
	unsigned dimensions; /* DIMENSION() of what rows must tell; BY_ALL is always there */
	bool together;       /* rows of one run, whose type and shape is all, may come as one */
	struct libsnap_array *only; /* bits of rows that are wanted; NULL: all */
	bool from_objects;          /* out: they were scanned */
	libsnap_take_row *take;
	void *context;
};
enum snap_status libsnap_query_rows(struct row_source *, bool prefer_totals, struct snap_error *);

/* ---- answers (answer.c) ---- */

struct snap_answer {
	struct budget budget;
	struct space space;
	struct snap_answer_info info;
	uint64_t untold;             /* rows that count, but were not asked for: see max_rows */
	struct query_row all_owners; /* then: their sums */
	enum snap_order order;
	uint64_t max_rows; /* as in the options; so is this */
	bool changed_only;
	/* measures by group: of the only or old and the new one */
	struct libsnap_array sides[2];
	/* bytes by group; this and fills as far as the side knew groups */
	struct libsnap_array retained[2];
	struct libsnap_array fills[2];
	struct libsnap_array variances[2]; /* where errors were asked for, of groups that count */
	struct libsnap_array rows;         /* groups in order */
	/* of the key path, + 1: from the old side to the new one */
	struct libsnap_array group_of_path;
	/* texts of the row told last, where they are not in memory anyway */
	struct libsnap_tape told;
	struct snap_place *frames;
	struct snap_slot_text *slots;
	struct snap_step_text *steps;
	size_t frame_capacity, slot_capacity, step_capacity;
	enum snap_status failed; /* a row could not be told */
	struct snap_error error;
};

static inline union measure libsnap_sum_at(struct snap_answer *answer, int side, uint32_t group)
{
	return *(const union measure *)libsnap_array_at(&answer->sides[side], group);
}
static inline uint64_t libsnap_retained_at(struct snap_answer *answer, int side, uint32_t group)
{
	return group < answer->retained[side].count
		       ? libsnap_array_get64(&answer->retained[side], group)
		       : 0;
}
static inline struct variance libsnap_variance_at(struct snap_answer *answer, int side,
						  uint32_t group)
{
	if (group >= answer->variances[side].count)
		return (struct variance){0, 0};
	return *(const struct variance *)libsnap_array_at(&answer->variances[side], group);
}
static inline struct snap_fill libsnap_fill_at(struct snap_answer *answer, int side, uint32_t group)
{
	if (group >= answer->fills[side].count)
		return (struct snap_fill){0, 0, 0};
	return *(const struct snap_fill *)libsnap_array_at(&answer->fills[side], group);
}
uint64_t libsnap_waste(struct snap_answer *, int side, uint32_t group);
/* Not all groups are rows: a content that one object has is no duplicate. */
bool libsnap_group_is_told(struct snap_answer *, uint32_t group);

/* ---- keys (keys.c) ---- */

struct key_needs {
	unsigned dimension, names;
	const char *words; /* what objects must have for it, or NULL */
};

extern const struct key_needs libsnap_key_needs[SNAP_KEY_COUNT];
/* For messages: what objects may be without, and who records it. */
#define LIBSNAP_NEEDS_STACKS \
	"call stacks (snap-record, Python's snap.start() and V8's allocation timelines record them)"
#define LIBSNAP_NEEDS_TYPES "types (of C++, snap-record --references finds them)"
#define LIBSNAP_NEEDS_OBJECTS \
	"this question needs the objects, and the snapshot has totals only; ask the one that they were made from"
bool libsnap_key_can_cumulate(enum snap_key key);

/* ---- labels of references (labels.c) ---- */

/* A label as ids; its index or key is folded.  Two of them may mean the same. */
enum label_class { LABEL_NONE = 0, LABEL_TEXT = 1, LABEL_INDEX = 2, LABEL_KEY = 3 };
struct labels {
	struct names *names;
	struct interner raw; /* of tuples: type, kind, class, string id, whether of a root */
	struct tuple last;   /* the one found last, and its number */
	uint32_t last_number;
	struct resolver resolver;
	bool has_resolver;
};

void libsnap_labels_begin(struct labels *, struct names *);
void libsnap_labels_end(struct labels *);
enum snap_status libsnap_labels_find(struct labels *, uint64_t type,
				     const struct snap_graph_reference *, uint32_t *number,
				     struct snap_error *);
enum snap_status libsnap_labels_find_root(struct labels *, uint64_t type, uint64_t kind,
					  uint64_t string, uint32_t *number, struct snap_error *);
/* After the last one was found: texts of labels. */
enum snap_status libsnap_labels_load(struct labels *, struct snap_error *);
/* A label "variable+0x10" is of that variable; one that is an offset alone stays. */
size_t libsnap_size_of_variable(const char *bytes, size_t size);
/* Number as a step to or of its type: name, kind of
 * the type; kind (roots above 2^32), class, text. */
#define STEP_ROOT ((uint64_t)1 << 32)
struct tuple libsnap_labels_step(struct labels *, uint32_t number);

/* ---- names that are keys (keyed.c) ---- */

struct side;
struct keyed {
	uint64_t objects;
	struct libsnap_array names;  /* by object: how many it refers by */
	struct interner pairs;       /* of an owner of many and a type */
	struct libsnap_array counts; /* by pair */
	bool any;
};
enum snap_status libsnap_keyed_find(struct keyed *, struct side *, struct snap_error *);
/* Changes a label that is one of many to any key. */
enum snap_status libsnap_keyed_label(struct keyed *, struct side *, struct snap_graph_reference *,
				     struct snap_error *);
void libsnap_keyed_end(struct keyed *);

/* ---- one snapshot on its way into an answer (side.c) ---- */

/* For the index: rows are grouped by these parts, unless that makes too many groups. */
struct classing {
	unsigned parts; /* of enum snap_class_part */
	uint32_t most;
	bool too_many; /* then the answer is SNAP_LIMIT */
};

/* What the index has instead of objects: classes of them, in the tree of dominators (kept.c). */
struct kept {
	unsigned parts;                    /* what the classes tell; 0: none are used */
	uint64_t first_class, class_count; /* rows of the table: those with these parts */
	struct libsnap_array class_of, parent, retained; /* by node; parent: + 1 */
	struct libsnap_array step_of; /* by id of a step, its path; by id of a root, its label */
	struct libsnap_array kinds;   /* of roots */
	struct snap_fill fill;        /* of the class that is taken */
	bool has_fields, has_duplicates;
	bool has_tops;
};

struct side {
	struct snap_answer *answer;
	const struct snap_query_options *options;
	struct snap_reader *reader;
	struct names names;
	struct filter filter;
	struct weigher weigher;
	struct snap_graph *graph; /* of the key root */
	int number;               /* which of answer->sides */
	/* Where numbers are kept with 1 added, 0 is none. */
	struct libsnap_array group_of; /* + 1; by id of type, frame, stack ... of the key */
	struct libsnap_array list_of;  /* by stack: its frames, for traceback */
	struct libsnap_array of_stack; /* cumulative: measures by stack */
	union measure total;
	struct variance variance; /* of the total */
	unsigned present;         /* DIMENSION()s of which a row had a value */
	bool any_rows, scanned;
	uint64_t object_count;             /* of what follows */
	struct libsnap_array group_of_row; /* + 1; retained: by object */
	struct libsnap_array bits;     /* dominator: owners; field: owners kept, or empty: all */
	struct fields *fields;         /* of the key field */
	struct libsnap_array contents; /* of the key duplicate, by id */
	bool any_holds;                /* of the key duplicate: one retains more than itself */
	struct resolver resolver;      /* names of owners, texts of contents */
	bool has_resolver;
	struct libsnap_array places, filled; /* of the key fill, by object */
	struct libsnap_array path_of;        /* of the key path, by object: a chain */
	/* classing by path: labels as the file has them, by place */
	struct libsnap_array step_of_item;
	struct classing *classing;    /* or NULL */
	struct snap_index_info index; /* of the snapshot, if it may answer this */
	struct kept kept;
	struct owners {       /* of the key dominator */
		bool are_cut; /* bits has the first ones alone, and this is of all: */
		uint64_t objects, retained;
		struct query_row sum;
	} owners;
	uint32_t group;        /* of the row that was taken last */
	struct tuple last_key; /* classing: the one found last, and its group */
	uint32_t last_group;   /* + 1 */
};

static inline bool libsnap_side_bit(struct side *side, uint64_t row)
{
	return row < side->object_count && libsnap_array_has_bit(&side->bits, row);
}

/* Opens the graph; SNAP_MISUSE if what is asked needs roots, and there are none. */
enum snap_status libsnap_side_graph(struct side *, bool needs_roots, struct snap_error *);
/* Reads the rows that are asked about, or all kept objects for another purpose: dimensions, what
 * takes them, and which are given. */
enum snap_status libsnap_side_rows(struct side *, struct row_source *, struct snap_error *);
/* Whether there are types, stacks ... at all. */
void libsnap_side_note(struct side *, const struct query_row *);
bool libsnap_side_keeps(struct side *, const struct query_row *);
/* side_key.c: the row's id in the table that group_of
 * goes by, and its key.  SNAP_END: it is in no group. */
enum snap_status libsnap_side_key(struct side *, const struct query_row *, uint64_t *id,
				  struct tuple *key, struct snap_error *);
struct tuple libsnap_side_frame_key(struct side *, uint32_t frame);
/* list_of: of each stack. */
enum snap_status libsnap_list_tracebacks(struct side *, struct snap_error *);
/* Adds to the group's sum. */
enum snap_status libsnap_side_count(struct side *, uint32_t group, uint64_t bytes, uint64_t count,
				    struct snap_error *);

/* ---- questions of the graph and of contents (retained.c,
 * fields.c, contents.c, fills.c, paths.c) ---- */

struct content {
	uint64_t length, hash;
	uint32_t text;
};

/* Dominators are found; then each row is told its
 * group, and at last what groups retain is added up. */
enum snap_status libsnap_retained_prepare(struct side *, struct snap_error *);
enum snap_status libsnap_retained_add(struct side *, struct snap_error *);
/* The key dominator (owners.c).  bits: those that are told; and texts of their names. */
enum snap_status libsnap_owners_prepare(struct side *, struct snap_error *);
enum snap_status libsnap_owners_add(struct side *, libsnap_take_row *take, struct snap_error *);
/* It is of a type that can be an owner, and no pattern is against it. */
bool libsnap_may_own(struct side *, const struct query_row *);
/* What the index answers: whether it has classes, fields or owners for this; then
 * their names, and they themselves (kept.c, kept_names.c, kept_owners.c, kept_duplicates.c). */
enum snap_status libsnap_kept_prepare(struct side *, struct snap_error *);
static inline bool libsnap_is_kept(const struct side *side)
{
	return side->kept.parts || side->kept.has_fields || side->kept.has_duplicates ||
	       side->kept.has_tops;
}
enum snap_status libsnap_kept_add(struct side *, libsnap_take_row *take, struct snap_error *);
enum snap_status libsnap_kept_add_fields(struct side *, struct snap_error *);
enum snap_status libsnap_kept_add_duplicates(struct side *, struct snap_error *);
/* Whether what some duplicates retain together is what they retain one by one. */
enum snap_status libsnap_kept_add_up_duplicates(struct side *, bool *, struct snap_error *);
enum snap_status libsnap_kept_paths(struct side *, struct snap_error *);
enum snap_status libsnap_kept_roots(struct side *, struct snap_error *);
/* owners.are_cut, if those that are asked for are among the tops. */
enum snap_status libsnap_kept_find_owners(struct side *, struct snap_error *);
enum snap_status libsnap_wrong_index(struct snap_error *);
enum snap_status libsnap_contents_prepare(struct side *, struct snap_error *);
enum snap_status libsnap_fills_prepare(struct side *, struct snap_error *);
enum snap_status libsnap_fills_add(struct side *, uint64_t row, uint32_t group,
				   struct snap_error *);
enum snap_status libsnap_paths_prepare(struct side *, struct snap_error *);
/* All of the key field. */
enum snap_status libsnap_fields_add(struct side *, struct snap_error *);
void libsnap_fields_end(struct side *);

/* Groups of which a row is a member, for the key field:
 * numbers with a mark for those whose owner dominates it. */
#define MEMBER_OWNED ((uint32_t)1 << 31)
struct span {
	uint32_t first, end;
};
struct span libsnap_fields_span(const struct side *, uint64_t row);
uint32_t libsnap_fields_member(const struct side *, uint32_t index);

/* The path that is one step longer than before, or one that it is folded into. */
enum snap_status libsnap_path_add(struct space *, uint32_t before, uint32_t item, uint32_t *path,
				  struct snap_error *);
/* By path: itself, or the one of path_depth steps that it begins with. */
enum snap_status libsnap_paths_cut(struct side *, struct libsnap_array *cut, struct snap_error *);
/* The key field: how many labels there are, each one as the file has it, and its group. */
uint32_t libsnap_fields_count(const struct side *);
struct tuple libsnap_fields_label(struct side *, uint32_t number, uint32_t *group);

/* Children of each object, or node, in the tree of dominators, the next one of the
 * same parent: rows + 1, 0 is none.  The last entry of first stands for the roots. */
struct tree {
	struct side *side;
	uint64_t rows;
	struct libsnap_array first, next;
};
typedef enum snap_status libsnap_visit_tree(void *context, uint32_t row, bool enters,
					    struct snap_error *error);
/* What retains nothing, as all that no root reaches,
 * is left out; a tree has to end in every case. */
enum snap_status libsnap_tree_begin(struct tree *, struct side *, struct snap_error *);
void libsnap_tree_end(struct tree *);
/* Depth first: row is entered, then all below it, and it is left. */
enum snap_status libsnap_tree_walk(struct tree *, libsnap_visit_tree *, void *context,
				   struct snap_error *);
uint64_t libsnap_tree_retained(struct side *, uint64_t row);

/* Reads, filters and groups; what the side used meanwhile is freed by _end, in every case. */
enum snap_status libsnap_side_add(struct side *, struct snap_error *);
void libsnap_side_end(struct side *);
enum snap_status libsnap_too_much(struct snap_error *error);

/* ---- order (order.c) ---- */

enum snap_status libsnap_answer_sort(struct snap_answer *, struct snap_error *);

/* ---- for the index (query.c) ---- */

/* Calls harvest when one snapshot's groups or classes are known, and what groups
 * retain; the graph, in which dominators are found, stays the caller's. */
typedef enum snap_status libsnap_harvest(void *context, struct side *, struct snap_error *);
enum snap_status libsnap_query_side(struct snap_reader *, struct snap_graph *,
				    const struct snap_query_options *, struct classing *,
				    libsnap_harvest *, void *context, struct snap_error *);

#endif
