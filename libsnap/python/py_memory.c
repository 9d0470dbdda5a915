/* Memory for the walk, mapped by the child itself: malloc's
 * locks and the interpreter's pools are left alone. */
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "py_walk.h"

#define AREA_FIRST ((size_t)1 << 16)
#define SMALL_LOG  4 /* of the smallest class */
#define SMALL_MAX  ((size_t)1 << 15)
#define CHUNK      ((size_t)1 << 20)
#define HUGE_WORTH ((size_t)4 << 20)
#define MIDDLE_MAX ((size_t)4 << 20)
#define PIECE      ((size_t)16 << 20)
#define PAGE       ((size_t)4096)

/* Without libc, so that who watches its mmap is not
 * told: it may be in the midst of asking for a stack. */
static void *system_pages(size_t size)
{
	long address = syscall(SYS_mmap, NULL, size, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	return address == -1 ? NULL : (void *)(uintptr_t)address;
}

void *py_map_pages(size_t size)
{
	void *pages = system_pages(size);
	if (!pages)
		return NULL;
	if (size >= HUGE_WORTH)
		madvise(pages, size, MADV_HUGEPAGE);
	return pages;
}

void py_unmap_pages(void *pages, size_t size)
{
	if (pages)
		syscall(SYS_munmap, pages, size);
}

static void *remap_pages(void *pages, size_t old_size, size_t new_size)
{
	long address = syscall(SYS_mremap, pages, old_size, new_size, MREMAP_MAYMOVE);
	if (address == -1)
		return NULL;
	void *moved = (void *)(uintptr_t)address; /* NOLINT(performance-no-int-to-ptr) */
	if (new_size >= HUGE_WORTH)
		madvise(moved, new_size, MADV_HUGEPAGE);
	return moved;
}

bool py_area_reserve(struct py_area *area, size_t size)
{
	size_t capacity = area->capacity ? area->capacity : AREA_FIRST;
	if (area->capacity - area->size >= size)
		return true;
	while (capacity - area->size < size)
		capacity *= 2;
	char *bytes = area->bytes ? remap_pages(area->bytes, area->capacity, capacity)
				  : py_map_pages(capacity);
	if (!bytes)
		return false;
	area->bytes = bytes;
	area->capacity = capacity;
	return true;
}

void py_area_free(struct py_area *area)
{
	py_unmap_pages(area->bytes, area->capacity);
	*area = (struct py_area){0};
}

/* ---- libsnap's allocator ---- */

static unsigned class_of(size_t size)
{
	unsigned class = 0;
	while (((size_t)1 << (class + SMALL_LOG)) < size)
		class ++;
	return class;
}

static void *take_small(struct py_memory *memory, size_t size)
{
	unsigned class = class_of(size);
	void *block = memory->free_lists[class];
	if (block) {
		memcpy(&memory->free_lists[class], block, sizeof(block));
		return block;
	}
	size_t rounded = (size_t)1 << (class + SMALL_LOG);
	if (memory->chunk_left < rounded) {
		memory->chunk = py_map_pages(CHUNK);
		memory->chunk_left = memory->chunk ? CHUNK : 0;
		if (!memory->chunk)
			return NULL;
	}
	block = memory->chunk;
	memory->chunk += rounded;
	memory->chunk_left -= rounded;
	return block;
}

static size_t whole_pages(size_t size)
{
	return (size + PAGE - 1) & ~(PAGE - 1);
}

/* Side by side, so that the system backs them with few, large pages. */
static void *take_middle(struct py_memory *memory, size_t size)
{
	if (memory->piece_left < size) {
		memory->piece = py_map_pages(PIECE);
		memory->piece_left = memory->piece ? PIECE : 0;
		if (!memory->piece)
			return NULL;
	}
	char *block = memory->piece;
	memory->piece += size;
	memory->piece_left -= size;
	return block;
}

static void *take(struct py_memory *memory, size_t size)
{
	if (size <= SMALL_MAX)
		return take_small(memory, size);
	if (memory->large_pages && size <= MIDDLE_MAX)
		return take_middle(memory, whole_pages(size));
	return size > PTRDIFF_MAX ? NULL : py_map_pages(whole_pages(size));
}

static void give_back(struct py_memory *memory, void *block, size_t size)
{
	if (size > SMALL_MAX) {
		py_unmap_pages(block, whole_pages(size));
		return;
	}
	unsigned class = class_of(size);
	memcpy(block, &memory->free_lists[class], sizeof(block));
	memory->free_lists[class] = block;
}

static void *resize(void *context, void *block, size_t old_size, size_t new_size)
{
	struct py_memory *memory = context;
	if (!block)
		return new_size ? take(memory, new_size) : NULL;
	if (new_size == 0) {
		give_back(memory, block, old_size);
		return NULL;
	}
	if (old_size > SMALL_MAX && new_size > SMALL_MAX && new_size <= PTRDIFF_MAX)
		return remap_pages(block, whole_pages(old_size), whole_pages(new_size));
	if (old_size <= SMALL_MAX && new_size <= SMALL_MAX &&
	    class_of(old_size) == class_of(new_size))
		return block;
	void *moved = take(memory, new_size);
	if (!moved)
		return NULL;
	memcpy(moved, block, old_size < new_size ? old_size : new_size);
	give_back(memory, block, old_size);
	return moved;
}

struct snap_allocator py_memory_allocator(struct py_memory *memory)
{
	return (struct snap_allocator){memory, resize};
}

/* ---- pointers to numbers ---- */

#define MAP_FIRST 1024u

static size_t map_place(const struct py_map *map, const void *key)
{
	size_t mask = map->capacity - 1;
	size_t at = (size_t)(((uintptr_t)key >> 4) * 0x9e3779b97f4a7c15u >> 20) & mask;
	while (map->entries[at].value && map->entries[at].key != key)
		at = (at + 1) & mask;
	return at;
}

uint32_t py_map_get(const struct py_map *map, const void *key)
{
	return map->capacity ? map->entries[map_place(map, key)].value : 0;
}

static bool map_grow(struct py_map *map)
{
	struct py_map larger = {.capacity = map->capacity ? map->capacity * 2 : MAP_FIRST,
				.count = map->count};
	larger.entries = py_map_pages(larger.capacity * sizeof(*larger.entries));
	if (!larger.entries)
		return false;
	for (size_t i = 0; i < map->capacity; i++)
		if (map->entries[i].value)
			larger.entries[map_place(&larger, map->entries[i].key)] = map->entries[i];
	py_map_free(map);
	*map = larger;
	return true;
}

bool py_map_put(struct py_map *map, const void *key, uint32_t value)
{
	if (map->count * 2 >= map->capacity && !map_grow(map))
		return false;
	struct py_map_entry *entry = &map->entries[map_place(map, key)];
	map->count += entry->value == 0;
	*entry = (struct py_map_entry){key, value};
	return true;
}

void py_map_free(struct py_map *map)
{
	py_unmap_pages(map->entries, map->capacity * sizeof(*map->entries));
	*map = (struct py_map){0};
}
