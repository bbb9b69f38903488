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

struct sfr__conn {
	struct sfr__object object;
	struct sfr__hook dirty;
	struct sfr__net *net;
	struct sfr__terms *terms;
	void *data;
	const sfr_handlers *handlers; /* of sfr__net_handlers() */
	void *arg;
	int fd;
	uint32_t holds;      /* it is busy while there are some */
	uint32_t data_turn;  /* of the loop, in which on_data ran last */
	uint8_t state;       /* enum sfr__conn_state */
	bool paused : 1;     /* by the user */
	bool choked : 1;     /* the send queue is above its high-water mark */
	bool reads_full : 1; /* it receives though it is choked */
	bool watched : 1;    /* `recv` is a poll that tells when the connection breaks */
	bool resets : 1;     /* the peer is to see that it was cut */
	bool finishing : 1;  /* the program is done with it: what arrives is dropped */
	bool lingering : 1;  /* `other` is the time that the peer may take to finish */
	bool hung_up : 1;    /* that poll told of an end that is no error: it is not asked again */
	bool peer_finished : 1;  /* nothing more will arrive */
	bool local_finished : 1; /* nothing more will be sent */
	bool told_peer : 1;      /* the peer knows that */
	bool unread_known : 1;   /* FAILED: all else has ended, and `unread` counts down */
	bool asked : 1;          /* the send in flight is cancelled to know how far it got */
	bool held : 1;           /* `dirty` is on the list of those that receive nothing for now */
	bool at_disk : 1;        /* `send` waits for a file, and not for the peer */
	uint16_t round;          /* of the net's relief, to which `kept` belongs */
	int16_t reason;          /* of on_close: errors have no more than 4 digits */
	uint32_t kept;           /* bytes that on_data kept or gave to others in that round */
	uint32_t unread;  /* FAILED: bytes that the kernel had then; finishing: ms to linger */
	uint32_t sent_at; /* when the send in flight began, in ticks */
	sfr_ticket recv, send, other; /* what is in flight; other: connect, shutdown or close */
	struct sfr__send_queue queue;
};

/* Take over a descriptor that is connected; on_open is called. False: no memory, and it is closed. */
bool sfr__conn_accepted(struct sfr__net *net, struct sfr__terms *terms, int fd,
			const sfr_handlers *handlers, void *arg);

/* A connection on a descriptor that is not connected yet. It takes terms that are for it alone. `handlers` are of
 * sfr__net_handlers(). NULL without memory. */
struct sfr__conn *sfr__conn_new(struct sfr__net *net, struct sfr__terms *terms, int fd,
				const sfr_handlers *handlers, void *arg);

void sfr__conn_connect(struct sfr__conn *conn, const struct sockaddr *addr, socklen_t size);

/* Its descriptor is connected; it opens when this op, which does nothing, is done. */
void sfr__conn_adopted(struct sfr__conn *conn, sfr_op *next_turn);

/* End it, now or as soon as its operations have ended. */
void sfr__conn_close(struct sfr__conn *conn, int reason);

/* Nothing more can be sent. What the peer sent before that is its answer, and may say why. It may still be in the
 * kernel, as a connection that is full receives nothing. So the operations end first, then what the kernel has at
 * that moment is received, and no more, and then the connection closes. */
void sfr__conn_fail(struct sfr__conn *conn, int reason);

/* Of one that is CLOSING and has nothing in flight: close the descriptor, and call on_close then. */
void sfr__conn_close_fd(struct sfr__conn *conn);

/* Shut down one direction or both. */
void sfr__conn_shut(struct sfr__conn *conn, int how);

/* Of one that finishes, and has told its peer: wait for the peer's end, as long as it may take. */
void sfr__conn_linger(struct sfr__conn *conn);

/* Move it to another state, and tell the log why. Twice or three times in the life of a connection. */
void sfr__conn_move(struct sfr__conn *conn, enum sfr__conn_state next, const char *why);

/* The address of its peer, as text. Its length, or an error. */
int sfr__conn_peer(const struct sfr__conn *conn, char *out, size_t size);

/* What callers have of it. */
static inline sfr_conn *sfr__conn_handle(const struct sfr__conn *conn)
{
	return (sfr_conn *)conn->object.handle;
}

/* And back. NULL: it is stale, or the caller is not on the thread of its loop. */
static inline struct sfr__conn *sfr__conn_of(const sfr_conn *handle)
{
	return sfr__object_find(handle, SFR__HANDLE_CONN);
}

/* Of a handle for which that was NULL: what the caller is answered. */
__attribute__((cold)) int sfr__conn_refuse(const sfr_conn *handle);

static inline sfr_loop *sfr__conn_loop(const struct sfr__conn *conn)
{
	return conn->net->loop;
}

static inline const struct sfr__server_settings *sfr__conn_settings(const struct sfr__conn *conn)
{
	return &conn->terms->settings;
}

/* Have it settled before the engine is entered. */
static inline void sfr__conn_touch(struct sfr__conn *conn)
{
	sfr__loop_stir(sfr__conn_loop(conn));
	if (sfr__unlikely(conn->held)) {
		conn->held = false;
		sfr__list_remove(&conn->dirty);
	}
	if (sfr__list_empty(&conn->dirty))
		sfr__list_append(&conn->net->dirty, &conn->dirty);
}

/* It is not to receive for now: settle it again in the next round of the net's relief. */
static inline void sfr__conn_hold(struct sfr__conn *conn)
{
	if (!sfr__list_empty(&conn->dirty))
		return; /* it will be settled again before that */
	conn->held = true;
	sfr__list_append(&conn->net->relief.held, &conn->dirty);
}

#endif
