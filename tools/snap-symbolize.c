/* snap-symbolize: fills in functions, files and lines of frames that are known by module and offset
 * (spec/FORMAT.md, section 7.1). */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
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

/* In its place, with --output not given, only a file
 * of one snapshot: the other members would be lost. */
static void refuse_series(struct snap_reader *reader, const char *file)
{
	struct snap_reader_info info;
	snap_reader_info(reader, &info);
	if (cli_names_member(file) || info.member_count > 1)
		cli_usage("a member of a series cannot be replaced in place: say where to with -o");
}

static int symbolize(const char *file, const char *output)
{
	struct snap_error error;
	struct snap_writer *writer;
	struct frames frames = {0};
	struct snap_reader *reader = cli_open_any(file);
	const struct snap_writer_options options = SNAP_WRITER_OPTIONS_INIT;
	if (!output && strcmp(file, "-") != 0)
		refuse_series(reader, file);
	if (!output)
		output = file;
	enum snap_status status = name_frames(&frames, reader, &error);
	if (status != SNAP_OK) {
		cli_report(file, &error);
		goto done;
	}
	if (strcmp(output, "-") == 0)
		status = snap_writer_open_descriptor(&writer, STDOUT_FILENO, &options, &error);
	else
		status = snap_writer_open(&writer, output, &options, &error);
	if (status == SNAP_OK)
		status = write_named(writer, reader, &frames, &error);
	if (status != SNAP_OK)
		cli_report(output, &error);
	else if (frames.asked > frames.named)
		cli_warn("%zu of %zu frames have no names", frames.asked - frames.named,
			 frames.asked);
done:
	snap_reader_close(reader);
	frames_free(&frames);
	if (status != SNAP_OK)
		return CLI_TROUBLE;
	return frames.asked > 0 && frames.named == 0 ? CLI_NO : CLI_YES;
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
		"[OPTION]... [FILE]",
		"Fill in the names of frames from the files of their modules.",
		0,
		1,
		options};
	cli_without = CLI_NO_FORMAT | CLI_NO_PARTIAL;
	size_t count;
	char **files = cli_parse(&tool, argc, argv, &count);
	const char *file = count > 0 ? files[0] : "-";
	symbols_setup(&symbols);
	return cli_finish((enum cli_status)symbolize(file, output));
}
