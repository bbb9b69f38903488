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

/*
 * For those who send otherwise.
 */

/* Its peer has some time from now on. */
static inline void sfr__conn_clock(struct sfr__conn *conn)
{
	conn->sent_at = (uint32_t)(conn->net->now_ns >> SFR__CONN_TICK_SHIFT);
}

/* Something that was given is queued. */
void sfr__conn_push(struct sfr__conn *conn, sfr_buf *buf);

/* What was asked has ended with this result. It goes on with 0 or more; -SFR_ESLOW if it got nowhere, and there still is
 * no room. */
int sfr__conn_answered(struct sfr__conn *conn, int result);

/* A send failed, or the connection has ended meanwhile. Nothing is in flight. */
void sfr__conn_send_failed(struct sfr__conn *conn, int result);

/* Tell of what was sent, which may end the connection. */
void sfr__conn_tell_sent(struct sfr__conn *conn);

#endif
