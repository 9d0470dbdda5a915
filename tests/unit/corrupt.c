/* Damage is always noticed, and never called anything but damage: every bit
 * of every golden file flipped, every length, blocks dropped, repeated,
 * exchanged.  And what a partial reader gives is what was there. */
#include <dirent.h>

#include "build_snapshot.h"
#include "snap.h"
#include "snapfmt.h"
#include "tap.h"

#define MAX_GOLDEN  16384u
#define MAX_FILES   32
#define MAX_COLUMNS 192
#define MAX_BLOCKS  512

struct golden {
	char name[256];
	uint8_t *bytes;
	size_t size;
	/* what an undamaged read gives */
	struct snap_reader_info info;
	struct snap_reader *reader;
	uint64_t digests[MAX_COLUMNS];
	struct {
		size_t offset, size;
	} blocks[MAX_BLOCKS]; /* and batches, headers and all */
	size_t block_count;
};

static enum snap_status open_bytes(struct snap_reader **out, const uint8_t *bytes, size_t size,
				   bool partial, struct snap_error *error)
{
	struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
	options.partial = partial;
	return snap_reader_open_memory(out, bytes, size, &options, error);
}

/* ---- all values of a column, or the first failure ---- */

static enum snap_status digest_column(struct snap_reader *reader,
				      const struct snap_column_info *info, uint64_t *digest,
				      struct snap_error *error)
{
	struct snap_column *column;
	struct snapfmt_hasher hasher;
	uint64_t rows = snap_reader_row_count(reader, (enum snap_table)(info->column >> 16)), value;
	enum snap_status status = snap_column_open(&column, reader, info->column, error);
	if (status != SNAP_OK)
		return status;
	snapfmt_hasher_begin(&hasher);
	snapfmt_hasher_add(&hasher, &rows, sizeof(rows));
	for (uint64_t row = 0; status == SNAP_OK && row < rows; row++) {
		const char *bytes = (const char *)&value;
		size_t size = sizeof(value);
		if (info->is_text)
			status = snap_column_text(column, row, &bytes, &size, error);
		else
			status = snap_column_read(column, row, 1, &value, error);
		if (status == SNAP_OK) {
			snapfmt_hasher_add(&hasher, &size, sizeof(size));
			snapfmt_hasher_add(&hasher, bytes, size);
		}
	}
	snap_column_close(column);
	*digest = snapfmt_hasher_end(&hasher);
	return status;
}

/* Whether a reader of damaged bytes tells nothing but the
 * truth: each column is as it was, or fails as corrupt. */
static bool columns_are_true(const struct golden *g, struct snap_reader *reader)
{
	struct snap_column_info info;
	for (size_t i = 0; snap_column_at(i, &info); i++) {
		uint64_t digest;
		struct snap_error error;
		enum snap_status status = digest_column(reader, &info, &digest, &error);
		if (status == SNAP_OK ? digest != g->digests[i] : status != SNAP_CORRUPT)
			return false;
	}
	return true;
}

static bool info_is_true(const struct golden *g, const struct snap_reader *reader)
{
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	return info.flags == g->info.flags && info.identity == g->info.identity &&
	       info.sampling_interval_bytes == g->info.sampling_interval_bytes &&
	       info.unknown_references == g->info.unknown_references &&
	       info.member_count == g->info.member_count;
}

/* Verification says corrupt; and, if read_columns, nothing false is told before. */
static bool is_noticed(const struct golden *g, const uint8_t *bytes, size_t size, bool read_columns)
{
	struct snap_reader *reader;
	struct snap_error error;
	enum snap_status status = open_bytes(&reader, bytes, size, false, &error);
	if (status != SNAP_OK)
		return status == SNAP_CORRUPT;
	bool good = info_is_true(g, reader) && (!read_columns || columns_are_true(g, reader)) &&
		    snap_reader_verify(reader, NULL, NULL, &error) == SNAP_CORRUPT;
	snap_reader_close(reader);
	return good;
}

/* ---- partial readers ---- */

static bool same_value(const struct golden *g, struct snap_column *damaged,
		       struct snap_column *whole, const struct snap_column_info *info, uint64_t row)
{
	uint64_t a, b;
	const char *text_a, *text_b;
	size_t size_a, size_b;
	struct snap_error error;
	enum snap_status status = info->is_text
					  ? snap_column_text(damaged, row, &text_a, &size_a, &error)
					  : snap_column_read(damaged, row, 1, &a, &error);
	if (status != SNAP_OK)
		return status == SNAP_CORRUPT;
	if (row >= snap_reader_row_count(g->reader, (enum snap_table)(info->column >> 16)))
		return false;
	if (info->is_text)
		return snap_column_text(whole, row, &text_b, &size_b, &error) == SNAP_OK &&
		       size_a == size_b && memcmp(text_a, text_b, size_a) == 0;
	return snap_column_read(whole, row, 1, &b, &error) == SNAP_OK && a == b;
}

/* Values that a partial reader gives are those that were there.  An
 * absent column of a salvaged snapshot gives defaults, as it may have
 * been lost without a trace: only columns that are there are compared. */
static bool partial_is_true(const struct golden *g, const uint8_t *bytes, size_t size,
			    bool must_be_damaged, uint64_t *rows_read)
{
	struct snap_reader *reader;
	struct snap_error error;
	enum snap_status status = open_bytes(&reader, bytes, size, true, &error);
	if (status != SNAP_OK)
		return status == SNAP_CORRUPT;
	bool good = true;
	struct snap_column_info info;
	for (size_t i = 0; good && snap_column_at(i, &info); i++) {
		struct snap_column *damaged = NULL, *whole = NULL;
		if (!snap_reader_has_column(reader, info.column))
			continue;
		good = snap_column_open(&damaged, reader, info.column, &error) == SNAP_OK &&
		       snap_column_open(&whole, g->reader, info.column, &error) == SNAP_OK;
		uint64_t rows = snap_reader_row_count(reader, (enum snap_table)(info.column >> 16));
		for (uint64_t row = 0; good && row < rows; row++, ++*rows_read)
			good = same_value(g, damaged, whole, &info, row);
		snap_column_close(damaged);
		snap_column_close(whole);
	}
	struct snap_reader_info about;
	snap_reader_info(reader, &about);
	good = good && (about.damaged || !must_be_damaged);
	snap_reader_close(reader);
	return good;
}

/* ---- golden files ---- */

static void find_blocks(struct golden *g)
{
	struct snapfmt_block block;
	const char *reason;
	for (size_t at = SNAPFMT_HEADER_SIZE; g->block_count < MAX_BLOCKS; g->block_count++) {
		struct cursor c = cursor_over(g->bytes + at, g->size - at);
		if (snapfmt_read_block(&c, &block, &reason) != SNAPFMT_GOOD)
			break;
		size_t size = snapfmt_block_header_size(&block) + block.stored_size;
		g->blocks[g->block_count].offset = at;
		g->blocks[g->block_count].size = size;
		at += size;
	}
}

/* What an undamaged read of g->bytes gives. */
static void know(struct golden *g)
{
	struct snap_error error;
	struct snap_column_info info;
	REQUIRE(open_bytes(&g->reader, g->bytes, g->size, false, &error) == SNAP_OK);
	REQUIRE(snap_reader_verify(g->reader, NULL, NULL, &error) == SNAP_OK);
	snap_reader_info(g->reader, &g->info);
	for (size_t i = 0; snap_column_at(i, &info); i++) {
		REQUIRE(i < MAX_COLUMNS);
		REQUIRE(digest_column(g->reader, &info, &g->digests[i], &error) == SNAP_OK);
	}
	find_blocks(g);
}

static bool load(struct golden *g, const char *folder, const char *name)
{
	char path[1024];
	REQUIRE((size_t)snprintf(path, sizeof(path), "%s/%s", folder, name) < sizeof(path));
	snprintf(g->name, sizeof(g->name), "%s", name);
	FILE *file = fopen(path, "rb");
	g->bytes = malloc(MAX_GOLDEN + 1);
	REQUIRE(file != NULL && g->bytes != NULL);
	g->size = fread(g->bytes, 1, MAX_GOLDEN + 1, file);
	fclose(file);
	if (g->size > MAX_GOLDEN) {
		free(g->bytes);
		return false;
	}
	know(g);
	return true;
}

/* Small files that libsnap writes are one batch: here is
 * one of many blocks, and one of blocks and batches. */
static void load_built(struct golden *g, bool mixed)
{
	struct build b = {0};
	if (mixed)
		build_mixed_sample(&b);
	else
		build_sample(&b, &sample_good);
	snprintf(g->name, sizeof(g->name), "%s", mixed ? "blocks and batches" : "blocks");
	g->bytes = b.bytes;
	g->size = b.size;
	REQUIRE(g->size <= MAX_GOLDEN);
	libsnap_compressor_free(b.zstd);
	know(g);
}

static void check(const struct golden *g, uint64_t failures, uint64_t tries, const char *what)
{
	char name[400];
	snprintf(name, sizeof(name), "%.255s: %s: %" PRIu64 " tried, %" PRIu64 " not noticed",
		 g->name, what, tries, failures);
	CHECK_NAMED(failures == 0 && tries > 0, name);
}

/* Reading every column takes four times as long as verification: for
 * some of the bits, unless all are asked for.  The strides have no
 * factor in common with 8, so that all bits of bytes have their turn. */
static void test_flips(const struct golden *g, bool exhaustive)
{
	uint8_t *copy = malloc(g->size);
	uint64_t failures = 0, tries = 0, partial_failures = 0, rows = 0;
	REQUIRE(copy != NULL);
	memcpy(copy, g->bytes, g->size);
	for (size_t bit = 0; bit < 8 * g->size; bit += exhaustive ? 1 : TAP_FEWER) {
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
		tries++;
		if (!is_noticed(g, copy, g->size, exhaustive || bit % 11 == 0) && failures++ < 10)
			printf("# bit %zu (byte %zu) is not noticed\n", bit, bit / 8);
		if ((exhaustive || bit % 49 == 0) &&
		    !partial_is_true(g, copy, g->size, false, &rows) && partial_failures++ < 10)
			printf("# bit %zu (byte %zu): a partial reader lies\n", bit, bit / 8);
		copy[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	check(g, failures, tries, "single bits");
	check(g, partial_failures, rows, "single bits, values of partial readers");
	free(copy);
}

static void test_cuts(const struct golden *g)
{
	uint64_t failures = 0, partial_failures = 0, rows = 0;
	for (size_t size = 0; size < g->size; size++) {
		/* of just that size, so that a sanitizer sees reads past it */
		uint8_t *copy = malloc(size ? size : 1);
		REQUIRE(copy != NULL);
		memcpy(copy, g->bytes, size);
		if (!is_noticed(g, copy, size, true) && failures++ < 10)
			printf("# cut to %zu is not noticed\n", size);
		if (size % 7 == 0 && !partial_is_true(g, copy, size, true, &rows) &&
		    partial_failures++ < 10)
			printf("# cut to %zu: a partial reader lies\n", size);
		free(copy);
	}
	check(g, failures, g->size, "truncations");
	check(g, partial_failures, rows, "truncations, values of partial readers");
}

/* A file put together from pieces of others. */
struct patchwork {
	uint8_t bytes[3 * MAX_GOLDEN];
	size_t size;
};

static void add(struct patchwork *p, const uint8_t *bytes, size_t size)
{
	REQUIRE(size <= sizeof(p->bytes) - p->size);
	memcpy(p->bytes + p->size, bytes, size);
	p->size += size;
}

static void add_block(struct patchwork *p, const struct golden *g, size_t i)
{
	add(p, g->bytes + g->blocks[i].offset, g->blocks[i].size);
}

static size_t end_of_block(const struct golden *g, size_t i)
{
	return g->blocks[i].offset + g->blocks[i].size;
}

enum change { DROP, REPEAT, EXCHANGE, FOREIGN, CHANGES };
static const char *const change_names[CHANGES] = {
	"a block dropped",
	"a block repeated",
	"two blocks exchanged",
	"a block of another file",
};

static void build(struct patchwork *p, const struct golden *g, const struct golden *other,
		  enum change change, size_t i)
{
	p->size = 0;
	add(p, g->bytes, g->blocks[i].offset);
	if (change == EXCHANGE)
		add_block(p, g, i + 1);
	if (change == FOREIGN)
		add_block(p, other, i % other->block_count);
	if (change != DROP && change != FOREIGN)
		add_block(p, g, i);
	if (change == REPEAT)
		add_block(p, g, i);
	size_t rest = end_of_block(g, change == EXCHANGE ? i + 1 : i);
	add(p, g->bytes + rest, g->size - rest);
}

static void test_blocks(const struct golden *g, const struct golden *other)
{
	static struct patchwork p;
	for (int change = 0; change < CHANGES && g->block_count > 0 && other->block_count > 0;
	     change++) {
		uint64_t failures = 0, tries = 0, rows = 0;
		size_t count = change == EXCHANGE ? g->block_count - 1 : g->block_count;
		for (size_t i = 0; i < count; i++) {
			build(&p, g, other, (enum change)change, i);
			if (p.size == g->size && memcmp(p.bytes, g->bytes, g->size) == 0)
				continue;
			tries++;
			/* A foreign block has a good hash: a partial
			 * reader may take it for one of this file. */
			failures += !is_noticed(g, p.bytes, p.size, true) ||
				    (change != FOREIGN &&
				     !partial_is_true(g, p.bytes, p.size, true, &rows));
		}
		if (count > 0)
			check(g, failures, tries, change_names[change]);
	}
}

static void test_additions(const struct golden *g)
{
	static struct patchwork p;
	static const uint8_t zeros[80];
	uint64_t failures = 0;
	const struct {
		const uint8_t *bytes;
		size_t size;
	} additions[] = {
		{zeros, 1},
		{zeros, 80},
		{g->bytes, 48},
		{g->bytes, g->size - 1},
		{g->bytes + 1, g->size - 1},
		{g->bytes + g->size - 80, 80},
		{(const uint8_t *)"\n", 1},
	};
	size_t count = sizeof(additions) / sizeof(*additions);
	for (size_t i = 0; i < count; i++) {
		p.size = 0;
		add(&p, g->bytes, g->size);
		add(&p, additions[i].bytes, additions[i].size);
		failures += !is_noticed(g, p.bytes, p.size, true);
		p.size = 0;
		add(&p, additions[i].bytes, additions[i].size);
		add(&p, g->bytes, g->size);
		failures += !is_noticed(g, p.bytes, p.size, true);
	}
	check(g, failures, 2 * count, "bytes added before and after");
}

int main(void)
{
	static struct golden files[MAX_FILES];
	char folder[900];
	size_t count = 0;
	const char *build_folder = getenv("BUILD");
	const bool exhaustive = getenv("EXHAUSTIVE") != NULL;
	snprintf(folder, sizeof(folder), "%s/tests/data", build_folder ? build_folder : "build");
	DIR *entries = opendir(folder);
	REQUIRE(entries != NULL);
	for (struct dirent *entry; (entry = readdir(entries));) {
		size_t length = strlen(entry->d_name);
		if (count + 2 < MAX_FILES && length > 5 &&
		    strcmp(entry->d_name + length - 5, ".snap") == 0)
			count += load(&files[count], folder, entry->d_name);
	}
	closedir(entries);
	CHECK(count >= 3);
	load_built(&files[count++], false);
	load_built(&files[count++], true);
	CHECK(files[count - 2].block_count > 30 && files[count - 1].block_count > 20);
	for (size_t i = 0; i < count; i++) {
		test_flips(&files[i], exhaustive);
		test_cuts(&files[i]);
		test_blocks(&files[i], &files[(i + 1) % count]);
		test_additions(&files[i]);
	}
	for (size_t i = 0; i < count; i++) {
		snap_reader_close(files[i].reader);
		free(files[i].bytes);
	}
	return DONE();
}
