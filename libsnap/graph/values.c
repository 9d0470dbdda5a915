/* Single values and whole columns of a snapshot, as the graph reads them. */
#include "graph.h"

#include <assert.h>

/* Whether a partial reader has found damage by now. */
static bool is_damaged(const struct snap_graph *graph)
{
	struct snap_reader_info info;
	snap_reader_info(graph->reader, &info);
	return info.damaged;
}

/* What a partial reader lost is taken for its default, except lengths: the rest of a tail hangs on
 * them. */
enum snap_status libsnap_graph_value(struct snap_graph *graph, uint32_t column, uint64_t row,
				     uint64_t *value, struct snap_error *error)
{
	static const uint32_t kept[] = {
		SNAP_TYPE_NAME,           SNAP_OBJECT_ADDRESS,       SNAP_OBJECT_SIZE,
		SNAP_OBJECT_COUNT,        SNAP_OBJECT_NAME,          SNAP_OBJECT_CONTENT,
		SNAP_CONTENT_TEXT,        SNAP_TAIL_LENGTH,          SNAP_REFERENCE_TARGET,
		SNAP_TAIL_LABEL_KIND,     SNAP_TAIL_LABEL,           SNAP_ROOT_OBJECT,
		SNAP_ROOT_KIND_COLUMN,    SNAP_ROOT_LABEL,           SNAP_INDEX_DOMINATOR,
		SNAP_INDEX_HELD,          SNAP_INDEX_PARENT,         SNAP_INDEX_CYCLE,
		SNAP_INDEX_CYCLE_OBJECTS, SNAP_INDEX_CYCLE_BYTES,    SNAP_INDEX_CYCLE_FIRST,
		SNAP_INDEX_CYCLE_NEAREST, SNAP_INDEX_CYCLE_ENTRIES,  SNAP_INDEX_CYCLE_ENTRY,
		SNAP_INDEX_CYCLE_HOLDER,  SNAP_INDEX_CYCLE_RETAINED,
	};
	uint64_t rows = snap_reader_row_count(graph->reader, (enum snap_table)(column >> 16));
	size_t i = 0;
	/* No rows: the table has no column, or it was cut off, as rows past the last were. */
	if (row >= rows && (graph->damaged ? column != SNAP_TAIL_LENGTH : rows == 0)) {
		*value = column == SNAP_OBJECT_COUNT;
		return SNAP_OK;
	}
	while (i < sizeof(kept) / sizeof(kept[0]) && kept[i] != column)
		i++;
	assert(i < sizeof(kept) / sizeof(kept[0]));
	if (graph->columns[i] == NULL) {
		enum snap_status status =
			snap_column_open(&graph->columns[i], graph->reader, column, error);
		if (status != SNAP_OK)
			return status;
	}
	enum snap_status status = snap_column_read(graph->columns[i], row, 1, value, error);
	if (status != SNAP_CORRUPT || !is_damaged(graph) || column == SNAP_TAIL_LENGTH)
		return status;
	*value = column == SNAP_OBJECT_COUNT;
	return SNAP_OK;
}

void libsnap_graph_close_columns(struct snap_graph *graph)
{
	for (size_t i = 0; i < sizeof(graph->columns) / sizeof(graph->columns[0]); i++)
		snap_column_close(graph->columns[i]);
}

enum snap_status libsnap_graph_stream_open(struct stream *stream, struct snap_graph *graph,
					   const uint32_t *columns, size_t count, uint64_t rows,
					   struct snap_error *error)
{
	assert(count <= STREAM_COLUMNS);
	*stream = (struct stream){.rows = rows, .columns = count};
	stream->absent =
		!graph->damaged &&
		snap_reader_row_count(graph->reader, (enum snap_table)(columns[0] >> 16)) == 0;
	if (rows == 0 || stream->absent)
		return SNAP_OK;
	return snap_scan_open(&stream->scan, graph->reader, columns, count, error);
}

#define ZEROS 1024
static const uint64_t zeros[ZEROS];

static enum snap_status next_batch(struct stream *stream, struct snap_error *error)
{
	enum snap_status status = snap_scan_next(stream->scan, &stream->batch_first,
						 &stream->batch_count, &stream->batch, error);
	if (status != SNAP_END)
		return status;
	stream->ended = true;
	return SNAP_OK;
}

enum snap_status libsnap_graph_stream_peek(struct stream *stream, uint64_t wanted, size_t *count,
					   const uint64_t *values[STREAM_COLUMNS], bool *lost,
					   struct snap_error *error)
{
	assert(stream->position < stream->rows && wanted > 0);
	if (stream->absent) {
		uint64_t rest = stream->rows - stream->position;
		*count = wanted < ZEROS ? (size_t)wanted : ZEROS;
		if (*count > rest)
			*count = (size_t)rest;
		for (size_t i = 0; i < stream->columns; i++)
			values[i] = zeros;
		*lost = false;
		return SNAP_OK;
	}
	while (!stream->ended && stream->position >= stream->batch_first + stream->batch_count) {
		enum snap_status status = next_batch(stream, error);
		if (status != SNAP_OK)
			return status;
	}
	uint64_t left = stream->rows - stream->position;
	*lost = stream->ended || stream->position < stream->batch_first;
	if (*lost && !stream->ended && stream->batch_first - stream->position < left)
		left = stream->batch_first - stream->position;
	if (!*lost) {
		size_t at = (size_t)(stream->position - stream->batch_first);
		if (stream->batch_count - at < left)
			left = stream->batch_count - at;
		for (size_t i = 0; i < stream->columns; i++)
			values[i] = stream->batch[i] + at;
	}
	if (left > wanted)
		left = wanted;
	*count = left < SIZE_MAX ? (size_t)left : SIZE_MAX;
	return SNAP_OK;
}

enum snap_status libsnap_graph_stream_take(struct stream *stream, uint64_t wanted, size_t *count,
					   const uint64_t *values[STREAM_COLUMNS],
					   struct snap_error *error)
{
	bool lost = true;
	if (stream->position >= stream->rows)
		return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
				    "a table of the layout of references ends too early");
	enum snap_status status =
		libsnap_graph_stream_peek(stream, wanted, count, values, &lost, error);
	if (status != SNAP_OK)
		return status;
	if (lost)
		return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET,
				    "rows that say where references lie are lost");
	stream->position += *count;
	return SNAP_OK;
}

void libsnap_graph_stream_close(struct stream *stream)
{
	snap_scan_close(stream->scan);
	stream->scan = NULL;
}

enum snap_status libsnap_graph_each_size(struct snap_graph *graph,
					 void (*add)(void *context, uint64_t row, uint64_t bytes),
					 void *context, struct snap_error *error)
{
	const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT};
	struct scan scan = scan_begin(graph->reader, columns, 2, error);
	while (scan_next(&scan) && scan.row < graph->objects) {
		uint64_t bytes;
		if (libsnap_multiply_overflows(scan_value(&scan, 0), scan_value(&scan, 1), &bytes))
			bytes = UINT64_MAX;
		add(context, scan.row, bytes);
	}
	return scan_end(&scan, NULL);
}
