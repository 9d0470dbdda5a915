/* Classes of objects, and the names that they need, for the index (FORMAT.md, section 7.5). */
#include "index.h"

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

/* What is at a node. */
struct sum {
	uint64_t objects, bytes, count;
};

struct telling {
	struct growing growing;
	struct libsnap_array first; /* by class: its first row, + 1 */
	struct libsnap_array sums;  /* by node; or empty */
};

static enum snap_status add_sums(struct telling *telling, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT};
	struct side *side = telling->growing.side;
	enum snap_status status =
		libsnap_budget_array(&side->answer->budget, &telling->sums,
				     telling->growing.nodes.count, sizeof(struct sum), error);
	if (status != SNAP_OK)
		return status;
	struct scan scan = scan_begin(side->reader, columns, 2, error);
	while (scan_next(&scan)) {
		uint32_t node = libsnap_array_get32(&side->group_of_row, scan.row);
		uint64_t size = scan_value(&scan, 0), count = scan_value(&scan, 1);
		if (!(node & AT_NODE))
			continue;
		struct sum *sum = libsnap_array_edit(&telling->sums, (node & ~AT_NODE) - 1);
		sum->objects++;
		sum->bytes += size * count;
		sum->count += count;
	}
	return scan_end(&scan, NULL);
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

uint64_t libsnap_index_label(const struct tuple *step)
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
		status = libsnap_table_row(&making->steps,
					   (uint64_t[]){parent, step.part[0], step.part[1],
							libsnap_index_label(&step)});
	}
	return status;
}

/* ---- classes and nodes ---- */

static enum snap_status write_class(struct telling *telling, uint32_t class)
{
	struct making *making = telling->growing.making;
	struct side *side = telling->growing.side;
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
				   libsnap_array_get64(&telling->first, class)};
	return libsnap_table_row(&making->classes, values);
}

static enum snap_status write_tree(struct telling *telling)
{
	struct growing *growing = &telling->growing;
	struct making *making = growing->making;
	struct side *side = growing->side;
	uint64_t classes = making->classes.row_count, nodes = making->nodes.row_count;
	enum snap_status status = SNAP_OK;
	for (uint32_t at = 0; status == SNAP_OK && at < growing->nodes.count; at++) {
		uint32_t i;
		struct node node = libsnap_index_node(growing, at, &i);
		struct sum sum = {0};
		if (telling->sums.count > 0)
			sum = *(const struct sum *)libsnap_array_at(&telling->sums, i);
		status = libsnap_table_row(&making->nodes,
					   (uint64_t[]){classes + node.class + 1,
							node.parent ? nodes + node.parent : 0,
							libsnap_array_get64(&growing->retained, i),
							sum.objects, sum.bytes, sum.count});
	}
	for (uint32_t i = 0; status == SNAP_OK && i < side->answer->space.groups.count; i++)
		status = write_class(telling, i);
	if (status == SNAP_OK && side->classing->parts & SNAP_PART_ROOT)
		status = write_roots(making, side);
	if (status == SNAP_OK && side->classing->parts & SNAP_PART_PATH)
		status = write_steps(making, side);
	return status;
}

static enum snap_status tell_classes(struct telling *telling, struct snap_error *error)
{
	struct growing *growing = &telling->growing;
	struct classing *classing = growing->side->classing;
	enum snap_status status = libsnap_index_find_first(growing->side, &telling->first, error);
	if (status == SNAP_OK)
		status = libsnap_index_grow(growing, error);
	classing->too_many = growing->too_many;
	if (status != SNAP_OK || growing->too_many)
		return status;
	if (!(classing->parts & (SNAP_PART_ROOT | SNAP_PART_PATH)))
		status = add_sums(telling, error);
	if (status == SNAP_OK)
		status = libsnap_index_order(growing, error);
	return status == SNAP_OK ? write_tree(telling) : status;
}

static enum snap_status take_classes(void *context, struct side *side, struct snap_error *error)
{
	struct telling telling = {.growing = {.making = context, .side = side}};
	enum snap_status status = SNAP_OK;
	if ((side->classing->parts & SNAP_PART_PATH) &&
	    side->answer->space.chains.count > libsnap_index_most(context))
		side->classing->too_many = true;
	if (!side->classing->too_many)
		status = tell_classes(&telling, error);
	libsnap_index_grown(&telling.growing);
	libsnap_array_end(&telling.first);
	libsnap_array_end(&telling.sums);
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
