/*
 * Thread: which thread this is, as cheaply as it can be asked.
 */
#ifndef SFR_LIB_THREAD_H
#define SFR_LIB_THREAD_H

/* The address is different in every living thread. initial-exec: no call to find it. */
extern _Thread_local char sfr__thread_mark __attribute__((tls_model("initial-exec")));

static inline const void *sfr__thread_self(void)
{
	return &sfr__thread_mark;
}

/* Tell the processor that this thread is spinning. */
static inline void sfr__relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
	__builtin_ia32_pause();
#elif defined(__aarch64__)
	__asm__ volatile("yield");
#endif
}

#endif
