/* Addresses to ids: tables of chunks of addresses, by hash. */
#include "py_walk.h"

#define FIRST     256u
#define POOL      64u /* tables */
#define POOL_SIZE (POOL * PY_CHUNK_SLOTS * sizeof(uint32_t))
#define PART      (PY_CHUNK_SLOTS / 64)

static size_t place(const struct py_index *index, uintptr_t key)
{
	size_t at = py_index_home(index, key);
	while (__atomic_load_n(&index->chunks[at].ids, __ATOMIC_ACQUIRE) &&
	       index->chunks[at].key != key)
		at = (at + 1) & (index->capacity - 1);
	return at;
}

static uint32_t *new_table(struct py_index *index)
{
	if (index->pool_left == 0) {
		uint32_t **kept = py_area_add(&index->pools, sizeof(*kept));
		uint32_t *pool = kept ? py_map_pages(POOL_SIZE) : NULL;
		if (!pool)
			return NULL;
		*kept = pool;
		index->pool = pool;
		index->pool_left = POOL;
	}
	uint32_t *table = index->pool;
	index->pool += PY_CHUNK_SLOTS;
	index->pool_left--;
	return table;
}

static bool grow(struct py_index *index)
{
	struct py_index larger = *index;
	larger.capacity = index->capacity ? index->capacity * 2 : FIRST;
	larger.chunks = py_map_pages(larger.capacity * sizeof(*larger.chunks));
	if (!larger.chunks)
		return false;
	for (size_t i = 0; i < index->capacity; i++)
		if (index->chunks[i].ids)
			larger.chunks[place(&larger, index->chunks[i].key)] = index->chunks[i];
	py_unmap_pages(index->chunks, index->capacity * sizeof(*index->chunks));
	*index = larger;
	return true;
}

static uint32_t *seek(struct py_index *index, const void *address)
{
	uintptr_t key = (uintptr_t)address >> PY_CHUNK_LOG;
	if (index->count * 4 >= index->capacity && (index->lock || !grow(index)))
		return NULL;
	struct py_index_chunk *chunk = &index->chunks[place(index, key)];
	if (!chunk->ids) {
		uint32_t *ids = new_table(index);
		if (!ids)
			return NULL;
		chunk->key = key;
		__atomic_store_n(&chunk->ids, ids, __ATOMIC_RELEASE);
		index->count++;
	}
	return &chunk->ids[(uintptr_t)address >> 4 & (PY_CHUNK_SLOTS - 1)];
}

uint32_t *py_index_seek(struct py_index *index, const void *address)
{
	if (!index->lock)
		return seek(index, address);
	pthread_mutex_lock(index->lock);
	uint32_t *slot = seek(index, address);
	pthread_mutex_unlock(index->lock);
	return slot;
}

bool py_index_share(struct py_index *index, pthread_mutex_t *lock, size_t chunks)
{
	while (index->capacity < (index->count + chunks) * 4)
		if (!grow(index))
			return false;
	index->lock = lock;
	return true;
}

uint32_t py_index_put(struct py_index *index, const void *address, uint32_t *slot, uint32_t id)
{
	struct py_index_chunk *chunk =
		&index->chunks[place(index, (uintptr_t)address >> PY_CHUNK_LOG)];
	const uint64_t part = (uint64_t)1 << (size_t)(slot - chunk->ids) / PART;
	uint32_t known = 0;
	if (!__atomic_compare_exchange_n(slot, &known, id, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return known;
	if (!(__atomic_load_n(&chunk->used, __ATOMIC_RELAXED) & part))
		__atomic_fetch_or(&chunk->used, part, __ATOMIC_RELAXED);
	return id;
}

static void sort(struct py_index_chunk *chunks, size_t count)
{
	for (size_t gap = count / 2; gap > 0; gap = gap == 2 ? 1 : gap * 5 / 11)
		for (size_t i = gap; i < count; i++) {
			const struct py_index_chunk moved = chunks[i];
			size_t at = i;
			for (; at >= gap && chunks[at - gap].key > moved.key; at -= gap)
				chunks[at] = chunks[at - gap];
			chunks[at] = moved;
		}
}

/* Parts that were never written are not to be read: they have no pages yet. */
static size_t order_chunk(const struct py_index_chunk *chunk, uint32_t after, uint32_t last,
			  uint32_t *out)
{
	size_t count = 0;
	for (uint64_t parts = chunk->used; parts; parts &= parts - 1) {
		const uint32_t *ids = chunk->ids + (size_t)__builtin_ctzll(parts) * PART;
		for (size_t i = 0; i < PART; i++) {
			out[count] = ids[i];
			count += ids[i] - after - 1 < last - after;
		}
	}
	return count;
}

bool py_index_order(const struct py_index *index, uint32_t after, uint32_t last,
		    struct py_area *ids)
{
	struct py_index_chunk *chunks = py_map_pages(index->capacity * sizeof(*chunks) + 1);
	/* One more is written than counts. */
	bool done = chunks && py_area_reserve(ids, (size_t)(last - after + 1) * sizeof(uint32_t));
	size_t count = 0;
	for (size_t i = 0; done && i < index->capacity; i++)
		if (index->chunks[i].ids)
			chunks[count++] = index->chunks[i];
	sort(chunks, done ? count : 0);
	for (size_t i = 0; done && i < count; i++) {
		uint32_t *out = (uint32_t *)(void *)(ids->bytes + ids->size);
		ids->size += order_chunk(&chunks[i], after, last, out) * sizeof(*out);
	}
	py_unmap_pages(chunks, index->capacity * sizeof(*chunks) + 1);
	return done;
}

void py_index_free(struct py_index *index)
{
	for (size_t i = 0; i < index->pools.size / sizeof(uint32_t *); i++)
		py_unmap_pages(((uint32_t **)(void *)index->pools.bytes)[i], POOL_SIZE);
	py_area_free(&index->pools);
	py_unmap_pages(index->chunks, index->capacity * sizeof(*index->chunks));
	*index = (struct py_index){0};
}
