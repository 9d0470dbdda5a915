/* Has CPython 3.14 itself load the extension (remote.h). */
#include "remote.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cli.h"

#define VERSION       0x030eu
#define START_SECONDS 10 /* for the main thread to get to a safe point, and to load the extension */
#define STOP_BIT      0x20u /* of eval_breaker */
#define SCRIPT        "script.py"
#define SAID          "said"

/* The head of _PyRuntime: where debuggers find what they need. */
struct offsets {
	char cookie[8];
	uint64_t version, free_threaded;
	uint64_t runtime_size, finalizing, interpreters;
	uint64_t interpreter_size, id, next, threads, main_thread;
	uint64_t others[78];
	uint64_t breaker, support, enabled, pending, script, script_size;
};

struct remote {
	const struct process *process;
	uintptr_t breaker, pending, script; /* of the main thread */
	uint64_t script_size;
};

/* ---- the interpreter ---- */

static bool read_offsets(const struct process *p, uintptr_t *runtime, struct offsets *o)
{
	*runtime = process_symbol(p, "_PyRuntime");
	return *runtime && process_peek(p, *runtime, o, sizeof *o) &&
	       memcmp(o->cookie, "xdebugpy", sizeof o->cookie) == 0 && o->version >> 16 == VERSION;
}

bool remote_is_known(const struct process *p)
{
	uintptr_t runtime;
	struct offsets offsets;
	return read_offsets(p, &runtime, &offsets);
}

/* The main one, which is the oldest; 0: there is none. */
static uintptr_t find_interpreter(const struct process *p, uintptr_t runtime,
				  const struct offsets *o)
{
	uintptr_t interpreter = 0;
	int64_t id = 0;
	if (!process_peek(p, runtime + o->interpreters, &interpreter, sizeof interpreter))
		return 0;
	while (interpreter && process_peek(p, interpreter + o->id, &id, sizeof id) && id != 0)
		if (!process_peek(p, interpreter + o->next, &interpreter, sizeof interpreter))
			return 0;
	return interpreter;
}

static void find_main_thread(struct remote *r)
{
	struct offsets o;
	uintptr_t runtime, interpreter = 0, thread = 0;
	int enabled = 0, pid = (int)r->process->pid;
	if (!read_offsets(r->process, &runtime, &o) ||
	    !(interpreter = find_interpreter(r->process, runtime, &o)) ||
	    !process_peek(r->process, interpreter + o.main_thread, &thread, sizeof thread) ||
	    !thread || !process_peek(r->process, interpreter + o.enabled, &enabled, sizeof enabled))
		exit(cli_fail("process %d: the interpreter is starting or ending", pid));
	if (!enabled)
		exit(cli_fail(
			"process %d: its CPython refuses remote debugging (PYTHON_DISABLE_REMOTE_DEBUG, or "
			"-X disable-remote-debug)",
			pid));
	r->breaker = thread + o.breaker;
	r->pending = thread + o.support + o.pending;
	r->script = thread + o.support + o.script;
	r->script_size = o.script_size;
}

/* Of the breaker the lowest byte alone is written: in
 * the others is what the interpreter sets only once. */
static void ask(const struct remote *r, const char *path)
{
	int32_t pending = 0, yes = 1;
	unsigned char breaker;
	if (process_peek(r->process, r->pending, &pending, sizeof pending) && pending)
		exit(cli_fail("process %d: a script of another debugger is waiting to be run in it",
			      (int)r->process->pid));
	if (strlen(path) >= r->script_size ||
	    !process_poke(r->process, r->script, path, strlen(path) + 1) ||
	    !process_poke(r->process, r->pending, &yes, sizeof yes) ||
	    !process_peek(r->process, r->breaker, &breaker, sizeof breaker))
		exit(cli_fail("process %d: its memory cannot be written: %s", (int)r->process->pid,
			      strerror(errno)));
	breaker |= STOP_BIT;
	process_poke(r->process, r->breaker, &breaker, sizeof breaker);
}

/* ---- the script ---- */

static char folder[] = "/tmp/snap-record.XXXXXX";
static int folder_fd = -1;

static void remove_folder(void)
{
	unlinkat(folder_fd, SCRIPT, 0);
	unlinkat(folder_fd, SAID, 0);
	rmdir(folder);
}

/* The user of the process must be able to read it, and to write beside it. */
static bool give_to_user(const struct process *p, int fd)
{
	unsigned user = 0;
	sscanf(process_status(p, "status", "Uid"), "%*u %u", &user);
	return user == geteuid() || fchown(fd, user, (gid_t)-1) == 0;
}

static void print_bytes(FILE *out, const char *name, const char *text)
{
	fprintf(out, "\t%s = b\"", name);
	for (; *text; text++)
		fprintf(out, "\\x%02x", (unsigned char)*text);
	fprintf(out, "\"\n");
}

/* Past its time it does nothing: should we be killed, it
 * may still be waiting.  No lock of an import is taken. */
static void print_script(FILE *out, const char *extension, const char *output)
{
	char said[sizeof folder + sizeof SAID];
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	snprintf(said, sizeof said, "%s/" SAID, folder);
	fprintf(out, "def take():\n\timport _imp, sys, time\n");
	print_bytes(out, "extension", extension);
	print_bytes(out, "output", output);
	print_bytes(out, "said", said);
	fprintf(out, "\tif time.monotonic() > %lld:\n\t\treturn\n",
		(long long)now.tv_sec + START_SECONDS + 1);
	fprintf(out, "%s",
		"\tclass spec:\n"
		"\t\tname = 'snap._snap'\n"
		"\t\torigin = extension.decode(sys.getfilesystemencoding(), 'surrogateescape')\n"
		"\ttry:\n"
		"\t\tout = open(said, 'w', encoding='utf-8', errors='replace')\n"
		"\texcept OSError:\n"
		"\t\treturn\n"
		"\twith out:\n"
		"\t\tknown = sys.modules.get(spec.name)\n"
		"\t\ttry:\n"
		"\t\t\t(known or _imp.create_dynamic(spec)).attach(output)\n"
		"\t\t\tout.write('begun')\n"
		"\t\texcept Exception as error:\n"
		"\t\t\tout.write('%s: %s' % (type(error).__name__, error))\n"
		"\t\tif known is None:\n"
		"\t\t\tsys.modules.pop(spec.name, None)\n"
		"take()\n");
}

static void write_script(const struct process *p, char *path, size_t size, const char *extension,
			 const char *output)
{
	if (!mkdtemp(folder))
		exit(cli_fail("%s: %s", folder, strerror(errno)));
	folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	atexit(remove_folder);
	snprintf(path, size, "%s/" SCRIPT, folder);
	int fd = openat(folder_fd, SCRIPT, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	FILE *out = fd >= 0 ? fdopen(fd, "w") : NULL;
	if (out)
		print_script(out, extension, output);
	if (!out || !give_to_user(p, fd) || !give_to_user(p, folder_fd) || fclose(out) != 0)
		exit(cli_fail("%s: %s", path, strerror(errno)));
	if (!target_sees(p, path))
		exit(CLI_TROUBLE);
}

/* ---- its answer ---- */

static volatile sig_atomic_t is_interrupted;

static void interrupt(int number)
{
	(void)number;
	is_interrupted = 1;
}

static void catch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
	struct sigaction action = {.sa_handler = interrupt};
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		sigaction(numbers[i], &action, NULL);
}

/* False if there is none yet. */
static bool read_answer(char *out, size_t size)
{
	int fd = openat(folder_fd, SAID, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t got = fd >= 0 ? read(fd, out, size - 1) : 0;
	if (fd >= 0)
		close(fd);
	out[got > 0 ? got : 0] = '\0';
	return got > 0;
}

static void wait_for_answer(const struct remote *r, char *out, size_t size)
{
	int32_t pending = 1, no = 0;
	time_t until = time(NULL) + START_SECONDS;
	while (!read_answer(out, size) && time(NULL) <= until && !is_interrupted) {
		if (!process_peek(r->process, r->pending, &pending, sizeof pending))
			exit(cli_fail("process %d ended meanwhile", (int)r->process->pid));
		target_rest(2);
	}
	if (*out)
		return;
	if (pending)
		process_poke(r->process, r->pending, &no, sizeof no);
	target_rest(100); /* a script that was just begun finds its folder */
	if (read_answer(out, size))
		return;
	if (is_interrupted)
		exit(cli_fail("process %d: interrupted", (int)r->process->pid));
	exit(cli_fail(
		"process %d: its main thread ran no Python code in %d seconds: it waits in a system call or in a library, and can "
		"be asked when it returns",
		(int)r->process->pid, START_SECONDS));
}

_Noreturn void remote_take(struct attached *a, const char *output, const char *wanted)
{
	struct remote remote = {.process = a->process};
	char extension[SNAP_ATTACH_PATH], script[64], answer[1024];
	find_main_thread(&remote);
	if (!target_extension(extension, wanted, a->process, VERSION))
		exit(CLI_TROUBLE);
	catch_signals();
	write_script(a->process, script, sizeof script, extension, output);
	ask(&remote, script);
	wait_for_answer(&remote, answer, sizeof answer);
	if (strcmp(answer, "begun") != 0)
		exit(cli_fail("process %d: %s", (int)a->process->pid, answer));
	process_read_mappings(a->process);
	if (!target_find(a, "snap_python_attach"))
		exit(cli_fail("%s is of another build than snap-record", extension));
	exit(target_wait(a) ? cli_finish(CLI_YES) : CLI_TROUBLE);
}
