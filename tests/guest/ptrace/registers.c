// ptrace(2): registers, memory, single steps.
#include "guest.h"
#include <elf.h>
#include <sys/ptrace.h>
#include <sys/user.h>

#define PT(request, pid, addr, data) syscall(SYS_ptrace, (long)(request), (long)(pid), (long)(addr), (long)(data))

static volatile long word = 0x1122334455667788;
static const long constant = 0x0102030405060708;
static volatile int reached;

static int next(pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, __WALL) != pid) say("waitpid: %s", error_name(errno));
  else say_status("tracee", status);
  return status;
}
static void say_info(pid_t pid) {
  siginfo_t info;
  if (PT(PTRACE_GETSIGINFO, pid, 0, &info) == -1) return say("no siginfo: %s", error_name(errno));
  say("siginfo: signo %d code %#x", info.si_signo, info.si_code);
}
static pid_t traced(void (*run)(void)) {
  pid_t pid = fork();
  if (pid) return pid;
  PT(PTRACE_TRACEME, 0, 0, 0);
  raise(SIGSTOP);
  run();
  _exit(7);
}
static void finish(pid_t pid) {
  kill(pid, SIGKILL);
  next(pid);
}

static void says_word(void) { say("word %lx constant %lx", word, *(volatile long *)&constant); }

TEST(memory) {
  long value;
  void *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  long *readonly = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  pid_t pid = traced(says_word);
  next(pid);
  SHOW(PT(PTRACE_PEEKDATA, pid, &word, &value)), say("%lx", value);
  SHOW(PT(PTRACE_PEEKTEXT, pid, (char *)&word + 3, &value)), say("%lx", value & 0xffffffffff);
  SHOW(PT(PTRACE_PEEKDATA, pid, 8, &value));
  SHOW(PT(PTRACE_PEEKDATA, pid, -8, &value));
  SHOW(PT(PTRACE_PEEKDATA, pid, &word, 8));
  SHOW(PT(PTRACE_POKEDATA, pid, &word, 0x77));
  SHOW(PT(PTRACE_POKETEXT, pid, &constant, 0x99)); // read-only
  SHOW(PT(PTRACE_POKEDATA, pid, 8, 1));
  SHOW(PT(PTRACE_POKEDATA, pid, shared, 5)), say("%ld", *shared);
  SHOW(PT(PTRACE_POKEDATA, pid, readonly, 5));
  SHOW(PT(PTRACE_PEEKDATA, pid, &word, &value)), say("%lx", value);
  SHOW(PT(PTRACE_PEEKDATA, pid, &constant, &value)), say("%lx", value);
  say("own %lx %lx", word, *(volatile long *)&constant);
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
}

TEST(proc_mem) {
  char path[64];
  long value = 0x55;
  pid_t pid = traced(says_word);
  next(pid);
  snprintf(path, sizeof path, "/proc/%d/mem", pid);
  int fd = open(path, O_RDWR);
  SHOW(pwrite(fd, &value, 8, (long)&constant));
  SHOW(pwrite(fd, &value, 8, (long)&word));
  SHOW(pread(fd, &value, 8, (long)&word)), say("%lx", value);
  SHOW(pwrite(fd, &value, 8, 8));
  struct iovec local = {&value, 8}, remote = {(void *)&constant, 8};
  SHOW(process_vm_readv(pid, &local, 1, &remote, 1, 0)), say("%lx", value);
  SHOW(process_vm_writev(pid, &local, 1, &remote, 1, 0));
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
}

static void known_registers(void) {
  asm volatile("mov $1, %%r8; mov $2, %%r9; mov $3, %%r10; mov $4, %%r12; mov $5, %%r13; mov $6, %%r14; mov $7, %%r15; mov $8, %%rbx; mov $9, %%rdx;"
    "mov $10, %%rsi; mov $11, %%rdi; mov $12, %%rax; mov $13, %%rcx; int3; mov %%rax, reached(%%rip)" ::: "r8", "r9", "r10", "r12", "r13", "r14", "r15", "rbx", "rdx", "rsi", "rdi", "rax", "rcx", "memory");
  say("rax was %d", reached);
}

static void say_regs(struct user_regs_struct *r) {
  say("r8 %lld r9 %lld r10 %lld r12 %lld r13 %lld r14 %lld r15 %lld", r->r8, r->r9, r->r10, r->r12, r->r13, r->r14, r->r15);
  say("rbx %lld rdx %lld rsi %lld rdi %lld rax %lld rcx %lld orig %lld", r->rbx, r->rdx, r->rsi, r->rdi, r->rax, r->rcx, r->orig_rax);
  say("cs %llx ss %llx ds %llx es %llx fs %llx gs %llx flags %llx", r->cs, r->ss, r->ds, r->es, r->fs, r->gs, r->eflags);
}

TEST(general) {
  struct user_regs_struct regs = {0}, part = {0};
  long value;
  pid_t pid = traced(known_registers);
  next(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid), say_info(pid);
  SHOW(PT(PTRACE_GETREGS, pid, 0, &regs)), say_regs(&regs);
  SHOW(PT(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rbx), &value)), say("%ld", value);
  SHOW(PT(PTRACE_PEEKUSER, pid, offsetof(struct user, regs.rbx) + 1, &value));
  SHOW(PT(PTRACE_PEEKUSER, pid, sizeof(struct user), &value));
  SHOW(PT(PTRACE_PEEKUSER, pid, offsetof(struct user, u_debugreg[6]), &value)), say("%ld", value);
  SHOW(PT(PTRACE_POKEUSER, pid, offsetof(struct user, regs.rax), 77));
  SHOW(PT(PTRACE_POKEUSER, pid, offsetof(struct user, regs.cs), 0x10));
  SHOW(PT(PTRACE_POKEUSER, pid, offsetof(struct user, regs.ss), 0));
  SHOW(PT(PTRACE_POKEUSER, pid, offsetof(struct user, regs.ds), 0));
  SHOW(PT(PTRACE_POKEUSER, pid, offsetof(struct user, regs.fs_base), -1));
  SHOW(PT(PTRACE_POKEUSER, pid, sizeof(struct user), 0));
  SHOW(PT(PTRACE_POKEUSER, pid, offsetof(struct user, u_debugreg[7]), 0));
  SHOW(PT(PTRACE_GETREGS, pid, 0, 8));
  struct iovec vector = {&part, sizeof part};
  SHOW(PT(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector)), say("%zu rax %lld", vector.iov_len, part.rax);
  vector.iov_len = 16;
  SHOW(PT(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector)), say("%zu", vector.iov_len);
  SHOW(PT(PTRACE_SETREGSET, pid, NT_PRSTATUS, &vector));
  vector.iov_len = 17;
  SHOW(PT(PTRACE_GETREGSET, pid, NT_PRSTATUS, &vector));
  vector.iov_len = 10000;
  SHOW(PT(PTRACE_GETREGSET, pid, 0x4711, &vector));
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
}

static double result_;
static void floats(void) {
  double a = 1.5;
  asm volatile("movsd %0, %%xmm7; fldpi; int3; movsd %%xmm7, %0; fstp %%st" : "+m"(a) :: "xmm7", "memory");
  say("xmm7 was %.3f", a);
}

TEST(floating_point) {
  static struct user_fpregs_struct fp;
  static char area[16384];
  pid_t pid = traced(floats);
  next(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
  SHOW(PT(PTRACE_GETFPREGS, pid, 0, &fp));
  double *xmm7 = (double *)&fp.xmm_space[7 * 4];
  say("xmm7 %.3f cwd %x mxcsr %x top %d", *xmm7, fp.cwd, fp.mxcsr, (fp.swd >> 11) & 7);
  *xmm7 = 2.25;
  SHOW(PT(PTRACE_SETFPREGS, pid, 0, &fp));
  struct iovec vector = {area, sizeof area};
  SHOW(PT(PTRACE_GETREGSET, pid, NT_X86_XSTATE, &vector));
  say("xmm7 %.3f features %d header %d", *(double *)(area + 160 + 7 * 16), area[464] & 3, area[512] & 3);
  IS(vector.iov_len >= 576);
  *(double *)(area + 160 + 7 * 16) = 3.125;
  SHOW(PT(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &vector));
  vector.iov_len = 64;
  SHOW(PT(PTRACE_SETREGSET, pid, NT_X86_XSTATE, &vector));
  vector = (struct iovec){&fp, sizeof fp};
  SHOW(PT(PTRACE_GETREGSET, pid, NT_PRFPREG, &vector)), say("%zu xmm7 %.3f", vector.iov_len, *xmm7);
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
}

extern char steps_begin[], steps_call[], steps_end[];
static void steps(void) {
  asm volatile("int3; .globl steps_begin; steps_begin: mov $0, %%ecx; add $5, %%ecx; pushf; pop %%rdx; mov $39, %%eax; .globl steps_call; steps_call: syscall; nop; .globl steps_end; steps_end: nop"
    ::: "rcx", "rdx", "rax", "r11", "memory");
}

TEST(single_steps) {
  struct user_regs_struct regs;
  pid_t pid = traced(steps);
  next(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
  for (int i = 0; i < 12; i++) {
    PT(PTRACE_SINGLESTEP, pid, 0, 0);
    int status = next(pid);
    if (!WIFSTOPPED(status)) break;
    PT(PTRACE_GETREGS, pid, 0, &regs);
    say("at begin%+lld flags %llx ecx %lld", regs.rip - (long)steps_begin, regs.eflags & 0x100, regs.rip <= (long)steps_call ? regs.rcx : 0), say_info(pid);
    if (regs.rip == (long)steps_end) break;
  }
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
}

static void handler(int number) { reached = 1; }
static void is_signalled(void) {
  signal(SIGUSR1, handler);
  raise(SIGUSR1);
  say("handler ran: %d", reached);
}

TEST(step_into_handler) {
  struct user_regs_struct regs;
  pid_t pid = traced(is_signalled);
  next(pid), PT(PTRACE_CONT, pid, 0, 0), next(pid);
  PT(PTRACE_SINGLESTEP, pid, 0, SIGUSR1), next(pid), say_info(pid);
  PT(PTRACE_GETREGS, pid, 0, &regs), say("at handler%+lld", regs.rip - (long)handler);
  PT(PTRACE_SINGLESTEP, pid, 0, 0), next(pid), say_info(pid);
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
}

static long target(long x) { return x * 3; }
static void calls_target(void) { say("target %ld", target(14)); }

TEST(breakpoint) {
  struct user_regs_struct regs;
  long text;
  pid_t pid = traced(calls_target);
  long (*volatile f)(long) = target;
  next(pid);
  PT(PTRACE_PEEKTEXT, pid, calls_target, &text);
  SHOW(PT(PTRACE_POKETEXT, pid, calls_target, (text & ~0xffL) | 0xcc));
  PT(PTRACE_CONT, pid, 0, 0), next(pid), say_info(pid);
  PT(PTRACE_GETREGS, pid, 0, &regs), say("at calls_target%+lld", regs.rip - (long)calls_target);
  SHOW(PT(PTRACE_POKETEXT, pid, calls_target, text));
  regs.rip--;
  SHOW(PT(PTRACE_SETREGS, pid, 0, &regs));
  PT(PTRACE_CONT, pid, 0, 0), next(pid);
  say("own: %ld", f(2));
}

TEST(faults) {
  pid_t pid = fork();
  if (!pid) { PT(PTRACE_TRACEME, 0, 0, 0); *(volatile int *)24 = 1; _exit(0); }
  siginfo_t info;
  struct user_regs_struct regs;
  next(pid), say_info(pid);
  PT(PTRACE_GETSIGINFO, pid, 0, &info), say("address %p", info.si_addr);
  PT(PTRACE_GETREGS, pid, 0, &regs), say("orig %lld", regs.orig_rax);
  PT(PTRACE_CONT, pid, 0, SIGSEGV), next(pid);
}

static void blocks(void) {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR1), sigprocmask(SIG_BLOCK, &set, NULL);
  raise(SIGUSR1), raise(SIGTRAP), _exit(1);
}

TEST(masks_and_pending) {
  struct { uint64_t off; uint32_t flags; int32_t nr; } args = {0, 0, 4};
  siginfo_t infos[4];
  uint64_t mask = 0;
  pid_t pid = traced(blocks);
  next(pid), PT(PTRACE_CONT, pid, 0, 0), next(pid);
  SHOW(PT(PTRACE_GETSIGMASK, pid, 8, &mask)), say("%lx", mask);
  SHOW(PT(PTRACE_GETSIGMASK, pid, 4, &mask));
  SHOW(PT(0x4209, pid, &args, infos)), say("signo %d code %d", infos[0].si_signo, infos[0].si_code);
  args.flags = 1;
  SHOW(PT(0x4209, pid, &args, infos));
  args.flags = 2;
  SHOW(PT(0x4209, pid, &args, infos));
  mask = 0;
  SHOW(PT(PTRACE_SETSIGMASK, pid, 8, &mask));
  PT(PTRACE_CONT, pid, 0, 0), next(pid), say_info(pid);
  finish(pid);
}
