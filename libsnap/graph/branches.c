/* The tree of dominators as one array: a branch is a stretch of it. */
#include "graph.h"

/* Memory is asked for so many nodes before it is needed: first a node's own and
 * its dominator, then what is known of that. */
#define FAR  32u
#define NEAR 16u

/* By node: how long its branch is, and where the next one in it begins. */
struct stretch {
	uint32_t count, next;
};

static inline void expect(const uint32_t *dominator, const struct stretch *of, uint32_t far,
			  uint32_t near)
{
	__builtin_prefetch(&dominator[far]);
	__builtin_prefetch(&of[far]);
	__builtin_prefetch(&of[dominator[near]]);
}

/* Places count from 0 without the roots, which are first in order. */
static void place_all(struct branches *branches, const uint32_t *order, const uint32_t *dominator,
		      struct stretch *of, uint32_t nodes)
{
	uint32_t count = branches->reached + 1;
	for (uint32_t node = 0; node < nodes; node++)
		of[node].count = 1;
	for (uint32_t i = count; i-- > 1;) {
		if (i > FAR)
			expect(dominator, of, order[i - FAR], order[i - NEAR]);
		of[dominator[order[i]]].count += of[order[i]].count;
	}
	of[order[0]].next = 0;
	for (uint32_t i = 1; i < count; i++) {
		if (count - i > FAR)
			expect(dominator, of, order[i + FAR], order[i + NEAR]);
		uint32_t row = order[i], *next = &of[dominator[row]].next, place = *next;
		*next += of[row].count;
		of[row].next = place + 1;
		branches->row[place] = row;
		branches->count[place] = of[row].count;
	}
}

void libsnap_graph_order_branches(struct snap_graph *graph, const struct tree *tree, void *room)
{
	struct branches *branches = &graph->branches;
	uint64_t objects = graph->objects;
	if (!graph->options.branches || !libsnap_graph_fits(graph, objects * 8))
		return;
	branches->row = libsnap_graph_take(graph, objects, 4);
	branches->count = libsnap_graph_take(graph, objects, 4);
	branches->reached = tree->reached - 1;
	if (branches->row == NULL || branches->count == NULL)
		libsnap_graph_free_branches(graph);
	else
		place_all(branches, tree->order, graph->dominator, room, graph->held.nodes);
}

void libsnap_graph_free_branches(struct snap_graph *graph)
{
	libsnap_graph_give(graph, graph->branches.row, graph->objects, 4);
	libsnap_graph_give(graph, graph->branches.count, graph->objects, 4);
	graph->branches = (struct branches){0};
}

/* Told together, so that what is known of each can be fetched before it is needed. */
#define TOLD  4096u
#define AHEAD 32u
/* Of them, those that a second thread may have gathered before they are told. */
#define GATHERED 4u
/* Where there are no more, a thread would not be worth its start. */
#define FEW 30000u

struct gathered {
	struct libsnap_job job;
	const struct snap_graph *graph;
	uint32_t first, count;
	struct snap_graph_branch told[TOLD];
};

static void gather(struct libsnap_job *job)
{
	struct gathered *gathered = (struct gathered *)job;
	const struct branches *branches = &gathered->graph->branches;
	const uint64_t *retained = gathered->graph->retained;
	for (uint32_t i = 0, at = gathered->first; i < gathered->count; i++, at++) {
		if (branches->reached - at > AHEAD)
			__builtin_prefetch(&retained[branches->row[at + AHEAD]]);
		uint32_t row = branches->row[at];
		gathered->told[i] =
			(struct snap_graph_branch){row, branches->count[at], retained[row]};
	}
}

static void post(struct libsnap_worker *worker, struct gathered *gathered,
		 const struct snap_graph *graph, uint32_t first)
{
	const uint32_t left = graph->branches.reached - first;
	gathered->job.run = gather;
	gathered->graph = graph;
	gathered->first = first;
	gathered->count = left < TOLD ? left : TOLD;
	libsnap_worker_post(worker, &gathered->job);
}

/* What was told makes room for what is next. */
static void tell_all(const struct snap_graph *graph, struct libsnap_worker *worker,
		     struct gathered *ring, uint32_t size, snap_graph_tell_branches *tell,
		     void *context)
{
	const uint32_t reached = graph->branches.reached;
	uint32_t posted = 0, count = reached / TOLD + (reached % TOLD != 0);
	for (uint32_t i = 0; i < count; i++) {
		for (; posted < count && posted < i + size; posted++)
			post(worker, &ring[posted % size], graph, posted * TOLD);
		struct gathered *next = &ring[i % size];
		libsnap_worker_wait(worker, &next->job);
		if (!tell(context, next->told, next->count))
			return;
	}
}

enum snap_status snap_graph_branches(const struct snap_graph *graph, snap_graph_tell_branches *tell,
				     void *context, struct snap_error *error)
{
	const struct branches *branches = &graph->branches;
	if (!libsnap_graph_is_dominated(graph))
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "dominators were not found");
	if (branches->row == NULL)
		return SNAP_END;
	const unsigned threads = branches->reached > FEW ? graph->options.threads : 1;
	struct gathered one, *ring = NULL;
	struct libsnap_worker worker;
	libsnap_worker_begin(&worker, threads);
	if (worker.threaded)
		ring = libsnap_alloc(graph->allocator, GATHERED, sizeof(*ring));
	if (ring != NULL)
		tell_all(graph, &worker, ring, GATHERED, tell, context);
	else
		tell_all(graph, &worker, &one, 1, tell, context);
	libsnap_worker_end(&worker);
	libsnap_free(graph->allocator, ring, GATHERED, sizeof(*ring));
	return SNAP_OK;
}
