/* libsnap: answers kept in the snapshot, so that they
 * need not be found again (FORMAT.md, section 7.5).
 *
 * snap_graph and snap_query use the index of a snapshot where there is one
 * that was made of it (snap_reader_index), and give the same answers as
 * without.  Contract for memory, threads, safety and errors: snap.h. */
#ifndef SNAP_INDEX_H
#define SNAP_INDEX_H

#include "snap_graph.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Append members only at the end. */
struct snap_index_options {
	size_t struct_size;        /* set by SNAP_INDEX_OPTIONS_INIT */
	uint64_t max_memory_bytes; /* of the graph and what is found; 0: 2 GiB */
	const struct snap_allocator *allocator; /* NULL: malloc */
	const struct snap_io *io;               /* NULL: the system's */
	const char *temporary_folder;           /* NULL: $TMPDIR, else /tmp */
	/* may be NULL */
	void (*progress)(void *context, const char *what, uint64_t done, uint64_t total);
	void *progress_context;
	/* That may run, the caller's among them; 0: 1.  With 2, the graph has a helper
	 * (struct snap_graph_options).  The index is the same. */
	unsigned threads;
};
#define SNAP_INDEX_OPTIONS_INIT { .struct_size = sizeof(struct snap_index_options) }

/* Writes the reader's snapshot anew, block for block, without the index that it may have, and
 * with a new one unless options are NULL.  The writer must be fresh; it is finished and freed
 * in every case, and its own options for what the snapshot holds do not count.  SNAP_MISUSE:
 * the snapshot has no objects or no roots, is sampled, or the reader is partial. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_index_write(struct snap_writer *, struct snap_reader *,
		 const struct snap_index_options *options,
		 struct snap_writer_summary *out, struct snap_error *error);

/* Makes the index of the reader's snapshot anew, and compares.  SNAP_OK: it is the same, but for
 * what may be left out, or there is none.  SNAP_CORRUPT: it is another, which answers otherwise,
 * or was made otherwise, as by another version; or it is of another snapshot. */
SNAP_API SNAP_MUST_USE enum snap_status
snap_index_verify(struct snap_reader *, const struct snap_index_options *options,
		  struct snap_error *error);

#ifdef __cplusplus
}
#endif
#endif
