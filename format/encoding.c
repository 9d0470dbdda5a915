/* The table of encodings, and the one of byte strings (FORMAT.md, section 6). */
#include "snapfmt.h"

const struct snapfmt_codec snapfmt_codecs[SNAPFMT_ENCODING_COUNT] = {
	[SNAPFMT_CONSTANT] = {"constant", snapfmt_encode_constant, snapfmt_decode_constant},
	[SNAPFMT_PLANES] = {"planes", snapfmt_encode_planes, snapfmt_decode_planes},
	[SNAPFMT_DELTA] = {"delta", snapfmt_encode_delta, snapfmt_decode_delta},
	[SNAPFMT_DICTIONARY] = {"dictionary", snapfmt_encode_dictionary, snapfmt_decode_dictionary},
	[SNAPFMT_RUNS] = {"runs", snapfmt_encode_runs, snapfmt_decode_runs},
	[SNAPFMT_STEPS] = {"steps", snapfmt_encode_steps, snapfmt_decode_steps},
	[SNAPFMT_TEXT] = {"text", NULL, NULL},
	[SNAPFMT_RANGES] = {"ranges", NULL, snapfmt_decode_ranges},
	[SNAPFMT_ADJACENT] = {"adjacent", NULL, NULL},
};

bool snapfmt_decode(uint8_t encoding, const uint8_t *raw, size_t raw_size, uint64_t *values,
		    size_t count)
{
	if (encoding >= SNAPFMT_ENCODING_COUNT || !snapfmt_codecs[encoding].decode || count == 0)
		return false;
	struct cursor c = cursor_over(raw, raw_size);
	return snapfmt_codecs[encoding].decode(&c, values, count) && !c.failed &&
	       cursor_left(&c) == 0;
}

bool snapfmt_decode_text(const uint8_t *raw, size_t raw_size, size_t count, uint32_t *offsets,
			 const char **bytes)
{
	struct cursor c = cursor_over(raw, raw_size);
	uint64_t end = 0;
	for (size_t i = 0; i < count; i++) {
		offsets[i] = (uint32_t)end;
		uint64_t length = cursor_varint(&c);
		if (c.failed || length > SNAPFMT_MAX_STRING)
			return false;
		end += length;
		if (end > raw_size)
			return false;
	}
	if (end != cursor_left(&c))
		return false;
	offsets[count] = (uint32_t)end;
	*bytes = (const char *)c.at;
	return true;
}
