/* damage STRIDE FILE COMMAND...: runs the command on damaged
 * copies of FILE, of which {} in an argument is the path.
 *
 * Damage: every STRIDE-th bit flipped, every STRIDE-th length cut, every block dropped,
 * repeated, exchanged with the next, bytes and a copy of the file put before and after.
 * The command must exit 2, or print and exit as it does for the whole file; with
 * --partial it may also exit 3, and with STRICT set it must exit 2.  Prints what it did
 * not notice.  JOBS says how many run at a time, WHOLE at which length the file can be
 * cut and be whole.  Exit 3: the command cannot answer for the whole file either. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapfmt.h"

#define MAX_SIZE   (1u << 20)
#define MAX_BLOCKS 4096
#define MAX_JOBS   64
#define COPY       200 /* the descriptor of the damaged copy, which is in memory */
#define COPY_PATH  "/dev/fd/200"

extern char **environ;

struct run {
	int status; /* as a shell sees it: 128 + signal */
	char *output;
	size_t size, capacity;
};

struct work {
	char **command;
	bool partial, strict;
	size_t whole_size; /* a length at which a copy is whole, too */
	struct run whole;
	unsigned worker, jobs;
	uint64_t copies, runs, failures;
};

static void *need(void *pointer)
{
	if (!pointer) {
		perror("damage");
		exit(2);
	}
	return pointer;
}

static char *replace(const char *argument, const char *path)
{
	const char *braces = strstr(argument, "{}");
	if (!braces)
		return need(strdup(argument));
	char *out = need(malloc(strlen(argument) + strlen(path)));
	size_t before = (size_t)(braces - argument);
	memcpy(out, argument, before);
	strcpy(out + before, path);
	strcat(out, braces + 2);
	return out;
}

static void read_all(int descriptor, struct run *run)
{
	run->size = 0;
	for (;;) {
		if (run->capacity - run->size < 65536) {
			run->capacity += 65536;
			run->output = need(realloc(run->output, run->capacity));
		}
		ssize_t got = read(descriptor, run->output + run->size, run->capacity - run->size);
		if (got == 0)
			return;
		if (got < 0 && errno != EINTR) {
			perror("damage: read");
			exit(2);
		}
		run->size += got > 0 ? (size_t)got : 0;
	}
}

static void run_command(const struct work *w, struct run *run)
{
	char *arguments[64];
	size_t count = 0;
	for (; count < 63 && w->command[count]; count++)
		arguments[count] = replace(w->command[count], COPY_PATH);
	arguments[count] = NULL;
	int ends[2];
	if (pipe2(ends, O_CLOEXEC) != 0)
		need(NULL);
	posix_spawn_file_actions_t actions;
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
	posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	pid_t child;
	int failed = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
	posix_spawn_file_actions_destroy(&actions);
	close(ends[1]);
	if (failed) {
		fprintf(stderr, "damage: %s: %s\n", arguments[0], strerror(failed));
		exit(2);
	}
	read_all(ends[0], run);
	close(ends[0]);
	int status;
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		continue;
	run->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	for (size_t i = 0; i < count; i++)
		free(arguments[i]);
}

static void write_copy(const uint8_t *bytes, size_t size)
{
	if (ftruncate(COPY, (off_t)size) != 0 || pwrite(COPY, bytes, size, 0) != (ssize_t)size)
		need(NULL);
}

/* Copies are dealt out to the workers in turn. */
static void try(struct work *w, const uint8_t *bytes, size_t size, const char *what, size_t where)
{
	static struct run run; /* its buffer is used again */
	if (w->copies++ % w->jobs != w->worker)
		return;
	write_copy(bytes, size);
	run_command(w, &run);
	w->runs++;
	if (run.status == 2 || (w->partial && run.status == 3))
		return;
	if (!w->strict && run.status == w->whole.status && run.size == w->whole.size &&
	    memcmp(run.output, w->whole.output, run.size) == 0)
		return;
	if (w->failures++ < 20)
		printf("not noticed, exit %d: %s %zu\n", run.status, what, where);
}

static void try_pieces(struct work *w, const uint8_t *bytes, size_t size, const size_t *order,
		       size_t count, const size_t *bounds, const char *what, size_t where)
{
	static uint8_t copy[2 * MAX_SIZE];
	size_t used = bounds[0], end = bounds[count];
	memcpy(copy, bytes, used);
	for (const size_t *at = order; *at != SIZE_MAX; at++) {
		memcpy(copy + used, bytes + bounds[*at], bounds[*at + 1] - bounds[*at]);
		used += bounds[*at + 1] - bounds[*at];
	}
	memcpy(copy + used, bytes + end, size - end);
	if (used != end || memcmp(copy, bytes, size) != 0)
		try(w, copy, used + size - end, what, where);
}

/* Blocks i and i + 1 as first, second and third say; the others as they are. */
static void try_order(struct work *w, const uint8_t *bytes, size_t size, const size_t *bounds,
		      size_t count, size_t i, const char *what)
{
	static size_t order[MAX_BLOCKS + 2];
	size_t used = 0;
	for (size_t k = 0; k < count; k++) {
		if (k == i && *what == 'd')
			continue;
		if (k == i && *what == 'e')
			order[used++] = k + 1;
		order[used++] = k;
		if (k == i && *what == 'r')
			order[used++] = k;
		if (k == i && *what == 'e')
			k++;
	}
	order[used] = SIZE_MAX;
	try_pieces(w, bytes, size, order, count, bounds, what, i);
}

static void try_blocks(struct work *w, const uint8_t *bytes, size_t size)
{
	static size_t bounds[MAX_BLOCKS + 1] = {SNAPFMT_HEADER_SIZE};
	struct snapfmt_block block;
	const char *reason;
	size_t count = 0;
	while (count < MAX_BLOCKS) {
		struct cursor c = cursor_over(bytes + bounds[count], size - bounds[count]);
		if (snapfmt_read_block(&c, &block, &reason) != SNAPFMT_GOOD)
			break;
		bounds[count + 1] =
			bounds[count] + snapfmt_block_header_size(&block) + block.stored_size;
		count++;
	}
	for (size_t i = 0; i < count; i++) {
		try_order(w, bytes, size, bounds, count, i, "dropped block");
		try_order(w, bytes, size, bounds, count, i, "repeated block");
		if (i + 1 < count)
			try_order(w, bytes, size, bounds, count, i, "exchanged block");
	}
}

static void try_all(struct work *w, uint8_t *bytes, size_t size, size_t stride)
{
	for (size_t bit = 0; bit < 8 * size; bit += stride) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		try(w, bytes, size, "bit", bit);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t cut = 0; cut < size; cut += stride)
		if (cut == 0 || cut != w->whole_size)
			try(w, bytes, cut, "cut to", cut);
	try_blocks(w, bytes, size);
	uint8_t *longer = need(malloc(2 * size + 2));
	memcpy(longer, bytes, size);
	longer[size] = 0;
	try(w, longer, size + 1, "a zero byte after", size);
	longer[0] = '\n';
	memcpy(longer + 1, bytes, size);
	try(w, longer, size + 1, "a newline before", 0);
	memcpy(longer, bytes, size / 2);
	memcpy(longer + size / 2, bytes, size);
	try(w, longer, size / 2 + size, "half of it before", size / 2);
	memcpy(longer, bytes, size);
	memcpy(longer + size, bytes, size / 2);
	try(w, longer, size + size / 2, "half of it after", size / 2);
	free(longer);
}

static void make_copy(void)
{
	int file = memfd_create("damage", MFD_CLOEXEC);
	if (file < 0 || dup2(file, COPY) < 0)
		need(NULL);
	close(file);
}

/* Returns how many were tried and not noticed, in w. */
static void run_workers(struct work *w, uint8_t *bytes, size_t size, size_t stride)
{
	int ends[2];
	if (pipe(ends) != 0)
		need(NULL);
	fflush(stdout);
	for (unsigned k = 0; k < w->jobs; k++) {
		pid_t child = fork();
		if (child < 0)
			need(NULL);
		if (child > 0)
			continue;
		w->worker = k;
		make_copy();
		try_all(w, bytes, size, stride);
		const uint64_t counts[] = {w->runs, w->failures};
		fflush(stdout);
		_exit(write(ends[1], counts, sizeof(counts)) == (ssize_t)sizeof(counts) ? 0 : 2);
	}
	close(ends[1]);
	for (unsigned k = 0; k < w->jobs; k++) {
		uint64_t counts[2];
		int status;
		if (wait(&status) < 0 || status != 0 ||
		    read(ends[0], counts, sizeof(counts)) != (ssize_t)sizeof(counts))
			need(NULL);
		w->runs += counts[0];
		w->failures += counts[1];
	}
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: damage STRIDE FILE COMMAND...\n");
		return 2;
	}
	FILE *file = need(fopen(argv[2], "rb"));
	static uint8_t bytes[MAX_SIZE];
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	const char *jobs = getenv("JOBS"), *whole = getenv("WHOLE");
	struct work w = {.command = argv + 3,
			 .strict = getenv("STRICT"),
			 .whole_size = whole ? strtoul(whole, NULL, 10) : 0,
			 .jobs = jobs ? (unsigned)atoi(jobs) : 1};
	if (w.jobs < 1 || w.jobs > MAX_JOBS)
		w.jobs = 1;
	for (int i = 3; i < argc; i++)
		w.partial = w.partial || strcmp(argv[i], "--partial") == 0;
	make_copy();
	write_copy(bytes, size);
	run_command(&w, &w.whole);
	bool sound = w.whole.status == 0 || w.whole.status == 1;
	if (!sound)
		printf("exit %d for the whole file\n", w.whole.status);
	size_t stride = (size_t)strtoul(argv[1], NULL, 10);
	if (sound)
		run_workers(&w, bytes, size, stride ? stride : 1);
	printf("%llu damaged copies, %llu not noticed\n", (unsigned long long)w.runs,
	       (unsigned long long)w.failures);
	free(w.whole.output);
	return sound ? w.failures > 0 : 3;
}
