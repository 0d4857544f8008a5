// seccomp(2), prctl(PR_SET_SECCOMP): what is accepted, what filters answer, who has them.
#include "guest.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <ucontext.h>

#define COUNT(list) (sizeof(list) / sizeof *(list))
#define NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
#define RETURN(value) BPF_STMT(BPF_RET | BPF_K, value)
// A call gets one answer, the rest another.
#define ONE(call, answer) NUMBER, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_##call, 0, 1), RETURN(answer), RETURN(SECCOMP_RET_ALLOW)

static long install_with(unsigned flags, const struct sock_filter *code, size_t len) {
  struct sock_fprog program = {len, (void *)code};
  return RAW(seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}
#define INSTALL(flags, ...) ({ struct sock_filter code_[] = {__VA_ARGS__}; install_with(flags, code_, COUNT(code_)); })

static void no_new_privs(void) { prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); }

static void say_line(const char *path, const char *key) {
  char text[8192], *at = text;
  int fd = open(path, O_RDONLY);
  ssize_t n = read(fd, text, sizeof text - 1);
  close(fd);
  text[n < 0 ? 0 : n] = 0;
  while ((at = strstr(at, key)) && at > text && at[-1] != '\n') at++;
  if (at) say("%.*s", (int)strcspn(at, "\n"), at);
}
static void say_state(void) {
  say_line("/proc/self/status", "Seccomp:");
  say_line("/proc/self/status", "Seccomp_filters:");
  say_line("/proc/self/status", "NoNewPrivs:");
}

TEST(operations) {
  unsigned action = SECCOMP_RET_ERRNO;
  struct sock_fprog none = {0, NULL};
  SHOW(RAW(seccomp, 99, 0, NULL));
  SHOW(RAW(seccomp, SECCOMP_SET_MODE_STRICT, 1, NULL));
  SHOW(RAW(seccomp, SECCOMP_SET_MODE_STRICT, 0, &action));
  SHOW(RAW(seccomp, SECCOMP_SET_MODE_FILTER, 0, NULL));
  SHOW(RAW(seccomp, SECCOMP_SET_MODE_FILTER, 1 << 20, &none));
  SHOW(RAW(seccomp, SECCOMP_SET_MODE_FILTER, 0, &none));
  SHOW(RAW(seccomp, SECCOMP_GET_ACTION_AVAIL, 1, &action));
  SHOW(RAW(seccomp, SECCOMP_GET_ACTION_AVAIL, 0, NULL));
  unsigned actions[] = {SECCOMP_RET_KILL_PROCESS, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_TRAP, SECCOMP_RET_ERRNO, SECCOMP_RET_TRACE, SECCOMP_RET_LOG, SECCOMP_RET_ALLOW, 0x7fc10000, SECCOMP_RET_ERRNO | 1};
  for (unsigned i = 0; i < COUNT(actions); i++) SHOW(RAW(seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &actions[i]));
  unsigned short sizes[3] = {0};
  SHOW(RAW(seccomp, SECCOMP_GET_NOTIF_SIZES, 0, sizes)), say("%d %d %d", sizes[0], sizes[1], sizes[2]);
  SHOW(RAW(seccomp, SECCOMP_GET_NOTIF_SIZES, 1, sizes));
  SHOW(prctl(PR_SET_SECCOMP, 0, NULL));
  SHOW(prctl(PR_SET_SECCOMP, 3, NULL));
  SHOW(prctl(PR_GET_SECCOMP));
  say_state();
}

TEST(programs) {
  no_new_privs();
  SHOW(INSTALL(0, NUMBER));
  SHOW(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, SKF_AD_OFF + SKF_AD_PROTOCOL), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(BPF_LD | BPF_MEM, 0), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(BPF_ST, 16), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(BPF_ALU | BPF_XOR | BPF_K, 3), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(0xffff, 0), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(INSTALL(0, BPF_STMT(BPF_ST, 3), BPF_STMT(BPF_LDX | BPF_MEM, 3), BPF_STMT(BPF_MISC | BPF_TXA, 0), BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0), RETURN(SECCOMP_RET_ALLOW)));
  static struct sock_filter longest[4097];
  for (int i = 0; i < 4097; i++) longest[i] = (struct sock_filter)RETURN(SECCOMP_RET_ALLOW);
  SHOW(install_with(0, longest, 4097));
  SHOW(install_with(0, longest, 4096));
  SHOW(install_with(0, (void *)16, 3));
  SHOW(install_with(0, NULL, 3));
  SHOW(prctl(PR_GET_SECCOMP));
  say_state();
}

TEST(who_may) {
  CHILD("root") SHOW(INSTALL(0, RETURN(SECCOMP_RET_ALLOW)));
  CHILD("user") {
    SHOW(setresuid(1000, 1000, 1000));
    SHOW(INSTALL(0, RETURN(SECCOMP_RET_ALLOW)));
    SHOW(INSTALL(0, NUMBER));
    SHOW(install_with(0, (void *)16, 3));
    no_new_privs();
    SHOW(INSTALL(0, RETURN(SECCOMP_RET_ALLOW)));
    say_state();
  }
}

TEST(errors) {
  no_new_privs();
  SHOW(INSTALL(0, ONE(getppid, SECCOMP_RET_ERRNO | ENOTTY)));
  SHOW(RAW(getppid));
  SHOW(INSTALL(0, ONE(getppid, SECCOMP_RET_ERRNO | ENOSPC))); // the newest of two alike
  SHOW(RAW(getppid));
  SHOW(INSTALL(0, ONE(getpid, SECCOMP_RET_ERRNO | 0)));
  SHOW(RAW(getpid));
  SHOW(INSTALL(0, ONE(getuid, SECCOMP_RET_ERRNO | 0xffff)));
  SHOW(RAW(getuid)), say("%d", errno);
  SHOW(INSTALL(0, ONE(getgid, SECCOMP_RET_TRACE)));
  SHOW(RAW(getgid));
  SHOW(INSTALL(0, ONE(geteuid, SECCOMP_RET_USER_NOTIF)));
  SHOW(RAW(geteuid));
  SHOW(INSTALL(SECCOMP_FILTER_FLAG_LOG, ONE(getegid, SECCOMP_RET_LOG)));
  SHOW(RAW(getegid));
  SHOW(INSTALL(SECCOMP_FILTER_FLAG_SPEC_ALLOW, ONE(getegid, SECCOMP_RET_ALLOW)));
  SHOW(RAW(getppid)); // more of them do not allow
  SHOW(prctl(PR_GET_SECCOMP));
  SHOW(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT));
  SHOW(RAW(seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL));
  say_state();
}

TEST(data) {
  no_new_privs();
  // The answer is a word of the data: argument 2's upper half.
  SHOW(INSTALL(0, NUMBER, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_lseek, 1, 0), RETURN(SECCOMP_RET_ALLOW),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2]) + 4), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xff),
    BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO), BPF_STMT(BPF_RET | BPF_A, 0)));
  SHOW(RAW(lseek, 1, 0, 0x500000000));
  SHOW(RAW(lseek, 1, 0, 5));
  SHOW(INSTALL(0, BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0), RETURN(SECCOMP_RET_KILL_PROCESS), RETURN(SECCOMP_RET_ALLOW)));
  // Division by zero ends with 0, the killing of the thread.
  CHILD("divides") {
    SHOW(INSTALL(0, NUMBER, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0), RETURN(SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_LDX | BPF_W | BPF_IMM, 0), BPF_STMT(BPF_ALU | BPF_DIV | BPF_X, 0), RETURN(SECCOMP_RET_ALLOW)));
    SHOW(RAW(getppid));
  }
  // Numbers that no call has, and those of calls with 32-bit pointers.
  SHOW(INSTALL(0, NUMBER, BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 1000, 0, 1), RETURN(SECCOMP_RET_ERRNO | EXDEV), RETURN(SECCOMP_RET_ALLOW)));
  SHOW(syscall(1000));
  SHOW(syscall(-1));
  SHOW(syscall(0x40000000 | SYS_getpid));
}

static void on_sigsys(int number, siginfo_t *info, void *context) {
  ucontext_t *uc = context;
  say("SIG%s code %d errno %d call %d arch %x", sigabbrev_np(number), info->si_code, info->si_errno, info->si_syscall, info->si_arch);
  say("rax %lld", uc->uc_mcontext.gregs[REG_RAX]);
  if (info->si_syscall == SYS_setpgid) say("rdi %lld rsi %lld", uc->uc_mcontext.gregs[REG_RDI], uc->uc_mcontext.gregs[REG_RSI]);
  say("at rip %d", info->si_call_addr == (void *)uc->uc_mcontext.gregs[REG_RIP]);
  if (info->si_syscall != SYS_getuid) uc->uc_mcontext.gregs[REG_RAX] = 4711;
}

TEST(traps) {
  struct sigaction action = {.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};
  no_new_privs();
  SHOW(INSTALL(0, ONE(setpgid, SECCOMP_RET_TRAP | 0xbeef)));
  CHILD("without a handler") RAW(setpgid, 1, 2);
  CHILD("ignoring it") { signal(SIGSYS, SIG_IGN), RAW(setpgid, 1, 2); }
  CHILD("blocking it") {
    sigset_t all;
    sigfillset(&all), sigprocmask(SIG_SETMASK, &all, NULL);
    sigaction(SIGSYS, &action, NULL);
    RAW(setpgid, 1, 2);
  }
  sigaction(SIGSYS, &action, NULL);
  SHOW(RAW(setpgid, 55, 66));
  SHOW(INSTALL(0, ONE(getuid, SECCOMP_RET_TRAP)));
  SHOW(RAW(getuid) == SYS_getuid);
}

TEST(precedence) {
  static const unsigned answers[] = {SECCOMP_RET_LOG, SECCOMP_RET_TRACE, SECCOMP_RET_ERRNO | 7, SECCOMP_RET_TRAP, SECCOMP_RET_KILL_THREAD, SECCOMP_RET_KILL_PROCESS};
  no_new_privs();
  for (unsigned i = 0; i < COUNT(answers); i++) {
    SHOW(INSTALL(0, ONE(getppid, answers[i])));
    SHOW(INSTALL(0, ONE(getppid, SECCOMP_RET_ALLOW)));
    CHILD("child") say("%ld", RAW(getppid) > 0);
  }
  SHOW(INSTALL(0, ONE(getpgrp, 0x7ffd0000)));
  CHILD("unknown action") say("%ld", RAW(getpgrp));
}

static void *calls_getppid(void *unused) { return (void *)RAW(getppid); }
static void *sleeps_and_exits(void *unused) { sleep_ms(100), _exit(5); }

TEST(killing) {
  pthread_t thread;
  no_new_privs();
  CHILD("kills a thread of two") {
    SHOW(INSTALL(0, ONE(getppid, SECCOMP_RET_KILL_THREAD)));
    pthread_create(&thread, NULL, calls_getppid, NULL);
    sleep_ms(100);
    _exit(3);
  }
  CHILD("kills the only thread") {
    SHOW(INSTALL(0, ONE(getppid, SECCOMP_RET_KILL_THREAD)));
    RAW(getppid);
  }
  CHILD("kills the first of two") {
    SHOW(INSTALL(0, ONE(getppid, SECCOMP_RET_KILL_THREAD)));
    pthread_create(&thread, NULL, sleeps_and_exits, NULL);
    RAW(getppid);
  }
  CHILD("kills the process") {
    SHOW(INSTALL(0, ONE(getppid, SECCOMP_RET_KILL_PROCESS)));
    pthread_create(&thread, NULL, calls_getppid, NULL);
    sleep_ms(1000);
    _exit(3);
  }
  CHILD("has a handler") {
    signal(SIGSYS, (void *)on_sigsys);
    SHOW(INSTALL(0, ONE(getppid, SECCOMP_RET_KILL_PROCESS)));
    RAW(getppid);
  }
}

TEST(strict) {
  CHILD("reads and writes") {
    int fd = open("/dev/zero", O_RDONLY);
    char byte;
    prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
    read(fd, &byte, 1);
    write(1, "written\n", 8);
    RAW(exit, 3);
  }
  CHILD("asks") { RAW(seccomp, SECCOMP_SET_MODE_STRICT, 0, NULL), RAW(getpid); }
  CHILD("ends all") { prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), RAW(exit_group, 3); }
  CHILD("filters") { prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), INSTALL(0, RETURN(SECCOMP_RET_ALLOW)); }
}

ROLE(state) { say_state(), SHOW(RAW(getppid)); }

TEST(inherited) {
  no_new_privs();
  SHOW(INSTALL(0, ONE(getppid, SECCOMP_RET_ERRNO | EBADMSG)));
  CHILD("forked") { say_state(), SHOW(RAW(getppid)); SHOW(INSTALL(0, RETURN(SECCOMP_RET_ALLOW))); say_state(); }
  CHILD("executed") { execl("/proc/self/exe", "guest", "--role", "state", NULL); }
  say_state();
}

static _Atomic int go;
static void *waits_then_calls(void *unused) {
  while (!go) sched_yield();
  long result = RAW(getppid);
  say("thread: %s", result == -1 ? error_name(errno) : "ok");
  say_line("/proc/thread-self/status", "NoNewPrivs:");
  return NULL;
}
static void *installs_and_waits(void *unused) {
  say("thread installs: %ld", INSTALL(0, RETURN(SECCOMP_RET_ALLOW)));
  go = 2;
  while (go == 2) sched_yield();
  return NULL;
}

TEST(threads) {
  pthread_t thread;
  CHILD("own thread") {
    no_new_privs();
    pthread_create(&thread, NULL, waits_then_calls, NULL);
    SHOW(INSTALL(0, ONE(getppid, SECCOMP_RET_ERRNO | EBADMSG)));
    go = 1, pthread_join(thread, NULL);
  }
  CHILD("all threads") {
    pthread_create(&thread, NULL, waits_then_calls, NULL);
    no_new_privs();
    SHOW(INSTALL(SECCOMP_FILTER_FLAG_TSYNC, ONE(getppid, SECCOMP_RET_ERRNO | EBADMSG)));
    go = 1, pthread_join(thread, NULL);
  }
  CHILD("a thread of its own mind") {
    no_new_privs();
    pthread_create(&thread, NULL, installs_and_waits, NULL);
    while (go != 2) sched_yield();
    SHOW(INSTALL(SECCOMP_FILTER_FLAG_TSYNC, RETURN(SECCOMP_RET_ALLOW)) > 0);
    SHOW(INSTALL(SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH, RETURN(SECCOMP_RET_ALLOW)));
    say_state();
    go = 1, pthread_join(thread, NULL);
    SHOW(INSTALL(SECCOMP_FILTER_FLAG_TSYNC, RETURN(SECCOMP_RET_ALLOW)));
    say_state();
  }
  CHILD("new thread") {
    no_new_privs();
    SHOW(INSTALL(0, ONE(getppid, SECCOMP_RET_ERRNO | EBADMSG)));
    go = 1, pthread_create(&thread, NULL, waits_then_calls, NULL), pthread_join(thread, NULL);
  }
}
