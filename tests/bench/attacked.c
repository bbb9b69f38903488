/* SPDX-License-Identifier: MIT */
/*
 * The server that is attacked: programs of a few lines, as somebody would write them who trusts the library with
 * memory. None of them limits anything.
 */
#include "attack.h"
#include "loopback.h"
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int result, const char *what)
{
	if (result >= 0)
		return;
	fprintf(stderr, "attack: %s (%s)\n", what, sfr_strerror(result));
	exit(EXIT_FAILURE);
}

/*
 * An echo.
 */

static void echo(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)result;
	(void)arg;
	(void)sfr_conn_send(conn, buf); /* a failure closes the connection */
}

/*
 * A program that keeps the last that each has said.
 */

static void keep(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)result;
	(void)arg;
	if (buf->data[0] == HONEST) {
		(void)sfr_conn_send(conn, buf); /* the same */
		return;
	}
	sfr_buf_release(sfr_conn_data(conn));
	sfr_conn_set_data(conn, buf);
}

static void kept_release(sfr_conn *conn, int reason, void *arg)
{
	(void)reason;
	(void)arg;
	sfr_buf_release(sfr_conn_data(conn));
}

/*
 * A chat: all hear what one says, its own words too.
 */

static sfr_conn **guests;
static uintptr_t guest_count, guest_max;

static void joined(sfr_conn *conn, void *arg)
{
	(void)arg;
	if (guest_count == guest_max) {
		guest_max = guest_max ? 2 * guest_max : 1024;
		guests = realloc(guests, guest_max * sizeof(guests[0]));
		check(guests ? 0 : -ENOMEM, "no memory for guests");
	}
	sfr_conn_set_data(conn, (void *)guest_count); /* NOLINT: its place, no address */
	guests[guest_count++] = conn;
}

static void left(sfr_conn *conn, int reason, void *arg)
{
	uintptr_t place = (uintptr_t)sfr_conn_data(conn);

	(void)reason;
	(void)arg;
	guests[place] = guests[--guest_count];
	sfr_conn_set_data(guests[place], (void *)place); /* NOLINT: the same */
}

static void says(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	uintptr_t i;

	(void)conn;
	(void)result;
	(void)arg;
	for (i = 0; i < guest_count; i++)
		(void)sfr_conn_send(guests[i], sfr_buf_share(buf)); /* the same */
	sfr_buf_release(buf);
}

static const sfr_handlers handlers[] = {
	[ATTACK_CHAT] = {.on_open = joined, .on_data = says, .on_close = left},
	[ATTACK_POUR] = {.on_data = echo},
	[ATTACK_KEEP] = {.on_data = keep, .on_close = kept_release},
};

/*
 * The process.
 */

static void asked_to_stop(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)result;
	(void)buf;
	(void)arg;
	sfr_loop_stop(loop);
}

static sfr_config *config_of(const struct attacked *server)
{
	sfr_config *config;
	unsigned i;

	check(sfr_config_new(&config, "default"), "no configuration");
	for (i = 0; i < server->settings_count; i++) {
		char *key = strdup(server->settings[i]), *value = strchr(key, '=');
		sfr_config_error error;

		if (!value) {
			fprintf(stderr, "attack: --set %s: expected KEY=VALUE\n", key);
			exit(2);
		}
		*value++ = '\0';
		if (sfr_config_set(config, key, value, &error) < 0) {
			fprintf(stderr, "attack: %s: %s\n", key, error.message);
			exit(2);
		}
		free(key);
	}
	return config;
}

/* Never returns. Says its port to `out`, and in the end what it counted. */
static void attacked_run(const struct attacked *attacked, int out)
{
	const struct rlimit *none = NULL;
	struct rlimit files;
	sfr_loop_stats stats;
	sfr_server *server;
	sfr_loop *loop;
	char text[64];
	unsigned port;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	core_pin(attacked->core);
	check(prlimit(0, RLIMIT_NOFILE, none, &files), "RLIMIT_NOFILE");
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files); /* fewer attackers come in, then */
	sfr_log_to(sfr_log_stderr, NULL);
	check(sfr_loop_new(&loop, config_of(attacked)), "no loop");
	check(sfr_serve(loop, "tcp://127.0.0.1:0", &handlers[attacked->kind], NULL, &server),
	      "no server");
	sfr_submit(sfr_signal(loop, SIGTERM), asked_to_stop, NULL);
	check(sfr_server_address(server, text, sizeof(text)), "no address");
	port = (unsigned)atoi(strrchr(text, ':') + 1);
	if (write(out, &port, sizeof(port)) != sizeof(port))
		die("write", errno);
	check(sfr_loop_run(loop), "the loop ended");
	sfr_loop_stats_get(loop, &stats, sizeof(stats));
	if (write(out, &stats, sizeof(stats)) != sizeof(stats))
		die("write", errno);
	_exit(0);
}

void attacked_start(struct attacked *server)
{
	int ends[2];

	if (pipe(ends) < 0)
		die("pipe", errno);
	server->pid = fork();
	if (server->pid < 0)
		die("fork", errno);
	if (server->pid == 0)
		attacked_run(server, ends[1]);
	close(ends[1]);
	server->told = ends[0];
	if (read(server->told, &server->port, sizeof(server->port)) != sizeof(server->port))
		exit(EXIT_FAILURE); /* it has said why */
}

void attacked_stop(struct attacked *server, sfr_loop_stats *stats_out)
{
	kill(server->pid, SIGTERM);
	if (read(server->told, stats_out, sizeof(*stats_out)) != sizeof(*stats_out)) {
		fprintf(stderr, "attack: the server did not survive\n");
		exit(EXIT_FAILURE);
	}
	close(server->told);
	waitpid(server->pid, NULL, 0);
}

unsigned long attacked_kib(const struct attacked *server, const char *what)
{
	char name[64], line[256];
	size_t length = strlen(what);
	unsigned long kib = 0;
	FILE *file;

	snprintf(name, sizeof(name), "/proc/%d/status", (int)server->pid);
	file = fopen(name, "re");
	if (!file)
		die(name, errno);
	while (fgets(line, sizeof(line), file))
		if (strncmp(line, what, length) == 0 && line[length] == ':')
			kib = strtoul(line + length + 1, NULL, 10);
	fclose(file);
	return kib;
}
