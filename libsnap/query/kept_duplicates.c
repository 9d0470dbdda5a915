/* The key duplicate, from the index of a snapshot (FORMAT.md, section 7.5). */
#include "query.h"

struct duplicate {
	uint64_t content, type, bytes, count, retained;
	uint64_t length, hash, text;
};

struct listing {
	struct side *side;
	struct libsnap_array items;
	uint64_t retained; /* by all of them */
	uint64_t sum;      /* of what those that are kept retain */
};

/* ---- whether they add up ---- */

/* One that another kind dominates would count twice: if no one does in all, none does in some. */
enum snap_status libsnap_kept_add_up_duplicates(struct side *side, bool *out,
						struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_DUPLICATE_CONTENT,
					   SNAP_INDEX_DUPLICATE_RETAINED};
	uint64_t all = 0, sum = 0;
	bool fits = true;
	struct scan scan = scan_begin(side->reader, columns, 2, error);
	while (scan_next(&scan)) {
		if (scan_value(&scan, 0) == 0)
			all = scan_value(&scan, 1);
		else
			fits &= !libsnap_add_overflows(sum, scan_value(&scan, 1), &sum);
	}
	*out = !side->options->retained || (fits && all == sum);
	return scan_end(&scan, NULL);
}

/* ---- what there is ---- */

static enum snap_status note_classes(void *context, uint64_t first, size_t count,
				     const uint64_t *const *values, struct snap_error *error)
{
	(void)error;
	struct side *side = context;
	for (size_t i = 0; i < count; i++) {
		const struct query_row row = {.type = values[0][i]};
		if (first + i >= side->kept.first_class &&
		    first + i - side->kept.first_class < side->kept.class_count &&
		    (values[1][i] != 0 || values[2][i] != 0))
			libsnap_side_note(side, &row);
	}
	return SNAP_OK;
}

static enum snap_status note_objects(struct side *side, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_CLASS_TYPE, SNAP_INDEX_CLASS_BYTES,
					   SNAP_INDEX_CLASS_COUNT};
	if (side->options->pattern_count == 0)
		return SNAP_OK;
	return libsnap_query_each_batch(&side->names, columns, 3, note_classes, side, error);
}

static enum snap_status take_items(void *context, uint64_t first, size_t count,
				   const uint64_t *const *values, struct snap_error *error)
{
	struct listing *listing = context;
	struct side *side = listing->side;
	(void)first;
	for (size_t i = 0; i < count; i++) {
		const struct duplicate item = {.content = values[0][i],
					       .type = values[1][i],
					       .bytes = values[2][i],
					       .count = values[3][i],
					       .retained = values[4][i]};
		const struct query_row row = {.type = item.type};
		if (item.content == 0)
			listing->retained = item.retained;
		else if (item.count < 2)
			return libsnap_wrong_index(error);
		else if (!libsnap_side_keeps(side, &row))
			continue;
		else if (libsnap_add_overflows(listing->sum, item.retained, &listing->sum))
			return libsnap_too_much(error);
		else if (!libsnap_array_add(&listing->items, &item))
			return libsnap_budget_fail(&side->answer->budget, error);
	}
	return SNAP_OK;
}

static enum snap_status read_contents(struct listing *listing, uint32_t id, size_t offset,
				      struct snap_error *error)
{
	struct side *side = listing->side;
	struct snap_column *column;
	enum snap_status status = snap_column_open(&column, side->reader, id, error);
	if (status != SNAP_OK)
		return status;
	for (uint64_t i = 0; status == SNAP_OK && i < listing->items.count; i++) {
		struct duplicate *item = libsnap_array_edit(&listing->items, i);
		uint64_t *value = (uint64_t *)(void *)((char *)item + offset);
		status = snap_column_read(column, item->content - 1, 1, value, error);
	}
	snap_column_close(column);
	return status;
}

static enum snap_status read_texts(struct listing *listing, struct snap_error *error)
{
	struct side *side = listing->side;
	enum snap_status status = libsnap_resolver_begin(&side->resolver, &side->names, error);
	if (status != SNAP_OK)
		return status;
	side->has_resolver = true;
	for (uint64_t i = 0; i < listing->items.count; i++) {
		const struct duplicate *item = libsnap_array_at(&listing->items, i);
		libsnap_resolver_mark(&side->resolver, item->text);
	}
	return libsnap_resolver_load(&side->resolver, error);
}

static enum snap_status add_item(struct side *side, const struct duplicate *item,
				 struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	struct libsnap_array *sums = &answer->retained[side->number];
	struct type_name type = libsnap_type_at(&side->names, item->type);
	const struct tuple key = {{type.name, type.kind, item->length, item->hash,
				   libsnap_resolver_text(&side->resolver, item->text)}};
	uint32_t group;
	enum snap_status status =
		libsnap_space_intern(&answer->space, &answer->space.groups, &key, &group, error);
	if (status == SNAP_OK)
		status = libsnap_side_count(side, group, item->bytes, item->count, error);
	if (status != SNAP_OK || !side->options->retained)
		return status;
	if (!libsnap_array_reach(sums, answer->space.groups.count))
		return libsnap_budget_fail(&answer->budget, error);
	libsnap_array_set64(sums, group, item->retained);
	return SNAP_OK;
}

static enum snap_status add_items(struct listing *listing, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_DUPLICATE_CONTENT, SNAP_INDEX_DUPLICATE_TYPE,
					   SNAP_INDEX_DUPLICATE_BYTES, SNAP_INDEX_DUPLICATE_COUNT,
					   SNAP_INDEX_DUPLICATE_RETAINED};
	struct side *side = listing->side;
	enum snap_status status =
		libsnap_query_each_batch(&side->names, columns, 5, take_items, listing, error);
	if (status == SNAP_OK)
		status = read_contents(listing, SNAP_CONTENT_LENGTH,
				       offsetof(struct duplicate, length), error);
	if (status == SNAP_OK)
		status = read_contents(listing, SNAP_CONTENT_HASH, offsetof(struct duplicate, hash),
				       error);
	if (status == SNAP_OK)
		status = read_contents(listing, SNAP_CONTENT_TEXT, offsetof(struct duplicate, text),
				       error);
	if (status == SNAP_OK)
		status = read_texts(listing, error);
	for (uint64_t i = 0; status == SNAP_OK && i < listing->items.count; i++) {
		const struct duplicate item =
			*(const struct duplicate *)libsnap_array_at(&listing->items, i);
		status = add_item(side, &item, error);
	}
	return status;
}

enum snap_status libsnap_kept_add_duplicates(struct side *side, struct snap_error *error)
{
	struct snap_answer *answer = side->answer;
	struct budget *budget = &answer->budget;
	struct listing listing = {.side = side};
	enum snap_status status =
		libsnap_budget_array(budget, &listing.items, 0, sizeof(struct duplicate), error);
	if (status == SNAP_OK && side->options->retained)
		status = libsnap_budget_array(budget, &answer->retained[side->number], 0,
					      sizeof(uint64_t), error);
	if (status == SNAP_OK)
		status = note_objects(side, error);
	if (status == SNAP_OK)
		status = add_items(&listing, error);
	if (status == SNAP_OK && side->options->retained)
		answer->info.retained =
			side->options->pattern_count ? listing.sum : listing.retained;
	libsnap_array_end(&listing.items);
	return status;
}
