/* Encodings for few different values: constant, dictionary, runs (FORMAT.md, section 6). */
#include "planes.h"
#include "snapfmt.h"

#include <string.h>

size_t snapfmt_encode_constant(const uint64_t *values, size_t count, uint8_t *raw, size_t size)
{
	for (size_t i = 1; i < count; i++)
		if (values[i] != values[0])
			return 0;
	struct sink s = sink_over(raw, size);
	sink_varint(&s, values[0]);
	return s.failed ? 0 : (size_t)(s.at - raw);
}

bool snapfmt_decode_constant(struct cursor *c, uint64_t *values, size_t count)
{
	uint64_t value = cursor_varint(c);
	if (c->failed)
		return false;
	for (size_t i = 0; i < count; i++)
		values[i] = value;
	return true;
}

/* At most so many words (FORMAT.md): they fit on the
 * stack, and byte planes are as good for more. */
#define WORDS   1024
#define BUCKETS (4 * WORDS)

struct dictionary {
	uint64_t words[WORDS];
	uint16_t rank[WORDS];     /* of a word, in ascending order */
	uint16_t bucket[BUCKETS]; /* word + 1 */
	size_t count;
};

/* The word's bucket, or the empty one that would be its. */
static uint16_t *dictionary_find(struct dictionary *d, uint64_t value)
{
	size_t at = (size_t)(value * 0x9E3779B97F4A7C15u >> 32) % BUCKETS;
	while (d->bucket[at] && d->words[d->bucket[at] - 1] != value)
		at = (at + 1) % BUCKETS;
	return &d->bucket[at];
}

/* False: it is full. */
static bool dictionary_add(struct dictionary *d, uint64_t value)
{
	uint16_t *bucket = dictionary_find(d, value);
	if (*bucket)
		return true;
	if (d->count == WORDS)
		return false;
	d->words[d->count++] = value;
	*bucket = (uint16_t)d->count;
	return true;
}

/* Writes the words in ascending order and remembers each one's rank. */
static void dictionary_write(struct dictionary *d, struct sink *s)
{
	uint16_t order[WORDS];
	for (size_t i = 0; i < d->count; i++) {
		size_t at = i;
		for (; at > 0 && d->words[order[at - 1]] > d->words[i]; at--)
			order[at] = order[at - 1];
		order[at] = (uint16_t)i;
	}
	sink_varint(s, d->count);
	for (size_t i = 0; i < d->count; i++) {
		d->rank[order[i]] = (uint16_t)i;
		sink_varint(s, d->words[order[i]]);
	}
}

size_t snapfmt_encode_dictionary(const uint64_t *values, size_t count, uint8_t *raw, size_t size)
{
	struct dictionary d;
	memset(d.bucket, 0, sizeof(d.bucket));
	d.count = 0;
	for (size_t i = 0; i < count; i++)
		if (!dictionary_add(&d, values[i]))
			return 0;
	struct sink s = sink_over(raw, size);
	dictionary_write(&d, &s);
	unsigned width = d.count <= 256 ? 1 : 2;
	uint8_t *planes = sink_take(&s, width * count);
	if (!planes)
		return 0;
	for (size_t i = 0; i < count; i++)
		planes_put(planes, width, count, i, d.rank[*dictionary_find(&d, values[i]) - 1]);
	return (size_t)(s.at - raw);
}

bool snapfmt_decode_dictionary(struct cursor *c, uint64_t *values, size_t count)
{
	uint64_t words[WORDS];
	uint64_t word_count = cursor_varint(c);
	if (c->failed || word_count == 0 || word_count > WORDS || word_count > count)
		return false;
	for (size_t i = 0; i < word_count; i++) {
		words[i] = cursor_varint(c);
		if (c->failed || (i > 0 && words[i] <= words[i - 1]))
			return false;
	}
	unsigned width = word_count <= 256 ? 1 : 2;
	const uint8_t *planes = cursor_take(c, width * (uint64_t)count);
	if (!planes)
		return false;
	for (size_t i = 0; i < count; i++) {
		size_t index = planes[i] | (width == 2 ? (size_t)planes[count + i] << 8 : 0);
		if (index >= word_count)
			return false;
		values[i] = words[index];
	}
	return true;
}

static size_t run_length(const uint64_t *values, size_t count, size_t start)
{
	size_t end = start + 1;
	while (end < count && values[end] == values[start])
		end++;
	return end - start;
}

size_t snapfmt_encode_runs(const uint64_t *values, size_t count, uint8_t *raw, size_t size)
{
	size_t runs = 0;
	uint64_t value_bits = 0, length_bits = 0;
	for (size_t i = 0, length; i < count; i += length, runs++) {
		length = run_length(values, count, i);
		value_bits |= values[i];
		length_bits |= length - 1;
	}
	if (runs > count / 2 + 1)
		return 0;
	unsigned value_width = planes_width(value_bits), length_width = planes_width(length_bits);
	struct sink s = sink_over(raw, size);
	sink_varint(&s, runs);
	sink_u8(&s, (uint8_t)value_width);
	uint8_t *value_planes = sink_take(&s, value_width * runs);
	sink_u8(&s, (uint8_t)length_width);
	uint8_t *length_planes = sink_take(&s, length_width * runs);
	if (!value_planes || !length_planes)
		return 0;
	for (size_t i = 0, run = 0, length; i < count; i += length, run++) {
		length = run_length(values, count, i);
		planes_put(value_planes, value_width, runs, run, values[i]);
		planes_put(length_planes, length_width, runs, run, length - 1);
	}
	return (size_t)(s.at - raw);
}

static uint64_t plane_value(const uint8_t *planes, unsigned width, size_t count, size_t i)
{
	uint64_t value = 0;
	for (unsigned plane = 0; plane < width; plane++)
		value |= (uint64_t)planes[plane * count + i] << (8 * plane);
	return value;
}

/* The width byte and its planes, of which the highest has a byte that is not zero. */
static const uint8_t *take_planes(struct cursor *c, unsigned *width, size_t count)
{
	*width = planes_read_width(c);
	const uint8_t *planes = cursor_take(c, *width * (uint64_t)count);
	if (!planes || *width == 0)
		return planes;
	for (size_t i = 0; i < count; i++)
		if (planes[(*width - 1) * count + i])
			return planes;
	return NULL;
}

bool snapfmt_decode_runs(struct cursor *c, uint64_t *values, size_t count)
{
	uint64_t runs = cursor_varint(c);
	if (c->failed || runs == 0 || runs > count)
		return false;
	unsigned value_width, length_width;
	const uint8_t *value_planes = take_planes(c, &value_width, (size_t)runs);
	const uint8_t *length_planes =
		value_planes ? take_planes(c, &length_width, (size_t)runs) : NULL;
	if (!length_planes)
		return false;
	size_t at = 0;
	for (size_t run = 0; run < runs; run++) {
		uint64_t value = plane_value(value_planes, value_width, (size_t)runs, run);
		uint64_t more = plane_value(length_planes, length_width, (size_t)runs, run);
		if (at == count || more > count - at - 1)
			return false;
		for (uint64_t i = 0; i <= more; i++)
			values[at++] = value;
	}
	return at == count;
}
