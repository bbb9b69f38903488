/* SPDX-License-Identifier: MIT */
/*
 * Signals: one handler for all loops of a process, and the list of watches that it walks.
 *
 * The handler takes no lock, so a watch that was taken off the list may still be under a handler's
 * eyes. Who takes one off waits until no handler is inside before the watch may be freed.
 */
#include "loop/signals.h"
#include "base/invariant.h"
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

/* Over all but what handlers read, and over the dispositions of signals. */
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static unsigned users[SFR__SIGNALS];
static struct sigaction before[SFR__SIGNALS];

/* What handlers read. */
static _Atomic(struct sfr__signal_watch *) watches;
static atomic_int process; /* whose they are */
static atomic_uint inside; /* handlers that may be looking at one */

/*
 * In a child of fork that has not run our handler, or never will, the watches are still there: but those who
 * sleep at the other end are its parent's.
 */
static void signal_came(int signo)
{
	struct sfr__signal_watch *watch;

	atomic_fetch_add(&inside, 1);
	watch = getpid() == atomic_load(&process) ? atomic_load(&watches) : NULL;
	for (; watch; watch = atomic_load(&watch->next)) {
		if (!atomic_load(&watch->watched[signo]))
			continue;
		atomic_store(&watch->arrived[signo], true);
		atomic_store(watch->alerted, true);
		sfr__mailbox_knock(watch->mailbox);
	}
	atomic_fetch_sub(&inside, 1);
}

static int handler_install(int signo)
{
	struct sigaction action = {.sa_handler = signal_came, .sa_flags = SA_RESTART};

	sigemptyset(&action.sa_mask);
	return sigaction(signo, &action, &before[signo]) < 0 ? -errno : 0;
}

/* Unless somebody put another in place of ours, and counts on it. */
static void handler_restore(int signo)
{
	struct sigaction now;

	if (sigaction(signo, NULL, &now) == 0 && now.sa_handler == signal_came)
		(void)sigaction(signo, &before[signo], NULL); /* it was accepted before */
}

/*
 * Fork.
 */

static void fork_begins(void)
{
	pthread_mutex_lock(&mutex);
}

static void fork_done_in_parent(void)
{
	pthread_mutex_unlock(&mutex);
}

/* Handlers that were running on other threads are not here to leave. */
static void fork_done_in_child(void)
{
	int signo;

	atomic_store(&watches, NULL);
	atomic_store(&inside, 0);
	for (signo = 1; signo < SFR__SIGNALS; signo++) {
		if (users[signo])
			handler_restore(signo);
		users[signo] = 0;
	}
	pthread_mutex_unlock(&mutex);
}

static void fork_watch(void)
{
	/* Without memory the handlers stay in children, and do nothing there. */
	(void)pthread_atfork(fork_begins, fork_done_in_parent, fork_done_in_child);
}

/*
 * The list.
 */

static void watch_enlist(struct sfr__signal_watch *watch)
{
	atomic_store(&watch->next, atomic_load(&watches));
	atomic_store(&watches, watch);
}

static void watch_delist(struct sfr__signal_watch *watch)
{
	_Atomic(struct sfr__signal_watch *) *place = &watches;

	while (atomic_load(place) != watch) {
		sfr__invariant(atomic_load(place));
		place = &atomic_load(place)->next;
	}
	atomic_store(place, atomic_load(&watch->next));
}

/* A handler that interrupted this very thread has left by now; others leave soon. */
static void handlers_leave(void)
{
	while (atomic_load(&inside))
		sched_yield();
}

/* It is counted first: what arrives as soon as there is a handler is for it. */
static void watch_count(struct sfr__signal_watch *watch, int signo)
{
	atomic_fetch_add(&watch->watched[signo], 1);
	if (!watch->count++)
		watch_enlist(watch);
}

static void watch_discount(struct sfr__signal_watch *watch, int signo)
{
	bool last = atomic_fetch_sub(&watch->watched[signo], 1) == 1;

	if (!--watch->count)
		watch_delist(watch);
	if (!last)
		return;
	handlers_leave();
	atomic_store(&watch->arrived[signo], false); /* not for who comes later */
}

int sfr__signal_watch_add(struct sfr__signal_watch *watch, int signo)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	int r = 0;

	pthread_once(&once, fork_watch);
	pthread_mutex_lock(&mutex);
	atomic_store(&process, getpid());
	watch_count(watch, signo);
	if (!users[signo])
		r = handler_install(signo);
	if (r == 0)
		users[signo]++;
	else
		watch_discount(watch, signo);
	pthread_mutex_unlock(&mutex);
	return r;
}

void sfr__signal_watch_remove(struct sfr__signal_watch *watch, int signo)
{
	pthread_mutex_lock(&mutex);
	if (!--users[signo])
		handler_restore(signo);
	watch_discount(watch, signo);
	pthread_mutex_unlock(&mutex);
}
