/* Verification: the index is of this snapshot, its trees
 * have no circles, and its sums agree (FORMAT.md, 7.5). */
#include "reader.h"

#define STRETCH   65536u
#define MAP_WORDS 64u

struct checking {
	struct snap_reader *reader;
	struct snap_index_info info;
	uint32_t *dominator, *parent, *marks; /* ids, 0: none; marks: the climb that found a row */
	uint64_t objects;
	uint64_t reached, bytes, in_cycles;
	uint64_t all_bytes, all_count;
	uint32_t *tree_of; /* by class, from 1 */
	uint64_t trees, tree, parts, first_node, node_bytes, node_count;
	uint64_t tree_bytes, tree_count; /* what is missing of the tree that is looked at */
	struct top *tops;                /* while rows are checked, marks are the numbers of tops */
	/* large: tops that retain the least bytes or more */
	uint64_t top_count, found, large, least;
	bool has_parts;
};

struct top {
	uint64_t row, retained, dominator, largest; /* ids but for row */
	uint64_t left; /* what it retains, but what hangs on it and tops below */
};

static enum snap_status wrong(struct snap_error *error, const char *what)
{
	return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET, "the index: %s", what);
}

/* ---- objects ---- */

static const char *check_row(struct checking *c, uint64_t row, const uint64_t *const *values,
			     size_t i)
{
	uint64_t dominator = values[0][i], held = values[1][i], parent = values[2][i], own,
		 retained;
	bool reached = dominator != row + 1;
	c->all_bytes += values[4][i] * values[5][i];
	c->all_count += values[5][i];
	c->in_cycles += values[3][i] != 0;
	c->dominator[row] = reached ? (uint32_t)dominator : 0;
	c->parent[row] = (uint32_t)(parent != 0 ? parent : c->dominator[row]);
	if (!reached)
		return held || parent ? "what no root reaches holds something or has a parent"
				      : NULL;
	if (libsnap_multiply_overflows(values[4][i], values[5][i], &own) ||
	    libsnap_add_overflows(own, held, &retained))
		return "an object retains more than 2^64 - 1 bytes";
	c->reached++;
	c->large -= c->least != 0 && retained >= c->least;
	if (c->marks[row] != 0) {
		const struct top *top = &c->tops[c->marks[row] - 1];
		if (top->retained != retained || top->dominator != dominator)
			return "a top retains or is dominated otherwise";
		c->marks[row] = 0;
		c->found++;
	}
	if (dominator == 0 && libsnap_add_overflows(c->bytes, retained, &c->bytes))
		return "the roots retain more than 2^64 - 1 bytes";
	return NULL;
}

/* Objects and what the index says of each lie in different tables, with the same rows. */
static enum snap_status check_rows(struct checking *c, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_DOMINATOR, SNAP_INDEX_HELD,
					   SNAP_INDEX_PARENT,    SNAP_INDEX_CYCLE,
					   SNAP_OBJECT_SIZE,     SNAP_OBJECT_COUNT};
	struct snap_column *cursors[6] = {NULL};
	enum { BATCH = 1024 };
	uint64_t values[6][BATCH];
	const uint64_t *rows[6];
	const char *reason = NULL;
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; status == SNAP_OK && i < 6; i++) {
		status = snap_column_open(&cursors[i], c->reader, columns[i], error);
		rows[i] = values[i];
	}
	for (uint64_t first = 0, count; status == SNAP_OK && !reason && first < c->objects;
	     first += count) {
		count = c->objects - first < BATCH ? c->objects - first : BATCH;
		for (size_t i = 0; status == SNAP_OK && i < 6; i++)
			status = snap_column_read(cursors[i], first, (size_t)count, values[i],
						  error);
		for (size_t i = 0; status == SNAP_OK && !reason && i < count; i++)
			reason = check_row(c, first + i, rows, i);
	}
	for (size_t i = 0; i < 6; i++)
		snap_column_close(cursors[i]);
	return status == SNAP_OK && reason ? wrong(error, reason) : status;
}

/* ---- tops ---- */

typedef const char *check_values(struct checking *, uint64_t first, size_t count,
				 const uint64_t *const *values);

static enum snap_status each_batch(struct checking *c, const uint32_t *columns, size_t column_count,
				   check_values *check, struct snap_error *error)
{
	struct snap_scan *scan = NULL;
	const char *reason = NULL;
	enum snap_status status = snap_scan_open(&scan, c->reader, columns, column_count, error);
	while (status == SNAP_OK && reason == NULL) {
		uint64_t first;
		size_t count;
		const uint64_t *const *values;
		status = snap_scan_next(scan, &first, &count, &values, error);
		if (status == SNAP_OK)
			reason = check(c, first, count, values);
	}
	snap_scan_close(scan);
	if (reason != NULL)
		return wrong(error, reason);
	return status == SNAP_END ? SNAP_OK : status;
}

static const char *take_tops(struct checking *c, uint64_t first, size_t count,
			     const uint64_t *const *values)
{
	for (size_t i = 0; i < count; i++) {
		struct top *top = &c->tops[first + i];
		*top = (struct top){values[0][i] - 1, values[1][i], values[2][i], values[3][i],
				    values[1][i]};
		if (first + i > 0 &&
		    (top->retained > top[-1].retained ||
		     (top->retained == top[-1].retained && top->row <= top[-1].row)))
			return "tops come in no order";
		if (c->marks[top->row] != 0)
			return "a top is there twice";
		c->marks[top->row] = (uint32_t)(first + i + 1);
		c->large += c->least != 0 && top->retained >= c->least;
	}
	return NULL;
}

/* What tops below others retain is theirs. */
static const char *link_tops(struct checking *c)
{
	for (uint64_t i = 0; i < c->top_count; i++) {
		const struct top *top = &c->tops[i];
		uint32_t above = top->dominator != 0 ? c->marks[top->dominator - 1] : 0;
		if (top->dominator != 0 && above == 0)
			return "what dominates a top is none";
		if (above != 0 && top->retained >= c->least)
			c->tops[above - 1].left -= top->retained;
	}
	return NULL;
}

static enum snap_status load_tops(struct checking *c, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_TOP_OBJECT, SNAP_INDEX_TOP_RETAINED,
					   SNAP_INDEX_TOP_DOMINATOR, SNAP_INDEX_TOP_LARGEST};
	void *memory = NULL;
	c->top_count = c->reader->rows[SNAP_INDEX_TOPS];
	c->least = c->info.facts[SNAP_FACT_TOP_BYTES];
	enum snap_status status = libsnap_reader_resize(c->reader, &memory, 0, (size_t)c->top_count,
							sizeof(*c->tops), error);
	c->tops = memory;
	for (uint64_t row = 0; status == SNAP_OK && row < c->objects; row++)
		c->marks[row] = 0;
	if (status == SNAP_OK)
		status = each_batch(c, columns, 4, take_tops, error);
	const char *reason = status == SNAP_OK ? link_tops(c) : NULL;
	return reason != NULL ? wrong(error, reason) : status;
}

static const char *check_part_rows(struct checking *c, uint64_t first, size_t count,
				   const uint64_t *const *values)
{
	(void)first;
	for (size_t i = 0; i < count; i++) {
		uint64_t top = values[0][i], kind = values[1][i];
		if ((top == 0) != (kind == SNAP_TOP_LOOSE) ||
		    (top != 0 && c->tops[top - 1].retained < c->least))
			return "what hangs on no top has one, or the other way about";
		c->has_parts = true;
		if (kind == SNAP_TOP_HELD)
			c->tops[top - 1].left -= values[2][i];
	}
	return NULL;
}

static enum snap_status check_tops(struct checking *c, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_PART_TOP, SNAP_INDEX_PART_KIND,
					   SNAP_INDEX_PART_BYTES};
	if (c->found != c->top_count || c->large != 0)
		return wrong(error, "tops are not those that retain most");
	for (uint64_t i = 0; i < c->top_count; i++)
		if (c->tops[i].largest != 0 &&
		    c->dominator[c->tops[i].largest - 1] != c->tops[i].row + 1)
			return wrong(error, "a top does not dominate the largest one below it");
	enum snap_status status = each_batch(c, columns, 3, check_part_rows, error);
	for (uint64_t i = 0; status == SNAP_OK && c->has_parts && i < c->top_count; i++)
		if (c->tops[i].retained >= c->least && c->tops[i].left != 0)
			status = wrong(error, "what hangs on a top is not what it retains");
	return status;
}

/* ---- no circles ---- */

static bool has_circle(struct checking *c, const uint32_t *above)
{
	for (uint64_t row = 0; row < c->objects; row++)
		c->marks[row] = 0;
	for (uint32_t row = 0; row < c->objects; row++) {
		uint32_t id = row + 1;
		while (id != 0 && c->marks[id - 1] == 0) {
			c->marks[id - 1] = row + 1;
			id = above[id - 1];
		}
		if (id != 0 && c->marks[id - 1] == row + 1)
			return true;
	}
	return false;
}

static enum snap_status take(struct checking *c, uint32_t **array, struct snap_error *error)
{
	void *memory = NULL;
	enum snap_status status = libsnap_reader_resize(c->reader, &memory, 0, (size_t)c->objects,
							sizeof(**array), error);
	*array = memory;
	return status;
}

static enum snap_status check_objects(struct checking *c, struct snap_error *error)
{
	if (c->objects >= UINT32_MAX)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "an index of too many objects");
	enum snap_status status = take(c, &c->dominator, error);
	if (status == SNAP_OK)
		status = take(c, &c->parent, error);
	if (status == SNAP_OK)
		status = take(c, &c->marks, error);
	if (status == SNAP_OK)
		status = load_tops(c, error);
	if (status == SNAP_OK)
		status = check_rows(c, error);
	if (status == SNAP_OK)
		status = check_tops(c, error);
	if (status == SNAP_OK && has_circle(c, c->dominator))
		status = wrong(error, "dominators go in a circle");
	if (status == SNAP_OK && has_circle(c, c->parent))
		status = wrong(error, "parents go in a circle");
	if (status == SNAP_OK && (c->reached != c->info.facts[SNAP_FACT_REACHED_OBJECTS] ||
				  c->bytes != c->info.facts[SNAP_FACT_REACHED_BYTES]))
		status = wrong(error, "what the roots retain is not what they reach");
	libsnap_reader_free(c->reader, c->dominator, (size_t)c->objects, sizeof(uint32_t));
	libsnap_reader_free(c->reader, c->parent, (size_t)c->objects, sizeof(uint32_t));
	libsnap_reader_free(c->reader, c->marks, (size_t)c->objects, sizeof(uint32_t));
	libsnap_reader_free(c->reader, c->tops, (size_t)c->top_count, sizeof(*c->tops));
	return status;
}

/* ---- small tables ---- */

static enum snap_status check_cycles(struct checking *c, struct snap_error *error)
{
	const uint32_t column = SNAP_INDEX_CYCLE_OBJECTS;
	struct snap_scan *scan = NULL;
	uint64_t sum = 0;
	enum snap_status status = snap_scan_open(&scan, c->reader, &column, 1, error);
	while (status == SNAP_OK) {
		uint64_t first;
		size_t count;
		const uint64_t *const *values;
		status = snap_scan_next(scan, &first, &count, &values, error);
		for (size_t i = 0; status == SNAP_OK && i < count; i++)
			sum += values[0][i];
	}
	snap_scan_close(scan);
	if (status == SNAP_END && sum != c->in_cycles)
		return wrong(error, "cycles have more or fewer objects than are in one");
	return status == SNAP_END ? SNAP_OK : status;
}

/* ---- classes, and the nodes of their trees ---- */

static const char *check_parents(struct checking *c, uint64_t first, size_t count,
				 const uint64_t *const *values)
{
	(void)c;
	for (size_t i = 0; i < count; i++)
		if (values[0][i] > first + i)
			return "a parent is no earlier row";
	return NULL;
}

/* Classes with the same parts, one after the other, are a tree: of all objects. */
static const char *check_class_rows(struct checking *c, uint64_t first, size_t count,
				    const uint64_t *const *values)
{
	for (size_t i = 0; i < count; i++) {
		if (first + i == 0 || values[0][i] != c->parts) {
			if (c->tree_bytes != 0 || c->tree_count != 0)
				return "the classes of a tree are not all objects";
			c->parts = values[0][i];
			c->tree_bytes = c->all_bytes;
			c->tree_count = c->all_count;
			c->trees++;
		}
		c->tree_bytes -= values[1][i];
		c->tree_count -= values[2][i];
		c->tree_of[first + i] = (uint32_t)c->trees;
	}
	return NULL;
}

static const char *check_node_rows(struct checking *c, uint64_t first, size_t count,
				   const uint64_t *const *values)
{
	for (size_t i = 0; i < count; i++) {
		uint64_t tree = c->tree_of[values[0][i] - 1], parent = values[1][i];
		if (tree != c->tree) {
			if (c->tree_bytes != 0 || tree != c->tree + 1)
				return "what the nodes of a tree retain is not what is reached";
			c->tree = tree;
			c->node_bytes = c->node_count = 0;
			c->first_node = first + i;
			c->tree_bytes = c->info.facts[SNAP_FACT_REACHED_BYTES];
		}
		if (parent != 0 && (parent > first + i || parent <= c->first_node))
			return "a node's parent is no earlier one of its tree";
		c->tree_bytes -= parent == 0 ? values[2][i] : 0;
		if (libsnap_add_overflows(c->node_bytes, values[3][i], &c->node_bytes) ||
		    libsnap_add_overflows(c->node_count, values[4][i], &c->node_count) ||
		    c->node_bytes > c->all_bytes || c->node_count > c->all_count)
			return "there are more objects at nodes than there are";
	}
	return NULL;
}

static enum snap_status check_trees(struct checking *c, struct snap_error *error)
{
	static const uint32_t classes[] = {SNAP_INDEX_CLASS_PARTS, SNAP_INDEX_CLASS_BYTES,
					   SNAP_INDEX_CLASS_COUNT};
	static const uint32_t nodes[] = {SNAP_INDEX_NODE_CLASS, SNAP_INDEX_NODE_PARENT,
					 SNAP_INDEX_NODE_RETAINED, SNAP_INDEX_NODE_BYTES,
					 SNAP_INDEX_NODE_COUNT};
	uint64_t rows = c->reader->rows[SNAP_INDEX_CLASSES];
	void *memory = NULL;
	if (rows >= UINT32_MAX)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "an index of too many classes");
	enum snap_status status = libsnap_reader_resize(c->reader, &memory, 0, (size_t)rows,
							sizeof(*c->tree_of), error);
	c->tree_of = memory;
	if (status == SNAP_OK)
		status = each_batch(c, classes, 3, check_class_rows, error);
	if (status == SNAP_OK && (c->tree_bytes != 0 || c->tree_count != 0))
		status = wrong(error, "the classes of a tree are not all objects");
	if (status == SNAP_OK)
		status = each_batch(c, nodes, 5, check_node_rows, error);
	if (status == SNAP_OK &&
	    (c->tree_bytes != 0 ||
	     (c->tree != c->trees && c->info.facts[SNAP_FACT_REACHED_BYTES] != 0)))
		status = wrong(error, "what the nodes of a tree retain is not what is reached");
	libsnap_reader_free(c->reader, memory, (size_t)rows, sizeof(*c->tree_of));
	return status;
}

static enum snap_status check_classes(struct checking *c, struct snap_error *error)
{
	static const uint32_t steps[] = {SNAP_INDEX_STEP_PARENT},
			      roots[] = {SNAP_INDEX_ROOT_PARENT};
	enum snap_status status = check_trees(c, error);
	if (status == SNAP_OK)
		status = each_batch(c, steps, 1, check_parents, error);
	return status == SNAP_OK ? each_batch(c, roots, 1, check_parents, error) : status;
}

static uint64_t stretches(uint64_t rows)
{
	return rows / STRETCH + (rows % STRETCH != 0);
}

static enum snap_status check_sizes(const struct checking *c, struct snap_error *error)
{
	const uint64_t *rows = c->reader->rows;
	uint64_t maps = stretches(rows[SNAP_REFERENCES]) + stretches(c->objects);
	if (rows[SNAP_INDEX_SPANS] != 0 && rows[SNAP_INDEX_SPANS] != stretches(c->objects))
		return wrong(error, "spans are not as many as stretches of objects");
	if (rows[SNAP_INDEX_MAPS] != 0 && rows[SNAP_INDEX_MAPS] != maps * MAP_WORDS)
		return wrong(error, "maps are not as many as stretches");
	return SNAP_OK;
}

enum snap_status libsnap_verify_index(struct snap_reader *reader, struct snap_error *error)
{
	struct checking c = {.reader = reader, .objects = reader->rows[SNAP_OBJECTS]};
	enum snap_status status = libsnap_find_index(reader, &c.info, error);
	if (status != SNAP_OK || c.info.state == SNAP_INDEX_ABSENT)
		return status;
	if (c.info.state == SNAP_INDEX_FOREIGN)
		return wrong(error, "it was made of another snapshot, or is not whole");
	status = check_sizes(&c, error);
	if (status == SNAP_OK)
		status = check_objects(&c, error);
	if (status == SNAP_OK)
		status = check_classes(&c, error);
	return status == SNAP_OK ? check_cycles(&c, error) : status;
}
