/* SPDX-License-Identifier: MIT */
/*
 * Guest: a loop in the care of a host, as every adapter sees it.
 *
 * An adapter stands on the public calls alone, as one of somebody else's would. Its host tells it two things:
 * the loop's descriptor is readable; and, where it can, that it is about to sleep. Nothing here touches the
 * loop when the adapter is detached, so the loop may be gone by then.
 */
#ifndef SFR_LIB_ADAPTERS_GUEST_H
#define SFR_LIB_ADAPTERS_GUEST_H

#include <safer_ring/error.h>
#include <safer_ring/loop.h>

struct sfr__guest {
	sfr_loop *loop;
	int error;     /* why it does not turn any more; 0: it does */
	bool stepping; /* its callbacks may be running */
	bool nested; /* the host is about to sleep inside one of them, whoever has the loop turn */
	bool gone;   /* detached by one of them: whoever called the step lets go of the adapter */
};

/* The descriptor is readable: take a turn. False: that was the last one, as it is gone or failed. */
static inline bool sfr__guest_step(struct sfr__guest *guest)
{
	int r;

	guest->stepping = true;
	r = sfr_loop_step(guest->loop, 0);
	guest->stepping = false;
	if (r < 0 && r != -SFR_ENESTED) /* that passes */
		guest->error = r;
	return !guest->error && !guest->gone;
}

/*
 * The host is about to sleep. As sfr_loop_prepare(), but that an error is kept. A host that runs inside one
 * of the loop's callbacks must leave the loop alone, which then has nothing for it.
 */
static inline int64_t sfr__guest_prepare(struct sfr__guest *guest)
{
	int64_t left = guest->stepping || guest->error ? -1 : sfr_loop_prepare(guest->loop);

	guest->nested = guest->stepping || left == -SFR_ENESTED;
	if (left < -1 && !guest->nested)
		guest->error = (int)left;
	return left;
}

#endif
