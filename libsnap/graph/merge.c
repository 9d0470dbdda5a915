/* Merges the shortest paths to many objects into one tree of steps. */
#include "merge.h"

#include <string.h>

/* A step is folded into one of so many before it, if it is the same: x.next.next,
 * x.data.next.data.next ... */
#define FOLD 4

/* Rows on the way to a target, as bits; the rank of a row is the number of such rows below it. */
struct marks {
	uint64_t *bits;
	uint32_t *below; /* per word */
	uint32_t count;
};

struct merge {
	struct snap_graph *graph;
	size_t words;
	struct marks on_way;
	uint64_t *targets;      /* bits */
	uint32_t *rows, *order; /* rows on the way, ascending, and by distance */
	uint64_t *labels; /* of the reference to each, by rank; of root objects, the string of the
			     entry */
	uint32_t *kinds;
	uint32_t *entries; /* of root objects: the entry */
	uint32_t *step;    /* by rank */
	uint8_t *since;    /* steps since the last folding, by rank */
	uint32_t *run;     /* foldings in a row, by rank */
	struct snap_graph_step *steps;
	size_t step_count, step_capacity;
	uint32_t *table; /* open addressing over steps */
	size_t table_size;
};

static bool has_bit(const uint64_t *bits, uint32_t row)
{
	return bits[row / 64] >> row % 64 & 1;
}

static void set_bit(uint64_t *bits, uint32_t row)
{
	bits[row / 64] |= UINT64_C(1) << row % 64;
}

static uint32_t rank_of(const struct marks *marks, uint32_t row)
{
	uint64_t before = marks->bits[row / 64] & ((UINT64_C(1) << row % 64) - 1);
	return marks->below[row / 64] + (uint32_t)__builtin_popcountll(before);
}

/* ---- rows on the way ---- */

static void mark_ways(struct merge *merge, const uint64_t *rows, size_t count, uint64_t *unreached)
{
	const struct snap_graph *graph = merge->graph;
	*unreached = 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t row = (uint32_t)rows[i];
		if (rows[i] >= graph->objects || graph->distance[row] == NONE) {
			++*unreached;
			continue;
		}
		set_bit(merge->targets, row);
		for (; row != NONE && !has_bit(merge->on_way.bits, row); row = graph->parent[row]) {
			set_bit(merge->on_way.bits, row);
			merge->on_way.count++;
		}
	}
}

static enum snap_status take_rows(struct merge *merge, struct snap_error *error)
{
	struct snap_graph *graph = merge->graph;
	uint32_t count = merge->on_way.count;
	enum snap_status status =
		libsnap_graph_reserve(graph, "merged paths", count * 37ull, error);
	if (status != SNAP_OK)
		return status;
	merge->rows = libsnap_graph_take(graph, count, 4);
	merge->order = libsnap_graph_take(graph, count, 4);
	merge->labels = libsnap_graph_take(graph, count, 8);
	merge->kinds = libsnap_graph_take(graph, count, 4);
	merge->entries = libsnap_graph_take(graph, count, 4);
	merge->step = libsnap_graph_take(graph, count, 4);
	merge->since = libsnap_graph_take_zeroed(graph, count, 1);
	merge->run = libsnap_graph_take_zeroed(graph, count, 4);
	if (merge->rows == NULL || merge->order == NULL || merge->labels == NULL ||
	    merge->kinds == NULL || merge->entries == NULL || merge->step == NULL ||
	    merge->since == NULL || merge->run == NULL)
		return libsnap_fail_memory(error);
	uint32_t at = 0;
	for (size_t word = 0; word < merge->words; word++) {
		merge->on_way.below[word] = at;
		for (uint64_t bits = merge->on_way.bits[word]; bits != 0; bits &= bits - 1)
			merge->rows[at++] = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(bits);
	}
	return SNAP_OK;
}

/* Ranks by distance.  Every distance up to the largest occurs, so there are at most count; step is
 * used as room. */
static void sort_by_distance(struct merge *merge)
{
	const uint32_t *distance = merge->graph->distance;
	uint32_t *ends = merge->step, sum = 0;
	memset(ends, 0, merge->on_way.count * sizeof(*ends));
	for (uint32_t i = 0; i < merge->on_way.count; i++)
		ends[distance[merge->rows[i]]]++;
	for (uint32_t i = 0; i < merge->on_way.count; i++)
		ends[i] = sum += ends[i];
	for (uint32_t i = merge->on_way.count; i-- > 0;)
		merge->order[--ends[distance[merge->rows[i]]]] = i;
}

static enum snap_status label_roots(struct merge *merge, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_ROOT_OBJECT, SNAP_ROOT_KIND_COLUMN,
					   SNAP_ROOT_LABEL};
	struct snap_graph *graph = merge->graph;
	struct stream stream;
	memset(merge->entries, 0xff, merge->on_way.count * sizeof(*merge->entries));
	for (uint32_t i = 0; i < merge->on_way.count; i++)
		if (graph->distance[merge->rows[i]] == 0)
			merge->labels[i] = merge->kinds[i] = 0;
	enum snap_status status =
		libsnap_graph_stream_open(&stream, graph, columns, 3, graph->roots, error);
	while (status == SNAP_OK && stream.position < stream.rows) {
		const uint64_t *values[STREAM_COLUMNS];
		size_t count;
		bool lost;
		status = libsnap_graph_stream_peek(&stream, graph->roots, &count, values, &lost,
						   error);
		for (size_t i = 0; status == SNAP_OK && !lost && i < count; i++) {
			uint32_t row = (uint32_t)(values[0][i] - 1);
			if (!has_bit(merge->on_way.bits, row))
				continue;
			uint32_t rank = rank_of(&merge->on_way, row);
			if (merge->entries[rank] != NONE)
				continue;
			merge->entries[rank] = (uint32_t)(stream.position + i);
			merge->kinds[rank] = values[1][i] < NONE ? (uint32_t)values[1][i] : NONE;
			merge->labels[rank] = values[2][i];
		}
		if (status == SNAP_OK)
			stream.position += count;
	}
	libsnap_graph_stream_close(&stream);
	return status;
}

/* Labels of all but root objects: those are left out by packing the others, which the callee wants
 * ascending. */
static enum snap_status label_others(struct merge *merge, struct snap_error *error)
{
	struct snap_graph *graph = merge->graph;
	uint32_t count = 0;
	for (uint32_t i = 0; i < merge->on_way.count; i++)
		if (graph->distance[merge->rows[i]] != 0)
			merge->rows[count++] = merge->rows[i];
	enum snap_status status = libsnap_graph_tree_labels(graph, merge->rows, count,
							    merge->labels, merge->kinds, error);
	if (status != SNAP_OK)
		return status;
	/* Back to their ranks, from the last; and the rows again. */
	for (uint32_t i = count; i-- > 0;) {
		uint32_t rank = rank_of(&merge->on_way, merge->rows[i]);
		merge->labels[rank] = merge->labels[i];
		merge->kinds[rank] = merge->kinds[i];
	}
	uint32_t at = 0;
	for (size_t word = 0; word < merge->words; word++)
		for (uint64_t bits = merge->on_way.bits[word]; bits != 0; bits &= bits - 1)
			merge->rows[at++] = (uint32_t)(word * 64) + (uint32_t)__builtin_ctzll(bits);
	return SNAP_OK;
}

/* ---- steps ---- */

/* What makes two steps below the same one the same. */
struct key {
	uint64_t type, label;
	uint32_t kind;
};

/* Of depth 0, label is the number of the entry, and the key's that of its string: compare by
 * example's. */
static bool is_same(const struct merge *merge, const struct snap_graph_step *step,
		    const struct key *key)
{
	uint64_t label = libsnap_graph_fold_label(step->label);
	if (step->depth == 0)
		label = merge->labels[rank_of(&merge->on_way, (uint32_t)step->example)];
	return step->type == key->type && step->kind == key->kind && label == key->label;
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

static struct key key_of(const struct merge *merge, const struct snap_graph_step *step)
{
	uint64_t label = libsnap_graph_fold_label(step->label);
	if (step->depth == 0)
		label = merge->labels[rank_of(&merge->on_way, (uint32_t)step->example)];
	return (struct key){.type = step->type, .kind = step->kind, .label = label};
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

static enum snap_status add_step(struct merge *merge, uint32_t parent, uint32_t rank,
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
		merge->steps[merge->step_count++] = (struct snap_graph_step){
			.parent = parent,
			.first_child = NONE,
			.next = NONE,
			.type = key->type,
			.kind = key->kind,
			.label = parent == NONE ? merge->entries[rank] : merge->labels[rank],
			.repeats = 1,
			.names = 1,
			.depth = parent == NONE ? 0 : merge->steps[parent].depth + 1,
			.example = merge->rows[rank],
		};
	}
	*out = merge->table[slot];
	return SNAP_OK;
}

static enum snap_status merge_row(struct merge *merge, uint32_t rank, struct snap_error *error)
{
	const struct snap_graph *graph = merge->graph;
	uint32_t row = merge->rows[rank], before = NONE, index = NONE;
	bool is_root = graph->distance[row] == 0;
	struct key key = {.type = libsnap_graph_shape(graph, row)->type,
			  .kind = merge->kinds[rank]};
	key.label = is_root ? merge->labels[rank] : libsnap_graph_fold_label(merge->labels[rank]);
	if (!is_root) {
		uint32_t above = rank_of(&merge->on_way, graph->parent[row]);
		before = merge->step[above];
		index = find_fold(merge, before, &key);
		if (index != NONE) {
			merge->run[rank] = merge->run[above] + 1;
			if (merge->steps[index].repeats <= merge->run[rank])
				merge->steps[index].repeats = merge->run[rank] + 1;
		} else if (merge->since[above] + 1 < FOLD) {
			merge->run[rank] = merge->run[above];
			merge->since[rank] = (uint8_t)(merge->since[above] + 1);
		}
	}
	if (index == NONE) {
		enum snap_status status = add_step(merge, before, rank, &key, &index, error);
		if (status != SNAP_OK)
			return status;
	}
	struct snap_graph_step *step = &merge->steps[index];
	if (!is_root && step->label != merge->labels[rank])
		step->label = key.label;
	step->objects++;
	step->ends += has_bit(merge->targets, row);
	merge->step[rank] = index;
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
	uint32_t count = merge->on_way.count;
	libsnap_graph_give(graph, merge->on_way.bits, merge->words, 8);
	libsnap_graph_give(graph, merge->on_way.below, merge->words, 4);
	libsnap_graph_give(graph, merge->targets, merge->words, 8);
	libsnap_graph_give(graph, merge->rows, count, 4);
	libsnap_graph_give(graph, merge->order, count, 4);
	libsnap_graph_give(graph, merge->labels, count, 8);
	libsnap_graph_give(graph, merge->kinds, count, 4);
	libsnap_graph_give(graph, merge->entries, count, 4);
	libsnap_graph_give(graph, merge->step, count, 4);
	libsnap_graph_give(graph, merge->since, count, 1);
	libsnap_graph_give(graph, merge->run, count, 4);
	libsnap_graph_give(graph, merge->table, merge->table_size, 4);
	libsnap_graph_give(graph, merge->steps, merge->step_capacity, sizeof(*merge->steps));
}

static enum snap_status merge_rows(struct merge *merge, struct snap_error *error)
{
	enum snap_status status = take_rows(merge, error);
	if (status != SNAP_OK)
		return status;
	sort_by_distance(merge);
	status = label_others(merge, error);
	if (status == SNAP_OK)
		status = label_roots(merge, error);
	for (uint32_t i = 0; status == SNAP_OK && i < merge->on_way.count; i++)
		status = merge_row(merge, merge->order[i], error);
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

enum snap_status snap_graph_merge_paths(struct snap_graph *graph, const uint64_t *rows,
					size_t count, struct snap_graph_paths *out,
					struct snap_error *error)
{
	if (graph->distance == NULL)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "no search was made");
	struct merge merge = {.graph = graph, .words = graph->objects / 64 + 1};
	struct snap_graph_paths paths = {.first = NONE};
	enum snap_status status =
		libsnap_graph_reserve(graph, "merged paths", merge.words * 20ull, error);
	if (status != SNAP_OK)
		return status;
	merge.on_way.bits = libsnap_graph_take_zeroed(graph, merge.words, 8);
	merge.on_way.below = libsnap_graph_take(graph, merge.words, 4);
	merge.targets = libsnap_graph_take_zeroed(graph, merge.words, 8);
	if (merge.on_way.bits == NULL || merge.on_way.below == NULL || merge.targets == NULL) {
		status = libsnap_fail_memory(error);
	} else {
		mark_ways(&merge, rows, count, &paths.unreached);
		status = merge_rows(&merge, error);
	}
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
