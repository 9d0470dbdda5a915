/* Opening a snapshot from its end, and closing it (FORMAT.md, sections 2, 3 and 5.2). */
#include <string.h>

#include "reader.h"

#define DEFAULT_MEMORY ((uint64_t)256 << 20)
#define LEAST_MEMORY   ((uint64_t)16 << 20)
#define LEAST_WHOLE    (SNAPFMT_HEADER_SIZE + SNAPFMT_DIRECTORY_SIZE(0) + SNAPFMT_TRAILER_SIZE)

/* ---- memory and damage ---- */

enum snap_status libsnap_reader_resize(struct snap_reader *reader, void **pointer, size_t old_count,
				       size_t new_count, size_t element_size,
				       struct snap_error *error)
{
	uint64_t old_size = *pointer ? (uint64_t)old_count * element_size : 0;
	uint64_t new_size;
	if (libsnap_multiply_overflows(new_count, element_size, &new_size))
		return libsnap_fail_memory(error);
	uint64_t growth = new_size - old_size; /* modulo 2^64: it may be negative */
	uint64_t used = __atomic_add_fetch(&reader->used_memory, growth, __ATOMIC_RELAXED);
	if (used > reader->max_memory && new_size > old_size) {
		__atomic_sub_fetch(&reader->used_memory, growth, __ATOMIC_RELAXED);
		return libsnap_fail(error, SNAP_LIMIT, SNAP_NO_OFFSET,
				    "needs more than %llu MiB of memory",
				    (unsigned long long)(reader->max_memory >> 20));
	}
	void *resized = libsnap_resize_array(reader->allocator, *pointer, old_count, new_count,
					     element_size);
	if (!resized) {
		__atomic_sub_fetch(&reader->used_memory, growth, __ATOMIC_RELAXED);
		return libsnap_fail_memory(error);
	}
	*pointer = resized;
	return SNAP_OK;
}

void libsnap_reader_free(struct snap_reader *reader, void *pointer, size_t count,
			 size_t element_size)
{
	if (!pointer)
		return;
	libsnap_free(reader->allocator, pointer, count, element_size);
	__atomic_sub_fetch(&reader->used_memory, (uint64_t)count * element_size, __ATOMIC_RELAXED);
}

enum snap_status libsnap_reader_reserve(struct snap_reader *reader, void **pointer,
					size_t *capacity, size_t count, size_t element_size,
					struct snap_error *error)
{
	if (*pointer && *capacity >= count)
		return SNAP_OK;
	/* What is in it is not needed any more, so it need not be copied. */
	libsnap_reader_free(reader, *pointer, *capacity, element_size);
	*pointer = NULL;
	*capacity = 0;
	enum snap_status status =
		libsnap_reader_resize(reader, pointer, 0, count, element_size, error);
	if (status == SNAP_OK)
		*capacity = count;
	return status;
}

enum snap_status libsnap_result_status(enum snapfmt_result result)
{
	switch (result) {
	case SNAPFMT_GOOD: return SNAP_OK;
	case SNAPFMT_NEWER: return SNAP_UNSUPPORTED;
	case SNAPFMT_NOT_THIS:
	case SNAPFMT_BROKEN: break;
	}
	return SNAP_CORRUPT;
}

bool libsnap_is_lost(const struct libsnap_block *block)
{
	return __atomic_load_n(&block->lost, __ATOMIC_ACQUIRE);
}

void libsnap_note_damage(struct snap_reader *reader, uint64_t lost_blocks,
			 const struct snap_error *error)
{
	pthread_mutex_lock(&reader->lock);
	if (!reader->info.damaged)
		reader->info.damage = *error;
	reader->info.damaged = true;
	reader->info.lost_blocks += lost_blocks;
	pthread_mutex_unlock(&reader->lock);
}

void libsnap_note_lost(struct snap_reader *reader, struct libsnap_block *block,
		       const struct snap_error *error)
{
	if (!__atomic_exchange_n(&block->lost, 1, __ATOMIC_ACQ_REL))
		libsnap_note_damage(reader, 1, error);
}

/* ---- what the file is ---- */

static bool begins(const uint8_t *bytes, size_t size, const char *with, size_t with_size)
{
	return size >= with_size && memcmp(bytes, with, with_size) == 0;
}

static const char *what_else(const uint8_t *bytes, size_t size)
{
	if (size == 0)
		return ": the file is empty";
	if (begins(bytes, size, "\x1f\x8b", 2))
		return ": it is compressed with gzip (zcat gives what is inside; "
		       "a Java heap dump is read as it is: see snap-import hprof)";
	if (begins(bytes, size, "\x28\xb5\x2f\xfd", 4))
		return ": it is compressed with zstd once more (zstdcat gives what is inside), "
		       "or is another zstd file";
	if (begins(bytes, size,
		   "\xfd"
		   "7zXZ",
		   5))
		return ": it is compressed with xz (xzcat gives what is inside)";
	if (begins(bytes, size, "{\"snapshot\"", 11))
		return ": it looks like a V8 heap snapshot (see snap-import v8)";
	if (begins(bytes, size, "\x80", 1) && size > 1 && bytes[1] <= 5)
		return ": it looks like a Python pickle (see snap-import tracemalloc)";
	if (begins(bytes, size, "JAVA PROFILE", 12))
		return ": it looks like a Java heap dump (see snap-import hprof)";
	if (begins(bytes, size, "{", 1) || begins(bytes, size, "[", 1))
		return ": it looks like JSON";
	return "";
}

/* ---- members ---- */

static enum snap_status check_trailer(const struct snapfmt_trailer *trailer, uint64_t at,
				      struct snap_error *error)
{
	const char *wrong = NULL;
	const bool has_directory = !(trailer->flags & SNAPFMT_NO_DIRECTORY);
	const uint64_t directory_size =
		has_directory ? SNAPFMT_DIRECTORY_SIZE(trailer->block_count) : 0;
	if (trailer->block_count > SNAPFMT_MAX_BLOCKS ||
	    (!has_directory && trailer->block_count != 1))
		wrong = "an impossible number of blocks";
	else if (trailer->snapshot_size < LEAST_WHOLE ||
		 trailer->snapshot_size - SNAPFMT_TRAILER_SIZE > at)
		wrong = "an impossible size";
	else if (trailer->directory_offset < SNAPFMT_HEADER_SIZE ||
		 trailer->directory_offset > trailer->snapshot_size ||
		 trailer->snapshot_size - trailer->directory_offset !=
			 directory_size + SNAPFMT_TRAILER_SIZE)
		wrong = "an impossible directory offset";
	else if (trailer->sampling_interval && !(trailer->flags & SNAP_SNAPSHOT_SAMPLED))
		wrong = "a sampling interval, but is not sampled";
	if (wrong)
		return libsnap_fail(error, SNAP_CORRUPT, at, "the trailer has %s", wrong);
	return SNAP_OK;
}

/* The member that ends at end. */
static enum snap_status read_trailer(struct snap_reader *reader, uint64_t end,
				     struct libsnap_member *out, struct snap_error *error)
{
	const uint64_t size = end < SNAPFMT_TRAILER_SIZE ? end : SNAPFMT_TRAILER_SIZE;
	if (size < SNAPFMT_SMALL_END_SIZE)
		return libsnap_fail(error, SNAP_CORRUPT, end, "the snapshot was cut short");
	uint64_t at = end - size;
	uint8_t bytes[SNAPFMT_TRAILER_SIZE];
	enum snap_status status =
		libsnap_source_read(&reader->source, at, bytes, (size_t)size, error);
	if (status != SNAP_OK)
		return status;
	const char *reason;
	struct snapfmt_trailer trailer;
	enum snapfmt_result result = snapfmt_read_end(bytes, (size_t)size, &trailer, &reason);
	if (result == SNAPFMT_NOT_THIS)
		return libsnap_fail(
			error, SNAP_CORRUPT, at,
			"no trailer: the snapshot was cut short, or something was added");
	if (result != SNAPFMT_GOOD)
		return libsnap_fail(error, libsnap_result_status(result), at, "%s", reason);
	if (trailer.small && trailer.snapshot_size > end)
		return libsnap_fail(error, SNAP_CORRUPT, end, "the snapshot was cut short");
	status = trailer.small ? SNAP_OK : check_trailer(&trailer, at, error);
	if (status != SNAP_OK)
		return status;
	out->start = end - trailer.snapshot_size;
	out->size = trailer.snapshot_size;
	out->trailer = trailer;
	return SNAP_OK;
}

static enum snap_status check_is_snapshot(struct snap_reader *reader, struct snap_error *error)
{
	uint8_t bytes[16];
	size_t size =
		reader->source.size < sizeof bytes ? (size_t)reader->source.size : sizeof bytes;
	enum snap_status status = libsnap_source_read(&reader->source, 0, bytes, size, error);
	if (status != SNAP_OK)
		return status;
	if (size && size < sizeof bytes &&
	    memcmp(bytes, "\x53\x2a\x4d\x18", size < 4 ? size : 4) == 0)
		return libsnap_fail(error, SNAP_CORRUPT, size, "the snapshot was cut short");
	if (begins(bytes, size, "\x53\x2a\x4d\x18", 4) && memcmp(bytes + 8, "SNAPHEAP", 8) == 0)
		return SNAP_OK;
	struct libsnap_member last;
	if (read_trailer(reader, reader->source.size, &last, NULL) == SNAP_OK)
		return libsnap_fail(error, SNAP_CORRUPT, 0,
				    "the first header is damaged or not there");
	return libsnap_fail(error, SNAP_CORRUPT, 0, "not a snapshot%s", what_else(bytes, size));
}

/* Walks the trailers down to offset 0 and counts; with wanted not 0, stops at the one that is
 * wanted'th from the end. */
static enum snap_status walk_members(struct snap_reader *reader, uint64_t wanted, uint64_t *count,
				     struct libsnap_member *member, struct snap_error *error)
{
	uint64_t seen = 0;
	for (uint64_t end = reader->source.size; end > 0 && (seen < wanted || wanted == 0);
	     seen++) {
		enum snap_status status = read_trailer(reader, end, member, error);
		if (status != SNAP_OK)
			return status;
		end = member->start;
	}
	*count = seen;
	return SNAP_OK;
}

/* The member's number from 1, or 0 if there is none of that number. */
uint64_t libsnap_member_number(int64_t wanted, uint64_t count)
{
	if (wanted > 0)
		return (uint64_t)wanted <= count ? (uint64_t)wanted : 0;
	uint64_t from_end = wanted == SNAP_LAST_MEMBER ? 1 : (uint64_t)0 - (uint64_t)wanted;
	return from_end <= count ? count + 1 - from_end : 0;
}

static enum snap_status find_member(struct snap_reader *reader, int64_t wanted,
				    struct libsnap_member *member, struct snap_error *error)
{
	uint64_t count;
	enum snap_status status = walk_members(reader, 0, &count, member, error);
	if (status != SNAP_OK)
		return status;
	uint64_t number = libsnap_member_number(wanted, count);
	if (number == 0)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "no snapshot %lld: the file has %llu", (long long)wanted,
				    (unsigned long long)count);
	reader->info.member = number;
	reader->info.member_count = count;
	return walk_members(reader, count + 1 - number, &count, member, error);
}

static enum snap_status read_header(struct snap_reader *reader, struct libsnap_member *member,
				    struct snap_error *error)
{
	uint8_t bytes[SNAPFMT_HEADER_MAX_SIZE];
	size_t size = member->size < sizeof bytes ? (size_t)member->size : sizeof bytes;
	enum snap_status status =
		libsnap_source_read(&reader->source, member->start, bytes, size, error);
	if (status != SNAP_OK)
		return status;
	struct cursor c = cursor_over(bytes, size);
	const char *reason;
	enum snapfmt_result result = snapfmt_read_header(&c, &member->header, &reason);
	if (result != SNAPFMT_GOOD)
		return libsnap_fail(error, libsnap_result_status(result), member->start, "%s",
				    reason);
	if (member->header.small != member->trailer.small)
		return libsnap_fail(error, SNAP_CORRUPT, member->start,
				    "header and end are not of one snapshot");
	return SNAP_OK;
}

static enum snap_status open_batches(struct snap_reader *reader,
				     const struct libsnap_member *member, struct snap_error *error)
{
	uint64_t lost;
	enum snap_status status = libsnap_open_batches(reader, false, &lost, error);
	if (status == SNAP_OK && reader->batch_count &&
	    !(member->header.required_features & SNAPFMT_FEATURE_BATCHES))
		return libsnap_fail(error, SNAP_CORRUPT, member->start,
				    "the header does not say that there are batches");
	return status;
}

static enum snap_status open_member(struct snap_reader *reader, int64_t wanted,
				    struct snap_error *error)
{
	struct libsnap_member member = {0};
	enum snap_status status = check_is_snapshot(reader, error);
	if (status == SNAP_OK)
		status = find_member(reader, wanted, &member, error);
	if (status == SNAP_OK)
		status = read_header(reader, &member, error);
	if (status == SNAP_OK)
		status = libsnap_load_directory(reader, &member, error);
	if (status != SNAP_OK)
		return status;
	reader->info.offset = member.start;
	reader->info.size = member.size;
	reader->info.identity = member.trailer.identity;
	reader->info.flags = member.trailer.flags & ~SNAPFMT_NO_DIRECTORY;
	reader->info.major_version = member.header.major;
	reader->info.minor_version = member.header.minor;
	reader->info.sampling_interval_bytes = member.trailer.sampling_interval;
	reader->info.unknown_references = member.trailer.unknown_references;
	status = open_batches(reader, &member, error);
	return status == SNAP_OK ? libsnap_index_blocks(reader, false, error) : status;
}

/* ---- opening ---- */

static enum snap_status new_reader(struct snap_reader **out,
				   const struct snap_reader_options *given,
				   struct snap_reader_options *options, struct snap_error *error)
{
	*options = (struct snap_reader_options)SNAP_READER_OPTIONS_INIT;
	enum snap_status status = libsnap_copy_options(options, sizeof *options, given, error);
	if (status != SNAP_OK)
		return status;
	struct snap_reader *reader = libsnap_alloc_zeroed(options->allocator, 1, sizeof *reader);
	if (!reader)
		return libsnap_fail_memory(error);
	if (options->allocator) {
		reader->own_allocator = *options->allocator;
		reader->allocator = &reader->own_allocator;
	}
	reader->io = options->io ? *options->io : *libsnap_system_io();
	reader->partial = options->partial;
	reader->max_memory = options->max_memory_bytes ? options->max_memory_bytes : DEFAULT_MEMORY;
	if (reader->max_memory < LEAST_MEMORY)
		reader->max_memory = LEAST_MEMORY;
	if (pthread_mutex_init(&reader->lock, NULL) != 0) {
		libsnap_free(options->allocator, reader, 1, sizeof *reader);
		return libsnap_fail_memory(error);
	}
	*out = reader;
	return SNAP_OK;
}

static enum snap_status open_wanted(struct snap_reader *reader, int64_t wanted,
				    struct snap_error *error)
{
	struct snap_error damage;
	enum snap_status status = open_member(reader, wanted, &damage);
	if (status == SNAP_CORRUPT && reader->partial)
		status = libsnap_salvage(reader, wanted, &damage, &damage);
	if (status != SNAP_OK && error)
		*error = damage;
	reader->info.block_count = reader->block_count;
	return status;
}

/* The reader has its source, unless status says otherwise; out is set, or the reader is closed. */
static enum snap_status finish_open(struct snap_reader **out, struct snap_reader *reader,
				    int64_t wanted, enum snap_status status,
				    struct snap_error *error)
{
	if (status == SNAP_OK)
		status = open_wanted(reader, wanted, error);
	if (status == SNAP_OK)
		*out = reader;
	else
		snap_reader_close(reader);
	return status;
}

enum snap_status snap_reader_open(struct snap_reader **out, const char *path,
				  const struct snap_reader_options *given, struct snap_error *error)
{
	struct snap_reader_options options;
	struct snap_reader *reader = NULL;
	enum snap_status status = new_reader(&reader, given, &options, error);
	if (!reader)
		return status;
	status = libsnap_source_open_path(&reader->source, path, &reader->io,
					  options.temporary_folder, reader->allocator, error);
	return finish_open(out, reader, options.member, status, error);
}

enum snap_status snap_reader_open_descriptor(struct snap_reader **out, int descriptor,
					     const struct snap_reader_options *given,
					     struct snap_error *error)
{
	struct snap_reader_options options;
	struct snap_reader *reader = NULL;
	enum snap_status status = new_reader(&reader, given, &options, error);
	if (!reader)
		return status;
	status = libsnap_source_open_descriptor(&reader->source, descriptor, &reader->io,
						options.temporary_folder, reader->allocator, error);
	return finish_open(out, reader, options.member, status, error);
}

enum snap_status snap_reader_open_memory(struct snap_reader **out, const void *bytes, size_t size,
					 const struct snap_reader_options *given,
					 struct snap_error *error)
{
	struct snap_reader_options options;
	struct snap_reader *reader = NULL;
	enum snap_status status = new_reader(&reader, given, &options, error);
	if (!reader)
		return status;
	reader->source.memory = bytes ? bytes : (const void *)"";
	reader->source.size = bytes ? size : 0;
	return finish_open(out, reader, options.member, SNAP_OK, error);
}

enum snap_status snap_reader_open_source(struct snap_reader **out, const struct snap_source *source,
					 const struct snap_reader_options *given,
					 struct snap_error *error)
{
	if (!source || !source->read_at)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "the source has no read_at");
	struct snap_reader_options options;
	struct snap_reader *reader = NULL;
	enum snap_status status = new_reader(&reader, given, &options, error);
	if (!reader)
		return status;
	reader->source.caller = *source;
	reader->source.size = source->size;
	return finish_open(out, reader, options.member, SNAP_OK, error);
}

void snap_reader_close(struct snap_reader *reader)
{
	if (!reader)
		return;
	snap_column_close(reader->strings);
	snap_column_close(reader->property_keys);
	snap_column_close(reader->property_values);
	libsnap_source_close(&reader->source);
	libsnap_forget_blocks(reader);
	pthread_mutex_destroy(&reader->lock);
	struct snap_allocator own = reader->own_allocator;
	libsnap_free(own.resize ? &own : NULL, reader, 1, sizeof *reader);
}
