/* Breadth first from the roots: distances, shortest paths, and what is free if some objects are. */
#include "graph.h"

#include <inttypes.h>
#include <string.h>

static void search(const struct adjacency *held, uint32_t *distance, uint32_t *parent,
		   uint32_t *queue)
{
	uint32_t objects = held->nodes - 1, head = 0, tail = 0;
	memset(distance, 0xff, (size_t)objects * sizeof(*distance));
	memset(parent, 0xff, (size_t)objects * sizeof(*parent));
	for (uint32_t e = held->start[objects]; e < held->start[objects + 1]; e++) {
		uint32_t row = held->to[e];
		if (distance[row] != NONE)
			continue;
		distance[row] = 0;
		queue[tail++] = row;
	}
	while (head < tail) {
		uint32_t row = queue[head++], next = distance[row] + 1;
		for (uint32_t e = held->start[row], end = held->start[row + 1]; e < end; e++) {
			uint32_t to = held->to[e];
			if (distance[to] != NONE)
				continue;
			distance[to] = next;
			parent[to] = row;
			queue[tail++] = to;
		}
	}
}

enum snap_status snap_graph_search(struct snap_graph *graph, struct snap_error *error)
{
	if (graph->distance != NULL)
		return SNAP_OK;
	enum snap_status status = libsnap_graph_need_held(graph, "search from the roots", error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(graph, "search from the roots",
					       graph->objects * 12ull, error);
	if (status != SNAP_OK)
		return status;
	uint32_t *distance = libsnap_graph_take(graph, graph->objects, 4);
	uint32_t *parent = libsnap_graph_take(graph, graph->objects, 4);
	uint32_t *queue = libsnap_graph_take(graph, graph->objects, 4);
	if (distance != NULL && parent != NULL && queue != NULL) {
		libsnap_graph_progress(graph, "paths", 0, 1);
		search(&graph->held, distance, parent, queue);
		libsnap_graph_progress(graph, "paths", 1, 1);
		graph->distance = distance;
		graph->parent = parent;
	} else {
		libsnap_graph_give(graph, distance, graph->objects, 4);
		libsnap_graph_give(graph, parent, graph->objects, 4);
		status = libsnap_fail_memory(error);
	}
	libsnap_graph_give(graph, queue, graph->objects, 4);
	return status;
}

uint64_t snap_graph_distance(const struct snap_graph *graph, uint64_t row)
{
	if (graph->distance == NULL || row >= graph->objects || graph->distance[row] == NONE)
		return SNAP_GRAPH_NONE;
	return graph->distance[row];
}

uint64_t snap_graph_parent(const struct snap_graph *graph, uint64_t row)
{
	if (graph->parent == NULL || row >= graph->objects || graph->parent[row] == NONE)
		return SNAP_GRAPH_NONE;
	return graph->parent[row];
}

/* ---- labels of the references that the search took ---- */

struct labels {
	struct snap_graph *graph;
	const uint32_t *rows;
	size_t count, found;
	uint64_t *labels;
	uint32_t *kinds;
	size_t at; /* the one wanted, where owners are asked one by one */
};

static bool is_followed(const struct snap_graph *graph,
			const struct snap_graph_reference *reference)
{
	return graph->options.follow_weak || reference->kind < SNAP_REF_FIRST_WEAK;
}

static bool take_one(void *context, const struct snap_graph_reference *reference)
{
	struct labels *labels = context;
	if (reference->target != labels->rows[labels->at] || !is_followed(labels->graph, reference))
		return true;
	labels->labels[labels->at] = reference->label;
	labels->kinds[labels->at] = reference->kind;
	return false;
}

static bool take_any(void *context, const struct snap_graph_reference *reference)
{
	struct labels *labels = context;
	if (labels->graph->parent[reference->target] != reference->owner ||
	    !is_followed(labels->graph, reference))
		return true;
	size_t low = 0, high = labels->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (labels->rows[middle] < reference->target)
			low = middle + 1;
		else
			high = middle;
	}
	if (low == labels->count || labels->rows[low] != reference->target ||
	    labels->kinds[low] != NONE)
		return true;
	labels->labels[low] = reference->label;
	labels->kinds[low] = reference->kind;
	return ++labels->found < labels->count;
}

/* Asking owners one by one is quick for a few; one walk over all references is for many. */
#define FEW_LABELS 64

enum snap_status libsnap_graph_tree_labels(struct snap_graph *graph, const uint32_t *rows,
					   size_t count, uint64_t *label, uint32_t *kinds,
					   struct snap_error *error)
{
	struct labels labels = {
		.graph = graph, .rows = rows, .count = count, .labels = label, .kinds = kinds};
	for (size_t i = 0; i < count; i++) {
		kinds[i] = NONE;
		label[i] = SNAP_LABEL_NONE;
	}
	if (count > FEW_LABELS)
		return snap_graph_references(graph, take_any, &labels, error);
	for (; labels.at < count; labels.at++) {
		enum snap_status status = snap_graph_owned(graph, graph->parent[rows[labels.at]],
							   take_one, &labels, error);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
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
	size_t count;
	uint32_t *rows, *sorted, *kinds;
	uint64_t *labels;
};

static void sift(uint32_t *rows, size_t at, size_t count)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && rows[child + 1] > rows[child])
			child++;
		if (rows[at] >= rows[child])
			return;
		uint32_t row = rows[at];
		rows[at] = rows[child];
		rows[child] = row;
	}
}

static void sort_rows(uint32_t *rows, size_t count)
{
	for (size_t i = count / 2; i-- > 0;)
		sift(rows, i, count);
	for (size_t end = count; end-- > 1;) {
		uint32_t row = rows[0];
		rows[0] = rows[end];
		rows[end] = row;
		sift(rows, 0, end);
	}
}

static size_t find_row(const uint32_t *rows, size_t count, uint32_t row)
{
	size_t low = 0;
	while (count > 0) {
		size_t half = count / 2;
		if (rows[low + half] < row) {
			low += half + 1;
			count -= half + 1;
		} else {
			count = half;
		}
	}
	return low;
}

static enum snap_status visit_steps(struct snap_graph *graph, const struct steps *steps,
				    uint32_t root, snap_graph_visit *visit, void *context,
				    struct snap_error *error)
{
	struct first_root first = {.row = root,
				   .reference = {.owner = SNAP_GRAPH_NONE, .label = NONE}};
	enum snap_status status = snap_graph_roots(graph, is_first_root, &first, error);
	if (status != SNAP_OK)
		return status;
	first.reference.target = root;
	bool go_on = visit(context, &first.reference);
	for (size_t i = 0; go_on && i < steps->count; i++) {
		uint32_t row = steps->rows[i];
		size_t at = find_row(steps->sorted, steps->count, row);
		struct snap_graph_reference step = {.owner = graph->parent[row],
						    .target = row,
						    .label = steps->labels[at],
						    .kind = steps->kinds[at]};
		go_on = visit(context, &step);
	}
	return SNAP_OK;
}

enum snap_status snap_graph_path(struct snap_graph *graph, uint64_t row, snap_graph_visit *visit,
				 void *context, struct snap_error *error)
{
	if (graph->distance == NULL || row >= graph->objects)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "no search was made, or there is no row %" PRIu64, row);
	if (graph->distance[row] == NONE)
		return SNAP_END;
	struct steps steps = {.count = graph->distance[row]};
	enum snap_status status = libsnap_graph_reserve(graph, "path", steps.count * 20ull, error);
	if (status != SNAP_OK)
		return status;
	steps.rows = libsnap_graph_take(graph, steps.count, 4);
	steps.sorted = libsnap_graph_take(graph, steps.count, 4);
	steps.kinds = libsnap_graph_take(graph, steps.count, 4);
	steps.labels = libsnap_graph_take(graph, steps.count, 8);
	if (steps.rows == NULL || steps.sorted == NULL || steps.kinds == NULL ||
	    steps.labels == NULL) {
		status = libsnap_fail_memory(error);
		goto done;
	}
	uint32_t at = (uint32_t)row;
	for (size_t i = steps.count; i-- > 0; at = graph->parent[at])
		steps.rows[i] = at;
	if (steps.count > 0)
		memcpy(steps.sorted, steps.rows, steps.count * sizeof(*steps.rows));
	sort_rows(steps.sorted, steps.count);
	status = libsnap_graph_tree_labels(graph, steps.sorted, steps.count, steps.labels,
					   steps.kinds, error);
	if (status == SNAP_OK)
		status = visit_steps(graph, &steps, at, visit, context, error);
done:
	libsnap_graph_give(graph, steps.rows, steps.count, 4);
	libsnap_graph_give(graph, steps.sorted, steps.count, 4);
	libsnap_graph_give(graph, steps.kinds, steps.count, 4);
	libsnap_graph_give(graph, steps.labels, steps.count, 8);
	return status;
}

/* ---- what goes if some objects go ---- */

struct freed {
	const struct snap_graph *graph;
	const uint64_t *stays;
	snap_graph_tell_freed *tell;
	void *context;
};

static bool has_bit(const uint64_t *bits, uint64_t row)
{
	return bits[row / 64] >> row % 64 & 1;
}

static void set_bit(uint64_t *bits, uint64_t row)
{
	bits[row / 64] |= UINT64_C(1) << row % 64;
}

static void tell_freed(void *context, uint64_t row, uint64_t bytes)
{
	struct freed *freed = context;
	if (freed->graph->distance[row] != NONE && !has_bit(freed->stays, row))
		freed->tell(freed->context, row, bytes);
}

/* Marks what is still reached where some bits are set already; stack has room for all rows. */
static void reach(const struct adjacency *held, uint64_t *bits, uint32_t *stack)
{
	uint32_t count = 0, node = held->nodes - 1;
	for (;;) {
		for (uint32_t e = held->start[node]; e < held->start[node + 1]; e++) {
			uint32_t to = held->to[e];
			if (has_bit(bits, to))
				continue;
			set_bit(bits, to);
			stack[count++] = to;
		}
		if (count == 0)
			return;
		node = stack[--count];
	}
}

enum snap_status snap_graph_freed_by(struct snap_graph *graph, const uint64_t *rows, size_t count,
				     snap_graph_tell_freed *tell, void *context,
				     struct snap_error *error)
{
	if (graph->distance == NULL)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "no search was made");
	size_t words = graph->objects / 64 + 1;
	enum snap_status status = libsnap_graph_need_held(graph, "retained bytes", error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(graph, "retained bytes",
					       words * 8ull + graph->objects * 4ull, error);
	if (status != SNAP_OK)
		return status;
	uint64_t *bits = libsnap_graph_take_zeroed(graph, words, 8);
	uint32_t *stack = libsnap_graph_take(graph, graph->objects, 4);
	if (bits == NULL || stack == NULL) {
		status = libsnap_fail_memory(error);
		goto done;
	}
	for (size_t i = 0; i < count; i++)
		if (rows[i] < graph->objects)
			set_bit(bits, rows[i]);
	reach(&graph->held, bits, stack);
	for (size_t i = 0; i < count; i++)
		if (rows[i] < graph->objects)
			bits[rows[i] / 64] &= ~(UINT64_C(1) << rows[i] % 64);
	struct freed freed = {.graph = graph, .stays = bits, .tell = tell, .context = context};
	status = libsnap_graph_each_size(graph, tell_freed, &freed, error);
done:
	libsnap_graph_give(graph, bits, words, 8);
	libsnap_graph_give(graph, stack, graph->objects, 4);
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

enum snap_status snap_graph_retained_by(struct snap_graph *graph, const uint64_t *rows,
					size_t count, uint64_t *bytes, uint64_t *objects,
					struct snap_error *error)
{
	struct sum sum = {0, 0};
	enum snap_status status = snap_graph_freed_by(graph, rows, count, add_freed, &sum, error);
	if (status == SNAP_OK) {
		*bytes = sum.bytes;
		*objects = sum.objects;
	}
	return status;
}
