// dup(2), fcntl(2), close(2), close_range(2), ioctl(2) on files.
#include "guest.h"
#include <linux/close_range.h>

TEST(duplicates) {
  put("f", "abcdef");
  int fd = open("f", O_RDONLY);
  char b[3] = "";
  SHOW(dup(fd));
  SHOW(dup(99));
  SHOW(dup(-1));
  SHOW(dup2(fd, 20));
  SHOW(dup2(fd, fd));
  SHOW(dup2(99, 99));
  SHOW(dup2(99, 20));
  SHOW(dup2(fd, -1));
  SHOW(dup2(fd, 5000));
  SHOW(fcntl(20, F_GETFD));
  SHOW(dup3(fd, 21, O_CLOEXEC));
  SHOW(fcntl(21, F_GETFD));
  SHOW(dup3(fd, fd, 0));
  SHOW(dup3(fd, 22, O_NONBLOCK));
  SHOW(dup3(fd, 22, 0));
  SHOW(fcntl(fd, F_DUPFD, 10));
  SHOW(fcntl(fd, F_DUPFD_CLOEXEC, 10));
  SHOW(fcntl(11, F_GETFD));
  SHOW(fcntl(fd, F_DUPFD, -1));
  SHOW(fcntl(fd, F_DUPFD, 100000));
  read(fd, b, 2), read(20, b, 2), say("%s", b);
  SHOW(close(fd));
  SHOW(read(20, b, 2));
  SHOW(dup(20)); // the lowest free
}

TEST(flags) {
  put("f", "");
  int fd = open("f", O_RDWR), copy = dup(fd);
  SHOW(fcntl(fd, F_SETFD, FD_CLOEXEC));
  SHOW(fcntl(fd, F_GETFD));
  SHOW(fcntl(copy, F_GETFD));
  SHOW(fcntl(fd, F_SETFD, 0xfffe));
  SHOW(fcntl(fd, F_GETFD));
  SHOW(fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK | O_WRONLY | O_CREAT | O_SYNC));
  SHOW(fcntl(copy, F_GETFL));
  SHOW(fcntl(fd, F_SETFL, 0));
  SHOW(fcntl(copy, F_GETFL));
  SHOW(fcntl(99, F_GETFL));
  SHOW(fcntl(fd, 9999));
  SHOW(fcntl(fd, F_SETFL, O_NOATIME));
  SHOW(fcntl(fd, F_GETFL));
  SHOW(fcntl(fd, F_SETFL, O_ASYNC));
  SHOW(fcntl(fd, F_SETFL, O_DIRECT) == 0 || errno == EINVAL);
  SHOW(fcntl(0, F_GETFD));
  SHOW(fcntl(fd, F_GETOWN));
  SHOW(fcntl(fd, F_GETSIG));
  SHOW(fcntl(fd, F_SETSIG, 1000));
  SHOW(fcntl(fd, F_SETSIG, SIGUSR1));
  SHOW(fcntl(fd, F_GETSIG));
}

TEST(controls) {
  put("f", "12345");
  int fd = open("f", O_RDWR), p[2], n = -1;
  pipe(p), write(p[1], "abc", 3);
  SHOW(ioctl(fd, FIONREAD, &n)), say("%d", n);
  lseek(fd, 2, SEEK_SET);
  SHOW(ioctl(fd, FIONREAD, &n)), say("%d", n);
  SHOW(ioctl(p[0], FIONREAD, &n)), say("%d", n);
  SHOW(ioctl(fd, FIOCLEX));
  SHOW(fcntl(fd, F_GETFD));
  SHOW(ioctl(fd, FIONCLEX));
  SHOW(fcntl(fd, F_GETFD));
  n = 1;
  SHOW(ioctl(p[0], FIONBIO, &n));
  IS(fcntl(p[0], F_GETFL) & O_NONBLOCK);
  char t[100];
  SHOW(ioctl(fd, TCGETS, t));
  SHOW(ioctl(p[0], TCGETS, t));
  SHOW(ioctl(fd, TIOCGWINSZ, t));
  SHOW(ioctl(fd, 0xdeadbeef, t));
  SHOW(ioctl(99, FIONREAD, &n));
  SHOW(ioctl(fd, FIONREAD, (void *)8));
  SHOW(ioctl(open("/dev/null", O_RDWR), TCGETS, t));
  SHOW(isatty(fd));
}

TEST(closing_ranges) {
  for (int i = 0; i < 10; i++) dup2(0, 10 + i);
  SHOW(close_range(12, 14, 0));
  for (int i = 10; i < 20; i++) if (fcntl(i, F_GETFD) < 0) say("%d closed", i);
  SHOW(close_range(15, 16, CLOSE_RANGE_CLOEXEC));
  SHOW(fcntl(15, F_GETFD));
  SHOW(fcntl(17, F_GETFD));
  SHOW(close_range(14, 13, 0));
  SHOW(close_range(13, 14, 64));
  SHOW(close_range(18, ~0U, CLOSE_RANGE_UNSHARE));
  SHOW(fcntl(18, F_GETFD));
  SHOW(close_range(500, ~0U, 0));
  SHOW(close(17));
  SHOW(close(17));
  SHOW(close(-1));
}

TEST(shared_between_processes) {
  put("f", "");
  int fd = open("f", O_RDWR);
  CHILD("child") { write(fd, "child ", 6); close(fd); SHOW(write(fd, "x", 1)); fcntl(0, F_SETFL, O_NONBLOCK); }
  SHOW(write(fd, "parent", 6));
  say_file("f");
  CHILD("cloexec") {
    fcntl(fd, F_SETFD, FD_CLOEXEC);
    dup2(fd, 30);
    execl("/guest", "guest", "--role", "has", "3", "30", NULL);
  }
}

ROLE(has) {
  for (int i = 0; i < argc; i++) say("%s %s", argv[i], fcntl(atoi(argv[i]), F_GETFD) < 0 ? "closed" : "open");
}

TEST(many) {
  setrlimit(RLIMIT_NOFILE, &(struct rlimit){4000, 4000});
  int n = 0, sum = 0;
  while (dup(0) >= 0) n++;
  say("%d, %s", n, error_name(errno));
  for (int i = 3; i < 4000; i += 3) sum += !close(i);
  say("%d", sum);
  SHOW(dup(0));
  SHOW(dup(0));
  struct rlimit r = {50, 4000};
  SHOW(setrlimit(RLIMIT_NOFILE, &r));
  SHOW(dup(0));
  SHOW(fcntl(3998, F_GETFD));
  SHOW(dup2(0, 49));
  SHOW(dup2(0, 50));
}

TEST(comparing) {
  put("f", "");
  int a = open("f", O_RDONLY), b = dup(a), c = open("f", O_RDONLY);
  SHOW(RAW(kcmp, getpid(), getpid(), 0, a, b) == 0 || errno == ENOSYS || errno == EPERM);
  struct stat x, y;
  fstat(a, &x), fstat(c, &y);
  IS(x.st_ino == y.st_ino);
  SHOW(fcntl(a, 1024 + 3, b) == 1 || errno == EINVAL); // F_DUPFD_QUERY is younger than some kernels
}
