/* Dominators as in dominators.c, over arrays in temporary files: each reference is followed once
 * from its owner, once to be dealt out by the number of its target, and then a stretch of numbers
 * at a time is in memory. */
#include "graph.h"

#include <string.h>

/* References as pairs of numbers (target, owner), a list of chunks for each stretch of targets. */
struct deal {
	struct paged pairs;    /* target, owner */
	uint64_t width;        /* numbers in a stretch */
	uint32_t count;        /* stretches */
	uint32_t *last, *fill; /* of a stretch: its newest chunk, and pairs in that */
	uint32_t *before;      /* of a chunk: the one before it */
	uint32_t chunks, chunk_capacity;
	unsigned shift; /* a chunk has 1 << shift pairs */
};

/* Predecessors of one stretch, as in dominators.c. */
struct stretch {
	uint32_t index;
	uint64_t low, high;
	uint64_t *ends, *lowest; /* by number - low */
	uint64_t *from;
	uint64_t capacity, first, base;
};

struct work {
	struct snap_graph *graph;
	struct outside *outside;
	struct pages *pages;
	uint64_t nodes, reached;
	struct paged semi, jump, depth;
	struct paged forest; /* ancestor, the smallest semidominator up to it */
	struct deal deal;
	struct stretch stretch;
	bool jumps;
	uint64_t steps_left;
	bool by_levels; /* numbers of one distance are in the order of rows */
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

/* How many elements of an array stay in the cache while others are read in order.  What would be
 * needed in no order is gone through several times, for so many of them at a time; at most 64
 * times. */
static uint64_t window(const struct paged *array, uint64_t count)
{
	uint64_t fit = (uint64_t)array->pages->frame_count / 2 << array->shift;
	return fit > count / 64 ? fit : count / 64 + 1;
}

static enum snap_status open_numbers(struct work *work, struct paged *array, uint64_t count,
				     struct snap_error *error)
{
	return libsnap_paged_open(array, work->pages, count, work->graph->wide, error);
}

/* ---- references by their targets' numbers ---- */

/* How many stretches, so that one of them and its lists fit into the memory that is left. */
static enum snap_status plan(struct work *work, struct snap_error *error)
{
	struct deal *deal = &work->deal;
	uint64_t edges = work->graph->held_count, room;
	deal->shift = work->pages->page_shift - (work->graph->wide ? 4 : 3);
	uint64_t most = work->pages->frame_count / 2, count;
	uint64_t fixed = ((edges >> deal->shift) + most + 1) * 4 + most * 8;
	enum snap_status status =
		libsnap_graph_reserve(work->graph, "dominators", fixed + 96, error);
	if (status != SNAP_OK)
		return status;
	room = libsnap_graph_room(work->graph) - fixed;
	if (most > work->pages->frame_count / 2)
		most = work->pages->frame_count / 2;
	count = work->reached / (room / 48) + 1;
	if (count < edges / (room / 24) + 1)
		count = edges / (room / 24) + 1;
	if (count > most)
		count = most;
	deal->width = work->reached / count + 1;
	deal->count = (uint32_t)((work->reached - 1) / deal->width + 1);
	deal->chunk_capacity = (uint32_t)((edges >> deal->shift) + deal->count + 1);
	uint64_t bytes = deal->chunk_capacity * 4ull + deal->count * 8ull + deal->width * 16 + 8;
	status = open_numbers(work, &deal->pairs,
			      (uint64_t)deal->chunk_capacity << (deal->shift + 1), error);
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

static void add_pair(struct deal *deal, uint64_t target, uint64_t owner)
{
	uint64_t stretch = target / deal->width;
	uint32_t size = UINT32_C(1) << deal->shift;
	if (deal->last[stretch] == NONE || deal->fill[stretch] == size) {
		deal->before[deal->chunks] = deal->last[stretch];
		deal->last[stretch] = deal->chunks++;
		deal->fill[stretch] = 0;
	}
	uint64_t at = ((uint64_t)deal->last[stretch] << deal->shift) + deal->fill[stretch]++;
	libsnap_paged_set_pair(&deal->pairs, at, target, owner);
}

static enum snap_status deal_out(struct work *work, struct snap_error *error)
{
	struct outside *outside = work->outside;
	uint64_t at = 0;
	for (uint64_t node = 0; node < work->nodes && !has_failed(work); node++) {
		uint64_t v = libsnap_paged_number(&outside->number, node);
		uint64_t end = libsnap_paged_get(&outside->start, node + 1);
		if (v == SNAP_GRAPH_NONE)
			at = end;
		for (; at < end && !has_failed(work); at++) {
			uint64_t to = libsnap_paged_get(&outside->to, at);
			uint64_t w = libsnap_paged_number(&outside->number, to);
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
	uint64_t at; /* of the pair that was given last */
};

static struct pair_walk begin_pairs(struct work *work)
{
	struct deal *deal = &work->deal;
	uint32_t stretch = work->stretch.index;
	return (struct pair_walk){deal, deal->last[stretch], deal->fill[stretch], 0};
}

static bool next_pair(struct pair_walk *walk, uint64_t *target, uint64_t *owner)
{
	while (walk->left == 0) {
		if (walk->chunk == NONE)
			return false;
		walk->chunk = walk->deal->before[walk->chunk];
		if (walk->chunk == NONE)
			return false;
		walk->left = UINT32_C(1) << walk->deal->shift;
	}
	walk->at = ((uint64_t)walk->chunk << walk->deal->shift) + --walk->left;
	libsnap_paged_get_pair(&walk->deal->pairs, walk->at, target, owner);
	return walk->deal->pairs.pages->failed == SNAP_OK;
}

static void measure_lists(struct work *work)
{
	struct stretch *s = &work->stretch;
	uint64_t w, v, sum = 0;
	memset(s->ends, 0, (s->high - s->low + 1) * sizeof(*s->ends));
	for (struct pair_walk walk = begin_pairs(work); next_pair(&walk, &w, &v);) {
		if (w < v)
			s->ends[w - s->low]++;
		else if (v < s->lowest[w - s->low])
			s->lowest[w - s->low] = v;
	}
	for (uint64_t i = 0; i <= s->high - s->low; i++)
		s->ends[i] = sum += s->ends[i];
}

static uint64_t end_before(const struct stretch *s, uint64_t number)
{
	return number > s->low ? s->ends[number - s->low - 1] : 0;
}

static void list_predecessors(struct work *work, uint64_t end)
{
	struct stretch *s = &work->stretch;
	uint64_t first = end, top = s->ends[end - s->low], w, v;
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

/* Links are pairs: where to, and the smallest semidominator on the way. */
static void get_link(struct work *work, uint64_t v, uint64_t *up, uint64_t *smallest)
{
	libsnap_paged_get_pair(&work->forest, v, up, smallest);
	--*up;
	--*smallest;
}

static void set_link(struct work *work, uint64_t v, uint64_t up, uint64_t smallest)
{
	libsnap_paged_set_pair(&work->forest, v, up + 1, smallest + 1);
}

/* *root is the first number below linked on the way from v. */
static uint64_t smallest_above(struct work *work, uint64_t v, uint64_t linked, uint64_t *root)
{
	uint64_t up, smallest, below = SNAP_GRAPH_NONE, u = v;
	get_link(work, u, &up, &smallest);
	/* On the way up links are turned round, so that no path is stored. */
	while (up >= linked && !has_failed(work)) {
		set_link(work, u, below, smallest);
		below = u;
		u = up;
		get_link(work, u, &up, &smallest);
	}
	*root = up;
	while (below != SNAP_GRAPH_NONE && !has_failed(work)) {
		uint64_t next, own;
		get_link(work, below, &next, &own);
		if (own < smallest)
			smallest = own;
		set_link(work, below, *root, smallest);
		below = next;
	}
	return smallest;
}

/* Owners beyond the stretch are linked before it is begun.  Of each of these ways only what lies
 * within the stretch is left, so that no number of it has to look beyond. */
static void shorten_ways(struct work *work)
{
	struct stretch *s = &work->stretch;
	uint64_t width = window(&work->forest, 2 * work->reached) / 2 + 1, w, v;
	for (uint64_t i = s->low; i < s->high; i++)
		s->lowest[i - s->low] = libsnap_paged_number(&work->outside->dominator, i);
	for (uint64_t low = s->high; low < work->reached; low += width)
		for (struct pair_walk walk = begin_pairs(work); next_pair(&walk, &w, &v);) {
			if (v - low >= width)
				continue;
			uint64_t root, smallest = smallest_above(work, v, s->high, &root);
			if (smallest < s->lowest[w - s->low])
				s->lowest[w - s->low] = smallest;
			libsnap_paged_set_pair(&walk.deal->pairs, walk.at, w, root > w ? root : w);
		}
}

static uint64_t smallest_of_many(struct work *work, uint64_t i)
{
	uint64_t smallest = work->stretch.lowest[i - work->stretch.low], w, v, root;
	for (struct pair_walk walk = begin_pairs(work); next_pair(&walk, &w, &v);) {
		if (w != i || v <= i)
			continue;
		uint64_t p = smallest_above(work, v, i + 1, &root);
		if (p < smallest)
			smallest = p;
	}
	return smallest;
}

static uint64_t smallest_of_list(struct work *work, uint64_t i)
{
	struct stretch *s = &work->stretch;
	uint64_t smallest = s->lowest[i - s->low], end = s->ends[i - s->low + 1], root;
	for (uint64_t e = s->ends[i - s->low]; e < end && !has_failed(work); e++) {
		uint64_t p = smallest_above(work, s->from[e - s->base], i + 1, &root);
		if (p < smallest)
			smallest = p;
	}
	return smallest;
}

static void find_semidominator(struct work *work, uint64_t i)
{
	struct stretch *s = &work->stretch;
	if (i < s->first)
		list_predecessors(work, i + 1);
	uint64_t smallest;
	if (i < s->first) {
		smallest = smallest_of_many(work, i);
		s->ends[i - s->low] = end_before(s, i);
		s->first = i;
	} else {
		smallest = smallest_of_list(work, i);
	}
	uint64_t parent = libsnap_paged_number(&work->outside->dominator, i);
	set_link(work, i, parent, smallest);
	libsnap_paged_set_number(&work->semi, i, smallest);
}

static enum snap_status find_semidominators(struct work *work, struct snap_error *error)
{
	struct stretch *s = &work->stretch;
	struct deal *deal = &work->deal;
	enum snap_status status = open_numbers(work, &work->forest, 2 * work->reached, error);
	if (status == SNAP_OK)
		status = open_numbers(work, &work->semi, work->reached, error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(work->graph, "dominators", deal->width * 16 + 8,
					       error);
	if (status != SNAP_OK)
		return status;
	s->ends = libsnap_graph_take(work->graph, deal->width + 1, 8);
	s->lowest = libsnap_graph_take(work->graph, deal->width, 8);
	uint64_t capacity = libsnap_graph_room(work->graph) / 8;
	s->capacity = capacity < work->graph->held_count ? capacity : work->graph->held_count;
	s->from = libsnap_graph_take(work->graph, s->capacity, 8);
	if (s->ends == NULL || s->lowest == NULL || s->from == NULL)
		return libsnap_fail_memory(error);
	for (uint32_t index = deal->count; index-- > 0 && !has_failed(work);) {
		s->index = index;
		s->low = index * deal->width;
		s->high = index + 1 < deal->count ? s->low + deal->width : work->reached;
		shorten_ways(work);
		measure_lists(work);
		s->first = s->high;
		for (uint64_t i = s->high; i-- > s->low && i > 0 && !has_failed(work);)
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
	libsnap_graph_give(graph, s->ends, deal->width + 1, 8);
	libsnap_graph_give(graph, s->lowest, deal->width, 8);
	libsnap_graph_give(graph, s->from, s->capacity, 8);
	deal->before = deal->last = deal->fill = NULL;
	s->ends = s->lowest = s->from = NULL;
}

/* ---- from semidominators to dominators ---- */

static void add_jump(struct work *work, uint64_t i)
{
	struct paged *jump = &work->jump, *depth = &work->depth;
	uint64_t d = libsnap_paged_number(&work->outside->dominator, i);
	uint64_t j = libsnap_paged_number(jump, d), k = libsnap_paged_number(jump, j);
	uint64_t deep = libsnap_paged_number(depth, d), middle = libsnap_paged_number(depth, j);
	bool equal = deep - middle == middle - libsnap_paged_number(depth, k);
	libsnap_paged_set_number(depth, i, deep + 1);
	libsnap_paged_set_number(jump, i, equal ? k : d);
}

static uint64_t climb_to(struct work *work, uint64_t d, uint64_t limit)
{
	struct paged *dominator = &work->outside->dominator;
	for (; d > limit && !work->jumps && work->steps_left > 0; work->steps_left--)
		d = libsnap_paged_number(dominator, d);
	while (d > limit && work->jumps && !has_failed(work)) {
		uint64_t jump = libsnap_paged_number(&work->jump, d);
		d = jump > limit ? jump : libsnap_paged_number(dominator, d);
	}
	return d;
}

static enum snap_status start_jumps(struct work *work, uint64_t done, struct snap_error *error)
{
	enum snap_status status = open_numbers(work, &work->jump, work->reached, error);
	if (status == SNAP_OK)
		status = open_numbers(work, &work->depth, work->reached, error);
	work->jumps = status == SNAP_OK;
	if (work->jumps) {
		libsnap_paged_set_number(&work->jump, 0, 0);
		libsnap_paged_set_number(&work->depth, 0, 0);
	}
	for (uint64_t i = 1; i < done && work->jumps && !has_failed(work); i++)
		add_jump(work, i);
	return status;
}

static enum snap_status find_dominators(struct work *work, struct snap_error *error)
{
	struct paged *dominator = &work->outside->dominator;
	work->steps_left = 8 * (uint64_t)work->reached;
	for (uint64_t i = 1; i < work->reached && !has_failed(work); i++) {
		uint64_t semi = libsnap_paged_number(&work->semi, i);
		uint64_t d = climb_to(work, libsnap_paged_number(dominator, i), semi);
		if (d > semi && !work->jumps) {
			enum snap_status status = start_jumps(work, i, error);
			if (status != SNAP_OK)
				return status;
			d = climb_to(work, d, semi);
		}
		libsnap_paged_set_number(dominator, i, d);
		if (work->jumps)
			add_jump(work, i);
		tell(work, "dominators, in temporary files", i, work->reached);
	}
	return libsnap_pages_check(work->pages, error);
}

/* ---- retained bytes ---- */

/* Of the numbers from low on. */
struct own {
	struct outside *outside;
	uint64_t low, count;
};

static void add_own(void *context, uint64_t row, uint64_t bytes)
{
	const struct own *own = context;
	uint64_t number = libsnap_paged_number(&own->outside->number, row);
	if (number - own->low < own->count)
		libsnap_paged_set(&own->outside->retained, number, bytes);
}

static enum snap_status add_retained(struct work *work, struct snap_error *error)
{
	struct outside *outside = work->outside;
	struct paged *retained = &outside->retained;
	enum snap_status status =
		libsnap_paged_open(retained, work->pages, work->reached, true, error);
	uint64_t width = work->reached, left;
	if (status == SNAP_OK && !work->by_levels)
		width = window(retained, work->reached);
	for (uint64_t low = 0; status == SNAP_OK && low < work->reached; low += width) {
		left = work->reached - low;
		struct own own = {outside, low, left < width ? left : width};
		status = libsnap_graph_each_size(work->graph, add_own, &own, error);
	}
	if (status != SNAP_OK)
		return status;
	for (uint64_t i = work->reached; i-- > 1 && !has_failed(work);) {
		uint64_t dominator = libsnap_paged_number(&outside->dominator, i);
		uint64_t own = libsnap_paged_get(retained, i), sum;
		if (libsnap_add_overflows(libsnap_paged_get(retained, dominator), own, &sum))
			sum = UINT64_MAX;
		libsnap_paged_set(retained, dominator, sum);
	}
	return libsnap_pages_check(work->pages, error);
}

/* ---- answers ---- */

enum snap_status libsnap_graph_open_answers(struct snap_graph *graph, struct snap_error *error)
{
	struct outside *outside = &graph->outside;
	enum snap_status status = libsnap_paged_open(&outside->dominator_of, outside->pages,
						     graph->objects + 1, graph->wide, error);
	if (status == SNAP_OK)
		status = libsnap_paged_open(&outside->retained_of, outside->pages,
					    graph->objects + 1, true, error);
	return status;
}

static void put_in_order(struct work *work, struct paged *by_row, struct paged *by_number)
{
	for (uint64_t row = 0; row + 1 < work->nodes && !has_failed(work); row++) {
		uint64_t number = libsnap_paged_number(&work->outside->number, row);
		if (number != SNAP_GRAPH_NONE)
			libsnap_paged_set(by_row, row, libsnap_paged_get(by_number, number));
	}
}

static void put_by_row(struct work *work, struct paged *by_row, struct paged *by_number)
{
	uint64_t rows = work->nodes, width = window(by_row, rows);
	if (work->by_levels) {
		put_in_order(work, by_row, by_number);
		return;
	}
	for (uint64_t low = 0; low < rows; low += width)
		for (uint64_t i = 1; i < work->reached && !has_failed(work); i++) {
			uint64_t row = libsnap_paged_number(&work->outside->order, i);
			if (row - low < width)
				libsnap_paged_set(by_row, row, libsnap_paged_get(by_number, i));
		}
}

/* Puts by row what was by number, in steps that each need one array at random. */
static enum snap_status answer_by_row(struct work *work, struct snap_error *error)
{
	struct outside *outside = work->outside;
	struct paged *order = &outside->order, *dominator = &outside->dominator;
	enum snap_status status = libsnap_graph_open_answers(work->graph, error);
	if (status != SNAP_OK)
		return status;
	libsnap_graph_progress(work->graph, "answers, in temporary files", 0, 1);
	for (uint64_t i = 1; i < work->reached && !has_failed(work); i++) {
		uint64_t number = libsnap_paged_number(dominator, i);
		libsnap_paged_set_number(dominator, i,
					 number != 0 ? libsnap_paged_number(order, number)
						     : SNAP_GRAPH_NONE);
	}
	put_by_row(work, &outside->dominator_of, dominator);
	libsnap_paged_close(dominator);
	put_by_row(work, &outside->retained_of, &outside->retained);
	return libsnap_pages_check(work->pages, error);
}

static void close_numbers(struct outside *outside)
{
	libsnap_paged_close(&outside->number);
	libsnap_paged_close(&outside->order);
	libsnap_paged_close(&outside->dominator);
}

static enum snap_status dominate_by_walk(struct work *work, struct snap_error *error)
{
	close_numbers(work->outside);
	enum snap_status status = libsnap_graph_prepare(work->graph, UINT64_MAX, error);
	if (status == SNAP_OK)
		status = libsnap_graph_preorder_outside(work->graph, &work->reached, error);
	if (status == SNAP_OK)
		status = plan(work, error);
	if (status == SNAP_OK)
		status = deal_out(work, error);
	if (status == SNAP_OK)
		status = find_semidominators(work, error);
	free_lists(work);
	if (status == SNAP_OK)
		status = find_dominators(work, error);
	libsnap_paged_close(&work->semi);
	libsnap_paged_close(&work->jump);
	libsnap_paged_close(&work->depth);
	return status;
}

enum snap_status libsnap_graph_dominate_outside(struct snap_graph *graph, struct snap_error *error)
{
	struct outside *outside = &graph->outside;
	enum snap_status status = libsnap_graph_prepare(graph, UINT64_MAX, error);
	if (status != SNAP_OK)
		return status;
	struct work work = {.graph = graph,
			    .outside = outside,
			    .pages = outside->pages,
			    .nodes = graph->objects + 1};
	status = libsnap_graph_levels_outside(graph, &work.reached, error);
	work.by_levels = status == SNAP_OK;
	if (status == SNAP_END || status == SNAP_LIMIT)
		status = dominate_by_walk(&work, error);
	if (status == SNAP_OK)
		status = add_retained(&work, error);
	if (status == SNAP_OK)
		status = answer_by_row(&work, error);
	close_numbers(outside);
	libsnap_paged_close(&outside->retained);
	outside->dominated = status == SNAP_OK;
	if (status != SNAP_OK) {
		libsnap_paged_close(&outside->dominator_of);
		libsnap_paged_close(&outside->retained_of);
	}
	return status;
}
