/* The objects at the top of the dominator tree, for the index. */
#include "index.h"

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
		status = libsnap_index_ask(making, SNAP_KEY_DOMINATOR, NULL, take_owners, error);
	return status;
}
