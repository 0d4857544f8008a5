// One byte, or one wake-up, from a task to another and back.
#include "bench.h"
#include <arpa/inet.h>
#include <linux/futex.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static int in, out;
static pid_t peer;

// Sends back what comes, until nothing does any more.
static void echo(int from, int to)
{
    char byte;
    while (read(from, &byte, 1) == 1 && write(to, &byte, 1) == 1)
        ;
    _exit(0);
}

static int there_and_back(long n)
{
    char byte = 'x';
    while (n--)
        if (write(out, &byte, 1) != 1 || read(in, &byte, 1) != 1)
            return -1;
    return 0;
}

static int hang_up(void)
{
    int failed = close(out);
    if (in != out)
        failed |= close(in);
    return failed | (waitpid(peer, NULL, 0) == peer ? 0 : -1);
}

static int own_pipe(void)
{
    int ends[2];
    if (pipe(ends))
        return -1;
    in = ends[0];
    out = ends[1];
    return 0;
}

static int close_own_pipe(void)
{
    return close(in) | close(out);
}

static int pipes(void)
{
    int there[2], back[2];
    if (pipe(there) || pipe(back))
        return -1;
    peer = fork();
    if (peer == 0) {
        close(there[1]);
        close(back[0]);
        echo(there[0], back[1]);
    }
    out = there[1];
    in = back[0];
    return close(there[0]) | close(back[1]) | (peer < 0 ? -1 : 0);
}

static int unix_sockets(void)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair))
        return -1;
    peer = fork();
    if (peer == 0) {
        close(pair[0]);
        echo(pair[1], pair[1]);
    }
    in = out = pair[0];
    return close(pair[1]) | (peer < 0 ? -1 : 0);
}

static int no_delay(int socket)
{
    int on = 1;
    return setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
}

static int tcp_sockets(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (listener < 0 || bind(listener, (void *)&address, length) || listen(listener, 1) ||
        getsockname(listener, (void *)&address, &length))
        return -1;
    peer = fork();
    if (peer == 0) {
        int end = socket(AF_INET, SOCK_STREAM, 0);
        close(listener);
        if (connect(end, (void *)&address, length) || no_delay(end))
            _exit(1);
        echo(end, end);
    }
    in = out = accept(listener, NULL, NULL);
    return close(listener) | (in < 0 ? -1 : no_delay(in));
}

static atomic_int turn;
static pthread_t partner;
enum { OURS, THEIRS, OVER };

static void pass(int to)
{
    atomic_store(&turn, to);
    syscall(SYS_futex, &turn, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void await_change(int from)
{
    while (atomic_load(&turn) == from)
        syscall(SYS_futex, &turn, FUTEX_WAIT_PRIVATE, from, NULL, NULL, 0);
}

static void *return_turns(void *nothing)
{
    for (;;) {
        await_change(OURS);
        if (atomic_load(&turn) == OVER)
            return nothing;
        pass(OURS);
    }
}

static int start_partner(void)
{
    atomic_store(&turn, OURS);
    errno = pthread_create(&partner, NULL, return_turns, NULL);
    return errno ? -1 : 0;
}

static int pass_turns(long n)
{
    while (n--) {
        pass(THEIRS);
        await_change(THEIRS);
    }
    return 0;
}

static int end_partner(void)
{
    pass(OVER);
    errno = pthread_join(partner, NULL);
    return errno ? -1 : 0;
}

const struct bench_case handoffs[] = {
    {"pipe-self", own_pipe, there_and_back, close_own_pipe},
    {"pipe-pingpong", pipes, there_and_back, hang_up},
    {"unix-pingpong", unix_sockets, there_and_back, hang_up},
    {"tcp-pingpong", tcp_sockets, there_and_back, hang_up},
    {"futex-pingpong", start_partner, pass_turns, end_partner},
    {0},
};
