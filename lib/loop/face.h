/* SPDX-License-Identifier: MIT */
/*
 * Face: what a loop shows to a host that sleeps for it.
 *
 * One descriptor that select, poll and epoll know: a set of the engine's descriptor, the mailbox's, a timer and
 * a nudge. It is readable while a turn would find something to do, and stays so until a turn was taken, however
 * often anybody looks at it; nobody can read it empty.
 *
 * At the end of its turns the loop falls asleep: everything is with the engine, and what the engine or the
 * timer tells of later wakes the host. Whoever then gives the loop work on its own thread, outside a turn,
 * stirs it: the nudge makes the face readable. So outside of turns the loop is asleep, or was nudged. Other
 * threads come by way of the mailbox.
 */
#ifndef SFR_LIB_LOOP_FACE_H
#define SFR_LIB_LOOP_FACE_H

#include <safer_ring/base.h>
#include <stdint.h>

struct sfr__face {
	int fd;            /* the set; -1: nobody asked for it */
	int nudge_fd;      /* an eventfd */
	int timer_fd;      /* CLOCK_MONOTONIC */
	uint64_t timer_at; /* when it fires, ns; 0: it does not */
	bool nudged;       /* the nudge is readable */
	bool asleep;       /* a turn would find nothing to do unless something happens */
	bool found;        /* completions that are for the next turn */
};

void sfr__face_init(struct sfr__face *face);
void sfr__face_fini(struct sfr__face *face);

static inline bool sfr__face_is_open(const struct sfr__face *face)
{
	return face->fd >= 0;
}

/* Somebody gave the loop work outside a turn: have the host take one. */
void sfr__face_nudge(struct sfr__face *face);

/* The loop is about to fall asleep: forget what was told so far. */
void sfr__face_hush(struct sfr__face *face);

/* Have the timer wake the host at this time, ns of CLOCK_MONOTONIC; 0: never. */
void sfr__face_timer(struct sfr__face *face, uint64_t at_ns, uint64_t now_ns);

/* Make it, with a nudge for what is there already. It tells of this descriptor, too; the engine adds its own. 0
 * or -errno. */
int sfr__face_open(struct sfr__face *face, int mailbox_fd);

#endif
