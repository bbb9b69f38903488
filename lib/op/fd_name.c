/* SPDX-License-Identifier: MIT */
/*
 * Descriptors, as the dump and the trace write them.
 */
#include "op/fd_name.h"
#include "op/kind.h"
#include <fcntl.h>
#include <stdio.h>

const char *sfr__fd_print(int fd, char out[SFR__FD_TEXT])
{
	if (sfr__fd_is_name(fd))
		snprintf(out, SFR__FD_TEXT, "registered file %u", sfr__fd_place(fd));
	else if (sfr__fd_is_of_batch(fd))
		snprintf(out, SFR__FD_TEXT, "descriptor of batch op %d",
			 (fd - SFR__BATCH_FDS_FIRST) & ((1 << SFR__FD_INDEX_BITS) - 1));
	else if (fd == AT_FDCWD)
		snprintf(out, SFR__FD_TEXT, "the working directory");
	else
		snprintf(out, SFR__FD_TEXT, "fd %d", fd);
	return out;
}

const char *sfr__op_fd_print(const sfr_op *op, char out[SFR__FD_TEXT])
{
	if (!sfr__op_is(op, SFR__KIND_ON_FD) || op->sqe.opcode == IORING_OP_NOP)
		return NULL;
	if (op->kind != SFR__OP_RAW || !(op->sqe.flags & IOSQE_FIXED_FILE))
		return sfr__fd_print(op->sqe.fd, out);
	snprintf(out, SFR__FD_TEXT, "registered file %d", op->sqe.fd); /* the kernel's number */
	return out;
}
