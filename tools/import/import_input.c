/* Foreign input, pulled through a bounded buffer (import_input.h). */
#include "import_input.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Readers may look a few bytes beyond the end of what they have. */
#define READER_PADDING 32
/* So much that was not used up fits before what is read ahead. */
#define READER_HEAD 4096u

enum snap_status import_fail_at(struct snap_error *error, enum snap_status status, uint64_t offset,
				const char *format, ...)
{
	if (error == NULL)
		return status;
	memset(error, 0, sizeof(*error));
	error->status = status;
	error->offset = offset;
	va_list arguments;
	va_start(arguments, format);
	vsnprintf(error->message, sizeof(error->message), format, arguments);
	va_end(arguments);
	return status;
}

static enum snap_status io_failure(struct snap_error *error, int os_errno, uint64_t offset,
				   const char *what)
{
	import_fail_at(error, SNAP_IO, offset, "%s: %s", what, strerror(os_errno));
	if (error != NULL)
		error->os_errno = os_errno;
	return SNAP_IO;
}

enum snap_status import_input_open(struct import_input *input, const char *path,
				   struct snap_error *error)
{
	*input = (struct import_input){.name = path == NULL ? "-" : path};
	if (strcmp(input->name, "-") != 0) {
		input->descriptor = open(path, O_RDONLY | O_CLOEXEC);
		if (input->descriptor < 0)
			return io_failure(error, errno, SNAP_NO_OFFSET, "cannot open");
		input->owned = true;
	}
	struct stat about;
	if (fstat(input->descriptor, &about) != 0) {
		int os_errno = errno;
		import_input_close(input);
		return io_failure(error, os_errno, SNAP_NO_OFFSET, "cannot look at it");
	}
	if (S_ISDIR(about.st_mode)) {
		import_input_close(input);
		return io_failure(error, EISDIR, SNAP_NO_OFFSET, "cannot read");
	}
	/* A file that someone has already read from is read on from there, as a pipe is. */
	if (S_ISREG(about.st_mode) &&
	    (input->owned || lseek(input->descriptor, 0, SEEK_CUR) == 0)) {
		input->seekable = true;
		input->size = (uint64_t)about.st_size;
	}
	return SNAP_OK;
}

static int temporary_file(void)
{
	const char *folder = getenv("TMPDIR");
	if (folder == NULL || *folder == '\0')
		folder = "/tmp";
	int descriptor = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (descriptor >= 0)
		return descriptor;
	char path[4096];
	int length = snprintf(path, sizeof(path), "%s/snap-import.XXXXXX", folder);
	if (length < 0 || (size_t)length >= sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	descriptor = mkostemp(path, O_CLOEXEC);
	if (descriptor >= 0)
		unlink(path);
	return descriptor;
}

static int write_all(int descriptor, const uint8_t *bytes, size_t size)
{
	while (size > 0) {
		ssize_t written = write(descriptor, bytes, size);
		if (written < 0 && errno != EINTR)
			return errno;
		if (written > 0) {
			bytes += written;
			size -= (size_t)written;
		}
	}
	return 0;
}

enum snap_status import_output_begin(struct import_output *output, struct snap_error *error)
{
	*output = (struct import_output){.descriptor = temporary_file()};
	if (output->descriptor < 0)
		return io_failure(error, errno, SNAP_NO_OFFSET, "no temporary file for the input");
	return SNAP_OK;
}

enum snap_status import_output_write(struct import_output *output, const void *bytes, size_t size,
				     struct snap_error *error)
{
	int os_errno = write_all(output->descriptor, bytes, size);
	if (os_errno != 0)
		return io_failure(error, os_errno, output->size,
				  "cannot keep it in a temporary file");
	output->size += size;
	return SNAP_OK;
}

enum snap_status import_output_end(struct import_output *output, struct import_input *input,
				   enum snap_status status)
{
	if (output->descriptor < 0)
		return status;
	if (status != SNAP_OK || input == NULL) {
		close(output->descriptor);
	} else {
		import_input_close(input);
		input->descriptor = output->descriptor;
		input->owned = true;
		input->seekable = true;
		input->size = output->size;
	}
	output->descriptor = -1;
	return status;
}

enum snap_status import_input_make_seekable(struct import_input *input, struct snap_error *error)
{
	if (input->seekable)
		return SNAP_OK;
	struct import_output copy;
	enum snap_status status = import_output_begin(&copy, error);
	if (status != SNAP_OK)
		return status;
	uint8_t *buffer = malloc(IMPORT_READER_BUFFER);
	if (buffer == NULL)
		status = import_fail_at(error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
	while (status == SNAP_OK) {
		ssize_t got = read(input->descriptor, buffer, IMPORT_READER_BUFFER);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			status = io_failure(error, errno, copy.size, "cannot read");
		if (got <= 0)
			break;
		status = import_output_write(&copy, buffer, (size_t)got, error);
	}
	free(buffer);
	return import_output_end(&copy, input, status);
}

void import_input_close(struct import_input *input)
{
	if (input->owned)
		close(input->descriptor);
	input->owned = false;
	input->descriptor = -1;
}

enum snap_status import_reader_begin(struct import_reader *reader, struct import_input *input,
				     uint64_t offset, struct snap_error *error)
{
	*reader = (struct import_reader){.input = input, .end_offset = offset};
	reader->capacity = IMPORT_READER_BUFFER;
	reader->buffer = calloc(1, reader->capacity + READER_PADDING);
	if (reader->buffer == NULL)
		return import_fail_at(error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
	reader->first = reader->at = reader->end = reader->buffer;
	return SNAP_OK;
}

static void end_ahead(struct import_ahead *ahead)
{
	if (ahead == NULL)
		return;
	libsnap_worker_end(&ahead->worker);
	free(ahead->buffer);
	free(ahead);
}

void import_reader_end(struct import_reader *reader)
{
	end_ahead(reader->ahead);
	free(reader->buffer);
	*reader = (struct import_reader){.ended = true};
}

void import_reader_seek(struct import_reader *reader, uint64_t offset)
{
	reader->first = reader->at = reader->end = reader->buffer;
	reader->end_offset = offset;
	reader->ended = false;
	reader->status = SNAP_OK;
}

/* Makes what follows a failure look like the end, so that hot loops need no second check. */
static bool fail_reader(struct import_reader *reader, enum snap_status status, int os_errno)
{
	reader->status = status;
	reader->os_errno = os_errno;
	reader->ended = true;
	reader->at = reader->end;
	return false;
}

static bool make_room(struct import_reader *reader, size_t want)
{
	size_t have = (size_t)(reader->end - reader->at);
	if (want > reader->capacity) {
		size_t capacity = reader->capacity;
		while (capacity < want) {
			if (capacity > SIZE_MAX / 4)
				return fail_reader(reader, SNAP_NO_MEMORY, 0);
			capacity *= 2;
		}
		uint8_t *buffer = calloc(1, capacity + READER_PADDING);
		if (buffer == NULL)
			return fail_reader(reader, SNAP_NO_MEMORY, 0);
		memcpy(buffer, reader->at, have);
		free(reader->buffer);
		reader->buffer = buffer;
		reader->capacity = capacity;
	} else {
		memmove(reader->buffer, reader->at, have);
	}
	reader->first = reader->at = reader->buffer;
	reader->end = reader->buffer + have;
	return true;
}

static bool read_more(struct import_reader *reader, size_t want)
{
	size_t have = (size_t)(reader->end - reader->at);
	if (reader->ended || !make_room(reader, want))
		return false;
	while (have < want) {
		uint8_t *to = reader->buffer + have;
		size_t room = reader->capacity - have;
		if (reader->read_size > 0 && reader->read_size < room)
			room = reader->read_size;
		ssize_t got = reader->input->seekable ? pread(reader->input->descriptor, to, room,
							      (off_t)reader->end_offset)
						      : read(reader->input->descriptor, to, room);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail_reader(reader, SNAP_IO, errno);
		if (got == 0) {
			reader->ended = true;
			return false;
		}
		have += (size_t)got;
		reader->end += got;
		reader->end_offset += (uint64_t)got;
	}
	return true;
}

/* ---- ahead ---- */

/* What goes wrong here will go wrong again, and then be told. */
static void read_ahead(struct libsnap_job *job)
{
	struct import_ahead *ahead = (struct import_ahead *)job;
	ssize_t got = pread(ahead->descriptor, ahead->buffer + READER_HEAD,
			    ahead->capacity - READER_HEAD, (off_t)ahead->offset);
	ahead->got = got > 0 ? (size_t)got : 0;
}

void import_reader_ahead(struct import_reader *reader, unsigned threads)
{
	struct import_ahead *ahead =
		threads > 1 && reader->input->seekable ? calloc(1, sizeof(*ahead)) : NULL;
	if (ahead == NULL)
		return;
	ahead->job.run = read_ahead;
	ahead->descriptor = reader->input->descriptor;
	ahead->capacity = reader->capacity;
	ahead->buffer = malloc(ahead->capacity + READER_PADDING);
	if (ahead->buffer != NULL)
		libsnap_worker_begin(&ahead->worker, threads);
	if (ahead->worker.threaded)
		reader->ahead = ahead;
	else
		end_ahead(ahead);
}

/* False: what was read ahead is not what is wanted. */
static bool take_ahead(struct import_reader *reader, size_t want)
{
	struct import_ahead *ahead = reader->ahead;
	const size_t have = (size_t)(reader->end - reader->at), capacity = ahead->capacity;
	libsnap_worker_wait(&ahead->worker, &ahead->job);
	if (ahead->got == 0 || ahead->offset != reader->end_offset || have > READER_HEAD ||
	    have + ahead->got < want)
		return false;
	uint8_t *buffer = ahead->buffer, *first = buffer + READER_HEAD - have;
	memcpy(first, reader->at, have);
	reader->first = reader->at = first;
	reader->end = first + have + ahead->got;
	reader->end_offset += ahead->got;
	ahead->buffer = reader->buffer;
	ahead->capacity = reader->capacity;
	reader->buffer = buffer;
	reader->capacity = capacity;
	return true;
}

bool import_reader_fill(struct import_reader *reader, size_t want)
{
	struct import_ahead *ahead = reader->ahead;
	if ((size_t)(reader->end - reader->at) >= want)
		return true;
	const bool filled = (ahead != NULL && take_ahead(reader, want)) || read_more(reader, want);
	if (ahead != NULL && filled) {
		ahead->offset = reader->end_offset;
		libsnap_worker_post(&ahead->worker, &ahead->job);
	}
	return filled;
}

enum snap_status import_reader_failure(const struct import_reader *reader, struct snap_error *error)
{
	if (reader->status == SNAP_NO_MEMORY)
		return import_fail_at(error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
	if (reader->status == SNAP_IO)
		return io_failure(error, reader->os_errno, reader->end_offset, "cannot read");
	return import_fail_at(error, SNAP_CORRUPT, reader->end_offset, "ends too early");
}
