/* What both ways into a running process have in common (target.h). */
#include "target.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

#define WAIT_SECONDS 60 /* for the object to do what it is to do */

void target_rest(long milliseconds)
{
	struct timespec time = {0, milliseconds * 1000000};
	nanosleep(&time, NULL);
}

/* ---- names ---- */

void target_append(char *out, const char *text)
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
	target_append(out, slash ? slash + 1 : part);
}

void target_output(char *out, const char *pattern, const struct process *p)
{
	out[0] = '\0';
	if (*pattern != '/') {
		if (!getcwd(out, SNAP_ATTACH_PATH - 1))
			exit(cli_fail("getcwd: %s", strerror(errno)));
		target_append(out, "/");
	}
	for (; *pattern; pattern++) {
		char one[2] = {*pattern, '\0'};
		if (*pattern == '%' && pattern[1])
			append_part(out, *++pattern, p);
		else
			target_append(out, one);
	}
}

/* ---- the extension ---- */

static bool is_same_file(const char *path, const char *other)
{
	struct stat a, b;
	return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
	       a.st_ino == b.st_ino;
}

bool target_sees(const struct process *p, const char *path)
{
	char there[SNAP_ATTACH_PATH + 32];
	snprintf(there, sizeof there, "/proc/%d/root%s", (int)p->pid, path);
	if (is_same_file(path, there))
		return true;
	if (access(path, R_OK) != 0)
		cli_fail("%s: %s", path, strerror(errno));
	else
		cli_fail(
			"process %d does not see %s: it is in a container, with other files; install snap there, or run it there",
			(int)p->pid, path);
	return false;
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
		target_append(out, folder);
		target_append(out, pattern);
		free(folder);
		bool is_there = glob(out, 0, NULL, &found) == 0;
		out[0] = '\0';
		if (is_there) {
			target_append(out, found.gl_pathv[0]);
			globfree(&found);
		}
	}
}

bool target_extension(char *out, const char *wanted, const struct process *p, unsigned version)
{
	out[0] = '\0';
	if (wanted) {
		char *real = realpath(wanted, NULL);
		target_append(out, real ? real : wanted);
		free(real);
	} else {
		find_extension(out, version);
	}
	if (*out)
		return target_sees(p, out);
	cli_fail("process %d runs CPython %u.%u, for which there is no extension: "
		 "make install-python PYTHON=python%u.%u, or name the snap/_snap.*.so of make "
		 "python or pip with --extension",
		 (int)p->pid, version >> 8, version & 255, version >> 8, version & 255);
	return false;
}

void target_refuse_other_than_python(const struct process *p)
{
	if (!process_symbol(p, "PyGILState_Ensure"))
		exit(cli_fail(
			"process %d runs no CPython, and is not recorded: snap-record --pid %d -o NAME begins that",
			(int)p->pid, (int)p->pid));
	if (process_symbol(p, "_Py_NegativeRefcount") ||
	    process_symbol(p, "_Py_MergeZeroLocalRefcount"))
		exit(cli_fail(
			"process %d runs a CPython that is built for debugging or without the global lock: its objects are other",
			(int)p->pid));
}

/* ---- the object ---- */

bool target_find(struct attached *a, const char *variable)
{
	a->at = process_symbol(a->process, variable);
	return a->at && process_peek(a->process, a->at, &a->said, sizeof a->said) &&
	       a->said.size == sizeof a->said;
}

static uint32_t state_of(const struct attached *a)
{
	uint32_t state;
	if (!process_peek(a->process, a->at + offsetof(struct snap_attach, state), &state,
			  sizeof state))
		exit(cli_fail("process %d ended meanwhile", (int)a->process->pid));
	return state;
}

bool target_wait(struct attached *a)
{
	uint32_t state = SNAP_ATTACH_BEGUN, yes = 1;
	time_t until = time(NULL) + WAIT_SECONDS;
	while ((state = state_of(a)) == SNAP_ATTACH_BEGUN && time(NULL) <= until)
		target_rest(2);
	if (state == SNAP_ATTACH_BEGUN) {
		process_poke(a->process, a->at + offsetof(struct snap_attach, cancelled), &yes,
			     sizeof yes);
		exit(cli_fail(
			"process %d: not done in %d seconds: code in it keeps the interpreter's lock, or much is to be written",
			(int)a->process->pid, WAIT_SECONDS));
	}
	if (!process_peek(a->process, a->at, &a->said, sizeof a->said))
		exit(cli_fail("process %d ended meanwhile", (int)a->process->pid));
	a->said.message[sizeof a->said.message - 1] = '\0';
	a->said.output[sizeof a->said.output - 1] = '\0';
	if (state == SNAP_ATTACH_FAILED)
		cli_fail("process %d: %s", (int)a->process->pid, a->said.message);
	else if (a->said.message[0])
		cli_warn(
			"process %d: %s; another one wrote it without the labels of what instances and running functions hold",
			(int)a->process->pid, a->said.message);
	return state == SNAP_ATTACH_DONE;
}
