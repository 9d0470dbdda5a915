/* Dominators as in dominators.c, over arrays in temporary files: each reference is followed once
 * from its owner, once to be dealt out by the number of its target, and then a stretch of numbers
 * at a time is in memory. */
#include "graph.h"

#include <string.h>

/* References as pairs of numbers (target, owner), a list of chunks for each stretch of targets. */
struct deal {
	struct paged pairs;
	uint32_t width, count; /* numbers in a stretch, stretches */
	uint32_t *last, *fill; /* of a stretch: its newest chunk, and pairs in that */
	uint32_t *before;      /* of a chunk: the one before it */
	uint32_t chunks, chunk_capacity;
	unsigned shift; /* a chunk has 1 << shift pairs */
};

/* Predecessors of one stretch, as in dominators.c. */
struct stretch {
	uint32_t index, low, high;
	uint32_t *ends, *lowest; /* by number - low */
	uint32_t *from;
	uint32_t capacity, first, base;
};

struct work {
	struct snap_graph *graph;
	struct outside *outside;
	struct pages *pages;
	uint32_t nodes, reached;
	struct paged stack, semi, jump, depth;
	struct paged forest; /* ancestor << 32 | the smallest semidominator up to it */
	uint64_t *visited;
	size_t words;
	struct deal deal;
	struct stretch stretch;
	bool jumps;
	uint64_t steps_left;
};

static inline bool has_failed(const struct work *work)
{
	return work->pages->failed != SNAP_OK;
}

#define PROGRESS_MASK 0xfffffu
static void tell(const struct work *work, const char *what, uint64_t done, uint64_t total)
{
	if ((done & PROGRESS_MASK) == 0)
		libsnap_graph_progress(work->graph, what, done, total);
}

/* ---- preorder ---- */

static void visit(struct work *work, uint32_t node, uint64_t *depth)
{
	struct outside *outside = work->outside;
	uint32_t start = libsnap_paged_get32(&outside->start, node),
		 end = libsnap_paged_get32(&outside->start, node + 1u);
	/* Last comes first from a stack. */
	for (uint32_t e = end; e-- > start && !has_failed(work);) {
		uint32_t to = libsnap_paged_get32(&outside->to, e);
		if (work->visited[to / 64] >> to % 64 & 1)
			continue;
		libsnap_paged_set64(&work->stack, (*depth)++, (uint64_t)work->reached << 32 | to);
	}
}

static void walk_preorder(struct work *work)
{
	struct outside *outside = work->outside;
	uint64_t depth = 1;
	libsnap_paged_set64(&work->stack, 0, work->nodes - 1);
	while (depth > 0 && !has_failed(work)) {
		uint64_t top = libsnap_paged_get64(&work->stack, --depth);
		uint32_t node = (uint32_t)top;
		uint64_t bit = UINT64_C(1) << node % 64;
		if (work->visited[node / 64] & bit)
			continue;
		work->visited[node / 64] |= bit;
		libsnap_paged_set32(&outside->order, work->reached, node);
		libsnap_paged_set32(&outside->dominator, work->reached, (uint32_t)(top >> 32));
		visit(work, node, &depth);
		work->reached++;
		tell(work, "preorder, in temporary files", work->reached, work->nodes);
	}
}

static enum snap_status find_preorder(struct work *work, struct snap_error *error)
{
	struct snap_graph *graph = work->graph;
	struct outside *outside = work->outside;
	work->words = work->nodes / 64 + 1u;
	enum snap_status status =
		libsnap_paged_open(&work->stack, work->pages, graph->held_count + 1, 8, error);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&outside->order, work->pages, work->nodes, 4, error);
	if (status == SNAP_OK)
		status =
			libsnap_paged_open(&outside->dominator, work->pages, work->nodes, 4, error);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&outside->number, work->pages, work->nodes, 4, error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(graph, "dominators", work->words * 8ull, error);
	if (status != SNAP_OK)
		return status;
	work->visited = libsnap_graph_take_zeroed(graph, work->words, 8);
	if (work->visited == NULL)
		return libsnap_fail_memory(error);
	walk_preorder(work);
	libsnap_graph_give(graph, work->visited, work->words, 8);
	work->visited = NULL;
	libsnap_paged_close(&work->stack);
	for (uint32_t node = 0; node < work->nodes; node++)
		libsnap_paged_set32(&outside->number, node, NONE);
	for (uint32_t i = 0; i < work->reached; i++)
		libsnap_paged_set32(&outside->number, libsnap_paged_get32(&outside->order, i), i);
	return libsnap_pages_check(work->pages, error);
}

/* ---- references by their targets' numbers ---- */

/* How many stretches, so that one of them and its lists fit into the memory that is left. */
static enum snap_status plan(struct work *work, struct snap_error *error)
{
	struct deal *deal = &work->deal;
	uint64_t edges = work->graph->held_count, room = libsnap_graph_room(work->graph);
	deal->shift = work->pages->page_shift - 3;
	uint64_t most = work->pages->frame_count / 2, count;
	uint64_t fixed = ((edges >> deal->shift) + most + 1) * 4 + most * 8;
	room = room > fixed ? room - fixed : 0;
	if (room < 64)
		return libsnap_graph_reserve(work->graph, "dominators", fixed + 64, error);
	count = work->reached / (room / 32) + 1;
	if (count < edges / (room / 12) + 1)
		count = edges / (room / 12) + 1;
	if (count > most)
		count = most;
	deal->width = (uint32_t)(work->reached / count + 1);
	deal->count = (work->reached - 1) / deal->width + 1;
	deal->chunk_capacity = (uint32_t)((edges >> deal->shift) + deal->count + 1);
	uint64_t bytes = deal->chunk_capacity * 4ull + deal->count * 8ull + deal->width * 8ull + 4;
	enum snap_status status = libsnap_paged_open(
		&deal->pairs, work->pages, (uint64_t)deal->chunk_capacity << deal->shift, 8, error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(work->graph, "dominators", bytes, error);
	if (status != SNAP_OK)
		return status;
	deal->before = libsnap_graph_take(work->graph, deal->chunk_capacity, 4);
	deal->last = libsnap_graph_take(work->graph, deal->count, 4);
	deal->fill = libsnap_graph_take_zeroed(work->graph, deal->count, 4);
	if (deal->before == NULL || deal->last == NULL || deal->fill == NULL)
		return libsnap_fail_memory(error);
	memset(deal->last, 0xff, deal->count * sizeof(*deal->last));
	return SNAP_OK;
}

static void add_pair(struct deal *deal, uint32_t target, uint32_t owner)
{
	uint32_t stretch = target / deal->width, size = UINT32_C(1) << deal->shift;
	if (deal->last[stretch] == NONE || deal->fill[stretch] == size) {
		deal->before[deal->chunks] = deal->last[stretch];
		deal->last[stretch] = deal->chunks++;
		deal->fill[stretch] = 0;
	}
	uint64_t at = ((uint64_t)deal->last[stretch] << deal->shift) + deal->fill[stretch]++;
	libsnap_paged_set64(&deal->pairs, at, (uint64_t)target << 32 | owner);
}

static enum snap_status deal_out(struct work *work, struct snap_error *error)
{
	struct outside *outside = work->outside;
	uint32_t at = 0;
	for (uint32_t node = 0; node < work->nodes && !has_failed(work); node++) {
		uint32_t v = libsnap_paged_get32(&outside->number, node);
		uint32_t end = libsnap_paged_get32(&outside->start, node + 1u);
		for (; at < end && !has_failed(work); at++) {
			if (v == NONE)
				continue;
			uint32_t to = libsnap_paged_get32(&outside->to, at);
			uint32_t w = libsnap_paged_get32(&outside->number, to);
			if (w != v && w < work->reached)
				add_pair(&work->deal, w, v);
		}
		tell(work, "predecessors, in temporary files", node, work->nodes);
	}
	return libsnap_pages_check(work->pages, error);
}

/* ---- the predecessors of one stretch ---- */

/* Goes through the pairs of a stretch, up to a failure. */
struct pair_walk {
	struct deal *deal;
	uint32_t chunk, left;
};

static struct pair_walk begin_pairs(struct work *work)
{
	struct deal *deal = &work->deal;
	uint32_t stretch = work->stretch.index;
	return (struct pair_walk){deal, deal->last[stretch], deal->fill[stretch]};
}

static bool next_pair(struct pair_walk *walk, uint32_t *target, uint32_t *owner)
{
	while (walk->left == 0) {
		if (walk->chunk == NONE)
			return false;
		walk->chunk = walk->deal->before[walk->chunk];
		if (walk->chunk == NONE)
			return false;
		walk->left = UINT32_C(1) << walk->deal->shift;
	}
	uint64_t at = ((uint64_t)walk->chunk << walk->deal->shift) + --walk->left;
	uint64_t pair = libsnap_paged_get64(&walk->deal->pairs, at);
	if (walk->deal->pairs.pages->failed != SNAP_OK)
		return false;
	*target = (uint32_t)(pair >> 32);
	*owner = (uint32_t)pair;
	return true;
}

static void measure_lists(struct work *work)
{
	struct stretch *s = &work->stretch;
	uint32_t w, v, sum = 0;
	memset(s->ends, 0, (s->high - s->low + 1u) * sizeof(*s->ends));
	for (uint32_t i = s->low; i < s->high; i++)
		s->lowest[i - s->low] = libsnap_paged_get32(&work->outside->dominator, i);
	for (struct pair_walk walk = begin_pairs(work); next_pair(&walk, &w, &v);) {
		if (w < v)
			s->ends[w - s->low]++;
		else if (v < s->lowest[w - s->low])
			s->lowest[w - s->low] = v;
	}
	for (uint32_t i = 0; i <= s->high - s->low; i++)
		s->ends[i] = sum += s->ends[i];
}

static uint32_t end_before(const struct stretch *s, uint32_t number)
{
	return number > s->low ? s->ends[number - s->low - 1] : 0;
}

static void list_predecessors(struct work *work, uint32_t end)
{
	struct stretch *s = &work->stretch;
	uint32_t first = end, top = s->ends[end - s->low], w, v;
	while (first > s->low && top - end_before(s, first - 1) <= s->capacity)
		first--;
	s->first = first;
	s->base = first < end ? end_before(s, first) : 0;
	if (first == end)
		return;
	for (struct pair_walk walk = begin_pairs(work); next_pair(&walk, &w, &v);)
		if (w < v && w >= first && w < end)
			s->from[--s->ends[w - s->low] - s->base] = v;
}

/* ---- semidominators ---- */

static uint32_t smallest_above(struct work *work, uint32_t v, uint32_t linked)
{
	struct paged *forest = &work->forest;
	uint64_t link = libsnap_paged_get64(forest, v);
	if (link >> 32 < linked)
		return (uint32_t)link;
	/* On the way up links are turned round, so that no path is stored. */
	uint32_t below = NONE, u = v;
	for (; link >> 32 >= linked; link = libsnap_paged_get64(forest, u)) {
		libsnap_paged_set64(forest, u, (uint64_t)below << 32 | (uint32_t)link);
		below = u;
		u = (uint32_t)(link >> 32);
		if (has_failed(work))
			return 0;
	}
	uint64_t root = link >> 32 << 32;
	uint32_t smallest = (uint32_t)link;
	while (below != NONE && !has_failed(work)) {
		link = libsnap_paged_get64(forest, below);
		if ((uint32_t)link < smallest)
			smallest = (uint32_t)link;
		libsnap_paged_set64(forest, below, root | smallest);
		below = (uint32_t)(link >> 32);
	}
	return smallest;
}

static uint32_t smallest_of_many(struct work *work, uint32_t i)
{
	uint32_t smallest = work->stretch.lowest[i - work->stretch.low], w, v;
	for (struct pair_walk walk = begin_pairs(work); next_pair(&walk, &w, &v);) {
		if (w != i || v <= i)
			continue;
		uint32_t p = smallest_above(work, v, i + 1);
		if (p < smallest)
			smallest = p;
	}
	return smallest;
}

static void find_semidominator(struct work *work, uint32_t i)
{
	struct stretch *s = &work->stretch;
	if (i < s->first)
		list_predecessors(work, i + 1);
	uint32_t smallest = s->lowest[i - s->low];
	if (i < s->first) {
		smallest = smallest_of_many(work, i);
		s->ends[i - s->low] = end_before(s, i);
		s->first = i;
	} else {
		uint32_t end = s->ends[i - s->low + 1];
		for (uint32_t e = s->ends[i - s->low]; e < end && !has_failed(work); e++) {
			uint32_t p = smallest_above(work, s->from[e - s->base], i + 1);
			if (p < smallest)
				smallest = p;
		}
	}
	uint64_t parent = libsnap_paged_get32(&work->outside->dominator, i);
	libsnap_paged_set64(&work->forest, i, parent << 32 | smallest);
	libsnap_paged_set32(&work->semi, i, smallest);
}

static enum snap_status find_semidominators(struct work *work, struct snap_error *error)
{
	struct stretch *s = &work->stretch;
	struct deal *deal = &work->deal;
	enum snap_status status =
		libsnap_paged_open(&work->forest, work->pages, work->reached, 8, error);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&work->semi, work->pages, work->reached, 4, error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(work->graph, "dominators", deal->width * 8ull + 4,
					       error);
	if (status != SNAP_OK)
		return status;
	s->ends = libsnap_graph_take(work->graph, deal->width + 1u, 4);
	s->lowest = libsnap_graph_take(work->graph, deal->width, 4);
	uint64_t capacity = libsnap_graph_room(work->graph) / 4;
	s->capacity =
		(uint32_t)(capacity < work->graph->held_count ? capacity : work->graph->held_count);
	s->from = libsnap_graph_take(work->graph, s->capacity, 4);
	if (s->ends == NULL || s->lowest == NULL || s->from == NULL)
		return libsnap_fail_memory(error);
	for (uint32_t index = deal->count; index-- > 0 && !has_failed(work);) {
		s->index = index;
		s->low = index * deal->width;
		s->high = index + 1 < deal->count ? s->low + deal->width : work->reached;
		measure_lists(work);
		s->first = s->high;
		for (uint32_t i = s->high; i-- > s->low && i > 0 && !has_failed(work);)
			find_semidominator(work, i);
		libsnap_graph_progress(work->graph, "semidominators, in temporary files",
				       deal->count - index, deal->count);
	}
	return libsnap_pages_check(work->pages, error);
}

static void free_lists(struct work *work)
{
	struct snap_graph *graph = work->graph;
	struct deal *deal = &work->deal;
	struct stretch *s = &work->stretch;
	libsnap_paged_close(&deal->pairs);
	libsnap_paged_close(&work->forest);
	libsnap_graph_give(graph, deal->before, deal->chunk_capacity, 4);
	libsnap_graph_give(graph, deal->last, deal->count, 4);
	libsnap_graph_give(graph, deal->fill, deal->count, 4);
	libsnap_graph_give(graph, s->ends, deal->width + 1u, 4);
	libsnap_graph_give(graph, s->lowest, deal->width, 4);
	libsnap_graph_give(graph, s->from, s->capacity, 4);
	deal->before = deal->last = deal->fill = s->ends = s->lowest = s->from = NULL;
}

/* ---- from semidominators to dominators ---- */

static void add_jump(struct work *work, uint32_t i)
{
	struct paged *jump = &work->jump, *depth = &work->depth;
	uint32_t d = libsnap_paged_get32(&work->outside->dominator, i);
	uint32_t j = libsnap_paged_get32(jump, d), k = libsnap_paged_get32(jump, j);
	uint32_t deep = libsnap_paged_get32(depth, d), middle = libsnap_paged_get32(depth, j);
	bool equal = deep - middle == middle - libsnap_paged_get32(depth, k);
	libsnap_paged_set32(depth, i, deep + 1);
	libsnap_paged_set32(jump, i, equal ? k : d);
}

static uint32_t climb_to(struct work *work, uint32_t d, uint32_t limit)
{
	struct paged *dominator = &work->outside->dominator;
	for (; d > limit && !work->jumps && work->steps_left > 0; work->steps_left--)
		d = libsnap_paged_get32(dominator, d);
	while (d > limit && work->jumps && !has_failed(work)) {
		uint32_t jump = libsnap_paged_get32(&work->jump, d);
		d = jump > limit ? jump : libsnap_paged_get32(dominator, d);
	}
	return d;
}

static enum snap_status start_jumps(struct work *work, uint32_t done, struct snap_error *error)
{
	enum snap_status status =
		libsnap_paged_open(&work->jump, work->pages, work->reached, 4, error);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&work->depth, work->pages, work->reached, 4, error);
	work->jumps = status == SNAP_OK;
	for (uint32_t i = 1; i < done && work->jumps && !has_failed(work); i++)
		add_jump(work, i);
	return status;
}

static enum snap_status find_dominators(struct work *work, struct snap_error *error)
{
	struct paged *dominator = &work->outside->dominator;
	work->steps_left = 8 * (uint64_t)work->reached;
	for (uint32_t i = 1; i < work->reached && !has_failed(work); i++) {
		uint32_t semi = libsnap_paged_get32(&work->semi, i);
		uint32_t d = climb_to(work, libsnap_paged_get32(dominator, i), semi);
		if (d > semi && !work->jumps) {
			enum snap_status status = start_jumps(work, i, error);
			if (status != SNAP_OK)
				return status;
			d = climb_to(work, d, semi);
		}
		libsnap_paged_set32(dominator, i, d);
		if (work->jumps)
			add_jump(work, i);
		tell(work, "dominators, in temporary files", i, work->reached);
	}
	return libsnap_pages_check(work->pages, error);
}

/* ---- retained bytes ---- */

static void add_own(void *context, uint64_t row, uint64_t bytes)
{
	struct work *work = context;
	uint32_t number = libsnap_paged_get32(&work->outside->number, row);
	if (number < work->reached)
		libsnap_paged_set64(&work->outside->retained, number, bytes);
}

static enum snap_status add_retained(struct work *work, struct snap_error *error)
{
	struct outside *outside = work->outside;
	struct paged *retained = &outside->retained;
	enum snap_status status =
		libsnap_paged_open(retained, work->pages, work->reached, 8, error);
	if (status == SNAP_OK)
		status = libsnap_graph_each_size(work->graph, add_own, work, error);
	if (status != SNAP_OK)
		return status;
	for (uint32_t i = work->reached; i-- > 1 && !has_failed(work);) {
		uint32_t dominator = libsnap_paged_get32(&outside->dominator, i);
		uint64_t own = libsnap_paged_get64(retained, i), sum;
		if (libsnap_add_overflows(libsnap_paged_get64(retained, dominator), own, &sum))
			sum = UINT64_MAX;
		libsnap_paged_set64(retained, dominator, sum);
	}
	return libsnap_pages_check(work->pages, error);
}

/* ---- answers ---- */

/* Puts by row what was by number, as two steps that each need one array at random. */
static enum snap_status answer_by_row(struct work *work, struct snap_error *error)
{
	struct outside *outside = work->outside;
	struct paged *order = &outside->order, *dominator = &outside->dominator;
	enum snap_status status =
		libsnap_paged_open(&outside->dominator_of, work->pages, work->nodes, 4, error);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&outside->retained_of, work->pages, work->nodes, 8,
					    error);
	if (status != SNAP_OK)
		return status;
	libsnap_graph_progress(work->graph, "answers, in temporary files", 0, 1);
	for (uint32_t i = 1; i < work->reached && !has_failed(work); i++) {
		uint32_t number = libsnap_paged_get32(dominator, i);
		libsnap_paged_set32(dominator, i,
				    number != 0 ? libsnap_paged_get32(order, number) : NONE);
	}
	for (uint32_t node = 0; node < work->nodes; node++)
		libsnap_paged_set32(&outside->dominator_of, node, NONE);
	for (uint32_t i = 1; i < work->reached && !has_failed(work); i++)
		libsnap_paged_set32(&outside->dominator_of, libsnap_paged_get32(order, i),
				    libsnap_paged_get32(dominator, i));
	libsnap_paged_close(dominator);
	for (uint32_t i = 1; i < work->reached && !has_failed(work); i++)
		libsnap_paged_set64(&outside->retained_of, libsnap_paged_get32(order, i),
				    libsnap_paged_get64(&outside->retained, i));
	return libsnap_pages_check(work->pages, error);
}

enum snap_status libsnap_graph_dominate_outside(struct snap_graph *graph, struct snap_error *error)
{
	struct outside *outside = &graph->outside;
	enum snap_status status = libsnap_graph_move_outside(graph, error);
	if (status != SNAP_OK)
		return status;
	struct work work = {.graph = graph,
			    .outside = outside,
			    .pages = outside->pages,
			    .nodes = graph->held.nodes};
	status = find_preorder(&work, error);
	if (status == SNAP_OK)
		status = plan(&work, error);
	if (status == SNAP_OK)
		status = deal_out(&work, error);
	if (status == SNAP_OK)
		status = find_semidominators(&work, error);
	free_lists(&work);
	if (status == SNAP_OK)
		status = find_dominators(&work, error);
	libsnap_graph_give(graph, work.visited, work.words, 8);
	libsnap_paged_close(&work.stack);
	libsnap_paged_close(&work.semi);
	libsnap_paged_close(&work.jump);
	libsnap_paged_close(&work.depth);
	if (status == SNAP_OK)
		status = add_retained(&work, error);
	libsnap_paged_close(&outside->number);
	if (status == SNAP_OK)
		status = answer_by_row(&work, error);
	libsnap_paged_close(&outside->order);
	libsnap_paged_close(&outside->dominator);
	libsnap_paged_close(&outside->retained);
	outside->dominated = status == SNAP_OK;
	if (status != SNAP_OK) {
		libsnap_paged_close(&outside->dominator_of);
		libsnap_paged_close(&outside->retained_of);
	}
	return status;
}
