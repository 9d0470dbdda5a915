/* All references in the order of the file: run by run, slot by slot, then the tails
 * (FORMAT.md, 7.3). */
#include "graph.h"

enum snap_status libsnap_graph_walk_open(struct walk *walk, struct snap_graph *graph,
					 struct snap_error *error)
{
	static const uint32_t targets[] = {SNAP_REFERENCE_TARGET}, lengths[] = {SNAP_TAIL_LENGTH};
	static const uint32_t labels[] = {SNAP_TAIL_LABEL_KIND, SNAP_TAIL_LABEL};
	*walk = (struct walk){.graph = graph};
	enum snap_status status = libsnap_graph_stream_open(&walk->references, graph, targets, 1,
							    graph->stored_references, error);
	if (status == SNAP_OK)
		status = libsnap_graph_stream_open(&walk->tails, graph, lengths, 1,
						   graph->tail_count, error);
	if (status == SNAP_OK)
		status = libsnap_graph_stream_open(&walk->labels, graph, labels, 2,
						   graph->stored_labels, error);
	if (status != SNAP_OK)
		libsnap_graph_walk_close(walk);
	return status;
}

void libsnap_graph_walk_close(struct walk *walk)
{
	libsnap_graph_stream_close(&walk->references);
	libsnap_graph_stream_close(&walk->tails);
	libsnap_graph_stream_close(&walk->labels);
}

/* Moves over what is used up; false: a reference is next; *end: there is none. */
static enum snap_status settle(struct walk *walk, bool *end, struct snap_error *error)
{
	const struct snap_graph *graph = walk->graph;
	*end = false;
	for (; walk->run < graph->run_count;
	     walk->run++, walk->slot = 0, walk->row = 0, walk->in_tail = false) {
		const struct run *run = &graph->runs[walk->run];
		const struct shape *shape = &graph->shapes[run->shape];
		uint64_t rows = run[1].first_row - run->first_row;
		if (walk->slot < shape->slot_count)
			return SNAP_OK;
		if (shape->tail == SNAP_TAIL_NONE)
			continue;
		walk->in_tail = true;
		while (walk->row < rows) {
			if (!walk->has_length) {
				size_t count;
				const uint64_t *values[STREAM_COLUMNS];
				enum snap_status status = libsnap_graph_stream_take(
					&walk->tails, 1, &count, values, error);
				if (status != SNAP_OK)
					return status;
				walk->length = values[0][0];
				walk->index = 0;
				walk->has_length = true;
			}
			if (walk->index < walk->length)
				return SNAP_OK;
			walk->has_length = false;
			walk->row++;
		}
	}
	*end = true;
	return SNAP_OK;
}

static enum snap_status next_of_slot(struct walk *walk, struct span *span, bool *lost,
				     struct snap_error *error)
{
	const struct snap_graph *graph = walk->graph;
	const struct run *run = &graph->runs[walk->run];
	const struct shape *shape = &graph->shapes[run->shape];
	uint64_t rows = run[1].first_row - run->first_row;
	const uint64_t *values[STREAM_COLUMNS] = {NULL};
	size_t count;
	enum snap_status status = libsnap_graph_stream_peek(&walk->references, rows - walk->row,
							    &count, values, lost, error);
	if (status != SNAP_OK)
		return status;
	*span = (struct span){.row = run->first_row + walk->row,
			      .slot = walk->slot,
			      .count = count,
			      .targets = values[0],
			      .kind = graph->slot_kinds[shape->first_slot + walk->slot],
			      .label = graph->slot_labels[shape->first_slot + walk->slot]};
	walk->references.position += count;
	walk->row += count;
	if (walk->row == rows) {
		walk->row = 0;
		walk->slot++;
	}
	return SNAP_OK;
}

static enum snap_status next_of_tail(struct walk *walk, struct span *span, bool *lost,
				     struct snap_error *error)
{
	const struct snap_graph *graph = walk->graph;
	const struct run *run = &graph->runs[walk->run];
	const struct shape *shape = &graph->shapes[run->shape];
	const uint64_t *targets[STREAM_COLUMNS] = {NULL}, *labels[STREAM_COLUMNS] = {NULL};
	size_t count;
	enum snap_status status = libsnap_graph_stream_peek(
		&walk->references, walk->length - walk->index, &count, targets, lost, error);
	if (status != SNAP_OK)
		return status;
	if (shape->tail == SNAP_TAIL_LABELLED) {
		bool labels_lost;
		status = libsnap_graph_stream_peek(&walk->labels, count, &count, labels,
						   &labels_lost, error);
		if (status != SNAP_OK)
			return status;
		*lost = *lost || labels_lost;
		walk->labels.position += count;
	}
	*span = (struct span){.is_tail = true,
			      .row = run->first_row + walk->row,
			      .slot = shape->slot_count,
			      .index = walk->index,
			      .count = count,
			      .targets = targets[0],
			      .kinds = labels[0],
			      .labels = labels[1],
			      .kind = shape->tail_kind};
	walk->references.position += count;
	walk->index += count;
	return SNAP_OK;
}

/* A span may be of one reference. */
static void tell_progress(struct walk *walk)
{
	uint64_t position = walk->references.position;
	if (position >> 16 == walk->told >> 16)
		return;
	walk->told = position;
	libsnap_graph_progress(walk->graph, "references", position, walk->references.rows);
}

enum snap_status libsnap_graph_walk_next(struct walk *walk, struct span *span,
					 struct snap_error *error)
{
	bool lost = true;
	tell_progress(walk);
	while (lost) {
		bool end;
		enum snap_status status = settle(walk, &end, error);
		if (status != SNAP_OK)
			return status;
		if (end)
			return SNAP_END;
		status = walk->in_tail ? next_of_tail(walk, span, &lost, error)
				       : next_of_slot(walk, span, &lost, error);
		if (status != SNAP_OK)
			return status;
		if (lost)
			walk->lost += span->count;
	}
	return SNAP_OK;
}
