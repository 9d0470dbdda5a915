/* Where objects were allocated: of a stack the innermost frame that is not passed over, and stacks
 * of one place as one. */
#include "refs.h"

#include <string.h>

#define MOST_INLINED 256 /* a damaged file may say that frames are inlined into each other */

/* What is known of frames and stacks, as it is asked for. */
struct refs_sites {
	struct snap_graph_numbers *passed; /* by frame: 1 or 2 for passed over */
	struct snap_graph_numbers *stacks; /* by stack: the first of that place, or 0 */
	struct refs_groups places;
	struct snap_pattern patterns[SNAP_MAX_PATTERNS];
	size_t pattern_count;
};

static struct refs_sites *sites_of(struct refs *refs)
{
	if (refs->sites != NULL)
		return refs->sites;
	struct refs_sites *sites = refs->sites = refs_zeroed(refs, 1, sizeof(*sites));
	uint64_t stacks = snap_reader_row_count(refs->reader, SNAP_STACKS) + 1;
	sites->stacks = refs_numbers(refs, stacks, stacks);
	sites->passed = refs_numbers(refs, snap_reader_row_count(refs->reader, SNAP_FRAMES) + 1, 2);
	sites->places.refs = refs;
	if (snap_reader_row_count(refs->reader, SNAP_MODULES) > 0)
		sites->pattern_count = alloc_fn_patterns(&refs->alloc_fn, sites->patterns);
	return sites;
}

void refs_sites_free(struct refs *refs)
{
	if (refs->sites == NULL)
		return;
	snap_graph_numbers_close(refs->sites->passed);
	snap_graph_numbers_close(refs->sites->stacks);
	refs_groups_free(&refs->sites->places);
	refs_free(refs, refs->sites, 1, sizeof(*refs->sites));
	refs->sites = NULL;
}

/* The name that a pattern looks at. */
static void append_name(struct refs *refs, struct buffer *out, uint64_t frame,
			enum snap_pattern_kind kind)
{
	uint64_t module = refs_value(refs, SNAP_FRAME_MODULE, frame - 1);
	if (kind == SNAP_PATTERN_FUNCTION)
		refs_append_function(refs, out, frame);
	else if (kind == SNAP_PATTERN_FILE)
		refs_append_string(refs, out, refs_value(refs, SNAP_FRAME_FILE, frame - 1));
	else if (module != 0)
		refs_append_string(refs, out, refs_value(refs, SNAP_MODULE_PATH, module - 1));
}

static bool matches_any(struct refs *refs, const struct refs_sites *sites, uint64_t frame)
{
	struct buffer names[SNAP_PATTERN_MODULE + 1] = {{NULL, 0, 0}};
	bool found = false;
	for (enum snap_pattern_kind kind = 0; kind <= SNAP_PATTERN_MODULE; kind++)
		append_name(refs, &names[kind], frame, kind);
	for (size_t i = 0; !found && i < sites->pattern_count; i++) {
		const char *glob = sites->patterns[i].glob;
		const struct buffer *name = &names[sites->patterns[i].kind];
		found = name->size > 0 &&
			snap_glob_match(glob, strlen(glob), name->bytes, name->size);
	}
	for (size_t kind = 0; kind <= SNAP_PATTERN_MODULE; kind++)
		buffer_free(&names[kind]);
	return found;
}

static bool is_passed(struct refs *refs, struct refs_sites *sites, uint64_t frame)
{
	if (sites->pattern_count == 0)
		return false;
	uint64_t known = snap_graph_numbers_get(sites->passed, frame);
	if (known == SNAP_GRAPH_NONE) {
		known = matches_any(refs, sites, frame) ? 2 : 1;
		snap_graph_numbers_set(sites->passed, frame, known);
	}
	return known == 2;
}

uint64_t refs_site_frame(struct refs *refs, uint64_t stack)
{
	struct refs_sites *sites = sites_of(refs);
	for (uint64_t at = stack; at != 0; at = refs_value(refs, SNAP_STACK_PARENT, at - 1)) {
		uint64_t frame = refs_value(refs, SNAP_STACK_FRAME, at - 1);
		for (int depth = 0; frame != 0 && depth < MOST_INLINED; depth++) {
			if (!is_passed(refs, sites, frame))
				return frame;
			frame = refs_value(refs, SNAP_FRAME_INLINED_INTO, frame - 1);
		}
	}
	return refs_value(refs, SNAP_STACK_FRAME, stack - 1);
}

/* Frames of one function, file and line, or without a file of one offset, are one place. */
static uint64_t first_of_place(struct refs *refs, struct refs_sites *sites, uint64_t stack)
{
	uint64_t frame = refs_site_frame(refs, stack) - 1;
	uint64_t file = refs_value(refs, SNAP_FRAME_FILE, frame);
	uint32_t fine = file != 0 ? SNAP_FRAME_LINE : SNAP_FRAME_OFFSET;
	const struct refs_group place = {
		.type = refs_value(refs, SNAP_FRAME_FUNCTION, frame),
		.kind = file != 0 ? 2 * file : 2 * refs_value(refs, SNAP_FRAME_MODULE, frame) + 1,
		.label = refs_value(refs, fine, frame),
		.row = stack};
	return refs_groups_add(&sites->places, &place);
}

uint64_t refs_site(struct refs *refs, uint64_t stack)
{
	if (stack == 0)
		return 0;
	struct refs_sites *sites = sites_of(refs);
	uint64_t known = snap_graph_numbers_get(sites->stacks, stack);
	if (known == SNAP_GRAPH_NONE) {
		known = first_of_place(refs, sites, stack);
		snap_graph_numbers_set(sites->stacks, stack, known);
	}
	return known;
}

void refs_groups_by_site(struct refs_groups *groups)
{
	struct refs_groups merged = {.refs = groups->refs};
	for (uint64_t i = 0; i < groups->count; i++) {
		struct refs_group group = refs_groups_at(groups, i);
		group.label = refs_site(groups->refs, group.label);
		refs_groups_add(&merged, &group);
	}
	refs_groups_sort(&merged);
	refs_groups_free(groups);
	*groups = merged;
}

void refs_append_frame(struct refs *refs, struct buffer *out, uint64_t frame)
{
	size_t before = out->size;
	refs_append_place(refs, out, frame);
	if (out->size > before && refs_value(refs, SNAP_FRAME_FUNCTION, frame - 1) != 0)
		buffer_byte(out, ' ');
	refs_append_function(refs, out, frame);
}

void refs_append_site(struct refs *refs, struct buffer *out, uint64_t stack)
{
	if (stack == 0)
		return;
	refs_append_frame(refs, out, refs_site_frame(refs, stack));
}
