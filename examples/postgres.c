/* SPDX-License-Identifier: MIT */
/*
 * libpq on the loop: each query on a connection of its own, all at once.
 *
 *	postgres 'host=/run/postgresql dbname=postgres' 'select 6 * 7' "listen a; notify a, 'hello'"
 *
 * Shows a library that is asked what to wait for. It may change its socket whenever it is called, as when it
 * tries the next address while it connects. So each wait is a poll of one shot, with a deadline: when libpq is
 * called no poll is left that could tell of a socket that it closes.
 */
#include <safer_ring.h>
#include <libpq-fe.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>

struct session {
	PGconn *pg;
	const char *query;
	bool connected;
};

static sfr_loop *loop;
static int failed;

static void complain(const char *query, const char *error)
{
	fprintf(stderr, "postgres: %s: %s\n", query, error);
	failed++;
}

static void ready(sfr_loop *l, int result, sfr_buf *buf, void *arg);

static void wait_for(struct session *s, unsigned events)
{
	sfr_op *poll = sfr_poll(loop, PQsocket(s->pg), events);

	if (!sfr_submit(sfr_within(poll, (uint64_t)60 * 1000000000), ready, s))
		complain(s->query, "no memory to wait for it");
}

/* False: that was the last. Copying to and from the client is not for this example. */
static bool result_print(struct session *s, PGresult *result)
{
	bool good = result && PQresultStatus(result) <= PGRES_TUPLES_OK;
	int columns = PQnfields(result);

	if (result && !good)
		complain(s->query, *PQresultErrorMessage(result)
					   ? PQresultErrorMessage(result)
					   : PQresStatus(PQresultStatus(result)));
	for (int i = 0; good && i < PQntuples(result) * columns; i++)
		printf("%s%c", PQgetvalue(result, i / columns, i % columns),
		       (i + 1) % columns ? '\t' : '\n');
	PQclear(result);
	return good;
}

/* Send what is left of the query, and take the results that are there: after the last one comes NULL. */
static void query_on(struct session *s)
{
	PGnotify *notify;
	int unsent = PQconsumeInput(s->pg) ? PQflush(s->pg) : -1;
	bool more = unsent >= 0;

	if (!more)
		complain(s->query, PQerrorMessage(s->pg));
	while (more && !PQisBusy(s->pg))
		more = result_print(s, PQgetResult(s->pg));
	for (; (notify = PQnotifies(s->pg)); PQfreemem(notify))
		printf("%s: %s\n", notify->relname, notify->extra);
	if (more)
		wait_for(s, POLLIN | (unsent ? POLLOUT : 0));
}

/* While it connects libpq says what to wait for. */
static void ready(sfr_loop *l, int result, sfr_buf *buf, void *arg)
{
	PostgresPollingStatusType status = PGRES_POLLING_FAILED;
	struct session *s = arg;

	(void)l, (void)buf;
	if (result >= 0 && !s->connected)
		status = PQconnectPoll(s->pg);
	if (result < 0)
		complain(s->query, sfr_strerror(result));
	else if (s->connected)
		query_on(s);
	else if (status == PGRES_POLLING_READING || status == PGRES_POLLING_WRITING)
		wait_for(s, status == PGRES_POLLING_READING ? POLLIN : POLLOUT);
	else if (status == PGRES_POLLING_OK && !PQsetnonblocking(s->pg, 1) &&
		 PQsendQuery(s->pg, s->query))
		wait_for(s, POLLIN | POLLOUT), s->connected = true;
	else
		complain(s->query, PQerrorMessage(s->pg));
}

static int usage(bool asked)
{
	fputs("usage: postgres CONNINFO QUERY...\n"
	      "Ask a server, each query on a connection of its own, all at once.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	struct session *sessions = calloc((size_t)argc, sizeof(*sessions));
	int option = getopt_long(argc, argv, "h", options, NULL), r;

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc < 3)
		return usage(option == 'h');
	if ((r = sfr_loop_new(&loop, NULL)) < 0 || !sessions)
		return complain("no loop: ask `safer-ring doctor`", sfr_strerror(r)), 1;
	for (int i = 2; i < argc; i++) {
		sessions[i] = (struct session){.pg = PQconnectStart(argv[1]), .query = argv[i]};
		if (PQstatus(sessions[i].pg) == CONNECTION_BAD)
			complain(argv[i], PQerrorMessage(sessions[i].pg));
		else
			wait_for(&sessions[i], POLLOUT);
	}
	r = sfr_loop_run(loop); /* until no session waits */
	for (int i = 2; i < argc; i++)
		PQfinish(sessions[i].pg);
	free(sessions);
	return r < 0 || sfr_loop_free(loop) < 0 || failed > 0;
}
