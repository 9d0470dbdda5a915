/* Who holds the objects of some types, what would be free without them, and what dominates them
 * all (types.h). */
#include "types.h"

#include <string.h>

/* ---- holders ---- */

/* References of one kind and label from owners of one type, by the type of their targets. */
struct bundle {
	struct types *types;
	uint32_t owner_type, kind;
	uint64_t label;
	uint64_t count[TYPES_KEPT], first[TYPES_KEPT], exact[TYPES_KEPT];
	uint8_t met[TYPES_KEPT], met_count;
};

static enum snap_status end_bundle(struct bundle *bundle, struct snap_error *error)
{
	struct types *types = bundle->types;
	enum snap_status status = SNAP_OK;
	for (uint8_t i = 0; status == SNAP_OK && i < bundle->met_count; i++) {
		uint8_t place = bundle->met[i];
		uint64_t what = (uint64_t)bundle->owner_type << 16 | bundle->kind;
		struct tally *tally;
		status = libsnap_tally(types->graph, &types->holders,
				       (uint64_t[]){place, what, bundle->label}, &tally, error);
		if (status != SNAP_OK)
			break;
		if (tally->count == 0) {
			tally->first = bundle->first[place];
			tally->exact = bundle->exact[place];
			tally->place = types->holders.count;
		}
		tally->count += bundle->count[place];
		bundle->count[place] = 0;
	}
	bundle->met_count = 0;
	types->too_many |= types->holders.count > libsnap_types_most(types);
	return status;
}

static enum snap_status turn_to(struct bundle *bundle, uint32_t owner_type, uint32_t kind,
				uint64_t label, struct snap_error *error)
{
	if (bundle->owner_type == owner_type && bundle->kind == kind && bundle->label == label)
		return SNAP_OK;
	enum snap_status status = end_bundle(bundle, error);
	bundle->owner_type = owner_type;
	bundle->kind = kind;
	bundle->label = label;
	return status;
}

static void add_reference(struct bundle *bundle, uint64_t target, uint64_t owner, uint64_t label)
{
	uint8_t place = target != 0 ? bundle->types->place_of_row[target - 1] : 0;
	if (place-- == 0)
		return;
	if (bundle->count[place]++ == 0) {
		bundle->met[bundle->met_count++] = place;
		bundle->first[place] = owner;
		bundle->exact[place] = label;
	}
}

static enum snap_status add_labelled(struct bundle *bundle, const struct span *span, uint32_t type,
				     struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; status == SNAP_OK && i < span->count; i++) {
		uint64_t kind = span->kinds[i];
		status = turn_to(bundle, type, kind < UINT8_MAX ? (uint32_t)kind : UINT8_MAX,
				 libsnap_graph_fold_label(span->labels[i]), error);
		add_reference(bundle, span->targets[i], span->row, span->labels[i]);
	}
	return status;
}

static enum snap_status add_span(struct bundle *bundle, const struct span *span,
				 struct snap_error *error)
{
	uint32_t type = libsnap_graph_shape(bundle->types->graph, span->row)->type;
	if (span->is_tail && span->labels != NULL)
		return add_labelled(bundle, span, type, error);
	uint64_t label =
		span->is_tail ? SNAP_GRAPH_ANY_INDEX : libsnap_graph_fold_label(span->label);
	enum snap_status status = turn_to(bundle, type, span->kind, label, error);
	for (size_t i = 0; i < span->count; i++)
		add_reference(bundle, span->targets[i], span->is_tail ? span->row : span->row + i,
			      span->is_tail ? SNAP_LABEL_INDEX(span->index + i) : span->label);
	return status;
}

enum snap_status libsnap_types_find_holders(struct types *types, struct snap_error *error)
{
	struct bundle bundle = {.types = types, .label = UINT64_MAX};
	struct walk walk;
	struct span span;
	enum snap_status status = libsnap_graph_walk_open(&walk, types->graph, error);
	while (status == SNAP_OK && !types->too_many &&
	       (status = libsnap_graph_walk_next(&walk, &span, error)) == SNAP_OK)
		status = add_span(&bundle, &span, error);
	libsnap_graph_walk_close(&walk);
	if (status == SNAP_OK || status == SNAP_END)
		status = end_bundle(&bundle, error);
	libsnap_tallies_sort(&types->holders);
	return status;
}

/* ---- what would be free ---- */

/* Types through whose objects all ways to a row go: of each way what it goes through, and of all
 * ways what is common to them.  Mostly what comes first, in order, is known before; what loses a
 * type after it has told others is looked at again. */
struct passing {
	struct types *types;
	struct sweeps again;
};

static bool comes_after(const struct snap_graph *graph, uint64_t a, uint64_t b)
{
	uint64_t of_a = libsnap_numbers_get(&graph->distance, a);
	uint64_t of_b = libsnap_numbers_get(&graph->distance, b);
	return of_a != of_b ? of_a > of_b : a > b;
}

/* Of node, which is behind all objects for the roots. */
static void tell_successors(struct passing *passing, uint64_t node, uint64_t mask, bool in_order)
{
	struct types *types = passing->types;
	const struct snap_graph *graph = types->graph;
	uint64_t end = libsnap_graph_get_start(graph, node + 1);
	for (uint64_t at = libsnap_graph_get_start(graph, node); at < end; at++) {
		uint64_t row = libsnap_graph_get_to(graph, at);
		uint64_t before = libsnap_numbers_get(&types->masks, row);
		uint64_t after = before & (mask | libsnap_types_own(types, row));
		if (after == before)
			continue;
		libsnap_numbers_set(&types->masks, row, after);
		if (!in_order || !comes_after(graph, row, node))
			libsnap_sweeps_add(&passing->again, row);
	}
}

static void tell_in_order(struct passing *passing)
{
	struct types *types = passing->types;
	const struct snap_graph *graph = types->graph;
	const uint64_t all = (UINT64_C(1) << types->count) - 1;
	uint64_t first, word;
	for (uint64_t i = 0; i < types->merge.count; i++)
		libsnap_numbers_set(&types->masks, libsnap_numbers_get(&types->merge.order, i),
				    all);
	uint64_t end = libsnap_graph_get_start(graph, graph->objects + 1);
	for (uint64_t at = libsnap_graph_get_start(graph, graph->objects); at < end; at++) {
		uint64_t row = libsnap_graph_get_to(graph, at);
		libsnap_numbers_set(&types->masks, row, libsnap_types_own(types, row));
	}
	for (uint64_t i = 0; i < types->merge.count && !libsnap_graph_has_failed(graph); i++) {
		uint64_t row = libsnap_numbers_get(&types->merge.order, i);
		tell_successors(passing, row, libsnap_numbers_get(&types->masks, row), true);
	}
	while (!libsnap_graph_has_failed(graph) &&
	       libsnap_sweeps_take(&passing->again, &first, &word))
		for (; word != 0; word &= word - 1) {
			uint64_t row = first + (uint64_t)__builtin_ctzll(word);
			tell_successors(passing, row, libsnap_numbers_get(&types->masks, row),
					false);
		}
}

static enum snap_status mask_freed(struct types *types, struct snap_error *error)
{
	struct snap_graph *graph = types->graph;
	struct passing passing = {.types = types};
	enum snap_status status = libsnap_sweeps_open(&passing.again, graph, error);
	if (status == SNAP_OK)
		tell_in_order(&passing);
	libsnap_sweeps_close(&passing.again, graph);
	return status == SNAP_OK ? libsnap_graph_check_pages(graph, error) : status;
}

struct freeing {
	struct types *types;
	struct tally *last; /* that was added to: of neighbours it is often the same */
	enum snap_status status;
	struct snap_error *error;
};

static void add_freed(void *context, uint64_t row, uint64_t bytes)
{
	struct freeing *freeing = context;
	struct types *types = freeing->types;
	uint64_t mask = libsnap_types_mask(types, row);
	if (mask == 0 || types->too_many || freeing->status != SNAP_OK)
		return;
	const uint64_t key[3] = {mask, snap_graph_type(types->graph, row), 0};
	struct tally *tally = freeing->last;
	if (tally == NULL || tally->key[0] != key[0] || tally->key[1] != key[1])
		freeing->status =
			libsnap_tally(types->graph, &types->freed, key, &tally, freeing->error);
	if (freeing->status != SNAP_OK)
		return;
	freeing->last = tally;
	if (tally->count++ == 0)
		tally->first = tally->place = row;
	types->too_many |= libsnap_add_overflows(tally->bytes, bytes, &tally->bytes) ||
			   types->freed.count > libsnap_types_most(types);
}

enum snap_status libsnap_types_find_freed(struct types *types, struct snap_error *error)
{
	struct freeing freeing = {.types = types, .error = error};
	enum snap_status status = mask_freed(types, error);
	if (status == SNAP_OK)
		status = libsnap_graph_each_size(types->graph, add_freed, &freeing, error);
	return status == SNAP_OK ? freeing.status : status;
}

/* ---- what dominates all ---- */

/* Rows that dominate the first object, from the closest on, and those passed on the way to one. */
struct climbing {
	const struct snap_graph *graph;
	uint64_t *passed, *chain; /* bits */
	uint64_t closest;         /* of the chain, that dominates all so far */
};

static void begin_chain(struct climbing *climbing, uint64_t row)
{
	size_t words = (size_t)(climbing->graph->objects / 64 + 1);
	memset(climbing->passed, 0, words * 8);
	memset(climbing->chain, 0, words * 8);
	climbing->closest = row;
	for (; row != SNAP_GRAPH_NONE; row = snap_graph_dominator(climbing->graph, row)) {
		libsnap_set_bit(climbing->passed, row);
		libsnap_set_bit(climbing->chain, row);
	}
}

/* Where it meets the chain above the closest one, that is the closest from now on. */
static void climb(struct climbing *climbing, uint64_t row)
{
	const struct snap_graph *graph = climbing->graph;
	while (row != SNAP_GRAPH_NONE && !libsnap_has_bit(climbing->passed, row)) {
		libsnap_set_bit(climbing->passed, row);
		row = snap_graph_dominator(graph, row);
	}
	if (row == SNAP_GRAPH_NONE)
		climbing->closest = row;
	else if (!libsnap_has_bit(climbing->chain, row))
		return;
	while (climbing->closest != row) {
		climbing->chain[climbing->closest / 64] &= ~(UINT64_C(1) << climbing->closest % 64);
		climbing->closest = snap_graph_dominator(graph, climbing->closest);
	}
}

static uint64_t common_dominator(struct types *types, struct climbing *climbing, uint32_t place)
{
	const struct snap_graph *graph = types->graph;
	bool is_first = true;
	climbing->closest = SNAP_GRAPH_NONE;
	for (uint32_t run = 0; run < graph->run_count; run++) {
		if (types->place_of_type[graph->shapes[graph->runs[run].shape].type] != place + 1)
			continue;
		for (uint64_t row = graph->runs[run].first_row;
		     row < graph->runs[run + 1].first_row; row++) {
			if (libsnap_graph_has_failed(graph))
				return SNAP_GRAPH_NONE;
			if (!snap_graph_is_reached(graph, row)) {
				types->kept[place].unreached++;
				continue;
			}
			uint64_t dominator = snap_graph_dominator(graph, row);
			if (is_first)
				begin_chain(climbing, dominator);
			else if (climbing->closest != SNAP_GRAPH_NONE)
				climb(climbing, dominator);
			is_first = false;
		}
	}
	return climbing->closest;
}

enum snap_status libsnap_types_find_dominators(struct types *types, struct snap_error *error)
{
	struct climbing climbing = {.graph = types->graph};
	enum snap_status status = libsnap_bits_open(&climbing.passed, types->graph, error);
	if (status == SNAP_OK)
		status = libsnap_bits_open(&climbing.chain, types->graph, error);
	for (uint32_t i = 0; status == SNAP_OK && i < types->count; i++)
		types->kept[i].dominator = common_dominator(types, &climbing, i);
	libsnap_bits_close(climbing.passed, types->graph);
	libsnap_bits_close(climbing.chain, types->graph);
	return status == SNAP_OK ? libsnap_graph_check_pages(types->graph, error) : status;
}
