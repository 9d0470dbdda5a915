/* A table from numbers to numbers, for the HPROF importer (hprof.h). */
#include "hprof.h"

#include <stdlib.h>
#include <string.h>

static size_t place_of(const struct hprof_map *map, uint64_t key)
{
	return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 20) & (map->capacity - 1);
}

static struct hprof_map_item *find(const struct hprof_map *map, uint64_t key)
{
	size_t at = place_of(map, key);
	while (map->items[at].key != 0 && map->items[at].key != key)
		at = (at + 1) & (map->capacity - 1);
	return &map->items[at];
}

static bool widen(struct hprof_map *map)
{
	struct hprof_map wider = *map;
	wider.capacity = map->capacity == 0 ? 64 : map->capacity * 2;
	if (wider.capacity > SIZE_MAX / 2 / sizeof(*wider.items))
		return false;
	wider.items = calloc(wider.capacity, sizeof(*wider.items));
	if (wider.items == NULL)
		return false;
	for (size_t i = 0; i < map->capacity; i++)
		if (map->items[i].key != 0)
			*find(&wider, map->items[i].key) = map->items[i];
	free(map->items);
	*map = wider;
	return true;
}

bool hprof_map_set(struct hprof_map *map, uint64_t key, uint64_t value)
{
	if (key == 0) {
		map->has_zero = true;
		map->zero = value;
		return true;
	}
	if ((map->count + 1) * 3 > map->capacity * 2 && !widen(map))
		return false;
	struct hprof_map_item *item = find(map, key);
	map->count += item->key == 0;
	*item = (struct hprof_map_item){key, value};
	return true;
}

bool hprof_map_get(const struct hprof_map *map, uint64_t key, uint64_t *value)
{
	if (key == 0 && map->has_zero)
		*value = map->zero;
	if (key == 0 || map->capacity == 0)
		return key == 0 && map->has_zero;
	const struct hprof_map_item *item = find(map, key);
	if (item->key != 0)
		*value = item->value;
	return item->key != 0;
}

void hprof_map_free(struct hprof_map *map)
{
	free(map->items);
	*map = (struct hprof_map){.count = 0};
}

bool hprof_room(void **items, size_t *capacity, size_t count, size_t item_size)
{
	if (count < *capacity)
		return true;
	size_t wanted = *capacity == 0 ? 256 : *capacity * 2;
	if (wanted > SIZE_MAX / 2 / item_size)
		return false;
	void *larger = realloc(*items, wanted * item_size);
	if (larger == NULL)
		return false;
	*items = larger;
	*capacity = wanted;
	return true;
}
