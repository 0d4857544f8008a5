// Mapping, touching and unmapping.
#include "bench.h"
#include <sys/mman.h>

enum { PAGE = 4096, MIB = 1 << 20 };

static int map_touch_unmap(long n, size_t length)
{
    while (n--) {
        char *at = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (at == MAP_FAILED)
            return -1;
        for (size_t i = 0; i < length; i += PAGE)
            *(volatile char *)(at + i) = 1;
        if (munmap(at, length))
            return -1;
    }
    return 0;
}

static int map_page(long n)
{
    return map_touch_unmap(n, PAGE);
}

static int map_megabyte(long n)
{
    return map_touch_unmap(n, MIB);
}

static char *page;

static int touch_page(void)
{
    page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return -1;
    *page = 1;
    return 0;
}

static int protect(long n)
{
    while (n--)
        if (mprotect(page, PAGE, n & 1 ? PROT_READ : PROT_READ | PROT_WRITE))
            return -1;
    return 0;
}

static int unmap_page(void)
{
    return munmap(page, PAGE);
}

const struct bench_case memory[] = {
    {"mmap-4k", NULL, map_page, NULL},
    {"mmap-1m", NULL, map_megabyte, NULL},
    {"mprotect", touch_page, protect, unmap_page},
    {0},
};
