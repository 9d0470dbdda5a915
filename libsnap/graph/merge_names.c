/* Dictionaries in merged paths: steps that differ in nothing but their many names are one.
 *
 * From the roots down, one depth after the other: what is below one step is known in full before it
 * is decided whether its names are those of a class, which many objects share, or keys, which each
 * object has for itself. */
#include "merge.h"

/* Source: a step before the folding; result: one that it may become part of.  A result with a name
 * has another beside it, the dictionary, which is of all names with the same type and kind; one of
 * the two counts. */
struct fold {
	struct snap_graph_paths *paths;
	struct merge_tree *sources, results;
	struct libsnap_array heads; /* by depth: the first source; further ones by their next */
};

static bool is_name(uint64_t label)
{
	return label % 4 == 0 && label != SNAP_GRAPH_ANY_NAME;
}

/* Children are not asked for any more, from here on. */
static enum snap_status link_depths(struct fold *fold, struct snap_error *error)
{
	struct merge_tree *sources = fold->sources;
	if (!libsnap_array_reach(&fold->heads, sources->depth + UINT64_C(1)))
		return libsnap_paths_fail(fold->paths, error);
	for (uint32_t i = (uint32_t)sources->nodes.count; i-- > 1;) {
		uint32_t depth = libsnap_merged_at(sources, i)->depth;
		uint32_t next = libsnap_array_get32(&fold->heads, depth);
		libsnap_merged_edit(sources, i)->next = next;
		libsnap_array_set32(&fold->heads, depth, i);
	}
	return SNAP_OK;
}

static void add_up(struct fold *fold, uint32_t result, const struct merged *source)
{
	struct merged *sum = libsnap_merged_edit(&fold->results, result);
	if (sum->objects == 0) {
		sum->shown = source->shown;
		sum->example = source->example;
	} else if (sum->shown != source->shown) {
		sum->shown = libsnap_graph_fold_label(sum->shown);
	}
	sum->objects += source->objects;
	sum->ends += source->ends;
	sum->repeats = source->repeats > sum->repeats ? source->repeats : sum->repeats;
}

/* The dictionary beside a new result. */
static enum snap_status add_dictionary(struct fold *fold, uint32_t result, uint32_t *dictionary,
				       struct snap_error *error)
{
	const struct merged *node = libsnap_merged_at(&fold->results, result);
	struct step_key key = node->key;
	key.label = SNAP_GRAPH_ANY_NAME;
	enum snap_status status =
		libsnap_merge_tree_add(&fold->results, node->parent, &key, dictionary, error);
	if (status != SNAP_OK)
		return status;
	libsnap_merged_edit(&fold->results, result)->dictionary = *dictionary;
	struct merged *all = libsnap_merged_edit(&fold->results, *dictionary);
	all->names++;
	all->dictionary = *dictionary;
	return SNAP_OK;
}

static enum snap_status add_source(struct fold *fold, uint32_t index, struct snap_error *error)
{
	const struct merged source = *libsnap_merged_at(fold->sources, index);
	uint32_t parent = libsnap_merged_at(fold->sources, source.parent)->number, result;
	enum snap_status status =
		libsnap_merge_tree_add(&fold->results, parent, &source.key, &result, error);
	if (status != SNAP_OK)
		return status;
	struct merged *sum = libsnap_merged_edit(&fold->results, result);
	uint32_t dictionary = sum->dictionary;
	if (sum->objects == 0)
		sum->names = 1;
	if (sum->objects == 0 && source.depth > 0 && is_name(source.key.label))
		status = add_dictionary(fold, result, &dictionary, error);
	if (status != SNAP_OK)
		return status;
	add_up(fold, result, &source);
	if (dictionary != 0)
		add_up(fold, dictionary, &source);
	libsnap_merged_edit(fold->sources, index)->number = result;
	return SNAP_OK;
}

static bool is_dictionary(struct fold *fold, uint32_t index)
{
	const struct merged *node = libsnap_merged_at(&fold->results, index);
	return index != 0 && node->names > SNAP_GRAPH_FEW_NAMES &&
	       node->objects < 2 * (uint64_t)node->names;
}

static enum snap_status fold_sources(struct fold *fold, struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	for (uint32_t depth = 0; depth <= fold->sources->depth; depth++) {
		uint32_t first = libsnap_array_get32(&fold->heads, depth);
		for (uint32_t i = first; i != 0; i = libsnap_merged_at(fold->sources, i)->next) {
			status = add_source(fold, i, error);
			if (status != SNAP_OK)
				return status;
		}
		for (uint32_t i = first; i != 0; i = libsnap_merged_at(fold->sources, i)->next) {
			uint32_t result = libsnap_merged_at(fold->sources, i)->number;
			uint32_t all = libsnap_merged_at(&fold->results, result)->dictionary;
			if (is_dictionary(fold, all))
				libsnap_merged_edit(fold->sources, i)->number = all;
		}
		status = libsnap_arrays_check(&fold->paths->arrays, error);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

/* ---- the steps that remain ---- */

static bool remains(struct fold *fold, uint32_t result)
{
	uint32_t all = libsnap_merged_at(&fold->results, result)->dictionary;
	return all == 0 || is_dictionary(fold, all) == (all == result);
}

/* Until its children are added, a step's first child is the result that it is. */
static enum snap_status add_children(struct fold *fold, uint32_t parent, uint32_t result,
				     struct snap_error *error)
{
	uint32_t at = libsnap_merged_at(&fold->results, result)->first_child;
	while (at != 0) {
		const struct merged node = *libsnap_merged_at(&fold->results, at);
		bool is_all = node.dictionary == at;
		struct snap_graph_step step = {.parent = parent,
					       .first_child = at,
					       .next = NONE,
					       .depth = node.depth,
					       .type = node.key.type,
					       .label = is_all ? SNAP_GRAPH_ANY_NAME : node.shown,
					       .kind = node.key.kind,
					       .repeats = node.repeats,
					       .example = node.example,
					       .objects = node.objects,
					       .ends = node.ends,
					       .names = node.names};
		if (remains(fold, at) && !libsnap_array_add(&fold->paths->steps, &step))
			return libsnap_paths_fail(fold->paths, error);
		at = node.next;
	}
	return SNAP_OK;
}

static enum snap_status number_results(struct fold *fold, struct snap_error *error)
{
	struct libsnap_array *steps = &fold->paths->steps;
	enum snap_status status = add_children(fold, NONE, 0, error);
	for (uint32_t i = 0; status == SNAP_OK && i < steps->count; i++) {
		struct snap_graph_step *step = libsnap_array_edit(steps, i);
		uint32_t result = step->first_child;
		step->first_child = NONE;
		status = add_children(fold, i, result, error);
	}
	return status == SNAP_OK ? libsnap_arrays_check(&fold->paths->arrays, error) : status;
}

enum snap_status libsnap_graph_fold_names(struct merge_tree *sources, struct snap_error *error)
{
	struct fold fold = {.paths = sources->paths, .sources = sources};
	libsnap_array_begin(&fold.heads, &fold.paths->arrays, sizeof(uint32_t));
	enum snap_status status = libsnap_merge_tree_open(&fold.results, fold.paths, error);
	if (status == SNAP_OK)
		status = link_depths(&fold, error);
	if (status == SNAP_OK)
		status = fold_sources(&fold, error);
	if (status == SNAP_OK)
		status = number_results(&fold, error);
	libsnap_merge_tree_close(&fold.results);
	libsnap_array_end(&fold.heads);
	return status;
}
