/* Bytes that grow: what the printing and parsing of all tools is made of. */
#include "buffer.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

void *cli_resize(void *pointer, size_t size)
{
	void *result = realloc(pointer, size ? size : 1);
	if (!result)
		exit(cli_fail("out of memory"));
	return result;
}

static void reserve(struct buffer *b, size_t more)
{
	if (more > SIZE_MAX / 2 - b->size)
		exit(cli_fail("out of memory"));
	if (b->size + more <= b->capacity)
		return;
	b->capacity = b->size + more + b->size / 2 + 64;
	b->bytes = cli_resize(b->bytes, b->capacity);
}

void buffer_append(struct buffer *b, const void *bytes, size_t size)
{
	if (!size)
		return;
	reserve(b, size);
	memcpy(b->bytes + b->size, bytes, size);
	b->size += size;
}

void buffer_text(struct buffer *b, const char *text)
{
	buffer_append(b, text, strlen(text));
}

void buffer_byte(struct buffer *b, char byte)
{
	buffer_append(b, &byte, 1);
}

void buffer_free(struct buffer *b)
{
	free(b->bytes);
	*b = (struct buffer){0};
}
