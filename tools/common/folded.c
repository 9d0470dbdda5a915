/* Folded stacks, as flamegraph.pl, inferno and speedscope read them: names between semicolons, then
 * a space and a number, or two to compare. */
#include "rows.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>

bool rows_can_fold(enum snap_key key)
{
	return key == SNAP_KEY_TRACEBACK || key == SNAP_KEY_PATH;
}

/* A space and a number at the end would be read as one more weight: where the space is, or size. */
static size_t find_false_weight(const struct buffer *text)
{
	size_t at = text->size;
	while (at > 0 &&
	       (isdigit((unsigned char)text->bytes[at - 1]) || text->bytes[at - 1] == '.'))
		at--;
	return at > 0 && at < text->size && text->bytes[at - 1] == ' ' ? at - 1 : text->size;
}

static void append_folded(struct buffer *line, const struct buffer *items)
{
	size_t space = find_false_weight(items);
	for (size_t i = 0; i < items->size; i++) {
		char byte = items->bytes[i];
		if (byte == '\n')
			buffer_byte(line, ';');
		else if (byte == ';')
			buffer_text(line, "\\x3b");
		else if (i == space)
			buffer_text(line, "\\x20");
		else
			buffer_byte(line, byte);
	}
}

void rows_print_folded(enum snap_key key, enum snap_order order, const struct snap_answer_row *row,
		       bool compared)
{
	static struct buffer line, items;
	bool by_count = order == SNAP_ORDER_COUNT;
	char weight[32];
	line.size = items.size = 0;
	rows_key_items(key, row, &items);
	append_folded(&line, &items);
	if (compared) {
		snprintf(weight, sizeof(weight), " %" PRIu64,
			 by_count ? row->old_count : row->old_bytes);
		buffer_text(&line, weight);
	}
	snprintf(weight, sizeof(weight), " %" PRIu64 "\n", by_count ? row->count : row->bytes);
	buffer_text(&line, weight);
	fwrite(line.bytes, 1, line.size, stdout);
}
