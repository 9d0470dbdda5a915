/* What the index of a snapshot has instead of objects: classes of them and
 * the tree of dominators of these, and fields (FORMAT.md, section 7.5). */
#include "query.h"

enum snap_status libsnap_wrong_index(struct snap_error *error)
{
	return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
			    "what the index says is not of this snapshot");
}

/* ---- which classes ---- */

/* What classes must tell for it; 0: there are none. */
static unsigned parts_of_key(enum snap_key key)
{
	switch (key) {
	case SNAP_KEY_TYPE:
	case SNAP_KEY_DOMINATOR: return SNAP_PART_TYPE;
	case SNAP_KEY_SHAPE: return SNAP_PART_SHAPE;
	case SNAP_KEY_LINENO:
	case SNAP_KEY_FILENAME:
	case SNAP_KEY_FUNCTION:
	case SNAP_KEY_TRACEBACK:
	case SNAP_KEY_MODULE: return SNAP_PART_STACK;
	case SNAP_KEY_THREAD: return SNAP_PART_THREAD;
	case SNAP_KEY_DOMAIN: return SNAP_PART_DOMAIN;
	case SNAP_KEY_SIZE: return SNAP_PART_SIZE;
	case SNAP_KEY_GENERATION: return SNAP_PART_GENERATION;
	case SNAP_KEY_REFCOUNT: return SNAP_PART_REFCOUNT;
	case SNAP_KEY_FILL: return SNAP_PART_TYPE | SNAP_PART_PLACES;
	case SNAP_KEY_ROOT: return SNAP_PART_ROOT;
	case SNAP_KEY_PATH: return SNAP_PART_PATH;
	default: return 0;
	}
}

static unsigned parts_of_patterns(const struct filter *filter)
{
	return (filter->needs_types ? SNAP_PART_TYPE : 0u) |
	       (filter->needs_stacks ? SNAP_PART_STACK : 0u) |
	       (filter->needs_domains ? SNAP_PART_DOMAIN : 0u);
}

struct choice {
	unsigned wanted, parts;
	uint64_t first, count;
};

/* The first classes that tell enough, up to those with other parts. */
static enum snap_status choose_classes(struct side *side, struct snap_error *error)
{
	static const uint32_t column = SNAP_INDEX_CLASS_PARTS;
	unsigned wanted = parts_of_key(side->options->key) | parts_of_patterns(&side->filter);
	struct kept *kept = &side->kept;
	struct scan scan = scan_begin(side->reader, &column, 1, error);
	while (scan_next(&scan)) {
		uint64_t parts = scan_value(&scan, 0);
		if (kept->parts && parts != kept->parts)
			break;
		if (!kept->parts && (parts & wanted) == wanted && parts <= UINT32_MAX) {
			kept->parts = (unsigned)parts;
			kept->first_class = scan.row;
		}
		kept->class_count += kept->parts != 0;
	}
	return scan_end(&scan, NULL);
}

/* Patterns of types take duplicates as wholes, or leave them. */
static enum snap_status choose_duplicates(struct side *side, struct snap_error *error)
{
	struct kept *kept = &side->kept;
	if (!kept->has_duplicates || side->options->pattern_count == 0)
		return SNAP_OK;
	kept->has_duplicates = false;
	if (side->filter.needs_stacks || side->filter.needs_domains)
		return SNAP_OK;
	enum snap_status status = choose_classes(side, error);
	bool is_told = kept->parts != 0;
	kept->parts = 0;
	return status == SNAP_OK && is_told
		       ? libsnap_kept_add_up_duplicates(side, &kept->has_duplicates, error)
		       : status;
}

enum snap_status libsnap_kept_prepare(struct side *side, struct snap_error *error)
{
	const struct snap_query_options *options = side->options;
	enum snap_key key = options->key;
	bool asks_graph = options->retained || key == SNAP_KEY_ROOT || key == SNAP_KEY_PATH ||
			  key == SNAP_KEY_FIELD || key == SNAP_KEY_FILL ||
			  key == SNAP_KEY_DUPLICATE;
	if (!asks_graph || options->cumulative || side->graph)
		return SNAP_OK;
	enum snap_status status = snap_reader_index(side->reader, &side->index, error);
	if (status != SNAP_OK || side->index.state != SNAP_INDEX_GOOD)
		return status;
	side->kept.has_fields = key == SNAP_KEY_FIELD &&
				snap_reader_row_count(side->reader, SNAP_INDEX_FIELDS) > 0 &&
				(options->pattern_count == 0 ||
				 (!side->filter.needs_stacks && !side->filter.needs_domains &&
				  snap_reader_row_count(side->reader, SNAP_INDEX_OWNERS) > 0));
	/* Of what is compared, contents that one object has are told, too. */
	side->kept.has_duplicates = key == SNAP_KEY_DUPLICATE && !side->answer->info.compared &&
				    snap_reader_row_count(side->reader, SNAP_INDEX_DUPLICATES) > 0;
	if (parts_of_key(key) == 0)
		return choose_duplicates(side, error);
	status = choose_classes(side, error);
	if (key == SNAP_KEY_DOMINATOR) {
		side->kept.has_tops = status == SNAP_OK && side->kept.parts &&
				      side->index.facts[SNAP_FACT_TOP_BYTES] != 0;
		side->kept.parts = 0;
		return status;
	}
	side->object_count = side->kept.class_count;
	if (status == SNAP_OK && side->kept.parts && options->retained)
		status = libsnap_budget_array(&side->answer->budget, &side->group_of_row,
					      side->object_count, sizeof(uint32_t), error);
	return status;
}

/* ---- classes, instead of objects ---- */

enum {
	PARTS,
	TYPE,
	SHAPE,
	STACK,
	THREAD,
	DOMAIN,
	GENERATION,
	SIZE,
	REFCOUNT,
	ROOT,
	STEP,
	BYTES,
	COUNT,
	PLACES,
	EMPTY,
	HOLLOW,
	COLUMNS
};

struct taking {
	struct side *side;
	libsnap_take_row *take;
};

static struct query_row class_row(struct side *side, uint64_t row, const uint64_t *const *values,
				  size_t i)
{
	side->kept.fill = (struct snap_fill){.places = values[PLACES][i],
					     .empty = values[EMPTY][i],
					     .hollow = values[HOLLOW][i]};
	return (struct query_row){.row = row - side->kept.first_class,
				  .type = values[TYPE][i],
				  .shape = values[SHAPE][i],
				  .stack = values[STACK][i],
				  .thread = values[THREAD][i],
				  .domain = values[DOMAIN][i],
				  .generation = values[GENERATION][i],
				  .size_bucket = values[SIZE][i],
				  .refcount = values[REFCOUNT][i],
				  .bytes = values[BYTES][i],
				  .count = values[COUNT][i]};
}

static enum snap_status take_classes(void *context, uint64_t first, size_t count,
				     const uint64_t *const *values, struct snap_error *error)
{
	const struct taking *taking = context;
	struct side *side = taking->side;
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; status == SNAP_OK && i < count; i++) {
		if (first + i < side->kept.first_class ||
		    first + i - side->kept.first_class >= side->object_count)
			continue;
		if (values[SIZE][i] > 64)
			return libsnap_wrong_index(error);
		struct query_row row = class_row(side, first + i, values, i);
		if (side->options->key == SNAP_KEY_ROOT)
			libsnap_array_set32(&side->path_of, row.row, (uint32_t)values[ROOT][i]);
		if (side->options->key == SNAP_KEY_PATH)
			libsnap_array_set32(
				&side->path_of, row.row,
				libsnap_array_get32(&side->kept.step_of, values[STEP][i]));
		status = taking->take(side, &row, error);
	}
	return status;
}

/* ---- nodes ---- */

static enum snap_status take_node(struct side *side, const struct scan *node,
				  struct snap_error *error)
{
	struct kept *kept = &side->kept;
	uint64_t class = scan_value(node, 0), parent = scan_value(node, 1),
		 retained = scan_value(node, 2);
	if (class <= kept->first_class || class - 1 - kept->first_class >= side->object_count)
		return SNAP_OK;
	uint64_t number = kept->class_of.count, before = node->row - number;
	uint32_t in_tree = (uint32_t)(class - 1 - kept->first_class);
	uint32_t above = parent > before ? (uint32_t)(parent - before) : 0;
	/* The nodes of a tree are together, and a parent comes first. */
	if (parent != 0 && (above == 0 || above > number))
		return libsnap_wrong_index(error);
	if (!libsnap_array_add(&kept->class_of, &in_tree) ||
	    !libsnap_array_add(&kept->parent, &above) ||
	    !libsnap_array_add(&kept->retained, &retained))
		return libsnap_budget_fail(&side->answer->budget, error);
	return SNAP_OK;
}

static enum snap_status load_nodes(struct side *side, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_NODE_CLASS, SNAP_INDEX_NODE_PARENT,
					   SNAP_INDEX_NODE_RETAINED};
	struct budget *budget = &side->answer->budget;
	struct kept *kept = &side->kept;
	enum snap_status status =
		libsnap_budget_array(budget, &kept->class_of, 0, sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &kept->parent, 0, sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &kept->retained, 0, sizeof(uint64_t), error);
	if (status != SNAP_OK)
		return status;
	struct scan scan = scan_begin(side->reader, columns, 3, error);
	while (scan_next(&scan))
		scan.status = take_node(side, &scan, error);
	return scan_end(&scan, NULL);
}

enum snap_status libsnap_kept_add(struct side *side, libsnap_take_row *take,
				  struct snap_error *error)
{
	uint32_t columns[COLUMNS];
	for (uint32_t i = 0; i < COLUMNS; i++)
		columns[i] = SNAP_INDEX_CLASS_PARTS + i;
	enum snap_status status = libsnap_query_each_batch(
		&side->names, columns, COLUMNS, take_classes, &(struct taking){side, take}, error);
	return status == SNAP_OK && side->options->retained ? load_nodes(side, error) : status;
}
