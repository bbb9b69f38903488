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
	void *(*watch)(void *host, int fd, host_called *fn, void *arg);
	void (*end)(void *timer_or_watch);
};

extern const struct host the_host;

/* attach(), detach() and error_of() of an adapter that has these calls under its own name. */
#define ADAPTER_CALLS(name)                                                 \
	static int attach(void **out, void *host, sfr_loop *loop)           \
	{                                                                   \
		return sfr_##name##_attach((sfr_##name **)out, host, loop); \
	}                                                                   \
	static void detach(void *attached)                                  \
	{                                                                   \
		sfr_##name##_detach(attached);                              \
	}                                                                   \
	static int error_of(const void *attached)                           \
	{                                                                   \
		return sfr_##name##_error(attached);                        \
	}

#endif
