/* What suspects hold, from what hangs on the objects that retain most. */
#include "suspects.h"
#include "tops.h"

struct sharing {
	const struct tops *tops;
	size_t shown;
	uint64_t *owner;  /* by top: the number of the suspect that it is, or that holds it */
	uint64_t *number; /* by top: that of the suspect that it is, or 0 */
	struct top_groups children, held;
};
#define NOT_KNOWN UINT64_MAX

static bool is_shown(const struct sharing *sharing, uint64_t number)
{
	return number >= 1 && number <= sharing->shown;
}

static void find_owners(struct sharing *sharing, const struct suspects *suspects)
{
	const struct tops *tops = sharing->tops;
	for (size_t i = 0; i < tops->count; i++)
		sharing->owner[i] = NOT_KNOWN;
	for (size_t i = 0; i < suspects->count; i++) {
		size_t top = suspects->items[i].is_many ? TOPS_NONE
							: tops_find(tops, suspects->items[i].row);
		if (top != TOPS_NONE)
			sharing->owner[top] = sharing->number[top] = i + 1;
	}
	for (size_t i = 0; i < tops->count; i++) {
		size_t at = i;
		while (at != TOPS_NONE && sharing->owner[at] == NOT_KNOWN)
			at = tops->items[at].above;
		uint64_t found = at != TOPS_NONE ? sharing->owner[at] : 0;
		for (at = i; at != TOPS_NONE && sharing->owner[at] == NOT_KNOWN;
		     at = tops->items[at].above)
			sharing->owner[at] = found;
	}
}

static void take_part(void *context, const struct top_part *part)
{
	struct sharing *sharing = context;
	bool is_child = part->kind == SNAP_TOP_CHILD;
	if (part->top == TOPS_NONE)
		return;
	uint64_t number = is_child ? sharing->number[part->top] : sharing->owner[part->top];
	if (is_shown(sharing, number) && (is_child || part->count > 0))
		tops_add_group(is_child ? &sharing->children : &sharing->held,
			       (struct refs_group){.type = part->type,
						   .kind = number,
						   .label = part->stack,
						   .row = part->first,
						   .count = is_child ? part->objects : part->count,
						   .bytes = part->bytes});
}

/* Tops right below suspects are no parts of these. */
static void add_tops(struct sharing *sharing)
{
	const struct tops *tops = sharing->tops;
	for (size_t i = 0; i < tops->count; i++) {
		const struct top *top = &tops->items[i];
		uint64_t number = top->above != TOPS_NONE ? sharing->number[top->above] : 0;
		if (is_shown(sharing, number))
			tops_add_group(&sharing->children,
				       (struct refs_group){
					       .type = snap_graph_type(tops->refs->graph, top->row),
					       .kind = number,
					       .row = top->row,
					       .count = 1,
					       .bytes = top->retained});
	}
}

void refs_read_suspect_parts(const struct tops *tops, const struct suspects *suspects, size_t shown,
			     struct suspect_parts *out)
{
	struct refs *refs = tops->refs;
	struct sharing sharing = {.tops = tops, .shown = shown};
	*out = (struct suspect_parts){.children = {.refs = refs}, .held = {.refs = refs}};
	sharing.owner = refs_zeroed(refs, tops->count, sizeof(*sharing.owner));
	sharing.number = refs_zeroed(refs, tops->count, sizeof(*sharing.number));
	find_owners(&sharing, suspects);
	tops_each_part(tops, take_part, &sharing);
	add_tops(&sharing);
	tops_end_groups(&sharing.children, &out->children);
	tops_end_groups(&sharing.held, &out->held);
	refs_groups_sort(&out->children);
	refs_groups_sort(&out->held);
	refs_free(refs, sharing.owner, tops->count, sizeof(*sharing.owner));
	refs_free(refs, sharing.number, tops->count, sizeof(*sharing.number));
}
