/* What the parts of the reader share (FORMAT.md, sections 2 to 8). */
#ifndef LIBSNAP_READER_H
#define LIBSNAP_READER_H

#include <pthread.h>

#include "core.h"
#include "scan.h"
#include "snapfmt.h"

/* Fuzzers cannot guess hashes: in their builds any hash is right. */
static inline bool libsnap_hash_agrees(uint64_t found, uint64_t wanted)
{
#ifdef FUZZING_BUILD_MODE_UNSAFE_FOR_PRODUCTION
	(void)found;
	(void)wanted;
	return true;
#else
	return found == wanted;
#endif
}

/* ---- where the bytes come from (source.c) ---- */

struct libsnap_source {
	uint64_t size;
	const uint8_t *memory;     /* all of it, if it is in memory */
	struct snap_source caller; /* else, where read_at is set */
	const struct snap_io *io;  /* else */
	void *file;
	bool owns_file;
};

enum snap_status libsnap_source_open_path(struct libsnap_source *, const char *path,
					  const struct snap_io *io, const char *folder,
					  const struct snap_allocator *, struct snap_error *);
enum snap_status libsnap_source_open_descriptor(struct libsnap_source *, int descriptor,
						const struct snap_io *io, const char *folder,
						const struct snap_allocator *, struct snap_error *);
/* Exactly size bytes. */
enum snap_status libsnap_source_read(const struct libsnap_source *, uint64_t offset, void *buffer,
				     size_t size, struct snap_error *);
void libsnap_source_close(struct libsnap_source *);

/* ---- the directory in memory (directory.c) ---- */

struct libsnap_block {
	uint64_t offset; /* of its header in the file; of its batch's, if it lies in one */
	uint64_t first_row, hash;
	/* SNAP_COLUMN; 0: a batch, not opened yet, with its tables' bits, if known, as first_row */
	uint32_t column;
	uint32_t batch;  /* number from 1 of the batch that it lies in; 0: a block of its own */
	uint32_t inside; /* where in the batch */
	uint32_t row_count, raw_size, stored_size, sequence;
	uint8_t encoding, flags;
	uint8_t lost;  /* set and read atomically */
	uint8_t small; /* a batch that is a small snapshot */
};

/* What is in a batch, decompressed and checked (batches.c). */
struct libsnap_batch {
	uint8_t *raw;
	size_t raw_size;
};

/* The blocks of one column, in the order of their rows: reader->order[first] and on. */
struct libsnap_column {
	uint32_t column;
	uint32_t first, count;
	uint64_t row_count;
	const struct snapfmt_column *known; /* NULL if not, or if a block's encoding is not */
};

struct snap_reader {
	struct snap_allocator own_allocator;
	const struct snap_allocator *allocator; /* NULL, or own_allocator */
	struct snap_io io;
	struct libsnap_source source;
	bool partial;
	uint64_t max_memory, used_memory; /* used: atomic */
	struct snap_reader_info info;     /* damaged, lost_blocks, damage: under lock */
	pthread_mutex_t lock;
	struct libsnap_block *blocks;
	size_t block_count, block_capacity;
	struct libsnap_batch *batches;
	size_t batch_count, batch_capacity;
	uint32_t *order;
	size_t order_capacity;
	struct libsnap_column *columns;
	size_t column_count, column_capacity;
	uint64_t rows[SNAPFMT_TABLE_COUNT + 1];
	/* From this row on, a column that is absent may have been lost (salvage.c). */
	uint64_t doubtful_from[SNAPFMT_TABLE_COUNT + 1];
	struct snap_column *strings, *property_keys, *property_values;
};

/* One member: its place, its trailer and its header's size and hash. */
struct libsnap_member {
	uint64_t start, size;
	struct snapfmt_header header;
	struct snapfmt_trailer trailer;
};

/* Memory that counts towards max_memory: SNAP_LIMIT beyond it.  *pointer is set on success. */
enum snap_status libsnap_reader_resize(struct snap_reader *, void **pointer, size_t old_count,
				       size_t new_count, size_t element_size, struct snap_error *);
void libsnap_reader_free(struct snap_reader *, void *pointer, size_t count, size_t element_size);

enum snap_status libsnap_result_status(enum snapfmt_result result);
/* Which of count members is meant, from 1; 0 if none. */
uint64_t libsnap_member_number(int64_t wanted, uint64_t count);
bool libsnap_is_lost(const struct libsnap_block *);
/* A partial reader goes on without the block; the first damage is kept. */
void libsnap_note_lost(struct snap_reader *, struct libsnap_block *, const struct snap_error *);
void libsnap_note_damage(struct snap_reader *, uint64_t lost_blocks, const struct snap_error *);

/* Room for count blocks in reader->blocks. */
enum snap_status libsnap_reserve_blocks(struct snap_reader *, size_t count, struct snap_error *);
void libsnap_block_from(struct libsnap_block *out, const struct snapfmt_block *, uint64_t offset);
/* What its header says. */
struct snapfmt_block libsnap_block_header(const struct libsnap_block *);
struct libsnap_directory {
	uint64_t offset;
	uint32_t count;
	uint64_t hash; /* set */
};
typedef enum snap_status libsnap_take_entry(void *context, const struct snapfmt_block *,
					    struct snap_error *);
/* Reads a directory of count entries and calls take() for each, then compares its hash. */
enum snap_status libsnap_read_directory(struct snap_reader *, struct libsnap_directory *,
					libsnap_take_entry *take, void *context,
					struct snap_error *);
static inline size_t libsnap_block_header_size(const struct libsnap_block *block)
{
	return block->column ? SNAPFMT_BLOCK_HEADER_SIZE : SNAPFMT_BATCH_HEADER_SIZE;
}
/* Puts the columns that are in batches in the place of the batches
 * (batches.c).  A salvaged batch that is not whole is left out, and the bits of
 * its tables are added to *lost_tables: all of them if that is not known. */
enum snap_status libsnap_open_batches(struct snap_reader *, bool salvaged, uint64_t *lost_tables,
				      struct snap_error *);
/* Forgets blocks, batches, columns and rows (index.c). */
void libsnap_forget_blocks(struct snap_reader *);
/* The directory of a sound member, into reader->blocks; checks places, sizes and identity. */
enum snap_status libsnap_load_directory(struct snap_reader *, struct libsnap_member *,
					struct snap_error *);
/* Groups reader->blocks, which are in the order of their sequence, by column, and checks what the
 * format says of columns and rows (index.c). */
enum snap_status libsnap_index_blocks(struct snap_reader *, bool salvaged, struct snap_error *);
void libsnap_sort_u64(uint64_t *values, size_t count);
/* NULL if absent. */
const struct libsnap_column *libsnap_find_column(const struct snap_reader *, uint32_t column);
/* The i-th block of a column. */
static inline struct libsnap_block *libsnap_block_of(const struct snap_reader *reader,
						     const struct libsnap_column *column, size_t i)
{
	return &reader->blocks[reader->order[column->first + i]];
}
/* Index of the first block that ends after row; column->count if there is none. */
size_t libsnap_block_at(const struct snap_reader *, const struct libsnap_column *, uint64_t row);

/* ---- salvage (salvage.c, walk.c) ---- */

enum libsnap_frame_kind {
	LIBSNAP_FRAME_NONE,
	LIBSNAP_FRAME_HEADER,
	LIBSNAP_FRAME_BLOCK,
	LIBSNAP_FRAME_DIRECTORY,
	LIBSNAP_FRAME_TRAILER
};

struct libsnap_sound_frame {
	enum libsnap_frame_kind kind;
	bool newer;         /* sound, but for a newer reader */
	const char *reason; /* if newer */
	uint64_t offset, size;
	struct snapfmt_header header;
	struct snapfmt_block block;
	struct snapfmt_trailer trailer;
	uint32_t entry_count; /* of a directory */
};

/* A walk over the sound frames from an offset on; what lies between them is skipped. */
struct libsnap_walk {
	struct snap_reader *reader;
	uint64_t at;
	uint64_t wasted, max_wasted; /* bytes hashed in vain */
	uint8_t *window;
	uint64_t window_offset;
	size_t window_size;
};
enum snap_status libsnap_walk_begin(struct libsnap_walk *, struct snap_reader *,
				    struct snap_error *);
/* SNAP_END at the end of the file. */
enum snap_status libsnap_walk_next(struct libsnap_walk *, struct libsnap_sound_frame *,
				   struct snap_error *);
void libsnap_walk_end(struct libsnap_walk *);

/* Rows that nothing but a claim of other tables speaks for: no more are believed. */
#define LIBSNAP_MAX_ROWS_KNOWN ((uint64_t)1 << 46)
/* Rows of objects, references, tails and labels as far as runs and shapes tell of them. */
enum snap_status libsnap_extend_layout(struct snap_reader *, struct snap_error *error);
/* Finds the wanted member by walking; damage says why, and is what remains if nothing is found. */
enum snap_status libsnap_salvage(struct snap_reader *, int64_t wanted,
				 const struct snap_error *damage, struct snap_error *);

/* ---- blocks to values (fetch.c) ---- */

/* Buffers for one thread. */
struct libsnap_decoder {
	struct snap_reader *reader;
	struct libsnap_decompressor *zstd;
	uint8_t *stored, *raw;
	uint64_t *sizes; /* that addresses follow from */
	size_t stored_capacity, raw_capacity, size_capacity;
};
void libsnap_decoder_init(struct libsnap_decoder *, struct snap_reader *);
void libsnap_decoder_end(struct libsnap_decoder *);
/* A buffer of at least size elements, kept in *pointer and *capacity. */
enum snap_status libsnap_reader_reserve(struct snap_reader *, void **pointer, size_t *capacity,
					size_t count, size_t element_size, struct snap_error *);

/* Header compared, hash checked, decompressed into raw (block->raw_size bytes). */
enum snap_status libsnap_fetch(struct libsnap_decoder *, const struct libsnap_block *, uint8_t *raw,
			       struct snap_error *);
/* Decoded, not checked. */
enum snap_status libsnap_fetch_values(struct libsnap_decoder *, const struct libsnap_block *,
				      uint64_t *values, struct snap_error *);
/* The one value of a block with encoding constant. */
enum snap_status libsnap_fetch_constant(struct libsnap_decoder *, const struct libsnap_block *,
					uint64_t *value, struct snap_error *);
/* The rules for single values of a column: ids within their tables and the like. */
enum snap_status libsnap_check_values(const struct snap_reader *, const struct snapfmt_column *,
				      const struct libsnap_block *, uint64_t first_row,
				      const uint64_t *values, size_t count, struct snap_error *);

/* ---- columns (column.c) ---- */

/* A column that shares its decoder and keeps one block. */
enum snap_status libsnap_column_open_shared(struct snap_column **out, struct snap_reader *,
					    uint32_t column, struct libsnap_decoder *,
					    struct snap_error *);
/* Rows of one kind from row on: decoded values, or one value for all (values NULL), or lost. */
struct libsnap_view {
	const uint64_t *values;
	uint64_t constant;
	uint64_t end; /* row after the last */
	bool lost;
};
enum snap_status libsnap_column_view(struct snap_column *, uint64_t row, struct libsnap_view *,
				     struct snap_error *);
/* What snap_scan_next tells next is not before this row. */
void libsnap_scan_skip(struct snap_scan *, uint64_t row);

/* ---- the index (layer.c) ---- */

static inline bool libsnap_is_layer(uint32_t column)
{
	const uint32_t table = column >> 16;
	return (table >= SNAP_INDEX && table < SNAP_MAPPINGS) || table == SNAP_INDEX_OWNERS;
}
/* The bytes of the header's frame, of *size at most and then as many as there are. */
enum snap_status libsnap_read_header(const struct snap_reader *, uint8_t *bytes, size_t *size,
				     struct snapfmt_header *, struct snap_error *);
/* As snap_reader_index, for any reader that met no damage. */
enum snap_status libsnap_find_index(struct snap_reader *, struct snap_index_info *out,
				    struct snap_error *);
/* What an index is tied to: the header and the first so many of reader->blocks. */
enum snap_status libsnap_layer_base(const struct snap_reader *, uint64_t blocks, uint64_t *base,
				    struct snap_error *);

/* ---- verification (verify.c, verify_layout.c, verify_totals.c, verify_unique.c) ---- */

/* One column from its first row to its last, a value at a time. */
struct libsnap_stream {
	struct snap_reader *reader;
	uint32_t column;
	struct snap_scan *scan;
	const uint64_t *values;
	size_t left;
};
enum snap_status libsnap_stream_open(struct libsnap_stream *, struct snap_reader *, uint32_t column,
				     struct snap_error *);
/* SNAP_CORRUPT if there are no more rows. */
enum snap_status libsnap_stream_next(struct libsnap_stream *, uint64_t *value, struct snap_error *);
void libsnap_stream_close(struct libsnap_stream *);
/* A whole column as an array of as many values as its
 * table has rows, to be given to libsnap_reader_free. */
enum snap_status libsnap_load_column(struct snap_reader *, uint32_t column, uint64_t **values,
				     struct snap_error *);

/* Runs, shapes, slots, tails and references agree in their numbers. */
enum snap_status libsnap_verify_layout(struct snap_reader *, struct snap_error *);
/* Totals ascend, agree with each other and with the objects. */
enum snap_status libsnap_verify_totals(struct snap_reader *, struct snap_error *);
/* What must be unique is; what may not be in a cycle or be referred to is not. */
enum snap_status libsnap_verify_unique(struct snap_reader *, struct snap_error *);

#endif
