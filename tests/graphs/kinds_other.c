/* SPDX-License-Identifier: MIT */
#include "kinds.h"
#include <errno.h>
#include <unistd.h>

static bool always_choose(struct trial *trial, int n)
{
	outcome(trial, n, 0, -1);
	return true;
}

static sfr_op *nop_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)n;
	(void)buf;
	return sfr_nop(trial->files->loop);
}

static bool misfit_choose(struct trial *trial, int n)
{
	outcome(trial, n, -EINVAL, -1);
	return true;
}

static sfr_op *misfit_build(struct trial *trial, int n, sfr_buf *buf)
{
	return sfr_all(nop_build(trial, n, buf));
}

static bool timeout_choose(struct trial *trial, int n)
{
	member_of(trial, n)->offset = choice(2) ? choice(2000000) : 0;
	return always_choose(trial, n);
}

static sfr_op *timeout_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)buf;
	return sfr_timeout(trial->files->loop, trial->members[n].offset);
}

static bool work_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	m->log = trial->files->logs[trial->lane];
	m->says = fails(trial) ? -EIO : (int)choice(1000);
	outcome(trial, n, m->says, -1);
	return true;
}

static int work(void *arg)
{
	struct member *m = arg;

	if (write(m->log, &m->record, sizeof(m->record)) != sizeof(m->record))
		return -ENOSPC;
	return m->says;
}

static sfr_op *work_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)buf;
	return sfr_work(trial->files->loop, work, &trial->members[n]);
}

const struct kind kinds_of_other[] = {
	{"nop", 0, 6, always_choose, nop_build, NULL},
	{"timeout", 0, 2, timeout_choose, timeout_build, NULL},
	{"work", 0, 5, work_choose, work_build, NULL},
	{"misfit", FAILS, 1, misfit_choose, misfit_build, NULL},
	{0},
};
