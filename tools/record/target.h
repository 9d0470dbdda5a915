/* What both ways into a running process have in common
 * (attach.c, remote.c): names of files, and the object in it. */
#ifndef TARGET_H
#define TARGET_H

#include "process.h"
#include "snap_attach.h"

struct attached {
	struct process *process;
	uintptr_t at; /* of its struct snap_attach */
	struct snap_attach said;
};

/* To a path of SNAP_ATTACH_PATH bytes; ends snap-record where it does not fit. */
void target_append(char *out, const char *text);
/* The pattern of --output as a path for the process, which has another folder of its own. */
void target_output(char *out, const char *pattern, const struct process *);

/* False, with a message, if the process does not see our file: one in a container has others. */
bool target_sees(const struct process *, const char *path);
/* The extension for a version, as 0x030e; wanted: the one to be
 * taken, or NULL.  False, with a message, if there is none. */
bool target_extension(char *out, const char *wanted, const struct process *, unsigned version);
/* Ends snap-record if the process does not run a CPython whose objects are known. */
void target_refuse_other_than_python(const struct process *);

/* False if no object in the process has the variable, or it is of another build. */
bool target_find(struct attached *, const char *variable);
/* False, with a message, if the object could not do what it had begun. */
bool target_wait(struct attached *);
void target_rest(long milliseconds);

#endif
