// O_ASYNC: who is told of what happens to a pipe.
#include "guest.h"

static int told, from, what;

static void on_signal(int number, siginfo_t *info, void *context) {
  told++, from = info->si_fd, what = info->si_code;
}

static void watch(int fd) {
  fcntl(fd, F_SETOWN, getpid());
  fcntl(fd, F_SETSIG, SIGUSR1);
  SHOW(fcntl(fd, F_SETFL, O_ASYNC | O_NONBLOCK));
}

static void say_told(const char *after, int fd) {
  if (told) say("%s: told %d times, code %d, fd as expected: %s", after, told, what, from == fd ? "yes" : "no");
  else say("%s: not told", after);
  told = 0;
}

TEST(reader) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  int ends[2];
  char text[8];
  pipe(ends);
  watch(ends[0]);
  write(ends[1], "text", 4);
  say_told("a write", ends[0]);
  read(ends[0], text, 2);
  say_told("a read of its own", ends[0]);
  read(ends[0], text, 8);
  say_told("a read of all", ends[0]);
  fcntl(ends[0], F_SETFL, 0);
  write(ends[1], "text", 4);
  say_told("no longer", ends[0]);
}

TEST(writer) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
  sigaction(SIGUSR1, &action, NULL);
  static char page[65536];
  int ends[2];
  pipe(ends);
  watch(ends[1]);
  write(ends[1], page, sizeof page);
  say_told("a write of its own", ends[1]);
  read(ends[0], page, sizeof page);
  say_told("room", ends[1]);
}
