/* What groups retain, and the objects at the top of the dominator tree, for the index. */
#include "index.h"

static const enum snap_key kept_keys[] = {
	SNAP_KEY_TYPE, SNAP_KEY_SHAPE, SNAP_KEY_LINENO, SNAP_KEY_FILENAME, SNAP_KEY_FUNCTION,
	SNAP_KEY_TRACEBACK, SNAP_KEY_MODULE, SNAP_KEY_THREAD, SNAP_KEY_DOMAIN, SNAP_KEY_SIZE,
	SNAP_KEY_GENERATION,
};

#define NUMBERS_KEPT 1024u

static enum snap_status ask(struct making *making, enum snap_key key, libsnap_harvest *harvest,
			    struct snap_error *error)
{
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	options.key = key;
	options.retained = true;
	options.allocator = making->options->allocator;
	options.io = making->options->io;
	options.temporary_folder = making->options->temporary_folder;
	options.max_memory_bytes = making->options->max_memory_bytes;
	return libsnap_query_side(making->reader, making->graph, &options, harvest, making, error);
}

/* ---- owners ---- */

static bool retains_more(const struct making *making, uint32_t a, uint32_t b)
{
	uint64_t left = snap_graph_retained(making->graph, a),
		 right = snap_graph_retained(making->graph, b);
	return left != right ? left > right : a < b;
}

/* The least of those kept comes first, until all were seen. */
static void sink_owner(struct making *making, size_t at, size_t count)
{
	uint32_t *rows = making->owners;
	for (size_t child; (child = 2 * at + 1) < count; at = child) {
		if (child + 1 < count && retains_more(making, rows[child], rows[child + 1]))
			child++;
		if (!retains_more(making, rows[at], rows[child]))
			return;
		uint32_t row = rows[at];
		rows[at] = rows[child];
		rows[child] = row;
	}
}

static void offer_owner(struct making *making, uint32_t row)
{
	uint32_t *rows = making->owners;
	if (making->owner_count < OWNERS_KEPT) {
		size_t at = making->owner_count++;
		for (rows[at] = row; at > 0 && retains_more(making, rows[(at - 1) / 2], rows[at]);
		     at = (at - 1) / 2) {
			rows[at] = rows[(at - 1) / 2];
			rows[(at - 1) / 2] = row;
		}
	} else if (retains_more(making, row, rows[0])) {
		rows[0] = row;
		sink_owner(making, 0, OWNERS_KEPT);
	}
}

static enum snap_status take_owners(void *context, struct side *side, struct snap_error *error)
{
	(void)error;
	struct making *making = context;
	making->facts[SNAP_FACT_OWNERS] = side->answer->space.groups.count;
	making->facts[SNAP_FACT_OWNER_RETAINED] = side->answer->info.retained;
	for (uint32_t group = 0; group < side->answer->space.groups.count; group++) {
		union measure sum = libsnap_sum_at(side->answer, 0, group);
		making->facts[SNAP_FACT_OWNER_BYTES] += sum.exact.bytes;
		making->facts[SNAP_FACT_OWNER_COUNT] += sum.exact.count;
	}
	for (uint64_t row = 0; row < side->object_count; row++) {
		if (snap_graph_retained(making->graph, row) > 0 && libsnap_side_bit(side, row))
			offer_owner(making, (uint32_t)row);
	}
	for (size_t end = making->owner_count; end-- > 1;) {
		uint32_t row = making->owners[0];
		making->owners[0] = making->owners[end];
		making->owners[end] = row;
		sink_owner(making, 0, end);
	}
	return SNAP_OK;
}

static enum snap_status add_reached(struct making *making, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT};
	uint64_t *sum = &making->facts[SNAP_FACT_REACHED_BYTES];
	struct snap_scan *scan = NULL;
	enum snap_status status = snap_scan_open(&scan, making->reader, columns, 2, error);
	while (status == SNAP_OK) {
		uint64_t first, bytes;
		size_t count;
		const uint64_t *const *values;
		status = snap_scan_next(scan, &first, &count, &values, error);
		for (size_t i = 0; status == SNAP_OK && i < count; i++) {
			if (snap_graph_distance(making->graph, first + i) == SNAP_GRAPH_NONE)
				continue;
			making->facts[SNAP_FACT_REACHED_OBJECTS]++;
			if (libsnap_multiply_overflows(values[0][i], values[1][i], &bytes) ||
			    libsnap_add_overflows(*sum, bytes, sum) || *sum > SUM_MAX)
				status = libsnap_too_much(error);
		}
	}
	snap_scan_close(scan);
	return status == SNAP_END ? SNAP_OK : status;
}

enum snap_status libsnap_index_find_owners(struct making *making, struct snap_error *error)
{
	making->owners =
		libsnap_alloc(making->options->allocator, OWNERS_KEPT, sizeof(*making->owners));
	if (!making->owners)
		return libsnap_fail_memory(error);
	enum snap_status status = add_reached(making, error);
	if (status == SNAP_OK)
		status = ask(making, SNAP_KEY_DOMINATOR, take_owners, error);
	return status;
}

/* ---- groups ---- */

/* A group is named by the lowest id that is in it; where the key has no ids, by its number. */
static enum snap_status take_group(struct making *making, struct side *side, uint64_t id,
				   uint32_t group)
{
	return libsnap_table_row(&making->groups,
				 (uint64_t[]){side->options->key, id,
					      libsnap_retained_at(side->answer, 0, group)});
}

static enum snap_status take_by_id(struct making *making, struct side *side,
				   struct snap_error *error)
{
	const struct snap_allocator *memory = &side->answer->budget.allocator;
	size_t groups = side->answer->space.groups.count;
	bool *told = libsnap_alloc_zeroed(memory, groups, sizeof(*told));
	if (!told)
		return libsnap_budget_fail(&side->answer->budget, error);
	enum snap_status status = SNAP_OK;
	for (uint64_t id = 0; status == SNAP_OK && id < side->group_of.count; id++) {
		uint32_t group = libsnap_array_get32(&side->group_of, id);
		if (group == 0 || told[group - 1])
			continue;
		told[group - 1] = true;
		status = take_group(making, side, id, group - 1);
	}
	libsnap_free(memory, told, groups, sizeof(*told));
	return status;
}

static enum snap_status take_by_number(struct making *making, struct side *side)
{
	struct space *space = &side->answer->space;
	uint64_t done = 0, next = 0;
	/* The lowest that is left, again and again: of many, none is kept. */
	if (space->groups.count > NUMBERS_KEPT)
		return SNAP_OK;
	for (uint32_t left = space->groups.count; left > 0; left--) {
		uint32_t lowest = 0;
		next = UINT64_MAX;
		for (uint32_t group = 0; group < space->groups.count; group++) {
			uint64_t number = libsnap_tuple_at(&space->groups, group).part[0];
			if (number >= done && number <= next) {
				next = number;
				lowest = group;
			}
		}
		enum snap_status status = take_group(making, side, next, lowest);
		if (status != SNAP_OK || next == UINT64_MAX)
			return status;
		done = next + 1;
	}
	return SNAP_OK;
}

static enum snap_status take_groups(void *context, struct side *side, struct snap_error *error)
{
	return side->group_of.count ? take_by_id(context, side, error)
				    : take_by_number(context, side);
}

/* Those in which an object has a value at all: a question about others is refused. */
static enum snap_status find_dimensions(struct making *making, uint64_t *dimensions,
					struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_TOTAL_DIMENSION, SNAP_TOTAL_KEY, SNAP_TOTAL_BYTES,
					   SNAP_TOTAL_COUNT};
	struct snap_scan *scan = NULL;
	enum snap_status status = snap_scan_open(&scan, making->reader, columns, 4, error);
	while (status == SNAP_OK) {
		uint64_t first;
		size_t count;
		const uint64_t *const *values;
		status = snap_scan_next(scan, &first, &count, &values, error);
		for (size_t i = 0; status == SNAP_OK && i < count; i++) {
			bool is_used = values[1][i] != 0 && (values[2][i] != 0 || values[3][i] != 0);
			if (is_used && values[0][i] < 32)
				*dimensions |= DIMENSION(values[0][i]);
		}
	}
	snap_scan_close(scan);
	return status == SNAP_END ? SNAP_OK : status;
}

enum snap_status libsnap_index_write_groups(struct making *making, struct snap_writer *w)
{
	uint64_t dimensions = 0;
	enum snap_status status = find_dimensions(making, &dimensions, &w->problem);
	libsnap_table_begin(&making->groups, w, SNAP_INDEX_GROUPS, UINT64_MAX);
	for (size_t i = 0; status == SNAP_OK && i < sizeof(kept_keys) / sizeof(kept_keys[0]); i++)
		if (libsnap_key_needs[kept_keys[i]].dimension & dimensions)
			status = ask(making, kept_keys[i], take_groups, &w->problem);
	return libsnap_table_end(&making->groups, status);
}
