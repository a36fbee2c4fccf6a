/* The process of a sandbox: it holds the namespaces open, takes over and buries the orphans of a shared pid
 * namespace, and ends at once when it is told to. No libc: the program is a few hundred bytes of code, so a
 * node's many copies cost next to nothing. */

enum { SIGNAL_INT = 2, SIGNAL_TERM = 15, SIGNAL_CHILD = 17 };
enum { SIG_BLOCK = 0, WAIT_NO_HANG = 1, ANY_CHILD = -1 };

#if defined(__x86_64__)
enum { SYS_RT_SIGPROCMASK = 14, SYS_RT_SIGTIMEDWAIT = 128, SYS_WAIT4 = 61, SYS_EXIT_GROUP = 231 };

static long system_call(long number, long a, long b, long c, long d)
{
	long result;
	register long r10 __asm__("r10") = d;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}
#elif defined(__aarch64__)
enum { SYS_RT_SIGPROCMASK = 135, SYS_RT_SIGTIMEDWAIT = 137, SYS_WAIT4 = 260, SYS_EXIT_GROUP = 94 };

static long system_call(long number, long a, long b, long c, long d)
{
	register long x8 __asm__("x8") = number;
	register long x0 __asm__("x0") = a;
	register long x1 __asm__("x1") = b;
	register long x2 __asm__("x2") = c;
	register long x3 __asm__("x3") = d;
	__asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
	return x0;
}
#else
#error "pause.c knows x86_64 and aarch64; add the system call numbers of this architecture"
#endif

#define BIT(signal) (1ul << ((signal)-1))

void _start(void);

#if defined(__x86_64__)
__attribute__((force_align_arg_pointer))
#endif
__attribute__((noreturn)) void
_start(void)
{
	/* A blocked signal is queued even for pid 1, for which the kernel throws away signals that have no handler. */
	unsigned long set = BIT(SIGNAL_INT) | BIT(SIGNAL_TERM) | BIT(SIGNAL_CHILD);
	system_call(SYS_RT_SIGPROCMASK, SIG_BLOCK, (long)&set, 0, sizeof(set));
	for (;;) {
		long signal = system_call(SYS_RT_SIGTIMEDWAIT, (long)&set, 0, 0, sizeof(set));
		if (signal == SIGNAL_INT || signal == SIGNAL_TERM)
			system_call(SYS_EXIT_GROUP, 0, 0, 0, 0);
		while (system_call(SYS_WAIT4, ANY_CHILD, 0, WAIT_NO_HANG, 0) > 0)
			;
	}
}
