/* SPDX-License-Identifier: MIT */
#include "ops.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define OPS_MAX 20000
#define PIECE_MAX 3000

enum { MULTI = 1, CARRIES = 2, FILLS = 4, WHOLE = 8, WINS = 16, STREAMS = 32 };

struct op {
	sfr_ticket ticket;
	const struct recipe *recipe;
	struct channel *channel; /* NULL if it is on none */
	struct item item;        /* parts 0: it carries none */
	int fd;                  /* of its own, to be closed after it; -1 */
	pid_t child;             /* the same, to be waited for; 0 */
	int place;               /* of the registered files, that it fills or empties; -1 */
	bool place_was_taken;    /* so it is refused */
	bool place_was_unclear;  /* one that was abandoned may still have been to fill it */
	bool may_be_cancelled, has_deadline, was_shared, ended, abandoned;
};

struct recipe {
	const char *name;
	enum channel_kind on; /* CHANNEL_KINDS: none; else ops of other kinds fail, which is fine */
	int traits;
	sfr_op *(*build)(sfr_loop *loop, struct op *op);
};

int ops_alive, ops_abandoned, ops_submitted;
sfr_loop *ops_listener;
int ops_messages, ops_messages_max;
int ops_streams;
uint32_t ops_slab_max;
bool ops_releases_pending;

static struct op ops[OPS_MAX];
static int ops_used;

enum { PLACES = 8, PLACE_OF_FILE = 0 };

static int places[PLACES];
static bool places_full[PLACES];
static int places_changed_by[PLACES]; /* operations in flight, without those that are refused */
static int places_unclear[PLACES];    /* operations in flight of which that is not known */
static bool places_abandoned[PLACES]; /* by an operation that may still be in flight */

void ops_reset(void)
{
	ops_alive = ops_abandoned = ops_streams = ops_submitted = ops_used = 0;
	ops_messages = ops_messages_max = 0;
	memset(ops, 0, sizeof(ops));
	memset(places_changed_by, 0, sizeof(places_changed_by));
	memset(places_unclear, 0, sizeof(places_unclear));
}

/*
 * Recipes.
 */

static int fd_of(const struct op *op)
{
	return op->channel->fd;
}

static sfr_buf *buf_of(const struct op *op)
{
	return op->item.head;
}

static uint64_t anywhere(void)
{
	return choice(8) ? choice(100000) : (uint64_t)choice(8);
}

static sfr_op *build_nop(sfr_loop *loop, struct op *op)
{
	(void)op;
	return sfr_nop(loop);
}

static sfr_op *build_timeout(sfr_loop *loop, struct op *op)
{
	(void)op;
	return sfr_timeout(loop, choice(3000000));
}

static sfr_op *build_interval(sfr_loop *loop, struct op *op)
{
	(void)op;
	return sfr_interval(loop, 200000 + choice(3000000));
}

static sfr_op *build_read(sfr_loop *loop, struct op *op)
{
	return sfr_read(loop, fd_of(op), buf_of(op));
}

static sfr_op *build_read_at(sfr_loop *loop, struct op *op)
{
	return sfr_read_at(loop, fd_of(op), buf_of(op), anywhere());
}

static sfr_op *build_write(sfr_loop *loop, struct op *op)
{
	return sfr_write(loop, fd_of(op), buf_of(op));
}

static sfr_op *build_write_at(sfr_loop *loop, struct op *op)
{
	return sfr_write_at(loop, fd_of(op), buf_of(op), anywhere());
}

static sfr_op *build_recv(sfr_loop *loop, struct op *op)
{
	return sfr_recv(loop, fd_of(op), buf_of(op));
}

static sfr_op *build_send(sfr_loop *loop, struct op *op)
{
	return sfr_send(loop, fd_of(op), buf_of(op));
}

static sfr_op *build_send_zc(sfr_loop *loop, struct op *op)
{
	return sfr_send_zc(loop, fd_of(op), buf_of(op));
}

static sfr_op *build_sendto(sfr_loop *loop, struct op *op)
{
	const struct channel *aim = channel_any(DATAGRAM);

	return sfr_sendto(loop, fd_of(op), buf_of(op), (const struct sockaddr *)&aim->address,
			  aim->address_size);
}

static sfr_op *build_recvfrom(sfr_loop *loop, struct op *op)
{
	return sfr_recvfrom(loop, fd_of(op), buf_of(op));
}

static sfr_op *build_recv_multi(sfr_loop *loop, struct op *op)
{
	return sfr_recv_multi(loop, fd_of(op));
}

static sfr_op *build_recvfrom_multi(sfr_loop *loop, struct op *op)
{
	return sfr_recvfrom_multi(loop, fd_of(op));
}

static sfr_op *build_read_multi(sfr_loop *loop, struct op *op)
{
	return sfr_read_multi(loop, fd_of(op));
}

static sfr_op *build_accept(sfr_loop *loop, struct op *op)
{
	return sfr_accept(loop, fd_of(op));
}

static sfr_op *build_accept_multi(sfr_loop *loop, struct op *op)
{
	return sfr_accept_multi(loop, fd_of(op));
}

static sfr_op *build_connect(sfr_loop *loop, struct op *op)
{
	const struct channel *aim = channel_any(choice(3) ? LISTENER : DATAGRAM);

	op->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	return sfr_connect(loop, op->fd, (const struct sockaddr *)&aim->address, aim->address_size);
}

static sfr_op *build_poll(sfr_loop *loop, struct op *op)
{
	return sfr_poll(loop, fd_of(op), choice(2) ? POLLIN : POLLOUT);
}

static sfr_op *build_poll_multi(sfr_loop *loop, struct op *op)
{
	return sfr_poll_multi(loop, fd_of(op), choice(4) ? POLLIN : POLLOUT);
}

static sfr_op *build_splice(sfr_loop *loop, struct op *op)
{
	return sfr_splice(loop, channel_any(PIPE_IN)->fd, -1, fd_of(op), -1, 1 + choice(5000), 0);
}

static sfr_op *build_shutdown(sfr_loop *loop, struct op *op)
{
	op->channel->spent = true;
	return sfr_shutdown(loop, fd_of(op), (int)choice(3));
}

static sfr_op *build_socket(sfr_loop *loop, struct op *op)
{
	(void)op;
	return sfr_socket(loop, AF_INET, SOCK_STREAM, 0);
}

static sfr_op *build_openat(sfr_loop *loop, struct op *op)
{
	(void)op;
	return sfr_openat(loop, AT_FDCWD, choice(4) ? "/dev/null" : "/tmp/not/there", O_RDWR, 0);
}

static sfr_op *build_statx(sfr_loop *loop, struct op *op)
{
	return sfr_statx(loop, AT_FDCWD, choice(4) ? "/tmp" : "/tmp/not/there", 0,
			 STATX_BASIC_STATS, buf_of(op));
}

static sfr_op *build_fsync(sfr_loop *loop, struct op *op)
{
	return choice(2) ? sfr_fsync(loop, fd_of(op)) : sfr_fdatasync(loop, fd_of(op));
}

static sfr_op *build_ftruncate(sfr_loop *loop, struct op *op)
{
	return sfr_ftruncate(loop, fd_of(op), choice(50000));
}

static sfr_op *build_close(sfr_loop *loop, struct op *op)
{
	(void)op;
	return sfr_close(loop, open("/dev/null", O_RDWR | O_CLOEXEC));
}

static int work_a_while(void *arg)
{
	volatile unsigned count = 0;

	(void)arg;
	while (++count < 20000)
		;
	return 7;
}

static sfr_op *build_work(sfr_loop *loop, struct op *op)
{
	(void)op;
	return sfr_work(loop, work_a_while, NULL);
}

static sfr_op *build_msg(sfr_loop *loop, struct op *op)
{
	(void)op;
	return sfr_msg(loop, ops_listener, 17);
}

/* One that ends soon. */
static sfr_op *build_waitid(sfr_loop *loop, struct op *op)
{
	useconds_t life = choice(2) ? choice(3000) : 0;

	op->child = fork();
	if (op->child == 0) {
		usleep(life);
		_exit(23);
	}
	must(op->child > 0, "a child");
	return sfr_waitid(loop, P_PID, (unsigned)op->child, WEXITED | (choice(4) ? 0 : WNOWAIT),
			  buf_of(op));
}

static sfr_op *build_raw(sfr_loop *loop, struct op *op)
{
	struct io_uring_sqe sqe = {0};

	if (choice(4))
		io_uring_prep_write(&sqe, fd_of(op), buf_of(op)->data, buf_of(op)->len,
				    (uint64_t)-1);
	else
		io_uring_prep_nop(&sqe);
	return sfr_raw(loop, &sqe, buf_of(op));
}

/*
 * Registered files: a file of which nobody takes the place, and places that are filled and emptied.
 */

void ops_register(sfr_loop *loop)
{
	int fds[PLACES], i;

	for (i = 0; i < PLACES; i++)
		fds[i] = -1;
	fds[PLACE_OF_FILE] = channel_any(PLAIN_FILE)->fd;
	memset(places_full, 0, sizeof(places_full));
	memset(places_abandoned, 0, sizeof(places_abandoned));
	must(sfr_files_register(loop, fds, PLACES, places) == 0, "files are registered");
}

void ops_unregister(sfr_loop *loop)
{
	int r = sfr_files_unregister(loop);

	must(r == 0 || (r == -SFR_EOPSINFLIGHT && sfr_loop_inflight(loop)),
	     "unregistering files: %s", sfr_errname(r));
	if (r == 0)
		ops_register(loop);
}

static int place_of(struct op *op)
{
	op->place = 1 + (int)choice(PLACES - 1);
	return places[op->place];
}

static sfr_op *build_open_place(sfr_loop *loop, struct op *op)
{
	return sfr_into(sfr_openat(loop, AT_FDCWD, "/dev/null", O_RDWR, 0), place_of(op));
}

static sfr_op *build_socket_place(sfr_loop *loop, struct op *op)
{
	return sfr_into(sfr_socket(loop, AF_INET, SOCK_STREAM, 0), place_of(op));
}

static sfr_op *build_accept_place(sfr_loop *loop, struct op *op)
{
	return sfr_into(sfr_accept(loop, fd_of(op)), place_of(op));
}

static sfr_op *build_close_place(sfr_loop *loop, struct op *op)
{
	return sfr_close(loop, place_of(op));
}

static sfr_op *build_read_place(sfr_loop *loop, struct op *op)
{
	return choice(2) ? sfr_read_at(loop, places[PLACE_OF_FILE], buf_of(op), anywhere())
			 : sfr_read(loop, places[choice(PLACES)], buf_of(op));
}

static sfr_op *build_write_place(sfr_loop *loop, struct op *op)
{
	return sfr_write_at(loop, places[PLACE_OF_FILE], buf_of(op), anywhere());
}

static sfr_op *build_poll_place(sfr_loop *loop, struct op *op)
{
	(void)op;
	return sfr_poll(loop, places[1 + choice(PLACES - 1)], POLLIN);
}

static bool empties_place(const struct op *op)
{
	return op->recipe->build == build_close_place;
}

/* A place is changed by one operation at a time, and filled when it is empty. Others are refused. */
static void place_begin(struct op *op)
{
	if (op->place < 0)
		return;
	op->place_was_unclear = places_unclear[op->place] || places_abandoned[op->place];
	op->place_was_taken = places_changed_by[op->place] ||
			      (places_full[op->place] && !empties_place(op));
	places_unclear[op->place] += op->place_was_unclear;
	places_changed_by[op->place] += !op->place_was_unclear && !op->place_was_taken;
}

static void place_end(const struct op *op)
{
	if (op->place < 0)
		return;
	places_unclear[op->place] -= op->place_was_unclear;
	places_changed_by[op->place] -= !op->place_was_unclear && !op->place_was_taken;
}

/* What fills a place finds it empty, and what empties it finds it full. */
static void place_check(const struct op *op, int result)
{
	bool empties = empties_place(op);

	if (op->place < 0)
		return;
	must(op->place_was_unclear || (result == -EBUSY) == op->place_was_taken,
	     "%s says %s, and place %d was %s", op->recipe->name, sfr_errname(result), op->place,
	     op->place_was_taken ? "taken" : "nobody's");
	if (result != 0)
		return;
	must(places_full[op->place] == empties, "%s: place %d was %s", op->recipe->name, op->place,
	     empties ? "empty" : "full");
	places_full[op->place] = !empties;
}

static sfr_op *build_signal(sfr_loop *loop, struct op *op)
{
	(void)op;
	return sfr_signal(loop, SIGUSR1);
}

static const struct recipe recipes[] = {
	{"nop", CHANNEL_KINDS, 0, build_nop},
	{"timeout", CHANNEL_KINDS, 0, build_timeout},
	{"interval", CHANNEL_KINDS, MULTI, build_interval},
	{"read", PIPE_IN, CARRIES | FILLS | WHOLE, build_read},
	{"read of a file", PLAIN_FILE, CARRIES | FILLS | WHOLE, build_read_at},
	{"write", PIPE_OUT, CARRIES | WHOLE, build_write},
	{"write of a file", PLAIN_FILE, CARRIES | WHOLE, build_write_at},
	{"recv", TCP, CARRIES | FILLS | WHOLE, build_recv},
	{"recv of a unix socket", UNIX, CARRIES | FILLS | WHOLE, build_recv},
	{"send", TCP, CARRIES | WHOLE, build_send},
	{"send of a unix socket", UNIX, CARRIES | WHOLE, build_send},
	{"send_zc", TCP, CARRIES | WHOLE, build_send_zc},
	{"send_zc of a unix socket", UNIX, CARRIES | WHOLE, build_send_zc},
	{"sendto", DATAGRAM, CARRIES, build_sendto},
	{"recvfrom", DATAGRAM, CARRIES | FILLS, build_recvfrom},
	{"recv_multi", TCP, MULTI | STREAMS, build_recv_multi},
	{"recv_multi of a unix socket", UNIX, MULTI | STREAMS, build_recv_multi},
	{"recvfrom_multi", DATAGRAM, MULTI | STREAMS, build_recvfrom_multi},
	{"read_multi", PIPE_IN, MULTI | STREAMS, build_read_multi},
	{"read_multi of a file", PLAIN_FILE, MULTI | STREAMS, build_read_multi},
	{"accept", LISTENER, WINS, build_accept},
	{"accept_multi", LISTENER, MULTI | WINS, build_accept_multi},
	{"connect", CHANNEL_KINDS, 0, build_connect},
	{"poll", TCP, 0, build_poll},
	{"poll of a pipe", PIPE_IN, 0, build_poll},
	{"poll_multi", PIPE_IN, MULTI, build_poll_multi},
	{"splice", PIPE_OUT, 0, build_splice},
	{"shutdown", UNIX, 0, build_shutdown},
	{"socket", CHANNEL_KINDS, WINS, build_socket},
	{"openat", CHANNEL_KINDS, WINS, build_openat},
	{"statx", CHANNEL_KINDS, CARRIES | FILLS, build_statx},
	{"fsync", PLAIN_FILE, 0, build_fsync},
	{"ftruncate", PLAIN_FILE, 0, build_ftruncate},
	{"close", CHANNEL_KINDS, 0, build_close},
	{"work", CHANNEL_KINDS, 0, build_work},
	{"msg", CHANNEL_KINDS, 0, build_msg},
	{"signal", CHANNEL_KINDS, MULTI, build_signal},
	{"waitid", CHANNEL_KINDS, CARRIES | FILLS, build_waitid},
	{"raw", PIPE_OUT, CARRIES, build_raw},
	{"openat into a place", CHANNEL_KINDS, 0, build_open_place},
	{"socket into a place", CHANNEL_KINDS, 0, build_socket_place},
	{"accept into a place", LISTENER, 0, build_accept_place},
	{"close of a place", CHANNEL_KINDS, 0, build_close_place},
	{"read of a registered file", CHANNEL_KINDS, CARRIES | FILLS | WHOLE, build_read_place},
	{"write of a registered file", CHANNEL_KINDS, CARRIES | WHOLE, build_write_place},
	{"poll of a registered file", CHANNEL_KINDS, 0, build_poll_place},
};

#define RECIPES (sizeof(recipes) / sizeof(recipes[0]))

/*
 * How they ended, in all processes: what the storm has seen.
 */

enum ending { SUCCEEDED, FAILED, CANCELLED, TIMED_OUT, ABANDONED, DISCARDED, ENDINGS };

static long (*endings)[ENDINGS];

void ops_count_endings(void)
{
	endings = mmap(NULL, RECIPES * sizeof(*endings), PROT_READ | PROT_WRITE,
		       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	must(endings != MAP_FAILED, "memory for the counts");
}

static void count_ending(const struct op *op, enum ending ending)
{
	endings[op->recipe - recipes][ending]++;
}

static void count_result(const struct op *op, int result)
{
	count_ending(op, result >= 0            ? SUCCEEDED
			 : result == -ECANCELED ? CANCELLED
			 : result == -ETIMEDOUT ? TIMED_OUT
						: FAILED);
}

void ops_print_endings(void)
{
	size_t i;
	int k;

	printf("%-28s %10s %10s %10s %10s %10s %10s\n", "calls back with", "success", "error",
	       "cancelled", "deadline", "abandoned", "discarded");
	for (i = 0; i < RECIPES; i++) {
		printf("%-28s", recipes[i].name);
		for (k = 0; k < ENDINGS; k++)
			printf(" %10ld", endings[i][k]);
		printf("\n");
	}
}

static bool is(const struct op *op, int trait)
{
	return op->recipe->traits & trait;
}

static bool ends_something(const struct op *op)
{
	return op->recipe->build == build_close || op->recipe->build == build_shutdown ||
	       op->recipe->build == build_close_place;
}

/* What it had besides is nobody's any more. */
static void belongings_end(const struct op *op)
{
	if (op->fd >= 0)
		close(op->fd);
	if (op->child)
		(void)waitpid(op->child, NULL, 0);
}

/*
 * What they say.
 */

static void op_over(struct op *op)
{
	op->ended = true;
	ops_alive--;
	ops_streams -= is(op, STREAMS);
	if (op->channel)
		op->channel->ops--;
	place_end(op);
	belongings_end(op);
}

/* An end has a cause. */
static void result_check(const struct op *op, int result)
{
	const char *name = op->recipe->name;

	if (result == -ECANCELED)
		must(op->may_be_cancelled, "%s was cancelled, and nobody asked for it", name);
	if (result == -ETIMEDOUT)
		must(op->has_deadline, "%s has no deadline", name);
	if (result == -SFR_ESHARED)
		must(is(op, FILLS) && op->was_shared, "%s: nobody shares it", name);
	must(result != -SFR_EINFLIGHT && result != -SFR_ESTALE && result != -EFAULT &&
		     result != -ENOBUFS && result != -EINTR && result != -EAGAIN && result > -5000,
	     "%s ended with %s", name, sfr_errname(result));
	if (result > 0 && is(op, CARRIES) && op->recipe->build != build_statx) {
		uint32_t room = 0;
		const sfr_buf *part = op->item.head;

		for (; part; part = part->next)
			room += is(op, FILLS) ? part->cap : part->len;
		must((uint32_t)result <= room, "%s: %d of %u bytes", name, result, room);
		must(!is(op, FILLS) || op->item.head->len == (uint32_t)result, "%s: len is set",
		     name);
	}
}

static void child_check(const struct op *op, int result, const sfr_buf *buf)
{
	siginfo_t info;

	if (!op->child || result != 0)
		return;
	must(buf->len == sizeof(info), "%u bytes tell of a child", buf->len);
	memcpy(&info, buf->data, sizeof(info));
	must(info.si_pid == op->child && info.si_status == 23, "which child ended, and how");
}

static void multi_said(struct op *op, int result, sfr_buf *buf)
{
	bool streams = is(op, STREAMS), last = streams ? !buf : result < 0;

	must(streams || !buf, "%s carries no buffer", op->recipe->name);
	must(!buf || (result >= 0 && buf->len == (uint32_t)result), "%s: len is set",
	     op->recipe->name);
	if (buf)
		hand_put(item_new(buf, true));
	if (is(op, WINS) && result >= 0)
		close(result);
	if (last)
		op_over(op);
}

static void op_said(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct op *op = arg;

	(void)loop;
	must(!op->ended, "%s called back after its end", op->recipe->name);
	must(!op->abandoned, "%s called back after it was abandoned", op->recipe->name);
	count_result(op, result);
	if (is(op, MULTI)) {
		result_check(op, result);
		multi_said(op, result, buf);
		return;
	}
	must((buf != NULL) == (op->item.parts > 0), "%s gives back what it was given",
	     op->recipe->name);
	if (buf)
		item_check(&op->item, buf);
	result_check(op, result);
	place_check(op, result);
	child_check(op, result, buf);
	ops_messages += op->recipe->build == build_msg && result == 0;
	if (buf)
		hand_put(op->item);
	if (is(op, WINS) && result >= 0)
		close(result);
	op_over(op);
}

/*
 * Submitting.
 */

/* Something to send, or to fill. False if there is none to be had. */
static bool item_for(sfr_loop *loop, struct item *out)
{
	uint32_t size;
	sfr_buf *buf;

	if (hand_count && choice(2)) {
		*out = hand_take();
		return true;
	}
	if (!choice(8))
		return item_wrap(loop, out);
	size = choice(6) ? choice(600) : choice(PIECE_MAX);
	buf = sfr_buf_get(loop, size);
	if (!buf) {
		must(errno == SFR_EPOOLEMPTY || errno == ENOMEM, "no buffer: %s",
		     sfr_errname(errno));
		return false;
	}
	buf->len = choice(buf->cap < PIECE_MAX ? buf->cap : PIECE_MAX);
	memset(buf->data, 'x', buf->len);
	*out = item_new(buf, size <= ops_slab_max);
	return true;
}

static void op_prepare(struct op *op)
{
	op->fd = op->place = -1;
	op->recipe = &recipes[choice(RECIPES)];
	if (op->recipe->on < CHANNEL_KINDS)
		op->channel = channel_any(op->recipe->on);
}

static sfr_op *op_modify(sfr_op *built, struct op *op)
{
	static const uint64_t deadlines[] = {0, 1, 50000, 400000, 2000000, 1000000000};

	if (!choice(4)) {
		op->has_deadline = true;
		built = sfr_within(built, deadlines[choice(6)]);
	}
	if (is(op, WHOLE) && !choice(3)) {
		built = sfr_all(built);
	}
	return built;
}

void op_start(sfr_loop *loop)
{
	struct op *op = &ops[ops_used];
	sfr_op *built;

	must(ops_used < OPS_MAX, "the model is too small");
	*op = (struct op){0};
	op_prepare(op);
	if (is(op, CARRIES) && !item_for(loop, &op->item))
		return;
	op->was_shared = ops_releases_pending || item_is_shared(&op->item);
	built = op->recipe->build(loop, op);
	must(built != NULL || !is(op, CARRIES), "%s can always be built", op->recipe->name);
	if (!built) {
		belongings_end(op);
		return;
	}
	built = op_modify(built, op);
	if (!choice(40) && !ends_something(op)) {
		count_ending(op, DISCARDED);
		sfr_op_discard(built);
		item_gone(&op->item);
		belongings_end(op);
		return;
	}
	ops_used++;
	ops_messages_max += op->recipe->build == build_msg;
	ops_submitted++;
	ops_alive++;
	ops_streams += is(op, STREAMS);
	if (op->channel)
		op->channel->ops++;
	place_begin(op);
	op->ticket = sfr_submit(built, op_said, op);
	must(op->ticket != 0, "%s has a ticket", op->recipe->name);
	must(!op->ended, "%s: nothing calls back inside a submit", op->recipe->name);
}

/*
 * Asking for an end.
 */

/* One that was submitted lately, ended or not. */
static struct op *op_any(void)
{
	int window = ops_used < 200 ? ops_used : 200;

	return window ? &ops[ops_used - 1 - (int)choice((uint32_t)window)] : NULL;
}

void op_cancel_any(sfr_loop *loop)
{
	struct op *op = op_any();
	int r;

	if (!op)
		return;
	r = sfr_cancel(loop, op->ticket);
	must(op->abandoned || r == (op->ended ? -SFR_ESTALE : 0), "cancelling %s says %s",
	     op->recipe->name, sfr_errname(r));
	op->may_be_cancelled = true;
}

void op_abandon_any(sfr_loop *loop)
{
	struct op *op = op_any();
	int r;

	if (!op || op->abandoned || ends_something(op))
		return;
	r = sfr_abandon(loop, op->ticket);
	must(r == (op->ended ? -SFR_ESTALE : 0), "abandoning %s says %s", op->recipe->name,
	     sfr_errname(r));
	if (r < 0)
		return;
	op->abandoned = true;
	count_ending(op, ABANDONED);
	ops_alive--;
	ops_streams -= is(op, STREAMS);
	ops_abandoned++;
	place_end(op);
	if (op->place >= 0)
		places_abandoned[op->place] = true;
	if (op->channel) {
		op->channel->ops--;
		op->channel->abandoned++;
	}
}

void ops_cancel_channel(sfr_loop *loop)
{
	const struct channel *channel = &channels[choice(CHANNELS)];
	int i;

	(void)sfr_cancel_fd(loop, channel->fd);
	for (i = 0; i < ops_used; i++)
		if (ops[i].channel == channel || ops[i].recipe->build == build_splice)
			ops[i].may_be_cancelled = true;
}

void ops_expect_cancelling(void)
{
	int i;

	for (i = 0; i < ops_used; i++)
		ops[i].may_be_cancelled = true;
}

void ops_abandoned_are_gone(void)
{
	int i;

	for (i = 0; i < ops_used; i++) {
		struct op *op = &ops[i];

		if (!op->abandoned || op->ended)
			continue;
		op->ended = true;
		item_gone(&op->item);
		belongings_end(op);
	}
	for (i = 0; i < CHANNELS; i++)
		channels[i].abandoned = 0;
	memset(places_abandoned, 0, sizeof(places_abandoned));
	ops_abandoned = 0;
}
