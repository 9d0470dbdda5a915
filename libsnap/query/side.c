/* One snapshot on its way into an answer: its rows find their groups, and are added up. */
#include <string.h>

#include "query.h"

enum snap_status libsnap_too_much(struct snap_error *error)
{
	return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
			    "a sum of bytes or counts is over 2^63");
}

enum snap_status libsnap_side_reserve(struct snap_answer *answer, int number, size_t count,
				      struct snap_error *error)
{
	size_t old = answer->side_capacity[number];
	if (count <= old && answer->sides[number])
		return SNAP_OK;
	union measure *larger =
		libsnap_grow(&answer->budget.allocator, answer->sides[number],
			     &answer->side_capacity[number], count, sizeof(*larger));
	if (!larger)
		return libsnap_budget_fail(&answer->budget, error);
	memset(larger + old, 0, (answer->side_capacity[number] - old) * sizeof(*larger));
	answer->sides[number] = larger;
	return SNAP_OK;
}

enum snap_status libsnap_side_measure(struct side *side, uint32_t group, union measure **out,
				      struct snap_error *error)
{
	enum snap_status status =
		libsnap_side_reserve(side->answer, side->number, (size_t)group + 1, error);
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
	case SNAP_KEY_FUNCTION:
		return (struct tuple){{frame->function, frame->file, frame->module}};
	default: return (struct tuple){{frame->module}};
	}
}

/* SNAP_END: another object owns it. */
static enum snap_status owner_key(const struct side *side, const struct query_row *row,
				  struct tuple *key)
{
	if (!libsnap_side_bit(side, row->row))
		return SNAP_END;
	const struct type_name *type = &side->names.types[row->type];
	*key = (struct tuple){{type->name, type->kind, row->address,
			       libsnap_resolver_text(&side->resolver, row->name),
			       row->address ? 0 : row->row + 1}};
	return SNAP_OK;
}

/* SNAP_END: it has none. */
static enum snap_status content_key(const struct side *side, const struct query_row *row,
				    struct tuple *key)
{
	if (row->content == 0 || row->content >= side->content_count)
		return SNAP_END;
	const struct type_name *type = &side->names.types[row->type];
	const struct content *content = &side->contents[row->content];
	*key = (struct tuple){
		{type->name, type->kind, content->length, content->hash, content->text}};
	return SNAP_OK;
}

/* The row's id in the table that group_of goes by, and its key.  SNAP_END: it is in no group. */
static enum snap_status key_of(struct side *side, const struct query_row *row, uint64_t *id,
			       struct tuple *key, struct snap_error *error)
{
	const struct names *names = &side->names;
	*id = UINT64_MAX;
	*key = (struct tuple){{0}};
	switch (side->options->key) {
	case SNAP_KEY_TYPE:
	case SNAP_KEY_FILL:
		*id = row->type;
		*key = (struct tuple){{names->types[row->type].name, names->types[row->type].kind}};
		break;
	case SNAP_KEY_SHAPE: {
		const struct shape_name *shape = &names->shapes[row->shape];
		const struct type_name *type = &names->types[shape->type];
		*id = row->shape;
		*key = (struct tuple){
			{type->name, type->kind, shape->slots, shape->tail, shape->tail_kind}};
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
		enum snap_status status = libsnap_space_text(&side->answer->space, root.label,
							     root.label_size, &label, error);
		if (status != SNAP_OK)
			return status;
		*key = (struct tuple){{(uint64_t)root.kind + 1, label}};
		break;
	}
	case SNAP_KEY_DOMINATOR: return owner_key(side, row, key);
	case SNAP_KEY_DUPLICATE: return content_key(side, row, key);
	case SNAP_KEY_PATH:
		*id = row->row < side->object_count ? side->path_of[row->row] : 0;
		*key = (struct tuple){{*id}};
		break;
	case SNAP_KEY_FIELD: break;
	}
	return SNAP_OK;
}

static enum snap_status find_group(struct side *side, uint64_t id, const struct tuple *key,
				   uint32_t *group, struct snap_error *error)
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
	side->present |= (row->type ? DIMENSION(SNAP_BY_TYPE) : 0) |
			 (row->stack ? DIMENSION(SNAP_BY_STACK) : 0) |
			 (row->thread ? DIMENSION(SNAP_BY_THREAD) : 0) |
			 (row->shape ? DIMENSION(SNAP_BY_SHAPE) : 0);
}

bool libsnap_side_keeps(const struct side *side, const struct query_row *row)
{
	return libsnap_filter_keeps(&side->filter, row->stack, row->type, row->domain);
}

/* What else is known of each object. */
static enum snap_status note_group(struct side *side, const struct query_row *row, uint32_t group,
				   struct snap_error *error)
{
	if (row->row >= side->object_count)
		return SNAP_OK;
	if (side->group_of_row)
		side->group_of_row[row->row] = group;
	return side->places ? libsnap_fills_add(side, row->row, group, error) : SNAP_OK;
}

static enum snap_status take_row(void *context, const struct query_row *row,
				 struct snap_error *error)
{
	struct side *side = context;
	if (row->bytes == 0 && row->count == 0)
		return SNAP_OK;
	note_presence(side, row);
	if (!libsnap_side_keeps(side, row))
		return SNAP_OK;
	if (!libsnap_measure_add(&side->weigher, &side->total, row->bytes, row->count))
		return libsnap_too_much(error);
	if (side->of_stack) {
		bool fits = libsnap_measure_add(&side->weigher, &side->of_stack[row->stack],
						row->bytes, row->count);
		return fits ? SNAP_OK : libsnap_too_much(error);
	}
	uint64_t id;
	struct tuple key;
	uint32_t group;
	union measure *sum;
	enum snap_status status = key_of(side, row, &id, &key, error);
	if (status == SNAP_END)
		return SNAP_OK;
	if (status == SNAP_OK)
		status = find_group(side, id, &key, &group, error);
	if (status == SNAP_OK)
		status = libsnap_side_measure(side, group, &sum, error);
	if (status == SNAP_OK)
		status = note_group(side, row, group, error);
	if (status != SNAP_OK)
		return status;
	return libsnap_measure_add(&side->weigher, sum, row->bytes, row->count)
		       ? SNAP_OK
		       : libsnap_too_much(error);
}

/* ---- tracebacks ---- */

/* A frame with a file is its file and line, as tracemalloc has it. */
static enum snap_status place_frames(struct side *side, uint32_t *place_of,
				     struct snap_error *error)
{
	struct space *space = &side->answer->space;
	for (size_t i = 1; i < side->names.frame_count; i++) {
		const struct frame_name *frame = &side->names.frames[i];
		struct tuple place = {{frame->file, frame->line}};
		if (!frame->file)
			place = (struct tuple){
				{0, 0, frame->function, frame->module, frame->offset}};
		enum snap_status status =
			libsnap_space_intern(space, &space->places, &place, &place_of[i], error);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

/* Parents are earlier rows, so their lists are there already. */
static enum snap_status list_stacks(struct side *side, const uint32_t *place_of,
				    struct snap_error *error)
{
	for (size_t i = 1; i < side->names.stack_count; i++) {
		const struct stack_node *stack = &side->names.stacks[i];
		uint32_t frames[MAX_INLINED], *list = &side->list_of[i];
		size_t count;
		enum snap_status status =
			libsnap_frame_chain(&side->names, stack->frame, frames, &count, error);
		*list = side->list_of[stack->parent];
		while (status == SNAP_OK && count > 0)
			status = libsnap_space_chain(&side->answer->space, *list,
						     place_of[frames[--count]], list, error);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

static enum snap_status list_tracebacks(struct side *side, struct snap_error *error)
{
	const struct snap_allocator *memory = &side->answer->budget.allocator;
	side->list_of = libsnap_alloc_zeroed(memory, side->names.stack_count, sizeof(uint32_t));
	side->list_of_count = side->names.stack_count;
	uint32_t *place_of =
		libsnap_alloc_zeroed(memory, side->names.frame_count, sizeof(uint32_t));
	enum snap_status status = SNAP_OK;
	if (!side->list_of || !place_of)
		status = libsnap_budget_fail(&side->answer->budget, error);
	if (status == SNAP_OK)
		status = place_frames(side, place_of, error);
	if (status == SNAP_OK)
		status = list_stacks(side, place_of, error);
	libsnap_free(memory, place_of, side->names.frame_count, sizeof(uint32_t));
	return status;
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
			status = libsnap_side_measure(side, group, &total, error);
		if (status == SNAP_OK && !libsnap_measure_merge(&side->weigher, total, sum))
			status = libsnap_too_much(error);
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
		enum snap_status status =
			add_to_frames(side, side->names.stacks[i].frame, sum, error);
		if (status != SNAP_OK)
			return status;
		uint32_t parent = side->names.stacks[i].parent;
		if (parent && !libsnap_measure_merge(&side->weigher, &side->of_stack[parent], sum))
			return libsnap_too_much(error);
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

enum snap_status libsnap_side_graph(struct side *side, bool needs_roots, struct snap_error *error)
{
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct budget *budget = &side->answer->budget;
	options.allocator = &budget->allocator;
	options.max_memory_bytes = budget->limit - budget->used;
	struct snap_reader_info reading;
	snap_reader_info(side->reader, &reading);
	if (reading.flags & SNAP_SNAPSHOT_TOTALS_ONLY)
		return libsnap_fail(
			error, SNAP_MISUSE, SNAP_NO_OFFSET,
			"this question needs the objects, and the snapshot has totals only");
	if (needs_roots && snap_reader_row_count(side->reader, SNAP_ROOTS) == 0 &&
	    snap_reader_row_count(side->reader, SNAP_OBJECTS))
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "the snapshot has no roots");
	if (side->graph)
		return SNAP_OK;
	enum snap_status status = snap_graph_open(&side->graph, side->reader, &options, error);
	if (status != SNAP_OK)
		return status;
	struct snap_graph_info info;
	snap_graph_info(side->graph, &info);
	side->object_count = (size_t)info.objects;
	return SNAP_OK;
}

static enum snap_status prepare_roots(struct side *side, struct snap_error *error)
{
	enum snap_status status = libsnap_side_graph(side, true, error);
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
	case SNAP_KEY_ROOT: return prepare_roots(side, error);
	case SNAP_KEY_DOMINATOR: return libsnap_owners_prepare(side, error);
	case SNAP_KEY_DUPLICATE: return libsnap_contents_prepare(side, error);
	case SNAP_KEY_FILL: {
		enum snap_status status = libsnap_fills_prepare(side, error);
		return status == SNAP_OK ? make_group_map(side, names->type_count, error) : status;
	}
	case SNAP_KEY_PATH: {
		enum snap_status status = libsnap_paths_prepare(side, error);
		size_t paths = side->answer->space.chains.count;
		return status == SNAP_OK ? make_group_map(side, paths, error) : status;
	}
	default: return SNAP_OK;
	}
}

static enum snap_status prepare_cumulative(struct side *side, struct snap_error *error)
{
	if (!side->options->cumulative)
		return SNAP_OK;
	side->of_stack = libsnap_alloc_zeroed(&side->answer->budget.allocator,
					      side->names.stack_count, sizeof(union measure));
	side->of_stack_count = side->names.stack_count;
	return side->of_stack ? SNAP_OK : libsnap_budget_fail(&side->answer->budget, error);
}

void libsnap_side_end(struct side *side)
{
	const struct snap_allocator *memory = &side->answer->budget.allocator;
	libsnap_free(memory, side->group_of, side->group_of_count, sizeof(uint32_t));
	libsnap_free(memory, side->list_of, side->list_of_count, sizeof(uint32_t));
	libsnap_free(memory, side->of_stack, side->of_stack_count, sizeof(union measure));
	libsnap_fields_end(side);
	libsnap_free(memory, side->group_of_row, side->object_count, sizeof(uint32_t));
	libsnap_free(memory, side->bits, side->bit_words, sizeof(uint64_t));
	libsnap_free(memory, side->contents, side->content_count, sizeof(struct content));
	libsnap_free(memory, side->places, side->object_count, sizeof(uint32_t));
	libsnap_free(memory, side->filled, side->object_count, sizeof(uint32_t));
	libsnap_free(memory, side->path_of, side->object_count, sizeof(uint32_t));
	if (side->has_resolver)
		libsnap_resolver_end(&side->resolver);
	snap_graph_close(side->graph);
	libsnap_filter_end(&side->filter);
	libsnap_query_names_free(&side->names);
}

static unsigned filter_dimensions(const struct side *side)
{
	return (side->filter.needs_stacks ? DIMENSION(SNAP_BY_STACK) : 0) |
	       (side->filter.needs_types ? DIMENSION(SNAP_BY_TYPE) : 0) |
	       (side->filter.needs_domains ? DIMENSION(SNAP_BY_DOMAIN) : 0);
}

static unsigned names_of(const struct side *side)
{
	unsigned needed = libsnap_key_needs[side->options->key].names;
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
	const struct key_needs *needs = &libsnap_key_needs[side->options->key];
	const char *missing = NULL;
	if (needs->words && !(side->present & needs->dimension))
		missing = needs->words;
	else if (side->filter.needs_stacks && !(side->present & DIMENSION(SNAP_BY_STACK)))
		missing = "call stacks";
	else if (side->filter.needs_types && !(side->present & DIMENSION(SNAP_BY_TYPE)))
		missing = "types";
	if (!missing || !side->any_rows)
		return SNAP_OK;
	return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "%s snapshot has no %s",
			    word_of_side(side), missing);
}

enum snap_status libsnap_side_rows(struct side *side, unsigned dimensions, libsnap_take_row *take,
				   struct snap_error *error)
{
	struct row_source source = {.names = &side->names,
				    .dimensions = dimensions | filter_dimensions(side),
				    .take = take,
				    .context = side};
	bool prefer_totals = !side->weigher.sampled || side->answer->info.by_average;
	uint64_t lost_before = side->names.lost_rows;
	enum snap_status status = libsnap_query_rows(&source, prefer_totals, error);
	if (side->scanned) /* lost once, not once in each scan */
		side->names.lost_rows = lost_before;
	side->scanned = source.from_objects;
	return status;
}

static enum snap_status add_rows(struct side *side, struct snap_error *error)
{
	unsigned dimensions = libsnap_key_needs[side->options->key].dimension |
			      (side->group_of_row ? NEED_ROWS : 0);
	enum snap_status status = side->options->key == SNAP_KEY_FIELD
					  ? libsnap_fields_add(side, error)
					  : libsnap_side_rows(side, dimensions, take_row, error);
	if (status == SNAP_OK && side->options->key != SNAP_KEY_FIELD)
		status = check_presence(side, error);
	if (status == SNAP_OK && side->of_stack)
		status = spread_over_callers(side, error);
	if (status == SNAP_OK && side->group_of_row)
		status = libsnap_retained_add(side, error);
	if (status == SNAP_OK && side->graph)
		status = snap_graph_check(side->graph, error);
	side->answer->info.scanned |= side->scanned;
	if (status == SNAP_OK && side->weigher.sampled && !side->scanned)
		side->answer->info.by_average = true;
	return status;
}

static enum snap_status read_side(struct side *side, struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	enum snap_status status =
		libsnap_filter_begin(&side->filter, &answer->budget, side->options, error);
	if (status == SNAP_OK)
		status = libsnap_query_names_load(&side->names, &answer->space, side->reader,
						  names_of(side), error);
	if (status == SNAP_OK)
		status = libsnap_filter_load(&side->filter, &side->names, error);
	if (status == SNAP_OK && side->options->retained)
		status = libsnap_retained_prepare(side, error);
	if (status == SNAP_OK)
		status = prepare_key(side, error);
	if (status == SNAP_OK)
		status = prepare_cumulative(side, error);
	if (status == SNAP_OK)
		status = add_rows(side, error);
	return status;
}

/* What damage took: damage that was met only on the way is at least one row. */
static uint64_t count_lost(const struct side *side, bool was_damaged)
{
	uint64_t lost = side->names.lost_rows;
	if (side->graph) {
		struct snap_graph_info graph;
		snap_graph_info(side->graph, &graph);
		lost += graph.lost_references;
	}
	struct snap_reader_info info;
	snap_reader_info(side->reader, &info);
	return lost == 0 && info.damaged && !was_damaged ? 1 : lost;
}

enum snap_status libsnap_side_add(struct side *side, struct snap_error *error)
{
	struct snap_answer_info *answer = &side->answer->info;
	struct snap_reader_info info;
	snap_reader_info(side->reader, &info);
	if (side->options->key == SNAP_KEY_SHAPE && (info.flags & SNAP_SNAPSHOT_TOTALS_ONLY))
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "a snapshot with totals only has no shapes");
	enum snap_status status = read_side(side, error);
	*(answer->compared && side->number == 0 ? &answer->old_lost_rows : &answer->lost_rows) =
		count_lost(side, info.damaged);
	return status;
}
