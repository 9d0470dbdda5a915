/* What would be free if some objects were, from the index: what is below them in the tree of
 * dominators, and of several what is below none of them alone. */
#include "graph.h"

#include <string.h>

/* ---- below one ---- */

/* Every row is found to be below or not by the first of its dominators that is known. */
static enum snap_status find_all_below(struct snap_graph_set *below, uint64_t top,
				       struct snap_error *error)
{
	struct snap_graph *graph = below->graph;
	struct snap_graph_set *known;
	enum snap_status status = snap_graph_set_open(&known, graph, error);
	if (status != SNAP_OK)
		return status;
	memset(below->bits, 0, (graph->objects / 64 + 1) * 8);
	below->count = 0;
	snap_graph_set_add(below, top);
	snap_graph_set_add(known, top);
	for (uint64_t row = 0; row < graph->objects; row++) {
		uint64_t at = row;
		while (at != SNAP_GRAPH_NONE && !libsnap_has_bit(known->bits, at)) {
			libsnap_set_bit(known->bits, at);
			at = snap_graph_dominator(graph, at);
		}
		if (at == SNAP_GRAPH_NONE || !libsnap_has_bit(below->bits, at))
			continue;
		for (at = row; at != SNAP_GRAPH_NONE && !libsnap_has_bit(below->bits, at);
		     at = snap_graph_dominator(graph, at))
			snap_graph_set_add(below, at);
	}
	snap_graph_set_close(known);
	return libsnap_graph_check_pages(graph, error);
}

/* ---- below several together ---- */

/* What is below none of them, and yet held by them alone, has a shortest path through what is freed,
 * and is referred to by nothing else that is reached. */
struct together {
	struct snap_graph *graph;
	struct snap_graph_set *freed;       /* what is below, and candidates */
	struct snap_graph_set *candidates;  /* that have such a path */
	struct snap_graph_set *wave, *next; /* whose references are to be looked at */
	uint64_t seen, most_seen;           /* references: more are dearer than a search */
};

static void take_out(struct snap_graph_set *set, uint64_t row)
{
	set->bits[row / 64] &= ~(UINT64_C(1) << row % 64);
	set->count--;
}

static bool take_candidate(void *context, const struct snap_graph_reference *reference)
{
	struct together *together = context;
	uint64_t row = reference->target;
	if (++together->seen > together->most_seen)
		return false;
	if (reference->kind >= SNAP_REF_FIRST_WEAK || snap_graph_set_has(together->freed, row))
		return true;
	uint64_t parent = snap_graph_parent(together->graph, row);
	if (parent == SNAP_GRAPH_NONE || !snap_graph_set_has(together->freed, parent))
		return true;
	snap_graph_set_add(together->freed, row);
	snap_graph_set_add(together->candidates, row);
	snap_graph_set_add(together->next, row);
	return true;
}

static void refuse(struct together *together, uint64_t row)
{
	take_out(together->freed, row);
	take_out(together->candidates, row);
	snap_graph_set_add(together->next, row);
}

static bool refuse_held(void *context, const struct snap_graph_reference *reference)
{
	struct together *together = context;
	if (reference->kind < SNAP_REF_FIRST_WEAK &&
	    snap_graph_set_has(together->candidates, reference->target) &&
	    !snap_graph_set_has(together->freed, reference->owner) &&
	    snap_graph_is_reached(together->graph, reference->owner))
		refuse(together, reference->target);
	return true;
}

static bool refuse_target(void *context, const struct snap_graph_reference *reference)
{
	struct together *together = context;
	if (++together->seen > together->most_seen)
		return false;
	if (reference->kind < SNAP_REF_FIRST_WEAK &&
	    snap_graph_set_has(together->candidates, reference->target))
		refuse(together, reference->target);
	return true;
}

/* Until there are no others; SNAP_END: it takes too long. */
static enum snap_status follow(struct together *together, snap_graph_visit *visit,
			       struct snap_error *error)
{
	const struct snap_graph *graph = together->graph;
	enum snap_status status = SNAP_OK;
	while (status == SNAP_OK && together->next->count > 0) {
		struct snap_graph_set *wave = together->next;
		together->next = together->wave;
		together->wave = wave;
		memset(together->next->bits, 0, (graph->objects / 64 + 1) * 8);
		together->next->count = 0;
		together->seen += graph->objects / 4096;
		status = libsnap_graph_owned_by(together->graph, wave, visit, together, error);
		if (status == SNAP_OK)
			status = libsnap_graph_check_pages(graph, error);
		if (status == SNAP_OK && together->seen > together->most_seen)
			status = SNAP_END;
	}
	return status;
}

static enum snap_status find_together(struct together *together, struct snap_error *error)
{
	struct snap_graph *graph = together->graph;
	struct snap_graph_set **sets[] = {&together->candidates, &together->wave, &together->next};
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; status == SNAP_OK && i < sizeof(sets) / sizeof(sets[0]); i++)
		status = snap_graph_set_open(sets[i], graph, error);
	if (status != SNAP_OK)
		return status;
	memcpy(together->next->bits, together->freed->bits, (graph->objects / 64 + 1) * 8);
	together->next->count = together->freed->count;
	status = follow(together, take_candidate, error);
	if (status == SNAP_OK && together->candidates->count > 0)
		status = snap_graph_references_to(graph, together->candidates, refuse_held,
						  together, error);
	return status == SNAP_OK ? follow(together, refuse_target, error) : status;
}

static enum snap_status free_together(struct snap_graph_set *freed, struct snap_error *error)
{
	struct snap_graph *graph = freed->graph;
	struct together together = {
		.graph = graph, .freed = freed, .most_seen = graph->stored_references / 64 + 4096};
	enum snap_status status = libsnap_indexed_below(graph, freed, error);
	if (status == SNAP_OK && freed->count > together.most_seen)
		status = SNAP_END;
	if (status == SNAP_OK)
		status = find_together(&together, error);
	snap_graph_set_close(together.candidates);
	snap_graph_set_close(together.wave);
	snap_graph_set_close(together.next);
	return status;
}

/* ---- all of it ---- */

struct telling {
	const struct snap_graph_set *freed;
	snap_graph_tell_freed *tell;
	void *context;
};

static void tell_found(void *context, uint64_t row, uint64_t bytes)
{
	const struct telling *telling = context;
	if (libsnap_has_bit(telling->freed->bits, row))
		telling->tell(telling->context, row, bytes);
}

static enum snap_status tell_all(const struct telling *telling, struct snap_error *error)
{
	const struct snap_graph_set *freed = telling->freed;
	struct snap_graph *graph = freed->graph;
	if (freed->count > graph->objects / 64)
		return libsnap_graph_each_size(graph, tell_found, (void *)telling, error);
	for (uint64_t row = snap_graph_set_next(freed, 0); row != SNAP_GRAPH_NONE;
	     row = snap_graph_set_next(freed, row + 1)) {
		uint64_t size, count = 0, bytes;
		bool is_new;
		enum snap_status status = libsnap_graph_kept_value(graph, SNAP_OBJECT_SIZE, row,
								   &size, &is_new, error);
		if (status == SNAP_OK)
			status = libsnap_graph_kept_value(graph, SNAP_OBJECT_COUNT, row, &count,
							  &is_new, error);
		if (status != SNAP_OK)
			return status;
		if (libsnap_multiply_overflows(size, count, &bytes))
			bytes = UINT64_MAX;
		telling->tell(telling->context, row, bytes);
	}
	return SNAP_OK;
}

static enum snap_status find_freed(struct snap_graph_set *freed, const struct snap_graph_set *set,
				   struct snap_error *error)
{
	struct snap_graph *graph = freed->graph;
	for (uint64_t row = snap_graph_set_next(set, 0); row != SNAP_GRAPH_NONE;
	     row = snap_graph_set_next(set, row + 1))
		if (snap_graph_is_reached(graph, row))
			snap_graph_set_add(freed, row);
	uint64_t top = snap_graph_set_next(freed, 0);
	enum snap_status status = libsnap_graph_check_pages(graph, error);
	if (status != SNAP_OK || top == SNAP_GRAPH_NONE)
		return status;
	if (set->count > 1)
		return free_together(freed, error);
	status = libsnap_indexed_below(graph, freed, error);
	if (status != SNAP_END)
		return status;
	status = snap_graph_dominate(graph, error);
	return status == SNAP_OK ? find_all_below(freed, top, error) : status;
}

enum snap_status libsnap_indexed_freed_by(struct snap_graph *graph,
					  const struct snap_graph_set *set,
					  snap_graph_tell_freed *tell, void *context,
					  struct snap_error *error)
{
	struct snap_graph_set *freed;
	bool is_one = set->count == 1;
	/* Of many, and where memory is short, a search is quicker. */
	if (!is_one &&
	    (set->count > graph->objects / 64 + 64 || !libsnap_graph_fits(graph, graph->objects)))
		return SNAP_END;
	enum snap_status status = snap_graph_set_open(&freed, graph, error);
	if (status != SNAP_OK)
		return status;
	status = find_freed(freed, set, error);
	if (status == SNAP_OK)
		status = tell_all(&(struct telling){freed, tell, context}, error);
	snap_graph_set_close(freed);
	return status;
}
