/* SPDX-License-Identifier: MIT */
/*
 * Datagrams: whole, one by one, and with the address of who sent each.
 */
#include "pending.h"
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static int here, there;
static struct sockaddr_in here_addr, there_addr;

/* A socket of loopback, and its address. */
static int datagram_socket(struct sockaddr_in *out)
{
	struct sockaddr_in addr = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(addr);
	int fd = owned_fd(socket(AF_INET, SOCK_DGRAM, 0));

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(getsockname(fd, (struct sockaddr *)&addr, &size), 0);
	*out = addr;
	return fd;
}

static sfr_loop *loop_with_sockets(int world, const char *more)
{
	here = datagram_socket(&here_addr);
	there = datagram_socket(&there_addr);
	return loop_in(world, more);
}

static void send_there_to_here(const char *text)
{
	ck_assert_int_eq(sendto(there, text, strlen(text), 0, (struct sockaddr *)&here_addr,
				sizeof(here_addr)),
			 (ssize_t)strlen(text));
}

static void assert_from_there(const sfr_buf *buf)
{
	struct sockaddr_storage peer;

	ck_assert_uint_eq(sfr_buf_peer(buf, &peer), sizeof(there_addr));
	ck_assert_mem_eq(&peer, &there_addr, sizeof(there_addr));
}

static void assert_text(const sfr_buf *buf, const char *text)
{
	ck_assert(sfr_buf_is_owned(buf));
	ck_assert_uint_eq(buf->len, strlen(text));
	ck_assert_mem_eq(buf->data, text, strlen(text));
}

/*
 * Sending.
 */

START_TEST(a_datagram_is_sent_to_an_address)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	sfr_buf *buf;
	char back[16];

	ck_assert_int_eq(sfr_await(sfr_sendto(loop, here, sfr_buf_from(loop, "hello", 5),
					      (struct sockaddr *)&there_addr, sizeof(there_addr)),
				   &buf),
			 5);

	assert_text(buf, "hello");
	ck_assert_int_eq(recv(there, back, sizeof(back), 0), 5);
	ck_assert_mem_eq(back, "hello", 5);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(the_address_is_copied)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	struct sockaddr_in addr = there_addr;
	char back[16];

	sfr_submit(sfr_sendto(loop, here, sfr_buf_from(loop, "hello", 5), (struct sockaddr *)&addr,
			      sizeof(addr)),
		   record, &seen);
	memset(&addr, 0xff, sizeof(addr));
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 5);
	ck_assert_int_eq(recv(there, back, sizeof(back), 0), 5);
}
END_TEST

START_TEST(a_connected_socket_needs_no_address)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	char back[16];

	ck_assert_int_eq(connect(here, (struct sockaddr *)&there_addr, sizeof(there_addr)), 0);
	ck_assert_int_eq(
		sfr_await(sfr_sendto(loop, here, sfr_buf_from(loop, "hello", 5), NULL, 0), NULL),
		5);

	ck_assert_int_eq(recv(there, back, sizeof(back), 0), 5);
}
END_TEST

/* The gather of the one before is used again, and must not send to where that one did. */
START_TEST(an_address_is_not_left_for_the_next)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	int a, b;
	sfr_buf *chain;
	char back[16];

	ck_assert_int_eq(sfr_await(sfr_sendto(loop, here, sfr_buf_from(loop, "hello", 5),
					      (struct sockaddr *)&there_addr, sizeof(there_addr)),
				   NULL),
			 5);
	pair_of_sockets(&a, &b);
	chain = sfr_buf_append(sfr_buf_from(loop, "one", 3), sfr_buf_from(loop, "two", 3));
	ck_assert_int_eq(sfr_await(sfr_send(loop, a, chain), NULL), 6);
	ck_assert_int_eq(recv(b, back, sizeof(back), 0), 6);
	ck_assert_int_eq(
		sfr_await(sfr_sendto(loop, here, sfr_buf_from(loop, "hello", 5), NULL, 0), NULL),
		-EDESTADDRREQ);
}
END_TEST

START_TEST(a_chain_is_one_datagram)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	sfr_buf *chain = sfr_buf_append(sfr_buf_from(loop, "one", 3), sfr_buf_from(loop, "two", 3));
	char back[16];

	ck_assert_int_eq(sfr_await(sfr_sendto(loop, here, chain, (struct sockaddr *)&there_addr,
					      sizeof(there_addr)),
				   NULL),
			 6);

	ck_assert_int_eq(recv(there, back, sizeof(back), 0), 6);
	ck_assert_mem_eq(back, "onetwo", 6);
}
END_TEST

/* Emulators drop a message of no bytes. */
static bool system_sends_empty_messages(void)
{
	const struct msghdr empty = {.msg_name = &there_addr, .msg_namelen = sizeof(there_addr)};
	char back[16];

	return sendmsg(here, &empty, 0) == 0 && recv(there, back, sizeof(back), MSG_DONTWAIT) == 0;
}

START_TEST(an_empty_datagram_is_sent)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	char back[16];

	if (!system_sends_empty_messages())
		return;
	ck_assert_int_eq(sfr_await(sfr_sendto(loop, here, sfr_buf_get(loop, 16),
					      (struct sockaddr *)&there_addr, sizeof(there_addr)),
				   NULL),
			 0);

	ck_assert_int_eq(recv(there, back, sizeof(back), 0), 0);
}
END_TEST

START_TEST(what_cannot_be_sent_comes_back_with_its_error)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	static struct sockaddr_storage long_one[2];
	const struct {
		const void *addr;
		socklen_t size;
		size_t len;
		int fd, result;
	} cases[] = {
		{&there_addr, sizeof(there_addr), 100000, here, -EMSGSIZE},
		{&there_addr, sizeof(there_addr), 5, -1, -EBADF},
		{&there_addr, sizeof(there_addr), 5, empty_file(), -ENOTSOCK},
		{NULL, 0, 5, here, -EDESTADDRREQ},
		{NULL, sizeof(there_addr), 5, here, -EINVAL},
		{long_one, sizeof(long_one), 5, here, -EINVAL},
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		sfr_buf *buf = sfr_buf_get(loop, cases[i].len);

		ck_assert_ptr_nonnull(buf);
		buf->len = (uint32_t)cases[i].len;
		memset(buf->data, 'x', buf->len);
		ck_assert_int_eq(
			sfr_await(sfr_sendto(loop, cases[i].fd, buf, cases[i].addr, cases[i].size),
				  &buf),
			cases[i].result);
		ck_assert_uint_eq(buf->len, cases[i].len);
		ck_assert_uint_eq(buf->data[0], 'x');
		sfr_buf_release(buf);
	}
}
END_TEST

/*
 * Receiving one.
 */

START_TEST(a_datagram_comes_with_who_sent_it)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);

	sfr_submit(sfr_recvfrom(loop, here, sfr_buf_get(loop, 1024)), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	send_there_to_here("hello");
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 5);
	assert_text(seen.buf, "hello");
	assert_from_there(seen.buf);
}
END_TEST

START_TEST(an_empty_datagram_has_a_sender_too)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);

	send_there_to_here("");
	sfr_submit(sfr_recvfrom(loop, here, sfr_buf_get(loop, 1024)), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.result, 0);
	assert_text(seen.buf, "");
	assert_from_there(seen.buf);
}
END_TEST

START_TEST(data_is_received_where_the_window_begins_if_that_is_behind_the_address)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	static const int windows[][2] = {{0, SFR_PEER_ROOM},
					 {10, SFR_PEER_ROOM},
					 {300, 300},
					 {SFR_PEER_ROOM, SFR_PEER_ROOM}};
	size_t i;

	for (i = 0; i < sizeof(windows) / sizeof(windows[0]); i++) {
		sfr_buf *buf = sfr_buf_get(loop, 1024);
		unsigned char *base = buf->data;

		buf->data += windows[i][0];
		send_there_to_here("hello");
		ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, here, buf), &buf), 5);

		ck_assert_ptr_eq(buf->data, base + windows[i][1]);
		assert_text(buf, "hello");
		assert_from_there(buf);
		sfr_buf_release(buf);
	}
}
END_TEST

START_TEST(a_datagram_that_is_too_large_is_cut)
{
	sfr_loop *loop = loop_with_sockets(_i, "buffers.size=512 buffers.count=16");
	char text[301];

	memset(text, 'x', 300);
	text[300] = '\0';
	send_there_to_here(text);
	send_there_to_here("next");
	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, here, sfr_buf_get(loop, 512)), &seen.buf),
			 512 - SFR_PEER_ROOM);
	ck_assert_uint_eq(seen.buf->len, 512 - SFR_PEER_ROOM);
	ck_assert_uint_eq(sfr_buf_cut(seen.buf), 300 - (512 - SFR_PEER_ROOM));
	assert_from_there(seen.buf);
	sfr_buf_release(seen.buf);
	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, here, sfr_buf_get(loop, 512)), &seen.buf), 4);
	assert_text(seen.buf, "next");
	ck_assert_uint_eq(sfr_buf_cut(seen.buf), 0);
	seen_release(&seen);
}
END_TEST

/* Also if it has no sender, which in the descriptor's place for that looks like no datagram. */
START_TEST(a_unix_datagram_that_is_too_large_is_cut)
{
	sfr_loop *loop = loop_with_sockets(_i, "buffers.size=512 buffers.count=16");
	static const int types[] = {SOCK_DGRAM, SOCK_SEQPACKET};
	char text[300] = "";
	int fds[2], i;

	for (i = 0; i < 2; i++) {
		ck_assert_int_eq(socketpair(AF_UNIX, types[i], 0, fds), 0);
		owned_fd(fds[0]);
		owned_fd(fds[1]);
		ck_assert_int_eq(send(fds[1], text, sizeof(text), 0), sizeof(text));
		ck_assert_int_eq(
			sfr_await(sfr_recvfrom(loop, fds[0], sfr_buf_get(loop, 512)), &seen.buf),
			512 - SFR_PEER_ROOM);
		ck_assert_uint_eq(sfr_buf_cut(seen.buf), sizeof(text) - (512 - SFR_PEER_ROOM));
		seen_release(&seen);
	}
}
END_TEST

/* What does not fit stays in a stream. */
START_TEST(a_stream_is_not_cut)
{
	sfr_loop *loop = loop_with_sockets(_i, "buffers.size=512 buffers.count=16");
	char text[300];
	int kind, a, b;

	memset(text, 'x', 300);
	for (kind = 0; kind < 2; kind++) {
		if (kind)
			pair_of_unix_sockets(&a, &b);
		else
			pair_of_sockets(&a, &b);
		ck_assert_int_eq(send(b, text, 300, 0), 300);
		ck_assert_int_eq(
			sfr_await(sfr_recvfrom(loop, a, sfr_buf_get(loop, 512)), &seen.buf), 256);
		ck_assert_uint_eq(seen.buf->data[255], 'x');
		ck_assert_uint_eq(sfr_buf_cut(seen.buf), 0);
		seen_release(&seen);
		ck_assert_int_eq(
			sfr_await(sfr_recvfrom(loop, a, sfr_buf_get(loop, 512)), &seen.buf), 44);
		ck_assert_uint_eq(seen.buf->data[43], 'x');
		seen_release(&seen);
	}
}
END_TEST

/* What it is nobody can ask: that it was cut is told, and not by how much. */
START_TEST(a_datagram_of_a_registered_socket_is_known_to_be_cut)
{
	sfr_loop *loop = loop_with_sockets(_i, "buffers.size=512 buffers.count=16");
	char text[301];
	int name;

	memset(text, 'x', 300);
	text[300] = '\0';
	ck_assert_int_eq(sfr_files_register(loop, &here, 1, &name), 0);
	send_there_to_here(text);
	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, name, sfr_buf_get(loop, 512)), &seen.buf),
			 512 - SFR_PEER_ROOM);
	ck_assert_uint_eq(sfr_buf_cut(seen.buf), SIZE_MAX);
	seen_release(&seen);
	sfr_submit(sfr_recvfrom_multi(loop, name), record, &seen);
	send_there_to_here(text);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 512 - SFR_PEER_ROOM);
	ck_assert_uint_eq(sfr_buf_cut(seen.buf), SIZE_MAX);
	send_there_to_here("whole");
	turn_until(loop, &seen.calls, 2);
	ck_assert_uint_eq(sfr_buf_cut(seen.buf), 0);
}
END_TEST

/* The room of a datagram is compiled into programs: it is not to change any more. */
START_TEST(the_largest_datagram_fits_into_65527_bytes)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	sfr_buf *buf = sfr_buf_get(loop, SFR_PEER_ROOM + 65527);
	static char largest[65507];

	ck_assert_uint_eq(SFR_PEER_ROOM, 256);
	memset(largest, 'l', sizeof(largest));
	ck_assert_int_eq(sendto(there, largest, sizeof(largest), 0, (struct sockaddr *)&here_addr,
				sizeof(here_addr)),
			 sizeof(largest));
	memset(buf->data, 0, buf->cap); /* Valgrind does not see what the kernel writes */
	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, here, buf), &seen.buf), sizeof(largest));
	ck_assert_uint_eq(sfr_buf_cut(seen.buf), 0);
	ck_assert_mem_eq(seen.buf->data, largest, sizeof(largest));
	seen_release(&seen);
}
END_TEST

/* Programs can write to where it is kept. */
START_TEST(a_head_that_was_written_over_does_no_harm)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	struct sockaddr_storage peer;

	send_there_to_here("hello");
	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, here, sfr_buf_get(loop, 1024)), &seen.buf),
			 5);
	memset(seen.buf->data - SFR_PEER_ROOM, 0xff, SFR_PEER_ROOM);
	ck_assert_uint_eq(sfr_buf_peer(seen.buf, &peer), 0);
	(void)sfr_buf_cut(seen.buf);
	seen_release(&seen);
}
END_TEST

START_TEST(a_buffer_without_more_room_than_for_the_address_is_refused)
{
	sfr_loop *loop = loop_with_sockets(_i, "buffers.size=128 buffers.count=16");
	static unsigned char memory[SFR_PEER_ROOM + 1];
	sfr_buf *buf;

	log_listen();
	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, here, sfr_buf_get(loop, 64)), NULL), -EINVAL);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_nonnull(strstr(log_line, "buffers.size"));
	buf = sfr_buf_wrap(loop, memory, SFR_PEER_ROOM, NULL, NULL);
	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, here, buf), NULL), -EINVAL);
	ck_assert_int_eq(log_lines, 2);

	send_there_to_here("hello");
	buf = sfr_buf_wrap(loop, memory, SFR_PEER_ROOM + 1, NULL, NULL);
	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, here, buf), &buf), 1);
	ck_assert_uint_eq(sfr_buf_cut(buf), 4);
	sfr_buf_release(buf);

	sfr_submit(sfr_recvfrom_multi(loop, here), record, &seen);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -EINVAL);
	ck_assert_int_eq(log_lines, 3);
}
END_TEST

START_TEST(a_failed_receive_leaves_the_buffer_as_it_was)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	sfr_buf *buf = sfr_buf_from(loop, "hello", 5);
	unsigned char *data = buf->data;
	struct sockaddr_storage peer;

	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, -1, buf), &buf), -EBADF);
	ck_assert_ptr_eq(buf->data, data);
	ck_assert_uint_eq(buf->len, 0);
	ck_assert_uint_eq(sfr_buf_peer(buf, &peer), 0);
	sfr_buf_release(buf);
}
END_TEST

/*
 * Who sent it.
 */

START_TEST(a_buffer_forgets_its_sender_when_it_is_filled_or_taken_anew)
{
	sfr_loop *loop = loop_with_sockets(_i, "buffers.count=1");
	struct sockaddr_storage peer;
	sfr_buf *buf;
	int a, b;

	pair_of_sockets(&a, &b);
	send_there_to_here("hello");
	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, here, sfr_buf_get(loop, 1)), &buf), 5);
	assert_from_there(buf);
	ck_assert_int_eq(send(b, "bytes", 5, 0), 5);
	ck_assert_int_eq(sfr_await(sfr_recv(loop, a, buf), &buf), 5);
	ck_assert_uint_eq(sfr_buf_peer(buf, &peer), 0);
	ck_assert_uint_eq(sfr_buf_cut(buf), 0);
	sfr_buf_release(buf);

	send_there_to_here("hello");
	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, here, sfr_buf_get(loop, 1)), &buf), 5);
	sfr_buf_release(buf);
	buf = sfr_buf_get(loop, 1);
	ck_assert_uint_eq(sfr_buf_peer(buf, &peer), 0);
	sfr_buf_release(buf);
}
END_TEST

START_TEST(a_buffer_keeps_its_sender_while_it_is_sent_and_shared)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	struct sockaddr_storage peer;
	sfr_buf *buf, *shared, *asked;
	socklen_t size;
	char back[16];

	send_there_to_here("hello");
	ck_assert_int_eq(sfr_await(sfr_recvfrom(loop, here, sfr_buf_get(loop, 1024)), &buf), 5);
	size = sfr_buf_peer(buf, &peer);
	asked = same(buf);
	sfr_submit(sfr_sendto(loop, here, buf, (struct sockaddr *)&peer, size), record, &seen);
	ck_assert_uint_eq(sfr_buf_peer(asked, &peer), 0); /* in flight */
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(recv(there, back, sizeof(back), 0), 5);
	assert_from_there(seen.buf);
	shared = sfr_buf_share(seen.buf);
	ck_assert_ptr_nonnull(shared);
	assert_from_there(shared);
	sfr_buf_release(shared);
}
END_TEST

START_TEST(a_unix_sender_without_a_name_has_no_address)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	struct sockaddr_storage peer;
	int fds[2];

	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	owned_fd(fds[0]);
	owned_fd(fds[1]);
	sfr_submit(sfr_recvfrom_multi(loop, fds[0]), record, &seen);
	ck_assert_int_eq(send(fds[1], "hello", 5, 0), 5);
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, 5);
	assert_text(seen.buf, "hello");
	ck_assert_uint_eq(sfr_buf_peer(seen.buf, &peer), 0);
}
END_TEST

START_TEST(the_longest_unix_name_is_told_whole)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	struct sockaddr_un to = {.sun_family = AF_UNIX}, from = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(to);
	struct sockaddr_storage peer;
	int receiver = owned_fd(socket(AF_UNIX, SOCK_DGRAM, 0));
	int sender = owned_fd(socket(AF_UNIX, SOCK_DGRAM, 0));

	ck_assert_int_eq(bind(receiver, (struct sockaddr *)&to, sizeof(to.sun_family)), 0);
	ck_assert_int_eq(getsockname(receiver, (struct sockaddr *)&to, &size), 0);
	memset(from.sun_path + 1, 'n', sizeof(from.sun_path) - 1); /* an abstract one */
	memcpy(from.sun_path + 1, &(pid_t){getpid()}, sizeof(pid_t));
	ck_assert_int_eq(bind(sender, (struct sockaddr *)&from, sizeof(from)), 0);
	sfr_submit(sfr_recvfrom_multi(loop, receiver), record, &seen);
	sfr_submit(sfr_sendto(loop, sender, sfr_buf_from(loop, "hello", 5), (struct sockaddr *)&to,
			      size),
		   record, &other);
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, 5);
	ck_assert_uint_eq(sfr_buf_peer(seen.buf, &peer), sizeof(from));
	ck_assert_mem_eq(&peer, &from, sizeof(from));
}
END_TEST

/*
 * Receiving again and again.
 */

START_TEST(each_datagram_is_a_buffer_with_its_sender)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);

	sfr_submit(sfr_recvfrom_multi(loop, here), record, &seen);
	send_there_to_here("one");
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 3);
	assert_text(seen.buf, "one");
	assert_from_there(seen.buf);
	send_there_to_here("three");
	turn_until(loop, &seen.calls, 2);
	ck_assert_int_eq(seen.result, 5);
	assert_text(seen.buf, "three");
	assert_from_there(seen.buf);
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1);
}
END_TEST

START_TEST(empty_datagrams_are_not_the_end)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	int i;

	sfr_submit(sfr_recvfrom_multi(loop, here), record, &seen);
	for (i = 0; i < 3; i++) {
		send_there_to_here("");
		turn_until(loop, &seen.calls, 2 * i + 1);
		ck_assert_int_eq(seen.result, 0);
		assert_text(seen.buf, "");
		assert_from_there(seen.buf);
		send_there_to_here("x");
		turn_until(loop, &seen.calls, 2 * i + 2);
		ck_assert_int_eq(seen.result, 1);
	}
	ck_assert_uint_eq(sfr_loop_inflight(loop), 1);
}
END_TEST

/* Some kernels say that this is an empty datagram, as often as they are asked. */
START_TEST(a_socket_that_is_shut_down_brings_no_empty_datagrams)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	sfr_ticket ticket;

	ck_assert_int_eq(connect(here, (struct sockaddr *)&there_addr, sizeof(there_addr)), 0);
	ticket = sfr_submit(sfr_recvfrom_multi(loop, here), record, &seen);
	send_there_to_here("one");
	turn_until(loop, &seen.calls, 1);
	seen_release(&seen);
	ck_assert_int_eq(shutdown(here, SHUT_RD), 0);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 20000000), NULL), 0);
	(void)sfr_cancel(loop, ticket); /* it may have ended */
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 2);
	ck_assert(seen.result == 0 || seen.result == -ECANCELED);
	ck_assert_ptr_null(seen.buf);
}
END_TEST

/* There is no descriptor to ask whether it was. */
START_TEST(a_registered_socket_that_is_shut_down_brings_none_either)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	sfr_ticket ticket;
	int name;

	ck_assert_int_eq(connect(here, (struct sockaddr *)&there_addr, sizeof(there_addr)), 0);
	ck_assert_int_eq(sfr_files_register(loop, &here, 1, &name), 0);
	ticket = sfr_submit(sfr_recvfrom_multi(loop, name), record, &seen);
	send_there_to_here("");
	turn_until(loop, &seen.calls, 1);
	ck_assert_ptr_nonnull(seen.buf);
	seen_release(&seen);
	ck_assert_int_eq(shutdown(here, SHUT_RD), 0);
	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 20000000), NULL), 0);
	(void)sfr_cancel(loop, ticket); /* it may have ended */
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 2);
	ck_assert_ptr_null(seen.buf);
}
END_TEST

START_TEST(what_is_no_socket_has_no_datagrams)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);

	sfr_submit(sfr_recvfrom_multi(loop, empty_pipe()), record, &seen);
	turn_until(loop, &seen.calls, 1);

	ck_assert_int_eq(seen.result, -ENOTSOCK);
	ck_assert_ptr_null(seen.buf);
}
END_TEST

START_TEST(an_error_of_the_socket_is_the_last_call)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	struct sockaddr_in nobody;
	int gone = socket(AF_INET, SOCK_DGRAM, 0);
	socklen_t size = sizeof(nobody);

	nobody = (struct sockaddr_in){.sin_family = AF_INET,
				      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	ck_assert_int_eq(bind(gone, (struct sockaddr *)&nobody, sizeof(nobody)), 0);
	ck_assert_int_eq(getsockname(gone, (struct sockaddr *)&nobody, &size), 0);
	close(gone);
	ck_assert_int_eq(connect(here, (struct sockaddr *)&nobody, sizeof(nobody)), 0);
	sfr_submit(sfr_recvfrom_multi(loop, here), record, &seen);
	ck_assert_int_eq(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(send(here, "x", 1, 0), 1);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -ECONNREFUSED);
	ck_assert_ptr_null(seen.buf);
}
END_TEST

START_TEST(sockets_with_connections_are_refused_by_name)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	int a, b, fds[2];

	pair_of_sockets(&a, &b);
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fds), 0);
	owned_fd(fds[0]);
	owned_fd(fds[1]);
	sfr_submit(sfr_recvfrom_multi(loop, a), record, &seen);
	sfr_submit(sfr_recvfrom_multi(loop, fds[0]), record, &other);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, -EPROTOTYPE);
	ck_assert_int_eq(other.calls, 1);
	ck_assert_int_eq(other.result, -EPROTOTYPE);

	sfr_submit(sfr_recvfrom_multi(loop, -1), record, &seen);
	sfr_submit(sfr_recvfrom_multi(loop, empty_file()), record, &other);
	ck_assert_int_eq(sfr_loop_run(loop), 0);
	ck_assert_int_eq(seen.result, -EBADF);
	ck_assert_int_eq(other.result, -ENOTSOCK);
}
END_TEST

START_TEST(a_datagram_that_is_larger_than_a_block_is_cut)
{
	sfr_loop *loop = loop_with_sockets(_i, "buffers.size=512 buffers.count=16");
	char text[301];

	memset(text, 'x', 300);
	text[300] = '\0';
	sfr_submit(sfr_recvfrom_multi(loop, here), record, &seen);
	send_there_to_here(text);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, 512 - SFR_PEER_ROOM);
	ck_assert_uint_eq(seen.buf->len, 512 - SFR_PEER_ROOM);
	ck_assert_uint_eq(sfr_buf_cut(seen.buf), 300 - (512 - SFR_PEER_ROOM));
	assert_from_there(seen.buf);
	send_there_to_here("next");
	turn_until(loop, &seen.calls, 2);
	assert_text(seen.buf, "next");
	ck_assert_uint_eq(sfr_buf_cut(seen.buf), 0);
}
END_TEST

static int burst_next;

static void count_burst(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (buf) {
		ck_assert_int_eq(result, sizeof(burst_next));
		ck_assert_mem_eq(buf->data, &burst_next, sizeof(burst_next));
		assert_from_there(buf);
		burst_next++;
	}
	record(loop, result, buf, arg);
	seen_release(arg);
}

START_TEST(a_burst_through_few_buffers_loses_nothing_and_keeps_its_order)
{
	sfr_loop *loop = loop_with_sockets(_i, "buffers.count=2 buffers.size=512");
	int i;

	burst_next = 0;
	sfr_submit(sfr_recvfrom_multi(loop, here), count_burst, &seen);
	for (i = 0; i < 100; i++)
		ck_assert_int_eq(sendto(there, &i, sizeof(i), 0, (struct sockaddr *)&here_addr,
					sizeof(here_addr)),
				 sizeof(i));
	turn_until(loop, &burst_next, 100);
	ck_assert_int_eq(seen.calls, 100);
}
END_TEST

START_TEST(a_receive_without_buffer_waits_for_one)
{
	sfr_loop *loop = loop_with_sockets(_i, "buffers.count=1");

	sfr_submit(sfr_recvfrom_multi(loop, here), record, &seen);
	send_there_to_here("one");
	turn_until(loop, &seen.calls, 1);
	send_there_to_here("two");
	turn_until_true(loop, has_parked, loop);
	ck_assert_int_eq(seen.calls, 1);

	seen_release(&seen);
	turn_until(loop, &seen.calls, 2);
	assert_text(seen.buf, "two");
	assert_from_there(seen.buf);
}
END_TEST

START_TEST(a_cancelled_receive_ends_after_its_datagrams)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	sfr_ticket ticket = sfr_submit(sfr_recvfrom_multi(loop, here), record, &seen);

	send_there_to_here("one");
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
	ck_assert_int_eq(sfr_loop_run(loop), 0);

	ck_assert_int_eq(seen.calls, 2);
	ck_assert_int_eq(seen.result, -ECANCELED);
	ck_assert_ptr_null(seen.buf);
}
END_TEST

/* Every datagram is in a callback or still in the socket. */
START_TEST(a_cancel_amid_datagrams_loses_none)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	char rest[16];
	int i, k;

	for (i = 0; i < 100; i++) {
		sfr_ticket ticket = sfr_submit(sfr_recvfrom_multi(loop, here), record, &seen);

		seen.bytes = 0;
		for (k = 0; k < 3; k++) {
			send_there_to_here("abc");
			if ((i >> k) & 1)
				ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
		}
		ck_assert_int_eq(sfr_cancel(loop, ticket), 0);
		ck_assert_int_eq(sfr_loop_run(loop), 0);
		ck_assert_int_eq(seen.result, -ECANCELED);
		while (recv(here, rest, sizeof(rest), MSG_DONTWAIT) > 0)
			seen.bytes += 3;
		ck_assert_uint_eq(seen.bytes, 9);
	}
}
END_TEST

/* The echo server of the manual: every datagram goes back to who sent it, in the buffer it came in. */
static void echo(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	struct sockaddr_storage peer;
	socklen_t size;

	(void)arg;
	if (result < 0)
		return;
	size = sfr_buf_peer(buf, &peer);
	sfr_submit(sfr_sendto(loop, here, buf, (struct sockaddr *)&peer, size), record, &other);
}

START_TEST(what_was_received_is_sent_back_as_it_is)
{
	sfr_loop *loop = loop_with_sockets(_i, NULL);
	char back[16];
	int i;

	sfr_submit(sfr_recvfrom_multi(loop, here), echo, NULL);
	for (i = 0; i < 20; i++) {
		send_there_to_here("ping");
		turn_until(loop, &other.calls, i + 1);
		ck_assert_int_eq(other.result, 4);
		ck_assert_int_eq(recv(there, back, sizeof(back), 0), 4);
		ck_assert_mem_eq(back, "ping", 4);
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("datagram");
	TCase *tc = world_case(suite, "sending");

	world_test(tc, a_datagram_is_sent_to_an_address);
	world_test(tc, the_address_is_copied);
	world_test(tc, a_connected_socket_needs_no_address);
	world_test(tc, an_address_is_not_left_for_the_next);
	world_test(tc, a_chain_is_one_datagram);
	world_test(tc, an_empty_datagram_is_sent);
	world_test(tc, what_cannot_be_sent_comes_back_with_its_error);

	tc = world_case(suite, "receiving one");
	world_test(tc, a_datagram_comes_with_who_sent_it);
	world_test(tc, an_empty_datagram_has_a_sender_too);
	world_test(tc, data_is_received_where_the_window_begins_if_that_is_behind_the_address);
	world_test(tc, a_datagram_that_is_too_large_is_cut);
	world_test(tc, a_unix_datagram_that_is_too_large_is_cut);
	world_test(tc, a_stream_is_not_cut);
	world_test(tc, a_datagram_of_a_registered_socket_is_known_to_be_cut);
	world_test(tc, the_largest_datagram_fits_into_65527_bytes);
	world_test(tc, a_head_that_was_written_over_does_no_harm);
	world_test(tc, a_buffer_without_more_room_than_for_the_address_is_refused);
	world_test(tc, a_failed_receive_leaves_the_buffer_as_it_was);

	tc = world_case(suite, "who sent it");
	world_test(tc, a_buffer_forgets_its_sender_when_it_is_filled_or_taken_anew);
	world_test(tc, a_buffer_keeps_its_sender_while_it_is_sent_and_shared);
	world_test(tc, a_unix_sender_without_a_name_has_no_address);
	world_test(tc, the_longest_unix_name_is_told_whole);

	tc = world_case(suite, "receiving again and again");
	world_test(tc, each_datagram_is_a_buffer_with_its_sender);
	world_test(tc, empty_datagrams_are_not_the_end);
	world_test(tc, a_socket_that_is_shut_down_brings_no_empty_datagrams);
	world_test(tc, a_registered_socket_that_is_shut_down_brings_none_either);
	world_test(tc, what_is_no_socket_has_no_datagrams);
	world_test(tc, an_error_of_the_socket_is_the_last_call);
	world_test(tc, sockets_with_connections_are_refused_by_name);
	world_test(tc, a_datagram_that_is_larger_than_a_block_is_cut);
	world_test(tc, a_burst_through_few_buffers_loses_nothing_and_keeps_its_order);
	world_test(tc, a_receive_without_buffer_waits_for_one);
	world_test(tc, a_cancelled_receive_ends_after_its_datagrams);
	world_test(tc, a_cancel_amid_datagrams_loses_none);
	world_test(tc, what_was_received_is_sent_back_as_it_is);
	return world_run(suite);
}
