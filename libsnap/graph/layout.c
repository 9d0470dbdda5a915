/* Loads what says where references lie, and then the references (FORMAT.md, 7.2 and 7.3). */
#include "graph.h"

#include <inttypes.h>

/* Of what is held as structures in memory. */
#define MAX_COUNT (UINT32_MAX - 2)
/* Of rows and references: what is far beyond any file, so that sums stay below 2^64. */
#define MAX_ROWS (UINT64_C(1) << 56)

static enum snap_status count_rows(const struct snap_graph *graph, enum snap_table table,
				   const char *what, uint64_t most, uint64_t *out,
				   struct snap_error *error)
{
	uint64_t rows = snap_reader_row_count(graph->reader, table);
	if (rows > most)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "%" PRIu64 " %s, at most %" PRIu64 " can be held", rows, what,
				    most);
	*out = rows;
	return SNAP_OK;
}

static enum snap_status count_narrow(const struct snap_graph *graph, enum snap_table table,
				     const char *what, uint32_t *out, struct snap_error *error)
{
	uint64_t count = 0;
	enum snap_status status = count_rows(graph, table, what, MAX_COUNT, &count, error);
	*out = (uint32_t)count;
	return status;
}

static enum snap_status count_tables(struct snap_graph *graph, struct snap_error *error)
{
	uint64_t references, labels;
	enum snap_status status = count_narrow(graph, SNAP_TYPES, "types", &graph->types, error);
	if (status == SNAP_OK)
		status = count_narrow(graph, SNAP_SHAPES, "shapes", &graph->shape_count, error);
	if (status == SNAP_OK)
		status = count_narrow(graph, SNAP_SLOTS, "slots", &graph->slot_count, error);
	if (status == SNAP_OK)
		status = count_narrow(graph, SNAP_RUNS, "runs", &graph->run_count, error);
	if (status == SNAP_OK)
		status = count_rows(graph, SNAP_OBJECTS, "objects", MAX_ROWS, &graph->objects,
				    error);
	if (status == SNAP_OK)
		status =
			count_rows(graph, SNAP_TAILS, "tails", MAX_ROWS, &graph->tail_count, error);
	if (status == SNAP_OK)
		status = count_rows(graph, SNAP_ROOTS, "roots", MAX_ROWS, &graph->roots, error);
	if (status == SNAP_OK)
		status = count_rows(graph, SNAP_REFERENCES, "references", MAX_ROWS, &references,
				    error);
	if (status == SNAP_OK)
		status = count_rows(graph, SNAP_TAIL_LABELS, "labels", MAX_ROWS, &labels, error);
	return status;
}

/* About four marks for each run, and not so many that they count beside the objects. */
static uint64_t choose_marks(struct snap_graph *graph)
{
	uint64_t most = (uint64_t)graph->run_count * 4 + 64;
	while (graph->objects >> graph->mark_shift > most || graph->mark_shift < 6)
		graph->mark_shift++;
	return (graph->objects >> graph->mark_shift) + 1;
}

static enum snap_status take_layout(struct snap_graph *graph, struct snap_error *error)
{
	graph->run_capacity = (size_t)graph->run_count + 2; /* see place_lost(), and the end */
	uint64_t run_marks = choose_marks(graph);
	uint64_t bytes = graph->types + (graph->shape_count + 1ull) * sizeof(struct shape) +
			 graph->slot_count * 9ull + graph->run_capacity * sizeof(struct run) +
			 run_marks * 4ull;
	enum snap_status status =
		libsnap_graph_reserve(graph, "layout of references", bytes, error);
	if (status != SNAP_OK)
		return status;
	graph->type_kinds = libsnap_graph_take(graph, graph->types, 1);
	graph->shapes = libsnap_graph_take(graph, graph->shape_count + 1u, sizeof(struct shape));
	graph->slot_kinds = libsnap_graph_take(graph, graph->slot_count, 1);
	graph->slot_labels = libsnap_graph_take(graph, graph->slot_count, 8);
	graph->runs = libsnap_graph_take(graph, graph->run_capacity, sizeof(struct run));
	graph->run_marks = libsnap_graph_take(graph, run_marks, 4);
	if (graph->type_kinds == NULL || graph->shapes == NULL || graph->slot_kinds == NULL ||
	    graph->slot_labels == NULL || graph->runs == NULL || graph->run_marks == NULL)
		return libsnap_fail_memory(error);
	return SNAP_OK;
}

/* In memory, if the references will fit there, too, with some room for a question. */
static enum snap_status take_starts(struct snap_graph *graph, struct snap_error *error)
{
	uint64_t references = snap_reader_row_count(graph->reader, SNAP_REFERENCES) + graph->roots;
	uint64_t starts = graph->objects + 2, marks = graph->tail_count / TAILS_PER_MARK + 1;
	uint64_t bytes = (starts + references) * 4 + marks * 8;
	if (starts > MAX_COUNT || references > MAX_COUNT)
		graph->wide = true;
	enum snap_status status = libsnap_indexed_open(graph, error);
	if (status == SNAP_OK && graph->outside.pages != NULL)
		status = libsnap_paged_open(&graph->outside.start, graph->outside.pages, starts,
					    graph->wide, error);
	else if (status == SNAP_OK && !graph->indexed.is_lazy &&
		 (graph->wide || libsnap_graph_room(graph) < bytes + bytes / 4))
		status = libsnap_graph_open_outside(graph, references, error);
	if (status == SNAP_OK && !libsnap_numbers_is_open(&graph->tail_marks))
		status = libsnap_numbers_open(&graph->tail_marks, graph, marks, true, error);
	if (status != SNAP_OK || graph->outside.pages != NULL || graph->indexed.is_lazy)
		return status;
	graph->held.nodes = (uint32_t)graph->objects + 1;
	graph->held.start = libsnap_graph_take(graph, starts, 4);
	return graph->held.start != NULL ? SNAP_OK : libsnap_fail_memory(error);
}

/* Gives store all rows of some columns of one table, in order. */
static enum snap_status
load_table(struct snap_graph *graph, const uint32_t *columns, size_t column_count, uint64_t rows,
	   void (*store)(struct snap_graph *, uint64_t row, size_t count, const uint64_t **values),
	   struct snap_error *error)
{
	struct stream stream;
	enum snap_status status =
		libsnap_graph_stream_open(&stream, graph, columns, column_count, rows, error);
	while (status == SNAP_OK && stream.position < rows) {
		const uint64_t *values[STREAM_COLUMNS];
		size_t count;
		uint64_t row = stream.position;
		status = libsnap_graph_stream_take(&stream, rows - row, &count, values, error);
		if (status == SNAP_OK)
			store(graph, row, count, values);
	}
	libsnap_graph_stream_close(&stream);
	return status;
}

/* Kinds are a byte: larger ones than any registered stay "newer than known". */
static uint8_t narrow_kind(uint64_t kind)
{
	return kind < UINT8_MAX ? (uint8_t)kind : UINT8_MAX;
}

/* Kinds that a partial reader lost are those of plain objects. */
static enum snap_status load_type_kinds(struct snap_graph *graph, struct snap_error *error)
{
	static const uint32_t column[] = {SNAP_TYPE_KIND_COLUMN};
	struct stream stream;
	enum snap_status status =
		libsnap_graph_stream_open(&stream, graph, column, 1, graph->types, error);
	while (status == SNAP_OK && stream.position < stream.rows) {
		const uint64_t *values[STREAM_COLUMNS] = {NULL};
		size_t count;
		bool lost;
		status = libsnap_graph_stream_peek(&stream, graph->types, &count, values, &lost,
						   error);
		if (status != SNAP_OK)
			break;
		for (size_t i = 0; i < count; i++)
			graph->type_kinds[stream.position + i] =
				lost ? SNAP_TYPE_OBJECT : narrow_kind(values[0][i]);
		stream.position += count;
	}
	libsnap_graph_stream_close(&stream);
	return status;
}

static void store_slots(struct snap_graph *graph, uint64_t row, size_t count,
			const uint64_t **values)
{
	for (size_t i = 0; i < count; i++) {
		graph->slot_kinds[row + i] = narrow_kind(values[0][i]);
		graph->slot_labels[row + i] = values[1][i];
	}
}

static void store_shapes(struct snap_graph *graph, uint64_t row, size_t count,
			 const uint64_t **values)
{
	for (size_t i = 0; i < count; i++)
		graph->shapes[row + i] = (struct shape){
			.type = values[0][i] <= graph->types ? (uint32_t)values[0][i] : NONE,
			.slot_count =
				values[1][i] <= graph->slot_count ? (uint32_t)values[1][i] : NONE,
			.tail = narrow_kind(values[2][i]),
			.tail_kind = narrow_kind(values[3][i]),
		};
}

/* first_row holds the number of rows until place_runs(). */
static void store_runs(struct snap_graph *graph, uint64_t row, size_t count,
		       const uint64_t **values)
{
	for (size_t i = 0; i < count; i++) {
		bool good = values[0][i] >= 1 && values[0][i] <= graph->shape_count &&
			    values[1][i] <= MAX_ROWS;
		graph->runs[row + i] = (struct run){
			.shape = good ? (uint32_t)(values[0][i] - 1) : NONE,
			.first_row = values[1][i],
		};
	}
}

/* Runs from the first that a partial reader lost on are not known: see place_lost(). */
static enum snap_status load_runs(struct snap_graph *graph, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_RUN_SHAPE, SNAP_RUN_ROWS};
	struct stream stream;
	enum snap_status status =
		libsnap_graph_stream_open(&stream, graph, columns, 2, graph->run_count, error);
	while (status == SNAP_OK && stream.position < graph->run_count) {
		const uint64_t *values[STREAM_COLUMNS] = {NULL};
		size_t count;
		bool lost;
		status = libsnap_graph_stream_peek(&stream, graph->run_count - stream.position,
						   &count, values, &lost, error);
		if (status != SNAP_OK)
			break;
		if (lost)
			graph->run_count = (uint32_t)stream.position;
		else
			store_runs(graph, stream.position, count, values);
		stream.position += count;
	}
	libsnap_graph_stream_close(&stream);
	return status;
}

static enum snap_status corrupt(struct snap_error *error, const char *what)
{
	return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET, "%s", what);
}

static enum snap_status place_slots(struct snap_graph *graph, struct snap_error *error)
{
	uint64_t slots = 0;
	for (uint32_t i = 0; i < graph->shape_count; i++) {
		struct shape *shape = &graph->shapes[i];
		if (shape->type == NONE || shape->slot_count > graph->slot_count - slots ||
		    shape->tail > SNAP_TAIL_LABELLED)
			return corrupt(error, "a shape has no such type, slots or tail");
		shape->first_slot = (uint32_t)slots;
		slots += shape->slot_count;
	}
	if (slots != graph->slot_count)
		return corrupt(error, "slots do not add up to those of the shapes");
	return SNAP_OK;
}

/* Objects of which a partial reader lost the run or the tails get a run that refers to nothing, of
 * a shape without type. */
static void place_lost(struct snap_graph *graph)
{
	uint64_t rows = 0, tails = 0;
	uint32_t known = 0;
	for (; known < graph->run_count; known++) {
		const struct run *run = &graph->runs[known];
		if (run->shape == NONE || run->first_row > graph->objects - rows)
			break;
		tails += graph->shapes[run->shape].tail == SNAP_TAIL_NONE ? 0 : run->first_row;
		if (tails > graph->tail_count)
			break;
		rows += run->first_row;
	}
	graph->run_count = known;
	if (rows == graph->objects)
		return;
	graph->shapes[graph->shape_count] = (struct shape){0};
	graph->runs[graph->run_count++] = (struct run){
		.shape = graph->shape_count,
		.first_row = graph->objects - rows,
	};
}

static enum snap_status place_runs(struct snap_graph *graph, struct snap_error *error)
{
	uint64_t rows = 0, tails = 0;
	if (graph->damaged)
		place_lost(graph);
	for (uint32_t i = 0; i < graph->run_count; i++) {
		struct run *run = &graph->runs[i];
		uint64_t count = run->first_row;
		if (run->shape == NONE || count == 0 || count > graph->objects - rows)
			return corrupt(error, "runs do not add up to the objects");
		run->first_row = rows;
		run->first_tail = tails;
		unsigned shift = graph->mark_shift;
		for (uint64_t mark = (rows + (UINT64_C(1) << shift) - 1) >> shift;
		     mark << shift < rows + count; mark++)
			graph->run_marks[mark] = i;
		rows += count;
		if (graph->shapes[run->shape].tail != SNAP_TAIL_NONE)
			tails += count;
	}
	graph->runs[graph->run_count] = (struct run){.first_row = rows, .first_tail = tails};
	if (rows != graph->objects)
		return corrupt(error, "runs do not add up to the objects");
	/* A table without any column: all its values are 0. */
	if (graph->tail_count != tails && graph->tail_count != 0 && !graph->damaged)
		return corrupt(error, "tails are not as many as objects with one");
	graph->tail_count = tails;
	return SNAP_OK;
}

struct placing {
	struct stream tails;
	uint64_t references, labels, tail_sum;
	uint64_t limit;
};

static enum snap_status too_many(struct snap_error *error)
{
	return corrupt(error, "runs and tails need more references than there are");
}

/* The references of a run, and where each of its objects' begin. */
static enum snap_status place_run(struct snap_graph *graph, struct placing *placing,
				  struct run *run, struct snap_error *error)
{
	const struct shape *shape = &graph->shapes[run->shape];
	run->first_reference = placing->references;
	run->first_label = placing->labels;
	uint64_t tail_before = placing->tail_sum;
	if (graph->indexed.is_lazy && shape->tail == SNAP_TAIL_NONE) {
		uint64_t more, rows = run[1].first_row - run->first_row;
		if (libsnap_multiply_overflows(shape->slot_count, rows, &more) ||
		    more > placing->limit - placing->references)
			return too_many(error);
		placing->references += more;
		return SNAP_OK;
	}
	for (uint64_t row = run->first_row; row < run[1].first_row;) {
		const uint64_t *values[STREAM_COLUMNS] = {NULL};
		size_t count = run[1].first_row - row;
		uint64_t tail = placing->tails.position;
		if (shape->tail != SNAP_TAIL_NONE) {
			enum snap_status status = libsnap_graph_stream_take(&placing->tails, count,
									    &count, values, error);
			if (status != SNAP_OK)
				return status;
		}
		for (size_t i = 0; i < count; i++, row++) {
			if (!graph->indexed.is_lazy)
				libsnap_graph_set_start(graph, row, placing->references);
			placing->references += shape->slot_count;
			if (values[0] != NULL) {
				if ((tail + i) % TAILS_PER_MARK == 0)
					libsnap_numbers_set(&graph->tail_marks,
							    (tail + i) / TAILS_PER_MARK,
							    placing->tail_sum);
				if (values[0][i] > placing->limit)
					return corrupt(error,
						       "a tail is longer than all references");
				placing->references += values[0][i];
				placing->tail_sum += values[0][i];
			}
			if (placing->references > placing->limit)
				return too_many(error);
		}
	}
	if (shape->tail == SNAP_TAIL_LABELLED)
		placing->labels += placing->tail_sum - tail_before;
	return SNAP_OK;
}

static enum snap_status place_all(struct snap_graph *graph, struct snap_error *error)
{
	static const uint32_t column[] = {SNAP_TAIL_LENGTH};
	uint64_t rows = snap_reader_row_count(graph->reader, SNAP_REFERENCES);
	uint64_t labels = snap_reader_row_count(graph->reader, SNAP_TAIL_LABELS);
	bool is_known = !graph->damaged && rows != 0;
	uint64_t most = graph->wide ? MAX_ROWS : MAX_COUNT;
	struct placing placing = {.limit = is_known ? rows : most};
	enum snap_status status = libsnap_graph_stream_open(&placing.tails, graph, column, 1,
							    graph->tail_count, error);
	for (uint32_t i = 0; status == SNAP_OK && i < graph->run_count; i++)
		status = place_run(graph, &placing, &graph->runs[i], error);
	libsnap_graph_stream_close(&placing.tails);
	if (status != SNAP_OK)
		return status;
	if (!graph->damaged &&
	    ((placing.references != rows && rows != 0) || placing.labels != labels))
		return corrupt(error,
			       "references or their labels are more than runs and tails need");
	if (!graph->indexed.is_lazy)
		libsnap_graph_set_start(graph, graph->objects, placing.references);
	graph->stored_references = placing.references;
	graph->stored_labels = placing.labels;
	return SNAP_OK;
}

enum snap_status libsnap_graph_place_references(struct snap_graph *graph, struct snap_error *error)
{
	enum snap_status status = take_starts(graph, error);
	return status == SNAP_OK ? place_all(graph, error) : status;
}

enum snap_status libsnap_graph_load_layout(struct snap_graph *graph, struct snap_error *error)
{
	static const uint32_t slots[] = {SNAP_SLOT_KIND, SNAP_SLOT_LABEL};
	static const uint32_t shapes[] = {SNAP_SHAPE_TYPE, SNAP_SHAPE_SLOT_COUNT, SNAP_SHAPE_TAIL,
					  SNAP_SHAPE_TAIL_KIND};
	enum snap_status status = count_tables(graph, error);
	if (status == SNAP_OK)
		status = take_layout(graph, error);
	if (status == SNAP_OK)
		status = load_type_kinds(graph, error);
	if (status == SNAP_OK)
		status = load_table(graph, shapes, 4, graph->shape_count, store_shapes, error);
	if (status == SNAP_OK)
		status = load_table(graph, slots, 2, graph->slot_count, store_slots, error);
	if (status == SNAP_OK)
		status = load_runs(graph, error);
	if (status == SNAP_OK)
		status = place_slots(graph, error);
	if (status == SNAP_OK)
		status = place_runs(graph, error);
	return status == SNAP_OK ? libsnap_graph_place_references(graph, error) : status;
}
