/* A walk over the sound frames of a damaged file, within
 * bounded memory and work (FORMAT.md, section 8). */
#include <string.h>

#include "reader.h"

#define WINDOW ((size_t)2 << 20)

static const uint8_t magic[4] = {0x53, 0x2a, 0x4d, 0x18};

enum snap_status libsnap_walk_begin(struct libsnap_walk *walk, struct snap_reader *reader,
				    struct snap_error *error)
{
	*walk = (struct libsnap_walk){.reader = reader};
	/* Someone could fill a file with beginnings of large blocks, one inside the other. */
	walk->max_wasted = ((uint64_t)256 << 20) + 8 * reader->source.size;
	if (reader->source.memory)
		return SNAP_OK;
	void *window = NULL;
	enum snap_status status = libsnap_reader_resize(reader, &window, 0, WINDOW, 1, error);
	walk->window = window;
	return status;
}

void libsnap_walk_end(struct libsnap_walk *walk)
{
	libsnap_reader_free(walk->reader, walk->window, WINDOW, 1);
	walk->window = NULL;
}

/* size bytes (at most WINDOW) from offset on, which lie within the file. */
static enum snap_status look(struct libsnap_walk *walk, uint64_t offset, size_t size,
			     const uint8_t **bytes, struct snap_error *error)
{
	const struct libsnap_source *source = &walk->reader->source;
	if (source->memory) {
		*bytes = source->memory + offset;
		return SNAP_OK;
	}
	if (offset < walk->window_offset || offset - walk->window_offset > walk->window_size ||
	    size > walk->window_size - (size_t)(offset - walk->window_offset)) {
		uint64_t left = source->size - offset;
		size_t wanted = left < WINDOW ? (size_t)left : WINDOW;
		walk->window_size = 0;
		enum snap_status status =
			libsnap_source_read(source, offset, walk->window, wanted, error);
		if (status != SNAP_OK)
			return status;
		walk->window_offset = offset;
		walk->window_size = wanted;
	}
	*bytes = walk->window + (offset - walk->window_offset);
	return SNAP_OK;
}

/* ---- frames ---- Each try_ sets frame->kind if such a sound
 * frame begins at frame->offset, where left bytes are left. */

/* Of what may be newer, every bit counts. */
static uint64_t hash_of(const struct libsnap_sound_frame *frame, const uint8_t *bytes,
			size_t header_size)
{
	struct snapfmt_hasher hasher;
	if (frame->block.small)
		return snapfmt_block_hash(&frame->block, bytes + header_size);
	snapfmt_hasher_begin(&hasher);
	snapfmt_hasher_add(&hasher, bytes, header_size - 8);
	snapfmt_hasher_add(&hasher, bytes + header_size, frame->block.stored_size);
	return snapfmt_hasher_end(&hasher);
}

/* A small snapshot is a block with the tag of a header. */
static enum snap_status try_block(struct libsnap_walk *walk, struct libsnap_sound_frame *frame,
				  uint64_t left, struct snap_error *error)
{
	const uint8_t *bytes;
	size_t size = left < SNAPFMT_BLOCK_HEADER_SIZE ? (size_t)left : SNAPFMT_BLOCK_HEADER_SIZE;
	enum snap_status status = look(walk, frame->offset, size, &bytes, error);
	if (status != SNAP_OK)
		return status;
	struct cursor c = cursor_over(bytes, size);
	enum snapfmt_result result = snapfmt_read_block(&c, &frame->block, &frame->reason);
	uint32_t stored_size = frame->block.stored_size;
	if ((result != SNAPFMT_GOOD && result != SNAPFMT_NEWER) || stored_size > SNAPFMT_MAX_STORED)
		return SNAP_OK;
	size_t header_size = snapfmt_block_header_size(&frame->block);
	if (stored_size > left - header_size)
		return SNAP_OK;
	size = header_size + stored_size;
	status = look(walk, frame->offset, size, &bytes, error);
	if (status != SNAP_OK)
		return status;
	if (!libsnap_hash_agrees(hash_of(frame, bytes, header_size), frame->block.hash)) {
		walk->wasted += size;
		return SNAP_OK;
	}
	frame->kind = LIBSNAP_FRAME_BLOCK;
	frame->newer = result == SNAPFMT_NEWER;
	frame->size = size;
	return SNAP_OK;
}

/* Where it is damaged, it is known at least that there is a member. */
static enum snap_status try_small(struct libsnap_walk *walk, struct libsnap_sound_frame *frame,
				  uint64_t left, struct snap_error *error)
{
	enum snap_status status = try_block(walk, frame, left, error);
	if (status == SNAP_OK && frame->kind == LIBSNAP_FRAME_NONE) {
		frame->kind = LIBSNAP_FRAME_HEADER;
		frame->size = SNAPFMT_SMALL_START_SIZE;
	}
	return status;
}

static enum snap_status try_header(struct libsnap_walk *walk, struct libsnap_sound_frame *frame,
				   uint64_t left, struct snap_error *error)
{
	const uint8_t *bytes;
	size_t size = left < SNAPFMT_HEADER_MAX_SIZE ? (size_t)left : SNAPFMT_HEADER_MAX_SIZE;
	enum snap_status status = look(walk, frame->offset, size, &bytes, error);
	if (status != SNAP_OK)
		return status;
	walk->wasted += 64;
	struct cursor c = cursor_over(bytes, size);
	enum snapfmt_result result = snapfmt_read_header(&c, &frame->header, &frame->reason);
	if (result == SNAPFMT_GOOD && frame->header.small)
		return try_small(walk, frame, left, error);
	if (result != SNAPFMT_GOOD && result != SNAPFMT_NEWER)
		return SNAP_OK;
	frame->kind = LIBSNAP_FRAME_HEADER;
	frame->newer = result == SNAPFMT_NEWER;
	frame->size = (uint64_t)(c.at - bytes);
	return SNAP_OK;
}

static enum snap_status take_nothing(void *context, const struct snapfmt_block *block,
				     struct snap_error *error)
{
	(void)context;
	(void)block;
	(void)error;
	return SNAP_OK;
}

static enum snap_status try_directory(struct libsnap_walk *walk, struct libsnap_sound_frame *frame,
				      uint64_t left, struct snap_error *error)
{
	if (left < 16)
		return SNAP_OK;
	const uint8_t *bytes;
	enum snap_status status = look(walk, frame->offset, 16, &bytes, error);
	if (status != SNAP_OK)
		return status;
	struct cursor c = cursor_over(bytes, 16);
	if (snapfmt_read_directory_start(&c, &frame->entry_count, &frame->reason) != SNAPFMT_GOOD ||
	    SNAPFMT_DIRECTORY_SIZE(frame->entry_count) > left)
		return SNAP_OK;
	struct libsnap_directory directory = {.offset = frame->offset, .count = frame->entry_count};
	status = libsnap_read_directory(walk->reader, &directory, take_nothing, NULL, error);
	if (status == SNAP_CORRUPT) {
		walk->wasted += SNAPFMT_DIRECTORY_SIZE(frame->entry_count);
		return SNAP_OK;
	}
	if (status != SNAP_OK)
		return status;
	frame->kind = LIBSNAP_FRAME_DIRECTORY;
	frame->size = SNAPFMT_DIRECTORY_SIZE(frame->entry_count);
	return SNAP_OK;
}

static enum snap_status try_trailer(struct libsnap_walk *walk, struct libsnap_sound_frame *frame,
				    uint64_t left, struct snap_error *error)
{
	if (left < SNAPFMT_TRAILER_SIZE)
		return SNAP_OK;
	const uint8_t *bytes;
	enum snap_status status = look(walk, frame->offset, SNAPFMT_TRAILER_SIZE, &bytes, error);
	if (status != SNAP_OK)
		return status;
	struct cursor c = cursor_over(bytes, SNAPFMT_TRAILER_SIZE);
	enum snapfmt_result result = snapfmt_read_trailer(&c, &frame->trailer, &frame->reason);
	if (result != SNAPFMT_GOOD && result != SNAPFMT_NEWER)
		return SNAP_OK;
	frame->kind = LIBSNAP_FRAME_TRAILER;
	frame->newer = result == SNAPFMT_NEWER;
	frame->size = SNAPFMT_TRAILER_SIZE;
	return SNAP_OK;
}

static enum snap_status try_frame(struct libsnap_walk *walk, struct libsnap_sound_frame *frame,
				  struct snap_error *error)
{
	static const struct {
		char tag[4];
		enum snap_status (*try_it)(struct libsnap_walk *, struct libsnap_sound_frame *,
					   uint64_t, struct snap_error *);
	} kinds[] = {
		{{'S', 'N', 'A', 'P'}, try_header},  {{'S', 'B', 'L', 'K'}, try_block},
		{{'S', 'B', 'A', 'T'}, try_block},   {{'S', 'D', 'I', 'R'}, try_directory},
		{{'S', 'E', 'N', 'D'}, try_trailer},
	};
	uint64_t left = walk->reader->source.size - frame->offset;
	if (left < 12)
		return SNAP_OK;
	const uint8_t *bytes;
	enum snap_status status = look(walk, frame->offset, 12, &bytes, error);
	if (status != SNAP_OK)
		return status;
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (memcmp(bytes + 8, kinds[i].tag, 4) == 0)
			return kinds[i].try_it(walk, frame, left, error);
	}
	return SNAP_OK;
}

/* The next place with the magic number, from walk->at on; the end of the file if there is none. */
static enum snap_status seek_magic(struct libsnap_walk *walk, struct snap_error *error)
{
	uint64_t end = walk->reader->source.size;
	while (end - walk->at >= sizeof magic) {
		uint64_t left = end - walk->at;
		size_t size = left < WINDOW / 2 ? (size_t)left : WINDOW / 2;
		const uint8_t *bytes;
		enum snap_status status = look(walk, walk->at, size, &bytes, error);
		if (status != SNAP_OK)
			return status;
		const uint8_t *found = memmem(bytes, size, magic, sizeof magic);
		if (found) {
			walk->at += (uint64_t)(found - bytes);
			return SNAP_OK;
		}
		walk->at += size - (sizeof magic - 1);
	}
	walk->at = end;
	return SNAP_OK;
}

enum snap_status libsnap_walk_next(struct libsnap_walk *walk, struct libsnap_sound_frame *frame,
				   struct snap_error *error)
{
	for (;;) {
		enum snap_status status = seek_magic(walk, error);
		if (status != SNAP_OK)
			return status;
		if (walk->at == walk->reader->source.size)
			return SNAP_END;
		*frame = (struct libsnap_sound_frame){.offset = walk->at};
		status = try_frame(walk, frame, error);
		if (status != SNAP_OK)
			return status;
		if (frame->kind != LIBSNAP_FRAME_NONE) {
			walk->at += frame->size;
			return SNAP_OK;
		}
		if (walk->wasted > walk->max_wasted)
			return libsnap_fail(error, SNAP_LIMIT, walk->at,
					    "there are too many false beginnings of blocks");
		walk->at++;
	}
}
