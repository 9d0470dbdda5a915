/* The extension module snap._snap. */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "py_attach.h"
#include "py_fork.h"
#include "py_tracer.h"

PyDoc_STRVAR(
	start_dump_doc,
	"start_dump(path, descriptor, program, threads, graph, traces, trace_limit, hashes, keys, died)\n"
	"--\n\n"
	"Forks a child that writes a snapshot.  Returns its pid, a descriptor from which its outcome\n"
	"can be read, and for how many seconds this process stood still.  died: how another child did, or\n"
	"None.");

static PyObject *start_dump(PyObject *module, PyObject *arguments)
{
	struct py_options options = {0};
	struct py_fork forked;
	PyObject *path, *threads;
	int graph, traces, hashes, keys;
	Py_ssize_t limit;
	(void)module;
	if (!PyArg_ParseTuple(arguments, "OisO!ppnppz:start_dump", &path, &options.descriptor,
			      &options.program, &PyDict_Type, &threads, &graph, &traces, &limit,
			      &hashes, &keys, &options.died))
		return NULL;
	if (path != Py_None && !PyBytes_Check(path))
		return PyErr_Format(PyExc_TypeError, "path must be bytes or None");
	options.path = path == Py_None ? NULL : PyBytes_AS_STRING(path);
	options.thread_names = threads;
	options.graph = graph;
	options.traces = traces;
	options.trace_limit = (size_t)limit;
	options.hashes = hashes;
	options.keys = keys;
	if (!py_fork_dump(&options, &forked))
		return PyErr_SetFromErrno(PyExc_OSError);
	return Py_BuildValue("iid", (int)forked.child, forked.result, forked.stopped_seconds);
}

PyDoc_STRVAR(outcome_doc,
	     "outcome(bytes)\n--\n\nUnpacks what a child said: (status, errno, message).");

static PyObject *unpack_outcome(PyObject *module, PyObject *bytes)
{
	struct py_outcome outcome;
	(void)module;
	if (!PyBytes_Check(bytes) || PyBytes_GET_SIZE(bytes) != (Py_ssize_t)sizeof(outcome))
		return PyErr_Format(PyExc_ValueError, "no outcome");
	memcpy(&outcome, PyBytes_AS_STRING(bytes), sizeof(outcome));
	outcome.message[sizeof(outcome.message) - 1] = 0;
	PyObject *message = PyUnicode_DecodeUTF8(
		outcome.message, (Py_ssize_t)strlen(outcome.message), "surrogateescape");
	return message ? Py_BuildValue("siN", snap_status_name((enum snap_status)outcome.status),
				       (int)outcome.os_errno, message)
		       : NULL;
}

PyDoc_STRVAR(
	start_trace_doc,
	"start_trace(limit, interval)\n--\n\n"
	"Begins to record the stacks of allocations: so many levels of each; of all blocks, or (interval not 0) of a\n"
	"sample, one in so many bytes.");

static PyObject *start_trace(PyObject *module, PyObject *arguments)
{
	Py_ssize_t limit;
	unsigned long long interval;
	(void)module;
	if (!PyArg_ParseTuple(arguments, "nK:start_trace", &limit, &interval))
		return NULL;
	if (limit < 1 || limit > PY_TRACE_LIMIT_MAX)
		return PyErr_Format(PyExc_ValueError, "frames: 1 to %d", PY_TRACE_LIMIT_MAX);
	if (!py_layouts_hold())
		return PyErr_Format(PyExc_NotImplementedError,
				    "the frames of this interpreter are not as they are known");
	if (!py_tracer_start((size_t)limit, interval))
		return NULL;
	Py_RETURN_NONE;
}

PyDoc_STRVAR(stop_trace_doc,
	     "stop_trace()\n--\n\nForgets what start_trace() recorded, and records no more.");

static PyObject *stop_trace(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	py_tracer_stop();
	Py_RETURN_NONE;
}

PyDoc_STRVAR(trace_limit_doc,
	     "trace_limit()\n--\n\nHow many levels of each stack are recorded; 0: none.");

static PyObject *trace_limit(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	return PyLong_FromSize_t(py_tracer_limit());
}

PyDoc_STRVAR(arm_doc, "arm(signal)\n--\n\nLets wait_signal() return when the signal comes.");

static PyObject *arm(PyObject *module, PyObject *number)
{
	(void)module;
	long value = PyLong_AsLong(number);
	if (value == -1 && PyErr_Occurred())
		return NULL;
	errno = value > 0 && value < NSIG ? py_signal_arm((int)value) : EINVAL;
	if (errno)
		return PyErr_SetFromErrno(PyExc_OSError);
	Py_RETURN_NONE;
}

PyDoc_STRVAR(disarm_doc, "disarm()\n--\n\nUndoes arm(), if it was called.");

static PyObject *disarm(PyObject *module, PyObject *unused)
{
	(void)module;
	(void)unused;
	py_signal_disarm();
	Py_RETURN_NONE;
}

PyDoc_STRVAR(wait_signal_doc, "wait_signal()\n--\n\nWaits for the signal; False: it was disarmed.");

static PyObject *wait_signal(PyObject *module, PyObject *unused)
{
	bool came;
	(void)module;
	(void)unused;
	Py_BEGIN_ALLOW_THREADS came = py_signal_wait();
	Py_END_ALLOW_THREADS return PyBool_FromLong(came);
}

PyDoc_STRVAR(attach_doc, "attach(path)\n--\n\nBegins a snapshot that snap-record waits for.");

static PyObject *attach(PyObject *module, PyObject *path)
{
	(void)module;
	char *text;
	if (PyBytes_AsStringAndSize(path, &text, NULL) < 0)
		return NULL;
	if (!py_attach_begin(text))
		return PyErr_SetFromErrno(PyExc_OSError);
	Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
	{"attach", attach, METH_O, attach_doc},
	{"start_dump", start_dump, METH_VARARGS, start_dump_doc},
	{"start_trace", start_trace, METH_VARARGS, start_trace_doc},
	{"stop_trace", stop_trace, METH_NOARGS, stop_trace_doc},
	{"trace_limit", trace_limit, METH_NOARGS, trace_limit_doc},
	{"arm", arm, METH_O, arm_doc},
	{"disarm", disarm, METH_NOARGS, disarm_doc},
	{"wait_signal", wait_signal, METH_NOARGS, wait_signal_doc},
	{"outcome", unpack_outcome, METH_O, outcome_doc},
	{NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
	PyModuleDef_HEAD_INIT,
	.m_name = "snap._snap",
	.m_doc = "Writes snapshots of this process's objects.",
	.m_size = -1,
	.m_methods = methods,
};

SNAP_API PyMODINIT_FUNC PyInit__snap(void)
{
	if (!py_layouts_prepare())
		return NULL;
	PyObject *module = PyModule_Create(&definition);
	if (module &&
	    (PyModule_AddIntConstant(module, "OUTCOME_SIZE", (long)sizeof(struct py_outcome)) < 0 ||
	     PyModule_AddStringConstant(module, "__version__", SNAP_VERSION) < 0))
		Py_CLEAR(module);
	if (module)
		py_track_begin();
	return module;
}
