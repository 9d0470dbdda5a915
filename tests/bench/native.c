/* Programs for a tracker to look at: native churn|brief|leak|threads [SCALE], native pause [SCALE].
 *
 * Each allocation is made 20 calls below one of 500 (leak: 2000) stacks that share only their two
 * outermost frames. churn    3 M pairs of malloc and free, 200 k live, a random one of which is
 * replaced brief    the same, but nine of ten blocks are freed at once leak     5 M live threads
 * four threads, 750 k pairs each; three of four blocks are freed by another thread SCALE divides
 * these numbers.  At the end it prints its processor seconds and its peak KiB; pause: leak, then
 * the microseconds that fork() and snap_take() take. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "random.h"
#include "snap_track.h"

#define DEPTH      20u
#define STACKS_MAX 2000u
#define STACKS     500u
#define LIVE       200000u
#define THREADS    4u
#define FUNCTIONS  8u
#define PAUSES     10u
#ifdef __clang__
#define NOT_INLINED __attribute__((noinline))
#else
#define NOT_INLINED __attribute__((noinline, noclone))
#endif

static uint8_t paths[STACKS_MAX][DEPTH];
static unsigned scale = 1;

/* ---- stacks ---- */

/* A path says which function calls which, and ends in leaf(). */
typedef void *function(const uint8_t *path, size_t size);
static function *const functions[FUNCTIONS + 1];

static NOT_INLINED void *leaf(const uint8_t *path, size_t size)
{
	(void)path;
	void *p = malloc(size);
	__asm__ volatile("" ::"r"(p) : "memory");
	return p;
}

#define FUNCTION(number) \
	static NOT_INLINED void *call##number(const uint8_t *path, size_t size) \
	{ \
		char room[16 + (number)*24]; \
		__asm__ volatile("" ::"r"(room) : "memory"); \
		void *p = functions[*path](path + 1, size); \
		__asm__ volatile("" ::"r"(room), "r"(p) : "memory"); \
		return p; \
	}
FUNCTION(0)
FUNCTION(1)
FUNCTION(2)
FUNCTION(3)
FUNCTION(4)
FUNCTION(5)
FUNCTION(6)
FUNCTION(7)
static function *const functions[FUNCTIONS + 1] = {call0, call1, call2, call3, call4,
						   call5, call6, call7, leaf};

static void make_paths(void)
{
	uint64_t state = 88172645463325252u;
	for (unsigned i = 0; i < STACKS_MAX; i++) {
		for (unsigned d = 0; d < DEPTH - 1; d++)
			paths[i][d] = (uint8_t)((random_next(&state) >> 32) % FUNCTIONS);
		paths[i][DEPTH - 1] = FUNCTIONS;
	}
}

static inline void *allocate(unsigned stack, size_t size)
{
	char *p = functions[paths[stack][0]](&paths[stack][1], size);
	if (!p)
		abort();
	*p = 1;
	return p;
}

/* From 16 bytes to 2 KiB, small ones more often. */
static inline size_t random_size(uint64_t r)
{
	return 16 + ((size_t)(r >> 8 & 255) << (r & 3));
}

/* ---- loads ---- */

static _Atomic(void *) slots[LIVE];

static void churn(bool brief, uint64_t seed, unsigned rounds)
{
	for (unsigned i = 0; i < rounds; i++) {
		uint64_t r = random_next(&seed);
		void *p = allocate((unsigned)(r >> 20) % STACKS, random_size(r));
		if (!brief || (r >> 3) % 10 == 0)
			p = atomic_exchange_explicit(&slots[(r >> 32) % LIVE], p,
						     memory_order_acq_rel);
		free(p);
	}
}

static void *churn_in_thread(void *seed)
{
	churn(false, (uintptr_t)seed, 750000 / scale);
	return NULL;
}

static void threads(void)
{
	pthread_t ids[THREADS];
	for (unsigned i = 0; i < THREADS; i++)
		if (pthread_create(&ids[i], NULL, churn_in_thread,
				   (void *)(uintptr_t)(i * 7919 + 1)) != 0)
			abort();
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(ids[i], NULL);
}

static void leak(void)
{
	uint64_t seed = 42;
	for (unsigned i = 0; i < 5000000 / scale; i++) {
		uint64_t r = random_next(&seed);
		allocate((unsigned)(r >> 20) % STACKS_MAX, 16 + (size_t)(r & 127));
	}
}

/* ---- pauses ---- */

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double forked(void)
{
	double start = now();
	pid_t pid = fork();
	if (pid == 0)
		_exit(0);
	double end = now();
	while (pid > 0 && waitpid(pid, NULL, 0) != pid)
		continue;
	return end - start;
}

/* One that must wait for the one before is asked for again. */
static double taken(void)
{
	for (;;) {
		double start = now();
		int got = snap_take();
		double end = now();
		if (got == 0 || !snap_tracker_take)
			return got == 0 ? end - start : 0;
		usleep(20000);
	}
}

/* First the forks: later ones would have the writing of a snapshot beside them. */
static void pause_often(void)
{
	double fork_us[PAUSES];
	for (unsigned i = 0; i < PAUSES; i++)
		fork_us[i] = forked();
	for (unsigned i = 0; i < PAUSES; i++)
		printf("%.1f %.1f\n", fork_us[i], taken());
}

static void print_usage(void)
{
	struct rusage u;
	getrusage(RUSAGE_SELF, &u);
	printf("%.6f %ld\n",
	       (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
		       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6,
	       u.ru_maxrss);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";
	scale = argc > 2 ? (unsigned)atoi(argv[2]) : 1;
	if (scale == 0)
		return 2;
	make_paths();
	if (strcmp(what, "churn") == 0 || strcmp(what, "brief") == 0)
		churn(*what == 'b', 1, 3000000 / scale);
	else if (strcmp(what, "threads") == 0)
		threads();
	else if (strcmp(what, "leak") == 0 || strcmp(what, "pause") == 0)
		leak();
	else
		return 2;
	if (*what == 'p')
		pause_often();
	else
		print_usage();
	return 0;
}
