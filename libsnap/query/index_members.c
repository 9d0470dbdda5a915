/* The types of the objects in cycles (FORMAT.md, section 7.5). */
#include "index.h"

struct member {
	uint64_t count, first;
};

static enum snap_status write_cycle(struct libsnap_table_out *table, uint64_t cycle,
				    struct member *members, uint64_t types)
{
	enum snap_status status = SNAP_OK;
	/* By the first of each type: the lowest that is left. */
	while (status == SNAP_OK) {
		uint64_t lowest = types;
		for (uint64_t type = 0; type < types; type++)
			if (members[type].count > 0 &&
			    (lowest == types || members[type].first < members[lowest].first))
				lowest = type;
		if (lowest == types)
			break;
		status = libsnap_table_row(table,
					   (uint64_t[]){cycle + 1, lowest, members[lowest].count,
							members[lowest].first + 1});
		members[lowest].count = 0;
	}
	return status;
}

enum snap_status libsnap_index_write_members(struct making *making, struct snap_writer *w)
{
	const struct snap_allocator *memory = making->options->allocator;
	uint64_t types = snap_reader_row_count(making->reader, SNAP_TYPES) + 1, large = 0;
	uint64_t cycles = snap_graph_cycle_count(making->graph);
	struct snap_graph_cycle cycle;
	uint32_t *place = libsnap_alloc_zeroed(memory, (size_t)cycles, sizeof(*place));
	for (uint64_t i = 0; place != NULL && i < cycles; i++) {
		snap_graph_cycle(making->graph, i, &cycle);
		if ((i < MEMBERS_OF || cycle.objects > MEMBERS_FEW) &&
		    (large + 1) * types <= MEMBERS_MAX)
			place[i] = (uint32_t)++large;
	}
	size_t count = (size_t)(large * types);
	struct member *members = libsnap_alloc_zeroed(memory, count, sizeof(*members));
	struct libsnap_table_out table;
	enum snap_status status = SNAP_OK;
	libsnap_table_begin(&table, w, SNAP_INDEX_MEMBERS, count);
	if (place == NULL || members == NULL)
		status = libsnap_fail_memory(&w->problem);
	for (uint64_t row = 0; status == SNAP_OK && row < making->objects && large > 0; row++) {
		uint64_t in = snap_graph_cycle_of(making->graph, row);
		if (in == SNAP_GRAPH_NONE || place[in] == 0)
			continue;
		uint64_t type = snap_graph_type(making->graph, row);
		struct member *member = &members[(place[in] - 1) * types + type];
		if (member->count++ == 0)
			member->first = row;
	}
	for (uint64_t i = 0; status == SNAP_OK && i < cycles; i++)
		if (place[i] > 0)
			status = write_cycle(&table, i, &members[(place[i] - 1) * types], types);
	status = libsnap_table_end(&table, status);
	libsnap_free(memory, place, (size_t)cycles, sizeof(*place));
	libsnap_free(memory, members, count, sizeof(*members));
	return status;
}
