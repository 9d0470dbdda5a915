/* Fuzzing without libFuzzer: replays files, then mutates them for a while, always in the same
 * order.
 *
 * driver SECONDS CRASH_FILE FILE...  A child does the work in shared memory, so that what it was
 * given when it died is known and kept in CRASH_FILE. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

enum { MAX_SIZE = 1 << 20, MAX_SEEDS = 4096, SECONDS_FOR_ONE = 20 };

struct current {
	size_t size;
	uint64_t runs;
	uint8_t bytes[MAX_SIZE];
};
struct seed {
	uint8_t *bytes;
	size_t size;
};

static struct seed seeds[MAX_SEEDS];
static size_t seed_count;
static uint64_t state = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t next_random(uint64_t below)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return below ? state % below : 0;
}

static bool read_seed(const char *path)
{
	static uint8_t bytes[MAX_SIZE];
	FILE *file = fopen(path, "rb");
	if (!file || seed_count == MAX_SEEDS)
		return false;
	size_t size = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	struct seed seed = {malloc(size + 1), size};
	if (!seed.bytes)
		return false;
	memcpy(seed.bytes, bytes, size);
	seeds[seed_count++] = seed;
	return true;
}

static void set_byte(struct current *c)
{
	static const uint8_t values[] = {0, 1, 0x7f, 0x80, 0xff, 0x20, '[', '{', '"', '\n'};
	c->bytes[next_random(c->size)] =
		next_random(2) ? values[next_random(sizeof(values))] : (uint8_t)next_random(256);
}

static void flip_bit(struct current *c)
{
	c->bytes[next_random(c->size)] ^= (uint8_t)(1u << next_random(8));
}

static void cut(struct current *c)
{
	c->size = next_random(c->size + 1);
}

static void remove_part(struct current *c)
{
	size_t at = next_random(c->size),
	       size = next_random(c->size - at + 1) / (next_random(8) + 1);
	memmove(c->bytes + at, c->bytes + at + size, c->size - at - size);
	c->size -= size;
}

static void insert_part(struct current *c)
{
	const struct seed *from = &seeds[next_random(seed_count)];
	size_t at = next_random(c->size + 1), begin = next_random(from->size + 1);
	size_t size = next_random(from->size - begin + 1) / (next_random(8) + 1);
	if (size > MAX_SIZE - c->size)
		return;
	memmove(c->bytes + at + size, c->bytes + at, c->size - at);
	memcpy(c->bytes + at, from->bytes + begin, size);
	c->size += size;
}

static void set_number(struct current *c)
{
	static const uint64_t values[] = {0,         1,          127,       128,       255,
					  256,       65535,      65536,     1048576,   1048577,
					  INT32_MAX, UINT32_MAX, INT64_MAX, UINT64_MAX};
	uint64_t value = values[next_random(sizeof(values) / sizeof(values[0]))];
	size_t width = (size_t)1 << next_random(4);
	if (c->size >= width)
		memcpy(c->bytes + next_random(c->size - width + 1), &value, width);
}

static void mutate(struct current *c)
{
	static void (*const ways[])(struct current *) = {set_byte,    flip_bit,    set_number,
							 remove_part, insert_part, cut};
	for (uint64_t n = next_random(4) + 1; n > 0; n--)
		if (c->size > 0)
			ways[next_random(sizeof(ways) / sizeof(ways[0]))](c);
}

static void run_one(struct current *c)
{
	static uint8_t *exact;
	/* A block of exactly that size lets the sanitizers see a read past its end. */
	exact = malloc(c->size ? c->size : 1);
	if (!exact)
		exit(1);
	memcpy(exact, c->bytes, c->size);
	c->runs++;
	alarm(SECONDS_FOR_ONE);
	LLVMFuzzerTestOneInput(exact, c->size);
	alarm(0);
	free(exact);
}

static void work(struct current *c, long seconds)
{
	for (size_t i = 0; i < seed_count; i++) {
		c->size = seeds[i].size;
		memcpy(c->bytes, seeds[i].bytes, c->size);
		run_one(c);
	}
	for (time_t end = time(NULL) + seconds; seed_count > 0 && time(NULL) < end;) {
		const struct seed *seed = &seeds[next_random(seed_count)];
		c->size = seed->size;
		memcpy(c->bytes, seed->bytes, seed->size);
		mutate(c);
		run_one(c);
	}
}

static void keep(const struct current *c, const char *path)
{
	FILE *file = fopen(path, "wb");
	if (!file || fwrite(c->bytes, 1, c->size, file) != c->size || fclose(file) != 0)
		perror(path);
}

int main(int argc, char **argv)
{
	if (argc < 4) {
		fprintf(stderr, "Usage: %s SECONDS CRASH_FILE FILE...\n", argv[0]);
		return 2;
	}
	struct current *c =
		mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (c == MAP_FAILED)
		return 2;
	for (int i = 3; i < argc; i++)
		if (!read_seed(argv[i]))
			return perror(argv[i]), 2;
	pid_t child = fork();
	if (child == 0) {
		work(c, strtol(argv[1], NULL, 10));
		exit(0);
	}
	int status = 0;
	if (child < 0 || waitpid(child, &status, 0) != child)
		return 2;
	printf("%llu inputs\n", (unsigned long long)c->runs);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	keep(c, argv[2]);
	fprintf(stderr, "died (%s %d): the input is kept in %s\n",
		WIFSIGNALED(status) ? "signal" : "exit status",
		WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status), argv[2]);
	return 1;
}
