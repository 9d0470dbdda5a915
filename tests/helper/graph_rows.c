/* Prints "id distance retained" for objects whose ids are on standard input; "-" where no root reaches one.
 * Usage: graph_rows SNAPSHOT */
#include <inttypes.h>
#include <stdio.h>

#include "snap_graph.h"

static int fail(const struct snap_error *error)
{
	fprintf(stderr, "graph_rows: %s\n", error->message);
	return 2;
}

static enum snap_status print_row(struct snap_graph *graph, uint64_t id, struct snap_error *error)
{
	uint64_t row;
	enum snap_status status = snap_graph_find_address(graph, id, &row, error);
	if (status != SNAP_OK)
		return status;
	uint64_t distance = snap_graph_distance(graph, row);
	if (distance == SNAP_GRAPH_NONE)
		printf("%" PRIu64 "\t-\t-\n", id);
	else
		printf("%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", id, distance, snap_graph_retained(graph, row));
	return SNAP_OK;
}

int main(int argc, char **argv)
{
	struct snap_reader *reader;
	struct snap_graph *graph;
	struct snap_error error = {.message = "usage: graph_rows SNAPSHOT"};
	if (argc != 2 || snap_reader_open(&reader, argv[1], NULL, &error) != SNAP_OK)
		return fail(&error);
	if (snap_graph_open(&graph, reader, NULL, &error) != SNAP_OK ||
	    snap_graph_search(graph, &error) != SNAP_OK || snap_graph_dominate(graph, &error) != SNAP_OK)
		return fail(&error);
	uint64_t id;
	while (scanf("%" SCNu64, &id) == 1)
		if (print_row(graph, id, &error) != SNAP_OK)
			return fail(&error);
	snap_graph_close(graph);
	snap_reader_close(reader);
	return fflush(stdout) == 0 ? 0 : 2;
}
