/* SPDX-License-Identifier: MIT */
/*
 * Connect: how it is done by system calls.
 */
#ifndef SFR_LIB_SQE_CONNECT_H
#define SFR_LIB_SQE_CONNECT_H

#include "sqe/request.h"

/* As sfr__syscall_try() and sfr__syscall_do(). */
int sfr__connect_try(struct sfr__request *request);
int sfr__connect_do(struct sfr__request *request);

#endif
