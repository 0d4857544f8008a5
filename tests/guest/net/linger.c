// close(2) of a stream with SO_LINGER: it waits until the other side has what was sent.
#include "guest.h"
#include "net.h"
#include <netinet/tcp.h>

static atomic_int closed;
static int victim, result;

// A connection whose receiver's buffer is full, and something is left to send. What was sent.
static int stuffed(int *s, int *c) {
  struct sockaddr_in a;
  int l = socket(AF_INET, SOCK_STREAM, 0), small = 4096, sent = 0;
  a = v4(INADDR_LOOPBACK, 0);
  setsockopt(l, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
  bind(l, SA(a), sizeof a), listen(l, 5), getsockname(l, SA(a), &(socklen_t){sizeof a});
  *c = socket(AF_INET, SOCK_STREAM, 0);
  connect(*c, SA(a), sizeof a);
  *s = accept(l, 0, 0);
  close(l);
  char b[1000];
  memset(b, 'x', sizeof b);
  for (;;) {
    int n = send(*c, b, sizeof b, MSG_DONTWAIT);
    if (n <= 0) break;
    sent += n;
  }
  return sent;
}

static void linger(int s, int on, int seconds) {
  struct linger l = {on, seconds};
  SHOW(setsockopt(s, SOL_SOCKET, SO_LINGER, &l, sizeof l));
}

static void *closer(void *unused UNUSED) {
  result = close(victim);
  closed = 1;
  return NULL;
}

static int drain(int s) {
  char b[4096];
  int got = 0, n;
  while ((n = recv(s, b, sizeof b, 0)) > 0) got += n;
  say("the end: %d", n);
  return got;
}

// Whether what a thread closes is closed after a while, and when all has been received.
static void say_closing(void *(*how)(void *), int after_ms, int s, int sent) {
  pthread_t t;
  pthread_create(&t, 0, how, 0);
  sleep_ms(after_ms);
  say("closed %d", closed);
  say("all of it: %d", drain(s) == sent);
  pthread_join(t, 0);
  say("closing %d", result);
}

TEST(waits) {
  int s, sent = stuffed(&s, &victim);
  linger(victim, 1, 100);
  pthread_t t;
  pthread_create(&t, 0, closer, 0);
  sleep_ms(300);
  say("closed %d", closed);
  SHOW(fcntl(victim, F_GETFD));
  say("all of it: %d", drain(s) == sent);
  pthread_join(t, 0);
  say("closing %d", result);
  say("closed %d", closed);
}

TEST(even_nonblocking) {
  int s, sent = stuffed(&s, &victim);
  linger(victim, 1, 100);
  fcntl(victim, F_SETFL, O_NONBLOCK);
  say_closing(closer, 300, s, sent);
}

TEST(for_a_time) {
  int s, sent = stuffed(&s, &victim);
  linger(victim, 1, 1);
  int64_t begin = now_ms();
  SHOW(close(victim));
  say("waited %d", now_ms() - begin >= 900);
  say("all of it: %d", drain(s) == sent);
}

TEST(not_at_all) {
  int s, sent = stuffed(&s, &victim);
  SHOW(close(victim));
  say("all of it: %d", drain(s) == sent);
  sent = stuffed(&s, &victim);
  linger(victim, 0, 100);
  SHOW(close(victim));
  say("all of it: %d", drain(s) == sent);
}

TEST(one_of_two_descriptors) {
  int s, sent = stuffed(&s, &victim);
  linger(victim, 1, 100);
  int other = dup(victim);
  SHOW(close(victim));
  victim = other;
  say_closing(closer, 100, s, sent);
}

static void *duplicates(void *unused UNUSED) {
  result = dup2(1, victim) == victim;
  closed = 1;
  return NULL;
}

TEST(by_dup2) {
  int s, sent = stuffed(&s, &victim);
  linger(victim, 1, 100);
  say_closing(duplicates, 300, s, sent);
}

// Who exits does not wait.
TEST(at_the_end) {
  int s, sent = stuffed(&s, &victim);
  linger(victim, 1, 100);
  pid_t pid = fork();
  if (!pid) {
    close(s);
    sleep_ms(200);
    _exit(4);
  }
  SHOW(close(victim));
  wait_and_say("who had the last", pid);
  say("all of it: %d", drain(s) == sent);
}

static void hit(int sig UNUSED) {}

TEST(until_a_signal) {
  int s, sent = stuffed(&s, &victim);
  linger(victim, 1, 100);
  struct sigaction a = {.sa_handler = hit};
  sigaction(SIGALRM, &a, 0);
  struct itimerval v = {.it_value = {.tv_usec = 200000}};
  setitimer(ITIMER_REAL, &v, 0);
  SHOW(close(victim));
  SHOW(close(victim));
  say("all of it: %d", drain(s) == sent);
}

// Left unread: a reset, at once.
TEST(unread) {
  int s;
  stuffed(&s, &victim);
  send(s, "y", 1, 0);
  sleep_ms(50);
  linger(victim, 1, 100);
  SHOW(close(victim));
  char b[100];
  SHOW(recv(s, b, sizeof b, MSG_WAITALL) > 0 || errno == ECONNRESET);
}
