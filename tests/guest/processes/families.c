// Orphans, process groups, sessions, stops: credentials(7), setpgid(2), setsid(2), prctl(2).
#include "guest.h"

TEST(orphans_go_to_init) {
  int p[2];
  pipe(p);
  CHILD("parent") {
    pid_t before = getpid();
    if (!fork()) {
      while (getppid() == before) sleep_ms(2);
      write(p[1], &(pid_t){getppid()}, sizeof(pid_t));
      _exit(0);
    }
  }
  pid_t parent = 0;
  read(p[0], &parent, sizeof parent);
  say("new parent %d", parent);
}

TEST(subreaper) {
  int on = -1, status;
  SHOW(prctl(PR_SET_CHILD_SUBREAPER, 1));
  SHOW(prctl(PR_GET_CHILD_SUBREAPER, &on)), say("%d", on);
  pid_t me = getpid(), kid = fork();
  if (!kid) {
    prctl(PR_GET_CHILD_SUBREAPER, &on), say("in the child %d", on);
    if (!fork()) { while (getppid() != me) sleep_ms(2); _exit(44); }
    _exit(0);
  }
  waitpid(kid, 0, 0);
  SHOW(wait(&status) > 0), say_status("grandchild", status);
}

TEST(parent_death) {
  int p[2];
  pipe(p);
  CHILD("parent") {
    if (!fork()) {
      prctl(PR_SET_PDEATHSIG, SIGUSR1);
      sigset_t set;
      sigemptyset(&set), sigaddset(&set, SIGUSR1), sigprocmask(SIG_BLOCK, &set, 0);
      write(p[1], "r", 1);
      int s = sigwaitinfo(&set, NULL);
      write(p[1], s == SIGUSR1 ? "y" : "n", 1);
      _exit(0);
    }
    read(p[0], &(char){0}, 1);
  }
  char got = 0;
  read(p[0], &got, 1);
  say("the signal came: %c", got);
  SHOW(prctl(PR_SET_PDEATHSIG, 99));
}

TEST(groups) {
  pid_t me = getpid(), kid = fork();
  if (!kid) { pause(); _exit(0); }
  IS(getpgid(0) == getpgrp() && getpgid(kid) == getpgrp());
  SHOW(setpgid(kid, kid));
  IS(getpgid(kid) == kid);
  SHOW(setpgid(kid, 0));
  SHOW(setpgid(kid, getpgrp()));
  SHOW(setpgid(kid, 1 << 21));
  SHOW(setpgid(kid, -1));
  SHOW(setpgid(1 << 21, 0));
  SHOW(getpgid(1 << 21));
  SHOW(setpgid(getppid(), 0));
  SHOW(setpgid(0, 0));
  IS(getpgrp() == me);
  SHOW(setsid()); // a leader of a group
  SHOW(setpgid(kid, me));
  kill(kid, SIGKILL), wait(NULL);
  int p[2];
  pipe(p);
  kid = fork();
  if (!kid) { write(p[1], "x", 1); execl("/guest", "guest", "--role", "sleeps", NULL); }
  read(p[0], &(char){0}, 1), sleep_ms(150);
  SHOW(setpgid(kid, kid)); // it has executed
  kill(kid, SIGKILL), wait(NULL);
}

ROLE(sleeps) { pause(); }

TEST(sessions) {
  CHILD("child") {
    IS(getsid(0) == getsid(getppid()));
    SHOW(setsid() == getpid());
    IS(getsid(0) == getpid() && getpgrp() == getpid());
    SHOW(setsid());
    SHOW(setpgid(0, getppid()));
    SHOW(getsid(1 << 21));
    pid_t kid = fork();
    if (!kid) { IS(getsid(0) == getppid()); SHOW(setpgid(0, 0)); SHOW(setpgid(getppid(), 0)); _exit(0); }
    wait(NULL);
    SHOW(open("/dev/tty", O_RDWR));
  }
  pid_t kid = fork();
  if (!kid) { setsid(), pause(); }
  sleep_ms(30);
  SHOW(setpgid(kid, getpgrp()));
  IS(getsid(kid) == kid);
  kill(kid, SIGKILL), wait(NULL);
}

static volatile sig_atomic_t got;
static void count(int signal UNUSED) { got++; }

TEST(signals_to_groups) {
  int ready[2], status, n = 0;
  pipe(ready);
  setpgid(0, 0), signal(SIGTERM, SIG_IGN);
  pid_t leader = 0;
  for (int i = 0; i < 3; i++) {
    pid_t kid = fork();
    if (!kid) { setpgid(0, leader), signal(SIGTERM, SIG_DFL), write(ready[1], "x", 1), pause(); }
    setpgid(kid, leader ? leader : kid);
    if (!leader) leader = kid;
  }
  for (int i = 0; i < 3; i++) read(ready[0], &(char){0}, 1);
  SHOW(kill(-leader, 0));
  SHOW(kill(-leader, SIGTERM));
  while (waitpid(-leader, &status, 0) > 0) n += WIFSIGNALED(status);
  say("%d killed", n);
  SHOW(kill(-leader, SIGTERM));
  SHOW(kill(0, SIGTERM)); // one's own group, ignored here
  SHOW(killpg(0, 0));
  SHOW(kill(-(1 << 21), 0));
  SHOW(kill(getpid(), 99));
  SHOW(kill(getpid(), -1));
  sigaction(SIGUSR1, &(struct sigaction){.sa_handler = count}, 0);
  got = 0, kill(0, SIGUSR1), say("%d", got);
}

TEST(orphaned_groups_are_not_stopped) {
  // A stopped group that loses its last tie to the session gets SIGHUP and SIGCONT, setpgid(2)
  int p[2];
  char b[4] = "";
  pipe(p);
  CHILD("parent") {
    setsid(); // or the new parent would be another tie
    pid_t kid = fork();
    if (!kid) {
      setpgid(0, 0);
      sigaction(SIGHUP, &(struct sigaction){.sa_handler = count}, 0);
      got = 0, raise(SIGSTOP);
      while (!got) sleep_ms(2);
      write(p[1], "hup", 3);
      _exit(0);
    }
    waitpid(kid, NULL, WUNTRACED);
  }
  read(p[0], b, 3), say("%s", b);
}

TEST(stopping_threads) {
  int p[2];
  pipe(p);
  pid_t kid = fork();
  if (!kid) { for (char c = 0;; c++) { write(p[1], &c, 1); sleep_ms(2); } }
  read(p[0], &(char){0}, 1);
  kill(kid, SIGSTOP), waitpid(kid, NULL, WUNTRACED);
  fcntl(p[0], F_SETFL, O_NONBLOCK);
  char b[4096];
  read(p[0], b, sizeof b), sleep_ms(40);
  SHOW(read(p[0], b, sizeof b));
  kill(kid, SIGCONT), sleep_ms(40);
  SHOW(read(p[0], b, sizeof b) > 0);
  kill(kid, SIGKILL), wait_and_say("child", kid);
}

TEST(process_descriptors) {
  pid_t kid = fork();
  if (!kid) { pause(); _exit(0); }
  int fd = SHOW(RAW(pidfd_open, kid, 0));
  SHOW(fcntl(fd, F_GETFD));
  struct pollfd p = {fd, POLLIN, 0};
  SHOW(poll(&p, 1, 0));
  SHOW(RAW(pidfd_send_signal, fd, 0, NULL, 0));
  SHOW(RAW(pidfd_send_signal, fd, SIGTERM, NULL, 0));
  SHOW(poll(&p, 1, 5000));
  SHOW(RAW(pidfd_send_signal, fd, 0, NULL, 0)); // a zombie still is one
  wait_and_say("child", kid);
  SHOW(RAW(pidfd_send_signal, fd, 0, NULL, 0));
  SHOW(RAW(pidfd_open, kid, 0));
  SHOW(RAW(pidfd_open, -1, 0));
  SHOW(RAW(pidfd_open, getpid(), 0x10000000));
  SHOW(RAW(pidfd_send_signal, 0, SIGTERM, NULL, 0));
  SHOW(RAW(pidfd_send_signal, fd, 99, NULL, 0));
  SHOW(read(fd, &(char){0}, 1));
  int target = dup(0), got_;
  dup2(target, 50), kid = fork();
  if (!kid) { dup2(open("/dev/zero", O_RDONLY), 60); sleep_ms(300); _exit(0); }
  sleep_ms(60), fd = RAW(pidfd_open, kid, 0);
  got_ = RAW(pidfd_getfd, fd, 60, 0);
  SHOW(read(got_, &(char){0}, 1));
  SHOW(RAW(pidfd_getfd, fd, 99, 0));
  SHOW(RAW(pidfd_getfd, fd, 60, 1));
  wait(NULL);
}

static void *thread_exits(void *unused UNUSED) { sleep_ms(20); syscall(SYS_exit_group, 9); return NULL; }
static void *outlives(void *unused UNUSED) { sleep_ms(50); _exit(12); }

TEST(ends) {
  CHILD("exit_group from a thread") { pthread_t t; pthread_create(&t, 0, thread_exits, 0); pause(); }
  CHILD("main thread leaves first") { pthread_t t; pthread_create(&t, 0, outlives, 0); syscall(SYS_exit, 3); }
  CHILD("exit of the only thread") { syscall(SYS_exit, 3); }
  CHILD("abort") abort();
}
