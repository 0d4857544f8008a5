// flock(2) and the record locks of fcntl(2), of processes and of open files.
#include "guest.h"
#include <sys/file.h>

static struct flock range(int type, long start, long length) {
  return (struct flock){.l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = length};
}
#define LOCK(fd, cmd, ...) ({ struct flock l_ = range(__VA_ARGS__); fcntl(fd, cmd, &l_); })

static void say_lock(int fd, int cmd, int type, long start, long length) {
  struct flock l = range(type, start, length);
  if (fcntl(fd, cmd, &l)) say("getlk: %s", error_name(errno));
  else if (l.l_type == F_UNLCK) say("free %ld+%ld", start, length);
  else say("held %s %ld+%ld", l.l_type == F_RDLCK ? "shared" : "exclusive", (long)l.l_start, (long)l.l_len);
}

TEST(whole_files) {
  put("f", "");
  int a = open("f", O_RDONLY), b = open("f", O_RDONLY), c = dup(a);
  SHOW(flock(a, LOCK_EX));
  SHOW(flock(b, LOCK_EX | LOCK_NB));
  SHOW(flock(b, LOCK_SH | LOCK_NB));
  SHOW(flock(c, LOCK_SH | LOCK_NB)); // converts: one open file
  SHOW(flock(b, LOCK_SH | LOCK_NB));
  SHOW(flock(a, LOCK_EX | LOCK_NB));
  SHOW(flock(b, LOCK_UN));
  SHOW(flock(a, LOCK_UN));
  SHOW(flock(b, LOCK_EX | LOCK_NB));
  SHOW(flock(b, 0));
  SHOW(flock(b, LOCK_SH | LOCK_EX));
  SHOW(flock(99, LOCK_SH));
  int p[2];
  pipe(p);
  SHOW(flock(p[0], LOCK_EX));
  SHOW(close(b));
  SHOW(flock(a, LOCK_EX | LOCK_NB));
  CHILD("inherits") { SHOW(flock(a, LOCK_EX | LOCK_NB)); int d = open("f", O_RDONLY); SHOW(flock(d, LOCK_EX | LOCK_NB)); SHOW(flock(a, LOCK_UN)); }
  b = open("f", O_RDONLY);
  SHOW(flock(b, LOCK_EX | LOCK_NB));
  close(a);
  SHOW(flock(b, LOCK_EX | LOCK_NB));
}

TEST(waiting_for_a_whole_file) {
  put("f", "");
  int a = open("f", O_RDONLY);
  flock(a, LOCK_EX);
  pid_t kid = fork();
  if (!kid) { int b = open("f", O_RDONLY); SHOW(flock(b, LOCK_EX)); say("child has it"); _exit(0); }
  sleep_ms(60), say("parent lets go"), flock(a, LOCK_UN);
  wait_and_say("child", kid);
}

static void nothing(int signal UNUSED) {}

TEST(interrupted_waits) {
  put("f", "");
  int a = open("f", O_RDWR);
  flock(a, LOCK_EX), LOCK(a, F_SETLK, F_WRLCK, 0, 0);
  CHILD("child") {
    sigaction(SIGALRM, &(struct sigaction){.sa_handler = nothing}, 0);
    int b = open("f", O_RDWR);
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 50000}}, 0);
    SHOW(flock(b, LOCK_EX));
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 50000}}, 0);
    SHOW(LOCK(b, F_SETLKW, F_WRLCK, 0, 0));
    setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 50000}}, 0);
    SHOW(LOCK(b, F_OFD_SETLKW, F_WRLCK, 0, 0));
  }
}

TEST(records) {
  put("f", "0123456789");
  int fd = open("f", O_RDWR);
  SHOW(LOCK(fd, F_SETLK, F_WRLCK, 0, 10));
  SHOW(LOCK(fd, F_SETLK, F_RDLCK, 2, 3));
  SHOW(LOCK(fd, F_SETLK, F_UNLCK, 7, 1));
  say_lock(fd, F_GETLK, F_WRLCK, 0, 0); // one's own do not count
  CHILD("child") {
    int k = open("f", O_RDWR);
    for (int i = 0; i < 11; i++) say_lock(k, F_GETLK, F_WRLCK, i, 1);
    say_lock(k, F_GETLK, F_RDLCK, 0, 0);
    say_lock(k, F_GETLK, F_RDLCK, 2, 3);
    SHOW(LOCK(k, F_SETLK, F_RDLCK, 3, 1));
    SHOW(LOCK(k, F_SETLK, F_WRLCK, 3, 1));
    SHOW(LOCK(k, F_SETLK, F_WRLCK, 7, 1));
    SHOW(LOCK(k, F_SETLK, F_WRLCK, 10, 0));
  }
  SHOW(LOCK(fd, F_SETLK, 99, 0, 1));
  SHOW(LOCK(fd, F_SETLK, F_WRLCK, -1, 1));
  SHOW(LOCK(fd, F_SETLK, F_WRLCK, 5, -3));
  SHOW(LOCK(fd, F_SETLK, F_WRLCK, 2, -5));
  SHOW(LOCK(fd, F_SETLK, F_WRLCK, LONG_MAX, 2));
  SHOW(LOCK(99, F_SETLK, F_WRLCK, 0, 1));
  SHOW(LOCK(open("f", O_RDONLY), F_SETLK, F_WRLCK, 0, 1));
  SHOW(LOCK(open("f", O_WRONLY), F_SETLK, F_RDLCK, 0, 1));
  SHOW(fcntl(fd, F_SETLK, (void *)8));
  struct flock end = {.l_type = F_WRLCK, .l_whence = SEEK_END, .l_start = -2, .l_len = 2};
  lseek(fd, 0, SEEK_SET);
  SHOW(fcntl(fd, F_SETLK, &end));
  struct flock bad = {.l_type = F_WRLCK, .l_whence = 9};
  SHOW(fcntl(fd, F_SETLK, &bad));
  SHOW(LOCK(fd, F_GETLK, F_UNLCK, 0, 1));
}

TEST(released_by_any_close) {
  put("f", "");
  int a = open("f", O_RDWR), b = open("f", O_RDWR);
  LOCK(a, F_SETLK, F_WRLCK, 0, 0);
  CHILD("before") { int k = open("f", O_RDWR); say_lock(k, F_GETLK, F_WRLCK, 0, 0); }
  close(b); // any descriptor of the file, fcntl(2)
  CHILD("after") { int k = open("f", O_RDWR); say_lock(k, F_GETLK, F_WRLCK, 0, 0); }
  LOCK(a, F_SETLK, F_WRLCK, 0, 0);
  CHILD("not inherited") { say_lock(a, F_GETLK, F_WRLCK, 0, 0); }
  pid_t kid = fork();
  if (!kid) { LOCK(a, F_SETLK, F_UNLCK, 0, 0); int k = open("f", O_RDWR); SHOW(LOCK(k, F_SETLKW, F_WRLCK, 0, 0)); _exit(0); }
  sleep_ms(50), LOCK(a, F_SETLK, F_UNLCK, 0, 0);
  wait_and_say("waiter", kid);
}

TEST(released_by_exit) {
  put("f", "");
  int go[2];
  pipe(go);
  pid_t kid = fork();
  if (!kid) { int k = open("f", O_RDWR); LOCK(k, F_SETLK, F_WRLCK, 0, 0); write(go[1], "x", 1); sleep_ms(60); _exit(0); }
  read(go[0], &(char){0}, 1);
  int fd = open("f", O_RDWR);
  SHOW(LOCK(fd, F_SETLK, F_WRLCK, 0, 0));
  SHOW(LOCK(fd, F_SETLKW, F_WRLCK, 0, 0));
  wait_and_say("holder", kid);
}

TEST(deadlock) {
  put("f", "");
  int fd = open("f", O_RDWR), go[2];
  pipe(go);
  LOCK(fd, F_SETLK, F_WRLCK, 0, 1);
  pid_t kid = fork();
  if (!kid) {
    LOCK(fd, F_SETLK, F_WRLCK, 1, 1);
    write(go[1], "x", 1);
    SHOW(LOCK(fd, F_SETLKW, F_WRLCK, 0, 1));
    _exit(0);
  }
  read(go[0], &(char){0}, 1), sleep_ms(60);
  SHOW(LOCK(fd, F_SETLKW, F_WRLCK, 1, 1));
  LOCK(fd, F_SETLK, F_UNLCK, 0, 1);
  wait_and_say("child", kid);
}

TEST(of_open_files) {
  put("f", "");
  int a = open("f", O_RDWR), b = open("f", O_RDWR), c = dup(a);
  SHOW(LOCK(a, F_OFD_SETLK, F_WRLCK, 0, 5));
  SHOW(LOCK(b, F_OFD_SETLK, F_WRLCK, 0, 5));
  SHOW(LOCK(c, F_OFD_SETLK, F_RDLCK, 0, 5));
  SHOW(LOCK(b, F_OFD_SETLK, F_RDLCK, 0, 5));
  SHOW(LOCK(b, F_SETLK, F_WRLCK, 0, 1)); // conflicts with one's own traditional lock
  SHOW(LOCK(b, F_OFD_SETLK, F_UNLCK, 0, 0));
  say_lock(b, F_OFD_GETLK, F_WRLCK, 0, 0);
  struct flock l = range(F_WRLCK, 0, 0);
  fcntl(b, F_OFD_GETLK, &l), say("owner %d", l.l_pid);
  l = range(F_WRLCK, 0, 0), l.l_pid = 5;
  SHOW(fcntl(b, F_OFD_SETLK, &l));
  CHILD("inherits") { SHOW(LOCK(a, F_OFD_SETLK, F_WRLCK, 0, 5)); }
  close(c), close(a);
  SHOW(LOCK(b, F_OFD_SETLK, F_WRLCK, 0, 5));
}

TEST(kinds_do_not_mix) {
  put("f", "");
  int a = open("f", O_RDWR);
  SHOW(flock(a, LOCK_EX));
  CHILD("other") { int b = open("f", O_RDWR); SHOW(LOCK(b, F_SETLK, F_WRLCK, 0, 0)); SHOW(flock(b, LOCK_SH | LOCK_NB)); }
  SHOW(lockf(a, F_LOCK, 10));
  SHOW(lockf(a, F_TEST, 10));
  CHILD("other") { int b = open("f", O_RDWR); SHOW(lockf(b, F_TEST, 10)); SHOW(lockf(b, F_TLOCK, 10)); }
  SHOW(lockf(a, F_ULOCK, 0));
}
