/* Fuzz target: any bytes as a snapshot are read whole, as a partial
 * one too, or refused with a reason; within the memory limit. */
#include <stdlib.h>
#include <string.h>

#include "snap.h"
#include "snapfmt.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { LIMIT = 64 << 20 };

struct budget {
	size_t live;
};

static void *resize(void *context, void *pointer, size_t old_size, size_t new_size)
{
	struct budget *budget = context;
	if (new_size > old_size && new_size - old_size > LIMIT - budget->live)
		abort(); /* the reader promised to stay below */
	budget->live += new_size - old_size;
	if (new_size)
		return realloc(pointer, new_size);
	free(pointer);
	return NULL;
}

static void read_column(struct snap_reader *reader, const struct snap_column_info *info)
{
	struct snap_column *column;
	struct snap_error error;
	if (snap_column_open(&column, reader, info->column, &error) != SNAP_OK)
		return;
	uint64_t rows = snap_reader_row_count(reader, (enum snap_table)(info->column >> 16)),
		 values[256];
	for (uint64_t row = 0; row < rows && row < 100000; row += 256) {
		size_t count = rows - row < 256 ? (size_t)(rows - row) : 256;
		const char *text;
		size_t text_size;
		if (info->is_text) {
			if (snap_column_text(column, row, &text, &text_size, &error) != SNAP_OK)
				break;
		} else if (snap_column_read(column, row, count, values, &error) != SNAP_OK)
			break;
	}
	snap_column_close(column);
}

static void scan_objects(struct snap_reader *reader)
{
	static const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT, SNAP_OBJECT_STACK};
	uint64_t stacks = snap_reader_row_count(reader, SNAP_STACKS), next = 0, first;
	struct snap_scan *scan;
	struct snap_error error;
	size_t count;
	const uint64_t *const *values;
	if (snap_scan_open(&scan, reader, columns, 3, &error) != SNAP_OK)
		return;
	for (int batch = 0;
	     batch < 100 && snap_scan_next(scan, &first, &count, &values, &error) == SNAP_OK;
	     batch++) {
		if (first < next || count == 0)
			abort();
		next = first + count;
		for (size_t i = 0; i < count; i++)
			if (values[2][i] > stacks) /* what was promised of ids */
				abort();
	}
	if (next > snap_reader_row_count(reader, SNAP_OBJECTS))
		abort();
	snap_scan_close(scan);
}

static void read_all(const uint8_t *bytes, size_t size, bool partial)
{
	struct budget budget = {0};
	struct snap_allocator allocator = {&budget, resize};
	struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
	options.max_memory_bytes = 16 << 20;
	options.partial = partial;
	options.member = 1;
	options.allocator = &allocator;
	struct snap_reader *reader;
	struct snap_error error;
	if (snap_reader_open_memory(&reader, bytes, size, &options, &error) == SNAP_OK) {
		struct snap_column_info info;
		for (size_t i = 0; snap_column_at(i, &info); i++)
			read_column(reader, &info);
		scan_objects(reader);
		enum snap_status status = snap_reader_verify(reader, NULL, NULL, &error);
		if (status == SNAP_MISUSE || status == SNAP_END)
			abort();
		snap_reader_close(reader);
	}
	if (budget.live != 0)
		abort();
}

/* Makes the hashes of header and trailer right again, so that what is inside them is looked at. */
static void reseal(uint8_t *bytes, size_t size)
{
	if (size < SNAPFMT_HEADER_SIZE + SNAPFMT_TRAILER_SIZE)
		return;
	struct sink s = sink_over(bytes + SNAPFMT_HEADER_SIZE - 8, 8);
	sink_u64(&s, snapfmt_hash(bytes, SNAPFMT_HEADER_SIZE - 8));
	uint8_t *trailer = bytes + size - SNAPFMT_TRAILER_SIZE;
	s = sink_over(bytes + size - 8, 8);
	sink_u64(&s, snapfmt_hash(trailer, SNAPFMT_TRAILER_SIZE - 8));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	read_all(bytes, size, false);
	uint8_t *sealed = malloc(size ? size : 1);
	if (!sealed)
		return 0;
	memcpy(sealed, bytes, size);
	reseal(sealed, size);
	read_all(sealed, size, false);
	read_all(sealed, size, true);
	free(sealed);
	return 0;
}
