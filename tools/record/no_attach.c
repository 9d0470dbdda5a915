/* On processors where no thread can be borrowed (frame.c): programs that listen are asked. */
#if !defined(__x86_64__)
#include <stdlib.h>

#include "cli.h"
#include "record.h"
#include "remote.h"

static _Noreturn void refuse(const char *pid)
{
	exit(cli_fail(
		"process %s: on this processor only what snap-record started with --signal, or runs CPython 3.14, can be asked",
		pid));
}

_Noreturn void record_take(const struct record_options *options, const char *pid,
			   const char *extension)
{
	struct process process;
	struct attached a = {.process = &process};
	char output[SNAP_ATTACH_PATH];
	process_open(&process, pid);
	if (record_ask(process.pid))
		exit(cli_finish(CLI_YES));
	if ((target_find(&a, "snap_track_attach") && a.said.is_recording) ||
	    !remote_is_known(&process))
		refuse(pid);
	target_refuse_other_than_python(&process);
	target_output(output, options->output, &process);
	remote_take(&a, output, extension);
}

_Noreturn void record_attach(const struct record_options *options, const char *pid)
{
	(void)options;
	refuse(pid);
}

_Noreturn void record_detach(const struct record_options *options, const char *pid)
{
	(void)options;
	refuse(pid);
}
#else
typedef int attach_is_known_here;
#endif
