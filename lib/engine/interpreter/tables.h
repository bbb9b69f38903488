/* SPDX-License-Identifier: MIT */
/*
 * Tables: what SQEs refer to by number: groups of provided buffers, fixed files and fixed buffers.
 */
#ifndef SFR_LIB_ENGINE_INTERPRETER_TABLES_H
#define SFR_LIB_ENGINE_INTERPRETER_TABLES_H

#include "engine/interpreter/interpreter.h"

/* The group of this number, or NULL. */
struct sfr__buf_group *sfr__tables_group(struct sfr__interpreter *interpreter, unsigned number);

/* Look up a request's descriptor and memory. 0; -EBADF, -EFAULT. */
int sfr__tables_resolve(const struct sfr__interpreter *interpreter, struct sfr__flight *flight);

/* Put the descriptor that a request won into the place that it names. 0; -ENXIO, -EINVAL, and it is
 * closed. */
int sfr__tables_win(struct sfr__interpreter *interpreter, const struct sfr__flight *flight, int fd);

/* Empty a place. 0; -ENXIO, -EINVAL, -EBADF. */
int sfr__tables_close(struct sfr__interpreter *interpreter, unsigned place);

void sfr__tables_free(struct sfr__interpreter *interpreter);

#endif
