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
	if (line.is_root && line.is_single)
		refs_describe_root(refs, &line, step->label);
	if (line.is_root && line.name.size == line.label.size && line.name.size > 0 &&
	    memcmp(line.name.bytes, line.label.bytes, line.name.size) == 0)
		line.name.size = 0;
	refs_print(refs, &line);
}

static struct snap_graph_step step_at(struct refs *refs, struct snap_graph_paths *paths,
				      uint32_t index)
{
	struct snap_graph_step step;
	refs_must(refs, snap_graph_paths_step(paths, index, &step, &refs->error));
	return step;
}

/* Branches are told apart where they end: a step without children closes one.  number: 0 for the
 * identity of each step. */
static void print_tree(struct refs *refs, struct snap_graph_paths *paths, uint32_t first,
		       const char *section, uint64_t number)
{
	uint64_t printed = 0, left = 0;
	bool is_line = first != UINT32_MAX && step_at(refs, paths, first).through == 1;
	for (uint32_t at = first; at != UINT32_MAX;) {
		struct snap_graph_step step = step_at(refs, paths, at);
		bool full = refs_over_limit(refs->path_limit, printed);
		if (full)
			left += step.through;
		else
			print_step(refs, &step, section, number > 0 ? number : (uint64_t)at + 1,
				   is_line);
		if (!full && step.first_child != UINT32_MAX) {
			at = step.first_child;
			continue;
		}
		printed += !full;
		while (step.next == UINT32_MAX && step.parent != UINT32_MAX)
			step = step_at(refs, paths, step.parent);
		at = step.next;
	}
	refs_print_rest(refs, left, "targets by other paths");
}

static uint64_t show_paths(struct refs *refs, struct snap_graph_paths *paths, const char *section,
			   uint64_t number)
{
	struct snap_graph_paths_info info;
	snap_graph_paths_info(paths, &info);
	print_tree(refs, paths, info.first, section, number);
	snap_graph_paths_close(paths);
	return info.unreached;
}

uint64_t refs_show_ways(struct refs *refs, const struct snap_graph_set *rows, const char *section,
			uint64_t number)
{
	struct snap_graph_paths *paths;
	refs_must(refs, snap_graph_merge_paths(refs->graph, rows, &paths, &refs->error));
	return show_paths(refs, paths, section, number);
}

void refs_show_way(struct refs *refs, struct snap_graph_ways *ways, uint64_t row,
		   const char *section, uint64_t number)
{
	struct snap_graph_paths *paths;
	refs_must(refs, snap_graph_ways_path(ways, row, &paths, &refs->error));
	show_paths(refs, paths, section, number);
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
