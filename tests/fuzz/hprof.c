/* Fuzz target: any bytes as an HPROF dump, plain or gzip, end in a snapshot or a reason.  Bits of
 * the last byte of the header's time, which matters to nobody: --partial, --contents, a key given.
 */
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

/* What is wrong with the input is found by the writer, too, but only this. */
static bool is_twice(const struct snap_error *error)
{
	return strncmp(error->message, "two objects", 11) == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static int descriptor = -1;
	if (descriptor < 0)
		descriptor = memfd_create("hprof", MFD_CLOEXEC);
	if (descriptor < 0 || ftruncate(descriptor, 0) != 0 ||
	    pwrite(descriptor, bytes, size, 0) != (ssize_t)size)
		abort();
	uint8_t choice = size > 30 ? bytes[30] : 0;
	struct import_input input = {
		.name = "fuzz", .descriptor = descriptor, .seekable = true, .size = size};
	struct import_options options = {.partial = (choice & 1) != 0,
					 .contents = (choice & 2) != 0,
					 .has_hash_key = (choice & 4) != 0};
	struct import_context context = {
		.input = &input,
		.options = &options,
		.writer_options = SNAP_WRITER_OPTIONS_INIT,
		.output_descriptor = -1,
	};
	context.writer_options.max_memory_bytes = 64 << 20;
	struct snap_error error = {.offset = SNAP_NO_OFFSET};
	enum snap_status status = import_hprof(&context, &error);
	bool finishes = status == SNAP_OK;
	if (finishes)
		status = snap_writer_finish(context.writer, NULL, &error);
	else
		snap_writer_abort(context.writer);
	import_input_close(&input);
	if (status == SNAP_MISUSE && !(finishes && is_twice(&error)))
		abort();
	if (status != SNAP_OK && (error.status != status || error.message[0] == '\0'))
		abort();
	return 0;
}
