/* SPDX-License-Identifier: MIT */
/*
 * Request: one SQE while an interpreter executes it. What an engine wants to know besides it keeps
 * behind, in a structure of its own that begins with this one.
 */
#ifndef SFR_LIB_SQE_REQUEST_H
#define SFR_LIB_SQE_REQUEST_H

#include "base/list.h"
#include "base/timer.h"
#include <limits.h>
#include <liburing.h>
#include <stdatomic.h>

/* Not a result: the attempt came too early. */
#define SFR__NOT_YET INT_MIN

struct sfr__interpreter;

struct sfr__request {
	struct io_uring_sqe sqe;     /* a copy: the entry in the queue is free again */
	struct sfr__request *next;   /* the member of its chain that comes after it */
	struct sfr__request *bucket; /* in flight: the next one in its place of the table */
	struct sfr__interpreter *interpreter;
	struct sfr__request *limits; /* a LINK_TIMEOUT: the op it limits */
	struct sfr__timer timer;     /* of a timeout, or a retry */
	uint64_t time_ns;  /* of a timeout: how long, or until when; else how long until a retry */
	unsigned char *at; /* where its bytes are: as the SQE says, or a buffer that was picked */
	uint32_t len;
	uint32_t done;  /* bytes of it transferred by earlier attempts */
	int fd;         /* what sqe.fd stands for */
	int fd_in;      /* of a splice: what sqe.splice_fd_in stands for */
	int number;     /* the descriptor by which it can be cancelled; -1 once that was closed */
	bool no_more;   /* of a message: what was transferred is all that there is */
	int32_t result; /* the CQE: */
	uint32_t flags;
	atomic_bool cancelled; /* wanted to end while it could not: it does at the next chance */

	/* The engine's: */
	/* where it waits; also the core's, while the engine does not have it */
	struct sfr__link link;
	unsigned step; /* how far it has come; 0 is the beginning */
	uint32_t told; /* what its descriptor is ready for, of a POLL_ADD; 0: nobody said, ask */
};

static inline bool sfr__is_cancelled(const struct sfr__request *request)
{
	return atomic_load_explicit(&request->cancelled, memory_order_relaxed);
}

static inline bool sfr__request_is_multishot(const struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;

	return ((sqe->opcode == IORING_OP_RECV || sqe->opcode == IORING_OP_RECVMSG) &&
		sqe->ioprio & IORING_RECV_MULTISHOT) ||
	       (sqe->opcode == IORING_OP_ACCEPT && sqe->ioprio & IORING_ACCEPT_MULTISHOT);
}

#endif
