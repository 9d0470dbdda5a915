/* The directory: where each block lies, and which belong
 * to which column (FORMAT.md, sections 5.1 and 7). */
#include <string.h>

#include "reader.h"

#define CHUNK_ENTRIES ((uint32_t)400)

void libsnap_block_from(struct libsnap_block *out, const struct snapfmt_block *block,
			uint64_t offset)
{
	*out = (struct libsnap_block){
		.offset = offset,
		.first_row = block->first_row,
		.hash = block->hash,
		.column = SNAP_COLUMN(block->table, block->column),
		.row_count = block->row_count,
		.raw_size = block->raw_size,
		.stored_size = block->stored_size,
		.sequence = block->sequence,
		.encoding = block->encoding,
		.flags = block->flags,
		.small = block->small,
	};
}

struct snapfmt_block libsnap_block_header(const struct libsnap_block *block)
{
	return (struct snapfmt_block){
		.sequence = block->sequence,
		.table = (uint16_t)(block->column >> 16),
		.column = (uint16_t)block->column,
		.encoding = block->encoding,
		.flags = block->flags,
		.first_row = block->first_row,
		.row_count = block->row_count,
		.raw_size = block->raw_size,
		.stored_size = block->stored_size,
		.hash = block->hash,
		.small = block->small,
	};
}

enum snap_status libsnap_reserve_blocks(struct snap_reader *reader, size_t count,
					struct snap_error *error)
{
	if (reader->blocks && count <= reader->block_capacity)
		return SNAP_OK;
	size_t wanted = reader->block_capacity + reader->block_capacity / 2;
	if (wanted < count)
		wanted = count;
	void *blocks = reader->blocks;
	enum snap_status status = libsnap_reader_resize(reader, &blocks, reader->block_capacity,
							wanted, sizeof *reader->blocks, error);
	if (status != SNAP_OK)
		return status;
	reader->blocks = blocks;
	reader->block_capacity = wanted;
	return SNAP_OK;
}

/* ---- reading it ---- */

/* One chunk's entries; a newer one is believed only once the directory's hash agrees. */
static enum snap_status take_entries(const uint8_t *bytes, uint32_t first, uint32_t count,
				     uint64_t offset, libsnap_take_entry *take, void *context,
				     const char **newer, struct snap_error *error)
{
	struct cursor c = cursor_over(bytes, (size_t)count * SNAPFMT_ENTRY_SIZE);
	for (uint32_t i = 0; i < count; i++) {
		struct snapfmt_block block = {.sequence = first + i};
		const char *reason;
		enum snapfmt_result result = snapfmt_read_entry(&c, &block, &reason);
		if (result == SNAPFMT_NEWER) {
			*newer = reason;
			continue;
		}
		if (result != SNAPFMT_GOOD)
			return libsnap_fail(error, SNAP_CORRUPT,
					    offset + (uint64_t)i * SNAPFMT_ENTRY_SIZE,
					    "the directory's entry %u: %s", first + i, reason);
		if (*newer)
			continue;
		enum snap_status status = take(context, &block, error);
		if (status != SNAP_OK)
			return status;
	}
	return SNAP_OK;
}

static enum snap_status read_start(struct snap_reader *reader, struct libsnap_directory *directory,
				   uint8_t bytes[16], struct snap_error *error)
{
	enum snap_status status =
		libsnap_source_read(&reader->source, directory->offset, bytes, 16, error);
	if (status != SNAP_OK)
		return status;
	struct cursor c = cursor_over(bytes, 16);
	const char *reason;
	uint32_t count;
	enum snapfmt_result result = snapfmt_read_directory_start(&c, &count, &reason);
	if (result != SNAPFMT_GOOD)
		return libsnap_fail(error, libsnap_result_status(result), directory->offset, "%s",
				    reason);
	if (count != directory->count)
		return libsnap_fail(error, SNAP_CORRUPT, directory->offset,
				    "the directory has %u blocks, its trailer says %u", count,
				    directory->count);
	return SNAP_OK;
}

enum snap_status libsnap_read_directory(struct snap_reader *reader,
					struct libsnap_directory *directory,
					libsnap_take_entry *take, void *context,
					struct snap_error *error)
{
	uint8_t bytes[CHUNK_ENTRIES * SNAPFMT_ENTRY_SIZE];
	enum snap_status status = read_start(reader, directory, bytes, error);
	if (status != SNAP_OK)
		return status;
	struct snapfmt_hasher hasher;
	snapfmt_hasher_begin(&hasher);
	snapfmt_hasher_add(&hasher, bytes, 16);
	uint64_t at = directory->offset + 16;
	const char *newer = NULL;
	uint32_t count;
	for (uint32_t done = 0; done < directory->count; done += count) {
		count = directory->count - done;
		if (count > CHUNK_ENTRIES)
			count = CHUNK_ENTRIES;
		size_t size = (size_t)count * SNAPFMT_ENTRY_SIZE;
		status = libsnap_source_read(&reader->source, at, bytes, size, error);
		if (status != SNAP_OK)
			return status;
		snapfmt_hasher_add(&hasher, bytes, size);
		status = take_entries(bytes, done, count, at, take, context, &newer, error);
		if (status != SNAP_OK)
			return status;
		at += size;
	}
	status = libsnap_source_read(&reader->source, at, bytes, 8, error);
	if (status != SNAP_OK)
		return status;
	struct cursor c = cursor_over(bytes, 8);
	directory->hash = cursor_u64(&c);
	if (!libsnap_hash_agrees(directory->hash, snapfmt_hasher_end(&hasher)))
		return libsnap_fail(error, SNAP_CORRUPT, directory->offset,
				    "the directory's hash is wrong");
	if (newer)
		return libsnap_fail(error, SNAP_UNSUPPORTED, directory->offset, "%s", newer);
	return SNAP_OK;
}

struct loading {
	struct snap_reader *reader;
	uint64_t offset, end; /* of the next block; where the directory begins */
	struct snapfmt_hasher identity;
};

static void add_hash(struct snapfmt_hasher *hasher, uint64_t hash)
{
	uint8_t bytes[8];
	struct sink s = sink_over(bytes, sizeof bytes);
	sink_u64(&s, hash);
	snapfmt_hasher_add(hasher, bytes, sizeof bytes);
}

static enum snap_status load_entry(void *context, const struct snapfmt_block *block,
				   struct snap_error *error)
{
	struct loading *loading = context;
	struct snap_reader *reader = loading->reader;
	uint64_t size = snapfmt_block_header_size(block) + (uint64_t)block->stored_size;
	if (size > loading->end - loading->offset)
		return libsnap_fail(error, SNAP_CORRUPT, loading->offset,
				    "block %u reaches into the directory", block->sequence);
	libsnap_block_from(&reader->blocks[reader->block_count++], block, loading->offset);
	loading->offset += size;
	add_hash(&loading->identity, block->hash);
	return SNAP_OK;
}

/* A snapshot of one batch has no directory: the batch lies between header and trailer. */
static enum snap_status load_only_batch(struct loading *loading, bool small,
					struct snap_error *error)
{
	uint8_t bytes[SNAPFMT_BATCH_HEADER_SIZE];
	uint64_t at = loading->offset;
	size_t size = loading->end - at < sizeof bytes ? (size_t)(loading->end - at) : sizeof bytes;
	enum snap_status status =
		libsnap_source_read(&loading->reader->source, at, bytes, size, error);
	if (status != SNAP_OK)
		return status;
	struct cursor c = cursor_over(bytes, size);
	struct snapfmt_block batch;
	const char *reason;
	enum snapfmt_result result = snapfmt_read_block(&c, &batch, &reason);
	if (result != SNAPFMT_GOOD || !snapfmt_is_batch(&batch) || batch.sequence != 0 ||
	    batch.small != small)
		return libsnap_fail(error, SNAP_CORRUPT, at,
				    "there is no directory, and no batch after the header");
	return load_entry(loading, &batch, error);
}

enum snap_status libsnap_load_directory(struct snap_reader *reader, struct libsnap_member *member,
					struct snap_error *error)
{
	struct snapfmt_trailer *trailer = &member->trailer;
	struct loading loading = {
		.reader = reader,
		.offset = member->start + member->header.frame_size,
		.end = member->start + trailer->directory_offset,
	};
	if (loading.offset > loading.end)
		return libsnap_fail(error, SNAP_CORRUPT, loading.end,
				    "the directory lies in the header");
	snapfmt_hasher_begin(&loading.identity);
	add_hash(&loading.identity, member->header.hash);
	struct libsnap_directory directory = {.offset = loading.end,
					      .count = (uint32_t)trailer->block_count};
	enum snap_status status = libsnap_reserve_blocks(reader, directory.count, error);
	const bool has_directory = !(trailer->flags & SNAPFMT_NO_DIRECTORY);
	if (status == SNAP_OK && has_directory)
		status = libsnap_read_directory(reader, &directory, load_entry, &loading, error);
	else if (status == SNAP_OK)
		status = load_only_batch(&loading, trailer->small, error);
	if (status != SNAP_OK)
		return status;
	if (loading.offset != loading.end)
		return libsnap_fail(error, SNAP_CORRUPT, loading.offset,
				    "the blocks do not end where the directory begins");
	if (has_directory)
		add_hash(&loading.identity, directory.hash);
	const uint64_t identity = snapfmt_identity(&loading.identity, trailer);
	if (trailer->small)
		trailer->identity = identity;
	if (!libsnap_hash_agrees(trailer->identity, identity))
		return libsnap_fail(error, SNAP_CORRUPT,
				    member->start + member->size - SNAPFMT_TRAILER_SIZE,
				    "the trailer's identity is not that of the snapshot");
	return SNAP_OK;
}

/* ---- looking things up ---- */

const struct libsnap_column *libsnap_find_column(const struct snap_reader *reader, uint32_t column)
{
	size_t low = 0, high = reader->column_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (reader->columns[middle].column < column)
			low = middle + 1;
		else
			high = middle;
	}
	if (low < reader->column_count && reader->columns[low].column == column)
		return &reader->columns[low];
	return NULL;
}

size_t libsnap_block_at(const struct snap_reader *reader, const struct libsnap_column *column,
			uint64_t row)
{
	size_t low = 0, high = column->count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const struct libsnap_block *block = libsnap_block_of(reader, column, middle);
		if (block->first_row + block->row_count <= row)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}
