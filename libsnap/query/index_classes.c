/* Classes of objects, their tree of dominators, the names that they
 * need, and fields, for the index (FORMAT.md, section 7.5). */
#include "index.h"

/* Of classes there are libsnap_index_most at most. */
static uint64_t most_nodes(const struct making *making)
{
	return 8192 + making->objects / 32;
}

#define PATTERNS (SNAP_PART_TYPE | SNAP_PART_STACK | SNAP_PART_DOMAIN)
#define ALL \
	(PATTERNS | SNAP_PART_SHAPE | SNAP_PART_THREAD | SNAP_PART_GENERATION | SNAP_PART_SIZE | \
	 SNAP_PART_PLACES)

/* In order: what others tell already is left out.  What no object has all classes tell. */
static const struct {
	unsigned parts;
	enum snap_key key; /* of the question that finds them */
} wanted[] = {
	{ALL, SNAP_KEY_FILL},
	{PATTERNS | SNAP_PART_PLACES, SNAP_KEY_FILL},
	{SNAP_PART_TYPE | SNAP_PART_PLACES, SNAP_KEY_FILL},
	{SNAP_PART_STACK, SNAP_KEY_DOMAIN},
	{SNAP_PART_TYPE | SNAP_PART_SHAPE, SNAP_KEY_DOMAIN},
	{SNAP_PART_THREAD, SNAP_KEY_DOMAIN},
	{SNAP_PART_DOMAIN, SNAP_KEY_DOMAIN},
	{SNAP_PART_GENERATION, SNAP_KEY_DOMAIN},
	{SNAP_PART_SIZE, SNAP_KEY_DOMAIN},
	{PATTERNS | SNAP_PART_REFCOUNT, SNAP_KEY_DOMAIN},
	{SNAP_PART_REFCOUNT, SNAP_KEY_DOMAIN},
	{PATTERNS | SNAP_PART_ROOT, SNAP_KEY_ROOT},
	{SNAP_PART_ROOT, SNAP_KEY_ROOT},
	{PATTERNS | SNAP_PART_PATH, SNAP_KEY_PATH},
	{SNAP_PART_PATH, SNAP_KEY_PATH},
};

enum snap_status libsnap_index_ask(struct making *making, enum snap_key key,
				   struct classing *classing, libsnap_harvest *harvest,
				   struct snap_error *error)
{
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	options.key = key;
	options.retained = true;
	options.allocator = making->options->allocator;
	options.io = making->options->io;
	options.temporary_folder = making->options->temporary_folder;
	options.max_memory_bytes = making->left;
	return libsnap_query_side(making->reader, making->graph, &options, classing, harvest,
				  making, error);
}

/* ---- the tree of dominators, of classes ---- */

/* An object below another one of its class adds nothing to any group: it has no node of its own. */
struct node {
	uint32_t parent, class; /* parent: + 1 */
};
#define AT_NODE ((uint32_t)1 << 31)

/* What is at a node. */
struct sum {
	uint64_t objects, bytes, count;
};

struct growing {
	struct making *making;
	struct side *side;
	struct interner nodes;
	struct libsnap_array sums;     /* by node */
	struct libsnap_array open;     /* by class: objects of it on the way from the roots */
	struct libsnap_array retained; /* by node */
	uint32_t at;                   /* the node of that way, + 1 */
	bool too_many;
	/* Instead, in the tree as one array: open is where the branch ends. */
	uint32_t place;
	struct libsnap_array ends; /* of the branches of the nodes on the way */
	uint64_t depth;
	enum snap_status status;
	struct snap_error *error;
	struct libsnap_array first; /* by class: its first row, + 1 */
};

static struct node node_at(struct growing *growing, uint32_t number)
{
	return *(const struct node *)libsnap_array_at(&growing->nodes.items, number);
}

static enum snap_status enter_node(struct growing *growing, uint32_t class, uint64_t retained,
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
		return enter_node(growing, class - 1, libsnap_tree_retained(side, row), error);
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
	return enter_node(growing, class, branch->retained, error);
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

enum snap_status libsnap_index_find_first(struct side *side, struct libsnap_array *first,
					  struct snap_error *error)
{
	enum snap_status status =
		libsnap_budget_array(&side->answer->budget, first, side->answer->space.groups.count,
				     sizeof(uint64_t), error);
	for (uint64_t row = side->object_count; status == SNAP_OK && row-- > 0;) {
		uint32_t group = libsnap_array_get32(&side->group_of_row, row);
		if (group != 0)
			libsnap_array_set64(first, group - 1, row + 1);
	}
	return status;
}

static enum snap_status add_sums(struct growing *growing, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT};
	struct side *side = growing->side;
	enum snap_status status =
		libsnap_budget_array(&side->answer->budget, &growing->sums, growing->nodes.count,
				     sizeof(struct sum), error);
	if (status != SNAP_OK)
		return status;
	struct scan scan = scan_begin(side->reader, columns, 2, error);
	while (scan_next(&scan)) {
		uint32_t node = libsnap_array_get32(&side->group_of_row, scan.row);
		uint64_t size = scan_value(&scan, 0), count = scan_value(&scan, 1);
		if (!(node & AT_NODE))
			continue;
		struct sum *sum = libsnap_array_edit(&growing->sums, (node & ~AT_NODE) - 1);
		sum->objects++;
		sum->bytes += size * count;
		sum->count += count;
	}
	return scan_end(&scan, NULL);
}

static enum snap_status grow_tree(struct growing *growing, struct snap_error *error)
{
	struct side *side = growing->side;
	struct budget *budget = &side->answer->budget;
	libsnap_interner_begin(&growing->nodes, budget, sizeof(struct node), sizeof(struct node));
	libsnap_array_begin(&growing->retained, &budget->arrays, sizeof(uint64_t));
	enum snap_status status = libsnap_budget_array(
		budget, &growing->open, side->answer->space.groups.count, sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_index_find_first(side, &growing->first, error);
	if (status == SNAP_OK)
		status = walk_in_order(growing, error);
	if (status == SNAP_END && !growing->too_many)
		status = walk_by_tree(growing, error);
	if (status == SNAP_OK && !(side->classing->parts & (SNAP_PART_ROOT | SNAP_PART_PATH)))
		status = add_sums(growing, error);
	return growing->too_many ? SNAP_OK : status;
}

/* ---- names ---- */

/* How many rows of the table there were before is added to each id. */
static enum snap_status write_roots(struct making *making, struct side *side)
{
	uint64_t before = making->roots.row_count;
	enum snap_status status = SNAP_OK;
	for (uint32_t i = 0; status == SNAP_OK && i < snap_graph_group_count(side->graph); i++) {
		struct snap_graph_group group;
		snap_graph_group(side->graph, i, &group);
		uint64_t above = group.above == SNAP_GRAPH_NO_GROUP ? 0 : before + group.above + 1;
		status = libsnap_table_row(
			&making->roots, (uint64_t[]){above, group.kind, group.string, group.type});
	}
	return status;
}

static uint64_t label_of(const struct tuple *step)
{
	switch ((enum label_class)step->part[2]) {
	case LABEL_TEXT: return SNAP_LABEL_STRING(step->part[3]);
	case LABEL_INDEX: return SNAP_LABEL_INDEX(0);
	case LABEL_KEY: return SNAP_LABEL_OBJECT(1);
	default: return SNAP_LABEL_NONE;
	}
}

static enum snap_status write_steps(struct making *making, struct side *side)
{
	struct space *space = &side->answer->space;
	uint64_t before = making->steps.row_count;
	enum snap_status status = SNAP_OK;
	for (uint32_t path = 1; status == SNAP_OK && path < space->chains.count; path++) {
		struct chain chain = libsnap_chain_at(space, path);
		struct tuple step =
			*(const struct tuple *)libsnap_array_at(&side->step_of_item, chain.item);
		uint64_t parent = chain.before ? before + chain.before : 0;
		status = libsnap_table_row(
			&making->steps,
			(uint64_t[]){parent, step.part[0], step.part[1], label_of(&step)});
	}
	return status;
}

/* ---- classes and nodes ---- */

static enum snap_status write_class(struct growing *growing, uint32_t class)
{
	struct making *making = growing->making;
	struct side *side = growing->side;
	unsigned parts = side->classing->parts;
	struct tuple key = libsnap_tuple_at(&side->answer->space.groups, class);
	union measure sum = libsnap_sum_at(side->answer, 0, class);
	struct snap_fill fill = libsnap_fill_at(side->answer, 0, class);
	uint64_t way = (uint32_t)key.part[4];
	uint64_t root = parts & SNAP_PART_ROOT && way ? making->roots.row_count + way : 0;
	uint64_t step = parts & SNAP_PART_PATH && way ? making->steps.row_count + way : 0;
	const uint64_t values[] = {parts,
				   (uint32_t)key.part[0],
				   key.part[0] >> 32,
				   (uint32_t)key.part[1],
				   key.part[1] >> 32,
				   key.part[2],
				   parts & SNAP_PART_REFCOUNT ? 0 : key.part[3],
				   key.part[4] >> 32 & 0xff,
				   parts & SNAP_PART_REFCOUNT ? key.part[3] : 0,
				   root,
				   step,
				   sum.exact.bytes,
				   sum.exact.count,
				   fill.places,
				   fill.empty,
				   fill.hollow,
				   libsnap_array_get64(&growing->first, class)};
	return libsnap_table_row(&making->classes, values);
}

/* Nodes come level by level, those below one in the order of their
 * classes: however the tree was walked. */
struct ordering {
	struct libsnap_array of_class, same_class; /* the last node of a class, and one before */
	struct libsnap_array child,
		next; /* of a node, or 0 for the roots: the lowest class first */
	struct libsnap_array order, number;
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
		uint32_t parent = above ? libsnap_array_get32(&o->order, above - 1) + 1 : 0;
		for (uint32_t at = libsnap_array_get32(&o->child, parent);
		     at != 0 && count < growing->nodes.count;
		     at = libsnap_array_get32(&o->next, at - 1)) {
			libsnap_array_set32(&o->order, count, at - 1);
			libsnap_array_set32(&o->number, at - 1, ++count);
		}
	}
}

static enum snap_status order_nodes(struct growing *growing, struct ordering *o,
				    struct snap_error *error)
{
	struct side *side = growing->side;
	struct budget *budget = &side->answer->budget;
	uint32_t classes = side->answer->space.groups.count;
	uint64_t nodes = (uint64_t)growing->nodes.count + 1;
	struct libsnap_array *arrays[] = {&o->same_class, &o->child, &o->next, &o->order,
					  &o->number};
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

static enum snap_status write_tree(struct growing *growing, struct ordering *o)
{

	struct making *making = growing->making;
	struct side *side = growing->side;
	uint64_t classes = making->classes.row_count, nodes = making->nodes.row_count;
	enum snap_status status = SNAP_OK;
	for (uint32_t at = 0; status == SNAP_OK && at < growing->nodes.count; at++) {
		uint32_t i = libsnap_array_get32(&o->order, at);
		struct node node = node_at(growing, i);
		if (node.parent != 0)
			node.parent = libsnap_array_get32(&o->number, node.parent - 1);
		struct sum sum = {0};
		if (growing->sums.count > 0)
			sum = *(const struct sum *)libsnap_array_at(&growing->sums, i);
		status = libsnap_table_row(&making->nodes,
					   (uint64_t[]){classes + node.class + 1,
							node.parent ? nodes + node.parent : 0,
							libsnap_array_get64(&growing->retained, i),
							sum.objects, sum.bytes, sum.count});
	}
	for (uint32_t i = 0; status == SNAP_OK && i < side->answer->space.groups.count; i++)
		status = write_class(growing, i);
	if (status == SNAP_OK && side->classing->parts & SNAP_PART_ROOT)
		status = write_roots(making, side);
	if (status == SNAP_OK && side->classing->parts & SNAP_PART_PATH)
		status = write_steps(making, side);
	return status;
}

static enum snap_status take_classes(void *context, struct side *side, struct snap_error *error)
{
	struct growing growing = {.making = context, .side = side};
	struct ordering ordering = {.order = {0}};
	enum snap_status status = SNAP_OK;
	if ((side->classing->parts & SNAP_PART_PATH) &&
	    side->answer->space.chains.count > libsnap_index_most(context))
		side->classing->too_many = true;
	if (!side->classing->too_many)
		status = grow_tree(&growing, error);
	side->classing->too_many |= growing.too_many;
	if (status == SNAP_OK && !side->classing->too_many)
		status = order_nodes(&growing, &ordering, error);
	if (status == SNAP_OK && !side->classing->too_many)
		status = write_tree(&growing, &ordering);
	libsnap_array_end(&ordering.order);
	libsnap_array_end(&ordering.number);
	libsnap_interner_end(&growing.nodes);
	libsnap_array_end(&growing.open);
	libsnap_array_end(&growing.retained);
	libsnap_array_end(&growing.sums);
	libsnap_array_end(&growing.first);
	return status;
}

static unsigned absent_parts(const struct making *making)
{
	static const struct {
		unsigned part;
		uint32_t column;
	} each[] = {{SNAP_PART_STACK, SNAP_OBJECT_STACK},
		    {SNAP_PART_THREAD, SNAP_OBJECT_THREAD},
		    {SNAP_PART_DOMAIN, SNAP_OBJECT_DOMAIN},
		    {SNAP_PART_GENERATION, SNAP_OBJECT_GENERATION},
		    {SNAP_PART_REFCOUNT, SNAP_OBJECT_REFCOUNT}};
	unsigned absent = 0;
	for (size_t i = 0; i < sizeof(each) / sizeof(each[0]); i++)
		if (!snap_reader_has_column(making->reader, each[i].column))
			absent |= each[i].part;
	return absent;
}

/* Ids are packed in pairs. */
static bool has_small_ids(const struct making *making)
{
	static const enum snap_table tables[] = {SNAP_TYPES, SNAP_SHAPES, SNAP_STACKS,
						 SNAP_THREADS};
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		if (snap_reader_row_count(making->reader, tables[i]) > UINT32_MAX)
			return false;
	return true;
}

enum snap_status libsnap_index_write_classes(struct making *making, struct snap_writer *w)
{
	enum snap_status status = SNAP_OK;
	unsigned told[sizeof(wanted) / sizeof(wanted[0])] = {0}, absent = absent_parts(making);
	libsnap_table_begin(&making->classes, w, SNAP_INDEX_CLASSES, UINT64_MAX);
	libsnap_table_begin(&making->nodes, w, SNAP_INDEX_NODES, UINT64_MAX);
	libsnap_table_begin(&making->steps, w, SNAP_INDEX_STEPS, UINT64_MAX);
	libsnap_table_begin(&making->roots, w, SNAP_INDEX_ROOTS, UINT64_MAX);
	for (size_t i = 0; status == SNAP_OK && i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		bool is_told = !has_small_ids(making);
		for (size_t j = 0; j < i; j++)
			is_told |= (told[j] & wanted[i].parts) == wanted[i].parts;
		if (is_told)
			continue;
		struct classing classing = {.parts = wanted[i].parts | absent,
					    .most = (uint32_t)libsnap_index_most(making)};
		status = libsnap_index_ask(making, wanted[i].key, &classing, take_classes,
					   &w->problem);
		if (classing.too_many)
			status = SNAP_OK;
		else
			told[i] = classing.parts;
	}
	status = libsnap_table_end(&making->classes, status);
	status = libsnap_table_end(&making->nodes, status);
	status = libsnap_table_end(&making->steps, status);
	return libsnap_table_end(&making->roots, status);
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
		status = libsnap_table_row(
			table, (uint64_t[]){label.part[0], label.part[1], label_of(&label),
					    sum.exact.count, sum.exact.bytes,
					    libsnap_retained_at(answer, 0, group)});
	}
	libsnap_array_end(&told);
	if (status == SNAP_OK)
		status = libsnap_table_row(table, (uint64_t[]){0, 0, SNAP_LABEL_NONE, 0,
							       side->total.exact.bytes,
							       answer->info.retained});
	return status;
}

enum snap_status libsnap_index_write_fields(struct making *making, struct snap_writer *w)
{
	libsnap_table_begin(&making->fields, w, SNAP_INDEX_FIELDS, UINT64_MAX);
	enum snap_status status =
		libsnap_index_ask(making, SNAP_KEY_FIELD, NULL, take_fields, &w->problem);
	return libsnap_table_end(&making->fields, status);
}
