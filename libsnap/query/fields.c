/* The key field: references by the type of their owner and their label, and what they lead to. */
#include <string.h>

#include "query.h"

/* The groups of each object's references: those of row r are items[start[r]] up to items[start[r +
 * 1] - 1]. */
struct fields {
	struct side *side;
	struct labels labels;
	struct keyed keyed;
	struct libsnap_array start, items;
	uint64_t objects, item_count;
	struct libsnap_array counts;   /* of references, by number of the label */
	struct libsnap_array group_of; /* likewise */
	struct libsnap_array stamps;   /* by group: the last row that counted, + 1 */
	enum snap_status status;
	struct snap_error *error;
};

struct span libsnap_fields_span(const struct side *side, uint64_t row)
{
	struct libsnap_array *start = &side->fields->start;
	return (struct span){libsnap_array_get32(start, row), libsnap_array_get32(start, row + 1)};
}

uint32_t libsnap_fields_member(const struct side *side, uint32_t index)
{
	return libsnap_array_get32(&side->fields->items, index);
}

uint32_t libsnap_fields_count(const struct side *side)
{
	return side->fields->labels.raw.count;
}

struct tuple libsnap_fields_label(struct side *side, uint32_t number, uint32_t *group)
{
	*group = libsnap_array_get32(&side->fields->group_of, number);
	return libsnap_tuple_at(&side->fields->labels.raw, number);
}

static bool is_asked(const struct fields *fields, const struct snap_graph_reference *reference)
{
	return reference->kind < SNAP_REF_FIRST_WEAK && reference->target < fields->objects &&
	       reference->owner < fields->objects &&
	       (!fields->side->bits.count || libsnap_side_bit(fields->side, reference->owner));
}

static bool find_label(struct fields *fields, const struct snap_graph_reference *reference,
		       uint32_t *number)
{
	uint64_t type = snap_graph_type(fields->side->graph, reference->owner);
	struct snap_graph_reference named = *reference;
	fields->status = libsnap_keyed_label(&fields->keyed, fields->side, &named, fields->error);
	if (fields->status == SNAP_OK)
		fields->status =
			libsnap_labels_find(&fields->labels, type, &named, number, fields->error);
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
	if (number >= fields->counts.count &&
	    !libsnap_array_reach(&fields->counts, (uint64_t)number + 1)) {
		fields->status = libsnap_budget_fail(&fields->side->answer->budget, fields->error);
		return false;
	}
	++*(uint64_t *)libsnap_array_edit(&fields->counts, number);
	++*(uint32_t *)libsnap_array_edit(&fields->start, reference->target);
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
	uint32_t at = libsnap_array_get32(&fields->start, reference->target);
	if (number >= fields->group_of.count || at == 0) {
		fields->status = libsnap_fail(fields->error, SNAP_CORRUPT, SNAP_NO_OFFSET,
					      "references are not twice the same");
		return false;
	}
	bool owned =
		fields->side->group_of_row.count &&
		snap_graph_dominator(fields->side->graph, reference->target) == reference->owner;
	uint32_t group = libsnap_array_get32(&fields->group_of, number);
	libsnap_array_set32(&fields->start, reference->target, --at);
	libsnap_array_set32(&fields->items, at, group | (owned ? MEMBER_OWNED : 0));
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
		libsnap_array_set_bit(&side->bits, row->row);
	return SNAP_OK;
}

static enum snap_status mark_owners(struct side *side, struct snap_error *error)
{
	if (side->options->pattern_count == 0)
		return SNAP_OK;
	enum snap_status status =
		libsnap_budget_array(&side->answer->budget, &side->bits,
				     side->object_count / 64 + 1, sizeof(uint64_t), error);
	struct row_source rows = {.dimensions = NEED_ROWS, .take = mark_owner, .context = side};
	return status == SNAP_OK ? libsnap_side_rows(side, &rows, error) : status;
}

/* ---- groups ---- */

static enum snap_status group_labels(struct fields *fields, struct snap_error *error)
{
	struct side *side = fields->side;
	struct space *space = &side->answer->space;
	enum snap_status status = libsnap_labels_load(&fields->labels, error);
	if (status != SNAP_OK)
		return status;
	uint32_t count = fields->labels.raw.count;
	status = libsnap_budget_array(space->budget, &fields->group_of, count, sizeof(uint32_t),
				      error);
	for (uint32_t i = 0; status == SNAP_OK && i < count; i++) {
		struct tuple key = libsnap_labels_step(&fields->labels, i);
		uint64_t references = libsnap_array_get64(&fields->counts, i);
		uint32_t group;
		status = libsnap_space_intern(space, &space->groups, &key, &group, error);
		if (status == SNAP_OK && group >= MEMBER_OWNED)
			status = libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
					      "more than 2 billion labels");
		if (status == SNAP_OK)
			status = libsnap_side_count(side, group, 0, references, error);
		if (status == SNAP_OK)
			libsnap_array_set32(&fields->group_of, i, group);
		side->total.exact.count += references;
	}
	return status;
}

/* The targets' bytes, once for each group. */
static enum snap_status take_target(void *context, const struct query_row *row,
				    struct snap_error *error)
{
	struct side *side = context;
	struct fields *fields = side->fields;
	if (row->row >= fields->objects)
		return SNAP_OK;
	enum snap_status status = SNAP_OK;
	struct span span = libsnap_fields_span(side, row->row);
	for (uint32_t i = span.first; status == SNAP_OK && i < span.end; i++) {
		uint32_t group = libsnap_fields_member(side, i) & ~MEMBER_OWNED;
		if (libsnap_array_get64(&fields->stamps, group) == row->row + 1)
			continue;
		libsnap_array_set64(&fields->stamps, group, row->row + 1);
		status = libsnap_side_count(side, group, row->bytes, 0, error);
	}
	if (status == SNAP_OK && span.end > span.first &&
	    !libsnap_measure_add(&side->weigher, &side->total, row->bytes, 0))
		status = libsnap_too_much(error);
	return status;
}

static enum snap_status place_references(struct fields *fields, struct snap_error *error)
{
	struct budget *budget = &fields->side->answer->budget;
	if (fields->item_count >= UINT32_MAX)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "more than 4 billion references");
	enum snap_status status = libsnap_budget_array(budget, &fields->items, fields->item_count,
						       sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &fields->stamps,
					      fields->side->answer->space.groups.count,
					      sizeof(uint64_t), error);
	uint32_t sum = 0;
	for (uint64_t row = 0; status == SNAP_OK && row <= fields->objects; row++) {
		sum += libsnap_array_get32(&fields->start, row);
		libsnap_array_set32(&fields->start, row, sum);
	}
	return status == SNAP_OK ? walk(fields, place_reference, error) : status;
}

enum snap_status libsnap_fields_add(struct side *side, struct snap_error *error)
{
	struct budget *budget = &side->answer->budget;
	enum snap_status status = libsnap_side_graph(side, false, error);
	if (status == SNAP_OK)
		status = mark_owners(side, error);
	if (status != SNAP_OK)
		return status;
	struct fields *fields = side->fields =
		libsnap_alloc_zeroed(&budget->allocator, 1, sizeof(*fields));
	if (!fields)
		return libsnap_budget_fail(budget, error);
	fields->side = side;
	fields->objects = side->object_count;
	libsnap_labels_begin(&fields->labels, &side->names);
	status = libsnap_budget_array(budget, &fields->start, fields->objects + 1, sizeof(uint32_t),
				      error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &fields->counts, 0, sizeof(uint64_t), error);
	if (status == SNAP_OK)
		status = libsnap_keyed_find(&fields->keyed, side, error);
	if (status == SNAP_OK)
		status = walk(fields, count_reference, error);
	if (status == SNAP_OK)
		status = group_labels(fields, error);
	if (status == SNAP_OK)
		status = place_references(fields, error);
	struct row_source rows = {.dimensions = NEED_ROWS, .take = take_target, .context = side};
	return status == SNAP_OK ? libsnap_side_rows(side, &rows, error) : status;
}

void libsnap_fields_end(struct side *side)
{
	struct fields *fields = side->fields;
	if (!fields)
		return;
	libsnap_keyed_end(&fields->keyed);
	libsnap_labels_end(&fields->labels);
	libsnap_array_end(&fields->start);
	libsnap_array_end(&fields->items);
	libsnap_array_end(&fields->counts);
	libsnap_array_end(&fields->group_of);
	libsnap_array_end(&fields->stamps);
	libsnap_free(&side->answer->budget.allocator, fields, 1, sizeof(*fields));
	side->fields = NULL;
}
