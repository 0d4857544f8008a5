// IPV6_ADDRFORM: a socket of IPv6 whose peer is one of IPv4 becomes one of IPv4.
#include "guest.h"
#include "net.h"

static int form(int s, int family) { return setsockopt(s, IPPROTO_IPV6, IPV6_ADDRFORM, &family, sizeof family); }

static void told(const char *when, int s) {
  int family = -1;
  socklen_t n = sizeof family;
  getsockopt(s, SOL_SOCKET, SO_DOMAIN, &family, &n);
  say("%s: domain %d", when, family);
  say_name("own", s);
  n = sizeof family, family = -1;
  if (getsockopt(s, IPPROTO_IPV6, IPV6_ADDRFORM, &family, &n)) say("form: %s", error_name(errno));
  else say("form %d", family);
}

static struct sockaddr_in6 mapped(struct sockaddr_in a) {
  struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_port = a.sin_port};
  memcpy(b.sin6_addr.s6_addr, (uint8_t[12]){0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 12);
  memcpy(b.sin6_addr.s6_addr + 12, &a.sin_addr, 4);
  return b;
}

TEST(streams) {
  struct sockaddr_in a;
  int l = listener(AF_INET, 5, &a);
  struct sockaddr_in6 b = mapped(a);
  int c = socket(AF_INET6, SOCK_STREAM, 0);
  SHOW(form(c, AF_INET6)), SHOW(form(c, 0)), SHOW(form(c, AF_INET));
  SHOW(connect(c, SA(b), sizeof b));
  int s = accept(l, 0, 0);
  told("before", c);
  SHOW(form(c, AF_INET6));
  SHOW(form(c, AF_INET));
  told("after", c);
  SHOW(form(c, AF_INET));
  char t[10];
  SHOW(send(c, "hello", 5, 0)), SHOW(recv(s, t, 5, MSG_WAITALL));
  SHOW(send(s, "you", 3, 0)), SHOW(recv(c, t, 3, MSG_WAITALL));
  int v;
  SHOW(getsockopt(c, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &v, &(socklen_t){4}));
  SHOW(getsockopt(c, IPPROTO_IP, IP_TTL, &v, &(socklen_t){4}));
  struct sockaddr_in p;
  SHOW(getpeername(c, SA(p), &(socklen_t){sizeof p})), say("peer %d %d", p.sin_family, p.sin_port == a.sin_port);
  IS(p.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
}

TEST(accepted) {
  int l = socket(AF_INET6, SOCK_STREAM, 0);
  struct sockaddr_in6 b = {.sin6_family = AF_INET6};
  SHOW(bind(l, SA(b), sizeof b)), SHOW(listen(l, 5));
  getsockname(l, SA(b), &(socklen_t){sizeof b});
  SHOW(form(l, AF_INET));
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  a.sin_port = b.sin6_port;
  int c = client(&a), s = accept(l, 0, 0);
  SHOW(form(s, AF_INET));
  told("accepted", s);
  told("listener", l);
  close(c), close(s);
  // Two of IPv6.
  b.sin6_addr = in6addr_loopback;
  c = socket(AF_INET6, SOCK_STREAM, 0);
  SHOW(connect(c, SA(b), sizeof b));
  SHOW(form(c, AF_INET));
  told("of six", c);
}

TEST(datagrams) {
  int l = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  bind(l, SA(a), sizeof a), getsockname(l, SA(a), &(socklen_t){sizeof a});
  struct sockaddr_in6 b = mapped(a);
  int c = socket(AF_INET6, SOCK_DGRAM, 0);
  SHOW(form(c, AF_INET));
  SHOW(connect(c, SA(b), sizeof b));
  SHOW(send(c, "a", 1, MSG_MORE));
  SHOW(form(c, AF_INET));
  SHOW(send(c, "b", 1, 0));
  char t[10];
  struct sockaddr_in from;
  SHOW(recvfrom(l, t, 10, 0, SA(from), &(socklen_t){sizeof from}));
  SHOW(form(c, AF_INET));
  told("after", c);
  SHOW(send(c, "c", 1, 0)), SHOW(recv(l, t, 10, 0));
  SHOW(sendto(l, "back", 4, 0, SA(from), sizeof from));
  memset(&from, 0, sizeof from);
  socklen_t n = sizeof from;
  SHOW(recvfrom(c, t, 10, 0, SA(from), &n)), say("from family %d, %d bytes", from.sin_family, (int)n);
  int only = 1;
  c = socket(AF_INET6, SOCK_DGRAM, 0);
  SHOW(connect(c, SA(b), sizeof b));
  SHOW(setsockopt(c, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only));
  SHOW(form(c, AF_INET));
}

TEST(others) {
  int r = socket(AF_INET6, SOCK_RAW, 200);
  SHOW(form(r, AF_INET)), SHOW(form(r, AF_INET6));
  int f = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(form(f, AF_INET));
}
