/* The tracer from the inside: which blocks the interpreter's allocators have handed out, and to which lines.
 *
 * A call of an allocator ends in the hooks of py_tracer.c.  The running functions become a node of a tree of lines
 * (py_stacks.c), and the block goes into a table by its address (py_blocks.c).  All memory is mapped: nothing here calls
 * an allocator, or makes an object. */
#ifndef SNAP_PY_TRACER_H
#define SNAP_PY_TRACER_H

#include "py_walk.h"

/* ---- blocks (py_blocks.c) ---- */

/* Of a block: the node of its stack, and two marks. */
#define PY_STACK_MASK   0x3fffffffu
#define PY_BLOCK_OLDER  0x40000000u /* was there before tracing began: not a block that is told of */
#define PY_BLOCK_CODE   0x80000000u /* a code object that stacks name */

struct py_block {
	uint64_t address; /* 0: none */
	uint64_t size;
	uint32_t stack; /* with marks */
};

/* Blocks by address, in 20 to 25 bytes each. */
struct py_blocks {
	struct py_block_row *rows;
	size_t capacity, count;
};
/* Puts a block in the place of what was known at its address; false: no memory. */
bool py_blocks_put(struct py_blocks *, const void *address, size_t size, uint32_t stack);
/* Takes a block out; false: it is not known. */
bool py_blocks_take(struct py_blocks *, const void *address, struct py_block *out);
bool py_blocks_find(const struct py_blocks *, const void *address, struct py_block *out);
/* *at is 0 at first; false: there are no more. */
bool py_blocks_next(const struct py_blocks *, size_t *at, struct py_block *out);
void py_blocks_free(struct py_blocks *);

/* ---- stacks (py_stacks.c) ---- */

#define PY_TRACE_LIMIT_MAX 65535

/* A node is a line called from its parent.  Two parents are no nodes: */
#define PY_STACK_NONE      0u /* outermost */
#define PY_STACK_TRUNCATED 1u /* there were more */
#define PY_STACK_FIRST     2u

struct py_node {
	uint32_t parent, code; /* code: index of a struct py_code */
	int32_t offset;        /* of the instruction */
	int32_t line;
};
struct py_code {
	const PyCodeObject *code; /* NULL: it is gone, and its address may be another's */
	PyObject *function, *file; /* str, owned */
};
struct py_level {
	PyCodeObject *code;
	int32_t offset;
};
struct py_stacks {
	struct py_area nodes;  /* struct py_node, from PY_STACK_FIRST on */
	struct py_area codes;  /* struct py_code */
	struct py_map numbers; /* of code objects: index in codes + 1 */
	uint32_t *table;       /* nodes by parent, code and offset */
	size_t table_size;
	struct py_seen *seen;  /* whole stacks */
	uint32_t epoch;        /* what was seen in others counts no more */
	size_t limit;          /* levels that are kept of a stack */
	struct py_level *now;  /* the stack at hand, the innermost first */
};
bool py_stacks_init(struct py_stacks *, size_t limit);
/* The node of a thread's stack, PY_STACK_NONE if it runs no function or there is no memory.  Code objects that are seen for
 * the first time are added to first_seen: their end is to be told of.  The thread must be this one, and hold the lock. */
uint32_t py_stacks_here(struct py_stacks *, const PyThreadState *, struct py_area *first_seen);
/* A code object is about to be freed. */
void py_stacks_forget(struct py_stacks *, const void *code);
const struct py_node *py_stacks_node(const struct py_stacks *, uint32_t node);
const struct py_code *py_stacks_code(const struct py_stacks *, uint32_t code);
uint32_t py_stacks_count(const struct py_stacks *); /* nodes are less than this */
/* Needs the lock. */
void py_stacks_free(struct py_stacks *);

/* ---- hooks (py_tracer.c); all need the interpreter's lock ---- */

/* Begins to record who allocates, with limit levels of each stack.  interval 0: all blocks; else a sample, one in so many
 * bytes on average.  False, with an exception set: there is no memory, or it goes on already. */
bool py_tracer_start(size_t limit, uint64_t interval);
/* Forgets everything. */
void py_tracer_stop(void);
size_t py_tracer_limit(void); /* 0: it is off */

/* For the child of a fork: what this thread allocates from now on is not recorded, so that the tables stand still. */
void py_tracer_silence(void);
uint64_t py_tracer_interval(void);
uint64_t py_tracer_lost(void); /* blocks for which there was no memory */
bool py_tracer_find(const void *address, struct py_block *out);
/* From 0 on; NULL: there are no more tables.  Their blocks may be marked as older. */
const struct py_blocks *py_tracer_blocks(unsigned number);
const struct py_stacks *py_tracer_stacks(void);

/* ---- requests (py_signal.c) ---- */

/* Replaces the handler of a signal; 0, or an errno value: EBUSY where one is replaced already. */
int py_signal_arm(int number);
/* Puts the old handler back, and ends the wait. */
void py_signal_disarm(void);
/* Until the signal has come; false: it will not any more.  For one thread, which should not hold the interpreter's lock. */
bool py_signal_wait(void);

#endif
