/* SPDX-License-Identifier: MIT */
/*
 * System calls: what each SQE stands for, done by the process itself.
 *
 * A descriptor's flags are never changed, and never relied on: what may block is asked not to, call by
 * call, or is left to a worker.
 */
#ifndef SFR_LIB_SQE_SYSCALLS_H
#define SFR_LIB_SQE_SYSCALLS_H

#include "sqe/request.h"
#include <stdbool.h>

/* Do it if that needs no waiting. A result, or SFR__NOT_YET. */
int sfr__syscall_try(struct sfr__request *request);

/* Whether it waits for a worker, and not for its descriptor. Asked when trying gave SFR__NOT_YET. */
bool sfr__syscall_blocks(const struct sfr__request *request);

/* Whether it is to be tried again after a while. Asked when a worker gave SFR__NOT_YET. */
bool sfr__syscall_is_for_later(const struct sfr__request *request);

/* The descriptor that it waits for, and not for a worker. */
int sfr__syscall_fd(const struct sfr__request *request);

/* What that descriptor must become before another try is worth it: EPOLLIN, EPOLLOUT ... */
uint32_t sfr__syscall_events(const struct sfr__request *request);

/* Do it, however long it takes: on a worker. A result; or SFR__NOT_YET: the rest is for trying. */
int sfr__syscall_do(struct sfr__request *request);

/* Do what an SQE of the kind that never waits for a descriptor stands for, however long it takes: on a worker. Its
 * result. */
int sfr__syscall_run(const struct io_uring_sqe *sqe);

#endif
