/* Which row comes first: a total order, tracemalloc's for its keys. */
#include <string.h>

#include "order.h"

#define MOST_CHOSEN 65536

static const struct tuple_form place_form = {1u << 0 | 1u << 2 | 1u << 3, 0, NULL};
static const struct tuple_form slot_form = {1u << 2, 0, NULL};
static const struct tuple_form step_form = {1u << 0 | 1u << 4, 0, NULL};

static const struct tuple_form forms[SNAP_KEY_COUNT] = {
	[SNAP_KEY_TYPE] = {1u << 0, 0, NULL},
	[SNAP_KEY_SHAPE] = {1u << 0, 1u << 2, &slot_form},
	[SNAP_KEY_LINENO] = {1u << 0 | 1u << 2 | 1u << 3, 0, NULL},
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

static uint64_t distance(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

static double average(union measure m)
{
	return m.exact.count ? (double)m.exact.bytes / (double)m.exact.count : 0;
}

static uint64_t other_of(struct snap_answer *answer, int side, uint32_t group)
{
	return answer->order == SNAP_ORDER_RETAINED ? libsnap_retained_at(answer, side, group)
						    : libsnap_waste(answer, side, group);
}

/* Doubles that are not negative are in the order of their bits. */
static uint64_t bits_of(double value)
{
	uint64_t bits;
	memcpy(&bits, &value, sizeof(bits));
	return bits;
}

struct sums {
	union measure old, now;
	bool compared;
};

/* By size of the change, then by the new value. */
static uint64_t *put_pair(uint64_t *to, const struct sums *sums, uint64_t old, uint64_t now)
{
	if (sums->compared)
		*to++ = distance(now, old);
	*to++ = now;
	return to;
}

static uint64_t *put_averages(uint64_t *to, const struct sums *sums)
{
	double now = average(sums->now), change = now - average(sums->old);
	if (sums->compared)
		*to++ = bits_of(change < 0 ? -change : change);
	*to++ = bits_of(now);
	return to;
}

static uint64_t *put_sums(uint64_t *to, struct snap_answer *answer, uint32_t group)
{
	int now = answer->info.compared;
	struct sums sums = {.now = libsnap_sum_at(answer, now, group), .compared = now};
	if (sums.compared)
		sums.old = libsnap_sum_at(answer, 0, group);
	if (answer->order == SNAP_ORDER_COUNT)
		to = put_pair(to, &sums, sums.old.exact.count, sums.now.exact.count);
	else if (answer->order == SNAP_ORDER_AVERAGE)
		to = put_averages(to, &sums);
	else if (answer->order != SNAP_ORDER_BYTES)
		to = put_pair(to, &sums, sums.compared ? other_of(answer, 0, group) : 0,
			      other_of(answer, now, group));
	to = put_pair(to, &sums, sums.old.exact.bytes, sums.now.exact.bytes);
	if (answer->order != SNAP_ORDER_COUNT)
		to = put_pair(to, &sums, sums.old.exact.count, sums.now.exact.count);
	return to;
}

/* ---- sorting ---- */

static enum snap_status add_group(struct number_sort *sort, struct snap_answer *answer,
				  struct ranks *ranks, uint32_t group, struct snap_error *error)
{
	uint64_t numbers[SORT_NUMBERS], *end = put_sums(numbers, answer, group);
	struct tuple key = libsnap_tuple_at(&answer->space.groups, group);
	for (unsigned i = 0; i < 5; i++)
		*end++ = libsnap_rank(ranks, &forms[answer->info.key], i, key.part[i]);
	return libsnap_number_sort_add(sort, numbers, (size_t)(end - numbers), group, error);
}

/* The least first numbers come first, so that the one to go is found at once. */
struct chosen {
	uint64_t *heap;
	size_t count, wanted;
};

static void choose(struct chosen *chosen, uint64_t number)
{
	uint64_t *heap = chosen->heap;
	size_t at = 0, child;
	if (chosen->count < chosen->wanted) {
		for (at = chosen->count++; at > 0 && heap[(at - 1) / 2] > number; at = (at - 1) / 2)
			heap[at] = heap[(at - 1) / 2];
	} else if (number > heap[0]) {
		for (; (child = 2 * at + 1) < chosen->count; at = child) {
			child += child + 1 < chosen->count && heap[child + 1] < heap[child];
			if (number <= heap[child])
				break;
			heap[at] = heap[child];
		}
	} else {
		return;
	}
	heap[at] = number;
}

/* Where only the first rows will be asked for: what the first number of such a row is at least. */
static enum snap_status find_least(struct snap_answer *answer, uint64_t *least,
				   struct snap_error *error)
{
	const struct snap_allocator *memory = &answer->budget.allocator;
	uint32_t groups = answer->space.groups.count;
	size_t wanted = (size_t)(answer->max_rows < MOST_CHOSEN ? answer->max_rows : 0);
	struct chosen chosen = {.wanted = wanted};
	*least = 0;
	if (wanted == 0 || wanted >= groups)
		return SNAP_OK;
	chosen.heap = libsnap_alloc(memory, wanted, sizeof(uint64_t));
	if (!chosen.heap)
		return libsnap_budget_fail(&answer->budget, error);
	for (uint32_t group = 0; group < groups; group++) {
		uint64_t numbers[SORT_NUMBERS];
		if (!libsnap_group_is_told(answer, group))
			continue;
		put_sums(numbers, answer, group);
		choose(&chosen, numbers[0]);
	}
	if (chosen.count == wanted)
		*least = chosen.heap[0];
	libsnap_free(memory, chosen.heap, wanted, sizeof(uint64_t));
	return SNAP_OK;
}

static enum snap_status sort_groups(struct number_sort *sort, struct snap_answer *answer,
				    struct ranks *ranks, struct snap_error *error)
{
	uint64_t told = 0, count = 0, least;
	enum snap_status status = find_least(answer, &least, error);
	for (uint32_t group = 0; status == SNAP_OK && group < answer->space.groups.count; group++) {
		uint64_t numbers[SORT_NUMBERS];
		if (!libsnap_group_is_told(answer, group))
			continue;
		told++;
		put_sums(numbers, answer, group);
		if (numbers[0] < least)
			continue;
		status = add_group(sort, answer, ranks, group, error);
		count++;
	}
	if (status == SNAP_OK && !libsnap_array_reach(&answer->rows, count))
		status = libsnap_budget_fail(&answer->budget, error);
	if (status == SNAP_OK)
		status = libsnap_number_sort_finish(sort, error);
	uint32_t group;
	for (uint64_t row = 0; status == SNAP_OK; row++) {
		status = libsnap_number_sort_next(sort, &group, error);
		if (status == SNAP_OK)
			libsnap_array_set32(&answer->rows, row, group);
	}
	answer->info.row_count = told;
	return status == SNAP_END ? SNAP_OK : status;
}

enum snap_status libsnap_answer_sort(struct snap_answer *answer, struct snap_error *error)
{
	struct ranks ranks;
	struct number_sort sort;
	libsnap_number_sort_begin(&sort, &answer->budget);
	enum snap_status status =
		libsnap_ranks_begin(&ranks, &answer->space, &forms[answer->info.key], error);
	if (status == SNAP_OK)
		status = sort_groups(&sort, answer, &ranks, error);
	libsnap_number_sort_end(&sort);
	libsnap_ranks_end(&ranks);
	return status;
}
