/* snap-index: keeps answers in a snapshot, so that they need not be found again (snap_index.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "refs/suspects.h"
#include "snap_index.h"

/* As --suspects of snap-refs takes it when nothing is said. */
#define PERCENT 10

struct job {
	/* output: a file beside the one that it replaces; NULL: standard output */
	const char *file, *output;
	bool removes;
	uint64_t member, members; /* the one meant, 0 for all; and how many there are */
};

static void show_progress(void *context, const char *what, uint64_t done, uint64_t total)
{
	(void)context;
	cli_progress(what, done, total);
}

/* ---- suspects ---- */

static struct snap_index_suspect *list_suspects(const struct suspects *found)
{
	struct snap_index_suspect *list = cli_resize(NULL, (found->count + 1) * sizeof(*list));
	for (size_t i = 0; i < found->count; i++) {
		const struct suspect *suspect = &found->items[i];
		list[i] = (struct snap_index_suspect){.row = suspect->row,
						      .type = suspect->is_many ? suspect->type : 0,
						      .count = suspect->count,
						      .bytes = suspect->bytes,
						      .retained = suspect->retained};
	}
	return list;
}

/* An index has no place for suspects that are many of one site. */
static bool can_be_told(const struct suspects *suspects)
{
	for (size_t i = 0; i < suspects->count; i++)
		if (suspects->items[i].site != 0)
			return false;
	return true;
}

static void list_parts(struct snap_index_part *list, const struct refs_groups *groups,
		       enum snap_suspect_part part)
{
	for (size_t i = 0; i < groups->count; i++) {
		struct refs_group group = refs_groups_at(groups, i);
		list[i] = (struct snap_index_part){.suspect = group.kind,
						   .part = part,
						   .type = group.type,
						   .stack = group.label,
						   .count = group.count,
						   .bytes = group.bytes,
						   .row = group.row};
	}
}

/* ---- one member ---- */

static enum snap_status open_writer(struct snap_writer **out, const struct job *job, bool append,
				    struct snap_error *error)
{
	struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	options.append = append;
	if (job->output == NULL)
		return snap_writer_open_descriptor(out, STDOUT_FILENO, &options, error);
	return snap_writer_open(out, job->output, &options, error);
}

/* Why a member of a series can have no index; NULL if it can. */
static const char *wrong_with(struct snap_reader *reader)
{
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	if (info.flags & SNAP_SNAPSHOT_SAMPLED)
		return "it is sampled, so that what is retained cannot be known";
	if (snap_reader_row_count(reader, SNAP_OBJECTS) == 0)
		return "it has no objects";
	return snap_reader_row_count(reader, SNAP_ROOTS) == 0 ? "it has no roots" : NULL;
}

/* The writer is opened last: what goes wrong before
 * ends the process, and would leave its file behind. */
static enum snap_status write_indexed(struct refs *refs, const struct job *job, bool append)
{
	struct snap_writer *writer;
	struct snap_graph_options options = SNAP_GRAPH_OPTIONS_INIT;
	struct snap_index_options how = SNAP_INDEX_OPTIONS_INIT;
	struct suspects suspects;
	struct suspect_parts parts;
	how.max_memory_bytes = options.max_memory_bytes = cli_common.memory_bytes;
	how.progress = options.progress = show_progress;
	options.ignore_index = true;
	refs_must(refs, snap_graph_open(&refs->graph, refs->reader, &options, &refs->error));
	refs_must(refs, snap_graph_search(refs->graph, &refs->error));
	refs_must(refs, snap_graph_dominate(refs->graph, &refs->error));
	refs->objects = snap_reader_row_count(refs->reader, SNAP_OBJECTS);
	refs_find_suspects(refs, PERCENT, &suspects);
	size_t told = can_be_told(&suspects) ? suspects.count : 0;
	refs_find_suspect_parts(refs, &suspects, told, &parts);
	struct snap_index_suspect *list = list_suspects(&suspects);
	how.part_count = (size_t)(parts.children.count + parts.held.count);
	struct snap_index_part *all = cli_resize(NULL, (how.part_count + 1) * sizeof(*all));
	list_parts(all, &parts.children, SNAP_SUSPECT_CHILD);
	list_parts(all + parts.children.count, &parts.held, SNAP_SUSPECT_HELD);
	snap_graph_numbers_close(suspects.owner);
	how.graph = refs->graph;
	how.suspect_percent = told == suspects.count ? PERCENT : 0;
	how.suspects = list;
	how.suspect_count = told;
	how.parts = all;
	enum snap_status status = open_writer(&writer, job, append, &refs->error);
	if (status == SNAP_OK)
		status = snap_index_write(writer, refs->reader, &how, NULL, &refs->error);
	refs_groups_free(&parts.children);
	refs_groups_free(&parts.held);
	free(suspects.items);
	free(list);
	free(all);
	refs_sites_free(refs);
	snap_graph_close(refs->graph);
	return status;
}

static enum snap_status write_plain(struct refs *refs, const struct job *job, bool append)
{
	struct snap_writer *writer;
	enum snap_status status = open_writer(&writer, job, append, &refs->error);
	return status == SNAP_OK ? snap_index_write(writer, refs->reader, NULL, NULL, &refs->error)
				 : status;
}

static int write_member(const struct job *job, uint64_t member)
{
	struct refs refs = {.file = job->file};
	bool append = member > 1 && job->member == 0;
	refs.reader = cli_open_member(job->file, job->member ? SNAP_LAST_MEMBER : (int64_t)member);
	const char *wrong = job->removes ? NULL : wrong_with(refs.reader);
	if (wrong != NULL && job->members == 1)
		return cli_fail("%s: %s", job->file, wrong);
	if (wrong != NULL)
		cli_warn("%s: member %llu has no index: %s", job->file, (unsigned long long)member,
			 wrong);
	enum snap_status status = wrong != NULL || job->removes ? write_plain(&refs, job, append)
								: write_indexed(&refs, job, append);
	for (size_t i = 0; i < sizeof(refs.columns) / sizeof(refs.columns[0]); i++)
		snap_column_close(refs.columns[i]);
	snap_reader_close(refs.reader);
	return status == SNAP_OK ? CLI_YES : cli_report(job->file, &refs.error);
}

static int write_all(const struct job *job)
{
	int answer = CLI_YES;
	for (uint64_t member = 1; answer == CLI_YES && member <= job->members; member++)
		answer = write_member(job, member);
	cli_progress_end();
	return answer;
}

/* ---- files ---- */

static const char *unfinished;

static void remove_unfinished(void)
{
	if (unfinished != NULL)
		remove(unfinished);
}

/* Members are put together in a file beside the old one, which takes its place when
 * all is well.  Its name lives until the process ends, which may be in the middle. */
static int replace(struct job *job, const char *path)
{
	struct buffer name = {NULL, 0, 0};
	char number[40];
	snprintf(number, sizeof(number), ".%ld.index.tmp", (long)getpid());
	buffer_text(&name, path);
	buffer_append(&name, number, strlen(number) + 1);
	job->output = unfinished = name.bytes;
	atexit(remove_unfinished);
	int answer = write_all(job);
	if (answer == CLI_YES && rename(name.bytes, path) != 0)
		answer = cli_fail("%s: cannot be replaced", path);
	if (answer == CLI_YES)
		unfinished = NULL;
	return answer;
}

int main(int argc, char **argv)
{
	struct job job = {.member = 0};
	const char *output = NULL;
	const struct cli_option options[] = {
		{'o', "output", "OUTPUT",
		 "write to OUTPUT, - for standard output, and leave FILE as it is", CLI_STRING,
		 &output},
		{'r', "remove", NULL, "take the index out", CLI_FLAG, &job.removes},
		{0},
	};
	const struct cli_tool tool = {
		"snap-index",
		"[OPTION]... FILE",
		"Keep in a snapshot what its objects retain and who dominates them.",
		1,
		1,
		options};
	cli_without = CLI_NO_FORMAT | CLI_NO_PARTIAL;
	char **files = cli_parse(&tool, argc, argv, NULL);
	job.file = files[0];
	job.member = cli_names_member(job.file);
	struct snap_reader *reader = cli_open_any(job.file);
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	snap_reader_close(reader);
	job.members = job.member ? 1 : info.member_count;
	if (output == NULL && (job.member || strcmp(job.file, "-") == 0))
		cli_usage("%s cannot be written in place: say where to, with --output", job.file);
	if (output != NULL && strcmp(output, "-") == 0)
		return cli_finish((enum cli_status)write_all(&job));
	return cli_finish((enum cli_status)replace(&job, output != NULL ? output : job.file));
}
