/* Which threads slept while the process was copied, and
 * where: their stacks in the copy are as they left them.
 *
 * How long each had run is noted before the fork, which takes a moment for each.  The child
 * asks the system: a thread that sleeps, and has not run since by a nanosecond, slept all
 * the while.  No thread is stopped, which system calls would tell their callers of. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "track.h"

static bool read_of(pid_t tid, const char *what, char *out, size_t size)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/task/%d/%s", (int)getppid(), (int)tid, what);
	int file = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = file >= 0 ? read(file, out, size - 1) : -1;
	if (file >= 0)
		close(file);
	out[got > 0 ? got : 0] = '\0';
	return got > 0;
}

static const char *number(const char *at, unsigned base, uint64_t *value)
{
	for (*value = 0;; at++) {
		unsigned digit = *at >= '0' && *at <= '9'   ? (unsigned)(*at - '0')
				 : *at >= 'a' && *at <= 'f' ? (unsigned)(*at - 'a') + 10
							    : 16;
		if (digit >= base)
			return at;
		*value = *value * base + digit;
	}
}

/* "number argument... sp pc", without arguments where it is in no call, or "running". */
static void parse_call(const char *at, struct track_sleep *sleep)
{
	uint64_t words[TRACK_ARGUMENTS + 2];
	size_t count = 0;
	while (count < TRACK_ARGUMENTS + 2 && (at = strstr(at, " 0x")) != NULL)
		at = number(at + 3, 16, &words[count++]);
	if (count < 2)
		return;
	sleep->sp = words[count - 2];
	sleep->pc = words[count - 1];
	sleep->argument_count = count - 2;
	for (size_t i = 0; i < count - 2; i++)
		sleep->arguments[i] = words[i];
}

bool track_slept(pid_t tid, struct track_sleep *sleep)
{
	char text[512];
	uint64_t noted = track_thread_ran(tid), ran;
	*sleep = (struct track_sleep){0};
	if (noted == 0)
		return false;
	if (read_of(tid, "syscall", text, sizeof text)) {
		parse_call(text, sleep);
		if (sleep->sp == 0)
			return false;
	} else {
		const char *state =
			read_of(tid, "stat", text, sizeof text) ? strrchr(text, ')') : NULL;
		if (!state || (strncmp(state, ") S", 3) != 0 && strncmp(state, ") D", 3) != 0))
			return false;
	}
	if (!read_of(tid, "schedstat", text, sizeof text))
		return false;
	number(text, 10, &ran);
	return ran == noted;
}
