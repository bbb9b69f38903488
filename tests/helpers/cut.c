/* SPDX-License-Identifier: MIT */
/*
 * The wrap of io_uring_enter2. It cuts two enters, and leaves all others alone.
 */
#include "cut.h"
#include <errno.h>
#include <signal.h>

unsigned cut_sizes[2];
static int cut = 2; /* the next of them */

int __real_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
			   sigset_t *sig, size_t size);
int __wrap_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
			   sigset_t *sig, size_t size);

int __wrap_io_uring_enter2(unsigned fd, unsigned to_submit, unsigned min_complete, unsigned flags,
			   sigset_t *sig, size_t size)
{
	unsigned wanted = to_submit;

	if (to_submit && cut < 2 && cut_sizes[cut++] < to_submit)
		to_submit = cut_sizes[cut - 1];
	if (wanted && !to_submit)
		return -EAGAIN;
	if (wanted > to_submit) /* who could not take all does not wait */
		min_complete = 0;
	return __real_io_uring_enter2(fd, to_submit, min_complete, flags, sig, size);
}

void cut_at(unsigned first, unsigned second)
{
	cut_sizes[0] = first;
	cut_sizes[1] = second;
	cut = 0;
}
