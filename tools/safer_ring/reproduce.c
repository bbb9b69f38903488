/* SPDX-License-Identifier: MIT */
/*
 * Reproducers of known bugs of io_uring.
 *
 * Each makes a ring of its own, without the library, which may be avoiding the very bug. None waits for longer
 * than a few seconds by itself. A wait that ends for want of a completion is the answer only where the
 * completion was due before it began, or many times that long ago.
 */
#include "reproduce.h"
#include "machine/kernel.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum {
	GROUP = 7,
	BUFFERS = 64,
	BUFFER_SIZE = 64,
	LONG_MS = 2000,
	SHORT_MS = 50, /* far less, and far more than what does not sleep takes */
};

struct rig {
	struct io_uring ring;
	_Alignas(4096) unsigned char buf_ring[4096];
	unsigned char memory[BUFFERS * BUFFER_SIZE];
};

static struct rig rig;

/*
 * Saying.
 */

static void say(struct verdict *out, bool reproduced)
{
	out->reproduced = reproduced ? REPRODUCE_YES : REPRODUCE_NOT;
}

/* Something in the way: the call, and -errno. False, for `return in_the_way(...)`. */
static bool in_the_way(struct verdict *out, const char *call, int error)
{
	(void)snprintf(out->why, sizeof(out->why), "%s: %s", call, strerror(-error));
	return false;
}

/*
 * The rig.
 */

static bool ring_open(struct verdict *out, unsigned flags, unsigned entries, unsigned cq_entries)
{
	struct io_uring_params params = {
		.flags = flags | (cq_entries ? IORING_SETUP_CQSIZE : 0),
		.cq_entries = cq_entries,
		.sq_thread_idle = 5,
	};
	int r = io_uring_queue_init_params(entries, &rig.ring, &params);

	return r == 0 || in_the_way(out, "io_uring_setup", r);
}

static bool buffers_open(struct verdict *out)
{
	struct io_uring_buf_ring *bufs = (void *)rig.buf_ring;
	struct io_uring_buf_reg reg = {
		.ring_addr = (uint64_t)(uintptr_t)bufs, .ring_entries = BUFFERS, .bgid = GROUP};
	int r = io_uring_register_buf_ring(&rig.ring, &reg, 0);

	if (r < 0)
		return in_the_way(out, "a ring of buffers", r);
	io_uring_buf_ring_init(bufs);
	for (int i = 0; i < BUFFERS; i++)
		io_uring_buf_ring_add(bufs, rig.memory + (size_t)i * BUFFER_SIZE, BUFFER_SIZE,
				      (unsigned short)i, io_uring_buf_ring_mask(BUFFERS), i);
	io_uring_buf_ring_advance(bufs, BUFFERS);
	return true;
}

/* The entry is prepared anew: what its last use left does not matter. */
static struct io_uring_sqe *entry(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&rig.ring);

	if (!sqe)
		abort(); /* none of the rings is ever full */
	memset(sqe, 0, sizeof(*sqe));
	return sqe;
}

static void receive_multi(int fd)
{
	struct io_uring_sqe *sqe = entry();

	io_uring_prep_recv_multishot(sqe, fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
}

/* Submit, and have what is due completed, without waiting. */
static void turn(void)
{
	(void)io_uring_submit(&rig.ring);
	(void)io_uring_enter((unsigned)rig.ring.ring_fd, 0, 0, IORING_ENTER_GETEVENTS, NULL);
}

/* The next completion; false if there is none for so long. */
static bool completion(int ms, struct io_uring_cqe *out)
{
	struct __kernel_timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000LL};
	struct io_uring_cqe *cqe;
	int r;

	do
		r = io_uring_submit_and_wait_timeout(&rig.ring, &cqe, 1, &ts, NULL);
	while (r == -EINTR);
	if (r < 0 || !cqe)
		return false;
	*out = *cqe;
	io_uring_cqe_seen(&rig.ring, cqe);
	return true;
}

static bool sockets_open(struct verdict *out, int ends[2])
{
	return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0 ||
	       in_the_way(out, "socketpair", -errno);
}

static void sleep_ms(int ms)
{
	const struct timespec ts = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L};

	(void)nanosleep(&ts, NULL);
}

static int64_t now_ms(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/*
 * recv_multi.
 */

/* Bytes and the end, both before the task work of a deferring ring runs: the end must be told. */
static bool end_is_missed(struct verdict *out, bool *missed_out)
{
	struct io_uring_cqe cqe;
	bool more, told = false;
	int ends[2];

	if (!sockets_open(out, ends))
		return false;
	receive_multi(ends[0]);
	turn();
	(void)send(ends[1], "hello", 5, MSG_NOSIGNAL);
	(void)shutdown(ends[1], SHUT_WR);
	if (!completion(LONG_MS, &cqe) || cqe.res != 5)
		return in_the_way(out, "a receive", cqe.res < 0 ? cqe.res : -EPROTO);
	more = cqe.flags & IORING_CQE_F_MORE;
	if (more)
		told = completion(SHORT_MS, &cqe) && cqe.res == 0;
	*missed_out = more && !told;
	(void)close(ends[0]);
	(void)close(ends[1]);
	return true;
}

static void reproduce_missed_end(struct verdict *out)
{
	bool missed = false;

	if (!ring_open(out, IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN, 8, 0) ||
	    !buffers_open(out))
		return;
	for (int i = 0; i < BUFFERS / 2 && !missed; i++)
		if (!end_is_missed(out, &missed))
			return;
	say(out, missed);
}

static void *messages_send(void *arg)
{
	static const char message[BUFFER_SIZE];

	for (int i = 0; i < BUFFERS; i++)
		if (send(*(int *)arg, message, sizeof(message), MSG_NOSIGNAL) < 0)
			break;
	return NULL;
}

/* As many messages as buffers, sent while they are received: the buffers must be used in their order, each. */
static bool buffer_is_skipped(struct verdict *out, bool *skipped_out)
{
	struct io_uring_cqe cqe;
	unsigned next = 0;
	size_t bytes = 0;
	pthread_t thread;
	int ends[2], r;

	if (!ring_open(out, 0, 8, 0) || !buffers_open(out) || !sockets_open(out, ends))
		return false;
	receive_multi(ends[0]);
	turn();
	r = pthread_create(&thread, NULL, messages_send, &ends[1]);
	if (r != 0)
		return in_the_way(out, "a thread", -r);
	while (bytes < sizeof(rig.memory) && !*skipped_out) {
		if (!completion(LONG_MS, &cqe))
			return in_the_way(out, "a receive", -ETIME);
		if (cqe.res == -ENOBUFS ||
		    (cqe.res > 0 && cqe.flags >> IORING_CQE_BUFFER_SHIFT != next))
			*skipped_out = true;
		else if (cqe.res <= 0)
			return in_the_way(out, "a receive", cqe.res ? cqe.res : -EPROTO);
		else if (!(cqe.flags & IORING_CQE_F_MORE))
			receive_multi(ends[0]);
		bytes += cqe.res > 0 ? (size_t)cqe.res : 0;
		next++;
	}
	(void)shutdown(ends[0], SHUT_RDWR); /* nobody is left waiting to send */
	(void)pthread_join(thread, NULL);
	(void)close(ends[0]);
	(void)close(ends[1]);
	io_uring_queue_exit(&rig.ring);
	return true;
}

static void reproduce_skipped_buffers(struct verdict *out)
{
	bool skipped = false;

	for (int i = 0; i < 50 && !skipped; i++)
		if (!buffer_is_skipped(out, &skipped))
			return;
	say(out, skipped);
}

/*
 * accept_multi.
 */

static bool listener_open(struct verdict *out, struct sockaddr_un *addr, socklen_t *size,
			  int *fd_out)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	*addr = (struct sockaddr_un){.sun_family = AF_UNIX};
	*size = sizeof(*addr);
	if (fd < 0 || bind(fd, (struct sockaddr *)addr, sizeof(addr->sun_family)) < 0 ||
	    listen(fd, 16) < 0 || getsockname(fd, (struct sockaddr *)addr, size) < 0)
		return in_the_way(out, "a listener", -errno);
	*fd_out = fd;
	return true;
}

static void accept_multi(int fd)
{
	io_uring_prep_multishot_accept(entry(), fd, NULL, NULL, SOCK_CLOEXEC);
}

static bool is_accepted(int fd, const bool seen[], int limit)
{
	int listening = 1;
	socklen_t size = sizeof(listening);

	return fd < limit && !seen[fd] &&
	       getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) == 0 && !listening;
}

/* More connections than the completion queue holds: each result must be a socket, and a new one. */
static void reproduce_wrong_descriptor(struct verdict *out)
{
	enum { CLIENTS = 12, LIMIT = 512 };
	bool seen[LIMIT] = {false};
	struct io_uring_cqe cqe;
	struct sockaddr_un addr;
	socklen_t size;
	int listener;

	if (!ring_open(out, 0, 2, 2) || !listener_open(out, &addr, &size, &listener))
		return;
	accept_multi(listener);
	turn();
	for (int i = 0; i < CLIENTS; i++) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

		if (fd < 0 || fd >= LIMIT || connect(fd, (struct sockaddr *)&addr, size) < 0) {
			(void)in_the_way(out, "connect", -errno);
			return;
		}
		seen[fd] = true;
	}
	for (int i = 0; i < CLIENTS; i++) {
		if (!completion(LONG_MS, &cqe) || cqe.res < 0) {
			(void)in_the_way(out, "an accept", cqe.res < 0 ? cqe.res : -ETIME);
			return;
		}
		if (!is_accepted(cqe.res, seen, LIMIT)) {
			say(out, true);
			return;
		}
		seen[cqe.res] = true;
		if (!(cqe.flags & IORING_CQE_F_MORE))
			accept_multi(listener);
	}
	say(out, false);
}

/*
 * read_multi.
 */

static bool terminal_open(struct verdict *out, int *master_out, int *slave_out)
{
	int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
	const char *name = master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0
				   ? ptsname(master)
				   : NULL;
	int slave = name ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;

	if (slave < 0)
		return in_the_way(out, "a pseudo-terminal", -errno);
	*master_out = master;
	*slave_out = slave;
	return true;
}

static void reproduce_unnamed_buffer(struct verdict *out)
{
	struct io_uring_sqe *sqe;
	struct io_uring_cqe cqe;
	int master, slave;

	if (!ring_open(out, 0, 8, 0) || !buffers_open(out) || !terminal_open(out, &master, &slave))
		return;
	sqe = entry();
	io_uring_prep_rw(SFR__OP_CODE_READ_MULTI, sqe, slave, NULL, 0, SFR__POSITION);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	turn();
	if (write(master, "hello\n", 6) != 6)
		(void)in_the_way(out, "a pseudo-terminal", -errno);
	else if (!completion(LONG_MS, &cqe) || cqe.res <= 0)
		(void)in_the_way(out, "a read", cqe.res < 0 ? cqe.res : -ETIME);
	else
		say(out, !(cqe.flags & IORING_CQE_F_BUFFER));
}

/*
 * ring.sqpoll.
 */

/* Nothing to do but to wait for what does not come: the polling thread must say that it sleeps. */
static void reproduce_sleepless_thread(struct verdict *out)
{
	struct io_uring_cqe cqe;
	int64_t until;
	int ends[2];

	if (!ring_open(out, IORING_SETUP_SQPOLL, 8, 0) || !sockets_open(out, ends))
		return;
	io_uring_prep_poll_add(entry(), ends[0], POLLIN);
	io_uring_prep_nop(entry());
	if (!completion(LONG_MS, &cqe)) {
		(void)in_the_way(out, "a nop", -ETIME);
		return;
	}
	for (until = now_ms() + LONG_MS; now_ms() < until; sleep_ms(1)) {
		if (!(IO_URING_READ_ONCE(*rig.ring.sq.kflags) & IORING_SQ_NEED_WAKEUP))
			continue;
		say(out, false);
		return;
	}
	say(out, true);
}

static void *byte_write_later(void *arg)
{
	sleep_ms(SHORT_MS);
	(void)!write(*(int *)arg, "", 1);
	return NULL;
}

/* A completion when the first wait is over, of one that the second waits for: the sleep must end. */
static bool sleep_goes_on(struct verdict *out, bool *goes_on_out)
{
	struct __kernel_timespec ts = {.tv_sec = LONG_MS / 1000};
	const struct {
		uint64_t sigmask;
		uint32_t sigmask_size, min_wait_us;
		uint64_t ts;
	} arg = {.sigmask_size = _NSIG / 8, .min_wait_us = 1000, .ts = (uint64_t)(uintptr_t)&ts};
	int64_t begin = now_ms();
	pthread_t thread;
	unsigned char byte;
	int ends[2], r;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return in_the_way(out, "a pipe", -errno);
	io_uring_prep_read(entry(), ends[0], &byte, 1, 0);
	(void)io_uring_submit(&rig.ring);
	r = pthread_create(&thread, NULL, byte_write_later, &ends[1]);
	if (r != 0)
		return in_the_way(out, "a thread", -r);
	do
		r = io_uring_enter2((unsigned)rig.ring.ring_fd, 0, 2,
				    IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG,
				    (sigset_t *)(uintptr_t)&arg, sizeof(arg));
	while (r == -EINTR);
	*goes_on_out = now_ms() - begin >= LONG_MS;
	(void)pthread_join(thread, NULL);
	io_uring_cq_advance(&rig.ring, io_uring_cq_ready(&rig.ring));
	(void)close(ends[0]);
	(void)close(ends[1]);
	return true;
}

static void reproduce_lost_wakeup(struct verdict *out)
{
	bool goes_on = false;

	if (!ring_open(out, IORING_SETUP_SQPOLL, 8, 0))
		return;
	for (int i = 0; i < 3 && !goes_on; i++)
		if (!sleep_goes_on(out, &goes_on))
			return;
	say(out, goes_on);
}

/* An incremental ring of one buffer. */
static bool block_open(struct verdict *out)
{
	struct io_uring_buf_ring *bufs = (void *)rig.buf_ring;
	const struct sfr__buf_reg reg = {.ring_addr = (uint64_t)(uintptr_t)bufs,
					 .ring_entries = 1,
					 .bgid = GROUP,
					 .flags = SFR__PBUF_RING_INC};
	int r = io_uring_register((unsigned)rig.ring.ring_fd, IORING_REGISTER_PBUF_RING, &reg, 1);

	if (r < 0)
		return in_the_way(out, "an incremental ring of buffers", r);
	io_uring_buf_ring_init(bufs);
	io_uring_buf_ring_add(bufs, rig.memory, sizeof(rig.memory), 0, 0, 0);
	io_uring_buf_ring_advance(bufs, 1);
	return true;
}

static void receive_part(int fd, unsigned size, int flags)
{
	struct io_uring_sqe *sqe = entry();

	io_uring_prep_recv(sqe, fd, NULL, size, flags);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
}

/* A receive that has half of what it waits for; then another one: is that given the same memory? */
static void reproduce_shared_part(struct verdict *out)
{
	struct io_uring_cqe cqe;
	int first[2], second[2];

	if (!ring_open(out, 0, 8, 0) || !block_open(out) || !sockets_open(out, first) ||
	    !sockets_open(out, second))
		return;
	if (write(first[1], "aaaa", 4) != 4 || write(second[1], "bb", 2) != 2) {
		(void)in_the_way(out, "a socket", -errno);
		return;
	}
	receive_part(first[0], 8, MSG_WAITALL);
	turn();
	receive_part(second[0], 8, 0);
	(void)completion(LONG_MS, &cqe);
	(void)completion(SHORT_MS, &cqe);
	say(out, rig.memory[0] == 'b');
}

/*
 * All of them.
 */

#define NEEDS(feature) (1U << SFR__FEATURE_##feature)

static const struct reproducer reproducers[] = {
	{"libuv/libuv#4093", 0, reproduce_sleepless_thread, NULL},
	{"axboe/liburing#1062", NEEDS(ACCEPT_MULTI), reproduce_wrong_descriptor, NULL},
	{"linux io_submit_sqes()", NEEDS(LINKS), NULL,
	 "the kernel has to run out of memory in the middle of a row"},
	{"axboe/liburing#778", NEEDS(RECV_MULTI), reproduce_skipped_buffers, NULL},
	{"axboe/liburing#1549, linux a68ed2df7213", NEEDS(RECV_MULTI) | NEEDS(DEFER_TASKRUN),
	 reproduce_missed_end, NULL},
	{"axboe/liburing#1257", NEEDS(READ_MULTI), reproduce_unnamed_buffer, NULL},
	{"seen by safer-ring's own tests, on 6.18", NEEDS(SEND_ZC), NULL,
	 "it would leave a thread of the kernel spinning"},
	{"linux 45b3941d09d1, \"io_uring/napi: fix io_napi_entry RCU accesses\"", NEEDS(NAPI), NULL,
	 "it shows as memory that the kernel reads after it was freed"},
	{"CVE-2025-38730, linux 41b70df5b38b and 687b2bae0eff", NEEDS(INCREMENTAL),
	 reproduce_shared_part, NULL},
	{"axboe/liburing#1504", NEEDS(MIN_WAIT), reproduce_lost_wakeup, NULL},
};

const struct reproducer *reproducer_of(const char *source)
{
	for (size_t i = 0; i < sizeof(reproducers) / sizeof(reproducers[0]); i++)
		if (strcmp(reproducers[i].source, source) == 0)
			return &reproducers[i];
	return NULL;
}
