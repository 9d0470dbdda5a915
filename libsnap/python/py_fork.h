/* A child that writes the snapshot, while the process goes on. */
#ifndef SNAP_PY_FORK_H
#define SNAP_PY_FORK_H

#include "py_walk.h"

struct py_fork {
	pid_t child;
	int result; /* the end of a pipe from which the child's struct py_outcome comes */
	double stopped_seconds;
};
/* What the child says at its end. */
struct py_outcome {
	int32_t status, os_errno;
	char message[232];
};
/* To be called with the interpreter's lock; adds what
 * options say of the moment.  False with errno. */
bool py_fork_dump(struct py_options *, struct py_fork *);

#endif
