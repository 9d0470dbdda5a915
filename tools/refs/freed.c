/* What would be freed if the targets were, by type: they and what only they hold. */
#include "tops.h"

#include <stdlib.h>

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

static void take_kept(void *context, const struct snap_graph_kept_part *part)
{
	const struct refs_group added = {
		.type = part->type, .row = part->first, .count = part->count, .bytes = part->bytes};
	if (part->part == SNAP_TYPE_FREED)
		refs_groups_add(context, &added);
}

static void find_freed(struct refs *refs, struct refs_groups *groups)
{
	enum snap_status status =
		snap_graph_kept(refs->graph, refs->targets, NULL, take_kept, groups, &refs->error);
	if (status == SNAP_END)
		status = snap_graph_freed_by(refs->graph, refs->targets, count_freed, groups,
					     &refs->error);
	refs_must(refs, status);
}

uint64_t refs_freed_bytes(struct refs *refs)
{
	uint64_t bytes = 0;
	if (refs->count == 1) {
		refs_must(refs, snap_graph_retained_by(refs->graph, refs->targets, &bytes, NULL,
						       &refs->error));
		return bytes;
	}
	refs->freed = cli_resize(NULL, sizeof(*refs->freed));
	*refs->freed = (struct refs_groups){.refs = refs};
	find_freed(refs, refs->freed);
	for (uint64_t i = 0; i < refs->freed->count; i++)
		bytes = refs_add(bytes, refs_groups_at(refs->freed, i).bytes);
	return bytes;
}

void refs_show_freed(struct refs *refs)
{
	struct refs_groups groups = {.refs = refs};
	if (refs->freed != NULL)
		groups = *refs->freed;
	else if (!read_freed(refs, &groups))
		find_freed(refs, &groups);
	free(refs->freed);
	refs->freed = NULL;
	refs_groups_sort(&groups);
	for (uint64_t i = 0; refs_lists(refs, i, groups.count, "types"); i++) {
		struct refs_group group = refs_groups_at(&groups, i);
		struct refs_line line = refs_line("freed");
		line.number = i + 1;
		line.count = group.count;
		line.bytes = group.bytes;
		refs_describe(refs, &line, group.row);
		refs_print(refs, &line);
	}
	refs_groups_free(&groups);
}
