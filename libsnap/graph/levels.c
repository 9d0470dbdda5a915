/* Dominators by distances from the roots: no walk depth first, which waits for memory at each step.
 *
 * A search breadth first makes a tree of shortest paths.  All that dominates a node is on its path
 * in this tree, where there is one node of each distance: so it is a set of distances, kept as
 * bits.  The set of a node is what the sets of all its predecessors have in common, as far as
 * their paths in the tree are the same nodes.  Sets begin with all that is possible, and lose bits
 * until nothing changes; the furthest distance that is left is the dominator's.
 *
 * What holds of one distance does not depend on the others: a band of distances is done at a time,
 * for all nodes that are further away, and the furthest band first.  Where many nodes are so far
 * away that this would take too long, it is not done (SNAP_END). */
#include "levels.h"
#include "graph.h"

#include <string.h>

/* By node: the places of it and of what is below it in the tree, after `first` and up to `last`.
 * While these are counted, `first` is where the next one to be placed ends, and `last` how many
 * they are. */
struct places {
	uint32_t first, last;
};

/* A node to which more than one reference leads, and the distance of the furthest one that may
 * dominate it. */
struct join {
	uint32_t node, limit;
};

/* Where nodes of a distance begin, in order; and where joins of it do. */
struct level {
	uint32_t first, first_join;
};

/* The lowest and the highest place of a node's predecessors; then its set, of which the highest bit
 * is the node itself. */
union before {
	struct places places;
	uint64_t set;
};

struct levels {
	struct snap_graph *graph;
	const uint32_t *start, *to;
	uint32_t *parent; /* in the tree, and at last the dominator */
	uint32_t *order;  /* nodes by distance, those of the same in order */
	uint32_t reached;
	struct level *level;  /* by distance, and one more */
	uint32_t count, most; /* of distances */
	uint64_t *several;    /* bits of nodes that are joins */
	struct join *joins;   /* in order */
	size_t join_count;
	uint64_t *seen;  /* bits of nodes; then of those whose sets were told to their successors */
	uint64_t *tells; /* bits of nodes that lead to joins */
	struct places *spans;
	struct placing *placing; /* first how many there are, then each stretch */
	uint32_t placing_count;
	union before *before; /* by node */
	struct sweeps changed;
	uint64_t steps_left;
};

/* What is written to memory for the first time while the search goes on. */
struct filling {
	struct libsnap_job job;
	struct places *spans;
	union before *before;
	uint32_t nodes;
};

/* Nodes of the order on their way to their places: all that a second thread needs of struct levels.
 */
struct placing {
	struct libsnap_job job;
	struct places *spans;
	const uint32_t *parent, *order;
	uint32_t begin, end;
};

#define STRETCH (UINT32_C(1) << 16)

static inline bool has_several(const struct levels *levels, uint32_t node)
{
	return libsnap_has_bit(levels->several, node);
}

/* False: there was enough of them. */
static inline bool take_steps(struct levels *levels, uint64_t steps)
{
	if (levels->steps_left < steps)
		return false;
	levels->steps_left -= steps;
	return true;
}

/* ---- the tree ---- */

static void reach_successors(struct levels *levels, uint32_t node, struct frontier *next)
{
	for (uint32_t e = levels->start[node], end = levels->start[node + 1]; e < end; e++) {
		uint32_t to = levels->to[e];
		if (libsnap_has_bit(levels->seen, to)) {
			libsnap_set_bit(levels->several, to);
			continue;
		}
		libsnap_set_bit(levels->seen, to);
		levels->parent[to] = node;
		libsnap_frontier_add(next, to);
	}
}

static void end_level(struct levels *levels)
{
	levels->level[++levels->count].first = levels->reached;
}

static void take_level(struct levels *levels, struct frontier *current, struct frontier *next)
{
	uint64_t first, word;
	while (libsnap_frontier_take(current, &first, &word))
		for (; word != 0; word &= word - 1) {
			uint32_t node = (uint32_t)first + (uint32_t)__builtin_ctzll(word);
			levels->order[levels->reached++] = node;
			reach_successors(levels, node, next);
		}
}

static enum snap_status find_levels(struct levels *levels, struct frontier *sets)
{
	const uint32_t nodes = levels->graph->held.nodes, root = nodes - 1;
	uint64_t visits_left = (uint64_t)nodes * MOST_VISITS;
	levels->order[levels->reached++] = root;
	levels->level[0].first = 0;
	end_level(levels);
	reach_successors(levels, root, &sets[1]);
	for (;;) {
		take_level(levels, &sets[levels->count % 2], &sets[(levels->count + 1) % 2]);
		uint64_t taken = levels->reached - levels->level[levels->count].first;
		uint64_t visits = taken * (1 + levels->count / BAND);
		if (taken == 0)
			break;
		if (visits > visits_left || levels->count == levels->most)
			return SNAP_END;
		visits_left -= visits;
		end_level(levels);
	}
	/* What roots refer to is dominated by nothing else, whatever leads there. */
	for (uint32_t e = levels->start[root]; e < levels->start[root + 1]; e++)
		libsnap_clear_bit(levels->several, levels->to[e]);
	return SNAP_OK;
}

static enum snap_status find_joins(struct levels *levels, struct snap_error *error)
{
	struct snap_graph *graph = levels->graph;
	for (uint64_t i = 0; i <= graph->objects / 64; i++)
		levels->join_count += (size_t)__builtin_popcountll(levels->several[i]);
	levels->joins = libsnap_graph_take(graph, levels->join_count, sizeof(*levels->joins));
	if (levels->joins == NULL && levels->join_count > 0)
		return libsnap_fail_memory(error);
	uint32_t count = 0;
	for (uint32_t level = 0; level < levels->count; level++) {
		levels->level[level].first_join = count;
		for (uint32_t i = levels->level[level].first; i < levels->level[level + 1].first;
		     i++)
			if (has_several(levels, levels->order[i]))
				levels->joins[count++].node = levels->order[i];
	}
	levels->level[levels->count].first_join = count;
	return SNAP_OK;
}

static void fill(struct libsnap_job *job)
{
	const struct filling *filling = (const struct filling *)job;
	for (uint32_t i = 0; i < filling->nodes; i++)
		filling->spans[i] = (struct places){0, 1};
	for (uint32_t i = 0; i < filling->nodes; i++)
		filling->before[i].places = (struct places){UINT32_MAX, 0};
}

/* How many are in each branch. */
static void count_branches(struct libsnap_job *job)
{
	const struct placing *placing = (const struct placing *)job;
	struct places *spans = placing->spans;
	for (uint32_t i = placing->end; i-- > placing->begin;)
		spans[placing->parent[placing->order[i]]].last += spans[placing->order[i]].last;
	spans[placing->order[0]].first = placing->end - 1;
}

/* A node has the last place of those of its branch, which is known at
 * once; `first`, the place before them, when all below it are placed. */
static void place_nodes(struct libsnap_job *job)
{
	const struct placing *placing = (const struct placing *)job;
	struct places *spans = placing->spans;
	for (uint32_t i = placing->begin; i < placing->end; i++) {
		struct places *own = &spans[placing->order[i]];
		struct places *above = &spans[placing->parent[placing->order[i]]];
		uint32_t count = own->last;
		*own = (struct places){above->first - 1, above->first};
		above->first -= count;
	}
}

/* What has to be done before find_places_before(), stretch by stretch, by the worker. */
static enum snap_status begin_places(struct levels *levels, struct libsnap_worker *worker,
				     struct snap_error *error)
{
	levels->placing_count = levels->reached / STRETCH + 2;
	levels->placing =
		libsnap_graph_take(levels->graph, levels->placing_count, sizeof(*levels->placing));
	if (levels->placing == NULL)
		return libsnap_fail_memory(error);
	for (uint32_t i = 0; i < levels->placing_count; i++) {
		const uint32_t first = i > 1 ? (i - 1) * STRETCH : 1;
		const uint32_t left = levels->reached - first;
		levels->placing[i] = (struct placing){
			.job.run = i > 0 ? place_nodes : count_branches,
			.spans = levels->spans,
			.parent = levels->parent,
			.order = levels->order,
			.begin = first,
			.end = i > 0 && left > i * STRETCH - first ? i * STRETCH : levels->reached,
		};
		libsnap_worker_post(worker, &levels->placing[i].job);
	}
	return SNAP_OK;
}

static void find_places_of(struct levels *levels, uint32_t begin, uint32_t end_of_stretch)
{
	for (uint32_t i = begin; i < end_of_stretch; i++) {
		uint32_t node = levels->order[i], place = levels->spans[node].last;
		bool tells = false;
		for (uint32_t e = levels->start[node], end = levels->start[node + 1]; e < end;
		     e++) {
			if (!has_several(levels, levels->to[e]))
				continue;
			struct places *places = &levels->before[levels->to[e]].places;
			tells = true;
			if (place < places->first)
				places->first = place;
			if (place > places->last)
				places->last = place;
		}
		if (tells)
			libsnap_set_bit(levels->tells, node);
	}
}

/* What the roots' own node refers to are no joins. */
static void find_places_before(struct levels *levels, struct libsnap_worker *worker)
{
	for (uint32_t i = 1; i < levels->placing_count; i++) {
		struct placing *placing = &levels->placing[i];
		libsnap_worker_wait(worker, &placing->job);
		find_places_of(levels, placing->begin, placing->end);
	}
}

/* Up to where the paths to all predecessors are the same. */
static enum snap_status find_limits(struct levels *levels)
{
	const struct places *spans = levels->spans;
	uint32_t level = 0;
	for (size_t i = 0; i < levels->join_count; i++) {
		struct join *join = &levels->joins[i];
		while (i >= levels->level[level + 1].first_join)
			level++;
		struct places places = levels->before[join->node].places;
		uint32_t limit = level - 1, at = levels->parent[join->node];
		for (; places.first <= spans[at].first || places.last > spans[at].last; limit--)
			at = levels->parent[at];
		join->limit = limit;
		if (!take_steps(levels, level - limit))
			return SNAP_END;
	}
	return SNAP_OK;
}

/* ---- sets ---- */

static inline void narrow(struct levels *levels, uint32_t node, uint64_t set)
{
	uint64_t old = levels->before[node].set, left = old & (set | highest_bit(old | 1));
	if (left == old)
		return;
	levels->before[node].set = left;
	if (libsnap_has_bit(levels->seen, node))
		libsnap_sweeps_add(&levels->changed, node);
}

static inline void tell_successors(struct levels *levels, uint32_t node)
{
	uint64_t set = levels->before[node].set & ~FURTHER;
	for (uint32_t e = levels->start[node], end = levels->start[node + 1]; e < end; e++)
		if (has_several(levels, levels->to[e]))
			narrow(levels, levels->to[e], set);
}

static void tell_all(struct levels *levels, uint32_t base)
{
	uint32_t level = base;
	for (uint32_t i = levels->level[base].first; i < levels->reached; i++) {
		uint32_t node = levels->order[i];
		level += i == levels->level[level + 1].first;
		if (level > base && !has_several(levels, node))
			levels->before[node].set =
				levels->before[levels->parent[node]].set | own_bit(level, base);
		if (libsnap_has_bit(levels->tells, node))
			tell_successors(levels, node);
		libsnap_set_bit(levels->seen, node);
	}
}

static void begin_sets(struct levels *levels, uint32_t base)
{
	memset(levels->seen, 0, (levels->graph->objects / 64 + 1) * sizeof(*levels->seen));
	for (uint32_t i = levels->level[base].first; i < levels->level[base + 1].first; i++)
		levels->before[levels->order[i]].set = 1;
	for (uint32_t level = base + 1; level < levels->count; level++) {
		uint64_t own = own_bit(level, base);
		for (size_t i = levels->level[level].first_join;
		     i < levels->level[level + 1].first_join; i++)
			levels->before[levels->joins[i].node].set =
				full_set(levels->joins[i].limit, base) | own;
	}
}

/* Of those whose sets were told before they had lost all that they would lose. */
static enum snap_status tell_changed(struct levels *levels)
{
	uint64_t first, word;
	while (libsnap_sweeps_take(&levels->changed, &first, &word))
		for (; word != 0; word &= word - 1) {
			uint32_t node = (uint32_t)first + (uint32_t)__builtin_ctzll(word);
			uint32_t start = levels->start[node], end = levels->start[node + 1];
			uint64_t set = levels->before[node].set & ~FURTHER;
			if (!take_steps(levels, end - start))
				return SNAP_END;
			for (uint32_t e = start; e < end; e++)
				if (has_several(levels, levels->to[e]) ||
				    levels->parent[levels->to[e]] == node)
					narrow(levels, levels->to[e], set);
		}
	return SNAP_OK;
}

/* Limits that are none of this band were found, or will be. */
static void end_sets(struct levels *levels, uint32_t base)
{
	for (uint32_t level = base + 1; level < levels->count; level++) {
		uint64_t own = own_bit(level, base);
		for (size_t i = levels->level[level].first_join;
		     i < levels->level[level + 1].first_join; i++) {
			struct join *join = &levels->joins[i];
			uint64_t set = levels->before[join->node].set & ~own;
			if (join->limit - base < BAND)
				join->limit = set != 0 ? base + 63 - (uint32_t)__builtin_clzll(set)
						       : base - 1;
		}
	}
}

static enum snap_status find_sets(struct levels *levels)
{
	enum snap_status status = SNAP_OK;
	for (uint32_t bands = (levels->count + BAND - 2) / BAND; status == SNAP_OK && bands > 0;
	     bands--) {
		uint32_t base = (bands - 1) * BAND;
		begin_sets(levels, base);
		tell_all(levels, base);
		status = tell_changed(levels);
		if (status == SNAP_OK)
			end_sets(levels, base);
	}
	return status;
}

/* From the furthest, so that the tree is still there above. */
static enum snap_status name_dominators(struct levels *levels)
{
	uint32_t level = levels->count - 1;
	for (size_t i = levels->join_count; i-- > 0;) {
		const struct join *join = &levels->joins[i];
		while (i < levels->level[level].first_join)
			level--;
		uint32_t up = level - 1 - join->limit, at = levels->parent[join->node];
		if (!take_steps(levels, up))
			return SNAP_END;
		while (up-- > 0)
			at = levels->parent[at];
		levels->parent[join->node] = at;
	}
	return SNAP_OK;
}

/* ---- the question ---- */

static enum snap_status open_levels(struct levels *levels, struct snap_error *error)
{
	struct snap_graph *graph = levels->graph;
	const uint32_t nodes = graph->held.nodes;
	graph->dominator = levels->parent = libsnap_graph_take(graph, nodes, 4);
	levels->order = libsnap_graph_take(graph, nodes, 4);
	graph->retained = libsnap_graph_take(graph, nodes, 8);
	levels->spans = (struct places *)graph->retained;
	levels->before = libsnap_graph_take(graph, nodes, sizeof(*levels->before));
	levels->most = nodes / 64 + 1000;
	levels->level = libsnap_graph_take(graph, levels->most + 1u, sizeof(*levels->level));
	if (levels->parent == NULL || levels->order == NULL || levels->spans == NULL ||
	    levels->before == NULL || levels->level == NULL)
		return libsnap_fail_memory(error);
	memset(levels->parent, 0xff, (size_t)nodes * sizeof(*levels->parent));
	levels->steps_left = (nodes + (uint64_t)graph->held.start[nodes]) * MOST_STEPS;
	enum snap_status status = libsnap_bits_open(&levels->several, graph, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&levels->seen, graph, error);
	return status == SNAP_OK ? libsnap_bits_open(&levels->tells, graph, error) : status;
}

static enum snap_status search(struct levels *levels, struct libsnap_worker *worker,
			       struct snap_error *error)
{
	struct snap_graph *graph = levels->graph;
	struct frontier sets[2] = {{.depth = 0}, {.depth = 0}};
	struct filling filling = {.job.run = fill,
				  .spans = levels->spans,
				  .before = levels->before,
				  .nodes = graph->held.nodes};
	enum snap_status status = libsnap_frontier_open(&sets[0], graph, graph->objects, error);
	if (status == SNAP_OK)
		status = libsnap_frontier_open(&sets[1], graph, graph->objects, error);
	libsnap_worker_post(worker, &filling.job);
	if (status == SNAP_OK)
		status = find_levels(levels, sets);
	libsnap_worker_wait(worker, &filling.job);
	libsnap_frontier_close(&sets[0], graph);
	libsnap_frontier_close(&sets[1], graph);
	return status;
}

/* Joins are listed while the worker begins with the places. */
static enum snap_status find_places(struct levels *levels, struct libsnap_worker *worker,
				    struct snap_error *error)
{
	enum snap_status status = begin_places(levels, worker, error);
	if (status != SNAP_OK)
		return status;
	status = find_joins(levels, error);
	find_places_before(levels, worker);
	libsnap_graph_give(levels->graph, levels->placing, levels->placing_count,
			   sizeof(*levels->placing));
	return status;
}

static enum snap_status search_dominators(struct levels *levels, struct snap_error *error)
{
	struct snap_graph *graph = levels->graph;
	libsnap_graph_progress(graph, "dominators", 2, 4);
	enum snap_status status = find_limits(levels);
	if (status == SNAP_OK)
		status = libsnap_sweeps_open(&levels->changed, graph, error);
	if (status == SNAP_OK)
		status = find_sets(levels);
	libsnap_sweeps_close(&levels->changed, graph);
	libsnap_graph_progress(graph, "dominators", 3, 4);
	return status == SNAP_OK ? name_dominators(levels) : status;
}

static void close_levels(struct levels *levels)
{
	struct snap_graph *graph = levels->graph;
	libsnap_bits_close(levels->several, graph);
	libsnap_bits_close(levels->seen, graph);
	libsnap_bits_close(levels->tells, graph);
	libsnap_graph_give(graph, levels->before, graph->held.nodes, sizeof(*levels->before));
	libsnap_graph_give(graph, levels->joins, levels->join_count, sizeof(*levels->joins));
	libsnap_graph_give(graph, levels->level, levels->most + 1u, sizeof(*levels->level));
}

enum snap_status libsnap_graph_dominate_by_levels(struct snap_graph *graph,
						  struct libsnap_worker *worker, struct tree *out,
						  struct snap_error *error)
{
	struct levels levels = {.graph = graph, .start = graph->held.start, .to = graph->held.to};
	enum snap_status status = open_levels(&levels, error);
	if (status == SNAP_OK)
		status = search(&levels, worker, error);
	libsnap_graph_progress(graph, "dominators", 1, 4);
	if (status == SNAP_OK)
		status = find_places(&levels, worker, error);
	if (status == SNAP_OK)
		status = search_dominators(&levels, error);
	close_levels(&levels);
	if (status == SNAP_OK) {
		*out = (struct tree){.order = levels.order, .reached = levels.reached};
	} else {
		libsnap_graph_give(graph, levels.order, graph->held.nodes, 4);
		libsnap_graph_free_dominators(graph);
	}
	return status;
}
