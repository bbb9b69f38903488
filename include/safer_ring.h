/* SPDX-License-Identifier: MIT */
/*
 * safer-ring: a callback-driven event loop on io_uring, with buffers that always have one owner.
 *
 * This header is all of the library. To read it as a book: error.h, buffer.h, pool.h, op.h, file.h,
 * datagram.h, system.h, registry.h, batch.h, recipes.h, loop.h, server.h, config.h, log.h, version.h;
 * ownership.h is how the compiler helps. For C11, and C++11 and later.
 */
#ifndef SAFER_RING_H
#define SAFER_RING_H

#include <safer_ring/base.h>
#include <safer_ring/batch.h>
#include <safer_ring/buffer.h>
#include <safer_ring/config.h>
#include <safer_ring/datagram.h>
#include <safer_ring/error.h>
#include <safer_ring/file.h>
#include <safer_ring/log.h>
#include <safer_ring/loop.h>
#include <safer_ring/op.h>
#include <safer_ring/ownership.h>
#include <safer_ring/pool.h>
#include <safer_ring/recipes.h>
#include <safer_ring/registry.h>
#include <safer_ring/server.h>
#include <safer_ring/system.h>
#include <safer_ring/version.h>

#endif
