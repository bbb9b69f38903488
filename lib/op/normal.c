/* SPDX-License-Identifier: MIT */
/*
 * Normal results: a table of codes that need translating, and the condition for each.
 *
 * A code that is not in the table is passed on as it is, so nothing that a kernel has to say is
 * lost.
 */
#include "op/normal.h"
#include "loop/loop.h"
#include "op/registered.h"
#include <safer_ring/error.h>
#include <errno.h>

/* Codes of the kernel's own, for calls that were interrupted, which some releases let out. */
#define RESTART_FIRST (-516)
#define RESTART_LAST (-512)

/* Somebody asked it to end. What a worker has begun ends by itself, whoever asks. */
static bool was_asked(const sfr_op *op)
{
	return op->state != SFR__OP_IN_FLIGHT && !(op->flags & SFR__OP_ERRAND);
}

static bool always(const sfr_op *op)
{
	(void)op;
	return true;
}

/* The first row that fits. A code without one is what it says. */
static const struct {
	int first, last;
	bool (*applies)(const sfr_op *op);
	int becomes;
} rows[] = {
	{-EINTR, -EINTR, was_asked, -ECANCELED},
	{RESTART_FIRST, RESTART_LAST, was_asked, -ECANCELED},
	{RESTART_FIRST, RESTART_LAST, always, -EINTR},
	{-EBADF, -EBADF, sfr__registered_is_missing, -SFR_ENOTREGISTERED},
};

int sfr__result_normal(const sfr_op *op, int result)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (result >= rows[i].first && result <= rows[i].last && rows[i].applies(op))
			return rows[i].becomes;
	return result;
}
