/* What no root reaches, by type, or, without types, by allocation site: then these are leaks. */
#include "refs.h"

/* Objects of a type are one group; those without one are by the place that allocated them. */
static struct refs_group group_of(struct refs *refs, uint64_t row, uint64_t stack)
{
	struct refs_group group = {.type = snap_graph_type(refs->graph, row), .row = row};
	if (group.type == 0)
		group.label = refs_site(refs, stack);
	return group;
}

void refs_show_unreachable(struct refs *refs)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT, SNAP_OBJECT_STACK};
	struct refs_groups groups = {.refs = refs};
	struct scan scan = scan_begin(refs->reader, columns, 3, &refs->error);
	while (scan_next(&scan) && scan.row < refs->objects) {
		if (snap_graph_distance(refs->graph, scan.row) != SNAP_GRAPH_NONE)
			continue;
		struct refs_group added = group_of(refs, scan.row, scan_value(&scan, 2));
		added.count = scan_value(&scan, 1);
		added.bytes = refs_multiply(scan_value(&scan, 0), added.count);
		refs_groups_add(&groups, &added);
	}
	refs_must(refs, scan_end(&scan, NULL));
	refs_groups_sort(&groups);
	struct refs_line all = refs_line("garbage");
	all.count = all.bytes = 0;
	for (uint64_t i = 0; i < groups.count; i++) {
		struct refs_group group = refs_groups_at(&groups, i);
		all.count = refs_add(all.count, group.count);
		all.bytes = refs_add(all.bytes, group.bytes);
	}
	refs_print(refs, &all);
	for (uint64_t i = 0; i < groups.count; i++) {
		struct refs_group group = refs_groups_at(&groups, i);
		struct refs_line line = refs_line("unreachable");
		if (refs_over_limit(refs->limit, i)) {
			refs_print_rest(refs, groups.count - i, "types and sites");
			break;
		}
		line.number = i + 1;
		line.count = group.count;
		line.bytes = group.bytes;
		refs_describe(refs, &line, group.row);
		refs_append_site(refs, &line.site, group.label);
		refs_print(refs, &line);
	}
	refs_groups_free(&groups);
}
