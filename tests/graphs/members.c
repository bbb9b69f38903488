/* SPDX-License-Identifier: MIT */
#include "members.h"
#include "kinds.h"
#include "patience.h"
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define MAGIC 0xa5000000U

static struct model_node *node_of(struct trial *trial, int n)
{
	return &trial->model.nodes[n];
}

bool member_is(const struct trial *trial, int n, int trait)
{
	return trial->members[n].kind->traits & trait;
}

bool member_ran(const struct trial *trial, int n)
{
	int r = trial->actual[n];

	return r != -SFR_EDEPFAILED && r != -ECANCELED && r != -ETIMEDOUT;
}

unsigned char member_byte(const struct trial *trial, int n, uint32_t i)
{
	const struct member *m = &trial->members[n];
	const struct model_node *node = &trial->model.nodes[n];

	if (m->content == ITS_RECORD)
		return ((const unsigned char *)&m->record)[i];
	if (m->content == OF_SOURCE)
		return source_byte(m->offset + i);
	return node->passes ? member_byte(trial, node->previous, i) : own_byte(trial, n, i);
}

bool member_is_on(const struct trial *trial, int n, int fd)
{
	const struct member *m = &trial->members[n];

	return m->fd == fd || m->other_fd == fd;
}

/* Of those that may be had in this trial, by weight. */
static const struct kind *kind_choose(const struct trial *trial)
{
	bool endless = trial->disturbance != UNDISTURBED && chance(30);
	const struct kind *kind;
	int sum = 0, i;

	for (i = 0; i < kind_count(); i++)
		sum += kind_numbered(i)->weight;
	do {
		int at = (int)choice((uint32_t)sum);

		for (i = 0; at >= kind_numbered(i)->weight; i++)
			at -= kind_numbered(i)->weight;
		kind = kind_numbered(i);
	} while ((trial->linked && !(kind->traits & LINKS)) ||
		 ((kind->traits & FAILS) && !fails(trial)) ||
		 ((kind->traits & ENDLESS) && !endless));
	return kind;
}

static int heirs_of(const struct trial *trial, int n)
{
	int count = 0, i;

	for (i = 0; i < trial->model.node_count; i++)
		count += trial->model.nodes[i].previous == n;
	return count;
}

/* What is shared may not be filled: whether somebody in this line fills, or several inherit. */
static bool line_has_fork(const struct trial *trial, int n)
{
	for (; n >= 0; n = trial->model.nodes[n].previous)
		if (heirs_of(trial, n) > 1)
			return true;
	return false;
}

static bool heirs_fill(const struct trial *trial, int n)
{
	int i;

	for (i = 0; i < trial->model.node_count; i++)
		if (trial->model.nodes[i].previous == n &&
		    (member_is(trial, i, FILLS) || heirs_fill(trial, i)))
			return true;
	return false;
}

static bool line_fills(const struct trial *trial, int n)
{
	while (trial->model.nodes[n].previous >= 0)
		n = trial->model.nodes[n].previous;
	return heirs_fill(trial, n);
}

/* From whom it could inherit. */
static int previous_choose(const struct trial *trial, int n, const struct kind *kind)
{
	int candidates[NODES_MAX], count = 0, i;

	for (i = 0; i < n; i++) {
		bool heirs = heirs_of(trial, i) > 0;

		if (!member_is(trial, i, GIVES))
			continue;
		if (kind->traits & FILLS ? heirs || line_has_fork(trial, i)
					 : heirs && line_fills(trial, i))
			continue;
		candidates[count++] = i;
	}
	return count ? candidates[choice((uint32_t)count)] : -1;
}

static void window_choose(struct member *m)
{
	m->wrapped = chance(15);
	m->cap = m->wrapped ? 1 + choice(BLOCK) : BLOCK;
	m->at = chance(70) ? 0 : choice(m->cap);
	m->len = 1 + choice(m->cap - m->at);
}

static void inherit(struct trial *trial, int n, int previous)
{
	struct member *m = member_of(trial, n);
	const struct member *from = member_of(trial, previous);

	m->cap = from->cap;
	m->at = from->at;
	m->len = m->cap - m->at;
	node_of(trial, n)->previous = previous;
	node_of(trial, n)->passes = !(m->kind->traits & FILLS);
	must(model_edge_add(&trial->model, previous, n, NEED_BUFFER),
	     "it waits for earlier ones only");
}

/* Undone if it cannot be had. */
static bool member_try(struct trial *trial, int n, const struct kind *kind)
{
	struct member *m = member_of(trial, n);
	int previous = -1;

	*node_of(trial, n) = (struct model_node){.previous = -1, .whole = -1};
	*m = (struct member){.kind = kind,
			     .fd = -1,
			     .other_fd = -1,
			     .winner = -1,
			     .place = -1,
			     .closer = -1,
			     .looks_at = -1,
			     .ends = {-1, -1}};
	m->record = (struct record){MAGIC + (uint32_t)trial->round, n};
	m->all = (kind->traits & ALL) && chance(25);
	m->within = !trial->linked && chance(15);
	if ((kind->traits & INHERITS) && chance(60))
		previous = previous_choose(trial, n, kind);
	if (kind->traits & CARRIES)
		window_choose(m);
	if (previous >= 0)
		inherit(trial, n, previous);
	return kind->choose(trial, n);
}

void member_choose(struct trial *trial)
{
	const struct model before = trial->model;
	int n = trial->model.node_count;

	while (!member_try(trial, n, kind_choose(trial)))
		trial->model = before;
	trial->model.node_count = n + 1;
}

static void memory_back(void *memory, void *arg)
{
	struct member *m = arg;

	must(memory == m->memory, "the memory that was lent");
	m->released++;
}

static sfr_buf *buffer_make(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);
	sfr_buf *buf;
	uint32_t i;

	if (m->wrapped)
		m->memory = malloc(m->cap);
	buf = m->wrapped ? sfr_buf_wrap(trial->files->loop, m->memory, m->cap, memory_back, m)
			 : sfr_buf_get(trial->files->loop, 0);
	must(buf && buf->cap == m->cap, "there are buffers");
	buf->data += m->at;
	buf->len = member_is(trial, n, FILLS) ? 0 : m->len;
	for (i = 0; i < buf->len; i++)
		buf->data[i] = member_byte(trial, n, i);
	return buf;
}

void member_build(struct trial *trial, int n, int then)
{
	struct member *m = member_of(trial, n);
	int previous = node_of(trial, n)->previous, r;
	sfr_buf *buf = (m->kind->traits & CARRIES) && previous < 0 ? buffer_make(trial, n) : NULL;
	sfr_op *op = m->kind->build(trial, n, buf);

	if (m->all)
		op = sfr_all(op);
	if (m->within)
		op = sfr_within(op, PATIENCE_NS);
	if (m->place >= 0)
		op = sfr_into(op, trial->files->places[trial->lane][m->place]);
	if (previous >= 0)
		then = previous;
	r = then >= 0 ? sfr_batch_then(trial->batch, then, op) : sfr_batch_add(trial->batch, op);
	must(r == n, "%d is added as %d", n, r);
}

/* The descriptor is ours, unless the batch closed it. */
static void won_end(struct trial *trial, int n)
{
	const struct member *m = &trial->members[n];
	bool open = trial->actual[n] >= 0 && !(m->closer >= 0 && trial->actual[m->closer] == 0);
	int r;

	if (m->place >= 0) {
		r = sfr_await(
			sfr_close(trial->files->loop, trial->files->places[trial->lane][m->place]),
			NULL);
		must(r == (open ? 0 : -SFR_ENOTREGISTERED),
		     "%d: closing the place that it filled: %s", n, sfr_errname(r));
	} else if (open && !m->unasked) {
		must(close(trial->actual[n]) == 0, "%d: what it won is open", n);
	}
}

void member_end(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);
	int i;

	if (m->kind->check)
		m->kind->check(trial, n, member_ran(trial, n) && trial->actual[n] >= 0);
	if (m->wins != WINS_NOTHING)
		won_end(trial, n);
	for (i = 0; i < 2; i++)
		if (m->ends[i] >= 0)
			close(m->ends[i]);
	must(m->released == (m->memory != NULL), "%d: its memory came back %d times", n,
	     m->released);
	free(m->memory);
}
