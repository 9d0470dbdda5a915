/* Calls functions in another process, with ptrace (inject.h). */
#if defined(__x86_64__)
#include "inject.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"
#include "frame.h"

#define PLACE_SECONDS 20   /* for a safe place, */
#define PLACE_ROUNDS  200u /* and for so many rounds, which take longer where much else runs, */
#define PLACE_MOST    120  /* up to so many seconds */
#define START_SECONDS 2    /* for a program that is just being started */
#define STOP_SECONDS  2    /* for a thread to stop */
/* rounds: steps are the last resort, as a thread must not be left while it makes them */
#define STEPS_AFTER  40u
#define STEPS        5000u
#define STEP_SECONDS 20
#define CALL_SECONDS 20
#define BYTES_MAX    8192u
#define RED_ZONE     128u
#define ROOM_BYTES   ((size_t)64 << 10) /* that a thread must have left on its stack */
#define SCAN_BYTES   ((size_t)1 << 20)  /* of a stack, for frames of signal handlers */

struct inject {
	struct process *process;
	struct frame frame;
	uintptr_t restorer;
	uintptr_t bytes, bytes_end; /* on the stack */
	unsigned rounds;            /* through all threads, in vain */
};

static double seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void rest(long microseconds)
{
	struct timespec time = {0, microseconds * 1000};
	nanosleep(&time, NULL);
}

/* ---- stops ---- */

enum stop { STOP_NONE, STOP_ENDED, STOP_EVENT, STOP_CALL, STOP_SIGNAL };

/* The next stop of a thread; *signal: the one that it
 * is about to get, or that stopped all threads. */
static enum stop next_stop(pid_t tid, double until, int *signal)
{
	int status;
	for (long pause = 10;; pause += pause < 1000 ? pause / 2 : 0) {
		pid_t got = waitpid(tid, &status, __WALL | WNOHANG);
		if (got < 0 || (got == tid && !WIFSTOPPED(status)))
			return STOP_ENDED;
		if (got == tid)
			break;
		if (seconds() > until)
			return STOP_NONE;
		rest(pause);
	}
	*signal = WSTOPSIG(status) & 0x7f;
	if (WSTOPSIG(status) & 0x80)
		return STOP_CALL;
	return status >> 16 == PTRACE_EVENT_STOP ? STOP_EVENT : STOP_SIGNAL;
}

/* True when the thread has stopped because we ask; signals that come meanwhile it gets. */
static bool interrupt(pid_t tid, double time)
{
	double until = seconds() + time;
	for (;;) {
		int signal = 0;
		enum stop stop = next_stop(tid, until, &signal);
		if (stop == STOP_EVENT && signal == SIGTRAP)
			return true;
		if (stop == STOP_NONE || stop == STOP_ENDED)
			return false;
		ptrace(PTRACE_CONT, tid, 0, stop == STOP_SIGNAL ? (long)signal : 0L);
	}
}

static _Noreturn void refuse_seize(const struct process *p, int error)
{
	char scope[8] = "";
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	if (file && !fgets(scope, sizeof scope, file))
		scope[0] = '\0';
	if (file)
		fclose(file);
	if (error == EPERM && *scope >= '1')
		exit(cli_fail("process %d: not permitted: kernel.yama.ptrace_scope is %c: %s",
			      (int)p->pid, *scope,
			      *scope < '3' ? "be root, or start the process under snap-record"
					   : "nobody may attach to a process"));
	exit(cli_fail("process %d: not permitted to trace it: %s%s", (int)p->pid, strerror(error),
		      error == EPERM ? ": be root, in a container with the capability SYS_PTRACE"
				     : ""));
}

/* ---- safe places ---- */

static bool is_free(const struct inject *i, uintptr_t address)
{
	const struct process_mapping *m = process_mapping_at(i->process, address);
	return m && m->executable && !m->keeps_locks && !i->process->own_allocator;
}

/* Whether no handler of a signal runs that interrupted code which may hold a lock. */
static bool is_in_no_handler(const struct inject *i, uintptr_t end)
{
	uintptr_t words[512], interrupted, start = i->frame.registers.rsp & ~(uintptr_t)7;
	if (end - start > SCAN_BYTES)
		end = start + SCAN_BYTES;
	for (uintptr_t at = start; at < end; at += sizeof words) {
		size_t size = end - at < sizeof words ? end - at : sizeof words;
		if (!process_peek(i->process, at, words, size))
			return false;
		for (size_t w = 0; w < size / sizeof *words; w++)
			if (words[w] == i->restorer &&
			    (!process_peek(i->process, at + w * sizeof *words + FRAME_INTERRUPTED,
					   &interrupted, sizeof interrupted) ||
			     !is_free(i, interrupted)))
				return false;
	}
	return true;
}

/* A stack that is known to have room: that of the main thread, or one with
 * the thread's own data at its end.  Those of coroutines are neither. */
static const struct process_mapping *own_stack(const struct inject *i)
{
	uintptr_t stack = i->frame.registers.rsp, data = i->frame.registers.fs_base;
	const struct process_mapping *m = process_mapping_at(i->process, stack);
	if (!m || stack - m->start < ROOM_BYTES)
		return NULL;
	return strcmp(m->path, "[stack]") == 0 || (data > stack && data < m->end) ? m : NULL;
}

/* Whether the loader has made the C library usable, which then knows the environment. */
static bool is_started(const struct inject *i)
{
	uintptr_t environment = process_symbol(i->process, "__environ"), value = 0;
	return environment && process_peek(i->process, environment, &value, sizeof value) &&
	       value != 0;
}

static bool is_safe(const struct inject *i)
{
	const struct process_mapping *stack = own_stack(i);
	bool is_outside = frame_is_in_call(&i->frame) ? frame_waits(&i->frame)
						      : is_free(i, i->frame.registers.rip);
	return stack && is_outside && is_in_no_handler(i, stack->end);
}

/* Some calls, as epoll_wait(), end as interrupted when
 * a thread is stopped, although no signal came. */
static bool repeat_interrupted(struct inject *i)
{
	char path[32];
	snprintf(path, sizeof path, "task/%d/status", (int)i->frame.tid);
	unsigned long long pending = strtoull(process_status(i->process, path, "SigPnd"), NULL, 16);
	pending |= strtoull(process_status(i->process, path, "ShdPnd"), NULL, 16);
	return (pending & ~i->frame.signals) == 0 && frame_waits(&i->frame) &&
	       frame_repeat(&i->frame);
}

/* Lets a thread that is in the C library, as one that
 * does little else nearly always is, come out of it. */
static bool step_out(struct inject *i)
{
	double until = seconds() + STEP_SECONDS;
	for (unsigned step = 0; step < STEPS && !frame_is_interrupted(&i->frame); step++) {
		int signal = 0;
		ptrace(PTRACE_SINGLESTEP, i->frame.tid, 0, 0);
		enum stop stop = next_stop(i->frame.tid, until, &signal);
		if (stop == STOP_NONE) {
			ptrace(PTRACE_INTERRUPT, i->frame.tid, 0, 0);
			return interrupt(i->frame.tid, STOP_SECONDS) &&
			       frame_read(&i->frame, i->frame.tid) && is_safe(i);
		}
		if (stop != STOP_SIGNAL || signal != SIGTRAP ||
		    !frame_read(&i->frame, i->frame.tid)) {
			ptrace(PTRACE_CONT, i->frame.tid, 0,
			       stop == STOP_SIGNAL ? (long)signal : 0L);
			ptrace(PTRACE_INTERRUPT, i->frame.tid, 0, 0);
			return interrupt(i->frame.tid, STOP_SECONDS) &&
			       frame_read(&i->frame, i->frame.tid) && is_safe(i);
		}
		if (is_free(i, i->frame.registers.rip))
			return is_safe(i);
	}
	return false;
}

/* Whether a thread has not stopped yet, as it was asked to: until then it cannot be let go. */
static bool is_stopping(const struct inject *i, pid_t tid)
{
	char path[32];
	snprintf(path, sizeof path, "task/%d/status", (int)tid);
	return strtol(process_status(i->process, path, "TracerPid"), NULL, 10) == getpid();
}

/* A thread that is at a safe place is kept. */
static bool try_thread(struct inject *i, pid_t tid)
{
	if (ptrace(PTRACE_SEIZE, tid, 0, PTRACE_O_TRACESYSGOOD) != 0) {
		int error = errno;
		if (error != ESRCH && !is_stopping(i, tid))
			refuse_seize(i->process, error);
		if (error == ESRCH)
			return false;
	}
	ptrace(PTRACE_INTERRUPT, tid, 0, 0);
	if (interrupt(tid, STOP_SECONDS) && frame_read(&i->frame, tid)) {
		bool is_here = is_safe(i), repeats = repeat_interrupted(i);
		if (is_here)
			return true;
		if (repeats)
			frame_restore(&i->frame);
		else if (i->rounds > STEPS_AFTER && step_out(i))
			return true;
	}
	ptrace(PTRACE_DETACH, tid, 0, 0);
	return false;
}

/* Each thread once, in the order of their numbers: the main one first. */
static bool try_threads(struct inject *i)
{
	char path[64];
	bool found = false;
	snprintf(path, sizeof path, "/proc/%d/task", (int)i->process->pid);
	DIR *tasks = opendir(path);
	if (!tasks)
		exit(cli_fail("process %d has ended", (int)i->process->pid));
	for (struct dirent *task; !found && (task = readdir(tasks)) != NULL;) {
		pid_t tid = (pid_t)strtol(task->d_name, NULL, 10);
		snprintf(path, sizeof path, "task/%d/status", (int)tid);
		char state = tid > 0 ? *process_status(i->process, path, "State") : '\0';
		found = (state == 'R' || state == 'S') && try_thread(i, tid);
	}
	closedir(tasks);
	return found;
}

struct inject *inject_begin(struct process *process)
{
	struct inject *i = cli_resize(NULL, sizeof *i);
	*i = (struct inject){.process = process};
	process_refuse_tracer(process);
	double until = seconds() + START_SECONDS;
	while (!is_started(i) && seconds() < until) {
		rest(5000);
		process_read_mappings(process);
	}
	i->restorer = is_started(i) ? frame_restorer(process) : 0;
	if (!i->restorer)
		exit(cli_fail(
			"process %d is statically linked, or its C library is not known: nothing can be loaded into it",
			(int)process->pid));
	double start = seconds();
	for (long pause = 100; !try_threads(i);
	     pause = pause < 3000 ? pause * 2 : 2000 + rand() % 2000) {
		double took = seconds() - start;
		if (took > PLACE_MOST || (took > PLACE_SECONDS && i->rounds > PLACE_ROUNDS))
			exit(cli_fail(
				"process %d: in %.0f seconds no thread was found outside of allocator, loader and signal handlers",
				(int)process->pid, took));
		rest(pause);
		if (i->rounds++ % 16 == 0)
			process_read_mappings(process);
	}
	i->bytes_end = i->frame.registers.rsp - RED_ZONE;
	i->bytes = i->bytes_end - BYTES_MAX;
	if (!frame_keep(&i->frame, process, i->bytes, i->restorer)) {
		int error = errno;
		ptrace(PTRACE_DETACH, i->frame.tid, 0, 0);
		exit(cli_fail("process %d: the state of a thread cannot be kept: %s",
			      (int)process->pid, strerror(error)));
	}
	return i;
}

/* ---- calls ---- */

uintptr_t inject_bytes(struct inject *i, const void *bytes, size_t size)
{
	size_t room = (size + 15) & ~(size_t)15;
	if (room > i->bytes_end - i->bytes ||
	    !process_poke(i->process, i->bytes_end - room, bytes, size)) {
		int pid = (int)i->process->pid;
		inject_end(i);
		exit(cli_fail("process %d: no room on a stack", pid));
	}
	return i->bytes_end -= room;
}

/* Runs until is_done, or ends snap-record.  Signals are
 * blocked; those that come nevertheless are faults. */
static void run(struct inject *i, bool steps, uintptr_t *result)
{
	double until = seconds() + CALL_SECONDS;
	for (;;) {
		int signal = 0;
		ptrace(steps ? PTRACE_SINGLESTEP : PTRACE_SYSCALL, i->frame.tid, 0, 0);
		enum stop stop = next_stop(i->frame.tid, until, &signal);
		if (stop == STOP_ENDED)
			exit(cli_fail("process %d has ended", (int)i->process->pid));
		if (stop == STOP_NONE)
			exit(cli_fail(
				"process %d: a call into it takes longer than %d seconds, and is left to end by itself",
				(int)i->process->pid, CALL_SECONDS));
		if (stop == STOP_SIGNAL && signal != SIGTRAP) {
			int pid = (int)i->process->pid;
			inject_end(i);
			exit(cli_fail("process %d: a call into it failed: %s", pid,
				      strsignal(signal)));
		}
		if (steps ? frame_result(&i->frame, i->restorer, result)
			  : stop == STOP_CALL && frame_returned(&i->frame))
			return;
	}
}

static void begin(struct inject *i, uintptr_t function, uintptr_t first, uintptr_t second)
{
	const uintptr_t arguments[2] = {first, second};
	if (!frame_call(&i->frame, function, arguments)) {
		int error = errno, pid = (int)i->process->pid;
		inject_end(i);
		exit(cli_fail("process %d: %s", pid, strerror(error)));
	}
}

void inject_call(struct inject *i, uintptr_t function, uintptr_t first, uintptr_t second)
{
	begin(i, function, first, second);
	run(i, false, NULL);
}

uintptr_t inject_ask(struct inject *i, uintptr_t function)
{
	uintptr_t result = 0;
	begin(i, function, 0, 0);
	run(i, true, &result);
	return result;
}

/* The kernel restarts an interrupted system call only where it looks at signals:
 * the thread is brought there, from where it is in order without us. */
void inject_end(struct inject *i)
{
	frame_leave(&i->frame);
	ptrace(PTRACE_INTERRUPT, i->frame.tid, 0, 0);
	ptrace(PTRACE_CONT, i->frame.tid, 0, 0);
	if (interrupt(i->frame.tid, CALL_SECONDS))
		frame_restore(&i->frame);
	ptrace(PTRACE_DETACH, i->frame.tid, 0, 0);
	free(i->frame.extended);
	free(i);
}

#endif
