/* A snapshot's header and trailer (FORMAT.md, sections 3, 5.2 and 5.3). */
#include "snapfmt.h"

#include <string.h>

static const char header_tag[8] = {'S', 'N', 'A', 'P', 'H', 'E', 'A', 'P'};
static const char trailer_tag[4] = {'S', 'E', 'N', 'D'};

#define TRAILER_KNOWN_FLAGS (15u | SNAPFMT_NO_DIRECTORY)

struct snapfmt_header snapfmt_small_header(void)
{
	uint8_t bytes[SNAPFMT_HEADER_SIZE];
	struct sink s = sink_over(bytes, sizeof(bytes));
	struct snapfmt_header header = {
		.major = 1, .minor = 1, .required_features = SNAPFMT_FEATURE_BATCHES};
	snapfmt_write_header(&s, &header);
	header.frame_size = 0;
	header.small = true;
	return header;
}

enum snapfmt_result snapfmt_read_header(struct cursor *c, struct snapfmt_header *out,
					const char **reason)
{
	const uint8_t *start = c->at;
	struct snapfmt_header header = {0};
	uint32_t magic = cursor_u32(c);
	uint32_t size = cursor_u32(c);
	const uint8_t *tag = cursor_take(c, sizeof(header_tag));
	if (!tag || magic != SNAPFMT_FRAME_MAGIC ||
	    memcmp(tag, header_tag, sizeof(header_tag)) != 0) {
		*reason = "no header";
		return SNAPFMT_NOT_THIS;
	}
	if (size == SNAPFMT_BATCH_HEADER_SIZE - 8) {
		*out = snapfmt_small_header();
		return SNAPFMT_GOOD;
	}
	*reason = "the header's size is wrong";
	if (size < SNAPFMT_HEADER_SIZE - 8 || size > SNAPFMT_HEADER_MAX_SIZE - 8)
		return SNAPFMT_BROKEN;
	header.frame_size = size + 8;
	header.major = cursor_u16(c);
	header.minor = cursor_u16(c);
	header.required_features = cursor_u32(c);
	header.optional_features = cursor_u32(c);
	uint32_t reserved = cursor_u32(c);
	cursor_take(c, header.frame_size - 40);
	header.hash = cursor_u64(c);
	*reason = "the header is cut short";
	if (c->failed)
		return SNAPFMT_BROKEN;
	*reason = "the header's hash is wrong";
	if (header.hash != snapfmt_hash(start, header.frame_size - 8))
		return SNAPFMT_BROKEN;
	*reason = "the format's major version is newer";
	if (header.major != SNAPFMT_MAJOR)
		return SNAPFMT_NEWER;
	*reason = "the header asks for features that are not known";
	if ((header.required_features & ~SNAPFMT_FEATURE_BATCHES) || reserved)
		return SNAPFMT_NEWER;
	*out = header;
	return SNAPFMT_GOOD;
}

void snapfmt_write_header(struct sink *s, struct snapfmt_header *header)
{
	const uint8_t *start = s->at;
	sink_u32(s, SNAPFMT_FRAME_MAGIC);
	sink_u32(s, SNAPFMT_HEADER_SIZE - 8);
	sink_bytes(s, header_tag, sizeof(header_tag));
	sink_u16(s, header->major);
	sink_u16(s, header->minor);
	sink_u32(s, header->required_features);
	sink_u32(s, header->optional_features);
	sink_u32(s, 0);
	sink_u64(s, 0);
	header->frame_size = SNAPFMT_HEADER_SIZE;
	header->hash = s->failed ? 0 : snapfmt_hash(start, SNAPFMT_HEADER_SIZE - 8);
	sink_u64(s, header->hash);
}

enum snapfmt_result snapfmt_read_trailer(struct cursor *c, struct snapfmt_trailer *out,
					 const char **reason)
{
	const uint8_t *start = c->at;
	struct snapfmt_trailer trailer = {0};
	uint32_t magic = cursor_u32(c);
	uint32_t size = cursor_u32(c);
	const uint8_t *tag = cursor_take(c, sizeof(trailer_tag));
	*reason = "no trailer";
	if (!tag || magic != SNAPFMT_FRAME_MAGIC ||
	    memcmp(tag, trailer_tag, sizeof(trailer_tag)) != 0)
		return SNAPFMT_NOT_THIS;
	trailer.flags = cursor_u32(c);
	trailer.snapshot_size = cursor_u64(c);
	trailer.directory_offset = cursor_u64(c);
	trailer.block_count = cursor_u64(c);
	trailer.sampling_interval = cursor_u64(c);
	trailer.unknown_references = cursor_u64(c);
	trailer.spare = cursor_u64(c);
	trailer.identity = cursor_u64(c);
	trailer.hash = cursor_u64(c);
	*reason = "the trailer is damaged";
	if (c->failed || size != SNAPFMT_TRAILER_SIZE - 8 ||
	    trailer.hash != snapfmt_hash(start, SNAPFMT_TRAILER_SIZE - 8))
		return SNAPFMT_BROKEN;
	*reason = "the trailer has flags that are not known";
	if (trailer.flags & ~TRAILER_KNOWN_FLAGS)
		return SNAPFMT_NEWER;
	*out = trailer;
	return SNAPFMT_GOOD;
}

/* The trailer's bytes before identity and hash. */
static void write_statements(struct sink *s, const struct snapfmt_trailer *trailer)
{
	sink_u32(s, SNAPFMT_FRAME_MAGIC);
	sink_u32(s, SNAPFMT_TRAILER_SIZE - 8);
	sink_bytes(s, trailer_tag, sizeof(trailer_tag));
	sink_u32(s, trailer->flags);
	sink_u64(s, trailer->snapshot_size);
	sink_u64(s, trailer->directory_offset);
	sink_u64(s, trailer->block_count);
	sink_u64(s, trailer->sampling_interval);
	sink_u64(s, trailer->unknown_references);
	sink_u64(s, trailer->spare);
}

void snapfmt_write_trailer(struct sink *s, struct snapfmt_trailer *trailer)
{
	const uint8_t *start = s->at;
	write_statements(s, trailer);
	sink_u64(s, trailer->identity);
	trailer->hash = s->failed ? 0 : snapfmt_hash(start, SNAPFMT_TRAILER_SIZE - 8);
	sink_u64(s, trailer->hash);
}

uint64_t snapfmt_identity(const struct snapfmt_hasher *hashes,
			  const struct snapfmt_trailer *trailer)
{
	uint8_t bytes[SNAPFMT_TRAILER_SIZE - 16];
	struct sink s = sink_over(bytes, sizeof(bytes));
	struct snapfmt_trailer whole = *trailer;
	if (trailer->small) {
		whole.directory_offset += SNAPFMT_HEADER_SIZE;
		whole.snapshot_size = whole.directory_offset + SNAPFMT_TRAILER_SIZE;
	}
	write_statements(&s, &whole);
	struct snapfmt_hasher hasher = *hashes;
	snapfmt_hasher_add(&hasher, bytes, sizeof(bytes));
	return snapfmt_hasher_end(&hasher);
}

static enum snapfmt_result read_small_end(struct cursor *c, struct snapfmt_trailer *out,
					  const char **reason)
{
	uint32_t magic = cursor_u32(c), frame_size = cursor_u32(c), size = cursor_u32(c);
	*reason = "no end of a small snapshot";
	if (c->failed || magic != SNAPFMT_FRAME_MAGIC || frame_size != SNAPFMT_SMALL_END_SIZE - 8)
		return SNAPFMT_NOT_THIS;
	*reason = "a small snapshot has an impossible size";
	if (size <= SNAPFMT_BATCH_HEADER_SIZE + SNAPFMT_SMALL_END_SIZE ||
	    size > SNAPFMT_BATCH_HEADER_SIZE + SNAPFMT_BATCH_MAX_SIZE + SNAPFMT_SMALL_END_SIZE)
		return SNAPFMT_BROKEN;
	*out = (struct snapfmt_trailer){.flags = SNAPFMT_NO_DIRECTORY,
					.snapshot_size = size,
					.directory_offset = size - SNAPFMT_SMALL_END_SIZE,
					.block_count = 1,
					.small = true};
	return SNAPFMT_GOOD;
}

enum snapfmt_result snapfmt_read_end(const uint8_t *bytes, size_t size, struct snapfmt_trailer *out,
				     const char **reason)
{
	*reason = "no trailer";
	if (size < SNAPFMT_SMALL_END_SIZE)
		return SNAPFMT_NOT_THIS;
	struct cursor c =
		cursor_over(bytes + size - SNAPFMT_SMALL_END_SIZE, SNAPFMT_SMALL_END_SIZE);
	enum snapfmt_result result = read_small_end(&c, out, reason);
	if (result != SNAPFMT_NOT_THIS)
		return result;
	size_t before = size > SNAPFMT_TRAILER_SIZE ? size - SNAPFMT_TRAILER_SIZE : 0;
	c = cursor_over(bytes + before, size - before);
	return snapfmt_read_trailer(&c, out, reason);
}

void snapfmt_write_small_end(struct sink *s, uint32_t snapshot_size)
{
	sink_u32(s, SNAPFMT_FRAME_MAGIC);
	sink_u32(s, SNAPFMT_SMALL_END_SIZE - 8);
	sink_u32(s, snapshot_size);
}
