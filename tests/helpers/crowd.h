/* SPDX-License-Identifier: MIT */
/*
 * A crowd: many peers of one server, in the test's own thread, that are after its memory; and what a server owes to the
 * others meanwhile.
 */
#ifndef SFR_TESTS_CROWD_H
#define SFR_TESTS_CROWD_H

#include "peers.h"

#define KIB 1024
#define MIB (1024 * KIB)

/* How many peers this process may have descriptors for, two each: `wanted`, or less. */
int crowd_of(int wanted);

/* They connect, one after the other, and the kernel keeps little for each: fds are the test's. */
void crowd_come(sfr_loop *loop, const sfr_server *server, int *fds, int count);

/* Those that are left go, and all memory is back. */
void crowd_go(sfr_loop *loop, const int *fds, int count);

/* What a budget promises, since the crowd came: bytes of buffers, and pages of the process. */
void crowd_within_budget(sfr_loop *loop, int count);

/* For a server: the kernel keeps little at its end, too. Notes as note_open(). */
void narrow_open(sfr_conn *conn, void *arg);

/* Pour in as much as a peer's end takes. True if it took something. */
bool press(int fd);

/* Throw away all that has come to a peer. */
void swallow(int fd);

/* An honest peer of an echo asks, and hears the answer, so many times. */
void ask_and_hear(sfr_loop *loop, int fd, int times);

#endif
