/* Snapshots built by hand in memory, right or wrong, for
 * tests of the reader (FORMAT.md, sections 2 to 7). */
#ifndef BUILD_SNAPSHOT_H
#define BUILD_SNAPSHOT_H

#include "core.h"
#include "snapfmt.h"
#include "tap.h"

#ifndef BUILD_MAX_BLOCKS
#define BUILD_MAX_BLOCKS 256
#endif

#define SAMPLE_COLUMNS 40

struct sample_column {
	uint32_t column;
	size_t count;
	uint64_t values[16];
};

struct build {
	uint8_t *bytes;
	size_t size, capacity;
	size_t start; /* of the member being built */
	struct snapfmt_header header;
	struct snapfmt_block blocks[BUILD_MAX_BLOCKS];
	size_t offsets[BUILD_MAX_BLOCKS + 1];
	uint32_t block_count;
	struct libsnap_compressor *zstd;
};

static inline struct sink build_room(struct build *b, size_t size)
{
	if (b->capacity - b->size < size) {
		b->capacity = (b->size + size) * 2;
		b->bytes = realloc(b->bytes, b->capacity);
		REQUIRE(b->bytes);
	}
	return sink_over(b->bytes + b->size, size);
}

static inline void build_took(struct build *b, const struct sink *s)
{
	REQUIRE(!s->failed);
	b->size = (size_t)(s->at - b->bytes);
}

static inline void build_begin(struct build *b)
{
	b->start = b->size;
	b->block_count = 0;
	b->header = (struct snapfmt_header){.major = SNAPFMT_MAJOR,
					    .minor = SNAPFMT_MINOR,
					    .required_features = SNAPFMT_FEATURE_BATCHES};
	struct sink s = build_room(b, SNAPFMT_HEADER_SIZE);
	snapfmt_write_header(&s, &b->header);
	build_took(b, &s);
	if (!b->zstd)
		REQUIRE(libsnap_compressor_new(&b->zstd, NULL, 0, NULL) == SNAP_OK);
}

/* A block of given raw bytes; what is set in like (column,
 * encoding, flags, first row, row count) is kept. */
static inline void build_raw(struct build *b, struct snapfmt_block like, const void *raw,
			     size_t raw_size)
{
	static uint8_t stored[LIBSNAP_STORED_BOUND];
	size_t stored_size;
	REQUIRE(b->block_count < BUILD_MAX_BLOCKS);
	REQUIRE(libsnap_compress(b->zstd, raw, raw_size, stored, sizeof stored, &stored_size,
				 NULL) == SNAP_OK);
	like.sequence = b->block_count;
	like.raw_size = (uint32_t)raw_size;
	like.stored_size = (uint32_t)stored_size;
	like.hash = snapfmt_block_hash(&like, stored);
	b->offsets[b->block_count] = b->size;
	b->blocks[b->block_count++] = like;
	struct sink s = build_room(b, snapfmt_block_header_size(&like) + stored_size);
	snapfmt_write_block(&s, &like);
	sink_bytes(&s, stored, stored_size);
	build_took(b, &s);
	b->offsets[b->block_count] = b->size;
}

/* The row after the last one of a column so far. */
static inline uint64_t build_next_row(const struct build *b, uint32_t column)
{
	uint64_t row = 0;
	for (uint32_t i = 0; i < b->block_count; i++)
		if (SNAP_COLUMN(b->blocks[i].table, b->blocks[i].column) == column)
			row = b->blocks[i].first_row + b->blocks[i].row_count;
	return row;
}

static inline struct snapfmt_block build_like(const struct build *b, uint32_t column,
					      uint8_t encoding, size_t count)
{
	const struct snapfmt_column *known =
		snapfmt_find_column((uint16_t)(column >> 16), (uint16_t)column);
	return (struct snapfmt_block){
		.table = (uint16_t)(column >> 16),
		.column = (uint16_t)column,
		.encoding = encoding,
		.flags = known && known->critical ? SNAPFMT_BLOCK_CRITICAL : 0,
		.first_row = build_next_row(b, column),
		.row_count = (uint32_t)count,
	};
}

static inline void build_encoded(struct build *b, uint32_t column, uint8_t encoding,
				 const uint64_t *values, size_t count)
{
	size_t room = SNAPFMT_RAW_BOUND(count);
	uint8_t *raw = malloc(room);
	REQUIRE(raw);
	size_t size = snapfmt_codecs[encoding].encode(values, count, raw, room);
	REQUIRE(size > 0);
	build_raw(b, build_like(b, column, encoding, count), raw, size);
	free(raw);
}

static inline void build_column(struct build *b, uint32_t column, const uint64_t *values,
				size_t count)
{
	build_encoded(b, column, SNAPFMT_PLANES, values, count);
}

static inline void build_strings(struct build *b, const char *const *strings, size_t count)
{
	uint8_t raw[4096];
	struct sink s = sink_over(raw, sizeof raw);
	for (size_t i = 0; i < count; i++)
		sink_varint(&s, strlen(strings[i]));
	for (size_t i = 0; i < count; i++)
		sink_bytes(&s, strings[i], strlen(strings[i]));
	REQUIRE(!s.failed);
	build_raw(b, build_like(b, SNAP_STRING_TEXT, SNAPFMT_TEXT, count), raw,
		  (size_t)(s.at - raw));
}

/* Whole columns in a batch. */
static inline void build_batch(struct build *b, const struct sample_column *columns, size_t count)
{
	static uint8_t bytes[SNAPFMT_BATCH_MAX_SIZE], raw[SNAPFMT_BATCH_MAX_SIZE];
	struct snapfmt_batch_column entries[BUILD_MAX_BLOCKS];
	struct snapfmt_block like = {.flags = SNAPFMT_BLOCK_CRITICAL};
	uint32_t used = 0;
	REQUIRE(count <= BUILD_MAX_BLOCKS);
	for (size_t i = 0; i < count; i++) {
		struct snapfmt_block alone =
			build_like(b, columns[i].column, SNAPFMT_PLANES, columns[i].count);
		entries[i] = (struct snapfmt_batch_column){.table = alone.table,
							   .column = alone.column,
							   .encoding = alone.encoding,
							   .flags = alone.flags,
							   .row_count = alone.row_count,
							   .offset = used};
		entries[i].size = (uint32_t)snapfmt_encode_planes(
			columns[i].values, columns[i].count, bytes + used, sizeof bytes - used);
		REQUIRE(entries[i].size > 0);
		used += entries[i].size;
		like.first_row |= snapfmt_table_bit(alone.table);
	}
	struct sink s = sink_over(raw, sizeof raw);
	snapfmt_write_batch_start(&s, entries, count, bytes);
	sink_bytes(&s, bytes, used);
	REQUIRE(!s.failed);
	build_raw(b, like, raw, (size_t)(s.at - raw));
}

/* Directory and trailer; with, if not NULL, gives
 * flags, sampling interval and unknown references. */
static inline void build_end(struct build *b, const struct snapfmt_trailer *with)
{
	struct snapfmt_hasher identity;
	snapfmt_hasher_begin(&identity);
	uint8_t bytes[8];
	struct sink s = sink_over(bytes, 8);
	sink_u64(&s, b->header.hash);
	snapfmt_hasher_add(&identity, bytes, 8);
	size_t directory = b->size;
	size_t size = (size_t)SNAPFMT_DIRECTORY_SIZE(b->block_count);
	struct sink d = build_room(b, size);
	snapfmt_write_directory_start(&d, b->block_count);
	for (uint32_t i = 0; i < b->block_count; i++) {
		snapfmt_write_entry(&d, &b->blocks[i]);
		s = sink_over(bytes, 8);
		sink_u64(&s, b->blocks[i].hash);
		snapfmt_hasher_add(&identity, bytes, 8);
	}
	uint64_t hash = snapfmt_hash(b->bytes + directory, size - 8);
	sink_u64(&d, hash);
	build_took(b, &d);
	s = sink_over(bytes, 8);
	sink_u64(&s, hash);
	snapfmt_hasher_add(&identity, bytes, 8);
	struct snapfmt_trailer trailer = with ? *with : (struct snapfmt_trailer){0};
	trailer.snapshot_size = b->size + SNAPFMT_TRAILER_SIZE - b->start;
	trailer.directory_offset = directory - b->start;
	trailer.block_count = b->block_count;
	trailer.identity = snapfmt_identity(&identity, &trailer);
	struct sink t = build_room(b, SNAPFMT_TRAILER_SIZE);
	snapfmt_write_trailer(&t, &trailer);
	build_took(b, &t);
}

static inline void build_free(struct build *b)
{
	free(b->bytes);
	libsnap_compressor_free(b->zstd);
	memset(b, 0, sizeof *b);
}

/* ---- a small whole snapshot: 6 objects of 2 types ---- */

/* Each line is one block of a column; a test may change values before it builds. */
struct sample {
	struct sample_column columns[SAMPLE_COLUMNS];
	size_t column_count;
	struct snapfmt_trailer trailer;
};

static const char *const sample_strings[] = {
	"program", "demo", "runtime", "none",  "main", "app.c",
	"Node",    "List", "next",    "value", "app",  "worker",
};

static const struct sample sample_good = {
	.column_count = 38,
	.columns =
		{
			{SNAP_PROPERTY_KEY, 2, {1, 3}},
			{SNAP_PROPERTY_VALUE, 2, {2, 4}},
			{SNAP_MODULE_PATH, 1, {11}},
			{SNAP_FRAME_FUNCTION, 2, {5, 0}},
			{SNAP_FRAME_FILE, 2, {6, 6}},
			{SNAP_FRAME_LINE, 2, {10, 20}},
			{SNAP_FRAME_MODULE, 2, {1, 0}},
			{SNAP_FRAME_INLINED_INTO, 2, {2, 0}},
			{SNAP_STACK_PARENT, 3, {0, 1, 1}},
			{SNAP_STACK_FRAME, 3, {1, 2, 2}},
			{SNAP_TYPE_NAME, 2, {7, 8}},
			{SNAP_TYPE_KIND_COLUMN, 2, {0, 1}},
			{SNAP_SHAPE_TYPE, 2, {1, 2}},
			{SNAP_SHAPE_SLOT_COUNT, 2, {2, 1}},
			{SNAP_SHAPE_TAIL, 2, {0, 2}},
			{SNAP_SLOT_KIND, 3, {0, 0, 7}},
			{SNAP_SLOT_LABEL, 3, {9 * 4, 10 * 4, 3}},
			{SNAP_THREAD_ID, 1, {4711}},
			{SNAP_THREAD_NAME, 1, {12}},
			{SNAP_RUN_SHAPE, 2, {1, 2}},
			{SNAP_RUN_ROWS, 2, {4, 2}},
			{SNAP_OBJECT_ADDRESS, 4, {4096, 4160, 0, 4352}},
			{SNAP_OBJECT_ADDRESS, 2, {8192, 8256}},
			{SNAP_OBJECT_SIZE, 4, {48, 48, 32, 48}},
			{SNAP_OBJECT_SIZE, 2, {100, 200}},
			{SNAP_OBJECT_COUNT, 6, {1, 1, 10, 1, 1, 1}},
			{SNAP_OBJECT_STACK, 4, {2, 2, 3, 0}},
			{SNAP_OBJECT_STACK, 2, {3, 3}},
			{SNAP_TAIL_LENGTH, 2, {2, 1}},
			{SNAP_REFERENCE_TARGET, 13, {2, 4, 0, 0, 5, 5, 0, 6, 1, 0, 1, 2, 6}},
			{SNAP_TAIL_LABEL, 3, {1, 5, 4 * 4 + 2}},
			{SNAP_ROOT_OBJECT, 2, {1, 5}},
			{SNAP_ROOT_KIND_COLUMN, 2, {3, 2}},
			{SNAP_TOTAL_DIMENSION, 14, {0, 1, 1, 2, 2, 2, 3, 6, 6, 7, 7, 7, 42, 42}},
			{SNAP_TOTAL_KEY, 14, {0, 1, 2, 0, 2, 3, 0, 1, 2, 6, 7, 8, 0, 9}},
			{SNAP_TOTAL_BYTES,
			 14,
			 {764, 464, 300, 48, 96, 620, 764, 464, 300, 464, 100, 200, 700, 64}},
			{SNAP_TOTAL_COUNT, 14, {15, 13, 2, 1, 2, 12, 15, 13, 2, 13, 1, 1, 15, 0}},
			{SNAP_TIMELINE_BYTES, 1, {764}},
		},
};

static inline struct sample_column *sample_find(struct sample *sample, uint32_t column)
{
	for (size_t i = 0; i < sample->column_count; i++)
		if (sample->columns[i].column == column)
			return &sample->columns[i];
	const bool has_this_column = false;
	REQUIRE(has_this_column);
	return NULL;
}

static inline void sample_remove(struct sample *sample, uint32_t column)
{
	size_t kept = 0;
	for (size_t i = 0; i < sample->column_count; i++)
		if (sample->columns[i].column != column)
			sample->columns[kept++] = sample->columns[i];
	REQUIRE(kept < sample->column_count);
	sample->column_count = kept;
}

static inline void build_sample_blocks(struct build *b, const struct sample *sample)
{
	build_strings(b, sample_strings, sizeof sample_strings / sizeof *sample_strings);
	for (size_t i = 0; i < sample->column_count; i++)
		build_column(b, sample->columns[i].column, sample->columns[i].values,
			     sample->columns[i].count);
}

/* The same in blocks and batches: two batches, with blocks before, between and behind. */
static inline void build_mixed_sample(struct build *b)
{
	const struct sample *sample = &sample_good;
	build_begin(b);
	build_strings(b, sample_strings, sizeof sample_strings / sizeof *sample_strings);
	build_batch(b, sample->columns, 9);
	for (size_t i = 9; i < 28; i++)
		build_column(b, sample->columns[i].column, sample->columns[i].values,
			     sample->columns[i].count);
	build_batch(b, sample->columns + 28, 5);
	for (size_t i = 33; i < sample->column_count; i++)
		build_column(b, sample->columns[i].column, sample->columns[i].values,
			     sample->columns[i].count);
	build_end(b, &sample->trailer);
}

static inline void build_sample(struct build *b, const struct sample *sample)
{
	build_begin(b);
	build_sample_blocks(b, sample);
	build_end(b, &sample->trailer);
}

#endif
