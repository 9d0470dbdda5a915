/* The tree of stacks.  One that was seen lately is found by a
 * hash of all its levels; else it is looked up level by level. */
#include <string.h>

#include "py_activation.h"
#include "py_tracer.h"
#include "snap_track.h"

#define FIRST_TABLE ((size_t)1 << 12)
#define SEEN_LOG    15 /* places for stacks that were seen, two for each hash */

struct py_seen {
	uint64_t hash;
	uint32_t node, epoch;
};

/* ---- code objects ---- */

const struct py_code *py_stacks_code(const struct py_stacks *s, uint32_t code)
{
	return (const struct py_code *)(const void *)s->codes.bytes + code;
}

/* Names outlive the code that has them. */
static void keep_names(struct py_code *out, PyCodeObject *code)
{
	out->function = py_code_qualname(code);
	out->file = code->co_filename;
	Py_INCREF(out->function);
	Py_INCREF(out->file);
}

static bool note_code(struct py_stacks *s, PyCodeObject *code, uint32_t *out)
{
	uint32_t number = py_map_get(&s->numbers, code);
	if (number && py_stacks_code(s, number - 1)->code == code) {
		*out = number - 1;
		return true;
	}
	number = (uint32_t)(s->codes.size / sizeof(struct py_code)) + 1;
	struct py_code *added = py_area_add(&s->codes, sizeof(*added));
	if (!added || !py_map_put(&s->numbers, code, number))
		return false;
	added->code = code;
	if (!s->for_tracker)
		keep_names(added, code);
	*out = number - 1;
	return true;
}

static void forget_code(struct py_stacks *s, const void *code)
{
	uint32_t number = py_map_get(&s->numbers, code);
	if (number)
		((struct py_code *)(void *)s->codes.bytes)[number - 1].code = NULL;
	s->epoch += number != 0;
}

/* ---- the end of code objects ---- */

/* The process's, as the type of code objects is. */
static struct py_stacks *watching[2];
static destructor dealloc_below;

static void dealloc_code(PyObject *code)
{
	const PyThreadState *thread = py_running_thread();
	for (size_t i = 0; i < 2; i++) {
		struct py_stacks *s = watching[i];
		if (!s || (!s->lock && thread && thread->interp != s->interpreter))
			continue;
		if (s->lock)
			pthread_mutex_lock(s->lock);
		forget_code(s, code);
		if (s->lock)
			pthread_mutex_unlock(s->lock);
	}
	dealloc_below(code);
}

static bool watch(struct py_stacks *s)
{
	size_t i = watching[0] ? 1 : 0;
	if (watching[i])
		return false;
	watching[i] = s;
	if (!dealloc_below) {
		dealloc_below = PyCode_Type.tp_dealloc;
		PyCode_Type.tp_dealloc = dealloc_code;
	}
	return true;
}

static void watch_no_more(const struct py_stacks *s)
{
	for (size_t i = 0; i < 2; i++)
		if (watching[i] == s)
			watching[i] = NULL;
}

/* ---- nodes ---- */

const struct py_node *py_stacks_node(const struct py_stacks *s, uint32_t node)
{
	return (const struct py_node *)(const void *)s->nodes.bytes + node;
}

uint32_t py_stacks_count(const struct py_stacks *s)
{
	return (uint32_t)(s->nodes.size / sizeof(struct py_node));
}

static size_t hash_of(const void *code, int32_t offset, uint32_t parent)
{
	uint64_t hash = ((uint64_t)parent << 32 | (uint32_t)offset) * 0xc2b2ae3d27d4eb4fu;
	hash = (hash ^ hash >> 32 ^ (uintptr_t)code >> 4) * 0x9e3779b97f4a7c15u;
	return (size_t)(hash >> 32);
}

/* Nodes of code that is gone are not found again. */
static bool grow_table(struct py_stacks *s)
{
	size_t size = s->table_size ? s->table_size * 2 : FIRST_TABLE;
	uint32_t *table = py_map_pages(size * sizeof(*table));
	if (!table)
		return false;
	for (uint32_t id = PY_STACK_FIRST; id < py_stacks_count(s); id++) {
		const struct py_node *node = py_stacks_node(s, id);
		const void *code = py_stacks_code(s, node->code)->code;
		if (!code)
			continue;
		size_t at = hash_of(code, node->offset, node->parent) & (size - 1);
		while (table[at])
			at = (at + 1) & (size - 1);
		table[at] = id;
	}
	py_unmap_pages(s->table, s->table_size * sizeof(*s->table));
	s->table = table;
	s->table_size = size;
	return true;
}

static uint32_t tell(PyCodeObject *code, uint32_t caller, uint32_t line)
{
	char function[512], file[2048];
	py_text(py_code_qualname(code), function, sizeof(function));
	py_text(code->co_filename, file, sizeof(file));
	return snap_track_line(caller, function, file, line);
}

static uint32_t add_node(struct py_stacks *s, const struct py_level *level, uint32_t parent,
			 size_t at)
{
	uint32_t id = py_stacks_count(s), code;
	if (id > PY_STACK_MAX || !note_code(s, level->code, &code))
		return PY_STACK_NONE;
	int line = PyCode_Addr2Line(level->code, level->offset);
	uint32_t told = line > 0 ? (uint32_t)line : 0;
	if (s->for_tracker) {
		told = tell(level->code,
			    parent < PY_STACK_FIRST ? parent : py_stacks_node(s, parent)->line,
			    told);
		if (!told)
			return PY_STACK_NONE;
	}
	struct py_node *node = py_area_add(&s->nodes, sizeof(*node));
	if (!node)
		return PY_STACK_NONE;
	*node = (struct py_node){parent, code, level->offset, told};
	s->table[at] = id;
	return id;
}

static uint32_t find_node(struct py_stacks *s, const struct py_level *level, uint32_t parent)
{
	if ((size_t)py_stacks_count(s) * 2 >= s->table_size && !grow_table(s))
		return PY_STACK_NONE;
	size_t mask = s->table_size - 1, at = hash_of(level->code, level->offset, parent) & mask;
	for (; s->table[at]; at = (at + 1) & mask) {
		const struct py_node *node = py_stacks_node(s, s->table[at]);
		if (node->parent == parent && node->offset == level->offset &&
		    py_stacks_code(s, node->code)->code == level->code)
			return s->table[at];
	}
	return add_node(s, level, parent, at);
}

/* ---- the stack at hand ---- */

/* Returns how many levels there are in s->now, and a hash of them. */
static size_t walk(struct py_stacks *s, const PyThreadState *thread, uint32_t *root, uint64_t *out)
{
	const py_activation *a = py_innermost(thread);
	struct py_level *now = s->now;
	uint64_t hash = 0;
	size_t count = 0;
	for (; a; a = py_caller(a)) {
		PyCodeObject *code = py_code_of(a);
		if (!code || (count == 0 && py_is_incomplete(a, code)))
			continue;
		if (count == s->limit)
			break;
		int32_t offset = py_offset_of(a, code);
		now[count++] = (struct py_level){code, offset};
		hash = (hash + ((uintptr_t)code ^ (uint64_t)(uint32_t)offset << 44)) *
		       0x9e3779b97f4a7c15u;
	}
	*root = a ? PY_STACK_TRUNCATED : PY_STACK_NONE;
	*out = (hash ^ hash >> 29) * 0xbf58476d1ce4e5b9u + *root;
	return count;
}

uint32_t py_stacks_here(struct py_stacks *s, const PyThreadState *thread)
{
	uint64_t hash;
	uint32_t node;
	size_t count = walk(s, thread, &node, &hash);
	struct py_seen *seen = &s->seen[hash >> (64 - SEEN_LOG) & ~(uint64_t)1];
	for (int i = 0; i < 2; i++)
		if (seen[i].hash == hash && seen[i].epoch == s->epoch)
			return seen[i].node;
	while (count-- > 0) {
		node = find_node(s, &s->now[count], node);
		if (node == PY_STACK_NONE)
			return PY_STACK_NONE;
	}
	seen[1] = seen[0];
	seen[0] = (struct py_seen){hash, node, s->epoch};
	return node;
}

bool py_stacks_init(struct py_stacks *s, size_t limit)
{
	s->interpreter = PyThreadState_Get()->interp;
	s->limit = limit;
	s->epoch = 1;
	s->now = py_map_pages(limit * sizeof(*s->now));
	s->seen = py_map_pages(sizeof(*s->seen) << SEEN_LOG);
	return s->now && s->seen && grow_table(s) &&
	       py_area_add(&s->nodes, PY_STACK_FIRST * sizeof(struct py_node)) && watch(s);
}

void py_stacks_free(struct py_stacks *s)
{
	watch_no_more(s);
	for (uint32_t i = 0; i < s->codes.size / sizeof(struct py_code); i++) {
		Py_XDECREF(py_stacks_code(s, i)->function);
		Py_XDECREF(py_stacks_code(s, i)->file);
	}
	py_area_free(&s->nodes);
	py_area_free(&s->codes);
	py_map_free(&s->numbers);
	py_unmap_pages(s->table, s->table_size * sizeof(*s->table));
	py_unmap_pages(s->seen, sizeof(*s->seen) << SEEN_LOG);
	py_unmap_pages(s->now, s->limit * sizeof(*s->now));
	*s = (struct py_stacks){0};
}
