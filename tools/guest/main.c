// bench MILLISECONDS CASE...: runs each case for about that long, once, and prints
// `case nanoseconds-per-operation`, or `case ! error`. `bench sleep SECONDS` only waits.
#include "bench.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct bench_case *const families[] = {calls, files, handoffs, memory, processes};

static const struct bench_case *find(const char *name)
{
    for (size_t i = 0; i < sizeof families / sizeof *families; i++)
        for (const struct bench_case *c = families[i]; c->name; c++)
            if (!strcmp(c->name, name))
                return c;
    errno = EINVAL;
    return NULL;
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e9 + t.tv_nsec;
}

// Grows the number of repetitions until they fill a third of the time, then measures.
static double measure(const struct bench_case *c, double time)
{
    long n = 1;
    for (;;) {
        double start = now();
        if (c->repeat(n))
            return -1;
        double took = now() - start;
        if (took >= time)
            return took / n;
        if (took >= time / 3) {
            n = n * time / took + 1;
            start = now();
            return c->repeat(n) ? -1 : (now() - start) / n;
        }
        n *= took < time / 30 ? 8 : 2;
    }
}

static int run(const char *name, double time)
{
    const struct bench_case *c = find(name);
    double each = -1;
    if (c && !(c->prepare && c->prepare())) {
        each = measure(c, time);
        if (each >= 0 && c->clean && c->clean())
            each = -1;
    }
    if (each < 0)
        printf("%s ! %s\n", name, strerror(errno));
    else
        printf("%s %.2f\n", name, each);
    fflush(stdout);
    return each < 0;
}

int main(int count, char **args)
{
    if (count < 3)
        return 2;
    if (!strcmp(args[1], "sleep"))
        return sleep(atoi(args[2]));
    int failed = 0;
    for (int i = 2; i < count; i++)
        failed |= run(args[i], atof(args[1]) * 1e6);
    return failed;
}
