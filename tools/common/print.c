/* Tables on stdout: one interface, six forms.  Numbers for people have units, numbers for programs
 * have none. */
#include "print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buffer.h"
#include "escape.h"

/* The table form keeps this much to align it; rows after that get the widths known by then. */
#define MAX_KEPT_BYTES (8u << 20)

struct print_table {
	const struct print_column *columns;
	size_t count;
	enum cli_format form;
	struct buffer line; /* one row, being made */
	struct buffer kept; /* of the table form: cells, each ended by NUL */
	size_t *widths;
	bool aligned;                /* the kept rows are out */
	bool rows_open, rows_closed; /* JSON, YAML: the list of rows */
	bool any_row;
};

static void flush_line(struct print_table *t)
{
	buffer_byte(&t->line, '\n');
	fwrite(t->line.bytes, 1, t->line.size, stdout);
	t->line.size = 0;
}

const char *print_size(uint64_t bytes, char buffer[32])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
	if (bytes < 1024) {
		snprintf(buffer, 32, "%" PRIu64 " B", bytes);
		return buffer;
	}
	size_t unit = 1;
	while (unit < 6 && bytes >> (10 * (unit + 1)))
		unit++;
	uint64_t one = UINT64_C(1) << (10 * unit), whole = bytes / one;
	uint64_t tenths = ((bytes % one) * 10 + one / 2) / one;
	whole += tenths / 10;
	tenths %= 10;
	if (whole == 1024 && unit < 6) {
		whole = 1;
		unit++;
	}
	snprintf(buffer, 32, "%" PRIu64 ".%" PRIu64 " %s", whole, tenths, units[unit]);
	return buffer;
}

static void append_change_size(struct buffer *out, int64_t change)
{
	char size[32];
	uint64_t magnitude = change < 0 ? 0 - (uint64_t)change : (uint64_t)change;
	if (change)
		buffer_byte(out, change < 0 ? '-' : '+');
	buffer_text(out, print_size(magnitude, size));
}

static void append_number(struct buffer *out, const struct print_cell *cell, enum print_kind kind,
			  bool for_people)
{
	char text[32];
	if (kind == PRINT_BYTES && for_people)
		print_size(cell->number, text);
	else if (kind == PRINT_HEX)
		snprintf(text, sizeof(text), "0x%" PRIx64, cell->number);
	else if (kind == PRINT_CHANGE_BYTES || kind == PRINT_CHANGE_COUNT)
		snprintf(text, sizeof(text), for_people && cell->change ? "%+" PRId64 : "%" PRId64,
			 cell->change);
	else
		snprintf(text, sizeof(text), "%" PRIu64, cell->number);
	if (kind == PRINT_CHANGE_BYTES && for_people)
		append_change_size(out, cell->change);
	else
		buffer_text(out, text);
}

static bool is_text(enum print_kind kind)
{
	return kind == PRINT_TEXT || kind == PRINT_LINES;
}

static void append_cell(struct buffer *out, const struct print_cell *cell, enum print_kind kind,
			bool for_people, enum escape_form escape)
{
	if (is_text(kind))
		escape_append(out, cell->text, cell->size, escape);
	else
		append_number(out, cell, kind, for_people);
}

/* ---- table ---- */

static void pad(struct buffer *out, size_t width)
{
	while (width-- > 0)
		buffer_byte(out, ' ');
}

/* Lines of a cell stand below each other. */
static void append_lines(struct print_table *t, const char *cell, size_t size)
{
	size_t indent = t->line.size;
	for (const char *end; (end = memchr(cell, '\n', size)); cell = end + 1) {
		buffer_append(&t->line, cell, (size_t)(end - cell));
		size -= (size_t)(end + 1 - cell);
		flush_line(t);
		pad(&t->line, indent);
	}
	buffer_append(&t->line, cell, size);
}

/* cells: the next count NUL-ended ones; returns what follows them. */
static const char *print_aligned(struct print_table *t, const char *cells)
{
	for (size_t i = 0; i < t->count; i++) {
		size_t size = strlen(cells), width = escape_width(cells, size);
		size_t space = width < t->widths[i] ? t->widths[i] - width : 0;
		bool left = is_text(t->columns[i].kind);
		if (i > 0)
			buffer_text(&t->line, "  ");
		if (!left)
			pad(&t->line, space);
		if (t->columns[i].kind == PRINT_LINES)
			append_lines(t, cells, size);
		else
			buffer_append(&t->line, cells, size);
		if (left && i + 1 < t->count)
			pad(&t->line, space);
		cells += size + 1;
	}
	while (t->line.size > 0 && t->line.bytes[t->line.size - 1] == ' ')
		t->line.size--;
	flush_line(t);
	return cells;
}

static void print_kept(struct print_table *t)
{
	const char *at = t->kept.bytes, *end = at + t->kept.size;
	while (at != end)
		at = print_aligned(t, at);
	t->kept.size = 0;
	t->aligned = true;
}

static void end_kept_row(struct print_table *t)
{
	if (t->aligned || t->kept.size > MAX_KEPT_BYTES)
		print_kept(t);
}

static void end_kept_cell(struct print_table *t, size_t column, size_t from)
{
	size_t width = escape_width(t->kept.bytes + from, t->kept.size - from);
	if (width > t->widths[column])
		t->widths[column] = width;
	buffer_byte(&t->kept, '\0');
}

static void keep_header(struct print_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		size_t from = t->kept.size;
		buffer_text(&t->kept, t->columns[i].name);
		end_kept_cell(t, i, from);
	}
}

/* Where the word of a total goes: the first empty text, else the last empty number. */
static size_t total_column(const struct print_table *t, const struct print_cell *cells)
{
	size_t last = t->count;
	for (size_t i = 0; i < t->count; i++) {
		if (!cells[i].absent)
			continue;
		if (is_text(t->columns[i].kind))
			return i;
		last = i;
	}
	return last;
}

static void keep_row(struct print_table *t, const struct print_cell *cells, bool is_total)
{
	size_t word = is_total ? total_column(t, cells) : t->count;
	for (size_t i = 0; i < t->count; i++) {
		size_t from = t->kept.size;
		if (!cells[i].absent && t->columns[i].kind == PRINT_LINES)
			buffer_append(&t->kept, cells[i].text, cells[i].size);
		else if (!cells[i].absent)
			append_cell(&t->kept, &cells[i], t->columns[i].kind, true, ESCAPE_TEXT);
		else if (!is_total)
			buffer_byte(&t->kept, '-');
		else if (i == word)
			buffer_text(&t->kept, "TOTAL");
		end_kept_cell(t, i, from);
	}
	end_kept_row(t);
}

/* ---- TSV, CSV ---- */

static void separated_header(struct print_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		if (i > 0)
			buffer_byte(&t->line, t->form == CLI_CSV ? ',' : '\t');
		buffer_text(&t->line, t->columns[i].name);
	}
	if (t->form == CLI_CSV)
		buffer_byte(&t->line, '\r');
	flush_line(t);
}

/* RFC 4180: text that has a comma or quote, or begins or ends with a space, stands in quotes, and
 * quotes are doubled. */
static void append_csv(struct buffer *out, const struct print_cell *cell)
{
	struct buffer text = {0};
	escape_append(&text, cell->text, cell->size, ESCAPE_TEXT);
	bool quote = text.size > 0 &&
		     (memchr(text.bytes, ',', text.size) || memchr(text.bytes, '"', text.size) ||
		      text.bytes[0] == ' ' || text.bytes[text.size - 1] == ' ');
	if (quote)
		buffer_byte(out, '"');
	for (size_t i = 0; i < text.size; i++) {
		if (text.bytes[i] == '"')
			buffer_byte(out, '"');
		buffer_byte(out, text.bytes[i]);
	}
	if (quote)
		buffer_byte(out, '"');
	buffer_free(&text);
}

static void separated_row(struct print_table *t, const struct print_cell *cells)
{
	for (size_t i = 0; i < t->count; i++) {
		if (i > 0)
			buffer_byte(&t->line, t->form == CLI_CSV ? ',' : '\t');
		if (cells[i].absent)
			continue;
		if (t->form == CLI_CSV && is_text(t->columns[i].kind))
			append_csv(&t->line, &cells[i]);
		else
			append_cell(&t->line, &cells[i], t->columns[i].kind, false, ESCAPE_TEXT);
	}
	if (t->form == CLI_CSV)
		buffer_byte(&t->line, '\r');
	flush_line(t);
}

/* ---- Markdown ---- */

static void markdown_header(struct print_table *t)
{
	for (size_t i = 0; i < t->count; i++) {
		buffer_text(&t->line, "| ");
		escape_append(&t->line, t->columns[i].name, strlen(t->columns[i].name),
			      ESCAPE_MARKDOWN);
		buffer_byte(&t->line, ' ');
	}
	buffer_byte(&t->line, '|');
	flush_line(t);
	for (size_t i = 0; i < t->count; i++)
		buffer_text(&t->line, is_text(t->columns[i].kind) ? "|:---" : "|---:");
	buffer_byte(&t->line, '|');
	flush_line(t);
}

static void markdown_row(struct print_table *t, const struct print_cell *cells, bool is_total)
{
	size_t word = is_total ? total_column(t, cells) : t->count;
	for (size_t i = 0; i < t->count; i++) {
		buffer_text(&t->line, "| ");
		if (!cells[i].absent)
			append_cell(&t->line, &cells[i], t->columns[i].kind, true, ESCAPE_MARKDOWN);
		else if (i == word)
			buffer_text(&t->line, "**TOTAL**");
		buffer_byte(&t->line, ' ');
	}
	buffer_byte(&t->line, '|');
	flush_line(t);
}

/* ---- JSON, YAML ---- */

static void append_quoted(struct buffer *out, const char *bytes, size_t size,
			  enum escape_form escape)
{
	buffer_byte(out, '"');
	escape_append(out, bytes, size, escape);
	buffer_byte(out, '"');
}

static void append_value(struct print_table *t, const struct print_cell *cell, enum print_kind kind)
{
	enum escape_form escape = t->form == CLI_JSON ? ESCAPE_JSON : ESCAPE_YAML;
	bool quote = is_text(kind) || kind == PRINT_HEX;
	if (cell->absent) {
		buffer_text(&t->line, "null");
		return;
	}
	if (quote)
		buffer_byte(&t->line, '"');
	append_cell(&t->line, cell, kind, false, escape);
	if (quote)
		buffer_byte(&t->line, '"');
}

static void json_object(struct print_table *t, const struct print_cell *cells)
{
	buffer_byte(&t->line, '{');
	for (size_t i = 0; i < t->count; i++) {
		buffer_text(&t->line, i > 0 ? ", \"" : "\"");
		buffer_text(&t->line, t->columns[i].name);
		buffer_text(&t->line, "\": ");
		append_value(t, &cells[i], t->columns[i].kind);
	}
	buffer_byte(&t->line, '}');
}

static void yaml_mapping(struct print_table *t, const struct print_cell *cells, const char *first,
			 const char *others)
{
	for (size_t i = 0; i < t->count; i++) {
		buffer_text(&t->line, i > 0 ? others : first);
		buffer_text(&t->line, t->columns[i].name);
		buffer_text(&t->line, ": ");
		append_value(t, &cells[i], t->columns[i].kind);
		flush_line(t);
	}
}

static void open_rows(struct print_table *t, bool will_follow)
{
	if (t->rows_open)
		return;
	t->rows_open = true;
	if (t->form == CLI_JSON)
		fputs(",\n \"rows\": [", stdout);
	else
		fputs(will_follow ? "rows:\n" : "rows: []\n", stdout);
}

static void json_row(struct print_table *t, const struct print_cell *cells)
{
	fputs(t->any_row ? ",\n  " : "\n  ", stdout);
	json_object(t, cells);
	fwrite(t->line.bytes, 1, t->line.size, stdout);
	t->line.size = 0;
}

/* ---- the interface ---- */

struct print_table *print_begin(const char *schema, const struct print_column *columns,
				size_t count)
{
	struct print_table *t = cli_resize(NULL, sizeof(*t));
	*t = (struct print_table){.columns = columns, .count = count, .form = cli_common.format};
	t->widths = cli_resize(NULL, count * sizeof(*t->widths));
	memset(t->widths, 0, count * sizeof(*t->widths));
	switch (t->form) {
	case CLI_TSV:
	case CLI_CSV: separated_header(t); break;
	case CLI_MARKDOWN: markdown_header(t); break;
	case CLI_JSON: printf("{\"schema\": \"%s\"", schema); break;
	case CLI_YAML: printf("schema: \"%s\"\n", schema); break;
	case CLI_TABLE:
	case CLI_TRACEMALLOC:
	case CLI_FOLDED:
	case CLI_PPROF: keep_header(t); break;
	}
	return t;
}

static bool begin_note(struct print_table *t, const char *key)
{
	if (t->form == CLI_JSON)
		printf(",\n \"%s\": ", key);
	else if (t->form == CLI_YAML)
		printf("%s: ", key);
	return t->form == CLI_JSON || t->form == CLI_YAML;
}

void print_note(struct print_table *t, const char *key, const char *text)
{
	if (!begin_note(t, key))
		return;
	append_quoted(&t->line, text, strlen(text),
		      t->form == CLI_JSON ? ESCAPE_JSON : ESCAPE_YAML);
	if (t->form == CLI_YAML)
		buffer_byte(&t->line, '\n');
	fwrite(t->line.bytes, 1, t->line.size, stdout);
	t->line.size = 0;
}

void print_note_number(struct print_table *t, const char *key, uint64_t number)
{
	if (begin_note(t, key))
		printf(t->form == CLI_YAML ? "%" PRIu64 "\n" : "%" PRIu64, number);
}

void print_row(struct print_table *t, const struct print_cell *cells)
{
	switch (t->form) {
	case CLI_TSV:
	case CLI_CSV: separated_row(t, cells); break;
	case CLI_MARKDOWN: markdown_row(t, cells, false); break;
	case CLI_JSON:
		open_rows(t, true);
		json_row(t, cells);
		break;
	case CLI_YAML:
		open_rows(t, true);
		yaml_mapping(t, cells, "  - ", "    ");
		break;
	case CLI_TABLE:
	case CLI_TRACEMALLOC:
	case CLI_FOLDED:
	case CLI_PPROF: keep_row(t, cells, false); break;
	}
	t->any_row = true;
}

static void close_rows(struct print_table *t)
{
	open_rows(t, false);
	if (t->form == CLI_JSON && !t->rows_closed)
		fputs(t->any_row ? "\n ]" : "]", stdout);
	t->rows_closed = true;
}

void print_total(struct print_table *t, const struct print_cell *cells)
{
	switch (t->form) {
	case CLI_TSV:
	case CLI_CSV: break;
	case CLI_MARKDOWN: markdown_row(t, cells, true); break;
	case CLI_JSON:
		close_rows(t);
		fputs(",\n \"total\": ", stdout);
		json_object(t, cells);
		fwrite(t->line.bytes, 1, t->line.size, stdout);
		t->line.size = 0;
		break;
	case CLI_YAML:
		close_rows(t);
		fputs("total:\n", stdout);
		yaml_mapping(t, cells, "  ", "  ");
		break;
	case CLI_TABLE:
	case CLI_TRACEMALLOC:
	case CLI_FOLDED:
	case CLI_PPROF: keep_row(t, cells, true); break;
	}
}

void print_end(struct print_table *t)
{
	if (t->form == CLI_TABLE || t->form == CLI_TRACEMALLOC)
		print_kept(t);
	if (t->form == CLI_JSON || t->form == CLI_YAML)
		close_rows(t);
	if (t->form == CLI_JSON)
		fputs("}\n", stdout);
	buffer_free(&t->line);
	buffer_free(&t->kept);
	free(t->widths);
	free(t);
}

static void print_buffer(struct buffer *b)
{
	fwrite(b->bytes, 1, b->size, stdout);
	buffer_free(b);
}

void print_text(const char *bytes, size_t size)
{
	struct buffer out = {0};
	escape_append(&out, bytes, size, ESCAPE_TEXT);
	print_buffer(&out);
}

char *print_escaped(const char *bytes, size_t size)
{
	struct buffer out = {0};
	escape_append(&out, bytes, size, ESCAPE_TEXT);
	buffer_byte(&out, '\0');
	return out.bytes;
}
