// What is told with data: segments, times, marks, what is left; and what of a connection may be changed.
#include "guest.h"
#include "net.h"
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <linux/sockios.h>
#ifndef UDP_GRO
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif
static void say_notes(const char *what, int s) {
  char b[100], c[500];
  struct iovec v = {b, sizeof b};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  int n = recvmsg(s, &m, MSG_DONTWAIT);
  if (n < 0) { say("%s: %s", what, error_name(errno)); return; }
  say("%s: %d [%.*s] %#x", what, n, n, b, m.msg_flags);
  for (struct cmsghdr *h = CMSG_FIRSTHDR(&m); h; h = CMSG_NXTHDR(&m, h)) say("  %d %d, %d", h->cmsg_level, h->cmsg_type, (int)h->cmsg_len);
}
TEST(gro) {
  int r = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0), one = 1, three = 3;
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  bind(r, SA(a), sizeof a), getsockname(r, SA(a), &(socklen_t){sizeof a});
  SHOW(setsockopt(r, IPPROTO_UDP, UDP_GRO, &one, 4)), SHOW(setsockopt(s, IPPROTO_UDP, UDP_SEGMENT, &three, 4));
  SHOW(sendto(s, "abcdefgh", 8, 0, SA(a), sizeof a)), say_notes("joined", r), say_notes("next", r);
  SHOW(sendto(s, "ab", 2, 0, SA(a), sizeof a)), say_notes("one", r);
}
TEST(stamps) {
  int r = socket(AF_INET, SOCK_DGRAM, 0), s = socket(AF_INET, SOCK_DGRAM, 0), one = 1, f = 8 | 16;
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  bind(r, SA(a), sizeof a), getsockname(r, SA(a), &(socklen_t){sizeof a});
  SHOW(setsockopt(r, SOL_SOCKET, SO_TIMESTAMP, &one, 4)), SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a)), say_notes("timestamp", r);
  SHOW(setsockopt(r, SOL_SOCKET, SO_TIMESTAMPNS, &one, 4)), SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a)), say_notes("ns", r);
  SHOW(setsockopt(r, SOL_SOCKET, SO_TIMESTAMPING, &f, 4)), SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a)), say_notes("both", r);
  int rx = 1; SHOW(setsockopt(r, SOL_SOCKET, SO_RXQ_OVFL, &rx, 4)), SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a)), say_notes("drops", r);
  SHOW(setsockopt(r, SOL_SOCKET, 75, &rx, 4)), SHOW(setsockopt(r, SOL_SOCKET, 82, &rx, 4)), SHOW(sendto(s, "x", 1, 0, SA(a), sizeof a)), say_notes("marks", r);
  struct timeval tv; struct timespec ts;
  int t = socket(AF_INET, SOCK_DGRAM, 0);
  SHOW(ioctl(t, SIOCGSTAMP, &tv)), SHOW(ioctl(r, SIOCGSTAMP, &tv)), SHOW(ioctl(r, SIOCGSTAMPNS, &ts));
  int st = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(ioctl(st, SIOCGSTAMP, &tv));
}
TEST(tcp_options) {
  int s, c, n; pair(AF_INET, &s, &c);
  int names[] = {TCP_QUICKACK, TCP_DEFER_ACCEPT, TCP_FASTOPEN, TCP_SAVE_SYN, TCP_NOTSENT_LOWAT, TCP_USER_TIMEOUT, TCP_SYNCNT};
  for (int i = 0; i < 7; i++) { n = 0; int e = getsockopt(s, IPPROTO_TCP, names[i], &n, &(socklen_t){4}); say("%d: %s %d", names[i], e ? error_name(errno) : "ok", n); }
  n = 500, SHOW(setsockopt(s, IPPROTO_TCP, TCP_MAXSEG, &n, 4));
  n = 0, SHOW(setsockopt(s, IPPROTO_TCP, TCP_WINDOW_CLAMP, &n, 4)); n = 5, SHOW(setsockopt(s, IPPROTO_TCP, TCP_FASTOPEN, &n, 4));
  SHOW(setsockopt(s, IPPROTO_TCP, TCP_ULP, "tls", 3)), SHOW(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "reno", 4)), SHOW(setsockopt(s, IPPROTO_TCP, TCP_CONGESTION, "nothing", 7));
  SHOW(setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &n, 4)), SHOW(recv(s, &n, 1, MSG_ERRQUEUE)), SHOW(ioctl(s, SIOCATMARK, &n)), SHOW(ioctl(s, 0x894b, &n)), SHOW(n);
  n = 1, SHOW(setsockopt(c, IPPROTO_TCP, TCP_INQ, &n, 4)), SHOW(send(s, "hello", 5, 0)), say_notes("inq", c);
  SHOW(setsockopt(c, SOL_SOCKET, SO_TIMESTAMP, &n, 4)), SHOW(send(s, "hello", 5, 0)), say_notes("stamp", c);
}
TEST(raw_errors) {
  int s = socket(AF_INET, SOCK_RAW, 99), one = 1, n;
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0), f;
  char b[10];
  close(socket(AF_INET, SOCK_RAW, 98));
  int t = socket(AF_INET, SOCK_RAW, 98);
  SHOW(setsockopt(s, IPPROTO_IP, IP_RECVERR, &one, 4)), SHOW(connect(s, SA(a), sizeof a)), SHOW(send(s, "x", 1, 0)), say_poll("raw", s);
  n = 2000, SHOW(setsockopt(t, SOL_SOCKET, SO_RCVBUF, &n, 4));
  static char big[3000];
  for (int i = 0; i < 5; i++) sendto(t, big, 1000, 0, SA(a), sizeof a);
  for (n = 0; recv(t, big, 3000, MSG_DONTWAIT) > 0; n++) {}
  say("%d of 5", n);
}
TEST(snd_limits) {
  int s = socket(AF_INET, SOCK_RAW, IPPROTO_RAW), n = 0;
  SHOW(setsockopt(s, SOL_SOCKET, SO_SNDBUF, &n, 4));
  struct iphdr h = {.version = 4, .ihl = 5, .protocol = 99, .daddr = htonl(INADDR_LOOPBACK)};
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  static char big[10000]; memcpy(big, &h, sizeof h);
  SHOW(sendto(s, big, 10000, MSG_DONTWAIT, SA(a), sizeof a)), SHOW(sendto(s, big, 100, MSG_DONTWAIT, SA(a), sizeof a));
}
