/* SPDX-License-Identifier: MIT */
/*
 * Terms: on which a connection lives, by one pointer. Those of a server are shared by what it accepts, those of the net
 * by what is dialled or adopted; a connection that was given others has them for itself.
 */
#ifndef SFR_LIB_NET_TERMS_H
#define SFR_LIB_NET_TERMS_H

#include "config/config.h"
#include "net/tally.h"
#include <stdbool.h>

struct sfr__server;

struct sfr__terms {
	struct sfr__server_settings settings;
	struct sfr__tally *tally;
	struct sfr__server *server; /* NULL: it was dialled or adopted */
	bool lone;                  /* of one connection, and freed with it */
};

#endif
