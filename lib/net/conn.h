/* SPDX-License-Identifier: MIT */
/*
 * Connection: what the net and its servers need of it.
 */
#ifndef SFR_LIB_NET_CONN_H
#define SFR_LIB_NET_CONN_H

#include "net/net.h"
#include "net/send_queue.h"
#include <safer_ring/server.h>

enum sfr__conn_state {
	SFR__CONN_CONNECTING,
	SFR__CONN_OPEN,
	SFR__CONN_FAILED,  /* a send failed: what the peer has said until then is delivered */
	SFR__CONN_CLOSING, /* operations are ending; then the descriptor is closed */
	SFR__CONN_CLOSED,  /* on_close runs */
};

/* Each of these in a word: for the log, and for sfr_loop_dump(). */
extern const char *const sfr__conn_states[];

/* How exactly it is known when a send began: by 32 bits, which last for 52 days. */
#define SFR__CONN_TICK_SHIFT 20
#define SFR__CONN_TICK_NS (UINT64_C(1) << SFR__CONN_TICK_SHIFT)

struct sfr_conn {
	struct sfr__hook hook;
	struct sfr__hook dirty;
	struct sfr__net *net;
	sfr_server *server; /* NULL if dialled */
	void *data;
	sfr_handlers handlers;
	void *arg;
	int fd;
	int reason;
	uint8_t state;       /* enum sfr__conn_state */
	bool paused;         /* by the user */
	bool choked;         /* the send queue is above its high-water mark */
	bool peer_finished;  /* nothing more will arrive */
	bool local_finished; /* nothing more will be sent */
	bool told_peer;      /* the peer knows that */
	bool unread_known;   /* FAILED: all else has ended, and `unread` counts down */
	uint32_t unread;     /* bytes that the kernel had then */
	bool asked;          /* the send in flight is cancelled to know how far it got */
	bool held;           /* `dirty` is on the list of those that receive nothing for now */
	bool single;         /* its receive was armed for one buffer each */
	uint16_t round;      /* of the net's relief, to which `kept` belongs */
	uint32_t kept;       /* bytes that on_data kept or gave to others in that round */
	uint32_t sent_at;    /* when the send in flight began, in ticks */
	sfr_ticket recv, send, other; /* what is in flight; other: connect, shutdown or close */
	struct sfr__send_queue queue;
};

/* Take over a descriptor that is connected; on_open is called. False: no memory, and it is closed. */
bool sfr__conn_accepted(struct sfr__net *net, sfr_server *server, int fd,
			const sfr_handlers *handlers, void *arg);

/* A connection on a descriptor that is not connected yet. NULL without memory. */
sfr_conn *sfr__conn_new(struct sfr__net *net, sfr_server *server, int fd,
			const sfr_handlers *handlers, void *arg);

void sfr__conn_connect(sfr_conn *conn, const struct sockaddr *addr, socklen_t size);

/* End it, now or as soon as its operations have ended. */
void sfr__conn_close(sfr_conn *conn, int reason);

/* Start what should be in flight, given what is true of it now. */
void sfr__conn_settle(sfr_conn *conn);

/* For how long its send has been in flight, in ns; 0 if it has none, or was asked already, or if memory would not come
 * back with it. */
uint64_t sfr__conn_waited(const sfr_conn *conn, uint64_t now_ns);

/* Memory is short: have it settled, if it receives and has more than its share. */
void sfr__conn_look(sfr_conn *conn);

/* Memory is short: end the send in flight, and the connection if that send got nowhere. */
void sfr__conn_ask(sfr_conn *conn);

#endif
