/* The tree of dominators as one array: a branch is a stretch of it. */
#include "graph.h"

/* Places count from 0 without the roots, which are number 0. */
static void place_all(struct branches *branches, const uint32_t *rows, const uint32_t *dominator,
		      uint32_t *size, uint32_t *next)
{
	uint32_t count = branches->reached + 1;
	for (uint32_t i = 0; i < count; i++)
		size[i] = 1;
	for (uint32_t i = count; i-- > 1;)
		size[dominator[i]] += size[i];
	next[0] = 0;
	for (uint32_t i = 1; i < count; i++) {
		uint32_t place = next[dominator[i]];
		next[dominator[i]] += size[i];
		next[i] = place + 1;
		branches->row[place] = rows[i];
		branches->count[place] = size[i];
	}
}

void libsnap_graph_order_branches(struct snap_graph *graph, const struct preorder *pre, void *room)
{
	struct branches *branches = &graph->branches;
	uint64_t objects = graph->objects;
	if (!graph->options.branches || !libsnap_graph_fits(graph, objects * 8))
		return;
	branches->row = libsnap_graph_take(graph, objects, 4);
	branches->count = libsnap_graph_take(graph, objects, 4);
	branches->reached = pre->reached - 1;
	if (branches->row == NULL || branches->count == NULL)
		libsnap_graph_free_branches(graph);
	else
		place_all(branches, pre->order, pre->parent, room, (uint32_t *)room + pre->reached);
}

void libsnap_graph_free_branches(struct snap_graph *graph)
{
	libsnap_graph_give(graph, graph->branches.row, graph->objects, 4);
	libsnap_graph_give(graph, graph->branches.count, graph->objects, 4);
	graph->branches = (struct branches){0};
}

/* Told together, so that what is known of each can be fetched before it is needed. */
#define TOLD  256u
#define AHEAD 32u

enum snap_status snap_graph_branches(const struct snap_graph *graph, snap_graph_tell_branches *tell,
				     void *context, struct snap_error *error)
{
	const struct branches *branches = &graph->branches;
	struct snap_graph_branch told[TOLD];
	if (!libsnap_graph_is_dominated(graph))
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "dominators were not found");
	if (branches->row == NULL)
		return SNAP_END;
	for (uint32_t at = 0; at < branches->reached;) {
		uint32_t count = 0;
		for (; count < TOLD && at < branches->reached; count++, at++) {
			if (branches->reached - at > AHEAD)
				__builtin_prefetch(&graph->retained[branches->row[at + AHEAD]]);
			uint32_t row = branches->row[at];
			told[count] = (struct snap_graph_branch){row, branches->count[at],
								 graph->retained[row]};
		}
		if (!tell(context, told, count))
			break;
	}
	return SNAP_OK;
}
