/* The extension module snap._snap: forks, and lets the child write the snapshot. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "py_walk.h"

/* What the child says at its end, through a pipe. */
struct outcome {
	int32_t status, os_errno;
	char message[232];
};

static void close_between(int first, int last)
{
	if (first > last)
		return;
#ifdef SYS_close_range
	if (syscall(SYS_close_range, first, last, 0) == 0)
		return;
#endif
	long limit = sysconf(_SC_OPEN_MAX);
	for (int fd = first; fd <= last && fd < (limit > 0 && limit < 65536 ? limit : 65536); fd++)
		close(fd);
}

/* The program's sockets and pipes must not live longer because of us, nor may its signal handlers write to what the
 * child opens under their numbers. */
static void leave_program(int pipe_end, int descriptor)
{
	static const int deadly[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
	for (size_t i = 0; i < sizeof(deadly) / sizeof(*deadly); i++)
		signal(deadly[i], SIG_DFL);
	int low = pipe_end < descriptor ? pipe_end : descriptor;
	int high = pipe_end < descriptor ? descriptor : pipe_end;
	if (low < 2)
		low = 2;
	close_between(3, low - 1);
	close_between(low + 1, high - 1);
	close_between((high > 2 ? high : 2) + 1, INT32_MAX);
}

static void run_child(int pipe_end, const struct py_options *options)
{
	struct py_walk walk;
	leave_program(pipe_end, options->path ? pipe_end : options->descriptor);
	py_dump(&walk, options);
	struct outcome outcome = {.status = (int32_t)walk.status};
	if (walk.status != SNAP_OK) {
		outcome.os_errno = walk.error.os_errno;
		memcpy(outcome.message, walk.error.message, sizeof(outcome.message));
	}
	ssize_t written = write(pipe_end, &outcome, sizeof(outcome));
	_exit(written == (ssize_t)sizeof(outcome) && walk.status == SNAP_OK ? 0 : 1);
}

/* Returns the child, or -1 with errno; *result is the end of a pipe from which its outcome comes. */
static pid_t fork_dump(const struct py_options *options, int *result)
{
	int ends[2];
	sigset_t all, before;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t child = fork();
	if (child == 0)
		run_child(ends[1], options);
	int failure = errno;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	close(ends[1]);
	if (child < 0)
		close(ends[0]);
	else
		*result = ends[0];
	errno = failure;
	return child;
}

static uint64_t resident_bytes(void)
{
	unsigned long long whole, resident = 0;
	FILE *file = fopen("/proc/self/statm", "re");
	if (file && fscanf(file, "%llu %llu", &whole, &resident) != 2)
		resident = 0;
	if (file)
		fclose(file);
	return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static uint64_t nanoseconds(clockid_t clock)
{
	struct timespec now;
	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static bool fill_options(struct py_options *options, char *time_text, size_t size)
{
	time_t now = time(NULL);
	struct tm parts;
	strftime(time_text, size, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts));
	options->time = time_text;
	options->time_ns = nanoseconds(CLOCK_REALTIME);
	options->resident_bytes = resident_bytes();
	options->pid = (unsigned long)getpid();
	return getrandom(options->hash_key, sizeof(options->hash_key), 0) == (ssize_t)sizeof(options->hash_key);
}

PyDoc_STRVAR(start_dump_doc,
	     "start_dump(path, descriptor, program, threads, graph, traces, trace_limit, hashes, keys, plain)\n"
	     "--\n\n"
	     "Forks a child that writes a snapshot.  Returns its pid, a descriptor from which its outcome\n"
	     "can be read, and for how many seconds this process stood still.");

static PyObject *start_dump(PyObject *module, PyObject *arguments)
{
	struct py_options options = {0};
	PyObject *path, *threads;
	int graph, traces, hashes, keys, plain, result;
	Py_ssize_t limit;
	char time_text[32];
	(void)module;
	if (!PyArg_ParseTuple(arguments, "OisO!ppnppp:start_dump", &path, &options.descriptor, &options.program,
			      &PyDict_Type, &threads, &graph, &traces, &limit, &hashes, &keys, &plain))
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
	options.plain = plain;
	if (!fill_options(&options, time_text, sizeof(time_text)))
		return PyErr_SetFromErrno(PyExc_OSError);
	uint64_t before = nanoseconds(CLOCK_MONOTONIC);
	pid_t child = fork_dump(&options, &result);
	if (child < 0)
		return PyErr_SetFromErrno(PyExc_OSError);
	double stopped = (double)(nanoseconds(CLOCK_MONOTONIC) - before) / 1e9;
	return Py_BuildValue("iid", (int)child, result, stopped);
}

PyDoc_STRVAR(outcome_doc, "outcome(bytes)\n--\n\nUnpacks what a child said: (status, errno, message).");

static PyObject *unpack_outcome(PyObject *module, PyObject *bytes)
{
	struct outcome outcome;
	(void)module;
	if (!PyBytes_Check(bytes) || PyBytes_GET_SIZE(bytes) != (Py_ssize_t)sizeof(outcome))
		return PyErr_Format(PyExc_ValueError, "no outcome");
	memcpy(&outcome, PyBytes_AS_STRING(bytes), sizeof(outcome));
	outcome.message[sizeof(outcome.message) - 1] = 0;
	PyObject *message = PyUnicode_DecodeUTF8(outcome.message, (Py_ssize_t)strlen(outcome.message),
						 "surrogateescape");
	return message ? Py_BuildValue("siN", snap_status_name((enum snap_status)outcome.status),
				       (int)outcome.os_errno, message) :
			 NULL;
}

static PyMethodDef methods[] = {
	{"start_dump", start_dump, METH_VARARGS, start_dump_doc},
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
	if (module && (PyModule_AddIntConstant(module, "OUTCOME_SIZE", (long)sizeof(struct outcome)) < 0 ||
		       PyModule_AddStringConstant(module, "__version__", SNAP_VERSION) < 0))
		Py_CLEAR(module);
	return module;
}
