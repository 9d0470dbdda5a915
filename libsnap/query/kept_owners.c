/* The largest owners, which the index of a snapshot has (FORMAT.md, section 7.5). */
#include <stdlib.h>

#include "query.h"

#define OWNERS_MAX 1048576u

/* Only those that retain most are asked for. */
static bool wants_first(const struct side *side)
{
	return side->options->max_rows > 0 && side->options->order == SNAP_ORDER_RETAINED &&
	       !side->answer->info.compared;
}

/* How many of the owners kept come first, ties with
 * the last one included; 0: it cannot be known. */
static enum snap_status count_owners(struct side *side, const uint64_t *ids, size_t kept,
				     size_t *count, struct snap_error *error)
{
	uint64_t wanted = side->options->max_rows, last = UINT64_MAX;
	bool has_all = kept == side->index.facts[SNAP_FACT_OWNERS];
	size_t i = wanted < kept ? 0 : kept;
	for (; i < kept; i++) {
		uint64_t retained = snap_graph_retained(side->graph, ids[i] - 1);
		if (retained == 0 || retained > last)
			return libsnap_wrong_index(error);
		if (i >= wanted && retained < last)
			break;
		last = retained;
	}
	*count = i < kept || has_all ? i : 0;
	return snap_graph_check(side->graph, error);
}

static int compare_ids(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;
	return a < b ? -1 : a > b;
}

static enum snap_status each_owner(struct side *side, libsnap_take_row *take, void *context,
				   struct snap_error *error)
{
	struct snap_column *names;
	enum snap_status status = snap_column_open(&names, side->reader, SNAP_OBJECT_NAME, error);
	if (status != SNAP_OK)
		return status;
	for (size_t i = 0; status == SNAP_OK && i < side->owner_count; i++) {
		struct snap_graph_object object;
		struct query_row row = {.row = side->owners[i] - 1};
		status = snap_graph_object(side->graph, row.row, &object, error);
		if (status == SNAP_OK)
			status = snap_column_read(names, row.row, 1, &row.name, error);
		if (status != SNAP_OK)
			break;
		row.type = object.type;
		row.shape = object.shape;
		row.address = object.address;
		row.bytes = object.bytes;
		row.count = object.count;
		status = take(context, &row, error);
	}
	snap_column_close(names);
	return status;
}

static enum snap_status mark_name(void *context, const struct query_row *row,
				  struct snap_error *error)
{
	(void)error;
	struct side *side = context;
	libsnap_resolver_mark(&side->resolver, row->name);
	libsnap_side_set_bit(side, row->row);
	return SNAP_OK;
}

/* Those that are asked for, if the index has them. */
enum snap_status libsnap_kept_read_owners(struct side *side, struct snap_error *error)
{
	struct budget *budget = &side->answer->budget;
	struct snap_column *column;
	size_t kept = (size_t)snap_reader_row_count(side->reader, SNAP_INDEX_OWNERS);
	if (kept != side->index.facts[SNAP_FACT_OWNERS] && !wants_first(side))
		return SNAP_OK;
	if (kept > OWNERS_MAX)
		return libsnap_wrong_index(error);
	side->owner_capacity = kept;
	side->owners = libsnap_alloc(&budget->allocator, kept, sizeof(uint64_t));
	if (!side->owners)
		return libsnap_budget_fail(budget, error);
	enum snap_status status = snap_column_open(&column, side->reader, SNAP_INDEX_OWNER, error);
	if (status != SNAP_OK)
		return status;
	status = snap_column_read(column, 0, kept, side->owners, error);
	snap_column_close(column);
	if (status == SNAP_OK)
		status = libsnap_side_graph(side, true, error);
	if (status == SNAP_OK)
		status = snap_graph_dominate(side->graph, error);
	side->owner_count = kept;
	if (status == SNAP_OK && wants_first(side))
		status = count_owners(side, side->owners, kept, &side->owner_count, error);
	if (status == SNAP_OK)
		qsort(side->owners, side->owner_count, sizeof(uint64_t), compare_ids);
	for (size_t i = 1; status == SNAP_OK && i < side->owner_count; i++)
		if (side->owners[i] == side->owners[i - 1])
			status = libsnap_wrong_index(error);
	return status;
}

enum snap_status libsnap_kept_owners(struct side *side, struct snap_error *error)
{
	enum snap_status status =
		libsnap_budget_array(&side->answer->budget, &side->bits,
				     side->object_count / 64 + 1, sizeof(uint64_t), error);
	if (status == SNAP_OK)
		status = libsnap_resolver_begin(&side->resolver, &side->names, error);
	if (status != SNAP_OK)
		return status;
	side->has_resolver = true;
	status = each_owner(side, mark_name, side, error);
	return status == SNAP_OK ? libsnap_resolver_load(&side->resolver, error) : status;
}

struct taking {
	struct side *side;
	libsnap_take_row *take;
};

static enum snap_status take_owner(void *context, const struct query_row *row,
				   struct snap_error *error)
{
	const struct taking *taking = context;
	struct side *side = taking->side;
	struct snap_answer *answer = side->answer;
	struct libsnap_array *sums = &answer->retained[side->number];
	enum snap_status status = taking->take(side, row, error);
	if (status != SNAP_OK)
		return status;
	uint64_t retained = snap_graph_retained(side->graph, row->row);
	if (retained == 0) {
		status = snap_graph_check(side->graph, error);
		return status == SNAP_OK ? libsnap_wrong_index(error) : status;
	}
	if (!libsnap_array_reach(sums, answer->space.groups.count))
		return libsnap_budget_fail(&answer->budget, error);
	uint64_t *sum = libsnap_array_edit(sums, side->group);
	bool fits = !libsnap_add_overflows(*sum, retained, sum) && *sum <= SUM_MAX;
	return fits ? SNAP_OK : libsnap_too_much(error);
}

/* The rows themselves; those that are not told count too. */
enum snap_status libsnap_kept_add_owners(struct side *side, libsnap_take_row *take,
					 struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	const uint64_t *facts = side->index.facts;
	struct taking taking = {side, take};
	enum snap_status status =
		libsnap_budget_array(&answer->budget, &answer->retained[side->number],
				     answer->space.groups.count, sizeof(uint64_t), error);
	if (status == SNAP_OK)
		status = each_owner(side, take_owner, &taking, error);
	if (status != SNAP_OK)
		return status;
	*(answer->info.compared && side->number == 0 ? &answer->info.old_retained
						     : &answer->info.retained) =
		facts[SNAP_FACT_OWNER_RETAINED];
	answer->untold = facts[SNAP_FACT_OWNERS] - side->owner_count;
	answer->all_owners = (struct query_row){.bytes = facts[SNAP_FACT_OWNER_BYTES],
						.count = facts[SNAP_FACT_OWNER_COUNT]};
	return SNAP_OK;
}
