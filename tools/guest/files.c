// Files and names: on the root tree and on the tmpfs in /tmp.
#include "bench.h"
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MIB = 1 << 20, PIECE = 1 << 16, PAGE = 4096 };

static char buffer[PIECE] __attribute__((aligned(4096)));
static int file;

static int write_all(void)
{
    if (lseek(file, 0, SEEK_SET))
        return -1;
    for (int done = 0; done < MIB; done += PIECE)
        if (write(file, buffer, PIECE) != PIECE)
            return -1;
    return 0;
}

static int read_all(void)
{
    if (lseek(file, 0, SEEK_SET))
        return -1;
    for (int done = 0; done < MIB; done += PIECE)
        if (read(file, buffer, PIECE) != PIECE)
            return -1;
    return 0;
}

static int open_data(void)
{
    file = open(ROOT_FILE, O_RDONLY);
    return file < 0 ? -1 : read_all();
}

static int open_new(const char *path)
{
    memset(buffer, 'b', sizeof buffer);
    file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    return file < 0 ? -1 : write_all();
}

static int open_scratch(void)
{
    return open_new(ROOT_SCRATCH);
}

static int open_tmpfs_scratch(void)
{
    return open_new(TMPFS_SCRATCH);
}

static int close_data(void)
{
    return close(file);
}

static int remove_scratch(void)
{
    return close(file) | unlink(ROOT_SCRATCH);
}

static int remove_tmpfs_scratch(void)
{
    return close(file) | unlink(TMPFS_SCRATCH);
}

static int pread_page(long n)
{
    while (n--)
        if (pread(file, buffer, PAGE, n % (MIB / PAGE) * PAGE) != PAGE)
            return -1;
    return 0;
}

static int pwrite_page(long n)
{
    while (n--)
        if (pwrite(file, buffer, PAGE, n % (MIB / PAGE) * PAGE) != PAGE)
            return -1;
    return 0;
}

static int read_megabyte(long n)
{
    while (n--)
        if (read_all())
            return -1;
    return 0;
}

static int write_megabyte(long n)
{
    while (n--)
        if (write_all())
            return -1;
    return 0;
}

static int stat_file(long n)
{
    struct stat attributes;
    while (n--)
        if (stat(ROOT_FILE, &attributes))
            return -1;
    return 0;
}

static int stat_missing(long n)
{
    struct stat attributes;
    while (n--)
        if (!stat(MISSING, &attributes) || errno != ENOENT)
            return -1;
    return 0;
}

static int stat_open(long n)
{
    struct stat attributes;
    while (n--)
        if (fstat(file, &attributes))
            return -1;
    return 0;
}

static int open_close(long n)
{
    while (n--) {
        int fd = open(ROOT_FILE, O_RDONLY);
        if (fd < 0 || close(fd))
            return -1;
    }
    return 0;
}

static int create_unlink(const char *path, long n)
{
    while (n--) {
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
        if (fd < 0 || close(fd) || unlink(path))
            return -1;
    }
    return 0;
}

static int create_on_root(long n)
{
    return create_unlink(ROOT_SCRATCH, n);
}

static int create_on_tmpfs(long n)
{
    return create_unlink(TMPFS_SCRATCH, n);
}

const struct bench_case files[] = {
    {"pread-4k", open_data, pread_page, close_data},
    {"pread-4k-tmpfs", open_tmpfs_scratch, pread_page, remove_tmpfs_scratch},
    {"pwrite-4k", open_scratch, pwrite_page, remove_scratch},
    {"read-1m", open_data, read_megabyte, close_data},
    {"write-1m", open_scratch, write_megabyte, remove_scratch},
    {"write-1m-tmpfs", open_tmpfs_scratch, write_megabyte, remove_tmpfs_scratch},
    {"fstat", open_data, stat_open, close_data},
    {"stat", NULL, stat_file, NULL},
    {"stat-missing", NULL, stat_missing, NULL},
    {"open-close", NULL, open_close, NULL},
    {"create-unlink", NULL, create_on_root, NULL},
    {"create-unlink-tmpfs", NULL, create_on_tmpfs, NULL},
    {0},
};
