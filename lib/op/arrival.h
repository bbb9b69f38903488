/* SPDX-License-Identifier: MIT */
/*
 * Arrival: how much memory a program keeps with what it has received.
 *
 * Bytes arrive in a buffer that was chosen before anybody knew how many they are. A program that keeps one of them would
 * keep all of it, and few such programs' peers would take the whole budget. So few bytes are copied into a buffer of
 * their size when they are delivered: that is the last moment at which nobody has a pointer to them. As long as there
 * is memory that is done where it costs nothing, up to buffers.small; while it is short, up to an eighth of a buffer.
 * Without a smaller buffer to be had they stay where they are.
 */
#ifndef SFR_LIB_OP_ARRIVAL_H
#define SFR_LIB_OP_ARRIVAL_H

#include "loop/loop.h"

/* A buffer with what has arrived, about to be the caller's: this one, or a smaller one. */
sfr_buf *sfr__arrival_fit(sfr_loop *loop, sfr_buf *buf);

#endif
