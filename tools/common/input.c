/* Snapshots as arguments: FILE, FILE#N, - or nothing for standard input. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "private.h"

/* Splits "FILE#N" unless a file of just that name exists.  The path is the caller's to free. */
static char *split_member(const char *argument, int64_t *member)
{
	size_t size = strlen(argument);
	char *path = cli_resize(NULL, size + 1);
	memcpy(path, argument, size + 1);
	*member = SNAP_LAST_MEMBER;
	char *hash = strrchr(path, '#');
	if (!hash || access(argument, F_OK) == 0)
		return path;
	const char *digits = hash + 1 + (hash[1] == '-');
	size_t length = strlen(digits);
	if (length == 0 || length > 18 || strspn(digits, "0123456789") != length)
		return path;
	*member = strtoll(hash + 1, NULL, 10);
	if (*member == 0)
		cli_usage("%s: members are numbered from 1, or from #-1 backwards", argument);
	*hash = '\0';
	return path;
}

static enum snap_status open_reader(struct snap_reader **out, const char *path, int64_t member, struct snap_error *error)
{
	struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
	options.max_memory_bytes = cli_common.memory_bytes;
	options.partial = cli_common.partial;
	options.member = member;
	if (strcmp(path, "-") == 0)
		return snap_reader_open_descriptor(out, STDIN_FILENO, &options, error);
	return snap_reader_open(out, path, &options, error);
}

struct snap_reader *cli_open_any(const char *file)
{
	int64_t member;
	struct snap_reader *reader;
	struct snap_error error;
	char *path = split_member(file ? file : "-", &member);
	if (open_reader(&reader, path, member, &error) != SNAP_OK)
		exit(cli_report(path, &error));
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	if (info.damaged)
		cli_incomplete(path, &info.damage);
	free(path);
	return reader;
}

struct snap_reader *cli_open(const char *file)
{
	struct snap_reader *reader = cli_open_any(file);
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	if (!(info.flags & SNAP_SNAPSHOT_PARTIAL))
		return reader;
	struct snap_error error = {.status = SNAP_CORRUPT, .offset = SNAP_NO_OFFSET};
	if (!cli_common.partial) {
		strcpy(error.message, "marked as partial by its writer; --partial accepts it");
		snap_reader_close(reader);
		exit(cli_report(file ? file : "-", &error));
	}
	strcpy(error.message, "marked as partial by its writer");
	cli_incomplete(file, &error);
	return reader;
}
