/* Interns texts. */
#include <stdlib.h>
#include <string.h>

#include "names.h"

static uint64_t hash_of(const char *bytes, size_t size)
{
	/* FNV-1a: the texts are names of functions and files */
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 32;
}

/* The slot that has the text, or the empty one where it belongs. */
static uint32_t *find_slot(const struct texts *texts, const char *bytes, size_t size)
{
	size_t mask = texts->slot_count - 1;
	for (size_t at = (size_t)hash_of(bytes, size) & mask;; at = (at + 1) & mask) {
		uint32_t *slot = &texts->slots[at];
		if (*slot == 0)
			return slot;
		const struct text *text = &texts->items[*slot - 1];
		if (text->length == size && memcmp(texts->bytes + text->at, bytes, size) == 0)
			return slot;
	}
}

static void rehash(struct texts *texts)
{
	free(texts->slots);
	texts->slot_count = texts->slot_count ? texts->slot_count * 2 : 1024;
	texts->slots = cli_resize(NULL, texts->slot_count * sizeof(*texts->slots));
	memset(texts->slots, 0, texts->slot_count * sizeof(*texts->slots));
	for (size_t i = 0; i < texts->count; i++)
		*find_slot(texts, texts->bytes + texts->items[i].at, texts->items[i].length) =
			(uint32_t)i + 1;
}

uint32_t texts_add(struct texts *texts, const char *bytes, size_t size)
{
	if (texts->count * 2 >= texts->slot_count)
		rehash(texts);
	uint32_t *slot = find_slot(texts, bytes, size);
	if (*slot)
		return *slot - 1;
	if (texts->capacity - texts->size < size + 1) {
		texts->capacity = texts->capacity * 2 + size + 4096;
		texts->bytes = cli_resize(texts->bytes, texts->capacity);
	}
	if (texts->count == texts->room) {
		texts->room = texts->room * 2 + 256;
		texts->items = cli_resize(texts->items, texts->room * sizeof(*texts->items));
	}
	memcpy(texts->bytes + texts->size, bytes, size);
	texts->bytes[texts->size + size] = '\0';
	texts->items[texts->count++] = (struct text){texts->size, size, 0};
	texts->size += size + 1;
	*slot = (uint32_t)texts->count;
	return *slot - 1;
}

struct text *texts_find(const struct texts *texts, const char *bytes, size_t size)
{
	if (texts->count == 0)
		return NULL;
	const uint32_t *slot = find_slot(texts, bytes, size);
	return *slot ? &texts->items[*slot - 1] : NULL;
}

void texts_free(struct texts *texts)
{
	free(texts->bytes);
	free(texts->items);
	free(texts->slots);
	*texts = (struct texts){0};
}
