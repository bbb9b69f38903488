/* SPDX-License-Identifier: MIT */
/*
 * What a program keeps of what has arrived takes as little as it may, and those who come later are received from.
 */
#include "world.h"
#include <netinet/in.h>
#include <safer_ring/datagram.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BUDGET "buffers.count=64 buffers.receive=16 buffers.budget=1MiB buffers.small=64 "
#define KEPT_MAX 10000

static sfr_buf *kept[KEPT_MAX];
static int kept_count;

static void keep(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)arg;
	if (buf && kept_count < KEPT_MAX && result > 0)
		kept[kept_count++] = buf;
	else
		sfr_buf_release(buf);
}

static void kept_release(void)
{
	while (kept_count)
		sfr_buf_release(kept[--kept_count]);
}

/* A receive that keeps what comes, and the other end. */
static int sender(sfr_loop *loop)
{
	int a, b;

	kept_count = 0;
	pair_of_unix_sockets(&a, &b);
	sfr_submit(sfr_recv_multi(loop, a), keep, NULL);
	return b;
}

static void arrive(sfr_loop *loop, int fd, const void *bytes, size_t size)
{
	int before = kept_count;

	ck_assert_int_eq(send(fd, bytes, size, 0), (ssize_t)size);
	turn_until(loop, &kept_count, before + 1);
}

START_TEST(one_byte_of_each_of_ten_thousand_arrivals_is_kept_within_the_budget)
{
	sfr_loop *loop = loop_in(_i, BUDGET);
	int fd = sender(loop), i;

	for (i = 0; i < KEPT_MAX; i++) {
		unsigned char byte = (unsigned char)i;

		arrive(loop, fd, &byte, 1);
	}
	ck_assert_uint_le(stats_of(loop).bytes_max, stats_of(loop).budget);
	ck_assert_uint_eq(stats_of(loop).copied, KEPT_MAX);
	for (i = 0; i < KEPT_MAX; i++)
		ck_assert_uint_eq(kept[i]->data[0], (unsigned char)i);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	kept_release();
}
END_TEST

START_TEST(up_to_small_is_copied_and_more_is_not)
{
	sfr_loop *loop = loop_in(_i, BUDGET);
	int fd = sender(loop);
	char bytes[65] = {0};

	memset(bytes, 'x', sizeof(bytes));
	arrive(loop, fd, bytes, 64);
	ck_assert_uint_eq(kept[0]->len, 64);
	ck_assert_uint_eq(kept[0]->cap, 64);
	ck_assert_mem_eq(kept[0]->data, bytes, 64);
	arrive(loop, fd, bytes, 65);
	ck_assert_uint_eq(kept[1]->len, 65);
	ck_assert_uint_ge(kept[1]->cap, 65);
	ck_assert_uint_eq(stats_of(loop).copied, 64);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	kept_release();
}
END_TEST

/* Where there is no small buffer to be had, bytes stay where they are. */
START_TEST(without_a_small_size_nothing_is_copied_and_nothing_is_lost)
{
	sfr_loop *loop = loop_in(_i, "buffers.count=8");
	int fd = sender(loop);

	arrive(loop, fd, "hello", 5);
	ck_assert_uint_eq(kept[0]->len, 5);
	ck_assert_mem_eq(kept[0]->data, "hello", 5);
	ck_assert_uint_eq(stats_of(loop).copied, 0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	kept_release();
}
END_TEST

/* A datagram is copied with who sent it. */
START_TEST(a_small_datagram_still_says_who_sent_it)
{
	sfr_loop *loop = loop_in(
		_i, "buffers.count=64 buffers.receive=16 buffers.budget=1MiB buffers.small=512");
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in from = to;
	struct sockaddr_storage peer;
	socklen_t size = sizeof(to);
	int a = owned_fd(socket(AF_INET, SOCK_DGRAM, 0)),
	    b = owned_fd(socket(AF_INET, SOCK_DGRAM, 0));

	kept_count = 0;
	ck_assert_int_eq(bind(a, (struct sockaddr *)&to, size), 0);
	ck_assert_int_eq(getsockname(a, (struct sockaddr *)&to, &size), 0);
	ck_assert_int_eq(bind(b, (struct sockaddr *)&from, size), 0);
	ck_assert_int_eq(getsockname(b, (struct sockaddr *)&from, &size), 0);
	sfr_submit(sfr_recvfrom_multi(loop, a), keep, NULL);
	ck_assert_int_eq(sendto(b, "hello", 5, 0, (struct sockaddr *)&to, sizeof(to)), 5);
	turn_until(loop, &kept_count, 1);
	ck_assert_uint_eq(kept[0]->cap, 512);
	ck_assert_uint_eq(kept[0]->len, 5);
	ck_assert_mem_eq(kept[0]->data, "hello", 5);
	ck_assert_uint_eq(sfr_buf_peer(kept[0], &peer), sizeof(from));
	ck_assert_mem_eq(&peer, &from, sizeof(from));
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	kept_release();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("arrival");
	TCase *tc = world_case(suite, "copies");

	world_test(tc, one_byte_of_each_of_ten_thousand_arrivals_is_kept_within_the_budget);
	world_test(tc, up_to_small_is_copied_and_more_is_not);
	world_test(tc, without_a_small_size_nothing_is_copied_and_nothing_is_lost);
	world_test(tc, a_small_datagram_still_says_who_sent_it);
	return world_run(suite);
}
