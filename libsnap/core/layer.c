/* Whether a snapshot has an index, and whether it was made of this snapshot (FORMAT.md, 7.5). */
#include "reader.h"

enum snap_status libsnap_read_header(const struct snap_reader *reader, uint8_t *bytes, size_t *size,
				     struct snapfmt_header *header, struct snap_error *error)
{
	struct sink s = sink_over(bytes, *size);
	uint64_t left = reader->source.size - reader->info.offset;
	const char *reason;
	if (*size > left)
		*size = (size_t)left;
	enum snap_status status =
		libsnap_source_read(&reader->source, reader->info.offset, bytes, *size, error);
	if (status != SNAP_OK)
		return status;
	struct cursor c = cursor_over(bytes, *size);
	if (snapfmt_read_header(&c, header, &reason) != SNAPFMT_GOOD)
		return libsnap_fail(error, SNAP_CORRUPT, reader->info.offset, "the header %s",
				    reason);
	if (header->small)
		snapfmt_write_header(&s, header);
	*size = header->frame_size;
	return SNAP_OK;
}

static void add_hash(struct snapfmt_hasher *hasher, uint64_t hash)
{
	uint8_t bytes[8];
	struct sink s = sink_over(bytes, sizeof(bytes));
	sink_u64(&s, hash);
	snapfmt_hasher_add(hasher, bytes, sizeof(bytes));
}

/* With the block before: they are one in the file. */
static bool shares_batch(const struct snap_reader *reader, uint64_t block)
{
	return block > 0 && reader->blocks[block].sequence == reader->blocks[block - 1].sequence;
}

enum snap_status libsnap_layer_base(const struct snap_reader *reader, uint64_t blocks,
				    uint64_t *base, struct snap_error *error)
{
	uint8_t bytes[SNAPFMT_HEADER_MAX_SIZE];
	size_t size = sizeof(bytes);
	struct snapfmt_header header;
	struct snapfmt_hasher hasher;
	enum snap_status status = libsnap_read_header(reader, bytes, &size, &header, error);
	if (status != SNAP_OK)
		return status;
	snapfmt_hasher_begin(&hasher);
	add_hash(&hasher, header.hash);
	for (uint64_t i = 0; i < blocks; i++)
		if (!shares_batch(reader, i))
			add_hash(&hasher, reader->blocks[i].hash);
	*base = snapfmt_hasher_end(&hasher);
	return SNAP_OK;
}

static enum snap_status read_facts(struct snap_reader *reader, struct snap_index_info *info,
				   bool *has_base, struct snap_error *error)
{
	static const uint32_t columns[] = {SNAP_INDEX_FACT, SNAP_INDEX_VALUE};
	struct scan scan = scan_begin(reader, columns, 2, error);
	while (scan_next(&scan)) {
		uint64_t fact = scan_value(&scan, 0);
		if (fact < SNAP_FACT_COUNT)
			info->facts[fact] = scan_value(&scan, 1);
		*has_base |= fact == SNAP_FACT_BASE;
	}
	return scan_end(&scan, NULL);
}

enum snap_status libsnap_find_index(struct snap_reader *reader, struct snap_index_info *out,
				    struct snap_error *error)
{
	struct snap_index_info info = {.first_block = reader->block_count};
	uint64_t base = 0;
	bool has_base = false;
	for (uint64_t i = reader->block_count; i-- > 0;)
		if (libsnap_is_layer(reader->blocks[i].column))
			info.first_block = i;
	*out = info;
	if (info.first_block == reader->block_count)
		return SNAP_OK;
	out->state = info.state = SNAP_INDEX_FOREIGN;
	for (uint64_t i = info.first_block; i < reader->block_count; i++)
		if (!libsnap_is_layer(reader->blocks[i].column))
			return SNAP_OK;
	if (shares_batch(reader, info.first_block) ||
	    reader->rows[SNAP_INDEX_OBJECTS] != reader->rows[SNAP_OBJECTS])
		return SNAP_OK;
	enum snap_status status = read_facts(reader, &info, &has_base, error);
	if (status == SNAP_OK)
		status = libsnap_layer_base(reader, info.first_block, &base, error);
	if (status != SNAP_OK || !has_base || base != info.facts[SNAP_FACT_BASE])
		return status;
	info.state = SNAP_INDEX_GOOD;
	*out = info;
	return SNAP_OK;
}

enum snap_status snap_reader_index(struct snap_reader *reader, struct snap_index_info *out,
				   struct snap_error *error)
{
	if (!reader->partial)
		return libsnap_find_index(reader, out, error);
	*out = (struct snap_index_info){.first_block = reader->block_count};
	return SNAP_OK;
}
