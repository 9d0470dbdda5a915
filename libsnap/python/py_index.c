/* Addresses to ids: tables of chunks of addresses, by hash. */
#include <sys/mman.h>

#include "py_walk.h"

#define FIRST 256u

static size_t place(const struct py_index *index, uintptr_t key)
{
	size_t at = py_index_home(index, key);
	while (index->chunks[at].ids && index->chunks[at].key != key)
		at = (at + 1) & (index->capacity - 1);
	return at;
}

static void *map_pages(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	return pages == MAP_FAILED ? NULL : pages;
}

static bool grow(struct py_index *index)
{
	struct py_index larger = {.capacity = index->capacity ? index->capacity * 2 : FIRST, .count = index->count};
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

uint32_t *py_index_seek(struct py_index *index, const void *address)
{
	uintptr_t key = (uintptr_t)address >> PY_CHUNK_LOG;
	if (index->count * 4 >= index->capacity && !grow(index))
		return NULL;
	struct py_index_chunk *chunk = &index->chunks[place(index, key)];
	if (!chunk->ids) {
		uint32_t *ids = map_pages(PY_CHUNK_SLOTS * sizeof(*ids));
		if (!ids)
			return NULL;
		*chunk = (struct py_index_chunk){key, ids};
		index->count++;
	}
	return &chunk->ids[(uintptr_t)address >> 4 & (PY_CHUNK_SLOTS - 1)];
}

void py_index_free(struct py_index *index)
{
	for (size_t i = 0; i < index->capacity; i++)
		if (index->chunks[i].ids)
			munmap(index->chunks[i].ids, PY_CHUNK_SLOTS * sizeof(uint32_t));
	if (index->chunks)
		munmap(index->chunks, index->capacity * sizeof(*index->chunks));
	*index = (struct py_index){0};
}
