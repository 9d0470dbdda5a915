/* Fuzz target: any bytes as JSON, and as a heap snapshot of V8, end in a value or a reason whose place lies within them.
 * Bits of the first byte: --partial, --contents, a key given. */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "import.h"
#include "json_scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static int drop(void *context, const void *bytes, size_t size)
{
	(void)context;
	(void)bytes;
	(void)size;
	return 0;
}

enum snap_status import_begin(struct import_context *context, uint32_t flags, struct snap_error *error)
{
	struct snap_sink sink = {NULL, drop};
	context->writer_options.flags = flags | (context->options->contents ? SNAP_SNAPSHOT_CONTENTS : 0);
	return snap_writer_open_sink(&context->writer, &sink, &context->writer_options, error);
}

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void scan_any(struct import_input *input)
{
	struct import_reader reader;
	struct json_scan scan;
	struct snap_error error;
	require(import_reader_begin(&reader, input, 0, &error) == SNAP_OK);
	json_scan_begin(&scan, &reader, 1000);
	json_scan_skip(&scan);
	json_scan_finish(&scan);
	require(!scan.failed || (scan.error.offset <= input->size && scan.error.message[0] != '\0'));
	json_scan_end(&scan);
	import_reader_end(&reader);
}

/* The fast way of reading integers says what the plain one says. */
static void scan_integers(struct import_input *input)
{
	struct import_reader readers[2];
	struct json_scan scans[2];
	struct snap_error error;
	for (int i = 0; i < 2; i++) {
		require(import_reader_begin(&readers[i], input, 0, &error) == SNAP_OK);
		json_scan_begin(&scans[i], &readers[i], 0);
		json_scan_enter(&scans[i], JSON_ARRAY);
	}
	for (bool ended = false; !ended;) {
		uint64_t values[64];
		size_t count = json_scan_integers(&scans[0], values, 64, &ended);
		for (size_t i = 0; i < count; i++)
			require(json_scan_element(&scans[1]) && json_scan_unsigned(&scans[1]) == values[i]);
	}
	if (!scans[0].failed)
		require(!json_scan_element(&scans[1]) && !scans[1].failed);
	for (int i = 0; i < 2; i++) {
		json_scan_end(&scans[i]);
		import_reader_end(&readers[i]);
	}
}

static void import(struct import_input *input, uint8_t choice)
{
	struct import_options options = {
		.partial = choice & 1,
		.contents = choice & 2,
		.has_hash_key = choice & 4,
	};
	struct import_context context = {
		.input = input,
		.options = &options,
		.writer_options = SNAP_WRITER_OPTIONS_INIT,
		.output_descriptor = -1,
	};
	context.writer_options.max_memory_bytes = 64 << 20;
	struct snap_error error = {.offset = SNAP_NO_OFFSET};
	enum snap_status status = import_v8(&context, &error);
	if (status != SNAP_OK) {
		require(status != SNAP_MISUSE && status != SNAP_END);
		require(error.offset == SNAP_NO_OFFSET || error.offset <= input->size);
		snap_writer_abort(context.writer);
	} else {
		status = snap_writer_finish(context.writer, NULL, &error); /* SNAP_MISUSE: an id twice */
	}
	require(status == SNAP_OK || (error.status == status && error.message[0] != '\0'));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static int descriptor = -1;
	if (size == 0)
		return 0;
	if (descriptor < 0)
		descriptor = memfd_create("json", MFD_CLOEXEC);
	require(descriptor >= 0 && ftruncate(descriptor, 0) == 0);
	require(pwrite(descriptor, bytes + 1, size - 1, 0) == (ssize_t)(size - 1));
	struct import_input input = {.name = "fuzz", .descriptor = descriptor, .seekable = true, .size = size - 1};
	scan_any(&input);
	scan_integers(&input);
	import(&input, bytes[0]);
	return 0;
}
