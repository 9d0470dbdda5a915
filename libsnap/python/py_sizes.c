/* Shallow sizes: the bytes of an object's own blocks, with what lies before it.  sys.getsizeof leaves out the values of
 * instances since CPython 3.11, and what lies before an object until then. */
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

static size_t shallow(PyObject *object, const struct py_type *type)
{
	if (type->exact)
		switch (type->layout) {
		case PY_STRING: return string_size(object, type->size);
		case PY_TUPLE: return (size_t)Py_TYPE(object)->tp_basicsize + item_count(object) * sizeof(void *);
		case PY_LIST:
			return (size_t)Py_TYPE(object)->tp_basicsize +
			       (size_t)((PyListObject *)object)->allocated * sizeof(void *);
		case PY_BYTES: return (size_t)Py_TYPE(object)->tp_basicsize + item_count(object);
		case PY_FLOAT: return (size_t)Py_TYPE(object)->tp_basicsize;
		default: break;
		}
	return type->size ? asked_size(object, type->size) : basic_size(object);
}

uint64_t py_size(const struct py_walk *w, PyObject *object, const struct py_type *type)
{
	size_t before = type->before;
	if (type->layout == PY_TYPE && !(((PyTypeObject *)object)->tp_flags & Py_TPFLAGS_HEAPTYPE))
		before = 0;
	return shallow(object, type) + before + (w->layouts ? py_inline_values_size(object) : 0);
}

void py_sizes_init(struct py_walk *w)
{
	PyObject *dict = py_type_dict(&PyBaseObject_Type);
	PyObject *method = dict ? PyDict_GetItemWithError(dict, w->sizeof_name) : NULL;
	if (method && Py_TYPE(method) == &PyMethodDescr_Type)
		w->object_sizeof = ((PyMethodDescrObject *)method)->d_method->ml_meth;
}
