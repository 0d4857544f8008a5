// PID name spaces, pid_namespaces(7): numbers, the init of a name space, and its end.
#include "guest.h"
#include <linux/sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/un.h>

// A child made with clone3(2): the flags, and numbers that it shall have.
static pid_t clone_with(uint64_t flags, pid_t *tids, size_t count) {
  struct clone_args args = {.flags = flags, .exit_signal = SIGCHLD, .set_tid = (uintptr_t)tids, .set_tid_size = count};
  return RAW(clone3, &args, sizeof args);
}

// Runs a block as the init of a new name space and says how it ended.
#define INIT(who) \
  for (pid_t child_ = clone_with(CLONE_NEWPID, 0, 0), once_ = 1; once_; once_ = 0, child_ ? wait_and_say(who, child_) : _exit(0)) \
    if (!child_)

static void nothing(int signal UNUSED) {}

static void handle(int signal, void (*handler)(int, siginfo_t *, void *)) {
  struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(signal, &action, NULL);
}

// The lines of a /proc file that begin so.
static void say_lines(const char *path, const char *start) {
  char line[512];
  FILE *file = fopen(path, "r");
  if (!file) {
    say("%s: %s", path, error_name(errno));
    return;
  }
  while (fgets(line, sizeof line, file))
    if (!strncmp(line, start, strlen(start))) {
      line[strcspn(line, "\n")] = 0;
      say("%s", line);
    }
  fclose(file);
}

// True once somebody has written to the pipe.
static bool told(int pipe[2]) {
  char byte;
  return read(pipe[0], &byte, 1) == 1;
}
static void tell(int pipe[2]) { write(pipe[1], "x", 1); }

TEST(numbers) {
  INIT("init") {
    SHOW(getpid());
    SHOW(gettid());
    SHOW(getppid());
    SHOW(RAW(set_tid_address, 0));
    // Of a session outside.
    SHOW(getsid(0));
    SHOW(getpgrp());
    SHOW(getpgid(1));
    CHILD("child") { SHOW(getpid()); SHOW(getppid()); SHOW(getsid(1)); }
    CHILD("child") { SHOW(getpid()); }
    SHOW(setsid());
    SHOW(getsid(0));
    SHOW(getpgrp());
    CHILD("child") {
      SHOW(getsid(0));
      SHOW(getpgrp());
      SHOW(setpgid(0, 0));
      SHOW(getpgrp());
      SHOW(getpgid(1));
      SHOW(setpgid(0, 1));
      SHOW(setpgid(0, 77));
      SHOW(setsid());
      SHOW(setpgid(0, 0));
      SHOW(setsid());
    }
    SHOW(kill(77, 0));
    SHOW(kill(-77, 0));
    SHOW(getsid(77));
    SHOW(waitpid(77, NULL, 0));
    SHOW(waitpid(-77, NULL, 0));
    SHOW(sched_getscheduler(77));
    SHOW(sched_getscheduler(1));
    SHOW(getpriority(PRIO_PROCESS, 77));
    SHOW(getpriority(PRIO_PGRP, 77));
    SHOW(getpriority(PRIO_PGRP, 1));
    SHOW(RAW(tgkill, 1, 1, 0));
    SHOW(RAW(tgkill, 2, 1, 0));
    SHOW(RAW(kcmp, 1, 1, 0, 0, 0));
    SHOW(prlimit(1, RLIMIT_CORE, NULL, NULL));
    SHOW(prlimit(5, RLIMIT_CORE, NULL, NULL));
  }
}

TEST(threads) {
  INIT("init") {
    pthread_t thread;
    pthread_create(&thread, NULL, ({ void *run(void *_) { SHOW(getpid()); SHOW(gettid()); return _; } run; }), NULL);
    pthread_join(thread, NULL);
    CHILD("child") SHOW(getpid());
  }
}

TEST(nested) {
  int outer[2];
  pipe(outer);
  pid_t pid = clone_with(CLONE_NEWPID, 0, 0);
  if (!pid) {
    CHILD("first") SHOW(getpid());
    pid_t inner = clone_with(CLONE_NEWPID, 0, 0);
    if (!inner) {
      // Its parent speaks first.
      char turn;
      read(outer[0], &turn, 1);
      SHOW(getpid());
      SHOW(getppid());
      SHOW(kill(3, 0));
      CHILD("below") { SHOW(getpid()); SHOW(getppid()); }
      _exit(5);
    }
    say("inner %d", inner);
    write(outer[1], "", 1);
    wait_and_say("inner", inner);
    _exit(6);
  }
  wait_and_say("outer", pid);
  IS(pid > 2);
}

TEST(depth) {
  int depth = 0;
  for (;;) {
    errno = 0;
    pid_t pid = clone_with(CLONE_NEWPID, 0, 0);
    if (pid < 0) {
      say("at %s", error_name(errno));
      _exit(depth);
    }
    if (pid) {
      int status = 0;
      waitpid(pid, &status, 0);
      if (depth) _exit(WEXITSTATUS(status));
      // How deep the test itself lies is its runner's business.
      IS(WEXITSTATUS(status) >= 30 && WEXITSTATUS(status) <= 32);
      return;
    }
    depth++;
  }
}

static siginfo_t last, last_child;
static void remember(int signal, siginfo_t *info, void *_ UNUSED) { *(signal == SIGCHLD ? &last_child : &last) = *info; }

TEST(who_sent) {
  int ready[2], go[2];
  pipe(ready), pipe(go);
  pid_t pid = clone_with(CLONE_NEWPID, 0, 0);
  if (!pid) {
    handle(SIGUSR1, remember), handle(SIGCHLD, remember);
    raise(SIGUSR1);
    say("own: code %d pid %d", last.si_code, last.si_pid);
    kill(1, SIGUSR1);
    say("kill: code %d pid %d", last.si_code, last.si_pid);
    CHILD("child") kill(getppid(), SIGUSR1);
    say("child: code %d pid %d", last.si_code, last.si_pid);
    say("SIGCHLD: code %d pid %d", last_child.si_code, last_child.si_pid);
    tell(ready);
    told(go);
    say("outside: code %d pid %d", last.si_code, last.si_pid);
    tell(ready);
    told(go);
    say("queued outside: code %d pid %d value %d", last.si_code, last.si_pid, last.si_value.sival_int);
    _exit(0);
  }
  told(ready);
  kill(pid, SIGUSR1);
  tell(go);
  told(ready);
  sigqueue(pid, SIGUSR1, (union sigval){.sival_int = 7});
  tell(go);
  siginfo_t info = {0};
  SHOW(waitid(P_PID, pid, &info, WEXITED));
  IS(info.si_pid == pid && info.si_code == CLD_EXITED);
}

TEST(init_is_protected) {
  INIT("init") {
    CHILD("child") {
      SHOW(kill(1, SIGKILL));
      SHOW(kill(1, SIGTERM));
      SHOW(kill(1, SIGSTOP));
      SHOW(kill(1, SIGSEGV));
    }
    SHOW(kill(1, SIGKILL));
    SHOW(raise(SIGTERM));
    say("lives");
    signal(SIGTERM, nothing);
    SHOW(raise(SIGTERM));
  }
  INIT("faulting init") *(volatile int *)0 = 1;
  INIT("aborting init") abort();
  int ready[2];
  pipe(ready);
  pid_t pid = clone_with(CLONE_NEWPID, 0, 0);
  if (!pid) {
    tell(ready);
    for (;;) pause();
  }
  told(ready);
  SHOW(kill(pid, SIGTERM));
  SHOW(kill(pid, SIGSTOP));
  int status = 0;
  waitpid(pid, &status, WUNTRACED);
  say_status("init", status);
  SHOW(kill(pid, SIGCONT));
  waitpid(pid, &status, WCONTINUED);
  say_status("init", status);
  SHOW(kill(pid, SIGKILL));
  wait_and_say("init", pid);
}

TEST(end_of_init) {
  int alive[2], ready[2];
  pipe(alive), pipe(ready);
  pid_t pid = clone_with(CLONE_NEWPID, 0, 0);
  if (!pid) {
    for (int i = 0; i < 5; i++)
      if (!fork()) {
        if (i == 1) setsid();
        if (i == 2) signal(SIGTERM, SIG_IGN);
        if (i == 3 && !clone_with(CLONE_NEWPID, 0, 0) && !fork()) tell(ready);
        tell(ready);
        for (;;) pause();
      }
    for (int i = 0; i < 6; i++) told(ready);
    _exit(9);
  }
  close(alive[1]);
  wait_and_say("init", pid);
  // All have closed it by the time that their init is waited for.
  char byte;
  SHOW(read(alive[0], &byte, 1));
}

// Children whose end sends another signal than SIGCHLD, or none.
TEST(children_of_init_that_do_not_tell) {
  INIT("init")
    for (int signal = 0; signal < 3; signal++)
      if (!RAW(clone, signal ? SIGUSR1 + signal : 0, 0, 0, 0, 0)) for (;;) pause();
  // What such a child leaves to init is another such.
  INIT("init") {
    if (!RAW(clone, 0, 0, 0, 0, 0)) {
      if (!RAW(clone, 0, 0, 0, 0, 0)) for (;;) pause();
      for (;;) pause();
    }
  }
}

TEST(init_leaves_a_zombie) {
  INIT("init") {
    if (!fork()) _exit(1);
    sleep_ms(20);
    if (!fork()) for (;;) pause();
  }
}

TEST(orphans) {
  INIT("init") {
    int told_[2];
    pipe(told_);
    CHILD("parent") {
      int parent = getppid();
      if (!fork()) {
        while (getppid() != 1) sleep_ms(1);
        told(told_);
        say("orphan %d: parent %d, was %d", getpid(), getppid(), parent);
        _exit(4);
      }
    }
    tell(told_);
    int status;
    SHOW(wait(&status));
    say_status("orphan", status);
  }
  // A subreaper outside does not get them.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  INIT("init") {
    CHILD("parent") if (!fork()) { while (getppid() != 1) sleep_ms(1); _exit(3); }
    int status;
    SHOW(wait(&status));
  }
  SHOW(wait(NULL));
}

TEST(unshare) {
  CHILD("unsharing") {
    pid_t before = getpid();
    int go[2];
    pipe(go);
    SHOW(unshare(CLONE_NEWPID));
    IS(getpid() == before);
    pthread_t thread;
    SHOW(pthread_create(&thread, NULL, (void *(*)(void *))getpid, NULL));
    SHOW(unshare(CLONE_NEWPID));
    SHOW(clone_with(CLONE_NEWPID, 0, 0));
    pid_t pid = fork();
    if (!pid) {
      told(go);
      SHOW(getpid());
      SHOW(getppid());
      CHILD("last") { SHOW(getpid()); SHOW(getppid()); }
      _exit(0);
    }
    pid_t other = fork();
    if (!other) {
      say("beside: %d, parent %d", getpid(), getppid());
      _exit(0);
    }
    waitpid(other, NULL, 0);
    tell(go);
    wait_and_say("init", pid);
    SHOW(fork());
    SHOW(fork());
  }
}

TEST(orphan_of_another_namespace) {
  int ends[2];
  pipe(ends);
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  CHILD("parent") {
    unshare(CLONE_NEWPID);
    if (!fork()) {
      told(ends);
      say("init %d, parent %d", getpid(), getppid());
      _exit(2);
    }
  }
  tell(ends);
  int status = 0;
  IS(wait(&status) > 1);
  say_status("init", status);
}

TEST(flags) {
  SHOW(RAW(clone, CLONE_NEWPID | CLONE_THREAD | CLONE_SIGHAND | CLONE_VM, 0, 0, 0, 0));
  INIT("init") {
    SHOW(clone_with(CLONE_PARENT, 0, 0));
    CHILD("child") {
      struct clone_args args = {.flags = CLONE_PARENT};
      pid_t pid = RAW(clone3, &args, sizeof args);
      if (!pid) _exit(getppid() == 1 ? 7 : 8);
      say("made %d", pid);
    }
    int status = 0;
    SHOW(wait(&status));
    say_status("sibling", status);
  }
  CHILD("without the right") {
    SHOW(setresuid(1000, 1000, 1000));
    SHOW(clone_with(CLONE_NEWPID, 0, 0));
    SHOW(unshare(CLONE_NEWPID));
  }
}

TEST(chosen_numbers) {
  pid_t two[] = {1, 0};
  SHOW(clone_with(CLONE_NEWPID, (pid_t[]){2}, 1));
  SHOW(clone_with(CLONE_NEWPID, (pid_t[]){0}, 1));
  SHOW(clone_with(CLONE_NEWPID, two, 2));
  SHOW(clone_with(0, two, 0));
  SHOW(clone_with(0, NULL, 1));
  SHOW(clone_with(0, two, 33));
  pid_t pid = clone_with(CLONE_NEWPID, (pid_t[]){1, 31000}, 2);
  if (!pid) {
    int go[2];
    pipe(go);
    pid = clone_with(0, (pid_t[]){50}, 1);
    if (!pid) { told(go); SHOW(getpid()); _exit(0); }
    say("made %d", pid);
    SHOW(clone_with(0, (pid_t[]){50}, 1));
    SHOW(clone_with(0, (pid_t[]){1}, 1));
    tell(go);
    wait_and_say("50", pid);
    pid = clone_with(0, (pid_t[]){50}, 1);
    if (!pid) _exit(0);
    wait_and_say("50 again", pid);
    CHILD("next") SHOW(getpid());
    _exit(0);
  }
  wait_and_say("chosen", pid);
  IS(pid == 31000);
}

TEST(kill_everybody) {
  INIT("init") {
    pid_t kids[3];
    for (int i = 0; i < 3; i++)
      if (!(kids[i] = fork())) for (;;) pause();
    CHILD("killer") SHOW(kill(-1, SIGKILL));
    for (int i = 0; i < 3; i++) wait_and_say("other", kids[i]);
    SHOW(kill(-1, SIGKILL));
  }
}

TEST(process_group_around) {
  // A process group reaches over the border; those outside hear of an unknown sender.
  setpgid(0, 0);
  handle(SIGUSR1, remember);
  INIT("init") {
    signal(SIGUSR1, SIG_IGN);
    SHOW(kill(0, SIGUSR1));
    SHOW(getpgrp());
  }
  say("code %d pid %d", last.si_code, last.si_pid);
}

TEST(procfs) {
  INIT("init") {
    SHOW(unshare(CLONE_NEWNS));
    SHOW(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL));
    char link[64] = "";
    // The instance of before shows this process by another number.
    ssize_t n = readlink("/proc/self", link, sizeof link - 1);
    IS(n > 0 && atoi(link) > 1);
    mkdir("proc", 0755);
    SHOW(mount("proc", "proc", "proc", 0, NULL));
    memset(link, 0, sizeof link);
    SHOW(readlink("proc/self", link, sizeof link - 1));
    say("self %s", link);
    memset(link, 0, sizeof link);
    SHOW(readlink("proc/thread-self", link, sizeof link - 1));
    say("thread-self %s", link);
    pid_t kid = fork();
    if (!kid) for (;;) pause();
    DIR *dir = opendir("proc");
    for (struct dirent *e; (e = readdir(dir));) if (e->d_name[0] >= *"0" && e->d_name[0] <= *"9") say("shows %s", e->d_name);
    closedir(dir);
    for (char const *const *line = (const char *const[]){"Tgid", "Pid", "PPid", "NStgid", "NSpid", "NSpgid", "NSsid", NULL}; *line; line++)
      say_lines("proc/2/status", *line);
    char stat[256] = "";
    int fd = open("proc/2/stat", O_RDONLY);
    read(fd, stat, sizeof stat - 1);
    int pid, ppid, pgid, sid;
    sscanf(stat, "%d (%*[^)]) %*c %d %d %d", &pid, &ppid, &pgid, &sid);
    say("stat %d %d %d %d", pid, ppid, pgid, sid);
    say_dir("proc/2/task");
    say_file("proc/1/task/1/children");
    say_file("proc/sys/kernel/ns_last_pid");
    SHOW(access("proc/3", F_OK));
    kill(kid, SIGKILL);
    waitpid(kid, NULL, 0);
    SHOW(access("proc/2", F_OK));
    // A name space below shows with both numbers.
    int ready[2];
    pipe(ready);
    kid = clone_with(CLONE_NEWPID, 0, 0);
    if (!kid) { tell(ready); for (;;) pause(); }
    told(ready);
    say("nested %d", kid);
    say_lines("proc/3/status", "NSpid");
    say_lines("proc/3/status", "NSpgid");
    say_lines("proc/3/status", "PPid");
    kill(kid, SIGKILL);
    waitpid(kid, NULL, 0);
  }
}

TEST(procfs_from_outside) {
  int ready[2], go[2];
  pipe(ready), pipe(go);
  setsid();
  pid_t pid = clone_with(CLONE_NEWPID, 0, 0);
  if (!pid) {
    setsid();
    tell(ready);
    told(go);
    _exit(0);
  }
  told(ready);
  char path[64], line[256];
  snprintf(path, sizeof path, "/proc/%d/status", pid);
  FILE *file = fopen(path, "r");
  while (fgets(line, sizeof line, file)) {
    int outer = 0, inner = 0;
    for (char const *const *name = (const char *const[]){"NStgid", "NSpid", "NSpgid", "NSsid", NULL}; *name; name++)
      if (!strncmp(line, *name, strlen(*name)) && sscanf(line + strlen(*name) + 1, "%d %d", &outer, &inner) == 2)
        say("%s: own %s, %d", *name, outer == pid ? "yes" : "no", inner);
  }
  fclose(file);
  tell(go);
  wait_and_say("init", pid);
}

TEST(sockets) {
  int pair[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  int on = 1;
  setsockopt(pair[0], SOL_SOCKET, SO_PASSCRED, &on, sizeof on);
  struct ucred cred;
  socklen_t len = sizeof cred;
  INIT("init") {
    getsockopt(pair[1], SOL_SOCKET, SO_PEERCRED, &cred, &len);
    say("peer outside %d", cred.pid);
    write(pair[1], "x", 1);
    int inner[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, inner);
    getsockopt(inner[0], SOL_SOCKET, SO_PEERCRED, &cred, &len);
    say("peer inside %d", cred.pid);
  }
  char byte, control[CMSG_SPACE(sizeof cred)];
  struct iovec iov = {&byte, 1};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  SHOW(recvmsg(pair[0], &msg, 0));
  struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
  memcpy(&cred, CMSG_DATA(c), sizeof cred);
  // Also after its end.
  IS(cred.pid > 1 && cred.pid != getpid());
  write(pair[1], "y", 1);
  INIT("reader") {
    msg.msg_controllen = sizeof control;
    SHOW(recvmsg(pair[0], &msg, 0));
    memcpy(&cred, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof cred);
    say("sender outside %d", cred.pid);
  }
}

TEST(pidfds) {
  int fd = -1;
  struct clone_args args = {.flags = CLONE_NEWPID | CLONE_PIDFD, .exit_signal = SIGCHLD, .pidfd = (uintptr_t)&fd};
  int outside = RAW(pidfd_open, getpid(), 0);
  pid_t pid = RAW(clone3, &args, sizeof args);
  if (!pid) {
    SHOW(RAW(pidfd_send_signal, outside, 0, NULL, 0));
    int own = OKAY(RAW(pidfd_open, 1, 0));
    SHOW(RAW(pidfd_open, 2, 0));
    SHOW(RAW(pidfd_send_signal, own, 0, NULL, 0));
    for (;;) pause();
  }
  sleep_ms(50);
  SHOW(RAW(pidfd_send_signal, fd, SIGKILL, NULL, 0));
  siginfo_t info;
  SHOW(waitid(P_PIDFD, fd, &info, WEXITED));
  IS(info.si_pid == pid);
}

TEST(owner_of_a_file) {
  int pair[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
  fcntl(pair[0], F_SETOWN, getpid());
  IS(fcntl(pair[0], F_GETOWN) == getpid());
  INIT("init") {
    SHOW(fcntl(pair[0], F_GETOWN));
    SHOW(fcntl(pair[0], F_SETOWN, 1));
    SHOW(fcntl(pair[0], F_GETOWN));
    SHOW(fcntl(pair[0], F_SETOWN, 5));
  }
}

TEST(locks) {
  put("file", "text");
  int fd = open("file", O_RDWR);
  struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  fcntl(fd, F_SETLK, &lock);
  INIT("init") {
    SHOW(fcntl(fd, F_GETLK, &lock));
    say("held by %d", lock.l_pid);
  }
}

static int set(const char *path, const char *text) {
  int fd = open(path, O_WRONLY);
  int n = write(fd, text, strlen(text)), error = errno;
  close(fd);
  errno = error;
  return n;
}

TEST(last_number) {
  SHOW(set("/proc/sys/kernel/ns_last_pid", "5000"));
  pid_t child = fork();
  if (!child) _exit(0);
  waitpid(child, NULL, 0);
  say("the next is %d", child);
  SHOW(set("/proc/sys/kernel/ns_last_pid", "-1"));
  SHOW(set("/proc/sys/kernel/ns_last_pid", "x"));
}
