/*
 * Workers: a bounded number of threads for what may block.
 *
 * Threads are made when there is work and none is free, and stay until the end. Work is begun in the
 * order in which it was given. When some is done an eventfd becomes readable, and whoever collects it
 * gets it back; all calls but the work itself are on one thread.
 */
#ifndef SFR_LIB_ENGINE_WORKERS_H
#define SFR_LIB_ENGINE_WORKERS_H

#include "../list.h"
#include <pthread.h>
#include <stdint.h>

enum sfr__work_state { SFR__WORK_NONE, SFR__WORK_WAITING, SFR__WORK_BEGUN };

struct sfr__work {
	struct sfr__link link;
	uint8_t state; /* enum sfr__work_state; under the mutex */
};

struct sfr__workers {
	pthread_mutex_t mutex; /* over the lists and counts */
	pthread_cond_t more;
	struct sfr__link waiting; /* work that nobody has begun */
	struct sfr__link done;
	unsigned waiting_count, idle, threads_count, threads_max;
	bool ending;
	int fd; /* the eventfd; -1 until they are opened */
	void (*run)(struct sfr__work *work);
	pthread_t *threads;
};

/* `run` does a piece of work, on a worker. Costs nothing until there is some. */
void sfr__workers_init(struct sfr__workers *workers, unsigned threads_max,
		       void (*run)(struct sfr__work *work));

/* Waits for what is being done. */
void sfr__workers_fini(struct sfr__workers *workers);

/* Make the eventfd, unless it is there. 0; -ENOMEM, -EMFILE. */
int sfr__workers_open(struct sfr__workers *workers);

/* They must be open. 0; -EAGAIN if not a single thread can be had. */
int sfr__workers_give(struct sfr__workers *workers, struct sfr__work *work);

/* Take back what nobody has begun. False if it is too late. */
bool sfr__workers_take_back(struct sfr__workers *workers, struct sfr__work *work);

/* All that is done, as a list of works, onto an empty one. */
void sfr__workers_collect(struct sfr__workers *workers, struct sfr__link *done_out);

#endif
