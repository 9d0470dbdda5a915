/* Strangers' text made harmless (tools' contract, README.md). */
#ifndef ESCAPE_H
#define ESCAPE_H

#include "buffer.h"

enum escape_form {
	ESCAPE_TEXT, /* \n \t \r \\ \xHH: reversible, for tables, TSV and CSV */
	/* the same, but backslashes stay as they are: text that may be escaped already */
	ESCAPE_MESSAGE,
	ESCAPE_MARKDOWN, /* the same, and a backslash before what Markdown would act on */
	ESCAPE_JSON,     /* inside of a JSON string; a byte HH that is not UTF-8 becomes \udcHH */
	/* inside of a double-quoted scalar; YAML has no surrogates: the byte becomes U+EFHH */
	ESCAPE_YAML,
};

void escape_append(struct buffer *, const char *bytes, size_t size, enum escape_form form);

/* Terminal cells that escaped text takes, one for each code point. */
size_t escape_width(const char *bytes, size_t size);

#endif
