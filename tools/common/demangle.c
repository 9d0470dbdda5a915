/* Demangles by libiberty, without parameters of functions: a frame has a line too. */
#include "demangle.h"

#include <libiberty/demangle.h>
#include <stdlib.h>
#include <string.h>

#define LONGEST 2048 /* longer ones are left alone: what they unfold to has no bound */

size_t demangle(void *context, const char *bytes, size_t count, char *name, size_t size)
{
	char own[LONGEST + 1];
	(void)context;
	if (count < 3 || count > LONGEST || bytes[0] != '_' || memchr(bytes, '\0', count))
		return 0;
	memcpy(own, bytes, count);
	own[count] = '\0';
	char *text = cplus_demangle(own, DMGL_ANSI | DMGL_AUTO);
	if (!text)
		return 0;
	size_t length = strlen(text);
	if (length > size)
		length = 0;
	memcpy(name, text, length);
	free(text);
	return length;
}
