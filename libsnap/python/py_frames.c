/* Frames: the local variables of functions that run,
 * wait in a generator, or are kept by a traceback. */
#include <stdio.h>
#include <string.h>

#include "py_activation.h"

uint32_t py_code_name(struct py_walk *w, PyCodeObject *code)
{
	return (uint32_t)(py_name_label(w, py_code_qualname(code)) / 4);
}

/* "function (file:line)", or "variable in function (file)" */
static void describe_place(PyCodeObject *code, int line, const char *variable, char *text,
			   size_t size)
{
	char function[200], file[512], number[24] = "";
	py_text(py_code_qualname(code), function, sizeof(function));
	py_text(code->co_filename, file, sizeof(file));
	const char *base = strrchr(file, '/');
	if (line > 0)
		snprintf(number, sizeof(number), ":%d", line);
	snprintf(text, size, "%s%s%s (%s%s)", variable, *variable ? " in " : "", function,
		 base ? base + 1 : file, number);
}

static uint32_t add_stack(struct py_walk *w, uint32_t parent, PyCodeObject *code, int line)
{
	struct snap_frame frame = {.function = py_code_name(w, code),
				   .file = (uint32_t)(py_name_label(w, code->co_filename) / 4),
				   .line = line > 0 ? (uint32_t)line : 0};
	uint32_t frame_id = 0, stack_id = 0;
	if (py_going(w))
		w->status = snap_writer_frame(w->writer, &frame, &frame_id, &w->error);
	if (py_going(w))
		w->status = snap_writer_stack(w->writer, parent, frame_id, 0, &stack_id, &w->error);
	return stack_id;
}

/* Where a running function is. */
struct place {
	PyCodeObject *code;
	int line;
	uint32_t thread, stack;
};

/* Holds an object in a variable, or (name NULL) otherwise.  The label has no
 * line, so that it is the same in the next snapshot: the root's stack has it. */
static void root_local(struct py_walk *w, const struct place *place, PyObject *object,
		       PyObject *name)
{
	char variable[200] = "", text[1024];
	if (!object)
		return;
	if (name)
		py_text(name, variable, sizeof(variable));
	describe_place(place->code, 0, variable, text, sizeof(text));
	const struct snap_root root = {.kind = SNAP_ROOT_STACK_FRAME,
				       .label = py_string(w, text),
				       .thread = place->thread,
				       .stack = place->stack};
	py_root(w, object, &root);
}

#if PY_SINCE(3, 11)

static PyObject *function_of(const py_activation *a)
{
#if PY_SINCE(3, 12)
	return PY_BORROW(a->f_funcobj);
#else
	return (PyObject *)a->f_func;
#endif
}

static int line_of(const py_activation *a, PyCodeObject *code)
{
	return PyCode_Addr2Line(code, py_offset_of(a, code));
}

static PyObject *local_of(const py_activation *a, int i)
{
	return PY_BORROW(a->localsplus[i]);
}

static void claim_activation(struct py_walk *w, const py_activation *a)
{
	PyCodeObject *code = py_code_of(a);
	if (!code)
		return;
	for (int i = 0; i < code->co_nlocalsplus && py_going(w); i++)
		if (local_of(a, i))
			py_claim(w, local_of(a, i), SNAP_REF_LOCAL,
				 py_name_label(w, PyTuple_GET_ITEM(code->co_localsplusnames, i)));
	py_claim_internal(w, (PyObject *)code, "f_code");
	py_claim_internal(w, function_of(a), "f_func");
}

void py_claim_frame(struct py_walk *w, PyObject *frame)
{
	if (!w->layouts)
		return;
	py_claim_internal(w, (PyObject *)((PyFrameObject *)frame)->f_back, "f_back");
	claim_activation(w, ((PyFrameObject *)frame)->f_frame);
}

void py_claim_generator(struct py_walk *w, PyObject *generator)
{
	if (!w->layouts)
		return;
#if PY_SINCE(3, 14)
	claim_activation(w, &((PyGenObject *)generator)->gi_iframe);
#else
	claim_activation(
		w, (const py_activation *)(const void *)((PyGenObject *)generator)->gi_iframe);
#endif
}

bool py_generator_holds(PyObject *generator, PyObject *names, PyObject *values)
{
#if PY_SINCE(3, 14)
	const py_activation *a = &((PyGenObject *)generator)->gi_iframe;
#else
	const py_activation *a =
		(const py_activation *)(const void *)((PyGenObject *)generator)->gi_iframe;
#endif
	PyCodeObject *code = py_code_of(a);
	if (!code || code != (PyCodeObject *)((PyFunctionObject *)function_of(a))->func_code)
		return false;
	int found = 0;
	for (int i = 0; i < code->co_nlocalsplus; i++)
		for (Py_ssize_t k = 0; k < PyTuple_GET_SIZE(names); k++)
			found += PyTuple_GET_ITEM(code->co_localsplusnames, i) ==
					 PyTuple_GET_ITEM(names, k) &&
				 local_of(a, i) == PyTuple_GET_ITEM(values, k);
	return found == PyTuple_GET_SIZE(names);
}

bool py_thread_runs(PyCodeObject *expected)
{
	const py_activation *a = py_innermost(PyThreadState_Get());
	while (a && !py_code_of(a))
		a = a->previous;
	return a && py_code_of(a) == expected;
}

static void root_activation(struct py_walk *w, const py_activation *a, const struct place *place)
{
	for (int i = 0; i < place->code->co_nlocalsplus && py_going(w); i++)
		root_local(w, place, local_of(a, i),
			   PyTuple_GET_ITEM(place->code->co_localsplusnames, i));
	root_local(w, place, function_of(a), NULL);
	root_local(w, place, (PyObject *)place->code, NULL);
	if (a->f_locals != a->f_globals) /* else they are a module's */
		root_local(w, place, a->f_locals, NULL);
	root_local(w, place, (PyObject *)a->frame_obj, NULL);
}

static void root_frames(struct py_walk *w, PyThreadState *thread, uint32_t thread_id)
{
	struct py_area frames = {0};
	for (const py_activation *a = py_innermost(thread); a && py_going(w); a = a->previous) {
		PyCodeObject *code = py_code_of(a);
		if (!code || py_is_incomplete(a, code))
			continue;
		const py_activation **added = py_area_add(&frames, sizeof(*added));
		if (added)
			*added = a;
		else
			py_fail(w, SNAP_NO_MEMORY, "out of memory");
	}
	struct place place = {.thread = thread_id};
	for (size_t i = frames.size / sizeof(py_activation *); i-- > 0 && py_going(w);) {
		const py_activation *a = ((const py_activation **)(void *)frames.bytes)[i];
		place.code = py_code_of(a);
		place.line = line_of(a, place.code);
		place.stack = add_stack(w, place.stack, place.code, place.line);
		root_activation(w, a, &place);
	}
	py_area_free(&frames);
}

#else

bool py_generator_holds(PyObject *generator, PyObject *names, PyObject *values)
{
	(void)names;
	PyFrameObject *frame = ((PyGenObject *)generator)->gi_frame;
	return frame && frame->f_localsplus[1] == PyTuple_GET_ITEM(values, 0);
}

bool py_thread_runs(PyCodeObject *expected)
{
	return PyThreadState_Get()->frame && PyThreadState_Get()->frame->f_code == expected;
}

static PyObject *variable_name(PyCodeObject *code, Py_ssize_t i)
{
	PyObject *groups[] = {code->co_varnames, code->co_cellvars, code->co_freevars};
	for (size_t g = 0; g < 3; g++) {
		if (i < PyTuple_GET_SIZE(groups[g]))
			return PyTuple_GET_ITEM(groups[g], i);
		i -= PyTuple_GET_SIZE(groups[g]);
	}
	return NULL;
}

static Py_ssize_t variable_count(PyCodeObject *code)
{
	return code->co_nlocals + PyTuple_GET_SIZE(code->co_cellvars) +
	       PyTuple_GET_SIZE(code->co_freevars);
}

void py_claim_frame(struct py_walk *w, PyObject *object)
{
	PyFrameObject *frame = (PyFrameObject *)object;
	PyCodeObject *code = frame->f_code;
	py_claim_internal(w, (PyObject *)frame->f_back, "f_back");
	py_claim_internal(w, (PyObject *)code, "f_code");
	py_claim_internal(w, frame->f_builtins, "f_builtins");
	py_claim_internal(w, frame->f_globals, "f_globals");
	py_claim_internal(w, frame->f_locals, "f_locals");
	for (Py_ssize_t i = 0; i < variable_count(code) && py_going(w); i++)
		if (frame->f_localsplus[i])
			py_claim(w, frame->f_localsplus[i], SNAP_REF_LOCAL,
				 py_name_label(w, variable_name(code, i)));
}

void py_claim_generator(struct py_walk *w, PyObject *generator)
{
	py_claim_internal(w, (PyObject *)((PyGenObject *)generator)->gi_frame, "gi_frame");
}

static void root_frames(struct py_walk *w, PyThreadState *thread, uint32_t thread_id)
{
	struct py_area frames = {0};
	for (PyFrameObject *frame = thread->frame; frame && py_going(w); frame = frame->f_back) {
		PyFrameObject **added = py_area_add(&frames, sizeof(*added));
		if (added)
			*added = frame;
		else
			py_fail(w, SNAP_NO_MEMORY, "out of memory");
	}
	struct place place = {.thread = thread_id};
	for (size_t i = frames.size / sizeof(PyFrameObject *); i-- > 0 && py_going(w);) {
		PyFrameObject *frame = ((PyFrameObject **)(void *)frames.bytes)[i];
		place.code = frame->f_code;
		place.line = PyFrame_GetLineNumber(frame);
		place.stack = add_stack(w, place.stack, place.code, place.line);
		root_local(w, &place, (PyObject *)frame, NULL);
		for (Py_ssize_t v = 0; v < variable_count(place.code) && py_going(w); v++)
			root_local(w, &place, frame->f_localsplus[v], variable_name(place.code, v));
	}
	py_area_free(&frames);
}

#endif

PyObject *py_generator_name(PyObject *generator)
{
	return ((PyGenObject *)generator)->gi_qualname;
}

uint32_t py_frame_name(struct py_walk *w, PyObject *frame)
{
#if PY_SINCE(3, 9)
	PyCodeObject *code = PyFrame_GetCode((PyFrameObject *)frame);
	Py_DECREF(code); /* the frame keeps it */
#else
	PyCodeObject *code = ((PyFrameObject *)frame)->f_code;
#endif
	char text[1024];
	describe_place(code, PyFrame_GetLineNumber((PyFrameObject *)frame), "", text, sizeof(text));
	return py_string(w, text);
}

static uint32_t add_thread(struct py_walk *w, unsigned long number)
{
	PyObject *names = w->options->thread_names, *key = PyLong_FromUnsignedLong(number);
	PyObject *name = names && key ? PyDict_GetItemWithError(names, key) : NULL;
	uint32_t string =
			 name && PyUnicode_Check(name) ? (uint32_t)(py_name_label(w, name) / 4) : 0,
		 id = 0;
	Py_XDECREF(key);
	PyErr_Clear();
	if (py_going(w))
		w->status = snap_writer_thread(w->writer, number, string, &id, &w->error);
	return id;
}

void py_frame_roots(struct py_walk *w)
{
#if PY_SINCE(3, 9)
	PyInterpreterState *interpreter = PyInterpreterState_Get();
#else
	PyInterpreterState *interpreter = _PyInterpreterState_Get();
#endif
	PyThreadState *thread = PyInterpreterState_ThreadHead(interpreter);
	for (; thread && py_going(w); thread = PyThreadState_Next(thread)) {
		uint32_t id = add_thread(w, thread->thread_id);
		const struct snap_root locals = {.kind = SNAP_ROOT_TLS,
						 .label = py_string(w, "thread locals"),
						 .thread = id};
		py_root(w, thread->dict, &locals);
#if PY_SINCE(3, 11)
		if (!w->layouts)
			continue;
#endif
		root_frames(w, thread, id);
	}
}
