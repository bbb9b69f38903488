/* SPDX-License-Identifier: MIT */
/*
 * Receiving: what the net and its relief need of it.
 */
#ifndef SFR_LIB_NET_RECEIVE_H
#define SFR_LIB_NET_RECEIVE_H

#include "net/conn.h"

/* Of one that is OPEN: have a receive in flight, or none, as should be. */
void sfr__conn_settle_receive(struct sfr__conn *conn);

/* Of one that FAILED, and has neither a receive nor a send in flight: receive what the kernel has, then close. */
void sfr__conn_receive_rest(struct sfr__conn *conn);

/* Memory is short: have it settled, if it receives and has more than its share. */
void sfr__conn_look(struct sfr__conn *conn);

#endif
