// What every guest program stands on: sections, and lines that say what a call did.
//
// A program prints the same bytes on every correct kernel: results and errno names, never
// addresses, pids, times or anything else that two runs may choose differently.
//
//   TEST(name) { ... }   a section; runs in a child, in a fresh directory of its own
//   ROLE(name) { ... }   what `/guest --role name args…` does; for programs that are executed
//   SHOW(call)           prints `call = 3` or `call = -1 ENOENT`, and is the result
//   OKAY(call)           prints `call = ok` for any result but -1; for values that vary
//   IS(condition)        prints `condition: yes` or `no`
//   say(format, …)       prints a line
#pragma once

#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

// Younger than some C libraries.
#ifndef SYS_fchmodat2
#define SYS_fchmodat2 452
#endif

#define UNUSED __attribute__((unused))

// One line, in one write, so that lines of several processes do not mix.
UNUSED __attribute__((format(printf, 1, 2))) static void say(const char *format, ...) {
  char line[4096];
  va_list args;
  int saved = errno;
  va_start(args, format);
  int n = vsnprintf(line, sizeof line - 1, format, args);
  va_end(args);
  if (n > (int)sizeof line - 2) n = sizeof line - 2;
  line[n++] = '\n';
  for (int at = 0; at < n;) {
    ssize_t w = write(1, line + at, n - at);
    if (w <= 0) break;
    at += w;
  }
  errno = saved;
}

UNUSED static const char *error_name(int error) {
  const char *name = strerrorname_np(error);
  return name ? name : "E?";
}

UNUSED static long show_(const char *call, long result, bool value) {
  int error = errno;
  if (result == -1 && error)
    say("%s = -1 %s", call, error_name(error));
  else if (value)
    say("%s = %ld", call, result);
  else
    say("%s = ok", call);
  errno = error;
  return result;
}

#define SHOW(call) ({ errno = 0; show_(#call, (long)(call), true); })
#define OKAY(call) ({ errno = 0; show_(#call, (long)(call), false); })
#define IS(condition) say("%s: %s", #condition, (condition) ? "yes" : "no")

// A system call by its number, without the C library's own ideas.
#define RAW(name, ...) syscall(SYS_##name, ##__VA_ARGS__)

// How a child ended.
UNUSED static void say_status(const char *who, int status) {
  if (WIFEXITED(status)) say("%s exits %d", who, WEXITSTATUS(status));
  else if (WIFSIGNALED(status)) say("%s killed by SIG%s", who, sigabbrev_np(WTERMSIG(status)));
  else if (WIFSTOPPED(status)) say("%s stopped by SIG%s", who, sigabbrev_np(WSTOPSIG(status)));
  else if (WIFCONTINUED(status)) say("%s continued", who);
  else say("%s status %#x", who, status);
}

UNUSED static void wait_and_say(const char *who, pid_t pid) {
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) say("%s: waitpid: %s", who, error_name(errno));
  else say_status(who, status);
}

// Runs a block in a child and says how it ended: CHILD("name") { …; _exit(3); }
#define CHILD(who) \
  for (pid_t child_ = fork(), once_ = 1; once_; once_ = 0, child_ ? wait_and_say(who, child_) : _exit(0)) \
    if (!child_)

UNUSED static void sleep_ms(int ms) {
  struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
  while (nanosleep(&t, &t) && errno == EINTR) {}
}

UNUSED static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

// Makes a file with this content.
UNUSED static void put(const char *path, const char *text) {
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) say("put %s: %s", path, error_name(errno));
  close(fd);
}

// Prints what a file holds, up to a line's length, with unprintable bytes as dots.
UNUSED static void say_file(const char *path) {
  char text[200];
  int fd = open(path, O_RDONLY);
  ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
  if (n < 0) {
    say("%s: %s", path, error_name(errno));
  } else {
    for (ssize_t i = 0; i < n; i++) if (text[i] < ' ' || text[i] > '~') text[i] = '.';
    text[n] = 0;
    say("%s: [%s]", path, text);
  }
  if (fd >= 0) close(fd);
}

// The names in a directory, sorted, on one line.
UNUSED static void say_dir(const char *path) {
  struct dirent **names;
  char line[4000] = "";
  int n = scandir(path, &names, NULL, alphasort);
  if (n < 0) {
    say("%s: %s", path, error_name(errno));
    return;
  }
  for (int i = 0; i < n; i++) {
    if (strcmp(names[i]->d_name, ".") && strcmp(names[i]->d_name, "..") && strlen(line) + strlen(names[i]->d_name) + 2 < sizeof line) {
      strcat(line, " ");
      strcat(line, names[i]->d_name);
    }
    free(names[i]);
  }
  free(names);
  say("%s:%s", path, line);
}

struct entry_ {
  const char *name;
  void (*run)(int argc, char **argv);
};
static struct entry_ tests_[64], roles_[32];
static int tests_count_, roles_count_;

// Where the section works; absolute.
static char here[256];

#define TEST(name_) \
  static void test_##name_(int argc UNUSED, char **argv UNUSED); \
  __attribute__((constructor)) static void enlist_##name_(void) { tests_[tests_count_++] = (struct entry_){#name_, test_##name_}; } \
  static void test_##name_(int argc UNUSED, char **argv UNUSED)

#define ROLE(name_) \
  static void role_##name_(int argc, char **argv); \
  __attribute__((constructor)) static void enlist_role_##name_(void) { roles_[roles_count_++] = (struct entry_){#name_, role_##name_}; } \
  static void role_##name_(int argc UNUSED, char **argv UNUSED)

static void run_here_(struct entry_ *test) {
  snprintf(here, sizeof here, "%s/%s", getenv("GUEST_DIR"), test->name);
  if (mkdir(here, 0755) && errno != EEXIST) say("mkdir %s: %s", here, error_name(errno));
  if (chdir(here)) say("chdir %s: %s", here, error_name(errno));
  test->run(0, NULL);
}

// Runs one section in a child. Waits by looking, so that a program for one call's sake does
// not lean on others: a section that takes longer than this is cut and says so.
static void run_apart_(struct entry_ *test) {
  enum { SECONDS = 20 };
  say("== %s", test->name);
  pid_t pid = fork();
  if (pid < 0) {
    say("fork: %s", error_name(errno));
    return;
  }
  if (!pid) {
    run_here_(test);
    _exit(0);
  }
  int status = 0;
  int64_t end = now_ms() + SECONDS * 1000;
  for (;;) {
    pid_t got = waitpid(-1, &status, WNOHANG);
    if (got == pid) break;
    if (got > 0) continue;
    if (now_ms() > end) {
      kill(pid, SIGKILL);
      waitpid(pid, &status, 0);
      say("hangs");
      break;
    }
    usleep(500);
  }
  if (WIFSIGNALED(status)) say("section killed by SIG%s", sigabbrev_np(WTERMSIG(status)));
  else if (WEXITSTATUS(status)) say("section exits %d", WEXITSTATUS(status));
  // Only as the first process of a container, where everyone else is a leftover of ours.
  if (getpid() == 1) {
    kill(-1, SIGKILL);
    while (waitpid(-1, NULL, 0) > 0) {}
  }
}

int main(int argc, char **argv) {
  if (argc > 2 && !strcmp(argv[1], "--role")) {
    for (int i = 0; i < roles_count_; i++)
      if (!strcmp(roles_[i].name, argv[2])) {
        roles_[i].run(argc - 3, argv + 3);
        return 0;
      }
    say("no role %s", argv[2]);
    return 2;
  }
  if (!getenv("GUEST_DIR")) { // executed by a test, without a role
    say("%d arguments, the first [%s]", argc, argv[0]);
    return 0;
  }
  umask(022);
  for (int i = 0; i < tests_count_; i++) {
    if (argc == 1) run_apart_(&tests_[i]);
    else if (!strcmp(argv[1], tests_[i].name)) run_here_(&tests_[i]); // alone, in this process
  }
  return 0;
}
