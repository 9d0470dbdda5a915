/* Who holds an object: holders, shortest paths from the roots, dominators, cycles (snap_graph.h).
 */
#include "refs/refs.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAPPINGS_MIN ((uint64_t)1 << 20) /* of less nothing is said */

struct wishes {
	bool owned, unreachable, cycles, dominators, suspects, foreign, weak, brief, estimate;
	uint64_t percent; /* of the heap that a suspect holds */
};

static void show_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
	(void)context;
	cli_progress(what, done, total);
}

/* People who wait are told why. */
static void tell_estimate(const struct snap_graph_estimate *estimate)
{
	char needed[32], given[32], files[32];
	uint64_t memory =
		cli_common.memory_bytes != 0 ? cli_common.memory_bytes : SNAP_GRAPH_DEFAULT_MEMORY;
	if (memory < estimate->memory_bytes)
		cli_note("needs about %s, has %s: works in temporary files of up to %s",
			 print_size(estimate->memory_bytes, needed), print_size(memory, given),
			 print_size(estimate->file_bytes, files));
}

static int show_estimate(struct refs *refs)
{
	struct snap_graph_estimate estimate;
	refs->reader = cli_open(refs->file);
	snap_graph_estimate(refs->reader, &estimate);
	const struct {
		const char *section;
		uint64_t bytes;
	} lines[] = {{"memory", estimate.memory_bytes},
		     {"least", estimate.least_bytes},
		     {"files", estimate.file_bytes}};
	refs_begin(refs);
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		struct refs_line line = refs_line(lines[i].section);
		line.bytes = lines[i].bytes;
		refs_print(refs, &line);
	}
	refs_end(refs);
	snap_reader_close(refs->reader);
	return cli_finish(CLI_YES);
}

static bool has_property(struct refs *refs, const char *key)
{
	const char *value;
	size_t size;
	enum snap_status status =
		snap_reader_property(refs->reader, key, &value, &size, &refs->error);
	refs_must(refs, status == SNAP_END ? SNAP_OK : status);
	return status == SNAP_OK;
}

/* Where nobody looked for references, that none holds an object is no answer. */
static void refuse_without_references(struct refs *refs)
{
	if (refs->objects > 0 && !refs->was_damaged &&
	    snap_reader_row_count(refs->reader, SNAP_REFERENCES) == 0 &&
	    snap_reader_row_count(refs->reader, SNAP_ROOTS) == 0 &&
	    !has_property(refs, "references"))
		exit(cli_fail("%s: the snapshot has neither references nor roots (snap-record "
			      "stores them with --references)",
			      refs->file));
}

static void open_graph(struct refs *refs, bool weak)
{
	struct snap_graph_estimate estimate;
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	/* The rest is for lines, and for the blocks that single values are read from. */
	options.max_memory_bytes = cli_common.memory_bytes - cli_common.memory_bytes / 64;
	options.follow_weak = refs->follows_weak = weak;
	options.progress = show_progress;
	options.threads = cli_common.threads;
	refs->reader = cli_open(refs->file);
	snap_graph_estimate(refs->reader, &estimate);
	tell_estimate(&estimate);
	refs_must(refs, snap_graph_open(&refs->graph, refs->reader, &options, &refs->error));
	struct snap_graph_info info;
	struct snap_reader_info reading;
	snap_reader_info(refs->reader, &reading);
	snap_graph_info(refs->graph, &info);
	refs->objects = info.objects;
	refs->was_damaged = reading.damaged;
	if (reading.damaged)
		cli_lost(refs->file, info.lost_references);
	refuse_without_references(refs);
	if (info.roots == 0)
		cli_warn("%s: there are no roots, so nothing is reached", refs->file);
}

/* Of a process that ran before it was recorded, older
 * blocks may not be known, nor what they hold. */
static void warn_of_older(struct refs *refs)
{
	if (has_property(refs, "recorded_since") &&
	    (!has_property(refs, "older_blocks") || has_property(refs, "unseen_heaps")))
		cli_warn(
			"%s: what only blocks hold that are older than the recording is listed, too",
			refs->file);
}

/* What the program maps itself is looked through only where that is recorded. */
static void warn_of_mappings(struct refs *refs)
{
	const char *value;
	char text[32] = "";
	size_t size;
	if (!has_property(refs, "unseen_mappings"))
		return;
	refs_must(refs, snap_reader_property(refs->reader, "unseen_mappings", &value, &size,
					     &refs->error));
	memcpy(text, value, size < sizeof text ? size : sizeof text - 1);
	uint64_t bytes = strtoull(text, NULL, 10);
	if (bytes >= MAPPINGS_MIN)
		cli_warn(
			"%s: what only memory holds that the program mapped itself (%s) is listed, too: "
			"snap-record --mmap looks through that",
			refs->file, print_size(bytes, text));
}

/* False: some target names nothing. */
static bool find_targets(struct refs *refs, char **words, size_t count)
{
	bool all_found = true;
	refs_must(refs, snap_graph_set_open(&refs->targets, refs->graph, &refs->error));
	for (size_t i = 0; i < count; i++) {
		if (refs_add_target(refs, words[i]))
			continue;
		struct buffer meant = {NULL, 0, 0};
		refs_suggest(refs, words[i], &meant);
		char *escaped = print_escaped(words[i], strlen(words[i]));
		char *other = print_escaped(meant.bytes, meant.size);
		if (meant.size > 0)
			cli_warn("%s: nothing is '%s'; try '%s'", refs->file, escaped, other);
		else
			cli_warn("%s: nothing is '%s'", refs->file, escaped);
		free(escaped);
		free(other);
		buffer_free(&meant);
		all_found = false;
	}
	refs->count = snap_graph_set_count(refs->targets);
	return all_found;
}

static void show(struct refs *refs, const struct wishes *wishes)
{
	bool about_targets = refs->count > 0 && !wishes->brief, about_many = refs->count > 1;
	uint64_t first = refs_next_target(refs, 0);
	refs_must(refs, snap_graph_search(refs->graph, &refs->error));
	if (wishes->cycles || wishes->unreachable || (about_targets && about_many))
		refs_must(refs, snap_graph_find_cycles(refs->graph, &refs->error));
	else if (about_targets)
		refs_must(refs, snap_graph_find_cycle_of(refs->graph, first, &refs->error));
	if (wishes->cycles)
		refs_must(refs, snap_graph_retain_cycles(refs->graph, &refs->error));
	if (wishes->dominators || wishes->suspects || (about_targets && about_many))
		refs_must(refs, snap_graph_dominate(refs->graph, &refs->error));
	else if (about_targets)
		refs_must(refs, snap_graph_dominate_row(refs->graph, first, &refs->error));
	cli_progress_end();
	refs_begin(refs);
	if (wishes->brief)
		refs_show_paths(refs);
	if (about_targets) {
		refs_show_targets(refs);
		refs_show_holders(refs);
		if (wishes->owned)
			refs_show_owned(refs);
		refs_show_paths(refs);
		refs_show_dominators(refs);
		refs_show_freed(refs);
		if (!wishes->cycles)
			refs_show_cycles(refs, true);
	}
	if (wishes->suspects)
		refs_show_suspects(refs, wishes->percent);
	if (wishes->dominators)
		refs_show_retainers(refs);
	if (wishes->cycles)
		refs_show_cycles(refs, false);
	if (wishes->unreachable)
		refs_show_unreachable(refs);
	if (wishes->unreachable && !wishes->cycles)
		refs_show_garbage_cycles(refs);
	if (wishes->foreign)
		refs_show_foreign(refs);
	refs_end(refs);
	cli_progress_end();
}

/* Damage that a partial reader found only while it read: the answer is then incomplete. */
static void report_damage(const struct refs *refs)
{
	struct snap_reader_info info;
	snap_reader_info(refs->reader, &info);
	if (!info.damaged || refs->was_damaged)
		return;
	cli_warn("%s: incomplete: %s", refs->file, info.damage.message);
	cli_lost(refs->file, 0);
}

/* False: some target names nothing. */
static bool answer(struct refs *refs, const struct wishes *wishes, char **words, size_t count)
{
	open_graph(refs, wishes->weak);
	if (wishes->unreachable) {
		warn_of_older(refs);
		warn_of_mappings(refs);
	}
	bool found = find_targets(refs, words, count);
	show(refs, wishes);
	refs_must(refs, snap_graph_check(refs->graph, &refs->error));
	report_damage(refs);
	for (size_t i = 0; i < sizeof(refs->columns) / sizeof(refs->columns[0]); i++)
		snap_column_close(refs->columns[i]);
	refs_sites_free(refs);
	snap_graph_set_close(refs->targets);
	snap_graph_close(refs->graph);
	snap_reader_close(refs->reader);
	return found;
}

/* Ends the program where what is asked for makes no sense. */
static void check_wishes(const struct wishes *w, char **arguments, size_t count)
{
	const bool asks = w->dominators || w->cycles || w->unreachable || w->suspects || w->foreign;
	if (w->percent != REFS_ANY_NUMBER && (w->percent < 1 || w->percent > 99))
		cli_usage("--threshold is from 1 to 99");
	if (refs_is_target(arguments[0]) && access(arguments[0], F_OK) != 0)
		cli_usage("FILE comes first, and then '%s'", arguments[0]);
	for (size_t i = 1; i < count; i++)
		if (!refs_is_target(arguments[i]))
			cli_usage("'%s' is no target, which is " REFS_TARGETS "; try 'type:*%s*'",
				  arguments[i], arguments[i]);
	if (w->estimate && (asks || w->owned || w->brief || count > 1))
		cli_usage("--estimate answers nothing else");
	if (count == 1 && !asks && !w->estimate)
		cli_usage(
			"name a TARGET (" REFS_TARGETS
			") or ask --suspects, --dominators, --cycles, --unreachable or --foreign");
	if ((w->owned || w->brief) && count == 1)
		cli_usage("--%s needs a TARGET", w->owned ? "owned" : "brief");
	if (w->brief && (asks || w->owned))
		cli_usage("--brief says nothing else");
	if (w->foreign && cli_common.partial)
		cli_usage("--foreign needs all references, so not with --partial");
}

int main(int argc, char **argv)
{
	struct refs refs = {.limit = 10, .path_limit = 10};
	struct wishes wishes = {.percent = REFS_ANY_NUMBER};
	const struct cli_option options[] = {
		{'n', "limit", "COUNT",
		 "print at most COUNT lines of each list, 0 for all (default 10)", CLI_COUNT,
		 &refs.limit},
		{'p', "paths", "COUNT",
		 "print at most COUNT branches of the tree of paths, 0 for all (default 10)",
		 CLI_COUNT, &refs.path_limit},
		{'w', "weak", NULL, "follow references that do not hold, too", CLI_FLAG,
		 &wishes.weak},
		{'o', "owned", NULL, "also list what the targets refer to", CLI_FLAG,
		 &wishes.owned},
		{'b', "brief", NULL, "only say the shortest paths to the targets: the quickest",
		 CLI_FLAG, &wishes.brief},
		{'e', "estimate", NULL,
		 "only say how much memory it takes, and temporary files where there is less",
		 CLI_FLAG, &wishes.estimate},
		{'s', "suspects", NULL,
		 "say what much of the heap hangs on, and where it spreads out", CLI_FLAG,
		 &wishes.suspects},
		{'t', "threshold", "PERCENT",
		 "with --suspects: what holds more than PERCENT of the heap (default 10, else 5)",
		 CLI_COUNT, &wishes.percent},
		{'d', "dominators", NULL, "list the objects that retain most", CLI_FLAG,
		 &wishes.dominators},
		{'c', "cycles", NULL,
		 "list all cycles, the largest first, and what keeps them alive", CLI_FLAG,
		 &wishes.cycles},
		{'u', "unreachable", NULL,
		 "list what no root reaches, by type, and the cycles in it", CLI_FLAG,
		 &wishes.unreachable},
		{'f', "foreign", NULL, "list what has more references than were found: held from C",
		 CLI_FLAG, &wishes.foreign},
		ALLOC_FN_OPTION(refs.alloc_fn),
		{0, NULL, NULL, NULL, CLI_FLAG, NULL},
	};
	const struct cli_tool tool = {"snap-refs",
				      "[OPTION]... FILE [TARGET]...",
				      "Say who holds an object, and what would be free without it.",
				      1,
				      SIZE_MAX,
				      options};
	size_t count;
	cli_accept_threads = true;
	char **arguments = cli_parse(&tool, argc, argv, &count);
	check_wishes(&wishes, arguments, count);
	refs.file = arguments[0];
	if (wishes.estimate)
		return show_estimate(&refs);
	bool found = answer(&refs, &wishes, arguments + 1, count - 1);
	return cli_finish(found ? CLI_YES : CLI_NO);
}
