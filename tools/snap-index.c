/* snap-index: keeps answers in a snapshot, so that they need not be found again (snap_index.h). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "buffer.h"
#include "cli.h"
#include "snap_index.h"

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

static enum snap_status write_one(struct snap_reader *reader, const struct job *job, bool append,
				  bool indexed, struct snap_error *error)
{
	struct snap_writer *writer;
	struct snap_index_options how = SNAP_INDEX_OPTIONS_INIT;
	how.max_memory_bytes = cli_common.memory_bytes;
	how.progress = show_progress;
	how.threads = cli_common.threads;
	enum snap_status status = open_writer(&writer, job, append, error);
	return status == SNAP_OK
		       ? snap_index_write(writer, reader, indexed ? &how : NULL, NULL, error)
		       : status;
}

static int write_member(const struct job *job, uint64_t member)
{
	struct snap_error error;
	bool append = member > 1 && job->member == 0;
	struct snap_reader *reader =
		cli_open_member(job->file, job->member ? SNAP_LAST_MEMBER : (int64_t)member);
	const char *wrong = job->removes ? NULL : wrong_with(reader);
	if (wrong != NULL && job->members == 1)
		return cli_fail("%s: %s", job->file, wrong);
	if (wrong != NULL)
		cli_warn("%s: member %llu has no index: %s", job->file, (unsigned long long)member,
			 wrong);
	enum snap_status status =
		write_one(reader, job, append, wrong == NULL && !job->removes, &error);
	snap_reader_close(reader);
	return status == SNAP_OK ? CLI_YES : cli_report(job->file, &error);
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
	cli_accept_threads = true;
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
