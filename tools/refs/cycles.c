/* Cycles: all of them, or those that the targets are in, and the types of their members. */
#include "refs.h"

#define SEARCHES 100

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

static bool is_wanted(const struct refs *refs, enum refs_cycles which,
		      const struct snap_graph_numbers *targets, uint64_t index)
{
	struct snap_graph_cycle cycle;
	if (which == REFS_CYCLES_OF_TARGETS)
		return snap_graph_numbers_get(targets, index) != SNAP_GRAPH_NONE;
	if (which == REFS_CYCLES)
		return true;
	snap_graph_cycle(refs->graph, index, &cycle);
	return !is_reached(refs, cycle.first);
}

static struct chosen choose(struct refs *refs, enum refs_cycles which)
{
	uint64_t cycles = snap_graph_cycle_count(refs->graph);
	uint64_t most = refs->limit == 0 || refs->limit > cycles ? cycles : refs->limit;
	struct snap_graph_numbers *targets = NULL;
	struct chosen chosen = {.refs = refs,
				.cycles = refs_numbers(refs, most, cycles),
				.places = refs_numbers(refs, cycles, most)};
	if (which == REFS_CYCLES_OF_TARGETS) {
		targets = refs_numbers(refs, cycles, 1);
		for (uint64_t row = refs_next_target(refs, 0); row != SNAP_GRAPH_NONE;
		     row = refs_next_target(refs, row + 1))
			snap_graph_numbers_set(targets, snap_graph_cycle_of(refs->graph, row), 1);
	}
	for (uint64_t i = 0; i < cycles; i++) {
		if (!is_wanted(refs, which, targets, i))
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

/* What would be free without the cycle: where one member dominates all others, what that retains;
 * otherwise a search of the whole graph says, of which so many more are made. */
static uint64_t retained_by(struct refs *refs, const struct chosen *chosen, uint64_t place,
			    uint32_t *searches)
{
	struct snap_graph_cycle info;
	struct snap_graph_set *members;
	uint64_t bytes, objects, cycle = snap_graph_numbers_get(chosen->cycles, place);
	struct snap_graph_keeper keeper = keeper_of(chosen, place);
	if (keeper.entries == 1)
		return snap_graph_retained(refs->graph, keeper.entry);
	if (*searches == 0)
		return REFS_ABSENT;
	--*searches;
	if (keeper.retained != 0)
		return keeper.retained;
	snap_graph_cycle(refs->graph, cycle, &info);
	refs_must(refs, snap_graph_set_open(&members, refs->graph, &refs->error));
	for (uint64_t row = info.first;
	     row < refs->objects && snap_graph_set_count(members) < info.objects; row++)
		if (snap_graph_cycle_of(refs->graph, row) == cycle)
			snap_graph_set_add(members, row);
	refs_must(refs,
		  snap_graph_retained_by(refs->graph, members, &bytes, &objects, &refs->error));
	snap_graph_set_close(members);
	return bytes;
}

static void show_keeper(struct refs *refs, const struct chosen *chosen, uint64_t place)
{
	struct snap_graph_keeper keeper = keeper_of(chosen, place);
	uint64_t number = place + 1;
	if (is_reached(refs, keeper.nearest)) {
		struct snap_graph_set *rows;
		refs_must(refs, snap_graph_set_open(&rows, refs->graph, &refs->error));
		snap_graph_set_add(rows, keeper.nearest);
		refs_show_ways(refs, rows, "kept", number);
		snap_graph_set_close(rows);
		return;
	}
	/* For people the cycle's own line says as much. */
	if (keeper.holder == SNAP_GRAPH_NONE && refs->table == NULL)
		return;
	struct refs_line line = refs_line("kept");
	line.number = number;
	line.kind = "unreachable";
	if (keeper.holder != SNAP_GRAPH_NONE)
		refs_describe(refs, &line, keeper.holder);
	refs_print(refs, &line);
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
	for (uint64_t i = from; i < to; i++) {
		struct refs_group group = refs_groups_at(members, i);
		struct refs_line line = refs_line("member");
		if (refs_over_limit(refs->limit, i - from)) {
			refs_print_rest(refs, to - i, "types");
			return;
		}
		line.number = number;
		line.depth = 1;
		line.count = group.count;
		refs_describe(refs, &line, group.row);
		line.bytes = REFS_ABSENT;
		if (group.count == 1)
			append_place(refs, &line, group.row);
		refs_print(refs, &line);
	}
}

void refs_show_cycles(struct refs *refs, enum refs_cycles which)
{
	struct refs_groups members = {.refs = refs};
	struct chosen chosen = choose(refs, which);
	bool has_keepers = which != REFS_CYCLES_OF_TARGETS;
	if (has_keepers)
		refs_must(refs, snap_graph_find_keepers(refs->graph, &refs->error));
	count_members(refs, &chosen, &members);
	uint32_t searches = SEARCHES;
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
		if (has_keepers && line.kind == NULL)
			line.retained = retained_by(refs, &chosen, i, &searches);
		refs_describe(refs, &line, cycle.first);
		append_place(refs, &line, cycle.first);
		refs_print(refs, &line);
		while (at < members.count && refs_groups_at(&members, at).label == i)
			at++;
		print_members(refs, &members, from, at, i + 1);
		if (has_keepers)
			show_keeper(refs, &chosen, i);
	}
	refs_print_rest(refs, chosen.rest, "cycles");
	refs_groups_free(&members);
	free_chosen(&chosen);
}
