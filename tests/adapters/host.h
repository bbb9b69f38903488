/* SPDX-License-Identifier: MIT */
/*
 * What the suite asks of a host: a loop of somebody else's, the adapter for it, and two kinds of sources of
 * its own. Each host_*.c has one; test_adapter.c is built with each of them.
 */
#ifndef SFR_TESTS_ADAPTERS_HOST_H
#define SFR_TESTS_ADAPTERS_HOST_H

#include <safer_ring.h>

typedef void host_called(void *arg);

struct host {
	const char *name;
	bool ends; /* run() returns by itself: an attached loop counts while operations are in flight */
	bool nests;    /* it can run inside a callback of the loop */
	bool prepares; /* it tells the adapter before it sleeps */

	void *(*make)(void);
	void (*free)(void *host);
	void (*turn)(void *host); /* sleep until something happens, and have it handled */
	void (*run)(void *host);  /* as long as it is kept running; NULL if it does not end */

	int (*attach)(void **out, void *host, sfr_loop *loop);
	void (*detach)(void *attached);
	int (*error)(const void *attached);
	void (*hold)(void *attached); /* NULL: no need to */

	/* Until they are ended, also by what they call. */
	void *(*timer)(void *host, unsigned ms, host_called *fn, void *arg);
	void (*timer_end)(void *timer);
	void *(*watch)(void *host, int fd, host_called *fn, void *arg);
	void (*watch_end)(void *watch);
};

extern const struct host the_host;

#endif
