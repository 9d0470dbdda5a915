/* Shallow sizes: the bytes of an object's own blocks, with what
 * lies before it.  sys.getsizeof leaves out the values of instances
 * since CPython 3.11, and what lies before an object until then. */
#include "py_walk.h"

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

static size_t string_size(PyObject *string, PyCFunction size_function)
{
	if (PyUnicode_IS_COMPACT_ASCII(string))
		return sizeof(PyASCIIObject) + (size_t)PyUnicode_GET_LENGTH(string) + 1;
	return size_function ? asked_size(string, size_function) : basic_size(string);
}

/* Integers of so many digits are all of one size. */
static size_t integer_size(struct py_walk *w, PyObject *integer, PyCFunction size_function)
{
#if PY_SINCE(3, 12)
	size_t digits = (size_t)(((PyLongObject *)integer)->long_value.lv_tag >> 3);
#else
	size_t digits = item_count(integer);
#endif
	if (digits >= sizeof(w->integer_sizes) / sizeof(*w->integer_sizes))
		return asked_size(integer, size_function);
	if (!w->integer_sizes[digits])
		w->integer_sizes[digits] = (uint32_t)asked_size(integer, size_function);
	return w->integer_sizes[digits];
}

/* So are dicts of one set of shared keys, if their values are their own. */
static size_t dict_size(struct py_walk *w, PyObject *dict, PyCFunction size_function)
{
	const void *keys = ((PyDictObject *)dict)->ma_keys;
	if (!((PyDictObject *)dict)->ma_values || py_values_are_embedded(dict))
		return asked_size(dict, size_function);
	uint32_t known = py_map_get(&w->split_sizes, keys);
	if (!known) {
		known = (uint32_t)asked_size(dict, size_function);
		if (!py_map_put(&w->split_sizes, keys, known))
			py_fail(w, SNAP_NO_MEMORY, "out of memory");
	}
	return known;
}

static size_t shallow(struct py_walk *w, PyObject *object, const struct py_type *type)
{
	if (type->exact)
		switch (type->layout) {
		case PY_STRING: return string_size(object, type->size);
		case PY_TUPLE:
			return (size_t)Py_TYPE(object)->tp_basicsize +
			       item_count(object) * sizeof(void *);
		case PY_LIST:
			return (size_t)Py_TYPE(object)->tp_basicsize +
			       (size_t)((PyListObject *)object)->allocated * sizeof(void *);
		case PY_BYTES: return (size_t)Py_TYPE(object)->tp_basicsize + item_count(object);
		case PY_FLOAT: return (size_t)Py_TYPE(object)->tp_basicsize;
		case PY_INTEGER: return integer_size(w, object, type->size);
		case PY_DICT: return dict_size(w, object, type->size);
		default: break;
		}
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
