/* SPDX-License-Identifier: MIT */
/*
 * Handlers that count, and check what holds for every handler: a result says how many bytes the
 * buffer has, a buffer comes owned, the end comes without one.
 */
#include "peers.h"
#include "net/address.h"
#include "net/conn.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * Handlers.
 */

struct told here, there;

static void forget(void)
{
	here = there = (struct told){0};
}

TCase *peers_case(Suite *suite, const char *name)
{
	TCase *tcase = world_case(suite, name);

	tcase_add_checked_fixture(tcase, forget, NULL);
	return tcase;
}

void note_open(sfr_conn *conn, void *arg)
{
	struct told *told = arg;

	told->opened++;
	told->conn = conn;
}

static void note(sfr_conn *conn, int result, const sfr_buf *buf, struct told *told)
{
	ck_assert_int_gt(result, 0);
	ck_assert_ptr_nonnull(conn);
	ck_assert_ptr_nonnull(buf);
	ck_assert(sfr_buf_is_owned(buf));
	ck_assert_int_eq(buf->len, result);
	told->received++;
	told->bytes += buf->len;
}

void note_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	note(conn, result, buf, arg);
	sfr_buf_release(buf);
}

void echo(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	note(conn, result, buf, arg);
	(void)sfr_conn_send(conn, buf);
}

void note_end(sfr_conn *conn, void *arg)
{
	struct told *told = arg;

	(void)conn;
	told->finished++;
}

void note_drain(sfr_conn *conn, void *arg)
{
	struct told *told = arg;

	(void)conn;
	told->drained++;
}

void note_close(sfr_conn *conn, int reason, void *arg)
{
	struct told *told = arg;

	ck_assert_int_le(reason, 0);
	if (told->closed < COUNT_OF(told->reasons))
		told->reasons[told->closed] = reason;
	told->closed++;
	told->reason = reason;
	if (told->conn == conn)
		told->conn = NULL;
}

const sfr_handlers note_all = {
	.on_open = note_open, .on_data = note_data, .on_drain = note_drain, .on_close = note_close};
const sfr_handlers ends_too = {.on_open = note_open,
			       .on_data = note_data,
			       .on_drain = note_drain,
			       .on_close = note_close,
			       .on_end = note_end};
const sfr_handlers echo_all = {
	.on_open = note_open, .on_data = echo, .on_drain = note_drain, .on_close = note_close};

sfr_server *serve(sfr_loop *loop, const sfr_handlers *handlers, struct told *told)
{
	sfr_server *server = NULL;
	int r = sfr_serve(loop, ANY_PORT, handlers, told, &server);

	ck_assert_msg(r == 0, "%s", sfr_loop_refusal(loop));
	return server;
}

const char *address_of(const sfr_server *server)
{
	static char text[ADDRESS_SIZE];

	ck_assert_int_gt(sfr_server_address(server, text, sizeof(text)), 0);
	return text;
}

sfr_conn *dial(sfr_loop *loop, const sfr_server *server, const sfr_handlers *handlers,
	       struct told *told)
{
	sfr_conn *conn = NULL;
	int r = sfr_dial(loop, address_of(server), handlers, told, &conn);

	ck_assert_msg(r == 0, "%s", sfr_loop_refusal(loop));
	ck_assert_ptr_nonnull(conn);
	return conn;
}

int conn_say(sfr_conn *conn, const void *bytes, size_t size)
{
	return sfr_conn_send(conn, sfr_buf_from(sfr_conn_loop(conn), bytes, size));
}

/*
 * Turns.
 */

static int turn_for(sfr_loop *loop, int64_t ns)
{
	int r = sfr_loop_step(loop, ns);

	ck_assert_msg(r >= 0, "step: %s", sfr_strerror(r));
	return r;
}

void turn_once(sfr_loop *loop)
{
	(void)turn_for(loop, 5000000);
}

#define QUIET_TURNS 8 /* of 5 ms: twice what the library itself waits before it acts */

/* Threads of the machine that would run now, for each of its cores: they may have their slice before those that a
 * test waits for. More than four make no difference. */
static int runnable(void)
{
	FILE *file = fopen("/proc/loadavg", "r");
	int count = 1;

	if (!file)
		return 1;
	if (fscanf(file, "%*s %*s %*s %d", &count) != 1 || count < 1)
		count = 1;
	(void)fclose(file);
	count = 1 + (count - 1) / (int)sysconf(_SC_NPROCESSORS_ONLN);
	return count < 4 ? count : 4;
}

void turns_until_quiet(sfr_loop *loop)
{
	int quiet = 0;

	while (quiet < QUIET_TURNS * runnable())
		quiet = turn_for(loop, 5000000) ? 0 : quiet + 1;
}

static sfr_loop *watched;
static volatile sig_atomic_t gave_up;

static void give_up(int signal_number)
{
	(void)signal_number;
	gave_up = 1;
	sfr_loop_stop(watched);
}

void run_until_stopped(sfr_loop *loop)
{
	int r;

	watched = loop;
	gave_up = 0;
	signal(SIGALRM, give_up);
	alarm(PATIENCE_S);
	r = sfr_loop_run(loop);
	alarm(0);
	ck_assert_int_eq(r, 0);
	ck_assert_msg(!gave_up, "the loop sleeps, and what it should do was not done");
}

/*
 * Peers.
 */

static int peer_connect(const struct sockaddr_storage *addr, socklen_t size)
{
	int fd = socket(addr->ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_msg(fd >= 0, "socket: %s", strerror(errno));
	ck_assert_msg(connect(fd, (const struct sockaddr *)addr, size) == 0, "connect: %s",
		      strerror(errno));
	return fd;
}

int peer_at(const char *address)
{
	struct sfr__address parsed;
	char why[128];

	ck_assert_int_eq(sfr__address_parse(&parsed, address, why, sizeof(why)), 0);
	return peer_connect(&parsed.addr, parsed.size);
}

int peer_of(const sfr_server *server)
{
	return peer_at(address_of(server));
}

/* Not less: loopback has segments of 64 KiB, and a window below that makes TCP wait for timers. */
#define NARROW (256 << 10)

void peer_narrow(int fd)
{
	int size = NARROW;

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
}

void conn_narrow(sfr_conn *conn)
{
	int size = NARROW;

	ck_assert_int_eq(
		setsockopt(sfr__conn_of(conn)->fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)), 0);
}

int conn_stuff(sfr_conn *conn)
{
	static const char zeros[64];
	int ends[2], fd = sfr__conn_of(conn)->fd;

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	ck_assert_int_eq(dup3(ends[0], fd, O_CLOEXEC), fd);
	close(ends[0]);
	while (send(fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		;
	ck_assert_int_eq(errno, EAGAIN);
	return ends[1];
}

int peer_listen(int backlog)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

const char *listen_address(int listener)
{
	static char text[ADDRESS_SIZE];
	struct sfr__address local = {.size = sizeof(local.addr)};

	ck_assert_int_eq(getsockname(listener, (struct sockaddr *)&local.addr, &local.size), 0);
	(void)sfr__address_print(&local, text, sizeof(text));
	return text;
}

void peer_reset(int fd)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};

	ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
	close(fd);
}

void peer_finish(int fd)
{
	ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
}

void peer_say(sfr_loop *loop, int fd, const void *bytes, size_t size)
{
	const char *at = bytes, *end = at + size;

	while (at < end) {
		ssize_t n = send(fd, at, (size_t)(end - at), MSG_DONTWAIT | MSG_NOSIGNAL);

		ck_assert_msg(n > 0 || errno == EAGAIN, "send: %s", strerror(errno));
		at += n > 0 ? n : 0;
		if (n <= 0)
			turn_once(loop);
	}
}

/* Bytes; 0 at the end; -errno. */
static ssize_t hear_some(sfr_loop *loop, int fd, void *bytes, size_t size)
{
	time_t until = time(NULL) + PATIENCE_S;
	ssize_t n;

	while ((n = recv(fd, bytes, size, MSG_DONTWAIT)) < 0 && errno == EAGAIN) {
		turn_once(loop);
		ck_assert_msg(time(NULL) <= until, "the peer never hears anything");
	}
	return n < 0 ? -errno : n;
}

void peer_hear(sfr_loop *loop, int fd, void *bytes, size_t size)
{
	char *at = bytes, *end = at + size;

	while (at < end) {
		ssize_t n = hear_some(loop, fd, at, (size_t)(end - at));

		ck_assert_msg(n > 0, "%zu bytes are missing: %s", (size_t)(end - at),
			      n ? strerror((int)-n) : "the end came first");
		at += n;
	}
}

int peer_end(sfr_loop *loop, int fd)
{
	static char unwanted[65536];
	ssize_t n;

	while ((n = hear_some(loop, fd, unwanted, sizeof(unwanted))) > 0)
		;
	return (int)n;
}

/*
 * Patterns: windows on a block of noise.
 */

#define PERIOD 65521U
#define STRIDE 977U

static unsigned char noise[2 * PERIOD];

static const unsigned char *noise_at(unsigned id, uint64_t offset)
{
	uint32_t x = 2463534242U;
	size_t i;

	if (!noise[0])
		for (i = 0; i < PERIOD; i++) {
			x ^= x << 13;
			x ^= x >> 17;
			x ^= x << 5;
			noise[i] = noise[i + PERIOD] = (unsigned char)(x | 1);
		}
	return noise + ((uint64_t)id * STRIDE + offset) % PERIOD;
}

void pattern_fill(void *out, unsigned id, uint64_t offset, size_t n)
{
	unsigned char *at = out;

	for (; n > PERIOD; n -= PERIOD, at += PERIOD)
		memcpy(at, noise_at(id, offset), PERIOD);
	memcpy(at, noise_at(id, offset), n);
}

bool pattern_is(const void *bytes, unsigned id, uint64_t offset, size_t n)
{
	const unsigned char *at = bytes;

	for (; n > PERIOD; n -= PERIOD, at += PERIOD)
		if (memcmp(at, noise_at(id, offset), PERIOD) != 0)
			return false;
	return memcmp(at, noise_at(id, offset), n) == 0;
}

/*
 * The swarm. Nothing here may fail the test: that is for its own thread.
 */

struct member {
	int fd;
	unsigned id;
	uint64_t sent, heard;
	bool finished; /* it told the server that it sent everything */
};

static bool swarm_failed(struct swarm *swarm, const struct member *member, const char *what)
{
	snprintf(swarm->failure, sizeof(swarm->failure), "peer %u, %llu sent, %llu heard: %s",
		 member->id, (unsigned long long)member->sent, (unsigned long long)member->heard,
		 what);
	return false;
}

static uint64_t least(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static bool member_send(struct swarm *swarm, struct member *member)
{
	static unsigned char bytes[65536];

	while (member->sent < swarm->bytes) {
		uint64_t left = swarm->message - member->sent % swarm->message, room;
		ssize_t n;

		room = swarm->window - (member->sent - member->heard);
		n = (ssize_t)least(least(left, room), sizeof(bytes));
		if (n == 0)
			return true;
		pattern_fill(bytes, member->id, member->sent, (size_t)n);
		n = send(member->fd, bytes, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n < 0)
			return errno == EAGAIN || swarm_failed(swarm, member, strerror(errno));
		member->sent += (uint64_t)n;
	}
	if (!member->finished)
		(void)shutdown(member->fd, SHUT_WR);
	member->finished = true;
	return true;
}

/* Until there is nothing to read now. *ended_out: the server finished as well. */
static bool member_hear(struct swarm *swarm, struct member *member, bool *ended_out)
{
	static unsigned char bytes[65536];
	ssize_t n = 1;

	while (n > 0) {
		n = recv(member->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (n > 0 && !pattern_is(bytes, member->id, member->heard, (size_t)n))
			return swarm_failed(swarm, member, "heard what it did not say");
		if (n > 0) {
			member->heard += (uint64_t)n;
			if (!swarm->mute && !member_send(swarm, member))
				return false;
		}
	}
	*ended_out = n == 0;
	if (n < 0 && errno != EAGAIN)
		return swarm_failed(swarm, member, strerror(errno));
	if (n == 0 && member->heard < swarm->bytes)
		return swarm_failed(swarm, member, "the end came too early");
	return true;
}

static bool member_progress(struct swarm *swarm, struct member *member, bool *ended_out)
{
	*ended_out = false;
	if (!member_send(swarm, member))
		return false;
	return (swarm->mute && !member->finished) || member_hear(swarm, member, ended_out);
}

static bool member_start(struct swarm *swarm, struct member *member, int epoll)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = member};

	member->fd = socket(swarm->addr.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (member->fd < 0 ||
	    connect(member->fd, (struct sockaddr *)&swarm->addr, swarm->addr_size) < 0 ||
	    epoll_ctl(epoll, EPOLL_CTL_ADD, member->fd, &event) < 0)
		return swarm_failed(swarm, member, strerror(errno));
	return true;
}

static void swarm_live(struct swarm *swarm, struct member *members, int epoll)
{
	struct epoll_event events[64];
	int ended = 0, i, n;

	for (i = 0; i < swarm->peers; i++)
		if (!member_start(swarm, &members[i], epoll))
			return;
	while (ended < swarm->peers) {
		n = epoll_wait(epoll, events, COUNT_OF(events), PATIENCE_MS);
		for (i = 0; i < n; i++) {
			struct member *member = events[i].data.ptr;
			bool end;

			if (!member_progress(swarm, member, &end))
				return;
			if (end)
				(void)epoll_ctl(epoll, EPOLL_CTL_DEL, member->fd, NULL);
			ended += end;
		}
		for (i = 0; n == 0 && i < swarm->peers; i++)
			if (members[i].heard < swarm->bytes) {
				swarm_failed(swarm, &members[i], "nothing comes any more");
				return;
			}
	}
}

static void *swarm_thread(void *arg)
{
	struct swarm *swarm = arg;
	struct member *members = calloc((size_t)swarm->peers, sizeof(*members));
	int epoll = epoll_create1(EPOLL_CLOEXEC), i;

	for (i = 0; i < swarm->peers; i++)
		members[i] = (struct member){.fd = -1, .id = swarm->first_id + (unsigned)i};
	swarm_live(swarm, members, epoll);
	for (i = 0; i < swarm->peers; i++)
		if (members[i].fd >= 0)
			close(members[i].fd);
	close(epoll);
	free(members);
	sfr_loop_stop(swarm->loop);
	return NULL;
}

void swarm_start(struct swarm *swarm, sfr_loop *loop, const sfr_server *server)
{
	struct sfr__address parsed;
	char why[128];

	ck_assert_int_eq(sfr__address_parse(&parsed, address_of(server), why, sizeof(why)), 0);
	swarm->addr = parsed.addr;
	swarm->addr_size = parsed.size;
	swarm->loop = loop;
	(void)noise_at(0, 0); /* made before two threads look at it */
	ck_assert_int_eq(pthread_create(&swarm->thread, NULL, swarm_thread, swarm), 0);
}

void swarm_join(struct swarm *swarm)
{
	ck_assert_int_eq(pthread_join(swarm->thread, NULL), 0);
	ck_assert_msg(!swarm->failure[0], "%s", swarm->failure);
}

void swarm_run(struct swarm *swarm, sfr_loop *loop, const sfr_server *server)
{
	swarm_start(swarm, loop, server);
	run_until_stopped(loop);
	swarm_join(swarm);
}

/*
 * Afterwards.
 */

static void assert_deserted(sfr_loop *loop, const sfr_server *server, const struct told *told)
{
	turns_until_quiet(loop); /* those that wait are accepted */
	turns_until(loop, told->closed == told->opened);
	ck_assert_uint_eq(sfr_server_conns(server), 0);
	turns_until(loop, stat_held(loop) == 0);
}

/* The server is as new: nobody is there, every buffer and descriptor is back, and it serves. */
void assert_recovered(sfr_loop *loop, const sfr_server *server, const struct told *told)
{
	struct swarm swarm = {.peers = 5, .bytes = 10000, .message = 1000, .window = 1000};
	int before;

	assert_deserted(loop, server, told);
	before = open_descriptors();
	swarm_run(&swarm, loop, server);
	assert_deserted(loop, server, told);
	ck_assert_int_eq(open_descriptors(), before);
}

/*
 * The process.
 */

long memory_now(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long all, resident = 0, of_files = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%ld %ld %ld", &all, &resident, &of_files), 3);
	fclose(file);
	return (resident - of_files) * sysconf(_SC_PAGESIZE);
}

bool memory_tells(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#else
	return !under_valgrind();
#endif
}

int descriptors_for(int wanted, int each)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < (rlim_t)each * (rlim_t)wanted + 100)
		wanted = (int)(limit.rlim_cur - 100) / each;
	return wanted;
}
