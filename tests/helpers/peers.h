/* SPDX-License-Identifier: MIT */
/*
 * The other ends of the connections under test: handlers that note what they are told, peers that are
 * plain sockets in the test's own thread, and a swarm of them in a thread of its own.
 */
#ifndef SFR_TESTS_PEERS_H
#define SFR_TESTS_PEERS_H

#include "world.h"
#include <pthread.h>
#include <sys/socket.h>
#include <time.h>

#define COUNT_OF(array) ((int)(sizeof(array) / sizeof((array)[0])))
#define ANY_PORT "tcp://127.0.0.1:0"
#define ADDRESS_SIZE 128

/*
 * Handlers. Their arg is a struct told, which is to outlive the test: the fixture closes what is open.
 */

/* What handlers were told, all connections of a server together. */
struct told {
	int opened, received, finished, drained, closed;
	uint64_t bytes;
	sfr_conn *conn; /* the last that opened; NULL once it closed */
	int reason;     /* of the last that closed */
	int reasons[1024];
	void *more; /* the test's own */
};

extern struct told here,
	there; /* for the server of a test, and for what it dials; at first all 0 */

/* A world_case() in which they are. */
TCase *peers_case(Suite *suite, const char *name);

void note_open(sfr_conn *conn, void *arg);
void note_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg); /* and releases it */
void echo(sfr_conn *conn, int result, sfr_buf *buf, void *arg);      /* notes, and sends it back */
void note_drain(sfr_conn *conn, void *arg);
void note_end(sfr_conn *conn, void *arg);
void note_close(sfr_conn *conn, int reason, void *arg);

extern const sfr_handlers note_all; /* note_data */
extern const sfr_handlers echo_all; /* echo */
extern const sfr_handlers ends_too; /* note_data and note_end */

/* Serve on a port of the system's choice. */
sfr_server *serve(sfr_loop *loop, const sfr_handlers *handlers, struct told *told);

/* Dial a server of the same loop. */
sfr_conn *dial(sfr_loop *loop, const sfr_server *server, const sfr_handlers *handlers,
	       struct told *told);

const char *address_of(const sfr_server *server); /* good until the next call */

/* Send a copy of these bytes. */
int conn_say(sfr_conn *conn, const void *bytes, size_t size);

/*
 * Turns.
 */

/* Take turns until a condition holds; fail, naming it, if it never does. */
#define turns_until(loop, condition)                                               \
	do {                                                                       \
		time_t until_ = time(NULL) + PATIENCE_S;                           \
		while (!(condition)) {                                             \
			turn_once(loop);                                           \
			ck_assert_msg(time(NULL) <= until_, "never: " #condition); \
		}                                                                  \
	} while (0)

/* One turn that sleeps 5 ms at most. */
void turn_once(sfr_loop *loop);

/* Turns until nothing has happened for some time, more of it on a busy machine: for claims that something does not
 * happen. */
void turns_until_quiet(sfr_loop *loop);

/* sfr_loop_run(), stopped by force, and the test failed, if that never comes. It
 * sleeps without limit, so a turn that forgets to wake up shows. */
void run_until_stopped(sfr_loop *loop);

/*
 * Peers. The test closes them.
 */

int peer_of(const sfr_server *server); /* a connected socket, not blocking */
int peer_at(const char *address);
void peer_narrow(int fd);                 /* the kernel keeps little for it */
void conn_narrow(sfr_conn *conn);         /* the same at this end */
int peer_listen(int backlog);             /* a plain listener, for dials */
const char *listen_address(int listener); /* good until the next call */
void peer_reset(int fd);                  /* close it with a reset */
void peer_finish(int fd);
void peer_say(sfr_loop *loop, int fd, const void *bytes, size_t size);
void peer_hear(sfr_loop *loop, int fd, void *bytes, size_t size); /* all of it */
int peer_end(sfr_loop *loop, int fd); /* read on until the end: 0 or -errno */

/* In its on_open: the peer of a connection is this socket from now on, to which nothing can be sent until it reads: the
 * kernel keeps a fixed number of bytes for it, and has them already. With TCP such a number is not fixed. */
int conn_stuff(sfr_conn *conn);

/*
 * Bytes by which each connection is known: n of stream `id` from `offset`.
 */
void pattern_fill(void *out, unsigned id, uint64_t offset, size_t n);
bool pattern_is(const void *bytes, unsigned id, uint64_t offset, size_t n);

/*
 * A swarm: many peers of an echo server in a thread of their own. Each sends its pattern, checks that
 * it comes back, finishes, waits for the end, and closes. When all have, the loop is stopped.
 */
struct swarm {
	int peers;
	uint64_t bytes; /* each sends */
	size_t message; /* in pieces of this size */
	size_t window;  /* sent and not yet echoed, at most */
	bool mute;      /* send everything before reading anything */
	unsigned first_id;

	sfr_loop *loop;
	struct sockaddr_storage addr;
	socklen_t addr_size;
	pthread_t thread;
	char failure[128];
};

void swarm_start(struct swarm *swarm, sfr_loop *loop, const sfr_server *server);
void swarm_join(struct swarm *swarm); /* fails the test with what failed there */

/* Start it, run the loop, join it. */
void swarm_run(struct swarm *swarm, sfr_loop *loop, const sfr_server *server);

/* The server is as new: nobody is there, every buffer and descriptor is back, and it serves. */
void assert_recovered(sfr_loop *loop, const sfr_server *server, const struct told *told);

/* Bytes of memory that the process has, without those of files; and whether they say what the library takes:
 * instruments take some, too. */
long memory_now(void);
bool memory_tells(void);

/* How many peers this process may have descriptors for, `each` of them: as many as `wanted`, if possible. */
int descriptors_for(int wanted, int each);

#endif
