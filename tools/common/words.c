/* The words of spec/registry.yaml for numbers: those that the library does not tell. */
#include "words.h"

#include <string.h>

#include "snap_graph.h"

#define WORD_COUNT 22
static const char *const words[][WORD_COUNT] = {
	[WORDS_TYPE_KIND] =
		{
			"object",
			"array",
			"string",
			"code",
			"closure",
			"number",
			"native",
			"synthetic",
			"class",
			"hidden",
			"symbol",
			"regexp",
			"bigint",
			"layout",
			"block",
			"place",
		},
	[WORDS_DIMENSION] = {"all", "type", "stack", "thread", "domain", "generation", "shape",
			     "size"},
	[WORDS_MAPPING_KIND] = {"other", "heap", "stack", "file", "recorder"},
	[WORDS_SNAPSHOT_FLAG] = {"partial", "sampled", "totals_only", "contents"},
	[WORDS_OBJECT_FLAG] = {"uncollectable", "detached", "attached", "older"},
	[WORDS_STACK_FLAG] = {"truncated"},
	[WORDS_MAPPING_FLAG] = {"readable", "writable", "executable", "shared"},
};

const char *word_of(enum word_list list, uint64_t number)
{
	if (number >= WORD_COUNT)
		return NULL;
	switch (list) {
	case WORDS_REFERENCE_KIND: return snap_reference_kind_name((uint32_t)number);
	case WORDS_ROOT_KIND: return snap_root_kind_name((uint32_t)number);
	default: return words[list][number];
	}
}

uint64_t word_number(enum word_list list, const char *word, size_t size)
{
	for (uint64_t i = 0; i < WORD_COUNT; i++) {
		const char *known = word_of(list, i);
		if (known != NULL && strlen(known) == size && memcmp(known, word, size) == 0)
			return i;
	}
	return UINT64_MAX;
}
