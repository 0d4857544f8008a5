// What packet and raw sockets see of connections over the loopback. Acknowledgements alone
// come when it pleases the kernel, and are left out.
#include "guest.h"
#include "net.h"
#include <linux/if_packet.h>
#include <netinet/if_ether.h>

static struct { uint16_t port; uint32_t begin; } ends[16];
static int known;

// The number relative to the first one of that port.
static uint32_t relative(uint16_t port, uint32_t number, bool begins) {
  for (int i = 0; i < known; i++)
    if (ends[i].port == port) {
      if (begins) ends[i].begin = number;
      return number - ends[i].begin;
    }
  ends[known].port = port, ends[known].begin = number, known++;
  return 0;
}

static void segment(const uint8_t *at, int len, uint16_t server) {
  uint16_t from = at[0] << 8 | at[1], to = at[2] << 8 | at[3];
  uint32_t seq, ack;
  memcpy(&seq, at + 4, 4), memcpy(&ack, at + 8, 4);
  seq = ntohl(seq), ack = ntohl(ack);
  int flags = at[13] & 0x3f, data = len - (at[12] >> 4) * 4;
  uint32_t s = relative(from, seq, flags & 2), a = relative(to, ack, false);
  if (flags == 16 && !data) return;
  char names[10] = "";
  for (int i = 0; i < 6; i++) if (flags & 1 << i) strncat(names, &"FSRPAU"[i], 1);
  say("%s: %s %u:%u%s", from == server ? "server" : "client", names, s, s + data, "");
  if (flags & 16) say("acknowledges %u", flags & 4 && !seq ? 1 : a);
}

static int tap(void) {
  int s = socket(AF_PACKET, SOCK_DGRAM, htons(ETH_P_ALL)), on = 1;
  struct sockaddr_ll a = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = 1};
  if (s < 0 || bind(s, SA(a), sizeof a)) say("tap: %s", error_name(errno));
  setsockopt(s, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  return s;
}

static void seen(int s, uint16_t server) {
  uint8_t b[70000];
  int n;
  while ((n = recv(s, b, sizeof b, MSG_DONTWAIT)) > 0) {
    if (b[0] >> 4 == 4 && b[9] == 6) segment(b + (b[0] & 15) * 4, n - (b[0] & 15) * 4, server);
    if (b[0] >> 4 == 6 && b[6] == 6) segment(b + 40, n - 40, server);
  }
}

static void talk(int family, bool rude) {
  union { struct sockaddr sa; struct sockaddr_in a; struct sockaddr_in6 b; } u = {0};
  int s = tap(), l = socket(family, SOCK_STREAM, 0);
  char b[100];
  u.sa.sa_family = family;
  if (family == AF_INET) u.a.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  else u.b.sin6_addr = in6addr_loopback;
  bind(l, &u.sa, sizeof u), listen(l, 5);
  getsockname(l, &u.sa, &(socklen_t){sizeof u});
  uint16_t port = ntohs(u.a.sin_port);
  int c = socket(family, SOCK_STREAM, 0);
  SHOW(connect(c, &u.sa, sizeof u));
  int p = accept(l, 0, 0);
  seen(s, port);
  SHOW(send(c, "question", 8, 0)), SHOW(recv(p, b, 8, MSG_WAITALL)), seen(s, port);
  SHOW(send(p, "an answer", 9, 0));
  if (!rude) SHOW(recv(c, b, 9, MSG_WAITALL));
  seen(s, port);
  SHOW(shutdown(p, SHUT_WR)), seen(s, port);
  SHOW(close(c)), sleep_ms(20), seen(s, port);
  close(p), seen(s, port);
}

TEST(of_four) { talk(AF_INET, false); }
TEST(of_six) { talk(AF_INET6, false); }
TEST(unread) { talk(AF_INET, true); }

TEST(refused) {
  int s = tap(), l = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in a = v4(INADDR_LOOPBACK, 0);
  bind(l, SA(a), sizeof a), getsockname(l, SA(a), &(socklen_t){sizeof a});
  int c = socket(AF_INET, SOCK_STREAM, 0);
  SHOW(connect(c, SA(a), sizeof a));
  seen(s, ntohs(a.sin_port));
}

// A raw socket of TCP gets them as well.
TEST(raw) {
  int r = socket(AF_INET, SOCK_RAW, IPPROTO_TCP), s, c, n, data = 0;
  uint8_t b[4000];
  pair(AF_INET, &s, &c);
  SHOW(send(s, "hello", 5, 0)), SHOW(recv(c, b, 5, MSG_WAITALL));
  while ((n = recv(r, b, sizeof b, MSG_DONTWAIT)) > 0) data += n - 20 - (b[32] >> 4) * 4;
  say("%d bytes of data", data);
}
