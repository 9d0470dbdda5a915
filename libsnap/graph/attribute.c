/* Which root entry each object belongs to: the one that first reaches it, breadth first. */
#include "graph.h"

#include <string.h>

/* ---- groups ---- */

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

/* Open addressing over the indexes of groups; size is a power of two, larger than twice the groups.
 */
struct table {
	uint32_t *slots;
	size_t size;
};

static size_t find_slot(const struct snap_graph *graph, const struct table *table,
			const struct group *wanted)
{
	size_t at =
		(size_t)(mix(mix(wanted->name) + (uint64_t)wanted->parent * 64 + wanted->kind)) &
		(table->size - 1);
	for (; table->slots[at] != NONE; at = (at + 1) & (table->size - 1)) {
		const struct group *group = &graph->groups[table->slots[at]];
		if (group->name == wanted->name && group->parent == wanted->parent &&
		    group->kind == wanted->kind)
			break;
	}
	return at;
}

static enum snap_status enlarge(struct snap_graph *graph, struct table *table,
				struct snap_error *error)
{
	size_t size = table->size == 0 ? 256 : table->size * 2;
	enum snap_status status =
		libsnap_graph_reserve(graph, "groups of roots", size * 4ull, error);
	if (status != SNAP_OK)
		return status;
	struct table larger = {.slots = libsnap_graph_take(graph, size, 4), .size = size};
	if (larger.slots == NULL)
		return libsnap_fail_memory(error);
	memset(larger.slots, 0xff, size * 4);
	for (size_t i = 0; i < graph->group_count; i++)
		larger.slots[find_slot(graph, &larger, &graph->groups[i])] = (uint32_t)i;
	libsnap_graph_give(graph, table->slots, table->size, 4);
	*table = larger;
	return SNAP_OK;
}

/* The label of a new group: the name alone, or that of the group above, "/" and the name. */
static enum snap_status name_group(struct snap_graph *graph, struct group *group,
				   struct snap_error *error)
{
	const char *text;
	size_t size;
	const struct group *parent = group->parent != NONE ? &graph->groups[group->parent] : NULL;
	enum snap_status status;
	if (parent != NULL)
		status = snap_graph_type_name(graph, group->name, &text, &size, error);
	else
		status = snap_reader_string(graph->reader, group->name, &text, &size, error);
	if (status != SNAP_OK)
		return status;
	if (parent == NULL && group->name == 0) {
		const char *kind = snap_root_kind_name(group->kind);
		text = kind != NULL ? kind : "unknown";
		size = strlen(text);
	}
	size_t before = parent != NULL ? parent->label_size + 1 : 0;
	status = libsnap_graph_reserve(graph, "groups of roots", before + size, error);
	if (status != SNAP_OK)
		return status;
	group->label = libsnap_graph_take(graph, before + size, 1);
	if (group->label == NULL)
		return libsnap_fail_memory(error);
	if (parent != NULL) {
		memcpy(group->label, parent->label, before - 1);
		group->label[before - 1] = '/';
	}
	if (size > 0)
		memcpy(group->label + before, text, size);
	group->label_size = before + size;
	return SNAP_OK;
}

static enum snap_status find_group(struct snap_graph *graph, struct table *table,
				   struct group wanted, uint32_t *out, struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	if (2 * (graph->group_count + 1) >= table->size)
		status = enlarge(graph, table, error);
	if (status != SNAP_OK)
		return status;
	size_t slot = find_slot(graph, table, &wanted);
	if (table->slots[slot] == NONE) {
		status = libsnap_graph_grow(graph, "groups of roots", (void **)&graph->groups,
					    &graph->group_capacity, graph->group_count + 1,
					    sizeof(wanted), error);
		if (status == SNAP_OK)
			status = name_group(graph, &wanted, error);
		if (status != SNAP_OK)
			return status;
		table->slots[slot] = (uint32_t)graph->group_count;
		graph->groups[graph->group_count++] = wanted;
	}
	*out = table->slots[slot];
	return SNAP_OK;
}

/* ---- objects ---- */

/* Enough for any runtime; a hostile chain of synthetic objects must not make labels without end. */
#define MAX_GROUP_DEPTH 16

/* A synthetic object's own group, below the one that reached it.  One that only repeats the label
 * above it, or has no name, starts none. */
static enum snap_status extend_group(struct snap_graph *graph, struct table *table, uint32_t row,
				     bool is_root, uint32_t *group, struct snap_error *error)
{
	uint32_t type = libsnap_graph_shape(graph, row)->type;
	if (type == 0 || graph->type_kinds[type - 1] != SNAP_TYPE_SYNTHETIC)
		return SNAP_OK;
	const char *name;
	size_t size;
	enum snap_status status = snap_graph_type_name(graph, type, &name, &size, error);
	if (status != SNAP_OK)
		return status;
	const struct group *above = &graph->groups[*group];
	if (size == 0 || above->depth == MAX_GROUP_DEPTH ||
	    (is_root && size == above->label_size && memcmp(name, above->label, size) == 0))
		return SNAP_OK;
	return find_group(graph, table,
			  (struct group){.kind = above->kind,
					 .parent = *group,
					 .name = type,
					 .depth = above->depth + 1},
			  group, error);
}

static enum snap_status attribute_roots(struct snap_graph *graph, struct table *table,
					struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_ROOT_OBJECT, SNAP_ROOT_KIND_COLUMN,
					   SNAP_ROOT_LABEL};
	struct stream stream;
	enum snap_status status =
		libsnap_graph_stream_open(&stream, graph, columns, 3, graph->roots, error);
	while (status == SNAP_OK && stream.position < stream.rows) {
		const uint64_t *values[STREAM_COLUMNS];
		size_t count;
		bool lost;
		status = libsnap_graph_stream_peek(&stream, graph->roots, &count, values, &lost,
						   error);
		if (status != SNAP_OK)
			break;
		stream.position += count;
		for (size_t i = 0; !lost && status == SNAP_OK && i < count; i++) {
			uint32_t row = (uint32_t)(values[0][i] - 1), group;
			if (graph->group[row] != NONE)
				continue;
			struct group wanted = {.parent = NONE,
					       .name = values[2][i],
					       .kind = values[1][i] < UINT32_MAX
							       ? (uint32_t)values[1][i]
							       : UINT32_MAX};
			status = find_group(graph, table, wanted, &group, error);
			if (status == SNAP_OK)
				status = extend_group(graph, table, row, true, &group, error);
			if (status == SNAP_OK)
				graph->group[row] = group;
		}
	}
	libsnap_graph_stream_close(&stream);
	return status;
}

/* Rows by distance, so that a row comes after its parent; ends is room for one number per row and
 * one more. Returns how many are reached. */
static uint32_t sort_by_distance(const struct snap_graph *graph, uint32_t *order, uint32_t *ends)
{
	memset(ends, 0, ((size_t)graph->objects + 1) * sizeof(*ends));
	for (uint32_t row = 0; row < graph->objects; row++)
		if (graph->distance[row] != NONE)
			ends[graph->distance[row]]++;
	uint32_t sum = 0;
	for (uint32_t i = 0; i <= graph->objects; i++)
		ends[i] = sum += ends[i];
	for (uint32_t row = graph->objects; row-- > 0;)
		if (graph->distance[row] != NONE)
			order[--ends[graph->distance[row]]] = row;
	return sum;
}

static enum snap_status attribute_all(struct snap_graph *graph, struct table *table,
				      struct snap_error *error)
{
	uint32_t *order = libsnap_graph_take(graph, graph->objects, 4);
	uint32_t *ends = libsnap_graph_take(graph, graph->objects + 1u, 4);
	enum snap_status status = SNAP_OK;
	if (order == NULL || ends == NULL)
		status = libsnap_fail_memory(error);
	uint32_t count = status == SNAP_OK ? sort_by_distance(graph, order, ends) : 0;
	libsnap_graph_give(graph, ends, graph->objects + 1u, 4);
	for (uint32_t i = 0; status == SNAP_OK && i < count; i++) {
		uint32_t row = order[i];
		if (graph->distance[row] == 0)
			continue;
		uint32_t group = graph->group[graph->parent[row]];
		if (group == NONE) /* its root entry's words are lost */
			continue;
		status = extend_group(graph, table, row, false, &group, error);
		graph->group[row] = group;
	}
	libsnap_graph_give(graph, order, graph->objects, 4);
	return status;
}

enum snap_status snap_graph_attribute_roots(struct snap_graph *graph, struct snap_error *error)
{
	if (graph->group != NULL)
		return SNAP_OK;
	enum snap_status status = snap_graph_search(graph, error);
	if (status == SNAP_OK)
		status = libsnap_graph_reserve(graph, "root of each object",
					       graph->objects * 12ull + 4, error);
	if (status != SNAP_OK)
		return status;
	graph->group = libsnap_graph_take(graph, graph->objects, 4);
	if (graph->group == NULL)
		return libsnap_fail_memory(error);
	memset(graph->group, 0xff, (size_t)graph->objects * 4);
	struct table table = {NULL, 0};
	status = attribute_roots(graph, &table, error);
	if (status == SNAP_OK)
		status = attribute_all(graph, &table, error);
	libsnap_graph_give(graph, table.slots, table.size, 4);
	if (status != SNAP_OK)
		libsnap_graph_free_groups(graph);
	return status;
}

void libsnap_graph_free_groups(struct snap_graph *graph)
{
	for (size_t i = 0; i < graph->group_count; i++)
		libsnap_graph_give(graph, graph->groups[i].label, graph->groups[i].label_size, 1);
	libsnap_graph_give(graph, graph->groups, graph->group_capacity, sizeof(struct group));
	libsnap_graph_give(graph, graph->group, graph->objects, 4);
	graph->groups = NULL;
	graph->group = NULL;
	graph->group_count = graph->group_capacity = 0;
}

uint32_t snap_graph_group_count(const struct snap_graph *graph)
{
	return (uint32_t)graph->group_count;
}

void snap_graph_group(const struct snap_graph *graph, uint32_t index, struct snap_graph_group *out)
{
	*out = (struct snap_graph_group){0};
	if (index >= graph->group_count)
		return;
	const struct group *group = &graph->groups[index];
	*out = (struct snap_graph_group){
		.kind = group->kind, .label = group->label, .label_size = group->label_size};
}

uint32_t snap_graph_group_of(const struct snap_graph *graph, uint64_t row)
{
	if (graph->group == NULL || row >= graph->objects)
		return SNAP_GRAPH_NO_GROUP;
	return graph->group[row];
}
