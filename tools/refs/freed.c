/* What would be freed if the targets were, by type: they and what only they hold. */
#include "refs.h"

static void count_freed(void *context, uint64_t row, uint64_t bytes)
{
	struct refs_groups *groups = context;
	const struct refs_group added = {.type = snap_graph_type(groups->refs->graph, row),
					 .row = row,
					 .count = 1,
					 .bytes = bytes};
	refs_groups_add(groups, &added);
}

void refs_show_freed(struct refs *refs)
{
	struct refs_groups groups = {.refs = refs};
	refs_must(refs, snap_graph_freed_by(refs->graph, refs->targets, count_freed, &groups,
					    &refs->error));
	refs_groups_sort(&groups);
	for (uint64_t i = 0; i < groups.count; i++) {
		struct refs_group group = refs_groups_at(&groups, i);
		struct refs_line line = refs_line("freed");
		if (refs_over_limit(refs->limit, i)) {
			refs_print_rest(refs, groups.count - i, "types");
			break;
		}
		line.number = i + 1;
		line.count = group.count;
		line.bytes = group.bytes;
		refs_describe(refs, &line, group.row);
		refs_print(refs, &line);
	}
	refs_groups_free(&groups);
}
