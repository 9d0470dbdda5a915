/* Proves: strangers' text stays harmless in every form, and numbers read as promised
 * (tools/common/print.h). */
#include <sys/wait.h>
#include <unistd.h>

#include "escape.h"
#include "print.h"
#include "tap.h"

static char output[65536];

/* What body prints, with status of its process; stdout of a child goes to a file, so that exits can
 * be seen too. */
static int capture(void (*body)(void))
{
	FILE *file = tmpfile();
	REQUIRE(file != NULL);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		dup2(fileno(file), STDOUT_FILENO);
		body();
		exit(cli_finish(CLI_YES));
	}
	int status = 0;
	REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	rewind(file);
	output[fread(output, 1, sizeof(output) - 1, file)] = '\0';
	fclose(file);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool printed(const char *wanted)
{
	if (strcmp(output, wanted) == 0)
		return true;
	fprintf(stderr, "# got:\n%s\n# wanted:\n%s\n", output, wanted);
	return false;
}

static bool escapes(const char *bytes, size_t size, enum escape_form form, const char *wanted)
{
	struct buffer out = {0};
	escape_append(&out, bytes, size, form);
	bool same = out.size == strlen(wanted) && memcmp(out.bytes, wanted, out.size) == 0;
	if (!same)
		fprintf(stderr, "# got %.*s, wanted %s\n", (int)out.size, out.bytes, wanted);
	buffer_free(&out);
	return same;
}
#define ESCAPES(literal, form, wanted) CHECK(escapes(literal, sizeof(literal) - 1, form, wanted))

static void test_escape(void)
{
	ESCAPES("plain caf\xc3\xa9 \xf0\x9f\x90\x9b", ESCAPE_TEXT,
		"plain caf\xc3\xa9 \xf0\x9f\x90\x9b");
	ESCAPES("a\nb\tc\rd\\e", ESCAPE_TEXT, "a\\nb\\tc\\rd\\\\e");
	ESCAPES("\x1b[31m\x00\x7f", ESCAPE_TEXT, "\\x1b[31m\\x00\\x7f");
	ESCAPES("\xc2\x9b"
		"31m",
		ESCAPE_TEXT, "\\xc2\\x9b31m"); /* C1 CSI */
	ESCAPES("\xe2\x80\xae"
		"cod",
		ESCAPE_TEXT,
		"\\xe2\\x80\\xae"
		"cod"); /* right-to-left override */
	ESCAPES("\xe2\x81\xa6\xd8\x9c", ESCAPE_TEXT,
		"\\xe2\\x81\\xa6\\xd8\\x9c"); /* isolate, letter mark */
	ESCAPES("\xff\xc0\x80\xed\xa0\x80\xe2\x82", ESCAPE_TEXT,
		"\\xff\\xc0\\x80\\xed\\xa0\\x80\\xe2\\x82");
	ESCAPES("::error::x", ESCAPE_TEXT, "\\x3a:error::x");
	ESCAPES("  ::error", ESCAPE_TEXT, "  \\x3a:error");
	ESCAPES("a::b", ESCAPE_TEXT, "a::b");
	ESCAPES("a\xff\"\xe2\x80\xae\x01\n", ESCAPE_JSON, "a\\udcff\\\"\\u202e\\u0001\\n");
	ESCAPES("a\xff\xee\xbe\x80", ESCAPE_YAML, "a\\uefff\\uefee\\uefbe\\uef80");
	ESCAPES("a|b_c\\<i>`", ESCAPE_MARKDOWN, "a\\|b\\_c\\\\\\\\\\<i\\>\\`");
	CHECK(escape_width("caf\xc3\xa9", 5) == 4);
}

/* Every pair of bytes, in every form, comes out as printable ASCII or whole UTF-8. */
static void test_all_pairs(void)
{
	bool harmless = true;
	for (unsigned pair = 0; pair < 65536; pair++)
		for (int form = ESCAPE_TEXT; form <= ESCAPE_YAML; form++) {
			char bytes[2] = {(char)(pair >> 8), (char)pair};
			struct buffer out = {0};
			escape_append(&out, bytes, 2, (enum escape_form)form);
			for (size_t i = 0; i < out.size; i++) {
				unsigned char c = (unsigned char)out.bytes[i];
				harmless &= c >= 0x20 && c != 0x7f;
				harmless &=
					c < 0x80 || (c == (unsigned char)bytes[i] && out.size == 2);
			}
			buffer_free(&out);
		}
	CHECK_NAMED(harmless, "no pair of bytes gets a control byte or half a character out");
}

static bool size_is(uint64_t bytes, const char *wanted)
{
	char buffer[32];
	return strcmp(print_size(bytes, buffer), wanted) == 0;
}

static void test_sizes(void)
{
	CHECK(size_is(0, "0 B"));
	CHECK(size_is(1023, "1023 B"));
	CHECK(size_is(1024, "1.0 KiB"));
	CHECK(size_is(1536, "1.5 KiB"));
	CHECK(size_is(1048575, "1.0 MiB"));
	CHECK(size_is(UINT64_C(5) << 30, "5.0 GiB"));
	CHECK(size_is(UINT64_MAX, "16.0 EiB"));
	uint64_t n = 0;
	CHECK(cli_parse_size("4096", &n) && n == 4096);
	CHECK(cli_parse_size("64K", &n) && n == 65536);
	CHECK(cli_parse_size("64KiB", &n) && n == 65536);
	CHECK(cli_parse_size("1_000B", &n) && n == 1000);
	CHECK(cli_parse_size("16777215T", &n) && n == UINT64_C(16777215) << 40);
	static const char *const bad[] = {
		"",   "K",  "1KB", "1.5M", "-1", " 1", "1 ", "16777216T", "99999999999999999999",
		"1_", "1iB"};
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		CHECK_NAMED(!cli_parse_size(bad[i], &n), bad[i]);
}

static void two_rows(void)
{
	static const struct print_column columns[] = {
		{"bytes", PRINT_BYTES}, {"bytes_diff", PRINT_CHANGE_BYTES},
		{"address", PRINT_HEX}, {"type", PRINT_TEXT},
		{"file", PRINT_TEXT},
	};
	struct print_table *t = print_begin("test/1", columns, 5);
	print_note(t, "file", "a\nb");
	print_note_number(t, "member", 2);
	const struct print_cell rows[2][5] = {
		{print_number(1536), print_change(-2048), print_number(255),
		 print_bytes("a,\"b|\x1b", 6), print_absent()},
		{print_number(7), print_change(0), print_absent(), print_bytes("", 0),
		 print_bytes("::f", 3)},
	};
	print_row(t, rows[0]);
	print_row(t, rows[1]);
	const struct print_cell total[5] = {print_number(1543), print_change(INT64_MIN),
					    print_absent(), print_absent(), print_absent()};
	print_total(t, total);
	print_end(t);
}

static void no_rows(void)
{
	static const struct print_column columns[] = {{"count", PRINT_COUNT}};
	print_end(print_begin("test/1", columns, 1));
}

static void test_forms(void)
{
	cli_common.format = CLI_TABLE;
	CHECK(capture(two_rows) == 0);
	CHECK(printed("  bytes  bytes_diff  address  type       file\n"
		      "1.5 KiB    -2.0 KiB     0xff  a,\"b|\\x1b  -\n"
		      "    7 B         0 B        -             \\x3a:f\n"
		      "1.5 KiB    -8.0 EiB           TOTAL\n"));
	cli_common.format = CLI_TSV;
	CHECK(capture(two_rows) == 0);
	CHECK(printed(
		"bytes\tbytes_diff\taddress\ttype\tfile\n1536\t-2048\t0xff\ta,\"b|\\x1b\t\n7\t0\t\t\t\\x3a:f\n"));
	cli_common.format = CLI_CSV;
	CHECK(capture(two_rows) == 0);
	CHECK(printed(
		"bytes,bytes_diff,address,type,file\r\n1536,-2048,0xff,\"a,\"\"b|\\x1b\",\r\n7,0,,,\\x3a:f\r\n"));
	cli_common.format = CLI_MARKDOWN;
	CHECK(capture(two_rows) == 0);
	CHECK(printed(
		"| bytes | bytes\\_diff | address | type | file |\n|---:|---:|---:|:---|:---|\n"
		"| 1.5 KiB | -2.0 KiB | 0xff | a,\"b\\|\\\\x1b |  |\n| 7 B | 0 B |  |  | ::f |\n"
		"| 1.5 KiB | -8.0 EiB |  | **TOTAL** |  |\n"));
	cli_common.format = CLI_JSON;
	CHECK(capture(two_rows) == 0);
	CHECK(printed(
		"{\"schema\": \"test/1\",\n \"file\": \"a\\nb\",\n \"member\": 2,\n \"rows\": [\n"
		"  {\"bytes\": 1536, \"bytes_diff\": -2048, \"address\": \"0xff\", \"type\": \"a,\\\"b|\\u001b\", \"file\": null},\n"
		"  {\"bytes\": 7, \"bytes_diff\": 0, \"address\": null, \"type\": \"\", \"file\": \"::f\"}\n ],\n"
		" \"total\": {\"bytes\": 1543, \"bytes_diff\": -9223372036854775808, \"address\": null, \"type\": null, \"file\": null}}\n"));
	CHECK(capture(no_rows) == 0 && printed("{\"schema\": \"test/1\",\n \"rows\": []}\n"));
	cli_common.format = CLI_YAML;
	CHECK(capture(two_rows) == 0);
	CHECK(printed(
		"schema: \"test/1\"\nfile: \"a\\nb\"\nmember: 2\nrows:\n"
		"  - bytes: 1536\n    bytes_diff: -2048\n    address: \"0xff\"\n    type: \"a,\\\"b|\\u001b\"\n    file: null\n"
		"  - bytes: 7\n    bytes_diff: 0\n    address: null\n    type: \"\"\n    file: \"::f\"\n"
		"total:\n  bytes: 1543\n  bytes_diff: -9223372036854775808\n  address: null\n  type: null\n  file: null\n"));
	CHECK(capture(no_rows) == 0 && printed("schema: \"test/1\"\nrows: []\n"));
}

static void many_rows(void)
{
	static const struct print_column columns[] = {{"count", PRINT_COUNT}, {"name", PRINT_TEXT}};
	struct print_table *t = print_begin("test/1", columns, 2);
	char name[1024];
	memset(name, 'x', sizeof(name));
	for (uint64_t i = 0; i < 20000; i++) {
		const struct print_cell cells[] = {print_number(i),
						   print_bytes(name, sizeof(name))};
		print_row(t, cells);
	}
	print_end(t);
}

/* Rows beyond what is kept for alignment are printed too, in order. */
static void test_many_rows(void)
{
	cli_common.format = CLI_TABLE;
	FILE *file = tmpfile();
	REQUIRE(file != NULL);
	int saved = dup(STDOUT_FILENO);
	fflush(stdout);
	dup2(fileno(file), STDOUT_FILENO);
	many_rows();
	fflush(stdout);
	dup2(saved, STDOUT_FILENO);
	close(saved);
	rewind(file);
	static char line[2048];
	uint64_t rows = 0, number;
	bool ordered = fgets(line, sizeof(line), file) != NULL;
	while (fgets(line, sizeof(line), file))
		ordered &= sscanf(line, "%" SCNu64, &number) == 1 && number == rows++;
	CHECK(ordered && rows == 20000);
	fclose(file);
}

int main(void)
{
	test_escape();
	test_all_pairs();
	test_sizes();
	test_forms();
	test_many_rows();
	return DONE();
}
