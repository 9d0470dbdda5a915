/* Where a snapshot's bytes come from: a path, a descriptor, memory or the caller. */
#include <errno.h>
#include <string.h>

#include "reader.h"

#define SPOOL_CHUNK ((size_t)262144)

/* Copies what cannot seek into a file without a name.  On success *source reads from that. */
static enum snap_status spool(struct libsnap_source *source, const struct snap_io *from_io,
			      void *from, const struct snap_io *io, const char *folder,
			      const struct snap_allocator *allocator, struct snap_error *error)
{
	folder = libsnap_temporary_folder(folder);
	void *to = NULL;
	int failure = io->open(io->context, folder, SNAP_IO_TEMPORARY, &to);
	if (failure)
		return libsnap_fail_io(error, failure, SNAP_NO_OFFSET,
				       "cannot make a temporary file in %s", folder);
	enum snap_status status = SNAP_OK;
	uint64_t done = 0;
	uint8_t *chunk = libsnap_alloc(allocator, SPOOL_CHUNK, 1);
	if (!chunk)
		status = libsnap_fail_memory(error);
	for (size_t got = SPOOL_CHUNK; status == SNAP_OK && got == SPOOL_CHUNK; done += got) {
		got = 0;
		failure = from_io->read_at(from_io->context, from, done, chunk, SPOOL_CHUNK, &got);
		if (failure) {
			status = libsnap_fail_io(error, failure, done, "cannot read");
			break;
		}
		failure = got ? io->write_at(io->context, to, done, chunk, got) : 0;
		if (failure)
			status = libsnap_fail_io(error, failure, SNAP_NO_OFFSET,
						 "cannot write a temporary file in %s", folder);
	}
	libsnap_free(allocator, chunk, SPOOL_CHUNK, 1);
	if (status != SNAP_OK) {
		io->close(io->context, to);
		return status;
	}
	*source = (struct libsnap_source){.size = done, .io = io, .file = to, .owns_file = true};
	return SNAP_OK;
}

enum snap_status libsnap_source_open_path(struct libsnap_source *source, const char *path,
					  const struct snap_io *io, const char *folder,
					  const struct snap_allocator *allocator,
					  struct snap_error *error)
{
	void *file = NULL;
	int failure = io->open(io->context, path, SNAP_IO_READ, &file);
	if (failure)
		return libsnap_fail_io(error, failure, SNAP_NO_OFFSET, "cannot open");
	struct libsnap_source opened = {.io = io, .file = file, .owns_file = true};
	failure = io->size(io->context, file, &opened.size);
	if (failure == 0) {
		*source = opened;
		return SNAP_OK;
	}
	enum snap_status status = SNAP_IO;
	if (failure == ESPIPE)
		status = spool(source, io, file, io, folder, allocator, error);
	else
		libsnap_fail_io(error, failure, SNAP_NO_OFFSET, "cannot tell the size");
	io->close(io->context, file);
	return status;
}

enum snap_status libsnap_source_open_descriptor(struct libsnap_source *source, int descriptor,
						const struct snap_io *io, const char *folder,
						const struct snap_allocator *allocator,
						struct snap_error *error)
{
	const struct snap_io *system = libsnap_system_io();
	struct libsnap_source opened = {.io = system, .file = libsnap_system_file(descriptor)};
	int failure = system->size(system->context, opened.file, &opened.size);
	if (failure == ESPIPE)
		return spool(source, system, opened.file, io, folder, allocator, error);
	if (failure)
		return libsnap_fail_io(error, failure, SNAP_NO_OFFSET, "cannot tell the size");
	*source = opened;
	return SNAP_OK;
}

enum snap_status libsnap_source_read(const struct libsnap_source *source, uint64_t offset,
				     void *buffer, size_t size, struct snap_error *error)
{
	if (offset > source->size || size > source->size - offset)
		return libsnap_fail(error, SNAP_CORRUPT, offset, "%zu bytes lie beyond the end",
				    size);
	if (size == 0)
		return SNAP_OK;
	if (source->memory) {
		memcpy(buffer, source->memory + offset, size);
		return SNAP_OK;
	}
	int failure;
	size_t got = size;
	if (source->caller.read_at)
		failure = source->caller.read_at(source->caller.context, offset, buffer, size);
	else
		failure = source->io->read_at(source->io->context, source->file, offset, buffer,
					      size, &got);
	if (failure)
		return libsnap_fail_io(error, failure, offset, "cannot read");
	if (got < size)
		return libsnap_fail_io(error, EIO, offset,
				       "the file became shorter while it was read");
	return SNAP_OK;
}

void libsnap_source_close(struct libsnap_source *source)
{
	if (source->owns_file)
		source->io->close(source->io->context, source->file);
	*source = (struct libsnap_source){0};
}
