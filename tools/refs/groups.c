/* Counts by type, kind and label. */
#include "refs.h"

#include <stdlib.h>
#include <string.h>

static uint64_t mix(uint64_t x)
{
	x ^= x >> 33;
	x *= UINT64_C(0xff51afd7ed558ccd);
	x ^= x >> 33;
	x *= UINT64_C(0xc4ceb9fe1a85ec53);
	return x ^ x >> 33;
}

static size_t find_slot(const struct refs_groups *groups, uint64_t type, uint32_t kind,
			uint64_t label)
{
	size_t mask = groups->table_size - 1,
	       at = (size_t)mix(mix(label) + mix(type) + kind) & mask;
	for (; groups->table[at] != UINT32_MAX; at = (at + 1) & mask) {
		const struct refs_group *group = &groups->groups[groups->table[at]];
		if (group->type == type && group->kind == kind && group->label == label)
			break;
	}
	return at;
}

static void enlarge(struct refs_groups *groups)
{
	groups->capacity = groups->capacity == 0 ? 64 : groups->capacity * 2;
	groups->table_size = groups->capacity * 2;
	groups->groups = cli_resize(groups->groups, groups->capacity * sizeof(*groups->groups));
	groups->table = cli_resize(groups->table, groups->table_size * sizeof(*groups->table));
	memset(groups->table, 0xff, groups->table_size * sizeof(*groups->table));
	for (size_t i = 0; i < groups->count; i++) {
		const struct refs_group *group = &groups->groups[i];
		groups->table[find_slot(groups, group->type, group->kind, group->label)] =
			(uint32_t)i;
	}
}

struct refs_group *refs_group(struct refs_groups *groups, uint64_t type, uint32_t kind,
			      uint64_t label, uint64_t row)
{
	if (groups->count == groups->capacity)
		enlarge(groups);
	size_t slot = find_slot(groups, type, kind, label);
	if (groups->table[slot] == UINT32_MAX) {
		groups->table[slot] = (uint32_t)groups->count;
		groups->groups[groups->count] =
			(struct refs_group){.type = type,
					    .kind = kind,
					    .label = label,
					    .row = row,
					    .index = (uint32_t)groups->count,
					    .exact = label};
		groups->count++;
	}
	return &groups->groups[groups->table[slot]];
}

static int compare(const void *left, const void *right)
{
	const struct refs_group *a = left, *b = right;
	if (a->bytes != b->bytes)
		return a->bytes > b->bytes ? -1 : 1;
	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

void refs_groups_sort(struct refs_groups *groups)
{
	if (groups->count > 0)
		qsort(groups->groups, groups->count, sizeof(*groups->groups), compare);
}

void refs_groups_free(struct refs_groups *groups)
{
	free(groups->groups);
	free(groups->table);
	*groups = (struct refs_groups){NULL, 0, 0, NULL, 0};
}

/* ---- names ---- */

static bool is_name(const struct refs_group *group, uint32_t limit)
{
	return group->label % 4 == 0 && group->kind < limit;
}

static int compare_kinds(const void *left, const void *right)
{
	const struct refs_group *a = left, *b = right;
	if (a->type != b->type)
		return a->type < b->type ? -1 : 1;
	if (a->kind != b->kind)
		return a->kind < b->kind ? -1 : 1;
	if (a->label % 4 != b->label % 4)
		return a->label % 4 < b->label % 4 ? -1 : 1;
	return a->index < b->index ? -1 : a->index > b->index;
}

/* The first of the groups stands for all. */
static void fold(struct refs_group *groups, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		groups[0].count += groups[i].count;
		groups[0].bytes += groups[i].bytes;
	}
	groups[0].label = SNAP_GRAPH_ANY_NAME;
	groups[0].names = count;
}

void refs_groups_fold_names(struct refs_groups *groups, uint32_t limit)
{
	size_t kept = 0;
	if (groups->count > 0)
		qsort(groups->groups, groups->count, sizeof(*groups->groups), compare_kinds);
	for (size_t from = 0, to; from < groups->count; from = to) {
		struct refs_group *first = &groups->groups[from];
		uint64_t references = first->count;
		for (to = from + 1; to < groups->count && is_name(first, limit); to++) {
			const struct refs_group *next = &groups->groups[to];
			if (next->type != first->type || next->kind != first->kind ||
			    !is_name(next, limit))
				break;
			references += next->count;
		}
		size_t names = to - from;
		if (names > SNAP_GRAPH_FEW_NAMES && references < 2 * (uint64_t)names) {
			fold(first, names);
			groups->groups[kept++] = *first;
			continue;
		}
		memmove(&groups->groups[kept], first, names * sizeof(*first));
		kept += names;
	}
	groups->count = kept;
}
