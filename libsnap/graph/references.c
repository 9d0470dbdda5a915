/* References of one object, of all, and reversed. */
#include "graph.h"

#include <inttypes.h>
#include <string.h>

/* Where the tail of a row begins among all elements of tails, and its length. */
static enum snap_status find_tail(struct snap_graph *graph, const struct run *run, uint32_t row,
				  uint64_t *offset, uint64_t *length, struct snap_error *error)
{
	uint32_t tail = run->first_tail + (row - run->first_row);
	uint32_t mark = tail / TAILS_PER_MARK;
	uint64_t sum = graph->tail_marks[mark], value;
	for (uint32_t i = mark * TAILS_PER_MARK; i < tail; i++) {
		enum snap_status status =
			libsnap_graph_value(graph, SNAP_TAIL_LENGTH, i, &value, error);
		if (status != SNAP_OK)
			return status;
		sum += value;
	}
	*offset = sum;
	return libsnap_graph_value(graph, SNAP_TAIL_LENGTH, tail, length, error);
}

static enum snap_status visit_slots(struct snap_graph *graph, const struct run *run, uint32_t row,
				    bool *go_on, snap_graph_visit *visit, void *context,
				    struct snap_error *error)
{
	const struct shape *shape = &graph->shapes[run->shape];
	uint64_t rows = run[1].first_row - run->first_row;
	struct snap_graph_reference reference = {.owner = row};
	for (uint32_t slot = 0; slot < shape->slot_count && *go_on; slot++) {
		uint64_t at = run->first_reference + slot * rows + (row - run->first_row), id;
		enum snap_status status =
			libsnap_graph_value(graph, SNAP_REFERENCE_TARGET, at, &id, error);
		if (status != SNAP_OK)
			return status;
		if (id == 0)
			continue;
		reference.target = id - 1;
		reference.kind = graph->slot_kinds[shape->first_slot + slot];
		reference.label = graph->slot_labels[shape->first_slot + slot];
		*go_on = visit(context, &reference);
	}
	return SNAP_OK;
}

static enum snap_status visit_tail(struct snap_graph *graph, const struct run *run, uint32_t row,
				   bool *go_on, snap_graph_visit *visit, void *context,
				   struct snap_error *error)
{
	const struct shape *shape = &graph->shapes[run->shape];
	uint64_t rows = run[1].first_row - run->first_row, before, offset, length, id, kind;
	enum snap_status status = find_tail(graph, run, run->first_row, &before, &length, error);
	if (status == SNAP_OK)
		status = find_tail(graph, run, row, &offset, &length, error);
	if (status != SNAP_OK)
		return status;
	offset -= before;
	struct snap_graph_reference reference = {.owner = row, .kind = shape->tail_kind};
	for (uint64_t i = 0; i < length && *go_on; i++) {
		uint64_t at = run->first_reference + shape->slot_count * rows + offset + i;
		status = libsnap_graph_value(graph, SNAP_REFERENCE_TARGET, at, &id, error);
		if (status != SNAP_OK)
			return status;
		if (id == 0)
			continue;
		reference.target = id - 1;
		reference.label = SNAP_LABEL_INDEX(i);
		if (shape->tail == SNAP_TAIL_LABELLED) {
			at = run->first_label + offset + i;
			status = libsnap_graph_value(graph, SNAP_TAIL_LABEL_KIND, at, &kind, error);
			if (status == SNAP_OK)
				status = libsnap_graph_value(graph, SNAP_TAIL_LABEL, at,
							     &reference.label, error);
			if (status != SNAP_OK)
				return status;
			reference.kind = kind < UINT8_MAX ? (uint32_t)kind : UINT8_MAX;
		}
		*go_on = visit(context, &reference);
	}
	return SNAP_OK;
}

enum snap_status snap_graph_owned(struct snap_graph *graph, uint64_t row, snap_graph_visit *visit,
				  void *context, struct snap_error *error)
{
	if (row >= graph->objects)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "there is no row %" PRIu64,
				    row);
	const struct run *run = &graph->runs[libsnap_graph_run(graph, (uint32_t)row)];
	bool go_on = true;
	enum snap_status status =
		visit_slots(graph, run, (uint32_t)row, &go_on, visit, context, error);
	if (status == SNAP_OK && go_on && graph->shapes[run->shape].tail != SNAP_TAIL_NONE)
		status = visit_tail(graph, run, (uint32_t)row, &go_on, visit, context, error);
	return status;
}

static bool visit_span(const struct span *span, snap_graph_visit *visit, void *context)
{
	for (size_t i = 0; i < span->count; i++) {
		if (span->targets[i] == 0)
			continue;
		struct snap_graph_reference reference = {.owner = span->row,
							 .target = span->targets[i] - 1,
							 .kind = span->kind,
							 .label = span->label};
		if (!span->is_tail) {
			reference.owner += i;
		} else if (span->labels != NULL) {
			reference.kind =
				span->kinds[i] < UINT8_MAX ? (uint32_t)span->kinds[i] : UINT8_MAX;
			reference.label = span->labels[i];
		} else {
			reference.label = SNAP_LABEL_INDEX(span->index + i);
		}
		if (!visit(context, &reference))
			return false;
	}
	return true;
}

enum snap_status snap_graph_references(struct snap_graph *graph, snap_graph_visit *visit,
				       void *context, struct snap_error *error)
{
	struct walk walk;
	enum snap_status status = libsnap_graph_walk_open(&walk, graph, error);
	if (status != SNAP_OK)
		return status;
	struct span span;
	while ((status = libsnap_graph_walk_next(&walk, &span, error)) == SNAP_OK) {
		if (!visit_span(&span, visit, context))
			break;
		libsnap_graph_progress(graph, "references", walk.references.position,
				       walk.references.rows);
	}
	libsnap_graph_walk_close(&walk);
	return status == SNAP_END ? SNAP_OK : status;
}

enum snap_status snap_graph_roots(struct snap_graph *graph, snap_graph_visit *visit, void *context,
				  struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_ROOT_OBJECT, SNAP_ROOT_KIND_COLUMN};
	struct stream stream;
	enum snap_status status =
		libsnap_graph_stream_open(&stream, graph, columns, 2, graph->roots, error);
	bool go_on = true;
	while (status == SNAP_OK && go_on && stream.position < stream.rows) {
		const uint64_t *values[STREAM_COLUMNS];
		size_t count;
		bool lost;
		status = libsnap_graph_stream_peek(&stream, graph->roots, &count, values, &lost,
						   error);
		if (status != SNAP_OK)
			break;
		for (size_t i = 0; !lost && go_on && i < count; i++) {
			struct snap_graph_reference reference = {
				.owner = SNAP_GRAPH_NONE,
				.target = values[0][i] - 1,
				.label = stream.position + i,
				.kind = values[1][i] < UINT32_MAX ? (uint32_t)values[1][i]
								  : UINT32_MAX};
			go_on = visit(context, &reference);
		}
		stream.position += count;
	}
	libsnap_graph_stream_close(&stream);
	return status;
}

static enum snap_status reverse(struct snap_graph *graph, struct snap_error *error)
{
	const struct adjacency *held = &graph->held;
	uint32_t nodes = graph->objects, edges = (uint32_t)graph->followed;
	enum snap_status status = libsnap_graph_need_held(graph, "who refers to what", error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(graph, "who refers to what",
					       (nodes + 1ull + edges) * 4, error);
	if (status != SNAP_OK)
		return status;
	uint32_t *start = libsnap_graph_take_zeroed(graph, nodes + 1u, 4);
	uint32_t *to = libsnap_graph_take(graph, edges, 4);
	if (start == NULL || to == NULL) {
		libsnap_graph_give(graph, start, nodes + 1u, 4);
		libsnap_graph_give(graph, to, edges, 4);
		return libsnap_fail_memory(error);
	}
	for (uint32_t e = 0; e < edges; e++)
		start[held->to[e]]++;
	uint32_t sum = 0;
	for (uint32_t v = 0; v < nodes; v++)
		start[v] = sum += start[v];
	start[nodes] = edges;
	/* Backwards, so that each start ends where it belongs and owners ascend. */
	for (uint32_t v = nodes; v-- > 0;)
		for (uint32_t e = held->start[v + 1]; e-- > held->start[v];)
			to[--start[held->to[e]]] = v;
	graph->owners =
		(struct adjacency){.nodes = nodes, .capacity = edges, .start = start, .to = to};
	return SNAP_OK;
}

struct filter {
	uint64_t target;
	bool follow_weak, go_on;
	snap_graph_visit *visit;
	void *context;
};

static bool visit_if_target(void *context, const struct snap_graph_reference *reference)
{
	struct filter *filter = context;
	if (reference->target == filter->target &&
	    (filter->follow_weak || reference->kind < SNAP_REF_FIRST_WEAK))
		filter->go_on = filter->visit(filter->context, reference);
	return filter->go_on;
}

enum snap_status snap_graph_owners(struct snap_graph *graph, uint64_t row, snap_graph_visit *visit,
				   void *context, struct snap_error *error)
{
	if (row >= graph->objects)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "there is no row %" PRIu64,
				    row);
	enum snap_status status = SNAP_OK;
	if (graph->owners.start == NULL)
		status = reverse(graph, error);
	if (status != SNAP_OK)
		return status;
	struct filter filter = {.target = row,
				.follow_weak = graph->options.follow_weak,
				.go_on = true,
				.visit = visit,
				.context = context};
	const struct adjacency *owners = &graph->owners;
	for (uint32_t e = owners->start[row]; filter.go_on && e < owners->start[row + 1]; e++) {
		if (e > owners->start[row] && owners->to[e] == owners->to[e - 1])
			continue;
		status = snap_graph_owned(graph, owners->to[e], visit_if_target, &filter, error);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}
