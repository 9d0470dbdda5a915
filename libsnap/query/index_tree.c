/* The tree of dominators of classes of objects, for the index (FORMAT.md, section 7.5). */
#include "index.h"

/* Of classes there are libsnap_index_most at most. */
static uint64_t most_nodes(const struct making *making)
{
	return 8192 + making->objects / 32;
}

static struct node node_at(struct growing *growing, uint32_t number)
{
	return *(const struct node *)libsnap_array_at(&growing->nodes.items, number);
}

enum snap_status libsnap_index_enter(struct growing *growing, uint32_t class, uint64_t retained,
				     struct snap_error *error)
{
	struct side *side = growing->side;
	const struct node node = {growing->at, class};
	uint32_t number;
	enum snap_status status =
		libsnap_space_intern(&side->answer->space, &growing->nodes, &node, &number, error);
	if (status != SNAP_OK)
		return status;
	growing->too_many |= number >= most_nodes(growing->making);
	if (!libsnap_array_reach(&growing->retained, (uint64_t)number + 1))
		return libsnap_budget_fail(&side->answer->budget, error);
	uint64_t *sum = libsnap_array_edit(&growing->retained, number);
	growing->too_many |= libsnap_add_overflows(*sum, retained, sum) || *sum > SUM_MAX;
	growing->at = number + 1;
	return growing->too_many ? SNAP_END : SNAP_OK;
}

static enum snap_status visit(void *context, uint32_t row, bool enters, struct snap_error *error)
{
	struct growing *growing = context;
	struct side *side = growing->side;
	uint32_t class = libsnap_array_get32(&side->group_of_row, row);
	if (class == 0)
		return SNAP_OK;
	uint32_t open = libsnap_array_get32(&growing->open, class - 1);
	libsnap_array_set32(&growing->open, class - 1, enters ? open + 1 : open - 1);
	if (enters && open == 0)
		return libsnap_index_enter(growing, class - 1, libsnap_tree_retained(side, row),
					   error);
	if (enters)
		return SNAP_OK;
	/* Its class is not asked for again: from now on, its node. */
	libsnap_array_set32(&side->group_of_row, row, open == 1 ? growing->at | AT_NODE : 0);
	if (open == 1)
		growing->at = node_at(growing, growing->at - 1).parent;
	return SNAP_OK;
}

static enum snap_status enter_in_order(struct growing *growing, uint32_t class,
				       const struct snap_graph_branch *branch,
				       struct snap_error *error)
{
	uint32_t end = growing->place + (uint32_t)branch->count;
	struct budget *budget = &growing->side->answer->budget;
	if (!libsnap_array_reach(&growing->ends, growing->depth + 1))
		return libsnap_budget_fail(budget, error);
	libsnap_array_set32(&growing->open, class, end);
	libsnap_array_set32(&growing->ends, growing->depth++, end);
	return libsnap_index_enter(growing, class, branch->retained, error);
}

#define AHEAD 16u

static bool visit_in_order(void *context, const struct snap_graph_branch *branches, size_t count)
{
	struct growing *growing = context;
	struct libsnap_array *group_of_row = &growing->side->group_of_row;
	for (size_t i = 0; i < count && growing->status == SNAP_OK; i++, growing->place++) {
		if (count - i > AHEAD)
			libsnap_array_expect(group_of_row, branches[i + AHEAD].row);
		for (; growing->depth > 0 &&
		       libsnap_array_get32(&growing->ends, growing->depth - 1) <= growing->place;
		     growing->depth--)
			growing->at = node_at(growing, growing->at - 1).parent;
		uint32_t class = libsnap_array_get32(group_of_row, branches[i].row);
		if (branches[i].retained == 0 || class == 0)
			continue;
		bool is_below = libsnap_array_get32(&growing->open, class - 1) > growing->place;
		if (!is_below)
			growing->status =
				enter_in_order(growing, class - 1, &branches[i], growing->error);
		libsnap_array_set32(group_of_row, branches[i].row,
				    is_below ? 0 : growing->at | AT_NODE);
	}
	return growing->status == SNAP_OK;
}

static enum snap_status walk_in_order(struct growing *growing, struct snap_error *error)
{
	growing->error = error;
	growing->status = SNAP_OK;
	libsnap_array_begin(&growing->ends, &growing->side->answer->budget.arrays,
			    sizeof(uint32_t));
	enum snap_status status =
		snap_graph_branches(growing->side->graph, visit_in_order, growing, error);
	libsnap_array_end(&growing->ends);
	return status == SNAP_OK ? growing->status : status;
}

static enum snap_status walk_by_tree(struct growing *growing, struct snap_error *error)
{
	struct tree tree = {0};
	enum snap_status status = libsnap_tree_begin(&tree, growing->side, error);
	if (status == SNAP_OK)
		status = libsnap_tree_walk(&tree, visit, growing, error);
	libsnap_tree_end(&tree);
	return status;
}

enum snap_status libsnap_index_grow(struct growing *growing, struct snap_error *error)
{
	struct side *side = growing->side;
	struct budget *budget = &side->answer->budget;
	libsnap_interner_begin(&growing->nodes, budget, sizeof(struct node), sizeof(struct node));
	libsnap_array_begin(&growing->retained, &budget->arrays, sizeof(uint64_t));
	enum snap_status status = libsnap_budget_array(
		budget, &growing->open, side->answer->space.groups.count, sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = walk_in_order(growing, error);
	if (status == SNAP_END && !growing->too_many)
		status = walk_by_tree(growing, error);
	return growing->too_many ? SNAP_OK : status;
}

/* ---- in order ---- */

struct ordering {
	struct libsnap_array of_class, same_class; /* the last node of a class, and one before */
	struct libsnap_array child,
		next; /* of a node, or 0 for the roots: the lowest class first */
};

static void link_nodes(struct growing *growing, struct ordering *o, uint32_t classes)
{
	for (uint32_t i = 0; i < growing->nodes.count; i++) {
		uint32_t class = node_at(growing, i).class;
		libsnap_array_set32(&o->same_class, i, libsnap_array_get32(&o->of_class, class));
		libsnap_array_set32(&o->of_class, class, i + 1);
	}
	for (uint32_t class = classes; class -- > 0;)
		for (uint32_t at = libsnap_array_get32(&o->of_class, class); at != 0;
		     at = libsnap_array_get32(&o->same_class, at - 1)) {
			uint32_t parent = node_at(growing, at - 1).parent;
			uint32_t after = libsnap_array_get32(&o->child, parent);
			libsnap_array_set32(&o->next, at - 1, after);
			libsnap_array_set32(&o->child, parent, at);
		}
}

static void number_nodes(struct growing *growing, struct ordering *o)
{
	uint32_t count = 0;
	for (uint32_t above = 0; above <= count; above++) {
		uint32_t parent = above ? libsnap_array_get32(&growing->order, above - 1) + 1 : 0;
		for (uint32_t at = libsnap_array_get32(&o->child, parent);
		     at != 0 && count < growing->nodes.count;
		     at = libsnap_array_get32(&o->next, at - 1)) {
			libsnap_array_set32(&growing->order, count, at - 1);
			libsnap_array_set32(&growing->number, at - 1, ++count);
		}
	}
}

enum snap_status libsnap_index_order(struct growing *growing, struct snap_error *error)
{
	struct ordering ordering = {.next = {0}}, *o = &ordering;
	struct side *side = growing->side;
	struct budget *budget = &side->answer->budget;
	uint32_t classes = side->answer->space.groups.count;
	uint64_t nodes = (uint64_t)growing->nodes.count + 1;
	struct libsnap_array *arrays[] = {&o->same_class, &o->child, &o->next, &growing->order,
					  &growing->number};
	enum snap_status status =
		libsnap_budget_array(budget, &o->of_class, classes, sizeof(uint32_t), error);
	for (size_t i = 0; status == SNAP_OK && i < sizeof(arrays) / sizeof(arrays[0]); i++)
		status = libsnap_budget_array(budget, arrays[i], nodes, sizeof(uint32_t), error);
	if (status == SNAP_OK) {
		link_nodes(growing, o, classes);
		number_nodes(growing, o);
	}
	libsnap_array_end(&o->of_class);
	libsnap_array_end(&o->same_class);
	libsnap_array_end(&o->child);
	libsnap_array_end(&o->next);
	return status;
}

struct node libsnap_index_node(struct growing *growing, uint32_t place, uint32_t *number)
{
	*number = libsnap_array_get32(&growing->order, place);
	struct node node = node_at(growing, *number);
	if (node.parent != 0)
		node.parent = libsnap_array_get32(&growing->number, node.parent - 1);
	return node;
}

uint32_t libsnap_index_parent(struct growing *growing, uint32_t number)
{
	return node_at(growing, number).parent;
}

void libsnap_index_grown(struct growing *growing)
{
	libsnap_interner_end(&growing->nodes);
	libsnap_array_end(&growing->open);
	libsnap_array_end(&growing->retained);
	libsnap_array_end(&growing->order);
	libsnap_array_end(&growing->number);
}
