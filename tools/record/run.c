/* Runs a program with the tracker preloaded, and ends as it did. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "record.h"

static struct {
	struct sigaction pipe, interrupt, quit;
	bool closed[3];
} inherited;

void record_keep_inherited(void)
{
	sigaction(SIGPIPE, NULL, &inherited.pipe);
	sigaction(SIGINT, NULL, &inherited.interrupt);
	sigaction(SIGQUIT, NULL, &inherited.quit);
	for (int fd = 0; fd < 3; fd++)
		inherited.closed[fd] = fcntl(fd, F_GETFD) == -1;
}

static void give_inherited(void)
{
	sigaction(SIGPIPE, &inherited.pipe, NULL);
	sigaction(SIGINT, &inherited.interrupt, NULL);
	sigaction(SIGQUIT, &inherited.quit, NULL);
	for (int fd = 0; fd < 3; fd++)
		if (inherited.closed[fd])
			close(fd);
}

/* ---- what the tracker is told ---- */

char *record_beside(const char *name)
{
	char here[4096];
	ssize_t size = readlink("/proc/self/exe", here, sizeof here - 1);
	here[size > 0 ? size : 0] = '\0';
	for (int up = 0; up < 2; up++) {
		char *slash = strrchr(here, '/');
		if (slash)
			*slash = '\0';
	}
	size_t capacity = strlen(here) + strlen(name) + 2;
	char *path = cli_resize(NULL, capacity);
	snprintf(path, capacity, "%s/%s", here, name);
	return path;
}

static char *library_path(const char *name)
{
	char *path = record_beside(name);
	if (access(path, R_OK) != 0)
		exit(cli_fail("%s: %s", path, strerror(errno)));
	if (strpbrk(path, " :"))
		exit(cli_fail("%s: a path with a space or colon cannot be preloaded", path));
	return path;
}

static void set(const char *name, const char *value)
{
	if (setenv(name, value, 1) != 0)
		exit(cli_fail("setenv: %s", strerror(errno)));
}

static void set_number(const char *name, uint64_t value)
{
	char text[24];
	snprintf(text, sizeof text, "%" PRIu64, value);
	set(name, text);
}

static char *append(char *path, const char *others)
{
	size_t size = strlen(path);
	path = cli_resize(path, size + strlen(others) + 2);
	sprintf(path + size, ":%s", others);
	return path;
}

static void preload(bool references)
{
	char *path = library_path("lib/" RECORD_TRACKER);
	const char *others = getenv("LD_PRELOAD");
	if (references) {
		char *calls = library_path("lib/" RECORD_CALLS);
		path = append(path, calls);
		free(calls);
	}
	if (others && *others)
		path = append(path, others);
	set("LD_PRELOAD", path);
	free(path);
}

static void set_environment(const struct record_options *o, const char *report)
{
	preload(o->references);
	set("SNAP_TRACK_OUTPUT", o->output);
	set("SNAP_TRACK_REPORT", report);
	set_number("SNAP_TRACK_SAMPLE", o->sample_bytes);
	set_number("SNAP_TRACK_DEPTH", o->depth);
	set_number("SNAP_TRACK_GROWTH", o->growth_bytes);
	set_number("SNAP_TRACK_INTERVAL", o->interval_ns);
	set_number("SNAP_TRACK_PEAK", o->peak);
	set_number("SNAP_TRACK_REFERENCES", o->references);
	set_number("SNAP_TRACK_NEAR_LIMIT", o->limit_percent);
	set_number("SNAP_TRACK_MMAP", o->mapped);
	set_number("SNAP_TRACK_SIGNAL", (uint64_t)o->signal);
}

/* ---- the program ---- */

static pid_t program;

static void pass_on(int number)
{
	kill(program, number);
}

/* What a terminal sends reaches the program without us; what others send us is meant for it. */
static void set_signals(void)
{
	struct sigaction pass = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
	sigaction(SIGTERM, &pass, NULL);
	sigaction(SIGHUP, &pass, NULL);
	signal(SIGINT, SIG_IGN);
	signal(SIGQUIT, SIG_IGN);
}

/* Tells its parent, through the pipe, why it could not become the command. */
static _Noreturn void become(char **command, int failed)
{
	set_number("SNAP_TRACK_PID", (uint64_t)getpid());
	give_inherited();
	execvp(command[0], command);
	int error = errno;
	if (write(failed, &error, sizeof error) < 0)
		_exit(CLI_TROUBLE);
	_exit(CLI_TROUBLE);
}

static void start(char **command)
{
	int ends[2], error = 0;
	if (pipe2(ends, O_CLOEXEC) != 0)
		exit(cli_fail("pipe: %s", strerror(errno)));
	program = fork();
	if (program < 0)
		exit(cli_fail("fork: %s", strerror(errno)));
	if (program == 0)
		become(command, ends[1]);
	set_signals();
	close(ends[1]);
	ssize_t got = read(ends[0], &error, sizeof error);
	close(ends[0]);
	if (got == (ssize_t)sizeof error) {
		waitpid(program, NULL, 0);
		exit(cli_fail("%s: %s", command[0], strerror(error)));
	}
}

static int wait_for_program(void)
{
	int status = 0;
	while (waitpid(program, &status, 0) < 0 && errno == EINTR)
		continue;
	return status;
}

/* ---- the end ---- */

static void say_why_none(const char *command)
{
	const char *why = record_refusal(command);
	cli_fail("no snapshot was taken: %s",
		 why ? why
		     : "the program, or one that it runs, may be statically linked or privileged, "
		       "or it was killed, or ended without the C library");
}

/* A program may be killed while a snapshot of it is being written: what writes it has the report
 * locked.  What would begin to write now waits until all has its names. */
static FILE *open_report(const char *report)
{
	FILE *file = fopen(report, "re");
	while (file && flock(fileno(file), LOCK_EX) != 0 && errno == EINTR)
		continue;
	return file;
}

/* That the program has at its end: it may have taken another one. */
static uid_t user_at_end(void)
{
	siginfo_t info = {.si_uid = geteuid()};
	while (waitid(P_PID, (id_t)program, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR)
		continue;
	return info.si_uid;
}

static bool add_once(struct cli_list *list, const char *text)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], text) == 0)
			return false;
	list->items = cli_resize(list->items, (list->count + 1) * sizeof(*list->items));
	char *copy = cli_resize(NULL, strlen(text) + 1);
	list->items[list->count++] = strcpy(copy, text);
	return true;
}

/* Each line of the report is "+PATH", a snapshot that was written, "?PATH", one without the
 * blocks of the program's own allocator, "!PATH", one whose blocks were not all seen to be
 * freed, or "-PATH: reason", one that was not written. */
static bool read_report(FILE *file, const char *command, struct cli_list *written)
{
	char *line = NULL;
	size_t capacity = 0;
	struct cli_list failed = {0}, doubted = {0};
	for (ssize_t size; file && (size = getline(&line, &capacity, file)) > 0;) {
		line[size - 1] = '\0';
		if (line[0] == '!' && add_once(&doubted, line + 1))
			cli_warn(
				"%s: some blocks were freed unseen, and others may seem live for that: libraries that are "
				"loaded with RTLD_DEEPBIND, as PHP's extensions are, call free() past the recorder",
				line + 1);
		if (!add_once(line[0] == '-' ? &failed : written, line + 1))
			continue;
		if (line[0] == '-')
			cli_fail("%s", line + 1);
		else if (line[0] == '?')
			cli_warn(
				"%s: the program brings malloc itself, so that its blocks are not seen",
				line + 1);
	}
	free(line);
	if (written->count + failed.count == 0)
		say_why_none(command);
	return written->count > 0 && failed.count == 0;
}

static _Noreturn void end_as(int status, bool whole)
{
	if (WIFSIGNALED(status)) {
		struct rlimit none = {0, 0};
		setrlimit(RLIMIT_CORE, &none);
		signal(WTERMSIG(status), SIG_DFL);
		raise(WTERMSIG(status));
		exit(128 + WTERMSIG(status));
	}
	exit(WEXITSTATUS(status) == 0 && !whole ? CLI_TROUBLE : WEXITSTATUS(status));
}

/* A file that only those find who know its name: a program of
 * root's may take another user, who then writes to it, too. */
static void make_report(char *folder, size_t size, char *report)
{
	const char *where = getenv("TMPDIR");
	uint64_t random[2];
	snprintf(folder, size, "%s/snap-record-XXXXXX", where && *where ? where : "/tmp");
	bool good = mkdtemp(folder) && chmod(folder, 0711) == 0 &&
		    getrandom(random, sizeof random, 0) == (ssize_t)sizeof random;
	sprintf(report, "%s/%016" PRIx64 "%016" PRIx64, folder, random[0], random[1]);
	int file = good ? open(report, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
	if (file < 0 || fchmod(file, geteuid() == 0 ? 0622 : 0600) != 0)
		exit(cli_fail("%s: %s: set TMPDIR to a folder that can be written to", folder,
			      strerror(errno)));
	close(file);
}

void record_run(const struct record_options *options, char **command)
{
	char folder[4096], report[sizeof folder + 64];
	make_report(folder, sizeof folder, report);
	set_environment(options, report);
	start(command);
	uid_t user = user_at_end();
	int status = wait_for_program();
	struct cli_list written = {0};
	FILE *said = open_report(report);
	bool whole = read_report(said, command[0], &written);
	if (!whole && user != geteuid())
		cli_warn(
			"the program had become user %u, who must be allowed to write %s, and to enter %s",
			user, options->output, folder);
	if (WIFEXITED(status))
		record_tell_left(report, strstr(options->output, "%p") != NULL);
	unlink(report);
	rmdir(folder);
	unsetenv("LD_PRELOAD");
	if (!options->no_symbols)
		record_name_frames(written.items, written.count);
	for (size_t i = 0; i < written.count && strchr(options->output, '%'); i++)
		cli_note("wrote %s", written.items[i]);
	if (said)
		fclose(said);
	end_as(status, whole);
}
