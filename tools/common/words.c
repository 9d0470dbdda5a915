/* The words of spec/registry.yaml for numbers. */
#include "words.h"

#include <string.h>

#include "snap.h"

#define WORD_COUNT 22
static const char *const words[][WORD_COUNT] = {
	[WORDS_TYPE_KIND] = {
		"object", "array", "string", "code", "closure", "number", "native", "synthetic", "class", "hidden",
		"symbol", "regexp", "bigint", "layout", "block",
	},
	[WORDS_REFERENCE_KIND] = {
		"field", "element", "internal", "hidden", "local", "key", "value", "class", "static",
		[SNAP_REF_WEAK] = "weak", "soft", "phantom", "final", "ephemeron", "shortcut",
	},
	[WORDS_ROOT_KIND] = {
		"unknown", "vm", "global", "stack", "thread", "handle", "register", "tls", "class", "monitor",
		"finalizer", "interned", "foreign",
	},
	[WORDS_DIMENSION] = {"all", "type", "stack", "thread", "domain", "generation", "shape", "size"},
	[WORDS_SNAPSHOT_FLAG] = {"partial", "sampled", "totals_only", "contents"},
	[WORDS_OBJECT_FLAG] = {"uncollectable", "detached", "attached", "older"},
	[WORDS_STACK_FLAG] = {"truncated"},
};

const char *word_of(enum word_list list, uint64_t number)
{
	return number < WORD_COUNT ? words[list][number] : NULL;
}

uint64_t word_number(enum word_list list, const char *word, size_t size)
{
	for (uint64_t i = 0; i < WORD_COUNT; i++)
		if (words[list][i] && strlen(words[list][i]) == size && memcmp(words[list][i], word, size) == 0)
			return i;
	return UINT64_MAX;
}
