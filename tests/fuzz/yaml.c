/* Fuzz target: any bytes as YAML end in nodes that are well
 * nested and not deeper than allowed, or are refused. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "document.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void require(bool condition)
{
	if (!condition)
		abort();
}

static void walk(struct document *text)
{
	uint64_t depth = 0;
	do {
		size_t size;
		uint64_t number;
		switch (document_next(text)) {
		case DOCUMENT_SCALAR:
			require(document_text(text, &size)[size] == '\0');
			if (document_is_number(text) &&
			    !document_as_number(text, UINT64_MAX, &number))
				return;
			break;
		case DOCUMENT_MAPPING:
		case DOCUMENT_SEQUENCE: require(++depth <= DOCUMENT_MAX_DEPTH); break;
		case DOCUMENT_END: require(depth-- > 0); break;
		case DOCUMENT_FAILED: require(document_failed(text)); return;
		}
	} while (depth > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static int descriptor = -1;
	char path[40];
	if (descriptor < 0) {
		descriptor = memfd_create("fuzz", MFD_CLOEXEC);
		/* each refusal is told there */
		require((stderr = fopen("/dev/null", "w")) != NULL);
	}
	require(descriptor >= 0 && ftruncate(descriptor, 0) == 0 &&
		pwrite(descriptor, bytes, size, 0) == (ssize_t)size);
	snprintf(path, sizeof path, "/proc/self/fd/%d", descriptor);
	struct document *text = document_open(path, 1 << 20);
	require(text != NULL);
	while (document_begin(text))
		walk(text);
	document_close(text);
	return 0;
}
