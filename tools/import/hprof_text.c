/* The text of java.lang.String: length and hash, or the text itself (hprof.h). */
#include "hprof.h"

#include <stdlib.h>
#include <string.h>

/* Longer texts keep this much for the hash. */
#define MAX_TEXT     (1u << 20)
#define LEAST_ARRAYS 65536
#define NEAR         4u

/* ---- where arrays lie ---- */

void hprof_text_begin(struct hprof_import *import)
{
	struct hprof_text *text = &import->text;
	const struct import_options *options = import->context->options;
	/* An array that grows is there twice while it does. */
	text->limit = (size_t)(import->context->writer_options.max_memory_bytes / 4 /
			       sizeof(*text->arrays));
	if (text->limit < LEAST_ARRAYS)
		text->limit = LEAST_ARRAYS;
	if (options->has_hash_key)
		text->key = siphash_key_from_bytes(options->hash_key);
	/* With no key that others know, equal texts have equal numbers, and these tell nothing. */
	import->context->writer_options.number_contents = !options->has_hash_key;
}

static int compare_arrays(const void *a, const void *b)
{
	const struct hprof_array *x = a, *y = b;
	return x->id < y->id ? -1 : x->id > y->id;
}

static enum snap_status end_run(struct hprof_import *import, bool spill)
{
	struct hprof_text *text = &import->text;
	if (text->unsorted)
		qsort(text->arrays, text->count, sizeof(*text->arrays), compare_arrays);
	text->unsorted = false;
	if (text->count == 0)
		return SNAP_OK;
	void *runs = text->runs;
	if (!hprof_room(&runs, &text->run_capacity, text->run_count, sizeof(*text->runs)))
		return hprof_no_memory(import);
	text->runs = runs;
	text->runs[text->run_count++] = (struct hprof_run){
		.first = text->arrays[0].id,
		.last = text->arrays[text->count - 1].id,
		.begin = text->file.size / sizeof(*text->arrays),
		.count = text->count,
	};
	enum snap_status status = SNAP_OK;
	if (spill && text->file.descriptor < 0)
		status = import_output_begin(&text->file, import->error);
	if (spill && status == SNAP_OK)
		status = import_output_write(&text->file, text->arrays,
					     text->count * sizeof(*text->arrays), import->error);
	if (spill)
		text->count = 0;
	return status;
}

enum snap_status hprof_text_array(struct hprof_import *import, const struct hprof_record *record)
{
	struct hprof_text *text = &import->text;
	if (record->type != HPROF_BYTE && record->type != HPROF_CHAR)
		return SNAP_OK;
	if (text->count == text->limit) {
		enum snap_status status = end_run(import, true);
		if (status != SNAP_OK)
			return status;
	}
	void *arrays = text->arrays;
	if (!hprof_room(&arrays, &text->capacity, text->count, sizeof(*text->arrays)))
		return hprof_no_memory(import);
	text->arrays = arrays;
	if (text->count > 0 && text->arrays[text->count - 1].id > record->id)
		text->unsorted = true;
	text->arrays[text->count++] = (struct hprof_array){record->id, record->offset};
	return SNAP_OK;
}

enum snap_status hprof_text_finish(struct hprof_import *import)
{
	struct hprof_text *text = &import->text;
	bool spilled = text->run_count > 0;
	enum snap_status status = end_run(import, spilled);
	if (status != SNAP_OK || !spilled)
		return status;
	free(text->arrays);
	text->arrays = NULL;
	text->spilled.descriptor = -1;
	status = import_output_end(&text->file, &text->spilled, SNAP_OK);
	if (status == SNAP_OK)
		status = hprof_pieces_begin(&text->pieces, &text->spilled, import->error);
	return status;
}

/* From here on it may be a helper that reads. */
static enum snap_status no_memory(struct hprof_import *import)
{
	return import_fail_at(import->scan.error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
}

static enum snap_status array_at(struct hprof_import *import, const struct hprof_run *run,
				 uint64_t index, struct hprof_array *array)
{
	struct hprof_text *text = &import->text;
	if (text->arrays != NULL) {
		*array = text->arrays[index];
		return SNAP_OK;
	}
	const uint8_t *bytes;
	uint64_t offset = (run->begin + index) * sizeof(*array);
	enum snap_status status =
		hprof_piece(&text->pieces, offset, sizeof(*array), &bytes, import->scan.error);
	if (status == SNAP_OK)
		memcpy(array, bytes, sizeof(*array));
	return status;
}

/* From the run's finger on in steps that double, as strings and their arrays mostly lie in the same
 * order: the array at low is not over id, that at high is. */
static enum snap_status gallop(struct hprof_import *import, const struct hprof_run *run,
			       uint64_t id, uint64_t *low, uint64_t *high)
{
	struct hprof_array probe;
	uint64_t step = 1;
	enum snap_status status = array_at(import, run, *low, &probe);
	if (status == SNAP_OK && probe.id <= id) {
		for (; *low + step < run->count; step *= 2) {
			status = array_at(import, run, *low + step, &probe);
			if (status != SNAP_OK || probe.id > id)
				break;
			*low += step;
		}
		*high = run->count - *low < step ? run->count : *low + step;
		return status;
	}
	for (; status == SNAP_OK && *low > 0 && probe.id > id; step *= 2) {
		*high = *low;
		*low = *low < step ? 0 : *low - step;
		status = array_at(import, run, *low, &probe);
	}
	return status;
}

/* Mostly it is one of the next. */
static bool is_near(const struct hprof_text *text, struct hprof_run *run, uint64_t id,
		    struct hprof_array *found)
{
	const uint64_t end = run->count - run->finger < NEAR ? run->count : run->finger + NEAR;
	for (uint64_t i = run->finger; text->arrays != NULL && i < end; i++) {
		if (text->arrays[i].id != id)
			continue;
		run->finger = i;
		*found = text->arrays[i];
		return true;
	}
	return false;
}

static enum snap_status search(struct hprof_import *import, struct hprof_run *run, uint64_t id,
			       struct hprof_array *found)
{
	if (is_near(&import->text, run, id, found))
		return SNAP_OK;
	uint64_t low = run->finger, high = run->count;
	enum snap_status status = gallop(import, run, id, &low, &high);
	while (status == SNAP_OK && high - low > 1) {
		uint64_t middle = low + (high - low) / 2;
		status = array_at(import, run, middle, found);
		if (found->id <= id)
			low = middle;
		else
			high = middle;
	}
	run->finger = low;
	return status == SNAP_OK ? array_at(import, run, low, found) : status;
}

static enum snap_status find_array(struct hprof_import *import, uint64_t id,
				   struct hprof_array *found)
{
	struct hprof_text *text = &import->text;
	for (size_t i = 0; i < text->run_count; i++) {
		struct hprof_run *run = &text->runs[i];
		if (id < run->first || id > run->last)
			continue;
		enum snap_status status = search(import, run, id, found);
		if (status != SNAP_OK || found->id == id)
			return status;
	}
	*found = (struct hprof_array){0};
	return SNAP_OK;
}

/* ---- characters ---- */

struct characters {
	const uint8_t *bytes;
	size_t size;  /* at hand */
	uint64_t all; /* bytes that there are */
	unsigned width;
	bool little_endian;
};

/* An array is mostly not far from its string. */
static enum snap_status bytes_at(struct hprof_import *import, uint64_t offset, size_t size,
				 const uint8_t **bytes)
{
	*bytes = import_reader_window(&import->scan.in, offset, size);
	if (*bytes != NULL)
		return SNAP_OK;
	return hprof_piece(&import->pieces, offset, size, bytes, import->scan.error);
}

static enum snap_status find_characters(struct hprof_import *import,
					const struct hprof_class *class, const uint8_t *instance,
					struct characters *c)
{
	const struct hprof_string_fields *fields = &class->text;
	const unsigned id_size = import->scan.id_size;
	struct hprof_array array;
	const uint8_t *header;
	enum snap_status status =
		find_array(import, hprof_id(instance + fields->value, id_size), &array);
	if (status != SNAP_OK || array.id == 0)
		return status;
	status = bytes_at(import, array.offset + 1 + id_size + 4, 5, &header);
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
	uint64_t at = array.offset + 1 + id_size + 4 + 5 + first * 2;
	return bytes_at(import, at, c->size, &c->bytes);
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
			return no_memory(import);
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

/* Its bytes as UTF-8; c->width is 0 where it has none. */
static enum snap_status find_text(struct hprof_import *import, const struct hprof_class *class,
				  const uint8_t *instance, struct characters *c)
{
	*c = (struct characters){.width = 0};
	if (!class->text.has_value)
		return SNAP_OK;
	enum snap_status status = find_characters(import, class, instance, c);
	return status == SNAP_OK && c->size > 0 ? decode(import, c) : status;
}

static enum snap_status keep_text(struct hprof_import *import, const struct characters *c,
				  struct hprof_batch *batch, struct hprof_item_text *out)
{
	out->first = batch->byte_count;
	out->size = c->size;
	if (c->size == 0)
		return SNAP_OK;
	if (batch->byte_capacity - batch->byte_count < c->size) {
		size_t capacity = batch->byte_capacity + batch->byte_capacity / 2 + c->size;
		uint8_t *larger = realloc(batch->bytes, capacity);
		if (larger == NULL)
			return no_memory(import);
		batch->bytes = larger;
		batch->byte_capacity = capacity;
	}
	memcpy(batch->bytes + batch->byte_count, c->bytes, c->size);
	batch->byte_count += c->size;
	return SNAP_OK;
}

enum snap_status hprof_text_find(struct hprof_import *import, const struct hprof_class *class,
				 const uint8_t *instance, struct hprof_batch *batch,
				 struct hprof_item_text *out)
{
	struct characters c;
	const bool contents = import->context->options->contents;
	enum snap_status status = find_text(import, class, instance, &c);
	out->known = status == SNAP_OK && c.width > 0;
	if (!out->known)
		return status;
	out->place = (uint32_t)batch->known_count++;
	batch->lengths[out->place] = c.all;
	batch->hashes[out->place] = contents ? 0 : siphash(import->text.key, c.bytes, c.size);
	return (out->wanted || contents) && c.size > 0 ? keep_text(import, &c, batch, out)
						       : SNAP_OK;
}

void hprof_text_free(struct hprof_text *text)
{
	free(text->arrays);
	free(text->runs);
	free(text->utf8);
	hprof_pieces_end(&text->pieces);
	import_output_end(&text->file, NULL, SNAP_OK);
	import_input_close(&text->spilled);
	*text = (struct hprof_text){.count = 0};
}
