/* A walk over rows of a table, one at a time. */
#include "scan.h"

struct scan scan_begin(struct snap_reader *reader, const uint32_t *columns, size_t column_count,
		       struct snap_error *error)
{
	struct scan s = {.error = error};
	s.status = snap_scan_open(&s.scan, reader, columns, column_count, error);
	return s;
}

bool scan_batch(struct scan *s)
{
	s->at = s->count = 0;
	while (s->status == SNAP_OK && s->count == 0)
		s->status = snap_scan_next(s->scan, &s->first, &s->count, &s->values, s->error);
	return s->status == SNAP_OK;
}

enum snap_status scan_end(struct scan *s, uint64_t *lost)
{
	if (s->scan && lost)
		*lost += snap_scan_lost_rows(s->scan);
	snap_scan_close(s->scan);
	return s->status == SNAP_END ? SNAP_OK : s->status;
}
