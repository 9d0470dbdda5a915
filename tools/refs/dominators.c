/* The chain of dominators of the targets. */
#include "refs.h"

/* Rows on the first target's chain have their place on it, from 1; other rows that were passed,
 * 0. */
#define PASSED 0

/* Climbs from one target until a row that was passed before; SNAP_GRAPH_NONE: up to the roots. */
static uint64_t climb(const struct refs *refs, struct snap_graph_numbers *place, uint64_t target)
{
	uint64_t row = snap_graph_dominator(refs->graph, target);
	while (row != SNAP_GRAPH_NONE && snap_graph_numbers_get(place, row) == SNAP_GRAPH_NONE) {
		snap_graph_numbers_set(place, row, PASSED);
		row = snap_graph_dominator(refs->graph, row);
	}
	return row;
}

static void place_chain(const struct refs *refs, struct snap_graph_numbers *place, uint64_t row)
{
	uint64_t length = 0;
	for (; row != SNAP_GRAPH_NONE; row = snap_graph_dominator(refs->graph, row))
		snap_graph_numbers_set(place, row, ++length);
}

/* The closest object that dominates all targets that are reached; SNAP_GRAPH_NONE: only the roots
 * together do. */
static uint64_t common_dominator(struct refs *refs)
{
	const struct snap_graph *graph = refs->graph;
	uint64_t first = SNAP_GRAPH_NONE, highest = 0;
	enum snap_status status =
		snap_graph_kept(refs->graph, refs->targets, &first, NULL, NULL, &refs->error);
	if (status != SNAP_END) {
		refs_must(refs, status);
		return first;
	}
	struct snap_graph_numbers *place = refs_numbers(refs, refs->objects, refs->objects);
	for (uint64_t row = refs_next_target(refs, 0); row != SNAP_GRAPH_NONE;
	     row = refs_next_target(refs, row + 1)) {
		if (snap_graph_distance(graph, row) == SNAP_GRAPH_NONE)
			continue;
		if (highest == 0) {
			first = snap_graph_dominator(graph, row);
			place_chain(refs, place, first);
			highest = 1;
		}
		uint64_t met = climb(refs, place, row);
		if (met == SNAP_GRAPH_NONE) {
			first = SNAP_GRAPH_NONE;
			break;
		}
		uint64_t met_place = snap_graph_numbers_get(place, met);
		if (met_place > highest)
			highest = met_place;
	}
	for (uint64_t i = 1; i < highest && first != SNAP_GRAPH_NONE; i++)
		first = snap_graph_dominator(graph, first);
	snap_graph_numbers_close(place);
	return first;
}

/* Dominators of one type in a row are one line. */
void refs_show_dominators(struct refs *refs)
{
	uint64_t lines = 0, rest = 0;
	for (uint64_t row = common_dominator(refs); row != SNAP_GRAPH_NONE;) {
		uint64_t type = snap_graph_type(refs->graph, row), next = row, repeats = 0;
		for (; next != SNAP_GRAPH_NONE && snap_graph_type(refs->graph, next) == type;
		     repeats++)
			next = snap_graph_dominator(refs->graph, next);
		if (refs_over_limit(refs->limit, lines)) {
			rest += repeats;
		} else {
			struct refs_line line = refs_line("dominator");
			line.depth = lines++;
			line.repeats = repeats;
			line.retained = snap_graph_retained(refs->graph, row);
			refs_describe(refs, &line, row);
			refs_print(refs, &line);
		}
		row = next;
	}
	refs_print_rest(refs, rest, "dominators");
}
