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
				      const struct snap_pattern *patterns, size_t count,
				      struct snap_error *error)
{
	*filter = (struct filter){.patterns = patterns, .count = count, .budget = budget};
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
	libsnap_array_end(&filter->stack_bits);
	libsnap_array_end(&filter->type_bits);
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
	struct space *space;
	enum snap_pattern_kind kind;
	struct libsnap_array bits, known; /* known: a byte each */
};

static void matcher_end(struct matcher *matcher)
{
	libsnap_array_end(&matcher->bits);
	libsnap_array_end(&matcher->known);
}

static enum snap_status matcher_begin(struct matcher *matcher, const struct filter *filter,
				      struct space *space, enum snap_pattern_kind kind,
				      struct snap_error *error)
{
	*matcher = (struct matcher){.filter = filter, .space = space, .kind = kind};
	uint64_t count = space->texts.count;
	enum snap_status status = libsnap_budget_array(filter->budget, &matcher->bits, count,
						       sizeof(uint64_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(filter->budget, &matcher->known, count, 1, error);
	if (status != SNAP_OK)
		matcher_end(matcher);
	return status;
}

static enum snap_status match_text(struct matcher *matcher, uint32_t text, uint64_t *bits,
				   struct snap_error *error)
{
	struct text_item item;
	enum snap_status status = libsnap_space_text_at(matcher->space, text, &item, error);
	if (status != SNAP_OK)
		return status;
	*bits = 0;
	for (size_t i = 0; i < matcher->filter->count; i++) {
		const struct snap_pattern *pattern = &matcher->filter->patterns[i];
		if (pattern->kind == matcher->kind && matches(pattern, item))
			*bits |= (uint64_t)1 << i;
	}
	libsnap_array_set64(&matcher->bits, text, *bits);
	*(uint8_t *)libsnap_array_edit(&matcher->known, text) = 1;
	return SNAP_OK;
}

static enum snap_status matcher_bits(struct matcher *matcher, uint32_t text, uint64_t *bits,
				     struct snap_error *error)
{
	bool known = text == 0 || *(const uint8_t *)libsnap_array_at(&matcher->known, text);
	*bits = libsnap_array_get64(&matcher->bits, text);
	return known ? SNAP_OK : match_text(matcher, text, bits, error);
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
static enum snap_status match_frames(const struct filter *filter, struct names *names,
				     enum snap_pattern_kind kind, struct libsnap_array *frame_bits,
				     struct snap_error *error)
{
	struct matcher matcher;
	enum snap_status status = matcher_begin(&matcher, filter, names->space, kind, error);
	if (status != SNAP_OK)
		return status;
	for (uint64_t i = 1; status == SNAP_OK && i < names->frames.count; i++) {
		struct frame_name frame = libsnap_frame_at(names, i);
		uint64_t bits;
		status = matcher_bits(&matcher, text_of(&frame, kind), &bits, error);
		if (status == SNAP_OK)
			*(uint64_t *)libsnap_array_edit(frame_bits, i) |=
				without_other_lines(filter, bits, frame.line);
	}
	matcher_end(&matcher);
	return status;
}

/* A stack matches by the frame that stands for it, or with
 * all_frames by any, those it was inlined into among them. */
static enum snap_status match_stacks(struct filter *filter, struct names *names,
				     struct libsnap_array *frame_bits, struct snap_error *error)
{
	uint64_t all_frames = 0;
	for (size_t i = 0; i < filter->count; i++)
		if (filter->patterns[i].all_frames)
			all_frames |= (uint64_t)1 << i;
	for (uint64_t i = 1; i < names->stacks.count; i++) {
		struct stack_node stack = libsnap_stack_at(names, i);
		uint64_t bits = libsnap_array_get64(frame_bits, libsnap_site_at(names, i));
		uint32_t frames[MAX_INLINED];
		size_t count = 0;
		enum snap_status status = SNAP_OK;
		if (all_frames) {
			status = libsnap_frame_chain(names, stack.frame, frames, &count, error);
			bits |= libsnap_array_get64(&filter->stack_bits, stack.parent) & all_frames;
		}
		if (status != SNAP_OK)
			return status;
		for (size_t k = 0; k < count; k++)
			bits |= libsnap_array_get64(frame_bits, frames[k]) & all_frames;
		libsnap_array_set64(&filter->stack_bits, i, bits);
	}
	return SNAP_OK;
}

enum snap_status libsnap_filter_frames(const struct filter *filter, struct names *names,
				       struct libsnap_array *frame_bits, struct snap_error *error)
{
	static const enum snap_pattern_kind kinds[] = {SNAP_PATTERN_FILE, SNAP_PATTERN_FUNCTION,
						       SNAP_PATTERN_MODULE};
	enum snap_status status = libsnap_budget_array(
		filter->budget, frame_bits, names->frames.count, sizeof(uint64_t), error);
	for (size_t i = 0; status == SNAP_OK && i < 3; i++)
		status = match_frames(filter, names, kinds[i], frame_bits, error);
	return status;
}

static enum snap_status load_stack_bits(struct filter *filter, struct names *names,
					struct snap_error *error)
{
	struct libsnap_array frame_bits = {0};
	enum snap_status status = libsnap_budget_array(
		filter->budget, &filter->stack_bits, names->stacks.count, sizeof(uint64_t), error);
	if (status == SNAP_OK)
		status = libsnap_filter_frames(filter, names, &frame_bits, error);
	if (status == SNAP_OK)
		status = match_stacks(filter, names, &frame_bits, error);
	libsnap_array_end(&frame_bits);
	return status;
}

static enum snap_status load_type_bits(struct filter *filter, struct names *names,
				       struct snap_error *error)
{
	struct matcher matcher = {0};
	enum snap_status status = libsnap_budget_array(filter->budget, &filter->type_bits,
						       names->types.count, sizeof(uint64_t), error);
	if (status == SNAP_OK)
		status = matcher_begin(&matcher, filter, names->space, SNAP_PATTERN_TYPE, error);
	for (uint64_t i = 1; status == SNAP_OK && i < names->types.count; i++) {
		uint64_t bits;
		status = matcher_bits(&matcher, libsnap_type_at(names, i).name, &bits, error);
		if (status == SNAP_OK)
			libsnap_array_set64(&filter->type_bits, i, bits);
	}
	matcher_end(&matcher);
	return status;
}

enum snap_status libsnap_filter_load(struct filter *filter, struct names *names,
				     struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	if (filter->needs_stacks)
		status = load_stack_bits(filter, names, error);
	if (status == SNAP_OK && filter->needs_types)
		status = load_type_bits(filter, names, error);
	return status;
}

bool libsnap_filter_keeps(struct filter *filter, uint64_t stack, uint64_t type, uint64_t domain)
{
	if (filter->count == 0)
		return true;
	uint64_t bits = filter->any;
	if (filter->stack_bits.count)
		bits |= libsnap_array_get64(&filter->stack_bits, stack);
	if (filter->type_bits.count)
		bits |= libsnap_array_get64(&filter->type_bits, type);
	if (filter->with_domain & bits) {
		for (size_t i = 0; i < filter->count; i++)
			if (filter->patterns[i].has_domain && filter->patterns[i].domain != domain)
				bits &= ~((uint64_t)1 << i);
	}
	return (!filter->includes || (bits & filter->includes)) && !(bits & filter->excludes);
}
