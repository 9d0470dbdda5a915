/* Proves: patterns match what Python's fnmatch matches, and sizes read as tracemalloc's
 * _format_size prints them. */
#include <unistd.h>

#include "random.h"
#include "rows.h"
#include "tap.h"

/* A fixed table first: it holds without Python, and for versions whose fnmatch differs. */
static const struct {
	const char *glob, *text;
	bool matches;
} table[] = {
	{"", "", true},
	{"", "a", false},
	{"*", "", true},
	{"*", "a/b\n", true},
	{"?", "", false},
	{"?", "\n", true},
	{"a*c", "abc/c", true},
	{"a*c", "abd", false},
	{"*.py", "a/b.py", true},
	{"*.py", "a.pyc", false},
	{"*.PY", "a.py", false},
	{"a.b", "axb", false},
	{"[abc]", "b", true},
	{"[abc]", "d", false},
	{"[!abc]", "d", true},
	{"[!abc]", "a", false},
	{"[^a]", "^", true},
	{"[^a]", "b", false},
	{"[a-c]x", "bx", true},
	{"[a-c]", "-", false},
	{"[a-]", "-", true},
	{"[-a]", "-", true},
	{"[]a]", "]", true},
	{"[!]a]", "]", false},
	{"[", "[", true},
	{"[a", "[a", true},
	{"[!", "[!", true},
	{"[]", "[]", true},
	{"[!]", "[!]", true},
	{"a[", "a[", true},
	{"[z-a]", "z", false},
	{"[!z-a]", "q", true},
	{"[z-a!b]", "b", false},
	{"[z-a!b]", "q", true},
	{"[z-a!-c]", "c", false},
	{"[z-a!-c]", "-", false},
	{"[z-a!-c]", "b", true},
	{"[[]", "[", true},
	{"[\\]", "\\", true},
	{"\\*", "\\x", true},
	{"[a-c-e]", "-", true},
	{"[a-c-e]", "d", false},
	{"[--/]", ".", true},
	{"**a**", "bab", true},
	{"*a*b*c*", "xaybzc", true},
	{"*a*b*c*", "xaybz", false},
	{"?", "\xc3\xa9", true},
	{"?", "\xf0\x9f\x98\x80", true},
	{"??", "\xc3\xa9", false},
	{"[\xc3\xa0-\xc3\xbf]", "\xc3\xa9", true},
	{"?", "\xff", true},
	{"??", "\xc3\xff", true},
	{"*\xc3*", "a\xc3", true},
	{"?", "\xed\xa0\x80", true},
};

static void check_table(void)
{
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		char name[96];
		snprintf(name, sizeof(name), "case %zu: pattern of %zu bytes", i,
			 strlen(table[i].glob));
		bool got = snap_glob_match(table[i].glob, strlen(table[i].glob), table[i].text,
					   strlen(table[i].text));
		if (got != table[i].matches)
			CHECK_NAMED(false, name);
	}
	CHECK_NAMED(true, "the table of patterns was walked");
	CHECK(snap_glob_match("a*", 1, "ab", 1)); /* sizes, not NUL, end them */
	CHECK(snap_glob_match("a?b", 3, "a\0b", 3));
}

static uint64_t state = 88172645463325252u;

static uint32_t random_below(uint32_t limit)
{
	return (uint32_t)(random_next(&state) >> 32) % limit;
}

/* Text of few different characters, so that patterns have a chance. */
static size_t random_text(char *out, uint32_t longest, const char *const *letters,
			  uint32_t letter_count)
{
	size_t size = 0;
	out[0] = '\0';
	for (uint32_t n = random_below(longest + 1); n > 0; n--) {
		const char *letter = letters[random_below(letter_count)];
		memcpy(out + size, letter, strlen(letter) + 1);
		size += strlen(letter);
	}
	return size;
}

static void write_hex(FILE *out, const char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		fprintf(out, "%02x", (unsigned char)bytes[i]);
}

static void write_patterns(FILE *out, int count)
{
	static const char *const in_glob[] = {"a",  "b", "c", "*", "*",        "?",    "[",
					      "[",  "]", "]", "!", "-",        "-",    "^",
					      "\\", "&", "z", "/", "\xc3\xa9", "\xff", "\n"};
	static const char *const in_text[] = {"a", "b",  "c", "z", "-",        "!",    "^", "]",
					      "[", "\\", "&", "/", "\xc3\xa9", "\xff", "\n"};
	for (int i = 0; i < count; i++) {
		char glob[64], text[64];
		size_t glob_size =
			random_text(glob, 9, in_glob, sizeof(in_glob) / sizeof(in_glob[0]));
		size_t text_size = random_text(text, i % 4 ? 2 : 6, in_text,
					       sizeof(in_text) / sizeof(in_text[0]));
		fprintf(out, "g%d", snap_glob_match(glob, glob_size, text, text_size));
		write_hex(out, glob, glob_size);
		fputc(' ', out);
		write_hex(out, text, text_size);
		fputc('\n', out);
	}
}

static void write_sizes(FILE *out, int count)
{
	for (int i = 0; i < count; i++) {
		uint64_t parts = random_below(1u << 16) * (uint64_t)(1u + random_below(3));
		double size = (double)(parts << random_below(34)) / (1 + random_below(7));
		if (i % 3 == 0)
			size = (double)(uint64_t)size;
		char text[64];
		rows_format_size(i % 2 && i % 5 == 0 ? -size : size, i % 2, text);
		fprintf(out, "s%d %a %s\n", i % 2, i % 2 && i % 5 == 0 ? -size : size, text);
	}
}

static const char judge[] =
	"import sys, re, fnmatch, tracemalloc\n"
	"bad = seen = unsaid = 0\n"
	"text = lambda h: bytes.fromhex(h).decode('utf-8', 'surrogateescape')\n"
	"for line in open(sys.argv[1]):\n"
	"    line = line[:-1]\n"
	"    seen += 1\n"
	"    if line[0] == 'g':\n"
	"        g, t = line[2:].split(' ')\n"
	"        try: want = fnmatch.fnmatchcase(text(t), text(g))\n"
	"        except re.error: unsaid += 1; continue\n"
	"        if want != (line[1] == '1'):\n"
	"            if sys.version_info < (3, 11) and '-' in text(g): unsaid += 1; continue\n"
	"            bad += 1; print('#', ascii(text(g)), ascii(text(t)), want)\n"
	"    else:\n"
	"        sign, size, words = line.split(' ', 2)\n"
	"        size = float.fromhex(size)\n"
	"        want = tracemalloc._format_size(size, sign == 's1')\n"
	"        if want != words: bad += 1; print('#', line, want)\n"
	"sys.exit(bad != 0 or seen != int(sys.argv[2]) or unsaid * 2 > seen)\n";

/* Each line is our answer, which Python is then asked about too. */
static void check_against_python(void)
{
	enum { PATTERNS = 60000, SIZES = 20000 };
	char path[] = "/tmp/snap-glob.XXXXXX", script[] = "/tmp/snap-glob-py.XXXXXX", command[200];
	int fd = mkstemp(path), script_fd = mkstemp(script);
	REQUIRE(fd >= 0 && script_fd >= 0);
	FILE *out = fdopen(fd, "w"), *program = fdopen(script_fd, "w");
	REQUIRE(out && program);
	write_patterns(out, PATTERNS);
	write_sizes(out, SIZES);
	fputs(judge, program);
	REQUIRE(fclose(out) == 0 && fclose(program) == 0);
	snprintf(command, sizeof(command), "python3 %s %s %d", script, path, PATTERNS + SIZES);
	fflush(stdout);
	CHECK_NAMED(system(command) == 0,
		    "Python's fnmatch and _format_size say the same of 80,000 cases");
	unlink(path);
	unlink(script);
}

static void check_sizes(void)
{
	static const struct {
		double size;
		bool sign;
		const char *text;
	} sizes[] = {
		{0, true, "+0 B"},
		{0, false, "0 B"},
		{10239, false, "10239 B"},
		{10240, false, "10.0 KiB"},
		{102399, false, "100.0 KiB"},
		{102400, false, "100 KiB"},
		{10485759, false, "10240 KiB"},
		{1099511627776.0, false, "1024 GiB"},
		{1125899906842624.0, false, "1024 TiB"},
		{56.5, false, "56 B"},
		{-10240, true, "-10.0 KiB"},
		{57.5, false, "58 B"},
	};
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char text[64];
		rows_format_size(sizes[i].size, sizes[i].sign, text);
		CHECK_NAMED(strcmp(text, sizes[i].text) == 0, sizes[i].text);
	}
}

int main(void)
{
	check_table();
	check_sizes();
	if (system("python3 -c 'import tracemalloc' 2>/dev/null") == 0 || !getenv("SKIP_REAL"))
		check_against_python();
	return DONE();
}
