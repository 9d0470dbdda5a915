/* Accumulation points: where the dominator tree spreads out below something that retains much.
 *
 * Only objects that retain more than the threshold matter.  From the roots down, a child that holds
 * most of its parent is entered, and others are unless they are alike, as elements of an array are,
 * or parts of a recursive structure.  From the bottom up, what is entered keeps what is not in a
 * suspect below it; it is a suspect itself if that is more than the threshold. */
#include "suspects.h"
#include "tops.h"

#include <stdlib.h>

#define NOBODY SNAP_GRAPH_NONE
/* Objects of one type within so many dominators are one structure, if they are at least so many:
 * what is only made of a few common types, as closures are, is none. */
#define PERIOD   4
#define LONG_RUN 8
/* A child with more than this part of its parent goes on where the parent left off. */
#define MOST 0.7

/* Of each big object, rows ascending.  There may be as many as objects: a long list. */
enum {
	ROW,
	RETAINED,
	DOMINATOR, /* row */
	KEPT,      /* bytes that are not in suspects below */
	LARGEST,   /* row of the child that retains most; NOBODY: there is none */
	PARENT,
	FIRST_CHILD,
	SIBLING,
	HEAD,   /* of the run it is in */
	NTH,    /* of those of its type in the run, from 1 */
	LENGTH, /* of a head: how many of one type are in the run */
	IS_SYNTHETIC,
	IS_SUSPECT,
	FIELDS
};

struct search {
	struct refs *refs;
	const struct tops *tops; /* NULL: all objects are looked at */
	struct snap_graph_numbers *bigs;
	uint64_t count, first_top;
	struct snap_graph_numbers *order; /* those entered, parents first */
	uint64_t entered;
	uint64_t threshold;
	uint64_t types;
	uint8_t *kinds; /* by type: its kind + 1; 0: not known yet */
};

static bool is_reached(const struct refs *refs, uint64_t row)
{
	return snap_graph_is_reached(refs->graph, row);
}

static uint64_t get(const struct search *search, uint64_t big, int field)
{
	return snap_graph_numbers_get(search->bigs, big * FIELDS + (uint64_t)field);
}

static void set(const struct search *search, uint64_t big, int field, uint64_t value)
{
	snap_graph_numbers_set(search->bigs, big * FIELDS + (uint64_t)field, value);
}

static uint64_t retained_of(const struct search *search, uint64_t big)
{
	return get(search, big, RETAINED);
}

static uint64_t type_of(const struct search *search, uint64_t big)
{
	return snap_graph_type(search->refs->graph, get(search, big, ROW));
}

static uint64_t find(const struct search *search, uint64_t row)
{
	uint64_t low = 0, high = search->count;
	while (low < high) {
		uint64_t middle = low + (high - low) / 2;
		if (get(search, middle, ROW) < row)
			low = middle + 1;
		else
			high = middle;
	}
	return low < search->count && get(search, low, ROW) == row ? low : NOBODY;
}

/* ---- the dominator tree of what is big ---- */

static bool is_of_kind(struct search *search, uint64_t row, enum snap_type_kind wanted)
{
	struct refs *refs = search->refs;
	uint8_t *kind = &search->kinds[snap_graph_type(refs->graph, row)];
	if (*kind == 0) {
		struct snap_graph_object object;
		refs_must(refs, snap_graph_object(refs->graph, row, &object, &refs->error));
		*kind = object.kind < UINT8_MAX ? (uint8_t)(object.kind + 1) : UINT8_MAX;
	}
	return *kind == wanted + 1;
}

static bool is_synthetic(struct search *search, uint64_t row)
{
	return is_of_kind(search, row, SNAP_TYPE_SYNTHETIC);
}

static void add_big(struct search *search, const struct top *top)
{
	uint64_t big = search->count++;
	set(search, big, ROW, top->row);
	set(search, big, RETAINED, top->retained);
	set(search, big, DOMINATOR, top->dominator);
	set(search, big, KEPT, top->retained);
	set(search, big, LARGEST, top->largest);
	set(search, big, HEAD, big);
	set(search, big, NTH, 1);
	set(search, big, LENGTH, 1);
	set(search, big, IS_SYNTHETIC, is_synthetic(search, top->row));
	set(search, big, IS_SUSPECT, false);
}

static void begin_bigs(struct search *search, uint64_t count)
{
	search->bigs = refs_numbers(search->refs, count * FIELDS, REFS_ANY_NUMBER);
	search->order = refs_numbers(search->refs, count, count);
}

static void collect(struct search *search)
{
	struct refs *refs = search->refs;
	uint64_t count = 0;
	for (uint64_t row = 0; row < refs->objects; row++)
		count += snap_graph_retained(refs->graph, row) > search->threshold;
	begin_bigs(search, count);
	for (uint64_t row = 0; row < refs->objects; row++) {
		const struct top top = {.row = row,
					.retained = snap_graph_retained(refs->graph, row),
					.dominator = snap_graph_dominator(refs->graph, row),
					.largest = NOBODY};
		if (top.retained > search->threshold)
			add_big(search, &top);
	}
}

static void find_largest(struct search *search)
{
	const struct snap_graph *graph = search->refs->graph;
	for (uint64_t row = 0; row < search->refs->objects; row++) {
		uint64_t dominator = snap_graph_dominator(graph, row);
		if (dominator == SNAP_GRAPH_NONE ||
		    snap_graph_retained(graph, dominator) <= search->threshold)
			continue;
		uint64_t big = find(search, dominator), largest = get(search, big, LARGEST);
		if (largest == NOBODY ||
		    snap_graph_retained(graph, row) > snap_graph_retained(graph, largest))
			set(search, big, LARGEST, row);
	}
}

static void collect_tops(struct search *search)
{
	const struct tops *tops = search->tops;
	begin_bigs(search, tops->count);
	for (size_t i = 0; i < tops->count; i++) {
		const struct top *top = &tops->items[tops->by_row[i]];
		if (top->retained > search->threshold)
			add_big(search, top);
	}
}

static void link_bigs(struct search *search)
{
	search->first_top = NOBODY;
	for (uint64_t i = search->count; i-- > 0;) {
		uint64_t dominator = get(search, i, DOMINATOR);
		uint64_t parent = dominator != SNAP_GRAPH_NONE ? find(search, dominator) : NOBODY;
		set(search, i, PARENT, parent);
		if (parent == NOBODY) {
			set(search, i, SIBLING, search->first_top);
			search->first_top = i;
		} else {
			set(search, i, SIBLING, get(search, parent, FIRST_CHILD));
			set(search, parent, FIRST_CHILD, i);
		}
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

static bool holds_most(const struct search *search, uint64_t parent, uint64_t child)
{
	return (double)retained_of(search, child) >= MOST * (double)retained_of(search, parent);
}

/* Whether another child that is as large is of the same type, and only an index or a key tells them
 * apart. */
static bool is_one_of_many(struct search *search, uint64_t parent, uint64_t child)
{
	bool has_twin = false;
	for (uint64_t other = get(search, parent, FIRST_CHILD); other != NOBODY;
	     other = get(search, other, SIBLING))
		has_twin |= other != child && type_of(search, other) == type_of(search, child);
	return has_twin && label_of(search->refs, get(search, child, ROW)) % 4 != 0;
}

static bool is_separate(struct search *search, uint64_t parent, uint64_t child)
{
	if (get(search, parent, IS_SYNTHETIC) || holds_most(search, parent, child))
		return true;
	uint64_t type = type_of(search, child), largest = get(search, child, LARGEST);
	if (type == type_of(search, parent) && largest != NOBODY &&
	    type == snap_graph_type(search->refs->graph, largest))
		return false;
	return !is_one_of_many(search, parent, child);
}

static uint64_t head_of(const struct search *search, uint64_t at)
{
	uint64_t head;
	while ((head = get(search, at, HEAD)) != at && head != NOBODY)
		at = head;
	return at;
}

static void lengthen(struct search *search, uint64_t head, uint64_t length)
{
	if (length > get(search, head, LENGTH))
		set(search, head, LENGTH, length);
}

/* Joins a row to the run of one of its last dominators, if it is of the same type; what lies
 * between the two belongs to it too. */
static void join_run(struct search *search, uint64_t index)
{
	uint64_t above = get(search, index, PARENT);
	for (int i = 0; i < PERIOD && above != NOBODY; i++, above = get(search, above, PARENT)) {
		if (type_of(search, above) != type_of(search, index) ||
		    get(search, above, IS_SYNTHETIC))
			continue;
		uint64_t head = head_of(search, above), nth = get(search, above, NTH) + 1;
		for (uint64_t at = index; at != above && at != NOBODY; at = get(search, at, PARENT))
			if (get(search, at, HEAD) == at) {
				set(search, at, HEAD, head);
				lengthen(search, head, get(search, at, LENGTH));
			}
		set(search, index, NTH, nth);
		lengthen(search, head, nth);
		return;
	}
}

static void enter(struct search *search)
{
	for (uint64_t at = search->first_top; at != NOBODY;) {
		uint64_t parent = get(search, at, PARENT), child = get(search, at, FIRST_CHILD);
		if (parent == NOBODY || is_separate(search, parent, at)) {
			snap_graph_numbers_set(search->order, search->entered++, at);
			join_run(search, at);
			if (child != NOBODY) {
				at = child;
				continue;
			}
		}
		while (at != NOBODY && get(search, at, SIBLING) == NOBODY)
			at = get(search, at, PARENT);
		if (at != NOBODY)
			at = get(search, at, SIBLING);
	}
}

/* ---- from the bottom up ---- */

static void keep_less(struct search *search, uint64_t big, uint64_t bytes)
{
	uint64_t kept = get(search, big, KEPT);
	set(search, big, KEPT, kept > bytes ? kept - bytes : 0);
}

static void judge(struct search *search)
{
	for (uint64_t i = 0; i < search->entered; i++) {
		uint64_t big = snap_graph_numbers_get(search->order, i);
		uint64_t parent = get(search, big, PARENT);
		if (parent != NOBODY)
			keep_less(search, parent, retained_of(search, big));
	}
	for (uint64_t i = search->entered; i-- > 0;) {
		uint64_t big = snap_graph_numbers_get(search->order, i);
		uint64_t head = head_of(search, big), kept = get(search, big, KEPT);
		bool is_in_run = head != big && get(search, head, LENGTH) >= LONG_RUN;
		bool is_suspect =
			!get(search, big, IS_SYNTHETIC) && !is_in_run && kept > search->threshold;
		uint64_t next = is_in_run ? head : get(search, big, PARENT);
		set(search, big, IS_SUSPECT, is_suspect);
		if (!is_suspect && next != NOBODY)
			set(search, next, KEPT, refs_add(get(search, next, KEPT), kept));
	}
}

static int compare(const void *left, const void *right)
{
	const struct suspect *a = left, *b = right;
	if (a->is_later != b->is_later)
		return a->is_later ? 1 : -1;
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
static bool is_loose_top(struct search *search, const struct top *top)
{
	if (top->retained > search->threshold || is_synthetic(search, top->row) ||
	    is_of_kind(search, top->row, SNAP_TYPE_PLACE))
		return false;
	return top->dominator == SNAP_GRAPH_NONE || is_synthetic(search, top->dominator);
}

static bool is_loose(struct search *search, uint64_t row)
{
	const struct snap_graph *graph = search->refs->graph;
	const struct top top = {.row = row,
				.retained = snap_graph_retained(graph, row),
				.dominator = snap_graph_dominator(graph, row)};
	return is_loose_top(search, &top) && is_reached(search->refs, row);
}

uint64_t refs_suspect_site(struct refs *refs, uint64_t row)
{
	if (snap_graph_type(refs->graph, row) != 0)
		return 0;
	return refs_site(refs, refs_value(refs, SNAP_OBJECT_STACK, row));
}

static struct refs_group loose_group(const struct search *search, uint64_t row, uint64_t retained)
{
	return (struct refs_group){.type = snap_graph_type(search->refs->graph, row),
				   .label = refs_suspect_site(search->refs, row),
				   .row = row,
				   .count = 1,
				   .bytes = retained};
}

static void add_loose(struct search *search, struct refs_groups *groups)
{
	struct refs *refs = search->refs;
	for (uint64_t row = 0; row < refs->objects; row++) {
		if (!is_loose(search, row))
			continue;
		const struct refs_group added =
			loose_group(search, row, snap_graph_retained(refs->graph, row));
		if (added.type != 0 || added.label != 0)
			refs_groups_add(groups, &added);
	}
}

struct loose {
	struct refs *refs;
	struct top_groups found;
};

static void take_loose(void *context, const struct top_part *part)
{
	struct loose *loose = context;
	const struct refs_group group = {.type = part->type,
					 .label = refs_site(loose->refs, part->stack),
					 .row = part->first,
					 .count = part->objects,
					 .bytes = part->bytes};
	if (part->kind == SNAP_TOP_LOOSE && (group.type != 0 || group.label != 0))
		tops_add_group(&loose->found, group);
}

/* False: there are no parts to tell. */
static bool add_loose_tops(struct search *search, struct refs_groups *groups)
{
	const struct tops *tops = search->tops;
	struct loose loose = {search->refs, {NULL, 0, 0}};
	bool is_told = tops_each_part(tops, take_loose, &loose);
	for (size_t i = 0; i < tops->count; i++) {
		const struct top *top = &tops->items[i];
		if (!is_loose_top(search, top))
			continue;
		const struct refs_group group = loose_group(search, top->row, top->retained);
		if (group.type != 0 || group.label != 0)
			tops_add_group(&loose.found, group);
	}
	tops_end_groups(&loose.found, groups);
	return is_told;
}

static bool add_groups(struct search *search, struct suspects *out)
{
	struct refs_groups groups = {.refs = search->refs};
	bool is_told = true;
	if (search->tops != NULL)
		is_told = add_loose_tops(search, &groups);
	else
		add_loose(search, &groups);
	for (uint64_t i = 0; i < groups.count; i++) {
		struct refs_group group = refs_groups_at(&groups, i);
		if (group.bytes > search->threshold)
			*add_suspect(out) =
				(struct suspect){.row = group.row,
						 .type = group.type,
						 .is_many = true,
						 .is_later = group.bytes < out->bytes / 2,
						 .site = group.label,
						 .count = group.count,
						 .bytes = group.bytes,
						 .retained = group.bytes};
	}
	refs_groups_free(&groups);
	return is_told;
}

static void add_bigs(const struct search *search, struct suspects *out)
{
	for (uint64_t i = 0; i < search->entered; i++) {
		uint64_t big = snap_graph_numbers_get(search->order, i);
		if (get(search, big, IS_SUSPECT))
			*add_suspect(out) = (struct suspect){.row = get(search, big, ROW),
							     .type = type_of(search, big),
							     .count = 1,
							     .bytes = get(search, big, KEPT),
							     .retained = retained_of(search, big)};
	}
}

/* For every row the suspect that holds it: the closest of its dominators that is one, or itself.
 * 0 while it is not known that there is none. */
static void assign(struct search *search, struct suspects *out)
{
	struct refs *refs = search->refs;
	const struct snap_graph *graph = refs->graph;
	uint64_t stacks = snap_reader_row_count(refs->reader, SNAP_STACKS) + 1;
	uint64_t *by_type = refs_zeroed(refs, search->types, sizeof(*by_type));
	uint64_t *by_site = refs_zeroed(refs, stacks, sizeof(*by_site));
	struct snap_graph_numbers *owner = out->owner =
		refs_numbers(refs, refs->objects, out->count + 1);
	for (uint64_t i = 0; i < out->count; i++)
		if (out->items[i].site != 0)
			by_site[out->items[i].site] = i + 1;
		else if (out->items[i].is_many)
			by_type[out->items[i].type] = i + 1;
		else
			snap_graph_numbers_set(owner, out->items[i].row, i + 1);
	for (uint64_t row = 0; row < refs->objects; row++) {
		uint64_t type = snap_graph_type(graph, row);
		if ((type != 0 && by_type[type] == 0) || !is_loose(search, row))
			continue;
		uint64_t suspect = type ? by_type[type] : by_site[refs_suspect_site(refs, row)];
		if (suspect != 0)
			snap_graph_numbers_set(owner, row, suspect);
	}
	for (uint64_t row = 0; row < refs->objects; row++) {
		uint64_t at = row, found = 0;
		while (at != SNAP_GRAPH_NONE &&
		       snap_graph_numbers_get(owner, at) == SNAP_GRAPH_NONE)
			at = snap_graph_dominator(graph, at);
		if (at != SNAP_GRAPH_NONE)
			found = snap_graph_numbers_get(owner, at);
		for (at = row;
		     at != SNAP_GRAPH_NONE && snap_graph_numbers_get(owner, at) == SNAP_GRAPH_NONE;
		     at = snap_graph_dominator(graph, at))
			snap_graph_numbers_set(owner, at, found);
	}
	refs_free(refs, by_type, search->types, sizeof(*by_type));
	refs_free(refs, by_site, stacks, sizeof(*by_site));
}

static void count_reached(struct search *search, struct suspects *out)
{
	struct refs *refs = search->refs;
	if (search->tops != NULL) {
		out->objects = search->tops->reached_objects;
		out->bytes = search->tops->reached_bytes;
		return;
	}
	for (uint64_t row = 0; row < refs->objects; row++) {
		if (!is_reached(refs, row))
			continue;
		out->objects++;
		if (snap_graph_dominator(refs->graph, row) == SNAP_GRAPH_NONE)
			out->bytes = refs_add(out->bytes, snap_graph_retained(refs->graph, row));
	}
}

/* Which objects are many is found only where all are looked at. */
static bool is_any_many(const struct refs *refs, const struct suspects *suspects)
{
	for (size_t i = 0; i < refs_suspects_shown(refs, suspects); i++)
		if (suspects->items[i].is_many)
			return true;
	return false;
}

static bool find_suspects(struct search *search, struct suspects *out)
{
	if (search->tops != NULL) {
		if (search->threshold < search->tops->least - 1)
			return false;
		collect_tops(search);
		link_bigs(search);
	} else {
		collect(search);
		link_bigs(search);
		find_largest(search);
	}
	enter(search);
	judge(search);
	add_bigs(search, out);
	bool is_told = add_groups(search, out);
	if (out->count > 0)
		qsort(out->items, out->count, sizeof(*out->items), compare);
	if (is_told && (search->tops == NULL || is_any_many(search->refs, out)))
		assign(search, out);
	return is_told;
}

bool refs_find_suspects(struct refs *refs, uint64_t percent, const struct tops *tops,
			struct suspects *out)
{
	struct search search = {.refs = refs, .tops = tops};
	*out = (struct suspects){.percent = percent};
	count_reached(&search, out);
	search.threshold = out->bytes / 100 * percent + out->bytes % 100 * percent / 100;
	search.types = snap_reader_row_count(refs->reader, SNAP_TYPES) + 1;
	search.kinds = refs_zeroed(refs, search.types, 1);
	bool found = find_suspects(&search, out);
	refs_free(refs, search.kinds, search.types, 1);
	snap_graph_numbers_close(search.bigs);
	snap_graph_numbers_close(search.order);
	if (!found) {
		free(out->items);
		*out = (struct suspects){.percent = percent};
	}
	return found;
}
