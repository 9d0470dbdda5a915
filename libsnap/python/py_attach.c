/* The extension in a process that never imported it:
 * snap-record has loaded it into the process, and waits. */
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "py_attach.h"
#include "py_fork.h"
#include "py_tracer.h"
#include "snap_attach.h"

#define STACK_SIZE ((size_t)2 << 20)
#define CHILD_MS   600000 /* for the child to write */

SNAP_API struct snap_attach snap_python_attach = {.size = sizeof(struct snap_attach)};

static void say(const char *message)
{
	strncpy(snap_python_attach.message, message, sizeof(snap_python_attach.message) - 1);
}

/* ---- what the interpreter is asked ---- */

/* As threading has them: idents to names. */
static PyObject *thread_names(void)
{
	PyObject *names = PyDict_New();
	PyObject *module = PyDict_GetItemString(PyImport_GetModuleDict(), "threading");
	PyObject *active = module && PyModule_Check(module)
				   ? PyDict_GetItemString(PyModule_GetDict(module), "_active")
				   : NULL;
	PyObject *ident, *thread;
	PyObject *known = active && PyDict_CheckExact(active) ? PyDict_Copy(active) : NULL;
	for (Py_ssize_t at = 0; names && known && PyDict_Next(known, &at, &ident, &thread);) {
		PyObject *name = PyObject_GetAttrString(thread, "_name");
		if (!name || !PyUnicode_Check(name) || PyDict_SetItem(names, ident, name) < 0)
			PyErr_Clear();
		Py_XDECREF(name);
	}
	Py_XDECREF(known);
	return names;
}

/* How many frames of a stack are recorded; 0: none. */
static size_t trace_limit(void)
{
	if (py_tracer_limit())
		return py_tracer_limit();
	if (PyTraceMalloc_Untrack(UINT_MAX, 0) == -2)
		return 0;
	PyObject *module = PyImport_ImportModule("_tracemalloc");
	PyObject *limit = module ? PyObject_CallMethod(module, "get_traceback_limit", NULL) : NULL;
	size_t frames = limit ? PyLong_AsSize_t(limit) : 0;
	if (!limit || PyErr_Occurred()) {
		PyErr_Clear();
		frames = 0;
	}
	Py_XDECREF(limit);
	Py_XDECREF(module);
	return frames;
}

static void program_name(char *out, size_t size)
{
	PyObject *arguments = PySys_GetObject("argv"); /* borrowed */
	PyObject *first = arguments && PyList_Check(arguments) && PyList_GET_SIZE(arguments) > 0
				  ? PyList_GET_ITEM(arguments, 0)
				  : NULL;
	py_text(first, out, first ? size : 1);
}

/* ---- the snapshot ---- */

/* With the interpreter's lock held only until the child is there. */
static bool dump(const char *died, struct py_fork *forked)
{
	char program[4096];
	struct py_options options = {.path = snap_python_attach.output,
				     .descriptor = -1,
				     .graph = true,
				     .died = died,
				     .program = program,
				     .thread_names = thread_names()};
	options.trace_limit = trace_limit();
	options.traces = options.trace_limit > 0;
	program_name(program, sizeof(program));
	bool done = options.thread_names && py_fork_dump(&options, forked);
	if (!done)
		say(strerror(errno));
	Py_XDECREF(options.thread_names);
	return done;
}

static void say_death(int wait_status)
{
	static const char who[] = "the child process that writes the snapshot";
	const int number = WIFSIGNALED(wait_status) ? WTERMSIG(wait_status) : 0;
	char how[128] = "ended early";
	if (number)
		snprintf(how, sizeof(how), "was killed by signal %d (%s)", number,
			 strsignal(number));
	snprintf(snap_python_attach.message, sizeof(snap_python_attach.message), "%s %s", who, how);
}

/* False: the child died, which is said. */
static bool wait_for(const struct py_fork *forked, struct py_outcome *outcome)
{
	int wait_status = 0;
	struct pollfd end = {.fd = forked->result, .events = POLLIN};
	size_t got = 0;
	while (got < sizeof(*outcome) && poll(&end, 1, CHILD_MS) == 1) {
		ssize_t more = read(end.fd, (char *)outcome + got, sizeof(*outcome) - got);
		if (more <= 0)
			break;
		got += (size_t)more;
	}
	if (got < sizeof(*outcome))
		kill(forked->child, SIGKILL);
	close(forked->result);
	while (waitpid(forked->child, &wait_status, 0) < 0 && errno == EINTR)
		continue;
	if (got < sizeof(*outcome))
		say_death(wait_status);
	return got == sizeof(*outcome);
}

static bool dump_and_wait(const char *other_died, bool *died)
{
	struct py_fork forked;
	struct py_outcome outcome;
	*died = false;
	if (!dump(other_died, &forked))
		return false;
	Py_BEGIN_ALLOW_THREADS *died = !wait_for(&forked, &outcome);
	Py_END_ALLOW_THREADS outcome.message[sizeof(outcome.message) - 1] = '\0';
	if (!*died && outcome.status != SNAP_OK)
		say(outcome.message);
	return !*died && outcome.status == SNAP_OK;
}

/* Called by the interpreter, so that this thread has a
 * frame by which private structures can be tried. */
static PyObject *take(PyObject *module, PyObject *unused)
{
	bool died, done = dump_and_wait(NULL, &died);
	char how[SNAP_ATTACH_MESSAGE];
	(void)module;
	(void)unused;
	if (died) {
		memcpy(how, snap_python_attach.message, sizeof(how));
		done = dump_and_wait(how, &died);
	}
	return PyBool_FromLong(done);
}

static PyMethodDef take_method = {"take", take, METH_NOARGS, NULL};

static bool run(void)
{
	bool was_imported = py_layouts_are_prepared();
	if (!py_layouts_prepare()) {
		say("Python code cannot be run in the process");
		PyErr_Clear();
		return false;
	}
	PyObject *function = PyCFunction_New(&take_method, NULL), *builtins = PyEval_GetBuiltins();
	PyObject *scope =
		function ? Py_BuildValue("{s:O,s:O}", "take", function, "__builtins__", builtins)
			 : NULL;
	PyObject *result = scope ? PyRun_String("take()", Py_eval_input, scope, scope) : NULL;
	bool done = result == Py_True;
	PyErr_Clear();
	Py_XDECREF(result);
	Py_XDECREF(scope);
	Py_XDECREF(function);
	if (!was_imported)
		py_layouts_forget();
	return done;
}

/* ---- the thread ---- */

static bool is_of_our_version(void)
{
	const char *wanted = PY_VERSION, *version = Py_GetVersion();
	size_t size = strlen(wanted) - strlen(strrchr(wanted, '.')) + 1;
	return strncmp(version, wanted, size) == 0;
}

static bool take_with_lock(void)
{
	if (!is_of_our_version()) {
		say("the extension is for another version of CPython");
		return false;
	}
	if (!Py_IsInitialized() || py_is_ending()) {
		say("the interpreter is starting or ending");
		return false;
	}
	PyGILState_STATE before = PyGILState_Ensure();
	bool cancelled = __atomic_load_n(&snap_python_attach.cancelled, __ATOMIC_ACQUIRE),
	     done = !cancelled && run();
	PyGILState_Release(before);
	return done;
}

static void *work(void *unused)
{
	struct snap_attach *a = &snap_python_attach;
	__atomic_store_n(&a->tid, (int32_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	Dl_info about;
	void *handle = dladdr(a, &about) ? dlopen(about.dli_fname, RTLD_NOW | RTLD_NOLOAD) : NULL;
	if (handle)
		dlclose(handle); /* snap-record's remains */
	a->handle = (uintptr_t)handle;
	bool done = take_with_lock();
	__atomic_store_n(&a->state, done ? SNAP_ATTACH_DONE : SNAP_ATTACH_FAILED, __ATOMIC_RELEASE);
	return unused;
}

SNAP_API void snap_python_attach_begin(void)
{
	pthread_t thread;
	pthread_attr_t attributes;
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	snap_python_attach.message[0] = '\0';
	__atomic_store_n(&snap_python_attach.state, SNAP_ATTACH_BEGUN, __ATOMIC_RELEASE);
	/* All signals are blocked here, and so in the new thread. */
	int error = pthread_create(&thread, &attributes, work, NULL);
	pthread_attr_destroy(&attributes);
	if (error) {
		say(strerror(error));
		__atomic_store_n(&snap_python_attach.state, SNAP_ATTACH_FAILED, __ATOMIC_RELEASE);
	}
}

bool py_attach_begin(const char *path)
{
	struct snap_attach *a = &snap_python_attach;
	sigset_t all, before;
	errno = strlen(path) >= sizeof(a->output) ? ENAMETOOLONG : EBUSY;
	if (errno == ENAMETOOLONG ||
	    __atomic_load_n(&a->state, __ATOMIC_ACQUIRE) == SNAP_ATTACH_BEGUN)
		return false;
	strcpy(a->output, path);
	a->cancelled = 0;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	snap_python_attach_begin();
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return true;
}
