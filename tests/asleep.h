/* For programs of tests: until other threads wait in the kernel, where a snapshot finds them. */
#ifndef ASLEEP_H
#define ASLEEP_H

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static void asleep_ask(const char *tid, const char *what, char *out, size_t size)
{
	char path[64];
	snprintf(path, sizeof path, "/proc/self/task/%s/%s", tid, what);
	int file = open(path, O_RDONLY);
	ssize_t got = file >= 0 ? read(file, out, size - 1) : 0;
	close(file);
	out[got > 0 ? got : 0] = '\0';
}

/* Who asks for its call waits until a thread that is about to sleep does. */
static int asleep_is(const char *tid)
{
	char call[256], line[256];
	asleep_ask(tid, "syscall", call, sizeof call);
	asleep_ask(tid, "stat", line, sizeof line);
	const char *state = strrchr(line, ')');
	return state && state[1] == ' ' && state[2] == 'S' && strncmp(call, "running", 7) != 0;
}

/* Nothing is allocated.  After a minute the program ends. */
static void asleep_await(int threads)
{
	for (int tries = 0; tries < 12000; tries++) {
		_Alignas(8) char entries[8192];
		int found = 0, folder = open("/proc/self/task", O_RDONLY | O_DIRECTORY);
		long size = syscall(SYS_getdents64, folder, entries, sizeof entries);
		close(folder);
		for (long at = 0; at < size;) {
			struct dirent *entry = (struct dirent *)(void *)(entries + at);
			found += entry->d_name[0] != '.' && asleep_is(entry->d_name);
			at += entry->d_reclen;
		}
		if (found >= threads)
			return;
		usleep(5000);
	}
	fprintf(stderr, "%d threads are not asleep\n", threads);
	abort();
}

#endif
