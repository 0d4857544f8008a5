// signalfd(2): whose signals they are, in what order, who is woken.
#include "guest.h"
#include <sys/epoll.h>
#include <sys/signalfd.h>

static void block(int first, int second) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, first);
  if (second) sigaddset(&set, second);
  sigprocmask(SIG_BLOCK, &set, NULL);
}

static int descriptor(int first, int second) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, first);
  if (second) sigaddset(&set, second);
  block(first, second);
  return signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

static void take(int fd) {
  struct signalfd_siginfo info;
  if (SHOW(read(fd, &info, sizeof info)) > 0)
    say("SIG%s code %d value %d", sigabbrev_np(info.ssi_signo), info.ssi_code, info.ssi_int);
}

static int is_readable(int fd) {
  struct pollfd p = {fd, POLLIN, 0};
  return poll(&p, 1, 0);
}

TEST(own_signals) {
  int fd = descriptor(SIGUSR1, SIGRTMIN);
  take(fd);
  raise(SIGUSR1);
  kill(getpid(), SIGUSR1);
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 7});
  sigqueue(getpid(), SIGRTMIN, (union sigval){.sival_int = 8});
  SHOW(is_readable(fd));
  struct signalfd_siginfo all[8];
  long n = read(fd, all, sizeof all) / (long)sizeof all[0];
  for (int i = 0; i < n; i++) say("%d: %s %d", i, all[i].ssi_signo == SIGUSR1 ? "USR1" : "RTMIN", all[i].ssi_int);
  SHOW(is_readable(fd));
  SHOW(read(fd, all, sizeof all[0] - 1));
}

TEST(a_child_reads_its_own) {
  int fd = descriptor(SIGUSR1, SIGUSR2);
  raise(SIGUSR1);
  CHILD("child") {
    SHOW(is_readable(fd));
    take(fd);
    raise(SIGUSR2);
    SHOW(is_readable(fd));
    take(fd);
  }
  SHOW(is_readable(fd));
  take(fd);
  take(fd);
}

TEST(a_child_sleeps_for_its_own) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  sigprocmask(SIG_BLOCK, &set, NULL);
  int fd = signalfd(-1, &set, 0);
  pid_t kid = fork();
  if (!kid) {
    alarm(10);
    take(fd);
    struct pollfd p = {fd, POLLIN, 0};
    SHOW(poll(&p, 1, 5000));
    take(fd);
    _exit(0);
  }
  sleep_ms(50);
  kill(kid, SIGUSR1);
  sleep_ms(100);
  kill(kid, SIGUSR1);
  wait_and_say("child", kid);
}

static void *of_a_thread(void *fd) {
  pthread_kill(pthread_self(), SIGUSR2);
  SHOW(is_readable(*(int *)fd));
  return NULL;
}

TEST(another_threads_are_not_mine) {
  int fd = descriptor(SIGUSR1, SIGUSR2);
  pthread_t thread;
  static pthread_barrier_t gate;
  pthread_barrier_init(&gate, NULL, 2);
  pthread_create(&thread, NULL, of_a_thread, &fd);
  pthread_join(thread, NULL);
  SHOW(is_readable(fd));
  take(fd);
  pthread_kill(pthread_self(), SIGUSR2);
  kill(getpid(), SIGUSR1);
  take(fd);
  take(fd);
  take(fd);
}

TEST(under_epoll) {
  int fd = descriptor(SIGUSR1, 0), epoll = epoll_create1(0);
  struct epoll_event event = {EPOLLIN, {.u32 = 5}}, seen = {0};
  SHOW(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event));
  SHOW(epoll_wait(epoll, &seen, 1, 0));
  pid_t kid = fork();
  if (!kid) {
    sleep_ms(50);
    kill(getppid(), SIGUSR1);
    _exit(0);
  }
  SHOW(epoll_wait(epoll, &seen, 1, 5000));
  say("%u", seen.data.u32);
  take(fd);
  SHOW(epoll_wait(epoll, &seen, 1, 0));
  wait_and_say("child", kid);
}

TEST(another_mask) {
  int fd = descriptor(SIGUSR1, 0);
  block(SIGUSR2, 0);
  raise(SIGUSR2);
  take(fd);
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  IS(signalfd(fd, &set, 0) == fd);
  take(fd);
  SHOW(signalfd(0, &set, 0));
  SHOW(signalfd(-1, &set, ~0));
  SHOW(signalfd(99, &set, 0));
}
