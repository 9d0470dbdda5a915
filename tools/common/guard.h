/* Looks at YAML text before libyaml does, whose time grows with the square of the nesting. */
#ifndef GUARD_H
#define GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* It follows quotes, comments and brackets as far as one byte at a time allows.
 * Text made to mislead it is stopped by the reader of events, at the same depth. */
struct guard {
	uint64_t left, line, column; /* bytes still allowed; place, from 1 */
	size_t depth, most;          /* open brackets */
	size_t dashes;               /* nested "- " on this line */
	unsigned char quote;         /* inside of ' or ", or # for a comment, else 0 */
	bool escaped;                /* after a backslash in "" */
	bool start;                  /* a node may begin here */
	unsigned char before;        /* the byte before */
};

void guard_begin(struct guard *, uint64_t max_size, size_t max_depth);

/* NULL, or why the text is refused; line and column then say where. */
const char *guard_look(struct guard *, const unsigned char *bytes, size_t size);

#endif
