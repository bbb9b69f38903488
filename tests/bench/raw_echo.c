/* SPDX-License-Identifier: MIT */
/*
 * Echo server on liburing, written by hand: the measure for the library.
 *
 *	raw_echo --port 0
 *
 * One enter per turn submits what the last turn decided and waits for the next completions. Accepting
 * and receiving are multishot. The kernel picks the memory from a provided-buffer ring and fills each
 * block of it bit by bit (incremental consumption, Linux 6.12), so a block is shared by many
 * connections and counts how many pieces of it are still to be sent. All that a connection received in
 * a turn leaves with one send, and no connection has two sends in flight, which could overtake each
 * other.
 *
 * Tried and dropped: direct descriptors (1 % at best), smaller blocks (the same at small messages, up
 * to 5 % worse at 64 KiB), one buffer per arrival (--classic; worse at large messages).
 *
 * A measure, not a server for everyone: a peer that never reads keeps its blocks, and enough such
 * peers stop all others.
 */
#include "listener.h"
#include <getopt.h>
#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

/* Of Linux 6.12; liburing 2.3 does not know them. */
#define PBUF_RING_INC 2
#define CQE_F_BUF_MORE (1U << 4)

/* How a buffer ring is registered: liburing had another name for the flags before 2.8. */
struct buf_reg {
	uint64_t ring_addr;
	uint32_t ring_entries;
	uint16_t bgid, flags;
	uint64_t reserved[3];
};

#define SQ_SIZE 512
#define CQ_SIZE 8192
#define GROUP 0
#define IOV_MAX_PER_SEND 64
#define IOV_MAX_PER_TURN 4096
#define PIECES_PER_CHUNK 1024
/* What a full socket does not take, the kernel sends by itself later: one completion, not several. */
#define SEND_FLAGS (MSG_NOSIGNAL | MSG_WAITALL)

/* What a completion is about, in the low bits of its user_data; the rest points to the connection. */
enum about { ABOUT_ACCEPT, ABOUT_STOP, ABOUT_RECV, ABOUT_SEND };

#define ABOUT_MASK ((uint64_t)7)

/* A stretch of a block that has to go back to its sender. */
struct piece {
	struct piece *next;
	char *data;
	unsigned size;
	unsigned block;
};

struct block {
	unsigned pieces; /* that wait to be sent */
	unsigned filled; /* where the next byte will land */
	bool full;       /* the kernel is done with it */
};

struct connection {
	struct piece *first; /* received and not yet sent, in order */
	struct piece *last;
	struct connection *next_dirty; /* has something to send, or to close, when the turn ends */
	struct connection *next_starved; /* wants to receive and found no buffer */
	struct connection *next;
	struct connection *previous;
	int fd;
	bool dirty;
	bool sending;
	bool receiving; /* or starved: not to be freed yet */
	bool ended;     /* the peer finished: close when everything is out */
	bool dead;      /* sending failed: close, whatever is left */
};

static struct io_uring ring;
static struct io_uring_buf_ring *buf_ring;
static struct block *blocks;
static char *memory;
static unsigned block_count;
static unsigned block_size;
static unsigned blocks_ready; /* how many the kernel may still fill */
static unsigned blocks_added; /* how many of these it has not been told of */

static struct connection open_list = {.next = &open_list, .previous = &open_list};
static struct connection *dirty_list;
static struct connection *starved_first;
static struct connection **starved_last = &starved_first;

static struct piece *free_pieces;
static struct piece_chunk {
	struct piece_chunk *next;
	struct piece pieces[PIECES_PER_CHUNK];
} * piece_chunks;

/* Without SQPOLL the kernel has copied these when the submitting call returns, so they start anew. */
static struct iovec turn_iov[IOV_MAX_PER_TURN];
static struct msghdr turn_msg[SQ_SIZE];
static unsigned turn_iov_used;
static unsigned turn_msg_used;

static int listen_fd;
static int stop_fd;
static bool accept_stalled; /* no descriptor was left: accept again when a connection closes */

/* Ring */

static void ring_open(void)
{
	const unsigned best = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN |
			      IORING_SETUP_SUBMIT_ALL;
	const unsigned tries[] = {best, IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SUBMIT_ALL, 0};
	int r = -EINVAL;

	for (size_t i = 0; i < sizeof(tries) / sizeof(tries[0]) && r == -EINVAL; i++) {
		struct io_uring_params params = {.flags = tries[i] | IORING_SETUP_CQSIZE |
							  IORING_SETUP_CLAMP,
						 .cq_entries = CQ_SIZE};

		r = io_uring_queue_init_params(SQ_SIZE, &ring, &params);
	}
	if (r < 0)
		die("io_uring_queue_init", -r);
	(void)io_uring_register_ring_fd(&ring); /* saves a lookup per enter; works without */
}

static void turn_submitted(int result)
{
	if (result < 0 && result != -EINTR)
		die("io_uring_enter", -result);
	if (io_uring_sq_ready(&ring) == 0) {
		turn_iov_used = 0;
		turn_msg_used = 0;
	}
}

static void turn_submit(void)
{
	while (io_uring_sq_ready(&ring) > 0)
		turn_submitted(io_uring_submit(&ring));
}

static struct io_uring_sqe *sqe_get(void)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);

	if (!sqe) {
		turn_submit();
		sqe = io_uring_get_sqe(&ring);
	}
	return sqe;
}

static void sqe_mark(struct io_uring_sqe *sqe, enum about about, struct connection *conn)
{
	sqe->user_data = (uintptr_t)conn | about;
}

/* Buffers */

static void block_give(unsigned index)
{
	struct block *block = &blocks[index];

	block->filled = 0;
	block->full = false;
	io_uring_buf_ring_add(buf_ring, memory + (size_t)index * block_size, block_size,
			      (unsigned short)index, io_uring_buf_ring_mask(block_count),
			      (int)blocks_added);
	blocks_added++;
	blocks_ready++;
}

static void blocks_publish(void)
{
	if (blocks_added)
		io_uring_buf_ring_advance(buf_ring, (int)blocks_added);
	blocks_added = 0;
}

static void *pages_new(size_t size)
{
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (pages == MAP_FAILED)
		die("mmap", errno);
	return pages;
}

static void buffers_open(bool classic)
{
	struct buf_reg reg = {.ring_entries = block_count, .bgid = GROUP};
	int r = -EINVAL;

	buf_ring = pages_new(block_count * sizeof(struct io_uring_buf));
	memory = pages_new((size_t)block_count * block_size);
	blocks = calloc(block_count, sizeof(*blocks));
	if (!blocks)
		die("calloc", errno);
	reg.ring_addr = (uintptr_t)buf_ring;

	if (!classic) {
		reg.flags = PBUF_RING_INC;
		r = io_uring_register((unsigned)ring.ring_fd, IORING_REGISTER_PBUF_RING, &reg, 1);
		if (r == -EINVAL)
			fprintf(stderr, "raw_echo: no incremental consumption on this kernel\n");
	}
	if (r == -EINVAL) {
		reg.flags = 0;
		r = io_uring_register((unsigned)ring.ring_fd, IORING_REGISTER_PBUF_RING, &reg, 1);
	}
	if (r < 0)
		die("io_uring_register_buf_ring", -r);
	io_uring_buf_ring_init(buf_ring);
	for (unsigned i = 0; i < block_count; i++)
		block_give(i);
	blocks_publish();
}

static struct piece *piece_new(void)
{
	struct piece *piece = free_pieces;

	if (!piece) {
		struct piece_chunk *chunk = malloc(sizeof(*chunk));

		if (!chunk)
			die("malloc", errno);
		chunk->next = piece_chunks;
		piece_chunks = chunk;
		for (size_t i = 0; i < PIECES_PER_CHUNK; i++) {
			chunk->pieces[i].next = free_pieces;
			free_pieces = &chunk->pieces[i];
		}
		piece = free_pieces;
	}
	free_pieces = piece->next;
	return piece;
}

static void piece_free(struct piece *piece)
{
	struct block *block = &blocks[piece->block];

	if (--block->pieces == 0 && block->full)
		block_give(piece->block);
	piece->next = free_pieces;
	free_pieces = piece;
}

/* Connections */

static void accept_arm(void)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_multishot_accept(sqe, listen_fd, NULL, NULL, SOCK_CLOEXEC);
	sqe_mark(sqe, ABOUT_ACCEPT, NULL);
	accept_stalled = false;
}

static void stop_arm(void)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_poll_add(sqe, stop_fd, POLLIN);
	sqe_mark(sqe, ABOUT_STOP, NULL);
}

static void recv_arm(struct connection *conn)
{
	struct io_uring_sqe *sqe = sqe_get();

	io_uring_prep_recv_multishot(sqe, conn->fd, NULL, 0, 0);
	sqe->flags |= IOSQE_BUFFER_SELECT;
	sqe->buf_group = GROUP;
	sqe_mark(sqe, ABOUT_RECV, conn);
	conn->receiving = true;
}

static void connection_open(int fd)
{
	struct connection *conn = calloc(1, sizeof(*conn));

	if (!conn) {
		(void)close(fd); /* the peer sees the end; nothing else to do without memory */
		return;
	}
	conn->fd = fd;
	conn->next = open_list.next;
	conn->previous = &open_list;
	conn->next->previous = conn;
	open_list.next = conn;
	recv_arm(conn);
}

static void pieces_drop(struct connection *conn)
{
	while (conn->first) {
		struct piece *piece = conn->first;

		conn->first = piece->next;
		piece_free(piece);
	}
}

/* Only when neither a receive nor a send is in flight: their completions name this memory. */
static void connection_free(struct connection *conn)
{
	pieces_drop(conn);
	conn->next->previous = conn->previous;
	conn->previous->next = conn->next;
	(void)close(conn->fd);
	free(conn);
	if (accept_stalled)
		accept_arm();
}

static void connection_touch(struct connection *conn)
{
	if (conn->dirty)
		return;
	conn->dirty = true;
	conn->next_dirty = dirty_list;
	dirty_list = conn;
}

static void connection_starve(struct connection *conn)
{
	conn->next_starved = NULL;
	*starved_last = conn;
	starved_last = &conn->next_starved;
}

static void piece_append(struct connection *conn, unsigned index, unsigned size)
{
	struct block *block = &blocks[index];
	char *data = memory + (size_t)index * block_size + block->filled;
	struct piece *piece = conn->last;

	block->filled += size;
	/* Also while the piece is being sent: what its send covers was counted when it was prepared. */
	if (conn->first && piece->data + piece->size == data && piece->block == index) {
		piece->size += size;
		return;
	}
	piece = piece_new();
	piece->next = NULL;
	piece->data = data;
	piece->size = size;
	piece->block = index;
	block->pieces++;
	if (conn->first)
		conn->last->next = piece;
	else
		conn->first = piece;
	conn->last = piece;
}

static void send_arm_gathered(struct connection *conn, struct io_uring_sqe *sqe)
{
	struct iovec *iov = &turn_iov[turn_iov_used];
	struct msghdr *msg = &turn_msg[turn_msg_used++];
	unsigned count = 0;

	for (struct piece *piece = conn->first; piece && count < IOV_MAX_PER_SEND;
	     piece = piece->next)
		iov[count++] = (struct iovec){piece->data, piece->size};
	turn_iov_used += count;
	*msg = (struct msghdr){.msg_iov = iov, .msg_iovlen = count};
	io_uring_prep_sendmsg(sqe, conn->fd, msg, SEND_FLAGS);
}

static void send_arm(struct connection *conn)
{
	struct io_uring_sqe *sqe;

	if (turn_iov_used + IOV_MAX_PER_SEND > IOV_MAX_PER_TURN)
		turn_submit();
	sqe = sqe_get();
	if (conn->first->next)
		send_arm_gathered(conn, sqe);
	else
		io_uring_prep_send(sqe, conn->fd, conn->first->data, conn->first->size, SEND_FLAGS);
	sqe_mark(sqe, ABOUT_SEND, conn);
	conn->sending = true;
}

/* Completions */

static void recv_done(struct connection *conn, int result, unsigned flags)
{
	if (flags & IORING_CQE_F_BUFFER) {
		unsigned index = flags >> IORING_CQE_BUFFER_SHIFT;
		bool full = !(flags & CQE_F_BUF_MORE);

		if (result > 0)
			piece_append(conn, index, (unsigned)result);
		if (full) {
			blocks_ready--;
			blocks[index].full = true;
			if (blocks[index].pieces == 0)
				block_give(index);
		}
	}
	if (result > 0)
		connection_touch(conn);
	if (flags & IORING_CQE_F_MORE)
		return;

	if (result == -ENOBUFS) {
		connection_starve(conn);
		return;
	}
	conn->receiving = false;
	if (result > 0) {
		recv_arm(conn); /* the completion queue was full once */
	} else {
		conn->ended = true;
		conn->dead |= result < 0;
		connection_touch(conn);
	}
}

static void send_done(struct connection *conn, int result)
{
	unsigned left = result > 0 ? (unsigned)result : 0;

	conn->sending = false;
	while (left) {
		struct piece *piece = conn->first;

		if (left < piece->size) {
			piece->data += left;
			piece->size -= left;
			break;
		}
		left -= piece->size;
		conn->first = piece->next;
		piece_free(piece);
	}
	if (result < 0) {
		conn->dead = true;
		if (conn->receiving)
			(void)shutdown(conn->fd, SHUT_RDWR); /* ends the receive */
	}
	if (conn->first || conn->ended || conn->dead)
		connection_touch(conn);
}

static void accept_done(int result, unsigned flags)
{
	if (result >= 0)
		connection_open(result);
	else if (result != -ECONNABORTED && result != -EINTR)
		fprintf(stderr, "accept: %s\n", strerror(-result));
	if (flags & IORING_CQE_F_MORE)
		return;
	if (result == -EMFILE || result == -ENFILE)
		accept_stalled = true;
	else
		accept_arm();
}

static void completion_handle(const struct io_uring_cqe *cqe, bool *stop)
{
	enum about about = cqe->user_data & ABOUT_MASK;
	struct connection *conn = (struct connection *)(uintptr_t)(cqe->user_data & ~ABOUT_MASK);

	switch (about) {
	case ABOUT_RECV:
		recv_done(conn, cqe->res, cqe->flags);
		break;
	case ABOUT_SEND:
		send_done(conn, cqe->res);
		break;
	case ABOUT_ACCEPT:
		accept_done(cqe->res, cqe->flags);
		break;
	case ABOUT_STOP:
		*stop = true;
		break;
	}
}

/* Turns */

static void dirty_settle(void)
{
	struct connection *conn = dirty_list;
	struct connection *next;

	dirty_list = NULL;
	for (; conn; conn = next) {
		next = conn->next_dirty;
		conn->dirty = false;
		if (conn->sending)
			continue;
		if (conn->dead)
			pieces_drop(conn);
		if (conn->first)
			send_arm(conn);
		else if ((conn->ended || conn->dead) && !conn->receiving)
			connection_free(conn);
	}
}

/*
 * Each buffer can satisfy one starved connection: arming more only brings their failures back. Those
 * armed for which nothing has arrived use none, so as long as buffers are left the next turn goes on
 * with the rest, and must not wait.
 */
static bool starved_settle(void)
{
	unsigned budget = blocks_ready;

	while (starved_first && budget > 0) {
		struct connection *conn = starved_first;

		starved_first = conn->next_starved;
		if (!starved_first)
			starved_last = &starved_first;
		budget--;
		recv_arm(conn); /* a dead one as well: its receive fails, and that frees it */
	}
	return starved_first && blocks_ready > 0;
}

static void loop_run(void)
{
	bool stop = false;

	while (!stop) {
		struct io_uring_cqe *cqe;
		unsigned head;
		unsigned count = 0;
		bool hurry;
		int r;

		dirty_settle();
		blocks_publish();
		hurry = starved_settle();
		r = hurry ? io_uring_submit_and_get_events(&ring)
			  : io_uring_submit_and_wait(&ring, 1);
		turn_submitted(r);

		io_uring_for_each_cqe(&ring, head, cqe)
		{
			completion_handle(cqe, &stop);
			count++;
		}
		io_uring_cq_advance(&ring, count);
	}
}

static void all_free(void)
{
	accept_stalled = false;
	io_uring_queue_exit(
		&ring); /* first: it ends the operations that could write to the memory */
	while (open_list.next != &open_list)
		connection_free(open_list.next);
	while (piece_chunks) {
		struct piece_chunk *chunk = piece_chunks;

		piece_chunks = chunk->next;
		free(chunk);
	}
	(void)munmap(memory, (size_t)block_count * block_size); /* the process ends here */
	(void)munmap(buf_ring, block_count * sizeof(struct io_uring_buf));
	free(blocks);
	(void)close(listen_fd);
	(void)close(stop_fd);
}

static const char usage[] =
	"usage: raw_echo [--port N] [--buffers N] [--buffer-size BYTES] "
	"[--classic]\n"
	"  --buffers N          a power of two, default 4 (classic: 1024)\n"
	"  --buffer-size BYTES  default 262144 (classic: 4096)\n"
	"  --classic            a buffer per arrival: no incremental consumption\n";

int main(int argc, char **argv)
{
	static const struct option options[] = {{"port", required_argument, NULL, 'p'},
						{"buffers", required_argument, NULL, 'b'},
						{"buffer-size", required_argument, NULL, 's'},
						{"classic", no_argument, NULL, 'c'},
						{"help", no_argument, NULL, 'h'},
						{0}};
	struct rlimit files;
	unsigned port = 0;
	bool classic = false;
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			port = number_of("port", optarg, 0, 65535);
			break;
		case 'b':
			block_count = number_of("buffers", optarg, 1, 32768);
			break;
		case 's':
			block_size = number_of("buffer-size", optarg, 1, 1 << 30);
			break;
		case 'c':
			classic = true;
			break;
		default:
			fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}
	}
	if (!block_count)
		block_count = classic ? 1024 : 4;
	if (!block_size)
		block_size = classic ? 4096 : 262144;
	if (block_count & (block_count - 1)) {
		fputs(usage, stderr);
		return 2;
	}
	if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
		files.rlim_cur = files.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &files); /* a refusal only means fewer clients */
	}

	ring_open();
	buffers_open(classic);
	stop_fd = stop_signal_open();
	listen_fd = listener_open(port, 0);
	accept_arm();
	stop_arm();
	loop_run();
	all_free();
	return 0;
}
