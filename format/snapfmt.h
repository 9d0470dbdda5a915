/* The snapshot format inside one buffer: no I/O, no heap,
 * no compression.  Structures in FORMAT.md's order. */
#ifndef SNAPFMT_H
#define SNAPFMT_H

#include "bytes.h"

#define SNAPFMT_FRAME_MAGIC     0x184D2A53u
#define SNAPFMT_MAJOR           1
#define SNAPFMT_MINOR           1
#define SNAPFMT_FEATURE_BATCHES 1u /* required: there may be batches */

#define SNAPFMT_HEADER_SIZE            48
#define SNAPFMT_HEADER_MAX_SIZE        (8 + 4096)
#define SNAPFMT_BLOCK_HEADER_SIZE      56
#define SNAPFMT_BATCH_HEADER_SIZE      28
#define SNAPFMT_ENTRY_SIZE             40
#define SNAPFMT_DIRECTORY_SIZE(blocks) (24 + SNAPFMT_ENTRY_SIZE * (uint64_t)(blocks))
#define SNAPFMT_TRAILER_SIZE           80
#define SNAPFMT_SMALL_START_SIZE       16 /* what all small headers begin with */
#define SNAPFMT_SMALL_END_SIZE         12

#define SNAPFMT_MAX_ROWS          1048576u
#define SNAPFMT_MAX_RAW           1048576u
#define SNAPFMT_MAX_STORED        1052672u
#define SNAPFMT_MAX_STRING        262144u
#define SNAPFMT_MAX_BLOCKS        (1u << 26)
#define SNAPFMT_MAX_BATCHES       64u
#define SNAPFMT_BATCH_MAX_SIZE    65535u /* raw, and stored */
#define SNAPFMT_BATCH_MAX_COLUMNS 1024u

#define SNAPFMT_BLOCK_CRITICAL 1u
#define SNAPFMT_NO_DIRECTORY   32u /* the trailer's flag */

enum snapfmt_encoding {
	SNAPFMT_CONSTANT = 0,
	SNAPFMT_PLANES = 1,
	SNAPFMT_DELTA = 2,
	SNAPFMT_DICTIONARY = 3,
	SNAPFMT_RUNS = 4,
	SNAPFMT_STEPS = 5,
	SNAPFMT_TEXT = 6,
	SNAPFMT_RANGES = 7,
	SNAPFMT_ADJACENT = 8,
};
#define SNAPFMT_ENCODING_COUNT 9

/* What reading a structure can answer. */
enum snapfmt_result { SNAPFMT_GOOD = 0, SNAPFMT_NOT_THIS, SNAPFMT_BROKEN, SNAPFMT_NEWER };

struct snapfmt_header {
	uint32_t frame_size; /* the whole frame's, header size included */
	uint16_t major, minor;
	uint32_t required_features, optional_features;
	uint64_t hash;
	bool small; /* there is none: it is that of a small snapshot, and frame_size 0 */
};

/* A batch has table 0 and, if it comes from a directory, as first_row the tables of its columns. */
struct snapfmt_block {
	/* a batch that is a small snapshot, and has its tag; the hash does not depend on it */
	bool small;
	uint32_t sequence;
	uint16_t table, column;
	uint8_t encoding, flags;
	uint64_t first_row;
	uint32_t row_count, raw_size, stored_size;
	uint64_t hash;
};

struct snapfmt_trailer {
	uint32_t flags;
	uint64_t snapshot_size, directory_offset, block_count;
	uint64_t sampling_interval, unknown_references, spare, identity, hash;
	/* of a small snapshot: sizes and offset are those in the file, identity is not set */
	bool small;
};

/* XXH64, as bytes are added. */
uint64_t snapfmt_hash(const void *bytes, size_t size);
struct snapfmt_hasher {
	uint64_t opaque[12];
};
void snapfmt_hasher_begin(struct snapfmt_hasher *h);
void snapfmt_hasher_add(struct snapfmt_hasher *h, const void *bytes, size_t size);
uint64_t snapfmt_hasher_end(const struct snapfmt_hasher *h);

/* Headers.  Readers get the bytes of the frame; NOT_THIS: no such frame begins here, BROKEN:
 * damaged, NEWER: sound but for a newer reader.  *reason, when not GOOD, is a static phrase. */
enum snapfmt_result snapfmt_read_header(struct cursor *c, struct snapfmt_header *out,
					const char **reason);
void snapfmt_write_header(struct sink *s, struct snapfmt_header *header); /* sets its hash */
/* that of the snapshot that a small one stands for */
struct snapfmt_header snapfmt_small_header(void);

/* A block's header, or a batch's.  The hash is not
 * checked: it needs the payload (snapfmt_block_hash). */
static inline bool snapfmt_is_batch(const struct snapfmt_block *block)
{
	return block->table == 0;
}
static inline size_t snapfmt_block_header_size(const struct snapfmt_block *block)
{
	return snapfmt_is_batch(block) ? SNAPFMT_BATCH_HEADER_SIZE : SNAPFMT_BLOCK_HEADER_SIZE;
}
enum snapfmt_result snapfmt_read_block(struct cursor *c, struct snapfmt_block *out,
				       const char **reason);
uint64_t snapfmt_block_hash(const struct snapfmt_block *block, const void *payload);
void snapfmt_write_block(struct sink *s, const struct snapfmt_block *block); /* hash already set */

/* The directory's fixed part: tag and count, then count
 * entries, then the hash, which the caller compares. */
enum snapfmt_result snapfmt_read_directory_start(struct cursor *c, uint32_t *block_count,
						 const char **reason);
/* sequence is left alone */
enum snapfmt_result snapfmt_read_entry(struct cursor *c, struct snapfmt_block *out,
				       const char **reason);
void snapfmt_write_directory_start(struct sink *s, uint32_t block_count);
void snapfmt_write_entry(struct sink *s, const struct snapfmt_block *block);

/* A column in a batch: all of its rows.  size bytes from offset on in the batch are its own. */
struct snapfmt_batch_column {
	uint16_t table, column;
	uint8_t encoding, flags;
	uint32_t row_count, offset, size;
};
/* False, with a reason, if the raw bytes break the rules; else
 * columns has got *count, at most SNAPFMT_BATCH_MAX_COLUMNS. */
bool snapfmt_read_batch(const uint8_t *raw, size_t raw_size, struct snapfmt_batch_column *columns,
			size_t *count, const char **reason);
/* What a batch of these columns begins with; a constant's bytes are in it,
 * the others' follow in this order.  bytes is where offset counts from. */
void snapfmt_write_batch_start(struct sink *s, const struct snapfmt_batch_column *columns,
			       size_t count, const uint8_t *bytes);
/* The bit of a table in a batch's directory entry. */
static inline uint64_t snapfmt_table_bit(uint16_t table)
{
	return (uint64_t)1 << (table < 64 ? table : 0);
}

enum snapfmt_result snapfmt_read_trailer(struct cursor *c, struct snapfmt_trailer *out,
					 const char **reason);
void snapfmt_write_trailer(struct sink *s, struct snapfmt_trailer *trailer); /* sets its hash */
/* The identity: hashes has got those of header, blocks and
 * directory; what the trailer states comes after them. */
uint64_t snapfmt_identity(const struct snapfmt_hasher *hashes,
			  const struct snapfmt_trailer *trailer);

/* The end of a small snapshot, else a trailer: what the last bytes of a
 * snapshot are, of which at most SNAPFMT_TRAILER_SIZE need be given. */
enum snapfmt_result snapfmt_read_end(const uint8_t *bytes, size_t size, struct snapfmt_trailer *out,
				     const char **reason);
void snapfmt_write_small_end(struct sink *s, uint32_t snapshot_size);

/* Encodings of integers.  encode returns the raw size, or 0 if this encoding cannot or does not
 * fit in size.  decode fills all count values, or returns false: nothing may then be believed. */
#define SNAPFMT_RAW_BOUND(count) (9 * (size_t)(count) + 64)
size_t snapfmt_encode_constant(const uint64_t *values, size_t count, uint8_t *raw, size_t size);
size_t snapfmt_encode_planes(const uint64_t *values, size_t count, uint8_t *raw, size_t size);
size_t snapfmt_encode_delta(const uint64_t *values, size_t count, uint8_t *raw, size_t size);
size_t snapfmt_encode_dictionary(const uint64_t *values, size_t count, uint8_t *raw, size_t size);
size_t snapfmt_encode_runs(const uint64_t *values, size_t count, uint8_t *raw, size_t size);
size_t snapfmt_encode_steps(const uint64_t *values, size_t count, uint8_t *raw, size_t size);
/* bounds: where each of the 1 to SNAPFMT_MAX_RANGES ranges begins, ascending, the
 * first not 0.  0 too if a value comes before all of them, or if all values are 0. */
#define SNAPFMT_MAX_RANGES 255u
size_t snapfmt_encode_ranges(const uint64_t *values, size_t count, const uint64_t *bounds,
			     size_t bound_count, uint8_t *raw, size_t size);
bool snapfmt_decode_constant(struct cursor *c, uint64_t *values, size_t count);
bool snapfmt_decode_planes(struct cursor *c, uint64_t *values, size_t count);
bool snapfmt_decode_delta(struct cursor *c, uint64_t *values, size_t count);
bool snapfmt_decode_dictionary(struct cursor *c, uint64_t *values, size_t count);
bool snapfmt_decode_runs(struct cursor *c, uint64_t *values, size_t count);
bool snapfmt_decode_steps(struct cursor *c, uint64_t *values, size_t count);
bool snapfmt_decode_ranges(struct cursor *c, uint64_t *values, size_t count);

/* Of objects' addresses; sizes: those of the same count objects. */
size_t snapfmt_encode_adjacent(const uint64_t *values, const uint64_t *sizes, size_t count,
			       uint8_t *raw, size_t size);
bool snapfmt_decode_adjacent(const uint8_t *raw, size_t raw_size, const uint64_t *sizes,
			     uint64_t *values, size_t count);

struct snapfmt_codec {
	const char *name;
	size_t (*encode)(const uint64_t *values, size_t count, uint8_t *raw, size_t size);
	bool (*decode)(struct cursor *c, uint64_t *values, size_t count);
};
/* By encoding id; text and adjacent have a name only,
 * ranges no encode: it needs to be told of them. */
extern const struct snapfmt_codec snapfmt_codecs[SNAPFMT_ENCODING_COUNT];

/* Decodes raw bytes, which must be used up exactly. */
bool snapfmt_decode(uint8_t encoding, const uint8_t *raw, size_t raw_size, uint64_t *values,
		    size_t count);

/* Where parts of encoded integers end that have little in common, such as planes; the last end
 * is raw_size.  Of bytes that no encoder made, these are some places or other, in order. */
#define SNAPFMT_MAX_PARTS 24u
size_t snapfmt_find_parts(uint8_t encoding, const uint8_t *raw, size_t raw_size, size_t count,
			  size_t *ends);

/* Text: offsets[i] to offsets[i + 1] within *bytes are string i; offsets has count + 1 elements. */
bool snapfmt_decode_text(const uint8_t *raw, size_t raw_size, size_t count, uint32_t *offsets,
			 const char **bytes);

/* The registry (spec/registry.yaml). */
enum snapfmt_unit {
	SNAPFMT_NUMBER, /* and all other plain numbers */
	SNAPFMT_ID,     /* row + 1 of refers_to */
	SNAPFMT_OPTIONAL_ID,
	SNAPFMT_LABEL,
};
struct snapfmt_column {
	uint16_t table, column;
	const char *table_name, *column_name;
	enum snapfmt_unit unit;
	uint16_t refers_to; /* table of ids, else 0 */
	uint8_t default_value;
	bool is_text, critical, always;
};
extern const struct snapfmt_column snapfmt_columns[];
extern const size_t snapfmt_column_count;
/* NULL if unknown */
const struct snapfmt_column *snapfmt_find_column(uint16_t table, uint16_t column);
#define SNAPFMT_TABLE_COUNT 41 /* ids are 1 to this, not all of them given out */

#endif
