/* SPDX-License-Identifier: MIT */
/*
 * Net: the connections and servers of a loop, as the one thing that lives on it.
 */
#ifndef SFR_LIB_NET_NET_H
#define SFR_LIB_NET_NET_H

#include "loop/loop.h"
#include "net/relief.h"
#include "net/sent.h"
#include "net/terms.h"
#include <safer_ring/server.h>

struct sfr__server;

/* All connections of a loop, and what they share. */
struct sfr__net {
	struct sfr__resident resident;
	sfr_loop *loop;
	struct sfr__terms terms; /* of connections that have no others */
	struct sfr__tally tally; /* of those that are no server's */
	struct sfr__visit *visits;
	struct sfr__hook conns;
	struct sfr__hook dirty; /* connections with something to do before the engine is entered */
	struct sfr__handler_set *handlers;
	struct sfr__hook servers;
	/* Upcall to the servers: one of them has one connection less. */
	void (*conn_closed)(struct sfr__server *server);
	uint64_t now_ns; /* when sends of this turn began */
	size_t conn_count;
	struct sfr__sent sent;   /* empty but while a completion is dealt with */
	struct sfr__sent unsent; /* failed: see net/sent.h */
	struct sfr__relief relief;
};

/* Somebody goes through the connections, and may take turns meanwhile. */
struct sfr__visit {
	struct sfr__hook *next;
	struct sfr__visit *outer;
};

/* These handlers, kept until the net is freed: a program has few sets of them and many connections. NULL without memory. */
const sfr_handlers *sfr__net_handlers(struct sfr__net *net, const sfr_handlers *handlers);

/* The net of a loop, made when first asked for. NULL without memory. */
struct sfr__net *sfr__net_of(sfr_loop *loop);

#endif
