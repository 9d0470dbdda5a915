/* Suspects that the index of a snapshot has (snap_index.h). */
#include <stdlib.h>

#include "snap_index.h"
#include "suspects.h"

static void read_suspects(struct refs *refs, struct suspects *suspects)
{
	static const uint32_t columns[] = {SNAP_INDEX_SUSPECT_OBJECT, SNAP_INDEX_SUSPECT_TYPE,
					   SNAP_INDEX_SUSPECT_COUNT, SNAP_INDEX_SUSPECT_BYTES,
					   SNAP_INDEX_SUSPECT_RETAINED};
	struct scan scan = scan_begin(refs->reader, columns, 5, &refs->error);
	while (scan_next(&scan)) {
		suspects->items = cli_resize(suspects->items,
					     (suspects->count + 1) * sizeof(*suspects->items));
		uint64_t row = scan_value(&scan, 0) - 1;
		suspects->items[suspects->count++] =
			(struct suspect){.row = row,
					 .type = snap_graph_type(refs->graph, row),
					 .is_many = scan_value(&scan, 1) != 0,
					 .count = scan_value(&scan, 2),
					 .bytes = scan_value(&scan, 3),
					 .retained = scan_value(&scan, 4)};
	}
	refs_must(refs, scan_end(&scan, NULL));
}

static void read_parts(struct refs *refs, const struct suspects *suspects,
		       struct suspect_parts *parts)
{
	static const uint32_t columns[] = {SNAP_INDEX_PART_SUSPECT, SNAP_INDEX_PART_KIND,
					   SNAP_INDEX_PART_TYPE,    SNAP_INDEX_PART_STACK,
					   SNAP_INDEX_PART_COUNT,   SNAP_INDEX_PART_BYTES,
					   SNAP_INDEX_PART_OBJECT};
	struct scan scan = scan_begin(refs->reader, columns, 7, &refs->error);
	while (scan_next(&scan)) {
		bool is_child = scan_value(&scan, 1) == SNAP_SUSPECT_CHILD;
		const struct refs_group part = {.type = scan_value(&scan, 2),
						.kind = scan_value(&scan, 0),
						.label = scan_value(&scan, 3),
						.row = scan_value(&scan, 6) - 1,
						.count = scan_value(&scan, 4),
						.bytes = scan_value(&scan, 5)};
		if (part.kind <= refs_suspects_shown(refs, suspects))
			refs_groups_add(is_child ? &parts->children : &parts->held, &part);
	}
	refs_must(refs, scan_end(&scan, NULL));
	refs_groups_sort(&parts->children);
	refs_groups_sort(&parts->held);
}

/* The paths to many objects are found only where all objects are looked at. */
static bool is_any_many(const struct refs *refs, const struct suspects *suspects)
{
	for (size_t i = 0; i < refs_suspects_shown(refs, suspects); i++)
		if (suspects->items[i].is_many)
			return true;
	return false;
}

bool refs_read_suspects(struct refs *refs, uint64_t percent, struct suspects *suspects,
			struct suspect_parts *parts)
{
	struct snap_index_info index;
	*suspects = (struct suspects){.percent = percent};
	*parts = (struct suspect_parts){.children = {.refs = refs}, .held = {.refs = refs}};
	refs_must(refs, snap_reader_index(refs->reader, &index, &refs->error));
	if (refs->follows_weak || index.state != SNAP_INDEX_GOOD ||
	    index.facts[SNAP_FACT_SUSPECT_PERCENT] != percent)
		return false;
	read_suspects(refs, suspects);
	if (is_any_many(refs, suspects)) {
		free(suspects->items);
		*suspects = (struct suspects){.percent = percent};
		return false;
	}
	suspects->objects = index.facts[SNAP_FACT_REACHED_OBJECTS];
	suspects->bytes = index.facts[SNAP_FACT_REACHED_BYTES];
	read_parts(refs, suspects, parts);
	return true;
}
