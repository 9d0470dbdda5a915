/* Loads an object into a running process and has it do something there. */
#if defined(__x86_64__)
#include <dlfcn.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "inject.h"
#include "record.h"
#include "remote.h"
#include "target.h"

#define END_SECONDS 20 /* for its thread to be gone */

/* ---- the object ---- */

static void refuse_other_allocator(const struct process *p)
{
	static const char *const sanitizers[] = {"__asan_init", "__tsan_init", "__msan_init"};
	for (size_t i = 0; i < sizeof sanitizers / sizeof *sanitizers; i++)
		if (process_symbol(p, sanitizers[i]))
			exit(cli_fail(
				"process %d has a sanitizer, which is an allocator of its own",
				(int)p->pid));
}

/* Loads the object, unless it is there; the process then has symbols of it. */
static void load(struct process *p, struct inject *i, const char *path)
{
	uintptr_t open = process_symbol(p, "dlopen"), why = process_symbol(p, "dlerror");
	char reason[1024];
	if (!open || !why) {
		inject_end(i);
		exit(cli_fail("process %d has no dlopen(): nothing can be loaded into it",
			      (int)p->pid));
	}
	inject_call(i, open, inject_bytes(i, path, strlen(path) + 1), RTLD_NOW | RTLD_LOCAL);
	process_read_mappings(p);
	for (size_t m = 0; m < p->count; m++)
		if (strcmp(p->mappings[m].path, path) == 0)
			return;
	process_peek_text(p, inject_ask(i, why), reason, sizeof reason);
	inject_end(i);
	exit(cli_fail("process %d: %s", (int)p->pid, *reason ? reason : "loading failed"));
}

/* Has the object begin with what a->said says. */
static void begin(struct attached *a, struct inject *i, const char *function)
{
	uintptr_t start = process_symbol(a->process, function);
	a->said.cancelled = 0;
	if (start && process_poke(a->process, a->at, &a->said, sizeof a->said))
		inject_call(i, start, 0, 0);
	inject_end(i);
	if (!start)
		exit(cli_fail("process %d has another build of snap in it", (int)a->process->pid));
}

/* Nothing is to be left: the object goes when its thread has gone. */
static void unload(const struct attached *a)
{
	char path[32];
	if (a->said.handle == 0)
		return;
	snprintf(path, sizeof path, "task/%d/status", (int)a->said.tid);
	for (unsigned i = 0; i < END_SECONDS * 500 && *process_status(a->process, path, "State");
	     i++)
		target_rest(2);
	if (*process_status(a->process, path, "State"))
		return;
	struct inject *i = inject_begin(a->process);
	inject_call(i, process_symbol(a->process, "dlclose"), (uintptr_t)a->said.handle, 0);
	inject_end(i);
}

/* ---- CPython ---- */

/* The version as 0x030b, or ends snap-record. */
static unsigned python_version(struct process *p, struct inject *i)
{
	unsigned long number = 0;
	unsigned major = 0, minor = 0;
	char text[256] = "";
	uintptr_t constant = process_symbol(p, "Py_Version"),
		  function = process_symbol(p, "Py_GetVersion");
	if (constant && process_peek(p, constant, &number, sizeof number))
		return (unsigned)(number >> 16);
	if (function)
		process_peek_text(p, inject_ask(i, function), text, sizeof text);
	return sscanf(text, "%u.%u", &major, &minor) == 2 ? major << 8 | minor : 0;
}

static _Noreturn void take_python(const struct record_options *options, struct attached *a,
				  const char *wanted)
{
	struct process *process = a->process;
	char extension[SNAP_ATTACH_PATH], output[SNAP_ATTACH_PATH];
	target_refuse_other_than_python(process);
	target_output(output, options->output, process);
	if (process_tracer(process) && remote_is_known(process))
		remote_take(a, output, wanted);
	struct inject *i = inject_begin(process);
	if (!target_extension(extension, wanted, process, python_version(process, i))) {
		inject_end(i);
		exit(CLI_TROUBLE);
	}
	load(process, i, extension);
	if (!target_find(a, "snap_python_attach")) {
		inject_end(i);
		exit(cli_fail("%s is of another build than snap-record", extension));
	}
	strcpy(a->said.output, output);
	begin(a, i, "snap_python_attach_begin");
	bool done = target_wait(a);
	unload(a);
	exit(done ? cli_finish(CLI_YES) : CLI_TROUBLE);
}

/* ---- the tracker ---- */

static bool ask_tracker(struct attached *a, struct inject *i, enum snap_attach_wish wish)
{
	a->said.wish = wish;
	begin(a, i, "snap_track_attach_begin");
	return target_wait(a);
}

void record_take(const struct record_options *options, const char *pid, const char *extension)
{
	struct process process;
	struct attached a = {.process = &process};
	process_open(&process, pid);
	if (record_ask(process.pid))
		exit(cli_finish(CLI_YES));
	if (!target_find(&a, "snap_track_attach") || !a.said.is_recording)
		take_python(options, &a, extension);
	exit(ask_tracker(&a, inject_begin(&process), SNAP_ATTACH_TAKE) ? cli_finish(CLI_YES)
								       : CLI_TROUBLE);
}

void record_detach(const struct record_options *options, const char *pid)
{
	struct process process;
	struct attached a = {.process = &process};
	process_open(&process, pid);
	if (!target_find(&a, "snap_track_attach") || !a.said.is_recording)
		exit(cli_fail("process %d is not recorded", (int)process.pid));
	bool done = ask_tracker(&a, inject_begin(&process), SNAP_ATTACH_END);
	if (done && !options->no_symbols && access(a.said.output, W_OK) == 0)
		record_name_frames((const char *[]){a.said.output}, 1);
	exit(done ? cli_finish(CLI_YES) : CLI_TROUBLE);
}

static void tell_options(struct snap_attach *said, const struct record_options *o)
{
	said->sample_bytes = o->sample_bytes;
	said->growth_bytes = o->growth_bytes;
	said->interval_ns = o->interval_ns;
	said->depth = o->depth;
	said->limit_percent = o->limit_percent;
	said->signal = o->signal;
	said->peak = o->peak;
	said->references = o->references;
	said->mapped = o->mapped;
	said->output[0] = '\0';
	if (*o->output != '/') {
		if (!getcwd(said->output, sizeof said->output - 1))
			exit(cli_fail("getcwd: %s", strerror(errno)));
		target_append(said->output, "/");
	}
	target_append(said->output, o->output);
}

void record_attach(const struct record_options *options, const char *pid)
{
	struct process process;
	struct attached a = {.process = &process};
	char *tracker = record_beside("lib/" RECORD_TRACKER);
	process_open(&process, pid);
	refuse_other_allocator(&process);
	if (target_find(&a, "snap_track_attach") && a.said.is_recording)
		exit(cli_fail("process %d is recorded already", (int)process.pid));
	struct inject *i = inject_begin(&process);
	if (!a.at) {
		if (!target_sees(&process, tracker)) {
			inject_end(i);
			exit(CLI_TROUBLE);
		}
		load(&process, i, tracker);
	}
	if (!target_find(&a, "snap_track_attach")) {
		inject_end(i);
		exit(cli_fail("process %d has another build of snap in it", (int)process.pid));
	}
	tell_options(&a.said, options);
	exit(ask_tracker(&a, i, SNAP_ATTACH_START) ? cli_finish(CLI_YES) : CLI_TROUBLE);
}

#endif
