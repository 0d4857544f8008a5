// TCP over the loopback: how connections begin, carry data and end.
#include "guest.h"
#include "net.h"

TEST(refused_and_unbound) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 9);
  SHOW(connect(s, SA(a), sizeof a));
  say_poll("after refusal", s);
  SHOW(send(s, "x", 1, MSG_NOSIGNAL));
  SHOW(recv(s, (char[1]){0}, 1, 0));
  SHOW(getpeername(s, SA(a), &(socklen_t){sizeof a}));
  close(s);
  s = socket(AF_INET, SOCK_STREAM, 0);
  say_poll("fresh", s);
  SHOW(send(s, "x", 1, MSG_NOSIGNAL));
  SHOW(recv(s, (char[1]){0}, 1, 0));
  SHOW(shutdown(s, SHUT_RDWR));
  SHOW(accept(s, 0, 0));
  say_name("fresh", s);
  a = v4(0x08080808, 53);
  a.sin_family = AF_INET6;
  SHOW(connect(s, SA(a), sizeof a));
  SHOW(connect(s, SA(a), 4));
  SHOW(listen(s, 5));
  say_poll("listening", s);
  SHOW(connect(s, SA(a), sizeof a));
  SHOW(recv(s, (char[1]){0}, 1, 0));
  SHOW(send(s, "x", 1, MSG_NOSIGNAL));
}

TEST(nonblocking_connect) {
  struct sockaddr_in a;
  int l = listener(AF_INET, 5, &a);
  int s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  SHOW(connect(s, SA(a), sizeof a));
  say_poll("connecting", s);
  SHOW(so_error(s));
  SHOW(connect(s, SA(a), sizeof a));
  SHOW(connect(s, SA(a), sizeof a));
  int c = accept(l, 0, 0);
  say_poll("accepted", c);
  close(c), close(s);
  s = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
  close(l);
  SHOW(connect(s, SA(a), sizeof a));
  say_poll("refused", s);
  SHOW(so_error(s));
  SHOW(so_error(s));
  say_poll("refused, told", s);
  SHOW(connect(s, SA(a), sizeof a));
  say_poll("after that", s);
}

TEST(accept_forms) {
  struct sockaddr_in a, b;
  socklen_t n;
  int l = listener(AF_INET, 5, &a);
  fcntl(l, F_SETFL, O_NONBLOCK);
  SHOW(accept(l, 0, 0));
  int s = client(&a);
  say_poll("one waits", l);
  memset(&b, 0, sizeof b), n = sizeof b;
  int c = accept4(l, SA(b), &n, SOCK_CLOEXEC);
  IS(c >= 0);
  SHOW(n);
  SHOW(fcntl(c, F_GETFD));
  SHOW(fcntl(c, F_GETFL) & O_NONBLOCK);
  struct sockaddr_in own;
  getsockname(s, SA(own), &(socklen_t){sizeof own});
  IS(own.sin_port == b.sin_port && own.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
  getpeername(s, SA(own), &(socklen_t){sizeof own});
  IS(own.sin_port == a.sin_port);
  SHOW(accept4(l, 0, 0, 0x40));
  SHOW(accept(c, 0, 0));
  SHOW(accept(0, 0, 0));
}

TEST(half_close) {
  int s, c;
  pair(AF_INET, &s, &c);
  char b[10];
  SHOW(send(s, "hello", 5, 0));
  SHOW(shutdown(s, SHUT_WR));
  say_poll("who shut", s);
  say_poll("the other", c);
  SHOW(recv(c, b, 10, 0));
  SHOW(recv(c, b, 10, 0));
  SHOW(send(s, "x", 1, MSG_NOSIGNAL));
  SHOW(send(c, "back", 4, 0));
  SHOW(recv(s, b, 10, 0));
  SHOW(shutdown(c, SHUT_WR));
  say_poll("both shut", s);
  say_poll("both shut, the other", c);
  SHOW(shutdown(s, SHUT_RDWR));
  SHOW(shutdown(s, 7));
  struct sockaddr_in a;
  SHOW(getpeername(s, SA(a), &(socklen_t){sizeof a}));
}

TEST(read_shut) {
  int s, c;
  pair(AF_INET, &s, &c);
  char b[10];
  SHOW(shutdown(s, SHUT_RD));
  say_poll("shut", s);
  SHOW(recv(s, b, 10, 0));
  SHOW(send(c, "still", 5, 0));
  SHOW(recv(s, b, 10, 0));
  SHOW(recv(s, b, 10, 0));
}

TEST(close_with_unread_data) {
  int s, c;
  pair(AF_INET, &s, &c);
  char b[10];
  send(s, "unread", 6, 0);
  close(c);
  say_poll("reset", s);
  SHOW(recv(s, b, 10, 0));
  SHOW(recv(s, b, 10, 0));
  SHOW(send(s, "x", 1, MSG_NOSIGNAL));
  pair(AF_INET, &s, &c);
  send(c, "data", 4, 0), send(s, "unread", 6, 0);
  close(c);
  SHOW(so_error(s));
  SHOW(recv(s, b, 10, 0));
  SHOW(recv(s, b, 10, 0));
}

TEST(write_after_close) {
  int s, c;
  pair(AF_INET, &s, &c);
  char b[10];
  close(c);
  say_poll("closed", s);
  SHOW(send(s, "x", 1, MSG_NOSIGNAL));
  say_poll("written", s);
  SHOW(send(s, "x", 1, MSG_NOSIGNAL));
  SHOW(recv(s, b, 10, 0));
  SHOW(so_error(s));
  CHILD("a writer") {
    pair(AF_INET, &s, &c);
    close(c);
    write(s, "x", 1), write(s, "x", 1), write(s, "x", 1);
  }
}

TEST(linger_zero) {
  int s, c;
  pair(AF_INET, &s, &c);
  char b[10];
  struct linger l = {1, 0};
  SHOW(setsockopt(c, SOL_SOCKET, SO_LINGER, &l, sizeof l));
  send(c, "data", 4, 0);
  close(c);
  say_poll("reset", s);
  SHOW(recv(s, b, 10, 0));
  SHOW(recv(s, b, 10, 0));
  SHOW(recv(s, b, 10, 0));
  SHOW(send(s, "x", 1, MSG_NOSIGNAL));
}

TEST(disconnect) {
  struct sockaddr_in a;
  int l = listener(AF_INET, 5, &a);
  int s = client(&a), c = accept(l, 0, 0);
  struct sockaddr u = {.sa_family = AF_UNSPEC};
  SHOW(connect(s, &u, sizeof u));
  char b[4];
  SHOW(recv(c, b, 4, 0));
  say_poll("disconnected", s);
  SHOW(connect(s, SA(a), sizeof a));
  c = accept(l, 0, 0);
  SHOW(send(s, "hi", 2, 0));
  SHOW(recv(c, b, 4, 0));
}

TEST(listener_closes) {
  struct sockaddr_in a;
  int l = listener(AF_INET, 5, &a);
  int s = client(&a);
  close(l);
  say_poll("never accepted", s);
  char b[4];
  SHOW(recv(s, b, 4, 0));
}

TEST(shut_listener) {
  struct sockaddr_in a;
  int l = listener(AF_INET, 5, &a);
  SHOW(shutdown(l, SHUT_WR));
  SHOW(shutdown(l, SHUT_RD));
  SHOW(accept(l, 0, 0));
  say_poll("no listener any more", l);
  SHOW(listen(l, 1));
  IS(client(&a) >= 0);
}

TEST(backlog) {
  struct sockaddr_in a;
  int l = listener(AF_INET, 1, &a), s[6];
  for (int i = 0; i < 4; i++) {
    s[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    connect(s[i], SA(a), sizeof a);
  }
  sleep_ms(20);
  int ready = 0;
  for (int i = 0; i < 4; i++) ready += poll(&(struct pollfd){s[i], POLLOUT, 0}, 1, 0);
  SHOW(ready);
  fcntl(l, F_SETFL, O_NONBLOCK);
  for (int i = 0; i < 2; i++) IS(accept(l, 0, 0) >= 0);
}

TEST(peek_trunc_waitall) {
  int s, c;
  pair(AF_INET, &s, &c);
  char b[20] = "";
  send(s, "abcdef", 6, 0);
  SHOW(recv(c, b, 3, MSG_PEEK));
  SHOW(recv(c, b, 2, MSG_TRUNC));
  SHOW(recv(c, b, 20, MSG_PEEK)), say("%.4s", b);
  int n;
  SHOW(ioctl(c, FIONREAD, &n)), SHOW(n);
  pid_t kid = fork();
  if (!kid) { sleep_ms(30), send(s, "123456", 6, 0); _exit(0); }
  SHOW(recv(c, b, 10, MSG_WAITALL)), say("%.10s", b);
  waitpid(kid, 0, 0);
  SHOW(recv(c, b, 10, MSG_DONTWAIT));
  SHOW(recv(c, b, 0, MSG_DONTWAIT));
  SHOW(send(s, b, 0, 0));
  SHOW(recv(c, b, 10, MSG_ERRQUEUE));
}

TEST(urgent) {
  int s, c, n;
  pair(AF_INET, &s, &c);
  char b[20] = "";
  SHOW(recv(c, b, 1, MSG_OOB));
  send(s, "abc", 3, 0), send(s, "deU", 3, MSG_OOB), send(s, "fgh", 3, 0);
  say_poll("urgent", c);
  SHOW(ioctl(c, SIOCATMARK, &n)), SHOW(n);
  SHOW(recv(c, b, 20, 0)), say("%.5s", b);
  SHOW(ioctl(c, SIOCATMARK, &n)), SHOW(n);
  SHOW(recv(c, b, 20, MSG_OOB)), say("%.1s", b);
  SHOW(recv(c, b, 20, MSG_OOB));
  SHOW(recv(c, b, 20, 0)), say("%.3s", b);
  int one = 1;
  setsockopt(c, SOL_SOCKET, SO_OOBINLINE, &one, sizeof one);
  send(s, "ijK", 3, MSG_OOB);
  SHOW(recv(c, b, 20, MSG_OOB));
  SHOW(recv(c, b, 20, 0)), say("%.2s", b);
  SHOW(recv(c, b, 20, 0)), say("%.1s", b);
}

TEST(back_pressure) {
  int s, c;
  pair(AF_INET, &s, &c);
  fcntl(s, F_SETFL, O_NONBLOCK);
  static char b[65536];
  long sent = 0, got = 0, n;
  while ((n = send(s, b, sizeof b, 0)) > 0) sent += n;
  IS(sent > 100000 && errno == EAGAIN);
  say_poll("full", s);
  while (got < sent && (n = recv(c, b, sizeof b, 0)) > 0) got += n;
  IS(got == sent);
  say_poll("empty", s);
}

TEST(much_data) {
  int s, c;
  pair(AF_INET, &s, &c);
  enum { TOTAL = 20 << 20 };
  pid_t kid = fork();
  static unsigned char b[100000];
  if (!kid) {
    unsigned x = 1, sum = 0;
    for (long left = TOTAL; left > 0;) {
      long n = 1 + x % sizeof b, w;
      if (n > left) n = left;
      for (long i = 0; i < n; i++) b[i] = x = x * 1103515245 + 12345, sum += b[i];
      for (long at = 0; at < n; at += w) if ((w = write(s, b + at, n - at)) < 0) _exit(1);
      left -= n;
    }
    close(s);
    _exit(0);
  }
  close(s);
  unsigned x = 1;
  long total = 0, n, bad = 0;
  for (long left = TOTAL; left > 0;) {
    long piece = 1 + x % sizeof b;
    if (piece > left) piece = left;
    if ((n = recv(c, b, piece, MSG_WAITALL)) != piece) break;
    for (long i = 0; i < n; i++) x = x * 1103515245 + 12345, bad += b[i] != (unsigned char)x;
    total += n, left -= n;
  }
  SHOW(total), SHOW(bad);
  SHOW(recv(c, b, 1, 0));
  wait_and_say("writer", kid);
}

TEST(timeouts) {
  int s, c;
  pair(AF_INET, &s, &c);
  struct timeval t = {0, 30000};
  SHOW(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
  SHOW(recv(s, (char[1]){0}, 1, 0));
  SHOW(read(s, (char[1]){0}, 1));
  struct sockaddr_in a;
  int l = listener(AF_INET, 1, &a);
  SHOW(setsockopt(l, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t));
  SHOW(accept(l, 0, 0));
  static char b[1 << 20];
  SHOW(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t));
  // How often there is room again is the receiver's business, whose buffer grows.
  int sent = 0;
  while (send(s, b, sizeof b, 0) > 0) sent++;
  IS(sent > 0 && errno == EAGAIN);
  t.tv_usec = 1000000;
  SHOW(setsockopt(s, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t));
}

static void nothing(int s UNUSED) {}

TEST(interrupted) {
  int s, c;
  pair(AF_INET, &s, &c);
  struct sockaddr_in a;
  int l = listener(AF_INET, 1, &a);
  sigaction(SIGALRM, &(struct sigaction){.sa_handler = nothing}, 0);
  struct itimerval soon = {{0, 0}, {0, 30000}};
  setitimer(ITIMER_REAL, &soon, 0);
  SHOW(recv(s, (char[1]){0}, 1, 0));
  setitimer(ITIMER_REAL, &soon, 0);
  SHOW(accept(l, 0, 0));
  sigaction(SIGALRM, &(struct sigaction){.sa_handler = nothing, .sa_flags = SA_RESTART}, 0);
  setitimer(ITIMER_REAL, &soon, 0);
  pid_t kid = fork();
  if (!kid) { sleep_ms(80), send(c, "x", 1, 0); _exit(0); }
  SHOW(recv(s, (char[1]){0}, 1, 0));
  waitpid(kid, 0, 0);
}

TEST(epoll_edges) {
  int s, c, e = epoll_create1(0);
  pair(AF_INET, &s, &c);
  struct epoll_event v = {.events = EPOLLIN | EPOLLOUT | EPOLLET | EPOLLRDHUP};
  epoll_ctl(e, EPOLL_CTL_ADD, c, &v);
  SHOW(epoll_wait(e, &v, 1, 0)), SHOW(v.events);
  SHOW(epoll_wait(e, &v, 1, 0));
  send(s, "a", 1, 0);
  SHOW(epoll_wait(e, &v, 1, 100)), SHOW(v.events);
  SHOW(epoll_wait(e, &v, 1, 0));
  send(s, "b", 1, 0);
  SHOW(epoll_wait(e, &v, 1, 100)), SHOW(v.events);
  shutdown(s, SHUT_WR);
  SHOW(epoll_wait(e, &v, 1, 100)), SHOW(v.events);
  SHOW(epoll_wait(e, &v, 1, 0));
  v.events = EPOLLIN | EPOLLONESHOT;
  epoll_ctl(e, EPOLL_CTL_MOD, c, &v);
  SHOW(epoll_wait(e, &v, 1, 0)), SHOW(v.events);
  SHOW(epoll_wait(e, &v, 1, 0));
}

TEST(v6_and_both) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6}, b;
  socklen_t n = sizeof a;
  int l = socket(AF_INET6, SOCK_STREAM, 0);
  SHOW(bind(l, SA(a), sizeof a));
  SHOW(listen(l, 5));
  getsockname(l, SA(a), &n);
  struct sockaddr_in four = v4(INADDR_LOOPBACK, ntohs(a.sin6_port));
  int s = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(s, SA(four), sizeof four));
  n = sizeof b;
  int c = accept(l, SA(b), &n);
  SHOW(n);
  IS(IN6_IS_ADDR_V4MAPPED(&b.sin6_addr));
  say_name("accepted", c), say_name("client", s);
  a.sin6_addr = in6addr_loopback;
  s = socket(AF_INET6, SOCK_STREAM, 0);
  SHOW(connect(s, SA(a), sizeof a));
  c = accept(l, SA(b), &n);
  IS(IN6_IS_ADDR_LOOPBACK(&b.sin6_addr));
  int one = 1, d = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(bind(d, SA(four), sizeof four));
  close(l);
  l = socket(AF_INET6, SOCK_STREAM, 0);
  SHOW(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
  a = (struct sockaddr_in6){.sin6_family = AF_INET6};
  SHOW(bind(l, SA(a), sizeof a));
  SHOW(setsockopt(l, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
  SHOW(listen(l, 5));
  n = sizeof a, getsockname(l, SA(a), &n);
  four.sin_port = a.sin6_port;
  s = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(s, SA(four), sizeof four));
  inet_pton(AF_INET6, "::ffff:127.0.0.1", &a.sin6_addr);
  s = socket(AF_INET6, SOCK_STREAM, 0);
  SHOW(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one));
  SHOW(connect(s, SA(a), sizeof a));
  SHOW(bind(s, SA(a), sizeof a));
  SHOW(connect(s, SA(four), sizeof four));
}

TEST(any_address_means_this_host) {
  struct sockaddr_in a, p;
  int l = listener(AF_INET, 5, &a);
  a.sin_addr.s_addr = 0;
  int s = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(s, SA(a), sizeof a));
  getpeername(s, SA(p), &(socklen_t){sizeof p});
  IS(p.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
  a.sin_addr.s_addr = htonl(0x7f020304);
  s = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(s, SA(a), sizeof a));
  close(l);
  l = socket(AF_INET, SOCK_STREAM, 0);
  a.sin_port = 0;
  SHOW(bind(l, SA(a), sizeof a)), SHOW(listen(l, 1));
  getsockname(l, SA(a), &(socklen_t){sizeof a});
  s = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(s, SA(a), sizeof a));
  getsockname(s, SA(p), &(socklen_t){sizeof p});
  say("%#x", ntohl(p.sin_addr.s_addr));
}
