// Raw sockets and ping sockets over the loopback.
#include "guest.h"
#include "net.h"
#include <netinet/icmp6.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/ip_icmp.h>
#include <linux/errqueue.h>
#ifndef ICMP_FILTER
#define ICMP_FILTER 1
#endif

static uint16_t sum(void *p, int n) {
  uint32_t s = 0;
  uint8_t *b = p;
  for (int i = 0; i < n; i++) s += i % 2 ? b[i] : b[i] << 8;
  while (s >> 16) s = (s >> 16) + (s & 0xffff);
  return htons(~s);
}

static struct sockaddr_in6 v6(const char *ip, uint16_t port) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  inet_pton(AF_INET6, ip, &a.sin6_addr);
  return a;
}

// What a packet is, without what the kernel chooses.
static void say_packet(const char *what, uint8_t *b, int n) {
  struct iphdr *ip = (void *)b;
  if (n < 20) { say("%s: %d bytes", what, n); return; }
  char from[20], to[20];
  inet_ntop(AF_INET, &ip->saddr, from, 20), inet_ntop(AF_INET, &ip->daddr, to, 20);
  uint8_t *d = b + ip->ihl * 4;
  say("%s: %d bytes, v%d ihl %d tos %#x len %d off %#x ttl %d proto %d sum %s %s>%s: %02x %02x", what, n, ip->version, ip->ihl, ip->tos,
      ntohs(ip->tot_len), ntohs(ip->frag_off), ip->ttl, ip->protocol, sum(b, ip->ihl * 4) ? "bad" : "good", from, to,
      n > 20 ? d[0] : 0, n > 21 ? d[1] : 0);
}

static void take(const char *what, int s) {
  static uint8_t b[70000];
  struct sockaddr_in f;
  socklen_t l = sizeof f;
  int n = recvfrom(s, b, sizeof b, MSG_DONTWAIT, SA(f), &l);
  if (n < 0) { say("%s: %s", what, error_name(errno)); return; }
  say_packet(what, b, n);
  say("from %s port %d, %d", inet_ntoa(f.sin_addr), ntohs(f.sin_port), (int)l);
}

static void take6(const char *what, int s) {
  static uint8_t b[70000];
  struct sockaddr_in6 f;
  socklen_t l = sizeof f;
  char from[50];
  int n = recvfrom(s, b, sizeof b, MSG_DONTWAIT, SA(f), &l);
  if (n < 0) { say("%s: %s", what, error_name(errno)); return; }
  inet_ntop(AF_INET6, &f.sin6_addr, from, 50);
  say("%s: %d bytes, %02x %02x from %s port %d, %d", what, n, n > 0 ? b[0] : 0, n > 1 ? b[1] : 0, from, ntohs(f.sin6_port), (int)l);
}

static struct icmphdr echo(int seq) {
  struct icmphdr h = {.type = ICMP_ECHO, .un.echo = {htons(7), htons(seq)}};
  h.checksum = sum(&h, sizeof h);
  return h;
}

TEST(making) {
  SHOW(socket(AF_INET, SOCK_RAW, 0));
  SHOW(socket(AF_INET6, SOCK_RAW, 0));
  SHOW(socket(AF_INET, SOCK_RAW, 263));
  SHOW(socket(AF_INET, SOCK_RAW, -1));
  SHOW(socket(AF_INET, SOCK_DGRAM, 263)), SHOW(socket(AF_INET, SOCK_STREAM, -1));
  SHOW(socket(AF_INET, SOCK_SEQPACKET, 0)), SHOW(socket(AF_INET, SOCK_RDM, 0));
  SHOW(socket(AF_INET, SOCK_DGRAM, IPPROTO_TCP)), SHOW(socket(AF_INET, SOCK_STREAM, IPPROTO_UDP));
  OKAY(socket(AF_INET, SOCK_RAW, IPPROTO_RAW)), OKAY(socket(AF_INET6, SOCK_RAW, IPPROTO_RAW));
  for (int p = 1; p < 256; p += 17) {
    int s = socket(AF_INET, SOCK_RAW, p), v;
    if (s < 0) say("%d: %s", p, error_name(errno));
    struct sockaddr_in a;
    getsockname(s, SA(a), &(socklen_t){sizeof a});
    getsockopt(s, SOL_SOCKET, SO_PROTOCOL, &v, &(socklen_t){4});
    say("%d: port %d protocol %d", p, ntohs(a.sin_port), v);
    getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &(socklen_t){4});
    if (v != SOCK_RAW) say("type %d", v);
    close(s);
  }
  CHILD("unprivileged") {
    setresuid(1000, 1000, 1000);
    SHOW(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)), SHOW(socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6));
    SHOW(socket(AF_INET, SOCK_RAW, 0)), SHOW(socket(AF_PACKET, SOCK_RAW, 0));
    SHOW(socket(AF_INET, SOCK_RAW, 300));
  }
}

TEST(calls) {
  int s = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 77), g;
  SHOW(listen(s, 1)), SHOW(accept(s, 0, 0));
  SHOW(getpeername(s, SA(g), &(socklen_t){sizeof g}));
  SHOW(send(s, "x", 1, 0)), SHOW(write(s, "x", 1));
  SHOW(shutdown(s, SHUT_RD));
  say_poll("shut", s);
  s = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  SHOW(bind(s, SA(a), 15)), SHOW(bind(s, SA(a), 2));
  a.sin_addr.s_addr = htonl(0x08080808);
  SHOW(bind(s, SA(a), sizeof a));
  a = v4(INADDR_LOOPBACK, 77);
  SHOW(bind(s, SA(a), sizeof a));
  getsockname(s, SA(g), &(socklen_t){sizeof g}), SHOW(ntohs(g.sin_port));
  SHOW(bind(s, SA(a), sizeof a));
  a.sin_family = AF_INET6;
  SHOW(bind(s, SA(a), sizeof a));
  SHOW(connect(s, SA(a), sizeof a)), SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a));
  a.sin_family = AF_INET;
  SHOW(connect(s, SA(a), 10)), SHOW(sendto(s, "x", 1, 0, SA(a), 10));
  SHOW(sendto(s, "x", 1, MSG_OOB, SA(a), sizeof a));
  SHOW(connect(s, SA(a), sizeof a));
  SHOW(getpeername(s, SA(g), &(socklen_t){sizeof g})), SHOW(ntohs(g.sin_port));
  SHOW(bind(s, SA(a), sizeof a));
  a.sin_port = 0;
  SHOW(connect(s, SA(a), sizeof a)), SHOW(getpeername(s, SA(g), &(socklen_t){sizeof g}));
  a.sin_family = AF_UNSPEC;
  SHOW(connect(s, SA(a), sizeof a)), SHOW(send(s, "x", 1, 0));
  static char big[70000];
  a = v4(INADDR_LOOPBACK, 0);
  SHOW(sendto(s, big, 65536, 0, SA(a), sizeof a)), SHOW(sendto(s, big, 65516, 0, SA(a), sizeof a));
  SHOW(sendto(s, big, 65515, 0, SA(a), sizeof a));
  a = v4(0x08080808, 0);
  SHOW(sendto(s, big, 1, 0, SA(a), sizeof a));
  a = v4(INADDR_BROADCAST, 0);
  SHOW(sendto(s, big, 1, 0, SA(a), sizeof a));
}

TEST(echoes) {
  int s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), t = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  struct icmphdr h = echo(1);
  SHOW(sendto(s, &h, sizeof h, 0, SA(a), sizeof a));
  int have;
  SHOW(ioctl(s, FIONREAD, &have)), SHOW(have);
  say_poll("echo", s);
  take("request", s), take("reply", s), take("nothing", s);
  take("request", t), take("reply", t);
  h.checksum++;
  SHOW(sendto(s, &h, sizeof h, 0, SA(a), sizeof a));
  take("broken", s), take("nothing", s);
  h = echo(2);
  SHOW(connect(s, SA(a), sizeof a)), SHOW(send(s, &h, sizeof h, 0));
  take("request", s), take("reply", s);
  a = v4(0x7f000002, 0);
  SHOW(sendto(t, &h, sizeof h, 0, SA(a), sizeof a));
  take("other", s), take("request", t), take("reply", t);
  struct sockaddr_in b = v4(0x7f000002, 0);
  SHOW(bind(t, SA(b), sizeof b));
  SHOW(sendto(t, &h, sizeof h, 0, SA(a), sizeof a));
  take("request", t), take("reply", t), take("nothing", t);
  int ttl = 3, tos = 0x10;
  SHOW(setsockopt(t, IPPROTO_IP, IP_TTL, &ttl, 4)), SHOW(setsockopt(t, IPPROTO_IP, IP_TOS, &tos, 4));
  SHOW(sendto(t, &h, sizeof h, 0, SA(a), sizeof a));
  take("request", t), take("reply", t);
}

TEST(filters) {
  int s = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP), u = socket(AF_INET, SOCK_RAW, IPPROTO_UDP);
  uint32_t f = ~(1U << ICMP_ECHOREPLY), g[4] = {0};
  socklen_t n = 4;
  SHOW(setsockopt(s, SOL_RAW, ICMP_FILTER, &f, 4));
  SHOW(getsockopt(s, SOL_RAW, ICMP_FILTER, g, &n)), SHOW(n), IS(g[0] == f);
  n = 16, SHOW(getsockopt(s, SOL_RAW, ICMP_FILTER, g, &n)), SHOW(n);
  n = 2, SHOW(getsockopt(s, SOL_RAW, ICMP_FILTER, g, &n)), SHOW(n);
  n = -1, SHOW(getsockopt(s, SOL_RAW, ICMP_FILTER, g, &n));
  n = 4, SHOW(getsockopt(s, SOL_RAW, 2, g, &n)), SHOW(setsockopt(s, SOL_RAW, 2, g, n));
  SHOW(getsockopt(u, SOL_RAW, ICMP_FILTER, g, &n)), SHOW(setsockopt(u, SOL_RAW, ICMP_FILTER, g, n));
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  struct icmphdr h = echo(1);
  SHOW(sendto(s, &h, sizeof h, 0, SA(a), sizeof a));
  take("reply", s), take("nothing", s);
  SHOW(setsockopt(s, SOL_RAW, ICMP_FILTER, g, 1));
  n = 4, SHOW(getsockopt(s, SOL_RAW, ICMP_FILTER, g, &n)), say("%#x", g[0]);
}

TEST(headers) {
  int s = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), r = socket(AF_INET, SOCK_RAW, 99), v;
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  SHOW(getsockopt(s, IPPROTO_IP, IP_HDRINCL, &v, &(socklen_t){4})), SHOW(v);
  SHOW(getsockopt(r, IPPROTO_IP, IP_HDRINCL, &v, &(socklen_t){4})), SHOW(v);
  struct { struct iphdr ip; char data[4]; } p = {{.ihl = 5, .version = 4, .ttl = 9, .protocol = 99, .tos = 4}, "abc"};
  p.ip.daddr = a.sin_addr.s_addr, p.ip.tot_len = htons(5), p.ip.check = 1;
  SHOW(sendto(s, &p, sizeof p, 0, SA(a), sizeof a));
  take("filled in", r), take("nothing", s);
  p.ip.saddr = htonl(0x7f000009);
  SHOW(sendto(s, &p, sizeof p, 0, SA(a), sizeof a));
  take("from elsewhere", r);
  p.ip.daddr = htonl(0x7f000008);
  SHOW(sendto(s, &p, sizeof p, 0, SA(a), sizeof a));
  take("to another", r);
  SHOW(sendto(s, &p, 19, 0, SA(a), sizeof a)), SHOW(sendto(s, &p, 20, 0, SA(a), sizeof a));
  take("empty", r);
  p.ip.ihl = 15;
  SHOW(sendto(s, &p, 24, 0, SA(a), sizeof a));
  int one = 1;
  SHOW(setsockopt(r, IPPROTO_IP, IP_HDRINCL, &one, 4)), SHOW(getsockopt(r, IPPROTO_IP, IP_HDRINCL, &v, &(socklen_t){4})), SHOW(v);
  int d = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW(setsockopt(d, IPPROTO_IP, IP_HDRINCL, &one, 4)), SHOW(getsockopt(d, IPPROTO_IP, IP_HDRINCL, &v, &(socklen_t){4}));
  static char big[70000];
  SHOW(sendto(s, big, 65536, 0, SA(a), sizeof a)), SHOW(sendto(s, big, 65535, 0, SA(a), sizeof a));
}

TEST(udp) {
  int raw = socket(AF_INET, SOCK_RAW, IPPROTO_UDP), s = socket(AF_INET, SOCK_DGRAM, 0), r = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 20123), f;
  socklen_t l = sizeof f;
  SHOW(bind(r, SA(a), sizeof a));
  SHOW(sendto(s, "hello", 5, 0, SA(a), sizeof a));
  static uint8_t b[100];
  SHOW(recv(raw, b, sizeof b, MSG_DONTWAIT));
  struct udphdr *u = (void *)(b + 20);
  say("port %d, %d bytes, %.5s", ntohs(u->dest), ntohs(u->len), (char *)(u + 1));
  SHOW(recv(raw, b, sizeof b, MSG_DONTWAIT));
  SHOW(recv(r, b, sizeof b, MSG_DONTWAIT));
  struct { struct udphdr h; char data[4]; } p = {{.source = htons(5), .dest = htons(20123), .len = htons(12)}, "raw"};
  SHOW(sendto(raw, &p, sizeof p, 0, SA(a), sizeof a));
  SHOW(recvfrom(r, b, sizeof b, MSG_DONTWAIT, SA(f), &l)), say("%.3s from %d", (char *)b, ntohs(f.sin_port));
  p.h.check = 77;
  SHOW(sendto(raw, &p, sizeof p, 0, SA(a), sizeof a));
  SHOW(recv(r, b, sizeof b, MSG_DONTWAIT));
  int icmp = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  p.h.check = 0, p.h.dest = htons(9);
  SHOW(sendto(raw, &p, sizeof p, 0, SA(a), sizeof a));
  take("unreachable", icmp), take("nothing", icmp);
  a.sin_port = htons(9);
  SHOW(sendto(s, "nobody", 6, 0, SA(a), sizeof a));
  take("unreachable", icmp);
}

TEST(truncated) {
  int s = socket(AF_INET, SOCK_RAW, 99);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  char b[10];
  for (int i = 0; i < 3; i++) SHOW(sendto(s, "0123456789", 10, 0, SA(a), sizeof a));
  SHOW(recv(s, b, 10, MSG_PEEK)), SHOW(recv(s, b, 10, MSG_TRUNC));
  struct iovec v = {b, 10};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  SHOW(recvmsg(s, &m, 0)), say("%#x", m.msg_flags);
  SHOW(read(s, b, 10)), SHOW(recv(s, b, 10, MSG_DONTWAIT)), SHOW(recv(s, b, 10, MSG_OOB));
}

TEST(labels) {
  int s = socket(AF_INET, SOCK_RAW, 99), one = 1;
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  SHOW(setsockopt(s, IPPROTO_IP, IP_PKTINFO, &one, 4)), SHOW(setsockopt(s, IPPROTO_IP, IP_RECVTTL, &one, 4));
  SHOW(setsockopt(s, IPPROTO_IP, IP_RECVTOS, &one, 4));
  SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a));
  char b[100], c[300];
  struct iovec v = {b, 100};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  SHOW(recvmsg(s, &m, 0));
  for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) say("%d %d %d: %d", h->cmsg_level, h->cmsg_type, (int)h->cmsg_len, *CMSG_DATA(h));
}

TEST(protocols) {
  // Nobody has protocol 99: its sender hears of that.
  int s = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), i = socket(AF_INET, SOCK_RAW, IPPROTO_ICMP);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  struct iphdr p = {.ihl = 5, .version = 4, .ttl = 9, .protocol = 99, .daddr = a.sin_addr.s_addr};
  SHOW(sendto(s, &p, sizeof p, 0, SA(a), sizeof a));
  take("unreachable", i), take("nothing", i);
}

TEST(six) {
  int s = socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6), v;
  struct sockaddr_in6 a = v6("::1", 0), g;
  struct icmp6_hdr h = {.icmp6_type = ICMP6_ECHO_REQUEST, .icmp6_dataun.icmp6_un_data16 = {1, 2}};
  SHOW(sendto(s, &h, sizeof h, 0, SA(a), sizeof a));
  take6("request", s), take6("reply", s), take6("nothing", s);
  SHOW(getsockopt(s, IPPROTO_IPV6, IPV6_CHECKSUM, &v, &(socklen_t){4})), SHOW(v);
  SHOW(setsockopt(s, IPPROTO_IPV6, IPV6_CHECKSUM, &v, 4));
  a.sin6_port = htons(17), SHOW(sendto(s, &h, sizeof h, 0, SA(a), sizeof a));
  a.sin6_port = htons(58), SHOW(sendto(s, &h, sizeof h, 0, SA(a), sizeof a));
  take6("request", s), take6("reply", s);
  struct icmp6_filter f, e;
  socklen_t n = sizeof e;
  ICMP6_FILTER_SETBLOCKALL(&f);
  ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &f);
  SHOW(setsockopt(s, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof f));
  SHOW(getsockopt(s, IPPROTO_ICMPV6, ICMP6_FILTER, &e, &n)), SHOW(n), IS(!memcmp(&e, &f, n));
  SHOW(sendto(s, &h, sizeof h, 0, SA(a), sizeof a));
  take6("reply", s), take6("nothing", s);
  getsockname(s, SA(g), &(socklen_t){sizeof g}), SHOW(ntohs(g.sin6_port));
  int u = socket(AF_INET6, SOCK_RAW, 99);
  SHOW(setsockopt(u, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof f));
  SHOW(getsockopt(u, IPPROTO_IPV6, IPV6_CHECKSUM, &v, &(socklen_t){4})), SHOW(v);
  v = 3, SHOW(setsockopt(u, IPPROTO_IPV6, IPV6_CHECKSUM, &v, 4));
  v = 2, SHOW(setsockopt(u, IPPROTO_IPV6, IPV6_CHECKSUM, &v, 4));
  SHOW(getsockopt(u, IPPROTO_IPV6, IPV6_CHECKSUM, &v, &(socklen_t){4})), SHOW(v);
  a = v6("::1", 0);
  SHOW(sendto(u, "abc", 3, 0, SA(a), sizeof a));
  SHOW(sendto(u, "ab\0\0", 4, 0, SA(a), sizeof a));
  take6("summed", u), take6("nothing", u);
  v = -1, SHOW(setsockopt(u, IPPROTO_IPV6, IPV6_CHECKSUM, &v, 4)), SHOW(sendto(u, "abc", 3, 0, SA(a), sizeof a));
  take6("plain", u);
  SHOW(send(u, "x", 1, 0)), SHOW(bind(u, SA(a), 10)), SHOW(sendto(u, "x", 1, 0, SA(a), 10));
  struct sockaddr_in four = v4(INADDR_LOOPBACK, 0);
  SHOW(bind(u, SA(four), sizeof four)), SHOW(sendto(u, "x", 1, 0, SA(four), sizeof four));
  SHOW(sendto(u, "x", 1, 0, SA(four), 28));
  a = v6("2001:db8::1", 0), SHOW(bind(u, SA(a), sizeof a));
  a = v6("::1", 0), SHOW(bind(u, SA(a), sizeof a)), SHOW(connect(u, SA(a), sizeof a)), SHOW(send(u, "y", 1, 0));
  take6("connected", u);
}

TEST(pings) {
  SHOW(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)), SHOW(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6));
  SHOW(socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP)), SHOW(socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6));
  put("/proc/sys/net/ipv4/ping_group_range", "0 0");
  int s = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  if (s < 0) { say("%s", error_name(errno)); return; }
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0), g;
  struct icmphdr h = echo(3);
  SHOW(sendto(s, &h, 7, 0, SA(a), sizeof a));
  h.type = ICMP_ECHOREPLY, SHOW(sendto(s, &h, 8, 0, SA(a), sizeof a));
  h = echo(3), h.code = 1, SHOW(sendto(s, &h, 8, 0, SA(a), sizeof a));
  h = echo(3), SHOW(sendto(s, &h, 8, 0, SA(a), sizeof a));
  getsockname(s, SA(g), &(socklen_t){sizeof g}), IS(g.sin_port != 0);
  char b[100];
  socklen_t l = sizeof a;
  SHOW(recvfrom(s, b, 100, MSG_DONTWAIT, SA(a), &l)), SHOW(b[0]), SHOW(ntohs(a.sin_port)), IS(!memcmp(b + 4, &g.sin_port, 2));
  SHOW(recv(s, b, 100, MSG_DONTWAIT));
  SHOW(send(s, &h, 8, 0)), SHOW(connect(s, SA(a), sizeof a)), SHOW(send(s, &h, 8, 0)), SHOW(recv(s, b, 100, MSG_DONTWAIT));
  int t = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  a = v4(INADDR_LOOPBACK, 4711);
  SHOW(bind(t, SA(a), sizeof a)), getsockname(t, SA(g), &(socklen_t){sizeof g}), SHOW(ntohs(g.sin_port));
  int w = socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP);
  SHOW(bind(w, SA(a), sizeof a)), SHOW(bind(t, SA(a), sizeof a));
  int six = socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6);
  struct sockaddr_in6 a6 = v6("::1", 0);
  struct icmp6_hdr h6 = {.icmp6_type = ICMP6_ECHO_REQUEST};
  SHOW(sendto(six, &h6, 8, 0, SA(a6), sizeof a6)), take6("pong", six);
}
