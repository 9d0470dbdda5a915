/* What would be freed if the targets were, by type: they and what only they hold. */
#include "refs.h"

struct tally {
	struct refs *refs;
	struct refs_groups groups;
};

static void count_freed(void *context, uint64_t row, uint64_t bytes)
{
	struct tally *tally = context;
	struct refs_group *group =
		refs_group(&tally->groups, snap_graph_type(tally->refs->graph, row), 0, 0, row);
	group->count++;
	if (__builtin_add_overflow(group->bytes, bytes, &group->bytes))
		group->bytes = UINT64_MAX - 1;
}

void refs_show_freed(struct refs *refs)
{
	struct tally tally = {.refs = refs};
	struct refs_groups *groups = &tally.groups;
	refs_must(refs, snap_graph_freed_by(refs->graph, refs->rows, refs->count, count_freed,
					    &tally, &refs->error));
	refs_groups_sort(groups);
	for (size_t i = 0; i < groups->count; i++) {
		struct refs_line line = refs_line("freed");
		if (refs_over_limit(refs->limit, i)) {
			refs_print_rest(refs, groups->count - i, "types");
			break;
		}
		line.number = i + 1;
		line.count = groups->groups[i].count;
		line.bytes = groups->groups[i].bytes;
		refs_describe(refs, &line, groups->groups[i].row);
		refs_print(refs, &line);
	}
	refs_groups_free(groups);
}
