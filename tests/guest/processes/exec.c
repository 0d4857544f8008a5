// execve(2), execveat(2): files, scripts, arguments, and what survives.
#include "guest.h"

#include <elf.h>
#include <sys/auxv.h>

extern char **environ;

static void copy_program(const char *to, int mode) {
  char b[65536];
  int in = open("/guest", O_RDONLY), out = open(to, O_WRONLY | O_CREAT | O_TRUNC, 0700);
  for (ssize_t n; (n = read(in, b, sizeof b)) > 0;) write(out, b, n);
  fchmod(out, mode), close(in), close(out);
}

ROLE(show) {
  say("%d arguments", argc);
  for (int i = 0; i < argc && i < 8; i++) say("  [%s]", argv[i]);
  for (char **e = environ; *e; e++) if (!strncmp(*e, "T_", 2)) say("  %s", *e);
}

#define RUNS(who, ...) CHILD(who) { SHOW(execve(__VA_ARGS__)); }
static char *no_environment[] = {NULL};
static char *arguments[] = {"guest", "--role", "show", "one", "two words", "", NULL};

TEST(arguments_and_environment) {
  char *e[] = {"T_A=1", "T_B=", "T_C", "T_A=again", "OTHER=x", NULL};
  RUNS("plain", "/guest", arguments, e);
  RUNS("no environment", "/guest", arguments, NULL);
  RUNS("no arguments", "/guest", (char *[]){NULL}, no_environment);
  RUNS("null arguments", "/guest", NULL, no_environment);
  RUNS("bad arguments", "/guest", (char **)8, no_environment);
  RUNS("bad string", "/guest", ((char *[]){"guest", (char *)8, NULL}), no_environment);
  RUNS("bad environment", "/guest", arguments, (char **)8);
}

TEST(failures) {
  put("text", "not a program"), chmod("text", 0755), put("plain", "x"), put("empty", ""), chmod("empty", 0755), mkdir("d", 0755), mkfifo("p", 0755);
  put("elf", "\177ELF"), chmod("elf", 0755), symlink("loop", "loop"), symlink("/guest", "l");
  static const char *paths[] = {"missing", "text", "plain", "empty", "d", "p", "elf", "loop", "text/x", "", "/dev/null", "/proc/version"};
  for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++) { errno = 0, execve(paths[i], arguments, no_environment), say("[%s]: %s", paths[i], error_name(errno)); }
  SHOW(execve((char *)8, arguments, no_environment));
  RUNS("through a link", "l", arguments, no_environment);
  copy_program("copy", 0700);
  RUNS("a copy", "copy", arguments, no_environment);
  int fd = open("copy", O_RDWR);
  SHOW(execve("copy", arguments, no_environment));
  close(fd), chmod("copy", 0600);
  SHOW(execve("copy", arguments, no_environment));
  chmod("copy", 0711);
  CHILD("a user") { setuid(1000); execve("copy", arguments, no_environment); }
  chmod("copy", 0700);
  CHILD("another user") { setuid(1000); SHOW(execve("copy", arguments, no_environment)); }
  copy_program("/dev/shm/copy", 0755);
  SHOW(execve("/dev/shm/copy", arguments, no_environment)); // mounted noexec
}

TEST(busy_text) {
  copy_program("running", 0755);
  int go[2];
  pipe(go);
  pid_t kid = fork();
  if (!kid) { dup2(go[0], 0), close(go[1]); execl("running", "running", "--role", "reads", NULL); _exit(1); }
  sleep_ms(150);
  SHOW(open("running", O_WRONLY));
  SHOW(truncate("running", 0));
  SHOW(open("running", O_RDONLY) >= 0);
  SHOW(rename("running", "renamed"));
  SHOW(unlink("renamed"));
  close(go[0]), close(go[1]);
  wait_and_say("runner", kid);
}

ROLE(reads) { read(0, &(char){0}, 1); }

TEST(malformed_programs) {
  copy_program("good", 0755);
  unsigned char header[64];
  int fd = open("good", O_RDONLY);
  pread(fd, header, 64, 0), close(fd);
  static const struct { const char *what; int at, value; } edits[] = {
    {"class", 4, 1}, {"data order", 5, 2}, {"type", 16, 1}, {"type 99", 16, 99}, {"machine", 18, 3}, {"no headers", 56, 0}, {"header size", 54, 1}, {"headers far away", 38, 0x7f}, {"header count", 57, 0xff},
  };
  for (unsigned i = 0; i < sizeof edits / sizeof *edits; i++) {
    copy_program("bad", 0755);
    fd = open("bad", O_WRONLY), pwrite(fd, &(char){edits[i].value}, 1, edits[i].at), close(fd);
    CHILD(edits[i].what) { execve("bad", (char *[]){"guest", "--role", "one", NULL}, no_environment), say("%s", error_name(errno)); }
  }
  copy_program("bad", 0755);
  CHILD("only a header") { truncate("bad", 64), execve("bad", arguments, no_environment), say("%s", error_name(errno)); }
  CHILD("half a header") { truncate("bad", 20), execve("bad", arguments, no_environment), say("%s", error_name(errno)); }
}

ROLE(one) { say("runs"); }

static void script(const char *name, const char *text) { put(name, text), chmod(name, 0755); }

TEST(scripts) {
  script("s", "#!/guest --role\n");
  script("spaces", "#!  \t /guest   --role  \t\nrest\n");
  script("none", "#!\n"), script("blank", "#!   \n"), script("absent", "#!/no/such\n"), script("directory", "#!/dev\n"), script("noend", "#!/guest");
  script("relative", "#!s\n");
  RUNS("script", "s", ((char *[]){"zero", "show", "a", NULL}), no_environment); // the script's name comes between
  script("show", "#!/guest --role\n");
  RUNS("named show", "show", ((char *[]){"zero", "a", "b c", NULL}), no_environment);
  RUNS("spaces", "spaces", ((char *[]){"zero", NULL}), no_environment);
  static const char *bad[] = {"none", "blank", "absent", "directory"};
  for (int i = 0; i < 4; i++) errno = 0, execve(bad[i], arguments, no_environment), say("%s: %s", bad[i], error_name(errno));
  RUNS("no newline", "noend", ((char *[]){"zero", NULL}), no_environment);
  char name[16], text[32];
  for (int i = 0; i < 8; i++) snprintf(name, sizeof name, "n%d", i), snprintf(text, sizeof text, i ? "#!n%d\n" : "#!/guest --role\n", i - 1), script(name, text);
  for (int i = 3; i < 7; i++) {
    snprintf(name, sizeof name, "n%d", i);
    CHILD(name) { int out = open("/dev/null", O_WRONLY), keep = dup(1); dup2(out, 1), execve(name, arguments, no_environment), dup2(keep, 1), say("%s", error_name(errno)); }
  }
  char *line = malloc(400);
  memset(line, 'x', 399), memcpy(line, "#!/guest ", 9), line[300] = 0;
  script("long", line);
  CHILD("long line") { int keep = dup(1); dup2(open("/dev/null", O_WRONLY), 1), execve("long", arguments, no_environment), dup2(keep, 1), say("%s", error_name(errno)); }
  memset(line, 'y', 399), memcpy(line, "#!/", 3), line[300] = 0, script("longer", line);
  SHOW(execve("longer", arguments, no_environment));
}

TEST(too_long) {
  size_t limit = 131072; // MAX_ARG_STRLEN
  char *text = malloc(limit + 1);
  memset(text, 'a', limit), text[limit] = 0, text[limit - 1] = 0;
  CHILD("the longest string") { execve("/guest", (char *[]){"guest", "--role", "length", text, NULL}, no_environment); say("%s", error_name(errno)); }
  text[limit - 1] = 'a';
  SHOW(execve("/guest", ((char *[]){"guest", "--role", "length", text, NULL}), no_environment));
  text[100000] = 0;
  char **many = calloc(100, sizeof *many);
  many[0] = "guest", many[1] = "--role", many[2] = "length";
  for (int i = 3; i < 15; i++) many[i] = text;
  CHILD("a megabyte") { execve("/guest", many, no_environment); say("%s", error_name(errno)); }
  for (int i = 3; i < 90; i++) many[i] = text;
  SHOW(execve("/guest", many, no_environment)); // a quarter of the stack's limit at most
  setrlimit(RLIMIT_STACK, &(struct rlimit){1 << 20, RLIM_INFINITY});
  many[10] = NULL;
  SHOW(execve("/guest", many, no_environment));
  char **count = calloc(20005, sizeof *count);
  count[0] = "guest", count[1] = "--role", count[2] = "length";
  for (int i = 3; i < 20000; i++) count[i] = "x";
  CHILD("many strings") { setrlimit(RLIMIT_STACK, &(struct rlimit){8 << 20, RLIM_INFINITY}); execve("/guest", count, no_environment); say("%s", error_name(errno)); }
}

ROLE(length) {
  size_t total = 0;
  for (int i = 0; i < argc; i++) total += strlen(argv[i]) + 1;
  say("%d strings, %zu bytes", argc, total);
}

static void handler(int signal UNUSED) {}

TEST(what_survives) {
  sigset_t set;
  sigemptyset(&set), sigaddset(&set, SIGUSR2), sigprocmask(SIG_BLOCK, &set, 0);
  signal(SIGUSR1, handler), signal(SIGHUP, SIG_IGN), raise(SIGUSR2);
  struct sigaction chld = {.sa_handler = SIG_IGN};
  sigaction(SIGCHLD, &chld, 0);
  umask(035), nice(2), alarm(50), prctl(PR_SET_NAME, "before"), setrlimit(RLIMIT_NOFILE, &(struct rlimit){77, 88});
  stack_t s = {.ss_sp = malloc(65536), .ss_size = 65536};
  sigaltstack(&s, 0);
  dup2(0, 40), dup2(0, 41), fcntl(41, F_SETFD, FD_CLOEXEC);
  lseek(open("/guest", O_RDONLY), 0, SEEK_SET);
  chdir("/dev");
  char pid[16];
  snprintf(pid, sizeof pid, "%d", getpid());
  execl("/guest", "guest", "--role", "survivors", pid, NULL);
}

ROLE(survivors) {
  sigset_t set;
  struct sigaction a;
  stack_t s;
  char b[100];
  IS(argc == 1 && atoi(argv[0]) == getpid());
  sigprocmask(0, 0, &set), say("blocked %d", sigismember(&set, SIGUSR2));
  sigpending(&set), say("pending %d", sigismember(&set, SIGUSR2));
  sigaction(SIGUSR1, 0, &a), IS(a.sa_handler == SIG_DFL);
  sigaction(SIGHUP, 0, &a), IS(a.sa_handler == SIG_IGN);
  sigaction(SIGCHLD, 0, &a), IS(a.sa_handler == SIG_IGN);
  say("umask %o nice %d", umask(0), getpriority(PRIO_PROCESS, 0));
  IS(alarm(0) > 0);
  prctl(PR_GET_NAME, b), say("%s", b);
  sigaltstack(0, &s), say("alternate stack %d", s.ss_flags);
  SHOW(fcntl(40, F_GETFD));
  SHOW(fcntl(41, F_GETFD));
  say("%s", getcwd(b, 100));
  struct rlimit r;
  getrlimit(RLIMIT_NOFILE, &r), say("%d %d", (int)r.rlim_cur, (int)r.rlim_max);
}

TEST(by_descriptor) {
  int fd = open("/guest", O_RDONLY), path = open("/guest", O_PATH), d = open("/", O_RDONLY);
  CHILD("fexecve") { fexecve(fd, arguments, no_environment); }
  CHILD("O_PATH") { RAW(execveat, path, "", arguments, no_environment, AT_EMPTY_PATH); }
  CHILD("directory") { RAW(execveat, d, "guest", arguments, no_environment, 0); }
  SHOW(RAW(execveat, fd, "", arguments, no_environment, 0));
  SHOW(RAW(execveat, 99, "guest", arguments, no_environment, 0));
  SHOW(RAW(execveat, d, "guest", arguments, no_environment, 0x40));
  symlink("/guest", "l");
  SHOW(RAW(execveat, AT_FDCWD, "l", arguments, no_environment, AT_SYMLINK_NOFOLLOW));
  script("show", "#!/guest --role\n");
  int s = open("show", O_RDONLY);
  CHILD("script kept open") { RAW(execveat, AT_FDCWD, "show", ((char *[]){"x", "arg", NULL}), no_environment, 0); }
  fcntl(s, F_SETFD, FD_CLOEXEC);
  SHOW(RAW(execveat, s, "", arguments, no_environment, AT_EMPTY_PATH)); // its interpreter could not open it
  int m = memfd_create("program", MFD_CLOEXEC), in = open("/guest", O_RDONLY);
  char b[65536];
  for (ssize_t n; (n = read(in, b, sizeof b)) > 0;) write(m, b, n);
  CHILD("memfd") { fexecve(m, arguments, no_environment); }
}

TEST(auxiliary_vector) {
  CHILD("child") { setgid(7), setuid(6); execl("/guest", "guest", "--role", "auxiliary", NULL); }
}

ROLE(auxiliary) {
  say("page %ld, clock %ld, uid %ld, euid %ld, gid %ld, secure %ld", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK), getauxval(AT_UID), getauxval(AT_EUID), getauxval(AT_GID), getauxval(AT_SECURE));
  say("%s %s", (char *)getauxval(AT_EXECFN), (char *)getauxval(AT_PLATFORM));
  IS(getauxval(AT_PHDR) && getauxval(AT_PHNUM) && getauxval(AT_PHENT) == 56 && getauxval(AT_ENTRY));
  IS(getauxval(AT_RANDOM) && getauxval(AT_SYSINFO_EHDR));
  IS(getauxval(AT_HWCAP) != 0);
}

static void *execute(void *unused UNUSED) { execl("/guest", "guest", "--role", "threads", NULL); return NULL; }
static void *forever(void *unused) { for (;;) pause(); return unused; }

TEST(from_a_thread) {
  pthread_t t;
  pid_t kid = fork();
  if (!kid) {
    for (int i = 0; i < 5; i++) pthread_create(&t, 0, forever, 0);
    pthread_create(&t, 0, execute, 0);
    forever(0);
  }
  wait_and_say("executed by a thread", kid);
  char path[64];
  snprintf(path, sizeof path, "/proc/%d", kid);
  SHOW(access(path, F_OK));
}

ROLE(threads) {
  IS(gettid() == getpid());
  DIR *d = opendir("/proc/self/task");
  int n = 0;
  for (struct dirent *e; (e = readdir(d));) n += e->d_name[0] != '.';
  say("%d threads", n);
}

// Headers that promise what memory cannot hold: the process is gone by the time that is seen.
static void run_headers(const char *what, Elf64_Phdr load) {
  static const char exits[] = "\xb8\x3c\0\0\0\xbf\7\0\0\0\x0f\5"; // exit(7)
  Elf64_Ehdr head = {.e_type = ET_EXEC, .e_machine = EM_X86_64, .e_version = 1, .e_entry = 0x10000300,
                     .e_phoff = sizeof head, .e_ehsize = sizeof head, .e_phentsize = sizeof load, .e_phnum = 1};
  memcpy(head.e_ident, "\177ELF\2\1\1", 7);
  int fd = open("elf", O_CREAT | O_TRUNC | O_RDWR, 0755);
  pwrite(fd, &head, sizeof head, 0), pwrite(fd, &load, sizeof load, sizeof head), pwrite(fd, exits, sizeof exits, 0x300);
  ftruncate(fd, 0x1000);
  close(fd);
  CHILD(what) {
    execl("elf", "elf", NULL);
    _exit(errno == ENOEXEC ? 8 : 9);
  }
}

TEST(segments_that_do_not_fit) {
  Elf64_Phdr good = {PT_LOAD, PF_R | PF_X, 0, 0x10000000, 0x10000000, 0x1000, 0x1000, 0x1000}, bad = good;
  run_headers("a program", good);
  bad.p_vaddr++;
  run_headers("an odd address", bad);
  bad = good, bad.p_offset = 1;
  run_headers("an odd offset", bad);
  bad = good, bad.p_vaddr = 0xffff800000000000;
  run_headers("an address of the kernel's", bad);
  bad = good, bad.p_memsz = 1ul << 60;
  run_headers("a segment that is too large", bad);
}

TEST(repeatedly) { execl("/guest", "guest", "--role", "again", "40", NULL); }

ROLE(again) {
  int left = atoi(argv[0]);
  char n[16];
  snprintf(n, sizeof n, "%d", left - 1);
  if (left) execl("/guest", "guest", "--role", "again", n, NULL);
  say("done");
}
