/* SPDX-License-Identifier: MIT */
/*
 * Flight: the memory of requests, and those in flight by their user_data.
 */
#ifndef SFR_LIB_ENGINE_INTERPRETER_FLIGHT_H
#define SFR_LIB_ENGINE_INTERPRETER_FLIGHT_H

#include "engine/interpreter/interpreter.h"

void sfr__flights_init(struct sfr__interpreter *interpreter);

/* Memory for `count` requests at least. False if there is none. */
bool sfr__flights_reserve(struct sfr__interpreter *interpreter, unsigned count);
void sfr__flights_free_all(struct sfr__interpreter *interpreter);

/* A request for an SQE; there must be memory for it. */
struct sfr__flight *sfr__flight_take(struct sfr__interpreter *interpreter,
				     const struct io_uring_sqe *sqe);
void sfr__flight_give(struct sfr__interpreter *interpreter, struct sfr__flight *flight);

struct sfr__alarm *sfr__flight_alarm(const struct sfr__interpreter *interpreter,
				     const struct sfr__flight *flight);

/* It is in flight from now on; or no longer. */
void sfr__flight_enter(struct sfr__interpreter *interpreter, struct sfr__flight *flight);
void sfr__flight_leave(struct sfr__interpreter *interpreter, struct sfr__flight *flight);

/* The first request in flight with this user_data, or NULL. */
struct sfr__flight *sfr__flight_find(struct sfr__interpreter *interpreter, uint64_t user_data);

#endif
