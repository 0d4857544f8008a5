// inotify(7).
#include "guest.h"
#include <sys/inotify.h>

static void say_events(int fd) {
  char b[4096] __attribute__((aligned(8)));
  ssize_t n = read(fd, b, sizeof b);
  if (n < 0) { say("none: %s", error_name(errno)); return; }
  for (ssize_t at = 0; at < n;) {
    struct inotify_event *e = (void *)(b + at);
    say("  watch %d mask %x%s name [%s]", e->wd, e->mask, e->cookie ? " cookie" : "", e->len ? e->name : "");
    at += sizeof *e + e->len;
  }
}

TEST(a_directory) {
  int fd = SHOW(inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  mkdir("d", 0755);
  SHOW(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
  say_events(fd);
  int f = open("d/f", O_CREAT | O_RDWR, 0600);
  say_events(fd);
  write(f, "x", 1), say_events(fd);
  pread(f, &(char){0}, 1, 0), say_events(fd);
  ftruncate(f, 0), say_events(fd);
  fchmod(f, 0644), say_events(fd);
  close(f), say_events(fd);
  rename("d/f", "d/g"), say_events(fd);
  rename("d/g", "out"), say_events(fd);
  rename("out", "d/in"), say_events(fd);
  mkdir("d/sub", 0755), say_events(fd);
  rmdir("d/sub"), say_events(fd);
  link("d/in", "d/hard"), say_events(fd);
  symlink("x", "d/sym"), say_events(fd);
  unlink("d/hard"), unlink("d/sym"), unlink("d/in"), say_events(fd);
  rmdir("d"), say_events(fd);
}

TEST(a_file) {
  int fd = inotify_init1(IN_NONBLOCK);
  put("f", "abc");
  SHOW(inotify_add_watch(fd, "f", IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_CLOSE_WRITE | IN_CLOSE_NOWRITE | IN_OPEN));
  SHOW(inotify_add_watch(fd, "f", IN_MODIFY | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF | IN_CLOSE_WRITE | IN_CLOSE_NOWRITE | IN_OPEN));
  close(open("f", O_RDONLY)), say_events(fd);
  put("f", "longer"), say_events(fd);
  link("f", "g"), say_events(fd);
  rename("f", "h"), say_events(fd);
  unlink("g"), say_events(fd);
  unlink("h"), say_events(fd);
}

TEST(rules) {
  int fd = inotify_init1(IN_NONBLOCK);
  put("f", ""), mkdir("d", 0755), symlink("f", "l");
  SHOW(inotify_add_watch(fd, "f", 0));
  SHOW(inotify_add_watch(fd, "missing", IN_MODIFY));
  SHOW(inotify_add_watch(fd, "f", IN_MODIFY | IN_ONLYDIR));
  SHOW(inotify_add_watch(99, "f", IN_MODIFY));
  SHOW(inotify_add_watch(0, "f", IN_MODIFY));
  int w = SHOW(inotify_add_watch(fd, "f", IN_MODIFY | IN_ONESHOT));
  SHOW(inotify_add_watch(fd, "f", IN_MODIFY | IN_MASK_CREATE));
  SHOW(inotify_add_watch(fd, "l", IN_MODIFY | IN_DONT_FOLLOW));
  SHOW(inotify_rm_watch(fd, 77));
  put("f", "x"), say_events(fd);
  put("f", "y"), say_events(fd);
  SHOW(inotify_rm_watch(fd, w));
  w = SHOW(inotify_add_watch(fd, "d", IN_CREATE));
  put("d/a", ""), put("d/b", "");
  int n;
  SHOW(ioctl(fd, FIONREAD, &n));
  say("%d bytes", n);
  char small[10];
  SHOW(read(fd, small, sizeof small));
  struct pollfd p = {fd, POLLIN, 0};
  SHOW(poll(&p, 1, 0));
  say_events(fd);
  SHOW(poll(&p, 1, 0));
  SHOW(inotify_rm_watch(fd, w));
  say_events(fd);
  SHOW(inotify_init1(99));
  SHOW(write(fd, "x", 1));
}

TEST(unlinked_while_open) {
  int fd = inotify_init1(IN_NONBLOCK), excluding = inotify_init1(IN_NONBLOCK);
  mkdir("d", 0755), put("d/f", "abc");
  SHOW(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
  SHOW(inotify_add_watch(fd, "d/f", IN_ALL_EVENTS));
  SHOW(inotify_add_watch(excluding, "d", IN_ALL_EVENTS | IN_EXCL_UNLINK));
  int f = open("d/f", O_RDWR);
  say_events(fd), say_events(excluding);
  unlink("d/f"), say_events(fd), say_events(excluding);
  write(f, "x", 1), say_events(fd), say_events(excluding);
  close(f), say_events(fd), say_events(excluding);
}

TEST(masks_that_add) {
  int fd = inotify_init1(IN_NONBLOCK);
  put("f", "abc");
  SHOW(inotify_add_watch(fd, "f", IN_OPEN));
  SHOW(inotify_add_watch(fd, "f", IN_CLOSE_WRITE | IN_MASK_ADD));
  put("f", "x"), say_events(fd);
  SHOW(inotify_add_watch(fd, "f", IN_MODIFY));
  put("f", "y"), say_events(fd);
  SHOW(inotify_add_watch(fd, "f", IN_MODIFY | IN_MASK_ADD | IN_MASK_CREATE));
}

TEST(two_names) {
  int fd = inotify_init1(IN_NONBLOCK);
  put("f", ""), link("f", "g"), mkdir("d", 0755), mkdir("e", 0755);
  SHOW(inotify_add_watch(fd, "f", IN_ALL_EVENTS));
  SHOW(inotify_add_watch(fd, "g", IN_ALL_EVENTS));
  SHOW(inotify_add_watch(fd, ".", IN_ALL_EVENTS));
  put("g", "x"), say_events(fd);
  unlink("f"), say_events(fd);
  rename("d", "e"), say_events(fd);
  put("h", ""), say_events(fd);
  SHOW(syscall(SYS_renameat2, AT_FDCWD, "g", AT_FDCWD, "h", RENAME_EXCHANGE)), say_events(fd);
  rename("h", "g"), say_events(fd);
}

TEST(attributes) {
  int fd = inotify_init1(IN_NONBLOCK);
  put("f", "abc");
  SHOW(inotify_add_watch(fd, "f", IN_ALL_EVENTS));
  struct timespec both[2] = {{1, 0}, {2, 0}}, first[2] = {{1, 0}, {0, UTIME_OMIT}}, second[2] = {{0, UTIME_OMIT}, {3, 0}};
  utimensat(AT_FDCWD, "f", both, 0), say_events(fd);
  utimensat(AT_FDCWD, "f", first, 0), say_events(fd);
  utimensat(AT_FDCWD, "f", second, 0), say_events(fd);
  chown("f", 1, 1), say_events(fd);
  truncate("f", 1), say_events(fd);
  close(open("f", O_WRONLY | O_TRUNC)), say_events(fd);
  close(open("f", O_PATH)), say_events(fd);
}

TEST(directories_themselves) {
  int fd = inotify_init1(IN_NONBLOCK);
  mkdir("d", 0755), mkdir("d/e", 0755), put("d/f", "");
  SHOW(inotify_add_watch(fd, "d", IN_ALL_EVENTS));
  SHOW(inotify_add_watch(fd, "d/e", IN_ALL_EVENTS));
  DIR *d = opendir("d");
  while (readdir(d)) {}
  closedir(d), say_events(fd);
  close(open("d/e", O_RDONLY)), say_events(fd);
  rename("d/e", "d/g"), say_events(fd);
  int g = open("d/g", O_RDONLY);
  rmdir("d/g"), say_events(fd);
  close(g), say_events(fd);
}

TEST(overflow) {
  int fd = inotify_init1(IN_NONBLOCK);
  put("a", ""), put("b", "");
  SHOW(inotify_add_watch(fd, "a", IN_ATTRIB));
  SHOW(inotify_add_watch(fd, "b", IN_ATTRIB));
  int n = 0, limit = 0;
  FILE *f = fopen("/proc/sys/fs/inotify/max_queued_events", "r");
  fscanf(f, "%d", &limit), fclose(f);
  for (int i = 0; i < limit + 10; i++) chmod(i % 2 ? "a" : "b", 0600);
  struct inotify_event last, e[64];
  for (ssize_t size; (size = read(fd, e, sizeof e)) > 0;) n += size / sizeof *e, last = e[size / sizeof *e - 1];
  say("%d more than the limit, last: watch %d mask %x", n - limit, last.wd, last.mask);
}

TEST(waiting) {
  int fd = inotify_init();
  mkdir("d", 0755);
  SHOW(inotify_add_watch(fd, "d", IN_CREATE));
  pid_t kid = fork();
  if (!kid) usleep(50000), mkdir("d/late", 0755), _exit(0);
  char b[512] __attribute__((aligned(8)));
  ssize_t n = read(fd, b, sizeof b);
  struct inotify_event *e = (void *)b;
  say("%zd bytes: mask %x name [%s] len %u", n, e->mask, e->name, e->len);
  waitpid(kid, NULL, 0);
}
