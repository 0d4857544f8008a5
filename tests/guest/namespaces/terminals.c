// Instances of devpts, each with terminals of its own.
#include "guest.h"
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <termios.h>

#ifndef TIOCGPTPEER
#define TIOCGPTPEER _IO('T', 0x41)
#endif

static void be_alone(void) {
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  mount("base", here, "tmpfs", 0, NULL);
  chdir(here);
  mkdir("a", 0755), mkdir("b", 0755);
  mount("a", "a", "devpts", 0, "newinstance,ptmxmode=666,mode=620");
  mount("b", "b", "devpts", 0, "newinstance,ptmxmode=600");
}

static int number(int master) {
  int n = -1;
  return ioctl(master, TIOCGPTN, &n) ? -1 : n;
}

static void unlock(int master) { ioctl(master, TIOCSPTLCK, &(int){0}); }

TEST(numbers) {
  be_alone();
  say_dir("a");
  int first = open("a/ptmx", O_RDWR | O_NOCTTY), second = open("a/ptmx", O_RDWR | O_NOCTTY);
  int other = open("b/ptmx", O_RDWR | O_NOCTTY);
  say("%d %d %d", number(first), number(second), number(other));
  say_dir("a"), say_dir("b");
  close(first);
  say_dir("a"), say_dir("b");
  first = open("a/ptmx", O_RDWR | O_NOCTTY);
  say("%d", number(first));
  struct stat st;
  stat("a/1", &st);
  say("mode %o device %d:%d", st.st_mode, major(st.st_rdev), minor(st.st_rdev));
}

TEST(ends) {
  be_alone();
  int a = open("a/ptmx", O_RDWR | O_NOCTTY), b = open("b/ptmx", O_RDWR | O_NOCTTY);
  SHOW(open("a/0", O_RDWR | O_NOCTTY));
  unlock(a), unlock(b);
  int slave = open("a/0", O_RDWR | O_NOCTTY), other = open("b/0", O_RDWR | O_NOCTTY);
  write(slave, "from a\n", 7), write(other, "from b\n", 7);
  char text[32] = "";
  read(a, text, sizeof text);
  say("%.6s", text);
  read(b, text, sizeof text);
  say("%.6s", text);
  int peer = ioctl(b, TIOCGPTPEER, O_RDWR | O_NOCTTY);
  struct stat x, y;
  fstat(peer, &x), fstat(other, &y);
  IS(x.st_dev == y.st_dev && x.st_ino == y.st_ino);
  fstat(slave, &y);
  IS(x.st_dev == y.st_dev);
  SHOW(open("b/1", O_RDWR));
}

TEST(devices_elsewhere) {
  be_alone();
  mkdir("dev", 0755), mkdir("dev/pts", 0755);
  SHOW(mknod("dev/ptmx", S_IFCHR | 0666, makedev(5, 2)));
  SHOW(open("dev/ptmx", O_RDWR | O_NOCTTY));
  mount("a", "dev/pts", NULL, MS_BIND, NULL);
  int master = open("dev/ptmx", O_RDWR | O_NOCTTY);
  say("%d", number(master));
  unlock(master);
  say_dir("a");
  int peer = OKAY(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  (void)peer;
  SHOW(mknod("slave", S_IFCHR | 0666, makedev(136, 0)));
  SHOW(open("slave", O_RDWR | O_NOCTTY));
  put("place", "");
  SHOW(mount("a/0", "place", NULL, MS_BIND, NULL));
  int fd = OKAY(open("place", O_RDWR | O_NOCTTY));
  IS(isatty(fd));
  put("ptmx", "");
  SHOW(mount("b/ptmx", "ptmx", NULL, MS_BIND, NULL));
  int other = OKAY(open("ptmx", O_RDWR | O_NOCTTY));
  say("%d", number(other));
  say_dir("b");
}

TEST(unmounted) {
  be_alone();
  int master = open("a/ptmx", O_RDWR | O_NOCTTY);
  unlock(master);
  int slave = open("a/0", O_RDWR | O_NOCTTY);
  SHOW(umount("a"));
  SHOW(umount2("a", MNT_DETACH));
  write(slave, "still\n", 6);
  char text[32] = "";
  read(master, text, sizeof text);
  say("%.5s", text);
  OKAY(ioctl(master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
  say_dir("a");
}
