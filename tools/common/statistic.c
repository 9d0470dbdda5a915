/* Lines as Python's tracemalloc prints them: str(Statistic), str(StatisticDiff). */
#include "rows.h"

#include <inttypes.h>
#include <stdio.h>

#include "escape.h"

bool rows_has_statistics(enum snap_key key)
{
	return key == SNAP_KEY_LINENO || key == SNAP_KEY_FILENAME || key == SNAP_KEY_TRACEBACK;
}

void rows_format_size(double size, bool sign, char text[64])
{
	static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
	for (int i = 0; i < 5; i++) {
		double magnitude = size < 0 ? -size : size;
		if (magnitude < 100 && i > 0) {
			snprintf(text, 64, sign ? "%+.1f %s" : "%.1f %s", size, units[i]);
			return;
		}
		if (magnitude < 10 * 1024 || i == 4) {
			snprintf(text, 64, sign ? "%+.0f %s" : "%.0f %s", size, units[i]);
			return;
		}
		size /= 1024;
	}
}

/* A traceback in words is its oldest frame. */
static void append_frame(struct buffer *line, enum snap_key key, const struct snap_answer_row *row)
{
	struct snap_text file = row->place.file;
	uint64_t number = key == SNAP_KEY_LINENO ? row->place.line : 0;
	if (key == SNAP_KEY_TRACEBACK && row->frame_count) {
		file = row->frames[row->frame_count - 1].file;
		number = row->frames[row->frame_count - 1].line;
	}
	struct buffer place = {0};
	if (!file.bytes && key == SNAP_KEY_LINENO)
		rows_key_text(key, row, &place);
	if (!file.bytes)
		file = place.size ? (struct snap_text){place.bytes, place.size}
				  : (struct snap_text){"<unknown>", 9};
	escape_append(line, file.bytes, file.size, ESCAPE_MESSAGE);
	buffer_free(&place);
	char text[32];
	snprintf(text, sizeof(text), ":%" PRIu64, number);
	buffer_text(line, text);
}

void rows_print_statistic(enum snap_key key, const struct snap_answer_row *row, bool compared)
{
	static struct buffer line;
	char size[64], change[64], average[64], text[300];
	line.size = 0;
	append_frame(&line, key, row);
	rows_format_size((double)row->bytes, false, size);
	if (compared) {
		rows_format_size((double)(int64_t)(row->bytes - row->old_bytes), true, change);
		snprintf(text, sizeof(text), ": size=%s (%s), count=%" PRIu64 " (%+" PRId64 ")",
			 size, change, row->count, (int64_t)(row->count - row->old_count));
	} else {
		snprintf(text, sizeof(text), ": size=%s, count=%" PRIu64, size, row->count);
	}
	buffer_text(&line, text);
	if (row->count) {
		rows_format_size((double)row->bytes / (double)row->count, false, average);
		snprintf(text, sizeof(text), ", average=%s", average);
		buffer_text(&line, text);
	}
	buffer_byte(&line, '\n');
	size_t colons = line.size > 1 && line.bytes[0] == ':' && line.bytes[1] == ':';
	if (colons) /* a line that begins with :: commands some continuous-integration systems */
		fputs("\\x3a", stdout);
	fwrite(line.bytes + colons, 1, line.size - colons, stdout);
}
