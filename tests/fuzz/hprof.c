/* Fuzz target: any bytes as an HPROF dump, plain or gzip, end in a snapshot or a reason.
 * The last byte of the header's time, which matters to nobody, chooses the options. */
#include "import_once.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct import_input input = import_file(bytes, size);
	import_once(import_hprof, &input, size > 30 ? bytes[30] : 0);
	import_input_close(&input);
	return 0;
}
