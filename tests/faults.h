/* Memory and files that are counted, and fail at a call that is chosen. */
#ifndef FAULTS_H
#define FAULTS_H

#include "core.h"
#include "tap.h"

#include <errno.h>
#include <stdlib.h>

/* Calls count from 0; UINT64_MAX to fail: none does. */
struct faults {
	uint64_t memory_calls, memory_fail_at, live, peak; /* bytes */
	uint64_t io_calls, io_fail_at, written;
	int io_errno; /* 0: what is usual for the call */
	unsigned open_files;
	bool only_temporary; /* no other file may be opened */
	bool close_fails;    /* it is a call that may fail, too */
	bool cut_short;      /* a failing read gives less than there should be */
};

static inline void *faulty_resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct faults *f = context;
	if (new_size > 0 && f->memory_calls++ == f->memory_fail_at)
		return NULL;
	f->live += new_size - (pointer ? old_size : 0);
	f->peak = f->live > f->peak ? f->live : f->peak;
	if (new_size == 0) {
		free(pointer);
		return NULL;
	}
	return realloc(pointer, new_size);
}

static inline bool io_fails(struct faults *f)
{
	return f->io_calls++ == f->io_fail_at;
}

static inline int io_failure(const struct faults *f, int usual)
{
	return f->io_errno ? f->io_errno : usual;
}

static inline int faulty_open(void *context, const char *path, enum snap_io_mode mode, void **file)
{
	struct faults *f = context;
	if (io_fails(f))
		return io_failure(f, EMFILE);
	REQUIRE(mode == SNAP_IO_TEMPORARY || !f->only_temporary);
	int failed = libsnap_system_io()->open(NULL, path, mode, file);
	f->open_files += failed == 0;
	return failed;
}

static inline int faulty_read_at(void *context, void *file, uint64_t offset, void *buffer,
				 size_t size, size_t *got)
{
	struct faults *f = context;
	bool fails = io_fails(f);
	if (fails && !f->cut_short)
		return io_failure(f, EIO);
	return libsnap_system_io()->read_at(NULL, file, offset, buffer, fails ? size / 2 : size,
					    got);
}

/* Of a write that fails a part is written, as on a full disk. */
static inline int faulty_write_at(void *context, void *file, uint64_t offset, const void *buffer,
				  size_t size)
{
	struct faults *f = context;
	bool fails = io_fails(f);
	int failed =
		libsnap_system_io()->write_at(NULL, file, offset, buffer, fails ? size / 2 : size);
	f->written += fails ? 0 : size;
	return fails ? io_failure(f, ENOSPC) : failed;
}

static inline int faulty_size(void *context, void *file, uint64_t *size)
{
	struct faults *f = context;
	return io_fails(f) ? io_failure(f, EIO) : libsnap_system_io()->size(NULL, file, size);
}

static inline int faulty_sync(void *context, void *file)
{
	struct faults *f = context;
	(void)file; /* the disk is not what is tested */
	return io_fails(f) ? io_failure(f, EIO) : 0;
}

/* A close that fails has closed all the same. */
static inline int faulty_close(void *context, void *file)
{
	struct faults *f = context;
	bool fails = f->close_fails && io_fails(f);
	int failed = libsnap_system_io()->close(NULL, file);
	f->open_files--;
	return fails ? io_failure(f, EIO) : failed;
}

static inline int faulty_rename(void *context, const char *from, const char *to)
{
	struct faults *f = context;
	return io_fails(f) ? io_failure(f, EIO) : libsnap_system_io()->rename(NULL, from, to);
}

static inline int plain_remove(void *context, const char *path)
{
	(void)context;
	return libsnap_system_io()->remove(NULL, path);
}

static inline int plain_truncate(void *context, void *file, uint64_t size)
{
	(void)context;
	return libsnap_system_io()->truncate(NULL, file, size);
}

static inline struct snap_allocator faulty_memory(struct faults *f)
{
	return (struct snap_allocator){.context = f, .resize = faulty_resize};
}

static inline struct snap_io faulty_io(struct faults *f)
{
	return (struct snap_io){
		.context = f,
		.open = faulty_open,
		.read_at = faulty_read_at,
		.write_at = faulty_write_at,
		.size = faulty_size,
		.sync = faulty_sync,
		.close = faulty_close,
		.rename = faulty_rename,
		.remove = plain_remove,
		.truncate = plain_truncate,
	};
}

#endif
