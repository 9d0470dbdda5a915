/* Cycles that no root reaches, alike ones together: of the same types, and blocks of the same
 * places. */
#include "refs.h"

struct garbage {
	struct refs *refs;
	struct refs_groups made_of; /* by type, place (kind) and cycle (label) */
	struct refs_groups alike;   /* by what they are made of (label); row: the first, a cycle */
	struct refs_groups members; /* by type, place (kind) and line (label) */
	/* by cycle: the first of those alike, and of these the line */
	struct snap_graph_numbers *first, *line;
};

/* How many objects are in them, and the first of these. */
static uint64_t count_objects(struct refs *refs, uint64_t *first)
{
	uint64_t objects = 0;
	for (uint64_t i = 0; i < snap_graph_cycle_count(refs->graph); i++) {
		struct snap_graph_cycle cycle;
		snap_graph_cycle(refs->graph, i, &cycle);
		if (snap_graph_is_reached(refs->graph, cycle.first))
			continue;
		objects += cycle.objects;
		*first = cycle.first < *first ? cycle.first : *first;
	}
	return objects;
}

static void find_members(struct garbage *g)
{
	struct refs *refs = g->refs;
	uint64_t row = refs->objects, left = count_objects(refs, &row);
	for (; row < refs->objects && left > 0; row++) {
		struct refs_group added = {
			.label = snap_graph_cycle_of(refs->graph, row), .row = row, .count = 1};
		if (added.label == SNAP_GRAPH_NONE || snap_graph_is_reached(refs->graph, row))
			continue;
		added.type = snap_graph_type(refs->graph, row);
		if (added.type == 0)
			added.kind = refs_site(refs, refs_value(refs, SNAP_OBJECT_STACK, row));
		refs_groups_add(&g->made_of, &added);
		left--;
	}
	refs_groups_sort_by_label(&g->made_of);
}

static uint64_t mix(uint64_t x)
{
	x *= UINT64_C(0x9e3779b97f4a7c15);
	x ^= x >> 32;
	return x * UINT64_C(0xd6e8feb86659fd93);
}

static void find_alike(struct garbage *g)
{
	struct refs *refs = g->refs;
	for (uint64_t i = 0; i < g->made_of.count;) {
		const uint64_t cycle = refs_groups_at(&g->made_of, i).label;
		struct refs_group part;
		struct snap_graph_cycle info;
		struct refs_group added = {.row = cycle, .count = 1};
		for (;
		     i < g->made_of.count && (part = refs_groups_at(&g->made_of, i)).label == cycle;
		     i++)
			added.label += mix(mix(part.type) + part.kind);
		snap_graph_cycle(refs->graph, cycle, &info);
		added.bytes = info.bytes;
		snap_graph_numbers_set(g->first, cycle, refs_groups_add(&g->alike, &added));
	}
	refs_groups_sort(&g->alike);
	for (uint64_t i = 0; i < g->alike.count; i++)
		snap_graph_numbers_set(g->line, refs_groups_at(&g->alike, i).row, i);
}

static void count_members(struct garbage *g)
{
	for (uint64_t i = 0; i < g->made_of.count; i++) {
		struct refs_group part = refs_groups_at(&g->made_of, i);
		part.label = snap_graph_numbers_get(g->line,
						    snap_graph_numbers_get(g->first, part.label));
		if (!refs_over_limit(g->refs->limit, part.label))
			refs_groups_add(&g->members, &part);
	}
	refs_groups_sort_by_label(&g->members);
}

static void read_objects(const struct garbage *g)
{
	struct refs *refs = g->refs;
	struct snap_graph_set *rows;
	refs_must(refs, snap_graph_set_open(&rows, refs->graph, &refs->error));
	for (uint64_t i = 0; i < g->members.count; i++)
		snap_graph_set_add(rows, refs_groups_at(&g->members, i).row);
	for (uint64_t i = 0; i < g->alike.count && !refs_over_limit(refs->limit, i); i++) {
		struct snap_graph_cycle cycle;
		snap_graph_cycle(refs->graph, refs_groups_at(&g->alike, i).row, &cycle);
		snap_graph_set_add(rows, cycle.first);
	}
	refs_must(refs, snap_graph_read_objects(refs->graph, rows, &refs->error));
	snap_graph_set_close(rows);
}

static void show_cycle(struct refs *refs, const struct refs_group *alike, uint64_t number,
		       uint64_t objects)
{
	struct refs_line line = refs_line("cycle");
	struct snap_graph_cycle cycle;
	snap_graph_cycle(refs->graph, alike->row, &cycle);
	line.number = number;
	line.count = objects;
	line.bytes = alike->bytes;
	line.repeats = alike->count;
	line.kind = "unreachable";
	refs_describe(refs, &line, cycle.first);
	if (line.type.size == 0)
		refs_append_site(refs, &line.site,
				 refs_site(refs, refs_value(refs, SNAP_OBJECT_STACK, cycle.first)));
	refs_print(refs, &line);
}

struct refs_line refs_member_line(struct refs *refs, const struct refs_group *members,
				  uint64_t number)
{
	struct refs_line line = refs_line("member");
	line.number = number;
	line.depth = 1;
	line.count = members->count;
	refs_describe(refs, &line, members->row);
	line.bytes = REFS_ABSENT;
	return line;
}

static void show_members(const struct garbage *g, uint64_t from, uint64_t to, uint64_t number)
{
	struct refs *refs = g->refs;
	/* For people the cycle's own line says as much. */
	if (to - from == 1 && refs->table == NULL)
		return;
	for (uint64_t i = from; refs_lists(refs, i - from, to - from, "types"); i++) {
		struct refs_group part = refs_groups_at(&g->members, i);
		struct refs_line line = refs_member_line(refs, &part, number);
		refs_append_site(refs, &line.site, part.kind);
		refs_print(refs, &line);
	}
}

void refs_show_holder(struct refs *refs, uint64_t cycle, uint64_t number)
{
	struct snap_graph_keeper keeper;
	snap_graph_keeper(refs->graph, cycle, &keeper);
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

static void show_all(struct garbage *g)
{
	uint64_t from = 0, to = 0;
	for (uint64_t i = 0; refs_lists(g->refs, i, g->alike.count, "kinds of cycles"); i++) {
		const struct refs_group alike = refs_groups_at(&g->alike, i);
		struct refs_group part;
		uint64_t objects = 0;
		for (; to < g->members.count && (part = refs_groups_at(&g->members, to)).label == i;
		     to++)
			objects += part.count;
		show_cycle(g->refs, &alike, i + 1, objects);
		show_members(g, from, to, i + 1);
		refs_show_holder(g->refs, alike.row, i + 1);
		from = to;
	}
}

void refs_show_garbage_cycles(struct refs *refs)
{
	uint64_t cycles = snap_graph_cycle_count(refs->graph);
	struct garbage g = {.refs = refs,
			    .made_of.refs = refs,
			    .alike.refs = refs,
			    .members.refs = refs,
			    .first = refs_numbers(refs, cycles, cycles),
			    .line = refs_numbers(refs, cycles, cycles)};
	refs_must(refs, snap_graph_find_keepers(refs->graph, &refs->error));
	find_members(&g);
	find_alike(&g);
	count_members(&g);
	read_objects(&g);
	show_all(&g);
	refs_groups_free(&g.made_of);
	refs_groups_free(&g.alike);
	refs_groups_free(&g.members);
	snap_graph_numbers_close(g.first);
	snap_graph_numbers_close(g.line);
}
