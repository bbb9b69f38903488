/* SPDX-License-Identifier: MIT */
/*
 * Process: forks counted by a handler that runs in the child.
 *
 * The handler is installed by the first who asks, so a fork before that is not counted: nothing of
 * ours was in it.
 */
#include "base/process.h"
#include "base/thread.h"
#include <pthread.h>

unsigned sfr__process_generation;

/* In the child, which has this one thread: it gets a number of its own, so that who asks whether a thread
 * is his need not ask for the process as well. */
static void forked(void)
{
	sfr__process_generation++;
	sfr__thread_number = 0;
}

static void watch(void)
{
	/* Without memory forks go unnoticed, as they would without the handler. */
	(void)pthread_atfork(0, 0, forked);
}

void sfr__process_watch(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, watch);
}
