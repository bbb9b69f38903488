/* SPDX-License-Identifier: MIT */
/*
 * Watches: requests that wait for descriptors, on epoll.
 *
 * Requests that wait for a descriptor are on its list, and epoll is asked for what they want together.
 * As long as all of them want one answer, epoll gives one (EPOLLONESHOT), and asking again costs a call;
 * a multishot request stays armed, so a busy connection costs no call but its receives. What epoll tells
 * in vain it is asked to tell of once (EPOLLET), then not at all, and those who wait try now and then.
 *
 * A number may be closed behind our back and given to another file; epoll then forgets it. So what was
 * armed once is not relied on when nobody waits, and for a request that comes epoll is always asked: if
 * it has forgotten, those who waited before end, and never meet the next file of that number.
 */
#ifndef SFR_LIB_ENGINE_EPOLL_WATCH_H
#define SFR_LIB_ENGINE_EPOLL_WATCH_H

#include "base/array.h"
#include "engine/interpreter/interpreter.h"

/* What is to be known of a request besides. Its engine's structure begins with this. */
struct sfr__waiter {
	struct sfr__flight flight;
	int fd;          /* that it waits for */
	uint32_t events; /* of it */
	uint32_t since;  /* the round in which it began to */
	bool watched;
	bool with_workers; /* the engine's: it waits for one instead */
	bool has_copy;     /* its descriptor is one of ours, for its file must stay open */
};

struct sfr__watches {
	struct sfr__interpreter *interpreter; /* told when another attempt is worth it */
	int epoll_fd;                         /* says of a descriptor its number */
	struct sfr__array table;              /* by descriptor */
	bool stale;                           /* the set must be renewed */
	uint32_t round; /* in which what epoll says was asked for: it counts the looks */
};

/* 0 or -errno. Zeros may be passed to fini. */
int sfr__watches_init(struct sfr__watches *watches, struct sfr__interpreter *interpreter);
void sfr__watches_fini(struct sfr__watches *watches);

/* Wait until a descriptor is ready for one of the events. 0 or -errno: -EPERM if it always is. */
int sfr__watch_add(struct sfr__watches *watches, struct sfr__flight *flight, int fd,
		   uint32_t events);

/* A try was not in vain: epoll is worth asking again. */
void sfr__watch_revive(struct sfr__watches *watches, struct sfr__flight *flight);

/* It waits no longer, if it did. */
void sfr__watch_remove(struct sfr__watches *watches, struct sfr__flight *flight);

/* Make a new set, and ask it for all that is waited for. 0 or -errno. */
int sfr__watches_renew(struct sfr__watches *watches);

/* What epoll said of a descriptor. */
void sfr__watch_ready(struct sfr__watches *watches, int fd, uint32_t events);

/* A descriptor is a copy of the engine's own from now on, or no longer. And whether it is one. */
void sfr__watch_own(struct sfr__watches *watches, int fd, bool own);
bool sfr__watch_is_own(const struct sfr__watches *watches, int fd);

/* A descriptor is about to be closed. The file of those who wait stays open under another number, as it
 * would with the kernel; without one to be had they end with -ECANCELED. */
void sfr__watch_closing(struct sfr__watches *watches, int fd);

#endif
