/* SPDX-License-Identifier: MIT */
/*
 * Provided buffers: the engine picks one when bytes arrive, on every engine.
 */
#include "engine_world.h"
#include "machine/kernel.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ENTRIES 8
#define SIZE 64
#define GROUP 0

static struct {
	_Alignas(4096) struct io_uring_buf entries[ENTRIES]; /* the engine wants pages */
} ring;
static char buffers[256][SIZE]; /* by number */
static struct sfr__engine *the_engine;

static struct io_uring_buf_ring *the_ring(void)
{
	return (struct io_uring_buf_ring *)(void *)ring.entries;
}

/* Put a buffer into the ring: the engine's from now on. */
static void give(int number)
{
	io_uring_buf_ring_add(the_ring(), buffers[number], SIZE, (unsigned short)number,
			      ENTRIES - 1, 0);
	io_uring_buf_ring_advance(the_ring(), 1);
}

static void engine_with_buffers(int number, int count)
{
	struct sfr__engine *engine = engine_in(number, NULL);
	int i;

	io_uring_buf_ring_init(the_ring());
	ck_assert_int_eq(engine->calls->buf_ring_add(engine, ring.entries, ENTRIES, GROUP, 0), 0);
	for (i = 0; i < count; i++)
		give(i);
}

static void select_next(int name, int fd, unsigned size)
{
	io_uring_prep_recv(sqe_next(), fd, NULL, size, 0);
	sqe_is(name, IOSQE_BUFFER_SELECT)->buf_group = GROUP;
}

static void multi_next(int name, int fd)
{
	io_uring_prep_recv_multishot(sqe_next(), fd, NULL, 0, 0);
	sqe_is(name, IOSQE_BUFFER_SELECT)->buf_group = GROUP;
}

static void peer_sends(int fd, const char *text)
{
	ck_assert_int_eq(send(fd, text, strlen(text), 0), (int)strlen(text));
}

/* The n-th completion has the text in a buffer, whose number it returns. */
static int buffer_with(int name, int n, const char *text)
{
	const struct outcome *outcome = outcome_of(name);
	int number = (int)(outcome->flags[n] >> IORING_CQE_BUFFER_SHIFT);

	ck_assert_int_lt(n, outcome->calls);
	ck_assert_int_eq(outcome->results[n], (int)strlen(text));
	ck_assert_uint_ne(outcome->flags[n] & IORING_CQE_F_BUFFER, 0);
	ck_assert_int_lt(number, 256);
	ck_assert_mem_eq(buffers[number], text, strlen(text));
	return number;
}

static bool has_more(int name, int n)
{
	return outcome_of(name)->flags[n] & IORING_CQE_F_MORE;
}

/* The n-th completion is the last, has this result and no buffer. */
static void assert_end(int name, int n, int result)
{
	const struct outcome *outcome = outcome_of(name);

	ck_assert(outcome->over);
	ck_assert_int_eq(outcome->calls, n + 1);
	ck_assert_int_eq(outcome->results[n], result);
	ck_assert_uint_eq(outcome->flags[n] & IORING_CQE_F_BUFFER, 0);
}

/*
 * One receive, one buffer.
 */

START_TEST(a_receive_picks_a_buffer_when_bytes_arrive)
{
	int near, far;

	engine_with_buffers(_i, 2);
	pair_of_unix_sockets(&near, &far);
	select_next(A, near, SIZE);
	collect(0);
	ck_assert(is_pending(A));
	peer_sends(far, "hello");
	collect(1);

	ck_assert_int_eq(result_of(A), 5);
	ck_assert_int_eq(buffer_with(A, 0, "hello"), 0);
}
END_TEST

START_TEST(a_receive_takes_no_more_than_it_asks_for_and_no_more_than_fits)
{
	char text[SIZE + 4];
	int near, far;

	memset(text, 'x', sizeof(text));
	engine_with_buffers(_i, 4);
	pair_of_unix_sockets(&near, &far);
	ck_assert_int_eq(write(far, text, sizeof(text)), SIZE + 4);
	select_next(A, near, 3);
	select_next(B, near, 0);
	select_next(C, near, 4096);
	collect(3);

	ck_assert_int_eq(result_of(A), 3);
	ck_assert_int_eq(result_of(B), SIZE);
	ck_assert_int_eq(result_of(C), 1);
}
END_TEST

START_TEST(buffers_are_picked_in_the_order_of_the_ring)
{
	static const int numbers[] = {5, 3, 9, 200};
	int near, far, i;

	engine_with_buffers(_i, 0);
	pair_of_unix_sockets(&near, &far);
	for (i = 0; i < 4; i++)
		give(numbers[i]);
	for (i = 0; i < 4; i++) {
		peer_sends(far, "abc");
		select_next(A, near, SIZE);
		collect(1);
		ck_assert_int_eq(buffer_with(A, 0, "abc"), numbers[i]);
	}
}
END_TEST

START_TEST(a_receive_without_bytes_picks_none)
{
	int near, far, ended, ended_far;

	engine_with_buffers(_i, 2);
	pair_of_unix_sockets(&near, &far);
	pair_of_unix_sockets(&ended, &ended_far);
	fd_empty(ended_far);
	select_next(A, near, SIZE);
	select_next(B, ended, SIZE);
	collect(1);
	assert_end(B, 0, 0);
	sqe_cancel(A);
	sqe_is(CANCEL, 0);
	collect(2);
	assert_end(A, 0, -ECANCELED);

	peer_sends(far, "abc");
	select_next(C, near, SIZE);
	collect(1);
	ck_assert_int_eq(buffer_with(C, 0, "abc"), 0);
}
END_TEST

START_TEST(an_error_picks_none)
{
	struct sockaddr nobody = {.sa_family = AF_UNSPEC};
	int near, far, second, second_far;

	engine_with_buffers(_i, 2);
	pair_of_sockets(&near, &far);
	pair_of_unix_sockets(&second, &second_far);
	select_next(A, near, SIZE);
	collect(0);
	ck_assert_int_eq(connect(far, &nobody, sizeof(nobody)), 0); /* this is how one resets */
	collect(1);
	assert_end(A, 0, -ECONNRESET);

	peer_sends(second_far, "abc");
	select_next(B, second, SIZE);
	collect(1);
	ck_assert_int_eq(buffer_with(B, 0, "abc"), 0);
}
END_TEST

START_TEST(an_empty_ring_is_an_error_even_before_bytes_arrive)
{
	int near, far;

	engine_with_buffers(_i, 0);
	pair_of_unix_sockets(&near, &far);
	select_next(A, near, SIZE);
	multi_next(B, near);
	collect(2);

	assert_end(A, 0, -ENOBUFS);
	assert_end(B, 0, -ENOBUFS);
}
END_TEST

START_TEST(so_is_a_group_that_does_not_exist)
{
	int near, far;

	engine_with_buffers(_i, 2);
	pair_of_unix_sockets(&near, &far);
	io_uring_prep_recv(sqe_next(), near, NULL, SIZE, 0);
	sqe_is(A, IOSQE_BUFFER_SELECT)->buf_group = 7;
	collect(1);

	assert_end(A, 0, -ENOBUFS);
}
END_TEST

START_TEST(a_group_has_one_ring)
{
	static struct {
		_Alignas(4096) struct io_uring_buf entries[ENTRIES];
	} second;
	struct sfr__engine *engine = engine_in(_i, NULL);
	const struct sfr__engine_calls *calls = engine->calls;

	ck_assert_int_eq(calls->buf_ring_add(engine, ring.entries, ENTRIES, GROUP, 0), 0);
	ck_assert_int_eq(calls->buf_ring_add(engine, second.entries, ENTRIES, GROUP, 0), -EEXIST);
}
END_TEST

START_TEST(a_ring_has_a_power_of_two_of_entries)
{
	struct sfr__engine *engine = engine_in(_i, NULL);

	ck_assert_int_eq(engine->calls->buf_ring_add(engine, ring.entries, 7, GROUP, 0), -EINVAL);
	ck_assert_int_eq(engine->calls->buf_ring_add(engine, ring.entries, 0, GROUP, 0), -EINVAL);
}
END_TEST

/*
 * One receive, many buffers.
 */

START_TEST(a_multishot_receive_delivers_each_arrival)
{
	char text[] = "message 0";
	int near, far, i;

	engine_with_buffers(_i, 8);
	pair_of_unix_sockets(&near, &far);
	multi_next(A, near);
	collect(0);
	for (i = 0; i < 8; i++) {
		text[8] = (char)('0' + i);
		peer_sends(far, text);
		collect(1);
		ck_assert_int_eq(buffer_with(A, i, text), i);
		ck_assert(has_more(A, i));
	}
}
END_TEST

START_TEST(what_was_there_before_is_delivered_first)
{
	int near, far;

	engine_with_buffers(_i, 4);
	pair_of_unix_sockets(&near, &far);
	peer_sends(far, "early");
	multi_next(A, near);
	collect(1);
	peer_sends(far, "late");
	collect(1);

	buffer_with(A, 0, "early");
	buffer_with(A, 1, "late");
}
END_TEST

START_TEST(more_than_fits_goes_into_several)
{
	char text[2 * SIZE + 10];
	int near, far, i;

	for (i = 0; i < (int)sizeof(text); i++)
		text[i] = (char)('a' + i % 23);
	engine_with_buffers(_i, 4);
	pair_of_unix_sockets(&near, &far);
	multi_next(A, near);
	collect(0);
	ck_assert_int_eq(write(far, text, sizeof(text)), sizeof(text));
	collect(3);

	for (i = 0; i < 3; i++) {
		int length = i < 2 ? SIZE : 10;

		ck_assert_int_eq(outcome_of(A)->results[i], length);
		ck_assert(has_more(A, i));
		ck_assert_mem_eq(buffers[i], text + i * SIZE, length);
	}
}
END_TEST

START_TEST(the_end_of_the_stream_ends_it_without_a_buffer)
{
	int near, far;

	engine_with_buffers(_i, 4);
	pair_of_unix_sockets(&near, &far);
	multi_next(A, near);
	collect(0);
	peer_sends(far, "abc");
	fd_empty(far);
	collect(2);

	buffer_with(A, 0, "abc");
	assert_end(A, 1, 0);
}
END_TEST

START_TEST(cancelling_ends_it_without_a_buffer_and_loses_nothing)
{
	int near, far;

	engine_with_buffers(_i, 4);
	pair_of_unix_sockets(&near, &far);
	multi_next(A, near);
	collect(0);
	peer_sends(far, "abc");
	collect(1);
	sqe_cancel(A);
	sqe_is(CANCEL, 0);
	collect(2);
	ck_assert_int_eq(result_of(CANCEL), 0);
	assert_end(A, 1, -ECANCELED);

	peer_sends(far, "def");
	collect(0);
	multi_next(B, near);
	collect(1);
	ck_assert_int_eq(buffer_with(B, 0, "def"), 1);
}
END_TEST

START_TEST(running_out_of_buffers_ends_it_and_loses_nothing)
{
	int near, far;

	engine_with_buffers(_i, 2);
	pair_of_unix_sockets(&near, &far);
	multi_next(A, near);
	collect(0);
	peer_sends(far, "one");
	collect(1);
	peer_sends(far, "two");
	collect(1);
	ck_assert(is_pending(A));
	peer_sends(far, "three");
	collect(1);
	buffer_with(A, 0, "one");
	buffer_with(A, 1, "two");
	assert_end(A, 2, -ENOBUFS);

	give(1);
	multi_next(B, near);
	collect(1);
	ck_assert_int_eq(buffer_with(B, 0, "three"), 1);
	ck_assert(is_pending(B));
}
END_TEST

START_TEST(a_buffer_is_not_picked_again_until_it_is_given_back)
{
	bool held[ENTRIES] = {false};
	int near, far, round, n = 0, oldest[4], number;

	engine_with_buffers(_i, ENTRIES);
	pair_of_unix_sockets(&near, &far);
	multi_next(A, near);
	for (round = 0; round < 60; round++) {
		peer_sends(far, "abc");
		collect(1);
		number = buffer_with(A, n, "abc");
		ck_assert_int_lt(number, ENTRIES);
		ck_assert(!held[number]);
		held[number] = true;
		if (n >= 4) {
			held[oldest[n % 4]] = false;
			give(oldest[n % 4]);
		}
		oldest[n++ % 4] = number;
	}
}
END_TEST

START_TEST(receives_share_the_ring)
{
	int fds[2][2], i;

	engine_with_buffers(_i, 4);
	for (i = 0; i < 2; i++) {
		pair_of_unix_sockets(&fds[i][0], &fds[i][1]);
		multi_next(i, fds[i][0]);
	}
	for (i = 0; i < 4; i++) {
		peer_sends(fds[i % 2][1], i % 2 ? "odd" : "even");
		collect(1);
		ck_assert_int_eq(buffer_with(i % 2, i / 2, i % 2 ? "odd" : "even"), i);
	}
	peer_sends(fds[0][1], "even");
	collect(1);
	assert_end(A, 2, -ENOBUFS);
	ck_assert(is_pending(B));

	give(3);
	peer_sends(fds[1][1], "odd");
	collect(1);
	ck_assert_int_eq(buffer_with(B, 2, "odd"), 3);
}
END_TEST

/* Where completions overflow it may end at any time, and is asked for again. */
START_TEST(a_full_completion_queue_costs_no_bytes)
{
	struct sfr__engine *engine = engine_in(_i, "ring.entries=8 ring.cq_entries=8");
	const struct outcome *outcome = outcome_of(A);
	unsigned char text[2000];
	int near, far, i, n = 0, read = 0;

	for (i = 0; i < (int)sizeof(text); i++)
		text[i] = (unsigned char)(i % 251);
	io_uring_buf_ring_init(the_ring());
	ck_assert_int_eq(engine->calls->buf_ring_add(engine, ring.entries, ENTRIES, GROUP, 0), 0);
	for (i = 0; i < ENTRIES; i++)
		give(i);
	pair_of_unix_sockets(&near, &far);
	ck_assert_int_eq(write(far, text, sizeof(text)), sizeof(text));
	multi_next(A, near);
	for (i = 0; i < 7; i++) { /* almost no room for what is received */
		io_uring_prep_nop(sqe_next());
		sqe_is(B + i, 0);
	}
	while (read < (int)sizeof(text)) {
		collect_some();
		for (; n < outcome->calls; n++) {
			unsigned number = outcome->flags[n] >> IORING_CQE_BUFFER_SHIFT;

			if (outcome->results[n] < 0)
				continue;
			ck_assert_mem_eq(buffers[number], text + read, outcome->results[n]);
			read += outcome->results[n];
			give((int)number);
		}
		if (outcome->over) {
			multi_next(A, near);
			n = 0;
		}
	}
}
END_TEST

/*
 * Other ops.
 */

START_TEST(a_read_of_a_pipe_picks_a_buffer)
{
	int read_end, write_end;

	engine_with_buffers(_i, 2);
	pair_of_pipe_ends(&read_end, &write_end);
	io_uring_prep_read(sqe_next(), read_end, NULL, SIZE, 0);
	sqe_is(A, IOSQE_BUFFER_SELECT)->buf_group = GROUP;
	collect(0);
	ck_assert(is_pending(A));
	ck_assert_int_eq(write(write_end, "hello", 5), 5);
	collect(1);

	ck_assert_int_eq(result_of(A), 5);
	ck_assert_int_eq(buffer_with(A, 0, "hello"), 0);
}
END_TEST

START_TEST(what_cannot_pick_buffers_says_so)
{
	engine_with_buffers(_i, 2);
	io_uring_prep_nop(sqe_next());
	sqe_is(A, IOSQE_BUFFER_SELECT);
	collect(1);

	ck_assert_int_eq(result_of(A), -EOPNOTSUPP);
}
END_TEST

/*
 * Datagrams, with who sent them.
 */

static struct msghdr layout = {.msg_namelen = sizeof(struct sockaddr_in)};

#define FRONT (sizeof(struct io_uring_recvmsg_out) + sizeof(struct sockaddr_in))

static void datagrams_next(int name, int fd)
{
	io_uring_prep_recvmsg_multishot(sqe_next(), fd, &layout, 0);
	sqe_is(name, IOSQE_BUFFER_SELECT)->buf_group = GROUP;
}

/* Two sockets that send to each other; returns the name of the second. */
static struct sockaddr_in datagram_sockets(int *near, int *far)
{
	struct sockaddr_in addr[2];
	int fds[2], i;

	for (i = 0; i < 2; i++) {
		socklen_t size = sizeof(addr[i]);

		addr[i] = (struct sockaddr_in){.sin_family = AF_INET,
					       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
		fds[i] = owned_fd(socket(AF_INET, SOCK_DGRAM, 0));
		ck_assert_int_eq(bind(fds[i], (struct sockaddr *)&addr[i], size), 0);
		ck_assert_int_eq(getsockname(fds[i], (struct sockaddr *)&addr[i], &size), 0);
	}
	ck_assert_int_eq(connect(fds[1], (struct sockaddr *)&addr[0], sizeof(addr[0])), 0);
	*near = fds[0];
	*far = fds[1];
	return addr[1];
}

/* The n-th completion has this datagram, from that sender, in the buffer of that number. */
static void assert_datagram(int name, int n, int number, const char *text,
			    const struct sockaddr_in *from)
{
	const struct outcome *outcome = outcome_of(name);
	struct io_uring_recvmsg_out out;

	ck_assert_int_eq(outcome->results[n], (int)(FRONT + strlen(text)));
	ck_assert_uint_ne(outcome->flags[n] & IORING_CQE_F_BUFFER, 0);
	ck_assert_int_eq((int)(outcome->flags[n] >> IORING_CQE_BUFFER_SHIFT), number);
	memcpy(&out, buffers[number], sizeof(out));
	ck_assert_uint_eq(out.namelen, sizeof(*from));
	ck_assert_uint_eq(out.payloadlen, strlen(text));
	ck_assert_uint_eq(out.controllen, 0);
	ck_assert_mem_eq(buffers[number] + sizeof(out), from, sizeof(*from));
	ck_assert_mem_eq(buffers[number] + FRONT, text, strlen(text));
}

START_TEST(a_multishot_message_comes_with_a_header_and_its_sender)
{
	struct sockaddr_in from;
	int near, far;

	engine_with_buffers(_i, 4);
	from = datagram_sockets(&near, &far);
	datagrams_next(A, near);
	peer_sends(far, "one");
	peer_sends(far, "three");
	collect(2);
	assert_datagram(A, 0, 0, "one", &from);
	assert_datagram(A, 1, 1, "three", &from);
	ck_assert(has_more(A, 0) && has_more(A, 1));

	peer_sends(far, "later");
	collect(1);
	assert_datagram(A, 2, 2, "later", &from);
}
END_TEST

START_TEST(an_empty_datagram_has_a_buffer_and_ends_it)
{
	struct sockaddr_in from;
	int near, far;

	engine_with_buffers(_i, 4);
	from = datagram_sockets(&near, &far);
	datagrams_next(A, near);
	collect(0);
	peer_sends(far, "");
	collect(1);

	assert_datagram(A, 0, 0, "", &from);
	ck_assert(!has_more(A, 0));
	ck_assert(outcome_of(A)->over);
}
END_TEST

START_TEST(a_message_that_does_not_fit_is_cut)
{
	char text[SIZE];
	int near, far;

	memset(text, 'x', sizeof(text));
	engine_with_buffers(_i, 4);
	(void)datagram_sockets(&near, &far);
	datagrams_next(A, near);
	ck_assert_int_eq(send(far, text, sizeof(text), 0), SIZE);
	collect(1);

	ck_assert_int_eq(outcome_of(A)->results[0], SIZE);
}
END_TEST

START_TEST(messages_wait_while_the_ring_is_empty)
{
	struct sockaddr_in from;
	int near, far;

	engine_with_buffers(_i, 1);
	from = datagram_sockets(&near, &far);
	peer_sends(far, "one");
	peer_sends(far, "two");
	datagrams_next(A, near);
	collect(2);
	assert_datagram(A, 0, 0, "one", &from);
	assert_end(A, 1, -ENOBUFS);

	give(1);
	datagrams_next(B, near);
	collect_some();
	assert_datagram(B, 0, 1, "two", &from);
}
END_TEST

/*
 * Incremental rings: a buffer is used up bit by bit.
 */

/* The kernel's own count of what it has used up. False where it does not tell: before 6.10. */
static bool ring_head(struct sfr__engine *engine, unsigned *head_out)
{
	struct {
		uint32_t group, head, reserved[8];
	} status = {.group = GROUP};

	if (strcmp(engine->calls->name, "uring") != 0 ||
	    io_uring_register((unsigned)engine->own[0], 26 /* IORING_REGISTER_PBUF_STATUS */,
			      &status, 1) < 0)
		return false;
	*head_out = status.head;
	return true;
}

static void assert_head(unsigned expected)
{
	unsigned head;

	if (ring_head(the_engine, &head))
		ck_assert_uint_eq(head, expected);
}

/* False, and nothing to test, where the kernel is older than such rings. */
static bool engine_with_blocks(int number, int count)
{
	struct sfr__engine *engine = the_engine = engine_in(number, NULL);
	int i, r;

	io_uring_buf_ring_init(the_ring());
	r = engine->calls->buf_ring_add(engine, ring.entries, ENTRIES, GROUP, SFR__PBUF_RING_INC);
	if (r == -EINVAL && strcmp(engine->calls->name, "uring") == 0)
		return false;
	ck_assert_int_eq(r, 0);
	for (i = 0; i < count; i++)
		give(i);
	return true;
}

/* The n-th completion has the text in the buffer of that number, from a place in it on. */
static void assert_part(int name, int n, int number, int at, const char *text)
{
	const struct outcome *outcome = outcome_of(name);
	const size_t len = strlen(text);

	ck_assert_int_lt(n, outcome->calls);
	ck_assert_int_eq(outcome->results[n], (int)len);
	ck_assert_uint_ne(outcome->flags[n] & IORING_CQE_F_BUFFER, 0);
	ck_assert_int_eq(outcome->flags[n] >> IORING_CQE_BUFFER_SHIFT, number);
	ck_assert_mem_eq(buffers[number] + at, text, len);
	ck_assert_int_eq(!(outcome->flags[n] & SFR__CQE_F_BUF_MORE), at + (int)len == SIZE);
}

START_TEST(an_incremental_ring_goes_on_behind_what_arrived)
{
	int near, far;

	if (!engine_with_blocks(_i, 2))
		return;
	pair_of_unix_sockets(&near, &far);
	multi_next(A, near);
	collect(0);
	peer_sends(far, "hello");
	collect(1);
	peer_sends(far, "again");
	collect(1);

	assert_part(A, 0, 0, 0, "hello");
	assert_part(A, 1, 0, 5, "again");
	assert_head(0);
}
END_TEST

START_TEST(several_receives_share_the_first_buffer)
{
	int near, far, second, second_far;

	if (!engine_with_blocks(_i, 2))
		return;
	pair_of_unix_sockets(&near, &far);
	pair_of_sockets(&second, &second_far);
	multi_next(A, near);
	select_next(B, second, 0);
	collect(0);
	peer_sends(far, "one");
	collect(1);
	peer_sends(second_far, "two");
	collect(1);
	peer_sends(far, "three");
	collect(1);

	assert_part(A, 0, 0, 0, "one");
	assert_part(B, 0, 0, 3, "two");
	assert_part(A, 1, 0, 6, "three");
}
END_TEST

START_TEST(it_says_so_when_a_buffer_is_used_up_and_takes_the_next)
{
	char text[SIZE - 4] = {0};
	int near, far;

	if (!engine_with_blocks(_i, 2))
		return;
	pair_of_unix_sockets(&near, &far);
	multi_next(A, near);
	collect(0);
	memset(text, 'x', sizeof(text) - 1);
	peer_sends(far, text);
	collect(1);
	assert_part(A, 0, 0, 0, text);
	peer_sends(far, "abcdefgh");
	collect(2);

	assert_part(A, 1, 0, SIZE - 5, "abcde");
	assert_part(A, 2, 1, 0, "fgh");
	assert_head(1);
}
END_TEST

START_TEST(without_bytes_nothing_is_used_up)
{
	int near, far, second, second_far;

	if (!engine_with_blocks(_i, 2))
		return;
	pair_of_unix_sockets(&near, &far);
	pair_of_unix_sockets(&second, &second_far);
	multi_next(A, near);
	multi_next(B, second);
	collect(0);
	peer_sends(far, "abc");
	collect(1);
	fd_empty(far);
	collect(1);
	sqe_cancel(B);
	sqe_is(CANCEL, 0);
	collect(2);
	assert_end(A, 1, 0);
	assert_end(B, 0, -ECANCELED);
	assert_head(0);

	pair_of_unix_sockets(&near, &far);
	select_next(C, near, 0);
	peer_sends(far, "def");
	collect(1);
	assert_part(C, 0, 0, 3, "def");
}
END_TEST

START_TEST(an_incremental_ring_that_is_used_up_ends_a_receive)
{
	char text[SIZE + 9];
	int near, far;

	if (!engine_with_blocks(_i, 1))
		return;
	memset(text, 'x', sizeof(text));
	pair_of_unix_sockets(&near, &far);
	multi_next(A, near);
	collect(0);
	ck_assert_int_eq(write(far, text, sizeof(text)), (int)sizeof(text));
	collect(2);

	ck_assert_int_eq(outcome_of(A)->results[0], SIZE);
	assert_end(A, 1, -ENOBUFS);
	ck_assert_int_eq(bytes_waiting(near), 9);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("engine buffers");
	TCase *tc = engine_case(suite, "one receive, one buffer");

	engine_test(tc, a_receive_picks_a_buffer_when_bytes_arrive);
	engine_test(tc, a_receive_takes_no_more_than_it_asks_for_and_no_more_than_fits);
	engine_test(tc, buffers_are_picked_in_the_order_of_the_ring);
	engine_test(tc, a_receive_without_bytes_picks_none);
	engine_test(tc, an_error_picks_none);
	engine_test(tc, an_empty_ring_is_an_error_even_before_bytes_arrive);
	engine_test(tc, so_is_a_group_that_does_not_exist);
	engine_test(tc, a_group_has_one_ring);
	engine_test(tc, a_ring_has_a_power_of_two_of_entries);
	tc = engine_case(suite, "one receive, many buffers");
	engine_test(tc, a_multishot_receive_delivers_each_arrival);
	engine_test(tc, what_was_there_before_is_delivered_first);
	engine_test(tc, more_than_fits_goes_into_several);
	engine_test(tc, the_end_of_the_stream_ends_it_without_a_buffer);
	engine_test(tc, cancelling_ends_it_without_a_buffer_and_loses_nothing);
	engine_test(tc, running_out_of_buffers_ends_it_and_loses_nothing);
	engine_test(tc, a_buffer_is_not_picked_again_until_it_is_given_back);
	engine_test(tc, receives_share_the_ring);
	engine_test(tc, a_full_completion_queue_costs_no_bytes);
	tc = engine_case(suite, "incremental rings");
	engine_test(tc, an_incremental_ring_goes_on_behind_what_arrived);
	engine_test(tc, several_receives_share_the_first_buffer);
	engine_test(tc, it_says_so_when_a_buffer_is_used_up_and_takes_the_next);
	engine_test(tc, without_bytes_nothing_is_used_up);
	engine_test(tc, an_incremental_ring_that_is_used_up_ends_a_receive);
	tc = engine_case(suite, "second ops");
	engine_test(tc, a_read_of_a_pipe_picks_a_buffer);
	engine_test(tc, what_cannot_pick_buffers_says_so);
	tc = engine_case(suite, "datagrams");
	engine_test(tc, a_multishot_message_comes_with_a_header_and_its_sender);
	engine_test(tc, an_empty_datagram_has_a_buffer_and_ends_it);
	engine_test(tc, a_message_that_does_not_fit_is_cut);
	engine_test(tc, messages_wait_while_the_ring_is_empty);
	return engine_run(suite);
}
