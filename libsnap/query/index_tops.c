/* The objects that retain most, and what hangs on each of them, for the index (FORMAT.md, section
 * 7.5). */
#include <stdlib.h>

#include "index.h"

struct finding {
	struct making *making;
	struct budget budget;
	struct space space;
	uint8_t *kinds; /* by type id */
	size_t kind_count;
	struct libsnap_array top_of; /* by row: the top that it hangs on, or is, + 1; NO_TOP */
	struct interner parts;
};

#define NO_TOP UINT32_MAX

static uint64_t retained_of(const struct making *making, uint32_t row)
{
	return snap_graph_retained(making->graph, row);
}

/* ---- the best of many ---- */

struct best {
	const struct making *making;
	uint32_t *rows; /* the least of them first */
	size_t count, capacity;
};

static bool retains_more(const struct making *making, uint32_t a, uint32_t b)
{
	uint64_t left = retained_of(making, a), right = retained_of(making, b);
	return left != right ? left > right : a < b;
}

static void sink(struct best *best)
{
	uint32_t *rows = best->rows;
	for (size_t at = 0, child; (child = 2 * at + 1) < best->count; at = child) {
		if (child + 1 < best->count &&
		    retains_more(best->making, rows[child], rows[child + 1]))
			child++;
		if (!retains_more(best->making, rows[at], rows[child]))
			return;
		uint32_t row = rows[at];
		rows[at] = rows[child];
		rows[child] = row;
	}
}

static void offer(struct best *best, uint32_t row)
{
	uint32_t *rows = best->rows;
	if (best->count < best->capacity) {
		size_t at = best->count++;
		for (; at > 0 && retains_more(best->making, rows[(at - 1) / 2], row);
		     at = (at - 1) / 2)
			rows[at] = rows[(at - 1) / 2];
		rows[at] = row;
	} else if (retains_more(best->making, row, rows[0])) {
		rows[0] = row;
		sink(best);
	}
}

/* ---- which objects are tops ---- */

static uint8_t kind_of(const struct finding *finding, uint64_t row)
{
	uint64_t type = snap_graph_type(finding->making->graph, row);
	return type < finding->kind_count ? finding->kinds[type] : 0;
}

static bool is_synthetic(const struct finding *finding, uint64_t row)
{
	return kind_of(finding, row) == SNAP_TYPE_SYNTHETIC;
}

/* No other object than synthetic ones dominates it. */
static bool is_owner(const struct finding *finding, uint64_t row)
{
	if (is_synthetic(finding, row))
		return false;
	do
		row = snap_graph_dominator(finding->making->graph, row);
	while (row != SNAP_GRAPH_NONE && is_synthetic(finding, row));
	return row == SNAP_GRAPH_NONE;
}

static void find_best(const struct finding *finding, struct best *all, struct best *owners)
{
	const struct making *making = finding->making;
	for (uint64_t row = 0; row < making->objects; row++) {
		if (retained_of(making, (uint32_t)row) == 0)
			continue;
		offer(all, (uint32_t)row);
		if (is_owner(finding, row))
			offer(owners, (uint32_t)row);
	}
}

static void add_top(struct finding *finding, uint32_t row)
{
	struct making *making = finding->making;
	if (libsnap_array_get32(&finding->top_of, row) != 0)
		return;
	libsnap_array_set32(&finding->top_of, row, NO_TOP);
	making->tops[making->top_count++].row = row;
}

/* For it and all its dominators. */
static bool has_room(const struct making *making, uint64_t row)
{
	size_t count = making->top_count;
	for (; row != SNAP_GRAPH_NONE && count <= making->top_capacity; count++)
		row = snap_graph_dominator(making->graph, row);
	return row == SNAP_GRAPH_NONE && count <= making->top_capacity && count > making->top_count;
}

/* Owners come with the synthetic objects above them: so far, all dominators of tops are tops. */
static void add_tops(struct finding *finding, const struct best *all, const struct best *owners)
{
	struct making *making = finding->making;
	uint64_t least = 1;
	if (all->count == all->capacity)
		least = retained_of(making, all->rows[0]) + 1;
	making->facts[SNAP_FACT_TOP_BYTES] = least;
	for (size_t i = 0; i < all->count; i++)
		if (retained_of(making, all->rows[i]) >= least)
			add_top(finding, all->rows[i]);
	for (size_t i = 0; i < owners->count; i++)
		for (uint64_t row = owners->rows[i]; has_room(making, row);
		     row = snap_graph_dominator(making->graph, row))
			add_top(finding, (uint32_t)row);
}

static int compare_tops(const void *left, const void *right)
{
	const struct top *a = left, *b = right;
	if (a->retained != b->retained)
		return a->retained > b->retained ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

static void number_tops(struct finding *finding)
{
	struct making *making = finding->making;
	for (size_t i = 0; i < making->top_count; i++)
		making->tops[i].retained = retained_of(making, making->tops[i].row);
	qsort(making->tops, making->top_count, sizeof(*making->tops), compare_tops);
	for (size_t i = 0; i < making->top_count; i++) {
		struct top *top = &making->tops[i];
		bool is_large = top->retained >= making->facts[SNAP_FACT_TOP_BYTES];
		libsnap_array_set32(&finding->top_of, top->row, is_large ? (uint32_t)i + 1 : 0);
	}
}

static enum snap_status choose(struct finding *finding, struct snap_error *error)
{
	struct making *making = finding->making;
	const struct snap_allocator *memory = making->options->allocator;
	size_t most = (size_t)(TOPS_KEPT + making->objects / 4096);
	struct best all = {.making = making, .capacity = most + 1};
	struct best owners = {.making = making, .capacity = OWNERS_KEPT};
	all.rows = libsnap_alloc(memory, all.capacity, sizeof(uint32_t));
	owners.rows = libsnap_alloc(memory, owners.capacity, sizeof(uint32_t));
	making->top_capacity = most + 2 * OWNERS_KEPT;
	making->tops = libsnap_alloc_zeroed(memory, making->top_capacity, sizeof(*making->tops));
	enum snap_status status = SNAP_OK;
	if (all.rows == NULL || owners.rows == NULL || making->tops == NULL)
		status = libsnap_fail_memory(error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(&finding->budget, &finding->top_of, making->objects,
					      sizeof(uint32_t), error);
	if (status == SNAP_OK) {
		find_best(finding, &all, &owners);
		add_tops(finding, &all, &owners);
		number_tops(finding);
	}
	libsnap_free(memory, all.rows, all.capacity, sizeof(uint32_t));
	libsnap_free(memory, owners.rows, owners.capacity, sizeof(uint32_t));
	return status;
}

/* ---- what hangs on them ---- */

/* Rows find the next large top above them, up to one that has found it. */
static uint32_t find_top(struct finding *finding, uint64_t row)
{
	const struct snap_graph *graph = finding->making->graph;
	uint32_t top = NO_TOP;
	uint64_t at = row;
	while (at != SNAP_GRAPH_NONE && (top = libsnap_array_get32(&finding->top_of, at)) == 0)
		at = snap_graph_dominator(graph, at);
	if (at == SNAP_GRAPH_NONE)
		top = NO_TOP;
	for (; row != at; row = snap_graph_dominator(graph, row))
		libsnap_array_set32(&finding->top_of, row, top);
	return top;
}

struct part {
	uint32_t top, type, stack, kind; /* kind: and a bit for what has count 0 */
	uint64_t objects, count, bytes, first;
};
#define PART_HOLDER 4u

static enum snap_status add_part(struct finding *finding, uint32_t *last, struct part added,
				 struct snap_error *error)
{
	struct interner *parts = &finding->parts;
	struct part *part = *last < parts->count ? libsnap_array_edit(&parts->items, *last) : NULL;
	if (part == NULL || part->top != added.top || part->type != added.type ||
	    part->stack != added.stack || part->kind != added.kind) {
		struct part new = added;
		new.objects = new.count = new.bytes = 0;
		enum snap_status status =
			libsnap_space_intern(&finding->space, parts, &new, last, error);
		if (status != SNAP_OK)
			return status;
		part = libsnap_array_edit(&parts->items, *last);
	}
	part->objects++;
	bool fits = !libsnap_add_overflows(part->count, added.count, &part->count) &&
		    !libsnap_add_overflows(part->bytes, added.bytes, &part->bytes);
	return fits && part->count <= SUM_MAX && part->bytes <= SUM_MAX ? SNAP_OK
									: libsnap_too_much(error);
}

/* Held by nothing but the roots together. */
static bool is_loose(const struct finding *finding, uint64_t row, uint64_t dominator)
{
	uint8_t kind = kind_of(finding, row);
	return kind != SNAP_TYPE_SYNTHETIC && kind != SNAP_TYPE_PLACE &&
	       (dominator == SNAP_GRAPH_NONE || is_synthetic(finding, dominator));
}

/* Where the last row was added. */
struct lasts {
	uint32_t held, child, loose;
};

/* The one that dominates the row, and is large; NULL: it is another one. */
static struct top *top_above(struct finding *finding, uint64_t dominator)
{
	if (dominator == SNAP_GRAPH_NONE)
		return NULL;
	uint32_t number = find_top(finding, dominator);
	struct top *top = number != NO_TOP ? &finding->making->tops[number - 1] : NULL;
	return top != NULL && top->row == dominator ? top : NULL;
}

static enum snap_status add_below(struct finding *finding, struct lasts *lasts, struct part part,
				  struct snap_error *error)
{
	struct making *making = finding->making;
	uint64_t row = part.first, dominator = snap_graph_dominator(making->graph, row);
	struct top *above = top_above(finding, dominator);
	bool is_top = part.top != NO_TOP && making->tops[part.top - 1].row == row;
	uint32_t stack = part.type == 0 ? part.stack : 0;
	part.bytes = retained_of(making, (uint32_t)row);
	part.stack = 0;
	if (above != NULL && (above->largest == 0 || part.bytes > above->largest_bytes)) {
		above->largest = row + 1;
		above->largest_bytes = part.bytes;
	}
	if (is_top)
		return SNAP_OK;
	enum snap_status status = SNAP_OK;
	if (above != NULL) {
		part.top = (uint32_t)(above - making->tops) + 1;
		part.kind = SNAP_TOP_CHILD;
		status = add_part(finding, &lasts->child, part, error);
	}
	if (status == SNAP_OK && is_loose(finding, row, dominator)) {
		part.top = 0;
		part.kind = SNAP_TOP_LOOSE;
		part.stack = stack;
		status = add_part(finding, &lasts->loose, part, error);
	}
	return status;
}

static enum snap_status add_row(struct finding *finding, struct lasts *lasts, uint64_t row,
				const uint64_t *const *values, size_t i, struct snap_error *error)
{
	const struct snap_graph *graph = finding->making->graph;
	if (snap_graph_distance(graph, row) == SNAP_GRAPH_NONE)
		return SNAP_OK;
	const struct part part = {.top = find_top(finding, row),
				  .type = (uint32_t)snap_graph_type(graph, row),
				  .stack = (uint32_t)values[2][i],
				  .kind = SNAP_TOP_HELD | (values[1][i] == 0 ? PART_HOLDER : 0),
				  .count = values[1][i],
				  .bytes = values[0][i] * values[1][i],
				  .first = row};
	enum snap_status status = SNAP_OK;
	if (part.top != NO_TOP)
		status = add_part(finding, &lasts->held, part, error);
	return status == SNAP_OK ? add_below(finding, lasts, part, error) : status;
}

/* More parts than this, and they are not kept. */
static bool are_too_many(const struct finding *finding)
{
	return finding->parts.count > 8192 + finding->making->objects / 64;
}

static enum snap_status find_parts(struct finding *finding, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT, SNAP_OBJECT_STACK};
	struct lasts lasts = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
	struct scan scan = scan_begin(finding->making->reader, columns, 3, error);
	while (!are_too_many(finding) && scan_batch(&scan))
		for (size_t i = 0; scan.status == SNAP_OK && i < scan.count; i++)
			scan.status =
				add_row(finding, &lasts, scan.first + i, scan.values, i, error);
	return scan_end(&scan, NULL);
}

/* ---- tables ---- */

static enum snap_status write_tops(const struct making *making, struct snap_writer *w)
{
	struct libsnap_table_out table;
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&table, w, SNAP_INDEX_TOPS, making->top_count);
	for (size_t i = 0; status == SNAP_OK && i < making->top_count; i++) {
		const struct top *top = &making->tops[i];
		uint64_t dominator = snap_graph_dominator(making->graph, top->row);
		dominator = dominator == SNAP_GRAPH_NONE ? 0 : dominator + 1;
		status = libsnap_table_row(&table, (uint64_t[]){top->row + 1ull, top->retained,
								dominator, top->largest});
	}
	return libsnap_table_end(&table, status);
}

static enum snap_status write_parts(struct finding *finding, struct snap_writer *w)
{
	struct libsnap_table_out table;
	enum snap_status status = SNAP_OK;
	uint32_t count = are_too_many(finding) ? 0 : finding->parts.count;
	libsnap_table_begin(&table, w, SNAP_INDEX_TOP_PARTS, count);
	for (uint32_t i = 0; status == SNAP_OK && i < count; i++) {
		const struct part *part = libsnap_array_at(&finding->parts.items, i);
		status = libsnap_table_row(&table,
					   (uint64_t[]){part->top, part->kind & ~PART_HOLDER,
							part->type, part->stack, part->objects,
							part->count, part->bytes, part->first + 1});
	}
	return libsnap_table_end(&table, status);
}

/* ---- both ---- */

static enum snap_status read_kinds(struct finding *finding, struct snap_error *error)
{
	struct snap_reader *reader = finding->making->reader;
	static const uint32_t column = SNAP_TYPE_KIND_COLUMN;
	finding->kind_count = (size_t)snap_reader_row_count(reader, SNAP_TYPES) + 1;
	finding->kinds = libsnap_alloc_zeroed(&finding->budget.allocator, finding->kind_count, 1);
	if (finding->kinds == NULL)
		return libsnap_budget_fail(&finding->budget, error);
	struct scan scan = scan_begin(reader, &column, 1, error);
	while (scan_next(&scan)) {
		uint64_t kind = scan_value(&scan, 0);
		finding->kinds[scan.row + 1] = kind < UINT8_MAX ? (uint8_t)kind : UINT8_MAX;
	}
	return scan_end(&scan, NULL);
}

static enum snap_status find_and_write(struct finding *finding, struct snap_writer *w)
{
	enum snap_status status = read_kinds(finding, &w->problem);
	if (status == SNAP_OK)
		status = choose(finding, &w->problem);
	if (status == SNAP_OK)
		status = find_parts(finding, &w->problem);
	if (status == SNAP_OK)
		status = write_tops(finding->making, w);
	return status == SNAP_OK ? write_parts(finding, w) : status;
}

enum snap_status libsnap_index_write_tops(struct making *making, struct snap_writer *w)
{
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	struct finding finding = {.making = making};
	struct budget *budget = &finding.budget;
	options.allocator = making->options->allocator;
	options.io = making->options->io;
	options.temporary_folder = making->options->temporary_folder;
	libsnap_budget_begin(budget, &options, making->left);
	libsnap_interner_begin(&finding.parts, budget, sizeof(struct part),
			       offsetof(struct part, objects));
	enum snap_status status = libsnap_space_begin(&finding.space, budget, &w->problem);
	if (status == SNAP_OK)
		status = find_and_write(&finding, w);
	libsnap_interner_end(&finding.parts);
	libsnap_array_end(&finding.top_of);
	libsnap_free(&budget->allocator, finding.kinds, finding.kind_count, 1);
	libsnap_space_end(&finding.space);
	if (budget->arrays.failed != SNAP_OK || (status == SNAP_NO_MEMORY && budget->exceeded))
		status = libsnap_budget_fail(budget, &w->problem);
	libsnap_arrays_end(&budget->arrays);
	return status;
}
