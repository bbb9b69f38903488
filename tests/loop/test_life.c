/* SPDX-License-Identifier: MIT */
/*
 * Random lives: ops of every kind begin, are cancelled and end while peers send, connect and go away.
 */
#include "world.h"
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

/* An op of the random life. */
struct life {
	sfr_ticket ticket;
	int calls;
	bool multishot, stream, accepts, over;
};

enum { LIVES = 600 };

static struct life lives[LIVES];
static int lives_count;
static int life_socket[4], life_peer[4], life_file, life_listener;
static struct sockaddr_in life_address;
static unsigned life_seed;

static int dice(int sides)
{
	return rand_r(&life_seed) % sides;
}

static void life_begin(sfr_loop *loop);

static void life_cancel_any(sfr_loop *loop)
{
	struct life *life = &lives[dice(lives_count)];
	bool over = life->over;
	int r = sfr_cancel(loop, life->ticket);

	ck_assert_msg(r == (over ? -SFR_ESTALE : 0), "cancel of op %d: %d, and it is %s",
		      (int)(life - lives), r, over ? "over" : "not over");
}

static void life_goes_on(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct life *life = arg;

	ck_assert_msg(!life->over, "a call after the last: op %d", (int)(life - lives));
	life->calls++;
	life->over = !life->multishot || result < 0 || (life->stream && result == 0);
	if (life->accepts && result >= 0)
		close(result);
	ck_assert(!buf || sfr_buf_is_owned(buf));
	sfr_buf_release(buf);
	if (dice(4) == 0)
		life_begin(loop);
	if (dice(4) == 0)
		life_cancel_any(loop);
}

static void life_submit(sfr_op *op, struct life kind)
{
	struct life *life = &lives[lives_count++];

	ck_assert_ptr_nonnull(op);
	*life = kind;
	life->ticket = sfr_submit(op, life_goes_on, life);
	ck_assert_uint_ne(life->ticket, 0);
}

static void life_begin(sfr_loop *loop)
{
	int fd = life_socket[dice(4)];

	if (lives_count == LIVES)
		return;
	switch (dice(12)) {
	case 0:
		life_submit(sfr_recv(loop, fd, sfr_buf_get(loop, 8)), (struct life){0});
		break;
	case 1:
		life_submit(sfr_send(loop, fd, sfr_buf_from(loop, "12345678", 8)),
			    (struct life){0});
		break;
	case 2:
		life_submit(sfr_recv_multi(loop, fd),
			    (struct life){.multishot = true, .stream = true});
		break;
	case 3:
		life_submit(sfr_accept_multi(loop, life_listener),
			    (struct life){.multishot = true, .accepts = true});
		break;
	case 4:
		life_submit(sfr_accept(loop, life_listener), (struct life){.accepts = true});
		break;
	case 5:
		life_submit(sfr_timeout(loop, (uint64_t)dice(2000000)), (struct life){0});
		break;
	case 6:
		life_submit(sfr_interval(loop, 1 + (uint64_t)dice(500000)),
			    (struct life){.multishot = true});
		break;
	case 7:
		life_submit(sfr_write_at(loop, life_file, sfr_buf_from(loop, "12345678", 8), 3),
			    (struct life){0});
		break;
	case 8:
		life_submit(sfr_read_at(loop, life_file, sfr_buf_get(loop, 64), 0),
			    (struct life){0});
		break;
	case 9:
		life_submit(sfr_poll(loop, fd, POLLIN), (struct life){0});
		break;
	case 10:
		life_submit(sfr_read(loop, life_file, NULL), (struct life){0});
		break;
	default:
		life_submit(sfr_nop(loop), (struct life){0});
	}
}

/* What the rest of the world does meanwhile. */
static void life_stir(void)
{
	int i = dice(4), fd;

	if (dice(2))
		(void)!send(life_peer[i], "abcdefghijkl", (size_t)1 + (size_t)dice(12),
			    MSG_DONTWAIT | MSG_NOSIGNAL);
	if (dice(8) == 0) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		ck_assert_int_eq(
			connect(fd, (struct sockaddr *)&life_address, sizeof(life_address)), 0);
		close(fd);
	}
	if (dice(100) == 0)
		shutdown(life_peer[i], SHUT_WR);
}

#define LIFE_SEEDS 8

START_TEST(whatever_happens_every_op_calls_back_once_and_every_buffer_returns)
{
	sfr_loop *loop = loop_in(_i / LIFE_SEEDS, "buffers.count=700 buffers.receive=3");
	int i;

	lives_count = 0;
	life_seed = (unsigned)_i;
	for (i = 0; i < 4; i++)
		pair_of_sockets(&life_socket[i], &life_peer[i]);
	life_file = empty_file();
	life_listener = listening_socket(&life_address, 512);

	while (lives_count < LIVES) {
		life_begin(loop);
		life_stir();
		if (dice(3) == 0)
			ck_assert_int_ge(sfr_loop_step(loop, dice(2) * 50000), 0);
		if (dice(4) == 0)
			life_cancel_any(loop);
		if (dice(150) == 0)
			ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	}
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);

	for (i = 0; i < LIVES; i++)
		ck_assert_msg(lives[i].over, "op %d never ended", i);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 0);
	ck_assert_uint_eq(stat_held(loop), 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("life");
	TCase *tc = world_case(suite, "random lives");

	tcase_add_loop_test(tc, whatever_happens_every_op_calls_back_once_and_every_buffer_returns,
			    0, world_count() * LIFE_SEEDS);
	return world_run(suite);
}
