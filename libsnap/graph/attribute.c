/* Which root entry each object belongs to: its parent's, up to the roots. */
#include "graph.h"

#include <string.h>

/* ---- groups ---- */

/* Open addressing over the indexes of groups; size is a power of two, larger than twice the groups.
 */
struct table {
	uint32_t *slots;
	size_t size;
};

static size_t find_slot(const struct snap_graph *graph, const struct table *table,
			const struct group *wanted)
{
	uint64_t place = (uint64_t)wanted->parent * 64 + wanted->kind;
	size_t at = (size_t)libsnap_mix(libsnap_mix(wanted->name) + place) & (table->size - 1);
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
static enum snap_status extend_group(struct snap_graph *graph, struct table *table, uint64_t row,
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
	struct scan root = scan_begin(graph->reader, columns, 3, error);
	while (scan_next(&root)) {
		uint64_t row = scan_value(&root, 0) - 1, kind = scan_value(&root, 1);
		uint32_t group;
		if (libsnap_numbers_get(&graph->group, row) != SNAP_GRAPH_NONE)
			continue;
		struct group wanted = {.parent = NONE,
				       .name = scan_value(&root, 2),
				       .kind = kind < UINT32_MAX ? (uint32_t)kind : UINT32_MAX};
		root.status = find_group(graph, table, wanted, &group, error);
		if (root.status == SNAP_OK)
			root.status = extend_group(graph, table, row, true, &group, error);
		if (root.status == SNAP_OK)
			libsnap_numbers_set(&graph->group, row, group);
	}
	return scan_end(&root, NULL);
}

/* Of what hangs on a root entry whose words are lost. */
#define LOST (NONE - 1)

/* A row belongs to the group of its parent: up to the first that is known, and down again.  Ways
 * down are kept in a list that is as long as they are. */
static enum snap_status attribute_row(struct snap_graph *graph, struct table *table,
				      struct numbers *way, uint64_t row, struct snap_error *error)
{
	uint64_t count = 0, at = row, known = SNAP_GRAPH_NONE;
	while (at != SNAP_GRAPH_NONE && !libsnap_graph_has_failed(graph)) {
		known = libsnap_numbers_get(&graph->group, at);
		if (known != SNAP_GRAPH_NONE)
			break;
		libsnap_numbers_set(way, count++, at);
		at = libsnap_numbers_get(&graph->parent, at);
	}
	uint32_t group = known != SNAP_GRAPH_NONE ? (uint32_t)known : LOST;
	while (count-- > 0) {
		enum snap_status status = SNAP_OK;
		at = libsnap_numbers_get(way, count);
		if (libsnap_graph_has_failed(graph))
			return libsnap_graph_check_pages(graph, error);
		if (group != LOST)
			status = extend_group(graph, table, at, false, &group, error);
		if (status != SNAP_OK)
			return status;
		libsnap_numbers_set(&graph->group, at, group);
	}
	return SNAP_OK;
}

static enum snap_status attribute_all(struct snap_graph *graph, struct table *table,
				      struct snap_error *error)
{
	struct numbers way = {.graph = NULL};
	enum snap_status status = libsnap_numbers_open(&way, graph, graph->objects, false, error);
	for (uint64_t row = 0; status == SNAP_OK && row < graph->objects; row++) {
		if (libsnap_numbers_get(&graph->distance, row) != SNAP_GRAPH_NONE)
			status = attribute_row(graph, table, &way, row, error);
		if (status == SNAP_OK && (row & 0xfffff) == 0) {
			libsnap_graph_progress(graph, "root of each object", row, graph->objects);
			status = libsnap_graph_check_pages(graph, error);
		}
	}
	libsnap_numbers_close(&way);
	return status;
}

enum snap_status snap_graph_attribute_roots(struct snap_graph *graph, struct snap_error *error)
{
	if (libsnap_numbers_is_open(&graph->group))
		return SNAP_OK;
	struct table table = {NULL, 0};
	enum snap_status status = snap_graph_search(graph, error);
	if (status == SNAP_OK)
		status = libsnap_graph_prepare(graph, graph->objects * 8, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&graph->group, graph, graph->objects, false, error);
	if (status == SNAP_OK)
		status = attribute_roots(graph, &table, error);
	if (status == SNAP_OK)
		status = attribute_all(graph, &table, error);
	if (status == SNAP_OK)
		status = libsnap_graph_check_pages(graph, error);
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
	libsnap_numbers_close(&graph->group);
	graph->groups = NULL;
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
	*out = (struct snap_graph_group){.kind = group->kind,
					 .label = group->label,
					 .label_size = group->label_size,
					 .above = group->parent};
	*(group->parent == NONE ? &out->string : &out->type) = group->name;
}

uint32_t snap_graph_group_of(const struct snap_graph *graph, uint64_t row)
{
	if (!libsnap_numbers_is_open(&graph->group) || row >= graph->objects)
		return SNAP_GRAPH_NO_GROUP;
	uint64_t group = libsnap_numbers_get(&graph->group, row);
	return group < graph->group_count ? (uint32_t)group : SNAP_GRAPH_NO_GROUP;
}
