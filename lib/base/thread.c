/* SPDX-License-Identifier: MIT */
/*
 * The numbers of threads. Nothing is given back: a number that a thread had before it ended, or before it
 * forked, is never another one's.
 */
#include "base/thread.h"
#include <stdatomic.h>

/* The model is said again, or gcc would forget it here. */
_Thread_local uintptr_t sfr__thread_number __attribute__((tls_model("initial-exec")));

uintptr_t sfr__thread_number_new(void)
{
	static atomic_uintptr_t last;

	return sfr__thread_number = atomic_fetch_add(&last, 2) + 2;
}
