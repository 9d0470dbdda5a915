/* snap-import: makes a snapshot of what another tool wrote. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli.h"
#include "import.h"

static const struct import_format formats[] = {
	{"v8", "heap snapshot of V8, as JSON (Node, Chrome: .heapsnapshot)", import_v8},
	{"hprof", "heap dump of a JVM or of Android, also gzip", import_hprof},
	{"tracemalloc", "pickle made by Snapshot.dump of CPython's tracemalloc",
	 import_tracemalloc},
};
#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

static const struct import_format *find_format(const char *name)
{
	for (size_t i = 0; i < FORMAT_COUNT; i++)
		if (strcmp(formats[i].name, name) == 0)
			return &formats[i];
	return NULL;
}

enum snap_status import_begin(struct import_context *context, uint32_t flags,
			      struct snap_error *error)
{
	struct snap_writer_options *options = &context->writer_options;
	options->flags = flags | (context->options->contents ? SNAP_SNAPSHOT_CONTENTS : 0);
	enum snap_status status;
	if (context->output_descriptor >= 0)
		status = snap_writer_open_descriptor(&context->writer, context->output_descriptor,
						     options, error);
	else
		status = snap_writer_open(&context->writer, context->output, options, error);
	if (status != SNAP_OK || context->bare)
		return status;
	return snap_writer_property(context->writer, "producer", "snap-import " SNAP_VERSION,
				    error);
}

/* Pipes and devices are written to; only what can be replaced
 * by rename goes through a path.  False: reported. */
static bool open_output(struct import_context *context, const char *path)
{
	context->output = path;
	context->output_descriptor = -1;
	if (strcmp(path, "-") == 0) {
		if (isatty(STDOUT_FILENO))
			return cli_fail("a snapshot is not for a terminal: give -o FILE"), false;
		context->output = "standard output";
		context->output_descriptor = STDOUT_FILENO;
		return true;
	}
	struct stat about;
	if (stat(path, &about) != 0 || S_ISREG(about.st_mode))
		return true;
	if (S_ISDIR(about.st_mode))
		return cli_fail("%s: %s", path, strerror(EISDIR)), false;
	context->output_descriptor = open(path, O_WRONLY | O_CLOEXEC);
	if (context->output_descriptor < 0)
		return cli_fail("%s: %s", path, strerror(errno)), false;
	return true;
}

static bool parse_key(const char *text, uint8_t key[16])
{
	if (strlen(text) != 32)
		return false;
	for (size_t i = 0; i < 32; i++) {
		int c = tolower((unsigned char)text[i]);
		if (!isxdigit(c))
			return false;
		int digit = isdigit(c) ? c - '0' : c - 'a' + 10;
		key[i / 2] = (uint8_t)(key[i / 2] << 4 | digit);
	}
	return true;
}

/* What does not begin as its format does may be one of another's. */
static void suggest(const struct import_format *format, const struct import_input *input)
{
	static const struct {
		const char *begin, *name, *is;
	} known[] = {
		{"JAVA PROFILE", "hprof", "a heap dump of a JVM: snap-import hprof"},
		{"{\"snapshot\":", "v8", "a heap snapshot of V8: snap-import v8"},
		{"\x80", "tracemalloc", "a pickle of Python: snap-import tracemalloc"},
		{"\x1f\x8b", "hprof",
		 "something that gzip compressed: zcat FILE | snap-import FORMAT"},
		{"S*M\x18", "", "a snapshot already"},
	};
	char bytes[16] = "";
	if (!input->seekable || pread(input->descriptor, bytes, sizeof(bytes), 0) < 4)
		return;
	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (memcmp(bytes, known[i].begin, strlen(known[i].begin)) == 0 &&
		    strcmp(known[i].name, format->name) != 0)
			cli_warn("%s: it looks like %s", input->name, known[i].is);
}

/* Runs the importer and publishes the snapshot; reports what went wrong. */
static enum cli_status run(const struct import_format *format, struct import_context *context)
{
	struct snap_error error = {.offset = SNAP_NO_OFFSET};
	enum snap_status status = format->import(context, &error);
	cli_progress_end();
	if (status != SNAP_OK) {
		snap_writer_abort(context->writer);
		cli_report(context->input->name, &error);
		if (status == SNAP_CORRUPT || status == SNAP_UNSUPPORTED)
			suggest(format, context->input);
		return CLI_TROUBLE;
	}
	struct snap_writer_summary summary;
	status = snap_writer_finish(context->writer, &summary, &error);
	context->writer = NULL;
	if (status == SNAP_MISUSE) /* an id given to two objects is the input's fault */
		return (enum cli_status)cli_report(context->input->name, &error);
	if (status != SNAP_OK)
		return (enum cli_status)cli_report(context->output, &error);
	if (summary.unknown_references > 0)
		cli_warn("%s: %llu references to unknown objects were left out%s",
			 context->input->name, (unsigned long long)summary.unknown_references,
			 context->unknown_why ? context->unknown_why : "");
	bool unknown = context->lost == IMPORT_LOST_SOME;
	if (unknown)
		cli_warn("%s: incomplete: cut short; how much is missing is not known",
			 context->input->name);
	if (context->lost > 0)
		cli_lost(context->input->name, unknown ? 0 : context->lost);
	return CLI_YES;
}

int main(int argc, char **argv)
{
	const char *output = NULL, *hash_key = NULL;
	uint64_t level = 0;
	struct import_options import_options = {.contents = false};
	const struct cli_option options[] = {
		{'o', "output", "FILE", "the snapshot to write; - is standard output", CLI_STRING,
		 &output},
		{0, "contents", NULL, "store the text of strings, not only length and hash",
		 CLI_FLAG, &import_options.contents},
		{0, "hash-key", "HEX", "16 bytes: the key of the hashes of strings", CLI_STRING,
		 &hash_key},
		{0, "level", "N", "compress with level N, 1 to 19 (default 3)", CLI_COUNT, &level},
		{0},
	};
	const struct cli_tool tool = {
		"snap-import",
		"FORMAT [OPTION]... -o OUT [FILE]",
		"Make a snapshot of what another tool wrote (FORMAT: v8, hprof, tracemalloc).",
		1,
		2,
		options,
	};
	cli_without = CLI_NO_FORMAT;
	cli_accept_threads = true;
	size_t count;
	char **arguments = cli_parse(&tool, argc, argv, &count);
	const struct import_format *format = find_format(arguments[0]);
	if (format == NULL)
		cli_usage("'%s' is no FORMAT: v8, hprof or tracemalloc", arguments[0]);
	if (output == NULL)
		cli_usage("-o OUT is missing");
	if (level > 19)
		cli_usage("--level is from 1 to 19");
	if (hash_key != NULL && !parse_key(hash_key, import_options.hash_key))
		cli_usage("--hash-key is 32 hexadecimal digits");
	import_options.has_hash_key = hash_key != NULL;
	import_options.partial = cli_common.partial;

	struct import_input input;
	struct snap_error error;
	if (import_input_open(&input, count > 1 ? arguments[1] : NULL, &error) != SNAP_OK)
		return cli_report(count > 1 ? arguments[1] : "-", &error);
	struct import_context context = {
		.input = &input,
		.options = &import_options,
		.writer_options = SNAP_WRITER_OPTIONS_INIT,
	};
	context.writer_options.max_memory_bytes = cli_common.memory_bytes;
	context.writer_options.level = (int)level;
	context.writer_options.threads = cli_common.threads;
	enum cli_status status = CLI_TROUBLE;
	if (open_output(&context, output))
		status = run(format, &context);
	if (context.output_descriptor > STDERR_FILENO && close(context.output_descriptor) != 0)
		status = (enum cli_status)cli_fail("%s: %s", output, strerror(errno));
	import_input_close(&input);
	return cli_finish(status);
}
