// Datagrams beyond sending and receiving: groups and their sources, segments, looking ahead, errors that are kept, urgent data's signal.
#include "guest.h"
#include "net.h"
#include <linux/errqueue.h>
#include <linux/sockios.h>
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

static int bound(int family, int *port) {
  int s = socket(family, SOCK_DGRAM, 0);
  struct sockaddr_in6 a = {.sin6_family = family};
  if (bind(s, SA(a), family == AF_INET ? 16 : 28)) say("bind: %s", error_name(errno));
  getsockname(s, SA(a), &(socklen_t){sizeof a});
  *port = ntohs(a.sin6_port);
  return s;
}

static void drain(const char *what, int s) {
  char b[100], line[300] = "";
  int n, e = 0;
  while ((n = recv(s, b, sizeof b, MSG_DONTWAIT)) >= 0) sprintf(line + strlen(line), " [%.*s]", n, b);
  say("%s:%s %s", what, line, error_name(errno));
}

TEST(groups) {
  int port, r = bound(AF_INET, &port), s = socket(AF_INET, SOCK_DGRAM, 0), one = 1, zero = 0;
  struct ip_mreqn m = {.imr_multiaddr.s_addr = inet_addr("239.1.2.3"), .imr_ifindex = 1};
  struct sockaddr_in g = v4(0xef010203, port);
  SHOW(sendto(s, "no way", 6, 0, SA(g), sizeof g));
  SHOW(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m));
  SHOW(sendto(s, "early", 5, 0, SA(g), sizeof g)), drain("not joined", r);
  SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m)), SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
  SHOW(sendto(s, "hello", 5, 0, SA(g), sizeof g)), drain("joined", r);
  SHOW(setsockopt(s, IPPROTO_IP, IP_MULTICAST_LOOP, &zero, 4)), SHOW(sendto(s, "silent", 6, 0, SA(g), sizeof g)), drain("no loop", r);
  SHOW(setsockopt(s, IPPROTO_IP, IP_MULTICAST_LOOP, &one, 4));
  struct sockaddr_in other = v4(0xef010204, port);
  SHOW(sendto(s, "other", 5, 0, SA(other), sizeof other)), drain("other group", r);
  int q = bound(AF_INET, &port);
  g.sin_port = htons(port), SHOW(sendto(s, "all", 3, 0, SA(g), sizeof g)), drain("others joined", q);
  SHOW(setsockopt(q, IPPROTO_IP, IP_MULTICAST_ALL, &zero, 4)), SHOW(sendto(s, "all", 3, 0, SA(g), sizeof g)), drain("only own", q);
  SHOW(setsockopt(r, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m)), SHOW(setsockopt(r, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m));
  m.imr_ifindex = 99, SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m)), SHOW(setsockopt(r, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m));
  m.imr_ifindex = 1, m.imr_multiaddr.s_addr = inet_addr("10.0.0.1"), SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m)), SHOW(setsockopt(r, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m));
  struct ip_mreq old = {.imr_multiaddr.s_addr = inet_addr("239.1.2.3"), .imr_interface.s_addr = htonl(INADDR_LOOPBACK)};
  SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &old, sizeof old)), SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &old, 7)), SHOW(setsockopt(r, IPPROTO_IP, IP_DROP_MEMBERSHIP, &old, sizeof old));
  old.imr_interface.s_addr = htonl(0x08080808), SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &old, sizeof old));
  int k = 0;
  for (k = 0; k < 30; k++) {
    m.imr_multiaddr.s_addr = htonl(0xef020000 + k);
    if (setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m)) break;
  }
  say("%d groups, then %s", k, error_name(errno));
}

TEST(sources) {
  int port, r = bound(AF_INET, &port), s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in from = v4(0x7f000005, 0), g = v4(0xef010203, port);
  struct ip_mreqn m = {.imr_multiaddr.s_addr = g.sin_addr.s_addr, .imr_ifindex = 1};
  bind(s, SA(from), sizeof from), setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &m, sizeof m);
  struct ip_mreq_source q = {.imr_multiaddr = g.sin_addr, .imr_interface.s_addr = htonl(INADDR_LOOPBACK), .imr_sourceaddr = from.sin_addr};
#define SEND(t) SHOW(sendto(s, t, strlen(t), 0, SA(g), sizeof g))
#define SOURCE(o) SHOW(setsockopt(r, IPPROTO_IP, o, &q, sizeof q))
  SOURCE(IP_BLOCK_SOURCE), SOURCE(IP_DROP_SOURCE_MEMBERSHIP), SOURCE(IP_UNBLOCK_SOURCE);
  SOURCE(IP_ADD_SOURCE_MEMBERSHIP), SOURCE(IP_ADD_SOURCE_MEMBERSHIP), SEND("wanted"), drain("wanted", r);
  q.imr_sourceaddr.s_addr = htonl(0x7f000006), SOURCE(IP_DROP_SOURCE_MEMBERSHIP), SOURCE(IP_ADD_SOURCE_MEMBERSHIP), SOURCE(IP_BLOCK_SOURCE);
  q.imr_sourceaddr = from.sin_addr, SOURCE(IP_DROP_SOURCE_MEMBERSHIP), SEND("unwanted"), drain("unwanted", r);
  q.imr_sourceaddr.s_addr = htonl(0x7f000006), SOURCE(IP_DROP_SOURCE_MEMBERSHIP), SOURCE(IP_DROP_SOURCE_MEMBERSHIP);
  SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &m, sizeof m));
  q.imr_sourceaddr = from.sin_addr, SOURCE(IP_BLOCK_SOURCE), SOURCE(IP_BLOCK_SOURCE), SEND("blocked"), drain("blocked", r);
  SOURCE(IP_ADD_SOURCE_MEMBERSHIP), SOURCE(IP_UNBLOCK_SOURCE), SOURCE(IP_UNBLOCK_SOURCE), SEND("unblocked"), drain("unblocked", r);
  SHOW(setsockopt(r, IPPROTO_IP, IP_DROP_MEMBERSHIP, &m, sizeof m));
  struct group_source_req gs = {.gsr_interface = 1};
  memcpy(&gs.gsr_group, &g, sizeof g), memcpy(&gs.gsr_source, &from, sizeof from);
  SHOW(setsockopt(r, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &gs, sizeof gs)), SEND("joined"), drain("joined", r);
  SHOW(setsockopt(r, IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, &gs, sizeof gs)), SHOW(setsockopt(r, IPPROTO_IP, MCAST_LEAVE_SOURCE_GROUP, &gs, sizeof gs)), SHOW(setsockopt(r, IPPROTO_IP, MCAST_BLOCK_SOURCE, &gs, sizeof gs));
  gs.gsr_group.ss_family = AF_INET6, SHOW(setsockopt(r, IPPROTO_IP, MCAST_JOIN_SOURCE_GROUP, &gs, sizeof gs));
  struct group_req gr = {.gr_interface = 1};
  memcpy(&gr.gr_group, &g, sizeof g), SHOW(setsockopt(r, IPPROTO_IP, MCAST_JOIN_GROUP, &gr, sizeof gr)), SHOW(setsockopt(r, IPPROTO_IP, MCAST_LEAVE_GROUP, &gr, sizeof gr)), SHOW(setsockopt(r, IPPROTO_IP, MCAST_JOIN_GROUP, &gr, 100));
  gr.gr_group.ss_family = AF_INET6, SHOW(setsockopt(r, IPPROTO_IP, MCAST_JOIN_GROUP, &gr, sizeof gr));
  gr.gr_group.ss_family = AF_INET, gr.gr_interface = 99, SHOW(setsockopt(r, IPPROTO_IP, MCAST_JOIN_GROUP, &gr, sizeof gr));
}

TEST(groups_of_six) {
  int port, r = bound(AF_INET6, &port), s = socket(AF_INET6, SOCK_DGRAM, 0), one = 1;
  struct ipv6_mreq m = {.ipv6mr_interface = 1};
  inet_pton(AF_INET6, "ff11::77", &m.ipv6mr_multiaddr);
  struct sockaddr_in6 g = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = m.ipv6mr_multiaddr};
  SHOW(setsockopt(r, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof m)), SHOW(setsockopt(r, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof m));
  SHOW(setsockopt(s, IPPROTO_IPV6, IPV6_MULTICAST_IF, &one, 4)), SHOW(sendto(s, "hello", 5, 0, SA(g), sizeof g)), drain("joined", r);
  SHOW(setsockopt(r, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &m, sizeof m)), SHOW(setsockopt(r, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &m, sizeof m));
  inet_pton(AF_INET6, "2001:db8::1", &m.ipv6mr_multiaddr), SHOW(setsockopt(r, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof m)), SHOW(setsockopt(r, IPPROTO_IPV6, IPV6_LEAVE_GROUP, &m, sizeof m));
  m.ipv6mr_interface = 99, inet_pton(AF_INET6, "ff11::77", &m.ipv6mr_multiaddr), SHOW(setsockopt(r, IPPROTO_IPV6, IPV6_JOIN_GROUP, &m, sizeof m));
}

TEST(broadcasts) {
  int port, r = bound(AF_INET, &port), s = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
  struct sockaddr_in b = v4(0x7fffffff, port);
  SHOW(sendto(s, "denied", 6, 0, SA(b), sizeof b)), SHOW(connect(s, SA(b), sizeof b));
  SHOW(setsockopt(s, SOL_SOCKET, SO_BROADCAST, &one, 4)), SHOW(sendto(s, "hello", 5, 0, SA(b), sizeof b)), drain("broadcast", r);
}

TEST(segments) {
  int port, r = bound(AF_INET, &port), s = socket(AF_INET, SOCK_DGRAM, 0), size = 3, one = 1, zero = 0;
  struct sockaddr_in a = v4(INADDR_LOOPBACK, port);
  SHOW(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &size, 4)), SHOW(sendto(s, "abcdefgh", 8, 0, SA(a), sizeof a)), drain("cut", r);
  SHOW(sendto(s, "ab", 2, 0, SA(a), sizeof a)), drain("whole", r);
  static char big[400];
  memset(big, 'x', sizeof big);
  SHOW(sendto(s, big, 384, 0, SA(a), sizeof a)), SHOW(sendto(s, big, 385, 0, SA(a), sizeof a));
  while (recv(r, big, 10, MSG_DONTWAIT) > 0) {}
  SHOW(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &zero, 4)), size = 70000, SHOW(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &size, 4));
  char c[CMSG_SPACE(2)];
  struct iovec v = {"123456", 6};
  struct msghdr m = {.msg_name = &a, .msg_namelen = sizeof a, .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  *h = (struct cmsghdr){CMSG_LEN(2), IPPROTO_UDP, UDP_SEGMENT}, *(uint16_t *)CMSG_DATA(h) = 4;
  SHOW(sendmsg(s, &m, 0)), drain("by message", r);
  SHOW(setsockopt(s, IPPROTO_UDP, UDP_CORK, &one, 4)), SHOW(sendto(s, "ab", 2, 0, SA(a), sizeof a)), SHOW(sendto(s, "cd", 2, 0, SA(a), sizeof a)), drain("corked", r), SHOW(setsockopt(s, IPPROTO_UDP, UDP_CORK, &zero, 4)), drain("uncorked", r);
  SHOW(sendto(s, "ef", 2, MSG_MORE, SA(a), sizeof a)), SHOW(sendto(s, "gh", 2, 0, SA(a), sizeof a)), drain("more", r);
}

TEST(looking_ahead) {
  int port, r = bound(AF_INET, &port), s = socket(AF_INET, SOCK_DGRAM, 0), o = 0, x, y;
  struct sockaddr_in a = v4(INADDR_LOOPBACK, port);
  char b[20] = "";
  pair(AF_INET, &x, &y);
  for (int k = 0; k < 2; k++) {
    int t = k ? y : r;
    if (k) SHOW(send(x, "abc", 3, 0)), SHOW(send(x, "defg", 4, 0));
    else SHOW(sendto(s, "abc", 3, 0, SA(a), sizeof a)), SHOW(sendto(s, "defg", 4, 0, SA(a), sizeof a));
#define OFFSET() ({ getsockopt(t, SOL_SOCKET, SO_PEEK_OFF, &o, &(socklen_t){4}); say("offset %d", o); })
    OFFSET(), SHOW(recv(t, b, 2, MSG_PEEK)), OFFSET(), o = 0, SHOW(setsockopt(t, SOL_SOCKET, SO_PEEK_OFF, &o, 4));
    SHOW(recv(t, b, 2, MSG_PEEK)), say("%.2s", b), OFFSET(), SHOW(recv(t, b, 2, MSG_PEEK)), say("%.2s", b), OFFSET(), SHOW(recv(t, b, 20, MSG_PEEK | MSG_DONTWAIT)), OFFSET();
    SHOW(recv(t, b, 20, MSG_PEEK | MSG_DONTWAIT)), OFFSET(), SHOW(recv(t, b, 2, 0)), OFFSET(), SHOW(recv(t, b, 20, MSG_PEEK | MSG_DONTWAIT)), OFFSET();
  }
}

static void say_error(int s) {
  char b[100], c[300];
  struct iovec v = {b, sizeof b};
  struct sockaddr_in6 f;
  struct msghdr m = {.msg_name = &f, .msg_namelen = sizeof f, .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  int n = recvmsg(s, &m, MSG_ERRQUEUE);
  if (n < 0) { say("queue: %s", error_name(errno)); return; }
  say("queue: %d, flags %#x, name %d bytes", n, m.msg_flags, m.msg_namelen);
  for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
    struct sock_extended_err *e = (void *)CMSG_DATA(h);
    say("%d %d: %s origin %d type %d code %d info %u data %u, offender family %d", h->cmsg_level, h->cmsg_type, error_name(e->ee_errno), e->ee_origin, e->ee_type, e->ee_code, e->ee_info, e->ee_data,
        h->cmsg_len >= CMSG_LEN(sizeof *e + 2) ? SO_EE_OFFENDER(e)->sa_family : -1);
  }
}

TEST(errors) {
  int one = 1;
  for (int six = 0; six < 2; six++) {
    int port, dead = bound(six ? AF_INET6 : AF_INET, &port), s = socket(six ? AF_INET6 : AF_INET, SOCK_DGRAM, 0);
    close(dead);
    struct sockaddr_in a = v4(INADDR_LOOPBACK, port);
    struct sockaddr_in6 b = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
    struct sockaddr *to = six ? SA(b) : SA(a);
    int len = six ? sizeof b : sizeof a;
    SHOW(setsockopt(s, six ? IPPROTO_IPV6 : IPPROTO_IP, six ? IPV6_RECVERR : IP_RECVERR, &one, 4));
    SHOW(sendto(s, "one", 3, 0, to, len)), SHOW(sendto(s, "two", 3, 0, to, len)), SHOW(sendto(s, "three", 5, 0, to, len)), say_poll("errors", s);
    SHOW(recv(s, &one, 1, MSG_DONTWAIT)), say_error(s), say_error(s), say_error(s), say_poll("none", s);
    static char big[70000];
    SHOW(sendto(s, big, 70000, 0, to, len)), say_error(s), SHOW(sendto(s, big, 65508, 0, to, len)), say_error(s), SHOW(sendto(s, big, 65530, 0, to, len)), say_error(s);
    int pmtu = six ? IPV6_PMTUDISC_DO : IP_PMTUDISC_DO;
    SHOW(so_error(s));
  }
}

static volatile int urgent;
static void on_urgent(int n) { urgent++; }

TEST(signals) {
  signal(SIGURG, on_urgent);
  int s, c, v[2];
  pair(AF_INET, &s, &c), socketpair(AF_UNIX, SOCK_STREAM, 0, v);
  SHOW(send(s, "x", 1, MSG_OOB)), SHOW(urgent);
  pid_t p = getpid();
  SHOW(fcntl(c, F_SETOWN, p)), IS(fcntl(c, F_GETOWN) == p), SHOW(send(s, "x", 1, MSG_OOB)), SHOW(urgent);
  SHOW(ioctl(c, FIOGETOWN, &p)), IS(p == getpid()), p = 0, SHOW(ioctl(c, SIOCSPGRP, &p)), SHOW(send(s, "x", 1, MSG_OOB)), SHOW(urgent), p = getpid(), SHOW(ioctl(v[1], FIOSETOWN, &p)), p = 0, SHOW(ioctl(v[1], SIOCGPGRP, &p)), IS(p == getpid());
  SHOW(send(v[0], "x", 1, MSG_OOB)), SHOW(urgent);
  p = 9999999, SHOW(ioctl(c, FIOSETOWN, &p)), SHOW(ioctl(c, FIOSETOWN, NULL)), SHOW(ioctl(c, FIOGETOWN, NULL));
}

TEST(v6_labels) {
  int port, r = bound(AF_INET6, &port), s = socket(AF_INET6, SOCK_DGRAM, 0), one = 1, hops = 7, class = 0x20;
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port), .sin6_addr = in6addr_loopback};
  int names[] = {IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT, IPV6_RECVTCLASS, IPV6_RECVORIGDSTADDR};
  for (int i = 0; i < 4; i++) setsockopt(r, IPPROTO_IPV6, names[i], &one, 4);
  SHOW(setsockopt(s, IPPROTO_IPV6, IPV6_UNICAST_HOPS, &hops, 4)), SHOW(setsockopt(s, IPPROTO_IPV6, IPV6_TCLASS, &class, 4)), SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a));
  char b[10], c[500];
  struct iovec v = {b, 10};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  SHOW(recvmsg(r, &m, MSG_DONTWAIT));
  for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) say("%d %d, %d: %d", h->cmsg_level, h->cmsg_type, (int)h->cmsg_len, h->cmsg_type == IPV6_ORIGDSTADDR ? 0 : *(int *)CMSG_DATA(h));
}

TEST(copies) {
  int port, r = bound(AF_INET, &port), s = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
  struct sockaddr_in a = v4(INADDR_LOOPBACK, port);
  SHOW(sendto(s, "x", 1, MSG_ZEROCOPY, SA(a), sizeof a)), say_error(s);
  SHOW(setsockopt(s, SOL_SOCKET, SO_ZEROCOPY, &one, 4)), SHOW(sendto(s, "x", 1, MSG_ZEROCOPY, SA(a), sizeof a)), drain("arrived", r), say_error(s);
}
