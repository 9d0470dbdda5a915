/* Foreign input, pulled through a bounded buffer; knows the byte offset for messages. */
#ifndef IMPORT_INPUT_H
#define IMPORT_INPUT_H

#include "snap.h"
#include "worker.h"

/* A file or standard input.  Any number of readers may read a seekable one. */
struct import_input {
	const char *name; /* as the user gave it; "-" */
	int descriptor;
	bool owned; /* close the descriptor at the end */
	bool seekable;
	uint64_t size; /* known if seekable */
};

/* path NULL or "-": standard input. */
enum snap_status import_input_open(struct import_input *input, const char *path,
				   struct snap_error *error);
/* Copies what cannot seek to an unlinked file in $TMPDIR (else /tmp).  Before the first read. */
enum snap_status import_input_make_seekable(struct import_input *input, struct snap_error *error);
void import_input_close(struct import_input *input);

/* An unlinked file in $TMPDIR (else /tmp) that shall take an input's place. */
struct import_output {
	int descriptor; /* or -1 */
	uint64_t size;
};
enum snap_status import_output_begin(struct import_output *output, struct snap_error *error);
enum snap_status import_output_write(struct import_output *output, const void *bytes, size_t size,
				     struct snap_error *error);
/* Puts it in the place of input; unless status says that
 * something failed, or input is NULL.  Returns status. */
enum snap_status import_output_end(struct import_output *output, struct import_input *input,
				   enum snap_status status);

/* What a second thread reads of a seekable input while what comes before it is looked at. */
struct import_ahead {
	struct libsnap_job job;
	struct libsnap_worker worker;
	int descriptor;
	uint8_t *buffer;
	size_t capacity;
	uint64_t offset; /* of what is in the buffer, behind room for what was not used up */
	size_t got;      /* 0: nothing, for whatever reason */
};

/* Bytes at..end are in the buffer.  Remembers the first failure; a failed reader is at its end. */
struct import_reader {
	const uint8_t *at, *end;
	struct import_input *input;
	uint8_t *buffer;
	const uint8_t *first; /* of the input, in the buffer */
	size_t capacity;
	struct import_ahead *ahead; /* or NULL */
	size_t read_size;           /* bytes at once; 0: as many as there is room for */
	uint64_t end_offset;        /* in the input, of end */
	bool ended;                 /* the input has no more than the buffer */
	enum snap_status status;
	int os_errno;
};

#define IMPORT_READER_BUFFER (256u * 1024)

/* Starts reading at offset (0 unless the input is seekable). */
enum snap_status import_reader_begin(struct import_reader *reader, struct import_input *input,
				     uint64_t offset, struct snap_error *error);
/* From now on a second thread reads ahead, if threads are two and one can be had. */
void import_reader_ahead(struct import_reader *reader, unsigned threads);
void import_reader_end(struct import_reader *reader);
/* Goes on at another offset of a seekable input, and forgets failures. */
void import_reader_seek(struct import_reader *reader, uint64_t offset);

/* Makes at least want bytes lie at reader->at, growing the buffer if it must; false
 * at the end of the input, or on failure (see status).  Bytes taken before move. */
bool import_reader_fill(struct import_reader *reader, size_t want);

/* The next size bytes, contiguous until the next call;
 * NULL if there are fewer.  The caller bounds size. */
static inline const uint8_t *import_reader_take(struct import_reader *reader, size_t size)
{
	if ((size_t)(reader->end - reader->at) < size && !import_reader_fill(reader, size))
		return NULL;
	const uint8_t *bytes = reader->at;
	reader->at += size;
	return bytes;
}

/* Bytes of the input that are in the buffer still or
 * already, until more are taken; NULL where they are not. */
static inline const uint8_t *import_reader_window(const struct import_reader *reader,
						  uint64_t offset, size_t size)
{
	uint64_t left = reader->end_offset - offset;
	bool inside = offset <= reader->end_offset && size <= left &&
		      left <= (uint64_t)(reader->end - reader->first);
	return inside ? reader->end - left : NULL;
}

/* The next byte without taking it, or -1. */
static inline int import_reader_peek(struct import_reader *reader)
{
	if (reader->at == reader->end && !import_reader_fill(reader, 1))
		return -1;
	return *reader->at;
}

/* Offset of the next byte. */
static inline uint64_t import_reader_offset(const struct import_reader *reader)
{
	return reader->end_offset - (uint64_t)(reader->end - reader->at);
}

/* Fills error with status, offset and a message; returns status. */
enum snap_status import_fail_at(struct snap_error *error, enum snap_status status, uint64_t offset,
				const char *format, ...) __attribute__((format(printf, 4, 5)));
/* The reason why a take or peek gave nothing: I/O, memory, or "ends too early" as SNAP_CORRUPT. */
enum snap_status import_reader_failure(const struct import_reader *reader,
				       struct snap_error *error);

#endif
