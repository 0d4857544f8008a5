// The files of name spaces in /proc/PID/ns, setns(2) and ioctl_ns(2).
#include "guest.h"
#include <linux/nsfs.h>
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/vfs.h>

static ino_t number(const char *path) {
  struct stat st;
  return stat(path, &st) ? 0 : st.st_ino;
}

static int ns(const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/self/ns/%s", name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

static const char *kinds[] = {"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts"};
enum { KINDS = sizeof kinds / sizeof *kinds };

// A child in name spaces of its own that waits for its end; its pid, and where to end it.
static pid_t resident(uint64_t flags, int end[2]) {
  int ready[2];
  pipe(ready), pipe(end);
  struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD};
  pid_t pid = RAW(clone3, &args, sizeof args);
  if (!pid) {
    close(end[1]);
    if (flags & CLONE_NEWUTS) sethostname("inner", 5);
    if (flags & CLONE_NEWNS) {
      mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
      mkdir("/tmp/mine", 0755);
      mount("mine", "/tmp/mine", "tmpfs", 0, NULL);
      put("/tmp/mine/file", "seen");
    }
    write(ready[1], "x", 1);
    char byte;
    read(end[0], &byte, 1);
    _exit(0);
  }
  char byte;
  read(ready[0], &byte, 1);
  return pid;
}

static void dismiss(pid_t pid, int end[2]) {
  close(end[0]), close(end[1]);
  wait_and_say("resident", pid);
}

static int ns_of(pid_t pid, const char *name) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, name);
  return open(path, O_RDONLY | O_CLOEXEC);
}

TEST(links) {
  say_dir("/proc/self/ns");
  for (int i = 0; i < KINDS; i++) {
    char path[64], text[64] = "", expected[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", kinds[i]);
    readlink(path, text, sizeof text - 1);
    snprintf(expected, sizeof expected, "%.*s:[%lu]", (int)strcspn(kinds[i], "_"), kinds[i], number(path));
    say("%s %s", kinds[i], strcmp(text, expected) ? "differs" : "is as its number says");
  }
  struct stat st, other;
  stat("/proc/self/ns/uts", &st), stat("/proc/self/ns/ipc", &other);
  IS(st.st_dev == other.st_dev && st.st_ino != other.st_ino);
  say("mode %o uid %d size %ld", st.st_mode, st.st_uid, (long)st.st_size);
  int fd = ns("uts");
  struct statfs fs;
  fstatfs(fd, &fs);
  say("magic %lx", (long)fs.f_type);
  char byte;
  SHOW(read(fd, &byte, 1));
  SHOW(write(fd, &byte, 1));
  SHOW(fchmod(fd, 0600));
}

TEST(own_and_others) {
  for (int i = 0; i < 3; i++) {
    const char *name = (const char *[]){"uts", "ipc", "mnt"}[i];
    int flag = (int[]){CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWNS}[i];
    char path[64];
    snprintf(path, sizeof path, "/proc/self/ns/%s", name);
    ino_t before = number(path);
    CHILD("child") say("%s inherited: %s", name, number(path) == before ? "yes" : "no");
    CHILD("child") {
      unshare(flag);
      ino_t own = number(path);
      say("%s unshared: %s", name, own != before ? "yes" : "no");
      CHILD("grandchild") say("%s inherited: %s", name, number(path) == own ? "yes" : "no");
    }
    say("%s stays: %s", name, number(path) == before ? "yes" : "no");
  }
  CHILD("pids") {
    ino_t before = number("/proc/self/ns/pid");
    unshare(CLONE_NEWPID);
    IS(number("/proc/self/ns/pid") == before);
    SHOW(access("/proc/self/ns/pid_for_children", F_OK));
    int end[2];
    pid_t pid = resident(0, end);
    IS(number("/proc/self/ns/pid_for_children") != before);
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/pid", pid);
    SHOW(access(path, F_OK));
    close(end[1]);
    waitpid(pid, NULL, 0);
  }
}

TEST(enter_uts) {
  char name[65];
  int end[2];
  sethostname("outer", 5);
  pid_t pid = resident(CLONE_NEWUTS, end);
  int fd = ns_of(pid, "uts");
  CHILD("child") {
    gethostname(name, sizeof name);
    say("in %s", name);
    SHOW(setns(fd, CLONE_NEWIPC));
    SHOW(setns(fd, CLONE_NEWUTS | CLONE_NEWIPC));
    SHOW(setns(fd, CLONE_NEWUTS));
    gethostname(name, sizeof name);
    say("in %s", name);
    SHOW(setns(fd, 0));
    int own = ns("uts");
    SHOW(setns(own, 0));
  }
  dismiss(pid, end);
  // The file keeps it.
  CHILD("child") {
    SHOW(setns(fd, 0));
    gethostname(name, sizeof name);
    say("in %s", name);
  }
  gethostname(name, sizeof name);
  say("in %s", name);
}

TEST(enter_pids) {
  int end[2];
  pid_t pid = resident(CLONE_NEWPID, end);
  int fd = ns_of(pid, "pid"), own = ns("pid");
  CHILD("enterer") {
    pid_t before = getpid();
    SHOW(setns(fd, CLONE_NEWPID));
    IS(getpid() == before);
    IS(number("/proc/self/ns/pid_for_children") != number("/proc/self/ns/pid"));
    CHILD("inside") {
      say("pid %d parent %d", getpid(), getppid());
      SHOW(kill(1, 0));
      SHOW(setns(own, 0));
      SHOW(setns(fd, 0));
      if (!fork()) { while (getppid() != 1) sleep_ms(1); _exit(0); }
    }
    SHOW(unshare(CLONE_NEWPID));
    SHOW(setns(own, CLONE_NEWPID));
    CHILD("back") say("parent %s", getppid() > 1 ? "seen" : "not seen");
  }
  dismiss(pid, end);
  CHILD("late") {
    SHOW(setns(fd, CLONE_NEWPID));
    SHOW(fork());
  }
}

TEST(enter_mounts) {
  int end[2];
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  pid_t pid = resident(CLONE_NEWNS, end);
  int fd = ns_of(pid, "mnt"), own = ns("mnt");
  SHOW(access("/tmp/mine/file", F_OK));
  CHILD("child") {
    SHOW(setns(fd, CLONE_NEWNS));
    say_file("/tmp/mine/file");
    char cwd[200];
    getcwd(cwd, sizeof cwd);
    say("cwd %s", cwd);
    SHOW(setns(own, 0));
    SHOW(access("/tmp/mine/file", F_OK));
  }
  CHILD("shares") {
    struct clone_args args = {.flags = CLONE_FS, .exit_signal = SIGCHLD};
    pid_t other = RAW(clone3, &args, sizeof args);
    if (!other) { pause(); _exit(0); }
    SHOW(setns(fd, CLONE_NEWNS));
    kill(other, SIGKILL);
    waitpid(other, NULL, 0);
  }
  dismiss(pid, end);
}

TEST(by_pidfd) {
  char name[65];
  int end[2];
  sethostname("outer", 5);
  pid_t pid = resident(CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC, end);
  int fd = RAW(pidfd_open, pid, 0);
  CHILD("child") {
    SHOW(setns(fd, 0));
    SHOW(setns(fd, CLONE_FS));
    SHOW(setns(fd, CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC));
    gethostname(name, sizeof name);
    say("in %s", name);
    CHILD("inside") say("pid %d", getpid());
  }
  CHILD("without the right") {
    setresuid(1000, 1000, 1000);
    SHOW(setns(fd, CLONE_NEWUTS));
  }
  dismiss(pid, end);
  SHOW(setns(fd, CLONE_NEWUTS));
}

#define PIDFD_IO(number) _IO(0xff, number)
struct info { uint64_t mask, cgroup; uint32_t pid, tgid, ppid, ruid, rgid, euid, egid, suid, sgid, fsuid, fsgid; int32_t exit; };
#define PIDFD_INFO _IOWR(0xff, 11, struct info)

TEST(asked_of_a_pidfd) {
  static const char *names[] = {"cgroup", "ipc", "mnt", "net", "pid", "pid_for_children", "time", "time_for_children", "user", "uts"};
  int end[2];
  pid_t pid = resident(CLONE_NEWUTS | CLONE_NEWPID | CLONE_NEWIPC, end);
  int fd = RAW(pidfd_open, pid, 0);
  for (int i = 0; i < 10; i++) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, names[i]);
    struct stat st = {0};
    int ns = ioctl(fd, PIDFD_IO(i + 1), 0);
    if (ns >= 0) fstat(ns, &st);
    say("%s: %s%s", names[i], ns < 0 ? error_name(errno) : st.st_ino == number(path) ? "the same" : "another", ns >= 0 && fcntl(ns, F_GETFD) == FD_CLOEXEC ? ", closed" : "");
  }
  SHOW(ioctl(fd, PIDFD_IO(10), 1));
  SHOW(ioctl(fd, PIDFD_IO(12), 0));
  SHOW(ioctl(fd, PIDFD_IO(0), 0));
  SHOW(ioctl(fd, FIONREAD, &pid));
  struct info info = {0};
  SHOW(ioctl(fd, PIDFD_INFO, &info));
  IS((info.mask & 3) == 3 && info.pid == (uint32_t)pid && info.tgid == info.pid && info.ppid == (uint32_t)getpid());
  say("%d %d %d %d %d %d %d %d", info.ruid, info.rgid, info.euid, info.egid, info.suid, info.sgid, info.fsuid, info.fsgid);
  SHOW(ioctl(fd, PIDFD_INFO, NULL));
  SHOW(ioctl(fd, PIDFD_INFO, 8));
  SHOW(ioctl(fd, _IOWR(0xff, 11, char[32]), &info));
  SHOW(ioctl(fd, _IOR(0xff, 11, struct info), &info));
  char large[128];
  memset(large, 7, sizeof large), memset(large, 0, 8);
  SHOW(ioctl(fd, _IOWR(0xff, 11, char[128]), large));
  IS(!large[127]);
  CHILD("inside") {
    int uts = ioctl(fd, PIDFD_IO(10), 0);
    SHOW(setns(uts, CLONE_NEWUTS));
    setresuid(1000, 1000, 1000);
    SHOW(ioctl(fd, PIDFD_IO(10), 0));
    SHOW(ioctl(fd, PIDFD_INFO, &info));
  }
  kill(pid, SIGKILL);
  siginfo_t ended;
  waitid(P_PID, pid, &ended, WEXITED | WNOWAIT);
  SHOW(ioctl(fd, PIDFD_IO(10), 0));
  SHOW(ioctl(fd, PIDFD_IO(10), 1));
  SHOW(ioctl(fd, PIDFD_INFO, &info));
  dismiss(pid, end);
  SHOW(ioctl(fd, PIDFD_IO(10), 0));
  SHOW(ioctl(fd, PIDFD_IO(10), 1));
  SHOW(ioctl(fd, PIDFD_INFO, &info));
}

TEST(errors) {
  int p[2], fd = ns("uts"), user = ns("user"), times = ns("time"), net = ns("net");
  pipe(p);
  SHOW(setns(-1, 0));
  SHOW(setns(p[0], 0));
  SHOW(setns(fd, CLONE_NEWNET));
  SHOW(setns(net, CLONE_NEWNET));
  SHOW(setns(user, 0));
  CHILD("one thread") SHOW(setns(times, CLONE_NEWTIME));
  CHILD("two threads") {
    pthread_t thread;
    pthread_create(&thread, NULL, ({ void *run(void *_) { pause(); return _; } run; }), NULL);
    SHOW(setns(times, CLONE_NEWTIME));
    SHOW(setns(fd, 0));
    SHOW(unshare(CLONE_NEWUTS));
    SHOW(unshare(CLONE_NEWPID));
    SHOW(unshare(CLONE_NEWNS));
    SHOW(unshare(CLONE_THREAD));
    SHOW(unshare(CLONE_VM));
  }
  CHILD("without the right") {
    setresuid(1000, 1000, 1000);
    SHOW(setns(fd, 0));
    SHOW(setns(net, 0));
    SHOW(unshare(CLONE_NEWUTS));
    SHOW(unshare(CLONE_NEWNS));
  }
  int path = open("/proc/self/ns/uts", O_PATH);
  SHOW(setns(path, 0));
  SHOW(unshare(0x1000));
}

TEST(questions) {
  for (int i = 0; i < KINDS; i++) {
    int fd = ns(kinds[i]);
    say("%s: type %x", kinds[i], ioctl(fd, NS_GET_NSTYPE));
  }
  int fd = ns("uts");
  struct stat own, st;
  stat("/proc/self/ns/user", &own);
  int owner = OKAY(ioctl(fd, NS_GET_USERNS));
  fstat(owner, &st);
  IS(st.st_ino == own.st_ino && st.st_dev == own.st_dev);
  IS(fcntl(owner, F_GETFD) == FD_CLOEXEC);
  SHOW(ioctl(fd, NS_GET_PARENT));
  uid_t uid = 7;
  SHOW(ioctl(fd, NS_GET_OWNER_UID, &uid));
  SHOW(ioctl(owner, NS_GET_OWNER_UID, &uid));
  say("owner %d", uid);
  SHOW(ioctl(owner, NS_GET_PARENT));
  SHOW(ioctl(ns("pid"), NS_GET_PARENT));
  SHOW(ioctl(fd, FIONREAD, &uid));
  int end[2];
  pid_t pid = resident(CLONE_NEWPID, end);
  int inner = ns_of(pid, "pid");
  int parent = OKAY(ioctl(inner, NS_GET_PARENT));
  fstat(parent, &st);
  IS(st.st_ino == number("/proc/self/ns/pid"));
  CHILD("outside asks") SHOW(ioctl(parent, NS_GET_PARENT) < 0);
  dismiss(pid, end);
}

TEST(kept_by_a_mount) {
  unshare(CLONE_NEWNS);
  mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL);
  put("uts", "");
  mkdir("dir", 0755);
  char name[65];
  CHILD("maker") {
    unshare(CLONE_NEWUTS);
    sethostname("kept", 4);
    SHOW(mount("/proc/self/ns/uts", "dir", NULL, MS_BIND, NULL));
    SHOW(mount("/proc/self/ns/uts", "uts", NULL, MS_BIND, NULL));
    SHOW(mount("/proc/self/ns/mnt", "uts", NULL, MS_BIND, NULL));
  }
  int fd = OKAY(open("uts", O_RDONLY));
  CHILD("enterer") {
    SHOW(setns(fd, CLONE_NEWUTS));
    gethostname(name, sizeof name);
    say("in %s", name);
    IS(number("/proc/self/ns/uts") == number("uts"));
  }
  close(fd);
  SHOW(umount("uts"));
  struct stat st;
  stat("uts", &st);
  IS(S_ISREG(st.st_mode) && st.st_size == 0);
}

TEST(ended) {
  pid_t pid = fork();
  if (!pid) _exit(0);
  siginfo_t info;
  waitid(P_PID, pid, &info, WEXITED | WNOWAIT);
  for (int i = 0; i < KINDS; i++) {
    char path[64], text[64];
    snprintf(path, sizeof path, "/proc/%d/ns/%s", pid, kinds[i]);
    errno = 0;
    ssize_t n = readlink(path, text, sizeof text);
    say("%s %s", kinds[i], n > 0 ? "is there" : error_name(errno));
  }
  waitpid(pid, NULL, 0);
}
