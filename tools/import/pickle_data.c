/* Values of a pickle: interned numbers, strings and tuples in arenas, and the few objects
 * (pickle.h). */
#include <stdlib.h>
#include <string.h>

#include "pickle.h"

static bool fits(const struct pickle *pickle, uint64_t added)
{
	if (pickle->max_memory_bytes == 0)
		return true;
	return pickle->memory_bytes <= pickle->max_memory_bytes &&
	       added <= pickle->max_memory_bytes - pickle->memory_bytes;
}

enum snap_status pickle_reserve(struct pickle *pickle, void *array, size_t *capacity, size_t needed,
				size_t element_size)
{
	if (needed <= *capacity)
		return SNAP_OK;
	if (needed > SIZE_MAX / 2 / element_size)
		return SNAP_NO_MEMORY;
	size_t wanted = *capacity + *capacity / 2;
	if (wanted < needed)
		wanted = needed;
	if (wanted < 64)
		wanted = 64;
	uint64_t added = (uint64_t)(wanted - *capacity) * element_size;
	if (!fits(pickle, added))
		return SNAP_LIMIT;
	void *pointer;
	memcpy(&pointer, array, sizeof(pointer));
	pointer = realloc(pointer, wanted * element_size);
	if (pointer == NULL)
		return SNAP_NO_MEMORY;
	memcpy(array, &pointer, sizeof(pointer));
	*capacity = wanted;
	pickle->memory_bytes += added;
	return SNAP_OK;
}

static uint64_t mix(uint64_t hash, uint64_t word)
{
	hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return hash ^ hash >> 29;
}

static uint32_t hash_words(const struct pickle *pickle, const pickle_value *words, size_t count)
{
	uint64_t hash = mix(pickle->seed, count);
	for (size_t i = 0; i < count; i++)
		hash = mix(hash, words[i]);
	return (uint32_t)(mix(hash, pickle->seed) >> 32);
}

static uint32_t hash_bytes(const struct pickle *pickle, const char *bytes, size_t size)
{
	uint64_t hash = mix(pickle->seed, size);
	while (size > 0) {
		uint64_t word = 0;
		size_t step = size < 8 ? size : 8;
		memcpy(&word, bytes, step);
		hash = mix(hash, word);
		bytes += step;
		size -= step;
	}
	return (uint32_t)(mix(hash, pickle->seed) >> 32);
}

static void table_put(struct pickle_table *table, uint32_t hash, uint32_t index)
{
	size_t at = hash & (table->capacity - 1);
	while (table->slots[at].index != 0)
		at = (at + 1) & (table->capacity - 1);
	table->slots[at] = (struct pickle_slot){hash, index + 1};
}

/* Room for one more, at most half full. */
static enum snap_status table_grow(struct pickle *pickle, struct pickle_table *table)
{
	if (table->count < table->capacity / 2)
		return SNAP_OK;
	struct pickle_table bigger = {NULL, table->capacity == 0 ? 1024 : table->capacity * 2,
				      table->count};
	uint64_t added = (uint64_t)bigger.capacity * sizeof(*bigger.slots);
	if (!fits(pickle, added))
		return SNAP_LIMIT;
	bigger.slots = calloc(bigger.capacity, sizeof(*bigger.slots));
	if (bigger.slots == NULL)
		return SNAP_NO_MEMORY;
	for (size_t i = 0; i < table->capacity; i++)
		if (table->slots[i].index != 0)
			table_put(&bigger, table->slots[i].hash, table->slots[i].index - 1);
	pickle->memory_bytes += added - (uint64_t)table->capacity * sizeof(*table->slots);
	free(table->slots);
	*table = bigger;
	return SNAP_OK;
}

static enum snap_status table_add(struct pickle *pickle, struct pickle_table *table, uint32_t hash,
				  size_t index)
{
	if (index >= PICKLE_MAX_INDEX)
		return SNAP_LIMIT;
	enum snap_status status = table_grow(pickle, table);
	if (status != SNAP_OK)
		return status;
	table_put(table, hash, (uint32_t)index);
	table->count++;
	return SNAP_OK;
}

/* The next slot with that hash from *at on; false when there is none. */
static bool table_next(const struct pickle_table *table, uint32_t hash, size_t *at, uint32_t *index)
{
	if (table->capacity == 0)
		return false;
	for (size_t mask = table->capacity - 1;; *at = *at + 1) {
		struct pickle_slot slot = table->slots[(hash + *at) & mask];
		if (slot.index == 0)
			return false;
		if (slot.hash == hash) {
			*index = slot.index - 1;
			*at = *at + 1;
			return true;
		}
	}
}

enum snap_status pickle_add_number(struct pickle *pickle, uint64_t number, pickle_value *out)
{
	if (number <= PICKLE_MAX_INDEX) {
		*out = PICKLE_VALUE(PICKLE_SMALL, number);
		return SNAP_OK;
	}
	const pickle_value words[2] = {(uint32_t)number, (uint32_t)(number >> 32)};
	uint32_t hash = hash_words(pickle, words, 2), index;
	for (size_t at = 0; table_next(&pickle->number_table, hash, &at, &index);) {
		if (pickle->numbers[index] == number) {
			*out = PICKLE_VALUE(PICKLE_NUMBER, index);
			return SNAP_OK;
		}
	}
	enum snap_status status =
		pickle_reserve(pickle, &pickle->numbers, &pickle->number_capacity,
			       pickle->number_count + 1, sizeof(*pickle->numbers));
	if (status == SNAP_OK)
		status = table_add(pickle, &pickle->number_table, hash, pickle->number_count);
	if (status != SNAP_OK)
		return status;
	*out = PICKLE_VALUE(PICKLE_NUMBER, pickle->number_count);
	pickle->numbers[pickle->number_count++] = number;
	return SNAP_OK;
}

enum snap_status pickle_add_string(struct pickle *pickle, const void *bytes, size_t size,
				   pickle_value *out)
{
	uint32_t hash = hash_bytes(pickle, bytes, size), index;
	for (size_t at = 0; table_next(&pickle->string_table, hash, &at, &index);) {
		size_t start = pickle->string_starts[index];
		if (pickle->string_starts[index + 1] - start == size &&
		    (size == 0 || memcmp(pickle->text + start, bytes, size) == 0)) {
			*out = PICKLE_VALUE(PICKLE_STRING, index);
			return SNAP_OK;
		}
	}
	enum snap_status status = pickle_reserve(pickle, &pickle->text, &pickle->text_capacity,
						 pickle->text_size + size, 1);
	if (status == SNAP_OK)
		status = pickle_reserve(pickle, &pickle->string_starts, &pickle->string_capacity,
					pickle->string_count + 2, sizeof(*pickle->string_starts));
	if (status == SNAP_OK)
		status = table_add(pickle, &pickle->string_table, hash, pickle->string_count);
	if (status != SNAP_OK)
		return status;
	if (size > 0)
		memcpy(pickle->text + pickle->text_size, bytes, size);
	pickle->string_starts[pickle->string_count] = pickle->text_size;
	pickle->text_size += size;
	pickle->string_starts[pickle->string_count + 1] = pickle->text_size;
	*out = PICKLE_VALUE(PICKLE_STRING, pickle->string_count++);
	return SNAP_OK;
}

/* Most tuples have two to four items: a call of memcmp would cost more. */
static bool same_items(const pickle_value *a, const pickle_value *b, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

/* items may lie in the stack, never in the arena. */
enum snap_status pickle_add_tuple(struct pickle *pickle, const pickle_value *items, size_t count,
				  pickle_value *out)
{
	uint32_t hash = hash_words(pickle, items, count), index;
	for (size_t at = 0; table_next(&pickle->tuple_table, hash, &at, &index);) {
		size_t start = pickle->tuple_starts[index];
		if (pickle->tuple_starts[index + 1] - start == count &&
		    (count == 0 || same_items(pickle->items + start, items, count))) {
			*out = PICKLE_VALUE(PICKLE_TUPLE, index);
			return SNAP_OK;
		}
	}
	if (count > UINT32_MAX - pickle->item_count)
		return SNAP_LIMIT;
	enum snap_status status =
		pickle_reserve(pickle, &pickle->items, &pickle->item_capacity,
			       pickle->item_count + count, sizeof(*pickle->items));
	if (status == SNAP_OK)
		status = pickle_reserve(pickle, &pickle->tuple_starts, &pickle->tuple_capacity,
					pickle->tuple_count + 2, sizeof(*pickle->tuple_starts));
	if (status == SNAP_OK)
		status = table_add(pickle, &pickle->tuple_table, hash, pickle->tuple_count);
	if (status != SNAP_OK)
		return status;
	if (count > 0)
		memcpy(pickle->items + pickle->item_count, items, count * sizeof(*items));
	pickle->tuple_starts[pickle->tuple_count] = (uint32_t)pickle->item_count;
	pickle->item_count += count;
	pickle->tuple_starts[pickle->tuple_count + 1] = (uint32_t)pickle->item_count;
	*out = PICKLE_VALUE(PICKLE_TUPLE, pickle->tuple_count++);
	return SNAP_OK;
}

enum snap_status pickle_add_object(struct pickle *pickle, enum pickle_object_kind kind,
				   pickle_value *out)
{
	if (pickle->object_count == PICKLE_MAX_OBJECTS)
		return SNAP_LIMIT;
	struct pickle_object *object = &pickle->objects[pickle->object_count];
	*object = (struct pickle_object){.kind = kind};
	for (size_t i = 0; i < PICKLE_FIELD_COUNT; i++)
		object->fields[i] = PICKLE_NONE;
	*out = PICKLE_VALUE(PICKLE_OBJECT, pickle->object_count++);
	return SNAP_OK;
}

void pickle_free(struct pickle *pickle)
{
	if (pickle == NULL)
		return;
	for (size_t i = 0; i < pickle->object_count; i++)
		free(pickle->objects[i].items);
	free(pickle->numbers);
	free(pickle->text);
	free(pickle->string_starts);
	free(pickle->items);
	free(pickle->tuple_starts);
	free(pickle->number_table.slots);
	free(pickle->string_table.slots);
	free(pickle->tuple_table.slots);
	free(pickle->stack);
	free(pickle->memo);
	free(pickle);
}

bool pickle_number(const struct pickle *pickle, pickle_value value, uint64_t *number)
{
	if (pickle_kind(value) == PICKLE_SMALL)
		*number = pickle_index(value);
	else if (pickle_kind(value) == PICKLE_NUMBER)
		*number = pickle->numbers[pickle_index(value)];
	else
		return false;
	return true;
}

const char *pickle_string(const struct pickle *pickle, pickle_value value, size_t *size)
{
	if (pickle_kind(value) != PICKLE_STRING)
		return NULL;
	const size_t *start = &pickle->string_starts[pickle_index(value)];
	*size = start[1] - start[0];
	return *size == 0 ? "" : pickle->text + start[0];
}

const pickle_value *pickle_tuple(const struct pickle *pickle, pickle_value value, size_t *count)
{
	static const pickle_value none[1];
	if (pickle_kind(value) != PICKLE_TUPLE)
		return NULL;
	const uint32_t *start = &pickle->tuple_starts[pickle_index(value)];
	*count = start[1] - start[0];
	return *count == 0 ? none : pickle->items + start[0];
}

const struct pickle_object *pickle_object(const struct pickle *pickle, pickle_value value,
					  enum pickle_object_kind kind)
{
	if (pickle_kind(value) != PICKLE_OBJECT)
		return NULL;
	const struct pickle_object *object = &pickle->objects[pickle_index(value)];
	return object->kind == kind ? object : NULL;
}
