/* Between the files that merge paths. */
#ifndef LIBSNAP_GRAPH_MERGE_H
#define LIBSNAP_GRAPH_MERGE_H

#include "graph.h"

/* From steps (parents first, each with its own label) to those of *out, where the many names of a
 * dictionary are one step.  Children are not linked, targets not summed up yet. */
enum snap_status libsnap_graph_fold_names(struct snap_graph *, const struct snap_graph_step *steps,
					  size_t count, struct snap_graph_paths *out,
					  struct snap_error *error);

/* Sorts count indexes from 0, kept in order, by comes_first(context, a, b): a heap, so that nothing
 * is allocated and the worst case is no worse. */
void libsnap_graph_sort(uint32_t *order, size_t count,
			bool (*comes_first)(const void *context, uint32_t a, uint32_t b),
			const void *context);

static inline bool libsnap_graph_is_name(uint64_t label)
{
	return label % 4 == 0;
}

/* Indexes are one label, and keys are another. */
static inline uint64_t libsnap_graph_fold_label(uint64_t label)
{
	if (label % 4 == 1)
		return SNAP_GRAPH_ANY_INDEX;
	return label % 4 == 2 ? SNAP_GRAPH_ANY_KEY : label;
}

#endif
