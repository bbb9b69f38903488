/* SPDX-License-Identifier: MIT */
/*
 * Embedding: what sfr_loop_fd() and sfr_loop_prepare() promise to a host.
 */
#include "hosts.h"
#include "pending.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define MS 1000000

/* A loop that nobody has turned yet, and its descriptor. */
static sfr_loop *loop_to_embed(int world, const char *more, int *fd_out)
{
	sfr_loop *loop = loop_in(world, more);

	*fd_out = sfr_loop_fd(loop);
	ck_assert_int_ge(*fd_out, 0);
	return loop;
}

/* A read that waits for the pipe, and a loop that waits for nothing else. */
static void read_and_fall_quiet(sfr_loop *loop, int *write_end_out, sfr_ticket *ticket_out)
{
	int read_end;
	sfr_ticket ticket;

	pair_of_pipe_ends(&read_end, write_end_out);
	ticket = sfr_submit(sfr_read(loop, read_end, sfr_buf_get(loop, 64)), record, &seen);
	if (ticket_out)
		*ticket_out = ticket;
	fall_quiet(loop);
}

/*
 * The descriptor.
 */

START_TEST(it_is_the_same_every_time_and_programs_that_are_executed_do_not_get_it)
{
	int fd;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	ck_assert_int_eq(sfr_loop_fd(loop), fd);
	fall_quiet(loop);
	ck_assert_int_eq(sfr_loop_fd(loop), fd);
	ck_assert_int_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
}
END_TEST

/* Reading it, writing it, and looking into what it is. */
START_TEST(a_curious_host_cannot_read_it_empty)
{
	struct epoll_event events[8];
	uint64_t count = 1;
	int fd, write_end;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	read_and_fall_quiet(loop, &write_end, NULL);
	ck_assert_int_eq(write(write_end, "abc", 3), 3);
	ck_assert(is_readable_within(fd, PATIENCE_MS));
	ck_assert_int_lt(read(fd, &count, sizeof(count)), 0);
	ck_assert_int_lt(write(fd, &count, sizeof(count)), 0);
	ck_assert_int_ge(epoll_wait(fd, events, COUNT_OF(events), 0), 1);

	ck_assert(is_readable(fd));
	steps_until(loop, seen.calls == 1);
	ck_assert_int_eq(seen.result, 3);
}
END_TEST

START_TEST(without_descriptors_there_is_none_and_later_there_is)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct rlimit before, limit;
	int fd, room, next = dup(0), refused = 0;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
	close(next);
	for (room = 0; room < 8; room++) {
		limit = (struct rlimit){(rlim_t)(next + room), before.rlim_max};
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
		fd = sfr_loop_fd(loop);
		ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
		if (fd >= 0)
			break;
		ck_assert_int_eq(fd, -EMFILE);
		ck_assert_int_eq(dup(0), next); /* no trace of the attempt */
		close(next);
		refused++;
	}
	ck_assert_int_ge(refused, 3);
	ck_assert_int_ge(fd, 0);
	fall_quiet(loop);
	sfr_submit(sfr_nop(loop), record, &seen);
	ck_assert(is_readable(fd));
}
END_TEST

START_TEST(a_host_forgets_a_loop_that_is_freed)
{
	struct host host;
	int fd;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	host_init(&host, HOST_EPOLL);
	host_watch(&host, fd);
	ck_assert_int_eq(host_sleep(&host, 0), 1); /* it has not been turned */
	ck_assert_int_eq(sfr_loop_free(loop_gone()), 0);
	(void)loop;
	ck_assert_int_eq(host_sleep(&host, 0), 0);
	host_fini(&host);
}
END_TEST

START_TEST(who_has_no_host_pays_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int descriptors;
	uint64_t enters;

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	descriptors = open_descriptors();
	enters = stats_of(loop).enters;
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_uint_eq(stats_of(loop).enters, enters + 1);
	ck_assert_int_eq(sfr_loop_prepare(loop), 0); /* nobody would wake who sleeps on that */
	ck_assert_int_eq(open_descriptors(), descriptors);
}
END_TEST

/*
 * What wakes a host.
 */

/* What the ways below work with. */
static struct {
	sfr_server *server;
	sfr_conn *conn;
	sfr_batch *batch;
	sfr_ticket ticket;
	int read_end;
} stage;

static void a_read(sfr_loop *loop)
{
	int write_end;

	pair_of_pipe_ends(&stage.read_end, &write_end);
	stage.ticket = sfr_submit(sfr_read(loop, stage.read_end, sfr_buf_get(loop, 64)), record,
				  &seen);
}

static void a_timer(sfr_loop *loop)
{
	stage.ticket = sfr_submit(sfr_timeout(loop, (uint64_t)3600000 * MS), record, &seen);
}

static void batch_ended(sfr_loop *loop, sfr_batch *batch, void *arg)
{
	(void)loop;
	(void)arg;
	sfr_batch_free(batch);
}

static void a_batch(sfr_loop *loop)
{
	stage.batch = sfr_batch_new(loop);
	sfr_batch_add(stage.batch, pending_read(loop));
	ck_assert_int_eq(sfr_batch_submit(stage.batch, batch_ended, NULL), 0);
}

static void a_conn(sfr_loop *loop)
{
	int before = here.opened;

	if (!stage.server)
		stage.server = serve(loop, &echo_all, &here);
	stage.conn = dial(loop, stage.server, &note_all, &there);
	turns_until(loop, here.opened > before && there.opened > before);
}

static void give_nop(sfr_loop *loop)
{
	sfr_submit(sfr_nop(loop), record, &seen);
}

static void give_bad_op(sfr_loop *loop)
{
	sfr_submit(sfr_read(loop, 0, NULL), record, &seen);
}

static void give_timer(sfr_loop *loop)
{
	sfr_submit(sfr_timeout(loop, 1), record, &seen);
}

static void give_deadline(sfr_loop *loop)
{
	sfr_submit(sfr_within(pending_read(loop), 1), record, &seen);
}

static void give_cancel(sfr_loop *loop)
{
	ck_assert_int_eq(sfr_cancel(loop, stage.ticket), 0);
}

static void give_cancel_fd(sfr_loop *loop)
{
	ck_assert_int_eq(sfr_cancel_fd(loop, stage.read_end), 1);
}

static void give_abandon(sfr_loop *loop)
{
	ck_assert_int_eq(sfr_abandon(loop, stage.ticket), 0);
}

static void give_batch(sfr_loop *loop)
{
	sfr_batch *batch = sfr_batch_new(loop);

	sfr_batch_add(batch, sfr_nop(loop));
	sfr_batch_then(batch, 0, sfr_nop(loop));
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, NULL), 0);
}

static void give_empty_batch(sfr_loop *loop)
{
	sfr_batch *batch = sfr_batch_new(loop);

	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, NULL), 0);
}

static void give_late_batch(sfr_loop *loop)
{
	sfr_batch *batch = sfr_batch_new(loop);

	sfr_batch_add(batch, pending_read(loop));
	ck_assert_int_eq(sfr_batch_within(batch, 1), 0);
	ck_assert_int_eq(sfr_batch_submit(batch, batch_ended, NULL), 0);
}

static void give_batch_cancel(sfr_loop *loop)
{
	(void)loop;
	ck_assert_int_eq(sfr_batch_cancel(stage.batch), 0);
}

static void give_send(sfr_loop *loop)
{
	(void)loop;
	ck_assert_int_eq(conn_say(stage.conn, "hello", 5), 5);
}

static void give_pause(sfr_loop *loop)
{
	(void)loop;
	sfr_conn_pause(stage.conn);
}

static void give_resume(sfr_loop *loop)
{
	(void)loop;
	sfr_conn_resume(stage.conn);
}

static void give_shutdown(sfr_loop *loop)
{
	(void)loop;
	sfr_conn_shutdown(stage.conn);
}

static void give_close(sfr_loop *loop)
{
	(void)loop;
	sfr_conn_close(stage.conn);
}

static void give_server(sfr_loop *loop)
{
	(void)serve(loop, &echo_all, &here);
}

static void give_dial(sfr_loop *loop)
{
	(void)dial(loop, stage.server, &note_all, &there);
}

static void give_server_close(sfr_loop *loop)
{
	(void)loop;
	sfr_server_close(stage.server);
	stage.server = NULL;
}

static void posted(sfr_loop *loop, void *arg)
{
	(void)loop;
	(void)arg;
}

static void give_post(sfr_loop *loop)
{
	ck_assert_int_eq(sfr_loop_post(loop, posted, NULL), 0);
}

static void *post_there(void *loop)
{
	give_post(loop);
	return NULL;
}

static void give_post_elsewhere(sfr_loop *loop)
{
	pthread_t thread;

	ck_assert_int_eq(pthread_create(&thread, NULL, post_there, loop), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}

static void message(sfr_loop *loop, uint64_t value, void *arg)
{
	(void)loop;
	(void)value;
	(void)arg;
}

static void give_msg(sfr_loop *loop)
{
	sfr_loop_on_msg(loop, message, NULL);
	sfr_submit(sfr_msg(loop, loop, 1), NULL, NULL);
}

static void give_stop(sfr_loop *loop)
{
	sfr_loop_stop(loop);
}

static void a_signal(sfr_loop *loop)
{
	sfr_submit(sfr_signal(loop, SIGUSR1), record, &seen);
}

static void give_signal(sfr_loop *loop)
{
	(void)loop;
	ck_assert_int_eq(raise(SIGUSR1), 0);
}

static int work(void *arg)
{
	(void)arg;
	return 0;
}

static void give_work(sfr_loop *loop)
{
	sfr_submit(sfr_work(loop, work, NULL), record, &seen);
}

static void give_await(sfr_loop *loop)
{
	sfr_submit(sfr_nop(loop), record, &seen);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1), NULL), 0);
	sfr_submit(sfr_nop(loop), record, &seen);
}

static const struct {
	const char *name;
	void (*begin)(sfr_loop *loop);
	void (*give)(sfr_loop *loop);
	bool records; /* what is given ends, and `seen` is told */
} ways[] = {
	{"an op", NULL, give_nop, true},
	{"an op that cannot be", NULL, give_bad_op, true},
	{"a timer", NULL, give_timer, true},
	{"a deadline", NULL, give_deadline, true},
	{"a cancel", a_read, give_cancel, true},
	{"a cancel of a timer", a_timer, give_cancel, true},
	{"a cancel by descriptor", a_read, give_cancel_fd, true},
	{"an abandon", a_read, give_abandon, false},
	{"a batch", NULL, give_batch, false},
	{"an empty batch", NULL, give_empty_batch, false},
	{"a batch with a deadline", NULL, give_late_batch, false},
	{"a cancel of a batch", a_batch, give_batch_cancel, false},
	{"a send", a_conn, give_send, false},
	{"a pause", a_conn, give_pause, false},
	{"a resume", a_conn, give_resume, false},
	{"a shutdown", a_conn, give_shutdown, false},
	{"a close", a_conn, give_close, false},
	{"a dial", NULL, give_dial, false},
	{"a server", NULL, give_server, false},
	{"the end of a server", a_conn, give_server_close, false},
	{"a post", NULL, give_post, false},
	{"a post from elsewhere", NULL, give_post_elsewhere, false},
	{"a message", NULL, give_msg, false},
	{"a stop", NULL, give_stop, false},
	{"a signal", a_signal, give_signal, true},
	{"work", NULL, give_work, true},
	{"an op after an await", NULL, give_await, true},
};

static void give_all(sfr_loop *loop, int fd, bool prepare)
{
	int i;

	memset(&stage, 0, sizeof(stage));
	for (i = 0; i < COUNT_OF(ways); i++) {
		int calls;

		if (ways[i].begin)
			ways[i].begin(loop);
		fall_quiet(loop);
		calls = seen.calls;
		ways[i].give(loop);
		if (prepare)
			(void)sfr_loop_prepare(loop);
		else
			ck_assert_msg(is_readable_within(fd, PATIENCE_MS), "%s wakes nobody",
				      ways[i].name);
		steps_until(loop, !ways[i].records || seen.calls > calls);
		fall_quiet(loop);
	}
}

START_TEST(whatever_gives_it_work_outside_a_turn_wakes_its_host)
{
	int fd;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	give_all(loop, fd, false);
	ck_assert_int_eq(sfr_loop_run(loop), 0); /* which was stopped before it ran */
}
END_TEST

/* With the engine by then, and its end is told. */
START_TEST(whatever_gives_it_work_is_done_if_the_host_prepares)
{
	int fd;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	give_all(loop, fd, true);
}
END_TEST

/* Who receives has no buffer, and the host's own thread gives one back: nothing of that passes a turn. */
static void starve(sfr_loop *loop, sfr_buf **bufs, int *count, int *write_end)
{
	int read_end;

	pair_of_unix_sockets(&read_end, write_end);
	for (*count = 0; (bufs[*count] = sfr_buf_get(loop, 1)); (*count)++)
		ck_assert_int_lt(*count, 64);
	sfr_submit(sfr_recv_multi(loop, read_end), record, &seen);
	ck_assert_int_eq(write(*write_end, "abc", 3), 3);
	fall_quiet(loop);
	ck_assert_int_eq(seen.calls, 0);
}

START_TEST(a_buffer_that_a_receiver_waits_for_wakes_its_host_whoever_releases_it)
{
	sfr_buf *bufs[65];
	pthread_t thread;
	int fd, write_end, count;
	sfr_loop *loop = loop_to_embed(_i, "buffers.count=4", &fd);

	starve(loop, bufs, &count, &write_end);
	sfr_buf_release(bufs[--count]);
	ck_assert(is_readable_within(fd, PATIENCE_MS));
	steps_until(loop, seen.calls == 1);

	ck_assert_int_eq(write(write_end, "defg", 4), 4); /* seen has the buffer */
	fall_quiet(loop);
	ck_assert_int_eq(pthread_create(&thread, NULL, release_there, bufs[--count]), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert(is_readable_within(fd, PATIENCE_MS));
	steps_until(loop, seen.calls == 2);
	while (count)
		sfr_buf_release(bufs[--count]);
}
END_TEST

static void narrow_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	conn_narrow(conn);
}

static const sfr_handlers echo_slowly = {
	.on_open = narrow_open, .on_data = echo, .on_drain = note_drain, .on_close = note_close};

/* Who does not read has the whole slab in its queue. What frees it is a timer that only starving starts. */
START_TEST(a_peer_that_does_not_read_does_not_put_its_host_to_sleep)
{
	static char bytes[65536];
	struct host host;
	int fd, slow, peer;
	char answer = 0;
	sfr_loop *loop = loop_to_embed(_i, "buffers.count=16", &fd);
	sfr_server *server = serve(loop, &echo_slowly, &here);
	bool pressed = true;

	host_init(&host, HOST_POLL);
	host_watch(&host, fd);
	slow = peer_of(server);
	peer = peer_of(server);
	peer_narrow(slow);
	host_until(&host, loop, here.opened == 2);
	while (pressed) {
		pressed = send(slow, bytes, sizeof(bytes), MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
		while (is_readable(fd))
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	}
	ck_assert_int_eq(send(peer, "?", 1, 0), 1);
	host_until(&host, loop, recv(peer, &answer, 1, MSG_DONTWAIT) == 1);
	ck_assert_int_eq(answer, '?');
	close(slow);
	close(peer);
	host_fini(&host);
}
END_TEST

/* Of an eventfd that somebody else writes the kernel tells in a way of its own: see uring_hush(). */
START_TEST(an_eventfd_that_another_thread_writes_wakes_its_host_every_time)
{
	uint64_t count = 1;
	int fd, i, event_fd = owned_fd(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	sfr_submit(sfr_poll_multi(loop, event_fd, POLLIN), record, &seen);
	for (i = 1; i <= 5; i++) {
		fall_quiet(loop);
		ck_assert_int_eq(write(event_fd, &count, sizeof(count)), sizeof(count));
		ck_assert(is_readable_within(fd, PATIENCE_MS));
		while (seen.calls < i)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(read(event_fd, &count, sizeof(count)), sizeof(count));
		seen.calls = i;
		count = 1;
	}
}
END_TEST

/*
 * What does not.
 */

/* One of each world, with what loops have that wait. */
START_TEST(loops_that_idle_wake_their_host_not_once_in_a_second)
{
	sfr_loop *loops[HOST_FDS_MAX];
	struct host host;
	int i, idle, unused;

	host_init(&host, HOST_EPOLL);
	for (i = 0; i < world_count(); i++) {
		sfr_config *config = config_in(i, NULL);

		ck_assert_int_eq(sfr_loop_new(&loops[i], config), 0);
		sfr_config_free(config);
		host_watch(&host, sfr_loop_fd(loops[i]));
		(void)dial(loops[i], serve(loops[i], &echo_all, &here), &note_all, &there);
		pair_of_unix_sockets(&idle, &unused);
		sfr_submit(sfr_recv_multi(loops[i], idle), NULL, NULL);
		sfr_submit(sfr_signal(loops[i], SIGUSR2), NULL, NULL);
		sfr_submit(pending_read(loops[i]), NULL, NULL);
		turns_until(loops[i], here.opened == i + 1 && there.opened == i + 1);
	}
	while (host_sleep(&host, (int64_t)1000 * MS)) { /* kernel polling takes its time */
		for (i = 0; i < world_count(); i++)
			fall_quiet(loops[i]);
		ck_assert_int_le(host.wakes, 100);
	}
	for (i = 0; i < world_count(); i++) {
		ck_assert_int_eq(sfr_loop_prepare(loops[i]), -1);
		ck_assert_int_eq(sfr_loop_drain(loops[i], -1), 0);
		ck_assert_int_eq(sfr_loop_free(loops[i]), 0);
	}
	host_fini(&host);
}
END_TEST

START_TEST(a_thousand_events_at_once_cost_few_wakes)
{
	struct host host;
	int fd, read_end, write_end, i;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	host_init(&host, HOST_EPOLL);
	host_watch(&host, fd);
	pair_of_pipe_ends(&read_end, &write_end);
	for (i = 0; i < 1000; i++)
		sfr_submit(sfr_poll(loop, read_end, POLLIN), record, &seen);
	fall_quiet(loop);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	host_until(&host, loop, seen.calls == 1000);
	if (getenv("SFR_TELL"))
		printf("%s: %d wakes for 1,000 events at once, %d interrupted\n", worlds_name(_i),
		       host.wakes, host.interrupted);
	ck_assert_int_le(host.wakes, 300); /* with eight entries; else two or three */
	host_fini(&host);
}
END_TEST

struct pinger {
	int read_end;
	int calls;
};

static void ping(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct pinger *pinger = arg;

	sfr_buf_release(buf);
	if (result < 0)
		return;
	pinger->calls++;
	sfr_submit(sfr_read(loop, pinger->read_end, sfr_buf_get(loop, 64)), ping, pinger);
}

START_TEST(an_event_costs_a_wake)
{
	struct pinger pinger = {0};
	struct host host;
	int fd, write_end, i;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	host_init(&host, HOST_EPOLL);
	host_watch(&host, fd);
	pair_of_pipe_ends(&pinger.read_end, &write_end);
	sfr_submit(sfr_read(loop, pinger.read_end, sfr_buf_get(loop, 64)), ping, &pinger);
	fall_quiet(loop);
	for (i = 1; i <= 100; i++) {
		ck_assert_int_eq(write(write_end, "x", 1), 1);
		host_until(&host, loop, pinger.calls == i);
		(void)sfr_loop_prepare(loop);
	}
	if (getenv("SFR_TELL"))
		printf("%s: %d wakes for 100 events one by one, %d interrupted\n", worlds_name(_i),
		       host.wakes, host.interrupted);
	ck_assert_int_le(host.wakes, 200); /* kernel polling may be late with a part of it */
	sfr_cancel_fd(loop, pinger.read_end);
	fall_quiet(loop);
	host_fini(&host);
}
END_TEST

/*
 * Preparing.
 */

static void prepare_nested(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)result;
	(void)buf;
	*(int64_t *)arg = sfr_loop_prepare(loop);
}

START_TEST(prepare_says_how_long_nothing_happens)
{
	int fd, write_end;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);
	int64_t left, nested = 0;
	sfr_ticket timer;

	read_and_fall_quiet(loop, &write_end, NULL);
	ck_assert_int_eq(sfr_loop_prepare(loop), -1);
	timer = sfr_submit(sfr_timeout(loop, (uint64_t)3600000 * MS), record, &other);
	do {
		left = sfr_loop_prepare(loop);
		if (left == 0)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	} while (left == 0);
	ck_assert_int_gt(left, (int64_t)1 * MS);
	ck_assert_int_le(left, (int64_t)3600001 * MS);
	sfr_cancel(loop, timer);
	ck_assert_int_eq(sfr_loop_prepare(loop), 0); /* its callback is due */
	fall_quiet(loop);
	ck_assert_int_eq(sfr_loop_prepare(loop), -1);
	ck_assert_int_eq(sfr_loop_post(loop, posted, NULL), 0);
	ck_assert_int_eq(sfr_loop_prepare(loop), 0);
	fall_quiet(loop);
	sfr_submit(sfr_nop(loop), prepare_nested, &nested);
	steps_until(loop, nested);
	ck_assert_int_eq(nested, -SFR_ENESTED);
	ck_assert_int_eq(seen.calls, 0);
}
END_TEST

START_TEST(what_comes_between_prepare_and_the_sleep_wakes_the_host)
{
	int fd, write_end;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	read_and_fall_quiet(loop, &write_end, NULL);
	ck_assert_int_eq(sfr_loop_prepare(loop), -1);
	sfr_submit(sfr_nop(loop), record, &other);
	ck_assert(is_readable(fd));
	steps_until(loop, other.calls == 1);
	fall_quiet(loop);
	ck_assert_int_eq(sfr_loop_prepare(loop), -1);
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert(is_readable_within(fd, PATIENCE_MS));
	ck_assert_int_eq(sfr_loop_prepare(loop), sfr_loop_prepare(loop)); /* takes nothing away */
	ck_assert(is_readable_within(fd, PATIENCE_MS));
	steps_until(loop, seen.calls == 1);
}
END_TEST

/*
 * Hosts.
 */

START_TEST(a_host_that_does_not_step_is_woken_again)
{
	struct host host;
	int fd, write_end, i;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	host_init(&host, (enum host_kind)(_i % HOST_EPOLL_EDGE));
	host_watch(&host, fd);
	read_and_fall_quiet(loop, &write_end, NULL);
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	for (i = 0; i < 5; i++)
		ck_assert_int_eq(host_sleep(&host, PATIENCE_NS), 1);
	ck_assert_int_eq(seen.calls, 0);
	host_until(&host, loop, seen.calls == 1);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0); /* and once more, which is too often */
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	fall_quiet(loop);
	ck_assert_int_eq(host_sleep(&host, MS), 0);
	host_fini(&host);
}
END_TEST

/* Turns without number, by way of each kind of host, with ops, timers, and connections. */
START_TEST(any_kind_of_host_will_do)
{
	int kind, fd;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);
	sfr_server *server = serve(loop, &echo_all, &here);

	for (kind = 0; kind < HOST_KINDS; kind++) {
		sfr_conn *conn = dial(loop, server, &note_all, &there);
		uint64_t said = there.bytes;
		struct host host;
		int i;

		host_init(&host, (enum host_kind)kind);
		host_watch(&host, fd);
		host_until(&host, loop, there.opened == kind + 1);
		for (i = 0; i < 20; i++) {
			int calls = other.calls;

			ck_assert_int_eq(conn_say(conn, "hello", 5), 5);
			sfr_submit(sfr_timeout(loop, 100000), record, &other);
			if (i & 1)
				(void)sfr_loop_prepare(loop);
			said += 5;
			host_until(&host, loop, there.bytes == said && other.calls > calls);
		}
		host_fini(&host);
	}
}
END_TEST

START_TEST(a_timer_that_is_all_there_is_wakes_any_host_when_it_is_due)
{
	int kind, fd;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	for (kind = 0; kind < HOST_KINDS; kind++) {
		struct timespec begin, end;
		struct host host;

		host_init(&host, (enum host_kind)kind);
		host_watch(&host, fd);
		other = (struct seen){0};
		clock_gettime(CLOCK_MONOTONIC, &begin);
		sfr_submit(sfr_timeout(loop, 3 * MS), record, &other);
		host_until(&host, loop, other.calls == 1);
		clock_gettime(CLOCK_MONOTONIC, &end);
		ck_assert_int_ge((end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec -
					 begin.tv_nsec,
				 3 * MS);
		/* One to submit it, up to four that it comes nearer. */
		ck_assert_int_le(host.wakes, 8);
		host_fini(&host);
	}
}
END_TEST

START_TEST(an_interval_keeps_waking_its_host)
{
	struct host host;
	int fd;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);
	sfr_ticket ticket = sfr_submit(sfr_interval(loop, MS), record, &other);

	host_init(&host, HOST_SELECT);
	host_watch(&host, fd);
	host_until(&host, loop, other.calls == 20);
	ck_assert_int_le(host.wakes, 120);
	sfr_cancel(loop, ticket);
	fall_quiet(loop);
	ck_assert_int_eq(sfr_loop_prepare(loop), -1); /* nor does its timer go on */
	ck_assert(!is_readable_within(fd, 3));
	host_fini(&host);
}
END_TEST

/* A host's callback is where ops come from. It does not know that it should prepare. */
START_TEST(what_a_host_submits_in_its_own_callbacks_is_done)
{
	struct host host;
	int fd, read_end, write_end, i;
	char byte;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	pair_of_pipe_ends(&read_end, &write_end);
	host_init(&host, HOST_EPOLL);
	host_watch(&host, fd);
	host_watch(&host, read_end);
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	for (i = 0; i < 200;) {
		ck_assert_int_gt(host_sleep(&host, PATIENCE_NS), 0);
		if (host.ready[1]) {
			ck_assert_int_eq(read(read_end, &byte, 1), 1);
			sfr_submit(sfr_write(loop, write_end, sfr_buf_from(loop, "y", 1)), NULL,
				   NULL);
			i++;
		}
		if (host.ready[0])
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	}
	host_fini(&host);
}
END_TEST

START_TEST(one_host_has_several_loops)
{
	sfr_loop *loops[4];
	struct pinger pingers[4] = {0};
	int write_ends[4], i, round;
	struct host host;

	host_init(&host, HOST_POLL);
	for (i = 0; i < 4; i++) {
		sfr_config *config = config_in((_i + i) % world_count(), NULL);

		ck_assert_int_eq(sfr_loop_new(&loops[i], config), 0);
		sfr_config_free(config);
		host_watch(&host, sfr_loop_fd(loops[i]));
		pair_of_pipe_ends(&pingers[i].read_end, &write_ends[i]);
		sfr_submit(sfr_read(loops[i], pingers[i].read_end, sfr_buf_get(loops[i], 64)), ping,
			   &pingers[i]);
		fall_quiet(loops[i]);
	}
	for (round = 1; round <= 40; round++) {
		int at = round % 4, before = pingers[at].calls;

		ck_assert_int_eq(write(write_ends[at], "x", 1), 1);
		while (pingers[at].calls == before) {
			ck_assert_int_gt(host_sleep(&host, PATIENCE_NS), 0);
			for (i = 0; i < 4; i++)
				if (host.ready[i])
					ck_assert_int_ge(sfr_loop_step(loops[i], 0), 0);
		}
	}
	for (i = 0; i < 4; i++) {
		ck_assert_int_eq(pingers[i].calls, 10);
		ck_assert_int_eq(sfr_loop_drain(loops[i], -1), 0);
		ck_assert_int_eq(sfr_loop_free(loops[i]), 0);
	}
	host_fini(&host);
}
END_TEST

/* A loop is a descriptor to other loops, too. */
START_TEST(one_loop_is_the_host_of_another)
{
	int fd, write_end;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd), *outer;
	sfr_config *config = config_in((_i + 5) % world_count(), NULL);

	ck_assert_int_eq(sfr_loop_new(&outer, config), 0);
	sfr_config_free(config);
	read_and_fall_quiet(loop, &write_end, NULL);
	sfr_submit(sfr_poll(outer, fd, POLLIN), record, &other);
	ck_assert_int_eq(sfr_await(sfr_timeout(outer, MS), NULL), 0);
	ck_assert_int_eq(other.calls, 0);
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	turn_until(outer, &other.calls, 1);
	steps_until(loop, seen.calls == 1);
	ck_assert_int_eq(sfr_loop_free(outer), 0);
}
END_TEST

START_TEST(a_loop_goes_from_host_to_host_and_runs_by_itself_between_them)
{
	int fd, kind;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);

	for (kind = 0; kind < HOST_KINDS; kind++) {
		struct host host;
		int calls = other.calls, write_end;

		host_init(&host, (enum host_kind)kind);
		host_watch(&host, fd);
		sfr_submit(sfr_timeout(loop, MS), record, &other);
		host_until(&host, loop, other.calls > calls);
		host_forget(&host, fd);
		host_fini(&host);

		sfr_submit(sfr_timeout(loop, MS), record, &other);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(other.calls, calls + 2);
		ck_assert_int_eq(sfr_await(sfr_timeout(loop, 1), NULL), 0);
		seen_release(&seen);
		seen.calls = 0;
		read_and_fall_quiet(loop, &write_end, NULL);
		ck_assert_int_eq(sfr_loop_post(loop, posted, NULL), 0);
		ck_assert_int_eq(sfr_loop_step(loop, PATIENCE_NS), 1);
		ck_assert_int_eq(write(write_end, "x", 1), 1);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.calls, 1);
		fall_quiet(loop);
	}
}
END_TEST

struct moved {
	sfr_loop *loop;
	int fd;
};

static void *host_there(void *arg)
{
	struct moved *moved = arg;
	struct host host;

	host_init(&host, HOST_POLL);
	host_watch(&host, moved->fd);
	host_until(&host, moved->loop, seen.calls == 1);
	ck_assert_int_eq(sfr_loop_fd(moved->loop), moved->fd);
	host_fini(&host);
	loop_end();
	return NULL;
}

/* Its maker has asked for the descriptor; who watches it need not be him. */
START_TEST(a_loop_made_here_is_hosted_there)
{
	struct moved moved;
	pthread_t thread;

	moved.loop = loop_to_embed(_i, NULL, &moved.fd);
	sfr_submit(sfr_timeout(moved.loop, MS), record, &seen);
	ck_assert_int_eq(pthread_create(&thread, NULL, host_there, &moved), 0);
	ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

/*
 * Forks.
 */

/* All that a child might try: it ends with 0 if it got nowhere. */
static void child_tries(sfr_loop *loop, int fd)
{
	struct epoll_event event;
	uint64_t count;

	log_listen();
	if (sfr_loop_fd(loop) != -SFR_EFORKED || sfr_loop_prepare(loop) != -SFR_EFORKED ||
	    sfr_loop_step(loop, 0) != -SFR_EFORKED ||
	    sfr_loop_post(loop, posted, NULL) != -SFR_EFORKED)
		_exit(1);
	sfr_loop_stop(loop);
	(void)epoll_wait(fd, &event, 1, 0);
	if (read(fd, &count, sizeof(count)) >= 0)
		_exit(2);
	close(fd);
	for (fd = 3; fd < 64; fd++)
		close(fd);
	_exit(0);
}

START_TEST(a_child_of_a_host_does_not_disturb_it)
{
	int fd, write_end, status, i;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);
	pid_t child;

	read_and_fall_quiet(loop, &write_end, NULL);
	for (i = 0; i < 2; i++) { /* asleep, and with something to do */
		if (i)
			ck_assert_int_eq(write(write_end, "x", 1), 1);
		child = fork();
		ck_assert_int_ge(child, 0);
		if (child == 0)
			child_tries(loop, fd);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(status, 0);
		ck_assert_int_eq(is_readable_within(fd, i ? PATIENCE_MS : 0), i);
	}
	steps_until(loop, seen.calls == 1);
	sfr_submit(sfr_timeout(loop, MS), record, &other);
	steps_until(loop, other.calls == 1);
}
END_TEST

/*
 * A descriptor that is closed while the engine watches it, and whose file lives on, makes engines change what they
 * watch with; a child has all that was there before.
 */
START_TEST(what_only_a_child_still_has_wakes_nobody)
{
	int fd, a, b, copy, alive[2];
	char byte;
	sfr_loop *loop = loop_to_embed(_i, NULL, &fd);
	sfr_ticket ticket;
	pid_t child;

	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(pipe(alive), 0);
	copy = owned_fd(dup(a));
	a = dup(a);
	ticket = sfr_submit(sfr_recv_multi(loop, a), record, &seen);
	fall_quiet(loop);
	child = fork();
	ck_assert_int_ge(child, 0);
	if (child == 0) {
		close(alive[1]);
		_exit(read(alive[0], &byte, 1) != 0); /* until its parent has checked */
	}
	close(alive[0]);
	close(a);
	sfr_cancel(loop, ticket);
	steps_until(loop, seen.calls == 1); /* under kernel polling it may not have begun */
	ck_assert_int_eq(write(b, "x", 1), 1);
	fall_quiet(loop);
	ck_assert(!is_readable_within(fd, 3));
	ck_assert_int_eq(recv(copy, &byte, 1, 0), 1);
	close(alive[1]);
	ck_assert_int_eq(waitpid(child, NULL, 0), child);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("embed");
	TCase *tc = peers_case(suite, "the descriptor");

	world_test(tc, it_is_the_same_every_time_and_programs_that_are_executed_do_not_get_it);
	world_test(tc, a_curious_host_cannot_read_it_empty);
	world_test(tc, without_descriptors_there_is_none_and_later_there_is);
	world_test(tc, a_host_forgets_a_loop_that_is_freed);
	world_test(tc, who_has_no_host_pays_nothing);
	tc = peers_case(suite, "waking");
	world_test(tc, whatever_gives_it_work_outside_a_turn_wakes_its_host);
	world_test(tc, whatever_gives_it_work_is_done_if_the_host_prepares);
	world_test(tc, a_buffer_that_a_receiver_waits_for_wakes_its_host_whoever_releases_it);
	world_test(tc, a_peer_that_does_not_read_does_not_put_its_host_to_sleep);
	world_test(tc, an_eventfd_that_another_thread_writes_wakes_its_host_every_time);
	tc = peers_case(suite, "not waking");
	tcase_add_test(tc, loops_that_idle_wake_their_host_not_once_in_a_second);
	world_test(tc, a_thousand_events_at_once_cost_few_wakes);
	world_test(tc, an_event_costs_a_wake);
	tc = peers_case(suite, "preparing");
	world_test(tc, prepare_says_how_long_nothing_happens);
	world_test(tc, what_comes_between_prepare_and_the_sleep_wakes_the_host);
	tc = peers_case(suite, "hosts");
	world_test(tc, a_host_that_does_not_step_is_woken_again);
	world_test(tc, any_kind_of_host_will_do);
	world_test(tc, a_timer_that_is_all_there_is_wakes_any_host_when_it_is_due);
	world_test(tc, an_interval_keeps_waking_its_host);
	world_test(tc, what_a_host_submits_in_its_own_callbacks_is_done);
	world_test(tc, one_host_has_several_loops);
	world_test(tc, one_loop_is_the_host_of_another);
	world_test(tc, a_loop_goes_from_host_to_host_and_runs_by_itself_between_them);
	world_test(tc, a_loop_made_here_is_hosted_there);
	tc = peers_case(suite, "forks");
	world_test(tc, a_child_of_a_host_does_not_disturb_it);
	world_test(tc, what_only_a_child_still_has_wakes_nobody);
	return world_run(suite);
}
