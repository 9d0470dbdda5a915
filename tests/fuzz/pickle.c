/* Fuzz target: any bytes as a tracemalloc pickle end in a snapshot or a reason.  The first byte
 * chooses --partial. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "import.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

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
	context->writer_options.flags = flags;
	return snap_writer_open_sink(&context->writer, &sink, &context->writer_options, error);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static int descriptor = -1;
	if (size == 0)
		return 0;
	if (descriptor < 0)
		descriptor = memfd_create("pickle", MFD_CLOEXEC);
	if (descriptor < 0 || ftruncate(descriptor, 0) != 0 ||
	    pwrite(descriptor, bytes + 1, size - 1, 0) != (ssize_t)(size - 1))
		abort();
	struct import_input input = {
		.name = "fuzz", .descriptor = descriptor, .seekable = true, .size = size - 1};
	struct import_options options = {.partial = bytes[0] & 1};
	struct import_context context = {
		.input = &input,
		.options = &options,
		.writer_options = SNAP_WRITER_OPTIONS_INIT,
		.output_descriptor = -1,
	};
	context.writer_options.max_memory_bytes = 64 << 20;
	struct snap_error error = {.offset = SNAP_NO_OFFSET};
	enum snap_status status = import_tracemalloc(&context, &error);
	if (status != SNAP_OK)
		snap_writer_abort(context.writer);
	else
		status = snap_writer_finish(context.writer, NULL, &error);
	if (status != SNAP_OK &&
	    (error.status != status || error.message[0] == '\0' || status == SNAP_MISUSE))
		abort();
	return 0;
}
