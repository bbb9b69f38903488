/* SPDX-License-Identifier: MIT */
/*
 * Accepting, for all servers of a loop.
 */
#ifndef SFR_LIB_NET_ACCEPT_H
#define SFR_LIB_NET_ACCEPT_H

#include "net/net.h"

/* Start to accept, which is not going on. */
void sfr__server_accept(struct sfr__server *server);

/* A connection of the server has closed: others that wait are opened. */
void sfr__server_has_room(struct sfr__server *server);

/* Refuse those that wait for room here. */
void sfr__surplus_drop(struct sfr__server *server);

/* It was stopped, and who connected before that has been accepted, or cannot be. */
bool sfr__server_is_empty(const struct sfr__server *server);

/* Accept again where accepting ended. */
void sfr__servers_flush(struct sfr__net *net);
bool sfr__servers_wait(const struct sfr__net *net); /* for that */

#endif
