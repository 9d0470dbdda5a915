/* A program that knows of nothing while snap-record attaches to it: native_attach KIND...,
 * a thread for each: churn (blocks are allocated, resized and freed), malloc (nothing else
 * is done), pure (a loop), floats, poll, epoll, sleep, and load=FILE, from which a block
 * comes once SIGUSR1 came; timer: a signal 1,000 times a second.  Each checks that it is
 * not disturbed.  SIGUSR1 begins an epoch, in which they say when all blocks may have been
 * replaced, and when one came from FILE; SIGTERM ends: the blocks that live and were
 * allocated in that epoch are printed, as "+ADDRESS SIZE", all others with "-". */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define BLOCKS  2000u
#define THREADS 16

static _Atomic bool ending;
static _Atomic unsigned epoch, ticks;

struct worker {
	pthread_t thread;
	char *kind;
	unsigned random;
	struct {
		void *at;
		size_t size;
		unsigned epoch;
	} blocks[BLOCKS];
};

static void on_signal(int number)
{
	if (number == SIGUSR1)
		epoch++;
	else if (number == SIGALRM)
		ticks++;
	else
		ending = true;
}

static _Noreturn void disturbed(const struct worker *w, const char *what)
{
	printf("disturbed: %s: %s\n", w->kind, what);
	fflush(stdout);
	_exit(1);
}

static unsigned next(struct worker *w)
{
	return (w->random = w->random * 1664525u + 1013904223u) >> 8;
}

static void say(const char *what)
{
	printf("%s\n", what);
	fflush(stdout);
}

static void churn(struct worker *w)
{
	static atomic_flag said = ATOMIC_FLAG_INIT;
	for (unsigned rounds = 0; !ending; rounds += epoch > 0) {
		if (rounds == 4 * BLOCKS && !atomic_flag_test_and_set(&said))
			say("churned");
		unsigned i = next(w) % BLOCKS;
		size_t size = 16 + next(w) % 4000;
		unsigned now = epoch;
		bool resize = w->blocks[i].at && next(w) % 4 == 0;
		if (!resize)
			free(w->blocks[i].at);
		void *at = resize ? realloc(w->blocks[i].at, size) : malloc(size);
		if (!at)
			disturbed(w, "no memory");
		memset(at, (int)i, size);
		w->blocks[i].at = at;
		w->blocks[i].size = size;
		w->blocks[i].epoch = now;
	}
}

static void only_malloc(struct worker *w)
{
	(void)w;
	while (!ending) {
		void *volatile block = malloc(100000);
		free(block);
	}
}

static void pure(struct worker *w)
{
	for (volatile unsigned long i = 0; !ending; i = i + 1)
		if (i == UINTPTR_MAX)
			disturbed(w, "it ends");
}

/* The same sums, in registers, over and over. */
static void floats(struct worker *w)
{
	double first = 0;
	for (bool begun = false; !ending; begun = true) {
		double sums[8] = {0};
		for (unsigned i = 1; i < 100000; i++)
			for (unsigned k = 0; k < 8; k++)
				sums[k] += 1.0 / (i * (k + 1.5));
		double sum = sums[0] + sums[1] + sums[2] + sums[3] + sums[4] + sums[5] + sums[6] +
			     sums[7];
		if (begun && sum != first)
			disturbed(w, "another sum");
		first = sum;
	}
}

static void wait_poll(struct worker *w)
{
	int ends[2];
	if (pipe(ends) != 0)
		disturbed(w, strerror(errno));
	struct pollfd end = {ends[0], POLLIN, 0};
	while (!ending)
		if (poll(&end, 1, 300) != 0 && !ending)
			disturbed(w, strerror(errno));
}

static void wait_epoll(struct worker *w)
{
	struct epoll_event event;
	int set = epoll_create1(0);
	while (!ending)
		if (epoll_wait(set, &event, 1, 300) != 0 && !ending)
			disturbed(w, strerror(errno));
}

/* Sleeps in time: neither short nor begun anew each time. */
static void wait_sleep(struct worker *w)
{
	while (!ending) {
		struct timespec time = {0, 400000000}, before, after;
		clock_gettime(CLOCK_MONOTONIC, &before);
		if (nanosleep(&time, NULL) != 0 && !ending)
			disturbed(w, strerror(errno));
		clock_gettime(CLOCK_MONOTONIC, &after);
		double took = (double)(after.tv_sec - before.tv_sec) +
			      (double)(after.tv_nsec - before.tv_nsec) / 1e9;
		if ((took < 0.4 || took > 60) && !ending)
			disturbed(w, "another time");
	}
}

static void load(struct worker *w)
{
	while (!ending && epoch == 0)
		usleep(1000);
	void *library = dlopen(w->kind + strlen("load="), RTLD_NOW);
	void *(*make)(size_t) = NULL;
	void *found = library ? dlsym(library, "make") : NULL;
	memcpy(&make, &found, sizeof found);
	if (!make)
		disturbed(w, "nothing is loaded");
	w->blocks[0].at = make(12345);
	w->blocks[0].size = 12345;
	w->blocks[0].epoch = 1;
	say("loaded");
	while (!ending)
		usleep(1000);
}

static void *work(void *context)
{
	static const struct {
		const char *kind;
		void (*work)(struct worker *);
	} kinds[] = {{"churn", churn},      {"malloc", only_malloc}, {"pure", pure},
		     {"floats", floats},    {"poll", wait_poll},     {"epoll", wait_epoll},
		     {"sleep", wait_sleep}, {"load=", load}};
	struct worker *w = context;
	sigset_t all;
	sigfillset(&all);
	if (strchr("pes", w->kind[0]) && w->thread) /* what waits is to be interrupted by nobody */
		pthread_sigmask(SIG_BLOCK, &all, NULL);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
		if (strncmp(w->kind, kinds[i].kind, strlen(kinds[i].kind)) == 0)
			kinds[i].work(w);
	return NULL;
}

int main(int argc, char **argv)
{
	static struct worker workers[THREADS];
	static const struct itimerval often = {{0, 1000}, {0, 1000}};
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	for (int i = 1; i < argc && i < THREADS; i++) {
		workers[i].kind = argv[i];
		workers[i].random = (unsigned)i * 77;
		if (strcmp(argv[i], "timer") == 0)
			setitimer(ITIMER_REAL, &often, NULL);
		else if (i + 1 < argc &&
			 pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
			return 2;
	}
	say("ready");
	if (strcmp(argv[argc - 1], "timer") != 0)
		work(&workers[argc - 1]); /* the last one's thread is the main one */
	while (!ending)
		usleep(1000);
	for (int i = 1; i < THREADS; i++)
		if (workers[i].thread)
			pthread_join(workers[i].thread, NULL);
	for (int i = 1; i < THREADS; i++)
		for (unsigned k = 0; k < BLOCKS; k++)
			if (workers[i].blocks[k].at)
				printf("%c%p %zu\n", workers[i].blocks[k].epoch > 0 ? '+' : '-',
				       workers[i].blocks[k].at, workers[i].blocks[k].size);
	return 5;
}
