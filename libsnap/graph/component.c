/* The cycle of one row, without all others: of what it leads to, that which leads back to it. */
#include "graph.h"

#include <inttypes.h>

struct hunt {
	struct snap_graph *graph;
	uint64_t *ahead;  /* rows that the row leads to, and that may lead back */
	uint64_t *back;   /* those that do */
	uint64_t *doubts; /* rows that one leads to of which it is not known */
	uint64_t doubt;   /* that one; SNAP_GRAPH_NONE: none was met */
	uint64_t found;   /* rows that lead back */
	uint64_t looked;  /* at so many rows and references */
	struct sweeps sweeps;
};

/* All that a row leads to, within limits (NULL: all rows). False: it leads back, and not all is
 * found. */
static bool spread_from(struct hunt *hunt, uint64_t row, uint64_t *reached, const uint64_t *limits)
{
	const struct snap_graph *graph = hunt->graph;
	uint64_t first, word, done = 0;
	bool is_back = false;
	libsnap_set_bit(reached, row);
	libsnap_sweeps_add(&hunt->sweeps, row);
	while (libsnap_sweeps_take(&hunt->sweeps, &first, &word)) {
		if ((done++ & 0x3fff) == 0)
			libsnap_graph_progress(graph, "cycles", first, graph->objects);
		for (; word != 0 && !is_back && !libsnap_graph_has_failed(graph);
		     word &= word - 1) {
			uint64_t node = first + (uint64_t)__builtin_ctzll(word);
			uint64_t at = libsnap_graph_get_start(graph, node);
			uint64_t end = libsnap_graph_get_start(graph, node + 1);
			hunt->looked += end - at + 1;
			for (; at < end; at++) {
				uint64_t to = libsnap_graph_get_to(graph, at);
				is_back |= libsnap_has_bit(hunt->back, to);
				if (libsnap_has_bit(reached, to) ||
				    (limits != NULL && !libsnap_has_bit(limits, to)))
					continue;
				libsnap_set_bit(reached, to);
				libsnap_sweeps_add(&hunt->sweeps, to);
			}
		}
	}
	return !is_back;
}

static void add_back(struct hunt *hunt, uint64_t row)
{
	libsnap_set_bit(hunt->back, row);
	hunt->found++;
}

/* True: it is new that row leads back.  What leads to nothing that may lead back is ahead no more.
 */
static bool look(struct hunt *hunt, uint64_t row)
{
	const struct snap_graph *graph = hunt->graph;
	uint64_t at = libsnap_graph_get_start(graph, row);
	uint64_t end = libsnap_graph_get_start(graph, row + 1), doubt = SNAP_GRAPH_NONE;
	hunt->looked += end - at + 1;
	for (; at < end; at++) {
		uint64_t to = libsnap_graph_get_to(graph, at);
		if (libsnap_has_bit(hunt->back, to)) {
			add_back(hunt, row);
			return true;
		}
		if (libsnap_has_bit(hunt->ahead, to))
			doubt = to;
	}
	if (doubt == SNAP_GRAPH_NONE)
		libsnap_clear_bit(hunt->ahead, row);
	else
		hunt->doubt = doubt;
	return false;
}

/* Looks at all rows in doubt, upwards or downwards; true: some lead back, so others may. */
static bool look_at_all(struct hunt *hunt, bool upwards)
{
	uint64_t words = hunt->graph->objects / 64 + 1;
	bool any = false;
	hunt->doubt = SNAP_GRAPH_NONE;
	for (uint64_t i = 0; i < words && !libsnap_graph_has_failed(hunt->graph); i++) {
		uint64_t at = upwards ? i : words - 1 - i;
		uint64_t word = hunt->ahead[at] & ~hunt->back[at];
		while (word != 0) {
			unsigned bit = upwards ? (unsigned)__builtin_ctzll(word)
					       : 63u - (unsigned)__builtin_clzll(word);
			word &= ~(UINT64_C(1) << bit);
			any |= look(hunt, at * 64 + bit);
		}
	}
	return any;
}

/* Where many rows lead to the same ones that do not lead back, they keep each other in doubt: one
 * of these is followed to its end. */
static void settle_doubt(struct hunt *hunt)
{
	uint64_t doubt = hunt->doubt;
	if (doubt == SNAP_GRAPH_NONE || !libsnap_has_bit(hunt->ahead, doubt) ||
	    libsnap_has_bit(hunt->back, doubt))
		return;
	bool is_out = spread_from(hunt, doubt, hunt->doubts, hunt->ahead);
	for (uint64_t i = 0; i < hunt->graph->objects / 64 + 1; i++) {
		hunt->ahead[i] &= is_out ? ~hunt->doubts[i] : UINT64_MAX;
		hunt->doubts[i] = 0;
	}
	if (!is_out)
		add_back(hunt, doubt);
}

/* Passes over rows in order are cheap, but nothing says how many it takes. */
#define MOST_LOOKS 16u

/* False: it takes too long. */
static bool find_members(struct hunt *hunt, uint64_t row)
{
	struct snap_graph *graph = hunt->graph;
	uint64_t most = (graph->held_count + graph->objects) * MOST_LOOKS;
	spread_from(hunt, row, hunt->ahead, NULL);
	/* What the shortest path passes leads to the row. */
	for (uint64_t at = row; at < graph->objects && libsnap_has_bit(hunt->ahead, at);
	     at = snap_graph_parent(graph, at)) {
		if (libsnap_graph_has_failed(graph))
			return true;
		add_back(hunt, at);
	}
	for (bool upwards = false; look_at_all(hunt, upwards); upwards = !upwards) {
		if (hunt->looked > most)
			return false;
		settle_doubt(hunt);
	}
	return true;
}

static enum snap_status open_hunt(struct hunt *hunt, struct snap_error *error)
{
	struct snap_graph *graph = hunt->graph;
	uint64_t words = graph->objects / 64 + 1;
	enum snap_status status = libsnap_graph_prepare(graph, words * 48, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&hunt->ahead, graph, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&hunt->back, graph, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&hunt->doubts, graph, error);
	if (status == SNAP_OK)
		status = libsnap_sweeps_open(&hunt->sweeps, graph, error);
	return status;
}

/* ---- what it is ---- */

static void add_member(void *context, uint64_t row, uint64_t bytes)
{
	struct component *component = context;
	uint64_t *sum = &component->cycle.bytes;
	if (libsnap_has_bit(component->members, row) && libsnap_add_overflows(*sum, bytes, sum))
		*sum = UINT64_MAX;
}

/* Takes the rows found for the graph's, if they are a cycle. */
static enum snap_status describe(struct hunt *hunt, uint64_t row, struct snap_error *error)
{
	struct snap_graph *graph = hunt->graph;
	struct component *component = &graph->component;
	enum snap_status status = libsnap_graph_check_pages(graph, error);
	if (status != SNAP_OK)
		return status;
	component->members = hunt->back;
	hunt->back = NULL;
	component->is_cycle = hunt->found > 1 || libsnap_graph_refers_to_itself(graph, row);
	const struct marks marks = {.bits = component->members};
	component->cycle = (struct snap_graph_cycle){.objects = hunt->found,
						     .first = libsnap_marks_next(&marks, graph, 0)};
	return component->is_cycle ? libsnap_graph_each_size(graph, add_member, component, error)
				   : SNAP_OK;
}

void libsnap_graph_free_component(struct snap_graph *graph)
{
	libsnap_bits_close(graph->component.members, graph);
	graph->component = (struct component){.members = NULL};
}

enum snap_status snap_graph_find_cycle_of(struct snap_graph *graph, uint64_t row,
					  struct snap_error *error)
{
	struct hunt hunt = {.graph = graph};
	if (libsnap_numbers_is_open(&graph->cycle) || graph->indexed.is_there)
		return snap_graph_find_cycles(graph, error);
	if (row >= graph->objects)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "there is no row %" PRIu64,
				    row);
	libsnap_graph_free_component(graph);
	bool is_quick = true;
	enum snap_status status = open_hunt(&hunt, error);
	if (status == SNAP_OK) {
		is_quick = find_members(&hunt, row);
		status = is_quick ? describe(&hunt, row, error) : SNAP_OK;
	}
	libsnap_bits_close(hunt.ahead, graph);
	libsnap_bits_close(hunt.back, graph);
	libsnap_bits_close(hunt.doubts, graph);
	libsnap_sweeps_close(&hunt.sweeps, graph);
	if (status != SNAP_OK)
		libsnap_graph_free_component(graph);
	return is_quick ? status : snap_graph_find_cycles(graph, error);
}
