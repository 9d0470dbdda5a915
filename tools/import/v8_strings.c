/* "strings" of a V8 heap snapshot: names, labels and secrets. */
#include "v8.h"

#include <stdlib.h>
#include <string.h>

/* Longer texts, and those beyond the arena's limit, are
 * read again from the file when they are needed. */
#define LONGEST_IN_ARENA    4096
#define DEFAULT_ARENA_LIMIT (64u << 20)

static bool parse_number(const uint8_t *text, size_t size, uint64_t *number)
{
	if (size == 0 || size > 10 || (text[0] == '0' && size > 1))
		return false;
	*number = 0;
	for (size_t i = 0; i < size; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*number = *number * 10 + (uint64_t)(text[i] - '0');
	}
	return *number <= UINT32_MAX;
}

/* "N / part of key (X @1) -> value (Y @2) pair in WeakMap
 * (table @3)": 3, else 0.  X and Y may be texts of strings. */
static uint32_t parse_weak_pair(const uint8_t *text, size_t size)
{
	static const char start[] = " / part of key (", middle[] = " pair in WeakMap (table @";
	size_t digits = 0;
	while (digits < size && text[digits] >= '0' && text[digits] <= '9')
		digits++;
	if (digits == 0 || size - digits < sizeof(start) + sizeof(middle) ||
	    text[size - 1] != ')' || memcmp(text + digits, start, sizeof(start) - 1) != 0)
		return 0;
	size_t end = size - 1, at = end;
	while (at > digits && text[at - 1] >= '0' && text[at - 1] <= '9')
		at--;
	uint64_t table;
	if (at < digits + sizeof(start) + sizeof(middle) ||
	    memcmp(text + at - (sizeof(middle) - 1), middle, sizeof(middle) - 1) != 0 ||
	    !parse_number(text + at, end - at, &table))
		return 0;
	return (uint32_t)table;
}

static bool grow(void **items, size_t *capacity, size_t needed, size_t item_size)
{
	if (needed <= *capacity)
		return true;
	size_t wanted = *capacity + *capacity / 2;
	if (wanted < needed)
		wanted = needed;
	if (wanted < 1024)
		wanted = 1024;
	if (wanted > SIZE_MAX / item_size)
		return false;
	void *bigger = realloc(*items, wanted * item_size);
	if (bigger == NULL)
		return false;
	*items = bigger;
	*capacity = wanted;
	return true;
}

static void no_memory(struct json_scan *scan)
{
	scan->failed = true;
	import_fail_at(&scan->error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
}

/* Keeps the string in scan, whose quote was at offset. */
static void keep_string(struct v8_strings *strings, struct json_scan *scan, uint64_t offset)
{
	void *items = strings->items, *arena = strings->arena;
	size_t size = scan->text_size;
	bool in_arena =
		size <= LONGEST_IN_ARENA && size <= strings->arena_limit - strings->arena_size;
	bool room = grow(&items, &strings->capacity, strings->count + 1, sizeof(*strings->items));
	strings->items = items;
	if (room && in_arena) {
		room = grow(&arena, &strings->arena_capacity, strings->arena_size + size, 1);
		strings->arena = arena;
	}
	if (!room || strings->count >= UINT32_MAX - 1) {
		no_memory(scan);
		return;
	}
	struct v8_string *string = &strings->items[strings->count++];
	*string = (struct v8_string){.text = offset | V8_IN_FILE, .size = (uint32_t)size};
	if (in_arena) {
		string->text = strings->arena_size;
		if (size > 0)
			memcpy(strings->arena + strings->arena_size, scan->text, size);
		strings->arena_size += size;
	}
	uint64_t number;
	if (parse_number(scan->text, size, &number))
		string->label = SNAP_LABEL_INDEX(number);
	else
		string->weak_table = parse_weak_pair(scan->text, size);
}

void v8_strings_read(struct v8_import *import, struct json_scan *scan)
{
	struct v8_strings *strings = &import->strings;
	uint64_t memory = import->context->writer_options.max_memory_bytes;
	strings->arena_limit = memory == 0 ? DEFAULT_ARENA_LIMIT : (size_t)(memory / 4);
	bool derive = !import->context->options->has_hash_key;
	struct siphash_state state;
	siphash_derive_begin(&state);
	json_scan_enter(scan, JSON_ARRAY);
	while (json_scan_element(scan)) {
		json_scan_peek(scan); /* goes over space, so that the offset is the quote's */
		uint64_t offset = json_scan_offset(scan);
		json_scan_string(scan);
		if (scan->failed)
			break;
		if (derive)
			siphash_derive_add(&state, scan->text, scan->text_size);
		keep_string(strings, scan, offset);
	}
	if (derive)
		strings->key = siphash_derive_finish(&state);
}

void v8_strings_end(struct v8_strings *strings)
{
	if (strings->reader_open) {
		json_scan_end(&strings->scan);
		import_reader_end(&strings->reader);
	}
	free(strings->items);
	free(strings->arena);
	*strings = (struct v8_strings){.count = 0};
}

/* Reads a text again; its size as in the heap is then in strings->scan.text_full_size. */
static enum snap_status read_again(struct v8_import *import, uint64_t offset)
{
	struct v8_strings *strings = &import->strings;
	if (!strings->reader_open) {
		enum snap_status status = import_reader_begin(
			&strings->reader, import->context->input, offset, import->error);
		if (status != SNAP_OK)
			return status;
		strings->reader.read_size = 4096;
		strings->reader_open = true;
		json_scan_begin(&strings->scan, &strings->reader, V8_MAX_TEXT);
	}
	import_reader_seek(&strings->reader, offset);
	json_scan_string(&strings->scan);
	if (strings->scan.failed) {
		*import->error = strings->scan.error;
		return import->error->status;
	}
	return SNAP_OK;
}

/* A string that the cut file still has; else NULL, and its loss is counted. */
static struct v8_string *string_at(struct v8_import *import, uint64_t index)
{
	if (index < import->strings.count)
		return &import->strings.items[index];
	import->lost_names++;
	return NULL;
}

enum snap_status v8_string_text(struct v8_import *import, uint64_t index, const char **text,
				size_t *size)
{
	const struct v8_string *string = string_at(import, index);
	*text = "";
	*size = 0;
	if (string == NULL || string->size == 0)
		return SNAP_OK;
	if ((string->text & V8_IN_FILE) == 0) {
		*text = (const char *)import->strings.arena + string->text;
		*size = string->size;
		return SNAP_OK;
	}
	enum snap_status status = read_again(import, string->text & ~V8_IN_FILE);
	if (status == SNAP_OK && import->strings.scan.text_size > 0) {
		*text = (const char *)import->strings.scan.text;
		*size = import->strings.scan.text_size;
	}
	return status;
}

enum snap_status v8_string_id(struct v8_import *import, uint64_t index, uint32_t *id)
{
	*id = 0;
	if (index < import->strings.count && import->strings.items[index].string_id != 0) {
		*id = import->strings.items[index].string_id;
		return SNAP_OK;
	}
	const char *text;
	size_t size;
	enum snap_status status = v8_string_text(import, index, &text, &size);
	if (status != SNAP_OK || index >= import->strings.count)
		return status;
	struct v8_string *string = &import->strings.items[index];
	if (size > SNAP_MAX_STRING_SIZE)
		import->strings.cut_count++;
	status = snap_writer_string(import->context->writer, text, size, &string->string_id,
				    import->error);
	*id = string->string_id;
	return status;
}

/* The label of a pair in a WeakMap names only its
 * table: V8's own has the texts of key and value. */
static enum snap_status weak_pair_label(struct v8_import *import, struct v8_string *string)
{
	char text[64] = "pair in WeakMap (table @";
	size_t size = strlen(text);
	char digits[10];
	size_t count = 0;
	for (uint32_t rest = string->weak_table; rest > 0; rest /= 10)
		digits[count++] = (char)('0' + rest % 10);
	while (count > 0)
		text[size++] = digits[--count];
	text[size++] = ')';
	uint32_t id;
	enum snap_status status =
		snap_writer_string(import->context->writer, text, size, &id, import->error);
	if (status == SNAP_OK)
		string->label = SNAP_LABEL_STRING(id);
	return status;
}

enum snap_status v8_string_label(struct v8_import *import, uint64_t index, enum v8_edge_label how,
				 uint64_t *label)
{
	if (how == V8_LABEL_NAME_OR_NUMBER && index < import->strings.count) {
		struct v8_string *string = &import->strings.items[index];
		if (string->label == 0 && string->weak_table != 0) {
			enum snap_status status = weak_pair_label(import, string);
			if (status != SNAP_OK)
				return status;
		}
		if (string->label != 0) {
			*label = string->label;
			return SNAP_OK;
		}
	}
	uint32_t id;
	enum snap_status status = v8_string_id(import, index, &id);
	*label = id == 0 ? SNAP_LABEL_NONE : SNAP_LABEL_STRING(id);
	return status;
}

enum snap_status v8_string_content(struct v8_import *import, uint64_t index, uint32_t *id)
{
	*id = 0;
	if (index < import->strings.count && import->strings.items[index].content_id != 0) {
		*id = import->strings.items[index].content_id;
		return SNAP_OK;
	}
	const char *text;
	size_t size;
	enum snap_status status = v8_string_text(import, index, &text, &size);
	if (status != SNAP_OK || index >= import->strings.count)
		return status;
	struct v8_string *string = &import->strings.items[index];
	uint64_t length = size, hash = 0;
	if ((string->text & V8_IN_FILE) != 0 && size > 0)
		length = import->strings.scan.text_full_size;
	uint32_t text_id = 0;
	if (import->context->options->contents)
		status = v8_string_id(import, index, &text_id);
	else
		hash = siphash(import->strings.key, text, size);
	if (status == SNAP_OK)
		status = snap_writer_content(import->context->writer, length, hash, text_id,
					     &string->content_id, import->error);
	*id = string->content_id;
	return status;
}
