/* An answer as a profile of pprof (profile.proto), not compressed, which its readers take as well.
 * The message is a list of fields in any order, so that each string, function and place is written
 * when it is first met. */
#include "rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "escape.h"

/* Fields of the messages. */
enum {
	PROFILE_TYPE = 1,
	PROFILE_SAMPLE = 2,
	PROFILE_LOCATION = 4,
	PROFILE_FUNCTION = 5,
	PROFILE_STRING = 6,
	PROFILE_PERIOD_TYPE = 11,
	PROFILE_PERIOD = 12,
	PROFILE_DEFAULT_TYPE = 14
};
enum { TYPE_TYPE = 1, TYPE_UNIT = 2 };
enum { SAMPLE_LOCATIONS = 1, SAMPLE_VALUES = 2 };
enum { LOCATION_ID = 1, LOCATION_LINE = 4 };
enum { LINE_FUNCTION = 1, LINE_LINE = 2 };
enum { FUNCTION_ID = 1, FUNCTION_NAME = 2, FUNCTION_FILE = 4 };

struct number {
	uint64_t hash;
	size_t offset, size; /* of the key */
	uint64_t value;
	bool used;
};

/* Keys to numbers from 0, in the order in which they came. */
struct numbers {
	struct number *slots;
	size_t capacity, count;
	struct buffer keys;
};

struct profile {
	struct numbers strings, functions, locations;
	struct buffer message, line, name, items; /* what is being made, and parts of it */
};

/* ---- numbers ---- */

static uint64_t hash_of(const void *key, size_t size)
{
	const unsigned char *bytes = key;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static struct number *find(const struct numbers *n, const void *key, size_t size, uint64_t hash)
{
	size_t at = (size_t)hash & (n->capacity - 1);
	for (; n->slots[at].used; at = (at + 1) & (n->capacity - 1)) {
		const struct number *s = &n->slots[at];
		if (s->hash == hash && s->size == size &&
		    (size == 0 || memcmp(n->keys.bytes + s->offset, key, size) == 0))
			break;
	}
	return &n->slots[at];
}

static void enlarge(struct numbers *n)
{
	struct numbers larger = *n;
	larger.capacity = n->capacity ? 2 * n->capacity : 256;
	larger.slots = cli_resize(NULL, larger.capacity * sizeof(*larger.slots));
	memset(larger.slots, 0, larger.capacity * sizeof(*larger.slots));
	for (size_t i = 0; i < n->capacity; i++) {
		const struct number *s = &n->slots[i];
		if (s->used)
			*find(&larger, n->keys.bytes + s->offset, s->size, s->hash) = *s;
	}
	free(n->slots);
	*n = larger;
}

/* Returns whether the key is new. */
static bool number_of(struct numbers *n, const void *key, size_t size, uint64_t *value)
{
	if (2 * n->count >= n->capacity)
		enlarge(n);
	uint64_t hash = hash_of(key, size);
	struct number *s = find(n, key, size, hash);
	bool is_new = !s->used;
	if (is_new) {
		*s = (struct number){hash, n->keys.size, size, n->count++, true};
		buffer_append(&n->keys, key, size);
	}
	*value = s->value;
	return is_new;
}

static void free_numbers(struct numbers *n)
{
	free(n->slots);
	buffer_free(&n->keys);
}

/* ---- fields ---- */

static void put_varint(struct buffer *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buffer_byte(out, (char)(value | 0x80));
	buffer_byte(out, (char)value);
}

static void put_number(struct buffer *out, unsigned field, uint64_t value)
{
	put_varint(out, field << 3);
	put_varint(out, value);
}

static void put_bytes(struct buffer *out, unsigned field, const void *bytes, size_t size)
{
	put_varint(out, field << 3 | 2);
	put_varint(out, size);
	buffer_append(out, bytes, size);
}

/* A field of the profile itself. */
static void write_field(unsigned field, const struct buffer *value)
{
	struct buffer head = {0};
	put_varint(&head, field << 3 | 2);
	put_varint(&head, value->size);
	fwrite(head.bytes, 1, head.size, stdout);
	fwrite(value->bytes ? value->bytes : "", 1, value->size, stdout);
	buffer_free(&head);
}

/* ---- parts of the profile ---- */

static uint64_t string_of(struct profile *p, const char *text, size_t size)
{
	uint64_t number;
	struct buffer harmless = {0};
	escape_append(&harmless, text ? text : "", size, ESCAPE_TEXT);
	if (number_of(&p->strings, harmless.bytes, harmless.size, &number))
		write_field(PROFILE_STRING, &harmless);
	buffer_free(&harmless);
	return number;
}

/* Without a system name, so that pprof does not shorten what is in angle brackets. */
static uint64_t function_of(struct profile *p, uint64_t name, uint64_t file)
{
	const uint64_t key[2] = {name, file};
	uint64_t number;
	if (number_of(&p->functions, key, sizeof(key), &number)) {
		p->message.size = 0;
		put_number(&p->message, FUNCTION_ID, number + 1);
		put_number(&p->message, FUNCTION_NAME, name);
		put_number(&p->message, FUNCTION_FILE, file);
		write_field(PROFILE_FUNCTION, &p->message);
	}
	return number + 1;
}

static uint64_t location_of(struct profile *p, uint64_t function, uint64_t line)
{
	const uint64_t key[2] = {function, line};
	uint64_t number;
	if (number_of(&p->locations, key, sizeof(key), &number)) {
		p->line.size = p->message.size = 0;
		put_number(&p->line, LINE_FUNCTION, function);
		put_number(&p->line, LINE_LINE, line);
		put_number(&p->message, LOCATION_ID, number + 1);
		put_bytes(&p->message, LOCATION_LINE, p->line.bytes, p->line.size);
		write_field(PROFILE_LOCATION, &p->message);
	}
	return number + 1;
}

static uint64_t frame_location(struct profile *p, const struct snap_place *place)
{
	struct snap_text name = place->function,
			 file = place->file.bytes ? place->file : place->module;
	p->name.size = 0;
	if (!name.bytes) {
		rows_place_text(place, &p->name);
		name = (struct snap_text){p->name.bytes, p->name.size};
	}
	uint64_t name_string = string_of(p, name.bytes, name.size);
	uint64_t file_string = string_of(p, file.bytes, file.size);
	return location_of(p, function_of(p, name_string, file_string), place->line);
}

/* The steps of a path are functions without file and
 * line; those who hold come last, as callers do. */
static void put_items(struct profile *p, enum snap_key key, const struct snap_answer_row *row,
		      struct buffer *locations)
{
	p->items.size = 0;
	rows_key_items(key, row, &p->items);
	for (size_t end = p->items.size, at = end; end > 0; at = end) {
		while (at > 0 && p->items.bytes[at - 1] != '\n')
			at--;
		uint64_t name = string_of(p, p->items.bytes + at, end - at);
		put_varint(locations, location_of(p, function_of(p, name, 0), 0));
		end = at > 0 ? at - 1 : 0;
	}
}

static void write_sample(struct profile *p, enum snap_key key, const struct snap_answer_row *row)
{
	struct buffer locations = {0}, values = {0};
	if (key == SNAP_KEY_TRACEBACK && row->frame_count > 0)
		for (size_t i = 0; i < row->frame_count; i++)
			put_varint(&locations, frame_location(p, &row->frames[i]));
	else
		put_items(p, key, row, &locations);
	put_varint(&values, row->count - row->old_count);
	put_varint(&values, row->bytes - row->old_bytes);
	p->message.size = 0;
	put_bytes(&p->message, SAMPLE_LOCATIONS, locations.bytes, locations.size);
	put_bytes(&p->message, SAMPLE_VALUES, values.bytes, values.size);
	write_field(PROFILE_SAMPLE, &p->message);
	buffer_free(&locations);
	buffer_free(&values);
}

static uint64_t text_of(struct profile *p, const char *text)
{
	return string_of(p, text, strlen(text));
}

static void write_type(struct profile *p, unsigned field, const char *type, const char *unit)
{
	uint64_t type_string = text_of(p, type), unit_string = text_of(p, unit);
	p->message.size = 0;
	put_number(&p->message, TYPE_TYPE, type_string);
	put_number(&p->message, TYPE_UNIT, unit_string);
	write_field(field, &p->message);
}

void rows_print_pprof(struct snap_answer *answer, const struct snap_answer_info *info,
		      uint64_t limit)
{
	struct profile p = {0};
	string_of(&p, "", 0); /* the first string has to be empty */
	write_type(&p, PROFILE_TYPE, "inuse_objects", "count");
	write_type(&p, PROFILE_TYPE, "inuse_space", "bytes");
	write_type(&p, PROFILE_PERIOD_TYPE, "space", "bytes");
	uint64_t shown = text_of(&p, "inuse_space");
	p.message.size = 0;
	put_number(&p.message, PROFILE_PERIOD,
		   info->sampling_interval_bytes ? info->sampling_interval_bytes : 1);
	put_number(&p.message, PROFILE_DEFAULT_TYPE, shown);
	fwrite(p.message.bytes, 1, p.message.size, stdout);
	for (uint64_t i = 0; i < info->row_count && i < limit; i++) {
		struct snap_answer_row row;
		snap_answer_row(answer, i, &row);
		write_sample(&p, info->key, &row);
	}
	free_numbers(&p.strings);
	free_numbers(&p.functions);
	free_numbers(&p.locations);
	buffer_free(&p.message);
	buffer_free(&p.line);
	buffer_free(&p.name);
	buffer_free(&p.items);
}
