/* The key dominator: the largest owners, objects that are kept and that no other one of these
 * dominates.  What they retain adds up, since none is below another. */
#include "order.h"
#include "reader.h"

static enum snap_status begin_bits(struct side *side, struct libsnap_array *bits,
				   struct snap_error *error)
{
	return libsnap_budget_array(&side->answer->budget, bits, side->object_count / 64 + 1,
				    sizeof(uint64_t), error);
}

/* Whether the index says what dominates each object, and what it holds. */
static bool is_indexed(const struct side *side)
{
	return side->index.state == SNAP_INDEX_GOOD;
}

/* ---- which ---- */

struct finding {
	struct side *side;
	struct libsnap_array kept;           /* bits by row */
	struct libsnap_array known, covered; /* of others: whether a kept one dominates it */
};

bool libsnap_may_own(struct side *side, const struct query_row *row)
{
	return libsnap_type_at(&side->names, row->type).kind != SNAP_TYPE_SYNTHETIC &&
	       libsnap_side_keeps(side, row);
}

static enum snap_status mark_kept(void *context, const struct query_row *row,
				  struct snap_error *error)
{
	(void)error;
	struct finding *finding = context;
	libsnap_side_note(finding->side, row);
	if (!libsnap_may_own(finding->side, row))
		return SNAP_OK;
	for (uint64_t at = row->row; at <= row->row + row->more; at++)
		if (at < finding->side->object_count)
			libsnap_array_set_bit(&finding->kept, at);
	return SNAP_OK;
}

/* Whether one that is kept is this dominator, or above it: up to one of which that is known. */
static bool is_covered(struct finding *finding, uint64_t dominator)
{
	const struct snap_graph *graph = finding->side->graph;
	uint64_t at = dominator, steps = 0;
	if (at != SNAP_GRAPH_NONE && libsnap_array_has_bit(&finding->kept, at))
		return true;
	/* More steps than objects are a circle, which the graph finds. */
	while (at != SNAP_GRAPH_NONE && !libsnap_array_has_bit(&finding->kept, at) &&
	       !libsnap_array_has_bit(&finding->known, at) &&
	       steps++ <= finding->side->object_count)
		at = snap_graph_dominator(graph, at);
	bool covered = at != SNAP_GRAPH_NONE && (libsnap_array_has_bit(&finding->kept, at) ||
						 libsnap_array_has_bit(&finding->covered, at));
	for (uint64_t row = dominator; row != at && !libsnap_array_has_bit(&finding->known, row);
	     row = snap_graph_dominator(graph, row)) {
		libsnap_array_set_bit(&finding->known, row);
		if (covered)
			libsnap_array_set_bit(&finding->covered, row);
	}
	return covered;
}

static enum snap_status take_dominators(void *context, uint64_t first, size_t count,
					const uint64_t *const *values, struct snap_error *error)
{
	struct finding *finding = context;
	struct side *side = finding->side;
	for (size_t i = 0; i < count; i++) {
		uint64_t row = first + i, id = values[0][i];
		if (row >= side->object_count || id > side->object_count)
			return libsnap_wrong_index(error);
		/* An object that no root reaches is its own. */
		if (id != row + 1 && libsnap_array_has_bit(&finding->kept, row) &&
		    !is_covered(finding, id == 0 ? SNAP_GRAPH_NONE : id - 1))
			libsnap_array_set_bit(&side->bits, row);
	}
	return SNAP_OK;
}

static enum snap_status choose_owners(struct finding *finding, struct snap_error *error)
{
	static const uint32_t column = SNAP_INDEX_DOMINATOR;
	struct side *side = finding->side;
	if (is_indexed(side))
		return libsnap_query_each_batch(&side->names, &column, 1, take_dominators, finding,
						error);
	for (uint64_t row = 0; row < side->object_count; row++)
		if (libsnap_array_has_bit(&finding->kept, row) &&
		    snap_graph_retained(side->graph, row) > 0 &&
		    !is_covered(finding, snap_graph_dominator(side->graph, row)))
			libsnap_array_set_bit(&side->bits, row);
	return SNAP_OK;
}

static enum snap_status find_owners(struct side *side, struct snap_error *error)
{
	struct finding finding = {.side = side};
	struct row_source rows = {.dimensions = NEED_ROWS | DIMENSION(SNAP_BY_TYPE),
				  .together = true,
				  .take = mark_kept,
				  .context = &finding};
	enum snap_status status = begin_bits(side, &finding.kept, error);
	if (status == SNAP_OK)
		status = begin_bits(side, &finding.known, error);
	if (status == SNAP_OK)
		status = begin_bits(side, &finding.covered, error);
	if (status == SNAP_OK)
		status = libsnap_side_rows(side, &rows, error);
	if (status == SNAP_OK)
		status = choose_owners(&finding, error);
	libsnap_array_end(&finding.kept);
	libsnap_array_end(&finding.known);
	libsnap_array_end(&finding.covered);
	return status;
}

/* ---- each of them ---- */

typedef enum snap_status take_owner(void *context, const struct query_row *, uint64_t retained,
				    struct snap_error *);
#define WINDOW 1024u
struct each {
	struct side *side;
	struct snap_column *column; /* held, of the index */
	uint64_t held[WINDOW];
	uint64_t first, end; /* the rows of held */
	take_owner *take;
	void *context;
};

static enum snap_status read_held(struct each *each, uint64_t row, struct snap_error *error)
{
	uint64_t left = each->side->object_count - row;
	if (row < each->end)
		return SNAP_OK;
	each->first = row;
	each->end = row + (left < WINDOW ? left : WINDOW);
	return snap_column_read(each->column, row, (size_t)(each->end - row), each->held, error);
}

static enum snap_status take_row(void *context, const struct query_row *row,
				 struct snap_error *error)
{
	struct each *each = context;
	uint64_t retained = 0;
	if (!each->column) {
		retained = snap_graph_retained(each->side->graph, row->row);
		return each->take(each->context, row, retained, error);
	}
	enum snap_status status = read_held(each, row->row, error);
	if (status == SNAP_OK &&
	    libsnap_add_overflows(row->bytes, each->held[row->row - each->first], &retained))
		return libsnap_too_much(error);
	return retained ? each->take(each->context, row, retained, error) : status;
}

static enum snap_status each_owner(struct side *side, unsigned dimensions, take_owner *take,
				   void *context, struct snap_error *error)
{
	struct each each = {.side = side, .take = take, .context = context};
	struct row_source rows = {.dimensions = NEED_ROWS | dimensions,
				  .only = &side->bits,
				  .take = take_row,
				  .context = &each};
	enum snap_status status = SNAP_OK;
	if (is_indexed(side))
		status = snap_column_open(&each.column, side->reader, SNAP_INDEX_HELD, error);
	if (status == SNAP_OK)
		status = libsnap_side_rows(side, &rows, error);
	snap_column_close(each.column);
	return status;
}

/* ---- the first of them ---- */

struct choosing {
	struct side *side;
	struct chosen chosen;
	bool again;
};

static enum snap_status add_up(struct owners *owners, const struct query_row *row,
			       uint64_t retained, struct snap_error *error)
{
	owners->objects++;
	bool fits = !libsnap_add_overflows(owners->retained, retained, &owners->retained) &
		    !libsnap_add_overflows(owners->sum.bytes, row->bytes, &owners->sum.bytes) &
		    !libsnap_add_overflows(owners->sum.count, row->count, &owners->sum.count);
	return fits && owners->retained <= SUM_MAX && owners->sum.bytes <= SUM_MAX &&
			       owners->sum.count <= SUM_MAX
		       ? SNAP_OK
		       : libsnap_too_much(error);
}

/* First all owners, of which those are left that are among the first so far; then these again. */
static enum snap_status offer_owner(void *context, const struct query_row *row, uint64_t retained,
				    struct snap_error *error)
{
	struct choosing *choosing = context;
	struct side *side = choosing->side;
	const struct sums sums = {.now.exact = {row->bytes, row->count}, .other = retained};
	uint64_t numbers[SORT_NUMBERS];
	libsnap_order_put(numbers, side->options->order, &sums);
	if (!choosing->again)
		libsnap_chosen_offer(&choosing->chosen, numbers);
	if (!libsnap_chosen_has(&choosing->chosen, numbers))
		libsnap_array_clear_bit(&side->bits, row->row);
	return choosing->again ? SNAP_OK : add_up(&side->owners, row, retained, error);
}

/* Where only the first rows will be asked for, the others are added up, and are no groups. */
static enum snap_status cut_owners(struct side *side, struct snap_error *error)
{
	struct choosing choosing = {.side = side};
	if (side->options->max_rows == 0 || side->answer->info.compared)
		return SNAP_OK;
	enum snap_status status = libsnap_chosen_begin(&choosing.chosen, &side->answer->budget,
						       side->options->max_rows, error);
	side->owners = (struct owners){.are_cut = choosing.chosen.heap != NULL};
	if (status == SNAP_OK && side->owners.are_cut)
		status = each_owner(side, 0, offer_owner, &choosing, error);
	choosing.again = true;
	if (status == SNAP_OK && side->owners.are_cut)
		status = each_owner(side, 0, offer_owner, &choosing, error);
	libsnap_chosen_end(&choosing.chosen);
	return status;
}

/* ---- their names, and themselves ---- */

static enum snap_status mark_name(void *context, const struct query_row *row,
				  struct snap_error *error)
{
	(void)error;
	struct side *side = context;
	libsnap_resolver_mark(&side->resolver, row->name);
	return SNAP_OK;
}

enum snap_status libsnap_owners_prepare(struct side *side, struct snap_error *error)
{
	struct row_source rows = {
		.dimensions = NEED_NAME, .only = &side->bits, .take = mark_name, .context = side};
	enum snap_status status = SNAP_OK;
	if (!side->graph)
		status = libsnap_retained_prepare(side, error);
	if (status == SNAP_OK)
		status = begin_bits(side, &side->bits, error);
	if (status == SNAP_OK && side->kept.has_tops)
		status = libsnap_kept_find_owners(side, error);
	if (status == SNAP_OK && !side->owners.are_cut)
		status = find_owners(side, error);
	if (status == SNAP_OK && !side->owners.are_cut)
		status = cut_owners(side, error);
	if (status == SNAP_OK)
		status = libsnap_resolver_begin(&side->resolver, &side->names, error);
	if (status != SNAP_OK)
		return status;
	side->has_resolver = true;
	status = libsnap_side_rows(side, &rows, error);
	return status == SNAP_OK ? libsnap_resolver_load(&side->resolver, error) : status;
}

struct adding {
	struct side *side;
	libsnap_take_row *take;
	uint64_t objects, retained;
};

static enum snap_status add_owner(void *context, const struct query_row *row, uint64_t retained,
				  struct snap_error *error)
{
	struct adding *adding = context;
	struct side *side = adding->side;
	struct snap_answer *answer = side->answer;
	struct libsnap_array *sums = &answer->retained[side->number];
	enum snap_status status = adding->take(side, row, error);
	if (status != SNAP_OK)
		return status;
	if (side->group >= sums->count && !libsnap_array_reach(sums, (uint64_t)side->group + 1))
		return libsnap_budget_fail(&answer->budget, error);
	uint64_t *sum = libsnap_array_edit(sums, side->group);
	adding->objects++;
	if (libsnap_add_overflows(*sum, retained, sum) || *sum > SUM_MAX ||
	    libsnap_add_overflows(adding->retained, retained, &adding->retained) ||
	    adding->retained > SUM_MAX)
		return libsnap_too_much(error);
	return SNAP_OK;
}

enum snap_status libsnap_owners_add(struct side *side, libsnap_take_row *take,
				    struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	struct adding adding = {side, take, 0, 0};
	enum snap_status status = libsnap_budget_array(
		&answer->budget, &answer->retained[side->number], 0, sizeof(uint64_t), error);
	if (status == SNAP_OK)
		status = each_owner(side, NEED_ADDRESS | NEED_NAME | DIMENSION(SNAP_BY_TYPE),
				    add_owner, &adding, error);
	if (side->owners.are_cut) {
		adding.retained = side->owners.retained;
		answer->untold = side->owners.objects - adding.objects;
		answer->all_owners = side->owners.sum;
	}
	*(answer->info.compared && side->number == 0 ? &answer->info.old_retained
						     : &answer->info.retained) = adding.retained;
	return status;
}
