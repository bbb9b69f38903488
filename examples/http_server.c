/* SPDX-License-Identifier: MIT */
/*
 * HTTP server: the files that it is given, for whoever asks with GET.
 *
 *	http_server tcp://127.0.0.1:8080 README.md LICENSE &
 *	curl http://127.0.0.1:8080/README.md
 *
 * Shows answers made once, and sent by any number of connections at a time without a copy; and requests that
 * arrive in parts, or many together. Nothing that a client names is opened. Silent clients are kept.
 */
#define _GNU_SOURCE /* strcasestr */
#include <safer_ring.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static sfr_loop *loop;
static char **names; /* ends with NULL */
static sfr_buf **answers;

static int check(int result, const char *what)
{
	if (result >= 0)
		return result;
	fprintf(stderr, "http_server: %s (%s)\n", what, sfr_strerror(result));
	exit(EXIT_FAILURE);
}

/* The head, and the file behind it. */
static sfr_buf *answer_make(const char *name)
{
	int head, fd = check(sfr_await(sfr_openat(loop, AT_FDCWD, name, O_RDONLY, 0), NULL), name);
	long size = lseek(fd, 0, SEEK_END);
	sfr_buf *buf = size < 0 ? NULL : sfr_buf_get(loop, (size_t)size + 128);

	check(buf ? 0 : -errno, "no file, or too large: allow more in buffers.budget");
	head = sprintf((char *)buf->data, "HTTP/1.1 200 OK\r\nContent-Length: %ld\r\n\r\n", size);
	buf->data += head;
	if (check(sfr_await(sfr_all(sfr_read_at(loop, fd, buf, 0)), &buf), name) != size)
		check(-EIO, name); /* somebody is writing it */
	buf->data -= head;
	buf->len += (uint32_t)head;
	close(fd);
	return buf;
}

/* Answers the requests that are whole, and says what is left; NULL: no more is to be answered. */
static const char *requests_answer(sfr_conn *conn, char *request)
{
	static const char bad[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
	static const char none[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	char path[1024], version, *end;
	size_t i;

	for (; (end = strstr(request, "\r\n\r\n")); request = end + 4) {
		*end = '\0';
		if (sscanf(request, "GET %1023s HTTP/1.%c", path, &version) != 2)
			return sfr_conn_send(conn, sfr_buf_from(loop, bad, strlen(bad))), NULL;
		for (i = 0; names[i] && strcmp(names[i], path + 1) != 0; i++)
			;
		sfr_conn_send(conn, names[i] ? sfr_buf_share(answers[i])
					     : sfr_buf_from(loop, none, strlen(none)));
		if (version == '0' || strcasestr(request, "\nconnection: close"))
			return NULL;
	}
	return request;
}

/* The connection's data is what it said and was not answered yet, a string. */
static void arrived(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	char *said = sfr_conn_data(conn);
	size_t size = said ? strlen(said) : 0;
	const char *rest;

	(void)arg;
	said = realloc(said, size + (size_t)result + 1);
	check(said ? 0 : -ENOMEM, "stop other programs");
	memcpy(said + size, buf->data, (size_t)result);
	said[size + (size_t)result] = '\0';
	sfr_buf_release(buf);
	rest = strlen(said) < size + (size_t)result ? NULL : requests_answer(conn, said); /* NUL */
	if (!rest || strlen(rest) > 8192)
		sfr_conn_shutdown(conn), rest = "";
	memmove(said, rest, strlen(rest) + 1);
	sfr_conn_set_data(conn, said);
}

static void left(sfr_conn *conn, int reason, void *arg)
{
	(void)reason, (void)arg;
	free(sfr_conn_data(conn));
}

static void stop(int signal_number)
{
	(void)signal_number;
	sfr_loop_stop(loop);
}

static int usage(bool asked)
{
	fputs("usage: http_server tcp://HOST:PORT FILE...\n"
	      "Answer GET with these files, and with nothing else.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option = getopt_long(argc, argv, "h", options, NULL);
	const sfr_handlers handlers = {.on_data = arrived, .on_close = left};
	sfr_server *server;
	char text[128];
	size_t i;

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc < 3)
		return usage(option == 'h');
	check(sfr_loop_new(&loop, NULL), "cannot make a loop: ask `safer-ring doctor`");
	names = argv + 2;
	answers = calloc((size_t)argc, sizeof(sfr_buf *));
	for (i = 0; names[i] && answers; i++)
		answers[i] = answer_make(names[i]);
	check(sfr_serve(loop, argv[1], &handlers, NULL, &server), sfr_loop_refusal(loop));
	check(sfr_server_address(server, text, sizeof(text)), "no address");
	printf("listening on %s\n", text), fflush(stdout);
	signal(SIGINT, stop), signal(SIGTERM, stop);
	check(sfr_loop_run(loop), "the loop ended");

	check(sfr_loop_drain(loop, -1), "connections did not close");
	while (i > 0)
		sfr_buf_release(answers[--i]);
	free(answers);
	return check(sfr_loop_free(loop), "something is still in flight");
}
