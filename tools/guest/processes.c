// Threads and processes that end at once.
#include "bench.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static void *do_nothing(void *nothing)
{
    return nothing;
}

static int threads(long n)
{
    while (n--) {
        pthread_t thread;
        errno = pthread_create(&thread, NULL, do_nothing, NULL);
        if (errno || (errno = pthread_join(thread, NULL)))
            return -1;
    }
    return 0;
}

static int succeeds(pid_t child)
{
    int status = -1;
    return child > 0 && waitpid(child, &status, 0) == child && status == 0 ? 0 : -1;
}

static int forks(long n)
{
    while (n--) {
        pid_t child = fork();
        if (child == 0)
            _exit(0);
        if (succeeds(child))
            return -1;
    }
    return 0;
}

static char *const nothing[] = {"nothing", NULL};

static int fork_execs(long n)
{
    while (n--) {
        pid_t child = fork();
        if (child == 0) {
            execv(NOTHING, nothing);
            _exit(1);
        }
        if (succeeds(child))
            return -1;
    }
    return 0;
}

static int vfork_execs(long n)
{
    while (n--) {
        pid_t child = vfork();
        if (child == 0) {
            execv(NOTHING, nothing);
            _exit(1);
        }
        if (succeeds(child))
            return -1;
    }
    return 0;
}

const struct bench_case processes[] = {
    {"thread", NULL, threads, NULL},
    {"fork", NULL, forks, NULL},
    {"fork-exec", NULL, fork_execs, NULL},
    {"vfork-exec", NULL, vfork_execs, NULL},
    {0},
};
