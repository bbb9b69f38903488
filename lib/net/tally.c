/* SPDX-License-Identifier: MIT */
/*
 * Reasons are told apart as an operator would: who ended it, and what is to be done about it.
 */
#include "net/tally.h"
#include <safer_ring/error.h>
#include <errno.h>

static enum sfr__end end_of(int reason)
{
	switch (-reason) {
	case 0:
		return SFR__END_FINISHED;
	case ECANCELED:
		return SFR__END_CLOSED;
	case ECONNRESET:
	case EPIPE:
		return SFR__END_RESET;
	case ETIMEDOUT:
		return SFR__END_TIMED_OUT;
	case SFR_ESLOW:
		return SFR__END_SLOW;
	default: /* any other error there is */
		return SFR__END_FAILED;
	}
}

void sfr__tally_end(struct sfr__tally *tally, int reason)
{
	tally->ended[end_of(reason)]++;
}
