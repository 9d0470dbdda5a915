/* Memory with a limit, and interning: distinct names, places, lists and groups get numbers. */
#include <string.h>

#include "query.h"
#include "snapfmt.h"

#define LEAST_BITS   6
#define MOST_LISTED  8
#define GRAPH_LEAVES ((uint64_t)128 << 20) /* to arrays and sorting, of a large budget */

static bool budget_has(const struct budget *budget, size_t size)
{
	return size <= budget->limit - budget->used;
}

/* What is not an array needs room: arrays move out.  An array that grows does that by itself. */
static bool budget_make_room(struct budget *budget, size_t size)
{
	if (budget_has(budget, size))
		return true;
	if (budget->arrays.growing) {
		budget->arrays.refused = true;
		return false;
	}
	libsnap_arrays_move_out(&budget->arrays);
	budget->exceeded |= !budget_has(budget, size);
	return budget_has(budget, size);
}

static void *budget_resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct budget *budget = context;
	void *moved = NULL;
	if (new_size > old_size && !budget_make_room(budget, new_size - old_size))
		return NULL;
	if (new_size == 0)
		libsnap_free(budget->below, pointer, old_size, 1);
	else if (!(moved = libsnap_resize_array(budget->below, pointer, old_size, new_size, 1)))
		return NULL;
	budget->used = budget->used - old_size + new_size;
	budget->arrays.cache_bytes = (size_t)((budget->limit - budget->used) / 2);
	return moved;
}

void libsnap_budget_begin(struct budget *budget, const struct snap_query_options *options,
			  uint64_t limit)
{
	*budget = (struct budget){.below = options->allocator, .limit = limit};
	budget->allocator = (struct snap_allocator){.context = budget, .resize = budget_resize};
	libsnap_arrays_init(&budget->arrays, &budget->allocator, options->io,
			    options->temporary_folder);
}

uint64_t libsnap_budget_for_graph(const struct budget *budget)
{
	uint64_t part = budget->limit / 8, leaves = 3 * part;
	leaves = leaves < GRAPH_LEAVES ? leaves : GRAPH_LEAVES;
	if (leaves < budget->used + part)
		leaves = budget->used + part;
	return leaves < budget->limit ? budget->limit - leaves : 1;
}

enum snap_status libsnap_budget_fail(const struct budget *budget, struct snap_error *error)
{
	if (budget->arrays.failed != SNAP_OK && budget->arrays.failed != SNAP_NO_MEMORY)
		return libsnap_arrays_check(&budget->arrays, error);
	if (!budget->exceeded)
		return libsnap_fail_memory(error);
	return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
			    "the question needs more than %llu bytes of memory",
			    (unsigned long long)budget->limit);
}

enum snap_status libsnap_budget_array(struct budget *budget, struct libsnap_array *array,
				      uint64_t count, size_t element_size, struct snap_error *error)
{
	libsnap_array_begin(array, &budget->arrays, element_size);
	return libsnap_array_reach(array, count) ? SNAP_OK : libsnap_budget_fail(budget, error);
}

/* ---- distinct items ---- */

struct slot {
	uint32_t hash, id; /* id + 1; 0: free */
};

void libsnap_interner_begin(struct interner *interner, struct budget *budget, size_t item_size,
			    size_t identity_size)
{
	*interner = (struct interner){.identity_size = identity_size};
	libsnap_array_begin(&interner->items, &budget->arrays, item_size);
	libsnap_array_begin(&interner->slots, &budget->arrays, sizeof(struct slot));
}

void libsnap_interner_end(struct interner *interner)
{
	libsnap_array_end(&interner->items);
	libsnap_array_end(&interner->slots);
}

/* By the hash's upper bits, so that slots keep their order when there are more of them. */
static uint64_t first_slot(uint32_t hash, unsigned bits)
{
	return bits ? hash >> (32 - bits) : 0;
}

static void place_in_slots(struct libsnap_array *slots, unsigned bits, struct slot slot)
{
	uint64_t at = first_slot(slot.hash, bits), mask = ((uint64_t)1 << bits) - 1;
	while (((const struct slot *)libsnap_array_at(slots, at & mask))->id)
		at++;
	*(struct slot *)libsnap_array_edit(slots, at & mask) = slot;
}

/* More slots; their order stays. */
static enum snap_status widen(struct space *space, struct interner *interner, unsigned bits,
			      struct snap_error *error)
{
	uint64_t slot_count = interner->bits ? (uint64_t)1 << interner->bits : 0;
	struct libsnap_array larger;
	enum snap_status status = libsnap_budget_array(space->budget, &larger, (uint64_t)1 << bits,
						       sizeof(struct slot), error);
	for (uint64_t i = 0; status == SNAP_OK && i < slot_count; i++) {
		struct slot slot = *(const struct slot *)libsnap_array_at(&interner->slots, i);
		if (slot.id)
			place_in_slots(&larger, bits, slot);
	}
	if (status != SNAP_OK) {
		libsnap_array_end(&larger);
		return status;
	}
	libsnap_array_replace(&interner->slots, &larger);
	interner->bits = bits;
	return SNAP_OK;
}

/* A third of the slots stays free. */
static bool has_slots(const struct interner *interner, unsigned bits)
{
	return bits && interner->placed + UINT64_C(1) <= ((uint64_t)1 << bits) / 3 * 2;
}

static enum snap_status make_room(struct space *space, struct interner *interner,
				  struct snap_error *error)
{
	unsigned bits = interner->bits ? interner->bits : LEAST_BITS;
	while (bits < 32 && !has_slots(interner, bits))
		bits++;
	return bits == interner->bits ? SNAP_OK : widen(space, interner, bits, error);
}

enum snap_status libsnap_space_append(struct space *space, struct interner *interner,
				      const void *item, uint32_t *id, struct snap_error *error)
{
	if (interner->count == NOT_FOUND - 1)
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "more than 4 billion names or groups");
	if (!libsnap_array_add(&interner->items, item))
		return libsnap_budget_fail(space->budget, error);
	*id = interner->count++;
	return SNAP_OK;
}

/* free is the slot at which looking for it came to an end. */
static enum snap_status interner_add(struct space *space, struct interner *interner,
				     const void *item, uint32_t hash, uint64_t free, uint32_t *id,
				     struct snap_error *error)
{
	bool wide = has_slots(interner, interner->bits);
	enum snap_status status = wide ? SNAP_OK : make_room(space, interner, error);
	if (status == SNAP_OK)
		status = libsnap_space_append(space, interner, item, id, error);
	if (status != SNAP_OK)
		return status;
	struct slot slot = {hash, interner->count};
	if (wide)
		*(struct slot *)libsnap_array_edit(&interner->slots, free) = slot;
	else
		place_in_slots(&interner->slots, interner->bits, slot);
	interner->placed++;
	return SNAP_OK;
}

/* Goes through the items of that hash, from slot *at on, where it stops at a free one. */
static uint32_t next_of_hash(struct interner *interner, uint32_t hash, uint64_t *at)
{
	uint64_t mask = ((uint64_t)1 << interner->bits) - 1;
	while (interner->bits) {
		const struct slot *slot = libsnap_array_at(&interner->slots, *at);
		if (slot->id == 0)
			break;
		*at = (*at + 1) & mask;
		if (slot->hash == hash)
			return slot->id - 1;
	}
	return NOT_FOUND;
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

/* Of whole words, which are ids and small numbers mostly: each bit has to reach the upper half. */
static uint32_t hash_item(const struct space *space, const void *item, size_t size)
{
	uint64_t hash = space->seed;
	for (size_t i = 0; i < size; i += sizeof(uint64_t)) {
		uint64_t word;
		memcpy(&word, (const unsigned char *)item + i, sizeof(word));
		hash = (hash ^ word) * UINT64_C(0xff51afd7ed558ccd);
		hash = (hash ^ hash >> 32) * UINT64_C(0xc4ceb9fe1a85ec53);
		hash ^= hash >> 29;
	}
	return (uint32_t)(hash >> 32);
}

enum snap_status libsnap_space_intern(struct space *space, struct interner *interner,
				      const void *item, uint32_t *id, struct snap_error *error)
{
	uint32_t hash = hash_item(space, item, interner->identity_size), found;
	uint64_t at = first_slot(hash, interner->bits);
	while ((found = next_of_hash(interner, hash, &at)) != NOT_FOUND) {
		if (!memcmp(libsnap_array_at(&interner->items, found), item,
			    interner->identity_size)) {
			*id = found;
			return SNAP_OK;
		}
	}
	return interner_add(space, interner, item, hash, at, id, error);
}

/* ---- texts ---- */

struct text_place {
	uint64_t offset, size; /* among the bytes */
};

static struct text_place place_of_text(struct space *space, uint32_t id)
{
	return *(const struct text_place *)libsnap_array_at(&space->texts.items, id);
}

enum snap_status libsnap_space_text(struct space *space, const char *bytes, size_t size,
				    uint32_t *id, struct snap_error *error)
{
	uint32_t hash = hash_bytes(space, bytes, size), found;
	uint64_t at = first_slot(hash, space->texts.bits);
	while ((found = next_of_hash(&space->texts, hash, &at)) != NOT_FOUND) {
		struct text_place place = place_of_text(space, found);
		if (place.size == size &&
		    libsnap_array_equals(&space->bytes, place.offset, size, bytes)) {
			*id = found;
			return SNAP_OK;
		}
	}
	struct text_place place = {space->bytes.count, size};
	if (!libsnap_array_reach(&space->bytes, place.offset + size))
		return libsnap_budget_fail(space->budget, error);
	libsnap_array_write(&space->bytes, place.offset, size, bytes);
	return interner_add(space, &space->texts, &place, hash, at, id, error);
}

size_t libsnap_text_size(struct space *space, uint32_t id)
{
	return (size_t)place_of_text(space, id).size;
}

void libsnap_text_read(struct space *space, uint32_t id, size_t first, size_t count, void *to)
{
	libsnap_array_read(&space->bytes, place_of_text(space, id).offset + first, count, to);
}

const char *libsnap_text_in_memory(struct space *space, uint32_t id)
{
	if (!space->bytes.memory)
		return NULL;
	return (const char *)space->bytes.memory + place_of_text(space, id).offset;
}

enum snap_status libsnap_space_text_at(struct space *space, uint32_t id, struct text_item *out,
				       struct snap_error *error)
{
	out->size = libsnap_text_size(space, id);
	out->bytes = libsnap_text_in_memory(space, id);
	if (out->bytes)
		return SNAP_OK;
	char *scratch = libsnap_grow(&space->budget->allocator, space->scratch,
				     &space->scratch_capacity, out->size, 1);
	if (!scratch)
		return libsnap_budget_fail(space->budget, error);
	space->scratch = scratch;
	libsnap_text_read(space, id, 0, out->size, scratch);
	out->bytes = scratch;
	return SNAP_OK;
}

/* ---- all of them ---- */

/* Those that are longer by an item than one list are looked for one by one where they are few: as
 * they lie together mostly, files are read in order then. */
enum snap_status libsnap_space_chain(struct space *space, uint32_t before, uint32_t item,
				     uint32_t *id, struct snap_error *error)
{
	struct chain shorter = libsnap_chain_at(space, before), longer;
	struct chain chain = {before, item, shorter.length + 1, 0, shorter.first};
	unsigned listed = 0;
	for (uint32_t at = shorter.first; at; at = longer.next, listed++) {
		longer = libsnap_chain_at(space, at);
		if (longer.item == item) {
			*id = at;
			return SNAP_OK;
		}
	}
	if (listed >= MOST_LISTED)
		return libsnap_space_intern(space, &space->chains, &chain, id, error);
	enum snap_status status = libsnap_space_append(space, &space->chains, &chain, id, error);
	if (status == SNAP_OK)
		((struct chain *)libsnap_array_edit(&space->chains.items, before))->first = *id;
	return status;
}

enum snap_status libsnap_space_begin(struct space *space, struct budget *budget,
				     struct snap_error *error)
{
	*space = (struct space){.budget = budget, .seed = (uint64_t)(uintptr_t)budget};
	libsnap_interner_begin(&space->texts, budget, sizeof(struct text_place), 0);
	libsnap_interner_begin(&space->places, budget, sizeof(struct tuple), sizeof(struct tuple));
	libsnap_interner_begin(&space->groups, budget, sizeof(struct tuple), sizeof(struct tuple));
	libsnap_interner_begin(&space->chains, budget, sizeof(struct chain), 2 * sizeof(uint32_t));
	uint32_t none;
	/* Never empty, so that texts have bytes. */
	enum snap_status status = libsnap_budget_array(budget, &space->bytes, 1, 1, error);
	if (status == SNAP_OK)
		status = libsnap_space_append(space, &space->texts, &(struct text_place){0, 0},
					      &none, error);
	if (status == SNAP_OK)
		status = libsnap_space_append(space, &space->chains, &(struct chain){0}, &none,
					      error);
	return status;
}

void libsnap_space_end(struct space *space)
{
	if (!space->budget)
		return;
	libsnap_interner_end(&space->texts);
	libsnap_interner_end(&space->places);
	libsnap_interner_end(&space->groups);
	libsnap_interner_end(&space->chains);
	libsnap_array_end(&space->bytes);
	libsnap_free(&space->budget->allocator, space->scratch, space->scratch_capacity, 1);
}
