/* Values of the index's columns of objects, and sizes: stretches of them that are read at once, and
 * kept while there is room, since what is asked for one row is asked for many. */
#include "graph.h"

static size_t place_of(uint32_t column)
{
	switch (column) {
	case SNAP_INDEX_DOMINATOR: return 0;
	case SNAP_INDEX_HELD: return 1;
	case SNAP_INDEX_PARENT: return 2;
	case SNAP_INDEX_CYCLE: return 3;
	case SNAP_OBJECT_SIZE: return 4;
	case SNAP_OBJECT_COUNT: return 5;
	default: return KEPT_COLUMNS;
	}
}

static uint64_t stretches(const struct snap_graph *graph)
{
	return graph->objects / KEPT_ROWS + 1;
}

void libsnap_graph_drop_kept(struct snap_graph *graph)
{
	for (size_t place = 0; place < KEPT_COLUMNS; place++) {
		uint64_t **kept = graph->indexed.kept[place];
		for (uint64_t i = 0; kept != NULL && i < stretches(graph); i++)
			libsnap_graph_give(graph, kept[i], KEPT_ROWS, sizeof(**kept));
		libsnap_graph_give(graph, kept, stretches(graph), sizeof(*kept));
		graph->indexed.kept[place] = NULL;
	}
}

/* Where what is kept is not in the way of anything else. */
static void *take(struct snap_graph *graph, uint64_t count, size_t size)
{
	if (libsnap_graph_room(graph) / 4 * 3 < graph->options.max_memory_bytes / 2 + count * size)
		return NULL;
	return libsnap_graph_take_zeroed(graph, (size_t)count, size);
}

static enum snap_status read_stretch(struct snap_graph *graph, uint32_t column, uint64_t first,
				     uint64_t *values, struct snap_error *error)
{
	uint64_t count = graph->objects - first;
	struct snap_column *cursor;
	enum snap_status status = snap_column_open(&cursor, graph->reader, column, error);
	if (status != SNAP_OK)
		return status;
	status = snap_column_read(cursor, first, count < KEPT_ROWS ? (size_t)count : KEPT_ROWS,
				  values, error);
	snap_column_close(cursor);
	return status;
}

/* *stretch is NULL where it is not to be kept. */
static enum snap_status find_stretch(struct snap_graph *graph, uint32_t column, uint64_t row,
				     const uint64_t **stretch, bool *is_new,
				     struct snap_error *error)
{
	const size_t place = place_of(column);
	*stretch = NULL;
	if (place == KEPT_COLUMNS || row >= graph->objects)
		return SNAP_OK;
	uint64_t ***kept = &graph->indexed.kept[place], number = row / KEPT_ROWS;
	if (*kept == NULL)
		*kept = take(graph, stretches(graph), sizeof(**kept));
	if (*kept == NULL)
		return SNAP_OK;
	if ((*kept)[number] == NULL) {
		uint64_t *values = take(graph, KEPT_ROWS, sizeof(*values));
		if (values == NULL)
			return SNAP_OK;
		enum snap_status status =
			read_stretch(graph, column, number * KEPT_ROWS, values, error);
		if (status != SNAP_OK) {
			libsnap_graph_give(graph, values, KEPT_ROWS, sizeof(*values));
			return status;
		}
		(*kept)[number] = values;
		*is_new = true;
	}
	*stretch = (*kept)[number];
	return SNAP_OK;
}

enum snap_status libsnap_graph_kept_value(struct snap_graph *graph, uint32_t column, uint64_t row,
					  uint64_t *value, bool *is_new, struct snap_error *error)
{
	const uint64_t *stretch;
	uint64_t *last = &graph->indexed.last[place_of(column)];
	*is_new = false;
	enum snap_status status = find_stretch(graph, column, row, &stretch, is_new, error);
	if (status != SNAP_OK)
		return status;
	if (stretch != NULL) {
		*value = stretch[row % KEPT_ROWS];
		return SNAP_OK;
	}
	*is_new = *last != row / KEPT_ROWS;
	*last = row / KEPT_ROWS;
	return libsnap_graph_value(graph, column, row, value, error);
}
