/* SPDX-License-Identifier: MIT */
#include "kinds.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static void pair_choose(struct member *m)
{
	must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, m->ends) == 0, "sockets");
	m->fd = m->ends[0];
}

static bool recv_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);
	unsigned char bytes[2 * BLOCK];
	uint32_t sent = fails(trial) ? choice(room_of(m)) : room_of(m) + choice(100), i;

	pair_choose(m);
	for (i = 0; i < sent; i++)
		bytes[i] = own_byte(trial, n, i);
	must(send(m->ends[1], bytes, sent, 0) == (ssize_t)sent, "bytes to receive");
	m->len = sent;
	if (m->all || sent == 0)
		must(shutdown(m->ends[1], SHUT_WR) == 0, "the end of a stream");
	outcome(trial, n, (int)(sent < room_of(m) ? sent : room_of(m)), (int)room_of(m));
	return true;
}

static sfr_op *recv_build(struct trial *trial, int n, sfr_buf *buf)
{
	return sfr_recv(trial->files->loop, descriptor(trial, n), buf);
}

/* How many bytes wait in a socket, and whether they are those of a member. */
static uint32_t waiting(const struct trial *trial, int n, int fd, uint32_t from)
{
	unsigned char bytes[2 * BLOCK];
	ssize_t r = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT), i;

	for (i = 0; i < r; i++)
		must(bytes[i] == (member_is(trial, n, FILLS)
					  ? own_byte(trial, n, from + (uint32_t)i)
					  : member_byte(trial, n, from + (uint32_t)i)),
		     "%d: byte %zd is another one", n, i);
	return r > 0 ? (uint32_t)r : 0;
}

static void recv_check(struct trial *trial, int n, bool done)
{
	const struct member *m = &trial->members[n];
	uint32_t got = done ? (uint32_t)trial->actual[n] : 0,
		 left = waiting(trial, n, m->ends[0], got);

	must(got + left == m->len, "%d: %u bytes are received, %u wait, %u were sent", n, got, left,
	     m->len);
}

static bool send_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	pair_choose(m);
	outcome(trial, n, (int)m->len, (int)m->len);
	return true;
}

static sfr_op *send_build(struct trial *trial, int n, sfr_buf *buf)
{
	return (n & 3) ? sfr_send(trial->files->loop, descriptor(trial, n), buf)
		       : sfr_send_zc(trial->files->loop, descriptor(trial, n), buf);
}

static void send_check(struct trial *trial, int n, bool done)
{
	uint32_t sent = done ? (uint32_t)trial->actual[n] : 0,
		 came = waiting(trial, n, trial->members[n].ends[1], 0);

	must(sent == came, "%d: %u bytes were sent and %u came", n, sent, came);
}

static bool broken_send_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	pair_choose(m);
	close(m->ends[1]);
	m->ends[1] = -1;
	outcome(trial, n, -EPIPE, (int)m->len);
	return true;
}

static bool answer_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);
	int winner = winner_choose(trial, n, WINS_CONNECTION);

	if (winner < 0)
		return false;
	return winner_use(trial, n, winner) && (outcome(trial, n, (int)m->len, (int)m->len), true);
}

static bool shutdown_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	if (fails(trial)) {
		m->fd = trial->files->source;
		outcome(trial, n, -ENOTSOCK, -1);
	} else {
		pair_choose(m);
		outcome(trial, n, 0, -1);
	}
	return true;
}

static sfr_op *shutdown_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)buf;
	return sfr_shutdown(trial->files->loop, descriptor(trial, n), SHUT_WR);
}

static void shutdown_check(struct trial *trial, int n, bool done)
{
	const struct member *m = &trial->members[n];
	char byte;

	if (m->ends[1] >= 0)
		must((recv(m->ends[1], &byte, 1, MSG_DONTWAIT) == 0) == done,
		     "%d: it is shut down or not", n);
}

static bool connect_choose(struct trial *trial, int n)
{
	struct member *m = member_of(trial, n);

	m->ends[0] = m->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	outcome(trial, n, -ENOENT, -1);
	return true;
}

static sfr_op *connect_build(struct trial *trial, int n, sfr_buf *buf)
{
	struct sockaddr_un nowhere = {.sun_family = AF_UNIX, .sun_path = "/tmp/not/there"};

	(void)buf;
	return sfr_connect(trial->files->loop, descriptor(trial, n), (struct sockaddr *)&nowhere,
			   sizeof(nowhere));
}

static bool poll_choose(struct trial *trial, int n)
{
	member_of(trial, n)->fd = trial->files->ready[0];
	outcome(trial, n, POLLIN, -1);
	return true;
}

static sfr_op *poll_build(struct trial *trial, int n, sfr_buf *buf)
{
	(void)buf;
	return sfr_poll(trial->files->loop, descriptor(trial, n), POLLIN);
}

const struct kind kinds_of_sockets[] = {
	{"recv", CARRIES | FILLS | INHERITS | GIVES | ALL | LINKS, 6, recv_choose, recv_build,
	 recv_check},
	{"send", CARRIES | INHERITS | GIVES | ALL | LINKS, 6, send_choose, send_build, send_check},
	{"send to nobody", CARRIES | INHERITS | FAILS | LINKS, 1, broken_send_choose, send_build,
	 NULL},
	{"answer", CARRIES | INHERITS | LINKS, 4, answer_choose, send_build, NULL},
	{"shutdown", STOPS, 2, shutdown_choose, shutdown_build, shutdown_check},
	{"connect to nobody", FAILS, 1, connect_choose, connect_build, NULL},
	{"poll", 0, 2, poll_choose, poll_build, NULL},
	{0},
};
