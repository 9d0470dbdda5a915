/* The text of java.lang.String: length and hash, or the text itself (hprof.h). */
#include "hprof.h"

#include <stdlib.h>
#include <string.h>

/* Longer texts keep this much for the hash. */
#define MAX_TEXT (1u << 20)
/* Of each array so much goes into a key that is derived. */
#define MAX_DERIVE 1024u

bool hprof_text_in_window(const struct hprof_text *text, uint64_t id)
{
	return ((id * UINT64_C(0x9e3779b97f4a7c15)) >> 32 & (text->windows - 1)) == text->window;
}

static void halve_window(struct hprof_text *text)
{
	size_t kept = 0;
	text->windows *= 2;
	for (size_t i = 0; i < text->count; i++)
		if (hprof_text_in_window(text, text->arrays[i].id))
			text->arrays[kept++] = text->arrays[i];
	text->count = kept;
}

static enum snap_status keep_array(struct hprof_import *import, const struct hprof_record *record)
{
	struct hprof_text *text = &import->text;
	if (!hprof_text_in_window(text, record->id))
		return SNAP_OK;
	while (text->count >= text->limit && text->windows < (UINT64_C(1) << 31))
		halve_window(text);
	if (!hprof_text_in_window(text, record->id))
		return SNAP_OK;
	void *arrays = text->arrays;
	if (!hprof_room(&arrays, &text->capacity, text->count, sizeof(*text->arrays)))
		return hprof_no_memory(import);
	text->arrays = arrays;
	if (text->count > 0 && text->arrays[text->count - 1].id > record->id)
		text->unsorted = true;
	text->arrays[text->count++] = (struct hprof_array){record->id, record->offset};
	return SNAP_OK;
}

enum snap_status hprof_text_array(struct hprof_import *import, const struct hprof_record *record,
				  bool derive)
{
	if (record->type != HPROF_BYTE && record->type != HPROF_CHAR)
		return SNAP_OK;
	if (derive && record->body > 0) {
		size_t size = record->body < MAX_DERIVE ? (size_t)record->body : MAX_DERIVE;
		const uint8_t *bytes = hprof_take(&import->scan, size);
		if (bytes == NULL)
			return hprof_scan_failure(&import->scan);
		siphash_derive_add(&import->text.derive, bytes, size);
	}
	return keep_array(import, record);
}

static int compare_arrays(const void *a, const void *b)
{
	const struct hprof_array *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

void hprof_text_sort(struct hprof_text *text)
{
	if (text->unsorted)
		qsort(text->arrays, text->count, sizeof(*text->arrays), compare_arrays);
	text->unsorted = false;
	text->last = 0;
}

/* Strings and their arrays mostly lie in the same order: the search begins where the last ended,
 * in steps that double. */
static const struct hprof_array *find_array(struct hprof_text *text, uint64_t id)
{
	const struct hprof_array *arrays = text->arrays;
	size_t low = text->last, high, step = 1;
	if (text->count == 0)
		return NULL;
	if (arrays[low].id <= id) {
		for (high = low + 1; high < text->count && arrays[high].id <= id; step *= 2) {
			low = high;
			high = text->count - high < step ? text->count : high + step;
		}
	} else {
		for (high = low; low > 0 && arrays[low].id > id; step *= 2) {
			high = low;
			low = low < step ? 0 : low - step;
		}
	}
	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;
		if (arrays[middle].id <= id)
			low = middle;
		else
			high = middle;
	}
	text->last = low;
	return arrays[low].id == id ? &arrays[low] : NULL;
}

/* ---- characters ---- */

struct characters {
	const uint8_t *bytes;
	size_t size;  /* at hand */
	uint64_t all; /* bytes that there are */
	unsigned width;
	bool little_endian;
};

static enum snap_status find_characters(struct hprof_import *import,
					const struct hprof_class *class, const uint8_t *instance,
					struct characters *c)
{
	const struct hprof_string_fields *fields = &class->text;
	const unsigned id_size = import->scan.id_size;
	*c = (struct characters){.width = 0};
	const struct hprof_array *array =
		find_array(&import->text, hprof_id(instance + fields->value, id_size));
	if (array == NULL)
		return SNAP_OK;
	const uint8_t *header;
	enum snap_status status = hprof_piece(&import->pieces, array->offset + 1 + id_size + 4, 5,
					      &header, import->error);
	if (status != SNAP_OK)
		return status;
	bool chars = header[4] == HPROF_CHAR;
	uint64_t count = hprof_u4(header), first = 0;
	c->width = chars || (fields->has_coder && instance[fields->coder] == 1) ? 2 : 1;
	c->little_endian = !chars;
	if (chars && fields->has_range) {
		uint64_t offset = hprof_u4(instance + fields->offset);
		uint64_t length = hprof_u4(instance + fields->count);
		first = offset < count ? offset : count;
		count = length < count - first ? length : count - first;
	}
	c->all = count * (chars ? 2 : 1);
	c->size = c->all < MAX_TEXT ? (size_t)c->all : MAX_TEXT;
	uint64_t at = array->offset + 1 + id_size + 4 + 5 + first * 2;
	return hprof_piece(&import->pieces, at, c->size, &c->bytes, import->error);
}

static bool is_ascii(const uint8_t *bytes, size_t size)
{
	uint64_t seen = 0, word;
	for (; size >= 8; bytes += 8, size -= 8) {
		memcpy(&word, bytes, 8);
		seen |= word;
	}
	for (; size > 0; size--)
		seen |= *bytes++;
	return (seen & UINT64_C(0x8080808080808080)) == 0;
}

static uint8_t *put_utf8(uint8_t *at, uint32_t c)
{
	if (c < 0x80) {
		*at++ = (uint8_t)c;
		return at;
	}
	if (c < 0x800) {
		*at++ = (uint8_t)(0xc0 | c >> 6);
	} else if (c < 0x10000) {
		*at++ = (uint8_t)(0xe0 | c >> 12);
		*at++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	} else {
		*at++ = (uint8_t)(0xf0 | c >> 18);
		*at++ = (uint8_t)(0x80 | (c >> 12 & 0x3f));
		*at++ = (uint8_t)(0x80 | (c >> 6 & 0x3f));
	}
	*at++ = (uint8_t)(0x80 | (c & 0x3f));
	return at;
}

static uint32_t unit_at(const struct characters *c, size_t at)
{
	const uint8_t *p = c->bytes + at;
	if (c->width == 1)
		return *p;
	return c->little_endian ? p[0] | (uint32_t)p[1] << 8 : (uint32_t)p[0] << 8 | p[1];
}

/* Half of a pair that lacks the other becomes three bytes too. */
static size_t to_utf8(const struct characters *c, uint8_t *out)
{
	uint8_t *at = out;
	for (size_t i = 0; i + c->width <= c->size; i += c->width) {
		uint32_t unit = unit_at(c, i);
		if (unit >= 0xd800 && unit < 0xdc00 && i + 4 <= c->size) {
			uint32_t low = unit_at(c, i + 2);
			if (low >= 0xdc00 && low < 0xe000) {
				unit = 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
				i += 2;
			}
		}
		at = put_utf8(at, unit);
	}
	return (size_t)(at - out);
}

static enum snap_status decode(struct hprof_import *import, struct characters *c)
{
	if (c->width == 1 && is_ascii(c->bytes, c->size))
		return SNAP_OK;
	struct hprof_text *text = &import->text;
	size_t most = c->size * 2; /* 1 byte gives at most 2, 2 give at most 3 */
	if (text->utf8_capacity < most) {
		uint8_t *larger = realloc(text->utf8, most);
		if (larger == NULL)
			return hprof_no_memory(import);
		text->utf8 = larger;
		text->utf8_capacity = most;
	}
	bool whole = c->size == c->all;
	c->size = to_utf8(c, text->utf8);
	c->bytes = text->utf8;
	if (whole)
		c->all = c->size;
	return SNAP_OK;
}

enum snap_status hprof_text_content(struct hprof_import *import, const struct hprof_class *class,
				    const uint8_t *instance, uint32_t *content, uint32_t *name)
{
	struct characters c;
	struct snap_writer *writer = import->context->writer;
	uint32_t text = 0;
	uint64_t hash = 0;
	*content = 0;
	if (!class->text.has_value)
		return SNAP_OK;
	enum snap_status status = find_characters(import, class, instance, &c);
	if (status != SNAP_OK || c.width == 0)
		return status;
	if (c.size > 0)
		status = decode(import, &c);
	if (status == SNAP_OK && (name != NULL || import->context->options->contents))
		status = snap_writer_string(writer, (const char *)c.bytes, c.size, &text,
					    import->error);
	if (status != SNAP_OK)
		return status;
	if (name != NULL)
		*name = text;
	if (!import->context->options->contents) {
		text = 0;
		hash = siphash(import->text.key, c.bytes, c.size);
	} else if (c.all > SNAP_MAX_STRING_SIZE) {
		import->text.cut_count++;
	}
	return snap_writer_content(writer, c.all, hash, text, content, import->error);
}

void hprof_text_free(struct hprof_text *text)
{
	free(text->arrays);
	free(text->utf8);
	*text = (struct hprof_text){.count = 0};
}
