/* Counts by type, kind and label.  They may be as many as objects, so they are numbers that may lie
 * in temporary files. */
#include "refs.h"

enum { TYPE, KIND, LABEL, COUNT, BYTES, ROW, EXACT, NAMES, FIELDS };

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static uint64_t get(const struct refs_groups *groups, uint64_t index, int field)
{
	return snap_graph_numbers_get(groups->records, index * FIELDS + (uint64_t)field);
}

static void set(const struct refs_groups *groups, uint64_t index, int field, uint64_t value)
{
	snap_graph_numbers_set(groups->records, index * FIELDS + (uint64_t)field, value);
}

static uint64_t find_slot(const struct refs_groups *groups, uint64_t type, uint64_t kind,
			  uint64_t label)
{
	uint64_t mask = groups->capacity * 2 - 1, index;
	uint64_t at = mix(mix(label) + mix(type) + kind) & mask;
	while ((index = snap_graph_numbers_get(groups->table, at)) != SNAP_GRAPH_NONE) {
		if (get(groups, index, TYPE) == type && get(groups, index, KIND) == kind &&
		    get(groups, index, LABEL) == label)
			break;
		at = (at + 1) & mask;
	}
	return at;
}

static void enlarge(struct refs_groups *groups)
{
	struct refs *refs = groups->refs;
	uint64_t capacity = groups->capacity == 0 ? 64 : groups->capacity * 2;
	struct refs_groups larger = {.refs = refs, .count = groups->count, .capacity = capacity};
	larger.records = refs_numbers(refs, capacity * FIELDS, REFS_ANY_NUMBER);
	larger.table = refs_numbers(refs, capacity * 2, capacity);
	for (uint64_t i = 0; i < groups->count; i++) {
		for (int field = 0; field < FIELDS; field++)
			set(&larger, i, field, get(groups, i, field));
		snap_graph_numbers_set(larger.table,
				       find_slot(&larger, get(groups, i, TYPE),
						 get(groups, i, KIND), get(groups, i, LABEL)),
				       i);
	}
	refs_must(refs, snap_graph_check(refs->graph, &refs->error));
	refs_groups_free(groups);
	*groups = larger;
}

/* Its index, found or made. */
static uint64_t find(struct refs_groups *groups, const struct refs_group *added)
{
	if (groups->count == groups->capacity)
		enlarge(groups);
	uint64_t slot = find_slot(groups, added->type, added->kind, added->label);
	uint64_t index = snap_graph_numbers_get(groups->table, slot);
	if (index != SNAP_GRAPH_NONE)
		return index;
	index = groups->count++;
	snap_graph_numbers_set(groups->table, slot, index);
	const uint64_t values[FIELDS] = {[TYPE] = added->type,
					 [KIND] = added->kind,
					 [LABEL] = added->label,
					 [ROW] = added->row,
					 [EXACT] = added->exact};
	for (int field = 0; field < FIELDS; field++)
		set(groups, index, field, values[field]);
	return index;
}

uint64_t refs_groups_add(struct refs_groups *groups, const struct refs_group *added)
{
	struct refs_group *last = &groups->last;
	bool is_last = groups->count > 0 && last->type == added->type &&
		       last->kind == added->kind && last->label == added->label;
	if (!is_last) {
		uint64_t index = find(groups, added);
		*last = *added;
		last->index = index;
		last->row = get(groups, index, ROW);
	}
	uint64_t at = last->index;
	set(groups, at, COUNT, refs_add(get(groups, at, COUNT), added->count));
	set(groups, at, BYTES, refs_add(get(groups, at, BYTES), added->bytes));
	return last->row;
}

static struct refs_group group_of(const struct refs_groups *groups, uint64_t index)
{
	return (struct refs_group){.type = get(groups, index, TYPE),
				   .kind = get(groups, index, KIND),
				   .label = get(groups, index, LABEL),
				   .count = get(groups, index, COUNT),
				   .bytes = get(groups, index, BYTES),
				   .row = get(groups, index, ROW),
				   .exact = get(groups, index, EXACT),
				   .names = get(groups, index, NAMES),
				   .index = index};
}

struct refs_group refs_groups_at(const struct refs_groups *groups, uint64_t index)
{
	return group_of(groups, groups->order != NULL ? snap_graph_numbers_get(groups->order, index)
						      : index);
}

void refs_groups_free(struct refs_groups *groups)
{
	snap_graph_numbers_close(groups->records);
	snap_graph_numbers_close(groups->table);
	snap_graph_numbers_close(groups->order);
	*groups = (struct refs_groups){.refs = groups->refs};
}

/* ---- order ---- */

static bool has_less(const void *context, uint64_t left, uint64_t right)
{
	struct refs_group a = group_of(context, left), b = group_of(context, right);
	if (a.bytes != b.bytes)
		return a.bytes < b.bytes;
	if (a.count != b.count)
		return a.count < b.count;
	return a.index > b.index;
}

static bool has_later_label(const void *context, uint64_t left, uint64_t right)
{
	struct refs_group a = group_of(context, left), b = group_of(context, right);
	if (a.label != b.label)
		return a.label > b.label;
	if (a.count != b.count)
		return a.count < b.count;
	return a.index > b.index;
}

static bool has_later_kind(const void *context, uint64_t left, uint64_t right)
{
	struct refs_group a = group_of(context, left), b = group_of(context, right);
	if (a.type != b.type)
		return a.type > b.type;
	if (a.kind != b.kind)
		return a.kind > b.kind;
	if (a.label % 4 != b.label % 4)
		return a.label % 4 > b.label % 4;
	return a.index > b.index;
}

static void sort(struct refs_groups *groups, bool (*comes_after)(const void *, uint64_t, uint64_t))
{
	struct refs *refs = groups->refs;
	if (groups->count == 0)
		return;
	if (groups->order == NULL) {
		groups->order = refs_numbers(refs, groups->count, groups->count);
		for (uint64_t i = 0; i < groups->count; i++)
			snap_graph_numbers_set(groups->order, i, i);
	}
	refs_must(refs, snap_graph_numbers_sort(groups->order, groups->count, comes_after, groups,
						&refs->error));
}

void refs_groups_sort(struct refs_groups *groups)
{
	sort(groups, has_less);
}

void refs_groups_sort_by_label(struct refs_groups *groups)
{
	sort(groups, has_later_label);
}

/* ---- names ---- */

static bool is_name(const struct refs_group *group, uint64_t limit)
{
	return group->label % 4 == 0 && group->kind < limit;
}

/* The first of the groups stands for all. */
static void fold(struct refs_groups *groups, uint64_t from, uint64_t to)
{
	struct refs_group first = refs_groups_at(groups, from);
	for (uint64_t i = from + 1; i < to; i++) {
		struct refs_group next = refs_groups_at(groups, i);
		first.count = refs_add(first.count, next.count);
		first.bytes = refs_add(first.bytes, next.bytes);
	}
	set(groups, first.index, COUNT, first.count);
	set(groups, first.index, BYTES, first.bytes);
	set(groups, first.index, LABEL, SNAP_GRAPH_ANY_NAME);
	set(groups, first.index, NAMES, to - from);
}

void refs_groups_fold_names(struct refs_groups *groups, uint64_t limit)
{
	uint64_t kept = 0;
	sort(groups, has_later_kind);
	for (uint64_t from = 0, to; from < groups->count; from = to) {
		struct refs_group first = refs_groups_at(groups, from);
		uint64_t references = first.count;
		for (to = from + 1; to < groups->count && is_name(&first, limit); to++) {
			struct refs_group next = refs_groups_at(groups, to);
			if (next.type != first.type || next.kind != first.kind ||
			    !is_name(&next, limit))
				break;
			references = refs_add(references, next.count);
		}
		uint64_t names = to - from, keeps = names;
		if (names > SNAP_GRAPH_FEW_NAMES && references < 2 * names) {
			fold(groups, from, to);
			keeps = 1;
		}
		for (uint64_t i = 0; i < keeps; i++)
			snap_graph_numbers_set(groups->order, kept++,
					       snap_graph_numbers_get(groups->order, from + i));
	}
	groups->count = kept;
}
