/* What is told of some objects, read in the order of the file before it is asked for. */
#include "graph.h"

static const uint32_t columns[] = {SNAP_OBJECT_ADDRESS, SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT,
				   SNAP_OBJECT_NAME};
#define FIELDS (sizeof(columns) / sizeof(columns[0]))

void libsnap_graph_forget(struct snap_graph *graph)
{
	libsnap_marks_close(&graph->known.rows, graph);
	libsnap_numbers_close(&graph->known.values);
}

static enum snap_status read_rows(struct snap_graph *graph, struct snap_error *error)
{
	const struct marks *rows = &graph->known.rows;
	enum snap_status status = SNAP_OK;
	uint64_t value, at = 0;
	for (uint64_t row = libsnap_marks_next(rows, graph, 0);
	     status == SNAP_OK && row != SNAP_GRAPH_NONE;
	     row = libsnap_marks_next(rows, graph, row + 1))
		for (size_t i = 0; status == SNAP_OK && i < FIELDS; i++) {
			status = libsnap_graph_value(graph, columns[i], row, &value, error);
			if (status == SNAP_OK)
				libsnap_numbers_set(&graph->known.values, at++, value);
		}
	return status == SNAP_OK ? libsnap_graph_check_pages(graph, error) : status;
}

enum snap_status snap_graph_read_objects(struct snap_graph *graph, const struct snap_graph_set *set,
					 struct snap_error *error)
{
	struct known *known = &graph->known;
	libsnap_graph_forget(graph);
	enum snap_status status =
		libsnap_graph_prepare(graph, graph->objects / 4 + set->count * FIELDS * 8, error);
	if (status == SNAP_OK)
		status = libsnap_marks_open(&known->rows, graph, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&known->values, graph, set->count * FIELDS, true,
					      error);
	if (status == SNAP_OK) {
		for (uint64_t i = 0; i < graph->objects / 64 + 1; i++)
			known->rows.bits[i] = set->bits[i];
		libsnap_marks_count(&known->rows, graph);
		status = read_rows(graph, error);
	}
	if (status != SNAP_OK)
		libsnap_graph_forget(graph);
	return status;
}

enum snap_status libsnap_graph_object_value(struct snap_graph *graph, uint32_t column, uint64_t row,
					    uint64_t *value, struct snap_error *error)
{
	const struct known *known = &graph->known;
	if (known->rows.bits == NULL || !libsnap_has_bit(known->rows.bits, row))
		return libsnap_graph_value(graph, column, row, value, error);
	uint64_t at = libsnap_marks_rank(&known->rows, row) * FIELDS;
	for (size_t i = 0; columns[i] != column; i++)
		at++;
	*value = libsnap_numbers_get(&known->values, at);
	return libsnap_graph_check_pages(graph, error);
}
