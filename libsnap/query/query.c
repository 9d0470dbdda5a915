/* A question and its answer (snap_query.h). */
#include <string.h>

#include "query.h"

#define DEFAULT_MEMORY ((uint64_t)2 << 30)

/* Where not all objects kept are in a row, the total is that of the rows. */
static void total_of_rows(struct snap_answer *answer, int side, union measure *total)
{
	enum snap_key key = answer->info.key;
	if (key != SNAP_KEY_DOMINATOR && key != SNAP_KEY_DUPLICATE && key != SNAP_KEY_FILL)
		return;
	*total = (union measure){.exact = {answer->all_owners.bytes, answer->all_owners.count}};
	if (answer->untold > 0)
		return;
	*total = (union measure){.exact = {0, 0}};
	for (uint32_t group = 0; group < answer->space.groups.count; group++) {
		if (!libsnap_group_is_told(answer, group))
			continue;
		union measure sum = libsnap_sum_at(answer, side, group);
		total->exact.bytes += sum.exact.bytes;
		total->exact.count += sum.exact.count;
	}
}

static enum snap_status finish_sums(struct snap_answer *answer, struct side *sides, int side_count,
				    struct snap_error *error)
{
	uint32_t groups = answer->space.groups.count;
	for (int i = 0; i < side_count; i++) {
		const struct weigher *weigher = &sides[i].weigher;
		if (!libsnap_array_reach(&answer->sides[i], groups))
			return libsnap_budget_fail(&answer->budget, error);
		bool fits = libsnap_measure_finish(weigher, &sides[i].total);
		for (uint32_t group = 0; weigher->sampled && group < groups; group++)
			fits &= libsnap_measure_finish(
				weigher, libsnap_array_edit(&answer->sides[i], group));
		if (!fits)
			return libsnap_too_much(error);
	}
	for (int i = 0; i < side_count; i++)
		total_of_rows(answer, i, &sides[i].total);
	answer->info.bytes = sides[side_count - 1].total.exact.bytes;
	answer->info.count = sides[side_count - 1].total.exact.count;
	if (answer->info.has_errors) {
		answer->info.bytes_error = libsnap_error_of(sides[side_count - 1].variance.bytes);
		answer->info.count_error = libsnap_error_of(sides[side_count - 1].variance.count);
	}
	if (side_count == 2) {
		answer->info.old_bytes = sides[0].total.exact.bytes;
		answer->info.old_count = sides[0].total.exact.count;
	}
	if (side_count == 2 && answer->info.has_errors) {
		answer->info.old_bytes_error = libsnap_error_of(sides[0].variance.bytes);
		answer->info.old_count_error = libsnap_error_of(sides[0].variance.count);
	}
	return SNAP_OK;
}

/* Without names on one side alone every key would be new or gone. */
static enum snap_status check_names(struct snap_answer *answer, struct snap_error *error)
{
	static const struct tuple none;
	bool named[2] = {false, false}, any[2] = {false, false};
	if (!libsnap_key_needs[answer->info.key].words)
		return SNAP_OK;
	for (uint32_t group = 0; group < answer->space.groups.count; group++) {
		struct tuple key = libsnap_tuple_at(&answer->space.groups, group);
		bool is_named = memcmp(&key, &none, sizeof(none)) != 0;
		for (int side = 0; side < 2; side++) {
			bool is_there = libsnap_sum_at(answer, side, group).exact.count > 0;
			any[side] |= is_there;
			named[side] |= is_there && is_named;
		}
	}
	for (int side = 0; side < 2; side++)
		if (any[side] && !named[side] && named[!side])
			return libsnap_fail(
				error, SNAP_MISUSE, SNAP_NO_OFFSET,
				"the %s snapshot has no names to compare by %s, and the other one has",
				side ? "new" : "old", snap_key_name(answer->info.key));
	return SNAP_OK;
}

static enum snap_status check_options(const struct snap_query_options *options,
				      struct snap_error *error)
{
	if ((unsigned)options->key >= SNAP_KEY_COUNT || (unsigned)options->order > SNAP_ORDER_WASTE)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "no such key or order");
	if (options->order == SNAP_ORDER_RETAINED && !options->retained)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "retained bytes were not asked for");
	if (options->order == SNAP_ORDER_WASTE && options->key != SNAP_KEY_DUPLICATE &&
	    options->key != SNAP_KEY_FILL)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "nothing is known of waste by %s", snap_key_name(options->key));
	if (options->cumulative && options->retained)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "cumulative mode cannot be used with retained bytes");
	if (options->cumulative && options->errors)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "cumulative mode cannot be used with errors");
	if (options->cumulative && !libsnap_key_can_cumulate(options->key))
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "cumulative mode cannot be used with key %s",
				    snap_key_name(options->key));
	return SNAP_OK;
}

/* Exact sums and estimates do not mix, nor do two ways to estimate. */
static enum snap_status choose_weights(struct snap_answer *answer, struct side *sides,
				       int side_count, const struct snap_query_options *options,
				       struct snap_error *error)
{
	answer->info.by_average = false;
	for (int i = 0; i < side_count; i++) {
		struct snap_reader_info info;
		snap_reader_info(sides[i].reader, &info);
		bool sampled = info.flags & SNAP_SNAPSHOT_SAMPLED;
		if (i > 0 && sampled != answer->info.estimated)
			return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
					    "the %s snapshot is sampled and the other one is exact",
					    sampled ? "new" : "old");
		sides[i].weigher = (struct weigher){sampled, (double)info.sampling_interval_bytes};
		answer->info.estimated = sampled;
		answer->info.sampling_interval_bytes = info.sampling_interval_bytes;
		if (sampled && (options->by_average || (info.flags & SNAP_SNAPSHOT_TOTALS_ONLY)))
			answer->info.by_average = true;
	}
	return SNAP_OK;
}

static enum snap_status begin_sums(struct snap_answer *answer, struct snap_error *error)
{
	struct libsnap_arrays *arrays = &answer->budget.arrays;
	enum snap_status status = libsnap_space_begin(&answer->space, &answer->budget, error);
	libsnap_array_begin(&answer->rows, arrays, sizeof(uint32_t));
	for (int i = 0; i < 2; i++) {
		libsnap_array_begin(&answer->sides[i], arrays, sizeof(union measure));
		libsnap_array_begin(&answer->fills[i], arrays, sizeof(struct snap_fill));
		libsnap_array_begin(&answer->variances[i], arrays, sizeof(struct variance));
	}
	return status;
}

static enum snap_status fill_answer(struct snap_answer *answer, struct side *sides, int side_count,
				    const struct snap_query_options *options,
				    struct snap_error *error)
{
	struct libsnap_arrays *arrays = &answer->budget.arrays;
	enum snap_status status = begin_sums(answer, error);
	if (status == SNAP_OK)
		status = choose_weights(answer, sides, side_count, options, error);
	for (int i = 0; status == SNAP_OK && i < side_count; i++) {
		status = libsnap_side_add(&sides[i], error);
		libsnap_side_end(&sides[i]);
	}
	if (status == SNAP_OK)
		status = finish_sums(answer, sides, side_count, error);
	if (status == SNAP_OK && side_count == 2)
		status = check_names(answer, error);
	if (status == SNAP_OK)
		status = libsnap_answer_sort(answer, error);
	answer->info.row_count += answer->untold;
	/* What could not be read may have looked like anything. */
	if (arrays->failed != SNAP_OK || (status == SNAP_NO_MEMORY && answer->budget.exceeded))
		status = libsnap_budget_fail(&answer->budget, error);
	return status;
}

static struct snap_answer *new_answer(const struct snap_query_options *options, int side_count)
{
	struct snap_answer *answer = libsnap_alloc_zeroed(options->allocator, 1, sizeof(*answer));
	if (!answer)
		return NULL;
	libsnap_budget_begin(&answer->budget, options,
			     options->max_memory_bytes ? options->max_memory_bytes
						       : DEFAULT_MEMORY);
	libsnap_tape_init(&answer->told, &answer->budget.allocator);
	answer->info.key = options->key;
	answer->info.cumulative = options->cumulative;
	answer->info.has_retained = options->retained;
	answer->info.compared = side_count == 2;
	answer->info.has_errors = options->errors;
	answer->order = options->order;
	answer->max_rows = options->max_rows;
	answer->changed_only = options->changed_only && side_count == 2;
	return answer;
}

enum snap_status libsnap_query_side(struct snap_reader *reader, struct snap_graph *graph,
				    const struct snap_query_options *options,
				    struct classing *classing, libsnap_harvest *harvest,
				    void *context, struct snap_error *error)
{
	struct snap_graph_info info;
	struct snap_answer *answer = new_answer(options, 1);
	if (!answer)
		return libsnap_fail_memory(error);
	snap_graph_info(graph, &info);
	struct side side = {.answer = answer,
			    .options = options,
			    .reader = reader,
			    .graph = graph,
			    .classing = classing,
			    .object_count = info.objects};
	enum snap_status status = begin_sums(answer, error);
	if (status == SNAP_OK) {
		status = libsnap_side_add(&side, error);
		if (status == SNAP_OK)
			status = harvest(context, &side, error);
		side.graph = NULL;
		libsnap_side_end(&side);
	}
	if (answer->budget.arrays.failed != SNAP_OK ||
	    (status == SNAP_NO_MEMORY && answer->budget.exceeded))
		status = libsnap_budget_fail(&answer->budget, error);
	snap_answer_free(answer);
	return status;
}

static enum snap_status ask(struct snap_answer **out, struct snap_reader *const *readers,
			    int side_count, const struct snap_query_options *given,
			    struct snap_error *error)
{
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	enum snap_status status = libsnap_copy_options(&options, sizeof(options), given, error);
	options.retained |= options.key == SNAP_KEY_DOMINATOR;
	if (status == SNAP_OK)
		status = check_options(&options, error);
	if (status != SNAP_OK)
		return status;
	struct snap_answer *answer = new_answer(&options, side_count);
	if (!answer)
		return libsnap_fail_memory(error);
	struct side sides[2];
	for (int i = 0; i < side_count; i++)
		sides[i] = (struct side){
			.answer = answer, .options = &options, .reader = readers[i], .number = i};
	status = fill_answer(answer, sides, side_count, &options, error);
	if (status != SNAP_OK) {
		snap_answer_free(answer);
		return status;
	}
	*out = answer;
	return SNAP_OK;
}

enum snap_status snap_query(struct snap_answer **out, struct snap_reader *reader,
			    const struct snap_query_options *options, struct snap_error *error)
{
	return ask(out, &reader, 1, options, error);
}

enum snap_status snap_query_compare(struct snap_answer **out, struct snap_reader *old_reader,
				    struct snap_reader *new_reader,
				    const struct snap_query_options *options,
				    struct snap_error *error)
{
	struct snap_reader *readers[2] = {old_reader, new_reader};
	return ask(out, readers, 2, options, error);
}
