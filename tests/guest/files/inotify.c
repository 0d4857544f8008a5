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
