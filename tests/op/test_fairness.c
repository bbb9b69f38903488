/* SPDX-License-Identifier: MIT */
/*
 * Fairness: one that pours does not take the buffers from those that ask and wait.
 *
 * All peers are the test's own, so the flooder has more to receive than there are buffers whenever the
 * loop turns, and who is left out is left out for good: what others get is counted, and no clock.
 */
#include "world.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PINGERS 31
#define ROUNDS 20
#define BUFS_MAX \
	(ROUNDS * 20000) /* a few hundred for each round do: as many as there are at a time */

enum flood { DISCARDED, ECHOED, DATAGRAMS, PIPED, FLOODS };

static const char *const sizes[] = {
	"buffers.size=512 buffers.count=64 buffers.receive=8",
	"buffers.size=512 buffers.count=64 buffers.receive=32",
	"buffers.size=512 buffers.count=256 buffers.receive=64",
	"buffers.size=512 buffers.count=4",
};

static struct pinger {
	int here, there;
	int rounds;
	bool asked; /* and not answered yet */
} pingers[PINGERS];

static int poured;              /* buffers that the flooder had */
static int flood_in, flood_out; /* poured into; received from */

static void answered(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct pinger *pinger = arg;

	(void)loop;
	sfr_buf_release(buf);
	if (result <= 0)
		return; /* the loop drains */
	ck_assert_int_eq(result, 1);
	pinger->rounds++;
	pinger->asked = false;
}

static void discard(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)arg;
	sfr_buf_release(buf);
	poured += result > 0;
}

static void echo(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)arg;
	if (result > 0)
		sfr_submit(sfr_send(loop, flood_out, buf), NULL, NULL);
	poured += result > 0;
}

static void pair_of_datagram_sockets(int *in, int *out)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(addr);

	*out = owned_fd(socket(AF_INET, SOCK_DGRAM, 0));
	*in = owned_fd(socket(AF_INET, SOCK_DGRAM, 0));
	ck_assert_int_eq(bind(*out, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(getsockname(*out, (struct sockaddr *)&addr, &size), 0);
	ck_assert_int_eq(connect(*in, (struct sockaddr *)&addr, sizeof(addr)), 0);
}

static void flooder_start(sfr_loop *loop, enum flood flood)
{
	switch (flood) {
	case DISCARDED:
	case ECHOED:
		pair_of_sockets(&flood_in, &flood_out);
		sfr_submit(sfr_recv_multi(loop, flood_out), flood == ECHOED ? echo : discard, NULL);
		break;
	case DATAGRAMS:
		pair_of_datagram_sockets(&flood_in, &flood_out);
		sfr_submit(sfr_recvfrom_multi(loop, flood_out), discard, NULL);
		break;
	case PIPED:
		pair_of_pipe_ends(&flood_out, &flood_in);
		sfr_submit(sfr_read_multi(loop, flood_out), discard, NULL);
		break;
	case FLOODS:
		break;
	}
	ck_assert_int_eq(fcntl(flood_in, F_SETFL, O_NONBLOCK), 0);
}

/* As much as there is room for, and read what comes back. */
static void flooder_pour(enum flood flood)
{
	static char bytes[65536];
	size_t size = flood == DATAGRAMS ? 100 : sizeof(bytes);
	int i;

	for (i = 0; i < 64 && write(flood_in, bytes, size) > 0; i++)
		; /* datagrams too many are dropped, and not refused */
	while (flood == ECHOED && recv(flood_in, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static void pingers_start(sfr_loop *loop)
{
	int i;

	for (i = 0; i < PINGERS; i++) {
		struct pinger *pinger = &pingers[i];

		*pinger = (struct pinger){0};
		pair_of_sockets(&pinger->here, &pinger->there);
		sfr_submit(sfr_recv_multi(loop, pinger->here), answered, pinger);
	}
}

/* Who has an answer asks again. Returns how many have still to make their rounds. */
static int pingers_ask(void)
{
	int i, left = 0;

	for (i = 0; i < PINGERS; i++) {
		struct pinger *pinger = &pingers[i];

		left += pinger->rounds < ROUNDS;
		if (pinger->asked)
			continue;
		ck_assert_int_eq(send(pinger->there, "?", 1, 0), 1);
		pinger->asked = true;
	}
	return left;
}

static void flood_and_ask(int world, enum flood flood)
{
	unsigned i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		sfr_loop *loop = loop_in(world, sizes[i]);
		time_t end = time(NULL) + PATIENCE_S;
		int left;

		poured = 0;
		pingers_start(loop);
		flooder_start(loop, flood);
		while (((left = pingers_ask()) || !poured) && poured < BUFS_MAX &&
		       time(NULL) <= end) {
			flooder_pour(flood);
			ck_assert_int_ge(sfr_loop_step(loop, 1000000), 0);
		}
		ck_assert_msg(!left, "%s: %d of %d pingers are left out, and %d buffers poured in",
			      sizes[i], left, PINGERS, poured);
		ck_assert_int_gt(poured, 0); /* nor is the flooder left out */
		loop_end();
	}
}

START_TEST(a_stream_that_pours_and_is_discarded_leaves_nobody_out)
{
	flood_and_ask(_i, DISCARDED);
}
END_TEST

START_TEST(a_stream_that_pours_and_is_echoed_leaves_nobody_out)
{
	flood_and_ask(_i, ECHOED);
}
END_TEST

START_TEST(datagrams_that_pour_leave_nobody_out)
{
	flood_and_ask(_i, DATAGRAMS);
}
END_TEST

START_TEST(a_pipe_that_pours_leaves_nobody_out)
{
	flood_and_ask(_i, PIPED);
}
END_TEST

/*
 * A crowd of which each has something to say whenever it is asked. An engine can be told of so many descriptors at a
 * time, and a short completion queue has room for fewer.
 */

enum { TALKERS = 512, TURNS_EACH = 4, TURNS_MAX = TALKERS * TURNS_EACH * 8 };

static struct talker {
	int here, there;
	int heard;
} talkers[TALKERS];

static int heard_in_all;

static void heard(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct talker *talker = arg;

	(void)loop;
	sfr_buf_release(buf);
	if (result <= 0)
		return; /* the loop drains */
	ck_assert_int_eq(send(talker->there, "!", 1, 0), 1);
	talker->heard++;
	heard_in_all++;
}

static int talkers_left_out(void)
{
	int i, left = 0;

	for (i = 0; i < TALKERS; i++)
		left += talkers[i].heard < TURNS_EACH;
	return left;
}

static void crowd_start(sfr_loop *loop)
{
	int i;

	heard_in_all = 0;
	for (i = 0; i < TALKERS; i++) {
		talkers[i] = (struct talker){0};
		pair_of_unix_sockets(&talkers[i].here, &talkers[i].there);
		sfr_submit(sfr_recv_multi(loop, talkers[i].here), heard, &talkers[i]);
		ck_assert_int_eq(send(talkers[i].there, "!", 1, 0), 1);
	}
}

START_TEST(of_a_crowd_that_always_talks_each_is_heard)
{
	sfr_loop *loop = loop_in(_i, NULL);

	crowd_start(loop);
	while (talkers_left_out() && heard_in_all < TURNS_MAX)
		ck_assert_int_ge(sfr_loop_step(loop, 1000000), 0);
	ck_assert_msg(!talkers_left_out(), "%d of %d are left out, of %d that were heard",
		      talkers_left_out(), TALKERS, heard_in_all);
}
END_TEST

/* Of these more are done at once, in each turn, than there is room to tell of. */
enum { NOPS = 100, NOPS_MAX = 1000000 };

static int nops;

static void nop_again(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)buf;
	(void)arg;
	nops++;
	if (result == 0)
		sfr_submit(sfr_nop(loop), nop_again, NULL);
}

START_TEST(a_crowd_is_heard_beside_what_is_done_at_once)
{
	sfr_loop *loop = loop_in(_i, "buffers.size=512 buffers.count=4");
	int i;

	nops = 0;
	for (i = 0; i < NOPS; i++)
		sfr_submit(sfr_nop(loop), nop_again, NULL);
	crowd_start(loop);
	while (talkers_left_out() && nops < NOPS_MAX)
		ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_msg(!talkers_left_out(), "%d of %d are left out, and %d nops were done",
		      talkers_left_out(), TALKERS, nops);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("fairness");
	TCase *tc = world_case(suite, "one that pours");

	world_test(tc, a_stream_that_pours_and_is_discarded_leaves_nobody_out);
	world_test(tc, a_stream_that_pours_and_is_echoed_leaves_nobody_out);
	world_test(tc, datagrams_that_pour_leave_nobody_out);
	world_test(tc, a_pipe_that_pours_leaves_nobody_out);
	tc = world_case(suite, "a crowd");
	world_test(tc, of_a_crowd_that_always_talks_each_is_heard);
	world_test(tc, a_crowd_is_heard_beside_what_is_done_at_once);
	return world_run(suite);
}
