// lseek(2), truncate(2), fallocate(2): sparse files.
#include "guest.h"

TEST(positions) {
  put("f", "0123456789");
  int fd = open("f", O_RDWR);
  SHOW(lseek(fd, 3, SEEK_SET));
  SHOW(lseek(fd, 4, SEEK_CUR));
  SHOW(lseek(fd, -2, SEEK_END));
  SHOW(lseek(fd, 100, SEEK_END));
  SHOW(lseek(fd, -1, SEEK_SET));
  SHOW(lseek(fd, -1000, SEEK_CUR));
  SHOW(lseek(fd, 0, SEEK_CUR));
  SHOW(lseek(fd, 0, 99));
  SHOW(lseek(fd, LONG_MAX, SEEK_CUR));
  SHOW(lseek(99, 0, SEEK_SET));
  int p[2];
  pipe(p);
  SHOW(lseek(p[0], 0, SEEK_CUR));
  SHOW(lseek(open("/dev/null", O_RDONLY), 77, SEEK_SET));
  SHOW(lseek(open("/dev/zero", O_RDONLY), 77, SEEK_CUR));
}

TEST(holes) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  SHOW(pwrite(fd, "a", 1, 0));
  SHOW(pwrite(fd, "b", 1, 1 << 20));
  SHOW(fsync(fd));
  SHOW(lseek(fd, 0, SEEK_DATA));
  SHOW(lseek(fd, 0, SEEK_HOLE));
  SHOW(lseek(fd, 4096, SEEK_DATA));
  SHOW(lseek(fd, 1 << 20, SEEK_HOLE));
  SHOW(lseek(fd, (1 << 20) + 1, SEEK_DATA));
  SHOW(lseek(fd, (1 << 20) + 1, SEEK_HOLE));
  SHOW(lseek(fd, -1, SEEK_DATA));
  SHOW(ftruncate(fd, 3 << 20));
  SHOW(lseek(fd, 2 << 20, SEEK_DATA));
  SHOW(lseek(fd, 2 << 20, SEEK_HOLE));
  char b[3] = "zz";
  SHOW(pread(fd, b, 2, (1 << 20)));
  say("%d %d", b[0], b[1]);
}

TEST(truncation) {
  put("f", "0123456789");
  SHOW(truncate("f", 4));
  say_file("f");
  SHOW(truncate("f", 8));
  say_file("f");
  SHOW(truncate("f", -1));
  SHOW(truncate("missing", 0));
  SHOW(truncate(".", 0));
  SHOW(truncate("f/x", 0));
  int fd = open("f", O_RDWR), p[2];
  SHOW(ftruncate(fd, 0));
  SHOW(ftruncate(fd, -1));
  SHOW(ftruncate(fd, 1L << 62));
  pipe(p);
  SHOW(ftruncate(p[1], 0));
  SHOW(ftruncate(99, 0));
  SHOW(ftruncate(open(".", O_RDONLY), 0));
  SHOW(lseek(fd, 6, SEEK_SET));
  SHOW(write(fd, "x", 1));
  SHOW(ftruncate(fd, 3));
  SHOW(write(fd, "y", 1));
  say_file("f");
  mkfifo("p", 0600);
  SHOW(truncate("p", 0));
}

TEST(partial_pages_are_zeroed) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  char b[10000];
  memset(b, 'x', sizeof b);
  pwrite(fd, b, sizeof b, 0);
  ftruncate(fd, 5000);
  ftruncate(fd, 10000);
  pread(fd, b, sizeof b, 0);
  int zeros = 0;
  for (int i = 0; i < 10000; i++) zeros += !b[i];
  say("%d zeros", zeros);
}

TEST(allocation) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  struct stat st;
  SHOW(fallocate(fd, 0, 0, 10000));
  fstat(fd, &st), say("size %d", (int)st.st_size);
  SHOW(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 100000));
  fstat(fd, &st), say("size %d", (int)st.st_size);
  char b[10000];
  memset(b, 'x', sizeof b);
  pwrite(fd, b, sizeof b, 0);
  SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 1000, 5000));
  pread(fd, b, sizeof b, 0);
  int zeros = 0;
  for (int i = 0; i < 10000; i++) zeros += !b[i];
  say("%d zeros, first at %d", zeros, (int)((char *)memchr(b, 0, sizeof b) - b));
  SHOW(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 4096));
  SHOW(fallocate(fd, 0, -1, 10));
  SHOW(fallocate(fd, 0, 0, 0));
  SHOW(fallocate(fd, 0, 0, -5));
  SHOW(fallocate(fd, 0x4000, 0, 5));
  SHOW(fallocate(fd, 0, LONG_MAX - 10, 100));
  SHOW(fallocate(open("f", O_RDONLY), 0, 0, 10));
  SHOW(fallocate(99, 0, 0, 10));
  SHOW(fallocate(open(".", O_RDONLY), 0, 0, 10));
  int p[2];
  pipe(p);
  SHOW(fallocate(p[1], 0, 0, 10));
  SHOW(posix_fallocate(fd, 0, 20000));
  fstat(fd, &st), say("size %d", (int)st.st_size);
}

TEST(write_past_the_end) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  lseek(fd, 100, SEEK_SET);
  SHOW(read(fd, (char[1]){0}, 1));
  struct stat st;
  fstat(fd, &st), say("size %d", (int)st.st_size);
  SHOW(write(fd, "x", 1));
  fstat(fd, &st), say("size %d", (int)st.st_size);
  char b[101];
  SHOW(pread(fd, b, 101, 0));
  int zeros = 0;
  for (int i = 0; i < 101; i++) zeros += !b[i];
  say("%d zeros", zeros);
}

TEST(advice_and_sync) {
  int fd = open("f", O_RDWR | O_CREAT, 0600), p[2];
  pipe(p);
  write(fd, "data", 4);
  SHOW(fsync(fd));
  SHOW(fdatasync(fd));
  SHOW(fsync(p[0]));
  SHOW(fdatasync(p[0]));
  SHOW(fsync(99));
  SHOW(fsync(open(".", O_RDONLY)));
  SHOW(syncfs(fd));
  SHOW(syncfs(99));
  SHOW(sync_file_range(fd, 0, 4, SYNC_FILE_RANGE_WRITE));
  SHOW(sync_file_range(fd, 0, 4, 99));
  SHOW(sync_file_range(fd, -1, 4, 0));
  SHOW(sync_file_range(p[0], 0, 4, 0));
  for (int advice = 0; advice < 8; advice++) say("fadvise %d: %d", advice, posix_fadvise(fd, 0, 0, advice));
  say("fadvise pipe: %s", error_name(posix_fadvise(p[0], 0, 0, 0)));
  say("fadvise bad: %s", error_name(posix_fadvise(99, 0, 0, 0)));
  say("fadvise -1: %s", error_name(posix_fadvise(fd, 0, -1, 0)));
  SHOW(readahead(fd, 0, 4096));
  SHOW(readahead(p[0], 0, 4096));
  sync();
}
