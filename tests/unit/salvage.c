/* Salvage: what is whole of a damaged file is read,
 * and the rest is counted (FORMAT.md, section 8). */
#include "build_snapshot.h"

static enum snap_status open_partial(struct snap_reader **reader, const void *bytes, size_t size,
				     int64_t member, struct snap_error *error)
{
	struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
	options.partial = true;
	options.member = member;
	return snap_reader_open_memory(reader, bytes, size, &options, error);
}

/* Object rows with address, size and stack that a scan gives, and those it says are lost. */
struct rows {
	uint64_t whole, lost, bytes, mask, addresses;
	enum snap_status status;
};

static struct rows scan_objects(struct snap_reader *reader)
{
	const uint32_t columns[] = {SNAP_OBJECT_ADDRESS, SNAP_OBJECT_SIZE, SNAP_OBJECT_STACK};
	struct rows rows = {0};
	struct snap_scan *scan;
	REQUIRE(snap_scan_open(&scan, reader, columns, 3, NULL) == SNAP_OK);
	uint64_t first;
	size_t count;
	const uint64_t *const *values;
	while ((rows.status = snap_scan_next(scan, &first, &count, &values, NULL)) == SNAP_OK) {
		rows.whole += count;
		for (size_t i = 0; i < count; i++) {
			rows.bytes += values[1][i];
			rows.mask |= 1u << (first + i);
			/* The third has none. */
			rows.addresses |= (values[0][i] != 0 || first + i == 2 ? 1u : 0u)
					  << (first + i);
		}
	}
	rows.lost = snap_scan_lost_rows(scan);
	snap_scan_close(scan);
	return rows;
}

static uint32_t block_of(const struct build *b, uint32_t column, uint64_t first_row)
{
	for (uint32_t i = 0; i < b->block_count; i++)
		if (SNAP_COLUMN(b->blocks[i].table, b->blocks[i].column) == column &&
		    b->blocks[i].first_row == first_row)
			return i;
	const bool has_this_block = false;
	REQUIRE(has_this_block);
	return 0;
}

static void test_bad_block(void)
{
	struct build b = {0};
	struct snap_error error;
	struct snap_reader *reader;
	struct snap_reader_info info;
	build_sample(&b, &sample_good);
	b.bytes[b.offsets[block_of(&b, SNAP_OBJECT_SIZE, 4)] + 60] ^= 1;
	REQUIRE(open_partial(&reader, b.bytes, b.size, 0, &error) == SNAP_OK);
	snap_reader_info(reader, &info);
	CHECK_NAMED(!info.damaged, "a bad block is not looked at before it is needed");
	struct rows rows = scan_objects(reader);
	CHECK(rows.status == SNAP_END && rows.whole == 4 && rows.lost == 2 && rows.mask == 0xf &&
	      rows.bytes == 176);
	snap_reader_info(reader, &info);
	CHECK(info.damaged && info.lost_blocks == 1 && info.damage.status == SNAP_CORRUPT);
	CHECK(snap_reader_verify(reader, NULL, NULL, &error) == SNAP_CORRUPT &&
	      strstr(error.message, "hash of block"));
	CHECK(snap_reader_row_count(reader, SNAP_OBJECTS) == 6);
	struct snap_column *column;
	uint64_t value;
	REQUIRE(snap_column_open(&column, reader, SNAP_OBJECT_SIZE, &error) == SNAP_OK);
	CHECK(snap_column_read(column, 5, 1, &value, &error) == SNAP_CORRUPT &&
	      strstr(error.message, "lost"));
	CHECK(snap_column_read(column, 3, 1, &value, &error) == SNAP_OK && value == 48);
	snap_column_close(column);
	snap_reader_close(reader);
	REQUIRE(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, &error) == SNAP_OK);
	CHECK_NAMED(scan_objects(reader).status == SNAP_CORRUPT,
		    "without --partial the scan fails");
	snap_reader_close(reader);
	build_free(&b);
}

/* ---- batches ---- */

static uint32_t batch_of(const struct build *b, unsigned number)
{
	for (uint32_t i = 0; i < b->block_count; i++)
		if (snapfmt_is_batch(&b->blocks[i]) && --number == 0)
			return i;
	const bool has_this_batch = false;
	REQUIRE(has_this_batch);
	return 0;
}

static enum snap_status read_first(struct snap_reader *reader, uint32_t id, uint64_t *value,
				   struct snap_error *error)
{
	struct snap_column *column;
	REQUIRE(snap_column_open(&column, reader, id, error) == SNAP_OK);
	enum snap_status status = snap_column_read(column, 0, 1, value, error);
	snap_column_close(column);
	return status;
}

/* What was in the batch is lost and not absent, and the
 * message says what; what was not in it is there. */
static void test_bad_batch(bool with_directory)
{
	struct build b = {0};
	struct snap_error error;
	struct snap_reader *reader;
	struct snap_reader_info info;
	uint64_t value;
	build_mixed_sample(&b);
	size_t directory = b.offsets[b.block_count];
	b.bytes[b.offsets[batch_of(&b, 1)] + 40] ^= 1;
	if (!with_directory)
		b.bytes[directory + 20] ^= 1;
	CHECK(snap_reader_open_memory(&reader, b.bytes, b.size, NULL, &error) == SNAP_CORRUPT);
	if (with_directory)
		CHECK(strstr(error.message,
			     "columns of properties, modules, frames, stacks are lost"));
	REQUIRE(open_partial(&reader, b.bytes, b.size, 0, &error) == SNAP_OK);
	snap_reader_info(reader, &info);
	CHECK(info.damaged && info.lost_blocks == 1);
	CHECK(snap_reader_row_count(reader, SNAP_FRAMES) == 2); /* the stacks know them */
	CHECK(read_first(reader, SNAP_FRAME_LINE, &value, &error) == SNAP_CORRUPT &&
	      strstr(error.message, "lost"));
	CHECK(read_first(reader, SNAP_FRAME_OFFSET, &value, &error) == SNAP_CORRUPT);
	CHECK(read_first(reader, SNAP_OBJECT_SIZE, &value, &error) == SNAP_OK && value == 48);
	CHECK(read_first(reader, SNAP_ROOT_OBJECT, &value, &error) == SNAP_OK && value == 1);
	/* Whether there were generations is known only from a directory. */
	CHECK(read_first(reader, SNAP_OBJECT_GENERATION, &value, &error) ==
	      (with_directory ? SNAP_OK : SNAP_CORRUPT));
	snap_reader_close(reader);
	build_free(&b);
}

/* Nothing but a batch: its header or trailer may be lost, but not the batch itself. */
static void test_one_batch(void)
{
	struct build b = {0};
	struct snap_error error;
	struct snap_reader *reader;
	uint64_t value;
	const struct sample_column columns[] = {
		{SNAP_OBJECT_ADDRESS, 4, {4096, 4160, 0, 4352}},
		{SNAP_OBJECT_SIZE, 4, {48, 48, 32, 48}},
		{SNAP_ROOT_OBJECT, 2, {1, 4}},
	};
	build_begin(&b);
	build_batch(&b, columns, 3);
	build_end(&b, &sample_good.trailer);
	size_t batch_end = b.offsets[1];
	REQUIRE(open_partial(&reader, b.bytes, batch_end, 0, &error) == SNAP_OK);
	CHECK(snap_reader_row_count(reader, SNAP_OBJECTS) == 4);
	CHECK(read_first(reader, SNAP_OBJECT_SIZE, &value, &error) == SNAP_OK && value == 48);
	CHECK_NAMED(read_first(reader, SNAP_OBJECT_GENERATION, &value, &error) == SNAP_OK,
		    "objects are whole: roots come behind");
	CHECK_NAMED(read_first(reader, SNAP_ROOT_LABEL, &value, &error) == SNAP_CORRUPT,
		    "the last table may go on");
	snap_reader_close(reader);
	b.bytes[20] ^= 1;
	REQUIRE(open_partial(&reader, b.bytes, b.size, 0, &error) == SNAP_OK);
	CHECK_NAMED(read_first(reader, SNAP_ROOT_LABEL, &value, &error) == SNAP_OK && value == 0,
		    "with a trailer nothing is behind");
	snap_reader_close(reader);
	build_free(&b);
}

static void test_no_trailer(void)
{
	struct build b = {0};
	struct snap_error error;
	struct snap_reader *reader;
	struct snap_reader_info info;
	build_sample(&b, &sample_good);
	size_t second_sizes = b.offsets[block_of(&b, SNAP_OBJECT_STACK, 4)];
	REQUIRE(open_partial(&reader, b.bytes, second_sizes + 70, 0, &error) == SNAP_OK);
	snap_reader_info(reader, &info);
	CHECK(info.damaged && info.damage.status == SNAP_CORRUPT &&
	      (info.flags & SNAP_SNAPSHOT_PARTIAL));
	CHECK(info.major_version == 1 && info.member == 1 && info.member_count == 1);
	struct rows rows = scan_objects(reader);
	CHECK_NAMED(rows.status == SNAP_END && rows.mask == 0xf && rows.lost == 2,
		    "cut in a block: whole rows are read");
	const char *bytes;
	size_t size;
	CHECK(snap_reader_property(reader, "program", &bytes, &size, &error) == SNAP_OK &&
	      memcmp(bytes, "demo", 4) == 0);
	/* None can be read, but runs say how many slots there were; the tails are lost. */
	CHECK(snap_reader_row_count(reader, SNAP_REFERENCES) == 10);
	snap_reader_close(reader);
	/* With the directory whole but the trailer cut, blocks are known by name. */
	REQUIRE(open_partial(&reader, b.bytes, b.size - 1, 0, &error) == SNAP_OK);
	snap_reader_info(reader, &info);
	CHECK(info.damaged && info.lost_blocks == 0 && info.block_count == b.block_count);
	CHECK(scan_objects(reader).mask == 0x3f);
	snap_reader_close(reader);
	build_free(&b);
}

/* Bytes lost in the middle: everything behind them is
 * found again, and the directory says what is missing. */
static void test_hole(void)
{
	struct build b = {0};
	struct snap_error error;
	struct snap_reader *reader;
	struct snap_reader_info info;
	build_sample(&b, &sample_good);
	size_t hole = b.offsets[block_of(&b, SNAP_OBJECT_ADDRESS, 0)] + 20;
	memmove(b.bytes + hole, b.bytes + hole + 13, b.size - hole - 13);
	REQUIRE(open_partial(&reader, b.bytes, b.size - 13, 0, &error) == SNAP_OK);
	snap_reader_info(reader, &info);
	CHECK(info.lost_blocks == 1 && info.block_count == b.block_count);
	struct rows rows = scan_objects(reader);
	CHECK(rows.status == SNAP_END && rows.mask == 0x30 && rows.lost == 4 && rows.bytes == 300);
	snap_reader_close(reader);
	build_free(&b);
}

/* Without strings or objects, ids still are within their tables. */
static void test_lost_tables(void)
{
	struct build b = {0};
	struct snap_error error;
	struct snap_reader *reader;
	build_begin(&b);
	build_column(&b, SNAP_TYPE_NAME, (uint64_t[]){3, 9}, 2);
	build_column(&b, SNAP_REFERENCE_TARGET, (uint64_t[]){0, 70, 7}, 3);
	build_column(&b, SNAP_SLOT_LABEL,
		     (uint64_t[]){SNAP_LABEL_STRING(12), SNAP_LABEL_OBJECT(80)}, 2);
	REQUIRE(open_partial(&reader, b.bytes, b.size, 0, &error) == SNAP_OK);
	CHECK(snap_reader_row_count(reader, SNAP_STRINGS) == 12);
	CHECK(snap_reader_row_count(reader, SNAP_OBJECTS) == 80);
	const char *bytes;
	size_t size;
	CHECK(snap_reader_string(reader, 9, &bytes, &size, &error) == SNAP_CORRUPT &&
	      strstr(error.message, "lost"));
	struct snap_column *column;
	uint64_t values[3];
	REQUIRE(snap_column_open(&column, reader, SNAP_REFERENCE_TARGET, &error) == SNAP_OK);
	CHECK(snap_column_read(column, 0, 3, values, &error) == SNAP_OK && values[1] == 70);
	snap_column_close(column);
	snap_reader_close(reader);
	build_free(&b);
}

static void test_series(void)
{
	struct build b = {0};
	struct snap_error error;
	struct snap_reader *reader;
	struct snap_reader_info info;
	struct sample sample = sample_good;
	build_sample(&b, &sample);
	size_t second = b.size;
	sample_find(&sample, SNAP_OBJECT_SIZE)->values[0] = 1000;
	build_sample(&b, &sample);
	size_t end = b.size;
	build_sample(&b, &sample_good);
	CHECK_NAMED(open_partial(&reader, b.bytes, b.size - 500, 2, &error) == SNAP_OK,
		    "the last of three is cut");
	snap_reader_info(reader, &info);
	CHECK(info.member == 2 && info.member_count == 3 && info.offset == second &&
	      info.size == end - second);
	CHECK(info.lost_blocks == 0 && scan_objects(reader).bytes == 476 - 48 + 1000);
	snap_reader_close(reader);
	b.bytes[second + 20] ^= 1; /* the header of the second */
	REQUIRE(open_partial(&reader, b.bytes, b.size - 500, 2, &error) == SNAP_OK);
	snap_reader_info(reader, &info);
	CHECK_NAMED(info.member_count == 3 && info.lost_blocks == 0,
		    "a lost header does not join two snapshots");
	snap_reader_close(reader);
	CHECK(open_partial(&reader, b.bytes, b.size - 500, 4, &error) == SNAP_MISUSE);
	build_free(&b);
}

static void test_repeated(void)
{
	struct build b = {0};
	struct snap_error error;
	struct snap_reader *reader;
	struct snap_reader_info info;
	build_sample(&b, &sample_good);
	size_t one = b.offsets[3], two = b.offsets[4], end = b.offsets[b.block_count];
	uint8_t *twice = malloc(b.size * 2);
	REQUIRE(twice);
	memcpy(twice, b.bytes, two);
	memcpy(twice + two, b.bytes + one, end - one);
	REQUIRE(open_partial(&reader, twice, end + (two - one), 0, &error) == SNAP_OK);
	snap_reader_info(reader, &info);
	CHECK(info.lost_blocks == 0 && info.block_count == b.block_count && info.member_count == 1);
	CHECK(scan_objects(reader).bytes == 476);
	snap_reader_close(reader);
	free(twice);
	build_free(&b);
}

/* A sound hash over values that are none, where no directory says how many rows there are. */
static void test_undecodable(void)
{
	struct build b = {0};
	struct snap_error error;
	struct snap_reader *reader;
	struct snap_reader_info info;
	uint64_t value;
	build_begin(&b);
	build_strings(&b, sample_strings, sizeof sample_strings / sizeof *sample_strings);
	for (size_t i = 0; i < sample_good.column_count; i++) {
		const struct sample_column *c = &sample_good.columns[i];
		if (c->column == SNAP_ROOT_OBJECT)
			build_raw(&b, build_like(&b, c->column, SNAPFMT_PLANES, c->count),
				  "\xff\xff", 2);
		else
			build_column(&b, c->column, c->values, c->count);
	}
	REQUIRE(open_partial(&reader, b.bytes, b.size, 0, &error) == SNAP_OK);
	snap_reader_info(reader, &info);
	CHECK(info.damaged && info.damage.status == SNAP_CORRUPT);
	CHECK(scan_objects(reader).bytes == 476 && scan_objects(reader).lost == 0);
	CHECK(read_first(reader, SNAP_ROOT_OBJECT, &value, &error) == SNAP_CORRUPT);
	CHECK(read_first(reader, SNAP_ROOT_KIND_COLUMN, &value, &error) == SNAP_OK && value == 3);
	snap_reader_close(reader);
	build_free(&b);
}

static void test_nothing_there(void)
{
	struct snap_reader *reader;
	struct snap_error error;
	CHECK(open_partial(&reader, "nothing of the kind, really", 27, 0, &error) == SNAP_CORRUPT &&
	      strstr(error.message, "not a snapshot"));
	/* Beginnings of blocks, one inside the other, must not take the square of the time. */
	enum { SIZE = 8 << 20 };
	uint8_t *bytes = calloc(SIZE, 1);
	REQUIRE(bytes);
	const struct snapfmt_block block = {
		.row_count = 1, .raw_size = 1, .stored_size = SNAPFMT_MAX_STORED, .hash = 1};
	for (size_t at = 0; at + SNAPFMT_BLOCK_HEADER_SIZE <= SIZE;
	     at += SNAPFMT_BLOCK_HEADER_SIZE) {
		struct sink s = sink_over(bytes + at, SNAPFMT_BLOCK_HEADER_SIZE);
		snapfmt_write_block(&s, &block);
	}
	CHECK(open_partial(&reader, bytes, SIZE, 0, &error) == SNAP_LIMIT);
	free(bytes);
}

/* Whatever is cut off or changed: the rows that a salvage gives are those that were there. */
static void test_every_damage(void)
{
	static const uint64_t sizes[] = {48, 48, 32, 48, 100, 200};
	struct build b = {0};
	struct snap_error error;
	build_sample(&b, &sample_good);
	bool good = true, unseen = false;
	for (size_t i = 0; i < b.size * 2 && good; i++) {
		struct snap_reader *reader;
		size_t size = i < b.size ? i : b.size;
		if (i >= b.size)
			b.bytes[i - b.size] ^= 0x10;
		if (open_partial(&reader, b.bytes, size, 0, &error) == SNAP_OK) {
			struct rows rows = scan_objects(reader);
			uint64_t bytes = 0;
			for (size_t row = 0; row < 6; row++)
				bytes += rows.mask >> row & 1 ? sizes[row] : 0;
			good = rows.status == SNAP_END && rows.bytes == bytes &&
			       rows.addresses == rows.mask;
			unseen |= snap_reader_verify(reader, NULL, NULL, &error) == SNAP_OK;
			snap_reader_close(reader);
		}
		if (i >= b.size)
			b.bytes[i - b.size] ^= 0x10;
	}
	CHECK_NAMED(good, "every byte changed, every truncation: what is read is right");
	CHECK_NAMED(!unseen, "and never passes for whole");
	build_free(&b);
}

int main(void)
{
	test_bad_block();
	test_bad_batch(true);
	test_bad_batch(false);
	test_one_batch();
	test_no_trailer();
	test_hole();
	test_lost_tables();
	test_series();
	test_repeated();
	test_undecodable();
	test_nothing_there();
	test_every_damage();
	return DONE();
}
