/* What the targets are: types, sizes, what they retain, and where they were allocated. */
#include "refs.h"

struct own_bytes {
	struct refs_groups groups; /* by type and allocation site */
	uint64_t bytes;
	uint64_t stack; /* of all of them, or REFS_ANY_NUMBER */
};

static void add_target(struct own_bytes *own, uint64_t row, uint64_t stack, uint64_t size,
		       uint64_t count)
{
	struct refs *refs = own->groups.refs;
	const struct refs_group added = {.type = snap_graph_type(refs->graph, row),
					 .label = refs_site(refs, stack),
					 .row = row,
					 .count = count,
					 .bytes = refs_multiply(size, count)};
	own->stack = own->groups.count == 0 || own->stack == stack ? stack : REFS_ANY_NUMBER;
	refs_groups_add(&own->groups, &added);
	own->bytes = refs_add(own->bytes, added.bytes);
}

static void add_few(struct refs *refs, struct own_bytes *own)
{
	for (uint64_t row = refs_next_target(refs, 0); row != SNAP_GRAPH_NONE;
	     row = refs_next_target(refs, row + 1)) {
		struct snap_graph_object object;
		refs_must(refs, snap_graph_object(refs->graph, row, &object, &refs->error));
		add_target(own, row, refs_value(refs, SNAP_OBJECT_STACK, row), object.size,
			   object.count);
	}
}

#define FEW_TARGETS 16
#define MAX_FRAMES  65536 /* a damaged file may say that frames are inlined into each other */

/* Sizes of many are read in one pass over all rows; rows that a partial reader lost are in none. */
static void add_targets(struct refs *refs, struct own_bytes *own)
{
	if (refs->count <= FEW_TARGETS && !cli_common.partial) {
		add_few(refs, own);
		return;
	}
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT, SNAP_OBJECT_STACK};
	struct scan scan = scan_begin(refs->reader, columns, 3, &refs->error);
	while (scan_next(&scan))
		if (snap_graph_set_has(refs->targets, scan.row))
			add_target(own, scan.row, scan_value(&scan, 2), scan_value(&scan, 0),
				   scan_value(&scan, 1));
	refs_must(refs, scan_end(&scan, NULL));
}

/* From the innermost frame outwards; what was inlined lies within its caller. */
struct stack_walk {
	uint64_t stack, frame;
};

static struct stack_walk walk_from(struct refs *refs, uint64_t stack)
{
	return (struct stack_walk){stack,
				   stack ? refs_value(refs, SNAP_STACK_FRAME, stack - 1) : 0};
}

static void walk_on(struct refs *refs, struct stack_walk *walk)
{
	walk->frame = refs_value(refs, SNAP_FRAME_INLINED_INTO, walk->frame - 1);
	if (walk->frame == 0)
		*walk = walk_from(refs, refs_value(refs, SNAP_STACK_PARENT, walk->stack - 1));
}

static void show_stack(struct refs *refs, uint64_t stack, bool is_running)
{
	struct stack_walk walk = walk_from(refs, stack);
	uint64_t depth = 0, rest = 0;
	for (; walk.frame != 0 && depth < MAX_FRAMES && !refs_over_limit(refs->limit, depth);
	     depth++) {
		struct refs_line line = refs_line("frame");
		line.depth = depth;
		line.is_frame = is_running;
		refs_append_function(refs, &line.label, walk.frame);
		refs_append_place(refs, &line.site, walk.frame);
		refs_print(refs, &line);
		walk_on(refs, &walk);
	}
	for (; walk.frame != 0 && rest < MAX_FRAMES && refs->table == NULL; rest++)
		walk_on(refs, &walk);
	refs_print_rest(refs, rest, "frames");
}

void refs_show_targets(struct refs *refs)
{
	struct own_bytes own = {.groups = {.refs = refs}};
	add_targets(refs, &own);
	struct refs_line all = refs_line("all");
	all.count = refs->count;
	all.bytes = own.bytes;
	refs_must(refs, snap_graph_retained_by(refs->graph, refs->targets, &all.retained, NULL,
					       &refs->error));
	refs_print(refs, &all);
	struct refs_groups *groups = &own.groups;
	refs_groups_sort(groups);
	for (uint64_t i = 0; i < groups->count; i++) {
		struct refs_group group = refs_groups_at(groups, i);
		struct refs_line line = refs_line("target");
		if (refs_over_limit(refs->limit, i)) {
			refs_print_rest(refs, groups->count - i, "types and sites");
			break;
		}
		line.number = i + 1;
		line.count = group.count;
		line.bytes = group.bytes;
		refs_describe(refs, &line, group.row);
		if (group.count == 1)
			line.retained = snap_graph_retained(refs->graph, group.row);
		if (group.count == 1 &&
		    snap_graph_distance(refs->graph, group.row) == SNAP_GRAPH_NONE)
			line.kind = "unreachable";
		if (!line.is_frame)
			refs_append_site(refs, &line.site, group.label);
		refs_print(refs, &line);
	}
	if (groups->count > 0 && own.stack != REFS_ANY_NUMBER)
		show_stack(refs, own.stack, refs_groups_at(groups, 0).count == 0);
	refs_groups_free(groups);
}
