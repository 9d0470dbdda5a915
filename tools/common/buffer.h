/* Bytes that grow.  Running out of memory ends the process with status 2: tools may, the library
 * may not. */
#ifndef BUFFER_H
#define BUFFER_H

#include <stddef.h>

struct buffer {
	char *bytes;
	size_t size, capacity;
};

void buffer_append(struct buffer *, const void *bytes, size_t size);
void buffer_text(struct buffer *, const char *text); /* without its NUL */
void buffer_byte(struct buffer *, char byte);
void buffer_free(struct buffer *);

#endif
