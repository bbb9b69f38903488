/* SPDX-License-Identifier: MIT */
/*
 * Workers: a bounded number of threads for what may block.
 *
 * Threads are made when there is work and none is free, and stay until the end. Work is begun in the
 * order in which it was given. When some is done the owner is told, and collects it; all calls but the
 * work itself and the telling are on one thread.
 */
#ifndef SFR_LIB_BASE_WORKERS_H
#define SFR_LIB_BASE_WORKERS_H

#include "base/list.h"
#include <pthread.h>
#include <stdint.h>

enum sfr__work_state { SFR__WORK_NONE, SFR__WORK_WAITING, SFR__WORK_BEGUN };

struct sfr__work {
	struct sfr__hook hook;
	int32_t result; /* for `run` to leave */
	uint8_t state;  /* enum sfr__work_state; under the mutex */
};

struct sfr__workers {
	pthread_mutex_t mutex; /* over the lists and counts */
	pthread_cond_t more;
	struct sfr__hook waiting; /* work that nobody has begun */
	struct sfr__hook done;
	unsigned waiting_count, idle, threads_count, threads_max;
	bool ending;
	void (*run)(struct sfr__workers *workers, struct sfr__work *work);
	void (*tell)(struct sfr__workers *workers);
	pthread_t *threads;
	size_t stack_size; /* of a thread; 0: as the threads of the program have it */
};

/* `run` does a piece of work, and `tell` says that some is done, both on a worker, or inside sfr__workers_do();
 * there may be more by the time the owner looks. Costs nothing until there is some. The stacks of threads take addresses
 * (RLIMIT_AS), 8 MiB each by default: `stack_size` is what the work needs, or 0 where nobody knows. */
void sfr__workers_init(struct sfr__workers *workers, unsigned threads_max, size_t stack_size,
		       void (*run)(struct sfr__workers *workers, struct sfr__work *work),
		       void (*tell)(struct sfr__workers *workers));

/* Waits for what is being done. */
void sfr__workers_fini(struct sfr__workers *workers);

/* 0; -ENOMEM, -EAGAIN if not a single thread can be had. */
int sfr__workers_give(struct sfr__workers *workers, struct sfr__work *work);

/* Where no thread is to be had: do it here and now. It is collected as if a worker had done it. */
void sfr__workers_do(struct sfr__workers *workers, struct sfr__work *work);

/* Take back what nobody has begun. False if it is too late. */
bool sfr__workers_take_back(struct sfr__workers *workers, struct sfr__work *work);

/* All that is done, as a list of works, onto an empty one. */
void sfr__workers_collect(struct sfr__workers *workers, struct sfr__hook *done_out);

struct sfr__workers_count {
	unsigned threads, threads_max, idle;
	unsigned waiting; /* work that nobody has begun */
};

/* How many there are now. False if another thread has the mutex: a debugger may have stopped that one. */
bool sfr__workers_look(struct sfr__workers *workers, struct sfr__workers_count *out);

#endif
