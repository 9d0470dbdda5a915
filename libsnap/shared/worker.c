/* One helper thread for one owner (worker.h). */
#include "worker.h"

#include <sched.h>
#include <signal.h>

#define STACK_SIZE (512u << 10)

static bool has_processors(void)
{
	cpu_set_t allowed;
	/* What fails is a machine of more processors than the set has room for. */
	return sched_getaffinity(0, sizeof(allowed), &allowed) != 0 || CPU_COUNT(&allowed) > 1;
}

static void *do_jobs(void *context)
{
	struct libsnap_worker *w = context;
	pthread_mutex_lock(&w->lock);
	for (;;) {
		while (!w->first && !w->ending)
			pthread_cond_wait(&w->work, &w->lock);
		struct libsnap_job *job = w->first;
		if (!job)
			break;
		w->first = job->next;
		pthread_mutex_unlock(&w->lock);
		job->run(job);
		pthread_mutex_lock(&w->lock);
		job->posted = false;
		w->pending--;
		pthread_cond_signal(&w->done);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

/* A thread has the signal mask of the one that starts it. */
static bool start(struct libsnap_worker *w)
{
	sigset_t all, before;
	pthread_attr_t attributes;
	if (pthread_attr_init(&attributes) != 0)
		return false;
	(void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	const bool started = pthread_create(&w->thread, &attributes, do_jobs, w) == 0;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
	return started;
}

static bool begin(struct libsnap_worker *w)
{
	if (pthread_mutex_init(&w->lock, NULL) != 0)
		return false;
	if (pthread_cond_init(&w->work, NULL) != 0)
		goto no_work;
	if (pthread_cond_init(&w->done, NULL) != 0)
		goto no_done;
	if (start(w))
		return true;
	pthread_cond_destroy(&w->done);
no_done:
	pthread_cond_destroy(&w->work);
no_work:
	pthread_mutex_destroy(&w->lock);
	return false;
}

void libsnap_worker_begin(struct libsnap_worker *w, unsigned threads)
{
	*w = (struct libsnap_worker){.threaded = false};
	if (threads > 1 && has_processors())
		w->threaded = begin(w);
}

void libsnap_worker_post(struct libsnap_worker *w, struct libsnap_job *job)
{
	if (!w->threaded) {
		job->run(job);
		return;
	}
	pthread_mutex_lock(&w->lock);
	job->next = NULL;
	job->posted = true;
	if (w->first)
		w->last->next = job;
	else
		w->first = job;
	w->last = job;
	w->pending++;
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
}

void libsnap_worker_wait(struct libsnap_worker *w, struct libsnap_job *job)
{
	if (!w->threaded)
		return;
	pthread_mutex_lock(&w->lock);
	while (job->posted)
		pthread_cond_wait(&w->done, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

size_t libsnap_worker_pending(struct libsnap_worker *w)
{
	if (!w->threaded)
		return 0;
	pthread_mutex_lock(&w->lock);
	const size_t pending = w->pending;
	pthread_mutex_unlock(&w->lock);
	return pending;
}

void libsnap_worker_end(struct libsnap_worker *w)
{
	if (!w->threaded)
		return;
	pthread_mutex_lock(&w->lock);
	w->ending = true;
	pthread_cond_signal(&w->work);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->done);
	pthread_cond_destroy(&w->work);
	pthread_mutex_destroy(&w->lock);
	w->threaded = false;
}
