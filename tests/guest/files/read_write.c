// read(2), write(2), pread(2), readv(2), preadv2(2): offsets, vectors, errors.
#include "guest.h"

TEST(offsets) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  char b[32] = "";
  SHOW(write(fd, "hello world", 11));
  SHOW(read(fd, b, 5));
  SHOW(lseek(fd, 6, SEEK_SET));
  SHOW(read(fd, b, 32));
  say("%s", b);
  SHOW(read(fd, b, 32));
  SHOW(pread(fd, b, 5, 0));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(pwrite(fd, "J", 1, 0));
  SHOW(pread(fd, b, 1, -1));
  SHOW(pwrite(fd, b, 1, -1));
  SHOW(pread(fd, b, 1, 1L << 40));
  SHOW(pread(fd, b, 1, LONG_MAX));
  SHOW(pwrite(fd, b, 1, LONG_MAX));
  SHOW(pwrite(fd, "!", 1, 20));
  SHOW(lseek(fd, 0, SEEK_END));
  say_file("f");
}

TEST(vectors) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  struct iovec out[] = {{"one", 3}, {NULL, 0}, {"", 0}, {"two", 3}};
  SHOW(writev(fd, out, 4));
  char a[2], b[10] = "";
  struct iovec in[] = {{a, 2}, {b, 9}};
  SHOW(preadv(fd, in, 2, 1));
  say("%.2s %s", a, b);
  SHOW(pwritev(fd, out, 1, 6));
  SHOW(readv(fd, in, 2));
  lseek(fd, 0, SEEK_SET);
  SHOW(readv(fd, in, 2));
  SHOW(readv(fd, in, 0));
  SHOW(readv(fd, in, -1));
  static struct iovec many[IOV_MAX + 1];
  for (int i = 0; i <= IOV_MAX; i++) many[i] = (struct iovec){a, 1};
  SHOW(pwritev(fd, many, IOV_MAX, 0));
  SHOW(pwritev(fd, many, IOV_MAX + 1, 0));
  SHOW(writev(fd, (struct iovec *)8, 1));
  struct iovec huge[] = {{a, LONG_MAX}, {b, LONG_MAX}};
  SHOW(writev(fd, huge, 2));
  SHOW(readv(fd, &(struct iovec){a, -1}, 1));
  SHOW(preadv(fd, in, 2, -5));
}

TEST(faulting_buffers) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  char *p = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(p, 'x', 8192);
  munmap(p + 4096, 4096);
  SHOW(write(fd, p + 4096, 1));
  SHOW(write(fd, (char *)16, 1));
  SHOW(read(fd, (char *)16, 1)); // at the end: nothing to copy
  SHOW(pwrite(fd, p, 4096, 0));
  SHOW(pread(fd, (char *)16, 1, 0));
  SHOW(pwrite(fd, p, 8192, 0));
  SHOW(pwrite(fd, p + 4000, 8192, 10));
  SHOW(pread(fd, p + 4000, 200, 0));
  SHOW(pread(fd, p + 4096, 10, 0));
  SHOW(pread(fd, p + 4095, 1, 0));
  SHOW(lseek(fd, 0, SEEK_CUR));
  mprotect(p, 4096, PROT_READ);
  SHOW(pread(fd, p, 10, 0));
  SHOW(pwrite(fd, p, 10, 0));
  mprotect(p, 4096, PROT_NONE);
  SHOW(pwrite(fd, p, 10, 0));
  SHOW(read(fd, (void *)-4096L, 10));
  SHOW(write(1, (void *)0x800000000000, 1));
}

TEST(descriptors) {
  char b[4];
  SHOW(read(-1, b, 1));
  SHOW(read(99, b, 1));
  SHOW(write(99, b, 1));
  SHOW(pread(99, b, 1, 0));
  int p[2];
  pipe(p);
  SHOW(pread(p[0], b, 1, 0));
  SHOW(pwrite(p[1], b, 1, 0));
  SHOW(read(p[1], b, 1));
  SHOW(write(p[0], b, 1));
  SHOW(preadv2(p[0], &(struct iovec){b, 1}, 1, 0, 0));
  write(p[1], "z", 1);
  SHOW(preadv2(p[0], &(struct iovec){b, 1}, 1, -1, 0));
}

TEST(per_call_flags) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  char b[8] = "";
  struct iovec x = {"abc", 3}, in = {b, 7};
  SHOW(pwritev2(fd, &x, 1, 0, 0));
  SHOW(pwritev2(fd, &x, 1, -1, RWF_DSYNC));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(pwritev2(fd, &x, 1, 0, RWF_APPEND));
  SHOW(pwritev2(fd, &x, 1, -1, RWF_SYNC));
  SHOW(preadv2(fd, &in, 1, 0, RWF_HIPRI) >= 0);
  say("%s", b);
  SHOW(preadv2(fd, &in, 1, 0, 1 << 20));
  SHOW(preadv2(fd, &in, 1, 0, RWF_APPEND));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(lseek(fd, 0, SEEK_END));
}

TEST(appenders) {
  for (int k = 0; k < 4; k++)
    if (!fork()) {
      int fd = open("log", O_WRONLY | O_CREAT | O_APPEND, 0600);
      char line[9];
      for (int i = 0; i < 200; i++) {
        snprintf(line, sizeof line, "%d %05d\n", k, i);
        if (write(fd, line, 8) != 8) _exit(1);
      }
      _exit(0);
    }
  for (int k = 0, status; k < 4; k++) if (wait(&status) > 0 && status) say("failed");
  FILE *f = fopen("log", "r");
  int who, what, next[4] = {0}, lines = 0, bad = 0;
  while (fscanf(f, "%d %d\n", &who, &what) == 2) lines++, bad += what != next[who]++;
  say("%d lines, %d out of order", lines, bad);
}

TEST(shared_offset) {
  put("f", "abcdefgh");
  int fd = open("f", O_RDONLY);
  char b[3] = "";
  CHILD("reader") { read(fd, b, 2); say("%s", b); }
  read(fd, b, 2);
  say("%s", b);
  int copy = dup(fd), apart = open("f", O_RDONLY);
  read(copy, b, 2), say("%s", b);
  read(apart, b, 2), say("%s", b);
  SHOW(lseek(fd, 0, SEEK_CUR));
}

TEST(file_size_limit) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  setrlimit(RLIMIT_FSIZE, &(struct rlimit){1000, RLIM_INFINITY});
  signal(SIGXFSZ, SIG_IGN);
  char b[600];
  memset(b, 'x', sizeof b);
  SHOW(write(fd, b, 600));
  SHOW(write(fd, b, 600));
  SHOW(write(fd, b, 600));
  SHOW(ftruncate(fd, 1001));
  SHOW(ftruncate(fd, 1000));
  SHOW(fallocate(fd, 0, 0, 2000));
  SHOW(pwrite(fd, b, 1, 5000));
  signal(SIGXFSZ, SIG_DFL);
  CHILD("writer") { write(fd, b, 1); }
}

TEST(big_transfers) {
  size_t size = 9 << 20;
  char *a = malloc(size), *b = malloc(size);
  for (size_t i = 0; i < size; i++) a[i] = i * 2654435761u >> 13;
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  SHOW(write(fd, a, size));
  SHOW(pread(fd, b, size, 0));
  IS(!memcmp(a, b, size));
  SHOW(pwrite(fd, a, 100000, 4095));
  SHOW(pread(fd, b, size, 4095));
  IS(!memcmp(a, b, 100000) && !memcmp(a + 4095 + 100000, b + 100000, size - 4095 - 100000));
  int again = open("f", O_RDONLY);
  for (size_t at = 0, n; at < size; at += n) {
    n = 12345 < size - at ? 12345 : size - at;
    if (read(again, b + at, n) != (ssize_t)n) say("short at %zu", at);
  }
  memcpy(a + 4095, a, 0);
  SHOW(close(fd));
}
