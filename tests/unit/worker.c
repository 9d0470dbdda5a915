/* One helper thread: order of jobs, what the owner sees, and the form without a thread. */
#include "worker.h"

#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <unistd.h>

#include "tap.h"

#define JOBS 1000

struct sum {
	struct libsnap_job job;
	uint64_t *log; /* numbers of jobs, as they were done */
	size_t *done, number;
	uint64_t from, result;
	pthread_t by;
};

static void add_up(struct libsnap_job *job)
{
	struct sum *s = (struct sum *)job;
	s->result = 0;
	for (uint64_t i = 0; i < 1000; i++)
		s->result += s->from + i;
	s->by = pthread_self();
	s->log[(*s->done)++] = s->number;
}

static struct sum sums[JOBS];
static uint64_t done_in[JOBS];

/* All are posted in order, and waited for from the last to the first or the other way round. */
static bool all_are_done(struct libsnap_worker *w, bool backwards)
{
	size_t done = 0;
	for (size_t i = 0; i < JOBS; i++) {
		sums[i] = (struct sum){
			.job.run = add_up, .log = done_in, .done = &done, .number = i, .from = i};
		libsnap_worker_post(w, &sums[i].job);
	}
	for (size_t k = 0; k < JOBS; k++) {
		const size_t i = backwards ? JOBS - 1 - k : k;
		libsnap_worker_wait(w, &sums[i].job);
		if (sums[i].result != i * 1000 + 499500)
			return false;
	}
	for (size_t i = 0; i < JOBS; i++)
		if (done_in[i] != i)
			return false;
	return done == JOBS && libsnap_worker_pending(w) == 0;
}

static void check_alone(unsigned threads)
{
	struct libsnap_worker w;
	libsnap_worker_begin(&w, threads);
	CHECK(!w.threaded);
	CHECK(all_are_done(&w, false));
	CHECK(pthread_equal(sums[0].by, pthread_self()));
	libsnap_worker_end(&w);
}

/* ---- what only a thread does ---- */

struct gate {
	struct libsnap_job job;
	int wait_for;
	sigset_t blocked;
	bool passed;
};

static void pass(struct libsnap_job *job)
{
	struct gate *g = (struct gate *)job;
	char byte;
	pthread_sigmask(SIG_BLOCK, NULL, &g->blocked);
	g->passed = read(g->wait_for, &byte, 1) == 1;
}

static void check_beside(void)
{
	struct libsnap_worker w;
	struct gate gate = {.job.run = pass};
	int ends[2];
	size_t done = 0;
	REQUIRE(pipe(ends) == 0);
	gate.wait_for = ends[0];
	libsnap_worker_begin(&w, 2);
	REQUIRE(w.threaded);
	libsnap_worker_post(&w, &gate.job);
	sums[0] = (struct sum){.job.run = add_up, .log = done_in, .done = &done};
	libsnap_worker_post(&w, &sums[0].job);
	CHECK_NAMED(libsnap_worker_pending(&w) == 2,
		    "the owner goes on while a job waits, and the next behind it");
	REQUIRE(write(ends[1], "", 1) == 1);
	libsnap_worker_wait(&w, &sums[0].job);
	CHECK(gate.passed && libsnap_worker_pending(&w) == 0);
	CHECK(!pthread_equal(sums[0].by, pthread_self()));
	CHECK_NAMED(sigismember(&gate.blocked, SIGINT) == 1 &&
			    sigismember(&gate.blocked, SIGPROF) == 1,
		    "signals are blocked in it");
	sigset_t own;
	pthread_sigmask(SIG_BLOCK, NULL, &own);
	CHECK_NAMED(sigismember(&own, SIGINT) == 0, "and not in its owner");
	libsnap_worker_wait(&w, &gate.job);
	CHECK(all_are_done(&w, true));
	CHECK(all_are_done(&w, false));
	libsnap_worker_end(&w);
	close(ends[0]);
	close(ends[1]);
}

/* The end waits for what was posted, and a worker may be begun anew. */
static void check_end(void)
{
	static struct libsnap_worker w;
	libsnap_worker_end(&w);
	for (int round = 0; round < 50; round++) {
		size_t done = 0;
		libsnap_worker_begin(&w, 2);
		for (size_t i = 0; i < 10; i++) {
			sums[i] = (struct sum){
				.job.run = add_up, .log = done_in, .done = &done, .number = i};
			libsnap_worker_post(&w, &sums[i].job);
		}
		libsnap_worker_end(&w);
		REQUIRE(done == 10 && !w.threaded);
	}
	CHECK_NAMED(true, "ended with jobs to do, they are done");
}

static void check_one_processor(void)
{
	cpu_set_t before, one;
	REQUIRE(sched_getaffinity(0, sizeof(before), &before) == 0);
	CPU_ZERO(&one);
	for (size_t i = 0; i < CPU_SETSIZE && CPU_COUNT(&one) == 0; i++)
		if (CPU_ISSET(i, &before))
			CPU_SET(i, &one);
	REQUIRE(sched_setaffinity(0, sizeof(one), &one) == 0);
	check_alone(2);
	REQUIRE(sched_setaffinity(0, sizeof(before), &before) == 0);
}

/* Root may start as many threads as it likes, and sanitizers need all of the address space. */
static void check_refused(void)
{
	struct rlimit before, none;
	REQUIRE(getrlimit(RLIMIT_NPROC, &before) == 0);
	none = before;
	none.rlim_cur = 0;
	if (geteuid() == 0 || setrlimit(RLIMIT_NPROC, &none) != 0)
		return;
	check_alone(2);
	REQUIRE(setrlimit(RLIMIT_NPROC, &before) == 0);
}

int main(void)
{
	cpu_set_t allowed;
	check_alone(0);
	check_alone(1);
	check_end();
	check_one_processor();
	check_refused();
	if (sched_getaffinity(0, sizeof(allowed), &allowed) == 0 && CPU_COUNT(&allowed) > 1)
		check_beside();
	return DONE();
}
