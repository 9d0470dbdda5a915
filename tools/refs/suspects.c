/* Accumulation points: where the dominator tree spreads out below something that retains much.
 *
 * Only objects that retain more than the threshold matter.  From the roots down, a child that holds
 * most of its parent is entered, and others are unless they are alike, as elements of an array are,
 * or parts of a recursive structure.  From the bottom up, what is entered keeps what is not in a
 * suspect below it; it is a suspect itself if that is more than the threshold. */
#include "suspects.h"

#include <stdlib.h>

#define NOBODY UINT32_MAX
/* Objects of one type within so many dominators are one structure, if they are at least so many. */
#define PERIOD   4
#define LONG_RUN 8
/* A child with more than this part of its parent goes on where the parent left off. */
#define MOST 0.7

/* There may be as many as objects: a long list. */
struct big {
	uint64_t kept;    /* not in suspects below */
	uint32_t row;     /* there are less than 2^32 */
	uint32_t largest; /* row of the child that retains most; NOBODY: there is none */
	uint32_t parent, first_child, sibling;
	uint32_t head, length; /* of the run it is in; of a head, how many are in it */
	bool is_synthetic, is_entered, is_suspect;
};

struct search {
	struct refs *refs;
	struct big *bigs; /* rows ascend */
	uint32_t count, first_top;
	uint32_t *order; /* those entered, parents first */
	uint32_t entered;
	uint64_t threshold;
	uint8_t *kinds; /* by type: 0 not known yet, 1 object, 2 synthetic */
};

static bool is_reached(const struct refs *refs, uint64_t row)
{
	return snap_graph_distance(refs->graph, row) != SNAP_GRAPH_NONE;
}

static uint64_t retained_of(const struct search *search, const struct big *big)
{
	return snap_graph_retained(search->refs->graph, big->row);
}

static uint64_t type_of(const struct search *search, const struct big *big)
{
	return snap_graph_type(search->refs->graph, big->row);
}

static uint32_t find(const struct search *search, uint64_t row)
{
	uint32_t low = 0, high = search->count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (search->bigs[middle].row < row)
			low = middle + 1;
		else
			high = middle;
	}
	return low < search->count && search->bigs[low].row == row ? low : NOBODY;
}

/* ---- the dominator tree of what is big ---- */

static bool is_synthetic(struct search *search, uint64_t row)
{
	struct refs *refs = search->refs;
	uint8_t *kind = &search->kinds[snap_graph_type(refs->graph, row)];
	if (*kind == 0) {
		struct snap_graph_object object;
		refs_must(refs, snap_graph_object(refs->graph, row, &object, &refs->error));
		*kind = object.kind == SNAP_TYPE_SYNTHETIC ? 2 : 1;
	}
	return *kind == 2;
}

static void collect(struct search *search)
{
	struct refs *refs = search->refs;
	uint64_t count = 0;
	for (uint64_t row = 0; row < refs->objects; row++)
		count += snap_graph_retained(refs->graph, row) > search->threshold;
	search->bigs = refs_zeroed(count, sizeof(*search->bigs));
	search->order = refs_zeroed(count, sizeof(*search->order));
	for (uint64_t row = 0; row < refs->objects; row++) {
		uint64_t retained = snap_graph_retained(refs->graph, row);
		if (retained <= search->threshold)
			continue;
		uint32_t index = search->count++;
		search->bigs[index] = (struct big){
			.row = (uint32_t)row,
			.largest = NOBODY,
			.kept = retained,
			.parent = NOBODY,
			.first_child = NOBODY,
			.sibling = NOBODY,
			.head = index,
			.length = 1,
			.is_synthetic = is_synthetic(search, row),
		};
	}
}

static void link_bigs(struct search *search)
{
	const struct snap_graph *graph = search->refs->graph;
	search->first_top = NOBODY;
	for (uint32_t i = search->count; i-- > 0;) {
		struct big *big = &search->bigs[i];
		uint64_t dominator = snap_graph_dominator(graph, big->row);
		if (dominator != SNAP_GRAPH_NONE)
			big->parent = find(search, dominator);
		uint32_t *first = big->parent == NOBODY ? &search->first_top
							: &search->bigs[big->parent].first_child;
		big->sibling = *first;
		*first = i;
	}
	for (uint64_t row = 0; row < search->refs->objects; row++) {
		uint64_t dominator = snap_graph_dominator(graph, row);
		if (dominator == SNAP_GRAPH_NONE ||
		    snap_graph_retained(graph, dominator) <= search->threshold)
			continue;
		struct big *big = &search->bigs[find(search, dominator)];
		if (big->largest == NOBODY ||
		    snap_graph_retained(graph, row) > snap_graph_retained(graph, big->largest))
			big->largest = (uint32_t)row;
	}
}

/* ---- from the roots down ---- */

static bool keep_label(void *context, const struct snap_graph_reference *reference)
{
	uint64_t *label = context;
	*label = reference->label;
	return true;
}

/* The label of the last step to a row. */
static uint64_t label_of(struct refs *refs, uint64_t row)
{
	uint64_t label = SNAP_LABEL_NONE;
	refs_must(refs, snap_graph_path(refs->graph, row, keep_label, &label, &refs->error));
	return label;
}

static bool holds_most(const struct search *search, const struct big *parent,
		       const struct big *child)
{
	return (double)retained_of(search, child) >= MOST * (double)retained_of(search, parent);
}

/* Whether another child that is as large is of the same type, and only an index or a key tells them
 * apart. */
static bool is_one_of_many(struct search *search, const struct big *parent, const struct big *child)
{
	bool has_twin = false;
	for (uint32_t i = parent->first_child; i != NOBODY; i = search->bigs[i].sibling) {
		const struct big *other = &search->bigs[i];
		has_twin |= other != child && type_of(search, other) == type_of(search, child);
	}
	return has_twin && label_of(search->refs, child->row) % 4 != 0;
}

static bool is_separate(struct search *search, const struct big *parent, const struct big *child)
{
	if (parent->is_synthetic || holds_most(search, parent, child))
		return true;
	uint64_t type = type_of(search, child);
	if (type == type_of(search, parent) && child->largest != NOBODY &&
	    type == snap_graph_type(search->refs->graph, child->largest))
		return false;
	return !is_one_of_many(search, parent, child);
}

static uint32_t head_of(const struct big *bigs, uint32_t at)
{
	while (bigs[at].head != at)
		at = bigs[at].head;
	return at;
}

/* Joins a row to the run of one of its last dominators, if it is of the same type; what lies
 * between the two belongs to it too. */
static void join_run(struct search *search, uint32_t index)
{
	struct big *bigs = search->bigs;
	uint32_t above = bigs[index].parent;
	for (int i = 0; i < PERIOD && above != NOBODY; i++, above = bigs[above].parent) {
		if (type_of(search, &bigs[above]) != type_of(search, &bigs[index]) ||
		    bigs[above].is_synthetic)
			continue;
		uint32_t head = head_of(bigs, above);
		for (uint32_t at = index; at != above; at = bigs[at].parent)
			if (bigs[at].head == at) {
				bigs[at].head = head;
				bigs[head].length += bigs[at].length;
			}
		return;
	}
}

static void enter(struct search *search)
{
	struct big *bigs = search->bigs;
	for (uint32_t at = search->first_top; at != NOBODY;) {
		struct big *big = &bigs[at];
		big->is_entered =
			big->parent == NOBODY || is_separate(search, &bigs[big->parent], big);
		if (big->is_entered) {
			search->order[search->entered++] = at;
			join_run(search, at);
			if (big->first_child != NOBODY) {
				at = big->first_child;
				continue;
			}
		}
		while (at != NOBODY && bigs[at].sibling == NOBODY)
			at = bigs[at].parent;
		if (at != NOBODY)
			at = bigs[at].sibling;
	}
}

/* ---- from the bottom up ---- */

static void move(uint64_t *from, uint64_t *to, uint64_t bytes)
{
	if (from != NULL)
		*from = *from > bytes ? *from - bytes : 0;
	if (to != NULL && __builtin_add_overflow(*to, bytes, to))
		*to = UINT64_MAX;
}

static void judge(struct search *search)
{
	struct big *bigs = search->bigs;
	for (uint32_t i = 0; i < search->entered; i++) {
		const struct big *big = &bigs[search->order[i]];
		if (big->parent != NOBODY)
			move(&bigs[big->parent].kept, NULL, retained_of(search, big));
	}
	for (uint32_t i = search->entered; i-- > 0;) {
		uint32_t at = search->order[i], head = head_of(bigs, at);
		struct big *big = &bigs[at];
		bool is_in_run = head != at && bigs[head].length >= LONG_RUN;
		big->is_suspect = !big->is_synthetic && !is_in_run && big->kept > search->threshold;
		uint32_t next = is_in_run ? head : big->parent;
		if (!big->is_suspect && next != NOBODY)
			move(NULL, &bigs[next].kept, big->kept);
	}
}

static int compare(const void *left, const void *right)
{
	const struct suspect *a = left, *b = right;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	return a->row < b->row ? -1 : a->row > b->row;
}

static struct suspect *add_suspect(struct suspects *out)
{
	out->items = cli_resize(out->items, (out->count + 1) * sizeof(*out->items));
	return &out->items[out->count++];
}

/* Held by nothing but the roots together, and not big itself. */
static bool is_loose(struct search *search, uint64_t row)
{
	const struct snap_graph *graph = search->refs->graph;
	if (!is_reached(search->refs, row) || snap_graph_retained(graph, row) > search->threshold ||
	    is_synthetic(search, row))
		return false;
	uint64_t dominator = snap_graph_dominator(graph, row);
	return dominator == SNAP_GRAPH_NONE || is_synthetic(search, dominator);
}

static void add_types(struct search *search, struct suspects *out)
{
	struct refs *refs = search->refs;
	struct refs_groups groups = {NULL, 0, 0, NULL, 0};
	for (uint64_t row = 0; row < refs->objects; row++) {
		if (!is_loose(search, row))
			continue;
		struct refs_group *group =
			refs_group(&groups, snap_graph_type(refs->graph, row), 0, 0, row);
		group->count++;
		move(NULL, &group->bytes, snap_graph_retained(refs->graph, row));
	}
	for (size_t i = 0; i < groups.count; i++) {
		const struct refs_group *group = &groups.groups[i];
		if (group->bytes > search->threshold)
			*add_suspect(out) = (struct suspect){.row = group->row,
							     .type = group->type,
							     .is_type = true,
							     .count = group->count,
							     .bytes = group->bytes,
							     .retained = group->bytes};
	}
	refs_groups_free(&groups);
}

static void add_bigs(const struct search *search, struct suspects *out)
{
	for (uint32_t i = 0; i < search->entered; i++) {
		const struct big *big = &search->bigs[search->order[i]];
		if (big->is_suspect)
			*add_suspect(out) = (struct suspect){.row = big->row,
							     .type = type_of(search, big),
							     .count = 1,
							     .bytes = big->kept,
							     .retained = retained_of(search, big)};
	}
}

/* For every row the suspect that holds it: the closest of its dominators that is one, or itself. */
static void assign(struct search *search, struct suspects *out)
{
	struct refs *refs = search->refs;
	uint64_t types = snap_reader_row_count(refs->reader, SNAP_TYPES);
	uint32_t *by_type = refs_zeroed(types + 1, sizeof(*by_type));
	uint32_t *owner = out->owner = refs_zeroed(refs->objects, sizeof(*owner));
	for (uint32_t i = 0; i < out->count; i++)
		if (out->items[i].is_type)
			by_type[out->items[i].type] = i + 1;
		else
			owner[out->items[i].row] = i + 1;
	for (uint64_t row = 0; row < refs->objects; row++) {
		uint32_t suspect = by_type[snap_graph_type(refs->graph, row)];
		if (suspect != 0 && is_loose(search, row))
			owner[row] = suspect;
	}
	for (uint64_t row = 0; row < refs->objects; row++) {
		uint64_t at = row;
		while (at != SNAP_GRAPH_NONE && owner[at] == 0)
			at = snap_graph_dominator(refs->graph, at);
		uint32_t found = at != SNAP_GRAPH_NONE ? owner[at] : SUSPECT_NONE;
		for (at = row; at != SNAP_GRAPH_NONE && owner[at] == 0;
		     at = snap_graph_dominator(refs->graph, at))
			owner[at] = found;
	}
	free(by_type);
}

void refs_find_suspects(struct refs *refs, uint64_t percent, struct suspects *out)
{
	struct search search = {.refs = refs};
	*out = (struct suspects){.percent = percent};
	for (uint64_t row = 0; row < refs->objects; row++) {
		if (!is_reached(refs, row))
			continue;
		out->objects++;
		if (snap_graph_dominator(refs->graph, row) == SNAP_GRAPH_NONE)
			move(NULL, &out->bytes, snap_graph_retained(refs->graph, row));
	}
	search.threshold = out->bytes / 100 * percent + out->bytes % 100 * percent / 100;
	search.kinds = refs_zeroed(snap_reader_row_count(refs->reader, SNAP_TYPES) + 1, 1);
	collect(&search);
	link_bigs(&search);
	enter(&search);
	judge(&search);
	add_bigs(&search, out);
	add_types(&search, out);
	if (out->count > 0)
		qsort(out->items, out->count, sizeof(*out->items), compare);
	assign(&search, out);
	free(search.kinds);
	free(search.bigs);
	free(search.order);
}
