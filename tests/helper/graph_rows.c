/* Prints "id distance retained size" of all objects; "-"
 * where no root reaches one.  Usage: graph_rows SNAPSHOT */
#include <inttypes.h>
#include <stdio.h>

#include "snap_graph.h"

static int fail(const struct snap_error *error)
{
	fprintf(stderr, "graph_rows: %s\n", error->message);
	return 2;
}

static enum snap_status print_row(struct snap_graph *graph, uint64_t row, struct snap_error *error)
{
	struct snap_graph_object object;
	enum snap_status status = snap_graph_object(graph, row, &object, error);
	if (status != SNAP_OK)
		return status;
	uint64_t distance = snap_graph_distance(graph, row);
	if (distance == SNAP_GRAPH_NONE)
		printf("%" PRIu64 "\t-\t-\t%" PRIu64 "\n", object.address, object.size);
	else
		printf("%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", object.address,
		       distance, snap_graph_retained(graph, row), object.size);
	return SNAP_OK;
}

int main(int argc, char **argv)
{
	struct snap_reader *reader;
	struct snap_graph *graph;
	struct snap_graph_info info;
	struct snap_error error = {.message = "usage: graph_rows SNAPSHOT"};
	if (argc != 2 || snap_reader_open(&reader, argv[1], NULL, &error) != SNAP_OK)
		return fail(&error);
	if (snap_graph_open(&graph, reader, NULL, &error) != SNAP_OK ||
	    snap_graph_search(graph, &error) != SNAP_OK ||
	    snap_graph_dominate(graph, &error) != SNAP_OK)
		return fail(&error);
	snap_graph_info(graph, &info);
	for (uint64_t row = 0; row < info.objects; row++)
		if (print_row(graph, row, &error) != SNAP_OK)
			return fail(&error);
	snap_graph_close(graph);
	snap_reader_close(reader);
	return fflush(stdout) == 0 ? 0 : 2;
}
