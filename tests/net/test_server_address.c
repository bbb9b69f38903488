/* SPDX-License-Identifier: MIT */
/*
 * Where servers listen, who their peers are, and why one cannot be had.
 */
#include "peers.h"
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

START_TEST(port_0_lets_the_system_choose_and_the_address_says_what)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	char address[ADDRESS_SIZE], cut[10];
	int length = sfr_server_address(server, address, sizeof(address));

	ck_assert_int_eq(strncmp(address, "tcp://127.0.0.1:", 16), 0);
	ck_assert_int_gt(atoi(address + 16), 0);
	ck_assert_int_eq(length, (int)strlen(address));
	ck_assert_int_eq(sfr_server_address(server, cut, sizeof(cut)), length);
	ck_assert_str_eq(cut, "tcp://127");
}
END_TEST

static char peer_seen[ADDRESS_SIZE];

static void see_peer(sfr_conn *conn, void *arg)
{
	note_open(conn, arg);
	ck_assert_int_gt(sfr_conn_peer(conn, peer_seen, sizeof(peer_seen)), 0);
}

static const sfr_handlers seeing = {.on_open = see_peer, .on_data = echo, .on_close = note_close};

START_TEST(a_connection_knows_its_peer_from_both_sides)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &seeing, &here);
	sfr_conn *conn = dial(loop, server, &note_all, &there);
	char peer[ADDRESS_SIZE];

	turns_until(loop, here.opened && there.opened);

	ck_assert_int_gt(sfr_conn_peer(conn, peer, sizeof(peer)), 0);
	ck_assert_str_eq(peer, address_of(server));
	ck_assert_int_eq(strncmp(peer_seen, "tcp://127.0.0.1:", 16), 0);
	ck_assert_str_ne(peer_seen, peer);
	ck_assert_ptr_eq(sfr_conn_loop(conn), loop);
}
END_TEST

START_TEST(a_server_on_ipv6_serves_peers_of_ipv6)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server;
	sfr_conn *conn;

	ck_assert_msg(sfr_serve(loop, "tcp://[::1]:0", &seeing, &here, &server) == 0, "%s",
		      sfr_loop_refusal(loop));
	conn = dial(loop, server, &note_all, &there);
	ck_assert_int_eq(conn_say(conn, "hello", 5), 5);
	turns_until(loop, there.bytes == 5);

	ck_assert_int_eq(strncmp(address_of(server), "tcp://[::1]:", 12), 0);
	ck_assert_int_eq(strncmp(peer_seen, "tcp://[::1]:", 12), 0);
}
END_TEST

START_TEST(a_server_on_every_ipv6_address_serves_ipv4_as_well)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server;
	char address[ADDRESS_SIZE], heard[5];
	int peer;

	ck_assert_int_eq(sfr_serve(loop, "tcp://[::]:0", &echo_all, &here, &server), 0);
	snprintf(address, sizeof(address), "tcp://127.0.0.1%s", strrchr(address_of(server), ':'));
	peer = peer_at(address);
	peer_say(loop, peer, "hello", 5);
	peer_hear(loop, peer, heard, 5);

	ck_assert_mem_eq(heard, "hello", 5);
	close(peer);
}
END_TEST

/* As in linux/ipv6.h, which not every C library agrees with. */
struct address_request {
	struct in6_addr host;
	uint32_t prefix_length;
	int index;
	struct ifreq more; /* none: Valgrind reads as much of every such request */
};

/* The kernel takes a moment to make a new address one that can be listened on. */
static bool address_settles(int index)
{
	const struct sockaddr_in6 addr = {.sin6_family = AF_INET6,
					  .sin6_addr = {{{0xfe, 0x80, [15] = 1}}},
					  .sin6_scope_id = (uint32_t)index};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), r;

	do
		r = bind(fd, (const struct sockaddr *)&addr, sizeof(addr));
	while (r < 0 && errno == EADDRNOTAVAIL && usleep(1000) == 0);
	close(fd);
	return r == 0;
}

/*
 * A network of the test's own, in which the loopback interface has the address fe80::1. False, and said why,
 * where this is not allowed.
 */
static bool link_local_network(void)
{
	struct address_request address = {.host = {{{0xfe, 0x80, [15] = 1}}}, .prefix_length = 64};
	struct ifreq up = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
	int fd = -1;
	bool made = unshare(CLONE_NEWNET) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWNET) == 0;

	if (made) {
		fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		address.index = (int)if_nametoindex(up.ifr_name);
		made = fd >= 0 && ioctl(fd, SIOCSIFFLAGS, &up) == 0 &&
		       ioctl(fd, SIOCSIFADDR, &address) == 0 && address_settles(address.index);
	}
	if (!made)
		printf("skip - no network of one's own can be made here: %s\n", strerror(errno));
	if (fd >= 0)
		close(fd);
	return made;
}

static void ends_name_the_interface(int world, const char *address)
{
	const char *named = "tcp://[fe80::1%lo]:";
	char peer[ADDRESS_SIZE];
	sfr_server *server;
	sfr_loop *loop;
	sfr_conn *conn;

	if (!link_local_network())
		return;
	loop = loop_in(world, NULL);
	ck_assert_msg(sfr_serve(loop, address, &seeing, &here, &server) == 0, "%s",
		      sfr_loop_refusal(loop));
	conn = dial(loop, server, &note_all, &there); /* by what the server says */
	ck_assert_int_eq(conn_say(conn, "hello", 5), 5);
	turns_until(loop, there.bytes == 5);

	ck_assert_int_eq(strncmp(address_of(server), named, strlen(named)), 0);
	ck_assert_int_eq(strncmp(peer_seen, named, strlen(named)), 0);
	ck_assert_int_gt(sfr_conn_peer(conn, peer, sizeof(peer)), 0);
	ck_assert_str_eq(peer, address_of(server));
}

START_TEST(a_link_local_server_and_its_peers_name_the_interface)
{
	ends_name_the_interface(_i, "tcp://[fe80::1%lo]:0");
}
END_TEST

/* For the network of the test's own. */
static bool bind_v6_only(void)
{
	FILE *file = fopen("/proc/sys/net/ipv6/bindv6only", "w");
	bool done = file && fputs("1", file) >= 0;

	done = file && fclose(file) == 0 && done;
	if (!done)
		printf("skip - net.ipv6.bindv6only cannot be set here: %s\n", strerror(errno));
	return done;
}

START_TEST(ipv4_is_served_and_dialled_by_ipv6_where_bindv6only_is_set)
{
	char address[ADDRESS_SIZE], heard[5];
	sfr_server *server;
	sfr_loop *loop;
	int peer;

	if (!link_local_network() || !bind_v6_only())
		return;
	loop = loop_in(_i, NULL);
	ck_assert_int_eq(sfr_serve(loop, "tcp://[::]:0", &echo_all, &here, &server), 0);
	snprintf(address, sizeof(address), "tcp://127.0.0.1%s", strrchr(address_of(server), ':'));
	peer = peer_at(address);
	peer_say(loop, peer, "hello", 5);
	peer_hear(loop, peer, heard, 5);
	snprintf(address, sizeof(address), "tcp://[::ffff:127.0.0.1]%s",
		 strrchr(address_of(server), ':'));
	ck_assert_int_eq(sfr_dial(loop, address, &note_all, &there, NULL), 0);
	turns_until(loop, there.opened || there.closed);

	ck_assert_int_eq(there.opened, 1);
	close(peer);
}
END_TEST

START_TEST(an_interface_may_be_given_by_its_number)
{
	ends_name_the_interface(_i, "tcp://[fe80::1%1]:0");
}
END_TEST

START_TEST(a_port_in_use_is_refused_in_words)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	char words[256];

	ck_assert_str_eq(sfr_loop_refusal(loop), "");
	ck_assert_int_eq(sfr_serve(loop, address_of(server), &echo_all, &here, NULL), -EADDRINUSE);

	snprintf(words, sizeof(words),
		 "address %s: cannot listen: %s (another program has this port; see ss -ltnp)",
		 address_of(server), strerror(EADDRINUSE));
	ck_assert_str_eq(sfr_loop_refusal(loop), words);
	serve(loop, &echo_all, &here);
	ck_assert_str_eq(sfr_loop_refusal(loop), "");
}
END_TEST

/* How long is not known, and so the next server tries for as long as it takes. */
START_TEST(a_port_of_a_program_that_was_killed_can_be_had)
{
	char address[ADDRESS_SIZE];
	int ends[2], round, status;
	sfr_config *options;
	sfr_server *server;
	sfr_loop *loop;
	pid_t child;

	for (round = 0; round < 5; round++) {
		ck_assert_int_eq(pipe(ends), 0);
		child = fork();
		if (child == 0) {
			loop = loop_in(_i, NULL);
			strcpy(address, address_of(serve(loop, &echo_all, &here)));
			(void)sfr_loop_step(loop, 0);
			(void)!write(ends[1], address, sizeof(address));
			(void)sfr_loop_run(loop);
			_exit(1);
		}
		ck_assert_int_eq(read(ends[0], address, sizeof(address)), sizeof(address));
		close(ends[0]);
		close(ends[1]);
		loop = loop_in(_i, NULL);
		options = config_in(_i, "server.bind_for=60s");
		ck_assert_int_eq(kill(child, SIGKILL), 0);
		ck_assert_int_eq(waitpid(child, &status, 0), child);
		ck_assert_int_eq(sfr_serve_with(loop, address, options, &echo_all, &here, &server),
				 0);
		ck_assert_str_eq(sfr_loop_refusal(loop), "");
		sfr_config_free(options);
		loop_end();
	}
}
END_TEST

static void *close_in_a_while(void *fd)
{
	usleep(20000);
	close(*(int *)fd);
	return NULL;
}

START_TEST(a_server_may_wait_for_its_address)
{
	sfr_loop *loop = loop_in(_i, "server.bind_for=60s");
	int listener = peer_listen(1);
	char address[ADDRESS_SIZE];
	pthread_t thread;

	strcpy(address, listen_address(listener));
	ck_assert_int_eq(pthread_create(&thread, NULL, close_in_a_while, &listener), 0);
	ck_assert_int_eq(sfr_serve(loop, address, &echo_all, &here, NULL), 0);

	ck_assert_int_eq(pthread_join(thread, NULL), 0);
	ck_assert_str_eq(sfr_loop_refusal(loop), "");
}
END_TEST

START_TEST(a_server_waits_no_longer_than_it_was_told_to)
{
	sfr_loop *loop = loop_in(_i, "server.bind_for=20ms");
	int listener = owned_fd(peer_listen(1));
	struct timespec before, after;

	log_listen();
	clock_gettime(CLOCK_MONOTONIC, &before);
	ck_assert_int_eq(sfr_serve(loop, listen_address(listener), &echo_all, &here, NULL),
			 -EADDRINUSE);
	clock_gettime(CLOCK_MONOTONIC, &after);

	ck_assert_int_ge((after.tv_sec - before.tv_sec) * 1000000000L + after.tv_nsec -
				 before.tv_nsec,
			 20000000L);
	ck_assert_int_eq(log_lines, 1);
	ck_assert_ptr_nonnull(strstr(log_line, "another program has this port"));
}
END_TEST

START_TEST(an_address_of_another_machine_is_refused_in_words)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int r = sfr_serve(loop, "tcp://192.0.2.1:0", &echo_all, &here, NULL);

	ck_assert_int_eq(r, -EADDRNOTAVAIL);
	ck_assert_ptr_nonnull(strstr(sfr_loop_refusal(loop), "does not have that address"));
}
END_TEST

START_TEST(with_reuse_port_two_servers_share_a_port)
{
	sfr_loop *loop = loop_in(_i, "server.reuse_port=on");
	sfr_server *server = serve(loop, &echo_all, &here);
	int peers[20], i;

	ck_assert_int_eq(sfr_serve(loop, address_of(server), &echo_all, &here, NULL), 0);
	for (i = 0; i < 20; i++)
		peers[i] = peer_of(server);
	turns_until(loop, here.opened == 20);

	for (i = 0; i < 20; i++)
		close(peers[i]);
}
END_TEST

START_TEST(two_servers_of_a_loop_keep_their_connections_apart)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *echoes = serve(loop, &echo_all, &here), *notes = serve(loop, &note_all, &there);
	int peers[4], i;
	char heard[5];

	for (i = 0; i < 4; i++) {
		peers[i] = peer_of(i % 2 ? notes : echoes);
		peer_say(loop, peers[i], "hello", 5);
	}
	turns_until(loop, here.bytes == 10 && there.bytes == 10);
	ck_assert_uint_eq(sfr_server_conns(echoes), 2);
	ck_assert_uint_eq(sfr_server_conns(notes), 2);
	sfr_server_close(notes);
	turns_until(loop, there.closed == 2);
	peer_hear(loop, peers[0], heard, 5);
	peer_hear(loop, peers[2], heard, 5);

	ck_assert_int_eq(here.closed, 0);
	ck_assert_int_eq(peer_end(loop, peers[1]), 0);
	for (i = 0; i < 4; i++)
		close(peers[i]);
}
END_TEST

START_TEST(no_more_descriptors_is_an_error_of_serve_and_dial)
{
	sfr_loop *loop = loop_in(_i, NULL);
	char address[ADDRESS_SIZE];
	struct rlimit limit, none;

	strcpy(address, address_of(serve(loop, &echo_all, &here)));
	ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
	none = limit;
	none.rlim_cur = 0;
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
	ck_assert_int_eq(sfr_dial(loop, address, &echo_all, &here, NULL), -EMFILE);
	ck_assert_ptr_nonnull(strstr(sfr_loop_refusal(loop), strerror(EMFILE)));
	ck_assert_int_eq(sfr_serve(loop, ANY_PORT, &echo_all, &here, NULL), -EMFILE);
	ck_assert_ptr_nonnull(strstr(sfr_loop_refusal(loop), strerror(EMFILE)));
	ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);

	ck_assert_int_eq(sfr_dial(loop, address, &echo_all, &here, NULL), 0);
	turns_until(loop, here.opened == 2);
}
END_TEST

/*
 * Dials that lead nowhere.
 */

START_TEST(a_dial_that_is_refused_closes_without_having_opened)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int listener = peer_listen(1);
	char address[ADDRESS_SIZE];
	sfr_conn *conn;

	strcpy(address, listen_address(listener));
	close(listener);
	ck_assert_int_eq(sfr_dial(loop, address, &note_all, &here, &conn), 0);
	ck_assert_int_eq(conn_say(conn, "early", 5), 5);
	turns_until(loop, here.closed);
	turns_until_quiet(loop);

	ck_assert_int_eq(here.opened, 0);
	ck_assert_int_eq(here.closed, 1);
	ck_assert_int_eq(here.reason, -ECONNREFUSED);
}
END_TEST

START_TEST(a_dial_that_is_closed_while_connecting_ends_with_ecanceled)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve(loop, &echo_all, &here);
	sfr_conn *conn = dial(loop, server, &note_all, &there);

	ck_assert_int_eq(conn_say(conn, "early", 5), 5);
	sfr_conn_close(conn);
	ck_assert_int_eq(there.closed, 0);
	turns_until(loop, there.closed && here.opened == here.closed);
	turns_until_quiet(loop);

	ck_assert_int_eq(there.opened, 0);
	ck_assert_int_eq(there.closed, 1);
	ck_assert_int_eq(there.reason, -ECANCELED);
	ck_assert_int_eq(here.opened, here.closed);
}
END_TEST

/* A listener whose backlog is full: connecting to it takes until somebody gives up. */
START_TEST(a_dial_that_nobody_answers_can_be_closed)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int listener = peer_listen(0), i;
	sfr_conn *conns[8];

	for (i = 0; i < 8; i++)
		ck_assert_int_eq(
			sfr_dial(loop, listen_address(listener), &note_all, &here, &conns[i]), 0);
	turns_until_quiet(loop);
	ck_assert_int_lt(here.opened, 8);
	for (i = 0; i < 8; i++)
		sfr_conn_close(conns[i]);
	turns_until(loop, here.closed == 8);

	for (i = 0; i < 8; i++)
		ck_assert_int_eq(here.reasons[i], -ECANCELED);
	close(listener);
}
END_TEST

START_TEST(a_dial_that_nobody_answers_does_not_keep_a_loop_from_draining)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int listener = peer_listen(0), i;

	for (i = 0; i < 8; i++)
		ck_assert_int_eq(sfr_dial(loop, listen_address(listener), &note_all, &here, NULL),
				 0);
	turns_until_quiet(loop);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);

	ck_assert_int_eq(here.closed, 8);
	close(listener);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server address");
	TCase *tcase = peers_case(suite, "addresses");

	world_test(tcase, port_0_lets_the_system_choose_and_the_address_says_what);
	world_test(tcase, a_connection_knows_its_peer_from_both_sides);
	world_test(tcase, a_server_on_ipv6_serves_peers_of_ipv6);
	world_test(tcase, a_server_on_every_ipv6_address_serves_ipv4_as_well);
	world_test(tcase, a_link_local_server_and_its_peers_name_the_interface);
	world_test(tcase, an_interface_may_be_given_by_its_number);
	world_test(tcase, ipv4_is_served_and_dialled_by_ipv6_where_bindv6only_is_set);
	world_test(tcase, two_servers_of_a_loop_keep_their_connections_apart);
	tcase = peers_case(suite, "refusals");
	world_test(tcase, a_port_in_use_is_refused_in_words);
	world_test(tcase, a_port_of_a_program_that_was_killed_can_be_had);
	world_test(tcase, a_server_may_wait_for_its_address);
	world_test(tcase, a_server_waits_no_longer_than_it_was_told_to);
	world_test(tcase, an_address_of_another_machine_is_refused_in_words);
	world_test(tcase, with_reuse_port_two_servers_share_a_port);
	world_test(tcase, no_more_descriptors_is_an_error_of_serve_and_dial);
	tcase = peers_case(suite, "dials that lead nowhere");
	world_test(tcase, a_dial_that_is_refused_closes_without_having_opened);
	world_test(tcase, a_dial_that_is_closed_while_connecting_ends_with_ecanceled);
	world_test(tcase, a_dial_that_nobody_answers_can_be_closed);
	world_test(tcase, a_dial_that_nobody_answers_does_not_keep_a_loop_from_draining);
	return world_run(suite);
}
