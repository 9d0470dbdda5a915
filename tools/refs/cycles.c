/* Cycles: all of them, or those that the targets are in, and the types of their members. */
#include "refs.h"

#include <stdlib.h>

/* Which cycles to show, in the graph's order: most bytes first. */
static uint64_t *choose(struct refs *refs, bool all, size_t *count, uint64_t *rest)
{
	uint64_t cycles = snap_graph_cycle_count(refs->graph), found = 0;
	bool *wanted = refs_zeroed(cycles, sizeof(*wanted));
	for (uint64_t i = 0; all && i < cycles; i++)
		wanted[i] = true;
	for (size_t i = 0; i < refs->count && !all; i++) {
		uint64_t cycle = snap_graph_cycle_of(refs->graph, refs->rows[i]);
		if (cycle != SNAP_GRAPH_NONE)
			wanted[cycle] = true;
	}
	uint64_t *chosen = refs_zeroed(cycles, sizeof(*chosen));
	*count = 0;
	for (uint64_t i = 0; i < cycles; i++) {
		found += wanted[i];
		if (wanted[i] && !refs_over_limit(refs->limit, *count))
			chosen[(*count)++] = i;
	}
	*rest = found - *count;
	free(wanted);
	return chosen;
}

/* Members by cycle (as label) and type, most first. */
static void count_members(struct refs *refs, const uint64_t *chosen, size_t count,
			  struct refs_groups *members)
{
	uint64_t cycles = snap_graph_cycle_count(refs->graph);
	bool *wanted = refs_zeroed(cycles, sizeof(*wanted));
	for (size_t i = 0; i < count; i++)
		wanted[chosen[i]] = true;
	for (uint64_t row = 0; row < refs->objects; row++) {
		uint64_t cycle = snap_graph_cycle_of(refs->graph, row);
		if (cycle != SNAP_GRAPH_NONE && wanted[cycle])
			refs_group(members, snap_graph_type(refs->graph, row), 0, cycle, row)
				->count++;
	}
	refs_groups_sort(members);
	free(wanted);
}

static int by_cycle(const void *left, const void *right)
{
	const struct refs_group *a = left, *b = right;
	if (a->label != b->label)
		return a->label < b->label ? -1 : 1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

static void print_members(struct refs *refs, const struct refs_group *members, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct refs_line line = refs_line("member");
		if (refs_over_limit(refs->limit, i)) {
			refs_print_rest(refs, count - i, "types");
			return;
		}
		line.number = members[i].label + 1;
		line.depth = 1;
		line.count = members[i].count;
		refs_describe(refs, &line, members[i].row);
		line.bytes = REFS_ABSENT;
		refs_print(refs, &line);
	}
}

void refs_show_cycles(struct refs *refs, bool all)
{
	size_t count;
	uint64_t rest;
	struct refs_groups members = {NULL, 0, 0, NULL, 0};
	uint64_t *chosen = choose(refs, all, &count, &rest);
	count_members(refs, chosen, count, &members);
	if (members.count > 0)
		qsort(members.groups, members.count, sizeof(*members.groups), by_cycle);
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		struct snap_graph_cycle cycle;
		struct refs_line line = refs_line("cycle");
		snap_graph_cycle(refs->graph, chosen[i], &cycle);
		line.number = chosen[i] + 1;
		line.count = cycle.objects;
		line.bytes = cycle.bytes;
		line.kind = snap_graph_distance(refs->graph, cycle.first) == SNAP_GRAPH_NONE
				    ? "unreachable"
				    : NULL;
		refs_describe(refs, &line, cycle.first);
		refs_print(refs, &line);
		size_t end = at;
		while (end < members.count && members.groups[end].label == chosen[i])
			end++;
		print_members(refs, members.groups + at, end - at);
		at = end;
	}
	refs_print_rest(refs, rest, "cycles");
	refs_groups_free(&members);
	free(chosen);
}
