/* snap-record: runs a program and writes snapshots of its heap. */
#include <stdlib.h>
#include <string.h>

#include "record/record.h"

struct words {
	const char *interval, *signal, *pid, *limit, *extension;
	bool take, detach;
};

/* "10", "0.5", "2m", "1h": seconds, minutes, hours. */
static uint64_t parse_interval(const char *text)
{
	char *end;
	double seconds = strtod(text, &end);
	double unit = *end == 'm' ? 60 : *end == 'h' ? 3600 : 1;
	if (*end == 's' || *end == 'm' || *end == 'h')
		end++;
	if (end == text || *end || !(seconds * unit >= 0.01) || seconds * unit > 1e8)
		cli_usage("--interval=%s: not a time, as 0.5, 10s, 2m or 1h", text);
	return (uint64_t)(seconds * unit * 1e9);
}

/* "90%" or "90" */
static uint64_t parse_percent(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);
	if (end == text || *text == '-' || value < 1 || value > 99 || end[*end == '%'])
		cli_usage("--near-limit=%s: not from 1 to 99 %%", text);
	return value;
}

static void settle(struct record_options *record, const struct words *words, bool has_command)
{
	if ((words->take || words->detach || words->extension) && !words->pid)
		cli_usage("--%s needs --pid", words->take     ? "take"
					      : words->detach ? "detach"
							      : "extension");
	if (words->pid && has_command)
		cli_usage("--pid is of a process that runs; there is no command to run");
	if (words->take && words->detach)
		cli_usage("--detach takes one, too");
	if (!*record->output)
		cli_usage("--output is empty");
	if (strcmp(record->output, "-") == 0)
		cli_usage("--output=-: standard output is the program's; name a file");
	if (record->depth == 0 || record->depth > 512)
		cli_usage("--depth=%llu: not from 1 to 512", (unsigned long long)record->depth);
	if (words->interval)
		record->interval_ns = parse_interval(words->interval);
	if (words->limit)
		record->limit_percent = parse_percent(words->limit);
	if (words->signal && !(record->signal = record_signal(words->signal)))
		cli_usage("--signal=%s: not a signal, as USR2", words->signal);
	if (record->references && record->sample_bytes)
		cli_usage("--references needs all blocks, --sample records some");
	if (record->mapped && record->sample_bytes)
		cli_usage("--mmap needs all mappings, --sample records some blocks");
	if (record->peak && (record->interval_ns || record->growth_bytes || record->signal ||
			     record->limit_percent))
		cli_usage(
			"--peak keeps one snapshot; --interval, --growth, --near-limit and --signal make a series");
}

/* Each of these ends the program. */
static _Noreturn void act(const struct record_options *record, const struct words *words,
			  char **command)
{
	if (!words->pid)
		record_run(record, command);
	if (words->take)
		record_take(record, words->pid, words->extension);
	if (words->detach)
		record_detach(record, words->pid);
	record_attach(record, words->pid);
}

int main(int argc, char **argv)
{
	struct record_options record = {.output = "%e.%p.snap", .depth = 256};
	struct words words = {0};
	const struct cli_option options[] = {
		{'o', "output", "NAME",
		 "write to NAME, in which %p %h %t %e stand for process, host, time, program",
		 CLI_STRING, &record.output},
		{0, "sample", "SIZE",
		 "record a block every so many bytes, at random; default: all blocks", CLI_SIZE,
		 &record.sample_bytes},
		{0, "references", NULL,
		 "also record which blocks point to which, for snap-refs; not with --sample",
		 CLI_FLAG, &record.references},
		{0, "mmap", NULL,
		 "also record what the program maps itself, with mmap() or sbrk(); not with --sample",
		 CLI_FLAG, &record.mapped},
		{0, "interval", "TIME", "also take one every so often: 0.5, 10s, 2m", CLI_STRING,
		 &words.interval},
		{0, "growth", "SIZE", "also take one whenever so much more is live", CLI_SIZE,
		 &record.growth_bytes},
		{0, "near-limit", "PERCENT",
		 "also take one when so much of what the system allows is used: 90%", CLI_STRING,
		 &words.limit},
		{0, "peak", NULL, "take one when most is live, instead of at the end", CLI_FLAG,
		 &record.peak},
		{0, "signal", "SIGNAL", "also take one when the program gets this signal: USR2",
		 CLI_STRING, &words.signal},
		{0, "pid", "PID", "record a process that runs already, instead of a command",
		 CLI_STRING, &words.pid},
		{0, "detach", NULL,
		 "take a last one of the process of --pid, and record it no more", CLI_FLAG,
		 &words.detach},
		{0, "take", NULL,
		 "take one of the process of --pid, if it is recorded, or runs CPython", CLI_FLAG,
		 &words.take},
		{0, "extension", "FILE", "for --take: the extension for its version of CPython",
		 CLI_STRING, &words.extension},
		{0, "depth", "N",
		 "keep the N innermost frames of a stack; default 256, at most 512", CLI_COUNT,
		 &record.depth},
		{0, "no-symbols", NULL,
		 "leave frames without names, for snap-symbolize to be run later", CLI_FLAG,
		 &record.no_symbols},
		{0},
	};
	const struct cli_tool tool = {"snap-record",
				      "[OPTION]... [--] COMMAND [ARGUMENT]...",
				      "Run a program and write snapshots of its heap.",
				      0,
				      SIZE_MAX,
				      options};
	record_keep_inherited();
	cli_without = CLI_NO_FORMAT | CLI_NO_PARTIAL | CLI_NO_MEMORY;
	cli_ends_in_command = true;
	size_t count;
	char **command = cli_parse(&tool, argc, argv, &count);
	settle(&record, &words, count > 0);
	if (!words.pid && count == 0)
		cli_usage("an argument is missing: %s %s", tool.name, tool.usage);
	act(&record, &words, command);
}
