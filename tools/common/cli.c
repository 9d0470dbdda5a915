/* Options: one table parses them and prints --help (tools' contract, README.md). */
#include "cli.h"

#include <ctype.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "private.h"

#define DEFAULT_THREADS 2

struct cli_common cli_common = {.threads = 1};
bool cli_accept_more_forms, cli_accept_threads;
unsigned cli_without;
bool cli_ends_in_command;

static const char *format_name;
static uint64_t thread_count = DEFAULT_THREADS;
static bool want_help, want_version;

/* All options of a run: the tool's, then the common ones, as one table. */
struct table {
	struct cli_option *options;
	struct option *longs;
	char *letters; /* for getopt */
	size_t count;
};

enum {
	FIRST_VALUE = 256
}; /* getopt's value of option i is FIRST_VALUE + i, so that letters do not collide */

static bool has_letter(const struct table *t, char letter)
{
	for (size_t i = 0; i < t->count; i++)
		if (t->options[i].letter == letter)
			return true;
	return false;
}

static void add_option(struct table *t, const struct cli_option *option)
{
	t->options = cli_resize(t->options, (t->count + 1) * sizeof(*t->options));
	struct cli_option added = *option;
	if (added.letter && has_letter(t, added.letter))
		added.letter = 0;
	t->options[t->count++] = added;
}

static void add_common(struct table *t)
{
	const char *forms =
		cli_accept_more_forms
			? "print as table, tsv, csv, json, yaml, markdown, tracemalloc, folded or pprof"
			: "print as table, tsv, csv, json, yaml or markdown";
	const struct cli_option common[] = {
		{0, "format", "FORM", forms, CLI_STRING, &format_name},
		{0, "partial", NULL, "accept damaged or incomplete input; exit 3", CLI_FLAG,
		 &cli_common.partial},
		{0, "memory", "SIZE", "use at most so much memory for data (64M, 2G)", CLI_SIZE,
		 &cli_common.memory_bytes},
		{0, "threads", "N", "use at most so many threads, 1 or 2 (default 2)", CLI_COUNT,
		 &thread_count},
		{'q', "quiet", NULL, "no warnings, no progress", CLI_FLAG, &cli_common.quiet},
		{'h', "help", NULL, "print this and exit", CLI_FLAG, &want_help},
		{'V', "version", NULL, "print versions and exit", CLI_FLAG, &want_version},
	};
	for (size_t i = 0; i < sizeof(common) / sizeof(common[0]); i++) {
		bool left_out =
			(common[i].value == &format_name && (cli_without & CLI_NO_FORMAT)) ||
			(common[i].value == &cli_common.partial &&
			 (cli_without & CLI_NO_PARTIAL)) ||
			(common[i].value == &cli_common.memory_bytes &&
			 (cli_without & CLI_NO_MEMORY)) ||
			(common[i].value == &thread_count && !cli_accept_threads);
		if (!left_out)
			add_option(t, &common[i]);
	}
}

static void build_table(struct table *t, const struct cli_tool *tool)
{
	for (const struct cli_option *o = tool->options; o && (o->name || o->letter); o++)
		add_option(t, o);
	add_common(t);
	t->longs = cli_resize(NULL, (t->count + 1) * sizeof(*t->longs));
	t->letters = cli_resize(NULL, 2 * t->count + 3);
	size_t longs = 0, letters = 0;
	if (cli_ends_in_command)
		t->letters[letters++] = '+';
	t->letters[letters++] = ':'; /* getopt: tell a missing argument from an unknown option */
	for (size_t i = 0; i < t->count; i++) {
		const struct cli_option *o = &t->options[i];
		int has_argument = o->type == CLI_FLAG ? no_argument : required_argument;
		if (o->name)
			t->longs[longs++] =
				(struct option){o->name, has_argument, NULL, FIRST_VALUE + (int)i};
		if (o->letter)
			t->letters[letters++] = o->letter;
		if (o->letter && has_argument == required_argument)
			t->letters[letters++] = ':';
	}
	t->longs[longs] = (struct option){0};
	t->letters[letters] = '\0';
}

static void free_table(struct table *t)
{
	free(t->options);
	free(t->longs);
	free(t->letters);
}

static const struct cli_option *find_option(const struct table *t, int value)
{
	if (value >= FIRST_VALUE && (size_t)(value - FIRST_VALUE) < t->count)
		return &t->options[value - FIRST_VALUE];
	for (size_t i = 0; i < t->count; i++)
		if (t->options[i].letter && t->options[i].letter == value)
			return &t->options[i];
	return NULL;
}

static bool parse_digits(const char *text, const char **end, uint64_t *number)
{
	if (!isdigit((unsigned char)*text))
		return false;
	uint64_t n = 0;
	for (; isdigit((unsigned char)*text) || (*text == '_' && isdigit((unsigned char)text[1]));
	     text++)
		if (*text != '_' && (__builtin_mul_overflow(n, 10, &n) ||
				     __builtin_add_overflow(n, (uint64_t)(*text - '0'), &n)))
			return false;
	*end = text;
	*number = n;
	return true;
}

bool cli_parse_size(const char *text, uint64_t *bytes)
{
	uint64_t n;
	if (!parse_digits(text, &text, &n))
		return false;
	static const char units[] = "KMGT";
	const char *unit = *text ? strchr(units, toupper((unsigned char)*text)) : NULL;
	unsigned shift = unit ? 10 * (unsigned)(unit - units + 1) : 0;
	if (unit)
		text += strncmp(text + 1, "iB", 2) == 0 ? 3 : 1;
	else if (*text == 'B')
		text++;
	if (*text || n > UINT64_MAX >> shift)
		return false;
	*bytes = n << shift;
	return true;
}

static void set_option(const struct cli_option *o, const char *text)
{
	const char *end;
	uint64_t number = 0;
	switch (o->type) {
	case CLI_FLAG: *(bool *)o->value = true; break;
	case CLI_COUNT:
		if (!parse_digits(text, &end, &number) || *end)
			cli_usage("--%s=%s: not a number from 0 to %llu", o->name, text,
				  (unsigned long long)UINT64_MAX);
		*(uint64_t *)o->value = number;
		break;
	case CLI_SIZE:
		if (!cli_parse_size(text, &number))
			cli_usage("--%s=%s: not a size, as 4096, 64K, 16MiB or 2G", o->name, text);
		*(uint64_t *)o->value = number;
		break;
	case CLI_STRING: *(const char **)o->value = text; break;
	case CLI_LIST: {
		struct cli_list *list = o->value;
		list->items = cli_resize(list->items, (list->count + 1) * sizeof(*list->items));
		list->items[list->count++] = text;
		break;
	}
	}
}

static void print_help(const struct cli_tool *tool, const struct table *t)
{
	printf("Usage: %s %s\n%s\n\n", tool->name, tool->usage, tool->summary);
	for (size_t i = 0; i < t->count; i++) {
		const struct cli_option *o = &t->options[i];
		char left[80], letter[4] = "   ";
		if (o->letter)
			snprintf(letter, sizeof(letter), "-%c,", o->letter);
		snprintf(left, sizeof(left), "  %s --%s%s%s", letter, o->name,
			 o->argument ? "=" : "", o->argument ? o->argument : "");
		printf("%-28s %s\n", left, o->help);
	}
}

static void set_format(void)
{
	static const char *const names[] = {"table",    "tsv",         "csv",    "json", "yaml",
					    "markdown", "tracemalloc", "folded", "pprof"};
	if (!format_name)
		return;
	size_t count = cli_accept_more_forms ? 9 : 6;
	for (size_t i = 0; i < count; i++)
		if (strcmp(format_name, names[i]) == 0) {
			cli_common.format = (enum cli_format)i;
			return;
		}
	cli_usage("--format=%s: not one of table, tsv, csv, json, yaml, markdown%s", format_name,
		  cli_accept_more_forms ? ", tracemalloc, folded, pprof" : "");
}

/* More than there is use for is no mistake: a script may well give all that it has. */
static void set_threads(void)
{
	if (thread_count == 0)
		cli_usage("--threads is at least 1");
	if (cli_accept_threads)
		cli_common.threads = thread_count < DEFAULT_THREADS ? 1 : DEFAULT_THREADS;
}

/* A closed standard stream would be given to the next file that is opened, which would then be read
 * or overwritten. What stands in fails when it is used. */
static void claim_standard_streams(void)
{
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		if (fcntl(fd, F_GETFD) == -1)
			(void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

static void parse_options(const struct table *t, int argc, char **argv)
{
	int value;
	opterr = 0;
	while ((value = getopt_long(argc, argv, t->letters, t->longs, NULL)) != -1) {
		const char *given = optind > 0 && optind <= argc ? argv[optind - 1] : "";
		const struct cli_option *about = optopt ? find_option(t, optopt) : NULL;
		if (value == ':')
			cli_usage("--%s needs an argument", about ? about->name : "?");
		if (value == '?' && about)
			cli_usage("--%s takes no argument", about->name);
		if (value == '?' && optopt)
			cli_usage("unknown option: -%c", optopt);
		if (value == '?')
			cli_unknown_option(given, t->longs);
		set_option(find_option(t, value), optarg);
	}
}

char **cli_parse(const struct cli_tool *tool, int argc, char **argv, size_t *count)
{
	cli_name = tool->name;
	signal(SIGPIPE, SIG_DFL);
	claim_standard_streams();
	struct table t = {0};
	build_table(&t, tool);
	parse_options(&t, argc, argv);
	if (want_help)
		print_help(tool, &t);
	if (want_version)
		printf("%s %s (libsnap %s, format %s)\n", tool->name, SNAP_VERSION,
		       snap_library_version(), SNAP_FORMAT_VERSION);
	free_table(&t);
	if (want_help || want_version)
		exit(cli_finish(CLI_YES));
	set_format();
	set_threads();
	size_t given = (size_t)(argc - optind);
	if (given < tool->min_arguments)
		cli_usage("an argument is missing: %s %s", tool->name, tool->usage);
	if (given > tool->max_arguments)
		cli_usage("one argument too many: %s", argv[optind + (int)tool->max_arguments]);
	if (count)
		*count = given;
	return argv + optind;
}
