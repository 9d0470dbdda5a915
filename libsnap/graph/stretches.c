/* Stretches of columns that may hold what is looked for, as the index's maps
 * say; all of them without an index (FORMAT.md, sections 7.3 and 7.5). */
#include "graph.h"

#include <string.h>

#define STRETCH   65536u
#define MAP_WORDS 64u
#define MAP_PARTS (MAP_WORDS * 64u)

static enum snap_status read_values(struct snap_graph *graph, uint32_t column, uint64_t first,
				    uint64_t count, uint64_t *values, struct snap_error *error)
{
	struct snap_column *cursor;
	enum snap_status status = snap_column_open(&cursor, graph->reader, column, error);
	if (status != SNAP_OK)
		return status;
	status = snap_column_read(cursor, first, (size_t)count, values, error);
	snap_column_close(cursor);
	return status;
}

static uint64_t stretches(uint64_t rows)
{
	return rows / STRETCH + (rows % STRETCH != 0);
}

/* ---- addresses ---- */

static enum snap_status look_in_span(struct snap_graph *graph, uint64_t span, uint64_t *values,
				     uint64_t address, uint64_t *row, struct snap_error *error)
{
	uint64_t first = span * STRETCH, count = graph->objects - first;
	count = count < STRETCH ? count : STRETCH;
	enum snap_status status =
		read_values(graph, SNAP_OBJECT_ADDRESS, first, count, values, error);
	for (uint64_t i = 0; status == SNAP_OK && i < count; i++)
		if (values[i] == address) {
			*row = first + i;
			return SNAP_OK;
		}
	return status == SNAP_OK ? SNAP_END : status;
}

enum snap_status libsnap_indexed_find_address(struct snap_graph *graph, uint64_t address,
					      uint64_t *row, struct snap_error *error)
{
	uint64_t spans = snap_reader_row_count(graph->reader, SNAP_INDEX_SPANS);
	uint64_t *values = libsnap_graph_take(graph, STRETCH, 8);
	uint64_t *ends = libsnap_graph_take(graph, spans * 2, 8);
	enum snap_status status = SNAP_OK;
	if (values == NULL || ends == NULL)
		status = libsnap_fail_memory(error);
	if (status == SNAP_OK)
		status = read_values(graph, SNAP_INDEX_LOW, 0, spans, ends, error);
	if (status == SNAP_OK)
		status = read_values(graph, SNAP_INDEX_HIGH, 0, spans, ends + spans, error);
	if (status == SNAP_OK) {
		status = SNAP_END;
		for (uint64_t i = 0; status == SNAP_END && i < spans && address != 0; i++)
			if (ends[i] <= address && address <= ends[spans + i])
				status = look_in_span(graph, i, values, address, row, error);
	}
	libsnap_graph_give(graph, values, STRETCH, 8);
	libsnap_graph_give(graph, ends, spans * 2, 8);
	return status;
}

bool libsnap_indexed_has_spans(const struct snap_graph *graph)
{
	return graph->indexed.is_there &&
	       snap_reader_row_count(graph->reader, SNAP_INDEX_SPANS) == stretches(graph->objects);
}

/* ---- maps ---- */

struct finder {
	struct snap_graph *graph;
	uint64_t part_size;
	uint64_t first_map; /* of the column that is searched */
	bool has_maps;
	uint64_t *bits; /* of rows that are looked for */
	uint64_t parts[MAP_WORDS];
	uint64_t *values;
	struct snap_column *maps, *column;
};

static void seek_row(struct finder *finder, uint64_t row)
{
	libsnap_set_bit(finder->bits, row);
	libsnap_set_bit(finder->parts, row / finder->part_size);
}

static void end_finder(struct finder *finder)
{
	struct snap_graph *graph = finder->graph;
	snap_column_close(finder->maps);
	snap_column_close(finder->column);
	libsnap_bits_close(finder->bits, graph);
	libsnap_graph_give(graph, finder->values, STRETCH, 8);
}

/* end_finder in every case. */
static enum snap_status begin_finder(struct finder *finder, struct snap_graph *graph,
				     uint32_t column, struct snap_error *error)
{
	uint64_t references = stretches(snap_reader_row_count(graph->reader, SNAP_REFERENCES));
	uint64_t maps = references + stretches(graph->objects);
	*finder = (struct finder){.graph = graph};
	finder->part_size = (graph->objects + (uint64_t)MAP_PARTS - 1) / MAP_PARTS;
	finder->first_map = column == SNAP_REFERENCE_TARGET ? 0 : references;
	finder->has_maps =
		graph->indexed.is_there &&
		snap_reader_row_count(graph->reader, SNAP_INDEX_MAPS) == maps * MAP_WORDS;
	enum snap_status status = libsnap_graph_reserve(graph, "a search for references",
							graph->objects / 8 + STRETCH * 8ull, error);
	if (status != SNAP_OK)
		return status;
	status = libsnap_bits_open(&finder->bits, graph, error);
	if (status != SNAP_OK)
		return status;
	finder->values = libsnap_graph_take(graph, STRETCH, 8);
	if (finder->values == NULL)
		return libsnap_fail_memory(error);
	status = snap_column_open(&finder->column, graph->reader, column, error);
	if (status == SNAP_OK && finder->has_maps)
		status = snap_column_open(&finder->maps, graph->reader, SNAP_INDEX_MAP, error);
	return status;
}

static enum snap_status is_worth_it(struct finder *finder, uint64_t stretch, bool *worth,
				    struct snap_error *error)
{
	uint64_t map[MAP_WORDS], common = 0;
	*worth = true;
	if (!finder->has_maps)
		return SNAP_OK;
	enum snap_status status = snap_column_read(
		finder->maps, (finder->first_map + stretch) * MAP_WORDS, MAP_WORDS, map, error);
	for (size_t i = 0; status == SNAP_OK && i < MAP_WORDS; i++)
		common |= map[i] & finder->parts[i];
	*worth = common != 0;
	return status;
}

/* ---- references to some rows ---- */

/* Where a reference lies: positions are asked for in ascending order. */
struct place {
	struct finder finder;
	uint32_t run;
	bool in_tail;
	uint64_t tail;       /* row of the table of tails */
	uint64_t begin, end; /* of its elements, among those of the run */
	uint64_t sum;        /* of the tails before the run */
};

static uint64_t end_of_run(const struct snap_graph *graph, uint32_t run)
{
	return run + 1 < graph->run_count ? graph->runs[run + 1].first_reference
					  : graph->stored_references;
}

static enum snap_status sum_before(struct snap_graph *graph, uint64_t tail, uint64_t *sum,
				   struct snap_error *error)
{
	uint64_t mark = tail / TAILS_PER_MARK, length;
	*sum = libsnap_numbers_get(&graph->tail_marks, mark);
	for (uint64_t i = mark * TAILS_PER_MARK; i < tail; i++) {
		enum snap_status status =
			libsnap_graph_value(graph, SNAP_TAIL_LENGTH, i, &length, error);
		if (status != SNAP_OK)
			return status;
		*sum += length;
	}
	return SNAP_OK;
}

/* Moves to the tail with element `offset` of the run: first by marks, then one by one. */
static enum snap_status move_to(struct place *place, const struct run *run, uint64_t offset,
				struct snap_error *error)
{
	struct snap_graph *graph = place->finder.graph;
	uint64_t low = place->tail / TAILS_PER_MARK,
		 high = (run[1].first_tail - 1) / TAILS_PER_MARK;
	while (low < high) {
		uint64_t middle = low + (high - low + 1) / 2;
		if (libsnap_numbers_get(&graph->tail_marks, middle) <= place->sum + offset)
			low = middle;
		else
			high = middle - 1;
	}
	if (low * TAILS_PER_MARK > place->tail) {
		place->tail = low * TAILS_PER_MARK;
		place->begin = place->end =
			libsnap_numbers_get(&graph->tail_marks, low) - place->sum;
	} else {
		place->begin = place->end;
		place->tail++;
	}
	for (;; place->tail++) {
		uint64_t length;
		enum snap_status status =
			libsnap_graph_value(graph, SNAP_TAIL_LENGTH, place->tail, &length, error);
		if (status != SNAP_OK)
			return status;
		place->begin = place->end;
		place->end += length;
		if (offset < place->end)
			return SNAP_OK;
	}
}

static enum snap_status describe_tail(struct place *place, uint64_t offset,
				      struct snap_graph_reference *reference,
				      struct snap_error *error)
{
	struct snap_graph *graph = place->finder.graph;
	const struct run *run = &graph->runs[place->run];
	const struct shape *shape = &graph->shapes[run->shape];
	enum snap_status status = SNAP_OK;
	uint64_t length, kind;
	if (!place->in_tail) {
		place->in_tail = true;
		place->tail = run->first_tail;
		status = sum_before(graph, place->tail, &place->sum, error);
		if (status == SNAP_OK)
			status = libsnap_graph_value(graph, SNAP_TAIL_LENGTH, place->tail, &length,
						     error);
		if (status != SNAP_OK)
			return status;
		place->begin = 0;
		place->end = length;
	}
	if (offset >= place->end)
		status = move_to(place, run, offset, error);
	reference->owner = run->first_row + (place->tail - run->first_tail);
	reference->kind = shape->tail_kind;
	reference->label = SNAP_LABEL_INDEX(offset - place->begin);
	if (status != SNAP_OK || shape->tail != SNAP_TAIL_LABELLED)
		return status;
	uint64_t at = run->first_label + offset;
	status = libsnap_graph_value(graph, SNAP_TAIL_LABEL_KIND, at, &kind, error);
	if (status == SNAP_OK)
		status = libsnap_graph_value(graph, SNAP_TAIL_LABEL, at, &reference->label, error);
	reference->kind = kind < UINT8_MAX ? (uint32_t)kind : UINT8_MAX;
	return status;
}

static enum snap_status describe(struct place *place, uint64_t position,
				 struct snap_graph_reference *reference, struct snap_error *error)
{
	const struct snap_graph *graph = place->finder.graph;
	if (position >= end_of_run(graph, place->run)) {
		uint32_t low = place->run + 1, high = graph->run_count - 1;
		while (low < high) {
			uint32_t middle = low + (high - low) / 2;
			if (position >= end_of_run(graph, middle))
				low = middle + 1;
			else
				high = middle;
		}
		place->run = low;
		place->in_tail = false;
	}
	const struct run *run = &graph->runs[place->run];
	const struct shape *shape = &graph->shapes[run->shape];
	uint64_t rows = run[1].first_row - run->first_row;
	uint64_t offset = position - run->first_reference;
	if (offset >= rows * shape->slot_count)
		return describe_tail(place, offset - rows * shape->slot_count, reference, error);
	uint32_t slot = (uint32_t)(offset / rows);
	reference->owner = run->first_row + offset % rows;
	reference->kind = graph->slot_kinds[shape->first_slot + slot];
	reference->label = graph->slot_labels[shape->first_slot + slot];
	return SNAP_OK;
}

static enum snap_status visit_stretch(struct place *place, uint64_t first, uint64_t count,
				      bool *go_on, snap_graph_visit *visit, void *context,
				      struct snap_error *error)
{
	struct finder *finder = &place->finder;
	enum snap_status status =
		snap_column_read(finder->column, first, (size_t)count, finder->values, error);
	for (uint64_t i = 0; status == SNAP_OK && *go_on && i < count; i++) {
		uint64_t id = finder->values[i];
		if (id == 0 || !libsnap_has_bit(finder->bits, id - 1))
			continue;
		struct snap_graph_reference reference = {.target = id - 1};
		status = describe(place, first + i, &reference, error);
		if (status == SNAP_OK)
			*go_on = visit(context, &reference);
	}
	return status;
}

enum snap_status snap_graph_references_to(struct snap_graph *graph,
					  const struct snap_graph_set *set, snap_graph_visit *visit,
					  void *context, struct snap_error *error)
{
	struct place place = {.run = 0};
	struct finder *finder = &place.finder;
	uint64_t all = snap_reader_row_count(graph->reader, SNAP_REFERENCES);
	bool go_on = true;
	enum snap_status status = begin_finder(finder, graph, SNAP_REFERENCE_TARGET, error);
	for (uint64_t row = snap_graph_set_next(set, 0);
	     status == SNAP_OK && row != SNAP_GRAPH_NONE; row = snap_graph_set_next(set, row + 1))
		seek_row(finder, row);
	for (uint64_t i = 0; status == SNAP_OK && go_on && i < stretches(all); i++) {
		bool worth;
		uint64_t first = i * STRETCH;
		status = is_worth_it(finder, i, &worth, error);
		if (status == SNAP_OK && worth)
			status = visit_stretch(&place, first,
					       all - first < STRETCH ? all - first : STRETCH,
					       &go_on, visit, context, error);
		libsnap_graph_progress(graph, "references", first, all);
	}
	end_finder(finder);
	return status;
}

/* ---- all below some rows in the dominator tree ---- */

struct below {
	struct finder finder;
	uint64_t *found;       /* bits */
	uint64_t *rows, *next; /* of the last level, and of the one below */
	size_t row_capacity, next_capacity, row_count, next_count;
	uint64_t reads;
};

static enum snap_status add_below(struct below *below, uint64_t row, struct snap_error *error)
{
	struct snap_graph *graph = below->finder.graph;
	enum snap_status status = libsnap_graph_grow(
		graph, "what would be freed", (void **)&below->next, &below->next_capacity,
		below->next_count + 1, sizeof(*below->next), error);
	if (status != SNAP_OK)
		return status;
	libsnap_set_bit(below->found, row);
	below->next[below->next_count++] = row;
	return SNAP_OK;
}

static enum snap_status look_below(struct below *below, uint64_t stretch, struct snap_error *error)
{
	struct finder *finder = &below->finder;
	uint64_t first = stretch * STRETCH, count = finder->graph->objects - first;
	count = count < STRETCH ? count : STRETCH;
	enum snap_status status =
		snap_column_read(finder->column, first, (size_t)count, finder->values, error);
	for (uint64_t i = 0; status == SNAP_OK && i < count; i++) {
		uint64_t id = finder->values[i];
		if (id != 0 && libsnap_has_bit(finder->bits, id - 1) &&
		    !libsnap_has_bit(below->found, first + i))
			status = add_below(below, first + i, error);
	}
	return status;
}

static enum snap_status next_level(struct below *below, struct snap_error *error)
{
	struct finder *finder = &below->finder;
	uint64_t all = stretches(finder->graph->objects);
	enum snap_status status = SNAP_OK;
	for (uint64_t i = 0; status == SNAP_OK && i < all; i++) {
		bool worth;
		status = is_worth_it(finder, i, &worth, error);
		if (status == SNAP_OK && worth) {
			status = look_below(below, i, error);
			below->reads++;
		}
	}
	for (size_t i = 0; i < below->row_count; i++)
		finder->bits[below->rows[i] / 64] = 0;
	memset(finder->parts, 0, sizeof(finder->parts));
	uint64_t *rows = below->rows;
	size_t capacity = below->row_capacity;
	below->rows = below->next;
	below->row_capacity = below->next_capacity;
	below->row_count = below->next_count;
	below->next = rows;
	below->next_capacity = capacity;
	below->next_count = 0;
	for (size_t i = 0; i < below->row_count; i++)
		seek_row(finder, below->rows[i]);
	return status;
}

/* Level by level as long as that is less to read than all dominators. */
enum snap_status libsnap_indexed_below(struct snap_graph *graph, struct snap_graph_set *set,
				       struct snap_error *error)
{
	struct below below = {.found = set->bits};
	enum snap_status status = begin_finder(&below.finder, graph, SNAP_INDEX_DOMINATOR, error);
	for (uint64_t row = snap_graph_set_next(set, 0);
	     status == SNAP_OK && row != SNAP_GRAPH_NONE; row = snap_graph_set_next(set, row + 1))
		status = add_below(&below, row, error);
	bool is_dear = false;
	for (bool first = true; status == SNAP_OK && (first || below.row_count > 0) && !is_dear;
	     first = false) {
		status = next_level(&below, error);
		set->count += first ? 0 : below.row_count;
		is_dear = below.reads > stretches(graph->objects);
	}
	is_dear &= below.row_count > 0;
	libsnap_graph_give(graph, below.rows, below.row_capacity, sizeof(*below.rows));
	libsnap_graph_give(graph, below.next, below.next_capacity, sizeof(*below.next));
	end_finder(&below.finder);
	return status == SNAP_OK && is_dear ? SNAP_END : status;
}
