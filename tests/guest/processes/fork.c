// fork(2), vfork(2), clone(2), clone3(2): what is copied and what is shared.
#include "guest.h"
#include <linux/sched.h>

static int global = 1;

TEST(memory_is_copied) {
  int local = 2, *heap = malloc(4);
  *heap = 3;
  CHILD("child") { global = 10, local = 20, *heap = 30; say("%d %d %d", global, local, *heap); }
  say("%d %d %d", global, local, *heap);
  char *big = mmap(0, 32 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(big, 'p', 32 << 20);
  CHILD("child") { for (int i = 0; i < 32 << 20; i += 4096) big[i] = 'c'; say("%c", big[4096]); }
  int changed = 0;
  for (int i = 0; i < 32 << 20; i++) changed += big[i] != 'p';
  say("%d changed", changed);
}

TEST(deep) {
  for (int depth = 0; depth < 30; depth++) {
    pid_t kid = fork();
    if (kid) {
      int status;
      waitpid(kid, &status, 0);
      if (depth == 0) say("%d", WEXITSTATUS(status));
      if (depth) _exit(WEXITSTATUS(status) + 1);
      return;
    }
  }
  _exit(1);
}

TEST(wide) {
  enum { KIDS = 100 };
  int sum = 0, status;
  for (int i = 0; i < KIDS; i++) if (!fork()) _exit(i % 7);
  for (int i = 0; i < KIDS; i++) wait(&status), sum += WEXITSTATUS(status);
  say("%d", sum);
  SHOW(wait(&status));
}

TEST(identity) {
  pid_t parent = getpid(), kid;
  IS(parent > 0 && getppid() > 0 && gettid() == parent);
  int p[2];
  pipe(p);
  if (!(kid = fork())) {
    pid_t me[3] = {getpid(), getppid(), gettid()};
    write(p[1], me, sizeof me);
    _exit(0);
  }
  pid_t seen[3];
  read(p[0], seen, sizeof seen);
  IS(seen[0] == kid && seen[1] == parent && seen[2] == kid);
  IS(kid > parent);
  wait(NULL);
}

TEST(what_a_child_inherits) {
  umask(031), chdir("/dev"), nice(3), signal(SIGUSR1, SIG_IGN), prctl(PR_SET_NAME, "named"), alarm(100);
  sigset_t set, pending;
  sigemptyset(&set), sigaddset(&set, SIGUSR2), sigprocmask(SIG_BLOCK, &set, 0), raise(SIGUSR2);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  CHILD("child") {
    char b[100] = "";
    say("umask %o", umask(0));
    say("%s", getcwd(b, 100));
    say("nice %d", getpriority(PRIO_PROCESS, 0));
    IS(signal(SIGUSR1, SIG_DFL) == SIG_IGN);
    prctl(PR_GET_NAME, b), say("%s", b);
    say("alarm %d", alarm(0));
    sigpending(&pending), say("pending %d", sigismember(&pending, SIGUSR2));
    sigprocmask(0, 0, &set), say("blocked %d", sigismember(&set, SIGUSR2));
    int s = -1;
    prctl(PR_GET_PDEATHSIG, &s), say("parent-death signal %d", s);
    struct rusage r;
    getrusage(RUSAGE_CHILDREN, &r), say("children's time %d", (int)r.ru_utime.tv_sec);
  }
  sigpending(&pending), say("pending %d", sigismember(&pending, SIGUSR2));
}

TEST(vfork) {
  int p[2];
  pipe(p);
  volatile int touched = 0;
  pid_t kid = vfork();
  if (!kid) { touched = 1; write(p[1], "child ran first\n", 16); _exit(5); }
  char b[20] = "";
  read(p[0], b, 15), say("%s, touched %d", b, touched);
  wait_and_say("vforked", kid);
  kid = vfork();
  if (!kid) { execl("/guest", "guest", "--role", "seven", NULL); _exit(1); }
  wait_and_say("executed", kid);
}

ROLE(seven) { exit(7); }

static char stack[65536] __attribute__((aligned(16)));
static int shared_value;
static int set_shared(void *argument) { shared_value = (long)argument; return 3; }
static int change_files(void *argument) { close((long)argument); return 0; }
static int change_fs(void *argument UNUSED) { chdir("/dev"); umask(0); return 0; }

TEST(cloning) {
  int status, fd;
  shared_value = 0;
  pid_t kid = clone(set_shared, stack + sizeof stack, CLONE_VM | SIGCHLD, (void *)42);
  waitpid(kid, &status, 0), say("%d, exits %d", shared_value, WEXITSTATUS(status));
  shared_value = 0;
  kid = clone(set_shared, stack + sizeof stack, SIGCHLD, (void *)42);
  waitpid(kid, &status, 0), say("%d", shared_value);
  fd = dup(0), kid = clone(change_files, stack + sizeof stack, CLONE_FILES | SIGCHLD, (void *)(long)fd);
  waitpid(kid, &status, 0);
  SHOW(fcntl(fd, F_GETFD));
  fd = dup(0), kid = clone(change_files, stack + sizeof stack, SIGCHLD, (void *)(long)fd);
  waitpid(kid, &status, 0);
  SHOW(fcntl(fd, F_GETFD));
  kid = clone(change_fs, stack + sizeof stack, CLONE_FS | SIGCHLD, NULL);
  waitpid(kid, &status, 0);
  char b[100];
  say("%s %o", getcwd(b, 100), umask(022));
  kid = clone(set_shared, stack + sizeof stack, CLONE_VM, (void *)1); // no signal at its end
  SHOW(waitpid(kid, &status, 0));
  SHOW(waitpid(kid, &status, __WCLONE) == kid);
  signal(SIGUSR1, SIG_IGN);
  kid = clone(set_shared, stack + sizeof stack, CLONE_VM | SIGUSR1, (void *)1);
  SHOW(waitpid(kid, &status, __WALL) == kid);
}

TEST(refused_combinations) {
  SHOW(RAW(clone, CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
  SHOW(RAW(clone, CLONE_THREAD | CLONE_VM | SIGCHLD, 0, 0, 0, 0));
  SHOW(RAW(clone, CLONE_THREAD | CLONE_SIGHAND | SIGCHLD, 0, 0, 0, 0));
  SHOW(RAW(clone, CLONE_FS | CLONE_NEWNS | SIGCHLD, 0, 0, 0, 0));
  SHOW(RAW(clone, CLONE_NEWUTS | SIGCHLD, 0, 0, 0, 0));
  SHOW(RAW(clone, CLONE_PIDFD | CLONE_PARENT_SETTID | SIGCHLD, 0, 0, 0, 0));
  struct clone_args a = {.exit_signal = SIGCHLD};
  SHOW(RAW(clone3, &a, 8));
  SHOW(RAW(clone3, &a, 5000));
  SHOW(RAW(clone3, (void *)8, sizeof a));
  a.exit_signal = 99;
  SHOW(RAW(clone3, &a, sizeof a));
  a = (struct clone_args){.flags = CLONE_VM, .stack = 4096, .exit_signal = SIGCHLD};
  SHOW(RAW(clone3, &a, sizeof a));
  a = (struct clone_args){.flags = 1UL << 60, .exit_signal = SIGCHLD};
  SHOW(RAW(clone3, &a, sizeof a));
  a = (struct clone_args){.flags = CLONE_SIGHAND | CLONE_CLEAR_SIGHAND | CLONE_VM, .exit_signal = SIGCHLD};
  SHOW(RAW(clone3, &a, sizeof a));
  a = (struct clone_args){.exit_signal = SIGCHLD, .set_tid_size = 99};
  SHOW(RAW(clone3, &a, sizeof a));
}

static void nothing(int signal UNUSED) {}

TEST(clone3) {
  int fd = -1, status, tid = 0;
  struct clone_args a = {.flags = CLONE_PIDFD | CLONE_PARENT_SETTID | CLONE_CLEAR_SIGHAND, .pidfd = (uint64_t)&fd, .parent_tid = (uint64_t)&tid, .exit_signal = SIGCHLD};
  signal(SIGUSR1, nothing), signal(SIGUSR2, SIG_IGN);
  pid_t kid = RAW(clone3, &a, sizeof a);
  if (!kid) { _exit((signal(SIGUSR1, SIG_IGN) == SIG_DFL) + 2 * (signal(SIGUSR2, SIG_DFL) == SIG_IGN)); }
  IS(tid == kid);
  SHOW(fd);
  SHOW(fcntl(fd, F_GETFD));
  struct pollfd p = {fd, POLLIN, 0};
  SHOW(poll(&p, 1, 5000));
  SHOW(waitpid(kid, &status, 0) == kid);
  say_status("child", status);
  SHOW(poll(&p, 1, 0));
  SHOW(RAW(pidfd_send_signal, fd, 0, 0, 0));
}

TEST(process_limit) {
  setgid(4321), setuid(4321);
  setrlimit(RLIMIT_NPROC, &(struct rlimit){1, 1});
  SHOW(fork());
}
