// UDP over the loopback: who gets what, what is told with it, what goes wrong.
#include "guest.h"
#include "net.h"
#include <linux/errqueue.h>

static int bound(struct sockaddr_in *at) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  *at = v4(INADDR_LOOPBACK, 0);
  if (bind(s, SA(*at), sizeof *at)) say("bind: %s", error_name(errno));
  getsockname(s, SA(*at), &(socklen_t){sizeof *at});
  return s;
}

TEST(datagrams) {
  struct sockaddr_in a, f;
  socklen_t n = sizeof f;
  int r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0);
  char b[10] = "";
  say_poll("empty", r);
  SHOW(sendto(s, "hello", 5, 0, SA(a), sizeof a));
  SHOW(sendto(s, "", 0, 0, SA(a), sizeof a));
  SHOW(sendto(s, "0123456789abc", 13, 0, SA(a), sizeof a));
  say_poll("full", r);
  int have;
  SHOW(ioctl(r, FIONREAD, &have)), SHOW(have);
  SHOW(recv(r, b, 3, MSG_PEEK)), SHOW(recv(r, b, 3, MSG_PEEK | MSG_TRUNC));
  SHOW(recvfrom(r, b, 10, 0, SA(f), &n)), say("%s", b);
  IS(n == sizeof f && f.sin_port != 0 && f.sin_addr.s_addr == htonl(INADDR_LOOPBACK));
  say_name("sender", s);
  SHOW(recv(r, b, 10, 0));
  struct iovec v = {b, 10};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  SHOW(recvmsg(r, &m, 0)), say("%#x", m.msg_flags);
  SHOW(recv(r, b, 10, MSG_DONTWAIT));
  static char big[65536];
  SHOW(sendto(s, big, 65507, 0, SA(a), sizeof a));
  SHOW(sendto(s, big, 65508, 0, SA(a), sizeof a));
  SHOW(recv(r, big, sizeof big, 0));
}

TEST(errors) {
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 9);
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW(send(s, "x", 1, 0));
  SHOW(write(s, "x", 1));
  SHOW(sendto(s, "x", 1, MSG_OOB, SA(a), sizeof a));
  SHOW(sendto(s, "x", 1, 0, SA(a), 8));
  a.sin_port = 0;
  SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a));
  a = v4(INADDR_BROADCAST, 9);
  SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a));
  a = v4(0x08080808, 9);
  SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a));
  SHOW(connect(s, SA(a), sizeof a));
  SHOW(listen(s, 1)), SHOW(accept(s, 0, 0));
  SHOW(shutdown(s, SHUT_RDWR));
  say_poll("shut", s);
  SHOW(recv(s, &a, 1, 0));
  a = v4(INADDR_LOOPBACK, 9);
  SHOW(sendto(s, "x", 1, MSG_NOSIGNAL, SA(a), sizeof a));
  a = v4(0x08080808, 0);
  s = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW(bind(s, SA(a), sizeof a));
}

TEST(refused) {
  struct sockaddr_in a, g;
  int dead = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0);
  close(dead);
  char b[10];
  SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a));
  SHOW(recv(s, b, 1, MSG_DONTWAIT));
  SHOW(connect(s, SA(a), sizeof a));
  SHOW(send(s, "x", 1, 0));
  say_poll("refused", s);
  SHOW(recv(s, b, 1, MSG_DONTWAIT));
  say_poll("told", s);
  SHOW(send(s, "x", 1, 0)), SHOW(send(s, "x", 1, 0));
  SHOW(so_error(s)), SHOW(so_error(s));
  SHOW(getpeername(s, SA(g), &(socklen_t){sizeof g}));
}

TEST(error_queue) {
  struct sockaddr_in a, f;
  int dead = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0), one = 1;
  close(dead);
  char b[100], c[200];
  SHOW(setsockopt(s, IPPROTO_IP, IP_RECVERR, &one, sizeof one));
  SHOW(sendto(s, "lost", 4, 0, SA(a), sizeof a));
  say_poll("lost", s);
  struct iovec v = {b, sizeof b};
  struct msghdr m = {.msg_name = &f, .msg_namelen = sizeof f, .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  SHOW(recvmsg(s, &m, MSG_ERRQUEUE)), say("%#x", m.msg_flags);
  IS(f.sin_port == a.sin_port);
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  if (h) {
    struct sock_extended_err *e = (void *)CMSG_DATA(h);
    struct sockaddr_in *o = (void *)SO_EE_OFFENDER(e);
    say("level %d type %d len %d: %s origin %d type %d code %d by %#x", h->cmsg_level, h->cmsg_type, (int)h->cmsg_len, error_name(e->ee_errno), e->ee_origin, e->ee_type, e->ee_code, ntohl(o->sin_addr.s_addr));
  }
  SHOW(recvmsg(s, &m, MSG_ERRQUEUE));
  SHOW(so_error(s));
}

TEST(connected) {
  struct sockaddr_in a, x, o;
  int r = bound(&a), other = bound(&x), s = bound(&o);
  char b[10];
  SHOW(connect(s, SA(a), sizeof a));
  SHOW(send(s, "1", 1, 0)), SHOW(write(s, "2", 1));
  SHOW(sendto(r, "3", 1, 0, SA(o), sizeof o));
  SHOW(sendto(other, "4", 1, 0, SA(o), sizeof o));
  SHOW(recv(s, b, 10, MSG_DONTWAIT)), SHOW(recv(s, b, 10, MSG_DONTWAIT));
  SHOW(sendto(s, "5", 1, 0, SA(x), sizeof x));
  SHOW(recv(other, b, 10, MSG_DONTWAIT));
  struct sockaddr u = {.sa_family = AF_UNSPEC};
  SHOW(connect(s, &u, sizeof u));
  SHOW(send(s, "6", 1, 0));
  say_name("disconnected", s);
  int t = socket(AF_INET, SOCK_DGRAM, 0);
  say_name("fresh", t);
  SHOW(connect(t, SA(a), sizeof a)), say_name("connected", t);
  SHOW(connect(t, &u, sizeof u)), say_name("disconnected", t);
}

TEST(who_has_the_port) {
  struct sockaddr_in a, any;
  int one = 1, r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW(bind(s, SA(a), sizeof a));
  any = a, any.sin_addr.s_addr = 0;
  SHOW(bind(s, SA(any), sizeof any));
  struct sockaddr_in two = a;
  two.sin_addr.s_addr = htonl(0x7f000002);
  SHOW(bind(s, SA(two), sizeof two));
  SHOW(bind(s, SA(two), sizeof two));
  int x = socket(AF_INET, SOCK_DGRAM, 0), y = socket(AF_INET, SOCK_DGRAM, 0);
  setsockopt(x, SOL_SOCKET, SO_REUSEADDR, &one, 4), setsockopt(y, SOL_SOCKET, SO_REUSEADDR, &one, 4);
  struct sockaddr_in p = v4(INADDR_LOOPBACK, 0);
  SHOW(bind(x, SA(p), sizeof p));
  getsockname(x, SA(p), &(socklen_t){sizeof p});
  SHOW(bind(y, SA(p), sizeof p));
  sendto(s, "x", 1, 0, SA(p), sizeof p);
  SHOW(recv(x, &one, 1, MSG_DONTWAIT)), SHOW(recv(y, &one, 1, MSG_DONTWAIT));
  CHILD("without privilege") {
    setuid(1000);
    p = v4(INADDR_ANY, 80);
    int z = socket(AF_INET, SOCK_DGRAM, 0);
    SHOW(bind(z, SA(p), sizeof p));
    _exit(0);
  }
}

TEST(shared_ports) {
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  int one = 1, s[2], got[2] = {0};
  for (int i = 0; i < 2; i++) {
    s[i] = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    setsockopt(s[i], SOL_SOCKET, SO_REUSEPORT, &one, 4);
    SHOW(bind(s[i], SA(a), sizeof a));
    getsockname(s[i], SA(a), &(socklen_t){sizeof a});
  }
  for (int i = 0; i < 100; i++) {
    int c = socket(AF_INET, SOCK_DGRAM, 0);
    sendto(c, "x", 1, 0, SA(a), sizeof a), close(c);
  }
  for (int i = 0; i < 2; i++) while (recv(s[i], &one, 1, 0) == 1) got[i]++;
  IS(got[0] > 10 && got[1] > 10 && got[0] + got[1] == 100);
}

static void say_notes(int fd, int flags) {
  char b[10], c[300];
  struct sockaddr_storage f;
  struct iovec v = {b, sizeof b};
  struct msghdr m = {.msg_name = &f, .msg_namelen = sizeof f, .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  SHOW(recvmsg(fd, &m, flags | MSG_DONTWAIT));
  say("flags %#x, name %d", m.msg_flags, m.msg_namelen);
  for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) {
    if (h->cmsg_level == SOL_SOCKET) { say("time, type %d, len %d", h->cmsg_type, (int)h->cmsg_len); continue; }
    char line[200] = "";
    for (unsigned i = 0; i < h->cmsg_len - CMSG_LEN(0) && i < 40; i++) sprintf(line + strlen(line), "%02x", CMSG_DATA(h)[i]);
    say("level %d type %d: %s", h->cmsg_level, h->cmsg_type, line);
  }
}

TEST(notes) {
  struct sockaddr_in a;
  int one = 1, r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0), ttl = 7;
  setsockopt(r, IPPROTO_IP, IP_PKTINFO, &one, 4), setsockopt(r, IPPROTO_IP, IP_RECVTTL, &one, 4);
  setsockopt(r, IPPROTO_IP, IP_RECVTOS, &one, 4);
  sendto(s, "x", 1, 0, SA(a), sizeof a), say_notes(r, 0);
  setsockopt(s, IPPROTO_IP, IP_TTL, &ttl, 4), setsockopt(s, IPPROTO_IP, IP_TOS, &(int){0x10}, 4);
  setsockopt(r, SOL_SOCKET, SO_TIMESTAMP, &one, 4);
  sendto(s, "x", 1, 0, SA(a), sizeof a), say_notes(r, MSG_PEEK), say_notes(r, 0);
  setsockopt(r, SOL_SOCKET, SO_TIMESTAMPNS, &one, 4);
  char c[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(4)];
  memset(c, 0, sizeof c);
  struct iovec v = {"yz", 2};
  struct msghdr m = {.msg_name = &a, .msg_namelen = sizeof a, .msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  h->cmsg_level = IPPROTO_IP, h->cmsg_type = IP_PKTINFO, h->cmsg_len = CMSG_LEN(sizeof(struct in_pktinfo));
  ((struct in_pktinfo *)CMSG_DATA(h))->ipi_spec_dst.s_addr = htonl(0x7f000003);
  h = CMSG_NXTHDR(&m, h);
  h->cmsg_level = IPPROTO_IP, h->cmsg_type = IP_TTL, h->cmsg_len = CMSG_LEN(4), *(int *)CMSG_DATA(h) = 99;
  SHOW(sendmsg(s, &m, 0));
  say_notes(r, 0);
}

TEST(notes_of_v6) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6};
  int one = 1, r = socket(AF_INET6, SOCK_DGRAM, 0), s = socket(AF_INET6, SOCK_DGRAM, 0), t = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW(bind(r, SA(a), sizeof a)), getsockname(r, SA(a), &(socklen_t){sizeof a});
  setsockopt(r, IPPROTO_IPV6, IPV6_RECVPKTINFO, &one, 4), setsockopt(r, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, &one, 4), setsockopt(r, IPPROTO_IPV6, IPV6_RECVTCLASS, &one, 4);
  a.sin6_addr = in6addr_loopback;
  SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a)), say_notes(r, 0);
  struct sockaddr_in f = v4(INADDR_LOOPBACK, ntohs(a.sin6_port));
  SHOW(sendto(t, "x", 1, 0, SA(f), sizeof f)), say_notes(r, 0);
  SHOW(sendto(s, "x", 1, 0, SA(f), sizeof f)), say_notes(r, 0);
  SHOW(connect(s, SA(f), sizeof f)), say_name("connected", s);
}

TEST(corked) {
  struct sockaddr_in a;
  int r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0);
  char b[10];
  connect(s, SA(a), sizeof a);
  SHOW(send(s, "ab", 2, MSG_MORE)), SHOW(recv(r, b, 10, MSG_DONTWAIT));
  SHOW(send(s, "cd", 2, 0)), SHOW(recv(r, b, 10, MSG_DONTWAIT));
  setsockopt(s, IPPROTO_UDP, UDP_CORK, &(int){1}, 4);
  send(s, "1", 1, 0), send(s, "2", 1, 0);
  SHOW(recv(r, b, 10, MSG_DONTWAIT));
  setsockopt(s, IPPROTO_UDP, UDP_CORK, &(int){0}, 4);
  SHOW(recv(r, b, 10, MSG_DONTWAIT));
  setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &(int){2}, 4);
  SHOW(send(s, "12345", 5, 0));
  for (int i = 0; i < 4; i++) SHOW(recv(r, b, 10, MSG_DONTWAIT));
}

TEST(many_at_once) {
  struct sockaddr_in a;
  int r = bound(&a), s = socket(AF_INET, SOCK_DGRAM, 0);
  struct mmsghdr m[3] = {0};
  struct iovec v[3] = {{"a", 1}, {"bc", 2}, {"def", 3}};
  for (int i = 0; i < 3; i++) m[i].msg_hdr = (struct msghdr){.msg_name = &a, .msg_namelen = sizeof a, .msg_iov = &v[i], .msg_iovlen = 1};
  SHOW(sendmmsg(s, m, 3, 0)), SHOW(m[2].msg_len);
  char b[3][10];
  for (int i = 0; i < 3; i++) v[i] = (struct iovec){b[i], 10}, m[i].msg_hdr.msg_name = 0;
  SHOW(recvmmsg(r, m, 2, 0, 0)), SHOW(m[1].msg_len);
  SHOW(recvmmsg(r, m, 3, MSG_WAITFORONE, 0)), SHOW(m[0].msg_len);
  SHOW(recvmmsg(r, m, 3, MSG_DONTWAIT, 0));
}

TEST(groups) {
  struct sockaddr_in any = v4(INADDR_ANY, 0), to;
  struct ip_mreqn q = {.imr_multiaddr.s_addr = htonl(0xe1010101), .imr_ifindex = 1};
  int r = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), s = socket(AF_INET, SOCK_DGRAM, 0);
  bind(r, SA(any), sizeof any), getsockname(r, SA(any), &(socklen_t){sizeof any});
  to = v4(0xe1010101, ntohs(any.sin_port));
  SHOW(sendto(s, "x", 1, 0, SA(to), sizeof to));
  SHOW(setsockopt(s, IPPROTO_IP, IP_MULTICAST_IF, &(struct ip_mreqn){.imr_ifindex = 1}, sizeof q));
  SHOW(sendto(s, "x", 1, 0, SA(to), sizeof to));
  SHOW(recv(r, &q, 0, MSG_DONTWAIT));
  SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof q));
  SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof q));
  SHOW(sendto(s, "y", 1, 0, SA(to), sizeof to));
  SHOW(recv(r, &any, 1, MSG_DONTWAIT));
  SHOW(setsockopt(s, IPPROTO_IP, IP_MULTICAST_LOOP, &(int){0}, 4));
  SHOW(sendto(s, "y", 1, 0, SA(to), sizeof to));
  SHOW(recv(r, &any, 1, MSG_DONTWAIT));
  SHOW(setsockopt(r, IPPROTO_IP, IP_DROP_MEMBERSHIP, &q, sizeof q));
  SHOW(setsockopt(r, IPPROTO_IP, IP_DROP_MEMBERSHIP, &q, sizeof q));
  q.imr_multiaddr.s_addr = htonl(INADDR_LOOPBACK);
  SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof q));
  q.imr_multiaddr.s_addr = htonl(0xe1010101), q.imr_ifindex = 99;
  SHOW(setsockopt(r, IPPROTO_IP, IP_ADD_MEMBERSHIP, &q, sizeof q));
}
