/* SPDX-License-Identifier: MIT */
/*
 * A host with a guest: the line server of line_server.c, and an echo server that lives in it.
 *
 *	embed_host --guest none | by-hand | ours | alone
 *
 * by-hand is what we are compared with: the same echo written for this very host, each connection a source of
 * its own. ours is a loop, of which the host knows one descriptor; alone is our loop without any host.
 * The first line it prints is where lines are served, the second where the guest is.
 */
#include "line_server.h"
#include "listener.h"
#include <safer_ring.h>
#include <getopt.h>
#include <inttypes.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <unistd.h>

/*
 * By hand.
 */

#define SHARED_SIZE (64 * 1024)

struct echo_conn {
	struct source source;
	char *backlog; /* what the socket did not take; meanwhile it is only watched for room */
	size_t begin, end;
};

static void echo_conn_close(struct echo_conn *conn)
{
	(void)close(conn->source.fd);
	free(conn->backlog);
	free(conn);
}

static void backlog_keep(struct echo_conn *conn, const char *data, size_t size)
{
	conn->backlog = malloc(size);
	if (!conn->backlog)
		die("a backlog", ENOMEM);
	memcpy(conn->backlog, data, size);
	conn->begin = 0;
	conn->end = size;
	host_rewatch(&conn->source, EPOLLOUT);
}

static void backlog_send(struct echo_conn *conn)
{
	ssize_t n = send(conn->source.fd, conn->backlog + conn->begin, conn->end - conn->begin,
			 MSG_NOSIGNAL | MSG_DONTWAIT);

	if (n < 0 && errno != EAGAIN && errno != EINTR) {
		echo_conn_close(conn);
		return;
	}
	conn->begin += n > 0 ? (size_t)n : 0;
	if (conn->begin < conn->end)
		return;
	free(conn->backlog);
	conn->backlog = NULL;
	host_rewatch(&conn->source, EPOLLIN);
}

static void echo_conn_ready(struct source *source, uint32_t events)
{
	static char shared[SHARED_SIZE];
	struct echo_conn *conn = (struct echo_conn *)source; /* its first member */
	ssize_t got, sent;

	(void)events;
	if (conn->backlog) {
		backlog_send(conn);
		return;
	}
	got = recv(source->fd, shared, sizeof(shared), MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	sent = got > 0 ? send(source->fd, shared, (size_t)got, MSG_NOSIGNAL | MSG_DONTWAIT) : -1;
	if (got <= 0 || (sent < 0 && errno != EAGAIN && errno != EINTR))
		echo_conn_close(conn);
	else if (sent < got)
		backlog_keep(conn, shared + (sent > 0 ? sent : 0),
			     (size_t)(got - (sent > 0 ? sent : 0)));
}

static void echo_listener_ready(struct source *source, uint32_t events)
{
	int fd;

	(void)events;
	while ((fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
		struct echo_conn *conn = calloc(1, sizeof(*conn));

		if (!conn)
			die("a connection", ENOMEM);
		conn->source = (struct source){.fd = fd, .ready = echo_conn_ready};
		host_watch(&conn->source, EPOLLIN);
	}
}

static void by_hand_begin(void)
{
	static struct source echo_listener = {.ready = echo_listener_ready};

	echo_listener.fd = listener_open(0, SOCK_NONBLOCK);
	host_watch(&echo_listener, EPOLLIN);
}

/*
 * Ours.
 */

static sfr_loop *loop;
static uint64_t guest_wakes;

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "embed_host: %s (%s)\n", what, sfr_strerror(result));
	exit(EXIT_FAILURE);
}

static void echo(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)result, (void)arg;
	sfr_conn_send(conn, buf);
}

static void loop_ready(struct source *source, uint32_t events)
{
	(void)source, (void)events;
	guest_wakes++;
	check(sfr_loop_step(loop, 0), "a step");
}

static void loop_prepare(struct host *h)
{
	(void)h;
	sfr_loop_prepare(loop);
}

static void loop_begin(void)
{
	const sfr_handlers handlers = {.on_data = echo};
	sfr_server *server;
	char address[128];

	check(sfr_loop_new(&loop, NULL), "cannot make a loop");
	check(sfr_serve(loop, "tcp://127.0.0.1:0", &handlers, NULL, &server), "cannot serve");
	check(sfr_server_address(server, address, sizeof(address)), "no address");
	printf("listening on %s\n", address);
	fflush(stdout);
}

static void ours_begin(void)
{
	static struct source face = {.ready = loop_ready};

	loop_begin();
	check(face.fd = sfr_loop_fd(loop), "no descriptor");
	host_watch(&face, EPOLLIN);
	host.before_sleep = loop_prepare;
}

static void stop(sfr_loop *l, int signal_number, sfr_buf *buf, void *arg)
{
	(void)buf, (void)arg;
	if (signal_number > 0)
		sfr_loop_stop(l);
}

static void alone_run(void)
{
	printf("no lines\n");
	loop_begin();
	sfr_submit(sfr_signal(loop, SIGTERM), stop, NULL);
	check(sfr_loop_run(loop), "running");
}

/* What it took, on standard error, for who is curious. */
static void ours_end(void)
{
	sfr_loop_stats stats;

	sfr_loop_stats_get(loop, &stats, sizeof(stats));
	fprintf(stderr,
		"host woke %" PRIu64 " times, %" PRIu64 " for the guest; turns %" PRIu64
		" enters %" PRIu64 " events %" PRIu64 "\n",
		host.wakes, guest_wakes, stats.turns, stats.enters, stats.cqes);
	check(sfr_loop_drain(loop, -1), "draining");
	check(sfr_loop_free(loop), "freeing");
}

static void files_allow(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files); /* a refusal only means fewer clients */
	}
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"guest", required_argument, NULL, 'g'}, {"help", no_argument, NULL, 'h'}, {0}};
	const char *guest = "none";
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c != 'g')
			return puts("usage: embed_host [--guest none|by-hand|ours|alone]\n\n"
				    "A line server, and an echo server in it; alone: no line server."),
			       c == 'h' ? 0 : 2;
		guest = optarg;
	}
	files_allow();
	if (strcmp(guest, "alone") == 0) {
		alone_run();
	} else {
		lines_serve(0);
		if (strcmp(guest, "by-hand") == 0)
			by_hand_begin();
		else if (strcmp(guest, "ours") == 0)
			ours_begin();
		host_run();
	}
	if (loop)
		ours_end();
	return 0;
}
