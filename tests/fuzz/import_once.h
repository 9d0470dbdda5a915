/* What fuzz targets of foreign formats share: any bytes are imported into a snapshot
 * that nobody keeps, or refused with a reason.  For one target a program. */
#ifndef IMPORT_ONCE_H
#define IMPORT_ONCE_H

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "import.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static inline void require(bool condition)
{
	if (!condition)
		abort();
}

static int drop(void *context, const void *bytes, size_t size)
{
	(void)context;
	(void)bytes;
	(void)size;
	return 0;
}

enum snap_status import_begin(struct import_context *context, uint32_t flags,
			      struct snap_error *error)
{
	struct snap_sink sink = {NULL, drop};
	context->writer_options.flags =
		flags | (context->options->contents ? SNAP_SNAPSHOT_CONTENTS : 0);
	return snap_writer_open_sink(&context->writer, &sink, &context->writer_options, error);
}

/* The bytes as a file, which lives until the next call. */
static inline struct import_input import_file(const uint8_t *bytes, size_t size)
{
	static int descriptor = -1;
	if (descriptor < 0)
		descriptor = memfd_create("fuzz", MFD_CLOEXEC);
	require(descriptor >= 0 && ftruncate(descriptor, 0) == 0);
	require(pwrite(descriptor, bytes, size, 0) == (ssize_t)size);
	return (struct import_input){
		.name = "fuzz", .descriptor = descriptor, .seekable = true, .size = size};
}

/* Bits of choice: --partial, --contents, a key given.  Of what is
 * wrong with the input the writer finds only ids that come twice. */
static inline void import_once(enum snap_status (*import)(struct import_context *,
							  struct snap_error *),
			       struct import_input *input, uint8_t choice)
{
	struct import_options options = {
		.partial = choice & 1, .contents = choice & 2, .has_hash_key = choice & 4};
	struct import_context context = {
		.input = input,
		.options = &options,
		.writer_options = SNAP_WRITER_OPTIONS_INIT,
		.output_descriptor = -1,
	};
	context.writer_options.max_memory_bytes = 64 << 20;
	struct snap_error error = {.offset = SNAP_NO_OFFSET};
	enum snap_status status = import(&context, &error);
	if (status != SNAP_OK) {
		require(status != SNAP_MISUSE && status != SNAP_END);
		snap_writer_abort(context.writer);
	} else {
		status = snap_writer_finish(context.writer, NULL, &error);
		require(status != SNAP_MISUSE || strncmp(error.message, "two objects", 11) == 0);
	}
	require(status == SNAP_OK || (error.status == status && error.message[0] != '\0'));
}

#endif
