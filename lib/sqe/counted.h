/* SPDX-License-Identifier: MIT */
/*
 * Counted: the system calls of an engine that makes them itself.
 *
 * Whoever includes this counts each of these calls where it is made, by the thread that makes it: the epoll engine
 * has some seventy places, and none can be forgotten; nor those of what it calls, however low that is. The engine
 * adds up what its threads counted while they were in it. It brings the headers that declare what it counts, for
 * their declarations must not see the macros.
 */
#ifndef SFR_LIB_SQE_COUNTED_H
#define SFR_LIB_SQE_COUNTED_H

#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

/* Made by this thread so far, for whichever engine. */
extern _Thread_local uint64_t sfr__calls;

#define SFR__COUNTED(call) (sfr__calls++, (call))

/* clang-format off */
#define accept4(...)       SFR__COUNTED(accept4(__VA_ARGS__))
#define bind(...)          SFR__COUNTED(bind(__VA_ARGS__))
#define close(...)         SFR__COUNTED(close(__VA_ARGS__))
#define connect(...)       SFR__COUNTED(connect(__VA_ARGS__))
#define dup3(...)          SFR__COUNTED(dup3(__VA_ARGS__))
#define epoll_create1(...) SFR__COUNTED(epoll_create1(__VA_ARGS__))
#define epoll_ctl(...)     SFR__COUNTED(epoll_ctl(__VA_ARGS__))
#define epoll_wait(...)    SFR__COUNTED(epoll_wait(__VA_ARGS__))
#define eventfd(...)       SFR__COUNTED(eventfd(__VA_ARGS__))
#define fallocate(...)     SFR__COUNTED(fallocate(__VA_ARGS__))
#define fcntl(...)         SFR__COUNTED(fcntl(__VA_ARGS__))
#define fchmodat(...)      SFR__COUNTED(fchmodat(__VA_ARGS__))
#define fdatasync(...)     SFR__COUNTED(fdatasync(__VA_ARGS__))
#define fstat(...)         SFR__COUNTED(fstat(__VA_ARGS__))
#define fstatat(...)       SFR__COUNTED(fstatat(__VA_ARGS__))
#define fsync(...)         SFR__COUNTED(fsync(__VA_ARGS__))
#define ftruncate(...)     SFR__COUNTED(ftruncate(__VA_ARGS__))
#define getpeername(...)   SFR__COUNTED(getpeername(__VA_ARGS__))
#define getsockname(...)   SFR__COUNTED(getsockname(__VA_ARGS__))
#define getsockopt(...)    SFR__COUNTED(getsockopt(__VA_ARGS__))
#define ioctl(...)         SFR__COUNTED(ioctl(__VA_ARGS__))
#define linkat(...)        SFR__COUNTED(linkat(__VA_ARGS__))
#define listen(...)        SFR__COUNTED(listen(__VA_ARGS__))
#define lseek(...)         SFR__COUNTED(lseek(__VA_ARGS__))
#define mkdirat(...)       SFR__COUNTED(mkdirat(__VA_ARGS__))
#define nanosleep(...)     SFR__COUNTED(nanosleep(__VA_ARGS__))
#define openat(...)        SFR__COUNTED(openat(__VA_ARGS__))
#define poll(...)          SFR__COUNTED(poll(__VA_ARGS__))
#define preadv(...)        SFR__COUNTED(preadv(__VA_ARGS__))
#define pwritev(...)       SFR__COUNTED(pwritev(__VA_ARGS__))
#define read(...)          SFR__COUNTED(read(__VA_ARGS__))
#define readv(...)         SFR__COUNTED(readv(__VA_ARGS__))
#define recv(...)          SFR__COUNTED(recv(__VA_ARGS__))
#define recvmsg(...)       SFR__COUNTED(recvmsg(__VA_ARGS__))
#define send(...)          SFR__COUNTED(send(__VA_ARGS__))
#define sendfile(...)      SFR__COUNTED(sendfile(__VA_ARGS__))
#define sendmsg(...)       SFR__COUNTED(sendmsg(__VA_ARGS__))
#define setsockopt(...)    SFR__COUNTED(setsockopt(__VA_ARGS__))
#define shutdown(...)      SFR__COUNTED(shutdown(__VA_ARGS__))
#define socket(...)        SFR__COUNTED(socket(__VA_ARGS__))
#define splice(...)        SFR__COUNTED(splice(__VA_ARGS__))
#define symlinkat(...)     SFR__COUNTED(symlinkat(__VA_ARGS__))
#define syscall(...)       SFR__COUNTED(syscall(__VA_ARGS__))
#define unlinkat(...)      SFR__COUNTED(unlinkat(__VA_ARGS__))
#define write(...)         SFR__COUNTED(write(__VA_ARGS__))
#define writev(...)        SFR__COUNTED(writev(__VA_ARGS__))
/* clang-format on */

#endif
