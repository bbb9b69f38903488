/*
 * Tables: what SQEs refer to by number: groups of provided buffers, fixed files and fixed buffers.
 */
#ifndef SFR_LIB_ENGINE_TABLES_H
#define SFR_LIB_ENGINE_TABLES_H

#include "interpreter.h"

/* The group of this number, or NULL. */
struct sfr__buf_group *sfr__tables_group(struct sfr__interpreter *interpreter, unsigned number);

/* Look up a request's descriptor and memory. 0; -EBADF, -EFAULT. */
int sfr__tables_resolve(const struct sfr__interpreter *interpreter, struct sfr__request *request);

void sfr__tables_free(struct sfr__interpreter *interpreter);

#endif
