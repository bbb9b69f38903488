/* SPDX-License-Identifier: MIT */
/*
 * Workers: one mutex over both lists, of what waits and of what is done.
 *
 * A thread holds the mutex while it tells the owner, and tells only when nothing that is done was
 * left to be collected; so the telling must be short, and may not call back.
 */
#include "base/workers.h"
#include <errno.h>
#include <signal.h>
#include <stdlib.h>

void sfr__workers_init(struct sfr__workers *workers, unsigned threads_max, size_t stack_size,
		       void (*run)(struct sfr__workers *workers, struct sfr__work *work),
		       void (*tell)(struct sfr__workers *workers))
{
	*workers = (struct sfr__workers){
		.threads_max = threads_max, .stack_size = stack_size, .run = run, .tell = tell};
	pthread_mutex_init(&workers->mutex, NULL);
	pthread_cond_init(&workers->more, NULL);
	sfr__list_init(&workers->waiting);
	sfr__list_init(&workers->done);
}

static void work_done(struct sfr__workers *workers, struct sfr__work *work)
{
	bool first = sfr__list_empty(&workers->done);

	sfr__list_append(&workers->done, &work->hook);
	if (first)
		workers->tell(workers);
}

static struct sfr__work *work_begin(struct sfr__workers *workers)
{
	struct sfr__work *work = sfr__container(workers->waiting.next, struct sfr__work, hook);

	if (sfr__list_empty(&workers->waiting))
		return NULL;
	sfr__list_remove(&work->hook);
	work->state = SFR__WORK_BEGUN;
	workers->waiting_count--;
	return work;
}

static void *worker_main(void *arg)
{
	struct sfr__workers *workers = arg;

	pthread_mutex_lock(&workers->mutex);
	for (;;) {
		struct sfr__work *work = work_begin(workers);

		if (work) {
			pthread_mutex_unlock(&workers->mutex);
			workers->run(workers, work);
			pthread_mutex_lock(&workers->mutex);
			work_done(workers, work);
			continue;
		}
		if (workers->ending)
			break;
		workers->idle++;
		pthread_cond_wait(&workers->more, &workers->mutex);
		workers->idle--;
	}
	pthread_mutex_unlock(&workers->mutex);
	return NULL;
}

static int thread_create(struct sfr__workers *workers, pthread_t *out)
{
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r == 0) {
		r = workers->stack_size ? pthread_attr_setstacksize(&attr, workers->stack_size) : 0;
		if (r == 0)
			r = pthread_create(out, &attr, worker_main, workers);
		(void)pthread_attr_destroy(&attr);
	}
	if (r == EINVAL) /* too small for what the program keeps of each thread */
		r = pthread_create(out, NULL, worker_main, workers);
	return r;
}

/* Signals are for the threads of the program: a worker takes none, not even SIGPIPE. */
static int thread_start(struct sfr__workers *workers)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = thread_create(workers, &workers->threads[workers->threads_count]);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	workers->threads_count += r == 0;
	return -r;
}

int sfr__workers_give(struct sfr__workers *workers, struct sfr__work *work)
{
	int r = 0;

	if (!workers->threads)
		workers->threads = calloc(workers->threads_max, sizeof(*workers->threads));
	if (!workers->threads)
		return -ENOMEM;
	pthread_mutex_lock(&workers->mutex);
	if (workers->idle <= workers->waiting_count &&
	    workers->threads_count < workers->threads_max) {
		r = thread_start(workers);
		if (workers->threads_count)
			r = 0; /* fewer do it as well, only later */
	}
	if (r == 0) {
		sfr__list_append(&workers->waiting, &work->hook);
		work->state = SFR__WORK_WAITING;
		workers->waiting_count++;
		pthread_cond_signal(&workers->more);
	}
	pthread_mutex_unlock(&workers->mutex);
	return r;
}

void sfr__workers_do(struct sfr__workers *workers, struct sfr__work *work)
{
	work->state = SFR__WORK_BEGUN;
	workers->run(workers, work);
	pthread_mutex_lock(&workers->mutex);
	work_done(workers, work);
	pthread_mutex_unlock(&workers->mutex);
}

bool sfr__workers_take_back(struct sfr__workers *workers, struct sfr__work *work)
{
	bool waiting;

	pthread_mutex_lock(&workers->mutex);
	waiting = work->state == SFR__WORK_WAITING;
	if (waiting) {
		sfr__list_remove(&work->hook);
		work->state = SFR__WORK_NONE;
		workers->waiting_count--;
	}
	pthread_mutex_unlock(&workers->mutex);
	return waiting;
}

void sfr__workers_collect(struct sfr__workers *workers, struct sfr__hook *done_out)
{
	pthread_mutex_lock(&workers->mutex);
	sfr__list_move(done_out, &workers->done);
	pthread_mutex_unlock(&workers->mutex);
}

bool sfr__workers_look(struct sfr__workers *workers, struct sfr__workers_count *out)
{
	if (pthread_mutex_trylock(&workers->mutex) != 0)
		return false;
	*out = (struct sfr__workers_count){.threads = workers->threads_count,
					   .threads_max = workers->threads_max,
					   .idle = workers->idle,
					   .waiting = workers->waiting_count};
	pthread_mutex_unlock(&workers->mutex);
	return true;
}

void sfr__workers_fini(struct sfr__workers *workers)
{
	unsigned i;

	pthread_mutex_lock(&workers->mutex);
	workers->ending = true;
	pthread_cond_broadcast(&workers->more);
	pthread_mutex_unlock(&workers->mutex);
	for (i = 0; i < workers->threads_count; i++)
		pthread_join(workers->threads[i], NULL);
	free(workers->threads);
	pthread_cond_destroy(&workers->more);
	pthread_mutex_destroy(&workers->mutex);
}
