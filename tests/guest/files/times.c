// utimensat(2), and which calls touch which times.
#include "guest.h"

static struct stat look(const char *path) {
  struct stat st = {0};
  lstat(path, &st);
  return st;
}

TEST(setting) {
  put("f", ""), symlink("f", "l");
  struct timespec t[2] = {{1000000000, 123456789}, {1500000000, 987654321}};
  SHOW(utimensat(AT_FDCWD, "f", t, 0));
  struct stat st = look("f");
  say("%ld.%09ld %ld.%09ld", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  t[0].tv_nsec = UTIME_OMIT, t[1] = (struct timespec){-5, 7};
  SHOW(utimensat(AT_FDCWD, "f", t, 0));
  st = look("f");
  say("%ld %ld.%ld", st.st_atim.tv_sec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  t[0] = (struct timespec){9, 0}, t[1].tv_nsec = UTIME_NOW;
  SHOW(utimensat(AT_FDCWD, "f", t, 0));
  st = look("f");
  IS(st.st_atim.tv_sec == 9 && time(0) - st.st_mtim.tv_sec < 100);
  t[0] = t[1] = (struct timespec){77, 0};
  SHOW(utimensat(AT_FDCWD, "l", t, AT_SYMLINK_NOFOLLOW));
  say("%ld", look("l").st_mtim.tv_sec);
  SHOW(utimensat(AT_FDCWD, "l", t, 0));
  say("%ld", look("f").st_mtim.tv_sec);
  t[0].tv_nsec = 1000000000;
  SHOW(utimensat(AT_FDCWD, "f", t, 0));
  t[0].tv_nsec = -1;
  SHOW(utimensat(AT_FDCWD, "f", t, 0));
  SHOW(utimensat(AT_FDCWD, "f", NULL, 0x4000));
  SHOW(utimensat(AT_FDCWD, "missing", NULL, 0));
  SHOW(utimensat(AT_FDCWD, "f", (void *)8, 0));
  SHOW(futimens(open("f", O_RDONLY), NULL));
  SHOW(RAW(utimensat, open("f", O_RDONLY), NULL, NULL, 0));
  SHOW(RAW(utimensat, AT_FDCWD, NULL, NULL, 0));
  SHOW(RAW(utime, "f", NULL));
  SHOW(utimes("f", (struct timeval[]){{1, 2}, {3, 4}}));
  st = look("f");
  say("%ld.%09ld %ld.%09ld", st.st_atim.tv_sec, st.st_atim.tv_nsec, st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
  SHOW(utimes("f", (struct timeval[]){{1, 1000000}, {3, 4}}));
}

// Says which of the three times a call changed from the distant past.
#define TOUCHES(path, call) \
  do { \
    utimensat(AT_FDCWD, path, (struct timespec[]){{100, 0}, {100, 0}}, AT_SYMLINK_NOFOLLOW); \
    struct stat a_ = look(path); \
    sleep_ms(12); \
    if ((call) == -1) say("%s: %s", #call, error_name(errno)); \
    struct stat b_ = look(path); \
    say("%s:%s%s", #call, b_.st_mtim.tv_sec != 100 ? " mtime" : "", memcmp(&a_.st_ctim, &b_.st_ctim, sizeof a_.st_ctim) ? " ctime" : ""); \
  } while (0)

TEST(what_touches_a_file) {
  put("f", "data");
  int fd = open("f", O_RDWR);
  char b[4];
  TOUCHES("f", write(fd, "x", 1));
  TOUCHES("f", write(fd, "x", 0));
  TOUCHES("f", read(fd, b, 4));
  TOUCHES("f", ftruncate(fd, 10));
  TOUCHES("f", truncate("f", 4));
  TOUCHES("f", chmod("f", 0600));
  TOUCHES("f", chown("f", 0, 0));
  TOUCHES("f", link("f", "g"));
  TOUCHES("f", unlink("g"));
  TOUCHES("f", rename("f", "h") + rename("h", "f"));
  TOUCHES("f", close(open("f", O_RDWR)));
  TOUCHES("f", close(open("f", O_RDWR | O_TRUNC)));
  TOUCHES("f", fallocate(fd, 0, 0, 100));
  TOUCHES("f", utimensat(AT_FDCWD, "f", (struct timespec[]){{100, 0}, {100, 0}}, 0));
}

TEST(what_touches_a_directory) {
  mkdir("d", 0755), put("d/f", "");
  TOUCHES("d", open("d/g", O_CREAT | O_RDWR, 0600));
  TOUCHES("d", open("d/g", O_CREAT | O_RDWR, 0600));
  TOUCHES("d", mkdir("d/e", 0700));
  TOUCHES("d", rmdir("d/e"));
  TOUCHES("d", link("d/f", "d/h"));
  TOUCHES("d", unlink("d/h"));
  TOUCHES("d", rename("d/f", "d/i"));
  TOUCHES("d", symlink("x", "d/l"));
  TOUCHES("d", chmod("d/i", 0600));
  TOUCHES("d", access("d/i", F_OK));
  TOUCHES("d", truncate("d/i", 5));
}

TEST(mapped_writes) {
  int fd = open("f", O_RDWR | O_CREAT, 0600);
  ftruncate(fd, 4096);
  char *p = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  TOUCHES("f", (*p = 1, msync(p, 4096, MS_SYNC)));
}

TEST(as_a_user) {
  put("roots", ""), put("ours", ""), chown("ours", 1000, 1000), put("open", ""), chmod("open", 0666);
  setgid(1000), setuid(1000);
  struct timespec t[2] = {{5, 0}, {5, 0}}, now[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}}, omit[2] = {{0, UTIME_OMIT}, {0, UTIME_OMIT}};
  SHOW(utimensat(AT_FDCWD, "ours", t, 0));
  SHOW(utimensat(AT_FDCWD, "roots", t, 0));
  SHOW(utimensat(AT_FDCWD, "roots", NULL, 0));
  SHOW(utimensat(AT_FDCWD, "roots", omit, 0));
  SHOW(utimensat(AT_FDCWD, "open", t, 0));
  SHOW(utimensat(AT_FDCWD, "open", NULL, 0));
  SHOW(utimensat(AT_FDCWD, "open", now, 0));
}

TEST(order) {
  put("a", ""), sleep_ms(15), put("b", ""), sleep_ms(15), put("a", "x");
  struct stat a = look("a"), b = look("b");
  IS(a.st_mtim.tv_sec > b.st_mtim.tv_sec || (a.st_mtim.tv_sec == b.st_mtim.tv_sec && a.st_mtim.tv_nsec > b.st_mtim.tv_nsec));
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  IS(now.tv_sec - a.st_mtim.tv_sec >= 0 && now.tv_sec - a.st_mtim.tv_sec < 100);
}
