/* Who refers to the targets, and to what they refer, by type and label. */
#include "demangle.h"
#include "refs.h"

#include <string.h>

#define ROOT_KIND 0x10000u /* added to root kinds, apart from those of references */

struct tally {
	struct refs *refs;
	struct refs_groups groups;
	bool owned; /* what the targets own, not who owns them */
	/* that a reference count knows: references, and roots that are variables */
	uint64_t counted, variables;
};

static uint64_t fold(uint64_t label)
{
	if (label % 4 == 1)
		return SNAP_GRAPH_ANY_INDEX;
	return label % 4 == 2 ? SNAP_GRAPH_ANY_KEY : label;
}

static bool count_reference(void *context, const struct snap_graph_reference *reference)
{
	struct tally *tally = context;
	struct refs *refs = tally->refs;
	if (!snap_graph_set_has(refs->targets, tally->owned ? reference->owner : reference->target))
		return true;
	tally->counted +=
		reference->kind < SNAP_REF_FIRST_WEAK && reference->kind != SNAP_REF_ALIAS;
	uint64_t other = tally->owned ? reference->target : reference->owner;
	const struct refs_group added = {.type = snap_graph_type(refs->graph, other),
					 .kind = reference->kind,
					 .label = fold(reference->label),
					 .exact = reference->label,
					 .row = other,
					 .count = 1};
	refs_groups_add(&tally->groups, &added);
	return true;
}

/* Label 0, the empty string, stands for root entries without one. */
static void count_roots(struct tally *tally)
{
	static const uint32_t columns[] = {SNAP_ROOT_OBJECT, SNAP_ROOT_KIND_COLUMN,
					   SNAP_ROOT_LABEL};
	struct refs *refs = tally->refs;
	struct scan scan = scan_begin(refs->reader, columns, 3, &refs->error);
	while (scan_next(&scan)) {
		uint64_t row = scan_value(&scan, 0) - 1, kind = scan_value(&scan, 1);
		uint64_t label = SNAP_LABEL_STRING(scan_value(&scan, 2));
		if (kind >= ROOT_KIND)
			kind = ROOT_KIND - 1;
		const struct refs_group added = {.kind = ROOT_KIND + kind,
						 .label = label,
						 .exact = label,
						 .row = row,
						 .count = 1};
		if (!snap_graph_set_has(refs->targets, row))
			continue;
		refs_groups_add(&tally->groups, &added);
		tally->variables += kind == SNAP_ROOT_STACK_FRAME;
	}
	refs_must(refs, scan_end(&scan, NULL));
}

static void append_label(struct refs *refs, struct refs_line *line, uint64_t label)
{
	struct buffer text = {NULL, 0, 0};
	refs_append_label(refs, line->is_root ? &text : &line->label, label);
	if (line->is_root)
		demangle_variable(&line->label, text.bytes, text.size);
	buffer_free(&text);
}

static void print_groups(struct tally *tally, const char *section)
{
	struct refs *refs = tally->refs;
	struct refs_groups *groups = &tally->groups;
	refs_groups_fold_names(groups, ROOT_KIND);
	refs_groups_sort(groups);
	for (uint64_t i = 0; refs_lists(refs, i, groups->count, "types and labels"); i++) {
		struct refs_group group = refs_groups_at(groups, i);
		struct refs_line line = refs_line(section);
		line.number = i + 1;
		line.count = group.count;
		line.is_root = group.kind >= ROOT_KIND;
		if (line.is_root) {
			line.kind = snap_root_kind_name((uint32_t)(group.kind - ROOT_KIND));
		} else {
			line.kind = snap_reference_kind_name((uint32_t)group.kind);
			line.weak = group.kind >= SNAP_REF_FIRST_WEAK;
			refs_describe(refs, &line, group.row);
			line.bytes = REFS_ABSENT;
		}
		if (group.names > 0)
			line.names = group.names;
		append_label(refs, &line, group.count == 1 ? group.exact : group.label);
		refs_print(refs, &line);
	}
	refs_groups_free(groups);
}

/* What the runtime counts beside what was found is held by who is not seen: C code. */
static void show_refcount(const struct tally *tally)
{
	struct refs *refs = tally->refs;
	if (refs->count != 1 || cli_common.partial)
		return;
	uint64_t refcount = refs_value(refs, SNAP_OBJECT_REFCOUNT, refs_next_target(refs, 0));
	if (refcount == 0)
		return;
	struct refs_line line = refs_line("refcount");
	line.count = refcount;
	line.targets = tally->counted;
	line.number = tally->variables;
	refs_print(refs, &line);
}

static void take_kept(void *context, const struct snap_graph_kept_part *part)
{
	const struct refs_group added = {.type = part->type,
					 .kind = part->kind,
					 .label = fold(part->label),
					 .exact = part->label,
					 .row = part->first,
					 .count = part->count};
	if (part->part == SNAP_TYPE_HOLDER)
		refs_groups_add(context, &added);
}

void refs_show_holders(struct refs *refs)
{
	struct tally tally = {.refs = refs, .groups = {.refs = refs}};
	count_roots(&tally);
	enum snap_status status = snap_graph_kept(refs->graph, refs->targets, NULL, take_kept,
						  &tally.groups, &refs->error);
	/* What a partial reader lost is left out by a walk over all. */
	if (status == SNAP_END)
		status = cli_common.partial
				 ? snap_graph_references(refs->graph, count_reference, &tally,
							 &refs->error)
				 : snap_graph_references_to(refs->graph, refs->targets,
							    count_reference, &tally, &refs->error);
	refs_must(refs, status);
	print_groups(&tally, "holder");
	show_refcount(&tally);
}

void refs_show_owned(struct refs *refs)
{
	struct tally tally = {.refs = refs, .groups = {.refs = refs}, .owned = true};
	refs_must(refs, refs->count == 1 ? snap_graph_owned(refs->graph, refs_next_target(refs, 0),
							    count_reference, &tally, &refs->error)
					 : snap_graph_references(refs->graph, count_reference,
								 &tally, &refs->error));
	print_groups(&tally, "owned");
}
