/* What the targets are: types, sizes, what they retain, and where they were allocated. */
#include "refs.h"

struct own_bytes {
	struct refs_groups groups; /* by type and allocation site */
	uint64_t bytes;
	uint64_t stack; /* of all of them, or REFS_ANY_NUMBER */
};

static void add_target(struct own_bytes *own, const struct refs_group *added, uint64_t stack)
{
	own->stack = own->groups.count == 0 || own->stack == stack ? stack : REFS_ANY_NUMBER;
	refs_groups_add(&own->groups, added);
	own->bytes = refs_add(own->bytes, added->bytes);
}

#define CHUNK      4096
#define MAX_FRAMES 65536 /* a damaged file may say that frames are inlined into each other */

/* Sizes, counts and stacks of so many rows. */
struct chunk {
	uint64_t first, end;
	uint64_t values[3][CHUNK];
};

static void read_chunk(struct refs *refs, struct snap_column *const *columns, struct chunk *chunk,
		       uint64_t row)
{
	chunk->first = row;
	chunk->end = refs->objects - row < CHUNK ? refs->objects : row + CHUNK;
	for (size_t i = 0; i < 3; i++)
		refs_must(refs, snap_column_read(columns[i], row, (size_t)(chunk->end - row),
						 chunk->values[i], &refs->error));
}

/* Neighbours of one type and stack are added together. */
static void add_chunks(struct refs *refs, struct own_bytes *own, struct snap_column *const *columns)
{
	struct chunk chunk = {.end = 0};
	struct refs_group added = {.count = 0};
	uint64_t stack = 0, type_end = 0, type = 0;
	bool any = false;
	for (uint64_t row = refs_next_target(refs, 0); row != SNAP_GRAPH_NONE;
	     row = refs_next_target(refs, row + 1)) {
		if (row >= chunk.end)
			read_chunk(refs, columns, &chunk, row);
		if (row >= type_end)
			type = snap_graph_type_until(refs->graph, row, &type_end);
		uint64_t size = chunk.values[0][row - chunk.first];
		uint64_t count = chunk.values[1][row - chunk.first];
		uint64_t at = chunk.values[2][row - chunk.first];
		if (any && (type != added.type || at != stack)) {
			add_target(own, &added, stack);
			any = false;
		}
		if (!any) {
			stack = at;
			added = (struct refs_group){
				.type = type, .label = refs_site(refs, stack), .row = row};
		}
		any = true;
		added.count = refs_add(added.count, count);
		added.bytes = refs_add(added.bytes, refs_multiply(size, count));
	}
	if (any)
		add_target(own, &added, stack);
}

/* Rows that a partial reader lost are in none. */
static void add_what_is_left(struct refs *refs, struct own_bytes *own, const uint32_t *columns)
{
	struct scan scan = scan_begin(refs->reader, columns, 3, &refs->error);
	while (scan_next(&scan)) {
		if (!snap_graph_set_has(refs->targets, scan.row))
			continue;
		const struct refs_group added = {
			.type = snap_graph_type(refs->graph, scan.row),
			.label = refs_site(refs, scan_value(&scan, 2)),
			.row = scan.row,
			.count = scan_value(&scan, 1),
			.bytes = refs_multiply(scan_value(&scan, 0), scan_value(&scan, 1))};
		add_target(own, &added, scan_value(&scan, 2));
	}
	refs_must(refs, scan_end(&scan, NULL));
}

static void add_targets(struct refs *refs, struct own_bytes *own)
{
	static const uint32_t names[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT, SNAP_OBJECT_STACK};
	struct snap_column *columns[3] = {NULL};
	if (cli_common.partial) {
		add_what_is_left(refs, own, names);
		return;
	}
	for (size_t i = 0; i < 3; i++)
		refs_must(refs,
			  snap_column_open(&columns[i], refs->reader, names[i], &refs->error));
	add_chunks(refs, own, columns);
	for (size_t i = 0; i < 3; i++)
		snap_column_close(columns[i]);
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
	all.retained = refs_freed_bytes(refs);
	refs_print(refs, &all);
	struct refs_groups *groups = &own.groups;
	refs_groups_sort(groups);
	for (uint64_t i = 0; refs_lists(refs, i, groups->count, "types and sites"); i++) {
		struct refs_group group = refs_groups_at(groups, i);
		struct refs_line line = refs_line("target");
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
