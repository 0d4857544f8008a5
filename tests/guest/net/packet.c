// Packet sockets on the loopback.
#include "guest.h"
#include "net.h"
#include <linux/if_packet.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>

static struct sockaddr_ll ll(int protocol, int link) {
  return (struct sockaddr_ll){.sll_family = AF_PACKET, .sll_protocol = htons(protocol), .sll_ifindex = link};
}

static void take(const char *what, int s) {
  static uint8_t b[70000];
  struct sockaddr_ll f;
  socklen_t l = sizeof f;
  memset(&f, 0xaa, sizeof f);
  int n = recvfrom(s, b, sizeof b, MSG_DONTWAIT, SA(f), &l);
  if (n < 0) { say("%s: %s", what, error_name(errno)); return; }
  say("%s: %d bytes, %02x %02x, at 14 %02x; family %d protocol %#x link %d hardware %d type %d, %d of address %02x%02x, %d", what, n, b[0], n > 1 ? b[1] : 0,
      n > 14 ? b[14] : 0, f.sll_family, ntohs(f.sll_protocol), f.sll_ifindex, f.sll_hatype, f.sll_pkttype, f.sll_halen, f.sll_addr[0], f.sll_addr[7], l);
}

static void say_ll(const char *what, int s) {
  struct sockaddr_ll a;
  socklen_t l = sizeof a;
  memset(&a, 0, sizeof a);
  if (getsockname(s, SA(a), &l)) { say("%s: %s", what, error_name(errno)); return; }
  say("%s: family %d protocol %#x link %d hardware %d address %d, %d", what, a.sll_family, ntohs(a.sll_protocol), a.sll_ifindex, a.sll_hatype, a.sll_halen, l);
}

static void ping_udp(int port, const char *text) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, port);
  if (sendto(s, text, strlen(text), 0, SA(a), sizeof a) < 0) say("send: %s", error_name(errno));
  close(s);
}

static int sink(int port) {
  int s = socket(AF_INET, SOCK_DGRAM, 0);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, port);
  if (bind(s, SA(a), sizeof a)) say("bind: %s", error_name(errno));
  return s;
}

TEST(making) {
  int v;
  SHOW(socket(AF_PACKET, SOCK_STREAM, 0)), SHOW(socket(AF_PACKET, SOCK_SEQPACKET, 0));
  int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));
  say_ll("new", s);
  SHOW(getsockopt(s, SOL_SOCKET, SO_PROTOCOL, &v, &(socklen_t){4})), SHOW(v);
  SHOW(getsockopt(s, SOL_SOCKET, SO_DOMAIN, &v, &(socklen_t){4})), SHOW(v);
  SHOW(getsockopt(s, SOL_SOCKET, SO_TYPE, &v, &(socklen_t){4})), SHOW(v);
  struct sockaddr_ll a = ll(ETH_P_ALL, 1);
  SHOW(connect(s, SA(a), sizeof a)), SHOW(listen(s, 1)), SHOW(accept(s, 0, 0)), SHOW(shutdown(s, SHUT_RD));
  SHOW(getpeername(s, SA(a), &(socklen_t){sizeof a}));
  SHOW(socketpair(AF_PACKET, SOCK_RAW, 0, (int[2]){}));
  say_poll("empty", s);
}

TEST(binding) {
  int s = socket(AF_PACKET, SOCK_RAW, 0);
  say_ll("new", s);
  struct sockaddr_ll a = ll(ETH_P_IP, 1);
  SHOW(bind(s, SA(a), sizeof a - 1)), SHOW(bind(s, SA(a), 12));
  a.sll_family = AF_INET, SHOW(bind(s, SA(a), sizeof a));
  a = ll(ETH_P_IP, 4711), SHOW(bind(s, SA(a), sizeof a));
  a = ll(ETH_P_IP, 1), SHOW(bind(s, SA(a), sizeof a)), say_ll("bound", s);
  a = ll(0, 1), SHOW(bind(s, SA(a), sizeof a)), say_ll("again", s);
  a = ll(ETH_P_ALL, 0), SHOW(bind(s, SA(a), sizeof a)), say_ll("everywhere", s);
  SHOW(bind(s, SA(a), sizeof a));
}

TEST(receiving) {
  int all = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), ip = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP));
  int six = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IPV6)), none = socket(AF_PACKET, SOCK_RAW, 0), bare = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP));
  int r = sink(20555);
  ping_udp(20555, "hello");
  int have;
  SHOW(ioctl(all, FIONREAD, &have)), SHOW(have);
  take("all", all), take("all", all), take("all", all);
  take("ip", ip), take("ip", ip), take("six", six), take("none", none), take("bare", bare), take("bare", bare);
  struct sockaddr_ll a = ll(ETH_P_IP, 1);
  SHOW(bind(none, SA(a), sizeof a));
  ping_udp(20555, "again");
  take("bound", none), take("bound", none);
}

TEST(cut) {
  int s = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_IP)), r = sink(20556);
  char b[8];
  for (int i = 0; i < 4; i++) ping_udp(20556, "hello");
  SHOW(recv(s, b, 8, MSG_PEEK)), SHOW(recv(s, b, 8, MSG_TRUNC)), SHOW(recv(s, b, 8, 0));
  struct iovec v = {b, 8};
  struct msghdr m = {.msg_iov = &v, .msg_iovlen = 1};
  SHOW(recvmsg(s, &m, 0)), say("%#x", m.msg_flags);
  SHOW(read(s, b, 8)), SHOW(recv(s, b, 8, MSG_DONTWAIT)), SHOW(recv(s, b, 8, MSG_OOB)), SHOW(recv(s, b, 8, MSG_WAITALL | MSG_DONTWAIT));
}

TEST(sending) {
  int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL)), d = socket(AF_PACKET, SOCK_DGRAM, 0), r = sink(20557);
  struct sockaddr_ll a = ll(ETH_P_IP, 1);
  a.sll_halen = 6;
  struct { struct iphdr ip; struct udphdr udp; char data[4]; } __attribute__((packed)) p = {
    {.version = 4, .ihl = 5, .ttl = 4, .protocol = 17, .tot_len = htons(32), .saddr = htonl(INADDR_LOOPBACK), .daddr = htonl(INADDR_LOOPBACK)},
    {.source = htons(1), .dest = htons(20557), .len = htons(12)}, "raw"};
  uint32_t sum = 0;
  for (int i = 0; i < 10; i++) sum += ((uint16_t *)&p)[i];
  while (sum >> 16) sum = (sum >> 16) + (sum & 0xffff);
  p.ip.check = ~sum;
  char b[100];
  SHOW(sendto(d, &p, sizeof p, 0, SA(a), sizeof a));
  SHOW(recv(r, b, 100, MSG_DONTWAIT)), say("%.3s", b);
  take("seen out", s), take("seen in", s), take("nothing", s);
  uint8_t frame[14 + sizeof p] = {[12] = 8};
  memcpy(frame + 14, &p, sizeof p);
  SHOW(sendto(s, frame, sizeof frame, 0, SA(a), sizeof a));
  SHOW(recv(r, b, 100, MSG_DONTWAIT));
  take("own", s), take("nothing", s);
  frame[0] = 2;
  SHOW(sendto(s, frame, sizeof frame, 0, SA(a), sizeof a)), SHOW(recv(r, b, 100, MSG_DONTWAIT));
  take("for others", s);
  SHOW(sendto(s, frame, 13, 0, SA(a), sizeof a)), SHOW(sendto(s, frame, 0, 0, SA(a), sizeof a));
  SHOW(sendto(s, frame, 20, 0, SA(a), 12)), SHOW(sendto(s, frame, 20, 0, SA(a), 10));
  SHOW(send(s, frame, 20, 0)), SHOW(send(d, frame, 20, 0));
  a.sll_ifindex = 4711, SHOW(sendto(s, frame, 20, 0, SA(a), sizeof a));
  a.sll_ifindex = 1, a.sll_halen = 20, SHOW(sendto(s, frame, 20, 0, SA(a), sizeof a));
  a = ll(ETH_P_IP, 1);
  SHOW(bind(s, SA(a), sizeof a)), SHOW(send(s, frame, sizeof frame, 0));
}

TEST(options) {
  int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP)), r = sink(20558), one = 1, v;
  socklen_t n;
  ping_udp(20558, "a"), ping_udp(20558, "b");
  struct { unsigned packets, drops; unsigned freeze; } st;
  n = sizeof st, SHOW(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &n)), SHOW(n), say("%u %u", st.packets, st.drops);
  n = sizeof st, SHOW(getsockopt(s, SOL_PACKET, PACKET_STATISTICS, &st, &n)), say("%u %u", st.packets, st.drops);
  n = 4, SHOW(getsockopt(s, SOL_PACKET, PACKET_AUXDATA, &v, &n)), SHOW(v);
  SHOW(setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &one, 3)), SHOW(setsockopt(s, SOL_PACKET, PACKET_AUXDATA, &one, 4));
  n = 4, SHOW(getsockopt(s, SOL_PACKET, PACKET_AUXDATA, &v, &n)), SHOW(v);
  ping_udp(20558, "aux");
  char b[100], c[200];
  recv(s, b, 100, 0), recv(s, b, 100, 0);
  struct iovec i = {b, 100};
  struct msghdr m = {.msg_iov = &i, .msg_iovlen = 1, .msg_control = c, .msg_controllen = sizeof c};
  SHOW(recvmsg(s, &m, 0));
  struct cmsghdr *h = CMSG_FIRSTHDR(&m);
  if (h) {
    struct tpacket_auxdata *x = (void *)CMSG_DATA(h);
    say("%d %d %d: status %#x %d %d mac %d net %d", h->cmsg_level, h->cmsg_type, (int)h->cmsg_len, x->tp_status, x->tp_len, x->tp_snaplen, x->tp_mac, x->tp_net);
  }
  struct packet_mreq q = {.mr_ifindex = 1, .mr_type = PACKET_MR_PROMISC};
  SHOW(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &q, sizeof q)), SHOW(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &q, sizeof q - 1));
  SHOW(setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &q, sizeof q));
  q.mr_ifindex = 4711, SHOW(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &q, sizeof q)), SHOW(setsockopt(s, SOL_PACKET, PACKET_DROP_MEMBERSHIP, &q, sizeof q));
  q.mr_ifindex = 1, q.mr_alen = 9, SHOW(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &q, sizeof q));
  q.mr_alen = 7, SHOW(setsockopt(s, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &q, sizeof q));
  for (v = 0; v < 4; v++) SHOW(setsockopt(s, SOL_PACKET, PACKET_VERSION, &v, 4));
  n = 4, SHOW(getsockopt(s, SOL_PACKET, PACKET_VERSION, &v, &n)), SHOW(v);
  for (v = 0; v < 4; v++) { int w = v; n = 4, SHOW(getsockopt(s, SOL_PACKET, PACKET_HDRLEN, &w, &n)), SHOW(w); }
  SHOW(setsockopt(s, SOL_PACKET, 99, &one, 4)), n = 4, SHOW(getsockopt(s, SOL_PACKET, 99, &v, &n));
  SHOW(setsockopt(s, SOL_IP, IP_TTL, &one, 4)), SHOW(getsockopt(s, SOL_IP, IP_TTL, &v, &n));
  v = 2, SHOW(setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &v, 4));
  v = 1, SHOW(setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &v, 4));
  SHOW(setsockopt(s, SOL_PACKET, PACKET_RX_RING, &v, 4)), SHOW(setsockopt(s, SOL_PACKET, PACKET_TX_RING, &v, 4));
  int o = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
  SHOW(setsockopt(o, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, 4));
  ping_udp(20558, "in only"), take("in", o), take("nothing", o);
  for (int name = 1; name < 30; name++) {
    n = 4, v = 77;
    int e = getsockopt(o, SOL_PACKET, name, &v, &n);
    if (name != PACKET_STATISTICS && name != PACKET_HDRLEN) say("%d: %s %d, %d", name, e ? error_name(errno) : "ok", e ? 0 : v, n);
  }
}

TEST(down) {
  int s = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_IP)), c = socket(AF_INET, SOCK_DGRAM, 0);
  struct ifreq q = {.ifr_name = "lo"};
  SHOW(ioctl(s, SIOCGIFADDR, &q)), SHOW(ioctl(s, SIOCGIFFLAGS, &q)), SHOW(ioctl(s, SIOCGIFINDEX, &q)), SHOW(q.ifr_ifindex);
}
