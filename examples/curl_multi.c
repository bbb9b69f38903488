/* SPDX-License-Identifier: MIT */
/*
 * libcurl on the loop: downloads many URLs, all at once, into files of a directory.
 *
 *	curl_multi /tmp http://127.0.0.1:8080/README.md http://127.0.0.1:8080/LICENSE
 *
 * Shows how curl's multi interface lives on a loop: it says which of its sockets to watch for what, and when
 * to call it anyway. What it wants changes any time, also inside a callback of ours, and what it lets go of is
 * closed next. So polls are abandoned, not cancelled: then none calls back any more, nor one that was about to.
 */
#define _GNU_SOURCE /* the basename that copies nothing */
#include <safer_ring.h>
#include <curl/curl.h>
#include <getopt.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static sfr_loop *loop;
static CURLM *multi;
static sfr_ticket polls[65536], timer; /* 0, and tickets of what is over, are harmless */
static int missing;

static void transfer_end(CURL *easy, CURLcode code)
{
	char *url;
	FILE *file;

	curl_easy_getinfo(easy, CURLINFO_EFFECTIVE_URL, &url);
	curl_easy_getinfo(easy, CURLINFO_PRIVATE, &file);
	if (fclose(file) != 0 && code == CURLE_OK)
		code = CURLE_WRITE_ERROR;
	printf("%s: %s\n", url, code == CURLE_OK ? "done" : curl_easy_strerror(code));
	missing -= code == CURLE_OK;
	curl_multi_remove_handle(multi, easy);
	curl_easy_cleanup(easy);
}

/* Let curl work. It calls watch() and time_set() meanwhile. */
static void act(curl_socket_t fd, int events)
{
	CURLMsg *message;
	int count;

	curl_multi_socket_action(multi, fd, events, &count);
	while ((message = curl_multi_info_read(multi, &count)))
		transfer_end(message->easy_handle, message->data.result);
}

/* A socket is ready, or with no events the time is up. A poll that failed is over: curl finds out why. */
static void ready(sfr_loop *l, int result, sfr_buf *buf, void *arg)
{
	int in = result & (POLLIN | POLLHUP) ? CURL_CSELECT_IN : 0;
	int out = result & POLLOUT ? CURL_CSELECT_OUT : 0;

	(void)l, (void)buf;
	act((int)(intptr_t)arg, result < 0 || result & POLLERR ? CURL_CSELECT_ERR : in | out);
}

static int watch(CURL *easy, curl_socket_t fd, int what, void *arg, void *socket_arg)
{
	unsigned events = (what & CURL_POLL_IN ? POLLIN : 0) | (what & CURL_POLL_OUT ? POLLOUT : 0);

	(void)easy, (void)arg, (void)socket_arg;
	if (fd >= 65536)
		return -1; /* curl ends its transfers */
	sfr_abandon(loop, polls[fd]);
	if (what == CURL_POLL_REMOVE)
		return 0;
	polls[fd] = sfr_submit(sfr_poll_multi(loop, fd, events), ready, (void *)(intptr_t)fd);
	return polls[fd] ? 0 : -1;
}

/* A time of 0 is up later as well, as it must be: curl cannot be called here. */
static int time_set(CURLM *m, long ms, void *arg)
{
	(void)m, (void)arg;
	sfr_abandon(loop, timer);
	timer = sfr_submit(ms < 0 ? NULL : sfr_timeout(loop, (uint64_t)ms * 1000000), ready,
			   (void *)(intptr_t)CURL_SOCKET_TIMEOUT);
	return ms < 0 || timer ? 0 : -1;
}

static void transfer_begin(const char *directory, const char *url)
{
	CURL *easy = curl_easy_init();
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", directory, basename(url));
	file = fopen(path, "wx");
	if (!easy || !file)
		exit((perror(path), fputs("give a directory without it\n", stderr), EXIT_FAILURE));
	curl_easy_setopt(easy, CURLOPT_URL, url);
	curl_easy_setopt(easy, CURLOPT_FAILONERROR, 1L);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, file);
	curl_easy_setopt(easy, CURLOPT_PRIVATE, file);
	curl_multi_add_handle(multi, easy);
}

static int usage(bool asked)
{
	fputs("usage: curl_multi DIRECTORY URL...\n"
	      "Download into a directory, all at once.\n",
	      asked ? stdout : stderr);
	return asked ? EXIT_SUCCESS : 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'},
						{NULL, 0, NULL, 0}};
	int option = getopt_long(argc, argv, "h", options, NULL), r;

	argv += optind - 1, argc -= optind - 1; /* operands, from 1 on */
	if (option != -1 || argc < 3)
		return usage(option == 'h');
	if ((r = sfr_loop_new(&loop, NULL)) < 0)
		return fprintf(stderr, "%s: ask `safer-ring doctor`\n", sfr_strerror(r)), 1;
	curl_global_init(CURL_GLOBAL_DEFAULT);
	multi = curl_multi_init();
	curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, watch);
	curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, time_set);
	for (int i = 2; i < argc; i++, missing++)
		transfer_begin(argv[1], argv[i]);
	r = sfr_loop_run(loop); /* until curl waits for nothing */
	fprintf(stderr, "%d of %d missing (%s)\n", missing, argc - 2, sfr_strerror(r));
	curl_multi_cleanup(multi); /* lets go of the connections that it kept */
	curl_global_cleanup();
	return sfr_loop_drain(loop, -1) < 0 || sfr_loop_free(loop) < 0 || missing > 0;
}
