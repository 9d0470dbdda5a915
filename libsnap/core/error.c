/* Failures in words, and what callers hand over. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "core.h"

const char *snap_status_name(enum snap_status status)
{
	switch (status) {
	case SNAP_OK: return "ok";
	case SNAP_END: return "end";
	case SNAP_CORRUPT: return "corrupt";
	case SNAP_UNSUPPORTED: return "unsupported";
	case SNAP_LIMIT: return "over the limit";
	case SNAP_IO: return "I/O failed";
	case SNAP_NO_MEMORY: return "out of memory";
	case SNAP_MISUSE: return "misuse";
	}
	return "unknown";
}

const char *snap_library_version(void)
{
	return SNAP_VERSION;
}

/* A path or name in a message must not start a new line or command a terminal. */
static void replace_controls(char *message)
{
	for (; *message; message++) {
		if ((unsigned char)*message < 0x20 || *message == 0x7f)
			*message = '?';
	}
}

static void fill(struct snap_error *error, enum snap_status status, uint64_t offset,
		 const char *format, va_list arguments)
{
	*error = (struct snap_error){.status = status, .offset = offset};
	/* NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): both callers begin it */
	if (vsnprintf(error->message, sizeof error->message, format, arguments) < 0)
		snprintf(error->message, sizeof error->message, "%s", snap_status_name(status));
	replace_controls(error->message);
}

enum snap_status libsnap_fail(struct snap_error *error, enum snap_status status, uint64_t offset,
			      const char *format, ...)
{
	if (error) {
		va_list arguments;
		va_start(arguments, format);
		fill(error, status, offset, format, arguments);
		va_end(arguments);
	}
	return status;
}

/* There are two strerror_r(), told apart by what they return. */
static const char *words_of_gnu(const char *result, const char *buffer)
{
	(void)buffer;
	return result;
}

static const char *words_of_posix(int result, const char *buffer)
{
	return result == 0 ? buffer : "unknown error";
}

#define WORDS_OF(result, buffer) \
	_Generic((result), int : words_of_posix, default : words_of_gnu)(result, buffer)

enum snap_status libsnap_fail_io(struct snap_error *error, int os_errno, uint64_t offset,
				 const char *format, ...)
{
	if (!error)
		return SNAP_IO;
	va_list arguments;
	va_start(arguments, format);
	fill(error, SNAP_IO, offset, format, arguments);
	va_end(arguments);
	error->os_errno = os_errno;
	char buffer[128] = "";
	size_t used = strlen(error->message);
	snprintf(error->message + used, sizeof error->message - used, ": %s",
		 WORDS_OF(strerror_r(os_errno, buffer, sizeof buffer), buffer));
	replace_controls(error->message);
	return SNAP_IO;
}

enum snap_status libsnap_fail_memory(struct snap_error *error)
{
	return libsnap_fail(error, SNAP_NO_MEMORY, SNAP_NO_OFFSET, "out of memory");
}

enum snap_status libsnap_copy_options(void *to, size_t own_size, const void *from,
				      struct snap_error *error)
{
	if (!from)
		return SNAP_OK;
	size_t known;
	memcpy(&known, from, sizeof known);
	if (known < sizeof known)
		return libsnap_fail(error, SNAP_MISUSE, SNAP_NO_OFFSET,
				    "struct_size of the options is not set");
	memcpy(to, from, known < own_size ? known : own_size);
	return SNAP_OK;
}
