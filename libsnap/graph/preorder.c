/* A walk depth first from the roots, and what predecessors each number has: these are counted a
 * stretch of numbers behind the walk, by a second thread if there is one. */
#include "graph.h"

#include <string.h>

#define STRETCH (UINT32_C(1) << 14)

/* A node on the way from the roots to the one that is visited. */
struct step {
	uint32_t number, next, end; /* next, end: its successors that were not looked at */
};

/* A job: nodes that have been reached since the job before, and others, of which those that are not
 * late have had all their successors reached by now. */
struct stretch {
	struct libsnap_job job;
	const struct adjacency *graph;
	struct preorder pre; /* a copy: what the walk writes into its own would be shared */
	const uint64_t *late;
	uint32_t first_new, end_new;
	uint32_t first, end;
};

struct walker {
	const struct adjacency *graph;
	struct preorder *pre;
	struct libsnap_worker *worker;
	struct step *steps;
	uint64_t *seen;   /* bits of nodes: they are in less memory than numbers, so nearer */
	uint64_t *closed; /* all successors were seen, without looking at them */
	/* bits of numbers, of nodes that were on the way when their stretch was told */
	uint64_t *late;
	uint64_t *waiting; /* of the roots' successors, which count as seen */
	struct stretch *stretches;
	uint32_t stretch_count, known, told; /* numbers known to the helper, and in stretches */
};

/* ---- predecessors ---- */

static inline void count_successors(const struct adjacency *graph, const struct preorder *pre,
				    uint32_t v)
{
	uint32_t node = pre->order[v];
	for (uint32_t e = graph->start[node], end = graph->start[node + 1]; e < end; e++) {
		if (libsnap_has_bit(pre->tops, graph->to[e]))
			continue;
		uint32_t w = pre->number[graph->to[e]];
		if (w < v)
			pre->higher[w]++;
		else if (v < pre->lowest[w])
			pre->lowest[w] = v;
	}
}

/* Memory is asked for so many nodes before it is needed: where successors are, which they are, what
 * their numbers are. */
static inline void fetch_for_counts(const struct stretch *stretch, uint32_t i)
{
	const uint32_t *start = stretch->graph->start, *to = stretch->graph->to;
	const uint32_t *order = stretch->pre.order + i;
	if (stretch->end - i <= 24)
		return;
	__builtin_prefetch(&start[order[24]]);
	__builtin_prefetch(&to[start[order[16]]]);
	for (uint32_t e = start[order[8]], end = start[order[8] + 1], few = e + 8;
	     e < end && e < few; e++)
		__builtin_prefetch(&stretch->pre.number[to[e]]);
}

static void count_stretch(struct libsnap_job *job)
{
	const struct stretch *stretch = (const struct stretch *)job;
	const struct preorder *pre = &stretch->pre;
	for (uint32_t i = stretch->first_new; i < stretch->end_new; i++) {
		pre->number[pre->order[i]] = i;
		pre->higher[i] = 0;
		pre->lowest[i] = pre->parent[i];
	}
	for (uint32_t i = stretch->first; i < stretch->end; i++) {
		fetch_for_counts(stretch, i);
		if (!libsnap_has_bit(stretch->late, i))
			count_successors(stretch->graph, pre, i);
	}
}

static void count_late(const struct walker *walker)
{
	for (uint32_t i = 0; i < walker->pre->reached; i += 64)
		for (uint64_t word = walker->late[i / 64]; word != 0; word &= word - 1)
			count_successors(walker->graph, walker->pre,
					 i + (uint32_t)__builtin_ctzll(word));
}

/* Tells the numbers up to end, and that nodes on the way to step are late. */
static void tell_stretch(struct walker *walker, const struct step *step, uint32_t end)
{
	struct stretch *stretch = &walker->stretches[walker->stretch_count++];
	for (; step > walker->steps && step->number >= walker->told; step--)
		if (step->number < end)
			libsnap_set_bit(walker->late, step->number);
	*stretch = (struct stretch){.job.run = count_stretch,
				    .graph = walker->graph,
				    .pre = *walker->pre,
				    .late = walker->late,
				    .first_new = walker->known,
				    .end_new = walker->pre->reached,
				    .first = walker->told,
				    .end = end};
	walker->known = walker->pre->reached;
	walker->told = end;
	libsnap_worker_post(walker->worker, &stretch->job);
}

/* ---- the walk ---- */

static inline void number_node(struct preorder *pre, uint32_t node, uint32_t parent)
{
	pre->order[pre->reached] = node;
	pre->parent[pre->reached++] = parent;
}

static void close_empty(const struct adjacency *graph, struct walker *walker)
{
	for (uint32_t node = 0; node < graph->nodes; node++)
		if (graph->start[node] == graph->start[node + 1])
			libsnap_set_bit(walker->closed, node);
}

static inline bool has_only(const struct adjacency *graph, uint32_t node, uint32_t successor)
{
	uint32_t start = graph->start[node];
	return graph->start[node + 1] - start == 1 && graph->to[start] == successor;
}

/* Objects of one shape are neighbours: where one refers to nothing but its class, so do many. */
static void close_alike(const struct adjacency *graph, struct walker *walker, uint32_t node)
{
	uint32_t only = graph->to[graph->start[node]], roots = graph->nodes - 1;
	for (uint32_t i = node + 1; i < roots && has_only(graph, i, only); i++)
		libsnap_set_bit(walker->closed, i);
	for (uint32_t i = node; i-- > 0 && has_only(graph, i, only);)
		libsnap_set_bit(walker->closed, i);
}

/* What comes after node: where the successors of its own successors are,
 * the next nodes' successors, and where those of the very next one lead. */
static inline void fetch_ahead(const struct adjacency *graph, uint32_t node, uint32_t next,
			       uint32_t end)
{
	const uint32_t *start = graph->start, *to = graph->to;
	for (uint32_t i = start[node], stop = start[node + 1], few = i + 16; i < stop && i < few;
	     i++)
		__builtin_prefetch(&start[to[i]]);
	if (next == end)
		return;
	if (next + 1 < end)
		__builtin_prefetch(&to[start[to[next + 1]]]);
	for (uint32_t i = start[to[next]], stop = start[to[next] + 1], few = i + 4;
	     i < stop && i < few; i++)
		__builtin_prefetch(&start[to[i]]);
}

/* The next successor of step that is to be numbered, or its end. */
static inline uint32_t next_unseen(const struct walker *walker, const struct step *step)
{
	const uint32_t *to = walker->graph->to;
	uint32_t at = step->next, end = step->end;
	if (step == walker->steps)
		while (at < end && !libsnap_has_bit(walker->waiting, to[at]))
			at++;
	else
		while (at < end && libsnap_has_bit(walker->seen, to[at]))
			at++;
	return at;
}

static void walk_preorder(struct walker *walker)
{
	const struct adjacency *graph = walker->graph;
	const uint32_t *start = graph->start;
	struct preorder *pre = walker->pre;
	struct step *step = walker->steps;
	uint32_t root = graph->nodes - 1;
	*step = (struct step){.next = start[root], .end = start[root + 1]};
	number_node(pre, root, 0);
	for (;;) {
		if (pre->reached - walker->told >= STRETCH)
			tell_stretch(walker, step, pre->reached & ~63u);
		uint32_t at = next_unseen(walker, step), end = step->end, number = pre->reached;
		if (at == end && step == walker->steps)
			break;
		if (at == end) {
			step--;
			continue;
		}
		uint32_t node = graph->to[at++];
		step->next = at;
		if (step == walker->steps)
			libsnap_clear_bit(walker->waiting, node);
		libsnap_set_bit(walker->seen, node);
		number_node(pre, node, step->number);
		if (libsnap_has_bit(walker->closed, node))
			continue;
		*++step = (struct step){
			.number = number, .next = start[node], .end = start[node + 1]};
		fetch_ahead(graph, node, at, end);
		if (step->end - step->next == 1)
			close_alike(graph, walker, node);
	}
	tell_stretch(walker, step, pre->reached);
}

static void mark_tops(struct walker *walker)
{
	const struct adjacency *graph = walker->graph;
	uint32_t root = graph->nodes - 1;
	for (uint32_t e = graph->start[root]; e < graph->start[root + 1]; e++) {
		libsnap_set_bit(walker->pre->tops, graph->to[e]);
		libsnap_set_bit(walker->seen, graph->to[e]);
		libsnap_set_bit(walker->waiting, graph->to[e]);
	}
}

static void unnumber_unseen(const struct walker *walker)
{
	uint32_t root = walker->graph->nodes - 1;
	for (uint32_t first = 0; first < root; first += 64)
		for (uint64_t word = ~walker->seen[first / 64]; word != 0; word &= word - 1) {
			uint32_t node = first + (uint32_t)__builtin_ctzll(word);
			if (node < root)
				walker->pre->number[node] = NONE;
		}
}

static enum snap_status take_arrays(struct snap_graph *graph, struct preorder *pre,
				    struct snap_error *error)
{
	uint32_t nodes = graph->held.nodes;
	pre->number = libsnap_graph_take(graph, nodes, 4);
	pre->order = libsnap_graph_take(graph, nodes, 4);
	pre->parent = libsnap_graph_take(graph, nodes, 4);
	pre->higher = libsnap_graph_take(graph, nodes + 1u, 4);
	pre->lowest = libsnap_graph_take(graph, nodes, 4);
	if (pre->number == NULL || pre->order == NULL || pre->parent == NULL ||
	    pre->higher == NULL || pre->lowest == NULL)
		return libsnap_fail_memory(error);
	return libsnap_bits_open(&pre->tops, graph, error);
}

enum snap_status libsnap_graph_preorder(struct snap_graph *graph, struct libsnap_worker *worker,
					struct preorder *pre, struct snap_error *error)
{
	uint32_t nodes = graph->held.nodes, stretches = nodes / STRETCH + 2;
	struct walker walker = {.graph = &graph->held, .pre = pre, .worker = worker};
	walker.steps = libsnap_graph_take(graph, nodes, sizeof(*walker.steps));
	walker.stretches = libsnap_graph_take(graph, stretches, sizeof(*walker.stretches));
	enum snap_status status = take_arrays(graph, pre, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&walker.seen, graph, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&walker.closed, graph, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&walker.late, graph, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&walker.waiting, graph, error);
	if (status == SNAP_OK && (walker.steps == NULL || walker.stretches == NULL))
		status = libsnap_fail_memory(error);
	if (status == SNAP_OK) {
		mark_tops(&walker);
		close_empty(&graph->held, &walker);
		walk_preorder(&walker);
		libsnap_worker_wait(worker, &walker.stretches[walker.stretch_count - 1].job);
		unnumber_unseen(&walker);
		count_late(&walker);
	}
	libsnap_graph_give(graph, walker.steps, nodes, sizeof(*walker.steps));
	libsnap_graph_give(graph, walker.stretches, stretches, sizeof(*walker.stretches));
	libsnap_bits_close(walker.seen, graph);
	libsnap_bits_close(walker.closed, graph);
	libsnap_bits_close(walker.late, graph);
	libsnap_bits_close(walker.waiting, graph);
	return status;
}

void libsnap_graph_free_preorder(struct snap_graph *graph, struct preorder *pre)
{
	uint32_t nodes = graph->held.nodes;
	libsnap_graph_give(graph, pre->order, nodes, 4);
	libsnap_graph_give(graph, pre->parent, nodes, 4);
	libsnap_graph_give(graph, pre->higher, nodes + 1u, 4);
	libsnap_graph_give(graph, pre->lowest, nodes, 4);
	libsnap_bits_close(pre->tops, graph);
	*pre = (struct preorder){.number = pre->number};
}
