/* A snapshot as the child writes it (child.c; with references: owners.c). */
#ifndef PICTURE_H
#define PICTURE_H

#include "snap.h"
#include "track.h"

#define PICTURE_NAMED_WORDS 32u /* of what is no larger, references are fields; else elements */

struct picture_thread {
	uint32_t id, name; /* 0: not made yet, unknown */
};
struct picture_site {
	uint32_t stack, thread, domain;
	bool known;
};
struct picture {
	struct track_heap heap;
	struct snap_writer *writer;
	struct snap_error error;
	enum snap_status status;
	uint32_t *stacks;               /* by node: its stack; 0: not made yet */
	struct picture_site *sites;     /* by node, of those that blocks have */
	uint32_t *modules;              /* by number: id */
	struct picture_thread *threads; /* by number */
	uint64_t bytes, count, lost_frees;
	uint64_t resident;           /* of the program, before the child took memory of its own */
	struct track_mapped *mapped; /* by ascending address */
	size_t mapped_count, mapped_next;
	bool has_mapped;  /* they are recorded */
	bool has_account; /* and maps */
	struct track_maps maps;
	struct track_account account;
	struct track_holders holders; /* the rest: with references only */
	struct track_older older;
	struct track_roots roots;
	struct track_types types;
	uint32_t offsets[PICTURE_NAMED_WORDS]; /* by word: the string's id */
	uint32_t labels;                       /* of roots without a variable */
	/* by node: the string that names its function; 0: not made yet */
	uint32_t *functions;
};

/* Its id; 0 if it is empty. */
uint32_t track_picture_string(struct picture *, const char *text, size_t size);
struct picture_thread track_picture_thread(struct picture *, uint32_t number);
uint32_t track_picture_stack(struct picture *, uint32_t node);

/* False: no memory. */
bool track_picture_read_references(struct picture *);
/* What the block that was written last points to. */
void track_picture_references(struct picture *, const struct track_block *);
/* Of older blocks, those that are to be written and begin below
 * an address, one after the other; false: there is none left. */
bool track_picture_older_next(struct picture *, uintptr_t until, struct track_block *);
/* The type of those of which nothing else is known. */
uint32_t track_picture_older_type(struct picture *);
/* The same of what the program mapped itself, without blocks in it. */
void track_picture_mapped_references(struct picture *, const struct track_mapped *);
/* After all blocks. */
void track_picture_roots(struct picture *);

#endif
