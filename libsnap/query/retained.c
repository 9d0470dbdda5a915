/* What groups retain: a walk over the tree of dominators. */
#include <string.h>

#include "query.h"

/* ---- the tree: of objects, or of what the index has instead ---- */

static uint64_t parent_of(struct side *side, uint64_t row)
{
	if (!side->kept.parts)
		return snap_graph_dominator(side->graph, row);
	uint32_t parent = libsnap_array_get32(&side->kept.parent, row);
	return parent ? parent - 1 : SNAP_GRAPH_NONE;
}

uint64_t libsnap_tree_retained(struct side *side, uint64_t row)
{
	return side->kept.parts ? libsnap_array_get64(&side->kept.retained, row)
				: snap_graph_retained(side->graph, row);
}

enum snap_status libsnap_tree_begin(struct tree *tree, struct side *side, struct snap_error *error)
{
	struct budget *budget = &side->answer->budget;
	uint64_t rows = side->kept.parts ? side->kept.class_of.count : side->object_count;
	*tree = (struct tree){.side = side, .rows = rows};
	enum snap_status status =
		libsnap_budget_array(budget, &tree->first, rows + 1, sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &tree->next, rows + 1, sizeof(uint32_t),
					      error);
	for (uint64_t row = rows; status == SNAP_OK && row-- > 0;) {
		if (libsnap_tree_retained(side, row) == 0)
			continue;
		uint64_t above = parent_of(side, row);
		uint64_t parent = above == SNAP_GRAPH_NONE ? rows : above;
		libsnap_array_set32(&tree->next, row, libsnap_array_get32(&tree->first, parent));
		libsnap_array_set32(&tree->first, parent, (uint32_t)row + 1);
	}
	return status;
}

void libsnap_tree_end(struct tree *tree)
{
	libsnap_array_end(&tree->first);
	libsnap_array_end(&tree->next);
}

/* Without a stack: the way back is the dominator. */
enum snap_status libsnap_tree_walk(struct tree *tree, libsnap_visit_tree *visit, void *context,
				   struct snap_error *error)
{
	uint32_t next = libsnap_array_get32(&tree->first, tree->rows);
	while (next) {
		uint32_t row = next - 1;
		enum snap_status status = visit(context, row, true, error);
		next = libsnap_array_get32(&tree->first, row);
		while (status == SNAP_OK && !next) {
			status = visit(context, row, false, error);
			next = libsnap_array_get32(&tree->next, row);
			if (next)
				break;
			uint64_t above = parent_of(tree->side, row);
			if (above == SNAP_GRAPH_NONE)
				break;
			row = (uint32_t)above;
		}
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

/* ---- groups ---- */

struct adding {
	struct side *side;
	struct libsnap_array open; /* by group: members of it on the way from the roots */
	struct libsnap_array *sums;
	uint64_t total;
	uint32_t open_any;
	bool counts, fits; /* counts: the row is a member of a group that is told */
	/* Instead, in the tree as one array: open is where the branch of the member ends. */
	bool in_order;
	uint32_t at, end, end_any;
};

static void add(struct adding *adding, uint64_t *sum, uint64_t bytes)
{
	adding->fits &= !libsnap_add_overflows(*sum, bytes, sum) && *sum <= SUM_MAX;
}

static void add_to_group(struct adding *adding, uint32_t group, uint64_t retained, bool enters)
{
	adding->counts |= libsnap_group_is_told(adding->side->answer, group);
	uint32_t *open = libsnap_array_edit(&adding->open, group);
	bool is_below = adding->in_order ? *open > adding->at : *open > 0;
	if (adding->in_order)
		*open = is_below ? *open : adding->end;
	else
		*open = enters ? *open + 1 : *open - 1;
	if (enters && !is_below)
		add(adding, libsnap_array_edit(adding->sums, group), retained);
}

static void add_to_groups(struct adding *adding, uint32_t row, uint64_t retained, bool enters)
{
	struct side *side = adding->side;
	if (!side->fields) {
		uint64_t member =
			side->kept.parts ? libsnap_array_get32(&side->kept.class_of, row) : row;
		uint32_t group = libsnap_array_get32(&side->group_of_row, member);
		if (group)
			add_to_group(adding, group - 1, retained, enters);
		return;
	}
	struct span span = libsnap_fields_span(side, row);
	for (uint32_t i = span.first; i < span.end; i++) {
		uint32_t member = libsnap_fields_member(side, i);
		if (member & MEMBER_OWNED)
			add_to_group(adding, member & ~MEMBER_OWNED, retained, enters);
	}
}

static enum snap_status add_node(void *context, uint32_t row, bool enters, struct snap_error *error)
{
	struct adding *adding = context;
	uint64_t retained = enters ? libsnap_tree_retained(adding->side, row) : 0;
	adding->counts = false;
	add_to_groups(adding, row, retained, enters);
	if (adding->counts && !enters)
		adding->open_any--;
	else if (adding->counts && adding->open_any++ == 0)
		add(adding, &adding->total, retained);
	return adding->fits ? SNAP_OK : libsnap_too_much(error);
}

#define AHEAD 16u

/* What is below another member of its group is in that one's branch. */
static bool add_branches(void *context, const struct snap_graph_branch *branches, size_t count)
{
	struct adding *adding = context;
	for (size_t i = 0; i < count; i++, adding->at++) {
		if (count - i > AHEAD)
			libsnap_array_expect(&adding->side->group_of_row, branches[i + AHEAD].row);
		if (branches[i].retained == 0)
			continue;
		adding->end = adding->at + (uint32_t)branches[i].count;
		adding->counts = false;
		add_to_groups(adding, (uint32_t)branches[i].row, branches[i].retained, true);
		if (!adding->counts || adding->at < adding->end_any)
			continue;
		add(adding, &adding->total, branches[i].retained);
		adding->end_any = adding->end;
	}
	return adding->fits;
}

static enum snap_status add_in_order(struct adding *adding, struct snap_error *error)
{
	adding->in_order = true;
	enum snap_status status =
		snap_graph_branches(adding->side->graph, add_branches, adding, error);
	adding->in_order = false;
	return status == SNAP_OK && !adding->fits ? libsnap_too_much(error) : status;
}

static enum snap_status add_by_tree(struct adding *adding, struct snap_error *error)
{
	struct tree tree = {0};
	enum snap_status status = libsnap_tree_begin(&tree, adding->side, error);
	if (status == SNAP_OK)
		status = libsnap_tree_walk(&tree, add_node, adding, error);
	libsnap_tree_end(&tree);
	return status;
}

/* Where members hold nothing beside themselves, none is below another one. */
static void add_members(struct adding *adding)
{
	struct side *side = adding->side;
	for (uint64_t row = 0; row < side->object_count; row++) {
		uint32_t group = libsnap_array_get32(&side->group_of_row, row);
		if (group == 0)
			continue;
		uint64_t retained = snap_graph_retained(side->graph, row);
		add(adding, libsnap_array_edit(adding->sums, group - 1), retained);
		if (libsnap_group_is_told(side->answer, group - 1))
			add(adding, &adding->total, retained);
	}
}

enum snap_status libsnap_retained_add(struct side *side, struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	uint32_t groups = answer->space.groups.count;
	struct adding adding = {
		.side = side, .sums = &answer->retained[side->number], .fits = true};
	enum snap_status status =
		libsnap_budget_array(&answer->budget, adding.sums, groups, sizeof(uint64_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(&answer->budget, &adding.open, groups,
					      sizeof(uint32_t), error);
	bool is_flat = side->options->key == SNAP_KEY_DUPLICATE && !side->any_holds;
	if (status == SNAP_OK && is_flat)
		add_members(&adding);
	else if (status == SNAP_OK)
		status = side->kept.parts ? SNAP_END : add_in_order(&adding, error);
	if (status == SNAP_END)
		status = add_by_tree(&adding, error);
	if (status == SNAP_OK && !adding.fits)
		status = libsnap_too_much(error);
	if (answer->info.compared && side->number == 0)
		answer->info.old_retained = adding.total;
	else
		answer->info.retained = adding.total;
	libsnap_array_end(&adding.open);
	return status;
}

enum snap_status libsnap_retained_prepare(struct side *side, struct snap_error *error)
{
	if (side->weigher.sampled)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "what is retained cannot be estimated from samples");
	enum snap_status status = libsnap_side_graph(side, true, error);
	if (status == SNAP_OK)
		status = snap_graph_dominate(side->graph, error);
	/* Owners are added up one by one. */
	if (status != SNAP_OK || side->options->key == SNAP_KEY_DOMINATOR)
		return status;
	return libsnap_budget_array(&side->answer->budget, &side->group_of_row, side->object_count,
				    sizeof(uint32_t), error);
}
