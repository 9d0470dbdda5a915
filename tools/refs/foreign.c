/* What has more references than were found: held from C, or in use while the snapshot was taken. */
#include "refs.h"

#include <stdlib.h>

/* extra is by row, and NONE for 0; rows are those that have some, but of strings, which tables of
 * names hold. */
struct foreign {
	struct refs *refs;
	struct snap_graph_numbers *extra; /* what was found, and then what was not */
	struct snap_graph_numbers *rows;
	uint64_t count;
	struct refs_groups types;
};

static uint64_t number_of(const struct snap_graph_numbers *numbers, uint64_t row)
{
	uint64_t number = snap_graph_numbers_get(numbers, row);
	return number == SNAP_GRAPH_NONE ? 0 : number;
}

static bool find(void *context, const struct snap_graph_reference *reference)
{
	struct foreign *foreign = context;
	bool is_root = reference->owner == SNAP_GRAPH_NONE;
	if (is_root ? reference->kind == SNAP_ROOT_STACK_FRAME
		    : reference->kind < SNAP_REF_FIRST_WEAK && reference->kind != SNAP_REF_ALIAS)
		snap_graph_numbers_set(foreign->extra, reference->target,
				       number_of(foreign->extra, reference->target) + 1);
	return true;
}

static void compare(struct foreign *foreign, uint64_t row, uint64_t refcount)
{
	uint64_t found = number_of(foreign->extra, row);
	uint64_t extra = refcount > found ? refcount - found : 0;
	snap_graph_numbers_set(foreign->extra, row, extra);
	if (extra == 0)
		return;
	struct snap_graph_object object;
	struct refs *refs = foreign->refs;
	refs_must(refs, snap_graph_object(refs->graph, row, &object, &refs->error));
	if (object.kind != SNAP_TYPE_STRING)
		snap_graph_numbers_set(foreign->rows, foreign->count++, row);
	const struct refs_group added = {
		.type = object.type, .row = row, .count = 1, .bytes = extra};
	refs_groups_add(&foreign->types, &added);
}

static void compare_all(struct foreign *foreign)
{
	static const uint32_t column[] = {SNAP_OBJECT_REFCOUNT};
	struct refs *refs = foreign->refs;
	struct scan scan = scan_begin(refs->reader, column, 1, &refs->error);
	while (scan_next(&scan))
		compare(foreign, scan.row, scan_value(&scan, 0));
	refs_must(refs, scan_end(&scan, NULL));
}

static bool comes_after(const void *context, uint64_t a, uint64_t b)
{
	const struct foreign *foreign = context;
	return number_of(foreign->extra, a) < number_of(foreign->extra, b);
}

static void show_types(struct foreign *foreign)
{
	struct refs *refs = foreign->refs;
	refs_groups_sort(&foreign->types);
	for (uint64_t i = 0; refs_lists(refs, i, foreign->types.count, "types"); i++) {
		struct refs_group group = refs_groups_at(&foreign->types, i);
		struct refs_line line = refs_line("foreign_type");
		line.number = i + 1;
		line.count = group.count;
		line.targets = group.bytes;
		refs_append_type(refs, &line.type, group.type);
		refs_print(refs, &line);
	}
}

static void show_objects(struct foreign *foreign)
{
	struct refs *refs = foreign->refs;
	for (uint64_t i = 0; refs_lists(refs, i, foreign->count, "objects"); i++) {
		uint64_t row = snap_graph_numbers_get(foreign->rows, i);
		struct refs_line line = refs_line("foreign");
		line.number = i + 1;
		line.count = refs_value(refs, SNAP_OBJECT_REFCOUNT, row);
		line.targets = number_of(foreign->extra, row);
		line.is_single = true;
		refs_describe(refs, &line, row);
		refs_print(refs, &line);
	}
}

void refs_show_foreign(struct refs *refs)
{
	if (!snap_reader_has_column(refs->reader, SNAP_OBJECT_REFCOUNT))
		exit(cli_fail(
			"%s: the snapshot has no reference counts (Python's snap.dump() stores "
			"them)",
			refs->file));
	struct foreign foreign = {.refs = refs,
				  .extra = refs_numbers(refs, refs->objects, REFS_ANY_NUMBER),
				  .rows = refs_numbers(refs, refs->objects, refs->objects),
				  .types = {.refs = refs}};
	refs_must(refs, snap_graph_roots(refs->graph, find, &foreign, &refs->error));
	refs_must(refs, snap_graph_references(refs->graph, find, &foreign, &refs->error));
	compare_all(&foreign);
	refs_must(refs, snap_graph_numbers_sort(foreign.rows, foreign.count, comes_after, &foreign,
						&refs->error));
	show_types(&foreign);
	show_objects(&foreign);
	refs_groups_free(&foreign.types);
	snap_graph_numbers_close(foreign.rows);
	snap_graph_numbers_close(foreign.extra);
}
