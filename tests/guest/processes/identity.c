// Who a thread is, asked often: calls that a kernel may answer before it is entered, and all
// that changes the answer, or wants to see the call.
#include "guest.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>
#include <sys/user.h>

enum { HOT = 100 };

// One instruction for all calls, as in a C library's syscall(2).
static long ask(long number) { return syscall(number); }

// How many of these calls give something else.
static int wrong(long number, long wanted) {
  int count = 0;
  for (int i = 0; i < HOT; i++) count += ask(number) != wanted;
  return count;
}

// The number that /proc knows.
static long known_as(const char *link, char last) {
  char text[100] = {0};
  if (readlink(link, text, sizeof text - 1) < 0) return -1;
  char *at = strrchr(text, last);
  return atol(at ? at + 1 : text);
}

TEST(processes_and_their_children) {
  SHOW(wrong(SYS_getpid, known_as("/proc/self", '/')));
  SHOW(wrong(SYS_gettid, getpid()));
  for (int i = 0; i < 3; i++) {
    int fds[2];
    pipe(fds);
    pid_t child = fork();
    if (!child) {
      long own = ask(SYS_getpid);
      write(fds[1], &own, sizeof own);
      _exit(wrong(SYS_getpid, own) || wrong(SYS_gettid, own));
    }
    long told = 0;
    read(fds[0], &told, sizeof told);
    IS(told == child);
    int status = -1;
    waitpid(child, &status, 0);
    SHOW(status);
  }
  pid_t child = vfork();
  if (!child) _exit(ask(SYS_getpid) != ask(SYS_gettid));
  int status = -1;
  waitpid(child, &status, 0);
  SHOW(status);
  SHOW(wrong(SYS_getpid, known_as("/proc/self", '/')));
}

static void *thread(void *unused) {
  (void)unused;
  long own = known_as("/proc/thread-self", '/');
  return (void *)(long)(wrong(SYS_gettid, own) + wrong(SYS_getpid, getpid()));
}

TEST(threads_that_come_and_go) {
  long bad = 0;
  for (int i = 0; i < 50; i++) {
    pthread_t ids[4];
    for (int n = 0; n < 4; n++) pthread_create(&ids[n], NULL, thread, NULL);
    for (int n = 0; n < 4; n++) {
      void *result;
      pthread_join(ids[n], &result);
      bad += (long)result;
    }
  }
  SHOW(bad);
}

TEST(users_that_change) {
  SHOW(wrong(SYS_getuid, 0) + wrong(SYS_geteuid, 0) + wrong(SYS_getgid, 0) + wrong(SYS_getegid, 0));
  SHOW(RAW(setresgid, 7, 8, 9));
  SHOW(wrong(SYS_getgid, 7) + wrong(SYS_getegid, 8));
  SHOW(RAW(setresuid, 1000, 1001, 0));
  SHOW(wrong(SYS_getuid, 1000) + wrong(SYS_geteuid, 1001));
  SHOW(RAW(setuid, 0));
  SHOW(wrong(SYS_getuid, 1000) + wrong(SYS_geteuid, 0));
}

static volatile sig_atomic_t ticks;
static void tick(int signal) { (void)signal; ticks++; }

TEST(signals_between_calls) {
  struct sigaction action = {.sa_handler = tick};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval every = {{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &every, NULL);
  long own = getpid(), bad = 0;
  // Never ends if a signal finds no way in.
  while (ticks < 100) bad += wrong(SYS_getpid, own);
  SHOW(bad);
}

static atomic_int refused;
static void *hot_thread(void *unused) {
  (void)unused;
  // Never ends if it is answered without being asked for.
  while (ask(SYS_getpid) > 0) {}
  atomic_store(&refused, errno);
  return NULL;
}

TEST(filters) {
  pthread_t other;
  wrong(SYS_getpid, getpid());
  pthread_create(&other, NULL, hot_thread, NULL);
  struct sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getpid, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EDOM),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = {sizeof code / sizeof *code, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  SHOW(RAW(seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program));
  SHOW(wrong(SYS_getpid, -1));
  SHOW(ask(SYS_getpid));
  pthread_join(other, NULL);
  say("the other thread: %s", error_name(refused));
  SHOW(wrong(SYS_gettid, getpid()) == HOT);
  CHILD("strict") {
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    ask(SYS_gettid);
    RAW(exit, 0);
  }
}

TEST(tracers) {
  pid_t child = fork();
  if (!child) {
    wrong(SYS_getpid, getpid());
    ptrace(PTRACE_TRACEME, 0, 0, 0);
    raise(SIGSTOP);
    for (int i = 0; i < 10; i++) ask(SYS_getuid);
    _exit(0);
  }
  int status, stops = 0;
  waitpid(child, &status, 0);
  ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD);
  for (;;) {
    ptrace(PTRACE_SYSCALL, child, 0, 0);
    waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)) break;
    struct user_regs_struct regs;
    ptrace(PTRACE_GETREGS, child, 0, &regs);
    stops += WSTOPSIG(status) == (SIGTRAP | 0x80) && regs.orig_rax == SYS_getuid;
  }
  SHOW(stops);
}
