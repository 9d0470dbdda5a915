/* Everything at once, for so many seconds: native_storm SECONDS LIBRARY [THREADS].
 * Threads that come and go, blocks freed by others than allocated them, forks, a library
 * loaded and unloaded in a loop, signals at 1 kHz whose handler allocates nothing,
 * destructors of threads that do.  Prints what is live in the end, as native_load does. */
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "random.h"

#define SLOTS       512u
#define THREADS     8u
#define THREADS_MAX 64u

static struct {
	void *pointer;
	size_t size;
} slots[SLOTS];
static pthread_mutex_t locks[SLOTS];
static atomic_bool over;
static pthread_key_t key;
static const char *library;
static volatile sig_atomic_t ticks;

static void tick(int number)
{
	(void)number;
	ticks++;
}

static void at_thread_end(void *block)
{
	free(block);
	free(malloc(77));
}

static void change(uint64_t r)
{
	unsigned at = (unsigned)(r >> 40) % SLOTS;
	size_t size = (size_t)(r & 1023) + 1;
	pthread_mutex_lock(&locks[at]);
	if (r >> 20 & 1) {
		void *moved = realloc(slots[at].pointer, size);
		slots[at].pointer = moved ? moved : slots[at].pointer;
		slots[at].size = moved ? size : slots[at].size;
	} else {
		free(slots[at].pointer);
		slots[at].pointer = malloc(size);
		slots[at].size = size;
	}
	pthread_mutex_unlock(&locks[at]);
}

static void *short_life(void *argument)
{
	uint64_t state = (uintptr_t)argument | 1;
	pthread_setspecific(key, malloc(33));
	for (int i = 0; i < 2000 && !over; i++)
		change(random_next(&state));
	return NULL;
}

static void *spawner(void *argument)
{
	uint64_t state = (uintptr_t)argument * 77 + 1;
	while (!over) {
		pthread_t thread;
		if (pthread_create(&thread, NULL, short_life,
				   (void *)(uintptr_t)random_next(&state)) == 0)
			pthread_join(thread, NULL);
	}
	return NULL;
}

static void *loader(void *unused)
{
	while (!over && library) {
		void *handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
		void *(*make)(size_t) = NULL;
		if (!handle)
			break;
		void *symbol = dlsym(handle, "storm_make");
		memcpy(&make, &symbol, sizeof symbol);
		if (make)
			free(make(500));
		dlclose(handle);
	}
	return unused;
}

static void *forker(void *unused)
{
	while (!over) {
		pid_t pid = fork();
		if (pid == 0) {
			free(malloc(99));
			_exit(0);
		}
		while (pid > 0 && waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			continue;
		usleep(3000);
	}
	return unused;
}

int main(int argc, char **argv)
{
	double seconds = argc > 1 ? atof(argv[1]) : 1;
	library = argc > 2 ? argv[2] : NULL;
	unsigned long count = argc > 3 ? strtoul(argv[3], NULL, 10) : THREADS;
	pthread_t threads[THREADS_MAX], load, fork_some;
	if (count == 0 || count > THREADS_MAX)
		return 2;
	struct sigaction act = {.sa_handler = tick, .sa_flags = SA_RESTART};
	struct itimerval every = {{0, 1000}, {0, 1000}}, never = {{0, 0}, {0, 0}};
	sigaction(SIGALRM, &act, NULL);
	pthread_key_create(&key, at_thread_end);
	for (unsigned i = 0; i < SLOTS; i++)
		pthread_mutex_init(&locks[i], NULL);
	setitimer(ITIMER_REAL, &every, NULL);
	for (unsigned i = 0; i < count; i++)
		pthread_create(&threads[i], NULL, spawner, (void *)(uintptr_t)(i + 1));
	pthread_create(&load, NULL, loader, NULL);
	pthread_create(&fork_some, NULL, forker, NULL);
	struct timespec start, now;
	clock_gettime(CLOCK_MONOTONIC, &start);
	do {
		usleep(10000);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((double)(now.tv_sec - start.tv_sec) + (double)(now.tv_nsec - start.tv_nsec) / 1e9 <
		 seconds);
	over = true;
	for (unsigned i = 0; i < count; i++)
		pthread_join(threads[i], NULL);
	pthread_join(load, NULL);
	pthread_join(fork_some, NULL);
	setitimer(ITIMER_REAL, &never, NULL);
	for (unsigned i = 0; i < SLOTS; i++)
		if (slots[i].pointer)
			printf("0x%llx %zu\n", (unsigned long long)(uintptr_t)slots[i].pointer,
			       slots[i].size);
	return 0;
}
