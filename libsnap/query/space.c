/* Memory with a limit, and interning: distinct names, places, lists and groups get numbers. */
#include <string.h>

#include "query.h"
#include "snapfmt.h"

#define CHUNK_SIZE   ((size_t)65536)
#define MAX_IDENTITY 64

static void *budget_resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct budget *budget = context;
	if (new_size > old_size && budget->limit &&
	    new_size - old_size > budget->limit - budget->used) {
		budget->exceeded = true;
		return NULL;
	}
	void *moved = NULL;
	if (new_size == 0)
		libsnap_free(budget->below, pointer, old_size, 1);
	else if (!(moved = libsnap_resize_array(budget->below, pointer, old_size, new_size, 1)))
		return NULL;
	budget->used = budget->used - old_size + new_size;
	return moved;
}

void libsnap_budget_begin(struct budget *budget, const struct snap_allocator *below, uint64_t limit)
{
	*budget = (struct budget){.below = below, .limit = limit};
	budget->allocator = (struct snap_allocator){.context = budget, .resize = budget_resize};
}

enum snap_status libsnap_budget_fail(const struct budget *budget, struct snap_error *error)
{
	if (!budget->exceeded)
		return libsnap_fail_memory(error);
	return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
			    "the groups and their names need more than %llu bytes of memory",
			    (unsigned long long)budget->limit);
}

void libsnap_interner_begin(struct interner *interner, size_t item_size, size_t identity_size)
{
	*interner = (struct interner){.item_size = item_size, .identity_size = identity_size};
}

void libsnap_interner_end(struct interner *interner, const struct snap_allocator *memory)
{
	libsnap_free(memory, interner->items, interner->item_capacity, interner->item_size);
	libsnap_free(memory, interner->hashes, interner->hash_capacity, sizeof(uint32_t));
	libsnap_free(memory, interner->slots, interner->slot_count, sizeof(uint32_t));
	*interner = (struct interner){0};
}

enum snap_status libsnap_budget_reserve(const struct budget *budget, const char *what,
					uint64_t count, size_t element_size,
					struct snap_error *error)
{
	uint64_t bytes, needed;
	if (libsnap_multiply_overflows(count, element_size, &bytes) ||
	    libsnap_add_overflows(budget->used, bytes, &needed))
		needed = UINT64_MAX;
	if (!budget->limit || needed <= budget->limit)
		return SNAP_OK;
	return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
			    "%s: %llu bytes of memory are needed, %llu are allowed", what,
			    (unsigned long long)needed, (unsigned long long)budget->limit);
}

static void place_in_slots(uint32_t *slots, size_t slot_count, uint32_t hash, uint32_t id)
{
	size_t at = hash & (slot_count - 1);
	while (slots[at] != NOT_FOUND)
		at = (at + 1) & (slot_count - 1);
	slots[at] = id;
}

/* Room for one more item: a third of the slots stays free. */
static bool interner_reserve(struct interner *interner, const struct snap_allocator *memory)
{
	size_t needed = (size_t)interner->count + 1;
	void *items = libsnap_grow(memory, interner->items, &interner->item_capacity, needed,
				   interner->item_size);
	if (!items)
		return false;
	interner->items = items;
	void *hashes = libsnap_grow(memory, interner->hashes, &interner->hash_capacity, needed,
				    sizeof(uint32_t));
	if (!hashes)
		return false;
	interner->hashes = hashes;
	if (needed <= interner->slot_count / 3 * 2)
		return true;
	size_t slot_count = interner->slot_count ? interner->slot_count * 2 : 64;
	uint32_t *slots = libsnap_alloc(memory, slot_count, sizeof(uint32_t));
	if (!slots)
		return false;
	memset(slots, 0xff, slot_count * sizeof(uint32_t));
	for (uint32_t id = 0; id < interner->count; id++)
		place_in_slots(slots, slot_count, interner->hashes[id], id);
	libsnap_free(memory, interner->slots, interner->slot_count, sizeof(uint32_t));
	interner->slots = slots;
	interner->slot_count = slot_count;
	return true;
}

static enum snap_status interner_add(struct space *space, struct interner *interner,
				     const void *item, uint32_t hash, uint32_t *id,
				     struct snap_error *error)
{
	if (interner->count == NOT_FOUND - 1)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "more than 4 billion names or groups");
	if (!interner_reserve(interner, &space->budget->allocator))
		return libsnap_budget_fail(space->budget, error);
	memcpy(interner->items + interner->count * interner->item_size, item, interner->item_size);
	interner->hashes[interner->count] = hash;
	place_in_slots(interner->slots, interner->slot_count, hash, interner->count);
	*id = interner->count++;
	return SNAP_OK;
}

/* The seed keeps a hostile file from choosing names that all collide. */
static uint32_t hash_bytes(const struct space *space, const void *bytes, size_t size)
{
	struct snapfmt_hasher hasher;
	snapfmt_hasher_begin(&hasher);
	snapfmt_hasher_add(&hasher, &space->seed, sizeof(space->seed));
	snapfmt_hasher_add(&hasher, bytes, size);
	return (uint32_t)snapfmt_hasher_end(&hasher);
}

static uint32_t hash_item(const struct space *space, const void *item, size_t size)
{
	unsigned char seeded[sizeof(space->seed) + MAX_IDENTITY];
	memcpy(seeded, &space->seed, sizeof(space->seed));
	memcpy(seeded + sizeof(space->seed), item, size);
	return (uint32_t)snapfmt_hash(seeded, sizeof(space->seed) + size);
}

enum snap_status libsnap_space_intern(struct space *space, struct interner *interner,
				      const void *item, uint32_t *id, struct snap_error *error)
{
	uint32_t hash = hash_item(space, item, interner->identity_size);
	size_t mask = interner->slot_count - 1;
	for (size_t at = hash & mask; interner->slot_count; at = (at + 1) & mask) {
		uint32_t found = interner->slots[at];
		if (found == NOT_FOUND)
			break;
		if (interner->hashes[found] == hash &&
		    !memcmp(interner->items + found * interner->item_size, item,
			    interner->identity_size)) {
			*id = found;
			return SNAP_OK;
		}
	}
	return interner_add(space, interner, item, hash, id, error);
}

static enum snap_status keep_text(struct space *space, const char *bytes, size_t size,
				  const char **kept, struct snap_error *error)
{
	struct text_chunk *chunk = space->chunks;
	if (!chunk || chunk->size - chunk->used < size) {
		size_t room = size > CHUNK_SIZE / 4 ? size : CHUNK_SIZE;
		chunk = libsnap_alloc(&space->budget->allocator, sizeof(*chunk) + room, 1);
		if (!chunk)
			return libsnap_budget_fail(space->budget, error);
		*chunk = (struct text_chunk){.next = space->chunks, .size = room};
		space->chunks = chunk;
	}
	if (size)
		memcpy(chunk->bytes + chunk->used, bytes, size);
	*kept = chunk->bytes + chunk->used;
	chunk->used += size;
	return SNAP_OK;
}

enum snap_status libsnap_space_text(struct space *space, const char *bytes, size_t size,
				    uint32_t *id, struct snap_error *error)
{
	struct interner *texts = &space->texts;
	uint32_t hash = hash_bytes(space, bytes, size);
	size_t mask = texts->slot_count - 1;
	for (size_t at = hash & mask; texts->slot_count; at = (at + 1) & mask) {
		uint32_t found = texts->slots[at];
		if (found == NOT_FOUND)
			break;
		struct text_item text = libsnap_text_at(space, found);
		if (found && texts->hashes[found] == hash && text.size == size &&
		    (size == 0 || !memcmp(text.bytes, bytes, size))) {
			*id = found;
			return SNAP_OK;
		}
	}
	struct text_item item = {.size = size};
	enum snap_status status = keep_text(space, bytes, size, &item.bytes, error);
	if (status != SNAP_OK)
		return status;
	return interner_add(space, texts, &item, hash, id, error);
}

enum snap_status libsnap_space_chain(struct space *space, uint32_t before, uint32_t item,
				     uint32_t *id, struct snap_error *error)
{
	struct chain chain = {before, item, libsnap_chain_at(space, before)->length + 1};
	return libsnap_space_intern(space, &space->chains, &chain, id, error);
}

enum snap_status libsnap_space_begin(struct space *space, struct budget *budget,
				     struct snap_error *error)
{
	*space = (struct space){.budget = budget, .seed = (uint64_t)(uintptr_t)budget};
	libsnap_interner_begin(&space->texts, sizeof(struct text_item), sizeof(struct text_item));
	libsnap_interner_begin(&space->places, sizeof(struct tuple), sizeof(struct tuple));
	libsnap_interner_begin(&space->groups, sizeof(struct tuple), sizeof(struct tuple));
	libsnap_interner_begin(&space->chains, sizeof(struct chain), 2 * sizeof(uint32_t));
	uint32_t none;
	enum snap_status status =
		interner_add(space, &space->texts, &(struct text_item){0}, 0, &none, error);
	if (status == SNAP_OK) /* an item that no list has: looking up never finds it */
		status = interner_add(space, &space->chains,
				      &(struct chain){NOT_FOUND, NOT_FOUND, 0}, 0, &none, error);
	return status;
}

void libsnap_space_end(struct space *space)
{
	if (!space->budget)
		return;
	const struct snap_allocator *memory = &space->budget->allocator;
	libsnap_interner_end(&space->texts, memory);
	libsnap_interner_end(&space->places, memory);
	libsnap_interner_end(&space->groups, memory);
	libsnap_interner_end(&space->chains, memory);
	while (space->chunks) {
		struct text_chunk *chunk = space->chunks;
		space->chunks = chunk->next;
		libsnap_free(memory, chunk, sizeof(*chunk) + chunk->size, 1);
	}
}
