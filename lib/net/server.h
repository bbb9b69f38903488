/* SPDX-License-Identifier: MIT */
/*
 * Server: a listening socket, and what the net and those who make servers need of it.
 */
#ifndef SFR_LIB_NET_SERVER_H
#define SFR_LIB_NET_SERVER_H

#include "net/conn.h"
#include "net/listen.h"

enum sfr__server_state {
	SFR__SERVER_LISTENING,
	SFR__SERVER_EMPTYING, /* its backlog: who connected before it was stopped is served */
	SFR__SERVER_STOPPING, /* the accept is ending; then the socket is closed */
	SFR__SERVER_STOPPED,
};

/* What was accepted and waits for room, oldest first. */
struct sfr__surplus {
	int *fds;
	uint32_t first, count, room;
};

struct sfr__server {
	struct sfr__object object;
	struct sfr__net *net;
	struct sfr__listener listener;
	uint8_t state;     /* enum sfr__server_state */
	bool given_up;     /* by the user: free it when it is STOPPED and empty */
	bool complained;   /* about the accept error that lasts */
	bool waits;        /* `accept` is the wait before the next */
	bool pausing;      /* `accept` is cancelled, as it is full */
	bool told_full;    /* the log */
	uint32_t left;     /* EMPTYING: as many may still be accepted */
	sfr_ticket accept; /* or the wait before the next */
	size_t conns;
	struct sfr__terms terms;
	struct sfr__tally tally;
	struct sfr__surplus surplus;
	const sfr_handlers *handlers; /* of sfr__net_handlers() */
	void *arg;
};

/* What callers have of it. */
static inline sfr_server *sfr__server_handle(const struct sfr__server *server)
{
	return (sfr_server *)server->object.handle;
}

/* And back. NULL: it is stale, or the user gave it up, or the caller is not on the thread of its loop. */
static inline struct sfr__server *sfr__server_of(const sfr_server *handle)
{
	struct sfr__server *server = sfr__object_find(handle, SFR__HANDLE_SERVER);

	return server && !server->given_up ? server : NULL;
}

/* Accept no more, whoever waits. */
void sfr__server_cut(struct sfr__server *server);

/* One that listens to nothing yet, and is on no list. NULL without memory. */
struct sfr__server *sfr__server_new(struct sfr__net *net, const sfr_handlers *handlers, void *arg);

/* Nothing refers to it any more. */
void sfr__server_free(struct sfr__server *server);

/* Close its socket if it is to stop, and free it if nothing refers to it any more. */
void sfr__server_settle(struct sfr__server *server);

/* Stop accepting. */
void sfr__servers_drain(struct sfr__net *net);
void sfr__servers_free(struct sfr__net *net);

/* Their lines, for sfr_loop_dump(). */
struct sfr__dump;
void sfr__servers_dump(const struct sfr__net *net, const struct sfr__dump *dump);

/* A connection of a server has closed. */
void sfr__server_conn_closed(struct sfr__server *server);

#endif
