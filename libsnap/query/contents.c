/* The key duplicate: contents by id (FORMAT.md, section 7.1). */
#include "query.h"

static enum snap_status take_contents(void *context, uint64_t first_row, size_t count,
				      const uint64_t *const *values, struct snap_error *error)
{
	(void)error;
	struct side *side = context;
	for (size_t i = 0; i < count; i++) {
		*(struct content *)libsnap_array_edit(&side->contents, first_row + i + 1) =
			(struct content){.length = values[0][i],
					 .hash = values[1][i],
					 .text = (uint32_t)values[2][i]};
		libsnap_resolver_mark(&side->resolver, values[2][i]);
	}
	return SNAP_OK;
}

/* Hashes with a key of their own mean nothing in another snapshot. */
static enum snap_status check_keys(const struct side *side, struct snap_error *error)
{
	const char *bytes;
	size_t size;
	if (!side->answer->info.compared)
		return SNAP_OK;
	enum snap_status status =
		snap_reader_property(side->reader, "hash_key", &bytes, &size, error);
	if (status == SNAP_OK && size == 7 && !__builtin_memcmp(bytes, "derived", 7))
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "contents cannot be compared: the %s snapshot's hashes have a "
				    "key of their own",
				    side->number ? "new" : "old");
	return status == SNAP_END ? SNAP_OK : status;
}

enum snap_status libsnap_contents_prepare(struct side *side, struct snap_error *error)
{
	struct budget *budget = &side->answer->budget;
	uint64_t rows = snap_reader_row_count(side->reader, SNAP_CONTENTS);
	enum snap_status status = check_keys(side, error);
	if (status == SNAP_OK && rows == 0)
		return libsnap_fail(
			error, SNAP_MISUSE, SNAP_NO_OFFSET,
			"the snapshot has no hashes of contents (those of Python, V8 and Java have them)");
	if (status == SNAP_OK)
		status = libsnap_resolver_begin(&side->resolver, &side->names, error);
	if (status != SNAP_OK)
		return status;
	side->has_resolver = true;
	static const uint32_t columns[] = {SNAP_CONTENT_LENGTH, SNAP_CONTENT_HASH,
					   SNAP_CONTENT_TEXT};
	status = libsnap_budget_array(budget, &side->contents, rows + 1, sizeof(struct content),
				      error);
	if (status == SNAP_OK)
		status = libsnap_query_each_batch(&side->names, columns, 3, take_contents, side,
						  error);
	if (status == SNAP_OK)
		status = libsnap_resolver_load(&side->resolver, error);
	for (uint64_t i = 0; status == SNAP_OK && i < side->contents.count; i++) {
		const struct content *content = libsnap_array_at(&side->contents, i);
		uint32_t text = libsnap_resolver_text(&side->resolver, content->text);
		((struct content *)libsnap_array_edit(&side->contents, i))->text = text;
	}
	return status;
}
