/* The dominators of one row, without those of all others: one search from the roots, which is held
 * up at each row of a shortest path until all that is reached without it is known. */
#include "graph.h"

struct hunt {
	struct snap_graph *graph;
	uint64_t length; /* of the path: the root object has place 0, row length - 1 */
	struct marks path;
	struct numbers rows, places; /* of the path: rows by place, places by rank */
	struct sweeps sweeps;
	uint64_t *seen;      /* of the path, rows that were opened */
	struct numbers gate; /* of a row: how many dominators had been found when it was reached */
	uint64_t reach;      /* places from here on were not reached */
	uint64_t found, done;
	struct numbers dominators; /* places, the nearest to the roots first */
};

static void touch(struct hunt *hunt, uint64_t row)
{
	if (libsnap_has_bit(hunt->path.bits, row)) {
		uint64_t rank = libsnap_marks_rank(&hunt->path, row);
		uint64_t place = libsnap_numbers_get(&hunt->places, rank);
		if (place < hunt->length && place >= hunt->reach)
			hunt->reach = place + 1;
	} else if (!libsnap_has_bit(hunt->seen, row)) {
		libsnap_set_bit(hunt->seen, row);
		libsnap_sweeps_add(&hunt->sweeps, row);
	}
}

static void touch_all(struct hunt *hunt, uint64_t node)
{
	const struct snap_graph *graph = hunt->graph;
	uint64_t end = libsnap_graph_get_start(graph, node + 1);
	for (uint64_t at = libsnap_graph_get_start(graph, node); at < end; at++)
		touch(hunt, libsnap_graph_get_to(graph, at));
}

/* Until nothing is reached any more without passing the path where it is barred. */
static void exhaust(struct hunt *hunt)
{
	const struct snap_graph *graph = hunt->graph;
	uint64_t first, word;
	while (libsnap_sweeps_take(&hunt->sweeps, &first, &word) &&
	       !libsnap_graph_has_failed(graph)) {
		uint64_t told = hunt->done;
		for (; word != 0; word &= word - 1, hunt->done++) {
			uint64_t row = first + (uint64_t)__builtin_ctzll(word);
			libsnap_numbers_set(&hunt->gate, row, hunt->found);
			touch_all(hunt, row);
		}
		if (hunt->done >> 18 != told >> 18)
			libsnap_graph_progress(graph, "dominators", hunt->done, graph->objects);
	}
}

/* The path is opened place by place.  What was passed by is no dominator, and what is barred when
 * nothing else is reached is one. */
static void search_along(struct hunt *hunt)
{
	touch_all(hunt, hunt->graph->objects);
	for (uint64_t place = 0; place + 1 < hunt->length; place++) {
		if (place + 1 >= hunt->reach)
			exhaust(hunt);
		uint64_t row = libsnap_numbers_get(&hunt->rows, place);
		if (libsnap_graph_has_failed(hunt->graph))
			return;
		if (place + 1 == hunt->reach)
			libsnap_numbers_set(&hunt->dominators, hunt->found++, place);
		libsnap_set_bit(hunt->seen, row);
		libsnap_sweeps_add(&hunt->sweeps, row);
	}
	exhaust(hunt);
}

static enum snap_status open_hunt(struct hunt *hunt, uint64_t row, struct snap_error *error)
{
	struct snap_graph *graph = hunt->graph;
	uint64_t length = hunt->length = snap_graph_distance(graph, row) + 1;
	enum snap_status status =
		libsnap_graph_prepare(graph, graph->objects * 5 + length * 12, error);
	if (status == SNAP_OK)
		status = libsnap_marks_open(&hunt->path, graph, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&hunt->seen, graph, error);
	if (status == SNAP_OK)
		status = libsnap_sweeps_open(&hunt->sweeps, graph, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&hunt->rows, graph, length, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&hunt->places, graph, length, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&hunt->dominators, graph, length, false, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&hunt->gate, graph, graph->objects, false, error);
	for (uint64_t place = length; status == SNAP_OK && place-- > 0;) {
		libsnap_numbers_set(&hunt->rows, place, row);
		libsnap_set_bit(hunt->path.bits, row);
		row = libsnap_numbers_get(&graph->parent, row);
		status = libsnap_graph_check_pages(graph, error);
	}
	if (status != SNAP_OK)
		return status;
	libsnap_marks_count(&hunt->path, graph);
	for (uint64_t place = 0; place < length; place++) {
		uint64_t rank =
			libsnap_marks_rank(&hunt->path, libsnap_numbers_get(&hunt->rows, place));
		libsnap_numbers_set(&hunt->places, rank, place);
	}
	return libsnap_graph_check_pages(graph, error);
}

static void close_hunt(struct hunt *hunt)
{
	libsnap_marks_close(&hunt->path, hunt->graph);
	libsnap_bits_close(hunt->seen, hunt->graph);
	libsnap_sweeps_close(&hunt->sweeps, hunt->graph);
	libsnap_numbers_close(&hunt->rows);
	libsnap_numbers_close(&hunt->places);
	libsnap_numbers_close(&hunt->dominators);
	libsnap_numbers_close(&hunt->gate);
}

/* ---- what they retain ---- */

struct sums {
	const struct hunt *hunt;
	struct numbers *bytes; /* by gate; beyond the last, of what only the row leads to */
};

/* The largest number stands for none. */
#define MOST_BYTES (UINT64_MAX - 1)

static uint64_t add_up(uint64_t a, uint64_t b)
{
	uint64_t sum;
	return libsnap_add_overflows(a, b, &sum) || sum > MOST_BYTES ? MOST_BYTES : sum;
}

static void add_size(void *context, uint64_t row, uint64_t bytes)
{
	const struct sums *sums = context;
	const struct hunt *hunt = sums->hunt;
	uint64_t gate = libsnap_numbers_get(&hunt->gate, row);
	if (snap_graph_distance(hunt->graph, row) == SNAP_GRAPH_NONE)
		return;
	if (gate > hunt->found)
		gate = hunt->found + 1;
	libsnap_numbers_set(sums->bytes, gate,
			    add_up(libsnap_numbers_get(sums->bytes, gate), bytes));
}

static uint64_t row_of_dominator(const struct hunt *hunt, uint64_t i)
{
	uint64_t place = libsnap_numbers_get(&hunt->dominators, i);
	uint64_t row = libsnap_numbers_get(&hunt->rows, place < hunt->length ? place : 0);
	return row < hunt->graph->objects ? row : 0; /* it is no row only after a failure */
}

/* From the row to the roots: each retains what the one below it does, and what was reached once it
 * was passed, before that one. */
static void keep_chain(struct hunt *hunt, uint64_t row, const struct numbers *bytes)
{
	struct chain *chain = &hunt->graph->chain;
	uint64_t retained = 0;
	libsnap_set_bit(chain->rows.bits, row);
	for (uint64_t i = 0; i < hunt->found; i++)
		libsnap_set_bit(chain->rows.bits, row_of_dominator(hunt, i));
	libsnap_marks_count(&chain->rows, hunt->graph);
	for (uint64_t i = hunt->found + 1; i-- > 0;) {
		uint64_t rank = libsnap_marks_rank(&chain->rows, row);
		retained = add_up(retained, libsnap_numbers_get(bytes, i + 1));
		libsnap_numbers_set(&chain->retained, rank, retained);
		if (i == 0)
			break;
		row = row_of_dominator(hunt, i - 1);
		libsnap_numbers_set(&chain->dominator, rank, row);
	}
}

static enum snap_status add_sizes(struct hunt *hunt, uint64_t row, struct snap_error *error)
{
	struct snap_graph *graph = hunt->graph;
	struct chain *chain = &graph->chain;
	struct numbers bytes = {.graph = NULL};
	enum snap_status status = libsnap_marks_open(&chain->rows, graph, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&chain->dominator, graph, hunt->found + 1, false,
					      error);
	if (status == SNAP_OK)
		status =
			libsnap_numbers_open(&chain->retained, graph, hunt->found + 1, true, error);
	if (status == SNAP_OK)
		status = libsnap_numbers_open(&bytes, graph, hunt->found + 2, true, error);
	for (uint64_t i = 0; status == SNAP_OK && i < hunt->found + 2; i++)
		libsnap_numbers_set(&bytes, i, 0);
	if (status == SNAP_OK)
		status = libsnap_graph_each_size(graph, add_size, &(struct sums){hunt, &bytes},
						 error);
	if (status == SNAP_OK) {
		chain->row = row;
		chain->stays = hunt->seen;
		hunt->seen = NULL;
		keep_chain(hunt, row, &bytes);
		status = libsnap_graph_check_pages(graph, error);
	}
	libsnap_numbers_close(&bytes);
	return status;
}

void libsnap_graph_free_chain(struct snap_graph *graph)
{
	libsnap_bits_close(graph->chain.stays, graph);
	graph->chain.stays = NULL;
	libsnap_marks_close(&graph->chain.rows, graph);
	libsnap_numbers_close(&graph->chain.dominator);
	libsnap_numbers_close(&graph->chain.retained);
}

bool libsnap_chain_has(const struct snap_graph *graph, uint64_t row)
{
	return graph->chain.rows.bits != NULL && libsnap_has_bit(graph->chain.rows.bits, row);
}

uint64_t libsnap_chain_dominator(const struct snap_graph *graph, uint64_t row)
{
	const struct chain *chain = &graph->chain;
	return libsnap_chain_has(graph, row)
		       ? libsnap_numbers_get(&chain->dominator,
					     libsnap_marks_rank(&chain->rows, row))
		       : SNAP_GRAPH_NONE;
}

uint64_t libsnap_chain_retained(const struct snap_graph *graph, uint64_t row)
{
	const struct chain *chain = &graph->chain;
	if (!libsnap_chain_has(graph, row))
		return 0;
	uint64_t bytes =
		libsnap_numbers_get(&chain->retained, libsnap_marks_rank(&chain->rows, row));
	return bytes < MOST_BYTES ? bytes : UINT64_MAX;
}

enum snap_status snap_graph_dominate_row(struct snap_graph *graph, uint64_t row,
					 struct snap_error *error)
{
	struct hunt hunt = {.graph = graph};
	if (graph->indexed.is_there || libsnap_graph_is_dominated(graph))
		return snap_graph_dominate(graph, error);
	enum snap_status status = libsnap_graph_need_search(graph, error);
	libsnap_graph_free_chain(graph);
	if (status != SNAP_OK || snap_graph_distance(graph, row) == SNAP_GRAPH_NONE)
		return status;
	status = open_hunt(&hunt, row, error);
	if (status == SNAP_OK) {
		search_along(&hunt);
		libsnap_sweeps_close(&hunt.sweeps, graph);
		status = libsnap_graph_check_pages(graph, error);
	}
	if (status == SNAP_OK)
		status = add_sizes(&hunt, row, error);
	close_hunt(&hunt);
	if (status != SNAP_OK)
		libsnap_graph_free_chain(graph);
	return status;
}
