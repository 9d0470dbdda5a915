/* Reading: values, statuses, members, the rules of
 * the format, and that no damage goes unnoticed. */
#include <errno.h>
#include <unistd.h>

#include "build_snapshot.h"

static enum snap_status open_bytes(struct snap_reader **reader, const void *bytes, size_t size,
				   struct snap_error *error)
{
	return snap_reader_open_memory(reader, bytes, size, NULL, error);
}

/* Opens and verifies everything. */
static enum snap_status judge(const void *bytes, size_t size, struct snap_error *error)
{
	struct snap_reader *reader;
	enum snap_status status = open_bytes(&reader, bytes, size, error);
	if (status != SNAP_OK)
		return status;
	status = snap_reader_verify(reader, NULL, NULL, error);
	snap_reader_close(reader);
	return status;
}

static bool is_string(struct snap_reader *reader, uint64_t id, const char *wanted)
{
	const char *bytes;
	size_t size;
	return snap_reader_string(reader, id, &bytes, &size, NULL) == SNAP_OK &&
	       size == strlen(wanted) && memcmp(bytes, wanted, size) == 0;
}

static bool reads(struct snap_reader *reader, uint32_t id, uint64_t first, size_t count,
		  const uint64_t *wanted)
{
	struct snap_column *column;
	uint64_t values[16];
	if (snap_column_open(&column, reader, id, NULL) != SNAP_OK)
		return false;
	enum snap_status status = snap_column_read(column, first, count, values, NULL);
	snap_column_close(column);
	return status == SNAP_OK && memcmp(values, wanted, count * sizeof *values) == 0;
}

static void test_values(void)
{
	struct build b = {0};
	struct snap_error error;
	build_sample(&b, &sample_good);
	CHECK_NAMED(judge(b.bytes, b.size, &error) == SNAP_OK, "the sample is right");
	struct snap_reader *reader;
	REQUIRE(open_bytes(&reader, b.bytes, b.size, &error) == SNAP_OK);
	CHECK(snap_reader_row_count(reader, SNAP_OBJECTS) == 6);
	CHECK(snap_reader_row_count(reader, SNAP_REFERENCES) == 13);
	CHECK(snap_reader_row_count(reader, SNAP_CONTENTS) == 0);
	CHECK(is_string(reader, 7, "Node") && is_string(reader, 12, "worker") &&
	      is_string(reader, 0, ""));
	CHECK(snap_reader_string(reader, 13, &(const char *){NULL}, &(size_t){0}, &error) ==
	      SNAP_CORRUPT);
	CHECK(reads(reader, SNAP_OBJECT_SIZE, 0, 6, (uint64_t[]){48, 48, 32, 48, 100, 200}));
	CHECK(reads(reader, SNAP_OBJECT_SIZE, 3, 2, (uint64_t[]){48, 100}));
	CHECK_NAMED(reads(reader, SNAP_OBJECT_GENERATION, 2, 3, (uint64_t[]){0, 0, 0}),
		    "absent: default 0");
	CHECK_NAMED(!snap_reader_has_column(reader, SNAP_OBJECT_GENERATION) &&
			    snap_reader_has_column(reader, SNAP_OBJECT_SIZE),
		    "has_column");
	const char *bytes;
	size_t size;
	CHECK(snap_reader_property(reader, "program", &bytes, &size, &error) == SNAP_OK &&
	      size == 4 && memcmp(bytes, "demo", 4) == 0);
	CHECK(snap_reader_property(reader, "absent", &bytes, &size, &error) == SNAP_END);
	struct snap_column *column;
	CHECK(snap_column_open(&column, reader, SNAP_COLUMN(99, 0), &error) == SNAP_MISUSE);
	REQUIRE(snap_column_open(&column, reader, SNAP_OBJECT_SIZE, &error) == SNAP_OK);
	uint64_t values[8];
	CHECK(snap_column_read(column, 5, 2, values, &error) == SNAP_MISUSE);
	CHECK(snap_column_read(column, UINT64_MAX, 2, values, &error) == SNAP_MISUSE);
	CHECK(snap_column_text(column, 0, &bytes, &size, &error) == SNAP_MISUSE);
	snap_column_close(column);
	struct snap_block_info block;
	CHECK(snap_reader_block(reader, 0, &block) && block.column == SNAP_STRING_TEXT &&
	      block.offset == 48);
	CHECK(!snap_reader_block(reader, b.block_count, &block));
	struct snap_column_info info;
	CHECK(snap_column_describe(SNAP_OBJECT_COUNT, &info) && info.default_value == 1 &&
	      strcmp(info.column_name, "count") == 0);
	CHECK(!snap_column_describe(SNAP_COLUMN(11, 99), &info) && info.column_name == NULL);
	snap_reader_close(reader);
	build_free(&b);
}

static void test_scan(void)
{
	struct build b = {0};
	build_sample(&b, &sample_good);
	struct snap_reader *reader;
	REQUIRE(open_bytes(&reader, b.bytes, b.size, NULL) == SNAP_OK);
	struct snap_scan *scan;
	const uint32_t columns[] = {SNAP_OBJECT_SIZE, SNAP_OBJECT_COUNT, SNAP_OBJECT_DOMAIN};
	REQUIRE(snap_scan_open(&scan, reader, columns, 3, NULL) == SNAP_OK);
	uint64_t first, next = 0, bytes = 0, domains = 0;
	size_t count;
	const uint64_t *const *values;
	enum snap_status status;
	while ((status = snap_scan_next(scan, &first, &count, &values, NULL)) == SNAP_OK) {
		REQUIRE(first == next && count > 0);
		next = first + count;
		for (size_t i = 0; i < count; i++) {
			bytes += values[0][i] * values[1][i];
			domains |= values[2][i];
		}
	}
	CHECK(status == SNAP_END && next == 6 && bytes == 764 && domains == 0);
	CHECK(snap_scan_lost_rows(scan) == 0);
	snap_scan_close(scan);
	const uint32_t mixed[] = {SNAP_OBJECT_SIZE, SNAP_TYPE_NAME};
	CHECK(snap_scan_open(&scan, reader, mixed, 2, NULL) == SNAP_MISUSE);
	CHECK(snap_scan_open(&scan, reader, (uint32_t[]){SNAP_STRING_TEXT}, 1, NULL) ==
	      SNAP_MISUSE);
	snap_reader_close(reader);
	build_free(&b);
}

/* All encodings, over many blocks, read in pieces of every kind. */
static void test_encodings(void)
{
	enum { ROWS = 3000, BLOCKS = 12, ALL = ROWS * BLOCKS };
	static uint64_t wanted[ALL], got[ALL];
	struct build b = {0};
	build_begin(&b);
	for (size_t i = 0; i < ALL; i++) {
		size_t kind = i / ROWS % 6;
		wanted[i] = kind == 0   ? 77
			    : kind == 3 ? i % 5 * 1000003
			    : kind == 4 ? i / 100
					: i * 8 + i % 3;
	}
	for (size_t i = 0; i < BLOCKS; i++)
		build_encoded(&b, SNAP_OBJECT_ADDRESS, (uint8_t)(i % 6), wanted + i * ROWS, ROWS);
	build_end(&b, NULL);
	struct snap_reader *reader;
	struct snap_column *column;
	REQUIRE(open_bytes(&reader, b.bytes, b.size, NULL) == SNAP_OK);
	REQUIRE(snap_column_open(&column, reader, SNAP_OBJECT_ADDRESS, NULL) == SNAP_OK);
	bool good = snap_column_read(column, 0, ALL, got, NULL) == SNAP_OK &&
		    memcmp(got, wanted, sizeof wanted) == 0;
	CHECK_NAMED(good, "all blocks at once");
	for (size_t at = 0, size = 1; good && at < ALL; at += size, size = size * 7 % 4999) {
		size_t count = size < ALL - at ? size : ALL - at;
		good = snap_column_read(column, at, count, got, NULL) == SNAP_OK &&
		       memcmp(got, wanted + at, count * sizeof *got) == 0;
	}
	CHECK_NAMED(good, "in pieces");
	for (size_t i = 0; good && i < 2000; i++) {
		size_t at = i * 104729 % ALL;
		good = snap_column_read(column, at, 1, got, NULL) == SNAP_OK &&
		       got[0] == wanted[at];
	}
	CHECK_NAMED(good, "here and there");
	snap_column_close(column);
	snap_reader_close(reader);
	build_free(&b);
}

/* ---- statuses ---- */

static void check_error(const void *bytes, size_t size, enum snap_status wanted, const char *words)
{
	struct snap_error error = {.status = SNAP_OK};
	char name[300];
	enum snap_status status = judge(bytes, size, &error);
	snprintf(name, sizeof name, "%s: %s", snap_status_name(wanted), words);
	if (!CHECK_NAMED(status == wanted && error.status == status && strstr(error.message, words),
			 name))
		printf("# got %s: %s\n", snap_status_name(status), error.message);
}

static void test_not_snapshots(void)
{
	check_error("", 0, SNAP_CORRUPT, "the file is empty");
	check_error("\x1f\x8b\x08 and so on and on and on", 27, SNAP_CORRUPT, "gzip");
	check_error("\x28\xb5\x2f\xfd and so on and on and on", 27, SNAP_CORRUPT, "zstd");
	check_error("{\"snapshot\":{\"meta\":{}}}", 24, SNAP_CORRUPT, "snap-import v8");
	check_error("Some text, not at all a snapshot.", 33, SNAP_CORRUPT, "not a snapshot");
	check_error("\x53\x2a\x4d\x18\x28", 5, SNAP_CORRUPT, "cut short");
}

static void test_newer(void)
{
	struct build b = {0};
	build_begin(&b);
	build_sample_blocks(&b, &sample_good);
	build_end(&b, &(struct snapfmt_trailer){.flags = 16});
	check_error(b.bytes, b.size, SNAP_UNSUPPORTED, "flags");
	b.size = 0;
	build_sample(&b, &sample_good);
	struct snapfmt_header header = {.major = 2};
	struct sink s = sink_over(b.bytes, SNAPFMT_HEADER_SIZE);
	snapfmt_write_header(&s, &header);
	check_error(b.bytes, b.size, SNAP_UNSUPPORTED, "major");
	b.size = 0;
	build_begin(&b);
	build_sample_blocks(&b, &sample_good);
	build_raw(&b, (struct snapfmt_block){.table = 77, .column = 3, .flags = 1, .row_count = 5},
		  "x", 1);
	build_end(&b, NULL);
	check_error(b.bytes, b.size, SNAP_UNSUPPORTED, "column 77.3");
	b.size = 0;
	build_begin(&b);
	build_sample_blocks(&b, &sample_good);
	build_raw(&b, (struct snapfmt_block){.table = 77, .column = 3, .row_count = 5}, "x", 1);
	build_end(&b, NULL);
	struct snap_error error;
	CHECK_NAMED(judge(b.bytes, b.size, &error) == SNAP_OK, "what may be ignored is");
	b.size = 0;
	build_begin(&b);
	build_sample_blocks(&b, &sample_good);
	build_raw(&b,
		  (struct snapfmt_block){.table = 11, .column = 7, .encoding = 99, .row_count = 6},
		  "x", 1);
	build_end(&b, NULL);
	check_error(b.bytes, b.size, SNAP_UNSUPPORTED, "encoding 99");
	b.size = 0;
	build_begin(&b);
	build_raw(&b,
		  (struct snapfmt_block){
			  .table = 11, .column = 1, .encoding = 99, .flags = 1, .row_count = 6},
		  "x", 1);
	build_end(&b, NULL);
	check_error(b.bytes, b.size, SNAP_UNSUPPORTED, "encoding 99");
	build_free(&b);
}

static int fail_to_read(void *context, uint64_t offset, void *buffer, size_t size)
{
	(void)context, (void)offset, (void)buffer, (void)size;
	return EIO;
}

static void test_other_statuses(void)
{
	struct snap_reader *reader;
	struct snap_error error;
	struct snap_source source = {.size = 1000, .read_at = fail_to_read};
	CHECK(snap_reader_open_source(&reader, &source, NULL, &error) == SNAP_IO &&
	      error.os_errno == EIO);
	CHECK(snap_reader_open(&reader, "/nonexistent/file", NULL, &error) == SNAP_IO &&
	      error.os_errno == ENOENT);
	CHECK(snap_reader_open(&reader, "/", NULL, &error) == SNAP_IO && error.os_errno == EISDIR);
	struct snap_reader_options unset = {0};
	CHECK(snap_reader_open_memory(&reader, "", 0, &unset, &error) == SNAP_MISUSE);
	struct build b = {0};
	enum { ROWS = (1 << 20) - 16 };
	uint64_t *values = calloc(ROWS, sizeof *values);
	REQUIRE(values);
	values[5] = 1;
	build_begin(&b);
	build_column(&b, SNAP_OBJECT_ADDRESS, values, ROWS);
	build_column(&b, SNAP_OBJECT_SIZE, values, ROWS);
	build_column(&b, SNAP_OBJECT_DOMAIN, values, ROWS);
	build_end(&b, NULL);
	struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
	options.max_memory_bytes = 1;
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, &options, &error) == SNAP_OK);
	struct snap_column *one, *two;
	REQUIRE(snap_column_open(&one, reader, SNAP_OBJECT_SIZE, &error) == SNAP_OK);
	REQUIRE(snap_column_open(&two, reader, SNAP_OBJECT_DOMAIN, &error) == SNAP_OK);
	CHECK(snap_column_read(one, 5, 1, values, &error) == SNAP_OK && values[0] == 1);
	CHECK(snap_column_read(two, 5, 1, values, &error) == SNAP_LIMIT &&
	      strstr(error.message, "16 MiB"));
	snap_column_close(one);
	CHECK_NAMED(snap_column_read(two, 5, 1, values, &error) == SNAP_OK,
		    "after another let go, it fits");
	snap_column_close(two);
	snap_reader_close(reader);
	free(values);
	build_free(&b);
}

static void test_failure_messages(void)
{
	struct snap_error error;
	char large[600];
	memset(large, 'x', sizeof large - 1);
	large[sizeof large - 1] = 0;
	CHECK(libsnap_fail(&error, SNAP_LIMIT, 7, "%s", large) == SNAP_LIMIT && error.offset == 7 &&
	      strlen(error.message) == sizeof error.message - 1);
	libsnap_fail(&error, SNAP_CORRUPT, 0, "a\nb\033c");
	CHECK(strcmp(error.message, "a?b?c") == 0);
	CHECK(libsnap_fail_io(&error, ENOENT, 3, "here") == SNAP_IO && error.os_errno == ENOENT &&
	      strcmp(error.message, "here: No such file or directory") == 0);
	CHECK(libsnap_fail(NULL, SNAP_END, 0, "x") == SNAP_END);
}

/* ---- where bytes come from ---- */

static enum snap_status open_member(const struct build *b, int64_t member,
				    struct snap_reader_info *info)
{
	struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
	options.member = member;
	struct snap_reader *reader;
	enum snap_status status =
		snap_reader_open_memory(&reader, b->bytes, b->size, &options, NULL);
	if (status != SNAP_OK)
		return status;
	snap_reader_info(reader, info);
	snap_reader_close(reader);
	return SNAP_OK;
}

static void test_members(void)
{
	struct build b = {0};
	build_sample(&b, &sample_good);
	uint64_t first = b.size;
	b.bytes[8] ^= 1;
	check_error(b.bytes, b.size, SNAP_CORRUPT, "the first header is damaged");
	b.bytes[8] ^= 1;
	build_begin(&b);
	build_end(&b, NULL);
	build_sample(&b, &sample_good);
	struct snap_reader_info info;
	CHECK(open_member(&b, SNAP_LAST_MEMBER, &info) == SNAP_OK && info.member == 3 &&
	      info.member_count == 3);
	CHECK(open_member(&b, 1, &info) == SNAP_OK && info.member == 1 && info.offset == 0 &&
	      info.size == first);
	CHECK(open_member(&b, 2, &info) == SNAP_OK && info.offset == first &&
	      info.block_count == 0);
	CHECK(open_member(&b, -2, &info) == SNAP_OK && info.member == 2);
	CHECK(open_member(&b, -3, &info) == SNAP_OK && info.member == 1);
	CHECK(open_member(&b, 4, &info) == SNAP_MISUSE);
	CHECK(open_member(&b, -4, &info) == SNAP_MISUSE);
	CHECK(open_member(&b, INT64_MIN, &info) == SNAP_MISUSE);
	memmove(b.bytes + 3, b.bytes, b.size - 3);
	CHECK_NAMED(open_member(&b, 1, &info) == SNAP_CORRUPT, "bytes of no member");
	build_free(&b);
}

static void test_descriptors(void)
{
	struct build b = {0};
	struct snap_error error;
	build_sample(&b, &sample_good);
	int ends[2];
	REQUIRE(pipe(ends) == 0 && b.size < 65536);
	REQUIRE(write(ends[1], b.bytes, b.size) == (ssize_t)b.size);
	close(ends[1]);
	struct snap_reader *reader = NULL;
	CHECK(snap_reader_open_descriptor(&reader, ends[0], NULL, &error) == SNAP_OK);
	CHECK_NAMED(reader && snap_reader_verify(reader, NULL, NULL, &error) == SNAP_OK,
		    "from a pipe");
	snap_reader_close(reader);
	close(ends[0]);
	char path[] = "/tmp/reader-test-XXXXXX";
	int file = mkstemp(path);
	REQUIRE(file >= 0 && write(file, b.bytes, b.size) == (ssize_t)b.size);
	CHECK(snap_reader_open_descriptor(&reader, file, NULL, &error) == SNAP_OK);
	CHECK_NAMED(snap_reader_verify(reader, NULL, NULL, &error) == SNAP_OK, "from a descriptor");
	snap_reader_close(reader);
	CHECK(snap_reader_open(&reader, path, NULL, &error) == SNAP_OK);
	CHECK_NAMED(snap_reader_verify(reader, NULL, NULL, &error) == SNAP_OK, "from a path");
	REQUIRE(ftruncate(file, (off_t)b.size / 2) == 0);
	CHECK_NAMED(snap_reader_verify(reader, NULL, NULL, &error) == SNAP_IO,
		    "a file that shrinks");
	snap_reader_close(reader);
	close(file);
	unlink(path);
	build_free(&b);
}

/* ---- damage ---- */

static void test_every_flip(void)
{
	struct build b = {0};
	struct snap_error error;
	build_sample(&b, &sample_good);
	size_t unnoticed = 0, misnamed = 0;
	for (size_t bit = 0; bit < b.size * 8; bit++) {
		b.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		enum snap_status status = judge(b.bytes, b.size, &error);
		unnoticed += status == SNAP_OK;
		misnamed += status != SNAP_OK && status != SNAP_CORRUPT;
		b.bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	printf("# %zu bits\n", b.size * 8);
	CHECK_NAMED(unnoticed == 0, "every flipped bit is noticed");
	CHECK_NAMED(misnamed == 0, "and called corrupt, never a newer version");
	build_free(&b);
}

static void test_every_truncation(void)
{
	struct build b = {0};
	struct snap_error error;
	build_sample(&b, &sample_good);
	size_t unnoticed = 0;
	for (size_t size = 0; size < b.size; size++)
		unnoticed += judge(b.bytes, size, &error) != SNAP_CORRUPT;
	CHECK_NAMED(unnoticed == 0, "every truncation is noticed");
	for (size_t added = 1; added < 200; added++) {
		struct sink s = build_room(&b, 1);
		sink_u8(&s, (uint8_t)added);
		build_took(&b, &s);
		unnoticed += judge(b.bytes, b.size, &error) != SNAP_CORRUPT;
	}
	CHECK_NAMED(unnoticed == 0, "appended bytes are noticed");
	build_free(&b);
}

/* Blocks cut out, put in again elsewhere, or twice, under the old directory. */
static void test_moved_blocks(void)
{
	struct build b = {0};
	struct snap_error error;
	build_sample(&b, &sample_good);
	uint8_t *moved = malloc(b.size * 2);
	REQUIRE(moved);
	size_t unnoticed = 0;
	for (uint32_t i = 0; i + 1 < b.block_count; i++) {
		size_t one = b.offsets[i], two = b.offsets[i + 1], three = b.offsets[i + 2];
		memcpy(moved, b.bytes, one);
		memcpy(moved + one, b.bytes + two, b.size - two);
		unnoticed += judge(moved, b.size - (two - one), &error) != SNAP_CORRUPT;
		memcpy(moved, b.bytes, two);
		memcpy(moved + two, b.bytes + one, b.size - one);
		unnoticed += judge(moved, b.size + (two - one), &error) != SNAP_CORRUPT;
		memcpy(moved, b.bytes, b.size);
		memcpy(moved + one, b.bytes + two, three - two);
		memcpy(moved + one + (three - two), b.bytes + one, two - one);
		unnoticed += judge(moved, b.size, &error) != SNAP_CORRUPT;
	}
	CHECK_NAMED(unnoticed == 0, "dropped, repeated and reordered blocks are noticed");
	free(moved);
	build_free(&b);
}

/* ---- rules: wrong values under right hashes ---- */

static const struct rule {
	uint32_t column;
	size_t at;
	uint64_t value;
	const char *words;
} rules[] = {
	{SNAP_PROPERTY_KEY, 1, 1, "there twice"},
	{SNAP_PROPERTY_KEY, 0, 0, "row 0 of properties.key is 0"},
	{SNAP_PROPERTY_VALUE, 1, 13, "row 1 of properties.value is 13"},
	{SNAP_FRAME_MODULE, 0, 2, "frames.module"},
	{SNAP_FRAME_INLINED_INTO, 1, 1, "inlined into itself"},
	{SNAP_FRAME_INLINED_INTO, 0, 1, "inlined into itself"},
	{SNAP_STACK_PARENT, 0, 1, "row 0 of stacks.parent is 1"},
	{SNAP_STACK_PARENT, 2, 3, "row 2 of stacks.parent is 3"},
	{SNAP_STACK_FRAME, 1, 0, "stacks.frame"},
	{SNAP_SHAPE_TYPE, 0, 3, "shapes.type"},
	{SNAP_SHAPE_SLOT_COUNT, 0, 3, "slots"},
	{SNAP_SHAPE_SLOT_COUNT, 0, UINT64_MAX, "overflow"},
	{SNAP_SHAPE_TAIL, 0, 3, "shapes.tail is 3"},
	{SNAP_SHAPE_TAIL, 1, 1, "tail labels"},
	{SNAP_SHAPE_TAIL, 0, 1, "too few rows"},
	{SNAP_SLOT_LABEL, 0, SNAP_LABEL_STRING(13), "slots.label"},
	{SNAP_SLOT_LABEL, 0, 0, "slots.label"},
	{SNAP_SLOT_LABEL, 2, 7, "slots.label"},
	{SNAP_SLOT_LABEL, 2, SNAP_LABEL_OBJECT(7), "slots.label"},
	{SNAP_RUN_SHAPE, 0, 0, "runs.shape"},
	{SNAP_RUN_ROWS, 0, 0, "runs.rows"},
	{SNAP_RUN_ROWS, 0, 5, "objects, but"},
	{SNAP_OBJECT_ADDRESS, 1, 4096, "4096 is there twice"},
	{SNAP_OBJECT_ADDRESS, 2, 4097, "and an address"},
	{SNAP_OBJECT_SIZE, 0, 49, "do not add up"},
	{SNAP_OBJECT_SIZE, 2, UINT64_MAX / 2, "overflow"},
	{SNAP_OBJECT_SIZE, 0, 300, "which totals lack"},
	{SNAP_OBJECT_COUNT, 1, 0, "do not add up"},
	{SNAP_OBJECT_STACK, 0, 4, "objects.stack"},
	{SNAP_OBJECT_STACK, 0, 1, "which totals lack"},
	{SNAP_TAIL_LENGTH, 0, 3, "references, but"},
	{SNAP_REFERENCE_TARGET, 0, 7, "references.target"},
	{SNAP_REFERENCE_TARGET, 0, 3, "stands for several"},
	{SNAP_ROOT_OBJECT, 0, 0, "roots.object"},
	{SNAP_TOTAL_DIMENSION, 0, 1, "no sum of all"},
	{SNAP_TOTAL_KEY, 0, 1, "only key of all"},
	{SNAP_TOTAL_KEY, 2, 1, "do not ascend"},
	{SNAP_TOTAL_KEY, 2, 3, "beyond its table"},
	{SNAP_TOTAL_KEY, 11, 65, "no such bucket"},
	{SNAP_TOTAL_BYTES, 1, 465, "add up to all"},
	{SNAP_TOTAL_BYTES, 1, UINT64_MAX, "overflows"},
	{SNAP_TOTAL_COUNT, 13, 1, "add up to all"},
};

static void test_rules(void)
{
	struct build b = {0};
	for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
		struct sample sample = sample_good;
		sample_find(&sample, rules[i].column)->values[rules[i].at] = rules[i].value;
		b.size = 0;
		build_sample(&b, &sample);
		check_error(b.bytes, b.size, SNAP_CORRUPT, rules[i].words);
	}
	build_free(&b);
}

static void test_table_rules(void)
{
	struct build b = {0};
	struct sample sample = sample_good;
	sample_remove(&sample, SNAP_STACK_FRAME);
	build_sample(&b, &sample);
	check_error(b.bytes, b.size, SNAP_CORRUPT, "table stacks has rows but no column frame");
	sample = sample_good;
	sample_find(&sample, SNAP_FRAME_LINE)->count = 1;
	b.size = 0;
	build_sample(&b, &sample);
	check_error(b.bytes, b.size, SNAP_CORRUPT, "column 2 of table 4 has 1 rows");
	sample = sample_good;
	sample.trailer.flags = SNAP_SNAPSHOT_TOTALS_ONLY;
	b.size = 0;
	build_sample(&b, &sample);
	check_error(b.bytes, b.size, SNAP_CORRUPT, "totals only");
	sample = sample_good;
	sample.trailer.sampling_interval = 4096;
	b.size = 0;
	build_sample(&b, &sample);
	check_error(b.bytes, b.size, SNAP_CORRUPT, "not sampled");
	b.size = 0;
	build_begin(&b);
	build_raw(&b, (struct snapfmt_block){.table = 18, .encoding = SNAPFMT_TEXT, .row_count = 1},
		  "\0", 1);
	build_end(&b, NULL);
	check_error(b.bytes, b.size, SNAP_CORRUPT, "is text");
	b.size = 0;
	build_begin(&b);
	build_raw(&b, (struct snapfmt_block){.table = 18, .flags = 1, .row_count = 1}, "\1", 1);
	build_end(&b, NULL);
	check_error(b.bytes, b.size, SNAP_CORRUPT, "marked critical");
	b.size = 0;
	build_begin(&b);
	build_raw(&b, (struct snapfmt_block){.table = 18, .first_row = 1, .row_count = 1}, "\1", 1);
	build_end(&b, NULL);
	check_error(b.bytes, b.size, SNAP_CORRUPT, "begins at row 1, not at 0");
	b.size = 0;
	build_begin(&b);
	build_raw(&b, (struct snapfmt_block){.table = 18, .row_count = 1}, "\1\1", 2);
	build_end(&b, NULL);
	check_error(b.bytes, b.size, SNAP_CORRUPT, "rules of encoding constant");
	b.size = 0;
	build_begin(&b);
	build_raw(&b,
		  (struct snapfmt_block){
			  .table = 1, .encoding = SNAPFMT_TEXT, .flags = 1, .row_count = 2},
		  "\1\2ab", 4);
	build_end(&b, NULL);
	check_error(b.bytes, b.size, SNAP_CORRUPT, "rules of encoding text");
	build_free(&b);
}

int main(void)
{
	test_values();
	test_scan();
	test_encodings();
	test_not_snapshots();
	test_newer();
	test_other_statuses();
	test_failure_messages();
	test_members();
	test_descriptors();
	test_moved_blocks();
	test_rules();
	test_table_rules();
	test_every_truncation();
	test_every_flip();
	return DONE();
}
