/* The streaming JSON scanner: values, escapes, numbers, places
 * of faults; and any split of the input gives the same. */
#include "random.h"
#include "tap.h"

#include <unistd.h>

#include "import.h"
#include "json_scan.h"

/* The importers in the same folder want one; none is run here. */
enum snap_status import_begin(struct import_context *context, uint32_t flags,
			      struct snap_error *error)
{
	(void)context;
	(void)flags;
	(void)error;
	return SNAP_MISUSE;
}

struct fixture {
	struct import_input input;
	struct import_reader reader;
	struct json_scan scan;
	FILE *file;
};

static void begin(struct fixture *f, const char *bytes, size_t size)
{
	f->file = tmpfile();
	REQUIRE(f->file != NULL && fwrite(bytes, 1, size, f->file) == size && fflush(f->file) == 0);
	f->input = (struct import_input){
		.name = "test", .descriptor = fileno(f->file), .seekable = true, .size = size};
	struct snap_error error;
	REQUIRE(import_reader_begin(&f->reader, &f->input, 0, &error) == SNAP_OK);
	json_scan_begin(&f->scan, &f->reader, 1000000);
}

static void end(struct fixture *f)
{
	json_scan_end(&f->scan);
	import_reader_end(&f->reader);
	fclose(f->file);
}

/* ---- a string in, its bytes out ---- */

static const struct {
	const char *json, *wanted;
	size_t size;
} strings[] = {
	{"\"\"", "", 0},
	{"  \"plain\"", "plain", 5},
	{"\"a\\n\\t\\r\\b\\f\\/\\\\\\\"z\"", "a\n\t\r\b\f/\\\"z", 10},
	{"\"\\u0041\\u00e9\\u20AC\"", "A\xc3\xa9\xe2\x82\xac", 6},
	{"\"\\u0000x\"", "\0x", 2},
	{"\"\\ud83d\\ude00\"", "\xf0\x9f\x98\x80", 4},
	{"\"\\ud83d\"", "\xed\xa0\xbd", 3},
	{"\"\\ud83dx\"", "\xed\xa0\xbdx", 4},
	{"\"\\ud83d\\ud83d\\ude00\"", "\xed\xa0\xbd\xf0\x9f\x98\x80", 7},
	{"\"\\ud83d\\n\"", "\xed\xa0\xbd\n", 4},
	{"\"\\ude00\"", "\xed\xb8\x80", 3},
	{"\"\xc3\xa9\"", "\xc3\xa9", 2},
};

static void check_strings(void)
{
	for (size_t i = 0; i < sizeof(strings) / sizeof(strings[0]); i++) {
		struct fixture f;
		begin(&f, strings[i].json, strlen(strings[i].json));
		json_scan_string(&f.scan);
		json_scan_finish(&f.scan);
		bool good = !f.scan.failed && f.scan.text_size == strings[i].size;
		if (good && strings[i].size > 0)
			good = memcmp(f.scan.text, strings[i].wanted, strings[i].size) == 0;
		CHECK_NAMED(good, strings[i].json);
		end(&f);
	}
}

/* ---- whole documents through json_scan_skip ---- */

#define FINE UINT64_MAX
static const struct {
	const char *json;
	uint64_t fault;
	const char *reason;
} documents[] = {
	{"{}", FINE, ""},
	{" [ ] \n", FINE, ""},
	{"[1,-2,3.5e+7,0,-0.0,1E9,true,false,null,\"x\",[],{},[[]]]", FINE, ""},
	{"{\"a\":{\"b\":[1,{\"c\":2}]},\"d\":0}", FINE, ""},
	{"", 0, "ends too early"},
	{"[", 1, "ends too early"},
	{"[1", 2, "ends too early"},
	{"[1,", 3, "ends too early"},
	{"[1,]", 3, "a value expected"},
	{"[,1]", 1, "a value expected"},
	{"[1 2]", 3, "',' or ']'"},
	{"{\"a\":1,}", 7, "a string expected"},
	{"{\"a\" 1}", 5, "':' expected"},
	{"{1:2}", 1, "a string expected"},
	{"[1}", 2, "',' or ']'"},
	{"{\"a\":1]", 6, "',' or '}'"},
	{"[1]]", 3, "something follows"},
	{"[01]", 3, "leading zero"},
	{"[-]", 2, "a digit expected"},
	{"[1.]", 3, "a digit expected"},
	{"[1e]", 3, "a digit expected"},
	{"[nul]", 1, "null expected"},
	{"[trux]", 1, "true expected"},
	{"[fals", 5, "ends too early"},
	{"[\"a", 3, "ends too early"},
	{"[\"\\", 4 - 1, "ends too early"},
	{"[\"\\u12", 6, "ends too early"},
	{"[\"\\u12g4\"]", 4, "four hexadecimal digits"},
	{"[\"\\x\"]", 2, "unknown escape"},
	{"[\"a\nb\"]", 3, "control byte 0x0a"},
	{"[\x01]", 1, "byte 0x01"},
};

static void check_documents(void)
{
	for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
		struct fixture f;
		begin(&f, documents[i].json, strlen(documents[i].json));
		json_scan_skip(&f.scan);
		json_scan_finish(&f.scan);
		bool fine = documents[i].fault == FINE;
		bool good = f.scan.failed == !fine;
		if (good && !fine)
			good = f.scan.error.status == SNAP_CORRUPT &&
			       f.scan.error.offset == documents[i].fault &&
			       strstr(f.scan.error.message, documents[i].reason) != NULL;
		char name[64];
		snprintf(name, sizeof(name), "document %zu: %s", i,
			 fine ? "good" : documents[i].reason);
		if (!CHECK_NAMED(good, name) && f.scan.failed)
			printf("# at %" PRIu64 ": %s\n", f.scan.error.offset, f.scan.error.message);
		end(&f);
	}
}

static void check_depth(void)
{
	char nested[2 * JSON_SCAN_MAX_DEPTH + 4];
	for (size_t extra = 0; extra < 2; extra++) {
		size_t depth = JSON_SCAN_MAX_DEPTH + extra;
		memset(nested, '[', depth);
		memset(nested + depth, ']', depth);
		struct fixture f;
		begin(&f, nested, 2 * depth);
		json_scan_skip(&f.scan);
		CHECK_NAMED(f.scan.failed == (extra == 1),
			    extra ? "one level too deep" : "as deep as may be");
		end(&f);
	}
}

/* ---- numbers ---- */

static const struct {
	const char *json;
	uint64_t fault;
} bad_integers[] = {
	{"[-1]", 1},
	{"[1.5]", 1},
	{"[1e3]", 1},
	{"[12,007]", 4},
	{"[18446744073709551616]", 1},
	{"[1,,2]", 3},
	{"[1,]", 3},
	{"[\"1\"]", 1},
	{"[1;2]", 2},
	{"[1", 2},
	{"[00,1,1,1,1,1,1,1,1,1,1]", 1},
	{"[01234567,1,1,1,1,1,1]", 1},
	{"[1,2x,1,1,1,1,1,1,1,1,1,1]", 4},
};

static void check_integers(void)
{
	for (size_t i = 0; i < sizeof(bad_integers) / sizeof(bad_integers[0]); i++) {
		struct fixture f;
		begin(&f, bad_integers[i].json, strlen(bad_integers[i].json));
		uint64_t values[16];
		bool ended;
		json_scan_enter(&f.scan, JSON_ARRAY);
		size_t count = json_scan_integers(&f.scan, values, 16, &ended);
		bool good = f.scan.failed && ended && count == 0 &&
			    f.scan.error.offset == bad_integers[i].fault;
		if (!CHECK_NAMED(good, bad_integers[i].json))
			printf("# at %" PRIu64 ": %s\n", f.scan.error.offset, f.scan.error.message);
		end(&f);
	}
	struct fixture f;
	begin(&f, " [ ] ", 5);
	uint64_t value;
	bool ended;
	json_scan_enter(&f.scan, JSON_ARRAY);
	CHECK(json_scan_integers(&f.scan, &value, 1, &ended) == 0 && ended && !f.scan.failed);
	end(&f);
}

/* Numbers of every length, in batches of any size, written densely, as V8 does
 * and spaciously, and so long that the reader's buffer ends within them. */
static void check_long_array(const char *name, const char *separator, size_t batch)
{
	const size_t count = 60000;
	char *json = malloc(count * 32);
	uint64_t *values = malloc(batch * sizeof(*values));
	REQUIRE(json != NULL && values != NULL);
	size_t size = 0;
	json[size++] = '[';
	uint64_t expected = 0, sum = 0, x = 88172645463325252u;
	for (size_t i = 0; i < count; i++) {
		uint64_t number = random_next(&x) >> (i % 64);
		expected = expected * 31 + number;
		size += (size_t)sprintf(json + size, "%s%" PRIu64, i == 0 ? "" : separator, number);
	}
	json[size++] = ']';
	struct fixture f;
	begin(&f, json, size);
	json_scan_enter(&f.scan, JSON_ARRAY);
	bool ended = false;
	size_t total = 0;
	while (!ended) {
		size_t got = json_scan_integers(&f.scan, values, batch, &ended);
		for (size_t i = 0; i < got; i++)
			sum = sum * 31 + values[i];
		total += got;
		REQUIRE(got == batch || ended);
	}
	json_scan_finish(&f.scan);
	CHECK_NAMED(!f.scan.failed && total == count && sum == expected, name);
	end(&f);
	free(values);
	free(json);
}

/* ---- members, and cut texts ---- */

static void check_members(void)
{
	static const char json[] = "{\"a\":[1,2],\"b\":\"0123456789\",\"c\":18446744073709551615}";
	struct fixture f;
	begin(&f, json, sizeof(json) - 1);
	f.scan.max_text = 4;
	json_scan_enter(&f.scan, JSON_OBJECT);
	CHECK(json_scan_member(&f.scan) && json_scan_is(&f.scan, "a") &&
	      json_scan_peek(&f.scan) == JSON_ARRAY);
	json_scan_skip_flat(&f.scan);
	CHECK(json_scan_member(&f.scan) && json_scan_is(&f.scan, "b") &&
	      json_scan_peek(&f.scan) == JSON_STRING);
	json_scan_string(&f.scan);
	CHECK(json_scan_is(&f.scan, "0123") && f.scan.text_full_size == 10 &&
	      f.scan.cut_count == 1);
	CHECK(json_scan_member(&f.scan) && json_scan_unsigned(&f.scan) == UINT64_MAX);
	CHECK(!json_scan_member(&f.scan));
	json_scan_finish(&f.scan);
	CHECK(!f.scan.failed);
	end(&f);
}

/* A string across the end of the reader's buffer, for every place of that end. */
static void check_buffer_end(void)
{
	static const char text[] = "\"ab\\ud83d\\ude00\\n\xc3\xa9\"]";
	bool good = true;
	char *json = malloc(IMPORT_READER_BUFFER + 64);
	REQUIRE(json != NULL);
	for (size_t before = 0; before < sizeof(text); before++) {
		size_t spaces = IMPORT_READER_BUFFER - before - 1;
		json[0] = '[';
		memset(json + 1, ' ', spaces);
		memcpy(json + 1 + spaces, text, sizeof(text) - 1);
		struct fixture f;
		begin(&f, json, spaces + sizeof(text));
		json_scan_enter(&f.scan, JSON_ARRAY);
		good = good && json_scan_element(&f.scan);
		json_scan_string(&f.scan);
		good = good && json_scan_is(&f.scan, "ab\xf0\x9f\x98\x80\n\xc3\xa9") &&
		       !json_scan_element(&f.scan);
		json_scan_finish(&f.scan);
		good = good && !f.scan.failed;
		end(&f);
	}
	free(json);
	CHECK_NAMED(good, "a string across the end of the buffer");
}

int main(void)
{
	check_strings();
	check_documents();
	check_depth();
	check_integers();
	static const size_t batches[] = {1, 7, 512, 70000};
	for (size_t i = 0; i < sizeof(batches) / sizeof(batches[0]); i++) {
		check_long_array("dense numbers", ",", batches[i]);
		check_long_array("numbers in rows", "\n,", batches[i]);
		check_long_array("numbers and space", " ,\t ", batches[i]);
	}
	check_members();
	check_buffer_end();
	return DONE();
}
