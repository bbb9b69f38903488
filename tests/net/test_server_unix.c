/* SPDX-License-Identifier: MIT */
/*
 * Servers on Unix sockets: where they listen, who may come, and what becomes of their files.
 */
#include "peers.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/* A directory of the test's own with a name for a socket file, which at first is not there. */
static char directory[64], path[80], address[ADDRESS_SIZE];

static void directory_make(void)
{
	const char *parent = getenv("TMPDIR");

	snprintf(directory, sizeof(directory), "%.40s/sfr-XXXXXX", parent ? parent : "/tmp");
	ck_assert_ptr_nonnull(mkdtemp(directory));
	snprintf(path, sizeof(path), "%s/x.sock", directory);
	snprintf(address, sizeof(address), "unix://%s", path);
}

static void directory_remove(void)
{
	(void)unlink(path);
	ck_assert_int_eq(rmdir(directory), 0);
}

static bool file_is_there(void)
{
	struct stat found;

	return lstat(path, &found) == 0;
}

static struct sockaddr_un path_address(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};

	strcpy(addr.sun_path, path);
	return addr;
}

/* A plain listener at the path; the fixture closes it. */
static int path_listen(int backlog)
{
	struct sockaddr_un addr = path_address();
	int fd = owned_fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(fd, backlog), 0);
	return fd;
}

/* What a server leaves that was killed. */
static void file_without_server(void)
{
	struct sockaddr_un addr = path_address();
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	ck_assert_int_eq(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	ck_assert_int_eq(listen(fd, 1), 0);
	close(fd);
}

static sfr_server *serve_there(sfr_loop *loop, const char *where)
{
	sfr_server *server = NULL;
	int r = sfr_serve(loop, where, &echo_all, &here, &server);

	ck_assert_msg(r == 0, "%s", sfr_loop_refusal(loop));
	return server;
}

static void assert_serves(sfr_loop *loop, const sfr_server *server)
{
	uint64_t before = there.bytes;
	sfr_conn *conn = dial(loop, server, &note_all, &there);

	ck_assert_int_eq(conn_say(conn, "hello", 5), 5);
	turns_until(loop, there.bytes == before + 5);
	sfr_conn_close(conn);
}

static void assert_in_the_way(sfr_loop *loop, const char *why)
{
	ck_assert_int_eq(sfr_serve(loop, address, &echo_all, &here, NULL), -EADDRINUSE);
	ck_assert_msg(strstr(sfr_loop_refusal(loop), why) != NULL, "%s", sfr_loop_refusal(loop));
	ck_assert(file_is_there());
}

static void names_are_known(sfr_loop *loop, const char *where)
{
	sfr_server *server = serve_there(loop, where);
	sfr_conn *conn = dial(loop, server, &note_all, &there);
	char text[ADDRESS_SIZE];

	turns_until(loop, here.opened && there.opened);
	ck_assert_str_eq(address_of(server), where);
	ck_assert_int_eq(sfr_conn_peer(conn, text, sizeof(text)), (int)strlen(where));
	ck_assert_str_eq(text, where);
	ck_assert_int_eq(sfr_conn_local(here.conn, text, sizeof(text)), (int)strlen(where));
	ck_assert_str_eq(text, where);
	ck_assert_int_eq(sfr_conn_peer(here.conn, text, sizeof(text)), 5);
	ck_assert_str_eq(text, "unix:");
	assert_serves(loop, server);
}

START_TEST(a_server_on_a_socket_file_says_its_path)
{
	names_are_known(loop_in(_i, NULL), address);
}
END_TEST

START_TEST(a_server_on_a_name_without_a_file_says_that_name)
{
	char name[ADDRESS_SIZE];

	snprintf(name, sizeof(name), "unix:@safer-ring test %d", (int)getpid());
	names_are_known(loop_in(_i, NULL), name);
	ck_assert(!file_is_there());
}
END_TEST

START_TEST(a_name_in_use_is_refused_in_words)
{
	sfr_loop *loop = loop_in(_i, NULL);
	char name[ADDRESS_SIZE];

	snprintf(name, sizeof(name), "unix:@safer-ring test %d", (int)getpid());
	serve_there(loop, name);
	ck_assert_int_eq(sfr_serve(loop, name, &echo_all, &here, NULL), -EADDRINUSE);
	ck_assert_ptr_nonnull(strstr(sfr_loop_refusal(loop), "another program has this name"));
}
END_TEST

START_TEST(a_socket_file_goes_with_its_server)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve_there(loop, address);

	ck_assert(file_is_there());
	sfr_server_close(server);
	turns_until(loop, !file_is_there());
	serve_there(loop, address);
	ck_assert_int_eq(sfr_loop_drain(loop, PATIENCE_NS), 0);

	ck_assert(!file_is_there());
}
END_TEST

START_TEST(the_file_of_a_successor_is_left_alone)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve_there(loop, address), *next;

	ck_assert_int_eq(unlink(path), 0);
	next = serve_there(loop, address);
	sfr_server_close(server);
	turns_until_quiet(loop);

	ck_assert(file_is_there());
	assert_serves(loop, next);
}
END_TEST

START_TEST(a_socket_file_at_which_nobody_answers_is_replaced)
{
	sfr_loop *loop = loop_in(_i, NULL);

	file_without_server();
	ck_assert(file_is_there());

	assert_serves(loop, serve_there(loop, address));
}
END_TEST

START_TEST(a_socket_file_at_which_somebody_answers_is_left_alone)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_server *server = serve_there(loop, address);

	assert_in_the_way(loop, "(another program answers there)");

	assert_serves(loop, server);
}
END_TEST

START_TEST(a_server_with_a_full_backlog_counts_as_one_that_answers)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i;

	path_listen(0);
	for (i = 0; i < 3; i++)
		assert_in_the_way(loop, "(another program answers there)");
}
END_TEST

START_TEST(what_is_no_socket_is_left_alone)
{
	const char *why = "(a file that is no socket is in the way)";
	sfr_loop *loop = loop_in(_i, NULL);

	ck_assert_int_eq(symlink("/nonexistent/x.sock", path), 0);
	assert_in_the_way(loop, why);
	ck_assert_int_eq(unlink(path), 0);
	fclose(fopen(path, "w"));
	assert_in_the_way(loop, why);
}
END_TEST

START_TEST(a_path_in_no_directory_is_refused_in_words)
{
	sfr_loop *loop = loop_in(_i, NULL);

	ck_assert_int_eq(sfr_serve(loop, "unix:///nonexistent/x.sock", &echo_all, &here, NULL),
			 -ENOENT);
	ck_assert_ptr_nonnull(strstr(sfr_loop_refusal(loop), "its directory does not exist"));
}
END_TEST

static mode_t file_mode(sfr_loop *loop, mode_t mask)
{
	struct stat found;

	mask = umask(mask);
	sfr_server_close(serve_there(loop, address));
	umask(mask);
	ck_assert_int_eq(lstat(path, &found), 0);
	turns_until(loop, !file_is_there());
	return found.st_mode & 07777;
}

START_TEST(who_may_connect_is_set_and_the_umask_has_no_say)
{
	static const struct {
		const char *setting;
		mode_t mode;
	} rows[] = {{NULL, 0600},
		    {"server.unix_access=owner", 0600},
		    {"server.unix_access=group", 0660},
		    {"server.unix_access=all", 0666}};
	int i;

	for (i = 0; i < COUNT_OF(rows); i++) {
		sfr_loop *loop = loop_in(_i, rows[i].setting);

		ck_assert_uint_eq(file_mode(loop, 0), rows[i].mode);
		ck_assert_uint_eq(file_mode(loop, 0777), rows[i].mode);
		loop_end();
	}
}
END_TEST

/* The kernel answers EAGAIN to such a connect, and lets nobody wait for the end of that. */
START_TEST(a_dial_to_a_full_backlog_connects_when_there_is_room)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int listener = path_listen(0), i;

	for (i = 0; i < 4; i++)
		ck_assert_int_eq(sfr_dial(loop, address, &note_all, &there, NULL), 0);
	turns_until_quiet(loop);
	ck_assert_int_lt(there.opened, 4);
	for (i = 0; i < 4; i++) {
		turns_until(loop, there.opened > i);
		owned_fd(accept(listener, NULL, NULL));
	}

	ck_assert_int_eq(there.closed, 0);
}
END_TEST

START_TEST(a_dial_to_a_file_without_server_closes_with_econnrefused)
{
	sfr_loop *loop = loop_in(_i, NULL);

	file_without_server();
	ck_assert_int_eq(sfr_dial(loop, address, &note_all, &there, NULL), 0);
	turns_until(loop, there.closed);

	ck_assert_int_eq(there.opened, 0);
	ck_assert_int_eq(there.reason, -ECONNREFUSED);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("server unix");
	TCase *tcase = peers_case(suite, "names");

	tcase_add_checked_fixture(tcase, directory_make, directory_remove);
	world_test(tcase, a_server_on_a_socket_file_says_its_path);
	world_test(tcase, a_server_on_a_name_without_a_file_says_that_name);
	world_test(tcase, a_name_in_use_is_refused_in_words);
	world_test(tcase, who_may_connect_is_set_and_the_umask_has_no_say);
	tcase = peers_case(suite, "files");
	tcase_add_checked_fixture(tcase, directory_make, directory_remove);
	world_test(tcase, a_socket_file_goes_with_its_server);
	world_test(tcase, the_file_of_a_successor_is_left_alone);
	world_test(tcase, a_socket_file_at_which_nobody_answers_is_replaced);
	world_test(tcase, a_socket_file_at_which_somebody_answers_is_left_alone);
	world_test(tcase, a_server_with_a_full_backlog_counts_as_one_that_answers);
	world_test(tcase, what_is_no_socket_is_left_alone);
	world_test(tcase, a_path_in_no_directory_is_refused_in_words);
	tcase = peers_case(suite, "dials");
	tcase_add_checked_fixture(tcase, directory_make, directory_remove);
	world_test(tcase, a_dial_to_a_full_backlog_connects_when_there_is_room);
	world_test(tcase, a_dial_to_a_file_without_server_closes_with_econnrefused);
	return world_run(suite);
}
