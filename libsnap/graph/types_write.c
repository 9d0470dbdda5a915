/* What the index keeps of the types that have most objects (kept_types.h). */
#include "types.h"

#include <stdlib.h>

/* ---- which types ---- */

struct named {
	uint64_t name, objects;
	uint32_t type;
};

static int compare_names(const void *left, const void *right)
{
	const struct named *a = left, *b = right;
	if (a->name != b->name)
		return a->name < b->name ? -1 : 1;
	return a->type < b->type ? -1 : a->type > b->type;
}

static int compare_objects(const void *left, const void *right)
{
	const struct named *a = left, *b = right;
	if (a->objects != b->objects)
		return a->objects > b->objects ? -1 : 1;
	return a->type < b->type ? -1 : a->type > b->type;
}

static uint64_t rows_of(const struct snap_graph *graph, uint32_t run)
{
	return graph->runs[run + 1].first_row - graph->runs[run].first_row;
}

static uint32_t type_of_run(const struct snap_graph *graph, uint32_t run)
{
	return graph->shapes[graph->runs[run].shape].type;
}

static enum snap_status read_names(struct snap_graph *graph, struct named *all,
				   struct snap_error *error)
{
	static const uint32_t column = SNAP_TYPE_NAME;
	struct scan scan = scan_begin(graph->reader, &column, 1, error);
	while (scan_next(&scan))
		all[scan.row] = (struct named){.name = scan_value(&scan, 0),
					       .type = (uint32_t)scan.row + 1};
	enum snap_status status = scan_end(&scan, NULL);
	for (uint32_t run = 0; status == SNAP_OK && run < graph->run_count; run++)
		if (type_of_run(graph, run) != 0)
			all[type_of_run(graph, run) - 1].objects += rows_of(graph, run);
	return status;
}

/* The first type of each name has the objects of all of them; returns how many names there are. */
static size_t join_names(struct named *all, size_t count)
{
	size_t names = 0;
	qsort(all, count, sizeof(*all), compare_names);
	for (size_t i = 0; i < count; i++)
		if (names > 0 && all[names - 1].name == all[i].name)
			all[names - 1].objects += all[i].objects;
		else
			all[names++] = all[i];
	qsort(all, names, sizeof(*all), compare_objects);
	return names;
}

static enum snap_status mark_types(struct types *types, const struct named *all,
				   struct snap_error *error)
{
	static const uint32_t column = SNAP_TYPE_NAME;
	struct snap_graph *graph = types->graph;
	struct scan scan = scan_begin(graph->reader, &column, 1, error);
	while (scan_next(&scan))
		for (uint32_t place = 0; place < types->count; place++)
			if (all[place].name == scan_value(&scan, 0))
				types->place_of_type[scan.row + 1] = (uint8_t)(place + 1);
	enum snap_status status = scan_end(&scan, NULL);
	for (uint32_t run = 0; status == SNAP_OK && run < graph->run_count; run++)
		for (uint64_t row = graph->runs[run].first_row;
		     row < graph->runs[run + 1].first_row; row++)
			types->place_of_row[row] = types->place_of_type[type_of_run(graph, run)];
	return status;
}

static enum snap_status choose(struct types *types, struct snap_error *error)
{
	struct snap_graph *graph = types->graph;
	uint64_t bytes = graph->objects + graph->types * (sizeof(struct named) + 1ull) + 1;
	enum snap_status status = libsnap_graph_reserve(graph, "types", bytes, error);
	if (status != SNAP_OK || graph->types == 0)
		return status;
	types->place_of_type = libsnap_graph_take_zeroed(graph, graph->types + (size_t)1, 1);
	types->place_of_row = libsnap_graph_take_zeroed(graph, graph->objects, 1);
	struct named *all = libsnap_graph_take_zeroed(graph, graph->types, sizeof(*all));
	if (all == NULL || types->place_of_type == NULL || types->place_of_row == NULL)
		status = libsnap_fail_memory(error);
	if (status == SNAP_OK)
		status = read_names(graph, all, error);
	if (status == SNAP_OK) {
		size_t names = join_names(all, graph->types);
		for (; types->count < TYPES_KEPT && types->count < names; types->count++) {
			const struct named *named = &all[types->count];
			if (named->objects < 2)
				break;
			types->kept[types->count] =
				(struct kept_type){.type = named->type, .objects = named->objects};
		}
		status = mark_types(types, all, error);
	}
	libsnap_graph_give(graph, all, graph->types, sizeof(*all));
	return status;
}

/* ---- tables ---- */

struct writing {
	struct types *types;
	struct libsnap_table_out kept, parts, steps;
};

static uint64_t rows_left(const struct writing *writing)
{
	return libsnap_types_most(writing->types) - writing->parts.row_count -
	       writing->steps.row_count;
}

/* By type, in the order of the first of each. */
static enum snap_status sum_freed(struct types *types, uint32_t place, struct tallies *sums,
				  struct snap_error *error)
{
	for (size_t i = 0; i < types->freed.count; i++) {
		const struct tally *part = &types->freed.items[i];
		struct tally *sum;
		if (!(part->key[0] >> place & 1))
			continue;
		enum snap_status status = libsnap_tally(
			types->graph, sums, (uint64_t[]){part->key[1], 0, 0}, &sum, error);
		if (status != SNAP_OK)
			return status;
		if (sum->count == 0 || part->first < sum->first)
			sum->first = sum->place = part->first;
		sum->count += part->count;
		if (libsnap_add_overflows(sum->bytes, part->bytes, &sum->bytes))
			types->too_many = true;
	}
	libsnap_tallies_sort(sums);
	return SNAP_OK;
}

static enum snap_status write_parts(struct writing *writing, uint32_t place,
				    const struct tallies *freed)
{
	const struct tallies *holders = &writing->types->holders;
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; status == SNAP_OK && i < holders->count; i++) {
		const struct tally *t = &holders->items[i];
		uint64_t label = t->count == 1 ? t->exact : t->key[2];
		if (t->key[0] == place)
			status = libsnap_table_row(
				&writing->parts,
				(uint64_t[]){SNAP_TYPE_HOLDER, t->key[1] >> 16, t->key[1] & 0xffff,
					     libsnap_pack_label(label), t->count, 0, t->first + 1});
	}
	for (size_t i = 0; status == SNAP_OK && i < freed->count; i++) {
		const struct tally *t = &freed->items[i];
		status = libsnap_table_row(&writing->parts,
					   (uint64_t[]){SNAP_TYPE_FREED, t->key[0], 0, 0, t->count,
							t->bytes, t->first + 1});
	}
	return status;
}

static enum snap_status write_steps(struct writing *writing, struct snap_graph_paths *paths)
{
	uint64_t before = writing->steps.row_count;
	enum snap_status status = SNAP_OK;
	for (uint64_t i = 0; status == SNAP_OK && i < paths->steps.count; i++) {
		const struct snap_graph_step *step = libsnap_array_at(&paths->steps, i);
		bool is_root = step->parent == NONE;
		status = libsnap_table_row(
			&writing->steps,
			(uint64_t[]){is_root ? 0 : before + step->parent + 1, step->type,
				     step->kind,
				     is_root ? step->label : libsnap_pack_label(step->label),
				     step->repeats, step->example + 1, step->objects, step->ends,
				     step->names});
	}
	return status;
}

/* An index is made in less memory than this takes, too; but not compared. */
static bool is_left_out(enum snap_status status, const struct snap_writer *w)
{
	return status == SNAP_LIMIT && w->compared == NULL;
}

static enum snap_status write_type(struct writing *writing, uint32_t place,
				   struct snap_error *error)
{
	struct types *types = writing->types;
	const struct kept_type *kept = &types->kept[place];
	uint64_t steps = writing->steps.row_count, parts = writing->parts.row_count, needed = 0;
	uint64_t dominator = kept->dominator != SNAP_GRAPH_NONE ? kept->dominator + 1 : 0;
	struct snap_graph_paths *paths = NULL;
	struct tallies freed = {0};
	enum snap_status status = sum_freed(types, place, &freed, error);
	bool fits = !is_left_out(status, writing->parts.writer);
	if (!fits)
		status = SNAP_OK;
	for (size_t i = 0; i < types->holders.count; i++)
		needed += types->holders.items[i].key[0] == place;
	fits = fits && needed + freed.count <= rows_left(writing);
	if (status == SNAP_OK && fits)
		status = write_parts(writing, place, &freed);
	if (status == SNAP_OK && fits && !types->too_many_steps)
		status = libsnap_types_steps(types, place, &paths, error);
	if (is_left_out(status, writing->parts.writer)) {
		snap_graph_paths_close(paths);
		paths = NULL;
		status = SNAP_OK;
	}
	if (status == SNAP_OK && paths != NULL && paths->steps.count <= rows_left(writing))
		status = write_steps(writing, paths);
	if (status == SNAP_OK && fits)
		status = libsnap_table_row(&writing->kept,
					   (uint64_t[]){kept->type, dominator, kept->unreached,
							writing->parts.row_count - parts,
							writing->steps.row_count - steps});
	snap_graph_paths_close(paths);
	libsnap_tallies_free(types->graph, &freed);
	return status;
}

/* ---- all ---- */

/* What takes most memory, and is not asked for any more. */
static void give_back(struct snap_graph *graph)
{
	struct adjacency *held = &graph->held;
	libsnap_graph_give(graph, held->start, graph->objects + 2, 4);
	libsnap_graph_give(graph, held->to, held->capacity, 4);
	*held = (struct adjacency){.nodes = held->nodes};
}

static enum snap_status find_all(struct types *types, struct snap_error *error)
{
	enum snap_status status = choose(types, error);
	if (status != SNAP_OK || types->count == 0)
		return status;
	libsnap_graph_free_branches(types->graph);
	status = libsnap_types_order(types, error);
	if (status == SNAP_OK)
		status = libsnap_types_find_freed(types, error);
	give_back(types->graph);
	if (status == SNAP_OK && !types->too_many)
		status = libsnap_types_merge(types, error);
	if (status == SNAP_OK && !types->too_many)
		status = libsnap_types_find_holders(types, error);
	if (status == SNAP_OK && !types->too_many)
		status = libsnap_types_find_dominators(types, error);
	return status;
}

static void end(struct types *types)
{
	struct snap_graph *graph = types->graph;
	libsnap_tallies_free(graph, &types->steps);
	libsnap_tallies_free(graph, &types->freed);
	libsnap_tallies_free(graph, &types->holders);
	libsnap_numbers_close(&types->masks);
	libsnap_numbers_close(&types->merge.order);
	snap_graph_ways_close(types->merge.ways);
	libsnap_merge_tree_close(&types->merge.tree);
	snap_graph_paths_close(types->paths);
	libsnap_graph_give(graph, types->place_of_type, graph->types + (size_t)1, 1);
	libsnap_graph_give(graph, types->place_of_row, graph->objects, 1);
	libsnap_graph_give(graph, types, 1, sizeof(*types));
}

enum snap_status libsnap_write_types(struct snap_graph *graph, struct snap_writer *w,
				     struct snap_error *error)
{
	struct writing writing;
	struct types *types = libsnap_graph_take_zeroed(graph, 1, sizeof(*types));
	if (types == NULL)
		return libsnap_fail_memory(error);
	types->graph = graph;
	writing.types = types;
	enum snap_status status = find_all(types, error);
	if (is_left_out(status, w)) {
		types->too_many = true;
		status = SNAP_OK;
	}
	libsnap_table_begin(&writing.kept, w, SNAP_INDEX_TYPES, TYPES_KEPT);
	libsnap_table_begin(&writing.parts, w, SNAP_INDEX_TYPE_PARTS, UINT64_MAX);
	libsnap_table_begin(&writing.steps, w, SNAP_INDEX_TYPE_STEPS, UINT64_MAX);
	for (uint32_t i = 0; status == SNAP_OK && !types->too_many && i < types->count; i++)
		status = write_type(&writing, i, error);
	status = libsnap_table_end(&writing.kept, status);
	status = libsnap_table_end(&writing.parts, status);
	status = libsnap_table_end(&writing.steps, status);
	end(types);
	return status;
}
