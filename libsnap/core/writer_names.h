/* Names of a snapshot that is being written: texts and the
 * rows that are made of them, each once (writer_names.c). */
#ifndef LIBSNAP_WRITER_NAMES_H
#define LIBSNAP_WRITER_NAMES_H

#include "snapfmt.h"
#include "store.h"

/* Rows of one size, each once. */
struct libsnap_set {
	struct libsnap_pages rows;
	struct libsnap_intern ids;
};

struct libsnap_module {
	uint32_t path, build_id;
	uint64_t base, size;
};
struct libsnap_frame_row {
	uint32_t function, file, line, module;
	uint64_t offset;
	uint32_t inlined_into, zero;
};
struct libsnap_stack {
	uint32_t parent, frame, flags;
};
struct libsnap_type {
	uint32_t name, kind;
};
struct libsnap_thread {
	uint64_t number;
	uint32_t name, zero;
};
struct libsnap_content {
	uint64_t length, hash;
	uint32_t text, zero;
};
struct libsnap_property {
	uint32_t key, value;
};

struct libsnap_names {
	struct libsnap_tape text;
	/* uint64_t: a position on the tape, with LIBSNAP_STRING_USED */
	struct libsnap_pages strings;
	struct libsnap_intern string_ids;
	struct libsnap_set modules, frames, stacks, types, threads, contents;
	struct libsnap_pages properties;
};
#define LIBSNAP_STRING_USED ((uint64_t)1 << 63)

void libsnap_names_init(struct libsnap_names *, const struct snap_allocator *);
void libsnap_names_free(struct libsnap_names *);
const char *libsnap_names_text(const struct libsnap_names *, uint32_t id, size_t *size);
/* The id of an equal row, added if there is none; 0: no memory. */
uint32_t libsnap_set_add(struct libsnap_set *, const void *row);
void libsnap_set_init(struct libsnap_set *, const struct snap_allocator *, size_t row_size);
void libsnap_set_free(struct libsnap_set *);
/* Row id - 1. */
static inline void *libsnap_set_at(const struct libsnap_set *set, uint32_t id)
{
	return libsnap_pages_at(&set->rows, id - 1);
}

static inline void libsnap_string_use(struct libsnap_names *names, uint32_t id)
{
	if (id)
		*(uint64_t *)libsnap_pages_at(&names->strings, id - 1) |= LIBSNAP_STRING_USED;
}

#endif
