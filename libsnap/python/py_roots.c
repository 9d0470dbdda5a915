/* Roots: modules, the interpreter's own, threads; and what only C code can be holding. */
#include <stdio.h>
#include <string.h>

#include "py_walk.h"

void py_root(struct py_walk *w, PyObject *object, const struct snap_root *root)
{
	uint32_t id = object ? py_note(w, object) : 0;
	if (!id)
		return;
	struct snap_root whole = *root;
	whole.object = (uintptr_t)object;
	w->status = snap_writer_root(w->writer, &whole, &w->error);
	uint32_t *added = py_area_add(&w->roots, sizeof(*added));
	if (added)
		*added = id;
	else
		py_fail(w, SNAP_NO_MEMORY, "out of memory");
}

static void root_named(struct py_walk *w, PyObject *object, enum snap_root_kind kind, const char *label)
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
			.label = PyUnicode_Check(name) ? (uint32_t)(py_name_label(w, name) / 4) : 0};
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

static size_t edge_count(const struct py_walk *w)
{
	return w->edges.size / sizeof(uint32_t);
}

static void reach(struct py_walk *w, struct py_area *stack, uint32_t id)
{
	struct py_object *object = py_object_at(w, id);
	if (object->flags & PY_REACHED)
		return;
	object->flags |= PY_REACHED;
	uint32_t *added = py_area_add(stack, sizeof(*added));
	if (added)
		*added = id;
	else
		py_fail(w, SNAP_NO_MEMORY, "out of memory");
}

static void reach_from(struct py_walk *w, struct py_area *stack, uint32_t root)
{
	const uint32_t *edges = (const uint32_t *)(void *)w->edges.bytes;
	reach(w, stack, root);
	while (stack->size > 0 && py_going(w)) {
		stack->size -= sizeof(uint32_t);
		uint32_t id = *(uint32_t *)(void *)(stack->bytes + stack->size);
		uint64_t end = id < w->object_count ? py_object_at(w, id + 1)->first_edge : edge_count(w);
		for (uint64_t i = py_object_at(w, id)->first_edge; i < end; i++)
			reach(w, stack, edges[i]);
	}
}

/* Types and strings that live in C's memory or for ever, and are nobody's leak. */
static enum snap_root_kind permanent_kind(PyObject *object)
{
	if (PyUnicode_Check(object) && PyUnicode_CHECK_INTERNED(object))
		return SNAP_ROOT_INTERNED;
	if (PyType_Check(object) && !(((PyTypeObject *)object)->tp_flags & Py_TPFLAGS_HEAPTYPE))
		return SNAP_ROOT_CLASS;
#if PY_SINCE(3, 12)
	if (_Py_IsImmortal(object))
		return SNAP_ROOT_VM;
#endif
	return SNAP_ROOT_UNKNOWN;
}

static void root_permanent(struct py_walk *w, struct py_area *stack)
{
	for (uint32_t id = 1; id <= w->object_count && py_going(w); id++) {
		struct py_object *object = py_object_at(w, id);
		if (object->flags & PY_REACHED)
			continue;
		const struct snap_root root = {.kind = permanent_kind(object->object)};
		if (root.kind == SNAP_ROOT_UNKNOWN)
			continue;
		py_root(w, object->object, &root);
		reach_from(w, stack, id);
	}
}

static uint64_t count_of(PyObject *object)
{
	return (uint64_t)Py_REFCNT(object);
}

static void root_foreign(struct py_walk *w, struct py_area *stack, uint32_t id)
{
	struct py_object *object = py_object_at(w, id);
	uint64_t count = count_of(object->object);
	char label[96];
	if (count <= object->found)
		return;
	snprintf(label, sizeof(label), "held from C: refcount %llu, %llu known",
		 (unsigned long long)count, (unsigned long long)object->found);
	root_named(w, object->object, SNAP_ROOT_FOREIGN, label);
	reach_from(w, stack, id);
}

void py_foreign_roots(struct py_walk *w)
{
	struct py_area stack = {0};
	size_t known = w->roots.size / sizeof(uint32_t);
	for (size_t i = 0; i < known && py_going(w); i++)
		reach_from(w, &stack, ((uint32_t *)(void *)w->roots.bytes)[i]);
	root_permanent(w, &stack);
	for (uint32_t id = 1; id <= w->object_count && py_going(w); id++)
		if (!(py_object_at(w, id)->flags & PY_REACHED))
			root_foreign(w, &stack, id);
	py_area_free(&stack);
}
