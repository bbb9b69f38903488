/* SPDX-License-Identifier: MIT */
/*
 * The engine that is the kernel's io_uring.
 */
#ifndef SFR_LIB_ENGINE_URING_URING_H
#define SFR_LIB_ENGINE_URING_URING_H

#include "engine/engine.h"
#include "machine/refusal.h"

/* 0, and in `described` what the ring is like; else -errno, and in `refusal` how far it came if it was
 * the machine that refused. */
int sfr__uring_open(struct sfr__engine **out, const struct sfr__settings *settings,
		    char described[SFR__REASON_SIZE], struct sfr__refusal *refusal);

#endif
