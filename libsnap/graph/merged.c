/* Merged paths as they are handed out, in memory or in files (merge.h). */
#include "merge.h"

/* With less, half of it would be too little for files. */
#define LEAST_SHARE (32 * LIBSNAP_ARRAY_PAGE)

static void *resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct snap_graph_paths *paths = context;
	struct libsnap_arrays *arrays = &paths->arrays;
	old_size = pointer != NULL ? old_size : 0;
	if (new_size > old_size) {
		bool too_many = arrays->growing && paths->used + new_size - old_size > paths->share;
		enum snap_status status = SNAP_LIMIT;
		/* Old and new may exist together while they are moved. */
		if (!too_many)
			status = libsnap_graph_reserve(paths->graph, "merged paths", new_size,
						       &paths->error);
		if (status == SNAP_LIMIT && arrays->growing)
			arrays->refused = true;
		else if (paths->failed == SNAP_OK && arrays->failed == SNAP_OK)
			paths->failed = status;
		if (status != SNAP_OK)
			return NULL;
	}
	void *moved = NULL;
	if (new_size == 0)
		libsnap_graph_give(paths->graph, pointer, old_size, 1);
	else if ((moved = libsnap_graph_resize(paths->graph, pointer, old_size, new_size)) == NULL)
		return NULL;
	paths->used += new_size - old_size;
	return moved;
}

enum snap_status libsnap_paths_open(struct snap_graph_paths **out, struct snap_graph *graph,
				    struct snap_error *error)
{
	enum snap_status status = libsnap_graph_reserve(graph, "merged paths",
							sizeof(struct snap_graph_paths), error);
	if (status != SNAP_OK)
		return status;
	struct snap_graph_paths *paths = libsnap_graph_take_zeroed(graph, 1, sizeof(*paths));
	if (paths == NULL)
		return libsnap_fail_memory(error);
	uint64_t room = libsnap_graph_room(graph);
	if (graph->outside.pages != NULL)
		room += libsnap_pages_bytes(graph->outside.pages);
	paths->graph = graph;
	paths->share = room < 2 * LEAST_SHARE ? room : room / 2;
	paths->allocator = (struct snap_allocator){.context = paths, .resize = resize};
	libsnap_arrays_init(&paths->arrays, &paths->allocator, graph->io,
			    graph->options.temporary_folder);
	paths->arrays.cache_bytes = (size_t)(paths->share / 2);
	libsnap_array_begin(&paths->steps, &paths->arrays, sizeof(struct snap_graph_step));
	/* Growing first would leave holes, where memory is short already. */
	if (graph->outside.pages != NULL && room >= 2 * LEAST_SHARE) {
		paths->arrays.cache_bytes = (size_t)paths->share;
		libsnap_arrays_move_out(&paths->arrays);
	}
	paths->info.first = NONE;
	*out = paths;
	return SNAP_OK;
}

void snap_graph_paths_close(struct snap_graph_paths *paths)
{
	if (paths == NULL)
		return;
	libsnap_array_end(&paths->steps);
	libsnap_arrays_end(&paths->arrays);
	libsnap_graph_give(paths->graph, paths, 1, sizeof(*paths));
}

enum snap_status libsnap_paths_fail(const struct snap_graph_paths *paths, struct snap_error *error)
{
	if (paths->failed != SNAP_OK && error != NULL)
		*error = paths->error;
	if (paths->failed != SNAP_OK)
		return paths->failed;
	enum snap_status status = libsnap_arrays_check(&paths->arrays, error);
	return status != SNAP_OK ? status : libsnap_fail_memory(error);
}

void snap_graph_paths_info(const struct snap_graph_paths *paths, struct snap_graph_paths_info *out)
{
	*out = paths->info;
}

enum snap_status snap_graph_paths_step(struct snap_graph_paths *paths, uint32_t index,
				       struct snap_graph_step *out, struct snap_error *error)
{
	if (index >= paths->info.count)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "there is no such step");
	*out = *(const struct snap_graph_step *)libsnap_array_at(&paths->steps, index);
	return libsnap_arrays_check(&paths->arrays, error);
}

/* ---- order ---- */

static const struct snap_graph_step *at(struct snap_graph_paths *paths, uint32_t index)
{
	return libsnap_array_at(&paths->steps, index);
}

static struct snap_graph_step *edit(struct snap_graph_paths *paths, uint32_t index)
{
	return libsnap_array_edit(&paths->steps, index);
}

static void sum_up(struct snap_graph_paths *paths)
{
	for (uint32_t i = (uint32_t)paths->steps.count; i-- > 0;) {
		struct snap_graph_step *step = edit(paths, i);
		uint64_t through = step->through += step->ends;
		uint32_t parent = step->parent;
		if (parent < i) /* not NONE */
			edit(paths, parent)->through += through;
	}
}

static void set_next(struct snap_graph_paths *paths, uint32_t *head, uint32_t last, uint32_t next)
{
	if (last == NONE)
		*head = next;
	else
		edit(paths, last)->next = next;
}

/* Two lists that are in order become one: most targets first, then as they were found, which is the
 * order of their indexes. */
static uint32_t merge_lists(struct snap_graph_paths *paths, uint32_t a, uint32_t b)
{
	uint32_t head = NONE, last = NONE;
	while (a < paths->steps.count && b < paths->steps.count) {
		uint64_t of_a = at(paths, a)->through, of_b = at(paths, b)->through;
		uint32_t *taken = of_a > of_b || (of_a == of_b && a < b) ? &a : &b;
		set_next(paths, &head, last, *taken);
		last = *taken;
		*taken = at(paths, last)->next;
		/* Nothing leads on after a failure. */
		if (paths->arrays.failed != SNAP_OK)
			return NONE;
	}
	set_next(paths, &head, last, a < paths->steps.count ? a : b);
	return head;
}

/* Siblings from `from` up to `to`. */
static uint32_t sort_siblings(struct snap_graph_paths *paths, uint32_t from, uint32_t to)
{
	uint32_t lists[33], used = 0, all = NONE; /* of 1 << i steps, or NONE */
	for (uint32_t i = from; i < to; i++) {
		uint32_t list = i, size = 0;
		for (; size < used && lists[size] != NONE; size++) {
			list = merge_lists(paths, lists[size], list);
			lists[size] = NONE;
		}
		if (size == used)
			used++;
		lists[size] = list;
	}
	for (uint32_t i = 0; i < used; i++)
		all = merge_lists(paths, lists[i], all);
	return all;
}

enum snap_status libsnap_paths_link(struct snap_graph_paths *paths, struct snap_error *error)
{
	uint32_t count = (uint32_t)paths->steps.count;
	sum_up(paths);
	for (uint32_t from = 0, to; from < count; from = to) {
		uint32_t parent = at(paths, from)->parent;
		for (to = from + 1; to < count && at(paths, to)->parent == parent;)
			to++;
		uint32_t first = sort_siblings(paths, from, to);
		if (parent < from)
			edit(paths, parent)->first_child = first;
		else
			paths->info.first = first;
	}
	paths->info.count = count;
	return libsnap_arrays_check(&paths->arrays, error);
}
