/* SPDX-License-Identifier: MIT */
/*
 * What every public header stands on: linkage, visibility, and the names of the opaque types.
 */
#ifndef SAFER_RING_BASE_H
#define SAFER_RING_BASE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define SFR_BEGIN_DECLS extern "C" {
#define SFR_END_DECLS }
#else
#define SFR_BEGIN_DECLS
#define SFR_END_DECLS
#endif

/** Marks what leaves the library; everything else in it is hidden. */
#if defined(_WIN32) && defined(SFR_BUILDING)
#define SFR_API __declspec(dllexport)
#elif defined(__GNUC__)
#define SFR_API __attribute__((visibility("default")))
#else
#define SFR_API
#endif

/** A run loop: one engine, one slab of buffers, one thread. See loop.h. */
typedef struct sfr_loop sfr_loop;
/** An operation that has been built and not yet submitted. See op.h. */
typedef struct sfr_op sfr_op;
/** An owned buffer. See buffer.h. */
typedef struct sfr_buf sfr_buf;
/** A configuration. See config.h. */
typedef struct sfr_config sfr_config;

#endif
