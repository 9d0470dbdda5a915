/* The snapshot's bytes: header, blocks, directory, trailer, and how they reach a file, a pipe or
 * the caller. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "writer.h"

#define TEMPORARY_TRIES 100
#define NAME_EXTRA      48

static enum snap_status fail_write(struct snap_writer *w, int os_errno)
{
	const char *path = w->out.path ? w->out.path : "the output";
	return libsnap_fail_io(&w->problem, os_errno, SNAP_NO_OFFSET, "cannot write %s", path);
}

static char *copy_text(const struct snap_allocator *allocator, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = libsnap_alloc(allocator, size, 1);
	return copy ? memcpy(copy, text, size) : NULL;
}

/* A new file beside the one that it is to replace, so that rename() can do it. */
static int open_beside(struct snap_writer *w)
{
	struct libsnap_out *out = &w->out;
	size_t size = strlen(out->path) + NAME_EXTRA;
	int failed = EEXIST;
	for (unsigned i = 0; i < TEMPORARY_TRIES && failed == EEXIST; i++) {
		snprintf(out->temporary, size, "%s.%ld-%u.tmp", out->path, (long)getpid(), i);
		failed = w->io->open(w->io->context, out->temporary, SNAP_IO_CREATE, &out->file);
	}
	out->created = !failed;
	return failed;
}

/* What is no file, as /dev/null, is written to and not replaced. */
static bool is_device(const struct snap_writer *w, const char *path)
{
	struct stat about;
	return w->io == libsnap_system_io() && stat(path, &about) == 0 && !S_ISREG(about.st_mode) &&
	       !S_ISDIR(about.st_mode);
}

/* Whether there is anything to append to. */
static enum snap_status find_old(struct snap_writer *w, const char *path, bool *found)
{
	void *file;
	uint64_t size = 0;
	int failed = w->io->open(w->io->context, path, SNAP_IO_READ, &file);
	if (failed == ENOENT)
		return SNAP_OK;
	if (!failed) {
		failed = w->io->size(w->io->context, file, &size);
		w->io->close(w->io->context, file);
	}
	if (failed)
		return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET, "cannot append to %s",
				       path);
	*found = size > 0;
	return SNAP_OK;
}

enum snap_status libsnap_out_open(struct snap_writer *w, const char *path, bool append)
{
	struct libsnap_out *out = &w->out;
	out->path = copy_text(w->allocator, path);
	if (!out->path)
		return libsnap_fail_memory(&w->problem);
	out->append = is_device(w, path);
	if (!out->append && append) {
		enum snap_status status = find_old(w, path, &out->append);
		if (status != SNAP_OK)
			return status;
	}
	if (out->append)
		return SNAP_OK;
	out->temporary = libsnap_alloc(w->allocator, strlen(path) + NAME_EXTRA, 1);
	if (!out->temporary)
		return libsnap_fail_memory(&w->problem);
	int failed = open_beside(w);
	if (!failed)
		return SNAP_OK;
	out->file = NULL;
	return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET, "cannot create %s", out->path);
}

static enum snap_status put(struct snap_writer *w, const void *bytes, size_t size)
{
	struct libsnap_out *out = &w->out;
	int failed;
	if (out->file)
		failed = w->io->write_at(w->io->context, out->file, out->offset, bytes, size);
	else
		failed = out->sink.write(out->sink.context, bytes, size);
	if (failed)
		return fail_write(w, failed);
	out->offset += size;
	return SNAP_OK;
}

static void add_to_identity(struct libsnap_out *out, uint64_t hash)
{
	uint8_t bytes[8];
	struct sink s = sink_over(bytes, sizeof(bytes));
	sink_u64(&s, hash);
	snapfmt_hasher_add(&out->identity, bytes, sizeof(bytes));
}

/* Something appended to what is not whole would be lost with it. */
static enum snap_status check_end(struct snap_writer *w, uint64_t size)
{
	struct libsnap_out *out = &w->out;
	uint8_t bytes[SNAPFMT_TRAILER_SIZE];
	size_t wanted = size < sizeof(bytes) ? (size_t)size : sizeof(bytes), got = 0;
	struct snapfmt_trailer trailer;
	const char *reason;
	uint64_t at = size - wanted;
	int failed = w->io->read_at(w->io->context, out->file, at, bytes, wanted, &got);
	if (failed)
		return libsnap_fail_io(&w->problem, failed, at, "cannot read %s", out->path);
	enum snapfmt_result result = snapfmt_read_end(bytes, got, &trailer, &reason);
	if (result == SNAPFMT_GOOD || result == SNAPFMT_NEWER)
		return SNAP_OK;
	return libsnap_fail(&w->problem, SNAP_CORRUPT, SNAP_NO_OFFSET,
			    "%s does not end with a whole snapshot (%s): nothing was appended",
			    out->path, reason);
}

static enum snap_status open_to_append(struct snap_writer *w)
{
	struct libsnap_out *out = &w->out;
	int failed = w->io->open(w->io->context, out->path, SNAP_IO_APPEND, &out->file);
	if (failed) {
		out->file = NULL;
		return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET, "cannot open %s",
				       out->path);
	}
	failed = w->io->size(w->io->context, out->file, &out->appended_to);
	if (failed == ESPIPE)
		/* a device or pipe: nothing is before, and nothing can be taken back */
		return SNAP_OK;
	if (failed)
		return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET,
				       "cannot tell the size of %s", out->path);
	enum snap_status status = check_end(w, out->appended_to);
	out->appending = status == SNAP_OK;
	return status;
}

enum snap_status libsnap_out_begin(struct snap_writer *w)
{
	return w->out.append ? open_to_append(w) : SNAP_OK;
}

/* Once it is known whether there are blocks: where one is, a batch may be. */
static enum snap_status put_header(struct snap_writer *w, uint32_t required_features)
{
	struct libsnap_out *out = &w->out;
	uint8_t bytes[SNAPFMT_HEADER_SIZE];
	struct sink s = sink_over(bytes, sizeof(bytes));
	snapfmt_hasher_begin(&out->identity);
	if (out->header) {
		add_to_identity(out, out->header_hash);
		return out->small ? SNAP_OK : put(w, out->header, out->header_size);
	}
	struct snapfmt_header header = {.frame_size = SNAPFMT_HEADER_SIZE,
					.major = SNAPFMT_MAJOR,
					.minor = SNAPFMT_MINOR,
					.required_features = required_features};
	snapfmt_write_header(&s, &header);
	add_to_identity(out, header.hash);
	return out->small ? SNAP_OK : put(w, bytes, sizeof(bytes));
}

enum snap_status libsnap_out_block(struct snap_writer *w, struct snapfmt_block *block,
				   uint8_t *payload)
{
	struct libsnap_out *out = &w->out;
	if (out->blocks.count >= SNAPFMT_MAX_BLOCKS)
		return libsnap_fail(&w->problem, SNAP_LIMIT, SNAP_NO_OFFSET, "over %u blocks",
				    SNAPFMT_MAX_BLOCKS);
	enum snap_status status = SNAP_OK;
	if (out->blocks.count == 0)
		status = put_header(w, SNAPFMT_FEATURE_BATCHES);
	if (status != SNAP_OK)
		return status;
	struct snapfmt_block *entry = libsnap_pages_add(&out->blocks);
	if (!entry)
		return libsnap_fail_memory(&w->problem);
	block->sequence = (uint32_t)(out->blocks.count - 1);
	block->small = out->small;
	block->hash = snapfmt_block_hash(block, payload);
	*entry = *block;
	add_to_identity(out, block->hash);
	size_t header_size = snapfmt_block_header_size(block);
	struct sink s = sink_over(payload - header_size, header_size);
	snapfmt_write_block(&s, block);
	return put(w, payload - header_size, header_size + block->stored_size);
}

/* Through w->stored, as much as fits at a time. */
static enum snap_status put_directory(struct snap_writer *w)
{
	struct libsnap_out *out = &w->out;
	struct snapfmt_hasher hasher;
	snapfmt_hasher_begin(&hasher);
	struct sink s = sink_over(w->stored, LIBSNAP_STORED_BOUND);
	snapfmt_write_directory_start(&s, (uint32_t)out->blocks.count);
	for (uint64_t i = 0; i < out->blocks.count; i++) {
		if (sink_left(&s) < SNAPFMT_ENTRY_SIZE + sizeof(uint64_t)) {
			size_t size = (size_t)(s.at - w->stored);
			snapfmt_hasher_add(&hasher, w->stored, size);
			enum snap_status status = put(w, w->stored, size);
			if (status != SNAP_OK)
				return status;
			s = sink_over(w->stored, LIBSNAP_STORED_BOUND);
		}
		snapfmt_write_entry(&s, libsnap_pages_at(&out->blocks, i));
	}
	snapfmt_hasher_add(&hasher, w->stored, (size_t)(s.at - w->stored));
	uint64_t hash = snapfmt_hasher_end(&hasher);
	add_to_identity(out, hash);
	sink_u64(&s, hash);
	return put(w, w->stored, (size_t)(s.at - w->stored));
}

static enum snap_status put_trailer(struct snap_writer *w, uint64_t directory_offset,
				    uint64_t *identity)
{
	struct libsnap_out *out = &w->out;
	uint8_t bytes[SNAPFMT_TRAILER_SIZE];
	struct sink s = sink_over(bytes, sizeof(bytes));
	const size_t size = out->small ? SNAPFMT_SMALL_END_SIZE : SNAPFMT_TRAILER_SIZE;
	bool has_directory = out->offset > directory_offset;
	struct snapfmt_trailer trailer = {
		.flags = w->flags | (has_directory ? 0 : SNAPFMT_NO_DIRECTORY),
		.snapshot_size = out->offset + SNAPFMT_TRAILER_SIZE,
		.directory_offset = directory_offset,
		.block_count = out->blocks.count,
		.sampling_interval = w->sampling_interval,
		.unknown_references = w->unknown_references,
		.small = out->small,
	};
	trailer.identity = snapfmt_identity(&out->identity, &trailer);
	if (out->small)
		snapfmt_write_small_end(&s, (uint32_t)(out->offset + size));
	else
		snapfmt_write_trailer(&s, &trailer);
	*identity = trailer.identity;
	return put(w, bytes, size);
}

/* Whether one batch and nothing else would be a small snapshot. */
bool libsnap_can_be_small(const struct snap_writer *w)
{
	return w->flags == 0 && w->sampling_interval == 0 && w->unknown_references == 0;
}

/* On disk first, then under its name. */
static enum snap_status publish(struct snap_writer *w)
{
	struct libsnap_out *out = &w->out;
	int failed = w->io->sync(w->io->context, out->file);
	if (failed)
		return fail_write(w, failed);
	/* What is synced is kept, whatever close() says. */
	w->io->close(w->io->context, out->file);
	out->file = NULL;
	out->appending = false;
	if (!out->created)
		return SNAP_OK;
	failed = w->io->rename(w->io->context, out->temporary, out->path);
	if (failed)
		return libsnap_fail_io(&w->problem, failed, SNAP_NO_OFFSET, "cannot rename to %s",
				       out->path);
	out->created = false;
	return SNAP_OK;
}

enum snap_status libsnap_out_finish(struct snap_writer *w, uint64_t *identity)
{
	struct libsnap_out *out = &w->out;
	if (out->blocks.count == 0 && w->batch.count > 0)
		out->small = libsnap_can_be_small(w);
	enum snap_status status = libsnap_batch_flush(w);
	if (status == SNAP_OK && out->blocks.count == 0)
		status = put_header(w, 0);
	uint64_t directory_offset = out->offset;
	bool one_batch =
		out->blocks.count == 1 && snapfmt_is_batch(libsnap_pages_at(&out->blocks, 0));
	if (status == SNAP_OK && !one_batch)
		status = put_directory(w);
	if (status == SNAP_OK)
		status = put_trailer(w, directory_offset, identity);
	if (status == SNAP_OK && w->out.file)
		status = publish(w);
	return status;
}

void libsnap_out_free(struct snap_writer *w)
{
	struct libsnap_out *out = &w->out;
	if (out->file && out->appending && w->io->truncate)
		w->io->truncate(w->io->context, out->file, out->appended_to);
	if (out->file)
		w->io->close(w->io->context, out->file);
	if (out->created)
		w->io->remove(w->io->context, out->temporary);
	if (out->temporary)
		libsnap_free(w->allocator, out->temporary, strlen(out->path) + NAME_EXTRA, 1);
	if (out->path)
		libsnap_free(w->allocator, out->path, strlen(out->path) + 1, 1);
	libsnap_pages_free(&out->blocks);
}
