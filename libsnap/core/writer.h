/* The writer from the inside.
 *
 * Names are interned at once (writer_names).  An object gets its shape as soon as it is
 * complete (writer_log, writer_shapes), and its record (writer_record) goes to the lane
 * of that shape (writer_lanes); which id has which shape is sorted by id.  Objects
 * without id are sorted by type and stack.  At the end ids get rows (writer_order,
 * writer_map), lane by lane is read and targets are looked up (writer_rows), and rows
 * become columns (writer_columns), blocks and bytes (writer_file). */
#ifndef LIBSNAP_WRITER_H
#define LIBSNAP_WRITER_H

#include "snapfmt.h"
#include "sort.h"
#include "store.h"
#include "worker.h"
#include "writer_names.h"
#include "writer_objects.h"

/* ---- sums (writer_totals.c) ---- */

struct libsnap_sum {
	uint64_t bytes, count;
};

/* Sums by numbers that are no ids. */
struct libsnap_keyed_sums {
	struct libsnap_set keys; /* uint32_t */
	struct libsnap_pages sums;
	uint32_t last; /* id of the key used last */
};

/* What objects that came one after the other add up to under the keys
 * that they have in common.  The sum of a stack goes to that of the
 * others, which change less often, and that to the sum of all. */
struct libsnap_common {
	uint32_t stack;
	struct libsnap_sum of_stack;
	uint32_t thread, domain, generation;
	struct libsnap_sum of_others;
};

struct libsnap_totals {
	struct libsnap_sum all;
	struct libsnap_common common;                      /* not yet among the sums of its keys */
	struct libsnap_pages by_type, by_stack, by_thread; /* struct libsnap_sum, by id */
	struct libsnap_keyed_sums by_domain, by_generation;
	struct libsnap_sum by_size[65];
	uint32_t present; /* bit of each dimension that says something */
};

/* ---- numbers in the file (writer_numbers.c) ---- */

/* By id - 1: the id in the file, or 0 where the row is left out.  NULL: the same id. */
struct libsnap_numbers {
	uint32_t *strings, *modules, *frames, *stacks, *types, *threads;
	uint32_t *string_order; /* ids, by number - 1 */
	size_t string_count;
};

/* ---- from ids to rows (writer_map.c) ---- */

/* Of 64 numbers that may be ids, those that are, and how many come before. */
struct libsnap_map_word {
	uint64_t bits;
	uint64_t before;
};

#define LIBSNAP_PLACE_SHIFT 18

/* The places of all ids so far, unless they are too many. */
struct libsnap_places {
	uint64_t *slots; /* place + 1; 0: free */
	size_t slot_count, count;
	uint64_t last; /* place + 1 */
	bool too_many;
};

struct libsnap_map_place {
	uint64_t entry, first_word; /* entry: the place + 1 */
};

struct libsnap_map {
	bool in_memory;
	uint64_t count, capacity;
	/* in memory, ids that lie close together, in places of 1 << LIBSNAP_PLACE_SHIFT numbers */
	struct libsnap_map_word *words;
	uint64_t word_count, words_per_place, low; /* low: what ids have in the bits below shift */
	unsigned shift;
	struct libsnap_map_place *places;     /* as the writer's places lie; entry 0: free */
	const struct libsnap_map_place *near; /* where the last one was */
	size_t place_slots;
	uint32_t *rows; /* of the ids in order */
	/* in memory, others: key id, position row */
	struct libsnap_sort_entry *entries;
	/* else the same in a file of pages */
	void *file;
	struct libsnap_sort_entry *page;
	size_t used;
	uint64_t pages;
	struct libsnap_pages first; /* uint64_t: first id of each page */
	uint64_t loaded;            /* the page in page + 1 */
	/* a batch of lookups */
	struct libsnap_sort_entry *lookups, *scratch;
};
#define LIBSNAP_BATCH 65536u

/* What became of ids that were looked up. */
struct libsnap_found {
	uint64_t known, unknown;
};

/* ---- the order of rows (writer_order.c) ---- */

struct libsnap_order {
	uint64_t row_count;
	/* of the shape that is being written: its lane, or that and others sorted by id */
	struct libsnap_lane_walk lane;
	struct libsnap_sorter sorter;
	struct libsnap_sort_walk walk;
	uint32_t shape_id;
	const struct libsnap_shape *shape;
	uint64_t nameless; /* rows without id that come yet */
	bool sorted;
};

struct libsnap_root {
	uint64_t object;
	uint32_t kind, label, thread, stack;
};
struct libsnap_moment {
	uint64_t time, bytes, count, resident;
};

/* ---- bytes (writer_file.c) ---- */

struct libsnap_out {
	const struct snap_io *io;
	void *file;
	char *path, *temporary; /* temporary: what is renamed to path */
	bool append, created;
	bool appending; /* file had appended_to bytes before */
	uint64_t appended_to;
	struct snap_sink sink;
	uint64_t offset; /* from the header's first byte */
	struct snapfmt_hasher identity;
	struct libsnap_pages blocks; /* struct snapfmt_block */
	const uint8_t *header;       /* one that there is already, or NULL */
	size_t header_size;
	uint64_t header_hash;
	bool small; /* known before the first block, which is the only one */
};

/* writer_batch.c */
struct libsnap_batch_out {
	struct snapfmt_batch_column *columns; /* SNAPFMT_BATCH_MAX_COLUMNS */
	uint8_t *bytes, *raw;                 /* SNAPFMT_BATCH_MAX_SIZE; raw: as it is written */
	size_t count, size, written;          /* written: batches so far */
};

/* ---- rows of one table (writer_columns.c) ---- */

#define LIBSNAP_BLOCK_ROWS 65536u
/* A code for each of so many is what zstd takes in one bite. */
#define LIBSNAP_BLOCK_TARGETS 131072u
#define LIBSNAP_COLUMNS_MAX   17
struct libsnap_column_out {
	const struct snapfmt_column *info;
	uint64_t same;          /* the value of all rows so far, while they do not vary */
	const uint64_t *bounds; /* of ranges that values lie in, for the encoding of that name */
	size_t bound_count;
	const struct libsnap_map *ids; /* not NULL: values are ids until their block is made */
	/* of the objects whose addresses values are, where they go with a block of their own */
	const uint64_t *sizes;
	uint64_t deferred; /* rows of default that are not written unless something else comes */
	uint64_t written;
	uint8_t encoding;
	bool chosen; /* encoding is that of the block to come */
};
struct libsnap_table_out {
	struct snap_writer *writer;
	struct libsnap_column_out columns[LIBSNAP_COLUMNS_MAX];
	size_t column_count, block_rows, value_rows, rows; /* rows: in the block */
	/* Of the block, by bit: columns that have had another
	 * value than their default, and more than one value */
	uint32_t live, varied;
	uint64_t *values[LIBSNAP_COLUMNS_MAX]; /* of a column that varies, or has varied before */
	uint64_t row_count;
};

/* ---- blocks on their way to the file (writer_encode.c, writer_blocks.c) ---- */

/* What a thread makes blocks with. */
struct libsnap_encoder {
	struct libsnap_compressor *compressor, *trial; /* trial: to choose encodings by */
	uint8_t *raw;
	uint64_t *sample, *size_sample;
};

/* A block that is made, or waits for those before it. */
struct libsnap_block_out {
	struct libsnap_job job;
	struct libsnap_encoder *encoder;
	struct snapfmt_block block;
	struct libsnap_column_out column; /* info: NULL where values are raw bytes already */
	struct libsnap_found found;       /* in this block */
	uint64_t *values;
	size_t raw_size;
	uint8_t *stored;
	enum snap_status status;
	struct snap_error problem;
};

#define LIBSNAP_BLOCKS_AHEAD 8u
/* Where there is a helper: the blocks that it makes, and
 * those that the writer made meanwhile, in their order. */
struct libsnap_blocks {
	struct libsnap_worker worker;
	struct libsnap_encoder encoder; /* the helper's */
	struct libsnap_block_out *ring; /* LIBSNAP_BLOCKS_AHEAD; NULL: there is no helper */
	size_t first, count;
};

/* ---- objects that are written as they come (writer_direct.c) ---- */

struct libsnap_direct {
	struct libsnap_table_out objects;
	struct libsnap_pages runs;
	uint64_t last_id;
	uint32_t type; /* of the last run */
};

/* ---- a whole heap at once (writer_heap.c) ---- */

#define LIBSNAP_LABELLED_WORDS 3u  /* of a reference that says its label */
#define LIBSNAP_AHEAD          16u /* so many objects before it is read, memory is asked for one */
struct libsnap_heap {
	struct snap_heap arrays;
	bool given;
	uint32_t *rows;    /* by number - 1: the row + 1; before rows are numbered: the shape */
	uint32_t *numbers; /* by row */
};

struct snap_writer {
	const struct snap_allocator *allocator;
	const struct snap_io *io;
	char *folder;
	uint64_t max_memory_bytes;
	int level;
	bool totals_only, number_contents, is_direct;
	unsigned threads;
	uint64_t few_objects; /* so many need no totals */
	uint64_t helped_rows; /* with fewer, there is nothing to do for a second thread */
	uint32_t flags;
	uint64_t sampling_interval;
	struct snap_error failure; /* once and for all, unless its status is SNAP_OK */
	struct snap_error problem; /* of the call that runs */

	struct libsnap_names names;
	struct libsnap_totals totals;
	struct libsnap_numbers numbers;
	struct libsnap_shapes shapes;
	struct libsnap_group group; /* the one being added */
	struct libsnap_buffer record;
	struct libsnap_lanes lanes, nameless; /* objects with an id, and rows without */
	struct libsnap_sorter named;          /* by id: its shape */
	struct libsnap_sorter anonymous;
	struct libsnap_sorter loose; /* by id: references that did not come with their object */
	struct libsnap_places places;
	/* id_bits: in which ids differ from the lowest so far */
	uint64_t lowest_id, highest_id, id_bits;
	struct snap_object *recent; /* without id, not logged yet; by hash */
	uint64_t loose_count;
	struct libsnap_pages roots, timeline, mappings, layouts, layout_slots;
	struct libsnap_order order;
	struct libsnap_map map;
	struct libsnap_direct direct;
	struct libsnap_heap heap;

	struct libsnap_out out;
	struct libsnap_batch_out batch;
	struct libsnap_encoder encoder;
	struct libsnap_blocks blocks;
	uint8_t *stored; /* a block, behind room for its header */
	/* NULL, or whose tables the rows are compared with, instead of written */
	struct snap_reader *compared;
	uint64_t written_references, unknown_references, unknown_roots;
};

/* Ends a call: keeps what cannot be mended, and tells the caller. */
enum snap_status libsnap_writer_end_call(struct snap_writer *, enum snap_status,
					 struct snap_error *);
/* Begins one: what failed before. */
static inline bool libsnap_writer_failed(const struct snap_writer *w)
{
	return __builtin_expect(w->failure.status != SNAP_OK, 0);
}
enum snap_status libsnap_misuse(struct snap_writer *, const char *format, ...) LIBSNAP_PRINTF(2, 3);

/* Instead of snap_writer_finish, for what is not made of rows: write puts
 * out a header and all blocks, with what it cannot do in w->problem. */
typedef enum snap_status libsnap_write_copy(struct snap_writer *, void *context);
enum snap_status libsnap_writer_finish_copy(struct snap_writer *, libsnap_write_copy *write,
					    void *context, struct snap_writer_summary *out,
					    struct snap_error *error);

/* writer.c: before the first block; later calls do nothing. */
enum snap_status libsnap_writer_begin_output(struct snap_writer *);

/* writer_totals.c */
void libsnap_totals_init(struct libsnap_totals *, const struct snap_allocator *);
void libsnap_totals_free(struct libsnap_totals *);
/* Of many objects at once, one dimension: all are to be given. */
enum snap_status libsnap_totals_sum(struct snap_writer *, enum snap_dimension, uint64_t key,
				    const struct libsnap_sum *);
static inline unsigned libsnap_size_bucket(uint64_t size)
{
	return size ? 64 - (unsigned)__builtin_clzll(size) : 0;
}
static inline bool libsnap_in_common(const struct libsnap_common *c, const struct snap_object *o)
{
	return o->stack == c->stack && o->thread == c->thread && o->domain == c->domain &&
	       o->generation == c->generation;
}
enum snap_status libsnap_totals_odd(struct snap_writer *, const struct snap_object *);
/* Most are one, and like the one before; no sum of less than 2^63 grows over 2^64. */
static inline enum snap_status libsnap_totals_object(struct snap_writer *w,
						     const struct snap_object *o)
{
	struct libsnap_sum *of_stack = &w->totals.common.of_stack;
	struct libsnap_sum *of_size = &w->totals.by_size[libsnap_size_bucket(o->size)];
	if (o->count != 1 || w->totals_only || !libsnap_in_common(&w->totals.common, o) ||
	    (o->size | of_stack->bytes | of_size->bytes) >> 63)
		return libsnap_totals_odd(w, o);
	of_stack->bytes += o->size;
	of_stack->count++;
	of_size->bytes += o->size;
	of_size->count++;
	if (o->size)
		w->totals.present |= 1u << SNAP_BY_SIZE;
	return SNAP_OK;
}
/* What was given by snap_writer_total() must add up. */
enum snap_status libsnap_totals_check(struct snap_writer *);
enum snap_status libsnap_write_totals(struct snap_writer *);

/* writer_numbers.c */
enum snap_status libsnap_numbers_settle(struct snap_writer *);
void libsnap_numbers_free(struct snap_writer *);
static inline uint32_t libsnap_number(const uint32_t *numbers, uint32_t id)
{
	return id && numbers ? numbers[id - 1] : id;
}

/* writer_log.c */
enum snap_status libsnap_log_flush(struct snap_writer *);
#define LIBSNAP_RECENT 512u
/* Logs what was held back, and holds back no more. */
enum snap_status libsnap_log_recent(struct snap_writer *);

/* The part of adding an object which has to do with sums alone; the one before is complete then. */
enum snap_status libsnap_log_sums(struct snap_writer *, const struct snap_object *);
void libsnap_take_fields(const struct snap_object *, uint64_t *fields);
/* A record of an object with an id, in w->record; size is the object's. */
enum snap_status libsnap_log_record(struct snap_writer *, uint64_t id, uint32_t shape,
				    uint64_t size, uint64_t count);
/* After the record went to its lane. */
enum snap_status libsnap_log_id(struct snap_writer *, uint64_t id, uint32_t shape_id,
				struct libsnap_shape *, uint64_t size, uint64_t count);
/* In the place of a loose reference: here the object itself came. */
#define LIBSNAP_CAME_HERE 1

/* Brings loose references together with their objects, if there are any. */
enum snap_status libsnap_log_merge(struct snap_writer *);

/* writer_order.c */
enum snap_status libsnap_order_begin(struct snap_writer *);
/* Adds all records of a shape to a sorter by id: its number, then the record. */
enum snap_status libsnap_order_copy(struct snap_writer *, struct libsnap_sorter *, uint32_t shape);
/* The rows of the shape with that number, one after the other.
 * After each, what has read its references says where they end. */
enum snap_status libsnap_order_shape(struct snap_writer *, uint32_t shape_number);
enum snap_status libsnap_order_next(struct snap_writer *, struct libsnap_row *);
static inline void libsnap_order_read(struct snap_writer *w, const uint8_t *end)
{
	w->order.lane.at = end;
}
void libsnap_order_free(struct snap_writer *);

/* writer_map.c */
/* Keeps the place of an id; false: no memory. */
bool libsnap_place_add(struct snap_writer *, uint64_t place);
static inline bool libsnap_place_note(struct snap_writer *w, uint64_t id)
{
	uint64_t place = id >> LIBSNAP_PLACE_SHIFT;
	return place + 1 == w->places.last || w->places.too_many || libsnap_place_add(w, place);
}
/* Whether all ids so far lie so close together that each
 * can be a bit; *bytes: what the map takes in memory. */
bool libsnap_map_is_close(const struct snap_writer *, uint64_t *bytes);
enum snap_status libsnap_map_begin(struct snap_writer *);
/* Where map.words is not NULL, and no id was spilled: takes all of them, which may come in any order;
 * rows then has their numbers.  0, or an id that is there twice. */
uint64_t libsnap_map_fill(struct libsnap_map *, struct libsnap_sorter *named, unsigned threads);
/* Ids ascend. */
enum snap_status libsnap_map_add(struct snap_writer *, uint64_t id, uint64_t row);
enum snap_status libsnap_map_finish(struct snap_writer *);
void libsnap_map_free(struct snap_writer *);
/* Replaces ids by row + 1, or 0 where there is no such object; *unknown grows by those that were
 * not 0. */
enum snap_status libsnap_resolve(struct snap_writer *, uint64_t *ids, size_t count,
				 uint64_t *unknown);
/* The same by a map that has words: it reads nothing but the map, so that any thread may ask. */
void libsnap_map_find(const struct libsnap_map *, uint64_t *ids, size_t count,
		      struct libsnap_found *);

/* writer_columns.c */
/* Rows in the place of ids, where the column has these; each stands for so many. */
void libsnap_column_find(struct snap_writer *, const struct libsnap_column_out *, uint64_t *values,
			 size_t count, uint64_t each);
void libsnap_table_begin(struct libsnap_table_out *, struct snap_writer *, uint16_t table,
			 uint64_t rows_expected);
enum snap_status libsnap_table_row(struct libsnap_table_out *, const uint64_t *values);
/* The same, when all values but those of the columns given are defaults. */
enum snap_status libsnap_table_row_of(struct libsnap_table_out *, const uint64_t *values,
				      uint32_t given);
/* Many rows of a table with one column. */
enum snap_status libsnap_table_values(struct libsnap_table_out *, const uint64_t *values,
				      size_t count);
/* Many rows of a table that always gets the same columns, as arrays; the others are defaults. */
enum snap_status libsnap_table_rows_of(struct libsnap_table_out *, const uint64_t *const *values,
				       uint32_t given, size_t count);
/* Ends the blocks here, whole or not. */
enum snap_status libsnap_table_flush(struct libsnap_table_out *);
enum snap_status libsnap_table_end(struct libsnap_table_out *, enum snap_status);
void libsnap_table_free(struct libsnap_table_out *);
enum snap_status libsnap_block_text(struct snap_writer *, const uint8_t *raw, size_t raw_size,
				    uint64_t first_row, uint32_t row_count, bool only_block);

/* writer_compare.c: the rows of the block at hand, and that there are no others. */
enum snap_status libsnap_table_compare(struct libsnap_table_out *);
enum snap_status libsnap_table_compare_end(struct libsnap_table_out *);

/* writer_encode.c */
enum snap_status libsnap_encoder_new(struct libsnap_encoder *, const struct snap_allocator *,
				     int level, struct snap_error *error);
/* See libsnap_compressor_reserve. */
enum snap_status libsnap_encoder_reserve(struct libsnap_encoder *, uint8_t *scratch, bool no_more,
					 struct snap_error *error);
void libsnap_encoder_free(struct libsnap_encoder *, const struct snap_allocator *);
/* Into the encoder's raw; scratch and payload have LIBSNAP_STORED_BOUND bytes. */
enum snap_status libsnap_encode(struct libsnap_encoder *, struct libsnap_column_out *,
				const uint64_t *values, size_t count, uint8_t *scratch,
				size_t *raw_size, struct snap_error *error);
enum snap_status libsnap_encoder_compress(struct libsnap_encoder *, struct snapfmt_block *,
					  const uint8_t *raw, size_t raw_size, uint8_t *payload,
					  struct snap_error *error);

/* writer_blocks.c */
/* A helper is started if there is enough to do, and memory. */
enum snap_status libsnap_blocks_begin(struct snap_writer *);
/* Writes all that was made or is being made. */
enum snap_status libsnap_blocks_flush(struct snap_writer *);
/* Nothing is being made any more; what was made is not written yet. */
void libsnap_blocks_wait(struct snap_writer *);
void libsnap_blocks_free(struct snap_writer *);
/* So many rows must a table's values have room for, of which rows are wanted. */
static inline size_t libsnap_blocks_value_rows(const struct snap_writer *w, size_t rows)
{
	return w->blocks.ring && rows < LIBSNAP_BLOCK_TARGETS ? LIBSNAP_BLOCK_TARGETS : rows;
}
/* Compresses what a column's rows were encoded to, and writes it. */
enum snap_status libsnap_write_block(struct snap_writer *, struct snapfmt_block *,
				     const uint8_t *raw, size_t raw_size);
/* Encodes and compresses a column's rows, and writes them.
 * *values may be others afterwards, with as much room. */
enum snap_status libsnap_write_values(struct snap_writer *, struct snapfmt_block *,
				      struct libsnap_column_out *, uint64_t **values,
				      size_t value_rows);

/* writer_direct.c: an object is checked, then it is added to the sums, then to the rows */
void libsnap_direct_init(struct snap_writer *);
void libsnap_direct_free(struct snap_writer *);
enum snap_status libsnap_direct_check(struct snap_writer *, const struct snap_object *);
enum snap_status libsnap_direct_object(struct snap_writer *, const struct snap_object *);
/* The rows that were not written yet, and all runs. */
enum snap_status libsnap_direct_end(struct snap_writer *);

/* writer_layout.c */
enum snap_status libsnap_layout_add(struct snap_writer *, uint32_t type,
				    const struct snap_slot *slots, size_t count, uint32_t *id);

/* writer_heap.c, writer_heap_rows.c */
/* Asks for the memory of an object, which may lie in two lines of it. */
static inline __attribute__((always_inline)) void libsnap_heap_expect(const struct snap_heap *h,
								      uint32_t number)
{
	const char *object = (const char *)&h->objects[number - 1];
	__builtin_prefetch(object);
	__builtin_prefetch(object + sizeof(struct snap_heap_object) - 1);
}
enum snap_status libsnap_heap_settle(struct snap_writer *);
void libsnap_heap_resolve(struct snap_writer *, uint64_t *ids, size_t count, uint64_t *unknown);
enum snap_status libsnap_heap_write(struct snap_writer *);
void libsnap_heap_free(struct snap_writer *);

/* writer_batch.c: all rows of small columns wait here for each other */
/* *added: the column is in the batch; it may be too large. */
enum snap_status libsnap_batch_add(struct snap_writer *, const struct snapfmt_block *,
				   const uint8_t *raw, size_t raw_size, bool *added);
/* Writes what waits, if it should lie before a block that is about to be written. */
enum snap_status libsnap_batch_precede(struct snap_writer *, const struct snapfmt_block *);
enum snap_status libsnap_batch_flush(struct snap_writer *);
void libsnap_batch_free(struct snap_writer *);

/* writer_rows.c, writer_tables.c */
typedef enum snap_status libsnap_text_at(struct snap_writer *, void *context, size_t i,
					 const char **bytes, size_t *size);
/* The table of strings; each text is asked for twice, and wanted until the next is. */
enum snap_status libsnap_write_texts(struct snap_writer *, size_t count, libsnap_text_at *,
				     void *context);
enum snap_status libsnap_write_rows(struct snap_writer *);
enum snap_status libsnap_write_tables(struct snap_writer *);
enum snap_status libsnap_write_roots(struct snap_writer *);

/* writer_file.c */
enum snap_status libsnap_out_open(struct snap_writer *, const char *path, bool append);
enum snap_status libsnap_out_begin(struct snap_writer *);
bool libsnap_can_be_small(const struct snap_writer *);
/* payload has SNAPFMT_BLOCK_HEADER_SIZE bytes free before it. */
enum snap_status libsnap_out_block(struct snap_writer *, struct snapfmt_block *, uint8_t *payload);
enum snap_status libsnap_out_finish(struct snap_writer *, uint64_t *identity);
void libsnap_out_free(struct snap_writer *);

#endif
