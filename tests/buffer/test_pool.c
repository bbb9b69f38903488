/* SPDX-License-Identifier: MIT */
/*
 * The stand-alone pool: buffers for all threads and all loops.
 */
#include "pending.h"
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define KIB 1024U
#define MIB (1024U * KIB)

static sfr_pool *pool;

static void pool_up(void)
{
	pool = sfr_pool_new(8, 1000);
	ck_assert_ptr_nonnull(pool);
}

static void pool_down(void)
{
	ck_assert_int_eq(sfr_pool_free(pool), 0);
}

static sfr_pool_info info_of(const sfr_pool *of)
{
	sfr_pool_info info;

	sfr_pool_stats(of, &info);
	return info;
}

static sfr_buf *pool_from(const char *text)
{
	sfr_buf *buf = sfr_pool_get(pool);

	ck_assert_ptr_nonnull(buf);
	buf->len = (uint32_t)strlen(text);
	memcpy(buf->data, text, buf->len);
	return buf;
}

/*
 * Alone.
 */

START_TEST(a_pool_has_as_many_buffers_as_were_asked_for)
{
	sfr_buf *bufs[8], *none;
	int i;

	for (i = 0; i < 8; i++) {
		bufs[i] = sfr_pool_get(pool);
		ck_assert_ptr_nonnull(bufs[i]);
		ck_assert(sfr_buf_is_owned(bufs[i]));
		ck_assert_uint_eq(bufs[i]->len, 0);
		ck_assert_uint_eq(bufs[i]->cap, 1000);
		ck_assert_uint_eq((uintptr_t)bufs[i]->data % 64, 0);
		memset(bufs[i]->data, i, 1000);
	}
	errno = 0;
	none = sfr_pool_get(pool);
	ck_assert_ptr_null(none);
	ck_assert_int_eq(errno, SFR_EPOOLEMPTY);
	for (i = 0; i < 8; i++) {
		ck_assert_uint_eq(bufs[i]->data[0], (unsigned)i);
		ck_assert_uint_eq(bufs[i]->data[999], (unsigned)i);
		sfr_buf_release(bufs[i]);
	}
	none = sfr_pool_get(pool);
	ck_assert_ptr_nonnull(none);
	sfr_buf_release(none);
}
END_TEST

START_TEST(what_it_says_of_itself_is_exact)
{
	sfr_buf *first = sfr_pool_get(pool), *second = sfr_pool_get(pool), *others[7];
	sfr_pool_info info;
	int i;

	sfr_buf_release(first);
	info = info_of(pool);
	ck_assert_uint_eq(info.count, 8);
	ck_assert_uint_eq(info.free, 7);
	ck_assert_uint_eq(info.out, 1);
	ck_assert_uint_eq(info.out_max, 2);
	ck_assert_uint_eq(info.buf_size, 1000);
	ck_assert_uint_eq(info.gets, 2);
	ck_assert_uint_eq(info.empty, 0);

	for (i = 0; i < 7; i++)
		others[i] = sfr_pool_get(pool);
	first = sfr_pool_get(pool);
	ck_assert_ptr_null(first);
	info = info_of(pool);
	ck_assert_uint_eq(info.free, 0);
	ck_assert_uint_eq(info.out_max, 8);
	ck_assert_uint_eq(info.gets, 9);
	ck_assert_uint_eq(info.empty, 1);
	for (i = 0; i < 7; i++)
		sfr_buf_release(others[i]);
	sfr_buf_release(second);
	ck_assert_uint_eq(info_of(pool).free, 8);
}
END_TEST

START_TEST(buffers_may_have_any_size_up_to_one_gib)
{
	static const size_t sizes[] = {1, 64, 65, 5000, 3 * MIB, 1024 * MIB};
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		sfr_pool *own = sfr_pool_new(2, sizes[i]);
		sfr_buf *x = sfr_pool_get(own), *y = sfr_pool_get(own);

		ck_assert_uint_eq(x->cap, sizes[i]);
		ck_assert_uint_eq((uintptr_t)x->data % (sizes[i] < 4096 ? 64 : 4096), 0);
		x->data[0] = x->data[sizes[i] - 1] = 'x';
		y->data[0] = y->data[sizes[i] - 1] = 'y';
		ck_assert_uint_eq(x->data[0], 'x');
		ck_assert_uint_eq(x->data[sizes[i] - 1], 'x');
		sfr_buf_release(x);
		sfr_buf_release(y);
		ck_assert_int_eq(sfr_pool_free(own), 0);
	}
}
END_TEST

START_TEST(no_pool_is_made_of_nothing_or_of_too_much)
{
	static const struct {
		size_t count, size;
		int error;
	} bad[] = {{0, 64, EINVAL},
		   {1, 0, EINVAL},
		   {1, 1024 * MIB + 1, EINVAL},
		   {SIZE_MAX, 64, EINVAL},
		   {1, SIZE_MAX, EINVAL},
		   {(size_t)1 << 30, 1024 * MIB, ENOMEM}};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		errno = 0;
		ck_assert_ptr_null(sfr_pool_new(bad[i].count, bad[i].size));
		ck_assert_int_eq(errno, bad[i].error);
	}
	ck_assert_int_eq(sfr_pool_free(NULL), 0);
}
END_TEST

START_TEST(a_pool_with_a_buffer_out_is_not_freed_and_works_on)
{
	sfr_buf *buf = sfr_pool_get(pool);

	ck_assert_int_eq(sfr_pool_free(pool), -SFR_EINFLIGHT);
	buf->data[999] = 'x';
	sfr_buf_release(buf);
	ck_assert_uint_eq(info_of(pool).free, 8);
}
END_TEST

START_TEST(a_second_release_is_reported_and_does_nothing)
{
	sfr_buf *buf = sfr_pool_get(pool), *again = same(buf), *x, *y;

	log_listen();
	sfr_buf_release(buf);
	sfr_buf_release(again);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_uint_eq(info_of(pool).free, 8);
	x = sfr_pool_get(pool);
	y = sfr_pool_get(pool);
	ck_assert_ptr_ne(x->data, y->data);
	sfr_buf_release(x);
	sfr_buf_release(y);
}
END_TEST

START_TEST(a_shared_buffer_is_back_with_its_last_reference)
{
	sfr_buf *buf = pool_from("hello"), *share = sfr_buf_share(buf);

	ck_assert_ptr_eq(share->data, buf->data);
	ck_assert_uint_eq(info_of(pool).out, 1);
	sfr_buf_release(buf);
	ck_assert_uint_eq(info_of(pool).out, 1);
	ck_assert_int_eq(sfr_pool_free(pool), -SFR_EINFLIGHT);
	ck_assert_mem_eq(share->data, "hello", 5);
	sfr_buf_release(share);
	ck_assert_uint_eq(info_of(pool).out, 0);
}
END_TEST

START_TEST(buffers_of_two_pools_do_not_make_a_chain)
{
	sfr_pool *second = sfr_pool_new(1, 64);
	sfr_buf *head = pool_from("a"), *tail = pool_from("b"), *stranger = sfr_pool_get(second);

	log_listen();
	head = sfr_buf_append(head, tail);
	ck_assert_ptr_nonnull(head->next);
	head = sfr_buf_append(head, stranger);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_uint_eq(info_of(second).out, 0);
	sfr_buf_release(head);
	ck_assert_uint_eq(info_of(pool).out, 0);
	ck_assert_int_eq(sfr_pool_free(second), 0);
}
END_TEST

/*
 * Threads.
 */

#define THREADS 4
#define ROUNDS 5000
#define HELD 3

static atomic_int torn, missed;

/* The buffer is this thread's alone while it has it. */
static void buf_use(sfr_buf *buf, unsigned char mark)
{
	size_t i;

	memset(buf->data, mark, buf->cap);
	for (i = 0; i < buf->cap; i += 100)
		if (buf->data[i] != mark)
			atomic_fetch_add(&torn, 1);
}

static void *churn(void *arg)
{
	unsigned seed = (unsigned)(uintptr_t)arg;
	sfr_buf *held[HELD] = {NULL};
	sfr_pool_info info;
	int round, i;

	for (round = 0; round < ROUNDS; round++) {
		i = rand_r(&seed) % HELD;
		if (held[i]) {
			sfr_buf *share = rand_r(&seed) % 4 ? NULL : sfr_buf_share(held[i]);

			sfr_buf_release(held[i]);
			sfr_buf_release(share);
			held[i] = NULL;
		} else if ((held[i] = sfr_pool_get(pool))) {
			buf_use(held[i], (unsigned char)(uintptr_t)arg);
		} else {
			atomic_fetch_add(&missed, 1);
		}
		if (round % 64 == 0) {
			sfr_pool_stats(pool, &info);
			if (info.free + info.out != 8 || info.out_max > 8)
				atomic_fetch_add(&torn, 1);
		}
	}
	for (i = 0; i < HELD; i++)
		sfr_buf_release(held[i]);
	return NULL;
}

START_TEST(threads_take_and_release_and_never_have_the_same_buffer)
{
	pthread_t threads[THREADS];
	sfr_pool_info info;
	int i;

	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(
			pthread_create(&threads[i], NULL, churn, (void *)(uintptr_t)(i + 1)), 0);
	for (i = 0; i < THREADS; i++)
		ck_assert_int_eq(pthread_join(threads[i], NULL), 0);

	info = info_of(pool);
	ck_assert_int_eq(torn, 0);
	ck_assert_uint_eq(info.out, 0);
	ck_assert_uint_eq(info.empty, (uint64_t)missed);
	ck_assert_uint_le(info.out_max, 8);
}
END_TEST

/* One thread with a loop of its own, reading and writing with buffers that others use as well. */
static void *loop_of_a_thread(void *arg)
{
	unsigned char mark = (unsigned char)(uintptr_t)arg;
	int fd = ((int *)arg)[0], i, bad = 0;
	sfr_loop *loop;

	if (sfr_loop_new(&loop, NULL) < 0)
		return arg;
	for (i = 0; i < 200; i++) {
		sfr_buf *buf = sfr_pool_get(pool);

		if (!buf)
			continue;
		memset(buf->data, mark, buf->cap);
		buf->len = buf->cap;
		bad += sfr_await(sfr_write_at(loop, fd, buf, 0), &buf) != 1000;
		memset(buf->data, 0, buf->cap);
		bad += sfr_await(sfr_read_at(loop, fd, buf, 0), &buf) != 1000;
		bad += buf->data[0] != mark || buf->data[999] != mark;
		sfr_buf_release(buf);
	}
	bad += sfr_loop_free(loop) != 0;
	return bad ? arg : NULL;
}

START_TEST(loops_of_two_threads_use_one_pool)
{
	pthread_t threads[2];
	int files[2] = {empty_file(), empty_file()}, i;
	void *bad;

	for (i = 0; i < 2; i++)
		ck_assert_int_eq(pthread_create(&threads[i], NULL, loop_of_a_thread, &files[i]), 0);
	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(pthread_join(threads[i], &bad), 0);
		ck_assert_ptr_null(bad);
	}
	ck_assert_uint_eq(info_of(pool).out, 0);
}
END_TEST

/*
 * In a loop.
 */

START_TEST(its_buffers_are_used_in_ops_and_come_back)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = pool_from("hello"), *again = same(buf);
	int fd = empty_file();

	log_listen();
	ck_assert_int_eq(sfr_await(sfr_write_at(loop, fd, buf, 0), &buf), 5);
	ck_assert_ptr_eq(buf, again);
	memset(buf->data, 0, 5);
	ck_assert_int_eq(sfr_await(sfr_read_at(loop, fd, buf, 0), &buf), 5);
	ck_assert_ptr_eq(buf, again);
	ck_assert_mem_eq(buf->data, "hello", 5);
	ck_assert_int_eq(log_lines, 0);
	sfr_buf_release(buf);
	ck_assert_uint_eq(info_of(pool).out, 0);
}
END_TEST

START_TEST(a_chain_of_them_is_sent_as_one)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *chain = sfr_buf_append(pool_from("hel"), pool_from("lo"));
	char heard[8];
	int a, b;

	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(sfr_await(sfr_send(loop, a, chain), NULL), 5);
	ck_assert_int_eq(recv(b, heard, sizeof(heard), 0), 5);
	ck_assert_mem_eq(heard, "hello", 5);
	ck_assert_uint_eq(info_of(pool).out, 0);
}
END_TEST

START_TEST(a_shared_one_is_sent_and_not_filled)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_buf *buf = pool_from("hello"), *share = sfr_buf_share(buf);
	int a, b;

	pair_of_unix_sockets(&a, &b);
	ck_assert_int_eq(sfr_await(sfr_send(loop, a, share), &share), 5);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, b, share), &share), -SFR_ESHARED);
	sfr_buf_release(share);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, b, buf), &buf), 5);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(it_comes_back_from_what_is_cancelled_abandoned_discarded_and_drained)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_ticket ticket;

	sfr_op_discard(sfr_read(loop, empty_pipe(), sfr_pool_get(pool)));
	ck_assert_uint_eq(info_of(pool).out, 0);
	ticket = sfr_submit(sfr_read(loop, empty_pipe(), sfr_pool_get(pool)), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_uint_eq(info_of(pool).out, 1);
	seen_release(&seen);
	ticket = sfr_submit(sfr_read(loop, empty_pipe(), sfr_pool_get(pool)), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_abandon(loop, ticket), 0);
	sfr_submit(sfr_read(loop, empty_pipe(), sfr_pool_get(pool)), NULL, NULL);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(sfr_pool_free(pool), -SFR_EINFLIGHT);

	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
	ck_assert_uint_eq(info_of(pool).out, 0);
}
END_TEST

START_TEST(without_room_for_an_op_it_goes_back_to_its_pool)
{
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64");
	sfr_op *op;
	int i;

	for (i = 0; i < 64; i++)
		sfr_submit(sfr_timeout(loop, UINT64_MAX), NULL, NULL);
	errno = 0;
	op = sfr_read(loop, empty_pipe(), sfr_pool_get(pool));
	ck_assert_ptr_null(op);
	ck_assert_int_eq(errno, ENOMEM);
	ck_assert_uint_eq(info_of(pool).out, 0);
	op = sfr_read(loop, empty_pipe(), sfr_buf_get(loop, 1));
	ck_assert_ptr_nonnull(op);
	sfr_op_discard(op);
}
END_TEST

/*
 * On a connection.
 */

static uint64_t heard_bytes;
static int opened, closed, close_reason;

static void hear(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)conn;
	(void)arg;
	heard_bytes += (uint64_t)result;
	sfr_buf_release(buf);
}

static void open_noted(sfr_conn *conn, void *arg)
{
	*(sfr_conn **)arg = conn;
	opened++;
}

static void close_noted(sfr_conn *conn, int reason, void *arg)
{
	*(sfr_conn **)arg = NULL;
	(void)conn;
	closed++;
	close_reason = reason;
}

static const sfr_handlers hearing = {.on_data = hear};
static const sfr_handlers saying = {.on_open = open_noted, .on_close = close_noted};

static sfr_conn *connection(sfr_loop *loop)
{
	static sfr_conn *conn;
	sfr_server *server;
	char address[64];

	heard_bytes = 0;
	opened = closed = 0;
	ck_assert_int_eq(sfr_serve(loop, "tcp://127.0.0.1:0", &hearing, NULL, &server), 0);
	sfr_server_address(server, address, sizeof(address));
	ck_assert_int_eq(sfr_dial(loop, address, &saying, &conn, NULL), 0);
	turn_until(loop, &opened, 1);
	return conn;
}

static bool heard_all(void *wanted)
{
	return heard_bytes == *(const uint64_t *)wanted;
}

START_TEST(a_connection_sends_them_beside_its_loops_own)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_conn *conn = connection(loop);
	uint64_t wanted = 5;
	int round;

	for (round = 0; round < 3; round++) {
		ck_assert_int_eq(sfr_conn_send(conn, pool_from("hello")), 5);
		turn_until_true(loop, heard_all, &wanted);
		ck_assert_int_eq(sfr_conn_send(conn, pool_from("a")), 1);
		ck_assert_int_eq(sfr_conn_send(conn, sfr_buf_from(loop, "bc", 2)), 2);
		ck_assert_int_eq(sfr_conn_send(conn, pool_from("def")), 3);
		wanted += 6;
		turn_until_true(loop, heard_all, &wanted);
		ck_assert_uint_eq(info_of(pool).out, 0);
		wanted += 5;
	}
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
}
END_TEST

START_TEST(a_connection_that_cannot_send_one_is_closed_and_says_why)
{
	sfr_loop *loop = loop_in(_i, "ring.ops_max=64");
	sfr_conn *conn = connection(loop);
	uint64_t wanted = 2;

	sfr_conn_send(conn, sfr_buf_from(loop, "hi", 2)); /* both ends receive by now */
	turn_until_true(loop, heard_all, &wanted);
	while (sfr_submit(sfr_timeout(loop, UINT64_MAX), NULL, NULL))
		;
	ck_assert_int_eq(sfr_conn_send(conn, pool_from("hello")), 5);
	turn_until(loop, &closed, 1);

	ck_assert_int_eq(close_reason, -ENOMEM);
	ck_assert_uint_eq(heard_bytes, 2);
	ck_assert_uint_eq(info_of(pool).out, 0);
	ck_assert_int_eq(sfr_loop_drain(loop, -1), 0);
}
END_TEST

/* The fixture of the pool goes down before that of the loop: by then every buffer must be back. */
static TCase *pool_case(Suite *suite, const char *name)
{
	TCase *tc = world_case(suite, name);

	tcase_add_checked_fixture(tc, pool_up, pool_down);
	return tc;
}

int main(void)
{
	Suite *suite = suite_create("pool");
	TCase *tc = pool_case(suite, "alone");

	tcase_add_test(tc, a_pool_has_as_many_buffers_as_were_asked_for);
	tcase_add_test(tc, what_it_says_of_itself_is_exact);
	tcase_add_test(tc, buffers_may_have_any_size_up_to_one_gib);
	tcase_add_test(tc, no_pool_is_made_of_nothing_or_of_too_much);
	tcase_add_test(tc, a_pool_with_a_buffer_out_is_not_freed_and_works_on);
	tcase_add_test(tc, a_second_release_is_reported_and_does_nothing);
	tcase_add_test(tc, a_shared_buffer_is_back_with_its_last_reference);
	tcase_add_test(tc, buffers_of_two_pools_do_not_make_a_chain);
	tcase_add_test(tc, threads_take_and_release_and_never_have_the_same_buffer);
	tcase_add_test(tc, loops_of_two_threads_use_one_pool);
	tc = pool_case(suite, "in a loop");
	world_test(tc, its_buffers_are_used_in_ops_and_come_back);
	world_test(tc, a_chain_of_them_is_sent_as_one);
	world_test(tc, a_shared_one_is_sent_and_not_filled);
	world_test(tc, it_comes_back_from_what_is_cancelled_abandoned_discarded_and_drained);
	world_test(tc, without_room_for_an_op_it_goes_back_to_its_pool);
	tc = pool_case(suite, "on a connection");
	world_test(tc, a_connection_sends_them_beside_its_loops_own);
	world_test(tc, a_connection_that_cannot_send_one_is_closed_and_says_why);
	return world_run(suite);
}
