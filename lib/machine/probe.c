/* SPDX-License-Identifier: MIT */
/*
 * Probe: each feature is tried by doing the thing itself on a ring of four entries, and seeing that
 * it did happen.
 *
 * What could not be tried for want of descriptors or memory counts as missing, and as unsure: then
 * the answer is not kept, and the next who asks has it tried again.
 */
#include "machine/probe.h"
#include "machine/kernel.h"
#include "machine/machine.h"
#include "machine/ring.h"
#include "machine/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define GROUP 0
#define GROUP_INCREMENTAL 1
#define ENTRIES 4

/* As many opcodes as fit into a set of bits. */
#define OPS_MAX 64
#define PROBE_SIZE(ops) (sizeof(struct io_uring_probe) + (ops) * sizeof(struct io_uring_probe_op))

/* A ring to try things on, and whether some could not be tried for want of descriptors or memory. */
struct trial {
	struct sfr__ring ring;
	unsigned offered; /* IORING_FEAT_... */
	bool unsure;
};

static int noted(struct trial *trial, int r)
{
	if (r == -EMFILE || r == -ENFILE || r == -ENOMEM || r == -ENOBUFS)
		trial->unsure = true;
	return r;
}

static int noted_fd(struct trial *trial, int fd)
{
	return fd < 0 ? noted(trial, -errno) : fd;
}

/* All that setup can be asked for at once; the newest kernels take it together. */
#define FLAGS_ALL                                                                              \
	(IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_COOP_TASKRUN | \
	 IORING_SETUP_SUBMIT_ALL | IORING_SETUP_NO_SQARRAY)

/* The memory of a ring that is gone counts against RLIMIT_MEMLOCK for a moment longer. */
#define PATIENCE_MS 50

static int or_later(int r, int *patience_ms)
{
	const struct timespec ms = {.tv_nsec = 1000000};

	if (r != -ENOMEM || --*patience_ms < 0)
		return r;
	nanosleep(&ms, NULL);
	return -EAGAIN;
}

static int ring_make(struct sfr__ring *ring, unsigned flags, unsigned *features_out)
{
	int patience_ms = PATIENCE_MS, r;

	do {
		struct io_uring_params params = {.flags = flags};

		r = or_later(sfr__ring_open(ring, ENTRIES, &params), &patience_ms);
		*features_out = params.features;
	} while (r == -EAGAIN);
	return r;
}

static bool setup_works(struct trial *trial, unsigned flags)
{
	unsigned features;
	struct sfr__ring ring;

	if (noted(trial, ring_make(&ring, flags, &features)) < 0)
		return false;
	sfr__ring_close(&ring);
	return true;
}

static int ring_register(const struct sfr__ring *ring, unsigned what, const void *arg,
			 unsigned count)
{
	return io_uring_register((unsigned)ring->fd, what, arg, count);
}

struct sfr__refusal sfr__probe_ring(const struct sfr__ring *ring)
{
	_Alignas(struct io_uring_probe) unsigned char space[PROBE_SIZE(4)] = {0};
	int r = ring_register(ring, IORING_REGISTER_PROBE, space, 4);

	if (r < 0)
		return (struct sfr__refusal){r, SFR__STEP_REGISTER, SFR__ANSWERED};
	r = io_uring_enter((unsigned)ring->fd, 0, 0, 0, NULL);
	if (r < 0 && r != -EBADFD) /* which says that it is disabled, as it should be */
		return (struct sfr__refusal){r, SFR__STEP_ENTER, SFR__ANSWERED};
	return (struct sfr__refusal){0};
}

static struct sfr__refusal refusal_find(unsigned *features_out)
{
	struct sfr__ring ring;
	struct sfr__refusal refusal = {ring_make(&ring, IORING_SETUP_R_DISABLED, features_out),
				       SFR__STEP_SETUP, SFR__ANSWERED};

	if (refusal.error < 0)
		return refusal;
	refusal = sfr__probe_ring(&ring);
	sfr__ring_close(&ring);
	return refusal;
}

/* What is tried. What goes on may complete once more while the next is tried. */
enum { ACCEPTING = 1, RECEIVING, READING, USING_UP, SENDING, OPENING, LINKING };

struct outcome {
	int result;
	unsigned flags;
};

/* An entry to fill in, empty: a nop. NULL if as many wait to be tried. */
static struct io_uring_sqe *entry_next(struct sfr__ring *ring)
{
	unsigned tail = *ring->sq_tail;
	struct io_uring_sqe *sqe = &ring->sqes[tail & (ring->sq_entries - 1)];

	if (tail - io_uring_smp_load_acquire(ring->sq_head) == ring->sq_entries)
		return NULL;
	*sqe = (struct io_uring_sqe){0};
	*ring->sq_tail = tail + 1; /* nobody looks before the next enter */
	return sqe;
}

/* Have entries taken and wait for a completion, which comes at once, or never: 0 or -errno. A machine may be busy. */
static int ring_wait(struct sfr__ring *ring)
{
	struct __kernel_timespec ts = {.tv_sec = 5};
	struct sfr__enter_arg arg = {.ts = (uint64_t)(uintptr_t)&ts};
	int r = io_uring_enter2((unsigned)ring->fd, *ring->sq_tail - *ring->sq_head, 1,
				IORING_ENTER_GETEVENTS | IORING_ENTER_EXT_ARG, (sigset_t *)&arg,
				sizeof(arg));

	return r == -EINTR || r > 0 ? 0 : r;
}

/* The completion of what is tried; -ETIME if it does not come in time. */
static struct outcome outcome_of(struct trial *trial, uint64_t tried)
{
	struct sfr__ring *ring = &trial->ring;
	struct outcome outcome = {-ETIME, 0};
	bool found = false;

	while (!found && ring_wait(ring) == 0) {
		unsigned head = *ring->cq_head;

		for (; !found && head != io_uring_smp_load_acquire(ring->cq_tail); head++) {
			const struct io_uring_cqe *cqe = &ring->cqes[head & (ring->cq_entries - 1)];

			found = cqe->user_data == tried;
			if (found)
				outcome = (struct outcome){noted(trial, cqe->res), cqe->flags};
		}
		io_uring_smp_store_release(ring->cq_head, head);
	}
	return outcome;
}

/* One connection to a listener on a socket without a name: does the accept go on? */
static bool accept_multi_works(struct trial *trial)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	socklen_t size = sizeof(addr);
	int listener = noted_fd(trial, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	int client = noted_fd(trial, socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
	struct io_uring_sqe *sqe = entry_next(&trial->ring);
	struct outcome outcome = {-1, 0};

	if (listener >= 0 && client >= 0 && sqe &&
	    bind(listener, (struct sockaddr *)&addr, sizeof(addr.sun_family)) == 0 &&
	    listen(listener, 1) == 0 &&
	    getsockname(listener, (struct sockaddr *)&addr, &size) == 0 &&
	    connect(client, (struct sockaddr *)&addr, size) == 0) {
		io_uring_prep_multishot_accept(sqe, listener, NULL, NULL, SOCK_CLOEXEC);
		sqe->user_data = ACCEPTING;
		outcome = outcome_of(trial, ACCEPTING);
	}
	if (outcome.result >= 0)
		(void)close(outcome.result); /* never used, as the two below */
	if (client >= 0)
		(void)close(client);
	if (listener >= 0)
		(void)close(listener);
	return outcome.result >= 0 && outcome.flags & IORING_CQE_F_MORE;
}

static bool buffer_ring_add(struct trial *trial, const struct sfr__buf_reg *reg)
{
	int patience_ms = PATIENCE_MS, r;

	do
		r = or_later(ring_register(&trial->ring, IORING_REGISTER_PBUF_RING, reg, 1),
			     &patience_ms);
	while (r == -EAGAIN);
	return noted(trial, r) == 0;
}

static bool buffer_rings_work(struct trial *trial, struct io_uring_buf_ring *bufs,
			      unsigned char *memory)
{
	const struct sfr__buf_reg reg = {
		.ring_addr = (uint64_t)(uintptr_t)bufs, .ring_entries = 2, .bgid = GROUP};

	if (!buffer_ring_add(trial, &reg))
		return false;
	io_uring_buf_ring_init(bufs);
	io_uring_buf_ring_add(bufs, memory, 64, 0, 1, 0);
	io_uring_buf_ring_add(bufs, memory + 64, 64, 1, 1, 1);
	io_uring_buf_ring_advance(bufs, 2);
	return true;
}

/* One byte in a socket or pipe, and what takes it into a provided buffer: does that go on? */
static bool arrivals_work(struct trial *trial, struct io_uring_sqe *sqe, uint64_t tried,
			  const int fds[2])
{
	const unsigned wanted = IORING_CQE_F_MORE | IORING_CQE_F_BUFFER;
	struct outcome outcome = {-1, 0};

	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe->user_data = tried;
	if (write(fds[1], "", 1) == 1)
		outcome = outcome_of(trial, tried);
	(void)close(fds[0]); /* never used outside, both of them */
	(void)close(fds[1]);
	return outcome.result == 1 && (outcome.flags & wanted) == wanted;
}

static bool recv_multi_works(struct trial *trial)
{
	struct io_uring_sqe *sqe = entry_next(&trial->ring);
	int fds[2];

	if (!sqe || noted_fd(trial, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) < 0)
		return false;
	io_uring_prep_recv_multishot(sqe, fds[0], NULL, 0, 0);
	return arrivals_work(trial, sqe, RECEIVING, fds);
}

static bool read_multi_works(struct trial *trial)
{
	struct io_uring_sqe *sqe = entry_next(&trial->ring);
	int fds[2];

	if (!sqe || noted_fd(trial, pipe2(fds, O_CLOEXEC)) < 0)
		return false;
	io_uring_prep_rw(SFR__OP_CODE_READ_MULTI, sqe, fds[0], NULL, 0, (uint64_t)-1);
	return arrivals_work(trial, sqe, READING, fds);
}

/* A byte for the only buffer of the group, into which two fit: does the kernel say that it has room left? */
static bool byte_fills(struct trial *trial, const int fds[2], bool more)
{
	struct io_uring_sqe *sqe = entry_next(&trial->ring);
	struct outcome outcome;

	if (!sqe || write(fds[1], more ? "a" : "b", 1) != 1)
		return false;
	io_uring_prep_recv(sqe, fds[0], NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP_INCREMENTAL;
	sqe->user_data = USING_UP;
	outcome = outcome_of(trial, USING_UP);
	return outcome.result == 1 && outcome.flags & IORING_CQE_F_BUFFER &&
	       !(outcome.flags & SFR__CQE_F_BUF_MORE) == !more;
}

static bool incremental_works(struct trial *trial, struct io_uring_buf_ring *bufs,
			      unsigned char *memory)
{
	const struct sfr__buf_reg reg = {.ring_addr = (uint64_t)(uintptr_t)bufs,
					 .ring_entries = 1,
					 .bgid = GROUP_INCREMENTAL,
					 .flags = SFR__PBUF_RING_INC};
	bool works;
	int fds[2];

	if (!buffer_ring_add(trial, &reg) ||
	    noted_fd(trial, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) < 0)
		return false;
	memory[0] = memory[1] = 0; /* Valgrind does not see the kernel write to it */
	io_uring_buf_ring_init(bufs);
	io_uring_buf_ring_add(bufs, memory, 2, 0, 0, 0);
	io_uring_buf_ring_advance(bufs, 1);
	works = byte_fills(trial, fds, true) && byte_fills(trial, fds, false) && memory[0] == 'a' &&
		memory[1] == 'b';
	(void)close(fds[0]); /* never used outside, both of them */
	(void)close(fds[1]);
	return works;
}

/* Unix sockets refuse it, but only a kernel that knows it says in a second completion that it has let go
 * of the bytes. */
static bool send_zc_works(struct trial *trial)
{
	struct io_uring_sqe *sqe = entry_next(&trial->ring);
	struct outcome first, second = {0};
	int fds[2];

	if (!sqe || noted_fd(trial, socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds)) < 0)
		return false;
	io_uring_prep_send_zc(sqe, fds[0], "", 1, MSG_DONTWAIT, 0);
	sqe->user_data = SENDING;
	first = outcome_of(trial, SENDING);
	if (first.flags & IORING_CQE_F_MORE)
		second = outcome_of(trial, SENDING);
	(void)close(fds[0]); /* never used outside, both of them */
	(void)close(fds[1]);
	return (first.result == 1 || first.result == -EOPNOTSUPP) &&
	       second.flags & IORING_CQE_F_NOTIF;
}

/* What RLIMIT_MEMLOCK has no room for now is known all the same. Kernels that have no empty places wait for
 * all that is in flight before they take a table. */
static bool fixed_buffers_work(const struct sfr__ring *ring, unsigned char *memory)
{
	const struct iovec buffers[] = {{memory, PAGE}, {NULL, 0}};
	int r = ring_register(ring, IORING_REGISTER_BUFFERS, buffers, 2);

	return r == 0 || r == -ENOMEM;
}

/* A socket: older kernels than that opcode take no notice of a place, and give a descriptor. */
static bool direct_files_work(struct trial *trial)
{
	struct io_uring_sqe *sqe = entry_next(&trial->ring);
	const int empty = -1;

	if (!sqe || ring_register(&trial->ring, IORING_REGISTER_FILES, &empty, 1) < 0)
		return false;
	io_uring_prep_socket_direct(sqe, AF_UNIX, SOCK_STREAM, 0, 0, 0);
	sqe->user_data = OPENING;
	return outcome_of(trial, OPENING).result == 0;
}

/* What becomes of an entry that is linked behind one that fails. */
static int after_failure(struct trial *trial, unsigned link)
{
	struct io_uring_sqe *first = entry_next(&trial->ring);
	struct io_uring_sqe *second = entry_next(&trial->ring);
	unsigned char byte;

	if (!first || !second)
		return -EAGAIN;
	io_uring_prep_read(first, -1, &byte, 1, 0);
	first->flags |= (uint8_t)link;
	io_uring_prep_nop(second);
	second->user_data = LINKING;
	return outcome_of(trial, LINKING).result;
}

/* Before 5.17 all files of a row are looked up before any of it runs. A place that the row itself fills
 * is empty then, and a descriptor that is none breaks hard links too. */
static bool links_work(struct trial *trial)
{
	return trial->offered & IORING_FEAT_LINKED_FILE &&
	       after_failure(trial, IOSQE_IO_LINK) == -ECANCELED &&
	       after_failure(trial, IOSQE_IO_HARDLINK) == 0;
}

static bool napi_works(const struct sfr__ring *ring)
{
	struct sfr__napi napi = {.busy_poll_us = 1};

	return ring_register(ring, SFR__REGISTER_NAPI, &napi, 1) == 0;
}

static sfr__features ring_features(struct trial *trial)
{
	_Alignas(PAGE) unsigned char memory[3 * PAGE];
	bool buffer_rings = buffer_rings_work(trial, (void *)memory, memory + PAGE);
	sfr__features found = 0;

	if (buffer_rings)
		found |= 1U << SFR__FEATURE_BUFFER_RINGS;
	if (accept_multi_works(trial))
		found |= 1U << SFR__FEATURE_ACCEPT_MULTI;
	if (fixed_buffers_work(&trial->ring, memory + PAGE))
		found |= 1U << SFR__FEATURE_FIXED_BUFFERS;
	if (buffer_rings && recv_multi_works(trial))
		found |= 1U << SFR__FEATURE_RECV_MULTI;
	if (buffer_rings && read_multi_works(trial))
		found |= 1U << SFR__FEATURE_READ_MULTI;
	if (buffer_rings &&
	    incremental_works(trial, (void *)(memory + 2 * PAGE), memory + PAGE + 128))
		found |= 1U << SFR__FEATURE_INCREMENTAL;
	if (direct_files_work(trial))
		found |= 1U << SFR__FEATURE_DIRECT_FILES;
	if (links_work(trial))
		found |= 1U << SFR__FEATURE_LINKS;
	if (send_zc_works(trial))
		found |= 1U << SFR__FEATURE_SEND_ZC;
	if (napi_works(&trial->ring))
		found |= 1U << SFR__FEATURE_NAPI;
	return found;
}

/* What setup takes: all together, or else one by one. */
static sfr__features setup_features(struct trial *trial)
{
	static const struct {
		unsigned flags;
		enum sfr__feature feature;
	} rows[] = {
		{IORING_SETUP_SINGLE_ISSUER, SFR__FEATURE_SINGLE_ISSUER},
		{IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		 SFR__FEATURE_DEFER_TASKRUN},
		{IORING_SETUP_COOP_TASKRUN, SFR__FEATURE_COOP_TASKRUN},
		{IORING_SETUP_SUBMIT_ALL, SFR__FEATURE_SUBMIT_ALL},
		{IORING_SETUP_NO_SQARRAY, SFR__FEATURE_NO_SQARRAY},
	};
	bool all = setup_works(trial, FLAGS_ALL);
	sfr__features found = 0;
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (all || setup_works(trial, rows[i].flags))
			found |= 1U << rows[i].feature;
	return found;
}

static uint64_t ops_find(const struct sfr__ring *ring)
{
	_Alignas(struct io_uring_probe) unsigned char space[PROBE_SIZE(OPS_MAX)] = {0};
	const struct io_uring_probe *probe = (const void *)space;
	uint64_t ops = 0;
	unsigned i;

	if (ring_register(ring, IORING_REGISTER_PROBE, space, OPS_MAX) < 0)
		return 0;
	for (i = 0; i < OPS_MAX && i < probe->ops_len; i++)
		if (probe->ops[i].flags & IO_URING_OP_SUPPORTED)
			ops |= UINT64_C(1) << i;
	return ops;
}

/* Features and opcodes. False if not all could be tried. */
static bool features_find(unsigned offered, sfr__features *found_out, uint64_t *ops_out)
{
	struct trial trial = {.offered = offered};
	unsigned features;

	*found_out = setup_features(&trial);
	if (offered & IORING_FEAT_NO_IOWAIT)
		*found_out |= 1U << SFR__FEATURE_NO_IOWAIT;
	if (offered & IORING_FEAT_MIN_TIMEOUT)
		*found_out |= 1U << SFR__FEATURE_MIN_WAIT;
	if (ring_make(&trial.ring, 0, &features) < 0)
		return false;
	*found_out |= ring_features(&trial);
	*ops_out = ops_find(&trial.ring);
	if (*ops_out >> SFR__OP_CODES_OLD)
		*found_out |= 1U << SFR__FEATURE_NEW_OPCODES;
	sfr__ring_close(&trial.ring);
	return !trial.unsure;
}

void sfr__probe_uring(struct sfr__probe *out)
{
	unsigned offered = 0;

	*out = (struct sfr__probe){.refusal = sfr__sandbox_ask()};
	if (!out->refusal.error)
		out->refusal = refusal_find(&offered);
	if (out->refusal.error)
		return;
	(void)features_find(offered, &out->features, &out->ops); /* none is what it says then */
}

static bool spared;

void sfr__probe_spare(bool spare)
{
	spared = spare;
}

void sfr__probe_machine(struct sfr__machine *machine)
{
	struct sfr__probe probe;

	if (spared)
		return;
	sfr__probe_uring(&probe);
	machine->kernel_known = true;
	machine->refusal = probe.refusal;
	machine->kernel_features = probe.features;
}

sfr__features sfr__probe_features(uint64_t *ops_out)
{
	static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	static bool known;
	static sfr__features features;
	static uint64_t ops;
	sfr__features found;

	pthread_mutex_lock(&mutex);
	if (!known) {
		unsigned offered = 0;

		features = 0;
		ops = 0;
		known = !refusal_find(&offered).error && features_find(offered, &features, &ops);
	}
	found = features;
	if (ops_out)
		*ops_out = ops;
	pthread_mutex_unlock(&mutex);
	return found;
}
