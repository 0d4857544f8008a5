// fifo(7): opening, blocking, ends.
#include "guest.h"

TEST(opening) {
  SHOW(mkfifo("p", 0600));
  SHOW(mkfifo("p", 0600));
  SHOW(mkfifo("missing/p", 0600));
  SHOW(open("p", O_WRONLY | O_NONBLOCK));
  int r = SHOW(open("p", O_RDONLY | O_NONBLOCK));
  char b[8] = "";
  SHOW(read(r, b, 8)); // no writer: the end
  int w = SHOW(open("p", O_WRONLY | O_NONBLOCK));
  SHOW(read(r, b, 8));
  SHOW(write(w, "hello", 5));
  SHOW(read(r, b, 2));
  SHOW(read(r, b, 8));
  close(w);
  SHOW(read(r, b, 8));
  signal(SIGPIPE, SIG_IGN);
  w = open("p", O_WRONLY), close(r);
  SHOW(write(w, "x", 1));
  r = SHOW(open("p", O_RDWR));
  SHOW(write(r, "self", 4));
  SHOW(read(r, b, 8));
  SHOW(lseek(r, 0, SEEK_SET));
  SHOW(pread(r, b, 1, 0));
  struct stat st;
  fstat(r, &st), say("%o %d", st.st_mode, (int)st.st_size);
}

TEST(rendezvous) {
  mkfifo("p", 0600);
  pid_t kid = fork();
  if (!kid) {
    int w = open("p", O_WRONLY);
    say("writer is in");
    sleep_ms(30), write(w, "through", 7);
    _exit(0);
  }
  sleep_ms(60);
  int r = open("p", O_RDONLY);
  char b[16] = "";
  sleep_ms(10);
  SHOW(read(r, b, 15));
  say("%s", b);
  SHOW(read(r, b, 15));
  wait_and_say("writer", kid);
}

static void nothing(int signal UNUSED) {}

TEST(interrupted_opening) {
  mkfifo("p", 0600);
  sigaction(SIGALRM, &(struct sigaction){.sa_handler = nothing}, 0);
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 50000}}, 0);
  SHOW(open("p", O_RDONLY));
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 50000}}, 0);
  SHOW(open("p", O_WRONLY));
}

TEST(polling) {
  mkfifo("p", 0600);
  int r = open("p", O_RDONLY | O_NONBLOCK), w;
  struct pollfd f = {r, POLLIN, 0};
  say("%d %x", poll(&f, 1, 0), f.revents); // nobody has written yet: no hangup
  w = open("p", O_WRONLY), f.revents = 0;
  say("%d %x", poll(&f, 1, 0), f.revents);
  write(w, "x", 1);
  say("%d %x", poll(&f, 1, 0), f.revents);
  close(w);
  say("%d %x", poll(&f, 1, 0), f.revents);
  read(r, &(char){0}, 1);
  say("%d %x", poll(&f, 1, 0), f.revents);
  w = open("p", O_WRONLY), f.revents = 0;
  say("%d %x", poll(&f, 1, 0), f.revents);
  f = (struct pollfd){w, POLLOUT, 0}, close(r);
  say("%d %x", poll(&f, 1, 0), f.revents);
}

TEST(many_writers) {
  mkfifo("p", 0600);
  for (int k = 0; k < 4; k++)
    if (!fork()) {
      int w = open("p", O_WRONLY);
      char line[64];
      memset(line, 'a' + k, 63), line[63] = '\n';
      for (int i = 0; i < 200; i++) write(w, line, 64);
      _exit(0);
    }
  int r = open("p", O_RDONLY), total = 0, torn = 0, fill = 0;
  char b[64];
  for (int n; (n = read(r, b + fill, 64 - fill)) > 0 || total < 4 * 200 * 64;) {
    if (n <= 0) { sleep_ms(1); continue; }
    total += n, fill += n;
    if (fill == 64) { fill = 0; for (int i = 1; i < 63; i++) torn += b[i] != b[0]; }
  }
  say("%d bytes, %d torn", total, torn);
  while (wait(NULL) > 0) {}
}
