/* The key path: the types and labels by which a breadth-first search from the roots comes to each
 * object. */
#include <string.h>

#include "query.h"

#define FOLD 4 /* a step that repeats one of so many before it is that one */

struct paths {
	struct side *side;
	struct labels labels; /* with the types that they lead to */
	struct keyed keyed;
	/* By object: the number of the label by which it was reached, + 1; 0 as yet. */
	struct libsnap_array label_of;
	struct libsnap_array item_of; /* by number of a label, + 1 */
	struct libsnap_array stack;
	enum snap_status status;
	struct snap_error *error;
};

/* The first reference from its parent, as the file has them. */
static bool take_reference(void *context, const struct snap_graph_reference *reference)
{
	struct paths *paths = context;
	uint64_t row = reference->target;
	const struct snap_graph *graph = paths->side->graph;
	if (reference->kind >= SNAP_REF_FIRST_WEAK || row >= paths->side->object_count ||
	    snap_graph_parent(graph, row) != reference->owner ||
	    libsnap_array_get32(&paths->label_of, row) || snap_graph_distance(graph, row) == 0)
		return true;
	uint32_t label;
	struct snap_graph_reference step = *reference;
	paths->status = libsnap_keyed_label(&paths->keyed, paths->side, &step, paths->error);
	if (paths->status == SNAP_OK)
		paths->status = libsnap_labels_find(&paths->labels, snap_graph_type(graph, row),
						    &step, &label, paths->error);
	if (paths->status == SNAP_OK)
		libsnap_array_set32(&paths->label_of, row, label + 1);
	return paths->status == SNAP_OK;
}

static enum snap_status take_roots(void *context, uint64_t first_row, size_t count,
				   const uint64_t *const *values, struct snap_error *error)
{
	(void)first_row;
	struct paths *paths = context;
	for (size_t i = 0; i < count; i++) {
		uint64_t row = values[0][i] - 1;
		if (row >= paths->side->object_count ||
		    libsnap_array_get32(&paths->label_of, row) ||
		    snap_graph_distance(paths->side->graph, row) != 0)
			continue;
		uint64_t kind = values[1][i] < UINT32_MAX ? values[1][i] : UINT32_MAX;
		uint32_t label;
		enum snap_status status = libsnap_labels_find_root(
			&paths->labels, snap_graph_type(paths->side->graph, row), kind,
			values[2][i], &label, error);
		if (status != SNAP_OK)
			return status;
		libsnap_array_set32(&paths->label_of, row, label + 1);
	}
	return SNAP_OK;
}

static enum snap_status find_labels(struct paths *paths, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_ROOT_OBJECT, SNAP_ROOT_KIND_COLUMN,
					   SNAP_ROOT_LABEL};
	struct side *side = paths->side;
	paths->error = error;
	enum snap_status status =
		libsnap_query_each_batch(&side->names, columns, 3, take_roots, paths, error);
	if (status == SNAP_OK)
		status = libsnap_keyed_find(&paths->keyed, side, error);
	if (status == SNAP_OK)
		status = snap_graph_references(side->graph, take_reference, paths, error);
	if (status == SNAP_OK)
		status = paths->status;
	return status == SNAP_OK ? libsnap_labels_load(&paths->labels, error) : status;
}

/* Of labels that mean the same, the first. */
static enum snap_status keep_label(struct paths *paths, uint32_t item, uint32_t number,
				   struct snap_error *error)
{
	struct libsnap_array *labels = &paths->side->step_of_item;
	if (item < labels->count)
		return SNAP_OK;
	if (!libsnap_array_reach(labels, (uint64_t)item + 1))
		return libsnap_budget_fail(&paths->side->answer->budget, error);
	*(struct tuple *)libsnap_array_edit(labels, item) =
		libsnap_tuple_at(&paths->labels.raw, number);
	return SNAP_OK;
}

static enum snap_status find_items(struct paths *paths, struct snap_error *error)
{
	struct space *space = &paths->side->answer->space;
	uint32_t count = paths->labels.raw.count + 1, item;
	enum snap_status status = libsnap_budget_array(space->budget, &paths->item_of, count,
						       sizeof(uint32_t), error);
	for (uint32_t i = 0; status == SNAP_OK && i < count; i++) {
		struct tuple step = {{0}}; /* a partial reader lost the reference */
		if (i > 0)
			step = libsnap_labels_step(&paths->labels, i - 1);
		status = libsnap_space_intern(space, &space->places, &step, &item, error);
		if (status == SNAP_OK)
			libsnap_array_set32(&paths->item_of, i, item);
		if (status == SNAP_OK && i > 0 && paths->side->classing)
			status = keep_label(paths, item, i - 1, error);
	}
	return status;
}

enum snap_status libsnap_path_add(struct space *space, uint32_t before, uint32_t item,
				  uint32_t *path, struct snap_error *error)
{
	struct chain chain = libsnap_chain_at(space, before);
	for (uint32_t i = 0, at = before; i < FOLD && chain.length > 1; i++) {
		if (chain.item == item) {
			*path = at;
			return SNAP_OK;
		}
		at = chain.before;
		chain = libsnap_chain_at(space, at);
	}
	return libsnap_space_chain(space, before, item, path, error);
}

/* Paths of all objects on the way to row, from the first that has none. */
static enum snap_status extend(struct paths *paths, uint64_t row, struct snap_error *error)
{
	struct side *side = paths->side;
	uint64_t depth = 0;
	uint32_t path = 0;
	for (uint64_t at = row; at != SNAP_GRAPH_NONE; at = snap_graph_parent(side->graph, at)) {
		path = libsnap_array_get32(&side->path_of, at);
		if (path)
			break;
		if (!libsnap_array_reach(&paths->stack, depth + 1))
			return libsnap_budget_fail(&side->answer->budget, error);
		libsnap_array_set32(&paths->stack, depth++, (uint32_t)at);
	}
	while (depth > 0) {
		uint32_t at = libsnap_array_get32(&paths->stack, --depth);
		uint32_t label = libsnap_array_get32(&paths->label_of, at);
		uint32_t item = libsnap_array_get32(&paths->item_of, label);
		enum snap_status status =
			libsnap_path_add(&side->answer->space, path, item, &path, error);
		if (status != SNAP_OK)
			return status;
		libsnap_array_set32(&side->path_of, at, path);
	}
	return SNAP_OK;
}

static enum snap_status find_paths(struct paths *paths, struct snap_error *error)
{
	struct side *side = paths->side;
	enum snap_status status = libsnap_budget_array(&side->answer->budget, &paths->stack, 0,
						       sizeof(uint32_t), error);
	for (uint64_t row = 0; status == SNAP_OK && row < side->object_count; row++)
		if (snap_graph_distance(side->graph, row) != SNAP_GRAPH_NONE)
			status = extend(paths, row, error);
	libsnap_array_end(&paths->stack);
	return status;
}

enum snap_status libsnap_paths_cut(struct side *side, struct libsnap_array *cut,
				   struct snap_error *error)
{
	struct space *space = &side->answer->space;
	uint32_t depth = side->options->path_depth;
	enum snap_status status = libsnap_budget_array(
		&side->answer->budget, cut, space->chains.count, sizeof(uint32_t), error);
	for (uint32_t path = 0; status == SNAP_OK && path < space->chains.count; path++) {
		struct chain chain = libsnap_chain_at(space, path);
		bool is_short = depth == 0 || chain.length <= depth;
		libsnap_array_set32(cut, path,
				    is_short ? path : libsnap_array_get32(cut, chain.before));
	}
	return status;
}

static enum snap_status cut_paths(struct side *side, struct snap_error *error)
{
	struct libsnap_array cut = {0};
	if (side->options->path_depth == 0)
		return SNAP_OK;
	enum snap_status status = libsnap_paths_cut(side, &cut, error);
	for (uint64_t row = 0; status == SNAP_OK && row < side->object_count; row++) {
		uint32_t path = libsnap_array_get32(&side->path_of, row);
		libsnap_array_set32(&side->path_of, row, libsnap_array_get32(&cut, path));
	}
	libsnap_array_end(&cut);
	return status;
}

enum snap_status libsnap_paths_prepare(struct side *side, struct snap_error *error)
{
	struct budget *budget = &side->answer->budget;
	enum snap_status status = libsnap_side_graph(side, true, error);
	if (status == SNAP_OK)
		status = snap_graph_search(side->graph, error);
	if (status != SNAP_OK)
		return status;
	struct paths paths = {.side = side};
	libsnap_labels_begin(&paths.labels, &side->names);
	status = libsnap_budget_array(budget, &paths.label_of, side->object_count, sizeof(uint32_t),
				      error);
	if (status == SNAP_OK)
		status = libsnap_budget_array(budget, &side->path_of, side->object_count,
					      sizeof(uint32_t), error);
	if (status == SNAP_OK && side->classing)
		status = libsnap_budget_array(budget, &side->step_of_item, 0, sizeof(struct tuple),
					      error);
	if (status == SNAP_OK)
		status = find_labels(&paths, error);
	if (status == SNAP_OK)
		status = find_items(&paths, error);
	if (status == SNAP_OK)
		status = find_paths(&paths, error);
	if (status == SNAP_OK)
		status = cut_paths(side, error);
	libsnap_array_end(&paths.label_of);
	libsnap_array_end(&paths.item_of);
	libsnap_keyed_end(&paths.keyed);
	libsnap_labels_end(&paths.labels);
	return status;
}
