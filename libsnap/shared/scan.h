/* A walk over rows of a table: a batch at a time, or one row after the other (snap_scan of snap.h).
 *
 *	struct scan scan = scan_begin(reader, columns, 2, error);
 *	while (scan_next(&scan))
 *		scan.status = add(scan.row, scan_value(&scan, 0), scan_value(&scan, 1));
 *	return scan_end(&scan, NULL);
 *
 * What goes wrong ends the walk: scan_end says so, and has to be called. */
#ifndef SCAN_H
#define SCAN_H

#include "snap.h"

struct scan {
	/* the walk ends where the caller sets it to anything but SNAP_OK */
	enum snap_status status;
	uint64_t row;   /* that scan_next came to */
	uint64_t first; /* row of the batch */
	size_t count;
	const uint64_t *const *values; /* of the batch: values[column][row - first] */
	size_t at;
	struct snap_scan *scan;
	struct snap_error *error;
};

static inline struct scan scan_begin(struct snap_reader *reader, const uint32_t *columns,
				     size_t column_count, struct snap_error *error)
{
	struct scan s = {.error = error};
	s.status = snap_scan_open(&s.scan, reader, columns, column_count, error);
	return s;
}

static inline bool scan_batch(struct scan *s)
{
	s->at = s->count = 0;
	while (s->status == SNAP_OK && s->count == 0)
		s->status = snap_scan_next(s->scan, &s->first, &s->count, &s->values, s->error);
	return s->status == SNAP_OK;
}

static inline bool scan_next(struct scan *s)
{
	if (s->status != SNAP_OK || (++s->at >= s->count && !scan_batch(s)))
		return false;
	s->row = s->first + s->at;
	return true;
}

/* Of that row, in columns[column]. */
static inline uint64_t scan_value(const struct scan *s, size_t column)
{
	return s->values[column][s->at];
}

/* SNAP_OK where all rows were seen, or the caller went no further; rows
 * that a partial reader skipped are added to *lost, unless NULL. */
static inline enum snap_status scan_end(struct scan *s, uint64_t *lost)
{
	if (s->scan && lost)
		*lost += snap_scan_lost_rows(s->scan);
	snap_scan_close(s->scan);
	return s->status == SNAP_END ? SNAP_OK : s->status;
}

#endif
