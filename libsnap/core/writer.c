/* A writer's life: open, finish or abort.  What happens in between is in the other writer files. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "writer.h"

#define MEMORY_MIN    (16u << 20)
#define FEW_OBJECTS   4096u
#define LEVEL_DEFAULT 3
#define HELPED_ROWS   65536u
#define KNOWN_FLAGS   (SNAP_SNAPSHOT_PARTIAL | SNAP_SNAPSHOT_SAMPLED | SNAP_SNAPSHOT_CONTENTS)

enum snap_status libsnap_misuse(struct snap_writer *w, const char *format, ...)
{
	char words[200];
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(words, sizeof(words), format, arguments);
	va_end(arguments);
	return libsnap_fail(&w->problem, SNAP_MISUSE, SNAP_NO_OFFSET, "%s", words);
}

enum snap_status libsnap_writer_end_call(struct snap_writer *w, enum snap_status status,
					 struct snap_error *error)
{
	if (status == SNAP_OK)
		return SNAP_OK;
	if (w->failure.status != SNAP_OK) {
		if (error)
			*error = w->failure;
		return w->failure.status;
	}
	if (status != SNAP_MISUSE)
		w->failure = w->problem;
	if (error)
		*error = w->problem;
	return status;
}

static void free_writer(struct snap_writer *w)
{
	const struct snap_allocator *allocator = w->allocator;
	libsnap_blocks_free(w);
	libsnap_order_free(w);
	libsnap_map_free(w);
	libsnap_numbers_free(w);
	libsnap_out_free(w);
	libsnap_encoder_free(&w->encoder, allocator);
	libsnap_free(allocator, w->stored, SNAPFMT_BLOCK_HEADER_SIZE + LIBSNAP_STORED_BOUND, 1);
	libsnap_free(allocator, w->recent, LIBSNAP_RECENT, sizeof(*w->recent));
	libsnap_lanes_free(w, &w->lanes);
	libsnap_lanes_free(w, &w->nameless);
	libsnap_sorter_free(&w->named);
	libsnap_sorter_free(&w->anonymous);
	libsnap_sorter_free(&w->loose);
	libsnap_pages_free(&w->roots);
	libsnap_pages_free(&w->timeline);
	libsnap_pages_free(&w->mappings);
	libsnap_pages_free(&w->layouts);
	libsnap_pages_free(&w->layout_slots);
	libsnap_free(allocator, w->group.references, w->group.capacity,
		     sizeof(*w->group.references));
	libsnap_free(allocator, w->record.bytes, w->record.capacity, 1);
	libsnap_batch_free(w);
	libsnap_shapes_free(&w->shapes, allocator);
	libsnap_totals_free(&w->totals);
	libsnap_direct_free(w);
	libsnap_heap_free(w);
	libsnap_names_free(&w->names);
	if (w->folder)
		libsnap_free(allocator, w->folder, strlen(w->folder) + 1, 1);
	libsnap_free(allocator, w, 1, sizeof(*w));
}

static void init_writer(struct snap_writer *w, const struct snap_writer_options *options)
{
	const struct snap_allocator *allocator = options->allocator;
	w->allocator = allocator;
	w->io = options->io ? options->io : libsnap_system_io();
	w->level = options->level ? options->level : LEVEL_DEFAULT;
	w->totals_only = options->totals_only;
	w->number_contents = options->number_contents;
	w->is_direct = options->direct && !options->totals_only;
	w->threads = options->threads;
	w->few_objects = FEW_OBJECTS;
	w->helped_rows = HELPED_ROWS;
	w->flags = options->flags | (options->totals_only ? SNAP_SNAPSHOT_TOTALS_ONLY : 0);
	w->sampling_interval = options->sampling_interval_bytes;
	w->max_memory_bytes = options->max_memory_bytes;
	if (w->max_memory_bytes > 0 && w->max_memory_bytes < MEMORY_MIN)
		w->max_memory_bytes = MEMORY_MIN;
	libsnap_names_init(&w->names, allocator);
	libsnap_totals_init(&w->totals, allocator);
	libsnap_shapes_init(&w->shapes, allocator);
	libsnap_sorter_init(&w->named, allocator, w->io, w->folder, LIBSNAP_TIES_IN_ORDER);
	libsnap_sorter_init(&w->anonymous, allocator, w->io, w->folder, LIBSNAP_TIES_BY_SIZE);
	libsnap_sorter_init(&w->loose, allocator, w->io, w->folder, LIBSNAP_TIES_IN_ORDER);
	libsnap_sorter_init(&w->order.sorter, allocator, w->io, w->folder, LIBSNAP_TIES_IN_ORDER);
	libsnap_lanes_init(&w->lanes, allocator);
	libsnap_lanes_init(&w->nameless, allocator);
	libsnap_pages_init(&w->map.first, allocator, sizeof(uint64_t));
	libsnap_direct_init(w);
	w->lowest_id = UINT64_MAX;
	libsnap_pages_init(&w->roots, allocator, sizeof(struct libsnap_root));
	libsnap_pages_init(&w->timeline, allocator, sizeof(struct libsnap_moment));
	libsnap_pages_init(&w->mappings, allocator, sizeof(struct snap_mapping));
	libsnap_pages_init(&w->layouts, allocator, sizeof(struct libsnap_make));
	libsnap_pages_init(&w->layout_slots, allocator, sizeof(struct libsnap_reference));
	libsnap_pages_init(&w->out.blocks, allocator, sizeof(struct snapfmt_block));
}

static enum snap_status check_options(const struct snap_writer_options *options,
				      struct snap_error *error)
{
	if (options->level < 0 || options->level > 19)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "level %d is not between 1 and 19", options->level);
	if (options->flags & ~KNOWN_FLAGS)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET, "flags 0x%x are not known",
				    (unsigned)(options->flags & ~KNOWN_FLAGS));
	if (!(options->flags & SNAP_SNAPSHOT_SAMPLED) != !options->sampling_interval_bytes)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "a sampled snapshot has an interval, and only such a one");
	return SNAP_OK;
}

static enum snap_status new_writer(struct snap_writer **out,
				   const struct snap_writer_options *given,
				   struct snap_writer_options *options, struct snap_error *error)
{
	*options = (struct snap_writer_options)SNAP_WRITER_OPTIONS_INIT;
	enum snap_status status = libsnap_copy_options(options, sizeof(*options), given, error);
	if (status == SNAP_OK)
		status = check_options(options, error);
	if (status != SNAP_OK)
		return status;
	const char *folder = libsnap_temporary_folder(options->temporary_folder);
	size_t folder_size = strlen(folder) + 1;
	struct snap_writer *w = libsnap_alloc_zeroed(options->allocator, 1, sizeof(*w));
	if (!w)
		return libsnap_fail_memory(error);
	w->folder = libsnap_alloc(options->allocator, folder_size, 1);
	if (w->folder)
		memcpy(w->folder, folder, folder_size);
	init_writer(w, options);
	if (!w->folder) {
		free_writer(w);
		return libsnap_fail_memory(error);
	}
	*out = w;
	return SNAP_OK;
}

enum snap_status snap_writer_open(struct snap_writer **out, const char *path,
				  const struct snap_writer_options *given, struct snap_error *error)
{
	struct snap_writer_options options;
	struct snap_writer *w;
	if (!path || !*path)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "a snapshot without a path");
	enum snap_status status = new_writer(&w, given, &options, error);
	if (status != SNAP_OK)
		return status;
	status = libsnap_out_open(w, path, options.append);
	if (status != SNAP_OK) {
		status = libsnap_writer_end_call(w, status, error);
		free_writer(w);
		return status;
	}
	*out = w;
	return SNAP_OK;
}

enum snap_status snap_writer_open_sink(struct snap_writer **out, const struct snap_sink *sink,
				       const struct snap_writer_options *given,
				       struct snap_error *error)
{
	struct snap_writer_options options;
	struct snap_writer *w;
	if (!sink || !sink->write)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "a sink that cannot be written to");
	enum snap_status status = new_writer(&w, given, &options, error);
	if (status != SNAP_OK)
		return status;
	w->out.sink = *sink;
	*out = w;
	return SNAP_OK;
}

static int write_descriptor(void *context, const void *bytes, size_t size)
{
	int descriptor = (int)(intptr_t)context;
	const char *at = bytes;
	while (size > 0) {
		ssize_t written = write(descriptor, at, size);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return written < 0 ? errno : EIO;
		at += written;
		size -= (size_t)written;
	}
	return 0;
}

enum snap_status snap_writer_open_descriptor(struct snap_writer **out, int descriptor,
					     const struct snap_writer_options *options,
					     struct snap_error *error)
{
	const struct snap_sink sink = {(void *)(intptr_t)descriptor, write_descriptor};
	return snap_writer_open_sink(out, &sink, options, error);
}

static enum snap_status make_buffers(struct snap_writer *w)
{
	w->stored =
		libsnap_alloc(w->allocator, SNAPFMT_BLOCK_HEADER_SIZE + LIBSNAP_STORED_BOUND, 1);
	if (!w->stored)
		return libsnap_fail_memory(&w->problem);
	return libsnap_encoder_new(&w->encoder, w->allocator, w->level, &w->problem);
}

enum snap_status libsnap_writer_begin_output(struct snap_writer *w)
{
	if (w->stored)
		return SNAP_OK;
	enum snap_status status = make_buffers(w);
	return status == SNAP_OK ? libsnap_out_begin(w) : status;
}

static enum snap_status settle_rows(struct snap_writer *w)
{
	if (w->totals_only)
		return SNAP_OK;
	if (w->heap.given)
		return libsnap_heap_settle(w);
	return w->is_direct ? libsnap_shapes_settle(w) : libsnap_order_begin(w);
}

static enum snap_status write_rows(struct snap_writer *w)
{
	if (w->totals_only)
		return SNAP_OK;
	if (w->heap.given)
		return libsnap_heap_write(w);
	return w->is_direct ? libsnap_direct_end(w) : libsnap_write_rows(w);
}

static enum snap_status finish(struct snap_writer *w, uint64_t *identity)
{
	enum snap_status status = libsnap_log_flush(w);
	if (status == SNAP_OK)
		status = libsnap_log_recent(w);
	if (status == SNAP_OK)
		status = settle_rows(w);
	if (status == SNAP_OK)
		status = libsnap_totals_check(w);
	if (status == SNAP_OK)
		status = libsnap_numbers_settle(w);
	if (status == SNAP_OK)
		status = libsnap_writer_begin_output(w);
	if (status == SNAP_OK)
		status = libsnap_blocks_begin(w);
	if (status == SNAP_OK)
		status = libsnap_write_tables(w);
	/* Roots are few, and what is cut off is the end. */
	if (status == SNAP_OK && !w->totals_only)
		status = libsnap_write_roots(w);
	if (status == SNAP_OK)
		status = write_rows(w);
	if (status == SNAP_OK)
		status = libsnap_blocks_flush(w);
	return status == SNAP_OK ? libsnap_out_finish(w, identity) : status;
}

enum snap_status snap_writer_unknown_references(struct snap_writer *w, uint64_t count,
						struct snap_error *error)
{
	if (libsnap_writer_failed(w))
		return libsnap_writer_end_call(w, w->failure.status, error);
	if (count > UINT64_MAX / 2 - w->unknown_references)
		return libsnap_writer_end_call(w, libsnap_misuse(w, "too many unknown references"),
					       error);
	w->unknown_references += count;
	return SNAP_OK;
}

static enum snap_status end_writer(struct snap_writer *w, enum snap_status status,
				   uint64_t identity, struct snap_writer_summary *out,
				   struct snap_error *error)
{
	status = libsnap_writer_end_call(w, status, error);
	if (status == SNAP_OK && out)
		*out = (struct snap_writer_summary){
			.object_rows = w->order.row_count,
			.references = w->written_references,
			.unknown_references = w->unknown_references,
			.unknown_roots = w->unknown_roots,
			.bytes_written = w->out.offset,
			.identity = identity,
		};
	free_writer(w);
	return status;
}

enum snap_status snap_writer_finish(struct snap_writer *w, struct snap_writer_summary *out,
				    struct snap_error *error)
{
	if (!w)
		return SNAP_OK;
	uint64_t identity = 0;
	enum snap_status status =
		libsnap_writer_failed(w) ? w->failure.status : finish(w, &identity);
	return end_writer(w, status, identity, out, error);
}

enum snap_status libsnap_writer_finish_copy(struct snap_writer *w, libsnap_write_copy *write,
					    void *context, struct snap_writer_summary *out,
					    struct snap_error *error)
{
	uint64_t identity = 0;
	enum snap_status status = libsnap_writer_failed(w) ? w->failure.status : make_buffers(w);
	if (status == SNAP_OK)
		status = write(w, context);
	if (status == SNAP_OK)
		status = libsnap_out_finish(w, &identity);
	return end_writer(w, status, identity, out, error);
}

void snap_writer_abort(struct snap_writer *w)
{
	if (w)
		free_writer(w);
}
