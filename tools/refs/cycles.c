/* Cycles: all of them, or those that the targets are in, and the types of their members. */
#include "refs.h"

#include <stdlib.h>

#define SEARCHES 100

static bool is_reached(const struct refs *refs, uint64_t row)
{
	return snap_graph_distance(refs->graph, row) != SNAP_GRAPH_NONE;
}

static void want(struct refs *refs, enum refs_cycles which, bool *wanted, uint64_t cycles)
{
	for (uint64_t i = 0; which != REFS_CYCLES_OF_TARGETS && i < cycles; i++) {
		struct snap_graph_cycle cycle;
		snap_graph_cycle(refs->graph, i, &cycle);
		wanted[i] = which == REFS_CYCLES || !is_reached(refs, cycle.first);
	}
	for (size_t i = 0; which == REFS_CYCLES_OF_TARGETS && i < refs->count; i++) {
		uint64_t cycle = snap_graph_cycle_of(refs->graph, refs->rows[i]);
		if (cycle != SNAP_GRAPH_NONE)
			wanted[cycle] = true;
	}
}

/* Which cycles to show, in the graph's order: most bytes first. */
static uint64_t *choose(struct refs *refs, enum refs_cycles which, size_t *count, uint64_t *rest)
{
	uint64_t cycles = snap_graph_cycle_count(refs->graph), found = 0;
	bool *wanted = refs_zeroed(cycles, sizeof(*wanted));
	want(refs, which, wanted, cycles);
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

/* ---- what keeps cycles alive ---- */

/* By cycle. */
struct keeper {
	uint64_t nearest; /* the member that the roots reach first */
	uint64_t entries; /* members that no other member dominates */
	uint64_t entry;   /* the last of these */
	uint64_t outside; /* the lowest holder that is no member */
	bool is_wanted;
};

struct keepers {
	struct refs *refs;
	struct keeper *items;
};

static bool note_holder(void *context, const struct snap_graph_reference *reference)
{
	struct keepers *keepers = context;
	const struct snap_graph *graph = keepers->refs->graph;
	uint64_t cycle = snap_graph_cycle_of(graph, reference->target);
	if (cycle == SNAP_GRAPH_NONE || !keepers->items[cycle].is_wanted ||
	    snap_graph_cycle_of(graph, reference->owner) == cycle ||
	    (reference->kind >= SNAP_REF_FIRST_WEAK && !keepers->refs->follows_weak))
		return true;
	struct keeper *keeper = &keepers->items[cycle];
	if (reference->owner < keeper->outside)
		keeper->outside = reference->owner;
	return true;
}

static struct keeper *find_keepers(struct refs *refs, const uint64_t *chosen, size_t count)
{
	const struct snap_graph *graph = refs->graph;
	uint64_t cycles = snap_graph_cycle_count(graph);
	struct keeper *keepers = refs_zeroed(cycles, sizeof(*keepers));
	bool any_garbage = false;
	for (size_t i = 0; i < count; i++) {
		struct snap_graph_cycle cycle;
		snap_graph_cycle(graph, chosen[i], &cycle);
		keepers[chosen[i]] = (struct keeper){
			.nearest = cycle.first, .outside = SNAP_GRAPH_NONE, .is_wanted = true};
		any_garbage |= !is_reached(refs, cycle.first);
	}
	for (uint64_t row = 0; row < refs->objects; row++) {
		uint64_t cycle = snap_graph_cycle_of(graph, row);
		if (cycle == SNAP_GRAPH_NONE || !keepers[cycle].is_wanted)
			continue;
		struct keeper *keeper = &keepers[cycle];
		if (snap_graph_distance(graph, row) < snap_graph_distance(graph, keeper->nearest))
			keeper->nearest = row;
		uint64_t dominator = snap_graph_dominator(graph, row);
		if (dominator == SNAP_GRAPH_NONE ||
		    snap_graph_cycle_of(graph, dominator) != cycle) {
			keeper->entries++;
			keeper->entry = row;
		}
	}
	struct keepers all = {.refs = refs, .items = keepers};
	if (any_garbage)
		refs_must(refs,
			  snap_graph_references(refs->graph, note_holder, &all, &refs->error));
	return keepers;
}

/* What would be free without the cycle: where one member dominates all others, what that retains;
 * otherwise a search of the whole graph says, of which so many more are made. */
static uint64_t retained_by(struct refs *refs, uint64_t cycle, const struct keeper *keeper,
			    uint32_t *searches)
{
	struct snap_graph_cycle info;
	uint64_t bytes, objects;
	if (keeper->entries == 1)
		return snap_graph_retained(refs->graph, keeper->entry);
	if (*searches == 0)
		return REFS_ABSENT;
	--*searches;
	snap_graph_cycle(refs->graph, cycle, &info);
	uint64_t *rows = refs_zeroed(info.objects, sizeof(*rows)), count = 0;
	for (uint64_t row = info.first; row < refs->objects && count < info.objects; row++)
		if (snap_graph_cycle_of(refs->graph, row) == cycle)
			rows[count++] = row;
	refs_must(refs, snap_graph_retained_by(refs->graph, rows, (size_t)count, &bytes, &objects,
					       &refs->error));
	free(rows);
	return bytes;
}

static void show_keeper(struct refs *refs, uint64_t cycle, const struct keeper *keeper)
{
	if (is_reached(refs, keeper->nearest)) {
		refs_show_ways(refs, &keeper->nearest, 1, "kept", cycle + 1);
		return;
	}
	struct refs_line line = refs_line("kept");
	line.number = cycle + 1;
	line.kind = "unreachable";
	if (keeper->outside != SNAP_GRAPH_NONE)
		refs_describe(refs, &line, keeper->outside);
	refs_print(refs, &line);
}

/* ---- members ---- */

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

void refs_show_cycles(struct refs *refs, enum refs_cycles which)
{
	size_t count;
	uint64_t rest;
	struct refs_groups members = {NULL, 0, 0, NULL, 0};
	uint64_t *chosen = choose(refs, which, &count, &rest);
	struct keeper *keepers =
		which != REFS_CYCLES_OF_TARGETS ? find_keepers(refs, chosen, count) : NULL;
	count_members(refs, chosen, count, &members);
	if (members.count > 0)
		qsort(members.groups, members.count, sizeof(*members.groups), by_cycle);
	uint32_t searches = SEARCHES;
	size_t at = 0;
	for (size_t i = 0; i < count; i++) {
		struct snap_graph_cycle cycle;
		struct refs_line line = refs_line("cycle");
		snap_graph_cycle(refs->graph, chosen[i], &cycle);
		line.number = chosen[i] + 1;
		line.count = cycle.objects;
		line.bytes = cycle.bytes;
		line.kind = is_reached(refs, cycle.first) ? NULL : "unreachable";
		if (keepers != NULL && line.kind == NULL)
			line.retained =
				retained_by(refs, chosen[i], &keepers[chosen[i]], &searches);
		refs_describe(refs, &line, cycle.first);
		refs_print(refs, &line);
		size_t end = at;
		while (end < members.count && members.groups[end].label == chosen[i])
			end++;
		print_members(refs, members.groups + at, end - at);
		at = end;
		if (keepers != NULL)
			show_keeper(refs, chosen[i], &keepers[chosen[i]]);
	}
	free(keepers);
	refs_print_rest(refs, rest, "cycles");
	refs_groups_free(&members);
	free(chosen);
}
