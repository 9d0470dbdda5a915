/* Shallow sizes: the bytes of an object's own blocks, with what
 * lies before it.  sys.getsizeof leaves out the values of instances
 * since CPython 3.11, and what lies before an object until then. */
#include "py_walk.h"

#if !PY_SINCE(3, 11)
#include <longintrepr.h>
#endif

static size_t item_count(PyObject *object)
{
	Py_ssize_t count = Py_SIZE(object);
	return (size_t)(count < 0 ? -count : count);
}

static size_t basic_size(PyObject *object)
{
	const PyTypeObject *type = Py_TYPE(object);
	size_t size = (size_t)type->tp_basicsize;
	return type->tp_itemsize > 0 ? size + (size_t)type->tp_itemsize * item_count(object) : size;
}

static size_t asked_size(PyObject *object, PyCFunction size_function)
{
	PyObject *answer = size_function(object, NULL);
	size_t size = answer && PyLong_Check(answer) ? PyLong_AsSize_t(answer) : (size_t)-1;
	Py_XDECREF(answer);
	if (size == (size_t)-1) {
		PyErr_Clear();
		return basic_size(object);
	}
	return size;
}

static size_t digits_of(PyObject *integer)
{
#if PY_SINCE(3, 12)
	return (size_t)(((PyLongObject *)integer)->long_value.lv_tag >> 3);
#else
	return item_count(integer);
#endif
}

size_t py_plain_size(const uint32_t *integer_sizes, PyObject *object, enum py_layout layout)
{
	switch (layout) {
	case PY_STRING:
		return PyUnicode_IS_COMPACT_ASCII(object)
			       ? sizeof(PyASCIIObject) + (size_t)PyUnicode_GET_LENGTH(object) + 1
			       : 0;
	case PY_TUPLE:
		return (size_t)Py_TYPE(object)->tp_basicsize + item_count(object) * sizeof(void *);
	case PY_LIST:
		return (size_t)Py_TYPE(object)->tp_basicsize +
		       (size_t)((PyListObject *)object)->allocated * sizeof(void *);
	case PY_BYTES: return (size_t)Py_TYPE(object)->tp_basicsize + item_count(object);
	case PY_FLOAT: return (size_t)Py_TYPE(object)->tp_basicsize;
	case PY_INTEGER: {
		const size_t digits = digits_of(object);
		return digits < PY_INTEGER_SIZES ? integer_sizes[digits] : 0;
	}
	default: return 0;
	}
}

/* What a dict's size follows from, if its values are its own: its keys, if it shares them, else what
 * is odd; NULL: it has to be asked. */
static const void *size_key(const struct py_walk *w, PyObject *dict)
{
	if (!((PyDictObject *)dict)->ma_values) {
		const uintptr_t shape = w->layouts ? py_dict_shape(dict) : 0;
		/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
		return shape ? (const void *)(shape * 2 + 1) : NULL;
	}
	return py_values_are_embedded(dict) ? NULL : ((PyDictObject *)dict)->ma_keys;
}

static size_t dict_size(struct py_walk *w, PyObject *dict, PyCFunction size_function)
{
	const void *key = size_key(w, dict);
	uint32_t known = key ? py_map_get(&w->dict_sizes, key) : 0;
	if (known)
		return known;
	const size_t size = asked_size(dict, size_function);
	if (key && size <= UINT32_MAX) {
		py_lock(w);
		if (!py_map_put(&w->dict_sizes, key, (uint32_t)size))
			py_fail(w, SNAP_NO_MEMORY, "out of memory");
		py_unlock(w);
	}
	return size;
}

bool py_dict_size_is_known(struct py_walk *w, PyObject *dict)
{
	const void *key = w->main ? size_key(w, dict) : NULL;
	if (!key)
		return !w->main;
	uint32_t known = py_map_get(&w->dict_sizes, key);
	if (!known) {
		py_lock(w);
		known = py_map_get(&w->main->dict_sizes, key);
		py_unlock(w);
		if (known && !py_map_put(&w->dict_sizes, key, known))
			py_fail(w, SNAP_NO_MEMORY, "out of memory");
	}
	return known != 0;
}

static size_t shallow(struct py_walk *w, PyObject *object, const struct py_type *type)
{
	const size_t plain =
		type->exact ? py_plain_size(w->integer_sizes, object, type->layout) : 0;
	if (plain)
		return plain;
	if (type->exact && type->layout == PY_DICT)
		return dict_size(w, object, type->size);
	return type->size ? asked_size(object, type->size) : basic_size(object);
}

uint64_t py_size(struct py_walk *w, PyObject *object, const struct py_type *type)
{
	size_t before = type->before;
	if (type->layout == PY_TYPE && !(((PyTypeObject *)object)->tp_flags & Py_TPFLAGS_HEAPTYPE))
		before = 0;
	return shallow(w, object, type) + before + (w->layouts ? py_inline_values_size(object) : 0);
}

void py_sizes_init(struct py_walk *w)
{
	PyObject *dict = py_type_dict(&PyBaseObject_Type);
	PyObject *method = dict ? PyDict_GetItemWithError(dict, w->sizeof_name) : NULL;
	if (method && Py_TYPE(method) == &PyMethodDescr_Type)
		w->object_sizeof = ((PyMethodDescrObject *)method)->d_method->ml_meth;
}

void py_sizes_ask(struct py_walk *w)
{
	const struct py_type *type = py_type_at(w, &PyLong_Type);
	for (unsigned digits = 0; digits < PY_INTEGER_SIZES && type; digits++) {
		const unsigned long long value = digits ? 1ull << PyLong_SHIFT * (digits - 1) : 0;
		PyObject *integer = PyLong_FromUnsignedLongLong(value);
		w->integer_sizes[digits] = integer ? (uint32_t)asked_size(integer, type->size) : 0;
		Py_XDECREF(integer);
	}
	PyErr_Clear();
}
