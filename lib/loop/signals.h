/* SPDX-License-Identifier: MIT */
/*
 * Signals: who in this process waits for which signal.
 *
 * A signal that somebody waits for has a handler of ours, and gets back the one it had with the end of the
 * last who does. The handler only sets flags and knocks at mailboxes, which is all that a signal handler
 * may do; it takes no lock, so it may interrupt any thread, also one that is adding or removing.
 *
 * A child of fork begins with nobody waiting, and with the handlers that were there before.
 */
#ifndef SFR_LIB_LOOP_SIGNALS_H
#define SFR_LIB_LOOP_SIGNALS_H

#include "loop/mailbox.h"
#include <stdatomic.h>
#include <stdbool.h>

enum { SFR__SIGNALS = 65 }; /* signals are numbers below this one */

/* Who waits: one of a loop. All zero but for the two pointers until it does. */
struct sfr__signal_watch {
	struct sfr__mailbox *mailbox;
	atomic_bool *alerted; /* set before the mailbox is knocked at */
	_Atomic(struct sfr__signal_watch *) next;
	unsigned count;                    /* how often it was added */
	atomic_uint watched[SFR__SIGNALS]; /* the same, signal by signal */
	atomic_bool arrived[SFR__SIGNALS];
};

/* Wait for a signal from now on. 0; -EINVAL: it cannot be waited for. Any thread. */
int sfr__signal_watch_add(struct sfr__signal_watch *watch, int signo);

/* Undo one such call. When this returns no handler knows of what was undone. Any thread. */
void sfr__signal_watch_remove(struct sfr__signal_watch *watch, int signo);

/* Whether it arrived since this was asked last. */
static inline bool sfr__signal_arrived(struct sfr__signal_watch *watch, int signo)
{
	return atomic_exchange(&watch->arrived[signo], false);
}

#endif
