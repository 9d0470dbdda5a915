/* Calls functions in another process, on one of its
 * threads, which then goes on as if nothing had been.
 *
 * The thread is stopped when it holds no lock of the C library, the loader or an
 * allocator; all others run on.  It gets a frame on its stack as if a signal handler
 * were called, and the function returns into what ends handlers: a system call for
 * which the frame has all that it takes to restore the thread if we are killed
 * meanwhile.  That call is seen coming, and the thread is restored by ptrace instead,
 * which can also restart an interrupted system call with the time that it had left.
 *
 * All functions end snap-record with a message where they fail, and leave the process running. */
#ifndef INJECT_H
#define INJECT_H

#include "process.h"

struct inject;

struct inject *inject_begin(struct process *);
/* A copy of bytes for a function to be called; at most 8 KiB in all. */
uintptr_t inject_bytes(struct inject *, const void *bytes, size_t size);
void inject_call(struct inject *, uintptr_t function, uintptr_t first, uintptr_t second);
/* The same for a short function, whose result is wanted: it is done in single steps. */
uintptr_t inject_ask(struct inject *, uintptr_t function);
/* Lets the thread go on. */
void inject_end(struct inject *);

#endif
