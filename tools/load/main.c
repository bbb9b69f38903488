/* SPDX-License-Identifier: MIT */
/*
 * safer-ring-load: load an echo server, and be a witness against it.
 *
 * Plain epoll on one thread, and nothing of the library: what it says about the library's servers does
 * not depend on the library. All connections are made first; then all send; then nobody sends and what
 * is outstanding comes back; then all shut down their sending direction, and the server has to close.
 * A connection that fails is closed, counted and told; the others go on.
 */
#include "histogram.h"
#include "options.h"
#include "report.h"
#include "pattern.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/time_types.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SECOND ((uint64_t)1000000000)
#define STALL (60 * SECOND)
#define NEVER UINT64_MAX
#define EVENTS_MAX 512
#define RECEIVE_SIZE (1 << 18)
#define CONNECTING_MAX 64 /* at once: more would overrun the backlog of many servers */
#define TOLD_MAX 10

enum phase { CONNECTING, WARMING_UP, MEASURING, DRAINING, CLOSING, DONE };

static const char *const phase_names[] = {
	[CONNECTING] = "connecting", [WARMING_UP] = "warming up", [MEASURING] = "measuring",
	[DRAINING] = "draining",     [CLOSING] = "closing",       [DONE] = "done",
};

enum state { UNMADE, IN_CONNECT, ECHOING, SHUT, CLOSED, FAILED };

struct connection {
	int fd;
	enum state state;
	bool blocked;        /* the socket took no more: waits for EPOLLOUT */
	uint32_t send_place; /* in the pattern */
	uint32_t receive_place;
	uint64_t granted; /* bytes it may send, a whole number of messages */
	uint64_t sent;
	uint64_t received;
	uint64_t due;           /* messages whose time has come (open loop) */
	uint64_t messages_sent; /* granted, that is */
	uint64_t messages_back;
	uint64_t message_end; /* the byte that completes the next message */
	uint64_t *begins;     /* when each message in flight began, a ring of `pipeline` */
	unsigned begins_first;
	unsigned begins_next;
};

static load_options options;
static struct connection *connections;
static uint64_t *all_begins;
static char *receive_buffer;
static int epoll_fd;
static volatile sig_atomic_t interrupted;

static enum phase phase;
static uint64_t phase_end = NEVER;
static unsigned made;        /* connections for which connect() was called */
static unsigned connecting;  /* of these, not connected yet */
static unsigned open_count;  /* connected, and neither closed nor failed */
static unsigned sources;     /* connections that may be granted more messages */
static uint64_t outstanding; /* bytes granted and not yet back */
static uint64_t moved;       /* grows with everything that is progress */
static uint64_t errors;
static uint64_t bytes_verified;
static uint64_t messages_back;

static uint64_t begin;           /* of sending */
static uint64_t scheduled;       /* messages that became due (open loop) */
static uint64_t scheduled_limit; /* how many will */

static clockid_t server_clock;
static uint64_t window_begin;
static uint64_t window_end;
static uint64_t window_messages;
static uint64_t server_cpu_begin;
static uint64_t server_cpu_end;
static histogram latency;

static uint64_t time_of(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0)
		return 0; /* the server has ended; its silence is reported elsewhere */
	return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

static uint64_t clock_now(void)
{
	return time_of(CLOCK_MONOTONIC);
}

__attribute__((noreturn)) static void die(const char *what)
{
	load_report_progress_end();
	fprintf(stderr, "safer-ring-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

/*
 * Connections. Each is watched edge-triggered, for everything, once: an edge is not told twice, so it
 * is read until it is empty, and written until it is full.
 */

static unsigned connection_index(const struct connection *conn)
{
	return (unsigned)(conn - connections);
}

static bool is_exhausted(const struct connection *conn)
{
	return options.messages && conn->messages_sent == options.messages;
}

static void connection_fail(struct connection *conn, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static void connection_fail(struct connection *conn, const char *format, ...)
{
	va_list args;

	if (errors < TOLD_MAX) {
		load_report_progress_end();
		fprintf(stderr, "safer-ring-load: connection %u: ", connection_index(conn));
		va_start(args, format);
		vfprintf(stderr, format, args);
		va_end(args);
		fputc('\n', stderr);
	} else if (errors == TOLD_MAX) {
		fputs("safer-ring-load: more connections failed\n", stderr);
	}
	errors++;
	moved++;
	if (conn->state == IN_CONNECT)
		connecting--;
	else
		open_count--;
	if (!is_exhausted(conn))
		sources--;
	outstanding -= conn->granted - conn->received;
	conn->state = FAILED;
	(void)close(conn->fd); /* failed already */
}

static void connection_made(struct connection *conn)
{
	int error = 0;
	socklen_t size = sizeof(error);

	if (getsockopt(conn->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		die("getsockopt");
	if (error) {
		connection_fail(conn, "cannot connect to %s: %s", options.address_text,
				strerror(error));
		return;
	}
	conn->state = ECHOING;
	connecting--;
	open_count++;
	moved++;
}

static void connection_make(struct connection *conn)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data.ptr = conn};
	const struct sockaddr *address = (const struct sockaddr *)&options.address;
	int one = 1;

	conn->fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (conn->fd < 0)
		die("socket");
	if (setsockopt(conn->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one)) < 0)
		die("setsockopt");
	if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, conn->fd, &event) < 0)
		die("epoll_ctl");
	conn->state = IN_CONNECT;
	made++;
	connecting++;
	if (connect(conn->fd, address, options.address_size) < 0 && errno != EINPROGRESS)
		connection_fail(conn, "cannot connect to %s: %s", options.address_text,
				strerror(errno));
}

static void connection_init(struct connection *conn)
{
	unsigned index = connection_index(conn);

	conn->fd = -1;
	conn->send_place = pattern_start(index);
	conn->receive_place = conn->send_place;
	conn->message_end = options.size;
	conn->begins = all_begins + (size_t)index * options.pipeline;
}

/* Sending */

static void connection_send(struct connection *conn)
{
	while (conn->sent < conn->granted) {
		size_t size = pattern_room(conn->send_place);
		ssize_t n;

		if (size > conn->granted - conn->sent)
			size = (size_t)(conn->granted - conn->sent);
		n = send(conn->fd, pattern_at(conn->send_place), size, MSG_NOSIGNAL);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN) {
			conn->blocked = true;
			return;
		}
		if (n < 0) {
			connection_fail(conn, "sending failed after %llu bytes: %s",
					(unsigned long long)conn->sent, strerror(errno));
			return;
		}
		conn->sent += (uint64_t)n;
		conn->send_place = pattern_after(conn->send_place, (size_t)n);
		moved++;
	}
	conn->blocked = false;
}

/* When a message of the open loop is due: they take turns, one connection after the other. */
static uint64_t due_time(uint64_t message)
{
	return begin + (uint64_t)((double)message / options.rate * 1e9);
}

/* Let it send what it may: up to the pipeline, up to --messages, and nothing once draining. */
static void connection_grant(struct connection *conn, uint64_t now)
{
	uint64_t limit = conn->messages_back + options.pipeline;

	if (phase > MEASURING)
		return;
	if (options.rate > 0 && limit > conn->due)
		limit = conn->due;
	while (conn->messages_sent < limit && !is_exhausted(conn)) {
		if (options.rate > 0)
			conn->begins[conn->begins_next] = due_time(
				conn->messages_sent * options.connections + connection_index(conn));
		else
			conn->begins[conn->begins_next] = now;
		if (++conn->begins_next == options.pipeline)
			conn->begins_next = 0;
		conn->messages_sent++;
		conn->granted += options.size;
		outstanding += options.size;
		if (is_exhausted(conn))
			sources--;
	}
	if (conn->sent < conn->granted && !conn->blocked)
		connection_send(conn);
}

static void schedule_run(uint64_t now)
{
	while (scheduled < scheduled_limit && due_time(scheduled) <= now) {
		struct connection *conn = &connections[scheduled % options.connections];

		scheduled++;
		conn->due++;
		if (conn->state == ECHOING)
			connection_grant(conn, now);
	}
}

/* Receiving */

/* Whose bytes are these? A place of the pattern that another connection now waits for tells. */
static void connection_fail_with(struct connection *conn, const char *data, size_t size, size_t bad)
{
	uint32_t expected = pattern_after(conn->receive_place, bad);
	int64_t found = pattern_find(data + bad, size - bad);
	int64_t shift = (found - expected + PATTERN_PERIOD) % PATTERN_PERIOD;
	char guess[120] = "";

	if (found >= 0) {
		if (shift > PATTERN_PERIOD / 2)
			shift -= PATTERN_PERIOD;
		snprintf(guess, sizeof(guess), "; those bytes belong %lld byte%s %s",
			 (long long)llabs(shift), llabs(shift) == 1 ? "" : "s",
			 shift > 0 ? "further on" : "back");
		for (unsigned i = 0; i < options.connections; i++) {
			const struct connection *other = &connections[i];
			uint64_t ahead = (uint64_t)(found - other->receive_place + PATTERN_PERIOD) %
					 PATTERN_PERIOD;

			if (other != conn && ahead < other->sent - other->received)
				snprintf(guess, sizeof(guess), "; perhaps they are connection %u's",
					 i);
		}
	}
	connection_fail(conn, "byte %llu is 0x%02x, expected 0x%02x%s",
			(unsigned long long)conn->received + bad, (unsigned char)data[bad],
			(unsigned char)*pattern_at(expected), guess);
}

static void messages_complete(struct connection *conn, uint64_t now)
{
	while (conn->message_end <= conn->received) {
		uint64_t since = conn->begins[conn->begins_first];

		if (++conn->begins_first == options.pipeline)
			conn->begins_first = 0;
		conn->message_end += options.size;
		conn->messages_back++;
		messages_back++;
		if (phase == MEASURING)
			histogram_add(&latency, now - since);
	}
}

static void connection_end(struct connection *conn)
{
	if (conn->state != SHUT) {
		connection_fail(conn,
				"closed by the server after %llu bytes, with %llu outstanding",
				(unsigned long long)conn->received,
				(unsigned long long)(conn->granted - conn->received));
		return;
	}
	conn->state = CLOSED;
	open_count--;
	moved++;
	if (close(conn->fd) < 0)
		die("close");
}

/* Checks what came, and sends what that allows. */
static void connection_take(struct connection *conn, size_t size)
{
	uint64_t now = clock_now();
	size_t right;

	if (size > conn->sent - conn->received) {
		connection_fail(conn, "%llu bytes came back, only %llu were sent",
				(unsigned long long)conn->received + size,
				(unsigned long long)conn->sent);
		return;
	}
	right = pattern_mismatch(conn->receive_place, receive_buffer, size);
	bytes_verified += right;
	if (right < size) {
		connection_fail_with(conn, receive_buffer, size, right);
		return;
	}
	conn->receive_place = pattern_after(conn->receive_place, size);
	conn->received += size;
	outstanding -= size;
	moved++;
	messages_complete(conn, now);
	connection_grant(conn, now);
}

/* Until the socket is empty, which a short read says; if the end has been announced, until the end. */
static void connection_receive(struct connection *conn, bool ending)
{
	while (conn->state == ECHOING || conn->state == SHUT) {
		ssize_t n = recv(conn->fd, receive_buffer, RECEIVE_SIZE, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n < 0)
			connection_fail(conn, "receiving failed after %llu bytes: %s",
					(unsigned long long)conn->received, strerror(errno));
		else if (n == 0)
			connection_end(conn);
		else
			connection_take(conn, (size_t)n);
		if (n < RECEIVE_SIZE && !ending)
			return;
	}
}

static void connection_ready(struct connection *conn, uint32_t events)
{
	const uint32_t end = EPOLLRDHUP | EPOLLHUP | EPOLLERR;

	if (conn->state == IN_CONNECT)
		connection_made(conn);
	if (conn->state == ECHOING && conn->blocked && events & EPOLLOUT)
		connection_send(conn);
	if (events & (EPOLLIN | end))
		connection_receive(conn, events & end);
}

/* Phases */

static void connect_more(void)
{
	while (made < options.connections && connecting < CONNECTING_MAX)
		connection_make(&connections[made]);
}

static void window_open(uint64_t now)
{
	phase = MEASURING;
	phase_end = options.duration > 0 ? now + (uint64_t)(options.duration * 1e9) : NEVER;
	window_begin = now;
	window_messages = messages_back;
	if (options.pid)
		server_cpu_begin = time_of(server_clock);
}

static void window_close(uint64_t now)
{
	window_end = now;
	window_messages = messages_back - window_messages;
	if (options.pid)
		server_cpu_end = time_of(server_clock);
}

static void sending_begin(uint64_t now)
{
	begin = now;
	if (options.rate > 0)
		scheduled_limit = options.messages ? options.messages * options.connections : NEVER;
	if (options.warmup > 0) {
		phase = WARMING_UP;
		phase_end = now + (uint64_t)(options.warmup * 1e9);
	} else {
		window_open(now);
	}
	for (unsigned i = 0; i < options.connections; i++)
		connection_grant(&connections[i], clock_now());
}

static void sending_end(uint64_t now)
{
	if (phase == MEASURING)
		window_close(now);
	phase = DRAINING;
	phase_end = NEVER;
	scheduled_limit = 0;
}

static void closing_begin(void)
{
	phase = CLOSING;
	for (unsigned i = 0; i < options.connections; i++) {
		struct connection *conn = &connections[i];

		if (conn->state != ECHOING)
			continue;
		if (shutdown(conn->fd, SHUT_WR) < 0)
			connection_fail(conn, "shutting down failed: %s", strerror(errno));
		else
			conn->state = SHUT;
	}
}

/* Whatever the last events made possible. Falls through several phases if nothing is left to await. */
static void phase_step(uint64_t now)
{
	if (phase == CONNECTING) {
		connect_more();
		if (errors || interrupted)
			phase = DONE;
		else if (open_count == options.connections)
			sending_begin(now);
	}
	if (phase == WARMING_UP && now >= phase_end)
		window_open(now);
	if ((phase == WARMING_UP || phase == MEASURING) &&
	    (now >= phase_end || interrupted || open_count == 0 ||
	     (sources == 0 && outstanding == 0)))
		sending_end(now);
	if (phase == DRAINING && outstanding == 0)
		closing_begin();
	if (phase == CLOSING && open_count == 0)
		phase = DONE;
}

/* Watching */

static void stall_tell(void)
{
	unsigned told = 0;
	unsigned waiting = 0;

	load_report_progress_end();
	fprintf(stderr, "safer-ring-load: nothing moved for %d s while %s\n", (int)(STALL / SECOND),
		phase_names[phase]);
	for (unsigned i = 0; i < options.connections; i++) {
		const struct connection *conn = &connections[i];
		unsigned long long awaited = conn->granted - conn->received;

		if (conn->state == CLOSED || conn->state == FAILED || conn->state == UNMADE ||
		    (conn->state == ECHOING && awaited == 0))
			continue;
		waiting++;
		if (told == TOLD_MAX)
			continue;
		told++;
		if (conn->state == IN_CONNECT)
			fprintf(stderr, "  connection %u waits to be connected\n", i);
		else if (awaited > 0)
			fprintf(stderr, "  connection %u waits for %llu bytes after %llu\n", i,
				awaited, (unsigned long long)conn->received);
		else
			fprintf(stderr, "  connection %u waits for the server to close\n", i);
	}
	if (waiting > told)
		fprintf(stderr, "  and %u more connections\n", waiting - told);
	errors++;
}

/* Once a second. */
static void tick(uint64_t now, uint64_t started)
{
	static uint64_t last_moved;
	static uint64_t last_time;
	static uint64_t last_messages;
	static uint64_t last_tick;
	bool waits = phase == CONNECTING || phase == CLOSING || outstanding > 0;

	if (moved != last_moved || !waits || !last_time) {
		last_moved = moved;
		last_time = now;
	} else if (now - last_time >= STALL) {
		stall_tell();
		phase = DONE;
	}
	if (options.progress && last_tick)
		load_report_progress((double)(now - started) / 1e9, phase_names[phase],
				     (double)(messages_back - last_messages) * 1e9 /
					     (double)(now - last_tick),
				     &latency, errors);
	last_tick = now;
	last_messages = messages_back;
}

static void events_await(uint64_t until)
{
	static struct epoll_event events[EVENTS_MAX];
	uint64_t now = clock_now();
	uint64_t left = until > now && !options.spin ? until - now : 0;
	struct __kernel_timespec timeout = {.tv_sec = (long long)(left / SECOND),
					    .tv_nsec = (long long)(left % SECOND)};
	/* The C library may be older than the call: musl got it late. */
	int count = (int)syscall(SYS_epoll_pwait2, epoll_fd, events, EVENTS_MAX, &timeout, NULL, 0);

	if (count < 0 && errno != EINTR)
		die("epoll_pwait2");
	for (int i = 0; i < count; i++)
		connection_ready(events[i].data.ptr, events[i].events);
}

static void load_run(void)
{
	uint64_t started = clock_now();
	uint64_t next_tick = started;

	phase_step(started);
	while (phase != DONE) {
		uint64_t until = phase_end < next_tick ? phase_end : next_tick;
		uint64_t now;

		if (scheduled < scheduled_limit && due_time(scheduled) < until)
			until = due_time(scheduled);
		events_await(until);

		now = clock_now();
		schedule_run(now);
		phase_step(now);
		if (now >= next_tick && phase != DONE) {
			tick(now, started);
			next_tick = now + SECOND;
		}
	}
	load_report_progress_end();
}

/* Program */

static void interrupt(int signal_number)
{
	(void)signal_number;
	interrupted = 1;
}

static void signals_init(void)
{
	/* The second one ends the program, should draining take too long. */
	struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

static void files_limit_raise(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("getrlimit");
	limit.rlim_cur = limit.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit) < 0)
		die("setrlimit");
}

static void load_init(void)
{
	files_limit_raise();
	signals_init();
	pattern_init();
	if (options.pid) {
		errno = clock_getcpuclockid(options.pid, &server_clock);
		if (errno)
			die("--pid");
	}
	connections = calloc(options.connections, sizeof(*connections));
	all_begins = calloc((size_t)options.connections * options.pipeline, sizeof(*all_begins));
	receive_buffer = malloc(RECEIVE_SIZE);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (!connections || !all_begins || !receive_buffer || epoll_fd < 0)
		die("start");
	sources = options.connections;
	for (unsigned i = 0; i < options.connections; i++)
		connection_init(&connections[i]);
}

static void load_report(void)
{
	load_result result = {
		.seconds = (double)(window_end - window_begin) / 1e9,
		.messages = window_end ? window_messages : 0,
		.bytes_verified = bytes_verified,
		.errors = errors,
		.server_cpu_us = -1,
		.latency = &latency,
	};

	if (!window_end)
		result.seconds = 0; /* it never came to measuring, or the stall ended it */
	if (options.pid && server_cpu_end > server_cpu_begin && result.messages > 0)
		result.server_cpu_us = (double)(server_cpu_end - server_cpu_begin) / 1e3 /
				       (double)result.messages;
	if (options.json)
		load_report_json(&options, &result);
	else if (!options.quiet)
		load_report_table(&options, &result);
}

int main(int argc, char **argv)
{
	load_options_read(&options, argc, argv);
	load_init();
	load_run();
	load_report();

	for (unsigned i = 0; i < options.connections; i++) {
		if (connections[i].state == ECHOING || connections[i].state == SHUT ||
		    connections[i].state == IN_CONNECT)
			(void)close(connections[i].fd); /* a stall left it open */
	}
	(void)close(epoll_fd); /* the process ends here */
	free(receive_buffer);
	free(all_begins);
	free(connections);
	return errors > 0;
}
