/* SPDX-License-Identifier: MIT */
/*
 * Letting go of an op: it never calls back, and is an orphan until the engine is done with it.
 */
#include "loop/loop.h"
#include "pending.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS UINT64_C(1000000)
#define SMALL "ring.entries=8 ring.cq_entries=8"

/* The loop does it, and it ends at once. */
static bool has_no_sqe(const struct pending_kind *kind)
{
	return strcmp(kind->name, "timeout") == 0 || strcmp(kind->name, "interval") == 0 ||
	       strcmp(kind->name, "signal") == 0;
}

/* The loop has the engine try it now and then, and ends it at once in between. */
static bool is_tried_now_and_then(const sfr_loop *loop, const struct pending_kind *kind)
{
	return strcmp(kind->name, "sendto") == 0 && loop->engine->send_flags;
}

/* Nobody was called, and nothing is left. */
static void assert_forgotten(sfr_loop *loop)
{
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	ck_assert_uint_eq(sfr_loop_orphans(loop), 0);
	ck_assert_uint_eq(stat_held(loop), 0);
}

/* A completion is there, and the loop has not seen it. */
static void engine_completes(sfr_loop *loop)
{
	while (!sfr__queue_ready(&loop->engine->queue))
		ck_assert_int_eq(loop->engine->calls->enter(loop->engine, true, MS), 0);
}

/*
 * An orphan whose engine is not told yet that it is to end, so that there is time to look at it.
 */

static void orphan_hold(sfr_loop *loop, sfr_ticket ticket)
{
	sfr__list_remove(&sfr__op_find(&loop->ops, ticket)->hook);
}

static void orphan_let_go(sfr_loop *loop, sfr_ticket ticket)
{
	sfr__list_append(&loop->cancels, &sfr__op_find(&loop->ops, ticket)->hook);
}

/*
 * Abandoning.
 */

START_TEST(each_kind_abandoned_while_it_waits_never_calls_back)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, k;

	for (i = 0; i < pending_count; i++) {
		sfr_ticket ticket = sfr_submit(pending_kinds[i].build(loop), record, &seen);

		for (k = 0; k < 2; k++)
			ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_forgotten(loop);
		ck_assert_int_eq(sfr_abandon(loop, ticket), -SFR_ESTALE);
	}
}
END_TEST

START_TEST(each_kind_abandoned_before_its_first_turn_never_calls_back)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < pending_count; i++) {
		sfr_ticket ticket = sfr_submit(pending_kinds[i].build(loop), record, &seen);

		ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_forgotten(loop);
	}
}
END_TEST

START_TEST(orphans_of_each_kind_are_counted_until_the_engine_is_done_with_them)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket tickets[5];
	int i;
	size_t k;

	for (i = 0; i < pending_count; i++) {
		size_t each = has_no_sqe(&pending_kinds[i]) ? 0 : 1;

		for (k = 0; k < 5; k++)
			tickets[k] = sfr_submit(pending_kinds[i].build(loop), record, &seen);
		for (k = 0; k < 5; k++) /* a send may be handed over in two steps */
			ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_uint_eq(sfr_loop_orphans(loop), 0);
		for (k = 0; k < 5; k++) {
			ck_assert_int_eq(sfr_abandon(loop, tickets[k]), 0);
			ck_assert_uint_le(sfr_loop_orphans(loop), (k + 1) * each);
			if (!is_tried_now_and_then(loop, &pending_kinds[i]))
				ck_assert_uint_eq(sfr_loop_orphans(loop), (k + 1) * each);
		}
		ck_assert_uint_eq(sfr_loop_inflight(loop), 5);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		assert_forgotten(loop);
	}
}
END_TEST

START_TEST(an_abandoned_timer_is_no_orphan)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket timeout = sfr_submit(sfr_timeout(loop, UINT64_MAX), record, &seen);
	sfr_ticket interval = sfr_submit(sfr_interval(loop, 1), record, &seen);

	ck_assert_int_eq(sfr_abandon(loop, timeout), 0);
	ck_assert_int_eq(sfr_abandon(loop, interval), 0);
	ck_assert_uint_eq(sfr_loop_orphans(loop), 0);
	ck_assert_uint_eq(loop->wheel.count, 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	assert_forgotten(loop);
}
END_TEST

START_TEST(the_buffer_of_an_orphan_stays_with_the_loop_until_the_engine_is_done)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, 64), *mine = same(buf);
	sfr_ticket ticket = sfr_submit(sfr_read(loop, empty_pipe(), buf), record, &seen);

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	ck_assert_uint_eq(stat_held(loop), 1);
	ck_assert_ptr_null(mine->data);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	assert_forgotten(loop);
}
END_TEST

START_TEST(abandoning_again_changes_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = sfr_submit(pending_read(loop), record, &seen);
	uint64_t since;
	sfr_orphan orphan;

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	since = sfr_loop_now(loop);
	orphan_hold(loop, ticket);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, MS), NULL), 0);
	ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_uint_eq(sfr_loop_orphan_list(loop, &orphan, 1), 1);
	ck_assert_uint_eq(orphan.age_ns, sfr_loop_now(loop) - since);
	orphan_let_go(loop, ticket);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	assert_forgotten(loop);
	ck_assert_int_eq(sfr_abandon(loop, ticket), -SFR_ESTALE);
}
END_TEST

START_TEST(what_is_being_cancelled_can_be_abandoned)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < 2 * pending_count; i++) {
		sfr_ticket ticket = sfr_submit(pending_kinds[i / 2].build(loop), record, &seen);

		if (i & 1)
			ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_forgotten(loop);
	}
}
END_TEST

START_TEST(a_ticket_of_no_op_cannot_be_abandoned)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int read_end, write_end;
	sfr_ticket first;

	ck_assert_int_eq(sfr_abandon(loop, 0), -SFR_ESTALE);
	ck_assert_int_eq(sfr_abandon(loop, UINT64_MAX), -SFR_ESTALE);
	first = sfr_submit(sfr_nop(loop), record, &other);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	pair_of_pipe_ends(&read_end, &write_end);
	sfr_submit(sfr_read(loop, read_end, sfr_buf_get(loop, 1)), record, &seen);
	ck_assert_int_eq(sfr_abandon(loop, first), -SFR_ESTALE);
	ck_assert_int_eq(write(write_end, "x", 1), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, 1);
}
END_TEST

START_TEST(a_loop_with_orphans_is_not_freed_and_run_waits_for_them)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = sfr_submit(pending_read(loop), record, &seen);

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	orphan_hold(loop, ticket);
	ck_assert_int_eq(sfr_loop_free(loop), -SFR_EOPSINFLIGHT);
	ck_assert_int_eq(sfr_loop_drain(loop, 0), -ETIMEDOUT);
	ck_assert_uint_eq(sfr_loop_orphans(loop), 1);
	orphan_let_go(loop, ticket);
	ck_assert_int_eq(sfr_loop_free(loop), -SFR_EOPSINFLIGHT);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	assert_forgotten(loop);
	ck_assert_int_eq(sfr_loop_free(loop_gone()), 0);
}
END_TEST

START_TEST(a_loop_that_drains_waits_for_orphans)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	for (i = 0; i < pending_count; i++)
		ck_assert_int_eq(
			sfr_abandon(loop, sfr_submit(pending_kinds[i].build(loop), record, &seen)),
			0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	assert_forgotten(loop);
}
END_TEST

/*
 * The list of them.
 */

START_TEST(the_list_of_orphans_tells_what_they_are)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int fd = empty_pipe(), a, b, i;
	uint32_t cap, heap_cap = 100000;
	sfr_buf *buf = sfr_buf_get(loop, 64);
	sfr_orphan orphans[8];
	sfr_ticket tickets[4];

	pair_of_sockets(&a, &b);
	cap = buf->cap;
	tickets[0] = sfr_submit(sfr_read(loop, fd, buf), record, &seen);
	tickets[1] = sfr_submit(sfr_recv(loop, a, sfr_buf_get(loop, heap_cap)), record, &seen);
	tickets[2] = sfr_submit(sfr_recv_multi(loop, b), record, &seen);
	tickets[3] = sfr_submit(sfr_poll(loop, fd, POLLIN), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_uint_eq(sfr_loop_orphan_list(loop, orphans, 8), 0);
	for (i = 0; i < 4; i++)
		ck_assert_int_eq(sfr_abandon(loop, tickets[i]), 0);

	ck_assert_uint_eq(sfr_loop_orphan_list(loop, orphans, 8), 4);
	ck_assert_str_eq(orphans[0].name, "read");
	ck_assert_int_eq(orphans[0].fd, fd);
	ck_assert_uint_eq(orphans[0].size, cap);
	ck_assert_str_eq(orphans[1].name, "recv");
	ck_assert_int_eq(orphans[1].fd, a);
	ck_assert_uint_eq(orphans[1].size, heap_cap);
	ck_assert_str_eq(orphans[2].name, "recv_multi");
	ck_assert_int_eq(orphans[2].fd, b);
	ck_assert_uint_eq(orphans[2].size, 0);
	ck_assert_str_eq(orphans[3].name, "poll");
	ck_assert_int_eq(orphans[3].fd, fd);
	ck_assert_uint_eq(orphans[3].size, 0);
}
END_TEST

START_TEST(an_orphan_of_each_kind_has_its_name)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_orphan orphan;
	int i;

	for (i = 0; i < pending_count; i++) {
		const struct pending_kind *kind = &pending_kinds[i];

		if (has_no_sqe(kind) || (under_valgrind() && strcmp(kind->name, "waitid") == 0))
			continue;
		ck_assert_int_eq(sfr_abandon(loop, sfr_submit(kind->build(loop), record, &seen)),
				 0);
		ck_assert_uint_eq(sfr_loop_orphan_list(loop, &orphan, 1), 1);
		ck_assert_msg(strncmp(kind->name, orphan.name, strlen(orphan.name)) == 0, "%s: %s",
			      kind->name, orphan.name);
		ck_assert_msg(!orphan.size == !kind->carries_buf, "%s: %zu bytes", kind->name,
			      orphan.size);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
	}
}
END_TEST

START_TEST(an_orphan_grows_older_with_the_clock_of_the_loop)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = sfr_submit(pending_read(loop), record, &seen);
	uint64_t since;
	sfr_orphan orphan;
	int i;

	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	since = sfr_loop_now(loop);
	ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	orphan_hold(loop, ticket);
	ck_assert_uint_eq(sfr_loop_orphan_list(loop, &orphan, 1), 1);
	ck_assert_uint_eq(orphan.age_ns, 0);
	for (i = 1; i <= 3; i++) {
		ck_assert_int_eq(sfr_await(sfr_timeout(loop, MS), NULL), 0);
		ck_assert_uint_eq(sfr_loop_orphan_list(loop, &orphan, 1), 1);
		ck_assert_uint_eq(orphan.age_ns, sfr_loop_now(loop) - since);
		ck_assert_uint_ge(orphan.age_ns, (uint64_t)i * MS);
	}
	orphan_let_go(loop, ticket);
}
END_TEST

START_TEST(a_list_that_is_too_short_is_filled_and_all_are_counted)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_orphan orphans[3] = {{.name = "none"}, {.name = "none"}, {.name = "none"}};
	int i;

	for (i = 0; i < 5; i++)
		ck_assert_int_eq(sfr_abandon(loop, sfr_submit(pending_read(loop), record, &seen)),
				 0);
	ck_assert_uint_eq(sfr_loop_orphan_list(loop, orphans, 2), 5);
	ck_assert_str_eq(orphans[0].name, "read");
	ck_assert_str_eq(orphans[1].name, "read");
	ck_assert_str_eq(orphans[2].name, "none");
	ck_assert_uint_eq(sfr_loop_orphan_list(loop, NULL, 0), 5);
}
END_TEST

/*
 * What an orphan won after all.
 */

/* A caller whose connection waits to be accepted. */
static int call(const struct sockaddr_in *addr)
{
	int fd = owned_fd(socket(AF_INET, SOCK_STREAM, 0));

	ck_assert_int_eq(connect(fd, (const struct sockaddr *)addr, sizeof(*addr)), 0);
	return fd;
}

static bool is_readable(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = POLLIN};

	return poll(&pollfd, 1, 0) == 1;
}

START_TEST(a_connection_that_an_orphan_accepted_is_closed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int i, listener = listening_socket(&addr, 8);
	char byte;

	for (i = 0; i < 4; i++) {
		int caller, before;
		sfr_ticket ticket;

		if (i & 1) { /* the engine finds it when it takes the op, or after that */
			ticket = sfr_submit(i & 2 ? sfr_accept_multi(loop, listener)
						  : sfr_accept(loop, listener),
					    record, &seen);
			ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
			caller = call(&addr);
			engine_completes(loop);
		} else {
			caller = call(&addr);
			ticket = sfr_submit(i & 2 ? sfr_accept_multi(loop, listener)
						  : sfr_accept(loop, listener),
					    record, &seen);
		}
		ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
		before = open_descriptors() - (i & 1); /* it is open, and the loop does not know */
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_forgotten(loop);
		ck_assert_int_eq(open_descriptors(), before);
		ck_assert(!is_readable(listener));
		ck_assert_int_eq(recv(caller, &byte, 1, 0), 0);
	}
}
END_TEST

/* Whoever wins: the connection is closed, or still waits. */
START_TEST(a_connection_around_an_abandoned_accept_is_closed_or_waits)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int i, listener = listening_socket(&addr, 8);
	char byte;

	for (i = 0; i < 100; i++) {
		sfr_op *op = i & 4 ? sfr_accept(loop, listener) : sfr_accept_multi(loop, listener);
		sfr_ticket ticket = sfr_submit(op, record, &other);
		int caller, calls = other.calls;

		if (i & 1)
			ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		caller = call(&addr);
		ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		ck_assert_int_eq(other.calls, calls);
		if (is_readable(listener))
			close(accept(listener, NULL, NULL));
		ck_assert_int_eq(recv(caller, &byte, 1, 0), 0);
	}
}
END_TEST

START_TEST(what_completes_with_the_turn_after_it_was_abandoned_is_not_told)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int a, b, i;

	pair_of_unix_sockets(&a, &b);
	for (i = 0; i < 4; i++) {
		sfr_op *op = i & 2 ? sfr_recv_multi(loop, a)
				   : sfr_recv(loop, a, sfr_buf_get(loop, 1));
		sfr_ticket ticket = sfr_submit(op, record, &seen);

		ck_assert_int_eq(sfr_await(sfr_nop(loop), NULL), 0);
		ck_assert_int_eq(send(b, "x", 1, 0), 1);
		engine_completes(loop);
		ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);

		assert_forgotten(loop);
		while (recv(a, (char[1]){0}, 1, MSG_DONTWAIT) > 0)
			;
	}
}
END_TEST

static sfr_ticket rival;

static void abandon_the_rival(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	ck_assert_int_eq(sfr_abandon(loop, rival), 0);
	record(loop, result, buf, arg);
}

START_TEST(what_is_abandoned_in_the_turn_in_which_it_completes_is_not_told)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, 1);

	sfr_submit(sfr_nop(loop), abandon_the_rival, &other);
	rival = sfr_submit(sfr_nop(loop), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(other.calls, 1);
	ck_assert_int_eq(seen.calls, 0);
	ck_assert_uint_eq(sfr_loop_orphans(loop), 0);

	buf->data--; /* refused, as the one before it */
	sfr_submit(sfr_send(loop, 0, NULL), abandon_the_rival, &other);
	rival = sfr_submit(sfr_send(loop, 0, buf), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(other.calls, 2);
	assert_forgotten(loop);
}
END_TEST

static sfr_ticket own;

static void abandon_own(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	ck_assert_int_eq(sfr_abandon(loop, own), 0);
	record(loop, result, buf, arg);
}

static void abandon_own_accept(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	close(result);
	abandon_own(loop, result, buf, arg);
}

START_TEST(a_multishot_op_may_be_abandoned_in_its_own_callback)
{
	sfr_loop *loop = loop_in(_i, NULL);
	struct sockaddr_in addr;
	int a, b, listener = listening_socket(&addr, 8);

	pair_of_unix_sockets(&a, &b);
	own = sfr_submit(sfr_interval(loop, 1), abandon_own, &other);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(other.calls, 1);

	own = sfr_submit(sfr_recv_multi(loop, a), abandon_own, &other);
	ck_assert_int_eq(send(b, "x", 1, 0), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(other.calls, 2);
	ck_assert_int_eq(other.result, 1);
	seen_release(&other);

	call(&addr);
	call(&addr);
	own = sfr_submit(sfr_accept_multi(loop, listener), abandon_own_accept, &other);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(other.calls, 3);
	assert_forgotten(loop);
}
END_TEST

static void abandon_the_ticket(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	seen.results[0] = sfr_abandon(loop, *(const sfr_ticket *)arg);
	record(loop, result, buf, &other);
}

START_TEST(in_its_last_callback_an_op_is_gone_already)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket = sfr_submit(sfr_nop(loop), abandon_the_ticket, &ticket);

	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.results[0], -SFR_ESTALE);
	ck_assert_int_eq(other.calls, 1);
}
END_TEST

/*
 * Ops that the engine does not have.
 */

/* A receive that finds no buffer for the byte that is there. */
static sfr_ticket parked_receive(sfr_loop *loop, int fd, int peer)
{
	sfr_ticket ticket = sfr_submit(sfr_recv_multi(loop, fd), record, &seen);

	ck_assert_int_eq(send(peer, "x", 1, 0), 1);
	turn_until_true(loop, has_parked, loop);
	return ticket;
}

START_TEST(a_receive_that_waits_for_a_buffer_can_be_abandoned)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=4");
	sfr_buf *held[4];
	sfr_ticket ticket;
	char byte;
	int a, b, i;

	pair_of_sockets(&a, &b);
	for (i = 0; i < 4; i++)
		held[i] = sfr_buf_get(loop, 1);
	ticket = parked_receive(loop, a, b);
	ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	ck_assert_uint_eq(sfr_loop_orphans(loop), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(recv(a, &byte, 1, MSG_DONTWAIT), 1);
	while (i)
		sfr_buf_release(held[--i]);
	assert_forgotten(loop);
}
END_TEST

START_TEST(ops_that_wait_for_room_in_the_ring_can_be_abandoned)
{
	sfr_loop *loop = loop_in(_i, SMALL);
	sfr_ticket tickets[100];
	int i, fd = empty_pipe();

	for (i = 0; i < 100; i++)
		tickets[i] = sfr_submit(sfr_read(loop, fd, sfr_buf_get(loop, 1)), record, &seen);
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(sfr_abandon(loop, tickets[i]), 0);
	ck_assert_uint_le(sfr_loop_orphans(loop), 8);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	assert_forgotten(loop);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("abandon");
	TCase *tc = world_case(suite, "abandoning");

	world_test(tc, each_kind_abandoned_while_it_waits_never_calls_back);
	world_test(tc, each_kind_abandoned_before_its_first_turn_never_calls_back);
	world_test(tc, orphans_of_each_kind_are_counted_until_the_engine_is_done_with_them);
	world_test(tc, an_abandoned_timer_is_no_orphan);
	world_test(tc, the_buffer_of_an_orphan_stays_with_the_loop_until_the_engine_is_done);
	world_test(tc, abandoning_again_changes_nothing);
	world_test(tc, what_is_being_cancelled_can_be_abandoned);
	world_test(tc, a_ticket_of_no_op_cannot_be_abandoned);
	world_test(tc, a_loop_with_orphans_is_not_freed_and_run_waits_for_them);
	world_test(tc, a_loop_that_drains_waits_for_orphans);
	tc = world_case(suite, "the list");
	world_test(tc, the_list_of_orphans_tells_what_they_are);
	world_test(tc, an_orphan_of_each_kind_has_its_name);
	world_test(tc, an_orphan_grows_older_with_the_clock_of_the_loop);
	world_test(tc, a_list_that_is_too_short_is_filled_and_all_are_counted);
	tc = world_case(suite, "around success");
	world_test(tc, a_connection_that_an_orphan_accepted_is_closed);
	world_test(tc, a_connection_around_an_abandoned_accept_is_closed_or_waits);
	world_test(tc, what_completes_with_the_turn_after_it_was_abandoned_is_not_told);
	world_test(tc, what_is_abandoned_in_the_turn_in_which_it_completes_is_not_told);
	world_test(tc, a_multishot_op_may_be_abandoned_in_its_own_callback);
	world_test(tc, in_its_last_callback_an_op_is_gone_already);
	tc = world_case(suite, "not with the engine");
	world_test(tc, a_receive_that_waits_for_a_buffer_can_be_abandoned);
	world_test(tc, ops_that_wait_for_room_in_the_ring_can_be_abandoned);
	return world_run(suite);
}
