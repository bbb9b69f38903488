/* SPDX-License-Identifier: MIT */
/*
 * hiredis on the loop: thousands of commands in a pipeline.
 *
 *	redis /run/redis/redis.sock 10000
 *
 * Shows an adapter as hiredis wants it. It says that it wants to read or to write, often when it did already,
 * and says so anew when that came true: a poll of one shot. In any callback it may end the connection. So polls
 * are abandoned, not cancelled: then none calls back any more, nor one that was about to, and all can be freed.
 */
#include <safer_ring.h>
#include <getopt.h>
#include <hiredis/async.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

struct adapter {
	redisAsyncContext *context;
	sfr_ticket reading, writing;
};

static sfr_loop *loop;
static long commands, right;

static void check(bool good, const char *what, const char *why)
{
	if (good)
		return;
	fprintf(stderr, "redis: %s (%s)\n", what, why);
	exit(EXIT_FAILURE);
}

/* Then the adapter may be gone. A poll that failed is over as well: hiredis tries, and finds out why. */
static void readable(sfr_loop *l, int result, sfr_buf *buf, void *arg)
{
	(void)l, (void)result, (void)buf;
	((struct adapter *)arg)->reading = 0;
	redisAsyncHandleRead(((struct adapter *)arg)->context);
}

static void writable(sfr_loop *l, int result, sfr_buf *buf, void *arg)
{
	(void)l, (void)result, (void)buf;
	((struct adapter *)arg)->writing = 0;
	redisAsyncHandleWrite(((struct adapter *)arg)->context);
}

static void read_wanted(void *arg)
{
	struct adapter *a = arg;

	if (!a->reading)
		a->reading = sfr_submit(sfr_poll(loop, a->context->c.fd, POLLIN), readable, a);
	check(a->reading, "cannot poll", "no memory");
}

static void write_wanted(void *arg)
{
	struct adapter *a = arg;

	if (!a->writing)
		a->writing = sfr_submit(sfr_poll(loop, a->context->c.fd, POLLOUT), writable, a);
	check(a->writing, "cannot poll", "no memory");
}

static void detach(void *arg)
{
	sfr_abandon(loop, ((struct adapter *)arg)->reading);
	sfr_abandon(loop, ((struct adapter *)arg)->writing);
	free(arg);
}

static void attach(redisAsyncContext *context)
{
	struct adapter *adapter = calloc(1, sizeof(*adapter));

	check(adapter, "cannot attach", "no memory");
	adapter->context = context;
	context->ev.data = adapter;
	context->ev.addRead = read_wanted; /* delRead and delWrite have nothing to do here */
	context->ev.addWrite = write_wanted;
	context->ev.cleanup = detach;
}

/* SET n, GET n, INCR n, and so on. */
static void answered(redisAsyncContext *context, void *answer, void *arg)
{
	redisReply *reply = answer;
	long i = (long)(intptr_t)arg, n = i - i % 3;

	check(reply && reply->type != REDIS_REPLY_ERROR, "no good answer: is that redis?",
	      reply ? reply->str : context->errstr);
	right += i == n       ? reply->type == REDIS_REPLY_STATUS
		 : reply->str ? atol(reply->str) == n
			      : reply->integer == n + 1;
	if (i == commands - 1)
		redisAsyncDisconnect(context);
}

static int usage(bool asked)
{
	fputs("usage: redis SOCKET COMMANDS\n"
	      "Send so many commands to a server at once, and check each answer.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	static const char *const formats[] = {"SET n %ld", "GET n", "INCR n"};
	int option = getopt_long(argc, argv, "h", options, NULL), r;
	redisAsyncContext *context;

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc != 3)
		return usage(option == 'h');
	r = sfr_loop_new(&loop, NULL);
	check(r == 0, "cannot make a loop: ask `safer-ring doctor`", sfr_strerror(r));
	context = redisAsyncConnectUnix(argv[1]);
	check(context && !context->err, argv[1], context ? context->errstr : "no memory");
	attach(context), commands = atol(argv[2]);
	signal(SIGPIPE, SIG_IGN); /* hiredis writes, and the server may be gone */
	for (long i = 0; i < commands; i++)
		redisAsyncCommand(context, answered, (void *)(intptr_t)i, formats[i % 3], i);
	r = sfr_loop_run(loop); /* until hiredis waits for nothing */
	check(r == 0, "the loop ended", sfr_strerror(r));
	printf("%ld commands, %ld answered rightly\n", commands, right);
	return sfr_loop_drain(loop, -1) < 0 || sfr_loop_free(loop) < 0 || right < commands;
}
