/* A question while memory ends: at any allocation it fails as it should, and gives all back. */
#ifndef SURVIVES_H
#define SURVIVES_H

#include "faults.h"
#include "snap_query.h"

static inline enum snap_status read_rows(struct snap_answer *answer)
{
	struct snap_answer_info info;
	struct snap_answer_row row;
	snap_answer_info(answer, &info);
	for (uint64_t i = 0; i < info.row_count; i++)
		snap_answer_row(answer, i, &row);
	return snap_answer_check(answer, NULL);
}

/* Whether it does, and says so more than least times: what is made smaller may stay as it is. */
static inline bool survives(struct snap_reader *old, struct snap_reader *reader,
			    struct snap_query_options options, uint64_t least)
{
	uint64_t failed = 0;
	for (uint64_t n = 0;; n++) {
		struct faults f = {.memory_fail_at = n, .io_fail_at = UINT64_MAX};
		const struct snap_allocator allocator = {&f, faulty_resize};
		struct snap_answer *answer = NULL;
		options.allocator = &allocator;
		enum snap_status status = snap_query_compare(&answer, old, reader, &options, NULL);
		if (status == SNAP_OK)
			status = read_rows(answer);
		snap_answer_free(answer);
		if (f.live != 0 || (status != SNAP_OK && status != SNAP_NO_MEMORY))
			return false;
		if (f.memory_calls <= n)
			return status == SNAP_OK && failed > least;
		failed += status == SNAP_NO_MEMORY;
	}
}

#endif
