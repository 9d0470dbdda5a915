/* Which row comes first: a total order, tracemalloc's for its keys. */
#include <string.h>

#include "query.h"

#define LISTS_PER_GROUP 4 /* more lists than that are not ranked */

/* How the parts of a key compare: as texts, as lists, else as numbers. */
struct tuple_form {
	unsigned texts, chains;
	const struct tuple_form *items; /* of the lists */
};

static const struct tuple_form place_form = {1u << 0 | 1u << 2 | 1u << 3, 0, NULL};
static const struct tuple_form slot_form = {1u << 2, 0, NULL};
static const struct tuple_form step_form = {1u << 0 | 1u << 4, 0, NULL};

static const struct tuple_form forms[SNAP_KEY_COUNT] = {
	[SNAP_KEY_TYPE] = {1u << 0, 0, NULL},
	[SNAP_KEY_SHAPE] = {1u << 0, 1u << 2, &slot_form},
	[SNAP_KEY_LINENO] = {1u << 0, 0, NULL},
	[SNAP_KEY_FILENAME] = {1u << 0, 0, NULL},
	[SNAP_KEY_FUNCTION] = {1u << 0 | 1u << 1 | 1u << 2, 0, NULL},
	[SNAP_KEY_TRACEBACK] = {0, 1u << 0, &place_form},
	[SNAP_KEY_MODULE] = {1u << 0, 0, NULL},
	[SNAP_KEY_THREAD] = {1u << 2, 0, NULL},
	[SNAP_KEY_ROOT] = {1u << 1, 0, NULL},
	[SNAP_KEY_DOMINATOR] = {1u << 0 | 1u << 3, 0, NULL},
	[SNAP_KEY_DUPLICATE] = {1u << 0 | 1u << 4, 0, NULL},
	[SNAP_KEY_FIELD] = {1u << 0 | 1u << 4, 0, NULL},
	[SNAP_KEY_FILL] = {1u << 0, 0, NULL},
	[SNAP_KEY_PATH] = {0, 1u << 0, &step_form},
};

static int compare_numbers(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* UTF-8's bytes are in the order of its characters. */
static int compare_texts(const struct space *space, uint64_t a, uint64_t b)
{
	if (a == b || a == 0 || b == 0)
		return compare_numbers(a != 0, b != 0);
	struct text_item left = libsnap_text_at(space, (uint32_t)a),
			 right = libsnap_text_at(space, (uint32_t)b);
	size_t size = left.size < right.size ? left.size : right.size;
	int order = size ? memcmp(left.bytes, right.bytes, size) : 0;
	return order ? order : compare_numbers(left.size, right.size);
}

static int compare_tuples(const struct space *space, const struct tuple_form *form,
			  const struct tuple *a, const struct tuple *b);

/* From the first item on.  Equal beginnings are one and the same chain: find where they part. */
static int compare_chains(const struct space *space, const struct tuple_form *items, uint32_t a,
			  uint32_t b)
{
	if (space->ranks)
		return compare_numbers(space->ranks[a], space->ranks[b]);
	int order = compare_numbers(libsnap_chain_at(space, a)->length,
				    libsnap_chain_at(space, b)->length);
	while (libsnap_chain_at(space, a)->length > libsnap_chain_at(space, b)->length)
		a = libsnap_chain_at(space, a)->before;
	while (libsnap_chain_at(space, b)->length > libsnap_chain_at(space, a)->length)
		b = libsnap_chain_at(space, b)->before;
	if (a == b)
		return order; /* the shorter one is a beginning of the longer one */
	const struct chain *left = libsnap_chain_at(space, a), *right = libsnap_chain_at(space, b);
	while (left->before != right->before) {
		left = libsnap_chain_at(space, left->before);
		right = libsnap_chain_at(space, right->before);
	}
	return compare_tuples(space, items, libsnap_place_at(space, left->item),
			      libsnap_place_at(space, right->item));
}

static int compare_tuples(const struct space *space, const struct tuple_form *form,
			  const struct tuple *a, const struct tuple *b)
{
	for (unsigned i = 0; i < 5; i++) {
		int order;
		if (form->texts >> i & 1)
			order = compare_texts(space, a->part[i], b->part[i]);
		else if (form->chains >> i & 1)
			order = compare_chains(space, form->items, (uint32_t)a->part[i],
					       (uint32_t)b->part[i]);
		else
			order = compare_numbers(a->part[i], b->part[i]);
		if (order)
			return order;
	}
	return 0;
}

/* ---- sorting ---- */

typedef int compare_ids(const void *context, uint32_t a, uint32_t b);

/* Merges the halves from[first, middle) and from[middle, end) to the same place in to; greatest
 * first. */
static void merge(compare_ids *compare, const void *context, const uint32_t *from, uint32_t *to,
		  size_t first, size_t middle, size_t end)
{
	size_t left = first, right = middle;
	for (size_t i = first; i < end; i++) {
		bool take_left = right == end ||
				 (left < middle && compare(context, from[left], from[right]) >= 0);
		to[i] = take_left ? from[left++] : from[right++];
	}
}

/* Greatest first; *ids may become another array of the same size.  False: no memory. */
static bool sort_ids(const struct snap_allocator *memory, uint32_t **ids, size_t count,
		     compare_ids *compare, const void *context)
{
	uint32_t *from = *ids, *to = libsnap_alloc(memory, count, sizeof(uint32_t));
	if (!to)
		return false;
	for (size_t width = 1; width < count; width *= 2) {
		for (size_t first = 0; first < count; first += 2 * width) {
			size_t middle = first + width < count ? first + width : count;
			size_t end = middle + width < count ? middle + width : count;
			merge(compare, context, from, to, first, middle, end);
		}
		uint32_t *swapped = from;
		from = to;
		to = swapped;
	}
	libsnap_free(memory, to, count, sizeof(uint32_t));
	*ids = from;
	return true;
}

/* ---- lists ---- */

struct ranking {
	struct space *space;
	const struct tuple_form *items;
	size_t chain_count, item_count;
	uint32_t *sizes, *room; /* by chain: lists that begin with it; those not yet placed */
	uint32_t *first, *next; /* by item: a chain that ends with it; by chain: another such one */
	uint32_t *sorted;       /* items, greatest first */
};

static int compare_items(const void *context, uint32_t a, uint32_t b)
{
	const struct ranking *ranking = context;
	const struct space *space = ranking->space;
	return compare_tuples(space, ranking->items, libsnap_place_at(space, a),
			      libsnap_place_at(space, b));
}

static bool ranking_begin(struct ranking *ranking)
{
	const struct snap_allocator *memory = &ranking->space->budget->allocator;
	size_t chains = ranking->chain_count, items = ranking->item_count;
	ranking->sizes = libsnap_alloc(memory, chains, sizeof(uint32_t));
	ranking->room = libsnap_alloc(memory, chains, sizeof(uint32_t));
	ranking->next = libsnap_alloc(memory, chains, sizeof(uint32_t));
	ranking->first = libsnap_alloc(memory, items, sizeof(uint32_t));
	ranking->sorted = libsnap_alloc(memory, items, sizeof(uint32_t));
	if (!ranking->sizes || !ranking->room || !ranking->next || !ranking->first ||
	    !ranking->sorted)
		return false;
	for (size_t item = 0; item < items; item++)
		ranking->sorted[item] = (uint32_t)item;
	return sort_ids(memory, &ranking->sorted, items, compare_items, ranking);
}

static void ranking_end(struct ranking *ranking)
{
	const struct snap_allocator *memory = &ranking->space->budget->allocator;
	libsnap_free(memory, ranking->sizes, ranking->chain_count, sizeof(uint32_t));
	libsnap_free(memory, ranking->room, ranking->chain_count, sizeof(uint32_t));
	libsnap_free(memory, ranking->next, ranking->chain_count, sizeof(uint32_t));
	libsnap_free(memory, ranking->first, ranking->item_count, sizeof(uint32_t));
	libsnap_free(memory, ranking->sorted, ranking->item_count, sizeof(uint32_t));
}

/* Lists in order are the tree of them in preorder, below each list those that are longer by an
 * item, in the order of these.  A list is made after the one before it, so its number is greater.
 */
static void rank_chains(struct ranking *ranking)
{
	const struct space *space = ranking->space;
	uint32_t *sizes = ranking->sizes, *room = ranking->room, *next = ranking->next;
	uint32_t *first = ranking->first, count = (uint32_t)ranking->chain_count;
	for (uint32_t id = 0; id < count; id++)
		sizes[id] = 1;
	for (uint32_t id = count - 1; id > 0; id--)
		sizes[libsnap_chain_at(space, id)->before] += sizes[id];
	memcpy(room, sizes, count * sizeof(uint32_t));
	memset(first, 0, ranking->item_count * sizeof(uint32_t));
	for (uint32_t id = 1; id < count; id++) {
		uint32_t item = libsnap_chain_at(space, id)->item;
		next[id] = first[item];
		first[item] = id;
	}
	uint32_t *offset = next; /* from the list before, once the next one is known */
	for (size_t i = 0; i < ranking->item_count; i++) {
		for (uint32_t id = first[ranking->sorted[i]], after; id; id = after) {
			after = next[id];
			uint32_t *left = &room[libsnap_chain_at(space, id)->before];
			*left -= sizes[id];
			offset[id] = *left;
		}
	}
	next[0] = 0;
	for (uint32_t id = 1; id < count; id++)
		next[id] = next[libsnap_chain_at(space, id)->before] + offset[id];
}

/* Comparing two lists is then comparing two numbers.  Where most lists are only the beginnings of
 * those of groups, as of stacks, comparing them as they are costs less. */
static enum snap_status make_ranks(struct space *space, const struct tuple_form *items,
				   struct snap_error *error)
{
	if (space->chains.count / LISTS_PER_GROUP > space->groups.count)
		return SNAP_OK;
	struct ranking ranking = {.space = space, .items = items};
	ranking.chain_count = space->chains.count;
	ranking.item_count = space->places.count;
	enum snap_status status = SNAP_OK;
	if (ranking_begin(&ranking)) {
		rank_chains(&ranking);
		space->ranks = ranking.next;
		ranking.next = NULL;
	} else {
		status = libsnap_budget_fail(space->budget, error);
	}
	ranking_end(&ranking);
	return status;
}

static void end_ranks(struct space *space)
{
	libsnap_free(&space->budget->allocator, space->ranks, space->chains.count,
		     sizeof(uint32_t));
	space->ranks = NULL;
}

/* ---- groups ---- */

struct rank {
	double average_change, average;
	uint64_t bytes_change, bytes, count_change, count;
	uint64_t other_change, other; /* retained or waste, as the order is */
};

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static double average(const union measure *m)
{
	return m->exact.count ? (double)m->exact.bytes / (double)m->exact.count : 0;
}

static uint64_t other_of(const struct snap_answer *answer, int side, uint32_t group)
{
	if (answer->order == SNAP_ORDER_RETAINED)
		return libsnap_retained_at(answer, side, group);
	return answer->order == SNAP_ORDER_WASTE ? libsnap_waste(answer, side, group) : 0;
}

static struct rank rank_of(const struct snap_answer *answer, uint32_t group)
{
	const union measure *now = &answer->sides[answer->info.compared][group];
	struct rank rank = {
		.bytes = now->exact.bytes, .count = now->exact.count, .average = average(now)};
	rank.other = other_of(answer, answer->info.compared, group);
	if (!answer->info.compared)
		return rank;
	rank.other_change = distance(rank.other, other_of(answer, 0, group));
	const union measure *old = &answer->sides[0][group];
	rank.bytes_change = distance(rank.bytes, old->exact.bytes);
	rank.count_change = distance(rank.count, old->exact.count);
	rank.average_change = rank.average - average(old);
	if (rank.average_change < 0)
		rank.average_change = -rank.average_change;
	return rank;
}

static int compare_bytes(const struct rank *a, const struct rank *b)
{
	int order = compare_numbers(a->bytes_change, b->bytes_change);
	return order ? order : compare_numbers(a->bytes, b->bytes);
}

static int compare_counts(const struct rank *a, const struct rank *b)
{
	int order = compare_numbers(a->count_change, b->count_change);
	return order ? order : compare_numbers(a->count, b->count);
}

static int compare_others(const struct rank *a, const struct rank *b)
{
	int order = compare_numbers(a->other_change, b->other_change);
	return order ? order : compare_numbers(a->other, b->other);
}

static int compare_averages(const struct rank *a, const struct rank *b)
{
	if (a->average_change != b->average_change)
		return a->average_change > b->average_change ? 1 : -1;
	return (a->average > b->average) - (a->average < b->average);
}

static int compare_sums(const void *context, uint32_t a, uint32_t b)
{
	const struct snap_answer *answer = context;
	struct rank left = rank_of(answer, a), right = rank_of(answer, b);
	int order = 0;
	if (answer->order == SNAP_ORDER_AVERAGE)
		order = compare_averages(&left, &right);
	else if (answer->order == SNAP_ORDER_COUNT)
		order = compare_counts(&left, &right);
	else if (answer->order != SNAP_ORDER_BYTES)
		order = compare_others(&left, &right);
	if (!order)
		order = compare_bytes(&left, &right);
	return order ? order : compare_counts(&left, &right);
}

static int compare_groups(const void *context, uint32_t a, uint32_t b)
{
	int order = compare_sums(context, a, b);
	if (order)
		return order;
	const struct snap_answer *answer = context;
	const struct space *space = &answer->space;
	return compare_tuples(space, &forms[answer->info.key], libsnap_group_at(space, a),
			      libsnap_group_at(space, b));
}

/* Groups that are one list each, greatest list first: sorted by their sums then, equal ones stay
 * so. */
static bool order_by_list(struct snap_answer *answer, uint32_t *rows)
{
	const struct space *space = &answer->space;
	const struct snap_allocator *memory = &answer->budget.allocator;
	size_t ranks = space->chains.count, told = 0;
	uint32_t *groups = libsnap_alloc(memory, ranks, sizeof(uint32_t));
	if (!groups)
		return false;
	memset(groups, 0xff, ranks * sizeof(uint32_t));
	for (uint32_t group = 0; group < space->groups.count; group++)
		groups[space->ranks[libsnap_group_at(space, group)->part[0]]] = group;
	for (size_t rank = ranks; rank-- > 0;)
		if (groups[rank] != NOT_FOUND)
			rows[told++] = groups[rank];
	libsnap_free(memory, groups, ranks, sizeof(uint32_t));
	return true;
}

static bool sort_rows(struct snap_answer *answer, uint32_t **rows, size_t count)
{
	const struct snap_allocator *memory = &answer->budget.allocator;
	bool is_list = answer->info.key == SNAP_KEY_PATH || answer->info.key == SNAP_KEY_TRACEBACK;
	if (is_list && answer->space.ranks) {
		bool good = order_by_list(answer, *rows);
		end_ranks(&answer->space);
		return good && sort_ids(memory, rows, count, compare_sums, answer);
	}
	size_t told = 0;
	for (uint32_t group = 0; group < answer->space.groups.count; group++)
		if (libsnap_group_is_told(answer, group))
			(*rows)[told++] = group;
	return sort_ids(memory, rows, count, compare_groups, answer);
}

enum snap_status libsnap_answer_sort(struct snap_answer *answer, struct snap_error *error)
{
	const struct snap_allocator *memory = &answer->budget.allocator;
	const struct tuple_form *items = forms[answer->info.key].items;
	size_t count = 0;
	for (uint32_t group = 0; group < answer->space.groups.count; group++)
		count += libsnap_group_is_told(answer, group);
	enum snap_status status = items ? make_ranks(&answer->space, items, error) : SNAP_OK;
	if (status != SNAP_OK)
		return status;
	uint32_t *rows = libsnap_alloc(memory, count, sizeof(uint32_t));
	if (rows && sort_rows(answer, &rows, count)) {
		answer->rows = rows;
		answer->row_capacity = count;
		answer->info.row_count = count;
	} else {
		libsnap_free(memory, rows, count, sizeof(uint32_t));
		status = libsnap_budget_fail(&answer->budget, error);
	}
	end_ranks(&answer->space);
	return status;
}
