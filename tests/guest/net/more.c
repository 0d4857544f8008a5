// MSG_MORE and UDP_CORK: a message that grows from one call to the next.
#include "guest.h"
#include "net.h"
#include <netinet/udp.h>

static void got(const char *what, int s) {
  static char b[70000];
  int n = recv(s, b, sizeof b, MSG_DONTWAIT);
  if (n < 0) say("%s: %s", what, error_name(errno));
  else say("%s: %d [%.*s]", what, n, n > 20 ? 20 : n, b);
}

static struct sockaddr_in here4(int s) {
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  bind(s, SA(a), sizeof a), getsockname(s, SA(a), &(socklen_t){sizeof a});
  return a;
}

static struct sockaddr_in6 here6(int s) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  bind(s, SA(a), sizeof a), getsockname(s, SA(a), &(socklen_t){sizeof a});
  return a;
}

TEST(udp) {
  int l = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0), one = 1, zero = 0;
  struct sockaddr_in a = here4(l), other = v4(INADDR_LOOPBACK, 9);
  SHOW(connect(c, SA(a), sizeof a));
  SHOW(send(c, "ab", 2, MSG_MORE)), got("more", l);
  SHOW(send(c, "cd", 2, 0)), got("whole", l);
  SHOW(send(c, "ab", 2, MSG_MORE));
  SHOW(sendto(c, "xx", 2, 0, SA(other), sizeof other)), got("to another", l);
  SHOW(send(c, "ab", 2, MSG_MORE)), SHOW(connect(c, SA(a), sizeof a));
  SHOW(send(c, "z", 1, 0)), got("connected again", l);
  SHOW(setsockopt(c, SOL_UDP, UDP_CORK, &one, 4));
  SHOW(send(c, "1", 1, 0)), SHOW(send(c, "2", 1, 0)), got("corked", l);
  SHOW(setsockopt(c, SOL_UDP, UDP_CORK, &zero, 4)), got("no longer", l);
  SHOW(send(c, "ab", 2, MSG_MORE)), SHOW(send(c, "", 0, 0)), got("an empty end", l);
  SHOW(send(c, "", 0, MSG_MORE)), got("an empty begin", l);
  SHOW(send(c, "e", 1, 0)), got("after that", l), got("nothing more", l);
  SHOW(shutdown(c, SHUT_WR)), SHOW(send(c, "e", 1, MSG_MORE | MSG_NOSIGNAL));
}

TEST(too_much) {
  static char b[66000];
  memset(b, 'q', sizeof b);
  int l = socket(AF_INET, SOCK_DGRAM, 0), c = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = here4(l);
  SHOW(connect(c, SA(a), sizeof a));
  SHOW(send(c, b, 60000, MSG_MORE)), SHOW(send(c, b, 6000, MSG_MORE)), got("too much", l);
  SHOW(send(c, "y", 1, 0)), got("afterwards", l);
}

TEST(udp_of_six) {
  int l = socket(AF_INET6, SOCK_DGRAM, 0), c = socket(AF_INET6, SOCK_DGRAM, 0);
  struct sockaddr_in6 a = here6(l);
  SHOW(connect(c, SA(a), sizeof a));
  SHOW(send(c, "ab", 2, MSG_MORE)), got("more", l);
  SHOW(send(c, "cd", 2, 0)), got("whole", l);
}

TEST(udp_lite) {
  int l = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE), c = socket(AF_INET, SOCK_DGRAM, IPPROTO_UDPLITE);
  struct sockaddr_in a = here4(l);
  SHOW(connect(c, SA(a), sizeof a));
  SHOW(send(c, "ab", 2, MSG_MORE)), got("more", l);
  SHOW(send(c, "cd", 2, 0)), got("whole", l);
}

TEST(raw) {
  int l = socket(AF_INET, SOCK_RAW, 200), c = socket(AF_INET, SOCK_RAW, 200);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  char b[100];
  SHOW(connect(c, SA(a), sizeof a));
  SHOW(send(c, "ab", 2, MSG_MORE)), SHOW(recv(l, b, sizeof b, MSG_DONTWAIT));
  SHOW(send(c, "cd", 2, 0)), SHOW(recv(l, b, sizeof b, MSG_DONTWAIT));
  say("[%.4s]", b + 20);
  l = socket(AF_INET6, SOCK_RAW, 200), c = socket(AF_INET6, SOCK_RAW, 200);
  struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  SHOW(connect(c, SA(six), sizeof six));
  SHOW(send(c, "ab", 2, MSG_MORE)), got("more", l);
  SHOW(send(c, "cd", 2, 0)), got("whole", l);
}

TEST(streams) {
  int s, c;
  char b[10];
  pair(AF_INET, &s, &c);
  SHOW(send(c, "ab", 2, MSG_MORE)), SHOW(send(c, "cd", 2, 0)), SHOW(recv(s, b, 4, MSG_WAITALL));
  int v[2];
  socketpair(AF_UNIX, SOCK_STREAM, 0, v), SHOW(send(v[0], "ab", 2, MSG_MORE)), got("of unix", v[1]);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, v), SHOW(send(v[0], "ab", 2, MSG_MORE)), got("datagram of unix", v[1]);
}
