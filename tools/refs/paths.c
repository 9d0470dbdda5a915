/* Merged shortest paths from the roots to the targets, as a tree. */
#include "refs.h"

#include <string.h>

static void print_step(struct refs *refs, const struct snap_graph_step *step, const char *section,
		       uint64_t number, bool is_line)
{
	struct refs_line line = refs_line(section);
	line.number = number;
	line.depth = step->depth;
	line.count = step->ends;
	line.targets = step->through;
	line.repeats = step->repeats;
	if (step->names > 1)
		line.names = step->names;
	line.is_root = step->depth == 0;
	line.is_single = step->objects == 1;
	line.is_only = is_line && strcmp(section, "path") != 0;
	if (line.is_root) {
		line.kind = snap_root_kind_name(step->kind);
		refs_append_root(refs, &line.label, step->label);
	} else {
		line.kind = snap_reference_kind_name(step->kind);
		line.weak = step->kind >= SNAP_REF_FIRST_WEAK;
		refs_append_label(refs, &line.label, step->label);
	}
	refs_describe(refs, &line, step->example);
	refs_print(refs, &line);
}

/* Branches are told apart where they end: a step without children closes one.  number: 0 for the
 * identity of each step. */
static void print_tree(struct refs *refs, const struct snap_graph_paths *paths, const char *section,
		       uint64_t number)
{
	uint64_t printed = 0, left = 0;
	bool is_line = paths->count > 0 && paths->steps[paths->first].through == 1;
	for (uint32_t at = paths->first; at != UINT32_MAX;) {
		const struct snap_graph_step *step = &paths->steps[at];
		bool full = refs_over_limit(refs->path_limit, printed);
		if (full)
			left += step->through;
		else
			print_step(refs, step, section, number > 0 ? number : (uint64_t)at + 1,
				   is_line);
		if (!full && step->first_child != UINT32_MAX) {
			at = step->first_child;
			continue;
		}
		printed += !full;
		while (at != UINT32_MAX && paths->steps[at].next == UINT32_MAX)
			at = paths->steps[at].parent;
		if (at != UINT32_MAX)
			at = paths->steps[at].next;
	}
	refs_print_rest(refs, left, "targets by other paths");
}

uint64_t refs_show_ways(struct refs *refs, const struct snap_graph_set *rows, const char *section,
			uint64_t number)
{
	struct snap_graph_paths paths;
	refs_must(refs, snap_graph_merge_paths(refs->graph, rows, &paths, &refs->error));
	print_tree(refs, &paths, section, number);
	uint64_t unreached = paths.unreached;
	snap_graph_free_paths(refs->graph, &paths);
	return unreached;
}

void refs_show_paths(struct refs *refs)
{
	uint64_t unreached = refs_show_ways(refs, refs->targets, "path", 0);
	if (unreached > 0) {
		struct refs_line line = refs_line("unreached");
		line.count = unreached;
		refs_print(refs, &line);
	}
}
