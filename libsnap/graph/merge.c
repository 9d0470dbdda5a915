/* Merges the shortest paths to many objects into one tree of steps. */
#include "merge.h"

#include <string.h>

/* A step is folded into one of so many before it, if it is the same: x.next.next,
 * x.data.next.data.next ... */
#define FOLD    4
#define MAX_RUN (UINT64_C(1) << 29) /* that are counted */

struct merge {
	struct snap_graph *graph;
	const struct snap_graph_set *targets;
	struct marks on_way;
	struct numbers order; /* rows on the way, by distance */
	/* By rank: the reference to each, or of root objects the string of the entry; the entry;
	 * the step; and how many foldings are in a row, times FOLD, and steps since the last. */
	struct numbers labels, kinds, entries, step, run;
	struct snap_graph_step *steps;
	size_t step_count, step_capacity;
	uint32_t *table; /* open addressing over steps */
	size_t table_size;
};

/* ---- rows on the way ---- */

static enum snap_status mark_ways(struct merge *merge, uint64_t *unreached,
				  struct snap_error *error)
{
	struct snap_graph *graph = merge->graph;
	uint64_t *bits = merge->on_way.bits;
	*unreached = 0;
	for (uint64_t target = snap_graph_set_next(merge->targets, 0); target != SNAP_GRAPH_NONE;
	     target = snap_graph_set_next(merge->targets, target + 1)) {
		if (snap_graph_distance(graph, target) == SNAP_GRAPH_NONE) {
			++*unreached;
			continue;
		}
		for (uint64_t row = target; row != SNAP_GRAPH_NONE && !libsnap_has_bit(bits, row);
		     row = libsnap_numbers_get(&graph->parent, row))
			libsnap_set_bit(bits, row);
	}
	libsnap_marks_count(&merge->on_way, graph);
	return libsnap_graph_check_pages(graph, error);
}

static enum snap_status open_numbers(struct merge *merge, struct snap_error *error)
{
	struct snap_graph *graph = merge->graph;
	uint64_t count = merge->on_way.count;
	struct numbers *const all[] = {&merge->order, &merge->kinds, &merge->entries, &merge->step,
				       &merge->run};
	enum snap_status status = libsnap_graph_prepare(graph, count * 28, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&merge->labels, graph, count, true, error);
	for (size_t i = 0; status == SNAP_OK && i < sizeof(all) / sizeof(all[0]); i++)
		status = libsnap_numbers_open(all[i], graph, count, false, error);
	return status;
}

/* After a failure it may be any, and 0 will do. */
static uint64_t distance_on_way(const struct merge *merge, uint64_t row)
{
	uint64_t distance = libsnap_numbers_get(&merge->graph->distance, row);
	return distance < merge->on_way.count ? distance : 0;
}

/* Rows by distance.  Every distance up to the largest occurs, so there are at most count; step is
 * used as room. */
static void sort_by_distance(struct merge *merge)
{
	const struct snap_graph *graph = merge->graph;
	struct numbers *ends = &merge->step;
	uint64_t sum = 0, row, distance, end;
	for (row = libsnap_marks_next(&merge->on_way, graph, 0); row != SNAP_GRAPH_NONE;
	     row = libsnap_marks_next(&merge->on_way, graph, row + 1)) {
		distance = distance_on_way(merge, row);
		end = libsnap_numbers_get(ends, distance);
		libsnap_numbers_set(ends, distance, end == SNAP_GRAPH_NONE ? 1 : end + 1);
	}
	for (uint64_t i = 0; i < merge->on_way.count; i++) {
		end = libsnap_numbers_get(ends, i);
		if (end == SNAP_GRAPH_NONE)
			break;
		libsnap_numbers_set(ends, i, sum);
		sum += end;
	}
	for (row = libsnap_marks_next(&merge->on_way, graph, 0); row != SNAP_GRAPH_NONE;
	     row = libsnap_marks_next(&merge->on_way, graph, row + 1)) {
		distance = distance_on_way(merge, row);
		end = libsnap_numbers_get(ends, distance);
		if (end >= merge->on_way.count) /* only after a failure */
			continue;
		libsnap_numbers_set(ends, distance, end + 1);
		libsnap_numbers_set(&merge->order, end, row);
	}
}

static enum snap_status label_roots(struct merge *merge, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_ROOT_OBJECT, SNAP_ROOT_KIND_COLUMN,
					   SNAP_ROOT_LABEL};
	struct snap_graph *graph = merge->graph;
	struct stream stream;
	const uint64_t *values[STREAM_COLUMNS];
	uint64_t first;
	size_t count;
	enum snap_status status =
		libsnap_graph_stream_open(&stream, graph, columns, 3, graph->roots, error);
	while (status == SNAP_OK) {
		status = libsnap_graph_stream_next(&stream, &first, &count, values, error);
		if (status != SNAP_OK || count == 0)
			break;
		for (size_t i = 0; i < count; i++) {
			uint64_t row = values[0][i] - 1;
			if (!libsnap_has_bit(merge->on_way.bits, row))
				continue;
			uint64_t rank = libsnap_marks_rank(&merge->on_way, row);
			if (libsnap_numbers_get(&merge->entries, rank) != SNAP_GRAPH_NONE)
				continue;
			libsnap_numbers_set(&merge->entries, rank, first + i);
			libsnap_numbers_set(&merge->kinds, rank,
					    values[1][i] < NONE ? values[1][i] : NONE);
			libsnap_numbers_set(&merge->labels, rank, values[2][i]);
		}
	}
	libsnap_graph_stream_close(&stream);
	return status;
}

/* ---- steps ---- */

/* What makes two steps below the same one the same. */
struct key {
	uint64_t type, label;
	uint32_t kind;
};

/* Of depth 0, label is the number of the entry, and the key's that of its string: that of the
 * example. */
static struct key key_of(const struct merge *merge, const struct snap_graph_step *step)
{
	uint64_t label = libsnap_graph_fold_label(step->label);
	if (step->depth == 0)
		label = libsnap_numbers_get(&merge->labels,
					    libsnap_marks_rank(&merge->on_way, step->example));
	return (struct key){.type = step->type, .kind = step->kind, .label = label};
}

static bool is_same(const struct merge *merge, const struct snap_graph_step *step,
		    const struct key *key)
{
	struct key own = key_of(merge, step);
	return own.type == key->type && own.kind == key->kind && own.label == key->label;
}

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static size_t find_slot(const struct merge *merge, uint32_t parent, const struct key *key)
{
	size_t mask = merge->table_size - 1;
	size_t at =
		(size_t)mix(mix(mix(key->label) + key->type) + (uint64_t)parent * 32 + key->kind) &
		mask;
	for (; merge->table[at] != NONE; at = (at + 1) & mask) {
		const struct snap_graph_step *step = &merge->steps[merge->table[at]];
		if (step->parent == parent && is_same(merge, step, key))
			break;
	}
	return at;
}

static enum snap_status enlarge(struct merge *merge, struct snap_error *error)
{
	struct snap_graph *graph = merge->graph;
	size_t old_size = merge->table_size, size = old_size == 0 ? 256 : old_size * 2;
	enum snap_status status = libsnap_graph_reserve(graph, "merged paths", size * 4ull, error);
	if (status != SNAP_OK)
		return status;
	uint32_t *old = merge->table, *larger = libsnap_graph_take(graph, size, 4);
	if (larger == NULL)
		return libsnap_fail_memory(error);
	memset(larger, 0xff, size * 4);
	merge->table = larger;
	merge->table_size = size;
	for (size_t i = 0; i < merge->step_count; i++) {
		struct key key = key_of(merge, &merge->steps[i]);
		larger[find_slot(merge, merge->steps[i].parent, &key)] = (uint32_t)i;
	}
	libsnap_graph_give(graph, old, old_size, 4);
	return SNAP_OK;
}

/* The step before into which this one is folded; NONE: it is not. */
static uint32_t find_fold(const struct merge *merge, uint32_t parent, const struct key *key)
{
	for (int i = 0; i < FOLD && parent != NONE && merge->steps[parent].depth > 0; i++) {
		if (is_same(merge, &merge->steps[parent], key))
			return parent;
		parent = merge->steps[parent].parent;
	}
	return NONE;
}

static enum snap_status add_step(struct merge *merge, uint32_t parent, struct snap_graph_step step,
				 const struct key *key, uint32_t *out, struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	if (2 * (merge->step_count + 1) >= merge->table_size)
		status = enlarge(merge, error);
	if (status != SNAP_OK)
		return status;
	size_t slot = find_slot(merge, parent, key);
	if (merge->table[slot] == NONE) {
		status = libsnap_graph_grow(merge->graph, "merged paths", (void **)&merge->steps,
					    &merge->step_capacity, merge->step_count + 1,
					    sizeof(*merge->steps), error);
		if (status != SNAP_OK)
			return status;
		merge->table[slot] = (uint32_t)merge->step_count;
		step.parent = parent;
		step.depth = parent == NONE ? 0 : merge->steps[parent].depth + 1;
		step.first_child = step.next = NONE;
		step.repeats = step.names = 1;
		merge->steps[merge->step_count++] = step;
	}
	*out = merge->table[slot];
	return SNAP_OK;
}

/* The step before, into which the row's own may be folded: then *index, else NONE. */
static uint32_t find_before(struct merge *merge, uint64_t row, uint64_t rank, const struct key *key,
			    uint32_t *index)
{
	uint64_t parent = libsnap_numbers_get(&merge->graph->parent, row);
	uint64_t above = libsnap_marks_rank(&merge->on_way, parent);
	uint32_t before = (uint32_t)libsnap_numbers_get(&merge->step, above);
	uint64_t run = libsnap_numbers_get(&merge->run, above) / FOLD;
	uint64_t since = libsnap_numbers_get(&merge->run, above) % FOLD;
	*index = find_fold(merge, before, key);
	if (*index != NONE) {
		struct snap_graph_step *step = &merge->steps[*index];
		run += run < MAX_RUN;
		since = 0;
		if (step->repeats <= run)
			step->repeats = (uint32_t)run + 1;
	} else if (++since == FOLD) {
		run = since = 0;
	}
	libsnap_numbers_set(&merge->run, rank, run * FOLD + since);
	return before;
}

static enum snap_status merge_row(struct merge *merge, uint64_t row, struct snap_error *error)
{
	const struct snap_graph *graph = merge->graph;
	bool is_root = libsnap_numbers_get(&graph->distance, row) == 0;
	uint64_t rank = libsnap_marks_rank(&merge->on_way, row);
	struct snap_graph_step step = {.type = libsnap_graph_shape(graph, row)->type,
				       .kind = (uint32_t)libsnap_numbers_get(&merge->kinds, rank),
				       .example = row};
	uint64_t label = step.label = libsnap_numbers_get(&merge->labels, rank);
	if (step.kind == NONE && !is_root) /* a partial reader lost the reference */
		label = step.label = SNAP_LABEL_NONE;
	if (is_root)
		step.label = libsnap_numbers_get(&merge->entries, rank);
	if (is_root && step.label == SNAP_GRAPH_NONE) {
		step.label = NONE;
		step.kind = 0;
		label = 0;
		libsnap_numbers_set(&merge->labels, rank, 0);
	}
	struct key key = {.type = step.type, .kind = step.kind, .label = label};
	uint32_t before = NONE, index = NONE;
	if (is_root) {
		libsnap_numbers_set(&merge->run, rank, 0);
	} else {
		key.label = libsnap_graph_fold_label(label);
		before = find_before(merge, row, rank, &key, &index);
	}
	if (libsnap_graph_has_failed(graph))
		return libsnap_graph_check_pages(graph, error);
	if (index == NONE) {
		enum snap_status status = add_step(merge, before, step, &key, &index, error);
		if (status != SNAP_OK)
			return status;
	}
	struct snap_graph_step *merged = &merge->steps[index];
	if (!is_root && merged->label != label)
		merged->label = key.label;
	merged->objects++;
	merged->ends += snap_graph_set_has(merge->targets, row);
	libsnap_numbers_set(&merge->step, rank, index);
	return SNAP_OK;
}

/* ---- order ---- */

static void sift(uint32_t *heap, size_t at, size_t count,
		 bool (*comes_first)(const void *context, uint32_t a, uint32_t b),
		 const void *context)
{
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && comes_first(context, heap[child], heap[child + 1]))
			child++;
		if (!comes_first(context, heap[at], heap[child]))
			return;
		uint32_t index = heap[at];
		heap[at] = heap[child];
		heap[child] = index;
	}
}

void libsnap_graph_sort(uint32_t *order, size_t count,
			bool (*comes_first)(const void *context, uint32_t a, uint32_t b),
			const void *context)
{
	for (size_t i = count / 2; i-- > 0;)
		sift(order, i, count, comes_first, context);
	for (size_t end = count; end-- > 1;) {
		uint32_t last = order[0];
		order[0] = order[end];
		order[end] = last;
		sift(order, 0, end, comes_first, context);
	}
}

/* Most targets first, then as they were found. */
static bool leads_to_more(const void *context, uint32_t a, uint32_t b)
{
	const struct snap_graph_step *steps = context;
	return steps[a].through != steps[b].through ? steps[a].through > steps[b].through : a < b;
}

/* Links children: all steps, worst first, are put before their siblings. */
static void link_steps(struct snap_graph_paths *out, uint32_t *order)
{
	struct snap_graph_step *steps = out->steps;
	for (size_t i = out->count; i-- > 0;) {
		steps[i].through += steps[i].ends;
		if (steps[i].parent != NONE)
			steps[steps[i].parent].through += steps[i].through;
	}
	for (size_t i = 0; i < out->count; i++)
		order[i] = (uint32_t)i;
	libsnap_graph_sort(order, out->count, leads_to_more, steps);
	for (size_t i = out->count; i-- > 0;) {
		uint32_t worst = order[i];
		uint32_t *first = steps[worst].parent == NONE
					  ? &out->first
					  : &steps[steps[worst].parent].first_child;
		steps[worst].next = *first;
		*first = worst;
	}
}

static void free_merge(struct merge *merge)
{
	struct snap_graph *graph = merge->graph;
	libsnap_marks_close(&merge->on_way, graph);
	libsnap_numbers_close(&merge->order);
	libsnap_numbers_close(&merge->labels);
	libsnap_numbers_close(&merge->kinds);
	libsnap_numbers_close(&merge->entries);
	libsnap_numbers_close(&merge->step);
	libsnap_numbers_close(&merge->run);
	libsnap_graph_give(graph, merge->table, merge->table_size, 4);
	libsnap_graph_give(graph, merge->steps, merge->step_capacity, sizeof(*merge->steps));
}

static enum snap_status merge_rows(struct merge *merge, struct snap_error *error)
{
	struct snap_graph *graph = merge->graph;
	enum snap_status status = open_numbers(merge, error);
	if (status != SNAP_OK)
		return status;
	libsnap_graph_progress(graph, "merged paths", 0, merge->on_way.count);
	sort_by_distance(merge);
	status = libsnap_graph_tree_labels(graph, &merge->on_way, &merge->labels, &merge->kinds,
					   error);
	if (status == SNAP_OK)
		status = label_roots(merge, error);
	for (uint64_t i = 0; status == SNAP_OK && i < merge->on_way.count; i++) {
		uint64_t row = libsnap_numbers_get(&merge->order, i);
		status = libsnap_graph_check_pages(graph, error);
		if (status == SNAP_OK)
			status = merge_row(merge, row, error);
		if ((i & 0xfffff) == 0xfffff)
			libsnap_graph_progress(graph, "merged paths", i, merge->on_way.count);
	}
	return status;
}

/* Gives the steps, in an array of their exact number. */
static enum snap_status hand_over(struct merge *merge, struct snap_graph_paths *out,
				  struct snap_error *error)
{
	struct snap_graph *graph = merge->graph;
	enum snap_status status =
		libsnap_graph_fold_names(graph, merge->steps, merge->step_count, out, error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(graph, "merged paths", out->count * 4ull, error);
	if (status != SNAP_OK) {
		snap_graph_free_paths(graph, out);
		return status;
	}
	size_t count = out->count;
	uint32_t *order = libsnap_graph_take(graph, count, 4);
	if (order != NULL) {
		link_steps(out, order);
	} else {
		snap_graph_free_paths(graph, out);
		status = libsnap_fail_memory(error);
	}
	libsnap_graph_give(graph, order, count, 4);
	return status;
}

enum snap_status snap_graph_merge_paths(struct snap_graph *graph, const struct snap_graph_set *set,
					struct snap_graph_paths *out, struct snap_error *error)
{
	if (!libsnap_numbers_is_open(&graph->distance))
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "no search was made");
	struct merge merge = {.graph = graph, .targets = set};
	struct snap_graph_paths paths = {.first = NONE};
	enum snap_status status = libsnap_marks_open(&merge.on_way, graph, error);
	if (status == SNAP_OK)
		status = mark_ways(&merge, &paths.unreached, error);
	if (status == SNAP_OK)
		status = merge_rows(&merge, error);
	if (status == SNAP_OK)
		status = hand_over(&merge, &paths, error);
	free_merge(&merge);
	if (status == SNAP_OK)
		*out = paths;
	return status;
}

void snap_graph_free_paths(struct snap_graph *graph, struct snap_graph_paths *paths)
{
	libsnap_graph_give(graph, paths->steps, paths->count, sizeof(*paths->steps));
	*paths = (struct snap_graph_paths){.first = NONE};
}
