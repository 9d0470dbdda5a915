/* Answers about all objects of a type, which the graph finds for the index (FORMAT.md, section
 * 7.5). */
#ifndef LIBSNAP_KEPT_TYPES_H
#define LIBSNAP_KEPT_TYPES_H

#include "snap_graph.h"
#include "writer.h"

/* Writes tables 37 to 39.  After snap_graph_search and snap_graph_dominate, and the last that is
 * asked of the graph: it gives references and the tree of dominators back. */
enum snap_status libsnap_write_types(struct snap_graph *, struct snap_writer *,
				     struct snap_error *error);

/* What stands for labels in tables 38 and 39. */
static inline uint64_t libsnap_pack_label(uint64_t label)
{
	return label == SNAP_GRAPH_ANY_INDEX  ? 0
	       : label == SNAP_GRAPH_ANY_KEY  ? 1
	       : label == SNAP_GRAPH_ANY_NAME ? 2
					      : label + 3;
}
static inline uint64_t libsnap_unpack_label(uint64_t packed)
{
	static const uint64_t any[] = {SNAP_GRAPH_ANY_INDEX, SNAP_GRAPH_ANY_KEY,
				       SNAP_GRAPH_ANY_NAME};
	return packed < 3 ? any[packed] : packed - 3;
}

#endif
