/* What a C program needs to picture its own heap: typed blocks that know where they were allocated,
 * and a walk over them. */
#ifndef HEAP_H
#define HEAP_H

#include <snap.h>
#include <stdlib.h>
#include <string.h>

/* ---- who calls: a stack of scopes, kept by the program itself ---- */

enum { HEAP_MAX_DEPTH = 8 };
struct heap_call {
	const char *function, *file;
	int line;
};
static struct heap_call heap_calls[HEAP_MAX_DEPTH];
static int heap_depth;

static inline int heap_enter(const char *function, const char *file, int line)
{
	if (heap_depth < HEAP_MAX_DEPTH)
		heap_calls[heap_depth] = (struct heap_call){function, file, line};
	heap_depth++;
	return 0;
}
static inline void heap_leave(int *scope)
{
	(void)scope;
	heap_depth--;
}
#define SCOPE \
	__attribute__((cleanup(heap_leave), unused)) int heap_scope = \
		heap_enter(__func__, __FILE__, __LINE__)

/* ---- blocks ---- */

struct heap_field {
	const char *label;
	size_t offset;
};
struct heap_type {
	const char *name;
	bool is_table;               /* nothing but pointers, one after the other */
	struct heap_field fields[4]; /* pointers to other blocks; ends with label NULL */
};

struct heap_block {
	struct heap_block *next, *previous;
	const struct heap_type *type;
	size_t size;
	uint64_t serial;
	int depth;
	struct heap_call calls[HEAP_MAX_DEPTH];
	_Alignas(max_align_t) char bytes[];
};
static struct heap_block *heap_blocks;
static uint64_t heap_serial;

static inline void *heap_new(const struct heap_type *type, size_t size, int line)
{
	struct heap_block *block = calloc(1, sizeof(*block) + size);
	if (!block)
		abort();
	block->type = type;
	block->size = size;
	block->serial = ++heap_serial;
	block->depth = heap_depth < HEAP_MAX_DEPTH ? heap_depth : HEAP_MAX_DEPTH;
	memcpy(block->calls, heap_calls, sizeof(heap_calls));
	block->calls[block->depth - 1].line = line;
	block->next = heap_blocks;
	if (heap_blocks)
		heap_blocks->previous = block;
	heap_blocks = block;
	return block->bytes;
}
#define NEW(type)             heap_new(&type##_type, sizeof(struct type), __LINE__)
#define NEW_SIZED(type, size) heap_new(&type##_type, size, __LINE__)

static inline void heap_free(void *bytes)
{
	if (!bytes)
		return;
	struct heap_block *block =
		(struct heap_block *)((char *)bytes - offsetof(struct heap_block, bytes));
	if (block->next)
		block->next->previous = block->previous;
	*(block->previous ? &block->previous->next : &heap_blocks) = block->next;
	free(block);
}

/* ---- the picture ---- */

static inline enum snap_status heap_text(struct snap_writer *w, const char *text, uint32_t *id,
					 struct snap_error *error)
{
	return snap_writer_string(w, text, strlen(text), id, error);
}

static inline enum snap_status heap_write_stack(struct snap_writer *w,
						const struct heap_block *block, uint32_t *stack,
						struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	*stack = 0;
	for (int i = 0; i < block->depth && status == SNAP_OK; i++) {
		struct snap_frame frame = {.line = (uint32_t)block->calls[i].line};
		uint32_t id = 0;
		status = heap_text(w, block->calls[i].function, &frame.function, error);
		if (status == SNAP_OK)
			status = heap_text(w, block->calls[i].file, &frame.file, error);
		if (status == SNAP_OK)
			status = snap_writer_frame(w, &frame, &id, error);
		if (status == SNAP_OK)
			status = snap_writer_stack(w, *stack, id, 0, stack, error);
	}
	return status;
}

static inline enum snap_status heap_refer(struct snap_writer *w, const struct heap_block *block,
					  const void *pointer, enum snap_reference_kind kind,
					  uint64_t label, struct snap_error *error)
{
	void *target;
	memcpy(&target, pointer, sizeof(target));
	if (!target)
		return SNAP_OK;
	return snap_writer_reference(w, (uintptr_t)block->bytes, (uintptr_t)target, kind, label,
				     error);
}

static inline enum snap_status heap_write_references(struct snap_writer *w,
						     const struct heap_block *block,
						     struct snap_error *error)
{
	enum snap_status status = SNAP_OK;
	const struct heap_type *type = block->type;
	for (size_t i = 0; type->is_table && i < block->size / sizeof(void *) && status == SNAP_OK;
	     i++)
		status = heap_refer(w, block, block->bytes + i * sizeof(void *), SNAP_REF_ELEMENT,
				    SNAP_LABEL_INDEX(i), error);
	for (const struct heap_field *field = type->fields; field->label && status == SNAP_OK;
	     field++) {
		uint32_t label = 0;
		status = heap_text(w, field->label, &label, error);
		if (status == SNAP_OK)
			status = heap_refer(w, block, block->bytes + field->offset, SNAP_REF_FIELD,
					    SNAP_LABEL_STRING(label), error);
	}
	return status;
}

static inline enum snap_status
heap_write_block(struct snap_writer *w, const struct heap_block *block, struct snap_error *error)
{
	struct snap_object object = {.id = (uintptr_t)block->bytes,
				     .size = block->size,
				     .count = 1,
				     .birth_serial = block->serial};
	uint32_t name = 0;
	enum snap_status status = heap_text(w, block->type->name, &name, error);
	if (status == SNAP_OK)
		status = snap_writer_type(
			w, name, block->type->is_table ? SNAP_TYPE_ARRAY : SNAP_TYPE_OBJECT,
			&object.type, error);
	if (status == SNAP_OK)
		status = heap_write_stack(w, block, &object.stack, error);
	if (status == SNAP_OK)
		status = snap_writer_object(w, &object, error);
	return status == SNAP_OK ? heap_write_references(w, block, error) : status;
}

struct heap_root {
	const char *name;
	const void *object;
};

/* Writes every live block, with its references, and the global variables that hold the first of
 * them. */
static inline enum snap_status heap_snapshot(const char *path, const char *program,
					     const struct heap_root *roots, size_t root_count,
					     struct snap_error *error)
{
	struct snap_writer *w;
	enum snap_status status = snap_writer_open(&w, path, NULL, error);
	if (status != SNAP_OK)
		return status;
	status = snap_writer_property(w, "program", program, error);
	for (const struct heap_block *block = heap_blocks; block && status == SNAP_OK;
	     block = block->next)
		status = heap_write_block(w, block, error);
	for (size_t i = 0; i < root_count && status == SNAP_OK; i++) {
		struct snap_root root = {.object = (uintptr_t)roots[i].object,
					 .kind = SNAP_ROOT_GLOBAL};
		status = heap_text(w, roots[i].name, &root.label, error);
		if (status == SNAP_OK)
			status = snap_writer_root(w, &root, error);
	}
	if (status == SNAP_OK)
		return snap_writer_finish(w, NULL, error);
	snap_writer_abort(w);
	return status;
}

#endif
