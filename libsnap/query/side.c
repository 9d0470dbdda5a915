/* One snapshot on its way into an answer: its rows find their groups, and are added up. */
#include <string.h>

#include "query.h"

enum snap_status libsnap_too_much(struct snap_error *error)
{
	return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
			    "a sum of bytes or counts is over 2^63");
}

/* The sum, until anything else is asked for; NULL: there is no room. */
static union measure *sum_of(struct side *side, uint32_t group)
{
	struct libsnap_array *sums = &side->answer->sides[side->number];
	if (group >= sums->count && !libsnap_array_reach(sums, (uint64_t)group + 1))
		return NULL;
	return libsnap_array_edit(sums, group);
}

enum snap_status libsnap_side_count(struct side *side, uint32_t group, uint64_t bytes,
				    uint64_t count, struct snap_error *error)
{
	union measure *sum = sum_of(side, group);
	if (!sum)
		return libsnap_budget_fail(&side->answer->budget, error);
	if (!libsnap_measure_add(&side->weigher, sum, bytes, count))
		return libsnap_too_much(error);
	if (!side->answer->info.has_errors)
		return SNAP_OK;
	struct libsnap_array *variances = &side->answer->variances[side->number];
	if (group >= variances->count && !libsnap_array_reach(variances, (uint64_t)group + 1))
		return libsnap_budget_fail(&side->answer->budget, error);
	libsnap_variance_add(&side->weigher, libsnap_array_edit(variances, group), bytes, count);
	return SNAP_OK;
}

/* ---- from a row to its group ---- */

static uint32_t known_group(struct side *side, uint64_t id)
{
	return id < side->group_of.count ? libsnap_array_get32(&side->group_of, id) : 0;
}

static void remember(struct side *side, uint64_t id, const struct tuple *key, uint32_t group)
{
	if (id < side->group_of.count)
		libsnap_array_set32(&side->group_of, id, group + 1);
	if (side->number == 0 && !side->classing)
		return; /* equal keys may be of several groups */
	side->last_key = *key;
	side->last_group = group + 1;
}

static enum snap_status find_group(struct side *side, uint64_t id, const struct tuple *key,
				   uint32_t *group, struct snap_error *error)
{
	uint32_t known = known_group(side, id);
	if (known) {
		*group = known - 1;
		return SNAP_OK;
	}
	/* Objects of a kind lie together. */
	if (side->last_group && !memcmp(&side->last_key, key, sizeof(*key))) {
		*group = side->last_group - 1;
		return SNAP_OK;
	}
	struct space *space = &side->answer->space;
	/* Snapshots of one process have what they have in common in one order, mostly. */
	if (side->number == 1 && side->last_group < space->groups.count &&
	    !memcmp(libsnap_array_at(&space->groups.items, side->last_group), key, sizeof(*key))) {
		*group = side->last_group;
		remember(side, id, key, *group);
		return SNAP_OK;
	}
	/* Each path is one group, of which group_of tells; and each owner, but for the other side. */
	enum snap_key of = side->options->key;
	bool is_new =
		of == SNAP_KEY_PATH || (of == SNAP_KEY_DOMINATOR && !side->answer->info.compared);
	enum snap_status status =
		is_new && !side->classing
			? libsnap_space_append(space, &space->groups, key, group, error)
			: libsnap_space_intern(space, &space->groups, key, group, error);
	if (status == SNAP_OK)
		remember(side, id, key, *group);
	if (status != SNAP_OK || !side->classing)
		return status;
	if (*group < side->classing->most)
		return SNAP_OK;
	side->classing->too_many = true;
	return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET, "too many classes of objects");
}

void libsnap_side_note(struct side *side, const struct query_row *row)
{
	side->any_rows = true;
	side->present |= (row->type ? DIMENSION(SNAP_BY_TYPE) : 0) |
			 (row->stack ? DIMENSION(SNAP_BY_STACK) : 0) |
			 (row->thread ? DIMENSION(SNAP_BY_THREAD) : 0) |
			 (row->shape ? DIMENSION(SNAP_BY_SHAPE) : 0);
}

bool libsnap_side_keeps(struct side *side, const struct query_row *row)
{
	return libsnap_filter_keeps(&side->filter, row->stack, row->type, row->domain);
}

/* What else is known of each object. */
static enum snap_status note_group(struct side *side, const struct query_row *row, uint32_t group,
				   struct snap_error *error)
{
	if (row->row >= side->object_count)
		return SNAP_OK;
	for (uint64_t i = 0; i <= row->more && side->group_of_row.count; i++)
		libsnap_array_set32(&side->group_of_row, row->row + i, group + 1);
	if (side->group_of_row.count && side->options->key == SNAP_KEY_DUPLICATE)
		side->any_holds |= snap_graph_retained(side->graph, row->row) > row->bytes;
	return side->options->key == SNAP_KEY_FILL ? libsnap_fills_add(side, row->row, group, error)
						   : SNAP_OK;
}

static enum snap_status take_row(void *context, const struct query_row *row,
				 struct snap_error *error)
{
	struct side *side = context;
	if (row->bytes == 0 && row->count == 0 && side->options->key != SNAP_KEY_DOMINATOR &&
	    !side->classing)
		return SNAP_OK; /* holders are owners, and count nowhere else */
	libsnap_side_note(side, row);
	if (!libsnap_side_keeps(side, row))
		return SNAP_OK;
	if (!libsnap_measure_add(&side->weigher, &side->total, row->bytes, row->count))
		return libsnap_too_much(error);
	if (side->answer->info.has_errors)
		libsnap_variance_add(&side->weigher, &side->variance, row->bytes, row->count);
	if (side->of_stack.count) {
		union measure *of_stack = libsnap_array_edit(&side->of_stack, row->stack);
		bool fits = libsnap_measure_add(&side->weigher, of_stack, row->bytes, row->count);
		return fits ? SNAP_OK : libsnap_too_much(error);
	}
	uint64_t id;
	struct tuple key;
	uint32_t group;
	enum snap_status status = libsnap_side_key(side, row, &id, &key, error);
	if (status == SNAP_END)
		return SNAP_OK;
	if (status == SNAP_OK)
		status = find_group(side, id, &key, &group, error);
	if (status == SNAP_OK)
		status = note_group(side, row, side->group = group, error);
	return status == SNAP_OK ? libsnap_side_count(side, group, row->bytes, row->count, error)
				 : status;
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
		struct tuple key = libsnap_side_frame_key(side, frames[i]);
		status = find_group(side, frames[i], &key, &group, error);
		union measure *total = status == SNAP_OK ? sum_of(side, group) : NULL;
		if (status == SNAP_OK && !total)
			status = libsnap_budget_fail(&side->answer->budget, error);
		if (status == SNAP_OK && !libsnap_measure_merge(&side->weigher, total, sum))
			status = libsnap_too_much(error);
	}
	return status;
}

/* A stack counts for its frames and for its callers; from the last row on, callers come later. */
static enum snap_status spread_over_callers(struct side *side, struct snap_error *error)
{
	for (uint64_t i = side->of_stack.count; i-- > 0;) {
		union measure sum = *(const union measure *)libsnap_array_at(&side->of_stack, i);
		if (sum.exact.bytes == 0 && sum.exact.count == 0)
			continue;
		struct stack_node stack = libsnap_stack_at(&side->names, i);
		enum snap_status status = add_to_frames(side, stack.frame, &sum, error);
		if (status != SNAP_OK)
			return status;
		if (stack.parent &&
		    !libsnap_measure_merge(&side->weigher,
					   libsnap_array_edit(&side->of_stack, stack.parent), &sum))
			return libsnap_too_much(error);
	}
	return SNAP_OK;
}

/* ---- one snapshot ---- */

static enum snap_status make_group_map(struct side *side, uint64_t count, struct snap_error *error)
{
	return libsnap_budget_array(&side->answer->budget, &side->group_of, count, sizeof(uint32_t),
				    error);
}

/* Paths are the same on both sides. */
static enum snap_status make_path_map(struct side *side, struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	if (side->number == 0)
		return make_group_map(side, answer->space.chains.count, error);
	libsnap_array_replace(&side->group_of, &answer->group_of_path);
	return libsnap_array_reach(&side->group_of, answer->space.chains.count)
		       ? SNAP_OK
		       : libsnap_budget_fail(&answer->budget, error);
}

enum snap_status libsnap_side_graph(struct side *side, bool needs_roots, struct snap_error *error)
{
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct budget *budget = &side->answer->budget;
	options.allocator = &budget->allocator;
	options.max_memory_bytes = libsnap_budget_for_graph(budget);
	options.io = budget->arrays.io;
	options.temporary_folder = budget->arrays.folder;
	options.threads = side->options->threads;
	options.branches = side->options->retained || side->options->key == SNAP_KEY_DOMINATOR;
	struct snap_reader_info reading;
	snap_reader_info(side->reader, &reading);
	if (side->weigher.sampled)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "references of samples say nothing of the others");
	if (reading.flags & SNAP_SNAPSHOT_TOTALS_ONLY)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, LIBSNAP_NEEDS_OBJECTS);
	if (needs_roots && snap_reader_row_count(side->reader, SNAP_ROOTS) == 0 &&
	    snap_reader_row_count(side->reader, SNAP_OBJECTS))
		return libsnap_fail(
			error, SNAP_MISUSE, SNAP_NO_OFFSET,
			"the snapshot has no roots (snap-record stores them with --references)");
	if (side->graph)
		return SNAP_OK;
	enum snap_status status = snap_graph_open(&side->graph, side->reader, &options, error);
	if (status != SNAP_OK)
		return status;
	struct snap_graph_info info;
	snap_graph_info(side->graph, &info);
	side->object_count = info.objects;
	return SNAP_OK;
}

static enum snap_status prepare_roots(struct side *side, struct snap_error *error)
{
	if (side->kept.parts)
		return libsnap_kept_roots(side, error);
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
	case SNAP_KEY_TYPE: return make_group_map(side, names->types.count, error);
	case SNAP_KEY_SHAPE: return make_group_map(side, names->shapes.count, error);
	case SNAP_KEY_THREAD: return make_group_map(side, names->threads.count, error);
	case SNAP_KEY_LINENO:
	case SNAP_KEY_FILENAME:
	case SNAP_KEY_FUNCTION:
	case SNAP_KEY_MODULE: return make_group_map(side, names->frames.count, error);
	case SNAP_KEY_TRACEBACK: {
		enum snap_status status = libsnap_list_tracebacks(side, error);
		return status == SNAP_OK ? make_group_map(side, names->stacks.count, error)
					 : status;
	}
	case SNAP_KEY_ROOT: return prepare_roots(side, error);
	case SNAP_KEY_DOMINATOR: return libsnap_owners_prepare(side, error);
	case SNAP_KEY_DUPLICATE:
		return side->kept.has_duplicates ? SNAP_OK : libsnap_contents_prepare(side, error);
	case SNAP_KEY_FILL: {
		enum snap_status status =
			side->kept.parts ? SNAP_OK : libsnap_fills_prepare(side, error);
		return status == SNAP_OK ? make_group_map(side, names->types.count, error) : status;
	}
	case SNAP_KEY_PATH: {
		enum snap_status status = side->kept.parts ? libsnap_kept_paths(side, error)
							   : libsnap_paths_prepare(side, error);
		return status == SNAP_OK ? make_path_map(side, error) : status;
	}
	default: return SNAP_OK;
	}
}

static enum snap_status prepare_cumulative(struct side *side, struct snap_error *error)
{
	if (!side->options->cumulative)
		return SNAP_OK;
	return libsnap_budget_array(&side->answer->budget, &side->of_stack,
				    side->names.stacks.count, sizeof(union measure), error);
}

void libsnap_side_end(struct side *side)
{
	libsnap_fields_end(side);
	if (side->options->key == SNAP_KEY_PATH && side->answer->info.compared &&
	    side->number == 0 && side->group_of.owner)
		libsnap_array_replace(&side->answer->group_of_path, &side->group_of);
	libsnap_array_end(&side->group_of);
	libsnap_array_end(&side->list_of);
	libsnap_array_end(&side->of_stack);
	libsnap_array_end(&side->group_of_row);
	libsnap_array_end(&side->bits);
	libsnap_array_end(&side->contents);
	libsnap_array_end(&side->places);
	libsnap_array_end(&side->filled);
	libsnap_array_end(&side->path_of);
	libsnap_array_end(&side->step_of_item);
	libsnap_array_end(&side->kept.class_of);
	libsnap_array_end(&side->kept.parent);
	libsnap_array_end(&side->kept.retained);
	libsnap_array_end(&side->kept.step_of);
	libsnap_array_end(&side->kept.kinds);
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
	if ((needed & NEED_STACKS) && libsnap_has_sites(side->reader, side->options))
		needed |= NEED_FILES | NEED_FUNCTIONS | NEED_MODULES | NEED_CALLERS;
	if (side->options->key == SNAP_KEY_TRACEBACK || side->options->cumulative ||
	    side->options->pattern_count)
		needed |= NEED_CALLERS;
	if (side->kept.parts & SNAP_PART_ROOT)
		needed |= NEED_TYPES;
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
		missing = LIBSNAP_NEEDS_STACKS;
	else if (side->filter.needs_types && !(side->present & DIMENSION(SNAP_BY_TYPE)))
		missing = LIBSNAP_NEEDS_TYPES;
	if (!missing || !side->any_rows)
		return SNAP_OK;
	return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "%s snapshot has no %s",
			    word_of_side(side), missing);
}

/* Whether groups take objects of one run as one. */
static bool goes_by_run(const struct side *side)
{
	const enum snap_key key = side->options->key;
	return (key == SNAP_KEY_TYPE || key == SNAP_KEY_SHAPE) && !side->classing &&
	       !side->weigher.sampled;
}

enum snap_status libsnap_side_rows(struct side *side, struct row_source *source,
				   struct snap_error *error)
{
	const unsigned of_runs = NEED_ROWS | DIMENSION(SNAP_BY_ALL) | DIMENSION(SNAP_BY_TYPE) |
				 DIMENSION(SNAP_BY_SHAPE);
	source->names = &side->names;
	source->dimensions |= filter_dimensions(side);
	source->together &= (source->dimensions & ~of_runs) == 0;
	bool prefer_totals = !side->weigher.sampled || side->answer->info.by_average;
	uint64_t lost_before = side->names.lost_rows;
	enum snap_status status = libsnap_query_rows(source, prefer_totals, error);
	if (side->scanned) /* lost once, not once in each scan */
		side->names.lost_rows = lost_before;
	side->scanned = source->from_objects;
	return status;
}

/* What of a row its group goes by. */
static unsigned dimensions_of(const struct side *side)
{
	static const struct {
		unsigned part, dimension;
	} each[] = {
		{SNAP_PART_TYPE, DIMENSION(SNAP_BY_TYPE)},
		{SNAP_PART_SHAPE, DIMENSION(SNAP_BY_SHAPE)},
		{SNAP_PART_STACK, DIMENSION(SNAP_BY_STACK)},
		{SNAP_PART_THREAD, DIMENSION(SNAP_BY_THREAD)},
		{SNAP_PART_DOMAIN, DIMENSION(SNAP_BY_DOMAIN)},
		{SNAP_PART_GENERATION, DIMENSION(SNAP_BY_GENERATION)},
		{SNAP_PART_REFCOUNT, NEED_REFCOUNT},
	};
	unsigned dimensions = side->group_of_row.count ? NEED_ROWS : 0;
	if (!side->classing)
		return dimensions | libsnap_key_needs[side->options->key].dimension;
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		if (side->classing->parts & each[i].part)
			dimensions |= each[i].dimension;
	return dimensions;
}

static enum snap_status add_rows(struct side *side, struct snap_error *error)
{
	struct row_source rows = {.dimensions = dimensions_of(side),
				  .together = goes_by_run(side),
				  .take = take_row,
				  .context = side};
	enum snap_status status;
	if (side->options->key == SNAP_KEY_FIELD)
		status = side->kept.has_fields ? libsnap_kept_add_fields(side, error)
					       : libsnap_fields_add(side, error);
	else if (side->kept.has_duplicates)
		status = libsnap_kept_add_duplicates(side, error);
	else if (side->options->key == SNAP_KEY_DOMINATOR)
		status = libsnap_owners_add(side, take_row, error);
	else if (side->kept.parts)
		status = libsnap_kept_add(side, take_row, error);
	else
		status = libsnap_side_rows(side, &rows, error);
	if (status == SNAP_OK && side->options->key != SNAP_KEY_FIELD)
		status = check_presence(side, error);
	if (status == SNAP_OK && side->of_stack.count)
		status = spread_over_callers(side, error);
	if (status == SNAP_OK && side->group_of_row.count && !side->classing)
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
		libsnap_filter_begin(&side->filter, &answer->budget, side->options->patterns,
				     side->options->pattern_count, error);
	/* The graph first: names can do with less. */
	if (status == SNAP_OK)
		status = libsnap_kept_prepare(side, error);
	if (status == SNAP_OK && side->options->retained && !libsnap_is_kept(side))
		status = libsnap_retained_prepare(side, error);
	if (status == SNAP_OK)
		status = libsnap_query_names_load(&side->names, &answer->space, side->reader,
						  names_of(side), side->options, error);
	if (status == SNAP_OK)
		status = libsnap_sites_load(&side->names, side->options, error);
	if (status == SNAP_OK)
		status = libsnap_filter_load(&side->filter, &side->names, error);
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
