// wait4(2), waitid(2): which child, which state, what is told.
#include "guest.h"

static pid_t child_that(int status, int ms) {
  pid_t kid = fork();
  if (kid) return kid;
  sleep_ms(ms);
  _exit(status);
}

TEST(exit_statuses) {
  static const int codes[] = {0, 1, 127, 128, 255, 256, 257, -1};
  for (unsigned i = 0; i < sizeof codes / sizeof *codes; i++) wait_and_say("child", child_that(codes[i], 0));
  static const int signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGKILL, SIGTERM, SIGUSR1, SIGALRM, SIGSEGV, SIGPIPE, SIGABRT, SIGBUS, SIGSYS, SIGXCPU, SIGVTALRM, SIGPROF, SIGPOLL, SIGSTKFLT, SIGPWR};
  for (unsigned i = 0; i < sizeof signals / sizeof *signals; i++) {
    int status;
    pid_t kid = fork();
    if (!kid) { kill(getpid(), signals[i]); _exit(99); }
    waitpid(kid, &status, 0), say_status("child", status);
    if (WCOREDUMP(status)) say("core");
  }
}

TEST(which_child) {
  int status;
  pid_t a = child_that(1, 200), b = child_that(2, 0);
  SHOW(waitpid(a, &status, WNOHANG));
  SHOW(waitpid(b, &status, 0) == b);
  SHOW(waitpid(b, &status, 0));
  SHOW(waitpid(-1, &status, 0) == a);
  SHOW(waitpid(-1, &status, WNOHANG));
  SHOW(waitpid(1 << 22, &status, 0));
  SHOW(waitpid(getpid(), &status, 0));
  SHOW(waitpid(-1, &status, 0x40));
  SHOW(waitpid(-INT_MAX - 1, &status, 0));
  a = child_that(4, 0), sleep_ms(30);
  SHOW(waitpid(a, NULL, 0) == a);
  a = child_that(4, 0);
  SHOW(waitpid(a, (void *)8, 0));
  SHOW(waitpid(a, &status, 0)); // it was reaped all the same
}

TEST(process_groups) {
  int status;
  pid_t a = child_that(1, 50), b = child_that(2, 100);
  setpgid(a, a), setpgid(b, a);
  SHOW(waitpid(0, &status, 0));
  SHOW(waitpid(-a, &status, 0) == a);
  SHOW(waitpid(-a, &status, 0) == b);
  SHOW(waitpid(-a, &status, 0));
}

TEST(stops_and_continues) {
  int status;
  pid_t kid = fork();
  if (!kid) for (;;) raise(SIGSTOP), sleep_ms(100); // a new stop would hide the continuation
  SHOW(waitpid(kid, &status, WUNTRACED) == kid), say_status("child", status);
  SHOW(waitpid(kid, &status, WUNTRACED | WNOHANG)); // told once
  kill(kid, SIGCONT);
  SHOW(waitpid(kid, &status, WCONTINUED) == kid), say_status("child", status);
  SHOW(waitpid(kid, &status, WUNTRACED) == kid), say_status("child", status);
  kill(kid, SIGTSTP), sleep_ms(20);
  SHOW(waitpid(kid, &status, WUNTRACED | WNOHANG));
  kill(kid, SIGTERM), sleep_ms(20);
  SHOW(waitpid(kid, &status, WNOHANG)); // stopped: the signal waits
  kill(kid, SIGCONT);
  SHOW(waitpid(kid, &status, 0) == kid), say_status("child", status);
  kid = fork();
  if (!kid) { raise(SIGSTOP); _exit(0); }
  waitpid(kid, &status, WUNTRACED), kill(kid, SIGKILL);
  SHOW(waitpid(kid, &status, 0) == kid), say_status("child", status);
}

static void say_info(siginfo_t *i, pid_t kid) {
  static const char *names[] = {"none", "exited", "killed", "dumped", "trapped", "stopped", "continued"};
  say("signal %d code %s status %d pid %s uid %d", i->si_signo, names[i->si_code], i->si_status, i->si_pid == kid ? "same" : i->si_pid ? "other" : "0", i->si_uid);
}

TEST(waitid) {
  siginfo_t info;
  pid_t kid = child_that(33, 0);
  SHOW(waitid(P_PID, kid, &info, WEXITED | WNOWAIT)), say_info(&info, kid);
  SHOW(waitid(P_ALL, 0, &info, WEXITED)), say_info(&info, kid);
  SHOW(waitid(P_PID, kid, &info, WEXITED));
  kid = fork();
  if (!kid) { setuid(1000); pause(); }
  memset(&info, 1, sizeof info);
  SHOW(waitid(P_PID, kid, &info, WEXITED | WNOHANG)), say("signal %d pid %d", info.si_signo, info.si_pid);
  sleep_ms(20), kill(kid, SIGSTOP);
  SHOW(waitid(P_PID, kid, &info, WSTOPPED)), say_info(&info, kid);
  kill(kid, SIGCONT);
  SHOW(waitid(P_PID, kid, &info, WCONTINUED)), say_info(&info, kid);
  kill(kid, SIGTERM);
  SHOW(waitid(P_PGID, 0, &info, WEXITED)), say_info(&info, kid);
  SHOW(waitid(P_PID, kid, &info, 0));
  SHOW(waitid(P_PID, kid, &info, WEXITED | 0x100));
  SHOW(waitid(77, kid, &info, WEXITED));
  SHOW(waitid(P_PID, -5, &info, WEXITED));
  kid = child_that(5, 0);
  int fd = RAW(pidfd_open, kid, 0);
  SHOW(waitid(P_PIDFD, fd, &info, WEXITED)), say_info(&info, kid);
  SHOW(waitid(P_PIDFD, 99, &info, WEXITED));
  SHOW(waitid(P_PIDFD, 0, &info, WEXITED));
  kid = child_that(6, 0);
  SHOW(waitid(P_PID, kid, NULL, WEXITED));
}

static volatile sig_atomic_t got;
static void count(int signal UNUSED) { got++; }

TEST(child_signals) {
  // A stop is seen before its signal is sent: count only when things are quiet.
  enum { QUIET = 40 };
  sigaction(SIGCHLD, &(struct sigaction){.sa_handler = count, .sa_flags = SA_RESTART}, 0);
  got = 0, wait_and_say("child", child_that(0, 0)), say("%d", got);
  got = 0;
  pid_t kid = fork();
  if (!kid) { raise(SIGSTOP), sleep_ms(QUIET); _exit(0); }
  waitpid(kid, NULL, WUNTRACED), sleep_ms(QUIET), say("stop: %d", got > 0);
  got = 0, kill(kid, SIGCONT), waitpid(kid, NULL, 0), sleep_ms(QUIET), say("continue and exit: %d", got);
  sigaction(SIGCHLD, &(struct sigaction){.sa_handler = count, .sa_flags = SA_RESTART | SA_NOCLDSTOP}, 0);
  got = 0, kid = fork();
  if (!kid) { raise(SIGSTOP), sleep_ms(QUIET); _exit(0); }
  waitpid(kid, NULL, WUNTRACED), sleep_ms(QUIET), say("stop: %d", got);
  got = 0, kill(kid, SIGCONT), waitpid(kid, NULL, 0), say("exit: %d", got);
}

TEST(ignored_children) {
  int status;
  signal(SIGCHLD, SIG_IGN);
  pid_t kid = child_that(0, 20);
  SHOW(waitpid(kid, &status, 0)); // waits until all are gone
  SHOW(kill(kid, 0));
  signal(SIGCHLD, SIG_DFL);
  sigaction(SIGCHLD, &(struct sigaction){.sa_handler = count, .sa_flags = SA_NOCLDWAIT}, 0);
  got = 0, kid = child_that(0, 20);
  SHOW(waitpid(kid, &status, 0)), say("%d", got);
}

TEST(interrupted) {
  sigaction(SIGALRM, &(struct sigaction){.sa_handler = count}, 0);
  pid_t kid = child_that(0, 200);
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 50000}}, 0);
  SHOW(waitpid(kid, NULL, 0));
  sigaction(SIGALRM, &(struct sigaction){.sa_handler = count, .sa_flags = SA_RESTART}, 0);
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 50000}}, 0);
  SHOW(waitpid(kid, NULL, 0) == kid);
}

static void *wait_in_a_thread(void *kid) { SHOW(waitpid((pid_t)(long)kid, NULL, 0) > 0); return NULL; }
static void *fork_in_a_thread(void *unused UNUSED) { return (void *)(long)child_that(3, 20); }

TEST(between_threads) {
  pthread_t t;
  void *kid;
  pthread_create(&t, 0, wait_in_a_thread, (void *)(long)child_that(0, 30)), pthread_join(t, 0);
  pthread_create(&t, 0, fork_in_a_thread, 0), pthread_join(t, &kid);
  wait_and_say("forked by another thread", (pid_t)(long)kid);
  pthread_create(&t, 0, fork_in_a_thread, 0), pthread_join(t, &kid);
  SHOW(waitpid(-1, NULL, __WNOTHREAD) == (pid_t)(long)kid);
}

TEST(usage) {
  struct rusage r = {0};
  pid_t kid = fork();
  if (!kid) { for (volatile long i = 0; i < 60000000; i++) {} _exit(0); }
  SHOW(wait4(kid, NULL, 0, &r) == kid);
  IS(r.ru_utime.tv_sec * 1000000 + r.ru_utime.tv_usec > 1000);
  IS(r.ru_maxrss > 0);
  getrusage(RUSAGE_CHILDREN, &r);
  IS(r.ru_utime.tv_sec * 1000000 + r.ru_utime.tv_usec > 1000);
  SHOW(getrusage(RUSAGE_SELF, &r));
  SHOW(getrusage(RUSAGE_THREAD, &r));
  SHOW(getrusage(99, &r));
  SHOW(getrusage(RUSAGE_SELF, (void *)8));
}
