/* What every tool does alike: options, messages, input
 * files, exit status (tools' contract, README.md). */
#ifndef CLI_H
#define CLI_H

#include "snap.h"

enum cli_status {
	CLI_YES = 0,     /* done, and the answer is good */
	CLI_NO = 1,      /* done, and the answer is bad: differs, over budget, not found */
	CLI_TROUBLE = 2, /* usage, I/O, damaged or unsupported input, output lost */
	CLI_PARTIAL = 3, /* --partial accepted incomplete data */
};

enum cli_type {
	CLI_FLAG,   /* bool *, set to true */
	CLI_COUNT,  /* uint64_t *, decimal digits */
	CLI_SIZE,   /* uint64_t *, bytes: 512, 64K, 16MiB, 2G; K M G T are powers of 1024 */
	CLI_STRING, /* const char ** */
	CLI_LIST,   /* struct cli_list *, may be given more than once */
};

struct cli_list {
	const char **items;
	size_t count;
};

/* One line parses the option and prints its help.  The table ends with an all-zero line. */
struct cli_option {
	char letter;          /* or 0 */
	const char *name;     /* long name without dashes */
	const char *argument; /* its name in --help, NULL for a flag */
	const char *help;     /* one line, lower case, no full stop */
	enum cli_type type;
	void *value;
};

struct cli_tool {
	const char *name;    /* snap-top */
	const char *usage;   /* after the name: "[OPTION]... [FILE]" */
	const char *summary; /* one sentence */
	size_t min_arguments, max_arguments;
	const struct cli_option *options; /* own ones; common ones are added: see cli_common */
};

/* Options that every tool has, set by cli_parse: --memory
 * --partial --format --quiet --help --version. */
enum cli_format {
	CLI_TABLE,
	CLI_TSV,
	CLI_CSV,
	CLI_JSON,
	CLI_YAML,
	CLI_MARKDOWN,
	CLI_TRACEMALLOC,
	CLI_FOLDED,
	CLI_PPROF
};
struct cli_common {
	uint64_t memory_bytes; /* 0: the default */
	/* that may run, the main one among them; 1 for a tool without the option */
	unsigned threads;
	bool partial, quiet;
	enum cli_format format;
};
extern struct cli_common cli_common;
/* For tools that know the last three, which are not tables: set before cli_parse. */
extern bool cli_accept_more_forms;
/* For tools that a second thread makes faster, which have --threads: set before cli_parse. */
extern bool cli_accept_threads;

/* For tools that have no use for a common option:
 * CLI_NO_... set before cli_parse; they then refuse it. */
#define CLI_NO_FORMAT  1u
#define CLI_NO_PARTIAL 2u
#define CLI_NO_MEMORY  4u
extern unsigned cli_without;
/* The first argument is a command, and what follows
 * it are its own options: set before cli_parse. */
extern bool cli_ends_in_command;

/* Parses; ends the process on --help, --version (0) and on wrong
 * usage (2).  Returns the arguments, NULL-terminated; their number is
 * in *count.  Options and arguments may be mixed; -- ends options. */
char **cli_parse(const struct cli_tool *tool, int argc, char **argv, size_t *count);

/* "snap-top: FILE: at byte N: reason" on stderr; file may be NULL.  Returns CLI_TROUBLE. */
int cli_report(const char *file, const struct snap_error *error);
/* "snap-top: reason" (printf), returns CLI_TROUBLE. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same, but goes on: a warning, not printed with --quiet. */
void cli_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same for people who wait: only on a terminal. */
void cli_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* Prints a usage error with a hint to --help and exits 2. */
void cli_usage(const char *format, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Opens FILE, FILE#N or - (NULL too) with the common options applied;
 * on failure reports and exits 2. A partial reader that is damaged
 * warns what was wrong, and makes cli_finish give CLI_PARTIAL. */
struct snap_reader *cli_open(const char *file);
/* The same, but also opens a snapshot whose own writer marked it as partial (cli_open
 * refuses it without --partial): for tools that describe or copy the mark itself. */
struct snap_reader *cli_open_any(const char *file);
/* The same; member says which one, unless FILE says #N. */
struct snap_reader *cli_open_member(const char *file, int64_t member);
/* As --partial would, and silent: snap_reader_verify() is to tell what is wrong. */
struct snap_reader *cli_open_to_verify(const char *file, int64_t member);
/* Whether file is FILE#N. */
bool cli_names_member(const char *file);
/* Marks the answer as coming from incomplete data: n rows were lost in file. */
void cli_lost(const char *file, uint64_t rows);

/* A bar on stderr: only on a terminal, only after a second, not with --quiet. */
void cli_progress(const char *what, uint64_t done, uint64_t total);
void cli_progress_end(void);

/* Flushes and closes stdout; lost output is trouble.  status is the answer (CLI_PARTIAL wins
 * over YES and NO where data was incomplete).  The caller returns what this returns. */
int cli_finish(enum cli_status status);

/* realloc that reports and exits 2 instead of returning NULL. */
void *cli_resize(void *pointer, size_t size) __attribute__((returns_nonnull));

/* Parses "64KiB", "1_000", "5M" (powers of 1024); false if it is no size. */
bool cli_parse_size(const char *text, uint64_t *bytes);

#endif
