/* snap-top: what holds most memory, by type, place of allocation or another key. */
#include <stdlib.h>

#include "cli.h"
#include "print.h"
#include "rows.h"

#define MEASURES 6 /* at most */

static uint64_t average(uint64_t bytes, uint64_t count)
{
	return bytes / count + (bytes % count >= count - count / 2);
}

static size_t measures(const struct snap_answer_info *info)
{
	return 3u + info->has_retained + (info->has_errors ? 2u : 0u);
}

static void measure_columns(const struct snap_answer_info *info, struct print_column *columns)
{
	*columns++ = (struct print_column){"bytes", PRINT_BYTES};
	*columns++ = (struct print_column){"count", PRINT_COUNT};
	*columns++ = (struct print_column){"average", PRINT_BYTES};
	if (info->has_retained)
		*columns++ = (struct print_column){"retained", PRINT_BYTES};
	if (info->has_errors) {
		*columns++ = (struct print_column){"bytes_error", PRINT_BYTES};
		*columns++ = (struct print_column){"count_error", PRINT_COUNT};
	}
}

static void measure_cells(const struct snap_answer_info *info, const struct snap_answer_row *row,
			  struct print_cell *cells)
{
	*cells++ = print_number(row->bytes);
	*cells++ = print_number(row->count);
	*cells++ = row->count ? print_number(average(row->bytes, row->count)) : print_absent();
	if (info->has_retained)
		*cells++ = print_number(row->retained);
	if (info->has_errors) {
		*cells++ = print_number(row->bytes_error);
		*cells++ = print_number(row->count_error);
	}
}

/* The rows that are not printed. */
static void print_others(struct print_table *table, const struct snap_answer_info *info,
			 uint64_t others, uint64_t shown_bytes, uint64_t shown_count)
{
	struct print_cell cells[MEASURES + ROWS_MAX_KEY_COLUMNS];
	struct buffer scratch = {0};
	rows_absent_cells(cells, MEASURES);
	if (rows_add_up(info) && shown_bytes <= info->bytes && shown_count <= info->count)
		measure_cells(info,
			      &(struct snap_answer_row){.bytes = info->bytes - shown_bytes,
							.count = info->count - shown_count},
			      cells);
	for (size_t i = 3; i < measures(info); i++)
		cells[i] = print_absent();
	rows_others_cells(info->key, others, &scratch, cells + measures(info));
	print_row(table, cells);
	buffer_free(&scratch);
}

static void print_rows(struct snap_answer *answer, const struct snap_answer_info *info,
		       uint64_t limit)
{
	struct print_column columns[MEASURES + ROWS_MAX_KEY_COLUMNS];
	measure_columns(info, columns);
	size_t first = measures(info);
	size_t count = first + rows_key_columns(info->key, columns + first);
	struct print_cell cells[MEASURES + ROWS_MAX_KEY_COLUMNS];
	struct buffer scratch = {0};
	uint64_t bytes = 0, blocks = 0, shown = 0;
	struct print_table *table = print_begin("snap-top/1", columns, count);
	rows_notes(table, info);
	for (; shown < info->row_count && shown < limit; shown++) {
		struct snap_answer_row row;
		snap_answer_row(answer, shown, &row);
		measure_cells(info, &row, cells);
		rows_key_cells(info->key, &row, &scratch, cells + first);
		print_row(table, cells);
		bytes += row.bytes;
		blocks += row.count;
	}
	if (shown < info->row_count &&
	    (cli_common.format == CLI_TABLE || cli_common.format == CLI_MARKDOWN))
		print_others(table, info, info->row_count - shown, bytes, blocks);
	const struct snap_answer_row total = {.bytes = info->bytes,
					      .count = info->count,
					      .retained = info->retained,
					      .bytes_error = info->bytes_error,
					      .count_error = info->count_error};
	measure_cells(info, &total, cells);
	rows_absent_cells(cells + first, count - first);
	print_total(table, cells);
	print_end(table);
	buffer_free(&scratch);
}

int main(int argc, char **argv)
{
	struct rows_options given = {.limit = ROWS_NOT_GIVEN};
	const struct cli_option options[] = {ROWS_OPTION_LINES(given), {0}};
	const struct cli_tool tool = {"snap-top",
				      "[OPTION]... [FILE]",
				      "Says what holds most memory in a heap snapshot.",
				      0,
				      1,
				      options};
	cli_accept_more_forms = true;
	cli_accept_threads = true;
	size_t file_count;
	char **files = cli_parse(&tool, argc, argv, &file_count);

	struct snap_reader *reader = cli_open(files[0]);
	struct rows_question question;
	rows_question(&question, &given, reader, NULL);
	question.options.max_rows = rows_limit(&given);
	struct snap_answer *answer;
	struct snap_error error;
	if (snap_query(&answer, reader, &question.options, &error) != SNAP_OK)
		return cli_report(files[0], &error);
	snap_reader_close(reader);
	struct snap_answer_info info;
	snap_answer_info(answer, &info);
	rows_warn(&info, question.options.pattern_count > 0, files[0], NULL);
	if (cli_common.format == CLI_PPROF)
		rows_print_pprof(answer, &info, rows_limit(&given));
	else if (cli_common.format == CLI_TRACEMALLOC || cli_common.format == CLI_FOLDED)
		rows_print_lines(answer, &info, question.options.order, rows_limit(&given));
	else
		print_rows(answer, &info, rows_limit(&given));
	if (snap_answer_check(answer, &error) != SNAP_OK)
		return cli_report(files[0], &error);
	snap_answer_free(answer);
	return cli_finish(CLI_YES);
}
