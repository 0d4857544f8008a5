// What the cases have in common. A case prepares itself, does something `n` times, and cleans
// up; each step returns 0, or -1 with errno.
#pragma once
#define _GNU_SOURCE
#include <errno.h>
#include <stddef.h>

struct bench_case {
    const char *name;
    int (*prepare)(void);
    int (*repeat)(long n);
    int (*clean)(void);
};

// Each family's cases, ended by one without a name.
extern const struct bench_case calls[], files[], handoffs[], memory[], processes[];

// A megabyte file on the root, one that does not exist, and names to create.
#define ROOT_FILE "/bench-data"
#define ROOT_SCRATCH "/bench-scratch"
#define TMPFS_SCRATCH "/tmp/bench-scratch"
#define MISSING "/bench-missing"
// Ends at once, successfully.
#define NOTHING "/nothing"

