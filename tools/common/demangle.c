/* Demangles by libiberty, without parameters of
 * functions: a frame has a line too.  Shortens names. */
#include "demangle.h"

#include <libiberty/demangle.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define VTABLE  "vtable for "
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
	/* A class is known by its table. */
	const char *from =
		strncmp(text, VTABLE, strlen(VTABLE)) == 0 ? text + strlen(VTABLE) : text;
	size_t length = strlen(from);
	if (length > size)
		length = 0;
	memcpy(name, from, length);
	free(text);
	return length;
}

void demangle_variable(struct buffer *out, const char *bytes, size_t size)
{
	char name[4096];
	const char *plus = size ? memchr(bytes, '+', size) : NULL;
	size_t linkage = plus ? (size_t)(plus - bytes) : size;
	size_t length = demangle(NULL, bytes, linkage, name, sizeof(name));
	if (length == 0)
		linkage = 0;
	buffer_append(out, name, length);
	buffer_append(out, bytes + linkage, size - linkage);
}

#define SHORT_ENOUGH 16 /* bytes of arguments that stay */

/* operator<, operator->> and the like end here: what follows are no arguments. */
static bool ends_operator(const char *bytes, size_t end)
{
	while (end > 0 && strchr("<>=-", bytes[end - 1]))
		end--;
	return end >= 8 && memcmp(bytes + end - 8, "operator", 8) == 0;
}

static bool is_of_name(char c)
{
	return c == '_' || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') ||
	       (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80;
}

/* Where the arguments that begin at from end; 0: nowhere. */
static size_t end_of_arguments(const char *bytes, size_t size, size_t from)
{
	size_t depth = 0;
	for (size_t i = from; i < size; i++) {
		bool is_arrow = i > 0 && bytes[i - 1] == '-';
		if (bytes[i] == '<')
			depth++;
		else if (bytes[i] == '>' && !is_arrow && --depth == 0)
			return i + 1;
	}
	return 0;
}

void shorten_templates(struct buffer *out, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		size_t end = 0;
		if (bytes[i] == '<' && i > 0 && is_of_name(bytes[i - 1]) &&
		    !ends_operator(bytes, i))
			end = end_of_arguments(bytes, size, i);
		if (end > i + SHORT_ENOUGH + 2) {
			buffer_text(out, "<...>");
			i = end - 1;
		} else {
			buffer_byte(out, bytes[i]);
		}
	}
}
