/* The registry of tables and columns (spec/registry.yaml; a test holds one against the other). */
#include "snapfmt.h"

/* table, column, names, unit, refers_to, default, is_text, critical, always */
const struct snapfmt_column snapfmt_columns[] = {
	{1, 0, "strings", "text", SNAPFMT_NUMBER, 0, 0, true, true, true},
	{2, 0, "properties", "key", SNAPFMT_ID, 1, 0, false, true, true},
	{2, 1, "properties", "value", SNAPFMT_ID, 1, 0, false, true, true},
	{3, 0, "modules", "path", SNAPFMT_ID, 1, 0, false, true, true},
	{3, 1, "modules", "build_id", SNAPFMT_OPTIONAL_ID, 1, 0, false, false, false},
	{3, 2, "modules", "base", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{3, 3, "modules", "size", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{4, 0, "frames", "function", SNAPFMT_OPTIONAL_ID, 1, 0, false, false, false},
	{4, 1, "frames", "file", SNAPFMT_OPTIONAL_ID, 1, 0, false, false, false},
	{4, 2, "frames", "line", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{4, 3, "frames", "module", SNAPFMT_OPTIONAL_ID, 3, 0, false, false, false},
	{4, 4, "frames", "offset", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{4, 5, "frames", "inlined_into", SNAPFMT_OPTIONAL_ID, 4, 0, false, false, false},
	{5, 0, "stacks", "parent", SNAPFMT_OPTIONAL_ID, 5, 0, false, true, false},
	{5, 1, "stacks", "frame", SNAPFMT_ID, 4, 0, false, true, true},
	{5, 2, "stacks", "flags", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{6, 0, "types", "name", SNAPFMT_ID, 1, 0, false, true, true},
	{6, 1, "types", "kind", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{7, 0, "shapes", "type", SNAPFMT_OPTIONAL_ID, 6, 0, false, true, true},
	{7, 1, "shapes", "slot_count", SNAPFMT_NUMBER, 0, 0, false, true, false},
	{7, 2, "shapes", "tail", SNAPFMT_NUMBER, 0, 0, false, true, false},
	{7, 3, "shapes", "tail_kind", SNAPFMT_NUMBER, 0, 0, false, true, false},
	{8, 0, "slots", "kind", SNAPFMT_NUMBER, 0, 0, false, true, false},
	{8, 1, "slots", "label", SNAPFMT_LABEL, 0, 0, false, true, true},
	{9, 0, "threads", "id", SNAPFMT_NUMBER, 0, 0, false, true, true},
	{9, 1, "threads", "name", SNAPFMT_OPTIONAL_ID, 1, 0, false, false, false},
	{10, 0, "runs", "shape", SNAPFMT_ID, 7, 0, false, true, true},
	{10, 1, "runs", "rows", SNAPFMT_NUMBER, 0, 0, false, true, true},
	{11, 0, "objects", "address", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{11, 1, "objects", "size", SNAPFMT_NUMBER, 0, 0, false, true, false},
	{11, 2, "objects", "count", SNAPFMT_NUMBER, 0, 1, false, true, false},
	{11, 3, "objects", "stack", SNAPFMT_OPTIONAL_ID, 5, 0, false, false, false},
	{11, 4, "objects", "thread", SNAPFMT_OPTIONAL_ID, 9, 0, false, false, false},
	{11, 5, "objects", "birth_serial", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{11, 6, "objects", "birth_time", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{11, 7, "objects", "generation", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{11, 8, "objects", "flags", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{11, 9, "objects", "domain", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{11, 10, "objects", "name", SNAPFMT_OPTIONAL_ID, 1, 0, false, false, false},
	{11, 11, "objects", "content", SNAPFMT_OPTIONAL_ID, 16, 0, false, false, false},
	{12, 0, "tails", "length", SNAPFMT_NUMBER, 0, 0, false, true, false},
	{13, 0, "references", "target", SNAPFMT_OPTIONAL_ID, 11, 0, false, true, false},
	{14, 0, "tail_labels", "kind", SNAPFMT_NUMBER, 0, 0, false, true, false},
	{14, 1, "tail_labels", "label", SNAPFMT_LABEL, 0, 0, false, true, true},
	{15, 0, "roots", "object", SNAPFMT_ID, 11, 0, false, true, true},
	{15, 1, "roots", "kind", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{15, 2, "roots", "label", SNAPFMT_OPTIONAL_ID, 1, 0, false, false, false},
	{15, 3, "roots", "thread", SNAPFMT_OPTIONAL_ID, 9, 0, false, false, false},
	{15, 4, "roots", "stack", SNAPFMT_OPTIONAL_ID, 5, 0, false, false, false},
	{16, 0, "contents", "length", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{16, 1, "contents", "hash", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{16, 2, "contents", "text", SNAPFMT_OPTIONAL_ID, 1, 0, false, false, false},
	{17, 0, "totals", "dimension", SNAPFMT_NUMBER, 0, 0, false, false, true},
	{17, 1, "totals", "key", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{17, 2, "totals", "bytes", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{17, 3, "totals", "count", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{18, 0, "timeline", "time", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{18, 1, "timeline", "bytes", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{18, 2, "timeline", "count", SNAPFMT_NUMBER, 0, 0, false, false, false},
	{18, 3, "timeline", "resident", SNAPFMT_NUMBER, 0, 0, false, false, false},
};

const size_t snapfmt_column_count = sizeof(snapfmt_columns) / sizeof(snapfmt_columns[0]);

const struct snapfmt_column *snapfmt_find_column(uint16_t table, uint16_t column)
{
	for (size_t i = 0; i < snapfmt_column_count; i++)
		if (snapfmt_columns[i].table == table && snapfmt_columns[i].column == column)
			return &snapfmt_columns[i];
	return NULL;
}
