/* SPDX-License-Identifier: MIT */
/*
 * Language: which SQEs there are, what is wrong with one before it starts, and which results break a
 * row. The rules are the kernel's, for the SQEs that this library emits.
 */
#ifndef SFR_LIB_SQE_LANGUAGE_H
#define SFR_LIB_SQE_LANGUAGE_H

#include "sqe/request.h"

/* The opcodes that there are, a bit each. */
uint64_t sfr__language_ops(void);

/* Found for a whole row before any member runs: 0, or -errno. Keeps what must be read now. */
int sfr__request_check(struct sfr__request *request);

/* Whether the descriptor that it wins goes into a place of the table of fixed files; and have a program that
 * is executed not find it. */
bool sfr__request_fills_place(const struct sfr__request *request);
void sfr__request_close_on_exec(struct sfr__request *request);

/* Whether it is all or nothing: the op goes on until every byte is transferred. */
bool sfr__request_is_whole(const struct sfr__request *request);

/* Whether it ended in a way that breaks a soft link. */
bool sfr__request_failed(const struct sfr__request *request, int result);

/* Of a multishot RECVMSG: the bytes at the front of each buffer that are for a header, who sent it, and
 * control data. */
uint32_t sfr__request_front(const struct sfr__request *request);

/* How many bytes it was asked to transfer. */
uint64_t sfr__request_size(const struct sfr__request *request);

#endif
