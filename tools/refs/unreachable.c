/* What no root reaches, by type, or, without types, by allocation site: then these are leaks. */
#include "tops.h"

/* Objects of a type are one group; those without one are by the place that allocated them. */
static struct refs_group group_of(struct refs *refs, uint64_t row, uint64_t stack)
{
	struct refs_group group = {.type = snap_graph_type(refs->graph, row), .row = row};
	if (group.type == 0)
		group.label = refs_site(refs, stack);
	return group;
}

static void find_groups(struct refs *refs, struct refs_groups *groups)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT, SNAP_OBJECT_STACK};
	struct scan scan = scan_begin(refs->reader, columns, 3, &refs->error);
	while (scan_next(&scan) && scan.row < refs->objects) {
		if (snap_graph_distance(refs->graph, scan.row) != SNAP_GRAPH_NONE)
			continue;
		struct refs_group added = group_of(refs, scan.row, scan_value(&scan, 2));
		added.count = scan_value(&scan, 1);
		added.bytes = refs_multiply(scan_value(&scan, 0), added.count);
		refs_groups_add(groups, &added);
	}
	refs_must(refs, scan_end(&scan, NULL));
}

/* ---- from the index: classes of objects without a root ---- */

/* The first classes that tell roots, types and stacks; false: there are none. */
static bool read_groups(struct refs *refs, struct refs_groups *groups)
{
	enum { PARTS, TYPE, STACK, ROOT, BYTES, COUNT, FIRST, COLUMNS };
	static const uint32_t columns[COLUMNS] = {SNAP_INDEX_CLASS_PARTS, SNAP_INDEX_CLASS_TYPE,
						  SNAP_INDEX_CLASS_STACK, SNAP_INDEX_CLASS_ROOT,
						  SNAP_INDEX_CLASS_BYTES, SNAP_INDEX_CLASS_COUNT,
						  SNAP_INDEX_CLASS_FIRST};
	const uint64_t wanted = SNAP_PART_ROOT | SNAP_PART_TYPE | SNAP_PART_STACK;
	struct top_groups found = {NULL, 0, 0};
	uint64_t parts = 0;
	bool is_told = refs_has_index(refs);
	struct scan scan = scan_begin(refs->reader, columns, COLUMNS, &refs->error);
	while (is_told && scan_next(&scan)) {
		uint64_t first = scan_value(&scan, FIRST);
		if (parts == 0 && (scan_value(&scan, PARTS) & wanted) == wanted)
			parts = scan_value(&scan, PARTS);
		if (scan_value(&scan, PARTS) != parts || scan_value(&scan, ROOT) != 0)
			continue;
		is_told = first != 0;
		struct refs_group group = {.type = scan_value(&scan, TYPE),
					   .row = first - 1,
					   .count = scan_value(&scan, COUNT),
					   .bytes = scan_value(&scan, BYTES)};
		if (group.type == 0)
			group.label = refs_site(refs, scan_value(&scan, STACK));
		tops_add_group(&found, group);
	}
	refs_must(refs, scan_end(&scan, NULL));
	is_told = is_told && parts != 0;
	if (!is_told)
		found.count = 0;
	tops_end_groups(&found, groups);
	return is_told;
}

void refs_show_unreachable(struct refs *refs)
{
	struct refs_groups groups = {.refs = refs};
	if (!read_groups(refs, &groups))
		find_groups(refs, &groups);
	refs_groups_sort(&groups);
	struct refs_line all = refs_line("garbage");
	all.count = all.bytes = 0;
	for (uint64_t i = 0; i < groups.count; i++) {
		struct refs_group group = refs_groups_at(&groups, i);
		all.count = refs_add(all.count, group.count);
		all.bytes = refs_add(all.bytes, group.bytes);
	}
	refs_print(refs, &all);
	for (uint64_t i = 0; refs_lists(refs, i, groups.count, "types and sites"); i++) {
		struct refs_group group = refs_groups_at(&groups, i);
		struct refs_line line = refs_line("unreachable");
		line.number = i + 1;
		line.count = group.count;
		line.bytes = group.bytes;
		refs_describe(refs, &line, group.row);
		refs_append_site(refs, &line.site, group.label);
		refs_print(refs, &line);
	}
	refs_groups_free(&groups);
}
