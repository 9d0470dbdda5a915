/* A walk over rows of a table, one at a time (snap_scan of snap.h). */
#ifndef SCAN_H
#define SCAN_H

#include "snap.h"

struct scan {
	uint64_t row; /* the one that scan_next came to */
	struct snap_scan *scan;
	struct snap_error *error;
	enum snap_status status;
	uint64_t first;
	size_t at, count;
	const uint64_t *const *values;
};

/* What goes wrong ends the walk: scan_end says so, and has to be called. */
struct scan scan_begin(struct snap_reader *, const uint32_t *columns, size_t column_count,
		       struct snap_error *);
bool scan_batch(struct scan *);
/* SNAP_OK where all rows were seen, or the walk was left early; rows
 * that a partial reader skipped are added to *lost, unless NULL. */
enum snap_status scan_end(struct scan *, uint64_t *lost);

static inline bool scan_next(struct scan *s)
{
	if (++s->at >= s->count && !scan_batch(s))
		return false;
	s->row = s->first + s->at;
	return true;
}

/* Of that row, in columns[column]. */
static inline uint64_t scan_value(const struct scan *s, size_t column)
{
	return s->values[column][s->at];
}

#endif
