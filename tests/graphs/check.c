/* SPDX-License-Identifier: MIT */
#include "check.h"
#include "seeds.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

static uint64_t bit(int n)
{
	return (uint64_t)1 << n;
}

/*
 * Results.
 */

void order_find(struct trial *trial)
{
	uint64_t ran = 0;
	int n;

	for (n = 0; n < trial->model.node_count; n++)
		if (trial->submitted && member_ran(trial, n))
			ran |= bit(n);
	model_order(&trial->model, ran, trial->earlier);
}

/* Whether it may have been stopped by what was done in the middle. */
static bool may_be_stopped(const struct trial *trial, int n, int cancelled_fd)
{
	int r = trial->actual[n];

	if (member_is(trial, n, STOPS))
		return false;
	if (trial->disturbance == CANCELLED || trial->disturbance == DRAINED)
		return r == -ECANCELED;
	if (trial->disturbance == FD_CANCELLED)
		return r == -ECANCELED &&
		       (member_is(trial, n, ENDLESS) || member_is_on(trial, n, cancelled_fd));
	return trial->disturbance == TIMED_OUT && r == -ETIMEDOUT;
}

void results_check(const struct trial *trial, int cancelled_fd)
{
	int n;

	for (n = 0; n < trial->model.node_count; n++) {
		int r = trial->actual[n];
		bool may = model_may_run(&trial->model, n, trial->actual);
		int expected = may ? model_outcome(&trial->model, n, trial->actual)
				   : -SFR_EDEPFAILED;

		must(model_same(&trial->model, n, expected, r) ||
			     may_be_stopped(trial, n, cancelled_fd),
		     "%d (%s) ends with %d, %s, and not with %d, %s", n,
		     trial->members[n].kind->name, r, sfr_errname(r), expected,
		     sfr_errname(expected));
		must(trial->disturbance != UNDISTURBED ||
			     model_same(&trial->model, n, trial->expected[n], r),
		     "%d: the model agrees with itself", n);
	}
}

void error_check(const struct trial *trial)
{
	int at = -1, result = 0, failures = 0, n, r;

	for (n = trial->model.node_count - 1; n >= 0; n--) {
		failures += trial->actual[n] < 0;
		if (trial->actual[n] < 0 && trial->actual[n] != -SFR_EDEPFAILED) {
			at = n;
			result = trial->actual[n];
		}
	}
	must(trial->failures < 0 || trial->failures == failures, "%d failed, and %d are told",
	     failures, trial->failures);
	n = -1;
	r = sfr_batch_error(trial->batch, &n);
	must(r == result && (r == 0 || n == at), "the first error is %d of %d, and not %d of %d", r,
	     n, result, at);
}

/*
 * Buffers.
 */

/* What a look saw: the bytes of who had written before, nothing of who wrote later, or never. */
static void look_check(const struct trial *trial, int n, const sfr_buf *buf)
{
	int writer = trial->members[n].looks_at, result = trial->actual[writer];
	uint32_t size = member_is(trial, writer, WRITES) && member_ran(trial, writer) && result > 0
				? (uint32_t)result
				: 0,
		 i;
	bool wrote = trial->earlier[n] & bit(writer), will = trial->earlier[writer] & bit(n);

	for (i = 0; i < buf->len && i < BLOCK; i++) {
		unsigned char byte = i < size ? member_byte(trial, writer, i) : 0;

		must(buf->data[i] == (wrote ? byte : 0) ||
			     (!wrote && !will && buf->data[i] == byte),
		     "%d looks at what %d %s: byte %u is %u, and not %u", n, writer,
		     wrote  ? "wrote before"
		     : will ? "writes later"
			    : "may have written",
		     i, buf->data[i], byte);
	}
}

/* A buffer that came back: its contents are as they should be. */
static void contents_check(const struct trial *trial, int n, const sfr_buf *buf)
{
	const struct model_node *node = &trial->model.nodes[n];
	bool ran = member_ran(trial, n), fills = member_is(trial, n, FILLS);
	uint32_t size = fills          ? (uint32_t)trial->actual[n]
			: node->passes ? (uint32_t)trial->actual[node->previous]
				       : trial->members[n].len;
	uint32_t at = 0, i;

	if (member_is(trial, n, BUILT_WRONG) || (fills && (!ran || trial->actual[n] < 0)) ||
	    strcmp(trial->members[n].kind->name, "statx") == 0)
		return;
	if (trial->members[n].looks_at >= 0) {
		must(buf->len == size, "%d saw %u bytes of %u", n, buf->len, size);
		look_check(trial, n, buf);
		return;
	}
	for (; buf; buf = buf->next)
		for (i = 0; i < buf->len; i++, at++)
			must(buf->data[i] == member_byte(trial, n, at),
			     "%d: byte %u of its buffer is %u, and not %u", n, at, buf->data[i],
			     member_byte(trial, n, at));
	must(at == size, "%d has %u bytes in its buffer, and not %u", n, at, size);
}

/* Whether its buffer went to who inherits it; -1: who knows. One that did not run may have it, or not. */
static int gave(const struct trial *trial, int n)
{
	int gave = 0, i;

	for (i = 0; i < trial->model.node_count; i++) {
		if (trial->model.nodes[i].previous != n)
			continue;
		if (trial->submitted && member_ran(trial, i))
			return 1;
		gave = -1;
	}
	return gave;
}

/* A buffer is with who had it last: nobody inherited it, or one that inherits from it has it. */
static bool is_somewhere(const struct trial *trial, int n)
{
	int i;

	if (trial->took & bit(n))
		return true;
	for (i = 0; i < trial->model.node_count; i++)
		if (trial->model.nodes[i].previous == n && is_somewhere(trial, i))
			return true;
	return false;
}

static void take(struct trial *trial, int n)
{
	bool inherits = trial->model.nodes[n].previous >= 0, ran = member_ran(trial, n);
	int gives = gave(trial, n);
	sfr_buf *buf = sfr_batch_take(trial->batch, n);
	int error = errno;

	if (trial->took & bit(n))
		must(!buf && error == SFR_ESTALE, "%d: its buffer was taken: %s", n,
		     sfr_errname(error));
	else if (!member_is(trial, n, CARRIES))
		must(!buf && error == ENODATA, "%d carries no buffer: %s", n, sfr_errname(error));
	else if (gives == 1)
		must(!buf && error == SFR_ESTALE, "the buffer of %d is inherited: %s", n,
		     sfr_errname(error));
	else
		must(buf || gives < 0 || (inherits && !ran), "%d: where is its buffer? %s", n,
		     sfr_errname(error));
	if (!buf)
		return;
	trial->took |= bit(n);
	contents_check(trial, n, buf);
	must(!sfr_batch_take(trial->batch, n) && errno == SFR_ESTALE,
	     "%d: what was taken is not there", n);
	sfr_buf_release(buf);
}

void buffers_take(struct trial *trial)
{
	bool all = chance(50);
	int n;

	for (n = 0; n < trial->model.node_count; n++)
		if (all || chance(50))
			take(trial, n);
	for (n = 0; n < trial->model.node_count && all; n++)
		must(!member_is(trial, n, CARRIES) || trial->model.nodes[n].previous >= 0 ||
			     is_somewhere(trial, n),
		     "the buffer of %d is nowhere", n);
}

/*
 * The log.
 */

static bool logs(const struct trial *trial, int n)
{
	const char *name = trial->members[n].kind->name;

	return strcmp(name, "work") == 0 || strcmp(name, "write to the log") == 0;
}

void log_check(const struct trial *trial)
{
	struct record records[NODES_MAX + 1];
	ssize_t size = pread(trial->files->logs[trial->lane], records, sizeof(records), 0), i;
	uint64_t seen = 0;
	int n;

	must(size % (ssize_t)sizeof(records[0]) == 0, "whole records");
	for (i = 0; i < size / (ssize_t)sizeof(records[0]); i++) {
		const struct record *record = &records[i];

		must(record->n >= 0 && record->n < trial->model.node_count &&
			     record->magic == trial->members[record->n].record.magic,
		     "record %zd is of this trial", i);
		must(!(seen & bit(record->n)), "%d ran twice", record->n);
		for (n = 0; n < trial->model.node_count; n++)
			must(!((seen & bit(n)) && (trial->earlier[n] & bit(record->n))),
			     "%d ran before %d", n, record->n);
		seen |= bit(record->n);
	}
	for (n = 0; n < trial->model.node_count; n++)
		if (logs(trial, n))
			must(!!(seen & bit(n)) == (trial->submitted && member_ran(trial, n)),
			     "%d %s", n, seen & bit(n) ? "ran" : "did not run");
}
