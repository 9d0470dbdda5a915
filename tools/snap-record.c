/* snap-record: runs a program and writes snapshots of its heap. */
#include "record/record.h"

int main(int argc, char **argv)
{
	struct record_options record = {.output = "%e.%p.snap", .depth = 256};
	const struct cli_option options[] = {
		{'o', "output", "NAME", "write to NAME, in which %p %h %t %e stand for process, host, time, program", CLI_STRING,
		 &record.output},
		{0, "sample", "SIZE", "record a block every so many bytes, at random; default: all blocks", CLI_SIZE,
		 &record.sample_bytes},
		{0, "depth", "N", "keep the N innermost frames of a stack; default 256, at most 512", CLI_COUNT, &record.depth},
		{0},
	};
	const struct cli_tool tool = {"snap-record", "[OPTION]... [--] COMMAND [ARGUMENT]...",
				      "Run a program and write snapshots of its heap.", 1, SIZE_MAX, options};
	record_keep_inherited();
	cli_without = CLI_NO_FORMAT | CLI_NO_PARTIAL | CLI_NO_MEMORY;
	cli_ends_in_command = true;
	char **command = cli_parse(&tool, argc, argv, NULL);
	if (!*record.output)
		cli_usage("--output is empty");
	if (record.depth == 0 || record.depth > 512)
		cli_usage("--depth must be from 1 to 512");
	record_run(&record, command);
}
