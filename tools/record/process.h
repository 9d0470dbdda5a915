/* Another process, as far as /proc and its memory tell:
 * mappings, modules and their symbols, threads. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_mapping {
	uintptr_t start, end, offset;
	bool readable, executable;
	/* code in it may hold locks of the C library, the loader or an allocator */
	bool keeps_locks;
	char *path; /* "": anonymous */
};

struct process {
	pid_t pid;
	struct process_mapping *mappings; /* ascending */
	size_t count;
	bool own_allocator; /* the program itself defines malloc */
};

/* Each ends snap-record with a message if the process
 * cannot be seen, or cannot be attached to for good. */
void process_open(struct process *, const char *pid);
void process_read_mappings(struct process *);
/* Only one process can be the tracer of another; 0: none is. */
pid_t process_tracer(const struct process *);
void process_refuse_tracer(const struct process *);

/* Not once the process has ended. */
bool process_peek(const struct process *, uintptr_t address, void *out, size_t size);
bool process_poke(const struct process *, uintptr_t address, const void *bytes, size_t size);
/* A string at an address, cut where it does not fit. */
void process_peek_text(const struct process *, uintptr_t address, char *out, size_t size);

/* NULL if there is none. */
const struct process_mapping *process_mapping_at(const struct process *, uintptr_t address);
/* A function or variable that a module exports; 0 if none does. */
uintptr_t process_symbol(const struct process *, const char *name);
/* The value of a line of /proc/PID/FILE that begins
 * with "NAME:", or "" ; kept until the next call. */
const char *process_status(const struct process *, const char *file, const char *name);

#endif
