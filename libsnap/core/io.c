/* The system's files as a snap_io table. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core.h"

/* A file is its descriptor and one bit, so that opening one needs no memory; never NULL. */
static void *file_of(int descriptor, bool temporary)
{
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	return (void *)((intptr_t)descriptor * 2 + temporary + 2);
}

static int descriptor_of(const void *file)
{
	return (int)(((intptr_t)file - 2) / 2);
}

static bool is_temporary(const void *file)
{
	return (intptr_t)file & 1;
}

void *libsnap_system_file(int descriptor)
{
	return file_of(descriptor, false);
}

const char *libsnap_temporary_folder(const char *folder)
{
	if (!folder || !*folder)
		folder = getenv("TMPDIR");
	return folder && *folder ? folder : "/tmp";
}

static int open_retrying(const char *path, int flags)
{
	int descriptor;
	do
		descriptor = open(path, flags | O_CLOEXEC, 0666);
	while (descriptor < 0 && errno == EINTR);
	return descriptor;
}

/* Where the file system has no O_TMPFILE: a name for a moment. */
static int open_unlinked(const char *folder)
{
	char path[4096];
	int size = snprintf(path, sizeof path, "%s/snap-XXXXXX", folder);
	if (size < 0 || (size_t)size >= sizeof path) {
		errno = ENAMETOOLONG;
		return -1;
	}
	int descriptor = mkostemp(path, O_CLOEXEC);
	if (descriptor >= 0)
		unlink(path);
	return descriptor;
}

static int open_temporary(const char *folder)
{
#ifdef O_TMPFILE
	int descriptor;
	do
		descriptor = open(folder, O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600);
	while (descriptor < 0 && errno == EINTR);
	if (descriptor >= 0)
		return descriptor;
#endif
	return open_unlinked(folder);
}

static int system_open(void *context, const char *path, enum snap_io_mode mode, void **file)
{
	(void)context;
	int descriptor = -1;
	errno = EINVAL;
	switch (mode) {
	case SNAP_IO_READ: descriptor = open_retrying(path, O_RDONLY); break;
	case SNAP_IO_CREATE: descriptor = open_retrying(path, O_WRONLY | O_CREAT | O_EXCL); break;
	case SNAP_IO_APPEND: descriptor = open_retrying(path, O_RDWR | O_CREAT | O_APPEND); break;
	case SNAP_IO_TEMPORARY: descriptor = open_temporary(path); break;
	}
	if (descriptor < 0)
		return errno;
	*file = file_of(descriptor, mode == SNAP_IO_TEMPORARY);
	return 0;
}

static int system_read_at(void *context, void *file, uint64_t offset, void *buffer, size_t size,
			  size_t *got)
{
	(void)context;
	int descriptor = descriptor_of(file);
	size_t done = 0;
	bool seekable = true;
	while (done < size) {
		uint8_t *to = (uint8_t *)buffer + done;
		if (offset + done > INT64_MAX)
			break;
		ssize_t more = seekable ? pread(descriptor, to, size - done, (off_t)(offset + done))
					: read(descriptor, to, size - done);
		if (more == 0)
			break;
		if (more > 0)
			done += (size_t)more;
		else if (errno == ESPIPE && seekable)
			seekable = false;
		else if (errno != EINTR)
			return errno;
	}
	*got = done;
	return 0;
}

static int system_write_at(void *context, void *file, uint64_t offset, const void *buffer,
			   size_t size)
{
	(void)context;
	int descriptor = descriptor_of(file);
	size_t done = 0;
	if (is_temporary(file) && (offset > INT64_MAX || size > INT64_MAX - offset))
		return EFBIG;
	while (done < size) {
		const uint8_t *from = (const uint8_t *)buffer + done;
		ssize_t more = is_temporary(file) ? pwrite(descriptor, from, size - done,
							   (off_t)(offset + done))
						  : write(descriptor, from, size - done);
		if (more > 0)
			done += (size_t)more;
		else if (more == 0)
			return EIO;
		else if (errno != EINTR)
			return errno;
	}
	return 0;
}

static int system_size(void *context, void *file, uint64_t *size)
{
	(void)context;
	struct stat status;
	if (fstat(descriptor_of(file), &status) != 0)
		return errno;
	if (S_ISDIR(status.st_mode))
		return EISDIR;
	if (S_ISREG(status.st_mode)) {
		*size = (uint64_t)status.st_size;
		return 0;
	}
	if (!S_ISBLK(status.st_mode))
		return ESPIPE;
	off_t end = lseek(descriptor_of(file), 0, SEEK_END);
	if (end < 0)
		return errno;
	*size = (uint64_t)end;
	return 0;
}

static int system_sync(void *context, void *file)
{
	(void)context;
	while (fsync(descriptor_of(file)) != 0) {
		/* Pipes and some devices have nothing to sync. */
		if (errno == EINVAL || errno == EROFS)
			return 0;
		if (errno != EINTR)
			return errno;
	}
	return 0;
}

/* After EINTR the descriptor is gone on Linux, so it must not be closed again. */
static int system_close(void *context, void *file)
{
	(void)context;
	return close(descriptor_of(file)) == 0 || errno == EINTR ? 0 : errno;
}

static int system_rename(void *context, const char *from, const char *to)
{
	(void)context;
	return rename(from, to) == 0 ? 0 : errno;
}

static int system_remove(void *context, const char *path)
{
	(void)context;
	return unlink(path) == 0 ? 0 : errno;
}

static int system_truncate(void *context, void *file, uint64_t size)
{
	(void)context;
	while (ftruncate(descriptor_of(file), (off_t)size) != 0)
		if (errno != EINTR)
			return errno;
	return 0;
}

static const struct snap_io system_io = {
	.open = system_open,
	.read_at = system_read_at,
	.write_at = system_write_at,
	.size = system_size,
	.sync = system_sync,
	.close = system_close,
	.rename = system_rename,
	.remove = system_remove,
	.truncate = system_truncate,
};

const struct snap_io *libsnap_system_io(void)
{
	return &system_io;
}
