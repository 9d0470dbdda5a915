/* Loads an object into a running process and has it do something there. */
#if defined(__x86_64__)
#include <dlfcn.h>
#include <errno.h>
#include <glob.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "inject.h"
#include "record.h"
#include "snap_attach.h"

#define WAIT_SECONDS 60 /* for the object to do what it is to do */
#define END_SECONDS  2  /* for its thread to be gone */

static void rest(long milliseconds)
{
	struct timespec time = {0, milliseconds * 1000000};
	nanosleep(&time, NULL);
}

/* ---- names ---- */

static void append(char *out, const char *text)
{
	size_t size = strlen(out), more = strlen(text);
	if (size + more >= SNAP_ATTACH_PATH)
		exit(cli_fail("%s%s: %s", out, text, strerror(ENAMETOOLONG)));
	memcpy(out + size, text, more + 1);
}

static void append_part(char *out, char what, const struct process *p)
{
	char part[SNAP_ATTACH_PATH] = "", link[64];
	switch (what) {
	case 'p': snprintf(part, sizeof part, "%d", (int)p->pid); break;
	case 't': snprintf(part, sizeof part, "%lld", (long long)time(NULL)); break;
	case 'h': gethostname(part, sizeof part - 1); break;
	case 'e': {
		snprintf(link, sizeof link, "/proc/%d/exe", (int)p->pid);
		ssize_t size = readlink(link, part, sizeof part - 1);
		part[size > 0 ? size : 0] = '\0';
		break;
	}
	case '%': snprintf(part, sizeof part, "%%"); break;
	default: snprintf(part, sizeof part, "%%%c", what); break;
	}
	const char *slash = strrchr(part, '/');
	append(out, slash ? slash + 1 : part);
}

/* The pattern of --output as a path for the process, which has another folder of its own. */
static void make_output(char *out, const char *pattern, const struct process *p)
{
	out[0] = '\0';
	if (*pattern != '/') {
		if (!getcwd(out, SNAP_ATTACH_PATH - 1))
			exit(cli_fail("getcwd: %s", strerror(errno)));
		append(out, "/");
	}
	for (; *pattern; pattern++) {
		char one[2] = {*pattern, '\0'};
		if (*pattern == '%' && pattern[1])
			append_part(out, *++pattern, p);
		else
			append(out, one);
	}
}

/* ---- the object ---- */

static bool is_same_file(const char *path, const char *other)
{
	struct stat a, b;
	return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

/* A process in a container sees other files. */
static void refuse_invisible(const struct process *p, const char *path, struct inject *i)
{
	char there[SNAP_ATTACH_PATH + 32];
	snprintf(there, sizeof there, "/proc/%d/root%s", (int)p->pid, path);
	if (is_same_file(path, there))
		return;
	inject_end(i);
	if (access(path, R_OK) != 0)
		exit(cli_fail("%s: %s", path, strerror(errno)));
	exit(cli_fail("process %d does not see %s: it is in a container, with other files; install snap there, or run it there",
			      (int)p->pid, path));
}

static void refuse_other_allocator(const struct process *p)
{
	static const char *const sanitizers[] = {"__asan_init", "__tsan_init", "__msan_init"};
	for (size_t i = 0; i < sizeof sanitizers / sizeof *sanitizers; i++)
		if (process_symbol(p, sanitizers[i]))
			exit(cli_fail("process %d has a sanitizer, which is an allocator of its own", (int)p->pid));
}

/* Loads the object, unless it is there; the process then has symbols of it. */
static void load(struct process *p, struct inject *i, const char *path)
{
	uintptr_t open = process_symbol(p, "dlopen"), why = process_symbol(p, "dlerror");
	char reason[1024];
	if (!open || !why) {
		inject_end(i);
		exit(cli_fail("process %d has no dlopen(): nothing can be loaded into it", (int)p->pid));
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

struct attached {
	struct process *process;
	uintptr_t at; /* of its struct snap_attach */
	struct snap_attach said;
};

/* False if there is none, or it is of another build. */
static bool find_object(struct attached *a, const char *variable)
{
	a->at = process_symbol(a->process, variable);
	return a->at && process_peek(a->process, a->at, &a->said, sizeof a->said) && a->said.size == sizeof a->said;
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

static uint32_t state_of(const struct attached *a)
{
	uint32_t state;
	if (!process_peek(a->process, a->at + offsetof(struct snap_attach, state), &state, sizeof state))
		exit(cli_fail("process %d ended meanwhile", (int)a->process->pid));
	return state;
}

/* False, with a message, if the object could not. */
static bool wait_until_done(struct attached *a)
{
	uint32_t state = SNAP_ATTACH_BEGUN, yes = 1;
	time_t until = time(NULL) + WAIT_SECONDS;
	while ((state = state_of(a)) == SNAP_ATTACH_BEGUN && time(NULL) <= until)
		rest(2);
	if (state == SNAP_ATTACH_BEGUN) {
		process_poke(a->process, a->at + offsetof(struct snap_attach, cancelled), &yes, sizeof yes);
		exit(cli_fail("process %d: not done in %d seconds: code in it keeps the interpreter's lock, or much is to be written",
			      (int)a->process->pid, WAIT_SECONDS));
	}
	if (!process_peek(a->process, a->at, &a->said, sizeof a->said))
		exit(cli_fail("process %d ended meanwhile", (int)a->process->pid));
	a->said.message[sizeof a->said.message - 1] = '\0';
	a->said.output[sizeof a->said.output - 1] = '\0';
	if (state == SNAP_ATTACH_FAILED)
		cli_fail("process %d: %s", (int)a->process->pid, a->said.message);
	return state == SNAP_ATTACH_DONE;
}

/* Nothing is to be left: the object goes when its thread has gone. */
static void unload(const struct attached *a)
{
	char path[32];
	if (a->said.handle == 0)
		return;
	snprintf(path, sizeof path, "task/%d/status", (int)a->said.tid);
	for (unsigned i = 0; i < END_SECONDS * 500 && *process_status(a->process, path, "State"); i++)
		rest(2);
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
	uintptr_t constant = process_symbol(p, "Py_Version"), function = process_symbol(p, "Py_GetVersion");
	if (constant && process_peek(p, constant, &number, sizeof number))
		return (unsigned)(number >> 16);
	if (function)
		process_peek_text(p, inject_ask(i, function), text, sizeof text);
	return sscanf(text, "%u.%u", &major, &minor) == 2 ? major << 8 | minor : 0;
}

/* The extension beside this program, as it was built or installed; "" if it is not there. */
static void find_extension(char *out, unsigned version)
{
	static const char *const folders[] = {"python/snap", "lib/snap/python/snap"};
	char pattern[64];
	snprintf(pattern, sizeof pattern, "/_snap.cpython-%u%u-*.so", version >> 8, version & 255);
	for (size_t i = 0; i < sizeof folders / sizeof *folders && !*out; i++) {
		glob_t found;
		char *folder = record_beside(folders[i]);
		append(out, folder);
		append(out, pattern);
		free(folder);
		bool is_there = glob(out, 0, NULL, &found) == 0;
		out[0] = '\0';
		if (is_there) {
			append(out, found.gl_pathv[0]);
			globfree(&found);
		}
	}
}

static void refuse_other_than_python(const struct process *p)
{
	if (!process_symbol(p, "PyGILState_Ensure"))
		exit(cli_fail("process %d runs no CPython, and is not recorded: snap-record --pid %d -o NAME begins that", (int)p->pid,
			      (int)p->pid));
	if (process_symbol(p, "_Py_NegativeRefcount") || process_symbol(p, "_Py_MergeZeroLocalRefcount"))
		exit(cli_fail("process %d runs a CPython that is built for debugging or without the global lock: its objects are other",
			      (int)p->pid));
}

static void choose_extension(char *out, const char *wanted, struct process *p, struct inject *i)
{
	unsigned version = python_version(p, i);
	out[0] = '\0';
	if (wanted) {
		char *real = realpath(wanted, NULL);
		append(out, real ? real : wanted);
		free(real);
	} else {
		find_extension(out, version);
	}
	if (*out)
		refuse_invisible(p, out, i);
	if (!*out) {
		inject_end(i);
		exit(cli_fail("process %d runs CPython %u.%u, for which the extension is not built: make python PYTHON=python%u.%u, or "
			      "--extension=FILE",
			      (int)p->pid, version >> 8, version & 255, version >> 8, version & 255));
	}
}

static _Noreturn void take_python(const struct record_options *options, struct attached *a, const char *wanted)
{
	struct process *process = a->process;
	char extension[SNAP_ATTACH_PATH], output[SNAP_ATTACH_PATH];
	refuse_other_than_python(process);
	make_output(output, options->output, process);
	struct inject *i = inject_begin(process);
	choose_extension(extension, wanted, process, i);
	load(process, i, extension);
	if (!find_object(a, "snap_python_attach")) {
		inject_end(i);
		exit(cli_fail("%s is of another build than snap-record", extension));
	}
	strcpy(a->said.output, output);
	begin(a, i, "snap_python_attach_begin");
	bool done = wait_until_done(a);
	unload(a);
	exit(done ? cli_finish(CLI_YES) : CLI_TROUBLE);
}

/* ---- the tracker ---- */

static bool ask_tracker(struct attached *a, struct inject *i, enum snap_attach_wish wish)
{
	a->said.wish = wish;
	begin(a, i, "snap_track_attach_begin");
	return wait_until_done(a);
}

void record_take(const struct record_options *options, const char *pid, const char *extension)
{
	struct process process;
	struct attached a = {.process = &process};
	process_open(&process, pid);
	if (record_ask(process.pid))
		exit(cli_finish(CLI_YES));
	if (!find_object(&a, "snap_track_attach") || !a.said.is_recording)
		take_python(options, &a, extension);
	exit(ask_tracker(&a, inject_begin(&process), SNAP_ATTACH_TAKE) ? cli_finish(CLI_YES) : CLI_TROUBLE);
}

void record_detach(const struct record_options *options, const char *pid)
{
	struct process process;
	struct attached a = {.process = &process};
	process_open(&process, pid);
	if (!find_object(&a, "snap_track_attach") || !a.said.is_recording)
		exit(cli_fail("process %d is not recorded", (int)process.pid));
	bool done = ask_tracker(&a, inject_begin(&process), SNAP_ATTACH_END);
	if (done && !options->no_symbols && access(a.said.output, W_OK) == 0)
		record_name_frames(a.said.output);
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
		append(said->output, "/");
	}
	append(said->output, o->output);
}

void record_attach(const struct record_options *options, const char *pid)
{
	struct process process;
	struct attached a = {.process = &process};
	char *tracker = record_beside("lib/" RECORD_TRACKER);
	process_open(&process, pid);
	refuse_other_allocator(&process);
	if (find_object(&a, "snap_track_attach") && a.said.is_recording)
		exit(cli_fail("process %d is recorded already", (int)process.pid));
	struct inject *i = inject_begin(&process);
	if (!a.at) {
		refuse_invisible(&process, tracker, i);
		load(&process, i, tracker);
	}
	if (!find_object(&a, "snap_track_attach")) {
		inject_end(i);
		exit(cli_fail("process %d has another build of snap in it", (int)process.pid));
	}
	tell_options(&a.said, options);
	exit(ask_tracker(&a, i, SNAP_ATTACH_START) ? cli_finish(CLI_YES) : CLI_TROUBLE);
}

#endif
