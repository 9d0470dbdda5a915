/* The objects that retain most, from the index of a snapshot. */
#include "tops.h"

#include <stdio.h>
#include <stdlib.h>

static void wrong(struct refs *refs, const char *what)
{
	refs->error = (struct snap_error){.status = SNAP_CORRUPT, .offset = SNAP_NO_OFFSET};
	snprintf(refs->error.message, sizeof(refs->error.message), "tops of the index %s", what);
	refs_must(refs, SNAP_CORRUPT);
}

static void read_tops(struct tops *tops)
{
	static const uint32_t columns[] = {SNAP_INDEX_TOP_OBJECT, SNAP_INDEX_TOP_RETAINED,
					   SNAP_INDEX_TOP_DOMINATOR, SNAP_INDEX_TOP_LARGEST};
	struct refs *refs = tops->refs;
	struct scan scan = scan_begin(refs->reader, columns, 4, &refs->error);
	while (scan_next(&scan) && scan_value(&scan, 1) >= tops->least) {
		if (scan.row != tops->count)
			wrong(refs, "come in no order");
		tops->items[tops->count++] = (struct top){.row = scan_value(&scan, 0) - 1,
							  .retained = scan_value(&scan, 1),
							  .dominator = scan_value(&scan, 2) - 1,
							  .largest = scan_value(&scan, 3) - 1,
							  .above = TOPS_NONE};
	}
	refs_must(refs, scan_end(&scan, NULL));
}

/* ---- by row ---- */

/* Rows and the numbers of their tops, while they are sorted. */
struct place {
	uint64_t row;
	size_t top;
};

static int compare_places(const void *left, const void *right)
{
	const struct place *a = left, *b = right;
	return a->row < b->row ? -1 : a->row > b->row;
}

static void sort_by_row(struct tops *tops)
{
	struct place *places = refs_zeroed(tops->refs, tops->count, sizeof(*places));
	for (size_t i = 0; i < tops->count; i++)
		places[i] = (struct place){tops->items[i].row, i};
	qsort(places, tops->count, sizeof(*places), compare_places);
	for (size_t i = 0; i < tops->count; i++) {
		if (i > 0 && places[i].row == places[i - 1].row)
			wrong(tops->refs, "are there twice");
		tops->by_row[i] = places[i].top;
	}
	refs_free(tops->refs, places, tops->count, sizeof(*places));
}

size_t tops_find(const struct tops *tops, uint64_t row)
{
	size_t low = 0, high = tops->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (tops->items[tops->by_row[middle]].row < row)
			low = middle + 1;
		else
			high = middle;
	}
	return low < tops->count && tops->items[tops->by_row[low]].row == row ? tops->by_row[low]
									      : TOPS_NONE;
}

/* All dominators of tops are tops, and do not go in a circle. */
static void link_tops(struct tops *tops)
{
	struct refs *refs = tops->refs;
	size_t *marks = refs_zeroed(refs, tops->count, sizeof(*marks));
	for (size_t i = 0; i < tops->count; i++) {
		struct top *top = &tops->items[i];
		if (top->dominator == SNAP_GRAPH_NONE)
			continue;
		top->above = tops_find(tops, top->dominator);
		if (top->above == TOPS_NONE)
			wrong(refs, "have dominators that are none");
	}
	for (size_t i = 0; i < tops->count; i++) {
		size_t at = i;
		for (; at != TOPS_NONE && marks[at] == 0; at = tops->items[at].above)
			marks[at] = i + 1;
		if (at != TOPS_NONE && marks[at] == i + 1)
			wrong(refs, "go in a circle");
	}
	refs_free(refs, marks, tops->count, sizeof(*marks));
}

bool refs_has_index(struct refs *refs)
{
	struct snap_index_info index;
	refs_must(refs, snap_reader_index(refs->reader, &index, &refs->error));
	return !refs->follows_weak && index.state == SNAP_INDEX_GOOD;
}

bool tops_load(struct tops *tops, struct refs *refs)
{
	struct snap_index_info index;
	*tops = (struct tops){.refs = refs};
	refs_must(refs, snap_reader_index(refs->reader, &index, &refs->error));
	if (!refs_has_index(refs) || index.facts[SNAP_FACT_TOP_BYTES] == 0)
		return false;
	tops->least = index.facts[SNAP_FACT_TOP_BYTES];
	tops->reached_objects = index.facts[SNAP_FACT_REACHED_OBJECTS];
	tops->reached_bytes = index.facts[SNAP_FACT_REACHED_BYTES];
	tops->capacity = (size_t)snap_reader_row_count(refs->reader, SNAP_INDEX_TOPS);
	tops->items = refs_zeroed(refs, tops->capacity, sizeof(*tops->items));
	tops->by_row = refs_zeroed(refs, tops->capacity, sizeof(*tops->by_row));
	read_tops(tops);
	sort_by_row(tops);
	link_tops(tops);
	return true;
}

void tops_free(struct tops *tops)
{
	refs_free(tops->refs, tops->items, tops->capacity, sizeof(*tops->items));
	refs_free(tops->refs, tops->by_row, tops->capacity, sizeof(*tops->by_row));
	*tops = (struct tops){.refs = tops->refs};
}

/* ---- parts ---- */

void tops_add_group(struct top_groups *groups, struct refs_group group)
{
	if (groups->count == groups->capacity) {
		groups->capacity = groups->capacity * 2 + 64;
		groups->items = cli_resize(groups->items, groups->capacity * sizeof(group));
	}
	groups->items[groups->count++] = group;
}

static int compare_groups(const void *left, const void *right)
{
	const struct refs_group *a = left, *b = right;
	return a->row < b->row ? -1 : a->row > b->row;
}

void tops_end_groups(struct top_groups *groups, struct refs_groups *out)
{
	if (groups->count > 0)
		qsort(groups->items, groups->count, sizeof(*groups->items), compare_groups);
	for (size_t i = 0; i < groups->count; i++)
		refs_groups_add(out, &groups->items[i]);
	free(groups->items);
	*groups = (struct top_groups){NULL, 0, 0};
}

bool tops_each_part(const struct tops *tops, void (*take)(void *context, const struct top_part *),
		    void *context)
{
	static const uint32_t columns[] = {SNAP_INDEX_PART_TOP,     SNAP_INDEX_PART_KIND,
					   SNAP_INDEX_PART_TYPE,    SNAP_INDEX_PART_STACK,
					   SNAP_INDEX_PART_OBJECTS, SNAP_INDEX_PART_COUNT,
					   SNAP_INDEX_PART_BYTES,   SNAP_INDEX_PART_FIRST};
	struct refs *refs = tops->refs;
	if (snap_reader_row_count(refs->reader, SNAP_INDEX_TOP_PARTS) == 0)
		return false;
	struct scan scan = scan_begin(refs->reader, columns, 8, &refs->error);
	while (scan_next(&scan)) {
		uint64_t top = scan_value(&scan, 0), kind = scan_value(&scan, 1);
		const struct top_part part = {.top = top == 0 ? TOPS_NONE : (size_t)top - 1,
					      .kind = (enum snap_top_part)kind,
					      .type = scan_value(&scan, 2),
					      .stack = scan_value(&scan, 3),
					      .objects = scan_value(&scan, 4),
					      .count = scan_value(&scan, 5),
					      .bytes = scan_value(&scan, 6),
					      .first = scan_value(&scan, 7) - 1};
		if (kind > SNAP_TOP_LOOSE)
			continue;
		if ((top == 0) != (kind == SNAP_TOP_LOOSE) || (top != 0 && part.top >= tops->count))
			wrong(refs, "have parts of none");
		take(context, &part);
	}
	refs_must(refs, scan_end(&scan, NULL));
	return true;
}
