/* Processes that a program has left behind: who looks only at its own snapshot is told. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record.h"

/* What has none but the report only writes a snapshot: that is no process of the program's.  One
 * that was forked for it this very moment still has the program's descriptors: then the number
 * that is told is too high by one, and nothing else rests on it. */
static bool has_descriptors(int pid, const char *report)
{
	char path[300], file[4096];
	bool has = false;
	snprintf(path, sizeof path, "/proc/%d/fd", pid);
	DIR *folder = opendir(path);
	for (struct dirent *entry; folder && !has && (entry = readdir(folder));) {
		snprintf(path, sizeof path, "/proc/%d/fd/%s", pid, entry->d_name);
		ssize_t size = readlink(path, file, sizeof file - 1);
		file[size > 0 ? size : 0] = '\0';
		has = size > 0 && strcmp(file, report) != 0;
	}
	if (folder)
		closedir(folder);
	return has;
}

void record_tell_left(const char *report, bool recorded)
{
	DIR *folder = opendir("/proc");
	size_t count = 0;
	int last = 0;
	for (struct dirent *entry; folder && (entry = readdir(folder));) {
		int pid = atoi(entry->d_name);
		const char *its = pid > 0 ? record_variable(pid, "SNAP_TRACK_REPORT") : NULL;
		if (!its || strcmp(its, report) != 0 || !has_descriptors(pid, report))
			continue;
		last = pid;
		count++;
	}
	if (folder)
		closedir(folder);
	if (count > 0 && recorded)
		cli_warn(
			"%zu of the program's processes still run, as %d: each writes its snapshot when it ends, "
			"and snap-symbolize gives that names",
			count, last);
	else if (count > 0)
		cli_warn(
			"%zu of the program's processes still run, as %d: they are not recorded, unless there "
			"is a %%p in --output",
			count, last);
}
