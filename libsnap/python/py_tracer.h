/* The tracer from the inside: which blocks the interpreter's
 * allocators have handed out, and to which lines.
 *
 * A call of an allocator ends in the hooks of py_tracer.c.  The running functions become a node
 * of a tree of lines (py_stacks.c), and the block goes into a table by its address
 * (py_blocks.c).  All memory is mapped: nothing here calls an allocator, or makes an object. */
#ifndef SNAP_PY_TRACER_H
#define SNAP_PY_TRACER_H

#include <pthread.h>

#include "py_walk.h"

/* ---- blocks (py_blocks.c) ---- */

struct py_block {
	uint64_t address; /* 0: none */
	uint64_t size;
	uint32_t stack; /* a node */
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
#define PY_STACK_MAX       0x7fffffffu

struct py_node {
	uint32_t parent, code; /* code: index of a struct py_code */
	int32_t offset;        /* of the instruction */
	uint32_t line;         /* or, with a tracker, its number for the line */
};
struct py_code {
	const PyCodeObject *code;  /* NULL: it is gone, and its address may be another's */
	PyObject *function, *file; /* str, owned; with a tracker NULL */
};
struct py_level {
	PyCodeObject *code;
	int32_t offset;
};
struct py_stacks {
	bool for_tracker;      /* lines are told it as they are found */
	pthread_mutex_t *lock; /* NULL: the interpreter's */
	const PyInterpreterState *interpreter;
	struct py_area nodes;  /* struct py_node, from PY_STACK_FIRST on */
	struct py_area codes;  /* struct py_code */
	struct py_map numbers; /* of code objects: index in codes + 1 */
	uint32_t *table;       /* nodes by parent, code and offset */
	size_t table_size;
	struct py_seen *seen; /* whole stacks */
	uint32_t epoch;       /* what was seen in others counts no more */
	size_t limit;         /* levels that are kept of a stack */
	struct py_level *now; /* the stack at hand, the innermost first */
};
/* Needs the interpreter's lock, as py_stacks_free() does. */
bool py_stacks_init(struct py_stacks *, size_t limit);
void py_stacks_free(struct py_stacks *);
/* The node of a thread's stack, PY_STACK_NONE if it runs no function or
 * there is no memory.  The thread must be this one, and hold the lock. */
uint32_t py_stacks_here(struct py_stacks *, const PyThreadState *);
const struct py_node *py_stacks_node(const struct py_stacks *, uint32_t node);
const struct py_code *py_stacks_code(const struct py_stacks *, uint32_t code);
uint32_t py_stacks_count(const struct py_stacks *); /* nodes are less than this */

/* ---- the native tracker (py_track.c) ---- */

/* Where snap-record's tracker is in the process, tells
 * it which lines run.  Needs the interpreter's lock. */
void py_track_begin(void);

/* ---- hooks (py_tracer.c); all need the interpreter's lock ---- */

/* Begins to record who allocates, with limit levels of each stack.  interval
 * 0: all blocks; else a sample, one in so many bytes on average.  False,
 * with an exception set: there is no memory, or it goes on already. */
bool py_tracer_start(size_t limit, uint64_t interval);
/* Forgets everything. */
void py_tracer_stop(void);
size_t py_tracer_limit(void); /* 0: it is off */

/* For the child of a fork: what this thread allocates from
 * now on is not recorded, so that the tables stand still. */
void py_tracer_silence(void);
uint64_t py_tracer_interval(void);
uint64_t py_tracer_lost(void); /* blocks for which there was no memory */
bool py_tracer_find(const void *address, struct py_block *out);
/* From 0 on; NULL: there are no more tables. */
const struct py_blocks *py_tracer_blocks(unsigned number);
const struct py_stacks *py_tracer_stacks(void);

/* ---- requests (py_signal.c) ---- */

/* Replaces the handler of a signal; 0, or an errno value: EBUSY where one is replaced already. */
int py_signal_arm(int number);
/* Puts the old handler back, and ends the wait. */
void py_signal_disarm(void);
/* Until the signal has come; false: it will not any more.  For
 * one thread, which should not hold the interpreter's lock. */
bool py_signal_wait(void);

#endif
