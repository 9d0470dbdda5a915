/* snap-symbolize: fills in functions, files and lines of frames that are known by module and offset
 * (spec/FORMAT.md, section 7.1). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "symbolize/names.h"
#include "symbolize/symbolize.h"

/* Texts that the snapshot has already keep their ids; the others come after them. */
static enum snap_status number_texts(struct texts *texts, struct snap_reader *reader,
				     struct snap_error *error)
{
	uint64_t old_count = snap_reader_row_count(reader, SNAP_STRINGS);
	const char *bytes;
	size_t size;
	for (uint64_t id = 1; id <= old_count && texts->count > 0; id++) {
		enum snap_status status = snap_reader_string(reader, id, &bytes, &size, error);
		if (status != SNAP_OK)
			return status;
		struct text *text = texts_find(texts, bytes, size);
		if (text && text->id == 0)
			text->id = (uint32_t)id;
	}
	uint32_t next = (uint32_t)old_count;
	for (size_t i = 0; i < texts->count; i++)
		if (texts->items[i].id == 0)
			texts->items[i].id = ++next;
	return SNAP_OK;
}

static uint32_t final_id(const struct texts *texts, uint32_t id)
{
	return id & TEXT_BIT ? texts->items[id & ~TEXT_BIT].id : id;
}

static enum snap_status write_named(struct snap_writer *writer, struct snap_reader *reader,
				    const struct frames *frames, struct snap_error *error)
{
	const struct texts *texts = &frames->texts;
	uint64_t old_count = snap_reader_row_count(reader, SNAP_STRINGS);
	struct snap_frame *rows = cli_resize(NULL, (frames->count + 1) * sizeof(*rows));
	const char **added = cli_resize(NULL, (texts->count + 1) * sizeof(*added));
	size_t *sizes = cli_resize(NULL, (texts->count + 1) * sizeof(*sizes));
	struct snap_naming naming = {rows, frames->count, added, sizes, 0};
	for (size_t i = 0; i < frames->count; i++) {
		const struct frame *f = &frames->rows[i];
		rows[i] = (struct snap_frame){final_id(texts, f->function),
					      final_id(texts, f->file),
					      f->line,
					      f->module,
					      f->offset,
					      f->inlined_into};
	}
	for (size_t i = 0; i < texts->count; i++) {
		if (texts->items[i].id <= old_count)
			continue;
		added[naming.text_count] = texts->bytes + texts->items[i].at;
		sizes[naming.text_count++] = texts->items[i].length;
	}
	enum snap_status status = snap_writer_finish_renamed(writer, reader, &naming, NULL, error);
	free(rows);
	free(added);
	free(sizes);
	return status;
}

static enum snap_status name_frames(struct frames *frames, struct snap_reader *reader,
				    struct snap_error *error)
{
	enum snap_status status = frames_load(frames, reader, error);
	if (status == SNAP_OK)
		status = frames_name(frames, reader, error);
	return status == SNAP_OK ? number_texts(&frames->texts, reader, error) : status;
}

struct sums {
	size_t asked, named; /* frames */
};

/* output NULL: descriptor is written to. */
static bool symbolize(struct snap_reader *reader, const char *file, const char *output,
		      int descriptor, struct sums *sums)
{
	struct snap_error error;
	struct snap_writer *writer;
	struct frames frames = {0};
	const struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	enum snap_status status = name_frames(&frames, reader, &error);
	const char *at = status == SNAP_OK && output ? output : file;
	if (status == SNAP_OK && output)
		status = snap_writer_open(&writer, output, &options, &error);
	else if (status == SNAP_OK)
		status = snap_writer_open_descriptor(&writer, descriptor, &options, &error);
	if (status == SNAP_OK)
		status = write_named(writer, reader, &frames, &error);
	if (status != SNAP_OK)
		cli_report(at, &error);
	sums->asked += frames.asked;
	sums->named += frames.named;
	frames_free(&frames);
	return status == SNAP_OK;
}

static bool symbolize_to(const char *file, const char *output, struct sums *sums)
{
	struct snap_reader *reader = cli_open_any(file);
	bool is_path = strcmp(output, "-") != 0;
	bool good = symbolize(reader, file, is_path ? output : NULL, STDOUT_FILENO, sums);
	snap_reader_close(reader);
	return good;
}

static bool symbolize_members(const char *path, int descriptor, struct sums *sums)
{
	struct snap_reader_options options = SNAP_READER_OPTIONS_INIT;
	struct snap_reader_info info = {.member_count = 1};
	options.max_memory_bytes = cli_common.memory_bytes;
	for (uint64_t member = 1; member <= info.member_count; member++) {
		struct snap_reader *reader;
		struct snap_error error;
		options.member = (int64_t)member;
		if (snap_reader_open(&reader, path, &options, &error) != SNAP_OK) {
			cli_report(path, &error);
			return false;
		}
		snap_reader_info(reader, &info);
		bool good = symbolize(reader, path, NULL, descriptor, sums);
		snap_reader_close(reader);
		if (!good)
			return false;
	}
	return true;
}

static bool fail_file(const char *path)
{
	cli_fail("%s: %s", path, strerror(errno));
	return false;
}

/* All members, into a file that then takes the place of the other. */
static bool replace(const char *path, struct sums *sums)
{
	struct stat about;
	if (stat(path, &about) != 0)
		return fail_file(path);
	if (!S_ISREG(about.st_mode)) {
		cli_fail("%s: not a file that can be replaced: say where to with -o", path);
		return false;
	}
	size_t size = strlen(path) + sizeof ".XXXXXX";
	char *temporary = cli_resize(NULL, size);
	snprintf(temporary, size, "%s.XXXXXX", path);
	int descriptor = mkstemp(temporary);
	bool good = descriptor >= 0 || fail_file(temporary);
	if (good) {
		good = symbolize_members(path, descriptor, sums);
		if (good && (fchmod(descriptor, about.st_mode & 0777) != 0 ||
			     fsync(descriptor) != 0 || rename(temporary, path) != 0))
			good = fail_file(path);
		if (!good)
			unlink(temporary);
		close(descriptor);
	}
	free(temporary);
	return good;
}

static bool symbolize_in_place(const char *file, struct sums *sums)
{
	if (cli_names_member(file))
		cli_usage("a member of a series cannot be replaced in place: say where to with -o");
	char *path = realpath(file, NULL);
	bool good = path ? replace(path, sums) : fail_file(file);
	free(path);
	return good;
}

int main(int argc, char **argv)
{
	struct symbol_options symbols = {0};
	const char *output = NULL;
	const struct cli_option options[] = {
		{'o', "output", "FILE", "write to FILE, - for standard output, instead of in place",
		 CLI_STRING, &output},
		{0, "sysroot", "FOLDER", "look for modules below FOLDER", CLI_STRING,
		 &symbols.sysroot},
		{0, "debug-folders", "LIST", "look for separate debug files in LIST, with colons",
		 CLI_STRING, &symbols.debug_folders},
		{0, "debuginfod", NULL, "ask the servers in $DEBUGINFOD_URLS", CLI_FLAG,
		 &symbols.debuginfod},
		{0},
	};
	const struct cli_tool tool = {
		"snap-symbolize",
		"[OPTION]... [FILE]...",
		"Fill in the names of frames from the files of their modules.",
		0,
		SIZE_MAX,
		options};
	struct sums sums = {0};
	bool good = true;
	cli_without = CLI_NO_FORMAT | CLI_NO_PARTIAL;
	size_t count;
	char **files = cli_parse(&tool, argc, argv, &count);
	symbols_setup(&symbols);
	if (output && count > 1)
		cli_usage("--output is for one file");
	if (output || count == 0 || (count == 1 && strcmp(files[0], "-") == 0))
		good = symbolize_to(count > 0 ? files[0] : "-", output ? output : "-", &sums);
	else
		for (size_t i = 0; i < count; i++)
			good &= symbolize_in_place(files[i], &sums);
	if (good && sums.asked > sums.named)
		cli_warn("%zu of %zu frames have no names", sums.asked - sums.named, sums.asked);
	if (!good)
		return CLI_TROUBLE;
	return cli_finish(sums.asked > 0 && sums.named == 0 ? CLI_NO : CLI_YES);
}
