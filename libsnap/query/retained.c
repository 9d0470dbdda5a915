/* What groups retain: a walk over the tree of dominators; and the owners at the top of it. */
#include <string.h>

#include "query.h"

#define NONE UINT32_MAX

/* Children of each object in the tree; the last entry stands for the roots. */
struct tree {
	const struct snap_graph *graph;
	const struct snap_allocator *memory;
	size_t objects;
	uint32_t *first, *next;
};

typedef void visit_tree(void *context, uint32_t row, bool enters);

/* What retains nothing, as all that no root reaches, is left out. */
static enum snap_status tree_begin(struct tree *tree, struct side *side, struct snap_error *error)
{
	struct budget *budget = &side->answer->budget;
	size_t objects = side->object_count;
	*tree = (struct tree){
		.graph = side->graph, .memory = &budget->allocator, .objects = objects};
	enum snap_status status =
		libsnap_budget_reserve(budget, "retained bytes", objects + 1, 8, error);
	if (status != SNAP_OK)
		return status;
	tree->first = libsnap_alloc(tree->memory, objects + 1, sizeof(uint32_t));
	tree->next = libsnap_alloc(tree->memory, objects + 1, sizeof(uint32_t));
	if (!tree->first || !tree->next)
		return libsnap_budget_fail(budget, error);
	memset(tree->first, 0xff, (objects + 1) * sizeof(uint32_t));
	for (size_t row = objects; row-- > 0;) {
		if (snap_graph_retained(tree->graph, row) == 0)
			continue;
		uint64_t above = snap_graph_dominator(tree->graph, row);
		uint32_t *head = &tree->first[above == SNAP_GRAPH_NONE ? objects : above];
		tree->next[row] = *head;
		*head = (uint32_t)row;
	}
	return SNAP_OK;
}

static void tree_end(struct tree *tree)
{
	libsnap_free(tree->memory, tree->first, tree->objects + 1, sizeof(uint32_t));
	libsnap_free(tree->memory, tree->next, tree->objects + 1, sizeof(uint32_t));
}

/* Depth first, without a stack: the way back is the dominator. */
static void tree_walk(const struct tree *tree, visit_tree *visit, void *context)
{
	uint32_t row = tree->first[tree->objects];
	while (row != NONE) {
		visit(context, row, true);
		if (tree->first[row] != NONE) {
			row = tree->first[row];
			continue;
		}
		for (;;) {
			visit(context, row, false);
			if (tree->next[row] != NONE) {
				row = tree->next[row];
				break;
			}
			uint64_t above = snap_graph_dominator(tree->graph, row);
			if (above == SNAP_GRAPH_NONE)
				return;
			row = (uint32_t)above;
		}
	}
}

/* ---- groups ---- */

struct adding {
	struct side *side;
	uint32_t *open; /* by group: members of it on the way from the roots */
	uint64_t *sums;
	uint64_t total;
	uint32_t open_any;
	bool fits;
};

static void add(struct adding *adding, uint64_t *sum, uint64_t bytes)
{
	adding->fits &= !libsnap_add_overflows(*sum, bytes, sum) && *sum <= SUM_MAX;
}

static const uint32_t *groups_of(const struct side *side, uint32_t row, size_t *count)
{
	if (side->fields)
		return libsnap_fields_members(side, row, count);
	uint32_t group = side->group_of_row[row];
	*count = group != NOT_FOUND;
	return &side->group_of_row[row];
}

static void add_node(void *context, uint32_t row, bool enters)
{
	struct adding *adding = context;
	size_t count;
	const uint32_t *groups = groups_of(adding->side, row, &count);
	uint64_t retained = enters ? snap_graph_retained(adding->side->graph, row) : 0;
	bool counts = false;
	for (size_t i = 0; i < count; i++) {
		uint32_t group = groups[i];
		if (adding->side->fields && !(group & MEMBER_OWNED))
			continue;
		group &= adding->side->fields ? ~MEMBER_OWNED : NOT_FOUND;
		counts |= libsnap_group_is_told(adding->side->answer, group);
		if (!enters)
			adding->open[group]--;
		else if (adding->open[group]++ == 0)
			add(adding, &adding->sums[group], retained);
	}
	if (counts && !enters)
		adding->open_any--;
	else if (counts && adding->open_any++ == 0)
		add(adding, &adding->total, retained);
}

enum snap_status libsnap_retained_add(struct side *side, struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	const struct snap_allocator *memory = &answer->budget.allocator;
	size_t groups = answer->space.groups.count;
	struct tree tree;
	enum snap_status status = tree_begin(&tree, side, error);
	struct adding adding = {.side = side, .fits = true};
	adding.open = libsnap_alloc_zeroed(memory, groups, sizeof(uint32_t));
	adding.sums = libsnap_alloc_zeroed(memory, groups, sizeof(uint64_t));
	if (status == SNAP_OK && (!adding.open || !adding.sums))
		status = libsnap_budget_fail(&answer->budget, error);
	if (status == SNAP_OK) {
		tree_walk(&tree, add_node, &adding);
		if (!adding.fits)
			status = libsnap_too_much(error);
	}
	answer->retained[side->number] = adding.sums;
	answer->retained_count[side->number] = adding.sums ? groups : 0;
	if (answer->info.compared && side->number == 0)
		answer->info.old_retained = adding.total;
	else
		answer->info.retained = adding.total;
	libsnap_free(memory, adding.open, groups, sizeof(uint32_t));
	tree_end(&tree);
	return status;
}

enum snap_status libsnap_retained_prepare(struct side *side, struct snap_error *error)
{
	struct budget *budget = &side->answer->budget;
	if (side->weigher.sampled)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "what is retained cannot be estimated from samples");
	enum snap_status status = libsnap_side_graph(side, true, error);
	if (status == SNAP_OK)
		status = snap_graph_dominate(side->graph, error);
	if (status == SNAP_OK)
		status = libsnap_budget_reserve(budget, "retained bytes", side->object_count, 12,
						error);
	if (status != SNAP_OK)
		return status;
	side->group_of_row =
		libsnap_alloc(&budget->allocator, side->object_count, sizeof(uint32_t));
	if (!side->group_of_row)
		return libsnap_budget_fail(budget, error);
	memset(side->group_of_row, 0xff, side->object_count * sizeof(uint32_t));
	return SNAP_OK;
}

/* ---- owners ---- */

static enum snap_status mark_kept(void *context, const struct query_row *row,
				  struct snap_error *error)
{
	(void)error;
	struct side *side = context;
	bool is_synthetic = side->names.types[row->type].kind == SNAP_TYPE_SYNTHETIC;
	if (row->row < side->object_count && !is_synthetic && libsnap_side_keeps(side, row) &&
	    snap_graph_retained(side->graph, row->row) > 0)
		side->bits[row->row / 64] |= (uint64_t)1 << row->row % 64;
	return SNAP_OK;
}

struct choosing {
	struct side *side;
	uint32_t owner; /* under which the walk is, or NONE */
};

static void choose_owner(void *context, uint32_t row, bool enters)
{
	struct choosing *choosing = context;
	if (!enters) {
		if (choosing->owner == row)
			choosing->owner = NONE;
	} else if (choosing->owner != NONE) {
		choosing->side->bits[row / 64] &= ~((uint64_t)1 << row % 64);
	} else if (libsnap_side_bit(choosing->side, row)) {
		choosing->owner = row;
	}
}

static enum snap_status mark_name(void *context, const struct query_row *row,
				  struct snap_error *error)
{
	(void)error;
	struct side *side = context;
	if (libsnap_side_bit(side, row->row))
		libsnap_resolver_mark(&side->resolver, row->name);
	return SNAP_OK;
}

enum snap_status libsnap_owners_prepare(struct side *side, struct snap_error *error)
{
	struct budget *budget = &side->answer->budget;
	side->bit_words = side->object_count / 64 + 1;
	side->bits = libsnap_alloc_zeroed(&budget->allocator, side->bit_words, sizeof(uint64_t));
	if (!side->bits)
		return libsnap_budget_fail(budget, error);
	enum snap_status status =
		libsnap_side_rows(side, NEED_ROWS | DIMENSION(SNAP_BY_TYPE), mark_kept, error);
	if (status != SNAP_OK)
		return status;
	struct tree tree;
	status = tree_begin(&tree, side, error);
	if (status == SNAP_OK)
		tree_walk(&tree, choose_owner, &(struct choosing){side, NONE});
	tree_end(&tree);
	if (status == SNAP_OK)
		status = libsnap_resolver_begin(&side->resolver, &side->names, error);
	if (status != SNAP_OK)
		return status;
	side->has_resolver = true;
	status = libsnap_side_rows(side, NEED_NAME, mark_name, error);
	return status == SNAP_OK ? libsnap_resolver_load(&side->resolver, error) : status;
}
