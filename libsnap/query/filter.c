/* Which objects a question is about: patterns with the meaning of tracemalloc's Filter and
 * DomainFilter. */
#include <string.h>

#include "query.h"

static bool is_of_frames(const struct snap_pattern *pattern)
{
	return pattern->kind == SNAP_PATTERN_FILE || pattern->kind == SNAP_PATTERN_FUNCTION ||
	       pattern->kind == SNAP_PATTERN_MODULE;
}

enum snap_status libsnap_filter_begin(struct filter *filter, struct budget *budget,
				      const struct snap_query_options *options,
				      struct snap_error *error)
{
	*filter = (struct filter){
		.patterns = options->patterns, .count = options->pattern_count, .budget = budget};
	if (filter->count > SNAP_MAX_PATTERNS)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "more than %d patterns",
				    SNAP_MAX_PATTERNS);
	for (size_t i = 0; i < filter->count; i++) {
		const struct snap_pattern *pattern = &filter->patterns[i];
		uint64_t bit = (uint64_t)1 << i;
		if (pattern->kind > SNAP_PATTERN_ANY ||
		    (pattern->kind != SNAP_PATTERN_ANY && !pattern->glob))
			return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
					    "pattern %zu is none", i + 1);
		if (!is_of_frames(pattern) && (pattern->all_frames || pattern->has_line))
			return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
					    "pattern %zu is not of frames", i + 1);
		*(pattern->exclude ? &filter->excludes : &filter->includes) |= bit;
		filter->any |= pattern->kind == SNAP_PATTERN_ANY ? bit : 0;
		filter->with_domain |= pattern->has_domain ? bit : 0;
		filter->needs_domains |= pattern->has_domain;
		filter->needs_stacks |= is_of_frames(pattern);
		filter->needs_types |= pattern->kind == SNAP_PATTERN_TYPE;
	}
	return SNAP_OK;
}

void libsnap_filter_end(struct filter *filter)
{
	if (!filter->budget)
		return;
	libsnap_free(&filter->budget->allocator, filter->stack_bits, filter->stack_count,
		     sizeof(uint64_t));
	libsnap_free(&filter->budget->allocator, filter->type_bits, filter->type_count,
		     sizeof(uint64_t));
	filter->stack_bits = filter->type_bits = NULL;
}

static size_t size_of_source(const char *name, size_t size)
{
	return size >= 4 && !memcmp(name + size - 4, ".pyc", 4) ? size - 1 : size;
}

static bool matches(const struct snap_pattern *pattern, struct text_item text)
{
	size_t glob_size = strlen(pattern->glob);
	if (pattern->kind == SNAP_PATTERN_FILE) {
		glob_size = size_of_source(pattern->glob, glob_size);
		text.size = size_of_source(text.bytes, text.size);
	}
	return snap_glob_match(pattern->glob, glob_size, text.bytes, text.size);
}

/* The patterns of one kind that each text matches, found once for each text that is asked for. */
struct matcher {
	const struct filter *filter;
	const struct space *space;
	enum snap_pattern_kind kind;
	uint64_t *bits;
	bool *known;
	size_t count;
};

static void matcher_end(struct matcher *matcher)
{
	libsnap_free(&matcher->filter->budget->allocator, matcher->bits, matcher->count,
		     sizeof(uint64_t));
	libsnap_free(&matcher->filter->budget->allocator, matcher->known, matcher->count,
		     sizeof(bool));
}

static enum snap_status matcher_begin(struct matcher *matcher, const struct filter *filter,
				      const struct space *space, enum snap_pattern_kind kind,
				      struct snap_error *error)
{
	*matcher = (struct matcher){
		.filter = filter, .space = space, .kind = kind, .count = space->texts.count};
	matcher->bits =
		libsnap_alloc_zeroed(&filter->budget->allocator, matcher->count, sizeof(uint64_t));
	matcher->known =
		libsnap_alloc_zeroed(&filter->budget->allocator, matcher->count, sizeof(bool));
	if (matcher->bits && matcher->known)
		return SNAP_OK;
	matcher_end(matcher);
	return libsnap_budget_fail(filter->budget, error);
}

static uint64_t matcher_bits(struct matcher *matcher, uint32_t text)
{
	if (text == 0 || matcher->known[text])
		return matcher->bits[text];
	for (size_t i = 0; i < matcher->filter->count; i++) {
		const struct snap_pattern *pattern = &matcher->filter->patterns[i];
		if (pattern->kind == matcher->kind &&
		    matches(pattern, libsnap_text_at(matcher->space, text)))
			matcher->bits[text] |= (uint64_t)1 << i;
	}
	matcher->known[text] = true;
	return matcher->bits[text];
}

static uint64_t without_other_lines(const struct filter *filter, uint64_t bits, uint64_t line)
{
	for (size_t i = 0; i < filter->count; i++)
		if (filter->patterns[i].has_line && filter->patterns[i].line != line)
			bits &= ~((uint64_t)1 << i);
	return bits;
}

static uint32_t text_of(const struct frame_name *frame, enum snap_pattern_kind kind)
{
	return kind == SNAP_PATTERN_FILE       ? frame->file
	       : kind == SNAP_PATTERN_FUNCTION ? frame->function
					       : frame->module;
}

/* Adds what frames match in this kind of name. */
static enum snap_status match_frames(const struct filter *filter, const struct names *names,
				     enum snap_pattern_kind kind, uint64_t *frame_bits,
				     struct snap_error *error)
{
	struct matcher matcher;
	enum snap_status status = matcher_begin(&matcher, filter, names->space, kind, error);
	if (status != SNAP_OK)
		return status;
	for (size_t i = 1; i < names->frame_count; i++) {
		uint64_t bits = matcher_bits(&matcher, text_of(&names->frames[i], kind));
		frame_bits[i] |= without_other_lines(filter, bits, names->frames[i].line);
	}
	matcher_end(&matcher);
	return SNAP_OK;
}

/* A stack matches by its innermost frame, or with all_frames by any, those it was inlined into
 * among them. */
static enum snap_status match_stacks(struct filter *filter, const struct names *names,
				     const uint64_t *frame_bits, struct snap_error *error)
{
	uint64_t all_frames = 0;
	for (size_t i = 0; i < filter->count; i++)
		if (filter->patterns[i].all_frames)
			all_frames |= (uint64_t)1 << i;
	for (size_t i = 1; i < names->stack_count; i++) {
		const struct stack_node *stack = &names->stacks[i];
		filter->stack_bits[i] = frame_bits[stack->frame];
		if (!all_frames)
			continue;
		uint32_t frames[MAX_INLINED];
		size_t count;
		enum snap_status status =
			libsnap_frame_chain(names, stack->frame, frames, &count, error);
		if (status != SNAP_OK)
			return status;
		for (size_t k = 0; k < count; k++)
			filter->stack_bits[i] |= frame_bits[frames[k]] & all_frames;
		filter->stack_bits[i] |= filter->stack_bits[stack->parent] & all_frames;
	}
	return SNAP_OK;
}

static enum snap_status load_stack_bits(struct filter *filter, const struct names *names,
					struct snap_error *error)
{
	const struct snap_allocator *memory = &filter->budget->allocator;
	filter->stack_bits = libsnap_alloc_zeroed(memory, names->stack_count, sizeof(uint64_t));
	filter->stack_count = names->stack_count;
	uint64_t *frame_bits = libsnap_alloc_zeroed(memory, names->frame_count, sizeof(uint64_t));
	enum snap_status status = SNAP_OK;
	if (!filter->stack_bits || !frame_bits)
		status = libsnap_budget_fail(filter->budget, error);
	if (status == SNAP_OK)
		status = match_frames(filter, names, SNAP_PATTERN_FILE, frame_bits, error);
	if (status == SNAP_OK)
		status = match_frames(filter, names, SNAP_PATTERN_FUNCTION, frame_bits, error);
	if (status == SNAP_OK)
		status = match_frames(filter, names, SNAP_PATTERN_MODULE, frame_bits, error);
	if (status == SNAP_OK)
		status = match_stacks(filter, names, frame_bits, error);
	libsnap_free(memory, frame_bits, names->frame_count, sizeof(uint64_t));
	return status;
}

static enum snap_status load_type_bits(struct filter *filter, const struct names *names,
				       struct snap_error *error)
{
	filter->type_bits = libsnap_alloc_zeroed(&filter->budget->allocator, names->type_count,
						 sizeof(uint64_t));
	filter->type_count = names->type_count;
	if (!filter->type_bits)
		return libsnap_budget_fail(filter->budget, error);
	struct matcher matcher;
	enum snap_status status =
		matcher_begin(&matcher, filter, names->space, SNAP_PATTERN_TYPE, error);
	if (status != SNAP_OK)
		return status;
	for (size_t i = 1; i < names->type_count; i++)
		filter->type_bits[i] = matcher_bits(&matcher, names->types[i].name);
	matcher_end(&matcher);
	return SNAP_OK;
}

enum snap_status libsnap_filter_load(struct filter *filter, const struct names *names,
				     struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	if (filter->needs_stacks)
		status = load_stack_bits(filter, names, error);
	if (status == SNAP_OK && filter->needs_types)
		status = load_type_bits(filter, names, error);
	return status;
}

bool libsnap_filter_keeps(const struct filter *filter, uint64_t stack, uint64_t type,
			  uint64_t domain)
{
	if (filter->count == 0)
		return true;
	uint64_t bits = filter->any;
	if (filter->stack_bits)
		bits |= filter->stack_bits[stack];
	if (filter->type_bits)
		bits |= filter->type_bits[type];
	if (filter->with_domain & bits) {
		for (size_t i = 0; i < filter->count; i++)
			if (filter->patterns[i].has_domain && filter->patterns[i].domain != domain)
				bits &= ~((uint64_t)1 << i);
	}
	return (!filter->includes || (bits & filter->includes)) && !(bits & filter->excludes);
}
