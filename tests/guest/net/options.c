// Options of sockets: what each takes, tells and refuses.
#include "guest.h"
#include "net.h"

static void number(int s, const char *name, int level, int option, int value) {
  int old = -1, new = -1;
  socklen_t n = sizeof old, m = sizeof new;
  int r = getsockopt(s, level, option, &old, &n);
  const char *first = r ? error_name(errno) : "ok";
  int w = setsockopt(s, level, option, &value, sizeof value);
  const char *second = w ? error_name(errno) : "ok";
  getsockopt(s, level, option, &new, &m);
  say("%s: %s %d (%d bytes), set %d %s, then %d", name, first, r ? 0 : old, r ? 0 : (int)n, value, second, r ? 0 : new);
}
#define N(s, level, option, value) number(s, #option, level, option, value)

static void common(int s) {
  N(s, SOL_SOCKET, SO_REUSEADDR, 5), N(s, SOL_SOCKET, SO_REUSEPORT, 1), N(s, SOL_SOCKET, SO_KEEPALIVE, 2);
  N(s, SOL_SOCKET, SO_BROADCAST, 1), N(s, SOL_SOCKET, SO_OOBINLINE, 1), N(s, SOL_SOCKET, SO_DONTROUTE, 1);
  N(s, SOL_SOCKET, SO_TYPE, 1), N(s, SOL_SOCKET, SO_PROTOCOL, 1), N(s, SOL_SOCKET, SO_DOMAIN, 1);
  N(s, SOL_SOCKET, SO_ERROR, 1), N(s, SOL_SOCKET, SO_ACCEPTCONN, 1), N(s, SOL_SOCKET, SO_SNDLOWAT, 1);
  N(s, SOL_SOCKET, SO_RCVLOWAT, 7), N(s, SOL_SOCKET, SO_RCVLOWAT, 0), N(s, SOL_SOCKET, SO_PRIORITY, 3);
  N(s, SOL_SOCKET, SO_TIMESTAMP, 1), N(s, SOL_SOCKET, SO_TIMESTAMPNS, 1), N(s, SOL_SOCKET, SO_NO_CHECK, 1);
  N(s, SOL_SOCKET, SO_MARK, 9), N(s, SOL_SOCKET, 9999, 1);
  N(s, SOL_SOCKET, SO_RCVBUF, 1), N(s, SOL_SOCKET, SO_RCVBUF, 10000), N(s, SOL_SOCKET, SO_SNDBUF, 1), N(s, SOL_SOCKET, SO_SNDBUF, 10000);
  N(s, IPPROTO_IP, IP_TTL, 9), N(s, IPPROTO_IP, IP_TTL, 0), N(s, IPPROTO_IP, IP_TTL, -1), N(s, IPPROTO_IP, IP_TTL, 256);
  N(s, IPPROTO_IP, IP_MTU_DISCOVER, 2), N(s, IPPROTO_IP, IP_MTU_DISCOVER, 9);
  N(s, IPPROTO_IP, IP_PKTINFO, 3), N(s, IPPROTO_IP, IP_RECVTTL, 1), N(s, IPPROTO_IP, IP_RECVTOS, 1), N(s, IPPROTO_IP, IP_RECVERR, 1);
  N(s, IPPROTO_IP, IP_HDRINCL, 1), N(s, IPPROTO_IP, IP_FREEBIND, 1), N(s, IPPROTO_IP, IP_TRANSPARENT, 1);
  N(s, IPPROTO_IP, IP_MULTICAST_TTL, 5), N(s, IPPROTO_IP, IP_MULTICAST_LOOP, 0), N(s, IPPROTO_IP, IP_MULTICAST_ALL, 0);
  N(s, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1), N(s, IPPROTO_IP, 9999, 1), N(s, 12345, 1, 1);
  N(s, IPPROTO_IPV6, IPV6_V6ONLY, 1), N(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9), N(s, IPPROTO_IPV6, IPV6_TCLASS, 8);
}

TEST(of_streams) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  common(s);
  N(s, IPPROTO_TCP, TCP_NODELAY, 7), N(s, IPPROTO_TCP, TCP_CORK, 1), N(s, IPPROTO_TCP, TCP_KEEPIDLE, 10), N(s, IPPROTO_TCP, TCP_KEEPIDLE, 0);
  N(s, IPPROTO_TCP, TCP_KEEPINTVL, 10), N(s, IPPROTO_TCP, TCP_KEEPCNT, 3), N(s, IPPROTO_TCP, TCP_KEEPCNT, 128), N(s, IPPROTO_TCP, TCP_SYNCNT, 2);
  N(s, IPPROTO_TCP, TCP_QUICKACK, 0), N(s, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000), N(s, IPPROTO_TCP, TCP_USER_TIMEOUT, -1);
  N(s, IPPROTO_TCP, TCP_MAXSEG, 10), N(s, IPPROTO_TCP, TCP_LINGER2, 5), N(s, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 100), N(s, IPPROTO_TCP, 9999, 1);
  N(s, IPPROTO_UDP, UDP_CORK, 1);
}

TEST(of_datagrams) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  common(s);
  N(s, IPPROTO_UDP, UDP_CORK, 0), N(s, IPPROTO_UDP, 103, 1000), N(s, IPPROTO_UDP, 104, 1), N(s, IPPROTO_TCP, TCP_NODELAY, 1);
}

TEST(of_v6) {
  int s = socket(AF_INET6, SOCK_STREAM, 0), d = socket(AF_INET6, SOCK_DGRAM, 0);
  N(s, IPPROTO_IPV6, IPV6_V6ONLY, 4), N(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 9), N(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, -1), N(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, 256);
  N(s, IPPROTO_IPV6, IPV6_TCLASS, 8), N(s, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1), N(s, IPPROTO_IP, IP_TTL, 9), N(s, IPPROTO_IP, IP_TOS, 16);
  N(d, IPPROTO_IPV6, IPV6_MULTICAST_HOPS, 9), N(d, IPPROTO_IPV6, IPV6_MULTICAST_LOOP, 0), N(d, IPPROTO_IPV6, IPV6_MULTICAST_IF, 1), N(d, IPPROTO_IPV6, IPV6_MULTICAST_IF, 99);
  N(d, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1), N(d, IPPROTO_IPV6, IPV6_MTU_DISCOVER, 3), N(d, 9999, 1, 1);
}

TEST(lengths) {
  int s = socket(AF_INET, SOCK_STREAM, 0);
  char b[64];
  socklen_t n = 1;
  SHOW(getsockopt(s, IPPROTO_IP, IP_TTL, b, &n)), SHOW(n), SHOW(b[0]);
  n = 2, memset(b, 1, 8), SHOW(getsockopt(s, SOL_SOCKET, SO_TYPE, b, &n)), SHOW(n), SHOW(b[2]);
  n = 64, SHOW(getsockopt(s, SOL_SOCKET, SO_LINGER, b, &n)), SHOW(n);
  n = 64, SHOW(getsockopt(s, SOL_SOCKET, SO_RCVTIMEO, b, &n)), SHOW(n);
  n = -1, SHOW(getsockopt(s, SOL_SOCKET, SO_TYPE, b, &n));
  n = 4, SHOW(getsockopt(s, SOL_SOCKET, SO_TYPE, (void *)8, &n));
  SHOW(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, b, 2)), SHOW(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, b, -1)), SHOW(setsockopt(s, SOL_SOCKET, SO_REUSEADDR, (void *)8, 4));
  SHOW(setsockopt(s, IPPROTO_TCP, TCP_NODELAY, b, 1)), SHOW(setsockopt(s, SOL_SOCKET, SO_LINGER, b, 4)), SHOW(setsockopt(s, SOL_SOCKET, SO_RCVTIMEO, b, 8));
  n = 64, memset(b, 0, 64), SHOW(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, b, &n)), SHOW(n);
  SHOW(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4));
  n = 64, SHOW(getsockopt(s, IPPROTO_TCP, TCP_CONGESTION, b, &n)), say("%s", b);
  SHOW(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nothing", 7));
  SHOW(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "lo", 3)), SHOW(setsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, "nothing0", 9));
  n = 64, SHOW(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, b, &n)), SHOW(n), say("%s", b);
  n = 2, SHOW(getsockopt(s, SOL_SOCKET, SO_BINDTODEVICE, b, &n));
  SHOW(setsockopt(0, SOL_SOCKET, SO_REUSEADDR, b, 4));
}

TEST(tcp_info) {
  int s, c;
  pair(AF_INET, &s, &c);
  struct tcp_info i = {0};
  socklen_t n = sizeof i;
  send(s, "hello", 5, 0), recv(c, &i, 5, 0), send(c, "hi", 2, 0), recv(s, &i, 2, 0);
  SHOW(getsockopt(s, IPPROTO_TCP, TCP_INFO, &i, &n));
  IS(n == sizeof i);
  SHOW(i.tcpi_state), SHOW(i.tcpi_options & 7), SHOW(i.tcpi_snd_mss > 1000), SHOW(i.tcpi_rtt > 0);
  SHOW(i.tcpi_unacked), SHOW(i.tcpi_retransmits), SHOW(i.tcpi_total_retrans);
  close(c);
  getsockopt(s, IPPROTO_TCP, TCP_INFO, &i, &n), SHOW(i.tcpi_state);
  shutdown(s, SHUT_WR);
  getsockopt(s, IPPROTO_TCP, TCP_INFO, &i, &n), SHOW(i.tcpi_state);
  struct sockaddr_in a;
  int l = listener(AF_INET, 9, &a);
  s = client(&a);
  getsockopt(l, IPPROTO_TCP, TCP_INFO, &i, &n), SHOW(i.tcpi_state), SHOW(i.tcpi_unacked), SHOW(i.tcpi_sacked);
}

TEST(inherited) {
  struct sockaddr_in a;
  int l = listener(AF_INET, 9, &a);
  setsockopt(l, SOL_SOCKET, SO_KEEPALIVE, &(int){1}, 4), setsockopt(l, IPPROTO_TCP, TCP_NODELAY, &(int){1}, 4);
  setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &(int){1}, 4), setsockopt(l, IPPROTO_IP, IP_TTL, &(int){9}, 4);
  setsockopt(l, SOL_SOCKET, SO_LINGER, &(struct linger){1, 3}, 8);
  int s = client(&a), c = accept(l, 0, 0);
  N(c, SOL_SOCKET, SO_KEEPALIVE, 0), N(c, IPPROTO_TCP, TCP_NODELAY, 0), N(c, SOL_SOCKET, SO_REUSEADDR, 0), N(c, IPPROTO_IP, IP_TTL, 64);
  struct linger g;
  SHOW(getsockopt(c, SOL_SOCKET, SO_LINGER, &g, &(socklen_t){8})), say("%d %d", g.l_onoff, g.l_linger);
}

TEST(ports_of_streams) {
  struct sockaddr_in a;
  int l = listener(AF_INET, 9, &a), s = client(&a), c = accept(l, 0, 0), one = 1;
  int t = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(bind(t, SA(a), sizeof a));
  setsockopt(t, SOL_SOCKET, SO_REUSEADDR, &one, 4);
  SHOW(bind(t, SA(a), sizeof a));
  close(l);
  SHOW(bind(t, SA(a), sizeof a)); // a connection still has the port, and does not share
  close(c), close(s);
  SHOW(bind(t, SA(a), sizeof a)); // TIME_WAIT
  int x = socket(AF_INET, SOCK_STREAM, 0), y = socket(AF_INET, SOCK_STREAM, 0);
  setsockopt(x, SOL_SOCKET, SO_REUSEADDR, &one, 4), setsockopt(y, SOL_SOCKET, SO_REUSEADDR, &one, 4);
  struct sockaddr_in p = v4(INADDR_LOOPBACK, 0);
  SHOW(bind(x, SA(p), sizeof p)), getsockname(x, SA(p), &(socklen_t){sizeof p});
  SHOW(bind(y, SA(p), sizeof p)), SHOW(listen(x, 1)), SHOW(listen(y, 1));
  s = client(&p), c = accept(x, 0, 0), close(c), close(x), close(s);
  SHOW(listen(y, 1));
}
