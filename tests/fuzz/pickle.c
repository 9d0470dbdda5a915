/* Fuzz target: any bytes as a tracemalloc pickle end in a
 * snapshot or a reason.  The first byte chooses --partial. */
#include "import_once.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size == 0)
		return 0;
	struct import_input input = import_file(bytes + 1, size - 1);
	import_once(import_tracemalloc, &input, bytes[0] & 1);
	return 0;
}
