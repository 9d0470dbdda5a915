/* The key field: references by the type of their owner and their label, and what they lead to. */
#include <string.h>

#include "query.h"

/* The groups of each object's references: those of row r are items[start[r]] up to items[start[r +
 * 1] - 1]. */
struct fields {
	struct side *side;
	struct labels labels;
	uint32_t *start, *items;
	size_t objects, item_count;
	uint64_t *counts;   /* of references, by number of the label */
	uint32_t *group_of; /* likewise */
	size_t label_capacity, label_count;
	uint64_t *stamps; /* by group: the last row that counted, + 1 */
	size_t stamp_count;
	enum snap_status status;
	struct snap_error *error;
};

const uint32_t *libsnap_fields_members(const struct side *side, uint64_t row, size_t *count)
{
	const struct fields *fields = side->fields;
	*count = fields->start[row + 1] - fields->start[row];
	return &fields->items[fields->start[row]];
}

static bool is_asked(const struct fields *fields, const struct snap_graph_reference *reference)
{
	return reference->kind < SNAP_REF_FIRST_WEAK && reference->target < fields->objects &&
	       reference->owner < fields->objects &&
	       (!fields->side->bits || libsnap_side_bit(fields->side, reference->owner));
}

static bool find_label(struct fields *fields, const struct snap_graph_reference *reference,
		       uint32_t *number)
{
	uint64_t type = snap_graph_type(fields->side->graph, reference->owner);
	fields->status =
		libsnap_labels_find(&fields->labels, type, reference, number, fields->error);
	return fields->status == SNAP_OK;
}

static bool count_reference(void *context, const struct snap_graph_reference *reference)
{
	struct fields *fields = context;
	uint32_t number;
	if (!is_asked(fields, reference))
		return true;
	if (!find_label(fields, reference, &number))
		return false;
	size_t old = fields->label_capacity;
	if (number >= old) {
		struct budget *budget = &fields->side->answer->budget;
		uint64_t *larger =
			libsnap_grow(&budget->allocator, fields->counts, &fields->label_capacity,
				     (size_t)number + 1, sizeof(*larger));
		if (!larger) {
			fields->status = libsnap_budget_fail(budget, fields->error);
			return false;
		}
		memset(larger + old, 0, (fields->label_capacity - old) * sizeof(*larger));
		fields->counts = larger;
	}
	fields->counts[number]++;
	fields->start[reference->target]++;
	fields->item_count++;
	return true;
}

static bool place_reference(void *context, const struct snap_graph_reference *reference)
{
	struct fields *fields = context;
	uint32_t number;
	if (!is_asked(fields, reference))
		return true;
	if (!find_label(fields, reference, &number))
		return false;
	uint32_t *at = &fields->start[reference->target];
	if (number >= fields->label_count || *at == 0) {
		fields->status = libsnap_fail(fields->error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					      "references are not twice the same");
		return false;
	}
	bool owned =
		fields->side->group_of_row &&
		snap_graph_dominator(fields->side->graph, reference->target) == reference->owner;
	fields->items[--*at] = fields->group_of[number] | (owned ? MEMBER_OWNED : 0);
	return true;
}

static enum snap_status walk(struct fields *fields, snap_graph_visit *visit,
			     struct snap_error *error)
{
	fields->error = error;
	fields->status = SNAP_OK;
	enum snap_status status = snap_graph_references(fields->side->graph, visit, fields, error);
	return status == SNAP_OK ? fields->status : status;
}

/* ---- owners that patterns keep ---- */

static enum snap_status mark_owner(void *context, const struct query_row *row,
				   struct snap_error *error)
{
	(void)error;
	struct side *side = context;
	if (row->row < side->object_count && libsnap_side_keeps(side, row))
		side->bits[row->row / 64] |= (uint64_t)1 << row->row % 64;
	return SNAP_OK;
}

static enum snap_status mark_owners(struct side *side, struct snap_error *error)
{
	if (side->options->pattern_count == 0)
		return SNAP_OK;
	side->bit_words = side->object_count / 64 + 1;
	side->bits = libsnap_alloc_zeroed(&side->answer->budget.allocator, side->bit_words,
					  sizeof(uint64_t));
	if (!side->bits)
		return libsnap_budget_fail(&side->answer->budget, error);
	return libsnap_side_rows(side, NEED_ROWS, mark_owner, error);
}

/* ---- groups ---- */

static enum snap_status group_labels(struct fields *fields, struct snap_error *error)
{
	struct side *side = fields->side;
	struct space *space = &side->answer->space;
	enum snap_status status = libsnap_labels_load(&fields->labels, error);
	if (status != SNAP_OK)
		return status;
	size_t count = fields->label_count = fields->labels.raw.count;
	fields->group_of = libsnap_alloc(&space->budget->allocator, count, sizeof(uint32_t));
	if (!fields->group_of)
		return libsnap_budget_fail(space->budget, error);
	for (uint32_t i = 0; i < count; i++) {
		const struct tuple *raw =
			&((const struct tuple *)(const void *)fields->labels.raw.items)[i];
		struct tuple key = libsnap_labels_step(&fields->labels, i, raw->part[0]);
		union measure *sum;
		uint32_t *group = &fields->group_of[i];
		status = libsnap_space_intern(space, &space->groups, &key, group, error);
		if (status == SNAP_OK && *group >= MEMBER_OWNED)
			status = libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
					      "more than 2 billion labels");
		if (status == SNAP_OK)
			status = libsnap_side_measure(side, *group, &sum, error);
		if (status != SNAP_OK)
			return status;
		sum->exact.count += fields->counts[i];
		side->total.exact.count += fields->counts[i];
	}
	return SNAP_OK;
}

/* The targets' bytes, once for each group. */
static enum snap_status take_target(void *context, const struct query_row *row,
				    struct snap_error *error)
{
	struct side *side = context;
	struct fields *fields = side->fields;
	if (row->row >= fields->objects)
		return SNAP_OK;
	size_t count;
	const uint32_t *members = libsnap_fields_members(side, row->row, &count);
	bool fits = true;
	for (size_t i = 0; i < count; i++) {
		uint32_t group = members[i] & ~MEMBER_OWNED;
		if (fields->stamps[group] == row->row + 1)
			continue;
		fields->stamps[group] = row->row + 1;
		fits &= libsnap_measure_add(
			&side->weigher, &side->answer->sides[side->number][group], row->bytes, 0);
	}
	if (count > 0)
		fits &= libsnap_measure_add(&side->weigher, &side->total, row->bytes, 0);
	return fits ? SNAP_OK : libsnap_too_much(error);
}

static enum snap_status take_arrays(struct fields *fields, struct snap_error *error)
{
	struct budget *budget = &fields->side->answer->budget;
	enum snap_status status = libsnap_budget_reserve(budget, "labels of references",
							 fields->objects + 1, 4, error);
	if (status != SNAP_OK)
		return status;
	fields->start =
		libsnap_alloc_zeroed(&budget->allocator, fields->objects + 1, sizeof(uint32_t));
	return fields->start ? SNAP_OK : libsnap_budget_fail(budget, error);
}

static enum snap_status place_references(struct fields *fields, struct snap_error *error)
{
	struct budget *budget = &fields->side->answer->budget;
	size_t count = fields->item_count;
	enum snap_status status =
		libsnap_budget_reserve(budget, "labels of references", count, 4, error);
	if (status != SNAP_OK)
		return status;
	if (count >= UINT32_MAX)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "more than 4 billion references");
	fields->stamp_count = fields->side->answer->space.groups.count;
	fields->items = libsnap_alloc(&budget->allocator, count, sizeof(uint32_t));
	fields->stamps =
		libsnap_alloc_zeroed(&budget->allocator, fields->stamp_count, sizeof(uint64_t));
	if (!fields->items || !fields->stamps)
		return libsnap_budget_fail(budget, error);
	uint32_t sum = 0;
	for (size_t row = 0; row <= fields->objects; row++)
		fields->start[row] = sum += fields->start[row];
	return walk(fields, place_reference, error);
}

enum snap_status libsnap_fields_add(struct side *side, struct snap_error *error)
{
	const struct snap_allocator *memory = &side->answer->budget.allocator;
	enum snap_status status = SNAP_OK;
	if (side->weigher.sampled)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "references of samples say nothing of the others");
	if (!side->graph)
		status = libsnap_side_graph(side, false, error);
	if (status == SNAP_OK)
		status = mark_owners(side, error);
	if (status != SNAP_OK)
		return status;
	struct fields *fields = side->fields = libsnap_alloc_zeroed(memory, 1, sizeof(*fields));
	if (!fields)
		return libsnap_budget_fail(&side->answer->budget, error);
	fields->side = side;
	fields->objects = side->object_count;
	libsnap_labels_begin(&fields->labels, &side->names);
	status = take_arrays(fields, error);
	if (status == SNAP_OK)
		status = walk(fields, count_reference, error);
	if (status == SNAP_OK)
		status = group_labels(fields, error);
	if (status == SNAP_OK)
		status = place_references(fields, error);
	return status == SNAP_OK ? libsnap_side_rows(side, NEED_ROWS, take_target, error) : status;
}

void libsnap_fields_end(struct side *side)
{
	struct fields *fields = side->fields;
	if (!fields)
		return;
	const struct snap_allocator *memory = &side->answer->budget.allocator;
	libsnap_labels_end(&fields->labels);
	libsnap_free(memory, fields->start, fields->objects + 1, sizeof(uint32_t));
	libsnap_free(memory, fields->items, fields->item_count, sizeof(uint32_t));
	libsnap_free(memory, fields->counts, fields->label_capacity, sizeof(uint64_t));
	libsnap_free(memory, fields->group_of, fields->label_count, sizeof(uint32_t));
	libsnap_free(memory, fields->stamps, fields->stamp_count, sizeof(uint64_t));
	libsnap_free(memory, fields, 1, sizeof(*fields));
}
