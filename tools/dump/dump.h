/* What the files of snap-dump know of each other. */
#ifndef DUMP_H
#define DUMP_H

#include "buffer.h"
#include "cli.h"
#include "escape.h"
#include "scan.h"
#include "words.h"

struct dump {
	struct snap_reader *reader;
	struct snap_reader_info info;
	struct snap_error error; /* of what failed */
	struct buffer out;
	uint64_t memory; /* that may be used beside the reader's */
	uint64_t lost;   /* rows; only with --partial */
	bool first;      /* nothing is in this pair of braces yet */
	/* All strings, if they fit: string id is text[offsets[id - 1]] to text[offsets[id]]. */
	struct buffer text;
	uint64_t *offsets;
	/* Objects' addresses by row, if they fit; else the column. */
	uint64_t *addresses;
	struct snap_column *address_column;
	uint64_t *type_names; /* by type id - 1; 0 where other types have the same name */
	struct snap_column *frame_columns[3];
};

/* All return false after a failure; error says why. */

/* out.c */
void dump_put(struct dump *, const char *text);
void dump_number(struct dump *, uint64_t number);
void dump_hexadecimal(struct dump *, uint64_t number);
void dump_quoted(struct dump *, const char *bytes, size_t size);
void dump_key(struct dump *, const char *key);
void dump_flush(struct dump *, size_t at_least);
/* Whether --partial may go on after this failure: the row is lost then. */
bool dump_may_lose(struct dump *, enum snap_status status, uint64_t rows);
bool dump_string(struct dump *, uint64_t id); /* quoted */
bool dump_object_id(struct dump *, uint64_t row);
void dump_flags(struct dump *, enum word_list, uint64_t flags);
void dump_word(struct dump *, enum word_list, uint64_t number);

/* What a column's values look like. */
enum dump_form { DUMP_NUMBER, DUMP_HEXADECIMAL, DUMP_STRING, DUMP_WORD, DUMP_FLAGS, DUMP_OBJECT };
struct dump_field {
	uint32_t column;
	const char *key;
	enum dump_form form;
	enum word_list words;
	uint64_t usual; /* a value that is left out */
	bool always;    /* none is */
};
/* Values of one row, values[i][at] of fields[i], as "key: value, key: value". */
bool dump_row(struct dump *, const struct dump_field *fields, size_t count,
	      const uint64_t *const *values, size_t at);

/* A section: put for each row of columns of one table, if there is any. */
typedef bool dump_row_function(struct dump *, const void *context, uint64_t row,
			       const uint64_t *const *values, size_t at);
bool dump_scan(struct dump *, const char *section, const uint32_t *columns, size_t column_count,
	       dump_row_function *, const void *context);

/* names.c */
bool dump_strings(struct dump *);
bool dump_properties(struct dump *);
bool dump_names(struct dump *);
bool dump_roots(struct dump *);
bool dump_timeline(struct dump *);
bool dump_mappings(struct dump *);
bool dump_totals(struct dump *);

/* objects.c */
bool dump_objects(struct dump *);

/* columns.c: --columns */
bool dump_columns(struct dump *);

#endif
