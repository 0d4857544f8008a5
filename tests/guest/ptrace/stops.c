// ptrace(2): attaching, every kind of stop, events, and what waits tell of them.
#include "guest.h"
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define PT(request, pid, addr, data) syscall(SYS_ptrace, (long)(request), (long)(pid), (long)(addr), (long)(data))

static const char *event_name(int event) {
  static const char *names[] = {"", "FORK", "VFORK", "CLONE", "EXEC", "VFORK_DONE", "EXIT", "SECCOMP"};
  return event == 128 ? "STOP" : event < 8 ? names[event] : "?";
}

static void say_trace(const char *who, int status) {
  if (!WIFSTOPPED(status)) return say_status(who, status);
  int event = status >> 16, signal = WSTOPSIG(status);
  say("%s: SIG%s%s%s%s", who, sigabbrev_np(signal & 0x7f), signal & 0x80 ? "|0x80" : "", event ? " event " : "", event ? event_name(event) : "");
}

// Waits for one thread and says what it did.
static int next(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, __WALL) != pid) say("waitpid: %s", error_name(errno));
  else say_trace("tracee", status);
  return status;
}

static void say_info(pid_t pid) {
  siginfo_t info;
  if (PT(PTRACE_GETSIGINFO, pid, 0, &info) == -1) return say("no siginfo: %s", error_name(errno));
  say("siginfo: signo %d code %#x errno %d", info.si_signo, info.si_code, info.si_errno);
}

static pid_t traced(void (*run)(void)) {
  pid_t pid = fork();
  if (pid) return pid;
  PT(PTRACE_TRACEME, 0, 0, 0);
  raise(SIGSTOP);
  run();
  _exit(7);
}

static void nothing(void) {}
static void loops(void) { for (;;) pause(); }
static void finish(pid_t pid) {
  kill(pid, SIGKILL);
  int status;
  while (waitpid(pid, &status, __WALL) == pid && !WIFSIGNALED(status) && !WIFEXITED(status)) {}
  say_status("tracee", status);
}

TEST(traceme) {
  int status;
  pid_t pid = traced(nothing);
  next(pid), say_info(pid);
  SHOW(waitpid(pid, &status, WNOHANG));
  SHOW(PT(PTRACE_CONT, pid, 0, 0));
  next(pid);
  SHOW(waitpid(pid, &status, 0));
  pid = fork();
  if (!pid) {
    SHOW(PT(PTRACE_TRACEME, 0, 0, 0));
    SHOW(PT(PTRACE_TRACEME, 0, 0, 0));
    _exit(3);
  }
  next(pid);
}

TEST(errors) {
  pid_t self = getpid();
  SHOW(PT(PTRACE_ATTACH, self, 0, 0));
  SHOW(PT(PTRACE_ATTACH, 1 << 22, 0, 0));
  SHOW(PT(PTRACE_CONT, 1 << 22, 0, 0));
  SHOW(PT(PTRACE_SEIZE, self, 1, 0));
  SHOW(PT(PTRACE_SEIZE, self, 0, 1 << 30));
  pid_t other = fork();
  if (!other) loops();
  SHOW(PT(PTRACE_CONT, other, 0, 0));
  SHOW(PT(PTRACE_PEEKUSER, other, 0, 0));
  SHOW(PT(PTRACE_SEIZE, other, 0, PTRACE_O_TRACESYSGOOD));
  SHOW(PT(PTRACE_SEIZE, other, 0, 0));
  SHOW(PT(PTRACE_ATTACH, other, 0, 0));
  SHOW(PT(PTRACE_CONT, other, 0, 0)); // it runs
  SHOW(PT(PTRACE_LISTEN, other, 0, 0));
  SHOW(PT(PTRACE_INTERRUPT, other, 0, 0));
  next(other);
  SHOW(PT(PTRACE_CONT, other, 0, 65));
  SHOW(PT(PTRACE_DETACH, other, 0, 65));
  SHOW(PT(99, other, 0, 0));
  SHOW(PT(PTRACE_SETOPTIONS, other, 0, 1 << 30));
  SHOW(PT(PTRACE_GETEVENTMSG, other, 0, 8));
  SHOW(PT(PTRACE_SINGLEBLOCK + 1000, other, 0, 0));
  SHOW(PT(PTRACE_DETACH, other, 0, 0));
  SHOW(PT(PTRACE_DETACH, other, 0, 0));
  finish(other);
  if (!fork()) {
    setresuid(1000, 1000, 1000);
    SHOW(PT(PTRACE_ATTACH, self, 0, 0));
    SHOW(PT(PTRACE_SEIZE, self, 0, 0));
    _exit(0);
  }
  wait(NULL);
}

static void raises(void) {
  signal(SIGUSR2, SIG_IGN);
  raise(SIGUSR1), raise(SIGUSR2), raise(SIGCHLD);
}
static void on_signal(int number) { say("handler for SIG%s", sigabbrev_np(number)); }
static void handles(void) { signal(SIGUSR1, on_signal), signal(SIGHUP, on_signal), raise(SIGUSR1), raise(SIGUSR1), raise(SIGUSR1); }

TEST(signals) {
  pid_t pid = traced(raises);
  next(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid), say_info(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid); // SIGUSR1 is dropped, the ignored signal shown
  PT(PTRACE_CONT, pid, 0, SIGUSR2), next(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
  pid = traced(handles);
  next(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
  PT(PTRACE_CONT, pid, 0, SIGHUP), next(pid); // another signal
  siginfo_t info;
  PT(PTRACE_GETSIGINFO, pid, 0, &info), info.si_code = SI_QUEUE;
  SHOW(PT(PTRACE_SETSIGINFO, pid, 0, &info)), say_info(pid);
  PT(PTRACE_CONT, pid, 0, SIGUSR1), next(pid);
  PT(PTRACE_CONT, pid, 0, SIGTERM), next(pid);
  pid = traced(loops);
  next(pid), PT(PTRACE_CONT, pid, 0, 0);
  kill(pid, SIGKILL), next(pid);
}

TEST(attach) {
  int status;
  pid_t pid = fork();
  if (!pid) loops();
  sleep_ms(30);
  SHOW(PT(PTRACE_ATTACH, pid, 0, 0));
  next(pid), say_info(pid);
  kill(pid, SIGWINCH);
  PT(PTRACE_CONT, pid, 0, 0), next(pid), say_info(pid);
  SHOW(PT(PTRACE_DETACH, pid, 0, 0));
  kill(pid, SIGWINCH), sleep_ms(30);
  SHOW(waitpid(pid, &status, WNOHANG | WUNTRACED));
  SHOW(PT(PTRACE_ATTACH, pid, 0, 0));
  next(pid);
  SHOW(PT(PTRACE_DETACH, pid, 0, SIGTERM));
  next(pid);
}

static void calls(void) { RAW(getppid), RAW(close, 999), RAW(exit_group, 5); }

TEST(system_calls) {
  for (int good = 0; good < 2; good++) {
    pid_t pid = traced(calls);
    next(pid);
    if (good) SHOW(PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD));
    for (int i = 0; i < 30; i++) {
      PT(PTRACE_SYSCALL, pid, 0, 0);
      int status;
      waitpid(pid, &status, 0);
      if (!WIFSTOPPED(status)) { say_status("tracee", status); break; }
      struct user_regs_struct regs;
      PT(PTRACE_GETREGS, pid, 0, &regs);
      if (regs.orig_rax != SYS_getppid && regs.orig_rax != SYS_close && regs.orig_rax != SYS_exit_group) continue;
      say_trace("tracee", status), say_info(pid);
      if (regs.orig_rax != SYS_getppid) say("call %lld result %lld", regs.orig_rax, regs.rax);
      struct __ptrace_syscall_info info = {0};
      long size = PT(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
      say("op %d size %ld arch %x", info.op, size, info.arch);
      if (info.op == 1) say("nr %lld first %lld", info.entry.nr, regs.orig_rax == SYS_close ? info.entry.args[0] : 0);
      if (info.op == 2 && regs.orig_rax == SYS_close) say("rval %lld error %d", info.exit.rval, info.exit.is_error);
    }
  }
}

TEST(changed_calls) {
  struct user_regs_struct regs;
  pid_t pid = traced(calls);
  next(pid), PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
  for (;;) {
    int status;
    PT(PTRACE_SYSCALL, pid, 0, 0), waitpid(pid, &status, 0);
    if (!WIFSTOPPED(status)) { say_status("tracee", status); break; }
    PT(PTRACE_GETREGS, pid, 0, &regs);
    if (regs.orig_rax == SYS_close && regs.rax == -ENOSYS) {
      regs.orig_rax = -1, regs.rax = 42;
      SHOW(PT(PTRACE_SETREGS, pid, 0, &regs)); // skipped
      PT(PTRACE_SYSCALL, pid, 0, 0), next(pid);
      PT(PTRACE_GETREGS, pid, 0, &regs), say("skipped: %lld %lld", regs.orig_rax, regs.rax);
    } else if (regs.orig_rax == SYS_exit_group) {
      regs.rdi = 9;
      SHOW(PT(PTRACE_SETREGS, pid, 0, &regs));
    }
  }
}

static void emulated(void) { say("getpid is %ld", RAW(getpid)); }

TEST(sysemu) {
  struct user_regs_struct regs;
  pid_t pid = traced(emulated);
  next(pid);
  PT(PTRACE_SYSEMU, pid, 0, 0);
  next(pid);
  PT(PTRACE_GETREGS, pid, 0, &regs), say("call %lld rax %lld", regs.orig_rax, regs.rax);
  regs.rax = 4711, PT(PTRACE_SETREGS, pid, 0, &regs);
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
}

static void *thread(void *unused) { return NULL; }
static void family(void) {
  int status;
  pid_t pid = fork();
  if (!pid) _exit(1);
  waitpid(pid, &status, 0);
  if (!(pid = vfork())) _exit(2);
  waitpid(pid, &status, 0);
  pthread_t id;
  pthread_create(&id, NULL, thread, NULL), pthread_join(id, NULL);
  execl("/proc/self/exe", "guest", "--role", "executed", NULL);
}
ROLE(executed) { _exit(4); }

// Follows a whole family of processes; says at the end what each of them did, since only
// each one's own order is not chance.
static void follow(pid_t first, long how) {
  static struct { pid_t pid; char text[2000]; } seen[8];
  int count = 1, alive = 1;
  memset(seen, 0, sizeof seen), seen[0].pid = first;
  while (alive) {
    int status;
    pid_t pid = waitpid(-1, &status, __WALL);
    if (pid < 0) { say("waitpid: %s", error_name(errno)); break; }
    int who = 0;
    while (who < count && seen[who].pid != pid) who++;
    if (who == count) seen[count++].pid = pid, alive++;
    char *text = seen[who].text + strlen(seen[who].text);
    if (!WIFSTOPPED(status)) {
      alive--;
      sprintf(text, WIFEXITED(status) ? " exits %d" : " killed %d", WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
      continue;
    }
    int event = status >> 16, signal = WSTOPSIG(status);
    unsigned long message = 0;
    if (event && event != 128) PT(PTRACE_GETEVENTMSG, pid, 0, &message);
    if (event == PTRACE_EVENT_EXEC) message = message == pid;
    if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_VFORK_DONE) {
      int child = 0;
      while (child < count && seen[child].pid != message) child++;
      if (child == count) seen[count++].pid = message, alive++;
      message = child;
    }
    if (event) sprintf(text, " %s/%s(%#lx)", sigabbrev_np(signal), event_name(event), message);
    else sprintf(text, " %s", sigabbrev_np(signal));
    PT(how, pid, 0, event || signal == SIGSTOP || signal == SIGTRAP ? 0 : signal);
  }
  for (int who = 0; who < count; who++) say("process %d:%s", who, seen[who].text);
}

#define ALL_EVENTS (PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEVFORKDONE | PTRACE_O_TRACEEXIT)

TEST(events) {
  pid_t pid = traced(family);
  next(pid);
  SHOW(PT(PTRACE_SETOPTIONS, pid, 0, ALL_EVENTS));
  PT(PTRACE_CONT, pid, 0, 0);
  follow(pid, PTRACE_CONT);
}

TEST(exec_without_events) {
  pid_t pid = traced(family);
  next(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid); // SIGCHLD
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid), say_info(pid); // the exec
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
}

static void waits_then_family(void) { raise(SIGSTOP), family(); }

TEST(seized_events) {
  pid_t pid = fork();
  int status;
  if (!pid) waits_then_family(), _exit(1);
  waitpid(pid, &status, WUNTRACED), say_status("child", status);
  SHOW(PT(PTRACE_SEIZE, pid, 0, ALL_EVENTS));
  next(pid);
  kill(pid, SIGCONT);
  PT(PTRACE_CONT, pid, 0, 0);
  follow(pid, PTRACE_CONT);
}

TEST(group_stop_attached) {
  int status;
  pid_t pid = traced(loops);
  next(pid), PT(PTRACE_CONT, pid, 0, 0);
  kill(pid, SIGTSTP);
  next(pid), say_info(pid); // delivery
  PT(PTRACE_CONT, pid, 0, SIGTSTP);
  next(pid), say_info(pid); // the stop itself
  PT(PTRACE_CONT, pid, 0, 0), sleep_ms(30);
  SHOW(waitpid(pid, &status, WNOHANG | WUNTRACED));
  kill(pid, SIGCONT), next(pid);
  PT(PTRACE_CONT, pid, 0, SIGCONT), sleep_ms(30);
  SHOW(waitpid(pid, &status, WNOHANG));
  finish(pid);
}

TEST(group_stop_seized) {
  int status;
  pid_t pid = fork();
  if (!pid) loops();
  SHOW(PT(PTRACE_SEIZE, pid, 0, 0));
  kill(pid, SIGSTOP), next(pid), say_info(pid);
  PT(PTRACE_CONT, pid, 0, SIGSTOP), next(pid), say_info(pid);
  SHOW(PT(PTRACE_LISTEN, pid, 0, 0));
  sleep_ms(30);
  SHOW(waitpid(pid, &status, WNOHANG));
  SHOW(PT(PTRACE_PEEKUSER, pid, 0, &status));
  kill(pid, SIGCONT), next(pid), say_info(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid), say_info(pid);
  PT(PTRACE_CONT, pid, 0, SIGCONT);
  SHOW(PT(PTRACE_INTERRUPT, pid, 0, 0)), next(pid), say_info(pid);
  SHOW(PT(PTRACE_LISTEN, pid, 0, 0)), SHOW(PT(PTRACE_INTERRUPT, pid, 0, 0)), next(pid);
  SHOW(PT(PTRACE_DETACH, pid, 0, 0));
  finish(pid);
}

TEST(stopped_and_detached) {
  int status;
  pid_t pid = fork();
  if (!pid) loops();
  kill(pid, SIGSTOP), waitpid(pid, &status, WUNTRACED), say_status("child", status);
  SHOW(PT(PTRACE_ATTACH, pid, 0, 0));
  next(pid);
  SHOW(PT(PTRACE_DETACH, pid, 0, 0));
  sleep_ms(30);
  kill(pid, SIGCONT), sleep_ms(30);
  SHOW(waitpid(pid, &status, WNOHANG | WCONTINUED) == pid), say_status("child", status);
  finish(pid);
}

TEST(waitid_tells) {
  siginfo_t info = {0};
  pid_t pid = traced(nothing);
  SHOW(waitid(P_PID, pid, &info, WSTOPPED | WNOWAIT)), say("code %d status %d", info.si_code, info.si_status);
  SHOW(waitid(P_PID, pid, &info, WEXITED)), say("code %d status %d", info.si_code, info.si_status);
  PT(PTRACE_CONT, pid, 0, 0);
  SHOW(waitid(P_PID, pid, &info, WEXITED)), say("code %d status %d", info.si_code, info.si_status);
}

static volatile int chlds, last_code, last_status;
static void on_chld(int number, siginfo_t *info, void *context) { chlds++, last_code = info->si_code, last_status = info->si_status; }

TEST(sigchld) {
  struct sigaction action = {.sa_sigaction = on_chld, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(SIGCHLD, &action, NULL);
  pid_t pid = traced(nothing);
  next(pid), say("code %d status %d", last_code, last_status);
  PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACEEXIT | PTRACE_O_TRACESYSGOOD);
  PT(PTRACE_SYSCALL, pid, 0, 0), next(pid), say("code %d status %d", last_code, last_status);
  PT(PTRACE_CONT, pid, 0, 0), next(pid), say("code %d status %d", last_code, last_status);
  PT(PTRACE_CONT, pid, 0, 0), next(pid), say("code %d status %d", last_code, last_status);
  say("%d", chlds);
}

// The tracer is another than the parent.
TEST(another_tracer) {
  int ready[2], status;
  pipe(ready);
  pid_t pid = fork();
  if (!pid) loops();
  pid_t tracer = fork();
  if (!tracer) {
    PT(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACEEXIT);
    SHOW(PT(PTRACE_INTERRUPT, pid, 0, 0)), next(pid);
    write(ready[1], "x", 1);
    sleep_ms(50);
    PT(PTRACE_CONT, pid, 0, 0);
    kill(pid, SIGTERM), next(pid), PT(PTRACE_CONT, pid, 0, SIGTERM), next(pid);
    PT(PTRACE_CONT, pid, 0, 0);
    sleep_ms(50);
    write(ready[1], "y", 1);
    sleep_ms(50);
    next(pid);
    _exit(0);
  }
  char byte;
  read(ready[0], &byte, 1);
  SHOW(waitpid(pid, &status, WNOHANG | WUNTRACED));
  read(ready[0], &byte, 1);
  SHOW(waitpid(pid, &status, WNOHANG)); // a zombie, which the tracer has not seen
  pid_t ended = waitpid(pid, &status, 0);
  int how = status;
  waitpid(tracer, &status, 0); // it has its say first
  IS(ended == pid), say_status("child", how);
}

TEST(tracer_ends) {
  int status;
  for (int kill_it = 0; kill_it < 2; kill_it++) {
    pid_t pid = fork();
    if (!pid) loops();
    if (!fork()) {
      PT(PTRACE_SEIZE, pid, 0, kill_it ? PTRACE_O_EXITKILL : 0);
      PT(PTRACE_INTERRUPT, pid, 0, 0), next(pid);
      _exit(0);
    }
    sleep_ms(100);
    SHOW(waitpid(pid, &status, WNOHANG) == pid);
    if (!kill_it) kill(pid, SIGTERM), wait_and_say("child", pid);
    while (wait(NULL) > 0) {}
  }
}

static void *ends_itself(void *unused) { RAW(exit, 3); }
static void *executes(void *unused) { execl("/proc/self/exe", "guest", "--role", "executed", NULL); }
static void two_threads(void) {
  pthread_t id;
  pthread_create(&id, NULL, ends_itself, NULL), pthread_join(id, NULL);
  pthread_create(&id, NULL, executes, NULL), pause();
}

TEST(threads) {
  int status, stage = 0;
  unsigned long message;
  pid_t pid = traced(two_threads), thread = 0;
  next(pid);
  PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACECLONE | PTRACE_O_TRACEEXEC);
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
  PT(PTRACE_GETEVENTMSG, pid, 0, &message), thread = message;
  next(thread);
  PT(PTRACE_CONT, thread, 0, 0), next(thread); // ends
  SHOW(waitpid(thread, &status, __WALL | WNOHANG));
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
  PT(PTRACE_GETEVENTMSG, pid, 0, &message), thread = message;
  next(thread);
  PT(PTRACE_CONT, pid, 0, 0), PT(PTRACE_CONT, thread, 0, 0);
  next(pid); // the exec, under the process's number
  PT(PTRACE_GETEVENTMSG, pid, 0, &message), IS(message == thread);
  SHOW(PT(PTRACE_CONT, thread, 0, 0));
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
}

static void filtered(void) {
  struct sock_filter code[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0), BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE | 1234), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_fprog program = {4, code};
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
  for (int i = 0; i < 3; i++) {
    long result = RAW(getppid);
    say("result %s", result == -1 ? error_name(errno) : result == 4711 ? "4711" : "ok");
  }
}

TEST(seccomp) {
  struct user_regs_struct regs;
  struct __ptrace_syscall_info info = {0};
  unsigned long message;
  pid_t pid = traced(filtered);
  next(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid); // without the option
  pid = traced(filtered);
  next(pid), PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESECCOMP);
  PT(PTRACE_CONT, pid, 0, 0), next(pid), say_info(pid);
  PT(PTRACE_GETEVENTMSG, pid, 0, &message), say("message %lu", message);
  long size = PT(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info);
  say("size %ld op %d", size, info.op);
  say("nr %lld data %d", info.seccomp.nr, info.seccomp.ret_data);
  PT(PTRACE_CONT, pid, 0, 0), next(pid); // allowed
  PT(PTRACE_GETREGS, pid, 0, &regs), regs.orig_rax = -1, regs.rax = 4711, PT(PTRACE_SETREGS, pid, 0, &regs);
  PT(PTRACE_CONT, pid, 0, 0), next(pid); // skipped
  PT(PTRACE_GETREGS, pid, 0, &regs), regs.orig_rax = SYS_gettid, PT(PTRACE_SETREGS, pid, 0, &regs);
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
}

static void sleeps(void) {
  struct timespec time = {0, 200000000};
  long result = nanosleep(&time, NULL);
  say("slept: %ld", result);
}

TEST(interrupted_calls) {
  struct user_regs_struct regs;
  pid_t pid = traced(sleeps);
  next(pid), PT(PTRACE_SETOPTIONS, pid, 0, PTRACE_O_TRACESYSGOOD);
  PT(PTRACE_SYSCALL, pid, 0, 0), next(pid);
  PT(PTRACE_SYSCALL, pid, 0, 0), sleep_ms(30), kill(pid, SIGWINCH), next(pid);
  PT(PTRACE_GETREGS, pid, 0, &regs), say("call %lld result %lld", regs.orig_rax, regs.rax);
  PT(PTRACE_SYSCALL, pid, 0, 0), next(pid), say_info(pid);
  PT(PTRACE_SYSCALL, pid, 0, 0), next(pid);
  PT(PTRACE_GETREGS, pid, 0, &regs), say("call %lld result %lld", regs.orig_rax, regs.rax);
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
}

TEST(state_in_proc) {
  char path[64], text[4096];
  pid_t pid = traced(loops);
  next(pid);
  for (int i = 0; i < 2; i++) {
    snprintf(path, sizeof path, "/proc/%d/status", pid);
    int fd = open(path, O_RDONLY);
    text[read(fd, text, sizeof text - 1)] = 0;
    close(fd);
    char *at = strstr(text, "State:");
    say("%.*s", (int)strcspn(at, "\n"), at);
    IS(atoi(strstr(text, "TracerPid:") + 10) == getpid());
    PT(PTRACE_DETACH, pid, 0, 0), sleep_ms(30);
  }
  finish(pid);
}
