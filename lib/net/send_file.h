/* SPDX-License-Identifier: MIT */
/*
 * Files in send queues.
 *
 * In a queue a file is a buffer without contents that counts for as much memory as is read of it at a time. It is never
 * part of a chain that is sent: when it is at the front and nothing is in flight, the next piece of it is sent, until all
 * is.
 */
#ifndef SFR_LIB_NET_SEND_FILE_H
#define SFR_LIB_NET_SEND_FILE_H

#include "net/conn.h"

/* Of one that has a file at the front, and no send in flight: send a piece, or tell of its end. */
void sfr__conn_send_file(struct sfr__conn *conn);

#endif
