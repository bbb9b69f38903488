/* SPDX-License-Identifier: MIT */
/*
 * A line server on epoll, as there are many: an existing program that others want to be part of.
 *
 * It knows nothing of any library. Whoever lives in it watches descriptors of their own in its set, and may ask
 * to be called before it sleeps. Each line is answered with the same line.
 */
#ifndef BENCH_LINE_SERVER_H
#define BENCH_LINE_SERVER_H

#include <stdbool.h>
#include <stdint.h>

struct source {
	int fd;
	void (*ready)(struct source *source, uint32_t events);
};

struct host {
	int set;
	bool stopped;
	void (*before_sleep)(struct host *host); /* NULL: nobody asked */
	void *guest;
	uint64_t wakes;
};

extern struct host host;

/* Level-triggered. The source stays where it is until its descriptor is closed. */
void host_watch(struct source *source, uint32_t events);
void host_rewatch(struct source *source, uint32_t events);

/* Serve lines at a port of the loopback; 0: any. */
void lines_serve(unsigned port);

void host_run(void);

#endif
