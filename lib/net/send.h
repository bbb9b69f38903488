/* SPDX-License-Identifier: MIT */
/*
 * Sending: what the net and its relief need of it.
 */
#ifndef SFR_LIB_NET_SEND_H
#define SFR_LIB_NET_SEND_H

#include "net/conn.h"

/* Of one that has something queued, and no send in flight. */
void sfr__conn_send_queued(struct sfr__conn *conn);

/* For how long its send has been in flight, in ns; 0 if it has none, or was asked already, or if memory would not come
 * back with it. */
uint64_t sfr__conn_waited(const struct sfr__conn *conn, uint64_t now_ns);

/* Memory is short: end the send in flight, and the connection if that send got nowhere. */
void sfr__conn_ask(struct sfr__conn *conn);

#endif
