/* Blocks on their way to the file.  Where there is a helper, it makes them while the writer gathers
 * the next; where it has enough to do, the writer makes one itself.  They are written in the order
 * in which they came. */
#include <string.h>

#include "writer.h"

#define HELPER_ENOUGH 2u    /* blocks that are not made yet */
#define LEAST_ROWS    4096u /* that are worth the way to the helper and back */
#define LEAST_RAW     16384u
/* What all of it takes, or a little less. */
#define MEMORY ((uint64_t)19 << 20)

static uint8_t *payload_of(uint8_t *stored)
{
	return stored + SNAPFMT_BLOCK_HEADER_SIZE;
}

static enum snap_status make(struct libsnap_encoder *encoder, struct libsnap_block_out *b)
{
	size_t raw_size = b->raw_size;
	const uint8_t *raw = (const uint8_t *)b->values;
	enum snap_status status = SNAP_OK;
	if (b->column.info) {
		if (b->column.ids)
			libsnap_map_find(b->column.ids, b->values, b->block.row_count, &b->found);
		b->column.ids = NULL;
		status = libsnap_encode(encoder, &b->column, b->values, b->block.row_count,
					payload_of(b->stored), &raw_size, &b->problem);
		b->block.encoding = b->column.encoding;
		raw = encoder->raw;
	}
	if (status == SNAP_OK)
		status = libsnap_encoder_compress(encoder, &b->block, raw, raw_size,
						  payload_of(b->stored), &b->problem);
	return status;
}

static void make_job(struct libsnap_job *job)
{
	struct libsnap_block_out *b = (struct libsnap_block_out *)job;
	b->status = make(b->encoder, b);
}

/* ---- with a helper ---- */

static enum snap_status make_ring(struct snap_writer *w)
{
	struct libsnap_blocks *blocks = &w->blocks;
	blocks->ring =
		libsnap_alloc_zeroed(w->allocator, LIBSNAP_BLOCKS_AHEAD, sizeof(*blocks->ring));
	if (!blocks->ring)
		return libsnap_fail_memory(&w->problem);
	for (size_t i = 0; i < LIBSNAP_BLOCKS_AHEAD; i++) {
		struct libsnap_block_out *b = &blocks->ring[i];
		b->job.run = make_job;
		b->values = libsnap_alloc(w->allocator, LIBSNAP_BLOCK_TARGETS, sizeof(*b->values));
		b->stored = libsnap_alloc(w->allocator,
					  SNAPFMT_BLOCK_HEADER_SIZE + LIBSNAP_STORED_BOUND, 1);
		if (!b->values || !b->stored)
			return libsnap_fail_memory(&w->problem);
	}
	enum snap_status status =
		libsnap_encoder_new(&blocks->encoder, w->allocator, w->level, &w->problem);
	if (status == SNAP_OK)
		status = libsnap_encoder_reserve(&blocks->encoder, w->stored, true, &w->problem);
	/* Which blocks are the writer's is chance, and should not show in what it asks memory for.
	 */
	return status == SNAP_OK
		       ? libsnap_encoder_reserve(&w->encoder, w->stored, false, &w->problem)
		       : status;
}

enum snap_status libsnap_blocks_begin(struct snap_writer *w)
{
	const uint64_t rows = w->heap.given ? w->heap.arrays.count : w->order.row_count;
	const uint64_t held = w->lanes.memory_bytes + w->map.count * sizeof(uint32_t) +
			      w->map.word_count * sizeof(struct libsnap_map_word);
	if (w->is_direct || w->totals_only || rows < w->helped_rows)
		return SNAP_OK;
	if (w->max_memory_bytes > 0 &&
	    held + MEMORY > w->max_memory_bytes - w->max_memory_bytes / 8)
		return SNAP_OK;
	libsnap_worker_begin(&w->blocks.worker, w->threads);
	return w->blocks.worker.threaded ? make_ring(w) : SNAP_OK;
}

void libsnap_blocks_wait(struct snap_writer *w)
{
	struct libsnap_blocks *blocks = &w->blocks;
	for (size_t i = 0; i < blocks->count; i++)
		libsnap_worker_wait(&blocks->worker,
				    &blocks->ring[(blocks->first + i) % LIBSNAP_BLOCKS_AHEAD].job);
}

void libsnap_blocks_free(struct snap_writer *w)
{
	struct libsnap_blocks *blocks = &w->blocks;
	libsnap_worker_end(&blocks->worker);
	for (size_t i = 0; i < LIBSNAP_BLOCKS_AHEAD && blocks->ring; i++) {
		libsnap_free(w->allocator, blocks->ring[i].values, LIBSNAP_BLOCK_TARGETS,
			     sizeof(uint64_t));
		libsnap_free(w->allocator, blocks->ring[i].stored,
			     SNAPFMT_BLOCK_HEADER_SIZE + LIBSNAP_STORED_BOUND, 1);
	}
	libsnap_free(w->allocator, blocks->ring, LIBSNAP_BLOCKS_AHEAD, sizeof(*blocks->ring));
	libsnap_encoder_free(&blocks->encoder, w->allocator);
	blocks->ring = NULL;
	blocks->count = 0;
}

/* The oldest. */
static enum snap_status write_one(struct snap_writer *w)
{
	struct libsnap_blocks *blocks = &w->blocks;
	struct libsnap_block_out *b = &blocks->ring[blocks->first];
	libsnap_worker_wait(&blocks->worker, &b->job);
	blocks->first = (blocks->first + 1) % LIBSNAP_BLOCKS_AHEAD;
	blocks->count--;
	if (b->status == SNAP_NO_MEMORY)
		b->status = make(&w->encoder, b); /* the helper has no more than it was given */
	w->written_references += b->found.known;
	w->unknown_references += b->found.unknown;
	if (b->status == SNAP_OK)
		return libsnap_out_block(w, &b->block, payload_of(b->stored));
	w->problem = b->problem;
	return b->status;
}

enum snap_status libsnap_blocks_flush(struct snap_writer *w)
{
	enum snap_status status = SNAP_OK;
	while (w->blocks.count > 0 && status == SNAP_OK)
		status = write_one(w);
	return status;
}

/* Behind all that are on their way. */
static enum snap_status next_place(struct snap_writer *w, struct libsnap_block_out **out)
{
	struct libsnap_blocks *blocks = &w->blocks;
	enum snap_status status = blocks->count == LIBSNAP_BLOCKS_AHEAD ? write_one(w) : SNAP_OK;
	if (status != SNAP_OK)
		return status;
	*out = &blocks->ring[(blocks->first + blocks->count++) % LIBSNAP_BLOCKS_AHEAD];
	(*out)->found = (struct libsnap_found){0};
	return SNAP_OK;
}

static void begin_one(struct snap_writer *w, struct libsnap_block_out *b)
{
	b->status = SNAP_OK;
	if (libsnap_worker_pending(&w->blocks.worker) >= HELPER_ENOUGH) {
		b->status = make(&w->encoder, b);
		return;
	}
	b->encoder = &w->blocks.encoder;
	libsnap_worker_post(&w->blocks.worker, &b->job);
}

/* ---- one block ---- */

enum snap_status libsnap_write_block(struct snap_writer *w, struct snapfmt_block *block,
				     const uint8_t *raw, size_t raw_size)
{
	struct libsnap_block_out *b;
	enum snap_status status = libsnap_batch_precede(w, block);
	if (status == SNAP_OK && w->blocks.ring) {
		status = next_place(w, &b);
		if (status != SNAP_OK)
			return status;
		b->block = *block;
		b->column.info = NULL;
		b->raw_size = raw_size;
		memcpy(b->values, raw, raw_size);
		if (raw_size >= LEAST_RAW)
			begin_one(w, b);
		else
			b->status = make(&w->encoder, b);
		return SNAP_OK;
	}
	if (status == SNAP_OK)
		status = libsnap_encoder_compress(&w->encoder, block, raw, raw_size,
						  payload_of(w->stored), &w->problem);
	return status == SNAP_OK ? libsnap_out_block(w, block, payload_of(w->stored)) : status;
}

enum snap_status libsnap_write_values(struct snap_writer *w, struct snapfmt_block *block,
				      struct libsnap_column_out *c, uint64_t **values,
				      size_t value_rows)
{
	struct libsnap_block_out *b;
	if (!w->blocks.ring || value_rows != LIBSNAP_BLOCK_TARGETS ||
	    block->row_count < LEAST_ROWS) {
		size_t raw_size;
		libsnap_column_find(w, c, *values, block->row_count, 1);
		enum snap_status status = libsnap_encode(&w->encoder, c, *values, block->row_count,
							 w->stored, &raw_size, &w->problem);
		block->encoding = c->encoding;
		return status == SNAP_OK ? libsnap_write_block(w, block, w->encoder.raw, raw_size)
					 : status;
	}
	enum snap_status status = libsnap_batch_precede(w, block);
	if (status == SNAP_OK)
		status = next_place(w, &b);
	if (status != SNAP_OK)
		return status;
	uint64_t *free_values = b->values;
	b->block = *block;
	b->column = *c;
	b->values = *values;
	*values = free_values;
	begin_one(w, b);
	return SNAP_OK;
}
