/* SPDX-License-Identifier: MIT */
/*
 * Tally: what the connections of one server, or of a net, have come to.
 */
#ifndef SFR_LIB_NET_TALLY_H
#define SFR_LIB_NET_TALLY_H

#include <stdint.h>

/* Reasons of on_close, as they are counted. */
enum sfr__end {
	SFR__END_FINISHED,
	SFR__END_CLOSED,
	SFR__END_RESET,
	SFR__END_TIMED_OUT,
	SFR__END_SLOW,
	SFR__END_FAILED,
	SFR__ENDS
};

struct sfr__tally {
	uint64_t accepted, refused, pauses;
	uint64_t received, sent; /* bytes */
	uint64_t ended[SFR__ENDS];
};

/* A connection has ended, for this reason. */
void sfr__tally_end(struct sfr__tally *tally, int reason);

#endif
