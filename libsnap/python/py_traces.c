/* tracemalloc's traces: where a block was allocated. */
#include "py_walk.h"

PyAPI_FUNC(PyObject *) _PyTraceMalloc_GetTraceback(unsigned int domain, uintptr_t block);

static uint32_t add_frame(struct py_walk *w, uint32_t parent, PyObject *place, uint32_t flags)
{
	struct snap_frame frame = {.file = (uint32_t)(py_name_label(w, PyTuple_GET_ITEM(place, 0)) / 4),
				   .line = (uint32_t)PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(place, 1))};
	uint32_t frame_id = 0, stack_id = 0;
	if (py_going(w))
		w->status = snap_writer_frame(w->writer, &frame, &frame_id, &w->error);
	if (py_going(w))
		w->status = snap_writer_stack(w->writer, parent, frame_id, flags, &stack_id, &w->error);
	return stack_id;
}

/* traceback: (file, line) of each frame, the innermost first; count: of all frames that there were, or 0. */
static uint32_t add_traceback(struct py_walk *w, PyObject *traceback, size_t count)
{
	size_t kept = (size_t)PyTuple_GET_SIZE(traceback);
	bool cut = count ? count > kept : kept >= w->options->trace_limit;
	uint32_t stack = 0;
	for (size_t i = kept; i-- > 0 && py_going(w);)
		stack = add_frame(w, stack, PyTuple_GET_ITEM(traceback, (Py_ssize_t)i),
				  cut && i == kept - 1 ? SNAP_STACK_TRUNCATED : 0);
	return stack;
}

uint32_t py_trace_of(struct py_walk *w, const void *block)
{
	PyObject *traceback = _PyTraceMalloc_GetTraceback(0, (uintptr_t)block);
	uint32_t stack = traceback && PyTuple_Check(traceback) ? add_traceback(w, traceback, 0) : 0;
	Py_XDECREF(traceback);
	PyErr_Clear();
	return stack;
}

/* trace: (domain, size, traceback) and, since 3.9, the count of frames. */
static void add_row(struct py_walk *w, PyObject *trace, struct py_map *stacks)
{
	PyObject *traceback = PyTuple_GET_ITEM(trace, 2);
	uint32_t stack = py_map_get(stacks, traceback);
	if (!stack) {
		size_t count = PyTuple_GET_SIZE(trace) > 3 ? PyLong_AsSize_t(PyTuple_GET_ITEM(trace, 3)) : 0;
		stack = add_traceback(w, traceback, count);
		if (py_going(w) && !py_map_put(stacks, traceback, stack))
			py_fail(w, SNAP_NO_MEMORY, "out of memory");
	}
	const struct snap_object block = {
		.size = PyLong_AsSize_t(PyTuple_GET_ITEM(trace, 1)),
		.count = 1,
		.stack = stack,
		.domain = (uint32_t)PyLong_AsUnsignedLongMask(PyTuple_GET_ITEM(trace, 0))};
	if (py_going(w))
		w->status = snap_writer_object(w->writer, &block, &w->error);
}

void py_trace_rows(struct py_walk *w)
{
	PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), "_tracemalloc");
	PyObject *traces = module ? PyObject_CallMethod(module, "_get_traces", NULL) : NULL;
	if (!traces || !PyList_Check(traces)) {
		PyErr_Clear();
		py_fail(w, SNAP_NO_MEMORY, "tracemalloc does not give its traces");
		return;
	}
	struct py_map stacks = {0};
	for (Py_ssize_t i = 0; i < PyList_GET_SIZE(traces) && py_going(w); i++)
		add_row(w, PyList_GET_ITEM(traces, i), &stacks);
	py_map_free(&stacks);
}
