/* SPDX-License-Identifier: MIT */
/*
 * Kernel: names that liburing 2.3 and the headers of Debian 12 do not have yet, or that not all of its
 * releases spell alike.
 *
 * Values are the kernel's. Whether the running kernel knows them is found out by trying.
 */
#ifndef SFR_LIB_MACHINE_KERNEL_H
#define SFR_LIB_MACHINE_KERNEL_H

#include <liburing.h>
#include <stdint.h>

/* 6.15: sleeping in the ring does not count as waiting for a disk. */
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

/* 6.12: sleep on for more after the first completion. */
#ifndef IORING_FEAT_MIN_TIMEOUT
#define IORING_FEAT_MIN_TIMEOUT (1U << 15)
#endif

/* What an enter is told with IORING_ENTER_EXT_ARG. liburing had other names for its fields before 2.8. */
struct sfr__enter_arg {
	uint64_t sigmask;
	uint32_t sigmask_size;
	uint32_t min_wait_us; /* 6.12 */
	uint64_t ts;
};

/* 6.6: entries are taken in the order in which they are written, and nothing else can be asked for. */
#ifndef IORING_SETUP_NO_SQARRAY
#define IORING_SETUP_NO_SQARRAY (1U << 16)
#endif

/* As an offset: use and move the file's own position. liburing has no name for it either. */
#define SFR__POSITION UINT64_MAX

/* Linux 5.11 had the opcodes below this one. */
#define SFR__OP_CODES_OLD (IORING_OP_UNLINKAT + 1)

/* 6.9: an opcode for ftruncate(2). */
#define SFR__OP_CODE_FTRUNCATE 55

/* 6.7: read again and again, into provided buffers. */
#define SFR__OP_CODE_READ_MULTI 49

/* 6.7: an opcode for waitid(2). */
#define SFR__OP_CODE_WAITID 50

/* 5.4: P_PIDFD, which is no macro and so cannot be asked for. */
#define SFR__P_PIDFD 3

/*
 * 6.12: a ring of provided buffers whose entries are used up bit by bit: a completion says whether more of the
 * same entry is to come. liburing's own names are enumerators, or missing, and so is a field of its structure.
 */
#define SFR__PBUF_RING_INC 2
#define SFR__CQE_F_BUF_MORE (1U << 4)

struct sfr__buf_reg {
	uint64_t ring_addr;
	uint32_t ring_entries;
	uint16_t bgid;
	uint16_t flags; /* SFR__PBUF_RING_INC */
	uint64_t reserved[3];
};

/* 6.9: poll network devices before sleeping. */
#define SFR__REGISTER_NAPI 27

struct sfr__napi {
	uint32_t busy_poll_us;
	uint8_t prefer_busy_poll;
	uint8_t pad[3];
	uint64_t reserved;
};

#endif
