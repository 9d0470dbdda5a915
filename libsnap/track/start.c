/* When recording starts and ends: settings from the environment, exit and fork. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "snap_attach.h"
#include "track.h"

struct track_settings track_settings = {.depth = 256};
_Atomic pid_t track_pid;
char track_output[TRACK_PATH];

extern int __cxa_atexit(void (*)(void *), void *, void *);
extern int __cxa_at_quick_exit(void (*)(void *), void *);

/* ---- settings ---- */

static const char *setting(char **environment, const char *name)
{
	size_t size = strlen(name);
	for (; environment && *environment; environment++)
		if (strncmp(*environment, name, size) == 0 && (*environment)[size] == '=')
			return *environment + size + 1;
	return "";
}

static uint64_t number_setting(char **environment, const char *name)
{
	uint64_t value = 0;
	for (const char *at = setting(environment, name); *at >= '0' && *at <= '9'; at++)
		value = value * 10 + (unsigned)(*at - '0');
	return value;
}

static void copy(char *out, const char *text)
{
	size_t size = strnlen(text, TRACK_PATH - 1);
	memcpy(out, text, size);
	out[size] = '\0';
}

static void read_settings(char **environment)
{
	struct track_settings *s = &track_settings;
	copy(s->output, setting(environment, "SNAP_TRACK_OUTPUT"));
	copy(s->report, setting(environment, "SNAP_TRACK_REPORT"));
	s->sample_bytes = number_setting(environment, "SNAP_TRACK_SAMPLE");
	s->growth_bytes = number_setting(environment, "SNAP_TRACK_GROWTH");
	s->interval_ns = number_setting(environment, "SNAP_TRACK_INTERVAL");
	s->peak = number_setting(environment, "SNAP_TRACK_PEAK") != 0;
	s->references = number_setting(environment, "SNAP_TRACK_REFERENCES") != 0;
	s->limit_percent = (unsigned)number_setting(environment, "SNAP_TRACK_NEAR_LIMIT");
	s->mapped = number_setting(environment, "SNAP_TRACK_MMAP") != 0;
	s->signal = (int)number_setting(environment, "SNAP_TRACK_SIGNAL");
	s->first_pid = (pid_t)number_setting(environment, "SNAP_TRACK_PID");
	s->level = (int)number_setting(environment, "SNAP_TRACK_LEVEL");
	uint64_t depth = number_setting(environment, "SNAP_TRACK_DEPTH");
	if (depth > 0)
		s->depth = depth < TRACK_MAX_DEPTH ? (size_t)depth : TRACK_MAX_DEPTH;
}

/* ---- names ---- */

struct text {
	char *out;
	size_t size;
};

static void put(struct text *t, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size && t->size < TRACK_PATH - 1; i++)
		t->out[t->size++] = bytes[i];
}

static void put_part(struct text *t, char what)
{
	char part[TRACK_PATH];
	part[0] = '\0';
	struct utsname host;
	ssize_t size;
	switch (what) {
	case 'p': snprintf(part, sizeof part, "%d", (int)getpid()); break;
	case 't': snprintf(part, sizeof part, "%lld", (long long)time(NULL)); break;
	case 'h':
		if (uname(&host) == 0)
			snprintf(part, sizeof part, "%s", host.nodename);
		break;
	case 'e':
		size = readlink("/proc/self/exe", part, sizeof part - 1);
		part[size > 0 ? size : 0] = '\0';
		break;
	case '%': put(t, "%", 1); return;
	default:
		put(t, "%", 1);
		put(t, &what, 1);
		return;
	}
	const char *slash = strrchr(part, '/');
	put(t, slash ? slash + 1 : part, strlen(slash ? slash + 1 : part));
}

static void make_name(void)
{
	struct text t = {track_output, 0};
	const char *at = track_settings.output;
	char here[TRACK_PATH];
	if (*at != '/' && getcwd(here, sizeof here)) {
		put(&t, here, strlen(here));
		put(&t, "/", 1);
	}
	for (; *at; at++) {
		if (*at == '%' && at[1])
			put_part(&t, *++at);
		else
			put(&t, at, 1);
	}
	track_output[t.size] = '\0';
}

/* Whether processes other than the first have a name of their own. */
static bool names_differ(void)
{
	for (const char *at = track_settings.output; (at = strchr(at, '%')); at += at[1] ? 2 : 1)
		if (at[1] == 'p')
			return true;
	return false;
}

/* ---- the end ---- */

static void at_exit(void *context)
{
	(void)context;
	if (!track_peak_was_taken(atomic_load(&track_sums.bytes)))
		track_take(TRACK_AT_EXIT);
	track_wait(true);
	atomic_store(&track_on, false);
}

#define EXPORTED __attribute__((visibility("default")))
EXPORTED _Noreturn void _exit(int status)
{
	at_exit(NULL);
	for (;;)
		syscall(SYS_exit_group, status);
}

EXPORTED _Noreturn void _Exit(int status)
{
	_exit(status);
}

/* ---- fork ---- */

static void forked(void)
{
	track_locks_forked();
	track_threads_forked();
	track_take_forked();
	track_triggers_forked();
	atomic_store(&track_pid, getpid());
	if (!names_differ())
		atomic_store(&track_on, false);
	else if (atomic_load(&track_on))
		make_name();
}

/* ---- the start ---- */

uint64_t track_now_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void track_begin(void)
{
	static bool has_begun;
	atomic_store(&track_pid, getpid());
	make_name();
	if (!has_begun) {
		if (track_settings.references)
			track_roots_begin();
		track_threads_init();
		pthread_atfork(NULL, NULL, forked);
		/* Belongs to no module, and when preloaded is the
		 * first: so it runs after the destructors of all. */
		__cxa_atexit(at_exit, NULL, NULL);
		__cxa_at_quick_exit(at_exit, NULL);
		has_begun = true;
	}
	track_lost.allocator = track_is_bypassed();
	track_signals_init();
	track_mapped_init();
	track_older_init();
	track_limits_init();
	track_skim();
	snap_track_attach.is_recording = 1;
	atomic_store(&track_on, true);
}

__attribute__((constructor)) static void start(int argc, char **argv, char **environment)
{
	(void)argc;
	(void)argv;
	int kept = errno;
	if (getauxval(AT_SECURE) == 0)
		read_settings(environment);
	pid_t pid = getpid();
	bool wanted = *track_settings.output && (names_differ() || track_settings.first_pid == 0 ||
						 track_settings.first_pid == pid);
	if (wanted)
		track_begin();
	errno = kept;
}
