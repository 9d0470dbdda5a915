/* snap-record from the inside: the start and the end of the program that is recorded. */
#ifndef RECORD_H
#define RECORD_H

#include <sys/types.h>

#include "cli.h"

#define RECORD_TRACKER "libsnap-track.so"
#define RECORD_CALLS   "libsnap-calls.so"

struct record_options {
	const char *output; /* pattern */
	uint64_t sample_bytes, growth_bytes, interval_ns, depth, limit_percent;
	int signal; /* 0: none */
	bool peak, references, mapped, no_symbols;
};

/* Descriptors and signals as they were found, for the program; to be called before cli_parse(). */
void record_keep_inherited(void);

/* A file in the folder above that of this program; to be freed. */
char *record_beside(const char *name);

/* Runs a command with the tracker in it.  Does not return: ends as the command did. */
_Noreturn void record_run(const struct record_options *, char **command);

/* Why no snapshot was taken of a command with that name, as far as its file tells, or NULL. */
const char *record_refusal(const char *command);

/* Gives the frames in all members of files names, if
 * snap-symbolize is there; warns if that failed. */
void record_name_frames(const char **paths, size_t count);
/* What a variable of a process was at its start, until
 * the next call; NULL: it was not there, or is not told. */
const char *record_variable(pid_t, const char *name);
/* Warns of processes with that report that still run; recorded: to their own files. */
void record_tell_left(const char *report, bool recorded);
/* Asks a program that was started with --signal, and waits until
 * it has answered; false: it was not. */
bool record_ask(pid_t);
/* Begins to record a process that runs, and ends it with a last snapshot.  Neither returns. */
_Noreturn void record_attach(const struct record_options *, const char *pid);
_Noreturn void record_detach(const struct record_options *, const char *pid);
/* Takes a snapshot of a process that runs; extension: the file for its
 * CPython, NULL: the one beside this program.  Does not return. */
_Noreturn void record_take(const struct record_options *, const char *pid, const char *extension);
/* The number of a signal by its name or number; 0 if there is none. */
int record_signal(const char *name);

#endif
