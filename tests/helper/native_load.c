/* Allocates and frees in several threads, and says what is live in
 * the end: native_load THREADS ROUNDS [FORKS]. Prints a line for
 * each live block: address and size, in hexadecimal and decimal. */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "random.h"

#define SLOTS   2048u
#define THREADS 64u

struct slot {
	void *pointer;
	size_t size;
};
/* Shared: a block is mostly freed by another thread than its own. */
static struct slot slots[SLOTS];
static pthread_mutex_t locks[SLOTS];
static unsigned rounds;
static volatile sig_atomic_t ticks;

static void tick(int number)
{
	(void)number;
	ticks++;
}

static size_t random_size(uint64_t r)
{
	switch (r % 64) {
	case 0: return 0;
	case 1: return (size_t)1 << (r >> 8 & 15) << 12;
	default: return (size_t)(r >> 8) % 700 + 1;
	}
}

static void *allocate(size_t size, uint64_t how)
{
	void *p = NULL;
	switch (how % 8) {
	case 0: return calloc(size ? size : 1, 1);
	case 1: return posix_memalign(&p, 64, size) == 0 ? p : NULL;
	case 2: return aligned_alloc(256, (size + 255) / 256 * 256);
	case 3: return reallocarray(NULL, size, 1);
	default: return malloc(size);
	}
}

static size_t asked(size_t size, uint64_t how)
{
	return how % 8 == 0 && size == 0 ? 1 : how % 8 == 2 ? (size + 255) / 256 * 256 : size;
}

static void change(struct slot *s, uint64_t r)
{
	size_t size = random_size(r);
	if (s->pointer && r >> 40 & 3 && size) {
		void *moved = realloc(s->pointer, size);
		if (moved)
			*s = (struct slot){moved, size};
		return;
	}
	free(s->pointer);
	s->pointer = r >> 42 & 1 ? NULL : allocate(size, r >> 44);
	s->size = asked(size, r >> 44);
}

static __attribute__((noinline)) void nest(unsigned depth, struct slot *s, uint64_t r)
{
	if (depth == 0)
		change(s, r);
	else
		nest(depth - 1, s, r);
	__asm__ volatile("" ::: "memory");
}

static void *work(void *argument)
{
	uint64_t state = (uintptr_t)argument * 0x9e3779b97f4a7c15u + 1;
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t r = random_next(&state);
		unsigned at = (unsigned)(r >> 48) % SLOTS;
		pthread_mutex_lock(&locks[at]);
		nest((unsigned)(r >> 20) % 12, &slots[at], random_next(&state));
		pthread_mutex_unlock(&locks[at]);
	}
	return NULL;
}

static void fork_some(unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		pid_t pid = fork();
		if (pid == 0) {
			free(malloc(100 + i));
			_exit(0);
		}
		while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
}

int main(int argc, char **argv)
{
	unsigned threads = argc > 1 ? (unsigned)atoi(argv[1]) : 4,
		 forks = argc > 3 ? (unsigned)atoi(argv[3]) : 0;
	pthread_t ids[THREADS];
	rounds = argc > 2 ? (unsigned)atoi(argv[2]) : 10000;
	struct sigaction act = {.sa_handler = tick, .sa_flags = SA_RESTART};
	sigaction(SIGALRM, &act, NULL);
	struct itimerval every = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	setitimer(ITIMER_REAL, &every, NULL);
	for (unsigned i = 0; i < SLOTS; i++)
		pthread_mutex_init(&locks[i], NULL);
	for (unsigned i = 0; i < threads && i < THREADS; i++)
		pthread_create(&ids[i], NULL, work, (void *)(uintptr_t)(i + 1));
	fork_some(forks);
	for (unsigned i = 0; i < threads && i < THREADS; i++)
		pthread_join(ids[i], NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].pointer)
			printf("0x%llx %zu\n", (unsigned long long)(uintptr_t)slots[i].pointer,
			       slots[i].size);
	return 5;
}
