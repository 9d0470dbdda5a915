/* Sums by keys of three numbers, which are few (types.h). */
#include "types.h"

#include <stdlib.h>
#include <string.h>

static size_t find_slot(const struct tallies *tallies, const uint64_t key[3])
{
	uint64_t hash = libsnap_mix(libsnap_mix(libsnap_mix(key[0]) + key[1]) + key[2]);
	size_t mask = tallies->slot_count - 1, at = (size_t)hash & mask;
	for (; tallies->slots[at] != 0; at = (at + 1) & mask)
		if (memcmp(tallies->items[tallies->slots[at] - 1].key, key, 3 * sizeof(*key)) == 0)
			break;
	return at;
}

static enum snap_status widen(struct snap_graph *graph, struct tallies *tallies,
			      struct snap_error *error)
{
	size_t size = tallies->slot_count == 0 ? 256 : tallies->slot_count * 2;
	enum snap_status status = libsnap_graph_reserve(graph, "sums by type", size * 4ull, error);
	if (status != SNAP_OK)
		return status;
	uint32_t *slots = libsnap_graph_take_zeroed(graph, size, sizeof(*slots));
	if (slots == NULL)
		return libsnap_fail_memory(error);
	libsnap_graph_give(graph, tallies->slots, tallies->slot_count, sizeof(*slots));
	tallies->slots = slots;
	tallies->slot_count = size;
	for (size_t i = 0; i < tallies->count; i++)
		slots[find_slot(tallies, tallies->items[i].key)] = (uint32_t)(i + 1);
	return SNAP_OK;
}

enum snap_status libsnap_tally(struct snap_graph *graph, struct tallies *tallies,
			       const uint64_t key[3], struct tally **out, struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	if (2 * (tallies->count + 1) >= tallies->slot_count)
		status = widen(graph, tallies, error);
	if (status != SNAP_OK)
		return status;
	size_t slot = find_slot(tallies, key);
	if (tallies->slots[slot] == 0) {
		status = libsnap_graph_grow(graph, "sums by type", (void **)&tallies->items,
					    &tallies->capacity, tallies->count + 1,
					    sizeof(*tallies->items), error);
		if (status != SNAP_OK)
			return status;
		tallies->items[tallies->count] = (struct tally){.key = {key[0], key[1], key[2]}};
		tallies->slots[slot] = (uint32_t)++tallies->count;
	}
	*out = &tallies->items[tallies->slots[slot] - 1];
	return SNAP_OK;
}

void libsnap_tallies_free(struct snap_graph *graph, struct tallies *tallies)
{
	libsnap_graph_give(graph, tallies->items, tallies->capacity, sizeof(*tallies->items));
	libsnap_graph_give(graph, tallies->slots, tallies->slot_count, sizeof(*tallies->slots));
	*tallies = (struct tallies){0};
}

static int compare(const void *left, const void *right)
{
	const struct tally *a = left, *b = right;
	return a->place < b->place ? -1 : a->place > b->place;
}

void libsnap_tallies_sort(struct tallies *tallies)
{
	if (tallies->count > 1)
		qsort(tallies->items, tallies->count, sizeof(*tallies->items), compare);
}
