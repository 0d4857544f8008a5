// Leases, and what else fcntl(2) knows of a file: hints, and who made it.
#include "guest.h"

static int told, told_fd, told_code;

static void on_signal(int number, siginfo_t *info, void *context) {
  told++;
  told_fd = info->si_fd;
  told_code = info->si_code;
}

static void listen_for(int number) {
  struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigaction(number, &action, NULL);
}

TEST(taking) {
  put("f", "text");
  mkdir("d", 0755);
  int reader = open("f", O_RDONLY), dir = open("d", O_RDONLY);
  SHOW(fcntl(reader, F_GETLEASE));
  SHOW(fcntl(reader, F_SETLEASE, F_UNLCK));
  SHOW(fcntl(reader, F_SETLEASE, 9));
  SHOW(fcntl(dir, F_SETLEASE, F_WRLCK));
  SHOW(fcntl(reader, F_SETLEASE, F_RDLCK));
  SHOW(fcntl(reader, F_GETLEASE));
  SHOW(fcntl(reader, F_GETOWN) == getpid());
  int other = open("f", O_RDONLY);
  SHOW(fcntl(other, F_SETLEASE, F_RDLCK));
  SHOW(fcntl(other, F_SETLEASE, F_WRLCK));
  SHOW(fcntl(other, F_SETLEASE, F_UNLCK));
  close(other);
  SHOW(fcntl(reader, F_SETLEASE, F_WRLCK));
  SHOW(fcntl(reader, F_GETLEASE));
  SHOW(fcntl(reader, F_SETLEASE, F_UNLCK));
  SHOW(fcntl(reader, F_GETLEASE));
  int writer = open("f", O_RDWR);
  SHOW(fcntl(writer, F_SETLEASE, F_RDLCK));
  SHOW(fcntl(writer, F_SETLEASE, F_WRLCK));
  close(reader);
  SHOW(fcntl(writer, F_SETLEASE, F_WRLCK));
  int copy = dup(writer);
  SHOW(fcntl(copy, F_GETLEASE));
  close(writer);
  SHOW(fcntl(copy, F_GETLEASE));
  chmod(".", 0777), chmod("f", 0666);
  close(copy);
  CHILD("a stranger") {
    setgid(1000), setuid(1000);
    int fd = open("f", O_RDONLY);
    SHOW(fcntl(fd, F_SETLEASE, F_RDLCK));
  }
}

TEST(breaking) {
  put("f", "text");
  listen_for(SIGIO), listen_for(SIGRTMIN);
  int holder = open("f", O_RDONLY);
  fcntl(holder, F_SETLEASE, F_RDLCK);
  // Readers do no harm.
  int other = SHOW(open("f", O_RDONLY | O_NONBLOCK) >= 0);
  SHOW(told);
  SHOW(open("f", O_WRONLY | O_NONBLOCK));
  SHOW(told);
  SHOW(fcntl(holder, F_GETLEASE));
  // It is told once.
  SHOW(open("f", O_RDONLY | O_TRUNC | O_NONBLOCK));
  SHOW(told);
  SHOW(fcntl(holder, F_SETLEASE, F_UNLCK));
  int writer = open("f", O_WRONLY | O_NONBLOCK);
  IS(writer >= 0);
  close(writer);
  close(holder);
  // A signal of one's choice says which file it is.
  put("g", "text");
  holder = open("g", O_RDWR);
  fcntl(holder, F_SETSIG, SIGRTMIN);
  fcntl(holder, F_SETLEASE, F_WRLCK);
  told = 0;
  SHOW(open("g", O_RDONLY | O_NONBLOCK));
  SHOW(told);
  IS(told_fd == holder);
  say("code %d", told_code);
  SHOW(fcntl(holder, F_GETLEASE));
  SHOW(open("g", O_WRONLY | O_NONBLOCK));
  SHOW(told);
  SHOW(fcntl(holder, F_GETLEASE));
  SHOW(fcntl(holder, F_SETLEASE, F_UNLCK));
  SHOW(access("g", R_OK));
}

// Somebody else waits until the holder gives the lease up.
static void on_break(int number) {
  told++;
}

TEST(waiting) {
  put("f", "text");
  int ends[2];
  pipe(ends);
  signal(SIGIO, on_break);
  sigset_t io;
  sigemptyset(&io), sigaddset(&io, SIGIO);
  sigprocmask(SIG_BLOCK, &io, NULL);
  int holder = open("f", O_RDONLY);
  fcntl(holder, F_SETLEASE, F_WRLCK);
  pid_t child = fork();
  if (!child) {
    close(holder);
    int fd = open("f", O_RDONLY);
    write(ends[1], "c", 1);
    _exit(fd >= 0 ? 7 : 8);
  }
  SHOW(sigtimedwait(&io, NULL, &(struct timespec){15, 0}) == SIGIO);
  struct pollfd opened = {ends[0], POLLIN};
  SHOW(poll(&opened, 1, 0));
  SHOW(fcntl(holder, F_GETLEASE));
  SHOW(fcntl(holder, F_SETLEASE, F_RDLCK));
  wait_and_say("the opener", child);
  child = fork();
  if (!child) _exit(truncate("f", 1) ? 8 : 7);
  SHOW(sigtimedwait(&io, NULL, &(struct timespec){15, 0}) == SIGIO);
  SHOW(fcntl(holder, F_SETLEASE, F_UNLCK));
  wait_and_say("who truncates", child);
}

TEST(hints) {
  uint64_t hint = 9;
  int made = open("new", O_RDWR | O_CREAT, 0600), found = open("new", O_RDWR | O_CREAT, 0600);
  SHOW(fcntl(made, F_GET_RW_HINT, &hint));
  say("hint %ld", (long)hint);
  hint = 3;
  SHOW(fcntl(made, F_SET_RW_HINT, &hint));
  hint = 6;
  SHOW(fcntl(made, F_SET_RW_HINT, &hint));
  SHOW(fcntl(found, F_GET_RW_HINT, &hint));
  say("hint %ld", (long)hint);
  SHOW(fcntl(made, F_SET_RW_HINT, (void *)1));
  SHOW(fcntl(made, 1028));  // F_CREATED_QUERY
  SHOW(fcntl(found, 1028));
}
