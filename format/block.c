/* The headers of blocks and batches, and the directory (FORMAT.md, sections 4, 5 and 6.1). */
#include "snapfmt.h"

#include <string.h>

static const char block_tag[4] = {'S', 'B', 'L', 'K'};
static const char batch_tag[4] = {'S', 'B', 'A', 'T'};
static const char small_tag[8] = {'S', 'N', 'A', 'P', 'H', 'E', 'A', 'P'};
static const char directory_tag[4] = {'S', 'D', 'I', 'R'};

static enum snapfmt_result check_batch(const struct snapfmt_block *batch, const char **reason)
{
	*reason = "a batch's entry is not that of a batch";
	if (batch->column || batch->encoding || batch->flags != SNAPFMT_BLOCK_CRITICAL ||
	    batch->row_count)
		return SNAPFMT_BROKEN;
	*reason = "a batch's size is out of range";
	if (batch->raw_size == 0 || batch->raw_size > SNAPFMT_BATCH_MAX_SIZE ||
	    batch->stored_size == 0 || batch->stored_size > SNAPFMT_BATCH_MAX_SIZE)
		return SNAPFMT_BROKEN;
	return SNAPFMT_GOOD;
}

static enum snapfmt_result check_block(const struct snapfmt_block *block, const char **reason)
{
	*reason = "a block's row count is out of range";
	if (block->row_count == 0 || block->row_count > SNAPFMT_MAX_ROWS)
		return SNAPFMT_BROKEN;
	*reason = "a block's size is out of range";
	if (block->raw_size == 0 || block->raw_size > SNAPFMT_MAX_RAW || block->stored_size == 0 ||
	    block->stored_size > SNAPFMT_MAX_STORED)
		return SNAPFMT_BROKEN;
	return SNAPFMT_GOOD;
}

enum snapfmt_result snapfmt_read_entry(struct cursor *c, struct snapfmt_block *out,
				       const char **reason)
{
	struct snapfmt_block block = {.sequence = out->sequence};
	block.table = cursor_u16(c);
	block.column = cursor_u16(c);
	block.encoding = cursor_u8(c);
	block.flags = cursor_u8(c);
	uint16_t reserved = cursor_u16(c);
	block.first_row = cursor_u64(c);
	block.row_count = cursor_u32(c);
	block.raw_size = cursor_u32(c);
	block.stored_size = cursor_u32(c);
	uint32_t reserved_too = cursor_u32(c);
	block.hash = cursor_u64(c);
	*reason = "cut short";
	if (c->failed)
		return SNAPFMT_BROKEN;
	*out = block;
	if (reserved || reserved_too || (block.flags & ~SNAPFMT_BLOCK_CRITICAL)) {
		*reason = "a block uses reserved bits";
		return SNAPFMT_NEWER;
	}
	if (!snapfmt_is_batch(&block))
		return check_block(&block, reason);
	*reason = "a batch has no tables";
	return block.first_row ? check_batch(&block, reason) : SNAPFMT_BROKEN;
}

void snapfmt_write_entry(struct sink *s, const struct snapfmt_block *block)
{
	sink_u16(s, block->table);
	sink_u16(s, block->column);
	sink_u8(s, block->encoding);
	sink_u8(s, block->flags);
	sink_u16(s, 0);
	sink_u64(s, block->first_row);
	sink_u32(s, block->row_count);
	sink_u32(s, block->raw_size);
	sink_u32(s, block->stored_size);
	sink_u32(s, 0);
	sink_u64(s, block->hash);
}

static enum snapfmt_result read_batch_header(struct cursor *c, bool small,
					     struct snapfmt_block *out, const char **reason)
{
	struct snapfmt_block batch = {.small = small, .flags = SNAPFMT_BLOCK_CRITICAL};
	const uint32_t sequence = cursor_u32(c);
	batch.sequence = small ? 0 : sequence;
	batch.raw_size = cursor_u16(c);
	batch.stored_size = cursor_u16(c);
	batch.hash = cursor_u64(c);
	*reason = "cut short";
	if (c->failed)
		return SNAPFMT_BROKEN;
	*out = batch;
	return check_batch(out, reason);
}

static bool is_tag(const uint8_t *bytes, const char tag[4])
{
	return memcmp(bytes, tag, 4) == 0;
}

enum snapfmt_result snapfmt_read_block(struct cursor *c, struct snapfmt_block *out,
				       const char **reason)
{
	uint32_t magic = cursor_u32(c);
	uint32_t size = cursor_u32(c);
	const uint8_t *tag = cursor_take(c, sizeof(block_tag));
	*reason = "no block";
	if (!tag || magic != SNAPFMT_FRAME_MAGIC)
		return SNAPFMT_NOT_THIS;
	bool small = cursor_left(c) >= 4 && memcmp(tag, small_tag, sizeof(small_tag)) == 0;
	bool batch = small || is_tag(tag, batch_tag);
	if (!batch && !is_tag(tag, block_tag))
		return SNAPFMT_NOT_THIS;
	*reason = "a block's header has the wrong size";
	if (size != (batch ? SNAPFMT_BATCH_HEADER_SIZE : SNAPFMT_BLOCK_HEADER_SIZE) - 8)
		return SNAPFMT_BROKEN;
	if (batch)
		return read_batch_header(c, small, out, reason);
	out->sequence = cursor_u32(c);
	enum snapfmt_result result = snapfmt_read_entry(c, out, reason);
	if (result == SNAPFMT_BROKEN || !snapfmt_is_batch(out))
		return result;
	*reason = "a block is of table 0";
	return SNAPFMT_BROKEN;
}

void snapfmt_write_block(struct sink *s, const struct snapfmt_block *block)
{
	sink_u32(s, SNAPFMT_FRAME_MAGIC);
	sink_u32(s, (uint32_t)snapfmt_block_header_size(block) - 8);
	if (block->small) {
		sink_bytes(s, small_tag, sizeof(small_tag));
	} else {
		sink_bytes(s, snapfmt_is_batch(block) ? batch_tag : block_tag, sizeof(block_tag));
		sink_u32(s, block->sequence);
	}
	if (!snapfmt_is_batch(block)) {
		snapfmt_write_entry(s, block);
		return;
	}
	sink_u16(s, (uint16_t)block->raw_size);
	sink_u16(s, (uint16_t)block->stored_size);
	sink_u64(s, block->hash);
}

uint64_t snapfmt_block_hash(const struct snapfmt_block *block, const void *payload)
{
	uint8_t bytes[SNAPFMT_BLOCK_HEADER_SIZE];
	struct sink s = sink_over(bytes, sizeof(bytes));
	struct snapfmt_block alone = *block;
	alone.small = false;
	snapfmt_write_block(&s, &alone);
	struct snapfmt_hasher hasher;
	snapfmt_hasher_begin(&hasher);
	snapfmt_hasher_add(&hasher, bytes, snapfmt_block_header_size(block) - 8);
	snapfmt_hasher_add(&hasher, payload, block->stored_size);
	return snapfmt_hasher_end(&hasher);
}

enum snapfmt_result snapfmt_read_directory_start(struct cursor *c, uint32_t *block_count,
						 const char **reason)
{
	uint32_t magic = cursor_u32(c);
	uint32_t size = cursor_u32(c);
	const uint8_t *tag = cursor_take(c, sizeof(directory_tag));
	*reason = "no directory";
	if (!tag || magic != SNAPFMT_FRAME_MAGIC ||
	    memcmp(tag, directory_tag, sizeof(directory_tag)) != 0)
		return SNAPFMT_NOT_THIS;
	uint32_t count = cursor_u32(c);
	*reason = "the directory's size is wrong";
	if (c->failed || count > SNAPFMT_MAX_BLOCKS ||
	    (uint64_t)size + 8 != SNAPFMT_DIRECTORY_SIZE(count))
		return SNAPFMT_BROKEN;
	*block_count = count;
	return SNAPFMT_GOOD;
}

void snapfmt_write_directory_start(struct sink *s, uint32_t block_count)
{
	sink_u32(s, SNAPFMT_FRAME_MAGIC);
	sink_u32(s, (uint32_t)(SNAPFMT_DIRECTORY_SIZE(block_count) - 8));
	sink_bytes(s, directory_tag, sizeof(directory_tag));
	sink_u32(s, block_count);
}
