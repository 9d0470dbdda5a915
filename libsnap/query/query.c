/* The engine: filter, group, add up, order (snap_query.h). */
#include <string.h>

#include "query.h"
#include "snap_graph.h"

#define DEFAULT_MEMORY ((uint64_t)2 << 30)

static const char *const key_names[SNAP_KEY_COUNT] = {
	"type", "shape", "lineno", "filename", "function", "traceback",
	"module", "thread", "domain", "size", "generation", "root",
};

const char *snap_key_name(enum snap_key key)
{
	return (unsigned)key < SNAP_KEY_COUNT ? key_names[key] : NULL;
}

bool snap_key_find(const char *name, enum snap_key *key)
{
	for (unsigned i = 0; i < SNAP_KEY_COUNT; i++) {
		if (!strcmp(name, key_names[i])) {
			*key = (enum snap_key)i;
			return true;
		}
	}
	return false;
}

enum snap_key snap_key_default(struct snap_reader *reader)
{
	if (snap_reader_row_count(reader, SNAP_STACKS)) {
		if (snap_reader_has_column(reader, SNAP_FRAME_FILE))
			return SNAP_KEY_LINENO;
		return snap_reader_has_column(reader, SNAP_FRAME_FUNCTION) ? SNAP_KEY_FUNCTION : SNAP_KEY_TRACEBACK;
	}
	return snap_reader_row_count(reader, SNAP_TYPES) ? SNAP_KEY_TYPE : SNAP_KEY_SIZE;
}

/* ---- what a key needs ---- */

struct key_needs {
	unsigned dimension, names;
	const char *words; /* what objects must have for it, or NULL */
};

static const struct key_needs needs_of[SNAP_KEY_COUNT] = {
	[SNAP_KEY_TYPE] = {DIMENSION(SNAP_BY_TYPE), NEED_TYPES, "types"},
	[SNAP_KEY_SHAPE] = {DIMENSION(SNAP_BY_SHAPE), NEED_TYPES | NEED_SHAPE_TYPES | NEED_SLOTS, "shapes"},
	[SNAP_KEY_LINENO] = {DIMENSION(SNAP_BY_STACK), NEED_STACKS | NEED_FILES, "call stacks"},
	[SNAP_KEY_FILENAME] = {DIMENSION(SNAP_BY_STACK), NEED_STACKS | NEED_FILES, "call stacks"},
	[SNAP_KEY_FUNCTION] = {DIMENSION(SNAP_BY_STACK), NEED_STACKS | NEED_FILES | NEED_FUNCTIONS | NEED_MODULES,
			       "call stacks"},
	[SNAP_KEY_TRACEBACK] = {DIMENSION(SNAP_BY_STACK), NEED_STACKS | NEED_FILES | NEED_FUNCTIONS | NEED_MODULES,
				"call stacks"},
	[SNAP_KEY_MODULE] = {DIMENSION(SNAP_BY_STACK), NEED_STACKS | NEED_MODULES, "call stacks"},
	[SNAP_KEY_THREAD] = {DIMENSION(SNAP_BY_THREAD), NEED_THREADS, "threads"},
	[SNAP_KEY_DOMAIN] = {DIMENSION(SNAP_BY_DOMAIN), 0, NULL},
	[SNAP_KEY_SIZE] = {DIMENSION(SNAP_BY_SIZE), 0, NULL},
	[SNAP_KEY_GENERATION] = {DIMENSION(SNAP_BY_GENERATION), 0, NULL},
	[SNAP_KEY_ROOT] = {NEED_ROWS, 0, NULL},
};

static bool can_cumulate(enum snap_key key)
{
	return key == SNAP_KEY_LINENO || key == SNAP_KEY_FILENAME || key == SNAP_KEY_FUNCTION || key == SNAP_KEY_MODULE;
}

/* ---- one snapshot on its way into an answer ---- */

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
	bool any_rows;
};

static enum snap_status too_much(struct snap_error *error)
{
	return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET, "a sum of bytes or counts is over 2^63");
}

static enum snap_status reserve_side(struct snap_answer *answer, int number, size_t count, struct snap_error *error)
{
	size_t old = answer->side_capacity[number];
	if (count <= old && answer->sides[number])
		return SNAP_OK;
	union measure *larger = libsnap_grow(&answer->budget.allocator, answer->sides[number],
					     &answer->side_capacity[number], count, sizeof(*larger));
	if (!larger)
		return libsnap_budget_fail(&answer->budget, error);
	memset(larger + old, 0, (answer->side_capacity[number] - old) * sizeof(*larger));
	answer->sides[number] = larger;
	return SNAP_OK;
}

static enum snap_status group_measure(struct side *side, uint32_t group, union measure **out, struct snap_error *error)
{
	enum snap_status status = reserve_side(side->answer, side->number, (size_t)group + 1, error);
	if (status == SNAP_OK)
		*out = &side->answer->sides[side->number][group];
	return status;
}

/* ---- from a row to its group ---- */

static struct tuple frame_key(const struct side *side, uint32_t id)
{
	const struct frame_name *frame = &side->names.frames[id];
	switch (side->options->key) {
	case SNAP_KEY_LINENO: return (struct tuple){{frame->file, frame->file ? frame->line : 0}};
	case SNAP_KEY_FILENAME: return (struct tuple){{frame->file}};
	case SNAP_KEY_FUNCTION: return (struct tuple){{frame->function, frame->file, frame->module}};
	default: return (struct tuple){{frame->module}};
	}
}

/* The row's id in the table that group_of goes by, and its key. */
static enum snap_status key_of(struct side *side, const struct query_row *row, uint64_t *id, struct tuple *key,
			       struct snap_error *error)
{
	const struct names *names = &side->names;
	*id = UINT64_MAX;
	*key = (struct tuple){{0}};
	switch (side->options->key) {
	case SNAP_KEY_TYPE:
		*id = row->type;
		*key = (struct tuple){{names->types[row->type].name, names->types[row->type].kind}};
		break;
	case SNAP_KEY_SHAPE: {
		const struct shape_name *shape = &names->shapes[row->shape];
		const struct type_name *type = &names->types[shape->type];
		*id = row->shape;
		*key = (struct tuple){{type->name, type->kind, shape->slots, shape->tail, shape->tail_kind}};
		break;
	}
	case SNAP_KEY_LINENO:
	case SNAP_KEY_FILENAME:
	case SNAP_KEY_FUNCTION:
	case SNAP_KEY_MODULE:
		*id = names->stacks[row->stack].frame;
		*key = frame_key(side, (uint32_t)*id);
		break;
	case SNAP_KEY_TRACEBACK:
		*id = row->stack;
		*key = (struct tuple){{side->list_of[row->stack]}};
		break;
	case SNAP_KEY_THREAD: {
		const struct thread_name *thread = &names->threads[row->thread];
		*id = row->thread;
		*key = (struct tuple){{row->thread != 0, thread->number, thread->name}};
		break;
	}
	case SNAP_KEY_DOMAIN: *key = (struct tuple){{row->domain}}; break;
	case SNAP_KEY_GENERATION: *key = (struct tuple){{row->generation}}; break;
	case SNAP_KEY_SIZE: *key = (struct tuple){{row->size_bucket}}; break;
	case SNAP_KEY_ROOT: {
		uint32_t index = snap_graph_group_of(side->graph, row->row), label;
		if (index == SNAP_GRAPH_NO_GROUP)
			break;
		struct snap_graph_group root;
		snap_graph_group(side->graph, index, &root);
		*id = index;
		if (side->group_of[index] != NOT_FOUND)
			break;
		enum snap_status status = libsnap_space_text(&side->answer->space, root.label, root.label_size, &label,
							     error);
		if (status != SNAP_OK)
			return status;
		*key = (struct tuple){{(uint64_t)root.kind + 1, label}};
		break;
	}
	}
	return SNAP_OK;
}

static enum snap_status find_group(struct side *side, uint64_t id, const struct tuple *key, uint32_t *group,
				   struct snap_error *error)
{
	bool has_id = id < side->group_of_count;
	if (has_id && side->group_of[id] != NOT_FOUND) {
		*group = side->group_of[id];
		return SNAP_OK;
	}
	struct space *space = &side->answer->space;
	enum snap_status status = libsnap_space_intern(space, &space->groups, key, group, error);
	if (status == SNAP_OK && has_id)
		side->group_of[id] = *group;
	return status;
}

static void note_presence(struct side *side, const struct query_row *row)
{
	side->any_rows = true;
	side->present |= (row->type ? DIMENSION(SNAP_BY_TYPE) : 0) | (row->stack ? DIMENSION(SNAP_BY_STACK) : 0) |
			 (row->thread ? DIMENSION(SNAP_BY_THREAD) : 0) | (row->shape ? DIMENSION(SNAP_BY_SHAPE) : 0);
}

static enum snap_status take_row(void *context, const struct query_row *row, struct snap_error *error)
{
	struct side *side = context;
	if (row->bytes == 0 && row->count == 0)
		return SNAP_OK;
	note_presence(side, row);
	if (!libsnap_filter_keeps(&side->filter, row->stack, row->type, row->domain))
		return SNAP_OK;
	if (!libsnap_measure_add(&side->weigher, &side->total, row->bytes, row->count))
		return too_much(error);
	if (side->of_stack) {
		bool fits = libsnap_measure_add(&side->weigher, &side->of_stack[row->stack], row->bytes, row->count);
		return fits ? SNAP_OK : too_much(error);
	}
	uint64_t id;
	struct tuple key;
	uint32_t group;
	union measure *sum;
	enum snap_status status = key_of(side, row, &id, &key, error);
	if (status == SNAP_OK)
		status = find_group(side, id, &key, &group, error);
	if (status == SNAP_OK)
		status = group_measure(side, group, &sum, error);
	if (status != SNAP_OK)
		return status;
	return libsnap_measure_add(&side->weigher, sum, row->bytes, row->count) ? SNAP_OK : too_much(error);
}

/* ---- tracebacks ---- */

/* A frame with a file is its file and line, as tracemalloc has it. */
static enum snap_status add_place(struct side *side, uint32_t frame_id, uint32_t *list, struct snap_error *error)
{
	const struct frame_name *frame = &side->names.frames[frame_id];
	struct tuple place = {{frame->file, frame->line}};
	if (!frame->file)
		place = (struct tuple){{0, 0, frame->function, frame->module, frame->offset}};
	struct space *space = &side->answer->space;
	uint32_t item;
	enum snap_status status = libsnap_space_intern(space, &space->places, &place, &item, error);
	return status == SNAP_OK ? libsnap_space_chain(space, *list, item, list, error) : status;
}

/* Parents are earlier rows, so their lists are there already. */
static enum snap_status list_tracebacks(struct side *side, struct snap_error *error)
{
	side->list_of = libsnap_alloc_zeroed(&side->answer->budget.allocator, side->names.stack_count, sizeof(uint32_t));
	if (!side->list_of)
		return libsnap_budget_fail(&side->answer->budget, error);
	side->list_of_count = side->names.stack_count;
	for (size_t i = 1; i < side->names.stack_count; i++) {
		const struct stack_node *stack = &side->names.stacks[i];
		uint32_t frames[MAX_INLINED];
		size_t count;
		enum snap_status status = libsnap_frame_chain(&side->names, stack->frame, frames, &count, error);
		side->list_of[i] = side->list_of[stack->parent];
		while (status == SNAP_OK && count > 0)
			status = add_place(side, frames[--count], &side->list_of[i], error);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

/* ---- cumulative ---- */

static enum snap_status add_to_frames(struct side *side, uint32_t frame, const union measure *sum,
				      struct snap_error *error)
{
	uint32_t frames[MAX_INLINED], group;
	size_t count;
	enum snap_status status = libsnap_frame_chain(&side->names, frame, frames, &count, error);
	if (status == SNAP_OK && count == 0)
		frames[count++] = 0;
	for (size_t i = 0; status == SNAP_OK && i < count; i++) {
		struct tuple key = frame_key(side, frames[i]);
		union measure *total;
		status = find_group(side, frames[i], &key, &group, error);
		if (status == SNAP_OK)
			status = group_measure(side, group, &total, error);
		if (status == SNAP_OK && !libsnap_measure_merge(&side->weigher, total, sum))
			status = too_much(error);
	}
	return status;
}

/* A stack counts for its frames and for its callers; from the last row on, callers come later. */
static enum snap_status spread_over_callers(struct side *side, struct snap_error *error)
{
	for (size_t i = side->of_stack_count; i-- > 0;) {
		const union measure *sum = &side->of_stack[i];
		if (sum->exact.bytes == 0 && sum->exact.count == 0)
			continue;
		enum snap_status status = add_to_frames(side, side->names.stacks[i].frame, sum, error);
		if (status != SNAP_OK)
			return status;
		uint32_t parent = side->names.stacks[i].parent;
		if (parent && !libsnap_measure_merge(&side->weigher, &side->of_stack[parent], sum))
			return too_much(error);
	}
	return SNAP_OK;
}

/* ---- one snapshot ---- */

static enum snap_status make_group_map(struct side *side, size_t count, struct snap_error *error)
{
	if (count == 0)
		return SNAP_OK;
	side->group_of = libsnap_alloc(&side->answer->budget.allocator, count, sizeof(uint32_t));
	if (!side->group_of)
		return libsnap_budget_fail(&side->answer->budget, error);
	memset(side->group_of, 0xff, count * sizeof(uint32_t));
	side->group_of_count = count;
	return SNAP_OK;
}

static enum snap_status open_graph(struct side *side, struct snap_error *error)
{
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct budget *budget = &side->answer->budget;
	options.allocator = &budget->allocator;
	options.max_memory_bytes = budget->limit - budget->used;
	if (snap_reader_row_count(side->reader, SNAP_ROOTS) == 0 && snap_reader_row_count(side->reader, SNAP_OBJECTS))
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "the snapshot has no roots");
	enum snap_status status = snap_graph_open(&side->graph, side->reader, &options, error);
	if (status == SNAP_OK)
		status = snap_graph_attribute_roots(side->graph, error);
	if (status == SNAP_OK)
		status = make_group_map(side, snap_graph_group_count(side->graph), error);
	return status;
}

/* What the key maps its ids to. */
static enum snap_status prepare_key(struct side *side, struct snap_error *error)
{
	const struct names *names = &side->names;
	switch (side->options->key) {
	case SNAP_KEY_TYPE: return make_group_map(side, names->type_count, error);
	case SNAP_KEY_SHAPE: return make_group_map(side, names->shape_count, error);
	case SNAP_KEY_THREAD: return make_group_map(side, names->thread_count, error);
	case SNAP_KEY_LINENO:
	case SNAP_KEY_FILENAME:
	case SNAP_KEY_FUNCTION:
	case SNAP_KEY_MODULE: return make_group_map(side, names->frame_count, error);
	case SNAP_KEY_TRACEBACK: {
		enum snap_status status = list_tracebacks(side, error);
		return status == SNAP_OK ? make_group_map(side, names->stack_count, error) : status;
	}
	case SNAP_KEY_ROOT: return open_graph(side, error);
	default: return SNAP_OK;
	}
}

static enum snap_status prepare_cumulative(struct side *side, struct snap_error *error)
{
	if (!side->options->cumulative)
		return SNAP_OK;
	side->of_stack = libsnap_alloc_zeroed(&side->answer->budget.allocator, side->names.stack_count,
					      sizeof(union measure));
	side->of_stack_count = side->names.stack_count;
	return side->of_stack ? SNAP_OK : libsnap_budget_fail(&side->answer->budget, error);
}

static void side_end(struct side *side)
{
	const struct snap_allocator *memory = &side->answer->budget.allocator;
	libsnap_free(memory, side->group_of, side->group_of_count, sizeof(uint32_t));
	libsnap_free(memory, side->list_of, side->list_of_count, sizeof(uint32_t));
	libsnap_free(memory, side->of_stack, side->of_stack_count, sizeof(union measure));
	snap_graph_close(side->graph);
	libsnap_filter_end(&side->filter);
	libsnap_query_names_free(&side->names);
}

static unsigned dimensions_of(const struct side *side)
{
	return needs_of[side->options->key].dimension | (side->filter.needs_stacks ? DIMENSION(SNAP_BY_STACK) : 0) |
	       (side->filter.needs_types ? DIMENSION(SNAP_BY_TYPE) : 0) |
	       (side->filter.needs_domains ? DIMENSION(SNAP_BY_DOMAIN) : 0);
}

static unsigned names_of(const struct side *side)
{
	unsigned needed = needs_of[side->options->key].names;
	for (size_t i = 0; i < side->options->pattern_count; i++) {
		switch (side->options->patterns[i].kind) {
		case SNAP_PATTERN_FILE: needed |= NEED_STACKS | NEED_FILES; break;
		case SNAP_PATTERN_FUNCTION: needed |= NEED_STACKS | NEED_FUNCTIONS; break;
		case SNAP_PATTERN_MODULE: needed |= NEED_STACKS | NEED_MODULES; break;
		case SNAP_PATTERN_TYPE: needed |= NEED_TYPES; break;
		case SNAP_PATTERN_ANY: break;
		}
	}
	return needed;
}

static const char *word_of_side(const struct side *side)
{
	return !side->answer->info.compared ? "the" : side->number ? "the new" : "the old";
}

/* A question about what no object has is refused: its answer would look like one. */
static enum snap_status check_presence(const struct side *side, struct snap_error *error)
{
	const struct key_needs *needs = &needs_of[side->options->key];
	const char *missing = NULL;
	if (needs->words && !(side->present & needs->dimension))
		missing = needs->words;
	else if (side->filter.needs_stacks && !(side->present & DIMENSION(SNAP_BY_STACK)))
		missing = "call stacks";
	else if (side->filter.needs_types && !(side->present & DIMENSION(SNAP_BY_TYPE)))
		missing = "types";
	if (!missing || !side->any_rows)
		return SNAP_OK;
	return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "%s snapshot has no %s", word_of_side(side), missing);
}

static enum snap_status add_rows(struct side *side, struct snap_error *error)
{
	struct row_source source = {.names = &side->names, .dimensions = dimensions_of(side), .take = take_row,
				    .context = side};
	bool prefer_totals = !side->weigher.sampled || side->answer->info.by_average;
	enum snap_status status = libsnap_query_rows(&source, prefer_totals, error);
	if (status == SNAP_OK)
		status = check_presence(side, error);
	if (status == SNAP_OK && side->of_stack)
		status = spread_over_callers(side, error);
	side->answer->info.scanned |= source.from_objects;
	if (status == SNAP_OK && side->weigher.sampled && !source.from_objects)
		side->answer->info.by_average = true;
	return status;
}

static enum snap_status add_side(struct side *side, struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	if (needs_of[side->options->key].dimension & DIMENSION(SNAP_BY_SHAPE)) {
		struct snap_reader_info info;
		snap_reader_info(side->reader, &info);
		if (info.flags & SNAP_SNAPSHOT_TOTALS_ONLY)
			return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
					    "a snapshot with totals only has no shapes");
	}
	enum snap_status status = libsnap_filter_begin(&side->filter, &answer->budget, side->options, error);
	if (status == SNAP_OK)
		status = libsnap_query_names_load(&side->names, &answer->space, side->reader, names_of(side), error);
	if (status == SNAP_OK)
		status = libsnap_filter_load(&side->filter, &side->names, error);
	if (status == SNAP_OK)
		status = prepare_key(side, error);
	if (status == SNAP_OK)
		status = prepare_cumulative(side, error);
	if (status == SNAP_OK)
		status = add_rows(side, error);
	uint64_t lost = side->names.lost_rows;
	if (side->graph) {
		struct snap_graph_info info;
		snap_graph_info(side->graph, &info);
		lost += info.lost_references;
	}
	*(answer->info.compared && side->number == 0 ? &answer->info.old_lost_rows : &answer->info.lost_rows) = lost;
	return status;
}

/* ---- the answer ---- */

static enum snap_status finish_sums(struct snap_answer *answer, struct side *sides, int side_count,
				    struct snap_error *error)
{
	size_t groups = answer->space.groups.count;
	for (int i = 0; i < side_count; i++) {
		enum snap_status status = reserve_side(answer, i, groups, error);
		if (status != SNAP_OK)
			return status;
		bool fits = libsnap_measure_finish(&sides[i].weigher, &sides[i].total);
		for (size_t group = 0; group < groups; group++)
			fits &= libsnap_measure_finish(&sides[i].weigher, &answer->sides[i][group]);
		if (!fits)
			return too_much(error);
	}
	answer->info.bytes = sides[side_count - 1].total.exact.bytes;
	answer->info.count = sides[side_count - 1].total.exact.count;
	if (side_count == 2) {
		answer->info.old_bytes = sides[0].total.exact.bytes;
		answer->info.old_count = sides[0].total.exact.count;
	}
	return SNAP_OK;
}

/* Without names on one side alone every key would be new or gone. */
static enum snap_status check_names(const struct snap_answer *answer, struct snap_error *error)
{
	static const struct tuple none;
	bool named[2] = {false, false}, any[2] = {false, false};
	if (!needs_of[answer->info.key].words)
		return SNAP_OK;
	for (uint32_t group = 0; group < answer->space.groups.count; group++) {
		bool is_named = memcmp(libsnap_group_at(&answer->space, group), &none, sizeof(none)) != 0;
		for (int side = 0; side < 2; side++) {
			bool is_there = answer->sides[side][group].exact.count > 0;
			any[side] |= is_there;
			named[side] |= is_there && is_named;
		}
	}
	for (int side = 0; side < 2; side++)
		if (any[side] && !named[side] && named[!side])
			return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
					    "the %s snapshot has no names to compare by %s, and the other one has",
					    side ? "new" : "old", snap_key_name(answer->info.key));
	return SNAP_OK;
}

static enum snap_status check_options(const struct snap_query_options *options, struct snap_error *error)
{
	if ((unsigned)options->key >= SNAP_KEY_COUNT || (unsigned)options->order > SNAP_ORDER_AVERAGE)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "no such key or order");
	if (options->cumulative && !can_cumulate(options->key))
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "cumulative mode cannot be used with key %s",
				    snap_key_name(options->key));
	return SNAP_OK;
}

/* Exact sums and estimates do not mix, nor do two ways to estimate. */
static enum snap_status choose_weights(struct snap_answer *answer, struct side *sides, int side_count,
				       const struct snap_query_options *options, struct snap_error *error)
{
	answer->info.by_average = false;
	for (int i = 0; i < side_count; i++) {
		struct snap_reader_info info;
		snap_reader_info(sides[i].reader, &info);
		bool sampled = info.flags & SNAP_SNAPSHOT_SAMPLED;
		if (i > 0 && sampled != answer->info.estimated)
			return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
					    "the %s snapshot is sampled and the other one is exact",
					    sampled ? "new" : "old");
		sides[i].weigher = (struct weigher){sampled, (double)info.sampling_interval_bytes};
		answer->info.estimated = sampled;
		answer->info.sampling_interval_bytes = info.sampling_interval_bytes;
		if (sampled && (options->by_average || (info.flags & SNAP_SNAPSHOT_TOTALS_ONLY)))
			answer->info.by_average = true;
	}
	return SNAP_OK;
}

static enum snap_status fill_answer(struct snap_answer *answer, struct side *sides, int side_count,
				    const struct snap_query_options *options, struct snap_error *error)
{
	enum snap_status status = libsnap_space_begin(&answer->space, &answer->budget, error);
	if (status == SNAP_OK)
		status = choose_weights(answer, sides, side_count, options, error);
	for (int i = 0; status == SNAP_OK && i < side_count; i++) {
		status = add_side(&sides[i], error);
		side_end(&sides[i]);
	}
	if (status == SNAP_OK)
		status = finish_sums(answer, sides, side_count, error);
	if (status == SNAP_OK && side_count == 2)
		status = check_names(answer, error);
	if (status == SNAP_OK)
		status = libsnap_answer_sort(answer, error);
	return status == SNAP_OK ? libsnap_answer_prepare(answer, error) : status;
}

static enum snap_status ask(struct snap_answer **out, struct snap_reader *const *readers, int side_count,
			    const struct snap_query_options *given, struct snap_error *error)
{
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	enum snap_status status = libsnap_copy_options(&options, sizeof(options), given, error);
	if (status == SNAP_OK)
		status = check_options(&options, error);
	if (status != SNAP_OK)
		return status;
	struct snap_answer *answer = libsnap_alloc_zeroed(options.allocator, 1, sizeof(*answer));
	if (!answer)
		return libsnap_fail_memory(error);
	libsnap_budget_begin(&answer->budget, options.allocator,
			     options.max_memory_bytes ? options.max_memory_bytes : DEFAULT_MEMORY);
	answer->info.key = options.key;
	answer->info.cumulative = options.cumulative;
	answer->info.compared = side_count == 2;
	answer->order = options.order;
	struct side sides[2];
	for (int i = 0; i < side_count; i++)
		sides[i] = (struct side){.answer = answer, .options = &options, .reader = readers[i], .number = i};
	status = fill_answer(answer, sides, side_count, &options, error);
	if (status != SNAP_OK) {
		snap_answer_free(answer);
		return status;
	}
	*out = answer;
	return SNAP_OK;
}

enum snap_status snap_query(struct snap_answer **out, struct snap_reader *reader,
			    const struct snap_query_options *options, struct snap_error *error)
{
	return ask(out, &reader, 1, options, error);
}

enum snap_status snap_query_compare(struct snap_answer **out, struct snap_reader *old_reader,
				    struct snap_reader *new_reader, const struct snap_query_options *options,
				    struct snap_error *error)
{
	struct snap_reader *readers[2] = {old_reader, new_reader};
	return ask(out, readers, 2, options, error);
}
