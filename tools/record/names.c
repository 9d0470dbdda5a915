/* Fills in the names of frames, by snap-symbolize, in the snapshots that were written. */
#include <errno.h>
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

static bool is_file(const char *path)
{
	struct stat about;
	return stat(path, &about) == 0 && S_ISREG(about.st_mode); /* a device keeps nothing */
}

/* arguments has room for these before the paths. */
#define BEFORE  3u
#define AT_ONCE 500u /* paths: a command may not be too long */

static bool run(const char *symbolizer, const char **arguments)
{
	int status = -1;
	arguments[0] = SYMBOLIZER;
	arguments[1] = "--quiet";
	arguments[2] = "--";
	pid_t pid = fork();
	if (pid == 0) {
		execv(symbolizer, (char *const *)arguments);
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
		size_t used = BEFORE;
		for (; i < count && used < BEFORE + AT_ONCE; i++)
			if (is_file(paths[i]))
				arguments[used++] = paths[i];
		arguments[used] = NULL;
		if (used > BEFORE)
			good &= run(symbolizer, arguments);
	}
	if (!good)
		cli_warn("not all frames have names: " SYMBOLIZER " failed");
	free(symbolizer);
}
