/* Pieces of a seekable input by offset, of which the last used are kept (hprof.h). */
#include "hprof.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum snap_status hprof_pieces_begin(struct hprof_pieces *pieces, struct import_input *input,
				    struct snap_error *error)
{
	*pieces = (struct hprof_pieces){.input = input};
	pieces->bytes = malloc((size_t)HPROF_PIECE_SIZE * HPROF_PIECE_COUNT);
	if (pieces->bytes == NULL)
		return import_fail_at(error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
	return SNAP_OK;
}

void hprof_pieces_end(struct hprof_pieces *pieces)
{
	free(pieces->bytes);
	free(pieces->copy);
	*pieces = (struct hprof_pieces){.input = NULL};
}

static enum snap_status fail_io(struct snap_error *error, int os_errno, uint64_t offset)
{
	import_fail_at(error, SNAP_IO, offset, "cannot read: %s", strerror(os_errno));
	if (error != NULL)
		error->os_errno = os_errno;
	return SNAP_IO;
}

static enum snap_status read_all(struct hprof_pieces *pieces, uint64_t offset, uint8_t *to,
				 size_t size, size_t *got, struct snap_error *error)
{
	for (*got = 0; *got < size;) {
		ssize_t n = pread(pieces->input->descriptor, to + *got, size - *got,
				  (off_t)(offset + *got));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail_io(error, errno, offset + *got);
		if (n == 0)
			break;
		*got += (size_t)n;
	}
	return SNAP_OK;
}

static enum snap_status changed(uint64_t offset, struct snap_error *error)
{
	return import_fail_at(error, SNAP_CORRUPT, offset, "it was changed while it was read");
}

static enum snap_status read_copy(struct hprof_pieces *pieces, uint64_t offset, size_t size,
				  const uint8_t **bytes, struct snap_error *error)
{
	if (pieces->copy_capacity < size) {
		uint8_t *larger = realloc(pieces->copy, size);
		if (larger == NULL)
			return import_fail_at(error, SNAP_NO_MEMORY, SNAP_NO_OFFSET,
					      "out of memory");
		pieces->copy = larger;
		pieces->copy_capacity = size;
	}
	size_t got;
	enum snap_status status = read_all(pieces, offset, pieces->copy, size, &got, error);
	*bytes = pieces->copy;
	return status == SNAP_OK && got < size ? changed(offset, error) : status;
}

enum snap_status hprof_piece(struct hprof_pieces *pieces, uint64_t offset, size_t size,
			     const uint8_t **bytes, struct snap_error *error)
{
	uint64_t number = offset / HPROF_PIECE_SIZE;
	size_t within = (size_t)(offset % HPROF_PIECE_SIZE);
	if (size == 0) {
		*bytes = (const uint8_t *)"";
		return SNAP_OK;
	}
	if (size > HPROF_PIECE_SIZE - within)
		return read_copy(pieces, offset, size, bytes, error);
	size_t slot = (size_t)(number % HPROF_PIECE_COUNT);
	uint8_t *piece = pieces->bytes + slot * HPROF_PIECE_SIZE;
	if (pieces->at[slot] != number + 1) {
		pieces->at[slot] = 0;
		enum snap_status status = read_all(pieces, number * HPROF_PIECE_SIZE, piece,
						   HPROF_PIECE_SIZE, &pieces->size[slot], error);
		if (status != SNAP_OK)
			return status;
		pieces->at[slot] = number + 1;
	}
	if (within + size > pieces->size[slot])
		return changed(offset, error);
	*bytes = piece + within;
	return SNAP_OK;
}
