/* Dictionaries in merged paths: steps that differ in nothing but their many names are one.
 *
 * From the roots down: what is below one step is known in full before it is decided whether its
 * names are those of a class, which many objects share, or keys, which each object has for itself.
 */
#include "merge.h"

#include <string.h>

/* Source: a step before the folding; result: one after it. */
struct fold {
	struct snap_graph *graph;
	const struct snap_graph_step *steps;
	size_t count;
	uint32_t *first_child, *sibling; /* of sources */
	uint32_t *member,
		*first_member;         /* next source of the same result; of a result, the first */
	uint32_t *parent, *names;      /* of results */
	uint32_t *order;               /* sources: children of one result */
	uint32_t *group, *group_names; /* of sources: the first that is the same, and how many */
	size_t results;
};

#define ARRAYS 9

static bool take_arrays(struct fold *fold)
{
	uint32_t **const arrays[ARRAYS] = {&fold->first_child,  &fold->sibling, &fold->member,
					   &fold->first_member, &fold->parent,  &fold->names,
					   &fold->order,        &fold->group,   &fold->group_names};
	bool complete = true;
	for (size_t i = 0; i < ARRAYS; i++) {
		*arrays[i] = libsnap_graph_take(fold->graph, fold->count, sizeof(**arrays[i]));
		complete &= *arrays[i] != NULL;
	}
	return complete;
}

static void give_arrays(struct fold *fold)
{
	uint32_t *const arrays[ARRAYS] = {fold->first_child,  fold->sibling, fold->member,
					  fold->first_member, fold->parent,  fold->names,
					  fold->order,        fold->group,   fold->group_names};
	for (size_t i = 0; i < ARRAYS; i++)
		libsnap_graph_give(fold->graph, arrays[i], fold->count, sizeof(*arrays[i]));
}

/* Children in the order they were found.  Returns the first of depth 0. */
static uint32_t link_sources(struct fold *fold)
{
	uint32_t first = NONE;
	memset(fold->first_child, 0xff, fold->count * sizeof(*fold->first_child));
	for (uint32_t i = (uint32_t)fold->count; i-- > 0;) {
		uint32_t parent = fold->steps[i].parent;
		uint32_t *head = parent == NONE ? &first : &fold->first_child[parent];
		fold->sibling[i] = *head;
		*head = i;
	}
	return first;
}

/* ---- children of one result ---- */

static int compare_kinds(const struct snap_graph_step *a, const struct snap_graph_step *b)
{
	bool a_is_name = libsnap_graph_is_name(a->label),
	     b_is_name = libsnap_graph_is_name(b->label);
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	return a_is_name - b_is_name;
}

static int compare_labels(const struct snap_graph_step *a, const struct snap_graph_step *b)
{
	uint64_t left = libsnap_graph_fold_label(a->label),
		 right = libsnap_graph_fold_label(b->label);
	return left == right ? 0 : left < right ? -1 : 1;
}

static bool is_before(const void *context, uint32_t a, uint32_t b)
{
	const struct snap_graph_step *steps = context;
	int order = compare_kinds(&steps[a], &steps[b]);
	if (order == 0)
		order = compare_labels(&steps[a], &steps[b]);
	return order != 0 ? order < 0 : a < b;
}

static bool was_found_before(const void *context, uint32_t a, uint32_t b)
{
	const uint32_t *group = context;
	return group[a] != group[b] ? group[a] < group[b] : a < b;
}

/* Gives the children from..to, all of one type and kind, the number of the first that is the same:
 * for all together where they are the names of a dictionary. */
static void group_children(struct fold *fold, size_t from, size_t to)
{
	const struct snap_graph_step *steps = fold->steps;
	uint32_t *order = fold->order, lowest = NONE, names = 0;
	uint64_t objects = 0;
	for (size_t i = from; i < to; i++) {
		if (i == from || compare_labels(&steps[order[i - 1]], &steps[order[i]]) != 0)
			names++;
		objects += steps[order[i]].objects;
		lowest = order[i] < lowest ? order[i] : lowest;
	}
	bool is_dictionary = libsnap_graph_is_name(steps[order[from]].label) &&
			     names > SNAP_GRAPH_FEW_NAMES && objects < 2 * (uint64_t)names;
	uint32_t first = lowest;
	for (size_t i = from; i < to; i++) {
		bool is_same =
			i > from && compare_labels(&steps[order[i - 1]], &steps[order[i]]) == 0;
		if (!is_dictionary && !is_same)
			first = order[i];
		fold->group[order[i]] = first;
		fold->group_names[order[i]] = is_dictionary ? names : 1;
	}
}

static size_t gather_children(struct fold *fold, uint32_t result)
{
	size_t count = 0;
	for (uint32_t source = fold->first_member[result]; source != NONE;
	     source = fold->member[source])
		for (uint32_t child = fold->first_child[source]; child != NONE;
		     child = fold->sibling[child])
			fold->order[count++] = child;
	return count;
}

/* Children that are alike, found one after the other in order, become one result. */
static void add_results(struct fold *fold, uint32_t parent, size_t count)
{
	uint32_t *end = NULL;
	for (size_t i = 0; i < count; i++) {
		uint32_t source = fold->order[i];
		if (i == 0 || fold->group[source] != fold->group[fold->order[i - 1]]) {
			fold->parent[fold->results] = parent;
			fold->names[fold->results] = fold->group_names[source];
			end = &fold->first_member[fold->results++];
		}
		*end = source;
		end = &fold->member[source];
		*end = NONE;
	}
}

static void fold_children(struct fold *fold, uint32_t result)
{
	size_t count = gather_children(fold, result);
	libsnap_graph_sort(fold->order, count, is_before, fold->steps);
	for (size_t from = 0, to; from < count; from = to) {
		const struct snap_graph_step *first = &fold->steps[fold->order[from]];
		for (to = from + 1; to < count; to++)
			if (compare_kinds(first, &fold->steps[fold->order[to]]) != 0)
				break;
		group_children(fold, from, to);
	}
	libsnap_graph_sort(fold->order, count, was_found_before, fold->group);
	add_results(fold, result, count);
}

static struct snap_graph_step add_up(const struct fold *fold, uint32_t result)
{
	uint32_t source = fold->first_member[result];
	struct snap_graph_step sum = fold->steps[source];
	sum.parent = fold->parent[result];
	sum.first_child = sum.next = NONE;
	sum.names = fold->names[result];
	while ((source = fold->member[source]) != NONE) {
		const struct snap_graph_step *step = &fold->steps[source];
		if (sum.label != step->label)
			sum.label = libsnap_graph_fold_label(sum.label);
		sum.objects += step->objects;
		sum.ends += step->ends;
		sum.repeats = step->repeats > sum.repeats ? step->repeats : sum.repeats;
	}
	if (sum.names > 1)
		sum.label = SNAP_GRAPH_ANY_NAME;
	return sum;
}

enum snap_status libsnap_graph_fold_names(struct snap_graph *graph,
					  const struct snap_graph_step *steps, size_t count,
					  struct snap_graph_paths *out, struct snap_error *error)
{
	struct fold fold = {.graph = graph, .steps = steps, .count = count};
	/* The results may be as many as the sources; a sort of them follows. */
	enum snap_status status = libsnap_graph_reserve(
		graph, "merged paths", count * (ARRAYS * 4ull + sizeof(*steps)), error);
	if (status != SNAP_OK)
		return status;
	if (!take_arrays(&fold)) {
		status = libsnap_fail_memory(error);
		goto done;
	}
	for (uint32_t root = link_sources(&fold); root != NONE; root = fold.sibling[root]) {
		fold.parent[fold.results] = NONE;
		fold.names[fold.results] = 1;
		fold.member[root] = NONE;
		fold.first_member[fold.results++] = root;
	}
	for (uint32_t result = 0; result < fold.results; result++)
		fold_children(&fold, result);
	out->steps = libsnap_graph_take(graph, fold.results, sizeof(*out->steps));
	if (out->steps == NULL) {
		status = libsnap_fail_memory(error);
		goto done;
	}
	out->count = fold.results;
	for (uint32_t i = 0; i < fold.results; i++)
		out->steps[i] = add_up(&fold, i);
done:
	give_arrays(&fold);
	return status;
}
