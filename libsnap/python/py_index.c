/* Addresses to ids: for each MiB of addresses that has objects, a table with one number for every 16 bytes. */
#include <sys/mman.h>

#include "py_walk.h"

#define CHUNK_LOG   20
#define CHUNK_SLOTS ((size_t)1 << (CHUNK_LOG - 4))
#define FIRST       256u

static size_t place(const struct py_index *index, uintptr_t key)
{
	size_t mask = index->capacity - 1;
	size_t at = (size_t)(key * 0x9e3779b97f4a7c15u >> 32) & mask;
	while (index->chunks[at].ids && index->chunks[at].key != key)
		at = (at + 1) & mask;
	return at;
}

static void *map_pages(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return pages == MAP_FAILED ? NULL : pages;
}

static bool grow(struct py_index *index)
{
	struct py_index larger = {.capacity = index->capacity ? index->capacity * 2 : FIRST,
				  .count = index->count,
				  .last = index->last};
	larger.chunks = map_pages(larger.capacity * sizeof(*larger.chunks));
	if (!larger.chunks)
		return false;
	for (size_t i = 0; i < index->capacity; i++)
		if (index->chunks[i].ids)
			larger.chunks[place(&larger, index->chunks[i].key)] = index->chunks[i];
	if (index->chunks)
		munmap(index->chunks, index->capacity * sizeof(*index->chunks));
	*index = larger;
	return true;
}

static bool find_chunk(struct py_index *index, uintptr_t key)
{
	if (index->count * 2 >= index->capacity && !grow(index))
		return false;
	struct py_index_chunk *chunk = &index->chunks[place(index, key)];
	if (!chunk->ids) {
		uint32_t *ids = map_pages(CHUNK_SLOTS * sizeof(*ids));
		if (!ids)
			return false;
		*chunk = (struct py_index_chunk){key, ids};
		index->count++;
	}
	index->last = *chunk;
	return true;
}

uint32_t *py_index_slot(struct py_index *index, const void *address)
{
	uintptr_t key = (uintptr_t)address >> CHUNK_LOG;
	if ((!index->last.ids || index->last.key != key) && !find_chunk(index, key))
		return NULL;
	return &index->last.ids[(uintptr_t)address >> 4 & (CHUNK_SLOTS - 1)];
}

void py_index_free(struct py_index *index)
{
	for (size_t i = 0; i < index->capacity; i++)
		if (index->chunks[i].ids)
			munmap(index->chunks[i].ids, CHUNK_SLOTS * sizeof(uint32_t));
	if (index->chunks)
		munmap(index->chunks, index->capacity * sizeof(*index->chunks));
	*index = (struct py_index){0};
}
