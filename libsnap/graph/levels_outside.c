/* Dominators by distances as in levels.c, over arrays in temporary files.
 *
 * Nodes are numbered by their distance, those of one distance in order: what is known of one
 * distance lies together, and beside the references only little is needed in no order.
 *
 * Joins alone have sets.  All others are led to from one node, so that a way up from a node to the
 * next join, its anchor, has no other way around it: what the anchor's set says holds of the node,
 * and of all that lies between.  So references from nodes to joins become references from anchors
 * to joins, and what leads to a join without any anchor does not narrow its set. */
#include "graph.h"
#include "levels.h"

#include <string.h>

/* Where numbers of a distance begin, and joins of it, which are numbered in the same order. */
struct level {
	uint64_t first, first_join;
};

struct levels {
	struct snap_graph *graph;
	struct outside *outside; /* order, number, and dominator: the parent in the tree */
	struct pages *pages;
	uint64_t reached, count;  /* nodes; distances */
	struct level *level;      /* by distance, and one more */
	size_t capacity;          /* of level */
	uint64_t *seen, *several; /* bits of rows; several: more than one reference leads there */
	struct marks joins;       /* by number */
	struct paged spans;       /* by number: its place, and the last one of its branch */
	struct paged anchor;      /* by number: its join and 1, or 0 */
	struct paged pairs;       /* number, then anchor, and the join to which it leads */
	uint64_t pair_count;
	struct paged before;    /* by join: the lowest and the highest place that leads there */
	struct paged limit;     /* by join: the distance of the furthest that may dominate it */
	struct paged start, to; /* by anchor: joins to which it leads */
	struct paged sets;      /* by join */
	struct sweeps changed;
	uint64_t steps_left;
};

static inline bool has_failed(const struct levels *levels)
{
	return levels->pages->failed != SNAP_OK;
}

#define PROGRESS_MASK 0xfffffu
static void tell(const struct levels *levels, uint64_t done, uint64_t total)
{
	if ((done & PROGRESS_MASK) == 0)
		libsnap_graph_progress(levels->graph, "distances, in temporary files", done, total);
}

static bool take_steps(struct levels *levels, uint64_t steps)
{
	if (levels->steps_left < steps)
		return false;
	levels->steps_left -= steps;
	return true;
}

static enum snap_status open_narrow(struct levels *levels, struct paged *array, uint64_t count,
				    struct snap_error *error)
{
	return libsnap_paged_open(array, levels->pages, count, levels->graph->wide, error);
}

static inline uint64_t parent_of(struct levels *levels, uint64_t number)
{
	return libsnap_paged_number(&levels->outside->dominator, number);
}

static inline bool is_join(const struct levels *levels, uint64_t number)
{
	return libsnap_has_bit(levels->joins.bits, number);
}

/* ---- numbers ---- */

static void reach_successors(struct levels *levels, uint64_t node, struct frontier *next)
{
	struct outside *outside = levels->outside;
	uint64_t end = libsnap_paged_get(&outside->start, node + 1);
	for (uint64_t at = libsnap_paged_get(&outside->start, node); at < end; at++) {
		uint64_t to = libsnap_paged_get(&outside->to, at);
		if (libsnap_has_bit(levels->seen, to)) {
			libsnap_set_bit(levels->several, to);
			continue;
		}
		libsnap_set_bit(levels->seen, to);
		libsnap_frontier_add(next, to);
	}
}

static void number_node(struct levels *levels, uint64_t node)
{
	libsnap_paged_set_number(&levels->outside->number, node, levels->reached);
	libsnap_paged_set_number(&levels->outside->order, levels->reached++, node);
}

static void take_level(struct levels *levels, struct frontier *current, struct frontier *next)
{
	uint64_t first, word;
	while (libsnap_frontier_take(current, &first, &word) && !has_failed(levels))
		for (; word != 0; word &= word - 1) {
			uint64_t node = first + (uint64_t)__builtin_ctzll(word);
			tell(levels, levels->reached, levels->graph->objects);
			number_node(levels, node);
			reach_successors(levels, node, next);
		}
}

static enum snap_status end_level(struct levels *levels, struct snap_error *error)
{
	enum snap_status status = libsnap_graph_grow(
		levels->graph, "distances", (void **)&levels->level, &levels->capacity,
		levels->count + 3, sizeof(*levels->level), error);
	if (status == SNAP_OK)
		levels->level[++levels->count].first = levels->reached;
	return status;
}

static enum snap_status find_levels(struct levels *levels, struct frontier *sets,
				    struct snap_error *error)
{
	const uint64_t root = levels->graph->objects;
	uint64_t visits_left = (root + 1) * MOST_VISITS, taken;
	number_node(levels, root);
	reach_successors(levels, root, &sets[1]);
	enum snap_status status = end_level(levels, error);
	while (status == SNAP_OK) {
		take_level(levels, &sets[levels->count % 2], &sets[(levels->count + 1) % 2]);
		status = libsnap_pages_check(levels->pages, error);
		taken = levels->reached - levels->level[levels->count].first;
		if (status != SNAP_OK || taken == 0)
			break;
		uint64_t visits = taken * (1 + levels->count / BAND);
		if (visits > visits_left)
			return SNAP_END;
		visits_left -= visits;
		status = end_level(levels, error);
	}
	return status;
}

static void find_joins(struct levels *levels)
{
	struct outside *outside = levels->outside;
	const uint64_t root = levels->graph->objects;
	/* What roots refer to is dominated by nothing else, whatever leads there. */
	uint64_t end = libsnap_paged_get(&outside->start, root + 1);
	for (uint64_t at = libsnap_paged_get(&outside->start, root); at < end; at++)
		libsnap_clear_bit(levels->several, libsnap_paged_get(&outside->to, at));
	uint64_t joins = 0, number = 0;
	for (uint64_t level = 0; level < levels->count; level++) {
		levels->level[level].first_join = joins;
		for (; number < levels->level[level + 1].first; number++) {
			uint64_t node = libsnap_paged_number(&outside->order, number);
			if (node > root || !libsnap_has_bit(levels->several, node))
				continue;
			libsnap_set_bit(levels->joins.bits, number);
			joins++;
		}
	}
	levels->level[levels->count].first_join = joins;
	libsnap_marks_count(&levels->joins, levels->graph);
}

/* ---- the tree ---- */

/* A node's parent is the first that leads there; what leads to joins is listed. */
static void list_references(struct levels *levels, uint64_t number)
{
	struct outside *outside = levels->outside;
	uint64_t node = libsnap_paged_number(&outside->order, number);
	uint64_t end = libsnap_paged_get(&outside->start, node + 1);
	for (uint64_t at = libsnap_paged_get(&outside->start, node); at < end; at++) {
		uint64_t to = libsnap_paged_get(&outside->to, at);
		bool is_first = !libsnap_has_bit(levels->seen, to);
		bool has_several = libsnap_has_bit(levels->several, to);
		if (!is_first && !has_several)
			continue;
		uint64_t target = libsnap_paged_number(&outside->number, to);
		if (target >= levels->reached) /* only after a failure */
			return;
		if (is_first) {
			libsnap_set_bit(levels->seen, to);
			libsnap_paged_set_number(&outside->dominator, target, number);
		}
		if (has_several)
			libsnap_paged_set_pair(&levels->pairs, levels->pair_count++, number,
					       libsnap_marks_rank(&levels->joins, target));
	}
}

static enum snap_status make_tree(struct levels *levels, struct snap_error *error)
{
	struct snap_graph *graph = levels->graph;
	enum snap_status status = open_narrow(levels, &levels->pairs, 2 * graph->held_count, error);
	if (status == SNAP_OK)
		status =
			open_narrow(levels, &levels->outside->dominator, graph->objects + 1, error);
	if (status != SNAP_OK)
		return status;
	memset(levels->seen, 0, (graph->objects / 64 + 1) * sizeof(*levels->seen));
	for (uint64_t number = 0; number < levels->reached && !has_failed(levels); number++) {
		tell(levels, number, levels->reached);
		list_references(levels, number);
	}
	return libsnap_pages_check(levels->pages, error);
}

/* As in levels.c; and the anchors. */
static enum snap_status place_nodes(struct levels *levels, struct snap_error *error)
{
	struct paged *spans = &levels->spans, *anchor = &levels->anchor;
	uint64_t first, below, above, last, join = 0;
	enum snap_status status = open_narrow(levels, spans, 2 * levels->reached, error);
	if (status == SNAP_OK)
		status = open_narrow(levels, anchor, levels->reached, error);
	if (status != SNAP_OK)
		return status;
	for (uint64_t number = levels->reached; number-- > 1 && !has_failed(levels);) {
		uint64_t parent = parent_of(levels, number);
		libsnap_paged_get_pair(spans, number, &first, &below);
		libsnap_paged_get_pair(spans, parent, &above, &last);
		libsnap_paged_set_pair(spans, parent, above, last + below + 1);
	}
	libsnap_paged_set_pair(spans, 0, levels->reached, levels->reached);
	for (uint64_t number = 1; number < levels->reached && !has_failed(levels); number++) {
		uint64_t parent = parent_of(levels, number);
		libsnap_paged_get_pair(spans, number, &first, &below);
		libsnap_paged_get_pair(spans, parent, &above, &last);
		libsnap_paged_set_pair(spans, number, above, above);
		libsnap_paged_set_pair(spans, parent, above - below - 1, last);
		libsnap_paged_set(anchor, number,
				  is_join(levels, number) ? ++join
							  : libsnap_paged_get(anchor, parent));
	}
	return libsnap_pages_check(levels->pages, error);
}

/* ---- what leads to joins ---- */

/* Start counts, for now. */
static enum snap_status measure_joins(struct levels *levels, struct snap_error *error)
{
	struct paged *pairs = &levels->pairs, *before = &levels->before;
	uint64_t number, join, place, last, low, high;
	enum snap_status status = open_narrow(levels, before, 2 * levels->joins.count, error);
	if (status == SNAP_OK)
		status = open_narrow(levels, &levels->start, levels->joins.count + 2, error);
	if (status != SNAP_OK)
		return status;
	for (uint64_t i = 0; i < levels->pair_count && !has_failed(levels); i++) {
		libsnap_paged_get_pair(pairs, i, &number, &join);
		libsnap_paged_get_pair(&levels->spans, number, &place, &last);
		libsnap_paged_get_pair(before, join, &low, &high);
		if (high == 0 || place < low)
			low = place;
		if (place > high)
			high = place;
		libsnap_paged_set_pair(before, join, low, high);
		uint64_t anchor = libsnap_paged_get(&levels->anchor, number);
		if (anchor == join + 1)
			anchor = 0;
		libsnap_paged_set_pair(pairs, i, anchor, join);
		if (anchor != 0)
			libsnap_paged_set(&levels->start, anchor,
					  libsnap_paged_get(&levels->start, anchor) + 1);
	}
	return libsnap_pages_check(levels->pages, error);
}

/* As in levels.c. */
static enum snap_status find_limits(struct levels *levels, struct snap_error *error)
{
	uint64_t low, high, first, last, level = 0, join = 0;
	enum snap_status status = open_narrow(levels, &levels->limit, levels->joins.count, error);
	for (uint64_t number = 1; status == SNAP_OK && number < levels->reached; number++) {
		level += number == levels->level[level + 1].first;
		if (!is_join(levels, number))
			continue;
		uint64_t limit = level - 1, at = parent_of(levels, number);
		libsnap_paged_get_pair(&levels->before, join, &low, &high);
		for (; limit > 0; limit--) {
			libsnap_paged_get_pair(&levels->spans, at, &first, &last);
			if (low >= first && high <= last)
				break;
			at = parent_of(levels, at);
		}
		libsnap_paged_set(&levels->limit, join++, limit);
		if (!take_steps(levels, level - limit))
			status = SNAP_END;
		if (has_failed(levels))
			status = libsnap_pages_check(levels->pages, error);
	}
	libsnap_paged_close(&levels->before);
	libsnap_paged_close(&levels->spans);
	libsnap_paged_close(&levels->anchor);
	return status;
}

/* From the counts of anchors to where their joins are; and these. */
static enum snap_status sort_references(struct levels *levels, struct snap_error *error)
{
	struct paged *start = &levels->start, *to = &levels->to;
	uint64_t sum = 0, anchor, join;
	for (uint64_t i = 1; i <= levels->joins.count; i++) {
		sum += libsnap_paged_get(start, i);
		libsnap_paged_set(start, i, sum);
	}
	libsnap_paged_set(start, levels->joins.count + 1, sum);
	enum snap_status status = open_narrow(levels, to, sum, error);
	if (status != SNAP_OK)
		return status;
	for (uint64_t i = levels->pair_count; i-- > 0 && !has_failed(levels);) {
		libsnap_paged_get_pair(&levels->pairs, i, &anchor, &join);
		if (anchor == 0)
			continue;
		uint64_t at = libsnap_paged_get(start, anchor) - 1;
		libsnap_paged_set(start, anchor, at);
		libsnap_paged_set(to, at, join);
	}
	libsnap_paged_close(&levels->pairs);
	return libsnap_pages_check(levels->pages, error);
}

/* ---- sets ---- */

/* The join's own bit is the highest of its set.  Told: of the joins up to that one it was told
 * what they are, so that what changes must be told again.  SNAP_END: too many were. */
static enum snap_status tell_joins(struct levels *levels, uint64_t join, uint64_t first,
				   uint64_t told)
{
	uint64_t set = libsnap_paged_get(&levels->sets, join);
	if (set != 0) /* but after a failure */
		set |= -highest_bit(set);
	if (set == UINT64_MAX)
		return SNAP_OK;
	uint64_t at = libsnap_paged_get(&levels->start, join + 1);
	uint64_t end = libsnap_paged_get(&levels->start, join + 2);
	if (end > at && !take_steps(levels, end - at))
		return SNAP_END;
	for (; at < end; at++) {
		uint64_t target = libsnap_paged_get(&levels->to, at);
		if (target < first)
			continue;
		uint64_t old = libsnap_paged_get(&levels->sets, target);
		uint64_t left = old & (set | highest_bit(old | 1));
		if (left == old)
			continue;
		libsnap_paged_set(&levels->sets, target, left);
		if (target <= told)
			libsnap_sweeps_add(&levels->changed, target);
	}
	return SNAP_OK;
}

static enum snap_status tell_changed(struct levels *levels, uint64_t begin)
{
	uint64_t first, word;
	enum snap_status status = SNAP_OK;
	while (libsnap_sweeps_take(&levels->changed, &first, &word))
		for (; word != 0; word &= word - 1)
			if (status == SNAP_OK && !has_failed(levels))
				status = tell_joins(levels, first + (uint64_t)__builtin_ctzll(word),
						    begin, SNAP_GRAPH_NONE);
	return status;
}

static void begin_sets(struct levels *levels, uint64_t base)
{
	for (uint64_t level = base + 1; level < levels->count; level++) {
		uint64_t own = own_bit(level, base), end = levels->level[level + 1].first_join;
		for (uint64_t i = levels->level[level].first_join; i < end; i++) {
			uint64_t limit = libsnap_paged_get(&levels->limit, i);
			libsnap_paged_set(&levels->sets, i, full_set(limit, base) | own);
		}
	}
}

/* Limits that are none of this band were found, or will be. */
static void end_sets(struct levels *levels, uint64_t base)
{
	for (uint64_t level = base + 1; level < levels->count; level++) {
		uint64_t own = own_bit(level, base), end = levels->level[level + 1].first_join;
		for (uint64_t i = levels->level[level].first_join; i < end; i++) {
			uint64_t limit = libsnap_paged_get(&levels->limit, i);
			uint64_t set = libsnap_paged_get(&levels->sets, i) & ~own;
			if (limit - base < BAND)
				limit = set != 0 ? base + 63 - (uint64_t)__builtin_clzll(set)
						 : base - 1;
			libsnap_paged_set(&levels->limit, i, limit);
		}
	}
}

static enum snap_status find_sets(struct levels *levels, struct snap_error *error)
{
	enum snap_status status =
		libsnap_paged_open(&levels->sets, levels->pages, levels->joins.count, true, error);
	for (uint64_t bands = (levels->count + BAND - 2) / BAND; status == SNAP_OK && bands > 0;
	     bands--) {
		uint64_t base = (bands - 1) * BAND, first = levels->level[base + 1].first_join;
		begin_sets(levels, base);
		for (uint64_t i = first; status == SNAP_OK && i < levels->joins.count; i++)
			status = tell_joins(levels, i, first, i);
		if (status == SNAP_OK)
			status = tell_changed(levels, first);
		if (status == SNAP_OK)
			status = libsnap_pages_check(levels->pages, error);
		if (status == SNAP_OK)
			end_sets(levels, base);
	}
	return status;
}

/* From the furthest, so that the tree is still there above. */
static enum snap_status name_dominators(struct levels *levels, struct snap_error *error)
{
	uint64_t level = levels->count - 1, join = levels->joins.count;
	for (uint64_t number = levels->reached; number-- > 1 && !has_failed(levels);) {
		level -= number < levels->level[level].first;
		if (!is_join(levels, number))
			continue;
		uint64_t up = level - 1 - libsnap_paged_get(&levels->limit, --join);
		uint64_t at = parent_of(levels, number);
		if (up == 0)
			continue;
		if (!take_steps(levels, up))
			return SNAP_END;
		while (up-- > 0)
			at = parent_of(levels, at);
		libsnap_paged_set_number(&levels->outside->dominator, number, at);
	}
	return libsnap_pages_check(levels->pages, error);
}

/* ---- the question ---- */

static enum snap_status search(struct levels *levels, struct snap_error *error)
{
	struct snap_graph *graph = levels->graph;
	struct frontier sets[2] = {{.depth = 0}, {.depth = 0}};
	enum snap_status status = libsnap_bits_open(&levels->seen, graph, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&levels->several, graph, error);
	if (status == SNAP_OK)
		status = libsnap_frontier_open(&sets[0], graph, graph->objects, error);
	if (status == SNAP_OK)
		status = libsnap_frontier_open(&sets[1], graph, graph->objects, error);
	if (status == SNAP_OK)
		status = open_narrow(levels, &levels->outside->order, graph->objects + 1, error);
	if (status == SNAP_OK)
		status = open_narrow(levels, &levels->outside->number, graph->objects + 1, error);
	if (status == SNAP_OK)
		status = libsnap_graph_grow(graph, "distances", (void **)&levels->level,
					    &levels->capacity, 2, sizeof(*levels->level), error);
	if (status == SNAP_OK) {
		levels->level[0].first = 0;
		status = find_levels(levels, sets, error);
	}
	libsnap_frontier_close(&sets[0], graph);
	libsnap_frontier_close(&sets[1], graph);
	if (status == SNAP_OK)
		status = libsnap_marks_open(&levels->joins, graph, error);
	if (status == SNAP_OK) {
		find_joins(levels);
		status = libsnap_pages_check(levels->pages, error);
	}
	return status;
}

static enum snap_status search_dominators(struct levels *levels, struct snap_error *error)
{
	enum snap_status status = make_tree(levels, error);
	if (status == SNAP_OK)
		status = place_nodes(levels, error);
	if (status == SNAP_OK)
		status = measure_joins(levels, error);
	if (status == SNAP_OK)
		status = find_limits(levels, error);
	if (status == SNAP_OK)
		status = sort_references(levels, error);
	if (status == SNAP_OK)
		status = libsnap_sweeps_open(&levels->changed, levels->graph, error);
	if (status == SNAP_OK)
		status = find_sets(levels, error);
	return status == SNAP_OK ? name_dominators(levels, error) : status;
}

static void close_levels(struct levels *levels)
{
	struct snap_graph *graph = levels->graph;
	struct paged *const all[] = {&levels->spans,  &levels->anchor, &levels->pairs,
				     &levels->before, &levels->limit,  &levels->start,
				     &levels->to,     &levels->sets};
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		libsnap_paged_close(all[i]);
	libsnap_sweeps_close(&levels->changed, graph);
	libsnap_marks_close(&levels->joins, graph);
	libsnap_bits_close(levels->several, graph);
	libsnap_bits_close(levels->seen, graph);
	libsnap_graph_give(graph, levels->level, levels->capacity, sizeof(*levels->level));
}

enum snap_status libsnap_graph_levels_outside(struct snap_graph *graph, uint64_t *reached,
					      struct snap_error *error)
{
	struct levels levels = {
		.graph = graph, .outside = &graph->outside, .pages = graph->outside.pages};
	levels.steps_left = (graph->objects + 1 + graph->held_count) * MOST_STEPS;
	enum snap_status status = search(&levels, error);
	if (status == SNAP_OK)
		status = search_dominators(&levels, error);
	close_levels(&levels);
	if (status == SNAP_OK || status == SNAP_END)
		status = has_failed(&levels) ? libsnap_pages_check(levels.pages, error) : status;
	*reached = levels.reached;
	return status;
}
