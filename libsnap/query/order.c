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

uint64_t *libsnap_order_put(uint64_t *to, enum snap_order order, const struct sums *sums)
{
	if (order == SNAP_ORDER_COUNT)
		to = put_pair(to, sums, sums->old.exact.count, sums->now.exact.count);
	else if (order == SNAP_ORDER_AVERAGE)
		to = put_averages(to, sums);
	else if (order != SNAP_ORDER_BYTES)
		to = put_pair(to, sums, sums->old_other, sums->other);
	to = put_pair(to, sums, sums->old.exact.bytes, sums->now.exact.bytes);
	if (order != SNAP_ORDER_COUNT)
		to = put_pair(to, sums, sums->old.exact.count, sums->now.exact.count);
	return to;
}

static uint64_t *put_sums(uint64_t *to, struct snap_answer *answer, uint32_t group)
{
	int now = answer->info.compared;
	struct sums sums = {.now = libsnap_sum_at(answer, now, group),
			    .other = other_of(answer, now, group),
			    .compared = now};
	if (now) {
		sums.old = libsnap_sum_at(answer, 0, group);
		sums.old_other = other_of(answer, 0, group);
	}
	return libsnap_order_put(to, answer->order, &sums);
}

/* ---- the first ones ---- */

enum snap_status libsnap_chosen_begin(struct chosen *chosen, struct budget *budget,
				      uint64_t max_rows, struct snap_error *error)
{
	*chosen = (struct chosen){.memory = &budget->allocator};
	if (max_rows == 0 || max_rows >= MOST_CHOSEN)
		return SNAP_OK;
	chosen->wanted = (size_t)max_rows;
	chosen->heap = libsnap_alloc(chosen->memory, chosen->wanted, sizeof(*chosen->heap));
	return chosen->heap ? SNAP_OK : libsnap_budget_fail(budget, error);
}

void libsnap_chosen_end(struct chosen *chosen)
{
	if (chosen->heap)
		libsnap_free(chosen->memory, chosen->heap, chosen->wanted, sizeof(*chosen->heap));
	chosen->heap = NULL;
}

static bool is_less(struct head a, struct head b)
{
	return a.first != b.first ? a.first < b.first : a.second < b.second;
}

void libsnap_chosen_offer(struct chosen *chosen, const uint64_t *numbers)
{
	struct head *heap = chosen->heap;
	const struct head head = {numbers[0], numbers[1]};
	size_t at = 0, child;
	if (chosen->count < chosen->wanted) {
		for (at = chosen->count++; at > 0 && is_less(head, heap[(at - 1) / 2]);
		     at = (at - 1) / 2)
			heap[at] = heap[(at - 1) / 2];
	} else if (heap && is_less(heap[0], head)) {
		for (; (child = 2 * at + 1) < chosen->count; at = child) {
			child += child + 1 < chosen->count && is_less(heap[child + 1], heap[child]);
			if (!is_less(heap[child], head))
				break;
			heap[at] = heap[child];
		}
	} else {
		return;
	}
	heap[at] = head;
}

bool libsnap_chosen_has(const struct chosen *chosen, const uint64_t *numbers)
{
	const struct head head = {numbers[0], numbers[1]};
	return !chosen->heap || chosen->count < chosen->wanted || !is_less(head, chosen->heap[0]);
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

static bool is_changed(struct snap_answer *answer, uint32_t group)
{
	union measure old = libsnap_sum_at(answer, 0, group),
		      now = libsnap_sum_at(answer, 1, group);
	return old.exact.bytes != now.exact.bytes || old.exact.count != now.exact.count ||
	       libsnap_retained_at(answer, 0, group) != libsnap_retained_at(answer, 1, group);
}

static bool is_asked_for(struct snap_answer *answer, uint32_t group)
{
	return libsnap_group_is_told(answer, group) &&
	       (!answer->changed_only || is_changed(answer, group));
}

static void choose_groups(struct chosen *chosen, struct snap_answer *answer)
{
	for (uint32_t group = 0; chosen->heap && group < answer->space.groups.count; group++) {
		uint64_t numbers[SORT_NUMBERS];
		if (!is_asked_for(answer, group))
			continue;
		put_sums(numbers, answer, group);
		libsnap_chosen_offer(chosen, numbers);
	}
}

static enum snap_status sort_groups(struct number_sort *sort, struct snap_answer *answer,
				    struct ranks *ranks, struct snap_error *error)
{
	uint64_t told = 0, count = 0;
	struct chosen chosen;
	enum snap_status status =
		libsnap_chosen_begin(&chosen, &answer->budget, answer->max_rows, error);
	if (status == SNAP_OK)
		choose_groups(&chosen, answer);
	for (uint32_t group = 0; status == SNAP_OK && group < answer->space.groups.count; group++) {
		uint64_t numbers[SORT_NUMBERS];
		if (!libsnap_group_is_told(answer, group))
			continue;
		told++;
		bool changed = answer->info.compared && is_changed(answer, group);
		answer->info.changed_count += changed;
		if (answer->changed_only && !changed)
			continue;
		put_sums(numbers, answer, group);
		if (!libsnap_chosen_has(&chosen, numbers))
			continue;
		status = add_group(sort, answer, ranks, group, error);
		count++;
	}
	libsnap_chosen_end(&chosen);
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
