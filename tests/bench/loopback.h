/* SPDX-License-Identifier: MIT */
/*
 * What programs share that are server and load at once: a core for each, the time, and a way to connect.
 */
#ifndef BENCH_LOOPBACK_H
#define BENCH_LOOPBACK_H

#include "listener.h"
#include <sched.h>
#include <stdint.h>
#include <time.h>

/* The calling thread, and those that it starts. */
static inline void core_pin(int core)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET((unsigned)core, &set);
	if (sched_setaffinity(0, sizeof(set), &set) < 0)
		die("sched_setaffinity", errno);
}

static inline uint64_t clock_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static inline struct sockaddr_in loopback_at(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return address;
}

/* A socket that is connected, and sends at once what it is given. */
static inline int loopback_connect(unsigned port)
{
	struct sockaddr_in address = loopback_at(port);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		die("connect", errno);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)); /* only slower without */
	return fd;
}

#endif
