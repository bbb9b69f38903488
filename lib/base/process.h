/* SPDX-License-Identifier: MIT */
/*
 * Process: whether this is still the process that made a thing. A child of fork has a copy of everything,
 * and the ring, the epoll set and the threads belong to its parent. No thread there has a number (base/thread.h)
 * that one here has.
 */
#ifndef SFR_LIB_BASE_PROCESS_H
#define SFR_LIB_BASE_PROCESS_H

/* How many forks lie between this process and the first that asked. Costs a load, and no system call. */
extern unsigned sfr__process_generation;

/* Begin to count. Any thread, any number of times. */
void sfr__process_watch(void);

#endif
