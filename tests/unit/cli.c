/* Proves: options, arguments, messages and exit statuses are those of the tools' contract
 * (tools/common/cli.h). Each case runs in a process of its own, as cli_parse ends it on wrong
 * usage. */
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli.h"
#include "tap.h"

static char out[8192], err[8192];

struct run {
	uint64_t count, size;
	bool flag;
	const char *string;
	struct cli_list list;
	size_t arguments;
};

static int tool(int argc, char **argv, unsigned without)
{
	struct run r = {0};
	const struct cli_option options[] = {
		{'n', "limit", "COUNT", "at most so many", CLI_COUNT, &r.count},
		{'s', "size", "SIZE", "so large", CLI_SIZE, &r.size},
		{'f', "flag", NULL, "a flag", CLI_FLAG, &r.flag},
		{0, "name", "NAME", "a name", CLI_STRING, &r.string},
		{'i', "include", "PATTERN", "a list", CLI_LIST, &r.list},
		{0},
	};
	const struct cli_tool description = {
		"snap-test", "[OPTION]... FILE", "Tests options.", 1, 2, options};
	cli_without = without;
	char **files = cli_parse(&description, argc, argv, &r.arguments);
	printf("%d %d %d %d %s", (int)r.count, (int)r.size, r.flag, (int)r.list.count,
	       r.string ? r.string : "-");
	for (size_t i = 0; i < r.list.count; i++)
		printf(" %s", r.list.items[i]);
	printf(" |");
	for (size_t i = 0; i < r.arguments; i++)
		printf(" %s", files[i]);
	printf(" | %d %d %d %d\n", (int)cli_common.format, cli_common.partial, cli_common.quiet,
	       (int)cli_common.memory_bytes);
	return cli_finish(CLI_NO);
}

static void slurp(FILE *file, char *text, size_t capacity)
{
	rewind(file);
	text[fread(text, 1, capacity - 1, file)] = '\0';
	fclose(file);
}

static int in_child(int (*body)(int, char **, unsigned), int argc, char **argv, unsigned without,
		    const char *stdout_path)
{
	FILE *out_file = tmpfile(), *err_file = tmpfile();
	REQUIRE(out_file && err_file);
	fflush(stdout);
	pid_t child = fork();
	if (child == 0) {
		dup2(stdout_path ? open(stdout_path, O_WRONLY) : fileno(out_file), STDOUT_FILENO);
		dup2(fileno(err_file), STDERR_FILENO);
		exit(body(argc, argv, without));
	}
	int status = 0;
	REQUIRE(child > 0 && waitpid(child, &status, 0) == child);
	slurp(out_file, out, sizeof(out));
	slurp(err_file, err, sizeof(err));
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Runs the tool with arguments, split at spaces. */
static int run(const char *arguments)
{
	static char line[512];
	char *argv[32] = {"snap-test"};
	int argc = 1;
	snprintf(line, sizeof(line), "%s", arguments);
	for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return in_child(tool, argc, argv, 0, NULL);
}

static bool says(const char *text)
{
	if (strstr(err, text))
		return true;
	fprintf(stderr, "# stderr has no %s: %s\n", text, err);
	return false;
}

static void test_good(void)
{
	CHECK(run("a") == 1 && strcmp(out, "0 0 0 0 - | a | 0 0 0 0\n") == 0);
	CHECK(run("-n5 -f a --size=1K b") == 1 &&
	      strcmp(out, "5 1024 1 0 - | a b | 0 0 0 0\n") == 0);
	CHECK(run("a -n 5 --name x --include=p -i q") == 1 &&
	      strcmp(out, "5 0 0 2 x p q | a | 0 0 0 0\n") == 0);
	CHECK(run("-- -n") == 1 && strcmp(out, "0 0 0 0 - | -n | 0 0 0 0\n") == 0);
	CHECK(run("- --format=json --partial -q --memory=32M") == 1 &&
	      strcmp(out, "0 0 0 0 - | - | 3 1 1 33554432\n") == 0);
}

static void test_help(void)
{
	CHECK(run("--help") == 0);
	CHECK(strncmp(out, "Usage: snap-test [OPTION]... FILE\nTests options.\n\n", 50) == 0);
	CHECK(strstr(out, "\n  -n, --limit=COUNT          at most so many\n") != NULL);
	CHECK(strstr(out, "\n      --name=NAME            a name\n") != NULL);
	CHECK(strstr(out, "--memory=SIZE") && strstr(out, "--format=FORM") &&
	      !strstr(out, "tracemalloc"));
	CHECK(run("-h") == 0);
	CHECK(run("--version") == 0);
	CHECK(strncmp(out, "snap-test " SNAP_VERSION " (libsnap ", 19 + strlen(SNAP_VERSION)) == 0);
	CHECK(strstr(out, "format " SNAP_FORMAT_VERSION) != NULL);
}

static void test_wrong_usage(void)
{
	static const struct {
		const char *arguments, *message;
	} cases[] = {
		{"", "an argument is missing"},
		{"a b c", "one argument too many: c"},
		{"-x a", "unknown option: -x"},
		{"--quite a", "unknown option: --quite; is it --quiet?\n"},
		{"--inlcude=x a", "unknown option: --inlcude=x; is it --include?\n"},
		{"--names a", "unknown option: --names; is it --name?\n"},
		{"--unheard-of a", "unknown option: --unheard-of\n"},
		{"--fg a", "unknown option: --fg\n"},
		{"--a-name-that-is-longer-than-any-option-is a", "any-option-is\n"},
		{"--f a", "ambiguous option: --f: --flag, --format\n"},
		{"a --limit", "--limit needs an argument"},
		{"a -n", "--limit needs an argument"},
		{"--flag=1 a", "--flag takes no argument"},
		{"-n -1 a", "--limit=-1"},
		{"-n 18446744073709551616 a", "not a number"},
		{"-s 1KB a", "not a size"},
		{"--format=xml a", "--format=xml"},
		{"--format=tracemalloc a", "--format=tracemalloc"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		CHECK_NAMED(run(cases[i].arguments) == 2 && out[0] == '\0' &&
				    says(cases[i].message),
			    cases[i].message);
		CHECK(strncmp(err, "snap-test: ", 11) == 0 && says("Try 'snap-test --help'."));
	}
	char *argv[] = {"snap-test", "--format=json", "a", NULL};
	CHECK(in_child(tool, 3, argv, CLI_NO_FORMAT, NULL) == 2);
	CHECK(in_child(tool, 3, argv, CLI_NO_PARTIAL, NULL) == 1);
}

static int messages(int argc, char **argv, unsigned without)
{
	(void)argc, (void)argv, (void)without;
	struct snap_error error = {.status = SNAP_CORRUPT, .offset = 7, .message = "bad\x1b"};
	int status = cli_report("a\nb", &error);
	error.offset = SNAP_NO_OFFSET;
	cli_report("-", &error);
	cli_fail("is %d", 5);
	cli_common.quiet = true;
	cli_warn("not seen");
	return status;
}

static int lost(int argc, char **argv, unsigned without)
{
	(void)argc, (void)argv, (void)without;
	cli_lost("f", 3);
	return cli_finish(CLI_NO);
}

static int opens(int argc, char **argv, unsigned without)
{
	(void)argc, (void)without;
	cli_open(argv[1]);
	return 0;
}

static void test_messages(void)
{
	char *none[] = {"x", NULL};
	CHECK(in_child(messages, 1, none, 0, NULL) == 2);
	CHECK(strcmp(err,
		     "snap: a\\nb: at byte 7: corrupt: bad\\x1b\nsnap: standard input: corrupt: bad\\x1b\nsnap: is 5\n") ==
	      0);
	CHECK(in_child(lost, 1, none, 0, NULL) == 3 && says("3 rows are lost"));
	char *missing[] = {"x", "/nonexistent/file", NULL};
	CHECK(in_child(opens, 2, missing, 0, NULL) == 2 && says("/nonexistent/file: "));
	char *member[] = {"x", "/nonexistent/file#0", NULL};
	CHECK(in_child(opens, 2, member, 0, NULL) == 2 && says("from 1"));
}

static void test_lost_output(void)
{
	char *argv[] = {"snap-test", "a", NULL};
	CHECK(in_child(tool, 2, argv, 0, "/dev/full") == 2 && says("standard output"));
	argv[1] = "--help";
	CHECK(in_child(tool, 2, argv, 0, "/dev/full") == 2 && says("standard output"));
	argv[1] = "--version";
	CHECK(in_child(tool, 2, argv, 0, "/dev/full") == 2 && says("standard output"));
}

int main(void)
{
	test_good();
	test_help();
	test_wrong_usage();
	test_messages();
	test_lost_output();
	return DONE();
}
