/* SPDX-License-Identifier: MIT */
/*
 * Peers that do not read, many of them: memory stays within the budget, and those who read are served. Those who do
 * not are ended when their memory is needed, and only then.
 */
#include "peers.h"
#include <errno.h>
#include <safer_ring/error.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define KIB 1024
#define MIB (1024 * KIB)
#define BUDGET "buffers.count=64 buffers.budget=1MiB buffers.receive=16 "
#define SOON "server.slow_after=5ms "
#define NEVER "server.slow_after=1000s "
#define GUESTS_MAX 200

static char zeros[64 * KIB];
static int peers[GUESTS_MAX];
static long pages_before;

/* Pages of memory that the process has. */
static long pages_now(void)
{
	FILE *file = fopen("/proc/self/statm", "r");
	long all, resident = 0;

	ck_assert_ptr_nonnull(file);
	ck_assert_int_eq(fscanf(file, "%ld %ld", &all, &resident), 2);
	fclose(file);
	return resident;
}

static bool pages_tell(void)
{
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
	return false;
#else
	return !under_valgrind();
#endif
}

/* How many guests this process may have descriptors for, two each. */
static int guests_of(int wanted)
{
	struct rlimit limit;

	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
	if (limit.rlim_cur < (rlim_t)(2 * wanted + 100))
		wanted = (int)(limit.rlim_cur - 100) / 2;
	return wanted;
}

static void guests_come(sfr_loop *loop, const sfr_server *server, int count)
{
	int i;

	for (i = 0; i < count; i++) {
		peers[i] = peer_of(server);
		peer_narrow(peers[i]);
		turns_until(loop, here.opened >= i + 1);
	}
	pages_before = pages_now();
}

static void guests_go(sfr_loop *loop, int count)
{
	int i;

	for (i = 0; i < count; i++)
		peer_reset(peers[i]);
	turns_until(loop, here.closed == here.opened);
	turns_until(loop, stat_held(loop) == 0);
}

/* What the issue of a budget promises. */
static void assert_within_budget(sfr_loop *loop, int conns)
{
	sfr_loop_stats stats = stats_of(loop);
	long grown = (pages_now() - pages_before) * sysconf(_SC_PAGESIZE);

	ck_assert_uint_le(stats.bytes_max, stats.budget);
	if (pages_tell())
		ck_assert_int_le(grown, (long)stats.budget + conns * KIB + 16 * MIB);
}

/* As much as the peer's end takes. True if it took something. */
static bool press(int fd)
{
	bool pressed = false;

	while (send(fd, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		pressed = true;
	return pressed;
}

/* An honest peer asks, and hears the answer. */
static void ask_and_hear(sfr_loop *loop, int fd, int times)
{
	char heard[5];

	while (times--) {
		peer_say(loop, fd, "hello", 5);
		peer_hear(loop, fd, heard, 5);
		ck_assert_mem_eq(heard, "hello", 5);
	}
}

/*
 * Peers that pour into an echo and read nothing of it.
 */

static void narrow_in_open(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	conn_narrow(conn);
}

static const sfr_handlers echo_narrow = {narrow_in_open, echo, note_drain, note_close};

static void pour_all(sfr_loop *loop, int count)
{
	int i;

	for (i = 0; i < count; i++)
		(void)press(peers[i]);
	for (i = 0; i < 20; i++)
		(void)sfr_loop_step(loop, 0);
}

START_TEST(peers_that_pour_and_never_read_take_no_more_than_the_budget)
{
	sfr_loop *loop = loop_in(_i, BUDGET SOON);
	sfr_server *server = serve(loop, &echo_narrow, &here);
	int count = guests_of(60), round, honest;

	guests_come(loop, server, count);
	while (!stats_of(loop).shortages) /* what the kernel has room for comes first */
		pour_all(loop, count);
	honest = peer_of(server);
	for (round = 0; round < 5; round++) {
		pour_all(loop, count);
		ask_and_hear(loop, honest, 5);
		assert_within_budget(loop, count);
	}
	ck_assert_uint_eq(stats_of(loop).bytes_heap, 0);
	close(honest);
	guests_go(loop, count);
}
END_TEST

/* Nobody is ended here, so what serves the honest one is what was kept for it. */
START_TEST(an_honest_peer_is_served_though_few_pourers_are_never_ended)
{
	sfr_loop *loop = loop_in(_i, BUDGET NEVER "server.high_water=64MiB");
	sfr_server *server = serve(loop, &echo_narrow, &here);
	int i, round, honest;

	guests_come(loop, server, 8);
	honest = peer_of(server);
	for (round = 0; round < 40; round++) {
		for (i = 0; i < 8; i++)
			(void)press(peers[i]);
		ask_and_hear(loop, honest, 5);
	}
	assert_within_budget(loop, 8);
	ck_assert_uint_gt(stats_of(loop).shortages, 0);
	ck_assert_uint_eq(stats_of(loop).ended_slow, 0);
	ck_assert_int_eq(here.closed, 0);
	close(honest);
	guests_go(loop, 8);
}
END_TEST

/*
 * A chat: what one says goes to all, by reference. Most never read.
 */

static sfr_conn *guests[GUESTS_MAX + 2];
static int guests_count;

static void chat_joined(sfr_conn *conn, void *arg)
{
	narrow_in_open(conn, arg);
	sfr_conn_set_data(conn, &guests[guests_count]);
	guests[guests_count++] = conn;
}

static void chat_said(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	struct told *told = arg;
	int i;

	(void)conn;
	told->received++;
	told->bytes += (uint64_t)result;
	for (i = 0; i < guests_count; i++) {
		sfr_buf *share = guests[i] ? sfr_buf_share(buf) : NULL;

		if (share)
			(void)sfr_conn_send(guests[i], share);
	}
	sfr_buf_release(buf);
}

static void chat_left(sfr_conn *conn, int reason, void *arg)
{
	*(sfr_conn **)sfr_conn_data(conn) = NULL;
	note_close(conn, reason, arg);
}

static const sfr_handlers chat = {chat_joined, chat_said, NULL, chat_left};

static int count_reason(const struct told *told, int reason)
{
	int i, count = 0;

	for (i = 0; i < told->closed; i++)
		count += told->reasons[i] == reason;
	return count;
}

START_TEST(chat_guests_that_never_read_are_ended_and_nothing_is_copied_for_them)
{
	sfr_loop *loop = loop_in(_i, BUDGET SOON "server.queue_max=1GiB");
	sfr_server *server = serve(loop, &chat, &here);
	int count = guests_of(GUESTS_MAX), talker;
	static char heard[64 * KIB];
	uint64_t said = 0;
	ssize_t n;

	guests_count = 0;
	guests_come(loop, server, count);
	talker = peer_of(server);
	turns_until(loop, here.opened == count + 1);
	while (here.closed < count) { /* it reads what it says, and so is never slow */
		n = send(talker, zeros, sizeof(zeros), MSG_DONTWAIT | MSG_NOSIGNAL);
		said += n > 0 ? (uint64_t)n : 0;
		turn_once(loop);
		while (recv(talker, heard, sizeof(heard), MSG_DONTWAIT) > 0)
			;
		assert_within_budget(loop, count);
	}
	ck_assert_int_eq(here.closed, count);
	ck_assert_int_eq(count_reason(&here, -SFR_ESLOW), count);
	ck_assert_uint_eq(stats_of(loop).ended_slow, (uint64_t)count);
	ck_assert_uint_eq(stats_of(loop).bytes_heap, 0);
	ck_assert_uint_gt(said, MIB / 2);
	close(talker);
	guests_go(loop, count);
}
END_TEST

/* The log has one line, however many are ended. */
START_TEST(a_shortage_is_told_once)
{
	sfr_loop *loop = loop_in(_i, BUDGET SOON);
	sfr_server *server = serve(loop, &echo_narrow, &here);
	int count = 50, i;

	log_listen();
	guests_come(loop, server, count);
	while (stats_of(loop).ended_slow < 3) {
		for (i = 0; i < count; i++)
			(void)press(peers[i]);
		turn_once(loop);
	}
	ck_assert_uint_ge(stats_of(loop).shortages, 1);
	ck_assert_int_ge(log_lines, 1);
	ck_assert_int_le(log_lines, (int)stats_of(loop).shortages);
	ck_assert_ptr_nonnull(strstr(log_line, "memory for buffers is short"));
	guests_go(loop, count);
}
END_TEST

/* Slow is who reads nothing: one that reads a little, now and then, stays. */
START_TEST(a_peer_that_reads_a_little_is_not_ended)
{
	sfr_loop *loop = loop_in(_i, BUDGET "server.slow_after=300ms server.high_water=64MiB");
	sfr_server *server = serve(loop, &echo_narrow, &here);
	static char heard[64 * KIB];
	int i;

	guests_come(loop, server, 2);
	while (here.closed == 0) {
		for (i = 0; i < 2; i++)
			(void)press(peers[i]);
		while (recv(peers[0], heard, sizeof(heard), MSG_DONTWAIT) > 0)
			;
		turn_once(loop);
	}
	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, -SFR_ESLOW);
	guests_go(loop, 2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("slow readers");
	TCase *tcase = peers_case(suite, "an echo");

	world_test(tcase, peers_that_pour_and_never_read_take_no_more_than_the_budget);
	world_test(tcase, an_honest_peer_is_served_though_few_pourers_are_never_ended);
	world_test(tcase, a_peer_that_reads_a_little_is_not_ended);
	world_test(tcase, a_shortage_is_told_once);
	tcase = peers_case(suite, "a chat");
	world_test(tcase, chat_guests_that_never_read_are_ended_and_nothing_is_copied_for_them);
	return world_run(suite);
}
