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
	uint8_t state;                /* enum sfr__conn_state */
	bool paused;                  /* by the user */
	bool choked;                  /* the send queue is above its high-water mark */
	bool peer_finished;           /* nothing more will arrive */
	bool local_finished;          /* nothing more will be sent */
	bool told_peer;               /* the peer knows that */
	bool unread_known;            /* FAILED: all else has ended, and `unread` counts down */
	uint32_t unread;              /* bytes that the kernel had then */
	bool relieve;                 /* the send in flight is cancelled to free its buffers */
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

/* Its peer is slow, and others starve: move what it has queued from the slab to the heap. False if that has
 * nothing of the slab, or nothing that is, or is not, shared. */
bool sfr__conn_relieve(sfr_conn *conn, bool shared);

#endif
