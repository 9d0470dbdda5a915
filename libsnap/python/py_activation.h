/* Running functions, where each version of CPython
 * keeps them: their code, instruction and caller. */
#ifndef SNAP_PY_ACTIVATION_H
#define SNAP_PY_ACTIVATION_H

#include "py_private.h"

/* The thread that holds the interpreter's lock; NULL: there is none. */
static inline PyThreadState *py_running_thread(void)
{
#if PY_SINCE(3, 13)
	return PyThreadState_GetUnchecked();
#else
	return _PyThreadState_UncheckedGet();
#endif
}

static inline PyObject *py_code_qualname(const PyCodeObject *code)
{
#if PY_SINCE(3, 11)
	return code->co_qualname;
#else
	return code->co_name;
#endif
}

#if PY_SINCE(3, 11)

typedef _PyInterpreterFrame py_activation;

#if PY_SINCE(3, 14)
#define PY_BORROW(reference) PyStackRef_AsPyObjectBorrow(reference)
#else
#define PY_BORROW(reference) (reference)
#endif

static inline const py_activation *py_innermost(const PyThreadState *thread)
{
#if PY_SINCE(3, 13)
	return thread->current_frame;
#else
	return thread->cframe->current_frame;
#endif
}

static inline const py_activation *py_caller(const py_activation *a)
{
	return a->previous;
}

/* NULL: an entry from C. */
static inline PyCodeObject *py_code_of(const py_activation *a)
{
#if PY_SINCE(3, 14)
	PyObject *code = a->owner >= FRAME_OWNED_BY_INTERPRETER ? NULL : PY_BORROW(a->f_executable);
#elif PY_SINCE(3, 13)
	PyObject *code = a->owner == FRAME_OWNED_BY_CSTACK ? NULL : a->f_executable;
#elif PY_SINCE(3, 12)
	PyObject *code = a->owner == FRAME_OWNED_BY_CSTACK ? NULL : (PyObject *)a->f_code;
#else
	PyObject *code = (PyObject *)a->f_code;
#endif
	return code && PyCode_Check(code) ? (PyCodeObject *)code : NULL;
}

/* Of the instruction within the code, in bytes. */
static inline int py_offset_of(const py_activation *a, const PyCodeObject *code)
{
#if PY_SINCE(3, 13)
	return (int)((const char *)a->instr_ptr - code->co_code_adaptive);
#else
	return (int)((const char *)a->prev_instr - code->co_code_adaptive);
#endif
}

/* Whether the function has not begun: it is not to be seen yet. */
static inline bool py_is_incomplete(const py_activation *a, const PyCodeObject *code)
{
	return a->owner != FRAME_OWNED_BY_GENERATOR &&
	       py_offset_of(a, code) < code->_co_firsttraceable * (int)sizeof(_Py_CODEUNIT);
}

#else

typedef PyFrameObject py_activation;

static inline const py_activation *py_innermost(const PyThreadState *thread)
{
	return thread->frame;
}

static inline const py_activation *py_caller(const py_activation *a)
{
	return a->f_back;
}

static inline PyCodeObject *py_code_of(const py_activation *a)
{
	return a->f_code;
}

static inline int py_offset_of(const py_activation *a, const PyCodeObject *code)
{
	(void)code;
#if PY_SINCE(3, 10)
	return a->f_lasti * 2;
#else
	return a->f_lasti;
#endif
}

static inline bool py_is_incomplete(const py_activation *a, const PyCodeObject *code)
{
	(void)a;
	(void)code;
	return false;
}

#endif
#endif
