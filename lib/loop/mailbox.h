/* SPDX-License-Identifier: MIT */
/*
 * Mailbox: how other threads, and signal handlers, reach a loop.
 *
 * Posted functions and values go on a lock-free list; an eventfd, polled through the ring itself, wakes the loop
 * from its sleep. However many knock before it looks, the eventfd is written once. It is polled and not
 * read by the ring, so that the kernel has nothing of ours to write to when the loop is freed. While a host
 * sleeps for the loop, its face has the eventfd, and the ring has not.
 */
#ifndef SFR_LIB_LOOP_MAILBOX_H
#define SFR_LIB_LOOP_MAILBOX_H

#include <safer_ring/loop.h>
#include <liburing.h>
#include <stdatomic.h>

struct sfr__post;

struct sfr__mailbox {
	int fd;     /* the eventfd; -1 before init */
	bool armed; /* a poll of it is in flight */

	_Atomic(struct sfr__post *) posts; /* newest first */
	atomic_bool knocked;               /* the eventfd was written and not yet read */
	atomic_bool stop;
};

/* 0 or -errno. */
int sfr__mailbox_init(struct sfr__mailbox *mailbox);

/* Posts that never ran are forgotten. */
void sfr__mailbox_fini(struct sfr__mailbox *mailbox);

/* 0 or -ENOMEM. Any thread. */
int sfr__mailbox_post(struct sfr__mailbox *mailbox, void (*fn)(sfr_loop *, void *), void *arg);

/* Leave a value. 0 or -ENOMEM. Any thread. */
int sfr__mailbox_send(struct sfr__mailbox *mailbox, uint64_t value);

/* Wake the loop. Any thread, any signal handler. */
void sfr__mailbox_knock(struct sfr__mailbox *mailbox);

static inline bool sfr__mailbox_full(const struct sfr__mailbox *mailbox)
{
	return atomic_load(&mailbox->posts) != NULL;
}

/* Read the eventfd, if it was written. */
void sfr__mailbox_open(struct sfr__mailbox *mailbox);

/* Run what is there now, oldest first, and hand values on. Returns how many functions ran. */
unsigned sfr__mailbox_run(struct sfr__mailbox *mailbox, sfr_loop *loop,
			  void (*on_value)(sfr_loop *loop, uint64_t value));

/* How many functions and values are there, without those that a turn has taken out. On the loop's thread, as no other
 * takes them out. */
void sfr__mailbox_count(const struct sfr__mailbox *mailbox, size_t *functions_out,
			size_t *values_out);

/* Fill an SQE with the poll that wakes the loop; and its completion. */
void sfr__mailbox_arm(struct sfr__mailbox *mailbox, struct io_uring_sqe *sqe);
void sfr__mailbox_woken(struct sfr__mailbox *mailbox);

/* If somebody knocked, be ready for the next who does: the mail is looked at after this. */
static inline void sfr__mailbox_hear(struct sfr__mailbox *mailbox)
{
	if (atomic_load(&mailbox->knocked))
		sfr__mailbox_open(mailbox);
}

#endif
