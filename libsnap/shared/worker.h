/* One helper thread for one owner.
 *
 *	struct libsnap_worker worker = {.threaded = false};
 *	libsnap_worker_begin(&worker, threads);
 *	libsnap_worker_post(&worker, &block->job);      block->job.run(&block->job) is begun
 *	...                                             the owner does something else
 *	libsnap_worker_wait(&worker, &block->job);      it is done, and the owner sees all of it
 *	libsnap_worker_end(&worker);
 *
 * Jobs are done one after the other, in the order in which they were posted.  Where there is no
 * thread, each is done by the owner as it is posted: nothing else differs, and beginning never
 * fails.
 *
 * A job is the first member of what it works on (its memory, its status, its struct snap_error),
 * all of which is the thread's from post to wait.  It calls neither allocator nor I/O of the
 * library's caller: the owner gives it its memory beforehand and writes down its results.  What may
 * be used beside (as a zstd context) is the owner's to say: one for jobs and one for itself, as
 * they run side by side.
 *
 * A library starts a thread only where its caller asked for one, and ends it before it returns, so
 * that no thread is there when the caller forks.  Signals are blocked in it: handlers run
 * elsewhere. */
#ifndef LIBSNAP_WORKER_H
#define LIBSNAP_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

struct libsnap_job {
	void (*run)(struct libsnap_job *);
	struct libsnap_job *next;
	bool posted; /* and not done yet */
};

/* All zeros: none was begun, and there is no thread.  It must not move. */
struct libsnap_worker {
	bool threaded; /* the owner may look at this; the rest is under lock */
	bool ending;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t work, done;
	struct libsnap_job *first, *last;
	size_t pending;
};

/* threads: those that may run, the owner's among them.  No thread is started where that is less
 * than 2, where the process may use one processor only, and where the system refuses. */
void libsnap_worker_begin(struct libsnap_worker *, unsigned threads);
/* The job must not be posted already. */
void libsnap_worker_post(struct libsnap_worker *, struct libsnap_job *);
/* At once for a job that is done or was never posted. */
void libsnap_worker_wait(struct libsnap_worker *, struct libsnap_job *);
/* How many jobs are not done yet.  Where that is enough, the owner had better do the next one
 * itself. */
size_t libsnap_worker_pending(struct libsnap_worker *);
/* After all jobs that were posted. */
void libsnap_worker_end(struct libsnap_worker *);

#endif
