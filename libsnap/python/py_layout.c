/* A trial of the private structures on objects of which everything is known. */
#include "py_walk.h"

#include <link.h>

static const char known_source[] = "class Known:\n"
				   "    def __init__(self, values):\n"
				   "        self.first, self.second = values\n"
				   "def wait(values):\n"
				   "    first, second = values\n"
				   "    del values\n"
				   "    yield\n"
				   "values = ([], {})\n"
				   "names = ('first', 'second')\n"
				   "instance = Known(values)\n"
				   "generator = wait(values)\n"
				   "next(generator)\n";

/* The extension's, made when it is loaded.  Nobody else is to
 * find the instance: to ask for its __dict__ changes it. */
static PyObject *known, *known_instance;

/* ---- who traverses ---- */

static struct text {
	uintptr_t first, end;
} interpreter; /* its code */

static int find_text(struct dl_phdr_info *info, size_t size, void *context)
{
	const uintptr_t known_code = (uintptr_t)PyList_Type.tp_traverse;
	struct text *text = context;
	(void)size;
	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const uintptr_t first = info->dlpi_addr + info->dlpi_phdr[i].p_vaddr,
				end = first + info->dlpi_phdr[i].p_memsz;
		if (info->dlpi_phdr[i].p_type == PT_LOAD && known_code >= first && known_code < end)
			*text = (struct text){first, end};
	}
	return 0;
}

bool py_traverse_is_known(const PyTypeObject *type)
{
	const traverseproc of_classes = Py_TYPE(known_instance)->tp_traverse;
	while (type && type->tp_traverse == of_classes)
		type = type->tp_base;
	const uintptr_t code = type ? (uintptr_t)type->tp_traverse : 0;
	return code == 0 || (code >= interpreter.first && code < interpreter.end);
}

/* ---- the trial ---- */

static bool hide_instance(PyObject *scope)
{
	PyObject *instance = PyDict_GetItemString(scope, "instance");
	if (!instance)
		return false;
	Py_INCREF(instance);
	PyObject_GC_UnTrack(instance);
	known_instance = instance;
	return PyDict_DelItemString(scope, "instance") == 0;
}

bool py_layouts_prepare(void)
{
	if (known)
		return true;
	PyObject *scope = Py_BuildValue("{s:s}", "__name__", "snap._known");
	PyObject *builtins = PyEval_GetBuiltins(); /* borrowed */
	if (scope && builtins && PyDict_SetItemString(scope, "__builtins__", builtins) < 0)
		Py_CLEAR(scope);
	PyObject *result = scope ? PyRun_String(known_source, Py_file_input, scope, scope) : NULL;
	if (!result) {
		Py_XDECREF(scope);
		return false;
	}
	Py_DECREF(result);
	known = scope;
	dl_iterate_phdr(find_text, &interpreter);
	return hide_instance(scope);
}

bool py_layouts_are_prepared(void)
{
	return known != NULL;
}

void py_layouts_forget(void)
{
	Py_CLEAR(known);
	Py_CLEAR(known_instance);
}

bool py_layouts_hold(void)
{
	PyObject *names = PyDict_GetItemString(known, "names"),
		 *values = PyDict_GetItemString(known, "values");
	PyObject *generator = PyDict_GetItemString(known, "generator");
	PyFrameObject *frame = PyEval_GetFrame();
	if (!frame)
		return false;
#if PY_SINCE(3, 9)
	PyCodeObject *code = PyFrame_GetCode(frame);
	Py_DECREF(code);
#else
	PyCodeObject *code = frame->f_code;
#endif
	return py_instance_holds(known_instance, names, values) &&
	       py_generator_holds(generator, names, values) && py_thread_runs(code);
}
