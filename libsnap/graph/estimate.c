/* What questions take, before they are asked. */
#include "graph.h"

/* Of each object: what says where its references begin, dominators (dominators.c) at the worst
 * moment, the search from the roots, and which cycle it is in. */
#define OBJECT_BYTES      (4 + 40 + 8 + 4)
#define FILE_OBJECT_BYTES (4 + 32 + 12 + 8 + 4)
/* Of each reference: where to, and in files as a pair and in a stack of pairs. */
#define FILE_REFERENCE_BYTES (4 + 8 + 8)

void snap_graph_estimate(struct snap_reader *reader, struct snap_graph_estimate *out)
{
	uint64_t objects = snap_reader_row_count(reader, SNAP_OBJECTS);
	uint64_t references = snap_reader_row_count(reader, SNAP_REFERENCES);
	uint64_t layout = snap_reader_row_count(reader, SNAP_RUNS) * sizeof(struct run) +
			  snap_reader_row_count(reader, SNAP_SHAPES) * sizeof(struct shape) +
			  snap_reader_row_count(reader, SNAP_SLOTS) * 9;
	uint64_t roots = snap_reader_row_count(reader, SNAP_ROOTS), most = UINT64_C(1) << 56;
	*out = (struct snap_graph_estimate){UINT64_MAX, UINT64_MAX, UINT64_MAX};
	if (objects > most || references > most || layout > most || roots > most)
		return;
	references += roots;
	uint64_t width = objects > NONE - 2 || references > NONE - 2 ? 2 : 1;
	out->least_bytes = (UINT64_C(1) << 20) + objects + layout * 2;
	out->memory_bytes = out->least_bytes + references * 4 + objects * OBJECT_BYTES;
	out->memory_bytes += out->memory_bytes / 8;
	out->file_bytes = width * (references * FILE_REFERENCE_BYTES + objects * FILE_OBJECT_BYTES);
	if (width > 1)
		out->memory_bytes = UINT64_MAX;
}
