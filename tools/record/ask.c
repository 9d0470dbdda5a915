/* Asks a program that runs under snap-record for a snapshot. */
#include <ctype.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

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

/* What a variable of another process was at its start; NULL if it was not there.  Kept. */
static const char *variable_of(pid_t pid, const char *name)
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

bool record_ask(pid_t pid)
{
	const char *value = variable_of(pid, "SNAP_TRACK_SIGNAL");
	int wanted = value ? record_signal(value) : 0;
	if (wanted == 0)
		return false;
	if (kill(pid, wanted) != 0)
		exit(cli_fail("process %d: %s", (int)pid, strerror(errno)));
	return true;
}
