/* Where the parts of encoded integers end, for who compresses them (FORMAT.md, section 6). */
#include "bytes.h"
#include "snapfmt.h"

/* Shorter ones are not worth a table of their own. */
#define LEAST_PART 1024u

struct parts {
	size_t *ends;
	size_t count, last, size;
};

static void end_part(struct parts *p, size_t end)
{
	if (end < p->size && end >= p->last + LEAST_PART && p->count < SNAPFMT_MAX_PARTS - 1)
		p->ends[p->count++] = p->last = end;
}

static void end_planes(struct parts *p, size_t at, size_t width, size_t each)
{
	for (end_part(p, at); width > 0; width--)
		end_part(p, at += each);
}

static void find_ranges(struct parts *p, const uint8_t *raw, size_t raw_size, size_t count)
{
	struct cursor c = cursor_over(raw, raw_size);
	uint32_t counts[SNAPFMT_MAX_RANGES + 1] = {0};
	uint8_t widths[SNAPFMT_MAX_RANGES + 1] = {0};
	size_t ranges = (size_t)cursor_varint(&c);
	for (size_t i = 1; i <= ranges && i <= SNAPFMT_MAX_RANGES; i++) {
		cursor_varint(&c);
		cursor_u8(&c);
		widths[i] = cursor_u8(&c);
	}
	const uint8_t *codes = cursor_take(&c, count);
	for (size_t i = 0; codes && i < count; i++)
		counts[codes[i]]++;
	size_t at = (size_t)(c.at - raw);
	for (size_t i = 1; i <= SNAPFMT_MAX_RANGES; at += (size_t)widths[i] * counts[i], i++)
		end_planes(p, at, widths[i], counts[i]);
}

static void find_steps(struct parts *p, const uint8_t *raw, size_t raw_size, size_t count)
{
	struct cursor c = cursor_over(raw, raw_size);
	cursor_take(&c, count);
	size_t different = (size_t)cursor_varint(&c), width = cursor_u8(&c);
	end_part(p, count);
	end_planes(p, (size_t)(c.at - raw), width, different);
}

size_t snapfmt_find_parts(uint8_t encoding, const uint8_t *raw, size_t raw_size, size_t count,
			  size_t *ends)
{
	struct parts p = {.ends = ends, .size = raw_size};
	switch (count < LEAST_PART ? SNAPFMT_TEXT : encoding) {
	case SNAPFMT_PLANES:
	case SNAPFMT_DICTIONARY: end_planes(&p, raw_size % count, raw_size / count, count); break;
	case SNAPFMT_DELTA:
	case SNAPFMT_ADJACENT:
		end_planes(&p, raw_size % (count - 1), raw_size / (count - 1), count - 1);
		break;
	case SNAPFMT_STEPS: find_steps(&p, raw, raw_size, count); break;
	case SNAPFMT_RANGES: find_ranges(&p, raw, raw_size, count); break;
	}
	ends[p.count] = raw_size;
	return p.count + 1;
}
