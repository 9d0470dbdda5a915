/* References of one object, of all, and reversed. */
#include "graph.h"

#include <inttypes.h>

/* Where the tail of a row begins among all elements of tails, and its length. */
static enum snap_status find_tail(struct snap_graph *graph, const struct run *run, uint64_t row,
				  uint64_t *offset, uint64_t *length, struct snap_error *error)
{
	uint64_t tail = run->first_tail + (row - run->first_row);
	uint64_t mark = tail / TAILS_PER_MARK;
	uint64_t sum = libsnap_numbers_get(&graph->tail_marks, mark), value;
	for (uint64_t i = mark * TAILS_PER_MARK; i < tail; i++) {
		enum snap_status status =
			libsnap_graph_value(graph, SNAP_TAIL_LENGTH, i, &value, error);
		if (status != SNAP_OK)
			return status;
		sum += value;
	}
	*offset = sum;
	return libsnap_graph_value(graph, SNAP_TAIL_LENGTH, tail, length, error);
}

static enum snap_status visit_slot(struct snap_graph *graph, const struct run *run, uint32_t slot,
				   uint64_t row, bool *go_on, snap_graph_visit *visit,
				   void *context, struct snap_error *error)
{
	const struct shape *shape = &graph->shapes[run->shape];
	uint64_t rows = run[1].first_row - run->first_row, id;
	uint64_t at = run->first_reference + slot * rows + (row - run->first_row);
	enum snap_status status = libsnap_graph_value(graph, SNAP_REFERENCE_TARGET, at, &id, error);
	if (status != SNAP_OK || id == 0)
		return status;
	const struct snap_graph_reference reference = {
		.owner = row,
		.target = id - 1,
		.kind = graph->slot_kinds[shape->first_slot + slot],
		.label = graph->slot_labels[shape->first_slot + slot]};
	*go_on = visit(context, &reference);
	return SNAP_OK;
}

static enum snap_status visit_tail(struct snap_graph *graph, const struct run *run, uint64_t row,
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
	const struct run *run = &graph->runs[libsnap_graph_run(graph, row)];
	const struct shape *shape = &graph->shapes[run->shape];
	enum snap_status status = SNAP_OK;
	bool go_on = true;
	for (uint32_t slot = 0; status == SNAP_OK && go_on && slot < shape->slot_count; slot++)
		status = visit_slot(graph, run, slot, row, &go_on, visit, context, error);
	if (status == SNAP_OK && go_on && shape->tail != SNAP_TAIL_NONE)
		status = visit_tail(graph, run, row, &go_on, visit, context, error);
	return status;
}

enum snap_status libsnap_graph_owned_by(struct snap_graph *graph, const struct snap_graph_set *set,
					snap_graph_visit *visit, void *context,
					struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	bool go_on = true;
	for (uint64_t first = snap_graph_set_next(set, 0), next;
	     status == SNAP_OK && go_on && first != SNAP_GRAPH_NONE; first = next) {
		const struct run *run = &graph->runs[libsnap_graph_run(graph, first)];
		const struct shape *shape = &graph->shapes[run->shape];
		const uint64_t end = run[1].first_row;
		next = snap_graph_set_next(set, end);
		/* As the references lie, and one more time for the tails. */
		for (uint32_t slot = 0; slot <= shape->slot_count; slot++) {
			bool is_tail = slot == shape->slot_count;
			if (is_tail && shape->tail == SNAP_TAIL_NONE)
				break;
			for (uint64_t row = first; status == SNAP_OK && go_on && row < end;
			     row = snap_graph_set_next(set, row + 1))
				status = is_tail ? visit_tail(graph, run, row, &go_on, visit,
							      context, error)
						 : visit_slot(graph, run, slot, row, &go_on, visit,
							      context, error);
		}
	}
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
	}
	libsnap_graph_walk_close(&walk);
	return status == SNAP_END ? SNAP_OK : status;
}

enum snap_status snap_graph_roots(struct snap_graph *graph, snap_graph_visit *visit, void *context,
				  struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_ROOT_OBJECT, SNAP_ROOT_KIND_COLUMN};
	struct scan root = scan_begin(graph->reader, columns, 2, error);
	bool go_on = true;
	while (go_on && scan_next(&root)) {
		uint64_t kind = scan_value(&root, 1);
		struct snap_graph_reference reference = {.owner = SNAP_GRAPH_NONE,
							 .target = scan_value(&root, 0) - 1,
							 .label = root.row,
							 .kind = kind < UINT32_MAX ? (uint32_t)kind
										   : UINT32_MAX};
		go_on = visit(context, &reference);
	}
	return scan_end(&root, NULL);
}

/* Starts are ends at first: from the last, each owner takes the place before those after it, so
 * that owners ascend. */
static void place_owners(struct snap_graph *graph, struct numbers *start, struct numbers *owners)
{
	uint64_t sum = 0;
	for (uint64_t at = 0; at < graph->followed; at++) {
		uint64_t to = libsnap_graph_get_to(graph, at);
		uint64_t before = libsnap_numbers_get(start, to);
		libsnap_numbers_set(start, to, before == SNAP_GRAPH_NONE ? 1 : before + 1);
	}
	for (uint64_t row = 0; row < graph->objects; row++) {
		uint64_t count = libsnap_numbers_get(start, row);
		sum += count == SNAP_GRAPH_NONE ? 0 : count;
		libsnap_numbers_set(start, row, sum);
	}
	libsnap_numbers_set(start, graph->objects, sum);
	for (uint64_t row = graph->objects, at = graph->followed; row-- > 0;) {
		uint64_t first = libsnap_graph_get_start(graph, row);
		while (at > first && !libsnap_graph_has_failed(graph)) {
			uint64_t to = libsnap_graph_get_to(graph, --at);
			uint64_t place = libsnap_numbers_get(start, to) - 1;
			libsnap_numbers_set(start, to, place);
			libsnap_numbers_set(owners, place, row);
		}
	}
}

static enum snap_status reverse(struct snap_graph *graph, struct snap_error *error)
{
	struct numbers *start = &graph->owners_start, *owners = &graph->owners;
	enum snap_status status = libsnap_graph_load_references(graph, error);
	uint64_t edges = graph->followed;
	if (status == SNAP_OK)
		status = libsnap_graph_prepare(graph, (graph->objects + 1 + edges) * 4, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(start, graph, graph->objects + 1, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(owners, graph, edges, false, error);
	libsnap_graph_progress(graph, "who refers to what", 0, 1);
	if (status == SNAP_OK)
		place_owners(graph, start, owners);
	if (status == SNAP_OK)
		status = libsnap_graph_check_pages(graph, error);
	if (status != SNAP_OK) {
		libsnap_numbers_close(start);
		libsnap_numbers_close(owners);
	}
	return status;
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
	if (!libsnap_numbers_is_open(&graph->owners))
		status = reverse(graph, error);
	if (status != SNAP_OK)
		return status;
	struct filter filter = {.target = row,
				.follow_weak = graph->options.follow_weak,
				.go_on = true,
				.visit = visit,
				.context = context};
	uint64_t end = libsnap_numbers_get(&graph->owners_start, row + 1), last = SNAP_GRAPH_NONE;
	uint64_t at = libsnap_numbers_get(&graph->owners_start, row);
	for (; filter.go_on && at < end && !libsnap_graph_has_failed(graph); at++) {
		uint64_t owner = libsnap_numbers_get(&graph->owners, at);
		if (owner == last)
			continue;
		status = snap_graph_owned(graph, last = owner, visit_if_target, &filter, error);
		if (status != SNAP_OK)
			return status;
	}
	return libsnap_graph_check_pages(graph, error);
}
