/* snap-diff: what changed between two snapshots, and whether that is within a budget. */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cli.h"
#include "print.h"
#include "rows.h"
#include "rules.h"

#define MEASURES 9 /* at most: and the status, before the key */

struct diff_options {
	struct rows_options rows;
	struct cli_list fail;
	bool all, exit_code;
};

struct change {
	uint64_t rows, bytes, count; /* differences are modulo 2^64 */
};

static bool is_unchanged(const struct snap_answer_row *row)
{
	return row->bytes == row->old_bytes && row->count == row->old_count &&
	       row->retained == row->old_retained;
}

static size_t measures(const struct snap_answer_info *info)
{
	return 5u + (info->has_retained ? 2u : 0u) + (info->has_errors ? 2u : 0u);
}

static void measure_columns(const struct snap_answer_info *info, struct print_column *columns)
{
	*columns++ = (struct print_column){"bytes_diff", PRINT_CHANGE_BYTES};
	*columns++ = (struct print_column){"count_diff", PRINT_CHANGE_COUNT};
	*columns++ = (struct print_column){"bytes", PRINT_BYTES};
	*columns++ = (struct print_column){"count", PRINT_COUNT};
	if (info->has_retained) {
		*columns++ = (struct print_column){"retained_diff", PRINT_CHANGE_BYTES};
		*columns++ = (struct print_column){"retained", PRINT_BYTES};
	}
	if (info->has_errors) {
		*columns++ = (struct print_column){"bytes_diff_error", PRINT_BYTES};
		*columns++ = (struct print_column){"count_diff_error", PRINT_COUNT};
	}
	*columns = (struct print_column){"status", PRINT_TEXT};
}

/* Of a difference between two that do not depend on each other: the root of the sum of squares. */
static uint64_t error_of_change(uint64_t old, uint64_t now)
{
	double square = (double)old * (double)old + (double)now * (double)now,
	       root = (double)(old > now ? old : now);
	for (int i = 0; i < 8 && root > 0; i++)
		root = (root + square / root) / 2;
	return (uint64_t)(root + 0.5);
}

/* All but the status, which is the last. */
static void measure_cells(const struct snap_answer_info *info, const struct snap_answer_row *row,
			  struct print_cell *cells)
{
	*cells++ = print_change((int64_t)(row->bytes - row->old_bytes));
	*cells++ = print_change((int64_t)(row->count - row->old_count));
	*cells++ = print_number(row->bytes);
	*cells++ = print_number(row->count);
	if (info->has_retained) {
		*cells++ = print_change((int64_t)(row->retained - row->old_retained));
		*cells++ = print_number(row->retained);
	}
	if (info->has_errors) {
		*cells++ = print_number(error_of_change(row->old_bytes_error, row->bytes_error));
		*cells++ = print_number(error_of_change(row->old_count_error, row->count_error));
	}
	*cells = print_absent();
}

static const char *status_of(const struct snap_answer_row *row)
{
	return row->is_new ? "new" : row->is_gone ? "gone" : is_unchanged(row) ? "same" : "changed";
}

/* The rows that are not printed; of those that did not change nothing is said. */
static void print_others(struct print_table *table, const struct snap_answer_info *info,
			 uint64_t others, const struct change *shown)
{
	struct print_cell cells[MEASURES + ROWS_MAX_KEY_COLUMNS];
	struct buffer scratch = {0};
	rows_absent_cells(cells, MEASURES);
	if (rows_add_up(info)) {
		cells[0] = print_change((int64_t)(info->bytes - info->old_bytes - shown->bytes));
		cells[1] = print_change((int64_t)(info->count - info->old_count - shown->count));
	}
	rows_others_cells(info->key, others, &scratch, cells + measures(info));
	print_row(table, cells);
	buffer_free(&scratch);
}

static struct change print_changes(struct print_table *table, struct snap_answer *answer,
				   const struct snap_answer_info *info, bool all, uint64_t limit)
{
	struct print_cell cells[MEASURES + ROWS_MAX_KEY_COLUMNS];
	struct buffer scratch = {0};
	struct change shown = {0, 0, 0};
	size_t first = measures(info);
	uint64_t rows = all ? info->row_count : info->changed_count;
	for (uint64_t i = 0; shown.rows < rows && shown.rows < limit; i++) {
		struct snap_answer_row row;
		snap_answer_sums(answer, i, &row);
		if (!all && is_unchanged(&row))
			continue;
		snap_answer_row(answer, i, &row);
		measure_cells(info, &row, cells);
		const char *status = status_of(&row);
		cells[first - 1] = print_bytes(status, strlen(status));
		rows_key_cells(info->key, &row, &scratch, cells + first);
		print_row(table, cells);
		shown.rows++;
		shown.bytes += row.bytes - row.old_bytes;
		shown.count += row.count - row.old_count;
	}
	buffer_free(&scratch);
	return shown;
}

static void print_rows(struct snap_answer *answer, const struct snap_answer_info *info,
		       const struct diff_options *given, size_t broken)
{
	struct print_column columns[MEASURES + ROWS_MAX_KEY_COLUMNS];
	measure_columns(info, columns);
	size_t first = measures(info);
	size_t count = first + rows_key_columns(info->key, columns + first);
	struct print_table *table = print_begin("snap-diff/1", columns, count);
	rows_notes(table, info);
	print_note_number(table, "changed_count", info->changed_count);
	if (given->fail.count) {
		print_note_number(table, "rule_count", given->fail.count);
		print_note_number(table, "broken_rule_count", broken);
	}
	struct change shown =
		print_changes(table, answer, info, given->all, rows_limit(&given->rows));
	uint64_t others = (given->all ? info->row_count : info->changed_count) - shown.rows;
	if (others && (cli_common.format == CLI_TABLE || cli_common.format == CLI_MARKDOWN))
		print_others(table, info, others, &shown);
	struct print_cell cells[MEASURES + ROWS_MAX_KEY_COLUMNS];
	struct snap_answer_row total = {.bytes = info->bytes,
					.count = info->count,
					.old_bytes = info->old_bytes,
					.old_count = info->old_count,
					.retained = info->retained,
					.old_retained = info->old_retained,
					.bytes_error = info->bytes_error,
					.count_error = info->count_error,
					.old_bytes_error = info->old_bytes_error,
					.old_count_error = info->old_count_error};
	measure_cells(info, &total, cells);
	rows_absent_cells(cells + first, count - first);
	print_total(table, cells);
	print_end(table);
}

/* The runtime's name, as far as its version; empty if nothing says. */
static size_t runtime_of(struct snap_reader *reader, const char *file, const char **name)
{
	struct snap_error error;
	size_t size = 0, length = 0;
	enum snap_status status = snap_reader_property(reader, "runtime", name, &size, &error);
	if (status != SNAP_OK && status != SNAP_END)
		exit(cli_report(file, &error));
	while (status == SNAP_OK && length < size && (*name)[length] != ' ')
		length++;
	return length;
}

/* Of two runtimes one is a file that was not meant, and no verdict. */
static void check_runtimes(struct snap_reader *old_reader, const char *old_file,
			   struct snap_reader *new_reader, const char *new_file)
{
	const char *was, *is;
	size_t was_size = runtime_of(old_reader, old_file, &was);
	size_t is_size = runtime_of(new_reader, new_file, &is);
	if (was_size == 0 || is_size == 0 ||
	    (was_size == is_size && strncasecmp(was, is, is_size) == 0))
		return;
	exit(cli_fail("%s, %s: the old snapshot is of the runtime %.*s and the new one of %.*s",
		      old_file, new_file, (int)was_size, was, (int)is_size, is));
}

/* Rows that did not change are printed for people and programs if they
 * are asked for, always in forms of others, and rules may be of them. */
static void want_changed(struct rows_question *question, const struct diff_options *given)
{
	bool is_table = cli_common.format != CLI_PPROF && cli_common.format != CLI_TRACEMALLOC &&
			cli_common.format != CLI_FOLDED;
	if (given->all || given->fail.count > 0 || !is_table)
		return;
	question->options.changed_only = true;
	question->options.max_rows = rows_limit(&given->rows);
}

/* Asks the library; ends the process if the two cannot be compared. */
static struct snap_answer *compare(const char *old_file, const char *new_file,
				   const struct diff_options *given, const struct rules *rules,
				   struct rows_question *question)
{
	struct snap_reader *old_reader = cli_open(old_file), *new_reader = cli_open(new_file);
	check_runtimes(old_reader, old_file, new_reader, new_file);
	rows_question(question, &given->rows, old_reader, new_reader);
	want_changed(question, given);
	rules_check_key(rules, question->options.key, question->options.retained);
	struct snap_answer *answer;
	struct snap_error error;
	if (snap_query_compare(&answer, old_reader, new_reader, &question->options, &error) !=
	    SNAP_OK) {
		struct buffer files = {0};
		buffer_text(&files, old_file);
		buffer_text(&files, ", ");
		buffer_append(&files, new_file, strlen(new_file) + 1);
		exit(cli_report(files.bytes, &error));
	}
	snap_reader_close(old_reader);
	snap_reader_close(new_reader);
	return answer;
}

int main(int argc, char **argv)
{
	struct diff_options given = {.rows = {.limit = ROWS_NOT_GIVEN}};
	const struct cli_option options[] = {
		ROWS_OPTION_LINES(given.rows),
		{0, "all", NULL, "print unchanged rows too", CLI_FLAG, &given.all},
		{'f', "fail", "RULE",
		 "exit 1 if RULE is broken, such as 'bytes > +5%' or 'any count > +1000'", CLI_LIST,
		 &given.fail},
		{'e', "exit-code", NULL, "exit 1 if anything changed", CLI_FLAG, &given.exit_code},
		{0},
	};
	const struct cli_tool tool = {"snap-diff",
				      "[OPTION]... OLD NEW",
				      "Says what changed between two heap snapshots.",
				      2,
				      2,
				      options};
	cli_accept_more_forms = true;
	cli_accept_threads = true;
	size_t file_count;
	char **files = cli_parse(&tool, argc, argv, &file_count);

	struct rules rules = rules_parse(&given.fail);
	struct rows_question question;
	struct snap_answer *answer = compare(files[0], files[1], &given, &rules, &question);
	struct snap_answer_info info;
	snap_answer_info(answer, &info);
	rows_warn(&info, question.options.pattern_count > 0, files[1], files[0]);
	size_t broken = rules_judge(&rules, answer);
	if (broken == SIZE_MAX)
		return CLI_TROUBLE;
	if (cli_common.format == CLI_PPROF)
		rows_print_pprof(answer, &info, rows_limit(&given.rows));
	else if (cli_common.format == CLI_TRACEMALLOC || cli_common.format == CLI_FOLDED)
		rows_print_lines(answer, &info, question.options.order, rows_limit(&given.rows));
	else
		print_rows(answer, &info, &given, broken);
	struct snap_error error;
	if (snap_answer_check(answer, &error) != SNAP_OK)
		return cli_report(files[1], &error);
	snap_answer_free(answer);
	return cli_finish(broken || (given.exit_code && info.changed_count) ? CLI_NO : CLI_YES);
}
