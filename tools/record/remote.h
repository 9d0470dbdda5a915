/* Has CPython 3.14 itself load the extension, by the interface that it has for debuggers (PEP 768).
 *
 * The main thread runs a script the next time that it gets to a safe point of the interpreter,
 * of its own accord: nothing is stopped.  So this also works where ptrace is not known or is
 * taken, but not while the main thread waits in a system call.  The extension stays mapped. */
#ifndef REMOTE_H
#define REMOTE_H

#include "target.h"

/* Whether the process runs a CPython whose interface is known. */
bool remote_is_known(const struct process *);
/* Takes a snapshot, to a path as target_output() has it;
 * wanted: the extension, or NULL.  Does not return. */
_Noreturn void remote_take(struct attached *, const char *output, const char *wanted);

#endif
