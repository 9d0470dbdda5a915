/* What snap-top and snap-diff share: keys, patterns, and rows of an answer as cells. */
#ifndef ROWS_H
#define ROWS_H

#include "alloc_fn.h"
#include "buffer.h"
#include "cli.h"
#include "print.h"
#include "snap_query.h"

struct rows_options {
	const char *key, *sort;
	bool cumulative, all_frames, retained, errors;
	struct cli_list include, exclude, alloc_fn;
	uint64_t limit; /* ROWS_NOT_GIVEN, 0 for all */
	uint64_t depth; /* of paths; 0: all of them */
};
#define ROWS_NOT_GIVEN UINT64_MAX

#define ROWS_OPTION_LINES(o) \
	{'k', \
	 "key", \
	 "KEY", \
	 "group by type, shape, lineno, filename, function, traceback, module, thread, domain, " \
	 "size, generation, refcount, root, dominator, duplicate, field, fill or path", \
	 CLI_STRING, \
	 &(o).key}, \
		{'n',       "limit",   "COUNT", "print at most COUNT rows, 0 for all", \
		 CLI_COUNT, &(o).limit}, \
		{'s',        "sort", \
		 "MEASURE",  "order by bytes, count, average, retained or waste", \
		 CLI_STRING, &(o).sort}, \
		{'r',      "retained",   NULL, "add the bytes that each group alone keeps alive", \
		 CLI_FLAG, &(o).retained}, \
		{0,        "errors", \
		 NULL,     "add standard errors of what is estimated from a sample", \
		 CLI_FLAG, &(o).errors}, \
		{0, "depth", "COUNT", "cut paths after COUNT steps", CLI_COUNT, &(o).depth}, \
		{0,        "cumulative", \
		 NULL,     "count every frame of a stack, not the innermost alone", \
		 CLI_FLAG, &(o).cumulative}, \
		{'i',       "include", \
		 "PATTERN", "only objects that match PATTERN, or another one included", \
		 CLI_LIST,  &(o).include}, \
		{'x',      "exclude",   "PATTERN", "only objects that do not match PATTERN", \
		 CLI_LIST, &(o).exclude}, \
		{0,        "all-frames",   NULL, "patterns look at every frame of a stack", \
		 CLI_FLAG, &(o).all_frames}, \
		ALLOC_FN_OPTION((o).alloc_fn)

struct rows_question {
	struct snap_query_options options;
	struct snap_pattern patterns[SNAP_MAX_PATTERNS], passed[SNAP_MAX_PATTERNS];
};

/* Options as a question to the library; ends the process on wrong usage.
 * The default key is what both readers can answer; second may be NULL. */
void rows_question(struct rows_question *, const struct rows_options *, struct snap_reader *first,
		   struct snap_reader *second);

/* Rows to print: people get 20 unless they say otherwise, programs all. */
uint64_t rows_limit(const struct rows_options *);

/* Warns of estimates and of patterns that leave nothing, and counts what a damaged file lost. */
void rows_warn(const struct snap_answer_info *, bool patterned, const char *file,
	       const char *old_file);
/* What JSON and YAML say beside the rows. */
void rows_notes(struct print_table *, const struct snap_answer_info *);

#define ROWS_MAX_KEY_COLUMNS 6
/* Returns how many. */
size_t rows_key_columns(enum snap_key key, struct print_column *columns);
/* scratch holds text that the cells point to. */
void rows_key_cells(enum snap_key key, const struct snap_answer_row *row, struct buffer *scratch,
		    struct print_cell *cells);
/* Where an object counts in more than one row, nothing can be said of the sum of others. */
bool rows_add_up(const struct snap_answer_info *);
/* "[N others]" in the first column that can hold it. */
void rows_others_cells(enum snap_key key, uint64_t others, struct buffer *scratch,
		       struct print_cell *cells);
void rows_absent_cells(struct print_cell *cells, size_t count);

/* The key as one text: a name, file:line, a number; what the patterns of rules match. */
void rows_key_text(enum snap_key key, const struct snap_answer_row *row, struct buffer *text);

/* A place as it stands in a traceback, but not shortened. */
void rows_place_text(const struct snap_place *, struct buffer *text);
/* The frames of a traceback, or the steps of a path: escaped, one a line. */
void rows_key_items(enum snap_key key, const struct snap_answer_row *row, struct buffer *text);

/* The lines of str(Statistic) and str(StatisticDiff) of
 * Python's tracemalloc; only control bytes are escaped. */
bool rows_has_statistics(enum snap_key key);
void rows_print_statistic(enum snap_key key, const struct snap_answer_row *row, bool compared);
/* The line of one row, weighed by the measure that it is ordered by: bytes or count. */
bool rows_can_fold(enum snap_key key);
void rows_print_folded(enum snap_key key, enum snap_order order, const struct snap_answer_row *row,
		       bool compared);
/* The forms in which every row is a line of its own, and nothing else is printed. */
void rows_print_lines(struct snap_answer *, const struct snap_answer_info *, enum snap_order order,
		      uint64_t limit);
/* All rows as a profile of pprof: counts and bytes, or what they changed by. */
void rows_print_pprof(struct snap_answer *, const struct snap_answer_info *, uint64_t limit);
/* tracemalloc._format_size(size, sign) */
void rows_format_size(double size, bool sign, char text[64]);

#endif
