/* SPDX-License-Identifier: MIT */
/*
 * Sandbox: whether a seccomp filter kills who tries io_uring.
 */
#ifndef SFR_LIB_SANDBOX_H
#define SFR_LIB_SANDBOX_H

#include "refusal.h"

/*
 * Have a child try the three calls of io_uring, where this thread has a filter. No error: they are not deadly, or
 * there is no filter. Else SFR__KILLED, or SFR__UNASKED if there could be no child. Any thread; what was found is
 * kept until the thread has another filter. A loop that is there already does not ask.
 */
struct sfr__refusal sfr__sandbox_ask(void);

#endif
