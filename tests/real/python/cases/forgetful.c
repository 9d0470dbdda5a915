/* An extension with the classic bug. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

static PyObject *keep(PyObject *self, PyObject *object)
{
	(void)self;
	Py_INCREF(object); /* and nobody has the pointer */
	return PyLong_FromLong(0);
}

static PyMethodDef methods[] = {{"keep", keep, METH_O, NULL}, {NULL, NULL, 0, NULL}};
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "forgetful", .m_size = -1,
					.m_methods = methods};

PyMODINIT_FUNC PyInit_forgetful(void)
{
	return PyModule_Create(&definition);
}
