/* Where to look: which addresses a stretch of objects has, and to which parts of all
 * objects a stretch of references, or of dominators, leads (FORMAT.md, section 7.5). */
#include <string.h>

#include "index.h"

struct mapping {
	struct making *making;
	struct libsnap_table_out table;
	uint64_t part_size;
	uint64_t words[MAP_WORDS];
};

/* ---- addresses ---- */

struct ends {
	uint64_t low, high;
};

static enum snap_status end_span(struct libsnap_table_out *table, struct ends *span)
{
	enum snap_status status = libsnap_table_row(table, (uint64_t[]){span->low, span->high});
	*span = (struct ends){0, 0};
	return status;
}

enum snap_status libsnap_index_write_spans(struct making *making, struct snap_writer *w)
{
	static const uint32_t column = SNAP_OBJECT_ADDRESS;
	struct libsnap_table_out table;
	struct ends span = {0, 0};
	libsnap_table_begin(&table, w, SNAP_INDEX_SPANS, making->objects / STRETCH + 1);
	if (!snap_reader_has_column(making->reader, SNAP_OBJECT_ADDRESS))
		return libsnap_table_end(&table, SNAP_OK);
	struct scan scan = scan_begin(making->reader, &column, 1, &w->problem);
	while (scan_next(&scan)) {
		uint64_t address = scan_value(&scan, 0);
		if (address != 0 && (span.low == 0 || address < span.low))
			span.low = address;
		if (address > span.high)
			span.high = address;
		if (scan.row % STRETCH == STRETCH - 1)
			scan.status = end_span(&table, &span);
	}
	enum snap_status status = scan_end(&scan, NULL);
	if (status == SNAP_OK && making->objects % STRETCH != 0)
		status = end_span(&table, &span);
	return libsnap_table_end(&table, status);
}

/* ---- maps ---- */

static enum snap_status end_map(struct mapping *mapping)
{
	enum snap_status status = SNAP_OK;
	for (size_t i = 0; status == SNAP_OK && i < MAP_WORDS; i++)
		status = libsnap_table_row(&mapping->table, &mapping->words[i]);
	memset(mapping->words, 0, sizeof(mapping->words));
	return status;
}

static enum snap_status add_id(struct mapping *mapping, uint64_t position, uint64_t id)
{
	if (id != 0) {
		uint64_t part = (id - 1) / mapping->part_size;
		mapping->words[part / 64] |= (uint64_t)1 << part % 64;
	}
	return position % STRETCH == STRETCH - 1 ? end_map(mapping) : SNAP_OK;
}

static enum snap_status map_references(struct mapping *mapping, struct snap_error *error)
{
	static const uint32_t column = SNAP_REFERENCE_TARGET;
	struct snap_reader *reader = mapping->making->reader;
	uint64_t rows = snap_reader_row_count(reader, SNAP_REFERENCES);
	struct scan scan = scan_begin(reader, &column, 1, error);
	while (scan_batch(&scan))
		for (size_t i = 0; scan.status == SNAP_OK && i < scan.count; i++)
			scan.status = add_id(mapping, scan.first + i, scan.values[0][i]);
	enum snap_status status = scan_end(&scan, NULL);
	return status == SNAP_OK && rows % STRETCH != 0 ? end_map(mapping) : status;
}

static enum snap_status map_dominators(struct mapping *mapping)
{
	const struct making *making = mapping->making;
	enum snap_status status = SNAP_OK;
	for (uint64_t row = 0; status == SNAP_OK && row < making->objects; row++) {
		uint64_t dominator = snap_graph_dominator(making->graph, row);
		status = add_id(mapping, row, dominator == SNAP_GRAPH_NONE ? 0 : dominator + 1);
	}
	return status == SNAP_OK && making->objects % STRETCH != 0 ? end_map(mapping) : status;
}

enum snap_status libsnap_index_write_maps(struct making *making, struct snap_writer *w)
{
	struct mapping mapping = {.making = making,
				  .part_size = (making->objects + MAP_PARTS - 1) / MAP_PARTS};
	libsnap_table_begin(&mapping.table, w, SNAP_INDEX_MAPS, UINT64_MAX);
	enum snap_status status = map_references(&mapping, &w->problem);
	if (status == SNAP_OK)
		status = map_dominators(&mapping);
	return libsnap_table_end(&mapping.table, status);
}
