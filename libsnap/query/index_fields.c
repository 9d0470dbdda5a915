/* Fields, and what is of owners of some types together, for the index (FORMAT.md, section 7.5). */
#include <stdlib.h>

#include "index.h"

struct owning {
	struct growing growing;        /* of classes: names of owners' types */
	struct libsnap_array types;    /* by class: the first type of the name */
	struct libsnap_array class_of; /* by group, + 1 */
	struct libsnap_array stamps;   /* by class: the last row that has such an owner, + 1 */
	uint32_t *set;                 /* classes of one row's owners */
	struct libsnap_array bytes;    /* by node */
};

/* ---- names of owners' types ---- */

static enum snap_status number_names(struct owning *owning, struct snap_error *error)
{
	struct side *side = owning->growing.side;
	struct space *space = &side->answer->space;
	struct libsnap_array class_of_name = {0};
	uint32_t group;
	enum snap_status status = libsnap_budget_array(
		space->budget, &class_of_name, space->texts.count + 1ull, sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(space->budget, &owning->class_of, space->groups.count,
					      sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(space->budget, &owning->types, 0, sizeof(uint64_t),
					      error);
	for (uint32_t i = 0; status == SNAP_OK && i < libsnap_fields_count(side); i++) {
		uint64_t type = libsnap_fields_label(side, i, &group).part[0];
		uint64_t name = libsnap_tuple_at(&space->groups, group).part[0];
		uint32_t class = libsnap_array_get32(&class_of_name, name);
		if (class == 0) {
			if (!libsnap_array_add(&owning->types, &type))
				status = libsnap_budget_fail(space->budget, error);
			class = (uint32_t)owning->types.count;
			libsnap_array_set32(&class_of_name, name, class);
		}
		libsnap_array_set32(&owning->class_of, group, class);
	}
	libsnap_array_end(&class_of_name);
	return status;
}

static uint32_t class_of_member(struct owning *owning, uint32_t member)
{
	return libsnap_array_get32(&owning->class_of, member & ~MEMBER_OWNED);
}

/* ---- what their fields retain ---- */

static void set_classes(struct owning *owning)
{
	struct side *side = owning->growing.side;
	for (uint64_t row = 0; row < side->object_count; row++) {
		struct span span = libsnap_fields_span(side, row);
		uint32_t class = 0;
		for (uint32_t i = span.first; class == 0 && i < span.end; i++) {
			uint32_t member = libsnap_fields_member(side, i);
			class = member & MEMBER_OWNED ? class_of_member(owning, member) : 0;
		}
		libsnap_array_set32(&side->group_of_row, row, class);
	}
}

/* ---- what they refer to ---- */

static int compare_classes(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

static enum snap_status enter_row(struct owning *owning, uint64_t row, struct snap_error *error)
{
	struct growing *growing = &owning->growing;
	struct span span = libsnap_fields_span(growing->side, row);
	size_t count = 0;
	for (uint32_t i = span.first; i < span.end; i++) {
		uint32_t member = libsnap_fields_member(growing->side, i);
		uint32_t class = class_of_member(owning, member);
		if (class == 0 || libsnap_array_get64(&owning->stamps, class - 1) == row + 1)
			continue;
		libsnap_array_set64(&owning->stamps, class - 1, row + 1);
		if (count < owning->types.count)
			owning->set[count++] = class - 1;
	}
	if (count > 1)
		qsort(owning->set, count, sizeof(*owning->set), compare_classes);
	enum snap_status status = SNAP_OK;
	growing->at = 0;
	for (size_t i = 0; status == SNAP_OK && i < count; i++)
		status = libsnap_index_enter(growing, owning->set[i], 0, error);
	return status;
}

static enum snap_status add_targets(struct owning *owning, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT};
	struct growing *growing = &owning->growing;
	struct budget *budget = &growing->side->answer->budget;
	owning->set = libsnap_alloc(&budget->allocator, owning->types.count, sizeof(uint32_t));
	if (owning->set == NULL)
		return libsnap_budget_fail(budget, error);
	libsnap_array_begin(&owning->bytes, &budget->arrays, sizeof(uint64_t));
	enum snap_status status = libsnap_budget_array(budget, &owning->stamps, owning->types.count,
						       sizeof(uint64_t), error);
	if (status != SNAP_OK)
		return status;
	struct scan scan = scan_begin(growing->side->reader, columns, 2, error);
	while (scan_next(&scan)) {
		scan.status = enter_row(owning, scan.row, error);
		if (scan.status != SNAP_OK || growing->at == 0)
			continue;
		if (!libsnap_array_reach(&owning->bytes, growing->nodes.count))
			scan.status = libsnap_budget_fail(budget, error);
		else
			*(uint64_t *)libsnap_array_edit(&owning->bytes, growing->at - 1) +=
				scan_value(&scan, 0) * scan_value(&scan, 1);
	}
	return scan_end(&scan, NULL);
}

/* ---- both ---- */

static enum snap_status write_owners(struct owning *owning)
{
	struct growing *growing = &owning->growing;
	enum snap_status status = SNAP_OK;
	/* What retained is of nodes below is theirs; these have higher numbers. */
	for (uint32_t i = 0; i < growing->nodes.count; i++) {
		uint32_t parent = libsnap_index_parent(growing, i);
		if (parent != 0)
			*(uint64_t *)libsnap_array_edit(&growing->retained, parent - 1) -=
				libsnap_array_get64(&growing->retained, i);
	}
	for (uint32_t at = 0; status == SNAP_OK && at < growing->nodes.count; at++) {
		uint32_t i;
		struct node node = libsnap_index_node(growing, at, &i);
		status = libsnap_table_row(
			&growing->making->owners,
			(uint64_t[]){node.parent, libsnap_array_get64(&owning->types, node.class),
				     libsnap_array_get64(&owning->bytes, i),
				     libsnap_array_get64(&growing->retained, i)});
	}
	return status;
}

static enum snap_status find_owners(struct owning *owning, struct snap_error *error)
{
	struct growing *growing = &owning->growing;
	enum snap_status status = number_names(owning, error);
	if (status != SNAP_OK || owning->types.count == 0)
		return status;
	set_classes(owning);
	status = libsnap_index_grow(growing, error);
	if (status == SNAP_OK && !growing->too_many)
		status = add_targets(owning, error);
	if (growing->too_many)
		return SNAP_OK;
	if (status == SNAP_OK)
		status = libsnap_index_order(growing, error);
	return status == SNAP_OK ? write_owners(owning) : status;
}

static enum snap_status take_owners(struct making *making, struct side *side,
				    struct snap_error *error)
{
	struct owning owning = {.growing = {.making = making, .side = side}};
	enum snap_status status = find_owners(&owning, error);
	libsnap_free(&side->answer->budget.allocator, owning.set, owning.types.count,
		     sizeof(uint32_t));
	libsnap_index_grown(&owning.growing);
	libsnap_array_end(&owning.types);
	libsnap_array_end(&owning.class_of);
	libsnap_array_end(&owning.stamps);
	libsnap_array_end(&owning.bytes);
	return status;
}

/* ---- fields ---- */

/* A field is named by the first of its labels, as the
 * file has them; what has no references is the sum. */
static enum snap_status take_fields(void *context, struct side *side, struct snap_error *error)
{
	struct making *making = context;
	struct snap_answer *answer = side->answer;
	struct libsnap_array told = {0};
	uint32_t group, groups = answer->space.groups.count;
	struct libsnap_table_out *table = &making->fields;
	if (groups > libsnap_index_most(making))
		return SNAP_OK;
	enum snap_status status =
		libsnap_budget_array(&answer->budget, &told, groups, sizeof(uint32_t), error);
	for (uint32_t i = 0; status == SNAP_OK && i < libsnap_fields_count(side); i++) {
		struct tuple label = libsnap_fields_label(side, i, &group);
		union measure sum = libsnap_sum_at(answer, 0, group);
		if (libsnap_array_get32(&told, group))
			continue;
		libsnap_array_set32(&told, group, 1);
		status = libsnap_table_row(table,
					   (uint64_t[]){label.part[0], label.part[1],
							libsnap_index_label(&label),
							sum.exact.count, sum.exact.bytes,
							libsnap_retained_at(answer, 0, group)});
	}
	libsnap_array_end(&told);
	if (status == SNAP_OK)
		status = libsnap_table_row(table, (uint64_t[]){0, 0, SNAP_LABEL_NONE, 0,
							       side->total.exact.bytes,
							       answer->info.retained});
	return status == SNAP_OK ? take_owners(making, side, error) : status;
}

enum snap_status libsnap_index_write_fields(struct making *making, struct snap_writer *w)
{
	libsnap_table_begin(&making->fields, w, SNAP_INDEX_FIELDS, UINT64_MAX);
	libsnap_table_begin(&making->owners, w, SNAP_INDEX_OWNERS, UINT64_MAX);
	enum snap_status status =
		libsnap_index_ask(making, SNAP_KEY_FIELD, NULL, take_fields, &w->problem);
	status = libsnap_table_end(&making->fields, status);
	return libsnap_table_end(&making->owners, status);
}
