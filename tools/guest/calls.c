// Calls that need nothing but the kernel.
#include "bench.h"
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

static int compute(long n)
{
    static volatile uint64_t keep;
    uint64_t x = keep | 1;
    for (long i = 0; i < n * 1000; i++)
        x = (x ^ (x >> 7)) * 0x9e3779b97f4a7c15u;
    keep = x;
    return 0;
}

static int getpid_function(long n)
{
    while (n--)
        if (syscall(SYS_getpid) <= 0)
            return -1;
    return 0;
}

// The number as an immediate right before the instruction, as compilers inline calls.
static int getpid_immediate(long n)
{
    long result = 1;
    while (n-- && result > 0)
        __asm__ volatile("mov %1, %%eax; syscall" : "=a"(result) : "i"(SYS_getpid) : "rcx", "r11", "memory");
    return result > 0 ? 0 : -1;
}

static int clock_vdso(long n)
{
    struct timespec t;
    while (n--)
        if (clock_gettime(CLOCK_MONOTONIC, &t))
            return -1;
    return 0;
}

static int clock_call(long n)
{
    struct timespec t;
    while (n--)
        if (syscall(SYS_clock_gettime, CLOCK_MONOTONIC, &t))
            return -1;
    return 0;
}

static int zero;

static int open_zero(void)
{
    zero = open("/dev/zero", O_RDONLY);
    return zero < 0 ? -1 : 0;
}

static int read_zero(long n)
{
    char byte;
    while (n--)
        if (read(zero, &byte, 1) != 1)
            return -1;
    return 0;
}

static int close_zero(void)
{
    return close(zero);
}

static int yield(long n)
{
    while (n--)
        sched_yield();
    return 0;
}

static int wake_nobody(long n)
{
    static int word;
    while (n--)
        if (syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0))
            return -1;
    return 0;
}

static int poller, event;

static int make_poller(void)
{
    struct epoll_event wanted = {.events = EPOLLIN};
    poller = epoll_create1(0);
    event = eventfd(1, 0);
    return epoll_ctl(poller, EPOLL_CTL_ADD, event, &wanted);
}

static int poll_ready(long n)
{
    struct epoll_event ready;
    while (n--)
        if (epoll_wait(poller, &ready, 1, 0) != 1)
            return -1;
    return 0;
}

static int close_poller(void)
{
    return close(poller) | close(event);
}

static volatile sig_atomic_t handled;
static char *guarded;

static void count(int signal)
{
    (void)signal;
    handled++;
}

static void unguard(int signal)
{
    (void)signal;
    mprotect(guarded, 4096, PROT_READ | PROT_WRITE);
}

static int handle_usr1(void)
{
    return signal(SIGUSR1, count) == SIG_ERR ? -1 : 0;
}

static int signal_self(long n)
{
    pid_t self = getpid();
    while (n--)
        if (kill(self, SIGUSR1))
            return -1;
    return 0;
}

static int handle_segv(void)
{
    guarded = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (guarded == MAP_FAILED)
        return -1;
    *guarded = 1;
    return signal(SIGSEGV, unguard) == SIG_ERR ? -1 : 0;
}

static int fault_and_unguard(long n)
{
    while (n--) {
        if (mprotect(guarded, 4096, PROT_NONE))
            return -1;
        *(volatile char *)guarded = 1;
    }
    return 0;
}

const struct bench_case calls[] = {
    {"cpu", NULL, compute, NULL},
    {"getpid", NULL, getpid_function, NULL},
    {"getpid-immediate", NULL, getpid_immediate, NULL},
    {"clock-vdso", NULL, clock_vdso, NULL},
    {"clock-call", NULL, clock_call, NULL},
    {"read-zero", open_zero, read_zero, close_zero},
    {"sched-yield", NULL, yield, NULL},
    {"futex-wake", NULL, wake_nobody, NULL},
    {"epoll-ready", make_poller, poll_ready, close_poller},
    {"signal-self", handle_usr1, signal_self, NULL},
    {"segv-mprotect", handle_segv, fault_and_unguard, NULL},
    {0},
};
