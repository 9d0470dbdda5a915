/* Opens a graph: the references that are followed become successors of nodes. */
#include "graph.h"

/* Whether all references of a span are left out. */
static bool is_left_out(const struct snap_graph *graph, const struct span *span)
{
	return span->kinds == NULL && span->kind >= SNAP_REF_FIRST_WEAK &&
	       !graph->options.follow_weak;
}

/* Successors that lie outside.  False: one is beyond the objects. */
static bool place_span_outside(struct snap_graph *graph, const struct span *span)
{
	struct outside *outside = &graph->outside;
	bool weak = graph->options.follow_weak, bad = false;
	uint64_t at = 0;
	if (span->is_tail)
		at = libsnap_paged_get(&outside->start, span->row) + span->slot + span->index;
	for (size_t i = 0; i < span->count; i++, at++) {
		if (span->kinds != NULL && span->kinds[i] >= SNAP_REF_FIRST_WEAK && !weak)
			continue;
		if (!span->is_tail)
			at = libsnap_paged_get(&outside->start, span->row + i) + span->slot;
		bad |= span->targets[i] > graph->objects;
		/* Zeros are there already.  A place is beyond the last only after a failure. */
		if (span->targets[i] != 0 && at < graph->stored_references)
			libsnap_paged_set(&outside->to, at, span->targets[i]);
	}
	return !bad;
}

/* filler: NULL where successors lie outside.  *good: no reference is to beyond the objects. */
static enum snap_status walk_references(struct snap_graph *graph, struct filler *filler, bool *good,
					struct snap_error *error)
{
	struct walk walk;
	struct span span;
	enum snap_status status = libsnap_graph_walk_open(&walk, graph, error);
	while (status == SNAP_OK && *good &&
	       (status = libsnap_graph_walk_next(&walk, &span, error)) == SNAP_OK) {
		if (is_left_out(graph, &span))
			continue;
		if (filler != NULL)
			libsnap_graph_filler_add(filler, &span);
		else
			*good = place_span_outside(graph, &span);
	}
	graph->lost_references = walk.lost;
	libsnap_graph_walk_close(&walk);
	return status;
}

static enum snap_status load_references(struct snap_graph *graph, struct snap_error *error)
{
	const bool outside = graph->outside.pages != NULL;
	struct filler filler;
	bool good = true;
	if (!outside)
		libsnap_graph_filler_begin(&filler, graph);
	enum snap_status status = walk_references(graph, outside ? NULL : &filler, &good, error);
	if (!outside)
		good = libsnap_graph_filler_end(&filler);
	if (!good)
		return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
				    "a reference to no object");
	return status == SNAP_END ? SNAP_OK : status;
}

static void close_gaps_outside(struct snap_graph *graph)
{
	struct paged *start = &graph->outside.start, *to = &graph->outside.to;
	uint64_t written = 0, at = 0;
	for (uint64_t row = 0; row < graph->objects; row++) {
		uint64_t end = libsnap_paged_get(start, row + 1);
		libsnap_graph_set_start(graph, row, written);
		for (; at < end && !libsnap_graph_has_failed(graph); at++) {
			uint64_t id = libsnap_paged_get(to, at);
			if (id != 0)
				libsnap_paged_set(to, written++, id - 1);
		}
	}
	libsnap_graph_set_start(graph, graph->objects, written);
}

static enum snap_status load_roots(struct snap_graph *graph, struct snap_error *error)
{
	static const uint32_t column = SNAP_ROOT_OBJECT;
	uint64_t at = libsnap_graph_get_start(graph, graph->objects);
	struct scan root = scan_begin(graph->reader, &column, 1, error);
	while (scan_next(&root)) {
		uint64_t id = scan_value(&root, 0);
		if (id == 0 || id > graph->objects)
			root.status = libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
						   "a root that is no object");
		else
			libsnap_graph_set_to(graph, at++, id - 1);
	}
	libsnap_graph_set_start(graph, graph->objects + 1, at);
	graph->held_count = at;
	return scan_end(&root, &graph->lost_references);
}

static enum snap_status take_successors(struct snap_graph *graph, size_t capacity,
					struct snap_error *error)
{
	enum snap_status status =
		libsnap_graph_reserve(graph, "references", capacity * 4ull, error);
	if (status != SNAP_OK)
		return status;
	graph->held.to = libsnap_graph_take(graph, capacity, 4);
	if (graph->held.to == NULL)
		return libsnap_fail_memory(error);
	graph->held.capacity = (uint32_t)capacity;
	return SNAP_OK;
}

/* What references to nothing, and those that are not followed, had taken. */
static void give_rest(struct snap_graph *graph)
{
	size_t capacity = graph->held.capacity, used = (size_t)graph->held_count;
	uint32_t *smaller =
		libsnap_resize_array(graph->allocator, graph->held.to, capacity, used, 4);
	if (smaller == NULL)
		return;
	graph->used -= (capacity - used) * 4ull;
	graph->held.to = smaller;
	graph->held.capacity = (uint32_t)used;
}

static enum snap_status load_adjacency(struct snap_graph *graph, struct snap_error *error)
{
	uint64_t capacity = graph->stored_references + graph->roots;
	if (capacity > NONE - 1 && !graph->wide)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "damaged references are too many to be held");
	bool outside = graph->outside.pages != NULL;
	enum snap_status status =
		outside ? libsnap_paged_open(&graph->outside.to, graph->outside.pages, capacity,
					     graph->wide, error)
			: take_successors(graph, capacity, error);
	if (status == SNAP_OK)
		status = load_references(graph, error);
	if (status != SNAP_OK)
		return status;
	if (outside)
		close_gaps_outside(graph);
	graph->followed = libsnap_graph_get_start(graph, graph->objects);
	status = load_roots(graph, error);
	if (status == SNAP_OK && outside)
		status = libsnap_pages_check(graph->outside.pages, error);
	if (status == SNAP_OK && !outside)
		give_rest(graph);
	return status;
}

enum snap_status libsnap_graph_load_references(struct snap_graph *graph, struct snap_error *error)
{
	if (!graph->indexed.is_lazy)
		return SNAP_OK;
	graph->indexed.is_lazy = false;
	uint64_t bytes = (graph->objects + graph->stored_references + graph->roots + 2) * 4;
	enum snap_status status = libsnap_graph_prepare(graph, bytes + bytes / 4, error);
	if (status == SNAP_OK)
		status = libsnap_graph_place_references(graph, error);
	return status == SNAP_OK ? load_adjacency(graph, error) : status;
}

enum snap_status libsnap_graph_open(struct snap_graph **out, struct snap_reader *reader,
				    const struct snap_graph_options *options, bool wide,
				    struct snap_error *error)
{
	struct snap_graph_options own = SNAP_GRAPH_OPTIONS_INIT;
	enum snap_status status = libsnap_copy_options(&own, sizeof(own), options, error);
	if (status != SNAP_OK)
		return status;
	if (own.max_memory_bytes == 0)
		own.max_memory_bytes = SNAP_GRAPH_DEFAULT_MEMORY;
	struct snap_graph *graph = libsnap_alloc_zeroed(own.allocator, 1, sizeof(*graph));
	if (graph == NULL)
		return libsnap_fail_memory(error);
	graph->reader = reader;
	graph->wide = wide;
	graph->options = own;
	graph->allocator = own.allocator;
	graph->io = own.io != NULL ? own.io : libsnap_system_io();
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	graph->damaged = info.damaged;
	status = libsnap_graph_load_layout(graph, error);
	if (status == SNAP_OK && !graph->indexed.is_lazy)
		status = load_adjacency(graph, error);
	if (status != SNAP_OK) {
		snap_graph_close(graph);
		return status;
	}
	graph->may_move = graph->outside.pages == NULL;
	*out = graph;
	return SNAP_OK;
}

enum snap_status snap_graph_open(struct snap_graph **out, struct snap_reader *reader,
				 const struct snap_graph_options *options, struct snap_error *error)
{
	return libsnap_graph_open(out, reader, options, false, error);
}

void snap_graph_close(struct snap_graph *graph)
{
	if (graph == NULL)
		return;
	libsnap_graph_close_columns(graph);
	libsnap_graph_drop_kept(graph);
	libsnap_graph_forget(graph);
	libsnap_graph_give(graph, graph->type_kinds, graph->types, 1);
	libsnap_graph_give(graph, graph->shapes, graph->shape_count + 1u, sizeof(struct shape));
	libsnap_graph_give(graph, graph->slot_kinds, graph->slot_count, 1);
	libsnap_graph_give(graph, graph->slot_labels, graph->slot_count, 8);
	libsnap_graph_give(graph, graph->runs, graph->run_capacity, sizeof(struct run));
	uint64_t run_marks = (graph->objects >> graph->mark_shift) + 1;
	libsnap_graph_give(graph, graph->run_marks, run_marks, 4);
	libsnap_graph_give(graph, graph->held.start, graph->objects + 2, 4);
	libsnap_graph_give(graph, graph->held.to, graph->held.capacity, 4);
	libsnap_graph_free_groups(graph);
	libsnap_graph_free_dominators(graph);
	libsnap_graph_free_chain(graph);
	libsnap_graph_free_component(graph);
	while (graph->numbers != NULL)
		libsnap_numbers_close(graph->numbers);
	libsnap_pages_close(graph->outside.pages);
	const struct snap_allocator *allocator = graph->allocator;
	libsnap_free(allocator, graph, 1, sizeof(*graph));
}

void snap_graph_info(const struct snap_graph *graph, struct snap_graph_info *out)
{
	*out = (struct snap_graph_info){
		.objects = graph->objects,
		.references = graph->followed,
		.roots = graph->roots,
		.lost_references = graph->lost_references,
		.memory_bytes = graph->used,
		.peak_memory_bytes = graph->peak,
	};
}
