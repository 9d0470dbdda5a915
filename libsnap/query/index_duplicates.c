/* Equal contents, for the index (FORMAT.md, section 7.5). */
#include "index.h"

static uint64_t count_told(struct snap_answer *answer)
{
	uint64_t told = 0;
	for (uint32_t group = 0; group < answer->space.groups.count; group++)
		told += libsnap_group_is_told(answer, group);
	return told;
}

/* Groups come by their first objects. */
static enum snap_status write_groups(struct making *making, struct side *side,
				     struct libsnap_array *first, struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	struct snap_column *contents;
	enum snap_status status =
		snap_column_open(&contents, side->reader, SNAP_OBJECT_CONTENT, error);
	if (status != SNAP_OK)
		return status;
	for (uint32_t group = 0; status == SNAP_OK && group < answer->space.groups.count; group++) {
		uint64_t content, row = libsnap_array_get64(first, group) - 1;
		union measure sum = libsnap_sum_at(answer, 0, group);
		if (!libsnap_group_is_told(answer, group))
			continue;
		status = snap_column_read(contents, row, 1, &content, error);
		if (status == SNAP_OK)
			status = libsnap_table_row(
				&making->duplicates,
				(uint64_t[]){content, snap_graph_type(side->graph, row),
					     sum.exact.bytes, sum.exact.count,
					     libsnap_retained_at(answer, 0, group)});
	}
	snap_column_close(contents);
	return status;
}

static enum snap_status take_duplicates(void *context, struct side *side, struct snap_error *error)
{
	struct making *making = context;
	struct libsnap_array first = {0};
	if (count_told(side->answer) > libsnap_index_most(making))
		return SNAP_OK;
	enum snap_status status = libsnap_index_find_first(side, &first, error);
	if (status == SNAP_OK)
		status = write_groups(making, side, &first, error);
	libsnap_array_end(&first);
	if (status == SNAP_OK)
		status = libsnap_table_row(&making->duplicates,
					   (uint64_t[]){0, 0, 0, 0, side->answer->info.retained});
	return status;
}

enum snap_status libsnap_index_write_duplicates(struct making *making, struct snap_writer *w)
{
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&making->duplicates, w, SNAP_INDEX_DUPLICATES, UINT64_MAX);
	if (snap_reader_row_count(making->reader, SNAP_CONTENTS) > 0)
		status = libsnap_index_ask(making, SNAP_KEY_DUPLICATE, NULL, take_duplicates,
					   &w->problem);
	return libsnap_table_end(&making->duplicates, status);
}
