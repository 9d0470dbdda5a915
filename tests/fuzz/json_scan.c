/* Fuzz target: any bytes as JSON, and as a heap snapshot of V8, end in a value or
 * a reason whose place lies within them.  The first byte chooses the options. */
#include "json_scan.h"
#include "import_once.h"

static void scan_any(struct import_input *input)
{
	struct import_reader reader;
	struct json_scan scan;
	struct snap_error error;
	require(import_reader_begin(&reader, input, 0, &error) == SNAP_OK);
	json_scan_begin(&scan, &reader, 1000);
	json_scan_skip(&scan);
	json_scan_finish(&scan);
	require(!scan.failed ||
		(scan.error.offset <= input->size && scan.error.message[0] != '\0'));
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
			require(json_scan_element(&scans[1]) &&
				json_scan_unsigned(&scans[1]) == values[i]);
	}
	if (!scans[0].failed)
		require(!json_scan_element(&scans[1]) && !scans[1].failed);
	for (int i = 0; i < 2; i++) {
		json_scan_end(&scans[i]);
		import_reader_end(&readers[i]);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size == 0)
		return 0;
	struct import_input input = import_file(bytes + 1, size - 1);
	scan_any(&input);
	scan_integers(&input);
	import_once(import_v8, &input, bytes[0]);
	return 0;
}
