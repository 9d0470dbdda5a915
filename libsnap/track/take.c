/* Takes a snapshot: a fork without ceremony, of which the program sees nothing.
 *
 * The child is made by clone() itself: no handlers of the program run, nobody
 * gets SIGCHLD, and wait() does not find it.  One child at a time; who cannot
 * wait does without.  When a program with one thread ends there is nobody
 * left to change what the child reads: then its memory is not copied. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "track.h"

static _Atomic pid_t taking; /* the thread that does */
static _Atomic pid_t child;
static _Atomic uint32_t taken;
static _Atomic bool child_failed;
struct track_moment track_moment;

void track_take_forked(void)
{
	atomic_store(&taking, 0);
	atomic_store(&child, 0);
	atomic_store(&taken, 0);
}

/* True when there is no child any more. */
static bool reap(bool wait)
{
	pid_t pid = atomic_load(&child);
	if (pid == 0)
		return true;
	int status = 0;
	long got;
	do
		got = syscall(SYS_wait4, pid, &status, __WALL | (wait ? 0 : WNOHANG), NULL);
	while (got < 0 && errno == EINTR);
	if (got == 0)
		return false;
	atomic_store(&child, 0);
	atomic_store(&child_failed, got == pid && status != 0);
	return true;
}

/* A lower peak is not wanted any more: its child is ended, and what
 * it did not finish, by the writer's name for that, removed. */
static void abandon(void)
{
	static char path[TRACK_PATH + 32];
	pid_t pid = atomic_load(&child);
	if (pid == 0 || reap(false))
		return;
	syscall(SYS_kill, pid, SIGKILL);
	reap(true);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(path, sizeof path, "%s.%d-%u.tmp", track_output, (int)pid, i);
		unlink(path);
	}
}

#define CHILD_STACK ((size_t)1 << 22)

/* The links of this folder are itself, its parent and a folder for each thread. */
static bool is_alone(void)
{
	struct stat threads;
	return stat("/proc/self/task", &threads) == 0 && threads.st_nlink == 3;
}

static int last_child(void *append)
{
	track_child(TRACK_AT_EXIT, append != NULL);
}

/* While another thread takes one, what is not for later waits: that thread forks and is done. */
static bool begin(bool wait)
{
	const struct timespec pause = {0, 1000000};
	const pid_t self = (pid_t)syscall(SYS_gettid);
	pid_t other = 0;
	while (!atomic_compare_exchange_strong(&taking, &other, self)) {
		if (!wait || other == self)
			return false;
		syscall(SYS_nanosleep, &pause, NULL);
		other = 0;
	}
	return true;
}

static bool fork_child(enum track_reason reason)
{
	uint64_t all = ~(uint64_t)0, before = 0;
	bool append = atomic_load(&taken) > 0 && reason != TRACK_AT_PEAK;
	char *stack = reason == TRACK_AT_EXIT && is_alone() ? track_map(CHILD_STACK) : NULL;
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof all);
	if (track_settings.references)
		track_threads_note();
	long pid = stack ? clone(last_child, stack + CHILD_STACK, CLONE_VM | CLONE_VFORK,
				 append ? stack : NULL)
			 : syscall(SYS_clone, 0, NULL, NULL, NULL, NULL);
	if (pid == 0)
		track_child(reason, append);
	syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, NULL, sizeof before);
	if (pid < 0)
		return false;
	atomic_store(&child, (pid_t)pid);
	atomic_fetch_add(&taken, 1);
	return true;
}

static __attribute__((noinline)) bool take(enum track_reason reason, struct track_moment moment)
{
	bool wait = reason != TRACK_ASKED && reason != TRACK_AT_INTERVAL &&
		    reason != TRACK_AT_GROWTH && reason != TRACK_AT_PEAK;
	if (!atomic_load(&track_on) || getpid() != atomic_load(&track_pid))
		return false;
	int kept = errno;
	if (!begin(reason == TRACK_AT_EXIT || reason == TRACK_AT_CRASH)) {
		errno = kept;
		return false;
	}
	if (reason == TRACK_AT_PEAK)
		abandon();
	track_moment = moment;
	track_moment.tid = (pid_t)syscall(SYS_gettid);
	bool done = reap(wait) && fork_child(reason) &&
		    (!wait || (reap(true) && !atomic_load(&child_failed)));
	errno = kept;
	atomic_store(&taking, 0);
	return done;
}

/* All registers that hold something of the callers'
 * are stored in its frame, and nothing of ours. */
bool track_take(enum track_reason reason)
{
	struct track_moment moment = {.sp = (uintptr_t)__builtin_frame_address(0)};
	__builtin_unwind_init();
#if defined(__x86_64__)
	__asm__ volatile("mov %%rsp, %0\n\tmov %%rbp, %1\n\tlea 0(%%rip), %2"
			 : "=&r"(moment.sp), "=&r"(moment.bp), "=&r"(moment.pc));
#endif
	bool done = take(reason, moment);
	__asm__ volatile("" ::: "memory"); /* the frame must outlive the call */
	return done;
}

bool track_take_failed(void)
{
	return atomic_load(&child_failed);
}

bool track_is_writing(void)
{
	return atomic_load(&taking) || atomic_load(&child) != 0;
}

void track_wait(bool until_written)
{
	if (atomic_load(&child) == 0 || !atomic_load(&track_on) ||
	    getpid() != atomic_load(&track_pid))
		return;
	int kept = errno;
	if (begin(until_written)) {
		reap(until_written);
		atomic_store(&taking, 0);
	}
	errno = kept;
}
