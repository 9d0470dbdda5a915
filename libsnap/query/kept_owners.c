/* The largest owners, from what the index of a snapshot has: the objects that
 * retain most, and classes for how many there are (FORMAT.md, section 7.5). */
#include <stdlib.h>

#include "query.h"

#define TOPS_MAX 1048576u

/* ---- how many owners there are ---- */

struct counting {
	struct side *side;
	struct libsnap_array keeps;   /* by class: whether its objects may be owners */
	struct libsnap_array covered; /* by node: whether one above it, or it, is of such a class */
};

static enum snap_status take_classes(void *context, uint64_t first, size_t count,
				     const uint64_t *const *values, struct snap_error *error)
{
	(void)error;
	struct counting *counting = context;
	struct side *side = counting->side;
	for (size_t i = 0; i < count; i++) {
		uint64_t class = first + i - side->kept.first_class;
		const struct query_row row = {
			.type = values[0][i], .stack = values[1][i], .domain = values[2][i]};
		if (first + i < side->kept.first_class || class >= side->kept.class_count)
			continue;
		side->any_rows = true;
		side->present |= (row.type ? DIMENSION(SNAP_BY_TYPE) : 0) |
				 (row.stack ? DIMENSION(SNAP_BY_STACK) : 0);
		libsnap_array_set32(&counting->keeps, class, libsnap_may_own(side, &row));
	}
	return SNAP_OK;
}

enum { CLASS, PARENT, RETAINED, OBJECTS, BYTES, COUNT };

static enum snap_status take_nodes(void *context, uint64_t first, size_t count,
				   const uint64_t *const *values, struct snap_error *error)
{
	struct counting *counting = context;
	struct side *side = counting->side;
	struct owners *owners = &side->owners;
	for (size_t i = 0; i < count; i++) {
		uint64_t class = values[CLASS][i] - 1 - side->kept.first_class;
		uint64_t parent = values[PARENT][i];
		bool fits = true;
		if (values[CLASS][i] <= side->kept.first_class || class >= side->kept.class_count)
			continue;
		if (parent > first + i)
			return libsnap_wrong_index(error);
		bool keeps = libsnap_array_get32(&counting->keeps, class);
		bool covered = parent && libsnap_array_get32(&counting->covered, parent - 1);
		libsnap_array_set32(&counting->covered, first + i, covered || keeps);
		if (covered || !keeps)
			continue;
		fits &= !libsnap_add_overflows(owners->objects, values[OBJECTS][i],
					       &owners->objects);
		fits &= !libsnap_add_overflows(owners->retained, values[RETAINED][i],
					       &owners->retained);
		fits &= !libsnap_add_overflows(owners->sum.bytes, values[BYTES][i],
					       &owners->sum.bytes);
		fits &= !libsnap_add_overflows(owners->sum.count, values[COUNT][i],
					       &owners->sum.count);
		if (!fits || owners->sum.bytes > SUM_MAX || owners->sum.count > SUM_MAX)
			return libsnap_too_much(error);
	}
	return SNAP_OK;
}

static enum snap_status count_owners(struct side *side, struct snap_error *error)
{
	static const uint32_t classes[] = {SNAP_INDEX_CLASS_TYPE, SNAP_INDEX_CLASS_STACK,
					   SNAP_INDEX_CLASS_DOMAIN};
	static const uint32_t nodes[] = {SNAP_INDEX_NODE_CLASS,    SNAP_INDEX_NODE_PARENT,
					 SNAP_INDEX_NODE_RETAINED, SNAP_INDEX_NODE_OBJECTS,
					 SNAP_INDEX_NODE_BYTES,    SNAP_INDEX_NODE_COUNT};
	struct budget *budget = &side->answer->budget;
	struct counting counting = {.side = side};
	enum snap_status status = libsnap_budget_array(
		budget, &counting.keeps, side->kept.class_count, sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &counting.covered,
					      snap_reader_row_count(side->reader, SNAP_INDEX_NODES),
					      sizeof(uint32_t), error);
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(&side->names, classes, 3, take_classes, &counting,
						  error);
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(&side->names, nodes, 6, take_nodes, &counting,
						  error);
	libsnap_array_end(&counting.keeps);
	libsnap_array_end(&counting.covered);
	return status;
}

/* ---- which ---- */

enum state { UNKNOWN, FREE, OWNER, OWNED };

struct top {
	uint64_t row, retained, dominator; /* dominator: + 1 */
	uint32_t above;                    /* the top that it is, + 1 */
	enum state state;
};

struct listing {
	struct side *side;
	struct top *tops; /* by row */
	uint32_t *way;    /* from a top up to one whose state is known */
	size_t count, capacity;
	struct snap_column *stacks, *domains;
};

static enum snap_status take_tops(void *context, uint64_t first, size_t count,
				  const uint64_t *const *values, struct snap_error *error)
{
	(void)error;
	struct listing *listing = context;
	for (size_t i = 0; i < count && first + i < listing->capacity; i++)
		listing->tops[listing->count++] = (struct top){.row = values[0][i] - 1,
							       .retained = values[1][i],
							       .dominator = values[2][i]};
	return SNAP_OK;
}

static int by_row(const void *left, const void *right)
{
	const struct top *a = left, *b = right;
	return a->row < b->row ? -1 : a->row > b->row;
}

static int by_retained(const void *left, const void *right)
{
	const struct top *a = left, *b = right;
	if (a->retained != b->retained)
		return a->retained > b->retained ? -1 : 1;
	return by_row(left, right);
}

/* All dominators of tops are tops. */
static enum snap_status link_tops(struct listing *listing, struct snap_error *error)
{
	qsort(listing->tops, listing->count, sizeof(*listing->tops), by_row);
	for (size_t i = 0; i < listing->count; i++) {
		struct top *top = &listing->tops[i];
		const struct top key = {.row = top->dominator - 1};
		const struct top *above = top->dominator == 0
						  ? NULL
						  : bsearch(&key, listing->tops, listing->count,
							    sizeof(*listing->tops), by_row);
		if ((top->dominator != 0 && above == NULL) || top->retained == 0 ||
		    (i > 0 && top->row == top[-1].row))
			return libsnap_wrong_index(error);
		top->above = above ? (uint32_t)(above - listing->tops) + 1 : 0;
	}
	return SNAP_OK;
}

static enum snap_status load_tops(struct listing *listing, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_TOP_OBJECT, SNAP_INDEX_TOP_RETAINED,
					   SNAP_INDEX_TOP_DOMINATOR};
	struct side *side = listing->side;
	struct budget *budget = &side->answer->budget;
	uint64_t count = snap_reader_row_count(side->reader, SNAP_INDEX_TOPS);
	if (count > TOPS_MAX)
		return libsnap_wrong_index(error);
	listing->capacity = (size_t)count;
	listing->tops = libsnap_alloc(&budget->allocator, listing->capacity, sizeof(struct top));
	listing->way = libsnap_alloc(&budget->allocator, listing->capacity, sizeof(uint32_t));
	if (!listing->tops || !listing->way)
		return libsnap_budget_fail(budget, error);
	enum snap_status status =
		libsnap_query_each_batch(&side->names, columns, 3, take_tops, listing, error);
	return status == SNAP_OK ? link_tops(listing, error) : status;
}

static void free_tops(struct listing *listing)
{
	const struct snap_allocator *memory = &listing->side->answer->budget.allocator;
	libsnap_free(memory, listing->tops, listing->capacity, sizeof(struct top));
	libsnap_free(memory, listing->way, listing->capacity, sizeof(uint32_t));
	snap_column_close(listing->stacks);
	snap_column_close(listing->domains);
}

static enum snap_status judge(struct listing *listing, struct top *top, bool covered,
			      struct snap_error *error)
{
	struct side *side = listing->side;
	struct query_row row = {.type = snap_graph_type(side->graph, top->row)};
	enum snap_status status = SNAP_OK;
	if (side->filter.needs_stacks)
		status = snap_column_read(listing->stacks, top->row, 1, &row.stack, error);
	if (status == SNAP_OK && side->filter.needs_domains)
		status = snap_column_read(listing->domains, top->row, 1, &row.domain, error);
	top->state = covered                                            ? OWNED
		     : status == SNAP_OK && libsnap_may_own(side, &row) ? OWNER
									: FREE;
	return status;
}

/* From the roots down, along the way from each. */
static enum snap_status judge_tops(struct listing *listing, struct snap_error *error)
{
	struct side *side = listing->side;
	enum snap_status status =
		snap_column_open(&listing->stacks, side->reader, SNAP_OBJECT_STACK, error);
	if (status == SNAP_OK)
		status = snap_column_open(&listing->domains, side->reader, SNAP_OBJECT_DOMAIN,
					  error);
	for (uint32_t i = 0; status == SNAP_OK && i < listing->count; i++) {
		size_t length = 0;
		uint32_t at = i + 1;
		for (; at != 0 && listing->tops[at - 1].state == UNKNOWN;
		     at = listing->tops[at - 1].above) {
			if (length == listing->count)
				return libsnap_wrong_index(error);
			listing->way[length++] = at;
		}
		bool covered = at != 0 && listing->tops[at - 1].state != FREE;
		while (status == SNAP_OK && length > 0) {
			struct top *top = &listing->tops[listing->way[--length] - 1];
			status = judge(listing, top, covered, error);
			covered = top->state != FREE;
		}
	}
	return status;
}

/* Only those that retain most are asked for. */
static bool wants_first(const struct side *side)
{
	return side->options->max_rows > 0 && side->options->order == SNAP_ORDER_RETAINED &&
	       !side->answer->info.compared;
}

/* How many of those found, most first, are told: ties with
 * the last one are, too.  False: there may be others. */
static bool are_enough(const struct listing *listing, size_t found, size_t *told)
{
	const struct side *side = listing->side;
	const struct top *tops = listing->tops;
	uint64_t wanted = side->options->max_rows;
	*told = found;
	if (found == side->owners.objects && (!wants_first(side) || wanted >= found))
		return true;
	if (!wants_first(side) || wanted > found || wanted == 0)
		return false;
	uint64_t last = tops[wanted - 1].retained;
	size_t end = (size_t)wanted;
	while (end < found && tops[end].retained == last)
		end++;
	*told = end;
	/* Without patterns those that retain most are all there. */
	return found == side->owners.objects || last >= side->index.facts[SNAP_FACT_TOP_BYTES] ||
	       (end < found && side->options->pattern_count == 0);
}

static enum snap_status list_owners(struct listing *listing, struct snap_error *error)
{
	struct side *side = listing->side;
	struct top *tops = listing->tops;
	size_t found = 0, told;
	for (size_t i = 0; i < listing->count; i++)
		if (tops[i].state == OWNER)
			tops[found++] = tops[i];
	if (found > side->owners.objects)
		return libsnap_wrong_index(error);
	qsort(tops, found, sizeof(*tops), by_retained);
	if (!are_enough(listing, found, &told))
		return SNAP_OK;
	side->owners.are_cut = true;
	for (size_t i = 0; i < told; i++)
		if (tops[i].row < side->object_count)
			libsnap_array_set_bit(&side->bits, tops[i].row);
	return SNAP_OK;
}

enum snap_status libsnap_kept_find_owners(struct side *side, struct snap_error *error)
{
	struct listing listing = {.side = side};
	enum snap_status status = count_owners(side, error);
	if (status == SNAP_OK)
		status = load_tops(&listing, error);
	if (status == SNAP_OK)
		status = judge_tops(&listing, error);
	if (status == SNAP_OK)
		status = list_owners(&listing, error);
	free_tops(&listing);
	return status;
}
