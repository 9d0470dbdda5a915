/* What the index of a snapshot answers at once: what groups retain, and the largest owners (FORMAT.md, 7.5). */
#include <stdlib.h>

#include "query.h"

#define OWNERS_MAX 1048576u

static enum snap_status wrong_index(struct snap_error *error)
{
	return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
			    "groups of the index are not those of the snapshot");
}

typedef enum snap_status take_groups(struct side *, const uint64_t *const *values, size_t count,
				     struct snap_error *error);

static enum snap_status each_group(struct side *side, take_groups *take, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_GROUP_KEY, SNAP_INDEX_GROUP_ID,
					   SNAP_INDEX_GROUP_RETAINED};
	struct snap_scan *scan = NULL;
	enum snap_status status = snap_scan_open(&scan, side->reader, columns, 3, error);
	while (status == SNAP_OK) {
		uint64_t first;
		size_t count;
		const uint64_t *const *values;
		status = snap_scan_next(scan, &first, &count, &values, error);
		if (status == SNAP_OK)
			status = take(side, values, count, error);
	}
	snap_scan_close(scan);
	return status == SNAP_END ? SNAP_OK : status;
}

static enum snap_status look_for_key(struct side *side, const uint64_t *const *values, size_t count,
				     struct snap_error *error)
{
	(void)error;
	for (size_t i = 0; i < count; i++)
		side->has_kept_groups |= values[0][i] == (uint64_t)side->options->key;
	return SNAP_OK;
}

/* What is asked for no object has: they are all one group. */
static bool has_one_group(const struct side *side)
{
	static const struct {
		unsigned dimension;
		uint32_t column;
	} columns[] = {
		{DIMENSION(SNAP_BY_STACK), SNAP_OBJECT_STACK},
		{DIMENSION(SNAP_BY_THREAD), SNAP_OBJECT_THREAD},
		{DIMENSION(SNAP_BY_DOMAIN), SNAP_OBJECT_DOMAIN},
		{DIMENSION(SNAP_BY_GENERATION), SNAP_OBJECT_GENERATION},
		{NEED_REFCOUNT, SNAP_OBJECT_REFCOUNT},
	};
	unsigned dimension = libsnap_key_needs[side->options->key].dimension;
	for (size_t i = 0; i < sizeof(columns) / sizeof(columns[0]); i++)
		if (dimension == columns[i].dimension)
			return !snap_reader_has_column(side->reader, columns[i].column);
	return false;
}

/* ---- what groups retain ---- */

static enum snap_status find_kept_group(struct side *side, uint64_t id, uint32_t *group,
					struct snap_error *error)
{
	struct space *space = &side->answer->space;
	uint32_t groups = space->groups.count;
	if (side->group_of.count) {
		*group = id < side->group_of.count ? libsnap_array_get32(&side->group_of, id) - 1
						   : NOT_FOUND;
		return *group < groups ? SNAP_OK : wrong_index(error);
	}
	const struct tuple key = {{id}};
	enum snap_status status = libsnap_space_intern(space, &space->groups, &key, group, error);
	return status == SNAP_OK && *group >= groups ? wrong_index(error) : status;
}

static enum snap_status take_retained(struct side *side, const uint64_t *const *values,
				      size_t count, struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	for (size_t i = 0; i < count; i++) {
		uint32_t group;
		if (values[0][i] != (uint64_t)side->options->key)
			continue;
		enum snap_status status = find_kept_group(side, values[1][i], &group, error);
		if (status != SNAP_OK)
			return status;
		libsnap_array_set64(&answer->retained[side->number], group, values[2][i]);
	}
	return SNAP_OK;
}

static uint64_t *total_retained(struct side *side)
{
	struct snap_answer_info *info = &side->answer->info;
	return info->compared && side->number == 0 ? &info->old_retained : &info->retained;
}

/* Where nothing is reached nothing may have been counted. */
static enum snap_status add_one_group(struct side *side, struct snap_error *error)
{
	uint32_t group;
	if (side->index.facts[SNAP_FACT_REACHED_BYTES] == 0)
		return SNAP_OK;
	enum snap_status status = find_kept_group(side, 0, &group, error);
	if (status == SNAP_OK)
		libsnap_array_set64(&side->answer->retained[side->number], group,
				    side->index.facts[SNAP_FACT_REACHED_BYTES]);
	return status;
}

enum snap_status libsnap_kept_add(struct side *side, struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	enum snap_status status =
		libsnap_budget_array(&answer->budget, &answer->retained[side->number],
				     answer->space.groups.count, sizeof(uint64_t), error);
	if (status != SNAP_OK)
		return status;
	*total_retained(side) = side->index.facts[SNAP_FACT_REACHED_BYTES];
	return side->is_one_group ? add_one_group(side, error)
				  : each_group(side, take_retained, error);
}

/* ---- the largest owners ---- */

/* Only those that retain most are asked for. */
static bool wants_first(const struct side *side)
{
	return side->options->max_rows > 0 && side->options->order == SNAP_ORDER_RETAINED &&
	       !side->answer->info.compared;
}

/* How many of the owners kept come first, ties with the last one included; 0: it cannot be known. */
static enum snap_status count_owners(struct side *side, const uint64_t *ids, size_t kept,
				     size_t *count, struct snap_error *error)
{
	uint64_t wanted = side->options->max_rows, last = UINT64_MAX;
	bool has_all = kept == side->index.facts[SNAP_FACT_OWNERS];
	size_t i = wanted < kept ? 0 : kept;
	for (; i < kept; i++) {
		uint64_t retained = snap_graph_retained(side->graph, ids[i] - 1);
		if (retained == 0 || retained > last)
			return wrong_index(error);
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

static enum snap_status read_owners(struct side *side, struct snap_error *error)
{
	struct budget *budget = &side->answer->budget;
	struct snap_column *column;
	size_t kept = (size_t)snap_reader_row_count(side->reader, SNAP_INDEX_OWNERS);
	if (kept > OWNERS_MAX)
		return wrong_index(error);
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
			status = wrong_index(error);
	return status;
}

enum snap_status libsnap_kept_owners(struct side *side, struct snap_error *error)
{
	enum snap_status status = libsnap_budget_array(&side->answer->budget, &side->bits,
						       side->object_count / 64 + 1,
						       sizeof(uint64_t), error);
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
		return status == SNAP_OK ? wrong_index(error) : status;
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
	*total_retained(side) = facts[SNAP_FACT_OWNER_RETAINED];
	answer->untold = facts[SNAP_FACT_OWNERS] - side->owner_count;
	answer->all_owners = (struct query_row){.bytes = facts[SNAP_FACT_OWNER_BYTES],
						.count = facts[SNAP_FACT_OWNER_COUNT]};
	return SNAP_OK;
}

enum snap_status libsnap_kept_prepare(struct side *side, struct snap_error *error)
{
	const struct snap_query_options *options = side->options;
	if (options->pattern_count || options->cumulative || side->graph)
		return SNAP_OK;
	if (libsnap_key_can_cumulate(options->key) && libsnap_has_sites(side->reader, options))
		return SNAP_OK; /* it has the groups of innermost frames */
	enum snap_status status = snap_reader_index(side->reader, &side->index, error);
	if (status != SNAP_OK || side->index.state != SNAP_INDEX_GOOD)
		return status;
	bool has_all = snap_reader_row_count(side->reader, SNAP_INDEX_OWNERS) ==
		       side->index.facts[SNAP_FACT_OWNERS];
	if (options->key == SNAP_KEY_DOMINATOR && (has_all || wants_first(side)))
		return read_owners(side, error);
	side->has_kept_groups = side->is_one_group = has_one_group(side);
	return side->is_one_group ? SNAP_OK : each_group(side, look_for_key, error);
}
