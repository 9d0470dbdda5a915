/* What would be freed if the targets were, by type: they and what only they hold. */
#include "tops.h"

static void count_freed(void *context, uint64_t row, uint64_t bytes)
{
	struct refs_groups *groups = context;
	const struct refs_group added = {.type = snap_graph_type(groups->refs->graph, row),
					 .row = row,
					 .count = 1,
					 .bytes = bytes};
	refs_groups_add(groups, &added);
}

/* ---- from the index, for one that retains much ---- */

enum { NOT_KNOWN, BELOW, ELSEWHERE };

struct below {
	uint8_t *where; /* by top */
	struct top_groups found;
};

static void find_below(const struct tops *tops, size_t top, uint8_t *where)
{
	where[top] = BELOW;
	for (size_t i = 0; i < tops->count; i++) {
		size_t at = i;
		while (at != TOPS_NONE && where[at] == NOT_KNOWN)
			at = tops->items[at].above;
		uint8_t found = at != TOPS_NONE ? where[at] : ELSEWHERE;
		for (at = i; at != TOPS_NONE && where[at] == NOT_KNOWN; at = tops->items[at].above)
			where[at] = found;
	}
}

static void take_part(void *context, const struct top_part *part)
{
	struct below *below = context;
	if (part->kind == SNAP_TOP_HELD && below->where[part->top] == BELOW)
		tops_add_group(&below->found, (struct refs_group){.type = part->type,
								  .row = part->first,
								  .count = part->objects,
								  .bytes = part->bytes});
}

static bool read_freed(struct refs *refs, struct refs_groups *groups)
{
	struct tops tops;
	struct below below = {NULL, {NULL, 0, 0}};
	bool is_there = tops_load(&tops, refs);
	size_t top = is_there && refs->count == 1 ? tops_find(&tops, refs_next_target(refs, 0))
						  : TOPS_NONE;
	if (top != TOPS_NONE) {
		below.where = refs_zeroed(refs, tops.count, 1);
		find_below(&tops, top, below.where);
		is_there = tops_each_part(&tops, take_part, &below);
		tops_end_groups(&below.found, groups);
		refs_free(refs, below.where, tops.count, 1);
	}
	tops_free(&tops);
	return is_there && top != TOPS_NONE;
}

void refs_show_freed(struct refs *refs)
{
	struct refs_groups groups = {.refs = refs};
	if (!read_freed(refs, &groups))
		refs_must(refs, snap_graph_freed_by(refs->graph, refs->targets, count_freed,
						    &groups, &refs->error));
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
