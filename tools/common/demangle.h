/* Names of C++, Rust, D and Go functions as their programmers wrote them. */
#ifndef FUNCTION_NAMES_H
#define FUNCTION_NAMES_H

#include <stddef.h>

#include "buffer.h"

/* Up to size bytes of the name of a function, or of the class of a
 * virtual table, whose linkage name is given; 0 if that is no mangled
 * name.  For snap_query_options, whose context is not used. */
size_t demangle(void *context, const char *bytes, size_t count, char *name, size_t size);
/* Appends the name of a variable, as it was written, and what follows after a '+' as it is. */
void demangle_variable(struct buffer *out, const char *bytes, size_t size);
/* Appends a name with the long lists of its template arguments as <...>. */
void shorten_templates(struct buffer *out, const char *bytes, size_t size);

#endif
