/* Proves: questions that a snapshot cannot answer are refused, also those of
 * hand-made ones, and nothing leaks or crashes when memory ends (snap_query.h). */
#include "query_heap.h"
#include "rows.h"
#include "survives.h"

/* ---- refusals ---- */

static enum snap_status ask(struct snap_reader *old, struct snap_reader *reader,
			    const struct snap_query_options *options, char message[232])
{
	struct snap_answer *answer = NULL;
	struct snap_error error = {.message = ""};
	enum snap_status status = old ? snap_query_compare(&answer, old, reader, options, &error)
				      : snap_query(&answer, reader, options, &error);
	snprintf(message, 232, "%s", error.message);
	snap_answer_free(answer);
	return status;
}

static void check_refusals(void)
{
	char message[232];
	struct heap heap;
	make_heap(&heap);
	struct bytes whole_bytes = write_heap(&heap);
	heap.totals_only = true;
	struct bytes totals_bytes = write_heap(&heap);
	heap.totals_only = false;
	heap.sampled = true;
	struct bytes sampled_bytes = write_heap(&heap);
	heap.sampled = false;
	for (int i = 0; i < OBJECTS; i++)
		heap.objects[i].stack = heap.objects[i].type = -1;
	struct bytes bare_bytes = write_heap(&heap);
	heap.object_count = 0;
	struct bytes empty_bytes = write_heap(&heap);
	struct snap_reader *whole = open_bytes(&whole_bytes), *totals = open_bytes(&totals_bytes);
	struct snap_reader *sampled = open_bytes(&sampled_bytes), *bare = open_bytes(&bare_bytes);
	struct snap_reader *empty = open_bytes(&empty_bytes);

	struct snap_pattern pattern = {.kind = SNAP_PATTERN_TYPE, .glob = "int"};
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	options.key = SNAP_KEY_LINENO;
	CHECK(ask(NULL, whole, &options, message) == SNAP_OK);
	CHECK(ask(whole, sampled, &options, message) == SNAP_MISUSE && strstr(message, "sampled"));
	CHECK(ask(sampled, whole, &options, message) == SNAP_MISUSE);
	CHECK(ask(sampled, sampled, &options, message) == SNAP_OK);
	CHECK(ask(NULL, bare, &options, message) == SNAP_MISUSE &&
	      strstr(message, "the snapshot has no call stacks (") == message);
	CHECK(ask(whole, bare, &options, message) == SNAP_MISUSE &&
	      strstr(message, "the new snapshot has no call stacks (") == message);
	CHECK(ask(bare, whole, &options, message) == SNAP_MISUSE &&
	      strstr(message, "the old snapshot has no call stacks (") == message);
	CHECK(ask(empty, whole, &options, message) == SNAP_OK);
	CHECK(ask(NULL, empty, &options, message) == SNAP_OK);
	options.key = SNAP_KEY_DOMAIN;
	CHECK(ask(whole, bare, &options, message) == SNAP_OK);
	options.patterns = &pattern;
	options.pattern_count = 1;
	CHECK(ask(NULL, bare, &options, message) == SNAP_MISUSE &&
	      strstr(message, "the snapshot has no types (") == message);
	CHECK(ask(NULL, totals, &options, message) == SNAP_MISUSE &&
	      strstr(message, "totals only"));
	options.key = SNAP_KEY_TYPE;
	/* one dimension: the totals answer */
	CHECK(ask(NULL, totals, &options, message) == SNAP_OK);
	options.pattern_count = 0;
	options.key = SNAP_KEY_SHAPE;
	CHECK(ask(NULL, totals, &options, message) == SNAP_MISUSE);
	options.key = SNAP_KEY_ROOT;
	CHECK(ask(NULL, whole, &options, message) == SNAP_MISUSE && strstr(message, "no roots"));
	options.key = SNAP_KEY_TRACEBACK;
	options.cumulative = true;
	CHECK(ask(NULL, whole, &options, message) == SNAP_MISUSE);
	options.cumulative = false;
	options.max_memory_bytes = 4096;
	CHECK(ask(NULL, whole, &options, message) == SNAP_LIMIT && strstr(message, "4096"));
	CHECK(snap_query(&(struct snap_answer *){NULL}, whole, &(struct snap_query_options){0},
			 NULL) == SNAP_MISUSE);
	struct snap_reader *readers[] = {whole, totals, sampled, bare, empty};
	uint8_t *kept[] = {whole_bytes.at, totals_bytes.at, sampled_bytes.at, bare_bytes.at,
			   empty_bytes.at};
	for (int i = 0; i < 5; i++) {
		snap_reader_close(readers[i]);
		free(kept[i]);
	}
}

/* ---- memory that ends ---- */

static void check_memory(void)
{
	struct heap old, now;
	make_heap(&old);
	make_heap(&now);
	struct bytes old_bytes = write_heap(&old), bytes = write_heap(&now);
	struct snap_reader *old_reader = open_bytes(&old_bytes), *reader = open_bytes(&bytes);
	struct snap_pattern patterns[2] = {{.glob = "*.py", .all_frames = true},
					   {.kind = SNAP_PATTERN_TYPE, .glob = "*"}};
	bool good = true;
	for (int k = 0; k < KEYS; k++) {
		struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
		options.key = keys[k];
		options.cumulative = options.key == SNAP_KEY_LINENO;
		good &= survives(old_reader, reader, options, 10);
		options.patterns = patterns;
		options.pattern_count = 2;
		good &= survives(old_reader, reader, options, 10);
	}
	CHECK_NAMED(good, "every allocation may fail: the status says so, and all is given back");
	snap_reader_close(old_reader);
	snap_reader_close(reader);
	free(old_bytes.at);
	free(bytes.at);
}
/* ---- what only a hand-made snapshot has ---- */

struct column {
	uint32_t column;
	size_t count;
	uint64_t values[8];
};

static struct snap_reader *open_columns(struct build *b, const struct column *columns, size_t count,
					bool totals_only)
{
	static const char *const strings[] = {"a.c", "f", "lib.so", "T", "a.c"};
	build_begin(b);
	build_strings(b, strings, 5);
	for (size_t i = 0; i < count; i++)
		build_column(b, columns[i].column, columns[i].values, columns[i].count);
	build_end(b,
		  &(struct snapfmt_trailer){.flags = totals_only ? SNAP_SNAPSHOT_TOTALS_ONLY : 0});
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, b->bytes, b->size, NULL, NULL) == SNAP_OK);
	return reader;
}

#define TOTALS_OF(dimension, a, b, size_a, size_b) \
	{SNAP_TOTAL_DIMENSION, 3, {SNAP_BY_ALL, dimension, dimension}}, \
		{SNAP_TOTAL_KEY, 3, {0, a, b}}, {SNAP_TOTAL_BYTES, 3, {30, size_a, size_b}}, \
	{ \
		SNAP_TOTAL_COUNT, 3, \
		{ \
			3, 1, 2 \
		} \
	}

static uint64_t rows_of(const struct column *columns, size_t count, enum snap_key key,
			enum snap_status wanted_status, struct snap_answer_row *first,
			struct snap_place *frames)
{
	struct build b = {0};
	struct snap_reader *reader = open_columns(&b, columns, count, true);
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	struct snap_answer *answer = NULL;
	struct snap_answer_info info = {.row_count = UINT64_MAX};
	options.key = key;
	if (snap_query(&answer, reader, &options, NULL) == wanted_status)
		info.row_count = 0;
	if (answer) {
		snap_answer_info(answer, &info);
		snap_answer_row(answer, 0, first);
		for (size_t i = 0; frames && i < first->frame_count; i++)
			frames[i] = first->frames[i];
	}
	snap_answer_free(answer);
	snap_reader_close(reader);
	build_free(&b);
	return info.row_count;
}
#define ROWS_OF(columns, key, status, first, frames) \
	rows_of(columns, sizeof(columns) / sizeof((columns)[0]), key, status, first, frames)

static void check_by_hand(void)
{
	struct snap_answer_row row;
	struct snap_place frames[8];
	const struct column twins[] = {
		/* strings 1 and 5 are alike, and so are types 1 and 2 */
		{SNAP_FRAME_FILE, 2, {1, 5}},           {SNAP_FRAME_LINE, 2, {7, 7}},
		{SNAP_FRAME_FUNCTION, 2, {2, 0}},       {SNAP_STACK_FRAME, 2, {1, 2}},
		TOTALS_OF(SNAP_BY_STACK, 1, 2, 10, 20),
	};
	CHECK(ROWS_OF(twins, SNAP_KEY_LINENO, SNAP_OK, &row, NULL) == 1 && row.bytes == 30 &&
	      row.count == 3);
	CHECK(ROWS_OF(twins, SNAP_KEY_TRACEBACK, SNAP_OK, &row, frames) == 2 && row.bytes == 20 &&
	      !frames[0].function.bytes && frames[0].line == 7);
	CHECK(ROWS_OF(twins, SNAP_KEY_FUNCTION, SNAP_OK, &row, NULL) == 2 && row.bytes == 20 &&
	      !row.place.function.bytes);
	const struct column types[] = {{SNAP_TYPE_NAME, 2, {4, 4}},
				       TOTALS_OF(SNAP_BY_TYPE, 1, 2, 10, 20)};
	CHECK(ROWS_OF(types, SNAP_KEY_TYPE, SNAP_OK, &row, NULL) == 1 && row.bytes == 30);

	const struct column inlined[] = {
		/* frame 1 was inlined into 2, whose caller is stack 2 */
		{SNAP_FRAME_FILE, 3, {1, 1, 0}},         {SNAP_FRAME_LINE, 3, {1, 2, 0}},
		{SNAP_FRAME_INLINED_INTO, 3, {2, 0, 0}}, {SNAP_FRAME_MODULE, 3, {0, 0, 1}},
		{SNAP_FRAME_OFFSET, 3, {0, 0, 0x99}},    {SNAP_MODULE_PATH, 1, {3}},
		{SNAP_STACK_PARENT, 2, {0, 1}},          {SNAP_STACK_FRAME, 2, {3, 1}},
		TOTALS_OF(SNAP_BY_STACK, 1, 2, 10, 20),
	};
	CHECK(ROWS_OF(inlined, SNAP_KEY_TRACEBACK, SNAP_OK, &row, frames) == 2 &&
	      row.frame_count == 3 && frames[0].line == 1 && frames[1].line == 2 &&
	      !frames[2].file.bytes && frames[2].offset == 0x99);
	CHECK(ROWS_OF(inlined, SNAP_KEY_MODULE, SNAP_OK, &row, NULL) == 2 && row.bytes == 20 &&
	      !row.place.module.bytes);

	const struct column circle[] = {
		{SNAP_FRAME_FILE, 2, {1, 1}},
		{SNAP_FRAME_INLINED_INTO, 2, {2, 1}},
		{SNAP_STACK_FRAME, 2, {1, 2}},
		TOTALS_OF(SNAP_BY_STACK, 1, 2, 10, 20),
	};
	CHECK(ROWS_OF(circle, SNAP_KEY_TRACEBACK, SNAP_CORRUPT, &row, NULL) == 0);
	/* the innermost frame is enough */
	CHECK(ROWS_OF(circle, SNAP_KEY_LINENO, SNAP_OK, &row, NULL) == 1);
	const struct column beyond[] = {{SNAP_TYPE_NAME, 1, {4}},
					TOTALS_OF(SNAP_BY_TYPE, 1, 2, 10, 20)};
	CHECK(ROWS_OF(beyond, SNAP_KEY_TYPE, SNAP_CORRUPT, &row, NULL) == 0);
	const struct column unequal[] = {{SNAP_TYPE_NAME, 2, {4, 4}},
					 TOTALS_OF(SNAP_BY_TYPE, 1, 2, 10, 21)};
	CHECK(ROWS_OF(unequal, SNAP_KEY_TYPE, SNAP_CORRUPT, &row, NULL) == 0);
	const struct column huge[] = {
		{SNAP_TOTAL_DIMENSION, 1, {SNAP_BY_ALL}},
		{SNAP_TOTAL_BYTES, 1, {UINT64_MAX}},
		{SNAP_TOTAL_COUNT, 1, {1}},
	};
	CHECK(ROWS_OF(huge, SNAP_KEY_DOMAIN, SNAP_LIMIT, &row, NULL) == 0);
	const struct column late[] = {{SNAP_FRAME_FILE, 1, {1}},
				      {SNAP_STACK_PARENT, 2, {2, 0}},
				      {SNAP_STACK_FRAME, 2, {1, 1}},
				      TOTALS_OF(SNAP_BY_STACK, 1, 2, 10, 20)};
	CHECK(ROWS_OF(late, SNAP_KEY_TRACEBACK, SNAP_CORRUPT, &row, NULL) == 0);
	CHECK(ROWS_OF(late, SNAP_KEY_LINENO, SNAP_OK, &row, NULL) == 1);
}

int main(void)
{
	check_refusals();
	check_memory();
	check_by_hand();
	return DONE();
}
