/* What no root reaches, by type, or, without types, by allocation site: then these are leaks. */
#include <string.h>

#include "refs.h"

/* C++'s operator new says nothing of a leak: its caller does. */
static uint64_t skip_operators(struct refs *refs, uint64_t stack)
{
	for (uint64_t at = stack; at != 0; at = refs_value(refs, SNAP_STACK_PARENT, at - 1)) {
		uint64_t frame = refs_value(refs, SNAP_STACK_FRAME, at - 1);
		const char *name;
		size_t size;
		refs_must(refs, snap_reader_string(refs->reader, refs_value(refs, SNAP_FRAME_FUNCTION, frame - 1),
						   &name, &size, &refs->error));
		if (size < 4 || (memcmp(name, "_Znw", 4) != 0 && memcmp(name, "_Zna", 4) != 0))
			return at;
	}
	return stack;
}

/* Objects of a type are one group; those without one are by the place that allocated them, whoever called it. */
enum { BY_TYPE, BY_PLACE, BY_STACK };

static struct refs_group group_of(struct refs *refs, uint64_t row, uint64_t stack)
{
	struct refs_group group = {.type = snap_graph_type(refs->graph, row), .row = row};
	if (group.type != 0 || stack == 0)
		return group;
	group.kind = BY_STACK;
	group.label = skip_operators(refs, stack);
	uint64_t frame = refs_value(refs, SNAP_STACK_FRAME, group.label - 1) - 1;
	uint64_t function = refs_value(refs, SNAP_FRAME_FUNCTION, frame);
	uint64_t line = refs_value(refs, SNAP_FRAME_LINE, frame);
	if (function == 0 || line == 0 || line > UINT32_MAX)
		return group;
	group.kind = BY_PLACE;
	group.type = refs_value(refs, SNAP_FRAME_FILE, frame);
	group.label = function << 32 | line;
	return group;
}

void refs_show_unreachable(struct refs *refs)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT, SNAP_OBJECT_STACK};
	struct refs_groups groups = {.refs = refs};
	struct snap_scan *scan;
	uint64_t first;
	size_t count;
	const uint64_t *const *values;
	enum snap_status status;
	refs_must(refs, snap_scan_open(&scan, refs->reader, columns, 3, &refs->error));
	while ((status = snap_scan_next(scan, &first, &count, &values, &refs->error)) == SNAP_OK)
		for (size_t i = 0; i < count && first + i < refs->objects; i++) {
			uint64_t row = first + i;
			if (snap_graph_distance(refs->graph, row) != SNAP_GRAPH_NONE)
				continue;
			struct refs_group added = group_of(refs, row, values[2][i]);
			added.count = values[1][i];
			added.bytes = refs_multiply(values[0][i], values[1][i]);
			refs_groups_add(&groups, &added);
		}
	snap_scan_close(scan);
	refs_must(refs, status == SNAP_END ? SNAP_OK : status);
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
		if (group.kind != BY_TYPE)
			refs_append_site(refs, &line.site,
					 skip_operators(refs, refs_value(refs, SNAP_OBJECT_STACK, group.row)));
		refs_print(refs, &line);
	}
	refs_groups_free(&groups);
}
