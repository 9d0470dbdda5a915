/* Fills in the names of frames, by snap-symbolize, in the snapshots that were written. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record.h"

#define SYMBOLIZER "snap-symbolize"

/* Beside this program; NULL if it is not there. */
static char *symbolizer_path(void)
{
	char here[4096];
	ssize_t size = readlink("/proc/self/exe", here, sizeof here - 1);
	here[size > 0 ? size : 0] = '\0';
	char *slash = strrchr(here, '/');
	size_t folder = slash ? (size_t)(slash + 1 - here) : 0;
	char *path = cli_resize(NULL, folder + sizeof SYMBOLIZER);
	memcpy(path, here, folder);
	memcpy(path + folder, SYMBOLIZER, sizeof SYMBOLIZER);
	if (access(path, X_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* What another user wrote, whom a program of root's had taken, is replaced by that user. */
static bool become_owner(const struct stat *about)
{
	return geteuid() != 0 || about->st_uid == 0 ||
	       (setgroups(0, NULL) == 0 && setgid(about->st_gid) == 0 &&
		setuid(about->st_uid) == 0);
}

/* arguments has room for these before the paths. */
#define BEFORE  3u
#define AT_ONCE 500u /* paths: a command may not be too long */

/* about: of one of the files, all of which have the same owner. */
static bool run(const char *symbolizer, const char **arguments, const struct stat *about)
{
	int status = -1;
	arguments[0] = SYMBOLIZER;
	arguments[1] = "--quiet";
	arguments[2] = "--";
	pid_t pid = fork();
	if (pid == 0) {
		/* The owner may not be allowed to enter the folder that it is in. */
		int file = open(symbolizer, O_PATH | O_CLOEXEC);
		if (become_owner(about))
			fexecve(file, (char *const *)arguments, environ);
		_exit(CLI_TROUBLE);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	return WIFEXITED(status) && WEXITSTATUS(status) <= CLI_NO;
}

void record_name_frames(const char **paths, size_t count)
{
	char *symbolizer = symbolizer_path();
	const char *arguments[BEFORE + AT_ONCE + 1];
	bool good = true;
	for (size_t i = 0; i < count && symbolizer;) {
		struct stat first = {0}, about;
		size_t used = BEFORE;
		for (; i < count && used < BEFORE + AT_ONCE; i++) {
			if (stat(paths[i], &about) != 0 || !S_ISREG(about.st_mode))
				continue; /* a device keeps nothing */
			if (used == BEFORE)
				first = about;
			if (about.st_uid != first.st_uid || about.st_gid != first.st_gid)
				break;
			arguments[used++] = paths[i];
		}
		arguments[used] = NULL;
		if (used > BEFORE)
			good &= run(symbolizer, arguments, &first);
	}
	if (!good)
		cli_warn("not all frames have names: " SYMBOLIZER " failed");
	free(symbolizer);
}
