/* Fills in the names of frames, by snap-symbolize, in the snapshots that were written. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
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

static uint64_t count_members(const char *path)
{
	struct snap_reader *reader;
	struct snap_reader_info info;
	if (snap_reader_open(&reader, path, NULL, NULL) != SNAP_OK)
		return 0;
	snap_reader_info(reader, &info);
	snap_reader_close(reader);
	return info.member_count;
}

/* One member, to the end of a file. */
static bool name_member(const char *symbolizer, const char *path, uint64_t member, int out)
{
	size_t size = strlen(path) + 24;
	char *input = cli_resize(NULL, size);
	snprintf(input, size, "%s#%" PRIu64, path, member);
	int status = -1;
	pid_t pid = fork();
	if (pid == 0) {
		dup2(out, STDOUT_FILENO);
		execl(symbolizer, SYMBOLIZER, "--quiet", "--output=-", "--", input, (char *)NULL);
		_exit(CLI_TROUBLE);
	}
	while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
		continue;
	free(input);
	return WIFEXITED(status) && WEXITSTATUS(status) <= CLI_NO;
}

static bool name_all(const char *symbolizer, const char *path, const char *temporary)
{
	struct stat about;
	uint64_t members = count_members(path);
	if (members == 0 || stat(path, &about) != 0 || !S_ISREG(about.st_mode))
		return members != 0; /* a device keeps nothing */
	int out = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC,
		       about.st_mode & 0777);
	bool good = out >= 0;
	for (uint64_t member = 1; member <= members && good; member++)
		good = name_member(symbolizer, path, member, out);
	if (out >= 0)
		good = close(out) == 0 && good && rename(temporary, path) == 0;
	if (!good)
		unlink(temporary);
	return good;
}

void record_name_frames(const char *path)
{
	char *symbolizer = symbolizer_path();
	if (!symbolizer)
		return;
	size_t size = strlen(path) + 32;
	char *temporary = cli_resize(NULL, size);
	snprintf(temporary, size, "%s.%ld.tmp", path, (long)getpid());
	if (!name_all(symbolizer, path, temporary))
		cli_warn("%s: frames have no names: " SYMBOLIZER " failed", path);
	free(temporary);
	free(symbolizer);
}
