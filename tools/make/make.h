/* What the files of snap-make know of each other. */
#ifndef MAKE_H
#define MAKE_H

#include "cli.h"
#include "document.h"
#include "words.h"

struct make {
	struct document *text;
	const char *out;
	struct snap_writer_options options;
	struct snap_writer *writer;
	uint64_t rows[SNAP_TIMELINE + 1]; /* the largest id of each table so far */
	/* ids by string id of the name; MAKE_MANY if several have it */
	uint32_t *types, *threads;
	size_t type_capacity, thread_capacity;
	uint8_t *is_property; /* by string id */
	size_t property_capacity;
	uint64_t unknown_references;
	uint32_t *frames; /* of the stack being read */
	size_t frame_capacity;
	bool failed; /* beside what the text reports */
};

#define MAKE_MANY UINT32_MAX

/* make_good: the writer's answer; a misuse is the text's fault.  Others read what comes
 * next in the text; all return false after a failure, which has been reported. */

/* values.c */
bool make_good(struct make *, enum snap_status, const struct snap_error *);
bool make_gave(struct make *, enum snap_table, uint32_t id);
void *make_grow(void *array, size_t *capacity, size_t index, size_t element_size);
bool make_intern(struct make *, const char *bytes, size_t size, uint32_t *id);
bool make_string(struct make *, uint32_t *id);
bool make_u32(struct make *, uint32_t *value);
bool make_as_id(struct make *, enum snap_table, uint32_t *id);
bool make_id(struct make *, enum snap_table, uint32_t *id);
bool make_as_word(struct make *, enum word_list, uint64_t *number);
bool make_word(struct make *, enum word_list, uint64_t *number);
bool make_flags(struct make *, enum word_list, uint32_t *flags);

/* names.c: a row of a table of names, or what stands for one */
bool make_module_row(struct make *, uint32_t *id);
bool make_frame_row(struct make *, uint32_t *id);
bool make_stack_row(struct make *, uint32_t *id);
bool make_type_row(struct make *, uint32_t *id);
bool make_thread_row(struct make *, uint32_t *id);
bool make_content_row(struct make *, uint32_t *id);
bool make_stack(struct make *, uint32_t *id);
bool make_type(struct make *, uint32_t *id);
bool make_thread(struct make *, uint32_t *id);
bool make_content(struct make *, uint32_t *id);
bool make_properties(struct make *);

/* objects.c: an item of a list, whose mapping has begun */
bool make_object(struct make *);
bool make_root(struct make *);
bool make_moment(struct make *);
bool make_mapping(struct make *);
bool make_total(struct make *);

#endif
