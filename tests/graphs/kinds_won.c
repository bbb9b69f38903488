/* SPDX-License-Identifier: MIT */
/*
 * What wins a descriptor, and closing.
 */
#include "kinds.h"
#include "patience.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void into_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	if (trial->places_used < PLACES && chance(30))
		m->place = trial->places_used++;
	else
		m->unasked = trial->disturbance == UNDISTURBED && chance(20);
}

static bool winner_is(struct trial *trial, int n, enum winning what)
{
	member_of(trial, n)->wins = what;
	trial->model.nodes[n].wins = member_of(trial, n)->place < 0;
	outcome(trial, n, 0, -1);
	return true;
}

static bool open_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	if (chance(20)) {
		snprintf(m->path, sizeof(m->path), "%s", trial->files->dir);
		m->unasked = trial->disturbance == UNDISTURBED && chance(20);
		return winner_is(trial, n, WINS_DIR);
	}
	into_choose(trial, n);
	if (chance(50)) {
		snprintf(m->path, sizeof(m->path), "%s", trial->files->source_path);
		return winner_is(trial, n, WINS_SOURCE);
	}
	snprintf(m->path, sizeof(m->path), "%s", trial->files->out_path);
	return winner_is(trial, n, WINS_OUT);
}

/* The empty path is refused before there is an operation in the kernel. */
static bool bad_open_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	if (chance(50))
		snprintf(m->path, sizeof(m->path), "/tmp/not/there");
	into_choose(trial, n);
	winner_is(trial, n, WINS_NEVER);
	outcome(trial, n, -ENOENT, -1);
	return true;
}

static sfr_op *open_build(struct trial *trial, int n, sfr_buf *buf)
{
	const struct member *m = &trial->members[n];
	int mode = m->wins == WINS_DIR ? O_RDONLY | O_DIRECTORY : O_RDWR;

	(void)buf;
	return sfr_openat(trial->files->loop, AT_FDCWD, m->path, mode, 0);
}

static bool socket_choose(struct trial *trial, int n)
{
	into_choose(trial, n);
	return winner_is(trial, n, WINS_SOCKET);
}

static sfr_op *socket_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)n;
	(void)buf;
	return sfr_socket(trial->files->loop, AF_UNIX, SOCK_STREAM, 0);
}

/* A listener with one client. */
static bool accept_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(address);

	m->ends[0] = m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	m->ends[1] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	must(bind(m->fd, (struct sockaddr *)&address, sizeof(sa_family_t)) == 0 &&
		     listen(m->fd, 1) == 0 &&
		     getsockname(m->fd, (struct sockaddr *)&address, &size) == 0 &&
		     connect(m->ends[1], (struct sockaddr *)&address, size) == 0,
	     "a client");
	into_choose(trial, n);
	return winner_is(trial, n, WINS_CONNECTION);
}

static sfr_op *accept_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)buf;
	return sfr_accept(trial->files->loop, descriptor(trial, n));
}

/* All that was sent on the connection comes to the client. */
static void accept_check(struct trial *trial, int n, bool done)
{
	const struct member *m = &trial->members[n];
	size_t sent = 0, came = 0;
	char bytes[4096];
	ssize_t r;
	int i;

	for (i = 0; i < trial->model.node_count; i++)
		if ((m->users >> i & 1) && member_is(trial, i, CARRIES) && trial->actual[i] > 0)
			sent += (size_t)trial->actual[i];
	while ((r = recv(m->ends[1], bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		came += (size_t)r;
	must(came == sent && (done || !sent), "%d: %zu bytes of %zu came", n, came, sent);
}

/* What another member won, after all those that use it. */
static bool close_won_choose(struct trial *trial, int n)
{
	static const enum winning all[] = {WINS_SOURCE, WINS_OUT, WINS_DIR, WINS_CONNECTION,
					   WINS_SOCKET};
	int winner = winner_choose(trial, n, all[choice(5)]), i;

	if (winner < 0 || !winner_use(trial, n, winner))
		return false;
	member_of(trial, winner)->closer = n;
	for (i = 0; i < n; i++)
		if (trial->members[winner].users >> i & 1)
			(void)model_edge_add(&trial->model, i, n,
					     chance(70) ? NEED_END : NEED_SUCCESS);
	outcome(trial, n, 0, -1);
	return true;
}

static sfr_op *close_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)buf;
	return sfr_close(trial->files->loop, descriptor(trial, n));
}

static bool close_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	must(pipe2(m->ends, O_CLOEXEC) == 0, "a pipe");
	m->fd = m->ends[1];
	outcome(trial, n, 0, -1);
	return true;
}

static void close_check(struct trial *trial, int n, bool done)
{
	struct member *m = member_of(trial, n);
	struct pollfd end = {.fd = m->ends[0]};

	/* The kernel may let go of a file a moment after it has closed the descriptor. */
	must((poll(&end, 1, done ? PATIENCE_MS : 0) == 1) == done, "%d: it is closed or not", n);
	if (done)
		m->ends[1] = -1;
}

static bool bad_close_choose(struct trial *trial, int n)
{
	member_of(trial, n)->fd = NO_SUCH_FD;
	outcome(trial, n, -EBADF, -1);
	return true;
}

const struct kind kinds_of_won[] = {
	{"openat", LINKS, 8, open_choose, open_build, NULL},
	{"failing openat", FAILS | LINKS, 2, bad_open_choose, open_build, NULL},
	{"socket", 0, 2, socket_choose, socket_build, NULL},
	{"accept", LINKS, 3, accept_choose, accept_build, accept_check},
	{"close of what was won", STOPS | LINKS, 8, close_won_choose, close_build, NULL},
	{"close", STOPS | LINKS, 6, close_choose, close_build, close_check},
	{"failing close", STOPS | FAILS | LINKS, 1, bad_close_choose, close_build, NULL},
	{0},
};
