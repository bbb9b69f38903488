/* SPDX-License-Identifier: MIT */
/*
 * Request: one SQE while system calls execute it. Who has it executed may keep more of it in a structure of their
 * own, which begins with this one.
 */
#ifndef SFR_LIB_SQE_REQUEST_H
#define SFR_LIB_SQE_REQUEST_H

#include <limits.h>
#include <liburing.h>
#include <stdbool.h>

/* Not a result: the attempt came too early. */
#define SFR__NOT_YET INT_MIN

struct sfr__request {
	struct io_uring_sqe sqe; /* a copy: the entry in the queue is free again */
	union {
		uint64_t time_ns; /* of a timeout: how long, or until when */
		/* Where its bytes are: as the SQE says, or a buffer that was picked. */
		unsigned char *at;
	};
	uint32_t len;
	uint32_t done; /* bytes of it transferred by earlier attempts */
	int fd;        /* what sqe.fd stands for */
	int fd_in;     /* of a splice: what sqe.splice_fd_in stands for */
	uint32_t told; /* what its descriptor is ready for, of a POLL_ADD; 0: nobody said, ask */
	uint8_t step;  /* how far it has come: see sqe/step.h; 0 is the beginning */
	bool no_more;  /* of a message: what was transferred is all that there is */
};

static inline bool sfr__request_is_multishot(const struct sfr__request *request)
{
	const struct io_uring_sqe *sqe = &request->sqe;

	return ((sqe->opcode == IORING_OP_RECV || sqe->opcode == IORING_OP_RECVMSG) &&
		sqe->ioprio & IORING_RECV_MULTISHOT) ||
	       (sqe->opcode == IORING_OP_ACCEPT && sqe->ioprio & IORING_ACCEPT_MULTISHOT);
}

#endif
