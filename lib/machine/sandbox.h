/* SPDX-License-Identifier: MIT */
/*
 * Sandbox: whether a seccomp filter kills a process that tries io_uring.
 */
#ifndef SFR_LIB_MACHINE_SANDBOX_H
#define SFR_LIB_MACHINE_SANDBOX_H

#include "machine/refusal.h"

/*
 * If this thread has a filter, have a child try the three calls of io_uring. No error: the calls do not kill, or there
 * is no filter. Else SFR__KILLED, or SFR__UNASKED if no child could be made. Any thread. The answer is kept until
 * the thread has another filter. A loop that exists already does not ask again.
 */
struct sfr__refusal sfr__sandbox_ask(void);

#endif
