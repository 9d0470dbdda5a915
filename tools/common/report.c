/* Messages on stderr, and the exit status: "snap-top: FILE: at byte N: reason". */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli.h"
#include "escape.h"
#include "private.h"

const char *cli_name = "snap";
static bool incomplete;

/* NULL and "-" are standard input. */
static const char *input_name(const char *file)
{
	return !file || strcmp(file, "-") == 0 ? "standard input" : file;
}

/* One write, so that messages of tools in a pipe do not mix. */
static void say(const char *file, const char *place, const char *text)
{
	cli_progress_end();
	struct buffer line = {0};
	buffer_text(&line, cli_name);
	buffer_text(&line, ": ");
	if (file) {
		escape_append(&line, file, strlen(file), ESCAPE_MESSAGE);
		buffer_text(&line, ": ");
	}
	buffer_text(&line, place);
	escape_append(&line, text, strlen(text), ESCAPE_MESSAGE);
	buffer_byte(&line, '\n');
	fwrite(line.bytes, 1, line.size, stderr);
	buffer_free(&line);
}

static void say_error(const char *file, const char *before, const struct snap_error *error)
{
	/* Damage, a newer format and a limit are answers of
	 * their own, and named; the rest speaks for itself. */
	bool named = error->status == SNAP_CORRUPT || error->status == SNAP_UNSUPPORTED ||
		     error->status == SNAP_LIMIT;
	const char *status = snap_status_name(error->status);
	char place[128], offset[40] = "";
	if (error->offset != SNAP_NO_OFFSET)
		snprintf(offset, sizeof(offset), "at byte %" PRIu64 ": ", error->offset);
	snprintf(place, sizeof(place), "%s%s%s%s", before, offset, named ? status : "",
		 named ? ": " : "");
	say(file, place, error->message[0] ? error->message : status);
}

int cli_report(const char *file, const struct snap_error *error)
{
	say_error(file ? input_name(file) : NULL, "", error);
	return CLI_TROUBLE;
}

static void say_format(const char *format, va_list arguments)
{
	char text[1024];
	vsnprintf(text, sizeof(text), format, arguments);
	say(NULL, "", text);
}

int cli_fail(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	say_format(format, arguments);
	va_end(arguments);
	return CLI_TROUBLE;
}

void cli_warn(const char *format, ...)
{
	if (cli_common.quiet)
		return;
	va_list arguments;
	va_start(arguments, format);
	say_format(format, arguments);
	va_end(arguments);
}

void cli_note(const char *format, ...)
{
	if (cli_common.quiet || !isatty(STDERR_FILENO))
		return;
	va_list arguments;
	va_start(arguments, format);
	say_format(format, arguments);
	va_end(arguments);
}

void cli_usage(const char *format, ...)
{
	va_list arguments;
	va_start(arguments, format);
	say_format(format, arguments);
	va_end(arguments);
	fprintf(stderr, "Try '%s --help'.\n", cli_name);
	exit(CLI_TROUBLE);
}

void cli_incomplete(const char *file, const struct snap_error *why)
{
	incomplete = true;
	if (!cli_common.quiet)
		say_error(input_name(file), "incomplete: ", why);
}

void cli_lost(const char *file, uint64_t rows)
{
	incomplete = true;
	if (!cli_common.quiet && rows > 0) {
		char text[64];
		snprintf(text, sizeof(text), "%" PRIu64 " rows are lost", rows);
		say(input_name(file), "incomplete: ", text);
	}
}

int cli_finish(enum cli_status status)
{
	cli_progress_end();
	bool lost = fflush(stdout) != 0 || ferror(stdout);
	int why = lost ? errno : 0;
	if (fclose(stdout) != 0 && !lost) {
		lost = true;
		why = errno;
	}
	if (lost)
		return cli_fail("standard output: %s", why ? strerror(why) : "output lost");
	return incomplete && status != CLI_TROUBLE ? CLI_PARTIAL : (int)status;
}
