/* damage STRIDE FILE COMMAND...: runs the command on damaged copies of FILE, of which {} in an argument is the path.
 *
 * Damage: every STRIDE-th bit flipped, every STRIDE-th length cut, one byte and one copy of the file appended and put before.
 * The command must exit 2, or print and exit as it does for the whole file.  Prints what it did not notice. */
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

struct run {
	int status; /* as a shell sees it: 128 + signal */
	char *output;
	size_t size, capacity;
};

struct work {
	char *path; /* of the damaged copy */
	char **command;
	struct run whole;
	uint64_t runs, failures;
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
		arguments[count] = replace(w->command[count], w->path);
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

static void write_copy(const char *path, const uint8_t *bytes, size_t size)
{
	FILE *file = need(fopen(path, "wb"));
	if (fwrite(bytes, 1, size, file) != size || fclose(file) != 0)
		need(NULL);
}

static void try(struct work *w, const uint8_t *bytes, size_t size, const char *what, size_t where)
{
	static struct run run; /* its buffer is used again */
	write_copy(w->path, bytes, size);
	run_command(w, &run);
	w->runs++;
	if (run.status == 2)
		return;
	if (run.status == w->whole.status && run.size == w->whole.size && memcmp(run.output, w->whole.output, run.size) == 0)
		return;
	if (w->failures++ < 20)
		printf("not noticed, exit %d: %s %zu\n", run.status, what, where);
}

static void try_all(struct work *w, uint8_t *bytes, size_t size, size_t stride)
{
	for (size_t bit = 0; bit < 8 * size; bit += stride) {
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
		try(w, bytes, size, "bit", bit);
		bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
	for (size_t cut = 0; cut < size; cut += stride)
		try(w, bytes, cut, "cut to", cut);
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
	free(longer);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "usage: damage STRIDE FILE COMMAND...\n");
		return 2;
	}
	FILE *file = need(fopen(argv[2], "rb"));
	static uint8_t bytes[1 << 20];
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	char path[] = "/tmp/snap-damage.XXXXXX";
	int descriptor = mkstemp(path);
	if (descriptor < 0)
		need(NULL);
	close(descriptor);
	struct work w = {.path = path, .command = argv + 3};
	write_copy(path, bytes, size);
	run_command(&w, &w.whole);
	bool sound = w.whole.status == 0 || w.whole.status == 1;
	if (!sound)
		printf("exit %d for the whole file\n", w.whole.status);
	size_t stride = (size_t)strtoul(argv[1], NULL, 10);
	if (sound)
		try_all(&w, bytes, size, stride ? stride : 1);
	unlink(path);
	printf("%llu damaged copies, %llu not noticed\n", (unsigned long long)w.runs, (unsigned long long)w.failures);
	free(w.whole.output);
	return !sound || w.failures > 0;
}
