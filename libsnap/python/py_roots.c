/* Roots: modules, the interpreter's own, threads; and what only C code can be holding. */
#include <stdio.h>
#include <string.h>

#include "py_walk.h"

static void give_root(struct py_walk *w, const void *object, const struct snap_root *root)
{
	struct snap_root whole = *root;
	whole.object = (uintptr_t)object;
	if (py_going(w))
		w->status = snap_writer_root(w->writer, &whole, &w->error);
}

void py_root(struct py_walk *w, PyObject *object, const struct snap_root *root)
{
	uint32_t id = object ? py_note(w, object) : 0;
	if (!id)
		return;
	give_root(w, object, root);
	uint32_t *added = py_area_add(&w->roots, sizeof(*added));
	if (added)
		*added = id;
	else
		py_fail(w, SNAP_NO_MEMORY, "out of memory");
}

static void root_named(struct py_walk *w, PyObject *object, enum snap_root_kind kind,
		       const char *label)
{
	const struct snap_root root = {.kind = kind, .label = py_string(w, label)};
	py_root(w, object, &root);
}

static void root_modules(struct py_walk *w)
{
	PyObject *modules = PyImport_GetModuleDict(), *name, *module;
	Py_ssize_t at = 0;
	while (modules && py_going(w) && PyDict_Next(modules, &at, &name, &module)) {
		const struct snap_root root = {
			.kind = SNAP_ROOT_GLOBAL,
			.label =
				PyUnicode_Check(name) ? (uint32_t)(py_name_label(w, name) / 4) : 0};
		py_root(w, module, &root);
	}
	root_named(w, modules, SNAP_ROOT_VM, "sys.modules");
}

void py_known_roots(struct py_walk *w)
{
#if PY_SINCE(3, 9)
	PyInterpreterState *interpreter = PyInterpreterState_Get();
#else
	PyInterpreterState *interpreter = _PyInterpreterState_Get();
#endif
	root_modules(w);
	root_named(w, PyInterpreterState_GetDict(interpreter), SNAP_ROOT_VM, "interpreter");
	root_named(w, PyEval_GetBuiltins(), SNAP_ROOT_VM, "builtins");
	py_frame_roots(w);
}

/* ---- reachability ---- */

/* Objects that no known root reaches, but something that is no object holds.  They are found beside
 * the walk, which has ended then: all that it knows is only read. */
struct py_reach {
	struct libsnap_job job;
	const struct py_walk *walk;
	struct py_area stack; /* uint32_t: ids */
	uint64_t *reached;    /* a bit by id */
	uint32_t *known;      /* by id: references to it from objects that are not reached */
	struct py_area found; /* struct found_root */
	bool failed;
};

struct found_root {
	uint32_t id, known;
	enum snap_root_kind kind;
};

static size_t reached_size(const struct py_walk *w)
{
	return ((size_t)w->object_count / 64 + 1) * sizeof(uint64_t);
}

static size_t known_size(const struct py_walk *w)
{
	return ((size_t)w->object_count + 1) * sizeof(uint32_t);
}

static bool is_reached(const struct py_reach *r, uint32_t id)
{
	return r->reached[id / 64] >> id % 64 & 1;
}

/* What an object refers to. */
struct edges {
	const uint32_t *words;
	const struct py_layout_info *layout;
	uint32_t count;
};

static inline struct edges edges_of(const struct py_walk *w, uint32_t id)
{
	const struct snap_heap_object *row = py_row_of(w, id);
	return (struct edges){.words = (const uint32_t *)(const void *)w->words.bytes +
				       row->references,
			      .layout = py_layout_at(w, row->layout),
			      .count = row->reference_count};
}

/* The target of one of them, if it holds that; else 0. */
static inline uint32_t held_by(const struct edges *e, uint32_t i)
{
	if (e->layout->labelled)
		return py_holds(e->words[i * 3 + 1] / 4) ? e->words[i * 3] : 0;
	return i >= e->layout->count || e->layout->strong >> i & 1 ? e->words[i] : 0;
}

static inline void reach(struct py_reach *r, uint32_t id)
{
	if (id == 0 || is_reached(r, id))
		return;
	r->reached[id / 64] |= (uint64_t)1 << id % 64;
	if (py_marks_of(r->walk, id) & PY_LEAF)
		return;
	uint32_t *added = py_area_add(&r->stack, sizeof(*added));
	if (added)
		*added = id;
	r->failed |= !added;
}

static void reach_targets(struct py_reach *r, uint32_t id)
{
	const struct edges edges = edges_of(r->walk, id);
	for (uint32_t i = 0; i < edges.count; i++)
		reach(r, held_by(&edges, i));
}

/* objects of which the row, then the words are on their way from memory; a power of two */
#define WAITING 16u

static void reach_from(struct py_reach *r, uint32_t root)
{
	const struct py_walk *w = r->walk;
	uint32_t waiting[WAITING] = {0};
	size_t left = WAITING; /* turns until none waits */
	reach(r, root);
	for (size_t turn = 0; left > 0 && !r->failed; turn++) {
		uint32_t *place = &waiting[turn % WAITING],
			 halfway = waiting[(turn + WAITING / 2) % WAITING];
		if (*place)
			reach_targets(r, *place);
		*place = 0;
		if (halfway)
			__builtin_prefetch((const uint32_t *)(const void *)w->words.bytes +
					   py_row_of(w, halfway)->references);
		left--;
		if (r->stack.size == 0)
			continue;
		r->stack.size -= sizeof(uint32_t);
		*place = *(uint32_t *)(void *)(r->stack.bytes + r->stack.size);
		__builtin_prefetch(py_row_of(w, *place));
		left = WAITING + 1;
	}
}

/* Objects that 3.11 compiles in begin with this count, which it changes and never looks at. */
#define FROZEN_REFCOUNT 999999999

uint64_t py_refcount(PyObject *object)
{
#if PY_SINCE(3, 12)
	if (_Py_IsImmortal(object))
		return 0;
#endif
	return Py_REFCNT(object) > FROZEN_REFCOUNT / 2 ? 0 : (uint64_t)Py_REFCNT(object);
}

/* Types and strings that live in C's memory or for ever, and are nobody's leak. */
static enum snap_root_kind permanent_kind(PyObject *object)
{
	if (PyUnicode_Check(object) && PyUnicode_CHECK_INTERNED(object))
		return SNAP_ROOT_INTERNED;
	if (PyType_Check(object) && !(((PyTypeObject *)object)->tp_flags & Py_TPFLAGS_HEAPTYPE))
		return SNAP_ROOT_CLASS;
	return py_refcount(object) ? SNAP_ROOT_UNKNOWN : SNAP_ROOT_VM;
}

static void find_root(struct py_reach *r, uint32_t id, enum snap_root_kind kind)
{
	struct found_root *added = py_area_add(&r->found, sizeof(*added));
	if (added)
		*added = (struct found_root){id, r->known[id], kind};
	r->failed |= !added;
	reach_from(r, id);
}

static void find_permanent(struct py_reach *r)
{
	for (uint32_t id = 1; id <= r->walk->object_count; id++) {
		if (is_reached(r, id))
			continue;
		const enum snap_root_kind kind = permanent_kind(py_object_at(r->walk, id));
		if (kind != SNAP_ROOT_UNKNOWN)
			find_root(r, id, kind);
	}
}

/* Only what is not reached can hold what is not. */
static void count_known(struct py_reach *r)
{
	for (uint32_t id = 1; id <= r->walk->object_count; id++) {
		if (is_reached(r, id))
			continue;
		const struct edges edges = edges_of(r->walk, id);
		for (uint32_t i = 0; i < edges.count; i++)
			r->known[held_by(&edges, i)]++;
	}
}

static void run(struct libsnap_job *job)
{
	struct py_reach *r = (struct py_reach *)(void *)job;
	const struct py_walk *w = r->walk;
	const size_t roots = w->roots.size / sizeof(uint32_t);
	for (size_t i = 0; i < roots; i++)
		reach_from(r, ((const uint32_t *)(const void *)w->roots.bytes)[i]);
	find_permanent(r);
	count_known(r);
	for (uint32_t id = 1; id <= w->object_count; id++)
		if (!is_reached(r, id) && py_refcount(py_object_at(w, id)) > r->known[id])
			find_root(r, id, SNAP_ROOT_FOREIGN);
}

static void reach_free(struct py_reach *r)
{
	py_unmap_pages(r->reached, reached_size(r->walk));
	py_unmap_pages(r->known, known_size(r->walk));
	py_area_free(&r->stack);
	py_area_free(&r->found);
	py_unmap_pages(r, sizeof(*r));
}

struct py_reach *py_foreign_find(struct py_walk *w)
{
	struct py_reach *r = py_going(w) ? py_map_pages(sizeof(*r)) : NULL;
	if (!r) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory");
		return NULL;
	}
	r->job.run = run;
	r->walk = w;
	r->reached = py_map_pages(reached_size(w));
	r->known = py_map_pages(known_size(w));
	for (size_t i = 0; i < w->holes.size / sizeof(uint32_t) && r->reached; i++) {
		const uint32_t id = ((const uint32_t *)(const void *)w->holes.bytes)[i];
		r->reached[id / 64] |= (uint64_t)1 << id % 64;
	}
	if (r->reached && r->known && py_area_reserve(&r->stack, known_size(w)))
		libsnap_worker_post(&w->worker, &r->job);
	else
		r->failed = true;
	return r;
}

static void give_found(struct py_walk *w, const struct found_root *found)
{
	PyObject *object = py_object_at(w, found->id);
	struct snap_root root = {.kind = found->kind};
	if (root.kind == SNAP_ROOT_FOREIGN) {
		char label[96];
		snprintf(label, sizeof(label), "held from C: refcount %llu, %lu known",
			 (unsigned long long)py_refcount(object), (unsigned long)found->known);
		root.label = py_string(w, label);
	}
	give_root(w, object, &root);
}

void py_foreign_give(struct py_walk *w, struct py_reach *r)
{
	if (!r)
		return;
	libsnap_worker_wait(&w->worker, &r->job);
	if (r->failed)
		py_fail(w, SNAP_NO_MEMORY, "out of memory");
	for (size_t i = 0; i < r->found.size / sizeof(struct found_root); i++)
		give_found(w, (const struct found_root *)(const void *)r->found.bytes + i);
	reach_free(r);
}
