/* The words of spec/registry.yaml for numbers: kinds, dimensions, flags. */
#ifndef WORDS_H
#define WORDS_H

#include <stddef.h>
#include <stdint.h>

enum word_list {
	WORDS_TYPE_KIND,
	WORDS_REFERENCE_KIND,
	WORDS_ROOT_KIND,
	WORDS_DIMENSION,
	WORDS_MAPPING_KIND,
	/* the bit's number */
	WORDS_SNAPSHOT_FLAG,
	WORDS_OBJECT_FLAG,
	WORDS_STACK_FLAG,
	WORDS_MAPPING_FLAG,
};

/* NULL if there is none. */
const char *word_of(enum word_list, uint64_t number);
/* The word's number, or UINT64_MAX. */
uint64_t word_number(enum word_list, const char *word, size_t size);

#endif
