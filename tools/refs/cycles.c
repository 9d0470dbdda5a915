/* Cycles: all of them, or those that the targets are in, and the types of their members. */
#include "refs.h"

static bool is_reached(const struct refs *refs, uint64_t row)
{
	return snap_graph_is_reached(refs->graph, row);
}

/* The cycles to show, in the graph's order: most bytes first. */
struct chosen {
	struct refs *refs;
	struct snap_graph_numbers *cycles; /* by place: the cycle */
	struct snap_graph_numbers *places; /* by cycle */
	uint64_t count, rest;
};

static uint64_t place_of(const struct chosen *chosen, uint64_t row)
{
	uint64_t cycle = snap_graph_cycle_of(chosen->refs->graph, row);
	return cycle != SNAP_GRAPH_NONE ? snap_graph_numbers_get(chosen->places, cycle)
					: SNAP_GRAPH_NONE;
}

static void mark_cycle(void *targets, uint64_t cycle)
{
	snap_graph_numbers_set(targets, cycle, 1);
}

static struct chosen choose(struct refs *refs, bool of_targets)
{
	uint64_t cycles = snap_graph_cycle_count(refs->graph);
	uint64_t most = refs->limit == 0 || refs->limit > cycles ? cycles : refs->limit;
	struct snap_graph_numbers *targets = NULL;
	struct chosen chosen = {.refs = refs,
				.cycles = refs_numbers(refs, most, cycles),
				.places = refs_numbers(refs, cycles, most)};
	if (of_targets) {
		targets = refs_numbers(refs, cycles, 1);
		refs_must(refs, snap_graph_cycles_of(refs->graph, refs->targets, mark_cycle,
						     targets, &refs->error));
	}
	for (uint64_t i = 0; i < cycles; i++) {
		if (targets && snap_graph_numbers_get(targets, i) == SNAP_GRAPH_NONE)
			continue;
		if (chosen.count == most) {
			chosen.rest++;
			continue;
		}
		snap_graph_numbers_set(chosen.places, i, chosen.count);
		snap_graph_numbers_set(chosen.cycles, chosen.count++, i);
	}
	snap_graph_numbers_close(targets);
	return chosen;
}

static void free_chosen(struct chosen *chosen)
{
	snap_graph_numbers_close(chosen->cycles);
	snap_graph_numbers_close(chosen->places);
}

/* ---- what keeps cycles alive ---- */

static struct snap_graph_keeper keeper_of(const struct chosen *chosen, uint64_t place)
{
	struct snap_graph_keeper keeper;
	snap_graph_keeper(chosen->refs->graph, snap_graph_numbers_get(chosen->cycles, place),
			  &keeper);
	return keeper;
}

/* An index of before says it of a few only. */
static uint64_t retained_by(const struct chosen *chosen, uint64_t place)
{
	uint64_t retained = keeper_of(chosen, place).retained;
	return retained != 0 ? retained : REFS_ABSENT;
}

/* To the nearest object of each cycle that a root reaches. */
static struct snap_graph_ways *open_ways(const struct chosen *chosen)
{
	struct refs *refs = chosen->refs;
	struct snap_graph_set *rows;
	struct snap_graph_ways *ways;
	refs_must(refs, snap_graph_set_open(&rows, refs->graph, &refs->error));
	for (uint64_t i = 0; i < chosen->count; i++) {
		uint64_t nearest = keeper_of(chosen, i).nearest;
		if (is_reached(refs, nearest))
			snap_graph_set_add(rows, nearest);
	}
	refs_must(refs, snap_graph_ways_open(&ways, refs->graph, rows, &refs->error));
	snap_graph_set_close(rows);
	return ways;
}

static void show_keeper(struct refs *refs, const struct chosen *chosen,
			struct snap_graph_ways *ways, uint64_t place)
{
	struct snap_graph_keeper keeper = keeper_of(chosen, place);
	uint64_t number = place + 1;
	if (is_reached(refs, keeper.nearest)) {
		refs_show_way(refs, ways, keeper.nearest, "kept", number);
		return;
	}
	refs_show_holder(refs, snap_graph_numbers_get(chosen->cycles, place), number);
}

/* ---- members ---- */

/* Without a type the place says what it is. */
static void append_place(struct refs *refs, struct refs_line *line, uint64_t row)
{
	if (line->type.size == 0)
		refs_append_site(refs, &line->site,
				 refs_site(refs, refs_value(refs, SNAP_OBJECT_STACK, row)));
}

struct members {
	struct refs_groups *groups;
	uint64_t place;
};

static void take_members(void *context, uint64_t cycle, uint64_t type, uint64_t count,
			 uint64_t first)
{
	(void)cycle;
	const struct members *members = context;
	const struct refs_group added = {
		.type = type, .label = members->place, .row = first, .count = count};
	refs_groups_add(members->groups, &added);
}

/* Members by cycle (its place, as label) and type, most first.  What the index does not have lies
 * from the first of them on, and ends when all were met. */
static void count_members(struct refs *refs, const struct chosen *chosen,
			  struct refs_groups *members)
{
	uint64_t row = refs->objects, left = 0;
	for (uint64_t i = 0; i < chosen->count; i++) {
		struct snap_graph_cycle info;
		uint64_t cycle = snap_graph_numbers_get(chosen->cycles, i);
		enum snap_status status =
			snap_graph_members(refs->graph, cycle, take_members,
					   &(struct members){members, i}, &refs->error);
		if (status == SNAP_OK) {
			snap_graph_numbers_set(chosen->places, cycle, SNAP_GRAPH_NONE);
			continue;
		}
		refs_must(refs, status == SNAP_END ? SNAP_OK : status);
		snap_graph_cycle(refs->graph, cycle, &info);
		left += info.objects;
		row = info.first < row ? info.first : row;
	}
	for (; row < refs->objects && left > 0; row++) {
		const struct refs_group added = {.type = snap_graph_type(refs->graph, row),
						 .label = place_of(chosen, row),
						 .row = row,
						 .count = 1};
		if (added.label == SNAP_GRAPH_NONE)
			continue;
		refs_groups_add(members, &added);
		left--;
	}
	refs_groups_sort_by_label(members);
}

static void print_members(struct refs *refs, const struct refs_groups *members, uint64_t from,
			  uint64_t to, uint64_t number)
{
	for (uint64_t i = from; refs_lists(refs, i - from, to - from, "types"); i++) {
		struct refs_group group = refs_groups_at(members, i);
		struct refs_line line = refs_member_line(refs, &group, number);
		if (group.count == 1)
			append_place(refs, &line, group.row);
		refs_print(refs, &line);
	}
}

/* Lines tell of objects in no order of theirs. */
static void read_objects(const struct chosen *chosen, const struct refs_groups *members)
{
	struct refs *refs = chosen->refs;
	struct snap_graph_set *rows;
	refs_must(refs, snap_graph_set_open(&rows, refs->graph, &refs->error));
	for (uint64_t i = 0; i < chosen->count; i++)
		for (uint64_t row = keeper_of(chosen, i).nearest;
		     row != SNAP_GRAPH_NONE && !snap_graph_set_has(rows, row);
		     row = snap_graph_parent(refs->graph, row))
			snap_graph_set_add(rows, row);
	for (uint64_t i = 0; i < chosen->count; i++) {
		struct snap_graph_cycle cycle;
		snap_graph_cycle(refs->graph, snap_graph_numbers_get(chosen->cycles, i), &cycle);
		snap_graph_set_add(rows, cycle.first);
	}
	for (uint64_t i = 0; i < members->count; i++)
		snap_graph_set_add(rows, refs_groups_at(members, i).row);
	refs_must(refs, snap_graph_read_objects(refs->graph, rows, &refs->error));
	snap_graph_set_close(rows);
}

void refs_show_cycles(struct refs *refs, bool of_targets)
{
	struct refs_groups members = {.refs = refs};
	struct chosen chosen = choose(refs, of_targets);
	if (!of_targets)
		refs_must(refs, snap_graph_find_keepers(refs->graph, &refs->error));
	count_members(refs, &chosen, &members);
	struct snap_graph_ways *ways = of_targets ? NULL : open_ways(&chosen);
	if (!of_targets)
		read_objects(&chosen, &members);
	uint64_t at = 0;
	for (uint64_t i = 0; i < chosen.count; i++) {
		struct snap_graph_cycle cycle;
		struct refs_line line = refs_line("cycle");
		uint64_t index = snap_graph_numbers_get(chosen.cycles, i), from = at;
		snap_graph_cycle(refs->graph, index, &cycle);
		line.number = i + 1;
		line.count = cycle.objects;
		line.bytes = cycle.bytes;
		line.kind = is_reached(refs, cycle.first) ? NULL : "unreachable";
		if (!of_targets && line.kind == NULL)
			line.retained = retained_by(&chosen, i);
		refs_describe(refs, &line, cycle.first);
		append_place(refs, &line, cycle.first);
		refs_print(refs, &line);
		while (at < members.count && refs_groups_at(&members, at).label == i)
			at++;
		print_members(refs, &members, from, at, i + 1);
		if (!of_targets)
			show_keeper(refs, &chosen, ways, i);
	}
	refs_print_rest(refs, chosen.rest, "cycles");
	snap_graph_ways_close(ways);
	refs_groups_free(&members);
	free_chosen(&chosen);
}
