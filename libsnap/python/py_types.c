/* What is known of each type: its name, layout, members, and how its objects are measured. */
#include <stdio.h>
#include <string.h>

#include "py_walk.h"

#include <structmember.h>

#define HEADER 16u /* of the collector */

PyObject *py_type_dict(PyTypeObject *type)
{
#if PY_SINCE(3, 12)
	PyObject *dict = PyType_GetDict(type);
	Py_XDECREF(dict); /* the type keeps it */
	return dict;
#else
	return type->tp_dict;
#endif
}

static bool is_heap_type(const PyTypeObject *type)
{
	return (type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0;
}

/* Looks in the type's own dict only.  Borrowed. */
static PyObject *own_attribute(PyTypeObject *type, PyObject *name)
{
	PyObject *dict = py_type_dict(type);
	PyObject *found = dict ? PyDict_GetItemWithError(dict, name) : NULL;
	if (!found)
		PyErr_Clear();
	return found;
}

void py_type_name(struct py_walk *w, PyTypeObject *type, char *out, size_t size)
{
	if (!is_heap_type(type)) {
		const char *name = type->tp_name;
		if (!strncmp(name, "builtins.", 9))
			name += 9;
		snprintf(out, size, "%s", name);
		return;
	}
	PyObject *module = own_attribute(type, w->module_name);
	size_t at = 0;
	if (module && PyUnicode_Check(module)) {
		at = py_text(module, out, size / 2);
		at = strcmp(out, "builtins") == 0 ? 0 : at;
		if (at > 0)
			out[at++] = '.';
	}
	py_text(((PyHeapTypeObject *)type)->ht_qualname, out + at, size - at);
}

static bool derives(const PyTypeObject *type, const PyTypeObject *base)
{
	for (; type; type = type->tp_base)
		if (type == base)
			return true;
	return false;
}

static enum py_layout layout_of(const PyTypeObject *type)
{
	static const struct {
		unsigned long flag;
		enum py_layout layout;
	} by_flag[] = {
		{Py_TPFLAGS_LIST_SUBCLASS, PY_LIST},   {Py_TPFLAGS_TUPLE_SUBCLASS, PY_TUPLE},
		{Py_TPFLAGS_DICT_SUBCLASS, PY_DICT},   {Py_TPFLAGS_UNICODE_SUBCLASS, PY_STRING},
		{Py_TPFLAGS_BYTES_SUBCLASS, PY_BYTES}, {Py_TPFLAGS_LONG_SUBCLASS, PY_INTEGER},
		{Py_TPFLAGS_TYPE_SUBCLASS, PY_TYPE},   {Py_TPFLAGS_BASE_EXC_SUBCLASS, PY_EXCEPTION},
	};
	for (size_t i = 0; i < sizeof(by_flag) / sizeof(*by_flag); i++)
		if (type->tp_flags & by_flag[i].flag)
			return by_flag[i].layout;
	const struct {
		const PyTypeObject *type;
		enum py_layout layout;
	} by_type[] = {
		{&PySet_Type, PY_SET},
		{&PyFrozenSet_Type, PY_SET},
		{&PyFloat_Type, PY_FLOAT},
		{&PyFunction_Type, PY_FUNCTION},
		{&PyModule_Type, PY_MODULE},
		{&PyFrame_Type, PY_FRAME},
		{&PyTraceBack_Type, PY_TRACEBACK},
		{&PyGen_Type, PY_GENERATOR},
		{&PyCoro_Type, PY_GENERATOR},
		{&PyAsyncGen_Type, PY_GENERATOR},
		{&PyCode_Type, PY_CODE},
		{&PyCell_Type, PY_CELL},
		{&PyCFunction_Type, PY_C_FUNCTION},
		{&_PyWeakref_RefType, PY_WEAK},
		{&_PyWeakref_ProxyType, PY_WEAK},
		{&_PyWeakref_CallableProxyType, PY_WEAK},
	};
	for (size_t i = 0; i < sizeof(by_type) / sizeof(*by_type); i++)
		if (derives(type, by_type[i].type))
			return by_type[i].layout;
	return PY_OTHER;
}

static enum snap_type_kind kind_of(enum py_layout layout)
{
	switch (layout) {
	case PY_LIST:
	case PY_TUPLE: return SNAP_TYPE_ARRAY;
	case PY_STRING:
	case PY_BYTES: return SNAP_TYPE_STRING;
	case PY_INTEGER:
	case PY_FLOAT: return SNAP_TYPE_NUMBER;
	case PY_FUNCTION: return SNAP_TYPE_CLOSURE;
	case PY_CODE: return SNAP_TYPE_CODE;
	case PY_TYPE: return SNAP_TYPE_CLASS;
	default: return SNAP_TYPE_OBJECT;
	}
}

static bool is_exact(const PyTypeObject *type)
{
	return type == &PyList_Type || type == &PyTuple_Type || type == &PyDict_Type ||
	       type == &PyUnicode_Type || type == &PyBytes_Type || type == &PyLong_Type ||
	       type == &PyFloat_Type || type == &PySet_Type || type == &PyFrozenSet_Type;
}

static size_t bytes_before(const PyTypeObject *type)
{
	size_t before = type->tp_flags & Py_TPFLAGS_HAVE_GC ? HEADER : 0;
#if PY_SINCE(3, 12)
	/* Py_TPFLAGS_PREHEADER: managed dict or managed weak references, two words for either. */
	if (type->tp_flags & (1ul << 3 | 1ul << 4))
		before += 2 * sizeof(void *);
#elif PY_SINCE(3, 11)
	if (type->tp_flags & Py_TPFLAGS_MANAGED_DICT)
		before += 2 * sizeof(void *);
#endif
	return before;
}

static void add_members(struct py_walk *w, PyTypeObject *base)
{
	PyObject *dict = py_type_dict(base), *key, *value;
	Py_ssize_t at = 0;
	while (dict && py_going(w) && PyDict_Next(dict, &at, &key, &value)) {
		if (Py_TYPE(value) != &PyMemberDescr_Type)
			continue;
		const PyMemberDef *member = ((PyMemberDescrObject *)value)->d_member;
		if (member->type != T_OBJECT && member->type != T_OBJECT_EX)
			continue;
		uint32_t label = py_string(w, member->name);
		py_lock(w);
		struct py_member *added = py_area_add(&w->members, sizeof(*added));
		if (!added)
			py_fail(w, SNAP_NO_MEMORY, "out of memory");
		else
			*added = (struct py_member){member->offset, label};
		py_unlock(w);
	}
}

/* Lists, tuples and instances whose type has nothing but what the interpreter's own code reads. */
static bool is_for_any(const struct py_type *type)
{
	if (type->exact)
		return type->layout == PY_LIST || type->layout == PY_TUPLE ||
		       type->layout == PY_DICT;
	return type->layout == PY_OTHER && !type->size && !type->is_lru_cache &&
	       py_traverse_is_known(type->type);
}

/* The first __sizeof__ in the order of resolution; one that is written in Python is never run. */
static PyCFunction find_sizeof(const struct py_walk *w, PyTypeObject *type)
{
	PyObject *order = type->tp_mro;
	for (Py_ssize_t i = 0; order && i < PyTuple_GET_SIZE(order); i++) {
		PyObject *method =
			own_attribute((PyTypeObject *)PyTuple_GET_ITEM(order, i), w->sizeof_name);
		if (!method)
			continue;
		if (Py_TYPE(method) != &PyMethodDescr_Type)
			return NULL;
		const PyMethodDef *definition = ((PyMethodDescrObject *)method)->d_method;
		bool plain = (definition->ml_flags & METH_NOARGS) != 0;
		return plain && definition->ml_meth != w->object_sizeof ? definition->ml_meth
									: NULL;
	}
	return NULL;
}

static bool describe(struct py_walk *w, PyTypeObject *type, struct py_type *out)
{
	char name[512];
	py_type_name(w, type, name, sizeof(name));
	*out = (struct py_type){.type = type,
				.layout = layout_of(type),
				.exact = is_exact(type),
				.is_lru_cache = strcmp(name, "functools._lru_cache_wrapper") == 0,
				.before = bytes_before(type),
				.size = find_sizeof(w, type),
				.member_first = w->members.size / sizeof(struct py_member)};
	out->for_any = is_for_any(out);
	PyObject *order = type->tp_mro;
	for (Py_ssize_t i = 0; order && i < PyTuple_GET_SIZE(order); i++)
		add_members(w, (PyTypeObject *)PyTuple_GET_ITEM(order, i));
	out->member_count = w->members.size / sizeof(struct py_member) - out->member_first;
	uint32_t string = py_string(w, name);
	py_lock(w);
	if (py_going(w))
		w->status = snap_writer_type(w->writer, string, kind_of(out->layout), &out->id,
					     &w->error);
	py_unlock(w);
	return py_going(w);
}

struct py_type *py_type_keep(struct py_walk *w, const struct py_type *described)
{
	struct py_type *added = py_area_add(&w->types, sizeof(*added));
	const uint32_t number = (uint32_t)(w->types.size / sizeof(*added));
	if (!added || !py_map_put(&w->type_numbers, described->type, number)) {
		py_fail(w, SNAP_NO_MEMORY, "out of memory");
		return NULL;
	}
	*added = *described;
	return added;
}

struct py_type *py_type_at(struct py_walk *w, PyTypeObject *type)
{
	const uint32_t number = py_map_get(&w->type_numbers, type);
	struct py_type described, *kept = NULL;
	if (number > 0)
		return (struct py_type *)(void *)w->types.bytes + (number - 1);
	if (w->main)
		return py_pair_type(w, type);
	if (describe(w, type, &described)) {
		py_lock(w);
		kept = py_type_keep(w, &described);
		py_unlock(w);
	}
	return kept;
}
