/* Questions about native heaps: variables hold and count nowhere themselves, and numbers in names
 * of roots and labels do not tell paths apart; and what cannot be asked (snap_query.h). */
#include "graph_make.h"
#include "survives.h"

enum { VARIABLES = 10 };

static uint32_t numbered(struct snap_writer *w, const char *format, unsigned number)
{
	char text[32];
	snprintf(text, sizeof(text), format, number);
	return string(w, text);
}

static void make(struct buffer *bytes)
{
	struct snap_writer *w = begin(bytes);
	uint32_t block = type(w, "Block", SNAP_TYPE_OBJECT),
		 variable = type(w, "variable", SNAP_TYPE_OBJECT);
	for (unsigned i = 0; i < VARIABLES; i++) {
		const struct snap_object holder = {.id = 100 + i, .type = variable};
		REQUIRE(snap_writer_object(w, &holder, NULL) == SNAP_OK);
		refer(w, 100 + i, 200 + i, SNAP_REF_FIELD,
		      SNAP_LABEL_STRING(numbered(w, "slot @%u of it", i * 100)));
		object(w, 200 + i, 16, block);
		root(w, 100 + i, SNAP_ROOT_GLOBAL, numbered(w, "table+0x%x", i * 8));
	}
	finish(w);
}

/* The one row that there is. */
static bool is_one_row(struct snap_reader *reader, enum snap_key key)
{
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	struct snap_answer *answer;
	struct snap_answer_info info;
	struct snap_answer_row row;
	options.key = key;
	options.retained = true;
	REQUIRE(snap_query(&answer, reader, &options, NULL) == SNAP_OK);
	snap_answer_info(answer, &info);
	snap_answer_row(answer, 0, &row);
	bool good = info.row_count == 1 && row.count == VARIABLES && row.bytes == 16 * VARIABLES;
	if (!good)
		printf("# %s: %" PRIu64 " rows, first %" PRIu64 "\n", snap_key_name(key),
		       info.row_count, row.count);
	snap_answer_free(answer);
	return good;
}

static void check_holders(const struct buffer *bytes)
{
	struct snap_reader *reader;
	REQUIRE(snap_reader_open_memory(&reader, bytes->bytes, bytes->size, NULL, NULL) == SNAP_OK);
	CHECK(is_one_row(reader, SNAP_KEY_TYPE));
	CHECK(is_one_row(reader, SNAP_KEY_ROOT));
	CHECK(is_one_row(reader, SNAP_KEY_PATH));
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	static const enum snap_key keys[] = {SNAP_KEY_TYPE, SNAP_KEY_ROOT, SNAP_KEY_PATH};
	for (size_t i = 0; i < 3; i++) {
		options.key = keys[i];
		CHECK_NAMED(survives(reader, reader, options, 10), "every allocation may fail");
	}
	snap_reader_close(reader);
}

static void test_holders(void)
{
	struct buffer plain = {0}, indexed = {0};
	make(&plain);
	REQUIRE(add_index(&plain, &indexed));
	check_holders(&plain);
	check_holders(&indexed);
	free(plain.bytes);
	free(indexed.bytes);
}

/* ---- what cannot be asked ---- */

static enum snap_status compare(struct snap_reader *reader,
				const struct snap_query_options *options)
{
	struct snap_answer *answer = NULL;
	enum snap_status status = snap_query_compare(&answer, reader, reader, options, NULL);
	snap_answer_free(answer);
	return status;
}

static void test_hash_key(const char *key, enum snap_status wanted)
{
	struct buffer bytes = {0};
	struct snap_writer *w = begin(&bytes);
	struct snap_object o = {.id = 1, .size = 8, .count = 1};
	struct snap_reader *reader;
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	options.key = SNAP_KEY_DUPLICATE;
	REQUIRE(snap_writer_property(w, "hash_key", key, NULL) == SNAP_OK);
	REQUIRE(snap_writer_content(w, 8, 77, 0, &o.content, NULL) == SNAP_OK);
	REQUIRE(snap_writer_object(w, &o, NULL) == SNAP_OK);
	finish(w);
	REQUIRE(snap_reader_open_memory(&reader, bytes.bytes, bytes.size, NULL, NULL) == SNAP_OK);
	CHECK(compare(reader, &options) == wanted);
	snap_reader_close(reader);
	free(bytes.bytes);
}

static void test_patterns(void)
{
	struct buffer bytes = {0};
	struct snap_pattern patterns[SNAP_MAX_PATTERNS + 1];
	struct snap_query_options options = SNAP_QUERY_OPTIONS_INIT;
	struct snap_reader *reader;
	make(&bytes);
	for (size_t i = 0; i <= SNAP_MAX_PATTERNS; i++)
		patterns[i] = (struct snap_pattern){.kind = SNAP_PATTERN_TYPE, .glob = "*"};
	REQUIRE(snap_reader_open_memory(&reader, bytes.bytes, bytes.size, NULL, NULL) == SNAP_OK);
	options.patterns = patterns;
	options.pattern_count = SNAP_MAX_PATTERNS;
	CHECK(compare(reader, &options) == SNAP_OK);
	options.pattern_count++;
	CHECK(compare(reader, &options) == SNAP_MISUSE);
	options.pattern_count = 1;
	patterns[0].has_line = true;
	CHECK(compare(reader, &options) == SNAP_MISUSE);
	patterns[0] =
		(struct snap_pattern){.kind = SNAP_PATTERN_TYPE, .all_frames = true, .glob = "*"};
	CHECK(compare(reader, &options) == SNAP_MISUSE);
	patterns[0] = (struct snap_pattern){.kind = SNAP_PATTERN_TYPE};
	CHECK(compare(reader, &options) == SNAP_MISUSE);
	snap_reader_close(reader);
	free(bytes.bytes);
}

int main(void)
{
	test_holders();
	test_hash_key("derived", SNAP_MISUSE);
	test_hash_key("given", SNAP_OK);
	test_patterns();
	return DONE();
}
