/* What the files of the query engine know of each other (snap_query.h). */
#ifndef LIBSNAP_QUERY_H
#define LIBSNAP_QUERY_H

#include "core.h"
#include "snap_graph.h"
#include "snap_query.h"

/* ---- memory with a limit (space.c) ---- */

struct budget {
	struct snap_allocator allocator; /* what the engine allocates with: counts, then asks below */
	const struct snap_allocator *below;
	uint64_t used, limit;
	bool exceeded;
};

void libsnap_budget_begin(struct budget *, const struct snap_allocator *below, uint64_t limit);
/* SNAP_LIMIT if it was the limit, else SNAP_NO_MEMORY. */
enum snap_status libsnap_budget_fail(const struct budget *, struct snap_error *);
/* SNAP_LIMIT, saying how much is needed, if count elements more would be over the limit. */
enum snap_status libsnap_budget_reserve(const struct budget *, const char *what, uint64_t count, size_t element_size,
					struct snap_error *);

/* ---- distinct things, numbered (space.c) ---- */

#define NOT_FOUND UINT32_MAX

struct interner {
	unsigned char *items;
	uint32_t *hashes, *slots;
	size_t item_size, identity_size; /* the first identity_size bytes tell items apart */
	size_t item_capacity, hash_capacity, slot_count;
	uint32_t count;
};

struct text_item {
	const char *bytes;
	size_t size;
};
/* A group's key, a place or a slot; the meaning of the parts is where it is made. */
struct tuple {
	uint64_t part[5];
};
/* A list is its last item and the list before it; 0 is the empty one. */
struct chain {
	uint32_t before, item;
	uint32_t length; /* follows from the others */
};

struct text_chunk {
	struct text_chunk *next;
	size_t size, used;
	char bytes[];
};

/* Names and lists by content, shared by the snapshots that are compared.  Text and chain 0 are none. */
struct space {
	struct budget *budget;
	struct text_chunk *chunks;
	struct interner texts, places, chains, groups;
	uint32_t *ranks; /* by chain, greater where the list is; while groups are sorted, or NULL */
	uint64_t seed;
};

void libsnap_interner_begin(struct interner *, size_t item_size, size_t identity_size);
void libsnap_interner_end(struct interner *, const struct snap_allocator *memory);
enum snap_status libsnap_space_begin(struct space *, struct budget *, struct snap_error *);
void libsnap_space_end(struct space *);
enum snap_status libsnap_space_text(struct space *, const char *bytes, size_t size, uint32_t *id, struct snap_error *);
enum snap_status libsnap_space_intern(struct space *, struct interner *, const void *item, uint32_t *id,
				      struct snap_error *);
enum snap_status libsnap_space_chain(struct space *, uint32_t before, uint32_t item, uint32_t *id, struct snap_error *);

static inline struct text_item libsnap_text_at(const struct space *space, uint32_t id)
{
	return ((const struct text_item *)(const void *)space->texts.items)[id];
}
static inline const struct tuple *libsnap_place_at(const struct space *space, uint32_t id)
{
	return &((const struct tuple *)(const void *)space->places.items)[id];
}
static inline const struct tuple *libsnap_group_at(const struct space *space, uint32_t id)
{
	return &((const struct tuple *)(const void *)space->groups.items)[id];
}
static inline const struct chain *libsnap_chain_at(const struct space *space, uint32_t id)
{
	return &((const struct chain *)(const void *)space->chains.items)[id];
}

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
	uint32_t parent, frame; /* ids; frame 0 only where it was lost */
};
struct thread_name {
	uint64_t number;
	uint32_t name;
};
struct shape_name {
	uint32_t type, slots; /* id; chain of places (kind, tag and number of the label, name) */
	uint32_t tail, tail_kind;
};

#define NEED_TYPES 1u
#define NEED_STACKS 2u
#define NEED_FILES 4u
#define NEED_FUNCTIONS 8u
#define NEED_MODULES 16u
#define NEED_THREADS 32u
#define NEED_SHAPE_TYPES 64u
#define NEED_SLOTS 128u

/* All arrays are indexed by id; row 0 is none. */
struct names {
	struct space *space;
	struct snap_reader *reader;
	struct type_name *types;
	struct frame_name *frames;
	struct stack_node *stacks;
	struct thread_name *threads;
	struct shape_name *shapes;
	size_t type_count, frame_count, stack_count, thread_count, shape_count; /* rows + 1 */
	uint64_t lost_rows;
	bool damaged; /* the reader is partial, and something is missing */
};

enum snap_status libsnap_query_names_load(struct names *, struct space *, struct snap_reader *, unsigned needed,
				    struct snap_error *);
void libsnap_query_names_free(struct names *);
enum snap_status libsnap_shapes_load(struct names *, unsigned needed, struct snap_error *);

/* Turns string ids into texts, reading each string once, in the order of the file: mark, load, ask. */
struct resolver {
	struct names *names;
	uint64_t *marked;       /* a bit for each id */
	uint32_t *rank, *texts; /* marked ids before each word; by rank */
	size_t word_count, text_count;
};
enum snap_status libsnap_resolver_begin(struct resolver *, struct names *, struct snap_error *);
static inline void libsnap_resolver_mark(struct resolver *r, uint64_t id)
{
	r->marked[id / 64] |= (uint64_t)1 << id % 64;
}
enum snap_status libsnap_resolver_load(struct resolver *, struct snap_error *);
static inline uint32_t libsnap_resolver_text(const struct resolver *r, uint64_t id)
{
	uint64_t below = r->marked[id / 64] & (((uint64_t)1 << id % 64) - 1);
	return id ? r->texts[r->rank[id / 64] + (uint32_t)__builtin_popcountll(below)] : 0;
}
void libsnap_resolver_end(struct resolver *);

/* The reader is partial, and has met damage by now. */
bool libsnap_query_is_damaged(const struct names *);

/* Rows of some columns of a table, in batches. */
typedef enum snap_status libsnap_take_rows(void *context, uint64_t first_row, size_t count,
					   const uint64_t *const *values, struct snap_error *error);
enum snap_status libsnap_query_each_batch(struct names *, const uint32_t *columns, size_t column_count,
				    libsnap_take_rows *take, void *context, struct snap_error *error);

/* The frames of a stack's own entry: the frame and those that it was inlined into.  SNAP_CORRUPT for circles. */
#define MAX_INLINED 256
enum snap_status libsnap_frame_chain(const struct names *, uint32_t frame, uint32_t ids[MAX_INLINED], size_t *count,
				     struct snap_error *);

/* ---- patterns (filter.c) ---- */

struct filter {
	const struct snap_pattern *patterns;
	size_t count;
	uint64_t includes, excludes, any, with_domain; /* a bit for each pattern */
	uint64_t *stack_bits, *type_bits;              /* by id: the patterns that match; NULL: none of the kind */
	size_t stack_count, type_count;
	struct budget *budget;
	bool needs_stacks, needs_types, needs_domains;
};

enum snap_status libsnap_filter_begin(struct filter *, struct budget *, const struct snap_query_options *,
				      struct snap_error *);
enum snap_status libsnap_filter_load(struct filter *, const struct names *, struct snap_error *);
void libsnap_filter_end(struct filter *);
bool libsnap_filter_keeps(const struct filter *, uint64_t stack, uint64_t type, uint64_t domain);

/* ---- sums (sums.c) ---- */

/* Exact sums, or estimates until they are rounded. */
union measure {
	struct { uint64_t bytes, count; } exact;
	struct { double bytes, count; } estimate;
};
#define SUM_MAX ((uint64_t)INT64_MAX)

struct weigher {
	bool sampled;
	double interval;
};

/* How often blocks of this size come, for each one seen: 1 / (1 - e^(-size / interval)). */
double libsnap_weight(double size, double interval);
/* bytes = count blocks in all; false if the sum is beyond SUM_MAX. */
bool libsnap_measure_add(const struct weigher *, union measure *, uint64_t bytes, uint64_t count);
bool libsnap_measure_merge(const struct weigher *, union measure *, const union measure *);
bool libsnap_measure_finish(const struct weigher *, union measure *);

/* ---- one snapshot's rows (gather.c) ---- */

/* One object row, or one row of the totals: then only the part of its dimension is set. */
struct query_row {
	uint64_t row, type, shape, stack, thread, domain, generation, size_bucket;
	uint64_t address, name, content;
	uint64_t bytes, count;
};
typedef enum snap_status libsnap_take_row(void *context, const struct query_row *, struct snap_error *);

#define DIMENSION(d) (1u << (unsigned)(d))
#define NEED_ROWS DIMENSION(31) /* objects themselves, whatever the totals say */
#define NEED_ADDRESS (NEED_ROWS | DIMENSION(28))
#define NEED_NAME (NEED_ROWS | DIMENSION(29))
#define NEED_CONTENT (NEED_ROWS | DIMENSION(30))

struct row_source {
	struct names *names;
	unsigned dimensions; /* DIMENSION() of what rows must tell; BY_ALL is always there */
	bool from_objects;   /* out: they were scanned */
	libsnap_take_row *take;
	void *context;
};
enum snap_status libsnap_query_rows(struct row_source *, bool prefer_totals, struct snap_error *);

/* ---- answers (answer.c) ---- */

struct snap_answer {
	struct budget budget;
	struct space space;
	struct snap_answer_info info;
	enum snap_order order;
	union measure *sides[2]; /* by group: the only or old and the new one */
	size_t side_capacity[2];
	uint64_t *retained[2];   /* by group, as far as the side knew groups */
	size_t retained_count[2];
	struct snap_fill *fills[2];
	size_t fill_capacity[2];
	uint32_t *rows;          /* groups in order */
	size_t row_capacity;
	struct snap_place *frames;
	struct snap_slot_text *slots;
	struct snap_step_text *steps;
	size_t frame_capacity, slot_capacity, step_capacity;
};

static inline uint64_t libsnap_retained_at(const struct snap_answer *answer, int side, uint32_t group)
{
	return group < answer->retained_count[side] ? answer->retained[side][group] : 0;
}
static inline struct snap_fill libsnap_fill_at(const struct snap_answer *answer, int side, uint32_t group)
{
	return group < answer->fill_capacity[side] ? answer->fills[side][group] : (struct snap_fill){0, 0, 0};
}
uint64_t libsnap_waste(const struct snap_answer *, int side, uint32_t group);
/* Not all groups are rows: a content that one object has is no duplicate. */
bool libsnap_group_is_told(const struct snap_answer *, uint32_t group);

/* ---- keys (keys.c) ---- */

struct key_needs {
	unsigned dimension, names;
	const char *words; /* what objects must have for it, or NULL */
};

extern const struct key_needs libsnap_key_needs[SNAP_KEY_COUNT];
bool libsnap_key_can_cumulate(enum snap_key key);

/* ---- labels of references (labels.c) ---- */

/* A label as ids; its index or key is folded.  Two of them may mean the same. */
enum label_class { LABEL_NONE = 0, LABEL_TEXT = 1, LABEL_INDEX = 2, LABEL_KEY = 3 };
struct labels {
	struct names *names;
	struct interner raw;      /* of tuples: type or 0, kind, class, string id, whether of a root */
	struct tuple last;        /* the one found last, and its number */
	uint32_t last_number;
	struct resolver resolver;
	bool has_resolver;
};

void libsnap_labels_begin(struct labels *, struct names *);
void libsnap_labels_end(struct labels *);
enum snap_status libsnap_labels_find(struct labels *, uint64_t type, const struct snap_graph_reference *,
				     uint32_t *number, struct snap_error *);
enum snap_status libsnap_labels_find_root(struct labels *, uint64_t kind, uint64_t string, uint32_t *number,
					  struct snap_error *);
/* After the last one was found: texts of labels. */
enum snap_status libsnap_labels_load(struct labels *, struct snap_error *);
/* Number as a step to or of that type: name, kind of the type; kind (roots above 2^32), class, text. */
#define STEP_ROOT ((uint64_t)1 << 32)
struct tuple libsnap_labels_step(const struct labels *, uint32_t number, uint64_t type);

/* ---- one snapshot on its way into an answer (side.c) ---- */

struct side {
	struct snap_answer *answer;
	const struct snap_query_options *options;
	struct snap_reader *reader;
	struct names names;
	struct filter filter;
	struct weigher weigher;
	struct snap_graph *graph; /* of the key root */
	int number;               /* which of answer->sides */
	uint32_t *group_of;       /* by id of type, frame, stack ... of the key; NOT_FOUND: not yet */
	size_t group_of_count;
	uint32_t *list_of;        /* by stack: its frames, for traceback */
	size_t list_of_count;
	union measure *of_stack;  /* cumulative: by stack */
	size_t of_stack_count;
	union measure total;
	unsigned present;         /* DIMENSION()s of which a row had a value */
	bool any_rows, scanned;
	size_t object_count;      /* of what follows */
	uint32_t *group_of_row;   /* retained: by object, NOT_FOUND: none */
	uint64_t *bits;           /* dominator: owners; field: owners kept, or NULL: all */
	size_t bit_words;
	struct fields *fields;    /* of the key field */
	struct content *contents; /* of the key duplicate, by id */
	size_t content_count;
	struct resolver resolver; /* names of owners */
	bool has_resolver;
	uint32_t *places, *filled; /* of the key fill, by object */
	uint32_t *path_of;        /* of the key path, by object: a chain */
};

static inline bool libsnap_side_bit(const struct side *side, uint64_t row)
{
	return row < side->object_count && (side->bits[row / 64] >> row % 64 & 1);
}

/* Opens the graph; SNAP_MISUSE if what is asked needs roots, and there are none. */
enum snap_status libsnap_side_graph(struct side *, bool needs_roots, struct snap_error *);
/* Reads the rows that are asked about, or all kept objects for another purpose. */
enum snap_status libsnap_side_rows(struct side *, unsigned dimensions, libsnap_take_row *take, struct snap_error *);
bool libsnap_side_keeps(const struct side *, const struct query_row *);
/* The group's sum. */
enum snap_status libsnap_side_measure(struct side *, uint32_t group, union measure **, struct snap_error *);

/* ---- questions of the graph and of contents (retained.c, fields.c, contents.c, fills.c, paths.c) ---- */

struct content {
	uint64_t length, hash;
	uint32_t text;
};

/* Dominators are found; then each row is told its group, and at last what groups retain is added up. */
enum snap_status libsnap_retained_prepare(struct side *, struct snap_error *);
enum snap_status libsnap_retained_add(struct side *, struct snap_error *);
/* bits: kept objects that no other kept one dominates, synthetic ones left out; and texts of their names. */
enum snap_status libsnap_owners_prepare(struct side *, struct snap_error *);
enum snap_status libsnap_contents_prepare(struct side *, struct snap_error *);
enum snap_status libsnap_fills_prepare(struct side *, struct snap_error *);
enum snap_status libsnap_fills_add(struct side *, uint64_t row, uint32_t group, struct snap_error *);
enum snap_status libsnap_paths_prepare(struct side *, struct snap_error *);
/* All of the key field. */
enum snap_status libsnap_fields_add(struct side *, struct snap_error *);
void libsnap_fields_end(struct side *);

/* Groups of which a row is a member, for the key field: numbers with a mark for those whose owner dominates it. */
#define MEMBER_OWNED ((uint32_t)1 << 31)
const uint32_t *libsnap_fields_members(const struct side *, uint64_t row, size_t *count);

/* Reads, filters and groups; what the side used meanwhile is freed by _end, in every case. */
enum snap_status libsnap_side_add(struct side *, struct snap_error *);
void libsnap_side_end(struct side *);
/* Room for sums of that many groups. */
enum snap_status libsnap_side_reserve(struct snap_answer *, int number, size_t count, struct snap_error *);
enum snap_status libsnap_too_much(struct snap_error *);

/* ---- order (order.c, answer.c) ---- */

enum snap_status libsnap_answer_sort(struct snap_answer *, struct snap_error *);
/* Room for the longest lists, so that telling rows cannot fail. */
enum snap_status libsnap_answer_prepare(struct snap_answer *, struct snap_error *);

#endif
