/* Answers from the index of a snapshot (FORMAT.md, section 7.5): value by
 * value, and from whole columns once it is seen that many are asked for. */
#include "graph.h"

/* What single values may cost before columns are read:
 * a block that must be decoded counts five thousand. */
#define PATIENCE 5000000u
#define MISS     5000u
/* What asks for them: a way along dominators may be short where many distances were asked for. */
enum asker { SEARCH, TREE, CYCLES };

enum snap_status libsnap_indexed_open(struct snap_graph *graph, struct snap_error *error)
{
	struct snap_index_info info;
	bool may_have = !graph->options.ignore_index && !graph->options.follow_weak &&
			!graph->wide && graph->objects > 0;
	if (!may_have || graph->indexed.is_there)
		return SNAP_OK;
	enum snap_status status = snap_reader_index(graph->reader, &info, error);
	if (status == SNAP_OK && info.state == SNAP_INDEX_GOOD)
		graph->indexed.is_there = graph->indexed.is_lazy = true;
	return status;
}

/* ---- single values ---- */

static void fail(struct snap_graph *graph, struct snap_error error)
{
	if (graph->indexed.failed.status == SNAP_OK)
		graph->indexed.failed = error;
}

/* After a failure no row is reached. */
static uint64_t value_of(struct snap_graph *graph, enum asker asker, uint32_t column, uint64_t row)
{
	struct indexed *indexed = &graph->indexed;
	struct snap_error error;
	uint64_t value;
	bool is_new;
	if (indexed->failed.status != SNAP_OK)
		return column == SNAP_INDEX_DOMINATOR ? row + 1 : 0;
	if (libsnap_graph_kept_value(graph, column, row, &value, &is_new, &error) == SNAP_OK) {
		indexed->cost[asker] += is_new ? MISS : 1;
		return value;
	}
	fail(graph, error);
	return column == SNAP_INDEX_DOMINATOR ? row + 1 : 0;
}

static bool is_reached(struct snap_graph *graph, enum asker asker, uint64_t row)
{
	return value_of(graph, asker, SNAP_INDEX_DOMINATOR, row) != row + 1;
}

static uint64_t add_up(uint64_t a, uint64_t b)
{
	uint64_t sum;
	return libsnap_add_overflows(a, b, &sum) ? UINT64_MAX : sum;
}

static bool is_patient(const struct snap_graph *graph, enum asker asker)
{
	return graph->indexed.cost[asker] <= PATIENCE || graph->indexed.failed.status != SNAP_OK;
}

/* ---- columns ---- */

static enum snap_status circle(struct snap_error *error, const char *what)
{
	return libsnap_fail(error, SNAP_CORRUPT, SNAP_NO_OFFSET, "%s of the index go in a circle",
			    what);
}

/* Calls take for all rows of up to two columns. */
static enum snap_status each_row(struct snap_graph *graph, const uint32_t *columns, size_t count,
				 void (*take)(struct snap_graph *, uint64_t row, uint64_t first,
					      uint64_t second),
				 struct snap_error *error)
{
	struct stream stream;
	const uint64_t *values[STREAM_COLUMNS] = {NULL};
	enum snap_status status =
		libsnap_graph_stream_open(&stream, graph, columns, count, graph->objects, error);
	while (status == SNAP_OK && stream.position < stream.rows) {
		uint64_t first = stream.position;
		size_t rows;
		status = libsnap_graph_stream_take(&stream, UINT64_MAX, &rows, values, error);
		for (size_t i = 0; status == SNAP_OK && i < rows; i++)
			take(graph, first + i, values[0][i], values[count - 1][i]);
	}
	libsnap_graph_stream_close(&stream);
	return status == SNAP_OK ? libsnap_graph_check_pages(graph, error) : status;
}

/* Marks rows with the climb that found them: to meet one's own mark is a circle. */
static enum snap_status check_circles(struct snap_graph *graph, const struct numbers *above,
				      struct snap_error *error)
{
	struct numbers marks = {.graph = NULL};
	bool is_good = true;
	enum snap_status status = libsnap_numbers_open(&marks, graph, graph->objects, false, error);
	for (uint64_t row = 0; status == SNAP_OK && is_good && row < graph->objects; row++) {
		uint64_t at = row;
		while (at < graph->objects && libsnap_numbers_get(&marks, at) == SNAP_GRAPH_NONE) {
			libsnap_numbers_set(&marks, at, row);
			uint64_t next = libsnap_numbers_get(above, at);
			if (next == at)
				break; /* what no root reaches */
			at = next;
			if (at < graph->objects && libsnap_numbers_get(&marks, at) == row)
				is_good = false;
		}
	}
	libsnap_numbers_close(&marks);
	if (status == SNAP_OK && !is_good)
		status = circle(error, "dominators");
	return status == SNAP_OK ? libsnap_graph_check_pages(graph, error) : status;
}

static void take_dominator(struct snap_graph *graph, uint64_t row, uint64_t id, uint64_t same)
{
	(void)same;
	libsnap_numbers_set(&graph->indexed.dominator, row, id - 1);
}

static enum snap_status load_dominators(struct snap_graph *graph, struct snap_error *error)
{
	static const uint32_t column[] = {SNAP_INDEX_DOMINATOR};
	struct numbers *dominator = &graph->indexed.dominator;
	enum snap_status status = libsnap_graph_prepare(graph, graph->objects * 8, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(dominator, graph, graph->objects, false, error);
	if (status == SNAP_OK)
		status = each_row(graph, column, 1, take_dominator, error);
	if (status == SNAP_OK)
		status = check_circles(graph, dominator, error);
	if (status != SNAP_OK)
		libsnap_numbers_close(dominator);
	return status;
}

/* Of what no root reaches there is no number, until the sizes are added. */
static void take_held(struct snap_graph *graph, uint64_t row, uint64_t dominator, uint64_t held)
{
	if (dominator != row + 1)
		libsnap_numbers_set(&graph->indexed.retained, row, held);
}

static void add_own(void *context, uint64_t row, uint64_t bytes)
{
	struct snap_graph *graph = context;
	struct numbers *retained = &graph->indexed.retained;
	uint64_t held = libsnap_numbers_get(retained, row), sum = 0;
	if (held != SNAP_GRAPH_NONE)
		sum = add_up(held, bytes);
	/* The largest number stands for none. */
	libsnap_numbers_set(retained, row, sum < UINT64_MAX ? sum : sum - 1);
}

static enum snap_status load_retained(struct snap_graph *graph, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_DOMINATOR, SNAP_INDEX_HELD};
	struct numbers *retained = &graph->indexed.retained;
	enum snap_status status = libsnap_graph_prepare(graph, graph->objects * 8, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(retained, graph, graph->objects, true, error);
	if (status == SNAP_OK)
		status = each_row(graph, columns, 2, take_held, error);
	if (status == SNAP_OK)
		status = libsnap_graph_each_size(graph, add_own, graph, error);
	if (status != SNAP_OK)
		libsnap_numbers_close(retained);
	return status;
}

/* ---- the search ---- */

static void take_parent(struct snap_graph *graph, uint64_t row, uint64_t dominator, uint64_t parent)
{
	bool reached = dominator != row + 1;
	parent = !reached ? 0 : parent != 0 ? parent : dominator;
	libsnap_numbers_set(&graph->parent, row, parent - 1);
	if (reached && parent == 0)
		libsnap_numbers_set(&graph->distance, row, 0);
}

/* Distances follow from parents: up to a row whose distance is known, and down again. */
static bool measure_distances(struct snap_graph *graph)
{
	for (uint64_t row = 0; row < graph->objects; row++) {
		uint64_t steps = 0, at = row, distance, parent = 0;
		while ((distance = libsnap_numbers_get(&graph->distance, at)) == SNAP_GRAPH_NONE &&
		       (parent = libsnap_numbers_get(&graph->parent, at)) != SNAP_GRAPH_NONE &&
		       parent < graph->objects && steps <= graph->objects) {
			at = parent;
			steps++;
		}
		if (steps == 0)
			continue;
		if (steps > graph->objects || distance == SNAP_GRAPH_NONE)
			return false; /* a circle, or nothing reaches the last one */
		for (at = row; steps > 0; steps--) {
			libsnap_numbers_set(&graph->distance, at, distance + steps);
			at = libsnap_numbers_get(&graph->parent, at);
		}
	}
	return true;
}

static enum snap_status load_search(struct snap_graph *graph, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_DOMINATOR, SNAP_INDEX_PARENT};
	struct numbers *distance = &graph->distance, *parent = &graph->parent;
	enum snap_status status = libsnap_graph_prepare(graph, graph->objects * 8, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(distance, graph, graph->objects, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(parent, graph, graph->objects, false, error);
	if (status == SNAP_OK)
		status = each_row(graph, columns, 2, take_parent, error);
	if (status == SNAP_OK && !measure_distances(graph))
		status = circle(error, "parents");
	if (status == SNAP_OK)
		return libsnap_graph_check_pages(graph, error);
	if (distance->read == NULL)
		libsnap_numbers_close(distance);
	if (parent->read == NULL)
		libsnap_numbers_close(parent);
	return status;
}

static void need_search(struct snap_graph *graph)
{
	struct snap_error error;
	if (load_search(graph, &error) == SNAP_OK)
		return;
	fail(graph, error);
	libsnap_indexed_search(graph);
}

static uint64_t read_parent(struct snap_graph *graph, uint64_t row)
{
	if (row >= graph->objects)
		return SNAP_GRAPH_NONE;
	if (!is_patient(graph, SEARCH)) {
		need_search(graph);
		return libsnap_numbers_get(&graph->parent, row);
	}
	uint64_t dominator = value_of(graph, SEARCH, SNAP_INDEX_DOMINATOR, row);
	if (dominator == row + 1)
		return SNAP_GRAPH_NONE;
	uint64_t parent = value_of(graph, SEARCH, SNAP_INDEX_PARENT, row);
	return (parent != 0 ? parent : dominator) - 1;
}

static uint64_t read_distance(struct snap_graph *graph, uint64_t row)
{
	uint64_t steps = 0;
	if (row >= graph->objects || (is_patient(graph, SEARCH) && !is_reached(graph, SEARCH, row)))
		return SNAP_GRAPH_NONE;
	while (is_patient(graph, SEARCH)) {
		uint64_t parent = read_parent(graph, row);
		if (graph->indexed.failed.status != SNAP_OK)
			return SNAP_GRAPH_NONE;
		if (parent == SNAP_GRAPH_NONE)
			return steps;
		row = parent;
		steps++;
	}
	if (graph->distance.read != NULL)
		need_search(graph);
	uint64_t rest = libsnap_numbers_get(&graph->distance, row);
	return rest != SNAP_GRAPH_NONE ? steps + rest : SNAP_GRAPH_NONE;
}

void libsnap_indexed_search(struct snap_graph *graph)
{
	graph->distance =
		(struct numbers){.graph = graph, .count = graph->objects, .read = read_distance};
	graph->parent =
		(struct numbers){.graph = graph, .count = graph->objects, .read = read_parent};
}

/* ---- dominators ---- */

static void need(struct snap_graph *graph, const struct numbers *numbers,
		 enum snap_status (*load)(struct snap_graph *, struct snap_error *))
{
	struct snap_error error;
	if (libsnap_numbers_is_open(numbers) || is_patient(graph, TREE))
		return;
	if (load(graph, &error) != SNAP_OK)
		fail(graph, error);
}

uint64_t libsnap_indexed_dominator(const struct snap_graph *given, uint64_t row)
{
	struct snap_graph *graph = (struct snap_graph *)given;
	const struct numbers *loaded = &graph->indexed.dominator;
	need(graph, loaded, load_dominators);
	uint64_t dominator = libsnap_numbers_is_open(loaded)
				     ? libsnap_numbers_get(loaded, row)
				     : value_of(graph, TREE, SNAP_INDEX_DOMINATOR, row) - 1;
	return dominator != row ? dominator : SNAP_GRAPH_NONE; /* no root reaches its own */
}

bool libsnap_indexed_is_reached(const struct snap_graph *given, uint64_t row)
{
	struct snap_graph *graph = (struct snap_graph *)given;
	const struct numbers *loaded = &graph->indexed.dominator;
	if (libsnap_numbers_is_open(loaded))
		return libsnap_numbers_get(loaded, row) != row;
	return is_patient(graph, SEARCH) ? is_reached(graph, SEARCH, row)
					 : read_distance(graph, row) != SNAP_GRAPH_NONE;
}

uint64_t libsnap_indexed_retained(const struct snap_graph *given, uint64_t row)
{
	struct snap_graph *graph = (struct snap_graph *)given;
	const struct numbers *loaded = &graph->indexed.retained;
	need(graph, loaded, load_retained);
	if (libsnap_numbers_is_open(loaded))
		return libsnap_numbers_get(loaded, row);
	if (!is_reached(graph, TREE, row))
		return 0;
	uint64_t own, size = value_of(graph, TREE, SNAP_OBJECT_SIZE, row);
	if (libsnap_multiply_overflows(size, value_of(graph, TREE, SNAP_OBJECT_COUNT, row), &own))
		own = UINT64_MAX;
	return add_up(own, value_of(graph, TREE, SNAP_INDEX_HELD, row));
}

/* ---- cycles ---- */

static void take_cycle(struct snap_graph *graph, uint64_t row, uint64_t id, uint64_t same)
{
	(void)same;
	libsnap_numbers_set(&graph->cycle, row, id - 1);
}

static enum snap_status load_cycles(struct snap_graph *graph, struct snap_error *error)
{
	static const uint32_t column[] = {SNAP_INDEX_CYCLE};
	enum snap_status status = libsnap_graph_prepare(graph, graph->objects * 4, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&graph->cycle, graph, graph->objects, false, error);
	if (status == SNAP_OK)
		status = each_row(graph, column, 1, take_cycle, error);
	if (status != SNAP_OK && graph->cycle.read == NULL)
		libsnap_numbers_close(&graph->cycle);
	return status;
}

static uint64_t read_cycle(struct snap_graph *graph, uint64_t row)
{
	struct snap_error error;
	if (row >= graph->objects)
		return SNAP_GRAPH_NONE;
	if (!is_patient(graph, CYCLES)) {
		if (load_cycles(graph, &error) == SNAP_OK)
			return libsnap_numbers_get(&graph->cycle, row);
		fail(graph, error);
		libsnap_indexed_find_cycles(graph);
	}
	return value_of(graph, CYCLES, SNAP_INDEX_CYCLE, row) - 1;
}

#define CHUNK 4096u

enum snap_status snap_graph_cycles_of(struct snap_graph *graph, const struct snap_graph_set *set,
				      snap_graph_tell_cycle *tell, void *context,
				      struct snap_error *error)
{
	uint64_t values[CHUNK], last = SNAP_GRAPH_NONE, first = 0, end = 0;
	struct snap_column *column = NULL;
	enum snap_status status = SNAP_OK;
	/* As they lie, and not one by one. */
	bool is_kept = graph->cycle.read != NULL;
	if (is_kept)
		status = snap_column_open(&column, graph->reader, SNAP_INDEX_CYCLE, error);
	for (uint64_t row = snap_graph_set_next(set, 0);
	     status == SNAP_OK && row != SNAP_GRAPH_NONE; row = snap_graph_set_next(set, row + 1)) {
		if (is_kept && row >= end) {
			first = row;
			end = graph->objects - row < CHUNK ? graph->objects : row + CHUNK;
			status = snap_column_read(column, first, (size_t)(end - first), values,
						  error);
			if (status != SNAP_OK)
				break;
		}
		uint64_t cycle =
			is_kept ? values[row - first] - 1 : snap_graph_cycle_of(graph, row);
		if (cycle != SNAP_GRAPH_NONE && cycle != last)
			tell(context, cycle);
		last = cycle;
	}
	snap_column_close(column);
	return status == SNAP_OK ? libsnap_graph_check_pages(graph, error) : status;
}

void libsnap_indexed_find_cycles(struct snap_graph *graph)
{
	graph->indexed.found_cycles = true;
	graph->cycle_count = snap_reader_row_count(graph->reader, SNAP_INDEX_CYCLES);
	graph->cycle =
		(struct numbers){.graph = graph, .count = graph->objects, .read = read_cycle};
}

void libsnap_indexed_cycle(const struct snap_graph *given, uint64_t index,
			   struct snap_graph_cycle *out)
{
	struct snap_graph *graph = (struct snap_graph *)given;
	out->objects = value_of(graph, CYCLES, SNAP_INDEX_CYCLE_OBJECTS, index);
	out->bytes = value_of(graph, CYCLES, SNAP_INDEX_CYCLE_BYTES, index);
	out->first = value_of(graph, CYCLES, SNAP_INDEX_CYCLE_FIRST, index) - 1;
}

bool libsnap_indexed_has_keepers(const struct snap_graph *graph)
{
	return graph->indexed.found_cycles &&
	       snap_reader_has_column(graph->reader, SNAP_INDEX_CYCLE_ENTRIES);
}

void libsnap_indexed_keeper(const struct snap_graph *given, uint64_t cycle,
			    struct snap_graph_keeper *out)
{
	struct snap_graph *graph = (struct snap_graph *)given;
	uint64_t nearest = value_of(graph, CYCLES, SNAP_INDEX_CYCLE_NEAREST, cycle);
	if (nearest == 0)
		nearest = value_of(graph, CYCLES, SNAP_INDEX_CYCLE_FIRST, cycle);
	uint64_t entry = value_of(graph, CYCLES, SNAP_INDEX_CYCLE_ENTRY, cycle);
	*out = (struct snap_graph_keeper){
		.nearest = nearest - 1,
		.entries = value_of(graph, CYCLES, SNAP_INDEX_CYCLE_ENTRIES, cycle),
		.entry = (entry != 0 ? entry : nearest) - 1,
		.holder = value_of(graph, CYCLES, SNAP_INDEX_CYCLE_HOLDER, cycle) - 1,
		.retained = value_of(graph, CYCLES, SNAP_INDEX_CYCLE_RETAINED, cycle)};
	/* Indexes of before do not say it again. */
	if (out->retained == 0 && out->entries == 1)
		out->retained = libsnap_indexed_retained(graph, out->entry);
}

enum snap_status snap_graph_members(struct snap_graph *graph, uint64_t cycle,
				    snap_graph_tell_members *tell, void *context,
				    struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_MEMBER_CYCLE, SNAP_INDEX_MEMBER_TYPE,
					   SNAP_INDEX_MEMBER_COUNT, SNAP_INDEX_MEMBER_FIRST};
	bool found = false;
	if (!graph->indexed.is_there)
		return SNAP_END;
	struct scan scan = scan_begin(graph->reader, columns, 4, error);
	while (scan_next(&scan)) {
		if (scan_value(&scan, 0) != cycle + 1)
			continue;
		found = true;
		tell(context, cycle, scan_value(&scan, 1), scan_value(&scan, 2),
		     scan_value(&scan, 3) - 1);
	}
	enum snap_status status = scan_end(&scan, NULL);
	return status == SNAP_OK && !found ? SNAP_END : status;
}
