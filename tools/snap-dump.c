/* snap-dump: a snapshot as YAML text that loses nothing;
 * snap-make turns it back.  The text: snap-make(1). */
#include <stdlib.h>

#include "dump/dump.h"

#define DEFAULT_MEMORY ((uint64_t)256 << 20)

static void put_header(struct dump *d)
{
	uint64_t flags = d->info.flags;
	if (d->info.damaged)
		flags |= SNAP_SNAPSHOT_PARTIAL;
	dump_put(d, "snapshot: 1\n");
	if (flags != 0) {
		dump_put(d, "flags: ");
		dump_flags(d, WORDS_SNAPSHOT_FLAG, flags);
		dump_put(d, "\n");
	}
	if (d->info.flags & SNAP_SNAPSHOT_SAMPLED) {
		dump_put(d, "sampling_interval: ");
		dump_number(d, d->info.sampling_interval_bytes);
		dump_put(d, "\n");
	}
	if (d->info.unknown_references > 0) {
		dump_put(d, "unknown_references: ");
		dump_number(d, d->info.unknown_references);
		dump_put(d, "\n");
	}
}

/* What a newer writer has put there, and this text cannot say. */
static void warn_of_unknown(const struct dump *d, const char *file)
{
	struct snap_block_info block;
	uint64_t unknown = 0;
	for (uint64_t i = 0; snap_reader_block(d->reader, i, &block); i++) {
		struct snap_column_info column;
		unknown += !snap_column_describe(block.column, &column) ||
			   !snap_encoding_name(block.encoding);
	}
	if (unknown > 0)
		cli_warn("%s: %llu blocks of a newer format are left out", file,
			 (unsigned long long)unknown);
}

static bool put_snapshot(struct dump *d)
{
	put_header(d);
	return dump_strings(d) && dump_properties(d) && dump_names(d) && dump_objects(d) &&
	       dump_roots(d) && dump_timeline(d) && dump_mappings(d) && dump_totals(d);
}

static void free_dump(struct dump *d)
{
	for (size_t i = 0; i < sizeof(d->frame_columns) / sizeof(*d->frame_columns); i++)
		snap_column_close(d->frame_columns[i]);
	snap_column_close(d->address_column);
	snap_reader_close(d->reader);
	free(d->type_names);
	free(d->addresses);
	free(d->offsets);
	buffer_free(&d->text);
	buffer_free(&d->out);
}

int main(int argc, char **argv)
{
	bool columns = false;
	const struct cli_option options[] = {
		{0, "columns", NULL, "print each column's values as they are stored", CLI_FLAG,
		 &columns},
		{0},
	};
	const struct cli_tool tool = {
		"snap-dump",
		"[OPTION]... [FILE]",
		"Print a snapshot as YAML text, from which snap-make makes it again.",
		0,
		1,
		options,
	};
	cli_without = CLI_NO_FORMAT;
	size_t count;
	char **files = cli_parse(&tool, argc, argv, &count);
	const char *file = count ? files[0] : "-";
	struct dump dump = {.reader = cli_open_any(file)};
	snap_reader_info(dump.reader, &dump.info);
	/* The text begins with what is only known at the end: whether something is lost. */
	if (cli_common.partial && !columns && !dump.info.damaged &&
	    snap_reader_verify(dump.reader, NULL, NULL, &dump.error) != SNAP_OK) {
		dump.info.damaged = true;
		cli_warn("%s: incomplete: %s", file, dump.error.message);
	}
	dump.memory = cli_common.memory_bytes ? cli_common.memory_bytes : DEFAULT_MEMORY;
	warn_of_unknown(&dump, file);
	bool ok = columns ? dump_columns(&dump) : put_snapshot(&dump);
	dump_flush(&dump, 0);
	if (!ok)
		cli_report(file, &dump.error);
	else if (dump.info.damaged || dump.lost > 0)
		cli_lost(file, dump.lost);
	free_dump(&dump);
	return cli_finish(ok ? CLI_YES : CLI_TROUBLE);
}
