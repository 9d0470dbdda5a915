/* Snapshots as arguments: FILE, FILE#N, - or nothing for standard input. */
#include <errno.h>
#include <stdio.h>
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

bool cli_names_member(const char *file)
{
	int64_t member = 0;
	free(split_member(file ? file : "-", &member));
	return member != 0;
}

static bool write_all(int fd, const char *bytes, size_t size)
{
	while (size > 0) {
		ssize_t wrote = write(fd, bytes, size);
		if (wrote < 0 && errno != EINTR)
			return false;
		bytes += wrote > 0 ? wrote : 0;
		size -= wrote > 0 ? (size_t)wrote : 0;
	}
	return true;
}

static bool copy_input(int fd)
{
	char bytes[16384];
	ssize_t got;
	while ((got = read(STDIN_FILENO, bytes, sizeof(bytes))) != 0) {
		if (got < 0 && errno != EINTR)
			return false;
		if (got > 0 && !write_all(fd, bytes, (size_t)got))
			return false;
	}
	return true;
}

static int temporary_file(void)
{
	const char *folder = getenv("TMPDIR");
	char path[4096];
	int size =
		snprintf(path, sizeof(path), "%s/snap-XXXXXX", folder && *folder ? folder : "/tmp");
	if (size < 0 || (size_t)size >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int fd = mkstemp(path);
	if (fd >= 0)
		unlink(path);
	return fd;
}

/* A descriptor of standard input that can seek: a pipe is kept in a file without a name, so that
 * each of its members can be opened. */
static int seekable_input(void)
{
	static int kept = -1;
	if (kept >= 0)
		return kept;
	if (lseek(STDIN_FILENO, 0, SEEK_CUR) >= 0 || errno != ESPIPE)
		return STDIN_FILENO;
	kept = temporary_file();
	if (kept < 0 || !copy_input(kept))
		exit(cli_fail("standard input: copying to a temporary file: %s", strerror(errno)));
	return kept;
}

static enum snap_status open_reader(struct snap_reader **out, const char *path, int64_t member,
				    bool partial, struct snap_error *error)
{
	struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
	options.max_memory_bytes = cli_common.memory_bytes;
	options.partial = partial;
	options.member = member;
	if (strcmp(path, "-") == 0)
		return snap_reader_open_descriptor(out, seekable_input(), &options, error);
	return snap_reader_open(out, path, &options, error);
}

static struct snap_reader *open_or_exit(const char *file, int64_t member, bool partial)
{
	struct snap_reader *reader;
	struct snap_error error;
	char *path = split_member(file ? file : "-", &member);
	if (open_reader(&reader, path, member, partial, &error) != SNAP_OK)
		exit(cli_report(file ? file : "-", &error));
	free(path);
	return reader;
}

struct snap_reader *cli_open_to_verify(const char *file, int64_t member)
{
	return open_or_exit(file, member, true);
}

struct snap_reader *cli_open_member(const char *file, int64_t member)
{
	struct snap_reader *reader = open_or_exit(file, member, cli_common.partial);
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	if (info.damaged)
		cli_incomplete(file, &info.damage);
	return reader;
}

struct snap_reader *cli_open_any(const char *file)
{
	return cli_open_member(file, SNAP_LAST_MEMBER);
}

/* A question then takes as long as without, and its answer is of the snapshot alone. */
static void tell_foreign_index(struct snap_reader *reader, const char *file)
{
	struct snap_index_info index;
	struct snap_error error;
	if (snap_reader_index(reader, &index, &error) != SNAP_OK)
		exit(cli_report(file ? file : "-", &error));
	if (index.state == SNAP_INDEX_FOREIGN)
		cli_warn("%s: its index is not of this snapshot, and is not used",
			 file ? file : "-");
}

struct snap_reader *cli_open(const char *file)
{
	struct snap_reader *reader = cli_open_any(file);
	struct snap_reader_info info;
	tell_foreign_index(reader, file);
	snap_reader_info(reader, &info);
	/* Without a trailer it is the reader that says partial, and has said why. */
	if (!(info.flags & SNAP_SNAPSHOT_PARTIAL) || info.damaged)
		return reader;
	struct snap_error error = {.status = SNAP_OK, .offset = SNAP_NO_OFFSET};
	strcpy(error.message, cli_common.partial
				      ? "marked as partial by its writer"
				      : "marked as partial by its writer; --partial accepts it");
	if (!cli_common.partial) {
		snap_reader_close(reader);
		exit(cli_report(file ? file : "-", &error));
	}
	cli_incomplete(file, &error);
	return reader;
}
