/* SPDX-License-Identifier: MIT */
/*
 * What the library asks besides operations it asks the system of its engine: here one that answers otherwise.
 */
#include "loop/loop.h"
#include "world.h"
#include <errno.h>
#include <netinet/in.h>
#include <safer_ring/server.h>
#include <string.h>

#define HOUR_NS (UINT64_C(3600) * 1000000000)

/* The plain one, but for what a test puts in its place. */
static struct sfr__system replaced;
static uint64_t ahead_ns;
static int closes;

static sfr_loop *loop_elsewhere(int world)
{
	sfr_loop *loop = loop_in(world, NULL);

	replaced = *loop->engine->system;
	loop->engine->system = &replaced;
	return loop;
}

static uint64_t clock_ahead(const struct sfr__system *system)
{
	return sfr__plain_system.clock_ns(system) + ahead_ns;
}

START_TEST(it_is_as_late_as_the_system_says)
{
	sfr_loop *loop = loop_elsewhere(_i);

	replaced.clock_ns = clock_ahead;
	sfr_submit(sfr_timeout(loop, HOUR_NS), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(seen.calls, 0);
	ahead_ns = 2 * HOUR_NS;
	ck_assert_int_ge(sfr_loop_step(loop, -1), 0);
	ck_assert_int_eq(seen.calls, 1);
	ck_assert_int_eq(seen.result, 0);
}
END_TEST

START_TEST(a_deadline_passes_when_the_system_says_so)
{
	sfr_loop *loop = loop_elsewhere(_i);
	int a, b;

	replaced.clock_ns = clock_ahead;
	pair_of_unix_sockets(&a, &b);
	sfr_submit(sfr_within(sfr_recv(loop, a, sfr_buf_get(loop, 64)), HOUR_NS), record, &seen);
	ck_assert_int_ge(sfr_loop_step(loop, 0), 0);
	ck_assert_int_eq(seen.calls, 0);
	ahead_ns = 2 * HOUR_NS;
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, -ETIMEDOUT);
}
END_TEST

static int refuse_socket(const struct sfr__system *system, int domain, int type, int protocol)
{
	(void)system, (void)domain, (void)type, (void)protocol;
	return -EMFILE;
}

START_TEST(a_server_has_no_socket_where_the_system_has_none)
{
	sfr_loop *loop = loop_elsewhere(_i);
	const sfr_handlers handlers = {.on_open = 0};

	replaced.socket_new = refuse_socket;
	ck_assert_int_eq(sfr_serve(loop, "tcp://127.0.0.1:0", &handlers, NULL, NULL), -EMFILE);
	ck_assert_int_eq(sfr_dial(loop, "tcp://127.0.0.1:1", &handlers, NULL, NULL), -EMFILE);
}
END_TEST

static int refuse_listen(const struct sfr__system *system, int fd, int backlog)
{
	(void)system, (void)fd, (void)backlog;
	return -EADDRINUSE;
}

static int close_counted(const struct sfr__system *system, int fd)
{
	closes++;
	return sfr__plain_system.fd_close(system, fd);
}

START_TEST(the_system_closes_the_socket_of_a_server_that_cannot_listen)
{
	sfr_loop *loop = loop_elsewhere(_i);
	const sfr_handlers handlers = {.on_open = 0};

	replaced.socket_listen = refuse_listen;
	replaced.fd_close = close_counted;
	ck_assert_int_eq(sfr_serve(loop, "tcp://127.0.0.1:0", &handlers, NULL, NULL), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(sfr_loop_refusal(loop), "another program has this port"));
	ck_assert_int_eq(closes, 1);
}
END_TEST

static int name_of_port_7(const struct sfr__system *system, int fd, struct sockaddr *address,
			  socklen_t *size)
{
	struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(7)};

	(void)system, (void)fd;
	memcpy(address, &name, sizeof(name));
	*size = sizeof(name);
	return 0;
}

START_TEST(a_server_is_called_what_the_system_calls_it)
{
	sfr_loop *loop = loop_elsewhere(_i);
	const sfr_handlers handlers = {.on_open = 0};
	sfr_server *server;
	char text[64];

	replaced.socket_own_name = name_of_port_7;
	ck_assert_int_eq(sfr_serve(loop, "tcp://127.0.0.1:0", &handlers, NULL, &server), 0);
	ck_assert_int_ge(sfr_server_address(server, text, sizeof(text)), 0);
	ck_assert_str_eq(text, "tcp://0.0.0.0:7");
}
END_TEST

static int stream_of_unix(const struct sfr__system *system, int fd, int level, int name,
			  void *value, socklen_t *size)
{
	if (level == SOL_SOCKET && name == SO_TYPE) {
		*(int *)value = SOCK_STREAM;
		return 0;
	}
	return sfr__plain_system.option_get(system, fd, level, name, value, size);
}

START_TEST(a_socket_is_of_the_type_that_the_system_says)
{
	sfr_loop *loop = loop_elsewhere(_i);
	int fds[2];

	replaced.option_get = stream_of_unix;
	ck_assert_int_eq(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds), 0);
	sfr_submit(sfr_recvfrom_multi(loop, fds[0]), record, &seen);
	turn_until(loop, &seen.calls, 1);
	ck_assert_int_eq(seen.result, -EPROTOTYPE); /* as of every stream */
	replaced.fd_close(&replaced, fds[0]);
	replaced.fd_close(&replaced, fds[1]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("system");
	TCase *tc = world_case(suite, "system");

	world_test(tc, it_is_as_late_as_the_system_says);
	world_test(tc, a_deadline_passes_when_the_system_says_so);
	world_test(tc, a_server_has_no_socket_where_the_system_has_none);
	world_test(tc, the_system_closes_the_socket_of_a_server_that_cannot_listen);
	world_test(tc, a_server_is_called_what_the_system_calls_it);
	world_test(tc, a_socket_is_of_the_type_that_the_system_says);
	return world_run(suite);
}
