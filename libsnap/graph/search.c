/* Shortest paths from the roots, and what is free if some objects are. */
#include "graph.h"

#include <inttypes.h>

enum snap_status snap_graph_search(struct snap_graph *graph, struct snap_error *error)
{
	struct numbers *distance = &graph->distance, *parent = &graph->parent;
	if (libsnap_numbers_is_open(distance))
		return SNAP_OK;
	if (graph->indexed.is_there) {
		libsnap_indexed_search(graph);
		return SNAP_OK;
	}
	struct spread spread = {.what = "paths", .distance = distance, .parent = parent};
	enum snap_status status = libsnap_graph_prepare(graph, graph->objects * 9, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&spread.seen, graph, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(distance, graph, graph->objects, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(parent, graph, graph->objects, false, error);
	if (status == SNAP_OK)
		status = libsnap_graph_spread(graph, &spread, error);
	libsnap_bits_close(spread.seen, graph);
	if (status != SNAP_OK) {
		libsnap_numbers_close(distance);
		libsnap_numbers_close(parent);
	}
	return status;
}

uint64_t snap_graph_distance(const struct snap_graph *graph, uint64_t row)
{
	if (!libsnap_numbers_is_open(&graph->distance) || row >= graph->objects)
		return SNAP_GRAPH_NONE;
	return libsnap_numbers_get(&graph->distance, row);
}

bool snap_graph_is_reached(const struct snap_graph *graph, uint64_t row)
{
	bool is_lazy = graph->distance.read != NULL && row < graph->objects;
	return is_lazy ? libsnap_indexed_is_reached(graph, row)
		       : snap_graph_distance(graph, row) != SNAP_GRAPH_NONE;
}

uint64_t snap_graph_parent(const struct snap_graph *graph, uint64_t row)
{
	if (!libsnap_numbers_is_open(&graph->parent) || row >= graph->objects)
		return SNAP_GRAPH_NONE;
	return libsnap_numbers_get(&graph->parent, row);
}

enum snap_status libsnap_graph_need_search(const struct snap_graph *graph, struct snap_error *error)
{
	if (libsnap_numbers_is_open(&graph->distance))
		return SNAP_OK;
	return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "no search was made");
}

/* ---- labels of the references that the search took ---- */

struct labels {
	struct snap_graph *graph;
	const struct marks *marks;
	uint64_t found;
	uint64_t seen, most_seen; /* references, where some owners are asked */
	struct numbers *labels, *kinds;
	uint64_t row; /* the one wanted, where owners are asked one by one */
};

static bool is_followed(const struct snap_graph *graph,
			const struct snap_graph_reference *reference)
{
	return graph->options.follow_weak || reference->kind < SNAP_REF_FIRST_WEAK;
}

static bool take_one(void *context, const struct snap_graph_reference *reference)
{
	struct labels *labels = context;
	if (reference->target != labels->row || !is_followed(labels->graph, reference))
		return true;
	uint64_t rank = libsnap_marks_rank(labels->marks, reference->target);
	libsnap_numbers_set(labels->labels, rank, reference->label);
	libsnap_numbers_set(labels->kinds, rank, reference->kind);
	return false;
}

static bool take_any(void *context, const struct snap_graph_reference *reference)
{
	struct labels *labels = context;
	uint64_t target = reference->target;
	if (!libsnap_has_bit(labels->marks->bits, target) ||
	    libsnap_numbers_get(&labels->graph->parent, target) != reference->owner ||
	    !is_followed(labels->graph, reference))
		return true;
	uint64_t rank = libsnap_marks_rank(labels->marks, target);
	if (libsnap_numbers_get(labels->kinds, rank) != SNAP_GRAPH_NONE)
		return true;
	libsnap_numbers_set(labels->labels, rank, reference->label);
	libsnap_numbers_set(labels->kinds, rank, reference->kind);
	return ++labels->found < labels->marks->count;
}

static bool take_of_owner(void *context, const struct snap_graph_reference *reference)
{
	struct labels *labels = context;
	return take_any(context, reference) && ++labels->seen <= labels->most_seen;
}

static enum snap_status ask_one_by_one(struct labels *labels, struct snap_error *error)
{
	struct snap_graph *graph = labels->graph;
	enum snap_status status = SNAP_OK;
	for (uint64_t row = libsnap_marks_next(labels->marks, graph, 0);
	     status == SNAP_OK && row != SNAP_GRAPH_NONE;
	     row = libsnap_marks_next(labels->marks, graph, row + 1)) {
		uint64_t parent = libsnap_numbers_get(&graph->parent, row);
		labels->row = row;
		if (parent != SNAP_GRAPH_NONE)
			status = snap_graph_owned(graph, parent, take_one, labels, error);
	}
	return status;
}

/* SNAP_END: they have so many references that a walk over all is quicker. */
static enum snap_status ask_owners(struct labels *labels, struct snap_error *error)
{
	struct snap_graph *graph = labels->graph;
	struct snap_graph_set *owners;
	enum snap_status status = snap_graph_set_open(&owners, graph, error);
	if (status != SNAP_OK)
		return status;
	for (uint64_t row = libsnap_marks_next(labels->marks, graph, 0); row != SNAP_GRAPH_NONE;
	     row = libsnap_marks_next(labels->marks, graph, row + 1))
		snap_graph_set_add(owners, libsnap_numbers_get(&graph->parent, row));
	status = libsnap_graph_owned_by(graph, owners, take_of_owner, labels, error);
	snap_graph_set_close(owners);
	return status == SNAP_OK && labels->seen > labels->most_seen ? SNAP_END : status;
}

/* Of a few rows owners are asked one by one, of some they are asked together, for many there is one
 * walk over all references. */
#define FEW_LABELS  64
#define SOME_LABELS 256 /* objects for each */

enum snap_status libsnap_graph_tree_labels(struct snap_graph *graph, const struct marks *marks,
					   struct numbers *label, struct numbers *kinds,
					   struct snap_error *error)
{
	struct labels labels = {.graph = graph,
				.marks = marks,
				.labels = label,
				.kinds = kinds,
				.most_seen = graph->stored_references / 16};
	if (marks->count <= FEW_LABELS)
		return ask_one_by_one(&labels, error);
	enum snap_status status = SNAP_END;
	if (marks->count <= graph->objects / SOME_LABELS &&
	    libsnap_graph_fits(graph, graph->objects / 8))
		status = ask_owners(&labels, error);
	return status == SNAP_END ? snap_graph_references(graph, take_any, &labels, error) : status;
}

/* ---- one path ---- */

struct first_root {
	uint64_t row;
	struct snap_graph_reference reference;
};

static bool is_first_root(void *context, const struct snap_graph_reference *reference)
{
	struct first_root *first = context;
	if (reference->target != first->row)
		return true;
	first->reference = *reference;
	return false;
}

struct steps {
	uint64_t count; /* after the root object */
	struct marks marks;
	struct numbers rows, kinds, labels; /* rows in order, the others by rank */
};

static enum snap_status open_steps(struct steps *steps, struct snap_graph *graph, uint64_t row,
				   struct snap_error *error)
{
	uint64_t count = steps->count = snap_graph_distance(graph, row);
	enum snap_status status =
		libsnap_graph_prepare(graph, count * 16 + graph->objects / 4, error);
	if (status == SNAP_OK)
		status = libsnap_marks_open(&steps->marks, graph, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&steps->rows, graph, count + 1, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&steps->kinds, graph, count + 1, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&steps->labels, graph, count + 1, true, error);
	if (status != SNAP_OK)
		return status;
	for (uint64_t i = count + 1; i-- > 0; row = libsnap_numbers_get(&graph->parent, row)) {
		libsnap_numbers_set(&steps->rows, i, row);
		if (libsnap_graph_has_failed(graph))
			return libsnap_graph_check_pages(graph, error);
		libsnap_set_bit(steps->marks.bits, row);
	}
	libsnap_marks_count(&steps->marks, graph);
	return libsnap_graph_tree_labels(graph, &steps->marks, &steps->labels, &steps->kinds,
					 error);
}

static void close_steps(struct steps *steps, struct snap_graph *graph)
{
	libsnap_marks_close(&steps->marks, graph);
	libsnap_numbers_close(&steps->rows);
	libsnap_numbers_close(&steps->kinds);
	libsnap_numbers_close(&steps->labels);
}

static enum snap_status visit_steps(struct snap_graph *graph, const struct steps *steps,
				    snap_graph_visit *visit, void *context,
				    struct snap_error *error)
{
	uint64_t before = libsnap_numbers_get(&steps->rows, 0);
	struct first_root first = {.row = before,
				   .reference = {.owner = SNAP_GRAPH_NONE, .label = NONE}};
	enum snap_status status = snap_graph_roots(graph, is_first_root, &first, error);
	if (status != SNAP_OK)
		return status;
	first.reference.target = before;
	bool go_on = visit(context, &first.reference);
	for (uint64_t i = 1; go_on && i <= steps->count; i++) {
		uint64_t row = libsnap_numbers_get(&steps->rows, i);
		uint64_t rank = libsnap_marks_rank(&steps->marks, row);
		struct snap_graph_reference step = {
			.owner = before,
			.target = row,
			.label = SNAP_LABEL_NONE,
			.kind = (uint32_t)libsnap_numbers_get(&steps->kinds, rank)};
		if (step.kind != NONE) /* it is where a partial reader lost the reference */
			step.label = libsnap_numbers_get(&steps->labels, rank);
		go_on = visit(context, &step);
		before = row;
	}
	return libsnap_graph_check_pages(graph, error);
}

enum snap_status snap_graph_path(struct snap_graph *graph, uint64_t row, snap_graph_visit *visit,
				 void *context, struct snap_error *error)
{
	enum snap_status status = libsnap_graph_need_search(graph, error);
	if (status != SNAP_OK)
		return status;
	if (row >= graph->objects)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "there is no row %" PRIu64,
				    row);
	if (snap_graph_distance(graph, row) == SNAP_GRAPH_NONE)
		return SNAP_END;
	struct steps steps = {.count = 0};
	status = open_steps(&steps, graph, row, error);
	if (status == SNAP_OK)
		status = visit_steps(graph, &steps, visit, context, error);
	close_steps(&steps, graph);
	return status;
}

/* ---- what goes if some objects go ---- */

struct freed {
	const struct snap_graph *graph;
	const uint64_t *stays;
	snap_graph_tell_freed *tell;
	void *context;
};

static void tell_freed(void *context, uint64_t row, uint64_t bytes)
{
	struct freed *freed = context;
	if (!libsnap_has_bit(freed->stays, row) &&
	    snap_graph_distance(freed->graph, row) != SNAP_GRAPH_NONE)
		freed->tell(freed->context, row, bytes);
}

/* The rows that are reached without those of the set, which do not count. */
static enum snap_status find_staying(struct snap_graph *graph, const struct snap_graph_set *set,
				     uint64_t **stays, struct snap_error *error)
{
	struct spread spread = {.what = "what stays"};
	uint64_t words = graph->objects / 64 + 1;
	enum snap_status status = libsnap_graph_load_references(graph, error);
	if (status == SNAP_OK)
		status = libsnap_graph_prepare(graph, words * 24, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&spread.seen, graph, error);
	if (status != SNAP_OK)
		return status;
	for (uint64_t i = 0; i < words; i++)
		spread.seen[i] = set->bits[i];
	status = libsnap_graph_spread(graph, &spread, error);
	for (uint64_t i = 0; i < words; i++)
		spread.seen[i] &= ~set->bits[i];
	if (status == SNAP_OK)
		*stays = spread.seen;
	else
		libsnap_bits_close(spread.seen, graph);
	return status;
}

enum snap_status snap_graph_freed_by(struct snap_graph *graph, const struct snap_graph_set *set,
				     snap_graph_tell_freed *tell, void *context,
				     struct snap_error *error)
{
	uint64_t *found = NULL, first = snap_graph_set_next(set, 0);
	bool is_known = graph->chain.stays != NULL && set->count == 1 && graph->chain.row == first;
	enum snap_status status = libsnap_graph_need_search(graph, error);
	if (status == SNAP_OK && graph->indexed.is_there) {
		status = libsnap_indexed_freed_by(graph, set, tell, context, error);
		if (status != SNAP_END)
			return status;
		status = SNAP_OK;
	}
	if (status == SNAP_OK && !is_known)
		status = find_staying(graph, set, &found, error);
	if (status != SNAP_OK)
		return status;
	struct freed freed = {.graph = graph,
			      .stays = is_known ? graph->chain.stays : found,
			      .tell = tell,
			      .context = context};
	status = libsnap_graph_each_size(graph, tell_freed, &freed, error);
	if (status == SNAP_OK)
		status = libsnap_graph_check_pages(graph, error);
	libsnap_bits_close(found, graph);
	return status;
}

struct sum {
	uint64_t bytes, objects;
};

static void add_freed(void *context, uint64_t row, uint64_t bytes)
{
	struct sum *sum = context;
	(void)row;
	sum->objects++;
	if (libsnap_add_overflows(sum->bytes, bytes, &sum->bytes))
		sum->bytes = UINT64_MAX;
}

enum snap_status snap_graph_retained_by(struct snap_graph *graph, const struct snap_graph_set *set,
					uint64_t *bytes, uint64_t *objects,
					struct snap_error *error)
{
	struct sum sum = {0, 0};
	uint64_t row = snap_graph_set_next(set, 0);
	bool is_known = libsnap_graph_is_dominated(graph) || libsnap_chain_has(graph, row);
	if (is_known && set->count == 1 && objects == NULL) {
		*bytes = snap_graph_retained(graph, row);
		return libsnap_graph_check_pages(graph, error);
	}
	enum snap_status status = snap_graph_freed_by(graph, set, add_freed, &sum, error);
	if (status == SNAP_OK) {
		*bytes = sum.bytes;
		if (objects != NULL)
			*objects = sum.objects;
	}
	return status;
}
