/*
 * Kernel: names that liburing 2.3 and the headers of Debian 12 do not have yet.
 *
 * Values are the kernel's. Whether the running kernel knows them is found out by trying.
 */
#ifndef SFR_LIB_ENGINE_KERNEL_H
#define SFR_LIB_ENGINE_KERNEL_H

#include <liburing.h>

/* 6.15: sleeping in the ring does not count as waiting for a disk. */
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

#endif
