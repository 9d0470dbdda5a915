/* On processors where no way into a running process is known (frame.c): only programs that listen are asked. */
#if !defined(__x86_64__)
#include <stdlib.h>

#include "cli.h"
#include "process.h"
#include "record.h"

static _Noreturn void refuse(const char *pid)
{
	exit(cli_fail("process %s: on this processor only what snap-record started with --signal can be recorded", pid));
}

_Noreturn void record_take(const struct record_options *options, const char *pid, const char *extension)
{
	struct process process;
	(void)options;
	(void)extension;
	process_open(&process, pid);
	if (!record_ask(process.pid))
		refuse(pid);
	exit(cli_finish(CLI_YES));
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
