/* Suspects that the index of a snapshot has (snap_index.h). */
#include <stdlib.h>

#include "snap_index.h"
#include "suspects.h"

struct reading {
	struct refs *refs;
	struct suspects *suspects;
	struct suspect_parts *parts;
};

static void read_rows(struct reading *reading, const uint32_t *columns, size_t column_count,
		      void (*take)(struct reading *, const uint64_t *const *values, size_t i))
{
	struct refs *refs = reading->refs;
	struct snap_scan *scan;
	uint64_t first;
	size_t count;
	const uint64_t *const *values;
	enum snap_status status;
	refs_must(refs, snap_scan_open(&scan, refs->reader, columns, column_count, &refs->error));
	while ((status = snap_scan_next(scan, &first, &count, &values, &refs->error)) == SNAP_OK)
		for (size_t i = 0; i < count; i++)
			take(reading, values, i);
	snap_scan_close(scan);
	refs_must(refs, status == SNAP_END ? SNAP_OK : status);
}

static void take_suspect(struct reading *reading, const uint64_t *const *values, size_t i)
{
	struct suspects *suspects = reading->suspects;
	suspects->items =
		cli_resize(suspects->items, (suspects->count + 1) * sizeof(*suspects->items));
	uint64_t row = values[0][i] - 1;
	suspects->items[suspects->count++] =
		(struct suspect){.row = row,
				 .type = snap_graph_type(reading->refs->graph, row),
				 .is_type = values[1][i] != 0,
				 .count = values[2][i],
				 .bytes = values[3][i],
				 .retained = values[4][i]};
}

static void take_part(struct reading *reading, const uint64_t *const *values, size_t i)
{
	bool is_child = values[1][i] == SNAP_SUSPECT_CHILD;
	const struct refs_group part = {.type = values[2][i],
					.kind = values[0][i],
					.label = values[3][i],
					.row = values[6][i] - 1,
					.count = values[4][i],
					.bytes = values[5][i]};
	if (values[0][i] <= refs_suspects_shown(reading->refs, reading->suspects))
		refs_groups_add(is_child ? &reading->parts->children : &reading->parts->held, &part);
}

/* The paths to many objects of a type are found only where all objects are looked at. */
static bool is_any_type(const struct refs *refs, const struct suspects *suspects)
{
	for (size_t i = 0; i < refs_suspects_shown(refs, suspects); i++)
		if (suspects->items[i].is_type)
			return true;
	return false;
}

bool refs_read_suspects(struct refs *refs, uint64_t percent, struct suspects *suspects,
			struct suspect_parts *parts)
{
	static const uint32_t columns[] = {SNAP_INDEX_SUSPECT_OBJECT, SNAP_INDEX_SUSPECT_TYPE,
					   SNAP_INDEX_SUSPECT_COUNT, SNAP_INDEX_SUSPECT_BYTES,
					   SNAP_INDEX_SUSPECT_RETAINED};
	static const uint32_t part_columns[] = {SNAP_INDEX_PART_SUSPECT, SNAP_INDEX_PART_KIND,
						SNAP_INDEX_PART_TYPE,    SNAP_INDEX_PART_STACK,
						SNAP_INDEX_PART_COUNT,   SNAP_INDEX_PART_BYTES,
						SNAP_INDEX_PART_OBJECT};
	struct reading reading = {refs, suspects, parts};
	struct snap_index_info index;
	*suspects = (struct suspects){.percent = percent};
	*parts = (struct suspect_parts){.children = {.refs = refs}, .held = {.refs = refs}};
	refs_must(refs, snap_reader_index(refs->reader, &index, &refs->error));
	if (refs->follows_weak || index.state != SNAP_INDEX_GOOD ||
	    index.facts[SNAP_FACT_SUSPECT_PERCENT] != percent)
		return false;
	read_rows(&reading, columns, 5, take_suspect);
	if (is_any_type(refs, suspects)) {
		free(suspects->items);
		*suspects = (struct suspects){.percent = percent};
		return false;
	}
	suspects->objects = index.facts[SNAP_FACT_REACHED_OBJECTS];
	suspects->bytes = index.facts[SNAP_FACT_REACHED_BYTES];
	read_rows(&reading, part_columns, 7, take_part);
	refs_groups_sort(&parts->children);
	refs_groups_sort(&parts->held);
	return true;
}
