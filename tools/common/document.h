/* YAML as hostile input: sizes and nesting are capped before and while libyaml
 * reads; no aliases, anchors, tags or directives; unknown and repeated keys are
 * errors.  The first failure is reported as FILE:LINE:COLUMN, and stays. */
#ifndef DOCUMENT_H
#define DOCUMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DOCUMENT_MAX_DEPTH 32

struct document;

enum document_node {
	DOCUMENT_SCALAR,
	DOCUMENT_MAPPING,  /* its keys and values follow, then an end */
	DOCUMENT_SEQUENCE, /* its items follow, then an end */
	/* of the mapping or sequence; of the file where a document could begin */
	DOCUMENT_END,
	DOCUMENT_FAILED, /* now and from now on */
};

/* file may be "-".  NULL: reported. */
struct document *document_open(const char *file, uint64_t max_size);
void document_close(struct document *);

/* Begins the next document of the file: false at the end, or after a failure. */
bool document_begin(struct document *);

/* The next node, whatever it is. */
enum document_node document_next(struct document *);

/* The scalar that document_next gave, until its next call; a NUL follows it.  A byte
 * HH that is not UTF-8 is written as the character U+EFHH, which is that byte here. */
const char *document_text(const struct document *, size_t *size);
/* It had no quotes. */
bool document_plain(const struct document *);

/* The next node has to be of one kind. */
bool document_mapping(struct document *);
bool document_sequence(struct document *);
bool document_scalar(struct document *);

/* Within a mapping: the next key's index in keys (which ends with NULL and
 * has at most 64), or -1 at its end and on failure.  seen is 0 at first. */
int document_key(struct document *, const char *const *keys, uint64_t *seen);
/* Within a sequence: reads the next item; false at the end and on failure. */
bool document_item(struct document *, enum document_node *);

/* The current scalar as a number: decimal, or hexadecimal after 0x. */
bool document_as_number(struct document *, uint64_t most, uint64_t *value);
/* The next node, which has to be such a number. */
bool document_number(struct document *, uint64_t most, uint64_t *value);
/* Whether the current scalar is written as a number, without quotes. */
bool document_is_number(const struct document *);

/* A failure at the last node (printf).  Returns false. */
bool document_fail(struct document *, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
bool document_failed(const struct document *);

#endif
