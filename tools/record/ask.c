/* Asks a program that runs under snap-record for a snapshot. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

int record_signal(const char *name)
{
	if (isdigit((unsigned char)*name)) {
		char *end;
		unsigned long number = strtoul(name, &end, 10);
		return *end || number >= (unsigned long)SIGRTMAX ? 0 : (int)number;
	}
	if (strncasecmp(name, "SIG", 3) == 0)
		name += 3;
	for (int number = 1; number < SIGRTMIN; number++) {
		const char *known = sigabbrev_np(number);
		if (known && strcasecmp(known, name) == 0)
			return number;
	}
	return 0;
}

const char *record_variable(pid_t pid, const char *name)
{
	static char *text;
	size_t capacity = 0, size = strlen(name);
	char path[64];
	snprintf(path, sizeof path, "/proc/%d/environ", (int)pid);
	FILE *file = fopen(path, "re");
	const char *value = NULL;
	while (file && !value && getdelim(&text, &capacity, '\0', file) > 0)
		if (strncmp(text, name, size) == 0 && text[size] == '=')
			value = text + size + 1;
	if (file)
		fclose(file);
	return value;
}

/* Whether a snapshot is being written: who does has the report locked. */
static bool is_locked(int report)
{
	bool locked = flock(report, LOCK_EX | LOCK_NB) != 0;
	if (!locked)
		flock(report, LOCK_UN);
	return locked;
}

/* What the report says from here on; a line of it, or NULL. */
static const char *new_line(int report, off_t from)
{
	static char line[8192];
	ssize_t got = pread(report, line, sizeof line - 1, from);
	char *end = got > 0 ? memchr(line, '\n', (size_t)got) : NULL;
	if (end)
		*end = '\0';
	return end ? line : NULL;
}

/* The program answers at once, or at its next allocation, but not while it has the signal blocked
 * or waits in the kernel.  What of these it is cannot be seen from outside for sure, so that 10 s
 * without a beginning are no answer; what has begun has the report locked, and may take its time. */
static bool wait_for_answer(pid_t pid, int report, off_t from)
{
	const struct timespec pause = {0, 10000000};
	const char *line = NULL;
	for (int i = 0; i < 1000 || is_locked(report); i++) {
		bool is_there = kill(pid, 0) == 0;
		if ((line = new_line(report, from)) || !is_there)
			break;
		nanosleep(&pause, NULL);
	}
	if (!line)
		cli_fail(
			"process %d has ended, or not answered in 10 s: it may handle the signal of --signal itself, "
			"or block it; another one may do",
			(int)pid);
	else if (*line == '-')
		cli_fail("%s", line + 1);
	return line && *line != '-';
}

bool record_ask(pid_t pid)
{
	const char *value = record_variable(pid, "SNAP_TRACK_SIGNAL");
	int wanted = value ? record_signal(value) : 0;
	if (wanted == 0)
		return false;
	value = record_variable(pid, "SNAP_TRACK_REPORT");
	int report = value ? open(value, O_RDONLY | O_CLOEXEC) : -1;
	off_t from = report >= 0 ? lseek(report, 0, SEEK_END) : 0;
	if (kill(pid, wanted) != 0)
		exit(cli_fail("process %d: %s", (int)pid, strerror(errno)));
	if (report >= 0 && !wait_for_answer(pid, report, from))
		exit(CLI_TROUBLE);
	return true;
}
