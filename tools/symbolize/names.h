/* Frames with names, to replace those of a snapshot (spec/FORMAT.md, section 7.1). */
#ifndef SYMBOLIZE_NAMES_H
#define SYMBOLIZE_NAMES_H

#include "cli.h"

/* Texts, each once, numbered from 0 in the order in which they were added. */
struct texts {
	char *bytes;
	size_t size, capacity;
	struct text {
		size_t at, length;
		uint32_t id;
	} * items;
	size_t count, room;
	uint32_t *slots; /* of a hash table: number + 1, or 0 */
	size_t slot_count;
};
/* The number of a text, which is added if it is new. */
uint32_t texts_add(struct texts *, const char *bytes, size_t size);
/* NULL if it is not there. */
struct text *texts_find(const struct texts *, const char *bytes, size_t size);
void texts_free(struct texts *);

#define TEXT_BIT UINT32_C(0x80000000) /* in an id of a string: the number of a new text */

struct frame {
	uint32_t function, file; /* ids of strings */
	uint32_t line, module, inlined_into;
	uint64_t offset;
};
struct frames {
	struct frame *old;
	size_t old_count;
	struct frame *rows; /* what replaces them */
	size_t count, capacity;
	/* the first so many rows are those of old; then come callers of inlined functions */
	size_t base;
	uint32_t *slots; /* of a hash table of the rows from base on: row + 1, or 0 */
	size_t slot_count;
	struct texts texts;
	/* frames with a place in a module, and those of them that have got names */
	size_t asked, named;
};

enum snap_status frames_load(struct frames *, struct snap_reader *, struct snap_error *);
/* Asks the files of all modules.  Those that are missing are warned of. */
enum snap_status frames_name(struct frames *, struct snap_reader *, struct snap_error *);
void frames_free(struct frames *);

#endif
