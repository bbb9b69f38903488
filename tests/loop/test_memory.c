/* SPDX-License-Identifier: MIT */
/*
 * Memory: each allocation failing in turn, and none at all in steady state.
 */
#include "world.h"
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

/*
 * Every allocation of the library goes through here. While `watching`, they are counted and one of them
 * fails; nothing of libcheck may be called meanwhile, for it allocates as well.
 */

static bool watching, only_mappings;
static long allocations, failing_allocation, live;

static bool mapping_fails(void)
{
	if (!watching || ++allocations != failing_allocation)
		return false;
	errno = ENOMEM;
	return true;
}

static bool allocation_fails(void)
{
	return !only_mappings && mapping_fails();
}

/* Count what was taken, or given back. */
static void *taken(void *mem)
{
	live += watching && mem && mem != MAP_FAILED;
	return mem;
}

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *old, size_t size);
void *__real_aligned_alloc(size_t alignment, size_t size);
void __real_free(void *mem);
void *__real_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t off);
void *__real_mmap64(void *addr, size_t size, int prot, int flags, int fd, off_t off);
int __real_munmap(void *addr, size_t size);
int __real_mprotect(void *addr, size_t size, int prot);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *old, size_t size);
void *__wrap_aligned_alloc(size_t alignment, size_t size);
void __wrap_free(void *mem);
void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t off);
void *__wrap_mmap64(void *addr, size_t size, int prot, int flags, int fd, off_t off);
int __wrap_munmap(void *addr, size_t size);
int __wrap_mprotect(void *addr, size_t size, int prot);

void *__wrap_malloc(size_t size)
{
	return allocation_fails() ? NULL : taken(__real_malloc(size));
}

void *__wrap_calloc(size_t count, size_t size)
{
	return allocation_fails() ? NULL : taken(__real_calloc(count, size));
}

void *__wrap_realloc(void *old, size_t size)
{
	void *mem = allocation_fails() ? NULL : __real_realloc(old, size);

	live += watching && mem && !old;
	return mem;
}

void *__wrap_aligned_alloc(size_t alignment, size_t size)
{
	return allocation_fails() ? NULL : taken(__real_aligned_alloc(alignment, size));
}

void __wrap_free(void *mem)
{
	live -= watching && mem;
	__real_free(mem);
}

void *__wrap_mmap(void *addr, size_t size, int prot, int flags, int fd, off_t off)
{
	if (mapping_fails())
		return MAP_FAILED;
	return taken(__real_mmap(addr, size, prot, flags, fd, off));
}

/* What mmap is called with glibc where offsets have 64 bits, as meson asks for everywhere. */
void *__wrap_mmap64(void *addr, size_t size, int prot, int flags, int fd, off_t off)
{
	if (mapping_fails())
		return MAP_FAILED;
	return taken(__real_mmap64(addr, size, prot, flags, fd, off));
}

int __wrap_munmap(void *addr, size_t size)
{
	live -= watching;
	return __real_munmap(addr, size);
}

int __wrap_mprotect(void *addr, size_t size, int prot)
{
	return mapping_fails() ? -1 : __real_mprotect(addr, size, prot);
}

/*
 * What can be done with a loop, with 0 or an error as its outcome.
 */

static struct sockaddr_in listener_addr;
static int sock_a, sock_b, calls, last_result;

static void note(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	(void)loop;
	(void)arg;
	calls++;
	last_result = result;
	sfr_buf_release(buf);
}

static void note_post(sfr_loop *loop, void *arg)
{
	note(loop, 0, NULL, arg);
}

static bool turns_until(sfr_loop *loop, int wanted)
{
	int i;

	for (i = 0; i < PATIENCE_S * 100 && calls < wanted; i++)
		if (sfr_loop_step(loop, 10000000) < 0)
			return false;
	return calls >= wanted;
}

static int nothing(sfr_loop *loop)
{
	return sfr_await(sfr_nop(loop), NULL);
}

static int a_post(sfr_loop *loop)
{
	int r = sfr_loop_post(loop, note_post, NULL), before = calls;

	if (r < 0)
		return r;
	return sfr_loop_run(loop) == 0 && calls == before + 1 ? 0 : -EIO;
}

static int a_connect(sfr_loop *loop)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0), r;

	r = sfr_await(
		sfr_connect(loop, fd, (struct sockaddr *)&listener_addr, sizeof(listener_addr)),
		NULL);
	close(fd);
	return r;
}

static int take_buffers(sfr_loop *loop, int count)
{
	static sfr_buf *bufs[3000];
	static char mem[64];
	int i, r = 0;

	for (i = 0; i < count && r == 0; i++) {
		errno = 0;
		bufs[i] = i % 2 ? sfr_buf_get(loop, 100000)
				: sfr_buf_wrap(loop, mem, sizeof(mem), NULL, NULL);
		if (!bufs[i])
			r = -errno;
	}
	while (i--)
		sfr_buf_release(bufs[i]);
	return r;
}

static int two_buffers(sfr_loop *loop)
{
	return take_buffers(loop, 2);
}

static int many_buffers(sfr_loop *loop)
{
	return take_buffers(loop, 3000);
}

/* All of the budget, and an op with each buffer: whoever has one can build. */
static int grown_buffers(sfr_loop *loop)
{
	static sfr_op *ops[3000];
	static const size_t sizes[] = {100, 4096, 50000};
	int i, before = calls, count = 0, r = 0;

	for (i = 0; i < 1500 && r == 0; i++) {
		sfr_buf *buf;

		errno = 0;
		buf = sfr_buf_get(loop, sizes[i % 3]);
		if (!buf) {
			r = -errno;
			break;
		}
		ops[count] = sfr_send(loop, -1, buf);
		if (!ops[count])
			return -EIO;
		count++;
	}
	for (i = 0; i < count; i++)
		(void)sfr_submit(ops[i], note, NULL);
	if (sfr_loop_run(loop) < 0 || calls != before + count)
		return -EIO;
	return r;
}

static int many_ops(sfr_loop *loop)
{
	int i, before = calls, submitted = 0;

	for (i = 0; i < 3000; i++)
		submitted += sfr_submit(sfr_nop(loop), note, NULL) != 0;
	if (sfr_loop_run(loop) < 0 || calls != before + submitted)
		return -EIO;
	return submitted == 3000 ? 0 : -ENOMEM;
}

static int a_stream(sfr_loop *loop)
{
	int before = calls;
	sfr_ticket ticket = sfr_submit(sfr_recv_multi(loop, sock_a), note, NULL);

	if (!ticket)
		return -ENOMEM;
	(void)!send(sock_b, "x", 1, 0);
	if (!turns_until(loop, before + 1))
		return -EIO;
	if (last_result < 0) {
		(void)!recv(sock_a, (char[1]){0}, 1, MSG_DONTWAIT);
		return last_result;
	}
	(void)sfr_cancel(loop, ticket);
	return turns_until(loop, before + 2) && last_result == -ECANCELED ? 0 : -EIO;
}

static int registered_files(sfr_loop *loop)
{
	int fds[2] = {sock_a, -1}, names[2], r;

	r = sfr_files_register(loop, fds, 2, names);
	if (r < 0)
		return r;
	r = sfr_await(sfr_into(sfr_openat(loop, AT_FDCWD, "/dev/null", O_RDONLY, 0), names[1]),
		      NULL);
	return sfr_files_unregister(loop) < 0 ? -EIO : r;
}

static int registered_buffers(sfr_loop *loop)
{
	static char mem[4096];
	sfr_buf *buf = sfr_buf_wrap(loop, mem, sizeof(mem), NULL, NULL);
	int r = buf ? sfr_buffers_register(loop, &buf, 1) : -ENOMEM;

	sfr_buf_release(buf);
	if (r == -SFR_EUNSUPPORTED) /* in this world */
		return 0;
	return r == 0 ? sfr_buffers_unregister(loop, NULL) : r;
}

/* Of an op that carries something: 0 or an error. */
static int outcome(sfr_op *op)
{
	int r = sfr_await(op, NULL);

	return r < 0 ? r : 0;
}

/* With descriptors so high that whoever keeps something of each needs memory for these. */
static int a_splice(sfr_loop *loop)
{
	static int high[1024];
	int in[2], out[2], i, before = calls;
	bool ended;

	if (pipe(in) < 0 || pipe(out) < 0)
		return -EIO;
	for (i = 0; i < 1024 && (!i || high[i - 1] < 800); i++)
		high[i] = dup(in[0]);
	(void)sfr_submit(sfr_splice(loop, in[0], -1, out[1], -1, 4, 0), note, NULL);
	(void)sfr_loop_step(loop, 0);
	(void)!write(in[1], "ping", 4);
	ended = !sfr_loop_inflight(loop) || turns_until(loop, before + 1);
	while (i--)
		close(high[i]);
	for (i = 0; i < 2; i++) {
		close(in[i]);
		close(out[i]);
	}
	if (calls == before)
		return ended ? -ENOMEM : -EIO;
	return last_result < 0 ? last_result : last_result == 4 ? 0 : -EIO;
}

static int datagrams(sfr_loop *loop)
{
	int ends[2], before = calls, r;
	sfr_ticket ticket;

	if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) < 0)
		return -EIO;
	ticket = sfr_submit(sfr_recvfrom_multi(loop, ends[0]), note, NULL);
	(void)!send(ends[1], "x", 1, 0);
	r = !ticket ? -ENOMEM : !turns_until(loop, before + 1) ? -EIO : last_result;
	if (r > 0) {
		(void)sfr_cancel(loop, ticket);
		r = turns_until(loop, before + 2) && last_result == -ECANCELED ? 0 : -EIO;
	}
	if (r == 0)
		r = outcome(sfr_sendto(loop, ends[0], sfr_buf_get(loop, 100), NULL, 0));
	close(ends[0]);
	close(ends[1]);
	return r == -SFR_EPOOLEMPTY ? -ENOMEM : r;
}

static int a_child(sfr_loop *loop)
{
	pid_t child = fork();
	int r;

	if (child == 0)
		_exit(0);
	r = outcome(sfr_waitid(loop, P_PID, (unsigned)child, WEXITED, sfr_buf_get(loop, 256)));
	if (r < 0)
		(void)waitpid(child, NULL, 0);
	return r == -SFR_EPOOLEMPTY ? -ENOMEM : r;
}

static int a_signal(sfr_loop *loop)
{
	int before = calls;
	sfr_ticket ticket = sfr_submit(sfr_signal(loop, SIGUSR1), note, NULL);

	if (!ticket)
		return -ENOMEM;
	(void)raise(SIGUSR1);
	if (!turns_until(loop, before + 1) || last_result != SIGUSR1)
		return -EIO;
	(void)sfr_cancel(loop, ticket);
	return turns_until(loop, before + 2) && last_result == -ECANCELED ? 0 : -EIO;
}

static void heard(sfr_loop *loop, uint64_t value, void *arg)
{
	(void)loop;
	(void)value;
	(void)arg;
}

static int a_message(sfr_loop *loop)
{
	sfr_loop_on_msg(loop, heard, NULL);
	return outcome(sfr_msg(loop, loop, 1));
}

static int nothing_to_do(void *arg)
{
	(void)arg;
	return 0;
}

static int some_work(sfr_loop *loop)
{
	int r = outcome(sfr_work(loop, nothing_to_do, NULL));

	return r < 0 ? r : outcome(sfr_fsync(loop, sock_a)) == -EINVAL ? 0 : -ENOMEM;
}

/* Longer than what is kept for chains of the usual length. */
static int a_long_chain(sfr_loop *loop)
{
	sfr_buf *chain = sfr_buf_from(loop, "x", 1);
	int i, r;

	for (i = 0; chain && i < 40; i++) {
		sfr_buf *part = sfr_buf_from(loop, "x", 1);

		if (!part) {
			sfr_buf_release(chain);
			return -ENOMEM;
		}
		chain = sfr_buf_append(part, chain);
	}
	if (!chain)
		return -ENOMEM;
	r = outcome(sfr_within(sfr_all(sfr_send_zc(loop, sock_a, chain)), PATIENCE_NS));
	while (recv(sock_b, (char[64]){0}, 64, MSG_DONTWAIT) > 0)
		;
	return r;
}

/* Of forty ops in rows, forks and joins, with what was read and what was opened handed on. */
static int fill_batch(sfr_loop *loop, sfr_batch *batch)
{
	int i, open, read;

	open = sfr_batch_add(batch, sfr_openat(loop, AT_FDCWD, "/dev/zero", O_RDONLY, 0));
	read = sfr_batch_add(batch,
			     sfr_read(loop, sfr_batch_fd(batch, open), sfr_buf_get(loop, 16)));
	sfr_batch_then(batch, read, sfr_all(sfr_send(loop, sock_a, NULL)));
	sfr_batch_then(batch, read, sfr_close(loop, sfr_batch_fd(batch, open)));
	for (i = 4; i < 40; i++) {
		sfr_batch_add(batch, sfr_nop(loop));
		sfr_batch_after(batch, i, i - 1);
		sfr_batch_after_any(batch, i, i / 2);
	}
	return sfr_batch_within(batch, PATIENCE_NS);
}

static void drop_sent(void)
{
	char bytes[4096];

	while (recv(sock_b, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

static int a_batch(sfr_loop *loop)
{
	sfr_batch *batch = sfr_batch_new(loop);
	int failed, r;

	if (!batch)
		return -ENOMEM;
	(void)fill_batch(loop, batch);
	failed = sfr_batch_await(batch);
	r = failed > 0 ? sfr_batch_error(batch, NULL) : failed;
	sfr_batch_free(batch);
	drop_sent();
	return r == -SFR_EPOOLEMPTY ? -ENOMEM : r;
}

/* A server that echoes, and a client that says something in two pieces. */
static int echoed, client_closed, echo_wanted;

static void server_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)result;
	(void)arg;
	(void)sfr_conn_send(conn, buf);
}

static void client_open(sfr_conn *conn, void *arg)
{
	(void)arg;
	(void)sfr_conn_send(conn, sfr_buf_from(sfr_conn_loop(conn), "pi", 2));
	(void)sfr_conn_send(conn, sfr_buf_from(sfr_conn_loop(conn), "ng", 2));
}

static void client_data(sfr_conn *conn, int result, sfr_buf *buf, void *arg)
{
	(void)arg;
	echoed += result;
	if (echoed >= echo_wanted) {
		sfr_buf_release(buf);
		sfr_conn_close(conn);
	} else if (echo_wanted > 4) {
		(void)sfr_conn_send(conn, buf);
	} else {
		sfr_buf_release(buf);
	}
}

static void client_close(sfr_conn *conn, int reason, void *arg)
{
	(void)conn;
	(void)reason;
	(void)arg;
	client_closed++;
}

static const sfr_handlers server_handlers = {.on_data = server_data};
static const sfr_handlers client_handlers = {
	.on_open = client_open, .on_data = client_data, .on_close = client_close};

static int an_echo(sfr_loop *loop)
{
	sfr_server *server;
	char address[64];
	int i, r = sfr_serve(loop, "tcp://127.0.0.1:0", &server_handlers, NULL, &server);

	if (r < 0)
		return r;
	echoed = client_closed = 0;
	echo_wanted = 4;
	(void)sfr_server_address(server, address, sizeof(address));
	r = sfr_dial(loop, address, &client_handlers, NULL, NULL);
	for (i = 0; r == 0 && i < PATIENCE_S * 100 && !client_closed; i++)
		if (sfr_loop_step(loop, 10000000) < 0)
			r = -EIO;
	sfr_server_close(server);
	if (r == 0 && client_closed != 1)
		r = -EIO;
	return r == 0 && echoed != 4 ? -ENOMEM : r;
}

static const struct {
	const char *name;
	int (*act)(sfr_loop *loop);
	bool only_mappings; /* it allocates so often that only the growth of tables is of interest */
} acts[] = {
	{"nothing", nothing, false},
	{"a post", a_post, false},
	{"a connect", a_connect, false},
	{"two buffers", two_buffers, false},
	{"many buffers", many_buffers, true},
	{"grown buffers", grown_buffers, true},
	{"many ops", many_ops, false},
	{"a stream", a_stream, false},
	{"registered files", registered_files, false},
	{"registered buffers", registered_buffers, false},
	{"a splice", a_splice, false},
	{"datagrams", datagrams, false},
	{"a child", a_child, false},
	{"a signal", a_signal, false},
	{"a message", a_message, false},
	{"some work", some_work, false},
	{"a long chain", a_long_chain, false},
	{"a batch", a_batch, false},
	{"an echo", an_echo, false},
};

/* One life of a loop, with one allocation failing. Returns false with a reason if it went wrong. */
static bool life_with_failure(const sfr_config *config, int (*act)(sfr_loop *), int *first,
			      int *again)
{
	sfr_loop *loop = NULL;
	int r = sfr_loop_new(&loop, config);

	*again = 0;
	*first = r;
	if (r < 0)
		return loop == NULL;
	*first = act(loop);
	failing_allocation = 0;
	*again = act(loop);
	return sfr_loop_drain(loop, PATIENCE_NS) == 0 && sfr_loop_free(loop) == 0;
}

START_TEST(each_allocation_may_fail_and_the_loop_works_on)
{
	sfr_config *config = config_in(_i, "buffers.count=64 buffers.budget=256MiB");
	size_t i;

	pair_of_sockets(&sock_a, &sock_b);
	listening_socket(&listener_addr, 4096);
	for (i = 0; i < sizeof(acts) / sizeof(acts[0]); i++) {
		long n = 0;
		bool sound;
		int first, again, before = open_descriptors();

		only_mappings = acts[i].only_mappings;
		do {
			allocations = live = 0;
			failing_allocation = ++n;
			watching = true;
			sound = life_with_failure(config, acts[i].act, &first, &again);
			watching = false;
			ck_assert_msg(sound, "%s, allocation %ld: the loop broke", acts[i].name, n);
			ck_assert_msg(first == 0 || first == -ENOMEM, "%s, allocation %ld: %s",
				      acts[i].name, n, sfr_errname(first));
			ck_assert_msg(again == 0, "%s, after allocation %ld: %s", acts[i].name, n,
				      sfr_errname(again));
			ck_assert_msg(live == 0, "%s, allocation %ld: %ld leaked", acts[i].name, n,
				      live);
			ck_assert_msg(open_descriptors() == before,
				      "%s, allocation %ld: descriptors leaked", acts[i].name, n);
		} while (allocations >= n);
		ck_assert_msg(first == 0, "%s without a failure: %s", acts[i].name,
			      sfr_errname(first));
		ck_assert_int_gt(n, 5);
	}
	only_mappings = false;
	sfr_config_free(config);
}
END_TEST

START_TEST(without_memory_there_is_no_configuration_and_no_loop)
{
	static const char *const engines[] = {"uring", "epoll"};
	long n = 0, refused = 0;
	sfr_loop *loop;
	int r;

	ck_assert_int_eq(setenv("SAFER_RING_ENGINE", engines[_i], 1), 0);
	if (!world_has_uring() && _i == 0)
		return;

	do {
		allocations = live = 0;
		failing_allocation = ++n;
		log_listen();
		watching = true;
		loop = NULL;
		r = sfr_loop_new(&loop, NULL);
		if (r == 0)
			r = sfr_loop_free(loop);
		watching = false;
		refused += r ==
			   -ENOMEM; /* and not where a ring asks once more, as it may be had soon */
		ck_assert_msg(r == 0 || r == -ENOMEM, "allocation %ld: %s", n, sfr_errname(r));
		ck_assert_int_eq(live, 0);
		ck_assert_msg(log_errors == (r < 0), "allocation %ld: %d lines: %s", n, log_errors,
			      log_line);
		ck_assert(r == 0 || strstr(log_line, "no memory is left"));
	} while (allocations >= n);
	ck_assert_int_eq(r, 0);
	ck_assert_int_gt(refused, 5);
}
END_TEST

/*
 * Steady state.
 */

#define MESSAGES 10000

static int rounds;

static void sent_back(sfr_loop *loop, int result, sfr_buf *buf, void *arg);

static void received(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result > 0)
		sfr_submit(sfr_send(loop, *(int *)arg, buf), sent_back, arg);
	else
		sfr_buf_release(buf);
}

static void sent_back(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result > 0 && ++rounds < 2 * MESSAGES)
		sfr_submit(sfr_recv(loop, *(int *)arg, buf), received, arg);
	else
		sfr_buf_release(buf);
}

START_TEST(receive_and_send_allocate_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int ends[2];

	pair_of_sockets(&ends[0], &ends[1]);
	rounds = 0;
	sfr_submit(sfr_recv(loop, ends[0], sfr_buf_get(loop, 64)), received, &ends[0]);
	sfr_submit(sfr_send(loop, ends[1], sfr_buf_from(loop, "ping", 4)), sent_back, &ends[1]);
	while (rounds < 100)
		ck_assert_int_ge(sfr_loop_step(loop, -1), 0);

	allocations = failing_allocation = 0;
	watching = true;
	while (rounds < 2 * MESSAGES && sfr_loop_step(loop, 1000000000) >= 0)
		;
	watching = false;
	ck_assert_int_ge(rounds, 2 * MESSAGES);
	ck_assert_int_eq(allocations, 0);
}
END_TEST

static void echo_arrival(sfr_loop *loop, int result, sfr_buf *buf, void *arg)
{
	if (result <= 0)
		return;
	rounds++;
	sfr_submit(sfr_send(loop, *(int *)arg, buf), NULL, NULL);
}

START_TEST(streams_allocate_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int ends[2];

	pair_of_sockets(&ends[0], &ends[1]);
	rounds = 0;
	sfr_submit(sfr_recv_multi(loop, ends[0]), echo_arrival, &ends[0]);
	sfr_submit(sfr_recv_multi(loop, ends[1]), echo_arrival, &ends[1]);
	sfr_submit(sfr_send(loop, ends[1], sfr_buf_from(loop, "ping", 4)), NULL, NULL);
	while (rounds < 100)
		ck_assert_int_ge(sfr_loop_step(loop, -1), 0);

	allocations = failing_allocation = 0;
	watching = true;
	while (rounds < 2 * MESSAGES && sfr_loop_step(loop, 1000000000) >= 0)
		;
	watching = false;
	ck_assert_int_ge(rounds, 2 * MESSAGES);
	ck_assert_int_eq(allocations, 0);
}
END_TEST

START_TEST(connections_allocate_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_loop_stats before, after;
	sfr_server *server;
	char address[64];

	echoed = client_closed = 0;
	echo_wanted = 4 * MESSAGES;
	ck_assert_int_eq(sfr_serve(loop, "tcp://127.0.0.1:0", &server_handlers, NULL, &server), 0);
	sfr_server_address(server, address, sizeof(address));
	ck_assert_int_eq(sfr_dial(loop, address, &client_handlers, NULL, NULL), 0);
	while (echoed < 400)
		ck_assert_int_ge(sfr_loop_step(loop, -1), 0);

	sfr_loop_stats_get(loop, &before, sizeof(before));
	allocations = failing_allocation = 0;
	watching = true;
	while (!client_closed && sfr_loop_step(loop, 1000000000) >= 0)
		;
	watching = false;
	sfr_loop_stats_get(loop, &after, sizeof(after));
	ck_assert_int_ge(echoed, 4 * MESSAGES);
	ck_assert_int_eq(allocations, 0);
	ck_assert_uint_eq(after.heap_allocs, before.heap_allocs);
}
END_TEST

START_TEST(timers_and_buffers_of_the_slab_allocate_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	int i, r = 0;

	ck_assert_int_eq(sfr_await(sfr_timeout(loop, 0), NULL), 0);
	allocations = failing_allocation = 0;
	watching = true;
	for (i = 0; i < 200 && r == 0; i++) {
		sfr_buf_release(sfr_buf_get(loop, 64));
		r = sfr_await(sfr_timeout(loop, 0), NULL);
	}
	watching = false;
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(allocations, 0);
}
END_TEST

/* But for copies of paths, which are for ops that are no business of the batch's. */
static int refill(sfr_loop *loop, sfr_batch *batch, int fd)
{
	int i, r;

	sfr_batch_add(batch, sfr_read(loop, fd, sfr_buf_get(loop, 16)));
	sfr_batch_then(batch, 0, sfr_all(sfr_send(loop, sock_a, NULL)));
	for (i = 2; i < 40; i++) {
		sfr_batch_then(batch, i - 1, sfr_within(sfr_nop(loop), PATIENCE_NS));
		sfr_batch_after_any(batch, i, i / 2);
	}
	(void)sfr_batch_within(batch, PATIENCE_NS);
	r = sfr_batch_await(batch);
	return r == 0 ? sfr_batch_reset(batch) : -EIO;
}

START_TEST(a_batch_that_is_used_again_allocates_nothing)
{
	sfr_loop *loop = loop_in(_i, NULL);
	sfr_batch *batch = sfr_batch_new(loop);
	int i, r = 0, zeros = owned_fd(open("/dev/zero", O_RDONLY));

	pair_of_sockets(&sock_a, &sock_b);
	for (i = 0; i < 10; i++) {
		ck_assert_int_eq(refill(loop, batch, zeros), 0);
		drop_sent();
	}
	allocations = failing_allocation = 0;
	watching = true;
	for (i = 0; i < 200 && r == 0; i++) {
		r = refill(loop, batch, zeros);
		drop_sent();
	}
	watching = false;
	ck_assert_int_eq(r, 0);
	ck_assert_int_eq(allocations, 0);
	sfr_batch_free(batch);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("memory");
	TCase *tc = world_case(suite, "failing");

	world_test(tc, each_allocation_may_fail_and_the_loop_works_on);
	tcase_add_loop_test(tc, without_memory_there_is_no_configuration_and_no_loop, 0, 2);
	tc = world_case(suite, "steady state");
	world_test(tc, receive_and_send_allocate_nothing);
	world_test(tc, streams_allocate_nothing);
	world_test(tc, connections_allocate_nothing);
	world_test(tc, timers_and_buffers_of_the_slab_allocate_nothing);
	world_test(tc, a_batch_that_is_used_again_allocates_nothing);
	return world_run(suite);
}
