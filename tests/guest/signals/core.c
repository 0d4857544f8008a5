// Core files, core(5): when there is one, and what it tells.
#include "guest.h"
#include <elf.h>
#include <sys/procfs.h>

static struct {
  char *bytes;
  size_t size;
} core;

static bool load(const char *path) {
  struct stat st;
  int fd = open(path, O_RDONLY);
  if (fd < 0 || fstat(fd, &st)) {
    say("%s: %s", path, error_name(errno));
    return false;
  }
  core.size = st.st_size;
  core.bytes = mmap(NULL, core.size + 1, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  return true;
}

static Elf64_Phdr *headers(int *count) {
  Elf64_Ehdr *head = (void *)core.bytes;
  *count = head->e_phnum;
  return (void *)(core.bytes + head->e_phoff);
}

// What the file has of this address of the process: NULL if nothing.
static const void *of(const void *address) {
  int count;
  Elf64_Phdr *all = headers(&count);
  for (int i = 0; i < count; i++) {
    uint64_t distance = (uintptr_t)address - all[i].p_vaddr;
    if (all[i].p_type == PT_LOAD && distance < all[i].p_filesz) return core.bytes + all[i].p_offset + distance;
  }
  return NULL;
}

// The nth note of a kind.
static void *note(unsigned kind, int nth, size_t *size) {
  int count;
  Elf64_Phdr *all = headers(&count);
  char *at = core.bytes + all->p_offset, *end = at + all->p_filesz;
  while (at < end) {
    Elf64_Nhdr *head = (void *)at;
    char *body = at + sizeof *head + (head->n_namesz + 3) / 4 * 4;
    at = body + (head->n_descsz + 3) / 4 * 4;
    if (head->n_type == kind && !nth--) {
      if (size) *size = head->n_descsz;
      return body;
    }
  }
  return NULL;
}

static int notes(unsigned kind) {
  int n = 0;
  while (note(kind, n, NULL)) n++;
  return n;
}

static void limit(rlim_t bytes) {
  struct rlimit all = {bytes, bytes};
  setrlimit(RLIMIT_CORE, &all);
}

// Runs a block in a child that may leave a core, and says whether it did.
#define ENDS(limit_) \
  for (pid_t child_ = fork(), once_ = 1; once_; once_ = 0, say_core(child_)) \
    if (!child_ && (limit(limit_), true))

static void say_core(pid_t pid) {
  if (!pid) _exit(0);
  int status;
  siginfo_t info = {0};
  waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
  waitpid(pid, &status, 0);
  say_status("child", status);
  say("dumped %d, code %d, status %d, core is there: %d", WIFSIGNALED(status) && WCOREDUMP(status) ? 1 : 0, info.si_code, info.si_status,
      !access("core", F_OK));
}

TEST(which_signals) {
  int all[] = {SIGQUIT, SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGXCPU, SIGXFSZ, SIGSYS, SIGTERM, SIGKILL, SIGUSR1, SIGALRM, 40};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
    unlink("core");
    say("signal %d", all[i]);
    ENDS(RLIM_INFINITY) kill(getpid(), all[i]);
  }
  unlink("core");
  ENDS(RLIM_INFINITY) *(volatile int *)8 = 1;
  unlink("core");
  ENDS(RLIM_INFINITY) {
    signal(SIGSEGV, SIG_IGN);
    kill(getpid(), SIGSEGV);
    _exit(7);
  }
}

TEST(when_there_is_none) {
  ENDS(0) abort();
  ENDS(4095) abort();
  ENDS(RLIM_INFINITY) {
    prctl(PR_SET_DUMPABLE, 0);
    abort();
  }
  ENDS(RLIM_INFINITY) {
    setresuid(1000, 1000, 1000);
    abort();
  }
  mkdir("core", 0755);
  ENDS(RLIM_INFINITY) abort();
  rmdir("core");
  mkdir("gone", 0755);
  ENDS(RLIM_INFINITY) {
    chdir("gone");
    rmdir("../gone");
    abort();
  }
}

TEST(what_was_there_before) {
  struct stat st;
  put("core", "old");
  link("core", "other");
  ENDS(RLIM_INFINITY) abort();
  say_file("other");
  stat("core", &st);
  say("mode %o, %d links, of %d", st.st_mode, (int)st.st_nlink, st.st_uid);
  unlink("core");
  symlink("other", "core");
  ENDS(RLIM_INFINITY) abort();
  say_file("other");
  lstat("core", &st);
  say("mode %o", st.st_mode);
}

TEST(limits) {
  struct stat st;
  ENDS(4096) abort();
  stat("core", &st);
  IS(st.st_size > 0 && st.st_size <= 4096);
  unlink("core");
  ENDS(100000) abort();
  stat("core", &st);
  IS(st.st_size > 4096 && st.st_size <= 100000);
}

static volatile int mark = 4711;
static char *private, *shared, *hidden, *file, *untouched, *unreadable;

static void make(void) {
  enum { SIZE = 16384 };
  private = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  shared = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  hidden = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  untouched = mmap(NULL, 1UL << 36, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  put("mapped", "what a file has");
  int fd = open("mapped", O_RDWR);
  file = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
  unreadable = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE, fd, 0);
  close(fd);
  strcpy(private + 8192, "private"), strcpy(shared, "shared"), strcpy(hidden, "hidden");
  madvise(hidden, SIZE, MADV_DONTDUMP);
  mark = 815;
}

static void look(void) {
  if (!load("core")) return;
  const char *text = of(private + 8192);
  say("private: %s", text ? text : "none");
  text = of(shared), say("shared: %s", text ? text : "none");
  text = of(hidden), say("hidden: %s", text ? text : "none");
  text = of(file), say("file: %s", text ? text : "none");
  text = of(unreadable), say("private file: %s", text ? text : "none");
  text = of(untouched), say("untouched: %s", text ? "there" : "none");
  IS(of((void *)&mark) && *(int *)of((void *)&mark) == 815);
  IS(of(&text) != NULL);
  unlink("core");
}

TEST(memory) {
  const char *filters[] = {"0x33", "0", "0x2", "0x8", "0xc", "0x1"};
  make();
  for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
    say("filter %s", filters[i]);
    put("/proc/self/coredump_filter", filters[i]);
    ENDS(RLIM_INFINITY) abort();
    look();
  }
}

static void *wait_forever(void *ready) {
  for (write(*(int *)ready, "x", 1);;) pause();
}

TEST(notes_of_threads) {
  ENDS(RLIM_INFINITY) {
    int pipes[2];
    pipe(pipes);
    pthread_t thread;
    for (int i = 0; i < 3; i++) {
      char byte;
      pthread_create(&thread, NULL, wait_forever, &pipes[1]);
      read(pipes[0], &byte, 1);
    }
    prctl(PR_SET_NAME, "dumper");
    setpriority(PRIO_PROCESS, 0, 5);
    raise(SIGQUIT);
  }
  if (!load("core")) return;
  Elf64_Ehdr *head = (void *)core.bytes;
  IS(!memcmp(head->e_ident, ELFMAG, SELFMAG) && head->e_type == ET_CORE && head->e_machine == EM_X86_64);
  SHOW(notes(NT_PRSTATUS));
  SHOW(notes(NT_PRPSINFO));
  SHOW(notes(NT_FPREGSET));
  SHOW(notes(NT_X86_XSTATE));
  SHOW(notes(NT_AUXV));
  SHOW(notes(NT_SIGINFO));
  IS(notes(NT_FILE) <= 1);
  size_t size;
  struct elf_prstatus *status = note(NT_PRSTATUS, 0, &size);
  IS(size == sizeof *status);
  SHOW(status->pr_cursig);
  SHOW(status->pr_info.si_signo);
  SHOW(status->pr_fpvalid);
  struct elf_prstatus *second = note(NT_PRSTATUS, 1, NULL);
  IS(second->pr_pid != status->pr_pid && second->pr_pgrp == status->pr_pgrp);
  // Where the stack pointers lead was dumped.
  struct user_regs_struct *regs = (void *)status->pr_reg;
  IS(of((void *)regs->rsp) != NULL);
  regs = (void *)second->pr_reg;
  IS(of((void *)regs->rsp) != NULL);
  IS((long)regs->orig_rax == SYS_pause);
  struct elf_prpsinfo *process = note(NT_PRPSINFO, 0, &size);
  IS(size == sizeof *process);
  say("%s, uid %u, nice %d, state %c", process->pr_fname, process->pr_uid, process->pr_nice, process->pr_sname);
  IS(process->pr_ppid == getpid());
  siginfo_t *info = note(NT_SIGINFO, 0, &size);
  IS(size == 128);
  say("signal %d code %d", info->si_signo, info->si_code);
  note(NT_FPREGSET, 0, &size);
  SHOW(size);
  Elf64_auxv_t *auxv = note(NT_AUXV, 0, NULL);
  bool page = false;
  for (; auxv->a_type; auxv++) page |= auxv->a_type == AT_PAGESZ && auxv->a_un.a_val == 4096;
  IS(page);
}
