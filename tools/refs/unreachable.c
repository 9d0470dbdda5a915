/* What no root reaches, by type. */
#include "refs.h"

void refs_show_unreachable(struct refs *refs)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT};
	struct refs_groups groups = {NULL, 0, 0, NULL, 0};
	struct snap_scan *scan;
	uint64_t first, bytes;
	size_t count;
	const uint64_t *const *values;
	enum snap_status status;
	refs_must(refs, snap_scan_open(&scan, refs->reader, columns, 2, &refs->error));
	while ((status = snap_scan_next(scan, &first, &count, &values, &refs->error)) == SNAP_OK)
		for (size_t i = 0; i < count && first + i < refs->objects; i++) {
			uint64_t row = first + i;
			if (snap_graph_distance(refs->graph, row) != SNAP_GRAPH_NONE)
				continue;
			struct refs_group *group =
				refs_group(&groups, snap_graph_type(refs->graph, row), 0, 0, row);
			group->count += values[1][i];
			if (__builtin_mul_overflow(values[0][i], values[1][i], &bytes) ||
			    __builtin_add_overflow(group->bytes, bytes, &group->bytes))
				group->bytes = UINT64_MAX - 1;
		}
	snap_scan_close(scan);
	refs_must(refs, status == SNAP_END ? SNAP_OK : status);
	refs_groups_sort(&groups);
	struct refs_line all = refs_line("garbage");
	all.count = all.bytes = 0;
	for (size_t i = 0; i < groups.count; i++) {
		all.count += groups.groups[i].count;
		if (__builtin_add_overflow(all.bytes, groups.groups[i].bytes, &all.bytes))
			all.bytes = UINT64_MAX - 1;
	}
	refs_print(refs, &all);
	for (size_t i = 0; i < groups.count; i++) {
		struct refs_line line = refs_line("unreachable");
		if (refs_over_limit(refs->limit, i)) {
			refs_print_rest(refs, groups.count - i, "types");
			break;
		}
		line.number = i + 1;
		line.count = groups.groups[i].count;
		line.bytes = groups.groups[i].bytes;
		refs_describe(refs, &line, groups.groups[i].row);
		refs_print(refs, &line);
	}
	refs_groups_free(&groups);
}
