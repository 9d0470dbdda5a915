/* Forks, and lets the child write the snapshot. */
#include "py_fork.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* How long a child may wait for tracemalloc's lock: 8 children 10 ms each, 8 more twice as long, ... */
#define LEAST_MILLISECONDS 10
#define SAME_LIMIT         8
#define MOST_CHILDREN      56
#define MOST_MILLISECONDS  60000

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

/* The program's sockets and pipes must not live longer because of us, nor may
 * its signal handlers write to what the child opens under their numbers. */
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

static void run_child(int pipe_end, const struct py_options *options, bool is_traced)
{
	struct py_walk walk;
	leave_program(pipe_end, options->path ? pipe_end : options->descriptor);
	if (is_traced) {
		bool said = write(pipe_end, "", 1) == 1;
		py_traces_wait();
		if (!said || write(pipe_end, "", 1) != 1)
			_exit(1);
	}
	py_dump(&walk, options);
	struct py_outcome outcome = {.status = (int32_t)walk.status};
	if (walk.status != SNAP_OK) {
		outcome.os_errno = walk.error.os_errno;
		memcpy(outcome.message, walk.error.message, sizeof(outcome.message));
	}
	ssize_t written = write(pipe_end, &outcome, sizeof(outcome));
	_exit(written == (ssize_t)sizeof(outcome) && walk.status == SNAP_OK ? 0 : 1);
}

static pid_t fork_child(const struct py_options *options, bool is_traced, int *result)
{
	int ends[2];
	sigset_t all, before;
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	pid_t child = fork();
	if (child == 0)
		run_child(ends[1], options, is_traced);
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

/* False: there was no answer in time. */
static bool await_byte(int result, int milliseconds)
{
	struct pollfd end = {.fd = result, .events = POLLIN};
	const struct timespec limit = {.tv_sec = milliseconds / 1000,
				       .tv_nsec = milliseconds % 1000 * 1000000L};
	sigset_t all;
	char said;
	sigfillset(&all);
	return ppoll(&end, 1, &limit, &all) != 0 && read(result, &said, 1) >= 0;
}

/* The child says first that it runs, then that it has had the lock.  False: it did not, and is no more. */
static bool has_begun(pid_t child, int result, int milliseconds)
{
	if (await_byte(result, MOST_MILLISECONDS) && await_byte(result, milliseconds))
		return true;
	kill(child, SIGKILL);
	close(result);
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		continue;
	return false;
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
	return getrandom(options->hash_key, sizeof(options->hash_key), 0) ==
	       (ssize_t)sizeof(options->hash_key);
}

static bool fork_once(const struct py_options *options, bool is_traced, struct py_fork *out)
{
	uint64_t before = nanoseconds(CLOCK_MONOTONIC);
	out->child = fork_child(options, is_traced, &out->result);
	out->stopped_seconds = (double)(nanoseconds(CLOCK_MONOTONIC) - before) / 1e9;
	return out->child >= 0;
}

/* A thread that frees memory takes tracemalloc's lock without the interpreter's.  If it has it at
 * the moment of the fork, the child, where there is no such thread, would wait for ever.  One that
 * does nothing else has it more often than not, so that many children are tried. */
bool py_fork_dump(struct py_options *options, struct py_fork *out)
{
	char time_text[32];
	bool is_traced = py_traces_are_locked(), begun = false;
	if (!fill_options(options, time_text, sizeof(time_text)))
		return false;
	if (!is_traced)
		return fork_once(options, false, out);
	for (int children = 0; !begun && children < MOST_CHILDREN; children++) {
		if (!fork_once(options, true, out))
			return false;
		Py_BEGIN_ALLOW_THREADS begun = has_begun(
			out->child, out->result, LEAST_MILLISECONDS << children / SAME_LIMIT);
		Py_END_ALLOW_THREADS
	}
	errno = EDEADLK;
	return begun;
}
