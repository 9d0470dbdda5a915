/* Tables and names on stdout, in every --format.
 * The one place where strangers' text is escaped. */
#ifndef PRINT_H
#define PRINT_H

#include "cli.h"

/* What a column holds decides how it looks for people;
 * programs get plain decimal integers and raw text. */
enum print_kind {
	PRINT_BYTES,        /* uint64: 12.3 MiB for people */
	PRINT_COUNT,        /* uint64 */
	PRINT_CHANGE_BYTES, /* int64, signed, "+1.5 KiB" */
	PRINT_CHANGE_COUNT, /* int64, signed */
	PRINT_NUMBER,       /* uint64, an id or line; right-aligned */
	PRINT_HEX,          /* uint64, an address: 0x... everywhere, a string in JSON and YAML */
	PRINT_TEXT,         /* bytes */
	/* bytes; in the table form lines with \n between
	 * them, already escaped.  In a last column */
	PRINT_LINES,
};

struct print_column {
	const char *name; /* frozen: header of TSV and CSV, key of JSON and YAML */
	enum print_kind kind;
};

struct print_cell {
	union {
		uint64_t number;
		int64_t change;
		const char *text;
	};
	size_t size; /* of text */
	bool absent; /* empty in TSV, null in JSON and YAML, "-" for people */
};

/* A table: numbers first, names last.  schema: "snap-top/1".  The table
 * form keeps rows until the end to align them; the other forms stream. */
struct print_table;
struct print_table *print_begin(const char *schema, const struct print_column *columns,
				size_t count);
/* In JSON and YAML: a member beside the rows, before the
 * first row.  The other forms have no place for it. */
void print_note(struct print_table *, const char *key, const char *text);
void print_note_number(struct print_table *, const char *key, uint64_t number);
void print_row(struct print_table *, const struct print_cell *cells);
/* A last row, marked as sum: "TOTAL" in the text column for people,
 * member "total" in JSON and YAML, left out of TSV and CSV. */
void print_total(struct print_table *, const struct print_cell *cells);
void print_end(struct print_table *);

static inline struct print_cell print_number(uint64_t n)
{
	struct print_cell c = {.size = 0};
	c.number = n;
	return c;
}
static inline struct print_cell print_change(int64_t n)
{
	struct print_cell c = {.size = 0};
	c.change = n;
	return c;
}
static inline struct print_cell print_bytes(const char *t, size_t n)
{
	struct print_cell c = {.size = n};
	c.text = t;
	return c;
}
static inline struct print_cell print_absent(void)
{
	struct print_cell c = {.absent = true};
	c.number = 0;
	return c;
}

/* Escaped as \n \t \r \\ \xHH: control bytes, DEL, C1, invalid UTF-8, bidi
 * overrides.  A line that would begin with "::" begins with "\x3a:". */
void print_text(const char *bytes, size_t size);
/* The same into memory, followed by NUL; the caller frees it. */
char *print_escaped(const char *bytes, size_t size);
/* 12.3 MiB, 512 B: into buffer, returned. */
const char *print_size(uint64_t bytes, char buffer[32]);

#endif
